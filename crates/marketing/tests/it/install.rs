//! The solution put into the embedded CRM, upgraded and taken away.

use postroom_core::metadata::{ColumnKind, Metadata};
use postroom_core::{Change, ChangeSet, Crm, Definition, Outcome, Query, Record, RecordRef, Value};
use postroom_marketing::keys::Account;
use postroom_marketing::solution::install::{install, preview, uninstall};
use postroom_marketing::solution::plan::{Status, plan};
use postroom_marketing::solution::{Era, definitions};
use uuid::Uuid;

use crate::bench::{Bench, On, on_both};

on_both!(
    everything_is_made_once,
    a_cut_run_goes_on,
    an_upgrade_keeps_the_data,
    what_is_another_makers_is_left,
    uninstalled,
);

async fn status(crm: &dyn Crm) -> Status {
    preview(crm, Era::Dynamics365).await.unwrap().status()
}

async fn installed(crm: &dyn Crm) -> usize {
    let done = install(crm, Era::Dynamics365, |_| {}).await.unwrap();
    let failed: Vec<_> = done.steps.iter().filter(|step| step.outcome.is_err()).collect();
    assert!(done.complete(), "{failed:?} {:?}", done.clashes);
    done.steps.len()
}

async fn write(crm: &dyn Crm, change: Change) {
    let changes = vec![change];
    crm.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
}

async fn everything_is_made_once(on: On) {
    let bench = Bench::new(on).await;
    let crm = &bench.crm;
    assert_eq!(status(crm).await, Status::Absent);
    let steps = installed(crm).await;
    assert!(steps > 100, "{steps}");
    assert_eq!(status(crm).await, Status::Complete);
    assert_eq!(installed(crm).await, 0);

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

/// What the CRM says of its tables is what was asked for, in kind and length.
#[tokio::test(flavor = "multi_thread")]
async fn it_reads_back_as_it_was_meant() {
    let bench = Bench::new(On::Sqlite).await;
    installed(&bench.crm).await;
    let (want, have) = (definitions::metadata(Era::Dynamics365), bench.crm.metadata(&[]).await.unwrap());
    for table in want.tables.iter().filter(|table| table.is_custom) {
        let known = have.table(&table.logical_name).unwrap();
        assert_eq!((&known.label, &known.description), (&table.label, &table.description));
        for column in &table.columns {
            let made = known.column(&column.logical_name).unwrap();
            let name = format!("{}.{}", table.logical_name, column.logical_name);
            assert_eq!((&made.label, made.required), (&column.label, column.required), "{name}");
            match (&made.kind, &column.kind) {
                (ColumnKind::Picklist { options: made, .. }, ColumnKind::Picklist { options, .. }) => {
                    let values = |options: &postroom_core::metadata::OptionSet| {
                        options.options.iter().map(|option| option.value).collect::<Vec<_>>()
                    };
                    assert_eq!((made.is_global, values(made)), (true, values(options)), "{name}");
                }
                (ColumnKind::Boolean { default: made, .. }, ColumnKind::Boolean { default, .. }) => {
                    assert_eq!(made, default, "{name}");
                }
                (made, wanted) => assert_eq!(made, wanted, "{name}"),
            }
        }
        let cascades = |metadata: &Metadata| {
            let mut all: Vec<_> = metadata
                .many_to_one_of(&table.logical_name)
                .filter(|relation| relation.is_custom)
                .map(|relation| (relation.schema_name.clone(), relation.cascade))
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        };
        assert_eq!(cascades(&have), cascades(&want), "{}", table.logical_name);
    }
}

async fn a_cut_run_goes_on(on: On) {
    let bench = Bench::new(on).await;
    let crm = &bench.crm;
    let all = preview(crm, Era::Dynamics365).await.unwrap().steps;
    let half: Vec<Definition> = all[..all.len() / 2].to_vec();
    assert!(crm.define(half.clone()).await.iter().all(Result::is_ok));
    assert_eq!(status(crm).await, Status::Partial);
    assert_eq!(installed(crm).await, all.len() - half.len());
    // What is there already is no error either.
    assert!(crm.define(all).await.into_iter().all(|answer| answer.unwrap() == Outcome::Unchanged));
}

async fn an_upgrade_keeps_the_data(on: On) {
    let bench = Bench::new(on).await;
    let crm = &bench.crm;
    // A version of yesterday: without forms, with one option less and a shorter text.
    let old = preview(crm, Era::Dynamics365).await.unwrap().steps;
    let old = old
        .into_iter()
        .filter(|step| !step.name().contains("esc_form") && !step.name().contains("esc_response"));
    let old: Vec<Definition> = old
        .map(|mut step| {
            match &mut step {
                Definition::OptionSet(set) => drop(set.options.pop()),
                Definition::Table(table) if table.logical_name == "esc_emailsend" => {
                    for column in &mut table.columns {
                        if let ColumnKind::Memo { max_length } = &mut column.kind {
                            *max_length = 100;
                        }
                    }
                }
                _ => {}
            }
            step
        })
        .collect();
    let answers = crm.define(old).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let send = RecordRef::new("esc_emailsend", Uuid::from_u128(7));
    write(
        crm,
        Change::Create(
            Record::new(send.clone()).with("esc_name", "Spring").with("esc_error", "x".repeat(100)),
        ),
    )
    .await;

    assert_eq!(status(crm).await, Status::Partial);
    installed(crm).await;
    assert_eq!(status(crm).await, Status::Complete);
    let longer = Record::new(send.clone()).with("esc_error", "y".repeat(4000));
    write(crm, Change::Update(longer)).await;
    let found = crm.query(&Query::of("esc_emailsend").select(&["esc_name", "esc_error"])).await.unwrap();
    assert_eq!(found[0].get("esc_name"), Some(&Value::text("Spring")));
}

async fn what_is_another_makers_is_left(on: On) {
    let bench = Bench::new(on).await;
    let crm = &bench.crm;
    // Somebody's own esc_form, whose address is a number.
    let theirs =
        preview(crm, Era::Dynamics365).await.unwrap().steps.into_iter().find_map(|step| match step {
            Definition::Table(mut table) if table.logical_name == "esc_form" => {
                table.columns.retain(|column| column.is_primary_name || column.logical_name == "esc_url");
                let url = table.columns.iter_mut().find(|column| column.logical_name == "esc_url").unwrap();
                url.kind = ColumnKind::Integer { min: 0, max: 9, format: "None".into() };
                Some(Definition::Table(table))
            }
            _ => None,
        });
    crm.define(vec![theirs.unwrap()]).await.remove(0).unwrap();
    let done = install(crm, Era::Dynamics365, |step| panic!("{step:?}")).await.unwrap();
    assert!(done.steps.is_empty() && !done.complete());
    let said = done.clashes[0].to_string();
    assert!(
        said.starts_with(
            "column esc_form.esc_url is there already as Whole Number, and the connector needs Single Line"
        ),
        "{said}"
    );
    assert_eq!(crm.metadata(&["esc_emailaccount"]).await.unwrap().tables.len(), 0);
}

async fn uninstalled(on: On) {
    let bench = Bench::new(on).await;
    let crm = &bench.crm;
    installed(crm).await;
    let gone = uninstall(crm, Era::Dynamics365, |_| {}).await;
    let refused: Vec<_> = gone.iter().filter(|step| step.outcome.is_err()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(status(crm).await, Status::Absent);
    let again = uninstall(crm, Era::Dynamics365, |_| {}).await;
    assert!(again.into_iter().all(|step| step.outcome.unwrap() == Outcome::Unchanged));
    installed(crm).await;
}

#[test]
fn a_crm_without_leads_is_named() {
    let plan = plan(Era::Dynamics365, &Metadata::default());
    assert_eq!(plan.status(), Status::Clashing);
    assert!(plan.clashes.iter().any(|clash| clash.what == "table lead"));
}
