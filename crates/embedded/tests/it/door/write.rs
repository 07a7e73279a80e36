//! Rows made, changed and deleted at the Web API door.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    a_row_is_made_and_read,
    representations,
    the_client_may_choose_the_id,
    values_in_every_shape,
    bodies_that_cannot_be_read,
    changes_and_upserts,
    etags_under_two_writers,
    single_properties,
    rows_are_deleted,
    references_are_bound,
    bad_references_are_refused,
    rows_within_rows,
    a_deep_insert_is_all_or_nothing,
    mails_with_their_parties,
    parties_are_replaced,
    attachments_and_their_bytes,
    states_are_set_by_patch,
    what_a_client_read_it_may_send_back,
    some_tables_are_not_written_by_themselves,
);

const NONE: &str = "00000000-0000-0000-0000-0000000000ff";

async fn a_row_is_made_and_read(on: On) {
    let door = DoorBench::new(on).await;
    let answer = door.send("POST", "contacts", json!({"firstname": "Anna", "lastname": "Adler"})).await;
    let id = answer.made();
    let url = format!("{ROOT}/contacts({id})");
    assert_eq!((answer.header("odata-entityid"), answer.header("location")), (url.as_str(), url.as_str()));
    assert_eq!((answer.text.as_str(), answer.header("odata-version")), ("", "4.0"));
    let row = door.get(&format!("contacts({id})?$select=fullname,_ownerid_value")).await.json;
    assert_eq!(row["fullname"], "Anna Adler");
    assert_eq!(row["_ownerid_value"], postroom_embedded::seed::ADMINISTRATOR.to_string());
    let same = door.get(&format!("contacts({})", id.to_string().to_uppercase())).await.json;
    assert_eq!(same["contactid"], id.to_string());
}

async fn representations(on: On) {
    let door = DoorBench::new(on).await;
    let prefer = [("prefer", "return=representation")];
    let made = door.ask("POST", "accounts?$select=name", &prefer, json!({"name": "A"}).to_string()).await;
    assert_eq!((made.status, made.json["name"].as_str()), (201, Some("A")), "{}", made.text);
    assert_eq!(made.json["@odata.context"], format!("{ROOT}/$metadata#accounts(name)/$entity"));
    assert_eq!(
        (made.header("odata-entityid"), made.header("preference-applied")),
        ("", "return=representation")
    );
    assert!(made.header("location").ends_with(')') && made.header("etag").starts_with("W/"));
    assert!(made.json.get("revenue").is_none());
    let url = made.header("location").to_owned();
    let changed = door.ask("PATCH", &format!("{url}?$select=name"), &prefer, r#"{"name":"B"}"#).await;
    assert_eq!((changed.status, changed.json["name"].as_str()), (200, Some("B")), "{}", changed.text);
    let upserted = door.ask("PATCH", &format!("accounts({NONE})"), &prefer, r#"{"name":"C"}"#).await;
    assert_eq!(
        (upserted.status, upserted.json["accountid"].as_str()),
        (201, Some(NONE)),
        "{}",
        upserted.text
    );
    let body = json!({"name": "D", "primarycontactid": {"lastname": "Adler"}}).to_string();
    let url = "accounts?$select=name&$expand=primarycontactid($select=lastname)";
    let deep = door.ask("POST", url, &prefer, body).await;
    assert_eq!(deep.json["primarycontactid"]["lastname"], "Adler", "{}", deep.text);
}

async fn the_client_may_choose_the_id(on: On) {
    let door = DoorBench::new(on).await;
    let body = json!({"contactid": NONE, "lastname": "Adler"});
    assert_eq!(door.send("POST", "contacts", body.clone()).await.made().to_string(), NONE);
    door.send("POST", "contacts", body).await.refused(412, "0x80040237", "Cannot insert duplicate key.");
    let odd = json!({"contactid": "seven", "lastname": "Adler"});
    door.send("POST", "contacts", odd).await.refused(400, "0x80048d19", "'seven'");
}

async fn values_in_every_shape(on: On) {
    let door = DoorBench::new(on).await;
    let check = async |set: &str, column: &str, given: Json, expected: Json| {
        let mut body = json!({column: given});
        let name = if set == "accounts" {
            "name"
        } else if set == "emails" {
            "subject"
        } else {
            "lastname"
        };
        if column != name {
            body[name] = "A".into();
        }
        let answer = door.send("POST", set, body.clone()).await;
        assert_eq!(answer.status, 204, "{body}: {}", answer.text);
        let row = door.get(&format!("{set}({})?$select={column}", answer.id())).await.json;
        assert_eq!(row[column], expected, "{body}");
    };
    check("contacts", "lastname", json!("O'Brien ö 漢"), json!("O'Brien ö 漢")).await;
    check("contacts", "firstname", json!(""), Json::Null).await;
    check("contacts", "donotemail", json!(true), json!(true)).await;
    check("contacts", "donotemail", json!("true"), json!(true)).await;
    check("contacts", "numberofchildren", json!(3), json!(3)).await;
    check("contacts", "numberofchildren", json!("3"), json!(3)).await;
    check("contacts", "gendercode", json!(2), json!(2)).await;
    check("contacts", "annualincome", json!(10.5), json!(10.5)).await;
    check("contacts", "annualincome", json!("1234.5600"), json!(1234.56)).await;
    check("contacts", "annualincome", json!(0.0001), json!(0.0001)).await;
    check("contacts", "birthdate", json!("1970-02-28"), json!("1970-02-28")).await;
    check("contacts", "birthdate", json!("1970-02-28T00:00:00Z"), json!("1970-02-28")).await;
    check("contacts", "birthdate", Json::Null, Json::Null).await;
    check("accounts", "address1_latitude", json!("47.5"), json!(47.5)).await;
    check(
        "emails",
        "scheduledstart",
        json!("2026-01-31T10:00:00.1234567+01:00"),
        json!("2026-01-31T09:00:00Z"),
    )
    .await;
    check("emails", "scheduledstart", json!("2026-01-31T10:00:00"), json!("2026-01-31T10:00:00Z")).await;
    check("emails", "scheduledstart", json!("2026-01-31"), json!("2026-01-31T00:00:00Z")).await;
    check("emails", "description", json!("<p>Hi</p>"), json!("<p>Hi</p>")).await;
    check("emails", "conversationtrackingid", json!(NONE.to_uppercase()), json!(NONE)).await;
}

async fn bodies_that_cannot_be_read(on: On) {
    let door = DoorBench::new(on).await;
    let check = async |body: Json, code: &str, says: &str| {
        door.send("POST", "contacts", body).await.refused(400, code, says);
    };
    let payload = "0x80048d19";
    check(
        json!({"lastnam": "A"}),
        payload,
        "Could not find a property named 'lastnam' on type 'Microsoft.Dynamics.CRM.contact'",
    )
    .await;
    check(json!({"LastName": "A"}), payload, "Could not find a property named 'LastName'").await;
    check(
        json!({"lastname": 5}),
        payload,
        "Cannot convert the literal '5' to the expected type 'Edm.String'",
    )
    .await;
    check(json!({"numberofchildren": "many"}), payload, "'many' to the expected type 'Edm.Int32'").await;
    check(json!({"numberofchildren": 1.5}), payload, "Edm.Int32").await;
    check(json!({"numberofchildren": 5_000_000_000_u64}), payload, "Edm.Int32").await;
    check(json!({"donotemail": 1}), payload, "Edm.Boolean").await;
    check(json!({"birthdate": "tomorrow"}), payload, "Edm.Date").await;
    check(json!({"annualincome": "1e3"}), payload, "Edm.Decimal").await;
    check(json!({"_parentcustomerid_value": NONE}), payload, "Use Navigation properties instead").await;
    check(json!({"parentcustomerid": NONE}), payload, "'parentcustomerid'").await;
    check(json!({"lastname": "x".repeat(51)}), "0x80044331", "maximum allowed length of '50'").await;
    check(json!({"gendercode": 77}), "0x80040203", "gendercode").await;
    check(json!({"@odata.type": "Microsoft.Dynamics.CRM.account", "lastname": "A"}), payload, "account")
        .await;
    check(json!(["a"]), payload, "object").await;
    let typed = json!({"@odata.type": "#Microsoft.Dynamics.CRM.contact", "lastname": "A", "lastname@odata.type": "String", "@x.y": 1});
    door.send("POST", "contacts", typed).await.made();
    door.ask("POST", "contacts", &[], "").await.refused(400, payload, "no body");
    door.ask("POST", "contacts", &[], "{\"lastname\":").await.refused(400, payload, "not valid JSON");
    door.ask("POST", "contacts", &[], "\u{feff}{\"lastname\":\"A\"}").await.made();
    door.send("POST", "contakts", json!({})).await.refused(404, "0x80060888", "'contakts'");
    door.send("PUT", &format!("contacts({NONE})"), json!({})).await.refused(405, "0x80040203", "PUT");
    door.send("POST", &format!("contacts({NONE})"), json!({})).await.refused(405, "0x80040203", "POST");
    door.send("DELETE", "contacts", json!({})).await.refused(405, "0x80040203", "DELETE");
}

async fn changes_and_upserts(on: On) {
    let door = DoorBench::new(on).await;
    let url = format!("contacts({NONE})");
    let body = || json!({"lastname": "Adler", "jobtitle": "Buyer"}).to_string();
    let patch = async |headers: &[(&str, &str)], body: String| door.ask("PATCH", &url, headers, body).await;
    patch(&[("if-match", "*")], body()).await.refused(404, "0x80040217", "Does Not Exist");
    assert_eq!(door.get(&url).await.status, 404);
    let made = patch(&[("if-none-match", "null")], body()).await;
    assert_eq!(
        (made.made().to_string().as_str(), made.header("location")),
        (NONE, format!("{ROOT}/{url}").as_str())
    );
    let changed = patch(&[("if-match", "*")], r#"{"jobtitle":null}"#.into()).await;
    assert_eq!((changed.made().to_string().as_str(), changed.header("location")), (NONE, ""));
    assert_eq!(door.get(&url).await.json["jobtitle"], Json::Null);
    patch(&[("if-none-match", "*")], body()).await.refused(
        412,
        "0x80040237",
        "A record with matching key values already exists.",
    );
    patch(&[], r#"{"lastname":"Berg","contactid":"00000000-0000-0000-0000-000000000001"}"#.into())
        .await
        .made();
    let row = door.get(&url).await.json;
    assert_eq!((row["lastname"].as_str(), row["contactid"].as_str()), (Some("Berg"), Some(NONE)));
    patch(&[], "{}".into()).await.made();
}

async fn etags_under_two_writers(on: On) {
    let door = DoorBench::new(on).await;
    let id = door.send("POST", "contacts", json!({"lastname": "Adler"})).await.made();
    let url = format!("contacts({id})");
    let tag = door.get(&url).await.json["@odata.etag"].as_str().unwrap().to_owned();
    let with = async |method: &str, url: &str, tag: &str, body: &str| {
        door.ask(method, url, &[("if-match", tag)], body.to_owned()).await
    };
    with("PATCH", &url, &tag, r#"{"jobtitle":"first"}"#).await.made();
    let mismatch = "doesn't match the RowVersion property provided";
    with("PATCH", &url, &tag, r#"{"jobtitle":"second"}"#).await.refused(412, "0x80060882", mismatch);
    with("PUT", &format!("{url}/jobtitle"), &tag, r#"{"value":"x"}"#).await.refused(
        412,
        "0x80060882",
        mismatch,
    );
    with("DELETE", &format!("{url}/jobtitle"), &tag, "").await.refused(412, "0x80060882", mismatch);
    with("DELETE", &url, &tag, "").await.refused(412, "0x80060882", mismatch);
    with("PATCH", &url, "W/\"x\"", "{}").await.refused(412, "0x80060882", mismatch);
    let row = door.get(&url).await;
    assert_eq!(row.json["jobtitle"], "first");
    let (now, none) = (row.header("etag").to_owned(), format!("contacts({NONE})"));
    with("PATCH", &none, &now, "{}").await.refused(404, "0x80040217", NONE);
    assert_eq!(with("DELETE", &url, &now, "").await.status, 204);
    assert_eq!(door.get(&url).await.status, 404);
}

async fn single_properties(on: On) {
    let door = DoorBench::new(on).await;
    let id = door.send("POST", "accounts", json!({"name": "A", "telephone1": "1"})).await.made();
    let at = |name: &str| format!("accounts({id})/{name}");
    assert_eq!(door.send("PUT", &at("name"), json!({"value": "B"})).await.status, 204);
    assert_eq!(door.get(&at("name")).await.json["value"], "B");
    let upper = format!("accounts({})/telephone1", id.to_string().to_uppercase());
    assert_eq!(door.ask("DELETE", &upper, &[("content-type", "application/json")], "").await.status, 204);
    assert_eq!(door.get(&at("telephone1")).await.status, 204);
    door.send("PUT", &at("nam"), json!({"value": "B"})).await.refused(404, "0x80060888", "'nam'");
    door.send("PUT", &at("name"), json!({})).await.refused(400, "0x80048d19", "value");
    door.send("PUT", &at("name"), json!({"value": 5})).await.refused(400, "0x80048d19", "Edm.String");
    let none = format!("accounts({NONE})/name");
    door.send("PUT", &none, json!({"value": "B"})).await.refused(404, "0x80040217", NONE);
    door.ask("DELETE", &none, &[], "").await.refused(404, "0x80040217", NONE);
}

async fn rows_are_deleted(on: On) {
    let door = DoorBench::new(on).await;
    let id = door.send("POST", "contacts", json!({"lastname": "Adler"})).await.made();
    let answer = door.ask("DELETE", &format!("contacts({id})"), &[("if-match", "*")], "").await;
    assert_eq!((answer.status, answer.text.as_str(), answer.header("odata-entityid")), (204, "", ""));
    let again = door.ask("DELETE", &format!("contacts({id})"), &[], "").await;
    again.refused(404, "0x80040217", &format!("contact With Id = {id} Does Not Exist"));
}

async fn references_are_bound(on: On) {
    let door = DoorBench::new(on).await;
    let account = door.send("POST", "accounts", json!({"name": "A"})).await.made();
    let person = door.send("POST", "contacts", json!({"lastname": "P"})).await.made();
    let check = async |name: &str, uri: Json, column: &str, expected: Json| {
        let body = json!({"lastname": "Adler", format!("{name}@odata.bind"): uri});
        let answer = door.send("POST", "contacts", body).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
        let row = door.get(&format!("contacts({})?$select={column}", answer.id())).await.json;
        assert_eq!(row[column], expected, "{uri}");
    };
    let (parent, to) = ("_parentcustomerid_value", json!(account.to_string()));
    let nav = "parentcustomerid_account";
    check(nav, json!(format!("/accounts({account})")), parent, to.clone()).await;
    check(nav, json!(format!("accounts({account})")), parent, to.clone()).await;
    check(nav, json!(format!("accounts({})", account.to_string().to_uppercase())), parent, to.clone()).await;
    check(nav, json!(format!("{ROOT}/accounts({account})")), parent, to.clone()).await;
    check(nav, json!(format!("https:/crm.example/api/data/v9.1/accounts({account})")), parent, to.clone())
        .await;
    check(nav, json!(format!("/api/data/v9.2/accounts({account})")), parent, to.clone()).await;
    check(nav, Json::Null, parent, Json::Null).await;
    check(
        "parentcustomerid_contact",
        json!(format!("contacts({person})")),
        parent,
        json!(person.to_string()),
    )
    .await;
    let team =
        door.get("teams?$select=teamid&$top=1").await.json["value"][0]["teamid"].as_str().map(str::to_owned);
    if let Some(team) = team {
        check("ownerid", json!(format!("/teams({team})")), "_ownerid_value", json!(team)).await;
    }
    let user = postroom_embedded::seed::ADMINISTRATOR;
    check("ownerid", json!(format!("/systemusers({user})")), "_ownerid_value", json!(user.to_string())).await;

    let both = json!({"lastname": "B", "parentcustomerid_account@odata.bind": format!("accounts({account})"), "parentcustomerid_contact@odata.bind": null});
    let id = door.send("POST", "contacts", both).await.made();
    assert_eq!(door.get(&format!("contacts({id})")).await.json[parent], to);
    assert_eq!(
        door.send("PATCH", &format!("contacts({id})"), json!({"parentcustomerid_account": null}))
            .await
            .status,
        204
    );
    assert_eq!(door.get(&format!("contacts({id})")).await.json[parent], Json::Null);
    let bound = json!({"name": "B", "contact_customer_accounts@odata.bind": [format!("/contacts({id})"), format!("contacts({person})")]});
    let owner = door.send("POST", "accounts", bound).await.made();
    let rows = door.get(&format!("accounts({owner})/contact_customer_accounts?$select=lastname")).await.json;
    assert_eq!(rows["value"].as_array().map(Vec::len), Some(2), "{rows}");
}

async fn bad_references_are_refused(on: On) {
    let door = DoorBench::new(on).await;
    let check = async |name: &str, uri: Json, status: u16, code: &str, says: &str| {
        let body = json!({"lastname": "Adler", format!("{name}@odata.bind"): uri});
        door.send("POST", "contacts", body).await.refused(status, code, says);
    };
    let (payload, nav) = ("0x80048d19", "parentcustomerid_account");
    check(
        "publisher",
        json!("publishers(1)"),
        400,
        payload,
        "An undeclared property 'publisher' which only has property annotations",
    )
    .await;
    check(
        "ParentCustomerId_Account",
        json!(format!("accounts({NONE})")),
        400,
        payload,
        "undeclared property 'ParentCustomerId_Account'",
    )
    .await;
    check(nav, json!(format!("contacts({NONE})")), 400, payload, "rows of account, not of contact").await;
    check(nav, json!(format!("accounts({NONE})")), 404, "0x80040217", "account With Id").await;
    check(nav, json!(format!("acounts({NONE})")), 404, "0x80060888", "'acounts'").await;
    check(nav, json!("accounts"), 400, payload, "names no row").await;
    check(nav, json!("accounts(accountnumber='A1')"), 400, "0x80060890", "accountnumber").await;
    check(
        nav,
        json!("$1"),
        400,
        "0x80060888",
        "Content-ID Reference: '$1' does not exist in the batch context.",
    )
    .await;
    check(nav, json!(5), 400, payload, "one URI").await;
    check(nav, json!([]), 400, payload, "one URI").await;
    check("Contact_Tasks", json!("tasks"), 400, payload, "list").await;
    assert_eq!(door.get("contacts/$count").await.text, "0");
}

async fn rows_within_rows(on: On) {
    let door = DoorBench::new(on).await;
    let body = json!({"name": "Firm",
        "primarycontactid": {"lastname": "Chief", "contactid": NONE, "Contact_Tasks": [{"subject": "greet"}]},
        "contact_customer_accounts": [{"lastname": "One"}, {"lastname": "Two", "Contact_Tasks": [{"subject": "a"}, {"subject": "b"}]}],
        "Account_Tasks": [{"subject": "call"}],
    });
    let answer = door.send("POST", "accounts", body).await;
    let id = answer.made();
    let url = format!(
        "accounts({id})?$select=name,_primarycontactid_value&$expand=contact_customer_accounts($select=lastname;$orderby=lastname),Account_Tasks($select=subject)"
    );
    let row = door.get(&url).await.json;
    assert_eq!(row["_primarycontactid_value"], NONE, "{row}");
    assert_eq!(row["contact_customer_accounts"][1]["lastname"], "Two", "{row}");
    assert_eq!(row["Account_Tasks"][0]["subject"], "call", "{row}");
    assert_eq!(door.get("tasks/$count").await.text, "4");
    let deep = json!({"primarycontactid": {"lastname": "X"}});
    let answer = door.send("PATCH", &format!("accounts({id})"), deep).await;
    answer.refused(400, "0x80048d19", "Deep update");
    let deep = json!({"Account_Tasks": [{"subject": "x"}]});
    door.send("PATCH", &format!("accounts({id})"), deep).await.refused(400, "0x80048d19", "Deep update");
    let wrong = json!({"name": "X", "primarycontactid": NONE});
    door.send("POST", "accounts", wrong).await.refused(400, "0x80048d19", "'PrimitiveValue' node");

    let answer = door
        .send("POST", &format!("accounts({id})/contact_customer_accounts"), json!({"lastname": "Three"}))
        .await;
    let three = answer.made();
    assert!(answer.header("odata-entityid").contains("/contacts("));
    let row = door.get(&format!("contacts({three})?$select=_parentcustomerid_value")).await.json;
    assert_eq!(row["_parentcustomerid_value"], id.to_string());
    let none = format!("accounts({NONE})/contact_customer_accounts");
    door.send("POST", &none, json!({"lastname": "X"})).await.refused(404, "0x80040217", NONE);
}

async fn a_deep_insert_is_all_or_nothing(on: On) {
    let door = DoorBench::new(on).await;
    let body = json!({"name": "Firm", "Account_Tasks": [{"subject": "fine"}, {"subject": "x".repeat(2000)}],
        "contact_customer_accounts": [{"lastname": "One"}]});
    door.send("POST", "accounts", body).await.refused(400, "0x80044331", "'subject'");
    for set in ["accounts", "tasks", "contacts"] {
        assert_eq!(door.get(&format!("{set}/$count")).await.text, "0", "{set}");
    }
}

/// B4 of the reference.
fn mail(account: Uuid, user: Uuid, contact: Uuid) -> Json {
    json!({"subject": "Quote 17", "description": "<p>Hello</p>", "directioncode": true,
        "regardingobjectid_account_email@odata.bind": format!("/accounts({account})"),
        "email_activity_parties": [
            {"partyid_systemuser@odata.bind": format!("/systemusers({user})"), "participationtypemask": 1},
            {"partyid_contact@odata.bind": format!("/contacts({contact})"), "participationtypemask": 2},
            {"addressused": "someone@example.org", "participationtypemask": 3}]})
}

async fn mail_door(on: On) -> (DoorBench, Uuid, Uuid) {
    let door = DoorBench::new(on).await;
    let account = door.send("POST", "accounts", json!({"name": "A"})).await.made();
    let contact = json!({"lastname": "Adler", "emailaddress1": "adler@example.org"});
    let contact = door.send("POST", "contacts", contact).await.made();
    let body = mail(account, postroom_embedded::seed::ADMINISTRATOR, contact);
    let email = door.send("POST", "emails", body).await.made();
    (door, email, contact)
}

async fn parties(door: &DoorBench, email: Uuid) -> Vec<(i64, String)> {
    let url = format!(
        "emails({email})?$select=subject&$expand=email_activity_parties($select=addressused,participationtypemask,_partyid_value)"
    );
    let row = door.get(&url).await.json;
    let party = |party: &Json| {
        let mask = party["participationtypemask"].as_i64().unwrap();
        (mask, party["addressused"].as_str().unwrap_or_default().to_owned())
    };
    let mut all: Vec<_> = row["email_activity_parties"].as_array().unwrap().iter().map(party).collect();
    all.retain(|(mask, _)| *mask < 8);
    all.sort();
    all
}

async fn mails_with_their_parties(on: On) {
    let (door, email, _) = mail_door(on).await;
    let all = parties(&door, email).await;
    let expected = [(1, ""), (2, "adler@example.org"), (3, "someone@example.org")];
    assert_eq!(all, expected.map(|(mask, address)| (mask, address.to_owned())));
    let row = door
        .get(&format!("emails({email})?$select=statuscode,directioncode,_regardingobjectid_value"))
        .await
        .json;
    assert_eq!((row["statuscode"].as_i64(), row["directioncode"].as_bool()), (Some(1), Some(true)));
    assert!(row["_regardingobjectid_value"].is_string());
    let check = async |party: Json, code: &str, says: &str| {
        let body = json!({"subject": "x", "email_activity_parties": [party]});
        door.send("POST", "emails", body).await.refused(400, code, says);
    };
    check(json!({"addressused": "a@b.c"}), "0x80043515", "participationtypemask").await;
    check(
        json!({"addressused": "a@b.c", "participationtypemask": 77}),
        "0x80043515",
        "participationtypemask",
    )
    .await;
    check(json!({"participationtypemask": 2}), "0x80040203", "addressused").await;
    check(json!({"addressused": "a@b.c", "participationtypemask": 2, "to": 1}), "0x80048d19", "'to'").await;
    let column = json!({"subject": "x", "to": "a@b.c"});
    door.send("POST", "emails", column).await.refused(400, "0x80048d19", "property named 'to'");
    assert_eq!(door.get("emails/$count").await.text, "1");
}

async fn parties_are_replaced(on: On) {
    let (door, email, contact) = mail_door(on).await;
    let url = format!("emails({email})/email_activity_parties");
    let list = json!({"value": [
        {"addressused": "new@example.org", "participationtypemask": 2},
        {"partyid_contact@odata.bind": format!("/contacts({contact})"), "participationtypemask": 4}]});
    let answer = door.send("PUT", &url, list.clone()).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let pair = |mask, address: &str| (mask, address.to_owned());
    assert_eq!(parties(&door, email).await, [pair(2, "new@example.org"), pair(4, "adler@example.org")]);
    let some =
        json!({"email_activity_parties": [{"addressused": "other@example.org", "participationtypemask": 2}]});
    assert_eq!(door.send("PATCH", &format!("emails({email})"), some).await.status, 204);
    assert_eq!(parties(&door, email).await, [pair(2, "other@example.org"), pair(4, "adler@example.org")]);
    let bad = json!({"value": [{"addressused": "x@example.org", "participationtypemask": 2}, {"participationtypemask": 3}]});
    assert_eq!(door.send("PUT", &url, bad).await.status, 400);
    assert_eq!(parties(&door, email).await.len(), 2, "all or nothing");
    let none = format!("emails({NONE})/email_activity_parties");
    door.send("PUT", &none, list).await.refused(404, "0x80040217", NONE);
}

async fn attachments_and_their_bytes(on: On) {
    let (door, email, _) = mail_door(on).await;
    // Ten thousand bytes, in base64 with line ends: kept as a body of the store.
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let body = json!({"objectid_email@odata.bind": format!("/emails({email})"), "objecttypecode": "email",
        "filename": "a.pdf", "mimetype": "application/pdf", "subject": "a.pdf", "body": line.repeat(200)});
    let id = door.send("POST", "activitymimeattachments", body).await.made();
    let row = door.get(&format!("activitymimeattachments({id})?$select=filesize,body,filename")).await.json;
    assert_eq!(row["filesize"], 57 * 200);
    assert_eq!(row["body"].as_str().map(str::len), Some(76 * 200));
    assert_eq!(
        door.get(&format!("emails({email})?$select=attachmentcount")).await.json["attachmentcount"],
        1
    );
    let deep =
        json!({"subject": "x", "email_activity_mime_attachment": [{"filename": "b.txt", "body": "aGk="}]});
    let deep = door.send("POST", "emails", deep).await.made();
    assert_eq!(door.get(&format!("emails({deep})?$select=attachmentcount")).await.json["attachmentcount"], 1);
    let bad = json!({"objectid_email@odata.bind": format!("/emails({email})"), "filename": "a", "body": "!"});
    door.send("POST", "activitymimeattachments", bad).await.refused(400, "0x80048d19", "Edm.Binary");
}

async fn states_are_set_by_patch(on: On) {
    let (door, email, _) = mail_door(on).await;
    let url = format!("emails({email})");
    let done = json!({"statecode": 1, "statuscode": 4, "actualend": "2026-11-02T07:00:00Z"});
    assert_eq!(door.send("PATCH", &url, done).await.status, 204);
    let row = door.get(&format!("{url}?$select=statecode,statuscode,senton")).await.json;
    assert_eq!(
        (&row["statecode"], &row["statuscode"], &row["senton"]),
        (&json!(1), &json!(4), &json!("2026-11-02T07:00:00Z"))
    );
    let wrong = json!({"statecode": 0, "statuscode": 4});
    door.send("PATCH", &url, wrong).await.refused(
        400,
        "0x80048408",
        "4 is not a valid status code for state code 0",
    );
}

/// Clients change a member of what they read and send all of it.
async fn what_a_client_read_it_may_send_back(on: On) {
    let door = DoorBench::new(on).await;
    let id = door.send("POST", "contacts", json!({"lastname": "Adler"})).await.made();
    let mut row = door.get(&format!("contacts({id})")).await.json;
    let members = row.as_object_mut().unwrap();
    members.retain(|name, _| !name.ends_with("_value"));
    members.insert("jobtitle".into(), "Buyer".into());
    let answer = door.send("PATCH", &format!("contacts({id})"), row).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(door.get(&format!("contacts({id})")).await.json["jobtitle"], "Buyer");
}

async fn some_tables_are_not_written_by_themselves(on: On) {
    let door = DoorBench::new(on).await;
    for (set, table) in [
        ("activityparties", "activityparty"),
        ("activitypointers", "activitypointer"),
        ("listmembers", "listmember"),
    ] {
        let answer = door.send("POST", set, json!({})).await;
        answer.refused(405, "0x80040800", &format!("does not support entities of type '{table}'"));
    }
}
