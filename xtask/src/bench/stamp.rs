//! How long `POST /agent/v1/stamp` takes, with 100,000 contacts in the CRM.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::flat::thousands;
use super::flood::{self, Flood, flood};
use super::http::Connection;
use super::site::{self, Server};
use super::table::{Latency, Row};
use super::{Run, rows};

/// Contacts, and how many of them have an open case, which is what a stamp names.
const FULL: (usize, usize) = (100_000, 1000);
const QUICK: (usize, usize) = (2000, 200);
/// Clients that ask at once, each without a pause.
const CLIENTS: [usize; 2] = [1, 8];

pub fn measure(run: &mut Run) -> Result<()> {
    let (people, cases) = if run.options.quick { QUICK } else { FULL };
    let asks = if run.options.quick { 200 } else { 2000 };
    for database in run.databases() {
        run.say(&format!("{} contacts into {database}", thousands(people)));
        let site = run.site_with(database, "stamp", "\n[http]\nlisten = \"127.0.0.1:0\"\n")?;
        let file = rows::people(&site.folder.join("people.jsonl"), people, cases)?;
        site.command(&["record", "import"], &[&file])?;
        let token = site.token("agent")?;
        let server = site.serve()?;
        for clients in CLIENTS {
            let what = format!("stamp, {} contacts, {}", thousands(people), flood::clients(clients));
            run.say(&format!("{what} on {database}"));
            let row = row(&server, &token, clients, asks * clients, cases)?;
            run.table.rows.push(Row { scenario: what, database: database.to_owned(), ..row });
        }
        drop(server);
        site.remove()?;
    }
    Ok(())
}

fn row(server: &Server, token: &str, clients: usize, asks: usize, cases: usize) -> Result<Row> {
    let address = server.http.context("the site has an API")?;
    flooded(address, token, clients, asks / 10, cases)?; // what is read once is read now
    let before = server.cpu()?;
    let asked = flooded(address, token, clients, asks, cases)?;
    let after = server.cpu()?;
    // Every second recipient has a case.
    ensure!(asked.good == asks / 2, "{} of {asks} subjects were stamped, not half", asked.good);
    let each = |time: Duration| Some(time.as_secs_f64() * 1000.0 / asks as f64);
    Ok(Row {
        messages: asks as u64,
        rate: Some(asks as f64 / asked.took.as_secs_f64()),
        server_cpu: each(after.0 - before.0),
        database_cpu: Some(after.1 - before.1).filter(|cpu| !cpu.is_zero()).and_then(each),
        latency: Latency::of(asked.times),
        peak: Some(server.peak()? as f64 / 1e6),
        ..Row::default()
    })
}

fn flooded(address: SocketAddr, token: &str, clients: usize, asks: usize, cases: usize) -> Result<Flood> {
    let stamp = |connection: &mut Connection, number| connection.post("/agent/v1/stamp", &ask(number, cases));
    let stamped = |answer: &str| {
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        answer["subject"].as_str().is_some_and(|text| text.contains("CRM:"))
    };
    flood(address, token, clients, asks, stamp, stamped)
}

/// Every second one goes to a person with a case, the others to a person without.
fn ask(number: usize, cases: usize) -> String {
    let person = number / 2 * 7919 % cases + if number.is_multiple_of(2) { 0 } else { cases };
    json!({ "subject": "Your visit on Monday", "from": site::RECIPIENT, "to": [rows::person(person)] })
        .to_string()
}
