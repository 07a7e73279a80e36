//! Is this mail from a mail system, and is it about a failed delivery? Evidence is the envelope, the sender, headers
//! that only servers set, and well-known words at the head of the text; never words inside a quotation.

use super::letter::Letter;
use super::phrases::{BODY_WORDS, DELAY_WORDS, NULL_PATHS, SENDER_WORDS, SUBJECT_WORDS};

/// How many lines at the head of a text are searched for well-known words when the sender proves nothing.
const HEAD_LINES: usize = 12;

/// The mail was written by a mail system: null sender, a daemon's address, or a header of its own.
pub(super) fn from_machine(letter: &Letter) -> bool {
    has_null_path(letter) || is_daemon(&letter.from) || letter.failed_recipients.is_some()
}

/// Whether the headers leave room for [`is_bounce`].
pub(super) fn may_be_bounce(letter: &Letter) -> bool {
    from_machine(letter) || has_known_subject(letter) || super::ses::is_notification(letter)
}

fn has_known_subject(letter: &Letter) -> bool {
    let subject = letter.subject.to_lowercase();
    SUBJECT_WORDS.iter().any(|words| starts_like(&subject, words))
}

/// A mail system's words about a delivery that failed or is late. `human` is the text before the returned message.
pub(super) fn is_bounce(letter: &Letter, human: &str) -> bool {
    if letter.failed_recipients.is_some() {
        return true;
    }
    let known_subject = has_known_subject(letter);
    if from_machine(letter) {
        let may_say = !letter.is_auto_reply || is_daemon(&letter.from);
        return known_subject || may_say && says(human, usize::MAX) || returns_mail_for(letter, human);
    }
    known_subject && says(human, HEAD_LINES)
}

/// A daemon that gives the mail back under a line `<a@b>:`, in whatever language.
fn returns_mail_for(letter: &Letter, human: &str) -> bool {
    let names = |line: &str| line.starts_with('<') && line.trim_end().ends_with(">:") && line.contains('@');
    letter.returned.is_some() && is_daemon(&letter.from) && human.lines().any(names)
}

/// The words promise further tries.
pub(super) fn is_delay(letter: &Letter, human: &str) -> bool {
    let text = format!("{}\n{human}", letter.subject).to_lowercase();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    DELAY_WORDS.iter().any(|words| text.contains(words))
}

fn has_null_path(letter: &Letter) -> bool {
    let path = letter.return_path.as_deref().map(|path| path.trim().to_lowercase());
    path.is_some_and(|path| NULL_PATHS.contains(&path.as_str()) || is_daemon(&path))
}

pub(super) fn is_daemon(from: &str) -> bool {
    let from = from.to_lowercase();
    let bare = from.trim();
    bare == "<>" || bare.ends_with(" <>") || SENDER_WORDS.iter().any(|words| bare.contains(words))
}

/// The subject begins like that, or stands so behind a list or server tag (`[x] Undelivered …`).
fn starts_like(subject: &str, words: &str) -> bool {
    let subject = subject.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    match subject.find(words) {
        Some(0) => true,
        Some(place) => !answers(subject) && place <= 40,
        None => false,
    }
}

/// `Re:`, `Fwd:`, `WG:` …: a human passes something on.
fn answers(subject: &str) -> bool {
    subject.split_once(':').is_some_and(|(mark, _)| mark.trim().chars().count() <= 4)
}

fn says(human: &str, lines: usize) -> bool {
    let head: Vec<&str> = human.lines().filter(|line| !line.trim().is_empty()).take(lines).collect();
    let text = head.join(" ").to_lowercase();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    BODY_WORDS.iter().any(|words| text.contains(words))
}
