//! Which folder on the server is meant. Names are taken from what the server lists, never built.

use super::account::{Account, FolderName};
use super::client::Client;
use super::data::{Listed, Namespaces};
use super::error::Error;
use super::utf7;

/// The usual names of the folder for sent mail, where the server marks none.
const SENT_NAMES: [&str; 21] = [
    "Sent",
    "Sent Items",
    "Sent Messages",
    "Sent Mail",
    "Gesendet",
    "Gesendete Elemente",
    "Gesendete Objekte",
    "Éléments envoyés",
    "Messages envoyés",
    "Envoyés",
    "Enviados",
    "Elementos enviados",
    "Itens enviados",
    "Posta inviata",
    "Inviata",
    "Verzonden items",
    "Verzonden",
    "Odeslané",
    "Отправленные",
    "送信済み",
    "已发送",
];

/// How many names an error shows.
const SHOWN: usize = 12;

/// The folders an account can see.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub folders: Vec<Listed>,
    /// The name that all others stand below, when the mailbox is somebody else's.
    below: Option<String>,
}

impl Tree {
    /// Asks the server.
    pub async fn read(client: &mut Client, account: &Account) -> Result<Self, Error> {
        let Some(below) = &account.below else {
            return Ok(Tree { folders: client.list("*").await?, below: None });
        };
        // With the delimiter at its end or without: both are how people write it.
        let wire = utf7::encode(below);
        let mut folders = client.list(&wire).await?;
        folders.extend(client.list(&format!("{wire}*")).await?);
        folders.sort_by(|a, b| a.wire.cmp(&b.wire));
        folders.dedup_by(|a, b| a.wire == b.wire);
        let tree = Tree { below: Some(below.clone()), folders };
        Ok(Tree {
            folders: tree.folders.iter().filter(|folder| tree.relative(folder).is_some()).cloned().collect(),
            ..tree
        })
    }

    /// A tree of folders that are known already.
    pub fn of(folders: Vec<Listed>, below: Option<&str>) -> Self {
        Tree { folders, below: below.map(str::to_owned) }
    }

    /// The folder that is meant.
    pub fn find(&self, wanted: &FolderName) -> Result<&Listed, Error> {
        let found = match wanted {
            FolderName::Inbox => self.inbox(),
            FolderName::Sent => self.sent(),
            FolderName::Named(name) => self.named(name),
        };
        found.ok_or_else(|| Error::NoFolder { name: wanted.to_string(), present: self.shown() })
    }

    fn open(&self) -> impl Iterator<Item = &Listed> {
        self.folders.iter().filter(|folder| folder.can_be_opened())
    }

    /// A folder's name below the mailbox's own; empty for that one itself, `None` for a stranger.
    fn relative<'a>(&self, folder: &'a Listed) -> Option<&'a str> {
        let Some(below) = &self.below else { return Some(&folder.name) };
        let trimmed = folder.delimiter.map_or(below.as_str(), |at| below.trim_end_matches(at));
        let rest = folder.name.strip_prefix(trimmed)?;
        match folder.delimiter {
            Some(at) if !rest.is_empty() => rest.strip_prefix(at),
            _ => Some(rest),
        }
    }

    fn inbox(&self) -> Option<&Listed> {
        let named = self
            .open()
            .find(|folder| self.relative(folder).is_some_and(|name| name.eq_ignore_ascii_case("INBOX")));
        // Some servers show another user's inbox as the root of what is his.
        named.or_else(|| self.open().find(|folder| self.below.is_some() && self.relative(folder) == Some("")))
    }

    fn sent(&self) -> Option<&Listed> {
        let marked = self.open().find(|folder| folder.has("\\sent"));
        let named = |wanted: &str| {
            self.open().find(|folder| {
                let is_top = self.relative(folder).is_some_and(|name| depth(name, folder.delimiter) <= 2);
                is_top && folder.leaf().to_lowercase() == wanted.to_lowercase()
            })
        };
        marked.or_else(|| SENT_NAMES.into_iter().find_map(named))
    }

    fn named(&self, wanted: &str) -> Option<&Listed> {
        let exact = self.open().find(|folder| self.relative(folder) == Some(wanted));
        exact.or_else(|| {
            self.open().find(|folder| {
                let slashed = |at: char| wanted.replace('/', at.encode_utf8(&mut [0; 4]));
                let Some(name) = self.relative(folder) else { return false };
                folder.delimiter.is_some_and(|at| slashed(at) == name)
            })
        })
    }

    fn shown(&self) -> String {
        let names: Vec<&str> = self.open().filter_map(|folder| self.relative(folder)).take(SHOWN).collect();
        let more = if self.folders.len() > SHOWN { ", …" } else { "" };
        if names.is_empty() { "none that can be opened".to_owned() } else { names.join(", ") + more }
    }
}

fn depth(name: &str, delimiter: Option<char>) -> usize {
    delimiter.map_or(1, |at| name.split(at).count())
}

/// The mailboxes of others that can be seen, for a person to choose from.
pub async fn others(client: &mut Client, namespaces: &Namespaces) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for namespace in namespaces.others.iter().chain(&namespaces.shared) {
        let pattern = format!("{}%", utf7::encode(&namespace.prefix));
        names.extend(client.list(&pattern).await?.into_iter().map(|folder| folder.name));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn tree(below: Option<&str>, delimiter: char, names: &[&str]) -> Tree {
        let folder = |name: &&str| {
            let (flag, name) = name.split_once(':').unwrap_or(("", name));
            Listed {
                name: name.to_owned(),
                wire: Bytes::from(utf7::encode(name)),
                delimiter: Some(delimiter),
                flags: vec![flag.to_owned()],
            }
        };
        Tree::of(names.iter().map(folder).collect(), below)
    }

    #[track_caller]
    fn check(tree: &Tree, wanted: FolderName, expected: Option<&str>) {
        assert_eq!(tree.find(&wanted).ok().map(|folder| folder.name.as_str()), expected);
    }

    fn named(name: &str) -> FolderName {
        FolderName::Named(name.to_owned())
    }

    #[test]
    fn an_own_mailbox() {
        let own = tree(None, '.', &["Inbox", "INBOX.Sent Items", "Projects.A", "\\noselect:Projects"]);
        check(&own, FolderName::Inbox, Some("Inbox"));
        check(&own, FolderName::Sent, Some("INBOX.Sent Items"));
        check(&own, named("Projects/A"), Some("Projects.A"));
        check(&own, named("Projects.A"), Some("Projects.A"));
        check(&own, named("Projects"), None);
    }

    #[test]
    fn the_mark_comes_before_the_name() {
        check(&tree(None, '/', &["Sent", "\\sent:Ausgang"]), FolderName::Sent, Some("Ausgang"));
        check(&tree(None, '/', &["gesendete elemente"]), FolderName::Sent, Some("gesendete elemente"));
        check(&tree(None, '/', &["Archive/Old/2001/Sent"]), FolderName::Sent, None);
    }

    #[test]
    fn somebody_elses_mailbox() {
        let names = ["\\noselect:Other\\anna", "Other\\anna\\Inbox", "Other\\anna\\Sent", "Inbox", "Sent"];
        for below in ["Other\\anna", "Other\\anna\\"] {
            let domino = tree(Some(below), '\\', &names);
            check(&domino, FolderName::Inbox, Some("Other\\anna\\Inbox"));
            check(&domino, FolderName::Sent, Some("Other\\anna\\Sent"));
            check(&domino, named("Inbox"), Some("Other\\anna\\Inbox"));
        }
        let rooted = tree(Some("user/anna"), '/', &["user/anna", "user/annabel/INBOX", "user/anna/x"]);
        check(&rooted, FolderName::Inbox, Some("user/anna"));
        check(&rooted, named("x"), Some("user/anna/x"));
    }

    #[test]
    fn a_missing_folder_says_what_there_is() {
        let error = tree(None, '/', &["INBOX", "Drafts"]).find(&FolderName::Sent).unwrap_err();
        assert_eq!(error.to_string(), "no folder Sent on the server: it has INBOX, Drafts");
    }
}
