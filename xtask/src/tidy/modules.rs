//! Every source is part of a crate: a file that no `mod` names is not compiled, and its tests never run.

use std::collections::HashSet;

use crate::rust::Code;
use crate::tidy::Finding;
use crate::tree::{File, Tree};

/// Files that cargo finds by itself.
const ROOTS: &[&str] = &["main.rs", "lib.rs", "build.rs"];

/// Folders whose files are crates of their own.
const CRATES: &[&str] = &["examples", "targets", "bin", "tests", "benches"];

/// Sources that nothing compiles.
pub fn modules(tree: &Tree) -> Vec<Finding> {
    let named: HashSet<String> = tree.rust().flat_map(named).collect();
    let lost = tree.rust().filter(|file| !is_root(&file.path) && !named.contains(&file.path));
    let text = "no `mod` names this file, so nothing compiles it: name it in its parent, or remove it";
    lost.map(|file| Finding::new(&file.path, 0, text)).collect()
}

fn is_root(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    ROOTS.contains(&name) || CRATES.iter().any(|crates| folder.rsplit('/').next() == Some(crates))
}

/// The paths that a file's `mod` declarations may mean, and those that it gives by `#[path]`.
fn named(file: &File) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let own = match ROOTS.contains(&name) || name == "mod.rs" {
        true => folder.to_owned(),
        false => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    let code = Code::of(&file.text);
    let modules = code.lines().filter_map(|(_, line)| declared(line));
    let mut paths: Vec<String> =
        modules.flat_map(|name| [format!("{own}/{name}.rs"), format!("{own}/{name}/mod.rs")]).collect();
    let given =
        file.text.lines().filter_map(|line| line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]"));
    paths.extend(given.map(|path| joined(folder, path)));
    paths
}

/// The name in `pub(crate) mod name;`.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim().strip_suffix(';')?;
    let (before, name) = line.rsplit_once(' ')?;
    (before == "mod" || before.ends_with(" mod")).then_some(name)
}

/// `path` from `folder`, without `..`.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], lost: &[&str]) {
        let files = files.iter().map(|(path, text)| File::new(*path, *text)).collect();
        let paths: Vec<String> = modules(&Tree { files }).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, lost);
    }

    #[test]
    fn a_file_that_no_module_names_is_found() {
        check(&[("a/src/lib.rs", "mod door;"), ("a/src/door.rs", "")], &[]);
        check(&[("a/src/lib.rs", "pub(crate) mod door;"), ("a/src/door/mod.rs", "")], &[]);
        check(&[("a/src/lib.rs", "// mod door;"), ("a/src/door.rs", "")], &["a/src/door.rs"]);
        check(&[("a/src/lib.rs", "mod door {}"), ("a/src/door.rs", "")], &["a/src/door.rs"]);
        check(&[("a/src/door.rs", "mod key;"), ("a/src/key.rs", "")], &["a/src/door.rs", "a/src/key.rs"]);
    }

    #[test]
    fn modules_lie_beside_their_parent_or_where_it_says() {
        check(
            &[("a/src/lib.rs", "mod door;"), ("a/src/door.rs", "mod key;"), ("a/src/door/key.rs", "")],
            &[],
        );
        check(
            &[("a/tests/it/main.rs", "#[path = \"../../src/key.rs\"]\nmod key;"), ("a/src/key.rs", "")],
            &[],
        );
    }

    #[test]
    fn crates_of_one_file_need_no_name() {
        check(&[("a/examples/door.rs", ""), ("a/src/bin/key.rs", ""), ("fuzz/targets/mime.rs", "")], &[]);
    }
}
