//! A whole postroom for one test: database, CRM, worker and HTTP server, all of them real.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use postroom_core::{Clock, Crm, CrmDoors, Direction, Envelope, Ids, MailId};
use postroom_embedded::Embedded;
use postroom_embedded::demo::{self, Story};
use postroom_jobs::{NewJob, Runner};
use postroom_marketing::Engine;
use postroom_operations::{
    Actor, DoorSettings, Operations, Posted, Privacy, Role, Scope, TokenOrder, Writing,
};
use postroom_store::Store;
use postroom_tracking::filing::Filing;
use postroom_tracking::intake::Intake;
use postroom_tracking::rules::{Mailbox, Rules};
use postroom_tracking::sending::Sending;
use postroom_tracking::watching::Book;
use postroom_web::{Options, Web};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::client::Call;
use crate::wire;

/// Bytes of the largest mail in tests.
pub const MAX_MESSAGE: u64 = 256 * 1024;

pub struct House {
    pub at: SocketAddr,
    pub operations: Operations,
    pub story: Story,
    store: Store,
    ids: Ids,
    pub clock: Clock,
    runner: Runner,
    sending: Sending,
    pub engine: Engine,
    sign_in_url: String,
    _stop: DropGuard,
    _folder: TempDir,
}

/// An address of this machine that is a proxy of ours.
pub const PROXY: &str = "127.0.0.2";

/// What a house is to have.
struct Plan {
    tls: Option<Arc<rustls::ServerConfig>>,
    watched: &'static [&'static str],
    writing: Writing,
    mailbox: Option<Mailbox>,
    doors: Option<(Arc<dyn CrmDoors>, DoorSettings)>,
    clock: Clock,
    /// Where the account of the marketing service is, when one is configured.
    marketing: Option<String>,
}

impl Default for Plan {
    fn default() -> Self {
        let (writing, clock) = (Writing::NoWayOut, Clock::system());
        Plan { tls: None, watched: &[], writing, mailbox: None, doors: None, clock, marketing: None }
    }
}

/// A signed-in browser.
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
}

/// Different each time, which is all that tests need of a secret.
fn random(bytes: &mut [u8]) {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::SeqCst).to_le_bytes();
    bytes.iter_mut().zip(count.iter().cycle()).for_each(|(byte, from)| *byte = *from);
}

impl House {
    pub async fn open() -> House {
        House::open_with(None).await
    }

    pub async fn open_with(tls: Option<Arc<rustls::ServerConfig>>) -> House {
        House::furnished(Plan { tls, ..Plan::default() }).await
    }

    /// With a way out, on which people may write, and with the mailbox *support* watched.
    pub async fn with_way_out() -> House {
        House::with_way_out_at(Clock::system()).await
    }

    /// The same, on a clock that the test turns.
    pub async fn with_way_out_at(clock: Clock) -> House {
        let writing = Writing::Ready { senders: vec!["demo.example".into()] };
        House::furnished(Plan { clock, watched: &["support"], writing, ..Plan::default() }).await
    }

    /// The way out, and an account `main` of a marketing service that nobody runs.
    pub async fn with_marketing() -> House {
        let writing = Writing::Ready { senders: vec!["demo.example".into()] };
        let marketing = Some("http://127.0.0.1:1".to_owned());
        House::furnished(Plan { watched: &["support"], writing, marketing, ..Plan::default() }).await
    }

    /// The way out, and an account `main` at a stand-in that answers at this address.
    pub async fn with_service(url: String) -> House {
        let writing = Writing::Ready { senders: vec!["demo.example".into()] };
        let marketing = Some(url);
        House::furnished(Plan { watched: &["support"], writing, marketing, ..Plan::default() }).await
    }

    /// With another mailbox.
    pub async fn with_mailbox(mailbox: Mailbox) -> House {
        House::furnished(Plan { mailbox: Some(mailbox), ..Plan::default() }).await
    }

    /// With a CRM behind the doors that this function makes. The clock stands still, and [`PROXY`] is a proxy of ours.
    pub async fn with_doors(settings: DoorSettings, port: impl FnOnce(Clock) -> Arc<dyn CrmDoors>) -> House {
        let clock = Clock::manual("2026-03-10T09:00:00Z".parse().unwrap());
        let doors = Some((port(clock.clone()), settings));
        House::furnished(Plan { clock, doors, ..Plan::default() }).await
    }

    async fn furnished(plan: Plan) -> House {
        let Plan { tls, watched, writing, mailbox, doors, clock, marketing } = plan;
        let folder = tempfile::tempdir().unwrap();
        let ids = Ids::random();
        let areas: [&[postroom_store::migrate::Migration]; 5] = [
            postroom_jobs::MIGRATIONS,
            postroom_tracking::MIGRATIONS,
            postroom_operations::MIGRATIONS,
            postroom_marketing::MIGRATIONS,
            postroom_embedded::MIGRATIONS,
        ];
        let url = format!("sqlite://{}", folder.path().join("postroom.db").display());
        let store = Store::open(&url, &postroom_store::Options::default(), &areas).await.unwrap();
        let crm = Embedded::open(store.clone(), clock.clone()).await.unwrap();
        crm.apply(demo::organisation()).await.into_iter().for_each(|set| drop(set.unwrap()));
        let mut rules = Rules::new(Uuid::from_u128(1));
        let addresses = vec!["support@demo.example".into()];
        rules.mailboxes = vec![Mailbox { name: "support".into(), addresses, ..Mailbox::default() }];
        rules.mailboxes.extend(mailbox);
        let privacy = Privacy {
            keep_untracked: jiff::SignedDuration::from_hours(72),
            holders: vec![Arc::new(crm.clone())],
        };
        let filing = Filing {
            store: store.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            crm: Arc::new(crm),
            rules: Arc::new(rules),
            signer: None,
            directory: None,
        };
        let engine = crate::marketing::engine(&filing, marketing.as_deref());
        let intake = Arc::new(Intake::new(store.clone(), clock.clone(), ids.clone()));
        let operations = Operations::new(filing.clone(), intake, random)
            .with_watched(watched.iter().map(|name| (*name).to_owned()))
            .with_privacy(privacy)
            .with_writing(writing)
            .with_trials(Arc::new(crate::trials::Stub))
            .with_marketing(engine.clone());
        let operations = match doors {
            Some((port, settings)) => operations.with_doors(port, settings),
            None => operations,
        };
        let sending = wire::sending(&filing);
        let runner = Runner::new(
            store.clone(),
            clock.clone(),
            ids.clone(),
            vec![Arc::new(filing), Arc::new(sending.clone()), Arc::new(engine.clone())],
            postroom_jobs::Options::default(),
        );
        let options = Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            tls,
            max_message: MAX_MESSAGE,
            is_proxy: Arc::new(|address| address.to_string() == PROXY),
        };
        let metrics = Arc::new(|| "postroom_ready 1\n".to_owned());
        let web = Web::bind(options, operations.clone(), metrics).await.unwrap();
        let (at, stop) = (web.local_addr(), CancellationToken::new());
        let sign_in_url = web.sign_in_url("");
        tokio::spawn(web.run(stop.clone()));
        House {
            at,
            operations,
            story: demo::story(),
            store,
            ids,
            clock,
            runner,
            sending,
            engine,
            sign_in_url,
            _stop: stop.drop_guard(),
            _folder: folder,
        }
    }

    pub fn get(&self, path: &str) -> Call {
        Call::new(self.at, "GET", path)
    }

    pub fn post(&self, path: &str) -> Call {
        Call::new(self.at, "POST", path)
    }

    pub fn delete(&self, path: &str) -> Call {
        Call::new(self.at, "DELETE", path)
    }

    /// A GET as a person in a browser.
    pub fn look(&self, browser: &Browser, path: &str) -> Call {
        self.get(path).header("Cookie", &browser.cookie)
    }

    /// A form as a person in a browser sends it.
    pub fn submit(&self, browser: &Browser, path: &str, fields: &str) -> Call {
        let form = format!("csrf={}&{fields}", browser.csrf);
        self.post(path)
            .header("Cookie", &browser.cookie)
            .header("Origin", &format!("http://{}", self.at))
            .body("application/x-www-form-urlencoded", form)
    }

    pub async fn token(&self, scope: Scope) -> String {
        let life = std::time::Duration::from_secs(3600);
        let order = TokenOrder { scope, name: scope.as_str(), user: None, life };
        self.operations.create_token(&Actor::console(), order).await.unwrap().token
    }

    pub async fn link(&self, role: Role) -> String {
        self.operations.create_link(&Actor::console(), role.as_str(), role).await.unwrap()
    }

    /// Where a browser goes to sign in.
    pub async fn sign_in_url(&self, role: Role) -> String {
        format!("{}{}", self.sign_in_url, self.link(role).await)
    }

    pub async fn browser(&self, role: Role) -> Browser {
        let cookie = self.operations.sign_in(&self.link(role).await).await.unwrap();
        let csrf = self.operations.session(&cookie).await.unwrap().unwrap().csrf;
        Browser { cookie: format!("postroom={cookie}"), csrf }
    }

    /// Hands a mail in and lets the worker file everything.
    pub async fn mail(&self, raw: &str) -> MailId {
        self.mail_as(raw, Direction::Incoming).await
    }

    pub async fn mail_as(&self, raw: &str, direction: Direction) -> MailId {
        let posted = Posted {
            mailbox: None,
            direction,
            envelope: Envelope { from: Some("x@y.example".into()), to: vec!["support@demo.example".into()] },
            source_id: None,
            peer: Some("192.0.2.7 (mx.y.example)".into()),
            raw: Bytes::from(raw.replace('\n', "\r\n")),
        };
        let accepted = self.operations.import_message(&Actor::console(), posted).await.unwrap();
        self.drain().await;
        accepted.id
    }

    pub async fn drain(&self) {
        self.runner.drain().await.unwrap();
    }

    /// Claims what the CRM wants sent, and hands it to the [`wire`].
    pub async fn send_all(&self) {
        self.sending.scan().await.unwrap();
        self.runner.drain_due().await.unwrap();
    }

    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Where watchers keep their books.
    pub fn book(&self) -> Book {
        let rules = self.sending.rules.clone();
        Book::new(self.store.clone(), self.clock.clone(), self.ids.clone(), rules)
    }

    /// Puts work on the shelf that can never succeed, and answers its id.
    pub async fn shelve(&self) -> String {
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let payload = serde_json::json!({});
        let lane = ids.next().to_string();
        let job = NewJob { kind: "mail.file", lane, key: None, payload, due: None };
        self.store
            .write("test.shelve", move |tx| {
                async move { postroom_jobs::enqueue(tx, &ids, now, vec![job]).await }.boxed()
            })
            .await
            .unwrap();
        self.drain().await;
        self.operations.shelf(&Actor::console(), 1).await.unwrap()[0].id.to_string()
    }

    /// A mail with a token that names the demo's case.
    pub async fn tracked(&self) -> MailId {
        let case = self.story.case_pump.id;
        self.mail(&format!(
            "From: Anna Adler <anna.adler@adler-brauerei.example>\nTo: support@demo.example\nMessage-ID: <one@adler.example>\n\
             Date: Tue, 10 Mar 2026 09:00:00 +0000\nSubject: The pump leaks CRM: {{{case}}}:MRC\n\nIt still leaks.\n\nAnna\n"
        ))
        .await
    }

    /// A mail that names nothing: a person must decide.
    pub async fn review(&self) -> MailId {
        self.mail(
            "From: Somebody <somebody@elsewhere.example>\nTo: support@demo.example\nMessage-ID: <two@elsewhere.example>\n\
             Date: Tue, 10 Mar 2026 10:00:00 +0000\nSubject: A question\n\nDo you repair pumps?\n",
        )
        .await
    }
}
