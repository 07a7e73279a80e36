//! A new row: what was given is checked, the server adds its own, and the whole must be complete.

use postroom_core::{Outcome, Record, RecordRef, Value};

use super::{Entry, Key, Lot, Phase, Scope, parties};
use crate::row::Fields;
use crate::rules::defaults::{CANCELED, COMPLETED, Draft};
use crate::rules::{self, Refusal, Standing, coerce};
use crate::schema::{Kind, Table};

impl Lot {
    pub(super) fn create(&mut self, scope: &Scope, record: Record) -> Result<Outcome, Refusal> {
        let key = self.key(&record.at)?;
        // Before anything else: a repeat is success, whatever became of the rows that it refers to.
        if self.exists(key) {
            return Ok(Outcome::Unchanged);
        }
        let table = self.table(key);
        if table.name == "owner" {
            let (table, column) = (table.name.clone(), table.primary_key.clone());
            return Err(Refusal::Use { table, column, what: "made: owners are users and teams" });
        }
        let mut fields = self.given(scope, key, record)?;
        parties::refuse_platform_mask(&table, &fields)?;
        let standing =
            rules::settle(&table, None, fields.int(&table, "statecode"), fields.int(&table, "statuscode"))?;
        set_standing(&table, &mut fields, standing);
        let facts = |at: &RecordRef| self.facts(at);
        Draft {
            table: &table,
            id: key.1,
            fields: &mut fields,
            now: self.writer.now,
            acting: self.writer.acting,
            facts,
        }
        .fill();
        rules::complete(&table, &fields)?;
        if self.left_out(scope, &table, &fields)? {
            return Ok(Outcome::Unchanged);
        }
        self.attach(scope, &table, &fields)?;
        let stored = self.rows.get(&key).is_some_and(|entry| entry.stored);
        self.put(key, Entry { stored, phase: Phase::Fresh, fields, dirty: Vec::new() });
        self.platform_parties(key);
        Ok(Outcome::Created)
    }

    /// The columns that came from outside, checked and settled.
    pub(super) fn given(&self, scope: &Scope, key: Key, record: Record) -> Result<Fields, Refusal> {
        let table = self.table(key);
        let mut fields = Fields::default();
        for (name, value) in record.columns {
            let place = table.known_place(&name)?;
            let column = &table.columns[place];
            if column.read_only {
                return Err(Refusal::ReadOnly { table: table.name.clone(), column: name.into() });
            }
            let value = match coerce(&table, column, value)? {
                Value::Lookup(at) => Value::Lookup(self.refer(scope, &table, column, &at)?),
                value => value,
            };
            if column.kind != Kind::Id {
                fields.set(place, value);
            } else if value != Value::Guid(key.1) {
                let what = "another id than the row's own";
                return Err(Refusal::Use { table: table.name.clone(), column: name.into(), what });
            }
        }
        Ok(fields)
    }

    /// An attachment counts on its mail; a mail that is completed takes none, except from the set that made it.
    fn attach(&mut self, scope: &Scope, table: &Table, fields: &Fields) -> Result<(), Refusal> {
        let Some(mail) = self.attached_to(table, fields) else { return Ok(()) };
        let key = self.key(&mail)?;
        let state = self.facts(&mail).and_then(|facts| facts.state);
        if matches!(state, Some(COMPLETED | CANCELED)) && !scope.created.contains(&key) {
            let (table, column) = (table.name.clone(), "objectid".to_owned());
            return Err(Refusal::Completed { table, column, target: mail });
        }
        self.count(key, 1);
        Ok(())
    }

    pub(super) fn attached_to(&self, table: &Table, fields: &Fields) -> Option<RecordRef> {
        let mail = fields.lookup(table, "objectid").filter(|_| table.name == "activitymimeattachment")?;
        let target = self.schema.table(&mail.table).ok()?;
        target.place("attachmentcount").map(|_| mail.clone())
    }

    /// Counts in memory for a row of this lot; a stored one is counted in the database at the end.
    pub(super) fn count(&mut self, mail: Key, by: i64) {
        let table = self.table(mail);
        let place = table.place("attachmentcount").expect("asked for before");
        let count = match self.rows.get(&mail) {
            Some(entry) if entry.phase == Phase::Fresh => {
                entry.fields.int(&table, "attachmentcount").unwrap_or(0)
            }
            _ => return self.recount.push(mail),
        };
        self.touch(mail).fields.set(place, Value::Int(count + by));
    }
}

pub(super) fn set_standing(table: &Table, fields: &mut Fields, standing: Option<Standing>) {
    let Some(standing) = standing else { return };
    if let Some(place) = table.place("statecode") {
        fields.set(place, Value::Int(standing.state));
    }
    if let (Some(place), Some(status)) = (table.place("statuscode"), standing.status) {
        fields.set(place, Value::Int(status));
    }
}
