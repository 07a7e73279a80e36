//! The door for those who play with the service: `/_sandbox/…`, without signing in.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET now` | | the service's time |
//! | `POST advance` | `{"seconds":3600}` | the new time |
//! | `POST act` | `{"email":…,"campaign":…,"at":…,"act":"click","url":…}` | 204, or 409 with the reason |
//! | `POST arrange` | `{"arrange":"program","name":…}` | `{"id":…}` |
//! | `GET log` | | every mail that was asked for |
//! | `GET calls` | | calls by operation |
//! | `GET received` | | bytes of bodies by operation |
//! | `POST faults`, `DELETE faults` | a switch | 204 |
//! | `PUT behaviour` | the rates | 204 |
//! | `GET person/{email}` | | the contact |
//!
//! `account` in a body, or `account/{id}/` before the path, names the account; without it, the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::Account;
use super::account::behaviour::{Act, Behaviour};
use super::account::campaign::{Campaign, CampaignStatus, Version};
use super::account::contact::{Key, OptIn, Score, Status};
use super::account::form::Form;
use super::account::list::{Rule, Segment};
use super::account::program::{Program, ProgramStatus};
use super::account::report::Recipient;
use super::fault::Switch;
use super::rest::lists::meeting;
use super::world::World;

/// What the API cannot make.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "arrange", rename_all = "snake_case")]
pub enum Arrangement {
    Program {
        name: String,
        status: ProgramStatus,
        /// What each person gets on entering.
        #[serde(default)]
        campaign: Option<i32>,
    },
    /// Id, and ids of pages and questions that are 0, are given.
    Form(Form),
    Segment {
        name: String,
        rule: Rule,
    },
    Score {
        email: String,
        score: u8,
        engagement: u8,
        suitability: u8,
    },
    /// Something of the account uses a data field, so that it cannot be deleted.
    FieldUse {
        field: String,
        kind: String,
        object: i32,
    },
    /// Marks a campaign as one for the triggered calls and programs.
    Triggered {
        campaign: i32,
    },
    Tags {
        campaign: i32,
        tags: Vec<String>,
    },
    /// A campaign that went to the first contacts, so many; each clicked a link, a millisecond after the one before, the last
    /// one now.
    Clicked {
        people: usize,
        url: String,
    },
}

impl Arrangement {
    pub(super) fn make(self, account: &mut Account, now: Timestamp) -> Result<i32, &'static str> {
        let id = account.next_id();
        match self {
            Arrangement::Program { name, status, campaign } => {
                let enrolled = Default::default();
                account.programs.insert(id, Program { id, name, status, created: now, campaign, enrolled });
            }
            Arrangement::Form(form) => return Ok(add_form(account, id, form, now)),
            Arrangement::Segment { name, rule } => {
                let members = meeting(account, &rule);
                account.segments.insert(id, Segment { id, name, rule, members, refreshing: None });
            }
            Arrangement::Score { email, score, engagement, suitability } => {
                let known = account.contacts.find(&Key::Email(email)).ok_or("no contact has this address")?;
                let contact = account.contacts.get_mut(known).ok_or("no contact has this address")?;
                contact.score = Some(Score { score, engagement, suitability, at: now });
                return Ok(known);
            }
            Arrangement::FieldUse { field, kind, object } => {
                let number = account.fields.number(&field).ok_or("there is no such data field")?;
                let field = account.fields.get_mut(number).ok_or("there is no such data field")?;
                field.used_by.push((kind, object));
                return Ok(object);
            }
            Arrangement::Triggered { campaign } => {
                let known = account.campaigns.get_mut(&campaign).ok_or("there is no such campaign")?;
                known.status = CampaignStatus::Triggered;
                return Ok(campaign);
            }
            Arrangement::Tags { campaign, tags } => {
                account.campaigns.get_mut(&campaign).ok_or("there is no such campaign")?.tags = tags;
                return Ok(campaign);
            }
            Arrangement::Clicked { people, url } => clicked(account, id, people, &url, now)?,
        }
        Ok(id)
    }
}

fn clicked(
    account: &mut Account,
    id: i32,
    people: usize,
    url: &str,
    now: Timestamp,
) -> Result<(), &'static str> {
    let before = |count: usize| {
        let age = SignedDuration::from_millis(i64::try_from(count).unwrap_or(i64::MAX));
        now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH)
    };
    let sent = before(people);
    let version = Version { subject: "Clicked".to_owned(), ..Version::default() };
    let mut campaign = Campaign {
        id,
        name: format!("Clicked {id}"),
        versions: vec![version],
        status: CampaignStatus::Sent,
        sent: Some(sent),
        ..Campaign::default()
    };
    let reached = account.contacts.iter().filter_map(|contact| Some((contact.id, contact.email.clone()?)));
    let reached: Vec<(i32, Arc<str>)> = reached.take(people).collect();
    for (contact, email) in &reached {
        campaign.report.add(Recipient::new(*contact, Arc::clone(email), sent));
    }
    account.campaigns.insert(id, campaign);
    for (place, (_, email)) in reached.iter().enumerate() {
        account.act(
            before(reached.len() - 1 - place),
            email,
            Some(id),
            Act::Click { url: url.to_owned() },
        )?;
    }
    Ok(())
}

fn add_form(account: &mut Account, id: i32, mut form: Form, now: Timestamp) -> i32 {
    (form.id, form.created, form.modified) = (id, now, now);
    for page in &mut form.pages {
        if page.id == 0 {
            page.id = account.next_id();
        }
        for question in &mut page.fields {
            if question.id == 0 {
                question.id = account.next_id();
            }
        }
    }
    account.forms.insert(id, form);
    id
}

/// A contact, for a test to look at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Person {
    pub id: i32,
    pub email: String,
    pub mobile: Option<String>,
    pub custom: BTreeMap<String, String>,
    pub status: Status,
    pub opt_in: OptIn,
    pub fields: BTreeMap<String, Value>,
    pub lists: Vec<i32>,
    /// Preferences that were answered.
    pub preferences: BTreeMap<i32, bool>,
}

impl Person {
    pub(super) fn of(account: &mut Account, email: &str) -> Option<Person> {
        let contact = account.contacts.get(account.contacts.find(&Key::Email(email.to_owned()))?)?;
        let fields = account.fields.iter();
        let fields = fields
            .filter_map(|(number, field)| Some((field.name.clone(), contact.cells.get(number)?.json())));
        let answered = contact.preferences.iter().filter(|known| known.list == 0);
        Some(Person {
            id: contact.id,
            email: contact.address().to_owned(),
            mobile: contact.mobile.clone(),
            custom: contact.custom.clone(),
            status: contact.status,
            opt_in: contact.opt_in,
            fields: fields.collect(),
            lists: contact.lists.clone(),
            preferences: answered.map(|known| (known.preference, known.opted_in)).collect(),
        })
    }
}

#[derive(Deserialize)]
struct ActAsk {
    #[serde(default)]
    account: Option<i32>,
    email: String,
    #[serde(default)]
    campaign: Option<i32>,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(flatten)]
    act: Act,
}

#[derive(Deserialize)]
struct ArrangeAsk {
    #[serde(default)]
    account: Option<i32>,
    #[serde(flatten)]
    arrangement: Arrangement,
}

#[derive(Deserialize)]
struct Advance {
    seconds: i64,
}

/// A question that cannot be read, or a wish that cannot be met: status and sentence.
type Turned = (StatusCode, String);

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Turned> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn conflict(why: &str) -> Turned {
    (StatusCode::CONFLICT, why.to_owned())
}

pub(super) fn answer(world: &World, method: &str, path: &[String], body: &[u8]) -> Response {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let (account, path) = match path.as_slice() {
        ["account", id, rest @ ..] => (id.parse().ok(), rest),
        rest => (None, rest),
    };
    answered(world, account, method, path, body).unwrap_or_else(IntoResponse::into_response)
}

fn answered(
    world: &World,
    account: Option<i32>,
    method: &str,
    path: &[&str],
    body: &[u8],
) -> Result<Response, Turned> {
    let first = |named: Option<i32>| world.with(|state| first_of(named.or(account), &state.kept.accounts));
    let done = StatusCode::NO_CONTENT.into_response();
    Ok(match (method, path) {
        ("GET", ["now"]) => Json(world.now()).into_response(),
        ("POST", ["advance"]) => {
            world.advance(SignedDuration::from_secs(read::<Advance>(body)?.seconds));
            Json(world.now()).into_response()
        }
        ("POST", ["act"]) => {
            let ask: ActAsk = read(body)?;
            act(world, first(ask.account), ask)?;
            done
        }
        ("POST", ["arrange"]) => {
            let ask: ArrangeAsk = read(body)?;
            let account = first(ask.account);
            let id = world.settled(|state, now| {
                ask.arrangement.make(state.account(account).ok_or("there is no such account")?, now)
            });
            Json(json!({ "id": id.map_err(conflict)? })).into_response()
        }
        ("GET", ["log"]) => {
            let account = first(None);
            let log = world.settled(|state, _| state.account(account).map(|known| known.log.clone()));
            Json(log.unwrap_or_default()).into_response()
        }
        ("GET", ["calls"]) => Json(world.with(|state| state.calls.clone())).into_response(),
        ("GET", ["received"]) => Json(world.with(|state| state.received.clone())).into_response(),
        ("GET", ["person", email]) => {
            let account = first(None);
            let person = world.settled(|state, _| Person::of(state.account(account)?, email));
            person
                .map_or_else(|| StatusCode::NOT_FOUND.into_response(), |person| Json(person).into_response())
        }
        ("POST", ["faults"]) => {
            let switch: Switch = read(body)?;
            world.with(|state| state.switches.push(switch));
            done
        }
        ("DELETE", ["faults"]) => {
            world.with(|state| state.switches.clear());
            done
        }
        ("PUT", ["behaviour"]) => {
            let behaviour: Behaviour = read(body)?;
            world.with(|state| state.behaviour = behaviour);
            done
        }
        _ => (StatusCode::NOT_FOUND, "See the list in the module `control`.").into_response(),
    })
}

fn first_of(named: Option<i32>, accounts: &BTreeMap<i32, Account>) -> i32 {
    named.or_else(|| accounts.keys().next().copied()).unwrap_or(0)
}

fn act(world: &World, account: i32, ask: ActAsk) -> Result<(), Turned> {
    let ActAsk { email, campaign, at, act, .. } = ask;
    let outcome = world.settled(|state, now| {
        let account = state.account(account).ok_or("there is no such account")?;
        match at.filter(|at| *at > now) {
            Some(at) => {
                account.schedule_at(at, email.as_str().into(), campaign, act);
                Ok(())
            }
            None => account.act(at.unwrap_or(now), &email, campaign, act),
        }
    });
    outcome.map_err(conflict)
}
