//! From the service's rows to events: what is told of each, its natural key, and which of several equal rows it is.

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{Click, ContactId, Open, PageView, Recipient, Reply, RoiDetail, SocialView};
use serde::{Deserialize, Serialize};

use super::settings::{Kind, Settings};
use crate::keys;

/// A recipient's counters and moments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    pub sent: Option<Timestamp>,
    pub first_opened: Option<Timestamp>,
    pub last_opened: Option<Timestamp>,
    pub first_open_ip: Option<String>,
    pub opens: u64,
    pub clicks: u64,
    pub page_views: u64,
    pub forwards: u64,
    pub estimated_forwards: u64,
    pub replies: u64,
    pub unsubscribed: bool,
    pub soft_bounced: bool,
    pub hard_bounced: bool,
}

/// What is told of an event besides whom and when; links, pages, networks and markers stand in [`Event::what`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Facts {
    Recipient(Counters),
    Click { ip: Option<String>, agent: Option<String>, keyword: Option<String> },
    Open { ip: Option<String>, agent: Option<String>, client: Option<String>, html: bool, forwarded: bool },
    PageView,
    Reply { from: String, to: String, subject: String, message: String, html: bool, kind: String },
    Social { views: u64 },
    Roi { kind: String, value: String },
}

impl Facts {
    pub fn kind(&self) -> Kind {
        match self {
            Facts::Recipient(_) => Kind::Recipient,
            Facts::Click { .. } => Kind::Click,
            Facts::Open { .. } => Kind::Open,
            Facts::PageView => Kind::PageView,
            Facts::Reply { .. } => Kind::Reply,
            Facts::Social { .. } => Kind::Social,
            Facts::Roi { .. } => Kind::Roi,
        }
    }

    /// Totals are overwritten when the row comes again; what happened once stays as it was first told.
    pub fn is_total(&self) -> bool {
        matches!(self, Facts::Recipient(_) | Facts::Social { .. })
    }
}

/// Kept facts without what belongs to a person's machine.
pub fn nameless(data: &str) -> String {
    let Ok(mut facts) = serde_json::from_str::<Facts>(data) else {
        return String::from(r#"{"is":"page_view"}"#);
    };
    match &mut facts {
        Facts::Recipient(counters) => counters.first_open_ip = None,
        Facts::Click { ip, agent, .. } | Facts::Open { ip, agent, .. } => (*ip, *agent) = (None, None),
        Facts::Reply { .. } | Facts::Roi { .. } | Facts::Social { .. } | Facts::PageView => {}
    }
    serde_json::to_string(&facts).expect("facts are texts and numbers under names")
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its natural key; empty until it has its number among equal ones.
    pub key: String,
    pub campaign: i64,
    /// 0 when the service named no person.
    pub contact: i64,
    /// In normal form.
    pub address: String,
    /// The newest moment that it tells of.
    pub at: Timestamp,
    pub what: String,
    pub machine: bool,
    pub facts: Facts,
}

/// A row of the service that is no event, as it came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("the service gave no moment for it; it cannot be told from another one")]
    NoMoment(String),
    #[error("the service named neither a person nor an address")]
    Nobody(String),
}

impl Unfit {
    /// The row.
    pub fn received(&self) -> &str {
        match self {
            Unfit::NoMoment(row) | Unfit::Nobody(row) => row,
        }
    }
}

/// A row of the service that may be an event.
pub trait Row {
    /// # Errors
    /// When the row lacks what every event has.
    fn event(self, campaign: i64) -> Result<Event, Unfit>;
}

fn event(
    campaign: i64,
    contact: Option<ContactId>,
    email: &str,
    at: Option<Timestamp>,
    what: String,
    facts: Facts,
) -> Result<Event, Unfit> {
    let (contact, address) = (contact.map_or(0, |contact| contact.0), normal(email));
    let received = || format!("contact {contact} {email:?} {what:?} {facts:?}");
    if contact == 0 && address.is_empty() {
        return Err(Unfit::Nobody(received()));
    }
    let at = at.ok_or_else(|| Unfit::NoMoment(received()))?;
    Ok(Event { key: String::new(), campaign, contact, address, at, what, machine: false, facts })
}

impl Row for Recipient {
    fn event(self, campaign: i64) -> Result<Event, Unfit> {
        let newest = self.sent_at.map(|sent| Some(sent).max(self.last_opened).max(self.first_opened));
        let counters = Counters {
            sent: self.sent_at,
            first_opened: self.first_opened,
            last_opened: self.last_opened,
            first_open_ip: self.first_open_ip,
            opens: self.opens,
            clicks: self.clicks,
            page_views: self.page_views,
            forwards: self.forwards,
            estimated_forwards: self.estimated_forwards,
            replies: self.replies,
            unsubscribed: self.unsubscribed,
            soft_bounced: self.soft_bounced,
            hard_bounced: self.hard_bounced,
        };
        event(
            campaign,
            self.contact,
            &self.email,
            newest.flatten(),
            String::new(),
            Facts::Recipient(counters),
        )
    }
}

impl Row for Click {
    fn event(self, campaign: i64) -> Result<Event, Unfit> {
        let facts = Facts::Click { ip: self.ip, agent: self.user_agent, keyword: self.keyword };
        event(campaign, self.contact, &self.email, self.at, self.url, facts)
    }
}

impl Row for Open {
    fn event(self, campaign: i64) -> Result<Event, Unfit> {
        let client = self.mail_client.map(|client| {
            format!("{client} {}", self.mail_client_version.unwrap_or_default()).trim_end().to_owned()
        });
        let facts = Facts::Open {
            ip: self.ip,
            agent: self.user_agent,
            client,
            html: self.html,
            forwarded: self.forwarded,
        };
        event(campaign, self.contact, &self.email, self.at, String::new(), facts)
    }
}

impl Row for PageView {
    fn event(self, campaign: i64) -> Result<Event, Unfit> {
        event(campaign, self.contact, &self.email, self.at, self.url, Facts::PageView)
    }
}

impl Row for Reply {
    fn event(self, campaign: i64) -> Result<Event, Unfit> {
        let facts = Facts::Reply {
            from: self.from,
            to: self.to,
            subject: self.subject,
            message: self.message,
            html: self.html,
            kind: self.kind.to_string(),
        };
        event(campaign, self.contact, &self.email, self.at, String::new(), facts)
    }
}

/// A total has no moment: `now`, which the caller gives, is when it was seen.
impl Row for (SocialView, Timestamp) {
    fn event(self, campaign: i64) -> Result<Event, Unfit> {
        let (row, now) = self;
        let facts = Facts::Social { views: row.views };
        event(campaign, row.contact, &row.email, Some(now), row.network, facts)
    }
}

impl Row for RoiDetail {
    fn event(self, campaign: i64) -> Result<Event, Unfit> {
        let facts = Facts::Roi { kind: self.kind.to_string(), value: self.value };
        event(campaign, self.contact, &self.email, self.at, self.marker, facts)
    }
}

impl Event {
    /// The natural key of the `n`th of equal events, from 0. Made before anything is dropped for privacy, so that settings do
    /// not make the same event another one.
    pub fn natural_key(&self, account: &keys::Account, n: u32) -> keys::Key {
        let (campaign, contact, at) = (self.campaign, self.contact, self.at);
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        // Somebody without a number is told apart by the address.
        let who = if contact == 0 { self.address.as_str() } else { "" };
        match &self.facts {
            Facts::Recipient(counters) if contact != 0 => {
                account.summary(campaign, contact, counters.sent.unwrap_or(at))
            }
            Facts::Recipient(counters) => {
                let sent = counters.sent.unwrap_or(at).to_string();
                account.behaviour("recipient", campaign, contact, &[who, &sent], 0)
            }
            Facts::Click { ip, agent, keyword } => {
                let (ip, agent, keyword) = (text(ip), text(agent), format!("{}{who}", text(keyword)));
                let (url, ip, agent, keyword) = (self.what.as_str(), &ip, &agent, &keyword);
                account.click(&keys::Click { campaign, contact, at, url, ip, agent, keyword }, n)
            }
            Facts::Open { ip, agent, client, html, forwarded } => {
                let flags = format!("{html}{forwarded}");
                let parts = [who, &at.to_string(), &text(ip), &text(agent), &text(client), &flags];
                account.behaviour("open", campaign, contact, &parts, n)
            }
            Facts::PageView => {
                account.behaviour("view", campaign, contact, &[who, &at.to_string(), &self.what], n)
            }
            Facts::Reply { from, subject, message, kind, .. } => {
                let parts = [who, &at.to_string(), from, subject, message, kind];
                account.behaviour("reply", campaign, contact, &parts, n)
            }
            Facts::Social { .. } if contact != 0 => account.bookmark(campaign, contact, &self.what),
            Facts::Social { .. } => account.behaviour("social", campaign, contact, &[who, &self.what], 0),
            Facts::Roi { value, .. } => {
                let value = format!("{value}{who}");
                account.mark(&keys::Mark { campaign, contact, name: &self.what, at, value: &value }, n)
            }
        }
    }

    /// Leaves out what the settings do not keep.
    pub fn trim(&mut self, settings: &Settings) {
        let (ip, agent) = match &mut self.facts {
            Facts::Recipient(counters) => (Some(&mut counters.first_open_ip), None),
            Facts::Click { ip, agent, .. } | Facts::Open { ip, agent, .. } => (Some(ip), Some(agent)),
            _ => (None, None),
        };
        if let Some(ip) = ip {
            *ip = settings.ip.kept(ip.take());
        }
        if let Some(agent) = agent.filter(|_| !settings.user_agents) {
            *agent = None;
        }
    }

    /// The program that it names.
    pub fn agent(&self) -> Option<&str> {
        match &self.facts {
            Facts::Click { agent, .. } | Facts::Open { agent, .. } => agent.as_deref(),
            _ => None,
        }
    }
}

/// The last instant of a page, and the keys of the first of each of its events. The next page may go on within that instant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tail {
    at: Option<Timestamp>,
    seen: Vec<String>,
}

/// Events of one instant that are remembered from page to page.
const REMEMBERED: usize = 500;

/// Gives each event of a page its key: equal ones within an answer of the service are different events, as it holds no row twice.
pub fn number(account: &keys::Account, events: &mut [Event]) -> Tail {
    let mut counted: HashMap<String, u32> = HashMap::new();
    let last = events.last().map(|event| event.at);
    let mut seen = Vec::new();
    for event in events.iter_mut() {
        let first = event.natural_key(account, 0).to_string();
        let n = counted.entry(first.clone()).or_default();
        event.key = if *n == 0 { first.clone() } else { event.natural_key(account, *n).to_string() };
        *n += u32::from(!event.facts.is_total());
        if Some(event.at) == last && *n == 1 && seen.len() < REMEMBERED {
            seen.push(first);
        }
    }
    Tail { at: last, seen }
}

/// The instant of which the pages cannot tell whether equal events are different ones or come again: the page goes on at the
/// instant at which the one before ended, with an event that was there. Reading it by itself tells. Pages that begin anew, as
/// rows shifted, begin with another instant, and what they bring again has its keys.
pub fn doubtful(events: &[Event], tail: &Tail) -> Option<Timestamp> {
    let at = events.first()?.at;
    let again = |event: &Event| event.at == at && tail.seen.contains(&event.key);
    (tail.at == Some(at) && events.iter().any(again)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> keys::Account {
        keys::Account::new("r1", 42)
    }

    fn click(second: u8, url: &str) -> Event {
        let at = format!("2026-01-02T03:04:{second:02}Z").parse().unwrap();
        let contact = Some(ContactId(7));
        let row = Click { contact, url: url.into(), at: Some(at), ..Click::default() };
        row.event(1).unwrap()
    }

    fn page(clicks: &[(u8, &str)]) -> (Vec<Event>, Tail) {
        let mut events: Vec<Event> = clicks.iter().map(|(second, url)| click(*second, url)).collect();
        let tail = number(&account(), &mut events);
        (events, tail)
    }

    #[test]
    fn equal_clicks_of_a_page_are_different() {
        let (events, _) = page(&[(1, "a"), (1, "a"), (1, "b")]);
        let keys: std::collections::BTreeSet<_> = events.iter().map(|event| &event.key).collect();
        assert_eq!(keys.len(), 3);
        // Read again, whatever stands around them.
        let (again, _) = page(&[(0, "x"), (1, "a"), (1, "a")]);
        assert_eq!((&again[1].key, &again[2].key), (&events[0].key, &events[1].key));
    }

    #[test]
    fn pages_that_cannot_tell() {
        let check = |first: &[(u8, &str)], second: &[(u8, &str)], doubt: bool| {
            let (tail, events) = (page(first).1, page(second).0);
            assert_eq!(doubtful(&events, &tail).is_some(), doubt, "{first:?} {second:?}");
        };
        check(&[(0, "x"), (1, "a")], &[(1, "a"), (2, "a")], true);
        check(&[(0, "x"), (1, "a")], &[(1, "b"), (2, "a")], false);
        check(&[(0, "x"), (1, "a")], &[(2, "a")], false);
        // The rows come again from the start.
        check(&[(0, "x"), (1, "a")], &[(0, "x"), (1, "a"), (2, "a")], false);
        check(&[], &[(1, "a")], false);
    }

    #[test]
    fn settings_do_not_change_keys() {
        let row = Click { ip: Some("192.0.2.9".into()), user_agent: Some("x".into()), ..Click::default() };
        let at = "2026-01-02T03:04:05Z".parse().ok();
        let event = Click { contact: Some(ContactId(7)), at, ..row }.event(1).unwrap();
        let mut trimmed = event.clone();
        let key = event.natural_key(&account(), 0);
        trimmed.key = key.to_string();
        trimmed.trim(&Settings {
            ip: super::super::settings::Ip::Drop,
            user_agents: false,
            ..Settings::default()
        });
        assert_eq!(trimmed.facts, Facts::Click { ip: None, agent: None, keyword: None });
        assert_eq!(trimmed.key, event.natural_key(&account(), 0).to_string());
    }

    #[test]
    fn what_is_no_event() {
        let nobody = Click { at: "2026-01-02T03:04:05Z".parse().ok(), ..Click::default() };
        assert!(matches!(nobody.event(1), Err(Unfit::Nobody(_))));
        let when = Open { email: "O'Brien+X@example.com".into(), ..Open::default() };
        let unfit = when.clone().event(1).unwrap_err();
        assert!(matches!(&unfit, Unfit::NoMoment(row) if row.contains("O'Brien+X")), "{unfit}");
        let told = Open { at: "2026-01-02T03:04:05Z".parse().ok(), ..when }.event(1).unwrap();
        assert_eq!((told.address.as_str(), told.contact), ("o'brien+x@example.com", 0));
    }

    #[test]
    fn facts_read_back() {
        for facts in [
            Facts::Recipient(Counters { opens: 3, ..Counters::default() }),
            Facts::PageView,
            Facts::Roi { kind: "Novel".into(), value: "o'brien".into() },
        ] {
            let text = serde_json::to_string(&facts).unwrap();
            assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts);
        }
    }
}
