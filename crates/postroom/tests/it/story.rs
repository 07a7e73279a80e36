//! The rules for filing mail, end to end: real SMTP into a running postroom, judged by what its commands print.
//!
//! One house for all: every test has cases and Message-IDs of its own, so none disturbs another. The sentences are those
//! of the design's chapters on the decision and on what is written to the CRM.

mod forms;
mod hand;
mod letter;
mod machines;
mod outsiders;
mod people;
mod settings;
mod shelf;
mod threads;
mod tokens;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::house::House;
pub use letter::{Letter, letter};

pub const ANNA: &str = "anna@customer.example";
pub const JONAS: &str = "jonas@customer.example";
pub const STRANGER: &str = "kim@nobody.example";
pub const DESK: &str = "desk@ours.example";
pub const SALES: &str = "sales@ours.example";
pub const INES: &str = "ines@ours.example";

/// Cases that tests take one by one.
const CASES: u32 = 200;

pub const CONFIG: &str = r#"
[token]
header = "X-CRM-Record"
[mailboxes.desk]
address = "desk@ours.example"
[mailboxes.sales]
address = "sales@ours.example"
[mailboxes.ines]
address = "ines@ours.example"
[mailboxes.answers]
address = "answers@ours.example"
track = "replies"
[mailboxes.known]
address = "known@ours.example"
track = "known"
on_unmatched = "activity"
[mailboxes.closed]
address = "closed@ours.example"
track = "none"
[mailboxes.front]
address = "front@ours.example"
on_unmatched = "activity"
[mailboxes.leads]
address = "leads@ours.example"
on_unmatched = "create_lead"
[mailboxes.people]
address = "people@ours.example"
on_unmatched = "create_contact"
[mailboxes.news]
address = "news@ours.example"
on_unmatched = "skip"
"#;

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let house = House::open(CONFIG);
    house.records(&organisation());
    house
});

/// The running postroom that the tests share.
pub fn house() -> &'static House {
    &HOUSE
}

/// A GUID made of a table's letter and a number.
pub fn guid(table: &str, number: u32) -> String {
    let kind = table.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

/// `table/guid`.
pub fn at(table: &str, number: u32) -> String {
    format!("{table}/{}", guid(table, number))
}

/// A record as an import line.
pub fn row(table: &str, number: u32, columns: Value) -> Value {
    json!({ "table": table, "id": guid(table, number), "columns": columns })
}

/// A case that no other test has.
pub fn case() -> Case {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    assert!(number <= CASES, "raise CASES");
    Case(number)
}

/// A case of the organisation: owned by Tom, of the account Adler.
#[derive(Clone, Copy)]
pub struct Case(u32);

impl Case {
    pub fn guid(self) -> String {
        guid("incident", self.0)
    }

    pub fn at(self) -> String {
        at("incident", self.0)
    }

    /// As mail carries it.
    pub fn token(self) -> String {
        format!("CRM: {{{}}}:MRC", self.guid())
    }
}

/// The record that a message lies on, as `table/guid`; empty when on none.
pub fn record(message: &Value) -> String {
    match &message["record"] {
        Value::Null => String::new(),
        record => format!("{}/{}", text(&record["table"]), text(&record["id"])),
    }
}

/// A JSON text; empty when there is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// It is filed on this record, for this reason.
#[track_caller]
pub fn is_on(message: &Value, at: &str, method: &str) {
    assert_eq!(
        (text(&message["state"]), record(message).as_str(), text(&message["method"])),
        ("tracked", at, method),
        "{message:#}"
    );
}

/// It waits for a person, and says why with these words.
#[track_caller]
pub fn is_in_review(message: &Value, why: &str) {
    assert_eq!((text(&message["state"]), record(message).as_str()), ("review", ""), "{message:#}");
    assert!(text(&message["reason"]).contains(why), "{why:?} is not in {message:#}");
}

#[track_caller]
pub fn has_flag(message: &Value, flag: &str) {
    let flags = message["flags"].as_array().expect("flags are a list");
    assert!(flags.iter().any(|known| text(known).starts_with(flag)), "no flag {flag} in {message:#}");
}

/// The people, queues and records that the tests write about.
pub fn organisation() -> Vec<Value> {
    let (ines, tom) = (at("systemuser", 1), at("systemuser", 2));
    let adler = at("account", 1);
    let mut rows = vec![
        row(
            "systemuser",
            1,
            json!({"firstname": "Inês", "lastname": "Baumann", "internalemailaddress": INES, "domainname": "ines"}),
        ),
        row(
            "systemuser",
            2,
            json!({"firstname": "Tom", "lastname": "Okafor", "internalemailaddress": "tom@ours.example", "domainname": "tom"}),
        ),
        row(
            "systemuser",
            3,
            json!({"firstname": "Paul", "lastname": "Hartwig", "internalemailaddress": "paul@ours.example", "domainname": "paul"}),
        ),
        row("queue", 1, json!({"name": "Desk", "emailaddress": DESK, "ownerid": ines})),
        row("queue", 2, json!({"name": "Sales", "emailaddress": SALES, "ownerid": at("systemuser", 3)})),
        row(
            "account",
            1,
            json!({"name": "Adler", "emailaddress1": "office@customer.example", "ownerid": tom}),
        ),
        row("account", 2, json!({"name": "Adler, old", "merged": true, "masterid": adler, "ownerid": tom})),
        row(
            "account",
            3,
            json!({"name": "Adler, oldest", "merged": true, "masterid": at("account", 2), "ownerid": tom}),
        ),
        row(
            "contact",
            1,
            json!({"firstname": "Anna", "lastname": "Adler", "emailaddress1": ANNA, "emailaddress2": "anna.second@home.example",
            "emailaddress3": "Anna.Third@Home.example", "parentcustomerid": adler, "ownerid": tom}),
        ),
        row(
            "contact",
            2,
            json!({"firstname": "Jonas", "lastname": "Weiß", "emailaddress1": JONAS, "parentcustomerid": adler, "ownerid": tom}),
        ),
        row(
            "contact",
            3,
            json!({"lastname": "Twin one", "emailaddress1": "twin@customer.example", "ownerid": tom}),
        ),
        row(
            "contact",
            4,
            json!({"lastname": "Twin two", "emailaddress2": "twin@customer.example", "ownerid": tom}),
        ),
        row(
            "contact",
            5,
            json!({"lastname": "Merged", "merged": true, "masterid": at("contact", 1), "ownerid": tom}),
        ),
        row(
            "contact",
            6,
            json!({"lastname": "Gone", "emailaddress1": "gone@customer.example", "statecode": 1, "ownerid": tom}),
        ),
        row(
            "lead",
            1,
            json!({"lastname": "Costa", "subject": "Pump", "emailaddress1": "mira@lead.example", "ownerid": tom}),
        ),
        row("opportunity", 1, json!({"name": "Pool", "customerid": adler, "ownerid": tom})),
        row(
            "lead",
            2,
            json!({"lastname": "Qualified", "subject": "Mill", "statecode": 1, "statuscode": 3, "parentaccountid": adler,
            "parentcontactid": at("contact", 1), "qualifyingopportunityid": at("opportunity", 1), "ownerid": tom}),
        ),
    ];
    rows.extend(papers(&adler, &tom));
    rows.extend(cases(&adler, &tom));
    rows
}

/// What is sold and said.
fn papers(adler: &str, tom: &str) -> [Value; 4] {
    [
        row("quote", 1, json!({"name": "Offer", "customerid": adler, "ownerid": tom})),
        row("salesorder", 1, json!({"name": "Order", "customerid": adler, "ownerid": tom})),
        row("invoice", 1, json!({"name": "Invoice", "customerid": adler, "ownerid": tom})),
        row("campaign", 1, json!({"name": "Spring", "ownerid": tom})),
    ]
}

/// The cases that the letters name, and one that was merged into the last of them.
fn cases(adler: &str, tom: &str) -> Vec<Value> {
    let case = |number| {
        row(
            "incident",
            number,
            json!({"title": format!("Case {number}"), "customerid": adler, "ownerid": tom}),
        )
    };
    let merged =
        json!({"title": "Merged", "customerid": adler, "merged": true, "masterid": at("incident", CASES)});
    (1..=CASES).map(case).chain([row("incident", 9001, merged)]).collect()
}
