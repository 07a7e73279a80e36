//! The stamping relay killed between sending and recording: the next server has the mail, and the one that gave it to us has no
//! answer, so it gives it again. Recorded once, with the same Message-ID at every copy.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use postroom_mail::client::Client;
use postroom_sandbox::catcher::Catcher;

use crate::crash::points::Moment;
use crate::house::wait_for;
use crate::load::{Database, House, PATIENCE, is_killed};

const MAIL: &[u8] = b"From: Eva <eva@crm.example>\r\nTo: anna@customer.example\r\nSubject: Offer\r\n\
    Message-ID: <offer@crm.example>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\r\nDear Anna\r\n";

#[test]
fn killed_between_sending_and_recording_on_sqlite() {
    Moment::BOTH.into_iter().for_each(|moment| drill(Database::Sqlite, moment));
}

#[test]
fn killed_between_sending_and_recording_on_postgresql() {
    Moment::BOTH.into_iter().for_each(|moment| drill(Database::Postgres, moment));
}

fn drill(database: Database, moment: Moment) {
    let (world, mut house) = (Catcher::start(), House::new(database));
    let relay = with_relay(&house, world.address());
    house.begin(Some(&moment.of("mail.accept")));
    assert!(house.is_up(PATIENCE), "{}", house.printed());
    assert!(give(relay).is_err(), "it dies before it can answer");
    let status = house.server.wait_for_end(PATIENCE);
    assert!(is_killed(status), "{moment:?}: {status}\n{}", house.printed());
    assert_eq!(world.mails().len(), 1, "the next server has it by then");

    house.start();
    give(relay).unwrap_or_else(|error| panic!("{moment:?}: {error}\n{}", house.printed()));
    let copies = world.mails();
    assert_eq!(copies.len(), 2, "whoever has no answer gives it again");
    let same = |raw: &[u8]| String::from_utf8_lossy(raw).contains("Message-ID: <offer@crm.example>\r\n");
    assert!(copies.iter().all(|copy| same(&copy.raw)), "one mail, for whoever gets both");
    house.settled();
    let messages = house.lines(&["message", "list", "--limit", "0"]);
    assert_eq!(messages.len(), 1, "{moment:?}: {messages:?}");
    assert_eq!(messages[0]["direction"], "outgoing");
    house.run(&["verify"]).succeeds();
    house.server.terminate(PATIENCE);
}

/// Adds a relay to the house's configuration; answers where it listens.
fn with_relay(house: &House, next: SocketAddr) -> SocketAddr {
    // An address that only this house uses, as its other doors.
    let held = TcpListener::bind((house.smtp.ip(), 0)).expect("the whole of 127.0.0.0/8 is this machine");
    let relay = held.local_addr().expect("a bound socket has an address");
    let mut config =
        OpenOptions::new().append(true).open(house.folder.join("postroom.toml")).expect("it was written");
    let (host, port) = (next.ip(), next.port());
    write!(
        config,
        "[relay]\nenabled = true\nlisten = \"{relay}\"\nclients = [\"127.0.0.0/8\"]\nnext_host = \"{host}\"\nnext_port = {port}\n"
    )
    .expect("the disk has room");
    relay
}

/// Hands the mail over as a mail server does; an error is a lost answer or a refusal.
fn give(relay: SocketAddr) -> Result<(), String> {
    wait_for(async {
        let mut client = Client::connect(relay).await.map_err(|error| error.to_string())?;
        let sent = client.send("eva@crm.example", &["anna@customer.example"], MAIL).await;
        let answers = sent.map_err(|error| error.to_string())?;
        match answers.iter().all(|answer| answer.is_ok()) {
            true => Ok(()),
            false => Err(format!("{answers:?}")),
        }
    })
}
