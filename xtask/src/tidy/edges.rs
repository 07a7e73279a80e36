//! Which crate may use which: the table of ARCHITECTURE.md, and the heavy crates each may bring in from outside.
//!
//! Change the table here and in ARCHITECTURE.md together, and say why in the commit.

use crate::cargo::{Metadata, Package};
use crate::tidy::Finding;

/// Crate, and what it may use.
const TABLE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("formats", &["core"]),
    ("store", &["core"]),
    ("jobs", &["core", "store"]),
    ("mail", &["core", "formats"]),
    ("crm", &["core", "formats"]),
    ("embedded", &["core", "formats", "store"]),
    ("dotdigital", &["core", "formats"]),
    ("tracking", &["core", "formats", "store", "jobs"]),
    ("marketing", &["core", "formats", "store", "jobs"]),
    ("operations", &["core", "store", "jobs", "tracking", "marketing"]),
    ("web", &["core", "operations"]),
    ("sandbox", &["core", "formats"]),
    ("testkit", &["core", "formats", "sandbox"]),
];

/// Crates whose tests do without the testkit, because the testkit is made of them.
const UNDER_TESTKIT: &[&str] = &["core", "formats", "sandbox", "testkit"];

/// What a crate's tests may use besides: the faces are tested on a real store and CRM, not on a mock of thirty methods.
/// The outside CRM's makes are tested against the embedded CRM's doors, the marketing client against its stand-in.
const IN_TESTS: &[(&str, &[&str])] = &[
    ("web", &["dotdigital", "embedded", "formats", "jobs", "marketing", "sandbox", "store", "tracking"]),
    ("mail", &["sandbox"]),
    ("crm", &["embedded", "store", "sandbox"]),
    ("dotdigital", &["sandbox"]),
    ("marketing", &["crm", "embedded", "sandbox", "dotdigital"]),
];

/// A crate from outside, and the crates that may use it outside their tests. What is not listed is free.
const HEAVY: &[(&str, &[&str])] = &[
    ("mail-parser", &["formats"]),
    ("mail-builder", &["formats"]),
    ("ammonia", &["formats"]),
    ("html2text", &["formats"]),
    ("quick-xml", &["formats"]),
    ("winnow", &["formats"]),
    ("encoding_rs", &["formats"]),
    ("zip", &["formats"]),
    ("csv", &["formats"]),
    ("sea-query", &["store"]),
    ("rusqlite", &["store"]),
    ("tokio-postgres", &["store"]),
    ("tokio-postgres-rustls", &["store"]),
    ("deadpool-postgres", &["store"]),
    ("zstd", &["store"]),
    ("croner", &["jobs"]),
    ("async-imap", &["mail"]),
    ("smtp-proto", &["mail"]),
    ("mail-auth", &["mail"]),
    ("hickory-resolver", &["mail"]),
    ("ldap3", &["mail"]),
    // The demo story sends real mail.
    ("mail-send", &["mail", "postroom"]),
    // crm: the connection that a Windows sign-in holds.
    ("tokio-rustls", &["crm", "mail", "web"]),
    ("reqwest", &["crm", "dotdigital"]),
    ("axum", &["embedded", "web", "sandbox"]),
    ("axum-extra", &["web"]),
    ("tower-http", &["web"]),
    ("hyper", &["crm", "sandbox"]),
    ("hyper-util", &["crm", "sandbox", "web"]),
    ("utoipa", &["web"]),
    ("utoipa-axum", &["web"]),
    ("rust-embed", &["web"]),
    ("argon2", &["web"]),
    ("minijinja", &["tracking", "marketing", "web"]),
    ("clap", &["postroom", "xtask"]),
    ("clap_complete", &["postroom"]),
    ("anyhow", &["postroom", "xtask"]),
    ("indicatif", &["postroom"]),
    ("toml", &["postroom", "xtask"]),
    ("tracing-subscriber", &["postroom"]),
    ("metrics-exporter-prometheus", &["postroom"]),
];

/// The table: each crate with what it may use.
pub fn table() -> &'static [(&'static str, &'static [&'static str])] {
    TABLE
}

/// Edges between our crates that the table does not have.
pub fn edges(ours: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &ours.packages {
        let user = short(&package.name);
        if user != "postroom" && user != "xtask" && allowed(user).is_none() {
            findings.push(finding(
                package,
                format!("the crate {user} is not in the table of xtask/src/tidy/edges.rs"),
            ));
        }
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let used = short(&dependency.name);
            if !may_use(user, used, dependency.kind.as_deref() == Some("dev")) {
                findings.push(finding(
                    package,
                    format!("{user} may not use {used} (ARCHITECTURE.md, the table)"),
                ));
            }
        }
    }
    findings
}

fn may_use(user: &str, used: &str, in_tests: bool) -> bool {
    if used == "testkit" {
        return in_tests && !UNDER_TESTKIT.contains(&user);
    }
    let wired = IN_TESTS.iter().any(|(name, more)| in_tests && *name == user && more.contains(&used));
    user == "postroom" || wired || allowed(user).is_some_and(|allowed| allowed.contains(&used))
}

fn allowed(user: &str) -> Option<&'static [&'static str]> {
    TABLE.iter().find(|(name, _)| *name == user).map(|(_, allowed)| *allowed)
}

/// Heavy crates in crates that should do without them.
pub fn heavy(ours: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &ours.packages {
        let user = short(&package.name);
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind.is_none()) {
            let Some((name, users)) = HEAVY.iter().find(|(name, _)| *name == dependency.name) else {
                continue;
            };
            if !users.contains(&user) {
                let users = users.join(" and ");
                findings.push(finding(package, format!("{name} stays in {users}; {user} does without it")));
            }
        }
    }
    findings
}

/// `postroom-mail` is `mail`; the binary is `postroom`.
fn short(name: &str) -> &str {
    name.strip_prefix("postroom-").unwrap_or(name)
}

fn finding(package: &Package, text: String) -> Finding {
    let name = short(&package.name);
    let folder = if name == "xtask" { "xtask".to_owned() } else { format!("crates/{name}") };
    Finding::new(format!("{folder}/Cargo.toml"), 0, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::Dependency;

    fn package(name: &str, used: &str, kind: Option<&str>, ours: bool) -> Metadata {
        let path = ours.then(|| "somewhere".to_owned());
        let dependencies = vec![Dependency { name: used.to_owned(), kind: kind.map(str::to_owned), path }];
        let (version, name) = ("0.1.0".to_owned(), name.to_owned());
        Metadata { packages: vec![Package { name, version, source: None, license: None, dependencies }] }
    }

    #[track_caller]
    fn edge(user: &str, used: &str, kind: Option<&str>, findings: usize) {
        assert_eq!(edges(&package(user, used, kind, true)).len(), findings, "{user} -> {used} {kind:?}");
    }

    #[test]
    fn edges_outside_the_table_are_found() {
        edge("postroom-mail", "postroom-formats", None, 0);
        edge("postroom-mail", "postroom-store", None, 1);
        edge("postroom-mail", "postroom-store", Some("dev"), 1);
        edge("postroom-tracking", "postroom-embedded", None, 1);
        edge("postroom-web", "postroom-store", None, 1);
        edge("postroom-core", "postroom-formats", None, 1);
        edge("postroom", "postroom-store", None, 0);
        edge("xtask", "postroom-core", None, 1);
    }

    #[test]
    fn the_testkit_is_for_tests() {
        edge("postroom-store", "postroom-testkit", Some("dev"), 0);
        edge("postroom-store", "postroom-testkit", None, 1);
        edge("postroom", "postroom-testkit", None, 1);
        edge("postroom-formats", "postroom-testkit", Some("dev"), 1);
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_found() {
        edge("postroom-extras", "postroom-core", None, 2);
    }

    #[test]
    fn heavy_crates_stay_where_they_belong() {
        let check = |user, used, kind| heavy(&package(user, used, kind, false)).len();
        assert_eq!(check("postroom-formats", "mail-parser", None), 0);
        assert_eq!(check("postroom-tracking", "mail-parser", None), 1);
        assert_eq!(check("postroom-tracking", "axum", Some("dev")), 0);
        assert_eq!(check("postroom-tracking", "serde", None), 0);
    }
}
