//! An OpenLDAP server of the test's own (Debian: slapd), with persons as a Domino directory shows them by LDAP.
//!
//! The common name and the organisational units make the DN (`cn=John B Goode,ou=Sales,ou=East,o=Acme`), `displayName` is
//! the abbreviated Notes name (`John B Goode/Sales/East/Acme`), `uid` the short name, `mail` the internet address.
//! Reading needs a bind, as [`Slapd::bind_dn`] with [`Slapd::PASSWORD`].

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Certificate;
use super::daemon::{Daemon, User, said};
use crate::net;

const CONFIGURATION: &str = include_str!("slapd.conf");

/// One person of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `John B Goode`
    pub name: String,
    /// The units from the person upwards: `["Sales", "East"]`.
    pub units: Vec<String>,
    /// The internet address; some persons have none.
    pub mail: Option<String>,
    /// `jgoode`
    pub short_name: String,
}

impl Person {
    pub fn new(name: &str, units: &[&str], mail: Option<&str>, short_name: &str) -> Person {
        Person {
            name: name.to_owned(),
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
            mail: mail.map(str::to_owned),
            short_name: short_name.to_owned(),
        }
    }
}

/// A running slapd with one organisation. It ends, and its folder goes, with this value or the process.
pub struct Slapd {
    daemon: Daemon,
    user: User,
    organisation: String,
    with_tls: bool,
    ports: (u16, u16),
    loads: AtomicU32,
    /// DNs of the units that are there.
    units: Mutex<BTreeSet<String>>,
}

impl Slapd {
    /// The password of [`Slapd::bind_dn`].
    pub const PASSWORD: &str = "a reader's password";

    /// Starts one for the organisation `o=ORGANISATION`.
    ///
    /// # Panics
    /// When it is not installed or does not start; the text says why.
    pub fn start(organisation: &str, persons: &[Person]) -> Slapd {
        Slapd::with(organisation, persons, None)
    }

    /// The same with a certificate, for [`Slapd::ldaps`] and StartTLS.
    ///
    /// # Panics
    /// As [`Slapd::start`].
    pub fn with_tls(organisation: &str, persons: &[Person], certificate: &Certificate) -> Slapd {
        Slapd::with(organisation, persons, Some(certificate))
    }

    fn with(organisation: &str, persons: &[Person], certificate: Option<&Certificate>) -> Slapd {
        let user = User::of_package("openldap");
        let daemon = Daemon::new("slapd");
        user.make_folder(&daemon.path("data"));
        let mut tls = String::new();
        if let Some(certificate) = certificate {
            certificate.write(daemon.folder());
            user.own(&daemon.path("key.pem"));
            tls = "TLSCertificateFile @folder@/certificate.pem\nTLSCertificateKeyFile @folder@/key.pem\n"
                .to_owned();
        }
        let text = CONFIGURATION.replace("@tls@\n", &tls).replace("@organisation@", organisation);
        let text = text.replace("@folder@", &daemon.folder().display().to_string());
        daemon.write("slapd.conf", text.replace("@password@", Slapd::PASSWORD));
        let organisation = organisation.to_owned();
        let with_tls = certificate.is_some();
        let (loads, units) = (AtomicU32::new(0), Mutex::default());
        let mut slapd = Slapd { daemon, user, organisation, with_tls, ports: (0, 0), loads, units };
        let top = format!("dn: {}\nobjectClass: organization\no: {}\n", slapd.base(), slapd.organisation);
        slapd.load(&top);
        slapd.load(&slapd.ldif(persons));
        for _ in 0..5 {
            slapd.ports = (net::free_port(), net::free_port());
            if slapd.try_start().is_ok() {
                return slapd;
            }
        }
        panic!("slapd does not start:\n{}", slapd.log());
    }

    /// Where LDAP is spoken, with StartTLS when there is a certificate.
    pub fn ldap(&self) -> SocketAddr {
        net::loopback(self.ports.0)
    }

    /// Where LDAP is spoken over TLS.
    pub fn ldaps(&self) -> SocketAddr {
        assert!(self.with_tls, "this slapd has no certificate");
        net::loopback(self.ports.1)
    }

    /// Where everybody is below: `o=Acme`.
    pub fn base(&self) -> String {
        format!("o={}", self.organisation)
    }

    /// Who may read.
    pub fn bind_dn(&self) -> String {
        format!("cn=reader,{}", self.base())
    }

    /// Puts more persons in. Restarts the server.
    pub fn add(&self, persons: &[Person]) {
        self.daemon.stop();
        self.load(&self.ldif(persons));
        self.start_again();
    }

    /// Where it keeps its configuration, data and log.
    pub fn folder(&self) -> &Path {
        self.daemon.folder()
    }

    /// How many searches it has answered.
    pub fn searches(&self) -> usize {
        self.log().matches(" SRCH base=").count()
    }

    pub fn stop(&self) {
        self.daemon.stop();
    }

    /// Starts one that was stopped, on the same data and ports.
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub fn start_again(&self) {
        self.daemon.first_start(|| self.try_start());
    }

    /// What it logged: each operation.
    pub fn log(&self) -> String {
        self.daemon.output()
    }

    fn try_start(&self) -> Result<(), String> {
        let mut doors = format!("ldap://127.0.0.1:{}", self.ports.0);
        if self.with_tls {
            doors.push_str(&format!(" ldaps://127.0.0.1:{}", self.ports.1));
        }
        let mut command = self.user.command("slapd");
        command.args(["-d", "stats", "-h", &doors, "-f"]).arg(self.daemon.path("slapd.conf"));
        command.process_group(0);
        let before = self.log().matches("slapd starting").count();
        // It says so a moment before it listens.
        let listens = || TcpStream::connect(("127.0.0.1", self.ports.0)).is_ok();
        self.daemon.start(command, || self.log().matches("slapd starting").count() > before && listens())
    }

    fn load(&self, ldif: &str) {
        let name = format!("load-{}.ldif", self.loads.fetch_add(1, Ordering::SeqCst));
        self.daemon.write(&name, ldif);
        let mut command = self.user.command("slapadd");
        command.arg("-f").arg(self.daemon.path("slapd.conf")).arg("-l").arg(self.daemon.path(&name));
        said(command.stdin(Stdio::null()).output().expect("slapadd can be started"), "slapadd");
    }

    /// Persons, after the units above them that are not there yet.
    fn ldif(&self, persons: &[Person]) -> String {
        let mut known = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = String::new();
        for person in persons {
            let mut above = self.base();
            for unit in person.units.iter().rev() {
                above = format!("ou={unit},{above}");
                if known.insert(above.clone()) {
                    entries
                        .push_str(&format!("dn: {above}\nobjectClass: organizationalUnit\nou: {unit}\n\n"));
                }
            }
            let path: Vec<&str> =
                person.units.iter().map(String::as_str).chain([&*self.organisation]).collect();
            let last = person.name.split(' ').next_back().unwrap_or(&person.name);
            entries.push_str(&format!(
                "dn: cn={name},{above}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {last}\n\
                 displayName: {name}/{}\nuid: {}\n{}\n",
                path.join("/"),
                person.short_name,
                person.mail.as_ref().map(|mail| format!("mail: {mail}\n")).unwrap_or_default(),
                name = person.name,
            ));
        }
        entries
    }
}
