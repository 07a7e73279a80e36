//! Error codes: `PR-nnnn`, never reused. This table is the one source of `postroom explain`, the pages and the docs.
//!
//! 1xxx configuration and start, 2xxx CRM, 3xxx mail in, 4xxx mail out, 5xxx marketing, 7xxx storage, 8xxx API and sign-in,
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
    CRM_VERSION = 2008, CrmAdmin, false, "The row was changed by someone else",
        "Its version is no longer the one that was read.",
        "Read the row again and repeat the change";
    CRM_DUPLICATE = 2009, CrmAdmin, false, "There is such a row already",
        "A row with this id or this key exists.",
        "Change that row, or use another key";
    CRM_OTHER = 2010, Operator, false, "Only the embedded CRM does that",
        "The configuration names a CRM outside, which keeps its records, users and doors itself. Nothing was done.",
        "Do it in the CRM itself; for a CRM of postroom's own set [crm] kind = \"embedded\"";
    CRM_SOLUTION = 2011, CrmAdmin, false, "The solution cannot be put into this CRM",
        "Another connector works on the organisation, or its tables belong to another solution, or the solution is there unmanaged or newer. Nothing was written.",
        "Do what the message says; how it stands: postroom solution status";
    CRM_SIGN_IN = 2101, CrmAdmin, false, "The CRM or its identity provider refused the sign-in",
        "A name, secret, certificate or permission is wrong or has run out. Nothing is written to the CRM; it is tried again at growing intervals, so that no account is locked.",
        "Do what the message says, then run: postroom check crm";
    CRM_TLS = 2102, CrmAdmin, false, "No safe connection to the CRM",
        "TLS is missing, too old, or its certificate cannot be trusted. Nothing was sent.",
        "Name the file of the private CA, or pin the certificate's fingerprint; then run: postroom check crm";
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
    MAIL_CLIENT = 3006, MailAdmin, false, "A stranger at the stamping relay",
        "The relay sends mail on to anybody, so it takes it only from the addresses it was told. The client was turned away.",
        "If the client is your own mail server, add its address to the relay's clients";
    IMAP_AWAY = 3101, MailAdmin, true, "A mail server cannot be reached",
        "The mailbox is not being read. Nothing is lost: reading goes on where it stopped.",
        "Run: postroom mailbox test NAME";
    IMAP_TLS = 3102, MailAdmin, false, "No safe connection to a mail server",
        "TLS is missing, too old, or its certificate cannot be trusted. Nothing was sent.",
        "Do what the message says, or pin the certificate: postroom mailbox test NAME shows its fingerprint";
    IMAP_SIGN_IN = 3103, MailAdmin, false, "A mail server refused the sign-in",
        "User, password or permission is wrong. It is tried again at growing intervals, so that the account is not locked.",
        "Correct user or password of the mailbox, then run: postroom mailbox test NAME";
    IMAP_FOLDER = 3104, MailAdmin, false, "A folder is not on the mail server",
        "A folder to be watched does not exist or may not be read; the mailbox's other folders go on.",
        "Set one of the folders that postroom mailbox test NAME lists";
    IMAP_PROTOCOL = 3105, MailAdmin, true, "A mail server answered otherwise than the standard says",
        "A command was refused or its answer makes no sense. A message that cannot be read is tried again, then set aside.",
        "Look at the mailbox's page for the message; report it with the server's greeting if it stays";
    DIRECTORY_AWAY = 3201, Operator, true, "The directory cannot be reached",
        "Names of Notes users stay as they are until it answers; mail is taken and sent all the same.",
        "Check that the LDAP server runs, its address, port and the firewall";
    DIRECTORY_REFUSED = 3202, Operator, false, "The directory refused us",
        "The sign-in, TLS or the search was refused. Names of Notes users stay as they are.",
        "Correct bind name, password, base or certificate of the directory, then run: postroom check";
    SMTP_OUT_UNREACHABLE = 4001, MailAdmin, true, "The outgoing mail server cannot be reached",
        "Mail waits in the queue and leaves when the server answers again.",
        "Check that the server runs, its name, port and the firewall; then run: postroom check";
    SMTP_OUT_SIGN_IN = 4002, MailAdmin, false, "The outgoing mail server refused the sign-in",
        "User, password or permission is wrong. Mail is held; no mail is failed because of it.",
        "Correct the user or password of the outgoing server, then run: postroom queue release --all";
    SMTP_OUT_TLS = 4003, MailAdmin, false, "No safe connection to the outgoing mail server",
        "TLS is missing, too old, or its certificate cannot be trusted. Nothing was sent.",
        "Do what the message says, or pin the certificate's fingerprint";
    SMTP_OUT_UNKNOWN = 4004, MailAdmin, false, "The answer to a sent mail is lost",
        "The connection broke after the whole mail was sent: the server may have it. It is not sent again blindly.",
        "Look into the mail server's log for the Message-ID, then: postroom queue release ID, or postroom queue fail ID";
    SMTP_OUT_REFUSED = 4005, MailAdmin, false, "The outgoing mail server takes no mail from us",
        "The server refused this machine before any mail was named.",
        "Allow this machine to relay on the server, or correct host and port";
    OUT_FROM = 4101, MailAdmin, false, "A sender that may not be used",
        "The From of a CRM e-mail is neither one of the tracked mailboxes nor an allowed address or domain. It stays in Pending Send for whoever serves that sender.",
        "If postroom is to send it, add the address to the allowed senders and start again: what is pending is then looked at anew";
    OUT_OPT_OUT = 4102, CrmAdmin, false, "A recipient who wants no e-mail",
        "The contact, lead or account is marked as not allowing e-mails. The mail was not sent.",
        "Remove the recipient, or clear the mark if the person agreed, and send again from the CRM";
    OUT_INJECTION = 4103, CrmAdmin, false, "A column would forge a header",
        "A line end or NUL stands in a column that becomes a header of the mail. It is held.",
        "Correct the column named in the message, then run: postroom queue release ID";
    OUT_TOO_MANY = 4104, Operator, false, "More than a mail may have",
        "The mail has more recipients or bytes than the set limit. It is held.",
        "Run: postroom queue release ID if that is meant, or raise the limit";
    OUT_LOOP = 4105, Operator, false, "A mail that would loop",
        "It goes to an address of postroom's own, answers a machine's mail by machine, or is one of too many in an hour. It is held.",
        "Stop the workflow that makes them, or run: postroom queue release ID";
    OUT_UNWRITABLE = 4106, CrmAdmin, false, "No mail can be made of an e-mail",
        "The CRM e-mail has no sender or no recipient with a usable address. It was not sent.",
        "Correct the e-mail in the CRM and send it again";
    RELAY_REFUSED = 4201, MailAdmin, false, "The next mail server refused a user's mail",
        "The stamping relay gave its answer to the mail server the mail came from, which tells the sender.",
        "Nothing, if the sender's mistake; else look into the next mail server's log for the reason";
    RELAY_PARTLY = 4202, MailAdmin, true, "A user's mail could not go on to everybody",
        "Some recipients have it, the others were refused or must wait. The mail server sends it again; nobody gets it twice.",
        "Let the mail server send one recipient at a time (Postfix: destination_recipient_limit = 1)";
    RELAY_LOOP = 4203, MailAdmin, false, "A user's mail goes in a circle",
        "The stamping relay passed the mail on and got it back on its way to the same recipients. It was refused.",
        "Make the relay's next hop the re-injection port, which has no content filter, or the way out";
    RELAY_LINE_ENDS = 4204, MailAdmin, false, "A user's mail has broken line ends",
        "A lone CR or LF stands in it, which servers read in different ways. It was refused.",
        "Correct the program that made the mail: lines end with CRLF";
    RELAY_NOT_RECORDED = 4205, Operator, false, "A user's mail left unrecorded",
        "It has gone to its recipients, but will never fit into the store, so no activity shows it.",
        "Set the relay's max_message no higher than that of [smtp_in]";
    MARKETING_AWAY = 5001, Operator, true, "The marketing service cannot be reached",
        "Nothing is lost: what was to be exchanged waits, and is tried again.",
        "Check the network and the firewall to the service; then run: postroom marketing account check NAME";
    MARKETING_SIGN_IN = 5002, Operator, false, "The marketing service refused the sign-in",
        "The API user's name or password is wrong, or the user is disabled. All work of the account stops, because repeated failures lock the user.",
        "Correct the API user of the account, then run: postroom marketing account check NAME";
    MARKETING_TLS = 5003, Operator, false, "No safe connection to the marketing service",
        "Its certificate cannot be trusted, or TLS is too old. Nothing was sent.",
        "Check for a proxy that opens TLS between here and the service, and this machine's clock";
    MARKETING_REGION = 5004, Operator, false, "The account lives in another region",
        "The address of the account's API is wrong and the right one could not be found out.",
        "Set the address that the service shows for the account, then run: postroom marketing account check NAME";
    MARKETING_LIMIT = 5005, Operator, true, "The marketing service's limit is reached",
        "The account has made all the calls that it may make for now. Work goes on when the service allows.",
        "Nothing; if it happens daily, ask the service for a higher limit";
    MARKETING_BUSY = 5006, Operator, true, "The marketing service is still busy with earlier work",
        "Too many imports or removals run, or something is still being prepared. It is tried again.",
        "Nothing";
    MARKETING_FEATURE = 5007, Operator, false, "The account does not have this feature",
        "The plan or the API user's permissions leave it out. The account's other work goes on.",
        "Switch off this kind of sync for the account, or ask the service to activate the feature";
    MARKETING_NOT_FOUND = 5008, Operator, false, "Not there any more in the marketing service",
        "Somebody deleted the list, campaign, program, form or person there. It is not made again by itself.",
        "Unlink it here, or make it there again and link that";
    MARKETING_DUPLICATE = 5009, Operator, false, "There is one of this name in the marketing service",
        "A list, segment, field or person has this name or identifier already.",
        "Link that one, or choose another name";
    MARKETING_RESERVED = 5010, Operator, false, "A name that the marketing service keeps to itself",
        "Test and All Contacts are the service's own lists; some names of fields are reserved too.",
        "Choose another name";
    MARKETING_SUPPRESSED = 5011, Operator, false, "A person who gets no mail from this account",
        "The address unsubscribed, bounced or is suppressed in the marketing service. It stays so.",
        "Nothing; only the person can change that, by subscribing again";
    MARKETING_LIST_SUPPRESSED = 5012, Operator, false, "A person who left this list",
        "The address unsubscribed from the list in the marketing service. It stays so.",
        "Nothing; only the person can change that, by subscribing again";
    MARKETING_DATA = 5013, CrmAdmin, false, "The marketing service refused a person's data",
        "An address or a value cannot be used. The row waits with its reason; its neighbours went through.",
        "Correct the value in the CRM; the row goes out again when it changes";
    MARKETING_FIELD = 5014, Operator, false, "A data field is missing in the marketing service",
        "A mapped field was deleted or never made there.",
        "Run the sync of labels, or correct the mapping";
    MARKETING_QUOTA = 5015, Operator, false, "The marketing service's plan has no room",
        "The account has all the people, lists, fields or sends that its plan allows.",
        "Make room there or ask for a larger plan, then run the sync again";
    MARKETING_STATE = 5016, Operator, false, "The campaign or program is not in a state for that",
        "It was sent already, is not active, or lacks something that sending needs.",
        "Open it in the marketing service, mend what the message says, and try again";
    MARKETING_WATCHDOG = 5017, Operator, false, "The marketing service refused a whole import",
        "Its filter against abuse stopped the import. Nobody of it was written.",
        "Ask the service's support to look at the import named in the message";
    MARKETING_UNKNOWN = 5018, Operator, false, "The answer of the marketing service is lost",
        "The connection broke after the request left: it may have been done. It is not done again blindly.",
        "Look at the evidence shown with it, then decide";
    MARKETING_AUDIENCE = 5019, Operator, false, "Nobody to send to",
        "The service takes an empty audience for everybody, so nothing was asked of it.",
        "Look at the list: it is empty, or everybody on it opted out";
    MARKETING_REFUSED = 5020, Operator, false, "The marketing service refused a request",
        "It gave a reason that this version does not know.",
        "Read the message; report it with the log line if it stays";
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
