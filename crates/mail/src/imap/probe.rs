//! The test of one mailbox, step by step: what works, what does not, and what to do about it. Reads, and changes nothing.

use jiff::Timestamp;
use postroom_formats::x509::Certificate;

use super::account::{Account, FolderName, TlsMode};
use super::client::{Client, Patience};
use super::data::Standing;
use super::dial::Dialer;
use super::error::Error;
use super::folders::{Tree, others};
use super::guess::Names;

/// A certificate that ends so soon is worth a word.
const SOON: i64 = 14;
/// A mailbox with so many received mails is in use: somebody has sent something too.
const IN_USE: u64 = 10;
/// Folders whose messages are counted.
const COUNTED: usize = 30;

/// One step of the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `dns`, `tcp`, `tls`, `sign_in`, `capabilities`, `namespaces`, `folders`, `header`.
    pub name: &'static str,
    pub ok: bool,
    /// What was found, or what failed, in a sentence.
    pub text: String,
    /// What to do, when something is to be done; also beside a step that is well.
    pub fix: Option<String>,
}

impl Step {
    fn well(name: &'static str, text: impl Into<String>) -> Self {
        Step { name, ok: true, text: text.into(), fix: None }
    }

    fn failed(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Step { name, ok: false, text: text.into(), fix: Some(fix.into()) }
    }

    /// Errors are written as "what failed: what to do".
    fn error(name: &'static str, error: &Error) -> Self {
        let sentence = error.sentence();
        let (text, fix) = sentence.split_once(": ").unwrap_or((&sentence, "see the server's log"));
        Step::failed(name, text, fix)
    }
}

/// What a mailbox's Sent folder is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Sent mail is read from it.
    Watched,
    /// Nobody reads it here: a journal, or a mailbox of which other folders are watched.
    Unwatched,
}

/// Tests a mailbox; ends at the first step without which the next ones make no sense.
///
/// An empty Sent folder is a failure where it should have mail: it is watched, and the mailbox is in use, which is to say
/// that ten mails or more lie in its Inbox. A Domino that does not show sent mail says so by an empty folder beside any mail
/// at all. Elsewhere it is told, and nothing fails.
pub async fn probe(
    account: &Account,
    sent: Sent,
    dialer: &Dialer,
    names: &dyn Names,
    now: Timestamp,
) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(mut client) = reach(account, dialer, names, now, &mut steps).await {
        if let Err((name, error)) = explore(&mut client, account, sent, &mut steps).await {
            steps.push(Step::error(name, &error));
        }
        client.log_out().await;
    }
    steps
}

async fn reach(
    account: &Account,
    dialer: &Dialer,
    names: &dyn Names,
    now: Timestamp,
    steps: &mut Vec<Step>,
) -> Option<Client> {
    match names.addresses(&account.host).await {
        Ok(found) if !found.is_empty() => {
            let list: Vec<String> = found.iter().map(ToString::to_string).collect();
            steps.push(Step::well("dns", format!("{} is {}", account.host, list.join(", "))));
        }
        _ => {
            let text = format!("{} has no address", account.host);
            steps.push(Step::failed("dns", text, "check the name, and that DNS works on this machine"));
            return None;
        }
    }
    let (connected, certificate) = Client::connect_seeing(account, dialer, Patience::default()).await;
    match connected {
        Err(error @ (Error::Tls { .. } | Error::NoStartTls { .. } | Error::Roots(_))) => {
            steps.push(Step::well("tcp", format!("{} answers", account.server())));
            let mut step = Step::error("tls", &error);
            if let Some(certificate) = certificate {
                step.text
                    .push_str(&format!("; its certificate has the fingerprint {}", certificate.fingerprint));
            }
            steps.push(step);
            None
        }
        Err(error) => {
            steps.push(Step::error("tcp", &error));
            None
        }
        Ok(client) => {
            steps.push(Step::well("tcp", format!("{} answers: {}", account.server(), client.greeting())));
            steps.push(tls(account.tls.mode, certificate, now));
            Some(client)
        }
    }
}

fn tls(mode: TlsMode, certificate: Option<Certificate>, now: Timestamp) -> Step {
    let Some(certificate) = certificate.filter(|_| mode != TlsMode::None) else {
        return Step::well("tls", "none, to this machine itself");
    };
    let print = certificate.fingerprint;
    match certificate.days_left(now) {
        Some(days) if days <= SOON => Step {
            fix: Some("renew the server's certificate".to_owned()),
            ..Step::well("tls", format!("the certificate ends in {days} days; its fingerprint is {print}"))
        },
        Some(days) => {
            Step::well("tls", format!("the certificate is good for {days} days; its fingerprint is {print}"))
        }
        None => Step::well("tls", format!("the certificate's fingerprint is {print}")),
    }
}

/// From the sign-in on; the error comes with the step it belongs to.
async fn explore(
    client: &mut Client,
    account: &Account,
    sent: Sent,
    steps: &mut Vec<Step>,
) -> Result<(), (&'static str, Error)> {
    client.sign_in(&account.auth).await.map_err(|error| ("sign_in", error))?;
    steps.push(Step::well("sign_in", format!("signed in as {}", account.auth.login())));
    client.introduce().await.map_err(|error| ("capabilities", error))?;
    steps.push(capabilities(client));
    let namespaces = client.namespaces().await.map_err(|error| ("namespaces", error))?;
    let seen = others(client, &namespaces).await.map_err(|error| ("namespaces", error))?;
    steps.push(Step::well(
        "namespaces",
        match seen.is_empty() {
            true => "no mailboxes of others can be seen".to_owned(),
            false => format!("mailboxes of others: {}", seen.join(", ")),
        },
    ));
    let tree = Tree::read(client, account).await.map_err(|error| ("folders", error))?;
    folders(client, &tree, steps).await.map_err(|error| ("folders", error))?;
    if sent == Sent::Watched {
        sent_folder(client, &tree, steps).await.map_err(|error| ("folders", error))?;
    }
    header(client, &tree, steps).await.map_err(|error| ("header", error))
}

fn capabilities(client: &Client) -> Step {
    let text = client.capabilities().join(" ");
    let polled = "without IDLE new mail is asked for at intervals; nothing to do";
    Step { fix: (!client.can("IDLE")).then(|| polled.to_owned()), ..Step::well("capabilities", text) }
}

async fn folders(client: &mut Client, tree: &Tree, steps: &mut Vec<Step>) -> Result<(), Error> {
    let mut counts = Vec::new();
    for folder in tree.folders.iter().filter(|folder| folder.can_be_opened()).take(COUNTED) {
        match count(client, &folder.wire).await? {
            Some(count) => counts.push(format!("{} ({count})", folder.name)),
            None => counts.push(format!("{} (cannot be read)", folder.name)),
        }
    }
    steps.push(match tree.find(&FolderName::Inbox) {
        Ok(_) => Step::well("folders", counts.join(", ")),
        Err(error) => Step::error("folders", &error),
    });
    Ok(())
}

/// The one that holds what the mailbox's people sent.
async fn sent_folder(client: &mut Client, tree: &Tree, steps: &mut Vec<Step>) -> Result<(), Error> {
    let domino = client.greeting().contains("Domino");
    let fix = match domino {
        true => {
            "set EnableImapFolderSynch=1 in the server's notes.ini and restart the IMAP task: until then mail sent from Notes does not appear here"
        }
        false => {
            "have mail programs keep copies of sent mail on the server, in a folder that is marked \\Sent or called Sent"
        }
    };
    let Ok(sent) = tree.find(&FolderName::Sent) else {
        steps.push(Step::failed("folders", "there is no folder for sent mail", fix));
        return Ok(());
    };
    if count(client, &sent.wire).await? != Some(0) {
        return Ok(());
    }
    let received = match tree.find(&FolderName::Inbox) {
        Ok(inbox) => count(client, &inbox.wire).await?.unwrap_or(0),
        Err(_) => 0,
    };
    let in_use = if domino { 1 } else { IN_USE };
    steps.push(match received >= in_use {
        true => {
            let text = format!("{} is empty, though {received} mails lie in the Inbox", sent.name);
            Step::failed("folders", text, fix)
        }
        false => {
            let text = format!("{} is empty, as it is where nobody has sent anything yet", sent.name);
            Step { fix: Some(format!("if people have sent mail: {fix}")), ..Step::well("folders", text) }
        }
    });
    Ok(())
}

async fn count(client: &mut Client, wire: &[u8]) -> Result<Option<u64>, Error> {
    match client.status(wire).await {
        Ok(Standing { messages, .. }) => Ok(messages),
        Err(Error::Refused { .. } | Error::Incomplete { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn header(client: &mut Client, tree: &Tree, steps: &mut Vec<Step>) -> Result<(), Error> {
    let Ok(inbox) = tree.find(&FolderName::Inbox) else { return Ok(()) };
    let standing = client.examine(&inbox.wire).await?;
    if standing.messages == Some(0) {
        steps.push(Step::well("header", "the Inbox is empty, so there is no mail to read"));
        return Ok(());
    }
    let last = standing.uid_next.unwrap_or(1).saturating_sub(1);
    let found = client.survey(last.saturating_sub(200).max(1), last).await?;
    let head = match found.last() {
        Some(message) => client.identity(message.uid).await?,
        None => None,
    };
    steps.push(match head {
        Some(head) if !head.is_empty() => {
            Step::well("header", format!("read {} bytes of a mail's header", head.len()))
        }
        _ => Step::failed(
            "header",
            "no header came",
            "open the mailbox with another mail program; see the server's log",
        ),
    });
    Ok(())
}
