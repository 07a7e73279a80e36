//! What people do: by plan, deterministic from a seed, or because a test says so.
//!
//! Not here: what a mail client or a mail server really does. Rates are per thousand mails.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Account;
use super::contact::{Key, Status, folded};
use super::field::Kind;
use super::form::{Answer, Form, Question};
use super::report::{Click, Open, Recipient, Reply, Report, Roi, Row, SocialView};
use super::sending::Mailing;

/// Soft bounces after which an address is taken for dead (dotdigital.md A7).
const SOFT_BOUNCES: u8 = 4;
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";
/// A mail provider that fetches pictures before anybody looks.
const MACHINE: &str =
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)";

/// How likely people do things, for a thousand mails. The default does nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Behaviour {
    pub seed: u64,
    pub open: u16,
    /// Of all mails: opened by a machine at once.
    pub machine_open: u16,
    pub click: u16,
    /// Of all mails: two links within the same millisecond, besides.
    pub double_click: u16,
    pub page_view: u16,
    pub reply: u16,
    pub buy: u16,
    pub social: u16,
    pub forward: u16,
    /// Of all mails: the person answers one of the account's active forms.
    pub answer: u16,
    pub unsubscribe: u16,
    pub leave_list: u16,
    pub complain: u16,
    pub soft_bounce: u16,
    pub hard_bounce: u16,
    /// What people click; each person takes one or two of them.
    pub links: Vec<String>,
}

impl Behaviour {
    /// A good newsletter's figures.
    pub fn lively(seed: u64) -> Self {
        Behaviour {
            seed,
            open: 420,
            machine_open: 150,
            click: 90,
            double_click: 10,
            page_view: 60,
            reply: 8,
            buy: 20,
            social: 10,
            forward: 5,
            answer: 15,
            unsubscribe: 12,
            leave_list: 4,
            complain: 2,
            soft_bounce: 10,
            hard_bounce: 8,
            links: vec!["https://shop.example/spring".into(), "https://shop.example/new?utm=mail".into()],
        }
    }
}

/// Something that a person, or a mail server, does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    Open {
        #[serde(default)]
        machine: bool,
    },
    Click {
        url: String,
    },
    PageView {
        url: String,
    },
    Reply {
        text: String,
        #[serde(default)]
        automatic: bool,
    },
    /// From the account.
    Unsubscribe,
    LeaveList {
        list: i32,
    },
    Complain,
    SoftBounce,
    HardBounce,
    /// Somebody of the account suppresses the address in the app.
    Suppress,
    /// The person answers the challenge after a resubscription.
    Confirm,
    /// The person signs up at a form of the web site: lifts an unsubscription at once.
    SignUp,
    Buy {
        marker: String,
        value: Value,
    },
    Social {
        network: String,
    },
    Forward,
    /// Begins, goes on with or completes a form.
    Answer {
        form: i32,
        answers: Vec<Answer>,
        complete: bool,
    },
}

/// An act that lies ahead.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Planned {
    pub at: Timestamp,
    number: u64,
    pub email: Arc<str>,
    pub campaign: Option<i32>,
    pub act: Act,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// SplitMix64 over the words: the same in every run and on every machine.
pub fn mix(words: &[u64]) -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15;
    for word in words {
        state ^= *word;
        state = u64::wrapping_add(state, 0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
    }
    state
}

impl Account {
    /// Plans what somebody does with a mail.
    pub fn plan(&mut self, mailing: &Mailing, behaviour: &Behaviour) {
        // Not the id of the send, which is another in every run.
        let (campaign, moment) = (mailing.campaign.unwrap_or(0) as u64, mailing.at.as_second() as u64);
        let draw = |salt: u64| mix(&[behaviour.seed, campaign, moment, mailing.contact as u64, salt]);
        let chance = |salt: u64, rate: u16| draw(salt) % 1000 < u64::from(rate);
        let after =
            |salt: u64, span: u64| SignedDuration::from_millis((draw(salt + 100) % (span * 1000)) as i64);
        if chance(1, behaviour.hard_bounce) {
            return self.schedule(mailing, after(1, 60), Act::HardBounce);
        }
        if chance(2, behaviour.soft_bounce) {
            return self.schedule(mailing, after(2, 3600), Act::SoftBounce);
        }
        if chance(3, behaviour.machine_open) {
            self.schedule(mailing, after(3, 10), Act::Open { machine: true });
        }
        let seen = after(4, 36 * 3600);
        if chance(4, behaviour.open) {
            self.schedule(mailing, seen, Act::Open { machine: false });
        }
        let link = |salt: u64| {
            let count = behaviour.links.len() as u64;
            behaviour.links.get((draw(salt) % count.max(1)) as usize).cloned()
        };
        let clicked = seen + after(5, 600);
        if let Some(url) = link(200).filter(|_| chance(5, behaviour.click)) {
            self.schedule(mailing, clicked, Act::Click { url });
        }
        if chance(6, behaviour.double_click) {
            for url in behaviour.links.iter().take(2).cloned() {
                self.schedule(mailing, clicked, Act::Click { url });
            }
        }
        if let Some(url) = link(201).filter(|_| chance(7, behaviour.page_view)) {
            self.schedule(mailing, clicked + after(7, 900), Act::PageView { url });
        }
        let value = Value::from((draw(208) % 20_000) as f64 / 100.0);
        let list = mailing.list.unwrap_or_default();
        let rest = [
            (8, behaviour.reply, Act::Reply { text: "Thank you!".to_owned(), automatic: false }),
            (9, behaviour.buy, Act::Buy { marker: "Order value".to_owned(), value }),
            (10, behaviour.social, Act::Social { network: "Facebook".to_owned() }),
            (11, behaviour.forward, Act::Forward),
            (12, behaviour.unsubscribe, Act::Unsubscribe),
            (13, behaviour.leave_list * u16::from(list != 0), Act::LeaveList { list }),
            (14, behaviour.complain, Act::Complain),
        ];
        for (salt, rate, act) in rest {
            if chance(salt, rate) {
                self.schedule(mailing, seen + after(salt, 7200), act);
            }
        }
        if chance(15, behaviour.answer)
            && let Some(act) = self.answers(draw(215))
        {
            self.schedule(mailing, seen + after(15, 7200), act);
        }
    }

    /// One of the active forms, each of its questions answered by the number drawn.
    fn answers(&self, drawn: u64) -> Option<Act> {
        let forms: Vec<&Form> = self.forms.values().filter(|form| form.active).collect();
        let form = forms.get((drawn % forms.len().max(1) as u64) as usize)?;
        let answer = |question: &Question, row: Option<i32>| {
            let choice = (drawn / 7) as usize % question.choices.len().max(1);
            let value = match question.choices.get(choice) {
                Some((id, _)) => Value::from(*id),
                None => Value::from(format!("Answer {}", drawn % 100)),
            };
            Answer { field: question.id, row, value }
        };
        let answers = form.pages.iter().flat_map(|page| &page.fields).flat_map(|question| {
            match question.rows.as_slice() {
                [] => vec![answer(question, None)],
                rows => rows.iter().map(|row| answer(question, Some(row.id))).collect(),
            }
        });
        // The address is the person's own, which the form knows.
        let answers = answers.filter(|answer| !form.is_address(answer.field)).collect();
        Some(Act::Answer { form: form.id, answers, complete: !drawn.is_multiple_of(5) })
    }

    fn schedule(&mut self, mailing: &Mailing, after: SignedDuration, act: Act) {
        let at = mailing.at.checked_add(after).unwrap_or(Timestamp::MAX);
        self.schedule_at(at, Arc::clone(&mailing.email), mailing.campaign, act);
    }

    pub fn schedule_at(&mut self, at: Timestamp, email: Arc<str>, campaign: Option<i32>, act: Act) {
        self.plan_number += 1;
        self.planned.insert(Planned { at, number: self.plan_number, email, campaign, act });
    }

    /// Does it now. An error says what is missing.
    pub fn act(
        &mut self,
        at: Timestamp,
        email: &str,
        campaign: Option<i32>,
        act: Act,
    ) -> Result<(), &'static str> {
        let guess = self.contacts.find(&Key::Email(email.to_owned()));
        let report = campaign.and_then(|id| self.campaigns.get(&id)).map(|campaign| &campaign.report);
        let contact = report.and_then(|report| report.contact_of(email, guess));
        if campaign.is_some() && contact.is_none() {
            return Err("the campaign did not go to this address");
        }
        match &act {
            Act::Unsubscribe => drop(self.suppress(email, Status::Unsubscribed, at)),
            Act::Complain => drop(self.suppress(email, Status::IspComplained, at)),
            Act::HardBounce => drop(self.suppress(email, Status::HardBounced, at)),
            Act::Suppress => drop(self.suppress(email, Status::Suppressed, at)),
            Act::SoftBounce => self.soft_bounce(email, at),
            Act::Confirm => return self.confirm(email, at).then_some(()).ok_or("no challenge waits"),
            Act::SignUp => {
                self.resubscribe(email, false, at);
                return Ok(());
            }
            Act::LeaveList { list } => self.depart(*list, email, guess, at)?,
            Act::Answer { form, answers, complete } => {
                return self.answer(*form, email, answers.clone(), *complete, at);
            }
            _ if contact.is_none() => return Err("name a campaign that went to this address"),
            _ => {}
        }
        let report = campaign.and_then(|id| self.campaigns.get_mut(&id)).map(|campaign| &mut campaign.report);
        if let (Some(report), Some(contact)) = (report, contact) {
            record(report, at, contact, act);
        }
        Ok(())
    }

    fn depart(
        &mut self,
        list: i32,
        email: &str,
        contact: Option<i32>,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let contact = contact.ok_or("no contact has this address")?;
        self.lists.get_mut(&list).ok_or("there is no such list")?.depart(contact, email, at);
        self.leave(contact, list);
        Ok(())
    }

    fn soft_bounce(&mut self, email: &str, at: Timestamp) {
        let count = self.soft_bounces.entry(folded(email)).or_default();
        *count += 1;
        if *count >= SOFT_BOUNCES {
            // Which reason the service then gives is not documented (inferred).
            self.suppress(email, Status::HardBounced, at);
        } else if let Some(id) = self.contacts.find(&Key::Email(email.to_owned()))
            && let Some(contact) = self.contacts.get_mut(id)
            && contact.status == Status::Subscribed
        {
            (contact.status, contact.updated) = (Status::SoftBounced, at);
        }
    }
}

/// Writes an act of one who was mailed into a campaign's report.
fn record(report: &mut Report, at: Timestamp, contact: i32, act: Act) {
    report.changed = report.changed.max(Some(at));
    let ip: Arc<str> = format!("198.51.100.{}", contact % 250 + 1).into();
    let Some(recipient) = report.recipient_mut(contact) else { return };
    recipient.changed = recipient.changed.max(at);
    let email = Arc::clone(&recipient.email);
    count(recipient, at, &ip, &act);
    match act {
        Act::Open { machine } => {
            let (client, agent) = if machine { ("GoogleImageProxy", MACHINE) } else { ("Firefox", BROWSER) };
            let what = Open { client: client.into(), ip, agent: agent.into() };
            report.opens.push(Row { contact, email, at, what });
        }
        Act::Click { url } => {
            let what = Click { url: url.into(), ip, agent: BROWSER.into() };
            report.clicks.push(Row { contact, email, at, what });
        }
        Act::PageView { url } => report.page_views.push(Row { contact, email, at, what: url }),
        Act::Reply { text, automatic } => {
            report.replies.push(Row { contact, email, at, what: Reply { text, automatic } });
        }
        Act::Buy { marker, value } => {
            let kind = match &value {
                Value::Number(_) => Kind::Numeric,
                Value::Bool(_) => Kind::Boolean,
                _ => Kind::String,
            };
            report.roi.push(Row { contact, email, at, what: Roi { marker, kind, value } });
        }
        Act::Social { network } => {
            let known = report.social.iter_mut().find(|row| row.contact == contact && row.network == network);
            match known {
                Some(row) => row.views += 1,
                None => report.social.push(SocialView { contact, email, network, views: 1 }),
            }
        }
        _ => {}
    }
}

fn count(recipient: &mut Recipient, at: Timestamp, ip: &Arc<str>, act: &Act) {
    match act {
        Act::Open { .. } => {
            recipient.opens += 1;
            recipient.first_ip.get_or_insert_with(|| Arc::clone(ip));
            recipient.first_open = Some(recipient.first_open.map_or(at, |known| known.min(at)));
            recipient.last_open = recipient.last_open.max(Some(at));
        }
        Act::Click { .. } => recipient.clicks += 1,
        Act::PageView { .. } => recipient.page_views += 1,
        Act::Reply { .. } => recipient.replies += 1,
        Act::Forward => recipient.forwards += 1,
        Act::Unsubscribe => recipient.unsubscribed = true,
        Act::LeaveList { .. } => recipient.unsubscribed = true,
        Act::SoftBounce => recipient.soft_bounced = true,
        Act::HardBounce => recipient.hard_bounced = true,
        Act::Complain => recipient.complained = true,
        _ => {}
    }
}
