//! One command line (without its CRLF) to a value. Strict where a second reading could mean something else, lenient
//! about a space after the colon and about case (RFC 5321 4.1.1; SIZE RFC 1870, BODY RFC 6152, SMTPUTF8 RFC 6531, BDAT
//! RFC 3030).
//!
//! Written by hand rather than with `smtp-proto`, whose reader also ends a line at a bare LF.

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    Helo(&'a str),
    Ehlo(&'a str),
    Lhlo(&'a str),
    Mail {
        from: &'a str,
        size: Option<u64>,
        utf8: bool,
    },
    Rcpt {
        to: &'a str,
    },
    Data,
    Bdat {
        size: u64,
        last: bool,
    },
    Rset,
    Noop,
    Vrfy,
    Help,
    StartTls,
    Quit,
    /// EXPN, ETRN, AUTH and other known verbs that are not offered.
    NotOffered,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// No command of SMTP, or bytes that belong in none.
    Unknown,
    /// Known, but its arguments cannot be read.
    Arguments,
    /// A MAIL or RCPT parameter that was not announced.
    Parameter,
    /// BDAT without a readable size: nobody can tell where its bytes end, so the session cannot go on.
    Chunk,
}

impl<'a> Command<'a> {
    /// Reads one line.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(line).map_err(|_| Malformed::Unknown)?;
        if text.chars().any(|found| found.is_control() && found != '\t') {
            return Err(Malformed::Unknown);
        }
        let text = text.trim_end_matches([' ', '\t']);
        let (verb, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let rest = rest.trim_start_matches([' ', '\t']);
        // No verb is longer than eight letters.
        let mut upper = [0; 8];
        let upper = upper.get_mut(..verb.len()).ok_or(Malformed::Unknown)?;
        upper.copy_from_slice(verb.as_bytes());
        upper.make_ascii_uppercase();
        match &*upper {
            b"HELO" => name(rest).map(Command::Helo),
            b"EHLO" => name(rest).map(Command::Ehlo),
            b"LHLO" => name(rest).map(Command::Lhlo),
            b"MAIL" => mail(rest),
            b"RCPT" => rcpt(rest),
            b"BDAT" => bdat(rest),
            b"DATA" => alone(Command::Data, rest),
            b"RSET" => alone(Command::Rset, rest),
            b"QUIT" => alone(Command::Quit, rest),
            b"STARTTLS" => alone(Command::StartTls, rest),
            b"NOOP" => Ok(Command::Noop),
            b"VRFY" => Ok(Command::Vrfy),
            b"HELP" => Ok(Command::Help),
            b"EXPN" | b"ETRN" | b"AUTH" | b"ATRN" | b"TURN" | b"SEND" | b"SOML" | b"SAML" => {
                Ok(Command::NotOffered)
            }
            _ => Err(Malformed::Unknown),
        }
    }
}

fn alone<'a>(command: Command<'a>, rest: &str) -> Result<Command<'a>, Malformed> {
    if rest.is_empty() { Ok(command) } else { Err(Malformed::Arguments) }
}

/// The client's name for itself: kept for the hop list, believed by nobody.
fn name(rest: &str) -> Result<&str, Malformed> {
    let sound = |found: char| found.is_ascii_graphic() || !found.is_ascii();
    match !rest.is_empty() && rest.len() <= 255 && rest.chars().all(sound) {
        true => Ok(rest),
        false => Err(Malformed::Arguments),
    }
}

fn mail(rest: &str) -> Result<Command<'_>, Malformed> {
    let (from, parameters) = path(keyword(rest, "FROM:")?)?;
    let (mut size, mut utf8) = (None, false);
    for parameter in parameters.split_ascii_whitespace() {
        let (key, value) =
            parameter.split_once('=').map_or((parameter, None), |(key, value)| (key, Some(value)));
        match (key.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) if size.is_none() => {
                size = Some(number(value).ok_or(Malformed::Arguments)?)
            }
            ("BODY", Some(value))
                if value.eq_ignore_ascii_case("8BITMIME") || value.eq_ignore_ascii_case("7BIT") => {}
            ("SMTPUTF8", None) => utf8 = true,
            _ => return Err(Malformed::Parameter),
        }
    }
    Ok(Command::Mail { from, size, utf8 })
}

fn rcpt(rest: &str) -> Result<Command<'_>, Malformed> {
    let (to, parameters) = path(keyword(rest, "TO:")?)?;
    // The only parameters there are belong to DSN, which is not announced.
    if parameters.trim().is_empty() { Ok(Command::Rcpt { to }) } else { Err(Malformed::Parameter) }
}

fn bdat(rest: &str) -> Result<Command<'_>, Malformed> {
    let mut words = rest.split_ascii_whitespace();
    let size = words.next().and_then(number).ok_or(Malformed::Chunk)?;
    match (words.next(), words.next()) {
        (None, _) => Ok(Command::Bdat { size, last: false }),
        (Some(word), None) if word.eq_ignore_ascii_case("LAST") => Ok(Command::Bdat { size, last: true }),
        _ => Err(Malformed::Chunk),
    }
}

/// Up to twenty digits and nothing else (`u64::from_str` would also take a plus sign).
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn keyword<'a>(rest: &'a str, word: &str) -> Result<&'a str, Malformed> {
    match rest.get(..word.len()) {
        Some(start) if start.eq_ignore_ascii_case(word) => Ok(rest[word.len()..].trim_start_matches(' ')),
        _ => Err(Malformed::Arguments),
    }
}

/// `<path> parameters`: the path without its brackets, which a quoted string may contain too.
fn path(text: &str) -> Result<(&str, &str), Malformed> {
    let inner = text.strip_prefix('<').ok_or(Malformed::Arguments)?;
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => {
                let rest = &inner[index + 1..];
                let parted = rest.is_empty() || rest.starts_with(' ');
                return if parted { Ok((&inner[..index], rest)) } else { Err(Malformed::Arguments) };
            }
            _ => {}
        }
    }
    Err(Malformed::Arguments)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Command<'_>, Malformed>) {
        assert_eq!(Command::parse(line.as_bytes()), expected, "{line}");
    }

    fn from(from: &str) -> Result<Command<'_>, Malformed> {
        Ok(Command::Mail { from, size: None, utf8: false })
    }

    #[test]
    fn greetings() {
        check("EHLO mx.example", Ok(Command::Ehlo("mx.example")));
        check("ehlo [192.0.2.1]", Ok(Command::Ehlo("[192.0.2.1]")));
        check("HELO x", Ok(Command::Helo("x")));
        check("LHLO x", Ok(Command::Lhlo("x")));
        check("EHLO", Err(Malformed::Arguments));
        check("EHLO a b", Err(Malformed::Arguments));
    }

    #[test]
    fn mail_commands() {
        check("MAIL FROM:<>", from(""));
        check("mail from: <a@b>  ", from("a@b"));
        check("MAIL FROM:<\"a>b\"@c>", from("\"a>b\"@c"));
        check("MAIL FROM:<a@b> BODY=8BITMIME", from("a@b"));
        check(
            "MAIL FROM:<a@b> SIZE=12 smtputf8 body=7bit",
            Ok(Command::Mail { from: "a@b", size: Some(12), utf8: true }),
        );
        for line in
            ["MAIL", "MAIL FROM", "MAIL FROM:a@b", "MAIL FROM:<a@b", "MAIL FROM:<a@b>x", "MAIL TO:<a@b>"]
        {
            check(line, Err(Malformed::Arguments));
        }
        check("MAIL FROM:<a@b> SIZE=x", Err(Malformed::Arguments));
        check("MAIL FROM:<a@b> SIZE=+1", Err(Malformed::Arguments));
        check("MAIL FROM:<a@b> SIZE=99999999999999999999999", Err(Malformed::Arguments));
        for line in ["BODY=BINARYMIME", "AUTH=<>", "RET=HDRS", "SIZE", "SMTPUTF8=1", "SIZE=1 SIZE=2"] {
            check(&format!("MAIL FROM:<a@b> {line}"), Err(Malformed::Parameter));
        }
    }

    #[test]
    fn rcpt_commands() {
        check("RCPT TO:<a@b>", Ok(Command::Rcpt { to: "a@b" }));
        check("RCPT TO:<\"a\\\">\"@b>", Ok(Command::Rcpt { to: "\"a\\\">\"@b" }));
        check("RCPT TO:<a@b> NOTIFY=NEVER", Err(Malformed::Parameter));
        check("RCPT TO:a@b", Err(Malformed::Arguments));
    }

    #[test]
    fn chunks() {
        check("BDAT 0 LAST", Ok(Command::Bdat { size: 0, last: true }));
        check("bdat 86 last", Ok(Command::Bdat { size: 86, last: true }));
        check("BDAT 18446744073709551615", Ok(Command::Bdat { size: u64::MAX, last: false }));
        for line in
            ["BDAT", "BDAT x", "BDAT -1", "BDAT 18446744073709551616", "BDAT 1 LAST x", "BDAT 1 FIRST"]
        {
            check(line, Err(Malformed::Chunk));
        }
    }

    #[test]
    fn other_commands() {
        check("DATA", Ok(Command::Data));
        check("DATA x", Err(Malformed::Arguments));
        check("STARTTLS", Ok(Command::StartTls));
        check("NOOP whatever", Ok(Command::Noop));
        check("VRFY a", Ok(Command::Vrfy));
        check("AUTH PLAIN AAAA", Ok(Command::NotOffered));
        for line in ["", " ", "GET / HTTP/1.1", "DATA\0", "MAILFROM:<a@b>", "HELOHELOHELO x"] {
            check(line, Err(Malformed::Unknown));
        }
        assert_eq!(Command::parse(b"NOOP \xff"), Err(Malformed::Unknown));
    }

    proptest! {
        #[test]
        fn never_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn a_path_comes_back_as_given(local in "[a-z0-9.+]{1,20}", size in any::<u64>()) {
            let line = format!("MAIL FROM:<{local}@x.example> SIZE={size}");
            let from = format!("{local}@x.example");
            prop_assert_eq!(
                Command::parse(line.as_bytes()),
                Ok(Command::Mail { from: &from, size: Some(size), utf8: false })
            );
        }
    }
}
