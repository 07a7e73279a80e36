//! Tries what the configuration names, step by step: a mailbox, the way out, the relay's next hop. Each step says what was
//! found, or what failed and what to do.

use std::sync::Arc;

use postroom_core::{Clock, Fault, Ids, MailSender};
use postroom_mail::imap::{self, Account, Dialer, Names, Sent, SystemNames};
use postroom_operations::TrialStep as Step;
use postroom_store::Store;
use postroom_tracking::filing::Filing;
use postroom_tracking::token::Signer;

use super::round_trip;
use crate::app::host_name;
use crate::config::{Config, Imap, Mailbox};
use crate::report::{CliError, Exit};
use crate::wiring::crm::Make;
use crate::wiring::issuers::Issuers;
use crate::wiring::{outgoing, relay, watched};

/// What trials are made with.
#[derive(Clone)]
pub struct Bench {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub ids: Ids,
    pub store: Store,
    pub crm: Make,
    pub filing: Filing,
    pub signer: Arc<Signer>,
}

/// A failure at a port, with the documented next step.
pub fn fault(name: &str, fault: &Fault) -> Step {
    let entry = postroom_core::code::entry(fault.code);
    let fix =
        entry.map_or_else(|| format!("postroom explain {}", fault.code), |entry| entry.action.to_owned());
    let away = Exit::of_fault(fault) == Exit::Unreachable;
    Step { away, ..Step::failed(name, fault.to_string(), fix) }
}

/// A failure of what the configuration names.
fn refused(name: &str, error: &CliError) -> Step {
    let fix = error.action.clone().unwrap_or_else(|| format!("postroom explain {}", error.code));
    Step::failed(name, error.what.clone(), fix)
}

fn probed(step: imap::Step) -> Step {
    let away = !step.ok && matches!(step.name, "dns" | "tcp");
    Step { ok: step.ok, fix: step.fix, away, ..Step::well(step.name, step.text) }
}

/// How a command ends that only tried: well, or nobody answered, or something is to be mended.
pub fn exit<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Exit {
    let failed: Vec<&Step> = steps.into_iter().filter(|step| !step.ok).collect();
    match failed.as_slice() {
        [] => Exit::Done,
        failed if failed.iter().all(|step| step.away) => Exit::Unreachable,
        _ => Exit::No,
    }
}

/// Tries one mailbox; with `round_trip` a mail is sent to it, too.
pub async fn mailbox(bench: &Bench, mailbox: &Mailbox, round_trip: bool) -> Result<Vec<Step>, Fault> {
    let mut steps = Vec::new();
    let mut account = None;
    match &mailbox.imap {
        None => steps.push(way_in(bench)),
        Some(imap) => match watched::account(imap, &mut Issuers::new(&bench.clock)).await {
            Err(error) => steps.push(refused("password", &error)),
            Ok(found) => {
                steps.extend(probe(bench, &found, sent_of(mailbox, imap)).await);
                account = Some(found);
            }
        },
    }
    steps.push(owner(bench, mailbox).await?);
    if round_trip {
        match account.filter(|_| signed_in(&steps)) {
            Some(account) => steps.extend(round_trip::of(bench, mailbox.address.as_ref(), &account).await),
            None => steps.push(Step::failed(
                "round_trip",
                "a mail that is sent to this mailbox cannot be looked for in it",
                "give the mailbox an [imap] section that can be signed in to",
            )),
        }
    }
    Ok(steps)
}

/// Whether sent mail is read from the mailbox.
fn sent_of(mailbox: &Mailbox, imap: &Imap) -> Sent {
    match !mailbox.is_journal() && imap.folders.iter().any(|folder| folder == "Sent") {
        true => Sent::Watched,
        false => Sent::Unwatched,
    }
}

/// Tries a mailbox's server and sign-in.
pub async fn probe(bench: &Bench, account: &Account, sent: Sent) -> Vec<Step> {
    let names = match SystemNames::new() {
        Ok(names) => names,
        Err(error) => {
            let text = format!("the name servers of this machine cannot be read: {error}");
            return vec![Step::failed("dns", text, "correct /etc/resolv.conf")];
        }
    };
    let steps = imap::probe(account, sent, &Dialer::default(), &names, bench.clock.now()).await;
    steps.into_iter().map(probed).collect()
}

/// Whether a probe came past the sign-in.
pub fn signed_in(steps: &[Step]) -> bool {
    steps.iter().any(|step| step.name == "sign_in" && step.ok)
}

/// Mail of a mailbox without IMAP must be sent to us.
fn way_in(bench: &Bench) -> Step {
    match (bench.config.smtp_in.enabled, bench.config.lmtp_in.enabled) {
        (false, false) => Step::failed(
            "way_in",
            "its mail has no way in",
            "no way in is enabled: set [smtp_in] or [lmtp_in] enabled = true, or give the mailbox an [imap] section",
        ),
        (true, _) => Step::well("way_in", "mail servers hand its mail in by SMTP"),
        (false, true) => Step::well("way_in", "the mail server hands its mail in by LMTP"),
    }
}

/// Whose mailbox it is in the CRM.
async fn owner(bench: &Bench, mailbox: &Mailbox) -> Result<Step, Fault> {
    let addresses: Vec<String> = mailbox.all_addresses().map(ToString::to_string).collect();
    let hits = bench.filing.crm.find_addresses(&addresses).await?;
    let owner = hits.iter().find(|hit| matches!(hit.record.table.as_str(), "queue" | "systemuser"));
    Ok(match owner {
        Some(hit) => Step::well("owner", hit.record.to_string()),
        None => Step::failed(
            "owner",
            "the CRM does not know whose mailbox this is",
            "no user or queue of the CRM has this address: give it to one, or its mail has no owner",
        ),
    })
}

/// Tries the way out.
pub async fn smtp_out(bench: &Bench) -> Step {
    let Some(smtp_out) = &bench.config.smtp_out else {
        return Step::well("smtp_out", "not configured, nothing is sent");
    };
    match outgoing::sender(smtp_out, &host_name()).await {
        Ok(sender) => checked("smtp_out", &sender).await,
        Err(error) => refused("smtp_out", &error),
    }
}

/// Whether replies and bounces to signed addresses of ours find here; `None` when there are none.
pub async fn reply_route(bench: &Bench) -> Option<Step> {
    let out = bench.config.smtp_out.as_ref()?;
    if !out.reply_address && !out.bounce_address {
        return None;
    }
    let names = SystemNames::new().ok()?;
    let ours = bench.config.smtp_in.hostname.as_ref().map_or_else(host_name, ToString::to_string);
    Some(routed(bench.signer.reply_domain(), &ours, &names).await)
}

/// A warning, no failure: a gateway that the MX names may hand the domain's mail on to us.
async fn routed(domain: &str, ours: &str, names: &dyn Names) -> Step {
    let plain = |host: &str| host.trim_end_matches('.').to_ascii_lowercase();
    let warn = |text: String| {
        let fix = format!(
            "set an MX of {domain} to {ours}, or route the domain's mail here, or set smtp_out.reply_address and \
             bounce_address to false: until then replies and bounces to signed addresses are lost"
        );
        Step { fix: Some(fix), ..Step::well("reply_route", text) }
    };
    let hosts = match names.mx(domain).await {
        Ok(hosts) => hosts,
        Err(error) => return warn(format!("warning: the MX of {domain} could not be looked up: {error}")),
    };
    if hosts.is_empty() {
        return warn(format!("warning: {domain} has no MX, so mail to signed addresses goes nowhere"));
    }
    if hosts.iter().any(|host| plain(host) == plain(ours)) {
        return Step::well("reply_route", format!("the MX of {domain} is this server, {ours}"));
    }
    let here = names.addresses(ours).await.unwrap_or_default();
    for host in &hosts {
        let there = names.addresses(&plain(host)).await.unwrap_or_default();
        if there.iter().any(|address| here.contains(address)) {
            return Step::well("reply_route", format!("the MX of {domain} leads here: {}", plain(host)));
        }
    }
    let hosts: Vec<String> = hosts.iter().map(|host| plain(host)).collect();
    warn(format!("warning: the MX of {domain} is {}, which is not this server", hosts.join(", ")))
}

/// Tries where the stamping relay hands mail on.
pub async fn next_hop(bench: &Bench) -> Step {
    if !bench.config.relay.enabled {
        return Step::well("relay", "not enabled, nothing is stamped on its way");
    }
    match relay::next_hop(&bench.config.relay).await {
        Ok(sender) => checked("relay", &sender).await,
        Err(error) => refused("relay", &error),
    }
}

async fn checked(name: &str, sender: &dyn MailSender) -> Step {
    match sender.check().await {
        Ok(text) => Step::well(name, text),
        Err(error) => fault(name, &error),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::IpAddr;

    use async_trait::async_trait;
    use postroom_mail::imap::Srv;

    use super::*;

    /// What a DNS of three hosts and one domain knows.
    struct Zone(&'static [&'static str]);

    #[async_trait]
    impl Names for Zone {
        async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
            Ok(match host {
                "mx.ours.example" | "other-name.example" => vec![IpAddr::from([192, 0, 2, 1])],
                _ => vec![IpAddr::from([192, 0, 2, 9])],
            })
        }

        async fn srv(&self, _: &str) -> io::Result<Vec<Srv>> {
            Ok(Vec::new())
        }

        async fn mx(&self, domain: &str) -> io::Result<Vec<String>> {
            assert_eq!(domain, "reply.ours.example");
            match self.0 {
                ["broken"] => Err(io::Error::other("SERVFAIL")),
                hosts => Ok(hosts.iter().map(|host| (*host).to_owned()).collect()),
            }
        }
    }

    async fn check(hosts: &'static [&'static str], warns: bool, words: &str) {
        let step = routed("reply.ours.example", "mx.ours.example", &Zone(hosts)).await;
        assert!(step.ok, "a warning is no failure: {step:?}");
        assert_eq!((step.fix.is_some(), step.text.contains(words)), (warns, true), "{step:?}");
    }

    #[tokio::test]
    async fn replies_that_do_not_find_here_are_warned_of() {
        check(&["MX.ours.example."], false, "is this server").await;
        check(&["a.example.", "other-name.example."], false, "leads here: other-name.example").await;
        check(&["gateway.example."], true, "is gateway.example, which is not this server").await;
        check(&[], true, "has no MX").await;
        check(&["broken"], true, "SERVFAIL").await;
    }
}
