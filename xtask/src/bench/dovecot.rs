//! A private Dovecot (Debian: dovecot-imapd) with as many mailboxes as anybody signs in to, and a client that fills them.
//!
//! All of it runs as one user without rights, Dovecot's own when we are root. Any name may sign in with [`PASSWORD`];
//! mail lies in `mdbox` files, which take 100,000 messages without as many files.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use super::process::{PATIENCE, Process, output, wait};

pub const PASSWORD: &str = "bench";

const CONFIGURATION: &str = "\
protocols = imap
listen = 127.0.0.1
base_dir = @folder@/run
state_dir = @folder@/state
log_path = @folder@/state/log
instance_name = postroom-bench
default_internal_user = @user@
default_internal_group = @group@
default_login_user = @user@
default_client_limit = 4000
first_valid_uid = 1
mail_uid = @user@
mail_gid = @group@
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_home = @folder@/people/%n
mail_location = mdbox:~/mail
mail_fsync = never
mail_max_userip_connections = 2000
passdb {
  driver = static
  args = password=@password@
}
userdb {
  driver = static
  args = uid=@user@ gid=@group@
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    auto = create
    special_use = \\Sent
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service imap-login {
  chroot =
  service_count = 0
  process_limit = 1
  inet_listener imap {
    port = @port@
  }
  inet_listener imaps {
    port = 0
  }
}
service imap {
  process_limit = 1200
}
";

/// A running Dovecot.
pub struct Dovecot {
    process: Process,
    pub address: SocketAddr,
}

impl Dovecot {
    /// What is missing for one, as a note.
    pub fn missing(what: &str) -> Option<String> {
        let hint = "Dovecot is not installed (Debian: apt-get install dovecot-imapd)";
        program().is_none().then(|| format!("{what} was not measured: {hint}"))
    }

    pub fn start(folder: &Path) -> Result<Dovecot> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        for name in ["run", "state", "people"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let root = rustix::process::geteuid().is_root();
        let (user, group) = match root {
            true => ("dovecot".to_owned(), "dovecot".to_owned()),
            false => (id("-un")?, id("-gn")?),
        };
        let values = [
            ("@folder@", folder.display().to_string()),
            ("@user@", user.clone()),
            ("@group@", group.clone()),
            ("@port@", address.port().to_string()),
            ("@password@", PASSWORD.to_owned()),
        ];
        let text = CONFIGURATION.to_owned();
        fs::write(
            folder.join("conf"),
            values.iter().fold(text, |text, (name, value)| text.replace(name, value)),
        )?;
        if root {
            output(Command::new("chown").args(["-R", &format!("{user}:{group}")]).arg(folder))?;
        }
        let program = program().context("Dovecot was there a moment ago")?;
        let mut command = match root {
            true => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={user}"), format!("--regid={group}")]);
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
            false => Command::new(program),
        };
        command.arg("-F").arg("-c").arg(folder.join("conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::start(&mut command, Signal::TERM)?;
        wait("Dovecot", || {
            if let Some(status) = process.ended()? {
                let log = fs::read_to_string(folder.join("state/log")).unwrap_or_default();
                bail!("Dovecot ended with {status}:\n{log}");
            }
            Ok(Session::open(address).is_ok().then_some(()))
        })?;
        Ok(Dovecot { process, address })
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Signs in.
    pub fn session(&self, user: &str) -> Result<Session> {
        let mut session = Session::open(self.address)?;
        session.command(format!("LOGIN {user} {PASSWORD}").as_bytes())?;
        Ok(session)
    }

    /// The configuration of a mailbox here: its name is also that of the user and of its address.
    pub fn mailbox(&self, name: &str, secret: &Path, folders: &[&str]) -> String {
        let (host, port) = (self.address.ip(), self.address.port());
        format!(
            "\n[mailboxes.{name}]\naddress = \"{name}@crm.example\"\n\n[mailboxes.{name}.imap]\nhost = \"{host}\"\nport = {port}\n\
             tls = \"none\"\nusername = \"{name}\"\npassword = {{ file = {secret:?} }}\nfolders = {folders:?}\n"
        )
    }
}

/// Writes the password to a file as secrets must lie.
pub fn secret(folder: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join("imap-password");
    fs::write(&file, PASSWORD)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

fn program() -> Option<&'static str> {
    ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"].into_iter().find(|path| Path::new(path).exists())
}

fn id(flag: &str) -> Result<String> {
    Ok(output(Command::new("id").arg(flag))?.trim().to_owned())
}

/// One connection (RFC 3501) that says little: LOGIN and APPEND.
pub struct Session {
    reader: BufReader<TcpStream>,
}

impl Session {
    fn open(address: SocketAddr) -> Result<Session> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut session = Session { reader: BufReader::new(stream) };
        let greeting = session.line()?;
        ensure!(greeting.starts_with("* OK"), "Dovecot greets with {greeting:?}");
        Ok(session)
    }

    /// Puts mails into the Inbox, in order, with one command (RFC 3502; literals as in RFC 7888).
    pub fn append(&mut self, mails: &[Vec<u8>]) -> Result<()> {
        let mut command = b"APPEND INBOX".to_vec();
        for mail in mails {
            command.extend_from_slice(format!(" {{{}+}}\r\n", mail.len()).as_bytes());
            command.extend_from_slice(mail);
        }
        self.command(&command)
    }

    fn command(&mut self, command: &[u8]) -> Result<()> {
        self.reader.get_mut().write_all(&[b"a ", command, b"\r\n"].concat())?;
        loop {
            let line = self.line()?;
            if let Some(answer) = line.strip_prefix("a ") {
                ensure!(answer.starts_with("OK"), "Dovecot said {}", line.trim_end());
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.reader.read_line(&mut line)? > 0, "Dovecot closed the connection");
        Ok(line)
    }
}
