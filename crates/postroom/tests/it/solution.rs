//! The solution by the command line: into the CRM of each make, again, by two connectors, out again; killed in the middle; as
//! a file.

use std::process::Stdio;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::house::House;
use crate::load::KILL_AT;
use crate::make::{Make, Place};

/// A CRM outside, with nothing in it.
struct There {
    /// It serves as long as this stands.
    _house: House,
    place: Place,
}

impl There {
    fn new() -> There {
        let house = House::open("");
        let place = house.place();
        There { _house: house, place }
    }

    /// A connector of its own, which works with it.
    fn connector(&self, make: Make) -> House {
        let folder = tempfile::tempdir().expect("a folder");
        // One request at a time: what asks beside the import must not wait for what the import waits for.
        let section = format!("{}leave_to_others = 75\n", self.place.section(make, folder.path()));
        let house = House::quiet(&section);
        // The token lies beside the database for as long as the house stands.
        std::mem::forget(folder);
        house
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[track_caller]
fn state(house: &House, state: &str) -> Value {
    let told = house.one(&["solution", "status"]);
    assert_eq!(told["state"], json!(state), "{told:#}");
    told
}

/// In, again, refused to a second one, taken over, out.
fn story(first: &House, second: Option<&House>) {
    state(first, "absent");
    assert_eq!(first.run(&["solution", "upgrade"]).exit, 5);
    let trial = first.one(&["solution", "install", "--dry-run"]);
    assert!(strings(&trial["missing"]).contains(&"table esc_emailsupression"), "{trial:#}");
    state(first, "absent");

    let done = first.one(&["solution", "install"]);
    assert_eq!((&done["outcome"], &done["missing"]), (&json!("installed"), &json!([])), "{done:#}");
    let told = state(first, "installed");
    assert_eq!(
        (&told["registered"]["version"], &told["registered"]["managed"]),
        (&json!("1.0.0.2"), &json!(true))
    );
    assert_eq!(first.one(&["solution", "install"])["outcome"], json!("unchanged"));
    assert_eq!(first.one(&["solution", "upgrade"])["outcome"], json!("unchanged"));

    if let Some(second) = second {
        let refused = second.run(&["solution", "install"]);
        assert_eq!(refused.exit, 6, "{}", refused.err);
        let name = told["connector"]["connector"]["id"].as_str().expect("an id");
        assert!(refused.err.contains(name) && refused.err.contains("--take-over"), "{}", refused.err);
        assert_eq!(second.one(&["solution", "install", "--take-over"])["outcome"], json!("unchanged"));
        assert_eq!(first.run(&["solution", "uninstall", "--yes"]).exit, 6);
        assert_eq!(first.one(&["solution", "install", "--take-over"])["outcome"], json!("unchanged"));
    }

    let trial = first.one(&["solution", "uninstall", "--dry-run"]);
    assert!(strings(&trial["tables"]).contains(&"esc_form"), "{trial:#}");
    assert_eq!(first.run(&["solution", "uninstall"]).exit, 9, "nobody can be asked");
    state(first, "installed");
    assert_eq!(first.one(&["solution", "uninstall", "--yes"])["outcome"], json!("uninstalled"));
    state(first, "absent");
    assert_eq!(first.one(&["solution", "uninstall", "--yes"])["outcome"], json!("unchanged"));
}

#[test]
fn in_the_embedded_crm() {
    story(&House::quiet(""), None);
}

static CRM: LazyLock<There> = LazyLock::new(There::new);

/// One organisation, so one after the other.
#[test]
fn in_a_crm_outside() {
    for make in [Make::WebApi, Make::Soap] {
        story(&CRM.connector(make), Some(&CRM.connector(make)));
    }
}

/// Killed before and after each commit of the import, and of the mark.
#[test]
fn killed_in_the_middle() {
    for (point, left) in [
        ("crm.shape.before_commit", "absent"),
        ("crm.shape.after_commit", "installed"),
        ("crm.apply.before_commit:1", "absent"),
        ("crm.apply.before_commit:3", "installed"),
    ] {
        let house = House::quiet("");
        state(&house, "absent");
        let mut command = house.command(&["solution", "install"]);
        let ended = command.env(KILL_AT, point).stdin(Stdio::null()).stderr(Stdio::null()).status();
        let ended = ended.expect("the binary starts");
        assert!(!ended.success(), "{point} was not reached");
        state(&house, left);
        house.one(&["solution", "install"]);
        let told = state(&house, "installed");
        assert!(told["connector"]["connector"]["id"].is_string(), "{point}: {told:#}");
    }
}

/// A file for each generation, which needs neither a configuration nor a database.
#[test]
fn exported() {
    let house = House::quiet("");
    let said = house.one(&["solution", "export"]);
    assert_eq!(said["file"], json!("EmailServiceConnector_1_0_0_2_365.zip"));
    assert!(house.path("EmailServiceConnector_1_0_0_2_365.zip").exists());
    for generation in ["2011", "2013", "2015", "2016", "365"] {
        let file = house.path(&format!("{generation}.zip"));
        let path = file.to_string_lossy();
        house.one(&["solution", "export", "--managed", "--generation", generation, "--output", &path]);
        let bytes = std::fs::read(&file).expect("it was written");
        let read = postroom_formats::solution::read(&bytes, &Default::default()).expect("a solution");
        assert!(read.manifest.managed && read.manifest.unique_name == "EmailServiceConnector");
        let queue = read.entities.iter().any(|entity| entity.table.logical_name == "esc_messagequeue");
        assert_eq!(queue, generation != "365");
    }
    assert_eq!(house.run(&["solution", "export", "--generation", "4"]).exit, 2);
    assert_ne!(house.run(&["solution", "export", "--output", "nowhere/x.zip"]).exit, 0);
}
