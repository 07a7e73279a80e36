//! `odata.metadata=none`, `minimal` and `full`.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::batch::post;
use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    the_content_type_says_the_level,
    rows_in_full,
    expanded_rows_in_full,
    single_answers_in_full,
    changes_in_full,
    nothing_but_what_was_asked_for,
    requests_within_batches,
);

struct World {
    door: DoorBench,
    account: Uuid,
    contact: Uuid,
}

async fn world(on: On) -> World {
    let door = DoorBench::new(on).await;
    let account = door.send("POST", "accounts", json!({"name": "Litware", "revenue": 10.5})).await.made();
    let bind = format!("/accounts({account})");
    let contact =
        json!({"lastname": "Adler", "birthdate": "1980-01-31", "parentcustomerid_account@odata.bind": bind});
    let contact = door.send("POST", "contacts", contact).await.made();
    World { door, account, contact }
}

impl World {
    async fn at(&self, level: &str, url: &str) -> super::Answer {
        let accept = format!("application/json;odata.metadata={level}");
        let answer = self.door.ask("GET", url, &[("accept", &accept)], "").await;
        let said = format!("application/json; odata.metadata={level}");
        assert_eq!((answer.status, answer.header("content-type")), (200, said.as_str()), "{}", answer.text);
        answer
    }

    async fn full(&self, url: &str) -> Json {
        self.at("full", url).await.json
    }
}

fn names(row: &Json) -> Vec<&str> {
    row.as_object().unwrap().keys().map(String::as_str).collect()
}

async fn the_content_type_says_the_level(on: On) {
    let world = world(on).await;
    let all = [
        "",
        "contacts",
        "contacts?$select=lastname&$count=true",
        "WhoAmI",
        "EntityDefinitions?$select=LogicalName&$top=1",
        "EntityDefinitions(LogicalName='contact')?$select=LogicalName",
        "contacts?fetchXml=<fetch><entity name='contact'><attribute name='lastname'/></entity></fetch>",
        "contacts?sql=SELECT lastname FROM contact",
        "contacts?$apply=aggregate($count as count)",
    ];
    for url in all {
        let usual = world.at("minimal", url).await.json;
        for level in ["none", "full"] {
            let other = world.at(level, url).await.json;
            for (name, value) in usual.as_object().unwrap().iter().filter(|(name, _)| !name.contains('@')) {
                let (value, other) = (value.as_array().map(Vec::len), other[name].as_array().map(Vec::len));
                assert_eq!(value, other, "{name} of {url} at {level}");
            }
            assert_eq!(other.get("@odata.context").is_some(), level == "full", "{url}");
        }
    }
    let by_option =
        world.door.get("contacts?$format=application/json;odata.metadata=full&$select=lastname").await;
    assert_eq!(by_option.header("content-type"), "application/json; odata.metadata=full");
    assert_eq!(by_option.json["value"][0]["@odata.type"], "#Microsoft.Dynamics.CRM.contact");
    let accept = [("accept", "application/json;odata.metadata=full")];
    let plain = world.door.ask("GET", "contacts?$format=json", &accept, "").await;
    assert_eq!(plain.header("content-type"), "application/json; odata.metadata=minimal");
    let count = world.door.ask("GET", "contacts/$count", &accept, "").await;
    assert_eq!((count.header("content-type"), count.text.as_str()), ("text/plain", "1"));
}

async fn rows_in_full(on: On) {
    let world = world(on).await;
    let (url, at) = (format!("contacts({})", world.contact), format!("{ROOT}/contacts({})", world.contact));
    let select =
        "lastname,birthdate,createdon,_parentcustomerid_value,versionnumber,statecode,donotemail,jobtitle";
    let answer = world.at("full", &format!("{url}?$select={select}")).await;
    let minimal = world.at("minimal", &format!("{url}?$select={select}")).await.json;
    assert_eq!(answer.header("etag"), minimal["@odata.etag"]);
    let mut expected = minimal;
    for (name, value) in [
        ("@odata.type", "#Microsoft.Dynamics.CRM.contact"),
        ("@odata.id", at.as_str()),
        ("@odata.editLink", url.as_str()),
        ("birthdate@odata.type", "#Date"),
        ("createdon@odata.type", "#DateTimeOffset"),
        ("_parentcustomerid_value@odata.type", "#Guid"),
        ("versionnumber@odata.type", "#Int64"),
        ("contactid@odata.type", "#Guid"),
    ] {
        expected[name] = value.into();
    }
    assert_eq!(answer.json, expected);
    // Clients that read as they go want what is said of a row before the row, and of a property before its value.
    let place = |name: &str| answer.text.find(&format!("\"{name}\":")).unwrap();
    assert!(place("@odata.context") < place("@odata.type") && place("@odata.type") < place("@odata.id"));
    assert!(place("@odata.editLink") < place("lastname"));
    assert!(place("createdon@odata.type") < place("createdon"));
    let whole = world.full(&url).await;
    let link = |name: &str, end: &str| json!(format!("{at}/{name}{end}"));
    for name in ["parentcustomerid_account", "ownerid", "Contact_Emails", "listcontact_association"] {
        assert_eq!(whole[format!("{name}@odata.navigationLink")], link(name, ""), "{name}");
        assert_eq!(whole[format!("{name}@odata.associationLink")], link(name, "/$ref"), "{name}");
    }
    let followed = whole["parentcustomerid_account@odata.navigationLink"].as_str().unwrap();
    assert_eq!(world.full(followed).await["name"], "Litware");
    let money = world.at("full", &format!("accounts({})?$select=revenue", world.account)).await;
    assert!(money.text.contains("\"revenue@odata.type\":\"#Decimal\",\"revenue\":10.5000"), "{}", money.text);
}

async fn expanded_rows_in_full(on: On) {
    let world = world(on).await;
    let url = "accounts?$select=name&$expand=contact_customer_accounts($select=lastname;$expand=ownerid),primarycontactid($select=lastname)";
    let found = world.full(url).await;
    let account = &found["value"][0];
    assert_eq!(account["@odata.type"], "#Microsoft.Dynamics.CRM.account");
    let at = format!("{ROOT}/accounts({})", world.account);
    assert_eq!(
        account["contact_customer_accounts@odata.navigationLink"],
        format!("{at}/contact_customer_accounts")
    );
    assert_eq!(account["primarycontactid@odata.associationLink"], format!("{at}/primarycontactid/$ref"));
    assert_eq!(account["primarycontactid"], Json::Null);
    let contact = &account["contact_customer_accounts"][0];
    assert_eq!(
        names(contact),
        [
            "@odata.editLink",
            "@odata.etag",
            "@odata.id",
            "@odata.type",
            "contactid",
            "contactid@odata.type",
            "lastname",
            "ownerid",
            "ownerid@odata.associationLink",
            "ownerid@odata.navigationLink",
        ]
    );
    assert_eq!(contact["@odata.id"], format!("{ROOT}/contacts({})", world.contact));
    assert_eq!(contact["ownerid"]["ownerid@odata.type"], "#Guid");
    assert!(contact["ownerid"]["@odata.id"].as_str().unwrap().starts_with(&format!("{ROOT}/owners(")));
}

async fn single_answers_in_full(on: On) {
    let world = world(on).await;
    let who = world.full("WhoAmI").await;
    assert_eq!(who["@odata.type"], "#Microsoft.Dynamics.CRM.WhoAmIResponse");
    assert_eq!((&who["UserId@odata.type"], who["UserId"].is_string()), (&json!("#Guid"), true));
    let version = world.full("RetrieveVersion()").await;
    assert_eq!(names(&version), ["@odata.context", "@odata.type", "Version"]);
    let property = world.full(&format!("contacts({})/createdon", world.contact)).await;
    assert_eq!((&property["@odata.type"], names(&property).len()), (&json!("#DateTimeOffset"), 3));
    let text = world.full(&format!("contacts({})/lastname", world.contact)).await;
    assert_eq!(names(&text), ["@odata.context", "value"]);
    let headers = [("accept", "application/json;odata.metadata=full"), ("prefer", "return=representation")];
    let made =
        world.door.ask("POST", "accounts?$select=name", &headers, json!({"name": "B"}).to_string()).await;
    let id = made.json["accountid"].as_str().unwrap();
    assert_eq!((made.status, &made.json["@odata.editLink"]), (201, &json!(format!("accounts({id})"))));
    let rows = json!({"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "C"}]});
    let many = world
        .door
        .ask("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", &headers, rows.to_string())
        .await;
    assert_eq!(many.json["Ids@odata.type"], "#Collection(Guid)");
    let counted = world.full("accounts?$apply=groupby((name),aggregate($count as count))").await;
    assert_eq!(names(&counted["value"][0]), ["count", "name"], "what is computed is no row");
}

async fn changes_in_full(on: On) {
    let world = world(on).await;
    let headers = [("accept", "application/json;odata.metadata=full"), ("prefer", "odata.track-changes")];
    let first = world.door.ask("GET", "contacts?$select=lastname", &headers, "").await.json;
    assert_eq!(first["value"][0]["@odata.editLink"], format!("contacts({})", world.contact));
    assert_eq!(
        world.door.send("DELETE", &format!("contacts({})", world.contact), json!({})).await.status,
        204
    );
    let link = first["@odata.deltaLink"].as_str().unwrap();
    let second = world.door.ask("GET", link, &headers, "").await.json;
    let gone = &second["value"][0];
    assert_eq!(names(gone), ["@odata.context", "id", "reason"], "{second}");
}

async fn nothing_but_what_was_asked_for(on: On) {
    let world = world(on).await;
    let url = format!(
        "accounts({})?$select=name,revenue&$expand=contact_customer_accounts($select=lastname)",
        world.account
    );
    let answer = world.at("none", &url).await;
    assert!(!answer.text.contains("@odata"), "{}", answer.text);
    assert!(answer.text.contains("\"revenue\":10.5000"), "{}", answer.text);
    assert_eq!(answer.json["contact_customer_accounts"][0]["lastname"], "Adler");
    // What a client asked for by name stays.
    let headers = [
        ("accept", "application/json;odata.metadata=none"),
        (
            "prefer",
            "odata.include-annotations=\"OData.Community.Display.V1.FormattedValue\",odata.maxpagesize=1",
        ),
    ];
    world.door.send("POST", "contacts", json!({"lastname": "Berg"})).await.made();
    let rows = world.door.ask("GET", "contacts?$select=statecode&$count=true", &headers, "").await.json;
    assert_eq!(names(&rows), ["@odata.count", "@odata.nextLink", "value"]);
    assert_eq!(rows["value"][0]["statecode@OData.Community.Display.V1.FormattedValue"], "Active");
    assert!(rows["value"][0].get("@odata.etag").is_none());
    let reference =
        world.at("none", &format!("contacts({})/parentcustomerid_account/$ref", world.contact)).await.json;
    assert_eq!(reference, json!({"@odata.id": format!("{ROOT}/accounts({})", world.account)}));
}

async fn requests_within_batches(on: On) {
    let world = world(on).await;
    let part = |accept: &str| {
        format!(
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET contacts?$select=lastname HTTP/1.1\r\nAccept: {accept}\r\n\r\n"
        )
    };
    let body =
        format!("{}{}--b--\r\n", part("application/json;odata.metadata=full"), part("application/json"));
    let (answer, _) = post(&world.door, "", &body).await;
    assert_eq!(answer.text.matches("\"@odata.editLink\"").count(), 1, "{}", answer.text);
    assert!(answer.text.contains("application/json; odata.metadata=full"));
}
