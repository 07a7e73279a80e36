//! Queries beyond the port's suite: long lists, letters beyond ASCII, and errors with the nearest name.

use postroom_core::query::Comparison;
use postroom_core::{Change, Code, Crm, Filter, Query, Value};

use crate::bench::{Bench, On, on_both};

on_both!(
    long_lists,
    letters_beyond_ascii,
    lists_beyond_ascii,
    texts_begin_with_any_sign,
    activities_of_all_tables_begin_alike,
    pages_with_nulls_while_rows_come_and_go,
    errors_name_the_nearest,
    lookups_compare_with_their_table,
    nulls_of_named_columns
);

async fn long_lists(on: On) {
    let bench = Bench::new(on).await;
    let contacts: Vec<_> = (0..30).map(|n| bench.contact(&format!("Number{n}"))).collect();
    bench.create(&contacts).await;
    let names = (0..3000).map(|n| Value::text(format!("NUMBER{n}"))).collect();
    assert_eq!(bench.all("contact", Filter::In("firstname".into(), names)).await.len(), 30);
    let ids = contacts
        .iter()
        .map(|row| Value::Guid(row.at.id))
        .chain((0..3000).map(|_| Value::Guid(bench.ids.next())));
    assert_eq!(bench.all("contact", Filter::In("contactid".into(), ids.collect())).await.len(), 30);
    let owners = vec![Value::Lookup(bench.crm.acting()), Value::Null];
    assert_eq!(bench.all("contact", Filter::In("ownerid".into(), owners)).await.len(), 30);
}

async fn letters_beyond_ascii(on: On) {
    let bench = Bench::new(on).await;
    let rows: Vec<_> = ["ÖMER ÅSE", "ömer åse", "Ömer Åse", "Omer Ase"]
        .into_iter()
        .map(|name| bench.contact(name))
        .collect();
    bench.create(&rows).await;
    for wanted in ["ömer åse", "ÖMER ÅSE", "Ömer åSE"] {
        assert_eq!(bench.all("contact", Filter::eq("firstname", wanted)).await.len(), 3, "{wanted}");
    }
    let contains = Filter::Compare("firstname".into(), Comparison::Contains, "ER å".into());
    assert_eq!(bench.all("contact", contains).await.len(), 3);
    for (wanted, count) in [("öm", 3), ("ÖMER å", 3), ("o", 1), ("ömer åsen", 0), ("Ü", 0), ("", 4)] {
        let begins = Filter::Compare("firstname".into(), Comparison::StartsWith, wanted.into());
        assert_eq!(bench.all("contact", begins).await.len(), count, "begins with {wanted}");
        let like = Filter::Like("firstname".into(), format!("{wanted}%"));
        assert_eq!(bench.all("contact", like).await.len(), count, "like {wanted}%");
    }
    let others = Filter::Compare("firstname".into(), Comparison::StartsWith, "öm".into());
    assert_eq!(bench.all("contact", Filter::Not(Box::new(others))).await.len(), 1);
}

async fn lists_beyond_ascii(on: On) {
    let bench = Bench::new(on).await;
    let names = ["Jörg", "JÖRG", "jorg", "ÄÖÜ Åse", "äöü åSE", "aou ase", "Straße", "İzmir"];
    bench.create(&names.map(|name| bench.contact(name))).await;
    let count = async |wanted: Vec<String>| {
        let wanted = wanted.into_iter().map(Value::text).collect();
        bench.all("contact", Filter::In("firstname".into(), wanted)).await.len()
    };
    assert_eq!(count(vec!["jÖrg".into()]).await, 2);
    assert_eq!(count(vec!["jÖrg".into(), "äÖü Åse".into(), "JORG".into()]).await, 5);
    assert_eq!(count(vec!["STRAßE".into(), "İZMIR".into(), "izmir".into()]).await, 2);
    // More than SQLite would bind, were each letter bound for each name.
    assert_eq!(count((0..5500).map(|n| format!("jörg ä{n}")).chain(["jörg".into()]).collect()).await, 2);
    let many = (0..7000).map(|n| Value::text(format!("jörg ä{n}"))).collect();
    let refused = bench.crm.query(&Query::of("contact").filter(Filter::In("firstname".into(), many))).await;
    assert_eq!(refused.unwrap_err().code, Code::CRM_REFUSED);
    for (wanted, rows) in [("ÄÖÜ Å", 2), ("äöü åse", 2), ("äöu", 0)] {
        let begins = Filter::Compare("firstname".into(), Comparison::StartsWith, wanted.into());
        assert_eq!(bench.all("contact", begins).await.len(), rows, "{wanted}");
    }
    assert_eq!(bench.all("contact", Filter::eq("firstname", "ÄÖÜ ÅSE")).await.len(), 2);
    let other = Filter::Compare("firstname".into(), Comparison::Ne, "jörg".into());
    assert_eq!(bench.all("contact", other).await.len(), 6);
}

/// What begins with a text lies between it and the next one, whatever sign it ends with.
async fn texts_begin_with_any_sign(on: On) {
    let bench = Bench::new(on).await;
    let signs = [
        "%", "_", "\\", "[", "]", "^", "@", "A", "Z", "z", "{", "~", "\u{7f}", "ä", "Ä", "ÿ", "\u{d7ff}",
        "😀",
    ];
    let last = char::MAX.to_string();
    let starts: Vec<String> = signs.iter().copied().chain([&*last]).map(|sign| format!("x{sign}")).collect();
    let rows: Vec<_> = starts
        .iter()
        .flat_map(|start| [start.clone(), format!("{start}b"), format!("{start}{last}")])
        .map(|name| bench.row("contact").with("lastname", name))
        .collect();
    bench.create(&rows).await;
    for start in &starts {
        // A capital and its small letter are one.
        let twice = starts.iter().filter(|other| other.to_lowercase() == start.to_lowercase()).count();
        let begins = Filter::Compare("lastname".into(), Comparison::StartsWith, start.to_uppercase().into());
        assert_eq!(bench.all("contact", begins).await.len(), 3 * twice, "{start:?}");
        if !start.contains(['%', '_', '[']) {
            let like = Filter::Like("lastname".into(), format!("{start}%"));
            assert_eq!(bench.all("contact", like).await.len(), 3 * twice, "like {start:?}");
        }
    }
}

/// A view of several tables compares as each of them.
async fn activities_of_all_tables_begin_alike(on: On) {
    let bench = Bench::new(on).await;
    let rows = [("email", "ÖFFER a"), ("task", "öffer b"), ("letter", "Offer c"), ("fax", "oFFER d")];
    bench.create(&rows.map(|(table, subject)| bench.row(table).with("subject", subject))).await;
    for (wanted, comparison, count) in [
        ("OFF", Comparison::StartsWith, 2),
        ("Öff", Comparison::StartsWith, 2),
        ("öFFER A", Comparison::Eq, 1),
        ("offer D", Comparison::Eq, 1),
    ] {
        let filter = Filter::Compare("subject".into(), comparison, wanted.into());
        assert_eq!(bench.all("activitypointer", filter).await.len(), count, "{wanted}");
    }
}

/// Each page's last row goes when it was read; what stays comes once, without a gap and in order.
async fn pages_with_nulls_while_rows_come_and_go(on: On) {
    for (column, descending) in
        [("jobtitle", false), ("jobtitle", true), ("contactid", false), ("contactid", true)]
    {
        let bench = Bench::new(on).await;
        let rows: Vec<_> = (0..24)
            .map(|n| {
                bench.contact(&n.to_string()).with("jobtitle", (n % 3 > 0).then(|| format!("Job {}", n % 5)))
            })
            .collect();
        bench.create(&rows).await;
        let query = Query::of("contact").select(&["jobtitle"]).order_by(column, descending);
        let whole: Vec<_> = bench.crm.query(&query).await.unwrap().iter().map(|row| row.at.id).collect();
        let (mut found, mut next, mut added) = (Vec::new(), None::<String>, Vec::new());
        loop {
            let page = bench.crm.page(&query, 5, next.as_deref()).await.unwrap();
            found.extend(page.records.iter().map(|row| row.at.id));
            let Some(cookie) = page.next else { break };
            next = Some(cookie);
            let last = page.records.last().unwrap().at.clone();
            let new = [bench.contact("new"), bench.contact("new").with("jobtitle", "Job 3")];
            added.extend(new.iter().map(|row| row.at.id));
            bench.create(&new).await;
            bench.must(Change::Delete(last)).await;
        }
        found.retain(|id| !added.contains(id));
        assert_eq!(found, whole, "{column}, descending: {descending}");
    }
}

async fn errors_name_the_nearest(on: On) {
    let bench = Bench::new(on).await;
    let check = async |query: Query, code: Code, named: &str| {
        let fault = bench.crm.query(&query).await.unwrap_err();
        assert_eq!(fault.code, code, "{fault}");
        assert!(fault.message.contains(named), "{fault}");
    };
    check(Query::of("emial"), Code::CRM_UNKNOWN_COLUMN, "email").await;
    check(Query::of("email").select(&["subjct"]), Code::CRM_UNKNOWN_COLUMN, "did you mean subject?").await;
    check(Query::of("email").filter(Filter::eq("description", "x")), Code::CRM_REFUSED, "email.description")
        .await;
    check(Query::of("email").select(&["to"]), Code::CRM_REFUSED, "activityparty").await;
    check(Query::of("email").filter(Filter::eq("statecode", "Open")), Code::CRM_REFUSED, "email.statecode")
        .await;
    let fault = bench.crm.find(&["emial"], &[]).await.unwrap_err();
    assert!(fault.message.contains("did you mean email?"), "{fault}");
}

async fn lookups_compare_with_their_table(on: On) {
    let bench = Bench::new(on).await;
    let account = bench.row("account").with("name", "A");
    let contact = bench.contact("Anna").with("parentcustomerid", account.at.clone());
    bench.create(&[account.clone(), contact]).await;
    let count = async |value: Value| bench.all("contact", Filter::eq("parentcustomerid", value)).await.len();
    assert_eq!(count(Value::Lookup(account.at.clone())).await, 1);
    assert_eq!(count(Value::lookup("contact", account.at.id)).await, 0);
    assert_eq!(count(Value::Guid(account.at.id)).await, 1);
    assert_eq!(count(Value::text(account.at.id.to_string())).await, 1);
}

async fn nulls_of_named_columns(on: On) {
    let bench = Bench::new(on).await;
    let contact = bench.contact("Anna");
    bench.create(std::slice::from_ref(&contact)).await;
    let rows = bench.crm.query(&Query::of("contact").select(&["jobtitle", "contactid"])).await.unwrap();
    assert_eq!(
        rows[0].columns,
        [("jobtitle".into(), Value::Null), ("contactid".into(), Value::Guid(contact.at.id))]
    );
}
