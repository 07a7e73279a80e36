//! The same client by SOAP: the story of `stand_in`, judged by zeep and libxml2; and what SOAP does otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use postroom_core::marketing::*;
use postroom_core::{Clock, Code, Verdict};
use postroom_dotdigital::{Api, Dotdigital};
use postroom_sandbox::dotdigital::{Dotdigital as StandIn, Fault as Wrong, Limit, Options, Region, Switch};

use crate::server::{Answer, Server};
use crate::stand_in::{self, PASSWORD, USER, row, stand_in};
use crate::story::{ODD, Told, draft, person, tell};

fn client(url: &str) -> Dotdigital {
    stand_in::client(url, |settings| settings.api = Api::Soap)
}

/// Passes messages on and keeps them, each in a file.
#[derive(Clone)]
struct Recorder {
    service: String,
    /// Where it listens: what the account says of itself must not lead past it.
    url: String,
    http: reqwest::Client,
    folder: PathBuf,
    count: Arc<Mutex<usize>>,
}

impl Recorder {
    async fn before(service: &str, folder: &Path) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let recorder = Recorder {
            service: service.to_owned(),
            url: url.clone(),
            http,
            folder: folder.to_owned(),
            count: Arc::default(),
        };
        let app = axum::Router::new().fallback(pass).with_state(recorder);
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn keep(&self, message: &[u8]) {
        let mut count = self.count.lock().unwrap();
        *count += 1;
        std::fs::write(self.folder.join(format!("{count:04}.xml")), message).unwrap();
    }
}

async fn pass(State(recorder): State<Recorder>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    assert_eq!(format!("{} {}", parts.method, parts.uri), "POST /v2/api.svc", "all of it goes by SOAP");
    recorder.keep(&body);
    let mut asked = recorder.http.post(format!("{}{}", recorder.service, parts.uri)).body(body);
    for name in ["authorization", "content-type", "soapaction"] {
        asked = asked.header(name, parts.headers.get(name).expect("each call has it"));
    }
    let answer = asked.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap().replace(&recorder.service, &recorder.url);
    recorder.keep(text.as_bytes());
    Response::builder().status(status).body(Body::from(text)).unwrap()
}

/// Runs the judges' script; answers what they say.
fn judged(arguments: &[&str]) -> String {
    let built = std::env::current_exe().unwrap();
    let python = built.ancestors().nth(3).unwrap().join("clients/zeep/bin/python");
    assert!(python.is_file(), "this test needs zeep in {}: run ./test --install once", python.display());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/soap.py");
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text.into_owned()
}

/// The whole story, and each message of it as the service describes them. Neither judge is ours, so that client and stand-in
/// cannot be wrong alike.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_by_soap() {
    let (world, _clock) = stand_in();
    let folder = tempfile::tempdir().unwrap();
    let url = Recorder::before(&world.url(Region::R1), folder.path()).await;
    stand_in::story(&client(&url), &world, Api::Soap).await;
    // And each call of the port once: what is refused was asked rightly all the same.
    tell(&client(&url), &mut Told(Vec::new())).await;
    assert!(world.calls().keys().all(|name| name.starts_with("SOAP ")), "{:?}", world.calls());
    let wsdl = format!("{}/v2/api.svc?singleWsdl", world.url(Region::R1));
    let listing = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/soap/contract.txt");
    let said = judged(&["check", &wsdl, listing, &folder.path().display().to_string()]);
    let operations: usize = said.split(' ').next().unwrap().parse().unwrap();
    assert!(operations >= 50, "{said}");
}

#[test]
fn zeep_works_through_the_door() {
    let (world, _clock) = stand_in();
    let wsdl = format!("{}/v2/api.svc?wsdl", world.url(Region::R1));
    assert_eq!(judged(&["drive", &wsdl, USER, PASSWORD]), "driven\n");
    assert_eq!(world.contacts(1), 2);
}

/// What SOAP lacks is refused with the name of the API that has it, and nothing is sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_soap_lacks_says_who_has_it() {
    let (world, _clock) = stand_in();
    let service = client(&world.url(Region::R1));
    let check = |fault: Option<postroom_core::Fault>| {
        let fault = fault.expect("it is refused");
        assert_eq!((fault.code, fault.verdict), (Code::MARKETING_FEATURE, Verdict::Reject), "{fault}");
        assert!(fault.message.contains("set api = "), "{fault}");
    };
    check(service.forms(None, &Ask::default()).await.err());
    check(service.programs(&Ask::default()).await.err());
    check(service.preferences().await.err());
    check(service.scores(None, &Ask::default()).await.err());
    check(service.segments(&Ask::default()).await.err());
    let quietly = Resubscribe { email: ODD.into(), list: None, challenge: Challenge::None };
    check(service.resubscribe(&quietly).await.err());
    let consenting = ContactRow { consents: vec![crate::story::consent()], ..person() };
    let order = ImportOrder { rows: std::slice::from_ref(&consenting), merge: Merge::Overwrite };
    check(service.import(&order).await.err());
    check(service.patch_contact(&consenting, Merge::Overwrite).await.err());
    for answer in service.send_single(&crate::story::singles()).await {
        check(answer.err());
    }
    assert!(world.calls().is_empty(), "{:?}", world.calls());
    let can = service.capabilities().await.unwrap();
    let none = [Feature::Programs, Feature::Forms, Feature::Preferences, Feature::Scores];
    assert!(!can.identifiers && can.missing == none);
}

/// Rows with other columns are other files: a column that a row does not have would be emptied.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_empties_nothing_that_was_not_said() {
    let (world, _clock) = stand_in();
    let service = client(&world.url(Region::R1));
    let lists = [
        service.create_list("A", &Visibility::Private).await.unwrap().id,
        service.create_list("B", &Visibility::Private).await.unwrap().id,
    ];
    let named = |email: &str, fields: &[(&str, FieldValue)]| ContactRow {
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        lists: lists.to_vec(),
        ..row(email)
    };
    let first = named("a@x.example", &[("FIRSTNAME", "=1+1".into()), ("LASTNAME", "-7".into())]);
    let second = named("b@x.example", &[("FIRSTNAME", "B".into())]);
    let third = named("a@x.example", &[("FIRSTNAME", FieldValue::Clear)]);
    let rows = [first, second, third];
    let started = service.import(&ImportOrder { rows: &rows, merge: Merge::Overwrite }).await.unwrap();
    assert_eq!(started.taken, 1);
    let report = stand_in::import(&service, &rows).await;
    assert_eq!(report.faults, []);
    let person = world.person(1, "a@x.example").unwrap();
    assert_eq!((&person.fields["LASTNAME"], person.lists.len()), (&serde_json::json!("-7"), 2));
    assert!(person.fields.get("FIRSTNAME").is_none_or(serde_json::Value::is_null), "{:?}", person.fields);
    // With empty values left alone, a row is what it says.
    let rows = &rows[2..];
    let order = ImportOrder { rows, merge: Merge::OverwriteIfNotEmpty };
    service.import(&order).await.unwrap();
    let order = ImportOrder { rows, merge: Merge::FillEmpty };
    assert_eq!(service.import(&order).await.unwrap_err().code, Code::MARKETING_FEATURE);
    let listed = service.lists(&Ask::default()).await.unwrap().rows;
    let counts: Vec<u64> =
        listed.iter().filter(|list| lists.contains(&list.id)).map(|list| list.contacts).collect();
    assert_eq!(counts, [2, 2], "each list is counted");
    assert_eq!(service.count_contacts().await.unwrap(), 2);
}

/// What goes wrong on the way, by the older door: a send is one send, what may be repeated is repeated, and pages shift.
#[tokio::test(flavor = "multi_thread")]
async fn faults_by_soap() {
    for wrong in [Wrong::LoseAnswer, Wrong::CutAnswer, Wrong::Broken, Wrong::Unavailable, Wrong::Drop] {
        let (world, _clock) = stand_in();
        let service = client(&world.url(Region::R1));
        world.fault(Switch::once(wrong.clone(), "POST", "/v2/contacts/unsubscribe"));
        world.fault(Switch::once(wrong.clone(), "GET", "/v2/contacts/suppressed-since"));
        service.unsubscribe(ODD).await.unwrap();
        let since = jiff::Timestamp::UNIX_EPOCH;
        assert_eq!(service.suppressions(since, &Ask::default()).await.unwrap().rows.len(), 1, "{wrong:?}");
        let list = service.create_list("L", &Visibility::Private).await.unwrap();
        stand_in::import(&service, &[ContactRow { lists: vec![list.id.clone()], ..row("a@x.example") }])
            .await;
        let campaign = service.create_campaign(&CampaignDraft { from: None, ..draft() }).await.unwrap();
        let to = Audience::new(vec![list.id.clone()], vec![], vec![]).unwrap();
        let order = SendOrder { campaign: campaign.id, to, when: SendTime::Now, split: None };
        world.fault(Switch::once(wrong.clone(), "POST", "/v2/campaigns/send"));
        let answer = service.send(&order).await;
        // "Temporarily unavailable" says that nothing was done.
        match wrong {
            Wrong::Unavailable => assert!(answer.is_ok(), "{answer:?}"),
            _ => assert_eq!(answer.unwrap_err().verdict, Verdict::Unknown, "{wrong:?}"),
        }
        world.advance(jiff::SignedDuration::from_mins(10));
        let mailed = world.log(1).iter().filter(|one| one.mailed).count();
        let left = !matches!(wrong, Wrong::Broken | Wrong::Drop);
        assert_eq!(mailed, usize::from(left), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_passwords_by_soap() {
    let (world, _clock) = stand_in();
    world.limit(USER, Limit::Flat { hourly: 2 });
    let service = client(&world.url(Region::R1));
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(service.server_time().await.err().map(|fault| fault.code));
    }
    let spent = Some(Code::MARKETING_LIMIT);
    assert_eq!(codes, [None, None, spent, spent, spent]);
    assert_eq!(world.calls().values().sum::<u64>(), 3, "after the first refusal nobody asks");
    let server = Server::new().await;
    server.on("POST /v2/api.svc", [Answer::Text(401, "Unauthorized".into())]);
    let service = server.client_with(|settings| settings.api = Api::Soap);
    for _ in 0..3 {
        assert_eq!(service.server_time().await.unwrap_err().code, Code::MARKETING_SIGN_IN);
    }
    assert_eq!(server.seen().len(), 1, "the service locks users that try again and again");
}

/// The region is asked for by REST, and by SOAP where REST is closed.
#[tokio::test(flavor = "multi_thread")]
async fn the_region_by_either_api() {
    for closed in [false, true] {
        let mut options = Options::one_account(PASSWORD);
        options.accounts[0].region = Region::R2;
        let world = StandIn::start(options, Clock::manual("2026-03-10T08:00:00Z".parse().unwrap()));
        if closed {
            let refusal = Wrong::Refuse { status: 403, code: "ERROR_FEATURENOTACTIVE".into() };
            world.fault(Switch::once(refusal, "GET", "/v2/account-info"));
        }
        let first = world.url(Region::R1);
        let service = stand_in::client(&first, |settings| {
            *settings = postroom_dotdigital::Settings::new(&first).unwrap();
            settings.api = Api::Soap;
        });
        service.lists(&Ask::default()).await.unwrap();
        let asked = world.calls().contains_key("SOAP GetCurrentAccountInfo");
        assert_eq!((asked, world.calls()["GET /v2/account-info"]), (closed, 1));
        assert_eq!(service.account().await.unwrap().endpoint, world.url(Region::R2));
    }
}

/// Whatever comes as an answer: a fault, and none that names anybody.
#[tokio::test]
async fn odd_answers_of_soap() {
    let envelope = |body: &str| {
        format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>"#
        )
    };
    let fault = |text: &str| {
        envelope(&format!(
            "<s:Fault><faultcode>s:Server</faultcode><faultstring>{text}</faultstring></s:Fault>"
        ))
    };
    let list = ListId(7);
    for (status, text, expected) in [
        (200, "<html>".to_owned(), Code::MARKETING_AWAY),
        (200, envelope("<Other/>"), Code::MARKETING_AWAY),
        (200, String::new(), Code::MARKETING_AWAY),
        (500, "<html>".to_owned(), Code::MARKETING_AWAY),
        (500, fault(&format!("{ODD} broke it")), Code::MARKETING_AWAY),
        (500, fault(&format!("{ODD}: ERROR_ADDRESSBOOK_NOT_FOUND")), Code::MARKETING_NOT_FOUND),
        (500, fault("ERROR_FEATURENOTACTIVE"), Code::MARKETING_FEATURE),
        (404, "nothing here".to_owned(), Code::MARKETING_NOT_FOUND),
    ] {
        let server = Server::new().await;
        server.on("POST /v2/api.svc", [Answer::Text(status, text.clone())]);
        let service = server.client_with(|settings| {
            settings.api = Api::Soap;
            settings.tries = 2;
        });
        let scope = ContactAsk { scope: Scope::List(list.clone()), ..ContactAsk::default() };
        let fault = service.contacts(&scope, &Ask::default()).await.unwrap_err();
        assert_eq!(fault.code, expected, "{text}");
        assert!(!format!("{fault:?}").contains("o'brien"), "{fault:?}");
    }
}
