//! Mail goes out and comes home: the real binary between a CRM, a Postfix as submission server with AUTH and TLS, and a
//! Dovecot that holds everybody's mailboxes, the customer's too.
//!
//! One world for all: every test has subjects and Message-IDs of its own, so none disturbs another.

mod books;
mod home;
mod inbox;
mod pins;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use postroom_core::{Change, ChangeSet, Crm, Record, RecordRef};
use postroom_embedded::Embedded;
use postroom_formats::mime::{Limits, Mail};
use postroom_mail::client::Client;
use postroom_store::Store;
use postroom_testkit::guard::Guard;
use postroom_testkit::peers::{Certificate, Dovecot, DovecotOptions, PASSWORD, Postfix, Route, Shape};
use postroom_testkit::poll;
use postroom_tracking::messages::{self, Message};
use postroom_tracking::sending::Entry;
use postroom_tracking::settings;
use postroom_tracking::token::Signer;
use postroom_tracking::watching;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::house::{House, PATIENCE, wait_for};
use crate::make::{self, Make};
use crate::sending::bench::{self, Draft};

/// The account that a folder of the sales mailbox is tied to.
pub const ACME: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_00000000ac3e);
pub const FOLDER: &str = "CRM/Acme";
/// Message-IDs of mail that was there before us.
pub const OLD: [&str; 3] = ["old-in@customer.example", "old-out@crm.example", "old-acme@customer.example"];
const SELECTOR: &str = "drill";

/// Everything that mail passes.
pub struct World {
    pub dovecot: Dovecot,
    pub postfix: Postfix,
    pub house: House,
    pub store: Store,
    pub crm: Embedded,
    /// The DNS record of the DKIM key, as a line of a zone.
    pub zone: String,
    _guard: Guard,
    /// The postroom that keeps the CRM, when it is outside.
    _crm: Option<House>,
}

static WORLD: LazyLock<World> = LazyLock::new(World::new);

pub fn world() -> &'static World {
    &WORLD
}

static OUTSIDE: LazyLock<World> = LazyLock::new(World::outside);

/// The same with a CRM outside, over the Web API.
pub fn outside() -> &'static World {
    &OUTSIDE
}

/// A folder that goes with this process.
fn folder() -> (PathBuf, Guard) {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let guard = Guard::new("KILL", Some(&folder));
    (folder, guard)
}

/// A file that only we can read.
fn secret(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("the folder is ours");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    format!("{{ file = \"{}\" }}", path.display())
}

/// The configuration of a house between these two; the pins are those of its certificates, or others.
fn config(world: (&Dovecot, &Postfix), pins: (&str, &str), password: &str, more: &str) -> String {
    let (dovecot, postfix) = world;
    let (imap, smtp) = (dovecot.imap().port(), postfix.submission().port());
    let sign_in = format!("username = \"sales\"\npassword = {password}\n");
    format!(
        "[jobs]\nlease = \"2s\"\npoll = \"200ms\"\n\
         [tracking]\nnever_domains = [\"clinic.example\"]\n\
         [mailboxes.sales]\naddress = \"{sales}\"\n\
         [mailboxes.sales.imap]\nhost = \"127.0.0.1\"\nport = {imap}\ntls = \"starttls\"\ntls_pin = \"{}\"\n{sign_in}\
         records = [\"{FOLDER} = account/{ACME}\"]\npoll = \"1s\"\n\
         [smtp_out]\nhost = \"127.0.0.1\"\nport = {smtp}\ntls = \"starttls\"\ntls_pin = \"{}\"\n{sign_in}\
         sent_copy = true\n{more}",
        pins.0,
        pins.1,
        sales = bench::SALES,
    )
}

fn pin(certificate: &Certificate) -> String {
    Sha256::digest(&certificate.der).iter().map(|byte| format!("{byte:02X}")).collect()
}

impl World {
    fn new() -> World {
        World::with(Make::Embedded)
    }

    fn outside() -> World {
        World::with(Make::WebApi)
    }

    fn with(make: Make) -> World {
        let (dovecot, postfix, pin) = servers();
        let (folder, guard) = folder();
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key can be made");
        let dkim = format!(
            "dkim_domain = \"crm.example\"\ndkim_selector = \"{SELECTOR}\"\ndkim_private_key = {}\n",
            secret(&folder, "dkim.pem", &key.serialize_pem())
        );
        let password = secret(&folder, "password", PASSWORD);
        let url = format!("sqlite://{}", folder.join("postroom.db").display());
        let crm_url = format!("sqlite://{}", folder.join("crm.db").display());
        let crm_house = (make == Make::WebApi).then(|| House::on(&crm_url, ""));
        let outside =
            crm_house.as_ref().map_or(String::new(), |house| house.place().section("webapi", &folder));
        let more = format!("{dkim}{outside}");
        let house = House::on(&url, &config((&dovecot, &postfix), (&pin, &pin), &password, &more));
        let store = wait_for(bench::open(&url));
        let crm = furnished(if make == Make::WebApi { &crm_url } else { &url });
        let zone = format!("{SELECTOR}._domainkey.crm.example TXT v=DKIM1; k=ed25519; p={}", public(&key));
        let world = World { dovecot, postfix, house, store, crm, zone, _guard: guard, _crm: crm_house };
        world.is_met();
        world
    }

    /// Waits until the watcher has been in every folder: what comes from now on is new.
    fn is_met(&self) {
        let met = poll::until(PATIENCE, || {
            let all = wait_for(watching::overview(&self.store)).expect("the database answers");
            all.get("sales").is_some_and(|sales| sales.folders.len() == 3)
        });
        assert!(met, "the watcher does not come round:\n{}\n{}", self.house.log(), self.dovecot.log());
    }

    /// Writes an e-mail as *Pending Send*; answers its id.
    pub fn put(&self, draft: Draft) -> Uuid {
        wait_for(bench::put(&self.crm, draft))
    }

    /// How the outgoing mail of an activity stands, once it is as wanted.
    #[track_caller]
    pub fn outgoing(&self, activity: Uuid, what: &str, wanted: impl Fn(&Entry) -> bool) -> Entry {
        let mut entry = None;
        let come = poll::until(PATIENCE, || {
            entry = wait_for(bench::entry(&self.store, activity));
            entry.as_ref().is_some_and(&wanted)
        });
        assert!(come, "{what} did not come: {entry:#?}\n{}\n{}", self.house.log(), self.postfix.log());
        entry.expect("just looked at")
    }

    /// The only message with this Message-ID, once it is as wanted.
    #[track_caller]
    pub fn message(&self, id: &str, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        let mut found = Vec::new();
        let come = poll::until(PATIENCE, || {
            found = self.messages(id);
            found.first().is_some_and(&wanted)
        });
        assert!(come, "{what} did not come: {found:#?}\n{}\n{}", self.house.log(), self.postfix.log());
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    }

    pub fn messages(&self, id: &str) -> Vec<Message> {
        let wanted = messages::Wanted { text: Some(id.to_owned()), ..messages::Wanted::default() };
        wait_for(messages::list(&self.store, wanted)).expect("the database answers")
    }

    /// The mails in somebody's folder whose subject holds this, once there are so many.
    #[track_caller]
    pub fn mails(&self, user: &str, folder: &str, subject: &str, count: usize) -> Vec<Vec<u8>> {
        let mut mails: Vec<Vec<u8>> = Vec::new();
        let come = poll::until(PATIENCE, || {
            let all = self.dovecot.messages(user, folder).into_iter().map(|(_, raw)| raw);
            mails = all.filter(|raw| read(raw).subject.contains(subject)).collect();
            mails.len() >= count
        });
        assert!(come, "{user} got {} of {count}\n{}\n{}", mails.len(), self.house.log(), self.postfix.log());
        assert_eq!(mails.len(), count, "no more than that");
        mails
    }

    /// Somebody outside sends a mail to the sales desk.
    pub fn receives(&self, from: &str, raw: &[u8]) {
        wait_for(async {
            let mut client = Client::connect(self.postfix.address).await.expect("Postfix greets");
            let answers = client.send(from, &[bench::SALES], raw).await.expect("Postfix answers");
            assert!(answers.iter().all(|answer| answer.is_ok()), "{answers:?}");
            client.quit().await.expect("Postfix says goodbye");
        });
    }

    /// What signs this house's Message-IDs.
    pub fn signer(&self) -> Signer {
        let ids = postroom_core::Ids::random();
        let ours = wait_for(settings::installation(&self.store, &ids, [0; 32], "unused.example"));
        let ours = ours.expect("it was made at the first start");
        Signer::new(ours.id, ours.keys, &ours.domain).expect("its keys are good")
    }

    /// A row of the CRM.
    pub fn row(&self, table: &str, key: &str, id: Uuid) -> Record {
        let query = postroom_core::Query::of(table).filter(postroom_core::Filter::eq(key, id));
        wait_for(self.crm.query(&query)).expect("the CRM answers").pop().expect("the row is there")
    }
}

/// A Dovecot with mail of old days, and a Postfix in front of it; and the pin of their certificate.
fn servers() -> (Dovecot, Postfix, String) {
    let certificate = Certificate::local();
    let tls = Some(certificate.clone());
    let dovecot =
        Dovecot::start(DovecotOptions { tls: tls.clone(), ..DovecotOptions::users(["sales", "anna"]) });
    let old = |id| plain("Anna <anna@customer.example>", "Of old days", id, "");
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for (folder, id) in ["INBOX", "Sent", FOLDER].into_iter().zip(OLD) {
        dovecot.deliver_at("sales", folder, &old(id), long_ago);
    }
    let submission = Some(dovecot.auth_socket());
    let shape = Shape { tls, submission, ..Shape::default() };
    let postfix = Postfix::with(Route::Lmtp(dovecot.lmtp()), shape);
    let pin = pin(&certificate);
    (dovecot, postfix, pin)
}

/// The CRM of a running house, with people in it.
fn furnished(url: &str) -> Embedded {
    wait_for(async {
        let crm = make::behind(url).await;
        bench::furnish(&crm).await;
        let acme = Record::new(RecordRef::new("account", ACME)).with("name", "Acme");
        let change = ChangeSet { changes: vec![Change::Upsert(acme)] };
        crm.apply(vec![change]).await.remove(0).expect("an account can be made");
        crm
    })
}

/// The base64 of the raw public key: what follows the twelve bytes that say which kind it is (RFC 8410).
fn public(key: &rcgen::KeyPair) -> String {
    let pem = key.public_key_pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    body[16..].to_owned()
}

/// A plain mail to the sales desk; `more` are further header lines.
pub fn plain(from: &str, subject: &str, id: &str, more: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: {}\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\n{more}\
         Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nHello,\r\nhere is a line.\r\n",
        bench::SALES
    )
    .into_bytes()
}

pub fn read(raw: &[u8]) -> Mail<'_> {
    Mail::parse(raw, &Limits::default())
}
