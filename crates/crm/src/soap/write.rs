//! Sets of changes as messages: many sets of one step in one `ExecuteMultiple`, each set of several as an
//! `ExecuteTransaction`; on older servers one step after the other, and what was made is taken back when one is refused.

use http::StatusCode;
use postroom_core::Fault;
use postroom_formats::soap::reply::Item;
use postroom_formats::soap::request::{Request, Settings};
use postroom_formats::soap::value::Any;

use super::ability::Ability;
use super::op::{self, Op};
use super::refusal::{self, unknown};
use super::service::Service;
use crate::client::line::Trouble;
use crate::promises::write::{self, Sent, copy};
use crate::refusal::Refusal;

/// Bytes of one message, roughly; a single set may be larger.
const BYTES: usize = 8 << 20;

type Parcel = write::Parcel<Op>;

impl Service {
    /// Sends sets; the answers stand in their order.
    pub(super) async fn sets(&self, parcels: &[Parcel]) -> Vec<Sent> {
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

    /// How many of the first sets are single steps that go in one message.
    fn alike(&self, parcels: &[Parcel]) -> usize {
        if !self.abilities.has(Ability::Multiple) {
            return 0;
        }
        let (most, mut bytes) = (self.line.batch_size(), 0);
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
        match self.multiple(requests, settings, false).await {
            Ok(items) => {
                let sent = |(place, parcel): (usize, &Parcel)| match refused(&items, place) {
                    None => Sent::Done,
                    Some(refusal) => self.said_no(&parcel.ops[0], refusal),
                };
                Some(parcels.iter().enumerate().map(sent).collect())
            }
            Err(Trouble::Refused(refusal)) if unknown(&refusal) => {
                self.abilities.lose(Ability::Multiple);
                None
            }
            Err(Trouble::Refused(refusal)) => {
                Some(parcels.iter().map(|_| Sent::Refused(refusal.clone())).collect())
            }
            Err(Trouble::Lost(fault)) => Some(parcels.iter().map(|_| Sent::Lost(copy(&fault))).collect()),
            Err(Trouble::Fault(fault)) => Some(parcels.iter().map(|_| Sent::Not(copy(&fault))).collect()),
        }
    }

    async fn one(&self, parcel: &Parcel) -> Sent {
        match parcel.ops.as_slice() {
            [_] => self.in_turn(&parcel.ops).await,
            ops if self.abilities.has(Ability::Transaction) => match self.transaction(ops).await {
                Some(sent) => sent,
                // Said anew: what is looked at differs without transactions.
                None => Sent::Learned,
            },
            ops if self.abilities.has(Ability::Multiple) => match self.until_refused(ops).await {
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
        match self.execute(request, false).await {
            Ok(_) => Some(Sent::Done),
            Err(Trouble::Refused(refusal)) if refusal.step.is_none() && unknown(&refusal) => {
                self.abilities.lose(Ability::Transaction);
                None
            }
            Err(Trouble::Refused(refusal)) => {
                let guilty = refusal.step.and_then(|at| ops.get(at)).map_or(ops, std::slice::from_ref);
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
        let items = match self.multiple(requests, settings, false).await {
            Ok(items) => items,
            Err(Trouble::Refused(refusal)) if unknown(&refusal) => {
                self.abilities.lose(Ability::Multiple);
                return None;
            }
            Err(Trouble::Refused(refusal)) => return Some(Sent::Refused(refusal)),
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
            match self.tell(op.clone().alone(), false).await {
                Ok(_) => {}
                Err(Trouble::Refused(refusal)) => {
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
            if let Err(trouble) = self.tell(op::undo(at), true).await {
                write::stays(&at.to_string(), &Fault::from(trouble));
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
        self.abilities.lose(ability);
        Sent::Learned
    }
}

/// What the server said against the message at this place.
fn refused(items: &[Item], place: usize) -> Option<Refusal> {
    let at = |item: &&Item| usize::try_from(item.index).ok() == Some(place);
    let fault = items.iter().find(at)?.fault.as_ref()?;
    Some(refusal::of(fault, StatusCode::INTERNAL_SERVER_ERROR))
}
