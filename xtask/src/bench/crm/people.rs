//! The contacts of the bench: `local_copy.rs` makes them, the rest asks for them.

/// The columns that are read: twenty, as the aims have it.
pub const COLUMNS: [&str; 20] = [
    "firstname",
    "lastname",
    "fullname",
    "emailaddress1",
    "telephone1",
    "mobilephone",
    "jobtitle",
    "department",
    "address1_line1",
    "address1_city",
    "address1_postalcode",
    "address1_country",
    "birthdate",
    "gendercode",
    "donotbulkemail",
    "parentcustomerid",
    "ownerid",
    "statecode",
    "statuscode",
    "modifiedon",
];

/// The same in a `$select`, where lookups show their value.
pub fn select() -> String {
    let property = |name: &&str| match *name {
        "parentcustomerid" | "ownerid" => format!("_{name}_value"),
        name => name.to_owned(),
    };
    COLUMNS.iter().map(property).collect::<Vec<_>>().join(",")
}

/// Contact `number`: rows that were made one after another lie far apart, as ids made of a hash do.
pub fn id(number: usize) -> String {
    let spread = u32::try_from(number).expect("fewer than 2^32 contacts").wrapping_mul(2_654_435_761);
    format!("{spread:08x}-0000-4000-8000-{number:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_as_the_client_makes_them() {
        assert_eq!(id(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(id(2), "3c6ef362-0000-4000-8000-000000000002");
    }

    #[test]
    fn lookups_are_selected_by_their_value() {
        assert!(select().contains(",_ownerid_value,") && !select().contains(",ownerid"));
    }
}
