//! The mixed corpus of crates/postroom/tests/data/corpus.py, with the records that its mail belongs to.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use super::mails::Mail;
use super::process::output;
use super::{root, site, target};

/// The mails in delivery order and what is to come of them.
pub struct Corpus {
    pub folder: PathBuf,
    pub mails: Vec<Mail>,
    /// The ids of the records.
    pub ids: Vec<String>,
    /// The addresses of the senders.
    pub senders: Vec<String>,
    /// Records, senders and a queue, for `record import`.
    pub records: PathBuf,
    belongs: Vec<bool>,
}

#[derive(Deserialize)]
struct Truth {
    file: String,
    mail_from: String,
    rcpt: String,
    expected: Option<String>,
}

impl Corpus {
    /// Makes it, or takes the one that an earlier run left in the target folder.
    pub fn make(count: usize) -> Result<Corpus> {
        let folder = target().join(format!("bench/corpus-{count}"));
        if !folder.join("summary.json").exists() {
            let mut script = Command::new("python3");
            script.arg(root().join("crates/postroom/tests/data/corpus.py"));
            script.args(["--count", &count.to_string(), "--formats", "eml", "--out"]).arg(&folder);
            output(&mut script).context("corpus.py needs Python 3.8")?;
        }
        let truth = fs::read_to_string(folder.join("truth.jsonl"))?;
        let truth: Vec<Truth> = truth.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let mails = truth.iter().map(|truth| {
            let raw = fs::read(folder.join(&truth.file)).with_context(|| truth.file.clone())?;
            Ok(Mail::new(&truth.mail_from, &truth.rcpt, &raw))
        });
        let mails = mails.collect::<Result<_>>()?;
        let records = folder.join("records.jsonl");
        let (ids, senders) = write_records(&folder, &records)?;
        let belongs = truth.iter().map(|truth| truth.expected.is_some()).collect();
        Ok(Corpus { folder, mails, ids, senders, records, belongs })
    }

    /// How many of the first mails belong to a record.
    pub fn tracked(&self, first: usize) -> usize {
        self.belongs.iter().take(first).filter(|belongs| **belongs).count()
    }

    /// `count` replies of about `size` bytes, spread over records and senders.
    pub fn letters(
        &self,
        series: &str,
        count: usize,
        size: usize,
    ) -> impl Iterator<Item = (String, Vec<u8>)> {
        (0..count).map(move |number| {
            let record = &self.ids[number * 7919 % self.ids.len()];
            let sender = &self.senders[number * 104_729 % self.senders.len()];
            let raw = super::mails::letter(series, number, size, record, sender, site::RECIPIENT);
            (sender.clone(), raw)
        })
    }
}

/// Answers the ids of the records and the addresses of the senders.
fn write_records(folder: &Path, to: &Path) -> Result<(Vec<String>, Vec<String>)> {
    let mut file = BufWriter::new(File::create(to)?);
    let customer = "c0000000-0000-4000-8000-000000000001";
    let queue = "c0000000-0000-4000-8000-000000000002";
    let mut write = |table: &str, id: &str, columns: serde_json::Value| {
        writeln!(file, "{}", json!({ "table": table, "id": id, "columns": columns }))
    };
    write("account", customer, json!({ "name": "A customer" }))?;
    write("queue", queue, json!({ "name": "Support", "emailaddress": site::RECIPIENT }))?;
    let (mut ids, mut senders) = (Vec::new(), Vec::new());
    for [_, id, table, name] in rows(&folder.join("records.csv"))? {
        let columns = match table.as_str() {
            "contact" => json!({ "lastname": name }),
            "lead" => json!({ "lastname": name, "subject": name }),
            "account" => json!({ "name": name }),
            "incident" => json!({ "title": name, "customerid": format!("account/{customer}") }),
            _ => json!({ "name": name, "customerid": format!("account/{customer}") }),
        };
        write(&table, &id, columns)?;
        ids.push(id);
    }
    for (place, [email, name]) in rows(&folder.join("contacts.csv"))?.into_iter().enumerate() {
        let (first, last) = name.split_once(' ').unwrap_or(("", &name));
        let id = format!("c1000000-0000-4000-8000-{place:012x}");
        write("contact", &id, json!({ "firstname": first, "lastname": last, "emailaddress1": email }))?;
        senders.push(email);
    }
    file.flush()?;
    Ok((ids, senders))
}

/// The rows below the head of a CSV file whose cells hold no commas.
fn rows<const N: usize>(path: &Path) -> Result<Vec<[String; N]>> {
    let text = fs::read_to_string(path)?;
    let row = |line: &str| -> Result<[String; N]> {
        let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        cells.try_into().ok().with_context(|| format!("{}: {line}", path.display()))
    };
    text.lines().skip(1).map(row).collect()
}
