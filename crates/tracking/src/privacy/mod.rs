//! Privacy: what is not kept for ever.
//!
//! # Design
//!
//! * [`purging`]: the body of a mail that is not tracked goes after a set time. Headers, reason and identity stay.
//! * [`erasing`]: everything of the mail from or to one address goes, here and in the CRM, and a receipt says what.
//! * Either way the mail's identity key stays, so that a re-scan adds nothing, and its bytes are replaced by other bytes: by
//!   the header block alone, or by [`tombstone`].
//! * A body goes only when nobody refers to it any more ([`postroom_store::doomed`]); [`Bodies`] answers for the tables of
//!   this area.
//!
//! What is absent: who may ask for it and the audit trail (operations), and mail in the mailboxes themselves.

pub mod erasing;
pub mod purging;
mod reduce;
pub(crate) mod schema;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::BodyHash;
use postroom_store::body::Body;
use postroom_store::doomed::Holder;
use postroom_store::sql::{Expr, ExprTrait, Query, Value};
use postroom_store::{Error, Tx};

/// What stands in place of an erased mail: it reads as a mail without content.
const TOMBSTONE: &[u8] = b"Subject: Erased on request\r\n\r\n";

/// The body of every erased mail.
pub(crate) fn tombstone() -> Body {
    Body::prepare(TOMBSTONE)
}

/// The rows of this area that refer to bodies.
pub struct Bodies;

impl Holder for Bodies {
    fn held<'t>(
        &'t self,
        tx: &'t mut Tx,
        among: &'t [BodyHash],
    ) -> BoxFuture<'t, Result<Vec<BodyHash>, Error>> {
        async move {
            let mut held = Vec::new();
            for table in ["message", "sighting", "outgoing"] {
                let hashes = among.iter().map(|hash| Value::from(hash.0.to_vec()));
                let select = Query::select()
                    .distinct()
                    .column("body")
                    .from(table)
                    .and_where(Expr::col("body").is_in(hashes))
                    .to_owned();
                for row in tx.query(&select).await? {
                    held.push(row.at(0)?);
                }
            }
            Ok(held)
        }
        .boxed()
    }
}
