//! Mails to many, each filled from a template: SendBulkMail as a system job, SendTemplate at once (dataverse.md B6; protocol
//! annex 8.1).
//!
//! Each recipient gets a mail of his own, which waits to be sent as any other. The job's row is durable before the first
//! mail, with all that the job needs in it; a mail's id follows from the job's and the recipient's, so that a job that is
//! taken up again makes no mail twice. Who has no address or wants no mails gets none; the job says how many these were.

use postroom_core::query::Comparison;
use postroom_core::{Change, ChangeSet, Crm, Fault, Filter, Ids, Query, Record, RecordRef, Value};
use postroom_formats::fetchxml::{self, Fetch};
use serde_json::json;
use uuid::Uuid;

use super::ask::{Ask, table};
use super::system_job::{self, Order};
use super::{Message, Parameter, Prepared, codes, mail, refuse, template, tracking};
use crate::Embedded;
use crate::failure::Failure;
use crate::rules::defaults::main_address;
use crate::session::{Session, Start, Window};

/// `operationtype`: *Bulk Email*.
const OPERATION: i64 = 2;
/// Mails made before the answer.
const INLINE: usize = 500;
/// Recipients looked at in one go.
const LOT: u64 = 100;
/// Recipients of one SendTemplate.
const AT_ONCE: usize = 1000;
/// Columns that say that somebody wants no mails.
const REFUSALS: [&str; 2] = ["donotemail", "donotbulkemail"];

/// What all mails have in common.
#[derive(Debug, Clone)]
struct Mailing {
    template: RecordRef,
    sender: RecordRef,
    regarding: Option<RecordRef>,
}

/// One job.
#[derive(Clone)]
struct Job {
    session: Session,
    at: RecordRef,
    mailing: Mailing,
    query: Query,
}

/// How far a job is.
#[derive(Default)]
struct Tally {
    made: usize,
    left_out: usize,
    refused: usize,
    /// Why the first one was refused.
    why: Option<String>,
    /// The sort keys of the last row looked at.
    after: Option<Vec<Value>>,
}

impl Mailing {
    async fn read(ask: &Ask<'_>) -> Result<Self, Failure> {
        let template = ask.needed("TemplateId", Some("template"))?;
        let sender = ask.needed("Sender", None)?;
        mail::check_name(ask, Some(&sender)).await?;
        let column = main_address(&sender.table).unwrap_or_default();
        if ask.row(&sender, &[column]).await?.text(column).is_none() {
            let text = "The sender of the e-mail has no e-mail address.";
            return Err(refuse(codes::SENDER_WITHOUT_ADDRESS, text));
        }
        ask.row(&template, &[]).await?;
        let kind = ask.text("RegardingType")?.map(str::to_owned);
        let regarding = match ask.reference("Regarding", None)? {
            Some(at) => Some(at),
            None => ask.reference("RegardingId", kind.as_deref())?,
        };
        let regarding = match regarding {
            Some(at) if taken(ask, &at).await? => Some(at),
            _ => None,
        };
        Ok(Mailing { template, sender, regarding })
    }

    /// The mail to one recipient, ready to be sent.
    async fn mail(&self, ask: &Ask<'_>, id: Uuid, to: &RecordRef) -> Result<Vec<Change>, Failure> {
        let text = template::filled(ask, &self.template, to).await?;
        let settings = tracking::Settings::read(ask).await?;
        let token = if settings.enabled { tracking::make(ask, &settings).await? } else { String::new() };
        let at = RecordRef::new("email", id);
        let mut email = mail::sent(&at, &tracking::stamped(&text.subject, &token), &token, true)
            .with("description", text.body);
        if let Some(regarding) = &self.regarding {
            email = email.with("regardingobjectid", regarding.clone());
        }
        let party = |role: i64, who: &RecordRef| {
            let own = Uuid::new_v5(&id, &role.to_be_bytes());
            let row = Record::new(RecordRef::new("activityparty", own)).with("activityid", at.clone());
            Change::Create(row.with("participationtypemask", role).with("partyid", who.clone()))
        };
        Ok(vec![Change::Create(email), party(mail::FROM, &self.sender), party(mail::TO, to)])
    }
}

/// Whether an e-mail can be about such a row. The platform's own samples name a user here, about whom no e-mail is.
async fn taken(ask: &Ask<'_>, regarding: &RecordRef) -> Result<bool, Failure> {
    let schema = ask.session.crm().schema().await?;
    let target = schema.table(&regarding.table)?;
    let column = schema.table("email")?.column("regardingobjectid");
    Ok(column.is_some_and(|column| schema.allows(&column.targets, target)))
}

/// SendTemplate: to each of a few.
pub(super) async fn to_few(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let mailing = Mailing::read(ask).await?;
    let recipients = match ask.get("Recipients") {
        Some(_) => ask.references("Recipients", None)?,
        None => {
            ask.need("RecipientType")?;
            ask.references("RecipientIds", ask.text("RecipientType")?)?
        }
    };
    if recipients.is_empty() {
        let text = "The e-mail must have at least one recipient before it can be sent";
        return Err(refuse(codes::NO_RECIPIENT, text));
    }
    if recipients.len() > AT_ONCE {
        return Err(ask.unfit("Recipients", "at most 1000 rows; SendBulkMail sends to more"));
    }
    let mut changes = Vec::new();
    for to in &recipients {
        let party = Record::new(RecordRef::new("activityparty", Uuid::nil()))
            .with("participationtypemask", mail::TO)
            .with("partyid", to.clone());
        mail::check_given(ask, &[party]).await?;
        changes.extend(mailing.mail(ask, ask.ids.next(), to).await?);
    }
    Ok(Prepared::of(changes, Vec::new()))
}

/// SendBulkMail: to every row of a query.
pub(super) async fn to_many(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let mailing = Mailing::read(ask).await?;
    let wrong =
        || ask.unfit("Query", "a query of rows that have an e-mail address: contacts, accounts, leads");
    let Parameter::Query(query) = ask.need("Query")? else { return Err(wrong()) };
    let address = main_address(&query.table).filter(|_| !query.computes()).ok_or_else(wrong)?;
    let known = table(ask.session, &query.table).await?;
    let columns = [address].into_iter().chain(REFUSALS).filter(|name| known.column(name).is_some());
    // Who comes after the job began is not its business.
    let there = Filter::Compare("createdon".into(), Comparison::Le, Value::Time(ask.session.now()));
    let filter = match &query.filter {
        Filter::All(parts) if parts.is_empty() => there,
        own => Filter::All(vec![own.clone(), there]),
    };
    let query = Query {
        columns: Some(columns.map(str::to_owned).collect()),
        filter,
        order: Vec::new(),
        distinct: false,
        ..(**query).clone()
    };
    let data = written(&mailing, &query)?;
    let order = Order { name: "Bulk E-mail", operation: OPERATION, table: &query.table, data };
    let at = system_job::begin(ask, order).await?;
    let job = Job { session: ask.session.clone(), at: at.clone(), mailing, query };
    let mut tally = Tally::default();
    match job.step(&mut tally, INLINE).await {
        Ok(false) => system_job::behind(&at, job.rest(tally)),
        done => job.close(&tally, done).await?,
    }
    Ok(Prepared::default())
}

/// What a process that takes a job up needs.
fn written(mailing: &Mailing, query: &Query) -> Result<String, Failure> {
    let xml = fetchxml::write(&Fetch::of(query.clone()));
    let xml = xml.map_err(|error| refuse(codes::INVALID_ARGUMENT, error.to_string()))?;
    let named = |at: &RecordRef| json!([at.table, at.id]);
    Ok(json!({"query": xml, "template": mailing.template.id, "sender": named(&mailing.sender),
        "regarding": mailing.regarding.as_ref().map(named)})
    .to_string())
}

impl Job {
    fn read(session: Session, at: RecordRef, text: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let named = |value: &serde_json::Value| {
            Some(RecordRef::new(value[0].as_str()?, value[1].as_str()?.parse().ok()?))
        };
        let mailing = Mailing {
            template: RecordRef::new("template", json["template"].as_str()?.parse().ok()?),
            sender: named(&json["sender"])?,
            regarding: named(&json["regarding"]),
        };
        let query = fetchxml::parse(json["query"].as_str()?).ok()?.query;
        Some(Job { session, at, mailing, query })
    }

    /// Everything that is left, and the end.
    async fn rest(self, mut tally: Tally) -> Result<(), Failure> {
        let done = self.step(&mut tally, usize::MAX).await;
        self.close(&tally, done).await
    }

    /// Looks at about `most` recipients more; true when none are left.
    async fn step(&self, tally: &mut Tally, most: usize) -> Result<bool, Failure> {
        let message = Message { name: "SendBulkMail".to_owned(), target: None, parameters: Vec::new() };
        let ids = Ids::random();
        let ask = Ask { session: &self.session, ids: &ids, message: &message };
        let mut looked = 0;
        while looked < most {
            let start = tally.after.clone().map_or(Start::First, Start::After);
            let window = Window { size: Some(LOT), start };
            let page = self.session.page(self.query.clone(), window, false).await?;
            looked += page.records.len();
            self.send(&ask, &page.records, tally).await?;
            tally.after = Some(page.last);
            if !page.more {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn send(&self, ask: &Ask<'_>, rows: &[Record], tally: &mut Tally) -> Result<(), Failure> {
        let id = |row: &Record| Uuid::new_v5(&self.at.id, row.at.id.as_bytes());
        let ids: Vec<Uuid> = rows.iter().map(id).collect();
        let made = Crm::find(self.session.crm(), &["email"], &ids).await?;
        let mut sets = Vec::new();
        for row in rows {
            if made.iter().any(|mail| mail.at.id == id(row)) {
                tally.made += 1;
                continue;
            }
            if !wants(row) {
                tally.left_out += 1;
                continue;
            }
            match self.mailing.mail(ask, id(row), &row.at).await {
                Ok(changes) => sets.push(ChangeSet { changes }),
                Err(error) => tally.refuse(error),
            }
        }
        for done in self.session.apply(sets).await {
            match done {
                Ok(_) => tally.made += 1,
                Err(error) => tally.refuse(error),
            }
        }
        Ok(())
    }

    async fn close(&self, tally: &Tally, done: Result<bool, Failure>) -> Result<(), Failure> {
        let why = match done {
            Ok(_) => tally.why.clone(),
            Err(error) => Some(Fault::from(error).message),
        };
        let mut text = format!(
            "{} e-mails wait to be sent; {} recipients have no address or want none.",
            tally.made, tally.left_out
        );
        if let Some(why) = &why {
            text.push_str(&format!(" {} could not be made: {why}", tally.refused));
        }
        system_job::end(&self.session, &self.at, &text, why.as_deref()).await
    }
}

impl Tally {
    fn refuse(&mut self, error: Failure) {
        self.refused += 1;
        self.why.get_or_insert_with(|| Fault::from(error).message);
    }
}

/// Whether somebody can get mails and has not said that he wants none.
fn wants(row: &Record) -> bool {
    let address = main_address(&row.at.table).and_then(|column| row.text(column));
    let refused = REFUSALS.iter().any(|name| row.get(name).and_then(Value::as_bool) == Some(true));
    address.is_some_and(|address| !address.is_empty()) && !refused
}

/// Takes up the jobs that an ended process left behind; answers how many there were.
pub(super) async fn resume(crm: &Embedded) -> Result<usize, Failure> {
    let jobs = system_job::left_behind(crm, OPERATION).await?;
    let count = jobs.len();
    for (session, at, data) in jobs {
        match data.and_then(|text| Job::read(session.clone(), at.clone(), &text)) {
            Some(job) => job.rest(Tally::default()).await?,
            None => {
                let why = "the job cannot be read";
                system_job::end(&session, &at, why, Some(why)).await?;
            }
        }
    }
    Ok(count)
}
