//! What the store and the CRM know about a lot of mail: asked in a few batches, then read by the decision.

use std::collections::{HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::query::Filter;
use postroom_core::{
    AddressHit, Crm, Direction, Fault, MailId, MailState, Query as CrmQuery, Record, RecordRef, Value,
};
use postroom_store::sql::{Expr, ExprTrait, Query, SelectStatement};
use postroom_store::{Row, Store, Tx};
use uuid::Uuid;

use crate::filing::policy;
use crate::filing::reading::Reading;
use crate::rules::{QualifiedLead, Rules, Track};
use crate::token::Kind;

/// Values in one IN list.
const LIST: usize = 500;
/// Merged records are followed this far; a longer chain is a loop.
const HOPS: usize = 5;

/// Another mail that this one refers to or shares a conversation with.
#[derive(Debug, Clone)]
pub struct Parent {
    pub id: MailId,
    pub state: MailState,
    pub record: Option<RecordRef>,
    pub activity: Option<Uuid>,
    pub mailbox: String,
    /// Addresses in normal form.
    pub parties: HashSet<String>,
}

/// What is known about everything that a lot of mail mentions.
#[derive(Debug, Default)]
pub struct Known {
    /// By normalised Message-ID.
    pub parents: HashMap<String, Vec<Parent>>,
    pub conversations: HashMap<String, Vec<Parent>>,
    /// Rows by id; merged ones are here too, and what they lead to.
    pub records: HashMap<Uuid, Vec<Record>>,
    pub people: HashMap<String, Vec<AddressHit>>,
    /// Emails by Microsoft token, newest first.
    pub microsoft: HashMap<String, Vec<Record>>,
    /// Where a qualified lead's mail goes, by lead.
    pub qualified: HashMap<Uuid, RecordRef>,
    /// The rows of those: asked for their owners only, for a GUID may not name all of their tables.
    pub targets: HashMap<Uuid, Record>,
    /// What the CRM says about tracking, by mailbox name.
    pub policies: HashMap<String, Track>,
    /// Open cases and opportunities by customer; asked for outgoing mail only.
    pub open: HashMap<Uuid, Vec<RecordRef>>,
}

/// Where a GUID leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Lead {
    /// To a record; through an email activity when one was named. The note tells of every hop.
    Record { record: RecordRef, email: Option<Uuid>, note: String },
    /// To nothing that can carry an activity; the note says why.
    Nothing(String),
    /// To a record that is not here, or not clear, though one was named; the note says why.
    Gone(String),
}

/// Asks everything the decision over `readings` may need.
pub async fn gather(
    store: &Store,
    crm: &dyn Crm,
    rules: &Rules,
    readings: &[Reading],
) -> Result<Known, Fault> {
    let mut known = Known::default();
    gather_parents(store, readings, &mut known).await?;
    gather_microsoft(crm, readings, &mut known).await?;
    let mut wanted = guids(readings);
    let parents = known.parents.values().chain(known.conversations.values()).flatten();
    wanted.extend(parents.filter_map(|parent| parent.record.as_ref().map(|record| record.id)));
    let regarding = known.microsoft.values().flatten().filter_map(|email| email.lookup("regardingobjectid"));
    wanted.extend(regarding.map(|record| record.id));
    wanted.extend(rules.mailboxes.iter().flat_map(|mailbox| mailbox.tied().map(|record| record.id)));
    gather_records(crm, rules, wanted, &mut known).await?;
    let mut addresses: Vec<String> = readings.iter().flat_map(|reading| reading.header_addresses()).collect();
    addresses.extend(readings.iter().flat_map(Reading::recipients));
    addresses.extend(rules.mailboxes.iter().flat_map(|mailbox| mailbox.addresses.clone()));
    // Whom no configuration names the CRM may know as a queue: is an answer to it a forward to another one?
    let parents = known.parents.values().chain(known.conversations.values()).flatten();
    let unnamed =
        parents.filter(|parent| !parent.mailbox.is_empty() && rules.mailbox_named(&parent.mailbox).is_none());
    addresses.extend(unnamed.flat_map(|parent| parent.parties.iter().cloned()));
    addresses.retain(|address| address.contains('@'));
    addresses.sort_unstable();
    addresses.dedup();
    for hit in crm.find_addresses(&addresses).await? {
        known.people.entry(hit.address.clone()).or_default().push(hit);
    }
    policy::gather(crm, rules, &mut known).await?;
    gather_open(crm, readings, &mut known).await?;
    Ok(known)
}

/// The open records of the people that outgoing mail went to.
async fn gather_open(crm: &dyn Crm, readings: &[Reading], known: &mut Known) -> Result<(), Fault> {
    let outgoing = readings.iter().filter(|reading| reading.stored.direction == Direction::Outgoing);
    let customers: HashSet<RecordRef> =
        outgoing.filter_map(|reading| known.only_recipient(reading)).collect();
    if customers.is_empty() {
        return Ok(());
    }
    for table in ["incident", "opportunity"] {
        let customers = customers.iter().cloned().map(Value::Lookup).collect();
        let open = vec![Filter::In("customerid".into(), customers), Filter::eq("statecode", 0)];
        let query = CrmQuery::of(table).select(&["customerid"]).filter(Filter::All(open));
        for record in crm.query(&query).await? {
            if let Some(customer) = record.lookup("customerid") {
                known.open.entry(customer.id).or_default().push(record.at.clone());
            }
        }
    }
    Ok(())
}

/// Every GUID that a mail carries.
fn guids(readings: &[Reading]) -> HashSet<Uuid> {
    let of = |reading: &Reading| {
        let returned = reading.report.iter().flat_map(|report| &report.tokens);
        let tokens = reading.tokens.iter().chain(returned).map(|token| token.guid);
        let header = reading.header.iter().filter_map(|(_, guid)| *guid);
        let signed =
            reading.signed.iter().filter(|(_, _, kind, _)| *kind != Kind::Bounce).map(|(.., id)| *id);
        tokens.chain(header).chain(signed).collect::<Vec<_>>()
    };
    readings.iter().flat_map(of).collect()
}

async fn gather_parents(store: &Store, readings: &[Reading], known: &mut Known) -> Result<(), Fault> {
    let mut ids: Vec<String> =
        readings.iter().flat_map(|reading| reading.stored.references.clone()).collect();
    ids.extend(readings.iter().filter_map(|reading| reading.report.as_ref()?.message_id.clone()));
    // A mail's own id, to see whether another mail has used it.
    ids.extend(readings.iter().filter_map(|reading| reading.stored.header_id.clone()));
    let mut conversations: Vec<String> =
        readings.iter().filter_map(|reading| reading.stored.conversation.clone()).collect();
    for list in [&mut ids, &mut conversations] {
        list.sort_unstable();
        list.dedup();
    }
    let (by_id, by_conversation) = store
        .read(move |tx| {
            async move {
                let by_id = rows_in(tx, "header_id", &ids).await?;
                Ok::<_, postroom_store::Error>((by_id, rows_in(tx, "conversation", &conversations).await?))
            }
            .boxed()
        })
        .await
        .map_err(Fault::from)?;
    for (rows, map) in [(by_id, &mut known.parents), (by_conversation, &mut known.conversations)] {
        for row in rows {
            let (name, parent) = parent_of(&row)?;
            map.entry(name).or_default().push(parent);
        }
    }
    Ok(())
}

async fn rows_in(
    tx: &mut Tx,
    column: &'static str,
    values: &[String],
) -> Result<Vec<Row>, postroom_store::Error> {
    let mut found = Vec::new();
    for some in values.chunks(LIST) {
        found.extend(tx.query(&select_parents(column, some)).await?);
    }
    Ok(found)
}

fn select_parents(column: &'static str, values: &[String]) -> SelectStatement {
    Query::select()
        .columns([column, "id", "state", "record_table", "record_id", "activity_id", "mailbox", "parties"])
        .from("message")
        .and_where(Expr::col(column).is_in(values.iter().cloned()))
        .to_owned()
}

fn parent_of(row: &Row) -> Result<(String, Parent), Fault> {
    let read = || -> Result<(String, Parent), postroom_store::Error> {
        let state: String = row.at(2)?;
        let table: Option<String> = row.at(3)?;
        let record: Option<Uuid> = row.at(4)?;
        let parties: Option<String> = row.at(7)?;
        let parent = Parent {
            id: MailId(row.at(1)?),
            state: state.parse().unwrap_or(MailState::Received),
            record: table.zip(record).map(|(table, id)| RecordRef::new(table, id)),
            activity: row.at(5)?,
            mailbox: row.at(6)?,
            parties: parties.unwrap_or_default().split(' ').map(str::to_owned).collect(),
        };
        Ok((row.at(0)?, parent))
    };
    read().map_err(Fault::from)
}

async fn gather_microsoft(crm: &dyn Crm, readings: &[Reading], known: &mut Known) -> Result<(), Fault> {
    let tokens: HashSet<&String> = readings.iter().flat_map(|reading| &reading.microsoft).collect();
    if tokens.is_empty() {
        return Ok(());
    }
    let values = tokens.into_iter().map(|token| Value::text(token.as_str())).collect();
    let query = CrmQuery::of("email")
        .select(&["trackingtoken", "regardingobjectid", "createdon"])
        .filter(Filter::In("trackingtoken".into(), values))
        .order_by("createdon", true);
    for email in crm.query(&query).await? {
        let token = email.text("trackingtoken").unwrap_or_default().to_owned();
        known.microsoft.entry(token).or_default().push(email);
    }
    Ok(())
}

/// Finds the rows, then what merged rows, emails and qualified leads lead to.
pub async fn gather_records(
    crm: &dyn Crm,
    rules: &Rules,
    mut wanted: HashSet<Uuid>,
    known: &mut Known,
) -> Result<(), Fault> {
    let mut tables: Vec<&str> = rules.tables.iter().map(String::as_str).collect();
    tables.push("email");
    for _ in 0..HOPS {
        wanted.retain(|id| !known.records.contains_key(id));
        if wanted.is_empty() {
            break;
        }
        let ids: Vec<Uuid> = wanted.drain().collect();
        for record in crm.find(&tables, &ids).await? {
            let next = record.lookup("masterid").or_else(|| record.lookup("regardingobjectid"));
            wanted.extend(next.map(|next| next.id));
            known.records.entry(record.at.id).or_default().push(record);
        }
    }
    gather_qualified(crm, rules, known).await
}

async fn gather_qualified(crm: &dyn Crm, rules: &Rules, known: &mut Known) -> Result<(), Fault> {
    let column = match rules.qualified_lead {
        QualifiedLead::Lead => return Ok(()),
        QualifiedLead::Account => "parentaccountid",
        QualifiedLead::Contact => "parentcontactid",
        QualifiedLead::Opportunity => "qualifyingopportunityid",
    };
    let qualified = |record: &&Record| record.at.table == "lead" && record.int("statecode") == Some(1);
    let leads: Vec<Value> =
        known.records.values().flatten().filter(qualified).map(|lead| Value::Guid(lead.at.id)).collect();
    if leads.is_empty() {
        return Ok(());
    }
    let query = CrmQuery::of("lead").select(&[column]).filter(Filter::In("leadid".into(), leads));
    for lead in crm.query(&query).await? {
        if let Some(target) = lead.lookup(column) {
            known.qualified.insert(lead.at.id, target.clone());
        }
    }
    let mut tables: Vec<&str> = known.qualified.values().map(|target| target.table.as_str()).collect();
    tables.sort_unstable();
    tables.dedup();
    let mut ids: Vec<Uuid> = known.qualified.values().map(|target| target.id).collect();
    ids.sort_unstable();
    ids.dedup();
    if !ids.is_empty() {
        let rows = crm.find(&tables, &ids).await?;
        known.targets = rows.into_iter().map(|row| (row.at.id, row)).collect();
    }
    Ok(())
}

impl Known {
    /// Follows a GUID to the record that an activity may regard.
    pub fn follow(&self, id: Uuid) -> Lead {
        let mut note = String::new();
        let mut email = None;
        let mut at = id;
        for _ in 0..HOPS {
            let record = match self.records.get(&at).map(Vec::as_slice) {
                None | Some([]) => return Lead::Gone(format!("{note}names no record here")),
                Some([record]) => record,
                Some(several) => return Lead::Gone(format!("{note}names {} records", several.len())),
            };
            if let Some(master) = record.lookup("masterid") {
                note.push_str(&format!("{} was merged into {master}; ", record.at));
                at = master.id;
                continue;
            }
            if record.at.table == "email" {
                email = email.or(Some(record.at.id));
                let Some(regarding) = record.lookup("regardingobjectid") else {
                    return Lead::Nothing(format!("{note}names an e-mail that regards no record"));
                };
                note.push_str("through the e-mail it names; ");
                at = regarding.id;
                continue;
            }
            if let Some(target) = self.qualified.get(&record.at.id) {
                note.push_str(&format!("the lead was qualified, its mail goes to {target}; "));
                return Lead::Record { record: target.clone(), email, note };
            }
            return Lead::Record { record: record.at.clone(), email, note };
        }
        Lead::Gone(format!("{note}the chain of merged records does not end"))
    }

    /// The one person of the CRM that a mail went to, when there is exactly one.
    pub fn only_recipient(&self, reading: &Reading) -> Option<RecordRef> {
        let ours = |table: &str| matches!(table, "systemuser" | "queue");
        let mut people: Vec<&RecordRef> = Vec::new();
        for address in reading.recipients() {
            let hits = self.who(&address).iter().filter(|hit| hit.active && !ours(&hit.record.table));
            people.extend(hits.map(|hit| &hit.record));
        }
        people.sort_unstable();
        people.dedup();
        match people.as_slice() {
            [one] => Some((*one).clone()),
            _ => None,
        }
    }

    /// The only open record of a mail's only known recipient (design.md 4.3: the one case in which a person names one).
    pub fn only_open(&self, reading: &Reading) -> Option<&RecordRef> {
        let customer = self.only_recipient(reading)?;
        match self.open.get(&customer.id).map(Vec::as_slice) {
            Some([one]) => Some(one),
            _ => None,
        }
    }

    /// The owner of a record, when it was among those asked for.
    pub fn owner_of(&self, record: &RecordRef) -> Option<RecordRef> {
        let rows = self.records.get(&record.id).into_iter().flatten();
        let row = rows.chain(self.targets.get(&record.id)).find(|row| row.at == *record)?;
        row.lookup("ownerid").cloned()
    }

    /// Active people of one address, queues and users included.
    pub fn who(&self, normal: &str) -> &[AddressHit] {
        self.people.get(normal).map(Vec::as_slice).unwrap_or_default()
    }
}
