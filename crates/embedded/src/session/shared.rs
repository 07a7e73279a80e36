//! Change sets that share rows: GrantAccess, ModifyAccess and RevokeAccess as requests among others.
//!
//! What is shared depends on what stands there: the row, those that follow it, what the caller may do with each. So a share
//! is worked out in the unit that writes, after the changes before it and before those after it, and the unit stands or
//! falls as one.

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Outcome};
use postroom_store::Tx;
use postroom_store::body::Body;

use super::permission::{self, Stopped};
use super::{Asks, Session};
use crate::access::{Callers, Share};
use crate::failure::Failure;
use crate::lot::{self, Writer};
use crate::schema::registry::Cache;
use crate::{content, solutions};

/// One part of a set, in its order.
enum Step {
    Changes(Vec<Change>),
    Share(Share),
}

impl Session {
    /// One set with shares in it; the number of each says how many changes stand before it. Outcomes are those of the
    /// changes. A change may name rows of changes after it as far as the next share.
    pub async fn write_shared(
        &self,
        set: ChangeSet,
        shares: Vec<(usize, Share)>,
    ) -> Result<Vec<Outcome>, Failure> {
        if shares.is_empty() {
            return self.write(set).await;
        }
        let mut sets = vec![set];
        solutions::not_among(&sets)?;
        let files = content::store_files(&mut sets);
        let steps = steps(sets.pop().map(|set| set.changes).unwrap_or_default(), shares);
        // What a unit reads that has already written is no rights to be kept: the unit may yet be taken back.
        let asks = Asks { callers: Callers::default(), ..self.asks() };
        let (cache, writer) =
            (self.crm.cache.clone(), Writer { acting: self.user(), now: self.crm.clock.now() });
        let unit = self.crm.change(move |tx| in_order(tx, cache, asks, writer, files, steps).boxed());
        unit.await
    }
}

fn steps(changes: Vec<Change>, shares: Vec<(usize, Share)>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut changes = changes.into_iter();
    let mut taken = 0;
    for (place, share) in shares {
        let before: Vec<Change> = changes.by_ref().take(place.saturating_sub(taken)).collect();
        taken += before.len();
        if !before.is_empty() {
            steps.push(Step::Changes(before));
        }
        steps.push(Step::Share(share));
    }
    let rest: Vec<Change> = changes.collect();
    if !rest.is_empty() {
        steps.push(Step::Changes(rest));
    }
    steps
}

async fn in_order(
    tx: &mut Tx,
    cache: Cache,
    asks: Asks,
    writer: Writer,
    mut files: Vec<Body>,
    steps: Vec<Step>,
) -> Result<Vec<Outcome>, Failure> {
    // Writers go one after the other: what is found to be allowed stays so until it is written.
    lot::begin(tx).await?;
    let mut outcomes = Vec::new();
    for step in steps {
        match step {
            Step::Changes(changes) => {
                let (files, set) = (std::mem::take(&mut files), vec![ChangeSet { changes }]);
                let put = permission::put(tx, cache.clone(), asks.clone(), writer, files, set).await;
                let (.., mut answers) = put.map_err(|stopped| match stopped {
                    Stopped::Denied(error) => Failure::from(error),
                    Stopped::Store(error) => error.into(),
                })?;
                outcomes.extend(answers.pop().expect("one set gives one answer")?);
            }
            Step::Share(share) => {
                let schema = cache.current(tx).await?;
                let caller = asks.caller(tx, &schema).await?;
                let changes = share.changes(tx, &caller).await?;
                if !changes.is_empty() {
                    // As the platform itself: the rows are nobody's to write.
                    let mut answers =
                        lot::apply(tx, schema, writer, None, vec![ChangeSet { changes }]).await?;
                    answers.pop().expect("one set gives one answer")?;
                }
            }
        }
    }
    Ok(outcomes)
}
