//! The connection cut at every command and at many bytes: nothing is lost, nothing is doubled, no cursor runs ahead.

use std::time::Duration;

use postroom_core::WatchState;
use postroom_mail::imap::Watched;
use postroom_testkit::chaos::{Chaos, Cut, Line, Script, Side};
use postroom_testkit::peers::{Dovecot, DovecotOptions, PASSWORD};

use super::book::{Book, Watching, account, mail, quick, wait_for};

struct Scene {
    dovecot: Dovecot,
    chaos: Chaos,
    book: std::sync::Arc<Book>,
    watching: Watching,
    sent: usize,
}

impl Scene {
    async fn start() -> Self {
        let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
        let (chaos, book) = (Chaos::start(dovecot.imap()), Book::new());
        let mut options = quick();
        options.patience.silence = Duration::from_secs(2);
        let watched = Watched::new("anna", account(chaos.address(), "anna", PASSWORD));
        let watching = Watching::start(&book, options, vec![watched]);
        wait_for("the first look", || {
            book.last_report("anna").is_some_and(|report| report.state == WatchState::Watching)
        })
        .await;
        Scene { dovecot, chaos, book, watching, sent: 0 }
    }

    /// A new connection meets `script` while three mails wait; they come all the same.
    async fn meet(&mut self, script: Script) {
        let what = format!("mail after {script:?}");
        self.chaos.once(script);
        self.chaos.cut_all();
        for _ in 0..3 {
            self.dovecot.deliver("anna", "INBOX", &mail(self.sent));
            self.sent += 1;
        }
        let (book, sent) = (self.book.clone(), self.sent);
        wait_for(&what, || book.count() == sent).await;
        self.book.check("anna", "INBOX", &self.dovecot.messages("anna", "INBOX"));
    }

    async fn end(self) {
        assert_eq!(self.book.count(), self.sent);
        self.watching.stop().await;
    }
}

#[tokio::test]
async fn at_every_command() {
    let mut scene = Scene::start().await;
    for number in 1..=14 {
        for cut in [Cut::Before, Cut::After, Cut::Unanswered] {
            scene.meet(Script::CutAt(cut, Line::Number(number))).await;
        }
    }
    assert!(scene.chaos.cuts() >= 30, "{} cuts", scene.chaos.cuts());
    scene.end().await;
}

#[tokio::test]
async fn at_many_bytes_of_the_server() {
    let mut scene = Scene::start().await;
    for step in 0..40 {
        scene.meet(Script::CutAfter(Side::Server, step * 83 + step % 7)).await;
    }
    scene.end().await;
}

#[tokio::test]
async fn a_server_that_falls_silent() {
    let mut scene = Scene::start().await;
    scene.meet(Script::BlackHole).await;
    scene.meet(Script::Stall(Side::Server, 1500)).await;
    scene.dovecot.restart();
    scene.meet(Script::Pass).await;
    scene.end().await;
}
