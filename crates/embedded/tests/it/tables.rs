//! Tables: all that come along, those made at run time, and what another process sees.

use std::collections::BTreeMap;
use std::time::Instant;

use postroom_core::metadata::{KeyInfo, KeyStatus, Label};
use postroom_core::query::Comparison;
use postroom_core::{Change, Code, Content, Crm, Filter, Outcome, Query, Record, Value};
use postroom_embedded::Embedded;
use postroom_embedded::schema::{Choice, Column, Kind, Ownership, Schema, Table, Targets};
use postroom_store::Error;
use postroom_store::migrate::Ddl;
use postroom_store::sql::{self, Expr};
use uuid::Uuid;

use crate::bench::{self, Bench, On, on_both};
use crate::installed;

on_both!(
    every_table_takes_a_row,
    every_column_reads_back,
    tables_made_at_run_time,
    another_process_sees_a_new_table,
    two_processes_may_start_at_once,
    an_older_database_gets_the_indexes_it_lacks,
    indexes_of_an_earlier_layout_are_made_anew,
    a_key_with_duplicates_does_not_stop_the_start,
    bad_descriptions_are_refused,
);

/// A value that fits, and the rows that it refers to.
fn value(bench: &Bench, schema: &Schema, column: &Column, before: &mut Vec<Record>) -> Option<Value> {
    Some(match column.kind {
        Kind::Id | Kind::PartyList => return None,
        Kind::Guid => Value::Guid(bench.ids.next()),
        Kind::Text => Value::text("Ü".repeat(column.max_length.unwrap_or(10).min(10) as usize)),
        Kind::MultiChoice => Value::text("1,3"),
        Kind::Body => Value::text("<p>Grüße</p>"),
        Kind::File => Value::Content(Content::Bytes(b"\0\xff"[..].into())),
        Kind::Boolean => Value::Bool(true),
        Kind::State => return None,
        Kind::Status => return None,
        Kind::Choice => Value::Int(column.choices.last().map_or(7, |choice| choice.value)),
        Kind::Integer | Kind::BigInteger => Value::Int(column.max.unwrap_or(12.0) as i64),
        Kind::Double => Value::Float(column.max.unwrap_or(1.5)),
        Kind::Decimal | Kind::Money => Value::Decimal("99.125".into()),
        Kind::Time => Value::Time("2026-11-02T10:11:12.000001Z".parse().unwrap()),
        Kind::Lookup => {
            let allowed = |table: &str| match &column.targets {
                Targets::Named(names) => names.iter().any(|name| name == table),
                Targets::AnyWithActivities => table == "account",
            };
            let target =
                schema.tables().find(|table| allowed(&table.name) && table.name != "activitypointer")?;
            let row = minimal(bench, schema, target, before);
            let at = row.at.clone();
            before.push(row);
            Value::Lookup(at)
        }
    })
}

/// A row with nothing but what a client must give.
fn minimal(bench: &Bench, schema: &Schema, table: &Table, before: &mut Vec<Record>) -> Record {
    let given_by_server = |column: &Column| {
        column.preset.is_some()
            || column.kind == Kind::State
            || column.kind == Kind::Status
            || ["ownerid", "organizationid", "businessunitid", "transactioncurrencyid", "administratorid"]
                .contains(&column.name.as_str())
            || ["quotenumber", "ordernumber", "invoicenumber", "entitytype"].contains(&column.name.as_str())
    };
    let mut row = bench.row(&table.name);
    for column in table.columns.iter().filter(|column| column.required && !given_by_server(column)) {
        if let Some(value) = value(bench, schema, column, before) {
            row = row.with(column.name.clone(), value);
        }
    }
    match table.name.as_str() {
        "activityparty" => row.with("addressused", "anna@customer.example"),
        _ => row,
    }
}

async fn every_table_takes_a_row(on: On) {
    let bench = Bench::new(on).await;
    let schema = bench.crm.schema().await.unwrap();
    assert_eq!(schema.tables().count(), 67);
    for table in schema.tables().filter(|table| table.name != "owner") {
        let mut rows = Vec::new();
        let row = minimal(&bench, &schema, table, &mut rows);
        rows.push(row.clone());
        bench.create(&rows).await;
        let found = bench.found(&row.at).await;
        for (column, value) in &row.columns {
            assert_eq!(found.get(column), Some(value), "{}.{column}", table.name);
        }
        if table.ownership == Ownership::User {
            assert_eq!(found.lookup("ownerid"), Some(&bench.crm.acting()), "{}", table.name);
        }
        assert_eq!(bench.must(Change::Create(row)).await, Outcome::Unchanged);
    }
}

async fn every_column_reads_back(on: On) {
    let bench = Bench::new(on).await;
    let schema = bench.crm.schema().await.unwrap();
    let mut columns = 0;
    for table in schema.tables().filter(|table| table.name != "owner") {
        let mut rows = Vec::new();
        let mut row = bench.row(&table.name);
        for column in table.columns.iter().filter(|column| !column.read_only) {
            if let Some(value) = value(&bench, &schema, column, &mut rows) {
                row = row.with(column.name.clone(), value);
            }
        }
        rows.push(row.clone());
        bench.create(&rows).await;
        let found = bench.found(&row.at).await;
        for (column, value) in &row.columns {
            assert_eq!(found.get(column), Some(value), "{}.{column}", table.name);
            columns += 1;
        }
    }
    assert!(columns > 1500, "{columns}");
}

fn send() -> Table {
    let mut result = Column::new("esc_result", Kind::Choice);
    result.choices = vec![Choice { value: 274_100_000, label: "Delivered".into(), ..Choice::default() }];
    Table::custom(
        "esc_send",
        vec![
            Column::text("esc_name", 100).required(),
            Column::lookup("esc_contactid", &["contact"]).indexed(),
            Column::new("esc_amount", Kind::Money),
            result,
        ],
    )
}

async fn tables_made_at_run_time(on: On) {
    let bench = Bench::new(on).await;
    bench.crm.create_table(send()).await.unwrap();
    let contact = bench.contact("Anna");
    let row = bench.row("esc_send").with("esc_name", "November").with("esc_contactid", contact.at.clone());
    bench.create(&[contact.clone(), row.clone()]).await;
    // Rows of the new table may have activities, as those of the standard ones.
    let email = bench.email().with("regardingobjectid", row.at.clone());
    bench.create(&[email]).await;

    bench.crm.add_columns("esc_send", vec![Column::text("esc_note", 20)]).await.unwrap();
    bench.update(&row.at, "esc_note", "late").await;
    let found = bench.found(&row.at).await;
    assert_eq!((found.text("esc_note"), found.lookup("esc_contactid")), (Some("late"), Some(&contact.at)));
    assert_eq!(found.int("statuscode"), Some(1));
    let bad = bench.row("esc_send").with("esc_name", "x").with("esc_result", 5);
    bench
        .refused(Change::Create(bad), Code::CRM_REFUSED, &["esc_send.esc_result", "274100000 Delivered"])
        .await;
    // Again, and nothing happens.
    bench.crm.create_table(send()).await.unwrap();
    assert_eq!(bench.found(&row.at).await.text("esc_note"), Some("late"));
}

async fn another_process_sees_a_new_table(on: On) {
    let bench = Bench::new(on).await;
    let other: Embedded = bench.second().await;
    let row = bench.row("esc_send").with("esc_name", "November");
    let before = bench::apply(&other, vec![Change::Create(row.clone())]).await.unwrap_err();
    assert_eq!(before.code, Code::CRM_UNKNOWN_COLUMN);
    bench.crm.create_table(send()).await.unwrap();
    bench::apply(&other, vec![Change::Create(row.clone())]).await.unwrap();
    other.add_columns("esc_send", vec![Column::text("esc_note", 20)]).await.unwrap();
    bench.update(&row.at, "esc_note", "seen").await;
    assert_eq!(bench::read(&other, &row.at).await.unwrap().text("esc_note"), Some("seen"));
}

async fn two_processes_may_start_at_once(on: On) {
    let folder = tempfile::tempdir().unwrap();
    let url = installed::nothing(on, folder.path());
    let started = Instant::now();
    let start = async || Embedded::open(bench::open(&url).await, installed::clock()).await.unwrap();
    let (one, two) = tokio::join!(start(), start());
    for crm in [&one, &two] {
        assert_eq!(crm.schema().await.unwrap().tables().count(), 67);
    }
    let users = one.query(&Query::of("systemuser")).await.unwrap();
    assert_eq!(users.len(), 1, "after {:?}: {users:?}", started.elapsed());
}

/// As it was left by a postroom whose table had fewer indexes: opening makes them, once, and the rows stay.
async fn an_older_database_gets_the_indexes_it_lacks(on: On) {
    use sql::ExprTrait;

    let bench = Bench::new(on).await;
    bench.create(&[bench.contact("Anna")]).await;
    let table = bench.crm.table("contact").await.unwrap();
    let mut older = Table::clone(&table);
    for column in &mut older.columns {
        column.indexed &= !["lastname", "telephone1"].contains(&column.name.as_str());
    }
    let description = serde_json::to_string(&older).unwrap();
    let indexes = ["crm_contact_lastname_ix", "crm_contact_telephone1_ix"];
    let stored: Result<(), Error> = bench
        .store
        .write("test.older", move |tx| {
            let update = sql::Query::update()
                .table("crm_table")
                .value("description", description.clone())
                .and_where(Expr::col("name").eq("contact"))
                .to_owned();
            Box::pin(async move {
                tx.execute(&update).await?;
                for name in indexes {
                    tx.shape(&Ddl::DropIndex(sql::Index::drop().name(name).to_owned())).await?;
                }
                Ok(())
            })
        })
        .await;
    stored.unwrap();
    let (list, name) = match on {
        On::Sqlite => ("sqlite_master", "name"),
        On::Postgres => ("pg_indexes", "indexname"),
    };
    let there = async || {
        let select =
            sql::Query::select().column(name).from(list).and_where(Expr::col(name).is_in(indexes)).to_owned();
        let found: Result<usize, Error> =
            bench.store.read(move |tx| Box::pin(async move { Ok(tx.query(&select).await?.len()) })).await;
        found.unwrap()
    };
    assert_eq!(there().await, 0);
    for _ in 0..2 {
        let crm = bench.second().await;
        assert_eq!(there().await, 2);
        let named = Filter::Compare("lastname".into(), Comparison::StartsWith, "aD".into());
        assert_eq!(crm.query(&Query::of("contact").filter(named)).await.unwrap().len(), 1);
    }
}

/// The statements that make the indexes of a table, by their names, as the database tells them.
async fn indexes(bench: &Bench, on: On, table: &str) -> BTreeMap<String, String> {
    let (list, of, name, sql) = match on {
        On::Sqlite => ("sqlite_master", "tbl_name", "name", "sql"),
        On::Postgres => ("pg_indexes", "tablename", "indexname", "indexdef"),
    };
    use sql::ExprTrait;
    let select = sql::Query::select()
        .expr(Expr::col(name).cast_as("text"))
        .expr(Expr::col(sql).cast_as("text"))
        .from(list)
        .and_where(Expr::col(of).eq(table))
        .and_where(Expr::col(name).like("crm%"))
        .to_owned();
    let found: Result<BTreeMap<String, String>, Error> = bench
        .store
        .read(move |tx| {
            Box::pin(async move {
                let rows = tx.query(&select).await?;
                rows.iter()
                    .map(|row| Ok((row.at(0)?, row.at::<Option<String>>(1)?.unwrap_or_default())))
                    .collect()
            })
        })
        .await;
    found.unwrap()
}

/// Changes the shape behind the CRM's back, and forgets which layout the indexes have.
async fn as_an_earlier_version_left_it(bench: &Bench, shapes: Vec<Ddl>) {
    use sql::ExprTrait;
    let forget = sql::Query::delete()
        .from_table("counter")
        .and_where(Expr::col("name").eq("crm_index_layout"))
        .to_owned();
    let done: Result<(), Error> = bench
        .store
        .write("test.older", move |tx| {
            Box::pin(async move {
                for shape in &shapes {
                    tx.shape(shape).await?;
                }
                tx.execute(&forget).await.map(drop)
            })
        })
        .await;
    done.unwrap();
}

fn drop_index(name: &str) -> Ddl {
    Ddl::DropIndex(sql::Index::drop().name(name).to_owned())
}

/// An index in the order of the database's own, one that is superseded, and a lookup without one.
async fn indexes_of_an_earlier_layout_are_made_anew(on: On) {
    let bench = Bench::new(on).await;
    bench.create(&[bench.contact("Anna")]).await;
    let right = indexes(&bench, on, "crm_contact").await;
    let (text, number, lookup) =
        ("crm_contact_lastname_ix", "crm_contact_versionnumber_ix", "crm_contact_originatingleadid_ix");
    assert!([text, number, lookup].iter().all(|name| right.contains_key(*name)), "{right:?}");
    let plain = |name: &'static str, column: &'static str| {
        Ddl::CreateIndex(sql::Index::create().name(name).table("crm_contact").col(column).to_owned())
    };
    let mut shapes: Vec<Ddl> = [text, number, lookup].map(drop_index).into();
    shapes.push(plain(text, "firstname"));
    shapes.push(plain(number, "versionnumber"));
    shapes.push(plain("crm_contact_jobtitle_ix", "jobtitle"));
    shapes.push(plain("of_somebody_else", "jobtitle"));
    as_an_earlier_version_left_it(&bench, shapes).await;
    let older = indexes(&bench, on, "crm_contact").await;
    assert_ne!(older, right);
    bench.second().await;
    let now = indexes(&bench, on, "crm_contact").await;
    assert_eq!(now, right);
    // Once: a normal start looks at the number alone.
    let gone: Result<(), Error> = bench
        .store
        .write("test.gone", move |tx| Box::pin(async move { tx.shape(&drop_index(text)).await }))
        .await;
    gone.unwrap();
    bench.second().await;
    assert!(!indexes(&bench, on, "crm_contact").await.contains_key(text));
}

/// A key's index that went missing comes back, unless rows say otherwise by now.
async fn a_key_with_duplicates_does_not_stop_the_start(on: On) {
    let bench = Bench::new(on).await;
    let key = KeyInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name: "new_Mail".into(),
        label: Label::english("Mail"),
        columns: vec!["emailaddress1".into()],
        status: KeyStatus::Pending,
    };
    bench.crm.create_key("contact", key).await.unwrap();
    let name = "crm_contact_new_mail_key";
    let lacks = async || {
        as_an_earlier_version_left_it(&bench, vec![drop_index(name)]).await;
        bench.second().await;
        !indexes(&bench, on, "crm_contact").await.contains_key(name)
    };
    assert!(!lacks().await);
    as_an_earlier_version_left_it(&bench, vec![drop_index(name)]).await;
    let twice = |first: &str| bench.contact(first).with("emailaddress1", "a@x.example");
    let rows = [twice("A"), twice("B")];
    let refused = bench.apply(rows.iter().cloned().map(Change::Create).collect()).await;
    assert!(refused.is_err(), "the writer holds the key as well");
    let raw: Result<(), Error> = bench
        .store
        .write("test.twice", move |tx| {
            let mut insert = postroom_store::Insert::into("crm_contact", &["contactid", "emailaddress1"]);
            for row in rows {
                insert.row([row.at.id.into(), "a@x.example".into()]);
            }
            Box::pin(async move { tx.insert(&insert).await.map(drop) })
        })
        .await;
    raw.unwrap();
    bench.second().await;
    assert!(!indexes(&bench, on, "crm_contact").await.contains_key(name));
}

async fn bad_descriptions_are_refused(on: On) {
    let bench = Bench::new(on).await;
    let refused = async |table: Table, named: &str| {
        let fault = bench.crm.create_table(table).await.unwrap_err();
        assert!(fault.message.contains(named), "{fault}");
    };
    refused(Table::custom("Bad Name", vec![]), "Bad Name").await;
    refused(Table::custom(&"x".repeat(60), vec![]), "58").await;
    refused(Table::custom("esc_a", vec![Column::text("a\"; drop", 5)]), "drop").await;
    refused(Table::custom("esc_a", vec![Column::text("esc_x", 5), Column::text("esc_x", 5)]), "esc_x").await;
    refused(Table::custom("esc_a", vec![Column::lookup("esc_x", &["nowhere"])]), "esc_x").await;
    refused(Table::new("esc_a", "esc_aid", vec![]), "esc_aid").await;
    // What is there keeps its shape.
    refused(Table::new("contact", "contactid", vec![Column::new("contactid", Kind::Id)]), "another key")
        .await;
    let fault = bench.crm.add_columns("contact", vec![Column::new("firstname", Kind::Integer)]).await;
    assert!(fault.is_ok(), "a column that is there is left as it is");
    bench.crm.create_table(send()).await.unwrap();
    let mut other = send();
    other.columns.iter_mut().for_each(|column| {
        if column.name == "esc_name" {
            column.kind = Kind::Integer;
        }
    });
    refused(other, "esc_name").await;
    let unknown = bench.crm.query(&postroom_core::Query::of("esc_a")).await.unwrap_err();
    assert_eq!(unknown.code, Code::CRM_UNKNOWN_COLUMN);
    assert_ne!(bench.crm.acting().id, Uuid::nil());
}
