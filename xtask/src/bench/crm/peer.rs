//! Microsoft's own client beside ours: its Python SDK reads the same contacts from the same door.
//!
//! It insists on HTTPS, so the site serves with a certificate of the bench's own meanwhile. The virtual environment is the
//! one that the tests of other people's clients make (`target/clients/sdk`); without it the row is left out with a note.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::copying::Measured;
use super::people;
use super::table::Row;
use super::{Run, Subject};
use crate::bench::flat::thousands;
use crate::bench::process::output;
use crate::bench::{root, target};

/// Reads all contacts with it.
pub fn read(run: &mut Run, subject: &mut Subject) -> Result<()> {
    let python = target().join("clients/sdk/bin/python");
    if !python.exists() {
        let note =
            "Microsoft's Python SDK is left out: the tests of `postroom` put it into target/clients/sdk";
        run.table.notes.push(note.to_owned());
        return Ok(());
    }
    let what = format!("Microsoft's Python SDK reads {} contacts (HTTPS)", thousands(subject.contacts));
    run.say(&format!("{what} on {}", subject.database));
    let (certificate, key) = certificate(&subject.site.folder)?;
    subject.serve(&format!("tls_cert = {certificate:?}\ntls_key = {key:?}\n"))?;
    subject.server()?.forget_peak()?;
    let before = subject.server()?.cpu()?;
    let answer = ask(&python, subject, &certificate)?;
    let after = subject.server()?.cpu()?;
    let read: Measured = serde_json::from_str(&answer).context("peer_sdk.py printed no JSON")?;
    ensure!(read.rows == subject.contacts as u64, "the SDK read {} rows", read.rows);
    let each = |seconds: f64| Some(seconds * 100_000.0 / read.rows as f64);
    run.measured(Row {
        scenario: what,
        database: subject.database.to_owned(),
        count: read.rows,
        seconds: read.seconds,
        client_cpu: each(read.cpu),
        door_cpu: each((after.0 - before.0).as_secs_f64()),
        client_peak: Some(read.peak_mb),
        door_peak: Some(subject.server()?.peak()? as f64 / 1e6),
        ..Row::default()
    });
    subject.serve("")
}

fn ask(python: &Path, subject: &Subject, certificate: &str) -> Result<String> {
    let words = subject.site.folder.join("token");
    std::fs::write(&words, format!("{}\n", subject.token))?;
    let mut command = Command::new(python);
    command.arg(root().join("xtask/data/peer_sdk.py")).arg(format!("https://{}", subject.address()?));
    command.arg(
        people::COLUMNS
            .join(",")
            .replace("parentcustomerid", "_parentcustomerid_value")
            .replace("ownerid", "_ownerid_value"),
    );
    command
        .env("REQUESTS_CA_BUNDLE", certificate)
        .stdin(std::fs::File::open(words)?)
        .stderr(Stdio::inherit());
    output(&mut command)
}

/// A certificate for the loopback address, signed by itself: its file and that of its key.
fn certificate(folder: &Path) -> Result<(String, String)> {
    let file = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    openssl.args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.args(["-keyout", &key, "-out", &certificate]);
    output(&mut openssl)?;
    Ok((certificate, key))
}
