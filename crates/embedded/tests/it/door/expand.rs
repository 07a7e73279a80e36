//! Expanded collections: a page of rows around each row, links to the rest, counts and orders of their own.

use postroom_core::{Record, Value};
use postroom_embedded::webapi::{Door, Settings};
use serde_json::{Value as Json, json};

use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    each_row_has_a_page,
    links_lead_through_all,
    tops_and_counts,
    pairs_in_pages,
    addresses_in_pages,
    levels_in_pages,
    without_a_size
);

/// Accounts with five contacts, with one and with none; a list of all contacts; three tasks of the first contact.
struct World {
    door: DoorBench,
    accounts: Vec<Record>,
    contacts: Vec<Record>,
    list: Record,
}

async fn world(on: On) -> World {
    let door = DoorBench::new(on).await;
    let bench = &door.bench;
    let accounts: Vec<Record> =
        ["Adler", "Bauer", "Conrad"].iter().map(|name| bench.row("account").with("name", *name)).collect();
    bench.create(&accounts).await;
    let staff = [
        ("a1", 0, Some("x")),
        ("a2", 0, None),
        ("a3", 0, Some("y")),
        ("a4", 0, None),
        ("a5", 0, Some("X")),
        ("b1", 1, None),
    ];
    let contact = |(name, account, title): (&str, usize, Option<&str>)| {
        let contact = bench.contact(name).with("parentcustomerid", accounts[account].at.clone());
        contact.with("jobtitle", title.map_or(Value::Null, Value::text))
    };
    let contacts: Vec<Record> = staff.into_iter().map(contact).collect();
    bench.create(&contacts).await;
    let list = bench.row("list").with("listname", "Guests").with("createdfromcode", 2);
    bench.create(std::slice::from_ref(&list)).await;
    let member = |contact: &Record| {
        bench.row("listmember").with("listid", list.at.clone()).with("entityid", contact.at.clone())
    };
    bench.create(&contacts.iter().map(member).collect::<Vec<_>>()).await;
    let task = |subject: &str| {
        bench.row("task").with("subject", subject).with("regardingobjectid", contacts[0].at.clone())
    };
    bench.create(&[task("t1"), task("t2"), task("t3")]).await;
    World { door, accounts, contacts, list }
}

const STAFF: &str = "contact_customer_accounts";

fn names(rows: &Json) -> Vec<&str> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no rows: {rows}"));
    rows.iter().map(|row| row["firstname"].as_str().unwrap_or("-")).collect()
}

impl World {
    async fn ask(&self, url: &str, size: usize) -> Json {
        let prefer = format!("odata.maxpagesize={size}");
        let answer = self.door.ask("GET", url, &[("prefer", &prefer)], "").await;
        assert_eq!(answer.status, 200, "{url}: {}", answer.text);
        answer.json
    }

    /// The rows of an expansion of one row and those that its links lead to, with the sizes of the pages.
    async fn followed(&self, url: &str, navigation: &str, size: usize) -> (Vec<Json>, Vec<usize>) {
        let first = self.ask(url, size).await;
        let mut rows = first[navigation].as_array().unwrap_or_else(|| panic!("{first}")).clone();
        let mut sizes = vec![rows.len()];
        let mut next = first[format!("{navigation}@odata.nextLink")].as_str().map(str::to_owned);
        while let Some(link) = next {
            assert!(link.starts_with(ROOT) && sizes.len() < 10, "{link}");
            let page = self.ask(&link, size).await;
            let more = page["value"].as_array().unwrap();
            sizes.push(more.len());
            rows.extend(more.iter().cloned());
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        (rows, sizes)
    }

    /// What an expansion of the first account with these options gives, page by page.
    async fn check(&self, options: &str, size: usize, expected: &[&str], pages: &[usize]) {
        let url = format!("accounts({})?$select=name&$expand={STAFF}({options})", self.accounts[0].at.id);
        let (rows, sizes) = self.followed(&url, STAFF, size).await;
        let rows = Json::from(rows);
        assert_eq!((names(&rows), sizes.as_slice()), (expected.to_vec(), pages), "{options} by {size}");
    }
}

async fn each_row_has_a_page(on: On) {
    let world = world(on).await;
    let url =
        format!("accounts?$select=name&$orderby=name&$expand={STAFF}($select=firstname;$orderby=firstname)");
    let link = format!("{STAFF}@odata.nextLink");
    let page = world.ask(&url, 3).await;
    let rows = page["value"].as_array().unwrap();
    let found: Vec<Vec<&str>> = rows.iter().map(|row| names(&row[STAFF])).collect();
    assert_eq!(found, [vec!["a1", "a2", "a3"], vec!["b1"], vec![]]);
    let next = rows[0][&link].as_str().unwrap();
    let own = format!(
        "{ROOT}/accounts({})/{STAFF}?$select=firstname&$orderby=firstname&$skiptoken=",
        world.accounts[0].at.id
    );
    assert!(next.starts_with(&own), "{next}");
    assert!(rows[1].get(&link).is_none() && rows[2].get(&link).is_none());
    assert_eq!(names(&world.ask(next, 3).await["value"]), ["a4", "a5"]);
    // A page that is just full has none after it.
    let full = world.ask(&url, 5).await;
    assert!(full["value"][0].get(&link).is_none() && names(&full["value"][0][STAFF]).len() == 5);
}

async fn links_lead_through_all(on: On) {
    let world = world(on).await;
    let all = ["a1", "a2", "a3", "a4", "a5"];
    world.check("$select=firstname;$orderby=firstname", 2, &all, &[2, 2, 1]).await;
    world
        .check("$select=firstname;$orderby=firstname desc", 4, &["a5", "a4", "a3", "a2", "a1"], &[4, 1])
        .await;
    // Nulls first, text without case, and equal rows in one order.
    world.check("$orderby=jobtitle,firstname", 1, &["a2", "a4", "a1", "a5", "a3"], &[1; 5]).await;
    world.check("$orderby=jobtitle desc,firstname", 2, &["a3", "a1", "a5", "a2", "a4"], &[2, 2, 1]).await;
    world
        .check(
            "$filter=jobtitle eq null or contains(jobtitle,'x');$orderby=firstname",
            3,
            &["a1", "a2", "a4", "a5"],
            &[3, 1],
        )
        .await;
    world
        .check("$orderby=parentcustomerid_account/name desc,firstname;$select=firstname", 3, &all, &[3, 2])
        .await;
    let url = format!(
        "accounts({})?$expand={STAFF}($filter=jobtitle eq @p1 or firstname eq 'a%26;3';$orderby=firstname)&@p1='x'",
        world.accounts[0].at.id
    );
    let (rows, sizes) = world.followed(&url, STAFF, 1).await;
    assert_eq!((names(&rows.into()), sizes), (vec!["a1", "a5"], vec![1, 1]));
    let (rows, _) =
        world.followed(&format!("accounts({})?$expand={STAFF}", world.accounts[0].at.id), STAFF, 2).await;
    let mut found: Vec<String> =
        rows.iter().map(|row| row["firstname"].as_str().unwrap().to_owned()).collect();
    found.sort();
    assert_eq!(found, all);
}

async fn tops_and_counts(on: On) {
    let world = world(on).await;
    world.check("$orderby=firstname;$top=1", 2, &["a1"], &[1]).await;
    world.check("$orderby=firstname;$top=2", 2, &["a1", "a2"], &[2]).await;
    world.check("$orderby=firstname;$top=3", 2, &["a1", "a2", "a3"], &[2, 1]).await;
    world.check("$orderby=firstname;$top=4", 2, &["a1", "a2", "a3", "a4"], &[2, 2]).await;
    world.check("$orderby=firstname;$top=0", 2, &[], &[0]).await;
    let count = format!("{STAFF}@odata.count");
    for top in ["", "$top=2;", "$top=0;"] {
        let url = format!("accounts?$orderby=name&$expand={STAFF}({top}$count=true)");
        let answer = world.door.get(&url).await.json;
        let counts: Vec<&Json> = answer["value"].as_array().unwrap().iter().map(|row| &row[&count]).collect();
        assert_eq!(counts, [5, 1, 0], "{top}");
    }
    let filtered =
        format!("accounts?$orderby=name&$expand={STAFF}($count=true;$top=1;$filter=jobtitle eq null)");
    assert_eq!(world.door.get(&filtered).await.json["value"][0][&count], 2);
}

async fn pairs_in_pages(on: On) {
    let world = world(on).await;
    let url = format!(
        "lists({})?$expand=listcontact_association($select=firstname;$count=true;$orderby=jobtitle,firstname desc)",
        world.list.at.id
    );
    let (rows, sizes) = world.followed(&url, "listcontact_association", 4).await;
    assert_eq!((names(&rows.into()), sizes), (vec!["b1", "a4", "a2", "a5", "a1", "a3"], vec![4, 2]));
    assert_eq!(world.ask(&url, 4).await["listcontact_association@odata.count"], 6);
    let back =
        format!("contacts({})?$expand=listcontact_association($select=listname)", world.contacts[0].at.id);
    let back = world.ask(&back, 1).await;
    assert_eq!(back["listcontact_association"][0]["listname"], "Guests");
    assert!(back.get("listcontact_association@odata.nextLink").is_none());
}

async fn addresses_in_pages(on: On) {
    let world = world(on).await;
    let url = format!("accounts({})?$expand={STAFF}/$ref($orderby=firstname desc)", world.accounts[0].at.id);
    let (rows, sizes) = world.followed(&url, STAFF, 2).await;
    let expected = world.contacts[..5]
        .iter()
        .rev()
        .map(|row| json!({"@odata.id": format!("{ROOT}/contacts({})", row.at.id)}));
    assert_eq!((rows, sizes), (expected.collect(), vec![2, 2, 1]));
}

async fn levels_in_pages(on: On) {
    let world = world(on).await;
    let url = format!(
        "accounts?$select=name&$filter=name eq 'Adler'&$expand={STAFF}($select=firstname;$orderby=firstname;\
         $expand=Contact_Tasks($select=subject;$orderby=subject desc;$count=true))"
    );
    let page = world.ask(&url, 2).await;
    let staff = &page["value"][0][STAFF];
    assert_eq!(names(staff), ["a1", "a2"]);
    let subjects =
        |rows: &Json| rows.as_array().unwrap().iter().map(|row| row["subject"].clone()).collect::<Vec<_>>();
    assert_eq!(subjects(&staff[0]["Contact_Tasks"]), ["t3", "t2"]);
    assert_eq!(staff[0]["Contact_Tasks@odata.count"], 3);
    assert_eq!((&staff[1]["Contact_Tasks"], &staff[1]["Contact_Tasks@odata.count"]), (&json!([]), &json!(0)));
    let inner = world.ask(staff[0]["Contact_Tasks@odata.nextLink"].as_str().unwrap(), 2).await;
    assert_eq!(subjects(&inner["value"]), ["t1"]);
    // The link of the outer collection expands what it expanded.
    let outer = page["value"][0][format!("{STAFF}@odata.nextLink")].as_str().unwrap();
    let outer = world.ask(outer, 2).await;
    assert_eq!(names(&outer["value"]), ["a3", "a4"]);
    assert_eq!(outer["value"][0]["Contact_Tasks"], json!([]));
}

async fn without_a_size(on: On) {
    let mut world = world(on).await;
    world.door.door = Door::new(world.door.bench.ids.clone(), Settings { page: 3, ..Settings::default() });
    let url = format!("accounts?$orderby=name&$expand={STAFF}($select=firstname;$orderby=firstname)");
    let page = world.door.get(&url).await.json;
    assert_eq!(names(&page["value"][0][STAFF]), ["a1", "a2", "a3"]);
    let next = page["value"][0][format!("{STAFF}@odata.nextLink")].as_str().unwrap();
    let rest = world.door.get(next).await.json;
    assert_eq!(names(&rest["value"]), ["a4", "a5"]);
    assert!(rest.get("@odata.nextLink").is_none());
}
