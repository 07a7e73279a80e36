//! The door, asked as a program asks that knows HTTP only.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::people;
use super::table::Row;
use super::{ACCOUNT, Run, Subject};
use crate::bench::flat::thousands;
use crate::bench::flood::{self, flood};
use crate::bench::http::Connection;
use crate::bench::rows;
use crate::bench::table::Latency;

const ROOT: &str = "/api/data/v9.2";
/// Clients that ask at once.
const CLIENTS: [usize; 2] = [1, 32];
/// Operations of the batch.
const BATCH: usize = 1000;

/// What is asked again and again.
#[derive(Clone, Copy)]
enum Ask {
    Create,
    Retrieve,
    /// One contact by its address, whose column has an index.
    Filter,
    /// The first fifty with a last name, in its order, as a view's search does.
    Search,
}

impl Ask {
    fn name(self) -> &'static str {
        match self {
            Ask::Create => "create",
            Ask::Retrieve => "retrieve, 20 columns",
            Ask::Filter => "filter by address, 20 columns",
            Ask::Search => "names that begin so, 50 ordered",
        }
    }

    fn ask(self, connection: &mut Connection, number: usize, contacts: usize) -> Result<String> {
        let person = number.wrapping_mul(7919) % contacts;
        let select = people::select();
        let path = match self {
            Ask::Create => format!("{ROOT}/contacts"),
            Ask::Retrieve => format!("{ROOT}/contacts({})?$select={select}", people::id(person)),
            Ask::Filter => {
                let address = rows::person(person);
                format!("{ROOT}/contacts?$select={select}&$filter=emailaddress1%20eq%20'{address}'")
            }
            Ask::Search => format!(
                "{ROOT}/contacts?$select=fullname,emailaddress1&$filter=startswith(lastname,'K%C3%B6hler-{}')\
                 &$orderby=lastname&$top=50",
                person / 100
            ),
        };
        let (status, answer) = match self {
            Ask::Create => {
                let account = rows::id(ACCOUNT, number % 100);
                let body = json!({
                    "firstname": "New", "lastname": format!("Person {number}"),
                    "emailaddress1": format!("new{number}@customer.example"), "jobtitle": "Buyer",
                    "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
                });
                connection.ask("POST", &path, "application/json", &body.to_string())?
            }
            _ => connection.ask("GET", &path, "", "")?,
        };
        ensure!(status < 300, "{} was answered {status}: {answer}", self.name());
        Ok(answer)
    }

    /// Whether the answer is what was asked for.
    fn good(self, answer: &str) -> bool {
        match self {
            Ask::Create => answer.is_empty(),
            Ask::Retrieve | Ask::Filter | Ask::Search => answer.contains("@customer.example"),
        }
    }
}

/// Single requests with 1 and with 32 clients.
pub fn singles(run: &mut Run, subject: &Subject) -> Result<()> {
    let asks = if run.options.quick { 100 } else { 1000 };
    for ask in [Ask::Retrieve, Ask::Filter, Ask::Search, Ask::Create] {
        for clients in CLIENTS {
            let what =
                format!("{} of {}, {}", ask.name(), thousands(subject.contacts), flood::clients(clients));
            run.say(&format!("{what} on {}", subject.database));
            // A million contacts take a fraction of a million requests: a few per client are enough.
            let row = single(subject, ask, clients, asks * clients.min(8))?;
            run.measured(Row { scenario: what, ..row });
        }
    }
    Ok(())
}

fn single(subject: &Subject, ask: Ask, clients: usize, asks: usize) -> Result<Row> {
    let (address, token) = (subject.address()?, subject.token.as_str());
    let one = |connection: &mut Connection, number| ask.ask(connection, number, subject.contacts);
    if !matches!(ask, Ask::Create) {
        flood(address, token, clients, asks / 10, one, |answer| ask.good(answer))?; // what is read once is read now
    }
    subject.server()?.forget_peak()?;
    let before = subject.server()?.cpu()?;
    let asked = flood(address, token, clients, asks, one, |answer| ask.good(answer))?;
    let after = subject.server()?.cpu()?;
    ensure!(asked.good == asks, "{} of {asks} answers to {} were right", asked.good, ask.name());
    Ok(Row { latency: Latency::of(asked.times), ..row(subject, asks, asked.took, before, after)? })
}

type Cpu = (Duration, Duration);

fn row(subject: &Subject, count: usize, took: Duration, before: Cpu, after: Cpu) -> Result<Row> {
    let each = |time: Duration| Some(time.as_secs_f64() * 100_000.0 / count as f64);
    let database = after.1 - before.1;
    Ok(Row {
        database: subject.database.to_owned(),
        count: count as u64,
        seconds: took.as_secs_f64(),
        door_cpu: each(after.0 - before.0),
        database_cpu: each(database).filter(|_| !database.is_zero()),
        door_peak: Some(subject.server()?.peak()? as f64 / 1e6),
        ..Row::default()
    })
}

/// A batch of creates in one change set, a batch of retrieves, and an aggregate over all contacts.
pub fn whole(run: &mut Run, subject: &Subject) -> Result<()> {
    let fetch = "<fetch aggregate='true'><entity name='contact'><attribute name='contactid' alias='n' \
                 aggregate='count'/><attribute name='jobtitle' alias='title' groupby='true'/></entity></fetch>";
    let aggregate = format!("{ROOT}/contacts?fetchXml={}", encoded(fetch));
    let all = thousands(subject.contacts);
    let batch = |(kind, body)| (format!("{ROOT}/$batch"), kind, body);
    let asks = [
        (format!("batch of {BATCH} creates, one change set"), BATCH, batch(creates())),
        (format!("batch of {BATCH} retrieves"), BATCH, batch(retrieves(subject))),
        (
            format!("FetchXML: count of {all} by a column"),
            subject.contacts,
            (aggregate, String::new(), String::new()),
        ),
    ];
    for (what, count, (path, kind, body)) in asks {
        let method = if kind.is_empty() { "GET" } else { "POST" };
        run.say(&format!("{what} on {}", subject.database));
        let mut connection = Connection::open(subject.address()?, &subject.token)?;
        subject.server()?.forget_peak()?;
        let (before, start) = (subject.server()?.cpu()?, Instant::now());
        let (status, answer) = connection.ask(method, &path, &kind, &body)?;
        let (took, after) = (start.elapsed(), subject.server()?.cpu()?);
        let refused =
            answer.lines().find(|line| line.starts_with("HTTP/1.1 4") || line.starts_with("HTTP/1.1 5"));
        ensure!(status == 200 && refused.is_none(), "{what} was answered {status}: {answer:.1000}");
        let row = row(subject, count, took, before, after)?;
        run.measured(Row { scenario: what, calls: Some(1), ..row });
    }
    Ok(())
}

/// Content type and body.
fn creates() -> (String, String) {
    let mut body = String::from("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n");
    for number in 0..BATCH {
        let row =
            json!({ "lastname": format!("Batch {number}"), "emailaddress1": format!("b{number}@x.example") });
        let _ = write!(
            body,
            "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {}\r\n\r\n\
             POST {ROOT}/contacts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{row}\r\n",
            number + 1
        );
    }
    body.push_str("--c--\r\n--b--\r\n");
    ("multipart/mixed; boundary=b".to_owned(), body)
}

fn retrieves(subject: &Subject) -> (String, String) {
    let (mut body, select) = (String::new(), people::select());
    for number in 0..BATCH {
        let id = people::id(number * 7919 % subject.contacts);
        let _ = write!(
            body,
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             GET {ROOT}/contacts({id})?$select={select} HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
        );
    }
    body.push_str("--b--\r\n");
    ("multipart/mixed; boundary=b".to_owned(), body)
}

fn encoded(text: &str) -> String {
    let sign = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(sign).collect()
}

/// From the start of the process to its first answer to a query.
pub fn start(run: &mut Run, subject: &mut Subject) -> Result<()> {
    subject.stop();
    let start = Instant::now();
    subject.serve("")?;
    let server = subject.server()?;
    let mut connection = Connection::open(subject.address()?, &subject.token)?;
    let answer = Ask::Filter.ask(&mut connection, 1, 10)?;
    ensure!(Ask::Filter.good(&answer), "the first query was answered {answer}");
    let seconds = start.elapsed().as_secs_f64();
    let scenario = format!(
        "start with {} until the first answer ({:.2} s of CPU)",
        thousands(subject.contacts),
        server.cpu()?.0.as_secs_f64()
    );
    run.measured(Row {
        scenario,
        database: subject.database.to_owned(),
        seconds,
        door_peak: Some(server.peak()? as f64 / 1e6),
        ..Row::default()
    });
    Ok(())
}
