//! Archives made to hurt, and archives that are no solutions.

use std::io::{Cursor, Write};

use postroom_formats::solution::*;
use postroom_formats::xml;
use proptest::prelude::*;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::sample;

pub fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const TYPES: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
const MANIFEST: &[u8] =
    b"<ImportExportXml SolutionPackageVersion='9.0'><SolutionManifest><UniqueName>a</UniqueName>\
    <Version>1.0</Version><Managed>0</Managed><Publisher><UniqueName>p</UniqueName><CustomizationPrefix>esc\
    </CustomizationPrefix></Publisher></SolutionManifest></ImportExportXml>";
const EMPTY: &[u8] = b"<ImportExportXml><Entities/></ImportExportXml>";

fn solution_of(manifest: &[u8], customizations: &[u8]) -> Result<Solution, Error> {
    let files = [TYPES, ("solution.xml", manifest), ("customizations.xml", customizations)];
    read(&packed(&files), &Limits::default())
}

#[track_caller]
fn check(files: &[(&str, &[u8])], limits: &Limits, expected: impl Fn(&Error) -> bool) {
    match read(&packed(files), limits) {
        Err(error) => assert!(expected(&error), "{error:?}"),
        Ok(_) => panic!("it was read"),
    }
}

const WHOLE: [(&str, &[u8]); 3] = [TYPES, ("solution.xml", MANIFEST), ("customizations.xml", EMPTY)];

fn with<'a>(more: &[(&'a str, &'a [u8])]) -> Vec<(&'a str, &'a [u8])> {
    WHOLE.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn the_least_solution() {
    let solution = solution_of(MANIFEST, EMPTY).unwrap();
    assert_eq!(solution.manifest.publisher.prefix, "esc");
    let more = read(&packed(&with(&[("Workflows/a.xaml", b"x")])), &Limits::default()).unwrap();
    assert_eq!(more.left_out, ["Workflows/a.xaml"]);
}

#[test]
fn no_archive() {
    for bytes in [b"".as_slice(), b"PK", b"not a zip at all, but long enough to be looked at"] {
        assert!(matches!(read(bytes, &Limits::default()), Err(Error::Zip(_))));
    }
    check(&[], &Limits::default(), |error| *error == Error::MissingFile("[Content_Types].xml"));
    check(&WHOLE[..2], &Limits::default(), |error| *error == Error::MissingFile("customizations.xml"));
    check(&WHOLE[..1], &Limits::default(), |error| *error == Error::MissingFile("solution.xml"));
}

#[test]
fn bombs() {
    let zeros = vec![b' '; 20 << 20];
    let small = Limits { unpacked: 8 << 20, ratio: u64::MAX, ..Limits::default() };
    check(
        &with(&[("a", &zeros)]),
        &small,
        |error| matches!(error, Error::Limit { most, .. } if *most == 8 << 20),
    );
    check(&with(&[("a", &zeros)]), &Limits::default(), |error| {
        matches!(error, Error::Limit { most: 250, .. })
    });
    let few = Limits { entries: 3, ..Limits::default() };
    check(&with(&[("a", b"")]), &few, |error| matches!(error, Error::Limit { what: "entries", .. }));
    let short = Limits { bytes: 100, ..Limits::default() };
    check(&WHOLE, &short, |error| matches!(error, Error::Limit { what: "bytes", .. }));
}

#[test]
fn names_that_no_solution_has() {
    for name in ["/etc/passwd", "../x", "a/../../x", "C:x", "a\u{7}b"] {
        check(&with(&[(name, b"x")]), &Limits::default(), |error| matches!(error, Error::EntryName(_)));
    }
}

#[test]
fn names_that_stand_twice() {
    let twice = with(&[("SOLUTION.xml", MANIFEST)]);
    check(&twice, &Limits::default(), |error| matches!(error, Error::Duplicate(_)));
    // The writer refuses to write the same name twice, so one of the same length is renamed in the bytes.
    let bytes = packed(&with(&[("solutiom.xml", MANIFEST)]));
    let mut bytes = bytes;
    let places: Vec<usize> =
        (0..bytes.len() - 12).filter(|at| &bytes[*at..*at + 12] == b"solutiom.xml").collect();
    assert_eq!(places.len(), 2, "in front of the entry and in the directory");
    for at in places {
        bytes[at..at + 12].copy_from_slice(b"solution.xml");
    }
    assert!(matches!(read(&bytes, &Limits::default()), Err(Error::Duplicate(_))));
}

#[track_caller]
fn check_xml(customizations: &str, expected: impl Fn(&xml::Error) -> bool) {
    match solution_of(MANIFEST, customizations.as_bytes()) {
        Err(Error::Xml { file: "customizations.xml", source }) => assert!(expected(&source), "{source:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn xml_that_would_hurt() {
    check_xml("<!DOCTYPE a [<!ENTITY x 'y'>]><ImportExportXml>&x;</ImportExportXml>", |error| {
        *error == xml::Error::Dtd
    });
    check_xml(&"<a>".repeat(100_000), |error| matches!(error, xml::Error::Depth(_)));
    check_xml("<ImportExportXml>", |error| matches!(error, xml::Error::Syntax { .. }));
    let wide = format!(
        "<ImportExportXml>{}</ImportExportXml>",
        (0..1_100_000).map(|n| format!("<a b='{n}'/>")).collect::<String>()
    );
    check_xml(&wide, |error| matches!(error, xml::Error::Nodes(_)));
    assert!(matches!(solution_of(MANIFEST, b"\xff\xfe<"), Err(Error::Encoding { .. })));
}

#[track_caller]
fn check_named(customizations: &str, component: &str) {
    let error = solution_of(MANIFEST, customizations.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(component), "{error}");
}

#[test]
fn errors_name_the_component() {
    let entity = |columns: &str| {
        format!(
            "<ImportExportXml><Entities><Entity><Name>esc_A</Name><EntityInfo><entity Name='esc_A'><attributes>{columns}\
             </attributes></entity></EntityInfo></Entity></Entities></ImportExportXml>"
        )
    };
    check_named(&entity("<attribute PhysicalName='esc_B'/>"), "esc_A.esc_B");
    check_named(
        &entity("<attribute PhysicalName='esc_B'><Type>cube</Type></attribute>"),
        "\"cube\" is no Type",
    );
    let number =
        "<attribute PhysicalName='esc_B'><Type>nvarchar</Type><MaxLength>many</MaxLength></attribute>";
    check_named(&entity(number), "esc_A.esc_B");
    let twice = "<attribute PhysicalName='esc_B'><Type>bit</Type></attribute>".repeat(2);
    check_named(&entity(&twice), "esc_a.esc_b");
    check_named("<ImportExportXml><Roles><Role name='R' id='x'/></Roles></ImportExportXml>", "the role R");
    check_named(
        "<ImportExportXml><EntityRelationships><EntityRelationship Name='esc_r'/></EntityRelationships></ImportExportXml>",
        "the relationship esc_r",
    );
    let odd = String::from_utf8(MANIFEST.to_vec()).unwrap().replace("<Version>1.0<", "<Version>one<");
    assert!(solution_of(odd.as_bytes(), EMPTY).unwrap_err().to_string().contains("\"one\" is no Version"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, &Limits::default());
    }

    /// Real archives with bytes changed: most are refused for their checksums, the directory is not.
    #[test]
    fn damage_is_refused_or_harmless(hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = write(&sample::solution(Package::V9_2), Package::V9_2).unwrap();
        for (at, byte) in hits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes, &Limits::default());
    }
}
