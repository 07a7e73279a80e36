//! Reads the mails of a lot from the store, without their bodies.

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::mail::Authentication;
use postroom_core::{BodyHash, Direction, MailId, MailState, Method, RecordRef, address};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Row, Store, Tx};
use uuid::Uuid;

use crate::filing::reading::Stored;

/// The columns of `message` that [`stored_of`] reads, in its order.
const COLUMNS: [&str; 18] = [
    "id",
    "key",
    "header_id",
    "subject",
    "direction",
    "state",
    "method",
    "record_table",
    "record_id",
    "activity_id",
    "body",
    "size",
    "received_at",
    "sent_at",
    "conversation",
    "authentication",
    "parties",
    "purged_at",
];

/// The mails with these ids, in the order given; unknown ids are left out.
pub async fn load(store: &Store, ids: Vec<MailId>) -> Result<Vec<Stored>, Error> {
    store.read(move |tx| async move { load_in(tx, &ids).await }.boxed()).await
}

async fn load_in(tx: &mut Tx, ids: &[MailId]) -> Result<Vec<Stored>, Error> {
    let wanted = || ids.iter().map(|id| id.0);
    let select = Query::select()
        .columns(COLUMNS)
        .from("message")
        .and_where(Expr::col("id").is_in(wanted()))
        // What was erased is never decided again.
        .and_where(Expr::col("erased_at").is_null())
        .to_owned();
    let mut found: HashMap<Uuid, Stored> = HashMap::new();
    for row in tx.query(&select).await? {
        let stored = stored_of(&row)?;
        found.insert(stored.id.0, stored);
    }
    let references = Query::select()
        .columns(["message", "ref"])
        .from("message_ref")
        .and_where(Expr::col("message").is_in(wanted()))
        .order_by("place", Order::Asc)
        .to_owned();
    for row in tx.query(&references).await? {
        if let Some(stored) = found.get_mut(&row.at(0)?) {
            stored.references.push(row.at(1)?);
        }
    }
    let sightings = Query::select()
        .columns(["message", "mailbox", "envelope_from", "recipients", "folder"])
        .from("sighting")
        .and_where(Expr::col("message").is_in(wanted()))
        .order_by("id", Order::Asc)
        .to_owned();
    for row in tx.query(&sightings).await? {
        if let Some(stored) = found.get_mut(&row.at(0)?) {
            add_sighting(stored, &row)?;
        }
    }
    Ok(ids.iter().filter_map(|id| found.remove(&id.0)).collect())
}

fn add_sighting(stored: &mut Stored, row: &Row) -> Result<(), Error> {
    let mailbox: Option<String> = row.at(1)?;
    let folder: Option<String> = row.at(4)?;
    stored.folders.extend(mailbox.clone().zip(folder));
    let from: Option<String> = row.at(2)?;
    stored.mailboxes.extend(mailbox.filter(|name| !name.is_empty()));
    stored.envelope_from = stored.envelope_from.take().or(from);
    let recipients: String = row.at(3)?;
    for recipient in recipients.lines().filter(|recipient| !recipient.is_empty()) {
        let normal = address::normal(recipient);
        if !stored.envelope_to.iter().any(|known| address::normal(known) == normal) {
            stored.envelope_to.push(recipient.to_owned());
        }
    }
    Ok(())
}

fn stored_of(row: &Row) -> Result<Stored, Error> {
    let direction: String = row.at(4)?;
    let state: String = row.at(5)?;
    let method: String = row.at(6)?;
    let table: Option<String> = row.at(7)?;
    let record: Option<Uuid> = row.at(8)?;
    let authentication: Option<String> = row.at(15)?;
    let parties: Option<String> = row.at(16)?;
    Ok(Stored {
        id: MailId(row.at(0)?),
        key: row.at(1)?,
        header_id: row.at(2)?,
        subject: row.at(3)?,
        direction: direction.parse().unwrap_or(Direction::Incoming),
        state: state.parse().unwrap_or(MailState::Received),
        method: method.parse().unwrap_or(Method::None),
        record: table.zip(record).map(|(table, id)| RecordRef::new(table, id)),
        activity: row.at(9)?,
        body: row.at::<BodyHash>(10)?,
        size: row.at(11)?,
        received_at: row.at::<Timestamp>(12)?,
        sent_at: row.at(13)?,
        conversation: row.at(14)?,
        authentication: authentication.and_then(|word| word.parse().ok()).unwrap_or(Authentication::Unknown),
        mailboxes: Vec::new(),
        folders: Vec::new(),
        references: Vec::new(),
        envelope_from: None,
        envelope_to: Vec::new(),
        parties: parties.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        purged: row.at::<Option<Timestamp>>(17)?.is_some(),
    })
}
