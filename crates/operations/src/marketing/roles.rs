//! Who may do what in the marketing half: one table for pages, API and commands, and for docs/ROLES.md.
//!
//! A person who signs in to the pages under the name of a CRM user (full name, domain name or address) has the rights of that
//! user's roles in the CRM, given directly or by a team: the seed's four, or System Administrator. So has an API token that was
//! made to act as one. Everybody else, other tokens among them, has the rights of postroom's own role. An owner may do
//! everything, or could never give the first role.

use postroom_core::{Code, Fault};
use postroom_marketing::solution::roles::{Duty, Role as Seed};
use uuid::Uuid;

use crate::{Actor, Door, Operations, Role};

/// Every duty, with its name in the API and what it means.
pub const DUTIES: [(Duty, &str, &str); 8] = [
    (
        Duty::View,
        "marketing_view",
        "See accounts, runs, rejected rows, campaigns, sends, mappings, lists, forms, people and who is suppressed",
    ),
    (
        Duty::Configure,
        "marketing_configure",
        "Check accounts, pause and resume them; change mappings; say that two records are one person",
    ),
    (
        Duty::Sync,
        "marketing_sync",
        "Run a synchronisation now, try one, confirm one, take one back, replay rejected rows; compare a list",
    ),
    (Duty::Edit, "marketing_edit", "Edit campaigns and lists; see whom a send would reach"),
    (Duty::Send, "marketing_send", "Ask for a send to lists, approve one, pause one, decide about one"),
    (
        Duty::SendSingle,
        "marketing_send_single",
        "Ask for a single send that is no transaction, or a test mail; say what became of one",
    ),
    (Duty::Suppress, "marketing_suppress", "Suppress an address, lift a suppression with proof"),
    (Duty::Prefer, "marketing_prefer", "Change preferences of people"),
];

/// What a duty is called in the API (`x-permission`) and in refusals.
pub fn name(duty: Duty) -> &'static str {
    DUTIES.iter().find(|(known, _, _)| *known == duty).map_or("marketing", |(_, name, _)| name)
}

/// As whom somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// By postroom's own role.
    Own(Role),
    /// As a user of the CRM, by the roles there.
    User(Uuid),
}

/// What postroom's own roles may do where no role of the CRM decides.
pub fn own(role: Role) -> &'static [Duty] {
    use Duty::{Configure, Edit, Prefer, Send, SendSingle, Suppress, Sync, View};
    match role {
        Role::Owner => &[View, Configure, Sync, Edit, Send, SendSingle, Suppress, Prefer],
        // A send to lists needs a marketer, and the accounts somebody who answers for them.
        Role::Operator => &[View, Sync, Edit, SendSingle, Suppress, Prefer],
        Role::Viewer => &[View],
        Role::Agent => &[],
    }
}

impl Operations {
    /// `PR-8003` unless this caller has the duty.
    pub async fn needs_duty(&self, actor: &Actor, duty: Duty) -> Result<(), Fault> {
        let standing = self.standing(actor).await?;
        if self.allows(standing, duty).await? {
            return Ok(());
        }
        metrics::counter!("postroom_denied_total", "permission" => name(duty)).increment(1);
        let who = match standing {
            Standing::Own(role) => role.as_str(),
            Standing::User(_) => "this user of the CRM",
        };
        let text = format!("{who} has no permission {}: docs/ROLES.md says which role has it", name(duty));
        Err(Fault::reject(Code::API_DENIED, text))
    }

    /// Whether this caller has the duty, for what a page offers.
    pub async fn has_duty(&self, actor: &Actor, duty: Duty) -> Result<bool, Fault> {
        self.allows(self.standing(actor).await?, duty).await
    }

    async fn allows(&self, standing: Standing, duty: Duty) -> Result<bool, Fault> {
        match standing {
            Standing::Own(role) => Ok(own(role).contains(&duty)),
            Standing::User(user) => {
                let engine = self.marketing()?;
                engine.rules.permits.may(&*engine.crm, user, duty).await
            }
        }
    }

    /// The user of the CRM that somebody signed in as, whatever postroom's own role; `None` for everybody else.
    pub(super) async fn crm_self(&self, actor: &Actor) -> Result<Option<Uuid>, Fault> {
        if !actor.signed_in || actor.role == Role::Agent {
            return Ok(None);
        }
        match self.crm_user(&actor.name).await {
            Ok(user) => Ok(Some(user)),
            Err(fault) if fault.code == Code::API_NOT_FOUND => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Somebody at the console who acts in the name of a user of the CRM: that user's roles decide.
    ///
    /// # Errors
    /// [`Code::API_NOT_FOUND`] when nobody is called so, [`Code::API_INPUT`] when several are.
    pub async fn console_as(&self, user: &str) -> Result<Actor, Fault> {
        self.crm_user(user).await?;
        Ok(Actor { name: user.trim().to_owned(), role: Role::Viewer, door: Door::Cli, signed_in: true })
    }

    async fn standing(&self, actor: &Actor) -> Result<Standing, Fault> {
        // Names of API tokens are free, so only somebody who signed in, or a token made for one, can be a user; and a mail agent
        // is none.
        if !actor.signed_in || matches!(actor.role, Role::Owner | Role::Agent) {
            return Ok(Standing::Own(actor.role));
        }
        match self.crm_user(&actor.name).await {
            Ok(user) => Ok(Standing::User(user)),
            // A token outlives the user that it acts as; it does not become an operator's by that.
            Err(fault) if fault.code == Code::API_NOT_FOUND && Uuid::parse_str(&actor.name).is_ok() => {
                Err(Fault::reject(Code::API_DENIED, fault.message))
            }
            Err(fault) if fault.code == Code::API_NOT_FOUND => Ok(Standing::Own(actor.role)),
            Err(fault) if fault.code == Code::API_INPUT => Err(Fault::reject(
                Code::API_DENIED,
                format!(
                    "several users of the CRM are called {:?}; sign in under a domain name or address",
                    actor.name
                ),
            )),
            Err(fault) => Err(fault),
        }
    }
}

/// The table of docs/ROLES.md.
pub fn table() -> String {
    let seed = Seed::ALL.map(|role| (role.name(), DUTIES.map(|(duty, _, _)| role.may(duty))));
    let ours = [Role::Owner, Role::Operator, Role::Viewer]
        .map(|role| (role.as_str(), DUTIES.map(|(duty, _, _)| own(role).contains(&duty))));
    let columns: Vec<(&str, [bool; 8])> = seed.into_iter().chain(ours).collect();
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut out = format!("| | permission | {} |\n", heads.join(" | "));
    out.push_str(&format!("| --- | --- |{}\n", " :-: |".repeat(columns.len())));
    for (at, (_, permission, meaning)) in DUTIES.into_iter().enumerate() {
        let marks: Vec<&str> = columns.iter().map(|(_, may)| if may[at] { "yes" } else { "–" }).collect();
        out.push_str(&format!("| {meaning} | `{permission}` | {} |\n", marks.join(" | ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ROLES.md");
    const MARKS: [&str; 2] = ["<!-- the table of operations/src/marketing/roles.rs -->\n", "<!-- end -->"];

    #[track_caller]
    fn check(may: impl Fn(Duty) -> bool, expected: &str) {
        let has: Vec<&str> = DUTIES
            .iter()
            .filter(|(duty, _, _)| may(*duty))
            .map(|(_, name, _)| &name["marketing_".len()..])
            .collect();
        assert_eq!(has.join(" "), expected);
    }

    #[test]
    fn the_marketing_table() {
        let all = "view configure sync edit send send_single suppress prefer";
        check(|duty| Seed::Manager.may(duty), all);
        check(|duty| Seed::Professional.may(duty), "view sync edit send_single prefer");
        check(|duty| Seed::Viewer.may(duty), "view");
        let ours = |role: Role| move |duty: Duty| own(role).contains(&duty);
        check(ours(Role::Owner), all);
        check(ours(Role::Operator), "view sync edit send_single suppress prefer");
        check(ours(Role::Viewer), "view");
        check(ours(Role::Agent), "");
    }

    #[test]
    fn the_page_about_roles_has_this_table() {
        let kept = std::fs::read_to_string(DOC).unwrap_or_default();
        let [begin, end] = MARKS;
        let (before, rest) = kept.split_once(begin).expect("docs/ROLES.md marks where the table stands");
        let (found, after) = rest.split_once(end).expect("docs/ROLES.md marks where the table ends");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(DOC, format!("{before}{begin}{}{end}{after}", table())).unwrap();
            return;
        }
        assert!(found == table(), "the roles changed: run this test with UPDATE=1 and commit docs/ROLES.md");
    }
}
