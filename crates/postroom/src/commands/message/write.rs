//! `postroom message write` and `postroom message answer`: mail of the embedded CRM from the command line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use postroom_core::Code;
use postroom_operations::{About, Letter, NewFile, Unwritten};

use crate::app::App;
use crate::cli::LetterArgs;
use crate::commands::actor;
use crate::report::{CliError, Exit, Output, one_line};

/// Larger than any file that fits into a mail.
const LARGEST: u64 = 64 << 20;
/// What common endings mean (the IANA registry of media types); others go without a type.
const KINDS: [(&str, &str); 14] = [
    ("csv", "text/csv"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("gif", "image/gif"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("txt", "text/plain"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("zip", "application/zip"),
];

/// Writes a mail about a record, or answers one.
pub async fn run(
    app: &App,
    about: &About,
    arguments: &LetterArgs,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let dry_run = arguments.dry_run.dry_run;
    let written = app.operations.write_mail(&actor(), about, letter(arguments)?, dry_run).await;
    let written = written.map_err(|error| match error {
        Unwritten::Fault(fault) => CliError::from(fault),
        Unwritten::Fields(_) => CliError::usage(error.to_string()),
    })?;
    if out.is_json() {
        out.item(&written)?;
        return Ok(Exit::Done);
    }
    let (to, subject) = (one_line(&written.to), one_line(&written.subject));
    out.text(&match (written.new, dry_run) {
        (true, true) => format!("An e-mail to {to} would be written: {subject}"),
        (true, false) => format!("{} to {to} waits to be sent: {subject}", written.email),
        (false, _) => format!("{} was written before: nothing is sent again", written.email),
    })?;
    if !dry_run {
        out.note("postroom serve sends it; look at it with: postroom queue list")?;
    }
    Ok(Exit::Done)
}

fn letter(arguments: &LetterArgs) -> Result<Letter, CliError> {
    let text = read(&arguments.text)?;
    let text = String::from_utf8(text)
        .map_err(|_| CliError::usage(format!("{} is not UTF-8", arguments.text.display())))?;
    Ok(Letter {
        id: arguments.email_id,
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        cc: arguments.cc.clone().unwrap_or_default(),
        subject: arguments.subject.clone(),
        text,
        files: arguments.files.iter().map(|path| attached(path)).collect::<Result<_, _>>()?,
    })
}

fn attached(path: &Path) -> Result<NewFile, CliError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let kind = KINDS.iter().find(|(known, _)| *known == ending).map_or("", |(_, kind)| *kind);
    Ok(NewFile { name, content_type: kind.to_owned(), bytes: read(path)?.into() })
}

/// A file, or stdin for `-`.
fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let fail = |error: std::io::Error| CliError::new(Code::API_INPUT, format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    match path.as_os_str() == "-" {
        true => std::io::stdin().take(LARGEST).read_to_end(&mut bytes).map_err(fail)?,
        false => File::open(path).map_err(fail)?.take(LARGEST).read_to_end(&mut bytes).map_err(fail)?,
    };
    Ok(bytes)
}
