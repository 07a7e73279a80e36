//! Hostile texts in every place of a query: they are data, or the answer is a clear refusal. Never an error of the database,
//! and never another row, table or column than before.
//!
//! Both doors, both databases. What is too large or too deep is in [`large`].

mod large;
mod soap;
mod web;

use postroom_core::{Crm, Filter, Query};

use crate::bench::Bench;
use crate::door::Answer;

/// Texts that mean something to somebody on the way: to OData, FetchXML, XML, JSON, URLs, headers, and to both databases.
pub const HOSTILE: &[&str] = &[
    "o'brien+x@example.com",
    "'; DROP TABLE crm_contact; --",
    "') OR ('1'='1",
    "\" OR \"\"=\"",
    "\"; DELETE FROM crm_contact; --",
    "x' UNION SELECT id FROM crm_table --",
    "'||(SELECT 1)||'",
    "%",
    "_",
    "100%_\\",
    "\\",
    "\\'",
    "[",
    "[z-a]",
    "[a-b-c]",
    "[]a]",
    "[^]",
    "[[:alpha:]]",
    "[\\",
    "(?i)(a+)+$",
    "*?[",
    "$1",
    "?",
    "?1",
    ":x",
    "@p1",
    "{0}",
    "${x}",
    "null",
    "true",
    "NaN",
    "1e999",
    "-0",
    "99999999999999999999",
    "0x41",
    "--",
    "/*",
    "*/",
    ";",
    "#",
    "%00",
    "%2527",
    "a&b=c",
    "..",
    "../../etc/passwd",
    "<a>&b;</a>",
    "]]>",
    "<!--",
    "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///x\">]>",
    "\u{202e}txt.exe",
    "\u{feff}x",
    "\u{200b}",
    "e\u{301}",
    "🙂😀",
    "𝕏",
    "İstanbul",
    "\u{212a}elvin",
    "ΣΊΣΥΦΟΣ σίσυφος",
    "ẞß",
    "ǅ",
    "tab\there",
    "two\r\nlines",
    "\r\nX-Injected: yes",
    "\u{85}\u{2028}",
    "\u{fdd0}",
];

/// Texts that XML 1.0 or a database cannot hold: data where they can be, refused where they cannot.
pub const UNSTORABLE: &[&str] = &["nul\0in", "\0", "bell\u{7}", "\u{1b}[31m", "\u{fffe}", "\u{ffff}x"];

pub fn long() -> String {
    "x'\"%_\\".repeat(4000)
}

/// Every text, one after the other.
pub fn all() -> Vec<String> {
    let short = HOSTILE.iter().chain(UNSTORABLE).map(|text| (*text).to_owned());
    short.chain([long()]).collect()
}

/// What an answer may be: data, or a refusal that says why.
#[track_caller]
pub fn fair(what: &str, answer: &Answer) {
    let shown = |text: &str| text.chars().take(600).collect::<String>();
    assert!(answer.status < 500, "{}: {} {}", shown(what), answer.status, shown(&answer.text));
    if answer.status >= 400 {
        let message = answer.json["error"]["message"].as_str().unwrap_or_default();
        assert!(
            !message.is_empty(),
            "{}: {} without a word: {}",
            shown(what),
            answer.status,
            shown(&answer.text)
        );
    }
    assert!(answer.headers.get("x-injected").is_none(), "{}: a header was let in", shown(what));
}

/// How many rows there are of what the texts would like to change.
pub async fn census(bench: &Bench) -> Vec<(String, usize)> {
    let mut counts = Vec::new();
    for table in ["contact", "account", "email", "systemuser", "role"] {
        let rows = bench.crm.query(&Query::of(table).select(&[]).filter(Filter::All(vec![]))).await;
        counts.push((table.to_owned(), rows.unwrap().len()));
    }
    counts.push(("tables".to_owned(), bench.crm.schema().await.unwrap().tables().count()));
    counts
}

pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let each = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(each).collect()
}

/// As XML writes it in an attribute or element.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
