//! `If-Match` and `If-None-Match`: what must hold of a row before it is written, and whether it must be read again
//! (dataverse.md A6). Tags are compared weakly, with `W/` or without; a header may list several. The word `null`, which many
//! clients send, is no tag.

use super::call::Call;
use super::{Ability, Problem};

/// What the headers say about the row to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    None,
    /// It must be there.
    There,
    /// It must still be this version.
    Version(i64),
    /// It must not be there.
    Absent,
}

/// # Errors
/// Tags that no row here can have, and tags at a door that compares none.
pub(crate) fn condition(call: &Call<'_>) -> Result<Condition, Problem> {
    if call.header("if-none-match").map(str::trim) == Some("*") {
        return Ok(Condition::Absent);
    }
    match call.header("if-match").map(str::trim) {
        None | Some("" | "null") => Ok(Condition::None),
        Some("*") => Ok(Condition::There),
        Some(_) if !call.door.settings.has(Ability::Concurrency) => Err(Problem::no_concurrency()),
        Some(tag) => number(tag).map(Condition::Version).ok_or_else(Problem::version),
    }
}

/// Whether a reader has this version already.
pub(crate) fn is_known(call: &Call<'_>, version: i64) -> bool {
    let tags = call.header("if-none-match").unwrap_or_default();
    tags.split(',').any(|tag| number(tag) == Some(version))
}

fn number(tag: &str) -> Option<i64> {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').parse().ok()
}
