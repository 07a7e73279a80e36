//! A change to a row that is there. One that changes nothing leaves no trace.

use postroom_core::{Outcome, Record, RecordRef, Value};

use super::{Key, Lot, Phase, Scope, parties};
use crate::failure::Failure;
use crate::row::Fields;
use crate::rules::defaults::Draft;
use crate::rules::{self, Refusal, Standing};
use crate::schema::Table;

impl Lot {
    pub(super) fn update(&mut self, scope: &Scope, record: Record) -> Result<Outcome, Failure> {
        let key = self.key(&record.at)?;
        if !self.rows.get(&key).is_some_and(|entry| entry.phase != Phase::Gone) {
            return Err(Refusal::NotFound(record.at).into());
        }
        let table = self.table(key);
        let given = self.given(scope, key, record)?;
        parties::refuse_platform_mask(&table, &given)?;
        self.keep_required(&table, &given)?;
        self.check_changed_file(&table, &given)?;
        let standing = self.new_standing(key, &table, &given)?;
        let entered = standing.is_some() && standing != self.standing(key, &table);

        let mut fields = self.rows[&key].fields.clone();
        given.iter().for_each(|(place, value)| fields.set(place, value.clone()));
        super::create::set_standing(&table, &mut fields, standing);
        if !self.differs(key, &fields) {
            return Ok(Outcome::Unchanged);
        }
        let owner_moved = self.moved(key, &table, &fields, "ownerid");
        let facts = |at: &RecordRef| self.facts(at);
        let mut draft = Draft {
            table: &table,
            id: key.1,
            fields: &mut fields,
            now: self.writer.now,
            acting: self.writer.acting,
            facts,
        };
        if owner_moved {
            draft.owner_changed();
        }
        if given.named(&table, "body").is_some() && table.place("filesize").is_some() {
            draft.file_size();
        }
        draft.full_name();
        draft.completed(entered);
        draft.modified();
        let owner = self.rows[&key].fields.named(&table, "ownerid").cloned().unwrap_or(Value::Null);
        self.store_changes(key, fields);
        self.platform_parties(key);
        if owner_moved {
            self.assign_below(key, &owner)?;
        }
        Ok(Outcome::Updated)
    }

    /// A required column may be left out of a change, but not emptied.
    fn keep_required(&self, table: &Table, given: &Fields) -> Result<(), Refusal> {
        let emptied = |place: &&usize| given.places().any(|at| at == **place) && given.get(**place).is_none();
        match table.required().iter().find(emptied) {
            Some(place) => Err(Refusal::Required {
                table: table.name.clone(),
                column: table.columns[*place].name.clone(),
            }),
            None => Ok(()),
        }
    }

    fn standing(&self, key: Key, table: &Table) -> Option<Standing> {
        let fields = &self.rows[&key].fields;
        let state = fields.int(table, "statecode")?;
        Some(Standing { state, status: fields.int(table, "statuscode") })
    }

    fn new_standing(&self, key: Key, table: &Table, given: &Fields) -> Result<Option<Standing>, Refusal> {
        let (state, status) = (given.int(table, "statecode"), given.int(table, "statuscode"));
        match (state, status) {
            (None, None) => Ok(None),
            _ => rules::settle(table, self.standing(key, table), state, status),
        }
    }

    /// Whether anything is not as it was.
    fn differs(&self, key: Key, fields: &Fields) -> bool {
        let was = &self.rows[&key].fields;
        fields.places().any(|place| was.get(place) != fields.get(place))
    }

    fn moved(&self, key: Key, table: &Table, fields: &Fields, column: &str) -> bool {
        self.rows[&key].fields.lookup(table, column) != fields.lookup(table, column)
    }

    pub(super) fn store_changes(&mut self, key: Key, fields: Fields) {
        self.note(key, &fields);
        let was = self.rows[&key].fields.clone();
        let changed: Vec<usize> =
            fields.places().filter(|place| was.get(*place) != fields.get(*place)).collect();
        let entry = self.touch(key);
        entry.fields = fields;
        entry.dirty.extend(changed);
        if entry.phase == Phase::Loaded {
            entry.phase = Phase::Changed;
        }
    }

    /// One column of a row, by the server itself.
    pub(super) fn set(&mut self, key: Key, place: usize, value: Value) {
        let mut named = Fields::default();
        named.set(place, value.clone());
        self.note(key, &named);
        let entry = self.touch(key);
        entry.fields.set(place, value);
        entry.dirty.push(place);
        if entry.phase == Phase::Loaded {
            entry.phase = Phase::Changed;
        }
    }
}
