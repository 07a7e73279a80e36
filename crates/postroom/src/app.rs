//! Puts the parts together: configuration in, operations out. The one place that knows every crate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::{Clock, Code, Fault, Ids, address};
use postroom_jobs::{Options as JobOptions, Runner, Worker};
use postroom_mail::listener::{DataFolder, DiskRoom};
use postroom_marketing::Engine;
use postroom_operations::{Operations, Privacy, Room, Writing};
use postroom_store::doomed::Holder;
use postroom_store::{Options as StoreOptions, Store, migrate::Migration};
use postroom_tracking::filing::Filing;
use postroom_tracking::intake::Intake;
use postroom_tracking::privacy::purging::Purging;
use postroom_tracking::rules::{self, Rules};
use postroom_tracking::sending::{Sending, SentCopy};
use postroom_tracking::settings::{self, Installation};
use postroom_tracking::stamping::Stamping;
use postroom_tracking::token::Signer;

use crate::commands::Bench;
use crate::config::{self, Config};
use crate::report::CliError;
use crate::wiring::crm::Make;
use crate::wiring::{self, outgoing};

/// Everything that a command works with.
pub struct App {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub ids: Ids,
    pub store: Store,
    pub crm: Make,
    pub intake: Arc<Intake>,
    pub filing: Filing,
    pub operations: Operations,
    pub signer: Arc<Signer>,
    /// What keeps CRM and marketing service in step, once [`App::with_marketing`] made it.
    pub engine: Option<Engine>,
}

/// Fills a buffer with unguessable bytes.
pub fn random(bytes: &mut [u8]) {
    rand::fill(bytes);
}

impl App {
    /// Opens the database, brings it up to date and wires the parts. Starts nothing.
    pub async fn open(config: Config) -> Result<App, CliError> {
        let (clock, ids) = (Clock::system(), Ids::random());
        let url = database_url(&config).await?;
        let options = StoreOptions { ca_file: config.storage.ca_file.clone(), ..StoreOptions::default() };
        let store = Store::open(&url, &options, &areas(config.crm.kind)).await.map_err(Fault::from)?;
        let installation = installation(&store, &ids, &config).await?;
        let signer = Signer::new(installation.id, installation.keys.clone(), &installation.domain)
            .map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))?;
        let signer = Arc::new(signer);
        let crm = Make::open(&config, &store, &clock, &ids).await?;
        let filing = Filing {
            store: store.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            crm: crm.port(),
            rules: Arc::new(rules_of(&config, &installation)),
            signer: Some(signer.clone()),
            directory: wiring::directory::directory(&config, &clock).await?,
        };
        let intake = Arc::new(
            Intake::new(store.clone(), clock.clone(), ids.clone()).with_journals(filing.rules.clone()),
        );
        let patience = config.relay.patience.get();
        let watched = config.mailboxes.iter().filter(|(_, mailbox)| mailbox.imap.is_some());
        let operations = Operations::new(filing.clone(), intake.clone(), random)
            .with_watched(watched.map(|(name, _)| name.clone()))
            .with_stamper(Arc::new(Stamping { filing: filing.clone(), patience }))
            .with_privacy(privacy_of(&config, &crm))
            .with_writing(writing_of(&config))
            .with_called(&wiring::marketing::called(&config));
        let operations = match crm.embedded() {
            Some(embedded) => {
                let (doors, settings) = wiring::doors::open(&config, &installation, embedded, &clock, &ids);
                operations.with_doors(doors, settings)
            }
            None => operations,
        };
        let config = Arc::new(config);
        let app = App { config, clock, ids, store, crm, intake, filing, operations, signer, engine: None };
        Ok(app.with_room().with_trials())
    }

    fn with_trials(mut self) -> App {
        let bench = self.bench();
        self.operations = self.operations.with_trials(Arc::new(bench));
        self
    }

    /// What the configuration is tried with.
    pub fn bench(&self) -> Bench {
        Bench {
            config: self.config.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            store: self.store.clone(),
            crm: self.crm.clone(),
            filing: self.filing.clone(),
            signer: self.signer.clone(),
        }
    }

    /// With an eye on the disk, as the listeners have it.
    fn with_room(mut self) -> App {
        let disk = DataFolder(self.data_folder());
        let room = Room::new(self.config.storage.disk_reserve.get(), move || disk.free());
        self.operations = self.operations.with_room(room);
        self
    }

    /// With the marketing half: its secrets are read now, so only what needs it asks for it.
    pub async fn with_marketing(self) -> Result<App, CliError> {
        let engine = wiring::marketing::engine(&self).await?;
        Ok(self.with_engine(engine))
    }

    /// With this marketing half.
    pub fn with_engine(mut self, engine: Engine) -> App {
        self.operations = self.operations.with_marketing(engine.clone());
        self.engine = Some(engine);
        self
    }

    /// The way out, when one is configured. Reads its secrets.
    pub async fn sending(&self) -> Result<Option<Sending>, CliError> {
        let Some(smtp_out) = &self.config.smtp_out else { return Ok(None) };
        let copy: Option<Arc<dyn SentCopy>> = match smtp_out.sent_copy {
            true => Some(Arc::new(outgoing::IntoSent::new(&self.config, &self.clock).await?)),
            false => None,
        };
        Ok(Some(Sending {
            store: self.store.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            crm: self.filing.crm.clone(),
            sender: Arc::new(outgoing::sender(smtp_out, &host_name()).await?),
            rules: self.filing.rules.clone(),
            signer: self.signer.clone(),
            options: Arc::new(outgoing::rules(smtp_out)),
            sign: outgoing::sign(smtp_out).await?,
            copy,
        }))
    }

    /// Answers which subject a mail on its way out should carry.
    pub fn stamping(&self, patience: Duration) -> Stamping {
        Stamping { filing: self.filing.clone(), patience }
    }

    /// The worker side of a command: files what is stored.
    pub fn runner(&self) -> Runner {
        self.runner_with(None)
    }

    /// The worker side: files what is stored, and sends what the CRM wants sent.
    pub fn runner_with(&self, sending: Option<Sending>) -> Runner {
        let jobs = &self.config.jobs;
        let options = JobOptions {
            poll: jobs.poll.get(),
            concurrency: jobs.workers as usize,
            name: format!("postroom {}", std::process::id()),
            ..JobOptions::with_lease(jobs.lease.get())
        };
        let mut workers: Vec<Arc<dyn Worker>> = vec![Arc::new(self.filing.clone())];
        workers.extend(self.engine.iter().flat_map(Engine::workers));
        workers.extend(sending.map(|sending| Arc::new(sending) as Arc<dyn Worker>));
        workers.extend(self.operations.purging().map(|purging| Arc::new(purging) as Arc<dyn Worker>));
        Runner::new(self.store.clone(), self.clock.clone(), self.ids.clone(), workers, options)
            .with_plans(vec![Purging::plan()])
    }

    /// The folder whose disk must have room: the database's, or the working folder when the data is elsewhere.
    pub fn data_folder(&self) -> PathBuf {
        let beside = self.store.path().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
        beside.map_or_else(|| PathBuf::from("."), Path::to_owned)
    }
}

/// The tables of this database: the embedded CRM's only when it is the CRM.
pub fn areas(kind: config::CrmKind) -> Vec<&'static [Migration]> {
    let mut areas = vec![
        postroom_jobs::MIGRATIONS,
        postroom_tracking::MIGRATIONS,
        postroom_operations::MIGRATIONS,
        postroom_marketing::MIGRATIONS,
    ];
    areas.extend((kind == config::CrmKind::Embedded).then_some(postroom_embedded::MIGRATIONS));
    areas
}

/// The address for the driver, with the password from its secret.
async fn database_url(config: &Config) -> Result<String, CliError> {
    let url = config.storage.url.expose();
    let Some(secret) = &config.storage.password else { return Ok(url) };
    let secret = secret.read().await.map_err(|error| CliError::new(error.code(), error.to_string()))?;
    let separator = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{separator}password={}", percent(secret.expose())))
}

/// Percent-encodes everything but letters and digits.
fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

async fn installation(store: &Store, ids: &Ids, config: &Config) -> Result<Installation, CliError> {
    let mut key = [0; 32];
    random(&mut key);
    let domain = config.smtp_in.accept_domains.first().map(ToString::to_string);
    let domain = domain.or_else(|| {
        config.mailboxes.values().next().and_then(|mailbox| address::domain(mailbox.address.as_ref()))
    });
    let domain = domain.unwrap_or_else(|| "postroom.invalid".into());
    Ok(settings::installation(store, ids, key, &domain).await.map_err(Fault::from)?)
}

/// Mail can be written on the pages as soon as there is a way out, when the CRM is our own.
fn writing_of(config: &Config) -> Writing {
    match (config.crm.kind, &config.smtp_out) {
        (config::CrmKind::Embedded, Some(smtp_out)) => {
            Writing::Ready { senders: outgoing::rules(smtp_out).senders }
        }
        (config::CrmKind::Embedded, None) => Writing::NoWayOut,
        (config::CrmKind::WebApi | config::CrmKind::Soap, _) => Writing::OtherCrm,
    }
}

fn privacy_of(config: &Config, crm: &Make) -> Privacy {
    let keep = SignedDuration::try_from(config.tracking.keep_untracked.get());
    // A CRM outside has its own copies of what was written to it.
    let embedded = crm.embedded().map(|embedded| Arc::new(embedded.clone()) as Arc<dyn Holder>);
    let holders = embedded.into_iter().collect();
    Privacy { keep_untracked: keep.unwrap_or(SignedDuration::MAX), holders }
}

fn rules_of(config: &Config, installation: &Installation) -> Rules {
    let mailboxes = config.mailboxes.iter().map(|(name, mailbox)| mailbox_of(name, mailbox));
    Rules {
        tables: config.token.tables.iter().map(ToString::to_string).collect(),
        trust: match config.token.trust {
            config::Trust::Seed => rules::Trust::Seed,
            config::Trust::KnownSender => rules::Trust::KnownSender,
            config::Trust::Signed => rules::Trust::Signed,
        },
        header: config.token.header.as_ref().map(ToString::to_string),
        qualified_lead: match config.tracking.qualified_lead {
            config::QualifiedLead::Lead => rules::QualifiedLead::Lead,
            config::QualifiedLead::Account => rules::QualifiedLead::Account,
            config::QualifiedLead::Contact => rules::QualifiedLead::Contact,
            config::QualifiedLead::Opportunity => rules::QualifiedLead::Opportunity,
        },
        owner: config.tracking.owner.as_ref().and_then(|owner| owner.as_ref().parse().ok()),
        authserv_ids: config.tracking.authserv_ids.iter().map(ToString::to_string).collect(),
        never: rules::Never {
            addresses: config.tracking.never_addresses.iter().map(ToString::to_string).collect(),
            domains: config.tracking.never_domains.iter().map(ToString::to_string).collect(),
            internal: config.tracking.internal_domains.iter().map(ToString::to_string).collect(),
            sensitive: config.tracking.skip_sensitive,
        },
        delivery: match config.crm.delivery {
            config::CrmDelivery::Rows => rules::DeliveryBy::Rows,
            config::CrmDelivery::Server => rules::DeliveryBy::Server,
        },
        mailboxes: mailboxes.collect(),
        ..Rules::new(installation.id)
    }
}

fn mailbox_of(name: &str, mailbox: &config::Mailbox) -> rules::Mailbox {
    rules::Mailbox {
        name: name.to_owned(),
        addresses: mailbox.all_addresses().map(|address| address::normal(address.as_ref())).collect(),
        track_by_crm: mailbox.track.is_none(),
        track: match mailbox.track.unwrap_or(config::Track::All) {
            config::Track::All => rules::Track::All,
            config::Track::Replies => rules::Track::Replies,
            config::Track::Known => rules::Track::Known,
            config::Track::None => rules::Track::None,
        },
        on_unmatched: match mailbox.on_unmatched {
            config::OnUnmatched::Review => rules::OnUnmatched::Review,
            config::OnUnmatched::Activity => rules::OnUnmatched::Activity,
            config::OnUnmatched::CreateLead => rules::OnUnmatched::CreateLead,
            config::OnUnmatched::CreateContact => rules::OnUnmatched::CreateContact,
            config::OnUnmatched::Skip => rules::OnUnmatched::Skip,
        },
        record: mailbox.record.as_ref().and_then(|record| record.as_ref().parse().ok()),
        journal: mailbox.is_journal(),
        folders: mailbox.imap.iter().flat_map(|imap| &imap.records).filter_map(tied).collect(),
        owner: mailbox.owner.clone(),
        readers: Some(mailbox.readers.iter().map(|role| role.as_str().to_owned()).collect()),
    }
}

fn tied(tied: &config::FolderRecord) -> Option<(String, postroom_core::RecordRef)> {
    let (folder, record) = tied.parts()?;
    Some((folder.to_owned(), record))
}

/// This machine's name, for greetings.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".into() } else { name }
}
