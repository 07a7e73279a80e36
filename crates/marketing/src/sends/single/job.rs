//! The job: a lot of single mails, from the request to the answer.

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::{CampaignId, SingleContent, SingleSend};
use postroom_core::{Code, Fault, Ids, JobId, Verdict};
use postroom_jobs::{Claim, Done, NewJob, Worker, enqueue};
use postroom_store::{Error, Tx};
use serde::Deserialize;
use uuid::Uuid;

use super::gate::{self, Fresh};
use super::row::{self, Kind, Single, State};
use super::{request, standard, tell};
use crate::engine::Engine;
use crate::sync::{SyncType, Turn};

/// The kind of job.
pub const KIND: &str = "marketing.single";
/// Mails of one lot; the service takes a hundred in a call.
const LOT: usize = 100;

#[derive(Deserialize)]
struct Payload {
    account: String,
    single: Uuid,
}

/// Sends single mails.
#[derive(Clone)]
pub struct SingleSender(pub Engine);

#[async_trait]
impl Worker for SingleSender {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn lot(&self) -> usize {
        LOT
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        let mut by_account: Vec<(String, Vec<(JobId, Uuid)>)> = Vec::new();
        let mut ended = Vec::with_capacity(lot.len());
        for claim in &lot {
            match claim.read::<Payload>() {
                Err(fault) => ended.push((claim.id, Err(fault))),
                Ok(Payload { account, single }) => {
                    match by_account.iter_mut().find(|(name, _)| *name == account) {
                        Some((_, these)) => these.push((claim.id, single)),
                        None => by_account.push((account, vec![(claim.id, single)])),
                    }
                }
            }
        }
        for (account, these) in by_account {
            let ids: Vec<Uuid> = these.iter().map(|(_, single)| *single).collect();
            let done = self.0.send_singles(&account, &ids).await;
            ended.extend(these.into_iter().map(|(job, _)| {
                let done = match &done {
                    Ok(()) => Ok(Done::Completed),
                    Err(fault) => Err(Fault::new(fault.verdict, fault.code, fault.message.clone())),
                };
                (job, done)
            }));
        }
        ended
    }
}

/// Jobs for requests, one person's one after another.
pub(super) async fn wake(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    account: &str,
    due: &[Single],
) -> Result<u64, Error> {
    let jobs = due.iter().map(|single| {
        let payload = serde_json::json!({ "account": account, "single": single.id });
        let lane = single.details.record.as_ref().map_or_else(|| single.id.to_string(), ToString::to_string);
        NewJob::new(KIND, payload)
            .key(format!("single/{}", single.id))
            .lane(format!("single/{account}/{lane}"))
    });
    enqueue(tx, ids, now, jobs.collect()).await
}

impl Engine {
    /// Sends these single mails, as far as they may go now.
    async fn send_singles(&self, account: &str, ids: &[Uuid]) -> Result<(), Fault> {
        let Some(account) = self.account(account).cloned() else { return Ok(()) };
        let connected = match self.permitted(&account).await {
            Ok(connected) => connected,
            // The next scan wakes them again.
            Err(fault) => {
                tracing::warn!(event = "marketing.singles_wait", count = ids.len(), code = %fault.code, "Single mails wait: {fault}");
                return Ok(());
            }
        };
        let turn = self.send_turn(account, connected, Uuid::nil());
        let these = ids.to_vec();
        let singles = turn.read(move |tx| async move { row::these(tx, &these).await }.boxed()).await?;
        let (left, open): (Vec<Single>, Vec<Single>) = singles
            .into_iter()
            .filter(|single| matches!(single.state, State::Requested | State::Intent))
            .partition(|single| single.state == State::Intent);
        left_behind(&turn, left).await?;
        let open = prepared(&turn, open).await?;
        let ready = rest(&turn, open).await?;
        send(&turn, ready).await?;
        tell::run(&turn).await.map(drop)
    }
}

/// An intent without an answer may have been sent.
async fn left_behind(turn: &Turn, mut singles: Vec<Single>) -> Result<(), Fault> {
    for single in &mut singles {
        let why = "this program ended while the mail was being sent; nobody can tell whether it was";
        single.end(State::Unknown, Some(why.to_owned()));
    }
    save(turn, "marketing.single_left_behind", singles).await.map(drop)
}

async fn save(turn: &Turn, step: &'static str, mut singles: Vec<Single>) -> Result<Vec<Single>, Fault> {
    if singles.is_empty() {
        return Ok(singles);
    }
    let unit = turn.engine.store.write(step, move |tx| {
        async move {
            row::save(tx, &mut singles).await?;
            Ok(singles)
        }
        .boxed()
    });
    let saved: Result<Vec<Single>, Error> = unit.await;
    Ok(saved?)
}

/// The requests read, with the address of each.
async fn prepared(turn: &Turn, mut singles: Vec<Single>) -> Result<Vec<Single>, Fault> {
    if singles.is_empty() {
        return Ok(singles);
    }
    let ids: Vec<Uuid> = singles.iter().map(|single| single.id).collect();
    let rows = request::rows(turn, &ids).await?;
    turn.engine.read_people().await?;
    for single in &mut singles {
        request::fill(turn, single, rows.get(&single.id)).await?;
    }
    request::addresses(turn, &mut singles).await?;
    Ok(singles)
}

/// Those that may go now; the others are stored with what they wait for. Two mails to one person never go in one call.
async fn rest(turn: &Turn, singles: Vec<Single>) -> Result<Vec<Single>, Fault> {
    let (now, soon) = (turn.now(), turn.engine.rules.soon);
    let fresh = fresh(turn).await?;
    let (mut ready, mut later): (Vec<Single>, Vec<Single>) = (Vec::new(), Vec::new());
    let mut stale = false;
    for mut single in singles {
        let twice = ready.iter().any(|other| other.person == single.person && !single.person.is_empty());
        match () {
            () if single.state != State::Requested || single.wake.is_some_and(|wake| wake > now) => {}
            () if !fresh.allows(single.kind) => {
                (single.wake, stale) = (now.checked_add(soon).ok(), true);
            }
            () if twice => single.wake = now.checked_add(soon).ok(),
            () => {
                ready.push(single);
                continue;
            }
        }
        later.push(single);
    }
    save(turn, "marketing.single_rests", later).await?;
    if stale {
        turn.engine.ask(&turn.account.name, SyncType::Suppressions, "sends").await?;
    }
    Ok(ready)
}

async fn fresh(turn: &Turn) -> Result<Fresh, Error> {
    let (account, rules, now) = (turn.account.name.clone(), turn.engine.rules.clone(), turn.now());
    turn.read(move |tx| async move { Fresh::of(tx, &account, &rules, now).await }.boxed()).await
}

/// The gate and the intents in one unit, the gate once more, the call, the answers.
async fn send(turn: &Turn, singles: Vec<Single>) -> Result<(), Fault> {
    if singles.is_empty() {
        return Ok(());
    }
    turn.engine.may_work_now().await?;
    let mut singles = standard::ready(turn, singles).await?;
    let at = turn.account.service.server_time().await?;
    let (account, rules, now) = (turn.account.name.clone(), turn.engine.rules.clone(), turn.now());
    let unit = turn.engine.store.write("marketing.single_intent", move |tx| {
        async move {
            gate::judge(tx, &account, &mut singles, State::Requested).await?;
            let fresh = Fresh::of(tx, &account, &rules, now).await?;
            for single in singles.iter_mut().filter(|single| single.state == State::Requested) {
                match fresh.allows(single.kind) {
                    true => {
                        (single.state, single.wake, single.details.intent) =
                            (State::Intent, Some(at), Some(at));
                    }
                    false => single.wake = now.checked_add(rules.soon).ok(),
                }
            }
            row::save(tx, &mut singles).await?;
            Ok(singles)
        }
        .boxed()
    });
    let stored: Result<Vec<Single>, Error> = unit.await;
    let mut going: Vec<Single> = stored?.into_iter().filter(|single| single.state == State::Intent).collect();
    if going.is_empty() {
        return Ok(());
    }
    for single in going.iter_mut().filter(|single| single.details.standard) {
        // One after another takes its time: each is looked at again.
        last_look(turn, &mut [single]).await;
        if single.state == State::Intent {
            let answer = standard::send(turn, single).await;
            answered(single, answer);
        }
    }
    let mut others: Vec<&mut Single> = going.iter_mut().filter(|single| !single.details.standard).collect();
    last_look(turn, &mut others).await;
    others.retain(|single| single.state == State::Intent);
    if !others.is_empty() {
        let mails: Vec<SingleSend> = others.iter().map(|single| mail(single)).collect();
        let answers = turn.account.service.send_single(&mails).await;
        others.iter_mut().zip(answers).for_each(|(single, answer)| answered(single, answer));
    }
    save(turn, "marketing.single_answered", going).await.map(drop)
}

/// Ends those who opted out since the intent, just before the call. Where that cannot be told nobody is mailed.
async fn last_look(turn: &Turn, singles: &mut [&mut Single]) {
    let account = turn.account.name.clone();
    let mut asked: Vec<Single> = singles.iter().map(|single| (**single).clone()).collect();
    let looked = turn.read(move |tx| {
        async move {
            gate::judge(tx, &account, &mut asked, State::Intent).await?;
            Ok(asked)
        }
        .boxed()
    });
    match looked.await {
        Ok(looked) => singles.iter_mut().zip(looked).for_each(|(single, now)| **single = now),
        Err(error) => singles.iter_mut().for_each(|single| {
            single.end(State::Failed, Some(format!("nobody was mailed: {error}")));
        }),
    }
}

fn mail(single: &Single) -> SingleSend {
    let campaign = CampaignId(single.details.target.unwrap_or_default());
    let values = single.details.values.clone();
    let content = match single.kind {
        Kind::Transactional => SingleContent::Triggered { campaign, values },
        Kind::Marketing | Kind::Program => SingleContent::Marketing { campaign, values },
    };
    SingleSend { to: single.person.clone(), from: None, content, reference: single.id.to_string() }
}

fn answered(single: &mut Single, answer: Result<(), Fault>) {
    match answer {
        Ok(()) => single.end(State::Done, None),
        Err(fault) if fault.code == Code::MARKETING_SUPPRESSED => {
            single.details.block = Some("Suppressed".to_owned());
            single.end(State::Blocked, Some(fault.message));
        }
        Err(fault) => {
            let refused = matches!(fault.verdict, Verdict::Reject | Verdict::Hold)
                || fault.code == Code::MARKETING_LIMIT;
            let state = if refused { State::Failed } else { State::Unknown };
            single.end(state, Some(fault.message));
        }
    }
}
