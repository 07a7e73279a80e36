//! What is tried rather than read: the configuration, the ways in and out, mailboxes; and what needs a person.
//!
//! The trials themselves are made by whoever put the parts together (the port [`Trials`]): they reach the mail servers, and
//! know the configuration. Whoever asks for one comes through here, with his permission.

use async_trait::async_trait;
use postroom_core::{Code, Fault};
use serde::Serialize;

use crate::{Actor, Credential, Operations, Permission, audit};

/// Hears what is asked next, before it may take long.
pub type Told<'t> = &'t mut (dyn FnMut(&str) + Send);

/// One thing that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    pub part: String,
    pub ok: bool,
    /// What was found, or what failed, in a sentence.
    pub said: String,
    /// What to do.
    #[serde(rename = "do")]
    pub fix: Option<String>,
    /// It was not tried.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

impl Tried {
    pub fn well(part: impl Into<String>, said: impl Into<String>) -> Self {
        Tried { part: part.into(), ok: true, said: said.into(), fix: None, skipped: false }
    }

    pub fn failed(part: impl Into<String>, said: impl Into<String>, fix: impl Into<String>) -> Self {
        Tried { ok: false, fix: Some(fix.into()), ..Tried::well(part, said) }
    }
}

/// One step of a trial.
#[derive(Debug, Clone, Serialize)]
pub struct TrialStep {
    pub name: String,
    pub ok: bool,
    /// What was found, or what failed, in a sentence.
    pub text: String,
    /// What to do; also beside a step that is well.
    #[serde(rename = "do")]
    pub fix: Option<String>,
    /// It was not tried: a step before it failed, or there is nothing to try.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Whether it failed because nobody answered.
    #[serde(skip)]
    pub away: bool,
}

impl TrialStep {
    pub fn well(name: &str, text: impl Into<String>) -> Self {
        TrialStep { name: name.into(), ok: true, text: text.into(), fix: None, skipped: false, away: false }
    }

    pub fn failed(name: &str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        TrialStep { ok: false, fix: Some(fix.into()), ..TrialStep::well(name, text) }
    }

    /// Nobody answered.
    pub fn away(name: &str, text: impl Into<String>) -> Self {
        TrialStep { ok: false, away: true, ..TrialStep::well(name, text) }
    }

    /// Not tried, which is no failure of its own.
    pub fn skipped(name: &str, text: impl Into<String>) -> Self {
        TrialStep { skipped: true, ..TrialStep::well(name, text) }
    }

    /// With what to do, when something is to be done.
    pub fn advised(self, fix: Option<String>) -> Self {
        TrialStep { fix, ..self }
    }
}

/// One mailbox and how its trial went.
#[derive(Debug, Clone, Serialize)]
pub struct MailboxTest {
    pub name: String,
    pub address: String,
    pub ok: bool,
    pub steps: Vec<TrialStep>,
    /// The first thing to do.
    #[serde(rename = "do")]
    pub fix: Option<String>,
}

/// What `check` can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckPart {
    Config,
    Storage,
    Http,
    Smtp,
    Lmtp,
    Crm,
    Mailbox,
    SmtpOut,
    Relay,
}

impl CheckPart {
    pub const ALL: [CheckPart; 9] = [
        CheckPart::Config,
        CheckPart::Storage,
        CheckPart::Http,
        CheckPart::Smtp,
        CheckPart::Lmtp,
        CheckPart::Crm,
        CheckPart::Mailbox,
        CheckPart::SmtpOut,
        CheckPart::Relay,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            CheckPart::Config => "config",
            CheckPart::Storage => "storage",
            CheckPart::Http => "http",
            CheckPart::Smtp => "smtp",
            CheckPart::Lmtp => "lmtp",
            CheckPart::Crm => "crm",
            CheckPart::Mailbox => "mailbox",
            CheckPart::SmtpOut => "smtp-out",
            CheckPart::Relay => "relay",
        }
    }
}

impl std::str::FromStr for CheckPart {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        CheckPart::ALL.into_iter().find(|part| part.as_str() == text).ok_or_else(|| {
            let all = CheckPart::ALL.map(CheckPart::as_str).join(", ");
            Fault::reject(Code::API_INPUT, format!("{text:?} cannot be checked; one of these can: {all}"))
        })
    }
}

/// What is to be checked.
#[derive(Debug, Clone, Default)]
pub struct CheckWanted {
    /// Left out, everything.
    pub part: Option<CheckPart>,
    /// One of them by name.
    pub name: Option<String>,
    /// Also sends a mail to each mailbox itself, and waits for it there.
    pub round_trip: bool,
}

/// Who can try what the configuration names.
#[async_trait]
pub trait Trials: Send + Sync {
    /// Tries what the configuration names.
    async fn check(&self, wanted: &CheckWanted, told: Told<'_>) -> Result<Vec<Tried>, Fault>;

    /// Tries one mailbox, or all, step by step; with `round_trip` a mail is sent to each, too.
    ///
    /// # Errors
    /// [`Code::API_NOT_FOUND`] for a name that is not configured.
    async fn mailboxes(
        &self,
        name: Option<&str>,
        round_trip: bool,
        told: Told<'_>,
    ) -> Result<Vec<MailboxTest>, Fault>;

    /// What is in use and ends, with its end.
    async fn credentials(&self) -> Vec<Credential>;
}

impl Operations {
    /// Lets the configuration and mailboxes be tried.
    pub fn with_trials(self, trials: std::sync::Arc<dyn Trials>) -> Self {
        let parts = std::sync::Arc::unwrap_or_clone(self.0);
        Operations(std::sync::Arc::new(crate::Parts { trials: Some(trials), ..parts }))
    }

    fn trials(&self) -> Result<&dyn Trials, Fault> {
        let trials = self.0.trials.as_deref();
        trials.ok_or_else(|| Fault::bug("this process was put together without its trials"))
    }

    /// Tries what the configuration names.
    pub async fn check(
        &self,
        actor: &Actor,
        wanted: &CheckWanted,
        told: Told<'_>,
    ) -> Result<Vec<Tried>, Fault> {
        actor.needs(Permission::Decide)?;
        if wanted.round_trip {
            self.audit_round_trip(actor, wanted.name.as_deref()).await?;
        }
        self.trials()?.check(wanted, told).await
    }

    /// Tries one mailbox, or all.
    ///
    /// # Errors
    /// [`Code::API_NOT_FOUND`] for a name that is not configured.
    pub async fn test_mailboxes(
        &self,
        actor: &Actor,
        name: Option<&str>,
        round_trip: bool,
        told: Told<'_>,
    ) -> Result<Vec<MailboxTest>, Fault> {
        actor.needs(Permission::Decide)?;
        if round_trip {
            self.audit_round_trip(actor, name).await?;
        }
        self.trials()?.mailboxes(name, round_trip, told).await
    }

    /// A mail leaves.
    async fn audit_round_trip(&self, actor: &Actor, name: Option<&str>) -> Result<(), Fault> {
        let object = name.unwrap_or("mailboxes");
        let entry = audit::Entry::new(actor, self.0.clock.now(), "mailbox.test", object, "a mail to itself");
        self.record_audit(entry).await
    }

    /// Looks for anything that needs a person. Writes nothing.
    pub async fn doctor(&self, actor: &Actor) -> Result<Vec<Tried>, Fault> {
        let today = self.today(actor).await?;
        let mail = today.outgoing;
        let queue = |state: &str| format!("postroom queue list --state {state}");
        let mut found = vec![
            counted("review", today.review, "waits in review", "postroom message review list"),
            counted("shelf", today.shelf, "lies on the shelf", "postroom shelf list"),
            counted("held mail", mail.held, "waits for a release", &queue("held")),
            counted("unknown mail", mail.unknown, "may or may not have arrived", &queue("unknown")),
            counted("failed mail", mail.failed, "failed within a day", &queue("failed")),
            match today.unread.as_slice() {
                [] => Tried::well("mailboxes", "each is read"),
                names => {
                    let said = format!("not read now: {}", names.join(", "));
                    Tried::failed("mailboxes", said, "postroom mailbox list")
                }
            },
            match today.safe_mode {
                true => Tried::failed(
                    "safe mode",
                    "safe mode: this data came from a backup",
                    "postroom reconcile",
                ),
                false => Tried::well("safe mode", "off"),
            },
        ];
        found.extend(self.0.room.as_ref().map(crate::Room::look));
        found.push(self.look_at_credentials().await);
        let books = self.verify(actor).await?;
        found.push(match books.balance() {
            true => Tried::well("books", format!("{} messages balance", books.messages)),
            false => Tried::failed("books", format!("{} findings", books.finding_count), "postroom verify"),
        });
        Ok(found)
    }
}

fn counted(part: &str, count: u64, what: &str, fix: &str) -> Tried {
    match count {
        0 => Tried::well(part, format!("nothing {what}")),
        some => Tried::failed(part, format!("{some} {what}"), fix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_by_their_names() {
        for part in CheckPart::ALL {
            assert_eq!(part.as_str().parse::<CheckPart>().unwrap(), part);
        }
        let refused = "smtp_out".parse::<CheckPart>().unwrap_err();
        assert!(refused.message.contains("smtp-out"), "{refused}");
    }

    #[test]
    fn what_is_left_to_do_is_named() {
        assert!(counted("shelf", 0, "lies on the shelf", "x").ok);
        let found = counted("shelf", 2, "lies on the shelf", "postroom shelf list");
        assert_eq!((found.ok, found.said.as_str()), (false, "2 lies on the shelf"));
        assert_eq!(found.fix.as_deref(), Some("postroom shelf list"));
    }
}
