//! Change tracking: what may be asked, what the links hold, and what tokens are worth.

use serde_json::{Value as Json, json};

use super::{Answer, DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    what_cannot_be_asked_with_changes,
    tokens_that_are_worth_nothing,
    pages_are_followed_with_and_without_the_preference,
    deltas_show_what_is_selected,
    rows_come_and_go,
    only_whole_sets_are_tracked,
);

const TRACK: [(&str, &str); 1] = [("prefer", "odata.track-changes")];

async fn three(on: On) -> DoorBench {
    let door = DoorBench::new(on).await;
    for name in ["Adler", "Berg", "Carlsen"] {
        door.send("POST", "contacts", json!({"lastname": name, "jobtitle": "Buyer"})).await.made();
    }
    door
}

fn link(answer: &Answer) -> String {
    let link = answer.json["@odata.deltaLink"].as_str();
    link.unwrap_or_else(|| panic!("no deltaLink: {}", answer.text)).to_owned()
}

fn token(link: &str) -> &str {
    link.split_once("$deltatoken=").unwrap().1
}

fn names(answer: &Answer) -> Vec<&str> {
    let rows = answer.json["value"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    rows.iter().filter_map(|row| row["lastname"].as_str()).collect()
}

async fn what_cannot_be_asked_with_changes(on: On) {
    let door = three(on).await;
    let link = link(&door.ask("GET", "contacts", &TRACK, "").await);
    let token = token(&link);
    for (name, option) in [
        ("filter", "$filter=lastname eq 'Adler'"),
        ("orderby", "$orderby=lastname"),
        ("expand", "$expand=ownerid($select=name)"),
        ("top", "$top=1"),
        ("apply", "$apply=aggregate($count as n)"),
    ] {
        let says =
            format!("The \"${name}\" query parameter isn't supported when Change Tracking is enabled.");
        let check = |answer: Answer| answer.refused(400, "0x80040203", &says);
        check(door.ask("GET", &format!("contacts?{option}"), &TRACK, "").await);
        check(door.get(&format!("contacts?{option}&$deltatoken={token}")).await);
        check(door.get(&format!("contacts/$count?{option}&$deltatoken={token}")).await);
    }
    let view = "savedQuery=00000000-0000-0000-0000-0000000000ff";
    for query in ["fetchXml=<fetch><entity name='contact'/></fetch>", view] {
        let answer = door.get(&format!("contacts?{query}&$deltatoken={token}")).await;
        answer.refused(400, "0x80060888", "the entity set alone");
    }
    let label = json!({"LocalizedLabels": [{"Label": "Thing", "LanguageCode": 1033}]});
    let name = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Name", "MaxLength": 100,
        "IsPrimaryName": true, "DisplayName": label,
    });
    let table = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": "new_Thing", "DisplayName": label,
        "DisplayCollectionName": label, "OwnershipType": "UserOwned", "ChangeTrackingEnabled": false, "Attributes": [name],
    });
    door.send("POST", "EntityDefinitions", table).await.made();
    let set = "new_things";
    for url in [format!("{set}?$deltatoken={token}"), format!("{set}/$count?$deltatoken={token}")] {
        door.get(&url).await.refused(400, "0x80072491", "isn't enabled for change tracking");
    }
    door.ask("GET", set, &TRACK, "").await.refused(400, "0x80072491", "change tracking");
}

async fn tokens_that_are_worth_nothing(on: On) {
    let door = three(on).await;
    let link = link(&door.ask("GET", "contacts", &TRACK, "").await);
    let (version, time) = token(&link).split_once("%21").unwrap();
    let ask = async |token: &str| door.get(&format!("contacts?$deltatoken={token}")).await;
    for bad in ["", "x", "1", "!", "1!x", "x!01%2f01%2f2026%2000:00:00", "-1!01%2f01%2f2026%2000:00:00"] {
        ask(bad).await.refused(400, "0x80060888", "follow the deltaLink");
    }
    assert_eq!(ask(&format!("{version}%21{time}")).await.status, 200);
    let expired = "0x80044352";
    ask(&format!("{version}%2101%2f01%2f2020%2000:00:00")).await.refused(400, expired, "full sync");
    // The database was put back to a day before the token was made.
    let later = version.parse::<i64>().unwrap() + 1000;
    ask(&format!("{later}%21{time}")).await.refused(400, expired, "full sync");
    let count = door.get(&format!("contacts/$count?$deltatoken={later}%21{time}")).await;
    count.refused(400, expired, "full sync");
    door.bench.clock.advance(jiff::SignedDuration::from_hours(7 * 24));
    assert_eq!(door.get(&link).await.status, 200, "seven days are not too many");
    door.bench.clock.advance(jiff::SignedDuration::from_secs(61));
    door.get(&link).await.refused(400, expired, "full sync");
}

async fn pages_are_followed_with_and_without_the_preference(on: On) {
    let door = three(on).await;
    let prefer = [("prefer", "odata.track-changes,odata.maxpagesize=2")];
    let first = door.ask("GET", "contacts?$select=lastname", &prefer, "").await;
    assert_eq!(first.header("preference-applied"), "odata.maxpagesize=2,odata.track-changes");
    assert!(first.json.get("@odata.deltaLink").is_none());
    let next = first.json["@odata.nextLink"].as_str().unwrap();
    // Written between two pages: it comes with the next run, however the second page is asked for.
    door.send("POST", "contacts", json!({"lastname": "Late"})).await.made();
    for headers in [&prefer[..], &[("prefer", "odata.maxpagesize=2")], &[]] {
        let second = door.ask("GET", next, headers, "").await;
        assert!(second.json.get("@odata.nextLink").is_none(), "{}", second.text);
        assert_eq!(names(&door.get(&link(&second)).await), ["Late"], "{headers:?}");
    }
}

async fn deltas_show_what_is_selected(on: On) {
    let door = three(on).await;
    let first = door.ask("GET", "contacts?$select=lastname,statecode", &TRACK, "").await;
    let url = link(&first);
    assert!(url.starts_with(&format!("{ROOT}/contacts?$select=lastname,statecode&$deltatoken=")), "{url}");
    let row = first.json["value"][0].as_object().unwrap();
    let shown: Vec<&str> = row.keys().map(String::as_str).collect();
    assert_eq!(shown, ["@odata.etag", "contactid", "lastname", "statecode"]);
    door.send("POST", "contacts", json!({"lastname": "Dahl"})).await.made();
    let annotated = [("prefer", "odata.include-annotations=\"*\"")];
    let delta = door.ask("GET", &url, &annotated, "").await;
    assert_eq!(delta.header("preference-applied"), "odata.include-annotations=\"*\"");
    assert_eq!(delta.json["@odata.context"], format!("{ROOT}/$metadata#contacts(lastname,statecode)/$delta"));
    let row = &delta.json["value"][0];
    assert_eq!(row["statecode@OData.Community.Display.V1.FormattedValue"], "Active");
    assert!(row.get("jobtitle").is_none());
    assert!(link(&delta).contains("?$select=lastname,statecode&"), "{}", link(&delta));
    // As one client does it: the token alone, written anew, with preferences and without columns.
    let prefer = [("prefer", "odata.track-changes,odata.maxpagesize=5000")];
    let token = token(&url).replace("%21", "!").replace("%2f", "/").replace("%3a", ":");
    let whole = door.ask("GET", &format!("contacts?$deltatoken={token}"), &prefer, "").await;
    assert_eq!(whole.json["@odata.context"], format!("{ROOT}/$metadata#contacts/$delta"));
    assert_eq!((names(&whole), whole.json["value"][0].get("jobtitle")), (vec!["Dahl"], Some(&Json::Null)));
}

async fn rows_come_and_go(on: On) {
    let door = three(on).await;
    let url = link(&door.ask("GET", "contacts?$select=lastname", &TRACK, "").await);
    let brief = door.send("POST", "contacts", json!({"lastname": "Brief"})).await.made();
    let kept = door.send("POST", "contacts", json!({"lastname": "Kept"})).await.made();
    let back = door.send("POST", "contacts", json!({"lastname": "Back"})).await.made();
    for id in [brief, back] {
        assert_eq!(door.send("DELETE", &format!("contacts({id})"), json!({})).await.status, 204);
    }
    door.send("POST", "contacts", json!({"lastname": "Back", "contactid": back})).await.made();
    let delta = door.get(&url).await;
    let rows = delta.json["value"].as_array().unwrap();
    assert_eq!(names(&delta), ["Kept", "Back"]);
    assert_eq!(rows[0]["contactid"], json!(kept));
    let gone = json!({"@odata.context": format!("{ROOT}/$metadata#contacts/$deletedEntity"), "id": brief, "reason": "deleted"});
    assert_eq!((rows.len(), &rows[2]), (3, &gone), "what went comes last, and what came back did not go");
    let count = door.get(&format!("contacts/$count?$deltatoken={}", token(&url))).await;
    assert_eq!((count.text.as_str(), count.header("content-type")), ("3", "text/plain"));
    let none = door.get(&link(&delta)).await;
    assert_eq!(none.json["value"], json!([]));
    assert!(!link(&none).is_empty(), "there is always a next time");
}

async fn only_whole_sets_are_tracked(on: On) {
    let door = three(on).await;
    let account = door.send("POST", "accounts", json!({"name": "Litware"})).await.made();
    let token = token(&link(&door.ask("GET", "accounts", &TRACK, "").await)).to_owned();
    let around = format!("accounts({account})/contact_customer_accounts");
    let row = format!("accounts({account})");
    let view =
        "contacts?fetchXml=<fetch><entity name='contact'><attribute name='lastname'/></entity></fetch>";
    for (url, rows) in [(around.as_str(), Some(0)), (row.as_str(), None), (view, Some(3))] {
        let answer = door.ask("GET", url, &TRACK, "").await;
        assert_eq!(answer.json["value"].as_array().map(Vec::len), rows, "{}", answer.text);
        assert_eq!((answer.status, answer.header("preference-applied")), (200, ""), "{url}");
        assert!(answer.json.get("@odata.deltaLink").is_none());
    }
    for url in [around.clone(), row, format!("{around}/$count")] {
        let answer = door.get(&format!("{url}?$deltatoken={token}")).await;
        answer.refused(400, "0x80060888", "a whole entity set");
    }
}
