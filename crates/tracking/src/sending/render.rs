//! A CRM e-mail as a draft: what stands in which header. Pure.

use jiff::Timestamp;
use postroom_core::Address;
use postroom_formats::compose::Draft;
use uuid::Uuid;

use super::Options;
use super::entry::{self, Recipient, Standing};
use super::gather::{Activity, Party, same};
use crate::classify::{LOOP_HEADER, LoopMark};
use crate::filing::parties::Role;
use crate::token::{self, Kind, Signer};

/// References kept: the root and the nearest.
const REFERENCES: usize = 24;

/// Everything that a mail is besides its bytes.
pub(super) struct Rendered {
    pub draft: Draft,
    pub reverse_path: String,
    pub recipients: Vec<Recipient>,
}

/// Puts the draft together. The guards have passed: there is a sender and a recipient, with addresses.
pub(super) fn render(
    activity: &Activity,
    installation: Uuid,
    signer: &Signer,
    options: &Options,
    now: Timestamp,
) -> Option<Rendered> {
    let from = activity.sender()?;
    let guid = activity.regarding.as_ref().map_or(activity.id, |record| record.id);
    let of = |role: Role| -> Vec<Address> {
        let named = activity.recipients().filter(|party| party.role == role);
        named.map(|party| party.address.clone()).collect()
    };
    let (text, html) = bodies(&activity.description);
    let (inline, attachments) = activity
        .files
        .iter()
        .cloned()
        .partition(|file| is_shown(html.as_deref(), file.content_id.as_deref()));
    let parent = activity.parent.as_ref();
    let mut reply_to = Vec::new();
    if options.reply_address {
        reply_to
            .push(Address::new(from.address.name.clone(), signer.reply_address(Kind::Message, activity.id)));
    }
    let draft = Draft {
        from: from.address.clone(),
        sender: on_behalf(activity, from, options),
        reply_to,
        to: of(Role::To),
        cc: of(Role::Cc),
        // Exactly one token: another one would tie the answer to another record.
        subject: token::stamp_over(&activity.subject, guid, |_| true, options.subject),
        date: Timestamp::from_second(now.as_second()).unwrap_or(now),
        message_id: signer.sign_message_id(Kind::Message, activity.id),
        in_reply_to: parent.map(|parent| parent.message_id.clone()).into_iter().collect(),
        references: parent
            .map(|parent| references(&parent.references, &parent.message_id))
            .unwrap_or_default(),
        text,
        html,
        inline,
        attachments,
        extra: extra(activity, from, installation),
    };
    let reverse_path = match options.bounce_address {
        true => signer.reply_address(Kind::Bounce, activity.id),
        false => wire(&from.address.address)?,
    };
    Some(Rendered { draft, reverse_path, recipients: recipients(activity, now) })
}

fn wire(address: &str) -> Option<String> {
    postroom_formats::compose::wire_address(address).map(|(address, _)| address)
}

/// The forward-paths, each once: To before Cc before Bcc.
fn recipients(activity: &Activity, now: Timestamp) -> Vec<Recipient> {
    let mut all: Vec<Recipient> = Vec::new();
    for (role, word) in
        [(Role::To, entry::Role::To), (Role::Cc, entry::Role::Cc), (Role::Bcc, entry::Role::Bcc)]
    {
        for party in activity.recipients().filter(|party| party.role == role) {
            let Some(address) = wire(&party.address.address) else { continue };
            if !all.iter().any(|known| same(&known.address, &address)) {
                let (state, text) = (Standing::Waiting, String::new());
                all.push(Recipient {
                    address,
                    role: word,
                    state,
                    code: None,
                    status: None,
                    text,
                    hard: None,
                    at: now,
                });
            }
        }
    }
    all
}

/// The user who sends in another's name (RFC 5322 section 3.6.2). A queue's mail does not show who wrote it.
fn on_behalf(activity: &Activity, from: &Party, options: &Options) -> Option<Address> {
    let is_user = |party: &&Party| party.record.as_ref().is_some_and(|record| record.table == "systemuser");
    let owner = activity.owner.as_ref().filter(|_| options.on_behalf && is_user(&from))?;
    let other = !owner.address.address.is_empty() && !same(&owner.address.address, &from.address.address);
    other.then(|| owner.address.clone())
}

/// The description is HTML, except where somebody's program wrote plain text into it.
fn bodies(description: &str) -> (Option<String>, Option<String>) {
    match has_markup(description) {
        true => (None, Some(description.to_owned())),
        false => (Some(description.to_owned()), None),
    }
}

fn has_markup(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let rest = text[at + 1..].trim_start_matches('/');
        let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && rest[name.len()..].starts_with(['>', ' ', '/', '\n', '\r', '\t'])
            || rest.starts_with("!--")
            || rest.starts_with("!DOCTYPE")
    })
}

fn is_shown(html: Option<&str>, content_id: Option<&str>) -> bool {
    let id = content_id.map(|id| id.trim_matches(['<', '>', ' '])).filter(|id| !id.is_empty());
    html.zip(id).is_some_and(|(html, id)| html.contains(&format!("cid:{id}")))
}

/// The parent's own references and then the parent (RFC 5322 section 3.6.4); of a long list the root and the nearest.
fn references(parents: &[String], parent: &str) -> Vec<String> {
    let mut all: Vec<String> = parents.iter().filter(|id| *id != parent).cloned().collect();
    all.push(parent.to_owned());
    if all.len() > REFERENCES {
        all.drain(1..=all.len() - REFERENCES);
    }
    all
}

fn extra(activity: &Activity, from: &Party, installation: Uuid) -> Vec<(String, String)> {
    let mut extra = vec![(LOOP_HEADER.to_owned(), LoopMark { installation, hops: 1 }.to_string())];
    if activity.by_workflow {
        extra.push(("Auto-Submitted".to_owned(), "auto-generated".to_owned())); // RFC 3834 section 5
    }
    if activity.read_receipt {
        let to = wire(&from.address.address).filter(|to| to.is_ascii());
        extra.extend(to.map(|to| ("Disposition-Notification-To".to_owned(), format!("<{to}>"))));
    }
    match activity.priority {
        Some(0) => extra.push(("Importance".to_owned(), "low".to_owned())),
        Some(2) => extra.push(("Importance".to_owned(), "high".to_owned())),
        _ => {}
    }
    extra
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_told_from_text() {
        for html in
            ["<p>Hi</p>", "a <br/> b", "<!DOCTYPE html><html>", "x<b>y</b>", "<a href=x>y</a>", "<!-- x -->"]
        {
            assert!(has_markup(html), "{html}");
        }
        for text in ["", "a < b and c > d", "<anna@customer.example> wrote", "1 <2> 3", "i<3 you"] {
            assert!(!has_markup(text), "{text}");
        }
    }

    #[test]
    fn long_threads_keep_root_and_nearest() {
        let ids: Vec<String> = (0..40).map(|n| format!("{n}@x")).collect();
        let kept = references(&ids, "parent@x");
        assert_eq!(kept.len(), REFERENCES);
        assert_eq!((kept[0].as_str(), kept[REFERENCES - 1].as_str()), ("0@x", "parent@x"));
        assert_eq!(kept[REFERENCES - 2], "39@x");
        assert_eq!(references(&[], "parent@x"), ["parent@x"]);
        assert_eq!(references(&["parent@x".to_owned()], "parent@x"), ["parent@x"]);
    }
}
