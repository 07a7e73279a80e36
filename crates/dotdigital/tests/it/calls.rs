//! What is asked and what is read: the shapes of each trait's calls.

use postroom_core::marketing::*;
use postroom_core::{Code, Verdict};
use postroom_dotdigital::Api;
use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::story::{ODD, Told, good_server, order, person, singles, tell};

#[tokio::test]
async fn everything_is_answered() {
    for api in [Api::V3, Api::V2] {
        let server = good_server().await;
        let mut told = Told(Vec::new());
        tell(&server.client_with(|settings| settings.api = api), &mut told).await;
        // The one thing that only the newer API has.
        if api == Api::V2 {
            told.0.retain(|(_, fault)| !fault.message.contains("single mails of marketing campaigns"));
        }
        assert!(told.0.is_empty(), "{:#?}", told.0);
        let v3 = server.whats().iter().filter(|what| what.contains("/v3")).count();
        assert_eq!(v3 > 0, api == Api::V3, "{:?}", server.whats());
    }
}

#[tokio::test]
async fn what_is_read_is_what_was_said() {
    let server = good_server().await;
    let service = server.client();
    let ask = Ask::default();
    let clicks = service.clicks(&CampaignId(77), None, &ask).await.unwrap().rows;
    assert_eq!(clicks.len(), 2, "two clicks in one instant are two");
    assert_eq!(clicks[0].email, ODD);
    let summary = service.summary(&CampaignId(77)).await.unwrap();
    assert_eq!((summary.sent, summary.delivered_rate, summary.revenue.as_deref()), (9, 0.888, Some("10.50")));
    let form = &service.form_pages(&FormId(8)).await.unwrap()[0].fields[0];
    assert_eq!(form.choices[0].text, "Yes");
    let response = &service.responses(&FormId(8), None, &ask).await.unwrap().rows[0];
    assert_eq!(response.answers, [Answer31::get()]);
    let tree = service.preferences().await.unwrap();
    assert!(tree[0].preference.category && tree[0].below[0].opted_in == Some(true));
    assert_eq!(PreferenceNode::leaves(&tree).len(), 1);
    let removed = service.remove_field("ISVIP").await.unwrap();
    assert_eq!(
        removed,
        FieldRemoved::InUse(vec!["Campaign 5".into()]),
        "a refusal that is a success of HTTP"
    );
    let suppression = &service.suppressions(jiff::Timestamp::UNIX_EPOCH, &ask).await.unwrap().rows[0];
    assert_eq!((suppression.reason.clone(), suppression.email.as_str()), (Status::HardBounced, ODD));
    let faults = service.enrolment_faults(&EnrolmentId("x".into())).await.unwrap().unwrap();
    assert_eq!((faults[0].email.as_str(), faults[0].reason.as_str()), (ODD, "AlreadyInProgram"));
    let contact = &service.contacts(&ContactAsk::default(), &ask).await.unwrap().rows[0];
    assert_eq!(contact.names.custom["CRM_CONTACTID"], "3f2c/1");
}

/// The answer of the form, spelt out once.
struct Answer31;

impl Answer31 {
    fn get() -> postroom_core::marketing::Answer {
        postroom_core::marketing::Answer { field: 2, part: None, value: "31".into() }
    }
}

#[tokio::test]
async fn unknown_words_and_members_do_no_harm() {
    let server = Server::new().await;
    server.json(
        "GET /v2/campaigns/filtered",
        json!([{"id": 1, "status": "NotAvailableInThisVersion", "Type": "Hologram", "x": [{}]}]),
    );
    let campaigns = server.client().campaigns(&CampaignAsk::default(), &Ask::default()).await.unwrap().rows;
    assert_eq!(campaigns[0].status, CampaignStatus::Other("NotAvailableInThisVersion".into()));
    assert_eq!(campaigns[0].kind, Some(CampaignType::Other("Hologram".into())));
}

#[tokio::test]
async fn people_are_asked_for_by_what_they_are() {
    let server = good_server().await;
    let service = server.client();
    let since = "2024-05-01T08:30:00.75Z".parse().unwrap();
    let include =
        Include { fields: vec!["A".into(), "B".into()], lists: true, consents: true, ..Include::default() };
    let which = ContactAsk { scope: Scope::List(ListId(5)), modified_since: Some(since), include };
    service.contacts(&which, &Ask { size: 10, after: Some("mabc==".into()) }).await.unwrap();
    service.find_contacts(&[Person::Email(ODD.into())], &Include::default()).await.unwrap();
    service.contacts(&ContactAsk::default(), &Ask::default()).await.unwrap();
    assert_eq!(
        server.whats(),
        [
            "GET /contacts/v3?~listId=5&~modified=gte%3A%3A2024-05-01T08%3A30%3A00Z&data-fields=A%7CB&include=lists%7CconsentRecords&limit=10&marker=abc%3D%3D",
            "GET /contacts/v3/email/o%27brien%2Bx@example.com",
            "GET /contacts/v3?limit=5000",
        ]
        .map(|what| what.replace("%3A", ":"))
    );
}

#[tokio::test]
async fn sends_say_whom() {
    let server = good_server().await;
    let service = server.client();
    service.send(&order()).await.unwrap();
    let body = server.seen().pop().unwrap().body;
    let expected = json!({"campaignId": 77, "addressBookIds": [123, 5], "contactIds": [9], "sendDate": "2024-06-01T08:00:00Z",
        "splitTestOptions": {"testMetric": "Opens", "testPercentage": 20, "testPeriodHours": 4}});
    assert_eq!(body, expected);
    service.send(&SendOrder { when: SendTime::Now, split: None, ..order() }).await.unwrap();
    assert_eq!(server.seen().pop().unwrap().body.get("sendDate"), None);
    let split_and_optimised = SendOrder { when: SendTime::Optimised, ..order() };
    assert_eq!(service.send(&split_and_optimised).await.unwrap_err().verdict, Verdict::Reject);
    assert_eq!(server.seen().len(), 2, "what cannot be is not asked");
}

#[tokio::test]
async fn single_mails_answer_each_for_itself() {
    let server = good_server().await;
    let refused = json!([{"index": 0}, {"index": 1, "failureCode": "ERROR_PARAMETER_INVALID", "failureReason": "ann@x.example"}]);
    server.json("POST /v2/email/triggered-campaign/batch", refused);
    let gone = json!({"summary": {}, "results": [{"index": 0, "status": "uncontactable",
        "failures": [{"failureCode": "marketingEmail:unsubscribed", "description": "ann@x.example"}]}]});
    server.json("POST /marketing-email/v3/batch", gone);
    let mut mails = singles();
    mails.push(mails[0].clone());
    let answers = server.client().send_single(&mails).await;
    assert!(answers[0].is_ok() && answers[2].is_ok());
    let codes: Vec<Option<Code>> =
        answers.iter().map(|one| one.as_ref().err().map(|fault| fault.code)).collect();
    assert_eq!(codes, [None, Some(Code::MARKETING_SUPPRESSED), None, Some(Code::INTERNAL)]);
    assert_eq!(server.whats().len(), 3, "a call for each kind");
    let triggered = &server.seen()[0].body;
    assert_eq!(triggered[0]["personalizationValues"], json!([{"name": "QUOTE_NO", "value": "Q-10"}]));
    assert_eq!(triggered.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_field_of_another_type_is_a_refusal() {
    let server = Server::new().await;
    server.json("GET /v2/data-fields", json!([{"name": "RANK", "type": "Numeric", "visibility": "Private"}]));
    server.on(
        "POST /v2/data-fields",
        [Answer::Json(400, json!({"message": "Error: ERROR_NON_UNIQUE_DATAFIELD"}))],
    );
    let service = server.client();
    let field = |kind: FieldType, name: &str| DataField {
        name: name.into(),
        kind,
        visibility: Visibility::Private,
        default: None,
    };
    assert_eq!(service.create_field(&field(FieldType::Number, "rank")).await.unwrap(), FieldMade::Existed);
    let fault = service.create_field(&field(FieldType::Text, "rank")).await.unwrap_err();
    assert_eq!(fault.code, Code::MARKETING_DUPLICATE);
    let fault = service.create_field(&field(FieldType::Text, "campaignid")).await.unwrap_err();
    assert_eq!(fault.code, Code::MARKETING_RESERVED);
}

#[tokio::test]
async fn states_that_are_so_already_are_success() {
    let server = Server::new().await;
    let refused = |constant: &str| Answer::Json(400, json!({"message": format!("Error: {constant}")}));
    server.on("DELETE /v2/address-books/7", [refused("ERROR_ADDRESSBOOK_NOT_FOUND")]);
    server.on("POST /v2/contacts/unsubscribe", [refused("ERROR_CONTACT_SUPPRESSED")]);
    server.on("GET /v2/address-books/7", [refused("ERROR_ADDRESSBOOK_NOT_FOUND")]);
    server
        .on("GET /contacts/v3/email", [Answer::Json(404, json!({"errorCode": "contacts:contactNotFound"}))]);
    let exists = json!({"errorCode": "customIdentifiers:nameAlreadyExists"});
    server.on("POST /configuration/v3/customIdentifiers", [Answer::Json(409, exists)]);
    let service = server.client();
    service.delete_list(&ListId(7)).await.unwrap();
    service.unsubscribe(ODD).await.unwrap();
    assert_eq!(service.list(&ListId(7)).await.unwrap(), None);
    service.create_identifier("CRM").await.unwrap();
    let found = service.find_contacts(&[Person::Email(ODD.into())], &Include::default()).await.unwrap();
    assert_eq!(found, [None]);
    assert_eq!(service.remove_members(&ListId(7), &[]).await.unwrap(), None);
    assert_eq!(server.seen().len(), 5, "nobody is taken off without a call");
}

#[tokio::test]
async fn preferences_are_read_past_a_page() {
    let server = Server::new().await;
    server.rule(|seen| {
        let from: i64 = seen.what.split("minContactId=").nth(1)?.parse().ok()?;
        let people =
            (from.max(1)..=2500).take(1000).map(|id| json!({"id": id, "email": format!("p{id}@x.example")}));
        Some(Answer::Json(200, people.collect()))
    });
    let (service, mut ask, mut all) = (server.client(), Ask::default(), Vec::new());
    loop {
        let page = service.opted_in(&PreferenceId(1), &ask).await.unwrap();
        all.extend(page.rows.into_iter().map(|(id, _)| id.0));
        let Some(next) = page.next else { break };
        ask = ask.after(next);
    }
    assert_eq!(all, (1..=2500).collect::<Vec<i64>>());
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn an_account_without_v3_refuses_what_it_cannot() {
    let server = good_server().await;
    let service = server.client_with(|settings| settings.api = Api::V2);
    assert_eq!(service.create_identifier("X").await.unwrap_err().code, Code::MARKETING_FEATURE);
    let changed = ContactRow { by: Some(Person::Id(ContactId(9))), ..person() };
    let order = ImportOrder { rows: std::slice::from_ref(&changed), merge: Merge::Overwrite };
    assert_eq!(service.import(&order).await.unwrap_err().code, Code::MARKETING_FEATURE);
    assert_eq!(
        service.patch_contact(&changed, Merge::FillEmpty).await.unwrap_err().code,
        Code::MARKETING_FEATURE
    );
    let patched = service.patch_contact(&changed, Merge::Overwrite).await.unwrap();
    assert_eq!(patched.contact.id, ContactId(9));
    let puts: Vec<Value> = server
        .seen()
        .into_iter()
        .filter(|seen| seen.what.starts_with("PUT /v2/contacts/9"))
        .map(|seen| seen.body)
        .collect();
    assert_eq!(puts[0]["email"], ODD, "an address is changed by the id");
}
