//! `postroom completion SHELL`: a script with which the shell asks this program what can come next. So commands, flags,
//! names and ids all come from where they are defined ([`crate::commands::candidates`] for what is stored).

use std::ffi::OsString;
use std::path::Path;

use clap::Args;
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};
use postroom_core::Code;

use super::command;
use crate::report::{CliError, Output};

/// With this variable the shell asks; no key of the configuration can have its name.
const ASKED: &str = "_POSTROOM_COMPLETE";

/// `completion`
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_parser = clap::builder::EnumValueParser::<Shell>::new())]
    pub shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &CompletionArgs, out: &mut Output) -> Result<(), CliError> {
    let shells = Shells::builtins();
    let shell = shells.completer(&arguments.shell.to_string()).ok_or_else(|| {
        CliError::new(Code::INTERNAL, format!("no completion is known for {}", arguments.shell))
    })?;
    let mut script = Vec::new();
    shell.write_registration(ASKED, "postroom", "postroom", &program(), &mut script)?;
    Ok(out.bytes(&script)?)
}

/// Answers a shell that asks; `false` when this is a run like any other. To be called before any thread is started.
pub fn answered() -> bool {
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(command).var(ASKED).bin("postroom");
    asked.try_complete(std::env::args_os(), here.as_deref()).unwrap_or_else(|error| error.exit())
}

/// What has been typed so far, the program's name first, when a shell asks.
pub fn typed() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1)
}

/// How the script calls this program: by its name when it was found in PATH, else by the file it is.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let found_in_path = Path::new(&called).components().count() <= 1;
    let file = std::env::current_exe().ok().filter(|_| !found_in_path);
    file.map_or_else(|| "postroom".to_owned(), |file| file.to_string_lossy().into_owned())
}
