//! Many mails at once, and the indexes without which they would be slow.

use postroom_core::{Change, ChangeSet, Content, Crm, Query, Record};
use postroom_testkit::peers::Postgres;

use crate::bench::{Bench, On, on_both};

on_both!(mails_are_filed_in_lots);

/// Without an index each of the twelve address columns would be read whole for every lot of mails.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_have_an_index_that_serves() {
    let bench = Bench::new(On::Postgres).await;
    let database = bench.url.rsplit('/').next().unwrap();
    for (table, column) in
        [("contact", "emailaddress3"), ("queue", "emailaddress"), ("systemuser", "personalemailaddress")]
    {
        let sql = format!(
            "set enable_seqscan = off; explain select 1 from crm_{table} where lower({column}) in ('a', 'b')"
        );
        let plan = Postgres::shared().run(database, &sql);
        assert!(plan.contains(&format!("crm_{table}_{column}_ix")), "{plan}");
    }
}

/// A page begins where the one before ended, and PostgreSQL walks there only in the order of nulls of the index.
#[tokio::test(flavor = "multi_thread")]
async fn pages_have_an_index_that_serves() {
    let bench = Bench::new(On::Postgres).await;
    let database = bench.url.rsplit('/').next().unwrap();
    let check = |order: &str, index: &str| {
        let sql = format!(
            "set enable_seqscan = off; set enable_sort = off; \
             explain select 1 from crm_contact order by {order} limit 50"
        );
        let plan = Postgres::shared().run(database, &sql);
        assert!(plan.contains(index), "{order}: {plan}");
    };
    check("contactid asc", "crm_contact_pkey");
    check("lower(lastname) asc nulls first, contactid asc", "crm_contact_lastname_ix");
    check("lower(lastname) desc nulls last, contactid asc", "crm_contact_lastname_ix");
    check("versionnumber asc nulls first, contactid asc", "crm_contact_versionnumber_ix");
}

/// What a text begins with is found by the index of the column, beyond ASCII too. The conditions are those of `query::text`.
#[tokio::test(flavor = "multi_thread")]
async fn names_have_an_index_that_serves() {
    let bench = Bench::new(On::Postgres).await;
    let database = bench.url.rsplit('/').next().unwrap();
    let check = |condition: &str| {
        let sql = format!("set enable_seqscan = off; explain select 1 from crm_contact where {condition}");
        let plan = Postgres::shared().run(database, &sql);
        assert!(
            plan.contains("crm_contact_lastname_ix") && plan.contains("Index Cond"),
            "{condition}: {plan}"
        );
    };
    check("lower(lastname) in ('köhler', 'kÖhler')");
    check("lower(lastname) like 'ad%' escape '\\' and (lower(lastname) >= 'ad' and lower(lastname) < 'ae')");
    check(
        "translate(lower(lastname), 'Ö', 'ö') like 'kö%' escape '\\' and \
         ((lower(lastname) >= 'kö' and lower(lastname) < 'k÷') or (lower(lastname) >= 'kÖ' and lower(lastname) < 'k×'))",
    );
}

/// 500 mails as the tracking rules write them: the mail, five parties, an attachment, a queue item.
async fn mails_are_filed_in_lots(on: On) {
    let bench = Bench::new(on).await;
    let queue = bench.row("queue").with("name", "Support").with("emailaddress", "support@demo.example");
    let people: Vec<Record> = (0..50).map(|n| bench.contact(&n.to_string())).collect();
    bench.create(&[std::slice::from_ref(&queue), &people[..]].concat()).await;
    let sets: Vec<ChangeSet> = (0..500).map(|n| filed(&bench, n, &queue, &people[n % 50])).collect();
    for lot in sets.chunks(250) {
        let answers = bench.crm.apply(lot.to_vec()).await;
        let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
        assert!(refused.is_empty(), "{refused:?}");
    }
    // The server adds the owner and what each is about as parties.
    for (table, each) in [("email", 1), ("activityparty", 7), ("queueitem", 1)] {
        let rows = bench.crm.query(&Query::of(table).select(&[])).await.unwrap();
        assert_eq!(rows.len(), 500 * each, "{table}");
    }
}

fn filed(bench: &Bench, number: usize, queue: &Record, person: &Record) -> ChangeSet {
    let email = bench
        .email()
        .with("messageid", format!("<{number}@customer.example>"))
        .with("statecode", 1)
        .with("statuscode", 4)
        .with("sender", "anna@customer.example")
        .with("torecipients", "support@demo.example;")
        .with("actualend", bench.clock.now())
        .with("regardingobjectid", person.at.clone())
        .with("description", "<p>Hello</p>".repeat(20));
    let mut rows = vec![
        email.clone(),
        bench.party(&email, 1, "anna@customer.example").with("partyid", person.at.clone()),
    ];
    rows.push(bench.party(&email, 2, "support@demo.example").with("partyid", queue.at.clone()));
    rows.extend((0..3).map(|n| bench.party(&email, 3, &format!("cc{n}@customer.example"))));
    let part = Content::MailPart { mail: postroom_core::BodyHash([1; 32]), part: 2, size: 100 };
    let file =
        bench.row("activitymimeattachment").with("objectid", email.at.clone()).with("filename", "a.pdf");
    rows.push(file.with("mimetype", "application/pdf").with("body", part));
    rows.push(bench.row("queueitem").with("queueid", queue.at.clone()).with("objectid", email.at.clone()));
    ChangeSet { changes: rows.into_iter().map(Change::Create).collect() }
}
