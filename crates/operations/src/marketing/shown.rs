//! What is shown of campaigns and sends: the same values in pages, API and commands. Reports are in [`super::reports`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_core::marketing::Summary;
use postroom_marketing::campaigns::look::Seen;
use postroom_marketing::sends::Preview;
use postroom_marketing::sends::row::{CampaignSend, Evidence};
use postroom_marketing::sends::state::State;
use serde::Serialize;
use uuid::Uuid;

/// A campaign as it was last read.
#[derive(Debug, Clone, Serialize)]
pub struct CampaignView {
    pub account: String,
    /// The service's number.
    pub id: i64,
    /// The row `esc_emailcampaign` in the CRM; null while the account was never reached.
    pub row: Option<Uuid>,
    pub name: String,
    pub subject: String,
    /// The service's word: `Unsent`, `Sending`, `Sent`, `Triggered`, …
    pub status: String,
    /// It has versions, so a send needs a split.
    pub split_test: bool,
    pub last_sent: Option<Timestamp>,
    /// The service shows it no longer.
    pub gone: bool,
    /// When the figures were asked for.
    pub counted: Option<Timestamp>,
    /// The service's totals; null while it has none.
    pub totals: Option<CampaignTotals>,
}

/// The totals that a list shows.
#[derive(Debug, Clone, Serialize)]
pub struct CampaignTotals {
    pub sent: u64,
    pub unique_opens: u64,
    pub clickers: u64,
    pub unsubscribes: u64,
    pub hard_bounces: u64,
}

impl From<Seen> for CampaignView {
    fn from(seen: Seen) -> Self {
        let totals = |summary: Summary| CampaignTotals {
            sent: summary.sent,
            unique_opens: summary.unique_opens,
            clickers: summary.clickers,
            unsubscribes: summary.unsubscribes,
            hard_bounces: summary.hard_bounces,
        };
        CampaignView {
            account: seen.account,
            id: seen.id,
            row: seen.row,
            name: seen.name,
            subject: seen.subject,
            status: seen.status,
            split_test: seen.split_test,
            last_sent: seen.sent,
            gone: seen.gone,
            counted: seen.counted,
            totals: seen.summary.map(totals),
        }
    }
}

/// A marketing list that a campaign can go to.
#[derive(Debug, Clone, Serialize)]
pub struct ListChoice {
    pub id: Uuid,
    pub name: String,
    pub dynamic: bool,
}

/// Whom a send would reach: `people` is `to_send` and everybody left out together.
#[derive(Debug, Clone, Serialize)]
pub struct AudienceView {
    pub account: String,
    pub campaign: i64,
    pub name: String,
    pub lists: Vec<String>,
    pub people: u64,
    pub to_send: u64,
    /// How many are left out, by the reason: `suppressed`, `opted_out`, `left_list`, `inactive`, `duplicate`, `already_sent`,
    /// `no_address`, `invalid`.
    pub left_out: BTreeMap<String, u64>,
    /// Some of those who would be mailed.
    pub samples: Vec<Sample>,
    /// Some of those who would not, for each reason.
    pub samples_left_out: Vec<Sample>,
    /// Calls of the service that the send takes.
    pub calls: u64,
    /// Until it is handed over, at least.
    pub seconds: u64,
    /// A second person has to approve it.
    pub needs_approval: bool,
    /// Opt-outs of both sides are fresh; else fewer people may be mailed than are counted here.
    pub fresh: bool,
}

/// One person of an audience.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    pub record: RecordRef,
    pub address: String,
    /// Why the person is left out.
    pub reason: Option<String>,
}

impl AudienceView {
    pub(super) fn new(seen: &Seen, found: Preview) -> Self {
        let sample = |(record, address): (RecordRef, String), reason| Sample { record, address, reason };
        let out = found.samples_left_out.into_iter();
        AudienceView {
            account: seen.account.clone(),
            campaign: seen.id,
            name: seen.name.clone(),
            lists: found.lists,
            people: found.members,
            to_send: found.to_send,
            left_out: found.left_out,
            samples: found.samples.into_iter().map(|one| sample(one, None)).collect(),
            samples_left_out: out.map(|(at, address, why)| sample((at, address), Some(why))).collect(),
            calls: found.calls,
            seconds: found.seconds,
            needs_approval: found.needs_approval,
            fresh: found.fresh,
        }
    }
}

/// What became of test mails.
#[derive(Debug, Clone, Serialize)]
pub struct TestReport {
    pub account: String,
    pub campaign: i64,
    pub name: String,
    pub mails: Vec<TestMail>,
    pub dry_run: bool,
}

/// A test mail to one address.
#[derive(Debug, Clone, Serialize)]
pub struct TestMail {
    pub address: String,
    /// `would_go` (a dry run), `sent`, `refused` (the person opted out), `failed`, `unknown` (the answer was lost; it is not
    /// repeated).
    pub state: &'static str,
    pub text: Option<String>,
}

/// A request to send that was made, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct SendOrder {
    /// The request's row in the CRM; null after a dry run.
    pub id: Option<Uuid>,
    /// False when the same request was made before.
    pub changed: bool,
    pub audience: AudienceView,
    pub dry_run: bool,
}

/// A decision that was carried out, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct SendChange {
    pub order: &'static str,
    /// As it then stands.
    pub send: SendView,
    pub dry_run: bool,
}

/// One send of a campaign to lists.
#[derive(Debug, Clone, Serialize)]
pub struct SendView {
    /// The row `esc_emailsend` in the CRM.
    pub id: Uuid,
    pub account: String,
    /// The campaign's number at the service; null until the request was read.
    pub campaign: Option<i64>,
    pub name: String,
    pub lists: Vec<String>,
    /// It goes to whoever joins the lists; each lot of them is a send of its own.
    pub new_members: bool,
    /// The send to new members that made this one.
    pub parent: Option<Uuid>,
    /// `waiting` (held here until its time), `preparing`, `paused`, `held` (it asks a person), `sending`, `sent`, `unknown`
    /// (the answer was lost), `failed`, `cancelled`.
    pub state: &'static str,
    /// Where exactly it is: `requested`, `validated`, `snapshot`, `importing`, `imported`, `due`, `intent`, `submitted`, …
    pub step: &'static str,
    /// What holds it, or where it stands, in one sentence.
    pub text: String,
    /// What may be ordered now: `pause`, `resume`, `cancel`, `approve`, `expect`, `go_on`, `found`, `unsent`.
    pub orders: Vec<&'static str>,
    /// Members of the lists; `to_send` and `left_out` add up to it.
    pub people: u64,
    pub to_send: u64,
    pub left_out: BTreeMap<String, u64>,
    pub expected: Option<u64>,
    pub due: Option<Timestamp>,
    pub asked: Option<Timestamp>,
    /// A name.
    pub asked_by: Option<String>,
    pub approved_by: Option<String>,
    pub paused_by: Option<String>,
    /// Who said what became of a lost answer, or cancelled it.
    pub decided_by: Option<String>,
    pub sent: Option<Timestamp>,
    pub service_send: Option<String>,
    /// What the service shows of a send whose answer was lost.
    pub evidence: Option<EvidenceView>,
}

/// Traces of a send whose answer was lost.
#[derive(Debug, Clone, Serialize)]
pub struct EvidenceView {
    pub looked: Timestamp,
    /// Whether the service shows that it was made. That it does not proves nothing.
    pub made: bool,
    pub recipients: u64,
    pub first: Option<Timestamp>,
    /// The campaign's status there.
    pub campaign: String,
}

impl SendView {
    /// `by` gives people their names; a send to more than `approval_over` waits for a second person.
    pub(super) fn new(send: CampaignSend, approval_over: u64, by: impl Fn(&str) -> String) -> Self {
        let needs_approval = needs_approval(&send, approval_over);
        let (state, text) = stands(&send, needs_approval);
        let orders = orders(&send, needs_approval);
        let expected = send.expected();
        let details = send.details;
        SendView {
            id: send.id,
            account: send.account,
            campaign: send.campaign,
            name: details.request.campaign_name,
            lists: details.request.lists.into_iter().map(|list| list.name).collect(),
            new_members: details.request.new_members && details.parent.is_none(),
            parent: details.parent,
            state,
            step: send.state.as_str(),
            text,
            orders,
            people: details.members,
            to_send: details.to_send,
            left_out: details.left_out,
            expected,
            due: details.request.due,
            asked: details.asked,
            asked_by: details.request.actor.map(|actor| by(&actor.to_string())),
            approved_by: details.approved.map(|word| by(&word.who)),
            paused_by: details.paused.map(|who| by(&who)),
            decided_by: details.decided.map(|word| by(&word.who)),
            sent: details.sent,
            service_send: details.service_send,
            evidence: details.evidence.map(evidence),
        }
    }
}

fn evidence(seen: Evidence) -> EvidenceView {
    EvidenceView {
        looked: seen.looked,
        made: seen.shows(),
        recipients: seen.recipients,
        first: seen.first,
        campaign: seen.campaign,
    }
}

fn needs_approval(send: &CampaignSend, approval_over: u64) -> bool {
    send.state.is_harmless() && send.details.to_send > approval_over && send.details.approved.is_none()
}

/// Where a send stands, and why.
fn stands(send: &CampaignSend, needs_approval: bool) -> (&'static str, String) {
    let details = &send.details;
    let or = |text: &str| details.error.clone().unwrap_or_else(|| text.to_owned());
    match send.state {
        State::Sent => ("sent", format!("It went to {} people.", details.to_send)),
        State::Failed => ("failed", or("Nobody was mailed.")),
        State::Cancelled => ("cancelled", or("It was cancelled before anybody was mailed.")),
        State::Unknown => ("unknown", unknown(details.evidence.as_ref())),
        State::Intent => ("sending", "It is being handed over.".to_owned()),
        State::Submitted | State::Scheduled | State::Sending => {
            ("sending", "The service has it and sends it.".to_owned())
        }
        _ if details.paused.is_some() => {
            ("paused", "Somebody paused it; nothing happens until it is resumed.".to_owned())
        }
        _ if details.question.is_some() => ("held", details.question.clone().unwrap_or_default()),
        State::Due if needs_approval => ("held", "It waits until a second person approves it.".to_owned()),
        State::Due if details.ready.is_some() => {
            ("waiting", or("It waits for opt-outs of both sides to be read once more, then it goes."))
        }
        State::Due => match details.request.due {
            Some(due) => ("waiting", or(&format!("It is held here until {due:.0}."))),
            None => ("waiting", or("It goes in a moment.")),
        },
        State::Requested => ("preparing", or("It is about to be looked at.")),
        State::Watching => {
            ("waiting", or("It waits for people who join its lists; each lot of them is a send of its own."))
        }
        State::Validated => ("preparing", or("People are counted as soon as opt-outs are fresh.")),
        State::Snapshot | State::Importing | State::Imported => {
            ("preparing", or("Its people are put onto a list of their own at the service."))
        }
    }
}

fn unknown(evidence: Option<&Evidence>) -> String {
    match evidence {
        None => "The answer of the service is lost; it is looked for there, and not repeated.".to_owned(),
        Some(seen) if seen.shows() => format!(
            "The answer of the service is lost, but it shows the send: {} recipients. A person has to say so.",
            seen.recipients
        ),
        Some(_) => "The answer of the service is lost, and it shows no trace of the send yet. Look there, then decide.".to_owned(),
    }
}

/// What may be ordered of a send as it stands.
fn orders(send: &CampaignSend, needs_approval: bool) -> Vec<&'static str> {
    let details = &send.details;
    if send.state == State::Unknown {
        let shown = details.evidence.as_ref().is_some_and(Evidence::shows);
        return if shown { vec!["found"] } else { vec!["found", "unsent"] };
    }
    if !send.state.is_harmless() {
        return Vec::new();
    }
    let mut orders = Vec::new();
    orders.extend(needs_approval.then_some("approve").filter(|_| details.to_send > 0));
    if details.question.is_some() {
        let counts = matches!(send.state, State::Snapshot | State::Watching);
        orders.extend(counts.then_some("expect"));
        orders.extend((send.state > State::Snapshot && !needs_approval).then_some("go_on"));
    }
    orders.push(if details.paused.is_some() { "resume" } else { "pause" });
    orders.push("cancel");
    orders
}

#[cfg(test)]
mod tests {
    use postroom_marketing::sends::row::{Details, Word};

    use super::*;

    fn send(state: State, change: impl FnOnce(&mut Details)) -> CampaignSend {
        let mut details = Details { to_send: 7, ..Details::default() };
        change(&mut details);
        let (account, campaign) = ("main".to_owned(), Some(1));
        CampaignSend {
            id: Uuid::nil(),
            account,
            campaign,
            state,
            version: 1,
            told: 0,
            wake: None,
            list: None,
            details,
        }
    }

    #[track_caller]
    fn check(send: &CampaignSend, over: u64, state: &str, allowed: &str) {
        let needs = needs_approval(send, over);
        assert_eq!(stands(send, needs).0, state, "{send:?}");
        assert_eq!(orders(send, needs).join(" "), allowed, "{send:?}");
    }

    #[test]
    fn what_is_shown_and_what_may_be_ordered() {
        check(&send(State::Requested, |_| {}), 9, "preparing", "pause cancel");
        check(&send(State::Due, |_| {}), 9, "waiting", "pause cancel");
        check(&send(State::Due, |_| {}), 6, "held", "approve pause cancel");
        let question = |details: &mut Details| details.question = Some("seven?".into());
        check(&send(State::Snapshot, question), 9, "held", "expect pause cancel");
        check(&send(State::Imported, question), 9, "held", "go_on pause cancel");
        check(&send(State::Due, question), 6, "held", "approve pause cancel");
        let word = Word { who: "anna".into(), at: Timestamp::UNIX_EPOCH };
        check(&send(State::Due, |details| details.approved = Some(word)), 6, "waiting", "pause cancel");
        check(&send(State::Due, |details| details.paused = Some("x".into())), 9, "paused", "resume cancel");
        check(&send(State::Intent, |_| {}), 9, "sending", "");
        check(&send(State::Sent, |_| {}), 0, "sent", "");
        check(&send(State::Unknown, |_| {}), 0, "unknown", "found unsent");
        let seen = |recipients| {
            move |details: &mut Details| {
                let campaign = "Sent".to_owned();
                let looked = Timestamp::UNIX_EPOCH;
                details.evidence = Some(Evidence { looked, list: false, recipients, first: None, campaign });
            }
        };
        check(&send(State::Unknown, seen(0)), 0, "unknown", "found unsent");
        check(&send(State::Unknown, seen(5)), 0, "unknown", "found");
    }
}
