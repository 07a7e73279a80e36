//! One HTTP/1.1 connection that asks one thing after another. No TLS.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Connection {
    reader: BufReader<TcpStream>,
    address: SocketAddr,
    bearer: String,
}

impl Connection {
    pub fn open(address: SocketAddr, bearer: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address).context("the API takes no connection")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Connection { reader: BufReader::new(stream), address, bearer: bearer.to_owned() })
    }

    /// Posts JSON and answers the body of the 200.
    ///
    /// # Errors
    /// When the answer is another.
    pub fn post(&mut self, path: &str, body: &str) -> Result<String> {
        let (status, answer) = self.ask("POST", path, "application/json", body)?;
        ensure!(status == 200, "POST {path} was answered {status}: {answer}");
        Ok(answer)
    }

    /// The status and body of any answer; a request without a body has no `kind`.
    pub fn ask(&mut self, method: &str, path: &str, kind: &str, body: &str) -> Result<(u16, String)> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n",
            self.address, self.bearer
        );
        if !kind.is_empty() {
            request.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.reader.get_mut().write_all(request.as_bytes())?;
        read(&mut self.reader)
    }
}

/// One answer that tells its length, or has none (RFC 9112 section 6.3).
fn read(reader: &mut impl BufRead) -> Result<(u16, String)> {
    let (mut line, mut length) = (String::new(), None);
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("no answer of HTTP: {line:?}"))?;
    loop {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "the answer ended in its head");
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.or((status == 204).then_some(0));
    let mut body = vec![0; length.context("the answer does not tell its length")?];
    reader.read_exact(&mut body)?;
    Ok((status, String::from_utf8(body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_one_by_one() {
        let mut text: &[u8] =
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(read(&mut text).unwrap(), (200, "ok".to_owned()));
        assert_eq!(read(&mut text).unwrap(), (404, String::new()));
        assert!(read(&mut text).is_err());
        assert_eq!(read(&mut b"HTTP/1.1 204 No Content\r\n\r\n".as_slice()).unwrap(), (204, String::new()));
    }
}
