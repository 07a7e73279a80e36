//! The solution put into the embedded CRM, upgraded and taken away.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::metadata::{ColumnKind, Metadata, OptionSet};
use postroom_core::{
    AddressHit, Change, ChangeSet, Code, Content, Crm, Fault, Filter, Outcome, Query, Record, RecordRef,
    Value, Verdict,
};
use postroom_embedded::Embedded;
use postroom_formats::solution::{self as format, Solution, component};
use postroom_marketing::keys::Account;
use postroom_marketing::solution::definition::Definition;
use postroom_marketing::solution::install::{Done, Order, install, progress, uninstall};
use postroom_marketing::solution::look::{Standing, State, look};
use postroom_marketing::solution::mark::{self, Connector};
use postroom_marketing::solution::roles::Role;
use postroom_marketing::solution::{Era, VERSION, definitions, package};
use uuid::Uuid;

use crate::bench::{Bench, On, on, on_both};

on_both!(
    everything_is_made_once,
    a_run_cut_after_the_import_goes_on,
    an_upgrade_keeps_the_data,
    what_was_taken_away_comes_back,
    another_makers_tables_are_left,
    a_second_connector_is_refused,
    an_unmanaged_one_is_left,
    uninstalled,
);

// What asks the CRM for something that the others do not ask.
on! {
    WebApi webapi, Soap soap: {
        everything_is_made_once,
        an_upgrade_keeps_the_data,
        what_was_taken_away_comes_back,
        a_second_connector_is_refused,
        uninstalled,
    }
}

fn order(connector: &str) -> Order {
    Order {
        connector: Connector { id: connector.to_owned(), name: format!("https://{connector}.example") },
        now: "2026-11-02T08:00:00Z".parse().unwrap(),
        job: Uuid::new_v5(&Uuid::NAMESPACE_OID, connector.as_bytes()),
        take_over: false,
    }
}

async fn seen(crm: &dyn Crm) -> Standing {
    look(crm, None).await.unwrap()
}

async fn installed_by(crm: &dyn Crm, connector: &str) -> Result<Done, Fault> {
    install(crm, &seen(crm).await, &order(connector)).await
}

async fn installed(crm: &dyn Crm) -> Done {
    installed_by(crm, "one").await.unwrap()
}

async fn write(crm: &dyn Crm, change: Change) {
    let changes = vec![change];
    crm.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
}

async fn imported(crm: &dyn Crm, solution: &Solution) {
    let file = format::write(solution, solution.manifest.package).unwrap();
    let job = Uuid::new_v5(&Uuid::NAMESPACE_OID, solution.manifest.version.as_bytes());
    crm.import_solution(file.into(), job).await.unwrap();
}

async fn count(crm: &dyn Crm, table: &str) -> usize {
    crm.query(&Query::of(table).select(&[])).await.unwrap().len()
}

async fn everything_is_made_once(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    let before = seen(crm).await;
    assert_eq!((before.state(), before.era), (State::Absent, Era::Dynamics365));
    assert!(before.plan.steps.len() > 100, "{}", before.plan.steps.len());
    assert_eq!(installed(crm).await, Done::Installed);
    let after = seen(crm).await;
    assert_eq!((after.state(), after.plan.steps.len()), (State::Installed, 0), "{:?}", after.plan.steps);
    assert_eq!(installed(crm).await, Done::Unchanged);
    let told = progress(crm, order("one").job).await.unwrap().unwrap();
    assert!(told.done && told.percent == 100.0, "{told:?}");

    // What people see of it.
    let solution = package::solution(Era::Dynamics365, true);
    let views: usize = solution.entities.iter().map(|entity| entity.views.len()).sum();
    assert!(count(crm, "savedquery").await >= views);
    assert_eq!(count(crm, "systemform").await, solution.entities.len());
    assert_eq!((count(crm, "appmodule").await, count(crm, "webresource").await), (1, 1));
    let buttons = solution.entities.iter().filter(|entity| entity.ribbon.is_some()).count();
    assert_eq!((buttons, count(crm, "ribbondiff").await), (6, 6));
    for role in Role::ALL {
        let held =
            crm.query(&Query::of("roleprivileges").filter(Filter::eq("roleid", role.id()))).await.unwrap();
        let given = role.in_file(Era::Dynamics365).privileges.len();
        assert_eq!(held.len(), given, "{}: a privilege has another name here", role.name());
    }

    // A row of it works, by its key and with its choices and lookups.
    let account = Account::new("r1", 42);
    let row = RecordRef::new("esc_emailaccount", account.key().id("esc_emailaccount"));
    let record = Record::new(row.clone())
        .with("esc_name", "Main")
        .with("esc_externalkey", account.key().as_str())
        .with("esc_region", Value::Int(272_030_000));
    write(crm, Change::Create(record)).await;
    let campaign = RecordRef::new("esc_emailcampaign", account.campaign(7).id("esc_emailcampaign"));
    let record = Record::new(campaign).with("esc_name", "Spring").with("esc_emailaccountid", row);
    write(crm, Change::Create(record)).await;
    let found = crm.query(&Query::of("esc_emailcampaign").select(&["esc_emailaccountid"])).await.unwrap();
    assert_eq!(found.len(), 1);
}

/// What a CRM says of the solution's tables, in an order of its own: kinds, lengths, labels, keys, relationships.
fn told(metadata: &Metadata) -> Vec<String> {
    let values = |set: &OptionSet| -> Vec<i32> { set.options.iter().map(|option| option.value).collect() };
    let mut all = Vec::new();
    for table in metadata
        .tables
        .iter()
        .filter(|table| table.logical_name.starts_with("esc_") || table.column("esc_score").is_some())
    {
        if table.is_custom {
            all.push(format!(
                "{} {:?} {:?} {}",
                table.logical_name, table.label, table.description, table.entity_set
            ));
        }
        for column in table.columns.iter().filter(|column| column.is_custom) {
            let kind = match &column.kind {
                ColumnKind::Picklist { options, default } => {
                    format!("{} {:?} {default:?}", options.name, values(options))
                }
                ColumnKind::Boolean { default, .. } => format!("yes or no, {default}"),
                other => format!("{other:?}"),
            };
            all.push(format!(
                "{}.{} {:?} {:?} {kind}",
                table.logical_name, column.logical_name, column.label, column.required
            ));
        }
        all.extend(table.keys.iter().map(|key| format!("{} key {:?}", table.logical_name, key.columns)));
    }
    let one = metadata.one_to_many.iter().filter(|one| one.schema_name.starts_with("esc_"));
    all.extend(one.map(|one| {
        format!("{} {} {} {:?}", one.schema_name, one.referencing_column, one.referenced_table, one.cascade)
    }));
    let many = metadata.many_to_many.iter().filter(|many| many.schema_name.starts_with("esc_"));
    all.extend(many.map(|many| format!("{} {} {}", many.schema_name, many.first.table, many.second.table)));
    all.sort();
    all
}

/// What the CRM says of its tables is what was meant, in kind and length.
#[tokio::test(flavor = "multi_thread")]
async fn it_reads_back_as_it_was_meant() {
    let bench = Bench::new(On::Sqlite).await;
    installed(&bench.crm).await;
    let (want, have) = (definitions::metadata(Era::Dynamics365), bench.crm.metadata(&[]).await.unwrap());
    let have = told(&have);
    let missing: Vec<String> = told(&want).into_iter().filter(|line| !have.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// An unmanaged file, and the managed ones of older generations, bring the tables that an installation brings.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_brings_the_same_tables() {
    let one = Bench::new(On::Sqlite).await;
    installed(&one.crm).await;
    let made = told(&one.crm.metadata(&[]).await.unwrap());
    let other = Bench::new(On::Sqlite).await;
    imported(&other.crm, &package::solution(Era::Dynamics365, false)).await;
    assert_eq!(told(&other.crm.metadata(&[]).await.unwrap()), made);
    assert!(made.len() > 400, "{}", made.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_older_generations() {
    for era in [Era::Crm2011, Era::Crm2013, Era::Crm2015, Era::Crm2016] {
        let bench = Bench::new(On::Sqlite).await;
        imported(&bench.crm, &package::solution(era, true)).await;
        let standing = look(&bench.crm, Some(era)).await.unwrap();
        assert_eq!(standing.plan.steps, [], "{era}");
        assert!(standing.own.contains(&"esc_messagequeue"));
        assert_eq!(count(&bench.crm, "sitemap").await, 1);
    }
}

/// A CRM whose answer to an import is lost, or that dies before it.
struct Lossy<'c> {
    crm: &'c Embedded,
    before: bool,
}

#[async_trait]
impl Crm for Lossy<'_> {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        self.crm.find(tables, ids).await
    }
    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        self.crm.find_addresses(addresses).await
    }
    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        self.crm.query(query).await
    }
    async fn metadata(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        self.crm.metadata(tables).await
    }
    async fn import_solution(&self, file: Bytes, job: Uuid) -> Result<(), Fault> {
        if !self.before {
            self.crm.import_solution(file, job).await?;
        }
        Err(Fault::new(Verdict::Unknown, Code::CRM_AWAY, "no answer"))
    }
    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        self.crm.apply(sets).await
    }
    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        self.crm.read(content).await
    }
    async fn check(&self) -> Result<String, Fault> {
        self.crm.check().await
    }
}

async fn a_run_cut_after_the_import_goes_on(on: On) {
    let bench = Bench::new(on).await;
    for (before, state) in [(true, State::Absent), (false, State::Installed)] {
        let crm = Lossy { crm: &bench.crm, before };
        let cut = install(&crm, &seen(&bench.crm).await, &order("one")).await.unwrap_err();
        assert_eq!(cut.verdict, Verdict::Unknown);
        assert_eq!(seen(&bench.crm).await.state(), state);
        assert_eq!(seen(&bench.crm).await.mark, None);
    }
    assert_eq!(installed(&bench.crm).await, Done::Unchanged);
    let mark = seen(&bench.crm).await.mark.unwrap();
    assert_eq!((mark.connector.id.as_str(), mark.version.as_deref()), ("one", Some(VERSION)));
}

/// A version of yesterday: without forms, with one option less and a shorter text.
fn old() -> Solution {
    let mut old = package::solution(Era::Dynamics365, true);
    old.manifest.version = "0.9.0.0".to_owned();
    let newer = |name: &str| name.starts_with("esc_form") || name == "esc_response";
    old.entities.retain(|entity| !newer(&entity.table.logical_name));
    old.one_to_many.retain(|one| !newer(&one.referencing_table));
    old.manifest.roots.retain(|root| !root.schema_name.as_deref().is_some_and(newer));
    old.apps.clear();
    old.app_site_maps.clear();
    old.manifest.roots.retain(|root| root.kind != component::APP_MODULE && root.kind != component::SITE_MAP);
    old.option_sets.iter_mut().for_each(|set| drop(set.options.pop()));
    let send = old.entities.iter_mut().find(|entity| entity.table.logical_name == "esc_emailsend").unwrap();
    for column in &mut send.table.columns {
        if let ColumnKind::Memo { max_length } = &mut column.kind {
            *max_length = 100;
        }
    }
    old
}

async fn an_upgrade_keeps_the_data(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    imported(crm, &old()).await;
    let send = RecordRef::new("esc_emailsend", Uuid::from_u128(7));
    let record = Record::new(send.clone()).with("esc_name", "Spring").with("esc_error", "x".repeat(100));
    write(crm, Change::Create(record)).await;

    let standing = seen(crm).await;
    assert_eq!(standing.state(), State::Outdated);
    let steps: Vec<String> = standing.plan.steps.iter().map(Definition::name).collect();
    for named in
        ["table esc_form", "column esc_emailsend.esc_error", "choice Awaiting approval of esc_sendstatus"]
    {
        assert!(steps.iter().any(|step| step == named), "{named} in {steps:?}");
    }
    assert_eq!(installed(crm).await, Done::Upgraded);
    assert_eq!(seen(crm).await.state(), State::Installed);
    let longer = Record::new(send.clone()).with("esc_error", "y".repeat(4000));
    write(crm, Change::Update(longer)).await;
    let found = crm.query(&Query::of("esc_emailsend").select(&["esc_name", "esc_error"])).await.unwrap();
    assert_eq!(found[0].get("esc_name"), Some(&Value::text("Spring")));
}

async fn what_was_taken_away_comes_back(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    installed(crm).await;
    bench.crm.delete_column("esc_emailsend", "esc_description").await.unwrap();
    let standing = seen(crm).await;
    assert_eq!((standing.state(), standing.plan.steps.len()), (State::Outdated, 1));
    assert_eq!(installed(crm).await, Done::Upgraded);
    assert_eq!(seen(crm).await.state(), State::Installed);
}

async fn another_makers_tables_are_left(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    // The vendor's solution has tables of the same names; in one of them an address is a number.
    let mut theirs = package::solution(Era::Dynamics365, true);
    theirs.manifest.unique_name = "DotdigitalForDynamics".to_owned();
    theirs.manifest.version = "9.4.0.1".to_owned();
    let form = theirs.entities.iter_mut().find(|entity| entity.table.logical_name == "esc_form").unwrap();
    let url = form.table.columns.iter_mut().find(|column| column.logical_name == "esc_url").unwrap();
    url.kind = ColumnKind::Integer { min: 0, max: 9, format: "None".into() };
    imported(crm, &theirs).await;
    let standing = seen(crm).await;
    assert_eq!(standing.state(), State::Foreign);
    let said = installed_by(crm, "one").await.unwrap_err().message;
    assert!(said.contains("of the solution DotdigitalForDynamics 9.4.0.1"), "{said}");
    assert!(
        said.contains("column esc_form.esc_url is Whole Number and would have to be Single Line"),
        "{said}"
    );
    assert_eq!(count(crm, "esc_emailcampaignconfiguration").await, 0, "nothing was written");
}

async fn a_second_connector_is_refused(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    installed(crm).await;
    let refused = installed_by(crm, "two").await.unwrap_err();
    assert_eq!(refused.code, Code::CRM_SOLUTION);
    for named in ["https://one.example (one)", "2026-11-02T08:00:00Z", "--take-over"] {
        assert!(refused.message.contains(named), "{named}: {}", refused.message);
    }
    let refused = uninstall(crm, &seen(crm).await, &order("two")).await.unwrap_err();
    assert_eq!(refused.code, Code::CRM_SOLUTION);
    // Two at once: the later one is told by the row itself.
    let now: Timestamp = "2026-11-02T09:00:00Z".parse().unwrap();
    assert!(mark::write(crm, &order("two").connector, now, false).await.is_err());

    let over = Order { take_over: true, now, ..order("two") };
    assert_eq!(install(crm, &seen(crm).await, &over).await.unwrap(), Done::Unchanged);
    assert!(installed_by(crm, "one").await.is_err());
    let mark = seen(crm).await.mark.unwrap();
    assert_eq!((mark.connector.id.as_str(), mark.heartbeat), ("two", Some(now)));
    assert_eq!(count(crm, "esc_emailcampaignconfiguration").await, 1);
}

async fn an_unmanaged_one_is_left(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    imported(crm, &package::solution(Era::Dynamics365, false)).await;
    assert_eq!(seen(crm).await.state(), State::Unmanaged);
    assert!(installed_by(crm, "one").await.unwrap_err().message.contains("unmanaged"));
    assert!(uninstall(crm, &seen(crm).await, &order("one")).await.is_err());
}

async fn uninstalled(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    installed(crm).await;
    assert!(uninstall(crm, &seen(crm).await, &order("one")).await.unwrap());
    let standing = seen(crm).await;
    assert_eq!((standing.state(), standing.plan.present), (State::Absent, 0));
    assert_eq!((count(crm, "systemform").await, count(crm, "appmodule").await), (0, 0));
    assert!(!uninstall(crm, &standing, &order("one")).await.unwrap());
    assert_eq!(installed(crm).await, Done::Installed);
}
