//! `postroom serve`: listeners, workers and pages until SIGTERM.
//!
//! Start order: store, workers, web, listeners; `/readyz` answers 200 only when all of them run. Stop order: listeners,
//! web, workers; what is stored by then is filed after the next start.

use std::sync::Arc;
use std::time::Duration;

use postroom_core::{Clock, Code, Fault, Ids, Inbox, kill};
use postroom_embedded::{Embedded, messages};
use postroom_mail::imap::Watcher;
use postroom_mail::listener::{
    Budget, DataFolder, DiskRoom, Limits, Listener, Options, Ports, Protocol, Recipients, server_config,
};
use postroom_mail::trust;
use postroom_operations::{Gauges, Operations};
use postroom_tracking::sending::Scan;
use postroom_tracking::watching::Book;
use postroom_web::Web;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{App, host_name};
use crate::config::{Config, Network, Size, Span};
use crate::report::{CliError, Exit, Output};
use crate::wiring::issuers::Issuers;
use crate::wiring::{relay, watched};

/// Set to `STEP.before_commit` or `STEP.after_commit`, with `:N` for the N-th time: the process kills itself there.
const KILL_AT: &str = "POSTROOM_KILL_AT";

/// Between two signs of life; people are told that nothing runs after two minutes.
const BEAT: Duration = Duration::from_secs(30);
/// How old a gauge may be.
const GAUGES: Duration = Duration::from_secs(15);

pub async fn run(config: Config, out: &mut Output) -> Result<Exit, CliError> {
    arm();
    let app = App::open(config).await?.with_marketing().await?;
    let services = Services::start(&app).await?;
    for line in services.addresses() {
        out.note(&line)?;
    }
    if services.http.is_some() {
        out.note("to sign in to the pages, run: postroom session link")?;
    }
    out.flush()?;
    stop_signal().await?;
    services.stop().await;
    // Nothing hangs on it: without it, whoever wants to restore waits two minutes.
    if let Err(fault) = app.operations.last_word().await {
        tracing::warn!(event = "serve.silent", code = %fault.code, "The last word could not be written: {fault}");
    }
    Ok(Exit::Done)
}

/// Everything that runs in the background of a process.
pub struct Services {
    stop_doors: CancellationToken,
    stop_work: CancellationToken,
    doors: JoinSet<()>,
    work: JoinSet<()>,
    pub smtp: Option<std::net::SocketAddr>,
    pub lmtp: Option<std::net::SocketAddr>,
    pub relay: Option<std::net::SocketAddr>,
    pub http: Option<std::net::SocketAddr>,
    /// `http://` or `https://`, as the pages' listener speaks.
    http_scheme: &'static str,
    /// A sign-in page's address but for the link's secret at its end.
    pub sign_in_base: Option<String>,
}

impl Services {
    /// Binds all that is configured, then starts it.
    pub async fn start(app: &App) -> Result<Services, CliError> {
        let metrics = crate::metrics::Metrics::install(
            env!("CARGO_PKG_VERSION"),
            option_env!("POSTROOM_COMMIT").unwrap_or("unknown"),
        );
        let web = web(app, metrics).await?;
        let ports = ports(app);
        let smtp = smtp(app, &ports).await?;
        let lmtp = lmtp(app, &ports).await?;
        let relay = relay::listener(app, &ports).await?;
        let mut services = Services {
            stop_doors: CancellationToken::new(),
            stop_work: CancellationToken::new(),
            doors: JoinSet::new(),
            work: JoinSet::new(),
            smtp: smtp.as_ref().map(Listener::local_addr),
            lmtp: lmtp.as_ref().map(Listener::local_addr),
            relay: relay.as_ref().map(Listener::local_addr),
            http: web.as_ref().map(Web::local_addr),
            http_scheme: if app.config.http.tls_cert.is_some() { "https://" } else { "http://" },
            sign_in_base: None,
        };
        let sending = app.sending().await?;
        services.watch(app).await?;
        if let (Some(sending), Some(smtp_out)) = (sending.clone(), &app.config.smtp_out) {
            let scan = Scan::new(sending, smtp_out.poll.get());
            services.work.spawn(scan.run(services.stop_doors.clone()));
        }
        let (runner, stop) = (app.runner_with(sending), services.stop_work.clone());
        services.work.spawn(async move {
            if let Err(error) = runner.run(stop).await {
                tracing::error!(event = "jobs.stopped", code = "PR-7001", "The workers stopped: {error}");
            }
        });
        if let Some(engine) = app.engine.clone().filter(|engine| !engine.accounts.is_empty()) {
            services.work.spawn(engine.watch(services.stop_doors.clone()));
        }
        if let Some(embedded) = app.crm.embedded() {
            services.work.spawn(go_on_with_jobs(embedded.clone(), services.stop_work.clone()));
        }
        let (operations, stop) = (app.operations.clone(), services.stop_work.clone());
        // Before anything is watched: who looks then sees that somebody does.
        operations.heartbeat().await?;
        services.work.spawn(beat(operations.clone(), stop.clone()));
        services.work.spawn(publish(operations, stop));
        for listener in [smtp, lmtp, relay].into_iter().flatten() {
            let stop = services.stop_doors.clone();
            services.doors.spawn(async move { listener.run(stop).await });
        }
        if let Some(web) = web {
            services.sign_in_base = Some(web.sign_in_url(""));
            let stop = services.stop_doors.clone();
            services.doors.spawn(async move {
                if let Err(error) = web.run(stop).await {
                    tracing::error!(event = "web.stopped", code = "PR-1004", "The pages stopped: {error}");
                }
            });
        }
        Ok(services)
    }

    /// Watches the mailboxes that have IMAP.
    async fn watch(&mut self, app: &App) -> Result<(), CliError> {
        let mailboxes = watched::all(&app.config, &mut Issuers::new(&app.clock)).await?;
        if mailboxes.is_empty() {
            return Ok(());
        }
        let book = Book::new(app.store.clone(), app.clock.clone(), app.ids.clone(), app.filing.rules.clone());
        let watcher = Watcher::new(Arc::new(book), app.clock.clone(), watched::options(&app.config));
        self.doors.spawn(watcher.run(mailboxes, self.stop_doors.clone()));
        Ok(())
    }

    /// What listens where, for a person.
    pub fn addresses(&self) -> Vec<String> {
        let doors = [
            ("SMTP", "", self.smtp),
            ("LMTP", "", self.lmtp),
            ("stamping relay", "", self.relay),
            ("pages and API", self.http_scheme, self.http),
        ];
        let lines = doors
            .iter()
            .filter_map(|(name, scheme, address)| Some(format!("{name} on {scheme}{}", (*address)?)));
        lines.collect()
    }

    /// Stops taking, then stops working; each waits for what is under way.
    pub async fn stop(mut self) {
        self.stop_doors.cancel();
        while self.doors.join_next().await.is_some() {}
        self.stop_work.cancel();
        while self.work.join_next().await.is_some() {}
    }
}

/// Gives signs of life until `stop`.
async fn beat(operations: Operations, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        if let Err(fault) = operations.heartbeat().await {
            tracing::warn!(event = "serve.silent", code = %fault.code, "The sign of life could not be written: {fault}");
        }
    }
}

/// Keeps the gauges true until `stop`. The first look waits too: a start has more urgent things to read.
async fn publish(operations: Operations, stop: CancellationToken) {
    let mut gauges = Gauges::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(GAUGES) => {}
        }
        if let Err(fault) = operations.publish_gauges(&mut gauges).await {
            tracing::warn!(event = "metrics.stale", code = %fault.code, "The gauges could not be read: {fault}");
        }
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() -> Result<(), CliError> {
    let listen =
        |kind| signal(kind).map_err(|error| CliError::new(Code::INTERNAL, format!("no signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Ends the bulk deletions and bulk mails of the embedded CRM that an ended process left behind.
async fn go_on_with_jobs(crm: Embedded, stop: CancellationToken) {
    let resumed = tokio::select! {
        () = stop.cancelled() => return,
        resumed = messages::resume(&crm) => resumed,
    };
    if let Err(failure) = resumed {
        let fault = Fault::from(failure);
        tracing::warn!(event = "crm.job_failed", code = %fault.code, "A bulk deletion or bulk mail waits for the next start: {fault}");
    }
}

/// Arms a kill point when the environment names one: for crash drills, of commands too.
pub fn arm() {
    let Ok(wanted) = std::env::var(KILL_AT) else { return };
    let (name, count) = wanted
        .rsplit_once(':')
        .map_or((wanted.as_str(), 1), |(name, count)| (name, count.parse().unwrap_or(1)));
    tracing::warn!(event = "kill.armed", "This process will kill itself at {name}");
    kill::arm(name, count, die);
}

fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // SIGKILL cannot be handled; this line is reached only if the kernel refused to send it.
    std::process::abort()
}

fn ports(app: &App) -> Ports {
    let inbox: Arc<dyn Inbox> = app.intake.clone();
    let disk: Arc<dyn DiskRoom> = Arc::new(DataFolder(app.data_folder()));
    let in_flight = app.config.smtp_in.max_in_flight; // one budget for both listeners
    Ports { inbox, disk, budget: Budget::new(in_flight.get()), clock: Clock::system(), ids: Ids::random() }
}

/// The settings that SMTP and LMTP share.
struct Door<'c> {
    protocol: Protocol,
    listen: std::net::SocketAddr,
    host: String,
    domains: Vec<String>,
    max_message: Size,
    max_recipients: u32,
    max_connections: u32,
    per_peer: u32,
    timeout: Span,
    tls: Option<(&'c std::path::PathBuf, &'c std::path::PathBuf)>,
    trust: Option<Arc<trust::Evaluator>>,
}

async fn smtp(app: &App, ports: &Ports) -> Result<Option<Listener>, CliError> {
    let smtp = &app.config.smtp_in;
    if !smtp.enabled {
        return Ok(None);
    }
    let door = Door {
        protocol: Protocol::Smtp,
        listen: smtp.listen.get(),
        host: smtp.hostname.as_ref().map_or_else(host_name, ToString::to_string),
        domains: smtp.accept_domains.iter().map(ToString::to_string).collect(),
        max_message: smtp.max_message,
        max_recipients: smtp.max_recipients,
        max_connections: smtp.max_connections,
        per_peer: smtp.max_connections_per_peer,
        timeout: smtp.timeout,
        tls: smtp.tls_cert.as_ref().zip(smtp.tls_key.as_ref()),
        trust: evaluator(app).await?,
    };
    listener(app, ports, door).await.map(Some)
}

/// Checks senders, unless switched off. Without name servers nothing can be checked, and mail comes in unchecked.
async fn evaluator(app: &App) -> Result<Option<Arc<trust::Evaluator>>, CliError> {
    let smtp = &app.config.smtp_in;
    if !smtp.check_senders {
        return Ok(None);
    }
    let dns = match trust::dns::System::new() {
        Ok(dns) => dns,
        Err(missing) => {
            tracing::warn!(event = "trust.off", "Senders are not checked: {missing}");
            return Ok(None);
        }
    };
    let host = smtp.hostname.as_ref().map_or_else(host_name, ToString::to_string);
    let mut options = trust::Options::new(host);
    options.trusted.extend(networks(&smtp.trusted_networks)?);
    options.sealers.extend(smtp.trusted_sealers.iter().map(ToString::to_string));
    let started = trust::Evaluator::start(Arc::new(dns), options).await;
    let started = started.map_err(|error| CliError::new(Code::LISTEN_FAILED, error.to_string()))?;
    Ok(Some(Arc::new(started)))
}

fn networks(written: &[Network]) -> Result<Vec<trust::Network>, CliError> {
    let read = |network: &Network| network.as_ref().parse::<trust::Network>();
    let read = written.iter().map(read).collect::<Result<_, _>>();
    read.map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))
}

async fn lmtp(app: &App, ports: &Ports) -> Result<Option<Listener>, CliError> {
    let (lmtp, smtp) = (&app.config.lmtp_in, &app.config.smtp_in);
    if !lmtp.enabled {
        return Ok(None);
    }
    let host = lmtp.hostname.as_ref().or(smtp.hostname.as_ref());
    let door = Door {
        protocol: Protocol::Lmtp,
        listen: lmtp.listen.get(),
        host: host.map_or_else(host_name, ToString::to_string),
        domains: lmtp.domains(smtp).iter().map(ToString::to_string).collect(),
        max_message: lmtp.max_message,
        max_recipients: lmtp.max_recipients,
        max_connections: lmtp.max_connections,
        per_peer: lmtp.max_connections_per_peer,
        timeout: lmtp.timeout,
        tls: lmtp.tls_cert.as_ref().zip(lmtp.tls_key.as_ref()),
        trust: None, // its clients are our own mail server
    };
    listener(app, ports, door).await.map(Some)
}

async fn listener(app: &App, ports: &Ports, door: Door<'_>) -> Result<Listener, CliError> {
    let addresses = app.config.mailboxes.values().flat_map(|mailbox| mailbox.all_addresses());
    // Replies and bounces to signed addresses of ours come back here, whatever else is taken.
    let signed = app.config.smtp_out.as_ref().filter(|out| out.reply_address || out.bounce_address);
    let signed = signed.map(|_| app.signer.reply_domain().to_owned());
    let domains = door.domains.into_iter().chain(signed);
    let recipients = Recipients::new(domains, addresses.map(ToString::to_string));
    let mut options = Options::new(door.protocol, door.listen, door.host, recipients);
    options.limits = Limits {
        max_message: door.max_message.get(),
        max_recipients: door.max_recipients as usize,
        max_connections: door.max_connections as usize,
        max_connections_per_peer: door.per_peer as usize,
        max_commands: door.max_recipients + 2000,
        idle: door.timeout.get(),
        disk_reserve: app.config.storage.disk_reserve.get(),
        ..Limits::default()
    };
    options.trust = door.trust;
    if let Some((certificate, key)) = door.tls {
        let config = server_config(certificate, key);
        options.tls = Some(config.map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))?);
    }
    let bound = Listener::bind(options, ports.clone()).await;
    bound.map_err(|error| CliError::new(Code::LISTEN_FAILED, error.to_string()))
}

async fn web(app: &App, metrics: Option<crate::metrics::Metrics>) -> Result<Option<Web>, CliError> {
    let http = &app.config.http;
    let Some(listen) = &http.listen else { return Ok(None) };
    let tls = match http.tls_cert.as_ref().zip(http.tls_key.as_ref()) {
        Some((certificate, key)) => Some(
            server_config(certificate, key)
                .map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))?,
        ),
        None => None,
    };
    let proxies = networks(&http.proxies)?;
    let options = postroom_web::Options {
        listen: listen.get(),
        public_url: http.public_url.as_ref().map(ToString::to_string),
        tls,
        max_message: http.max_message.get(),
        is_proxy: Arc::new(move |address| proxies.iter().any(|network| network.contains(address))),
    };
    let render = Arc::new(move || metrics.as_ref().map(crate::metrics::Metrics::render).unwrap_or_default());
    let bound = Web::bind(options, app.operations.clone(), render).await;
    bound.map(Some).map_err(|error| CliError::new(Code::LISTEN_FAILED, error.to_string()))
}
