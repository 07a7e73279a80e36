//! The recipe of docs/MAIL-SERVERS.md for servers whose TLS is too old: the proxy is run with the very file that stands there.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use postroom_testkit::{peers, poll};

const DOCUMENT: &str = include_str!("../../../../docs/MAIL-SERVERS.md");
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has one").port()
}

/// Speaks TLS 1.0 only, with a certificate that names nobody, and greets whoever comes.
fn old_server(folder: &Path, port: u16) -> Running {
    let openssl = peers::require("openssl");
    let mut make = Command::new(&openssl);
    make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old", "-days", "30"]);
    make.args(["-keyout", "key.pem", "-out", "old.pem"]).current_dir(folder).stderr(Stdio::null());
    assert!(make.status().expect("openssl starts").success(), "no certificate was made");
    let mut serve = Command::new(openssl);
    serve.args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-cert", "old.pem", "-key", "key.pem"]);
    serve.args(["-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0", "-quiet"]).current_dir(folder);
    serve.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = serve.spawn().expect("openssl starts");
    let input = server.stdin.as_mut().expect("it is piped");
    input.write_all(b"* OK old server\r\n").expect("it listens to its input");
    Running(server)
}

/// The file of the document, with this test's addresses in it.
fn recipe(folder: &Path, accept: u16, connect: u16) -> String {
    let block = DOCUMENT.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next());
    let block = block.expect("the document has the recipe");
    let places = [
        ("127.0.0.1:1993", format!("127.0.0.1:{accept}")),
        ("old.example.org:993", format!("127.0.0.1:{connect}")),
        ("/etc/stunnel/old.pem", folder.join("old.pem").display().to_string()),
    ];
    places.iter().fold(block.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the recipe has no {from}");
        text.replace(from, to)
    })
}

#[test]
fn the_proxy_recipe_reaches_a_server_with_tls_1_0() {
    let folder = tempfile::tempdir().expect("a folder");
    let (accept, connect) = (port(), port());
    let _server = old_server(folder.path(), connect);
    let file = folder.path().join("stunnel.conf");
    fs::write(&file, recipe(folder.path(), accept, connect)).expect("the recipe is written");
    let mut proxy = Command::new(peers::require("stunnel4"));
    proxy.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _proxy = Running(proxy.spawn().expect("stunnel starts"));
    let mut greeting = String::new();
    let greeted = poll::until(PATIENCE, || {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", accept)) else { return false };
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        greeting.clear();
        BufReader::new(stream).read_line(&mut greeting).is_ok() && !greeting.is_empty()
    });
    assert!(greeted && greeting.starts_with("* OK old server"), "{greeting:?}");
}
