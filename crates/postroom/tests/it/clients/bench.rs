//! A postroom for one client: its folder with certificates, configuration and people, and the run of a script.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postroom_testkit::peers;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

/// The scripts.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// The host that clients sign in at, built in.
const MICROSOFT: &str = "login.microsoftonline.com";

/// The CRM's own name beside it.
const ORGANISATION: &str = "ours.crm.example";

/// The certificates that a Python client brings along and trusts alone, when it has any.
fn bundle(client: &str) -> Option<PathBuf> {
    let libraries = fs::read_dir(environments().join(client).join("lib")).ok()?;
    let mut paths = libraries.flatten().map(|python| python.path().join("site-packages/certifi/cacert.pem"));
    paths.find(|path| path.exists())
}

/// Where the server listens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On a port of loopback that the kernel gives.
    Here,
    /// On port 443 of a network namespace, with the names of the two hosts.
    Namespace,
}

/// The folder of one server.
pub struct Bench {
    folder: tempfile::TempDir,
    place: Place,
    /// Of scope crm. The token endpoint takes it for a client's secret, a password and a refresh token too.
    token: String,
    /// Eight hexadecimal digits that no other run has: names, and beginnings of GUIDs.
    suffix: String,
}

impl Bench {
    #[track_caller]
    pub fn new(place: Place) -> Bench {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let suffix = format!("{:08x}", std::process::id());
        let mut bench = Bench { folder, place, token: String::new(), suffix };
        bench.certify();
        bench.configure();
        bench.furnish();
        let made = bench.postroom(&["apitoken", "create", "--scope", "crm", "--json"]);
        let made: Value = serde_json::from_str(&made).expect("the command prints JSON");
        bench.token = made["token"].as_str().expect("a token").to_owned();
        bench
    }

    /// Runs a Python client's script in the environment that `./test` made for it. The features `known` fail, and no others.
    #[track_caller]
    pub fn python(&self, client: &str, known: &[&str]) {
        let python = environments().join(client).join("bin/python");
        assert!(
            python.exists(),
            "the client {client} is not installed: run ./test --install ({})",
            python.display()
        );
        let mut command = self.script(&python);
        command.arg(format!("{SCRIPTS}/{client}/exercise.py"));
        self.run(client, command, known);
    }

    /// Runs a Node client's script. The features `known` fail, and no others.
    #[track_caller]
    pub fn node(&self, client: &str, known: &[&str]) {
        let modules = Path::new(SCRIPTS).join("node/node_modules");
        assert!(
            modules.exists(),
            "the npm packages are not installed: run npm ci --ignore-scripts in {SCRIPTS}/node"
        );
        let mut command = self.script(&peers::require("node"));
        command.arg(format!("{SCRIPTS}/node/{client}.mjs"));
        self.run(client, command, known);
    }

    /// A command that starts the server, then this program, where the server is to be.
    fn script(&self, program: &Path) -> Command {
        let serve = format!("{SCRIPTS}/serve.sh");
        let mut command = match self.place {
            Place::Here => Command::new(&serve),
            Place::Namespace => {
                let mut command = Command::new(format!("{SCRIPTS}/in_namespace.sh"));
                command.arg(self.path("hosts")).arg(&serve);
                command
            }
        };
        command.arg(env!("CARGO_BIN_EXE_postroom")).arg(self.folder.path()).arg(program);
        command
    }

    #[track_caller]
    fn run(&self, client: &str, mut command: Command, known: &[&str]) {
        let authority = self.path("ca.pem");
        command.arg(&self.suffix).env_clear().current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path()).env("LANG", "C.UTF-8").env("PYTHONDONTWRITEBYTECODE", "1");
        for variable in ["POSTROOM_CA", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            command.env(variable, &authority);
        }
        command.env("POSTROOM_TOKEN", &self.token).env("POSTROOM_SECRET", &self.token);
        command.env("POSTROOM_CLIENT_ID", "11111111-2222-4333-8444-555555555555");
        if self.place == Place::Namespace {
            command.envs(bundle(client).map(|bundle| ("POSTROOM_BUNDLE", bundle)));
            command.env("POSTROOM_URL", format!("https://{ORGANISATION}"));
        }
        let output = command.output().expect("bash can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let failed = |line: &str| {
            let said = line.strip_prefix("FAIL ")?;
            let name = known.iter().find(|known| said.starts_with(**known)).map(|name| (*name).to_owned());
            Some(name.unwrap_or_else(|| said.to_owned()))
        };
        let mut failed: Vec<String> = out.lines().filter_map(failed).collect();
        let mut known: Vec<&str> = known.to_vec();
        failed.sort();
        known.sort_unstable();
        assert_eq!(failed, known, "{client}: {}\n{out}\n{err}", output.status);
        assert_eq!(output.status.success(), known.is_empty(), "{client}: {}\n{out}\n{err}", output.status);
        let end = format!(" passed, {} failed", known.len());
        assert!(out.contains(&end), "{client} ran nothing:\n{out}\n{err}");
    }

    /// A certificate authority, and the server's certificate for all its names.
    fn certify(&self) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Not the name that a leaf has by default: OpenSSL would take it for signed by itself.
        params.distinguished_name.push(rcgen::DnType::CommonName, "Clients' test authority");
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key).expect("it signs itself");
        let issuer = Issuer::from_params(&params, &key);
        let names = ["localhost", "127.0.0.1", MICROSOFT, ORGANISATION].map(str::to_owned);
        let server_key = KeyPair::generate().expect("a key");
        let mut leaf = CertificateParams::new(names).expect("good names");
        leaf.use_authority_key_identifier_extension = true;
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let server = leaf.signed_by(&server_key, &issuer).expect("the authority signs");
        self.write("ca.pem", &authority.pem());
        self.write("cert.pem", &server.pem());
        self.write("key.pem", &server_key.serialize_pem());
        fs::set_permissions(self.path("key.pem"), fs::Permissions::from_mode(0o600)).expect("its mode");
        self.write("hosts", &format!("127.0.0.1 localhost {MICROSOFT} {ORGANISATION}\n"));
    }

    fn configure(&self) {
        let port = if self.place == Place::Here { 0 } else { 443 };
        let folder = self.folder.path().display();
        let text = format!(
            "[storage]\nurl = \"sqlite://{folder}/postroom.db\"\ndisk_reserve = \"16MiB\"\n[logs]\nlevel = \"warn\"\n\
             [http]\nlisten = \"127.0.0.1:{port}\"\ntls_cert = \"{folder}/cert.pem\"\ntls_key = \"{folder}/key.pem\"\n\
             [crm]\nkind = \"embedded\"\n"
        );
        self.write("postroom.toml", &text);
    }

    /// A few people, as any CRM has them when a client comes.
    fn furnish(&self) {
        let row = |table: &str, number: u32, columns: Value| {
            let id = format!("00000000-0000-4000-8000-0000000000{number:02}");
            json!({"table": table, "id": id, "columns": columns}).to_string()
        };
        let lines = [
            row("account", 1, json!({"name": "Adler Brauerei"})),
            row(
                "contact",
                2,
                json!({"firstname": "Anna", "lastname": "Adler", "emailaddress1": "anna@adler.example"}),
            ),
            row("contact", 3, json!({"firstname": "Jörg", "lastname": "O'Neill"})),
        ];
        self.write("people.jsonl", &lines.join("\n"));
        let file = self.path("people.jsonl").display().to_string();
        self.postroom(&["record", "import", &file]);
    }

    /// What a command prints.
    #[track_caller]
    fn postroom(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postroom"));
        command.args(arguments).arg("-c").arg(self.path("postroom.toml"));
        command.env_clear().env("HOME", self.folder.path()).stdin(Stdio::null());
        let output = command.output().expect("the binary starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("a file can be written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Where `./test` puts the clients' environments: beside the folders of the profiles.
fn environments() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_postroom"));
    binary.parent().and_then(Path::parent).expect("target/PROFILE/postroom").join("clients")
}
