//! `record import`: what lines become, and a dry run that leaves nothing behind.

use postroom_core::{Crm, Filter, Outcome};
use serde_json::json;

use crate::bench::{Bench, On, on_both};

on_both!(lines_become_rows_and_a_repeat_changes_nothing, a_dry_run_answers_the_same_and_leaves_nothing);

/// An account, a contact of it, a line of a table that there is not, and a contact of an account that there is not.
fn lines() -> Vec<String> {
    let id = |number: u8| format!("6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b{number:02x}");
    let contact = |number, account| {
        let columns = json!({"lastname": "Adler", "parentcustomerid": format!("account/{}", id(account))});
        json!({"table": "contact", "id": id(number), "columns": columns}).to_string()
    };
    vec![
        json!({"table": "account", "id": id(1), "columns": {"name": "Adler Brauerei"}}).to_string(),
        contact(2, 1),
        json!({"table": "contcat", "id": id(3)}).to_string(),
        contact(4, 9),
        "{".to_owned(),
    ]
}

/// What became of each line: the outcome, or the code of its refusal and whether a row was named.
async fn import(bench: &Bench, dry_run: bool) -> Vec<String> {
    let imported = bench.crm.import(lines(), dry_run).await.unwrap();
    let told = |line: postroom_core::Imported| match line.outcome {
        Ok(outcome) => format!("{outcome:?}"),
        Err(fault) => format!("{} {}", fault.code, line.record.is_some()),
    };
    imported.into_iter().map(told).collect()
}

fn expected(outcome: Outcome) -> [String; 5] {
    let outcome = format!("{outcome:?}");
    [&outcome, &outcome, "PR-2003 false", "PR-2004 true", "PR-8001 false"].map(str::to_owned)
}

async fn lines_become_rows_and_a_repeat_changes_nothing(on: On) {
    let bench = Bench::new(on).await;
    assert_eq!(import(&bench, false).await, expected(Outcome::Created));
    assert_eq!(import(&bench, false).await, expected(Outcome::Unchanged));
    assert_eq!(bench.all("contact", Filter::All(vec![])).await.len(), 1);
}

async fn a_dry_run_answers_the_same_and_leaves_nothing(on: On) {
    let bench = Bench::new(on).await;
    assert_eq!(
        import(&bench, true).await,
        expected(Outcome::Created),
        "the contact sees the account before it"
    );
    assert_eq!(bench.all("account", Filter::All(vec![])).await.len(), 0);
    assert_eq!(bench.all("contact", Filter::All(vec![])).await.len(), 0);
    assert_eq!(import(&bench, false).await, expected(Outcome::Created));
    assert_eq!(import(&bench, true).await, expected(Outcome::Unchanged));
}
