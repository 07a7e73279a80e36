//! Mail that means harm, handed to a running postroom: each comes to a clear end, its neighbours are filed as ever, and
//! the server's memory stays small.

mod content;
mod headers;
mod nul;
mod sizes;
mod smuggling;

use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::house::{House, taken};
use crate::story::text;

const ANNA: &str = "anna@customer.example";
const DESK: &str = "desk@ours.example";
const CASE: &str = "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11";

/// The most memory the server may ever have had.
const MEMORY: u64 = 200 * 1024 * 1024;

const CONFIG: &str = "
[mailboxes.desk]
address = \"desk@ours.example\"
on_unmatched = \"activity\"
";

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let house = House::open(CONFIG);
    house.records(&organisation());
    house
});

/// One attack at a time: what memory it cost is then its own.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn organisation() -> Vec<Value> {
    let account = "6f1ed002-ab5e-4a2c-8d0c-000000000001";
    let (user, queue) = ("6f1ed002-ab5e-4a2c-8d0c-000000000002", "6f1ed002-ab5e-4a2c-8d0c-000000000003");
    vec![
        json!({"table": "systemuser", "id": user, "columns": {"lastname": "Baumann", "internalemailaddress": "ines@ours.example", "domainname": "ines"}}),
        json!({"table": "queue", "id": queue, "columns": {"name": "Desk", "emailaddress": DESK, "ownerid": format!("systemuser/{user}")}}),
        json!({"table": "account", "id": account, "columns": {"name": "Adler", "emailaddress1": ANNA}}),
        json!({"table": "incident", "id": CASE, "columns": {"title": "Pump", "customerid": format!("account/{account}")}}),
    ]
}

/// Headers of a mail with nothing wrong in them, but for the blank line and what the attack adds.
fn headers(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!(
        "From: Anna <{ANNA}>\r\nTo: {DESK}\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <{name}-{number}@customer.example>\r\nMIME-Version: 1.0\r\n"
    )
}

/// A mail that must be filed whatever stands beside it.
fn neighbour() -> Vec<u8> {
    format!("{}Subject: Pump CRM: {{{CASE}}}:MRC\r\n\r\nHello\r\n", headers("neighbour")).into_bytes()
}

/// Sends the attack between two neighbours. The neighbours are filed, the attack has found its place and says why, its
/// bytes are kept as they came, and the memory is within its bound. Answers the attack's message.
#[track_caller]
fn survives(mail: &[u8]) -> Value {
    survives_in(&HOUSE, mail)
}

#[track_caller]
fn survives_in(house: &House, mail: &[u8]) -> Value {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = house.send(ANNA, &[DESK], neighbour());
    let attack = taken(&house.offer(ANNA, &[DESK], mail)[0]);
    let after = house.send(ANNA, &[DESK], neighbour());
    are_filed(house, &[before, after]);
    let message = house.settled(&attack);
    assert!(matches!(text(&message["state"]), "tracked" | "review" | "not_tracked"), "{message:#}");
    assert!(!text(&message["reason"]).is_empty(), "{message:#}");
    if message["sightings"] == 1 {
        // Of mails that nothing tells apart the first is shown.
        assert!(house.raw(&attack) == mail, "its bytes are kept");
    }
    stays_small(house);
    message
}

/// Sends what the listener must refuse for good; the neighbours are filed.
#[track_caller]
fn is_refused(mail: &[u8], code: u16) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = HOUSE.send(ANNA, &[DESK], neighbour());
    let answer = HOUSE.offer(ANNA, &[DESK], mail).remove(0);
    assert_eq!(answer.code, code, "{answer:?}");
    let after = HOUSE.send(ANNA, &[DESK], neighbour());
    are_filed(&HOUSE, &[before, after]);
    stays_small(&HOUSE);
}

#[track_caller]
fn are_filed(house: &House, ids: &[String]) {
    for id in ids {
        let message = house.settled(id);
        assert_eq!(
            (text(&message["state"]), text(&message["record"]["id"])),
            ("tracked", CASE),
            "{message:#}"
        );
    }
}

#[track_caller]
fn stays_small(house: &House) {
    let memory = house.memory();
    assert!(memory < MEMORY, "the server had {} MiB", memory >> 20);
}

/// The e-mail row of an attack that was filed.
#[track_caller]
fn email(message: &Value) -> Value {
    HOUSE.email(message)
}

/// The attachments of an attack that was filed: name and size.
#[track_caller]
fn files(message: &Value) -> Vec<(String, i64)> {
    let mut rows = HOUSE.rows_of(message, "activitymimeattachment", "objectid");
    rows.sort_by_key(|row| row["attachmentnumber"].as_i64());
    rows.iter()
        .map(|row| (text(&row["filename"]).to_owned(), row["filesize"].as_i64().unwrap_or(-1)))
        .collect()
}

/// A multipart mail with one attachment.
fn attached(name: &str, disposition: &str, content_type: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "{}Subject: {name}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
         Content-Type: text/plain\r\n\r\nsee there\r\n--b\r\nContent-Type: {content_type}\r\n\
         Content-Disposition: attachment; {disposition}\r\nContent-Transfer-Encoding: binary\r\n\r\n",
        headers(name)
    );
    [head.as_bytes(), content, b"\r\n--b--\r\n"].concat()
}
