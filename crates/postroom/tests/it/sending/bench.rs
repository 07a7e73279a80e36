//! A CRM with people in it, an outgoing connector, and a clock that the test turns.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use postroom_core::mail::Authentication;
use postroom_core::{
    Change, ChangeSet, Clock, Content, Crm, Direction, Envelope, Filter, Ids, Inbox, Incoming, MailSender,
    MailState, Outgoing, Query, Record, RecordRef, Source, Value,
};
use postroom_embedded::Embedded;
use postroom_formats::mime::{Limits, Mail};
use postroom_jobs::{self as jobs, Runner, Worker};
use postroom_store::{Options, Store};
use postroom_testkit::database::{Database, Template};
use postroom_tracking::filing::Filing;
use postroom_tracking::intake::Intake;
use postroom_tracking::rules::{Mailbox, Rules};
use postroom_tracking::sending::{self, Entry, Sending, verbs};
use postroom_tracking::token::{Key, Signer};
use uuid::Uuid;

use super::server::Server;

pub const SALES: &str = "sales@crm.example";
pub const CASE: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_000000000001);
pub const ANNA: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_000000000002);
pub const BEN: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_000000000003);
pub const SHY: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_000000000004);
pub const QUEUE: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_000000000005);
pub const EVA: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_000000000006);
/// The installation that the signed ids are bound to.
pub const INSTALLATION: Uuid = Uuid::from_u128(77);

/// Which database a test runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

pub struct Bench {
    pub crm: Embedded,
    pub store: Store,
    pub clock: Clock,
    pub ids: Ids,
    pub server: Server,
    pub sending: Sending,
    _database: Database,
}

/// An e-mail on its way into the CRM.
pub struct Draft {
    email: Record,
    parts: Vec<Record>,
    from: Option<RecordRef>,
}

impl Bench {
    pub async fn new() -> Bench {
        Bench::on(On::Sqlite, sending::Options::default()).await
    }

    pub async fn with(options: sending::Options) -> Bench {
        Bench::on(On::Sqlite, options).await
    }

    pub async fn on(on: On, options: sending::Options) -> Bench {
        let database = installed(on).await;
        let server = Server::default();
        let clock = clock();
        let store = open(&database.url).await;
        let crm = Embedded::open(store.clone(), clock.clone()).await.unwrap();
        furnish(&crm).await;
        let sending = connector(&store, Arc::new(crm.clone()), &clock, Arc::new(server.clone()), options);
        Bench { crm, store, clock, ids: Ids::random(), server, sending, _database: database }
    }

    /// Writes the e-mail with its parts as Pending Send; answers its id.
    pub async fn send(&self, draft: Draft) -> Uuid {
        let id = put(&self.crm, draft).await;
        self.turn().await;
        id
    }

    /// Looks for mail and works until there is nothing to do at this time.
    pub async fn turn(&self) {
        turn(&self.sending).await;
    }

    pub async fn later(&self, by: SignedDuration) {
        self.clock.advance(by);
        self.turn().await;
    }

    /// How the mail of an activity stands.
    pub async fn entry(&self, activity: Uuid) -> Entry {
        entry(&self.store, activity).await.expect("the activity was claimed")
    }

    pub async fn state(&self, activity: Uuid) -> MailState {
        self.entry(activity).await.state
    }

    /// One row of the CRM.
    pub async fn row(&self, table: &str, key: &str, id: Uuid) -> Record {
        let query = Query::of(table).filter(Filter::eq(key, id));
        self.crm.query(&query).await.unwrap().pop().expect("the row is there")
    }

    /// statecode and statuscode of an e-mail.
    pub async fn status(&self, activity: Uuid) -> (i64, i64) {
        status(&self.crm, activity).await
    }

    /// The texts of an e-mail's notes.
    pub async fn notes(&self, activity: Uuid) -> Vec<String> {
        let query = Query::of("annotation").filter(Filter::eq("objectid", Value::lookup("email", activity)));
        let rows = self.crm.query(&query).await.unwrap();
        rows.iter().map(|row| row.text("notetext").unwrap_or_default().to_owned()).collect()
    }

    pub async fn apply(&self, changes: Vec<Change>) {
        apply(&self.crm, changes).await;
    }

    /// A mail comes in by one of the doors and is filed.
    pub async fn comes_in(&self, raw: Bytes, direction: Direction) -> postroom_core::MailId {
        let intake = Intake::new(self.store.clone(), self.clock.clone(), self.ids.clone());
        let id = intake.accept(seen(raw, direction, self.clock.now())).await.unwrap().id;
        self.file().await;
        id
    }

    async fn file(&self) {
        let filing = Filing {
            store: self.store.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            crm: Arc::new(self.crm.clone()),
            rules: self.sending.rules.clone(),
            signer: Some(self.sending.signer.clone()),
            directory: None,
        };
        drain(&self.sending, vec![Arc::new(filing)]).await;
    }
}

/// A mail as a watcher of mailboxes hands it over.
pub fn seen(raw: Bytes, direction: Direction, now: Timestamp) -> Incoming {
    Incoming {
        source: Source::Imap,
        direction,
        mailbox: Some("sales".into()),
        folder: Some("Sent".into()),
        envelope: Envelope::default(),
        source_id: None,
        peer: None,
        authentication: Authentication::Unknown,
        received_at: now,
        raw,
    }
}

pub async fn entry(store: &Store, activity: Uuid) -> Option<Entry> {
    let wanted = verbs::Wanted { activity: Some(activity), ..verbs::Wanted::default() };
    verbs::list(store, wanted).await.unwrap().into_iter().next()
}

pub async fn status(crm: &dyn Crm, activity: Uuid) -> (i64, i64) {
    let query =
        Query::of("email").select(&["statecode", "statuscode"]).filter(Filter::eq("activityid", activity));
    let row = crm.query(&query).await.unwrap().pop().expect("the e-mail is there");
    (row.int("statecode").unwrap(), row.int("statuscode").unwrap())
}

fn clock() -> Clock {
    Clock::manual("2026-11-02T08:00:00Z".parse::<Timestamp>().unwrap())
}

/// A new database with the standard tables in it, and no row of anybody's.
pub async fn installed(on: On) -> Database {
    static INSTALLED: Template = Template::new();
    let install = async |url: String| drop(Embedded::open(open(&url).await, clock()).await.unwrap());
    match on {
        On::Sqlite => INSTALLED.sqlite(install).await,
        On::Postgres => INSTALLED.postgres(install).await,
    }
}

pub async fn open(url: &str) -> Store {
    let areas = [jobs::MIGRATIONS, postroom_tracking::MIGRATIONS, postroom_embedded::MIGRATIONS];
    Store::open(url, &Options::default(), &areas).await.unwrap()
}

pub fn connector(
    store: &Store,
    crm: Arc<dyn Crm>,
    clock: &Clock,
    sender: Arc<dyn MailSender>,
    options: sending::Options,
) -> Sending {
    let mut rules = Rules::new(INSTALLATION);
    rules.mailboxes.push(Mailbox {
        name: "sales".into(),
        addresses: vec![SALES.into()],
        ..Mailbox::default()
    });
    let keys = vec![Key { id: 1, secret: [7; 32] }];
    Sending {
        store: store.clone(),
        clock: clock.clone(),
        ids: Ids::random(),
        crm,
        sender,
        rules: Arc::new(rules),
        signer: Arc::new(Signer::new(INSTALLATION, keys, "crm.example").unwrap()),
        options: Arc::new(options),
        sign: None,
        copy: None,
    }
}

pub async fn turn(sending: &Sending) {
    sending.scan().await.unwrap();
    drain(sending, vec![Arc::new(sending.clone())]).await;
}

pub async fn drain(sending: &Sending, workers: Vec<Arc<dyn Worker>>) {
    let options = jobs::Options {
        poll: Duration::from_millis(20),
        ..jobs::Options::with_lease(Duration::from_secs(2))
    };
    let runner =
        Runner::new(sending.store.clone(), sending.clock.clone(), sending.ids.clone(), workers, options);
    runner.drain_due().await.unwrap();
}

async fn apply(crm: &dyn Crm, changes: Vec<Change>) {
    crm.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
}

/// The people and records of every test.
pub async fn furnish(crm: &dyn Crm) {
    let contact = |id, first: &str, address: &str| {
        let row = Record::new(RecordRef::new("contact", id)).with("firstname", first);
        row.with("lastname", "Adler").with("emailaddress1", address)
    };
    let user = Record::new(RecordRef::new("systemuser", EVA))
        .with("firstname", "Eva")
        .with("lastname", "Egger")
        .with("internalemailaddress", "eva@crm.example");
    let queue = Record::new(RecordRef::new("queue", QUEUE)).with("name", "Sales").with("emailaddress", SALES);
    let case = Record::new(RecordRef::new("incident", CASE))
        .with("title", "Order")
        .with("customerid", Value::lookup("contact", ANNA));
    let rows = [
        contact(ANNA, "Anna", "anna@customer.example"),
        contact(BEN, "Ben", "ben@customer.example"),
        contact(SHY, "Shy", "shy@customer.example").with("donotemail", true),
        user,
        queue,
        case,
    ];
    apply(crm, rows.map(Change::Upsert).to_vec()).await;
}

pub async fn put(crm: &dyn Crm, draft: Draft) -> Uuid {
    let id = draft.email.at.id;
    let from = draft.from.clone();
    let mut changes = vec![Change::Create(draft.email.clone())];
    if let Some(from) = from {
        changes.push(Change::Create(party(id, 1, Some(from), None)));
    }
    changes.extend(draft.parts.iter().cloned().map(Change::Create));
    apply(crm, changes).await;
    id
}

fn party(email: Uuid, mask: i64, who: Option<RecordRef>, address: Option<&str>) -> Record {
    let row = Record::new(RecordRef::new("activityparty", Ids::random().next()))
        .with("activityid", Value::lookup("email", email))
        .with("participationtypemask", mask);
    let row = match who {
        Some(who) => row.with("partyid", who),
        None => row,
    };
    match address {
        Some(address) => row.with("addressused", address),
        None => row,
    }
}

impl Draft {
    /// A mail of the sales queue about the case, with nobody in it yet.
    pub fn new(subject: &str) -> Draft {
        let email = Record::new(RecordRef::new("email", Ids::random().next()))
            .with("subject", subject)
            .with("description", "<p>Hello</p>")
            .with("directioncode", true)
            .with("regardingobjectid", Value::lookup("incident", CASE))
            .with("statecode", 1)
            .with("statuscode", 6);
        Draft { email, parts: Vec::new(), from: Some(RecordRef::new("queue", QUEUE)) }
    }

    /// To Anna.
    pub fn to_anna(subject: &str) -> Draft {
        Draft::new(subject).to(2, ANNA)
    }

    pub fn id(&self) -> Uuid {
        self.email.at.id
    }

    /// With this id; before anything is hung on it.
    pub fn named(mut self, id: Uuid) -> Draft {
        self.email.at.id = id;
        self
    }

    pub fn from(mut self, table: &str, id: Uuid) -> Draft {
        self.from = Some(RecordRef::new(table, id));
        self
    }

    pub fn without_sender(mut self) -> Draft {
        self.from = None;
        self
    }

    /// Another party: a contact.
    pub fn to(mut self, mask: i64, contact: Uuid) -> Draft {
        self.parts.push(party(self.id(), mask, Some(RecordRef::new("contact", contact)), None));
        self
    }

    /// Another party: an address only.
    pub fn addressed(mut self, mask: i64, address: &str) -> Draft {
        self.parts.push(party(self.id(), mask, None, Some(address)));
        self
    }

    pub fn with(mut self, column: &str, value: impl Into<Value>) -> Draft {
        self.email.columns.retain(|(name, _)| name != column);
        self.email = self.email.with(column, value);
        self
    }

    pub fn file(mut self, name: &str, kind: &str, content_id: Option<&str>, bytes: &'static [u8]) -> Draft {
        let row = Record::new(RecordRef::new("activitymimeattachment", Ids::random().next()))
            .with("objectid", Value::lookup("email", self.id()))
            .with("objecttypecode", "email")
            .with("filename", name)
            .with("mimetype", kind)
            .with("attachmentcontentid", content_id.map(str::to_owned))
            .with("attachmentnumber", self.parts.len() as i64)
            .with("body", Content::Bytes(Bytes::from_static(bytes)));
        self.parts.push(row);
        self
    }
}

/// A handed mail, read.
pub fn read(mail: &Outgoing) -> Mail<'_> {
    Mail::parse(&mail.raw, &Limits::default())
}
