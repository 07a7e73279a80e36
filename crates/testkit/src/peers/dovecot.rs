//! A Dovecot of the test's own (Debian: dovecot-imapd, dovecot-lmtpd): IMAP, LMTP, and the socket at which a Postfix asks
//! for passwords.
//!
//! Mail lies in maildirs, one folder of the file system for each folder of a mailbox. All of it runs as one user without
//! rights, Dovecot's own when we are root.

mod session;

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use self::session::Session;
use super::Certificate;
use super::daemon::{Daemon, User, said};
use crate::{net, peers};

/// The password of every user that [`DovecotOptions::users`] makes.
pub const PASSWORD: &str = "a user's password";

const CONFIGURATION: &str = include_str!("dovecot.conf");
const SHARED: &str = include_str!("dovecot-shared.conf");

/// What the server shall be like.
#[derive(Debug, Clone, Default)]
pub struct DovecotOptions {
    /// Names and passwords. `anna` may also sign in, and receives by LMTP, as `anna@any.domain`.
    pub users: Vec<(String, String)>,
    /// One who may read as any user: signs in as `anna*NAME`, with this password.
    pub master: Option<(String, String)>,
    /// Folders can be shared ([`Dovecot::share`]); they appear below `user/OWNER`.
    pub shared: bool,
    /// STARTTLS at [`Dovecot::imap`], and TLS from the start at [`Dovecot::imaps`].
    pub tls: Option<Certificate>,
    /// No sign-in without TLS. The server then listens on 127.0.0.2: Dovecot trusts a client with its own address.
    pub tls_required: bool,
    /// Further lines of `dovecot.conf`; they win over the usual ones.
    pub settings: String,
}

impl DovecotOptions {
    /// Users with the password [`PASSWORD`].
    pub fn users<S: Into<String>>(names: impl IntoIterator<Item = S>) -> DovecotOptions {
        let users = names.into_iter().map(|name| (name.into(), PASSWORD.to_owned())).collect();
        DovecotOptions { users, ..DovecotOptions::default() }
    }
}

/// How a folder's messages are counted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// As the standard wants it: with another UIDVALIDITY.
    Changed,
    /// As broken servers do it: with the same, so that a UID names another message than before.
    Kept,
}

/// A running Dovecot. It ends, and its mail goes, with this value or the process.
pub struct Dovecot {
    daemon: Daemon,
    user: User,
    options: DovecotOptions,
    ports: HashMap<&'static str, u16>,
    delivered: AtomicU64,
}

impl Dovecot {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed or does not start; the text says why.
    pub fn start(options: DovecotOptions) -> Dovecot {
        let user = User::of_package("dovecot");
        let daemon = Daemon::new("dovecot");
        for name in ["run", "state", "people"] {
            user.make_folder(&daemon.path(name));
        }
        let mut dovecot =
            Dovecot { daemon, user, options, ports: HashMap::new(), delivered: AtomicU64::new(0) };
        dovecot.write_users();
        for _ in 0..5 {
            dovecot.ports = ["imap", "imaps", "lmtp"].map(|name| (name, net::free_port())).into();
            dovecot.configure();
            if dovecot.try_start().is_ok() {
                return dovecot;
            }
        }
        panic!("Dovecot does not start:\n{}", dovecot.log());
    }

    /// Where IMAP is spoken, with STARTTLS when there is a certificate.
    pub fn imap(&self) -> SocketAddr {
        self.address("imap")
    }

    /// Where IMAP is spoken over TLS, when there is a certificate.
    pub fn imaps(&self) -> SocketAddr {
        assert!(self.options.tls.is_some(), "this Dovecot has no certificate");
        self.address("imaps")
    }

    /// Where LMTP takes mail for the users. Without TLS.
    pub fn lmtp(&self) -> SocketAddr {
        self.address("lmtp")
    }

    /// The socket for Postfix' `smtpd_sasl_path`.
    pub fn auth_socket(&self) -> PathBuf {
        self.daemon.path("run/auth-client")
    }

    /// Puts a mail into a folder, as another program would that shares the maildir; the folder is made when it is missing.
    pub fn deliver(&self, user: &str, folder: &str, raw: &[u8]) {
        self.put(user, folder, raw, None);
    }

    /// The same; INTERNALDATE will be `received`.
    pub fn deliver_at(&self, user: &str, folder: &str, raw: &[u8], received: SystemTime) {
        self.put(user, folder, raw, Some(received));
    }

    /// Appends a mail by IMAP, as the user, and answers its UID.
    pub fn append(&self, user: &str, folder: &str, raw: &[u8]) -> u32 {
        self.session(user).append(folder, raw)
    }

    /// Runs IMAP commands as the user, each without its tag; answers the lines said to the last.
    ///
    /// # Panics
    /// When one is not answered OK.
    pub fn run(&self, user: &str, commands: &[&str]) -> Vec<String> {
        let mut session = self.session(user);
        commands.iter().map(|command| session.run(command)).last().unwrap_or_default()
    }

    /// All messages of a folder with their UIDs, in order.
    pub fn messages(&self, user: &str, folder: &str) -> Vec<(u32, Vec<u8>)> {
        self.session(user).messages(folder)
    }

    pub fn uid_validity(&self, user: &str, folder: &str) -> u32 {
        let said = self.doveadm(&["-f", "tab", "mailbox", "status", "-u", user, "uidvalidity", folder]);
        let number =
            said.lines().last().and_then(|line| line.rsplit('\t').next()).and_then(|n| n.parse().ok());
        number.unwrap_or_else(|| panic!("doveadm said {said:?}"))
    }

    /// Another UIDVALIDITY, with the UIDs as they are; answers the new one.
    pub fn bump_uidvalidity(&self, user: &str, folder: &str) -> u32 {
        let next = self.uid_validity(user, folder) + 1;
        self.doveadm(&["mailbox", "update", "-u", user, "--uid-validity", &next.to_string(), folder]);
        next
    }

    /// Counts a folder's messages anew, from UID 1 on, in the order in which they were delivered. Restarts the server.
    pub fn renumber(&self, user: &str, folder: &str, validity: Validity) {
        let value = self.uid_validity(user, folder) + u32::from(validity == Validity::Changed);
        self.daemon.stop();
        let at = self.folder_of(user, folder);
        let entries = fs::read_dir(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with("dovecot.index") {
                fs::remove_file(entry.path()).expect("a stopped server's files can be removed");
            }
        }
        let list = at.join("dovecot-uidlist");
        fs::write(&list, format!("3 V{value} N1\n")).expect("a stopped server's files can be written");
        self.user.own(&list);
        self.start_again();
    }

    /// Lets one user see and read another's folders: those that exist now.
    pub fn share(&self, owner: &str, with: &str) {
        assert!(self.options.shared, "this Dovecot was started without DovecotOptions::shared");
        for folder in self.doveadm(&["mailbox", "list", "-u", owner]).lines() {
            if !folder.starts_with("user") {
                let who = format!("user={with}");
                self.doveadm(&["acl", "set", "-u", owner, folder, &who, "lookup", "read", "write-seen"]);
            }
        }
    }

    /// Runs Dovecot's own tool on this server and answers what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn doveadm(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(peers::require("doveadm"));
        command.arg("-c").arg(self.daemon.path("conf")).args(arguments);
        said(command.output().expect("doveadm can be started"), &format!("doveadm {}", arguments.join(" ")))
    }

    /// A clean stop and a start on the same mail and ports.
    pub fn restart(&self) {
        self.daemon.stop();
        self.start_again();
    }

    /// A clean stop: nobody listens until [`Dovecot::start_again`].
    pub fn stop(&self) {
        self.daemon.stop();
    }

    /// SIGKILL.
    pub fn kill(&self) {
        self.daemon.kill();
    }

    /// Starts a server that was stopped.
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub fn start_again(&self) {
        self.daemon.first_start(|| self.try_start());
    }

    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.daemon.path("state/log")).unwrap_or_default();
        format!("{}{log}", self.daemon.output())
    }

    /// Where it keeps its mail, configuration and log.
    pub fn folder(&self) -> &Path {
        self.daemon.folder()
    }

    fn host(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 0, if self.options.tls_required { 2 } else { 1 })
    }

    fn address(&self, name: &str) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.host()), self.ports[name])
    }

    fn session(&self, user: &str) -> Session {
        Session::open(&self.daemon.path("conf"), user)
    }

    fn try_start(&self) -> Result<(), String> {
        let mut command = self.user.command("dovecot");
        command.arg("-F").arg("-c").arg(self.daemon.path("conf")).process_group(0);
        let started = self.daemon.start(command, || session::greets(self.imap()));
        started.map_err(|_| self.log())
    }

    fn write_users(&self) {
        let line = |(name, password): &(String, String)| {
            let (user, home) = (&self.user, self.daemon.path("people").join(name));
            format!("{name}:{{PLAIN}}{password}:{}:{}::{}::\n", user.id, user.group_id, home.display())
        };
        self.daemon.write("users", self.options.users.iter().map(line).collect::<String>());
        let masters =
            self.options.master.iter().map(|(name, password)| format!("{name}:{{PLAIN}}{password}\n"));
        self.daemon.write("masters", masters.collect::<String>());
    }

    fn configure(&self) {
        let mut text = CONFIGURATION.to_owned();
        if self.options.shared {
            text.push_str(SHARED);
        }
        if let Some(certificate) = &self.options.tls {
            certificate.write(self.folder());
            self.user.own(&self.daemon.path("key.pem"));
            let level = if self.options.tls_required { "required" } else { "yes" };
            text.push_str(&format!(
                "ssl = {level}\nssl_cert = <@folder@/certificate.pem\nssl_key = <@folder@/key.pem\n"
            ));
        }
        if self.options.tls_required {
            text.push_str("disable_plaintext_auth = yes\n");
        }
        text.push_str(&self.options.settings);
        let port = |name: &str| self.ports[name].to_string();
        let imaps = if self.options.tls.is_some() { port("imaps") } else { "0".to_owned() };
        let values = [
            ("@folder@", self.folder().display().to_string()),
            ("@host@", self.host().to_string()),
            ("@user@", self.user.name.clone()),
            ("@group@", self.user.group.clone()),
            ("@imap@", port("imap")),
            ("@imaps@", imaps),
            ("@lmtp@", port("lmtp")),
        ];
        let text = values.iter().fold(text, |text, (name, value)| text.replace(name, value));
        self.daemon.write("conf", text);
    }

    fn put(&self, user: &str, folder: &str, raw: &[u8], received: Option<SystemTime>) {
        let at = self.folder_of(user, folder);
        if !at.join("new").is_dir() {
            for name in ["cur", "new", "tmp"] {
                self.user.make_folder(&at.join(name));
            }
        }
        // Dovecot gives UIDs in the order of the number before the first dot.
        let number = 1_000_000_000 + self.delivered.fetch_add(1, Ordering::SeqCst);
        let (draft, name) = (at.join(format!("tmp/{number}.test")), at.join(format!("new/{number}.test")));
        fs::write(&draft, raw).unwrap_or_else(|error| panic!("{}: {error}", draft.display()));
        self.user.own(&draft);
        if let Some(received) = received {
            let file = File::options().write(true).open(&draft);
            file.and_then(|file| file.set_modified(received)).expect("a new file's time can be set");
        }
        fs::rename(&draft, &name).unwrap_or_else(|error| panic!("{}: {error}", name.display()));
    }

    fn folder_of(&self, user: &str, folder: &str) -> PathBuf {
        let home = self.daemon.path("people").join(user);
        match folder.eq_ignore_ascii_case("inbox") {
            true => home.join("inbox"),
            false => home.join("mail").join(folder),
        }
    }
}
