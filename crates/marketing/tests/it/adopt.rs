//! Tables of our names that another solution made: used as they are when they fit, else refused with every reason.

use postroom_core::metadata::{ColumnKind, Label, Metadata, OwnershipType, TableInfo};
use postroom_core::{Change, ChangeSet, Clock, Code, Crm, Filter, Query, Record, RecordRef, Value};
use postroom_embedded::Embedded;
use postroom_formats::solution::{self as format, Solution};
use postroom_marketing::solution::definition::Definition;
use postroom_marketing::solution::install::{Done, Order, install, uninstall};
use postroom_marketing::solution::look::{Standing, State, look};
use postroom_marketing::solution::plan::beside;
use postroom_marketing::solution::{BESIDE_NAME, Era, definitions, package};
use postroom_store::{Options, Store};
use uuid::Uuid;

use crate::bench::{Bench, On, on, on_both};
use crate::lab::{self, Lab};
use crate::office::ODD;

on_both!(tables_that_fit_are_used_and_stay, a_connector_that_works_there_is_asked_to_stop);

on! {
    WebApi webapi, Soap soap, WebApi2016 webapi_2016: { tables_that_fit_are_used_and_stay }
}

const THEIRS: &str = "DotdigitalForDynamics";

/// A solution of the same tables by another maker: without one of them, some columns and what shows them; with labels and
/// roles of its own.
fn theirs(era: Era) -> Solution {
    let mut theirs = package::solution(era, true);
    theirs.manifest.unique_name = THEIRS.to_owned();
    theirs.manifest.version = "8.4.0.1".to_owned();
    theirs.entities.retain(|entity| entity.table.logical_name != "esc_socialbookmark");
    theirs.one_to_many.retain(|one| one.referencing_table != "esc_socialbookmark");
    let missing = ["esc_installationid", "esc_installationname", "esc_expectedcount", "esc_approvedby"];
    theirs.one_to_many.retain(|one| !missing.contains(&one.referencing_column.as_str()));
    for entity in &mut theirs.entities {
        entity.table.columns.retain(|column| !missing.contains(&column.logical_name.as_str()));
        (entity.forms, entity.views, entity.ribbon) = (Vec::new(), Vec::new(), None);
        if entity.table.logical_name == "esc_emailcampaign" {
            entity.table.label = Label::english("Mailing");
        }
    }
    for role in &mut theirs.roles {
        role.id = Uuid::new_v5(&role.id, b"theirs");
    }
    let gone = |root: &format::Root| root.schema_name.as_deref() == Some("esc_socialbookmark");
    let kinds = [format::component::ENTITY, format::component::OPTION_SET];
    theirs.manifest.roots.retain(|root| kinds.contains(&root.kind) && !gone(root));
    theirs.manifest.roots.extend(theirs.roles.iter().map(|role| format::Root {
        kind: format::component::ROLE,
        schema_name: None,
        id: Some(role.id),
        behavior: 0,
    }));
    (theirs.site_map, theirs.web_resources) = (None, Vec::new());
    (theirs.app_site_maps, theirs.apps) = (Vec::new(), Vec::new());
    theirs
}

async fn imported(crm: &dyn Crm, solution: &Solution) {
    let file = format::write(solution, solution.manifest.package).unwrap();
    crm.import_solution(file.into(), Uuid::from_u128(0x1309)).await.unwrap();
}

fn order(take_over: bool) -> Order {
    Order {
        connector: lab::connector(),
        now: "2026-11-02T08:00:00Z".parse().unwrap(),
        job: Uuid::from_u128(if take_over { 2 } else { 3 }),
        take_over,
    }
}

async fn seen(crm: &dyn Crm, on: On) -> Standing {
    look(crm, Some(on.era())).await.unwrap()
}

async fn write(crm: &dyn Crm, change: Change) {
    crm.apply(vec![ChangeSet { changes: vec![change] }]).await.remove(0).unwrap();
}

async fn solutions(crm: &dyn Crm) -> Vec<String> {
    let names = [THEIRS, BESIDE_NAME].map(Value::text).to_vec();
    let query =
        Query::of("solution").select(&["uniquename"]).filter(Filter::In("uniquename".to_owned(), names));
    let mut names: Vec<String> = crm
        .query(&query)
        .await
        .unwrap()
        .iter()
        .filter_map(|row| Some(row.text("uniquename")?.to_owned()))
        .collect();
    names.sort();
    names
}

async fn tables_that_fit_are_used_and_stay(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    imported(&bench.crm, &theirs(on.era())).await;
    let campaign = RecordRef::new("esc_emailcampaign", Uuid::from_u128(7));
    write(crm, Change::Create(Record::new(campaign).with("esc_name", "Spring"))).await;

    let before = seen(crm, on).await;
    assert_eq!(before.state(), State::Fitting, "{:#?}", before.plan.clashes);
    assert_eq!(
        (before.holders.as_slice(), before.roles.len()),
        ([format!("{THEIRS} 8.4.0.1")].as_slice(), 4)
    );
    assert_eq!(before.theirs, before.own);
    let steps: Vec<String> = before.plan.steps.iter().map(Definition::name).collect();
    for step in [
        "table esc_socialbookmark",
        "column esc_emailsend.esc_expectedcount",
        "lookup esc_emailsend.esc_approvedby",
    ] {
        assert!(steps.iter().any(|known| known == step), "{step} in {steps:?}");
    }
    assert_eq!(install(crm, &before, &order(false)).await.unwrap(), Done::Adopted);

    let after = seen(crm, on).await;
    assert_eq!((after.state(), after.plan.steps.as_slice()), (State::Adopted, [].as_slice()));
    assert_eq!(install(crm, &after, &order(false)).await.unwrap(), Done::Unchanged);
    assert_eq!(solutions(crm).await, [THEIRS, BESIDE_NAME]);
    // What was theirs is as it was: label, forms, roles, rows.
    let table = crm.metadata(&["esc_emailcampaign"]).await.unwrap();
    let label = table.table("esc_emailcampaign").unwrap().label.clone();
    assert_eq!(label.text(), Some("Mailing"));
    let forms = crm.query(&Query::of("systemform").select(&[])).await.unwrap().len();
    assert_eq!(forms, 1, "only the new table has one");
    assert_eq!(after.roles.len(), 4);
    let spring = Query::of("esc_emailcampaign").select(&["esc_name"]);
    assert_eq!(crm.query(&spring).await.unwrap()[0].text("esc_name"), Some("Spring"));

    // Taken away, it leaves theirs behind.
    assert!(uninstall(crm, &after, &order(false)).await.unwrap());
    let left = seen(crm, on).await;
    assert_eq!((left.state(), solutions(crm).await), (State::Fitting, vec![THEIRS.to_owned()]));
    assert_eq!(left.plan.steps, before.plan.steps);
    assert_eq!(crm.query(&spring).await.unwrap().len(), 1);
}

async fn a_connector_that_works_there_is_asked_to_stop(on: On) {
    let bench = Bench::new(on).await;
    let crm = &*bench.port;
    imported(crm, &theirs(on.era())).await;
    let settings = RecordRef::new("esc_emailcampaignconfiguration", Uuid::from_u128(7));
    write(crm, Change::Create(Record::new(settings).with("esc_name", "Theirs"))).await;
    let refused = install(crm, &seen(crm, on).await, &order(false)).await.unwrap_err();
    assert_eq!(refused.code, Code::CRM_SOLUTION);
    assert!(refused.message.contains("a connector without an id"), "{refused}");
    assert_eq!(solutions(crm).await, [THEIRS], "nothing was written");
    assert_eq!(install(crm, &seen(crm, on).await, &order(true)).await.unwrap(), Done::Adopted);
    let mark = seen(crm, on).await.mark.unwrap();
    assert_eq!(mark.connector, lab::connector());
    // And once more, by nobody's leave.
    assert_eq!(install(crm, &seen(crm, on).await, &order(false)).await.unwrap(), Done::Unchanged);
}

/// The engine works on tables that were adopted as on its own: a send from request to mail.
#[tokio::test(flavor = "multi_thread")]
async fn the_engine_works_on_them() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("adopted.db").display());
    let store = Store::open(&url, &Options::default(), &lab::areas()).await.unwrap();
    let crm = Embedded::open(store, Clock::manual(lab::start())).await.unwrap();
    imported(&crm, &theirs(Era::Dynamics365)).await;
    let standing = seen(&crm, On::Sqlite).await;
    assert_eq!(install(&crm, &standing, &order(false)).await.unwrap(), Done::Adopted);
    drop(crm);
    let lab = Lab::at(url, lab::start()).await;
    let campaign = lab.campaign("Spring").await;
    let list = lab.people(&["anna@x.example", ODD]).await;
    let send = lab.request(1, &campaign, &list, 2).await;
    lab.minutes(6).await;
    assert_eq!(lab.shown(send).await, ("Sent".to_owned(), String::new()));
    assert_eq!(lab.mailed(campaign.id), ["anna@x.example", ODD]);
    lab.judge();
}

fn table<'m>(metadata: &'m mut Metadata, name: &str) -> &'m mut TableInfo {
    metadata.tables.iter_mut().find(|table| table.logical_name == name).unwrap()
}

fn kind<'m>(metadata: &'m mut Metadata, name: &str, column: &str) -> &'m mut ColumnKind {
    let columns = &mut table(metadata, name).columns;
    &mut columns.iter_mut().find(|known| known.logical_name == column).unwrap().kind
}

/// What does not fit, one change of a solution that does at a time.
#[test]
fn each_difference_is_named() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Metadata), expected: &[&str]) {
        let mut have = definitions::metadata(Era::Dynamics365);
        change(&mut have);
        let told = |clash: &postroom_marketing::solution::plan::Clash| {
            format!("{} is {} and not {}", clash.what, clash.found, clash.wanted)
        };
        let found: Vec<String> = beside(Era::Dynamics365, &have).clashes.iter().map(told).collect();
        assert_eq!(found, expected);
    }
    check(|_| {}, &[]);
    check(
        |have| *kind(have, "esc_form", "esc_url") = ColumnKind::BigInt,
        &["column esc_form.esc_url is Big Integer and not Single Line of Text of 1000"],
    );
    check(
        |have| *kind(have, "esc_emailsend", "esc_error") = ColumnKind::Memo { max_length: 100 },
        &[
            "column esc_emailsend.esc_error is Multiple Lines of Text of 100 and not Multiple Lines of Text of 4000",
        ],
    );
    check(
        |have| match kind(have, "esc_emailcampaign", "esc_sendstate") {
            ColumnKind::Picklist { options, .. } => {
                options.options.remove(0);
                options.options[0].label = Label::english("Under way");
            }
            other => panic!("{other:?}"),
        },
        &[
            "column esc_emailcampaign.esc_sendstate is the choices esc_sendstate with 272030001 Under way and not choices with \
           272030000 Created, 272030001 Send In Progress",
        ],
    );
    check(
        |have| {
            *kind(have, "esc_emailsend", "esc_emailcampaignid") =
                ColumnKind::Lookup { targets: vec!["campaign".into()] }
        },
        &[
            "lookup esc_emailsend.esc_emailcampaignid is Lookup of campaign and not a lookup of esc_emailcampaign",
        ],
    );
    check(
        |have| table(have, "esc_form").keys[0].columns = vec!["esc_name".to_owned()],
        &["key esc_externalkey_key of esc_form is a key over esc_name and not a key over esc_externalkey"],
    );
    check(
        |have| table(have, "esc_form").ownership = OwnershipType::OrganizationOwned,
        &["ownership of esc_form is owned by the organisation and not owned by users or teams"],
    );
    check(
        |have| table(have, "esc_form").primary_name = Some("esc_title".to_owned()),
        &["primary name of esc_form is esc_title and not esc_name"],
    );
    check(
        |have| have.many_to_many[0].second.table = "campaign".to_owned(),
        &["relationship esc_emailsend_list is campaign and esc_emailsend and not esc_emailsend and list"],
    );
    // A column that is missing would have choices that lack its values.
    check(
        |have| {
            table(have, "esc_emailcampaign").columns.retain(|column| column.logical_name != "esc_sendstate");
            let set = have.option_sets.iter_mut().find(|set| set.name == "esc_sendstate").unwrap();
            set.options.truncate(3);
        },
        &[
            "choices esc_sendstate is the choices esc_sendstate without these values and not choices with 272030003 Send Failed",
        ],
    );
    // Choices of another name that have the same values do as well.
    check(
        |have| match kind(have, "esc_emailcampaign", "esc_sendstate") {
            ColumnKind::Picklist { options, .. } => options.name = "dm_state".to_owned(),
            other => panic!("{other:?}"),
        },
        &[],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_counted() {
    let bench = Bench::new(On::Sqlite).await;
    let mut other = theirs(Era::Dynamics365);
    let mut changed = 0;
    for column in other.entities.iter_mut().flat_map(|entity| &mut entity.table.columns) {
        if let ColumnKind::Memo { max_length } = &mut column.kind {
            (*max_length, changed) = (99, changed + 1);
        }
    }
    imported(&bench.crm, &other).await;
    let standing = seen(&bench.crm, On::Sqlite).await;
    assert_eq!((standing.state(), standing.plan.clashes.len()), (State::Foreign, changed));
    let refused = install(&bench.crm, &standing, &order(true)).await.unwrap_err().message;
    let more = format!("and {} more: see postroom solution status", changed - 3);
    assert!(refused.contains(&more) && refused.contains("is never changed"), "{refused}");
    assert_eq!(solutions(&bench.crm).await, [THEIRS], "nothing was written");
}
