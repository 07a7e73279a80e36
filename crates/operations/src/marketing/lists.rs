//! Marketing lists: how each stands, asking for one, and who would join and leave it.

use jiff::Timestamp;
use postroom_core::{Code, Fault, RecordRef};
use postroom_marketing::lists::decide::Todo;
use postroom_marketing::lists::look::{Comparison, Listed};
use postroom_marketing::sync::SyncType;
use serde::Serialize;
use uuid::Uuid;

use super::Duty;
use super::views::RunView;
use crate::{Actor, Operations, audit};

/// People of each kind that a comparison names unless somebody asks for more.
pub const NAMED: u64 = 100;

/// A marketing list that is activated for e-mail.
#[derive(Debug, Clone, Serialize)]
pub struct ListView {
    /// `listid` in the CRM.
    pub id: Uuid,
    pub account: String,
    pub name: String,
    /// `static` (both ways), `dynamic` (to the service only).
    pub kind: &'static str,
    /// Whom it holds: `contact`, `lead`, `account`.
    pub members: &'static str,
    /// `healthy`, `waiting` (not synchronised yet), `catching_up` (asked for), `paused` (inactive), `needs_you`.
    pub state: &'static str,
    /// One sentence.
    pub text: String,
    /// It runs only when asked.
    pub manual: bool,
    /// Its number and name at the service.
    pub service_id: Option<i64>,
    pub service_name: Option<String>,
    /// Addresses of members in the CRM, and people on the service's list, after the last comparison.
    pub here: Option<i64>,
    pub there: Option<i64>,
    /// Put on the service's list by it, refused there, and left out because they get no mail.
    pub sent: Option<i64>,
    pub rejected: Option<i64>,
    pub left_out: Option<i64>,
    /// When anybody last joined or left by a run.
    pub changed: Option<Timestamp>,
}

/// A list with the last run of its account's lists.
#[derive(Debug, Clone, Serialize)]
pub struct ListDetail {
    #[serde(flatten)]
    pub list: ListView,
    pub last_run: Option<RunView>,
}

/// What was ordered of a list.
#[derive(Debug, Clone, Serialize)]
pub struct ListOrder {
    pub id: Uuid,
    pub account: String,
    pub name: String,
    pub dry_run: bool,
}

/// What synchronising a list would do.
#[derive(Debug, Clone, Serialize)]
pub struct ListComparison {
    pub id: Uuid,
    pub account: String,
    pub name: String,
    /// Addresses of members in the CRM, people on the service's list, and members who get no mail.
    pub here: u64,
    pub there: u64,
    pub left_out: u64,
    /// The service has no list for it yet.
    pub would_make: bool,
    /// Why it cannot be synchronised.
    pub problem: Option<String>,
    /// What the run would ask before it goes on.
    pub question: Option<String>,
    pub changes: Vec<ListChange>,
}

/// People for whom the same would be done.
#[derive(Debug, Clone, Serialize)]
pub struct ListChange {
    /// `add`, `drop`, `opt_out` (at the service), `join`, `create`, `leave` (in the CRM).
    pub what: &'static str,
    /// In words.
    pub text: &'static str,
    pub number: u64,
    /// The first of them by address.
    pub people: Vec<Listing>,
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    pub address: String,
    pub record: Option<RecordRef>,
}

impl Operations {
    /// The lists of all accounts, or of one.
    pub async fn marketing_lists(
        &self,
        actor: &Actor,
        account: Option<&str>,
    ) -> Result<Vec<ListView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let mut all = Vec::new();
        for name in self.accounts_of(account)? {
            all.extend(self.of_account(&name)?.lists(&name).await?.into_iter().map(ListView::from));
        }
        Ok(all)
    }

    /// A list by its id in the CRM or by its name.
    pub async fn marketing_list(&self, actor: &Actor, wanted: &str) -> Result<ListDetail, Fault> {
        let all = self.marketing_lists(actor, None).await?;
        let list = one(all, wanted)?;
        let runs = super::RunsWanted {
            account: Some(list.account.clone()),
            sync_type: Some(SyncType::Lists),
            limit: 1,
            ..super::RunsWanted::default()
        };
        Ok(ListDetail { last_run: self.runs(actor, runs).await?.pop(), list })
    }

    /// Asks for a list to be synchronised now.
    pub async fn sync_list(&self, actor: &Actor, wanted: &str, dry_run: bool) -> Result<ListOrder, Fault> {
        self.needs_duty(actor, Duty::Sync).await?;
        let ListView { id, account, name, state, .. } = self.marketing_list(actor, wanted).await?.list;
        if state == "paused" {
            let text = format!("{name:?} is inactive in the CRM: activate it first");
            return Err(Fault::reject(Code::API_CONFLICT, text));
        }
        if !dry_run {
            let engine = self.of_account(&account)?;
            let entry =
                audit::Entry::new(actor, engine.clock.now(), "list.sync", format!("list/{id}"), &name);
            self.record_audit(entry).await?;
            engine.request_list(&account, id, &actor.name).await?;
        }
        Ok(ListOrder { id, account, name, dry_run })
    }

    /// Who would join and leave a list: both sides are read, and neither is written.
    pub async fn compare_list(
        &self,
        actor: &Actor,
        wanted: &str,
        most: u64,
    ) -> Result<ListComparison, Fault> {
        self.needs_duty(actor, Duty::Sync).await?;
        let ListView { id, account, name, .. } = self.marketing_list(actor, wanted).await?.list;
        let Comparison { found, would_make, problem, question, people } =
            self.of_account(&account)?.compare_list(&account, id, most).await?;
        let change = |(todo, people): (Todo, Vec<_>)| ListChange {
            what: todo.as_str(),
            text: words(todo),
            number: found.of(todo),
            people: people
                .into_iter()
                .map(|doing: postroom_marketing::lists::compare::Doing| Listing {
                    address: doing.address,
                    record: doing.record,
                })
                .collect(),
        };
        let changes = people.into_iter().map(change).collect();
        let (here, there, left_out) = (found.here, found.there, found.left_out);
        Ok(ListComparison {
            id,
            account,
            name,
            here,
            there,
            left_out,
            would_make,
            problem,
            question,
            changes,
        })
    }
}

fn one(all: Vec<ListView>, wanted: &str) -> Result<ListView, Fault> {
    let wanted = wanted.trim();
    let id = wanted.strip_prefix("list/").unwrap_or(wanted).parse::<Uuid>().ok();
    let mut found: Vec<ListView> = all
        .into_iter()
        .filter(|list| match id {
            Some(id) => list.id == id,
            None => list.name.eq_ignore_ascii_case(wanted),
        })
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(list), true) => Ok(list),
        (Some(_), false) => Err(Fault::reject(
            Code::API_INPUT,
            format!("several lists are called {wanted:?}: name one by its id"),
        )),
        (None, _) => Err(Fault::reject(
            Code::API_NOT_FOUND,
            format!("no list {wanted:?} that is activated for e-mail; look at: postroom marketing list list"),
        )),
    }
}

fn words(todo: Todo) -> &'static str {
    match todo {
        Todo::Add => "would be put on the service's list",
        Todo::Drop => "would be taken off the service's list",
        Todo::OptOut => "get no mail, and would be taken off the service's list",
        Todo::Leave => "left at the service, and would be taken off the list in the CRM",
        Todo::Join => "would be put on the list in the CRM",
        Todo::Create => "would become records, and be put on the list in the CRM",
        Todo::Nothing | Todo::Agree | Todo::Forget | Todo::Disagree => "stay as they are",
    }
}

fn state(listed: &Listed) -> (&'static str, String) {
    let is_wrong = |word: Option<&str>| {
        word.is_some_and(|word| word.contains("Error") || word == "Failed" || word.contains("rejects"))
    };
    let said = |or: &str| if listed.message.is_empty() { or.to_owned() } else { listed.message.clone() };
    match (listed.link, listed.members) {
        _ if !listed.active => ("paused", "It is inactive in the CRM.".to_owned()),
        (link, members) if is_wrong(link) || is_wrong(members) => {
            let word = link.filter(|word| word.contains("Error")).or(members).unwrap_or_default();
            ("needs_you", said(word))
        }
        _ if listed.list.requested => ("catching_up", "It was asked for.".to_owned()),
        (None | Some("Not linked"), _) if listed.list.manual => {
            ("waiting", said("It runs only when asked, and was not yet."))
        }
        (None | Some("Not linked"), _) => ("waiting", said("It was not synchronised yet.")),
        (Some(word), _) => ("healthy", said(word)),
    }
}

impl From<Listed> for ListView {
    fn from(listed: Listed) -> Self {
        let (state, text) = state(&listed);
        let (service_id, service_name) = listed.service.unzip();
        ListView {
            id: listed.list.at.id,
            account: listed.account,
            name: listed.list.name,
            kind: if listed.list.dynamic { "dynamic" } else { "static" },
            members: listed.list.table,
            state,
            text,
            manual: listed.list.manual,
            service_id,
            service_name,
            here: listed.here,
            there: listed.there,
            sent: listed.sent,
            rejected: listed.rejected,
            left_out: listed.left_out,
            changed: listed.changed,
        }
    }
}
