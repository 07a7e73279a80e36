//! Real mail: every mail of the collections goes in by import and by SMTP. Nothing is lost, nothing lies on the shelf,
//! and what was stored is what came.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use postroom_formats::mbox::{self, Mbox, Quoting};
use postroom_formats::mime::{Limits, Mail};
use postroom_mail::client::Client;
use serde_json::Value;

use crate::house::{House, taken, wait_for};
use crate::story::text;

const CONFIG: &str = "
[mailboxes.desk]
address = \"desk@ours.example\"
on_unmatched = \"activity\"
";

/// Where the parsers' own tests keep the collections.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/data")
}

/// The mails, in the order in which `message import` reads folders.
fn mails() -> Vec<Vec<u8>> {
    let mut mails = Vec::new();
    for collection in ["enmime", "mime4j", "sisimai"] {
        let entries = fs::read_dir(folder().join(collection)).expect("the collection is there");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
        files.sort();
        let is_mail = |path: &&PathBuf| {
            path.extension().is_some_and(|ending| ["eml", "msg", "raw"].iter().any(|known| ending == *known))
        };
        mails.extend(
            files
                .iter()
                .filter(is_mail)
                .flat_map(|path| one_or_more(fs::read(path).expect("a readable file"))),
        );
    }
    assert!(mails.len() > 400, "only {} mails were found", mails.len());
    mails
}

/// Some files were kept as mailboxes: behind a line `From …`, one of them with two mails in it.
fn one_or_more(file: Vec<u8>) -> Vec<Vec<u8>> {
    match mbox::is_mbox(&file) {
        false => vec![file],
        true => Mbox::new(file.as_slice(), Quoting::default(), 64 << 20)
            .map(|mail| mail.expect("a whole mail").raw)
            .collect(),
    }
}

/// Every message has found its place; the books balance.
#[track_caller]
fn all_filed(house: &House, expected: usize) -> Vec<Value> {
    let all = house.all_settled();
    assert_eq!(all.len(), expected);
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    all.iter().for_each(|message| *states.entry(text(&message["state"])).or_default() += 1);
    let placed: usize =
        ["tracked", "review", "not_tracked"].iter().filter_map(|state| states.get(state)).sum();
    assert_eq!(placed, expected, "{states:?}");
    assert!(all.iter().all(|message| !text(&message["reason"]).is_empty() && !message["class"].is_null()));
    let books = house.verify();
    assert_eq!(
        (books["messages"].as_u64(), books["shelf"].as_u64()),
        (Some(expected as u64), Some(0)),
        "{books}"
    );
    all
}

/// Every mail is read back and compared.
#[track_caller]
fn compared(house: &House, pairs: &[(&str, &[u8])]) {
    for (id, mail) in pairs {
        assert!(house.raw(id) == *mail, "{id} is not what came");
    }
}

/// What is known by its size only is compared where no other mail has that size.
fn alone_of_their_size<'a>(pairs: &[(&'a str, &'a [u8])], mails: &[Vec<u8>]) -> Vec<(&'a str, &'a [u8])> {
    let alone = |mail: &[u8]| mails.iter().filter(|other| other.len() == mail.len()).count() == 1;
    pairs.iter().filter(|(_, mail)| alone(mail)).copied().collect()
}

#[test]
fn imported() {
    let (house, mails) = (House::quiet(CONFIG), mails());
    let folders = ["enmime", "mime4j", "sisimai"].map(|name| folder().join(name).display().to_string());
    let counts = house.one(
        &[&["message", "import", "--mailbox", "desk"], folders.each_ref().map(String::as_str).as_slice()]
            .concat(),
    );
    let count = |key: &str| counts[key].as_u64().unwrap_or_default() as usize;
    assert_eq!((count("read"), count("failed")), (mails.len(), 0), "{counts}");
    assert_eq!(count("new") + count("known"), mails.len());
    let states: usize = ["tracked", "review", "not_tracked"].map(count).iter().sum();
    assert_eq!(states, count("new"), "{counts}");
    let all = all_filed(&house, count("new"));
    let by_size: BTreeMap<u64, &[u8]> =
        mails.iter().map(|mail| (mail.len() as u64, mail.as_slice())).collect();
    let seen_once = all.iter().filter(|message| message["sightings"] == 1);
    let pairs: Vec<(&str, &[u8])> = seen_once
        .filter_map(|message| Some((text(&message["id"]), *by_size.get(&message["size"].as_u64()?)?)))
        .collect();
    assert!(pairs.len() > 300, "only {} can be compared", pairs.len());
    let house = house.started();
    compared(&house, &alone_of_their_size(&pairs, &mails));
    attachments_are_whole(&house, &all, &mails);
    let again = house.one(
        &[&["message", "import", "--mailbox", "desk"], folders.each_ref().map(String::as_str).as_slice()]
            .concat(),
    );
    assert_eq!(
        (again["new"].as_u64(), again["known"].as_u64()),
        (Some(0), Some(mails.len() as u64)),
        "a repeat adds nothing"
    );
    house.verify();
}

/// Some mails' attachments, compared with what the parser finds in the file.
fn attachments_are_whole(house: &House, all: &[Value], mails: &[Vec<u8>]) {
    let rows = house.list(&["record", "list", "activitymimeattachment", "--limit", "0"]);
    let mut of: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for row in &rows {
        of.entry(text(&row["columns"]["objectid"])).or_default().push(row);
    }
    let by_size: BTreeMap<u64, &Vec<u8>> = mails.iter().map(|mail| (mail.len() as u64, mail)).collect();
    let mut checked = 0;
    for message in all.iter().filter(|message| message["state"] == "tracked") {
        let Some(mail) = message["size"].as_u64().and_then(|size| by_size.get(&size)) else { continue };
        let parsed = Mail::parse(mail, &Limits::default());
        if parsed.message_id.is_none()
            || message["message_id"] != format!("<{}>", parsed.message_id.as_deref().unwrap_or_default())
        {
            continue;
        }
        let expected = parsed.attachments();
        let mut written =
            of.remove(format!("email/{}", text(&message["activity_id"])).as_str()).unwrap_or_default();
        written.sort_by_key(|row| row["columns"]["attachmentnumber"].as_i64());
        let unpacked = expected.iter().any(|file| file.content_type.contains("tnef"));
        assert!(unpacked || written.len() == expected.len(), "{message:#}");
        for (row, file) in written.iter().zip(&expected).filter(|_| !unpacked) {
            assert_eq!(
                (text(&row["columns"]["filename"]), row["columns"]["filesize"].as_u64()),
                (file.name.as_str(), Some(file.size))
            );
            if checked % 20 == 0 {
                let shown = house.one(&["record", "show", "activitymimeattachment", text(&row["id"])]);
                let body = &parsed.parts[file.part as usize].body;
                assert_eq!(unbase64(text(&shown["columns"]["body"])), body.as_ref(), "{}", file.name);
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} attachments were compared");
}

/// RFC 4648, for what we wrote ourselves.
fn unbase64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |byte: u8| LETTERS.iter().position(|letter| *letter == byte).unwrap_or(0) as u32;
    let mut out = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let bits = four.iter().fold(0u32, |bits, byte| bits << 6 | value(*byte));
        let padding = four.iter().filter(|byte| **byte == b'=').count();
        out.extend(&bits.to_be_bytes()[1..4 - padding]);
    }
    out
}

#[test]
fn sent_by_smtp() {
    let (house, mails) = (House::open(CONFIG), mails());
    let smtp = house.smtp.expect("it listens");
    let ids: Vec<String> = wait_for(async {
        let mut client = Client::connect(smtp).await.expect("the listener greets");
        let mut ids = Vec::new();
        for mail in &mails {
            let answers =
                client.send("sender@client.example", &["desk@ours.example"], mail).await.expect("it answers");
            ids.push(taken(&answers[0]));
        }
        ids
    });
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    all_filed(&house, distinct.len());
    let twice = |id: &String| ids.iter().filter(|other| *other == id).count() > 1;
    let once = ids.iter().zip(&mails).filter(|(id, _)| !twice(id));
    let pairs: Vec<(&str, &[u8])> = once.map(|(id, mail)| (id.as_str(), mail.as_slice())).collect();
    compared(&house, &pairs);
    assert!(house.memory() < 200 << 20, "the server had {} MiB", house.memory() >> 20);
    assert!(!house.log().contains("panicked"), "{}", house.log());
    assert!(house.stop(), "{}", house.log());
}
