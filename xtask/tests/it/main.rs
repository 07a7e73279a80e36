//! The rules of the house, on this tree: one test for each, so that a failure says which.

use xtask::tidy::{Finding, codes, edges, modules, packages, policy, sources};
use xtask::tree::Tree;
use xtask::{cargo, steps};

#[track_caller]
fn check(findings: Vec<Finding>) {
    let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "{} findings:\n{}", texts.len(), texts.join("\n"));
}

#[test]
fn crates_use_only_what_the_table_allows() {
    check(edges::edges(&cargo::ours().unwrap()));
}

#[test]
fn heavy_crates_stay_where_they_belong() {
    check(edges::heavy(&cargo::ours().unwrap()));
}

#[test]
fn every_source_is_finished_and_of_a_readable_size() {
    check(sources::sources(&Tree::read().unwrap()));
}

#[test]
fn every_source_is_compiled() {
    check(modules::modules(&Tree::read().unwrap()));
}

#[test]
fn error_codes_are_made_once_and_in_one_place() {
    check(codes::codes(&Tree::read().unwrap()).unwrap());
}

#[test]
fn packages_from_outside_follow_the_policy() {
    check(policy(&Tree::read().unwrap()).unwrap());
}

#[test]
fn every_dependency_has_a_reason() {
    check(packages::reasons(&Tree::read().unwrap().file("Cargo.toml").unwrap().text));
}

#[test]
fn the_table_stands_in_the_architecture() {
    let tree = Tree::read().unwrap();
    let text = &tree.file("ARCHITECTURE.md").unwrap().text;
    for (name, allowed) in edges::table() {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{name}`")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {name}"));
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        let expected = if allowed.is_empty() { "–".to_owned() } else { allowed.join(", ") };
        assert_eq!(last, expected, "the row of {name} in ARCHITECTURE.md");
    }
}

/// A step that is committed in two places cannot be killed in one of them.
#[test]
fn every_durable_step_has_its_own_name() {
    let steps = steps::steps(&Tree::read().unwrap());
    let twice = steps.windows(2).filter(|pair| pair[0].name == pair[1].name);
    let twice: Vec<String> = twice.map(|pair| format!("{pair:?}")).collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}
