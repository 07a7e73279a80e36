//! `[storage]`: the one compulsory section.

use std::fmt;
use std::path::PathBuf;

use super::secret::SecretRef;
use super::setting::{Check, Reading, Setting, optional, required, section};
use super::tree::{Node, Value};
use super::units::Size;
use super::values::quoted;

section! {
    /// Where postroom keeps everything: messages, decisions, work and the embedded CRM.
    pub struct Storage {
        /// The database: a file of SQLite, or a PostgreSQL server shared by several nodes.
        /// A PostgreSQL address may name several hosts: postgres://user@one,two/postroom
        pub url: DatabaseUrl = required(), "\"sqlite:///var/lib/postroom/postroom.db\"";
        /// The password for PostgreSQL, so that it need not stand in the address.
        pub password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/postgres\" }";
        /// The certificate of the authority that signed the PostgreSQL server's (PEM), when this machine does not trust it
        /// by itself. A server that is not on this machine is spoken to in TLS only, unless the address says
        /// sslmode=disable.
        pub ca_file: Option<PathBuf> = optional(), "\"/etc/postroom/postgres-ca.pem\"";
        /// Mail is refused for now (452) when less than this is free on the disk. Too low, and the database itself
        /// may meet a full disk; too high, and mail waits at its sender without need.
        pub disk_reserve: Size = Some(Size::mib(128)), "\"128MiB\"";
    }
}

impl Check for Storage {
    fn check(&self, cx: &mut Reading) {
        if let (DatabaseUrl::Sqlite(_), Some(_)) = (&self.url, &self.ca_file) {
            cx.refuse(
                "storage.ca_file",
                "storage.ca_file is for PostgreSQL; SQLite has no server: remove it",
            );
        }
        match (&self.url, &self.password) {
            (DatabaseUrl::Sqlite(_), Some(_)) => {
                cx.refuse(
                    "storage.password",
                    "storage.password is for PostgreSQL; SQLite has none: remove it",
                );
            }
            (DatabaseUrl::Postgres(_), Some(_)) if self.url.holds_password() => {
                cx.refuse(
                    "storage.password",
                    "storage.url holds a password as well: take it out of the address",
                );
            }
            (DatabaseUrl::Postgres(_), None) if self.url.holds_password() => {
                cx.warn(
                    "storage.url",
                    "storage.url holds a password: better is [storage] password = { file = \"…\" }",
                );
            }
            _ => {}
        }
    }
}

/// The address of the database. Shown without a password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The database file.
    Sqlite(PathBuf),
    /// The whole address, as given.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `sqlite:///PATH` and `postgres://…`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            let file = path.starts_with('/') && path.len() > 1 && !path.ends_with('/');
            return file.then(|| DatabaseUrl::Sqlite(PathBuf::from(path)));
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        (!rest.is_empty() && !rest.contains(char::is_whitespace))
            .then(|| DatabaseUrl::Postgres(text.to_owned()))
    }

    /// The address as it was given, password and all: for the driver only.
    pub fn expose(&self) -> String {
        match self {
            DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => url.clone(),
        }
    }

    fn holds_password(&self) -> bool {
        self.to_string().contains("***")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Both places where libpq takes a password: `user:password@` and `?password=` (PostgreSQL manual, 32.1.1.2).
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The last @ ends the user part, as an unescaped one may stand in a password.
    let place = match place.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => place.to_owned(),
    };
    let parameter = |part: &str| match part.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}=***"),
        _ => part.to_owned(),
    };
    match query {
        "" => format!("{scheme}://{place}"),
        _ => format!("{scheme}://{place}?{}", query.split('&').map(parameter).collect::<Vec<_>>().join("&")),
    }
}

impl Setting for DatabaseUrl {
    fn expects() -> String {
        "\"sqlite:///PATH\" (absolute path) or \"postgres://USER@HOST/DATABASE\"".to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        let parsed = match &node.value {
            Value::Text(text) => DatabaseUrl::parse(text),
            _ => None,
        };
        if parsed.is_none() {
            // Not quoted: it may hold a password.
            cx.refuse(key, format!("{key} takes {}", Self::expects()));
        }
        parsed
    }

    fn literal(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shown(url: &str, expected: Option<&str>) {
        assert_eq!(DatabaseUrl::parse(url).map(|url| url.to_string()).as_deref(), expected);
    }

    #[test]
    fn addresses_are_shown_without_password() {
        shown("sqlite:///var/lib/postroom/postroom.db", Some("sqlite:///var/lib/postroom/postroom.db"));
        shown("postgres://u@h1,h2:5432/db", Some("postgres://u@h1,h2:5432/db"));
        shown("postgres://u:p@ss@h/db?sslmode=require", Some("postgres://u:***@h/db?sslmode=require"));
        shown("postgresql://h/db?user=u&password=canary", Some("postgresql://h/db?user=u&password=***"));
        for bad in
            ["sqlite://relative.db", "sqlite:///", "sqlite:///folder/", "mysql://h/db", "postgres://", ""]
        {
            shown(bad, None);
        }
    }
}
