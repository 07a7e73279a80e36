//! What others say of our files: libxml2 by a schema that Microsoft's own exports satisfy, Python of the archive.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use postroom_formats::solution::*;

use super::{folder, sample};

fn run(program: &str, package: &str, arguments: &[&str]) -> Output {
    let done = Command::new(program).args(arguments).output();
    done.unwrap_or_else(|error| panic!("{program} does not start ({error}); on Debian install {package}"))
}

/// Whether libxml2 finds a customizations.xml as it should be, and what it says.
fn judged(file: &Path) -> (bool, String) {
    let schema = folder().join("customizations.rng");
    let arguments = ["--noout", "--nonet", "--relaxng", schema.to_str().unwrap(), file.to_str().unwrap()];
    let done = run("xmllint", "libxml2-utils", &arguments);
    (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
}

#[track_caller]
fn check(file: &Path) {
    let (good, said) = judged(file);
    assert!(good, "{}: {said}", file.display());
}

#[test]
fn what_microsoft_wrote_is_as_the_schema_has_it() {
    for name in ["app-9.2", "change-tracking-7.1", "column-security-9.2"] {
        check(&folder().join(name).join("customizations.xml"));
    }
}

/// Unpacks with Python, which also checks every checksum.
fn unpacked(bytes: &[u8], to: &Path) {
    let archive = to.join("solution.zip");
    fs::write(&archive, bytes).unwrap();
    let (archive, to) = (archive.to_str().unwrap(), to.to_str().unwrap());
    let done = run("python3", "python3", &["-m", "zipfile", "-e", archive, to]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn what_we_write_is_as_the_schema_has_it() {
    for package in Package::ALL {
        let place = tempfile::tempdir().unwrap();
        unpacked(&write(&sample::solution(*package), *package).unwrap(), place.path());
        check(&place.path().join("customizations.xml"));
        assert_eq!(fs::read_dir(place.path().join("WebResources")).unwrap().count(), 1);
    }
}

/// The judge sees mistakes: an order that servers refuse, and a word that they do not know.
#[test]
fn the_schema_refuses() {
    let place = tempfile::tempdir().unwrap();
    let export = fs::read_to_string(folder().join("change-tracking-7.1/customizations.xml")).unwrap();
    let file = place.path().join("customizations.xml");
    for (good, bad) in [
        ("<Type>primarykey</Type>", "<Type>key</Type>"),
        ("<CascadeDelete>NoCascade</CascadeDelete>", "<CascadeDelete>Maybe</CascadeDelete>"),
        ("<Roles", "<Rolls"),
        ("<formid>{", "<formid>"),
    ] {
        let broken = export.replacen(good, bad, 1);
        assert_ne!(broken, export, "{good}");
        fs::write(&file, broken).unwrap();
        assert!(!judged(&file).0, "{bad} is taken");
    }
}
