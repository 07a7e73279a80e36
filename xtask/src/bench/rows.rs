//! Rows for `record import`: people, their cases, and mail that the CRM wants sent.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

/// The queue of the corpus' records, whose address is `site::RECIPIENT`.
const QUEUE: &str = "c0000000-0000-4000-8000-000000000002";

/// A file of lines.
pub struct Rows {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Rows {
    pub fn create(path: PathBuf) -> Result<Rows> {
        let file = BufWriter::new(File::create(&path)?);
        Ok(Rows { path, file })
    }

    pub fn put(&mut self, table: &str, id: &str, columns: &Value) -> Result<()> {
        writeln!(self.file, "{}", json!({ "table": table, "id": id, "columns": columns }))?;
        Ok(())
    }

    /// Writes out what is left; answers where.
    pub fn done(mut self) -> Result<PathBuf> {
        self.file.flush()?;
        Ok(self.path)
    }
}

/// The id of row `number` of a series.
pub fn id(series: u8, number: usize) -> String {
    format!("d{series}000000-0000-4000-8000-{number:012x}")
}

/// The address of person `number`.
pub fn person(number: usize) -> String {
    format!("person{number}@customer.example")
}

const PERSON: u8 = 0;
const CASE: u8 = 1;
const EMAIL: u8 = 2;
const FROM: u8 = 3;
const TO: u8 = 4;

/// `count` people, the first `cases` of them with an open case.
pub fn people(path: &Path, count: usize, cases: usize) -> Result<PathBuf> {
    let mut rows = Rows::create(path.to_owned())?;
    for number in 0..count {
        let columns = json!({
            "firstname": "Person", "lastname": number.to_string(), "emailaddress1": person(number)
        });
        rows.put("contact", &id(PERSON, number), &columns)?;
    }
    for number in 0..cases {
        let customer = format!("contact/{}", id(PERSON, number));
        let columns = json!({ "title": format!("Case {number}"), "customerid": customer });
        rows.put("incident", &id(CASE, number), &columns)?;
    }
    rows.done()
}

/// `count` people, and a mail of the queue to each, about them, in *Pending Send*.
///
/// A line is a transaction of its own, so an e-mail becomes pending when its parties are there.
pub fn pending(path: &Path, count: usize, html: &str) -> Result<PathBuf> {
    let mut rows = Rows::create(path.to_owned())?;
    for number in 0..count {
        let person = format!("contact/{}", id(PERSON, number));
        let columns = json!({ "lastname": number.to_string(), "emailaddress1": self::person(number) });
        rows.put("contact", &id(PERSON, number), &columns)?;
        let columns = json!({
            "subject": format!("Your order {number}"), "description": html, "directioncode": true,
            "regardingobjectid": person
        });
        rows.put("email", &id(EMAIL, number), &columns)?;
        let email = format!("email/{}", id(EMAIL, number));
        for (series, mask, party) in [(FROM, 1, format!("queue/{QUEUE}")), (TO, 2, person)] {
            let columns = json!({ "activityid": email, "participationtypemask": mask, "partyid": party });
            rows.put("activityparty", &id(series, number), &columns)?;
        }
        rows.put("email", &id(EMAIL, number), &json!({ "statecode": 1, "statuscode": 6 }))?;
    }
    rows.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_guids() {
        assert_eq!(id(2, 255), "d2000000-0000-4000-8000-0000000000ff");
    }

    #[test]
    fn a_mail_is_pending_when_its_parties_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = pending(&folder.path().join("rows"), 2, "<p>x</p>").unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let tables: Vec<&str> = lines.iter().take(5).map(|line| line["table"].as_str().unwrap()).collect();
        assert_eq!(tables, ["contact", "email", "activityparty", "activityparty", "email"]);
        assert_eq!((lines.len(), &lines[4]["columns"]["statuscode"]), (10, &json!(6)));
    }
}
