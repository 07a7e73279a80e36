//! The mail servers of the demo: everything outside postroom that mail goes to and comes from. Nothing leaves this machine.

use std::path::Path;

use bytes::Bytes;
use postroom_core::Code;
use postroom_sandbox::catcher::Catcher;
use postroom_sandbox::domino::{Domino, Options};

use crate::report::CliError;

/// The sales mailbox on the Domino-like server, by its Notes name.
const USER: &str = "Sales/Brunnthal";
const PASSWORD: &str = "demo";
/// Where the password stands, in the demo's folder.
const PASSWORD_FILE: &str = "imap-sales";

pub struct World {
    /// Where mail to the world goes.
    pub catcher: Catcher,
    domino: Domino,
}

impl World {
    pub fn start() -> World {
        let domino = Domino::start(Options::default());
        domino.add_account(USER, PASSWORD);
        World { catcher: Catcher::start(), domino }
    }

    /// A mail comes into the sales mailbox on Domino.
    pub fn deliver(&self, raw: Bytes) {
        self.domino.deliver(USER, "Inbox", &raw);
    }

    /// The sections of the configuration that point here. Writes the password beside them.
    pub fn configuration(&self, folder: &Path) -> Result<String, CliError> {
        let file = folder.join(PASSWORD_FILE);
        owner_only(&file).map_err(|error| {
            CliError::new(Code::STORE_AWAY, format!("{}: {error}", file.display()))
                .with_action("Name a folder with --dir that can be written to")
        })?;
        let file = toml::Value::String(file.display().to_string());
        let (out, domino) = (self.catcher.address(), self.domino.address());
        // The mailbox was empty when it was first looked at, so the early date brings nothing old; it spares us waiting
        // for the first look before a mail is delivered.
        Ok(format!(
            "\n[smtp_out]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nhostname = \"localhost\"\npoll = \"500ms\"\n\
             bounce_address = true\n\n\
             [mailboxes.sales]\naddress = \"sales@demo.example\"\non_unmatched = \"activity\"\n\
             start_at = \"2000-01-01\"\n\n\
             [mailboxes.sales.imap]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nusername = \"{USER}\"\n\
             password = {{ file = {file} }}\npoll = \"1s\"\n",
            out.ip(),
            out.port(),
            domino.ip(),
            domino.port()
        ))
    }
}

/// As secrets must lie.
fn owner_only(file: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(PASSWORD.as_bytes())
}
