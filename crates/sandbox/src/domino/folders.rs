//! Commands about folders, one's own and others'.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::strtime;

use super::Access;
use super::session::{Answer, Refusal, Session, View, texts, uids};
use super::state::{Message, State, canonical};
use super::syntax::Token;
use super::utf7;

/// Where others' folders are.
const OTHERS: &str = "Other\\";
const FLAGS: &str = r"(\Answered \Flagged \Deleted \Seen \Draft)";

/// A folder that the user may see.
struct Place {
    /// As a key.
    owner: String,
    folder: String,
    access: Access,
}

/// A name for LIST.
struct Listed {
    attributes: &'static str,
    name: String,
}

impl Session {
    pub fn folder_command(&mut self, name: &str, arguments: &[Token]) -> Answer {
        match name {
            "LIST" | "LSUB" => self.list(name, arguments)?,
            // All folders are subscribed to.
            "SUBSCRIBE" | "UNSUBSCRIBE" => {
                self.existing(arguments)?;
            }
            "SELECT" | "EXAMINE" => return self.select(name, arguments),
            "STATUS" => self.status(arguments)?,
            "CREATE" => self.create(arguments)?,
            "DELETE" => self.delete(arguments)?,
            "RENAME" => self.rename(arguments)?,
            "APPEND" => return self.append(arguments),
            _ => {
                let [folder] = arguments else { return Refusal::bad("GETQUOTAROOT takes a folder") };
                self.existing(arguments)?;
                let folder = folder.text().unwrap_or_default();
                self.say(&format!("* QUOTAROOT {} \"\"", quoted(&folder)));
                self.say("* QUOTA \"\" ()");
            }
        }
        Ok(format!("{name} completed"))
    }

    fn list(&mut self, name: &str, arguments: &[Token]) -> Result<(), Refusal> {
        let [reference, pattern] = &texts(arguments)[..] else {
            return Refusal::bad("LIST takes a reference and a pattern");
        };
        if pattern.is_empty() {
            self.say(&format!(r#"* {name} (\Noselect) "\\" """#));
            return Ok(());
        }
        let pattern = format!("{reference}{pattern}");
        let reader = self.reader();
        let shared = Arc::clone(&self.shared);
        let mut listed = Vec::new();
        {
            let mut state = shared.state();
            let with_others =
                state.options.lists_others || pattern.to_lowercase().starts_with(&OTHERS.to_lowercase());
            own(&mut state, &reader, &mut listed);
            if with_others {
                others(&state, &reader, &mut listed);
            }
        }
        for Listed { attributes, name: folder } in listed {
            let coded = utf7::encode(&folder);
            if matches(pattern.as_bytes(), coded.as_bytes()) {
                self.say(&format!(r#"* {name} ({attributes}) "\\" {}"#, quoted(&coded)));
            }
        }
        Ok(())
    }

    fn select(&mut self, name: &str, arguments: &[Token]) -> Answer {
        self.view = None;
        let [folder] = arguments else { return Refusal::bad("It takes a folder") };
        let place = self.place(folder)?;
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let replica = state.replica;
        let Some(found) = state.folder(&place.owner, &place.folder) else {
            return Refusal::no("No such folder");
        };
        let (validity, next) = (found.uid_validity[replica], found.uid_next(replica));
        let uids = uids(&mut state, &place.owner, &place.folder);
        drop(state);
        let writable = name == "SELECT" && place.access == Access::Editor;
        self.say(&format!("* {} EXISTS", uids.len()));
        self.say("* 0 RECENT");
        self.say(&format!("* FLAGS {FLAGS}"));
        let permanent = if name == "SELECT" { FLAGS } else { "()" };
        self.say(&format!("* OK [PERMANENTFLAGS {permanent}]"));
        self.say(&format!("* OK [UIDVALIDITY {validity}] UIDs valid"));
        self.say(&format!("* OK [UIDNEXT {next}] Predicted next UID"));
        self.view = Some(View { owner: place.owner, folder: place.folder, uids, writable });
        let code = if writable { "READ-WRITE" } else { "READ-ONLY" };
        Ok(format!("[{code}] {name} completed"))
    }

    fn status(&mut self, arguments: &[Token]) -> Result<(), Refusal> {
        let [folder, Token::List(items)] = arguments else {
            return Refusal::bad("STATUS takes a folder and items");
        };
        let place = self.existing(&arguments[..1])?;
        let (shared, reader) = (Arc::clone(&self.shared), self.reader());
        let mut state = shared.state();
        let replica = state.replica;
        let Some(found) = state.folder(&place.owner, &place.folder) else {
            return Refusal::no("No such folder");
        };
        let mut values = Vec::new();
        for item in items {
            let item = item.keyword().unwrap_or_default();
            let value = match item.as_str() {
                "MESSAGES" => found.messages.len(),
                "RECENT" => 0,
                "UIDNEXT" => found.uid_next(replica) as usize,
                "UIDVALIDITY" => found.uid_validity[replica] as usize,
                "UNSEEN" => {
                    found.messages.iter().filter(|message| !message.seen_by.contains(&reader)).count()
                }
                _ => return Refusal::bad("STATUS does not know this item"),
            };
            values.push(format!("{item} {value}"));
        }
        drop(state);
        let folder = folder.text().unwrap_or_default();
        self.say(&format!("* STATUS {} ({})", quoted(&folder), values.join(" ")));
        Ok(())
    }

    fn create(&mut self, arguments: &[Token]) -> Result<(), Refusal> {
        let place = self.one(arguments)?;
        let inferior = place.folder.to_lowercase().starts_with("inbox\\");
        let mut state = self.shared.state();
        let there = state.folder(&place.owner, &place.folder).is_some();
        if place.access != Access::Editor || there || inferior {
            return Refusal::no("The folder cannot be made");
        }
        state.folder_made(&place.owner, place.folder.trim_end_matches('\\'));
        Ok(())
    }

    fn delete(&mut self, arguments: &[Token]) -> Result<(), Refusal> {
        let place = self.existing(arguments)?;
        if place.access != Access::Editor || place.folder == "Inbox" {
            return Refusal::no("The folder cannot be deleted");
        }
        let mut state = self.shared.state();
        state.account(&place.owner).and_then(|account| account.folders.remove(&place.folder));
        Ok(())
    }

    fn rename(&mut self, arguments: &[Token]) -> Result<(), Refusal> {
        let [from, to] = arguments else { return Refusal::bad("RENAME takes two folders") };
        let (from, to) = (self.place(from)?, self.place(to)?);
        let mut state = self.shared.state();
        let allowed = from.owner == to.owner && from.access == Access::Editor && from.folder != "Inbox";
        if !allowed || state.folder(&to.owner, &to.folder).is_some() {
            return Refusal::no("The folder cannot be renamed");
        }
        let account = state.account(&from.owner);
        let moved = account.and_then(|account| {
            let folder = account.folders.remove(&from.folder)?;
            account.folders.insert(to.folder, folder);
            Some(())
        });
        moved.map_or_else(|| Refusal::no("No such folder"), Ok)
    }

    fn append(&mut self, arguments: &[Token]) -> Answer {
        let (Some(folder), Some(Token::Text(raw))) = (arguments.first(), arguments.last()) else {
            return Refusal::bad("APPEND takes a folder and a literal");
        };
        let mut message = Message::new(Bytes::copy_from_slice(raw), self.shared.state().options.clock.now());
        let reader = self.reader();
        for option in arguments.get(1..arguments.len() - 1).unwrap_or_default() {
            match option {
                Token::List(flags) => set_flags(&mut message, flags, &reader),
                Token::Text(date) => {
                    let Some(received) = date_time(&String::from_utf8_lossy(date)) else {
                        return Refusal::bad("APPEND does not understand the date");
                    };
                    message.received = received;
                }
                Token::Word(_) => return Refusal::bad("APPEND takes flags, a date and a literal"),
            }
        }
        let place = self.place(folder)?;
        if place.access != Access::Editor {
            return Refusal::no("You may only read this folder");
        }
        let mut state = self.shared.state();
        let replica = state.replica;
        let Some(found) = state.folder(&place.owner, &place.folder) else {
            return Refusal::no("[TRYCREATE] No such folder");
        };
        let validity = found.uid_validity[replica];
        let uid = found.add(message, replica);
        drop(state);
        self.news();
        Ok(format!("[APPENDUID {validity} {uid}] APPEND completed"))
    }

    /// The one folder that is named, and is there.
    fn existing(&self, arguments: &[Token]) -> Result<Place, Refusal> {
        let place = self.one(arguments)?;
        match self.shared.state().folder(&place.owner, &place.folder) {
            Some(_) => Ok(place),
            None => Refusal::no("No such folder"),
        }
    }

    fn one(&self, arguments: &[Token]) -> Result<Place, Refusal> {
        match arguments {
            [folder] => self.place(folder),
            _ => Refusal::bad("It takes a folder"),
        }
    }

    /// Where a name leads, and what the user may do there. Another's folder without delegation is refused.
    fn place(&self, name: &Token) -> Result<Place, Refusal> {
        let name = name.text().and_then(|name| utf7::decode(&name));
        let Some(name) = name else { return Refusal::bad("That is no folder's name") };
        let reader = self.reader();
        let own = |folder: &str| {
            let folder = canonical(folder).to_owned();
            Place { owner: reader.clone(), folder, access: Access::Editor }
        };
        let Some(start) = name.get(..OTHERS.len()).filter(|start| start.eq_ignore_ascii_case(OTHERS)) else {
            return Ok(own(&name));
        };
        let Some((owner, folder)) = name[start.len()..].split_once('\\') else {
            return Refusal::no("No such folder");
        };
        let mut state = self.shared.state();
        let access = state.account(owner).and_then(|account| account.delegates.get(&reader).copied());
        let Some(access) = access else { return Refusal::no("You may not open this folder") };
        Ok(Place { owner: owner.to_lowercase(), folder: canonical(folder).to_owned(), access })
    }

    /// Where a name leads when the user may write there.
    pub fn writable_place(&self, name: &Token) -> Result<(String, String), Refusal> {
        let place = self.place(name)?;
        match place.access {
            Access::Editor => Ok((place.owner, place.folder)),
            Access::Reader => Refusal::no("You may only read this folder"),
        }
    }
}

fn own(state: &mut State, reader: &str, listed: &mut Vec<Listed>) {
    if let Some(account) = state.account(reader) {
        list_below("", account.folders.keys(), listed);
    }
}

fn others(state: &State, reader: &str, listed: &mut Vec<Listed>) {
    for account in state.accounts.values().filter(|account| account.delegates.contains_key(reader)) {
        let name = format!("{OTHERS}{}", account.name);
        listed.push(Listed { attributes: r"\Noselect \HasChildren", name: name.clone() });
        list_below(&format!("{name}\\"), account.folders.keys(), listed);
    }
}

fn list_below<'a>(prefix: &str, names: impl Iterator<Item = &'a String> + Clone, listed: &mut Vec<Listed>) {
    for name in names.clone() {
        let below = format!("{name}\\");
        let attributes = match () {
            () if name == "Inbox" => r"\Noinferiors \HasNoChildren",
            () if names.clone().any(|other| other.starts_with(&below)) => r"\HasChildren",
            () => r"\HasNoChildren",
        };
        listed.push(Listed { attributes, name: format!("{prefix}{name}") });
    }
}

/// RFC 3501 section 6.3.8: `*` matches everything, `%` all but the delimiter.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*' | b'%', rest)), _) if matches(rest, name) => true,
        (Some((b'*', _)), Some((_, name))) => matches(pattern, name),
        (Some((b'%', _)), Some((letter, name))) => *letter != b'\\' && matches(pattern, name),
        (Some((wanted, pattern)), Some((letter, name))) => {
            wanted.eq_ignore_ascii_case(letter) && matches(pattern, name)
        }
        _ => false,
    }
}

/// As Domino writes a name: bare when it can be.
fn quoted(name: &str) -> String {
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '&' | '/');
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Sets the flags of a new message.
fn set_flags(message: &mut Message, flags: &[Token], reader: &str) {
    for flag in flags.iter().filter_map(Token::text) {
        if flag.eq_ignore_ascii_case("\\seen") {
            message.seen_by.insert(reader.to_owned());
        } else {
            message.flags.insert(flag);
        }
    }
}

/// `17-Jul-2026 02:44:25 +0200`
fn date_time(text: &str) -> Option<Timestamp> {
    strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?.to_timestamp().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, name: &str| matches(pattern.as_bytes(), name.as_bytes());
        assert!(
            check("*", "Other\\anna\\Inbox") && check("Other\\%", "Other\\anna") && check("INBOX", "Inbox")
        );
        assert!(!check("Other\\%", "Other\\anna\\Inbox") && !check("%", "a\\b") && !check("Sent", "Sen"));
        assert!(check("Other\\anna\\*", "Other\\anna\\Inbox") && check("%en%", "Sent"));
    }

    #[test]
    fn dates() {
        assert_eq!(date_time("17-Jul-1996 02:44:25 -0700").map(|time| time.as_second()), Some(837_596_665));
        assert_eq!(date_time(" 1-Jan-1970 00:00:00 +0000").map(|time| time.as_second()), Some(0));
        assert_eq!(date_time("yesterday"), None);
    }
}
