//! `postroom explain PR-3001`: what an error code means, who can mend it, and what to do. From `core::code`.

use postroom_core::code::{self, Code, Entry};
use serde::Serialize;

use crate::cli::ExplainArgs;
use crate::report::{CliError, Column, Exit, Output};

/// One code as it is printed.
#[derive(Serialize)]
struct Explained {
    code: String,
    title: &'static str,
    meaning: &'static str,
    owner: &'static str,
    retryable: bool,
    #[serde(rename = "do")]
    action: &'static str,
}

impl From<&Entry> for Explained {
    fn from(entry: &Entry) -> Self {
        Explained {
            code: entry.code.to_string(),
            title: entry.title,
            meaning: entry.meaning,
            owner: entry.owner.as_str(),
            retryable: entry.retryable,
            action: entry.action,
        }
    }
}

const COLUMNS: [Column; 4] = [
    Column::id("code", "/code"),
    Column::new("title", "/title"),
    Column::new("owner", "/owner"),
    Column::new("do", "/do"),
];

/// Prints one code, or all.
pub fn run(arguments: &ExplainArgs, out: &mut Output) -> Result<(), CliError> {
    match &arguments.code {
        None => {
            let all: Vec<Explained> = code::ALL.iter().map(Explained::from).collect();
            Ok(out.list(&COLUMNS, &all)?)
        }
        Some(text) => one(text, out),
    }
}

fn one(text: &str, out: &mut Output) -> Result<(), CliError> {
    let code: Option<Code> = text.parse().ok();
    let Some(entry) = code.and_then(code::entry) else {
        let unknown = CliError::new(Code::API_NOT_FOUND, format!("{text:?} is not a code of this version"));
        return Err(unknown.with_exit(Exit::NotFound).with_action("List them with: postroom explain --all"));
    };
    let explained = Explained::from(entry);
    if out.style().form != crate::report::Form::Human {
        return Ok(out.item(&explained)?);
    }
    let again = if entry.retryable { "yes, by itself" } else { "no" };
    out.text(&format!("{}: {}", entry.code, entry.title))?;
    out.text(&format!("  meaning:     {}", entry.meaning))?;
    out.text(&format!("  do:          {}", entry.action))?;
    out.text(&format!("  who:         {}", entry.owner.as_str()))?;
    Ok(out.text(&format!("  tried again: {again}"))?)
}
