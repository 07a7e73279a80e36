//! The organisation of the demo stands by itself.

use postroom_core::{Crm, Filter, Outcome, Value};
use postroom_embedded::{demo, json};

use crate::bench::{Bench, On, on_both};

on_both!(the_demo_is_written_once, rows_go_through_json);

async fn the_demo_is_written_once(on: On) {
    let bench = Bench::new(on).await;
    for expected in [Outcome::Created, Outcome::Unchanged] {
        for answer in bench.crm.apply(demo::organisation()).await {
            assert!(answer.unwrap().into_iter().all(|outcome| outcome == expected));
        }
    }
    for (table, count) in [
        ("systemuser", 5),
        ("queue", 3),
        ("account", 6),
        ("contact", 12),
        ("lead", 4),
        ("opportunity", 4),
        ("incident", 6),
        ("quote", 2),
    ] {
        assert_eq!(bench.all(table, Filter::All(vec![])).await.len(), count, "{table}");
    }
    let story = demo::story();
    assert_eq!(bench.found(&story.case_pump).await.lookup("primarycontactid"), Some(&story.contact_anna));
    let hits = bench
        .crm
        .find_addresses(&["anna.adler@adler-brauerei.example".into(), "support@demo.example".into()])
        .await
        .unwrap();
    let mut found: Vec<_> = hits.into_iter().map(|hit| hit.record).collect();
    found.sort();
    assert_eq!(found, [story.contact_anna, story.queue_support]);
    let text = bench.crm.check().await.unwrap();
    assert!(text.contains("67 tables") && text.contains("12 contact"), "{text}");
}

/// What `record show` prints, `record import` takes, but for what the server keeps.
async fn rows_go_through_json(on: On) {
    let bench = Bench::new(on).await;
    bench.crm.apply(demo::organisation()).await;
    let schema = bench.crm.schema().await.unwrap();
    for at in [demo::story().contact_anna, demo::story().quote_pool, demo::story().opportunity_pool] {
        let mut row = bench.found(&at).await;
        row.columns.retain(|(_, value)| *value != Value::Null);
        let shown = serde_json::to_value(&row).unwrap();
        let back = json::record(&schema, &shown).unwrap();
        assert_eq!(back, row, "{shown}");
    }
}
