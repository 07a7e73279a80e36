//! Rules for each file: sizes, words that have no place in finished work, paths and hosts of one machine.

use crate::rust::Code;
use crate::tidy::Finding;
use crate::tree::{File, Tree};

/// The longest file, in lines, tests included.
const LONGEST_FILE: usize = 600;

/// The longest function, in lines from its signature to its closing brace.
const LONGEST_FUNCTION: usize = 80;

/// A word that has no place in our code, and what to do instead. The first is looked for outside comments and texts.
const WORDS: &[(&str, &str)] = &[
    ("todo!", "finish it, or leave it out"),
    ("unimplemented!", "finish it, or leave it out"),
    ("dbg!", "remove it"),
    ("#[ignore", "mend the test, or remove it"),
    ("#[allow(", "use #[expect(…, reason = \"…\")]"),
    ("#![allow(", "use #![expect(…, reason = \"…\")]"),
    ("#[should_panic", "check the error instead"),
];

/// Folders of one machine, and hosts of registries. Split, or this file would break its own rule.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("crates", ".io"),
    concat!("py", "pi.org"),
    concat!("registry.", "npmjs.org"),
    concat!("deb.", "debian.org"),
    concat!("proxy.", "golang.org"),
];

/// Files that tools write, with the registry's name in every entry.
const MADE: &[&str] = &["Cargo.lock", "package-lock.json"];

/// Every rule on every file.
pub fn sources(tree: &Tree) -> Vec<Finding> {
    let checked = |file: &&File| !file.is_fixture() && !MADE.iter().any(|name| file.path.ends_with(name));
    let mut findings: Vec<Finding> = tree.files.iter().filter(checked).flat_map(places).collect();
    findings.extend(tree.rust().flat_map(rust));
    findings
}

/// The rules on one Rust source.
pub fn rust(file: &File) -> Vec<Finding> {
    let code = Code::of(&file.text);
    [sizes(file, &code), words(file, &code), unwraps(file, &code), temp_folders(file, &code), head(file)]
        .concat()
}

fn sizes(file: &File, code: &Code) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = file.text.lines().count();
    if lines > LONGEST_FILE {
        let text = format!("{lines} lines; {LONGEST_FILE} are the most: split it by subject");
        findings.push(Finding::new(&file.path, 0, text));
    }
    for function in code.functions().into_iter().filter(|function| function.lines > LONGEST_FUNCTION) {
        let text =
            format!("fn {} has {} lines; {LONGEST_FUNCTION} are the most", function.name, function.lines);
        findings.push(Finding::new(&file.path, function.line, text));
    }
    findings
}

fn words(file: &File, code: &Code) -> Vec<Finding> {
    let found = |(line, text): (usize, &str)| {
        let word = WORDS.iter().find(|(word, _)| text.contains(word))?;
        Some(Finding::new(&file.path, line, format!("{}: {}", word.0, word.1)))
    };
    code.lines().filter_map(found).collect()
}

fn unwraps(file: &File, code: &Code) -> Vec<Finding> {
    if file.is_test() {
        return Vec::new();
    }
    let text = ".unwrap(): return the error, or say in expect() why it cannot fail";
    let found = code.lines().filter(|(line, text)| text.contains(".unwrap()") && !code.in_tests(*line));
    found.map(|(line, _)| Finding::new(&file.path, line, text)).collect()
}

/// Fixed paths for temporary files; tests may quote them as data.
fn temp_folders(file: &File, code: &Code) -> Vec<Finding> {
    let fixed =
        |(line, text): &&(usize, String)| text.contains(concat!("/t", "mp/")) && !code.in_tests(*line);
    let found = code.texts.iter().filter(|_| !file.is_test()).filter(fixed);
    found.map(|(line, _)| Finding::new(&file.path, *line, "a fixed temporary path: use tempfile")).collect()
}

fn head(file: &File) -> Vec<Finding> {
    match file.text.starts_with("//!") {
        true => Vec::new(),
        false => vec![Finding::new(
            &file.path,
            1,
            "begin with //! and what this is, what it is not, and its source",
        )],
    }
}

fn places(file: &File) -> Vec<Finding> {
    let found = |(index, line): (usize, &str)| {
        let place = PLACES.iter().find(|place| line.contains(*place))?;
        Some(Finding::new(&file.path, index + 1, format!("{place}: names one machine or a registry's host")))
    };
    file.text.lines().enumerate().filter_map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        check_at("crates/mail/src/door.rs", &format!("//! A door.\n{source}"), expected);
    }

    #[track_caller]
    fn check_at(path: &str, source: &str, expected: &str) {
        let findings = sources(&Tree { files: vec![File::new(path, source)] });
        let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
        match expected.is_empty() {
            true => assert!(texts.is_empty(), "{texts:?}"),
            false => assert!(texts.len() == 1 && texts[0].contains(expected), "{texts:?}"),
        }
    }

    #[test]
    fn long_files_and_functions() {
        check(&"\n".repeat(599), "");
        check(&"\n".repeat(600), "601 lines");
        check(&format!("fn f() {{\n{}}}", "a();\n".repeat(78)), "");
        check(&format!("fn f() {{\n{}}}", "a();\n".repeat(79)), ":2: fn f has 81 lines");
    }

    #[test]
    fn words_of_unfinished_work() {
        check("fn f() { todo!() }", "todo!");
        check("fn f() { unimplemented!() }", "unimplemented!");
        check("fn f() { dbg!(1); }", "dbg!");
        check("#[ignore = \"slow\"]\nfn f() {}", ":2: #[ignore");
        check("#[allow(dead_code)]\nfn f() {}", "#[allow(");
        check("// todo! in a comment, \nconst A: &str = \"todo!\";", "");
    }

    #[test]
    fn unwrap_is_for_tests() {
        check("fn f() { g().unwrap(); }", ".unwrap()");
        check("#[cfg(test)]\nmod tests { fn f() { g().unwrap(); } }", "");
        check_at("crates/mail/tests/it/main.rs", "//! Tests.\nfn f() { g().unwrap(); }", "");
        check_at("crates/mail/src/tests.rs", "//! Tests.\nfn f() { g().unwrap(); }", "");
    }

    #[test]
    fn paths_and_hosts_of_one_machine() {
        check(concat!("const A: &str = \"/t", "mp/x\";"), "temporary path");
        check(concat!("// /t", "mp/x"), "");
        check(concat!("// see /wo", "rk/x"), "names one machine");
        check_at("README.md", concat!("cd /ho", "me/me"), "names one machine");
        check_at("notes.md", concat!("from crates", ".io"), "registry");
        check_at("Cargo.lock", concat!("crates", ".io"), "");
        check_at("crates/mail/tests/data/a.eml", concat!("/ro", "ot/"), "");
    }

    #[test]
    fn a_module_says_what_it_is() {
        check_at("crates/mail/src/door.rs", "use std::fs;\n", "begin with //!");
    }
}
