//! Why a definition cannot be made, changed or deleted. Each text says what would be taken.

/// One reason. It carries names of definitions only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "the name {name:?} needs a publisher's prefix: a letter and 1 to 7 letters or digits, but not mscrm, then _, as in \
         new_Thing"
    )]
    Prefix { name: String },
    #[error("the name {name:?} is not a name: letters, digits and _ of ASCII, at most {longest} of them")]
    Name { name: String, longest: usize },
    #[error("there is a {what} {name} already; choose another name")]
    Taken { what: &'static str, name: String },
    #[error("there is no {what} {name}")]
    Missing { what: &'static str, name: String },
    #[error("the {what} {name} comes with the CRM and cannot be deleted or changed so")]
    Standard { what: &'static str, name: String },
    #[error("the {what} {name} is in use by {by}; delete that first")]
    InUse { what: &'static str, name: String, by: String },
    #[error("the {what} {name}: {why}")]
    Unfit { what: &'static str, name: String, why: &'static str },
    #[error("{table} has {rows} rows with the same {columns}; a key would refuse all but one")]
    Duplicates { table: String, columns: String, rows: i64 },
}

impl Problem {
    pub(super) fn unfit(what: &'static str, name: &str, why: &'static str) -> Self {
        Problem::Unfit { what, name: name.to_owned(), why }
    }

    pub(super) fn missing(what: &'static str, name: &str) -> Self {
        Problem::Missing { what, name: name.to_owned() }
    }
}
