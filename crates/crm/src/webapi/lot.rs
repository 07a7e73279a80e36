//! A set of changes as requests: what is sent, what need not be, and what each change came to.
//!
//! Pure: what stands in the CRM was looked at before ([`Looked`]).
//!
//! * The parties of an activity go within the activity: the platform takes them in no other way.
//! * A row that is to be made in another state than the first is made, then changed, at the end of its set: what is completed
//!   takes no attachments.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use postroom_core::metadata::Metadata;
use postroom_core::{Change, ChangeSet, Code, Fault, Outcome, Record, RecordRef, Value};

use super::body::{self, Body};
use super::limits::Limits;
use super::look::Looked;

/// The columns of a row's state.
const STATE: [&str; 2] = ["statecode", "statuscode"];

/// `notifications`: attachments were dropped (dataverse.md B).
const ATTACHMENTS_DROPPED: &str = "1";

/// One request.
#[derive(Debug)]
pub(crate) struct Op {
    pub method: &'static str,
    /// Below the root.
    pub path: String,
    /// `If-Match` or `If-None-Match`.
    pub condition: Option<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// A set ready to be sent.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub ops: Vec<Op>,
    /// What each change comes to when the requests succeed.
    pub outcomes: Vec<Outcome>,
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

/// Rows to be looked at before a set is sent: always those whose outcome depends on it, and all of them the second time.
pub(crate) fn wanted(set: &ChangeSet, all: bool, to: &mut BTreeMap<RecordRef, BTreeSet<String>>) {
    for change in &set.changes {
        let at = target(change);
        let needed = match change {
            Change::Update(_) | Change::Upsert(_) | Change::Delete(_) => true,
            Change::Create(_) | Change::CreateNew(_) | Change::UpdateIf(..) | Change::DeleteIf(..) => all,
        };
        if !needed || at.table == "activityparty" && !matches!(change, Change::Delete(_)) {
            continue;
        }
        let columns = to.entry(at.clone()).or_default();
        columns.extend(record(change).into_iter().flat_map(|row| &row.columns).map(|(name, _)| name.clone()));
        columns.extend(STATE.map(str::to_owned));
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

/// Makes the requests of a set.
///
/// # Errors
/// What this CRM cannot take, by the name of its column.
pub(crate) fn prepare(
    metadata: &Metadata,
    set: &ChangeSet,
    looked: &Looked,
    limits: &Limits,
    before: Before,
) -> Result<Prepared, Fault> {
    let mut maker = Maker {
        metadata,
        looked,
        limits,
        shortened: shortened(set, limits),
        before,
        touched: HashSet::new(),
        made: HashMap::new(),
        drafts: Vec::new(),
        last: Vec::new(),
        outcomes: Vec::new(),
    };
    for change in &set.changes {
        let outcome = maker.change(change)?;
        maker.outcomes.push(outcome);
    }
    Ok(maker.finish())
}

struct Maker<'m> {
    metadata: &'m Metadata,
    looked: &'m Looked,
    limits: &'m Limits,
    /// Mails that lose an attachment.
    shortened: HashSet<RecordRef>,
    before: Before,
    /// Rows that an earlier change of the set writes: what was looked at no longer holds.
    touched: HashSet<RecordRef>,
    /// The drafts of rows that the set makes; `None` for one that is there already.
    made: HashMap<RecordRef, Option<usize>>,
    drafts: Vec<Draft>,
    /// States, set when everything else is there.
    last: Vec<Draft>,
    outcomes: Vec<Outcome>,
}

struct Draft {
    method: &'static str,
    path: String,
    condition: Option<(&'static str, String)>,
    body: Option<Body>,
    /// Rows within it, by the property they stand in.
    within: BTreeMap<String, Vec<Body>>,
}

impl Maker<'_> {
    fn change(&mut self, change: &Change) -> Result<Outcome, Fault> {
        let at = target(change);
        if at.table == "activityparty" {
            return self.party(change);
        }
        if record(change).is_some_and(|row| is_attachment(at) && self.limits.keep(row)) {
            return Ok(Outcome::Unchanged);
        }
        let fresh = self.touched.insert(at.clone());
        let there = if fresh { self.looked.get(at).map(Option::as_ref) } else { None };
        match change {
            Change::Create(row) => match there {
                Some(Some(there)) => self.made_before(row, there),
                _ => self.create(row),
            },
            Change::CreateNew(row) => match there {
                Some(Some(there)) if self.before == Before::Lost && holds(there, row) => {
                    self.made.insert(row.at.clone(), None);
                    Ok(Outcome::Created)
                }
                Some(Some(_)) => Err(duplicate(at)),
                _ => self.create(row),
            },
            Change::Upsert(row) => match there {
                Some(None) => self.create(row),
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
                _ => self.delete(at, None),
            },
            Change::DeleteIf(_, version) => match there {
                Some(None) if self.before == Before::Lost => Ok(Outcome::Deleted),
                Some(None) => Err(missing(at)),
                _ => self.delete(at, *version),
            },
        }
    }

    /// The row of a repeated create. A state that the first try did not come to is set.
    fn made_before(&mut self, row: &Record, there: &Record) -> Result<Outcome, Fault> {
        self.made.insert(row.at.clone(), None);
        if self.before == Before::Lost
            && row.int("statecode").is_some_and(|state| state != 0)
            && there.int("statecode") == Some(0)
        {
            self.state(row)?;
        }
        Ok(if self.before == Before::Lost { Outcome::Created } else { Outcome::Unchanged })
    }

    fn create(&mut self, row: &Record) -> Result<Outcome, Fault> {
        let table = body::table(self.metadata, &row.at.table)?;
        let two_steps = row.int("statecode").is_some_and(|state| state != 0);
        let mut body =
            body::columns(self.metadata, row, true, if two_steps { &STATE } else { &["statecode"] })?;
        if self.shortened.contains(&row.at)
            && table.column("notifications").is_some_and(|column| column.valid_for_create)
        {
            body.put("notifications", ATTACHMENTS_DROPPED);
        }
        self.made.insert(row.at.clone(), Some(self.drafts.len()));
        let (path, within) = (table.entity_set.clone(), BTreeMap::new());
        self.drafts.push(Draft { method: "POST", path, condition: None, body: Some(body), within });
        if two_steps {
            self.state(row)?;
        }
        Ok(Outcome::Created)
    }

    fn state(&mut self, row: &Record) -> Result<(), Fault> {
        let mut state = Record::new(row.at.clone());
        state.columns =
            row.columns.iter().filter(|(name, _)| STATE.contains(&name.as_str())).cloned().collect();
        let body = body::columns(self.metadata, &state, false, &[])?;
        let draft = self.patch(&row.at, body, None)?;
        self.last.push(draft);
        Ok(())
    }

    fn update(
        &mut self,
        row: &Record,
        there: Option<&Record>,
        version: Option<i64>,
    ) -> Result<Outcome, Fault> {
        let body = body::columns(self.metadata, row, false, &[])?;
        if body.is_empty() || there.is_some_and(|there| holds(there, row)) {
            return Ok(Outcome::Unchanged);
        }
        let draft = self.patch(&row.at, body, version)?;
        self.drafts.push(draft);
        Ok(Outcome::Updated)
    }

    fn patch(&self, at: &RecordRef, body: Body, version: Option<i64>) -> Result<Draft, Fault> {
        // Without a condition a change of what is not there would make it.
        let condition = version.map_or_else(|| "*".to_owned(), etag);
        Ok(Draft {
            method: "PATCH",
            path: body::row_url(self.metadata, at)?,
            condition: Some(("If-Match", condition)),
            body: Some(body),
            within: BTreeMap::new(),
        })
    }

    fn delete(&mut self, at: &RecordRef, version: Option<i64>) -> Result<Outcome, Fault> {
        let path = body::row_url(self.metadata, at)?;
        let condition = version.map(|version| ("If-Match", etag(version)));
        self.drafts.push(Draft { method: "DELETE", path, condition, body: None, within: BTreeMap::new() });
        Ok(Outcome::Deleted)
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
        let draft = match self.made.get(activity) {
            Some(Some(draft)) => *draft,
            Some(None) => {
                return Ok(if self.before == Before::Lost { Outcome::Created } else { Outcome::Unchanged });
            }
            None => {
                let text =
                    format!("activityparty.activityid names {activity}, which the same set does not make");
                return Err(Fault::reject(Code::CRM_REFUSED, text));
            }
        };
        let list = self
            .metadata
            .one_to_many_of(&activity.table)
            .find(|one| one.referencing_table == "activityparty" && one.referencing_column == "activityid");
        let list = list.ok_or_else(|| {
            Fault::reject(Code::CRM_UNKNOWN_COLUMN, format!("{} has no parties", activity.table))
        })?;
        let body = body::columns(self.metadata, row, true, &["activityid"])?;
        self.drafts[draft].within.entry(list.referenced_navigation.clone()).or_default().push(body);
        Ok(Outcome::Created)
    }

    fn finish(self) -> Prepared {
        let op = |draft: Draft| {
            let mut body = draft.body;
            for (property, rows) in draft.within {
                let rows: Vec<String> = rows.into_iter().map(Body::finish).collect();
                body.get_or_insert_default().put(&property, &format!("[{}]", rows.join(",")));
            }
            let body = body.map_or_else(Vec::new, |body| body.finish().into_bytes());
            Op { method: draft.method, path: draft.path, condition: draft.condition, body }
        };
        Prepared { ops: self.drafts.into_iter().chain(self.last).map(op).collect(), outcomes: self.outcomes }
    }
}

fn is_attachment(at: &RecordRef) -> bool {
    at.table == "activitymimeattachment"
}

/// The rows whose attachments do not all go with them.
fn shortened(set: &ChangeSet, limits: &Limits) -> HashSet<RecordRef> {
    let rows = set.changes.iter().filter_map(record);
    let kept = rows.filter(|row| is_attachment(&row.at) && limits.keep(row));
    kept.filter_map(|row| row.lookup("objectid").cloned()).collect()
}

fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
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
