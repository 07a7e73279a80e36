//! Commands about messages of the selected folder.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::fetch;
use super::session::{Answer, Refusal, Session, View};
use super::state::Message;
use super::syntax::{Token, holds, set};

/// How FETCH answers are shuffled: four by four, in this order, as in the transcripts.
const SHUFFLED: [usize; 4] = [1, 3, 2, 0];

impl Session {
    pub fn message_command(&mut self, name: &str, arguments: &[Token]) -> Answer {
        if name != "UID" {
            return self.on_messages(name, name, arguments, false);
        }
        match arguments.first().and_then(Token::keyword).as_deref() {
            Some(name @ ("SEARCH" | "FETCH" | "STORE" | "COPY" | "EXPUNGE")) => {
                self.on_messages(name, &format!("UID {name}"), &arguments[1..], true)
            }
            _ => Refusal::bad("UID takes FETCH, STORE, COPY, SEARCH or EXPUNGE"),
        }
    }

    fn on_messages(&mut self, name: &str, spoken: &str, arguments: &[Token], by_uid: bool) -> Answer {
        let mut code = String::new();
        match name {
            "SEARCH" => self.search(arguments, by_uid)?,
            "FETCH" => self.fetch(arguments, by_uid)?,
            "STORE" => self.store(arguments, by_uid)?,
            "COPY" => code = self.copy(arguments, by_uid)?,
            "EXPUNGE" => self.expunge(arguments, by_uid)?,
            _ => self.close(),
        }
        if name == "COPY" {
            self.news();
        }
        Ok(format!("{code}{spoken} completed"))
    }

    fn view(&self) -> &View {
        self.view.as_ref().expect("commands that need a folder are refused without one")
    }

    /// Calls `action` with each message, its sequence number and its UID, until that says no more.
    fn each(&self, uids: &[(usize, u32)], mut action: impl FnMut(usize, u32, &mut Message)) {
        let mut state = self.shared.state();
        let replica = state.replica;
        let view = self.view();
        let Some(folder) = state.folder(&view.owner, &view.folder) else { return };
        for (number, uid) in uids {
            // It may be gone: then it has no answer.
            if let Some(message) = folder.get_mut(replica, *uid) {
                action(*number, *uid, message);
            }
        }
    }

    /// The sequence numbers and UIDs that a set names.
    fn named(&self, given: Option<&Token>, by_uid: bool) -> Result<Vec<(usize, u32)>, Refusal> {
        let text = given.and_then(Token::text).unwrap_or_default();
        if text.split(',').count() > self.shared.state().options.longest_set {
            return Refusal::bad("The sequence set is too long");
        }
        let view = self.view();
        let count = u32::try_from(view.uids.len()).unwrap_or(u32::MAX);
        let last = if by_uid { view.uids.last().copied().unwrap_or(0) } else { count };
        let Some(set) = set(&text, last) else { return Refusal::bad("That is no sequence set") };
        let beyond = |range: &RangeInclusive<u32>| *range.end() > count || *range.start() == 0;
        if !by_uid && set.iter().any(beyond) {
            return Refusal::bad("The sequence number is too high");
        }
        let all = view.uids.iter().enumerate().map(|(index, uid)| (index + 1, *uid));
        let wanted = |(number, uid): &(usize, u32)| {
            let number = u32::try_from(*number).unwrap_or(u32::MAX);
            holds(&set, if by_uid { *uid } else { number })
        };
        Ok(all.filter(wanted).collect())
    }

    fn search(&mut self, arguments: &[Token], by_uid: bool) -> Result<(), Refusal> {
        let mut words = arguments.iter();
        let mut found: Vec<(usize, u32)> =
            self.view().uids.iter().enumerate().map(|(index, uid)| (index + 1, *uid)).collect();
        while let Some(word) = words.next() {
            match word.keyword().as_deref() {
                Some("CHARSET") => {
                    words.next();
                }
                Some("ALL") => {}
                Some("UID") => {
                    let named: BTreeSet<_> = self.named(words.next(), true)?.into_iter().collect();
                    found.retain(|one| named.contains(one));
                }
                Some("SINCE") => {
                    let text = words.next().and_then(Token::text).unwrap_or_default();
                    let Some(date) = date(&text) else { return Refusal::bad("SINCE takes a date") };
                    let mut since = Vec::new();
                    self.each(&found, |number, uid, message| {
                        if message.received.to_zoned(TimeZone::UTC).date() >= date {
                            since.push((number, uid));
                        }
                    });
                    found = since;
                }
                Some(text) if text.starts_with(|first: char| first.is_ascii_digit() || first == '*') => {
                    let named: BTreeSet<_> = self.named(Some(word), false)?.into_iter().collect();
                    found.retain(|one| named.contains(one));
                }
                _ => return Refusal::no("The server cannot search for this"),
            }
        }
        let numbers: String = found
            .iter()
            .map(|(number, uid)| if by_uid { format!(" {uid}") } else { format!(" {number}") })
            .collect();
        self.say(&format!("* SEARCH{numbers}"));
        Ok(())
    }

    fn fetch(&mut self, arguments: &[Token], by_uid: bool) -> Result<(), Refusal> {
        let [_, items] = arguments else { return Refusal::bad("FETCH takes a set and items") };
        let Some(mut items) = fetch::items(items) else {
            return Refusal::bad("FETCH does not know this item");
        };
        if by_uid && !items.contains(&fetch::Item::Uid) {
            items.insert(0, fetch::Item::Uid);
        }
        let named = self.named(arguments.first(), by_uid)?;
        let quirks = self.shared.state().options.quirks;
        let (reader, writable) = (self.reader(), self.view().writable);
        let mut answers = Vec::new();
        self.each(&named, |number, uid, message| {
            let request = fetch::Request { number, uid, reader: &reader, writable, quirks };
            answers.push(fetch::answer(&request, &items, message));
        });
        let order: Vec<usize> = match quirks.fetch_out_of_order {
            true => shuffled(answers.len()),
            false => (0..answers.len()).collect(),
        };
        for index in order {
            self.out.extend_from_slice(&answers[index]);
        }
        Ok(())
    }

    fn store(&mut self, arguments: &[Token], by_uid: bool) -> Result<(), Refusal> {
        let [_, how, rest @ ..] = arguments else { return Refusal::bad("STORE takes a set and flags") };
        let how = how.keyword().unwrap_or_default();
        let flags: Vec<String> = match rest {
            [Token::List(flags)] => flags.iter().filter_map(Token::text).collect(),
            flags => flags.iter().filter_map(Token::text).collect(),
        };
        let silent = how.ends_with(".SILENT");
        let how = how.trim_end_matches(".SILENT").to_owned();
        if !matches!(how.as_str(), "FLAGS" | "+FLAGS" | "-FLAGS") {
            return Refusal::bad("STORE takes FLAGS, +FLAGS or -FLAGS");
        }
        let only_seen = flags.iter().all(|flag| flag.eq_ignore_ascii_case("\\seen"));
        // Whoever may read has unread marks of his own.
        if !self.view().writable && !only_seen {
            return Refusal::no("You may only read this folder");
        }
        let named = self.named(arguments.first(), by_uid)?;
        let reader = self.reader();
        let mut lines = Vec::new();
        self.each(&named, |number, uid, message| {
            fetch::store(message, &how, &flags, &reader);
            let told = fetch::flags(message, &reader).join(" ");
            let uid = if by_uid { format!("UID {uid} ") } else { String::new() };
            lines.push(format!("* {number} FETCH ({uid}FLAGS ({told}))"));
        });
        if !silent {
            lines.iter().for_each(|line| self.say(line));
        }
        Ok(())
    }

    /// Answers the COPYUID of RFC 4315.
    fn copy(&mut self, arguments: &[Token], by_uid: bool) -> Answer {
        let [_, folder] = arguments else { return Refusal::bad("COPY takes a set and a folder") };
        let named = self.named(arguments.first(), by_uid)?;
        let (owner, folder) = self.writable_place(folder)?;
        let mut copies = Vec::new();
        self.each(&named, |_, uid, message| copies.push((uid, message.copy())));
        let mut state = self.shared.state();
        let replica = state.replica;
        let Some(target) = state.folder(&owner, &folder) else {
            return Refusal::no("[TRYCREATE] No such folder");
        };
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for (uid, message) in copies {
            from.push(uid.to_string());
            to.push(target.add(message, replica).to_string());
        }
        match from.is_empty() {
            true => Ok(String::new()),
            false => {
                Ok(format!("[COPYUID {} {} {}] ", target.uid_validity[replica], from.join(","), to.join(",")))
            }
        }
    }

    fn expunge(&mut self, arguments: &[Token], by_uid: bool) -> Result<(), Refusal> {
        if !self.view().writable {
            return Refusal::no("You may only read this folder");
        }
        let named = match by_uid {
            true => self.named(arguments.first(), true)?,
            false => self.view().uids.iter().enumerate().map(|(index, uid)| (index + 1, *uid)).collect(),
        };
        self.remove_deleted(&named);
        self.news();
        Ok(())
    }

    fn remove_deleted(&self, named: &[(usize, u32)]) {
        let mut deleted = Vec::new();
        self.each(named, |_, uid, message| {
            if message.flags.contains("\\Deleted") {
                deleted.push(uid);
            }
        });
        let (view, mut state) = (self.view(), self.shared.state());
        let replica = state.replica;
        if let Some(folder) = state.folder(&view.owner, &view.folder) {
            deleted.iter().for_each(|uid| drop(folder.remove(replica, *uid)));
        }
    }

    fn close(&mut self) {
        if self.view().writable {
            let all: Vec<_> = self.view().uids.iter().map(|uid| (0, *uid)).collect();
            self.remove_deleted(&all);
        }
        self.view = None;
    }
}

fn shuffled(count: usize) -> Vec<usize> {
    let groups = (0..count).step_by(SHUFFLED.len());
    groups.flat_map(|first| SHUFFLED.map(|offset| first + offset)).filter(|index| *index < count).collect()
}

/// `1-Nov-2026`
fn date(text: &str) -> Option<Date> {
    strtime::parse("%d-%b-%Y", text.trim()).ok()?.to_date().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_place_in_the_shuffle() {
        assert_eq!(shuffled(6), [1, 3, 2, 0, 5, 4]);
        for count in 0..20 {
            let mut order = shuffled(count);
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn dates() {
        assert_eq!(date("1-Nov-2026"), Some(jiff::civil::date(2026, 11, 1)));
        assert_eq!(date("November"), None);
    }
}
