//! `postroom completion SHELL`: a script made from the same definition that reads the arguments.

use clap::Args;
use clap_complete::Shell;

use super::command;
use crate::report::{CliError, Output};

/// `completion`
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_parser = clap::builder::EnumValueParser::<Shell>::new())]
    pub shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &CompletionArgs, out: &mut Output) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "postroom", &mut script);
    Ok(out.bytes(&script)?)
}
