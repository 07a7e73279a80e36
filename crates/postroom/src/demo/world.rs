//! The servers of the demo: everything outside postroom that mail goes to and comes from, and the marketing service. Nothing
//! leaves this machine.

use std::path::Path;

use bytes::Bytes;
use postroom_core::{Clock, Code};
use postroom_marketing::sync::SyncType;
use postroom_sandbox::catcher::Catcher;
use postroom_sandbox::domino::{Domino, Options};
use postroom_sandbox::dotdigital::{Dotdigital, Options as Accounts, Region};

use crate::report::CliError;

/// The sales mailbox on the Domino-like server, by its Notes name.
const USER: &str = "Sales/Brunnthal";
const PASSWORD: &str = "demo";
/// Where the passwords stand, in the demo's folder.
const PASSWORD_FILE: &str = "imap-sales";
const SERVICE_FILE: &str = "marketing-service";
/// The account of the marketing service.
pub const ACCOUNT: &str = "demo";

pub struct World {
    /// Where mail to the world goes.
    pub catcher: Catcher,
    /// The marketing service.
    pub service: Dotdigital,
    domino: Domino,
}

impl World {
    pub fn start() -> World {
        let domino = Domino::start(Options::default());
        domino.add_account(USER, PASSWORD);
        let service = Dotdigital::start(Accounts::one_account(PASSWORD), Clock::system());
        World { catcher: Catcher::start(), service, domino }
    }

    /// A mail comes into the sales mailbox on Domino.
    pub fn deliver(&self, raw: Bytes) {
        self.domino.deliver(USER, "Inbox", &raw);
    }

    /// The sections of the configuration that point here. Writes the password beside them.
    pub fn configuration(&self, folder: &Path) -> Result<String, CliError> {
        let [file, service] = [secret(folder, PASSWORD_FILE)?, secret(folder, SERVICE_FILE)?];
        let never = SyncType::ALL.iter().filter(|sync_type| **sync_type != SyncType::Suppressions);
        let never: Vec<String> = never.map(|sync_type| format!("{sync_type} = \"never\"")).collect();
        let (out, domino) = (self.catcher.address(), self.domino.address());
        // The mailbox was empty when it was first looked at, so the early date brings nothing old; it spares us waiting
        // for the first look before a mail is delivered.
        Ok(format!(
            "\n[smtp_out]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nhostname = \"localhost\"\npoll = \"500ms\"\n\
             bounce_address = true\n\n\
             [mailboxes.sales]\naddress = \"sales@demo.example\"\non_unmatched = \"activity\"\n\
             start_at = \"2000-01-01\"\n\n\
             [mailboxes.sales.imap]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nusername = \"{USER}\"\n\
             password = {{ file = {file} }}\npoll = \"1s\"\n\n\
             [marketing.accounts.{ACCOUNT}]\nurl = \"{}\"\nuser = \"apiuser-demo@apiconnector.com\"\n\
             password = {{ file = {service} }}\nevery = {{ {} }}\n",
            out.ip(),
            out.port(),
            domino.ip(),
            domino.port(),
            self.service.url(Region::R1),
            never.join(", ")
        ))
    }
}

/// Writes the demo's password into a file of this name; its path as TOML has it.
fn secret(folder: &Path, name: &str) -> Result<toml::Value, CliError> {
    let file = folder.join(name);
    owner_only(&file).map_err(|error| {
        CliError::new(Code::STORE_AWAY, format!("{}: {error}", file.display()))
            .with_action("Name a folder with --dir that can be written to")
    })?;
    Ok(toml::Value::String(file.display().to_string()))
}

/// As secrets must lie.
fn owner_only(file: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(PASSWORD.as_bytes())
}
