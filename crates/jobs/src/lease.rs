//! Who is alive: each process bumps a number, the others watch it.
//!
//! No wall clock takes part. A process is taken for dead when its number has not moved for the length of a lease, counted
//! by the watcher's own monotonic clock and only while the watcher itself saw the table: after an outage of the database
//! or a pause of the watcher nobody is taken for dead at once.

use std::collections::BTreeMap;
use std::time::Duration;

use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Store, Tx};
use tokio::time::Instant;
use uuid::Uuid;

use crate::claim::{Whose, give_back};
use crate::events::LeasesLost;
use crate::schema::{LEASED, in_state};

/// The beat of a worker that holds jobs though it has no row: there is none to move.
const NO_ROW: i64 = -1;

/// Bumps our number, writes our row anew when somebody took us for dead, and answers everybody's numbers.
pub(crate) async fn beat(store: &Store, me: Uuid, name: String) -> Result<Vec<(Uuid, i64)>, Error> {
    store.write("jobs.beat", move |tx| Box::pin(async move { bump_and_look(tx, me, name).await })).await
}

async fn bump_and_look(tx: &mut Tx, me: Uuid, name: String) -> Result<Vec<(Uuid, i64)>, Error> {
    let mut bump = Query::update();
    bump.table("worker").value("beat", Expr::col("beat").add(1_i64)).and_where(Expr::col("id").eq(me));
    if tx.execute(&bump).await? == 0 {
        let mut row = Insert::into("worker", &["id", "beat", "name"]);
        row.row([me.into(), 0_i64.into(), name.into()]);
        tx.insert(&row).await?;
    }
    let mut beats = BTreeMap::new();
    let holders =
        Query::select().distinct().column("worker").from("job").and_where(in_state(LEASED)).to_owned();
    for row in tx.query(&holders).await? {
        beats.extend(row.at::<Option<Uuid>>(0)?.map(|holder| (holder, NO_ROW)));
    }
    for row in tx.query(&Query::select().columns(["id", "beat"]).from("worker").to_owned()).await? {
        beats.insert(row.at(0)?, row.at(1)?);
    }
    Ok(beats.into_iter().filter(|(worker, _)| *worker != me).collect())
}

/// Takes back the jobs of a worker whose number still stands at `beat`; answers how many.
pub(crate) async fn bury(store: &Store, worker: Uuid, beat: i64) -> Result<u64, Error> {
    let given = store.write("jobs.bury", move |tx| {
        Box::pin(async move {
            let mut delete = Query::delete();
            delete.from_table("worker").and_where(Expr::col("id").eq(worker));
            if beat != NO_ROW {
                delete.and_where(Expr::col("beat").eq(beat));
                if tx.execute(&delete).await? == 0 {
                    return Ok(None); // it moved after all, or somebody else was quicker
                }
            }
            give_back(tx, Whose::Dead(worker)).await.map(Some)
        })
    });
    let given: Option<u64> = given.await?;
    if let Some(count) = given.filter(|count| *count > 0) {
        LeasesLost { worker, count }.emit();
    }
    Ok(given.unwrap_or(0))
}

/// Leaves in order: gives our jobs back and removes our row.
pub(crate) async fn leave(store: &Store, me: Uuid) -> Result<(), Error> {
    store
        .write("jobs.leave", move |tx| {
            Box::pin(async move {
                give_back(tx, Whose::Stopping(me)).await?;
                let delete =
                    Query::delete().from_table("worker").and_where(Expr::col("id").eq(me)).to_owned();
                tx.execute(&delete).await.map(drop)
            })
        })
        .await
}

/// What one process knows of the others' numbers.
#[derive(Debug)]
pub(crate) struct Watch {
    lease: Duration,
    /// The longest time between two looks that counts as seen.
    gap: Duration,
    looked: Option<Instant>,
    others: BTreeMap<Uuid, Seen>,
}

#[derive(Debug)]
struct Seen {
    beat: i64,
    still: Duration,
}

impl Watch {
    pub(crate) fn new(lease: Duration, beat: Duration) -> Self {
        Watch { lease, gap: beat * 2, looked: None, others: BTreeMap::new() }
    }

    /// Takes in a look at the table; answers those that have stood still for a whole lease.
    pub(crate) fn look(&mut self, beats: &[(Uuid, i64)], now: Instant) -> Vec<(Uuid, i64)> {
        let passed = self.looked.map_or(Duration::ZERO, |looked| (now - looked).min(self.gap));
        self.looked = Some(now);
        let mut dead = Vec::new();
        let mut others = BTreeMap::new();
        for (worker, beat) in beats {
            let still = match self.others.get(worker) {
                Some(seen) if seen.beat == *beat => seen.still + passed,
                _ => Duration::ZERO,
            };
            if still >= self.lease {
                dead.push((*worker, *beat));
            }
            others.insert(*worker, Seen { beat: *beat, still });
        }
        self.others = others;
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);
    const BEAT: Duration = Duration::from_secs(3);

    /// Looks at one other process whose number stands at each of `beats`, `every` apart; says after which look it is
    /// taken for dead.
    fn check_dead(beats: &[i64], every: Duration, expected: Option<usize>) {
        let (mut watch, start) = (Watch::new(LEASE, BEAT), Instant::now());
        let other = Uuid::from_u128(7);
        let dead = beats
            .iter()
            .enumerate()
            .position(|(look, beat)| !watch.look(&[(other, *beat)], start + every * look as u32).is_empty());
        assert_eq!(dead, expected, "{beats:?} every {every:?}");
    }

    #[test]
    fn only_those_that_stand_still_for_a_lease_are_dead() {
        check_dead(&[1, 1, 1, 1, 1], BEAT, None);
        check_dead(&[1, 1, 1, 1, 1, 1], BEAT, Some(5));
        check_dead(&[1, 1, 1, 1, 1, 2, 2, 2, 2], BEAT, None);
        check_dead(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], BEAT, None);
        check_dead(&[NO_ROW; 6], BEAT, Some(5));
    }

    #[test]
    fn a_watcher_that_slept_counts_little() {
        check_dead(&[1, 1], Duration::from_secs(3_600), None);
        check_dead(&[1, 1, 1, 1], Duration::from_secs(3_600), Some(3));
    }

    #[test]
    fn a_process_that_went_is_forgotten() {
        let (mut watch, start) = (Watch::new(LEASE, BEAT), Instant::now());
        let other = Uuid::from_u128(7);
        assert!(watch.look(&[(other, 1)], start).is_empty());
        assert!(watch.look(&[], start + LEASE).is_empty());
        assert!(watch.look(&[(other, 1)], start + LEASE * 2).is_empty());
    }
}
