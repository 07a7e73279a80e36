//! The ledger's rows: entries are added, never changed. What a page says twice is added once.

use jiff::Timestamp;
use postroom_core::Ids;
use postroom_core::address::normal;
use postroom_core::marketing::Status;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Row, Tx};
use sha2::{Digest, Sha256};

use super::history::{Entry, Said, Scope};

const COLUMNS: [&str; 11] =
    ["id", "key", "account", "address", "scope", "said", "at", "known", "source", "actor", "proof"];

/// An entry about an address, in one account of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The account's name; empty for what was said to all of them.
    pub account: String,
    /// In normal form.
    pub address: String,
    pub entry: Entry,
}

/// Adds entries; answers how many were new.
pub async fn add(tx: &mut Tx, ids: &Ids, entries: &[Noted]) -> Result<u64, Error> {
    let mut rows = Insert::into("consent_entry", &COLUMNS).or_skip();
    for Noted { account, address, entry } in entries {
        let (scope, said) = (scope_text(&entry.scope), said_text(&entry.said));
        let at = entry.at.as_microsecond();
        rows.row([
            ids.next().into(),
            key([account, address, &scope, &said, &at.to_string(), &entry.source]).into(),
            account.as_str().into(),
            address.as_str().into(),
            scope.into(),
            said.into(),
            at.into(),
            entry.known.as_microsecond().into(),
            entry.source.as_str().into(),
            entry.actor.as_str().into(),
            entry.proof.as_str().into(),
        ]);
    }
    tx.insert(&rows).await
}

/// What stands for the address of somebody who was erased: who has the address finds the entries, and nobody reads it there.
pub fn hashed(address: &str) -> String {
    let hash = Sha256::digest(normal(address));
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Everything that was said about an address, oldest first; also after it was erased.
pub async fn of(tx: &mut Tx, address: &str) -> Result<Vec<Noted>, Error> {
    let select = Query::select()
        .columns(COLUMNS)
        .from("consent_entry")
        .and_where(Expr::col("address").is_in([normal(address), hashed(address)]))
        .order_by("at", Order::Asc)
        .order_by("id", Order::Asc)
        .to_owned();
    tx.query(&select).await?.iter().map(noted).collect()
}

fn noted(row: &Row) -> Result<Noted, Error> {
    let (scope, said): (String, String) = (row.at(4)?, row.at(5)?);
    let entry = Entry {
        scope: scope_of(&scope),
        said: said_of(&said),
        at: row.at::<Timestamp>(6)?,
        known: row.at::<Timestamp>(7)?,
        source: row.at(8)?,
        actor: row.at(9)?,
        proof: row.at(10)?,
    };
    Ok(Noted { account: row.at(2)?, address: row.at(3)?, entry })
}

/// What was said, as one value; each part with its length before it.
fn key(parts: [&str; 6]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()[..16].to_vec()
}

fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::Account => "account".to_owned(),
        Scope::List(id) => format!("list:{id}"),
        Scope::Preference(id) => format!("preference:{id}"),
    }
}

fn scope_of(text: &str) -> Scope {
    let numbered = |prefix| text.strip_prefix(prefix).and_then(|id| id.parse::<i64>().ok());
    match (numbered("list:"), numbered("preference:")) {
        (Some(id), _) => Scope::List(id),
        (_, Some(id)) => Scope::Preference(id),
        _ => Scope::Account,
    }
}

fn said_text(said: &Said) -> String {
    match said {
        Said::In => "in".to_owned(),
        Said::Out(status) => format!("out:{status}"),
    }
}

/// A word that this version does not know is an opt-out.
fn said_of(text: &str) -> Said {
    match text {
        "in" => Said::In,
        other => Said::Out(Status::from(other.strip_prefix("out:").unwrap_or(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for scope in [Scope::Account, Scope::List(-3), Scope::Preference(7)] {
            assert_eq!(scope_of(&scope_text(&scope)), scope);
        }
        for said in [Said::In, Said::Out(Status::HardBounced), Said::Out(Status::Other("Novel".into()))] {
            assert_eq!(said_of(&said_text(&said)), said);
        }
        assert_eq!(said_of("later word"), Said::Out(Status::Other("later word".into())));
    }

    #[test]
    fn keys_tell_parts_apart() {
        let one = key(["a", "bc", "", "", "", ""]);
        assert_ne!(one, key(["ab", "c", "", "", "", ""]));
        assert_eq!(one, key(["a", "bc", "", "", "", ""]));
    }
}
