//! What stands behind a collection-valued navigation property: that row's own related rows, however they are asked for.

use postroom_core::Record;
use serde_json::json;

use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    views_and_fetch_xml_stay_around_the_row,
    groups_stay_around_the_row,
    one_of_the_rows_around,
    options_beside_a_query,
    what_is_no_collection,
    a_row_that_is_not_there
);

/// Two accounts with two contacts and one; a contact of neither; a list with one contact of each account.
struct World {
    door: DoorBench,
    adler: Record,
    bauer: Record,
    list: Record,
    contacts: Vec<Record>,
}

async fn world(on: On) -> World {
    let door = DoorBench::new(on).await;
    let bench = &door.bench;
    let account = |name: &str| bench.row("account").with("name", name);
    let (adler, bauer) = (account("Adler"), account("Bauer"));
    bench.create(&[adler.clone(), bauer.clone()]).await;
    let employers = [("Anna", Some(&adler)), ("Bert", Some(&adler)), ("Carla", Some(&bauer)), ("Dora", None)];
    let contact = |(name, employer): (&str, Option<&Record>)| {
        bench.contact(name).with("parentcustomerid", employer.map(|employer| employer.at.clone()))
    };
    let contacts: Vec<Record> = employers.into_iter().map(contact).collect();
    bench.create(&contacts).await;
    let list = bench.row("list").with("listname", "Guests").with("createdfromcode", 2);
    bench.create(std::slice::from_ref(&list)).await;
    let member = |contact: &Record| {
        bench.row("listmember").with("listid", list.at.clone()).with("entityid", contact.at.clone())
    };
    bench.create(&[member(&contacts[1]), member(&contacts[2])]).await;
    World { door, adler, bauer, list, contacts }
}

/// All contacts by name, with the account of each.
const XML: &str = "<fetch><entity name='contact'><attribute name='firstname'/><order attribute='firstname'/>\
                   <link-entity name='account' from='accountid' to='parentcustomerid' alias='acc' link-type='outer'>\
                   <attribute name='name'/></link-entity></entity></fetch>";

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let each = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(each).collect()
}

impl World {
    /// Where the rows around are, with the names of those that are.
    fn paths(&self) -> [(String, &'static [&'static str]); 3] {
        [
            (format!("accounts({})/contact_customer_accounts", self.adler.at.id), &["Anna", "Bert"]),
            (format!("accounts({})/contact_customer_accounts", self.bauer.at.id), &["Carla"]),
            (format!("lists({})/listcontact_association", self.list.at.id), &["Bert", "Carla"]),
        ]
    }

    async fn check(&self, url: &str, expected: &[&str]) {
        let answer = self.door.get(url).await;
        let rows = answer.json["value"].as_array().unwrap_or_else(|| panic!("{url}: {}", answer.text));
        let names: Vec<&str> = rows.iter().map(|row| row["firstname"].as_str().unwrap_or("-")).collect();
        assert_eq!(names, expected, "{url}");
    }

    /// The id of a view of the organisation or of a user.
    async fn view(&self, table: &str, xml: &str) -> uuid::Uuid {
        let view = self.door.bench.row(table).with("name", "View").with("returnedtypecode", "contact");
        let view = view.with("fetchxml", xml).with("querytype", 0);
        self.door.bench.create(std::slice::from_ref(&view)).await;
        view.at.id
    }
}

async fn views_and_fetch_xml_stay_around_the_row(on: On) {
    let world = world(on).await;
    let (saved, own) = (world.view("savedquery", XML).await, world.view("userquery", XML).await);
    for (path, names) in world.paths() {
        world.check(&format!("{path}?savedQuery={saved}"), names).await;
        world.check(&format!("{path}?userQuery={own}"), names).await;
        world.check(&format!("{path}?fetchXml={}", encoded(XML)), names).await;
    }
    let track = [("prefer", "odata.track-changes")];
    let (path, _) = &world.paths()[0];
    let untracked = world.door.ask("GET", path, &track, "").await;
    assert_eq!((untracked.status, &untracked.json["@odata.deltaLink"]), (200, &json!(null)), "no entity set");
    let refused =
        world.door.get(&format!("{path}/$count?$deltatoken=1%2101%2f01%2f2026%2000%3a00%3a00")).await;
    refused.refused(400, "0x80060888", "entity set");
}

async fn groups_stay_around_the_row(on: On) {
    let world = world(on).await;
    let xml = "<fetch aggregate='true'><entity name='contact'><attribute name='contactid' alias='n' aggregate='count'/>\
               </entity></fetch>";
    for (path, names) in world.paths() {
        let apply = world.door.get(&format!("{path}?$apply=aggregate($count as n)")).await;
        assert_eq!(apply.json["value"], json!([{"n": names.len()}]), "{}", apply.text);
        let grouped =
            world.door.get(&format!("{path}?$apply=groupby((statuscode),aggregate($count as n))")).await;
        assert_eq!(grouped.json["value"], json!([{"statuscode": 1, "n": names.len()}]), "{}", grouped.text);
        let fetched = world.door.get(&format!("{path}?fetchXml={}", encoded(xml))).await;
        assert_eq!(fetched.json["value"], json!([{"n": names.len()}]), "{}", fetched.text);
    }
}

async fn one_of_the_rows_around(on: On) {
    let world = world(on).await;
    let (anna, bert, carla) = (world.contacts[0].at.id, world.contacts[1].at.id, world.contacts[2].at.id);
    let [(staff, _), _, (guests, _)] = world.paths();
    let row = world.door.get(&format!("{staff}({anna})?$select=firstname")).await;
    assert_eq!(row.json["firstname"], "Anna", "{}", row.text);
    assert_eq!(row.json["@odata.context"], format!("{ROOT}/$metadata#contacts(firstname)/$entity"));
    let named = world.door.get(&format!("{staff}(contactid={anna})/firstname")).await;
    assert_eq!(named.json["value"], "Anna", "{}", named.text);
    let guest = world.door.get(&format!("{guests}({bert})/firstname/$value")).await;
    assert_eq!(guest.text, "Bert");
    let on = world.door.get(&format!("{guests}({carla})/parentcustomerid_account/name")).await;
    assert_eq!(on.json["value"], "Bauer", "{}", on.text);
    let address = world.door.get(&format!("{guests}({carla})/$ref")).await;
    assert_eq!(address.json["@odata.id"], format!("{ROOT}/contacts({carla})"));
    world.door.get(&format!("{staff}({carla})")).await.refused(404, "0x80040217", &carla.to_string());
    world.door.get(&format!("{guests}({anna})")).await.refused(404, "0x80040217", &anna.to_string());
    let unknown = world.door.get(&format!("{staff}(firstname='Anna')")).await;
    unknown.refused(400, "0x80060890", "firstname");
}

async fn options_beside_a_query(on: On) {
    let world = world(on).await;
    let saved = world.view("savedquery", XML).await;
    for asked in [format!("savedQuery={saved}"), format!("fetchXml={}", encoded(XML))] {
        let asked = format!("contacts?{asked}");
        world.check(&format!("{asked}&$filter=firstname gt 'B'"), &["Bert", "Carla", "Dora"]).await;
        world.check(&format!("{asked}&$orderby=firstname desc"), &["Dora", "Carla", "Bert", "Anna"]).await;
        world.check(&format!("{asked}&$top=1"), &["Anna"]).await;
        world
            .check(&format!("{asked}&$filter=parentcustomerid_account/name eq 'adler'"), &["Anna", "Bert"])
            .await;
        let select = world.door.get(&format!("{asked}&$select=lastname")).await;
        let row = &select.json["value"][0];
        assert_eq!((&row["lastname"], row.get("firstname")), (&json!("Adler"), None), "{row}");
        assert_eq!(row.get("acc.name"), None);
        let count = world.door.get(&format!("{asked}&$count=true&$top=1")).await;
        assert_eq!(count.json["@odata.count"], 4, "{}", count.text);
        let expand = world.door.get(&format!("{asked}&$expand=parentcustomerid_account($select=name)")).await;
        let row = &expand.json["value"][2];
        assert_eq!(row["parentcustomerid_account"]["name"], "Bauer", "{}", expand.text);
        assert_eq!((&row["acc.name"], row.get("_parentcustomerid_value")), (&json!("Bauer"), None));
        let apply = world.door.get(&format!("{asked}&$apply=aggregate($count as n)")).await;
        apply.refused(400, "0x80040203", "$apply");
    }
    let both = world.door.get(&format!("contacts?savedQuery={saved}&fetchXml={}", encoded(XML))).await;
    both.refused(400, "0x80040203", "not by both");
    let two = world.door.get(&format!("contacts?savedQuery={saved}&userQuery={saved}")).await;
    two.refused(400, "0x80040203", "not both");
    let distinct = encoded(
        "<fetch distinct='true'><entity name='contact'><attribute name='lastname'/></entity></fetch>",
    );
    let distinct = world.door.get(&format!("contacts?fetchXml={distinct}&$filter=firstname eq 'Anna'")).await;
    distinct.refused(400, "0x80040203", "distinct");
}

async fn what_is_no_collection(on: On) {
    let world = world(on).await;
    let saved = world.view("savedquery", XML).await;
    let (adler, anna) = (world.adler.at.id, world.contacts[0].at.id);
    let check = async |url: &str, says: &str| {
        world.door.get(url).await.refused(400, "0x80040203", says);
    };
    check(&format!("contacts({anna})?savedQuery={saved}"), "'savedQuery'").await;
    check(&format!("contacts({anna})?fetchXml={}", encoded(XML)), "'fetchXml'").await;
    check(&format!("contacts({anna})?$apply=aggregate($count as n)"), "'$apply'").await;
    check(&format!("contacts({anna})/parentcustomerid_account?userQuery={saved}"), "'userQuery'").await;
    check(&format!("contacts({anna})/parentcustomerid_account({adler})"), "takes no key").await;
    check(&format!("contacts({anna})/firstname?savedQuery={saved}"), "'savedQuery'").await;
    check(&format!("contacts/$count?savedQuery={saved}"), "'savedQuery'").await;
    let staff = format!("accounts({adler})/contact_customer_accounts");
    check(&format!("{staff}/$count?fetchXml={}", encoded(XML)), "'fetchXml'").await;
    check(&format!("{staff}/$ref?savedQuery={saved}"), "'savedQuery'").await;
    world.door.get(&format!("contacts({anna})/firstname({adler})")).await.refused(
        404,
        "0x80060888",
        "firstname",
    );
}

async fn a_row_that_is_not_there(on: On) {
    let world = world(on).await;
    let gone = "accounts(00000000-0000-0000-0000-0000000000ff)/contact_customer_accounts";
    for path in [
        gone.to_owned(),
        format!("{gone}/$count"),
        format!("{gone}/$ref"),
        format!("{gone}?$apply=aggregate($count as n)"),
    ] {
        world.door.get(&path).await.refused(404, "0x80040217", "account With Id");
    }
}
