//! A section added to the configuration file by a command, once the whole was found to hold together with it.

use std::io::Write;
use std::path::{Path, PathBuf};

use postroom_core::Code;

use crate::cli::Globals;
use crate::config;
use crate::report::CliError;

/// Appends a section to the configuration file; answers the file.
pub fn append(section: &str, globals: &Globals) -> Result<PathBuf, CliError> {
    let sources = globals.sources();
    let loaded = config::load(&sources).map_err(CliError::from)?;
    let file = loaded.files.first().ok_or_else(|| {
        CliError::new(
            Code::CONFIG_MISSING,
            "there is no file to write to: all keys come from the environment",
        )
    })?;
    // Beside the file, so that its conf.d counts too.
    let draft = file.with_extension("toml.new");
    let failed =
        |error: std::io::Error| CliError::new(Code::CONFIG_INVALID, format!("{}: {error}", draft.display()));
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let gap = if text.ends_with('\n') || text.is_empty() { "\n" } else { "\n\n" };
    let written = write_draft(file, &draft, &format!("{text}{gap}{section}")).map_err(failed);
    let checked = written.and_then(|()| {
        let sources = config::Sources { file: Some(draft.clone()), ..sources };
        let loaded = config::load(&sources).map_err(CliError::from)?;
        let (problems, _) = loaded.check_files();
        if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
    });
    match checked.and_then(|()| std::fs::rename(&draft, file).map_err(failed)) {
        Ok(()) => Ok(file.clone()),
        Err(error) => {
            let _ = std::fs::remove_file(&draft);
            Err(error)
        }
    }
}

fn write_draft(file: &Path, draft: &Path, text: &str) -> std::io::Result<()> {
    let mut written = std::fs::File::create_new(draft)?;
    written.set_permissions(std::fs::metadata(file)?.permissions())?;
    written.write_all(text.as_bytes())?;
    written.sync_all()
}
