//! The tables whose rows decide over rights. Shares decide too, but a kept caller knows only which masks there are of
//! which table (`lot::write` raises the counter for a new one).

/// A write of any row of them is a change of somebody's rights.
pub(crate) const DECIDING: &[&str] = &[
    "businessunit",
    "fieldpermission",
    "fieldsecurityprofile",
    "role",
    "roleprivileges",
    "systemuser",
    "systemuserprofiles",
    "systemuserroles",
    "team",
    "teammembership",
    "teamprofiles",
    "teamroles",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn what_decides_is_there() {
        let tables = Schema::standard();
        for name in DECIDING {
            assert!(tables.iter().any(|table| table.name == *name), "{name}");
        }
    }
}
