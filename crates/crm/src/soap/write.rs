//! Sets of changes as messages: many sets of one step in one `ExecuteMultiple`, each set of several as an
//! `ExecuteTransaction`; on older servers one step after the other, and what was made is taken back when one is refused.

use async_trait::async_trait;
use http::StatusCode;
use postroom_core::metadata::{ColumnInfo, Metadata, TableInfo};
use postroom_core::{ChangeSet, Fault, Value};
use postroom_formats::soap::reply::Item;
use postroom_formats::soap::request::{Request, Settings};
use postroom_formats::soap::value::Any;

use super::ability::Ability;
use super::client::Client;
use super::op::{self, Op};
use super::refusal::{self, unknown};
use super::wire::Trouble;
use super::{Soap, body};
use crate::promises::limits::Limits;
use crate::promises::lot::Step;
use crate::promises::write::{self, Sent, copy};
use crate::promises::{Manner, Writes};
use crate::refusal::Refusal;
use crate::webapi::Bodies;

/// Bytes of one message, roughly; a single set may be larger.
const BYTES: usize = 8 << 20;

type Parcel = write::Parcel<Op>;

#[async_trait]
impl Writes for Soap {
    type Op = Op;
    type Reads = Client;

    fn reads(&self) -> &Client {
        &self.client
    }

    fn manner(&self) -> Manner {
        let can = |ability| self.client.abilities.has(ability);
        // A state that takes a message of its own has no version to go with it.
        let conditions = can(Ability::Conditions) && can(Ability::State);
        Manner { conditions, atomic: can(Ability::Transaction) }
    }

    fn bodies(&self) -> &dyn Bodies {
        &*self.bodies
    }

    async fn limits(&self) -> Result<&Limits, Fault> {
        self.client.limits().await
    }

    fn forget_definitions(&self) {
        self.client.forget_definitions();
    }

    fn fits(&self, table: &TableInfo, column: &ColumnInfo, value: &Value) -> Result<(), Fault> {
        body::any(table, column, value).map(drop)
    }

    fn say(&self, metadata: &Metadata, steps: Vec<Step>) -> Result<Vec<Op>, Fault> {
        let mut ops = Vec::with_capacity(steps.len());
        for step in steps {
            ops.extend(op::of(metadata, &self.client.abilities, step)?);
        }
        Ok(ops)
    }

    async fn send(&self, _sets: &[ChangeSet], parcels: &[Parcel]) -> Vec<Sent> {
        let mut sent = Vec::with_capacity(parcels.len());
        while sent.len() < parcels.len() {
            let rest = &parcels[sent.len()..];
            match self.alike(rest) {
                0 | 1 => sent.push(self.one(&rest[0]).await),
                count => match self.many(&rest[..count]).await {
                    Some(answers) => sent.extend(answers),
                    // The server does not know the message.
                    None => continue,
                },
            }
        }
        sent
    }
}

impl Soap {
    /// How many of the first sets are single steps that go in one message.
    fn alike(&self, parcels: &[Parcel]) -> usize {
        if !self.client.abilities.has(Ability::Multiple) {
            return 0;
        }
        let (most, mut bytes) = (self.client.batch_size(), 0);
        let fits = |parcel: &&Parcel| {
            bytes += parcel.ops.iter().map(|op| op.size).sum::<usize>();
            parcel.ops.len() == 1 && bytes <= BYTES
        };
        parcels.iter().take(most).take_while(fits).count()
    }

    /// Sets of one step each; `None` when the server does not know `ExecuteMultiple`.
    async fn many(&self, parcels: &[Parcel]) -> Option<Vec<Sent>> {
        let requests = parcels.iter().map(|parcel| parcel.ops[0].request.clone()).collect();
        let settings = Settings { continue_on_error: true, return_responses: false };
        match self.client.multiple(requests, settings, false).await {
            Ok(items) => {
                let sent = |(place, parcel): (usize, &Parcel)| match refused(&items, place) {
                    None => Sent::Done,
                    Some(refusal) => self.said_no(&parcel.ops[0], refusal),
                };
                Some(parcels.iter().enumerate().map(sent).collect())
            }
            Err(Trouble::Refused(refusal, _)) if unknown(&refusal) => {
                self.client.abilities.lose(Ability::Multiple);
                None
            }
            Err(Trouble::Refused(refusal, _)) => {
                Some(parcels.iter().map(|_| Sent::Refused(refusal.clone())).collect())
            }
            Err(Trouble::Lost(fault)) => {
                self.client.shrink(parcels.len());
                Some(parcels.iter().map(|_| Sent::Lost(copy(&fault))).collect())
            }
            Err(Trouble::Fault(fault)) => Some(parcels.iter().map(|_| Sent::Not(copy(&fault))).collect()),
        }
    }

    async fn one(&self, parcel: &Parcel) -> Sent {
        match parcel.ops.as_slice() {
            [_] => self.in_turn(&parcel.ops).await,
            ops if self.client.abilities.has(Ability::Transaction) => match self.transaction(ops).await {
                Some(sent) => sent,
                // Said anew: what is looked at differs without transactions.
                None => Sent::Learned,
            },
            ops if self.client.abilities.has(Ability::Multiple) => match self.until_refused(ops).await {
                Some(sent) => sent,
                None => self.in_turn(ops).await,
            },
            ops => self.in_turn(ops).await,
        }
    }

    /// Together or not at all; `None` when the server does not know `ExecuteTransaction`.
    async fn transaction(&self, ops: &[Op]) -> Option<Sent> {
        let requests = ops.iter().map(|op| op.request.clone()).collect();
        let request = Request::new("ExecuteTransaction")
            .with("Requests", Any::Requests(requests))
            .with("ReturnResponses", Any::Boolean(false));
        match self.client.execute(request, false).await {
            Ok(_) => Some(Sent::Done),
            Err(Trouble::Refused(refusal, None)) if unknown(&refusal) => {
                self.client.abilities.lose(Ability::Transaction);
                None
            }
            Err(Trouble::Refused(refusal, at)) => {
                let guilty = at.and_then(|at| ops.get(at)).map_or(ops, std::slice::from_ref);
                let lesson = guilty.iter().find_map(|op| op.lesson(&refusal));
                Some(match lesson {
                    Some(ability) => self.learned(ability),
                    None => Sent::Refused(refusal),
                })
            }
            Err(Trouble::Lost(fault)) => Some(Sent::Lost(fault)),
            Err(Trouble::Fault(fault)) => Some(Sent::Not(fault)),
        }
    }

    /// One after the other in one message, up to the first that is refused; `None` when the server does not know
    /// `ExecuteMultiple`.
    async fn until_refused(&self, ops: &[Op]) -> Option<Sent> {
        let requests = ops.iter().map(|op| op.request.clone()).collect();
        let settings = Settings { continue_on_error: false, return_responses: false };
        let items = match self.client.multiple(requests, settings, false).await {
            Ok(items) => items,
            Err(Trouble::Refused(refusal, _)) if unknown(&refusal) => {
                self.client.abilities.lose(Ability::Multiple);
                return None;
            }
            Err(Trouble::Refused(refusal, _)) => return Some(Sent::Refused(refusal)),
            Err(Trouble::Lost(fault)) => return Some(Sent::Lost(fault)),
            Err(Trouble::Fault(fault)) => return Some(Sent::Not(fault)),
        };
        let first = (0..ops.len()).find_map(|place| Some((place, refused(&items, place)?)));
        Some(match first {
            None => Sent::Done,
            Some((place, refusal)) => self.broken_off(&ops[..place], &ops[place], refusal).await,
        })
    }

    /// One message after the other.
    async fn in_turn(&self, ops: &[Op]) -> Sent {
        for (place, op) in ops.iter().enumerate() {
            match self.client.send(op.clone().alone(), false).await {
                Ok(_) => {}
                Err(Trouble::Refused(refusal, _)) => {
                    return self.broken_off(&ops[..place], op, refusal).await;
                }
                Err(Trouble::Lost(fault)) => return Sent::Lost(fault),
                Err(Trouble::Fault(fault)) if place == 0 => return Sent::Not(fault),
                // Half of it is done: another look finds the rest.
                Err(Trouble::Fault(fault)) => return Sent::Lost(fault),
            }
        }
        Sent::Done
    }

    /// A step was refused after others were done: the rows that these made go again.
    async fn broken_off(&self, done: &[Op], op: &Op, refusal: Refusal) -> Sent {
        let sent = self.said_no(op, refusal);
        if matches!(&sent, Sent::Refused(refusal) if refusal.limited()) {
            return sent;
        }
        for at in done.iter().rev().filter_map(|op| op.makes.as_ref()) {
            if let Err(trouble) = self.client.send(op::undo(at), true).await {
                let fault = Fault::from(trouble);
                tracing::warn!(event = "crm.half_done", row = %at, "A set of changes was refused, and {at}, which it had made, stays: {fault}");
                break;
            }
        }
        sent
    }

    fn said_no(&self, op: &Op, refusal: Refusal) -> Sent {
        match op.lesson(&refusal) {
            Some(ability) => self.learned(ability),
            None => Sent::Refused(refusal),
        }
    }

    fn learned(&self, ability: Ability) -> Sent {
        self.client.abilities.lose(ability);
        Sent::Learned
    }
}

/// What the server said against the message at this place.
fn refused(items: &[Item], place: usize) -> Option<Refusal> {
    let at = |item: &&Item| usize::try_from(item.index).ok() == Some(place);
    let fault = items.iter().find(at)?.fault.as_ref()?;
    Some(refusal::of(fault, StatusCode::INTERNAL_SERVER_ERROR))
}
