//! What became of calls: the faults of each person, and those whose answer was lost.

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::SignedDuration;
use postroom_core::Fault;
use postroom_core::marketing::{Ask, EnrolmentFault, EnrolmentId, EnrolmentStatus};
use postroom_store::sql::{Expr, ExprTrait};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::row::{self as calls, Enrolment, State as Call};
use crate::consent::reason::{Meaning, meaning};
use crate::sends::single::row::{self, State};
use crate::sync::{Halt, Turn};

/// The service's clock may be a little behind itself.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Looks at every call that has not ended.
pub(super) async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    for mut call in turn.read(move |tx| async move { calls::open(tx, &account).await }.boxed()).await? {
        let before = call.state;
        match (call.state, call.service.clone()) {
            // Left behind by a process that died, or its answer was lost: is it there?
            (Call::Intent | Call::Unknown, _) => {
                match found(turn, &call).await? {
                    Some(id) => (call.state, call.service, call.reason) = (Call::Made, Some(id), None),
                    None => {
                        call.state = Call::Unknown;
                        let why = "nobody can tell whether the people were put into the program: look at it at the service";
                        call.reason.get_or_insert_with(|| why.to_owned());
                    }
                }
                if call.state != before {
                    settle(turn, call, before, &[]).await?;
                }
            }
            (Call::Made, Some(id)) => {
                let id = EnrolmentId(id);
                if turn.account.service.enrolment(&id).await?.status == EnrolmentStatus::Processing {
                    continue;
                }
                if let Some(faults) = turn.account.service.enrolment_faults(&id).await? {
                    call.state = Call::Done;
                    settle(turn, call, before, &faults).await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The service's enrolment that is this call: of the same people into the same program, made since.
async fn found(turn: &Turn, call: &Enrolment) -> Result<Option<String>, Fault> {
    for status in [EnrolmentStatus::Processing, EnrolmentStatus::Finished] {
        let mut ask = Ask::default();
        loop {
            let page = turn.account.service.enrolments(&status, &ask).await?;
            let is_it = |made: &postroom_core::marketing::Enrolment| {
                made.program.0 == call.program
                    && calls::digest(&made.people) == call.digest
                    && made.created.is_some_and(|at| at >= call.at - GRACE)
            };
            if let Some(made) = page.rows.into_iter().find(is_it) {
                return Ok(Some(made.id.0));
            }
            match page.next {
                Some(next) => ask = ask.after(next),
                None => break,
            }
        }
    }
    Ok(None)
}

/// Writes where a call is, and where that leaves each of its people.
pub(super) async fn settle(
    turn: &Turn,
    call: Enrolment,
    before: Call,
    faults: &[EnrolmentFault],
) -> Result<(), Fault> {
    let faults: HashMap<i64, String> =
        faults.iter().filter_map(|fault| Some((fault.contact.as_ref()?.0, fault.reason.clone()))).collect();
    let unit = turn.engine.store.write("marketing.program_settled", move |tx| {
        async move {
            calls::save(tx, &call, before).await?;
            let mut hers = row::select();
            hers.and_where(Expr::col("enrolment").eq(call.id));
            let mut people = row::load(tx, &hers).await?;
            // What a person decided stays decided.
            people.retain(|single| single.details.decided.is_none());
            for single in &mut people {
                let fault = single.details.contact.and_then(|contact| faults.get(&contact));
                match (call.state, fault) {
                    (Call::Done, Some(reason)) => refused(single, reason),
                    (Call::Done, None) => single.end(State::Done, None),
                    (Call::Made, _) => single.end(State::Made, None),
                    (Call::Refused, _) => single.end(State::Failed, call.reason.clone()),
                    (Call::Unknown | Call::Intent, _) => single.end(State::Unknown, call.reason.clone()),
                }
            }
            row::save(tx, &mut people).await
        }
        .boxed()
    });
    let stored: Result<(), Error> = unit.await;
    Ok(stored?)
}

/// Closes a call about all of whose people somebody decided: it is looked for no more.
pub(crate) async fn decided(tx: &mut Tx, call: Uuid) -> Result<(), Error> {
    let mut hers = row::select();
    hers.and_where(Expr::col("enrolment").eq(call));
    match row::load(tx, &hers).await?.iter().all(|single| single.details.decided.is_some()) {
        true => calls::close(tx, call).await,
        false => Ok(()),
    }
}

/// A person whom the service did not put in.
fn refused(single: &mut row::Single, reason: &str) {
    // The service's own spelling of one word.
    let word = if reason.eq_ignore_ascii_case("Unsubcribed") { "Unsubscribed" } else { reason };
    let opted_out = matches!(meaning(&word.into()), Meaning::Consent | Meaning::Deliverability);
    let state = if opted_out { State::Blocked } else { State::Failed };
    if opted_out {
        single.details.block = Some("Suppressed".to_owned());
    }
    single.end(state, Some(format!("the service did not put the person into the program: {word}")));
}
