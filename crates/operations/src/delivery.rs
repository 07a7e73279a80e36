//! What became of mail out, where people look for it: on a record's timeline and on a mail's way.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::{Code, Fault, MailState};
use uuid::Uuid;

use crate::outgoing::{OutgoingView, RecipientView};
use crate::{Activity, Actor, Hop, Operations, OutgoingWanted, Permission};

/// statuscodes of e-mails on their way out: Pending Send, Sending, Failed (dataverse.md B2). Such an e-mail may have an
/// entry that names no record yet.
const ON_THE_WAY: [i64; 3] = [6, 7, 8];

impl Operations {
    /// The newest outgoing mail of each of these activities of `record`, by activity.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        record: Uuid,
        activities: &[Activity],
    ) -> Result<BTreeMap<Uuid, OutgoingView>, Fault> {
        actor.needs(Permission::Read)?;
        let of_record = OutgoingWanted { record: Some(record), ..OutgoingWanted::default() };
        let mut deliveries = BTreeMap::new();
        for mail in self.outgoing(actor, of_record).await? {
            deliveries.entry(mail.activity_id).or_insert(mail);
        }
        for activity in activities.iter().filter(|activity| ON_THE_WAY.contains(&activity.status)) {
            if !deliveries.contains_key(&activity.id) {
                deliveries.extend(self.delivery(actor, activity.id).await?.map(|mail| (activity.id, mail)));
            }
        }
        Ok(deliveries)
    }

    /// The newest outgoing mail of one activity.
    pub async fn delivery(&self, actor: &Actor, activity: Uuid) -> Result<Option<OutgoingView>, Fault> {
        let wanted = OutgoingWanted { activity: Some(activity), limit: 1, ..OutgoingWanted::default() };
        Ok(self.outgoing(actor, wanted).await?.into_iter().next())
    }

    /// Every stop of an outgoing mail that is remembered, oldest first: of each recipient the last word.
    pub async fn outgoing_hops(&self, actor: &Actor, mail: &OutgoingView) -> Result<Vec<Hop>, Fault> {
        actor.needs(Permission::Read)?;
        let mut hops = vec![Hop {
            at: mail.first_at,
            what: "queued",
            text: format!("The CRM wanted e-mail {} sent", mail.activity_id),
        }];
        hops.extend(answers(&mail.recipients));
        for entry in self.audit_of(actor, &mail.id.to_string(), 50).await? {
            if entry.action.starts_with("outgoing.") {
                let text = format!("{} by {}: {}", entry.action, entry.actor, entry.detail);
                hops.push(Hop { at: entry.at, what: "changed", text });
            }
        }
        hops.extend(now(mail, hops.iter().map(|hop| hop.at).max()));
        hops.sort_by_key(|hop| hop.at);
        Ok(hops)
    }

    /// The outgoing mail behind a message; most messages have none.
    pub async fn outgoing_of(
        &self,
        actor: &Actor,
        id: postroom_core::MailId,
    ) -> Result<Option<OutgoingView>, Fault> {
        match self.outgoing_mail(actor, id).await {
            Ok(mail) => Ok(Some(mail)),
            Err(fault) if fault.code == Code::API_NOT_FOUND => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// What servers and reports said, recipients with the same word at the same time together.
fn answers(recipients: &[RecipientView]) -> Vec<Hop> {
    let mut words: Vec<(&RecipientView, Vec<&str>)> = Vec::new();
    for one in recipients.iter().filter(|one| one.state != "waiting") {
        let same = |(known, _): &&mut (&RecipientView, Vec<&str>)| {
            (known.at, known.state, &known.text) == (one.at, one.state, &one.text)
        };
        match words.iter_mut().find(same) {
            Some((_, addresses)) => addresses.push(&one.address),
            None => words.push((one, vec![&one.address])),
        }
    }
    let hop = |(word, addresses): (&RecipientView, Vec<&str>)| {
        let said = if word.text.is_empty() { String::new() } else { format!(": {}", word.text) };
        Hop { at: word.at, what: word.state, text: format!("{}{said}", addresses.join(", ")) }
    };
    words.into_iter().map(hop).collect()
}

/// How it stands now, when no answer says so already.
fn now(mail: &OutgoingView, last: Option<Timestamp>) -> Option<Hop> {
    let (what, at) = match mail.state {
        MailState::Held => ("held", last),
        MailState::Unknown => ("unknown", last),
        MailState::Suppressed => ("suppressed", last),
        MailState::Failed if mail.recipients.is_empty() => ("failed", mail.finished_at),
        _ => return None,
    };
    Some(Hop { at: at?, what, text: mail.reason.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(address: &str, state: &'static str, text: &str) -> RecipientView {
        let (role, at) = ("to", Timestamp::UNIX_EPOCH);
        RecipientView {
            address: address.into(),
            role,
            state,
            code: None,
            status: None,
            hard: None,
            text: text.into(),
            at,
        }
    }

    #[track_caller]
    fn check(recipients: &[RecipientView], expected: &[&str]) {
        let hops = answers(recipients);
        let said: Vec<String> = hops.iter().map(|hop| format!("{} {}", hop.what, hop.text)).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn the_same_word_is_said_once() {
        check(&[recipient("a@x", "waiting", "")], &[]);
        check(
            &[
                recipient("a@x", "accepted", "250 ok"),
                recipient("b@x", "accepted", "250 ok"),
                recipient("c@x", "refused", "550 no"),
            ],
            &["accepted a@x, b@x: 250 ok", "refused c@x: 550 no"],
        );
    }
}
