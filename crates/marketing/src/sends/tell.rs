//! The request row in the CRM: what a user wishes there, and what it is told.
//!
//! The row's status is written by both. What it was last given is kept, so another status there is a user's wish; and it is
//! written only when nobody changed the row since it was looked at, so that a wish is never overwritten.

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Code, Fault, Filter, Query, Record, RecordRef, Value, Verdict};
use postroom_store::Error;
use uuid::Uuid;

use super::fill::save;
use super::hand::{self, Decision};
use super::request::{TABLE, choice, moment, number};
use super::row::{self, CampaignSend, Word};
use super::state::State;
use crate::keys::Key;
use crate::solution::options::Set;
use crate::solution::roles::Duty;
use crate::sync::Turn;

/// Rows of one question.
const ASKED: usize = 100;

/// The request rows of these sends, as they are now.
pub(super) async fn rows(turn: &Turn, sends: &[Uuid]) -> Result<Vec<Record>, Fault> {
    let mut rows = Vec::new();
    for some in sends.chunks(ASKED) {
        let ids = some.iter().map(|id| Value::Guid(*id)).collect();
        let query = Query::of(TABLE).filter(Filter::In("esc_emailsendid".to_owned(), ids));
        rows.extend(turn.engine.crm.query(&query).await?);
    }
    Ok(rows)
}

/// Tells the CRM's row how a send stands, unless it knows. A wish that stands there is taken first.
pub(super) async fn send(turn: &Turn, send: CampaignSend) -> Result<(), Fault> {
    if send.told == send.version {
        return Ok(());
    }
    let row = rows(turn, &[send.id]).await?.pop();
    with_row(turn, send, row).await.map(drop)
}

/// What looking at a row came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// A wish was taken: the send is to go on.
    Wished,
    Told,
    Same,
}

/// Takes what a user wishes on the row, else tells it how the send stands.
pub(super) async fn with_row(turn: &Turn, send: CampaignSend, row: Option<Record>) -> Result<Looked, Fault> {
    let Some(row) = row else { return deleted(turn, send).await };
    let (send, wished) = match wishes(turn, send, &row).await? {
        (send, true) => (save(turn, "marketing.send_wished", send).await?, true),
        (send, false) => (send, false),
    };
    let status = i64::from(send.status());
    if send.told == send.version && row.int("esc_sendstatus") == Some(status) {
        return Ok(Looked::Same);
    }
    tell(turn, send, &row).await?;
    Ok(if wished { Looked::Wished } else { Looked::Told })
}

/// A request that is deleted before anybody was mailed is taken back.
async fn deleted(turn: &Turn, mut send: CampaignSend) -> Result<Looked, Fault> {
    if send.state.is_harmless() {
        let word = Word { who: "the CRM: the request row was deleted".to_owned(), at: turn.now() };
        hand::apply(&mut send, word, Decision::Cancel)?;
        send = save(turn, "marketing.send_row_deleted", send).await?;
        note(turn, send).await?;
        return Ok(Looked::Wished);
    }
    note(turn, send).await?;
    Ok(Looked::Same)
}

async fn tell(turn: &Turn, mut send: CampaignSend, row: &Record) -> Result<(), Fault> {
    let record = record(turn, &send);
    let change = match row.int("versionnumber") {
        Some(version) => Change::UpdateIf(record, version),
        None => Change::Update(record),
    };
    let sets = vec![ChangeSet { changes: vec![change] }];
    match turn.engine.crm.apply(sets).await.pop().expect("an answer for each set") {
        Ok(_) => {
            send.details.told_status = Some(send.status());
            send.details.told_expected = send.expected();
            note(turn, send).await
        }
        // A user was quicker: the next look reads what was wished.
        Err(fault) if fault.code == Code::CRM_VERSION => Ok(()),
        Err(fault) if fault.verdict == Verdict::Reject => {
            tracing::warn!(event = "marketing.send_untold", send = %send.id, code = %fault.code, "The CRM did not take how a send stands: {fault}");
            note(turn, send).await
        }
        Err(fault) => Err(fault),
    }
}

async fn note(turn: &Turn, send: CampaignSend) -> Result<(), Fault> {
    let unit = turn
        .engine
        .store
        .write("marketing.send_told", move |tx| async move { row::told(tx, &send).await }.boxed());
    let noted: Result<(), Error> = unit.await;
    Ok(noted?)
}

/// What the row is to say.
fn record(turn: &Turn, send: &CampaignSend) -> Record {
    let details = &send.details;
    let left = |words: &[&str]| -> i64 {
        let sum: u64 = words.iter().filter_map(|word| details.left_out.get(*word)).sum();
        i64::try_from(sum).unwrap_or(i64::MAX)
    };
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let actor = details.request.actor.map_or(Value::Null, |id| Value::lookup("systemuser", id));
    let mut row = Record::new(RecordRef::new(TABLE, send.id))
        .with("esc_externalkey", Key::requested_send(details.token).as_str())
        .with("esc_idempotencytoken", details.token.to_string())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_sendstatus", i64::from(send.status()))
        .with(
            "esc_error",
            details.question.clone().or_else(|| details.error.clone()).map(|text| cut(&text, 4000)),
        )
        .with("esc_servicesendid", details.service_send.clone())
        .with("esc_serviceaddressbookids", send.list.map(|list| list.to_string()))
        .with("esc_datesent", details.sent)
        .with("esc_lastsyncedon", turn.now());
    if send.state != State::Requested {
        row = row.with("esc_requestedby", actor);
    }
    if let Some(expected) = send.expected() {
        row = row.with("esc_expectedcount", count(expected));
    }
    if details.members > 0 {
        let name = &details.request.campaign_name;
        row = row
            .with("esc_description", cut(&format!("{name} to {} people", details.to_send), 200))
            .with("esc_numpotential", count(details.members))
            .with("esc_numduplicates", left(&["duplicate"]))
            .with("esc_numnoemail", left(&["no_address", "invalid"]))
            .with("esc_numalreadysent", left(&["already_sent"]))
            .with(
                "esc_numdonotemail",
                left(&["suppressed", "opted_out", "left_list", "inactive", "opted_out_since", "not_taken"]),
            )
            .with("esc_numtosend", count(details.to_send));
    }
    row
}

/// The beginning of a text, in UTF-16 units.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|letter| {
            units += letter.len_utf16();
            units <= longest
        })
        .collect()
}

/// What a user changed on the row since it was told: taken into the send, when the user may.
async fn wishes(turn: &Turn, mut send: CampaignSend, row: &Record) -> Result<(CampaignSend, bool), Fault> {
    let who = row.lookup("modifiedby").map(|at| at.id);
    let mut taken = false;
    for (decision, needs_role) in wished(&send, row, who) {
        let may = match (needs_role, who) {
            (false, _) => true,
            (true, None) => false,
            (true, Some(user)) => {
                turn.engine.rules.permits.may(turn.engine.crm.as_ref(), user, Duty::Send).await?
            }
        };
        if !may {
            continue;
        }
        let word = Word { who: who.map(|id| id.to_string()).unwrap_or_default(), at: turn.now() };
        taken |= hand::apply(&mut send, word, decision).is_ok();
    }
    if send.state.is_harmless() && send.state != State::Requested {
        let due = moment(row, "esc_scheduledsenddate");
        if due != send.details.request.due {
            (send.details.request.due, send.details.ready, taken) = (due, None, true);
        }
    }
    if taken {
        send.wake = Some(turn.now());
    }
    Ok((send, taken))
}

/// Decisions that a row shows, and whether each needs the right to send.
fn wished(send: &CampaignSend, row: &Record, who: Option<Uuid>) -> Vec<(Decision, bool)> {
    let mut wished = Vec::new();
    let status = row.int("esc_sendstatus");
    let told = send.details.told_status.map(i64::from);
    if told.is_none_or(|told| status != Some(told)) {
        match choice(row, "esc_sendstatus", Set::SendStatus) {
            Some("Paused") if send.details.paused.is_none() => wished.push((Decision::Pause, false)),
            Some("Cancelled") => wished.push((Decision::Cancel, false)),
            Some("Requested") if told.is_some() && send.details.paused.is_some() => {
                wished.push((Decision::Resume, true));
            }
            _ => {}
        }
    }
    if send.state == State::Requested {
        return wished;
    }
    let told = [send.expected(), send.details.told_expected];
    if let Some(expected) = number(row, "esc_expectedcount").filter(|number| !told.contains(&Some(*number))) {
        wished.push((Decision::Expect(expected), true));
    }
    // Whoever names somebody else does not approve in that person's name.
    let approver = row.lookup("esc_approvedby").map(|at| at.id).filter(|id| Some(*id) == who);
    if approver.is_some() && send.details.approved.is_none() {
        wished.push((Decision::Approve, true));
    }
    wished
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("a\u{1f600}b", 2), "a");
        assert_eq!(cut("a\u{1f600}b", 3), "a\u{1f600}");
    }
}
