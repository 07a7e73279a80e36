//! The rows of `single_send`: one mail to one person, or one person put into a program.

use std::fmt;

use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_core::marketing::Personal;
use postroom_store::sql::{Expr, ExprTrait, Query, SelectStatement};
use postroom_store::{Error, Insert, Row as Cells, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is done with the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Marketing,
    Transactional,
    Program,
}

/// Where it is. What follows *Intent* is never done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Requested,
    /// The call is about to be made.
    Intent,
    /// Put into a program, of which the service has yet to say whether it took the person.
    Made,
    Done,
    /// The person may not be mailed.
    Blocked,
    Failed,
    /// The answer was lost: a person looks.
    Unknown,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $text:literal),+ } else $other:ident) => {
        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            fn of(text: &str) -> $name {
                match text { $($text => $name::$variant,)+ _ => $name::$other }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(Kind { Marketing = "marketing", Transactional = "transactional", Program = "program" } else Marketing);
words!(State {
    Requested = "requested", Intent = "intent", Made = "made", Done = "done", Blocked = "blocked",
    Failed = "failed", Unknown = "unknown"
} else Unknown);

/// A request for one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Single {
    /// The request row's.
    pub id: Uuid,
    pub account: String,
    pub kind: Kind,
    /// The address in normal form; empty until it is known.
    pub person: String,
    pub state: State,
    pub version: i64,
    pub told: i64,
    pub wake: Option<Timestamp>,
    pub enrolment: Option<Uuid>,
    pub details: Details,
}

/// What only this module asks about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    pub record: Option<RecordRef>,
    /// The campaign, or the program.
    pub target: Option<i64>,
    pub values: Personal,
    /// A marketing mail of a campaign that is not triggered.
    pub standard: bool,
    pub service_send: Option<String>,
    /// An option of `BlockReason`.
    pub block: Option<String>,
    pub error: Option<String>,
    pub contact: Option<i64>,
    pub intent: Option<Timestamp>,
    pub decided: Option<String>,
}

const COLUMNS: [&str; 10] =
    ["id", "account", "kind", "person", "state", "version", "told", "wake", "enrolment", "details"];

impl Single {
    /// A request that nobody has looked at.
    pub fn new(id: Uuid, account: &str, kind: Kind, now: Timestamp) -> Single {
        Single {
            id,
            account: account.to_owned(),
            kind,
            person: String::new(),
            state: State::Requested,
            version: 1,
            told: 0,
            wake: Some(now),
            enrolment: None,
            details: Details::default(),
        }
    }

    /// Ends it, with what is shown for it.
    pub fn end(&mut self, state: State, error: Option<String>) {
        (self.state, self.wake, self.details.error) = (state, None, error);
    }
}

/// A select over requests, to be narrowed by the caller.
pub fn select() -> SelectStatement {
    Query::select().columns(COLUMNS).from("single_send").to_owned()
}

pub async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Single>, Error> {
    tx.query(select).await?.iter().map(read).collect()
}

/// The requests with these ids.
pub async fn these(tx: &mut Tx, ids: &[Uuid]) -> Result<Vec<Single>, Error> {
    let mut found = Vec::new();
    for some in ids.chunks(256) {
        let mut by_id = select();
        by_id.and_where(Expr::col("id").is_in(some.iter().copied()));
        found.extend(load(tx, &by_id).await?);
    }
    Ok(found)
}

fn read(row: &Cells) -> Result<Single, Error> {
    let (kind, state, details): (String, String, String) = (row.at(2)?, row.at(4)?, row.at(9)?);
    Ok(Single {
        id: row.at(0)?,
        account: row.at(1)?,
        kind: Kind::of(&kind),
        person: row.at(3)?,
        state: State::of(&state),
        version: row.at(5)?,
        told: row.at(6)?,
        wake: row.at(7)?,
        enrolment: row.at(8)?,
        details: serde_json::from_str(&details).map_err(|_| Error::Cell {
            column: "details".to_owned(),
            wanted: "description of a single send",
        })?,
    })
}

/// Writes requests that are new; those that are there stay.
pub async fn add(tx: &mut Tx, singles: &[Single]) -> Result<u64, Error> {
    let mut rows = Insert::into("single_send", &COLUMNS).or_skip();
    for single in singles {
        rows.row([
            single.id.into(),
            single.account.as_str().into(),
            single.kind.as_str().into(),
            single.person.as_str().into(),
            single.state.as_str().into(),
            single.version.into(),
            single.told.into(),
            single.wake.map(Timestamp::as_microsecond).into(),
            single.enrolment.into(),
            json(&single.details).into(),
        ]);
    }
    tx.insert(&rows).await
}

/// Writes requests that changed. Fails with [`Error::Conflict`], and so undoes the unit, when somebody else wrote one of them
/// since it was read.
pub async fn save(tx: &mut Tx, singles: &mut [Single]) -> Result<(), Error> {
    for single in singles {
        let mut update = Query::update();
        update
            .table("single_send")
            .value("person", single.person.as_str())
            .value("state", single.state.as_str())
            .value("version", single.version + 1)
            .value("wake", single.wake.map(Timestamp::as_microsecond))
            .value("enrolment", single.enrolment)
            .value("details", json(&single.details))
            .and_where(Expr::col("id").eq(single.id))
            .and_where(Expr::col("version").eq(single.version));
        if tx.execute(&update).await? == 0 {
            return Err(Error::Conflict(format!("somebody else went on with single send {}", single.id)));
        }
        single.version += 1;
    }
    Ok(())
}

/// Notes that the CRM knows these as they were.
pub async fn told(tx: &mut Tx, singles: &[(Uuid, i64)]) -> Result<(), Error> {
    for (id, version) in singles {
        let mut update = Query::update();
        update
            .table("single_send")
            .value("told", *version)
            .and_where(Expr::col("id").eq(*id))
            .and_where(Expr::col("version").eq(*version));
        tx.execute(&update).await?;
    }
    Ok(())
}

fn json(details: &Details) -> String {
    serde_json::to_string(details).expect("details are texts and numbers")
}
