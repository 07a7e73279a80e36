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
    /// Greeting, EHLO or HELO: the client displeased.
    Connection,
    /// MAIL FROM: the sender displeased.
    Sender,
    /// RCPT TO: the address was judged.
    Recipient,
    /// DATA: the address had been accepted, the content was judged.
    Content,
}

/// The reply codes that servers give (RFC 5321, RFC 4954, RFC 7504 and the registry of old ones), the most telling first:
/// what is said of a mailbox before what is said of a session, and `554`, which stands for anything, near the end.
const REPLIES: [u16; 43] = [
    550, 552, 553, 551, 521, 525, 502, 520, 523, 524, 530, 533, 534, 535, 538, 555, 556, 554, 557, 500, 501,
    503, 504, 421, 450, 451, 452, 422, 430, 432, 453, 454, 455, 456, 458, 459, 250, 251, 252, 253, 235, 221,
    354,
];

/// The codes of a text: of several statuses the one that says most ([`prefer`]), of several reply codes the most telling
/// one of the class of that status. A server that passes on another one's reply puts its own code beside it.
pub(super) fn codes(text: &str) -> Codes {
    let statuses: Vec<String> = tokens(text).filter_map(|(_, token)| token.status()).collect();
    let (last, first): (Vec<String>, Vec<String>) =
        statuses.into_iter().partition(|status| says_little(status));
    let status = first.into_iter().chain(last).reduce(|known, other| prefer(known, other, None));
    let code = reply_code(text, status.as_deref());
    Codes { code, status }
}

/// The most telling reply code of a text, of the same class as the status when there is one.
pub(super) fn reply_code(text: &str, status: Option<&str>) -> Option<u16> {
    let class = status.and_then(|status| status[..1].parse::<u16>().ok());
    let fits = |code: u16| class.map_or(code >= 400, |class| code / 100 == class);
    let found = tokens(text).filter_map(|(_, token)| token.code()).filter(|code| fits(*code));
    found.min_by_key(|code| REPLIES.iter().position(|known| known == code))
}

/// Of two statuses for one failure the one that says more. `known` is the outer one (the `Status` field), `other` what the
/// server's words hold; `reply` is the reply code, which decides between classes. RFC 3463 calls X.0.0 and X.Y.0 "other or
/// undefined"; 4.4.7 and 4.7.0 only say that time or patience ran out; X.3.z and the X.5.z about commands describe the
/// reporting server rather than the address.
pub(super) fn prefer(known: String, other: String, reply: Option<u16>) -> String {
    let class = reply.map(|reply| reply / 100).and_then(|class| char::from_digit(class.into(), 10));
    if known[..1] != other[..1] {
        match class {
            Some(class) if known.starts_with(class) => return known,
            Some(class) if other.starts_with(class) => return other,
            _ => {}
        }
    }
    let is_undefined = |status: &str| status[1..].contains(".0");
    let is_own = matches!(known.as_str(), "4.4.7" | "4.7.0")
        || known.starts_with("5.3.")
        || matches!(&known[1..], ".5.1" | ".5.2" | ".5.4" | ".5.5");
    let takes_other = match (is_precise(&known), is_precise(&other)) {
        (false, precise) => precise,
        (true, false) => false,
        _ if is_undefined(&known) && !is_undefined(&other) => true,
        _ if known == "5.1.1" => !is_undefined(&other) && !other.starts_with("5.5."),
        _ if known == "5.1.3" => other.starts_with("5.7."),
        _ => is_own,
    };
    if takes_other { other } else { known }
}

/// Asked only when no other status stands beside it.
fn says_little(status: &str) -> bool {
    !is_precise(status) || status == "4.4.7"
}

/// Says more than "failed": not `5.0.0`.
pub(super) fn is_precise(status: &str) -> bool {
    !status.ends_with(".0.0")
}

/// The status code at the head of a `Status` field: `5.1.1 (comment)`.
pub(super) fn status_field(value: &str) -> Option<String> {
    tokens(value).find_map(|(_, token)| token.status())
}

enum Token {
    Code(u16),
    Status(String),
}

impl Token {
    fn code(self) -> Option<u16> {
        match self {
            Token::Code(code) => Some(code),
            Token::Status(_) => None,
        }
    }

    fn status(self) -> Option<String> {
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
        [code] if code.len() == 3 => code.parse().ok().filter(|code| REPLIES.contains(code)).map(Token::Code),
        [class, subject, detail] if is_status(class, subject, detail) => Some(Token::Status(word.to_owned())),
        _ => None,
    }
}

fn is_status(class: &str, subject: &str, detail: &str) -> bool {
    let small = |number: &str| (1..=3).contains(&number.len());
    matches!(class, "2" | "4" | "5") && small(subject) && small(detail) && subject.len() < 2
}

/// Which command the words say was refused, if they say it. `text` in lower case.
///
/// The words are Sendmail's and Courier's (`>>> RCPT`), Postfix's (`in reply to`), Exim's (`after RCPT TO`), qmail's (`does
/// not like recipient`), Yahoo's (`[RCPT_TO]`) and those of Google's old bounces, which give the number of the state.
pub(super) fn stage(text: &str) -> Option<Stage> {
    const CONNECTION: [&str; 10] = [
        "after initial connection",
        "after helo",
        "after ehlo",
        "but greeting failed",
        "my name was rejected",
        "in reply to helo",
        "in reply to ehlo",
        "refused to talk to me",
        "the helo handshake",
        "(state 13)",
    ];
    const SENDER: [&str; 8] = [
        "mail from command",
        "after mail from",
        "after pipelined mail from",
        "our mail from",
        "sender was rejected",
        "[mail_from]",
        "smtp:mail",
        "in reply to mail",
    ];
    const RECIPIENT: [&str; 15] = [
        "rcpt to command",
        "rcpt command",
        "after rcpt",
        "after pipelined rcpt",
        "our rcpt to",
        "[rcpt_to]",
        "smtp:rcpt",
        "does not like recipient",
        "in reply to rcpt",
        "most progress was rcpt to",
        "rcpt to generated",
        "rcpt to: <",
        "rcpt to:<",
        "smtp command rcpt",
        "(state 14)",
    ];
    const CONTENT: [&str; 19] = [
        "end of data",
        "data command",
        "final data",
        "(data)",
        "smtp command data",
        "after data",
        "after pipelined data",
        "(in reply to end",
        "in reply to data",
        "in reply to bdat",
        "after sending data",
        "during data",
        "smtp:data",
        "for text command",
        "failed after i sent the message",
        "end of message",
        "(state 15)",
        "(state 17)",
        "(state 18)",
    ];
    let last = |words: &[&str]| words.iter().filter_map(|word| text.rfind(word)).max();
    let stages = [
        (last(&CONNECTION), Stage::Connection),
        (last(&SENDER), Stage::Sender),
        (last(&RECIPIENT), Stage::Recipient),
        (last(&CONTENT), Stage::Content),
    ];
    stages
        .into_iter()
        .filter_map(|(place, stage)| Some((place?, stage)))
        .max_by_key(|(place, _)| *place)
        .map(|(_, stage)| stage)
        .or_else(|| quoted_stage(text))
}

/// The first command that a transcript shows (`>>> DATA`): later ones only follow from its refusal. Replies without any
/// command (`<<< 554 …`) are the answer to the connection.
fn quoted_stage(text: &str) -> Option<Stage> {
    let mut commands = text.match_indices(">>> ").map(|(at, mark)| &text[at + mark.len()..]);
    let stage = commands.find_map(|command| {
        let is = |word: &str| command.starts_with(word);
        match () {
            () if is("rcpt") => Some(Stage::Recipient),
            () if is("data") || is("bdat") || is(".") => Some(Stage::Content),
            () if is("mail") => Some(Stage::Sender),
            () if is("helo") || is("ehlo") => Some(Stage::Connection),
            () => None,
        }
    });
    stage.or_else(|| text.contains("<<< ").then_some(Stage::Connection))
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
