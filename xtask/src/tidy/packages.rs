//! What comes in from outside: licences, origins, bans, and a reason for each.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::cargo::{Metadata, Package};
use crate::tidy::{Finding, licences};

/// The part of deny.toml that is checked here.
#[derive(Debug, Deserialize)]
pub struct Policy {
    licenses: Licences,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// Packages of which the build may hold one version only.
const SINGLE: &[&str] = &["rustls", "ring", "libsqlite3-sys"];

impl Policy {
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("deny.toml is not as expected")
    }

    fn allows(&self, package: &str, licence: &str) -> bool {
        let excepted = self.licenses.exceptions.iter().filter(|exception| exception.name == package);
        self.licenses
            .allow
            .iter()
            .chain(excepted.flat_map(|exception| &exception.allow))
            .any(|name| name == licence)
    }
}

/// Packages whose licence is not allowed, and exceptions that no package needs.
pub fn licences(policy: &Policy, all: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &all.packages {
        let expression = package.license.as_deref().unwrap_or_default();
        if licences::satisfied(expression, &|name| policy.allows(&package.name, name)) != Some(true) {
            findings.push(about(package, format!("the licence {expression:?} is not allowed by deny.toml")));
        }
    }
    for exception in &policy.licenses.exceptions {
        if !all.packages.iter().any(|package| package.name == exception.name) {
            let text = format!("no package is called {}: remove its exception", exception.name);
            findings.push(Finding::new("deny.toml", 0, text));
        }
    }
    findings
}

/// Packages that come neither from the registry nor from this tree.
pub fn origins(all: &Metadata) -> Vec<Finding> {
    let foreign = all
        .packages
        .iter()
        .filter(|package| package.source.as_deref().is_some_and(|source| !source.starts_with("registry+")));
    foreign.map(|package| about(package, "comes from elsewhere than the registry".to_owned())).collect()
}

/// Banned packages in the build, and packages that it holds twice but should not.
pub fn bans(policy: &Policy, built: &[String]) -> Vec<Finding> {
    let versions = |name: &str| {
        let of_name = |package: &&String| package.split_once(' ').is_some_and(|(found, _)| found == name);
        built.iter().filter(of_name).count()
    };
    let mut findings = Vec::new();
    for ban in policy.bans.deny.iter().filter(|ban| versions(&ban.name) > 0) {
        let text = format!("{} is in the build: {} (cargo tree -i {0})", ban.name, ban.reason);
        findings.push(Finding::new("Cargo.lock", 0, text));
    }
    for name in SINGLE.iter().filter(|name| versions(name) != 1) {
        let text = format!("{} versions of {name} are in the build; it must be one", versions(name));
        findings.push(Finding::new("Cargo.lock", 0, text));
    }
    findings
}

/// Lines of `[workspace.dependencies]` that do not say why the crate is there.
pub fn reasons(manifest: &str) -> Vec<Finding> {
    let mut inside = false;
    let mut findings = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
        }
        let Some((name, value)) = line.split_once(" = ").filter(|_| inside && !line.starts_with('#')) else {
            continue;
        };
        let reason = value.rsplit_once('#').map(|(_, reason)| reason.trim()).unwrap_or_default();
        if !value.contains("path = ") && (reason.is_empty() || reason.ends_with(['"', '}'])) {
            let text = format!("say in a comment on its line why {name} is needed");
            findings.push(Finding::new("Cargo.toml", index + 1, text));
        }
    }
    findings
}

fn about(package: &Package, text: String) -> Finding {
    Finding::new("Cargo.lock", 0, format!("{} {}: {text}", package.name, package.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT"]
        exceptions = [{ crate = "odd", allow = ["MPL-2.0"] }]
        [bans]
        deny = [{ crate = "openssl-sys", reason = "a second TLS stack" }]
    "#;

    fn package(name: &str, license: Option<&str>, source: Option<&str>) -> Package {
        let (name, version) = (name.to_owned(), "1.0.0".to_owned());
        let (license, source) = (license.map(str::to_owned), source.map(str::to_owned));
        Package { name, version, source, license, dependencies: Vec::new() }
    }

    #[test]
    fn licences_are_checked() {
        let policy = Policy::parse(POLICY).unwrap();
        let check = |packages| licences(&policy, &Metadata { packages }).len();
        let odd = || package("odd", Some("MPL-2.0"), None);
        assert_eq!(check(vec![odd(), package("fine", Some("MIT OR GPL-3.0-only"), None)]), 0);
        assert_eq!(check(vec![odd(), package("other", Some("MPL-2.0"), None)]), 1);
        assert_eq!(check(vec![odd(), package("silent", None, None)]), 1);
        assert_eq!(check(vec![package("fine", Some("MIT"), None)]), 1, "the exception is not needed");
    }

    #[test]
    fn origins_are_checked() {
        let check = |source| origins(&Metadata { packages: vec![package("p", None, source)] }).len();
        assert_eq!(check(None), 0);
        assert_eq!(check(Some("registry+index")), 0);
        assert_eq!(check(Some("git+https://example.org/p")), 1);
    }

    #[test]
    fn bans_are_checked() {
        let policy = Policy::parse(POLICY).unwrap();
        let check = |built: &[&str]| {
            let single = SINGLE.iter().map(|name| format!("{name} 1.0.0"));
            let built: Vec<String> = built.iter().map(|name| (*name).to_owned()).chain(single).collect();
            bans(&policy, &built).len()
        };
        assert_eq!(check(&["openssl-probe 0.2.0"]), 0);
        assert_eq!(check(&["openssl-sys 0.9.0"]), 1);
        assert_eq!(check(&["rustls 0.21.0"]), 1);
    }

    #[test]
    fn reasons_are_asked_for() {
        let check =
            |line: &str| reasons(&format!("[workspace.dependencies]\n{line}\n[profile.dev]\na = 1\n")).len();
        assert_eq!(check("tempfile = \"3\" # temp folders of tests"), 0);
        assert_eq!(check("tempfile = \"3\""), 1);
        assert_eq!(check("tempfile = \"3\" #"), 1);
        assert_eq!(check("a = { version = \"1\", features = [\"x\"] }"), 1);
        assert_eq!(check("postroom-core = { path = \"crates/core\" }"), 0);
        assert_eq!(check("# a heading = nothing"), 0);
    }
}
