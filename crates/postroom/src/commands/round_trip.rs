//! Sends a mail to a mailbox itself, and waits for it there. It bears our loop header, so it is never tracked.

use std::time::Duration;

use bytes::Bytes;
use postroom_core::{Address, Answer, Fate, Fault, MailSender, Outgoing};
use postroom_formats::compose::Draft;
use postroom_mail::imap::{Account, Client, Criterion, Dialer, Error, FolderName, Patience, Tree};
use postroom_operations::TrialStep as Step;
use postroom_tracking::classify::{LOOP_HEADER, LoopMark};
use tokio::time::{Instant, sleep};

use super::trial::{Bench, fault};
use crate::app::host_name;
use crate::wiring::outgoing;

/// How long the mail may be on its way.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The steps `send` and `round_trip`.
pub async fn of(bench: &Bench, address: &str, account: &Account) -> Vec<Step> {
    let began = Instant::now();
    let (draft, id) = draft(bench, address);
    let mut inbox = match Inbox::open(account).await {
        Ok(inbox) => inbox,
        Err(error) => return vec![fault("round_trip", &Fault::from(error))],
    };
    let sent = send(bench, address, &draft).await;
    let is_on_its_way = sent.ok;
    let mut steps = vec![sent];
    if is_on_its_way {
        steps.push(match inbox.wait_for(&id).await {
            Ok(true) => Step::well("round_trip", format!("it arrived after {} s", began.elapsed().as_secs())),
            Ok(false) => Step::failed(
                "round_trip",
                format!("it has not arrived within {} s", PATIENCE.as_secs()),
                format!("look into the mail server's log for the Message-ID <{id}>"),
            ),
            Err(error) => fault("round_trip", &Fault::from(error)),
        });
    }
    inbox.client.log_out().await;
    steps
}

/// The mail, and its Message-ID without angle brackets.
fn draft(bench: &Bench, address: &str) -> (Draft, String) {
    let domain = address.rsplit_once('@').map_or("postroom.invalid", |(_, domain)| domain);
    let id = format!("round-trip.{}@{domain}", bench.ids.next().simple());
    let mark = LoopMark { installation: bench.filing.rules.installation, hops: 1 };
    let extra = [(LOOP_HEADER, mark.to_string()), ("Auto-Submitted", "auto-generated".to_owned())];
    let draft = Draft {
        from: Address::new("", address),
        to: vec![Address::new("", address)],
        subject: "postroom tests this mailbox".into(),
        date: bench.clock.now(),
        message_id: id.clone(),
        text: Some(
            "This mail was sent by postroom to test this mailbox (--round-trip). It can be deleted.".into(),
        ),
        extra: extra.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Draft::default()
    };
    (draft, id)
}

async fn send(bench: &Bench, address: &str, draft: &Draft) -> Step {
    let Some(smtp_out) = &bench.config.smtp_out else {
        let fix = "set [smtp_out] host, port and tls";
        return Step::failed("send", "there is no way out: [smtp_out] is not configured", fix);
    };
    let sender = match outgoing::sender(smtp_out, &host_name()).await {
        Ok(sender) => sender,
        Err(error) => return Step::failed("send", error.what, "correct [smtp_out]"),
    };
    let built = match draft.build() {
        Ok(built) => built,
        Err(error) => return Step::failed("send", error.to_string(), "correct the mailbox's address"),
    };
    let mail = Outgoing {
        from: address.to_owned(),
        to: vec![address.to_owned()],
        envelope_id: None,
        receipt: false,
        raw: built.raw.into(),
    };
    let said = |answer: &Answer| format!("{} {}", answer.code, answer.text);
    match sender.send(mail).await {
        Err(error) => fault("send", &error),
        Ok(handed) => match handed.first() {
            Some((_, answer)) if answer.fate() == Fate::Accepted => Step::well("send", said(answer)),
            Some((_, answer)) => Step::failed(
                "send",
                said(answer),
                "let this machine and sign-in send from and to this address",
            ),
            None => Step::failed("send", "the mail server answered nothing", "see the mail server's log"),
        },
    }
}

/// The open Inbox, and where it ended before the mail was sent.
struct Inbox {
    client: Client,
    wire: Bytes,
    first: u32,
}

impl Inbox {
    async fn open(account: &Account) -> Result<Inbox, Error> {
        let mut client = Client::connect(account, &Dialer::default(), Patience::default()).await?;
        client.sign_in(&account.auth).await?;
        let tree = Tree::read(&mut client, account).await?;
        let wire = tree.find(&FolderName::Inbox)?.wire.clone();
        let first = client.examine(&wire).await?.uid_next.unwrap_or(1);
        Ok(Inbox { client, wire, first })
    }

    /// Whether a mail with this Message-ID came in time.
    async fn wait_for(&mut self, id: &str) -> Result<bool, Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            // Opened anew: a server without IDLE need not tell of news in an open folder.
            self.client.examine(&self.wire).await?;
            for uid in self.client.search(Criterion::From(self.first)).await? {
                let head = self.client.identity(uid).await?.unwrap_or_default();
                if String::from_utf8_lossy(&head).contains(id) {
                    return Ok(true);
                }
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            sleep(PAUSE).await;
        }
    }
}
