//! Secrets are named in the configuration, never written into it: a file, a systemd credential, or a command.
//!
//! systemd credentials: systemd.exec(5), "Credentials"; the directory is `$CREDENTIALS_DIRECTORY`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use postroom_core::{Code, Secret};

use super::setting::{Reading, Setting, nearest};
use super::tree::{Node, Table, Value};
use super::values::quoted;

/// How long a secret command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// No secret is longer; a longer file is not the one that was meant.
const MAX_SECRET: u64 = 64 * 1024;
const KINDS: [&str; 3] = ["file", "credential", "command"];
const EXPECTS: &str = "{ file = \"…\" }, { credential = \"…\" } or { command = [\"…\"] }";

/// Where a secret is to be found. Read it with [`SecretRef::read`] when it is needed, so that a change is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    File(PathBuf),
    /// The name of a systemd credential.
    Credential(String),
    /// A program and its arguments; the first line of its output is the secret.
    Command(Vec<String>),
}

/// Why a secret could not be had. Holds nothing of the secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} can be read by others (mode {mode:04o}): run chmod 600 {}", path.display(), quote(path))]
    Open { path: PathBuf, mode: u32 },
    #[error("{from} is empty or larger than 64 KiB: put the secret there, and nothing else")]
    Unfit { from: String },
    #[error("{from} holds bytes that are not UTF-8: put the secret there as text")]
    NotText { from: String },
    #[error("CREDENTIALS_DIRECTORY is not set: start postroom by systemd with LoadCredential={name}:…")]
    NoCredentials { name: String },
    #[error("the secret command {program:?} failed ({why}): run it by hand to see why")]
    Command { program: String, why: String },
}

impl Error {
    pub fn code(&self) -> Code {
        Code::SECRET_FILE
    }
}

/// Whether a key of this name takes a secret.
pub fn is_secret(name: &str) -> bool {
    ["secret", "password", "private_key", "token"].iter().any(|ending| name.ends_with(ending))
}

impl SecretRef {
    /// Looks whether the secret could be read, without reading it or running anything.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            SecretRef::File(path) => owner_only(path),
            SecretRef::Credential(name) => {
                let path = credential(name)?;
                std::fs::metadata(&path).map(drop).map_err(|source| Error::Unreadable { path, source })
            }
            SecretRef::Command(_) => Ok(()),
        }
    }

    /// The secret itself, without the line end that an editor adds.
    pub async fn read(&self) -> Result<Secret, Error> {
        match self {
            SecretRef::File(path) => {
                owner_only(path)?;
                from_file(path)
            }
            // systemd guards its directory itself, and its access lists show as a group mode.
            SecretRef::Credential(name) => from_file(&credential(name)?),
            SecretRef::Command(words) => from_command(words).await,
        }
    }
}

fn credential(name: &str) -> Result<PathBuf, Error> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
    folder.map(|folder| Path::new(&folder).join(name)).ok_or(Error::NoCredentials { name: name.to_owned() })
}

/// Refuses a file that anyone but its owner may read.
pub fn owner_only(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o7777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(Error::Open { path: path.to_owned(), mode }),
    }
}

fn from_file(path: &Path) -> Result<Secret, Error> {
    use std::io::Read;
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    secret(bytes, &path.display().to_string())
}

async fn from_command(words: &[String]) -> Result<Secret, Error> {
    let (program, arguments) = words.split_first().expect("an empty command is refused when it is read");
    let failed = |why: String| Error::Command { program: program.clone(), why };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_TIMEOUT, command.output()).await;
    let output = output.map_err(|_| failed("no end within 10 s".to_owned()))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
    secret(line, &format!("the output of {program:?}"))
}

fn secret(bytes: Vec<u8>, from: &str) -> Result<Secret, Error> {
    let text = String::from_utf8(bytes).map_err(|_| Error::NotText { from: from.to_owned() })?;
    let text = text.trim_end_matches(['\r', '\n']);
    match text.is_empty() || text.len() as u64 > MAX_SECRET {
        true => Err(Error::Unfit { from: from.to_owned() }),
        false => Ok(Secret::new(text)),
    }
}

/// The path as a shell takes it.
fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

impl Setting for SecretRef {
    fn expects() -> String {
        EXPECTS.to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            // The value is not quoted: it is most likely the secret itself.
            cx.refuse(key, format!("{key} is a secret and is not written here: use {EXPECTS}"));
            return None;
        };
        let read = one_kind(table);
        if let Err(why) = &read {
            cx.refuse(key, format!("{key}: {why}: use {EXPECTS}"));
        }
        read.ok()
    }

    fn literal(&self) -> Option<String> {
        Some(match self {
            SecretRef::File(path) => format!("{{ file = {} }}", quoted(&path.to_string_lossy())),
            SecretRef::Credential(name) => format!("{{ credential = {} }}", quoted(name)),
            // Arguments may hold what opens the safe, so only the program is shown.
            SecretRef::Command(words) => {
                let more = if words.len() > 1 { ", \"…\"" } else { "" };
                format!("{{ command = [{}{more}] }}", quoted(&words[0]))
            }
        })
    }
}

fn one_kind(table: &Table) -> Result<SecretRef, String> {
    let [(name, node)] = table.iter().collect::<Vec<_>>()[..] else {
        return Err(format!("one of {} is needed, found {}", KINDS.join(", "), table.len()));
    };
    match (name.as_str(), &node.value) {
        ("file", Value::Text(path)) if !path.is_empty() => Ok(SecretRef::File(PathBuf::from(path))),
        ("credential", Value::Text(name)) if is_credential(name) => Ok(SecretRef::Credential(name.clone())),
        ("command", Value::List(words)) if !words.is_empty() => {
            let text = |word: &Node| match &word.value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            };
            let words: Option<Vec<String>> = words.iter().map(text).collect();
            words.map(SecretRef::Command).ok_or_else(|| "command takes a list of texts".to_owned())
        }
        (kind, _) if KINDS.contains(&kind) => Err(format!("{kind} has not the form it takes")),
        (name, _) => Err(match nearest(name, KINDS.into_iter()) {
            Some(near) => format!("there is no {name:?}, did you mean {near:?}"),
            None => "it is neither file, credential nor command".to_owned(),
        }),
    }
}

/// A credential's name is one path component.
fn is_credential(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("smtp");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    fn read(secret: &SecretRef) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let read = runtime.block_on(secret.read());
        read.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_read_without_its_line_end() {
        let (_folder, path) = file("hunter2\n", 0o600);
        assert_eq!(read(&SecretRef::File(path)).as_deref(), Ok("hunter2"));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_chmod() {
        let (_folder, path) = file("hunter2\n", 0o640);
        let error = read(&SecretRef::File(path.clone())).unwrap_err();
        assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn an_empty_file_is_refused() {
        let (_folder, path) = file("\n", 0o600);
        assert!(read(&SecretRef::File(path)).unwrap_err().contains("empty"));
    }

    #[test]
    fn a_command_gives_its_first_line() {
        let words = |words: &[&str]| SecretRef::Command(words.iter().map(|word| word.to_string()).collect());
        assert_eq!(read(&words(&["printf", "hunter2\\nmore"])).as_deref(), Ok("hunter2"));
        assert!(read(&words(&["false"])).unwrap_err().contains("false"));
        assert!(read(&words(&["no-such-program-here"])).is_err());
    }

    #[test]
    fn a_shown_command_hides_its_arguments() {
        let command = SecretRef::Command(vec!["pass".into(), "canary".into()]);
        assert!(!command.literal().unwrap_or_default().contains("canary"));
    }
}
