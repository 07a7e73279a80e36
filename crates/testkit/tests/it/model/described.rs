//! The definitions of the model's tables: as much of them as the suite looks at.

use postroom_core::metadata::{
    Cascade, ColumnInfo, ColumnKind, End, Label, ManyToMany, Metadata, OneToMany, OwnershipType,
    RequiredLevel, TableInfo,
};
use uuid::Uuid;

use super::schema::{Kind, TABLES, Table};
use super::{Flaw, Model};

impl Model {
    /// Unknown tables are left out: the suite asks for none.
    pub(super) fn described(&self, tables: &[&str]) -> Metadata {
        let all = tables.is_empty();
        let mut wanted = tables.to_vec();
        if all && !self.has(Flaw::NoNameIsNoTable) {
            wanted.extend(TABLES.iter().map(|table| table.name));
        } else if self.has(Flaw::MoreIsDescribed) {
            wanted.push("account");
        }
        let mut found = Metadata {
            tables: wanted.iter().map(|name| self.table_info(name)).collect(),
            ..Metadata::default()
        };
        let left_out = all && self.has(Flaw::NoNameLeavesOutLookups);
        if !(left_out || self.has(Flaw::LookupsAreNotDescribed)) {
            found.one_to_many.push(customer());
        }
        if wanted.contains(&"list") {
            found.many_to_many.push(members());
        }
        found
    }

    fn table_info(&self, name: &str) -> TableInfo {
        let table = Table::of(name).unwrap();
        let columns = table.columns.iter().enumerate();
        TableInfo {
            entity_set: format!("{name}s"),
            label: Label::english(name),
            collection_label: Label::english(name),
            primary_id: table.columns[0].0.to_owned(),
            ownership: OwnershipType::UserOwned,
            is_activity: name == "email",
            is_managed: true,
            change_tracking: true,
            columns: columns.map(|(number, (name, kind))| self.column_info(number, name, *kind)).collect(),
            ..TableInfo::named(name)
        }
    }

    fn column_info(&self, number: usize, name: &str, kind: Kind) -> ColumnInfo {
        let kind = match kind {
            Kind::Text(_) if self.has(Flaw::LengthsAreNotDescribed) => text(4000),
            Kind::Text(longest) => text(u32::try_from(longest).unwrap()),
            Kind::Lookup(targets) => {
                let targets: Vec<String> = targets.iter().map(|table| (*table).to_owned()).collect();
                match name == "parentcustomerid" && !self.has(Flaw::CustomersArePlainLookups) {
                    true => ColumnKind::Customer { targets },
                    false => ColumnKind::Lookup { targets },
                }
            }
            Kind::Id => ColumnKind::Uniqueidentifier,
            Kind::Int => ColumnKind::BigInt,
            // The suite asks for none of these.
            _ => ColumnKind::Virtual,
        };
        ColumnInfo {
            id: Uuid::nil(),
            logical_name: name.to_owned(),
            schema_name: name.to_owned(),
            label: Label::english(name),
            description: Label::default(),
            kind,
            required: RequiredLevel::None,
            valid_for_create: true,
            valid_for_update: true,
            valid_for_read: true,
            is_primary_id: number == 0,
            is_primary_name: false,
            is_custom: false,
            is_secured: false,
            attribute_of: None,
            number: i32::try_from(number).unwrap(),
        }
    }
}

fn text(max_length: u32) -> ColumnKind {
    ColumnKind::String { max_length, format: "Text".to_owned() }
}

fn customer() -> OneToMany {
    OneToMany {
        id: Uuid::nil(),
        schema_name: "contact_customer_accounts".to_owned(),
        referenced_table: "account".to_owned(),
        referenced_column: "accountid".to_owned(),
        referencing_table: "contact".to_owned(),
        referencing_column: "parentcustomerid".to_owned(),
        referencing_navigation: "parentcustomerid_account".to_owned(),
        referenced_navigation: "contact_customer_accounts".to_owned(),
        cascade: Cascade::default(),
        is_custom: false,
    }
}

fn members() -> ManyToMany {
    let end = |table: &str, column: &str| End {
        table: table.to_owned(),
        column: column.to_owned(),
        navigation: "listcontact_association".to_owned(),
    };
    ManyToMany {
        id: Uuid::nil(),
        schema_name: "listcontact_association".to_owned(),
        intersect_table: "listmember".to_owned(),
        first: end("list", "listid"),
        second: end("contact", "entityid"),
        is_custom: false,
    }
}
