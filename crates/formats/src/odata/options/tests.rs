//! Query strings: what is read, and what is refused.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn fails(query: &str, expected: &str) {
    match Options::parse(query) {
        Ok(options) => panic!("{query} is taken: {options:?}"),
        Err(error) => assert!(error.message.contains(expected), "{query}: {error}"),
    }
}

#[track_caller]
fn filter(text: &str) -> Expr {
    Options::parse(&format!("$filter={text}"))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .wanted
        .filter
        .unwrap()
}

#[test]
fn options_are_read() {
    let options = Options::parse(
        "%24filter=LogicalName+eq+%27contact%27&$select=a,b/c&$orderby=a+asc,b%2Fc desc&$top=5&$count=true",
    )
    .unwrap();
    let wanted = &options.wanted;
    let path = |text: &str| Operand::Path(vec![text.to_owned()]);
    assert_eq!(
        wanted.filter,
        Some(Expr::Compare(path("LogicalName"), Sign::Eq, Operand::Literal(Literal::Text("contact".into()))))
    );
    assert_eq!(wanted.select.as_deref(), Some(["a".to_owned(), "b/c".to_owned()].as_slice()));
    assert_eq!(
        wanted.order.iter().map(|key| (key.path.join("/"), key.descending)).collect::<Vec<_>>(),
        [("a".into(), false), ("b/c".into(), true)]
    );
    assert_eq!((wanted.top, wanted.count), (Some(5), true));
    let options = Options::parse("fetchXml=%3Cfetch%2F%3E&savedQuery=70bf4d48-34cb-ed11-b596-0022481d68cd&tag=x&annotations=true&sql=SELECT+1&@p1='x'").unwrap();
    assert_eq!(options.fetch_xml.as_deref(), Some("<fetch/>"));
    assert!(options.saved_query.is_some());
    assert_eq!((options.tag.as_deref(), options.sql.as_deref()), (Some("x"), Some("SELECT 1")));
    assert_eq!(options.others, [("annotations".to_owned(), "true".to_owned())]);
    assert_eq!(options.format, None);
    let full = "application/json;odata.metadata=full";
    assert_eq!(Options::parse(&format!("$format={full}")).unwrap().format.as_deref(), Some(full));
    assert_eq!(options.alias("p1"), Ok(Some(Literal::Text("x".into()))));
    assert_eq!(options.alias("p2"), Ok(None));
    let options =
        Options::parse("$skiptoken=%3Ccookie%2F%3E&$deltatoken=919042%2108%2f22&$id=contacts(1)&$select=")
            .unwrap();
    assert_eq!(options.skip_token.as_deref(), Some("<cookie/>"));
    assert_eq!(options.delta_token.as_deref(), Some("919042!08/22"));
    assert_eq!((options.id.as_deref(), options.wanted.select), (Some("contacts(1)"), None));
    assert_eq!(Options::parse("").unwrap(), Options::default());
    assert_eq!(Options::parse("$select=*").unwrap().wanted.select, None);
}

#[test]
fn aliases_of_functions() {
    let text = "@p1={\"Properties\":{\"PropertyNames\":[\"LogicalName\"]},\"Criteria\":{\"Conditions\":[{\"Value\":{\"Value\":\"it's\"}}]}}";
    let options = Options::parse(text).unwrap();
    assert_eq!(options.alias("p1"), Ok(Some(Literal::Json(text[4..].into()))));
    let options = Options::parse(
        "@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'&@p2={'@odata.id':'x''y'}&@p3=[{'a':1}]",
    )
    .unwrap();
    assert!(matches!(options.alias("p1"), Ok(Some(Literal::Enum(..)))));
    assert_eq!(options.alias("p2"), Ok(Some(Literal::Json("{\"@odata.id\":\"x'y\"}".into()))));
    assert_eq!(options.alias("p3"), Ok(Some(Literal::List(vec![Literal::Json("{\"a\":1}".into())]))));
}

#[test]
fn expansions() {
    let text = "$expand=a($select=x,y;$filter=contains(x,';)');$orderby=y desc;$top=2;$count=true;$expand=b($select=z)),c/$ref,d";
    let expand = Options::parse(text).unwrap().wanted.expand;
    assert_eq!(expand.iter().map(|one| one.navigation.as_str()).collect::<Vec<_>>(), ["a", "c", "d"]);
    assert_eq!(expand[0].wanted.expand[0].wanted.select.as_deref(), Some(["z".to_owned()].as_slice()));
    assert_eq!((expand[0].wanted.top, expand[0].wanted.count, expand[1].reference), (Some(2), true, true));
    fails("$expand=a($skip=1)", "not supported in $expand");
    fails("$expand=a($top=1;$top=2)", "more than once");
    fails("$expand=a($top=1", "Syntax error");
    fails("$expand=a,", "Syntax error");
}

#[test]
fn refusals() {
    fails("$skip=1", "Skip Clause is not supported in CRM");
    fails("$nonsense=1", "The query parameter '$nonsense' is not supported.");
    fails("$top=1&$top=2", "more than once");
    fails("$top=-1", "$top");
    fails("$top=x", "$top");
    fails("$count=1", "$count");
    fails("$format=atom", "only json");
    fails("savedQuery=x", "not a GUID");
    fails("$filter=name eqq", "Syntax error at position 5 in 'name eqq'.");
    fails("$filter=name eq", "Expression expected at position 7 in 'name eq'.");
    fails("$filter=name eq 'x", "There is an unterminated string literal at position 8 in 'name eq 'x'.");
    fails("$filter=name eq #", "");
    fails("$filter=name eq %23", "Syntax error: character '#' is not valid at position 8");
    fails("$filter=(name eq 1", "')' or operator expected at position 10");
    fails("$filter=5", "single boolean value");
    fails("$filter=tolower(name) eq 'x'", "An unknown function with name 'tolower' was found.");
    fails("$filter=name eq @p1", "The parameter alias '@p1' has no value");
    fails("$filter=name eq @p1&@p1=@p2&@p2=1", "has no value");
    fails("$filter=%ff", "not UTF-8");
    fails("$apply=compute(a)", "not supported in $apply");
    fails("$apply=aggregate(a with median as b)", "expected at position");
    fails("$apply=aggregate($count as n,$count as n)", "stands for two");
    fails("$apply=groupby((a))/filter(b eq 1)", "Syntax error");
    fails(&format!("$filter=name eq '{}'", "x".repeat(70_000)), "longer than");
}

#[test]
fn injections_stay_values() {
    let text = |value: &str| Operand::Literal(Literal::Text(value.into()));
    for (written, value) in [
        ("''' or 1 eq 1 or '''", "' or 1 eq 1 or '"),
        ("'x''; DROP TABLE contact; --'", "x'; DROP TABLE contact; --"),
        ("'%00'", "\0"),
        ("'/* */'", "/* */"),
        ("'%26$top=1'", "&$top=1"),
    ] {
        let name = Operand::Path(vec!["name".into()]);
        assert_eq!(filter(&format!("name eq {written}")), Expr::Compare(name, Sign::Eq, text(value)));
    }
    fails("$filter=name eq 'x' or 1 eq 1 -- ", "Syntax error");
    fails("$filter=name eq 'x'; select 1", "Syntax error");
    fails("$filter=name%00 eq 'x'", "is not valid");
    fails("$filter=name/**/eq 'x'", "Syntax error");
}

#[test]
fn deep_nesting_is_refused_without_overflow() {
    let deep = |open: &str, close: &str, times: usize| {
        format!("$filter={}a eq 1{}", open.repeat(times), close.repeat(times))
    };
    assert!(Options::parse(&deep("(", ")", 90)).is_ok());
    for (open, close) in [("(", ")"), ("not ", ""), ("not(", ")"), ("a/any(b:", ")")] {
        fails(&deep(open, close, 5000), "Recursion depth exceeded");
    }
    fails(&format!("$expand={}", "a($expand=".repeat(5000)), "Recursion depth exceeded");
    fails(&format!("$filter=a eq {}", "[".repeat(5000)), "Recursion depth exceeded");
    // A long chain is flat.
    assert!(Options::parse(&format!("$filter={}", vec!["a eq 1"; 5000].join(" or "))).is_ok());
}

#[test]
fn a_long_alias_used_often_is_refused() {
    let uses = vec!["a eq @p"; 4000].join(" or ");
    fails(&format!("$filter={uses}&@p='{}'", "x".repeat(1000)), "text of all parameter aliases");
}

proptest! {
    #[test]
    fn any_query_is_read_or_refused(query in "\\PC{0,80}") {
        let _ = Options::parse(&query);
    }

    #[test]
    fn any_filter_is_read_or_refused(text in "((a|not|eq|and|or|any|contains|null|true|1|'x'|\\(|\\)|/|:|,|@p|\\[|\\]|\\{|\\}|\"|'| |-|\\$it|é){0,3} ?){0,20}") {
        for option in ["filter", "orderby", "select", "expand", "apply", "top", "count"] {
            let _ = Options::parse(&format!("${option}={text}&@p='y'"));
        }
    }

    #[test]
    fn any_text_survives_as_a_literal(value in any::<String>()) {
        let query = format!("$filter={}", crate::odata::text::encode(&format!("a eq {}", crate::odata::text::quoted(&value))));
        let expected = Expr::Compare(Operand::Path(vec!["a".into()]), Sign::Eq, Operand::Literal(Literal::Text(value)));
        prop_assert_eq!(Options::parse(&query).unwrap().wanted.filter, Some(expected));
    }
}
