//! Every call of the port once, and what a service of the documents answers to it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::*;
use postroom_dotdigital::Dotdigital;
use serde_json::Value;

use crate::server::{Answer, Seen, Server};

pub const GUID: &str = "d7de900d-d337-43f6-b1e1-c8ec73e1a434";
/// An address that is awkward in paths, queries and tables.
pub const ODD: &str = "o'brien+x@example.com";

fn since() -> Timestamp {
    "2024-05-01T08:30:00Z".parse().unwrap()
}

/// A person with everything.
pub fn person() -> ContactRow {
    ContactRow {
        by: None,
        names: Names { email: Some(ODD.into()), ..Names::default() },
        fields: BTreeMap::from([
            ("FIRSTNAME".to_owned(), FieldValue::from("Jane")),
            ("ISVIP".to_owned(), FieldValue::Bool(true)),
            ("LIFETIMEVALUE".to_owned(), FieldValue::Number("120.5".into())),
            ("OLD".to_owned(), FieldValue::Clear),
            ("RENEWALDATE".to_owned(), FieldValue::Day("2024-05-01".parse().unwrap())),
        ]),
        email_type: Some(EmailType::Html),
        opt_in: Some(OptIn::Single),
        lists: vec![ListId(123)],
        ..ContactRow::default()
    }
}

pub fn consent() -> Consent {
    Consent {
        text: "Send me news".into(),
        at: since(),
        url: "https://example.com/form".into(),
        ip: "192.0.2.7".into(),
        user_agent: "Browser/1".into(),
    }
}

pub fn draft() -> CampaignDraft {
    CampaignDraft {
        name: "Spring".into(),
        subject: "Spring sale".into(),
        from_name: "Shop".into(),
        from: Some(FromAddress { id: 3, email: "shop@example.com".into() }),
        content: Content { html: "<a href=\"http://$UNSUB$\">x</a>".into(), text: "$UNSUB$".into() },
        reply_action: ReplyAction::Webmail,
        reply_to: None,
    }
}

pub fn order() -> SendOrder {
    SendOrder {
        campaign: CampaignId(77),
        to: Audience::new(vec![ListId(123)], vec![SegmentId(5)], vec![ContactId(9)]).unwrap(),
        when: SendTime::At("2024-06-01T08:00:00Z".parse().unwrap()),
        split: Some(Split { metric: SplitMetric::Opens, percent: 20, hours: 4 }),
    }
}

pub fn singles() -> Vec<SingleSend> {
    let values = Personal::from([("QUOTE_NO".to_owned(), "Q-10".to_owned())]);
    let mail = |content: SingleContent| SingleSend {
        to: ODD.into(),
        from: Some("shop@example.com".into()),
        content,
        reference: "req-1".into(),
    };
    vec![
        mail(SingleContent::Triggered { campaign: CampaignId(1043), values: values.clone() }),
        mail(SingleContent::Marketing { campaign: CampaignId(1043), values }),
        mail(SingleContent::Written { subject: "Hi".into(), html: "<p>Hi</p>".into(), text: "Hi".into() }),
    ]
}

/// What went wrong, and where.
pub struct Told(pub Vec<(&'static str, Fault)>);

impl Told {
    fn note<T>(&mut self, what: &'static str, answer: Result<T, Fault>) -> Option<T> {
        answer.map_err(|fault| self.0.push((what, fault))).ok()
    }
}

/// Calls everything.
pub async fn tell(service: &Dotdigital, told: &mut Told) {
    let ask = Ask { size: 100, after: None };
    people(service, told, &ask).await;
    lists(service, told, &ask).await;
    behaviour(service, told, &ask).await;
    campaigns(service, told, &ask).await;
    others(service, told, &ask).await;
}

async fn people(service: &Dotdigital, told: &mut Told, ask: &Ask) {
    told.note("account", service.account().await);
    told.note("time", service.server_time().await);
    let v3 = told.note("capabilities", service.capabilities().await).is_some_and(|can| can.identifiers);
    if v3 {
        told.note("identifier", service.create_identifier("CRM_CONTACTID").await);
    }
    let include = Include {
        fields: vec!["FIRSTNAME".into(), "LASTNAME".into()],
        channels: true,
        lists: true,
        preferences: true,
        consents: true,
    };
    let everybody = ContactAsk { include: include.clone(), ..ContactAsk::default() };
    told.note("contacts", service.contacts(&everybody, ask).await);
    let all_fields = Include { fields: vec![Include::ALL_FIELDS.into()], ..Include::default() };
    let some = ContactAsk {
        scope: Scope::Segment(SegmentId(5)),
        modified_since: Some(since()),
        include: all_fields,
    };
    told.note("segment", service.contacts(&some, ask).await);
    let named = [Person::Id(ContactId(9)), Person::Email(ODD.into())];
    told.note("find", service.find_contacts(&named, &include).await);
    if v3 {
        let named = [Person::Custom("CRM_CONTACTID".into(), "3f2c/1".into())];
        told.note("find by identifier", service.find_contacts(&named, &include).await);
    }
    told.note("count", service.count_contacts().await);
    told.note("patch", service.patch_contact(&person(), Merge::OverwriteIfNotEmpty).await);
    let agreed = ContactRow { consents: vec![consent()], ..person() };
    told.note("patch with consent", service.patch_contact(&agreed, Merge::Overwrite).await);
    let rows = [person(), ContactRow { lists: vec![ListId(123)], ..agreed }];
    told.note("import", service.import(&ImportOrder { rows: &rows, merge: Merge::FillEmpty }).await);
    let import = if v3 { GUID.to_owned() } else { format!("v2/{GUID}") };
    told.note("import status", service.import_status(&ImportId(import)).await);
    if let Some(id) = told.note("delete", service.delete_contacts(&named).await) {
        told.note("deletion", service.deletion(&id).await);
    }
}

async fn lists(service: &Dotdigital, told: &mut Told, ask: &Ask) {
    let list = ListId(123);
    told.note("lists", service.lists(ask).await);
    told.note("list", service.list(&list).await);
    told.note("segments", service.segments(ask).await);
    told.note("create list", service.create_list("CRM - Spring & more", &Visibility::Private).await);
    told.note("rename list", service.change_list(&list, "Summer", &Visibility::Public).await);
    told.note("delete list", service.delete_list(&list).await);
    let which = MembersAsk { list: list.clone(), modified_since: Some(since()), include: Include::default() };
    told.note("members", service.members(&which, ask).await);
    if let Some(Some(id)) = told.note("remove", service.remove_members(&list, &[ContactId(9)]).await) {
        told.note("removal", service.deletion(&id).await);
    }
    told.note("list unsubscribes", service.list_unsubscribes(&list, since(), ask).await);
    told.note("list campaigns", service.list_campaigns(&list, ask).await);
    told.note("fields", service.fields().await);
    let field = DataField {
        name: "ISVIP".into(),
        kind: FieldType::Bool,
        visibility: Visibility::Private,
        default: Some(FieldValue::Bool(false)),
    };
    told.note("create field", service.create_field(&field).await);
    told.note("remove field", service.remove_field("ISVIP").await);
    told.note("suppressions", service.suppressions(since(), ask).await);
    told.note("unsubscribes", service.unsubscribes(since(), ask).await);
    told.note("unsubscribe", service.unsubscribe(ODD).await);
    told.note("leave list", service.unsubscribe_from_list(&list, ODD).await);
    let people = [Person::Id(ContactId(9)), Person::Email(ODD.into())];
    told.note("suppress", service.suppress(&people).await);
    let challenge =
        Challenge::Ask { locale: Some("de-DE".into()), return_to: Some("https://example.com".into()) };
    for list in [None, Some(list)] {
        for challenge in [challenge.clone(), Challenge::None] {
            let who = Resubscribe { email: ODD.into(), list: list.clone(), challenge };
            told.note("resubscribe", service.resubscribe(&who).await);
        }
    }
}

async fn behaviour(service: &Dotdigital, told: &mut Told, ask: &Ask) {
    let campaign = CampaignId(77);
    for from in [None, Some(since())] {
        told.note("recipients", service.recipients(&campaign, from, ask).await);
        told.note("clicks", service.clicks(&campaign, from, ask).await);
        told.note("opens", service.opens(&campaign, from, ask).await);
    }
    told.note("page views", service.page_views(&campaign, since(), ask).await);
    told.note("replies", service.replies(&campaign, &ContactId(9), ask).await);
    told.note("social", service.social_views(&campaign, ask).await);
    told.note("roi", service.roi_details(&campaign, since(), ask).await);
    told.note("hard bounces", service.hard_bounces(&campaign, ask).await);
}

async fn campaigns(service: &Dotdigital, told: &mut Told, ask: &Ask) {
    let campaign = CampaignId(77);
    let statuses = vec![CampaignStatus::Sent, CampaignStatus::Unsent];
    let which = CampaignAsk { kind: Some(CampaignType::Standard), statuses };
    told.note("campaigns", service.campaigns(&which, ask).await);
    told.note(
        "one status",
        service
            .campaigns(&CampaignAsk { statuses: vec![CampaignStatus::Sent], ..CampaignAsk::default() }, ask)
            .await,
    );
    told.note("active campaigns", service.active_campaigns(since(), ask).await);
    told.note("campaign", service.campaign(&campaign).await);
    told.note("summary", service.summary(&campaign).await);
    told.note("campaign lists", service.campaign_lists(&campaign, ask).await);
    told.note("from addresses", service.senders().await);
    told.note("create campaign", service.create_campaign(&draft()).await);
    told.note("change campaign", service.change_campaign(&campaign, &draft()).await);
    told.note("copy campaign", service.copy_campaign(&campaign).await);
    told.note("send", service.send(&order()).await);
    let optimised = SendOrder { when: SendTime::Optimised, split: None, ..order() };
    told.note("send at the best time", service.send(&optimised).await);
    told.note("send status", service.send_status(&SendId(GUID.into())).await);
    told.note("traces", service.traces(&order(), since()).await);
    for answer in service.send_single(&singles()).await {
        told.note("single", answer);
    }
}

async fn others(service: &Dotdigital, told: &mut Told, ask: &Ask) {
    told.note("programs", service.programs(ask).await);
    told.note("enrol", service.enrol(&ProgramId(4), &order().to).await);
    told.note("enrolment", service.enrolment(&EnrolmentId(GUID.into())).await);
    told.note("enrolments", service.enrolments(&EnrolmentStatus::Finished, ask).await);
    told.note("enrolment faults", service.enrolment_faults(&EnrolmentId(GUID.into())).await);
    for from in [None, Some(since())] {
        told.note("forms", service.forms(from, ask).await);
        told.note("responses", service.responses(&FormId(8), from, ask).await);
        told.note("scores", service.scores(from, ask).await);
    }
    told.note("form pages", service.form_pages(&FormId(8)).await);
    told.note("preferences", service.preferences().await);
    let preference = Preference {
        id: PreferenceId(0),
        public_name: "Tents".into(),
        private_name: "Tents".into(),
        category: false,
        public: true,
        parent: Some(PreferenceId(8)),
        order: "1".into(),
        created: None,
        modified: None,
    };
    told.note("create preference", service.create_preference(&preference).await);
    told.note("preferences of", service.preferences_of(&Person::Email(ODD.into())).await);
    let chosen = [(PreferenceId(26), true), (PreferenceId(19), false)];
    told.note("set preferences", service.set_preferences(&Person::Id(ContactId(9)), &chosen).await);
    told.note("opted in", service.opted_in(&PreferenceId(26), ask).await);
    told.note("opt-in changes", service.opt_in_changes(&PreferenceId(26), since(), ask).await);
}

/// A server that answers everything as the documents say.
pub async fn good_server() -> Server {
    let server = Server::new().await;
    server.rule(good);
    server
}

fn good(seen: &Seen) -> Option<Answer> {
    let (method, path) = seen.what.split_once(' ')?;
    let path = path.split('?').next()?;
    let is = |pattern: &str| {
        let (ours, theirs): (Vec<_>, Vec<_>) = (path.split('/').collect(), pattern.split('/').collect());
        ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(|(one, other)| *other == "*" || one == other)
    };
    let (_, _, status, body) = answers().iter().find(|(with, pattern, ..)| with == method && is(pattern))?;
    Some(match body {
        Value::String(text) if !text.starts_with("20") => Answer::Text(*status, text.clone()),
        body => Answer::Json(*status, body.clone()),
    })
}

/// Method, path, status and body; the first that fits. A `*` stands for any part of a path.
fn answers() -> &'static [(String, String, u16, Value)] {
    static ANSWERS: LazyLock<Vec<(String, String, u16, Value)>> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../data/answers.json")).expect("the file holds answers")
    });
    &ANSWERS
}
