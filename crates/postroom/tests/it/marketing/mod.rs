//! The marketing half with the real binary: a stand-in for the service beside it, opt-outs of both sides, and commands.

mod campaigns;
pub mod crash;
mod metrics;
mod outside;
mod people;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use postroom_core::Clock;
use postroom_sandbox::dotdigital::{Act, Dotdigital, Options, Region};
use postroom_testkit::database::{Database, Template};
use postroom_testkit::poll;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Place;
use crate::house::{House, PATIENCE, wait_for};
use crate::sending::bench;

/// An address that is awkward in paths, queries and tables.
pub const ODD: &str = "o'brien+x@example.com";
const PASSWORD: &str = "demo";

static MADE: Template = Template::new();

/// A database with the solution in its CRM.
async fn fill(url: String) {
    let place = Place::with(&format!("[storage]\nurl = \"{url}\"\n"));
    place.run(&["verify"]).exits(0);
    place.run(&["solution", "install"]).exits(0);
    // A command leaves its write-ahead log behind; who opens and closes the file puts it away.
    drop(bench::open(&url).await);
}

/// Where the password lies.
static SECRET: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("dotdigital");
    fs::write(&file, PASSWORD).expect("the secret is written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is its owner's");
    (folder, file)
});

pub fn world() -> Dotdigital {
    Dotdigital::start(Options::one_account(PASSWORD), Clock::system())
}

/// An account at the stand-in. By itself only opt-outs are exchanged, or nothing.
pub fn config(world: &Dotdigital, by_itself: bool) -> String {
    let every: Vec<String> = postroom_marketing::sync::SyncType::ALL
        .iter()
        .filter(|sync_type| !by_itself || sync_type.as_str() != "suppressions")
        .map(|sync_type| format!("{sync_type} = \"never\""))
        .collect();
    format!(
        "[jobs]\nlease = \"1s\"\npoll = \"50ms\"\n[marketing.accounts.main]\nurl = \"{}\"\n\
         user = \"apiuser-demo@apiconnector.com\"\npassword = {{ file = \"{}\" }}\nevery = {{ {} }}\n",
        world.url(Region::R1),
        SECRET.1.display(),
        every.join(", ")
    )
}

/// A house on SQLite with the solution in its CRM; only commands.
pub fn quiet(config: &str) -> House {
    let house = House::quiet(config);
    let made = wait_for(MADE.sqlite(fill));
    fs::copy(made.path(), house.path("postroom.db")).expect("a file can be copied");
    house
}

fn contact(number: u8, address: &str) -> Value {
    let id = format!("00000000-0000-0000-0000-0000000000{number:02x}");
    let columns = json!({ "firstname": "Anna", "lastname": "Adler", "emailaddress1": address });
    json!({ "table": "contact", "id": id, "columns": columns })
}

fn opted_out(mut contact: Value) -> Value {
    contact["columns"]["donotbulkemail"] = true.into();
    contact
}

/// The addresses of the CRM's rows of suppressions.
pub fn in_the_crm(house: &House) -> Vec<String> {
    let rows = house.list(&["record", "list", "esc_emailsupression", "--limit", "0"]);
    let address = |row: &Value| row["columns"]["esc_emailaddress"].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<String> = rows.iter().map(address).collect();
    all.sort();
    all
}

/// This moment, as commands take it.
fn now() -> String {
    Clock::system().now().to_string()
}

pub fn is_out(world: &Dotdigital, address: &str) -> bool {
    world.person(1, address).is_some_and(|person| person.status.suppresses())
}

fn flag(house: &House, number: u8) -> Value {
    let at = format!("00000000-0000-0000-0000-0000000000{number:02x}");
    house.one(&["record", "show", "contact", &at])["columns"]["donotbulkemail"].clone()
}

#[test]
fn who_leaves_on_one_side_is_out_on_both_on_sqlite() {
    let world = world();
    both_ways(&world, quiet(&config(&world, true)).started());
}

#[test]
fn who_leaves_on_one_side_is_out_on_both_on_postgresql() {
    let world = world();
    let made: Database = wait_for(MADE.postgres(fill));
    both_ways(&world, House::on(&made.url, &config(&world, true)));
}

fn both_ways(world: &Dotdigital, house: House) {
    house.records(&[contact(1, ODD), contact(2, "bert@x.example")]);
    let done = || house.list(&["marketing", "sync", "runs", "--state", "done"]);
    assert!(
        poll::until(PATIENCE, || !done().is_empty()),
        "the first exchange begins by itself\n{}",
        house.log()
    );

    world.act(1, ODD, None, Act::Unsubscribe).expect("the account is there");
    house.records(&[opted_out(contact(2, "bert@x.example"))]);
    house.one(&["marketing", "sync", "run", "main", "suppressions"]);
    let known = || in_the_crm(&house) == ["bert@x.example", ODD] && is_out(world, "bert@x.example");
    assert!(poll::until(PATIENCE, known), "{:?}\n{}", in_the_crm(&house), house.log());
    assert!(poll::until(PATIENCE, || flag(&house, 1) == true), "{}", house.log());

    let checked = house.run(&["marketing", "suppress", "check", ODD]);
    assert_eq!(checked.exit, 20, "{}", checked.err);
    let account = &house.list(&["marketing", "account", "list"])[0];
    assert_eq!((&account["state"], &account["fresh"]), (&json!("healthy"), &json!(true)), "{account}");
    let runs = house.list(&["marketing", "sync", "runs"]);
    assert!(runs.iter().all(|run| run["counts"]["balances"] == true), "{runs:?}");
    assert!(house.stop(), "{}", house.log());
}

#[test]
fn commands_work_without_a_server() {
    let world = world();
    let house = quiet(&config(&world, false));
    let found = &house.list(&["marketing", "account", "check", "main"])[0];
    assert_eq!(found["ok"], true, "{found}");
    let names: Vec<&str> =
        found["steps"].as_array().expect("steps").iter().filter_map(|step| step["name"].as_str()).collect();
    assert_eq!(names[..7], ["name", "tls", "sign_in", "account", "limits", "time", "capabilities"]);

    house.one(&["marketing", "suppress", "add", ODD]);
    assert!(in_the_crm(&house).is_empty(), "nobody told the CRM yet");
    let trial = house.one(&["marketing", "sync", "dry-run", "main", "suppressions"]);
    assert_eq!(trial["counts"]["to_service"]["sent"], 1, "{trial}");
    assert!(!is_out(&world, ODD), "a dry run tells nobody");
    let run = house.one(&["marketing", "sync", "run", "main", "suppressions", "--wait"]);
    assert_eq!((&run["state"], &run["asked_by"]), (&json!("done"), &json!("console")), "{run}");
    assert!(is_out(&world, ODD) && in_the_crm(&house) == [ODD]);

    let file = house.file("csv", b"Email,Reason\nnew@x.example,HardBounced\nnobody,\n");
    let import = house.run(&["marketing", "suppress", "import", &file.to_string_lossy()]);
    assert_eq!(import.exit, 8, "{}", import.err);
    let export = house.shown(&["marketing", "suppress", "export"]);
    assert!(export.contains("new@x.example,main,yes,HardBounced,") && export.contains(ODD), "{export}");

    let no_proof =
        house.run(&["marketing", "suppress", "lift", ODD, "--proof", " ", "--at", &now(), "--yes"]);
    assert_eq!(no_proof.exit, 2, "{}", no_proof.err);
    house.one(&["marketing", "suppress", "lift", ODD, "--proof", "ticket 4711", "--at", &now(), "--yes"]);
    house.one(&["marketing", "sync", "run", "main", "suppressions", "--wait"]);
    assert!(!is_out(&world, ODD), "the service takes the person back");
    assert_eq!(house.run(&["marketing", "suppress", "check", ODD]).exit, 0);
}

#[test]
fn what_an_account_lacks_is_said_with_a_fix() {
    let world = world();
    let wrong = config(&world, false).replace("apiuser-demo", "nobody");
    let house = quiet(&wrong);
    let said = house.run(&["marketing", "account", "check"]);
    let text = String::from_utf8(said.out).expect("JSON");
    assert!(said.exit == 20 && text.contains("PR-5002") && text.contains("Correct the API user"), "{text}");
    let run = house.run(&["marketing", "sync", "run", "main", "suppressions", "--wait"]);
    assert_eq!(run.exit, 1, "{}", run.err);
    assert_eq!(house.list(&["marketing", "account", "list"])[0]["state"], "needs_you");
}

#[test]
fn an_account_is_tried_before_it_is_written() {
    let world = world();
    let house = House::quiet("");
    let (url, file) = (world.url(Region::R1), SECRET.1.display().to_string());
    let add = |user: &str| {
        house.run(&[
            "marketing",
            "account",
            "add",
            "main",
            "--user",
            user,
            "--password-file",
            &file,
            "--url",
            &url,
            "--write",
        ])
    };
    let refused = add("nobody@apiconnector.com");
    assert_eq!(refused.exit, 20, "{}", refused.err);
    let written = add("apiuser-demo@apiconnector.com");
    assert_eq!(written.exit, 0, "{}", written.err);
    assert_eq!(house.list(&["marketing", "account", "list"])[0]["name"], "main");
    let again = add("apiuser-demo@apiconnector.com");
    assert!(again.exit == 0 && String::from_utf8_lossy(&again.out).contains("already_there"));
    assert_eq!(add("another@apiconnector.com").exit, 6);
}
