//! Contacts written by the make, copied into a local table, and kept in step with it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::people::{self, COLUMNS};
use super::reader::{self, Ran};
use super::table::Row;
use super::{Run, Subject};
use crate::bench::flat::thousands;
use crate::bench::http::Connection;
use crate::bench::process::output;
use crate::bench::root;
use crate::bench::site::Database;

/// The makes that are measured.
const MAKES: [&str; 2] = ["Web API", "SOAP"];
/// Rows of a page.
const PAGE: usize = 5000;
/// Sets in one call of the port.
const LOT: usize = 1000;

/// Writes contacts until there are `size`, with as few messages as the make knows.
pub fn write(run: &mut Run, subject: &mut Subject, size: usize) -> Result<()> {
    let from = subject.contacts;
    let what = format!("write {} contacts after {}, {}", thousands(size - from), thousands(from), MAKES[0]);
    let work = json!({ "write": { "from": from, "to": size, "lot": LOT } });
    let ran = job(run, subject, MAKES[0], &what, &work, &local(subject, "unused"))?;
    ensure!(ran.done.rows == (size - from) as u64, "{} of the contacts were written", ran.done.rows);
    subject.contacts = size;
    if let Database::Postgres(place) = &subject.site.database {
        place.run("vacuum analyze")?; // as autovacuum would have by then
    }
    Ok(())
}

/// Reads all contacts: into a local table, and without one.
pub fn read(run: &mut Run, subject: &Subject) -> Result<()> {
    let all = thousands(subject.contacts);
    for make in MAKES {
        for (work, how) in [("look", ""), ("read", " into a local table")] {
            let local = local(subject, &format!("{work}-{}-{}", subject.contacts, make.replace(' ', "")));
            let ran =
                job(run, subject, make, &format!("read {all} contacts{how}, {make}"), &json!(work), &local)?;
            ensure!(ran.done.rows == subject.contacts as u64, "{} of {all} contacts came", ran.done.rows);
            if work == "read" && make == MAKES[0] {
                floor(run, subject, &local)?;
            }
        }
    }
    Ok(())
}

/// Runs through changes: the first, one with nothing, then 100 and 10,000 changes.
pub fn changes(run: &mut Run, subject: &Subject) -> Result<()> {
    let counts = if run.options.quick { [0, 10, 1000] } else { [0, 100, 10_000] };
    for make in MAKES {
        let local = local(subject, &format!("changes-{}", make.replace(' ', "")));
        let work = |since: &Option<String>| json!({ "changes": { "since": since } });
        let all = thousands(subject.contacts);
        let mut ran =
            job(run, subject, make, &format!("first run through changes, {make}"), &work(&None), &local)?;
        ensure!(ran.done.rows == subject.contacts as u64, "{} of {all} contacts came", ran.done.rows);
        for count in counts {
            update(subject, count, make)?;
            let what = format!("run with {} changes among {all}, {make}", thousands(count));
            ran = job(run, subject, make, &what, &work(&ran.done.token), &local)?;
            ensure!(ran.done.rows == count as u64, "{} of {count} changes came", ran.done.rows);
        }
    }
    Ok(())
}

/// Runs one job of the client and notes what it took on both sides.
fn job(run: &mut Run, subject: &Subject, make: &str, what: &str, work: &Value, local: &str) -> Result<Ran> {
    run.say(&format!("{what} on {}", subject.database));
    let job = json!({
        "make": make,
        "url": format!("http://{}", subject.address()?),
        "token": subject.token,
        "store": local,
        "columns": COLUMNS,
        "page": PAGE,
        "work": work,
    });
    subject.server()?.forget_peak()?;
    let before = subject.server()?.cpu()?;
    let ran = reader::run(&run.reader, &job)?;
    let after = subject.server()?.cpu()?;
    let rows = ran.done.rows;
    let each = |time: Duration| (rows > 0).then(|| time.as_secs_f64() * 100_000.0 / rows as f64);
    let database = after.1 - before.1;
    run.measured(Row {
        scenario: what.to_owned(),
        database: subject.database.to_owned(),
        count: rows,
        seconds: ran.done.seconds,
        client_cpu: each(ran.cpu),
        door_cpu: each(after.0 - before.0),
        database_cpu: each(database).filter(|_| !database.is_zero()),
        calls: Some(ran.done.calls),
        client_peak: Some(ran.peak as f64 / 1e6),
        door_peak: Some(subject.server()?.peak()? as f64 / 1e6),
        ..Row::default()
    });
    Ok(ran)
}

/// Where the client keeps its table. On PostgreSQL it lies beside the CRM's, as in life.
fn local(subject: &Subject, name: &str) -> String {
    match &subject.site.database {
        Database::Sqlite(_) => {
            format!("sqlite://{}", subject.site.folder.join(format!("{name}.db")).display())
        }
        Database::Postgres(place) => {
            let mut own = place.clone();
            own.name = format!("local_{}", name.replace('-', "_"));
            // Made once; what fails otherwise fails in the client.
            let _ = place.run(&format!("create database \"{}\"", own.name));
            own.url()
        }
    }
}

/// What a script says of itself.
#[derive(Deserialize)]
pub struct Measured {
    pub rows: u64,
    pub seconds: f64,
    pub cpu: f64,
    pub peak_mb: f64,
}

/// SQLite alone, copying what was just copied.
fn floor(run: &mut Run, subject: &Subject, local: &str) -> Result<()> {
    let Some(path) = local.strip_prefix("sqlite://") else { return Ok(()) };
    let copy = subject.site.folder.join("floor.db");
    let mut script = Command::new("python3");
    script.arg(root().join("xtask/data/floor_rows.py")).args([path, "local_contact"]).arg(&copy);
    let floor: Measured =
        serde_json::from_str(&output(&mut script)?).context("floor_rows.py printed no JSON")?;
    run.measured(Row {
        scenario: format!("floor: SQLite copies the table of {}", thousands(subject.contacts)),
        database: subject.database.to_owned(),
        count: floor.rows,
        seconds: floor.seconds,
        client_cpu: Some(floor.cpu * 100_000.0 / floor.rows.max(1) as f64),
        client_peak: Some(floor.peak_mb),
        ..Row::default()
    });
    for ending in ["", "-wal", "-shm"] {
        for file in [path, &copy.display().to_string()] {
            let _ = std::fs::remove_file(format!("{file}{ending}")); // large, and of no further use
        }
    }
    Ok(())
}

/// Changes so many contacts, spread over all of them.
fn update(subject: &Subject, count: usize, make: &str) -> Result<()> {
    let mut connection = Connection::open(subject.address()?, &subject.token)?;
    let step = subject.contacts / count.max(1);
    let numbers: Vec<usize> = (0..count).map(|number| number * step).collect();
    for numbers in numbers.chunks(1000) {
        let row = |number: &usize| {
            json!({
                "@odata.type": "Microsoft.Dynamics.CRM.contact",
                "contactid": people::id(*number),
                "jobtitle": format!("Changed with {count} for {make}"),
            })
        };
        let body = json!({ "Targets": numbers.iter().map(row).collect::<Vec<_>>() }).to_string();
        let path = "/api/data/v9.2/contacts/Microsoft.Dynamics.CRM.UpdateMultiple";
        let (status, answer) = connection.ask("POST", path, "application/json", &body)?;
        ensure!(status < 300, "UpdateMultiple was answered {status}: {answer}");
    }
    Ok(())
}
