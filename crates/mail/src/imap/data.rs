//! What the untagged data of RFC 3501 section 7 says, as far as we ask for it. Everything is found by its keyword: order,
//! extra parentheses and extra items do not matter.

use bytes::Bytes;
use jiff::Timestamp;

use super::date::internal_date;
use super::utf7;
use super::wire::Token;

/// A folder as LIST shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Decoded, for people and cursors.
    pub name: String,
    /// Exactly as the server wrote it, for commands.
    pub wire: Bytes,
    pub delimiter: Option<char>,
    /// In lower case, with their backslash.
    pub flags: Vec<String>,
}

impl Listed {
    /// True for this attribute, such as `\sent`.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    /// False for a mere node of the tree.
    pub fn can_be_opened(&self) -> bool {
        !self.has("\\noselect") && !self.has("\\nonexistent")
    }

    /// The part of the name behind the last delimiter.
    pub fn leaf(&self) -> &str {
        self.delimiter.and_then(|at| self.name.rsplit(at).next()).unwrap_or(&self.name)
    }
}

/// `LIST (\HasNoChildren) "/" name`; LSUB has the same form.
pub fn listed(tokens: &[Token]) -> Option<Listed> {
    let rest = keyword(tokens, "LIST")?;
    let close = rest.iter().position(|token| *token == Token::Close)?;
    let flags = rest[..close].iter().filter(|token| token.bytes().is_some());
    let mut words = rest[close + 1..].iter().filter(|token| token.bytes().is_some());
    let (delimiter, name) = (words.next()?, words.next()?);
    Some(Listed {
        name: utf7::decode(&name.text()),
        wire: name.bytes()?.clone(),
        delimiter: if delimiter.is("NIL") { None } else { delimiter.text().chars().next() },
        flags: flags.map(|flag| flag.text().to_ascii_lowercase()).collect(),
    })
}

/// What is known of a folder when it is opened or asked for its STATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    pub uid_validity: Option<u32>,
    pub uid_next: Option<u32>,
    pub messages: Option<u64>,
    /// RFC 7162.
    pub mod_seq: Option<u64>,
}

impl Standing {
    /// Takes what one item says; others are passed over.
    pub fn learn(&mut self, item: &str, value: Option<u64>) {
        let small = value.and_then(|value| u32::try_from(value).ok());
        match item.to_ascii_uppercase().as_str() {
            "UIDVALIDITY" => self.uid_validity = small.or(self.uid_validity),
            "UIDNEXT" => self.uid_next = small.or(self.uid_next),
            "MESSAGES" => self.messages = value.or(self.messages),
            "HIGHESTMODSEQ" => self.mod_seq = value.or(self.mod_seq),
            _ => {}
        }
    }
}

/// `STATUS name (UIDNEXT 5 UIDVALIDITY 7)`.
pub fn status(tokens: &[Token]) -> Option<Standing> {
    let rest = keyword(tokens, "STATUS")?;
    let open = rest.iter().position(|token| *token == Token::Open)?;
    let mut standing = Standing::default();
    for pair in rest[open..].windows(2) {
        if let Token::Atom(_) = pair[0] {
            standing.learn(&pair[0].text(), pair[1].number());
        }
    }
    Some(standing)
}

/// What FETCH says about one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    pub uid: u32,
    /// `None` when it is no date, or was not sent.
    pub date: Option<Timestamp>,
    pub size: Option<u64>,
    /// `None` when no body came, or NIL.
    pub body: Option<Bytes>,
}

/// `3 FETCH (UID 17 RFC822.SIZE 24 BODY[] {24}…)`. `None` without a UID: a change of flags that nobody asked about.
pub fn fetched(tokens: &[Token]) -> Option<Fetched> {
    if !(tokens.first()?.number().is_some() && tokens.get(1)?.is("FETCH")) {
        return None;
    }
    let mut fetched = Fetched::default();
    for (index, token) in tokens.iter().enumerate().skip(2) {
        let Token::Atom(word) = token else { continue };
        let value = tokens.get(index + 1);
        match word.to_ascii_uppercase().as_slice() {
            b"UID" => fetched.uid = value?.number().and_then(|uid| u32::try_from(uid).ok())?,
            b"INTERNALDATE" => fetched.date = value.and_then(|date| internal_date(&date.text())),
            b"RFC822.SIZE" => fetched.size = value.and_then(Token::number),
            section if section.starts_with(b"BODY[") => {
                fetched.body =
                    value.filter(|value| !matches!(value, Token::Atom(_))).and_then(Token::bytes).cloned();
            }
            _ => {}
        }
    }
    (fetched.uid > 0).then_some(fetched)
}

/// `SEARCH 2 84 882`.
pub fn search(tokens: &[Token]) -> Option<Vec<u32>> {
    let rest = keyword(tokens, "SEARCH")?;
    Some(rest.iter().filter_map(Token::number).filter_map(|uid| u32::try_from(uid).ok()).collect())
}

/// `CAPABILITY IMAP4rev1 IDLE`, in upper case.
pub fn capabilities(tokens: &[Token]) -> Option<Vec<String>> {
    let rest = keyword(tokens, "CAPABILITY")?;
    Some(rest.iter().map(|token| token.text().to_ascii_uppercase()).collect())
}

/// A namespace (RFC 2342).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub prefix: String,
    pub delimiter: Option<char>,
}

/// The namespaces a server offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespaces {
    pub own: Vec<Namespace>,
    /// Other users' mailboxes.
    pub others: Vec<Namespace>,
    pub shared: Vec<Namespace>,
}

/// `NAMESPACE (("" "/")) NIL (("Shared/" "/"))`.
pub fn namespaces(tokens: &[Token]) -> Option<Namespaces> {
    let rest = keyword(tokens, "NAMESPACE")?;
    let mut found = Namespaces::default();
    let (mut depth, mut group) = (0_usize, 0_usize);
    let mut pair: Vec<&Token> = Vec::new();
    for token in rest {
        match token {
            Token::Open => {
                depth += 1;
                pair.clear();
            }
            Token::Close => {
                if let [prefix, delimiter, ..] = pair.as_slice() {
                    let namespace = Namespace {
                        prefix: utf7::decode(&prefix.text()),
                        delimiter: if delimiter.is("NIL") { None } else { delimiter.text().chars().next() },
                    };
                    match group {
                        0 => found.own.push(namespace),
                        1 => found.others.push(namespace),
                        _ => found.shared.push(namespace),
                    }
                }
                pair.clear();
                depth = depth.saturating_sub(1);
                group += usize::from(depth == 0);
            }
            _ if depth == 0 => group += 1,
            word => pair.push(word),
        }
    }
    Some(found)
}

/// `18 EXISTS` and its like: the number and the word, when it is one that tells of a change in the open folder.
pub fn change(tokens: &[Token]) -> Option<(u64, &'static str)> {
    let number = tokens.first()?.number()?;
    let word = ["EXISTS", "EXPUNGE", "RECENT"]
        .into_iter()
        .find(|word| tokens.get(1).is_some_and(|token| token.is(word)))?;
    Some((number, word))
}

/// The UIDs that a VANISHED names, as ranges: `VANISHED (EARLIER) 41,43:116` (RFC 7162, section 3.2.10).
pub fn vanished(tokens: &[Token]) -> Option<Vec<(u32, u32)>> {
    let rest = keyword(tokens, "VANISHED")?;
    let set = rest.iter().rfind(|token| matches!(token, Token::Atom(_)))?.text();
    let range = |part: &str| {
        let (low, high) = part.split_once(':').unwrap_or((part, part));
        let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
        Some((low.min(high), low.max(high)))
    };
    Some(set.split(',').filter_map(range).collect())
}

/// Whether the server says that this is in force from now on (RFC 5161).
pub fn enabled(tokens: &[Token], extension: &str) -> bool {
    keyword(tokens, "ENABLED").is_some_and(|rest| rest.iter().any(|token| token.is(extension)))
}

fn keyword<'a>(tokens: &'a [Token], word: &str) -> Option<&'a [Token]> {
    let (first, rest) = tokens.split_first()?;
    first.is(word).then_some(rest)
}
