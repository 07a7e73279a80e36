//! Natural keys of the rows that the connector writes to the CRM (marketing-entities.md, *Key* of each table).
//!
//! A key is the text of `esc_externalkey`, and [`Key::id`] is the row's id made of it: a repeated create meets its own row on
//! every generation, with alternate keys or without. A key never changes once a row has it, so nothing goes in that may.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postroom_core::address::normal;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::solution::definitions;

/// The longest text that `esc_externalkey` takes, in UTF-16 units.
const LONGEST: usize = 200;

/// The natural key of one row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

/// An account of the service: what the keys of everything in it begin with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account(String);

/// What is told of one click; all of it makes two clicks different.
#[derive(Debug, Clone, Copy)]
pub struct Click<'a> {
    pub campaign: i64,
    pub contact: i64,
    pub at: Timestamp,
    pub url: &'a str,
    pub ip: &'a str,
    pub agent: &'a str,
    pub keyword: &'a str,
}

/// What is told of one purchase or other mark of a person who followed a link.
#[derive(Debug, Clone, Copy)]
pub struct Mark<'a> {
    pub campaign: i64,
    pub contact: i64,
    pub name: &'a str,
    pub at: Timestamp,
    pub value: &'a str,
}

impl Key {
    /// A text too long for the column keeps its beginning and ends with a hash of the whole.
    fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.encode_utf16().count() <= LONGEST {
            return Key(text);
        }
        let hash = hash([text.as_str()]);
        // Every character of the rest may take two units.
        let start: String = text.chars().take((LONGEST - hash.len() - 1) / 2).collect();
        Key(format!("{start}~{hash}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the row in `table`.
    pub fn id(&self, table: &str) -> Uuid {
        definitions::id(&format!("row:{table}:{}", self.0))
    }

    /// A key as it was kept.
    pub fn kept(text: &str) -> Self {
        Key(text.to_owned())
    }

    /// The one row of the connector's settings.
    pub fn configuration() -> Self {
        Key::new("config")
    }

    pub fn crm_field(table: &str, column: &str) -> Self {
        Key::new(format!("{table}.{column}"))
    }

    /// A send that was asked for here, by the token made before the call.
    pub fn requested_send(token: Uuid) -> Self {
        Key::new(format!("tok:{token}"))
    }

    pub fn group_item(group: Uuid, list: Uuid) -> Self {
        Key::new(format!("{group}:{list}"))
    }

    pub fn group_choice(item: Uuid, table: &str, record: Uuid) -> Self {
        Key::new(format!("{item}:{table}:{record}"))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Account {
    /// `region` is the service's word (`r1`), `id` the account's number there.
    pub fn new(region: &str, id: i64) -> Self {
        Account(format!("acct:{region}:{id}"))
    }

    pub fn key(&self) -> Key {
        Key::new(self.0.clone())
    }

    fn of(&self, rest: fmt::Arguments<'_>) -> Key {
        Key::new(format!("{}:{rest}", self.0))
    }

    /// Names of data fields differ in more than case.
    pub fn label(&self, name: &str) -> Key {
        self.of(format_args!("df:{}", name.to_uppercase()))
    }

    pub fn mapping(&self, table: &str, label: &str) -> Key {
        self.of(format_args!("map:{table}:{}", label.to_uppercase()))
    }

    pub fn campaign(&self, id: i64) -> Key {
        self.of(format_args!("c:{id}"))
    }

    /// A send that was made at the service itself.
    pub fn found_send(&self, campaign: i64, at: Timestamp) -> Key {
        self.of(format_args!("c:{campaign}:at:{}", second(at)))
    }

    /// What one person did with one send.
    pub fn summary(&self, campaign: i64, contact: i64, sent: Timestamp) -> Key {
        self.of(format_args!("c:{campaign}:k:{contact}:{}", second(sent)))
    }

    /// `n` counts clicks of which everything is the same, from 0: a person may follow a link twice in a second.
    pub fn click(&self, click: &Click<'_>, n: u32) -> Key {
        let Click { campaign, contact, at, url, ip, agent, keyword } = *click;
        let hash = hash([
            &campaign.to_string(),
            &contact.to_string(),
            at.to_string().as_str(),
            url,
            ip,
            agent,
            keyword,
        ]);
        self.of(format_args!("clk:{hash}:{n}"))
    }

    pub fn mark(&self, mark: &Mark<'_>, n: u32) -> Key {
        let Mark { campaign, contact, name, at, value } = *mark;
        let hash = hash([&campaign.to_string(), &contact.to_string(), name, at.to_string().as_str(), value]);
        self.of(format_args!("roi:{hash}:{n}"))
    }

    /// Something that a person did of which the CRM has no row; `kind` keeps the kinds apart, `n` counts as in [`Account::click`].
    pub fn behaviour(&self, kind: &str, campaign: i64, contact: i64, parts: &[&str], n: u32) -> Key {
        let (campaign, contact) = (campaign.to_string(), contact.to_string());
        let hash = hash([kind, &campaign, &contact].into_iter().chain(parts.iter().copied()));
        self.of(format_args!("{kind}:{hash}:{n}"))
    }

    pub fn bookmark(&self, campaign: i64, contact: i64, name: &str) -> Key {
        self.of(format_args!("c:{campaign}:k:{contact}:sb:{name}"))
    }

    pub fn suppression(&self, address: &str) -> Key {
        self.of(format_args!("sup:{}", normal(address)))
    }

    pub fn list_unsubscribe(&self, list: i64, address: &str) -> Key {
        self.of(format_args!("ab:{list}:un:{}", normal(address)))
    }

    /// Somebody whom only the service knew.
    pub fn person(&self, address: &str) -> Key {
        self.of(format_args!("person:{}", normal(address)))
    }

    pub fn preference(&self, id: i64) -> Key {
        self.of(format_args!("pref:{id}"))
    }

    pub fn preference_choice(&self, id: i64, table: &str, record: Uuid) -> Key {
        self.of(format_args!("pref:{id}:{table}:{record}"))
    }

    pub fn subscription_group(&self, row: Uuid) -> Key {
        self.of(format_args!("sg:{row}"))
    }

    pub fn form(&self, id: i64) -> Key {
        self.of(format_args!("form:{id}"))
    }

    pub fn question(&self, form: i64, field: i64) -> Key {
        self.of(format_args!("form:{form}:q:{field}"))
    }

    pub fn question_option(&self, form: i64, field: i64, choice: i64) -> Key {
        self.of(format_args!("form:{form}:q:{field}:o:{choice}"))
    }

    pub fn response(&self, id: i64) -> Key {
        self.of(format_args!("resp:{id}"))
    }

    /// `choice` when the question takes several.
    pub fn answer(&self, response: i64, field: i64, choice: Option<i64>) -> Key {
        match choice {
            Some(choice) => self.of(format_args!("resp:{response}:q:{field}:o:{choice}")),
            None => self.of(format_args!("resp:{response}:q:{field}")),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The second of a moment, as the service tells it.
fn second(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S").to_string()
}

/// The first half of SHA-256 over the parts, each with its length before it.
fn hash<'p>(parts: impl IntoIterator<Item = &'p str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let whole: [u8; 32] = hash.finalize().into();
    whole[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account::new("r1", 42)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(key: &Key, expected: &str) {
        assert_eq!(key.as_str(), expected);
    }

    #[test]
    fn written_out() {
        let (a, row) = (account(), Uuid::nil());
        check(&a.key(), "acct:r1:42");
        check(&a.label("first_name"), "acct:r1:42:df:FIRST_NAME");
        check(&a.campaign(7), "acct:r1:42:c:7");
        check(&a.summary(7, 9, at("2026-01-02T03:04:05.9Z")), "acct:r1:42:c:7:k:9:20260102030405");
        check(&a.suppression(" O'Brien+X@Example.com"), "acct:r1:42:sup:o'brien+x@example.com");
        check(&a.list_unsubscribe(3, "A@x.example"), "acct:r1:42:ab:3:un:a@x.example");
        check(&a.answer(5, 6, Some(7)), "acct:r1:42:resp:5:q:6:o:7");
        check(&a.preference_choice(5, "lead", row), &format!("acct:r1:42:pref:5:lead:{row}"));
    }

    #[test]
    fn two_clicks_in_one_second() {
        let click = |url| Click {
            campaign: 7,
            contact: 9,
            at: at("2026-01-02T03:04:05Z"),
            url,
            ip: "192.0.2.1",
            agent: "",
            keyword: "",
        };
        let key = |url, n| account().click(&click(url), n);
        assert_ne!(key("https://a.example/1", 0), key("https://a.example/2", 0));
        assert_ne!(key("https://a.example/1", 0), key("https://a.example/1", 1));
        assert_eq!(key("https://a.example/1", 0), key("https://a.example/1", 0));
        // What stands where is part of it.
        let moved = Click { agent: "x", ..click("") };
        assert_ne!(account().click(&moved, 0), account().click(&Click { keyword: "x", ..click("") }, 0));
    }

    #[test]
    fn the_longest_addresses_have_keys_of_their_own() {
        let long = |end: &str| format!("{}{end}@{}.example", "ä".repeat(180), "d".repeat(60));
        let (one, two) = (account().suppression(&long("a")), account().suppression(&long("b")));
        assert!(one.as_str().encode_utf16().count() <= LONGEST);
        assert!(one.as_str().starts_with("acct:r1:42:sup:ää"));
        assert_ne!(one, two);
        let wide = account().label(&"😀".repeat(300));
        assert!(wide.as_str().encode_utf16().count() <= LONGEST);
    }

    #[test]
    fn ids_are_of_a_table() {
        let key = account().campaign(7);
        assert_eq!(key.id("esc_emailcampaign"), account().campaign(7).id("esc_emailcampaign"));
        assert_ne!(key.id("esc_emailcampaign"), key.id("esc_form"));
        assert_ne!(key.id("esc_emailcampaign"), Account::new("r2", 42).campaign(7).id("esc_emailcampaign"));
    }
}
