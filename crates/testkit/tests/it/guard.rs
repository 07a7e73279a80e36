//! What a test started ends with it, also when the test is killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use postroom_testkit::peers::{Durability, Postgres};
use postroom_testkit::poll;
use postroom_testkit::process::Server;

/// A server whose files are gone may end by itself some time later: that is not what is looked for.
const SOON: Duration = Duration::from_secs(6);

/// This binary, started again by itself with this variable, holds a cluster and a server until it is killed, and notes
/// them in the file that the variable names.
const HOLD: &str = "TESTKIT_HOLDS";

/// Not a test by itself: what the next one starts and kills.
#[test]
fn hold_when_asked() {
    let Some(note) = std::env::var_os(HOLD) else { return };
    let cluster = Postgres::start(Durability::Fast);
    let mut server = Server::new("/bin/sleep").arg("600");
    server.start();
    let lock = std::fs::read_to_string(cluster.folder().join("data/postmaster.pid")).unwrap();
    let (postgres, folder) = (lock.lines().next().unwrap(), cluster.folder().display());
    let text = format!("{postgres}\n{}\n{folder}\n", server.id().unwrap());
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
    let [postgres, server, data] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("a strange note: {text}")
    };
    assert!(runs(postgres) && runs(server) && Path::new(data).exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(poll::until(SOON, || !runs(server)), "the server {server} outlived its test");
    assert!(poll::until(SOON, || !runs(postgres)), "PostgreSQL {postgres} outlived its test");
    assert!(poll::until(SOON, || !Path::new(data).exists()), "the cluster's folder outlived its test");
}
