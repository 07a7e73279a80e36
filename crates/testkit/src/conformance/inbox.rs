//! The port `Inbox`: one mail has one id, however often and by whatever way it comes.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::mail::Authentication;
use postroom_core::{Accepted, Direction, Envelope, Ids, Inbox, Incoming, Source};

use super::{Failure, Verdict, cases, ensure};

type Run = fn(Bench) -> Pin<Box<dyn Future<Output = Verdict>>>;

/// Runs the suite; the test that calls it must run on a runtime with timers and IO.
///
/// # Panics
/// When a case fails.
pub async fn inbox(make: impl AsyncFn() -> Arc<dyn Inbox>) {
    super::report("Inbox", &failures(make).await);
}

/// Runs the suite and answers what failed.
pub async fn failures(make: impl AsyncFn() -> Arc<dyn Inbox>) -> Vec<Failure> {
    let cases: Vec<(&'static str, Run)> = cases![
        case::the_same_mail_has_the_same_id,
        case::a_copy_by_another_way_is_the_same_mail,
        case::what_gateways_change_does_not_make_another_mail,
        case::other_mail_has_another_id,
        case::a_message_id_used_again_is_another_mail,
        case::mail_without_a_message_id_is_known_again,
        case::odd_mail_is_accepted,
        case::the_same_mail_at_once_is_new_once,
        case::many_mails_at_once_are_all_new,
    ];
    let ids = Ids::random();
    let mut failures = Vec::new();
    for (case, run) in cases {
        let bench = Bench { inbox: make().await, mark: ids.next().simple().to_string() };
        if let Err(text) = run(bench).await {
            failures.push(Failure { case, text });
        }
    }
    failures
}

/// One case's mailbox, and a mark that no other case's mail has.
struct Bench {
    inbox: Arc<dyn Inbox>,
    mark: String,
}

/// A mail that can be varied.
#[derive(Clone)]
struct Letter {
    trace: &'static str,
    from: &'static str,
    date: &'static str,
    subject: String,
    message_id: Option<String>,
    body: String,
}

impl Bench {
    /// The `number`th mail of this case.
    fn letter(&self, number: u32) -> Letter {
        Letter {
            trace: "",
            from: "Anna Adler <anna@customer.example>",
            date: "Mon, 2 Nov 2026 10:00:00 +0000",
            subject: format!("Offer {number}"),
            message_id: Some(format!("<{number}.{}@customer.example>", self.mark)),
            body: format!("Text of {number}, {}.\r\n", self.mark),
        }
    }

    async fn accept(&self, raw: impl Into<Bytes>) -> Result<Accepted, String> {
        self.accept_by(Source::Smtp, raw).await
    }

    async fn accept_by(&self, source: Source, raw: impl Into<Bytes>) -> Result<Accepted, String> {
        let mail = incoming(source, raw.into());
        self.inbox.accept(mail).await.map_err(|fault| format!("refused: {fault}"))
    }

    /// Takes both and says whether they are one mail.
    async fn one_mail(&self, first: &Letter, second: &Letter) -> Result<bool, String> {
        let first = self.accept(first.raw()).await?;
        let second = self.accept(second.raw()).await?;
        ensure!(first.new, "the first is not new");
        ensure!(
            second.new == (first.id != second.id),
            "new is {} for ids {} and {}",
            second.new,
            first.id,
            second.id
        );
        Ok(first.id == second.id)
    }

    /// Hands mails over at once and answers in the order given.
    async fn at_once(&self, mails: Vec<Bytes>) -> Result<Vec<Accepted>, String> {
        let mut tasks = Vec::new();
        for raw in mails {
            let inbox = Arc::clone(&self.inbox);
            tasks.push(tokio::spawn(async move { inbox.accept(incoming(Source::Smtp, raw)).await }));
        }
        let mut answers = Vec::new();
        for task in tasks {
            let answer = task.await.map_err(|error| format!("accept panicked: {error}"))?;
            answers.push(answer.map_err(|fault| format!("refused: {fault}"))?);
        }
        Ok(answers)
    }
}

impl Letter {
    fn raw(&self) -> Bytes {
        let message_id =
            self.message_id.as_ref().map(|id| format!("Message-ID: {id}\r\n")).unwrap_or_default();
        let Letter { trace, from, date, subject, body, .. } = self;
        let to = "To: sales@ours.example";
        format!("{trace}From: {from}\r\n{to}\r\nSubject: {subject}\r\n{message_id}Date: {date}\r\n\r\n{body}")
            .into()
    }
}

fn incoming(source: Source, raw: Bytes) -> Incoming {
    let to = vec!["sales@ours.example".to_owned()];
    Incoming {
        source,
        direction: Direction::Incoming,
        mailbox: None,
        folder: None,
        envelope: Envelope { from: Some("anna@customer.example".to_owned()), to },
        source_id: None,
        peer: Some("127.0.0.1 (customer.example)".to_owned()),
        authentication: Authentication::Unknown,
        received_at: Timestamp::UNIX_EPOCH,
        raw,
    }
}

/// The cases.
mod case {
    use super::*;

    pub async fn the_same_mail_has_the_same_id(bench: Bench) -> Verdict {
        let letter = bench.letter(1);
        ensure!(bench.one_mail(&letter, &letter).await?, "the same bytes got two ids");
        Ok(())
    }

    pub async fn a_copy_by_another_way_is_the_same_mail(bench: Bench) -> Verdict {
        let raw = bench.letter(1).raw();
        let first = bench.accept_by(Source::Smtp, raw.clone()).await?;
        for source in [Source::Lmtp, Source::Http, Source::File] {
            let again = bench.accept_by(source, raw.clone()).await?;
            ensure!(again.id == first.id && !again.new, "by {source} it got another id");
        }
        Ok(())
    }

    pub async fn what_gateways_change_does_not_make_another_mail(bench: Bench) -> Verdict {
        let letter = bench.letter(1);
        let footer = format!("{}--\r\nDisclaimer\r\n", letter.body);
        let changed = Letter {
            trace: "Received: from a by b; Mon, 2 Nov 2026 10:00:05 +0000\r\n",
            subject: "=?utf-8?Q?Offer?=\r\n 1".to_owned(),
            date: "Mon, 02 Nov 2026 11:00:00 +0100",
            body: footer,
            ..letter.clone()
        };
        ensure!(
            bench.one_mail(&letter, &changed).await?,
            "a hop, a footer and an encoded subject made another mail"
        );
        Ok(())
    }

    pub async fn other_mail_has_another_id(bench: Bench) -> Verdict {
        ensure!(!bench.one_mail(&bench.letter(1), &bench.letter(2)).await?, "two mails got one id");
        Ok(())
    }

    pub async fn a_message_id_used_again_is_another_mail(bench: Bench) -> Verdict {
        let first = bench.letter(1);
        let mut others = vec![Letter { subject: "Something else".to_owned(), ..first.clone() }];
        others.push(Letter { from: "Bert Busch <bert@customer.example>", ..first.clone() });
        others.push(Letter { date: "Mon, 2 Nov 2026 10:00:01 +0000", ..first.clone() });
        let known = bench.accept(first.raw()).await?.id;
        for other in others {
            let id = bench.accept(other.raw()).await?.id;
            ensure!(id != known, "taken for the first: {:?}", other.raw());
        }
        Ok(())
    }

    pub async fn mail_without_a_message_id_is_known_again(bench: Bench) -> Verdict {
        let first = Letter { message_id: None, ..bench.letter(1) };
        ensure!(bench.one_mail(&first, &first).await?, "the same bytes got two ids");
        let other = Letter { message_id: None, ..bench.letter(2) };
        ensure!(
            bench.accept(other.raw()).await?.new,
            "another mail without a Message-ID was taken for the first"
        );
        Ok(())
    }

    /// What arrives is kept, whatever it is: a person can look at it.
    pub async fn odd_mail_is_accepted(bench: Bench) -> Verdict {
        let mark = &bench.mark;
        let odd: Vec<Vec<u8>> = vec![
            format!("no header at all {mark}").into_bytes(),
            format!("\r\nonly a body {mark}").into_bytes(),
            format!("Subject: bare line feeds {mark}\n\nbody\n").into_bytes(),
            [format!("Subject: {mark} ").as_bytes(), &[0xff, 0xfe, 0, b'\r', b'\n', b'\r', b'\n', 0x80]]
                .concat(),
        ];
        for raw in odd {
            let first = bench.accept(raw.clone()).await?;
            let again = bench.accept(raw.clone()).await?;
            let text = String::from_utf8_lossy(&raw);
            ensure!(first.new && !again.new && first.id == again.id, "not known again: {text:?}");
        }
        Ok(())
    }

    pub async fn the_same_mail_at_once_is_new_once(bench: Bench) -> Verdict {
        let answers = bench.at_once(vec![bench.letter(1).raw(); 32]).await?;
        let ids: BTreeSet<_> = answers.iter().map(|answer| answer.id).collect();
        let new = answers.iter().filter(|answer| answer.new).count();
        ensure!(ids.len() == 1 && new == 1, "32 copies at once: {} ids, {new} of them new", ids.len());
        Ok(())
    }

    pub async fn many_mails_at_once_are_all_new(bench: Bench) -> Verdict {
        let mails = (1..=100).map(|number| bench.letter(number).raw()).collect();
        let answers = bench.at_once(mails).await?;
        let ids: BTreeSet<_> = answers.iter().map(|answer| answer.id).collect();
        ensure!(ids.len() == 100, "100 mails at once got {} ids", ids.len());
        ensure!(answers.iter().all(|answer| answer.new), "some of 100 different mails are not new");
        Ok(())
    }
}
