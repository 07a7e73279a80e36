//! A postroom under test: `serve` in a folder of its own, its commands, and a sender over real SMTP and LMTP.
//!
//! What a test knows it knows from outside: from the answer of the mail listener and from what the commands print.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use postroom_mail::client::{self, Client};
use postroom_testkit::guard::Guard;
use postroom_testkit::poll;
use postroom_testkit::process::Server;
use serde_json::Value;

use crate::api::wire::{self, Answer};
use crate::installed;
use crate::make::Place;

/// How long anything may take on a busy machine before it is broken.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What every house here is configured with; each adds its own.
const LISTENERS: &str = "
[smtp_in]
enabled = true
listen = \"127.0.0.1:0\"
hostname = \"mx.ours.example\"
accept_domains = [\"ours.example\"]
TLS
[lmtp_in]
enabled = true
listen = \"127.0.0.1:0\"
hostname = \"mx.ours.example\"
[http]
listen = \"127.0.0.1:0\"
";

/// The last address that `serve` prints.
const WEB: [&str; 2] = ["pages and API on http://", "pages and API on https://"];

/// A folder with a configuration and a database, perhaps with a server on it.
pub struct House {
    folder: PathBuf,
    server: Option<Mutex<Server>>,
    pub smtp: Option<SocketAddr>,
    pub lmtp: Option<SocketAddr>,
    pub http: Option<SocketAddr>,
    files: AtomicU32,
    token: OnceLock<String>,
    /// Removes the folder when this process goes: a house in a static is never dropped.
    _guard: Guard,
}

/// How a command ended.
pub struct Said {
    pub exit: i32,
    pub out: Vec<u8>,
    pub err: String,
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be made")
});

/// Waits for something asynchronous, from a test that is not.
pub fn wait_for<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(work)
}

impl House {
    /// A house without a server: only commands.
    pub fn quiet(config: &str) -> House {
        House::at("", config, "")
    }

    /// A house on this database without a server.
    pub fn quiet_on(url: &str, config: &str) -> House {
        House::at(url, config, "")
    }

    /// A house on SQLite whose server runs.
    pub fn open(config: &str) -> House {
        House::quiet(config).started()
    }

    /// A house on this database whose server runs.
    pub fn on(url: &str, config: &str) -> House {
        House::at(url, config, "").started()
    }

    /// A house on this database whose SMTP listener offers STARTTLS.
    pub fn with_tls_on(url: &str, config: &str) -> House {
        let made = rcgen::generate_simple_self_signed(["mx.ours.example".to_owned()]).expect("a certificate");
        let house = House::at(url, config, "tls_cert = \"FOLDER/cert.pem\"\ntls_key = \"FOLDER/key.pem\"");
        fs::write(house.folder.join("cert.pem"), made.cert.pem()).expect("the certificate is written");
        fs::write(house.folder.join("key.pem"), made.signing_key.serialize_pem())
            .expect("the key is written");
        house.started()
    }

    /// A house on SQLite whose pages and doors speak TLS, with the authority of their certificate in `ca.pem`.
    pub fn with_https(config: &str) -> House {
        let https = "tls_cert = \"FOLDER/cert.pem\"\ntls_key = \"FOLDER/key.pem\"\n";
        let house = House::at("", &format!("{https}{config}"), "");
        house.certify();
        house.started()
    }

    /// An authority, and a certificate of it for this machine.
    fn certify(&self) {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names are good names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "Authority of the tests");
        let root = authority.self_signed(&key).expect("it signs itself");
        let issuer = Issuer::from_params(&authority, &key);
        let own = KeyPair::generate().expect("a key");
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let leaf = CertificateParams::new(names).expect("good names");
        let leaf = leaf.signed_by(&own, &issuer).expect("the authority signs");
        for (name, text) in
            [("ca.pem", root.pem()), ("cert.pem", leaf.pem()), ("key.pem", own.serialize_pem())]
        {
            self.write(name, text.as_bytes());
        }
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.path("key.pem"), mode).expect("the key is its owner's");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn at(url: &str, config: &str, tls: &str) -> House {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let guard = Guard::new("KILL", Some(&folder));
        let url = if url.is_empty() {
            let file = folder.join("postroom.db");
            if !config.contains("org_url") {
                installed::sqlite(&file);
            }
            format!("sqlite://{}", file.display())
        } else {
            url.to_owned()
        };
        let storage =
            format!("[storage]\nurl = \"{url}\"\ndisk_reserve = \"16MiB\"\n[logs]\nlevel = \"warn\"\n");
        let listeners = LISTENERS.replace("TLS", tls).replace("FOLDER", &folder.display().to_string());
        fs::write(
            folder.join("postroom.toml"),
            format!("{storage}{listeners}{config}").replace("FOLDER", &folder.display().to_string()),
        )
        .expect("the configuration");
        House {
            folder,
            server: None,
            smtp: None,
            lmtp: None,
            http: None,
            files: AtomicU32::new(0),
            token: OnceLock::new(),
            _guard: guard,
        }
    }

    /// Starts the server.
    pub fn started(mut self) -> House {
        let mut server = Server::in_folder(env!("CARGO_BIN_EXE_postroom"), &self.folder);
        server = server.args(["-c", "postroom.toml", "serve"]).env("HOME", self.folder.join("home"));
        server.start();
        server.wait_until("its addresses", PATIENCE, |server| web(&server.output()).is_some());
        let output = server.output();
        (self.smtp, self.lmtp) = (address(&output, "SMTP on "), address(&output, "LMTP on "));
        self.http = web(&output);
        self.server = Some(Mutex::new(server));
        self
    }

    /// The doors of this house's own CRM, and a token for them.
    pub fn place(&self) -> Place {
        let made = self.one(&["apitoken", "create", "--scope", "crm"]);
        let token = made["token"].as_str().expect("a token is a text").to_owned();
        Place { origin: format!("http://{}", self.http.expect("its doors are open")), token }
    }

    /// What `serve` printed so far.
    pub fn log(&self) -> String {
        self.with_server(|server| server.output())
    }

    /// The most memory that the server ever had, in bytes (`VmHWM`).
    pub fn memory(&self) -> u64 {
        let id = self.with_server(|server| server.id()).expect("the server runs");
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux counts it");
        line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number of kB") * 1024
    }

    /// SIGTERM; answers whether it ended by itself and well.
    pub fn stop(&self) -> bool {
        self.with_server(|server| server.terminate(Duration::from_secs(30)).success())
    }

    fn with_server<T>(&self, what: impl FnOnce(&mut Server) -> T) -> T {
        let server = self.server.as_ref().expect("this house has a server");
        what(&mut server.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A file in the folder; a new one each time.
    pub fn file(&self, ending: &str, content: &[u8]) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::SeqCst);
        self.write(&format!("file-{number}.{ending}"), content)
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder can be made");
        fs::write(&path, content).expect("a file can be written");
        path
    }

    /// What a command prints for people.
    #[track_caller]
    pub fn shown(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).stdin(Stdio::null()).output().expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// A command on this house's data, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postroom"));
        command.args(arguments).arg("-c").arg(self.folder.join("postroom.toml"));
        command.env_clear().env("HOME", self.folder.join("home")).current_dir(&self.folder);
        command
    }

    /// Runs a command on this house's data.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).arg("--json").stdin(Stdio::null()).output();
        let Output { status, stdout, stderr } = output.expect("the binary starts");
        let exit = status.code().expect("it was not killed");
        Said { exit, out: stdout, err: String::from_utf8_lossy(&stderr).into_owned() }
    }

    /// Runs a command that must succeed; its JSON, a value for each line.
    #[track_caller]
    pub fn list(&self, arguments: &[&str]) -> Vec<Value> {
        self.run(arguments).done()
    }

    /// Runs a command that prints one object.
    #[track_caller]
    pub fn one(&self, arguments: &[&str]) -> Value {
        let mut all = self.list(arguments);
        assert_eq!(all.len(), 1, "{arguments:?} prints one object: {all:?}");
        all.remove(0)
    }

    /// Imports CRM records, all of which must be taken.
    #[track_caller]
    pub fn records(&self, rows: &[Value]) {
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        let file = self.file("jsonl", lines.join("\n").as_bytes());
        let report = self.one(&["record", "import", &file.to_string_lossy()]);
        assert_eq!(report["rejected"], serde_json::json!([]), "{report}");
    }

    /// Hands a mail to the SMTP listener as a mail server would; answers the message's id.
    #[track_caller]
    pub fn send(&self, from: &str, to: &[&str], mail: impl AsRef<[u8]>) -> String {
        let answers = self.offer(from, to, mail);
        taken(&answers[0])
    }

    /// The same, and what the listener said to each recipient.
    pub fn offer(&self, from: &str, to: &[&str], mail: impl AsRef<[u8]>) -> Vec<client::Answer> {
        let smtp = self.smtp.expect("this house has a listener");
        let sent = wait_for(async {
            let mut client = Client::connect(smtp).await?;
            let answers = client.send(from, to, mail.as_ref()).await?;
            client.quit().await.map(|()| answers)
        });
        sent.unwrap_or_else(|error| panic!("the listener broke off: {error:?}\n{}", self.log()))
    }

    /// Hands a mail to the LMTP listener; a message's id for each recipient.
    #[track_caller]
    pub fn deliver(&self, from: &str, to: &[&str], mail: impl AsRef<[u8]>) -> Vec<String> {
        let lmtp = self.lmtp.expect("this house has a listener");
        let sent = wait_for(async { Client::connect_lmtp(lmtp).await?.send(from, to, mail.as_ref()).await });
        sent.expect("the listener answers").iter().map(taken).collect()
    }

    /// The message: asked of the API, which answers what the command prints and needs no new process for it.
    #[track_caller]
    fn message(&self, id: &str) -> Value {
        match self.http {
            Some(_) => self.api(&format!("/api/v1/messages/{id}")).answers(200).json(),
            None => self.one(&["message", "show", id]),
        }
    }

    /// Asks the API as somebody who may see everything.
    #[track_caller]
    pub fn api(&self, path: &str) -> Answer {
        let made = || self.one(&["apitoken", "create", "--scope", "api"]);
        let token = self.token.get_or_init(|| made()["token"].as_str().expect("it has a token").to_owned());
        wire::get(path).bearer(token).to(self.http.expect("this house has a server"))
    }

    /// The message, when it has been filed.
    #[track_caller]
    pub fn settled(&self, id: &str) -> Value {
        self.until(id, "a decision", |message| {
            !matches!(message["state"].as_str(), Some("received" | "parsed"))
        })
    }

    /// The message, when it is as wanted.
    #[track_caller]
    pub fn until(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut message = Value::Null;
        let come = poll::until(PATIENCE, || {
            message = self.message(id);
            wanted(&message)
        });
        assert!(come, "{what} did not come: {message:#}");
        message
    }

    /// Waits until no mail is waiting to be filed; answers all messages.
    #[track_caller]
    pub fn all_settled(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let come = poll::until(PATIENCE, || {
            all = self.list(&["message", "list", "--limit", "0"]);
            all.iter().all(|message| !matches!(message["state"].as_str(), Some("received" | "parsed")))
        });
        assert!(come, "some mail is still not filed: {all:#?}");
        all
    }

    /// Sends, waits, and answers the message.
    #[track_caller]
    pub fn filed(&self, from: &str, to: &[&str], mail: impl AsRef<[u8]>) -> Value {
        let id = self.send(from, to, mail);
        self.settled(&id)
    }

    /// The bytes as stored.
    #[track_caller]
    pub fn raw(&self, id: &str) -> Vec<u8> {
        self.api(&format!("/api/v1/messages/{id}/raw")).answers(200).body
    }

    /// The e-mail row of a tracked message.
    #[track_caller]
    pub fn email(&self, message: &Value) -> Value {
        let id = message["activity_id"].as_str().unwrap_or_else(|| panic!("it has an activity: {message:#}"));
        match self.http {
            Some(_) => {
                self.api(&format!("/api/v1/records/email/{id}")).answers(200).json()["columns"].clone()
            }
            None => self.one(&["record", "show", "email", id])["columns"].clone(),
        }
    }

    /// Rows of a table whose column has this value.
    #[track_caller]
    pub fn rows(&self, table: &str, column: &str, value: &str) -> Vec<Value> {
        let rows =
            self.list(&["record", "list", table, "--limit", "0", "--where", &format!("{column}={value}")]);
        rows.iter().map(|row| row["columns"].clone()).collect()
    }

    /// The rows of a table that belong to a message's activity by this column.
    #[track_caller]
    pub fn rows_of(&self, message: &Value, table: &str, column: &str) -> Vec<Value> {
        let activity =
            message["activity_id"].as_str().unwrap_or_else(|| panic!("it has an activity: {message:#}"));
        self.rows(table, column, &format!("email/{activity}"))
    }

    /// The books balance.
    #[track_caller]
    pub fn verify(&self) -> Value {
        let said = self.run(&["verify"]);
        assert_eq!(said.exit, 0, "{}{}", String::from_utf8_lossy(&said.out), said.err);
        serde_json::from_slice(&said.out).expect("verify prints one object")
    }
}

impl Said {
    /// The values printed by a command that must have succeeded.
    #[track_caller]
    pub fn done(self) -> Vec<Value> {
        let text = String::from_utf8(self.out).expect("output is UTF-8");
        assert_eq!(self.exit, 0, "stdout:\n{text}\nstderr:\n{}", self.err);
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        text.lines().map(read).collect()
    }
}

/// The message's id in an answer such as `250 2.0.0 Stored as msg_…`.
#[track_caller]
pub fn taken(answer: &client::Answer) -> String {
    assert!(answer.is_ok(), "the mail is taken: {answer:?}");
    let id = answer.text.split_whitespace().find(|word| word.starts_with("msg_"));
    id.unwrap_or_else(|| panic!("the answer names the message: {answer:?}")).to_owned()
}

fn web(output: &str) -> Option<SocketAddr> {
    WEB.into_iter().find_map(|name| address(output, name))
}

fn address(output: &str, name: &str) -> Option<SocketAddr> {
    let (lines, _) = output.rsplit_once('\n')?; // whole lines only
    lines.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.trim().parse().ok())
}
