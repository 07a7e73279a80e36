//! A CRM with Anna and a case in it, two mailboxes, and a clock that the test turns.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::mail::Authentication;
use postroom_core::{
    Accepted, BodyHash, Change, ChangeSet, Clock, Crm, Direction, Envelope, Filter, Ids, Inbox, Incoming,
    MailId, MailState, Query, Record, RecordRef, Source, Value,
};
use postroom_embedded::Embedded;
use postroom_jobs::{self as jobs, Runner};
use postroom_store::sql::{self, Expr, SelectStatement};
use postroom_store::{Error, Options, Row, Store, body};
use postroom_testkit::database::Database;
use postroom_tracking::filing::Filing;
use postroom_tracking::intake::Intake;
use postroom_tracking::messages::{self, Detail};
use postroom_tracking::privacy::Bodies;
use postroom_tracking::privacy::erasing::Erasing;
use postroom_tracking::privacy::purging::Purging;
use postroom_tracking::rules::{Mailbox, Rules, Track};
use postroom_tracking::verify;
use uuid::Uuid;

use crate::sending::bench::{On, installed};

pub const ANNA: &str = "anna@customer.example";
pub const BEN: &str = "ben@customer.example";
pub const DESK: &str = "desk@ours.example";
/// Tracks nothing.
pub const CLOSED: &str = "closed@ours.example";
pub const CASE: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_000000000011);
const INSTALLATION: Uuid = Uuid::from_u128(78);
/// What only Anna's mails say.
pub const SECRET: &str = "the key lies under the mat";
/// How long the body of a mail that is not tracked is kept here.
pub const KEEP: SignedDuration = SignedDuration::from_hours(72);

pub struct Bench {
    pub crm: Embedded,
    pub store: Store,
    pub clock: Clock,
    pub ids: Ids,
    pub filing: Filing,
    _database: Database,
}

impl Bench {
    /// On a database of the same kind that is installed already.
    pub async fn on(database: Database) -> Bench {
        let kind = if database.is_sqlite() { On::Sqlite } else { On::Postgres };
        let database = installed(kind).await;
        let clock = Clock::manual("2026-11-02T08:00:00Z".parse::<Timestamp>().unwrap());
        let bench = Bench::at(database, clock).await;
        bench.furnish().await;
        bench
    }

    /// On a database that may have been used before.
    pub async fn at(database: Database, clock: Clock) -> Bench {
        let areas = [jobs::MIGRATIONS, postroom_tracking::MIGRATIONS, postroom_embedded::MIGRATIONS];
        let store = Store::open(&database.url, &Options::default(), &areas).await.unwrap();
        let crm = Embedded::open(store.clone(), clock.clone()).await.unwrap();
        let ids = Ids::random();
        let mut rules = Rules::new(INSTALLATION);
        let mailbox = |name: &str, address: &str| Mailbox {
            name: name.into(),
            addresses: vec![address.into()],
            ..Mailbox::default()
        };
        rules.mailboxes =
            vec![mailbox("desk", DESK), Mailbox { track: Track::None, ..mailbox("closed", CLOSED) }];
        let filing = Filing {
            store: store.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            crm: Arc::new(crm.clone()),
            rules: Arc::new(rules),
            signer: None,
            directory: None,
        };
        Bench { crm, store, clock, ids, filing, _database: database }
    }

    pub async fn furnish(&self) {
        let contact = |number, name: &str, address: &str| {
            let row = Record::new(RecordRef::new("contact", Uuid::from_u128(number))).with("lastname", name);
            Change::Upsert(row.with("emailaddress1", address))
        };
        let case = Record::new(RecordRef::new("incident", CASE))
            .with("title", "Pump")
            .with("customerid", Value::lookup("contact", Uuid::from_u128(0xa11a)));
        self.apply(vec![contact(0xa11a, "Adler", ANNA), contact(0xbe11, "Berg", BEN), Change::Upsert(case)])
            .await;
    }

    pub async fn apply(&self, changes: Vec<Change>) {
        self.crm.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
    }

    pub fn purging(&self) -> Purging {
        Purging {
            store: self.store.clone(),
            clock: self.clock.clone(),
            keep: KEEP,
            holders: Arc::new([Arc::new(Bodies), Arc::new(self.crm.clone())]),
        }
    }

    pub fn erasing(&self) -> Erasing {
        self.erasing_in(Arc::new(self.crm.clone()))
    }

    /// With another CRM in front.
    pub fn erasing_in(&self, crm: Arc<dyn Crm>) -> Erasing {
        Erasing {
            store: self.store.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            crm,
            installation: INSTALLATION,
            holders: self.purging().holders,
        }
    }

    /// A mail is taken in by a door, and not filed yet.
    pub async fn taken(&self, mailbox: &str, envelope: Envelope, raw: &str) -> Accepted {
        let intake = Intake::new(self.store.clone(), self.clock.clone(), self.ids.clone());
        let incoming = Incoming {
            source: Source::Smtp,
            direction: Direction::Incoming,
            mailbox: Some(mailbox.into()),
            folder: None,
            envelope,
            source_id: None,
            peer: Some("192.0.2.7".into()),
            authentication: Authentication::Unknown,
            received_at: self.clock.now(),
            raw: Bytes::from(raw.replace('\n', "\r\n")),
        };
        intake.accept(incoming).await.unwrap()
    }

    /// A mail comes in and is filed.
    pub async fn mail(&self, mailbox: &str, raw: &str) -> MailId {
        let id = self.taken(mailbox, Envelope::default(), raw).await.id;
        self.file().await;
        id
    }

    pub async fn file(&self) {
        let options = jobs::Options {
            poll: Duration::from_millis(20),
            ..jobs::Options::with_lease(Duration::from_secs(2))
        };
        let workers: Vec<Arc<dyn jobs::Worker>> = vec![Arc::new(self.filing.clone())];
        let (store, clock, ids) = (self.store.clone(), self.clock.clone(), self.ids.clone());
        Runner::new(store, clock, ids, workers, options).drain_due().await.unwrap();
    }

    pub async fn detail(&self, id: MailId) -> Detail {
        messages::show(&self.store, id).await.unwrap().expect("the mail is there")
    }

    pub async fn state(&self, id: MailId) -> MailState {
        self.detail(id).await.message.state
    }

    pub async fn raw(&self, id: MailId) -> String {
        let hash = self.detail(id).await.message.body;
        let raw = body::get(&self.store, vec![hash]).await.unwrap().remove(0);
        String::from_utf8(raw).unwrap().replace("\r\n", "\n")
    }

    pub async fn rows(&self, select: SelectStatement) -> Vec<Row> {
        let rows = self.store.read(move |tx| async move { tx.query(&select).await }.boxed()).await;
        rows.map_err(|error: Error| error).unwrap()
    }

    pub async fn count(&self, table: &'static str) -> u64 {
        let select = sql::Query::select().expr(Expr::cust("count(*)")).from(table).to_owned();
        self.rows(select).await[0].at(0).unwrap()
    }

    /// How many stored bodies contain this.
    pub async fn bodies_with(&self, text: &str) -> usize {
        let all = self.rows(sql::Query::select().column("hash").from("body").to_owned()).await;
        let hashes: Vec<BodyHash> = all.iter().map(|row| row.at(0).unwrap()).collect();
        let bodies = body::get(&self.store, hashes).await.unwrap();
        bodies.iter().filter(|body| String::from_utf8_lossy(body).contains(text)).count()
    }

    /// How many of our own rows contain this in a text.
    pub async fn texts_with(&self, text: &str) -> usize {
        let columns: [(&str, &[&str]); 7] = [
            (
                "message",
                &[
                    "subject",
                    "from_address",
                    "from_name",
                    "reason",
                    "flags",
                    "parties",
                    "header_id",
                    "header_text",
                ],
            ),
            ("sighting", &["recipients", "envelope_from", "peer"]),
            ("decision", &["body"]),
            ("message_ref", &["ref"]),
            ("outgoing", &["subject", "reason", "reverse_path", "header_id"]),
            ("outgoing_recipient", &["address", "text"]),
            ("erasure", &["receipt"]),
        ];
        let mut count = 0;
        for (table, columns) in columns {
            for column in columns {
                let rows = self.rows(sql::Query::select().column(*column).from(table).to_owned()).await;
                let texts = rows.iter().filter_map(|row| row.at::<Option<String>>(0).unwrap());
                count += texts.filter(|found| found.contains(text)).count();
            }
        }
        count
    }

    /// One e-mail of the CRM.
    pub async fn email(&self, id: Uuid) -> Record {
        let query = Query::of("email").filter(Filter::eq("activityid", id));
        self.crm.query(&query).await.unwrap().pop().expect("the e-mail is there")
    }

    pub async fn attachments(&self, email: Uuid) -> Vec<Record> {
        let of = Filter::eq("objectid", Value::lookup("email", email));
        self.crm.query(&Query::of("activitymimeattachment").filter(of)).await.unwrap()
    }

    pub async fn balances(&self) {
        let books = verify::verify(&self.store, &self.crm, INSTALLATION).await.unwrap();
        assert!(books.balance(), "{books:?}");
    }
}

/// A mail with a file, named by `name`.
pub fn letter(name: &str, from: &str, head: &str, subject: &str, text: &str) -> String {
    format!(
        "From: Somebody <{from}>\nTo: {DESK}\n{head}Message-ID: <{name}@customer.example>\nDate: Mon, 2 Nov 2026 08:00:00 +0000\n\
         Subject: {subject}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\n{text}\n--b\nContent-Type: text/x-notes; name=note.txt\n\
         Content-Disposition: attachment\n\nnote: {text}\n--b--\n"
    )
}

/// A subject that names the case.
pub fn about_the_case(subject: &str) -> String {
    format!("{subject} CRM: {{{CASE}}}:MRC")
}
