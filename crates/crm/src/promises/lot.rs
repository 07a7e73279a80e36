//! A set of changes as steps: what is sent, what need not be, and what each change came to.
//!
//! Pure: what stands in the CRM was looked at before ([`Looked`]).
//!
//! * The parties of an activity go within the activity: the platform takes them in no other way.
//! * A row that is to be made in another state than the first is made, then changed, at the end of its set: what is completed
//!   takes no attachments.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::SignedDuration;
use postroom_core::metadata::{ColumnInfo, Metadata, TableInfo};
use postroom_core::{Change, ChangeSet, Code, Fault, Outcome, Record, RecordRef, Value};

use super::limits::{Limits, attachments};
use super::look::Looked;
use super::{Manner, column, is_lookup, table};

/// The columns of a row's state.
const STATE: [&str; 2] = ["statecode", "statuscode"];

/// When a row was made and changed.
const TIMES: [&str; 2] = ["createdon", "modifiedon"];
/// A row that was changed no later than this after it was made was changed by nobody: servers set columns of their own.
const UNTOUCHED: SignedDuration = SignedDuration::from_mins(1);

/// `notifications`: attachments were dropped (dataverse.md B).
const ATTACHMENTS_DROPPED: i64 = 1;

/// One write, in no API's words. Rows hold what is to be written and nothing else.
#[derive(Debug)]
pub(crate) enum Step {
    /// A new row, with the rows of `activityparty` that go within it.
    Create {
        row: Record,
        parties: Vec<Record>,
        /// One that somebody else made meanwhile is changed.
        upsert: bool,
    },
    /// When the row still has this version, if one is named.
    Update {
        row: Record,
        version: Option<i64>,
    },
    Delete {
        at: RecordRef,
        version: Option<i64>,
    },
}

/// A set ready to be said.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub steps: Vec<Step>,
    /// What each change comes to when the steps succeed.
    pub outcomes: Vec<Outcome>,
}

/// Refuses a value that does not fit its column.
pub(crate) type Fits<'f> = dyn Fn(&TableInfo, &ColumnInfo, &Value) -> Result<(), Fault> + Sync + 'f;

/// What a set is prepared with.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'m> {
    pub metadata: &'m Metadata,
    pub looked: &'m Looked,
    pub limits: &'m Limits,
    pub manner: Manner,
    pub fits: &'m Fits<'m>,
}

/// How much is known about what became of a set that was sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// The answer was lost: what is there may be ours.
    Lost,
}

/// The row of a change.
pub(crate) fn target(change: &Change) -> &RecordRef {
    match change {
        Change::Create(row)
        | Change::CreateNew(row)
        | Change::Update(row)
        | Change::UpdateIf(row, _)
        | Change::Upsert(row) => &row.at,
        Change::Delete(at) | Change::DeleteIf(at, _) => at,
    }
}

pub(crate) fn record(change: &Change) -> Option<&Record> {
    match change {
        Change::Create(row)
        | Change::CreateNew(row)
        | Change::Update(row)
        | Change::UpdateIf(row, _)
        | Change::Upsert(row) => Some(row),
        Change::Delete(_) | Change::DeleteIf(..) => None,
    }
}

/// The rows that a set makes.
pub(crate) fn makes(set: &ChangeSet) -> impl Iterator<Item = &RecordRef> {
    set.changes.iter().filter_map(|change| match change {
        Change::Create(row) | Change::CreateNew(row) | Change::Upsert(row) => Some(&row.at),
        Change::Update(_) | Change::UpdateIf(..) | Change::Delete(_) | Change::DeleteIf(..) => None,
    })
}

/// Rows to be looked at before a set is sent: always those whose outcome depends on it, and all of them the second time.
pub(crate) fn wanted(
    set: &ChangeSet,
    all: bool,
    manner: Manner,
    to: &mut BTreeMap<RecordRef, BTreeSet<String>>,
) {
    for change in &set.changes {
        let at = target(change);
        let needed = match change {
            Change::Update(_) | Change::Upsert(_) | Change::Delete(_) => true,
            Change::UpdateIf(..) | Change::DeleteIf(_, Some(_)) => all || !manner.conditions,
            Change::Create(_) | Change::CreateNew(_) | Change::DeleteIf(_, None) => all,
        };
        if !needed || at.table == "activityparty" && !matches!(change, Change::Delete(_)) {
            continue;
        }
        let columns = to.entry(at.clone()).or_default();
        columns.extend(
            record(change).into_iter().flat_map(|row| &row.columns).map(|(name, _)| name.to_string()),
        );
        columns.extend(STATE.map(str::to_owned));
        if !manner.atomic {
            columns.extend(TIMES.map(str::to_owned));
        }
    }
}

/// The tables that a set speaks of.
pub(crate) fn tables(sets: &[ChangeSet]) -> BTreeSet<&str> {
    let mut tables = BTreeSet::new();
    for change in sets.iter().flat_map(|set| &set.changes) {
        tables.insert(target(change).table.as_str());
        let values = record(change).into_iter().flat_map(|row| &row.columns);
        tables.extend(values.filter_map(|(_, value)| value.as_lookup()).map(|to| to.table.as_str()));
    }
    tables
}

/// Makes the steps of a set.
///
/// # Errors
/// What this CRM cannot take, by the name of its column.
pub(crate) fn prepare(set: &ChangeSet, ground: Ground<'_>, before: Before) -> Result<Prepared, Fault> {
    let mut maker = Maker {
        ground,
        shortened: shortened(set, ground.limits),
        before,
        touched: HashSet::new(),
        made: HashMap::new(),
        steps: Vec::new(),
        last: Vec::new(),
    };
    let outcomes = set.changes.iter().map(|change| maker.change(change)).collect::<Result<_, Fault>>()?;
    Ok(Prepared { steps: maker.steps.into_iter().chain(maker.last).collect(), outcomes })
}

struct Maker<'m> {
    ground: Ground<'m>,
    /// Mails that lose an attachment.
    shortened: HashSet<RecordRef>,
    before: Before,
    /// Rows that an earlier change of the set writes: what was looked at no longer holds.
    touched: HashSet<RecordRef>,
    /// The steps of rows that the set makes; `None` for one that is there already.
    made: HashMap<RecordRef, Option<usize>>,
    steps: Vec<Step>,
    /// States, set when everything else is there.
    last: Vec<Step>,
}

impl Maker<'_> {
    fn change(&mut self, change: &Change) -> Result<Outcome, Fault> {
        let at = target(change);
        if at.table == "activityparty" {
            return self.party(change);
        }
        if record(change).is_some_and(|row| is_attachment(at) && self.ground.limits.keep(row)) {
            return Ok(Outcome::Unchanged);
        }
        let fresh = self.touched.insert(at.clone());
        let there = if fresh { self.ground.looked.get(at).map(Option::as_ref) } else { None };
        match change {
            Change::Create(row) => match there {
                Some(Some(there)) => self.made_before(row, there),
                _ => self.create(row, false),
            },
            Change::CreateNew(row) => match there {
                Some(Some(there)) if self.before == Before::Lost && holds(there, row) => {
                    self.made.insert(row.at.clone(), None);
                    Ok(Outcome::Created)
                }
                Some(Some(_)) => Err(duplicate(at)),
                _ => self.create(row, false),
            },
            Change::Upsert(row) => match there {
                Some(None) => self.create(row, true),
                there => self.update(row, there.flatten(), None),
            },
            Change::Update(row) => match there {
                Some(None) => Err(missing(at)),
                there => self.update(row, there.flatten(), None),
            },
            Change::UpdateIf(row, version) => match there {
                Some(None) => Err(missing(at)),
                Some(Some(there)) if there.int("versionnumber") != Some(*version) => {
                    // Ours, when the answer was lost and it says what we wanted.
                    match self.before == Before::Lost && holds(there, row) {
                        true => Ok(Outcome::Updated),
                        false => Err(changed(at)),
                    }
                }
                _ => self.update(row, None, Some(*version)),
            },
            Change::Delete(_) => match there {
                Some(None) if self.before == Before::Lost => Ok(Outcome::Deleted),
                Some(None) => Ok(Outcome::Unchanged),
                _ => Ok(self.delete(at, None)),
            },
            Change::DeleteIf(_, version) => match there {
                Some(None) if self.before == Before::Lost => Ok(Outcome::Deleted),
                Some(None) => Err(missing(at)),
                Some(Some(there)) if version.is_some() && there.int("versionnumber") != *version => {
                    Err(changed(at))
                }
                _ => Ok(self.delete(at, *version)),
            },
        }
    }

    /// The row of a repeated create. A state that the first try did not come to is set.
    fn made_before(&mut self, row: &Record, there: &Record) -> Result<Outcome, Fault> {
        self.made.insert(row.at.clone(), None);
        // Where steps happen one by one, an earlier call may have ended between them.
        let begun = self.before == Before::Lost || !self.ground.manner.atomic && untouched(there);
        if begun && row.int("statecode").is_some_and(|state| state != 0) && there.int("statecode") == Some(0)
        {
            self.state(row);
        }
        Ok(if self.before == Before::Lost { Outcome::Created } else { Outcome::Unchanged })
    }

    fn create(&mut self, row: &Record, upsert: bool) -> Result<Outcome, Fault> {
        let table = table(self.ground.metadata, &row.at.table)?;
        let two_steps = row.int("statecode").is_some_and(|state| state != 0);
        let mut new = self.writable(row, true, if two_steps { &STATE } else { &["statecode"] })?;
        if self.shortened.contains(&row.at)
            && table.column("notifications").is_some_and(|column| column.valid_for_create)
        {
            new = new.with("notifications", ATTACHMENTS_DROPPED);
        }
        self.made.insert(row.at.clone(), Some(self.steps.len()));
        self.steps.push(Step::Create { row: new, parties: Vec::new(), upsert });
        if two_steps {
            self.state(row);
        }
        Ok(Outcome::Created)
    }

    fn state(&mut self, row: &Record) {
        let mut state = Record::new(row.at.clone());
        state.columns =
            row.columns.iter().filter(|(name, _)| STATE.contains(&name.as_str())).cloned().collect();
        self.last.push(Step::Update { row: state, version: None });
    }

    fn update(
        &mut self,
        row: &Record,
        there: Option<&Record>,
        version: Option<i64>,
    ) -> Result<Outcome, Fault> {
        let written = self.writable(row, false, &[])?;
        if written.columns.is_empty() || there.is_some_and(|there| holds(there, row)) {
            return Ok(Outcome::Unchanged);
        }
        self.steps.push(Step::Update { row: written, version });
        Ok(Outcome::Updated)
    }

    fn delete(&mut self, at: &RecordRef, version: Option<i64>) -> Outcome {
        self.steps.push(Step::Delete { at: at.clone(), version });
        Outcome::Deleted
    }

    /// The columns that this server lets be written; which ones it keeps to itself differs between generations.
    fn writable(&self, row: &Record, new: bool, skip: &[&str]) -> Result<Record, Fault> {
        let table = table(self.ground.metadata, &row.at.table)?;
        let mut written = Record::new(row.at.clone());
        for (name, value) in row.columns.iter().filter(|(name, _)| !skip.contains(&name.as_str())) {
            let column = column(table, name)?;
            let open = if new { column.valid_for_create } else { column.valid_for_update };
            let state = !new && STATE.contains(&name.as_str());
            if (open || state) && !column.is_primary_id {
                written.columns.push((name.clone(), value.clone()));
            } else if !is_lookup(column) {
                // Still, what cannot fit is a mistake of the caller's.
                (self.ground.fits)(table, column, value)?;
            }
        }
        Ok(written)
    }

    /// A party goes within the activity that the same set makes.
    fn party(&mut self, change: &Change) -> Result<Outcome, Fault> {
        let (Change::Create(row) | Change::CreateNew(row) | Change::Upsert(row)) = change else {
            let text =
                "a row of activityparty changes with its activity only: write the activity's parties anew";
            return Err(Fault::reject(Code::CRM_REFUSED, text));
        };
        let required = || Fault::reject(Code::CRM_REQUIRED, "activityparty.activityid needs a value");
        let activity = row.lookup("activityid").ok_or_else(required)?;
        let step = match self.made.get(activity) {
            Some(Some(step)) => *step,
            Some(None) => {
                return Ok(if self.before == Before::Lost { Outcome::Created } else { Outcome::Unchanged });
            }
            None => {
                let text =
                    format!("activityparty.activityid names {activity}, which the same set does not make");
                return Err(Fault::reject(Code::CRM_REFUSED, text));
            }
        };
        let party = self.writable(row, true, &["activityid"])?;
        if let Step::Create { parties, .. } = &mut self.steps[step] {
            parties.push(party);
        }
        Ok(Outcome::Created)
    }
}

/// Whether nobody wrote to a row since it was made.
fn untouched(there: &Record) -> bool {
    match TIMES.map(|name| there.get(name)) {
        [Some(Value::Time(made)), Some(Value::Time(changed))] => changed.duration_since(*made) <= UNTOUCHED,
        _ => false,
    }
}

pub(crate) fn is_attachment(at: &RecordRef) -> bool {
    at.table == "activitymimeattachment"
}

/// The rows whose attachments do not all go with them.
fn shortened(set: &ChangeSet, limits: &Limits) -> HashSet<RecordRef> {
    let kept = attachments(set).filter(|row| limits.keep(row));
    kept.filter_map(|row| row.lookup("objectid").cloned()).collect()
}

pub(crate) fn missing(at: &RecordRef) -> Fault {
    Fault::reject(Code::CRM_NOT_FOUND, format!("{at} does not exist"))
}

pub(crate) fn duplicate(at: &RecordRef) -> Fault {
    Fault::reject(Code::CRM_DUPLICATE, format!("{at} exists already"))
}

pub(crate) fn changed(at: &RecordRef) -> Fault {
    Fault::reject(Code::CRM_VERSION, format!("{at} was changed since it was read"))
}

/// Whether a row has these columns with these values already. Bodies are not compared: they count as others.
fn holds(there: &Record, wanted: &Record) -> bool {
    wanted.columns.iter().all(|(name, value)| same(there.get(name), value))
}

fn same(there: Option<&Value>, wanted: &Value) -> bool {
    match (there, wanted) {
        (None | Some(Value::Null), Value::Null) => true,
        (Some(Value::Decimal(left)), right) => {
            number(&Value::Decimal(left.clone())) == number(right) && number(right).is_some()
        }
        (Some(left @ Value::Float(_)), right) => number(left) == number(right) && number(right).is_some(),
        // The wire has whole seconds.
        (Some(Value::Time(left)), Value::Time(right)) => left.as_second() == right.as_second(),
        (Some(Value::Content(_)), _) | (_, Value::Content(_)) => false,
        (Some(left), right) => left == right,
        (None, _) => false,
    }
}

/// A number as digits without zeros that say nothing.
fn number(value: &Value) -> Option<String> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Decimal(text) => text.clone(),
        _ => return None,
    };
    let cut = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    Some(cut.to_owned())
}

#[cfg(test)]
mod tests;
