//! A few tables with every kind of column and relation, for the tests.

use postroom_core::metadata::{
    Cascade, ColumnInfo, ColumnKind, DateTimeBehavior, End, KeyInfo, KeyStatus, Label, ManyToMany, Metadata,
    OneToMany, OptionSet, OwnershipType, RequiredLevel, TableInfo,
};
use uuid::Uuid;

fn options() -> OptionSet {
    let (label, description) = (Label::default(), Label::default());
    OptionSet {
        id: Uuid::nil(),
        name: "x".into(),
        is_global: false,
        is_custom: false,
        label,
        description,
        options: vec![],
    }
}

/// `name:kind`, the lookups' targets behind another colon.
fn kind(kind: &str, targets: &str) -> ColumnKind {
    let targets = || targets.split('|').map(str::to_owned).collect();
    let time = |date_only| ColumnKind::DateTime { date_only, behavior: DateTimeBehavior::UserLocal };
    match kind {
        "id" => ColumnKind::Uniqueidentifier,
        "text" => ColumnKind::String { max_length: 100, format: "Text".into() },
        "memo" => ColumnKind::Memo { max_length: 2000 },
        "bool" => ColumnKind::Boolean { yes: Label::default(), no: Label::default(), default: false },
        "int" => ColumnKind::Integer { min: 0, max: 100, format: "None".into() },
        "big" => ColumnKind::BigInt,
        "decimal" => ColumnKind::Decimal { min: 0.0, max: 100.0, precision: 2 },
        "double" => ColumnKind::Double { min: 0.0, max: 100.0, precision: 2 },
        "money" => ColumnKind::Money { min: 0.0, max: 100.0, precision: 2, source: 2 },
        "time" => time(false),
        "date" => time(true),
        "choice" => ColumnKind::Picklist { options: options(), default: None },
        "choices" => ColumnKind::MultiSelect { options: options() },
        "state" => ColumnKind::State { options: options() },
        "status" => ColumnKind::Status { options: options() },
        "lookup" => ColumnKind::Lookup { targets: targets() },
        "customer" => ColumnKind::Customer { targets: targets() },
        "owner" => ColumnKind::Owner { targets: targets() },
        "parties" => ColumnKind::PartyList { targets: targets() },
        _ => ColumnKind::Virtual,
    }
}

fn column(text: &str) -> ColumnInfo {
    let mut words = text.split(':');
    let mut word = || words.next().expect("a column is written name:kind");
    let (name, word) = (word(), word());
    ColumnInfo {
        id: Uuid::nil(),
        logical_name: name.into(),
        schema_name: name.into(),
        label: Label::default(),
        description: Label::default(),
        kind: kind(word, words.next().unwrap_or_default()),
        required: RequiredLevel::None,
        valid_for_create: true,
        valid_for_update: true,
        valid_for_read: true,
        is_primary_id: word == "id",
        is_primary_name: false,
        is_custom: false,
        is_secured: false,
        attribute_of: None,
        number: 1,
    }
}

fn table(name: &str, set: &str, columns: &str, keys: &[&[&str]]) -> TableInfo {
    let columns: Vec<ColumnInfo> = columns.split_whitespace().map(column).collect();
    let key = |columns: &&[&str]| KeyInfo {
        id: Uuid::nil(),
        logical_name: "k".into(),
        schema_name: "K".into(),
        label: Label::default(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        status: KeyStatus::Active,
    };
    TableInfo {
        schema_name: name.into(),
        entity_set: set.into(),
        type_code: 1,
        primary_id: columns[0].logical_name.clone(),
        ownership: OwnershipType::UserOwned,
        change_tracking: true,
        columns,
        keys: keys.iter().map(key).collect(),
        ..TableInfo::named(name)
    }
}

/// `table.lookup -> other by nav, back`.
fn relation(from: &str, lookup: &str, to: &str, up: &str, down: &str) -> OneToMany {
    OneToMany {
        id: Uuid::nil(),
        schema_name: down.into(),
        referenced_table: to.into(),
        referenced_column: format!("{to}id"),
        referencing_table: from.into(),
        referencing_column: lookup.into(),
        referencing_navigation: up.into(),
        referenced_navigation: down.into(),
        cascade: Cascade::default(),
        is_custom: false,
    }
}

/// The definitions.
pub fn metadata() -> Metadata {
    let end = |table: &str, column: &str, navigation: &str| End {
        table: table.into(),
        column: column.into(),
        navigation: navigation.into(),
    };
    Metadata {
        managed: Default::default(),
        version: 1,
        tables: vec![
            table(
                "contact",
                "contacts",
                "contactid:id fullname:text firstname:text lastname:text description:memo emailaddress1:text \
                 parentcustomerid:customer:account|contact ownerid:owner:systemuser createdby:lookup:systemuser \
                 createdon:time birthdate:date donotemail:bool statecode:state statuscode:status interests:choices \
                 numberofchildren:int latitude:double rate:decimal versionnumber:big fullnameview:virtual to:parties:contact",
                &[&["emailaddress1"]],
            ),
            table(
                "account",
                "accounts",
                "accountid:id name:text accountnumber:text revenue:money numberofemployees:int industrycode:choice \
                 primarycontactid:lookup:contact parentaccountid:lookup:account ownerid:owner:systemuser createdon:time \
                 statuscode:status",
                &[&["accountnumber"], &["name", "primarycontactid"]],
            ),
            table(
                "task",
                "tasks",
                "taskid:id subject:text scheduledend:time regardingobjectid:lookup:account ownerid:owner:systemuser",
                &[],
            ),
            table("list", "lists", "listid:id listname:text", &[]),
            table("listmember", "listmembers", "listmemberid:id listid:id entityid:id", &[]),
            table(
                "systemuser",
                "systemusers",
                "systemuserid:id fullname:text isdisabled:bool businessunitid:lookup:businessunit",
                &[],
            ),
            table("businessunit", "businessunits", "businessunitid:id name:text", &[]),
        ],
        one_to_many: relations(),
        many_to_many: vec![ManyToMany {
            id: Uuid::nil(),
            schema_name: "listcontact_association".into(),
            intersect_table: "listmember".into(),
            first: end("contact", "entityid", "listcontact_association"),
            second: end("list", "listid", "listcontact_association"),
            is_custom: false,
        }],
        option_sets: Vec::new(),
    }
}

fn relations() -> Vec<OneToMany> {
    vec![
        relation(
            "contact",
            "parentcustomerid",
            "account",
            "parentcustomerid_account",
            "contact_customer_accounts",
        ),
        relation(
            "contact",
            "parentcustomerid",
            "contact",
            "parentcustomerid_contact",
            "contact_customer_contacts",
        ),
        relation("contact", "ownerid", "systemuser", "ownerid", "owned_contacts"),
        relation("contact", "createdby", "systemuser", "createdby", "created_contacts"),
        relation("account", "primarycontactid", "contact", "primarycontactid", "account_primary_contact"),
        relation("account", "parentaccountid", "account", "parentaccountid", "account_parent_account"),
        relation("account", "ownerid", "systemuser", "ownerid", "owned_accounts"),
        relation("task", "regardingobjectid", "account", "regardingobjectid_account_task", "Account_Tasks"),
        relation("task", "ownerid", "systemuser", "ownerid", "owned_tasks"),
        relation("systemuser", "businessunitid", "businessunit", "businessunitid", "business_unit_users"),
    ]
}
