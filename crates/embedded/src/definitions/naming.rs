//! The rules for names of what is made at run time (dataverse.md F3): a publisher's prefix, `_`, then the name; the
//! logical name is the same in lower case.

use super::Problem;

/// Room for what the database adds, see `schema::registry`.
const LONGEST: usize = 58;

/// The name of a relationship is no name of the database.
const LONGEST_RELATIONSHIP: usize = 100;

/// The logical name for a schema name.
pub(super) fn logical(schema_name: &str) -> Result<String, Problem> {
    within(schema_name, LONGEST)
}

/// Checks the schema name of a relationship that has no table of its own.
pub(super) fn relationship(schema_name: &str) -> Result<(), Problem> {
    within(schema_name, LONGEST_RELATIONSHIP).map(drop)
}

fn within(schema_name: &str, longest: usize) -> Result<String, Problem> {
    let name = || schema_name.to_owned();
    let letters = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if schema_name.len() > longest || !letters(schema_name) {
        return Err(Problem::Name { name: name(), longest });
    }
    match schema_name.split_once('_') {
        Some((prefix, rest)) if is_prefix(prefix) && !rest.is_empty() => Ok(schema_name.to_ascii_lowercase()),
        _ => Err(Problem::Prefix { name: name() }),
    }
}

/// The logical name that a definition gives, or that follows from its schema name; both must agree.
pub(super) fn agreed(schema_name: &str, logical_name: &str) -> Result<(String, String), Problem> {
    let schema_name = if schema_name.is_empty() { logical_name } else { schema_name };
    let logical = logical(schema_name)?;
    match logical_name.is_empty() || logical_name == logical {
        true => Ok((schema_name.to_owned(), logical)),
        false => Err(Problem::Unfit {
            what: "logical name",
            name: logical_name.to_owned(),
            why: "it must be the schema name in lower case",
        }),
    }
}

fn is_prefix(prefix: &str) -> bool {
    (2..=8).contains(&prefix.len())
        && prefix.starts_with(|first: char| first.is_ascii_alphabetic())
        && !prefix.to_ascii_lowercase().starts_with("mscrm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema_name: &str, expected: Option<&str>) {
        assert_eq!(logical(schema_name).ok().as_deref(), expected, "{schema_name}");
    }

    #[test]
    fn names() {
        check("new_BankAccount", Some("new_bankaccount"));
        check("cr1a2_x", Some("cr1a2_x"));
        check("BankAccount", None);
        check("n_x", None);
        check("toolongprefix_x", None);
        check("1ew_x", None);
        check("mscrm_x", None);
        check("new_", None);
        check("new_Kontó", None);
        check("new_a b", None);
        check(&format!("new_{}", "x".repeat(54)), Some(&format!("new_{}", "x".repeat(54))));
        check(&format!("new_{}", "x".repeat(55)), None);
        assert!(relationship(&format!("new_{}", "x".repeat(96))).is_ok());
        assert!(relationship(&format!("new_{}", "x".repeat(97))).is_err());
        assert!(agreed("new_Thing", "new_other").is_err());
        assert_eq!(agreed("", "new_thing").unwrap(), ("new_thing".into(), "new_thing".into()));
    }
}
