//! The published names of the standard tables: schema names with their case, object type codes, relationship names.
//!
//! They cannot be derived (`Account_Tasks` beside `account_primary_contact`), so they stand in `data/dataverse-names.txt`.
//! What stands nowhere is made by the platform's rules here: plurals, entity sets, names out of parts.

use std::collections::HashMap;
use std::sync::LazyLock;

const FILE: &str = include_str!("../../data/dataverse-names.txt");

/// One standard table.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) schema_name: &'static str,
    pub(crate) type_code: i32,
    /// Schema names by logical name, of those that have capitals.
    columns: HashMap<String, &'static str>,
    /// Relationship names by column and target.
    links: HashMap<(&'static str, &'static str), &'static str>,
}

static NAMES: LazyLock<HashMap<&'static str, Names>> = LazyLock::new(parse);

/// The names of a standard table.
pub(crate) fn of(table: &str) -> Option<&'static Names> {
    NAMES.get(table)
}

impl Names {
    pub(crate) fn column(&self, column: &str) -> Option<&'static str> {
        self.columns.get(column).copied()
    }

    /// The relationship by which `column` may name a row of `target`.
    pub(crate) fn link(&self, column: &str, target: &str) -> Option<&'static str> {
        self.links.iter().find(|(key, _)| **key == (column, target)).map(|(_, name)| *name)
    }
}

fn parse() -> HashMap<&'static str, Names> {
    let mut all: HashMap<&'static str, Names> = HashMap::new();
    let mut table = "";
    for line in FILE.lines() {
        let words: Vec<&'static str> = line.split(' ').collect();
        match words[..] {
            ["table", name, schema_name, code] => {
                table = name;
                let type_code = code.parse().expect("a type code is a number: a test reads the file");
                all.insert(name, Names { schema_name, type_code, ..Names::default() });
            }
            ["link", column, target, name] => {
                all.entry(table).or_default().links.insert((column, target), name);
            }
            ["names", ref names @ ..] => {
                let columns = &mut all.entry(table).or_default().columns;
                columns.extend(names.iter().map(|name| (name.to_lowercase(), *name)));
            }
            _ => unreachable!("a test reads every line"),
        }
    }
    all
}

/// Entity sets that no rule gives.
const SETS: &[(&str, &str)] = &[
    ("usersettings", "usersettingscollection"),
    ("webresource", "webresourceset"),
    ("systemuserroles", "systemuserrolescollection"),
    ("systemuserprofiles", "systemuserprofilescollection"),
    ("teamroles", "teamrolescollection"),
    ("teamprofiles", "teamprofilescollection"),
    ("roleprivileges", "roleprivilegescollection"),
    ("principalobjectaccess", "principalobjectaccessset"),
    ("appmoduleroles", "appmodulerolescollection"),
];

/// The name of a table in URLs.
pub(crate) fn entity_set(table: &str) -> String {
    let odd = SETS.iter().find(|(name, _)| *name == table);
    odd.map_or_else(|| plural(table), |(_, set)| (*set).to_owned())
}

/// The English plural as the platform makes it.
pub(crate) fn plural(word: &str) -> String {
    let before_y = |stem: &str| !stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match word.strip_suffix('y').filter(|stem| before_y(stem)) {
        Some(stem) => format!("{stem}ies"),
        None if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) => format!("{word}es"),
        None => format!("{word}s"),
    }
}

/// `EMailAddress1` to `E Mail Address 1`: a label for a name that has none.
pub(crate) fn words(name: &str) -> String {
    let mut label = String::new();
    let mut before = '_';
    for letter in name.chars() {
        let starts = letter.is_uppercase() && !before.is_uppercase()
            || letter.is_ascii_digit() && !before.is_ascii_digit();
        if letter == '_' {
            label.push(' ');
        } else {
            if starts && before != '_' {
                label.push(' ');
            }
            label.push(letter);
        }
        before = letter;
    }
    label.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_reads_whole() {
        let contact = of("contact").expect("a standard table");
        assert_eq!((contact.schema_name, contact.type_code), ("Contact", 2));
        assert_eq!(contact.column("emailaddress1"), Some("EMailAddress1"));
        assert_eq!(contact.link("parentcustomerid", "account"), Some("contact_customer_accounts"));
        assert_eq!(contact.link("parentcustomerid", "lead"), None);
        let mut codes: Vec<i32> = NAMES.values().map(|names| names.type_code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), NAMES.len(), "type codes are unique");
    }

    #[test]
    fn plurals() {
        let check = |word: &str, expected: &str| assert_eq!(entity_set(word), expected);
        check("contact", "contacts");
        check("opportunity", "opportunities");
        check("activityparty", "activityparties");
        check("mailbox", "mailboxes");
        check("usersettings", "usersettingscollection");
        check("new_address", "new_addresses");
        check("new_day", "new_days");
        check("new_match", "new_matches");
    }

    #[test]
    fn labels_of_names() {
        assert_eq!(words("PrimaryContactId"), "Primary Contact Id");
        assert_eq!(words("Address1_Line2"), "Address 1 Line 2");
        assert_eq!(words("new_BankAccount"), "new Bank Account");
    }
}
