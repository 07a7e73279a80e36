//! Codes in a server's words: the SMTP reply code, the enhanced status code, and the SMTP command that was refused.

/// The codes that a text names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Codes {
    pub code: Option<u16>,
    pub status: Option<String>,
}

/// The command that the server was answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Greeting, HELO or MAIL FROM: the client or the sender displeased.
    Sender,
    /// RCPT TO: the address was judged.
    Recipient,
    /// DATA: the address had been accepted, the content was judged.
    Content,
}

/// A reply code followed closely by a status code is worth more than either alone, and the last such pair is the most
/// precise one (`554 4.4.7 expired <421 4.4.2 timed out>`).
pub(super) fn codes(text: &str) -> Codes {
    let tokens: Vec<(usize, Token)> = tokens(text).collect();
    let pair = tokens.windows(2).rev().find_map(|two| match (&two[0], &two[1]) {
        ((at, Token::Code(code)), (next, Token::Status(status))) if next - at <= 8 => Some((*code, status)),
        _ => None,
    });
    if let Some((code, status)) = pair {
        return Codes { code: Some(code), status: Some(status.clone()) };
    }
    let code = tokens.iter().find_map(|(_, token)| token.code());
    let mut statuses = tokens.iter().filter_map(|(_, token)| token.status());
    let first = statuses.clone().next();
    let status = statuses.find(|status| is_precise(status)).or(first).cloned();
    Codes { code, status }
}

/// Says more than "failed": not `5.0.0`.
pub(super) fn is_precise(status: &str) -> bool {
    !status.ends_with(".0.0")
}

/// The status code at the head of a `Status` field: `5.1.1 (comment)`.
pub(super) fn status_field(value: &str) -> Option<String> {
    tokens(value).find_map(|(_, token)| token.status().cloned())
}

enum Token {
    Code(u16),
    Status(String),
}

impl Token {
    fn code(&self) -> Option<u16> {
        match self {
            Token::Code(code) => Some(*code),
            Token::Status(_) => None,
        }
    }

    fn status(&self) -> Option<&String> {
        match self {
            Token::Status(status) => Some(status),
            Token::Code(_) => None,
        }
    }
}

/// Runs of digits and dots that stand alone, with their places in the text.
fn tokens(text: &str) -> impl Iterator<Item = (usize, Token)> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            if !bytes[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let start = at;
            at += bytes[at..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
            if starts_alone(bytes, start)
                && let Some(token) = token(text[start..at].trim_end_matches('.'), bytes.get(at))
            {
                return Some((start, token));
            }
        }
        None
    })
}

fn starts_alone(bytes: &[u8], start: usize) -> bool {
    let Some(before) = start.checked_sub(1).map(|place| bytes[place]) else { return true };
    match before {
        // `ERROR_CODE :550` against the port in `[192.0.2.1]:465`
        b':' => start < 2 || bytes[start - 2].is_ascii_whitespace() || bytes[start - 2].is_ascii_alphabetic(),
        b'-' => start >= 2 && (bytes[start - 2].is_ascii_digit() || bytes[start - 2].is_ascii_whitespace()),
        byte => !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'_' | b'/' | b'@' | b'='),
    }
}

fn token(word: &str, next: Option<&u8>) -> Option<Token> {
    let ends_alone =
        next.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'/' | b'@'));
    if !ends_alone {
        return None;
    }
    let numbers: Vec<&str> = word.split('.').collect();
    match numbers.as_slice() {
        [code] if code.len() == 3 && is_reply(code) => code.parse().ok().map(Token::Code),
        [class, subject, detail] if is_status(class, subject, detail) => Some(Token::Status(word.to_owned())),
        _ => None,
    }
}

fn is_reply(code: &str) -> bool {
    let digits = code.as_bytes();
    matches!(digits[0], b'2' | b'4' | b'5') && matches!(digits[1], b'0'..=b'7') && code != "220"
}

fn is_status(class: &str, subject: &str, detail: &str) -> bool {
    let small = |number: &str| (1..=3).contains(&number.len());
    matches!(class, "2" | "4" | "5") && small(subject) && small(detail) && subject.len() < 2
}

/// Which command the words say was refused, if they say it. `text` in lower case.
pub(super) fn stage(text: &str) -> Option<Stage> {
    const CONTENT: [&str; 11] = [
        "end of data",
        "data command",
        "final data",
        "(data)",
        ">>> data",
        "smtp command data",
        "after data",
        "(in reply to end",
        "after sending data",
        "during data",
        "smtp:data",
    ];
    const RECIPIENT: [&str; 11] = [
        "rcpt to command",
        "rcpt command",
        "after rcpt",
        "our rcpt to",
        ">>> rcpt",
        "[rcpt_to]",
        "smtp:rcpt",
        "does not like recipient",
        "in reply to rcpt",
        "rcpt to: <",
        "rcpt to:<",
    ];
    const SENDER: [&str; 7] = [
        "mail from command",
        "after mail from",
        "our mail from",
        "sender was rejected",
        ">>> mail from",
        "after initial connection",
        "in reply to mail",
    ];
    let last = |words: &[&str]| words.iter().filter_map(|word| text.rfind(word)).max();
    [(last(&CONTENT), Stage::Content), (last(&RECIPIENT), Stage::Recipient), (last(&SENDER), Stage::Sender)]
        .into_iter()
        .filter_map(|(place, stage)| Some((place?, stage)))
        .max_by_key(|(place, _)| *place)
        .map(|(_, stage)| stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: u16, status: &str) {
        let found = codes(text);
        assert_eq!(
            (found.code.unwrap_or(0), found.status.as_deref().unwrap_or("")),
            (code, status),
            "{text}"
        );
    }

    #[test]
    fn codes_of_real_servers() {
        check("550 5.1.1 <a@x.example>... User Unknown", 550, "5.1.1");
        check("550-5.7.26 Unauthenticated email", 550, "5.7.26");
        check(
            "554 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.2 Connection timed out>",
            421,
            "4.4.2",
        );
        check(
            "5.1.0 - Unknown address error 550-'5.7.1 <x>... Access denied' (delivery attempts: 0)",
            550,
            "5.7.1",
        );
        check("550 #5.1.0 Address rejected.", 550, "5.1.0");
        check("sorry, no mailbox here by that name (#5.1.1 - chkusr)", 0, "5.1.1");
        check("host mx.x.example [192.0.2.12]: 550 5.2.2 <a@x.example>... Mailbox Full", 550, "5.2.2");
        check("Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 <a@x.example>", 550, "5.1.1");
    }

    #[test]
    fn numbers_that_are_no_codes() {
        check("connect to x.example[203.0.113.225]:25: Connection timed out", 0, "");
        check("DNS Error: 80458680 DNS type 'mx' lookup", 0, "");
        check("(TCP|192.0.2.225|34321|192.0.2.12|25)", 0, "");
        check("Last attempt 2019-05-17 at 550kB/s", 0, "");
    }

    #[test]
    fn stages() {
        assert_eq!(stage("smtp error from remote server after rcpt command:"), Some(Stage::Recipient));
        assert_eq!(stage("(in reply to end of data command)"), Some(Stage::Content));
        assert_eq!(stage("connected to 192.0.2.1 but sender was rejected"), Some(Stage::Sender));
        assert_eq!(stage("nothing"), None);
    }
}
