//! Queries beyond the port's suite: long lists, letters beyond ASCII, and errors with the nearest name.

use postroom_core::query::Comparison;
use postroom_core::{Code, Crm, Filter, Query, Value};

use crate::bench::{Bench, On, on_both};

on_both!(
    long_lists,
    letters_beyond_ascii,
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
        [("jobtitle".to_owned(), Value::Null), ("contactid".to_owned(), Value::Guid(contact.at.id))]
    );
}
