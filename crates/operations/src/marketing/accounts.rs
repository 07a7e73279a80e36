//! Accounts of the marketing service: how each stands, whether it works, and pausing it.

use std::error::Error as _;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::marketing::{Capabilities, Feature, Marketing};
use postroom_core::{Code, Fault, Query, code};
use postroom_marketing::Engine;
use postroom_marketing::accounts::{self, Known};
use postroom_marketing::consent::gate;
use postroom_marketing::solution::look;
use postroom_store::Error;
use serde::Serialize;

use super::Duty;
use super::views::{AccountOrder, AccountView};
use crate::{Actor, Operations, audit};

/// Clocks may differ so much before somebody is told.
const DRIFT: SignedDuration = SignedDuration::from_secs(60);
/// Standard tables that the marketing half reads and writes, and one of the solution's own.
const TABLES: [&str; 6] = ["contact", "lead", "account", "campaign", "list", "esc_emailaccount"];

/// One step of a check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckStep {
    /// `name`, `tls`, `sign_in`, `account`, `limits`, `time`, `capabilities`, `crm TABLE`.
    pub name: String,
    pub ok: bool,
    pub text: String,
    /// What to do.
    #[serde(rename = "do")]
    pub fix: Option<String>,
    /// `PR-nnnn`, when it failed by a documented error.
    pub code: Option<String>,
}

/// How an account was found.
#[derive(Debug, Clone, Serialize)]
pub struct AccountCheck {
    pub name: String,
    pub ok: bool,
    /// Whether it failed only because nobody answered.
    pub away: bool,
    pub steps: Vec<CheckStep>,
}

impl CheckStep {
    fn well(name: impl Into<String>, text: impl Into<String>) -> Self {
        CheckStep { name: name.into(), ok: true, text: text.into(), fix: None, code: None }
    }

    fn failed(name: impl Into<String>, text: impl Into<String>, fix: impl Into<String>) -> Self {
        CheckStep { ok: false, fix: Some(fix.into()), ..CheckStep::well(name, text) }
    }

    fn fault(name: impl Into<String>, fault: &Fault) -> Self {
        let action = code::entry(fault.code).map_or("look at the message", |entry| entry.action);
        let step = CheckStep::failed(name, fault.message.clone(), action);
        CheckStep { code: Some(fault.code.to_string()), ..step }
    }
}

impl Operations {
    /// Every account of the configuration.
    pub async fn marketing_accounts(&self, actor: &Actor) -> Result<Vec<AccountView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let engine = self.marketing()?;
        let (names, rules, now) =
            (engine.accounts.keys().cloned().collect::<Vec<_>>(), engine.rules.clone(), engine.clock.now());
        let read = engine.store.read(move |tx| {
            async move {
                let mut all = Vec::with_capacity(names.len());
                for name in names {
                    let known = accounts::known(tx, &name).await?;
                    let fresh = gate::is_fresh(tx, &name, &rules, now).await?;
                    all.push(view(known, fresh));
                }
                Ok(all)
            }
            .boxed()
        });
        let all: Result<Vec<AccountView>, Error> = read.await;
        Ok(all?)
    }

    /// Tries an account step by step. What is found is noted, so that an account that works again is taken up at once.
    pub async fn check_account(&self, actor: &Actor, name: &str) -> Result<AccountCheck, Fault> {
        self.needs_duty(actor, Duty::Configure).await?;
        let engine = self.of_account(name)?;
        let account = engine.account(name).cloned().expect("asked for above");
        let mut found = trial(&*account.service, engine.clock.now()).await;
        if found.ok {
            match engine.connect(&account).await {
                Ok(_) => {}
                Err(fault) => found.add(CheckStep::fault("account", &fault)),
            }
        }
        for step in crm_tables(engine).await {
            found.add(step);
        }
        found.add(crm_solution(engine).await);
        Ok(AccountCheck { name: name.to_owned(), ..found })
    }

    /// Keeps an account's runs from beginning until it is resumed; one that is under way ends.
    pub async fn pause_account(
        &self,
        actor: &Actor,
        name: &str,
        dry_run: bool,
    ) -> Result<AccountOrder, Fault> {
        self.set_account_paused(actor, name, true, dry_run).await
    }

    pub async fn resume_account(
        &self,
        actor: &Actor,
        name: &str,
        dry_run: bool,
    ) -> Result<AccountOrder, Fault> {
        self.set_account_paused(actor, name, false, dry_run).await
    }

    async fn set_account_paused(
        &self,
        actor: &Actor,
        name: &str,
        paused: bool,
        dry_run: bool,
    ) -> Result<AccountOrder, Fault> {
        self.needs_duty(actor, Duty::Configure).await?;
        let engine = self.of_account(name)?;
        let order = if paused { "pause" } else { "resume" };
        let (ids, now, name) = (engine.ids.clone(), engine.clock.now(), name.to_owned());
        let who = paused.then(|| actor.name.clone());
        let entry = audit::Entry::new(actor, now, &format!("marketing.{order}"), &name, "");
        let account = name.clone();
        let unit = self.unit("operations.marketing_paused", dry_run, move |tx| {
            async move {
                let changed = accounts::pause(tx, &account, who.as_deref()).await?;
                if changed {
                    audit::append(tx, &ids, now, &entry).await?;
                }
                Ok(changed)
            }
            .boxed()
        });
        let changed = unit.await?;
        engine.store.wake();
        Ok(AccountOrder { name, order, changed, dry_run })
    }
}

fn view(known: Known, fresh: bool) -> AccountView {
    let reason = known.reason.clone().unwrap_or_default();
    let (state, text) = match (&known.paused, known.state.as_str()) {
        (Some(who), _) => ("paused", format!("Paused by {who}.")),
        (None, "bad_credentials" | "wrong_region") => ("needs_you", reason),
        (None, "unreachable") => ("failing", reason),
        (None, _) if known.first_exchange.is_none() => {
            ("waiting", "Opt-outs have not been exchanged yet: nothing is sent before that.".to_owned())
        }
        (None, _) if !fresh => {
            ("catching_up", "The last exchange of opt-outs is too old to send.".to_owned())
        }
        (None, _) => ("healthy", "Opt-outs of both sides are known.".to_owned()),
    };
    let (region, service_id) = known.connected.map(|is| (is.region, is.id)).unzip();
    AccountView {
        name: known.name,
        state,
        text,
        region,
        service_id,
        endpoint: known.endpoint,
        paused_by: known.paused,
        first_exchange: known.first_exchange,
        exchanged: known.exchanged,
        fresh,
    }
}

impl AccountCheck {
    fn add(&mut self, step: CheckStep) {
        self.ok &= step.ok;
        self.away &= step.ok;
        self.steps.push(step);
    }
}

/// Everything that the service itself can be asked. It needs no store, so an account can be tried before it is configured.
pub async fn trial(service: &dyn Marketing, now: Timestamp) -> AccountCheck {
    let mut found = AccountCheck { name: String::new(), ok: true, away: false, steps: Vec::new() };
    let said = match service.account().await {
        Ok(said) => said,
        Err(fault) => {
            found.away = fault.code == Code::MARKETING_AWAY;
            found.ok = false;
            found.steps = until(&fault);
            return found;
        }
    };
    found.steps = ["name", "tls", "sign_in"].map(|name| CheckStep::well(name, "well")).to_vec();
    found
        .steps
        .push(CheckStep::well("account", format!("{} (number {}) at {}", said.name, said.id, said.endpoint)));
    found.steps.push(limits(&said));
    found.add(match service.server_time().await {
        Ok(theirs) => time(theirs, now),
        Err(fault) => CheckStep::fault("time", &fault),
    });
    found.add(match service.capabilities().await {
        Ok(able) => CheckStep::well("capabilities", capabilities(&able)),
        Err(fault) => CheckStep::fault("capabilities", &fault),
    });
    found
}

/// How far a failed first call came.
fn until(fault: &Fault) -> Vec<CheckStep> {
    let at = match fault.code {
        Code::MARKETING_AWAY if nameless(fault) => "name",
        Code::MARKETING_AWAY => "reach",
        Code::MARKETING_TLS => "tls",
        Code::MARKETING_SIGN_IN => "sign_in",
        _ => "account",
    };
    let before: &[&str] = match at {
        "name" => &[],
        "reach" | "tls" => &["name"],
        "sign_in" => &["name", "tls"],
        _ => &["name", "tls", "sign_in"],
    };
    let mut steps: Vec<CheckStep> = before.iter().map(|name| CheckStep::well(*name, "well")).collect();
    steps.push(match at {
        "name" => CheckStep {
            fix: Some("correct the host in the account's url, or this machine's name servers".to_owned()),
            ..CheckStep::fault(at, fault)
        },
        _ => CheckStep::fault(at, fault),
    });
    steps
}

/// Whether it failed because the host's name is nobody's.
fn nameless(fault: &Fault) -> bool {
    let mut at = fault.source();
    while let Some(cause) = at {
        let text = cause.to_string();
        if text.contains("dns error") || text.contains("failed to lookup address") {
            return true;
        }
        at = cause.source();
    }
    false
}

fn limits(said: &postroom_core::marketing::Account) -> CheckStep {
    let calls = match (said.calls_left, said.calls_in_last_hour) {
        // None made and none left: the limit is another one, of calls in a minute.
        (Some(0), Some(0)) => "no flat limit of calls".to_owned(),
        (Some(left), _) => format!("{left} calls left in this hour"),
        (None, Some(made)) => format!("no flat limit of calls; {made} in the last hour"),
        (None, None) => "no flat limit of calls is told".to_owned(),
    };
    let sends = said.sends_left.map(|left| format!(", {left} mails left in the plan")).unwrap_or_default();
    match (said.calls_left, said.calls_in_last_hour) {
        (Some(0), Some(1..)) => CheckStep::failed(
            "limits",
            format!("{calls}{sends}"),
            "wait for the next hour, or ask the service for a higher limit",
        ),
        _ => CheckStep::well("limits", format!("{calls}{sends}")),
    }
}

fn time(theirs: Timestamp, ours: Timestamp) -> CheckStep {
    let drift = ours.duration_since(theirs);
    match drift.abs() > DRIFT {
        true => CheckStep::failed(
            "time",
            format!("this machine's clock differs from the service's by {} s", drift.abs().as_secs()),
            "set this machine's clock by NTP",
        ),
        false => CheckStep::well("time", format!("{theirs:.0}, as here")),
    }
}

fn capabilities(able: &Capabilities) -> String {
    let people =
        if able.identifiers { "people by v3, with identifiers" } else { "people by v2, by address only" };
    let missing: Vec<&str> = able
        .missing
        .iter()
        .map(|feature| match feature {
            Feature::Programs => "programs",
            Feature::Forms => "forms",
            Feature::Preferences => "preferences",
            Feature::Scores => "scores",
        })
        .collect();
    match missing.is_empty() {
        true => people.to_owned(),
        false => format!("{people}; the account lacks {}", missing.join(", ")),
    }
}

/// Whether tables and columns are as this program needs them, by definitions alone: the connector's user may not read solutions.
async fn crm_solution(engine: &Engine) -> CheckStep {
    let name = "crm solution";
    let fit = match look::fit(engine.crm.as_ref()).await {
        Ok(fit) => fit,
        Err(fault) => return CheckStep::fault(name, &fault),
    };
    let status = "look at all of it: postroom solution status";
    match (fit.clashes.as_slice(), fit.steps.as_slice()) {
        ([], []) => CheckStep::well(name, format!("all {} definitions fit", fit.present)),
        ([], [first, rest @ ..]) => {
            let text = format!("{} is missing, and {} more", first.name(), rest.len());
            CheckStep::failed(name, text, "run: postroom solution upgrade, or install where it never was")
        }
        ([first, rest @ ..], _) => {
            CheckStep::failed(name, format!("{first}; and {} more", rest.len()), status)
        }
    }
}

/// Each table that the CRM's user has to reach.
async fn crm_tables(engine: &Engine) -> Vec<CheckStep> {
    let mut steps = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let name = format!("crm {table}");
        let column = format!("{table}id");
        let asked = engine.crm.query(&Query::of(table).select(&[column.as_str()]).top(1)).await;
        steps.push(match asked {
            Ok(_) => CheckStep::well(name, "can be read"),
            Err(fault) if table.starts_with("esc_") && fault.code == Code::CRM_UNKNOWN_COLUMN => {
                CheckStep::failed(name, "the solution is not in the CRM", "run: postroom solution install")
            }
            Err(fault) => CheckStep::fault(name, &fault),
        });
    }
    steps
}
