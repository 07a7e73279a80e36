//! Options against definitions: the queries that come out.

use postroom_core::Value;
use postroom_core::query::{Aggregate, Comparison as C, Function, Group, Join, Link, Operator};

use super::fixture::metadata;
use super::*;
use crate::odata::options::Options;
use crate::odata::path::Path;

const ID: &str = "70bf4d48-34cb-ed11-b596-0022481d68cd";

fn planned(table: &str, query: &str) -> Result<Plan, Error> {
    plan(&metadata(), table, &Options::parse(query)?)
}

fn id() -> Uuid {
    ID.parse().unwrap()
}

fn compare(column: &str, comparison: C, value: impl Into<Value>) -> Filter {
    Filter::Compare(column.into(), comparison, value.into())
}

fn null(column: &str) -> Filter {
    Filter::Null(column.into())
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// A condition on contacts.
#[track_caller]
fn check(filter: &str, expected: Filter) {
    let plan =
        planned("contact", &format!("$filter={filter}")).unwrap_or_else(|error| panic!("{filter}: {error}"));
    assert_eq!(plan.query.filter, expected, "{filter}");
    assert!(plan.query.links.is_empty(), "{filter} joins");
}

#[track_caller]
fn refused(table: &str, query: &str, expected: &str) {
    match planned(table, query) {
        Ok(plan) => panic!("{query} is taken: {plan:?}"),
        Err(error) => assert!(error.message.contains(expected), "{query}: {error}"),
    }
}

#[test]
fn comparisons() {
    check("fullname eq 'Anna'", compare("fullname", C::Eq, "Anna"));
    check("fullname ne 'O''Brien'", compare("fullname", C::Ne, "O'Brien"));
    check("'Anna' eq fullname", compare("fullname", C::Eq, "Anna"));
    check("3 lt numberofchildren", compare("numberofchildren", C::Gt, 3));
    check("numberofchildren ge 1.5", compare("numberofchildren", C::Ge, Value::Decimal("1.5".into())));
    check("rate le 2", compare("rate", C::Le, Value::Decimal("2".into())));
    check("latitude gt 2", compare("latitude", C::Gt, 2.0));
    check("donotemail eq true", compare("donotemail", C::Eq, true));
    check("donotemail", compare("donotemail", C::Eq, true));
    check("not donotemail", not(compare("donotemail", C::Eq, true)));
    check("statuscode eq 1", compare("statuscode", C::Eq, 1));
    check("interests eq '1,3'", compare("interests", C::Eq, "1,3"));
    check("birthdate eq 2026-01-31", compare("birthdate", C::Eq, "2026-01-31"));
    let midnight: jiff::Timestamp = "2026-01-31T00:00:00Z".parse().unwrap();
    check("createdon ge 2026-01-31", compare("createdon", C::Ge, midnight));
    check("createdon ge 2026-01-31T00:00:00Z", compare("createdon", C::Ge, midnight));
    check("createdon ge '2026-01-31T00:00:00Z'", compare("createdon", C::Ge, midnight));
    check("createdon ge datetime'2026-01-31T00:00:00'", compare("createdon", C::Ge, midnight));
    check("fullname eq null", null("fullname"));
    check("fullname ne null", not(null("fullname")));
    check("createdon gt null", Filter::Any(vec![]));
    check("firstname eq lastname", Filter::Columns("firstname".into(), C::Eq, "lastname".into()));
}

#[test]
fn lookups() {
    for text in [ID.to_owned(), format!("'{ID}'"), format!("guid'{ID}'"), ID.to_uppercase()] {
        check(&format!("_ownerid_value eq {text}"), compare("ownerid", C::Eq, id()));
    }
    check(&format!("ownerid eq {ID}"), compare("ownerid", C::Eq, id()));
    check(&format!("contactid eq {ID}"), compare("contactid", C::Eq, id()));
    check("_parentcustomerid_value eq null", null("parentcustomerid"));
    refused("contact", "$filter=_ownerid_value eq 'x'", "incompatible types");
}

#[test]
fn logic() {
    let (a, b, c) = (null("firstname"), null("lastname"), null("fullname"));
    let (one, two, three) = ("firstname eq null", "lastname eq null", "fullname eq null");
    check(
        &format!("{one} or {two} and {three}"),
        Filter::Any(vec![a.clone(), Filter::All(vec![b.clone(), c.clone()])]),
    );
    check(
        &format!("({one} or {two}) and {three}"),
        Filter::All(vec![Filter::Any(vec![a.clone(), b.clone()]), c]),
    );
    check(&format!("not ({one} and {two})"), not(Filter::All(vec![a.clone(), b])));
    check(&format!("not not {one}"), not(not(a.clone())));
    check(&format!("({one}) eq false"), not(a));
    check("true", Filter::All(vec![]));
    check("false", Filter::Any(vec![]));
}

#[test]
fn searches() {
    check("contains(fullname,'ann')", compare("fullname", C::Contains, "ann"));
    check("startswith(fullname,'ann')", compare("fullname", C::StartsWith, "ann"));
    check("endswith(fullname,'ann') eq true", compare("fullname", C::EndsWith, "ann"));
    check("contains(fullname,'ann') ne true", not(compare("fullname", C::Contains, "ann")));
    check("contains(fullname,'a%25b')", Filter::Like("fullname".into(), "%a%b%".into()));
    check("startswith(fullname,'a_b')", Filter::Like("fullname".into(), "a_b%".into()));
    check("endswith(description,'[a-c]')", Filter::Like("description".into(), "%[a-c]".into()));
    check("contains(@p1,@p2)&@p1=fullname&@p2='x'", compare("fullname", C::Contains, "x"));
    refused("contact", "$filter=contains(statuscode,'1')", "No function signature");
    refused("contact", "$filter=contains(fullname,1)", "No function signature");
}

#[test]
fn query_functions() {
    let crm = |call: &str| format!("Microsoft.Dynamics.CRM.{call}");
    let operator =
        |column: &str, operator, values: Vec<Value>| Filter::Operator(column.into(), operator, values);
    check(
        &crm("In(PropertyName=@p1,PropertyValues=@p2)&@p1='lastname'&@p2=[\"O'Brian\",\"x\"]"),
        Filter::In("lastname".into(), vec!["O'Brian".into(), "x".into()]),
    );
    check(
        &crm("In(PropertyName='lastname',PropertyValues=['a','b'])"),
        Filter::In("lastname".into(), vec!["a".into(), "b".into()]),
    );
    check(
        &crm("NotIn(PropertyName='statuscode',PropertyValues=[\"1\",\"2\"])"),
        not(Filter::In("statuscode".into(), vec![1.into(), 2.into()])),
    );
    check(
        &crm("Between(PropertyName='numberofchildren',PropertyValues=[\"1\",\"3\"])"),
        Filter::All(vec![compare("numberofchildren", C::Ge, 1), compare("numberofchildren", C::Le, 3)]),
    );
    check(
        &crm("NotBetween(PropertyName='numberofchildren',PropertyValues=[1,3])"),
        Filter::Any(vec![compare("numberofchildren", C::Lt, 1), compare("numberofchildren", C::Gt, 3)]),
    );
    check(
        &crm("LastXDays(PropertyName='createdon',PropertyValue=7)"),
        operator("createdon", Operator::LastXDays, vec![7.into()]),
    );
    check(
        &crm("LastXDays(PropertyName='createdon',PropertyValue='7')"),
        operator("createdon", Operator::LastXDays, vec![7.into()]),
    );
    check(&crm("Today(PropertyName='createdon')"), operator("createdon", Operator::Today, vec![]));
    check(&crm("EqualUserId(PropertyName='ownerid')"), operator("ownerid", Operator::EqualUserId, vec![]));
    check(&crm("NotUserId(PropertyName='ownerid')"), operator("ownerid", Operator::NotEqualUserId, vec![]));
    check(
        &crm("NotBusinessId(PropertyName='ownerid')"),
        operator("ownerid", Operator::NotEqualBusinessId, vec![]),
    );
    check(
        &crm("On(PropertyName='birthdate',PropertyValue='2026-01-31')"),
        operator("birthdate", Operator::On, vec!["2026-01-31".into()]),
    );
    check(
        &crm("ContainValues(PropertyName='interests',PropertyValues=[\"1\",\"3\"])"),
        operator("interests", Operator::ContainValues, vec![1.into(), 3.into()]),
    );
    check(
        &crm(&format!("Under(PropertyName='parentcustomerid',PropertyValue='{ID}')")),
        operator("parentcustomerid", Operator::Under, vec![id().into()]),
    );
    check(
        &crm("InFiscalPeriodAndYear(PropertyName='createdon',PropertyValue1=2,PropertyValue2=2026)"),
        operator("createdon", Operator::InFiscalPeriodAndYear, vec![2.into(), 2026.into()]),
    );
    check(&crm("Contains(PropertyName='fullname',PropertyValue='x')"), compare("fullname", C::Contains, "x"));
    refused("contact", &format!("$filter={}", crm("Nonsense(PropertyName='createdon')")), "is not known");
    refused(
        "contact",
        &format!("$filter={}", crm("Today(PropertyName='createdon',PropertyValue=1)")),
        "needs 0 values",
    );
    refused("contact", &format!("$filter={}", crm("LastXDays(PropertyName='createdon')")), "needs 1 values");
    refused(
        "contact",
        &format!("$filter={}", crm("Today(PropertyName='none')")),
        "Could not find a property named 'none'",
    );
    refused("contact", &format!("$filter={}", crm("Today(Property='none')")), "cannot be used");
}

#[test]
fn paths_join() {
    let plan = planned("account", "$filter=primarycontactid/createdby/fullname eq 'x' and primarycontactid/fullname ne null&$orderby=primarycontactid/fullname desc,name").unwrap();
    let mut contact =
        Link::new("contact", "contactid", "primarycontactid", "primarycontactid").join(Join::Outer);
    contact.links.push(
        Link::new("systemuser", "systemuserid", "createdby", "primarycontactid_createdby").join(Join::Outer),
    );
    assert_eq!(plan.query.links, [contact]);
    let expected = Filter::All(vec![
        compare("primarycontactid_createdby.fullname", C::Eq, "x"),
        not(null("primarycontactid.fullname")),
    ]);
    assert_eq!(plan.query.filter, expected);
    let order: Vec<(&str, bool)> =
        plan.query.order.iter().map(|key| (key.column.as_str(), key.descending)).collect();
    assert_eq!(order, [("primarycontactid.fullname", true), ("name", false)]);
    refused("account", "$filter=Account_Tasks/subject eq 'x'", "is not a single value");
    refused("account", "$filter=nothing/subject eq 'x'", "Could not find a property named 'nothing'");
    let far = "parentaccountid/".repeat(11);
    refused("account", &format!("$filter={far}name eq 'x'"), "more than 10");
}

#[test]
fn lambdas() {
    let tasks = |join, filter| {
        let link = Link::new("task", "regardingobjectid", "accountid", "Account_Tasks");
        Filter::Linked(Box::new(link.join(join).filter(filter)))
    };
    let filter = |text: &str| planned("account", &format!("$filter={text}")).unwrap().query.filter;
    let subject = compare("subject", C::Eq, "x");
    assert_eq!(filter("Account_Tasks/any(t:t/subject eq 'x')"), tasks(Join::Any, subject.clone()));
    assert_eq!(filter("Account_Tasks/any()"), tasks(Join::Any, Filter::All(vec![])));
    assert_eq!(filter("Account_Tasks/all(t:t/subject eq 'x')"), tasks(Join::NotAny, not(subject.clone())));
    assert_eq!(filter("not Account_Tasks/any(t:t/subject eq 'x')"), not(tasks(Join::Any, subject)));
    let call = "Microsoft.Dynamics.CRM.Today(PropertyName='scheduledend')";
    let today = Filter::Operator("scheduledend".into(), Operator::Today, vec![]);
    assert_eq!(filter(&format!("Account_Tasks/any(t:t/{call})")), tasks(Join::Any, today));
    refused("account", "$filter=Account_Tasks/any(t:name eq 'x')", "stands in a lambda");
    refused("account", "$filter=primarycontactid/any(c:c/fullname eq 'x')", "must be followed by");
    refused("account", "$filter=any(c:c/fullname eq 'x')", "unknown function");
}

#[test]
fn lambdas_go_far() {
    let filter = |table, text: &str| planned(table, &format!("$filter={text}")).unwrap().query.filter;
    let name = compare("listname", C::Eq, "news");
    let list =
        Link::new("list", "listid", "listid", "listcontact_association_list").join(Join::Any).filter(name);
    let pairs = Link::new("listmember", "entityid", "contactid", "listcontact_association").join(Join::Any);
    let expected = Filter::Linked(Box::new(pairs.filter(Filter::Linked(Box::new(list)))));
    assert_eq!(filter("contact", "listcontact_association/any(l:l/listname eq 'news')"), expected);
    let mut tasks =
        Link::new("task", "regardingobjectid", "accountid", "parentaccountid_Account_Tasks").join(Join::Any);
    tasks.links.push(Link::new("systemuser", "systemuserid", "ownerid", "ownerid").join(Join::Outer));
    tasks.filter = compare("ownerid.fullname", C::Eq, "x");
    let up = Link::new("account", "accountid", "parentaccountid", "parentaccountid").join(Join::Any);
    let expected = Filter::Linked(Box::new(up.filter(Filter::Linked(Box::new(tasks)))));
    assert_eq!(filter("account", "parentaccountid/Account_Tasks/any(t:t/ownerid/fullname eq 'x')"), expected);
}

#[test]
fn aliases_are_unlike_each_other() {
    let one = "Account_Tasks/any(t:t/subject eq 'x')";
    let Filter::All(parts) = planned("account", &format!("$filter={one} and {one}")).unwrap().query.filter
    else {
        panic!("two conditions")
    };
    let alias = |filter: &Filter| match filter {
        Filter::Linked(link) => link.alias.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(parts.iter().map(alias).collect::<Vec<_>>(), ["Account_Tasks", "Account_Tasks_2"]);
    let many = vec![one; 60].join(" or ");
    refused("account", &format!("$filter={many}"), "joins more than 50");
}

#[test]
fn columns_and_expansions() {
    let plan = planned("contact", "$select=fullname,_ownerid_value,ownerid&$top=3&$count=true&$expand=parentcustomerid_account($select=name),listcontact_association($filter=listname eq 'x';$top=2),ownerid/$ref").unwrap();
    assert_eq!(plan.query.columns.unwrap(), ["fullname", "ownerid"]);
    assert_eq!(plan.select.unwrap(), ["fullname", "_ownerid_value", "ownerid"]);
    assert_eq!((plan.query.top, plan.count), (Some(3), true));
    let told = |one: &Expansion| {
        (one.navigation.clone(), one.single, one.reference, one.query.table.clone(), one.query.top)
    };
    let found: Vec<_> = plan.expand.iter().map(told).collect();
    assert_eq!(found[0], ("parentcustomerid_account".into(), true, false, "account".into(), None));
    assert_eq!(found[1], ("listcontact_association".into(), false, false, "list".into(), Some(2)));
    assert_eq!(found[2], ("ownerid".into(), true, true, "systemuser".into(), None));
    assert_eq!(plan.expand[0].query.columns.as_deref(), Some(["name".to_owned()].as_slice()));
    assert_eq!(plan.expand[1].query.filter, compare("listname", C::Eq, "x"));
    assert_eq!(plan.expand[1].options(), "$filter=listname%20eq%20'x'&$top=2");
    assert_eq!(plan.expand[2].options(), "");
    let deep =
        planned("account", "$expand=primarycontactid($expand=ownerid($expand=businessunitid))").unwrap();
    assert_eq!(deep.expand[0].expand[0].expand[0].query.table, "businessunit");
    refused("contact", "$expand=ownerid,ownerid", "expanded twice");
    refused("contact", "$expand=fullname", "Could not find a property named 'fullname'");
}

#[test]
fn unknown_names() {
    for query in ["$select=x", "$filter=x eq 1", "$orderby=x", "$expand=x", "$apply=groupby((x))"] {
        let error = planned("contact", query).unwrap_err();
        assert_eq!(
            error.message,
            "Could not find a property named 'x' on type 'Microsoft.Dynamics.CRM.contact'."
        );
        assert_eq!((error.status, error.code), (400, 0x8006_0888));
    }
    refused("contact", "$select=fullnameview", "Could not find");
    refused("contact", "$select=to", "Could not find");
    refused("contact", "$select=_fullname_value", "Could not find");
    assert_eq!(planned("nothing", "").unwrap_err().status, 404);
}

#[test]
fn computing() {
    let plan = planned("account", "$apply=filter(statuscode eq 1)/groupby((primarycontactid/fullname,_ownerid_value),aggregate($count as n,revenue with sum as total))&$orderby=contact_fullname desc").unwrap();
    let query = plan.query;
    let group = |column: &str, alias: &str| Group { column: column.into(), alias: alias.into(), part: None };
    assert_eq!(
        query.groups,
        [group("primarycontactid.fullname", "contact_fullname"), group("ownerid", "_ownerid_value")]
    );
    let aggregate = |column: &str, function, alias: &str| Aggregate {
        column: column.into(),
        function,
        alias: alias.into(),
    };
    assert_eq!(
        query.aggregates,
        [aggregate("accountid", Function::Count, "n"), aggregate("revenue", Function::Sum, "total")]
    );
    assert_eq!(query.filter, compare("statuscode", C::Eq, 1));
    assert_eq!(query.order, [Order { column: "contact_fullname".into(), descending: true }]);
    refused("account", "$apply=aggregate($count as n)&$orderby=n", "SingleValueOpenPropertyAccess");
    refused("account", "$apply=groupby((createdon))", "not supported");
    refused("account", "$apply=groupby((name),aggregate($count as name))", "twice in the answer");
    refused("account", "$apply=filter(statuscode eq 1)", "needs groupby or aggregate");
}

#[test]
fn types_are_checked() {
    for filter in [
        "fullname eq 5",
        "statuscode eq '1'",
        "donotemail eq 1",
        "createdon eq 5",
        "fullname eq true",
        "numberofchildren eq 2026-01-31",
    ] {
        refused("contact", &format!("$filter={filter}"), "incompatible types");
    }
    refused("contact", "$filter=1 eq 1", "two constants");
    refused("contact", "$filter='a' eq 'a' or fullname eq 'x'", "two constants");
}

#[test]
fn rows_by_key() {
    let key = |text: &str| {
        let path = Path::parse(text).unwrap();
        row(&metadata(), "account", &path.segments[0].key().unwrap().unwrap())
    };
    assert_eq!(key(&format!("accounts({ID})")), Ok(Row::Id(id())));
    assert_eq!(key(&format!("accounts(accountid={ID})")), Ok(Row::Id(id())));
    assert_eq!(
        key("accounts(accountnumber='A''1')"),
        Ok(Row::Alternate(vec![("accountnumber".into(), "A'1".into())]))
    );
    let two = vec![("name".into(), "n".into()), ("primarycontactid".into(), id().into())];
    assert_eq!(key(&format!("accounts(name='n',_primarycontactid_value={ID})")), Ok(Row::Alternate(two)));
    assert_eq!(key("accounts(name='n')").unwrap_err().code, 0x8006_0890);
    assert!(key("accounts(nothing='n')").is_err());
    assert!(key("accounts(accountnumber=null)").is_err());
}
