//! Selling: QualifyLead, CloseIncident, WinOpportunity, LoseOpportunity, InitializeFrom; [`merge`] has Merge
//! (dataverse.md C3).
//!
//! The closing activities of the platform (`incidentresolution`, `opportunityclose`) have no tables here: what they say of
//! the case or opportunity is written there, the rest is dropped.

pub(super) mod merge;

use postroom_core::{Change, Filter, Query, Record, RecordRef, Value};

use super::ask::{Ask, guid, member, table, unless_changed};
use super::{Parameter, Prepared, codes, refuse};
use crate::failure::Failure;

/// How an opportunity ends: its state, and the status when none is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    state: i64,
    status: i64,
}

pub(super) const WON: End = End { state: 1, status: 3 };
pub(super) const LOST: End = End { state: 2, status: 4 };

const OPEN: i64 = 0;
const QUALIFIED: i64 = 1;
const QUALIFIED_STATUS: i64 = 3;

/// Columns that the rows made of a row begin with, where their tables have them.
const CARRIED: &[&str] = &[
    "emailaddress1",
    "emailaddress2",
    "emailaddress3",
    "telephone1",
    "telephone2",
    "telephone3",
    "mobilephone",
    "fax",
    "websiteurl",
    "description",
    "address1_line1",
    "address1_line2",
    "address1_line3",
    "address1_city",
    "address1_postalcode",
    "address1_stateorprovince",
    "address1_country",
    "donotemail",
    "donotbulkemail",
    "donotphone",
    "donotfax",
    "donotpostalmail",
    "donotsendmm",
    "preferredcontactmethodcode",
    "transactioncurrencyid",
];
const OF_PERSON: &[&str] = &["firstname", "lastname", "middlename", "salutation", "jobtitle"];

/// QualifyLead: the account, contact and opportunity asked for, made of the lead; the lead is qualified.
pub(super) async fn qualify_lead(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let at = ask.target("LeadId", "lead")?;
    let mut columns = vec![
        "statecode",
        "versionnumber",
        "subject",
        "companyname",
        "parentaccountid",
        "parentcontactid",
        "ownerid",
    ];
    columns.extend(OF_PERSON.iter().chain(CARRIED));
    let table = table(ask.session, "lead").await?;
    columns.retain(|name| table.column(name).is_some());
    let lead = ask.row(&at, &columns).await?;
    let status = ask.int("Status")?.filter(|status| *status >= 0).unwrap_or(QUALIFIED_STATUS);
    if lead.int("statecode") != Some(OPEN) {
        return Err(refuse(codes::STATE, "The lead is already closed: only an open lead can be qualified."));
    }
    let wants = |name| ask.flag(name).map(|flag| flag.unwrap_or(false));
    let mut made: Vec<Record> = Vec::new();
    let mut account = lead.lookup("parentaccountid").cloned();
    let mut contact = lead.lookup("parentcontactid").cloned();
    if wants("CreateAccount")? && account.is_none() {
        let name = lead.text("companyname").or(lead.text("subject")).or(lead.text("lastname"));
        let row = carried(ask, &lead, "account", &[]).await?.with("name", name.map(str::to_owned));
        account = Some(row.at.clone());
        made.push(row);
    }
    if wants("CreateContact")? && contact.is_none() {
        let row = carried(ask, &lead, "contact", OF_PERSON).await?;
        let row = row.with("parentcustomerid", account.clone());
        contact = Some(row.at.clone());
        made.push(row);
    }
    if wants("CreateOpportunity")? {
        made.push(opportunity(ask, &lead, &account, &contact).await?);
    }
    let mut changed = Record::new(at.clone()).with("statecode", QUALIFIED).with("statuscode", status);
    if let Some(opportunity) = made.iter().find(|row| row.at.table == "opportunity") {
        changed = changed.with("qualifyingopportunityid", opportunity.at.clone());
    }
    changed = changed.with("parentaccountid", account).with("parentcontactid", contact);
    if let Some(campaign) = ask.reference("SourceCampaignId", Some("campaign"))? {
        changed = changed.with("campaignid", campaign);
    }
    let keys = made.iter().map(|row| Record::new(row.at.clone())).collect();
    let mut changes: Vec<Change> = made.into_iter().map(Change::CreateNew).collect();
    changes.push(unless_changed(&lead, ask.fitting(changed).await?));
    Ok(Prepared::of(changes, vec![("CreatedEntities", Parameter::Entities(keys))]))
}

/// A new row with what it shares with the one it is made of.
async fn carried(ask: &Ask<'_>, source: &Record, table: &str, more: &[&str]) -> Result<Record, Failure> {
    let mut row = Record::new(RecordRef::new(table, ask.ids.next()));
    for name in CARRIED.iter().chain(more) {
        if let Some(value) = source.get(name).filter(|value| **value != Value::Null) {
            row = row.with(*name, value.clone());
        }
    }
    if let Some(lead) = Some(&source.at).filter(|at| at.table == "lead") {
        row = row.with("originatingleadid", lead.clone());
    }
    let row = ask.fitting(row).await?;
    Ok(row)
}

async fn opportunity(
    ask: &Ask<'_>,
    lead: &Record,
    account: &Option<RecordRef>,
    contact: &Option<RecordRef>,
) -> Result<Record, Failure> {
    let customer = match ask.reference("OpportunityCustomerId", None)? {
        Some(customer) => Some(customer),
        None => account.clone().or(contact.clone()),
    };
    let mut row = Record::new(RecordRef::new("opportunity", ask.ids.next()))
        .with(
            "name",
            lead.text("subject").or(lead.text("companyname")).or(lead.text("lastname")).map(str::to_owned),
        )
        .with("originatingleadid", lead.at.clone())
        .with("customerid", customer)
        .with("parentaccountid", account.clone())
        .with("parentcontactid", contact.clone());
    if let Some(currency) = ask.reference("OpportunityCurrencyId", Some("transactioncurrency"))? {
        row = row.with("transactioncurrencyid", currency);
    }
    if let Some(campaign) = ask.reference("SourceCampaignId", Some("campaign"))? {
        row = row.with("campaignid", campaign);
    }
    ask.fitting(row).await
}

/// CloseIncident: the case is resolved.
pub(super) async fn close_incident(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let at = closed(ask, "IncidentResolution", "incidentid", "incident")?;
    let row = still_open(ask, &at).await?;
    let mut change = Record::new(at).with("statecode", 1);
    if let Some(status) = ask.int("Status")?.filter(|status| *status >= 0) {
        change = change.with("statuscode", status);
    }
    Ok(Prepared::of(vec![unless_changed(&row, change)], Vec::new()))
}

/// WinOpportunity, LoseOpportunity.
pub(super) async fn close_opportunity(ask: &Ask<'_>, end: End) -> Result<Prepared, Failure> {
    let at = closed(ask, "OpportunityClose", "opportunityid", "opportunity")?;
    let row = still_open(ask, &at).await?;
    let status = ask.int("Status")?.filter(|status| *status >= 0).unwrap_or(end.status);
    let activity = ask.need("OpportunityClose")?;
    let mut change = Record::new(at).with("statecode", end.state).with("statuscode", status);
    let ended = member(activity, "actualend").and_then(|value| time(&value));
    change = change.with("actualclosedate", ended.unwrap_or_else(|| ask.session.now()));
    if let Some(value) = member(activity, "actualrevenue").and_then(|value| decimal(&value)) {
        change = change.with("actualvalue", Value::Decimal(value));
    }
    Ok(Prepared::of(vec![unless_changed(&row, ask.fitting(change).await?)], Vec::new()))
}

/// The row that a closing activity names.
fn closed(ask: &Ask<'_>, name: &str, column: &str, table: &str) -> Result<RecordRef, Failure> {
    let activity = ask.need(name)?;
    let at = member(activity, column).and_then(|value| guid(&value));
    at.map(|id| RecordRef::new(table, id))
        .ok_or_else(|| ask.unfit(name, &format!("an activity with its {column}")))
}

async fn still_open(ask: &Ask<'_>, at: &RecordRef) -> Result<Record, Failure> {
    let row = ask.row(at, &["statecode", "versionnumber"]).await?;
    match row.int("statecode") {
        Some(OPEN) => Ok(row),
        _ => Err(refuse(codes::STATE, format!("The {} is already closed.", at.table))),
    }
}

fn time(value: &Parameter) -> Option<jiff::Timestamp> {
    match value {
        Parameter::Time(time) => Some(*time),
        Parameter::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn decimal(value: &Parameter) -> Option<String> {
    match value {
        Parameter::Decimal(text) | Parameter::Text(text) => Some(text.clone()),
        Parameter::Int(number) => Some(number.to_string()),
        Parameter::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

/// InitializeFrom: what a new row begins with. The maps are simple: the columns of [`CARRIED`] and of persons, and the
/// lookup that names the source.
pub(super) async fn initialize_from(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let source = ask.needed("EntityMoniker", None)?;
    ask.need("TargetEntityName")?;
    let target = ask.text("TargetEntityName")?.unwrap_or_default();
    let from = table(ask.session, &source.table).await?;
    let to = table(ask.session, target).await?;
    let shared: Vec<&str> = CARRIED
        .iter()
        .chain(OF_PERSON)
        .copied()
        .filter(|name| from.column(name).is_some() && to.column(name).is_some_and(|column| !column.read_only))
        .collect();
    let key = from.primary_key.clone();
    let query = Query::of(&source.table).select(&shared).filter(Filter::eq(key, source.id));
    let row = ask.session.all(query).await?.pop();
    let row = row.ok_or_else(|| crate::rules::Refusal::NotFound(source.clone()))?;
    let mut made = Record::new(RecordRef::new(target, uuid::Uuid::nil()));
    made.columns = row.columns.into_iter().filter(|(_, value)| *value != Value::Null).collect();
    let schema = ask.session.crm().schema().await?;
    for name in
        ["parentcustomerid", "customerid", "originatingleadid", "regardingobjectid", "primarycontactid"]
    {
        let column = to.column(name).filter(|column| !column.read_only);
        if column.is_some_and(|column| schema.allows(&column.targets, &from)) {
            made = made.with(name, source.clone());
            break;
        }
    }
    Ok(Prepared::answer(vec![("Entity", Parameter::Entity(made))]))
}
