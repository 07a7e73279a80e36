//! The command line: help, usage errors, `explain`, `completion`, `record`, `mailbox`, `queue`, and the daily verbs.

mod completion;
mod imports;
mod mailboxes;
mod queue;
mod records;
mod service;
mod writing;

use std::fs::Permissions;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::Place;

#[test]
fn help_has_purpose_examples_and_exit_codes_in_that_order() {
    let run = Place::new().run(&["message", "import", "--help"]).exits(0);
    let at = |text: &str| run.out.find(text).unwrap_or_else(|| panic!("no {text:?} in\n{}", run.out));
    assert!(at("Take in mail") < at("Examples:"));
    assert!(at("Examples:") < at("Usage:"));
    assert!(at("Usage:") < at("Exit codes:"));
    assert!(run.err.is_empty());
}

#[test]
fn version_says_which() {
    let run = Place::new().run(&["--version"]).exits(0);
    assert_eq!(run.out.trim(), concat!("postroom ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_command_suggests_the_nearest_and_runs_nothing() {
    let run = Place::new().run(&["mesage", "list"]).exits(2);
    assert!(run.err.contains("'message'"), "{}", run.err);
    assert!(run.out.is_empty());
}

#[test]
fn an_unknown_flag_suggests_the_nearest() {
    let run = Place::new().run(&["message", "list", "--stat", "review"]).exits(2);
    assert!(run.err.contains("--state"), "{}", run.err);
}

#[test]
fn a_state_that_is_none_lists_those_that_are() {
    let run = Place::new().run(&["message", "list", "--state", "sleeping"]).exits(2);
    assert!(run.err.contains("not_tracked"), "{}", run.err);
}

#[test]
fn an_id_of_another_kind_is_wrong_usage() {
    let run = Place::new().run(&["message", "show", "dec_01j8znm0000000000000000001"]).exits(2);
    assert!(run.err.contains("msg_"), "{}", run.err);
}

#[test]
fn wrong_usage_is_json_when_asked() {
    let run = Place::new().run(&["mesage", "--json"]).exits(2);
    let error: serde_json::Value = serde_json::from_str(&run.err).expect("one JSON document");
    assert_eq!(error["error"]["exit"], 2);
    assert!(run.out.is_empty());
}

#[test]
fn no_escape_codes_where_there_is_no_terminal() {
    for arguments in [&["--help"][..], &["mesage"], &["explain", "--all"]] {
        let run = Place::new().run(arguments);
        assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'), "{arguments:?}");
    }
}

#[test]
fn explain_tells_one_code_in_three_forms() {
    let place = Place::new();
    let human = place.run(&["explain", "pr-3001"]).exits(0);
    assert!(human.out.starts_with("PR-3001: A mail could not be read\n"), "{}", human.out);
    let json = place.run(&["explain", "3001", "--json"]).exits(0).json_lines();
    assert_eq!((json.len(), &json[0]["code"]), (1, &"PR-3001".into()));
    assert_eq!(json[0]["owner"], "mail_admin");
    let plain = place.run(&["explain", "3001", "--plain"]).exits(0);
    assert!(plain.out.contains("code\tPR-3001\n"), "{}", plain.out);
}

#[test]
fn explain_all_has_every_code_with_its_next_step() {
    let lines = Place::new().run(&["explain", "--all", "--json"]).exits(0).json_lines();
    assert!(lines.len() >= 30, "{}", lines.len());
    assert!(lines.iter().all(|line| line["do"].as_str().is_some_and(|text| !text.is_empty())));
}

#[test]
fn explain_of_a_stranger_is_not_found() {
    let place = Place::new();
    place.run(&["explain", "PR-0001"]).fails(5, "PR-8004");
    place.run(&["explain", "rubbish"]).fails(5, "PR-8004");
    place.run(&["explain"]).exits(2);
}

#[test]
fn an_error_is_one_json_object_when_asked() {
    let run = Place::new().run(&["explain", "PR-0001", "--json"]).exits(5);
    let error: serde_json::Value = serde_json::from_str(&run.err).expect("one JSON document");
    assert_eq!(error["error"]["code"], "PR-8004");
    assert_eq!(error["error"]["exit"], 5);
    assert!(run.out.is_empty());
}

/// What is logged while a command runs carries the trace that its error names.
#[test]
fn an_error_names_its_trace_in_the_log() {
    let place = Place::new();
    let token = place.write("token", "secret");
    std::fs::set_permissions(&token, Permissions::from_mode(0o600)).expect("its owner's alone");
    // Nobody listens there any more.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let folder = place.folder.path().display();
    let config = format!(
        "[storage]\nurl = \"sqlite://{folder}/trace.db\"\n[crm]\nkind = \"webapi\"\norg_url = \"http://127.0.0.1:{port}\"\n\
         token = {{ file = \"{}\" }}\n",
        token.display()
    );
    place.write("postroom.toml", &config);
    let show = ["record", "show", "contact", "00000000-0000-0000-0000-000000000009", "--json", "-vv"];
    let run = place.run(&show).exits(7);
    let mut lines: Vec<serde_json::Value> =
        run.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let error = lines.pop().expect("an error");
    let trace = error["error"]["trace_id"].as_str().unwrap_or_else(|| panic!("{}", run.err)).to_owned();
    assert_eq!(trace.len(), 32, "{trace}");
    assert!(lines.iter().any(|line| line["trace_id"] == trace.as_str()), "{}", run.err);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let place = Place::new();
    let mut command = place.command(&["completion", "zsh"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
    assert!(child.wait().expect("it ends").success(), "{said}");
    assert!(said.is_empty(), "{said}");
}
