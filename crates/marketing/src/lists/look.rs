//! Lists as people look at them: how each stands, and who would join and leave when it is synchronised.
//!
//! How a list stands is read from the CRM, where the flow wrote it ([`super::here::Report`]). A comparison reads both sides as a
//! dry run does: it writes on neither, and keeps here only what each side said.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Change, ChangeSet, Code, Fault, Filter, Query, Record, RecordRef, Value};
use postroom_store::Error;
use uuid::Uuid;

use super::compare::{self, Doing, Found};
use super::decide::Todo;
use super::here::{COLUMNS, CrmList};
use super::links::{self, Link};
use super::{admit, headers, read_here, read_there};
use crate::engine::Engine;
use crate::mapping::book::option;
use crate::solution::options::Set;
use crate::sync::{Halt, SyncType, Turn};

/// A list that is activated for e-mail, with what it says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub account: String,
    pub list: CrmList,
    /// Inactive lists stay as they are.
    pub active: bool,
    /// The service's list: its number and name.
    pub service: Option<(i64, String)>,
    /// Labels of the solution's options; `None` before the first run.
    pub link: Option<&'static str>,
    pub members: Option<&'static str>,
    pub message: String,
    /// Members here and there at the end of the last comparison; sent, rejected and left out in it.
    pub here: Option<i64>,
    pub there: Option<i64>,
    pub sent: Option<i64>,
    pub rejected: Option<i64>,
    pub left_out: Option<i64>,
    /// When anybody last joined or left by a run.
    pub changed: Option<Timestamp>,
}

/// What synchronising a list now would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub found: Found,
    /// The service has no list for it yet: it would be made.
    pub would_make: bool,
    /// Why the list cannot be synchronised.
    pub problem: Option<String>,
    /// What the run would ask before it goes on.
    pub question: Option<String>,
    /// Whom it concerns, by what would be done; at most as many of each as were asked for.
    pub people: Vec<(Todo, Vec<Doing>)>,
}

impl Engine {
    /// The lists of an account that are activated for e-mail, in the order in which they run.
    ///
    /// # Errors
    /// The CRM's; and a refusal when no account has this name.
    pub async fn lists(&self, account: &str) -> Result<Vec<Listed>, Fault> {
        let account = self.named(account)?;
        let connected = self.identity(account).await?;
        let filter = Filter::All(vec![
            Filter::eq("esc_activatedforemail", true),
            Filter::eq("esc_emailaccountid", connected.row()),
        ]);
        let rows = self.crm.query(&Query::of("list").select(&columns()).filter(filter)).await?;
        let mut lists: Vec<Listed> = rows.into_iter().map(|row| listed(&account.name, row)).collect();
        lists.sort_by(|one, other| {
            let place = |listed: &Listed| (!listed.active, listed.list.order, listed.list.name.clone());
            place(one).cmp(&place(other)).then(one.list.at.id.cmp(&other.list.at.id))
        });
        Ok(lists)
    }

    /// Asks for a list to be synchronised now, also one that runs only when asked.
    ///
    /// # Errors
    /// The CRM's and the store's.
    pub async fn request_list(&self, account: &str, list: Uuid, who: &str) -> Result<(), Fault> {
        let row = Record::new(RecordRef::new("list", list)).with("esc_syncrequested", true);
        let sets = vec![ChangeSet { changes: vec![Change::Update(row)] }];
        self.crm.apply(sets).await.pop().expect("an answer for each set")?;
        self.ask(account, SyncType::Lists, who).await
    }

    /// Who would join and leave a list on either side: both are read, nothing is written there. `most` people of each kind are
    /// named.
    ///
    /// # Errors
    /// Faults of either side; a refusal when the account has no such list.
    pub async fn compare_list(&self, account: &str, list: Uuid, most: u64) -> Result<Comparison, Fault> {
        let mut turn = self.trial(account, SyncType::Lists).await?;
        self.read_people().await?;
        let lists = super::here::activated(&turn).await?;
        let found = lists.into_iter().find(|one| one.at.id == list);
        let found = found.ok_or_else(|| {
            let text = format!("list/{list} is not an active list of {account} that is activated for e-mail");
            Fault::reject(Code::API_NOT_FOUND, text)
        })?;
        turn.compared(&found, most).await
    }
}

impl Turn {
    async fn compared(&mut self, list: &CrmList, most: u64) -> Result<Comparison, Fault> {
        let name = self.account.name.clone();
        let read = self.read(move |tx| async move { links::all(tx, &name).await }.boxed()).await;
        let known: Result<Vec<Link>, Error> = read;
        let mut there = headers::of_service(self).await?;
        let mut answer = Comparison {
            found: Found::default(),
            would_make: false,
            problem: None,
            question: None,
            people: Vec::new(),
        };
        let linked = match headers::link(self, list, &known?, &mut there).await {
            Ok(linked) => linked,
            Err(Halt::Fault(fault)) => return Err(fault),
            Err(Halt::Asks(question)) => {
                answer.question = Some(question);
                return Ok(answer);
            }
        };
        let service = match linked {
            headers::Linked::No { why, .. } => {
                answer.problem = Some(why);
                return Ok(answer);
            }
            headers::Linked::Would(_) => None,
            headers::Linked::Yes { link, .. } => link.service.and_then(|id| there.get(&id).cloned()),
        };
        answer.would_make = service.is_none();
        read_here::read(self, list).await?;
        if let Some(service) = &service {
            read_there::read(self, list.at.id, service).await?;
        }
        answer.found = compare::run(self, list).await?;
        answer.question = self.question(list, &answer.found);
        answer.people = self.concerned(list, most).await?;
        Ok(answer)
    }

    /// What a real run would ask. A dry one asks nothing.
    fn question(&mut self, list: &CrmList, found: &Found) -> Option<String> {
        self.dry = false;
        let asked = admit(self, list, found);
        self.dry = true;
        match asked {
            Err(Halt::Asks(question)) => Some(question),
            _ => None,
        }
    }

    async fn concerned(&self, list: &CrmList, most: u64) -> Result<Vec<(Todo, Vec<Doing>)>, Error> {
        let (account, id, table) = (self.account.name.clone(), list.at.id, list.table);
        let read = self.read(move |tx| {
            async move {
                let mut all = Vec::new();
                for todo in Todo::DONE {
                    let some = compare::to_do(tx, (&account, id, table), todo, "", most).await?;
                    if !some.is_empty() {
                        all.push((todo, some));
                    }
                }
                Ok(all)
            }
            .boxed()
        });
        read.await
    }
}

fn columns() -> Vec<&'static str> {
    let told = [
        "statecode",
        "esc_serviceaddressbookid",
        "esc_serviceaddressbookname",
        "esc_syncstatus",
        "esc_membersyncstatus",
        "esc_lastsyncmessage",
        "esc_crmmembercount",
        "esc_servicecontactcount",
        "esc_sentcount",
        "esc_rejectedcount",
        "esc_skippedcount",
        "esc_lastmemberchangesynced",
    ];
    COLUMNS.into_iter().chain(told).collect()
}

fn listed(account: &str, row: Record) -> Listed {
    let service = row
        .int("esc_serviceaddressbookid")
        .map(|id| (id, row.text("esc_serviceaddressbookname").unwrap_or_default().to_owned()));
    Listed {
        account: account.to_owned(),
        active: row.int("statecode").unwrap_or(0) == 0,
        service,
        link: option(&row, "esc_syncstatus", Set::ListSyncStatus),
        members: option(&row, "esc_membersyncstatus", Set::MemberSyncStatus),
        message: row.text("esc_lastsyncmessage").unwrap_or_default().to_owned(),
        here: row.int("esc_crmmembercount"),
        there: row.int("esc_servicecontactcount"),
        sent: row.int("esc_sentcount"),
        rejected: row.int("esc_rejectedcount"),
        left_out: row.int("esc_skippedcount"),
        changed: match row.get("esc_lastmemberchangesynced") {
            Some(Value::Time(at)) => Some(*at),
            _ => None,
        },
        list: CrmList::of(row),
    }
}
