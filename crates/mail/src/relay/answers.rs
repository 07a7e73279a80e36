//! The next hop's answers for each recipient to the one answer that SMTP has for a mail.
//!
//! | the next hop | the client hears |
//! | --- | --- |
//! | took it for all | 250, once it is recorded |
//! | took it for nobody, and refused all | its own 5yz |
//! | wants some or all later | 451 |
//! | took it for some, refused the rest | 451; at the repeat, which goes to the rest alone, their 5yz |
//! | cannot be reached, or its answer is lost | 451 |
//!
//! A client that sends one recipient at a time never meets the middle rows, and gets the next hop's own answers. The
//! recipients and the words of the next hop are said to the client, and are in no log.

use postroom_core::{Answer, Code, Fate, Fault, Handed, Verdict};

use crate::listener::{Enhanced, Said};

/// Lines of an answer about single recipients.
const LINES: usize = 15;

pub(super) fn looping() -> Fault {
    let text = "This mail was here before, on its way to the same recipients; this is a mail loop";
    let said = Said::new(554, Enhanced(5, 4, 6), text);
    Fault::reject(Code::RELAY_LOOP, "a mail came back to the relay on its way to the same recipients")
        .with_source(said)
}

pub(super) fn line_ends() -> Fault {
    let said = Said::new(554, Enhanced(5, 6, 0), "Lone CR or LF in the mail; lines end with CRLF");
    Fault::reject(Code::RELAY_LINE_ENDS, "a mail for the relay has a lone CR or LF").with_source(said)
}

/// Nobody has it, or nobody knows who has: the client must send it again.
pub(super) fn not_handed_on(fault: Fault) -> Fault {
    let (enhanced, text) = match fault.verdict {
        Verdict::Unknown => (Enhanced(4, 4, 2), "The next mail server's answer is lost, send again"),
        Verdict::Hold => (Enhanced(4, 3, 5), "The next mail server cannot be used, try again later"),
        Verdict::Retry { .. } => {
            (Enhanced(4, 4, 1), "The next mail server cannot be reached, try again later")
        }
        Verdict::Reject | Verdict::Bug => (Enhanced(4, 3, 0), "Not passed on, try again later"),
    };
    let said = Said::new(451, enhanced, format!("{text} ({})", fault.code));
    Fault::new(fault.verdict, fault.code, fault.message).with_source(said)
}

/// What the answers come to, when `have` others had the mail before. `Ok` when everybody has it.
pub(super) fn conclude(handed: &Handed, have: usize) -> Result<(), Fault> {
    let count = |fate| handed.iter().filter(|(_, answer)| answer.fate() == fate).count();
    let (accepted, later, refused) = (count(Fate::Accepted), count(Fate::Later), count(Fate::Refused));
    let others = accepted + have;
    let rest: Vec<_> = handed.iter().filter(|(_, answer)| answer.fate() != Fate::Accepted).collect();
    let Some((_, first)) = rest.first() else { return Ok(()) };
    if later == 0 && accepted == 0 {
        let code = if matches!(first.code, 550..=559) { first.code } else { 554 };
        let said = Said { code, enhanced: enhanced(first, 5), lines: lines(&rest, others, "Refused") };
        let message = format!("the next mail server refused all {refused} recipients it was asked for");
        return Err(Fault::reject(Code::RELAY_REFUSED, message).with_source(said));
    }
    let status = if refused == 0 && others == 0 { enhanced(first, 4) } else { Enhanced(4, 5, 3) };
    let said = Said { code: 451, enhanced: status, lines: lines(&rest, others, "Not passed on yet") };
    let message = format!(
        "the next mail server took a mail for {accepted} recipients, refused {refused}, and wants {later} later"
    );
    Err(Fault::retry(Code::RELAY_PARTLY, message).with_source(said))
}

/// The next hop's words; with a head line and names where there are several recipients.
fn lines(rest: &[&(String, Answer)], others: usize, head: &str) -> Vec<String> {
    if let ([(_, only)], 0) = (rest, others) {
        return vec![words(only)];
    }
    let mut lines = vec![format!("{head} for {} recipients; {others} others have the mail", rest.len())];
    lines.extend(rest.iter().take(LINES).map(|(to, answer)| {
        let status = answer.status.as_deref().unwrap_or_default();
        format!("<{to}>: {} {status} {}", answer.code, answer.text)
    }));
    lines
}

fn words(answer: &Answer) -> String {
    if answer.text.trim().is_empty() {
        "The next mail server gave no reason".to_owned()
    } else {
        answer.text.clone()
    }
}

/// The next hop's enhanced code when it is one of this class, else the class alone.
fn enhanced(answer: &Answer, class: u8) -> Enhanced {
    let read = || {
        let mut numbers = answer.status.as_deref()?.split('.');
        let (first, subject, detail) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let same_class = first.parse::<u8>().ok()? == class;
        same_class.then_some(Enhanced(class, subject.parse().ok()?, detail.parse().ok()?))
    };
    read().unwrap_or(Enhanced(class, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::Reply;

    /// `to code status text` for each recipient; the answer as it stands on the wire.
    #[track_caller]
    fn check(answers: &[(&str, u16, &str, &str)], have: usize, expected: &str) {
        let answer = |code, status: &str, text: &str| Answer {
            code,
            status: (!status.is_empty()).then(|| status.to_owned()),
            text: text.to_owned(),
        };
        let handed: Handed = answers
            .iter()
            .map(|(to, code, status, text)| ((*to).to_owned(), answer(*code, status, text)))
            .collect();
        let said = match conclude(&handed, have) {
            Ok(()) => "ok".to_owned(),
            Err(fault) => {
                let mut out = Vec::new();
                Reply::from(&fault).write(&mut out);
                assert!(!fault.message.contains('@'), "a log line names nobody: {}", fault.message);
                String::from_utf8(out).unwrap().replace("\r\n", "|")
            }
        };
        assert_eq!(said, expected);
    }

    const TOOK: (&str, u16, &str, &str) = ("a@x", 250, "2.1.5", "Ok");
    const REFUSED: (&str, u16, &str, &str) = ("b@x", 550, "5.1.1", "no such user");
    const LATER: (&str, u16, &str, &str) = ("c@x", 450, "4.2.1", "busy");

    #[test]
    fn one_recipient_gets_the_next_hop_s_own_answer() {
        check(&[TOOK], 0, "ok");
        check(&[REFUSED], 0, "550 5.1.1 no such user|");
        check(&[LATER], 0, "451 4.2.1 busy|");
        check(&[("b@x", 500, "", "what?")], 0, "554 5.0.0 what?|");
        check(&[("b@x", 552, "4.2.2", " ")], 0, "552 5.0.0 The next mail server gave no reason|");
        check(&[("b@x", 421, "4.7.0", "bye")], 0, "451 4.7.0 bye|");
    }

    #[test]
    fn several_recipients_are_told_apart() {
        check(&[TOOK, TOOK], 1, "ok");
        check(
            &[TOOK, REFUSED, LATER],
            0,
            "451-4.5.3 Not passed on yet for 2 recipients; 1 others have the mail\
             |451-4.5.3 <b@x>: 550 5.1.1 no such user|451 4.5.3 <c@x>: 450 4.2.1 busy|",
        );
        check(
            &[TOOK, REFUSED],
            0,
            "451-4.5.3 Not passed on yet for 1 recipients; 1 others have the mail|451 4.5.3 <b@x>: 550 5.1.1 no such user|",
        );
        // The repeat, which asked for the refused one alone.
        check(
            &[REFUSED],
            1,
            "550-5.1.1 Refused for 1 recipients; 1 others have the mail|550 5.1.1 <b@x>: 550 5.1.1 no such user|",
        );
        check(
            &[REFUSED, REFUSED],
            0,
            "550-5.1.1 Refused for 2 recipients; 0 others have the mail\
             |550-5.1.1 <b@x>: 550 5.1.1 no such user|550 5.1.1 <b@x>: 550 5.1.1 no such user|",
        );
    }

    #[test]
    fn what_the_next_hop_says_cannot_break_the_answer() {
        check(&[("b@x", 550, "5.1.1", "no\r\n250 2.0.0 yes \u{e4}")], 0, "550 5.1.1 no??250 2.0.0 yes ?|");
    }
}
