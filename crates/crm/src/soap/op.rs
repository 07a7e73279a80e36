//! One write as messages of the service: what a step is on this server.

use postroom_core::metadata::Metadata;
use postroom_core::{Fault, Record, RecordRef, Value};
use postroom_formats::soap::names::XRM_71;
use postroom_formats::soap::operation::Operation;
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::Any;

use super::ability::{Abilities, Ability};
use super::body;
use super::refusal::unknown;
use crate::promises::lot::Step;
use crate::refusal::Refusal;

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub request: Request,
    /// The row that it makes: how it is taken back.
    pub makes: Option<RecordRef>,
    /// Bytes, roughly.
    pub size: usize,
    /// What the server must know for it.
    needs: Option<Ability>,
}

/// The messages of a step.
///
/// # Errors
/// What this CRM cannot take, by the name of its column.
pub(super) fn of(metadata: &Metadata, abilities: &Abilities, step: Step) -> Result<Vec<Op>, Fault> {
    match step {
        Step::Create { row, parties, upsert } => {
            let entity = body::activity(metadata, &row, &parties)?;
            // One that is there already has parties of its own.
            let upsert = upsert && parties.is_empty() && abilities.has(Ability::Upsert);
            let (name, needs) = if upsert { ("Upsert", Some(Ability::Upsert)) } else { ("Create", None) };
            let request = Request::new(name).with("Target", Any::Entity(Box::new(entity)));
            let size = parties.iter().chain([&row]).map(bytes).sum();
            let makes = (!upsert).then_some(row.at);
            Ok(vec![Op { request, makes, size, needs }])
        }
        Step::Update { row, version } => update(metadata, abilities, row, version),
        Step::Delete { at, version } => {
            let version = version.filter(|_| abilities.has(Ability::Conditions));
            let mut target = body::reference(&at);
            target.row_version = version.map(|version| version.to_string());
            let request = Request::new("Delete").with("Target", Any::EntityReference(target));
            Ok(vec![conditional(request, version, 0)])
        }
    }
}

fn update(
    metadata: &Metadata,
    abilities: &Abilities,
    mut row: Record,
    version: Option<i64>,
) -> Result<Vec<Op>, Fault> {
    let mut ops = Vec::new();
    let (mut state, mut owner) = (None, None);
    if !abilities.has(Ability::State) {
        owner = take(&mut row, "ownerid").and_then(|value| Some(assign(&row.at, value.as_lookup()?)));
        if let Some(value) = take(&mut row, "statecode") {
            let status = take(&mut row, "statuscode");
            state = Some(set_state(&row.at, &value, status.as_ref()));
        }
    }
    if !row.columns.is_empty() {
        let mut entity = body::entity(metadata, &row)?;
        let version = version.filter(|_| abilities.has(Ability::Conditions));
        entity.row_version = version.map(|version| version.to_string());
        let request = Request::new("Update").with("Target", Any::Entity(Box::new(entity)));
        let mut op = conditional(request, version, bytes(&row));
        if op.needs.is_none() && row.get("statecode").is_some() {
            op.needs = Some(Ability::State);
        }
        ops.push(op);
    }
    ops.extend(owner);
    ops.extend(state);
    Ok(ops)
}

fn take(row: &mut Record, name: &str) -> Option<Value> {
    let place = row.columns.iter().position(|(known, _)| known == name)?;
    Some(row.columns.remove(place).1)
}

/// `Assign`
fn assign(at: &RecordRef, to: &RecordRef) -> Op {
    let request = Request::new("Assign")
        .with("Target", Any::EntityReference(body::reference(at)))
        .with("Assignee", Any::EntityReference(body::reference(to)));
    Op { request, makes: None, size: 0, needs: None }
}

/// `SetState`; -1 is the state's usual status.
fn set_state(at: &RecordRef, state: &Value, status: Option<&Value>) -> Op {
    let option = |value: Option<i64>| {
        Any::OptionSetValue(value.and_then(|value| i32::try_from(value).ok()).unwrap_or(-1))
    };
    let request = Request::new("SetState")
        .with("EntityMoniker", Any::EntityReference(body::reference(at)))
        .with("State", option(state.as_int()))
        .with("Status", option(status.and_then(Value::as_int)));
    Op { request, makes: None, size: 0, needs: None }
}

fn conditional(request: Request, version: Option<i64>, size: usize) -> Op {
    let behavior = || Any::enumeration(XRM_71, "ConcurrencyBehavior", "IfRowVersionMatches");
    let (request, needs) = match version {
        Some(_) => (request.with("ConcurrencyBehavior", behavior()), Some(Ability::Conditions)),
        None => (request, None),
    };
    Op { request, makes: None, size, needs }
}

fn bytes(row: &Record) -> usize {
    let value = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Content(postroom_core::Content::Bytes(bytes)) => bytes.len() / 3 * 4,
        _ => 40,
    };
    row.columns.iter().map(|(name, one)| name.len() + value(one) + 200).sum()
}

impl Op {
    /// What a refusal of this message says that the server does not know.
    pub(super) fn lesson(&self, refusal: &Refusal) -> Option<Ability> {
        let says = |word: &str| refusal.message.contains(word);
        self.needs.filter(|needs| match needs {
            Ability::Conditions => says("ConcurrencyBehavior"),
            Ability::State => says("SetState"),
            _ => unknown(refusal),
        })
    }

    /// The message alone: the plain operation where there is one.
    pub(super) fn alone(self) -> Operation {
        let plain = self.request.parameters.len() == 1;
        match (self.request.name.as_str(), self.request.get("Target")) {
            ("Create", Some(Any::Entity(entity))) if plain => Operation::Create(Clone::clone(entity)),
            ("Update", Some(Any::Entity(entity))) if plain => Operation::Update(Clone::clone(entity)),
            ("Delete", Some(Any::EntityReference(to))) if plain => {
                Operation::Delete { table: to.table.clone(), id: to.id }
            }
            _ => Operation::Execute(self.request),
        }
    }
}

/// What takes back a row that was made.
pub(super) fn undo(at: &RecordRef) -> Operation {
    Operation::Delete { table: at.table.clone(), id: at.id }
}
