//! The daily top-level commands: init, check, doctor, verify. What has to do with backups is in `backup`.

use std::io::Write;
use std::path::Path;

use postroom_core::Code;
use postroom_operations::{CheckWanted, Tried};

use crate::app::App;
use crate::cli::{CheckArgs, InitArgs};
use crate::commands::{actor, block_on};
use crate::config;
use crate::report::{CliError, Column, Exit, Output};

/// Writes a first configuration and makes the database.
pub fn init(arguments: &InitArgs, out: &mut Output) -> Result<Exit, CliError> {
    let fail = |path: &Path, error: std::io::Error| {
        CliError::new(Code::CONFIG_INVALID, format!("{}: {error}", path.display()))
    };
    let file = arguments.dir.join("postroom.toml");
    let folder = std::path::absolute(&arguments.dir).map_err(|error| fail(&arguments.dir, error))?;
    let database = arguments.database.clone();
    let database = database.unwrap_or_else(|| format!("sqlite://{}", folder.join("postroom.db").display()));
    if file.exists() {
        out.note(&format!("{} is there already; nothing was changed", file.display()))?;
        return Ok(Exit::Done);
    }
    let text = config::example(&[("storage.url", format!("\"{database}\""))]);
    if arguments.dry_run.dry_run {
        out.bytes(text.as_bytes())?;
        return Ok(Exit::Done);
    }
    std::fs::create_dir_all(&arguments.dir).map_err(|error| fail(&arguments.dir, error))?;
    let mut created = std::fs::File::create_new(&file).map_err(|error| fail(&file, error))?;
    created.write_all(text.as_bytes()).map_err(|error| fail(&file, error))?;
    let sources = config::Sources::from_process(Some(file.clone()), Vec::new());
    let loaded = config::load(&sources).map_err(CliError::from)?;
    block_on(App::open(loaded.config))?;
    out.text(&format!("Wrote {} and made the database {database}.", file.display()))?;
    out.note("next: edit the file, then run: postroom check, and: postroom serve")?;
    Ok(Exit::Done)
}

/// Tries what the configuration names.
pub async fn check(app: &App, arguments: &CheckArgs, out: &mut Output) -> Result<Exit, CliError> {
    let CheckArgs { part, name, round_trip } = arguments;
    let wanted = CheckWanted { part: *part, name: name.clone(), round_trip: *round_trip };
    let mut broken = Ok(());
    let mut asked = |text: &str| broken = out.note(text);
    let tried = app.operations.check(&actor(), &wanted, &mut asked).await?;
    broken?;
    told(&tried, out)
}

fn told(tried: &[Tried], out: &mut Output) -> Result<Exit, CliError> {
    let columns = [
        Column::id("part", "/part"),
        Column::new("ok", "/ok"),
        Column::new("said", "/said"),
        Column::new("do", "/do"),
    ];
    out.list(&columns, tried)?;
    Ok(if tried.iter().all(|tried| tried.ok) { Exit::Done } else { Exit::No })
}

/// Looks for anything that needs a person.
pub async fn doctor(app: &App, out: &mut Output) -> Result<Exit, CliError> {
    told(&app.operations.doctor(&actor()).await?, out)
}

/// Exit 0 when the books balance, else 20 with what does not.
pub async fn verify(app: &App, out: &mut Output) -> Result<Exit, CliError> {
    let books = app.operations.verify(&actor()).await?;
    out.item(&books)?;
    match books.balance() {
        true => Ok(Exit::Done),
        false => {
            out.note("something does not add up: look at the findings, then at the messages they name")?;
            Ok(Exit::No)
        }
    }
}
