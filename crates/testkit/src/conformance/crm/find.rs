//! Who has this id, and whose is this address: asked for a lot at once.

use postroom_core::{AddressHit, Change, Record, RecordRef, Value, address};

use super::{Bench, Verdict, ensure, ids};

/// The columns that hold addresses, by table (Dataverse's standard tables).
const ADDRESS_COLUMNS: &[(&str, &str)] = &[
    ("contact", "emailaddress1"),
    ("contact", "emailaddress2"),
    ("contact", "emailaddress3"),
    ("account", "emailaddress1"),
    ("account", "emailaddress2"),
    ("account", "emailaddress3"),
    ("lead", "emailaddress1"),
    ("lead", "emailaddress2"),
    ("lead", "emailaddress3"),
    ("queue", "emailaddress"),
    ("systemuser", "internalemailaddress"),
    ("systemuser", "personalemailaddress"),
];

async fn find(bench: &Bench, tables: &[&str], wanted: &[&RecordRef]) -> Result<Vec<Record>, String> {
    let ids: Vec<_> = wanted.iter().map(|at| at.id).collect();
    bench.crm.find(tables, &ids).await.map_err(|fault| format!("find: {fault}"))
}

async fn find_addresses(bench: &Bench, wanted: &[String]) -> Result<Vec<AddressHit>, String> {
    let wanted: Vec<String> = wanted.iter().map(|one| address::normal(one)).collect();
    bench.crm.find_addresses(&wanted).await.map_err(|fault| format!("find_addresses: {fault}"))
}

pub(super) async fn ids_are_found_in_any_of_the_tables(bench: Bench) -> Verdict {
    let (contact, account, lead) = (bench.contact("Anna"), bench.account(), bench.lead());
    bench.create(&[contact.clone(), account.clone(), lead.clone()]).await?;
    let nobody = RecordRef::new("contact", bench.ids.next());
    let wanted = [&contact.at, &nobody, &account.at, &lead.at];
    let mut found: Vec<_> =
        find(&bench, &["account", "contact"], &wanted).await?.into_iter().map(|row| row.at).collect();
    found.sort();
    let mut expected = vec![account.at.clone(), contact.at.clone()];
    expected.sort();
    ensure!(found == expected, "found {found:?}, not {expected:?}");
    ensure!(find(&bench, &[], &wanted).await?.is_empty(), "no tables gave rows");
    ensure!(find(&bench, &["contact"], &[]).await?.is_empty(), "no ids gave rows");
    Ok(())
}

pub(super) async fn what_was_found_says_how_it_stands(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna").with("statecode", 1).with("statuscode", 2);
    let email = bench.email("Offer").with("regardingobjectid", contact.at.clone());
    bench.create(&[contact.clone(), email.clone()]).await?;
    for row in find(&bench, &["contact", "email"], &[&contact.at, &email.at]).await? {
        let (state, status) = if row.at == contact.at { (1, 2) } else { (0, 1) };
        let stands = (row.int("statecode"), row.int("statuscode"));
        ensure!(stands == (Some(state), Some(status)), "{} stands at {stands:?}", row.at);
        ensure!(row.lookup("ownerid").is_some(), "{} has no owner: {:?}", row.at, row.get("ownerid"));
        let regarding = row.lookup("regardingobjectid");
        ensure!(row.at != email.at || regarding == Some(&contact.at), "the mail regards {regarding:?}");
    }
    Ok(())
}

pub(super) async fn a_merged_row_names_its_survivor(bench: Bench) -> Verdict {
    let survivor = bench.contact("Anna");
    let merged = bench.contact("Anne").with("merged", true).with("masterid", survivor.at.clone());
    let merged = merged.with("statecode", 1).with("statuscode", 2);
    bench.create(&[survivor.clone(), merged.clone()]).await?;
    let rows = find(&bench, &["contact"], &[&merged.at]).await?;
    let row = rows.first().ok_or("the merged row was not found")?;
    ensure!(row.get("merged") == Some(&Value::Bool(true)), "merged is {:?}", row.get("merged"));
    ensure!(row.lookup("masterid") == Some(&survivor.at), "masterid is {:?}", row.get("masterid"));
    Ok(())
}

/// More than a statement or a URL takes at once.
pub(super) async fn many_ids_at_once(bench: Bench) -> Verdict {
    let contacts: Vec<Record> = (0..40).map(|number| bench.contact(&format!("Number {number}"))).collect();
    bench.create(&contacts).await?;
    let nobody: Vec<RecordRef> = (0..1200).map(|_| RecordRef::new("contact", bench.ids.next())).collect();
    let wanted: Vec<&RecordRef> = nobody.iter().chain(contacts.iter().map(|row| &row.at)).collect();
    let found = find(&bench, &["contact", "account"], &wanted).await?;
    ensure!(ids(&found) == ids(&contacts), "of 40 rows {} were found", found.len());
    let unknown: Vec<String> = (0..1200).map(|number| bench.address(&format!("nobody{number}"))).collect();
    let hits = find_addresses(&bench, &unknown).await?;
    ensure!(hits.is_empty(), "1200 unknown addresses gave {} hits", hits.len());
    Ok(())
}

pub(super) async fn an_address_is_found_in_every_column(bench: Bench) -> Verdict {
    let mut expected = Vec::new();
    for (table, column) in ADDRESS_COLUMNS {
        let row = match *table {
            "contact" => bench.contact("Anna"),
            "account" => bench.account(),
            "lead" => bench.lead(),
            "queue" => bench.queue(),
            // A user's sign-in name is unique, so this one gets its own.
            _ => with_other_name(bench.user().await?, column),
        };
        let address = bench.address(column);
        bench.create(&[row.clone().with(*column, address.as_str())]).await?;
        expected.push((address, row.at, (*column).to_owned()));
    }
    let wanted: Vec<String> = ADDRESS_COLUMNS.iter().map(|(_, column)| bench.address(column)).collect();
    let hits = find_addresses(&bench, &wanted).await?;
    for (address, row, column) in expected {
        let hit = hits.iter().find(|hit| hit.record == row);
        let hit = hit.ok_or_else(|| format!("{} was not found by its {column}", row.table))?;
        ensure!(hit.address == address && hit.column == column, "{}: {hit:?}", row.table);
        ensure!(hit.active, "{} is active, but its hit is not", row.table);
    }
    Ok(())
}

fn with_other_name(mut user: Record, mark: &str) -> Record {
    for (column, value) in &mut user.columns {
        if let (Value::Text(text), "domainname") = (&mut *value, column.as_str()) {
            *text = format!("{mark}.{text}");
        }
    }
    user
}

pub(super) async fn an_address_is_found_without_case(bench: Bench) -> Verdict {
    for local in ["Anna.ADLER", "Jürgen.GRÖSS"] {
        let (contact, stored) = (bench.contact("Anna"), bench.address(local));
        bench.create(&[contact.clone().with("emailaddress1", stored.as_str())]).await?;
        let hits = find_addresses(&bench, std::slice::from_ref(&stored)).await?;
        ensure!(hits.len() == 1, "{stored} was found {} times", hits.len());
        ensure!(hits[0].record == contact.at, "{stored} is {}", hits[0].record);
        ensure!(hits[0].address == address::normal(&stored), "the hit's address is {:?}", hits[0].address);
    }
    Ok(())
}

pub(super) async fn an_address_of_several_is_found_several_times(bench: Bench) -> Verdict {
    let address = bench.address("shared");
    let contact = bench.contact("Anna").with("emailaddress2", address.as_str());
    let lead = bench.lead().with("emailaddress1", address.to_uppercase());
    let account = bench.account().with("emailaddress1", address.as_str());
    let rows = [contact, lead, account];
    bench.create(&rows).await?;
    let hits = find_addresses(&bench, &[address]).await?;
    let mut found: Vec<RecordRef> = hits.into_iter().map(|hit| hit.record).collect();
    found.sort();
    let mut expected: Vec<RecordRef> = rows.into_iter().map(|row| row.at).collect();
    expected.sort();
    ensure!(found == expected, "found {found:?}, not {expected:?}");
    Ok(())
}

pub(super) async fn inactive_owners_of_an_address_say_so(bench: Bench) -> Verdict {
    let (contact_address, user_address) = (bench.address("gone"), bench.address("disabled"));
    let contact = bench.contact("Anna").with("emailaddress1", contact_address.as_str());
    let user = bench.user().await?.with("internalemailaddress", user_address.as_str());
    bench.create(&[contact.clone(), user.clone()]).await?;
    bench.must(Change::Update(Record::new(contact.at).with("statecode", 1))).await?;
    bench.must(Change::Update(Record::new(user.at).with("isdisabled", true))).await?;
    let hits = find_addresses(&bench, &[contact_address, user_address]).await?;
    ensure!(hits.len() == 2, "two addresses gave {} hits", hits.len());
    for hit in hits {
        ensure!(!hit.active, "{} counts as active", hit.record);
        ensure!(hit.modified_on.is_some(), "{} has no time of change", hit.record);
        ensure!(hit.owner.is_some() || hit.record.table == "systemuser", "{} has no owner", hit.record);
    }
    Ok(())
}

pub(super) async fn unknown_addresses_are_left_out(bench: Bench) -> Verdict {
    let contact = bench.contact("Anna").with("emailaddress1", bench.address("anna"));
    bench.create(&[contact]).await?;
    let odd = [String::new(), "no at sign".to_owned(), "o'neil%_@x.example".to_owned()];
    let unknown = [bench.address("ann"), bench.address("anna").replace("anna", "ann_"), bench.address("%")];
    let hits = find_addresses(&bench, &[&odd[..], &unknown[..]].concat()).await?;
    ensure!(hits.is_empty(), "addresses that nobody has gave {hits:?}");
    ensure!(find_addresses(&bench, &[]).await?.is_empty(), "no addresses gave hits");
    Ok(())
}
