//! What a CRM must refuse, and how it says so: for good, with a documented code, naming the column.

use postroom_core::{Change, Code, Filter, Query, Record, RecordRef, Value};

use super::{Bench, Verdict, ensure, refusal};

pub(super) async fn unknown_names(bench: Bench) -> Verdict {
    let code = Code::CRM_UNKNOWN_COLUMN;
    let table = Record::new(RecordRef::new("no_such_table", bench.ids.next())).with("name", "x");
    bench.refused("an unknown table", Change::Create(table), code, "no_such_table").await?;
    let known = bench.contact("Anna");
    bench.create(std::slice::from_ref(&known)).await?;
    let column = known.with("no_such_column", 1);
    for change in [Change::Create(bench.contact("B").with("no_such_column", 1)), Change::Update(column)] {
        bench.refused("an unknown column", change, code, "no_such_column").await?;
    }
    Ok(())
}

pub(super) async fn unknown_names_in_queries(bench: Bench) -> Verdict {
    let contacts = || Query::of("contact").top(1);
    let cases = [
        ("table", Query::of("no_such_name")),
        ("column wanted", contacts().select(&["firstname", "no_such_name"])),
        ("column in a filter", contacts().filter(Filter::eq("no_such_name", 1))),
        ("column to order by", contacts().order_by("no_such_name", false)),
        ("column with a quote", contacts().order_by("no_such_name\" desc; --", false)),
    ];
    for (what, query) in cases {
        let answer = bench.crm.query(&query).await;
        refusal(&format!("an unknown {what}"), answer, Code::CRM_UNKNOWN_COLUMN, "no_such_name")?;
    }
    Ok(())
}

pub(super) async fn values_that_do_not_fit(bench: Bench) -> Verdict {
    let code = Code::CRM_REFUSED;
    let known = bench.contact("Anna");
    bench.create(std::slice::from_ref(&known)).await?;
    let cases = [
        ("a text too long", "firstname", Value::text("x".repeat(51))),
        ("an address too long", "emailaddress1", Value::text("x".repeat(101))),
        ("a choice that is none", "gendercode", Value::Int(99)),
        ("a text for a number", "numberofchildren", Value::text("three")),
        ("a number for a text", "jobtitle", Value::Int(3)),
        ("a text for a time", "lastusedincampaign", Value::text("yesterday")),
        ("a text for yes or no", "donotemail", Value::text("perhaps")),
        ("a text for an amount", "annualincome", Value::text("much")),
    ];
    for (what, column, value) in cases {
        let new = bench.contact("B");
        let new =
            Record { columns: new.columns.into_iter().filter(|(name, _)| name != column).collect(), ..new };
        bench.refused(what, Change::Create(new.with(column, value.clone())), code, column).await?;
        let change = Record::new(known.at.clone()).with(column, value);
        bench.refused(what, Change::Update(change), code, column).await?;
    }
    Ok(())
}

/// Lengths are counted in characters, not bytes.
pub(super) async fn the_longest_text_fits(bench: Bench) -> Verdict {
    let contact = bench.contact(&"ü".repeat(50));
    bench.create(std::slice::from_ref(&contact)).await?;
    let found = bench.found(&contact.at).await?;
    ensure!(found.get("firstname") == contact.get("firstname"), "50 characters came back as others");
    Ok(())
}

pub(super) async fn lookups_that_lead_nowhere(bench: Bench) -> Verdict {
    let nobody = RecordRef::new("account", bench.ids.next());
    let contact = bench.contact("Anna").with("parentcustomerid", nobody.clone());
    let code = Code::CRM_REFERENCE;
    bench.refused("a lookup of nobody", Change::Create(contact), code, "parentcustomerid").await?;
    let email = bench.email("Offer").with("regardingobjectid", nobody);
    bench.refused("a mail regarding nobody", Change::Create(email), code, "regardingobjectid").await?;

    let queue = bench.queue();
    bench.create(std::slice::from_ref(&queue)).await?;
    let contact = bench.contact("Anna").with("parentcustomerid", queue.at);
    let Err(fault) = bench.apply(vec![Change::Create(contact)]).await else {
        return Err("a customer that is a queue was accepted".to_owned());
    };
    let fits = [Code::CRM_REFERENCE, Code::CRM_REFUSED].contains(&fault.code);
    ensure!(fits && fault.message.contains("parentcustomerid"), "a customer that is a queue: {fault}");
    Ok(())
}

pub(super) async fn states_and_statuses(bench: Bench) -> Verdict {
    let code = Code::CRM_STATE;
    let pair =
        |record: Record, state: i32, status: i32| record.with("statecode", state).with("statuscode", status);
    let contact = pair(bench.contact("Anna"), 0, 2);
    bench.refused("active and inactive", Change::Create(contact), code, "statuscode").await?;
    let email = pair(bench.email("Offer"), 0, 4);
    bench.refused("open and received", Change::Create(email), code, "statuscode").await?;
    let known = bench.email("Offer");
    bench.create(std::slice::from_ref(&known)).await?;
    let change = pair(Record::new(known.at.clone()), 1, 8);
    bench.refused("completed and failed", Change::Update(change), code, "statuscode").await?;
    // Every pair that mail uses.
    for (state, status) in [(1, 4), (0, 1), (1, 6), (1, 7), (1, 3), (0, 8), (2, 5), (1, 2)] {
        let change = pair(Record::new(known.at.clone()), state, status);
        bench.must(Change::Update(change)).await.map_err(|text| format!("{state}/{status}: {text}"))?;
    }
    Ok(())
}

pub(super) async fn required_columns(bench: Bench) -> Verdict {
    let party = Record::new(RecordRef::new("activityparty", bench.ids.next()));
    let party = party.with("participationtypemask", 1).with("addressused", "anna@customer.example");
    bench.refused("a party of no mail", Change::Create(party), Code::CRM_REQUIRED, "activityid").await?;
    let unit = Record::new(RecordRef::new("businessunit", bench.ids.next()));
    bench.refused("a business unit without a name", Change::Create(unit), Code::CRM_REQUIRED, "name").await?;
    // Required by forms only: a program may leave it out.
    let account = Record::new(RecordRef::new("account", bench.ids.next()));
    bench.create(&[account]).await
}

pub(super) async fn rows_that_are_not_there(bench: Bench) -> Verdict {
    let absent = bench.contact("Anna");
    let id = absent.at.id.to_string();
    bench.refused("an update of nothing", Change::Update(absent), Code::CRM_NOT_FOUND, &id).await
}
