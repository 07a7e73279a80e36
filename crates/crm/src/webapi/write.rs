//! Sets of changes as batches: each is one atomic change set, and many sets share a batch.
//!
//! A server without batches gets one request after the other; what was made before a refusal is taken back, and as ids are the
//! caller's, what was half done when an answer was lost is finished by a repeat.

use http::Method;
use postroom_core::{Change, ChangeSet, Code, Fault};
use postroom_formats::odata::batch::{BatchAnswer, BatchItem, MAX_OPERATIONS};

use super::api::Api;
use super::op::Op;
use super::refusal::{Refusal, codes};
use super::wire::Ask;
use crate::client::line::Trouble;
use crate::promises::lot;
use crate::promises::write::{self, Sent, copy};

/// Bytes of one batch, roughly; a single set may be larger.
const BYTES: usize = 8 << 20;

pub(super) type Parcel = write::Parcel<Op>;

impl Api {
    /// Sends sets; the answers stand in their order.
    pub(super) async fn sets(&self, sets: &[ChangeSet], parcels: &[Parcel]) -> Vec<Sent> {
        let mut sent = Vec::with_capacity(parcels.len());
        while sent.len() < parcels.len() {
            let rest = &parcels[sent.len()..];
            let same = self.multiples(sets, rest);
            if same > 1 {
                match self.send_multiple(sets, &rest[..same]).await {
                    Some(answers) => {
                        sent.extend(answers);
                        continue;
                    }
                    // The server does not know the message.
                    None => continue,
                }
            }
            if !self.batches() {
                sent.push(self.send_plainly(&rest[0]).await);
                continue;
            }
            let count = self.fitting(rest);
            sent.extend(self.send_batch(&rest[..count]).await);
        }
        parcels.iter().zip(sent).map(|(parcel, sent)| self.learnt(&sets[parcel.at], sent)).collect()
    }

    /// A refusal that says what the server cannot: the set is said in another way.
    fn learnt(&self, set: &ChangeSet, sent: Sent) -> Sent {
        match sent {
            Sent::Refused(refusal) if refusal.code == codes::NO_CONCURRENCY => {
                let compared =
                    |change: &&Change| matches!(change, Change::UpdateIf(..) | Change::DeleteIf(_, Some(_)));
                let tables = set.changes.iter().filter(compared).map(|change| &lot::target(change).table);
                tables.for_each(|table| self.no_conditions(table));
                Sent::Learned
            }
            sent => sent,
        }
    }

    /// How many of these go in one batch.
    fn fitting(&self, parcels: &[Parcel]) -> usize {
        let (mut ops, mut bytes) = (0, 0);
        let most = self.line.batch_size();
        let fits = |parcel: &&Parcel| {
            ops += parcel.ops.len();
            bytes += parcel.ops.iter().map(|op| op.body.len() + 300).sum::<usize>();
            ops <= most && bytes <= BYTES
        };
        parcels.iter().take_while(fits).count().max(1)
    }

    async fn send_batch(&self, parcels: &[Parcel]) -> Vec<Sent> {
        let ops: usize = parcels.iter().map(|parcel| parcel.ops.len()).sum();
        if ops > MAX_OPERATIONS {
            let text = format!("a set of {ops} writes is more than the {MAX_OPERATIONS} that go together");
            return parcels
                .iter()
                .map(|_| Sent::Not(Fault::reject(Code::CRM_REFUSED, text.clone())))
                .collect();
        }
        let items: Vec<BatchItem> = parcels.iter().map(|parcel| self.item(&parcel.ops)).collect();
        match self.batch(&items, false).await {
            Ok(answers) if answers.len() == items.len() => answers.into_iter().map(read).collect(),
            // It stopped, or was cut: what was done is looked at.
            Ok(_) => parcels.iter().map(|_| Sent::Lost(cut_off())).collect(),
            Err(Trouble::Refused(refusal)) if refusal.unknown_here() => {
                self.no_batches();
                let mut sent = Vec::with_capacity(parcels.len());
                for parcel in parcels {
                    sent.push(self.send_plainly(parcel).await);
                }
                sent
            }
            Err(Trouble::Refused(refusal)) => {
                parcels.iter().map(|_| Sent::Refused(refusal.clone())).collect()
            }
            Err(Trouble::Lost(fault)) => parcels.iter().map(|_| Sent::Lost(copy(&fault))).collect(),
            Err(Trouble::Fault(fault)) => parcels.iter().map(|_| Sent::Not(copy(&fault))).collect(),
        }
    }

    fn item(&self, ops: &[Op]) -> BatchItem {
        let request = |(number, op): (usize, &Op)| {
            let mut request = self.part(op.method, &op.path, "", op.body.clone());
            let condition = op.condition.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            request.headers.extend(condition);
            request.content_id = Some((number + 1).to_string());
            request
        };
        BatchItem::ChangeSet(ops.iter().enumerate().map(request).collect())
    }

    /// One request after the other: what was made is taken back when one is refused. A set may stay half done when answers are
    /// lost, and is finished when it is repeated.
    async fn send_plainly(&self, parcel: &Parcel) -> Sent {
        for (place, op) in parcel.ops.iter().enumerate() {
            match self.exchange(&self.plain(op)).await {
                Ok(_) => {}
                Err(Trouble::Refused(refusal)) => {
                    return self.broken_off(&parcel.ops[..place], refusal).await;
                }
                Err(Trouble::Lost(fault)) => return Sent::Lost(fault),
                Err(Trouble::Fault(fault)) if place == 0 => return Sent::Not(fault),
                // Half of it is done: another look finds the rest.
                Err(Trouble::Fault(fault)) => return Sent::Lost(fault),
            }
        }
        Sent::Done
    }

    fn plain(&self, op: &Op) -> Ask {
        let mut headers: Vec<(&'static str, String)> = op.condition.iter().cloned().collect();
        if !op.body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let method = Method::from_bytes(op.method.as_bytes()).unwrap_or(Method::POST);
        Ask {
            method,
            url: self.url(&op.path),
            headers,
            body: op.body.clone().into(),
            repeatable: false,
            writes: 1,
        }
    }

    /// A request was refused after others were done: the rows that these made go again.
    async fn broken_off(&self, done: &[Op], refusal: Refusal) -> Sent {
        if refusal.limited() {
            return Sent::Refused(refusal);
        }
        for row in done.iter().rev().filter_map(|op| op.makes.as_ref()) {
            let ask = Ask { method: Method::DELETE, ..Ask::get(self.url(row)) };
            match self.exchange(&ask).await {
                Ok(_) => {}
                Err(Trouble::Refused(refusal)) if refusal.missing() => {}
                Err(trouble) => {
                    write::stays(row, &Fault::from(trouble));
                    break;
                }
            }
        }
        Sent::Refused(refusal)
    }
}

fn read(answer: BatchAnswer) -> Sent {
    let failed = match &answer {
        BatchAnswer::One(response) => Some(response).filter(|response| response.status >= 400),
        BatchAnswer::ChangeSet(responses) => responses.iter().find(|response| response.status >= 400),
    };
    match failed {
        None => Sent::Done,
        Some(response) => {
            let status = http::StatusCode::from_u16(response.status).unwrap_or_default();
            Sent::Refused(Refusal::read(status, &response.body))
        }
    }
}

fn cut_off() -> Fault {
    Fault::retry(Code::CRM_AWAY, "the answer to a batch of writes was cut off")
}
