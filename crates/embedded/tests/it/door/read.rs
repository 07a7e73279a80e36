//! Reading through the Web API door: queries, rows, properties, navigation, pages, expansions, FetchXML and changes.

use postroom_core::{Change, Record, Value};
use serde_json::{Value as Json, json};

use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    a_query_answers_rows,
    conditions_and_orders,
    one_row,
    properties,
    navigation,
    expansions,
    pages_by_next_link,
    counts,
    annotations,
    fetch_xml,
    fetch_xml_in_pages,
    stored_views,
    groups,
    changes,
    changes_in_pages,
    refusals
);

struct World {
    door: DoorBench,
    account: Record,
    contacts: Vec<Record>,
}

/// An account with three contacts, and one that has none.
async fn world(on: On) -> World {
    let door = DoorBench::new(on).await;
    let bench = &door.bench;
    let account =
        bench.row("account").with("name", "Adler & Co").with("revenue", Value::Decimal("10.5".into()));
    let contacts: Vec<Record> = ["Anna", "Bert", "Carla", "Dora"]
        .into_iter()
        .enumerate()
        .map(|(place, name)| {
            let employer = (place < 3).then(|| account.at.clone());
            bench
                .row("contact")
                .with("firstname", name)
                .with("lastname", "O'Neil")
                .with("numberofchildren", place as i64)
                .with("parentcustomerid", employer)
        })
        .collect();
    bench.create(std::slice::from_ref(&account)).await;
    bench.create(&contacts).await;
    bench.update(&account.at, "primarycontactid", contacts[1].at.clone()).await;
    World { door, account, contacts }
}

fn names(rows: &Json) -> Vec<&str> {
    let rows = rows["value"].as_array().unwrap_or_else(|| panic!("no rows: {rows}"));
    rows.iter().map(|row| row["firstname"].as_str().unwrap_or("-")).collect()
}

async fn a_query_answers_rows(on: On) {
    let world = world(on).await;
    let answer =
        world.door.get("contacts?$select=firstname,_parentcustomerid_value&$orderby=firstname").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json; odata.metadata=minimal");
    assert_eq!(answer.header("odata-version"), "4.0");
    assert_eq!(
        answer.json["@odata.context"],
        format!("{ROOT}/$metadata#contacts(firstname,_parentcustomerid_value)")
    );
    let first = &answer.json["value"][0];
    assert_eq!(first["_parentcustomerid_value"], world.account.at.id.to_string());
    assert_eq!(first["contactid"], world.contacts[0].at.id.to_string());
    assert!(first["@odata.etag"].as_str().unwrap().starts_with("W/\""));
    assert_eq!(first.as_object().unwrap().len(), 4, "{first}");
    assert_eq!(answer.json["value"][3]["_parentcustomerid_value"], Json::Null);
    // All columns, with nulls.
    let all = world.door.get("contacts?$top=1&$orderby=firstname").await;
    let row = all.json["value"][0].as_object().unwrap();
    assert!(row.len() > 150 && row["jobtitle"].is_null() && row["statecode"] == 0, "{}", row.len());
    assert!(row["createdon"].as_str().unwrap().ends_with('Z'));
}

async fn conditions_and_orders(on: On) {
    let world = world(on).await;
    let check = async |query: &str, expected: &[&str]| {
        let answer = world.door.get(&format!("contacts?$select=firstname&{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        assert_eq!(names(&answer.json), expected, "{query}");
    };
    let account = world.account.at.id;
    check("$filter=firstname eq 'ANNA'", &["Anna"]).await;
    check(
        "$filter=lastname eq 'O''Neil' and numberofchildren gt 1&$orderby=firstname desc",
        &["Dora", "Carla"],
    )
    .await;
    check("%24filter=contains(firstname,%27r%27)&%24orderby=firstname", &["Bert", "Carla", "Dora"]).await;
    check(
        "$filter=startswith(firstname,'A') or endswith(firstname,'t')&$orderby=firstname",
        &["Anna", "Bert"],
    )
    .await;
    check("$filter=_parentcustomerid_value eq null", &["Dora"]).await;
    check(&format!("$filter=_parentcustomerid_value eq {account}&$orderby=firstname&$top=1"), &["Anna"])
        .await;
    check(
        "$filter=parentcustomerid_account/name eq 'adler %26 co'&$orderby=firstname",
        &["Anna", "Bert", "Carla"],
    )
    .await;
    check("$orderby=parentcustomerid_account/name,firstname desc", &["Dora", "Carla", "Bert", "Anna"]).await;
    check("$filter=not (numberofchildren lt 3)", &["Dora"]).await;
    check(
        "$filter=Microsoft.Dynamics.CRM.In(PropertyName='firstname',PropertyValues=[\"anna\",\"dora\"])&$orderby=firstname",
        &["Anna", "Dora"],
    )
    .await;
    check("$filter=Microsoft.Dynamics.CRM.Between(PropertyName='numberofchildren',PropertyValues=[\"1\",\"2\"])&$orderby=firstname", &["Bert", "Carla"]).await;
    check(
        "$filter=Microsoft.Dynamics.CRM.Today(PropertyName='createdon') and firstname eq @p1&@p1='Bert'",
        &["Bert"],
    )
    .await;
    check("$filter=createdon ge 2026-11-02T00:00:00Z and firstname eq 'Carla'", &["Carla"]).await;
    check("$filter=account_primary_contact/any(a:a/name eq 'Adler %26 Co')", &["Bert"]).await;
    check("$filter=firstname eq 'x'' or 1 eq 1 --'", &[]).await;
}

async fn one_row(on: On) {
    let world = world(on).await;
    let anna = &world.contacts[0];
    let url = format!("contacts({})?$select=firstname", anna.at.id);
    let answer = world.door.get(&url).await;
    assert_eq!(answer.json["@odata.context"], format!("{ROOT}/$metadata#contacts(firstname)/$entity"));
    assert_eq!(answer.json["firstname"], "Anna");
    let tag = answer.header("etag").to_owned();
    assert_eq!(answer.json["@odata.etag"], tag);
    assert_eq!(world.door.ask("GET", &url, &[("if-none-match", &tag)], "").await.status, 304);
    assert_eq!(world.door.ask("GET", &url, &[("if-none-match", "null")], "").await.status, 200);
    let upper = world.door.get(&format!("contacts({})", anna.at.id.to_string().to_uppercase())).await;
    assert_eq!(upper.json["contactid"], anna.at.id.to_string());
    let missing = "contacts(00000000-0000-0000-0000-000000000001)";
    let text = "contact With Id = 00000000-0000-0000-0000-000000000001 Does Not Exist";
    world.door.get(missing).await.refused(404, "0x80040217", text);
    let prefixed = world.door.get(&format!("/contoso/api/data/v9.0/contacts({})", anna.at.id)).await;
    let context = prefixed.json["@odata.context"].as_str().unwrap();
    assert!(
        context.starts_with("https://crm.example:8443/contoso/api/data/v9.0/$metadata#contacts"),
        "{context}"
    );
}

async fn properties(on: On) {
    let world = world(on).await;
    let contact = format!("contacts({})", world.contacts[2].at.id);
    let answer = world.door.get(&format!("{contact}/firstname")).await;
    assert_eq!(answer.json["value"], "Carla");
    assert_eq!(answer.json["@odata.context"], format!("{ROOT}/$metadata#{contact}/firstname"));
    assert_eq!(world.door.get(&format!("{contact}/firstname/$value")).await.text, "Carla");
    assert_eq!(world.door.get(&format!("{contact}/numberofchildren/$value")).await.text, "2");
    assert_eq!(world.door.get(&format!("{contact}/jobtitle")).await.status, 204);
    world.door.get(&format!("{contact}/nothing")).await.refused(404, "0x80060888", "'nothing'");
}

async fn navigation(on: On) {
    let world = world(on).await;
    let account = format!("accounts({})", world.account.at.id);
    let answer = world
        .door
        .get(&format!("{account}/contact_customer_accounts?$select=firstname&$orderby=firstname"))
        .await;
    assert_eq!(names(&answer.json), ["Anna", "Bert", "Carla"]);
    let up = world.door.get(&format!("{account}/primarycontactid?$select=firstname")).await;
    assert_eq!(up.json["firstname"], "Bert");
    let far = format!("contacts({})/parentcustomerid_account/name", world.contacts[0].at.id);
    assert_eq!(world.door.get(&far).await.json["value"], "Adler & Co");
    let bert = format!("{ROOT}/contacts({})", world.contacts[1].at.id);
    assert_eq!(world.door.get(&format!("{account}/primarycontactid/$ref")).await.json["@odata.id"], bert);
    let all = world.door.get(&format!("{account}/contact_customer_accounts/$ref")).await;
    assert_eq!(all.json["value"].as_array().unwrap().len(), 3);
    assert_eq!(world.door.get(&format!("{account}/contact_customer_accounts/$count")).await.text, "3");
    assert_eq!(world.door.get(&format!("{account}/parentaccountid")).await.status, 204);
    let owner = world.door.get(&format!("{account}/ownerid?$select=fullname")).await;
    assert_eq!(owner.status, 200, "{}", owner.text);
}

async fn expansions(on: On) {
    let world = world(on).await;
    let url = "accounts?$select=name&$expand=primarycontactid($select=firstname),\
               contact_customer_accounts($select=firstname;$filter=numberofchildren lt 2;$orderby=firstname desc;\
               $expand=parentcustomerid_account($select=name))";
    let answer = world.door.get(url).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let row = &answer.json["value"][0];
    assert_eq!(row["primarycontactid"]["firstname"], "Bert");
    let staff = row["contact_customer_accounts"].as_array().unwrap();
    assert_eq!(
        staff.iter().map(|one| one["firstname"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Bert", "Anna"]
    );
    assert_eq!(staff[1]["parentcustomerid_account"]["name"], "Adler & Co");
    let top = world
        .door
        .get("accounts?$expand=contact_customer_accounts($select=firstname;$top=1;$orderby=firstname)")
        .await;
    assert_eq!(top.json["value"][0]["contact_customer_accounts"].as_array().unwrap().len(), 1);
    let none = format!("contacts({})?$expand=parentcustomerid_account", world.contacts[3].at.id);
    let none = world.door.get(&none).await;
    assert_eq!(none.json["parentcustomerid_account"], Json::Null);
    let owner = world.door.get("accounts?$select=name&$expand=ownerid($select=name)").await;
    assert!(owner.json["value"][0]["ownerid"]["name"].is_string(), "{}", owner.text);
}

async fn pages_by_next_link(on: On) {
    let world = world(on).await;
    let prefer = [("prefer", "odata.maxpagesize=3")];
    let first = world.door.ask("GET", "contacts?$select=firstname&$orderby=firstname", &prefer, "").await;
    assert_eq!(first.header("preference-applied"), "odata.maxpagesize=3");
    assert_eq!(names(&first.json), ["Anna", "Bert", "Carla"]);
    let next = first.json["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(&format!("{ROOT}/contacts?$select=firstname&")), "{next}");
    let second = world.door.ask("GET", next, &prefer, "").await;
    assert_eq!(names(&second.json), ["Dora"]);
    assert!(second.json.get("@odata.nextLink").is_none());
    // $top counts for nothing beside a page size, as on the platform; alone it is the end.
    let both = world.door.ask("GET", "contacts?$select=firstname&$top=1", &prefer, "").await;
    assert_eq!(names(&both.json).len(), 3);
    assert!(world.door.get("contacts?$top=2").await.json.get("@odata.nextLink").is_none());
    world.door.get("contacts?$skiptoken=nonsense").await.refused(400, "0x80040203", "skip token");
    let other = next.replace("$orderby=firstname&", "");
    world.door.get(&other).await.refused(400, "0x80040203", "page");
}

async fn counts(on: On) {
    let world = world(on).await;
    let answer = world.door.get("contacts?$count=true&$top=1").await;
    assert_eq!((answer.json["@odata.count"].clone(), names(&answer.json).len()), (json!(4), 1));
    let count = world.door.get("contacts/$count?$filter=firstname eq 'Anna'").await;
    assert_eq!((count.text.as_str(), count.header("content-type")), ("1", "text/plain"));
}

async fn annotations(on: On) {
    let world = world(on).await;
    let prefer = [("prefer", "odata.include-annotations=\"*\"")];
    let url = "contacts?$select=firstname,_parentcustomerid_value,statuscode,createdon,donotemail,_ownerid_value&$top=1&$orderby=firstname";
    let answer = world.door.ask("GET", url, &prefer, "").await;
    let row = &answer.json["value"][0];
    let note =
        |column: &str, annotation: &str| row[&format!("{column}@{annotation}")].as_str().map(str::to_owned);
    let formatted = |column: &str| note(column, "OData.Community.Display.V1.FormattedValue");
    assert_eq!(formatted("_parentcustomerid_value").as_deref(), Some("Adler & Co"));
    assert_eq!(formatted("statuscode").as_deref(), Some("Active"));
    assert_eq!(formatted("createdon").as_deref(), Some("11/2/2026 8:00 AM"));
    assert_eq!(formatted("donotemail").as_deref(), Some("Allow"));
    assert_eq!(formatted("firstname"), None);
    let lookup = "Microsoft.Dynamics.CRM.lookuplogicalname";
    assert_eq!(note("_parentcustomerid_value", lookup).as_deref(), Some("account"));
    assert_eq!(note("_ownerid_value", lookup).as_deref(), Some("systemuser"));
    let navigation = "Microsoft.Dynamics.CRM.associatednavigationproperty";
    assert_eq!(note("_parentcustomerid_value", navigation).as_deref(), Some("parentcustomerid_account"));
    assert_eq!(note("_ownerid_value", navigation).as_deref(), Some("ownerid"));
    assert!(answer.json.get("@Microsoft.Dynamics.CRM.totalrecordcount").is_some());
    let only = [("prefer", "odata.include-annotations=OData.Community.Display.V1.FormattedValue")];
    let only = world.door.ask("GET", url, &only, "").await;
    assert!(!only.text.contains("lookuplogicalname") && only.text.contains("FormattedValue"));
    let money = world.door.ask("GET", "accounts?$select=revenue", &prefer, "").await;
    let row = &money.json["value"][0];
    assert_eq!(row["revenue@OData.Community.Display.V1.FormattedValue"], "$10.50");
    assert!(money.text.contains("\"revenue\":10.5000") && row.get("_transactioncurrencyid_value").is_some());
}

fn encoded(xml: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
        byte => format!("%{byte:02X}"),
    };
    xml.bytes().map(escape).collect()
}

async fn fetch_xml(on: On) {
    let world = world(on).await;
    let xml = "<fetch><entity name='contact'><attribute name='firstname'/><order attribute='firstname'/>\
               <filter><condition attribute='numberofchildren' operator='ge' value='1'/></filter>\
               <link-entity name='account' from='accountid' to='parentcustomerid' alias='acc' link-type='outer'>\
               <attribute name='name'/></link-entity></entity></fetch>";
    let answer = world.door.get(&format!("contacts?fetchXml={}", encoded(xml))).await;
    assert_eq!(names(&answer.json), ["Bert", "Carla", "Dora"], "{}", answer.text);
    assert_eq!(answer.json["value"][0]["acc.name"], "Adler & Co");
    let other = world.door.get(&format!("accounts?fetchXml={}", encoded(xml))).await;
    other.refused(400, "0x80040203", "accounts");
    let broken = world.door.get("contacts?fetchXml=%3Cfetch").await;
    broken.refused(400, "0x80040203", "FetchXML");
}

async fn fetch_xml_in_pages(on: On) {
    let world = world(on).await;
    let prefer = "odata.include-annotations=\"Microsoft.Dynamics.CRM.fetchxmlpagingcookie,Microsoft.Dynamics.CRM.morerecords\"";
    let mut seen = Vec::new();
    let mut paging = String::new();
    for page in 1.. {
        let xml = format!(
            "<fetch count='3' page='{page}'{paging}><entity name='contact'><attribute name='firstname'/>\
             <order attribute='lastname' descending='true'/></entity></fetch>"
        );
        let url = format!("contacts?fetchXml={}", encoded(&xml));
        let answer = world.door.ask("GET", &url, &[("prefer", prefer)], "").await;
        seen.extend(names(&answer.json).into_iter().map(str::to_owned));
        let more = &answer.json["@Microsoft.Dynamics.CRM.morerecords"];
        let cookie = answer.json["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"].as_str();
        assert_eq!(*more == true, cookie.is_some());
        let Some(cookie) = cookie else { break };
        assert!(
            cookie.starts_with(&format!("<cookie pagenumber=\"{}\" pagingcookie=\"%253ccookie", page + 1)),
            "{cookie}"
        );
        let inner = cookie.split('"').nth(3).unwrap();
        let raw = percent(&percent(inner));
        assert!(
            raw.starts_with(&format!("<cookie page=\"{page}\"><lastname last=\"O&apos;Neil\""))
                || raw.contains("O'Neil"),
            "{raw}"
        );
        let escaped = raw
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;");
        paging = format!(" paging-cookie='{escaped}'");
        assert!(page < 5);
    }
    seen.sort();
    assert_eq!(seen, ["Anna", "Bert", "Carla", "Dora"]);
}

fn percent(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [a, b, after @ ..]) => {
                let hex = std::str::from_utf8(&[*a, *b]).unwrap().to_owned();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

async fn stored_views(on: On) {
    let world = world(on).await;
    let xml = "<fetch><entity name='contact'><attribute name='firstname'/><filter>\
               <condition attribute='firstname' operator='like' value='%ar%'/></filter></entity></fetch>";
    let view = world
        .door
        .bench
        .row("savedquery")
        .with("name", "With ar")
        .with("returnedtypecode", "contact")
        .with("fetchxml", xml);
    let view = view.with("querytype", 0);
    world.door.bench.create(std::slice::from_ref(&view)).await;
    let answer = world.door.get(&format!("contacts?savedQuery={}", view.at.id)).await;
    assert_eq!(names(&answer.json), ["Carla"], "{}", answer.text);
    world.door.get("contacts?savedQuery=00000000-0000-0000-0000-000000000009").await.refused(
        404,
        "0x80040217",
        "savedquery",
    );
}

async fn groups(on: On) {
    let world = world(on).await;
    let answer = world
        .door
        .get(
            "contacts?$apply=groupby((statuscode),aggregate($count as n,numberofchildren with sum as total))",
        )
        .await;
    assert_eq!(answer.json["value"], json!([{"statuscode": 1, "n": 4, "total": 6}]), "{}", answer.text);
    let xml = "<fetch aggregate='true'><entity name='contact'><attribute name='numberofchildren' alias='most' aggregate='max'/>\
               <attribute name='contactid' alias='n' aggregate='count'/>\
               <link-entity name='account' from='accountid' to='parentcustomerid' alias='a'><attribute name='name' alias='firm' groupby='true'/></link-entity>\
               </entity></fetch>";
    let answer = world.door.get(&format!("contacts?fetchXml={}", encoded(xml))).await;
    assert_eq!(answer.json["value"], json!([{"firm": "Adler & Co", "most": 2, "n": 3}]), "{}", answer.text);
}

async fn changes(on: On) {
    let world = world(on).await;
    let track = [("prefer", "odata.track-changes")];
    let first = world.door.ask("GET", "contacts?$select=firstname", &track, "").await;
    assert_eq!(first.header("preference-applied"), "odata.track-changes");
    assert_eq!(names(&first.json).len(), 4);
    let link = first.json["@odata.deltaLink"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("{ROOT}/contacts?$select=firstname&$deltatoken=")), "{link}");
    let none = world.door.get(&link).await;
    assert_eq!(none.json["@odata.context"], format!("{ROOT}/$metadata#contacts(firstname)/$delta"));
    assert!(names(&none.json).is_empty());
    world.door.bench.update(&world.contacts[2].at, "jobtitle", "Buyer").await;
    world.door.bench.must(Change::Delete(world.contacts[3].at.clone())).await;
    let delta = world.door.get(&link).await;
    let rows = delta.json["value"].as_array().unwrap();
    assert_eq!(rows[0]["firstname"], "Carla");
    assert!(rows[0].get("@odata.context").is_none());
    assert_eq!(
        rows[1],
        json!({"@odata.context": format!("{ROOT}/$metadata#contacts/$deletedEntity"), "id": world.contacts[3].at.id, "reason": "deleted"})
    );
    let token = link.split("$deltatoken=").nth(1).unwrap();
    assert_eq!(world.door.get(&format!("contacts/$count?$deltatoken={token}")).await.text, "2");
    world.door.bench.clock.advance(jiff::SignedDuration::from_hours(8 * 24));
    world.door.get(&link).await.refused(400, "0x80044352", "expired");
}

async fn changes_in_pages(on: On) {
    let world = world(on).await;
    let track = [("prefer", "odata.track-changes,odata.maxpagesize=3")];
    let first = world.door.ask("GET", "contacts?$select=firstname", &track, "").await;
    assert!(first.json.get("@odata.deltaLink").is_none());
    let next = first.json["@odata.nextLink"].as_str().unwrap();
    // Written between two pages: it comes with the next run.
    world.door.bench.update(&world.contacts[0].at, "jobtitle", "Buyer").await;
    let second = world.door.ask("GET", next, &track, "").await;
    let link = second.json["@odata.deltaLink"].as_str().unwrap_or_else(|| panic!("{}", second.text));
    assert_eq!(names(&first.json).len() + names(&second.json).len(), 4);
    assert_eq!(names(&world.door.get(link).await.json), ["Anna"]);
}

async fn refusals(on: On) {
    let world = world(on).await;
    let check = async |url: &str, status: u16, code: &str, says: &str| {
        world.door.get(url).await.refused(status, code, says);
    };
    check("nothings", 404, "0x80060888", "Resource not found for the segment 'nothings'.").await;
    check(
        "contacts?$filter=nothing eq 1",
        400,
        "0x80060888",
        "Could not find a property named 'nothing' on type 'Microsoft.Dynamics.CRM.contact'.",
    )
    .await;
    check("contacts?$select=nothing", 400, "0x80060888", "'nothing'").await;
    check("contacts?$skip=1", 400, "0x80060888", "Skip").await;
    check("contacts?$filter=firstname eqq 'x'", 400, "0x80060888", "position").await;
    check("contacts?$expand=nothing", 400, "0x80060888", "'nothing'").await;
    check("/api/data/v7.0/contacts", 404, "0x80060888", "v7.0").await;
    let track = [("prefer", "odata.track-changes")];
    let filtered = world.door.ask("GET", "contacts?$filter=firstname eq 'x'", &track, "").await;
    filtered.refused(
        400,
        "0x80040203",
        "The \"$filter\" query parameter isn't supported when Change Tracking is enabled.",
    );
}
