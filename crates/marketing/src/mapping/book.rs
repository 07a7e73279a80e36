//! The mappings of one account as they are used in a run: read from the CRM once, checked, and applied to records.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postroom_core::marketing::FieldType;
use postroom_core::metadata::{ColumnKind, Metadata};
use postroom_core::{Crm, Fault, Filter, Query, Record, RecordRef, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::path::{Part, Path};
use super::valid;
use crate::fields::convert::{self, ChoiceFormat, Shown};
use crate::fields::merge::{Direction, EmptyRule, Rule, Winner};
use crate::fields::{self, Field};
use crate::people::TABLES;
use crate::solution::options::Set;

/// A mapping that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    pub id: Uuid,
    pub table: &'static str,
    /// As the service writes it, in capitals.
    pub label: String,
    pub kind: FieldType,
    pub path: Path,
    pub rule: Rule,
    pub choices: ChoiceFormat,
    /// What the record's own columns hold that the path names, one after another: asked for each value of each record.
    kinds: Vec<Option<ColumnKind>>,
}

/// A mapping as it was read, and why it cannot be used.
#[derive(Debug, Clone)]
pub struct Row {
    pub record: Record,
    /// The data label as the service writes it, and its type; `None` when the account has no such label.
    pub label: Option<(String, FieldType)>,
    pub mapping: Result<Mapping, String>,
}

/// Columns of rows of other tables that records name.
#[derive(Debug, Default)]
pub struct Names(HashMap<RecordRef, HashMap<String, Value>>);

impl Names {
    fn get(&self, row: &RecordRef, column: &str) -> Option<&Value> {
        self.0.get(row)?.get(column)
    }

    /// The first word counts.
    fn note(&mut self, row: RecordRef, column: &str, value: Value) {
        self.0.entry(row).or_default().entry(column.to_owned()).or_insert(value);
    }
}

/// All of an account's mappings, with the definitions that they need.
pub struct Book {
    pub metadata: Metadata,
    mappings: BTreeMap<&'static str, Vec<Mapping>>,
    /// A hash of all of it: another one means that everybody is sent again.
    pub fingerprint: String,
}

/// A value that could not be converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub label: String,
    pub reason: String,
}

/// Reads the mappings of an account and checks each; rows of other accounts are others' business.
pub async fn read(crm: &dyn Crm, account: Uuid, metadata: &Metadata) -> Result<Vec<Row>, Fault> {
    let of_account = || Filter::eq("esc_emailaccountid", account);
    let labels = Query::of("esc_emailcampaigncustomfields")
        .select(&["esc_labelname", "esc_datatype"])
        .filter(of_account());
    let labels: HashMap<Uuid, (String, FieldType)> =
        crm.query(&labels).await?.iter().map(|row| (row.at.id, label(row))).collect();
    let columns = [
        "esc_datalabelid",
        "esc_entitytype",
        "esc_crmfieldid",
        "esc_fieldpath",
        "esc_direction",
        "esc_priority",
        "esc_emptyrule",
        "esc_choiceformat",
        "esc_isvalid",
        "esc_validationmessage",
        "statecode",
    ];
    let rows = Query::of("esc_emaildatamapping").select(&columns).filter(of_account());
    let rows = crm.query(&rows).await?.into_iter().filter(|row| row.int("statecode").unwrap_or(0) == 0);
    let mut seen: HashMap<(&'static str, String), Uuid> = HashMap::new();
    let mut read = Vec::new();
    for record in rows {
        let label = record.lookup("esc_datalabelid").and_then(|label| labels.get(&label.id)).cloned();
        let mapping = mapping(&record, label.clone(), metadata).and_then(|mapping| {
            match seen.insert((mapping.table, mapping.label.clone()), mapping.id) {
                None => Ok(mapping),
                Some(_) => Err(format!(
                    "{} is mapped twice for {}s; delete one of the two",
                    mapping.label, mapping.table
                )),
            }
        });
        read.push(Row { record, label, mapping });
    }
    Ok(read)
}

/// A label's name and type.
pub(super) fn label(row: &Record) -> (String, FieldType) {
    let word = option(row, "esc_datatype", Set::DataType).unwrap_or("Unknown");
    (row.text("esc_labelname").unwrap_or_default().to_uppercase(), FieldType::from(word))
}

/// The label of a choice's value.
pub(crate) fn option(row: &Record, column: &str, set: Set) -> Option<&'static str> {
    row.int(column).and_then(|value| i32::try_from(value).ok()).and_then(|value| set.option(value))
}

fn mapping(row: &Record, label: Option<(String, FieldType)>, metadata: &Metadata) -> Result<Mapping, String> {
    let (label, kind) = label.ok_or("the data label is not there; choose one of this account")?;
    let table = table(row).ok_or("choose whether contacts, leads or accounts are mapped")?;
    let path = Path::read(row.text("esc_fieldpath").unwrap_or_default());
    let path = path.ok_or("choose the field of the CRM")?;
    let described = metadata.table(table).ok_or_else(|| format!("the CRM has no table {table}"))?;
    let (rule, choices) = (rule(row), choices(row));
    valid::check(metadata, described, &path, (&label, &kind), rule.direction)
        .map_err(|why| why.to_string())?;
    let columns = path.parts().iter().map(|part| described.column(&part.column));
    let kinds = columns.map(|column| column.map(|column| column.kind.clone())).collect();
    Ok(Mapping { id: row.at.id, table, label, kind, path, rule, choices, kinds })
}

/// Whose mapping a row is: contact, lead or account.
pub(super) fn table(row: &Record) -> Option<&'static str> {
    let word = option(row, "esc_entitytype", Set::RecordType)?;
    TABLES.into_iter().find(|table| table.eq_ignore_ascii_case(word))
}

/// What a row says of its direction and of empty values.
pub(super) fn rule(row: &Record) -> Rule {
    let direction = match option(row, "esc_direction", Set::MapDirection) {
        Some("To CRM") => Direction::ToCrm,
        Some("Two-way") => Direction::TwoWay,
        _ => Direction::FromCrm,
    };
    let empty = match option(row, "esc_emptyrule", Set::EmptyRule) {
        Some("Keep remote value") => EmptyRule::KeepRemote,
        _ => EmptyRule::SendBlank,
    };
    Rule { direction, winner: Winner::Crm, empty }
}

pub(super) fn choices(row: &Record) -> ChoiceFormat {
    match option(row, "esc_choiceformat", Set::ChoiceFormat) {
        Some("Value") => ChoiceFormat::Value,
        _ => ChoiceFormat::Label,
    }
}

impl Mapping {
    /// What the first column of the path holds, which is the only one when the path can be written.
    pub fn column_kind(&self) -> Option<&ColumnKind> {
        self.kinds.first()?.as_ref()
    }

    /// Whether it may show what other rows hold.
    fn shows_others(&self) -> bool {
        let lookup =
            |kind: &Option<ColumnKind>| kind.as_ref().is_some_and(|kind| valid::targets(kind).is_some());
        self.kinds.iter().any(lookup)
    }

    /// What it may lose on the way.
    pub fn lossy(&self) -> Option<&'static str> {
        valid::lossy(self.column_kind()?, &self.path, &self.kind)
    }
}

impl Book {
    /// The mappings that can be used.
    pub fn new(metadata: Metadata, rows: &[Row]) -> Book {
        let mut mappings: BTreeMap<&'static str, Vec<Mapping>> = BTreeMap::new();
        for mapping in rows.iter().filter_map(|row| row.mapping.as_ref().ok()) {
            mappings.entry(mapping.table).or_default().push(mapping.clone());
        }
        let mut hash = Sha256::new();
        for mapping in mappings.values_mut() {
            mapping.sort_by(|one, other| one.label.cmp(&other.label));
            for Mapping { table, label, kind, path, rule, choices, .. } in mapping {
                hash.update(format!("{table}\n{label}\n{kind}\n{path}\n{rule:?}\n{choices:?}\n"));
            }
        }
        let fingerprint = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Book { metadata, mappings, fingerprint }
    }

    /// Reads an account's mappings.
    ///
    /// # Errors
    /// The CRM's.
    pub async fn of(crm: &dyn Crm, account: Uuid) -> Result<Book, Fault> {
        let metadata = described(crm).await?;
        let rows = read(crm, account, &metadata).await?;
        Ok(Book::new(metadata, &rows))
    }

    pub fn of_table(&self, table: &str) -> &[Mapping] {
        self.mappings.get(table).map_or(&[], Vec::as_slice)
    }

    /// The labels whose values are read from the service.
    pub fn labels_in(&self) -> Vec<String> {
        let mut labels: Vec<String> =
            self.mappings.values().flatten().map(|mapping| mapping.label.clone()).collect();
        labels.sort();
        labels.dedup();
        labels
    }

    /// What of other tables a record shows and is not known yet: the row, and its column.
    pub fn wanted(
        &self,
        table: &str,
        columns: &BTreeMap<String, Value>,
        known: &Names,
    ) -> Vec<(RecordRef, String)> {
        let lookups = self.of_table(table).iter().filter(|mapping| mapping.shows_others());
        let one = |part: &Part| {
            let Some(Value::Lookup(to)) = columns.get(&part.column) else { return None };
            let primary = || self.metadata.table(&to.table)?.primary_name.as_deref();
            let column = part.behind.as_deref().or_else(primary)?;
            known.get(to, column).is_none().then(|| (to.clone(), column.to_owned()))
        };
        lookups.flat_map(|mapping| mapping.path.parts()).filter_map(one).collect()
    }

    /// The fields of a record under their labels, and the values that cannot be taken over.
    pub fn fields(
        &self,
        table: &str,
        columns: &BTreeMap<String, Value>,
        names: &Names,
    ) -> (BTreeMap<String, Field>, Vec<Problem>) {
        let mappings = self.of_table(table);
        let (mut all, mut problems) = (Vec::with_capacity(mappings.len()), Vec::new());
        for mapping in mappings {
            match self.field(mapping, columns, names) {
                Ok(field) => all.push((mapping.label.clone(), field)),
                Err(reason) => problems.push(Problem { label: mapping.label.clone(), reason }),
            }
        }
        (all.into_iter().collect(), problems)
    }

    /// The field of one mapping.
    ///
    /// # Errors
    /// Why the label cannot hold the value.
    pub fn field(
        &self,
        mapping: &Mapping,
        columns: &BTreeMap<String, Value>,
        names: &Names,
    ) -> Result<Field, String> {
        let mut texts = Vec::new();
        for (part, kind) in mapping.path.parts().iter().zip(&mapping.kinds) {
            let kind = kind.as_ref().ok_or("the column is not there any more")?;
            let field = self.part(mapping, (part, kind), columns, names)?;
            match (mapping.path.parts().len(), field) {
                (1, field) => return Ok(field),
                (_, Field::Text(text)) => texts.push(text),
                _ => {}
            }
        }
        Ok(if texts.is_empty() { Field::Null } else { Field::Text(texts.join(" ")) })
    }

    fn part(
        &self,
        mapping: &Mapping,
        (part, kind): (&Part, &ColumnKind),
        columns: &BTreeMap<String, Value>,
        names: &Names,
    ) -> Result<Field, String> {
        let own = columns.get(&part.column).unwrap_or(&Value::Null);
        let (value, kind, name) = match (own, &part.behind) {
            (Value::Lookup(to), Some(behind)) => {
                let value = names.get(to, behind).unwrap_or(&Value::Null);
                (value, self.kind(&to.table, behind).unwrap_or(kind), None)
            }
            (Value::Lookup(to), None) => {
                let primary = self.metadata.table(&to.table).and_then(|table| table.primary_name.as_deref());
                let name = primary.and_then(|column| names.get(to, column));
                (own, kind, name.and_then(Value::as_str))
            }
            _ => (own, kind, None),
        };
        let shown = Shown { lookup: name, choices: mapping.choices };
        convert::to_service(value, kind, &mapping.kind, shown).map_err(|unfit| unfit.to_string())
    }

    fn kind(&self, table: &str, column: &str) -> Option<&ColumnKind> {
        self.metadata.table(table)?.column(column).map(|column| &column.kind)
    }

    /// What decides whether a person is sent again: all fields that go out, the address, and for whom the record speaks.
    pub fn digest(&self, record: &RecordRef, address: &str, fields: &BTreeMap<String, Field>) -> [u8; 32] {
        let outward = self.of_table(&record.table).iter();
        let outward = outward.filter(|mapping| mapping.rule.direction != Direction::ToCrm);
        let outward =
            outward.filter_map(|mapping| Some((mapping.label.as_str(), fields.get(&mapping.label)?)));
        let (address, record) = (Field::Text(address.to_owned()), Field::Text(record.to_string()));
        // No label begins so.
        let own = [("@address", &address), ("@record", &record)];
        fields::digest(outward.chain(own))
    }
}

/// The definitions of contacts, leads and accounts and of the tables that their lookups name.
///
/// # Errors
/// The CRM's.
pub async fn described(crm: &dyn Crm) -> Result<Metadata, Fault> {
    let own = crm.metadata(&TABLES).await?;
    let mut tables: Vec<&str> = TABLES.to_vec();
    let lookups = own.tables.iter().flat_map(|table| &table.columns);
    for target in lookups.filter_map(|column| valid::targets(&column.kind)).flatten() {
        if !tables.contains(&target.as_str()) {
            tables.push(target);
        }
    }
    crm.metadata(&tables).await
}

/// Reads what is shown of rows of other tables, one question for each table and column.
///
/// # Errors
/// The CRM's.
pub async fn names(crm: &dyn Crm, wanted: Vec<(RecordRef, String)>, known: &mut Names) -> Result<(), Fault> {
    let mut by_table: BTreeMap<(String, String), BTreeSet<Uuid>> = BTreeMap::new();
    for (row, column) in wanted {
        if known.get(&row, &column).is_none() {
            by_table.entry((row.table, column)).or_default().insert(row.id);
        }
    }
    for ((table, column), ids) in by_table {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        for some in ids.chunks(200) {
            let filter = Filter::In(format!("{table}id"), some.iter().copied().map(Value::from).collect());
            let query = Query::of(&table).select(&[&column]).filter(filter);
            for row in crm.query(&query).await? {
                let value = row.get(&column).cloned().unwrap_or(Value::Null);
                known.note(row.at, &column, value);
            }
            for id in some {
                // One that is gone is not asked for again.
                known.note(RecordRef::new(&table, *id), &column, Value::Null);
            }
        }
    }
    Ok(())
}
