//! `backup`, `restore` and `reconcile`: a copy of the database, put back, in safe mode until somebody has looked.

use std::path::{Path, PathBuf};

use postroom_core::{Code, Fault};
use postroom_operations::Operations;
use postroom_store::Store;
use postroom_tracking::settings::{self, SAFE_MODE};
use serde_json::json;

use crate::app::{App, areas};
use crate::cli::{BackupArgs, Globals, ReconcileArgs, RestoreArgs};
use crate::commands::actor;
use crate::config::{Config, CrmKind};
use crate::report::{CliError, Exit, Output};
use crate::wiring::crm::Make;

/// SQLite's file, and those beside it while it is in use.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// Copies the database while it is in use, and verifies the copy.
pub async fn run(app: &App, arguments: &BackupArgs, out: &mut Output) -> Result<Exit, CliError> {
    let target = &arguments.to;
    if target.exists() {
        return Err(CliError::new(Code::API_CONFLICT, format!("{} exists already", target.display())));
    }
    if app.store.path().is_none() {
        let text = "a PostgreSQL database is backed up with its own tools";
        return Err(CliError::new(Code::API_INPUT, text)
            .with_action("Use pg_dump or the server's own backup; docs/BACKUP.md says how it is put back"));
    }
    if arguments.dry_run.dry_run {
        out.item(&json!({ "file": target, "dry_run": true }))?;
        return Ok(Exit::Done);
    }
    app.store.backup(target.clone()).await.map_err(Fault::from)?;
    // Whoever starts on this copy must not send or write as if nothing had happened since.
    let copy = open_copy(target, app.config.crm.kind).await?;
    settings::set(&copy, SAFE_MODE, "on".into()).await.map_err(Fault::from)?;
    // A CRM outside is not in the copy: it is asked as it stands.
    let crm = match app.crm.embedded() {
        Some(_) => Make::open(&app.config, &copy, &app.clock, &app.ids).await?.port(),
        None => app.filing.crm.clone(),
    };
    let installation = app.operations.rules().installation;
    let books = postroom_tracking::verify::verify(&copy, &*crm, installation).await?;
    out.item(&json!({ "file": target, "bytes": size(target), "messages": books.messages, "balances": books.balance() }))?;
    out.note("put it back with: postroom restore FILE")?;
    Ok(if books.balance() { Exit::Done } else { Exit::No })
}

async fn open_copy(file: &Path, kind: CrmKind) -> Result<Store, CliError> {
    let file =
        std::path::absolute(file).map_err(|error| CliError::new(Code::STORE_FAILED, error.to_string()))?;
    let url = format!("sqlite://{}", file.display());
    Ok(Store::open(&url, &postroom_store::Options::default(), &areas(kind)).await.map_err(Fault::from)?)
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map(|found| found.len()).unwrap_or_default()
}

/// Puts a backup in the database's place. The old files stay beside it under another name, and safe mode is on.
pub async fn restore(
    arguments: &RestoreArgs,
    config: Config,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let Some(from) = &arguments.from else { return mark(arguments, config, globals, out).await };
    let url = config.storage.url.expose();
    let Some(path) = url.strip_prefix("sqlite://").map(PathBuf::from) else {
        let text = "a PostgreSQL database is restored with its own tools";
        let next =
            "Stop postroom, use pg_restore, then run: postroom restore --mark, and: postroom reconcile";
        return Err(CliError::new(Code::API_INPUT, text).with_action(next));
    };
    if !from.is_file() {
        return Err(CliError::new(Code::API_NOT_FOUND, format!("{} is no file", from.display())));
    }
    let aside = aside(&path);
    if arguments.dry_run.dry_run {
        out.item(&json!({ "from": from, "to": path, "kept": aside, "dry_run": true }))?;
        return Ok(Exit::Done);
    }
    nobody_serves(&path, config.crm.kind).await?;
    arguments.yes.confirm(
        &format!("Replace {} by {}? postroom serve must not be running.", path.display(), from.display()),
        globals,
    )?;
    let (whole, messages) = staged(from, &path, config.crm.kind).await?;
    let failed = |error| failed(&path, &error);
    for ending in ENDINGS {
        let old = beside(&path, ending);
        if old.exists() {
            std::fs::rename(&old, beside(&aside, ending)).map_err(failed)?;
        }
    }
    std::fs::rename(&whole, &path).map_err(failed)?;
    out.item(&json!({ "restored": path, "kept": aside, "messages": messages, "safe_mode": true }))?;
    out.note("safe mode is on: nothing leaves until you run: postroom reconcile")?;
    Ok(Exit::Done)
}

/// A database that came back by other means: safe mode is on from here.
async fn mark(
    arguments: &RestoreArgs,
    config: Config,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let app = App::open(config).await?;
    if arguments.dry_run.dry_run {
        out.item(&json!({ "safe_mode": app.operations.safe_mode().await?, "dry_run": true }))?;
        return Ok(Exit::Done);
    }
    arguments.yes.confirm("Turn safe mode on: no mail is sent until the reconciliation?", globals)?;
    app.operations.begin_reconciliation(&actor()).await?;
    out.item(&json!({ "safe_mode": true }))?;
    out.note("safe mode is on: nothing leaves until you run: postroom reconcile")?;
    Ok(Exit::Done)
}

/// Refuses while a server works on this database: it would go on acknowledging mail into the file that is moved aside.
async fn nobody_serves(path: &Path, kind: CrmKind) -> Result<(), CliError> {
    if !path.exists() {
        return Ok(());
    }
    // A database too damaged to be read is one that nobody serves, and a reason to restore.
    let Ok(live) = open_copy(path, kind).await else { return Ok(()) };
    let Ok(Some(silent)) = Operations::silence(&live, &postroom_core::Clock::system()).await else {
        return Ok(());
    };
    if silent > postroom_operations::SILENT {
        return Ok(());
    }
    let text = format!(
        "postroom serve runs on {}: its last sign of life came {} s ago; nothing was done",
        path.display(),
        silent.as_secs().max(0)
    );
    let next = format!(
        "Stop it (SIGTERM), then run this again; one that was killed is taken for gone after {} minutes",
        postroom_operations::SILENT.as_mins()
    );
    Err(CliError::new(Code::API_CONFLICT, text).with_action(next))
}

/// The backup as one file beside the database, in safe mode, with its messages counted.
async fn staged(from: &Path, path: &Path, kind: CrmKind) -> Result<(PathBuf, u64), CliError> {
    let (part, whole) = (path.with_extension("restoring"), path.with_extension("restored"));
    swept(&part);
    swept(&whole);
    let made = stage(from, &part, &whole, kind).await;
    swept(&part);
    if made.is_err() {
        swept(&whole);
    }
    made.map(|messages| (whole, messages))
}

async fn stage(from: &Path, part: &Path, whole: &Path, kind: CrmKind) -> Result<u64, CliError> {
    for ending in ["", "-wal"] {
        let source = beside(from, ending);
        if source.exists() {
            std::fs::copy(&source, beside(part, ending)).map_err(|error| failed(&source, &error))?;
        }
    }
    let copy = open_copy(part, kind).await.map_err(|error| no_backup(from, &error.what))?;
    let known = settings::get(&copy, "installation").await.map_err(Fault::from)?;
    if known.is_none() {
        return Err(no_backup(from, "it holds no installation of postroom"));
    }
    settings::set(&copy, SAFE_MODE, "on".into()).await.map_err(Fault::from)?;
    Operations::leave_quiet(&copy, &postroom_core::Clock::system()).await?;
    let books = postroom_tracking::messages::counts(&copy).await.map_err(Fault::from)?;
    copy.backup(whole.to_owned()).await.map_err(Fault::from)?; // one file without a log beside it
    Ok(books.iter().map(|(_, count)| count).sum())
}

fn no_backup(from: &Path, why: &str) -> CliError {
    let text = format!("{} is no backup of postroom: {why}; nothing was done", from.display());
    CliError::new(Code::API_INPUT, text).with_action("Name a file that postroom backup wrote")
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Code::STORE_FAILED, format!("{}: {error}", path.display()))
}

/// A name for the database that is replaced which no earlier one has.
fn aside(path: &Path) -> PathBuf {
    let first = path.with_extension("before-restore");
    let later = (2..).map(|number| path.with_extension(format!("before-restore-{number}")));
    let is_free = |name: &PathBuf| ENDINGS.iter().all(|ending| !beside(name, ending).exists());
    std::iter::once(first.clone()).chain(later).find(is_free).unwrap_or(first)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

/// Removes what an earlier run left.
fn swept(path: &Path) {
    for ending in ENDINGS {
        drop(std::fs::remove_file(beside(path, ending)));
    }
}

/// After a restore: shows what stands, then leaves safe mode.
pub async fn reconcile(
    app: &App,
    arguments: &ReconcileArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let books = app.operations.verify(&actor()).await?;
    out.item(&json!({ "safe_mode": app.operations.safe_mode().await?, "books": books }))?;
    if arguments.dry_run.dry_run {
        return Ok(Exit::Done);
    }
    arguments.yes.check_count(books.messages)?;
    arguments.yes.confirm("Leave safe mode: mail may be sent and retried again?", globals)?;
    let asked = app.operations.confirm_reconciliation(&actor()).await?;
    out.note("safe mode is off")?;
    if asked.sends + asked.singles > 0 {
        out.note(&format!(
            "{} sends of campaigns and {} to single people wait for your word: see postroom marketing campaign sends and singles",
            asked.sends, asked.singles
        ))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_restores_keep_the_old_data_under_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postroom.db");
        let name = || aside(&path).file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(name(), "postroom.before-restore");
        std::fs::write(folder.path().join("postroom.before-restore"), "").unwrap();
        std::fs::write(folder.path().join("postroom.before-restore-2-wal"), "").unwrap();
        assert_eq!(name(), "postroom.before-restore-3");
    }
}
