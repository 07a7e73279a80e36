//! Mappings as people outside the CRM look at them and change them: rows of `esc_emaildatamapping`, checked before they are
//! written. Users of the CRM change the same rows there; those are checked by the next run of `labels`.

use postroom_core::marketing::FieldType;
use postroom_core::metadata::Metadata;
use postroom_core::{Change, ChangeSet, Code, Fault, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::book::{self, Mapping};
use super::labels::{LABELS, MAPPINGS};
use super::path::Path;
use super::valid;
use crate::accounts::Connected;
use crate::engine::Engine;
use crate::fields::convert::ChoiceFormat;
use crate::fields::merge::{Direction, EmptyRule, Rule};
use crate::keys::Key;
use crate::people::TABLES;
use crate::solution::options::Set;

/// A mapping as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub id: Uuid,
    /// contact, lead or account; `None` when the row names none.
    pub table: Option<&'static str>,
    /// Empty when the account has no such label.
    pub label: String,
    pub kind: Option<FieldType>,
    pub path: String,
    pub rule: Rule,
    pub choices: ChoiceFormat,
    /// Why it cannot be used.
    pub problem: Option<String>,
    /// What may get lost on the way.
    pub lossy: Option<&'static str>,
}

/// A mapping as somebody wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// contact, lead or account.
    pub table: String,
    pub label: String,
    pub path: String,
    pub direction: Direction,
    pub empty: EmptyRule,
    pub choices: ChoiceFormat,
}

/// What setting a mapping did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub id: Uuid,
    /// It was not there before.
    pub made: bool,
    pub changed: bool,
    pub lossy: Option<&'static str>,
}

impl Engine {
    /// All mappings of an account, those that cannot be used too, by table and label.
    ///
    /// # Errors
    /// The CRM's; and a refusal when no account has this name.
    pub async fn mappings(&self, account: &str) -> Result<Vec<Listed>, Fault> {
        let connected = self.identity(self.named(account)?).await?;
        let metadata = book::described(self.crm.as_ref()).await?;
        let rows = book::read(self.crm.as_ref(), connected.row().id, &metadata).await?;
        let mut all: Vec<Listed> = rows.iter().map(listed).collect();
        all.sort_by(|one, other| (one.table, &one.label, one.id).cmp(&(other.table, &other.label, other.id)));
        Ok(all)
    }

    /// Makes or changes the mapping of a label for one kind of record. With `dry` it is only checked.
    ///
    /// # Errors
    /// The CRM's; and a refusal that says why the mapping could not be used.
    pub async fn set_mapping(&self, account: &str, wanted: &Wanted, dry: bool) -> Result<Done, Fault> {
        let connected = self.identity(self.named(account)?).await?;
        let metadata = book::described(self.crm.as_ref()).await?;
        let label = self.label(&connected, &wanted.label).await?;
        let (table, path, lossy) = checked(&metadata, wanted, &label)?;
        let rows = book::read(self.crm.as_ref(), connected.row().id, &metadata).await?;
        let before = rows.iter().find(|row| is(row, table, &label.name)).map(|row| &row.record);
        let row = row(&connected, wanted, (table, &path), &label, before);
        let same = |before: &Record| {
            row.columns.iter().all(|(column, value)| before.get(column).unwrap_or(&Value::Null) == value)
        };
        let done = Done { id: row.at.id, made: before.is_none(), changed: !before.is_some_and(same), lossy };
        if dry || !done.changed {
            return Ok(done);
        }
        let row = match self.field_row(table, &path).await? {
            Some(field) => row.with("esc_crmfieldid", field),
            None => row,
        };
        let row = row.with("esc_isvalid", true).with("esc_validationmessage", Value::Null);
        self.write_mapping(Change::Upsert(row)).await?;
        Ok(done)
    }

    /// Deletes the mapping of a label for one kind of record; answers how many rows said it. What both sides have stays.
    ///
    /// # Errors
    /// The CRM's; and a refusal when no account has this name.
    pub async fn remove_mapping(
        &self,
        account: &str,
        table: &str,
        label: &str,
        dry: bool,
    ) -> Result<u64, Fault> {
        let connected = self.identity(self.named(account)?).await?;
        let metadata = book::described(self.crm.as_ref()).await?;
        let rows = book::read(self.crm.as_ref(), connected.row().id, &metadata).await?;
        let rows: Vec<RecordRef> =
            rows.into_iter().filter(|row| is(row, table, label)).map(|row| row.record.at).collect();
        let number = rows.len() as u64;
        for row in rows.into_iter().filter(|_| !dry) {
            self.write_mapping(Change::Delete(row)).await?;
        }
        Ok(number)
    }

    async fn write_mapping(&self, change: Change) -> Result<(), Fault> {
        let sets = vec![ChangeSet { changes: vec![change] }];
        self.crm.apply(sets).await.pop().expect("an answer for each set").map(drop)
    }

    async fn label(&self, connected: &Connected, wanted: &str) -> Result<LabelRow, Fault> {
        let own = Filter::eq("esc_emailaccountid", connected.row().id);
        let query = Query::of(LABELS).select(&["esc_labelname", "esc_datatype"]).filter(own);
        let rows = self.crm.query(&query).await?;
        let labels = rows.iter().map(|row| (row.at.clone(), book::label(row)));
        let found = labels.into_iter().find(|(_, (name, _))| name.eq_ignore_ascii_case(wanted.trim()));
        let (at, (name, kind)) = found.ok_or_else(|| {
            let text = format!(
                "the account has no data label {wanted:?}; look at marketing map list, or run the sync type labels first"
            );
            Fault::reject(Code::API_NOT_FOUND, text)
        })?;
        Ok(LabelRow { at, name, kind })
    }

    /// The row of the column that users of the CRM choose; of several columns the first one's.
    async fn field_row(&self, table: &str, path: &Path) -> Result<Option<RecordRef>, Fault> {
        const FIELDS: &str = "esc_crmfield";
        let first = path.to_string();
        let first = first.split(',').next().unwrap_or_default();
        let id = Key::crm_field(table, first).id(FIELDS);
        let query = Query::of(FIELDS).select(&["esc_logicalname"]).filter(Filter::eq("esc_crmfieldid", id));
        Ok(self.crm.query(&query).await?.pop().map(|row| row.at))
    }
}

/// A data label of the account.
struct LabelRow {
    at: RecordRef,
    name: String,
    kind: FieldType,
}

fn is(row: &book::Row, table: &str, label: &str) -> bool {
    let named = row.label.as_ref().is_some_and(|(name, _)| name.eq_ignore_ascii_case(label.trim()));
    named && book::table(&row.record).is_some_and(|own| own.eq_ignore_ascii_case(table))
}

fn listed(row: &book::Row) -> Listed {
    let (label, kind) = row.label.clone().unzip();
    Listed {
        id: row.record.at.id,
        table: book::table(&row.record),
        label: label.unwrap_or_default(),
        kind,
        path: row.record.text("esc_fieldpath").unwrap_or_default().to_owned(),
        rule: book::rule(&row.record),
        choices: book::choices(&row.record),
        problem: row.mapping.as_ref().err().cloned(),
        lossy: row.mapping.as_ref().ok().and_then(Mapping::lossy),
    }
}

fn checked(
    metadata: &Metadata,
    wanted: &Wanted,
    label: &LabelRow,
) -> Result<(&'static str, Path, Option<&'static str>), Fault> {
    let refuse = |text: String| Fault::reject(Code::API_INPUT, text);
    let table = TABLES.into_iter().find(|table| table.eq_ignore_ascii_case(wanted.table.trim()));
    let table = table
        .ok_or_else(|| refuse(format!("{:?} is not mapped: name contact, lead or account", wanted.table)))?;
    let described = metadata.table(table).ok_or_else(|| refuse(format!("the CRM has no table {table}")))?;
    let path = Path::read(&wanted.path).ok_or_else(|| refuse("name the column of the CRM".to_owned()))?;
    valid::check(metadata, described, &path, (&label.name, &label.kind), wanted.direction)
        .map_err(|why| refuse(why.to_string()))?;
    let column = path.parts().first().and_then(|part| described.column(&part.column));
    let lossy = column.and_then(|column| valid::lossy(&column.kind, &path, &label.kind));
    Ok((table, path, lossy))
}

fn row(
    connected: &Connected,
    wanted: &Wanted,
    (table, path): (&str, &Path),
    label: &LabelRow,
    before: Option<&Record>,
) -> Record {
    let choice = |set: Set, word: &str| set.value(word).map_or(Value::Null, Value::from);
    let direction = match wanted.direction {
        Direction::FromCrm => "From CRM",
        Direction::ToCrm => "To CRM",
        Direction::TwoWay => "Two-way",
    };
    let empty = match wanted.empty {
        EmptyRule::SendBlank => "Send blank",
        EmptyRule::KeepRemote => "Keep remote value",
    };
    let choices = match wanted.choices {
        ChoiceFormat::Label => "Label",
        ChoiceFormat::Value => "Value",
    };
    let said = |row: Record| {
        row.with("esc_fieldpath", path.to_string())
            .with("esc_direction", choice(Set::MapDirection, direction))
            .with("esc_emptyrule", choice(Set::EmptyRule, empty))
            .with("esc_choiceformat", choice(Set::ChoiceFormat, choices))
    };
    if let Some(before) = before {
        return said(Record::new(before.at.clone()));
    }
    let key = connected.key.mapping(table, &label.name);
    let word = Set::RecordType.options().iter().find(|word| word.eq_ignore_ascii_case(table));
    said(Record::new(RecordRef::new(MAPPINGS, key.id(MAPPINGS))))
        .with("esc_name", format!("{}: {table}.{path}", label.name))
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", connected.row())
        .with("esc_datalabelid", label.at.clone())
        .with("esc_entitytype", choice(Set::RecordType, word.copied().unwrap_or_default()))
}
