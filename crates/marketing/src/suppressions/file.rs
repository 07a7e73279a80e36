//! Files of opt-outs: CSV with a head, as marketing programs write them.
//!
//! The address stands in a column `address`, `email`, `email address` or `emailaddress`; `reason` and `date` (`since`,
//! `dateremoved`) may stand beside it. A line that cannot be used is told with its number; its neighbours are taken.

use jiff::Timestamp;
use postroom_core::address::{domain, normal};
use postroom_core::marketing::Status;
use postroom_formats::csv::{Table, line};

use super::rows::{Row, SaidOut};
use crate::fields::convert::moment;

const ADDRESS: [&str; 4] = ["address", "email", "email address", "emailaddress"];
const REASON: [&str; 2] = ["reason", "status"];
const DATE: [&str; 3] = ["date", "since", "dateremoved"];

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The first line is the head.
    pub line: usize,
    pub reason: String,
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    pub said: Vec<SaidOut>,
    pub refused: Vec<Refused>,
}

/// Reads a file; what has no date of its own counts from `now`. `source` and `actor` go into the ledger with each.
///
/// # Errors
/// A file without a column for the address; the text says what is looked for.
pub fn read(bytes: &[u8], now: Timestamp, source: &str, actor: &str) -> Result<Read, String> {
    let table = Table::read(bytes);
    let known = |names: &[&str]| names.iter().find_map(|name| table.column(name));
    let Some(address) = known(&ADDRESS) else {
        return Err(format!("the first line names no column {}", ADDRESS.join(", ")));
    };
    let (reason, date) = (known(&REASON), known(&DATE));
    let mut read = Read::default();
    for (number, row) in table.rows.iter().enumerate() {
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).map_or("", |cell| bare(cell));
        match said(cell(Some(address)), cell(reason), cell(date), now) {
            Ok((address, status, at)) => read.said.push(SaidOut {
                address,
                status,
                at,
                contact: None,
                source: source.to_owned(),
                actor: actor.to_owned(),
            }),
            Err(reason) => read.refused.push(Refused { line: number + 2, reason }),
        }
    }
    Ok(read)
}

/// Without the mark that keeps a spreadsheet from computing.
fn bare(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        _ => cell,
    }
}

fn said(
    address: &str,
    reason: &str,
    date: &str,
    now: Timestamp,
) -> Result<(String, Status, Timestamp), String> {
    let address = usable(address)?;
    let status = match reason {
        "" => Status::Unsubscribed,
        word => Status::from(word),
    };
    if status.mailable() {
        return Err(format!("{reason} is no reason to hold mail back"));
    }
    let at = match date {
        "" => now,
        text => moment(text).ok_or_else(|| format!("{text:?} is no date: write 2026-01-31"))?,
    };
    if at > now {
        return Err(format!("{date} is in the future"));
    }
    Ok((address, status, at))
}

/// An address in normal form.
///
/// # Errors
/// What is none, with a sentence.
pub fn usable(text: &str) -> Result<String, String> {
    let address = normal(text);
    let fits = domain(&address).is_some()
        && !address.starts_with('@')
        && !address.contains(|c: char| c.is_whitespace() || c.is_control());
    match fits {
        true => Ok(address),
        false => Err(format!("{:?} is no e-mail address", text.chars().take(60).collect::<String>())),
    }
}

/// The head of a written file.
pub fn head() -> String {
    line(&["address", "account", "active", "reason", "date", "origin"])
}

/// A row as a line that [`read`] reads again.
pub fn write(row: &Row) -> String {
    let active = if row.active { "yes" } else { "no" };
    let since = row.since.to_string();
    line(&[&row.address, &row.account, active, row.status.as_str(), &since, row.origin.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suppressions::rows::Origin;

    fn now() -> Timestamp {
        "2026-03-10T09:00:00Z".parse().unwrap()
    }

    /// Address, reason and day of each line that is taken, and the numbers of those that are not.
    #[track_caller]
    fn check(text: &str, taken: &[(&str, &str, &str)], refused: &[usize]) {
        let read = read(text.as_bytes(), now(), "file", "anna").unwrap();
        let said: Vec<(String, String, String)> = read
            .said
            .iter()
            .map(|said| {
                (said.address.clone(), said.status.to_string(), said.at.strftime("%Y-%m-%d").to_string())
            })
            .collect();
        let said: Vec<(&str, &str, &str)> =
            said.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        assert_eq!(said, taken, "{text}");
        assert_eq!(
            read.refused.iter().map(|one| one.line).collect::<Vec<_>>(),
            refused,
            "{:?}",
            read.refused
        );
    }

    #[test]
    fn files_as_people_have_them() {
        check("email\nA@x.example\n", &[("a@x.example", "Unsubscribed", "2026-03-10")], &[]);
        check(
            "Reason,Email,Date\nHardBounced,o'brien+x@example.com,2026-01-31\n,'+b@x.example,\n",
            &[
                ("o'brien+x@example.com", "HardBounced", "2026-01-31"),
                ("+b@x.example", "Unsubscribed", "2026-03-10"),
            ],
            &[],
        );
        check(
            "address\nnobody\n\n@x.example\na b@x.example\nc@x.example\n",
            &[("c@x.example", "Unsubscribed", "2026-03-10")],
            &[2, 3, 4],
        );
        check("address,reason,date\na@x,Subscribed,\nb@x,,2027-01-01\nc@x,,soon\n", &[], &[2, 3, 4]);
        assert!(read(b"name\nx\n", now(), "", "").unwrap_err().contains("address, email"));
    }

    #[test]
    fn what_is_written_reads_back() {
        let row = Row {
            account: "main".into(),
            address: "=o'brien+x@example.com".into(),
            active: true,
            status: Status::DirectComplaint,
            since: now(),
            known: now(),
            contact: None,
            origin: Origin::Here,
            told_crm: true,
            told_service: true,
            version: 0,
        };
        let text = format!("{}{}", head(), write(&row));
        assert!(text.contains("'=o'brien"), "{text}");
        check(&text, &[("=o'brien+x@example.com", "DirectComplaint", "2026-03-10")], &[]);
    }
}
