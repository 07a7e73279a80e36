//! Error codes are made in one file, each number once, so that `postroom explain` knows all of them.

use anyhow::Result;

use crate::rust::Code;
use crate::tidy::Finding;
use crate::tree::{File, Tree};

/// Where the codes stand.
const HOME: &str = "crates/core/src/code.rs";

/// Numbers given twice in the table, and codes made elsewhere.
pub fn codes(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = repeated(tree.file(HOME)?);
    for file in tree.rust().filter(|file| file.path != HOME && !file.is_test()) {
        findings.extend(made_elsewhere(file));
    }
    Ok(findings)
}

fn repeated(home: &File) -> Vec<Finding> {
    let mut seen: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    for (line, text) in home.text.lines().enumerate() {
        let Some(number) = number(text) else { continue };
        if seen.contains(&number) {
            findings.push(Finding::new(HOME, line + 1, format!("the number {number} is given twice")));
        }
        seen.push(number);
    }
    if seen.is_empty() {
        findings.push(Finding::new(HOME, 0, "no code is recognised here: has the table's form changed?"));
    }
    findings
}

/// The number in a line such as `CRM_AWAY = 2001, CrmAdmin, …`.
fn number(line: &str) -> Option<&str> {
    let (name, rest) = line.trim().split_once(" = ")?;
    let upper = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let (number, _) = rest.split_once(',')?;
    (upper && number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

fn made_elsewhere(file: &File) -> Vec<Finding> {
    let code = Code::of(&file.text);
    let makes = |text: &str| {
        text.match_indices("Code(").any(|(at, call)| {
            let alone = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            alone && text[at + call.len()..].starts_with(|c: char| c.is_ascii_digit())
        })
    };
    let found = code.lines().filter(|(line, text)| makes(text) && !code.in_tests(*line));
    found
        .map(|(line, _)| Finding::new(&file.path, line, format!("add the code to {HOME} and use its name")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(home: &str, other: &str) -> Tree {
        Tree { files: vec![File::new(HOME, home), File::new("crates/mail/src/lib.rs", other)] }
    }

    #[track_caller]
    fn check(home: &str, other: &str, findings: usize) {
        assert_eq!(codes(&tree(home, other)).unwrap().len(), findings);
    }

    const GOOD: &str = "    A_B = 1001, Operator, false, \"…\",\n    C = 1002, Operator, true, \"…\",\n";

    #[test]
    fn codes_are_made_once_and_in_one_place() {
        check(GOOD, "let code = Code::A_B; StatusCode(200);", 0);
        check(&GOOD.replace("1002", "1001"), "", 1);
        check(GOOD, "fault(Code(1001))", 1);
        check(GOOD, "#[cfg(test)]\nmod tests { const X: Code = Code(1); }", 0);
        check("nothing", "", 1);
    }
}
