//! Both sides of a test's own: the embedded CRM with the solution in it, perhaps behind a door, a stand-in for the service, and
//! the engine between them. Time is one clock that stands until it is moved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postroom_core::marketing::{Marketing, Polling};
use postroom_core::{
    Change, ChangeSet, Clock, Crm, Filter, Ids, Outcome, Query, Record, RecordRef, RunId, Secret,
};
use postroom_dotdigital::{Api, Credentials, Dotdigital, Settings as Where};
use postroom_embedded::Embedded;
use postroom_jobs::{Options as Jobs, Runner};
use postroom_marketing::Engine;
use postroom_marketing::engine::{Account, Rules, Settings};
use postroom_marketing::mandate::{Mandate, Open};
use postroom_marketing::solution::Era;
use postroom_marketing::solution::install::{Done, Order, install};
use postroom_marketing::solution::look::look;
use postroom_marketing::solution::mark::Connector;
use postroom_marketing::sync::forecast::Forecast;
use postroom_marketing::sync::{Counts, Run, RunState, SyncType, Turn, run};
use postroom_sandbox::dotdigital::{Dotdigital as StandIn, Options as Service, Region};
use postroom_store::{Options, Store};
use postroom_testkit::database::{Database, Template};
use postroom_testkit::poll;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bench::On;
use crate::door::{self, Switches};

pub const ACCOUNT: &str = "main";
const USER: &str = "apiuser-demo@apiconnector.com";
pub const PASSWORD: &str = "demo";

pub struct Lab {
    /// The CRM as its users have it; the engine meets it by its port.
    pub crm: Embedded,
    pub world: StandIn,
    pub clock: Clock,
    pub engine: Engine,
    /// Of the door between them, if there is one.
    pub door: Arc<Switches>,
    on: On,
    database: Database,
}

/// What a database of a lab has.
pub fn areas() -> [&'static [postroom_store::migrate::Migration]; 3] {
    [postroom_jobs::MIGRATIONS, postroom_marketing::MIGRATIONS, postroom_embedded::MIGRATIONS]
}

/// Long ago: jobs that are due by this clock are due by the machine's, however far a test moves on.
pub fn start() -> Timestamp {
    "2024-11-04T08:00:00Z".parse().unwrap()
}

/// The connector that installed the solution.
pub fn connector() -> Connector {
    Connector { id: "test".to_owned(), name: "https://postroom.example".to_owned() }
}

/// A database with the CRM and the solution in it, made once for each kind and each generation's solution.
async fn database(on: On) -> Database {
    static MADE: [Template; 3] = [const { Template::new() }; 3];
    let made = match on.era() {
        Era::Crm2011 => &MADE[0],
        Era::Crm2016 => &MADE[1],
        _ => &MADE[2],
    };
    let fill = async |url: String| {
        let store = Store::open(&url, &Options::default(), &areas()).await.unwrap();
        let crm = Embedded::open(store, Clock::manual(start())).await.unwrap();
        let standing = look(&crm, Some(on.era())).await.unwrap();
        let order = Order { connector: connector(), now: start(), job: Uuid::from_u128(1), take_over: false };
        assert_eq!(install(&crm, &standing, &order).await.unwrap(), Done::Installed);
    };
    match on {
        On::Postgres => made.postgres(fill).await,
        _ => made.sqlite(fill).await,
    }
}

/// The rules, without waits.
pub fn quick() -> Rules {
    let none = SignedDuration::ZERO;
    Rules { polling: Polling { first: none, longest: none }, questions: 5, ..Rules::default() }
}

/// The client of the stand-in's account.
pub fn service(world: &StandIn, clock: &Clock) -> Arc<dyn Marketing> {
    service_with(world, clock, PASSWORD, |_| {})
}

/// The same, with any password and spoken to otherwise.
pub fn service_with(
    world: &StandIn,
    clock: &Clock,
    password: &str,
    change: fn(&mut Where),
) -> Arc<dyn Marketing> {
    service_of(&world.url(Region::R1), clock, (USER, password), change)
}

/// The client of the stand-in that answers at this address.
pub fn service_at(url: &str, clock: &Clock) -> Arc<dyn Marketing> {
    service_of(url, clock, (USER, PASSWORD), |_| {})
}

/// The client of the account that this API user belongs to.
pub fn service_for(world: &StandIn, clock: &Clock, user: &str) -> Arc<dyn Marketing> {
    service_of(&world.url(Region::R1), clock, (user, PASSWORD), |_| {})
}

fn service_of(
    url: &str,
    clock: &Clock,
    (user, password): (&str, &str),
    change: fn(&mut Where),
) -> Arc<dyn Marketing> {
    let mut settings = Where::new(url).unwrap().with_endpoint(url).unwrap();
    settings.pause = Duration::from_millis(1);
    settings.patience = Duration::from_millis(50);
    settings.timeout = Duration::from_secs(20);
    change(&mut settings);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let credentials = Credentials { user: user.into(), password: Secret::new(password) };
    Arc::new(Dotdigital::new(settings, http, credentials, clock.clone(), Ids::random()))
}

impl Lab {
    pub async fn new(on: On) -> Lab {
        Lab::with(on, Settings::default()).await
    }

    pub async fn with(on: On, settings: Settings) -> Lab {
        Lab::on(on, database(on).await, start(), settings).await
    }

    /// On a database that another lab has, with a stand-in of its own that nobody speaks to.
    pub async fn at(url: String, now: Timestamp) -> Lab {
        Lab::on(On::Sqlite, Database::at(url), now, Settings::default()).await
    }

    /// Where the data is.
    pub fn url(&self) -> &str {
        &self.database.url
    }

    async fn on(on: On, database: Database, now: Timestamp, settings: Settings) -> Lab {
        let clock = Clock::manual(now);
        let store = Store::open(&database.url, &Options::default(), &areas()).await.unwrap();
        let crm = Embedded::open(store.clone(), clock.clone()).await.unwrap();
        let world = StandIn::start(Service::one_account(PASSWORD), clock.clone());
        let switches = Arc::<Switches>::default();
        let account = Account {
            name: ACCOUNT.to_owned(),
            service: service(&world, &clock),
            settings: Arc::new(settings),
        };
        let engine = Engine {
            store,
            clock: clock.clone(),
            ids: Ids::random(),
            crm: door::port(&crm, &clock, on, &switches).await,
            accounts: Arc::new(BTreeMap::from([(ACCOUNT.to_owned(), account)])),
            rules: Arc::new(quick()),
            mandate: Arc::new(Mandate::new(connector(), Open)),
        };
        Lab { crm, world, clock, engine, door: switches, on, database }
    }

    /// The same account by the service's older API, which has no identifiers.
    pub fn by_v2(mut self) -> Lab {
        let v2 = service_with(&self.world, &self.clock, PASSWORD, |settings| settings.api = Api::V2);
        self.serve(v2);
        self
    }

    /// Speaks to the account through this client from now on.
    pub fn serve(&mut self, service: Arc<dyn Marketing>) {
        let account = Account { service, ..self.account().clone() };
        self.engine.accounts = Arc::new(BTreeMap::from([(ACCOUNT.to_owned(), account)]));
    }

    /// Gives the engine other rules.
    pub fn rule(&mut self, change: impl FnOnce(&mut Rules)) {
        let mut rules = Rules::clone(&self.engine.rules);
        change(&mut rules);
        self.engine.rules = Arc::new(rules);
    }

    /// A run of a sync type for what is called without its flow.
    pub async fn turn(&self, sync_type: SyncType) -> Turn {
        Turn {
            engine: self.engine.clone(),
            account: self.account().clone(),
            connected: self.engine.connect(self.account()).await.unwrap(),
            run: RunId(self.engine.ids.next()),
            sync_type,
            dry: false,
            confirmed: false,
            counts: Counts::default(),
            forecast: Forecast::default(),
        }
    }

    pub fn account(&self) -> &Account {
        self.engine.account(ACCOUNT).unwrap()
    }

    pub fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    /// Runs a sync type through its job, as somebody asked; answers its run.
    pub async fn run(&self, sync_type: SyncType) -> Run {
        self.begin(sync_type).await;
        self.work().await;
        self.last(sync_type).await
    }

    /// Writes the run and its job. Only this one: the schedule's own are not begun. One that is on its way is left to go on.
    pub async fn begin(&self, sync_type: SyncType) {
        self.engine.ask(ACCOUNT, sync_type, "anna").await.unwrap();
        self.begin_all_asked().await;
    }

    /// Begins what was asked for, and nothing of the schedule's own; answers how many runs that were.
    pub async fn begin_all_asked(&self) -> u64 {
        let mut only = self.engine.clone();
        let mut settings = Settings::clone(&self.account().settings);
        settings.every = SyncType::ALL.iter().map(|sync_type| (*sync_type, None)).collect();
        let account = Account { settings: Arc::new(settings), ..self.account().clone() };
        only.accounts = Arc::new(BTreeMap::from([(ACCOUNT.to_owned(), account)]));
        only.plan().await.unwrap()
    }

    /// Does all jobs that are there, those of a process that died too, once their leases have run out.
    pub async fn work(&self) {
        self.runner().drain().await.unwrap();
        if self.is_idle().await {
            return;
        }
        // Only a runner that stays watches the others' leases.
        let stop = CancellationToken::new();
        let mut watching = Box::pin(self.runner().run(stop.clone()));
        tokio::select! {
            ended = &mut watching => ended.unwrap(),
            idle = poll::until_async(Duration::from_secs(60), || self.is_idle()) => assert!(idle, "a run never ends"),
        }
        stop.cancel();
        watching.await.unwrap();
    }

    async fn is_idle(&self) -> bool {
        self.runs().await.iter().all(|run| run.state != RunState::Running)
    }

    fn runner(&self) -> Runner {
        let options = Jobs { poll: Duration::from_millis(20), ..Jobs::with_lease(Duration::from_secs(1)) };
        let workers = vec![Arc::new(self.engine.clone()) as Arc<dyn postroom_jobs::Worker>];
        let (store, clock, ids) = (self.engine.store.clone(), Clock::system(), self.engine.ids.clone());
        Runner::new(store, clock, ids, workers, options)
    }

    pub async fn last(&self, sync_type: SyncType) -> Run {
        let runs = self.runs().await;
        runs.into_iter().find(|run| run.sync_type == sync_type).unwrap()
    }

    /// Newest first.
    pub async fn runs(&self) -> Vec<Run> {
        let read = self.engine.store.read(move |tx| {
            Box::pin(async move {
                run::load(tx, run::select().order_by("id", postroom_store::sql::Order::Desc)).await
            })
        });
        read.await.unwrap()
    }

    /// Writes to the CRM as a user does.
    pub async fn write(&self, record: Record) {
        let changes = vec![Change::Upsert(record)];
        let done = self.crm.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
        assert!(!done.contains(&Outcome::Deleted));
    }

    /// A contact with this address.
    pub async fn contact(&self, number: u128, address: &str) -> RecordRef {
        let at = RecordRef::new("contact", Uuid::from_u128(0xc000_0000 + number));
        let row = Record::new(at.clone())
            .with("firstname", format!("First{number}"))
            .with("lastname", format!("Last{number}"))
            .with("emailaddress1", address);
        self.write(row).await;
        at
    }

    /// Deletes a row as a user does, and waits until the CRM tells of it.
    pub async fn delete(&self, at: &RecordRef) {
        let changes = vec![Change::Delete(at.clone())];
        self.crm.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
        if !self.on.tells_changes() {
            self.advance(SignedDuration::from_hours(25));
        }
    }

    pub async fn record(&self, at: &RecordRef) -> Option<Record> {
        let id = format!("{}id", at.table);
        let query = Query::of(&at.table).filter(Filter::eq(id, at.id));
        self.crm.query(&query).await.unwrap().pop()
    }

    pub async fn rows(&self, table: &str) -> Vec<Record> {
        self.crm.query(&Query::of(table)).await.unwrap()
    }
}
