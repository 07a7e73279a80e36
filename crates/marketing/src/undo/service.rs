//! Fields that went back in the CRM go back at the service: else a field that only comes from there would come again, and one
//! that goes both ways would differ until the next run.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use postroom_core::RecordRef;
use postroom_core::marketing::{ContactRow, FieldValue, Names};

use super::written::Columns;
use crate::fields::base;
use crate::fields::merge::Direction;
use crate::imports::{self, Purpose, Row};
use crate::mapping::book::{self, Book};
use crate::people::links::{self, Link};
use crate::sync::{Halt, Turn};

/// Writes the fields of these columns to the service, for whoever is known there. What both sides agree on is noted with the
/// answer.
///
/// # Errors
/// Those of [`imports::write`].
pub(super) async fn tell(
    turn: &mut Turn,
    book: &Book,
    records: Vec<(RecordRef, Columns)>,
) -> Result<(), Halt> {
    if records.is_empty() {
        return Ok(());
    }
    let (account, asked) =
        (turn.account.name.clone(), records.iter().map(|(at, _)| at.clone()).collect::<Vec<_>>());
    let links =
        turn.read(move |tx| async move { links::of_records(tx, &account, &asked).await }.boxed()).await?;
    let mut names = book::Names::default();
    let wanted = records.iter().flat_map(|(at, columns)| book.wanted(&at.table, columns, &names)).collect();
    book::names(turn.engine.crm.as_ref(), wanted, &mut names).await?;
    let mut rows = Vec::new();
    for (at, columns) in records {
        // Who has no number there, or for whom another record speaks, has no fields there.
        let Some(link) = links.get(&at).filter(|link| link.contact.is_some() && link.base.is_some()) else {
            continue;
        };
        rows.extend(row(book, &at, &columns, link, &names));
    }
    imports::write(turn, &purpose(), rows).await.map(drop)
}

/// The name of the imports that take something back.
pub(super) fn purpose() -> Purpose {
    Purpose("undo".to_owned())
}

/// A person with the fields that one column alone fills.
fn row(book: &Book, at: &RecordRef, columns: &Columns, link: &Link, names: &book::Names) -> Option<Row> {
    let mut agreed = link.base.as_deref().map(base::read).unwrap_or_default();
    let mut fields: BTreeMap<String, FieldValue> = BTreeMap::new();
    for mapping in book.of_table(&at.table) {
        let ours = mapping.path.own_column().filter(|column| columns.contains_key(*column));
        if ours.is_none() || mapping.rule.direction == Direction::FromCrm {
            continue;
        }
        let Ok(field) = book.field(mapping, columns, names) else { continue };
        fields.insert(mapping.label.clone(), FieldValue::from(&field));
        agreed.insert(mapping.label.clone(), field);
    }
    if fields.is_empty() || link.address.is_empty() {
        return None;
    }
    let person = Names { email: Some(link.address.clone()), ..Names::default() };
    Some(Row {
        record: at.clone(),
        address: link.address.clone(),
        contact: ContactRow { names: person, fields, ..ContactRow::default() },
        digest: None,
        base: Some(base::write(&agreed)),
    })
}
