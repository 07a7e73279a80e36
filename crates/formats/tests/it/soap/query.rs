//! `QueryExpression` and `QueryByAttribute`.

use postroom_core::Value;
use postroom_core::query::{
    Aggregate, Comparison, DatePart, Filter, Function, Group, Join, Link, Operator, Query,
};
use postroom_formats::fetchxml::Fetch;
use postroom_formats::soap::Generation;
use postroom_formats::soap::operation::Operation;
use postroom_formats::soap::query::{AnyQuery, Form};
use postroom_formats::xml::{self, Limits};

use super::captures::read;

/// Through text and back.
#[track_caller]
fn check(query: AnyQuery) {
    let operation = Operation::RetrieveMultiple(query.clone());
    let text = xml::write(&operation.write(Generation::Dataverse));
    let Operation::RetrieveMultiple(again) =
        Operation::read(&xml::read(&text, &Limits::default()).unwrap()).unwrap()
    else {
        panic!("a query")
    };
    assert_eq!((again.form(), again.get()), (query.form(), query.get()), "{text}");
}

#[track_caller]
fn expression(query: Query) {
    check(AnyQuery::expression(Fetch::of(query.clone())).unwrap());
    check(AnyQuery::fetch_expression(textual(Fetch::of(query))).unwrap());
}

/// FetchXML has no types: what comes back is text.
fn textual(mut fetch: Fetch) -> Fetch {
    fetch.query.filter = Filter::Null("a".into());
    fetch
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

#[test]
fn what_the_sdk_sends_by_default_is_the_first_page() {
    let Operation::RetrieveMultiple(query) =
        Operation::read(&read("request_retrieve_multiple_soap11").body).unwrap()
    else {
        panic!("a query")
    };
    assert_eq!(query.form(), Form::Expression);
    let expected = Query::of("account").select(&["name", "emailaddress1"]);
    assert_eq!(query.get(), &Fetch::of(expected));
}

#[test]
fn conditions() {
    let a = || "a".to_owned();
    for filter in [
        Filter::eq("a", 1),
        Filter::eq("acc.a", "x"),
        Filter::Compare(a(), Comparison::Ne, Value::Decimal("1.5".into())),
        Filter::Compare(a(), Comparison::Contains, "x".into()),
        not(Filter::Compare(a(), Comparison::StartsWith, "x".into())),
        Filter::Columns(a(), Comparison::Lt, "b".into()),
        Filter::In(a(), vec![1.into(), 2.into()]),
        not(Filter::In(a(), vec![])),
        not(Filter::Null(a())),
        not(Filter::Like(a(), "x%".into())),
        Filter::All(vec![
            Filter::Compare(a(), Comparison::Ge, 1.into()),
            Filter::Compare(a(), Comparison::Le, 9.into()),
        ]),
        Filter::All(vec![
            Filter::Null(a()),
            Filter::Any(vec![Filter::eq("a", true), Filter::Null("b".into())]),
        ]),
        Filter::Linked(Box::new(Link::new("task", "regardingobjectid", "contactid", "t").join(Join::NotAny))),
    ] {
        let link = Link::new("account", "accountid", "parentcustomerid", "acc");
        expression(Query::of("contact").filter(filter).link(link));
    }
}

#[test]
fn every_platform_operator() {
    for operator in Operator::ALL {
        expression(Query::of("contact").filter(Filter::Operator("a".into(), *operator, vec![3.into()])));
    }
}

#[test]
fn links_orders_and_pages() {
    let mut link =
        Link::new("account", "accountid", "parentcustomerid", "acc").join(Join::Outer).select(&["name"]);
    link.filter = Filter::eq("statecode", 0);
    link.links.push(Link::new("systemuser", "systemuserid", "ownerid", "u").join(Join::Any));
    let mut query = Query::of("contact").select(&["fullname"]).link(link).order_by("fullname", true).top(5);
    query = query.order_by("acc.name", false);
    query.distinct = true;
    let fetch = Fetch {
        page: 3,
        count: Some(50),
        cookie: Some("<cookie page=\"2\"/>".into()),
        total: true,
        ..Fetch::of(query)
    };
    check(AnyQuery::expression(fetch.clone()).unwrap());
    check(AnyQuery::fetch_expression(Fetch { cookie: None, ..textual(Fetch::of(Query::of("a"))) }).unwrap());
}

#[test]
fn aggregates() {
    let mut query = Query::of("opportunity");
    query.columns = Some(Vec::new());
    query.aggregates = vec![Aggregate { column: "value".into(), function: Function::Sum, alias: "s".into() }];
    query.groups = vec![Group { column: "createdon".into(), alias: "m".into(), part: Some(DatePart::Month) }];
    query = query.order_by("m", false);
    check(AnyQuery::expression(Fetch::of(query)).unwrap());
}

#[test]
fn by_attribute() {
    let filter = Filter::All(vec![Filter::eq("a", "x"), Filter::Null("b".into())]);
    check(AnyQuery::by_attribute(Fetch::of(Query::of("contact").select(&["a"]).filter(filter))).unwrap());
    let other = Filter::Compare("a".into(), Comparison::Ne, "x".into());
    assert!(AnyQuery::by_attribute(Fetch::of(Query::of("contact").filter(other))).is_err());
}

#[test]
fn a_link_without_an_alias_gets_one() {
    let link = Link::new("account", "accountid", "parentcustomerid", "");
    let query = AnyQuery::expression(Fetch::of(Query::of("contact").link(link))).unwrap();
    let text = xml::write(&Operation::RetrieveMultiple(query).write(Generation::Crm2011));
    let Ok(Operation::RetrieveMultiple(query)) =
        Operation::read(&xml::read(&text, &Limits::default()).unwrap())
    else {
        panic!("a query")
    };
    assert_eq!(query.get().query.links[0].alias, "account1");
}

#[test]
fn what_has_no_words_is_refused_when_it_is_made() {
    let week = not(Filter::Operator("a".into(), Operator::Last7Days, vec![]));
    assert!(AnyQuery::expression(Fetch::of(Query::of("a").filter(week))).is_err());
    let renamed = Fetch { renamed: vec![("a".into(), "b".into())], ..Fetch::of(Query::of("a")) };
    assert!(AnyQuery::expression(renamed).is_err());
}
