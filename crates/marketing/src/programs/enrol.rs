//! Whoever waits for a program is put into it, all in one call.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use jiff::SignedDuration;
use postroom_core::marketing::{Audience, ContactId, ContactRow, Include, Merge, Names, Person, ProgramId};
use postroom_core::{Code, Fault, Verdict};
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait};
use uuid::Uuid;

use super::follow;
use super::row::{self as calls, Enrolment, State as Call};
use crate::sends::single::gate::{self, Fresh};
use crate::sends::single::request;
use crate::sends::single::row::{self, Kind, Single, State};
use crate::sync::{Act, Halt, Sample, SyncType, To, Turn};

/// Calls that an account may make in an hour; one is left for people at the service.
const CALLS: u64 = 19;
/// People of one call.
const MOST: u64 = 1000;

/// Looks after calls that were made, then makes those that are wanted.
///
/// # Errors
/// Those of both sides and of the store. What the service refuses stands in the rows.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    if turn.dry {
        return foresee(turn).await;
    }
    follow::run(turn).await?;
    let waiting = waiting(turn).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    if !crate::sends::is_fresh(turn).await? {
        turn.engine.ask(&turn.account.name, SyncType::Suppressions, "sends").await?;
        return Ok(());
    }
    let mut programs: BTreeMap<i64, Vec<Single>> = BTreeMap::new();
    for single in read(turn, waiting).await? {
        programs.entry(single.details.target.unwrap_or_default()).or_default().push(single);
    }
    for (program, people) in programs {
        one(turn, program, people).await?;
    }
    Ok(())
}

/// Who would be put into which program, as far as that was asked for; the gate may keep some of them out.
async fn foresee(turn: &mut Turn) -> Result<(), Halt> {
    let waiting = read(turn, waiting(turn).await?).await?;
    let number = waiting.len() as u64;
    let side = &mut turn.counts.to_service;
    (side.sent, side.new) = (side.sent + number, side.new + number);
    turn.foresee(waiting.iter().map(|one| {
        let program = one.details.target.unwrap_or_default();
        Sample::of(To::Service, Act::Join, &one.person).word("program", program.to_string())
    }));
    turn.foresee_calls(number.div_ceil(MOST));
    Ok(())
}

async fn waiting(turn: &Turn) -> Result<Vec<Single>, Error> {
    let (account, now) = (turn.account.name.clone(), turn.now());
    turn.read(move |tx| {
        async move {
            let mut waiting = row::select();
            waiting
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("kind").eq(Kind::Program.as_str()))
                .and_where(Expr::col("state").eq(State::Requested.as_str()))
                .and_where(Expr::col("wake").lte(now.as_microsecond()))
                .limit(MOST);
            row::load(tx, &waiting).await
        }
        .boxed()
    })
    .await
}

/// What each request asks for; those that are unfit or have time yet are stored and left out.
async fn read(turn: &mut Turn, mut singles: Vec<Single>) -> Result<Vec<Single>, Fault> {
    let ids: Vec<Uuid> = singles.iter().map(|single| single.id).collect();
    let rows = request::rows(turn, &ids).await?;
    turn.engine.read_people().await?;
    for single in &mut singles {
        request::fill(turn, single, rows.get(&single.id)).await?;
    }
    request::addresses(turn, &mut singles).await?;
    let now = turn.now();
    let ready =
        |single: &Single| single.state == State::Requested && single.wake.is_none_or(|wake| wake <= now);
    let (ready, other): (Vec<Single>, Vec<Single>) = singles.into_iter().partition(ready);
    save(turn, "marketing.program_requests", other).await?;
    Ok(ready)
}

pub(super) async fn save(turn: &Turn, step: &'static str, mut singles: Vec<Single>) -> Result<(), Fault> {
    if singles.is_empty() {
        return Ok(());
    }
    let unit =
        turn.engine.store.write(step, move |tx| async move { row::save(tx, &mut singles).await }.boxed());
    let saved: Result<(), Error> = unit.await;
    Ok(saved?)
}

/// One program's people: the gate and the intent in one unit, then the call.
async fn one(turn: &mut Turn, program: i64, mut people: Vec<Single>) -> Result<(), Halt> {
    let (account, hour) = (turn.account.name.clone(), turn.now().checked_sub(SignedDuration::from_hours(1)));
    let hour = hour.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let made = turn.read(move |tx| async move { calls::since(tx, &account, hour).await }.boxed()).await?;
    if made >= CALLS {
        return Ok(());
    }
    contacts(turn, &mut people).await?;
    let at = turn.account.service.server_time().await?;
    let (ids, account) = (turn.engine.ids.clone(), turn.account.name.clone());
    let (rules, now) = (turn.engine.rules.clone(), turn.now());
    let unit = turn.engine.store.write("marketing.program_intent", move |tx| {
        async move {
            gate::judge(tx, &account, &mut people, State::Requested).await?;
            if !Fresh::of(tx, &account, &rules, now).await?.allows(Kind::Program) {
                // The next run asks for an exchange.
                return Ok(None);
            }
            let going = numbers(&people, State::Requested);
            let call = Enrolment {
                id: ids.next(),
                program,
                state: Call::Intent,
                at,
                service: None,
                digest: calls::digest(&going),
                reason: None,
            };
            for single in people.iter_mut().filter(|single| single.state == State::Requested) {
                (single.state, single.enrolment, single.wake) = (State::Intent, Some(call.id), None);
            }
            if !going.is_empty() {
                calls::add(tx, &account, &call).await?;
            }
            row::save(tx, &mut people).await?;
            Ok(Some((call, going)))
        }
        .boxed()
    });
    let stored: Result<Option<(Enrolment, Vec<ContactId>)>, Error> = unit.await;
    let Some((mut call, going)) = stored? else { return Ok(()) };
    let going = last_look(turn, &mut call, going).await?;
    match Audience::new(Vec::new(), Vec::new(), going) {
        None => Ok(()),
        Some(who) => made_of(turn, call, &who).await,
    }
}

/// The numbers of those in a state, each once.
fn numbers(people: &[Single], state: State) -> Vec<ContactId> {
    let there = people.iter().filter(|single| single.state == state);
    let mut numbers: Vec<ContactId> =
        there.filter_map(|single| single.details.contact.map(ContactId)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Takes out who opted out since the intent; answers who is left.
async fn last_look(
    turn: &Turn,
    call: &mut Enrolment,
    going: Vec<ContactId>,
) -> Result<Vec<ContactId>, Fault> {
    let (account, id) = (turn.account.name.clone(), call.id);
    let looked = turn.read(move |tx| {
        async move {
            let mut hers = row::select();
            hers.and_where(Expr::col("enrolment").eq(id));
            let mut people = row::load(tx, &hers).await?;
            gate::judge(tx, &account, &mut people, State::Intent).await?;
            Ok(people)
        }
        .boxed()
    });
    let (left, mut out): (Vec<Single>, Vec<Single>) =
        looked.await?.into_iter().partition(|single| single.state == State::Intent);
    if out.is_empty() {
        return Ok(going);
    }
    let going = numbers(&left, State::Intent);
    call.digest = calls::digest(&going);
    if going.is_empty() {
        call.state = Call::Refused;
        call.reason = Some("everybody opted out just before the call".to_owned());
    }
    let call = call.clone();
    let unit = turn.engine.store.write("marketing.program_last_off", move |tx| {
        async move {
            // They are no longer of this call, whatever becomes of it.
            out.iter_mut().for_each(|single| single.enrolment = None);
            row::save(tx, &mut out).await?;
            calls::save(tx, &call, Call::Intent).await
        }
        .boxed()
    });
    let saved: Result<(), Error> = unit.await;
    saved?;
    Ok(going)
}

/// The call, made once, and what it came to.
async fn made_of(turn: &mut Turn, mut call: Enrolment, who: &Audience) -> Result<(), Halt> {
    let (state, reason) = match turn.account.service.enrol(&ProgramId(call.program), who).await {
        Ok(enrolment) => {
            call.service = Some(enrolment.id.0);
            (Call::Made, None)
        }
        Err(fault) => {
            let refused = matches!(fault.verdict, Verdict::Reject | Verdict::Hold)
                || fault.code == Code::MARKETING_LIMIT;
            (if refused { Call::Refused } else { Call::Unknown }, Some(fault.message))
        }
    };
    (call.state, call.reason) = (state, reason);
    Ok(follow::settle(turn, call, Call::Intent, &[]).await?)
}

/// The number that each person has at the service; whoever it does not know is made known.
async fn contacts(turn: &Turn, people: &mut [Single]) -> Result<(), Fault> {
    let asked: Vec<usize> = (0..people.len()).filter(|place| !people[*place].person.is_empty()).collect();
    let who: Vec<Person> = asked.iter().map(|place| Person::Email(people[*place].person.clone())).collect();
    let found = turn.account.service.find_contacts(&who, &Include::default()).await?;
    for (place, contact) in asked.into_iter().zip(found) {
        let single = &mut people[place];
        if let Some(contact) = contact {
            single.details.contact = Some(contact.id.0);
            continue;
        }
        let names = Names { email: Some(single.person.clone()), ..Names::default() };
        let row = ContactRow { names, ..ContactRow::default() };
        match turn.account.service.patch_contact(&row, Merge::default()).await {
            Ok(patched) => single.details.contact = Some(patched.contact.id.0),
            Err(fault) if fault.code == Code::MARKETING_SUPPRESSED => {
                single.details.block = Some("Suppressed".to_owned());
                single.end(State::Blocked, Some(fault.message));
            }
            Err(fault) if fault.verdict == Verdict::Reject => single.end(State::Failed, Some(fault.message)),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
