//! Definitions: the captured ones of a 6.x server, and ours through every generation.

use postroom_core::metadata::*;
use postroom_formats::soap::Generation;
use postroom_formats::soap::metadata::{self, Parts};
use postroom_formats::soap::operation::Answer;
use postroom_formats::soap::value::Any;
use postroom_formats::xml::{self, Element, Limits};
use uuid::Uuid;

use super::captures::read;

/// The names of an element's members and of theirs, in order.
fn names(at: &Element) -> Vec<String> {
    let mut all = vec![format!("{}:{}", at.name.ns.as_str(), at.name.local)];
    for child in &at.children {
        all.extend(names(child).into_iter().map(|name| format!(" {name}")));
    }
    all
}

fn result(capture: &str, name: &str) -> Element {
    let Answer::Execute(response) = Answer::read(&read(capture).body).unwrap() else { panic!("an answer") };
    match response.get(name) {
        Some(Any::Raw(element)) => element.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_captured_table_is_written_with_its_members_in_their_order() {
    let captured = result("retrieve_entity_response", "EntityMetadata");
    let table = metadata::table(&captured).unwrap();
    assert_eq!((table.logical_name.as_str(), table.type_code), ("opportunity", 3));
    let parts = Parts { attributes: true, ..Parts::default() };
    let written = metadata::write_table(&table, &Metadata::default(), parts, Generation::Crm2011);
    let shown = |at: &Element| names(&at.clone().renamed("", "value"));
    let (written, captured) = (shown(&written), shown(&captured));
    let differs = written.iter().zip(&captured).position(|(a, b)| a != b);
    assert_eq!(differs.map(|at| (&written[at], &captured[at])), None, "at {differs:?}");
    assert_eq!(written.len(), captured.len());
}

#[test]
fn a_captured_column() {
    let captured = result("retrieve_attribute_response", "AttributeMetadata");
    let column = metadata::column(&captured).unwrap();
    let money = ColumnKind::Money { min: 0.0, max: 1_000_000_000.0, precision: 2, source: 0 };
    assert_eq!((column.logical_name.as_str(), &column.kind), ("new_value", &money));
    let written = metadata::write_column(&column, "new_tinderboxdocument", Generation::Crm2011);
    assert_eq!(names(&written.renamed("", "v")), names(&captured.renamed("", "v")));
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn options(state: Option<i32>, default_status: Option<i32>) -> OptionSet {
    let item = OptionItem { value: 1, label: Label::english("One & only"), state, default_status };
    OptionSet {
        id: id(1),
        name: "contact_x".into(),
        is_global: false,
        is_custom: true,
        label: Label::english("X"),
        description: Label::default(),
        options: vec![item],
    }
}

fn kinds() -> Vec<ColumnKind> {
    let targets = vec!["account".to_owned(), "contact".to_owned()];
    let behavior = DateTimeBehavior::UserLocal;
    vec![
        ColumnKind::Boolean { yes: Label::english("Yes"), no: Label::english("No"), default: true },
        ColumnKind::Integer { min: -5, max: 9, format: "Duration".into() },
        ColumnKind::BigInt,
        ColumnKind::Decimal { min: -1.5, max: 1e11, precision: 2 },
        ColumnKind::Double { min: 0.0, max: 1.25, precision: 5 },
        ColumnKind::Money { min: 0.0, max: 9.0, precision: 4, source: 2 },
        ColumnKind::String { max_length: 100, format: "Phone".into() },
        ColumnKind::Memo { max_length: 2000 },
        ColumnKind::DateTime { date_only: true, behavior },
        ColumnKind::Picklist { options: options(None, None), default: Some(1) },
        ColumnKind::MultiSelect { options: options(None, None) },
        ColumnKind::State { options: options(None, Some(1)) },
        ColumnKind::Status { options: options(Some(0), None) },
        ColumnKind::Lookup { targets: targets.clone() },
        ColumnKind::Customer { targets: targets.clone() },
        ColumnKind::Owner { targets: targets.clone() },
        ColumnKind::PartyList { targets },
        ColumnKind::Uniqueidentifier,
        ColumnKind::EntityName,
        ColumnKind::File { max_kb: 32768 },
        ColumnKind::Image { max_kb: 10240 },
        ColumnKind::Virtual,
    ]
}

fn column(number: i32, kind: ColumnKind) -> ColumnInfo {
    ColumnInfo {
        id: id(100),
        logical_name: format!("a{number}"),
        schema_name: format!("A{number}"),
        label: Label(vec![(1033, "A".into()), (1031, "Ä".into())]),
        description: Label::default(),
        kind,
        required: RequiredLevel::ApplicationRequired,
        valid_for_create: true,
        valid_for_update: false,
        valid_for_read: true,
        is_primary_id: false,
        is_primary_name: true,
        is_custom: true,
        is_secured: false,
        attribute_of: None,
        number,
    }
}

fn table() -> TableInfo {
    let key = KeyInfo {
        id: id(3),
        logical_name: "mail".into(),
        schema_name: "Mail".into(),
        label: Label::english("Mail"),
        columns: vec!["emailaddress1".into()],
        status: KeyStatus::Active,
    };
    let privilege =
        PrivilegeInfo { id: id(4), name: "prvReadContact".into(), kind: PrivilegeKind::Read, levels: true };
    TableInfo {
        id: id(2),
        logical_name: "contact".into(),
        schema_name: "Contact".into(),
        entity_set: "contacts".into(),
        type_code: 2,
        label: Label::english("Contact"),
        collection_label: Label::english("Contacts"),
        description: Label::english("A person"),
        primary_id: "contactid".into(),
        primary_name: Some("fullname".into()),
        ownership: OwnershipType::UserOwned,
        is_activity: false,
        is_activity_party: true,
        has_activities: true,
        has_notes: true,
        is_custom: false,
        is_intersect: false,
        is_managed: true,
        change_tracking: true,
        columns: kinds().into_iter().zip(1..).map(|(kind, number)| column(number, kind)).collect(),
        keys: vec![key],
        privileges: vec![privilege],
    }
}

fn relations() -> Metadata {
    let end = |table: &str| End {
        table: table.into(),
        column: format!("{table}id"),
        navigation: format!("{table}s"),
    };
    Metadata {
        managed: Default::default(),
        tables: vec![table()],
        one_to_many: vec![OneToMany {
            id: id(5),
            schema_name: "contact_customer_accounts".into(),
            referenced_table: "account".into(),
            referenced_column: "accountid".into(),
            referencing_table: "contact".into(),
            referencing_column: "parentcustomerid".into(),
            referencing_navigation: "parentcustomerid_account".into(),
            referenced_navigation: "contact_customer_accounts".into(),
            cascade: Cascade { delete: CascadeType::Restrict, ..Cascade::default() },
            is_custom: false,
        }],
        many_to_many: vec![ManyToMany {
            id: id(6),
            schema_name: "listcontact_association".into(),
            intersect_table: "listmember".into(),
            first: end("list"),
            second: end("contact"),
            is_custom: true,
        }],
        ..Metadata::default()
    }
}

#[test]
fn a_table_reads_as_it_was_written() {
    let all = relations();
    let written = metadata::write_tables(&all, Parts::ALL, Generation::Dataverse);
    let again = xml::read(&xml::write(&written), &Limits::default()).unwrap();
    let read = metadata::table(&again.children[0]).unwrap();
    for (read, written) in read.columns.iter().zip(&all.tables[0].columns) {
        assert_eq!(read, written);
    }
    assert_eq!(read, all.tables[0]);
    assert_eq!(metadata::relations(&again.children[0]), Ok((all.one_to_many, all.many_to_many)));
}

#[test]
fn an_option_set_reads_as_it_was_written() {
    let written = metadata::write_option_set(&options(None, None), Generation::Crm2011);
    assert_eq!(metadata::option_set(&written), Ok(options(None, None)));
}

#[test]
fn what_is_not_asked_for_is_null() {
    let written =
        metadata::write_table(&table(), &relations(), Parts::parse("Entity Privileges"), Generation::Crm2016);
    assert!(written.child("Attributes").unwrap().nil);
    assert!(written.child("OneToManyRelationships").unwrap().nil);
    assert_eq!(written.child("Privileges").unwrap().children.len(), 1);
    assert_eq!(Parts::parse("All"), Parts::ALL);
}
