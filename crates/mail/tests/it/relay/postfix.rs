//! Postfix with the recipe of `docs/STAMPING.md`, word for word but for ports: users' mail goes to the relay, comes back,
//! and goes on to the world or to colleagues.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postroom_core::{Code, Fault, Incoming};
use postroom_mail::client::Client;
use postroom_testkit::net;
use postroom_testkit::peers::{Postfix, Route, Shape};

use super::{Desk, TOKEN, letter, text, world};
use crate::harness::{Running, Shelf, until};

const DOCUMENT: &str = include_str!("../../../../../docs/STAMPING.md");

/// An office: its Postfix with the relay as content filter, its people's mailboxes, and the world outside.
struct Office {
    postfix: Arc<Postfix>,
    desk: Desk,
    out: Arc<Shelf>,
    inside: Arc<Shelf>,
    _doors: [Running; 2],
}

impl Office {
    async fn open(recorder: Arc<Shelf>, way: Way) -> Office {
        let (out, inside) = (Shelf::new(), Shelf::new());
        let doors = [world(&out).await, world(&inside).await];
        let routes = vec![("ours.example".to_owned(), Route::Smtp(doors[1].address))];
        let postfix = Postfix::with(Route::Smtp(doors[0].address), Shape { routes, ..Shape::default() });
        let reinjection = net::free_port();
        let next = match way {
            Way::Back => net::loopback(reinjection),
            Way::Round => postfix.address,
        };
        let desk = Desk::new(next, recorder).await;
        filter(&postfix, desk.running.address, reinjection);
        Office { postfix: Arc::new(postfix), desk, out, inside, _doors: doors }
    }

    async fn send(&self, to: &[&str], mail: &str) {
        let mut client = Client::connect(self.postfix.address).await.unwrap();
        let answers = client.send("anna@ours.example", to, mail.as_bytes()).await.unwrap();
        assert!(answers.iter().all(|answer| answer.is_ok()), "{answers:?}");
    }

    /// Waits until Postfix has nothing left to do and so many mails are out and inside.
    async fn settled(&self, out: usize, inside: usize) -> (Vec<Incoming>, Vec<Incoming>) {
        let explain = || {
            let count = (self.out.mails().len(), self.inside.mails().len());
            format!("{count:?} mails of {:?}\n{}", (out, inside), self.postfix.log())
        };
        let enough = || self.out.mails().len() >= out && self.inside.mails().len() >= inside;
        until(|| enough() && self.postfix.queued() == 0, explain).await;
        assert_eq!((self.out.mails().len(), self.inside.mails().len()), (out, inside), "{}", explain());
        (self.out.mails(), self.inside.mails())
    }
}

/// Applies the recipe.
fn filter(postfix: &Postfix, relay: SocketAddr, reinjection: u16) {
    postfix.stop();
    let edit = |name: &str, change: &dyn Fn(String) -> String| {
        let path = postfix.folder().join("config").join(name);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    };
    let users = format!("127.0.0.1:{} inet n - n - - smtpd", postfix.address.port());
    let services = recipe("master.cf")
        .replace("submission inet n - y - - smtpd", &users)
        .replace(":2530", &format!(":{}", relay.port()))
        .replace(":2531", &format!(":{reinjection}"));
    edit("master.cf", &|text| {
        assert!(text.contains(&users) && services.contains(&users), "{text}\n{services}");
        text.replace(&format!("{users}\n"), "") + &services
    });
    edit("main.cf", &|text| text + &recipe("main.cf"));
    postfix.start_again();
}

/// The block of the document for this file.
fn recipe(file: &str) -> String {
    let (_, block) = DOCUMENT.split_once(&format!("```{file}\n")).expect("the document has the recipe");
    block.split_once("```").expect("the block ends").0.to_owned()
}

/// Where the relay hands mail on.
enum Way {
    /// To the re-injection port.
    Back,
    /// To the port with the filter: a mistake.
    Round,
}

fn number(mail: &Incoming) -> usize {
    let text = text(mail);
    let (_, id) = text.split_once("Message-ID: <").unwrap();
    id.split_once('@').unwrap().0.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_mail_is_stamped_on_its_way_and_each_recipient_gets_it_once() {
    const MAILS: usize = 60;
    let office = Arc::new(Office::open(Shelf::new(), Way::Back).await);
    let senders = (0..6).map(|first| {
        let office = office.clone();
        tokio::spawn(async move {
            for number in (first..MAILS).step_by(6) {
                let mail = letter("x@y.example", &number.to_string());
                office
                    .send(
                        &["bert@customer.example", "carl@else.example", "dora@ours.example"]
                            [..1 + number % 3],
                        &mail,
                    )
                    .await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    // 20 mails for one, 20 for two, 20 for three: the third is a colleague.
    let (out, inside) = office.settled(100, 20).await;
    let mut copies: BTreeMap<(usize, String), usize> = BTreeMap::new();
    for mail in out.iter().chain(&inside) {
        let (text, to) = (text(mail), &mail.envelope.to[0]);
        *copies.entry((number(mail), to.clone())).or_default() += 1;
        assert_eq!(text.matches("id postroom.").count(), 1, "it was at the relay once: {text}");
        assert_eq!(text.contains(TOKEN.trim()), to.ends_with(super::KNOWN), "{text}");
        assert!(text.ends_with("\r\n\r\n.Hello\r\n..\r\n"), "{text}");
        assert_eq!(mail.envelope.from.as_deref(), Some("anna@ours.example"));
    }
    assert_eq!((copies.len(), copies.values().max()), (120, Some(&1)));
    assert_eq!(office.desk.shelf.mails().len(), 120);
    let log = office.postfix.log();
    assert!(log.contains("postfix/to-postroom") && log.contains("postfix/from-postroom"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_that_is_away_delays_the_mail_and_doubles_nothing() {
    let tries = AtomicUsize::new(0);
    let recorder = Shelf::with(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Fault::retry(Code::STORE_AWAY, "x")),
        _ => Ok(()),
    });
    let office = Office::open(recorder, Way::Back).await;
    office.send(&["bert@customer.example"], &letter("x@y.example", "1")).await;
    until(|| office.postfix.log().contains("status=deferred"), || office.postfix.log()).await;
    until(|| (office.postfix.flush(), !office.desk.shelf.mails().is_empty()).1, || office.postfix.log())
        .await;
    office.settled(1, 0).await;
    assert_eq!(office.desk.shelf.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_through_postfix_ends_in_a_report_to_the_sender() {
    let office = Office::open(Shelf::new(), Way::Round).await;
    office.send(&["bert@customer.example"], &letter("x@y.example", "1")).await;
    let (_, inside) = office.settled(0, 1).await;
    let report = text(&inside[0]);
    assert_eq!(
        (inside[0].envelope.from.as_deref(), inside[0].envelope.to[0].as_str()),
        (Some(""), "anna@ours.example")
    );
    assert!(report.contains("5.4.6") && report.contains("This mail was here before"), "{report}");
}
