//! Real programs from Debian's packages, started for tests.

mod certificate;
mod daemon;
mod dovecot;
mod postfix;
mod postgres;
mod slapd;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use certificate::Certificate;
pub use dovecot::{Dovecot, DovecotOptions, PASSWORD, Validity};
pub use postfix::{Postfix, Route, Shape};
pub use postgres::{Durability, Postgres};
pub use slapd::{Person, Slapd};

/// Programs and the Debian packages that bring them.
const PACKAGES: &[(&str, &str)] = &[
    ("initdb", "postgresql"),
    ("postgres", "postgresql"),
    ("psql", "postgresql-client"),
    ("postfix", "postfix"),
    ("postconf", "postfix"),
    ("postqueue", "postfix"),
    ("dovecot", "dovecot-imapd dovecot-lmtpd"),
    ("doveadm", "dovecot-imapd dovecot-lmtpd"),
    ("slapd", "slapd"),
    ("slapadd", "slapd"),
    ("ldapsearch", "ldap-utils"),
    ("swaks", "swaks"),
    ("strace", "strace"),
    ("chromium", "chromium"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("setpriv", "util-linux"),
];

/// The path of a program.
///
/// # Panics
/// When it is not installed, with a text that says how to install it.
#[track_caller]
pub fn require(program: &str) -> PathBuf {
    match find(program, &std::env::var_os("PATH").unwrap_or_default()) {
        Some(path) => path,
        None => panic!("{}", missing(program)),
    }
}

fn missing(program: &str) -> String {
    let package = PACKAGES.iter().find(|(name, _)| *name == program).map_or(program, |(_, package)| package);
    format!(
        "this test needs the program {program}, which is not installed. \
         Run ./test once, which installs what is missing, or: apt-get install {package}"
    )
}

/// Looks in PATH, then where Debian keeps servers: /usr/sbin, and one folder for each version of PostgreSQL.
fn find(program: &str, path: &OsString) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(path).collect();
    folders.extend(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.extend(postgres_versions());
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Newest first.
fn postgres_versions() -> Vec<PathBuf> {
    let Ok(entries) = Path::new("/usr/lib/postgresql").read_dir() else { return Vec::new() };
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    folders.into_iter().map(|folder| folder.join("bin")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_path() {
        assert!(require("sh").is_file());
    }

    #[test]
    fn a_missing_program_says_what_to_install() {
        assert_eq!(find("no-such-program", &OsString::new()), None);
        assert!(missing("initdb").ends_with("apt-get install postgresql"));
        assert!(missing("no-such-program").contains("./test"));
    }
}
