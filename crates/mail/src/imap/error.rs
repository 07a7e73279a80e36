//! What goes wrong between us and an IMAP server, and what it means for the mailbox.

use std::io;

use postroom_core::{Code, Fault, Verdict};

use super::wire::Malformed;
use crate::oauth;

/// Why a command, or the connection, failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot find the server {host}: check the name, and that DNS works")]
    Resolve { host: String, source: io::Error },
    #[error("cannot connect to {server}: check that the server runs, the port, and the firewall")]
    Connect { server: String, source: io::Error },
    #[error("{server}: {why}")]
    Tls { server: String, why: String, source: io::Error },
    #[error(
        "{server} offers no STARTTLS: set tls = \"implicit\" and its port (993), or have STARTTLS switched on; nothing was sent in the clear"
    )]
    NoStartTls { server: String },
    #[error("{server} is not this machine, so it needs TLS: set tls = \"implicit\" or \"starttls\"")]
    ClearText { server: String },
    #[error("cannot use the certificate authorities: {0}")]
    Roots(String),
    #[error(
        "the server forbids signing in with a password here (LOGINDISABLED): set tls = \"starttls\" or \"implicit\""
    )]
    LoginDisabled,
    #[error("the server offers none of the ways to sign in that we can use: it has {offered}")]
    NoMechanism { offered: String },
    #[error(
        "the server refused the sign-in: {text}. Check user and password, and that IMAP is allowed for this user"
    )]
    SignIn { text: String },
    #[error(transparent)]
    Token(#[from] oauth::Error),
    #[error("the server cannot let us in now: {text}")]
    Busy { text: String },
    #[error("the server refused {command}: {text}")]
    Refused { command: &'static str, text: String, missing: bool },
    #[error("no folder {name} on the server: it has {present}")]
    NoFolder { name: String, present: String },
    #[error("the server said good-bye: {text}")]
    Bye { text: String },
    #[error("the server did not answer {command} in time")]
    Late { command: &'static str },
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    #[error("the server does not speak IMAP that can be followed: {0}")]
    Malformed(#[from] Malformed),
    #[error("the server answered {command} without {what}")]
    Incomplete { command: &'static str, what: &'static str },
}

/// What an [`Error`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Connect again, soon.
    Reconnect,
    /// Try again at long intervals, or the server locks the account.
    SignIn,
    /// A person must change the configuration or the server; looked at again now and then.
    Person,
    /// The connection is sound; only this command failed.
    GoOn,
}

impl Error {
    pub fn remedy(&self) -> Remedy {
        match self {
            Error::Resolve { .. }
            | Error::Connect { .. }
            | Error::Busy { .. }
            | Error::Bye { .. }
            | Error::Late { .. }
            | Error::Broken(_)
            | Error::Malformed(_)
            | Error::Token(oauth::Error::Away { .. }) => Remedy::Reconnect,
            Error::SignIn { .. } | Error::Token(_) => Remedy::SignIn,
            Error::Tls { .. }
            | Error::NoStartTls { .. }
            | Error::ClearText { .. }
            | Error::Roots(_)
            | Error::LoginDisabled
            | Error::NoMechanism { .. }
            | Error::NoFolder { .. } => Remedy::Person,
            Error::Refused { .. } | Error::Incomplete { .. } => Remedy::GoOn,
        }
    }

    /// The documented error.
    pub fn code(&self) -> Code {
        match self {
            Error::Resolve { .. }
            | Error::Connect { .. }
            | Error::Busy { .. }
            | Error::Bye { .. }
            | Error::Late { .. }
            | Error::Broken(_) => Code::IMAP_AWAY,
            Error::Tls { .. } | Error::NoStartTls { .. } | Error::ClearText { .. } | Error::Roots(_) => {
                Code::IMAP_TLS
            }
            Error::LoginDisabled | Error::NoMechanism { .. } | Error::SignIn { .. } | Error::Token(_) => {
                Code::IMAP_SIGN_IN
            }
            Error::NoFolder { .. } => Code::IMAP_FOLDER,
            Error::Refused { .. } | Error::Malformed(_) | Error::Incomplete { .. } => Code::IMAP_PROTOCOL,
        }
    }

    /// The sentence with its cause, on one line.
    pub fn sentence(&self) -> String {
        use std::error::Error as _;
        let mut text = self.to_string();
        if let Some(cause) = self.source()
            && !matches!(self, Error::Malformed(_) | Error::Tls { .. })
        {
            text.push_str(&format!(" ({cause})"));
        }
        text
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Broken(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let verdict = match error.remedy() {
            Remedy::Reconnect => Verdict::Retry { after: None },
            Remedy::SignIn | Remedy::Person => Verdict::Hold,
            Remedy::GoOn => Verdict::Reject,
        };
        Fault::new(verdict, error.code(), error.sentence()).with_source(error)
    }
}
