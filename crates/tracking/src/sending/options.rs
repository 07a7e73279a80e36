//! What an administrator set for outgoing mail. Values only.

use jiff::SignedDuration;

/// How the CRM's mail is sent.
#[derive(Debug, Clone)]
pub struct Options {
    /// Addresses and domains in normal form that may stand in From, besides the tracked mailboxes' own.
    pub senders: Vec<String>,
    /// More recipients than this are held until a person releases the mail. Too low, and newsletters by hand stop.
    pub max_recipients: usize,
    /// Mails to more than `max_recipients` go without being held.
    pub many_allowed: bool,
    /// Rendered bytes; more is held, for the server would refuse it at the end.
    pub max_bytes: usize,
    /// UTF-16 units of the subject with its token.
    pub subject: usize,
    /// Replies go to a signed address of ours. Needs that domain's mail to come here.
    pub reply_address: bool,
    /// Bounces go to a signed address of ours. Needs that domain's mail to come here.
    pub bounce_address: bool,
    /// A user who sends in another's name is shown in Sender.
    pub on_behalf: bool,
    /// A mail that nobody took by then has failed.
    pub give_up: SignedDuration,
    /// After this long without success the activity gets a note.
    pub delay_note: SignedDuration,
    /// A mail of unknown fate is sent again, same Message-ID, after this long without evidence; `None`: a person decides.
    /// Too short, and a copy in a Sent folder has no time to be seen.
    pub resend_after: Option<SignedDuration>,
    /// Mails about one record, or in one thread without a record, in an hour; more are held.
    pub per_record: u64,
    /// Mails to one address in an hour; more are held.
    pub per_recipient: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            senders: Vec::new(),
            max_recipients: 100,
            many_allowed: false,
            max_bytes: 35 * 1024 * 1024,
            subject: 255,
            reply_address: false,
            bounce_address: false,
            on_behalf: true,
            give_up: SignedDuration::from_hours(48),
            delay_note: SignedDuration::from_hours(1),
            resend_after: Some(SignedDuration::from_mins(15)),
            per_record: 60,
            per_recipient: 120,
        }
    }
}
