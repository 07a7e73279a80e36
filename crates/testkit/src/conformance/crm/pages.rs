//! Reads that go on: pages, runs through changes, definitions, and ties of many to many.

use std::collections::{BTreeMap, BTreeSet};

use postroom_core::metadata::ColumnKind;
use postroom_core::{Change, ChangesAsk, Code, Filter, Query, Record, RecordRef};
use uuid::Uuid;

use super::{Bench, Verdict, ensure, ids};

/// Parts of a run at most: a run that never ends fails.
const PARTS: usize = 2000;

async fn people(bench: &Bench, count: usize) -> Result<Vec<Record>, String> {
    let rows: Vec<Record> = (0..count).map(|at| bench.contact(&format!("Person {:02}", at % 9))).collect();
    bench.create(&rows).await?;
    Ok(rows)
}

fn ours(bench: &Bench) -> Query {
    Query::of("contact").select(&["firstname"]).filter(Filter::eq("lastname", bench.mark.as_str()))
}

/// All pages of a query; `between` happens after each of them.
async fn pages(
    bench: &Bench,
    query: &Query,
    size: u32,
    mut between: impl AsyncFnMut(usize) -> Verdict,
) -> Result<Vec<Record>, String> {
    let (mut rows, mut next) = (Vec::new(), None);
    for number in 0..PARTS {
        let page = bench.crm.page(query, size, next.as_deref()).await.map_err(|fault| fault.to_string())?;
        let fits = page.records.len() <= size as usize || page.next.is_none() && number == 0;
        ensure!(fits, "a page of {size} has {} rows", page.records.len());
        rows.extend(page.records);
        match page.next {
            None => return Ok(rows),
            Some(cookie) => next = Some(cookie),
        }
        between(number).await?;
    }
    Err("the pages have no end".to_owned())
}

pub(super) async fn pages_bring_every_row_once(bench: Bench) -> Verdict {
    let rows = people(&bench, 23).await?;
    let queries =
        [ours(&bench), ours(&bench).order_by("firstname", false), ours(&bench).order_by("firstname", true)];
    for query in queries {
        for size in [1, 7, 23, 100] {
            let found = pages(&bench, &query, size, async |_| Ok(())).await?;
            ensure!(ids(&found) == ids(&rows), "pages of {size} brought {} rows of 23", found.len());
            let names: Vec<&str> = found.iter().filter_map(|row| row.text("firstname")).collect();
            let rises = query.order.is_empty()
                || names
                    .windows(2)
                    .all(|pair| pair[0] == pair[1] || (pair[0] > pair[1]) == query.order[0].descending);
            ensure!(rises, "pages of {size} are out of order: {names:?}");
        }
    }
    Ok(())
}

/// Rows that go and come while pages are read make no gap among those that stay.
pub(super) async fn pages_have_no_gap_under_writes(bench: Bench) -> Verdict {
    let rows = people(&bench, 20).await?;
    let query = ours(&bench).order_by("firstname", false);
    let mut staying: BTreeSet<Uuid> = rows.iter().map(|row| row.at.id).collect();
    let mut going: Vec<RecordRef> = rows.iter().step_by(4).map(|row| row.at.clone()).collect();
    for at in &going {
        staying.remove(&at.id);
    }
    let found = pages(&bench, &query, 4, async |_| {
        if let Some(at) = going.pop() {
            bench.must(Change::Delete(at)).await?;
        }
        bench.create(&[bench.contact("Person 00"), bench.contact("Person 99")]).await
    })
    .await?;
    let mut times: BTreeMap<Uuid, usize> = BTreeMap::new();
    found.iter().for_each(|row| *times.entry(row.at.id).or_default() += 1);
    let missed = staying.iter().filter(|id| !times.contains_key(id)).count();
    ensure!(missed == 0, "{missed} rows that stayed were missed");
    let doubled = times.values().filter(|times| **times > 1).count();
    ensure!(doubled == 0, "{doubled} rows came twice");
    Ok(())
}

/// What a whole run brought of this case's rows.
#[derive(Default)]
struct Run {
    rows: BTreeMap<Uuid, Option<String>>,
    gone: BTreeSet<Uuid>,
    full: bool,
    token: String,
}

async fn run(
    bench: &Bench,
    since: Option<String>,
    mut between: impl AsyncFnMut(usize) -> Verdict,
) -> Result<Run, String> {
    let mut found = Run { token: since.clone().unwrap_or_default(), ..Run::default() };
    let mut since = since;
    let columns = Some(vec!["firstname".to_owned(), "lastname".to_owned()]);
    for number in 0..PARTS {
        let ask = ChangesAsk { table: "contact".to_owned(), columns: columns.clone(), since, size: 50 };
        let part = bench.crm.changes(&ask).await.map_err(|fault| format!("changes: {fault}"))?;
        let of_case = part.records.iter().filter(|row| row.text("lastname") == Some(&bench.mark));
        found.rows.extend(of_case.map(|row| (row.at.id, row.text("firstname").map(str::to_owned))));
        found.gone.extend(part.gone);
        found.full |= part.full;
        found.token = part.token.clone();
        if !part.more {
            return Ok(found);
        }
        since = Some(part.token);
        between(number).await?;
    }
    Err("the run has no end".to_owned())
}

pub(super) async fn a_run_brings_what_changed(bench: Bench) -> Verdict {
    let rows = people(&bench, 4).await?;
    let first = run(&bench, None, async |_| Ok(())).await?;
    ensure!(first.full, "a run without a token is not full");
    ensure!(first.rows.len() == 4, "the first run brought {} rows of 4", first.rows.len());

    let quiet = run(&bench, Some(first.token), async |_| Ok(())).await?;
    ensure!(quiet.full || quiet.rows.is_empty(), "nothing changed, and {} rows came", quiet.rows.len());

    let new = bench.contact("New");
    bench.create(std::slice::from_ref(&new)).await?;
    bench.must(Change::Update(Record::new(rows[0].at.clone()).with("firstname", "Changed"))).await?;
    bench.must(Change::Delete(rows[1].at.clone())).await?;
    let run = run(&bench, Some(quiet.token), async |_| Ok(())).await?;
    let name = |row: &Record| run.rows.get(&row.at.id).and_then(Option::as_deref);
    ensure!(name(&new) == Some("New"), "the new row came as {:?}", name(&new));
    ensure!(name(&rows[0]) == Some("Changed"), "the changed row came as {:?}", name(&rows[0]));
    ensure!(!run.rows.contains_key(&rows[1].at.id), "the deleted row came");
    let can = bench.crm.capabilities().await.map_err(|fault| fault.to_string())?;
    let told = run.full || run.gone.contains(&rows[1].at.id) || !can.change_tracking;
    ensure!(told, "the deleted row is not among those that went");
    ensure!(run.full || !run.rows.contains_key(&rows[2].at.id), "a row came that nobody changed");
    Ok(())
}

/// What is written while a run goes on comes in it or in the next.
pub(super) async fn a_run_misses_no_write(bench: Bench) -> Verdict {
    people(&bench, 120).await?;
    let mut written = BTreeSet::new();
    let first = run(&bench, None, async |_| {
        let row = bench.contact("Meanwhile");
        written.insert(row.at.id);
        bench.create(&[row]).await
    })
    .await?;
    let second = run(&bench, Some(first.token.clone()), async |_| Ok(())).await?;
    let missed =
        written.iter().filter(|id| !first.rows.contains_key(id) && !second.rows.contains_key(id)).count();
    ensure!(missed == 0, "{missed} of {} rows written during the run were missed", written.len());
    Ok(())
}

pub(super) async fn a_token_that_is_none_is_refused(bench: Bench) -> Verdict {
    let ask = ChangesAsk { table: "contact".into(), columns: None, since: Some("no token".into()), size: 5 };
    let taken = bench.crm.changes(&ask).await.is_ok_and(|part| !part.full);
    ensure!(!taken, "a text that is no token was taken for one");
    Ok(())
}

/// A CRM may have no definitions to show; those that are shown are right. Names that only the Web API has (entity sets,
/// navigation properties) are empty where a server is older than it.
pub(super) async fn tables_are_described(bench: Bench) -> Verdict {
    let metadata = match bench.crm.metadata(&["contact", "email"]).await {
        Ok(metadata) => metadata,
        Err(fault) => {
            ensure!(fault.code == Code::CRM_REFUSED, "metadata: {fault}");
            return Ok(());
        }
    };
    let contact = metadata.table("contact").ok_or("contact is not described")?;
    let set = |name: &str| ["", "contacts"].contains(&name);
    let named = set(&contact.entity_set) && contact.primary_id == "contactid";
    ensure!(named, "contact is {:?} with the key {:?}", contact.entity_set, contact.primary_id);
    let kind = |column: &str| contact.column(column).map(|column| column.kind.clone());
    let length = matches!(kind("firstname"), Some(ColumnKind::String { max_length: 50, .. }));
    ensure!(length, "firstname is {:?}", kind("firstname"));
    let customer =
        matches!(kind("parentcustomerid"), Some(ColumnKind::Customer { ref targets }) if targets.len() == 2);
    ensure!(customer, "parentcustomerid is {:?}", kind("parentcustomerid"));
    let lookups: Vec<_> = metadata.many_to_one_of("contact").collect();
    let of_account = lookups.iter().any(|one| {
        one.referencing_column == "parentcustomerid"
            && one.referenced_table == "account"
            && ["", "parentcustomerid_account"].contains(&one.referencing_navigation.as_str())
    });
    ensure!(of_account, "contact's lookup of an account is not described");
    ensure!(metadata.table("account").is_none(), "account is described unasked");
    Ok(())
}

/// Without a name, every table: not those alone that were asked for before.
pub(super) async fn every_table_is_described(bench: Bench) -> Verdict {
    let named = match bench.crm.metadata(&["contact"]).await {
        Ok(named) => named,
        Err(fault) => {
            ensure!(fault.code == Code::CRM_REFUSED, "metadata: {fault}");
            return Ok(());
        }
    };
    let all = bench.crm.metadata(&[]).await.map_err(|fault| format!("metadata of all tables: {fault}"))?;
    for name in ["account", "activityparty", "contact", "email", "lead", "queue", "systemuser"] {
        ensure!(all.table(name).is_some(), "{name} is not described among all tables");
    }
    let same = all.table("contact") == named.table("contact");
    ensure!(same, "contact is described in another way when it is asked for by name");
    for one in &named.one_to_many {
        ensure!(all.one_to_many.contains(one), "{} is missing among all relationships", one.schema_name);
    }
    Ok(())
}

pub(super) async fn rows_are_tied_and_untied(bench: Bench) -> Verdict {
    let Ok(metadata) = bench.crm.metadata(&["list"]).await else { return Ok(()) };
    let name = "listcontact_association";
    ensure!(metadata.many_to_many.iter().any(|pair| pair.schema_name == name), "{name} is not described");
    let list = Record::new(RecordRef::new("list", bench.ids.next())).with("listname", bench.mark.as_str());
    let list = list.with("createdfromcode", 2);
    let people = [bench.contact("Anna"), bench.contact("Bert")];
    bench.create(&[list.clone(), people[0].clone(), people[1].clone()]).await?;
    let others = [people[0].at.clone(), people[1].at.clone()];
    let tied = async || {
        let members = Query::of("listmember").select(&[]).filter(Filter::eq("listid", list.at.clone()));
        Ok::<usize, String>(bench.rows(members).await?.len())
    };
    for _ in 0..2 {
        let done = bench.crm.associate(name, &list.at, &others).await;
        done.map_err(|fault| format!("associate: {fault}"))?;
        ensure!(tied().await? == 2, "two rows tied gave {}", tied().await?);
    }
    for _ in 0..2 {
        let done = bench.crm.disassociate(name, &list.at, &others[..1]).await;
        done.map_err(|fault| format!("disassociate: {fault}"))?;
        ensure!(tied().await? == 1, "one row untied left {}", tied().await?);
    }
    Ok(())
}
