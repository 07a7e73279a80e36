//! The test of a connection to a CRM outside, step by step: what works, what does not, and what to do about it. Reads, and
//! changes nothing.
//!
//! * [`reach`]: the name, the way there, the certificate.
//! * Here: the sign-in, as whom, which version, the clocks, the limits.
//! * [`rights`]: tables that are missing, and privileges by name.
//! * [`senders`]: who else reads or sends the mail of the same mailboxes.
//!
//! Not here: how the steps are shown, and which tables and mailboxes are wanted. Sources: dataverse.md A15, D and G;
//! protocol-annex.md 8.2 and 8.3.

mod reach;
mod rights;
mod senders;

use jiff::Timestamp;
use postroom_core::{Fault, Filter, Query, code};

use crate::outside::{Outside, Who};
use crate::sign_in::Connection;

pub use rights::{Need, Right};
pub use senders::Mailboxes;

/// Clocks that differ by more seconds than this are told: sign-ins hold for five minutes.
const SKEW: i64 = 120;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `name`, `tls`, `sign_in`, `user`, `version`, `clock`, `limits`, `tables`, `privileges`, `senders`.
    pub name: &'static str,
    pub state: State,
    /// What was found, or what failed, in a sentence.
    pub text: String,
    /// What to do, when something is to be done; also beside a step that is well.
    pub fix: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Well,
    Failed,
    /// It failed because nobody answered.
    Away,
    /// It was not tried.
    Skipped,
}

impl Step {
    fn well(name: &'static str, text: impl Into<String>) -> Self {
        Step { name, state: State::Well, text: text.into(), fix: None }
    }

    fn failed(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Step { name, state: State::Failed, text: text.into(), fix: Some(fix.into()) }
    }

    fn skipped(name: &'static str, text: impl Into<String>) -> Self {
        Step { name, state: State::Skipped, text: text.into(), fix: None }
    }

    fn with_fix(self, fix: impl Into<String>) -> Self {
        Step { fix: Some(fix.into()), ..self }
    }

    /// A failure at the port, with the documented next step.
    fn fault(name: &'static str, fault: &Fault) -> Self {
        let fix = code::entry(fault.code).map_or("look into the CRM's log", |entry| entry.action);
        let away = fault.code == postroom_core::Code::CRM_AWAY;
        let state = if away { State::Away } else { State::Failed };
        Step { state, ..Step::failed(name, fault.to_string(), fix) }
    }
}

/// What is tested, and against what.
pub struct Probe<'p> {
    pub crm: &'p dyn Outside,
    pub connection: &'p Connection,
    /// The organisation's address.
    pub org_url: &'p str,
    /// Per cent of the service protection's budget that is ours.
    pub share: u32,
    pub needs: Vec<Need>,
    pub rights: Vec<Right>,
    pub mailboxes: Mailboxes,
    pub now: Timestamp,
}

/// Tests a connection. What makes no sense after a failure is said to be skipped.
pub async fn probe(probe: &Probe<'_>) -> Vec<Step> {
    let mut steps = reach::steps(probe).await;
    if steps.iter().any(|step| matches!(step.state, State::Failed | State::Away)) {
        return skip(
            steps,
            &["sign_in", "user", "version", "clock", "limits", "tables", "privileges", "senders"],
        );
    }
    let who = match probe.crm.who().await {
        Ok(who) => who,
        Err(fault) => {
            steps.push(Step::fault("sign_in", &fault));
            steps.extend(clock(probe));
            return skip(steps, &["user", "version", "limits", "tables", "privileges", "senders"]);
        }
    };
    steps.push(Step::well("sign_in", format!("{} takes it", probe.org_url)));
    steps.extend(clock(probe));
    steps.push(user(probe, who).await);
    steps.push(version(probe).await);
    steps.push(limits(probe));
    steps.extend(rights::steps(probe, who).await);
    steps.push(senders::step(probe.crm, &probe.mailboxes).await);
    steps
}

fn skip(mut steps: Vec<Step>, names: &[&'static str]) -> Vec<Step> {
    steps.extend(names.iter().map(|name| Step::skipped(name, "see the step that failed")));
    steps
}

/// As whom, in words that an administrator knows.
async fn user(probe: &Probe<'_>, who: Who) -> Step {
    let query = Query::of("systemuser")
        .select(&["fullname", "domainname", "internalemailaddress", "isdisabled"])
        .filter(Filter::eq("systemuserid", who.user));
    match probe.crm.query(&query).await {
        Err(_) => Step::well("user", format!("systemuser/{} of organisation {}", who.user, who.organization))
            .with_fix("give the user the privilege to read users (prvReadUser), so that owners are found"),
        Ok(rows) => {
            let row = rows.first();
            let text = |column: &str| row.and_then(|row| row.text(column)).unwrap_or_default().to_owned();
            let name = [text("fullname"), text("domainname")].into_iter().find(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| "a user without a name".to_owned());
            Step::well(
                "user",
                format!("{name} (systemuser/{}) of organisation {}", who.user, who.organization),
            )
        }
    }
}

/// Which generation answers, and what it can.
async fn version(probe: &Probe<'_>) -> Step {
    let can = match probe.crm.capabilities().await {
        Ok(can) => can,
        Err(fault) => return Step::fault("version", &fault),
    };
    let words = [
        (can.alternate_keys, "alternate keys"),
        (can.upsert, "upsert"),
        (can.change_tracking, "change tracking"),
        (can.multiple, "multiple-row messages"),
        (can.batch, "batches"),
        (can.transaction, "atomic sets"),
        (can.concurrency, "row versions"),
        (can.deliver_incoming, "delivery by the server"),
    ];
    let with = |wanted: bool| {
        let words: Vec<&str> =
            words.iter().filter(|(can, _)| *can == wanted).map(|(_, word)| *word).collect();
        words.join(", ")
    };
    let (has, lacks) = (with(true), with(false));
    let lacks = if lacks.is_empty() { lacks } else { format!("; done in another way: {lacks}") };
    Step::well("version", format!("{}; has {has}{lacks}", can.version))
}

fn clock(probe: &Probe<'_>) -> Option<Step> {
    let there = probe.crm.seen().date?;
    let apart = probe.now.as_second() - there.as_second();
    Some(match apart.abs() {
        0..=SKEW => Step::well("clock", format!("{} s from the CRM's", apart.abs())),
        seconds => {
            let which = if apart > 0 { "ahead of" } else { "behind" };
            let text = format!("this machine's clock is {seconds} s {which} the CRM's");
            Step::failed("clock", text, "set the clock (NTP): tokens and sign-ins hold for five minutes only")
        }
    })
}

fn limits(probe: &Probe<'_>) -> Step {
    let seen = probe.crm.seen();
    let Some(left) = seen.requests_left else {
        return Step::well("limits", "the CRM names none: on premises there are none");
    };
    let at_once = seen.at_once.map_or(String::new(), |hint| format!(", {hint} at once recommended"));
    let ours = probe.share;
    let step = Step::well(
        "limits",
        format!("{left} requests left of this user's five minutes{at_once}; postroom takes {ours} % of it"),
    );
    match left {
        0..=1000 => {
            step.with_fix("something else uses this user up: give postroom an application user of its own")
        }
        _ => step,
    }
}
