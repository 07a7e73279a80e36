//! Pages over hostile mail: what strangers wrote is text there, and nothing in it runs.

use std::net::SocketAddr;

use postroom_testkit::process::Server;

use super::wire::{get, post};
use crate::house::{PATIENCE, taken, wait_for};
use postroom_mail::client::Client;

const EVIL: &str = "From: \"<script>evil(1)</script>\" <a@x.example>\r\nTo: info@demo.example\r\n\
    Subject: <script>evil(2)</script>\"><img src=x onerror=evil(3)> \u{202e}gnp.exe\r\nMessage-ID: <evil@x.example>\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n\
    <p>Hello</p><script>evil(4)</script><img src=x onerror=evil(5)><a href=\"javascript:evil(6)\">x</a>\r\n\
    --b\r\nContent-Type: text/html; name=\"<script>evil(7).html\"\r\nContent-Disposition: attachment\r\n\r\n\
    <script>evil(8)</script>\r\n--b--\r\n";

/// A demo with a mail of ours in it, and a cookie of its owner.
struct Demo {
    _server: Server,
    http: SocketAddr,
    cookie: String,
    id: String,
}

impl Demo {
    fn start() -> Demo {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Server::new(env!("CARGO_BIN_EXE_postroom")).arg("demo").env("TMPDIR", folder.path());
        server.start();
        server.wait_for_output("Ctrl-C ends the demo", PATIENCE);
        let said = server.output();
        let address = |after: &str| -> SocketAddr {
            let rest = said.split(after).nth(1).expect("the demo says where it listens");
            let end = rest
                .find(|letter: char| !(letter.is_ascii_digit() || ".:".contains(letter)))
                .unwrap_or(rest.len());
            rest[..end].trim_end_matches(['.', ':']).parse().expect("an address")
        };
        let http = address("http://");
        let link = said.split("link=").nth(1).expect("the demo prints a link");
        let link: String = link.chars().take_while(|letter| !letter.is_whitespace()).collect();
        let entered = post("/sign-in", "application/x-www-form-urlencoded", format!("link={link}"))
            .header("Origin", &format!("http://{http}"))
            .to(http)
            .answers(303);
        let cookie = entered.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        let smtp = address("SMTP on ");
        let id = wait_for(async {
            let mut client = Client::connect(smtp).await.expect("the listener greets");
            let answers = client.send("a@x.example", &["info@demo.example"], EVIL.as_bytes()).await;
            taken(&answers.expect("it answers")[0])
        });
        Demo { _server: server, http, cookie, id }
    }

    fn page(&self, path: &str) -> (String, String) {
        let answer = get(path).header("Cookie", &self.cookie).to(self.http).answers(200);
        (answer.text(), answer.header("content-security-policy").to_owned())
    }
}

#[test]
fn hostile_mail_is_text_on_every_page() {
    let demo = Demo::start();
    let id = &demo.id;
    for path in ["/messages".to_owned(), format!("/messages/{id}"), format!("/messages/{id}/raw")] {
        let (page, policy) = demo.page(&path);
        assert!(page.contains("evil(2)"), "{path} shows the subject: {page}");
        assert!(
            !page.contains("<script>evil") && !page.contains("<img src=x") && !page.contains("\u{202e}"),
            "{path}: {page}"
        );
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
    }
    let (body, policy) = demo.page(&format!("/messages/{id}/body"));
    assert!(body.contains("Hello") && !body.contains("evil("), "{body}");
    assert!(
        policy.contains("sandbox")
            && policy.contains("default-src 'none'")
            && !policy.contains("allow-scripts"),
        "{policy}"
    );
    // Without a session there is nothing to see.
    let answer = get(format!("/messages/{id}")).to(demo.http);
    assert!(matches!(answer.status, 303 | 401) && !answer.text().contains("evil"), "{}", answer.text());
}

#[test]
fn an_attachment_is_always_a_file() {
    let demo = Demo::start();
    let (page, _) = demo.page(&format!("/messages/{}", demo.id));
    let part = page.split("/parts/").nth(1).expect("the page links the attachment");
    let part: String = part.chars().take_while(char::is_ascii_digit).collect();
    let answer = get(format!("/messages/{}/parts/{part}", demo.id))
        .header("Cookie", &demo.cookie)
        .to(demo.http)
        .answers(200);
    assert!(
        answer.header("content-disposition").starts_with("attachment"),
        "{}",
        answer.header("content-disposition")
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!answer.header("content-type").contains("html"), "{}", answer.header("content-type"));
}
