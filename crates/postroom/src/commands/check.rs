//! What `postroom check` and `postroom mailbox test` try, for the command line and for programs alike.

use std::net::{SocketAddr, TcpListener};

use async_trait::async_trait;
use postroom_core::{Code, Fault};
use postroom_operations::{
    CheckPart as Part, CheckWanted, Credential, MailboxTest, Told, TrialStep, Trials, Tried,
};
use postroom_tracking::settings;

use super::credentials;
use super::trial::{self, Bench};

#[async_trait]
impl Trials for Bench {
    /// That it got here means configuration and storage are good.
    async fn check(&self, wanted: &CheckWanted, told: Told<'_>) -> Result<Vec<Tried>, Fault> {
        let is_wanted = |part: Part| wanted.part.is_none_or(|chosen| chosen == part);
        let mut tried = Vec::new();
        if is_wanted(Part::Config) {
            tried.push(Tried::well("config", "every key is known and fits"));
        }
        if is_wanted(Part::Storage) {
            tried.push(storage(self).await);
        }
        if is_wanted(Part::Crm) {
            tried.extend(crm(self, told).await);
        }
        let (http, smtp, lmtp) = (&self.config.http, &self.config.smtp_in, &self.config.lmtp_in);
        let doors = [
            (Part::Http, http.listen.map(|listen| listen.get())),
            (Part::Smtp, smtp.enabled.then_some(smtp.listen.get())),
            (Part::Lmtp, lmtp.enabled.then_some(lmtp.listen.get())),
        ];
        for (part, address) in doors.into_iter().filter(|(part, _)| is_wanted(*part)) {
            tried.push(door(part.as_str(), address));
        }
        if is_wanted(Part::Mailbox) {
            tried.extend(mailboxes(self, wanted, told).await?);
        }
        if is_wanted(Part::SmtpOut) {
            tried.push(of_step("", trial::smtp_out(self).await));
            tried.extend(trial::reply_route(self).await.map(|step| of_step("", step)));
        }
        if is_wanted(Part::Relay) {
            tried.push(of_step("", trial::next_hop(self).await));
        }
        Ok(tried)
    }

    async fn mailboxes(
        &self,
        name: Option<&str>,
        round_trip: bool,
        told: Told<'_>,
    ) -> Result<Vec<MailboxTest>, Fault> {
        let all = &self.config.mailboxes;
        if let Some(name) = name.filter(|name| !all.contains_key(*name)) {
            let text = format!("no mailbox {name:?} is configured");
            return Err(Fault::reject(Code::API_NOT_FOUND, text));
        }
        let mut tested = Vec::new();
        for (known, mailbox) in all.iter().filter(|(known, _)| name.is_none_or(|name| name == *known)) {
            if mailbox.imap.is_some() {
                told(&format!("testing {known} …"));
            }
            let steps = trial::mailbox(self, mailbox, round_trip).await?;
            let failed = steps.iter().find(|step| !step.ok);
            let (ok, fix) = (failed.is_none(), failed.and_then(|step| step.fix.clone()));
            let address = mailbox.address.as_ref().to_owned();
            tested.push(MailboxTest { name: known.clone(), address, ok, steps, fix });
        }
        Ok(tested)
    }

    async fn credentials(&self) -> Vec<Credential> {
        credentials::of(&self.config).await
    }
}

/// A step in the words of a check. `before` stands before its name.
fn of_step(before: &str, step: TrialStep) -> Tried {
    let said = if step.skipped { format!("not tried: {}", step.text) } else { step.text };
    Tried { part: format!("{before}{}", step.name), ok: step.ok, said, fix: step.fix, skipped: step.skipped }
}

async fn storage(bench: &Bench) -> Tried {
    match settings::get(&bench.store, "installation").await {
        Ok(_) => Tried::well("storage", "open, migrated and durable"),
        Err(error) => Tried::failed("storage", error.to_string(), "check [storage] url"),
    }
}

/// One line for the embedded CRM; each step for one outside.
async fn crm(bench: &Bench, told: Told<'_>) -> Vec<Tried> {
    let Some(elsewhere) = bench.crm.outside() else {
        return vec![match bench.crm.port().check().await {
            Ok(said) => Tried::well("crm", said),
            Err(fault) => Tried::failed("crm", fault.to_string(), format!("postroom explain {}", fault.code)),
        }];
    };
    told(&format!("asking {} …", elsewhere.org_url));
    let steps = super::crm::steps(bench, elsewhere).await;
    steps.into_iter().map(|step| of_step("crm ", step)).collect()
}

/// The steps of one mailbox, or of all. One without IMAP has nothing to go round in.
async fn mailboxes(bench: &Bench, wanted: &CheckWanted, told: Told<'_>) -> Result<Vec<Tried>, Fault> {
    let (all, name) = (&bench.config.mailboxes, wanted.name.as_deref());
    if let Some(name) = name.filter(|name| !all.contains_key(*name)) {
        let text = format!("no mailbox {name:?} is configured");
        return Ok(vec![Tried::failed("mailbox", text, "postroom mailbox list")]);
    }
    let mut tried = vec![Tried::well("mailbox", format!("{} configured", all.len()))];
    for (known, mailbox) in all.iter().filter(|(known, _)| name.is_none_or(|name| name == *known)) {
        let round_trip = wanted.round_trip && mailbox.imap.is_some();
        for test in bench.mailboxes(Some(known), round_trip, told).await? {
            let before = format!("mailbox {known} ");
            tried.extend(test.steps.into_iter().map(|step| of_step(&before, step)));
        }
    }
    Ok(tried)
}

/// A port that can be had, or that a running postroom has.
fn door(part: &str, address: Option<SocketAddr>) -> Tried {
    let Some(address) = address else { return Tried::well(part, "not configured, nothing listens") };
    match TcpListener::bind(address) {
        Ok(_) => Tried::well(part, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Tried::well(part, format!("{address} is in use (by the running postroom, if that is so)"))
        }
        Err(error) => Tried::failed(part, format!("{address}: {error}"), "set another listen address"),
    }
}
