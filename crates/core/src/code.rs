//! Error codes: `PR-nnnn`, never reused. This table is the one source of `postroom explain`, the pages and the docs.
//!
//! 1xxx configuration and start, 2xxx CRM, 3xxx mail in, 4xxx mail out, 7xxx storage, 8xxx API and sign-in,
//! 9xxx internal (a bug).

use std::fmt;
use std::str::FromStr;

/// The number of a documented error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PR-{:04}", self.0)
    }
}

impl FromStr for Code {
    type Err = ();

    /// Takes `PR-3001`, `pr3001` and `3001`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.trim().trim_start_matches(['P', 'p', 'R', 'r', '-']);
        digits.parse().map(Code).map_err(|_| ())
    }
}

/// One documented error.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub code: Code,
    pub title: &'static str,
    /// What it means for the user, in a sentence or two.
    pub meaning: &'static str,
    /// Who can mend it.
    pub owner: Owner,
    /// Whether postroom tries again by itself.
    pub retryable: bool,
    /// The next step.
    pub action: &'static str,
}

/// Who can mend an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    CrmAdmin,
    MailAdmin,
    Operator,
    /// Us.
    Developers,
}

impl Owner {
    pub fn as_str(self) -> &'static str {
        match self {
            Owner::CrmAdmin => "crm_admin",
            Owner::MailAdmin => "mail_admin",
            Owner::Operator => "operator",
            Owner::Developers => "developers",
        }
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal, $owner:ident, $retry:literal, $title:literal, $meaning:literal, $action:literal;)+) => {
        impl Code {
            $(#[doc = $title] pub const $name: Code = Code($number);)+
        }

        /// Every code, in order.
        pub const ALL: &[Entry] = &[
            $(Entry { code: Code($number), title: $title, meaning: $meaning, owner: Owner::$owner, retryable: $retry, action: $action }),+
        ];
    };
}

codes! {
    CONFIG_INVALID = 1001, Operator, false, "The configuration is not valid",
        "A key is unknown, misspelt or has a value that cannot be used. Nothing was started.",
        "Correct the line named in the message, then run: postroom config validate";
    CONFIG_MISSING = 1002, Operator, false, "No configuration was found",
        "None of the places that are searched holds a postroom.toml.",
        "Run: postroom init, or name the file with --config";
    SECRET_FILE = 1003, Operator, false, "A secret file cannot be used",
        "The file is missing, empty, or can be read by others than its owner.",
        "Run the chmod named in the message, or correct the path";
    LISTEN_FAILED = 1004, Operator, false, "A port cannot be listened on",
        "The address is in use by another program or may not be used by this one.",
        "Stop the other program, or set another listen address";
    LISTEN_OPEN = 1005, Operator, false, "Refused to listen without protection",
        "A page or API without TLS may listen on loopback only.",
        "Set [http] tls_cert and tls_key, or listen on 127.0.0.1 behind a proxy on the same machine";
    CRM_AWAY = 2001, CrmAdmin, true, "The CRM cannot be reached",
        "Mail is being stored; nothing is written to the CRM until it answers again.",
        "Run: postroom check crm";
    CRM_REFUSED = 2002, CrmAdmin, false, "The CRM refused a row",
        "A value does not fit the column named in the message. The mail is kept on the shelf.",
        "Correct the cause, then run: postroom shelf replay ID";
    CRM_UNKNOWN_COLUMN = 2003, CrmAdmin, false, "No such table or column",
        "The CRM has no table or column of that name.",
        "Correct the name; postroom record list TABLE shows what a table has";
    CRM_REFERENCE = 2004, CrmAdmin, false, "A lookup names a row that does not exist",
        "The column named in the message refers to a record that is not there.",
        "Create that record first, or leave the column out";
    CRM_STATE = 2005, CrmAdmin, false, "Status and status reason do not go together",
        "The statuscode given does not belong to the statecode of the row.",
        "Use one of the pairs named in the message";
    CRM_REQUIRED = 2006, CrmAdmin, false, "A required column is missing",
        "The table needs a value in the column named in the message.",
        "Give the column a value";
    CRM_NOT_FOUND = 2007, CrmAdmin, false, "No such record",
        "The id names no row of that table.",
        "Check the id: postroom record list TABLE";
    MAIL_UNREADABLE = 3001, MailAdmin, false, "A mail could not be read",
        "The mail is stored whole, but no meaning could be got out of it.",
        "Look at it with: postroom message raw ID, then attach it by hand";
    MAIL_TOO_LARGE = 3002, MailAdmin, false, "A mail is larger than allowed",
        "The mail was refused at the door and stays with its sender.",
        "Raise [smtp_in] max_message if such mail is expected";
    MAIL_RELAY = 3003, MailAdmin, false, "A recipient is not ours",
        "postroom takes mail only for its own domains and mailboxes; it never relays.",
        "Add the domain to accept_domains, or correct the mail server's route";
    MAIL_SOURCE = 3004, Operator, false, "A mail file cannot be read",
        "The path is missing, cannot be opened, or is neither mbox, Maildir nor a message.",
        "Check the path and its permissions";
    MAIL_BUSY = 3005, MailAdmin, true, "Too much mail at once",
        "The memory set aside for mail in flight is used up; the sender was asked to come back.",
        "Nothing, if it passes; else lower the sender's concurrency";
    STORE_AWAY = 7001, Operator, true, "The database cannot be reached",
        "Nothing is accepted until it answers; senders keep their mail.",
        "Check the database server and [storage] url";
    STORE_FAILED = 7002, Operator, false, "The database failed to make data durable",
        "A sync or commit failed. postroom stopped, because what is on disk is not certain; no unstored mail was acknowledged.",
        "Check the disk, then start postroom again: it recovers by itself";
    STORE_NEWER = 7003, Operator, false, "The database was written by a newer postroom",
        "This version does not know the schema.",
        "Start the newer version, or restore a backup of this version";
    STORE_FULL = 7004, Operator, true, "The disk is full or nearly so",
        "New mail is refused for now (452) and stays with its sender.",
        "Free disk space, or raise the limit of the volume";
    STORE_QUERY = 7005, Developers, false, "A database statement failed",
        "The database refused a statement of ours.",
        "Report it with the log line";
    STORE_CONFLICT = 7006, Operator, true, "Another process got there first",
        "Two processes changed the same row; this one will try again.",
        "Nothing";
    API_INPUT = 8001, Operator, false, "The request is not valid",
        "A field is missing, unknown or of the wrong form.",
        "Correct the field named in the message";
    API_TOKEN = 8002, Operator, false, "Not signed in",
        "The token or session is missing, unknown, expired or revoked.",
        "Run: postroom apitoken create --scope SCOPE, or sign in again";
    API_DENIED = 8003, Operator, false, "Not allowed",
        "The token or user has not the permission named in the message.",
        "Ask the owner for a role or scope that has it";
    API_NOT_FOUND = 8004, Operator, false, "No such item",
        "The id names nothing of this kind.",
        "List the items to see their ids";
    API_CONFLICT = 8005, Operator, false, "The item is not in a state for that",
        "It changed meanwhile, or was handled already.",
        "Look at it again, then decide";
    SAFE_MODE = 8006, Operator, false, "Safe mode",
        "This database was restored from a backup. Nothing leaves until the reconciliation is confirmed.",
        "Run: postroom reconcile, read what it says, then: postroom reconcile --yes";
    INTERNAL = 9001, Developers, false, "Internal error",
        "A bug of postroom's. The item is kept on the shelf; its neighbours go on.",
        "Report it with the log line, then: postroom shelf replay ID";
}

/// The entry of a code, when it is documented.
pub fn entry(code: Code) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_are_documented() {
        assert!(ALL.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(ALL.iter().all(|entry| !entry.meaning.is_empty() && !entry.action.is_empty()));
    }

    #[test]
    fn codes_read_back() {
        for text in ["PR-3001", "pr-3001", "3001"] {
            assert_eq!(text.parse(), Ok(Code::MAIL_UNREADABLE));
        }
        assert!("PR-x".parse::<Code>().is_err());
    }
}
