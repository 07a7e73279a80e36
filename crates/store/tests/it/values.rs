//! Every kind of value goes in and comes back, and NULL of each.

use std::f64::consts::PI;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::BodyHash;
use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Expr, ExprTrait, Query, Table, Value};
use postroom_store::{Dialect, Error, FromCell, Insert, Options, Row, Store};
use uuid::Uuid;

use crate::harness::{Lab, on_both};

on_both! {
    numbers,
    texts,
    bytes_and_ids,
    nulls,
    sums_and_means_are_numbers,
    a_column_of_another_kind_is_an_error,
}

const KINDS: &[Migration] = &[Migration { area: "values", number: 1, name: "kinds", statements: kinds }];

fn kinds() -> Vec<Ddl> {
    let table = Table::create()
        .table("kinds")
        .col(ColumnDef::new("place").big_integer().not_null())
        .col(ColumnDef::new("big").big_integer())
        .col(ColumnDef::new("small").integer())
        .col(ColumnDef::new("flag").boolean())
        .col(ColumnDef::new("real").double())
        .col(ColumnDef::new("text").text())
        .col(ColumnDef::new("bytes").binary())
        .col(ColumnDef::new("id").uuid())
        .to_owned();
    vec![Ddl::CreateTable(table)]
}

async fn store(lab: &Lab) -> Store {
    Store::open(&lab.url, &Options::default(), &[KINDS]).await.expect("the store opens")
}

/// Writes `value` into `column` and reads it back.
async fn through(lab: &Lab, column: &'static str, value: Value) -> Result<Row, Error> {
    let store = store(lab).await;
    let unit = store.write("test.value", move |tx| {
        async move {
            let mut rows = Insert::into("kinds", &["place", column]);
            rows.row([1_i64.into(), value]);
            tx.insert(&rows).await?;
            let select = Query::select().column(column).from("kinds").to_owned();
            let row = tx.query_one(&select).await?.expect("just written");
            let mut delete = Query::delete();
            delete.from_table("kinds").and_where(Expr::col("place").eq(1_i64));
            assert_eq!(tx.execute(&delete).await?, 1);
            Ok(row)
        }
        .boxed()
    });
    unit.await
}

async fn check<T>(lab: &Lab, column: &'static str, values: impl IntoIterator<Item = T>)
where
    T: FromCell + Into<Value> + Clone + PartialEq + std::fmt::Debug,
{
    for value in values {
        let row = through(lab, column, value.clone().into()).await.expect("written");
        assert_eq!(row.at::<T>(0).expect("readable"), value, "in {column}");
        assert_eq!(row.get::<Option<T>>(column).expect("readable"), Some(value), "in {column}");
    }
}

async fn numbers(lab: Lab) {
    check(&lab, "big", [0_i64, -1, i64::MIN, i64::MAX]).await;
    check(&lab, "big", [0_u64, 1 << 40, i64::MAX as u64]).await;
    check(&lab, "big", [0_u32, u32::MAX]).await;
    check(&lab, "big", [i32::MIN, i32::MAX]).await;
    check(&lab, "small", [i32::MIN, -1, 0, i32::MAX]).await;
    check(&lab, "small", [i64::from(i32::MIN), 0, 77]).await;
    check(&lab, "flag", [true, false]).await;
    check(&lab, "real", [0.0, -0.5, PI, f64::MIN, f64::MAX, f64::INFINITY, 1e-300]).await;
}

async fn texts(lab: Lab) {
    let long = "é\u{1f4e7}".repeat(100_000);
    check(
        &lab,
        "text",
        ["", " ", "plain", "üñí\u{1f4e7}", "a'b\"c\\d%_", "line\r\nline", long.as_str()].map(str::to_owned),
    )
    .await;
    let with_nul = through(&lab, "text", "a\0b".into()).await.expect("written");
    let expected = match lab.dialect {
        Dialect::Sqlite => "a\0b",
        Dialect::Postgres => "a\u{fffd}b", // it cannot hold NUL
    };
    assert_eq!(with_nul.at::<String>(0).expect("a text"), expected);
}

async fn bytes_and_ids(lab: Lab) {
    let every: Vec<u8> = (0..=255).collect();
    check(&lab, "bytes", [vec![], vec![0], every, vec![7; 300_000]]).await;
    check(&lab, "id", [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10)])
        .await;
    let hash = BodyHash([9; 32]);
    let row = through(&lab, "bytes", hash.0.to_vec().into()).await.expect("written");
    assert_eq!(row.at::<BodyHash>(0).expect("a hash"), hash);
    let time: Timestamp = "2025-03-30T01:02:03.456789Z".parse().expect("a time");
    let row = through(&lab, "big", time.as_microsecond().into()).await.expect("written");
    assert_eq!(row.at::<Timestamp>(0).expect("a time"), time);
}

async fn nulls(lab: Lab) {
    let none = [
        ("big", Value::BigInt(None)),
        ("big", Value::Unsigned(None)),
        ("big", Value::BigUnsigned(None)),
        ("small", Value::Int(None)),
        ("flag", Value::Bool(None)),
        ("real", Value::Double(None)),
        ("text", Value::String(None)),
        ("bytes", Value::Bytes(None)),
        ("id", Value::Uuid(None)),
    ];
    for (column, value) in none {
        let row = through(&lab, column, value).await.expect("written");
        assert_eq!(row.at::<Option<i64>>(0).expect("a null"), None, "{column}");
        assert_eq!(row.at::<Option<Uuid>>(0).expect("a null"), None, "{column}");
        assert!(row.at::<String>(0).is_err(), "a null is not a text");
    }
}

async fn sums_and_means_are_numbers(lab: Lab) {
    for (numbers, sum, mean) in [
        (vec![1_i64, 2, 4], 7_i64, 7.0 / 3.0),
        (vec![-20_000, -20_001], -40_001, -20_000.5),
        (vec![10_000, 0], 10_000, 5_000.0),
        (vec![i64::MAX - 1, 1], i64::MAX, 4_611_686_018_427_387_904.0),
        (vec![0, 0], 0, 0.0),
        (vec![100_000_000, 0], 100_000_000, 50_000_000.0),
    ] {
        let store = store(&lab).await;
        let unit = store.write("test.sum", move |tx| {
            async move {
                tx.execute(&Query::delete().from_table("kinds").to_owned()).await?;
                let mut rows = Insert::into("kinds", &["place", "big"]);
                for number in numbers {
                    rows.row([2_i64.into(), number.into()]);
                }
                tx.insert(&rows).await?;
                let mut select = Query::select();
                select.expr(Expr::col("big").sum()).expr(Expr::cust("avg(big)")).from("kinds");
                Ok::<_, Error>(tx.query_one(&select).await?.expect("one row"))
            }
            .boxed()
        });
        let row = unit.await.expect("written");
        assert_eq!(row.at::<i64>(0).expect("a whole number"), sum);
        let found: f64 = row.at(1).expect("a number");
        assert!((found - mean).abs() <= mean.abs() * 1e-12, "{found} is not {mean}");
    }
}

async fn a_column_of_another_kind_is_an_error(lab: Lab) {
    let row = through(&lab, "text", "words".into()).await.expect("written");
    assert!(matches!(row.at::<i64>(0), Err(Error::Cell { .. })));
    assert!(matches!(row.get::<String>("none"), Err(Error::Cell { .. })));
    let row = through(&lab, "big", i64::MAX.into()).await.expect("written");
    assert!(row.at::<i32>(0).is_err() && row.at::<Uuid>(0).is_err());
}
