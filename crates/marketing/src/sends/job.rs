//! The job: one send, as far as it goes now.
//!
//! What waits for a moment rests with that moment in its row, and the next scan wakes it; so a job never waits, and a process
//! that dies leaves a row that says what is next.

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Fault, Ids, JobId, RunId};
use postroom_jobs::{Claim, Done, NewJob, Worker, enqueue};
use postroom_store::{Error, Tx};
use serde::Deserialize;
use uuid::Uuid;

use super::audience;
use super::fill;
use super::release::{self, Next};
use super::row::{self, CampaignSend};
use super::state::{Event, State};
use super::{follow, latest, mailed, newcomers, request, snapshot, tell};
use crate::accounts::Connected;
use crate::engine::{Account, Engine};
use crate::sync::forecast::Forecast;
use crate::sync::{Counts, Halt, SyncType, Turn};

/// The kind of job.
pub const KIND: &str = "marketing.send";
/// A request without a list is refused when it has none after so long.
const LISTS_COME: SignedDuration = SignedDuration::from_hours(1);
/// Steps of one job; a send takes about ten.
const STEPS: usize = 100;

#[derive(Deserialize)]
struct Payload {
    send: Uuid,
}

/// Runs sends.
#[derive(Clone)]
pub struct Sender(pub Engine);

#[async_trait]
impl Worker for Sender {
    fn kind(&self) -> &'static str {
        KIND
    }

    /// Each send is a lot of its own: one that takes long holds up no other.
    fn lot(&self) -> usize {
        1
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        let mut ended = Vec::with_capacity(lot.len());
        for claim in lot {
            let done = match claim.read::<Payload>() {
                Ok(payload) => Box::pin(self.0.go_on(payload.send, STEPS)).await.map(|_| Done::Completed),
                Err(fault) => Err(fault),
            };
            ended.push((claim.id, done));
        }
        ended
    }
}

/// The job of a send, once at a time.
pub(super) async fn wake(tx: &mut Tx, ids: &Ids, now: Timestamp, sends: &[Uuid]) -> Result<u64, Error> {
    let job = |send: &Uuid| {
        let name = format!("send/{send}");
        NewJob::new(KIND, serde_json::json!({ "send": send })).key(name.clone()).lane(name)
    };
    enqueue(tx, ids, now, sends.iter().map(job).collect()).await
}

impl Engine {
    /// Goes on with a send until it rests, for so many steps at most; answers whether it rests. Each step is stored before the
    /// next begins, so it may end after any of them.
    ///
    /// # Errors
    /// Those of the store, and bugs; everything else stands in the row.
    pub async fn go_on(&self, id: Uuid, steps: usize) -> Result<bool, Fault> {
        let Some(mut send) = self.campaign_send(id).await? else { return Ok(true) };
        let Some(account) = self.account(&send.account).cloned() else { return Ok(true) };
        let connected = match self.permitted(&account).await {
            Ok(connected) => connected,
            // The account's own state says so, or safe mode; the next scan wakes it again.
            Err(fault) => {
                tracing::warn!(event = "marketing.send_waits", send = %id, code = %fault.code, "A send waits: {fault}");
                return Ok(true);
            }
        };
        let mut turn = self.send_turn(account, connected, id);
        if send.state == State::Intent {
            send = release::left_behind(&turn, send).await?;
        }
        for _ in 0..steps {
            match Box::pin(one(&mut turn, send)).await? {
                Next::Go(next) => send = next,
                Next::Rest(rested) => {
                    tell::send(&turn, rested).await?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A send as it stands.
    pub async fn campaign_send(&self, id: Uuid) -> Result<Option<CampaignSend>, Fault> {
        let read = self.store.read(move |tx| async move { row::one(tx, id).await }.boxed()).await;
        read.map_err(|error: Error| error.into())
    }

    /// Rejected rows of a send's import stand under the send's id.
    pub(super) fn send_turn(&self, account: Account, connected: Connected, id: Uuid) -> Turn {
        Turn {
            engine: self.clone(),
            account,
            connected,
            run: RunId(id),
            sync_type: SyncType::Sends,
            dry: false,
            confirmed: true,
            counts: Counts::default(),
            forecast: Forecast::default(),
        }
    }
}

/// One step; its faults are put into the row.
async fn one(turn: &mut Turn, send: CampaignSend) -> Result<Next, Fault> {
    let (before, mut send) = (send.clone(), send);
    if send.state.is_harmless() {
        send.details.error = None;
    }
    match act(turn, send).await {
        Ok(next) => Ok(next),
        Err(Halt::Asks(question)) => {
            let mut send = before;
            (send.details.question, send.wake) = (Some(question), None);
            Ok(Next::Rest(fill::save(turn, "marketing.send_asks", send).await?))
        }
        Err(Halt::Fault(fault)) => {
            // A step may have stored something before it failed.
            let Some(send) = turn.engine.campaign_send(before.id).await? else { return Err(fault) };
            if send.state == State::Intent {
                return Err(fault);
            }
            follow::failed(turn, send, fault).await
        }
    }
}

async fn act(turn: &mut Turn, send: CampaignSend) -> Result<Next, Halt> {
    let stopped = send.details.paused.is_some() || send.details.question.is_some();
    if stopped && send.state < State::Due {
        let mut send = send;
        if send.wake.take().is_some() {
            send = fill::save(turn, "marketing.send_rests", send).await?;
        }
        return Ok(Next::Rest(send));
    }
    match send.state {
        State::Requested => validate(turn, send).await,
        State::Validated if newcomers::watches(&send) => newcomers::begin(turn, send).await,
        State::Validated => count(turn, send).await,
        State::Watching => newcomers::look(turn, send).await,
        State::Snapshot => admit(turn, send).await,
        State::Importing => fill::import(turn, send).await.map(Next::Go),
        State::Imported => fill::compare(turn, send).await.map(Next::Go),
        State::Due => release::step(turn, send).await,
        State::Submitted | State::Scheduled | State::Sending => follow::poll(turn, send).await,
        State::Unknown => follow::look(turn, send).await,
        State::Sent | State::Failed | State::Cancelled => follow::clear(turn, send).await,
        State::Intent => Err(Fault::bug("an intent is not begun again").into()),
    }
}

async fn validate(turn: &mut Turn, mut send: CampaignSend) -> Result<Next, Halt> {
    if !request::names_lists(turn, send.id).await? && is_young(turn, &send) {
        return await_lists(turn, send).await;
    }
    let fit = request::read(turn, &send).await?;
    if !fit.request.repeats && fit.campaign.sent.is_some() {
        mailed_there(turn, fit.campaign.id.0).await?;
    }
    send.campaign = Some(fit.campaign.id.0);
    send.details.told_expected = fit.request.expected;
    send.details.request = fit.request;
    send.take(Event::Fit);
    Ok(Next::Go(fill::save(turn, "marketing.send_fit", send).await?))
}

/// Whether its row was made so short a time ago that its lists may still be tied to it.
fn is_young(turn: &Turn, send: &CampaignSend) -> bool {
    send.details.asked.is_some_and(|asked| turn.now().duration_since(asked) < LISTS_COME)
}

/// A list is tied to a row that is there, so a row that is made as *Requested* has none at first. Each scan looks again.
async fn await_lists(turn: &Turn, mut send: CampaignSend) -> Result<Next, Halt> {
    if send.details.awaits_lists {
        return Ok(Next::Rest(send));
    }
    send.details.awaits_lists = true;
    let text = "the request names no list yet: add the lists that the campaign is to go to";
    send.details.error = Some(text.to_owned());
    Ok(Next::Rest(fill::save(turn, "marketing.send_awaits_lists", send).await?))
}

/// Whom the campaign went to by the service's own account, sends that were made there included.
async fn mailed_there(turn: &Turn, campaign: i64) -> Result<(), Fault> {
    use postroom_core::address::normal;
    use postroom_core::marketing::{Ask, CampaignId};
    let mut ask = Ask::default();
    loop {
        let page = turn.account.service.recipients(&CampaignId(campaign), None, &ask).await?;
        let (account, now) = (turn.account.name.clone(), turn.now());
        let people: Vec<String> =
            page.rows.iter().map(|row| normal(&row.email)).filter(|address| !address.is_empty()).collect();
        let unit = turn.engine.store.write("marketing.send_mailed_there", move |tx| {
            async move {
                let people = people.iter().map(|address| (address.as_str(), None));
                mailed::note(tx, &account, campaign, None, now, people, true).await
            }
            .boxed()
        });
        let noted: Result<u64, Error> = unit.await;
        noted?;
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(()),
        }
    }
}

async fn count(turn: &mut Turn, send: CampaignSend) -> Result<Next, Halt> {
    if !release::exchanged_since(turn, None).await? {
        return Ok(Next::Rest(release::wait_for_opt_outs(turn, send).await?));
    }
    latest::read(turn, &send).await?;
    snapshot::write(turn, send).await.map(Next::Go)
}

/// As many as expected, or a question; then the list.
async fn admit(turn: &mut Turn, send: CampaignSend) -> Result<Next, Halt> {
    let (found, members) = (send.details.to_send, send.details.members);
    // Who joined a list is whoever joined: nobody said a number beforehand.
    let expected = if send.details.parent.is_some() { Some(found) } else { send.expected() };
    match audience::admit(found, members, expected, turn.engine.rules.tolerance) {
        Err(refusal @ audience::Refusal::Nobody(_)) => {
            return Err(Fault::reject(postroom_core::Code::MARKETING_AUDIENCE, refusal.to_string()).into());
        }
        Err(refusal) => return Err(Halt::Asks(refusal.to_string())),
        Ok(()) if expected.is_none() => {
            return Err(Halt::Asks(format!(
                "{found} of {members} people would be mailed, and the request does not say how many are expected; look at the counts, then say the number"
            )));
        }
        Ok(()) => {}
    }
    fill::make(turn, send).await.map(Next::Go)
}
