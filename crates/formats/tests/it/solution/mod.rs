//! Solution files: Microsoft's own read, ours written and read back for every generation, hostile archives.

mod archive;
mod judged;
mod sample;

use std::fs;
use std::path::{Path, PathBuf};

use postroom_core::metadata::{CascadeType, ColumnKind, OwnershipType, RequiredLevel};
use postroom_formats::solution::*;

use archive::packed;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/solution")
}

/// A folder of exported files as an archive.
fn example(name: &str) -> Vec<u8> {
    let files = ["[Content_Types].xml", "customizations.xml", "solution.xml"];
    let files: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|file| ((*file).to_owned(), fs::read(folder().join(name).join(file)).unwrap()))
        .collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    packed(&files)
}

fn read_example(name: &str) -> Solution {
    read(&example(name), &Limits::default()).unwrap()
}

#[test]
fn a_managed_package_of_2015() {
    let solution = read_example("change-tracking-7.1");
    assert_eq!(solution.manifest.unique_name, "ChangeTrackingSample");
    assert_eq!((solution.manifest.managed, solution.manifest.package), (true, Package::V7_1));
    assert_eq!(solution.manifest.publisher.option_prefix, 72_700);
    assert_eq!(solution.manifest.publisher.email.as_deref(), Some("mscrmdf@microsoft.com"));
    assert_eq!(solution.left_out, Vec::<String>::new());
    let [book] = solution.entities.as_slice() else { panic!("one table") };
    assert!(book.table.is_custom && book.table.change_tracking && book.table.has_notes);
    assert_eq!((book.table.type_code, book.table.primary_name.as_deref()), (10_050, Some("sample_name")));
    assert_eq!(book.table.ownership, OwnershipType::UserOwned);
    assert_eq!(book.table.keys[0].columns, ["sample_bookcode"]);
    assert!(book.forms.iter().any(|form| form.kind == "main"));
    assert!(book.views.iter().any(|view| view.is_default && view.fetch.is_some()));
    let owner = book.table.column("ownerid").unwrap();
    assert!(matches!(owner.kind, ColumnKind::Owner { .. }) && !owner.is_custom);
    assert_eq!(owner.required, RequiredLevel::SystemRequired);
}

#[test]
fn an_unmanaged_export_of_today() {
    let solution = read_example("column-security-9.2");
    assert_eq!((solution.manifest.managed, solution.manifest.package), (false, Package::V9_2));
    assert_eq!(solution.manifest.roots.len(), 3);
    assert_eq!(solution.manifest.missing[0].display_name, "Date_Slash");
    assert_eq!(solution.left_out, ["FieldSecurityProfiles"]);
    let role = &solution.roles[0];
    assert_eq!(role.privileges[0], ("prvAppendsample_Example".to_owned(), "Global".to_owned()));
    let [table] = solution.entities.as_slice() else { panic!("one table") };
    assert_eq!((table.table.entity_set.as_str(), table.forms.len()), ("sample_examples", 3));
    let secured: Vec<&str> = table
        .table
        .columns
        .iter()
        .filter(|column| column.is_secured)
        .map(|column| column.logical_name.as_str())
        .collect();
    assert_eq!(secured.len(), 4, "{secured:?}");
    let unit =
        solution.one_to_many.iter().find(|one| one.schema_name == "business_unit_sample_example").unwrap();
    assert_eq!(
        (unit.referenced_table.as_str(), unit.cascade.delete),
        ("businessunit", CascadeType::Restrict)
    );
    assert!(table.ribbon.is_none(), "an empty ribbon is none");
}

#[test]
fn an_app_with_its_site_map() {
    let solution = read_example("app-9.2");
    let app = &solution.apps[0];
    assert_eq!(
        (app.unique_name.as_str(), app.icon, app.client),
        ("cr693_MDA_InputControls_App", DEFAULT_ICON, 4)
    );
    assert_eq!(app.components[0].kind, component::SITE_MAP);
    assert_eq!(app.roles.len(), 2);
    assert_eq!(solution.app_site_maps[0].body.children[0].get("Id"), Some("area_c5a6aded"));
}

/// What is written is what is read, and what was read can be written.
#[track_caller]
fn check_round_trip(solution: &Solution, package: Package) {
    let bytes = write(solution, package).unwrap();
    let again = read(&bytes, &Limits::default()).unwrap();
    assert_eq!(&again, solution, "{package}");
    assert_eq!(write(&again, package).unwrap(), bytes, "{package}");
}

#[test]
fn every_generation_round_trips() {
    for package in Package::ALL {
        check_round_trip(&sample::solution(*package), *package);
    }
}

#[test]
fn examples_round_trip() {
    for name in ["change-tracking-7.1", "column-security-9.2", "app-9.2"] {
        let mut solution = read_example(name);
        let package = solution.manifest.package;
        // What has no type here, and what older exports say in other words.
        solution.left_out.clear();
        for missing in &mut solution.manifest.missing {
            missing.schema_name = None;
        }
        let bytes = write(&solution, package).unwrap();
        let again = read(&bytes, &Limits::default()).unwrap();
        assert_eq!(again.manifest, solution.manifest, "{name}");
        assert_eq!(again.roles, solution.roles);
        assert_eq!(again.one_to_many, solution.one_to_many);
        assert_eq!(again.apps, solution.apps);
        for (one, other) in again.entities.iter().zip(&solution.entities) {
            assert_eq!(one.table, other.table, "{name}");
            assert_eq!((&one.forms, &one.views), (&other.forms, &other.views), "{name}");
        }
    }
}

#[track_caller]
fn check_too_old(solution: &Solution, package: Package, what: &str) {
    match write(solution, package) {
        Err(Error::TooOld { component, .. }) => assert!(component.contains(what), "{component}"),
        other => panic!("{package}: {other:?}"),
    }
}

#[test]
fn what_a_generation_does_not_know_is_refused() {
    let newest = sample::solution(Package::V9_2);
    check_too_old(&newest, Package::V8_0, "esc_Mail");
    check_too_old(&Solution { apps: Vec::new(), ..newest.clone() }, Package::V8_2, "esc_tags");
    check_too_old(&newest, Package::V9_0, "esc_file");
    check_too_old(&sample::solution(Package::V7_1), Package::V7_0, "esc_bymail");
    let mut old = sample::solution(Package::V8_0);
    old.entities[0].table.keys.clear();
    check_too_old(&old, Package::V6_0, "esc_at");
}
