//! Reads of a caller who sees changes that are not made yet: in one unit they are made, the read is done, and the unit is
//! taken back. So a request of a change set sees what the requests before it stand for, with everything that the server
//! adds (ids, defaults, parties, rights), and nothing is there before the whole set is.

use std::convert::Infallible;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::{Change, ChangeSet, RecordRef};
use postroom_store::Error;

use super::permission::{self, Stopped};
use super::{Asks, Reader, Session};
use crate::access::Callers;
use crate::content;
use crate::failure::Failure;
use crate::lot::Writer;

/// Why the unit is taken back: it always is.
enum Back<T> {
    Seen(Result<T, Failure>),
    Store(Error),
}

impl<T> From<Error> for Back<T> {
    fn from(error: Error) -> Self {
        Back::Store(error)
    }
}

impl Session {
    /// One read.
    pub(super) async fn look<T, F>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(Reader<'t>) -> BoxFuture<'t, Result<T, Failure>> + Send + 'static,
    {
        let (cache, asks, now) = (self.crm.cache.clone(), self.asks(), self.crm.clock.now());
        if self.pending.is_empty() {
            let read = self.crm.store.read(move |tx| work(Reader { tx, cache, asks, now }));
            return read.await;
        }
        // Rights that are read where these changes are made are nobody's once the unit is taken back: they are not kept.
        let asks = Asks { callers: Callers::default(), ..asks };
        let mut sets = vec![ChangeSet { changes: self.pending.to_vec() }];
        let files = content::store_files(&mut sets);
        let writer = Writer { acting: self.user(), now };
        let unit = self.crm.change(move |tx| {
            async move {
                let put = permission::put(tx, cache.clone(), asks.clone(), writer, files, sets).await;
                let (.., mut answers) = put.map_err(|stopped| match stopped {
                    Stopped::Denied(error) => Back::Seen(Err(error.into())),
                    Stopped::Store(error) => Back::Store(error),
                })?;
                answers.pop().expect("one set gives one answer").map_err(|error| Back::Seen(Err(error)))?;
                Err::<Infallible, Back<T>>(Back::Seen(work(Reader { tx, cache, asks, now }).await))
            }
            .boxed()
        });
        match unit.await {
            Err(Back::Seen(seen)) => seen,
            Err(Back::Store(error)) => Err(error.into()),
            Ok(never) => match never {},
        }
    }
}

impl Session {
    /// What a caller who saw `pending` prepared, to be done in one set with it: versions that he read of rows in it were
    /// taken back with the rest.
    pub(crate) fn settle(pending: &[Change], changes: Vec<Change>) -> Vec<Change> {
        let moved = |at: &RecordRef| pending.iter().any(|change| permission::of(change).0 == at);
        let settled = |change| match change {
            Change::UpdateIf(record, _) if moved(&record.at) => Change::Update(record),
            Change::DeleteIf(at, _) if moved(&at) => Change::DeleteIf(at, None),
            change => change,
        };
        changes.into_iter().map(settled).collect()
    }

    /// Whether a text names a row of `pending` by its id.
    pub(crate) fn names_one(pending: &[Change], text: &str) -> bool {
        pending.iter().any(|change| text.contains(&permission::of(change).0.id.to_string()))
    }
}
