//! Paths: what is read, and what is refused.

use proptest::prelude::*;

use super::*;

const ID: &str = "70bf4d48-34cb-ed11-b596-0022481d68cd";

fn name(name: &str) -> Segment {
    Segment::name(name)
}

fn with(name: &str, arguments: Vec<(Option<&str>, Literal)>) -> Segment {
    let argument = |(name, value): (Option<&str>, Literal)| Argument { name: name.map(str::to_owned), value };
    Segment::Name { name: name.into(), arguments: Some(arguments.into_iter().map(argument).collect()) }
}

fn qualified(name: &str) -> Segment {
    Segment::Qualified { name: name.into(), arguments: None }
}

fn text(text: &str) -> Literal {
    Literal::Text(text.into())
}

fn id() -> Literal {
    Literal::Guid(ID.parse().unwrap())
}

#[track_caller]
fn check(path: &str, expected: &[Segment]) {
    let found = Path::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(found.segments, expected, "{path}");
}

#[track_caller]
fn refused(path: &str) {
    assert!(Path::parse(path).is_err(), "{path} is taken");
}

#[test]
fn paths() {
    let row = || with("contacts", vec![(None, id())]);
    check("", &[]);
    check("contacts", &[name("contacts")]);
    check("contacts/", &[name("contacts")]);
    check(&format!("contacts({ID})"), &[row()]);
    check(&format!("contacts({})", ID.to_uppercase()), &[row()]);
    check(&format!("contacts%28{ID}%29"), &[row()]);
    check(&format!("contacts({{{ID}}})/fullname"), &[row(), name("fullname")]);
    check(&format!("contacts({ID})/fullname/$value"), &[row(), name("fullname"), Segment::Value]);
    check(
        &format!("contacts({ID})/parentcustomerid_account/$ref"),
        &[row(), name("parentcustomerid_account"), Segment::Ref],
    );
    check("contacts/$count", &[name("contacts"), Segment::Count]);
    check("$metadata", &[Segment::Metadata]);
    check("$batch", &[Segment::Batch]);
    check(
        "$1/primarycontactid/$ref",
        &[Segment::Content("1".into()), name("primarycontactid"), Segment::Ref],
    );
    check(
        "accounts(accountnumber='A''1',n=2)",
        &[with("accounts", vec![(Some("accountnumber"), text("A'1")), (Some("n"), Literal::Int(2))])],
    );
    check("accounts(name='a%2Fb/c')", &[with("accounts", vec![(Some("name"), text("a/b/c"))])]);
    check("accounts(name='a+b%20c')", &[with("accounts", vec![(Some("name"), text("a+b c"))])]);
    check(
        "EntityDefinitions(LogicalName='contact')/Attributes",
        &[with("EntityDefinitions", vec![(Some("LogicalName"), text("contact"))]), name("Attributes")],
    );
    check(
        "EntityDefinitions/Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
        &[name("EntityDefinitions"), qualified("PicklistAttributeMetadata")],
    );
    check(&format!("contacts({ID})/Microsoft.Dynamics.CRM.SendEmail"), &[row(), qualified("SendEmail")]);
    check("WhoAmI()", &[with("WhoAmI", vec![])]);
    check(
        "F(A='x',B=@p1)",
        &[with("F", vec![(Some("A"), text("x")), (Some("B"), Literal::Alias("p1".into()))])],
    );
    check(
        "F(A=Microsoft.Dynamics.CRM.T'Default')",
        &[with("F", vec![(Some("A"), Literal::Enum("Microsoft.Dynamics.CRM.T".into(), "Default".into()))])],
    );
    check(
        "F(A=['x',\"y\"],B=null)",
        &[with(
            "F",
            vec![(Some("A"), Literal::List(vec![text("x"), text("y")])), (Some("B"), Literal::Null)],
        )],
    );
    check(
        "F(A={'@odata.id':'accounts(1)'})",
        &[with("F", vec![(Some("A"), Literal::Json("{\"@odata.id\":\"accounts(1)\"}".into()))])],
    );
}

#[test]
fn what_is_no_path() {
    for path in [
        "/x",
        "x//y",
        "x(",
        "x)",
        "x('a",
        "x(a=)",
        "x(a=1,a=2)",
        "x;y",
        "$nonsense",
        "x(a='b'c)",
        "x y",
        "x\0",
        "%ff",
        "Other.Name.x",
        "x(a=1",
        "\u{1F4E7}",
    ] {
        refused(path);
    }
    refused(&"a/".repeat(21));
    refused(&"a".repeat(MAX_TEXT + 1));
    refused(&format!("x(a={})", "[".repeat(5000)));
}

#[test]
fn keys() {
    let key = |text: &str| Path::parse(text).unwrap().segments[0].key();
    assert_eq!(key("contacts"), Ok(None));
    assert_eq!(key(&format!("contacts('{ID}')")), Ok(Some(Key::Id(ID.parse().unwrap()))));
    assert!(key("contacts()").is_err());
    assert!(key("contacts('x')").is_err());
    assert!(key("contacts(1,a=2)").is_err());
}

#[test]
fn urls_are_cut() {
    let cut = |url: &'static str| (resource(url).version, resource(url).path, resource(url).query);
    assert_eq!(cut("https://x.example/api/data/v9.2/accounts?$top=1"), (Some("9.2"), "accounts", "$top=1"));
    assert_eq!(cut("/org/api/data/v8.1/accounts(1)/a"), (Some("8.1"), "accounts(1)/a", ""));
    assert_eq!(cut("/api/data/v9.2"), (Some("9.2"), "", ""));
    assert_eq!(cut("accounts?a=/api/data/v9.2/b"), (None, "accounts", "a=/api/data/v9.2/b"));
    assert_eq!(cut("/tasks#frag"), (None, "tasks", ""));
    assert_eq!(cut("accounts(n='/api/data/v9.2/x')"), (None, "accounts(n='/api/data/v9.2/x')", ""));
}

#[test]
fn lists_in_urls_keep_their_quotes() {
    let list = Literal::List(vec![text("O'Brian \"x\""), Literal::Int(1)]);
    assert_eq!(list.to_string(), r#"["O'Brian \"x\"",1]"#);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(path in "\\PC{0,60}|[a-z$()/',=@%\\[\\]{}\"0-9. -]{0,60}") {
        let _ = Path::parse(&path);
        let _ = resource(&path);
    }

    #[test]
    fn keys_read_back(value in any::<String>(), number in any::<i64>()) {
        let key = Key::Named(vec![("name".into(), Literal::Text(value)), ("n".into(), Literal::Int(number))]);
        let path = Path::parse(&format!("accounts{}", key.to_url())).unwrap();
        prop_assert_eq!(path.segments.len(), 1);
        prop_assert_eq!(path.segments[0].key(), Ok(Some(key)));
    }
}
