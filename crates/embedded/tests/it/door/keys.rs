//! Alternate keys: rows named by them, made by them, and kept apart by them.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, KeyInfo, KeyStatus, Label, OwnershipType, RequiredLevel, TableInfo,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    rows_are_named_by_keys,
    upserts_by_key,
    texts_are_texts,
    duplicates_are_refused_alone,
    values_may_change_hands_in_a_set,
    binds_by_key,
);

fn column(name: &str, kind: ColumnKind) -> ColumnInfo {
    ColumnInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name: name.into(),
        label: Label::english(name),
        description: Label::default(),
        kind,
        required: RequiredLevel::None,
        valid_for_create: true,
        valid_for_update: true,
        valid_for_read: true,
        is_primary_id: false,
        is_primary_name: name == "new_Name",
        is_custom: true,
        is_secured: false,
        attribute_of: None,
        number: 0,
    }
}

fn key(name: &str, columns: &[&str]) -> KeyInfo {
    KeyInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name: name.into(),
        label: Label::english(name),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        status: KeyStatus::Active,
    }
}

/// `new_things` with the keys `new_code` and (`new_a`, `new_n`).
pub async fn things(on: On) -> DoorBench {
    let door = DoorBench::new(on).await;
    let text = || ColumnKind::String { max_length: 100, format: "Text".into() };
    let number = ColumnKind::Integer { min: i32::MIN, max: i32::MAX, format: "None".into() };
    let table = TableInfo {
        label: Label::english("Thing"),
        collection_label: Label::english("Things"),
        ownership: OwnershipType::UserOwned,
        is_custom: true,
        change_tracking: true,
        columns: vec![
            column("new_Name", text()),
            column("new_Code", text()),
            column("new_A", text()),
            column("new_N", number),
        ],
        ..TableInfo::named("new_Thing")
    };
    let crm = &door.bench.crm;
    crm.create_tables(vec![table]).await.unwrap();
    crm.create_key("new_thing", key("new_ByCode", &["new_code"])).await.unwrap();
    crm.create_key("new_thing", key("new_ByTwo", &["new_a", "new_n"])).await.unwrap();
    door
}

pub(super) async fn count(door: &DoorBench) -> String {
    door.get("new_things/$count").await.text
}

async fn rows_are_named_by_keys(on: On) {
    let door = things(on).await;
    let body = json!({"new_name": "One", "new_code": "A1", "new_a": "x", "new_n": 2});
    let id = door.send("POST", "new_things", body).await.made();
    for url in [
        "new_things(new_code='A1')",
        "new_things(new_code='a1')",
        "new_things(new_a='x',new_n=2)",
        "new_things(new_n=2,new_a='X')",
    ] {
        assert_eq!(door.get(url).await.json["new_thingid"], id.to_string(), "{url}");
        assert_eq!(door.send("PATCH", url, json!({"new_name": url})).await.status, 204);
        assert_eq!(door.get(url).await.json["new_name"], url);
    }
    assert_eq!(
        door.send("PUT", "new_things(new_code='A1')/new_name", json!({"value": "Two"})).await.status,
        204
    );
    door.get("new_things(new_code='A2')").await.refused(
        404,
        "0x80060891",
        "specified key values does not exist in new_thing entity",
    );
    door.get("new_things(new_n=2)").await.refused(400, "0x80060890", "new_n");
    door.ask("DELETE", "new_things(new_code='A2')", &[], "").await.refused(404, "0x80060891", "new_thing");
    assert_eq!(door.ask("DELETE", "new_things(new_code='A1')", &[], "").await.status, 204);
    assert_eq!(count(&door).await, "0");
}

async fn upserts_by_key(on: On) {
    let door = things(on).await;
    let url = "new_things(new_a='x',new_n=2)";
    let ask =
        async |headers: &[(&str, &str)], body: Json| door.ask("PATCH", url, headers, body.to_string()).await;
    ask(&[("if-match", "*")], json!({"new_name": "A"})).await.refused(404, "0x80060891", "new_thing");
    let made = ask(&[], json!({"new_name": "A"})).await;
    assert_eq!(
        (made.status, made.header("odata-entityid")),
        (204, format!("{ROOT}/{url}").as_str()),
        "{}",
        made.text
    );
    let row = door.get(url).await.json;
    assert_eq!((&row["new_a"], &row["new_n"], &row["new_name"]), (&json!("x"), &json!(2), &json!("A")));
    // Found: what the body says of the key counts for nothing.
    let changed = ask(&[("prefer", "return=representation")], json!({"new_name": "B", "new_n": 7})).await;
    assert_eq!(
        (changed.status, &changed.json["new_n"], &changed.json["new_name"]),
        (200, &json!(2), &json!("B"))
    );
    assert!(changed.header("etag").starts_with("W/"));
    ask(&[("if-none-match", "*")], json!({})).await.refused(
        412,
        "0x80040237",
        "A record with matching key values already exists.",
    );
    // Not found: what the body says counts.
    let other = door
        .ask(
            "PATCH",
            "new_things(new_code='Q')",
            &[("prefer", "return=representation")],
            json!({"new_code": "R"}).to_string(),
        )
        .await;
    assert_eq!((other.status, &other.json["new_code"]), (201, &json!("R")));
    let deep = json!({"new_code": "R2", "new_name": "x", "ownerid@odata.bind": format!("systemusers({})", postroom_embedded::seed::ADMINISTRATOR)});
    assert_eq!(door.send("PATCH", "new_things(new_code='R2')", deep).await.status, 204);
    assert_eq!(count(&door).await, "3");
}

/// A key's text is never anything but a text.
async fn texts_are_texts(on: On) {
    let door = things(on).await;
    let texts = [
        "O'Brien",
        "a' or 'a' eq 'a",
        "%",
        "_",
        "x') or (1=1",
        "a,b",
        "a)b",
        "ö \"x\"",
        "a/b",
        "'; drop table crm_new_thing; --",
    ];
    for text in texts {
        let quoted: String = text.replace('\'', "''").bytes().map(|byte| format!("%{byte:02X}")).collect();
        let url = format!("new_things(new_code='{quoted}')");
        door.get(&url).await.refused(404, "0x80060891", "new_thing");
        let made = door.send("PATCH", &url, json!({"new_name": text})).await;
        assert_eq!(made.status, 204, "{text}: {}", made.text);
        assert_eq!(door.get(&url).await.json["new_code"], text);
        assert_eq!(
            door.get(made.header("odata-entityid")).await.json["new_code"],
            text,
            "{}",
            made.header("odata-entityid")
        );
    }
    assert_eq!(count(&door).await, texts.len().to_string());
    // What a broken client sends when the text has an apostrophe: no row, but not a wrong one either.
    let answer = door.get("new_things(new_code=\"it's\")").await;
    assert!((400..500).contains(&answer.status), "{}", answer.text);
}

async fn duplicates_are_refused_alone(on: On) {
    let door = things(on).await;
    door.send("POST", "new_things", json!({"new_code": "A1"})).await.made();
    let says = "Entity Key";
    door.send("POST", "new_things", json!({"new_code": "a1"})).await.refused(412, "0x80060892", says);
    let two =
        door.send("POST", "new_things", json!({"new_code": "B", "new_a": "x", "new_n": 1})).await.made();
    door.send("POST", "new_things", json!({"new_a": "x", "new_n": 1})).await.refused(
        412,
        "0x80060892",
        "new_a, new_n",
    );
    let three = door.send("POST", "new_things", json!({"new_a": "x"})).await.made();
    door.send("PATCH", &format!("new_things({three})"), json!({"new_n": 1})).await.refused(
        412,
        "0x80060892",
        says,
    );
    // A row that lacks a value is free.
    door.send("POST", "new_things", json!({"new_a": "x"})).await.made();
    // Neighbours of a set that is refused are written: one lot, three sets.
    use postroom_core::{Change, ChangeSet, Record, RecordRef};
    let row = |code: &str| {
        let at = RecordRef::new("new_thing", door.bench.ids.next());
        ChangeSet { changes: vec![Change::Create(Record::new(at).with("new_code", code))] }
    };
    let answers = door.session.apply(vec![row("C"), row("A1"), row("D"), row("c"), row("E")]).await;
    let fine: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [true, false, true, false, true], "{answers:?}");
    assert_eq!(count(&door).await, "7");
    // What is given up may be taken.
    assert_eq!(door.ask("DELETE", &format!("new_things({two})"), &[], "").await.status, 204);
    assert_eq!(door.send("PATCH", &format!("new_things({three})"), json!({"new_n": 1})).await.status, 204);
}

async fn values_may_change_hands_in_a_set(on: On) {
    use postroom_core::{Change, ChangeSet, Record, RecordRef, Value};
    let door = things(on).await;
    let a = door.send("POST", "new_things", json!({"new_code": "A"})).await.made();
    let b = door.send("POST", "new_things", json!({"new_code": "B"})).await.made();
    let code = |id, code: &str| Record::new(RecordRef::new("new_thing", id)).with("new_code", code);
    let set = |changes| ChangeSet { changes };
    let swap = set(vec![Change::Update(code(a, "B")), Change::Update(code(b, "A"))]);
    door.session.write(swap).await.unwrap();
    let new = door.bench.ids.next();
    let hand_over = set(vec![Change::Update(code(a, "C")), Change::CreateNew(code(new, "B"))]);
    door.session.write(hand_over).await.unwrap();
    let replaced = set(vec![Change::Delete(RecordRef::new("new_thing", b)), Change::Update(code(new, "A"))]);
    door.session.write(replaced).await.unwrap();
    let codes = door.get("new_things?$select=new_code&$orderby=new_code").await.json;
    let codes: Vec<&str> =
        codes["value"].as_array().unwrap().iter().filter_map(|row| row["new_code"].as_str()).collect();
    assert_eq!(codes, ["A", "C"]);
    let empty = Record::new(RecordRef::new("new_thing", a)).with("new_code", Value::Null);
    door.session.write(set(vec![Change::Update(empty), Change::Update(code(new, "C"))])).await.unwrap();
    assert_eq!(door.get("new_things(new_code='C')").await.json["new_thingid"], new.to_string());
}

async fn binds_by_key(on: On) {
    let door = things(on).await;
    door.bench.crm.create_key("account", key("new_Number", &["accountnumber"])).await.unwrap();
    let account = door.send("POST", "accounts", json!({"name": "A", "accountnumber": "A'1"})).await.made();
    let bind = |uri: &str| json!({"lastname": "C", "parentcustomerid_account@odata.bind": uri});
    let id = door.send("POST", "contacts", bind("/accounts(accountnumber='A''1')")).await.made();
    let row = door.get(&format!("contacts({id})?$select=_parentcustomerid_value")).await.json;
    assert_eq!(row["_parentcustomerid_value"], account.to_string());
    door.send("POST", "contacts", bind("/accounts(accountnumber='A2')")).await.refused(
        404,
        "0x80060891",
        "account",
    );
    let list = "accounts(accountnumber='A''1')/contact_customer_accounts";
    assert_eq!(door.get(list).await.json["value"].as_array().map(Vec::len), Some(1));
    assert_eq!(door.ask("DELETE", &format!("{list}({id})/$ref"), &[], "").await.status, 204);
    door.send("POST", list, json!({"lastname": "D"})).await.made();
}
