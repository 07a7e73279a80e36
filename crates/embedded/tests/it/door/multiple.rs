//! CreateMultiple, UpdateMultiple, UpsertMultiple.

use serde_json::{Value as Json, json};

use super::keys::{count, things};
use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(many_are_made, many_are_changed, many_are_upserted, what_is_refused);

const CONTACT: &str = "Microsoft.Dynamics.CRM.contact";

async fn ask(door: &DoorBench, set: &str, action: &str, targets: Json) -> super::Answer {
    let url = format!("{set}/Microsoft.Dynamics.CRM.{action}");
    door.send("POST", &url, json!({"Targets": targets})).await
}

async fn many_are_made(on: On) {
    let door = DoorBench::new(on).await;
    let row = |name: &str| json!({"@odata.type": CONTACT, "lastname": name});
    let answer = ask(&door, "contacts", "CreateMultiple", json!([row("A"), row("B"), row("C")])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.json["@odata.context"],
        format!("{ROOT}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse")
    );
    let ids = answer.json["Ids"].as_array().unwrap();
    let last = door.get(&format!("contacts({})?$select=lastname", ids[2].as_str().unwrap())).await.json;
    assert_eq!((ids.len(), last["lastname"].as_str()), (3, Some("C")));
    let answer = ask(&door, "contacts", "CreateMultiple", json!([row("D"), row(&"x".repeat(51))])).await;
    answer.refused(400, "0x80044331", "lastname");
    assert_eq!(door.get("contacts/$count").await.text, "3", "all or nothing");
    let prefer = [("prefer", "return=representation")];
    let body = json!({"Targets": [row("E")]}).to_string();
    let answer = door.ask("POST", "contacts/Microsoft.Dynamics.CRM.CreateMultiple", &prefer, body).await;
    assert_eq!((answer.status, answer.json["Ids"].as_array().map(Vec::len)), (200, Some(1)));
}

async fn many_are_changed(on: On) {
    let door = DoorBench::new(on).await;
    let made = json!([{"@odata.type": CONTACT, "lastname": "A"}, {"@odata.type": CONTACT, "lastname": "B"}]);
    let ids = ask(&door, "contacts", "CreateMultiple", made).await.json["Ids"].clone();
    let row = |id: &Json, title: &str| json!({"@odata.type": format!("#{CONTACT}"), "contactid": id, "jobtitle": title});
    let answer =
        ask(&door, "contacts", "UpdateMultiple", json!([row(&ids[0], "x"), row(&ids[1], "y")])).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let missing = json!("00000000-0000-0000-0000-0000000000ff");
    let answer =
        ask(&door, "contacts", "UpdateMultiple", json!([row(&ids[0], "z"), row(&missing, "z")])).await;
    answer.refused(404, "0x80040217", "contact With Id");
    assert_eq!(door.get("contacts?$filter=jobtitle eq 'z'").await.json["value"], json!([]));
}

async fn many_are_upserted(on: On) {
    let door = things(on).await;
    let row = |code: &str, name: &str| json!({"@odata.type": "Microsoft.Dynamics.CRM.new_thing", "@odata.id": format!("new_things(new_code='{code}')"), "new_name": name});
    let rows = json!([row("A1", "one"), row("A2", "two"), row("A1", "one again")]);
    let answer = ask(&door, "new_things", "UpsertMultiple", rows).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let rows = json!([row("A2", "changed"), row("A3", "three")]);
    assert_eq!(ask(&door, "new_things", "UpsertMultiple", rows).await.status, 204);
    let names = door.get("new_things?$select=new_name&$orderby=new_code").await.json;
    let names: Vec<&str> =
        names["value"].as_array().unwrap().iter().filter_map(|row| row["new_name"].as_str()).collect();
    assert_eq!(names, ["one again", "changed", "three"]);
    let by_id = json!([{"@odata.type": "Microsoft.Dynamics.CRM.new_thing", "new_thingid": "00000000-0000-0000-0000-0000000000ff", "new_name": "four"}]);
    assert_eq!(ask(&door, "new_things", "UpsertMultiple", by_id).await.status, 204);
    assert_eq!(count(&door).await, "4");
}

async fn what_is_refused(on: On) {
    let door = DoorBench::new(on).await;
    let payload = "0x80048d19";
    let check = async |action: &str, targets: Json, status: u16, code: &str, says: &str| {
        ask(&door, "contacts", action, targets).await.refused(status, code, says);
    };
    check("CreateMultiple", json!([{"lastname": "A"}]), 400, payload, "Targets[0] needs \"@odata.type\"")
        .await;
    check(
        "CreateMultiple",
        json!([{"@odata.type": "Microsoft.Dynamics.CRM.account"}]),
        400,
        payload,
        "'account'",
    )
    .await;
    check("CreateMultiple", json!({}), 400, payload, "Targets").await;
    check("CreateMultiple", json!([]), 400, "0x80040203", "no row").await;
    check("CreateMultiple", json!([1]), 400, payload, "Targets[0]").await;
    check("UpdateMultiple", json!([{"@odata.type": CONTACT, "lastname": "A"}]), 400, payload, "contactid")
        .await;
    check(
        "UpsertMultiple",
        json!([{"@odata.type": CONTACT, "@odata.id": "accounts(x)"}]),
        400,
        "0x80060888",
        "",
    )
    .await;
    check("DeleteMultiple", json!([]), 405, "0x80040800", "DeleteMultiple").await;
    check("FlyMultiple", json!([]), 404, "0x80060888", "FlyMultiple").await;
    assert_eq!(door.get("contacts/$count").await.text, "0");
}
