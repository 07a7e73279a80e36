//! One form posted to a token server, or one page asked for, by HTTP/1.1 (RFC 9112): all of HTTP that is needed here. No
//! redirects, no cookies, no connection kept.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// A token's answer and a provider's settings are small; what is larger is neither.
const LARGEST: u64 = 64 << 10;

/// An address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub https: bool,
    host: String,
    port: u16,
    path: String,
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Endpoint {
    /// `None` when it is no http or https address.
    pub fn parse(url: &str) -> Option<Self> {
        let (https, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if rest.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@' || c == '#') {
            return None;
        }
        let default = if https { 443 } else { 80 };
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']')?;
                (host, after.strip_prefix(':').map_or(Some(default), |port| port.parse().ok())?)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (authority, default),
            },
        };
        (!host.is_empty()).then(|| Endpoint { https, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// `host:port`
    pub fn server(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Posts a form.
pub async fn form(
    to: &Endpoint,
    tls: Option<Arc<ClientConfig>>,
    fields: &[(&str, &str)],
) -> io::Result<Answer> {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let body = pairs.join("&");
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Accept: application/json\r\nConnection: close\r\n\r\n",
        to.path,
        to.server(),
        body.len()
    );
    ask(to, tls, &[head.as_bytes(), body.as_bytes()].concat()).await
}

/// Asks for a page.
pub async fn get(from: &Endpoint, tls: Option<Arc<ClientConfig>>) -> io::Result<Answer> {
    let head = format!("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", from.path, from.server());
    ask(from, tls, head.as_bytes()).await
}

async fn ask(to: &Endpoint, tls: Option<Arc<ClientConfig>>, request: &[u8]) -> io::Result<Answer> {
    let tcp = connect(to).await?;
    let Some(tls) = tls else { return exchange(tcp, request).await };
    let name = ServerName::try_from(to.host.clone()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(tls).connect(name, tcp).await;
    exchange(stream.map_err(|error| io::Error::other(crate::sender::tls::explain(&error)))?, request).await
}

async fn connect(to: &Endpoint) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((to.host.as_str(), to.port)).await? {
        if !to.https && !address.ip().to_canonical().is_loopback() {
            return Err(io::Error::other("it is not this machine, so it needs https"));
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> io::Result<Answer> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut bytes = Vec::new();
    let read = stream.take(LARGEST).read_to_end(&mut bytes).await;
    // Some servers hang up without TLS's good-bye; an answer that is whole is whole.
    match (read, answer(&bytes)) {
        (_, Some(answer)) => Ok(answer),
        (Err(error), None) => Err(error),
        (Ok(_), None) => Err(io::Error::other("it does not answer as a web server does")),
    }
}

/// The answer in these bytes; `None` when they are none, or not all of one.
fn answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let rest = &bytes[end + 4..];
    let (mut chunked, mut length) = (false, None);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            "content-length" => length = Some(value.trim().parse::<usize>().ok()?),
            _ => {}
        }
    }
    let body = match (chunked, length) {
        (true, _) => unchunked(rest)?,
        (false, Some(length)) => rest.get(..length)?.to_vec(),
        (false, None) => rest.to_vec(),
    };
    Some(Answer { status, body })
}

/// RFC 9112, section 7.1.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        let told = |at: Endpoint| format!("{} {} {}", at.https, at.server(), at.path);
        assert_eq!(Endpoint::parse(url).map(told).unwrap_or_default(), expected, "{url}");
    }

    #[test]
    fn addresses() {
        check("https://login.example/a/token", "true login.example:443 /a/token");
        check("http://127.0.0.1:8080/token?v=2", "false 127.0.0.1:8080 /token?v=2");
        check("http://[::1]:81", "false [::1]:81 /");
        check("ftp://x/y", "");
        check("https:///y", "");
        check("https://x:y/", "");
        check("https://user@x/", "");
        check("https://x/a b", "");
        check("https://x/\r\nEvil: y", "");
    }

    #[track_caller]
    fn answered(bytes: &str, expected: Option<(u16, &str)>) {
        let found = answer(bytes.as_bytes());
        let expected = expected.map(|(status, body)| Answer { status, body: body.into() });
        assert_eq!(found, expected, "{bytes:?}");
    }

    #[test]
    fn answers() {
        answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}more", Some((200, "{}")));
        answered("HTTP/1.0 401 No\r\n\r\nwhy", Some((401, "why")));
        answered(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{\"\r\n1\r\n}\r\n0\r\n\r\n",
            Some((200, "{\"}")),
        );
        answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", None);
        answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}", None);
        answered("HTTP/1.1 200 OK\r\n", None);
        answered("220 mail.example ESMTP\r\n\r\n", None);
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(escaped("a b&c=é.-_~"), "a%20b%26c%3D%C3%A9.-_~");
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200), tail in "[0-9a-f;\r\n]{0,40}") {
            let _ = answer(&bytes);
            let _ = answer(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{tail}").as_bytes());
        }
    }
}
