//! `postroom demo`: the whole story on one machine, offline, as somebody sees it who has never heard of it.

use std::path::Path;
use std::process::{Command, Output};

use postroom_testkit::process::Server;

use crate::house::PATIENCE;

fn demo(folder: &Path, options: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postroom"));
    command
        .arg("demo")
        .args(options)
        .env_clear()
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .current_dir(folder);
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.code().unwrap_or(-1), said)
}

/// How each step ended, in order: the eight mails that came in, then what sales wrote and what came of it, then who left,
/// then the letter to 500 people.
const OUTCOMES: [&str; 30] = [
    "filed on case \"Mash pump leaks at the shaft\"",
    "filed on case \"Mash pump leaks at the shaft\"",
    "filed without a record, queue item made",
    "filed on quote \"Offer: three pumps for the outdoor pool\"",
    "filed on case \"Mash pump leaks at the shaft\" (automatic, never answered)",
    "filed on lead Mira Costa (automatic, never answered)",
    "waits in review",
    "waits in review",
    "sent",
    "leaves with one token: Your mash pump CRM: {c10b00b5-a79a-57b8-825e-df4911b4205a}:MRC",
    "filed on case \"Mash pump leaks at the shaft\"",
    "Failed in the CRM, with a note that says why",
    "filed on opportunity \"Three pumps for the outdoor pool\" (automatic, never answered)",
    "shown on the outgoing e-mail: post.old@fjordbad.example bounced",
    "filed on opportunity \"Three pumps for the outdoor pool\"",
    "filed on opportunity \"Three pumps for the outdoor pool\"",
    "she left",
    "her contact in the CRM allows no bulk e-mail any more",
    "the service will mail him nothing, whoever imports him there again",
    "500 members",
    "488 of 500 would get it; nothing is written and nobody is mailed",
    "refused: another number than was counted",
    "its people are at the service, and it is held here until its time",
    "one person less",
    "handed over once, to 487 people",
    "the service mailed 487 people, and not the one who left",
    "done at the service",
    "180 opens by people and 60 by machines, 45 clicks, 4 orders for 798.00, as the service counts them",
    "who left allows no bulk e-mail in the CRM any more",
    "the service mailed 486 people, and not those who left",
];

#[test]
fn the_story_is_told_to_its_end_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (exit, said) = demo(folder.path(), &["--exit"]);
    assert_eq!(exit, 0, "{said}");
    let told: Vec<&str> = said.lines().filter_map(|line| line.trim().strip_prefix("-> ")).collect();
    assert_eq!(told, OUTCOMES, "{said}");
    assert!(said.contains("SMTP on 127.0.0.1:"), "{said}");
    let left: Vec<_> = folder
        .path()
        .read_dir()
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_second_demo_at_once_takes_other_ports() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = Server::in_folder(env!("CARGO_BIN_EXE_postroom"), folder.path()).arg("demo");
    first.start();
    first.wait_for_output("Ctrl-C ends the demo", PATIENCE);
    let (exit, said) = demo(folder.path(), &["--exit"]);
    assert_eq!(exit, 0, "{said}");
    let ports = |said: &str| -> Vec<String> {
        let line = said.lines().find(|line| line.starts_with("SMTP on ")).unwrap_or_default();
        line.split("127.0.0.1:")
            .skip(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect())
            .collect()
    };
    let (ours, theirs) = (ports(&first.output()), ports(&said));
    assert_eq!((ours.len(), theirs.len()), (2, 2), "{said}");
    assert!(ours.iter().all(|port| !theirs.contains(port)), "{ours:?} and {theirs:?}");
    assert!(first.terminate(PATIENCE).success(), "{}", first.output());
}

/// A configuration that happens to lie there is somebody else's.
#[test]
fn no_configuration_of_the_machine_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let real = "[storage]\nurl = \"sqlite:///nowhere/real.db\"\n[smtp_in]\nno_such_key = 1\n";
    std::fs::write(folder.path().join("postroom.toml"), real).expect("the file is written");
    let (exit, said) = demo(folder.path(), &["--exit"]);
    assert_eq!(exit, 0, "{said}");
}

#[test]
fn somebody_s_own_mail_can_be_filed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("own.eml");
    let mail = "From: Anna Adler <anna.adler@adler-brauerei.example>\nTo: info@demo.example\nSubject: My own mail\n\
        Message-ID: <own@adler-brauerei.example>\n\nHello\n";
    std::fs::write(&file, mail).expect("the mail is written");
    let (exit, said) = demo(folder.path(), &["--exit", "--mail", &file.display().to_string()]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.to_lowercase().contains("new") && said.contains("review"), "{said}");
    let (exit, said) = demo(folder.path(), &["--exit", "--mail", "/no/such/file"]);
    assert_ne!(exit, 0, "{said}");
    assert!(said.contains("/no/such/file"), "{said}");
}
