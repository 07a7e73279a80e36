//! Who sees which rows, by every way there is to them: each level of access, and rows shared with the user or his team.
//!
//! Each way answers the first names of the contacts that it tells of; all must tell of the same.

mod ways;

use std::collections::BTreeSet;

use postroom_core::metadata::PrivilegeKind::Read;
use postroom_core::{Filter, RecordRef};
use postroom_embedded::access::Level;
use postroom_embedded::seed;
use postroom_embedded::soap;
use postroom_embedded::webapi::{Door, Settings};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{Answer, DoorBench};
use crate::access::town::Town;
use crate::bench::{On, on_both};
use crate::soapdoor::SoapBench;
use ways::WAYS;

on_both!(
    every_way_shows_what_the_level_reaches,
    without_the_privilege_no_way_is_open,
    what_is_not_shared_any_more
);

/// The town with two contacts more, shared by message with me and with my team; an account that all contacts belong to, one
/// for each whose primary contact he is, and a list of them all.
struct World {
    town: Town,
    boss: DoorBench,
    me: DoorBench,
    soap: SoapBench,
    hub: Uuid,
    list: Uuid,
    view: Uuid,
    contacts: Vec<(String, Uuid)>,
}

/// What each level reaches.
fn expected(level: Level) -> BTreeSet<String> {
    let own: &[&str] = match level {
        Level::None => return BTreeSet::new(),
        Level::Basic => &["own"],
        Level::Local => &["own", "colleague", "team"],
        Level::Deep => &["own", "colleague", "team", "child"],
        Level::Global => &["own", "colleague", "team", "child", "other", "lonely"],
    };
    own.iter().chain(&["shared", "granted", "lent"]).map(|name| (*name).to_owned()).collect()
}

async fn world(on: On) -> World {
    let town = Town::new(on).await;
    let session = |user: Uuid| town.bench.crm.session(user);
    let door = async |user: Uuid| {
        let door = Door::new(town.bench.ids.clone(), Settings::default());
        DoorBench { bench: town.bench.again().await, door, session: session(user) }
    };
    let (boss, me) = (door(seed::ADMINISTRATOR).await, door(town.me.id).await);
    let soap = soap::Door::new(town.bench.ids.clone(), soap::Settings::default());
    let soap = SoapBench { session: session(town.me.id), door: soap, bench: town.bench.again().await };
    let more = ["granted", "lent", "lonely"]
        .map(|name| town.bench.contact(name).with("ownerid", town.other.clone()));
    town.bench.create(&more).await;
    share(&boss, &more[0].at, "systemuser", town.me.id, "GrantAccess").await;
    share(&boss, &more[1].at, "team", town.team.id, "GrantAccess").await;
    let hub = town.bench.row("account").with("name", "Hub");
    town.bench.create(std::slice::from_ref(&hub)).await;
    let list = town.bench.row("list").with("listname", "All").with("createdfromcode", 2);
    town.bench.create(std::slice::from_ref(&list)).await;
    let mut contacts = Vec::new();
    for contact in town.bench.all("contact", Filter::All(Vec::new())).await {
        let name = contact.text("firstname").unwrap().to_owned();
        town.bench.update(&contact.at, "parentcustomerid", hub.at.clone()).await;
        let account = town.bench.row("account").with("name", name.as_str());
        let member =
            town.bench.row("listmember").with("listid", list.at.clone()).with("entityid", contact.at.clone());
        town.bench.create(&[account.with("primarycontactid", contact.at.clone()), member]).await;
        contacts.push((name, contact.at.id));
    }
    let xml = "<fetch><entity name='contact'><attribute name='firstname'/></entity></fetch>";
    let view = town.bench.row("savedquery").with("name", "All").with("returnedtypecode", "contact");
    let view = view.with("fetchxml", xml).with("querytype", 0);
    town.bench.create(std::slice::from_ref(&view)).await;
    World { boss, me, soap, hub: hub.at.id, list: list.at.id, view: view.at.id, contacts, town }
}

async fn share(boss: &DoorBench, row: &RecordRef, table: &str, to: Uuid, how: &str) {
    let target = json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": row.id});
    let key = format!("{}id", if table == "team" { "team" } else { "systemuser" });
    let principal = json!({"@odata.type": format!("Microsoft.Dynamics.CRM.{table}"), key: to});
    let body = match how {
        "GrantAccess" => {
            json!({"Target": target, "PrincipalAccess": {"AccessMask": "ReadAccess", "Principal": principal}})
        }
        _ => json!({"Target": target, "Revokee": principal}),
    };
    let answer = boss.send("POST", how, body).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

fn encoded(text: &str) -> String {
    let each = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(each).collect()
}

/// The texts of one member of rows, where it is there.
fn texts(rows: &Json, member: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no rows: {rows}"));
    rows.iter().filter_map(|row| row[member].as_str()).map(str::to_owned).collect()
}

impl World {
    async fn ask(&self, url: &str) -> Json {
        let answer = self.me.get(url).await;
        assert_eq!(answer.status, 200, "{url}: {}", answer.text);
        answer.json
    }

    async fn rows(&self, url: &str, member: &str) -> Vec<String> {
        texts(&self.ask(url).await["value"], member)
    }

    /// The names of the rows whose addresses these are.
    fn named(&self, addresses: &[String]) -> Vec<String> {
        let of = |address: &String| {
            let found = self.contacts.iter().find(|(_, id)| address.contains(&id.to_string()));
            found.unwrap_or_else(|| panic!("{address}")).0.clone()
        };
        addresses.iter().map(of).collect()
    }

    /// The contacts of which something answers 200.
    async fn each(&self, url: impl Fn(&str, Uuid) -> String, there: impl Fn(&Answer) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        for (name, id) in &self.contacts {
            let answer = self.me.get(&url(name, *id)).await;
            if there(&answer) {
                found.push(name.clone());
            }
        }
        found
    }

    fn around(&self) -> String {
        format!("accounts({})/contact_customer_accounts", self.hub)
    }
}

/// What answers numbers only.
async fn counted(world: &World) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for path in
        ["contacts".to_owned(), world.around(), format!("lists({})/listcontact_association", world.list)]
    {
        let plain = world.me.get(&format!("{path}/$count")).await.text;
        found.push((format!("{path}/$count"), plain.parse().unwrap_or_else(|_| panic!("{plain}"))));
        let beside = world.ask(&format!("{path}?$count=true&$top=1")).await;
        found.push((format!("{path}?$count"), beside["@odata.count"].as_u64().unwrap()));
        let apply = world.ask(&format!("{path}?$apply=aggregate($count as n)")).await;
        found.push((format!("{path}?$apply"), apply["value"][0]["n"].as_u64().unwrap()));
    }
    found
}

/// Changes are told to one who sees the whole table.
async fn changes(world: &World, level: Level) {
    let track = [("prefer", "odata.track-changes")];
    let answer = world.me.ask("GET", "contacts?$select=firstname", &track, "").await;
    if level == Level::Global {
        let found: BTreeSet<String> = texts(&answer.json["value"], "firstname").into_iter().collect();
        assert_eq!(found, expected(level), "{}", answer.text);
        return;
    }
    assert!(matches!(answer.status, 400 | 403) && !answer.text.contains("own\""), "{}", answer.text);
    let link = world.boss.ask("GET", "contacts?$select=firstname", &track, "").await;
    let link = link.json["@odata.deltaLink"].as_str().unwrap().to_owned();
    for url in [link.clone(), link.replace("contacts?", "contacts/$count?")] {
        let answer = world.me.get(&url).await;
        assert!(matches!(answer.status, 400 | 403), "{url}: {}", answer.text);
    }
}

async fn give(world: &World, level: Level) -> Uuid {
    let everything = [
        ("account", Level::Global),
        ("list", Level::Global),
        ("savedquery", Level::Global),
        ("contact", level),
    ];
    let given: Vec<_> = everything.iter().map(|(table, level)| (Read, *table, *level)).collect();
    let role = world.town.role(&given).await;
    world.town.give(role, &world.town.me).await;
    role
}

async fn every_way_shows_what_the_level_reaches(on: On) {
    let world = Box::pin(world(on)).await;
    for level in [Level::Basic, Level::Local, Level::Deep, Level::Global] {
        let (role, expected) = (give(&world, level).await, expected(level));
        for (name, way) in WAYS {
            let found = way(&world).await;
            let set: BTreeSet<String> = found.iter().cloned().collect();
            assert_eq!(set, expected, "{name} at {level:?}");
            assert_eq!(found.len(), set.len(), "{name} at {level:?} doubles rows");
        }
        for (path, count) in Box::pin(counted(&world)).await {
            assert_eq!(count, expected.len() as u64, "{path} at {level:?}");
        }
        Box::pin(changes(&world, level)).await;
        world.town.take(role, &world.town.me).await;
    }
}

async fn without_the_privilege_no_way_is_open(on: On) {
    let world = Box::pin(world(on)).await;
    give(&world, Level::None).await;
    let xml = encoded("<fetch><entity name='contact'><attribute name='firstname'/></entity></fetch>");
    let around = world.around();
    for url in [
        "contacts?$select=firstname".to_owned(),
        "contacts/$count".to_owned(),
        "contacts/$ref".to_owned(),
        format!("contacts({})", world.contacts[0].1),
        format!("contacts?fetchXml={xml}"),
        format!("contacts?savedQuery={}", world.view),
        "contacts?$apply=groupby((firstname))".to_owned(),
        "accounts?$expand=primarycontactid".to_owned(),
        format!("accounts({})?$expand=contact_customer_accounts", world.hub),
        "accounts?$filter=primarycontactid/firstname eq 'own'".to_owned(),
        "accounts?$orderby=primarycontactid/firstname".to_owned(),
        "accounts?$filter=contact_customer_accounts/any()".to_owned(),
        around.clone(),
        format!("{around}/$ref"),
        format!("{around}/$count"),
        format!("{around}({})", world.contacts[0].1),
        format!("lists({})/listcontact_association", world.list),
    ] {
        world.me.get(&url).await.refused(403, "0x80040220", "prvReadContact");
    }
}

async fn what_is_not_shared_any_more(on: On) {
    let world = Box::pin(world(on)).await;
    give(&world, Level::Basic).await;
    let row = |name: &str| {
        let (_, id) = world.contacts.iter().find(|(known, _)| known == name).unwrap();
        RecordRef::new("contact", *id)
    };
    share(&world.boss, &row("granted"), "systemuser", world.town.me.id, "RevokeAccess").await;
    share(&world.boss, &row("lent"), "team", world.town.team.id, "RevokeAccess").await;
    let expected: BTreeSet<String> = ["own", "shared"].map(str::to_owned).into();
    for (name, way) in WAYS {
        let found: BTreeSet<String> = way(&world).await.into_iter().collect();
        assert_eq!(found, expected, "{name}");
    }
}
