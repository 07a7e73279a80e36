//! The rules of the house that no compiler knows, each a function from sources to findings.
//!
//! The rules themselves stand in ARCHITECTURE.md and CONTRIBUTING.md. A rule without a check is a wish.

pub mod codes;
pub mod edges;
pub mod licences;
pub mod modules;
pub mod packages;
pub mod sources;

use std::fmt;

use anyhow::Result;

use crate::cargo;
use crate::tree::Tree;

/// One thing that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    /// From 1; 0 for the whole file.
    pub line: usize,
    /// What is wrong and what to do.
    pub text: String,
}

impl Finding {
    pub fn new(path: impl Into<String>, line: usize, text: impl Into<String>) -> Self {
        Finding { path: path.into(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Every rule on this tree.
pub fn all(tree: &Tree) -> Result<Vec<Finding>> {
    let ours = cargo::ours()?;
    let mut findings = [
        edges::edges(&ours),
        edges::heavy(&ours),
        sources::sources(tree),
        modules::modules(tree),
        codes::codes(tree)?,
        packages::reasons(&tree.file("Cargo.toml")?.text),
        policy(tree)?,
    ]
    .concat();
    findings.sort();
    Ok(findings)
}

/// The rules about packages from outside.
pub fn policy(tree: &Tree) -> Result<Vec<Finding>> {
    let policy = packages::Policy::parse(&tree.file("deny.toml")?.text)?;
    let (all, built) = (cargo::all()?, cargo::built()?);
    Ok([packages::licences(&policy, &all), packages::origins(&all), packages::bans(&policy, &built)].concat())
}
