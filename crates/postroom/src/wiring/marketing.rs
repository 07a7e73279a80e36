//! `[marketing]` as the engine that keeps the CRM and the marketing service in step, and one account as its client.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use postroom_core::marketing::{Marketing, Polling};
use postroom_core::{Clock, Code, Fault, Ids, Secret, Verdict};
use postroom_crm::sign_in::{Connection, Proxy};
use postroom_dotdigital::{Api, Credentials, Dotdigital, Settings};
use postroom_marketing::Engine;
use postroom_marketing::engine::{self, Rules, Scope};
use postroom_marketing::lists::reconcile::Guard;
use postroom_marketing::mandate::{Mandate, Outlet};
use postroom_marketing::solution::mark::Connector;
use postroom_marketing::suppressions::OnSuppress;
use postroom_marketing::sync::Window;
use postroom_marketing::{events, forms};
use postroom_store::Store;
use postroom_tracking::settings;

use super::outgoing::{pin, secret};
use crate::app::{App, host_name};
use crate::config::{
    self, Config, ConsentWord, EventKind, EventRules, FormRules, IpWord, OnSuppressWord, ScopeWord,
    ServiceAccount, ServiceApi, Span,
};
use crate::report::CliError;

/// The engine of this configuration. Reads the accounts' secrets, and asks the service nothing.
pub async fn engine(app: &App) -> Result<Engine, CliError> {
    let marketing = &app.config.marketing;
    let mut accounts = BTreeMap::new();
    for (name, account) in &marketing.accounts {
        let password = secret(&account.password).await?;
        let service = service(account, password, &app.clock, &app.ids).await?;
        let settings = Arc::new(settings(marketing, account));
        accounts.insert(name.clone(), engine::Account { name: name.clone(), service, settings });
    }
    Ok(Engine {
        store: app.store.clone(),
        clock: app.clock.clone(),
        ids: app.ids.clone(),
        crm: app.filing.crm.clone(),
        accounts: Arc::new(accounts),
        rules: Arc::new(rules(marketing)),
        mandate: Arc::new(Mandate::new(connector(app), SafeMode(app.store.clone()))),
    })
}

/// What this installation is to an organisation.
fn connector(app: &App) -> Connector {
    Connector { id: app.filing.rules.installation.to_string(), name: called(&app.config) }
}

/// What people call this connector: the address of its pages, or its host.
pub fn called(config: &Config) -> String {
    config.http.public_url.as_ref().map_or_else(host_name, ToString::to_string)
}

/// Shut while the database is in safe mode.
struct SafeMode(Store);

#[async_trait]
impl Outlet for SafeMode {
    async fn open(&self) -> Result<(), Fault> {
        match settings::get(&self.0, settings::SAFE_MODE).await?.as_deref() {
            Some("on") => {
                let text = "this database came from a backup, and nothing leaves until somebody runs: postroom reconcile";
                Err(Fault::new(Verdict::Hold, Code::SAFE_MODE, text))
            }
            _ => Ok(()),
        }
    }
}

/// The client of one account.
pub async fn service(
    account: &ServiceAccount,
    password: Secret,
    clock: &Clock,
    ids: &Ids,
) -> Result<Arc<dyn Marketing>, CliError> {
    let wrong =
        |error: postroom_dotdigital::ConfigError| CliError::new(Code::CONFIG_INVALID, error.to_string());
    let mut settings = Settings::new(account.url.as_ref()).map_err(wrong)?;
    settings.api = match account.api {
        ServiceApi::Rest => Api::V3,
        ServiceApi::RestV2 => Api::V2,
        ServiceApi::Soap => Api::Soap,
    };
    settings.timeout = account.timeout.get();
    settings.patience = account.patience.get();
    let http = connection(account).await?.client()?;
    let credentials = Credentials { user: account.user.clone(), password };
    Ok(Arc::new(Dotdigital::new(settings, http, credentials, clock.clone(), ids.clone())))
}

/// Proxy, certificates and time-outs, as the CRM's client has them.
async fn connection(account: &ServiceAccount) -> Result<Connection, CliError> {
    let user = match (&account.proxy_username, &account.proxy_password) {
        (Some(user), Some(password)) => Some((user.clone(), secret(password).await?)),
        _ => None,
    };
    Ok(Connection {
        proxy: account.proxy.as_ref().map(|url| Proxy { url: url.to_string(), user }),
        ca_file: account.ca_file.clone(),
        pins: pin(account.tls_pin.as_ref())?.into_iter().collect(),
        pinned_host: None,
        timeout: account.timeout.get(),
    })
}

fn settings(marketing: &config::Marketing, account: &ServiceAccount) -> engine::Settings {
    let every = account.every.0.iter().map(|(sync_type, every)| (*sync_type, every.map(signed)));
    let zone = marketing.zone.get();
    engine::Settings {
        every: every.collect(),
        window: account.window.map(|hours| Window { from: hours.from, to: hours.to, zone }),
        on_suppress: match account.on_suppress {
            OnSuppressWord::Nothing => OnSuppress::Nothing,
            OnSuppressWord::BulkEmail => OnSuppress::BulkEmail,
            OnSuppressWord::Email => OnSuppress::Email,
            OnSuppressWord::Both => OnSuppress::Both,
        },
        scope: match account.scope {
            ScopeWord::Lists => Scope::Lists,
            ScopeWord::Everybody => Scope::Everybody,
        },
        events: account.events.as_ref().map(events).unwrap_or_default(),
        forms: account.forms.as_ref().map(forms).unwrap_or_default(),
    }
}

fn events(rules: &EventRules) -> events::Settings {
    let kind = |word: &EventKind| match word {
        EventKind::Recipient => events::Kind::Recipient,
        EventKind::Click => events::Kind::Click,
        EventKind::Social => events::Kind::Social,
        EventKind::Roi => events::Kind::Roi,
    };
    events::Settings {
        to_crm: rules.to_crm.iter().map(kind).collect(),
        keep_in_crm: rules.keep_in_crm.map(signed),
        keep: rules.keep.map(signed),
        ip: match rules.ip {
            IpWord::Keep => events::Ip::Keep,
            IpWord::Shorten => events::Ip::Shorten,
            IpWord::Drop => events::Ip::Drop,
        },
        user_agents: rules.user_agents,
    }
}

fn forms(rules: &FormRules) -> forms::Settings {
    let question = |word: &ConsentWord| forms::ConsentQuestion {
        form: word.form,
        question: word.question,
        choice: word.choice,
    };
    forms::Settings { consent: rules.consent.iter().map(question).collect() }
}

fn rules(marketing: &config::Marketing) -> Rules {
    let (polling, questions) = match &marketing.polling {
        Some(asked) => {
            let polling = Polling { first: signed(asked.first), longest: signed(asked.longest) };
            (polling, asked.questions)
        }
        None => (Polling::default(), Rules::default().questions),
    };
    Rules {
        guard: Guard {
            share: u64::from(marketing.guard_share),
            number: u64::from(marketing.guard_number),
            ..Guard::default()
        },
        exchange_age: signed(marketing.exchange_age),
        approval_over: u64::from(marketing.approval_over),
        tolerance: u64::from(marketing.tolerance),
        overlap: signed(marketing.overlap),
        late: signed(marketing.late),
        import_age: signed(marketing.import_age),
        undo_age: signed(marketing.undo_age),
        undo_rows: u64::from(marketing.undo_rows),
        polling,
        questions,
        ..Rules::default()
    }
}

fn signed(span: Span) -> SignedDuration {
    SignedDuration::try_from(span.get()).unwrap_or(SignedDuration::MAX)
}
