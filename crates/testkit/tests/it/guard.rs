//! What a test started ends with it, also when the test is killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use postroom_testkit::peers::{Dovecot, DovecotOptions, Durability, Postfix, Postgres, Route, Slapd};
use postroom_testkit::poll;
use postroom_testkit::process::Server;

/// A server whose files are gone may end by itself some time later: that is not what is looked for.
const SOON: Duration = Duration::from_secs(6);

/// This binary, started again by itself with this variable, holds servers until it is killed, and notes them in the file
/// that the variable names: processes, then folders.
const HOLD: &str = "TESTKIT_HOLDS";

/// Not a test by itself: what the next one starts and kills.
#[test]
fn hold_when_asked() {
    let Some(note) = std::env::var_os(HOLD) else { return };
    let cluster = Postgres::start(Durability::Fast);
    let mut server = Server::new("/bin/sleep").arg("600");
    server.start();
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    let postfix = Postfix::start(Route::Discard, &[]);
    let slapd = Slapd::start("Acme", &[]);
    let folders = [cluster.folder(), dovecot.folder(), postfix.folder(), slapd.folder()];
    let pid = |path: &str, folder: &Path| std::fs::read_to_string(folder.join(path)).unwrap();
    let files = ["data/postmaster.pid", "run/master.pid", "queue/pid/master.pid", "data/pid"];
    let first = |text: String| text.lines().next().unwrap().trim().to_owned();
    let peers: Vec<String> =
        files.iter().zip(folders).map(|(path, folder)| first(pid(path, folder))).collect();
    let folders = folders.map(|folder| folder.display().to_string()).join("\n");
    let text = format!("{}\n{}\n{folders}\n", server.id().unwrap(), peers.join("\n"));
    let draft = PathBuf::from(&note).with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, note).unwrap();
    let _ = poll::until(Duration::from_secs(120), || false);
}

/// Whether a process is there and has not ended: one that nobody has waited for yet is in state Z.
fn runs(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn what_a_killed_test_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("note");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "guard::hold_when_asked"]).env(HOLD, &note);
    let mut holder =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(poll::until(Duration::from_secs(60), || note.exists()), "nothing was started");
    let text = std::fs::read_to_string(&note).unwrap();
    let (folders, processes): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('/'));
    assert_eq!((folders.len(), processes.len()), (4, 5), "a strange note: {text}");
    assert!(
        processes.iter().all(|process| runs(process)) && folders.iter().all(|path| Path::new(path).exists())
    );
    holder.kill().unwrap();
    holder.wait().unwrap();
    for process in processes {
        assert!(poll::until(SOON, || !runs(process)), "{process} outlived its test:\n{text}");
    }
    for folder in folders {
        assert!(poll::until(SOON, || !Path::new(folder).exists()), "the folder {folder} outlived its test");
    }
}
