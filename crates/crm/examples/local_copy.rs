//! Keeps a table of a CRM in a local table, as the marketing half does: the client that `cargo xtask bench crm` measures.
//!
//! One job in JSON on the first line of stdin, one line of JSON on stdout when it is done. Then it waits until stdin ends, so
//! that whoever started it can read from /proc what it took. It is no part of the product: settings come as they are.

use std::io::{BufRead as _, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use postroom_core::{
    Change, ChangeSet, ChangesAsk, Clock, Code, ColumnName, Content, Crm, Fault, Ids, Query, Record,
    RecordRef, Secret, Value,
};
use postroom_crm::sign_in::{Bearer, Connection, Token};
use postroom_crm::soap::{self, Soap};
use postroom_crm::webapi::{Bodies, Settings, WebApi};
use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{self, ColumnDef, Expr, ExprTrait};
use postroom_store::{Error, Insert, Options, Store};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is to be done.
#[derive(Deserialize)]
struct Job {
    make: Make,
    url: String,
    token: String,
    /// Where the local table is: `sqlite:///PATH`.
    store: String,
    columns: Vec<String>,
    page: u32,
    work: Work,
}

/// Which make of the port.
#[derive(Clone, Copy, Deserialize)]
enum Make {
    #[serde(rename = "Web API")]
    WebApi,
    #[serde(rename = "SOAP")]
    Soap,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    /// Every row through pages, into a new local table.
    Read,
    /// The same without the local table.
    Look,
    /// A run through the changes since a token; without one, every row.
    Changes { since: Option<String> },
    /// New contacts, so many in a call of the port.
    Write { from: u64, to: u64, lot: u64 },
}

/// What was done.
#[derive(Default, Serialize)]
struct Done {
    rows: u64,
    gone: u64,
    calls: u64,
    seconds: f64,
    /// Where the next run through changes begins.
    token: Option<String>,
}

/// The one token, asked for once a request: that counts them.
struct Counted {
    token: Secret,
    calls: AtomicU64,
}

#[async_trait]
impl Token for Counted {
    async fn bearer(&self) -> Result<Secret, Fault> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(self.token.clone())
    }
}

/// No row here refers to a body.
struct NoBodies;

#[async_trait]
impl Bodies for NoBodies {
    async fn read(&self, _: &Content) -> Result<Bytes, Fault> {
        Err(Fault::reject(Code::CRM_REFUSED, "there are no bodies here"))
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the answer to the program that started this one")]
async fn main() -> Result<(), Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line)?;
    println!("{}", serde_json::to_string(&run(&job).await?)?);
    std::io::stdin().lock().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn run(job: &Job) -> Result<Done, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let token = Arc::new(Counted { token: Secret::new(job.token.clone()), calls: AtomicU64::new(0) });
    let http = Connection::default().client()?;
    let transport = Arc::new(Bearer::new(http, Arc::clone(&token) as Arc<dyn Token>));
    let (clock, ids) = (Clock::system(), Ids::random());
    let crm: Box<dyn Crm> = match job.make {
        Make::WebApi => {
            Box::new(WebApi::new(Settings::new(&job.url)?, transport, Arc::new(NoBodies), clock, ids))
        }
        Make::Soap => {
            Box::new(Soap::new(soap::Settings::new(&job.url)?, transport, Arc::new(NoBodies), clock, ids))
        }
    };
    let crm = crm.as_ref();
    let start = Instant::now();
    let mut done = match &job.work {
        Work::Read => read(crm, job, Some(&Copy::open(job).await?)).await?,
        Work::Look => read(crm, job, None).await?,
        Work::Changes { since } => changes(crm, job, since.clone()).await?,
        Work::Write { from, to, lot } => write(crm, *from, *to, *lot).await?,
    };
    done.seconds = start.elapsed().as_secs_f64();
    done.calls = token.calls.load(Ordering::Relaxed);
    Ok(done)
}

/// Every row through pages; the next page is asked for while one is written.
async fn read(crm: &dyn Crm, job: &Job, copy: Option<&Copy>) -> Result<Done, Failure> {
    let mut wanted: Vec<&str> = job.columns.iter().map(String::as_str).collect();
    wanted.push(VERSION);
    let query = Query::of("contact").select(&wanted);
    let mut done = Done::default();
    let mut page = crm.page(&query, job.page, None).await?;
    loop {
        done.rows += page.records.len() as u64;
        let keep = async {
            match copy {
                Some(copy) => copy.put(page.records, false).await,
                None => Ok(()),
            }
        };
        let next = async {
            match &page.next {
                Some(next) => crm.page(&query, job.page, Some(next)).await.map(Some),
                None => Ok(None),
            }
        };
        let (kept, next) = tokio::join!(keep, next);
        kept?;
        match next? {
            Some(next) => page = next,
            None => return Ok(done),
        }
    }
}

async fn changes(crm: &dyn Crm, job: &Job, mut since: Option<String>) -> Result<Done, Failure> {
    let copy = Copy::open(job).await?;
    let columns = Some(job.columns.iter().cloned().chain([VERSION.to_owned()]).collect());
    let mut ask = ChangesAsk { table: "contact".into(), columns, since: None, size: job.page };
    let mut done = Done::default();
    loop {
        ask.since = since;
        let part = crm.changes(&ask).await?;
        done.rows += part.records.len() as u64;
        done.gone += part.gone.len() as u64;
        copy.put(part.records, true).await?;
        copy.forget(part.gone).await?;
        since = Some(part.token);
        if !part.more {
            done.token = since;
            return Ok(done);
        }
    }
}

/// New contacts, each by itself; the port puts them into as few messages as the server takes.
async fn write(crm: &dyn Crm, from: u64, to: u64, lot: u64) -> Result<Done, Failure> {
    let mut done = Done::default();
    for first in (from..to).step_by(usize::try_from(lot)?) {
        let set = |number| Ok(ChangeSet { changes: vec![Change::Create(contact(number)?)] });
        let sets = (first..Ord::min(to, first + lot)).map(set).collect::<Result<Vec<_>, Failure>>()?;
        for answer in crm.apply(sets).await {
            answer?;
            done.rows += 1;
        }
    }
    Ok(done)
}

/// Contact `number`. `xtask/src/bench/crm/people.rs` says the same of id and address.
fn contact(number: u64) -> Result<Record, Failure> {
    let spread = u32::try_from(number)?.wrapping_mul(2_654_435_761);
    let id: Uuid = format!("{spread:08x}-0000-4000-8000-{number:012x}").parse()?;
    let account: Uuid = format!("d9000000-0000-4000-8000-{:012x}", number % 100).parse()?;
    let born: jiff::Timestamp =
        format!("19{:02}-{:02}-{:02}T00:00:00Z", number % 100, number % 12 + 1, number % 28 + 1).parse()?;
    let title = ["Buyer", "Engineer", "Head of sales", "Accountant", "Director"][(number % 5) as usize];
    Ok(Record::new(RecordRef::new("contact", id))
        .with("firstname", format!("Anna{}", number % 977))
        .with("lastname", format!("Köhler-{number}"))
        .with("emailaddress1", format!("person{number}@customer.example"))
        .with("telephone1", format!("+49 30 {:07}", number % 10_000_000))
        .with("mobilephone", format!("+49 171 {:07}", number * 7 % 10_000_000))
        .with("jobtitle", title)
        .with("department", format!("Department {}", number % 40))
        .with("address1_line1", format!("Lindenstraße {}", number % 300))
        .with("address1_city", format!("City {}", number % 2000))
        .with("address1_postalcode", format!("{:05}", number % 99_999))
        .with("address1_country", "Deutschland")
        .with("birthdate", born)
        .with("gendercode", (number % 2 + 1) as i64)
        .with("donotbulkemail", number.is_multiple_of(10))
        .with("parentcustomerid", RecordRef::new("account", account)))
}

const VERSION: &str = "versionnumber";
const TABLE: &str = "local_contact";

/// The local table: the id, the columns, the version.
struct Copy {
    store: Store,
    columns: Vec<String>,
}

impl Copy {
    async fn open(job: &Job) -> Result<Copy, Failure> {
        let none: &[Migration] = &[];
        let store =
            Store::open(&job.store, &Options { readers: 1, connections: 2, ..Options::default() }, &[none])
                .await?;
        let mut columns = job.columns.clone();
        columns.push(VERSION.to_owned());
        let mut table = sql::Table::create();
        table.table(TABLE).if_not_exists().col(ColumnDef::new("id").uuid().not_null().primary_key());
        for name in &columns {
            let mut column = ColumnDef::new(name.clone());
            match name.as_str() {
                VERSION | "statecode" | "statuscode" | "gendercode" | "modifiedon" | "birthdate" => {
                    column.big_integer()
                }
                "donotbulkemail" => column.boolean(),
                "parentcustomerid" | "ownerid" => column.uuid(),
                _ => column.text(),
            };
            table.col(column);
        }
        let ddl = Ddl::CreateTable(table);
        let made: Result<(), Error> =
            store.write("local_copy.make", move |tx| async move { tx.shape(&ddl).await }.boxed()).await;
        made?;
        Ok(Copy { store, columns })
    }

    /// Writes rows in one unit; `known` ones are replaced.
    async fn put(&self, records: Vec<Record>, known: bool) -> Result<(), Failure> {
        if records.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = std::iter::once("id").chain(self.columns.iter().map(String::as_str)).collect();
        let mut insert = Insert::into(TABLE, &names);
        if known {
            insert = insert.or_replace("id");
        }
        for record in records {
            // The columns come in the order in which they were asked for.
            insert.row(std::iter::once(record.at.id.into()).chain(record.columns.into_iter().map(cell)));
        }
        let put: Result<u64, Error> = self
            .store
            .write("local_copy.put", move |tx| async move { tx.insert(&insert).await }.boxed())
            .await;
        Ok(put.map(drop)?)
    }

    async fn forget(&self, ids: Vec<Uuid>) -> Result<(), Failure> {
        for ids in ids.chunks(500) {
            let delete = sql::Query::delete()
                .from_table(TABLE)
                .and_where(Expr::col("id").is_in(ids.to_vec()))
                .to_owned();
            let gone: Result<u64, Error> = self
                .store
                .write("local_copy.forget", move |tx| async move { tx.execute(&delete).await }.boxed())
                .await;
            gone?;
        }
        Ok(())
    }
}

fn cell((_, value): (ColumnName, Value)) -> sql::Value {
    match value {
        Value::Null => sql::Value::String(None),
        Value::Bool(value) => value.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Decimal(text) | Value::Text(text) => text.into(),
        Value::Guid(id) => id.into(),
        Value::Time(time) => time.as_microsecond().into(),
        Value::Lookup(at) => at.id.into(),
        Value::Content(content) => content.handle().into(),
    }
}
