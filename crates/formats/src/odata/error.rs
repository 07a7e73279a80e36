//! What is wrong with a request, as the Web API would say it (dataverse.md A3). Texts are those of the platform where they
//! are known, because clients and their users search for them.

/// A refusal: what stands in the answer's status line and its `error` object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The HTTP status.
    pub status: u16,
    /// The platform's number, such as 0x80060888; [`hex`] writes it.
    pub code: u32,
    pub message: String,
    /// Where in the text of the option or path, in characters from 0.
    pub position: Option<usize>,
}

/// `0x80060888`, as it stands in JSON.
pub fn hex(code: u32) -> String {
    format!("{code:#010x}")
}

/// A problem of the request's URL or its parts.
const BAD_REQUEST: u32 = 0x8006_0888;
/// `EntityKeyNotDefined`.
const NO_SUCH_KEY: u32 = 0x8006_0890;

impl Error {
    /// A 400 with the code of everything that cannot be read.
    pub fn bad(message: impl Into<String>) -> Self {
        Error { status: 400, code: BAD_REQUEST, message: message.into(), position: None }
    }

    /// `message` names no place; the text and the place are added in the platform's manner.
    pub(super) fn at(what: &str, text: &str, byte: usize) -> Self {
        let position = text.char_indices().take_while(|(at, _)| *at < byte).count();
        let message = format!("{what} at position {position} in '{}'.", clipped(text));
        Error { position: Some(position), ..Error::bad(message) }
    }

    pub(super) fn syntax(text: &str, byte: usize) -> Self {
        Error::at("Syntax error", text, byte)
    }

    pub(super) fn too_deep() -> Self {
        Error::bad("Recursion depth exceeded allowed limit.")
    }

    pub(super) fn too_long(what: &str) -> Self {
        Error { status: 414, ..Error::bad(format!("The {what} is longer than {} bytes.", super::MAX_TEXT)) }
    }

    /// A column or navigation property that a type does not have.
    pub fn no_property(name: &str, table: &str) -> Self {
        let (name, namespace) = (clipped(name), super::NAMESPACE);
        Error::bad(format!("Could not find a property named '{name}' on type '{namespace}.{table}'."))
    }

    /// A segment of a path that names nothing.
    pub fn no_segment(name: &str) -> Self {
        let message = format!("Resource not found for the segment '{}'.", clipped(name));
        Error { status: 404, ..Error::bad(message) }
    }

    /// Columns that are not the columns of an alternate key.
    pub fn no_key(columns: &str, table: &str) -> Self {
        let message =
            format!("The specified key attributes are not a defined key for the {table} entity: {columns}");
        Error { code: NO_SUCH_KEY, ..Error::bad(message) }
    }

    /// A `$1` that names no earlier request of its change set.
    pub fn no_reference(id: &str) -> Self {
        let id = clipped(id);
        Error::bad(format!("Content-ID Reference: '${id}' does not exist in the batch context."))
    }
}

/// Messages repeat what was asked, but not 64 KiB of it.
pub(super) fn clipped(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_characters() {
        let error = Error::syntax("größe eqq 1", "größe ".len());
        assert_eq!(error.position, Some(6));
        assert_eq!(error.to_string(), "Syntax error at position 6 in 'größe eqq 1'.");
        assert_eq!(hex(error.code), "0x80060888");
    }

    #[test]
    fn long_texts_are_clipped() {
        assert!(Error::no_property(&"ä".repeat(60_000), "contact").message.len() < 600);
    }
}
