//! Lanes seen from outside: which have a job that is still to begin or runs, and the end of what waits in one.

use postroom_store::sql::{Condition, Expr, ExprTrait, LockType, Query};
use postroom_store::{Error, Tx};

use crate::schema::{LEASED, READY, SHELF, in_state};

/// Lanes in one IN list.
const LIST: usize = 500;

/// Of `lanes`, those with a ready job of this kind. The jobs stay unclaimed until the caller's unit ends, so they will see
/// what it writes: no second job is needed for them.
pub async fn ready_lanes(tx: &mut Tx, kind: &str, lanes: &[String]) -> Result<Vec<String>, Error> {
    let mut ready = Vec::new();
    for some in lanes.chunks(LIST) {
        let select = Query::select()
            .column("lane")
            .from("job")
            .and_where(in_state(READY))
            .and_where(Expr::col("kind").eq(kind))
            .and_where(Expr::col("lane").is_in(some.iter().cloned()))
            .lock(LockType::Update)
            .to_owned();
        for row in tx.query(&select).await? {
            ready.push(row.at(0)?);
        }
    }
    Ok(ready)
}

/// Of `lanes`, those with a job that is ready or runs.
pub async fn busy_lanes(tx: &mut Tx, lanes: &[String]) -> Result<Vec<String>, Error> {
    lanes_in(tx, lanes, &[READY, LEASED]).await
}

/// Of `lanes`, those with a job that runs.
pub async fn running_lanes(tx: &mut Tx, lanes: &[String]) -> Result<Vec<String>, Error> {
    lanes_in(tx, lanes, &[LEASED]).await
}

async fn lanes_in(tx: &mut Tx, lanes: &[String], states: &[&'static str]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for some in lanes.chunks(LIST) {
        let mut state = Condition::any();
        for word in states {
            state = state.add(in_state(word));
        }
        let select = Query::select()
            .distinct()
            .column("lane")
            .from("job")
            .and_where(Expr::col("lane").is_in(some.iter().cloned()))
            .cond_where(state)
            .to_owned();
        for row in tx.query(&select).await? {
            found.push(row.at(0)?);
        }
    }
    Ok(found)
}

/// Removes the jobs of these lanes that do not run: nothing is left to be done there. Look for [`running_lanes`] afterwards:
/// one of them may have begun meanwhile.
pub async fn drop_waiting(tx: &mut Tx, lanes: &[String]) -> Result<(), Error> {
    for some in lanes.chunks(LIST) {
        let delete = Query::delete()
            .from_table("job")
            .and_where(Expr::col("lane").is_in(some.iter().cloned()))
            .cond_where(Condition::any().add(in_state(READY)).add(in_state(SHELF)))
            .to_owned();
        tx.execute(&delete).await?;
    }
    Ok(())
}
