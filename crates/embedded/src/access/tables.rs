//! The tables that say who may do what. Those that describe rights between two rows have bare ids, as the platform has.

use crate::schema::{Column, Kind, Ownership, Preset, Table};

/// The tables whose rows decide over rights.
pub(crate) const DECIDING: &[&str] = &[
    "businessunit",
    "fieldpermission",
    "fieldsecurityprofile",
    "principalobjectaccess",
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

/// Adds the tables that are missing, and the columns that are.
pub(crate) fn add(tables: &mut Vec<Table>) {
    for wanted in all() {
        let Some(have) = tables.iter_mut().find(|table| table.name == wanted.name) else {
            tables.push(wanted);
            continue;
        };
        for column in wanted.columns {
            if have.column(&column.name).is_none() {
                have.columns.push(column);
                have.index();
            }
        }
    }
}

fn all() -> Vec<Table> {
    vec![
        pair("roleprivileges", "roleprivilegeid", "roleid", "privilegeid", vec![depth()]),
        pair("systemuserroles", "systemuserroleid", "systemuserid", "roleid", vec![]),
        pair("teamroles", "teamroleid", "teamid", "roleid", vec![]),
        pair("teammembership", "teammembershipid", "teamid", "systemuserid", vec![]),
        pair("systemuserprofiles", "systemuserprofileid", "systemuserid", "fieldsecurityprofileid", vec![]),
        pair("teamprofiles", "teamprofileid", "teamid", "fieldsecurityprofileid", vec![]),
        shares(),
        profile(),
        permission(),
    ]
}

fn key(name: &str) -> Column {
    Column::new(name, Kind::Id).required()
}

fn version() -> Column {
    Column::new("versionnumber", Kind::BigInteger).read_only().indexed()
}

fn id(name: &str) -> Column {
    Column::new(name, Kind::Guid).required().indexed()
}

fn pair(name: &str, own: &str, one: &str, other: &str, more: Vec<Column>) -> Table {
    let mut columns = vec![key(own), id(one), id(other), version()];
    columns.extend(more);
    Table::new(name, own, columns)
}

fn depth() -> Column {
    Column::new("privilegedepthmask", Kind::Integer).preset(Preset::Number(1))
}

fn shares() -> Table {
    let mask = |name: &str| Column::new(name, Kind::Integer).preset(Preset::Number(0));
    Table::new(
        "principalobjectaccess",
        "principalobjectaccessid",
        vec![
            key("principalobjectaccessid"),
            id("objectid"),
            Column::text("objecttypecode", 64).required(),
            id("principalid"),
            Column::text("principaltypecode", 64).required(),
            mask("accessrightsmask"),
            mask("inheritedaccessrightsmask"),
            Column::new("changedon", Kind::Time),
            version(),
        ],
    )
}

fn audit() -> Vec<Column> {
    vec![
        Column::lookup("createdby", &["systemuser"]).read_only(),
        Column::new("createdon", Kind::Time).read_only(),
        Column::lookup("modifiedby", &["systemuser"]).read_only(),
        Column::new("modifiedon", Kind::Time).read_only(),
        version(),
    ]
}

fn profile() -> Table {
    let mut columns = vec![
        key("fieldsecurityprofileid"),
        Column::text("name", 100).required(),
        Column::text("description", 2000),
        Column::lookup("organizationid", &["organization"]),
    ];
    columns.extend(audit());
    let mut table = Table::new("fieldsecurityprofile", "fieldsecurityprofileid", columns);
    table.primary_name = Some("name".into());
    table.ownership = Ownership::None;
    table
}

fn permission() -> Table {
    let choice =
        |name: &str| Column::choice(name, &[(0, "Not Allowed"), (4, "Allowed")]).preset(Preset::Number(0));
    Table::new(
        "fieldpermission",
        "fieldpermissionid",
        vec![
            key("fieldpermissionid"),
            Column::lookup("fieldsecurityprofileid", &["fieldsecurityprofile"]).required().indexed(),
            Column::text("entityname", 64).required(),
            Column::text("attributelogicalname", 64).required(),
            choice("canread"),
            choice("cancreate"),
            choice("canupdate"),
            version(),
        ],
    )
}

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

    #[test]
    fn a_table_that_is_there_only_grows() {
        let mut tables = vec![Table::new("teamroles", "teamroleid", vec![key("teamroleid"), id("roleid")])];
        add(&mut tables);
        let found: Vec<&Table> = tables.iter().filter(|table| table.name == "teamroles").collect();
        assert_eq!(found.len(), 1);
        assert!(found[0].column("teamid").is_some());
    }
}
