//! A server that issues access tokens (RFC 6749, section 4.4) and says whether one is good (RFC 7662), for a Dovecot that
//! asks it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The only client that gets tokens.
pub const CLIENT: &str = "postroom";
/// What proves that it is this client: with characters that a form must escape.
pub const CLIENT_SECRET: &str = "a client's secret & more";

#[derive(Debug)]
struct State {
    /// Whom the tokens let in.
    user: String,
    /// Seconds that tokens are said to be good for.
    life: u64,
    /// Token, and whether it is still good.
    tokens: BTreeMap<String, bool>,
    checks: usize,
}

/// A running server. Its thread ends with the process.
#[derive(Debug)]
pub struct TokenServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    folder: tempfile::TempDir,
}

impl TokenServer {
    /// Starts one whose tokens are for this user, good for so many seconds as they say.
    pub fn start(user: &str, life: u64) -> TokenServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = State { user: user.to_owned(), life, tokens: BTreeMap::new(), checks: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        std::thread::spawn(move || {
            // Who hangs up in the middle gets no answer; the next one does.
            listener.incoming().flatten().for_each(|stream| drop(serve(stream, &shared)));
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Dovecot reads its file there as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        TokenServer { address, state, folder }
    }

    /// Where tokens are asked for.
    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// How many tokens were issued.
    pub fn issued(&self) -> usize {
        self.state().tokens.len()
    }

    /// How often a server asked whether a token is good.
    pub fn checks(&self) -> usize {
        self.state().checks
    }

    /// Makes a good token of this text.
    pub fn grant(&self, token: &str) {
        self.state().tokens.insert(token.to_owned(), true);
    }

    /// No token that was issued so far is good any more.
    pub fn revoke_all(&self) {
        self.state().tokens.values_mut().for_each(|good| *good = false);
    }

    /// Lines of `dovecot.conf` by which a Dovecot takes XOAUTH2 and asks here about each token.
    pub fn dovecot_settings(&self) -> String {
        let file = self.folder.path().join("oauth2.conf");
        let text = format!(
            "introspection_mode = post\nintrospection_url = http://{}/introspect\nusername_attribute = username\n\
             active_attribute = active\nactive_value = true\n",
            self.address
        );
        fs::write(&file, text).expect("the folder can be written to");
        format!(
            "auth_mechanisms = plain login xoauth2\nauth_cache_size = 0\n\
             passdb {{\n  driver = oauth2\n  mechanisms = xoauth2\n  args = {}\n}}\n",
            file.display()
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, answer) = answer(&path, &String::from_utf8_lossy(&body), state);
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    )
}

fn answer(path: &str, body: &str, state: &Mutex<State>) -> (u16, String) {
    let fields: BTreeMap<String, String> = body
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (unescaped(name), unescaped(value)))
        .collect();
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let mut state = lock(state);
    match path {
        "/token" if field("grant_type") != "client_credentials" => {
            (400, "{\"error\":\"unsupported_grant_type\"}".into())
        }
        "/token" if (field("client_id"), field("client_secret")) != (CLIENT, CLIENT_SECRET) => {
            (401, "{\"error\":\"invalid_client\",\"error_description\":\"unknown client or secret\"}".into())
        }
        "/token" => {
            let token = format!("token-{}", state.tokens.len() + 1);
            state.tokens.insert(token.clone(), true);
            let life = state.life;
            (200, format!("{{\"token_type\":\"Bearer\",\"access_token\":\"{token}\",\"expires_in\":{life}}}"))
        }
        "/introspect" => {
            state.checks += 1;
            match state.tokens.get(field("token")) {
                Some(true) => (200, format!("{{\"active\":true,\"username\":\"{}\"}}", state.user)),
                _ => (200, "{\"active\":false}".into()),
            }
        }
        _ => (404, String::new()),
    }
}

/// The text of a form's value.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
