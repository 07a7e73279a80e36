//! The rows of outgoing mails: read, and written many at a time where they are still as they were read.

use jiff::Timestamp;
use postroom_core::{BodyHash, MailId, MailState, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, OnConflict, Order, Query, SelectStatement, Value};
use postroom_store::{Error, Insert, Row, Tx};
use uuid::Uuid;

use super::entry::{Entry, Hold, Recipient, Role, Standing};

const COLUMNS: [&str; 24] = [
    "id",
    "activity_id",
    "state",
    "reason",
    "code",
    "hold",
    "confirmed",
    "body",
    "reverse_path",
    "header_id",
    "subject",
    "record_table",
    "record_id",
    "attempts",
    "tries",
    "next_try",
    "first_at",
    "sending_at",
    "finished_at",
    "told",
    "told_tries",
    "copied",
    "noted",
    "receipt",
];

/// A select over outgoing mails, to be narrowed by the caller.
pub(super) fn select() -> SelectStatement {
    Query::select().columns(COLUMNS).from("outgoing").to_owned()
}

/// The mails of a select, with their recipients.
pub(super) async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Entry>, Error> {
    let rows = tx.query(select).await?;
    let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
    for some in entries.chunks_mut(200) {
        let ids = padded(some.iter().map(|entry| entry.id.0).collect());
        let select = Query::select()
            .columns(["outgoing", "address", "role", "state", "code", "status", "text", "at", "hard"])
            .from("outgoing_recipient")
            .and_where(Expr::col("outgoing").is_in(ids))
            .order_by("outgoing", Order::Asc)
            .order_by("place", Order::Asc)
            .to_owned();
        for row in tx.query(&select).await? {
            let id: Uuid = row.at(0)?;
            let entry = some.iter_mut().find(|entry| entry.id.0 == id);
            entry.expect("only theirs were asked for").recipients.push(recipient(&row)?);
        }
    }
    Ok(entries)
}

pub(super) async fn one(tx: &mut Tx, id: MailId) -> Result<Option<Entry>, Error> {
    let mut by_id = select();
    by_id.and_where(Expr::col("id").eq(id.0));
    Ok(load(tx, &by_id).await?.into_iter().next())
}

/// Those of these mails that are there.
pub(super) async fn many(tx: &mut Tx, ids: Vec<MailId>) -> Result<Vec<Entry>, Error> {
    let mut by_id = select();
    by_id.and_where(Expr::col("id").is_in(padded(ids.into_iter().map(|id| id.0).collect())));
    load(tx, &by_id).await
}

fn entry(row: &Row) -> Result<Entry, Error> {
    let state: String = row.at(2)?;
    let hold: Option<String> = row.at(5)?;
    let body: Option<Vec<u8>> = row.at(7)?;
    let table: Option<String> = row.at(11)?;
    let record: Option<Uuid> = row.at(12)?;
    let told: Option<i64> = row.at(19)?;
    let told_tries: Option<i64> = row.at(20)?;
    Ok(Entry {
        id: MailId(row.at(0)?),
        activity: row.at(1)?,
        state: state.parse().unwrap_or(MailState::Held),
        reason: row.at(3)?,
        code: row.at::<Option<i64>>(4)?.and_then(|code| u16::try_from(code).ok()),
        hold: hold.and_then(|hold| Hold::of(&hold)),
        confirmed: row.at(6)?,
        body: body.and_then(|hash| hash.try_into().ok()).map(BodyHash),
        reverse_path: row.at::<Option<String>>(8)?.unwrap_or_default(),
        message_id: row.at(9)?,
        subject: row.at(10)?,
        record: table.zip(record).map(|(table, id)| RecordRef::new(table, id)),
        attempts: row.at(13)?,
        tries: row.at(14)?,
        next_try: row.at(15)?,
        first_at: row.at(16)?,
        sending_at: row.at(17)?,
        finished_at: row.at(18)?,
        told: told.map(|status| (status, told_tries.unwrap_or_default())),
        copied: row.at::<i64>(21)? != 0,
        noted: row.at(22)?,
        receipt: row.at(23)?,
        recipients: Vec::new(),
    })
}

fn recipient(row: &Row) -> Result<Recipient, Error> {
    let (role, state): (String, String) = (row.at(2)?, row.at(3)?);
    Ok(Recipient {
        address: row.at(1)?,
        role: Role::of(&role).unwrap_or(Role::To),
        state: Standing::of(&state).unwrap_or(Standing::Waiting),
        code: row.at::<Option<i64>>(4)?.and_then(|code| u16::try_from(code).ok()),
        status: row.at(5)?,
        text: row.at(6)?,
        at: row.at(7)?,
        hard: row.at(8)?,
    })
}

/// The rows of new wishes; those whose activity is claimed already are skipped.
pub(super) fn insert(entries: &[Entry]) -> Insert {
    let columns = [
        "id",
        "activity_id",
        "claim",
        "state",
        "reason",
        "subject",
        "confirmed",
        "attempts",
        "tries",
        "first_at",
        "copied",
    ];
    let mut insert = Insert::into("outgoing", &columns).or_skip();
    for entry in entries {
        insert.row([
            entry.id.0.into(),
            entry.activity.into(),
            entry.activity.into(),
            entry.state.as_str().into(),
            entry.reason.clone().into(),
            entry.subject.clone().into(),
            false.into(),
            0_i64.into(),
            0_i64.into(),
            entry.first_at.as_microsecond().into(),
            0_i64.into(),
        ]);
    }
    insert
}

/// One mail as it was read, as it is to be, and the states in which it may be found.
pub(super) struct Put<'e> {
    pub before: &'e Entry,
    pub after: &'e Entry,
    pub from: &'e [MailState],
}

/// Writes one mail; see [`put_all`].
pub(super) async fn put(tx: &mut Tx, before: &Entry, after: &Entry, from: &[MailState]) -> Result<(), Error> {
    put_all(tx, &[Put { before, after, from }]).await
}

/// Writes each `after` over its `before`: mails that change alike share a statement. Fails with [`Error::Conflict`], and so
/// undoes the whole unit, when a row is no longer in one of its states `from` or has had another attempt: somebody else
/// has it.
pub(super) async fn put_all(tx: &mut Tx, puts: &[Put<'_>]) -> Result<(), Error> {
    put_entries(tx, puts).await?;
    put_recipients(tx, puts).await?;
    put_messages(tx, puts).await
}

/// What the rows of a group get, and what they must be like.
#[derive(PartialEq)]
struct Alike<'e> {
    values: Vec<(&'static str, Value)>,
    attempts: u32,
    from: &'e [MailState],
}

async fn put_entries(tx: &mut Tx, puts: &[Put<'_>]) -> Result<(), Error> {
    let alike = |put: &Put<'_>| {
        let changed = values(put.before).into_iter().zip(values(put.after));
        // `attempts` stands in every one: a change of nothing is guarded too.
        let changed = changed.filter(|(old, new)| old != new || new.0 == "attempts").map(|(_, new)| new);
        (changed.collect::<Vec<_>>(), put.before.attempts)
    };
    let mut groups: Vec<(Alike<'_>, Vec<Uuid>)> = Vec::new();
    for put in puts {
        let (values, attempts) = alike(put);
        let alike = Alike { values, attempts, from: put.from };
        match groups.iter_mut().find(|(known, _)| *known == alike) {
            Some((_, ids)) => ids.push(put.before.id.0),
            None => groups.push((alike, vec![put.before.id.0])),
        }
    }
    for (alike, ids) in groups {
        let count = ids.len() as u64;
        let values = alike.values.into_iter().map(|(name, value)| (name, Expr::value(value)));
        let update = Query::update()
            .table("outgoing")
            .values(values)
            .and_where(Expr::col("id").is_in(padded(ids)))
            .and_where(Expr::col("attempts").eq(i64::from(alike.attempts)))
            .and_where(Expr::col("state").is_in(alike.from.iter().map(|state| state.as_str())))
            .to_owned();
        let done = tx.execute(&update).await?;
        if done != count {
            let lost = count.saturating_sub(done);
            return Err(Error::Conflict(format!("{lost} of {count} mails are not as they were any more")));
        }
    }
    Ok(())
}

fn values(entry: &Entry) -> Vec<(&'static str, Value)> {
    let micros = |at: Option<Timestamp>| at.map(Timestamp::as_microsecond);
    // A failed or withdrawn mail gives its activity free, to be sent again.
    let over = matches!(entry.state, MailState::Failed | MailState::Suppressed);
    let record = entry.record.as_ref();
    vec![
        ("claim", (!over).then_some(entry.activity).into()),
        ("state", entry.state.as_str().into()),
        ("reason", entry.reason.clone().into()),
        ("code", entry.code.map(i64::from).into()),
        ("hold", entry.hold.map(|hold| hold.as_str().to_owned()).into()),
        ("confirmed", entry.confirmed.into()),
        ("body", entry.body.map(|hash| hash.0.to_vec()).into()),
        ("reverse_path", entry.reverse_path.clone().into()),
        ("header_id", entry.message_id.clone().into()),
        ("subject", entry.subject.clone().into()),
        ("record_table", record.map(|record| record.table.clone()).into()),
        ("record_id", record.map(|record| record.id).into()),
        ("attempts", i64::from(entry.attempts).into()),
        ("tries", i64::from(entry.tries).into()),
        ("next_try", micros(entry.next_try).into()),
        ("sending_at", micros(entry.sending_at).into()),
        ("finished_at", micros(entry.finished_at).into()),
        ("told", entry.told.map(|(status, _)| status).into()),
        ("told_tries", entry.told.map(|(_, tries)| tries).into()),
        ("copied", i64::from(entry.copied).into()),
        ("noted", i64::from(entry.noted).into()),
        ("receipt", entry.receipt.into()),
    ]
}

async fn put_recipients(tx: &mut Tx, puts: &[Put<'_>]) -> Result<(), Error> {
    let mut rows = Vec::new();
    for put in puts {
        for (place, recipient) in put.after.recipients.iter().enumerate() {
            if put.before.recipients.get(place) == Some(recipient) {
                continue;
            }
            rows.push(vec![
                put.after.id.0.into(),
                (place as i64).into(),
                recipient.address.clone().into(),
                recipient.role.as_str().into(),
                recipient.state.as_str().into(),
                recipient.code.map(i64::from).into(),
                recipient.status.clone().into(),
                recipient.text.clone().into(),
                recipient.at.as_microsecond().into(),
                recipient.hard.into(),
            ]);
        }
    }
    let columns = ["outgoing", "place", "address", "role", "state", "code", "status", "text", "at", "hard"];
    upsert(tx, "outgoing_recipient", &columns, 2, rows).await
}

/// The message rows of rendered mails show the same state.
async fn put_messages(tx: &mut Tx, puts: &[Put<'_>]) -> Result<(), Error> {
    let mut groups: Vec<(&Entry, Vec<Uuid>)> = Vec::new();
    let moved = |put: &&Put<'_>| {
        let before = (put.before.state, &put.before.reason);
        put.before.body.is_some() && before != (put.after.state, &put.after.reason)
    };
    for Put { after, .. } in puts.iter().filter(moved) {
        let same = |known: &Entry| (known.state, &known.reason) == (after.state, &after.reason);
        match groups.iter_mut().find(|(known, _)| same(known)) {
            Some((_, ids)) => ids.push(after.id.0),
            None => groups.push((after, vec![after.id.0])),
        }
    }
    for (after, ids) in groups {
        let update = Query::update()
            .table("message")
            .value("state", after.state.as_str())
            .value("reason", after.reason.clone())
            .and_where(Expr::col("id").is_in(padded(ids)))
            .to_owned();
        tx.execute(&update).await?;
    }
    Ok(())
}

/// Rows of one statement at most.
const ROWS: usize = 64;

/// Writes rows over those with the same first `keys` columns. Statements of 64, 32, … 1 rows: few texts to prepare.
pub(super) async fn upsert(
    tx: &mut Tx,
    table: &'static str,
    columns: &[&'static str],
    keys: usize,
    rows: Vec<Vec<Value>>,
) -> Result<(), Error> {
    let (unique, rest) = columns.split_at(keys);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let count = 1 << rows.len().min(ROWS).ilog2();
        let mut statement = Query::insert();
        statement.into_table(table).columns(columns.iter().copied()).on_conflict(
            OnConflict::columns(unique.iter().copied()).update_columns(rest.iter().copied()).to_owned(),
        );
        for row in rows.by_ref().take(count) {
            statement.values_panic(row.into_iter().map(Expr::value));
        }
        tx.execute(&statement).await?;
    }
    Ok(())
}

/// The ids as a list for `IN`, filled up to a power of two with its last: few lengths make few prepared statements.
pub(super) fn padded(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    if let Some(last) = ids.last().copied() {
        ids.resize(ids.len().next_power_of_two(), last);
    }
    ids
}
