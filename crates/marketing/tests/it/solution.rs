//! The solution's description against a list of its tables and columns that was written by hand.

use std::collections::{BTreeMap, BTreeSet};

use postroom_core::metadata::{CascadeType, ColumnKind, Metadata};
use postroom_marketing::solution::definitions::metadata;
use postroom_marketing::solution::{Era, extended};

const BY_HAND: &str = include_str!("../data/tables.txt");
const PERSON: &str = "esc_contactid esc_leadid esc_accountid esc_recordtype esc_emailaddress";

/// Table → display name and columns.
fn by_hand() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let lines = BY_HAND.lines().filter(|line| !line.starts_with('#'));
    let tables = lines.map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [name, label, shared, own] = cells[..] else { panic!("four cells: {line}") };
        let shared = shared.split(' ').map(|sign| match sign {
            "a" => "esc_emailaccountid",
            "k" => "esc_externalkey",
            "p" => PERSON,
            other => panic!("no sign: {other}"),
        });
        let columns = shared.chain([own, "esc_name", "esc_lastsyncedon"]).flat_map(|part| part.split(' '));
        (name.to_owned(), (label.to_owned(), columns.map(str::to_owned).collect()))
    });
    tables.collect()
}

fn made(metadata: &Metadata) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let made = metadata.tables.iter().filter(|table| table.is_custom);
    made.map(|table| {
        let columns = table.columns.iter().map(|column| column.logical_name.clone()).collect();
        (table.logical_name.clone(), (table.label.text().unwrap_or_default().to_owned(), columns))
    })
    .collect()
}

#[test]
fn tables_and_columns_are_those_of_the_list() {
    let mut expected = by_hand();
    assert_eq!(made(&metadata(Era::Crm2016)), expected);
    // The seed: the queue is not there from 9.0 on.
    expected.remove("esc_messagequeue").unwrap();
    assert_eq!(made(&metadata(Era::Dynamics365)), expected);
}

#[test]
fn no_preferences_in_2011() {
    let tables = made(&metadata(Era::Crm2011));
    assert!(!tables.contains_key("esc_marketingpreference"));
    assert!(tables.contains_key("esc_messagequeue"));
    assert_eq!(tables.len(), by_hand().len() - 2);
}

#[test]
fn every_lookup_names_a_table_that_is_there() {
    let standard = ["contact", "lead", "account", "list", "campaign", "systemuser"];
    for era in Era::ALL {
        let metadata = metadata(era);
        for relation in &metadata.one_to_many {
            let target = metadata.table(&relation.referenced_table).is_some_and(|table| table.is_custom);
            assert!(
                target || standard.contains(&relation.referenced_table.as_str()),
                "{era:?} {}",
                relation.schema_name
            );
        }
    }
}

#[test]
fn names_are_unique_and_fit_the_platform() {
    let metadata = metadata(Era::Crm2016);
    let names = metadata.one_to_many.iter().map(|relation| &relation.schema_name);
    let names: Vec<_> = names.chain(metadata.many_to_many.iter().map(|pair| &pair.schema_name)).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let longest = names.iter().map(|name| name.len()).max().unwrap();
    assert!(longest <= 58, "{longest}");
    for table in &metadata.tables {
        let columns: BTreeSet<_> = table.columns.iter().map(|column| &column.logical_name).collect();
        assert_eq!(columns.len(), table.columns.len(), "{}", table.logical_name);
        assert!(!columns.contains(&table.primary_id), "{}", table.logical_name);
        assert!(columns.iter().all(|name| name.starts_with("esc_") && name.len() <= 50));
    }
}

#[test]
fn what_people_did_outlives_them() {
    for relation in &metadata(Era::Dynamics365).one_to_many {
        let owned =
            relation.referenced_table == "esc_emailaccount" && relation.referencing_table.starts_with("esc_");
        let expected = if owned { CascadeType::Cascade } else { CascadeType::RemoveLink };
        assert_eq!(relation.cascade.delete, expected, "{}", relation.schema_name);
    }
}

#[test]
fn keys_come_with_the_platform() {
    let keyed = |era| metadata(era).tables.iter().filter(|table| !table.keys.is_empty()).count();
    assert_eq!(keyed(Era::Crm2015), 0);
    assert_eq!(keyed(Era::Crm2016), by_hand().len() - 2);
}

#[test]
fn extended_tables() {
    let lines = include_str!("../data/extended.txt").lines().filter(|line| !line.starts_with('#'));
    let expected: Vec<Vec<&str>> = lines.map(|line| line.split(' ').collect()).collect();
    let gained = extended::all().iter().map(|extension| {
        let columns = extension.columns.iter().map(|column| column.name);
        std::iter::once(extension.table).chain(columns).collect::<Vec<_>>()
    });
    assert_eq!(gained.collect::<Vec<_>>(), expected);
    let metadata = metadata(Era::Dynamics365);
    let optin = metadata.table("lead").unwrap().column("esc_optintype").unwrap();
    let ColumnKind::Picklist { options, .. } = &optin.kind else { panic!("{optin:?}") };
    assert_eq!((options.name.as_str(), options.options.len()), ("esc_optintype", 4));
}
