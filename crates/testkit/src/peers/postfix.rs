//! A Postfix of the test's own: configuration, queue, data and log in a folder, ports from the kernel.
//!
//! Its SMTP port takes any recipient from this machine. Needs root, because Postfix' master starts its daemons as other
//! users.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Certificate;
use super::daemon::{Daemon, User, said};
use crate::{net, peers};

const MASTER: &str = include_str!("postfix-master.cf");
const MAIN: &str = include_str!("postfix-main.cf");

/// For a greeting.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where mail goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Accepted, queued, and thrown away.
    Discard,
    Smtp(SocketAddr),
    Lmtp(SocketAddr),
}

impl Route {
    /// As a transport and its next hop.
    fn transport(self) -> String {
        match self {
            Route::Discard => "discard:".to_owned(),
            Route::Smtp(next) => format!("smtp:[{}]:{}", next.ip(), next.port()),
            Route::Lmtp(next) => format!("lmtp:inet:{}:{}", next.ip(), next.port()),
        }
    }
}

/// What a Postfix has beside its SMTP port and its route.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Further lines of `main.cf`; they win over the usual ones.
    pub settings: Vec<(String, String)>,
    /// Other routes for the mail of some recipient domains, for instance `ours.example` to a Dovecot's LMTP.
    pub routes: Vec<(String, Route)>,
    /// STARTTLS at every port.
    pub tls: Option<Certificate>,
    /// A submission server, with TLS required and AUTH ([`Postfix::submission`], and [`Postfix::submissions`] with TLS
    /// from the start). It asks for passwords at this socket of a Dovecot ([`super::Dovecot::auth_socket`]), and needs
    /// `tls`.
    pub submission: Option<PathBuf>,
    /// An after-queue content filter: what comes in by SMTP or submission is handed to this address, and comes back at
    /// [`Postfix::reinjection`].
    pub filter: Option<SocketAddr>,
}

/// Ports in use.
#[derive(Debug, Clone, Copy)]
struct Ports {
    smtp: u16,
    submission: u16,
    submissions: u16,
    reinjection: u16,
}

/// A running Postfix. It ends, and its folder goes, with this value or the process.
pub struct Postfix {
    daemon: Daemon,
    route: Route,
    shape: Mutex<Shape>,
    ports: Ports,
    /// Its SMTP server: takes any recipient from this machine.
    pub address: SocketAddr,
}

impl Postfix {
    /// Starts one that hands all its mail to `route`. `settings` are further lines of `main.cf`, which win over the usual
    /// ones. Blocks until its port answers.
    ///
    /// # Panics
    /// When Postfix is not installed or does not start, or we are not root; the text says what to do.
    pub fn start(route: Route, settings: &[(&str, &str)]) -> Postfix {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Postfix::with(route, Shape { settings, ..Shape::default() })
    }

    /// One of another shape.
    ///
    /// # Panics
    /// As [`Postfix::start`].
    pub fn with(route: Route, shape: Shape) -> Postfix {
        peers::require("postfix");
        assert!(
            rustix::process::geteuid().is_root(),
            "Postfix starts its daemons as other users: run this test as root"
        );
        assert!(shape.submission.is_none() || shape.tls.is_some(), "a submission server needs a certificate");
        let daemon = Daemon::new("postfix");
        for name in ["config", "queue", "data"] {
            fs::create_dir(daemon.path(name)).expect("the folder is new");
        }
        User::of_package("postfix").own(&daemon.path("data"));
        let ports = Ports::free();
        let address = net::loopback(ports.smtp);
        let mut postfix = Postfix { daemon, route, shape: Mutex::new(shape), ports, address };
        for _ in 0..5 {
            postfix.ports = Ports::free();
            postfix.address = net::loopback(postfix.ports.smtp);
            postfix.configure();
            if postfix.try_start().is_ok() {
                return postfix;
            }
        }
        panic!("Postfix does not start:\n{}", postfix.log());
    }

    /// The submission server: STARTTLS, then AUTH. Its users are the Dovecot's.
    pub fn submission(&self) -> SocketAddr {
        assert!(self.shape().submission.is_some(), "this Postfix has no submission server");
        net::loopback(self.ports.submission)
    }

    /// The submission server with TLS from the start.
    pub fn submissions(&self) -> SocketAddr {
        assert!(self.shape().submission.is_some(), "this Postfix has no submission server");
        net::loopback(self.ports.submissions)
    }

    /// Takes mail from this machine, and does not filter it.
    pub fn reinjection(&self) -> SocketAddr {
        net::loopback(self.ports.reinjection)
    }

    /// Changes its shape: a stop, and a start on the same queue and ports. A filter can so be given a Postfix that it
    /// knows already.
    pub fn reshape(&self, change: impl FnOnce(&mut Shape)) {
        self.daemon.stop();
        change(&mut self.shape());
        self.configure();
        self.start_again();
    }

    /// Tries everything that was deferred again, now.
    pub fn flush(&self) {
        self.tool("postqueue", &["-f"]);
    }

    /// How many mails it still has.
    pub fn queued(&self) -> usize {
        self.tool("postqueue", &["-j"]).lines().count()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.daemon.path("data/log")).unwrap_or_default();
        format!("{}{log}", self.daemon.output())
    }

    /// Where it keeps its configuration, data and log.
    pub fn folder(&self) -> &Path {
        self.daemon.folder()
    }

    /// A clean stop: nobody listens until [`Postfix::start_again`].
    pub fn stop(&self) {
        self.daemon.stop();
    }

    /// SIGKILL to all its processes.
    pub fn kill(&self) {
        self.daemon.kill();
    }

    /// Starts one that was stopped, on the same queue and ports.
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub fn start_again(&self) {
        self.daemon.first_start(|| self.try_start());
    }

    pub fn restart(&self) {
        self.stop();
        self.start_again();
    }

    fn shape(&self) -> std::sync::MutexGuard<'_, Shape> {
        self.shape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_start(&self) -> Result<(), String> {
        let mut folders = Command::new(peers::require("postconf"));
        let said_folder = folders.args(["-d", "-h", "daemon_directory"]).output();
        let folder = said(said_folder.expect("postconf can be started"), "postconf");
        // The command `postfix start-fg` would put a shell between master and our signals. Master begins a session of its
        // own, and refuses to start when it leads a group already.
        let mut master = Command::new(PathBuf::from(folder.trim()).join("master"));
        master.arg("-c").arg(self.daemon.path("config")).arg("-s");
        self.daemon
            .start(master, || TcpStream::connect(self.address).is_ok_and(greets))
            .map_err(|_| self.log())
    }

    fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(peers::require(name));
        command.arg("-c").arg(self.daemon.path("config")).args(arguments);
        said(command.output().expect("Postfix' tools can be started"), name)
    }

    fn configure(&self) {
        let shape = self.shape().clone();
        let at = self.daemon.folder().display().to_string();
        let mut main = MAIN.replace("@folder@", &at);
        let mut line =
            |key: &str, value: &str| writeln!(main, "{key} = {value}").expect("a String takes everything");
        match self.route {
            Route::Smtp(next) => line("relayhost", &format!("[{}]:{}", next.ip(), next.port())),
            other => line("default_transport", &other.transport()),
        }
        if !shape.routes.is_empty() {
            let table =
                shape.routes.iter().map(|(domain, route)| format!("{domain} {}\n", route.transport()));
            self.daemon.write("config/transport", table.collect::<String>());
            line("transport_maps", &format!("texthash:{at}/config/transport"));
        }
        if let Some(certificate) = &shape.tls {
            certificate.write(self.daemon.folder());
            line("smtpd_tls_cert_file", &format!("{at}/certificate.pem"));
            line("smtpd_tls_key_file", &format!("{at}/key.pem"));
            line("smtpd_tls_security_level", "may");
        }
        for (key, value) in &shape.settings {
            line(key, value);
        }
        self.daemon.write("config/main.cf", main);
        self.daemon.write("config/master.cf", self.services(&shape));
        // Makes the queue's folders.
        self.tool("postfix", &["check"]);
    }

    /// `master.cf`.
    fn services(&self, shape: &Shape) -> String {
        let filter = shape.filter.map_or(String::new(), |filter| {
            format!(" -o content_filter=smtp:[{}]:{}", filter.ip(), filter.port())
        });
        let Ports { smtp, submission, submissions, reinjection } = self.ports;
        let mut text = format!("127.0.0.1:{smtp} inet n - n - - smtpd{filter}\n{MASTER}");
        let unfiltered = "-o receive_override_options=no_unknown_recipient_checks,no_header_body_checks,no_milters \
                          -o smtpd_authorized_xforward_hosts=127.0.0.0/8 -o syslog_name=postfix/reinjection";
        text.push_str(&format!("127.0.0.1:{reinjection} inet n - n - - smtpd {unfiltered}\n"));
        if let Some(socket) = &shape.submission {
            let signed_in = format!(
                "{filter} -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot -o smtpd_sasl_path={} \
                 -o smtpd_tls_auth_only=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject \
                 -o syslog_name=postfix/submission",
                socket.display()
            );
            text.push_str(&format!(
                "127.0.0.1:{submission} inet n - n - - smtpd{signed_in} -o smtpd_tls_security_level=encrypt\n\
                 127.0.0.1:{submissions} inet n - n - - smtpd{signed_in} -o smtpd_tls_wrappermode=yes\n"
            ));
        }
        text
    }
}

impl Ports {
    fn free() -> Ports {
        let port = net::free_port;
        Ports { smtp: port(), submission: port(), submissions: port(), reinjection: port() }
    }
}

fn greets(mut stream: TcpStream) -> bool {
    let mut greeting = [0; 3];
    stream.set_read_timeout(Some(PATIENCE)).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"220"
}
