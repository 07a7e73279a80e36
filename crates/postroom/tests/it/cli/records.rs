//! `record import` and `record show`: dry runs, counts, and what the audit trail keeps.

use serde_json::json;

use crate::house::House;

const LINES: &str = r#"{"table":"account","id":"00000000-0000-0000-0000-000000000001","columns":{"name":"Adler"}}
{"table":"contact","id":"00000000-0000-0000-0000-000000000002","columns":{"lastname":"Adler","parentcustomerid":"account/00000000-0000-0000-0000-000000000001"}}
{"table":"contact","id":"00000000-0000-0000-0000-000000000003","columns":{"lastname":7}}
"#;

#[test]
fn a_dry_run_says_what_an_import_would_do_and_does_nothing() {
    let house = House::quiet("");
    let file = house.file("jsonl", LINES.as_bytes());
    let import = |more: &[&str]| {
        let said = house.run(&[&["record", "import", &file.to_string_lossy()], more].concat());
        let mut report: serde_json::Value = serde_json::from_slice(&said.out).expect("one object");
        assert_eq!((said.exit, &report["rejected"][0]["line"]), (8, &json!(3)), "{report}");
        report["rejected"] = json!(null);
        report
    };
    let report = |created, unchanged, dry_run| json!({"created": created, "updated": 0, "unchanged": unchanged, "rejected": null, "dry_run": dry_run});
    assert_eq!(import(&["--dry-run"]), report(2, 0, true));
    assert_eq!(house.rows("contact", "lastname", "Adler"), Vec::<serde_json::Value>::new());
    assert_eq!(import(&[]), report(2, 0, false));
    assert_eq!(import(&[]), report(0, 2, false));
    assert_eq!(import(&["-n"]), report(0, 2, true));
}

#[test]
fn showing_a_mail_s_record_is_an_opening() {
    let house = House::open("");
    let mail =
        b"From: a@x.example\r\nTo: info@ours.example\r\nSubject: x\r\nMessage-ID: <audit@x>\r\n\r\nHi\r\n";
    let case = json!({"table": "lead", "id": "00000000-0000-0000-0000-000000000007", "columns": {"subject": "A lead"}});
    house.records(&[case]);
    let message = house.filed("a@x.example", &["info@ours.example"], mail);
    let id = message["id"].as_str().expect("an id").to_owned();
    house.one(&["message", "move", &id, "lead/00000000-0000-0000-0000-000000000007"]);
    let message = house.settled(&id);
    let email = message["activity_id"].as_str().expect("it is filed").to_owned();
    let opened = |object: &str| {
        let answer = house.api(&format!("/api/v1/audit?object={object}")).answers(200).json();
        let entries = answer["items"].as_array().expect("a list").clone();
        let opened = entries
            .iter()
            .filter(|entry| entry["action"].as_str().is_some_and(|word| word.ends_with(".open")));
        opened
            .map(|entry| format!("{} {}", entry["door"], entry["action"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(opened(&id), Vec::<String>::new());
    let shown = house.one(&["record", "show", "email", &email]);
    assert!(shown["columns"]["description"].as_str().is_some_and(|text| text.contains("Hi")), "{shown}");
    assert_eq!(opened(&id), ["cli message.open"]);
    assert_eq!(opened(&format!("email/{email}")), ["cli record.open"]);
}
