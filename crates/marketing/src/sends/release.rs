//! From *Due* to the one call: the time, a second person, nobody's pause, opt-outs read again, the intent, the call.
//!
//! Opt-outs are looked at three times: a whole exchange of both sides that began after the send was ready; what either side
//! said since then, read here; and the gate in the unit that writes the intent. After that unit the gate is asked once more,
//! and whoever opted out in between is taken off the list before the call.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::Ask;
use postroom_core::{Code, Fault, Verdict};
use postroom_store::Error;

use super::fill::{self, save};
use super::row::{self, CampaignSend, Place, Recipient};
use super::snapshot::Judge;
use super::state::{Event, State};
use super::{follow, mailed};
use crate::accounts;
use crate::consent::gate;
use crate::suppressions::rows::{self, Origin, SaidOut};
use crate::sync::{Halt, SyncType, Turn};

/// What a step came to.
#[derive(Debug)]
pub(super) enum Next {
    /// The next step at once.
    Go(CampaignSend),
    /// Nothing more now; [`CampaignSend::wake`] says when.
    Rest(CampaignSend),
}

/// One step of a send that is due.
pub(super) async fn step(turn: &mut Turn, mut send: CampaignSend) -> Result<Next, Halt> {
    let now = turn.now();
    if needs_approval(turn, &send) && send.details.question.is_none() {
        return Err(Halt::Asks(format!(
            "{} people would be mailed, and a send to more than {} waits for a second person: let somebody else who may send approve it",
            send.details.to_send, turn.engine.rules.approval_over
        )));
    }
    if let Some(wait) = held(&send, now) {
        if send.details.ready.is_none() && send.wake == wait {
            return Ok(Next::Rest(send));
        }
        (send.details.ready, send.wake) = (None, wait);
        return Ok(Next::Rest(save(turn, "marketing.send_held", send).await?));
    }
    let Some(ready) = send.details.ready else {
        send.details.ready = Some(now);
        return Ok(Next::Go(save(turn, "marketing.send_ready", send).await?));
    };
    if !exchanged_since(turn, Some(ready)).await? {
        return Ok(Next::Rest(wait_for_opt_outs(turn, send).await?));
    }
    read_latest(turn).await?;
    let id = send.id;
    let leaving =
        turn.read(move |tx| async move { row::recipients(tx, id, Place::Leaving).await }.boxed()).await?;
    let stale = send.details.compared.is_none_or(|at| {
        let age = now.duration_since(at);
        age.is_negative() || age > turn.engine.rules.exchange_age
    });
    if stale || leaving.iter().any(|person| person.contact.is_none()) && send.details.compared < Some(ready) {
        return Ok(Next::Go(fill::compare(turn, send).await?));
    }
    if !leaving.is_empty() {
        return Ok(Next::Go(off(turn, send, leaving).await?));
    }
    intend(turn, send).await
}

/// Whether something holds it, and when to look again: `Some(None)` when somebody has to do something.
fn held(send: &CampaignSend, now: Timestamp) -> Option<Option<Timestamp>> {
    if send.details.paused.is_some() || send.details.question.is_some() {
        return Some(None);
    }
    send.details.request.due.filter(|due| *due > now).map(Some)
}

/// Whether a second person has yet to say yes.
fn needs_approval(turn: &Turn, send: &CampaignSend) -> bool {
    send.details.to_send > turn.engine.rules.approval_over && send.details.approved.is_none()
}

/// Whether opt-outs are fresh, and were read whole after a moment.
pub(super) async fn exchanged_since(turn: &Turn, after: Option<Timestamp>) -> Result<bool, Error> {
    let (account, rules, now) = (turn.account.name.clone(), turn.engine.rules.clone(), turn.now());
    turn.read(move |tx| {
        async move {
            let fresh = gate::is_fresh(tx, &account, &rules, now).await?;
            let exchanged = accounts::known(tx, &account).await?.exchanged;
            Ok(fresh && after.is_none_or(|after| exchanged.is_some_and(|at| at > after)))
        }
        .boxed()
    })
    .await
}

/// Whether opt-outs are fresh.
pub(crate) async fn is_fresh(turn: &Turn) -> Result<bool, Error> {
    exchanged_since(turn, None).await
}

/// Asks for an exchange of opt-outs and rests until there is one.
pub(super) async fn wait_for_opt_outs(turn: &Turn, mut send: CampaignSend) -> Result<CampaignSend, Fault> {
    turn.engine.ask(&turn.account.name, SyncType::Suppressions, "sends").await?;
    send.wake = turn.now().checked_add(turn.engine.rules.soon).ok();
    save(turn, "marketing.send_waits", send).await
}

/// What either side said since the exchange, up to now.
async fn read_latest(turn: &mut Turn) -> Result<(), Fault> {
    turn.engine.read_people().await?;
    let account = turn.account.name.clone();
    let known = turn.read(move |tx| async move { accounts::known(tx, &account).await }.boxed()).await?;
    // By the service's own clock: ours may be ahead of it.
    let since = known.exchanged_there.or(known.exchanged).unwrap_or(Timestamp::UNIX_EPOCH);
    let since = since.checked_sub(turn.engine.rules.overlap).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut ask = Ask::default();
    loop {
        let page = turn.account.service.suppressions(since, &ask).await?;
        let (ids, now, account) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone());
        let said: Vec<SaidOut> = page
            .rows
            .into_iter()
            .filter(|row| !postroom_core::address::normal(&row.email).is_empty())
            .map(|row| SaidOut {
                address: row.email,
                status: row.reason,
                at: row.at.unwrap_or(now),
                contact: row.contact,
                source: "suppression list of the service".to_owned(),
                actor: String::new(),
            })
            .collect();
        if !said.is_empty() {
            let unit = turn.engine.store.write("marketing.send_opt_outs", move |tx| {
                async move { rows::take(tx, &ids, now, &account, Origin::Service, &said).await }.boxed()
            });
            let taken: Result<rows::Written, Error> = unit.await;
            taken?;
        }
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(()),
        }
    }
}

/// Takes people off the list who opted out since it was filled.
async fn off(turn: &mut Turn, send: CampaignSend, leaving: Vec<Recipient>) -> Result<CampaignSend, Halt> {
    fill::take_off(turn, &send, &leaving).await?;
    let addresses: Vec<String> = leaving.into_iter().map(|person| person.address).collect();
    let mut send = send;
    let unit = turn.engine.store.write("marketing.send_taken_off", move |tx| {
        async move {
            row::place(tx, send.id, &addresses, Place::Out, None).await?;
            row::save(tx, &mut send).await?;
            Ok(send)
        }
        .boxed()
    });
    let taken: Result<CampaignSend, Error> = unit.await;
    Ok(taken?)
}

/// What the unit of the intent found.
enum Decided {
    Intent(Vec<Recipient>),
    /// Somebody opted out: first off the list.
    Blocked,
    Nobody,
}

/// The gate and the intent in one unit; then, at once, the call.
async fn intend(turn: &mut Turn, send: CampaignSend) -> Result<Next, Halt> {
    let at = turn.account.service.server_time().await?;
    let (rules, now) = (turn.engine.rules.clone(), turn.now());
    let unit = turn.engine.store.write("marketing.send_intent", move |tx| {
        async move {
            let mut send = send;
            let people = row::recipients(tx, send.id, Place::In).await?;
            let judge = Judge::of(&send);
            let blocked = judge.blocked(tx, &people).await?;
            let decided = if !gate::is_fresh(tx, &send.account, &rules, now).await? {
                send.details.ready = Some(now);
                Decided::Blocked
            } else if !blocked.is_empty() {
                fill::block(tx, &mut send, &blocked).await?;
                Decided::Blocked
            } else if people.is_empty() {
                send.details.error = Some("everybody who was to be mailed has opted out since".to_owned());
                end(&mut send, Event::Refused, now);
                Decided::Nobody
            } else {
                let addresses = people.iter().map(|person| person.address.as_str());
                let (campaign, id) = (judge.campaign, Some(send.id));
                mailed::note(tx, &send.account, campaign, id, now, addresses, judge.repeats).await?;
                send.take(Event::Released);
                (send.details.intent, send.wake, send.details.error) = (Some(at), Some(now), None);
                Decided::Intent(people)
            };
            row::save(tx, &mut send).await?;
            Ok((send, decided))
        }
        .boxed()
    });
    let stored: Result<(CampaignSend, Decided), Error> = unit.await;
    match stored? {
        (send, Decided::Intent(people)) => call(turn, send, people).await.map(Next::Rest),
        (send, Decided::Blocked) => Ok(Next::Go(send)),
        (send, Decided::Nobody) => Ok(Next::Rest(send)),
    }
}

/// Ends a send.
pub(super) fn end(send: &mut CampaignSend, event: Event, now: Timestamp) {
    if send.take(event) {
        send.details.ended = Some(now);
        send.details.question = None;
        send.wake = Some(now);
    }
}

/// The call, made once. Nothing between the intent and here may be repeated: who is interrupted leaves an intent without an
/// answer, and that is *unknown*.
async fn call(turn: &mut Turn, mut send: CampaignSend, people: Vec<Recipient>) -> Result<CampaignSend, Halt> {
    if let Err(fault) = last_look(turn, &send, &people).await {
        // Nothing was called: that is certain, and so the send is free to be asked for again.
        send.details.error = Some(format!("nobody was mailed: {}", fault.message));
        return refused(turn, send).await;
    }
    let Some(order) = send.order() else {
        return Err(Fault::bug(format!("send {} has an intent and no list", send.id)).into());
    };
    let answer = turn.account.service.send(&order).await;
    let now = turn.now();
    match answer {
        Ok(sent) => {
            send.take(Event::Answered);
            send.details.service_send = Some(sent.id.0.clone());
            follow::said(&mut send, &sent, now);
            send.wake = now.checked_add(follow::POLL).ok();
            Ok(save(turn, "marketing.send_answered", send).await?)
        }
        Err(fault) if certain(&fault) => {
            send.details.error = Some(fault.message);
            refused(turn, send).await
        }
        Err(fault) => {
            send.take(Event::AnswerLost);
            (send.details.error, send.wake) = (Some(fault.message), Some(now));
            Ok(save(turn, "marketing.send_unknown", send).await?)
        }
    }
}

/// Whether a fault says that the call did nothing: the service answered. A call that may be tried again by its own account
/// may also have been made.
fn certain(fault: &Fault) -> bool {
    let refused = matches!(fault.verdict, Verdict::Reject | Verdict::Hold);
    let limited = matches!(fault.verdict, Verdict::Retry { .. }) && fault.code == Code::MARKETING_LIMIT;
    refused || limited
}

/// The service mailed nobody: whoever was noted is free again.
async fn refused(turn: &Turn, mut send: CampaignSend) -> Result<CampaignSend, Halt> {
    let now = turn.now();
    let unit = turn.engine.store.write("marketing.send_refused", move |tx| {
        async move {
            end(&mut send, Event::RefusedByService, now);
            mailed::forget(tx, send.id).await?;
            row::save(tx, &mut send).await?;
            Ok(send)
        }
        .boxed()
    });
    let stored: Result<CampaignSend, Error> = unit.await;
    Ok(stored?)
}

/// Who opted out since the intent is taken off the list.
async fn last_look(turn: &Turn, send: &CampaignSend, people: &[Recipient]) -> Result<(), Fault> {
    let (judge, asked) = (Judge::of(send), people.to_vec());
    let blocked = turn.read(move |tx| async move { judge.blocked(tx, &asked).await }.boxed()).await?;
    if blocked.is_empty() {
        return Ok(());
    }
    let out: Vec<Recipient> = people
        .iter()
        .filter(|person| blocked.iter().any(|(address, _)| *address == person.address))
        .cloned()
        .collect();
    if out.len() == people.len() {
        return Err(Fault::reject(
            Code::MARKETING_AUDIENCE,
            "everybody who was to be mailed has opted out since",
        ));
    }
    fill::take_off(turn, send, &out).await?;
    let (id, addresses) = (send.id, out.into_iter().map(|person| person.address).collect::<Vec<_>>());
    let unit = turn.engine.store.write("marketing.send_last_off", move |tx| {
        async move { row::place(tx, id, &addresses, Place::Out, Some("opted out just before the call")).await }.boxed()
    });
    let stored: Result<(), Error> = unit.await;
    Ok(stored?)
}

/// An intent that a process left behind: it may have been sent.
pub(super) async fn left_behind(turn: &Turn, mut send: CampaignSend) -> Result<CampaignSend, Fault> {
    debug_assert_eq!(send.state, State::Intent, "only an intent is left behind");
    send.take(Event::AnswerLost);
    send.details.error = Some("this program ended while the call was being made".to_owned());
    send.wake = Some(turn.now());
    save(turn, "marketing.send_left_behind", send).await
}
