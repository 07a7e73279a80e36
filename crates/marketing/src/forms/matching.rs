//! Who answered: records of the CRM with the address, or a new one as the form says.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use postroom_core::marketing::{FieldType, FieldValue};
use postroom_core::metadata::{ColumnKind, Metadata};
use postroom_core::query::Link;
use postroom_core::{AddressHit, Filter, Query as CrmQuery, Record, RecordRef, Value};

use super::definitions::{FORM, QUESTION};
use super::questions::Said;
use crate::events::whom::{Candidate, Whom, choose};
use crate::fields::convert::{of_service, to_crm};
use crate::keys;
use crate::people::TABLES;
use crate::sends::cut;
use crate::solution::options::Set;
use crate::sync::{Halt, Turn};

/// What users set for a form in the CRM.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The table of the record that somebody unknown becomes.
    pub create: Option<&'static str>,
    /// Columns that answers go to, by question: table and column.
    pub columns: BTreeMap<i64, (String, String)>,
    pub metadata: Option<Metadata>,
}

impl Wishes {
    /// Reads them: two questions to the CRM.
    ///
    /// # Errors
    /// The CRM's.
    pub async fn read(turn: &Turn, form: i64) -> Result<Self, Halt> {
        let id = turn.connected.key.form(form).id(FORM);
        let by_id =
            CrmQuery::of(FORM).select(&["esc_createrecordas"]).filter(Filter::eq(format!("{FORM}id"), id));
        let rows = turn.engine.crm.query(&by_id).await?;
        let value = rows.first().and_then(|row| row.int("esc_createrecordas"));
        let label = value.and_then(|value| Set::RecordType.option(i32::try_from(value).ok()?));
        let create =
            label.and_then(|label| TABLES.into_iter().find(|table| table.eq_ignore_ascii_case(label)));
        let Some(table) = create else { return Ok(Wishes::default()) };
        let field = Link::new("esc_crmfield", "esc_crmfieldid", "esc_crmfieldid", "field")
            .select(&["esc_entityname", "esc_logicalname"]);
        let mapped = CrmQuery::of(QUESTION)
            .select(&["esc_servicefieldid"])
            .filter(Filter::eq("esc_formid", id))
            .link(field);
        let mut columns = BTreeMap::new();
        for row in turn.engine.crm.query(&mapped).await? {
            let names = row.text("field.esc_entityname").zip(row.text("field.esc_logicalname"));
            if let Some((id, (table, column))) = row.int("esc_servicefieldid").zip(names) {
                columns.insert(id, (table.to_owned(), column.to_owned()));
            }
        }
        let metadata = turn.engine.crm.metadata(&[table]).await?;
        Ok(Wishes { create, columns, metadata: Some(metadata) })
    }
}

/// The records with these addresses, asked for in the CRM itself, as one may have been made a moment ago.
///
/// # Errors
/// The CRM's.
pub async fn holders(turn: &Turn, addresses: Vec<String>) -> Result<HashMap<String, Vec<AddressHit>>, Halt> {
    let mut found: HashMap<String, Vec<AddressHit>> = HashMap::new();
    if addresses.is_empty() {
        return Ok(found);
    }
    for hit in turn.engine.crm.find_addresses(&addresses).await? {
        if TABLES.contains(&hit.record.table.as_str()) {
            found.entry(hit.address.clone()).or_default().push(hit);
        }
    }
    Ok(found)
}

/// Who it is among those with the address. Inactive records count only when nobody is active.
pub fn whom(hits: &[AddressHit], prefer: Option<&str>) -> Whom {
    let active = hits.iter().any(|hit| hit.active);
    let modified = |hit: &AddressHit| hit.modified_on.map_or(0, Timestamp::as_microsecond);
    let mut seen = BTreeMap::new();
    for hit in hits.iter().filter(|hit| hit.active || !active) {
        seen.entry(hit.record.clone()).or_insert_with(|| Candidate {
            from: 1,
            inactive: !hit.active,
            modified: std::cmp::Reverse(modified(hit)),
            record: hit.record.clone(),
        });
    }
    choose(seen.into_values().collect(), prefer)
}

/// A label of the option set *Match Result*.
pub fn result(whom: &Whom) -> &'static str {
    match whom.records.len() {
        0 => "Unmatched",
        _ if whom.ambiguous => "Ambiguous",
        1 => "Matched one",
        _ => "Matched many",
    }
}

/// The record that somebody unknown becomes, under the id that every flow makes of the address, so that a second response or a
/// repeat meets it; and what of the answers did not fit, each with its reason.
pub fn made(
    wishes: &Wishes,
    key: &keys::Account,
    address: &str,
    form: &str,
    answers: &[Said],
) -> Option<(Record, Vec<String>)> {
    let table = wishes.create?;
    let mut row =
        Record::new(RecordRef::new(table, key.person(address).id(table))).with("emailaddress1", address);
    let mut unfit = Vec::new();
    for answer in answers {
        let Some((_, column)) = wishes.columns.get(&answer.question).filter(|(of, _)| of == table) else {
            continue;
        };
        if column == "emailaddress1" || row.get(column).is_some() {
            continue;
        }
        match value(wishes, table, column, &answer.text) {
            Ok(Value::Null) => {}
            Ok(value) => row = row.with(column.as_str(), value),
            Err(reason) => unfit.push(format!("question {} for {table}.{column}: {reason}", answer.question)),
        }
    }
    // What the table asks for, when no answer gave it.
    let local = address.split('@').next().unwrap_or(address);
    let needed: &[(&str, &str)] = match table {
        "account" => &[("name", address)],
        "lead" => &[("lastname", local), ("subject", form)],
        _ => &[("lastname", local)],
    };
    for (column, text) in needed {
        if row.get(column).is_none() {
            row = row.with(*column, cut(text, 50));
        }
    }
    Some((row, unfit))
}

fn value(wishes: &Wishes, table: &str, column: &str, text: &str) -> Result<Value, String> {
    let described = wishes.metadata.as_ref().and_then(|metadata| metadata.table(table)?.column(column));
    let kind = &described.ok_or("the table has no such column; choose another one for the question")?.kind;
    let label = match kind {
        ColumnKind::Boolean { .. } => FieldType::Bool,
        ColumnKind::DateTime { .. } => FieldType::Date,
        ColumnKind::Integer { .. }
        | ColumnKind::BigInt
        | ColumnKind::Decimal { .. }
        | ColumnKind::Money { .. }
        | ColumnKind::Double { .. } => FieldType::Number,
        _ => FieldType::Text,
    };
    let field = of_service(Some(&FieldValue::Text(text.to_owned())), &label, kind);
    field.and_then(|field| to_crm(&field, kind)).map_err(|unfit| unfit.to_string())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn hit(table: &str, id: u128, active: bool) -> AddressHit {
        AddressHit {
            address: "a@x.example".into(),
            record: RecordRef::new(table, Uuid::from_u128(id)),
            column: "emailaddress1".into(),
            active,
            owner: None,
            modified_on: None,
        }
    }

    #[track_caller]
    fn check(hits: &[AddressHit], expected: &str, leader: Option<u128>) {
        let whom = whom(hits, None);
        assert_eq!((result(&whom), whom.leader().map(|at| at.id)), (expected, leader.map(Uuid::from_u128)));
    }

    #[test]
    fn results() {
        check(&[], "Unmatched", None);
        check(&[hit("contact", 1, true)], "Matched one", Some(1));
        // In two columns of one record.
        check(&[hit("contact", 1, true), hit("contact", 1, true)], "Matched one", Some(1));
        check(&[hit("contact", 1, true), hit("lead", 2, true)], "Matched many", Some(1));
        check(&[hit("contact", 2, true), hit("contact", 1, true)], "Ambiguous", Some(1));
        check(&[hit("contact", 1, false), hit("contact", 2, true)], "Matched one", Some(2));
        check(&[hit("lead", 1, false)], "Matched one", Some(1));
    }

    #[test]
    fn somebody_new_has_one_id() {
        let wishes = Wishes { create: Some("lead"), ..Wishes::default() };
        let key = keys::Account::new("r1", 42);
        let (one, _) = made(&wishes, &key, "o'brien+x@example.com", "Sign up", &[]).unwrap();
        let (two, _) = made(&wishes, &key, "O'Brien+X@example.com", "Another form", &[]).unwrap();
        assert_eq!(one.at, two.at);
        assert_eq!((one.text("lastname"), one.text("subject")), (Some("o'brien+x"), Some("Sign up")));
        assert!(made(&Wishes::default(), &key, "a@x.example", "", &[]).is_none());
    }
}
