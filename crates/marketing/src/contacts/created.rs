//! People of the service whom the CRM does not know: left alone, or made into records where the account says so
//! (`esc_createunknownas`), or their list. The record's id follows from the address, so a repeat meets its own row, whichever
//! flow makes it.

use std::collections::BTreeMap;

use postroom_core::marketing::{Contact, FieldValue};
use postroom_core::{Change, ChangeSet, Filter, Query, Record, RecordRef, Value, Verdict};

use super::incoming::first_columns;
use super::merging;
use crate::keys;
use crate::mapping::book::{self, Book};
use crate::people::TABLES;
use crate::solution::options::Set;
use crate::sync::run::Reject;
use crate::sync::turn::{rejected, written};
use crate::sync::{Act, Halt, Turn};
use crate::undo::written::{self, Kind, Write};

pub(super) async fn make(turn: &mut Turn, book: &Book, unknown: Vec<Contact>) -> Result<(), Halt> {
    let unknown: Vec<Contact> = unknown
        .into_iter()
        .filter(|contact| contact.names.email.as_deref().is_some_and(|email| !email.trim().is_empty()))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let Some(table) = table(turn).await? else {
        turn.counts.skip("not in the CRM", unknown.len() as u64);
        return Ok(());
    };
    let mailable =
        |contact: &Contact| contact.email.as_ref().is_some_and(|channel| channel.status.mailable());
    let (made, others): (Vec<_>, Vec<_>) = unknown.into_iter().partition(mailable);
    turn.counts.skip("not in the CRM, and gets no mail", others.len() as u64);
    let of = |contact: &Contact| {
        let address = contact.names.email.as_deref().unwrap_or_default();
        record(&turn.connected.key, book, table, address, Some(contact))
    };
    let records: Vec<Record> = made.iter().map(of).collect();
    let taken = write(turn, records).await?.len() as u64;
    turn.counts.to_crm.sent += taken;
    turn.counts.to_crm.new += taken;
    Ok(())
}

/// Makes records; answers those that the CRM has now. What it refuses is counted and shown, and stops no other. A dry run makes
/// none and answers all.
pub(crate) async fn write(turn: &mut Turn, records: Vec<Record>) -> Result<Vec<RecordRef>, Halt> {
    if turn.dry {
        turn.foresee_records(Act::Create, records.iter().map(|record| (record, None)));
        return Ok(records.into_iter().map(|record| record.at).collect());
    }
    let made = records.iter().map(|record| Write::of(Kind::Made, record.at.clone())).collect();
    written::intend(turn, made).await?;
    let sets = records.iter().map(|record| ChangeSet { changes: vec![Change::Create(record.clone())] });
    let answers = turn.engine.crm.apply(sets.collect()).await;
    let (mut taken, mut rejects, mut stop) = (Vec::new(), Vec::<Reject>::new(), None);
    for (record, answer) in records.into_iter().zip(answers) {
        match answer {
            Ok(_) => taken.push(record.at),
            Err(fault) if fault.verdict == Verdict::Reject => {
                rejects.push(rejected(record.at.to_string(), &fault, written(&record)));
            }
            Err(fault) => stop = Some(fault),
        }
    }
    turn.counts.to_crm.sent += rejects.len() as u64;
    turn.counts.to_crm.rejected += rejects.len() as u64;
    turn.reject(rejects).await?;
    stop.map_or(Ok(taken), |fault| Err(fault.into()))
}

/// The kind of record that the account wants; `None` for none.
async fn table(turn: &Turn) -> Result<Option<&'static str>, Halt> {
    let at = turn.connected.row();
    let query =
        Query::of(&at.table).select(&["esc_createunknownas"]).filter(Filter::eq("esc_emailaccountid", at.id));
    let row = turn.engine.crm.query(&query).await?.pop();
    let word = row.as_ref().and_then(|row| book::option(row, "esc_createunknownas", Set::RecordType));
    Ok(word.and_then(|word| TABLES.into_iter().find(|table| table.eq_ignore_ascii_case(word))))
}

/// A person of the service as a record: the address and what is mapped. What the table must have besides is the service's own
/// name of the person, or the address's.
pub(crate) fn record(
    key: &keys::Account,
    book: &Book,
    table: &str,
    address: &str,
    contact: Option<&Contact>,
) -> Record {
    let mut columns = contact.map(|contact| first_columns(book, table, contact)).unwrap_or_default();
    for (column, text) in needed(table, address, contact) {
        columns.entry(column.to_owned()).or_insert_with(|| Value::from(text));
    }
    let channel = contact.and_then(|contact| contact.email.as_ref());
    let raised = channel.and_then(|channel| merging::raised(&columns, &channel.opt_in));
    columns.extend(raised.map(|value| ("esc_optintype".to_owned(), Value::from(value))));
    let record = Record::new(RecordRef::new(table, key.person(address).id(table)));
    let record = record.with("emailaddress1", address);
    columns.into_iter().fold(record, |record, (column, value)| record.with(column, value))
}

fn needed(table: &str, address: &str, contact: Option<&Contact>) -> Vec<(&'static str, String)> {
    let none = BTreeMap::new();
    let fields = contact.map_or(&none, |contact| &contact.fields);
    let field = |name: &str| {
        let found = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        match found {
            Some(FieldValue::Text(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        }
    };
    let last = field("LASTNAME").unwrap_or_else(|| address.split('@').next().unwrap_or(address).to_owned());
    match table {
        "account" => vec![("name", field("FULLNAME").unwrap_or(last))],
        "lead" => vec![("lastname", last), ("subject", "E-mail marketing".to_owned())],
        _ => vec![("lastname", last)],
    }
}
