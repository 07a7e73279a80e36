//! A private Postfix in a temporary folder: own configuration, queue, data and log; its SMTP port from the kernel; it
//! hands everything on to one next hop. Stopped when dropped, also on panic.
//!
//! Needs root, because Postfix' master starts its daemons as other users.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const READY: Duration = Duration::from_secs(30);
const HINT: &str = "install Postfix (Debian: apt-get install postfix) and run the tests as root";

const MASTER: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// Where Postfix hands all its mail.
#[derive(Debug, Clone, Copy)]
pub enum Route {
    Smtp(SocketAddr),
    Lmtp(SocketAddr),
}

/// A running Postfix.
pub struct Postfix {
    folder: TempDir,
    process: Child,
    /// Its SMTP server: takes any recipient from this machine.
    pub address: SocketAddr,
}

impl Postfix {
    /// Starts one. `settings` are further lines of `main.cf`, which win over the usual ones.
    ///
    /// Blocks until its port answers.
    pub fn start(route: Route, settings: &[(&str, &str)]) -> Self {
        // Between our asking for a free port and Postfix' taking it another program may be quicker.
        (0..5)
            .find_map(|_| Postfix::try_start(route, settings))
            .expect("Postfix finds a free port in five tries")
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
        fs::read_to_string(self.folder.path().join("data/log")).unwrap_or_default()
    }

    fn try_start(route: Route, settings: &[(&str, &str)]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        configure(folder.path(), address.port(), route, settings).expect(HINT);
        let process = Command::new("postfix")
            .arg("-c")
            .arg(folder.path().join("config"))
            .arg("start-fg")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect(HINT);
        let mut postfix = Postfix { folder, process, address };
        postfix.is_ready().then_some(postfix)
    }

    fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + READY;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().unwrap() {
                let mut said = String::new();
                self.process.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said));
                assert!(
                    said.contains("Address already in use"),
                    "Postfix ended ({status}): {said}{}\n{HINT}",
                    self.log()
                );
                return false;
            }
            if TcpStream::connect(self.address).is_ok_and(greets) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("Postfix did not start within {READY:?}:\n{}", self.log());
    }

    fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let output =
            Command::new(name).arg("-c").arg(self.folder.path().join("config")).args(arguments).output();
        let output = output.expect(HINT);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let config = self.folder.path().join("config");
        let stop = Command::new("postfix").arg("-c").arg(config).arg("stop").stderr(Stdio::null()).status();
        if !stop.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

fn greets(mut stream: TcpStream) -> bool {
    let mut greeting = [0; 3];
    stream.set_read_timeout(Some(READY)).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"220"
}

fn configure(folder: &Path, port: u16, route: Route, settings: &[(&str, &str)]) -> io::Result<()> {
    let owner = postfix_user()?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?; // its daemons run as that user
    for name in ["config", "queue", "data"] {
        fs::create_dir(folder.join(name))?;
    }
    chown(folder.join("data"), Some(owner), None)?;
    let at = folder.display();
    let mut main = format!(
        "compatibility_level = 3.6\nconfig_directory = {at}/config\nqueue_directory = {at}/queue\n\
         data_directory = {at}/data\nmaillog_file = {at}/data/log\nmaillog_file_prefixes = {at}\n\
         myhostname = relay.client.example\nmydestination =\ninet_interfaces = loopback-only\ninet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\ndisable_dns_lookups = yes\nsmtp_host_lookup = native\n\
         smtp_line_length_limit = 0\nlmtp_line_length_limit = 0\nminimal_backoff_time = 1s\nsmtputf8_enable = yes\n"
    );
    let next = match route {
        Route::Smtp(next) => format!("relayhost = [{}]:{}", next.ip(), next.port()),
        Route::Lmtp(next) => format!("default_transport = lmtp:inet:{}:{}", next.ip(), next.port()),
    };
    writeln!(main, "{next}").expect("a String takes everything");
    for (key, value) in settings {
        writeln!(main, "{key} = {value}").expect("a String takes everything");
    }
    fs::write(folder.join("config/main.cf"), main)?;
    fs::write(folder.join("config/master.cf"), format!("127.0.0.1:{port} inet n - n - - smtpd\n{MASTER}"))
}

fn postfix_user() -> io::Result<u32> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find_map(|line| line.strip_prefix("postfix:"));
    let uid = line.and_then(|rest| rest.split(':').nth(1)).and_then(|uid| uid.parse().ok());
    uid.ok_or_else(|| io::Error::other("there is no user postfix"))
}
