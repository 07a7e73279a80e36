//! `?sql=` at the Web API door.

use serde_json::{Value as Json, json};

use super::{Answer, DoorBench};
use crate::bench::{On, on_both};

on_both!(selections, joins, sums, pages, refusals);

async fn world(on: On) -> DoorBench {
    let door = DoorBench::new(on).await;
    let account =
        door.send("POST", "accounts", json!({"name": "Adler AG", "numberofemployees": 5})).await.made();
    door.send("POST", "accounts", json!({"name": "Beta", "numberofemployees": 7})).await.made();
    for (first, last, at) in [("Anna", "O'Brien", true), ("Bert", "Meyer", true), ("Cleo", "Meyer", false)] {
        let mut body = json!({"firstname": first, "lastname": last});
        if at {
            body["parentcustomerid_account@odata.bind"] = json!(format!("/accounts({account})"));
        }
        door.send("POST", "contacts", body).await.made();
    }
    door
}

fn encoded(sql: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    sql.bytes().map(one).collect()
}

async fn ask(door: &DoorBench, set: &str, sql: &str) -> Answer {
    door.get(&format!("{set}?sql={}", encoded(sql))).await
}

async fn check(door: &DoorBench, set: &str, sql: &str, column: &str, expected: Json) {
    let answer = ask(door, set, sql).await;
    let rows = answer.json["value"].as_array().unwrap_or_else(|| panic!("{sql}: {}", answer.text));
    assert_eq!(Json::Array(rows.iter().map(|row| row[column].clone()).collect()), expected, "{sql}");
}

async fn selections(on: On) {
    let door = world(on).await;
    let first = "SELECT TOP 2 fullname, contactid FROM contact WHERE lastname = 'meyer' ORDER BY fullname";
    check(&door, "contacts", first, "fullname", json!(["Bert Meyer", "Cleo Meyer"])).await;
    for (sql, expected) in [
        ("SELECT firstname FROM contact WHERE lastname = 'O''Brien'", json!(["Anna"])),
        (
            "SELECT firstname FROM contact WHERE lastname LIKE 'Me%' ORDER BY firstname DESC",
            json!(["Cleo", "Bert"]),
        ),
        (
            "SELECT firstname FROM contact WHERE firstname IN ('Anna', 'Cleo') ORDER BY firstname",
            json!(["Anna", "Cleo"]),
        ),
        (
            "SELECT firstname FROM contact WHERE NOT (firstname = 'Anna' OR firstname = 'Bert')",
            json!(["Cleo"]),
        ),
        ("SELECT firstname FROM contact WHERE parentcustomerid IS NULL", json!(["Cleo"])),
        (
            "SELECT firstname FROM contact WHERE firstname BETWEEN 'B' AND 'C' ORDER BY firstname",
            json!(["Bert"]),
        ),
        (
            "SELECT firstname FROM contact ORDER BY firstname OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY",
            json!(["Bert"]),
        ),
        ("SELECT DISTINCT lastname AS firstname FROM contact ORDER BY lastname", json!(["Meyer", "O'Brien"])),
    ] {
        check(&door, "contacts", sql, "firstname", expected).await;
    }
    check(
        &door,
        "accounts",
        "SELECT name AS n FROM account WHERE numberofemployees > 6",
        "n",
        json!(["Beta"]),
    )
    .await;
    let answer = ask(&door, "contacts", "SELECT firstname FROM contact WHERE firstname = 'Anna'").await;
    assert!(answer.json["value"][0].get("contactid").is_none(), "{}", answer.text);
}

async fn joins(on: On) {
    let door = world(on).await;
    let sql = "SELECT c.firstname, a.name FROM contact c JOIN account a ON c.parentcustomerid = a.accountid WHERE a.name LIKE '%AG' ORDER BY c.firstname";
    check(&door, "contacts", sql, "firstname", json!(["Anna", "Bert"])).await;
    check(&door, "contacts", sql, "name", json!(["Adler AG", "Adler AG"])).await;
    let outer = "SELECT c.firstname, a.name AS company FROM contact c LEFT JOIN account a ON a.accountid = c.parentcustomerid ORDER BY c.firstname";
    check(&door, "contacts", outer, "company", json!(["Adler AG", "Adler AG", null])).await;
}

async fn sums(on: On) {
    let door = world(on).await;
    check(&door, "contacts", "SELECT COUNT(*) AS n FROM contact", "n", json!([3])).await;
    let grouped = "SELECT lastname, COUNT(*) AS n FROM contact GROUP BY lastname ORDER BY n DESC";
    check(&door, "contacts", grouped, "n", json!([2, 1])).await;
    check(&door, "contacts", grouped, "lastname", json!(["Meyer", "O'Brien"])).await;
    check(&door, "accounts", "SELECT SUM(numberofemployees) AS n FROM account", "n", json!([12])).await;
    check(&door, "contacts", "SELECT COUNT(DISTINCT lastname) AS n FROM contact", "n", json!([2])).await;
}

async fn pages(on: On) {
    let door = world(on).await;
    let prefer = [("prefer", "odata.maxpagesize=2")];
    for sql in [
        "SELECT firstname FROM contact ORDER BY firstname",
        "SELECT DISTINCT firstname FROM contact ORDER BY firstname",
    ] {
        let first = door.ask("GET", &format!("contacts?sql={}", encoded(sql)), &prefer, "").await;
        assert_eq!(first.json["value"].as_array().unwrap().len(), 2, "{}", first.text);
        let next =
            first.json["@odata.nextLink"].as_str().unwrap_or_else(|| panic!("{}", first.text)).to_owned();
        let second = door.ask("GET", &next, &prefer, "").await;
        assert_eq!(second.json["value"][0]["firstname"], "Cleo", "{}", second.text);
        assert!(second.json.get("@odata.nextLink").is_none());
    }
}

async fn refusals(on: On) {
    let door = world(on).await;
    for (sql, says) in [
        ("SELECT * FROM contact", "name the columns"),
        ("SELECT firstname FROM contact UNION SELECT name FROM account", "UNION"),
        ("SELECT firstname FROM contact WHERE firstname IN (SELECT name FROM account)", "subqueries"),
        ("SELECT nothing FROM contact", "nothing"),
        ("SELECT name FROM account", "account"),
        ("SELECT x.firstname FROM contact c", "'x'"),
        ("SELECT name FROM nothing", "nothing"),
        ("SELECT firstname, COUNT(*) FROM contact", "GROUP BY"),
        ("SELECT createdon FROM contact c JOIN account a ON c.parentcustomerid = a.accountid", "several"),
        ("DROP TABLE crm_contact", "DROP"),
    ] {
        ask(&door, "contacts", sql).await.refused(400, "0x80040203", says);
    }
}
