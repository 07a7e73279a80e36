//! Which lanes have a job that is still to begin.

use postroom_store::sql::{Expr, ExprTrait, LockType, Query};
use postroom_store::{Error, Tx};

use crate::schema::{READY, in_state};

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
