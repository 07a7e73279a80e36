//! Queries as URLs, and back again.

use postroom_core::query::{Aggregate, Comparison as C, Join, Link, Operator};
use postroom_core::{RecordRef, Value};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::odata::options::Options;
use crate::odata::resolve;
use crate::odata::resolve::fixture::metadata;

const ID: &str = "70bf4d48-34cb-ed11-b596-0022481d68cd";

fn written(asked: &Query) -> Result<String, Unsayable> {
    query(&metadata(), asked).map(|text| super::super::text::decode(&text).unwrap().into_owned())
}

fn contacts(filter: Filter) -> Query {
    Query::of("contact").filter(filter)
}

fn compare(column: &str, comparison: C, value: impl Into<Value>) -> Filter {
    Filter::Compare(column.into(), comparison, value.into())
}

/// A condition on contacts.
#[track_caller]
fn check(filter: Filter, expected: &str) {
    assert_eq!(written(&contacts(filter)).unwrap(), format!("$filter={expected}"));
}

#[track_caller]
fn refused(query: &Query, what: &str) {
    let error = written(query).expect_err("it is said");
    assert!(error.what.contains(what), "{error}");
}

#[test]
fn conditions() {
    check(compare("fullname", C::Eq, "O'Brien"), "fullname eq 'O''Brien'");
    check(
        compare("ownerid", C::Eq, RecordRef::new("systemuser", ID.parse().unwrap())),
        &format!("_ownerid_value eq {ID}"),
    );
    check(compare("contactid", C::Ne, ID), &format!("contactid ne {ID}"));
    check(compare("statuscode", C::Ge, "2"), "statuscode ge 2");
    check(compare("birthdate", C::Lt, "2026-01-31"), "birthdate lt 2026-01-31");
    check(compare("fullname", C::Contains, "50%_[x]"), "contains(fullname,'50[%][_][[]x]')");
    check(Filter::Like("fullname".into(), "a%b%".into()), "startswith(fullname,'a%b')");
    check(Filter::Not(Box::new(Filter::Null("ownerid".into()))), "_ownerid_value ne null");
    check(
        Filter::In("statuscode".into(), vec![1.into(), 2.into()]),
        r#"Microsoft.Dynamics.CRM.In(PropertyName='statuscode',PropertyValues=["1","2"])"#,
    );
    check(Filter::In("statuscode".into(), vec![]), "contactid eq null");
    check(
        Filter::Operator("createdon".into(), Operator::LastXDays, vec![7.into()]),
        "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=7)",
    );
    let both = vec![
        compare("firstname", C::Eq, "a"),
        Filter::Any(vec![compare("lastname", C::Eq, "b"), Filter::Null("fullname".into())]),
    ];
    check(Filter::All(both), "firstname eq 'a' and (lastname eq 'b' or fullname eq null)");
}

#[test]
fn rows_of_lookups() {
    let link = |join, filter| {
        let link = Link::new("account", "accountid", "parentcustomerid", "x").join(join);
        Filter::Linked(Box::new(link.filter(filter)))
    };
    let key = "parentcustomerid_account/accountid ne null";
    check(link(Join::Any, Filter::All(vec![])), key);
    let name = compare("name", C::Eq, "x");
    check(link(Join::Any, name.clone()), &format!("{key} and parentcustomerid_account/name eq 'x'"));
    check(link(Join::NotAny, name.clone()), &format!("not ({key} and parentcustomerid_account/name eq 'x')"));
    let either = Filter::Any(vec![link(Join::Any, name), Filter::Null("fullname".into())]);
    check(either, &format!("({key} and parentcustomerid_account/name eq 'x') or fullname eq null"));
}

#[test]
fn the_whole_is_encoded() {
    let asked = contacts(compare("fullname", C::Eq, "a&b=c+d#e%f;é \""))
        .select(&["fullname", "ownerid"])
        .order_by("createdon", true)
        .top(3);
    let text = query(&metadata(), &asked).unwrap();
    assert_eq!(
        text,
        "$select=fullname,_ownerid_value&$filter=fullname%20eq%20'a%26b%3Dc%2Bd%23e%25f%3B%C3%A9%20%22'&$orderby=createdon%20desc&$top=3"
    );
}

#[test]
fn what_odata_cannot_say() {
    let account = Link::new("account", "accountid", "parentcustomerid", "a");
    refused(&Query::of("contact").link(account.clone()), "an inner join of account");
    refused(
        &Query::of("contact").link(account.clone().join(Join::Outer).select(&["name"])),
        "columns, order or conditions",
    );
    refused(&Query::of("contact").link(Link { to: "ownerid".into(), ..account }), "without a relationship");
    refused(&Query { distinct: true, ..Query::of("contact") }, "stand once");
    refused(&contacts(Filter::Like("fullname".into(), "a%b".into())), "open at neither end");
    refused(
        &contacts(Filter::Columns("firstname".into(), C::Contains, "lastname".into())),
        "one column in another",
    );
    refused(&contacts(compare("nothing", C::Eq, 1)), "the unknown column nothing");
    refused(&contacts(compare("x.y", C::Eq, 1)), "the unknown column x.y");
    refused(&contacts(compare("rate", C::Eq, Value::Decimal("1 or 1 eq 1".into()))), "this value of rate");
    refused(&contacts(compare("statuscode", C::Eq, "1 or 1 eq 1")), "this value of statuscode");
    refused(&contacts(compare("latitude", C::Eq, f64::NAN)), "this value of latitude");
    refused(&Query::of("nothing"), "unknown table");
    let count = |alias: &str, function| Query {
        aggregates: vec![Aggregate { column: "fullname".into(), function, alias: alias.into() }],
        ..Query::of("contact")
    };
    refused(&count("a b", Function::Count), "for an aggregate");
    refused(&count("n", Function::CountColumn), "not null");
}

/// What is read from `text` must be read from what is written of it.
fn comes_back(table: &str, text: &str) -> Result<(), String> {
    let metadata = metadata();
    let read = |text: &str| {
        let options = Options::parse(text).map_err(|error| format!("{text}: {error}"))?;
        resolve::plan(&metadata, table, &options).map_err(|error| format!("{text}: {error}"))
    };
    let first = read(text)?;
    let said = plan(&metadata, &first).map_err(|error| format!("{text}: {error}"))?;
    let again = read(&said).map_err(|error| format!("{text} is said as {error}"))?;
    // How the client spelt its columns is no part of a query.
    let same = first.query == again.query && first.count == again.count;
    let expanded = |plan: &Plan| {
        plan.expand
            .iter()
            .map(|one| (one.navigation.clone(), one.query.clone(), one.count))
            .collect::<Vec<_>>()
    };
    match same && expanded(&first) == expanded(&again) {
        true => Ok(()),
        false => Err(format!("{text} is said as {said}\n{first:#?}\n{again:#?}")),
    }
}

#[test]
fn requests_come_back() {
    for (table, text) in [
        ("contact", ""),
        (
            "contact",
            "$select=fullname,_parentcustomerid_value&$orderby=parentcustomerid_account/name desc,fullname&$top=5&$count=true",
        ),
        (
            "account",
            "$expand=primarycontactid($select=fullname;$expand=ownerid),Account_Tasks($filter=subject eq 'a;b)';$top=2;$orderby=subject;$count=true)",
        ),
        (
            "account",
            "$apply=filter(statuscode eq 1)/groupby((primarycontactid/fullname,_ownerid_value),aggregate($count as n,revenue with sum as t))&$orderby=contact_fullname",
        ),
        ("account", "$apply=groupby((ownerid/fullname))"),
        ("account", "$apply=aggregate(revenue with average as a,name with countdistinct as b)&$top=1"),
        ("account", "$filter=parentaccountid/Account_Tasks/all(t:t/ownerid/fullname eq 'x')"),
        ("contact", "$filter=listcontact_association/any(l:l/listname eq 'x' or l/listname eq null)"),
        (
            "account",
            "$filter=Account_Tasks/any(t:t/Microsoft.Dynamics.CRM.In(PropertyName='ownerid/fullname',PropertyValues=['a']))",
        ),
        (
            "systemuser",
            "$filter=owned_accounts/any(a:a/Account_Tasks/any(t:t/subject eq 'x') and a/name eq 'y')",
        ),
    ] {
        comes_back(table, text).unwrap();
    }
}

/// Any condition on accounts that can be written, as text.
fn condition() -> impl Strategy<Value = String> {
    let sign = || prop::sample::select(vec!["eq", "ne", "gt", "ge", "lt", "le"]);
    let column = || {
        prop::sample::select(vec![
            "name",
            "accountnumber",
            "primarycontactid/fullname",
            "ownerid/fullname",
            "primarycontactid/createdby/fullname",
        ])
    };
    let text = || "[ -~äß€'\"&;%_]{0,8}".prop_map(|text| super::super::text::quoted(&text));
    let plain = || "[a-zäß' &;,()]{0,8}".prop_map(|text| super::super::text::quoted(&text));
    let search = prop::sample::select(vec!["contains", "startswith", "endswith"]);
    let id = any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string());
    let ids = prop::sample::select(vec!["_ownerid_value", "accountid", "primarycontactid/_ownerid_value"]);
    let list = prop::collection::vec(any::<i32>(), 1..4);
    let second = -2_000_000_000_i64..4_000_000_000;
    let call = prop::sample::select(vec!["LastXDays", "NextXYears", "OlderThanXHours", "InFiscalYear"]);
    let leaf = prop_oneof![
        (column(), sign(), text()).prop_map(|(a, b, c)| format!("{a} {b} {c}")),
        (column(), sign(), column()).prop_map(|(a, b, c)| format!("{a} {b} {c}")),
        (column(), prop::bool::ANY).prop_map(|(a, b)| format!("{a} {} null", if b { "eq" } else { "ne" })),
        (search, column(), plain()).prop_map(|(a, b, c)| format!("{a}({b},{c})")),
        (ids, sign(), id).prop_map(|(a, b, c)| format!("{a} {b} {c}")),
        (sign(), any::<i64>()).prop_map(|(a, b)| format!("numberofemployees {a} {b}")),
        (sign(), any::<i32>(), 0..100_u8).prop_map(|(a, b, c)| format!("revenue {a} {b}.{c:02}")),
        (sign(), -1e9..1e9_f64).prop_map(|(a, b)| format!("primarycontactid/latitude {a} {b}")),
        (sign(), second.clone()).prop_map(|(a, b)| format!("createdon {a} {}", jiff::Timestamp::from_second(b).unwrap())),
        (sign(), second).prop_map(|(a, b)| {
            let day = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::from_second(b).unwrap()).date();
            format!("primarycontactid/birthdate {a} {day}")
        }),
        list.prop_map(|list| format!("Microsoft.Dynamics.CRM.NotIn(PropertyName='statuscode',PropertyValues={list:?})")),
        (call, 0..1000_u16).prop_map(|(a, b)| format!("Microsoft.Dynamics.CRM.{a}(PropertyName='primarycontactid/createdon',PropertyValue={b})")),
        plain().prop_map(|text| format!("Account_Tasks/any(t:t/subject eq {text} and t/ownerid/isdisabled)")),
        plain().prop_map(|text| format!("parentaccountid/contact_customer_accounts/all(c:c/listcontact_association/any(l:contains(l/listname,{text})))")),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

proptest! {
    #[test]
    fn every_condition_comes_back(text in condition()) {
        let encoded = super::super::text::encode(&text);
        if let Err(error) = comes_back("account", &format!("$filter={encoded}")) {
            // A query may join more than it may; nothing else is refused.
            prop_assert!(error.contains("joins more than"), "{}", error);
        }
    }

    #[test]
    fn any_text_comes_back(text in any::<String>(), column in prop::sample::select(vec!["fullname", "description"])) {
        let asked = contacts(Filter::All(vec![compare(column, C::Eq, text.as_str()), Filter::In(column.into(), vec![text.as_str().into()])]));
        let said = query(&metadata(), &asked).unwrap();
        let again = resolve::plan(&metadata(), "contact", &Options::parse(&said).unwrap()).unwrap();
        prop_assert_eq!(again.query, asked);
    }
}
