//! Erased people and the CRM's own mail to them.

use std::sync::Arc;

use postroom_core::MailState;
use postroom_tracking::privacy::Bodies;
use postroom_tracking::privacy::erasing::Erasing;
use postroom_tracking::sending::history::attempts;
use postroom_tracking::sending::{Options, verbs};

use crate::sending::bench::{BEN, Bench as Sender, Draft, INSTALLATION, On};

fn erasing(sender: &Sender) -> Erasing {
    Erasing {
        store: sender.store.clone(),
        clock: sender.clock.clone(),
        ids: sender.ids.clone(),
        crm: Arc::new(sender.crm.clone()),
        installation: INSTALLATION,
        holders: Arc::new([Arc::new(Bodies), Arc::new(sender.crm.clone())]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_mail_keeps_its_state_and_nothing_else() {
    let sender = Sender::new().await;
    let activity =
        sender.send(Draft::to_anna("Our offer").file("offer.txt", "text/plain", None, b"cheap")).await;
    assert_eq!(sender.state(activity).await, MailState::Sent);
    let receipt = erasing(&sender).erase("anna@customer.example", false).await.unwrap();
    let counts = &receipt.counts;
    assert_eq!(
        (counts.messages, counts.outgoing, counts.activities, counts.attachments),
        (1, 1, 1, 1),
        "{receipt:?}"
    );
    let entry = sender.entry(activity).await;
    assert_eq!(
        (entry.state, entry.subject.as_str(), entry.message_id.as_deref()),
        (MailState::Sent, "", None)
    );
    assert!(entry.recipients.iter().all(|one| one.address.is_empty() && one.text.is_empty()), "{entry:?}");
    let email = sender.row("email", "activityid", activity).await;
    assert_eq!(email.text("subject"), Some("Erased on request"));
    // Nothing is sent again.
    let sent = sender.server.book().len();
    sender.later(jiff::SignedDuration::from_hours(1)).await;
    assert_eq!(sender.server.book().len(), sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_waits_is_never_sent() {
    let sender = Sender::new().await;
    sender.server.answers(&["anna@customer.example"], 451, "busy");
    let activity = sender.send(Draft::to_anna("Our offer")).await;
    let waits = sender.entry(activity).await;
    assert_eq!((waits.state, sender.server.book().len()), (MailState::Queued, 1), "{}", waits.reason);
    let receipt = erasing(&sender).erase("anna@customer.example", false).await.unwrap();
    assert_eq!((receipt.counts.messages, receipt.counts.outgoing), (1, 1));
    assert_eq!(sender.state(activity).await, MailState::Suppressed);
    let release = verbs::release(&sender.store, &sender.ids, sender.clock.now(), waits.id).await.unwrap();
    assert_eq!(release, verbs::Answer::NotNow(MailState::Suppressed));
    // The CRM's e-mail still says Sending: it is not taken up anew.
    for _ in 0..3 {
        sender.later(jiff::SignedDuration::from_hours(1)).await;
    }
    assert_eq!(sender.server.book().len(), 1);
}

/// A mail server repeats the address that it does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_servers_said_goes_with_the_mail() {
    for on in [On::Sqlite, On::Postgres] {
        let sender = Sender::on(on, Options::default()).await;
        sender.server.answers(&["anna@customer.example"], 550, "<anna@customer.example> is not known here");
        let theirs = sender.send(Draft::to_anna("Our offer").to(2, BEN)).await;
        let other = sender.send(Draft::new("Your order").to(2, BEN)).await;
        let (theirs, other) = (sender.entry(theirs).await.id, sender.entry(other).await.id);
        let before = attempts(&sender.store, theirs).await.unwrap();
        assert!(before[0].answers[0].text.contains("anna@customer.example"), "{before:?}");
        erasing(&sender).erase("anna@customer.example", false).await.unwrap();
        assert_eq!(attempts(&sender.store, theirs).await.unwrap(), [], "{on:?}");
        assert_eq!(attempts(&sender.store, other).await.unwrap().len(), 1, "{on:?}: another's mail");
    }
}
