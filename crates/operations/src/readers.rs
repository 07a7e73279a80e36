//! Who may open the body of a mail: the readers of a mailbox that it lies in, and that mailbox's own user.
//!
//! The table is `readers` and `owner` of each mailbox in the configuration. A mail that was seen in several mailboxes is
//! everybody's who may open it in one of them. Mail of no mailbox is for the roles that may open bodies at all.

use postroom_core::{Code, Fault, Record};
use postroom_tracking::messages::Detail;
use postroom_tracking::rules::Mailbox;

use crate::{Actor, Door, Operations, Permission};

impl Operations {
    /// Whether this caller may open the message's body.
    pub fn may_open(&self, actor: &Actor, detail: &Detail) -> bool {
        let rules = self.rules();
        let seen = detail.seen.iter().filter_map(|seen| seen.mailbox.as_deref());
        let names = std::iter::once(detail.message.mailbox.as_str()).chain(seen);
        let mut known = names.filter_map(|name| rules.mailbox_named(name)).peekable();
        match known.peek() {
            Some(_) => known.any(|mailbox| opens(mailbox, actor)),
            None => opens(&rules.fallback, actor),
        }
    }

    pub(crate) fn needs_to_open(&self, actor: &Actor, detail: &Detail) -> Result<(), Fault> {
        if self.may_open(actor, detail) {
            return Ok(());
        }
        actor.needs(Permission::ReadBodies)?;
        metrics::counter!("postroom_denied_total", "permission" => "readers").increment(1);
        let text =
            format!("{} is no reader of the mailbox {:?}", actor.role.as_str(), detail.message.mailbox);
        Err(Fault::reject(Code::API_DENIED, text))
    }

    /// Whether this caller may open the bodies that a row of the CRM keeps. `email` is the row of the e-mail that it is, or
    /// belongs to: when that is a filed mail, its message's readers may.
    pub(crate) async fn may_open_row(&self, actor: &Actor, email: Option<&Record>) -> Result<bool, Fault> {
        let message = match email {
            Some(email) => self.message_filed_as(email).await?,
            None => None,
        };
        match message {
            Some(id) => Ok(self.may_open(actor, &self.message(actor, id).await?)),
            None => Ok(actor.role.may(Permission::ReadBodies)),
        }
    }
}

fn opens(mailbox: &Mailbox, actor: &Actor) -> bool {
    // Names of API tokens are free: only who signed in to the pages is a person of that name.
    let is_own = actor.door == Door::Page && mailbox.owner.as_ref().is_some_and(|owner| *owner == actor.name);
    let reads = match &mailbox.readers {
        Some(roles) => roles.iter().any(|role| role == actor.role.as_str()),
        None => actor.role.may(Permission::ReadBodies),
    };
    is_own || reads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn mailbox(owner: Option<&str>, readers: Option<&[&str]>) -> Mailbox {
        let readers = readers.map(|roles| roles.iter().map(|role| (*role).to_owned()).collect());
        Mailbox { name: "boss".into(), owner: owner.map(str::to_owned), readers, ..Mailbox::default() }
    }

    #[track_caller]
    fn check(mailbox: &Mailbox, name: &str, role: Role, door: Door, expected: bool) {
        let actor = Actor { name: name.into(), role, door, signed_in: door == Door::Page };
        assert_eq!(opens(mailbox, &actor), expected);
    }

    #[test]
    fn roles_by_default() {
        for role in [Role::Owner, Role::Operator] {
            check(&mailbox(None, None), "x", role, Door::Page, true);
        }
        for role in [Role::Viewer, Role::Agent] {
            check(&mailbox(None, None), "x", role, Door::Page, false);
        }
    }

    #[test]
    fn roles_by_the_table() {
        check(&mailbox(None, Some(&["owner"])), "x", Role::Operator, Door::Page, false);
        check(&mailbox(None, Some(&["owner"])), "x", Role::Owner, Door::Cli, true);
        check(&mailbox(None, Some(&["operator"])), "x", Role::Owner, Door::Cli, false);
        check(&mailbox(None, Some(&["viewer"])), "x", Role::Viewer, Door::Api, true);
        check(&mailbox(None, Some(&[])), "x", Role::Owner, Door::Page, false);
    }

    #[test]
    fn the_mailbox_s_own_user() {
        check(&mailbox(Some("anna"), Some(&[])), "anna", Role::Viewer, Door::Page, true);
        check(&mailbox(Some("anna"), Some(&[])), "ben", Role::Owner, Door::Page, false);
        // A token may have any name.
        check(&mailbox(Some("anna"), Some(&[])), "anna", Role::Operator, Door::Api, false);
    }
}
