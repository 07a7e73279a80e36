//! Any story of changes, told to the CRM in lots and to a plain map, ends the same.

use std::collections::BTreeMap;

use postroom_core::{Change, ChangeSet, Crm, Filter, Outcome, Record, RecordRef};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use crate::bench::{Bench, On};

/// A change to one of four contacts; `Bad` is refused wherever it stands.
#[derive(Debug, Clone)]
enum Step {
    Create(usize, u8),
    Update(usize, u8),
    Upsert(usize, u8),
    Delete(usize),
    Bad(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..4usize;
    prop_oneof![
        4 => (who.clone(), 0..3u8).prop_map(|(who, title)| Step::Create(who, title)),
        3 => (who.clone(), 0..3u8).prop_map(|(who, title)| Step::Update(who, title)),
        3 => (who.clone(), 0..3u8).prop_map(|(who, title)| Step::Upsert(who, title)),
        2 => who.clone().prop_map(Step::Delete),
        1 => who.prop_map(Step::Bad),
    ]
}

/// Lots of sets of steps.
fn story() -> impl Strategy<Value = Vec<Vec<Vec<Step>>>> {
    let set = prop::collection::vec(step(), 1..4);
    prop::collection::vec(prop::collection::vec(set, 1..5), 1..4)
}

type Titles = BTreeMap<usize, u8>;

/// The plain meaning of a set: `None` when it is refused.
fn tell(titles: &mut Titles, set: &[Step]) -> Option<Vec<Outcome>> {
    let mut after = titles.clone();
    let mut outcomes = Vec::new();
    for step in set {
        let outcome = match *step {
            Step::Bad(_) => return None,
            Step::Delete(who) => match after.remove(&who) {
                Some(_) => Outcome::Deleted,
                None => Outcome::Unchanged,
            },
            Step::Create(who, _) if after.contains_key(&who) => Outcome::Unchanged,
            Step::Update(who, _) if !after.contains_key(&who) => return None,
            Step::Create(who, title) | Step::Update(who, title) | Step::Upsert(who, title) => {
                match after.insert(who, title) {
                    None => Outcome::Created,
                    Some(old) if old == title => Outcome::Unchanged,
                    Some(_) => Outcome::Updated,
                }
            }
        };
        outcomes.push(outcome);
    }
    *titles = after;
    Some(outcomes)
}

fn change(ids: &[Uuid; 4], step: &Step) -> Change {
    let at = |who: usize| RecordRef::new("contact", ids[who]);
    let row = |who: usize, title: u8| Record::new(at(who)).with("jobtitle", format!("Title {title}"));
    match *step {
        Step::Create(who, title) => Change::Create(row(who, title)),
        Step::Update(who, title) => Change::Update(row(who, title)),
        Step::Upsert(who, title) => Change::Upsert(row(who, title)),
        Step::Delete(who) => Change::Delete(at(who)),
        Step::Bad(who) => Change::Upsert(row(who, 0).with("gendercode", 99)),
    }
}

async fn check(bench: &Bench, story: Vec<Vec<Vec<Step>>>) {
    let ids: [Uuid; 4] = std::array::from_fn(|_| bench.ids.next());
    let mut titles = Titles::new();
    for lot in story {
        let set =
            |steps: &Vec<Step>| ChangeSet { changes: steps.iter().map(|step| change(&ids, step)).collect() };
        let answers = bench.crm.apply(lot.iter().map(set).collect()).await;
        let told: Vec<Option<Vec<Outcome>>> = lot.iter().map(|set| tell(&mut titles, set)).collect();
        let got: Vec<Option<Vec<Outcome>>> = answers.into_iter().map(Result::ok).collect();
        assert_eq!(got, told, "{lot:?}");
        for (who, id) in ids.iter().enumerate() {
            let rows = bench.all("contact", Filter::eq("contactid", *id)).await;
            let expected = titles.get(&who).map(|title| format!("Title {title}"));
            assert_eq!(rows.first().and_then(|row| row.text("jobtitle")), expected.as_deref(), "{lot:?}");
        }
    }
}

#[test]
fn any_story_ends_as_it_is_told() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::new(On::Sqlite));
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&story(), |story| {
        runtime.block_on(check(&bench, story));
        Ok(())
    });
    outcome.unwrap();
}
