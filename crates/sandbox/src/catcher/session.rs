//! One connection's transaction, without a socket.

use std::sync::Arc;

use bytes::Bytes;

use super::{Caught, LoseAnswer, Shared, State};

const EXTENSIONS: &[&str] = &["PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"];

/// What to do after a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Answer(String),
    /// Answer, then read the mail.
    Data(String),
    Close(String),
    /// Hang up without a word.
    Drop,
}

pub(super) struct Session {
    shared: Arc<Shared>,
    client: String,
    from: Option<(String, String)>,
    to: Vec<(String, String)>,
}

impl Session {
    pub fn new(shared: Arc<Shared>) -> Session {
        Session { shared, client: String::new(), from: None, to: Vec::new() }
    }

    pub fn command(&mut self, line: &str) -> Reply {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        state.commands.push(line.to_owned());
        if let Some(reply) = planned(&mut state, line) {
            return closing(reply);
        }
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        match name.to_uppercase().as_str() {
            "EHLO" => {
                self.begin(rest);
                Reply::Answer(extensions(&state))
            }
            "HELO" => {
                self.begin(rest);
                Reply::Answer("250 catcher.example".to_owned())
            }
            "MAIL" => Reply::Answer(self.mail(&state, rest)),
            "RCPT" => Reply::Answer(self.recipient(&mut state, rest)),
            "DATA" if self.from.is_none() => Reply::Answer("503 5.5.1 Send MAIL first".to_owned()),
            "DATA" if self.to.is_empty() => Reply::Answer("554 5.5.1 No valid recipients".to_owned()),
            "DATA" => Reply::Data("354 Go ahead".to_owned()),
            "RSET" => {
                self.reset();
                Reply::Answer("250 2.0.0 Reset".to_owned())
            }
            "NOOP" => Reply::Answer("250 2.0.0 Fine".to_owned()),
            "VRFY" => Reply::Answer("252 2.5.0 Try it".to_owned()),
            "QUIT" => Reply::Close("221 2.0.0 Bye".to_owned()),
            _ => Reply::Answer("502 5.5.2 Unknown command".to_owned()),
        }
    }

    /// The whole mail has come, dots unstuffed.
    pub fn data(&mut self, raw: Vec<u8>) -> Reply {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if let Some(reply) = planned(&mut state, ".") {
            return closing(reply);
        }
        if state.largest.is_some_and(|largest| raw.len() > largest) {
            return Reply::Answer("552 5.3.4 Message too large".to_owned());
        }
        let lost = state.lost.pop_front();
        if lost == Some(LoseAnswer::BeforeKeeping) {
            return Reply::Drop;
        }
        let ((from, from_parameters), client) = (from, self.client.clone());
        state.mails.push(Caught { from, from_parameters, to, raw: Bytes::from(raw), client });
        match lost {
            Some(_) => Reply::Drop,
            None => Reply::Answer(format!("250 2.0.0 Kept as {}", state.mails.len())),
        }
    }

    fn begin(&mut self, client: &str) {
        self.reset();
        client.clone_into(&mut self.client);
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn mail(&mut self, state: &State, rest: &str) -> String {
        let Some(path) = path(rest, "FROM:") else { return "501 5.5.4 MAIL FROM:<address>".to_owned() };
        if self.client.is_empty() || self.from.is_some() {
            return "503 5.5.1 Not now".to_owned();
        }
        let size = path
            .1
            .to_uppercase()
            .split(' ')
            .find_map(|word| word.strip_prefix("SIZE=")?.parse::<usize>().ok());
        if size.zip(state.largest).is_some_and(|(size, largest)| size > largest) {
            return "552 5.3.4 Message too large".to_owned();
        }
        self.from = Some(path);
        "250 2.1.0 Sender fine".to_owned()
    }

    fn recipient(&mut self, state: &mut State, rest: &str) -> String {
        let Some(to) = path(rest, "TO:").filter(|(address, _)| !address.is_empty()) else {
            return "501 5.5.4 RCPT TO:<address>".to_owned();
        };
        let Some((from, _)) = &self.from else { return "503 5.5.1 Send MAIL first".to_owned() };
        if let Some(reply) = state.refused.get(&to.0.to_lowercase()) {
            return reply.clone();
        }
        if state.greylist && state.met.insert((from.clone(), to.0.to_lowercase())) {
            return "451 4.7.1 Greylisted, try again".to_owned();
        }
        self.to.push(to);
        "250 2.1.5 Recipient fine".to_owned()
    }
}

/// The reply that the owner planned for this command.
fn planned(state: &mut State, line: &str) -> Option<String> {
    let line = line.to_uppercase();
    let index = state.replies.iter().position(|(start, _)| line.starts_with(start))?;
    Some(state.replies.remove(index).1)
}

/// A 421 is the last word (RFC 5321 section 3.8).
fn closing(reply: String) -> Reply {
    if reply.starts_with("421") { Reply::Close(reply) } else { Reply::Answer(reply) }
}

fn extensions(state: &State) -> String {
    let size = state.largest.map_or("SIZE".to_owned(), |largest| format!("SIZE {largest}"));
    let offered = EXTENSIONS.iter().map(|name| (*name).to_owned()).chain([size]);
    let shown = |line: &String| !state.hidden.contains(line.split(' ').next().unwrap_or_default());
    let mut lines: Vec<String> =
        ["catcher.example".to_owned()].into_iter().chain(offered.filter(shown)).collect();
    let last = lines.pop().unwrap_or_default();
    lines.iter().map(|line| format!("250-{line}\r\n")).collect::<String>() + &format!("250 {last}")
}

/// The address in angle brackets after `FROM:` or `TO:`, and the parameters after it. A quoted local part may hold `>`.
fn path(rest: &str, before: &str) -> Option<(String, String)> {
    let start = rest.get(..before.len()).filter(|start| start.eq_ignore_ascii_case(before))?;
    let inner = rest[start.len()..].trim_start().strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    let end = inner.find(|letter| {
        let here = letter == '>' && !quoted;
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = letter == '\\' && !escaped;
        here
    })?;
    Some((inner[..end].to_owned(), inner[end + 1..].trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of the answers to these lines.
    #[track_caller]
    fn check(lines: &[&str], codes: &str) {
        let mut session = Session::new(Arc::default());
        let code = |line: &&str| match session.command(line) {
            Reply::Answer(text) | Reply::Data(text) | Reply::Close(text) => text[..3].to_owned(),
            Reply::Drop => "drop".to_owned(),
        };
        assert_eq!(lines.iter().map(code).collect::<Vec<_>>().join(" "), codes, "{lines:?}");
    }

    #[test]
    fn commands_have_an_order() {
        check(&["MAIL FROM:<a@b>", "EHLO c", "RCPT TO:<d@e>", "DATA"], "503 250 503 503");
        check(&["helo c", "mail from:<>", "rcpt to: <d@e>", "data"], "250 250 250 354");
        check(
            &["EHLO c", "MAIL FROM:<a@b>", "MAIL FROM:<a@b>", "RSET", "MAIL FROM:<a@b>", "DATA"],
            "250 250 503 250 250 554",
        );
        check(
            &["EHLO c", "MAIL FROM:a@b", "MAIL FROM:<a@b", "RCPT TO:<>", "TURN", "QUIT"],
            "250 501 501 501 502 221",
        );
    }

    #[test]
    fn paths() {
        let of =
            |text: &str| path(text, "TO:").map(|(address, parameters)| format!("{address}|{parameters}"));
        assert_eq!(of("TO:<a@b> NOTIFY=NEVER").as_deref(), Some("a@b|NOTIFY=NEVER"));
        assert_eq!(of("TO:<\"a>\\\"b\"@c>").as_deref(), Some("\"a>\\\"b\"@c|"));
        assert_eq!(of("FROM:<a@b>"), None);
    }
}
