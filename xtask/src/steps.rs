//! The durable steps: every name under which the store is asked to commit. A crash test kills the product before and
//! after each of them (`postroom_core::kill`), so the list is read from the code and cannot be forgotten.
//!
//! A function that takes a step's name has a parameter `step: &'static str`, as the store's `write` has; the names are
//! the text literals that stand in that place of its calls.

use std::collections::BTreeSet;

use crate::rust::{Code, line_of};
use crate::tree::{File, Tree};

/// One durable step and the place that names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// For instance `mail.accept`; its kill points are `mail.accept.before_commit` and `mail.accept.after_commit`.
    pub name: String,
    pub path: String,
    pub line: usize,
}

/// How a parameter for a step's name is declared.
const PARAMETER: &str = "step: &'static str";

/// A function that takes a step's name, and which of its arguments that is, `self` not counted.
type Taker = (String, usize);

/// Every step that the crates' code names, by name. A name used in several places comes several times.
pub fn steps(tree: &Tree) -> Vec<Step> {
    // The testkit writes files of that name, and no units.
    let product = |file: &&File| {
        let ours = file.path.starts_with("crates/") && !file.path.starts_with("crates/testkit/");
        ours && file.path.contains("/src/") && !file.is_test()
    };
    let files: Vec<(&File, Code)> =
        tree.rust().filter(product).map(|file| (file, Code::of(&file.text))).collect();
    let takers: BTreeSet<Taker> = files.iter().flat_map(|(_, code)| takers(&code.bare)).collect();
    let mut steps: Vec<Step> = files.iter().flat_map(|(file, code)| in_file(file, code, &takers)).collect();
    steps.sort();
    steps.dedup();
    steps
}

fn takers(bare: &str) -> Vec<Taker> {
    let places = bare.match_indices(PARAMETER).map(|(at, _)| at);
    places.filter_map(|at| taker(&bare[..at])).collect()
}

/// Reads back from the parameter to the function's name.
fn taker(before: &str) -> Option<Taker> {
    let start = before.rfind("fn ")? + "fn ".len();
    let declaration = &before[start..];
    // A field of a struct behind some function is no parameter of it.
    if declaration.contains(['{', '}', ';']) {
        return None;
    }
    let name: String = declaration.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let parameters = &declaration[declaration.find('(')? + 1..];
    let of_self = parameters.split(',').next().is_some_and(|first| first.trim_end().ends_with("self"));
    Some((name, commas(parameters) - usize::from(of_self)))
}

/// The commas that part parameters, not those inside their types.
fn commas(parameters: &str) -> usize {
    let (mut depth, mut commas) = (0, 0);
    for (at, byte) in parameters.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'<' => depth += 1,
            b'>' if parameters[..at].ends_with('-') => {}
            b')' | b']' | b'>' => depth -= 1,
            b',' if depth == 0 => commas += 1,
            _ => {}
        }
    }
    commas
}

fn in_file(file: &File, code: &Code, takers: &BTreeSet<Taker>) -> Vec<Step> {
    let mut steps = Vec::new();
    for (function, place) in takers {
        let call = format!("{function}(");
        for (at, _) in code.bare.match_indices(&call) {
            let alone = !code.bare[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let line = line_of(&code.bare, at);
            let inside = at + call.len();
            let name = argument(&code.bare[inside..], *place)
                .and_then(|from| first_text(&file.text[inside + from..]));
            if let Some(name) = name.filter(|name| alone && is_name(name) && !code.in_tests(line)) {
                steps.push(Step { name, path: file.path.clone(), line });
            }
        }
    }
    steps
}

/// Where the `place`th argument begins in the text behind a call's bracket.
fn argument(arguments: &str, place: usize) -> Option<usize> {
    let (mut depth, mut commas) = (0, 0);
    for (at, byte) in arguments.bytes().enumerate() {
        if commas == place {
            return Some(at);
        }
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return None,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => commas += 1,
            _ => {}
        }
    }
    None
}

/// The text literal that an argument list begins with.
fn first_text(arguments: &str) -> Option<String> {
    let (name, _) = arguments.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(name.to_owned())
}

/// Whether a text is a step's name: lower-case words joined by dots, two at least.
pub fn is_name(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.contains('.') && text.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = "impl Store { pub async fn write<T>(&self, step: &'static str, work: F) {} }
        struct Unit { step: &'static str }
        fn enqueue(&self, jobs: Vec<(Job, u8)>, step: &'static str) { self.write(step, x) }";

    #[track_caller]
    fn check(path: &str, source: &str, expected: &[&str]) {
        let files = vec![File::new("crates/store/src/lib.rs", STORE), File::new(path, source)];
        let found = steps(&Tree { files });
        assert_eq!(found.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), expected, "{source}");
    }

    #[test]
    fn names_are_found_where_the_store_is_called() {
        let path = "crates/jobs/src/queue.rs";
        check(path, r#"store.write("jobs.claim", |tx| {})"#, &["jobs.claim"]);
        check(path, "self.store\n.write(\n    \"jobs.finish\", |tx| {})", &["jobs.finish"]);
        check(path, r#"enqueue(jobs(1, "a.b"), "jobs.add")"#, &["jobs.add"]);
        check(path, r#"file.write("hello"); file.write(b"a.b"); lock.write(); overwrite("a.b")"#, &[]);
        check(path, r#"// store.write("jobs.old", …)"#, &[]);
        check(path, "#[cfg(test)]\nmod tests { fn f() { store.write(\"jobs.test\", x) } }", &[]);
        check("crates/jobs/tests/it/main.rs", r#"store.write("jobs.test", x)"#, &[]);
    }
}
