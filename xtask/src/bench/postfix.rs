//! A private Postfix: own configuration, queue, data and log in a folder, its port from the kernel.
//!
//! It takes each mail into its queue, synced to the disk, before it acknowledges it, as it does everywhere; then its own
//! `discard` transport delivers it, the cheapest there is, or it hands it to another server.

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::process::{PATIENCE, Process, output, wait};

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
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// A running Postfix.
pub struct Postfix {
    folder: PathBuf,
    process: Process,
    pub address: SocketAddr,
}

impl Postfix {
    /// What is missing for one, as a note.
    pub fn missing() -> Option<String> {
        let hint = match (program().is_some(), rustix::process::geteuid().is_root()) {
            (true, true) => return None,
            (false, _) => "it is not installed (Debian: apt-get install postfix)",
            (true, false) => "its daemons start as other users, so the bench must run as root",
        };
        Some(format!("Postfix was not measured: {hint}"))
    }

    /// `next` is where mail goes on to; else it is thrown away.
    pub fn start(folder: &Path, next: Option<SocketAddr>) -> Result<Postfix> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        configure(folder, address, next)?;
        let mut command = Command::new(program().unwrap_or("postfix"));
        command.arg("-c").arg(folder.join("config")).arg("start-fg");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start(&mut command, Signal::TERM)?;
        let mut postfix = Postfix { folder: folder.to_owned(), process, address };
        wait("Postfix", || {
            if let Some(status) = postfix.process.ended()? {
                bail!("Postfix ended with {status}:\n{}", postfix.log());
            }
            Ok(TcpStream::connect(address).is_ok_and(greets).then_some(()))
        })?;
        Ok(postfix)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until its queue is empty.
    pub fn drained(&self) -> Result<()> {
        wait("Postfix's empty queue", || {
            let mut queue = Command::new("postqueue");
            let queued = output(queue.arg("-c").arg(self.folder.join("config")).arg("-j"))?;
            Ok(queued.trim().is_empty().then_some(()))
        })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("data/log")).unwrap_or_default()
    }
}

fn program() -> Option<&'static str> {
    ["/usr/sbin/postfix", "/usr/local/sbin/postfix"].into_iter().find(|path| Path::new(path).exists())
}

fn greets(mut stream: TcpStream) -> bool {
    let mut greeting = [0; 3];
    stream.set_read_timeout(Some(PATIENCE)).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"220"
}

fn configure(folder: &Path, address: SocketAddr, next: Option<SocketAddr>) -> Result<()> {
    for name in ["config", "queue", "data"] {
        fs::create_dir_all(folder.join(name))?;
    }
    output(Command::new("chown").arg("postfix").arg(folder.join("data")))?;
    let at = folder.display();
    let transport = match next {
        Some(next) => format!("smtp:[{}]:{}", next.ip(), next.port()),
        None => "discard:".to_owned(),
    };
    let main = format!(
        "compatibility_level = 3.6\nconfig_directory = {at}/config\nqueue_directory = {at}/queue\n\
         data_directory = {at}/data\nmaillog_file = {at}/data/log\nmaillog_file_prefixes = {at}\n\
         myhostname = mail.crm.example\nmydestination =\ninet_interfaces = loopback-only\ninet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\nalias_maps =\nalias_database =\ndisable_dns_lookups = yes\n\
         smtpd_peername_lookup = no\ndefault_transport = {transport}\n"
    );
    fs::write(folder.join("config/main.cf"), main)?;
    fs::write(folder.join("config/master.cf"), format!("{address} inet n - n - - smtpd\n{MASTER}"))?;
    Ok(())
}
