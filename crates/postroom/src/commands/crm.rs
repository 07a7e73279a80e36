//! `postroom check crm`: the connection to a CRM outside step by step, with what this configuration needs of it.

use postroom_core::metadata::PrivilegeKind::{Append, AppendTo, Assign, Create, Read, Share, Write};
use postroom_core::{address, metadata::PrivilegeKind};
use postroom_crm::probe::{self, Mailboxes, Need, Probe, Right, State};
use postroom_marketing::solution::Era;
use postroom_marketing::solution::roles::Role;
use postroom_operations::TrialStep as Step;

use super::trial::Bench;
use crate::config::{Config, OnUnmatched};
use crate::wiring::crm::{Elsewhere, share};

/// Tries a CRM outside.
pub async fn steps(bench: &Bench, elsewhere: &Elsewhere) -> Vec<Step> {
    let probe = Probe {
        crm: &*elsewhere.crm,
        connection: &elsewhere.connection,
        org_url: &elsewhere.org_url,
        share: share(&bench.config.crm),
        needs: needs(&bench.config),
        rights: rights(&bench.config),
        mailboxes: mailboxes(&bench.config),
        now: bench.clock.now(),
    };
    probe::probe(&probe).await.into_iter().map(probed).collect()
}

fn probed(step: probe::Step) -> Step {
    let found = match step.state {
        State::Well => Step::well(step.name, step.text),
        State::Failed => Step::failed(step.name, step.text, ""),
        State::Away => Step::away(step.name, step.text),
        State::Skipped => Step::skipped(step.name, step.text),
    };
    found.advised(step.fix)
}

fn mailboxes(config: &Config) -> Mailboxes {
    let all = config.mailboxes.values().flat_map(|mailbox| mailbox.all_addresses());
    let read = all.map(|one| address::normal(one.as_ref())).collect();
    let Some(smtp_out) = &config.smtp_out else { return Mailboxes { read, ..Mailboxes::default() } };
    let senders = smtp_out.senders.iter().map(|sender| address::normal(sender.as_ref())).collect();
    let domains = smtp_out.sender_domains.iter().map(ToString::to_string).collect();
    Mailboxes { read, sends: true, senders, domains }
}

/// What filing and sending do with which table.
fn needs(config: &Config) -> Vec<Need> {
    let mut all = vec![
        // Mails belong to the users whose mailboxes they came to.
        Need::new("email", &[Create, Read, Write, Append, AppendTo, Assign]),
        Need::new("activitymimeattachment", &[]),
        Need::new("activityparty", &[]),
        Need::new("systemuser", &[Read]),
        Need::new("queue", &[Read, AppendTo]),
        Need::new("queueitem", &[Create, Read, Append]),
        Need {
            optional: Some("attachments that the CRM does not take are found out by trying"),
            ..Need::new("organization", &[Read])
        },
        Need { optional: Some("who else reads the same mail is not seen"), ..Need::new("mailbox", &[Read]) },
    ];
    for table in ["contact", "lead", "account"] {
        let optional = (table == "lead").then_some("no sender is found among leads");
        all.push(Need { optional, ..Need::new(table, &[Read, AppendTo]) });
    }
    // What e-mail marketing needs besides (the seed: contacts, leads, accounts, campaigns and marketing lists).
    for table in ["list", "campaign"] {
        let optional = Some("e-mail marketing needs it");
        all.push(Need { optional, ..Need::new(table, &[Read]) });
    }
    for table in config.token.tables.iter().map(|table| table.as_ref()) {
        want(&mut all, table, &[Read, AppendTo]);
    }
    if config.smtp_out.is_some() {
        want(&mut all, "annotation", &[Create, Append]);
    }
    if !config.marketing.accounts.is_empty() {
        of_marketing(&mut all);
    }
    for mailbox in config.mailboxes.values() {
        match mailbox.on_unmatched {
            OnUnmatched::CreateLead => want(&mut all, "lead", &[Create]),
            OnUnmatched::CreateContact => want(&mut all, "contact", &[Create]),
            OnUnmatched::Review | OnUnmatched::Activity | OnUnmatched::Skip => {}
        }
    }
    all
}

/// The tables that e-mail marketing writes to, with what it does there: as the solution's role for its user has them. What is
/// shared and assigned there is a person's.
fn of_marketing(all: &mut Vec<Need>) {
    // Some generations have tables that others lack.
    let grants = Era::ALL.into_iter().flat_map(|era| Role::Service.grants(era));
    for grant in grants.filter(|grant| grant.kinds.contains(&Write)) {
        let kinds: Vec<PrivilegeKind> =
            grant.kinds.iter().copied().filter(|kind| !matches!(kind, Assign | Share)).collect();
        want(all, grant.table, &kinds);
        if grant.table.starts_with("esc_")
            && let Some(need) = all.iter_mut().find(|need| need.table == grant.table)
        {
            need.brought = Some("postroom solution install brings what this generation has");
        }
    }
}

/// Privileges over no table.
fn rights(config: &Config) -> Vec<Right> {
    let act =
        Right { name: "prvActOnBehalfOfAnotherUser", without: "nothing is sent or listed in a user's name" };
    if config.marketing.accounts.is_empty() { Vec::new() } else { vec![act] }
}

/// Adds to what a table is needed for; what is named in the configuration is not optional.
fn want(all: &mut Vec<Need>, table: &str, kinds: &[PrivilegeKind]) {
    match all.iter_mut().find(|need| need.table == table) {
        None => all.push(Need::new(table, kinds)),
        Some(need) => {
            need.optional = None;
            let more: Vec<PrivilegeKind> =
                kinds.iter().copied().filter(|kind| !need.kinds.contains(kind)).collect();
            need.kinds.extend(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marketing_needs_what_it_writes() {
        let mut all = vec![Need { optional: Some("x"), ..Need::new("list", &[Read]) }];
        of_marketing(&mut all);
        let need = |table: &str| all.iter().find(|need| need.table == table).expect("it is written to");
        let list = need("list");
        assert!(list.kinds.contains(&Create) && list.optional.is_none() && list.brought.is_none());
        assert!(need("contact").kinds.contains(&Write));
        let form = need("esc_form");
        assert!(form.kinds.contains(&Append) && !form.kinds.contains(&Share) && form.brought.is_some());
        assert!(need("esc_messagequeue").kinds.contains(&Write), "of old generations");
        let mut tables: Vec<&str> = all.iter().map(|need| need.table.as_str()).collect();
        tables.sort_unstable();
        assert!(tables.windows(2).all(|two| two[0] != two[1]), "each stands once: {tables:?}");
    }
}
