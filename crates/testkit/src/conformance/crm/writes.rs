//! Creating, changing and deleting; sets that happen together or not at all.

use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::{Change, ChangeSet, Code, Outcome, Record, Value};

use super::{Bench, Verdict, ensure, holds};

pub(super) async fn a_row_reads_back_as_it_was_written(bench: Bench) -> Verdict {
    let account = bench.account().with("revenue", Value::Decimal("12345678901.25".to_owned()));
    let contact = bench.contact("Anna").with("parentcustomerid", account.at.clone());
    let contact = contact.with("numberofchildren", 3).with("gendercode", 2).with("donotemail", true);
    let time: Timestamp = "2026-11-02T10:11:12Z".parse().expect("a time");
    let email = bench.email("Offer").with("actualend", time).with("regardingobjectid", contact.at.clone());
    let rows = [account, contact, email];
    bench.create(&rows).await?;
    for row in &rows {
        holds(&bench.found(&row.at).await?, row)?;
    }
    Ok(())
}

pub(super) async fn texts_read_back_exactly(bench: Bench) -> Verdict {
    for text in [
        "O'Neil; drop table contact--",
        "Jürgen Ωμέγα 佐藤 🙂",
        "two\r\nlines\tand \\ % _ \"",
        "<b>&amp; ]]></b> <!-- 'x' -->",
        " edges ",
    ] {
        let contact = bench.contact("Anna").with("description", text);
        bench.create(std::slice::from_ref(&contact)).await?;
        let row = bench.found(&contact.at).await?;
        let found = bench.body(row.get("description")).await?;
        ensure!(found == text.as_bytes(), "{text:?} came back as {:?}", String::from_utf8_lossy(&found));
    }
    Ok(())
}

pub(super) async fn a_repeated_create_changes_nothing(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna");
    bench.create(std::slice::from_ref(&contact)).await?;
    let other = Record::new(contact.at.clone()).with("firstname", "Bert").with("lastname", "Busch");
    let outcome = bench.must(Change::Create(other)).await?;
    ensure!(outcome == Outcome::Unchanged, "a repeat gave {outcome:?}");
    holds(&bench.found(&contact.at).await?, &contact)
}

pub(super) async fn an_update_changes_the_columns_it_names(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna").with("jobtitle", "Buyer");
    bench.create(std::slice::from_ref(&contact)).await?;
    let change = Record::new(contact.at.clone()).with("jobtitle", "Head of buying");
    let outcome = bench.must(Change::Update(change.clone())).await?;
    ensure!(outcome == Outcome::Updated, "a change gave {outcome:?}");
    let row = bench.found(&contact.at).await?;
    holds(&row, &change)?;
    ensure!(
        row.text("firstname") == Some("Anna"),
        "firstname, which was not named, is {:?}",
        row.get("firstname")
    );
    Ok(())
}

pub(super) async fn a_repeated_update_changes_nothing(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna");
    bench.create(std::slice::from_ref(&contact)).await?;
    let change = Record::new(contact.at.clone()).with("jobtitle", "Buyer").with("numberofchildren", 2);
    bench.must(Change::Update(change.clone())).await?;
    let before = bench.found(&contact.at).await?;
    let outcome = bench.must(Change::Update(change)).await?;
    ensure!(outcome == Outcome::Unchanged, "the same values again gave {outcome:?}");
    ensure!(bench.found(&contact.at).await? == before, "the same values again changed the row");
    Ok(())
}

pub(super) async fn null_clears_a_column(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna").with("jobtitle", "Buyer");
    bench.create(std::slice::from_ref(&contact)).await?;
    let change = Record::new(contact.at.clone()).with("jobtitle", Value::Null);
    bench.must(Change::Update(change.clone())).await?;
    holds(&bench.found(&contact.at).await?, &change)
}

pub(super) async fn a_guarded_update_needs_the_version_read(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna");
    bench.create(std::slice::from_ref(&contact)).await?;
    let change = |name: &str| Record::new(contact.at.clone()).with("firstname", name);
    let read = bench.found(&contact.at).await?.int("versionnumber").ok_or("a row has no versionnumber")?;
    let outcome = bench.must(Change::UpdateIf(change("Berta"), read)).await?;
    ensure!(outcome == Outcome::Updated, "the version read gave {outcome:?}");
    let (id, code) = (contact.at.id.to_string(), Code::CRM_VERSION);
    bench.refused("an old version", Change::UpdateIf(change("Carla"), read), code, &id).await?;
    let delete = Change::DeleteIf(contact.at.clone(), Some(read));
    bench.refused("an old version", delete, code, &id).await?;
    holds(&bench.found(&contact.at).await?, &change("Berta"))
}

pub(super) async fn a_new_row_is_not_there_yet(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna");
    let outcome = bench.must(Change::CreateNew(contact.clone())).await?;
    ensure!(outcome == Outcome::Created, "a new row gave {outcome:?}");
    let other = Record::new(contact.at.clone()).with("firstname", "Bert").with("lastname", "Busch");
    let id = contact.at.id.to_string();
    bench.refused("a row that is there", Change::CreateNew(other), Code::CRM_DUPLICATE, &id).await?;
    holds(&bench.found(&contact.at).await?, &contact)?;
    bench.must(Change::DeleteIf(contact.at.clone(), None)).await?;
    let gone = Change::DeleteIf(contact.at, None);
    bench.refused("a row that is gone", gone, Code::CRM_NOT_FOUND, &id).await
}

pub(super) async fn an_upsert_creates_or_changes(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna");
    let changed = Record::new(contact.at.clone()).with("firstname", "Anne");
    let steps = [
        (contact.clone(), Outcome::Created),
        (changed.clone(), Outcome::Updated),
        (changed.clone(), Outcome::Unchanged),
    ];
    for (record, expected) in steps {
        let outcome = bench.must(Change::Upsert(record.clone())).await?;
        ensure!(outcome == expected, "{record:?} gave {outcome:?}, not {expected:?}");
    }
    let row = bench.found(&contact.at).await?;
    holds(&row, &changed)?;
    ensure!(
        row.text("lastname") == Some(&bench.mark),
        "lastname, which was not named, is {:?}",
        row.get("lastname")
    );
    Ok(())
}

pub(super) async fn a_delete_can_be_repeated(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna");
    bench.create(std::slice::from_ref(&contact)).await?;
    for expected in [Outcome::Deleted, Outcome::Unchanged] {
        let outcome = bench.must(Change::Delete(contact.at.clone())).await?;
        ensure!(outcome == expected, "a delete gave {outcome:?}, not {expected:?}");
        ensure!(bench.row(&contact.at).await?.is_none(), "the row is still there");
    }
    Ok(())
}

pub(super) async fn a_status_follows_its_state(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna");
    bench.create(std::slice::from_ref(&contact)).await?;
    let active = Record::new(contact.at.clone()).with("statecode", 0).with("statuscode", 1);
    holds(&bench.found(&contact.at).await?, &active)?;
    bench.must(Change::Update(Record::new(contact.at.clone()).with("statecode", 1))).await?;
    let inactive = Record::new(contact.at.clone()).with("statecode", 1).with("statuscode", 2);
    holds(&bench.found(&contact.at).await?, &inactive)
}

pub(super) async fn a_set_is_all_or_nothing(bench: Bench) -> Verdict {
    let known = bench.contact("Anna");
    bench.create(std::slice::from_ref(&known)).await?;
    let (new, bad) = (bench.contact("Bert"), bench.contact("Carl").with("no_such_column", 1));
    let doomed = bench.contact("Dora");
    bench.create(std::slice::from_ref(&doomed)).await?;
    let answer = bench
        .apply(vec![
            Change::Create(new.clone()),
            Change::Update(Record::new(known.at.clone()).with("firstname", "Other")),
            Change::Delete(doomed.at.clone()),
            Change::Create(bad),
        ])
        .await;
    ensure!(answer.is_err(), "a set with a bad write was accepted");
    ensure!(bench.row(&new.at).await?.is_none(), "the create before the bad write is there");
    ensure!(bench.row(&doomed.at).await?.is_some(), "the delete before the bad write happened");
    holds(&bench.found(&known.at).await?, &known)
}

/// The same where only the CRM itself can tell that a write is bad.
pub(super) async fn a_set_that_is_refused_midway_makes_nothing(bench: Bench) -> Verdict {
    let (first, second) = (bench.contact("Anna"), bench.contact("Bert"));
    let bad = bench.contact("Carl").with("gendercode", 99);
    let set = [first.clone(), second.clone(), bad].map(Change::Create);
    let answer = bench.apply(set.into()).await;
    ensure!(answer.is_err(), "a set with a bad write was accepted");
    for row in [first, second] {
        ensure!(bench.row(&row.at).await?.is_none(), "a create before the bad write is there");
    }
    Ok(())
}

pub(super) async fn neighbours_of_a_failing_set_survive(bench: Bench) -> Verdict {
    let (first, last) = (bench.contact("Anna"), bench.contact("Dora"));
    let bad = bench.contact("Bert").with("gendercode", 99);
    let absent = bench.contact("Carl");
    let sets = vec![
        ChangeSet { changes: vec![Change::Create(first.clone())] },
        ChangeSet { changes: vec![Change::Create(bad)] },
        ChangeSet { changes: vec![Change::Update(absent)] },
        ChangeSet { changes: vec![Change::Create(last.clone())] },
    ];
    let answers = bench.crm.apply(sets).await;
    let went: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    ensure!(went == [true, false, false, true], "good, bad, bad, good gave {answers:?}");
    bench.found(&first.at).await?;
    bench.found(&last.at).await?;
    Ok(())
}

pub(super) async fn a_set_may_refer_to_its_own_rows(bench: Bench) -> Verdict {
    let account = bench.account();
    let contact = bench.contact("Anna").with("parentcustomerid", account.at.clone());
    bench.create(&[account, contact]).await
}

pub(super) async fn nothing_to_do_is_done(bench: Bench) -> Verdict {
    ensure!(bench.crm.apply(Vec::new()).await.is_empty(), "no sets gave answers");
    let outcomes = bench.apply(Vec::new()).await.map_err(|fault| format!("an empty set: {fault}"))?;
    ensure!(outcomes.is_empty(), "an empty set gave {outcomes:?}");
    Ok(())
}

/// Two workers that file the same mail meet in the CRM.
pub(super) async fn a_row_created_at_once_is_created_once(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna");
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (crm, contact) = (Arc::clone(&bench.crm), contact.clone());
        let set = ChangeSet { changes: vec![Change::Create(contact)] };
        tasks.push(tokio::spawn(async move { crm.apply(vec![set]).await }));
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        let answers = task.await.map_err(|error| format!("apply panicked: {error}"))?;
        for answer in answers {
            outcomes.extend(answer.map_err(|fault| format!("one of eight at once: {fault}"))?);
        }
    }
    let created = outcomes.iter().filter(|outcome| **outcome == Outcome::Created).count();
    ensure!(outcomes.len() == 8 && created == 1, "eight at once gave {outcomes:?}");
    bench.found(&contact.at).await.map(|_| ())
}
