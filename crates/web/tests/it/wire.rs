//! A mail server in one function: what it answers stands in the recipient's own address.

use std::sync::Arc;

use async_trait::async_trait;
use postroom_core::{Answer, Code, Fault, Handed, MailSender, Outgoing, Verdict};
use postroom_tracking::filing::Filing;
use postroom_tracking::sending::{Options, Sending};
use postroom_tracking::token::{Key, Signer};

struct Wire;

#[async_trait]
impl MailSender for Wire {
    /// `gone…` is refused, `busy…` must wait, `lost…` makes the answer of the whole mail get lost.
    async fn send(&self, mail: Outgoing) -> Result<Handed, Fault> {
        if mail.to.iter().any(|to| to.starts_with("lost")) {
            let text = "the connection broke after the final dot";
            return Err(Fault::new(Verdict::Unknown, Code::SMTP_OUT_UNKNOWN, text));
        }
        Ok(mail.to.into_iter().map(|to| (to.clone(), answer(&to))).collect())
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok("a wire of the tests".into())
    }
}

fn answer(to: &str) -> Answer {
    let (code, status, text) = match to {
        to if to.starts_with("gone") => (550, "5.1.1", "no such user"),
        to if to.starts_with("busy") => (451, "4.3.2", "come again"),
        _ => (250, "2.0.0", "queued as 7F3A"),
    };
    Answer { code, status: Some(status.into()), text: text.into() }
}

/// The way out of a house. Everybody at demo.example may send.
pub fn sending(filing: &Filing) -> Sending {
    let key = Key { id: 1, secret: [7; 32] };
    let signer = Signer::new(filing.rules.installation, vec![key], "demo.example").unwrap();
    Sending {
        store: filing.store.clone(),
        clock: filing.clock.clone(),
        ids: filing.ids.clone(),
        crm: filing.crm.clone(),
        sender: Arc::new(Wire),
        rules: filing.rules.clone(),
        signer: Arc::new(signer),
        options: Arc::new(Options { senders: vec!["demo.example".into()], ..Options::default() }),
        sign: None,
        copy: None,
    }
}
