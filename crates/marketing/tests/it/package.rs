//! The solution's files: judged by another program, complete, and their buttons pressed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use postroom_formats::solution::{Limits, component, read};
use postroom_marketing::solution::roles::Role;
use postroom_marketing::solution::{Era, VERSION, package};
use sha2::{Digest, Sha256};

/// The schema that the solution format's own tests use, which Microsoft's exports satisfy.
fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/data/solution/customizations.rng")
}

fn run(program: &str, package: &str, arguments: &[&str]) -> Output {
    let done = Command::new(program).args(arguments).output();
    done.unwrap_or_else(|error| panic!("{program} does not start ({error}); on Debian install {package}"))
}

fn each(check: impl Fn(Era, bool)) {
    for era in Era::ALL {
        for managed in [false, true] {
            check(era, managed);
        }
    }
}

#[test]
fn every_file_is_as_the_schema_has_it() {
    each(|era, managed| {
        let place = tempfile::tempdir().unwrap();
        let archive = place.path().join("solution.zip");
        fs::write(&archive, package::file(era, managed)).unwrap();
        let folder = place.path().to_str().unwrap();
        let done = run("python3", "python3", &["-m", "zipfile", "-e", archive.to_str().unwrap(), folder]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let file = place.path().join("customizations.xml");
        let (schema, file) = (schema(), file.to_str().unwrap().to_owned());
        let arguments = ["--noout", "--nonet", "--relaxng", schema.to_str().unwrap(), &file];
        let judged = run("xmllint", "libxml2-utils", &arguments);
        assert!(judged.status.success(), "{era} {managed}: {}", String::from_utf8_lossy(&judged.stderr));
    });
}

#[test]
fn every_file_says_what_it_holds() {
    each(|era, managed| {
        let given = package::solution(era, managed);
        let told = read(&package::file(era, managed), &Limits::default()).unwrap();
        assert_eq!((told.manifest.managed, told.manifest.package), (managed, era.package()));
        assert_eq!(told.left_out, Vec::<String>::new());
        let names = |kind: i32| -> BTreeSet<String> {
            let of = told.manifest.roots.iter().filter(|root| root.kind == kind);
            of.filter_map(|root| root.schema_name.clone()).collect()
        };
        let tables = given.entities.iter().map(|entity| entity.table.logical_name.clone()).collect();
        assert_eq!(names(component::ENTITY), tables);
        assert_eq!(names(component::OPTION_SET).len(), given.option_sets.len());
        assert_eq!(told.roles.len(), Role::ALL.len());
        assert_eq!(
            (told.apps.len(), told.app_site_maps.len()),
            if era == Era::Dynamics365 { (1, 1) } else { (0, 0) }
        );
        // An unmanaged map would take the place of the whole organisation's.
        assert_eq!(told.site_map.is_some(), managed && era != Era::Dynamics365);
        for entity in &told.entities {
            let name = &entity.table.logical_name;
            let views = match name.as_str() {
                "list" => 1,
                name if name.starts_with("esc_") => 6,
                _ => 0,
            };
            assert_eq!((entity.forms.len(), entity.views.len()), (1, views), "{name}");
        }
    });
}

/// Every column of a form and a view is one of its table.
#[test]
fn forms_and_views_name_columns_that_are_there() {
    let solution = package::solution(Era::Crm2016, true);
    for entity in &solution.entities {
        let standard = ["fullname", "listname", "name", "createdfromcode", "type", "membercount"];
        let known = |name: &str| {
            entity.table.column(name).is_some() || (!entity.table.is_custom && standard.contains(&name))
        };
        for form in &entity.forms {
            let mut all = Vec::new();
            controls(&form.body, &mut all);
            assert!(
                all.len() > 1 && all.iter().all(|name| known(name)),
                "{}: {all:?}",
                entity.table.logical_name
            );
            // What the form has no cell for cannot be seen at all.
            let shown: BTreeSet<&str> = all.iter().map(String::as_str).collect();
            let hidden: Vec<_> = entity
                .table
                .columns
                .iter()
                .filter(|column| column.is_custom && !shown.contains(column.logical_name.as_str()))
                .collect();
            assert!(hidden.is_empty(), "{hidden:?}");
        }
        for view in &entity.views {
            let row = view.layout.as_ref().unwrap().child("row").unwrap();
            assert!(row.children.iter().all(|cell| known(cell.get("name").unwrap())));
        }
    }
}

fn controls(element: &postroom_formats::xml::Element, all: &mut Vec<String>) {
    all.extend(element.get("datafieldname").map(str::to_owned));
    element.children.iter().for_each(|child| controls(child, all));
}

#[test]
fn generations_by_name_and_version() {
    for era in Era::ALL {
        assert_eq!(era.to_string().parse(), Ok(era));
    }
    for (version, era) in [
        ("5.0.9690.4376", Era::Crm2011),
        ("6.1.0.581", Era::Crm2013),
        ("7.0.1.129", Era::Crm2015),
        ("7.1.1059.0", Era::Crm2016),
        ("8.2.2.112", Era::Crm2016),
        ("9.2.24044.200", Era::Dynamics365),
        ("embedded 0.1.0", Era::Dynamics365),
    ] {
        assert_eq!(Era::of_version(version), era, "{version}");
    }
    assert_eq!(package::file_name(Era::Crm2011, true), "EmailServiceConnector_1_0_0_2_2011_managed.zip");
}

/// The buttons, pressed in a client of each time: what the script does there, one line for each.
#[test]
fn buttons_write_requests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = folder.join("src/solution/scripts/requests.js");
    let done = run(
        "node",
        "nodejs",
        &[folder.join("tests/data/press.js").to_str().unwrap(), script.to_str().unwrap()],
    );
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8(done.stdout).unwrap();
    let expected = include_str!("../data/pressed.txt");
    assert_eq!(said, expected);
}

/// An organisation that has this version is left as it is, so whatever is in the files must change the version.
#[test]
fn other_files_have_another_version() {
    let digests: String = Era::ALL
        .iter()
        .map(|era| {
            let hash = Sha256::digest(package::file(*era, true));
            let short: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("{VERSION} {era} {short}\n")
        })
        .collect();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/package.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&place, &digests).unwrap();
    }
    let known = fs::read_to_string(&place).unwrap();
    assert_eq!(known, digests, "raise solution::VERSION if it was released, then run this with UPDATE=1");
}
