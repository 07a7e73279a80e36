//! The settings that a provider publishes for mail programs (`config-v1.1.xml`, as Thunderbird reads it): which IMAP servers
//! it has. What a stranger wrote: bounded, and a host is only taken when it can be one.
//!
//! Not here: POP3, outgoing servers, servers without TLS, the name to sign in with.

use crate::xml::{self, Limits};

/// A file has a few servers; a larger one is none.
const LIMITS: Limits = Limits { bytes: 64 << 10, nodes: 2000, depth: 16 };
/// More than anybody would try.
const MOST: usize = 8;

/// An IMAP server of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// In lower case.
    pub host: String,
    pub port: u16,
    /// STARTTLS, else TLS from the first byte.
    pub starttls: bool,
}

/// The IMAP servers in such a file for addresses of `domain`, in its order; none when it cannot be understood.
pub fn read(bytes: &[u8], domain: &str) -> Vec<Server> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let Ok(root) = xml::read(text.trim_start_matches('\u{feff}').trim_start(), &LIMITS) else {
        return Vec::new();
    };
    let incoming = root.each("emailProvider").flat_map(|provider| provider.each("incomingServer"));
    let imap =
        incoming.filter(|server| server.get("type").is_some_and(|kind| kind.eq_ignore_ascii_case("imap")));
    let found = imap.filter_map(|server| {
        let host = server.text_of("hostname")?.replace("%EMAILDOMAIN%", domain).to_ascii_lowercase();
        let starttls = match server.text_of("socketType")?.to_ascii_uppercase().as_str() {
            "SSL" | "TLS" => false,
            "STARTTLS" => true,
            _ => return None,
        };
        let port = server.text_of("port")?.parse().ok().filter(|port| *port > 0)?;
        is_host(&host).then_some(Server { host, port, starttls })
    });
    found.take(MOST).collect()
}

/// A name with a dot in it, of letters, digits and hyphens: no address of a machine inside, no path, no port.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last_is_name =
        host.rsplit('.').next().is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()));
    host.len() <= 253 && host.contains('.') && last_is_name && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(servers: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\"><emailProvider id=\"ours.example\">\
             <domain>ours.example</domain>{servers}<outgoingServer type=\"smtp\"><hostname>smtp.ours.example</hostname>\
             <port>465</port><socketType>SSL</socketType></outgoingServer></emailProvider></clientConfig>"
        )
    }

    fn server(kind: &str, host: &str, port: &str, socket: &str) -> String {
        format!(
            "<incomingServer type=\"{kind}\"><hostname>{host}</hostname><port>{port}</port>\
             <socketType>{socket}</socketType><username>%EMAILADDRESS%</username></incomingServer>"
        )
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = read(text.as_bytes(), "ours.example").into_iter();
        let found: Vec<String> = found
            .map(|at| format!("{}:{}{}", at.host, at.port, if at.starttls { " starttls" } else { "" }))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_imap_servers_with_tls() {
        let servers = [
            server("imap", "Imap.Ours.example", "993", "SSL"),
            server("imap", "mail.%EMAILDOMAIN%", " 143 ", "STARTTLS"),
            server("pop3", "pop.ours.example", "995", "SSL"),
            server("imap", "clear.ours.example", "143", "plain"),
        ];
        check(&file(&servers.concat()), &["imap.ours.example:993", "mail.ours.example:143 starttls"]);
    }

    #[test]
    fn what_strangers_write() {
        check("", &[]);
        check("<html><body>Not found</body></html>", &[]);
        check(&file(&server("imap", "a.example", "99999", "SSL")), &[]);
        check(&file(&server("imap", "a.example", "0", "SSL")), &[]);
        for host in [
            "127.0.0.1",
            "localhost",
            "a.example/x",
            "a.example:25",
            "a..example",
            "",
            "a b.example",
            "[::1]",
        ] {
            check(&file(&server("imap", host, "993", "SSL")), &[]);
        }
        let many = server("imap", "a.example", "993", "SSL").repeat(100);
        check(&file(&many), &["a.example:993"; MOST]);
        check(&file(&format!("{}{}", "<a>".repeat(100), "</a>".repeat(100))), &[]);
        check(&format!("{}{}", file(""), " ".repeat(LIMITS.bytes)), &[]);
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>";
        check(&format!("{bomb}{}", file(&server("imap", "&b;.example", "993", "SSL"))), &[]);
        let outside = "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>";
        check(&format!("{outside}{}", file(&server("imap", "&a;", "993", "SSL"))), &[]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            read(&bytes, "ours.example");
        }

        #[test]
        fn any_text_in_a_server_is_read(text in "[<>&;a-z./% 0-9\\[\\]!-]{0,60}") {
            for server in read(file(&server("imap", &text, "993", "SSL")).as_bytes(), &text) {
                prop_assert!(is_host(&server.host));
            }
        }
    }
}
