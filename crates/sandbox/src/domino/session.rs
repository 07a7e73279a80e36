//! A session's state and its commands, without a socket.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Shared;
use super::state::{State, key};
use super::syntax::{Raw, Token, tokens};

const CAPABILITIES: &str = "IMAP4rev1 AUTH=PLAIN LITERAL+ NAMESPACE QUOTA UIDPLUS";

/// What to do after a command.
pub(super) enum Reply {
    Answer(Vec<u8>),
    /// The next line of the client goes to [`Session::credentials`].
    Challenge(Vec<u8>),
    Close(Vec<u8>),
}

/// Why a command is not carried out.
pub(super) enum Refusal {
    No(String),
    Bad(String),
}

impl Refusal {
    pub fn no<T>(text: &str) -> Result<T, Refusal> {
        Err(Refusal::No(text.to_owned()))
    }

    pub fn bad<T>(text: &str) -> Result<T, Refusal> {
        Err(Refusal::Bad(text.to_owned()))
    }
}

/// The text after OK, or the refusal.
pub(super) type Answer = Result<String, Refusal>;

pub(super) struct Session {
    pub shared: Arc<Shared>,
    /// Who is signed in, as a key.
    pub user: Option<String>,
    pub view: Option<View>,
    /// Untagged answers to the command in hand.
    pub out: Vec<u8>,
    /// The tag of an AUTHENTICATE that waits for its credentials.
    waiting: Option<String>,
}

/// The selected folder as this session knows it.
pub(super) struct View {
    /// As a key.
    pub owner: String,
    pub folder: String,
    /// By sequence number, from 1.
    pub uids: Vec<u32>,
    pub writable: bool,
}

impl Session {
    pub fn new(shared: Arc<Shared>) -> Session {
        Session { shared, user: None, view: None, out: Vec::new(), waiting: None }
    }

    pub fn command(&mut self, raw: &Raw) -> Reply {
        let read = tokens(raw).filter(|tokens| tokens.len() >= 2);
        let Some(tokens) = read else {
            let line = String::from_utf8_lossy(&raw.line);
            let tag = line.split(' ').next().filter(|tag| !tag.is_empty()).unwrap_or("*");
            return Reply::Answer(format!("{tag} BAD Syntax error\r\n").into_bytes());
        };
        let tag = tokens[0].text().unwrap_or_else(|| "*".to_owned());
        let name = tokens[1].keyword().unwrap_or_default();
        let arguments = &tokens[2..];
        if name == "AUTHENTICATE" && self.user.is_none() && arguments.len() == 1 {
            if arguments[0].keyword().as_deref() != Some("PLAIN") {
                return Reply::Answer(format!("{tag} NO Unknown mechanism\r\n").into_bytes());
            }
            self.waiting = Some(tag);
            return Reply::Challenge(b"+ \r\n".to_vec());
        }
        let answer = self.carry_out(&name, arguments);
        let text = match answer {
            Ok(text) => format!("{tag} OK {text}\r\n"),
            Err(Refusal::No(text)) => format!("{tag} NO {text}\r\n"),
            Err(Refusal::Bad(text)) => format!("{tag} BAD {text}\r\n"),
        };
        let mut bytes = std::mem::take(&mut self.out);
        bytes.extend(text.into_bytes());
        if name == "LOGOUT" { Reply::Close(bytes) } else { Reply::Answer(bytes) }
    }

    /// The answer to a challenge.
    pub fn credentials(&mut self, line: &[u8]) -> Reply {
        let tag = self.waiting.take().unwrap_or_else(|| "*".to_owned());
        let decoded = STANDARD.decode(line).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let parts: Option<Vec<String>> = decoded.map(|text| text.split('\0').map(str::to_owned).collect());
        // One account never signs in for another: there is no master user in Domino.
        let fine = match parts.as_deref() {
            Some([as_whom, user, password]) if as_whom.is_empty() || as_whom == user => {
                self.sign_in(user, password)
            }
            _ => false,
        };
        let text = if fine { "OK AUTHENTICATE completed" } else { "NO AUTHENTICATE failed" };
        Reply::Answer(format!("{tag} {text}\r\n").into_bytes())
    }

    fn sign_in(&mut self, user: &str, password: &str) -> bool {
        let fine = self.shared.state().account(user).is_some_and(|account| account.password == password);
        if fine {
            self.user = Some(key(user));
        }
        fine
    }

    fn carry_out(&mut self, name: &str, arguments: &[Token]) -> Answer {
        match name {
            "CAPABILITY" => {
                self.say(&format!("* CAPABILITY {CAPABILITIES}"));
                Ok("CAPABILITY completed".to_owned())
            }
            "NOOP" | "CHECK" => {
                self.news();
                Ok(format!("{name} completed"))
            }
            "LOGOUT" => {
                self.say("* BYE Domino IMAP4 Server logging out");
                Ok("LOGOUT completed".to_owned())
            }
            "LOGIN" if self.user.is_none() => self.login(arguments),
            _ if self.user.is_none() => Refusal::bad("Sign in first"),
            "NAMESPACE" => {
                self.say(r#"* NAMESPACE (("" "\\")) (("Other\\" "\\")) (("Shared\\" "\\"))"#);
                Ok("NAMESPACE completed".to_owned())
            }
            "LIST" | "LSUB" | "SUBSCRIBE" | "UNSUBSCRIBE" | "SELECT" | "EXAMINE" | "STATUS" | "CREATE"
            | "DELETE" | "RENAME" | "APPEND" | "GETQUOTAROOT" => self.folder_command(name, arguments),
            "CLOSE" | "EXPUNGE" | "SEARCH" | "FETCH" | "STORE" | "COPY" | "UID" if self.view.is_none() => {
                Refusal::bad("No folder is selected")
            }
            "CLOSE" | "EXPUNGE" | "SEARCH" | "FETCH" | "STORE" | "COPY" | "UID" => {
                self.message_command(name, arguments)
            }
            _ => Refusal::bad("Unknown command"),
        }
    }

    fn login(&mut self, arguments: &[Token]) -> Answer {
        let [user, password] = &texts(arguments)[..] else {
            return Refusal::bad("LOGIN takes a name and a password");
        };
        match self.sign_in(user, password) {
            true => Ok("LOGIN completed".to_owned()),
            false => Refusal::no("LOGIN failed"),
        }
    }

    pub fn say(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// Tells what became of the selected folder since the last time.
    pub fn news(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let Some(view) = &mut self.view else { return };
        let now = uids(&mut state, &view.owner, &view.folder);
        let kept: BTreeSet<u32> = now.iter().copied().collect();
        let gone: Vec<usize> =
            (0..view.uids.len()).rev().filter(|at| !kept.contains(&view.uids[*at])).collect();
        let came = now.len() + gone.len() > view.uids.len();
        let mut lines = Vec::new();
        if !gone.is_empty() && state.options.quirks.exists_before_expunge {
            lines.push(format!("* {} EXISTS", view.uids.len() - gone.len()));
        }
        // From the last to the first, so that no number changes under the next.
        lines.extend(gone.iter().map(|at| format!("* {} EXPUNGE", at + 1)));
        if came {
            lines.push(format!("* {} EXISTS", now.len()));
            lines.push("* 0 RECENT".to_owned());
        }
        view.uids = now;
        lines.iter().for_each(|line| self.say(line));
    }

    /// Who is signed in.
    pub fn reader(&self) -> String {
        self.user.clone().expect("commands that need a user are refused without one")
    }
}

/// The UIDs of a folder in order; none when it is gone.
pub(super) fn uids(state: &mut State, owner: &str, folder: &str) -> Vec<u32> {
    let replica = state.replica;
    state
        .folder(owner, folder)
        .map(|folder| folder.in_order(replica).into_keys().collect())
        .unwrap_or_default()
}

/// The arguments that are texts, if all are.
pub(super) fn texts(arguments: &[Token]) -> Vec<String> {
    arguments.iter().map(Token::text).collect::<Option<_>>().unwrap_or_default()
}
