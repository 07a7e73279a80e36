//! Windows sign-in judged by software that others wrote: PyPI pyspnego as the accepting side.

use std::path::{Path, PathBuf};
use std::time::Duration;

use postroom_core::Verdict;
use postroom_crm::sign_in::windows::Scheme;
use postroom_testkit::process::Server;

use super::windows::windows;
use super::{PASSWORD, USER, get, post, text, write};

/// The Python of its own that `./test` makes from the pinned list.
fn python() -> PathBuf {
    let built = std::env::current_exe().unwrap();
    // target/debug/deps/it-…
    let python = built.ancestors().nth(3).unwrap().join("python/spnego/bin/python");
    assert!(python.is_file(), "this test needs pyspnego in {}: run ./test --install once", python.display());
    python
}

fn accept(folder: &Path) -> (Server, String) {
    let users = write(folder, "users", &format!("CONTOSO:alice:{PASSWORD}\n:bob@CONTOSO.LOCAL:{PASSWORD}\n"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/spnego/accept.py");
    let mut server = Server::new(python()).arg(script).arg(users);
    server.start();
    server.wait_for_output("port ", Duration::from_secs(30));
    let port = server.output().split("port ").nth(1).unwrap().lines().next().unwrap().to_owned();
    (server, format!("http://127.0.0.1:{port}"))
}

#[tokio::test]
async fn pyspnego_lets_us_in() {
    let folder = tempfile::tempdir().unwrap();
    let (server, url) = accept(folder.path());
    for scheme in [Some(Scheme::Ntlm), Some(Scheme::Negotiate), None] {
        let windows = windows(USER, PASSWORD, scheme);
        let answer = post(&windows, &url, "body").await;
        let answer = answer.unwrap_or_else(|fault| panic!("{scheme:?}: {fault}\n{}", server.output()));
        assert_eq!(text(&answer), format!("{USER}|body"));
        assert_eq!(text(&get(&windows, &url).await.unwrap()), format!("{USER}|"));
    }
}

#[tokio::test]
async fn pyspnego_refuses_a_wrong_password() {
    let folder = tempfile::tempdir().unwrap();
    let (server, url) = accept(folder.path());
    for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
        let fault = get(&windows(USER, "wrong", Some(scheme)), &url).await.unwrap_err();
        assert_eq!(fault.verdict, Verdict::Hold, "{fault}");
    }
    assert!(server.output().contains("refused:"), "{}", server.output());
}
