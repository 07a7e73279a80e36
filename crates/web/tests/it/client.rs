//! A small HTTP/1.1 client: one connection a request, nothing hidden.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;

/// A request being built.
pub struct Call {
    at: SocketAddr,
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    from: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn new(at: SocketAddr, method: &'static str, path: &str) -> Self {
        Call { at, method, path: path.to_owned(), headers: Vec::new(), body: Vec::new(), from: None }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", kind)
    }

    /// A body in chunks, as it goes over the wire.
    pub fn chunked(mut self, wire: &str) -> Self {
        self.body = wire.into();
        self.header("Transfer-Encoding", "chunked")
    }

    /// Comes from this address of the machine.
    pub fn from(self, address: &str) -> Self {
        Call { from: Some(address.to_owned()), ..self }
    }

    pub async fn send(self) -> Answer {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(from) = &self.from {
            socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        }
        let stream = socket.connect(self.at).await.unwrap();
        self.send_over(stream).await
    }

    pub async fn send_over(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Answer {
        let given = |name: &str| self.headers.iter().any(|(known, _)| known == name);
        let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.path);
        if !given("Host") {
            head.push_str(&format!("Host: {}\r\n", self.at));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !given("Transfer-Encoding") && (!self.body.is_empty() || self.method == "POST") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses early may close before it has read everything; its answer is there all the same.
        let _ = stream.write_all(&self.body).await;
        let mut raw = Vec::new();
        let _ = stream.read_to_end(&mut raw).await;
        Answer::parse(&raw)
    }
}

impl Answer {
    fn parse(raw: &[u8]) -> Answer {
        let end = raw.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a header");
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let split =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers: Vec<(String, String)> = lines.filter_map(split).collect();
        let rest = &raw[end + 4..];
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        Answer { status, headers, body: if chunked { unchunked(rest) } else { rest.to_vec() } }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// A page's HTML, with the references undone that the template engine writes for slashes.
    pub fn page(&self) -> String {
        self.text().replace("&#x2f;", "/")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap().trim(), 16).unwrap();
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[(end + 4 + size).min(rest.len())..];
        if size == 0 {
            break;
        }
    }
    body
}
