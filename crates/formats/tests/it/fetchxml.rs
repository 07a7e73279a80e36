//! FetchXML: what each form means in the query tree, that it is written back, and that no text makes it panic.

use postroom_core::Value;
use postroom_core::query::{
    Aggregate, Comparison, DatePart, Filter, Function, Group, Join, Link, Operator, Order, Query,
};
use postroom_formats::fetchxml::{Cookie, Error, Fetch, Key, from_annotation, parse, write};
use proptest::prelude::*;

fn contact() -> Query {
    Query::of("contact").select(&["fullname"])
}

/// `inner` stands behind `<attribute name="fullname"/>` in the entity; the query is written and read again as well.
#[track_caller]
fn check(inner: &str, expected: Query) {
    let text = format!("<fetch><entity name='contact'><attribute name='fullname'/>{inner}</entity></fetch>");
    let fetch = parse(&text).unwrap();
    assert_eq!(fetch.query, expected);
    assert_eq!(parse(&write(&fetch).unwrap()).unwrap(), fetch, "{}", write(&fetch).unwrap());
}

#[track_caller]
fn condition(inner: &str, expected: Filter) {
    check(&format!("<filter>{inner}</filter>"), contact().filter(expected));
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

fn compare(comparison: Comparison) -> Filter {
    Filter::Compare("a".into(), comparison, "x".into())
}

fn text(values: &[&str]) -> Vec<Value> {
    values.iter().map(|value| Value::text(*value)).collect()
}

#[test]
fn the_tree_s_own_operators() {
    use Comparison::*;
    let one = |operator: &str| format!("<condition attribute='a' operator='{operator}' value='x'/>");
    for (operator, comparison) in [
        ("eq", Eq),
        ("ne", Ne),
        ("neq", Ne),
        ("lt", Lt),
        ("le", Le),
        ("gt", Gt),
        ("ge", Ge),
        ("begins-with", StartsWith),
        ("ends-with", EndsWith),
    ] {
        condition(&one(operator), compare(comparison));
    }
    condition(&one("not-begin-with"), not(compare(StartsWith)));
    condition(&one("not-end-with"), not(compare(EndsWith)));
    condition(&one("like"), Filter::Like("a".into(), "x".into()));
    condition(&one("not-like"), not(Filter::Like("a".into(), "x".into())));
}

#[test]
fn operators_with_other_numbers_of_values() {
    let two = |operator: &str| {
        format!("<condition attribute='a' operator='{operator}'><value>1</value><value>2</value></condition>")
    };
    let between = Filter::All(vec![
        Filter::Compare("a".into(), Comparison::Ge, "1".into()),
        Filter::Compare("a".into(), Comparison::Le, "2".into()),
    ]);
    condition(&two("in"), Filter::In("a".into(), text(&["1", "2"])));
    condition(&two("not-in"), not(Filter::In("a".into(), text(&["1", "2"]))));
    condition(&two("between"), between.clone());
    condition(&two("not-between"), not(between));
    condition("<condition attribute='a' operator='null'/>", Filter::Null("a".into()));
    condition("<condition attribute='a' operator='not-null' value=''/>", not(Filter::Null("a".into())));
}

#[test]
fn every_platform_operator_reads_and_writes() {
    for operator in Operator::ALL {
        let name = operator.fetch_name();
        condition(
            &format!("<condition attribute='a' operator='{name}' value='3'/>"),
            Filter::Operator("a".into(), *operator, text(&["3"])),
        );
    }
}

#[test]
fn columns_beside_columns() {
    condition(
        "<condition attribute='firstname' operator='eq' valueof='lastname'/>",
        Filter::Columns("firstname".into(), Comparison::Eq, "lastname".into()),
    );
}

#[test]
fn filters_within_filters() {
    let c = "<condition attribute='a' operator='null'/>";
    let null = || Filter::Null("a".into());
    check(&format!("<filter type='or'>{c}{c}</filter>"), contact().filter(Filter::Any(vec![null(), null()])));
    check("<filter type='or'/><filter><filter type='or'/></filter>", contact());
    check(
        &format!("<filter>{c}<filter type='or'>{c}{c}</filter></filter>"),
        contact().filter(Filter::All(vec![null(), Filter::Any(vec![null(), null()])])),
    );
    check(
        &format!("<filter>{c}</filter><filter>{c}</filter>"),
        contact().filter(Filter::All(vec![null(), null()])),
    );
}

#[test]
fn links_nest_and_get_aliases() {
    let inner = Link::new("systemuser", "systemuserid", "owninguser", "systemuser2").join(Join::Outer);
    let mut link = Link::new("account", "accountid", "parentcustomerid", "account1").select(&["name"]);
    link.links.push(inner);
    check(
        "<link-entity name='account' from='accountid' to='parentcustomerid'><attribute name='name'/>
         <link-entity name='systemuser' from='systemuserid' to='owninguser' link-type='outer'/></link-entity>",
        contact().link(link),
    );
}

#[test]
fn a_made_alias_is_unlike_the_given_ones() {
    let text = "<link-entity name='account' from='a' to='b'/><link-entity name='lead' from='a' to='b' alias='account1'/>";
    let given = Link::new("lead", "a", "b", "account1");
    check(text, contact().link(Link::new("account", "a", "b", "account2")).link(given));
}

#[test]
fn conditions_on_aliases_and_on_a_link_s_table() {
    let link = || Link::new("account", "accountid", "parentcustomerid", "acc");
    let of = |name: &str| {
        format!(
            "<filter><condition entityname='{name}' attribute='statecode' operator='eq' value='0'/></filter>
             <link-entity name='account' from='accountid' to='parentcustomerid' alias='acc'/>"
        )
    };
    let expected = |column: &str| contact().filter(Filter::eq(column, "0")).link(link());
    check(&of("acc"), expected("acc.statecode"));
    check(&of("account"), expected("acc.statecode"));
    check(&of("contact"), expected("statecode"));
}

#[test]
fn links_that_only_ask_whether() {
    let of = |kind: &str| {
        format!(
            "<link-entity name='task' from='regardingobjectid' to='contactid' alias='t' link-type='{kind}'/>"
        )
    };
    let link = |join| Link::new("task", "regardingobjectid", "contactid", "t").join(join);
    let linked = |join| Filter::Linked(Box::new(link(join)));
    for kind in ["exists", "in", "any", "matchfirstrowusingcrossapply"] {
        check(&of(kind), contact().link(link(Join::Any)));
    }
    check(&of("not any"), contact().link(link(Join::NotAny)));
    for kind in ["any", "not all", "exists"] {
        condition(&of(kind), linked(Join::Any));
    }
    condition(&of("not any"), linked(Join::NotAny));
    let mut there = link(Join::Any);
    there.alias = "t_there".into();
    let all = Filter::All(vec![Filter::Linked(Box::new(there)), linked(Join::NotAny)]);
    condition(&of("all"), all.clone());
    check(&of("all"), contact().filter(all));
}

#[test]
fn the_first_of_several_linked_rows() {
    let kind = "matchfirstrowusingcrossapply";
    let link =
        |join| Link::new("task", "regardingobjectid", "contactid", "t").select(&["subject"]).join(join);
    check(
        &format!(
            "<link-entity name='task' from='regardingobjectid' to='contactid' alias='t' link-type='{kind}'>
             <attribute name='subject'/></link-entity>"
        ),
        contact().link(link(Join::First)),
    );
    // Along a lookup there is only one.
    let account = Link::new("account", "accountid", "parentcustomerid", "a").select(&["name"]);
    check(
        &format!(
            "<link-entity name='account' from='accountid' to='parentcustomerid' alias='a' link-type='{kind}'>
             <attribute name='name'/></link-entity>"
        ),
        contact().link(account),
    );
}

#[test]
fn orders() {
    let expected = contact().order_by("fullname", false).order_by("acc.name", true);
    check(
        "<order attribute='fullname'/><order entityname='acc' attribute='name' descending='true'/>
         <link-entity name='account' from='a' to='b' alias='acc'><order attribute='city'/></link-entity>",
        expected.link(Link {
            order: vec![Order { column: "city".into(), descending: false }],
            ..Link::new("account", "a", "b", "acc")
        }),
    );
}

#[test]
fn aggregates() {
    let fetch = parse(
        "<fetch aggregate='true' distinct='false'><entity name='opportunity'>
         <attribute name='opportunityid' alias='n' aggregate='count'/>
         <attribute name='name' alias='d' aggregate='countcolumn' distinct='true'/>
         <attribute name='createdon' alias='m' groupby='true' dategrouping='month'/>
         <order alias='m' descending='true'/>
         <link-entity name='account' from='accountid' to='customerid' alias='acc'>
         <attribute name='revenue' alias='r' aggregate='avg'/></link-entity></entity></fetch>",
    )
    .unwrap();
    let aggregate = |column: &str, function, alias: &str| Aggregate {
        column: column.into(),
        function,
        alias: alias.into(),
    };
    assert_eq!(
        fetch.query.aggregates,
        [
            aggregate("opportunityid", Function::Count, "n"),
            aggregate("name", Function::CountDistinct, "d"),
            aggregate("acc.revenue", Function::Average, "r"),
        ]
    );
    let group = Group { column: "createdon".into(), alias: "m".into(), part: Some(DatePart::Month) };
    assert_eq!(fetch.query.groups, [group]);
    assert_eq!(fetch.query.order, [Order { column: "m".into(), descending: true }]);
    assert_eq!(parse(&write(&fetch).unwrap()), Ok(fetch));
}

#[test]
fn what_stands_on_the_fetch_itself() {
    let fetch = parse(
        "<fetch version='1.0' output-format='xml-platform' mapping='logical' count='50' page='2' top='10' distinct='true'
          paging-cookie='&lt;cookie page=&quot;1&quot;/&gt;' no-lock='true' returntotalrecordcount='true'>
         <entity name='contact'><all-attributes/></entity></fetch>",
    )
    .unwrap();
    let mut query = Query::of("contact").top(10);
    query.distinct = true;
    let cookie = Some("<cookie page=\"1\"/>".to_owned());
    let expected = Fetch { count: Some(50), page: 2, cookie, total: true, ..Fetch::of(query) };
    assert_eq!(fetch, expected);
    assert_eq!(parse(&write(&fetch).unwrap()), Ok(fetch));
}

#[test]
fn columns_wanted_and_renamed() {
    let columns = |inner: &str| {
        let fetch = parse(&format!("<fetch><entity name='contact'>{inner}</entity></fetch>")).unwrap();
        assert_eq!(parse(&write(&fetch).unwrap()), Ok(fetch.clone()));
        (fetch.query.columns, fetch.renamed)
    };
    assert_eq!(columns(""), (None, vec![]));
    assert_eq!(columns("<no-attrs/>"), (Some(vec![]), vec![]));
    let renamed = vec![("fullname".to_owned(), "n".to_owned())];
    assert_eq!(
        columns("<attribute name='fullname' alias='n'/>"),
        (Some(vec!["fullname".to_owned()]), renamed)
    );
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = parse(text).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_is_refused() {
    let condition = |inner: &str| {
        format!("<fetch><entity name='a'><filter><condition {inner}/></filter></entity></fetch>")
    };
    refused("<entity name='a'/>", "<entity> where <fetch>");
    refused("<fetch/>", "<entity> must stand");
    refused("<fetch><entity/></fetch>", "no attribute \"name\"");
    refused("<!DOCTYPE x []><fetch/>", "document type definition");
    refused(&condition("attribute='a' operator='equals' value='1'"), "\"equals\" is no operator");
    refused(&condition("attribute='a' operator='eq'"), "takes one value");
    refused(&condition("attribute='a' operator='between' value='1'"), "takes two values");
    refused(&condition("entityname='x' attribute='a' operator='null'"), "\"x\" is no entityname");
    refused("<fetch aggregate='true'><entity name='a'><attribute name='b'/></entity></fetch>", "\"alias\"");
    refused("<fetch page='x'><entity name='a'/></fetch>", "\"x\" is no page");
    let link = "<link-entity name='b' from='c' to='d' alias='e'/>";
    refused(&format!("<fetch><entity name='a'>{link}{link}</entity></fetch>"), "\"e\" stands twice");
}

#[test]
fn what_fetchxml_cannot_say_is_not_written() {
    let week = not(Filter::Operator("a".into(), Operator::Last7Days, vec![]));
    assert!(matches!(write(&Fetch::of(Query::of("a").filter(week))), Err(Error::Unsupported(_))));
    assert!(matches!(
        write(&Fetch::of(Query::of("a").filter(Filter::Any(vec![])))),
        Err(Error::Unsupported(_))
    ));
}

#[test]
fn contains_is_written_as_a_pattern_that_means_it() {
    let contains = Filter::Compare("a".into(), Comparison::Contains, "5%_[".into());
    let text = write(&Fetch::of(Query::of("contact").filter(contains))).unwrap();
    assert_eq!(parse(&text).unwrap().query.filter, Filter::Like("a".into(), "%5[%][_][[]%".into()));
}

const RAW: &str = "<cookie page=\"1\"><fullname last=\"B &amp; C\" first=\"A\" /><contactid last=\"{BC73E579-2D98-E311-AD92-6C3BE5A8AD70}\" first=\"{7BF2E032-AD92-E311-9752-6C3BE5A87DF0}\" /></cookie>";

#[test]
fn cookies() {
    let cookie = Cookie::parse(RAW).unwrap();
    assert_eq!((cookie.page, cookie.keys[0].last.as_deref()), (1, Some("B & C")));
    assert_eq!(cookie.write(), RAW);
    let annotation = cookie.annotation();
    let start =
        "<cookie pagenumber=\"2\" pagingcookie=\"%253ccookie%2520page%253d%25221%2522%253e%253cfullname";
    assert!(annotation.starts_with(start), "{annotation}");
    assert!(annotation.ends_with("\" istracking=\"False\" />"), "{annotation}");
    assert_eq!(from_annotation(&annotation), Ok((2, cookie.clone())));
    assert_eq!(Cookie::parse(&RAW.replace('&', "&amp;").replace('<', "&lt;")), Ok(cookie));
    let null = Cookie { page: 3, keys: vec![Key { column: "a".into(), last: None, first: None }] };
    assert_eq!(null.write(), "<cookie page=\"3\"><a lastnull=\"1\" firstnull=\"1\" /></cookie>");
    assert_eq!(Cookie::parse(&null.write()), Ok(null));
    for bad in ["", "x", "%", "<a/>", "<cookie page='x'/>"] {
        assert!(Cookie::parse(bad).is_err(), "{bad}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z_]{0,8}"
}

fn leaf() -> impl Strategy<Value = Filter> {
    use Comparison::*;
    let comparison = prop::sample::select(vec![Eq, Ne, Lt, Le, Gt, Ge, StartsWith, EndsWith]);
    let text = "[^\\p{C}]{0,6}";
    let values = prop::collection::vec(text.prop_map(Value::Text), 0..4);
    prop_oneof![
        (name(), comparison.clone(), text).prop_map(|(c, how, v)| Filter::Compare(c, how, Value::Text(v))),
        (name(), comparison, name()).prop_map(|(c, how, other)| Filter::Columns(c, how, other)),
        (name(), values.clone()).prop_map(|(c, values)| Filter::In(c, values)),
        (name(), values.clone()).prop_map(|(c, values)| not(Filter::In(c, values))),
        name().prop_map(Filter::Null),
        (name(), text).prop_map(|(c, pattern)| not(Filter::Like(c, pattern))),
        (name(), prop::sample::select(Operator::ALL), values).prop_map(|(c, o, v)| Filter::Operator(c, o, v)),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(3, 12, 4, |inner| {
        let several = prop::collection::vec(inner, 2..4);
        prop_oneof![several.clone().prop_map(Filter::All), several.prop_map(Filter::Any)]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_as_it_was(
        filter in filter(), linked in filter(), page in 1..9u32, count in prop::option::of(1..5000u32), total: bool,
        columns in prop::option::of(prop::collection::vec(name(), 0..3)),
    ) {
        let mut query = Query::of("contact").filter(filter).link(Link::new("account", "a", "b", "acc").filter(linked));
        query.columns = columns;
        let fetch = Fetch { page, count, total, ..Fetch::of(query) };
        prop_assert_eq!(parse(&write(&fetch).unwrap()), Ok(fetch));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(<|>|/|fetch|entity|filter|condition|link-entity|operator|attribute|=|'|\"| |eq|in|&|;|x|:|!|\\PC){0,40}") {
        let _ = (parse(&text), Cookie::parse(&text), from_annotation(&text));
    }

    #[test]
    fn no_fetch_makes_it_panic(inner in "(<filter>|</filter>|<condition |attribute='a' |operator='(in|eq|null|between)' |value='1'|/>|<link-entity |name='b' |from='c' to='d'|>|</link-entity>){0,12}") {
        let _ = parse(&format!("<fetch><entity name='a'>{inner}</entity></fetch>"));
    }
}
