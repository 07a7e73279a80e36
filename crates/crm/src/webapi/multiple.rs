//! Many new rows of one table in one message: `CreateMultiple` (dataverse.md A13).
//!
//! The message is all or nothing, so rows that are refused are found by halving: the good ones among them still go together.
//! A server that does not know the message is asked once.

use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Method;
use postroom_core::{Change, ChangeSet};

use super::api::Api;
use super::body::quoted;
use super::wire::Ask;
use super::write::Parcel;
use crate::client::line::Trouble;
use crate::promises::write::{Sent, copy, lone_new_row};

/// Fewer rows than these are as well off in a batch.
const LEAST: usize = 10;

/// Why rows were not made.
enum Fail {
    /// The server has no such message.
    Unknown,
    Other(Sent),
}

impl Api {
    /// How many of the first sets are new rows of the same table, each by itself; 0 or 1 is none.
    pub(super) fn multiples(&self, sets: &[ChangeSet], parcels: &[Parcel]) -> usize {
        if !self.can.multiple.load(Ordering::Relaxed) {
            return 0;
        }
        let new = |parcel: &Parcel| {
            let op = parcel.ops.first().filter(|op| op.method == "POST")?;
            let row = lone_new_row(&sets[parcel.at]).filter(|_| parcel.ops.len() == 1)?;
            Some((row.at.table.clone(), op.path.clone()))
        };
        let Some(first) = parcels.first().and_then(new) else { return 0 };
        let most = self.line.batch_size();
        let same =
            parcels.iter().take(most).take_while(|parcel| new(parcel).as_ref() == Some(&first)).count();
        if same >= LEAST { same } else { 0 }
    }

    /// What became of each of them; `None` when the server does not know the message.
    pub(super) async fn send_multiple(&self, sets: &[ChangeSet], parcels: &[Parcel]) -> Option<Vec<Sent>> {
        self.halves(sets, parcels).await
    }

    fn halves<'f>(
        &'f self,
        sets: &'f [ChangeSet],
        parcels: &'f [Parcel],
    ) -> BoxFuture<'f, Option<Vec<Sent>>> {
        async move {
            match self.create_multiple(sets, parcels).await {
                Ok(()) => Some(parcels.iter().map(|_| Sent::Done).collect()),
                Err(Fail::Unknown) => None,
                // Some are there already: a look finds them all at once.
                Err(Fail::Other(Sent::Refused(refusal)))
                    if refusal.duplicate() && parcels.iter().all(|parcel| repeats(&sets[parcel.at])) =>
                {
                    Some(parcels.iter().map(|_| Sent::Refused(refusal.clone())).collect())
                }
                Err(Fail::Other(Sent::Refused(refusal))) => match parcels {
                    [_] => Some(vec![Sent::Refused(refusal)]),
                    _ => {
                        let (left, right) = parcels.split_at(parcels.len() / 2);
                        let mut sent = self.halves(sets, left).await?;
                        sent.extend(self.halves(sets, right).await?);
                        Some(sent)
                    }
                },
                Err(Fail::Other(sent)) => Some(parcels.iter().map(|_| same(&sent)).collect()),
            }
        }
        .boxed()
    }

    async fn create_multiple(&self, sets: &[ChangeSet], parcels: &[Parcel]) -> Result<(), Fail> {
        let table = lone_new_row(&sets[parcels[0].at]).map_or("", |row| row.at.table.as_str());
        let kind = format!("\"@odata.type\":{}", quoted(&format!("Microsoft.Dynamics.CRM.{table}")));
        let mut body = b"{\"Targets\":[".to_vec();
        for (number, parcel) in parcels.iter().enumerate() {
            let op = &parcel.ops[0];
            body.extend_from_slice(if number > 0 { b",{" } else { b"{" });
            body.extend_from_slice(kind.as_bytes());
            if op.body.len() > 2 {
                body.push(b',');
            }
            body.extend_from_slice(&op.body[1..]);
        }
        body.extend_from_slice(b"]}");
        let path = format!("{}/Microsoft.Dynamics.CRM.CreateMultiple", parcels[0].ops[0].path);
        let headers = vec![("content-type", "application/json".to_owned())];
        let (url, writes) = (self.url(&path), parcels.len());
        let ask = Ask { method: Method::POST, url, headers, body: body.into(), repeatable: false, writes };
        match self.exchange(&ask).await {
            Ok(_) => Ok(()),
            Err(Trouble::Refused(refusal)) if refusal.unknown_here() => {
                tracing::info!(
                    event = "crm.no_multiple",
                    "This CRM has no CreateMultiple: rows go in batches"
                );
                self.can.multiple.store(false, Ordering::Relaxed);
                Err(Fail::Unknown)
            }
            Err(Trouble::Refused(refusal)) => Err(Fail::Other(Sent::Refused(refusal))),
            Err(Trouble::Lost(fault)) => Err(Fail::Other(Sent::Lost(fault))),
            Err(Trouble::Fault(fault)) => Err(Fail::Other(Sent::Not(fault))),
        }
    }
}

/// Whether a row that is there already is no mistake.
fn repeats(set: &ChangeSet) -> bool {
    !set.changes.iter().any(|change| matches!(change, Change::CreateNew(_)))
}

fn same(sent: &Sent) -> Sent {
    match sent {
        Sent::Done => Sent::Done,
        Sent::Refused(refusal) => Sent::Refused(refusal.clone()),
        Sent::Lost(fault) => Sent::Lost(copy(fault)),
        Sent::Not(fault) => Sent::Not(copy(fault)),
        Sent::Learned => Sent::Learned,
    }
}
