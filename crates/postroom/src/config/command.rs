//! `postroom config show | example | validate`.

use serde_json::{Value, json};

use super::{Loaded, Origin, Problem, Sources, example, load};
use crate::cli::{ConfigCommand, ConfigShowArgs};
use crate::report::{CliError, Column, Exit, Form, Output};
use postroom_core::Code;

/// Runs one of them. None needs a database.
pub fn run(command: &ConfigCommand, sources: &Sources, out: &mut Output) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Show(arguments) => show(arguments, &load(sources)?, out),
        ConfigCommand::Example => {
            out.bytes(example(&[]).as_bytes())?;
            Ok(Exit::Done)
        }
        ConfigCommand::Validate => validate(sources, out),
    }
}

const SHOWN: [Column; 3] =
    [Column::id("key", "/key"), Column::new("value", "/literal"), Column::id("origin", "/origin")];

fn show(arguments: &ConfigShowArgs, loaded: &Loaded, out: &mut Output) -> Result<Exit, CliError> {
    let wanted = |key: &str| match arguments.key.as_deref() {
        None => true,
        Some(prefix) => key.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
    };
    let leaves = loaded.config.leaves();
    let leaves: Vec<_> = leaves.into_iter().filter(|leaf| wanted(&leaf.key)).collect();
    if leaves.is_empty() {
        let text = format!("no key begins with {:?}", arguments.key.as_deref().unwrap_or_default());
        return Err(
            CliError::new(Code::API_NOT_FOUND, text).with_action("List them with: postroom config show")
        );
    }
    let human = out.style().form == Form::Human;
    let items: Vec<Value> = leaves
        .iter()
        .map(|leaf| {
            let unset = if human { "(not set)" } else { "" };
            let mut item = json!({ "key": leaf.key, "value": value(leaf.literal.as_deref()) });
            if out.style().form != Form::Json {
                item["literal"] = json!(leaf.literal.as_deref().unwrap_or(unset));
            }
            if arguments.origin {
                item["origin"] = json!(origin(loaded, &leaf.key).to_string());
            }
            item
        })
        .collect();
    let columns = if arguments.origin { &SHOWN[..] } else { &SHOWN[..2] };
    out.list(columns, &items)?;
    Ok(Exit::Done)
}

/// The origin of a key, or of the table that it was given in as a whole.
fn origin(loaded: &Loaded, key: &str) -> Origin {
    loaded.origins.get(key).cloned().unwrap_or(Origin::Default)
}

/// TOML text as JSON.
fn value(literal: Option<&str>) -> Value {
    let parsed =
        literal.and_then(|literal| toml::from_str::<toml::Table>(&format!("value = {literal}")).ok());
    parsed.and_then(|mut table| table.remove("value")).map_or(Value::Null, |value| json!(value))
}

fn validate(sources: &Sources, out: &mut Output) -> Result<Exit, CliError> {
    let (problems, warnings, files) = match load(sources) {
        Err(problems) => (problems, Vec::new(), Vec::new()),
        Ok(loaded) => {
            let (problems, more) = loaded.check_files();
            let warnings = loaded.warnings.iter().cloned().chain(more).collect();
            (problems, warnings, loaded.files)
        }
    };
    let list = |problems: &[Problem]| problems.iter().map(as_json).collect::<Vec<_>>();
    if out.is_json() {
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let valid = problems.is_empty();
        out.item(&json!({
            "valid": valid, "files": files, "problems": list(&problems), "warnings": list(&warnings),
        }))?;
    } else {
        for problem in &problems {
            out.text(&crate::report::one_line(&format!("{}: {problem}", problem.code)))?;
        }
        for warning in &warnings {
            out.note(&format!("warning: {warning}"))?;
        }
    }
    match problems.as_slice() {
        [] => {
            out.text("the configuration is valid")?;
            Ok(Exit::Done)
        }
        [only] => Err(refused(only.code, "1 problem in the configuration, listed above")),
        [first, ..] => Err(refused(
            first.code,
            &format!("{} problems in the configuration, listed above", problems.len()),
        )),
    }
}

fn refused(code: Code, what: &str) -> CliError {
    CliError::new(code, what).with_exit(Exit::ConfigInvalid)
}

fn as_json(problem: &Problem) -> Value {
    let place = match &problem.origin {
        Origin::File(place) => json!({
            "file": place.file.display().to_string(), "line": place.line, "column": place.column,
        }),
        other => json!({ "origin": other.to_string() }),
    };
    json!({ "code": problem.code.to_string(), "key": problem.key, "message": problem.message, "place": place })
}
