//! The eight operations, from raw XML, in both versions of SOAP, and requests that others captured.

use postroom_core::{Filter, Record, RecordRef};
use postroom_formats::soap::envelope::Soap;
use postroom_formats::soap::operation::Answer as Said;
use postroom_formats::soap::value::Any;
use uuid::Uuid;

use super::*;
use crate::bench::{On, on_both};

on_both!(operations, captures, typed_values);

async fn operations(on: On) {
    let bench = SoapBench::new(on).await;
    for soap in [Soap::V11, Soap::V12] {
        round(&bench, soap).await;
    }
}

async fn round(bench: &SoapBench, soap: Soap) {
    let attributes = [text("firstname", "Anna"), text("lastname", "Adler")].concat();
    let body =
        format!("<Create {NS}><entity>{}</entity></Create>", entity("contact", Uuid::nil(), &attributes));
    let Said::Create(id) = bench.said(soap, &body).await else { panic!() };
    let account = bench
        .create(&entity("account", Uuid::nil(), &text("name", "Adler & Co".replace('&', "&amp;").as_str())))
        .await;

    let change = entity("contact", id, &text("jobtitle", "Smith"));
    let body = format!("<Update {NS}><entity>{change}</entity></Update>");
    assert_eq!(bench.said(soap, &body).await, Said::Update);

    let tie = |operation: &str| {
        format!(
            "<{operation} {NS}><entityName>account</entityName><entityId>{account}</entityId><relationship>\
             <b:PrimaryEntityRole i:nil=\"true\"/><b:SchemaName>contact_customer_accounts</b:SchemaName></relationship>\
             <relatedEntities><b:EntityReference>{}</b:EntityReference></relatedEntities></{operation}>",
            reference("contact", id)
        )
    };
    assert_eq!(bench.said(soap, &tie("Associate")).await, Said::Associate);
    let row = bench.retrieve("contact", id, &["fullname", "jobtitle", "parentcustomerid", "statecode"]).await;
    assert_eq!(named(&row, "fullname").as_deref(), Some("Anna Adler"));
    assert_eq!(named(&row, "jobtitle").as_deref(), Some("Smith"));
    assert_eq!(row.get("contactid"), Some(&Any::Guid(id)));
    assert_eq!(row.get("statecode"), Some(&Any::OptionSetValue(0)));
    let words = [("parentcustomerid", "Adler & Co"), ("statecode", "Active")];
    assert_eq!(row.formatted, words.map(|(column, text)| (column.to_owned(), text.to_owned())));
    let Some(Any::EntityReference(to)) = row.get("parentcustomerid") else { panic!("{row:?}") };
    assert_eq!((to.id, to.name.as_deref()), (account, Some("Adler & Co")));
    assert!(row.row_version.is_some());
    assert_eq!(bench.said(soap, &tie("Disassociate")).await, Said::Disassociate);
    let row = bench.retrieve("contact", id, &["parentcustomerid"]).await;
    assert_eq!(row.get("parentcustomerid"), None);

    let who = bench.said(soap, &message("WhoAmI", "")).await;
    let Said::Execute(who) = who else { panic!() };
    assert_eq!(who.get("UserId"), Some(&Any::Guid(postroom_embedded::seed::ADMINISTRATOR)));

    let gone = format!("<Delete {NS}><entityName>contact</entityName><id>{id}</id></Delete>");
    assert_eq!(bench.said(soap, &gone).await, Said::Delete);
    let answer = bench.ask(soap, &gone).await;
    let fault = answer.fault();
    assert_eq!((answer.status, fault.code), (500, -2_147_220_969), "{}", answer.text);
    assert_eq!(fault.message, format!("contact With Id = {id} Does Not Exist"));
    assert!(fault.activity.is_some() && fault.at.is_some());
    let envelope = answer.envelope();
    assert_eq!(envelope.soap, soap);
    if soap == Soap::V12 {
        let action = envelope.headers.action.unwrap();
        assert!(action.ends_with("/IOrganizationService/DeleteOrganizationServiceFaultFault"), "{action}");
        assert_eq!(envelope.headers.relates_to.as_deref(), Some("urn:uuid:1"));
    }
}

async fn typed_values(on: On) {
    let bench = SoapBench::new(on).await;
    let attributes = [
        text("name", "Typed"),
        pair("revenue", "b:Money", "<b:Value>60000.5</b:Value>"),
        pair("numberofemployees", "d:int", "4300"),
        pair("creditonhold", "d:boolean", "true"),
        pair("preferredcontactmethodcode", "b:OptionSetValue", "<b:Value>2</b:Value>"),
        pair("lastusedincampaign", "d:dateTime", "2026-01-31T08:00:00"),
        pair("createdon", "d:dateTime", "2001-01-01T00:00:00Z"),
    ];
    let id = bench.create(&entity("account", Uuid::nil(), &attributes.concat())).await;
    let row = bench.retrieve("account", id, &["*"]).await;
    assert_eq!(row.get("revenue"), Some(&Any::Money("60000.5000".into())));
    assert_eq!(row.get("numberofemployees"), Some(&Any::Int(4300)));
    assert_eq!(row.get("creditonhold"), Some(&Any::Boolean(true)));
    assert_eq!(row.get("preferredcontactmethodcode"), Some(&Any::OptionSetValue(2)));
    assert_eq!(row.get("lastusedincampaign"), Some(&Any::DateTime("2026-01-31T08:00:00Z".parse().unwrap())));
    // The server's own column was passed over; empty ones are absent.
    assert_ne!(row.get("createdon"), Some(&Any::DateTime("2001-01-01T00:00:00Z".parse().unwrap())));
    assert!(row.get("websiteurl").is_none() && matches!(row.get("ownerid"), Some(Any::EntityReference(_))));
    let seen = |name: &str| row.formatted.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str());
    assert_eq!((seen("revenue"), seen("numberofemployees")), (Some("$60,000.50"), Some("4,300")));
    assert_eq!((seen("lastusedincampaign"), seen("name")), (Some("1/31/2026"), None));
    let wrong = bench
        .fault("Create", &pair("Target", "b:Entity", &entity("account", Uuid::nil(), &text("nosuch", "x"))))
        .await;
    assert_eq!(
        (wrong.code, wrong.message.as_str()),
        (-2_147_217_149, "'account' entity doesn't contain attribute with Name = 'nosuch'.")
    );
}

/// Requests that the SDK's own logger wrote, and one that the .NET SDK sent.
async fn captures(on: On) {
    let bench = SoapBench::new(on).await;
    let read = |name: &str| std::fs::read_to_string(format!("tests/data/soap/{name}")).unwrap();
    bench.create(&entity("account", Uuid::nil(), &text("name", "Found"))).await;
    let answer =
        bench.post(PATH, "text/xml; charset=utf-8", read("request_retrieve_multiple_soap11.xml")).await;
    let Said::RetrieveMultiple(rows) = answer.said() else { panic!() };
    assert_eq!(rows.table.as_deref(), Some("account"));

    let assign = read("request_assign_soap11.xml");
    let answer = bench.post(PATH, "text/xml; charset=utf-8", assign.clone()).await;
    assert_eq!(answer.fault().code, -2_147_220_969, "{}", answer.text);
    // The rows that the captures name.
    let at = |table: &str, id: &str| RecordRef::new(table, id.parse().unwrap());
    let account = at("account", "7bf2e032-ad92-e311-9752-6c3be5a87df0");
    let assignee = at("systemuser", "1bfa3886-df7e-468c-8435-b5adfb0441ed");
    let caller = at("systemuser", "f36aa96c-e7a5-4c70-8254-47c8ba947561");
    let user = |at: &RecordRef| {
        let unit = RecordRef::new("businessunit", postroom_embedded::seed::BUSINESS_UNIT);
        let row = Record::new(at.clone()).with("lastname", "U").with("domainname", at.id.to_string());
        row.with("businessunitid", unit)
    };
    let account_row = Record::new(account.clone()).with("name", "Assigned");
    bench.bench.create(&[account_row, user(&assignee), user(&caller)]).await;
    let answer = bench.post(PATH, "text/xml; charset=utf-8", assign).await;
    let Said::Execute(done) = answer.said() else { panic!("{}", answer.text) };
    assert_eq!(done.name, "Assign");
    assert_eq!(bench.bench.found(&account).await.lookup("ownerid"), Some(&assignee));

    let phone = read("entity_array_response.xml");
    let answer = bench.post(PATH, "text/xml; charset=utf-8", phone).await;
    let Said::Create(call) = answer.said() else { panic!("{}", answer.text) };
    let of_call = Filter::eq("activityid", RecordRef::new("phonecall", call));
    let parties = bench.bench.all("activityparty", of_call).await;
    let from = parties.iter().find(|party| party.int("participationtypemask") == Some(1)).unwrap();
    assert_eq!(from.lookup("partyid"), Some(&caller));
}
