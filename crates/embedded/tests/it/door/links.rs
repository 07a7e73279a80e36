//! `$ref`: rows tied together and untied.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(lookups, collections, pairs, lists_and_their_members, what_is_not_there);

const NONE: &str = "00000000-0000-0000-0000-0000000000ff";

struct Town {
    door: DoorBench,
    account: Uuid,
    contact: Uuid,
}

impl Town {
    async fn new(on: On) -> Self {
        let door = DoorBench::new(on).await;
        let account = door.send("POST", "accounts", json!({"name": "A"})).await.made();
        let contact = door.send("POST", "contacts", json!({"lastname": "C"})).await.made();
        Town { door, account, contact }
    }

    async fn done(&self, method: &str, url: &str, uri: &str) {
        let body = if uri.is_empty() { String::new() } else { json!({"@odata.id": uri}).to_string() };
        let answer = self.door.ask(method, url, &[], body).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{method} {url}");
    }

    async fn value(&self, url: &str, column: &str) -> Json {
        self.door.get(&format!("{url}?$select={column}")).await.json[column].clone()
    }

    async fn count(&self, url: &str) -> usize {
        let answer = self.door.get(url).await;
        answer.json["value"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).len()
    }
}

async fn lookups(on: On) {
    let town = Town::new(on).await;
    let (row, column) = (format!("accounts({})", town.account), "_primarycontactid_value");
    let to = format!("{ROOT}/contacts({})", town.contact);
    town.done("PUT", &format!("{row}/primarycontactid/$ref"), &to).await;
    assert_eq!(town.value(&row, column).await, town.contact.to_string());
    let read = town.door.get(&format!("{row}/primarycontactid/$ref")).await.json;
    assert_eq!(read["@odata.id"], to);
    town.done("PUT", &format!("{row}/primarycontactid/$ref"), &to).await;
    town.done("DELETE", &format!("{row}/primarycontactid/$ref"), "").await;
    town.done("DELETE", &format!("{row}/primarycontactid/$ref"), "").await;
    assert_eq!(town.value(&row, column).await, Json::Null);
    town.done("PUT", &format!("{row}/primarycontactid/$ref"), &format!("contacts({})", town.contact)).await;
    town.done("DELETE", &format!("{row}/primarycontactid/$ref?$id={to}"), "").await;
    assert_eq!(town.value(&row, column).await, Json::Null);
}

async fn collections(on: On) {
    let town = Town::new(on).await;
    let list = format!("accounts({})/contact_customer_accounts", town.account);
    let upper = town.contact.to_string().to_uppercase();
    let odd = format!("https:/crm.example/api/data/v9.2/contacts({upper})");
    for _ in 0..2 {
        town.done("POST", &format!("{list}/$ref"), &odd).await;
        assert_eq!(town.count(&list).await, 1);
    }
    town.done("DELETE", &format!("{list}({})/$ref", town.contact), "").await;
    town.done("DELETE", &format!("{list}({})/$ref", town.contact), "").await;
    assert_eq!(town.count(&list).await, 0);
    town.done("POST", &format!("{list}/$ref"), &format!("/contacts({})", town.contact)).await;
    town.done("DELETE", &format!("{list}/$ref?$id={ROOT}/contacts({})", town.contact), "").await;
    assert_eq!(town.count(&list).await, 0);
    // A row that belongs to another one stays there.
    let other = town.door.send("POST", "accounts", json!({"name": "B"})).await.made();
    town.done(
        "POST",
        &format!("accounts({other})/contact_customer_accounts/$ref"),
        &format!("/contacts({})", town.contact),
    )
    .await;
    town.done("DELETE", &format!("{list}({})/$ref", town.contact), "").await;
    assert_eq!(
        town.value(&format!("contacts({})", town.contact), "_parentcustomerid_value").await,
        other.to_string()
    );
}

async fn pairs(on: On) {
    let town = Town::new(on).await;
    let role = town.door.get("roles?$select=roleid&$top=1").await.json["value"][0]["roleid"]
        .as_str()
        .unwrap()
        .to_owned();
    let user = town
        .door
        .send(
            "POST",
            "systemusers",
            json!({"firstname": "U", "lastname": "V", "internalemailaddress": "u@example.org"}),
        )
        .await;
    let user = user.made();
    let list = format!("systemusers({user})/systemuserroles_association");
    for _ in 0..2 {
        town.done("POST", &format!("{list}/$ref"), &format!("{ROOT}/roles({role})")).await;
        assert_eq!(town.count(&list).await, 1);
    }
    assert_eq!(
        town.count(&format!("roles({role})/systemuserroles_association?$filter=systemuserid eq {user}"))
            .await,
        1
    );
    // From the other side it is the same tie.
    town.done("DELETE", &format!("roles({role})/systemuserroles_association({user})/$ref"), "").await;
    town.done("DELETE", &format!("{list}({role})/$ref"), "").await;
    assert_eq!(town.count(&list).await, 0);
    town.done(
        "POST",
        &format!("roles({role})/systemuserroles_association/$ref"),
        &format!("systemusers({user})"),
    )
    .await;
    assert_eq!(town.count(&list).await, 1);
    town.done("DELETE", &format!("{list}/$ref?$id={ROOT}/roles({role})"), "").await;
    assert_eq!(town.count(&list).await, 0);
}

async fn lists_and_their_members(on: On) {
    let town = Town::new(on).await;
    let list = town
        .door
        .send("POST", "lists", json!({"listname": "L", "createdfromcode": 2, "type": false}))
        .await
        .made();
    let members = format!("lists({list})/listcontact_association");
    town.done("POST", &format!("{members}/$ref"), &format!("contacts({})", town.contact)).await;
    assert_eq!(town.count(&members).await, 1);
    let made = town.door.send("POST", &members, json!({"lastname": "New"})).await;
    made.made();
    assert_eq!(town.count(&members).await, 2);
    town.done("DELETE", &format!("{members}({})/$ref", town.contact), "").await;
    assert_eq!(town.count(&members).await, 1);
    let deep = json!({"listname": "D", "createdfromcode": 2, "type": false,
        "listcontact_association": [{"lastname": "In"}], "listaccount_association@odata.bind": []});
    let deep = town.door.send("POST", "lists", deep).await.made();
    assert_eq!(town.count(&format!("lists({deep})/listcontact_association")).await, 1);
}

async fn what_is_not_there(on: On) {
    let town = Town::new(on).await;
    let (account, contact) = (town.account, town.contact);
    let (there, nobody) = (format!("contacts({contact})"), format!("contacts({NONE})"));
    let staff = format!("accounts({account})/contact_customer_accounts");
    let check = async |method: &str, url: &str, uri: &str, refusal: (u16, &str, &str)| {
        let body = if uri.is_empty() { String::new() } else { json!({"@odata.id": uri}).to_string() };
        let (status, code, says) = refusal;
        town.door.ask(method, &format!("{url}/$ref"), &[], body).await.refused(status, code, says);
    };
    let gone = (404, "0x80040217", NONE);
    check("PUT", &format!("accounts({account})/primarycontactid"), &nobody, gone).await;
    check("PUT", &format!("accounts({NONE})/primarycontactid"), &there, gone).await;
    check("POST", &format!("accounts({NONE})/contact_customer_accounts"), &there, gone).await;
    check("POST", &staff, &nobody, gone).await;
    check("DELETE", &format!("{staff}({NONE})"), "", gone).await;
    check("POST", &format!("lists({NONE})/listcontact_association"), &there, gone).await;
    let unknown = (404, "0x80060888", "contact_customer_account");
    check("POST", &format!("accounts({account})/contact_customer_account"), &there, unknown).await;
    let other = (400, "0x80048d19", "not of account");
    check("POST", &staff, &format!("accounts({account})"), other).await;
    check("PUT", &staff, &there, (405, "0x80040203", "PUT")).await;
    check("DELETE", &staff, "", (400, "0x80040203", "$ref?$id")).await;
    check("POST", &staff, "", (400, "0x80048d19", "no body")).await;
    let kept = (400, "0x80040203", "createdby");
    check("PUT", &format!("accounts({account})/createdby"), &there, kept).await;
}
