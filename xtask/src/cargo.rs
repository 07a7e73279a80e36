//! What cargo says of the workspace, asked without a network.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::tree::root;

/// The part of `cargo metadata` that the checks read.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// `None` for our own.
    pub source: Option<String>,
    /// SPDX, or the old form with `/` for "or".
    pub license: Option<String>,
    pub dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` for ordinary ones, else `dev` or `build`.
    pub kind: Option<String>,
    /// Given for our own.
    pub path: Option<String>,
}

/// Our packages, as their manifests say.
pub fn ours() -> Result<Metadata> {
    metadata(&["--no-deps"])
}

/// Every package of the lock file, ours included.
pub fn all() -> Result<Metadata> {
    metadata(&[])
}

fn metadata(arguments: &[&str]) -> Result<Metadata> {
    let text = cargo(&[&["metadata", "--offline", "--format-version", "1"], arguments].concat())?;
    serde_json::from_str(&text).context("cargo metadata gave something else than expected")
}

/// `NAME VERSION` of every package in the build of the product, in no order.
pub fn built() -> Result<Vec<String>> {
    let arguments =
        ["tree", "--offline", "--workspace", "-e", "normal,build", "--prefix", "none", "--format", "{p}"];
    let text = cargo(&arguments)?;
    let mut packages: Vec<String> = text.lines().filter_map(name_and_version).collect();
    packages.sort();
    packages.dedup();
    Ok(packages)
}

fn name_and_version(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (name, version) = (words.next()?, words.next()?);
    Some(format!("{name} {}", version.strip_prefix('v').unwrap_or(version)))
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(program).args(arguments).current_dir(root()).output().context("cargo does not start")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {} failed (run `cargo fetch` once): {errors}", arguments[0]);
    String::from_utf8(output.stdout).context("cargo answered in no UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_lines_are_read() {
        assert_eq!(name_and_version("serde v1.0.0 (proc-macro) (*)").as_deref(), Some("serde 1.0.0"));
        assert_eq!(name_and_version(""), None);
    }
}
