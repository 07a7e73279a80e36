//! Programs under test: started, watched, killed, started again.

use std::time::Duration;

use postroom_testkit::process::Server;

const SOON: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Server {
    Server::new("/bin/sh").args(["-c", script])
}

#[test]
fn both_streams_are_kept_over_a_restart_on_the_same_folder() {
    let mut server =
        shell("echo start >> log; wc -l < log; echo ready $MOOD >&2; exec sleep 600").env("MOOD", "one");
    server.start();
    server.wait_for_output("ready one", SOON);
    server.set_env("MOOD", Some("two"));
    server.restart();
    server.wait_for_output("ready two", SOON);
    // The two streams are read apart: which comes first is open.
    server.wait_for_output("1\n", SOON);
    server.wait_for_output("2\n", SOON);
}

#[test]
fn a_server_can_be_asked_to_end() {
    let mut server = shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    server.start();
    server.wait_for_output("ready", SOON);
    assert_eq!(server.terminate(SOON).code(), Some(3));
    assert!(server.output().contains("bye"));
    assert_eq!(server.id(), None);
}

#[test]
fn one_that_does_not_listen_is_killed() {
    let mut server = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    server.start();
    server.wait_for_output("ready", SOON);
    assert_eq!(server.terminate(Duration::from_millis(200)).code(), None);
}

#[test]
fn an_end_by_itself_is_seen() {
    let mut server = shell("exit 7");
    server.start();
    assert_eq!(server.wait_for_end(SOON).code(), Some(7));
    let mut server = shell("echo why >&2; exit 1");
    server.start();
    let waiting = std::panic::AssertUnwindSafe(|| server.wait_for_output("never", SOON));
    let text = *std::panic::catch_unwind(waiting).unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("ended with") && text.contains("why"), "{text}");
}
