//! Which mail is about an address. The database narrows it down with patterns that let too much through; what comes is
//! compared by the normal form of addresses.

use futures_util::FutureExt;
use postroom_core::{BodyHash, Fault, MailState, address};
use postroom_store::sql::{Condition, Expr, ExprTrait, Func, Order, Query, SelectStatement};
use postroom_store::{Error, Row, Store, Tx};
use uuid::Uuid;

use crate::filing::outcome::StoredDecision;

/// Mails looked at in one go.
const PAGE: u64 = 50;

/// A mail of the person.
pub(super) struct Found {
    pub id: Uuid,
    pub key: Vec<u8>,
    pub state: MailState,
    pub activity: Option<Uuid>,
    /// The decision that stands.
    pub decision: Option<Uuid>,
    pub bodies: Vec<BodyHash>,
    pub sightings: u64,
    /// The activity that the CRM wanted sent, when it is such a mail.
    pub sends: Option<Uuid>,
}

pub(super) struct Page {
    pub found: Vec<Found>,
    /// The last mail that was looked at; `None` at the end.
    pub last: Option<Uuid>,
}

/// The next mails after `after`.
pub(super) async fn page(store: &Store, address: &str, after: Option<Uuid>) -> Result<Page, Fault> {
    let address = address.to_owned();
    let page = store.read(move |tx| async move { page_in(tx, &address, after).await }.boxed()).await;
    page.map_err(|error: Error| Fault::from(error))
}

async fn page_in(tx: &mut Tx, address: &str, after: Option<Uuid>) -> Result<Page, Error> {
    let rows = tx.query(&candidates(address, after)).await?;
    let mut page = Page { found: Vec::new(), last: None };
    for row in rows {
        let id: Uuid = row.at(0)?;
        page.last = Some(id);
        page.found.extend(found(tx, &row, id, address).await?);
    }
    Ok(page)
}

fn candidates(address: &str, after: Option<Uuid>) -> SelectStatement {
    let pattern = pattern(address);
    let like = |table: &'static str, column: &'static str| {
        Expr::expr(Func::lower(Expr::col((table, column)))).like(pattern.clone())
    };
    let of = |table: &'static str, key: &'static str, any: Condition| {
        let inner = Query::select()
            .expr(Expr::cust("1"))
            .from(table)
            .and_where(Expr::col((table, key)).equals(("message", "id")))
            .cond_where(any)
            .to_owned();
        Expr::exists(inner)
    };
    let seen = Condition::any().add(like("sighting", "envelope_from")).add(like("sighting", "recipients"));
    let any = Condition::any()
        .add(Expr::col(("message", "from_address")).eq(address))
        .add(Expr::col(("message", "parties")).like(pattern.clone()))
        .add(of("sighting", "message", seen))
        .add(of(
            "outgoing_recipient",
            "outgoing",
            Condition::any().add(like("outgoing_recipient", "address")),
        ))
        .add(of("outgoing", "id", Condition::any().add(like("outgoing", "reverse_path"))))
        .add(of("decision", "message", Condition::any().add(like("decision", "body"))));
    let mut select = Query::select();
    for column in ["id", "key", "state", "activity_id", "decision_id", "body", "from_address", "parties"] {
        select.column(("message", column));
    }
    select
        .from("message")
        .and_where(Expr::col(("message", "erased_at")).is_null())
        .cond_where(any)
        .order_by(("message", "id"), Order::Asc)
        .limit(PAGE);
    if let Some(after) = after {
        select.and_where(Expr::col(("message", "id")).gt(after));
    }
    select
}

/// Lets through whatever contains the address in any case: what a database may compare otherwise stands for anything.
fn pattern(address: &str) -> String {
    let sure = |letter: char| letter.is_ascii_alphanumeric() || "@.+-".contains(letter);
    let inner: String = address.chars().map(|letter| if sure(letter) { letter } else { '%' }).collect();
    format!("%{inner}%")
}

async fn found(tx: &mut Tx, row: &Row, id: Uuid, address: &str) -> Result<Option<Found>, Error> {
    let (state, from): (String, String) = (row.at(2)?, row.at(6)?);
    let parties: Option<String> = row.at(7)?;
    let mut is_theirs =
        from == address || parties.is_some_and(|parties| parties.split(' ').any(|party| party == address));
    let body: BodyHash = row.at(5)?;
    let (mut bodies, mut sightings) = (vec![body], 0);
    let is = |text: &str| address::normal(text) == address;
    for seen in tx.query(&of("sighting", "message", &["body", "envelope_from", "recipients"], id)).await? {
        sightings += 1;
        let form: BodyHash = seen.at(0)?;
        if !bodies.contains(&form) {
            bodies.push(form);
        }
        let (envelope, recipients): (Option<String>, String) = (seen.at(1)?, seen.at(2)?);
        is_theirs |= envelope.is_some_and(|from| is(&from)) || recipients.lines().any(is);
    }
    let mut sends = None;
    for out in tx.query(&of("outgoing", "id", &["activity_id", "reverse_path"], id)).await? {
        sends = Some(out.at::<Uuid>(0)?);
        is_theirs |= out.at::<Option<String>>(1)?.is_some_and(|from| is(&from));
    }
    for to in tx.query(&of("outgoing_recipient", "outgoing", &["address"], id)).await? {
        is_theirs |= is(&to.at::<String>(0)?);
    }
    if !is_theirs {
        is_theirs = is_reported(tx, id, address).await?;
    }
    let state = state.parse().unwrap_or(MailState::Received);
    let (key, activity, decision) = (row.at(1)?, row.at(3)?, row.at(4)?);
    Ok(is_theirs.then_some(Found { id, key, state, activity, decision, bodies, sightings, sends }))
}

/// Whether it is a delivery report about the address.
async fn is_reported(tx: &mut Tx, id: Uuid, address: &str) -> Result<bool, Error> {
    for decided in tx.query(&of("decision", "message", &["body"], id)).await? {
        let stored: Option<StoredDecision> = serde_json::from_str(&decided.at::<String>(0)?).ok();
        let failed = stored.and_then(|stored| stored.bounce).map(|report| report.recipients);
        if failed.into_iter().flatten().any(|one| address::normal(&one.address) == address) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn of(table: &'static str, key: &'static str, columns: &[&'static str], id: Uuid) -> SelectStatement {
    Query::select().columns(columns.iter().copied()).from(table).and_where(Expr::col(key).eq(id)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_let_through_rather_too_much() {
        assert_eq!(pattern("anna@customer.example"), "%anna@customer.example%");
        assert_eq!(pattern("a_b%c@x.example"), "%a%b%c@x.example%");
        assert_eq!(pattern("\"a b\"@x.example"), "%%a%b%@x.example%");
        assert_eq!(pattern("grü\\n@x.example"), "%gr%%n@x.example%");
    }
}
