//! One outgoing mail as a value: its state, its recipients with the last word about each, and its end.

use jiff::Timestamp;
use postroom_core::{BodyHash, MailId, MailState, RecordRef};
use postroom_jobs::NewJob;
use serde::Serialize;
use uuid::Uuid;

use super::KIND;

/// A closed set of words with one text form each.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            pub(crate) fn of(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

words!(/// How a recipient was named.
    Role { To = "to", Cc = "cc", Bcc = "bcc" });

words!(/// Where a mail stands with one recipient.
Standing {
    /// No answer yet.
    Waiting = "waiting",
    /// A server answered 4yz; it is tried again.
    Later = "later",
    Accepted = "accepted",
    Refused = "refused",
    /// Given up after the time allowed.
    Expired = "expired",
    /// Accepted, then reported as late on its way.
    Delayed = "delayed",
    /// Accepted, then reported as not delivered.
    Bounced = "bounced",
    /// Reported as delivered.
    Delivered = "delivered",
    /// Opened by its reader, who let that be told (RFC 8098).
    Read = "read",
});

words!(/// Why a mail is held.
Hold {
    /// A guard stopped it.
    Rule = "rule",
    /// The database came from a backup; freed when safe mode ends.
    SafeMode = "safe_mode",
    Person = "person",
    /// Its sender is none of ours: whoever serves that sender sends it. Nothing was written to the CRM.
    Foreign = "foreign",
});

impl Standing {
    /// Whether the mail server still has to be asked.
    pub fn is_open(self) -> bool {
        matches!(self, Standing::Waiting | Standing::Later)
    }

    /// Whether a mail server took the mail for this recipient.
    pub fn was_accepted(self) -> bool {
        matches!(
            self,
            Standing::Accepted | Standing::Delayed | Standing::Bounced | Standing::Delivered | Standing::Read
        )
    }
}

/// One recipient and the last word about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// As given to the mail server.
    pub address: String,
    pub role: Role,
    pub state: Standing,
    /// SMTP reply code.
    pub code: Option<u16>,
    /// Enhanced status code (RFC 3463).
    pub status: Option<String>,
    /// What the server said; of one that came back, why in a word and what the server said.
    pub text: String,
    /// Of one that came back: whether sending again is of no use.
    pub hard: Option<bool>,
    pub at: Timestamp,
}

/// One outgoing mail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub id: MailId,
    pub activity: Uuid,
    /// Queued, held, sending, sent, unknown, bounced, failed or suppressed.
    pub state: MailState,
    /// One sentence for a person.
    pub reason: String,
    /// The documented error, when one stands in the way.
    pub code: Option<u16>,
    pub hold: Option<Hold>,
    /// A person released it: the guards that ask for a confirmation let it pass.
    pub confirmed: bool,
    /// `None` until it is rendered.
    #[serde(skip)]
    pub body: Option<BodyHash>,
    pub reverse_path: String,
    /// Normalised, without angle brackets.
    pub message_id: Option<String>,
    pub subject: String,
    pub record: Option<RecordRef>,
    pub attempts: u32,
    /// Attempts that the mail server answered or could not be reached for.
    pub tries: u32,
    pub next_try: Option<Timestamp>,
    pub first_at: Timestamp,
    pub sending_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    #[serde(skip)]
    pub(super) told: Option<(i64, i64)>,
    #[serde(skip)]
    pub(super) copied: bool,
    /// The recipients that came back and stand in the CRM's notes.
    #[serde(skip)]
    pub(super) noted: u32,
    /// Its sender asked to be told when it is delivered.
    #[serde(skip)]
    pub(super) receipt: bool,
    pub recipients: Vec<Recipient>,
}

impl Entry {
    /// Whether its time has not come. A time that was set before the clock went back does not count: its job has waited for
    /// as long as it says.
    pub(super) fn waits(&self, now: Timestamp) -> bool {
        self.next_try.is_some_and(|due| due > now) && self.sending_at.is_none_or(|at| at <= now)
    }

    /// When its job is due: at the time of its next try, or after the same wait when the clock went back since it was put off.
    pub(super) fn due(&self, now: Timestamp) -> Timestamp {
        let due = self.next_try.unwrap_or(now);
        match self.sending_at.filter(|at| *at > now) {
            Some(at) => now.checked_add(due.duration_since(at)).unwrap_or(due),
            None => due,
        }
    }

    /// A wish of the CRM's that was just seen.
    pub(super) fn new(id: MailId, activity: Uuid, subject: String, now: Timestamp) -> Entry {
        Entry {
            id,
            activity,
            state: MailState::Queued,
            reason: "Claimed; not rendered yet.".into(),
            code: None,
            hold: None,
            confirmed: false,
            body: None,
            reverse_path: String::new(),
            message_id: None,
            subject,
            record: None,
            attempts: 0,
            tries: 0,
            next_try: None,
            first_at: now,
            sending_at: None,
            finished_at: None,
            told: None,
            copied: false,
            noted: 0,
            receipt: false,
            recipients: Vec::new(),
        }
    }

    pub(super) fn to(mut self, state: MailState, reason: impl Into<String>) -> Entry {
        self.state = state;
        self.reason = reason.into();
        self
    }

    pub(super) fn held(
        self,
        hold: Hold,
        code: Option<postroom_core::Code>,
        reason: impl Into<String>,
    ) -> Entry {
        let held = self.to(MailState::Held, reason);
        Entry { hold: Some(hold), code: code.map(|code| code.0), next_try: None, ..held }
    }

    /// Whether the copy for its sender's folder is made, or given up.
    pub fn is_copied(&self) -> bool {
        self.copied
    }

    /// Whether any server took it.
    pub fn any_accepted(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.state.was_accepted())
    }

    /// How many recipients it came back from.
    pub(super) fn bounced(&self) -> u32 {
        let back = self.recipients.iter().filter(|one| one.state == Standing::Bounced).count();
        u32::try_from(back).unwrap_or(u32::MAX)
    }

    /// Whether somebody still has to be asked for.
    pub fn is_open(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.state.is_open())
    }

    /// The end of a mail that nobody is left to be asked for.
    pub(super) fn concluded(mut self, now: Timestamp) -> Entry {
        let total = self.recipients.len();
        let taken = self.recipients.iter().filter(|recipient| recipient.state.was_accepted()).count();
        (self.finished_at, self.next_try, self.code, self.hold) = (Some(now), None, None, None);
        match taken {
            0 => {
                let why = self
                    .recipients
                    .iter()
                    .map(|recipient| recipient.text.as_str())
                    .find(|text| !text.is_empty());
                let reason = match why {
                    Some(why) => format!("No recipient was accepted: {why}"),
                    None => "No recipient was accepted.".to_owned(),
                };
                self.to(MailState::Failed, reason)
            }
            taken if taken == total => {
                self.to(MailState::Sent, "The mail server took it for all recipients.")
            }
            taken => self
                .to(MailState::Sent, format!("The mail server took it for {taken} of {total} recipients.")),
        }
    }

    /// The lane of its job.
    pub(super) fn lane(&self) -> String {
        lane(self.activity)
    }

    pub(super) fn job(&self) -> NewJob {
        job(self.id, self.activity)
    }
}

/// One lane per activity: a corrected e-mail never overtakes its first form.
pub(crate) fn lane(activity: Uuid) -> String {
    format!("out:{}", activity.simple())
}

/// The job that works an outgoing mail.
pub(super) fn job(id: MailId, activity: Uuid) -> NewJob {
    NewJob::new(KIND, serde_json::json!({ "outgoing": id })).lane(lane(activity))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    /// A mail that was handed over at `sent` and put off for a minute, looked at at `now`: whether it waits, and when its job is
    /// due.
    #[track_caller]
    fn check(sent: i64, now: i64, waits: bool, due: i64) {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let mut entry = Entry::new(MailId(Uuid::nil()), Uuid::nil(), String::new(), at(0));
        entry.sending_at = Some(at(sent));
        entry.next_try = Some(at(sent) + SignedDuration::from_secs(60));
        assert_eq!((entry.waits(at(now)), entry.due(at(now))), (waits, at(due)), "{sent} {now}");
    }

    #[test]
    fn a_clock_that_went_back_lengthens_no_wait() {
        check(1000, 1010, true, 1060);
        check(1000, 1060, false, 1060);
        check(1000, 100, false, 160);
    }
}
