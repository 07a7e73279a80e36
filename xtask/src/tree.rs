//! The files of the project, as text. Binary files and everything that is made (target, node_modules) are left out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One text file.
#[derive(Debug, Clone)]
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    pub text: String,
}

impl File {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        File { path: path.into(), text: text.into() }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Data that tests read is kept as it was found.
    pub fn is_fixture(&self) -> bool {
        ["/tests/data/", "/testdata/", "fuzz/corpus/", "/snapshots/"]
            .iter()
            .any(|part| self.path.contains(part))
    }

    /// Files that hold tests and nothing else.
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("tests.rs") || self.path.starts_with("tests/")
    }
}

/// The project.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub files: Vec<File>,
}

/// What holds nothing of ours: folders, and the file that stands for `.git` in a second working tree.
const SKIPPED: &[&str] = &["target", "node_modules", ".git"];

/// Larger files are data.
const LARGEST: u64 = 2 << 20;

/// The folder with the workspace's Cargo.toml.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the root of the workspace").to_owned()
}

impl Tree {
    /// Reads this workspace.
    pub fn read() -> Result<Self> {
        let root = root();
        let mut files = Vec::new();
        walk(&root, &root, &mut files)?;
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(Tree { files })
    }

    /// Our Rust sources, tests included, fixtures not.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust() && !file.is_fixture())
    }

    pub fn file(&self, path: &str) -> Result<&File> {
        self.files.iter().find(|file| file.path == path).with_context(|| format!("{path} is missing"))
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &entry.path(), files)?;
        } else if kind.is_file() && entry.metadata()?.len() <= LARGEST {
            let Ok(text) = fs::read_to_string(entry.path()) else { continue };
            let path = entry.path();
            let path = path.strip_prefix(root).expect("the walk began at the root");
            files.push(File::new(path.to_string_lossy(), text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_file_is_in_the_tree() {
        let tree = Tree::read().unwrap();
        assert!(tree.file("xtask/src/tree.rs").unwrap().text.contains("this_file_is_in_the_tree"));
        assert!(tree.file("Cargo.toml").unwrap().text.contains("[workspace]"));
        assert!(tree.files.iter().all(|file| !file.path.starts_with("target/")));
    }
}
