//! A postroom whose CRM is outside, kept by another one: the ways to sign in that its doors know, TLS, the test of the
//! connection, and what only the embedded CRM can do. The other ways to sign in: `signing`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::house::House;
use crate::load::{self, Database};
use crate::make::{Make, Place};

const SUPPORT: &str = "support@ours.example";
const CASE: &str = "00000000-0000-4000-8000-000000000001";

/// A CRM with a case, a queue and somebody outside, behind TLS.
static CRM: LazyLock<House> = LazyLock::new(|| {
    let house = House::with_https("[crm]\nservice_protection = true\n");
    house.records(&[
        json!({"table": "queue", "id": "00000000-0000-4000-8000-000000000002", "columns": {"name": "Support", "emailaddress": SUPPORT}}),
        json!({"table": "contact", "id": "00000000-0000-4000-8000-000000000003", "columns": {"lastname": "Adler", "emailaddress1": "anna@customer.example"}}),
        json!({"table": "incident", "id": CASE, "columns": {"title": "Pump", "customerid": "contact/00000000-0000-4000-8000-000000000003"}}),
    ]);
    house
});

/// Its address with the name that its certificate has.
fn origin() -> String {
    format!("https://localhost:{}", CRM.http.expect("its doors are open").port())
}

/// A house that works with it, without a server.
fn house(keys: &str) -> House {
    house_at("webapi", &origin(), keys)
}

fn house_at(kind: &str, origin: &str, keys: &str) -> House {
    let config = format!(
        "[crm]\nkind = \"{kind}\"\norg_url = \"{origin}\"\n{keys}\n[mailboxes.support]\naddress = \"{SUPPORT}\"\n"
    );
    let house = House::quiet(&config);
    fs::copy(CRM.path("ca.pem"), house.path("ca.pem")).expect("it is there");
    let secret = house.write("secret", CRM.place().token.as_bytes());
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    house
}

const CA: &str = "ca_file = \"FOLDER/ca.pem\"\n";
const TOKEN: &str = "token = { file = \"FOLDER/secret\" }\n";

/// The steps of `check crm` by name.
pub fn steps(house: &House) -> (i32, serde_json::Map<String, Value>) {
    let said = house.run(&["check", "crm"]);
    let exit = said.exit;
    let text = String::from_utf8_lossy(&said.out).into_owned();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let steps = lines.map(|step| {
        let name = step["part"].as_str().expect("a step has a name").trim_start_matches("crm ").to_owned();
        (name, step)
    });
    (exit, steps.collect())
}

#[track_caller]
pub fn says(steps: &serde_json::Map<String, Value>, name: &str, ok: bool, words: &str) {
    let step = steps.get(name).unwrap_or_else(|| panic!("{name} is not among {steps:#?}"));
    assert_eq!(step["ok"], json!(ok), "{step}");
    assert!(step.to_string().contains(words), "{words:?} is not in {step}");
}

#[track_caller]
fn signs_in(keys: &str) {
    let (exit, steps) = steps(&house(&format!("{CA}{keys}")));
    says(&steps, "sign_in", true, "takes it");
    assert_eq!(exit, 0, "{steps:#?}");
}

#[test]
fn every_step_is_told_when_all_is_well() {
    let (exit, steps) = steps(&house(&format!("{CA}{TOKEN}")));
    says(&steps, "name", true, "localhost is");
    says(&steps, "tls", true, "is trusted and good for");
    says(&steps, "user", true, "Postroom Administrator");
    says(&steps, "version", true, "9.2");
    says(&steps, "clock", true, "from the CRM's");
    says(&steps, "limits", true, "requests left of this user's five minutes");
    says(&steps, "tables", true, "are there");
    says(&steps, "privileges", true, "the user has all");
    says(&steps, "senders", true, "nothing else reads the mail");
    assert_eq!((exit, steps.len()), (0, 10), "{steps:#?}");
}

#[test]
fn the_ways_to_sign_in_that_our_own_doors_know() {
    let secret = "client_id = \"c\"\nclient_secret = { file = \"FOLDER/secret\" }\n";
    signs_in(secret);
    signs_in(&format!("{secret}tenant = \"common\"\nauthority = \"{}\"\n", origin()));
    signs_in(
        "sign_in = \"adfs\"\nclient_id = \"c\"\nusername = \"u\"\npassword = { file = \"FOLDER/secret\" }\n",
    );
}

/// Whoever knows the server and the user is told the organisation's address, however it is asked for.
#[test]
fn organisations_are_discovered() {
    let at = format!("{}/XRMServices/2011/Discovery.svc", origin());
    for kind in ["webapi", "soap"] {
        let house = house_at(kind, &origin(), &format!("{CA}{TOKEN}"));
        for arguments in [&["crm", "discover"][..], &["crm", "discover", "--at", &at]] {
            let found = house.one(arguments);
            assert_eq!(
                (&found["unique_name"], &found["enabled"]),
                (&json!("postroom"), &json!(true)),
                "{found}"
            );
            let web = found["web"].as_str().expect("an address");
            assert!(web.starts_with(&origin()), "{found}");
        }
    }
    let refused = |house: &House, arguments: &[&str], exit: i32, words: &str| {
        let said = house.run(&[&["crm", "discover"], arguments].concat());
        assert!(said.exit == exit && said.err.contains(words), "{}: {}", said.exit, said.err);
    };
    refused(&House::quiet(""), &[], 6, "docs/DYNAMICS.md");
    let house = house(&format!("{CA}{TOKEN}"));
    refused(&house, &["--at", "http://crm.example"], 3, "https://");
    let application =
        self::house(&format!("{CA}client_id = \"c\"\nclient_secret = {{ file = \"FOLDER/secret\" }}\n"));
    refused(&application, &["--at", "https://globaldisco.crm.dynamics.com"], 1, "admin centre");
}

/// Over SOAP each step is told too.
#[test]
fn every_step_is_told_over_soap() {
    let (exit, steps) = steps(&house_at("soap", &origin(), &format!("{CA}{TOKEN}")));
    says(&steps, "user", true, "Postroom Administrator");
    says(&steps, "version", true, "9.2");
    says(&steps, "privileges", true, "the user has all");
    says(&steps, "senders", true, "nothing else reads the mail");
    assert_eq!((exit, steps.len()), (0, 10), "{steps:#?}");
}

/// Without an address of the token service the CRM's WSDL is asked for it; ours has no claims.
#[test]
fn a_crm_without_a_token_service_says_so() {
    let user = "username = \"OURS\\\\postroom\"\npassword = { file = \"FOLDER/secret\" }\n";
    let house = house_at("soap", &origin(), &format!("sign_in = \"ws_trust\"\n{CA}{user}"));
    let (exit, found) = steps(&house);
    says(&found, "sign_in", false, "has no authentication policy; check crm.org_url and crm.sign_in");
    assert_eq!(exit, 20);
}

#[test]
fn a_certificate_is_believed_by_its_authority_or_its_fingerprint() {
    let (exit, found) = steps(&house(TOKEN));
    says(&found, "tls", false, "crm.ca_file");
    says(&found, "sign_in", true, "not tried");
    assert_eq!((exit, &found["sign_in"]["skipped"]), (20, &json!(true)));
    let (_, good) = steps(&house(&format!("{CA}{TOKEN}")));
    let said = good["tls"]["said"].as_str().expect("a sentence");
    let print = said.rsplit(' ').next().expect("the last word").to_owned();
    let (exit, found) = steps(&house(&format!("tls_pin = \"{print}\"\n{TOKEN}")));
    says(&found, "tls", true, "is the pinned one");
    assert_eq!(exit, 0, "{found:#?}");
    let (_, found) = steps(&house(&format!("tls_pin = \"{}\"\n{TOKEN}", "AB".repeat(32))));
    says(&found, "tls", false, "pinned");
}

#[test]
fn a_refused_sign_in_says_the_next_step() {
    let wrong = house(&format!("{CA}{TOKEN}"));
    wrong.write("secret", b"prm_wrong");
    let (exit, found) = steps(&wrong);
    says(&found, "sign_in", false, "refuses the token");
    says(&found, "privileges", true, "not tried");
    assert_eq!(exit, 20);
}

/// Roles that the embedded CRM brings: one for people, and the one that filing needs.
const BASIC: &str = "f689c4b0-2d34-5cdf-a6ef-1e250fdf5066";
const MAIL_SERVICE: &str = "8054a125-4ea2-51a5-86a3-f62b29312dcc";

/// A house without a server that works with the CRM of this one, as the user of this token.
fn beside(crm: &House, token: &str) -> House {
    let own = house(TOKEN);
    let text = fs::read_to_string(own.path("postroom.toml")).expect("it was written");
    own.write("postroom.toml", text.replace(&origin(), &crm.place().origin).as_bytes());
    own.write("secret", token.as_bytes());
    own
}

#[test]
fn privileges_and_other_senders_are_named() {
    let crm = House::open("");
    let user = "00000000-0000-4000-8000-00000000000a";
    crm.records(&[
        json!({"table": "systemuser", "id": user, "columns": {"firstname": "Pia", "lastname": "Post", "domainname": "OURS\\pia"}}),
        json!({"table": "mailbox", "id": "00000000-0000-4000-8000-00000000000b", "columns": {
            "name": "Support", "emailaddress": SUPPORT, "incomingemaildeliverymethod": 1, "outgoingemaildeliverymethod": 0,
        }}),
    ]);
    let made = crm.one(&["apitoken", "create", "--scope", "crm", "--user", user]);
    let pia = beside(&crm, made["token"].as_str().expect("a text"));
    let (exit, found) = steps(&pia);
    says(&found, "tables", false, "give the user a security role");
    assert_eq!(exit, 20);
    let Place { origin, token } = crm.place();
    let give = |role: &str| {
        let body = json!({ "@odata.id": format!("{origin}/api/data/v9.2/roles({role})") }).to_string();
        let url = format!("/api/data/v9.2/systemusers({user})/systemuserroles_association/$ref");
        let asked = crate::api::wire::post(url, "application/json", body).bearer(&token);
        asked.to(crm.http.expect("it listens")).answers(204);
    };
    give(BASIC);
    let (exit, found) = steps(&pia);
    says(&found, "tables", true, "are there");
    says(&found, "privileges", false, "the user lacks prv");
    assert_eq!(exit, 20);
    give(MAIL_SERVICE);
    let (exit, found) = steps(&pia);
    says(&found, "privileges", true, "the user has all");
    says(&found, "senders", false, "Outlook files the mail of support@ours.example too");
    assert_eq!(exit, 20);

    // With e-mail marketing, whatever that writes to is needed besides, as soon as it is there.
    let file = pia.path("postroom.toml");
    let text = fs::read_to_string(&file).expect("it is there");
    let account = "[marketing.accounts.main]\nurl = \"https://r1.example.com\"\nuser = \"u\"\n";
    let account = format!("{account}password = {{ file = \"{}\" }}\n", pia.path("secret").display());
    fs::write(&file, format!("{text}\n{account}")).expect("it can be written");
    let (_, found) = steps(&pia);
    says(&found, "tables", true, "more (postroom solution install brings");
    says(&found, "privileges", false, "prvCreateLead");
    says(&found, "privileges", false, "prvWriteCampaign");
    assert!(!found["privileges"].to_string().contains("esc_"), "{found:#?}");
    crm.one(&["solution", "install"]);
    says(&steps(&pia).1, "privileges", false, "prvCreateesc_form");
    let name = "name=Email Campaign Connector Service (System Use Only)";
    let role = &crm.list(&["record", "list", "role", "--where", name])[0]["id"];
    give(role.as_str().expect("an id"));
    says(&steps(&pia).1, "privileges", true, "the user has all");
}

#[test]
fn mail_is_filed_over_tls_and_the_commands_look_at_the_crm() {
    let house = house(&format!("{CA}{TOKEN}")).started();
    let mail = format!(
        "From: Anna <anna@customer.example>\r\nTo: <{SUPPORT}>\r\nSubject: It drips CRM: {CASE}:MRC\r\n\
         Message-ID: <drip@customer.example>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\r\nHelp\r\n"
    );
    let filed = house.filed("anna@customer.example", &[SUPPORT], mail);
    assert_eq!((&filed["state"], &filed["record"]["id"]), (&json!("tracked"), &json!(CASE)), "{filed}");
    let there = CRM.one(&["record", "show", "incident", CASE]);
    assert_eq!(there["activities"].as_array().map(Vec::len), Some(1), "{there}");
    let here = house.one(&["record", "show", "incident", CASE]);
    assert_eq!(here["activities"], there["activities"]);
    let found = house.list(&["record", "list", "contact", "--where", "emailaddress1=anna@customer.example"]);
    assert_eq!(found.len(), 1);
    assert_eq!(house.list(&["record", "list", "contact", "--where", "statecode=1"]).len(), 0);
    assert_eq!(house.list(&["record", "find", "Adler"]).len(), 1);
    assert!(house.verify()["findings"].as_array().is_none_or(Vec::is_empty));
    for arguments in [&["record", "import", "x.jsonl"][..], &["apitoken", "create", "--scope", "crm"]] {
        let said = house.run(arguments);
        assert_eq!(said.exit, 6, "{}", said.err);
        assert!(said.err.contains("PR-2010"), "{}", said.err);
    }
    // Nothing of the embedded CRM is in the database, and its doors are shut.
    let answer = crate::api::wire::get("/api/data/v9.2/contacts").to(house.http.expect("it listens"));
    answer.answers(404);
}

/// The CRM is away: mail comes in all the same, and is filed when it is back.
#[test]
fn mail_comes_in_while_the_crm_is_away() {
    let mut crm = load::House::new(Database::Sqlite);
    // Its database is made by the first command; nothing listens yet.
    let section = crm.place().section(Make::WebApi, &crm.folder);
    let house = House::open(&format!("[jobs]\npoll = \"100ms\"\n{section}"));
    let id = house.send(
        "anna@customer.example",
        &[SUPPORT],
        "From: anna@customer.example\r\nSubject: Hello\r\nMessage-ID: <away@customer.example>\r\n\r\nHello\r\n",
    );
    let message = house.one(&["message", "show", &id]);
    assert_eq!(message["state"], json!("received"), "{message}");
    crm.start();
    assert_eq!(house.settled(&id)["state"], json!("review"));
}
