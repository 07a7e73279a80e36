//! The address that a client used: scheme, host and port, for every absolute URL of an answer. Clients compare such URLs
//! with their own base letter by letter, so it is theirs, not the one that we would give ourselves.
//!
//! What a proxy says (`X-Forwarded-…`) counts only when it comes from one that is configured.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use crate::app::App;

/// Who asks, and by which address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    /// `https://crm.example:8443`
    pub origin: String,
    pub from: IpAddr,
}

impl Client {
    /// `None` when the request names no host, or one that is none.
    pub(super) fn of(app: &App, peer: IpAddr, parts: &Parts) -> Option<Client> {
        // HTTP/2 has the host in the request line.
        let asked = parts.uri.authority().map(|authority| authority.as_str());
        let host = asked.or_else(|| text(&parts.headers, HOST.as_str()))?;
        let scheme = if app.tls { "https" } else { "http" };
        let direct = Client { origin: format!("{scheme}://{host}"), from: peer.to_canonical() };
        let client = match (app.is_proxy)(peer.to_canonical()) {
            true => direct.forwarded(&parts.headers, app),
            false => direct,
        };
        let (_, host) = client.origin.split_once("://")?;
        is_host(host).then_some(client)
    }

    /// The same by what a proxy of ours says.
    fn forwarded(self, headers: &HeaderMap, app: &App) -> Client {
        let (scheme, host) = self.origin.split_once("://").unwrap_or_default();
        let last = |name: &str| text(headers, name).and_then(|list| list.rsplit(',').next()).map(str::trim);
        let scheme = match last("x-forwarded-proto") {
            Some(said) if said.eq_ignore_ascii_case("https") => "https",
            Some(said) if said.eq_ignore_ascii_case("http") => "http",
            _ => scheme,
        };
        let host = last("x-forwarded-host").unwrap_or(host);
        // From the right: each proxy of ours adds whom it saw; the first that is none of them is the client.
        let seen = text(headers, "x-forwarded-for").unwrap_or_default().rsplit(',');
        let seen =
            seen.map_while(|address| address.trim().parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
        let from = seen.take(16).find(|address| !(app.is_proxy)(*address)).unwrap_or(self.from);
        Client { origin: format!("{scheme}://{host}"), from }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A name or address with a port perhaps: nothing that could end the authority of a URL.
fn is_host(host: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    !host.is_empty() && host.len() <= 260 && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("crm.example:8443", true),
            ("[::1]:443", true),
            ("127.0.0.1:8080", true),
            ("", false),
            ("evil.example/x", false),
            ("user@evil.example", false),
            ("a b", false),
            ("x\"y", false),
        ] {
            assert_eq!(is_host(host), expected, "{host}");
        }
    }
}
