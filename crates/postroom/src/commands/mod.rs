//! One file per noun; each command opens what it needs, calls one operation, prints the answer.

mod apitoken;
mod backup;
pub mod candidates;
mod check;
mod credentials;
mod crm;
mod discover;
mod mailbox;
mod marketing;
pub mod message;
mod person;
mod queue;
mod record;
mod round_trip;
mod section;
mod service;
mod session;
mod shelf;
mod solution;
mod token;
mod trial;

use std::future::Future;

use postroom_core::{Code, Ids};
use postroom_operations::Actor;
use tracing::Instrument;

use crate::app::App;
use crate::cli::{Cli, Command, Globals, SolutionCommand};
use crate::config::{self, Config};
use crate::report::{CliError, Exit, Output};
use crate::{demo, explain, serve};

pub use trial::Bench;

/// Runs the command that was typed.
pub fn run(cli: &Cli, out: &mut Output) -> Result<Exit, CliError> {
    let globals = &cli.globals;
    match &cli.command {
        Command::Explain(arguments) => explain::run(arguments, out).map(|()| Exit::Done),
        Command::Completion(arguments) => crate::cli::completion::run(arguments, out).map(|()| Exit::Done),
        Command::Config(command) => config::command::run(command, &globals.sources(), out),
        Command::Init(arguments) => service::init(arguments, out),
        Command::Demo(arguments) => block_on(demo::run(arguments, out)),
        Command::Serve => block_on(serve::run(load_checked(globals)?, out)),
        Command::Restore(arguments) => block_on(backup::restore(arguments, load(globals)?, globals, out)),
        Command::Message(command) => message::run(command, globals, out),
        // A file needs neither a configuration nor a CRM.
        Command::Solution(SolutionCommand::Export(arguments)) => solution::export(arguments, out),
        Command::Marketing(command) => {
            with_app(globals, async |app| Box::pin(marketing::run(app, command, globals, out)).await)
        }
        Command::Person(command) => {
            with_app(globals, async |app| Box::pin(person::run(app, command, globals, out)).await)
        }
        other => with_app(globals, async |app| match other {
            Command::Check(arguments) => service::check(&app, arguments, out).await,
            Command::Doctor => service::doctor(&app, out).await,
            Command::Verify => service::verify(&app, out).await,
            Command::Backup(arguments) => backup::run(&app, arguments, out).await,
            Command::Reconcile(arguments) => backup::reconcile(&app, arguments, globals, out).await,
            Command::Record(command) => record::run(&app, command, out).await,
            Command::Mailbox(command) => mailbox::run(&app, command, globals, out).await,
            Command::Queue(command) => queue::run(&app, command, globals, out).await,
            Command::Solution(command) => solution::run(&app, command, globals, out).await,
            Command::Crm(command) => discover::run(&app, command, out).await,
            Command::Token(command) => token::run(&app, command, out).await,
            Command::Shelf(command) => shelf::run(&app, command, globals, out).await,
            Command::Apitoken(command) => apitoken::run(&app, command, out).await,
            Command::Session(command) => session::run(&app, command, out).await,
            _ => unreachable!("handled above"),
        }),
    }
}

/// Whoever runs commands here.
pub(crate) fn actor() -> Actor {
    Actor::console()
}

/// The effective configuration; all that is wrong with it is told at once.
pub(crate) fn load(globals: &Globals) -> Result<Config, CliError> {
    let loaded = config::load(&globals.sources()).map_err(CliError::from)?;
    // A command says what it did by itself; the log is for what went wrong, unless -v asks for more.
    let mut logs = loaded.config.logs.clone();
    if globals.verbose == 0 && !globals.quiet {
        logs.level = config::Level::Warn;
    }
    crate::logs::install(&logs, postroom_core::Clock::system(), None);
    Ok(loaded.config)
}

/// The configuration for a process that stays: the files it names are looked at, and warnings are logged.
fn load_checked(globals: &Globals) -> Result<Config, CliError> {
    let loaded = config::load(&globals.sources()).map_err(CliError::from)?;
    crate::logs::install(&loaded.config.logs, postroom_core::Clock::system(), None);
    let (problems, _) = loaded.check_files();
    if !problems.is_empty() {
        return Err(problems.into());
    }
    loaded.log_warnings();
    Ok(loaded.config)
}

/// Opens everything, runs `work`. What is logged meanwhile carries the trace that a failure names.
pub(crate) fn with_app<F>(globals: &Globals, work: F) -> Result<Exit, CliError>
where
    F: AsyncFnOnce(App) -> Result<Exit, CliError>,
{
    let config = load(globals)?;
    serve::arm();
    let limit = globals.timeout.map(crate::config::Span::get);
    let trace = Ids::random().next().simple().to_string();
    let span = tracing::error_span!("command", trace_id = trace);
    let ran = async move {
        let job = async { work(App::open(config).await?).await };
        match limit {
            None => job.await,
            Some(limit) => tokio::time::timeout(limit, job).await.unwrap_or_else(|_| {
                let text = format!("not done after {limit:?}; what was stored by then stays");
                Err(CliError::new(Code::CRM_AWAY, text).with_exit(Exit::Unreachable))
            }),
        }
    };
    block_on(ran.instrument(span)).map_err(|error| error.with_trace(trace))
}

pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::new(Code::INTERNAL, format!("no runtime: {error}")))?;
    runtime.block_on(work)
}
