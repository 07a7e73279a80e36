//! From arguments to [`Cli`], with clap's answer in our form when they are wrong.

use std::ffi::OsString;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ColorChoice, FromArgMatches};
use postroom_core::{Code, MailState};

use super::Cli;
use super::help::command;
use crate::report::{CliError, Exit};

/// What is to be said instead of running a command.
pub enum Usage {
    /// Help or version, to stdout.
    Help(String),
    /// What was wrong, to stderr. `text` is clap's own, with its suggestion.
    Wrong { text: String, error: Box<CliError>, json: bool },
}

/// Reads the arguments, the program's name first.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Usage> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let asked = |flag: &str| arguments.iter().skip(1).take_while(|one| *one != "--").any(|one| one == flag);
    let color = if asked("--no-color") { ColorChoice::Never } else { ColorChoice::Auto };
    let matches = command().color(color).try_get_matches_from(&arguments);
    matches
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| usage(&error, asked("--json")))
}

fn usage(error: &clap::Error, json: bool) -> Usage {
    let text = match std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        true => error.render().to_string(),
        false => styled(error),
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Usage::Help(text),
        _ => {
            let plain = error.render().to_string();
            let first = plain.lines().next().unwrap_or("wrong usage");
            let what = first.strip_prefix("error: ").unwrap_or(first).to_owned();
            let error = CliError::new(Code::API_INPUT, what).with_exit(Exit::Usage);
            let error = error.with_meaning("The command line is not right. Nothing was done.");
            Usage::Wrong { text, error: Box::new(error.with_action("Run it again with --help")), json }
        }
    }
}

/// Colours only for a terminal; clap writes help and mistakes to different ones.
fn styled(error: &clap::Error) -> String {
    use std::io::IsTerminal;
    let terminal =
        if error.use_stderr() { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    if terminal { error.render().ansi().to_string() } else { error.render().to_string() }
}

/// The message states, offered by help and completion.
pub(super) fn mail_state() -> impl TypedValueParser<Value = MailState> {
    let words = MailState::ALL.iter().map(|state| state.as_str());
    PossibleValuesParser::new(words).try_map(|text| MailState::from_str(&text))
}
