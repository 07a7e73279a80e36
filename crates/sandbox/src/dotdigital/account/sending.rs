//! Sends: `NotSent` → `Scheduled` → `Sending` → `Sent`, split tests, and the log of every mail.
//! Source: dotdigital.md A16, A27; behaviour of empty audiences: the SOAP twin of the call (A16).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Account;
use super::behaviour::{Behaviour, mix};
use super::campaign::{CampaignStatus, Metric};
use super::contact::{EmailType, Key, Status};
use super::import::Pace;
use super::list::ALL_CONTACTS;
use super::report::Recipient;

/// Where a send stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SendStatus {
    NotSent,
    Scheduled,
    Sending,
    Sent,
}

impl SendStatus {
    pub fn word(self) -> &'static str {
        match self {
            SendStatus::NotSent => "NotSent",
            SendStatus::Scheduled => "Scheduled",
            SendStatus::Sending => "Sending",
            SendStatus::Sent => "Sent",
        }
    }
}

/// A test before the rest is sent.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Split {
    pub metric: Metric,
    pub percentage: i32,
    pub hours: i32,
}

/// A send of a campaign.
#[derive(Debug, Serialize, Deserialize)]
pub struct Send {
    pub id: Uuid,
    pub campaign: i32,
    pub lists: Vec<i32>,
    pub contacts: Vec<i32>,
    pub date: Timestamp,
    pub split: Option<Split>,
    pub status: SendStatus,
    /// When the first and the second lot go out.
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
}

impl Send {
    pub fn new(id: Uuid, campaign: i32, date: Timestamp, status: SendStatus) -> Self {
        let (lists, contacts) = (Vec::new(), Vec::new());
        Send { id, campaign, lists, contacts, date, split: None, status, began: None, ended: None }
    }

    /// When something is to happen next.
    fn next(&self, pace: &Pace) -> Option<Timestamp> {
        match (self.status, self.began, self.ended) {
            (SendStatus::Sent, _, _) => None,
            (_, None, _) => Some(self.date),
            (_, Some(began), None) => {
                let hours = i64::from(self.split.map_or(0, |split| split.hours));
                began.checked_add(SignedDuration::from_hours(hours)).ok()
            }
            (_, _, Some(ended)) => ended.checked_add(pace.sending).ok(),
        }
    }
}

/// What kind of call asked for a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// A send of a campaign.
    Campaign,
    /// A program's campaign.
    Program,
    /// One mail of the marketing e-mail service.
    Marketing,
    /// A transactional mail, or a triggered campaign by the transactional call: opt-outs do not count.
    Transactional,
}

/// A mail that somebody asked for. The judge of the promise that nobody who opted out is mailed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailing {
    pub at: Timestamp,
    pub kind: MailKind,
    pub send: Option<Uuid>,
    pub campaign: Option<i32>,
    /// 0 when the address is no contact.
    pub contact: i32,
    pub email: Arc<str>,
    /// The list through which the person was reached; none when named, or in an empty audience.
    pub list: Option<i32>,
    /// The state of the address at that moment when it forbids marketing mail, as v2 names it.
    pub suppressed: Option<Status>,
    /// The person had left the list.
    pub departed: bool,
    /// False when the service held it back.
    pub mailed: bool,
}

impl Account {
    /// When the next send has something to do.
    pub fn next_send(&self, pace: &Pace) -> Option<(Timestamp, Uuid)> {
        self.sends.values().filter_map(|send| Some((send.next(pace)?, send.id))).min()
    }

    /// Takes a send one step on.
    pub fn step_send(&mut self, id: Uuid, behaviour: &Behaviour, pace: &Pace, at: Timestamp) {
        let Some(mut send) = self.sends.remove(&id) else { return };
        match (send.began, send.ended) {
            (None, _) => self.begin(&mut send, behaviour, at),
            (Some(_), None) => self.finish_test(&mut send, behaviour, at),
            (_, Some(_)) => {}
        }
        if send.ended.is_some_and(|ended| ended + pace.sending <= at) {
            send.status = SendStatus::Sent;
            if let Some(campaign) = self.campaigns.get_mut(&send.campaign) {
                campaign.status = CampaignStatus::Sent;
            }
        }
        self.sends.insert(id, send);
    }

    fn begin(&mut self, send: &mut Send, behaviour: &Behaviour, at: Timestamp) {
        send.status = SendStatus::Sending;
        send.began = Some(at);
        if let Some(campaign) = self.campaigns.get_mut(&send.campaign) {
            campaign.status = CampaignStatus::Sending;
            campaign.sent = Some(at);
            campaign.sent_to.extend(&send.lists);
            campaign.metric = send.split.map_or(campaign.metric, |split| split.metric);
        }
        let audience = self.audience(send);
        match send.split {
            None => {
                self.mail(send, audience, |_| 0, behaviour, at);
                send.ended = Some(at);
            }
            Some(split) => {
                let versions =
                    self.campaigns.get(&send.campaign).map_or(1, |known| known.versions.len().max(1));
                let seed = mix(&[behaviour.seed, send.campaign as u64, send.date.as_second() as u64]);
                let tested = |contact: i32| mix(&[seed, contact as u64]) % 100 < split.percentage as u64;
                let test = audience.into_iter().filter(|(contact, _)| tested(*contact)).collect();
                let version = |contact: i32| (mix(&[seed, contact as u64, 1]) % versions as u64) as u8;
                self.mail(send, test, version, behaviour, at);
            }
        }
    }

    fn finish_test(&mut self, send: &mut Send, behaviour: &Behaviour, at: Timestamp) {
        let mut best = 0;
        if let Some(campaign) = self.campaigns.get_mut(&send.campaign) {
            let versions = campaign.versions.len().max(1) as u8;
            best = (0..versions).rev().max_by_key(|version| campaign.result(*version)).unwrap_or(0);
            campaign.winner = Some(best);
        }
        let had: std::collections::HashSet<i32> = self
            .log
            .iter()
            .filter(|mailing| mailing.send == Some(send.id))
            .map(|mailing| mailing.contact)
            .collect();
        let mut rest = self.audience(send);
        rest.retain(|contact, _| !had.contains(contact));
        self.mail(send, rest, |_| best, behaviour, at);
        send.ended = Some(at);
    }

    /// Everybody whom a send means, with the list that says so. An empty ask means all contacts.
    fn audience(&self, send: &Send) -> BTreeMap<i32, Option<i32>> {
        if send.lists.is_empty() && send.contacts.is_empty() {
            return self.contacts.iter().map(|contact| (contact.id, None)).collect();
        }
        let mut audience: BTreeMap<_, _> = send.contacts.iter().map(|contact| (*contact, None)).collect();
        for list in &send.lists {
            for contact in self.members(*list) {
                audience.entry(contact).or_insert(Some(*list));
            }
        }
        audience
    }

    /// Members of a list or a segment.
    pub fn members(&self, list: i32) -> Vec<i32> {
        if list == ALL_CONTACTS {
            return self.contacts.iter().map(|contact| contact.id).collect();
        }
        let segment = self.segments.get(&list).map(|segment| &segment.members);
        self.lists.get(&list).map(|list| &list.members).or(segment).cloned().unwrap_or_default()
    }

    fn mail(
        &mut self,
        send: &Send,
        audience: BTreeMap<i32, Option<i32>>,
        version: impl Fn(i32) -> u8,
        behaviour: &Behaviour,
        at: Timestamp,
    ) {
        for (contact, list) in audience {
            let Some(known) = self.contacts.get(contact) else { continue };
            let Some(email) = known.email.clone() else { continue };
            let mailing = Mailing {
                at,
                kind: MailKind::Campaign,
                send: Some(send.id),
                campaign: Some(send.campaign),
                contact,
                email,
                list,
                suppressed: None,
                departed: false,
                mailed: true,
            };
            self.deliver(mailing, version(contact), behaviour);
        }
    }

    /// Writes a mail to the log and, unless it is held back, lets the person have it. Answers whether it went.
    pub fn deliver(&mut self, mut mailing: Mailing, version: u8, behaviour: &Behaviour) -> bool {
        let status = self.status_of(&mailing.email);
        mailing.suppressed = (!status.mailable()).then_some(status);
        let list = mailing.list.and_then(|list| self.lists.get(&list));
        mailing.departed = list.is_some_and(|list| list.departed(&mailing.email).is_some());
        let free = mailing.kind == MailKind::Transactional;
        mailing.mailed = free || (mailing.suppressed.is_none() && !mailing.departed);
        let known = self.contacts.find(&Key::Email(mailing.email.to_string()));
        let text = known.and_then(|id| self.contacts.get(id)).map(|known| known.email_type);
        if let Some(campaign) = mailing.campaign.and_then(|id| self.campaigns.get_mut(&id))
            && mailing.mailed
            && mailing.contact != 0
        {
            let to = Recipient::new(mailing.contact, Arc::clone(&mailing.email), mailing.at);
            campaign.report.add(Recipient { version, text: text == Some(EmailType::PlainText), ..to });
            self.plan(&mailing, behaviour);
        }
        let mailed = mailing.mailed;
        self.log.push(mailing);
        mailed
    }
}
