//! `completion`: what the shells are given, and what is offered for each argument.

use std::process::{Command, Stdio};

use crate::Place;

/// A contact, so that there is a record to offer.
const CONTACT: &str = "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11";

/// Two mailboxes, no database yet.
fn furnished() -> Place {
    let place = Place::new();
    let folder = place.folder.path().display().to_string();
    place.write(
        "postroom.toml",
        &format!(
            "[storage]\nurl = \"sqlite://{folder}/postroom.db\"\n[mailboxes.support]\naddress = \"support@ours.example\"\n\
             [mailboxes.sales]\naddress = \"sales@ours.example\"\n"
        ),
    );
    place
}

/// A place with a mail in it; and the mail's id.
fn with_mail() -> (Place, String) {
    let place = furnished();
    let mail = "From: a@customer.example\r\nTo: support@ours.example\r\nSubject: Hello \u{1b}[31m\r\nMessage-ID: <c1@x>\r\n\r\nHi\r\n";
    let mail = place.write("mail.eml", mail);
    place.run(&["message", "import", &mail.to_string_lossy()]).exits(0);
    let listed = place.run(&["message", "list", "--json"]).exits(0).json_lines();
    let id = listed[0]["id"].as_str().expect("a message has an id").to_owned();
    (place, id)
}

/// A program in this place, as the script of a shell runs it.
fn asked(place: &Place, shell: &str, words: &[&str]) -> Command {
    let mut command = place.command(&["--", "postroom"]);
    command.args(words).env("_POSTROOM_COMPLETE", shell);
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string()).env("_CLAP_IFS", "\n");
    command
}

/// What bash is offered for the last word, but for the flags that may stand everywhere.
#[track_caller]
fn offered(place: &Place, words: &[&str]) -> Vec<String> {
    let output = asked(place, "bash", words).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{words:?}: {said}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().filter(|word| !word.starts_with("--")).map(str::to_owned).collect()
}

#[track_caller]
fn check(place: &Place, words: &[&str], expected: &[&str]) {
    assert_eq!(offered(place, words), expected, "{words:?}");
}

#[test]
fn every_shell_gets_a_script_that_asks_this_program() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = Place::new().run(&["completion", shell]).exits(0);
        assert!(
            run.out.contains("_POSTROOM_COMPLETE") && run.out.contains(env!("CARGO_BIN_EXE_postroom")),
            "{shell}: {}",
            run.out
        );
    }
    Place::new().run(&["completion", "csh"]).exits(2);
}

#[test]
fn bash_itself_completes_by_the_script() {
    let (place, id) = with_mail();
    place.write("script", &place.run(&["completion", "bash"]).exits(0).out);
    let typed = "source ./script; COMP_WORDS=(postroom message show msg_); COMP_CWORD=3; COMP_TYPE=9; \
                 _clap_complete_postroom postroom msg_ show; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", typed]).current_dir(place.folder.path()).stdin(Stdio::null());
    let output = bash.output().expect("bash is on every Debian");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), id, "{said}");
}

#[test]
fn commands_states_and_codes_are_offered_without_a_configuration() {
    let place = Place::new();
    check(&place, &["mess"], &["message"]);
    check(&place, &["message", "list", "--state", "rev"], &["review"]);
    check(&place, &["apitoken", "create", "--scope", "a"], &["agent", "api"]);
    check(&place, &["explain", "PR-3001"], &["PR-3001"]);
    check(&place, &["message", "show", ""], &[]);
    check(&place, &["mailbox", "test", ""], &[]);
    check(&place, &["record", "show", ""], &[]);
}

#[test]
fn names_come_from_the_configuration_and_no_database_is_made() {
    let place = furnished();
    for words in
        [&["mailbox", "test", "s"][..], &["message", "import", "--mailbox", "s"], &["check", "mailbox", "s"]]
    {
        check(&place, words, &["sales", "support"]);
    }
    check(&place, &["message", "show", ""], &[]);
    check(&place, &["message", "list", "--record", "inc"], &["incident/"]);
    assert!(!place.folder.path().join("postroom.db").exists());
    // Wherever the person stands.
    let elsewhere = Place::new();
    let config = place.folder.path().join("postroom.toml");
    check(&elsewhere, &["-c", &config.to_string_lossy(), "mailbox", "test", "sup"], &["support"]);
}

#[test]
fn ids_of_what_is_stored_are_offered() {
    let (place, id) = with_mail();
    for verb in ["show", "raw", "answer", "move", "replay", "undo"] {
        check(&place, &["message", verb, "msg_"], &[&id]);
    }
    check(&place, &["message", "review", "reject", ""], &[&id]);
    check(&place, &["message", "show", "dec_"], &[]);
    let token = place.run(&["apitoken", "create", "--scope", "agent", "--json"]).exits(0).json_lines();
    check(&place, &["apitoken", "revoke", "tok_"], &[token[0]["id"].as_str().expect("an id")]);
    check(&place, &["shelf", "show", ""], &[]);
    check(&place, &["queue", "hold", ""], &[]);
    // What a stranger wrote stands beside the id where the shell shows it, and cannot act.
    let fish = asked(&place, "fish", &["message", "show", "msg_"]).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&fish.stdout).into_owned();
    assert!(said.contains(&id) && said.contains("Hello") && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn tables_and_their_records_are_offered() {
    let (place, id) = with_mail();
    let line =
        format!("{{\"table\":\"contact\",\"id\":\"{CONTACT}\",\"columns\":{{\"lastname\":\"Adler\"}}}}");
    let file = place.write("contact.jsonl", &line);
    place.run(&["record", "import", &file.to_string_lossy()]).exits(0);
    check(&place, &["record", "list", "conta"], &["contact"]);
    check(&place, &["record", "show", "contact", ""], &[CONTACT]);
    check(&place, &["record", "list", "contact", "--where", "lastn"], &["lastname="]);
    let at = format!("contact/{CONTACT}");
    check(&place, &["message", "move", &id, "contact/"], &[&at]);
    check(&place, &["message", "write", "--record", "contact/"], &[&at]);
    check(&place, &["message", "list", "--record", "contact/7"], &[]);
}
