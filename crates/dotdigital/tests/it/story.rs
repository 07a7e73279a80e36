//! Every call of the port once, and what a service of the documents answers to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::*;
use postroom_dotdigital::Dotdigital;
use serde_json::{Value, json};

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
    told.note("from addresses", service.from_addresses().await);
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
    server.rule(|seen| good(seen));
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
    let found = answers().into_iter().find(|(with, pattern, ..)| *with == method && is(pattern));
    found.map(|(_, _, status, body)| match body {
        Value::String(text) if !text.starts_with("20") => Answer::Text(status, text),
        body => Answer::Json(status, body),
    })
}

/// Method, path, status and body; the first that fits.
fn answers() -> Vec<(&'static str, &'static str, u16, Value)> {
    let list = json!({"id": 123, "name": "Spring", "visibility": "Private", "contacts": 7});
    let contact = json!({"id": 9, "email": ODD, "optInType": "Single", "emailType": "Html", "status": "Subscribed",
        "dataFields": [{"key": "FIRSTNAME", "value": "Jane"}, {"key": "LASTNAME", "value": null}]});
    let person = json!({"contactId": 9, "status": "subscribed", "created": "2024-01-01T00:00:00Z",
        "updated": "2024-01-02T00:00:00.5Z", "identifiers": {"email": ODD, "CRM_CONTACTID": "3f2c/1"},
        "dataFields": {"FIRSTNAME": "Jane"},
        "channelProperties": {"email": {"emailType": "Html", "optInType": "Single", "status": "subscribed"}},
        "lists": [{"id": 123, "name": "Spring", "status": "subscribed"}],
        "preferences": [{"id": 26, "isOptedIn": true, "name": "a", "publicName": "a", "privateName": "a"}],
        "consentRecords": [{"text": "t", "dateTimeConsented": "2024-01-01T00:00:00Z", "url": "https://x.example/",
            "ipAddress": "192.0.2.7", "userAgent": "b", "dateTimeCreated": "2024-01-01T00:00:01Z"}]});
    let suppression = json!({"suppressedContact": contact, "dateRemoved": "2024-05-02T09:40:18.527Z", "reason": "HardBounced"});
    let campaign = json!({"id": 77, "name": "Spring", "subject": "s", "fromName": "Shop", "htmlContent": "h", "plainTextContent": "p",
        "fromAddress": {"id": 3, "email": "shop@example.com"}, "replyAction": "Webmail", "isSplitTest": false, "status": "Sent"});
    let send = json!({"id": GUID, "campaignId": 77, "addressBookIds": [123], "contactIds": [9], "status": "Scheduled",
        "sendDate": "2024-06-01T08:00:00Z"});
    let enrolment = json!({"id": GUID, "programId": 4, "status": "Finished", "dateCreated": "2024-05-01T08:30:00Z",
        "contacts": [9], "addressBooks": [123]});
    let import = json!({"id": GUID, "status": "Finished"});
    let removal = json!({"id": GUID, "status": "Started"});
    let back = json!({"contact": contact, "status": "ContactChallenged"});
    let click = json!({"contactId": 9, "email": ODD, "url": "https://x.example/a", "ipAddress": "192.0.2.7", "userAgent": "b",
        "dateClicked": "2024-05-02T09:40:18.527Z", "keyword": null});
    let open = json!({"contactId": 9, "email": ODD, "mailClient": "M", "mailClientVersion": "1", "ipAddress": null,
        "userAgent": "b", "isHtml": true, "isForward": false, "dateOpened": "2024-05-02T09:40:18Z"});
    let recipient = json!({"contactId": 9, "email": ODD, "numOpens": 2, "numPageViews": 0, "numClicks": 1, "numForwards": 0,
        "numEstimatedForwards": 0, "numReplies": 0, "dateSent": "2024-05-02T08:00:00Z", "dateFirstOpened": "2024-05-02T09:40:18Z",
        "dateLastOpened": "2024-05-02T09:40:18Z", "firstOpenIp": "192.0.2.7", "unsubscribed": false, "softBounced": false,
        "hardBounced": false});
    let tree = json!([{"id": 8, "publicName": "P", "privateName": "P", "isPreference": false, "order": "0", "isPublic": true,
        "preferences": [{"id": 26, "publicName": "E", "privateName": "E", "isPreference": true, "isOptedIn": true}]}]);
    let response = json!({"id": 5, "email": ODD, "started": true, "dateStarted": "2024-05-02T09:00:00Z", "complete": true,
        "dateCompleted": "2024-05-02T09:01:00Z", "givenAnswers": [{"fieldId": 2, "subFieldId": null, "value": 31}]});
    let score = json!({"contactId": 9, "email": ODD, "dateModified": "2024-05-02T09:00:00Z", "scoreLabel": "Hot", "score": 90,
        "engagement": 80, "suitability": 100});
    let form = json!({"id": 8, "name": "F", "url": "https://x.example/f", "state": "Active", "sourceEmailTotal": 3,
        "totalCompleteResponses": 3});
    vec![
        ("GET", "/v2/server-time", 200, json!("2024-05-01T08:30:00.25Z")),
        ("GET", "/v2/contacts/count", 200, json!(7)),
        ("GET", "/v2/contacts/retrieve-collection", 200, json!({"contacts": [contact], "notFound": []})),
        ("GET", "/v2/contacts/score", 200, json!([score])),
        ("GET", "/v2/contacts/score/modified-since/*", 200, json!([score])),
        ("GET", "/v2/contacts/suppressed-since/*", 200, json!([suppression])),
        ("GET", "/v2/contacts/unsubscribed-since/*", 200, json!([suppression])),
        ("GET", "/v2/contacts/modified-since/*", 200, json!([contact])),
        ("GET", "/v2/contacts/with-preference/*", 200, json!([{"id": 9, "email": ODD}])),
        (
            "GET",
            "/v2/contacts/with-preference/*/opt-ins-since/*",
            200,
            json!([{"contact": contact, "marketingPreferenceOptIns":
            [{"marketingPreferenceId": 26, "addressBookId": 0, "isOptedIn": true, "dateModifed": "2024-05-02T09:00:00Z"}]}]),
        ),
        ("GET", "/v2/contacts/deletion/*", 200, json!({"id": GUID, "status": "Completed"})),
        ("GET", "/v2/contacts/import/*", 200, import.clone()),
        (
            "GET",
            "/v2/contacts/import/*/report",
            200,
            json!({"newContacts": 1, "updatedContacts": 1, "failures": 1}),
        ),
        (
            "GET",
            "/v2/contacts/import/*/report-faults",
            200,
            json!(format!("Reason,email\r\nFailures,{ODD}\r\n")),
        ),
        ("GET", "/v2/contacts/*/preferences", 200, tree.clone()),
        ("PUT", "/v2/contacts/*/preferences", 200, json!("")),
        (
            "PUT",
            "/v2/contacts/suppress-contacts",
            200,
            json!({"suppressed": [{"id": 9, "email": ODD}], "notFound": []}),
        ),
        ("POST", "/v2/contacts/import-collection", 202, import),
        ("POST", "/v2/contacts/unsubscribe", 200, suppression.clone()),
        ("POST", "/v2/contacts/resubscribe", 200, back.clone()),
        ("POST", "/v2/contacts/resubscribe-with-no-challenge", 200, back.clone()),
        ("POST", "/v2/contacts/with-consent", 201, json!({"contact": contact, "consentFields": []})),
        ("POST", "/v2/contacts", 201, contact.clone()),
        ("GET", "/v2/contacts", 200, json!([contact])),
        ("GET", "/v2/contacts/*", 200, contact.clone()),
        ("PUT", "/v2/contacts/*", 200, contact.clone()),
        ("DELETE", "/v2/contacts/*", 204, json!("")),
        ("GET", "/v2/address-books", 200, json!([list])),
        ("POST", "/v2/address-books", 201, list.clone()),
        ("GET", "/v2/address-books/*", 200, list.clone()),
        ("PUT", "/v2/address-books/*", 200, list.clone()),
        ("DELETE", "/v2/address-books/*", 200, json!("")),
        ("GET", "/v2/address-books/*/contacts", 200, json!([contact])),
        ("POST", "/v2/address-books/*/contacts", 200, contact.clone()),
        ("GET", "/v2/address-books/*/contacts/modified-since/*", 200, json!([contact])),
        ("GET", "/v2/address-books/*/contacts/unsubscribed-since/*", 200, json!([suppression])),
        ("POST", "/v2/address-books/*/contacts/delete", 202, removal),
        ("POST", "/v2/address-books/*/contacts/unsubscribe", 200, suppression),
        ("POST", "/v2/address-books/*/contacts/resubscribe", 200, back.clone()),
        ("POST", "/v2/address-books/*/contacts/resubscribe-with-no-challenge", 200, back),
        ("GET", "/v2/address-books/*/campaigns", 200, json!([campaign])),
        ("GET", "/v2/segments", 200, json!([{"id": 5, "name": "Warm", "contacts": 3}])),
        (
            "GET",
            "/v2/data-fields",
            200,
            json!([{"name": "FIRSTNAME", "type": "String", "visibility": "Private", "defaultValue": null}]),
        ),
        ("POST", "/v2/data-fields", 201, json!("")),
        (
            "DELETE",
            "/v2/data-fields/*",
            200,
            json!({"result": false, "dependencies": [{"type": "Campaign", "objectId": 5}]}),
        ),
        ("GET", "/v2/campaigns/filtered", 200, json!([campaign])),
        ("GET", "/v2/campaigns/with-activity-since/*", 200, json!([campaign])),
        ("GET", "/v2/campaigns/*/with-details", 200, campaign.clone()),
        (
            "GET",
            "/v2/campaigns/*/summary",
            200,
            json!({"dateSent": "2024-05-02T08:00:00Z", "numTotalSent": 9, "numTotalDelivered": 8, "percentageDelivered": 0.888, "revenue": "10.50"}),
        ),
        ("GET", "/v2/campaigns/*/address-books", 200, json!([list])),
        ("GET", "/v2/custom-from-addresses", 200, json!([{"id": 3, "email": "shop@example.com"}])),
        ("POST", "/v2/campaigns", 201, campaign.clone()),
        ("PUT", "/v2/campaigns/*", 200, campaign.clone()),
        ("POST", "/v2/campaigns/*/copy", 201, campaign),
        ("POST", "/v2/campaigns/send", 202, send.clone()),
        ("POST", "/v2/campaigns/send-time-optimised", 202, send.clone()),
        ("GET", "/v2/campaigns/send/*", 200, send),
        ("GET", "/v2/campaigns/*/activities", 200, json!([recipient])),
        ("GET", "/v2/campaigns/*/activities/since-date/*", 200, json!([recipient])),
        ("GET", "/v2/campaigns/*/clicks", 200, json!([click, click])),
        ("GET", "/v2/campaigns/*/clicks/since-date/*", 200, json!([click, click])),
        ("GET", "/v2/campaigns/*/opens", 200, json!([open])),
        ("GET", "/v2/campaigns/*/opens/since-date/*", 200, json!([open])),
        (
            "GET",
            "/v2/campaigns/*/page-views/since-date/*",
            200,
            json!([{"contactId": 9, "email": ODD, "url": "https://x.example/", "dateViewed": "2024-05-02T09:00:00Z"}]),
        ),
        (
            "GET",
            "/v2/campaigns/*/activities/*/replies",
            200,
            json!([{"contactId": 9, "email": ODD, "fromAddress": ODD, "toAddress": "shop@example.com", "subject": "Re", "message": "m", "isHtml": false, "dateReplied": "2024-05-02T09:00:00Z", "replyType": "AutoReply"}]),
        ),
        (
            "GET",
            "/v2/campaigns/*/social-bookmark-views",
            200,
            json!([{"contactId": 9, "email": ODD, "bookmarkName": "LinkedIn", "numViews": 2}]),
        ),
        (
            "GET",
            "/v2/campaigns/*/roi-details/since-date/*",
            200,
            json!([{"contactId": 9, "email": ODD, "markerName": "order", "dataType": "Numeric", "value": 12.5, "dateEntered": "2024-05-02T09:00:00Z"}]),
        ),
        ("GET", "/v2/campaigns/*/hard-bouncing-contacts", 200, json!([contact])),
        (
            "GET",
            "/v2/programs",
            200,
            json!([{"id": 4, "name": "Welcome", "status": "Active", "dateCreated": "2024-05-01T08:30:00Z"}]),
        ),
        ("POST", "/v2/programs/enrolments", 201, enrolment.clone()),
        ("GET", "/v2/programs/enrolments/Finished", 200, json!([enrolment])),
        ("GET", "/v2/programs/enrolments/*", 200, enrolment),
        (
            "GET",
            "/v2/programs/enrolments/*/report-faults",
            200,
            json!(format!("Id,Email,TelephoneNumber,Reason\r\n9,{ODD},,AlreadyInProgram\r\n")),
        ),
        ("GET", "/v2/surveys", 200, json!([form])),
        ("GET", "/v2/surveys/with-activity-since/*", 200, json!([form])),
        (
            "GET",
            "/v2/surveys/*/fields",
            200,
            json!([{"id": 1, "name": "Page", "fields": [{"id": 2, "type": "radiolist", "text": "Q", "isRequired": true, "choices": [{"id": 31, "text": "Yes"}], "subFields": []}]}]),
        ),
        ("GET", "/v2/surveys/*/responses", 200, json!([response])),
        ("GET", "/v2/surveys/*/responses/with-activity-since/*", 200, json!([response])),
        ("GET", "/v2/preferences", 200, tree),
        (
            "POST",
            "/v2/preferences",
            200,
            json!({"id": 27, "publicName": "Tents", "privateName": "Tents", "isPreference": true}),
        ),
        ("POST", "/v2/email/batch", 200, json!([{"index": 0}])),
        ("POST", "/v2/email/triggered-campaign/batch", 200, json!([{"index": 0}])),
        (
            "POST",
            "/marketing-email/v3/batch",
            201,
            json!({"summary": {"sent": 1, "uncontactable": 0, "failed": 0}, "results": [{"index": 0, "status": "sent"}]}),
        ),
        (
            "GET",
            "/configuration/v3/customIdentifiers",
            200,
            json!([{"name": "CRM_CONTACTID", "created": "2024-01-01T00:00:00Z", "updated": "2024-01-01T00:00:00Z"}]),
        ),
        (
            "POST",
            "/configuration/v3/customIdentifiers",
            201,
            json!({"name": "CRM_CONTACTID", "created": "2024-01-01T00:00:00Z", "updated": "2024-01-01T00:00:00Z"}),
        ),
        (
            "GET",
            "/contacts/v3",
            200,
            json!({"_links": {"self": {"marker": "", "link": ""}, "first": {"marker": "", "link": ""}}, "_items": [person]}),
        ),
        ("PUT", "/contacts/v3/import", 202, json!({"importId": GUID})),
        (
            "GET",
            "/contacts/v3/import/*",
            200,
            json!({"importId": GUID, "status": "Finished",
            "summary": {"newContacts": 1, "updatedContacts": 0, "globallySuppressed": 0, "invalidEntries": 1, "duplicateIdentifiers": 0},
            "created": [{"contactId": 9, "identifiers": {"email": ODD}}], "updated": [],
            "failures": [{"matchIdentifier": "email", "identifiers": {"email": "bad@"}, "failures": [{"failureCode": "contacts:invalidEmail", "description": "d"}]}]}),
        ),
        ("POST", "/contacts/v3/delete", 202, json!({"deleteId": GUID})),
        (
            "GET",
            "/contacts/v3/delete/*",
            200,
            json!({"deleteId": GUID, "status": "Finished",
            "summary": {"requestedContacts": 2, "deletedContacts": 1, "unknownContacts": 1, "invalidEntries": 0},
            "deleted": [{"contactId": 9}], "failures": [{"identifier": {"email": "x@y"}, "failures": [{"failureCode": "unknown", "description": "d"}]}]}),
        ),
        ("GET", "/contacts/v3/*/*", 200, person.clone()),
        ("PATCH", "/contacts/v3/*/*", 200, person),
    ]
}
