//! What can go wrong on the way to a mail server, and what each means for the mail: see the table in [`Fault::from`].

use std::io;

use postroom_core::{Answer, Code, Fault, Verdict};
use tokio_rustls::rustls;

use crate::oauth;

/// Why a mail was not handed over. Except for [`Error::Unknown`], nobody has it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{what} cannot be used in SMTP: correct the host, the port or the EHLO name of the outgoing server"
    )]
    Options { what: String },
    #[error(
        "the system's certificates cannot be read: install ca-certificates, or name the issuer or a fingerprint"
    )]
    Roots(#[source] rustls::Error),
    #[error("{server} cannot be reached: check that it runs, its name and port, and the firewall")]
    Unreachable { server: String, source: io::Error },
    #[error(
        "{server} is not on this machine: set security to starttls or implicit; plain text leaves this machine never"
    )]
    NotLocal { server: String },
    #[error("the connection to {server} broke at {step}: it will be tried again")]
    Lost { server: String, step: Step, source: io::Error },
    #[error("{server} did not answer in time at {step}: it will be tried again")]
    Late { server: String, step: Step },
    #[error(
        "{server} does not speak SMTP at {step}: check the port, and whether it wants TLS from the first byte"
    )]
    Foreign { server: String, step: Step },
    #[error("{server} closes the connection ({} {}): it will be tried again", .answer.code, .answer.text)]
    Closing { server: String, answer: Answer },
    #[error("{server} takes no mail from us at {step} ({} {}): ask its administrator to allow this machine", .answer.code, .answer.text)]
    Turned { server: String, step: Step, answer: Answer },
    #[error("{server} offers no STARTTLS: switch it on there, or use the port with TLS from the first byte")]
    NoStartTls { server: String },
    #[error("{server} refuses STARTTLS ({} {}): look into its log", .answer.code, .answer.text)]
    StartTls { server: String, answer: Answer },
    #[error(
        "{server} sent words before TLS began that were meant to look as if they came after it: somebody is in between"
    )]
    Injected { server: String },
    #[error("TLS with {server} failed: {why}")]
    Tls { server: String, why: String, source: io::Error },
    #[error("{server} offers no way to sign in that we may use: check the user's rights and the mechanism")]
    NoMechanism { server: String },
    #[error("{server} refuses the sign-in at {step} ({} {}): check user and password of the outgoing server", .answer.code, .answer.text)]
    SignIn {
        server: String,
        step: Step,
        answer: Answer,
        /// With another token it may go better.
        renewed: bool,
    },
    #[error("no access token to sign in to {server} with: {source}")]
    Token { server: String, source: oauth::Error },
    #[error("the mail went to {server}, but its answer is lost: look for the mail before sending it again")]
    Unknown { server: String, source: Option<io::Error> },
    #[error("the mail has a line that does not end with CRLF, or a lone CR: it is not sent")]
    LineEnds,
}

/// Where in the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Greeting,
    Hello,
    StartTls,
    Handshake,
    Auth,
    Mail,
    Recipient,
    Data,
    Body,
    Answer,
    Leaving,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::Greeting => "the greeting",
            Step::Hello => "EHLO",
            Step::StartTls => "STARTTLS",
            Step::Handshake => "the TLS handshake",
            Step::Auth => "AUTH",
            Step::Mail => "MAIL",
            Step::Recipient => "RCPT",
            Step::Data => "DATA",
            Step::Body => "the mail itself",
            Step::Answer => "the answer to the mail",
            Step::Leaving => "RSET",
        })
    }
}

impl Error {
    /// Whether a connection that was kept for this mail turned out to be dead or dying, so that a new one may do better.
    pub(super) fn is_stale(&self) -> bool {
        match self {
            Error::Lost { step, .. } => *step == Step::Mail,
            Error::Closing { .. } => true,
            _ => false,
        }
    }

    fn code(&self) -> Code {
        match self {
            Error::Options { .. } => Code::CONFIG_INVALID,
            Error::LineEnds => Code::INTERNAL,
            Error::Unreachable { .. }
            | Error::Lost { .. }
            | Error::Late { .. }
            | Error::Foreign { .. }
            | Error::Closing { .. } => Code::SMTP_OUT_UNREACHABLE,
            Error::NoMechanism { .. } | Error::SignIn { .. } | Error::Token { .. } => Code::SMTP_OUT_SIGN_IN,
            Error::Roots(_)
            | Error::NotLocal { .. }
            | Error::NoStartTls { .. }
            | Error::StartTls { .. }
            | Error::Injected { .. }
            | Error::Tls { .. } => Code::SMTP_OUT_TLS,
            Error::Turned { .. } => Code::SMTP_OUT_REFUSED,
            Error::Unknown { .. } => Code::SMTP_OUT_UNKNOWN,
        }
    }

    fn verdict(&self) -> Verdict {
        let retry = Verdict::Retry { after: None };
        let by_answer = |answer: &Answer| if answer.code >= 500 { Verdict::Hold } else { retry };
        match self {
            Error::LineEnds => Verdict::Bug,
            Error::Unknown { .. } => Verdict::Unknown,
            Error::Unreachable { .. } | Error::Lost { .. } | Error::Late { .. } | Error::Closing { .. } => {
                retry
            }
            // A wrong port answers so every time; a server that stumbles in the middle does not.
            Error::Foreign { step, .. } if *step != Step::Greeting => retry,
            Error::Turned { answer, .. } | Error::StartTls { answer, .. } | Error::SignIn { answer, .. } => {
                by_answer(answer)
            }
            // A handshake that broke off may be the network; one that was judged will be judged the same again.
            Error::Tls { source, .. }
                if !source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) =>
            {
                retry
            }
            Error::Token { source: oauth::Error::Away { .. }, .. } => retry,
            Error::Options { .. }
            | Error::Token { .. }
            | Error::Roots(_)
            | Error::NotLocal { .. }
            | Error::Foreign { .. }
            | Error::NoStartTls { .. }
            | Error::Injected { .. }
            | Error::Tls { .. }
            | Error::NoMechanism { .. } => Verdict::Hold,
        }
    }
}

/// | what | verdict |
/// | --- | --- |
/// | no connection, lost, late, 421, greeting or EHLO 4yz | `Retry` |
/// | greeting or EHLO 5yz, wrong protocol | `Hold` |
/// | no STARTTLS, certificate not believed, no common TLS version | `Hold`; STARTTLS 454 or a broken handshake `Retry` |
/// | 530, 534, 535, 538 at any step, no mechanism | `Hold`; AUTH 4yz `Retry` |
/// | no access token | `Hold`; the token server away `Retry` |
/// | no answer after the last byte of a mail may have left | `Unknown` |
/// | bare CR or LF | `Bug` |
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::new(error.verdict(), error.code(), error.to_string()).with_source(error)
    }
}
