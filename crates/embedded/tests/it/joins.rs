//! Queries beyond one table: joins, groups, pages, patterns, hierarchies, and changes since a version.

use postroom_core::query::{Aggregate, Comparison, DatePart, Function, Group, Join, Link, Operator, Order};
use postroom_core::{Change, Filter, Query, Record, Value};
use postroom_embedded::seed::ADMINISTRATOR;
use postroom_embedded::session::{Session, Since, Start, Window};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::bench::{Bench, On, on_both};

on_both!(
    links_bring_columns,
    links_of_links,
    rows_that_have_linked_rows,
    the_first_of_several_linked_rows,
    conditions_name_aliases,
    groups_and_aggregates,
    groups_by_parts_of_a_time,
    pages_meet_without_gap_or_overlap,
    patterns,
    conditions_of_the_platform,
    hierarchies,
    equal_rows_once,
    columns_beside_columns,
    totals_stop_counting,
    changes_since_a_version,
    a_row_made_again_did_not_go
);

struct World {
    bench: Bench,
    session: Session,
    accounts: Vec<Record>,
}

/// Three accounts, the third below the first; four contacts: two at the first, one at the second, one at none.
async fn world(on: On) -> World {
    let bench = Bench::new(on).await;
    let account = |name: &str, revenue: &str| {
        let revenue = Value::Decimal(revenue.into());
        bench.row("account").with("name", name).with("revenue", revenue)
    };
    let mut accounts = vec![account("Adler", "10.50"), account("Busch", "9"), account("Adler Süd", "100")];
    accounts[2] = accounts[2].clone().with("parentaccountid", accounts[0].at.clone());
    let contact = |name: &str, children: i64, at: Option<&Record>| {
        let contact = bench.row("contact").with("lastname", name).with("numberofchildren", children);
        contact.with("parentcustomerid", at.map(|account| account.at.clone()))
    };
    let contacts = [
        contact("Anna", 1, Some(&accounts[0])),
        contact("Bert", 2, Some(&accounts[0])),
        contact("Carla", 3, Some(&accounts[1])),
        contact("Dora", 4, None),
    ];
    bench.create(&accounts).await;
    bench.create(&contacts).await;
    let session = bench.crm.session(ADMINISTRATOR);
    World { bench, session, accounts }
}

impl World {
    async fn rows(&self, query: Query) -> Vec<Record> {
        self.session.all(query).await.unwrap()
    }

    /// One column of the answer, as texts.
    async fn texts(&self, query: Query, column: &str) -> Vec<String> {
        self.rows(query).await.iter().map(|row| show(row.get(column))).collect()
    }
}

fn show(value: Option<&Value>) -> String {
    match value {
        None => "absent".into(),
        Some(Value::Null) => "-".into(),
        Some(Value::Text(text) | Value::Decimal(text)) => text.clone(),
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::Float(number)) => format!("{number}"),
        Some(other) => format!("{other:?}"),
    }
}

fn contacts() -> Query {
    Query::of("contact").select(&["lastname"]).order_by("lastname", false)
}

fn employer() -> Link {
    Link::new("account", "accountid", "parentcustomerid", "acc").select(&["name"])
}

async fn links_bring_columns(on: On) {
    let world = world(on).await;
    let inner = contacts().link(employer());
    assert_eq!(world.texts(inner.clone(), "acc.name").await, ["Adler", "Adler", "Busch"]);
    let outer = contacts().link(employer().join(Join::Outer));
    assert_eq!(world.texts(outer, "acc.name").await, ["Adler", "Adler", "Busch", "-"]);
    let narrowed = employer().filter(Filter::eq("name", "BUSCH"));
    assert_eq!(world.texts(contacts().link(narrowed.clone()), "lastname").await, ["Carla"]);
    // A condition of an outer link chooses the linked rows, not the rows.
    let outer = contacts().link(narrowed.join(Join::Outer));
    assert_eq!(world.texts(outer, "acc.name").await, ["-", "-", "Busch", "-"]);
    let twice = inner.link(employer());
    assert!(world.session.all(twice).await.is_err(), "an alias stands for one link");
}

async fn links_of_links(on: On) {
    let world = world(on).await;
    let below = Link::new("account", "parentaccountid", "accountid", "below").select(&["name"]);
    let link = Link { links: vec![below], ..employer() };
    let query = contacts().link(link);
    assert_eq!(world.texts(query.clone(), "below.name").await, ["Adler Süd", "Adler Süd"]);
    assert_eq!(world.texts(query, "lastname").await, ["Anna", "Bert"]);
}

async fn rows_that_have_linked_rows(on: On) {
    let world = world(on).await;
    let staff = Link::new("contact", "parentcustomerid", "accountid", "staff");
    let accounts = |link: Link| Query::of("account").select(&["name"]).order_by("name", false).link(link);
    let any = accounts(staff.clone().join(Join::Any));
    assert_eq!(world.texts(any, "name").await, ["Adler", "Busch"]);
    let none = accounts(staff.clone().join(Join::NotAny));
    assert_eq!(world.texts(none, "name").await, ["Adler Süd"]);
    let within = staff.join(Join::Any).filter(Filter::eq("lastname", "bert"));
    let either = Filter::Any(vec![Filter::eq("name", "Busch"), Filter::Linked(Box::new(within))]);
    let query = Query::of("account").select(&["name"]).order_by("name", false).filter(either);
    assert_eq!(world.texts(query, "name").await, ["Adler", "Busch"]);
}

async fn the_first_of_several_linked_rows(on: On) {
    let world = world(on).await;
    let staff = Link::new("contact", "parentcustomerid", "accountid", "staff").select(&["lastname"]);
    let staff = staff.join(Join::First);
    let accounts = |link: Link| Query::of("account").select(&["name"]).order_by("name", false).link(link);
    let of_one = Filter::eq("parentcustomerid", world.accounts[0].at.clone());
    let employed = world.rows(Query::of("contact").select(&["lastname"]).filter(of_one)).await;
    let first = employed.iter().min_by_key(|row| row.at.id).unwrap().text("lastname").unwrap();
    assert_eq!(world.texts(accounts(staff.clone()), "staff.lastname").await, [first, "Carla"]);
    let narrowed = staff.clone().filter(Filter::eq("lastname", "bert"));
    assert_eq!(world.texts(accounts(narrowed), "staff.lastname").await, ["Bert"]);
    // The row that the links below it let stand.
    let same = Link::new("contact", "contactid", "contactid", "same").filter(Filter::eq("lastname", "anna"));
    let below = Link { links: vec![same.select(&["numberofchildren"])], ..staff.clone() };
    assert_eq!(world.texts(accounts(below.clone()), "staff.lastname").await, ["Anna"]);
    assert_eq!(world.texts(accounts(below), "same.numberofchildren").await, ["1"]);
    let sorted = Query { order: Vec::new(), ..accounts(staff.clone()) }.order_by("staff.lastname", true);
    assert_eq!(world.texts(sorted, "name").await, ["Busch", "Adler"]);
    let deep = (0..50).fold(staff.clone(), |link, place| Link {
        alias: format!("staff{place}"),
        links: vec![link],
        ..staff.clone()
    });
    assert!(world.session.all(accounts(deep)).await.is_err(), "each is looked for twice");
}

async fn conditions_name_aliases(on: On) {
    let world = world(on).await;
    let unemployed = Filter::Null("acc.accountid".into());
    let query = contacts().link(employer().join(Join::Outer)).filter(unemployed);
    assert_eq!(world.texts(query, "lastname").await, ["Dora"]);
    let sorted = Query { order: Vec::new(), ..contacts() }
        .link(employer())
        .order_by("acc.name", true)
        .order_by("lastname", true);
    assert_eq!(world.texts(sorted, "lastname").await, ["Carla", "Bert", "Anna"]);
    let unknown = contacts().filter(Filter::eq("nobody.name", "x"));
    assert!(world.session.all(unknown).await.is_err());
}

fn aggregate(column: &str, function: Function, alias: &str) -> Aggregate {
    Aggregate { column: column.into(), function, alias: alias.into() }
}

fn group(column: &str, alias: &str, part: Option<DatePart>) -> Group {
    Group { column: column.into(), alias: alias.into(), part }
}

async fn groups_and_aggregates(on: On) {
    let world = world(on).await;
    let mut query = Query::of("contact").link(employer().join(Join::Outer)).order_by("total", true);
    query.groups = vec![group("acc.name", "firm", None)];
    query.aggregates = vec![
        aggregate("contactid", Function::Count, "n"),
        aggregate("numberofchildren", Function::Sum, "total"),
        aggregate("numberofchildren", Function::Average, "mean"),
        aggregate("lastname", Function::Max, "last"),
    ];
    let rows = world.rows(query).await;
    let shown: Vec<String> = rows
        .iter()
        .map(|row| ["firm", "n", "total", "mean", "last"].map(|name| show(row.get(name))).join(" "))
        .collect();
    assert_eq!(shown, ["- 1 4 4 Dora", "Adler 2 3 1.5 Bert", "Busch 1 3 3 Carla"]);
    let mut money = Query::of("account");
    money.aggregates = vec![
        aggregate("revenue", Function::Sum, "sum"),
        aggregate("revenue", Function::Min, "least"),
        aggregate("parentaccountid", Function::CountColumn, "below"),
        aggregate("ownerid", Function::CountDistinct, "owners"),
    ];
    let row = &world.rows(money).await[0];
    let shown = ["sum", "least", "below", "owners"].map(|name| show(row.get(name)));
    assert_eq!(shown, ["119.5", "9", "1", "1"]);
}

async fn groups_by_parts_of_a_time(on: On) {
    let world = world(on).await;
    let times = ["2024-02-29T23:59:59Z", "2024-12-31T12:00:00Z", "2025-02-01T00:00:00Z"];
    for (account, time) in world.accounts.iter().zip(times) {
        world.bench.update(&account.at, "lastusedincampaign", time.parse::<jiff::Timestamp>().unwrap()).await;
    }
    for (part, expected) in [
        (DatePart::Year, vec!["2024 2", "2025 1"]),
        (DatePart::Month, vec!["2 2", "12 1"]),
        (DatePart::Quarter, vec!["1 2", "4 1"]),
        (DatePart::Day, vec!["1 1", "29 1", "31 1"]),
    ] {
        let mut query = Query::of("account");
        query.groups = vec![group("lastusedincampaign", "part", Some(part))];
        query.aggregates = vec![aggregate("accountid", Function::Count, "n")];
        let rows = world.rows(query).await;
        let shown: Vec<String> =
            rows.iter().map(|row| format!("{} {}", show(row.get("part")), show(row.get("n")))).collect();
        assert_eq!(shown, expected, "{part:?}");
    }
}

/// Orders with equal values and nulls in them.
async fn pages_meet_without_gap_or_overlap(on: On) {
    let bench = Bench::new(on).await;
    let mut runner = TestRunner::deterministic();
    let rows: Vec<Record> = (0..60)
        .map(|_| {
            let pick = |runner: &mut TestRunner| (0..4_i64).new_tree(runner).unwrap().current();
            let (name, job, income) = (pick(&mut runner), pick(&mut runner), pick(&mut runner));
            let income = (income > 0).then(|| Value::Decimal(format!("{}.5", income * 7)));
            bench
                .contact(["anna", "Anna", "Bert", "çelik"][name as usize])
                .with("jobtitle", (job > 0).then(|| format!("Job {job}")))
                .with("annualincome", income.unwrap_or(Value::Null))
        })
        .collect();
    bench.create(&rows).await;
    let session = bench.crm.session(ADMINISTRATOR);
    let columns = ["firstname", "jobtitle", "annualincome", "createdon", "parentcustomerid", "contactid"];
    for _ in 0..40 {
        let picked = proptest::collection::vec((0..columns.len(), any::<bool>()), 0..3);
        let picked = picked.new_tree(&mut runner).unwrap().current();
        let size = (1..25_u64).new_tree(&mut runner).unwrap().current();
        let mut query = Query::of("contact").select(&["firstname"]);
        query.order = picked
            .iter()
            .map(|(column, descending)| Order { column: columns[*column].into(), descending: *descending })
            .collect();
        let whole: Vec<_> = session.all(query.clone()).await.unwrap().iter().map(|row| row.at.id).collect();
        assert_eq!(whole.len(), 60);
        let (mut paged, mut start) = (Vec::new(), Start::First);
        loop {
            let window = Window { size: Some(size), start };
            let page = session.page(query.clone(), window, false).await.unwrap();
            paged.extend(page.records.iter().map(|row| row.at.id));
            if !page.more {
                break;
            }
            start = Start::After(page.last);
        }
        assert_eq!(paged, whole, "{:?} by {size}", query.order);
        let window = Window { size: Some(size), start: Start::Offset(size) };
        let second = session.page(query, window, false).await.unwrap();
        let second: Vec<_> = second.records.iter().map(|row| row.at.id).collect();
        let expected: Vec<_> = whole.iter().skip(size as usize).take(size as usize).copied().collect();
        assert_eq!(second, expected);
    }
}

async fn patterns(on: On) {
    let bench = Bench::new(on).await;
    let names = ["Anna", "anton", "Berta", "B.rta", "100%", "100x", "a_b", "a[b", "Émile"];
    let rows: Vec<Record> = names.iter().map(|name| bench.contact(name)).collect();
    bench.create(&rows).await;
    let check = async |pattern: &str, expected: &[&str]| {
        let filter = Filter::Like("firstname".into(), pattern.into());
        let mut found: Vec<String> = bench
            .all("contact", filter)
            .await
            .iter()
            .map(|row| row.text("firstname").unwrap().to_owned())
            .collect();
        found.sort();
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{pattern}");
    };
    check("AN%", &["Anna", "anton"]).await;
    check("b_rta", &["Berta", "B.rta"]).await;
    check("b[.]rta", &["B.rta"]).await;
    check("[ab]%", &["Anna", "anton", "Berta", "B.rta", "a_b", "a[b"]).await;
    check("[^a-b]%", &["100%", "100x", "Émile"]).await;
    check("100[%]", &["100%"]).await;
    check("a[_]b", &["a_b"]).await;
    check("a[[]b", &["a[b"]).await;
    check("é%", &["Émile"]).await;
    check("' OR 1=1 --", &[]).await;
}

async fn conditions_of_the_platform(on: On) {
    let world = world(on).await;
    let check = async |column: &str, operator: Operator, values: Vec<Value>, expected: usize| {
        let filter = Filter::Operator(column.into(), operator, values);
        let found = world.session.all(Query::of("contact").filter(filter)).await.unwrap().len();
        assert_eq!(found, expected, "{column} {operator:?}");
    };
    check("createdon", Operator::Today, vec![], 4).await;
    check("createdon", Operator::Yesterday, vec![], 0).await;
    check("createdon", Operator::On, vec![Value::text("2026-11-02")], 4).await;
    check("createdon", Operator::NotOn, vec![Value::text("2026-11-02")], 0).await;
    check("createdon", Operator::OlderThanXHours, vec![Value::Int(1)], 0).await;
    check("ownerid", Operator::EqualUserId, vec![], 4).await;
    check("ownerid", Operator::NotEqualUserId, vec![], 0).await;
    let wrong = Filter::Operator("lastname".into(), Operator::Today, vec![]);
    assert!(world.session.all(Query::of("contact").filter(wrong)).await.is_err());
}

async fn hierarchies(on: On) {
    let world = world(on).await;
    let top = Value::Guid(world.accounts[0].at.id);
    let check = async |operator: Operator, of: Value, expected: &[&str]| {
        let filter = Filter::Operator("accountid".into(), operator, vec![of]);
        let query = Query::of("account").select(&["name"]).order_by("name", false).filter(filter);
        assert_eq!(world.texts(query, "name").await, expected, "{operator:?}");
    };
    check(Operator::Under, top.clone(), &["Adler Süd"]).await;
    check(Operator::UnderOrEqual, top.clone(), &["Adler", "Adler Süd"]).await;
    check(Operator::NotUnder, top, &["Adler", "Busch"]).await;
    check(Operator::Above, Value::Guid(world.accounts[2].at.id), &["Adler"]).await;
    check(Operator::AboveOrEqual, Value::Guid(world.accounts[2].at.id), &["Adler", "Adler Süd"]).await;
}

async fn equal_rows_once(on: On) {
    let world = world(on).await;
    let mut query = Query::of("contact").select(&[]).link(employer()).order_by("acc.name", true);
    query.distinct = true;
    assert_eq!(world.texts(query, "acc.name").await, ["Busch", "Adler"]);
}

async fn columns_beside_columns(on: On) {
    let world = world(on).await;
    let same = Record::new(world.bench.contact("x").at).with("firstname", "Eva").with("lastname", "EVA");
    world.bench.create(&[same]).await;
    let filter = Filter::Columns("firstname".into(), Comparison::Eq, "lastname".into());
    assert_eq!(world.texts(contacts().filter(filter), "lastname").await, ["EVA"]);
}

async fn totals_stop_counting(on: On) {
    let world = world(on).await;
    let window = Window { size: Some(2), start: Start::First };
    let page = world.session.page(contacts(), window, true).await.unwrap();
    assert_eq!((page.records.len(), page.more, page.total), (2, true, Some(4)));
}

async fn changes_since_a_version(on: On) {
    let world = world(on).await;
    let ask = async |since: Since, window: Window| {
        world.session.changes("contact".into(), Some(vec!["lastname".into()]), since, window).await.unwrap()
    };
    let all = ask(Since { version: None, until: None }, Window::default()).await;
    assert_eq!((all.page.records.len(), all.gone.len()), (4, 0));
    let since = Since { version: Some(all.until), until: None };
    let nothing = ask(since, Window::default()).await;
    assert_eq!((nothing.page.records.len(), nothing.gone.len(), nothing.until), (0, 0, all.until));

    let [anna, bert, carla, _] = &all.page.records[..] else { panic!("four contacts") };
    world.bench.update(&bert.at, "jobtitle", "Buyer").await;
    world.bench.update(&anna.at, "jobtitle", "Buyer").await;
    world.bench.must(Change::Delete(carla.at.clone())).await;
    let changed = ask(since, Window::default()).await;
    let ids: Vec<_> = changed.page.records.iter().map(|row| row.at.id).collect();
    assert_eq!((ids, changed.gone), (vec![bert.at.id, anna.at.id], vec![carla.at.id]));

    // In pages: the rows that went come with the last one, and what is written between waits for the next run.
    let first = ask(since, Window { size: Some(1), start: Start::First }).await;
    assert_eq!((first.page.records[0].at.id, first.page.more, first.gone.len()), (bert.at.id, true, 0));
    world.bench.update(&anna.at, "jobtitle", "Head").await;
    let rest = Window { size: Some(1), start: Start::After(first.page.last) };
    let second = ask(Since { version: since.version, until: Some(first.until) }, rest).await;
    assert_eq!((second.page.records.len(), second.gone.len()), (0, 1));
    let next = ask(Since { version: Some(first.until), until: None }, Window::default()).await;
    assert_eq!(next.page.records[0].at.id, anna.at.id);
}

async fn a_row_made_again_did_not_go(on: On) {
    let world = world(on).await;
    let contact = world.bench.contact("Eva");
    world.bench.create(std::slice::from_ref(&contact)).await;
    let before = Since { version: Some(0), until: None };
    world.bench.must(Change::Delete(contact.at.clone())).await;
    world.bench.create(std::slice::from_ref(&contact)).await;
    let changed = world.session.changes("contact".into(), None, before, Window::default()).await.unwrap();
    assert!(changed.gone.is_empty());
    assert!(changed.page.records.iter().any(|row| row.at == contact.at));
}
