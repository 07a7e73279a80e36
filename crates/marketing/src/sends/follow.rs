//! After the call: where the send stands, what can be found of one whose answer was lost, and the list that it leaves.

use jiff::{SignedDuration, Timestamp};
use postroom_core::marketing::{CampaignStatus, ListId, SendId, SendStatus, Sent};
use postroom_core::{Code, Fault, Verdict};

use super::departures;
use super::fill::save;
use super::release::{Next, end};
use super::row::{CampaignSend, Evidence};
use super::state::{Event, State};
use crate::sync::{Halt, Turn};

/// Between two questions about a send.
pub(super) const POLL: SignedDuration = SignedDuration::from_mins(1);
/// Between two looks for evidence.
const LOOK: SignedDuration = SignedDuration::from_mins(15);
/// A single-use list stays for so long after the last mail: people leave by the link in it, which has to work for thirty days in
/// many places.
const KEPT: SignedDuration = SignedDuration::from_hours(31 * 24);
/// Between two looks at who left by it, on the first day and later.
const DEPARTURES: [SignedDuration; 2] = [SignedDuration::from_hours(1), SignedDuration::from_hours(24)];

/// Takes over what the service says of a send.
pub(super) fn said(send: &mut CampaignSend, sent: &Sent, now: Timestamp) {
    let event = match &sent.status {
        SendStatus::Scheduled => Event::SaidScheduled,
        SendStatus::Sending => Event::SaidSending,
        SendStatus::Sent => Event::SaidSent,
        SendStatus::Cancelled => Event::SaidCancelled,
        // A word that nobody knows is no end.
        SendStatus::NotSent | SendStatus::Other(_) => return,
    };
    if !send.take(event) {
        return;
    }
    if send.state == State::Sent {
        send.details.sent = sent.at.or(Some(now));
    }
    if send.state.is_final() {
        (send.details.ended, send.details.error) = (Some(now), None);
    }
}

/// Asks where a send stands.
pub(super) async fn poll(turn: &Turn, mut send: CampaignSend) -> Result<Next, Halt> {
    let now = turn.now();
    match send.details.service_send.clone() {
        Some(id) => {
            let sent = turn.account.service.send_status(&SendId(id)).await?;
            said(&mut send, &sent, now);
        }
        // A person said that it was made; its number is not known.
        None => by_campaign(turn, &mut send, now).await?,
    }
    departures::read(turn, &send).await?;
    send.wake = match send.state.is_final() {
        true => Some(now),
        false => now.checked_add(POLL).ok(),
    };
    Ok(Next::Rest(save(turn, "marketing.send_polled", send).await?))
}

async fn by_campaign(turn: &Turn, send: &mut CampaignSend, now: Timestamp) -> Result<(), Fault> {
    let Some(order) = send.order() else { return Ok(()) };
    let campaign = turn.account.service.campaign(&order.campaign).await?;
    if campaign.is_some_and(|campaign| campaign.status == CampaignStatus::Sent) && send.take(Event::SaidSent)
    {
        send.details.sent = send.details.intent;
        send.details.ended = Some(now);
    }
    Ok(())
}

/// Looks for evidence of a send whose answer was lost. What is found is shown; a person decides.
pub(super) async fn look(turn: &Turn, mut send: CampaignSend) -> Result<Next, Halt> {
    let now = turn.now();
    if let (Some(order), Some(intent)) = (send.order(), send.details.intent) {
        let traces = turn.account.service.traces(&order, intent).await?;
        let evidence = Evidence {
            looked: now,
            list: !traces.lists.is_empty(),
            recipients: if traces.lists.is_empty() { 0 } else { traces.recipients },
            first: traces.first,
            campaign: traces.campaign,
        };
        // What was seen once stays seen.
        if !send.details.evidence.as_ref().is_some_and(Evidence::shows) || evidence.shows() {
            send.details.evidence = Some(evidence);
        }
    }
    departures::read(turn, &send).await?;
    send.wake = now.checked_add(LOOK).ok();
    Ok(Next::Rest(save(turn, "marketing.send_looked", send).await?))
}

/// What is left to do for a send that has ended: its list goes. After mail left it stays a month, looked at for those who leave by
/// the mail, and when it is not certain that none did, it stays.
pub(super) async fn clear(turn: &Turn, mut send: CampaignSend) -> Result<Next, Halt> {
    let now = turn.now();
    let Some(list) = send.list.filter(|_| !send.details.list_deleted) else {
        if send.wake.is_none() {
            return Ok(Next::Rest(send));
        }
        send.wake = None;
        return Ok(Next::Rest(save(turn, "marketing.send_ended", send).await?));
    };
    let ended = send.details.ended.unwrap_or(now);
    let from = match send.details.intent {
        Some(_) => ended.checked_add(KEPT).unwrap_or(Timestamp::MAX),
        None => ended,
    };
    if send.wake.is_some_and(|wake| wake > now) {
        return Ok(Next::Rest(send));
    }
    departures::read(turn, &send).await?;
    if from > now {
        let wait = DEPARTURES[usize::from(now.duration_since(ended) >= DEPARTURES[1])];
        send.wake = now.checked_add(wait).ok().map(|next| next.min(from));
        return Ok(Next::Rest(save(turn, "marketing.send_list_kept", send).await?));
    }
    match turn.account.service.delete_list(&ListId(list)).await {
        Ok(()) => {}
        Err(fault) if fault.verdict == Verdict::Reject && fault.code == Code::MARKETING_NOT_FOUND => {}
        Err(fault) => return Err(fault.into()),
    }
    (send.details.list_deleted, send.wake) = (true, None);
    Ok(Next::Rest(save(turn, "marketing.send_list_deleted", send).await?))
}

/// A fault of a step that may be made again: noted, and looked at later. One that will not pass ends the send, as nobody was
/// mailed yet.
pub(super) async fn failed(turn: &Turn, mut send: CampaignSend, fault: Fault) -> Result<Next, Fault> {
    let now = turn.now();
    let harmless = send.state.is_harmless();
    let passing = matches!(fault.verdict, Verdict::Retry { .. }) || fault.code == Code::MARKETING_BUSY;
    let wait = match fault.verdict {
        Verdict::Retry { after } => after.unwrap_or(SignedDuration::from_secs(30)),
        Verdict::Bug => return Err(fault),
        Verdict::Hold => SignedDuration::from_mins(5),
        Verdict::Reject | Verdict::Unknown if passing || !harmless => POLL,
        Verdict::Reject | Verdict::Unknown => {
            send.details.error = Some(fault.message);
            end(&mut send, Event::Refused, now);
            return Ok(Next::Rest(save(turn, "marketing.send_failed", send).await?));
        }
    };
    send.details.error = Some(fault.message);
    send.wake = now.checked_add(wait).ok();
    Ok(Next::Rest(save(turn, "marketing.send_stopped", send).await?))
}
