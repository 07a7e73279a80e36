//! Bounces in plain words: where the server's words end, which addresses failed, and which words are about which.
//!
//! No table of vendors: nearly all of them write the address at the head of a line, echo it behind a reply code, or put
//! it behind one of a few phrases. What a vendor is known for stands in [`super::phrases`].

use super::letter::Letter;
use super::phrases::{BEFORE_ADDRESS, FOLD_LINES, FOLD_STARTS};
use super::structured::short;
use super::verdict::codes;
use super::{Recipient, Report, ReportKind, evidence, reason, returned};

/// More addresses than this in one plain-text bounce are not believed.
const MOST_RECIPIENTS: usize = 100;

/// More phrases than this in one line are not followed, nor more correspondents compared.
const MOST_PHRASES: usize = 16;
const MOST_CORRESPONDENTS: usize = 20;

/// Reads a bounce without machine-readable parts.
pub(super) fn bounce(letter: &Letter) -> Option<Report> {
    let words = Words::of(letter);
    if !evidence::is_bounce(letter, &words.human) {
        return None;
    }
    let original = returned::headers(letter);
    let mut addresses = words.addresses.clone();
    if addresses.is_empty() && (evidence::from_machine(letter) || letter.returned.is_some()) {
        addresses.extend(only_other(&words.human, letter));
    }
    if addresses.is_empty() {
        addresses = original.to.iter().take(MOST_RECIPIENTS).cloned().collect();
    }
    if addresses.is_empty() && !evidence::from_machine(letter) {
        return None;
    }
    let late = evidence::is_delay(letter, &words.human);
    let only = addresses.len() == 1;
    let recipients =
        addresses.into_iter().map(|address| recipient(letter, &words, address, only, late)).collect();
    Some(Report {
        kind: if late { ReportKind::Delay } else { ReportKind::Failure },
        original_message_id: original.message_id,
        original_subject: original.subject,
        original_envelope_id: None,
        recipients,
    })
}

fn recipient(letter: &Letter, words: &Words, address: String, only: bool, late: bool) -> Recipient {
    let section = words.about(&address, only);
    let whole = words.whole(only);
    let mut found = codes(&section);
    if found.code.is_none() && found.status.is_none() {
        found = codes(whole);
    }
    let reading = reason::Reading {
        words: ["", &section, whole, &letter.subject, ""],
        dialogue: words.dialogue(),
        category: None,
        status: found.status.as_deref(),
        code: found.code,
        late,
    };
    let reason = if letter.is_filtered { "filtered" } else { reason::of(&reading) };
    Recipient {
        kind: if late { ReportKind::Delay } else { ReportKind::Failure },
        hard: reason::is_hard(reason, found.status.as_deref(), found.code),
        address,
        original_address: None,
        reason: reason.to_owned(),
        diagnostic: Some(short(&section)).filter(|text| !text.is_empty()),
        status: found.status,
        code: found.code,
    }
}

/// The words for humans of a report, and the addresses they name.
pub(super) struct Words {
    /// The text before the returned message, quotations taken out.
    pub human: String,
    /// The failed addresses, in order, each once.
    pub addresses: Vec<String>,
    /// Places in `human` where the words about an address begin.
    places: Vec<Place>,
    /// Each place is a line of a transcript; what follows it is about something else.
    are_lines: bool,
}

impl Words {
    pub(super) fn of(letter: &Letter) -> Words {
        let human = without_quotations(before_fold(&letter.text));
        let (places, are_lines) = named_places(&human, letter);
        let stated = letter.failed_recipients.as_deref().map(addresses_in).unwrap_or_default();
        let mut addresses = Vec::new();
        let named = places.iter().map(|(_, address)| address.clone());
        for address in stated.iter().cloned().chain(named.filter(|_| stated.is_empty())) {
            if !addresses.iter().any(|known: &String| known.eq_ignore_ascii_case(&address)) {
                addresses.push(address);
            }
        }
        addresses.truncate(MOST_RECIPIENTS);
        Words { human, addresses, places, are_lines }
    }

    /// The words about this address: from its place to the next address. The text may name it twice (translations).
    pub(super) fn about(&self, address: &str, only: bool) -> String {
        let is_it = |place: &&Place| place.1.eq_ignore_ascii_case(address);
        let Some((start, _)) = self.places.iter().find(is_it) else {
            return self.mention(address, only);
        };
        if self.are_lines {
            return self.human[*start..].lines().next().unwrap_or_default().to_owned();
        }
        let next =
            self.places.iter().find(|(place, other)| place > start && !other.eq_ignore_ascii_case(address));
        let end = next.filter(|_| !only).map_or(self.human.len(), |(place, _)| *place);
        self.human[*start..end].to_owned()
    }

    /// The whole text, when it is about one address only.
    pub(super) fn whole(&self, only: bool) -> &str {
        if only { &self.human } else { "" }
    }

    /// The SMTP dialogue that a server shows once for all recipients (`>>> DATA`); empty when there is none.
    pub(super) fn dialogue(&self) -> &str {
        let start = if self.human.starts_with(">>> ") { Some(0) } else { self.human.find("\n>>> ") };
        start.map_or("", |start| &self.human[start..])
    }

    fn mention(&self, address: &str, only: bool) -> String {
        match self.human.find(address) {
            Some(place) if only => self.human[place..].to_owned(),
            None if only => self.human.clone(),
            Some(place) => self.human[place..].split("\n\n").next().unwrap_or_default().to_owned(),
            None => String::new(),
        }
    }
}

/// Where an address stands in a text.
type Place = (usize, String);

/// The places of the failed addresses by the first reader that finds any, and whether each is a line of a transcript.
/// The sender's own address counts only when no reader finds another one.
fn named_places(human: &str, letter: &Letter) -> (Vec<Place>, bool) {
    const READERS: [fn(&str) -> Vec<Place>; 3] = [at_line_heads, echoed, behind_phrases];
    let correspondents = correspondents(letter);
    let is_other = |place: &Place| !correspondents.iter().any(|one| one.eq_ignore_ascii_case(&place.1));
    let found: Vec<Vec<Place>> = READERS.iter().map(|reader| reader(human)).collect();
    let first = |wanted: &dyn Fn(&Vec<Place>) -> bool| found.iter().position(wanted);
    let others = first(&|places| places.iter().any(is_other));
    let Some(reader) = others.or_else(|| first(&|places| !places.is_empty())) else {
        return (Vec::new(), false);
    };
    let mut places = found[reader].clone();
    if others.is_some() {
        places.retain(is_other);
    }
    let are_lines = reader == 1 && places.len() > 1;
    (places, are_lines)
}

/// The text before the returned message.
pub(super) fn before_fold(text: &str) -> &str {
    &text[..fold(text).unwrap_or(text.len())]
}

/// The returned message, if the text holds one.
pub(super) fn after_fold(text: &str) -> Option<&str> {
    fold(text).map(|place| &text[place..])
}

fn fold(text: &str) -> Option<usize> {
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        let is_first = text[..place].trim().is_empty();
        if !is_first && is_fold(line) {
            return Some(place);
        }
        place += line.len();
    }
    None
}

fn is_fold(line: &str) -> bool {
    let trimmed = line.trim();
    if trimmed.len() > 120 || trimmed.is_empty() {
        return false;
    }
    let lower = trimmed.to_lowercase();
    let bare = lower.trim_matches(|letter: char| "-=*#_~+. ".contains(letter));
    FOLD_STARTS.iter().any(|start| bare.starts_with(start))
        || FOLD_LINES.contains(&bare)
        || line.starts_with("Received: ")
        || lower.starts_with("return-path: ")
}

/// Lines that quote a mail (`> …`) are not the server's words; `>>> RCPT TO` is.
fn without_quotations(text: &str) -> String {
    let is_own = |line: &&str| !line.starts_with('>') || line.starts_with(">>> ");
    text.lines().filter(is_own).flat_map(|line| [line, "\n"]).collect()
}

/// Lines that begin with an address: `<a@b>:`, `  a@b`, `a@b on Thu, …`, `* a@b`. Deeper ones belong to the first.
fn at_line_heads(human: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut depth = None;
    for (place, line) in lines(human) {
        let indent = line.len() - line.trim_start().len();
        if depth.is_some_and(|depth| indent > depth) {
            continue;
        }
        if let Some(address) = at_head(line) {
            depth.get_or_insert(indent);
            places.push((place, address));
        }
    }
    places
}

fn at_head(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches(">>> ").trim_start_matches(['*', '-', '•', '·', ' ', '\t']);
    let line = strip_label(line);
    let inner = line.trim_start_matches(['<', '"', '\'', '[']);
    let end = inner.find(|letter: char| letter.is_whitespace() || "<>\"'[](),;:".contains(letter));
    let (word, rest) = inner.split_at(end.unwrap_or(inner.len()));
    let address = address_in(word).filter(|address| address.len() == word.trim_end_matches('.').len())?;
    let rest = rest.trim_start_matches(['>', '"', '\'', ']']);
    let ends_well = rest.trim().is_empty()
        || rest.starts_with(':')
        || rest.starts_with("...")
        || word.ends_with("...")
        || AFTER_ADDRESS.iter().any(|words| rest.to_lowercase().starts_with(words));
    ends_well.then_some(address)
}

/// `Recipient: a@b`, `To: a@b` of a server's list.
fn strip_label(line: &str) -> &str {
    let labels = ["recipient:", "recipient address:", "failed recipient:", "address:"];
    let label = labels
        .iter()
        .find(|label| line.get(..label.len()).is_some_and(|head| head.eq_ignore_ascii_case(label)));
    label.map_or(line, |label| line[label.len()..].trim_start())
}

/// What may follow an address at the head of a line.
const AFTER_ADDRESS: [&str; 16] = [
    " (",
    " [",
    " ...",
    " <",
    " on ",
    " - ",
    " |",
    " invalid address",
    " error",
    ", error",
    " is ",
    " was ",
    " has ",
    " unknown",
    " does not",
    " user ",
];

/// `550 <a@b>... User unknown`: the server repeats the address it refuses.
fn echoed(human: &str) -> Vec<Place> {
    let is_echo = |line: &str| {
        let line = line.trim_start().trim_start_matches("<<< ");
        let refused = matches!(line.as_bytes(), [b'4' | b'5', b'0'..=b'5', b'0'..=b'9', b' ' | b'-', ..]);
        refused && line.get(4..).is_some_and(|rest| rest.split_whitespace().next().is_some())
    };
    let echo = |line: &str| {
        let words = line.split_whitespace().find(|word| word.contains('@'))?;
        let marked = words.ends_with("...") || words.starts_with('<') && words.contains('>');
        marked.then(|| address_in(words)).flatten()
    };
    lines(human).filter(|(_, line)| is_echo(line)).filter_map(|(at, line)| Some((at, echo(line)?))).collect()
}

/// `… could not be delivered to: <a@b>`.
fn behind_phrases(human: &str) -> Vec<Place> {
    lines(human)
        .flat_map(|(at, line)| behind_phrase(line).into_iter().map(move |address| (at, address)))
        .collect()
}

/// The addresses right behind the first phrase that has any.
fn behind_phrase(line: &str) -> Vec<String> {
    let lower = line.to_ascii_lowercase();
    let ends = |words: &&str| {
        let length = words.len();
        lower.match_indices(*words).map(move |(at, _)| at + length).collect::<Vec<_>>()
    };
    let mut ends: Vec<usize> = BEFORE_ADDRESS.iter().flat_map(ends).collect();
    ends.sort_unstable();
    let mut lists = ends.into_iter().take(MOST_PHRASES).map(|end| listed(&line[end..]));
    lists.find(|found| !found.is_empty()).unwrap_or_default()
}

/// The addresses of a comma-separated list at the head of a text.
fn listed(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in text.split(',') {
        let starts = piece.trim_start_matches([' ', '\t', '<', '"', '\'', ':', '(', '[']);
        match address_in(starts).filter(|address| starts.starts_with(address.as_str())) {
            Some(address) => found.push(address),
            None => break,
        }
    }
    found
}

/// The server that writes and the sender it writes to.
fn correspondents(letter: &Letter) -> Vec<String> {
    addresses_in(&letter.from).into_iter().chain(addresses_in(&letter.to)).take(MOST_CORRESPONDENTS).collect()
}

/// The one address that the words name beside those of the correspondents and of people who help.
fn only_other(human: &str, letter: &Letter) -> Option<String> {
    let known = correspondents(letter);
    let is_other = |address: &String| {
        let helps = HELPERS.iter().any(|name| address.to_lowercase().starts_with(name));
        !helps
            && !evidence::is_daemon(address)
            && !known.iter().any(|known| known.eq_ignore_ascii_case(address))
    };
    let mut last = "";
    let recipients =
        human.split_whitespace().filter(|word| !is_sender_word(std::mem::replace(&mut last, word)));
    let mut others = recipients.filter(|word| word.contains('@')).filter_map(address_in).filter(is_other);
    let first = others.next()?;
    others.all(|other| other.eq_ignore_ascii_case(&first)).then_some(first)
}

/// Names of mailboxes that a report tells its reader to write to.
const HELPERS: [&str; 6] = ["abuse@", "support@", "help@", "helpdesk@", "noc@", "info@"];

/// `mail from a@b`: the address behind is the sender's.
fn is_sender_word(word: &str) -> bool {
    ["from", "from:", "sender", "sender:", "contact"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut place = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = place;
        place += line.len();
        (start, line.trim_end())
    })
}

/// Every address of a comma-separated list.
pub(super) fn addresses_in(list: &str) -> Vec<String> {
    list.split([',', ';']).filter_map(address_in).collect()
}

/// The first thing in a text that has the form of an address, without brackets.
pub(super) fn address_in(text: &str) -> Option<String> {
    text.match_indices('@').find_map(|(at, _)| {
        let local = local_part(&text[..at])?;
        let domain = domain_part(&text[at + 1..])?;
        Some(format!("{local}@{domain}"))
    })
}

fn local_part(before: &str) -> Option<&str> {
    if let Some(open) = before.strip_suffix('"').and_then(|inner| inner.rfind('"')) {
        return Some(&before[open..]);
    }
    let is_outside =
        |letter: char| letter.is_whitespace() || letter.is_control() || "<>()[],;:\"\\|@".contains(letter);
    let start =
        before.rfind(is_outside).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let local = before[start..].trim_start_matches('\'');
    (!local.is_empty() && local.len() <= 128).then_some(local)
}

fn domain_part(after: &str) -> Option<&str> {
    let is_outside = |letter: char| !(letter.is_alphanumeric() || letter == '-' || letter == '.');
    let end = match after.strip_prefix('[').and_then(|inner| inner.find(']')) {
        Some(close) => close + 2,
        None => after.find(is_outside).unwrap_or(after.len()),
    };
    let domain = after[..end].trim_end_matches(['.', '-']);
    (!domain.is_empty() && !domain.starts_with('.')).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(address_in(text).as_deref(), expected);
    }

    #[test]
    fn addresses() {
        check("rfc822; <a.b+c@x.example>", Some("a.b+c@x.example"));
        check("\"odd local\"@x.example", Some("\"odd local\"@x.example"));
        check("<=?utf-8?B?8J+QiPCfkIg=?=@example.org>...", Some("=?utf-8?B?8J+QiPCfkIg=?=@example.org"));
        check("'o'brien@x.example'", Some("o'brien@x.example"));
        check("a@[192.0.2.1]:25", Some("a@[192.0.2.1]"));
        check("@mx.example.org", None);
        check("猫@例え.jp です", Some("猫@例え.jp"));
        check("a @ b", None);
    }

    #[test]
    fn folds() {
        let text = "It failed.\n----- Original message -----\nReceived: x\n";
        assert_eq!(before_fold(text), "It failed.\n");
        assert_eq!(after_fold(text), Some("----- Original message -----\nReceived: x\n"));
        assert_eq!(after_fold("The original message was received at noon\nfrom x\n"), None);
    }

    #[test]
    fn lines_that_begin_with_an_address() {
        assert_eq!(at_head("  <a@x.example>:"), Some("a@x.example".to_owned()));
        assert_eq!(at_head("a@x.example on Thu, 29 Apr"), Some("a@x.example".to_owned()));
        assert_eq!(at_head("\"a@x.example\":"), Some("a@x.example".to_owned()));
        assert_eq!(at_head("a@x.example wrote to us"), None);
        assert_eq!(at_head("write to a@x.example"), None);
    }
}
