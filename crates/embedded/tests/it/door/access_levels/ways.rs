//! The ways to rows: one function for each.

use std::pin::Pin;

use postroom_core::Value;
use postroom_formats::soap::Generation;
use postroom_formats::soap::envelope::Soap;
use postroom_formats::soap::operation::{Answer as Said, Operation};
use postroom_formats::soap::query::AnyQuery;
use postroom_formats::soap::value::Entity;
use postroom_formats::{fetchxml, xml};
use serde_json::{Value as Json, json};

use super::{World, encoded, texts};

async fn plain(world: &World) -> Vec<String> {
    world.rows("contacts?$select=firstname", "firstname").await
}

async fn one_by_one(world: &World) -> Vec<String> {
    world.each(|_, id| format!("contacts({id})?$select=firstname"), |answer| answer.status == 200).await
}

async fn properties(world: &World) -> Vec<String> {
    world.each(|_, id| format!("contacts({id})/firstname"), |answer| answer.status == 200).await
}

async fn expanded_rows(world: &World) -> Vec<String> {
    let answer = world.ask("accounts?$select=name&$expand=primarycontactid($select=firstname)").await;
    let rows = answer["value"].as_array().unwrap();
    assert_eq!(rows.len(), world.contacts.len() + 1);
    rows.iter().filter_map(|row| row["primarycontactid"]["firstname"].as_str()).map(str::to_owned).collect()
}

async fn expanded_collections(world: &World) -> Vec<String> {
    let url = format!(
        "accounts({})?$select=name&$expand=contact_customer_accounts($select=firstname;$count=true)",
        world.hub
    );
    let answer = world.ask(&url).await;
    let found = texts(&answer["contact_customer_accounts"], "firstname");
    assert_eq!(answer["contact_customer_accounts@odata.count"], found.len());
    found
}

async fn expanded_pairs(world: &World) -> Vec<String> {
    let url = format!("lists({})?$expand=listcontact_association($select=firstname)", world.list);
    texts(&world.ask(&url).await["listcontact_association"], "firstname")
}

async fn expanded_twice(world: &World) -> Vec<String> {
    let url = format!(
        "lists({})?$expand=listcontact_association($select=firstname;$expand=parentcustomerid_account($select=name;\
         $expand=contact_customer_accounts($select=firstname)))",
        world.list
    );
    let answer = world.ask(&url).await;
    let first = &answer["listcontact_association"][0]["parentcustomerid_account"];
    texts(&first["contact_customer_accounts"], "firstname")
}

async fn navigation(world: &World) -> Vec<String> {
    world.rows(&format!("{}?$select=firstname", world.around()), "firstname").await
}

async fn navigation_to_one(world: &World) -> Vec<String> {
    world
        .each(|_, id| format!("{}({id})?$select=firstname", world.around()), |answer| answer.status == 200)
        .await
}

async fn navigation_of_pairs(world: &World) -> Vec<String> {
    world.rows(&format!("lists({})/listcontact_association?$select=firstname", world.list), "firstname").await
}

/// From the row itself: what is around one that is not seen is not told.
async fn navigation_from_it(world: &World) -> Vec<String> {
    world.each(|_, id| format!("contacts({id})/listcontact_association"), |answer| answer.status == 200).await
}

async fn addresses(world: &World) -> Vec<String> {
    world.named(&world.rows("contacts/$ref", "@odata.id").await)
}

async fn addresses_around(world: &World) -> Vec<String> {
    world.named(&world.rows(&format!("{}/$ref", world.around()), "@odata.id").await)
}

async fn fetch_linked(world: &World) -> Vec<String> {
    let xml = "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='contactid' \
               to='primarycontactid' alias='c'><attribute name='firstname'/></link-entity></entity></fetch>";
    world.rows(&format!("accounts?fetchXml={}", encoded(xml)), "c.firstname").await
}

async fn fetch_linked_outer(world: &World) -> Vec<String> {
    let xml = "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='contactid' \
               to='primarycontactid' alias='c' link-type='outer'><attribute name='firstname'/></link-entity></entity></fetch>";
    world.rows(&format!("accounts?fetchXml={}", encoded(xml)), "c.firstname").await
}

async fn fetch_any(world: &World) -> Vec<String> {
    let xml = "<fetch><entity name='account'><attribute name='name'/><filter><link-entity name='contact' from='contactid' \
               to='primarycontactid' link-type='any'/></filter></entity></fetch>";
    world.rows(&format!("accounts?fetchXml={}", encoded(xml)), "name").await
}

async fn fetch_around(world: &World) -> Vec<String> {
    let xml = "<fetch><entity name='contact'><attribute name='firstname'/></entity></fetch>";
    world.rows(&format!("{}?fetchXml={}", world.around(), encoded(xml)), "firstname").await
}

async fn fetch_groups(world: &World) -> Vec<String> {
    let xml = "<fetch aggregate='true'><entity name='account'><attribute name='name' alias='account' groupby='true'/>\
               <link-entity name='contact' from='contactid' to='primarycontactid' alias='c'>\
               <attribute name='firstname' alias='first' groupby='true'/></link-entity></entity></fetch>";
    world.rows(&format!("accounts?fetchXml={}", encoded(xml)), "first").await
}

async fn conditions(world: &World) -> Vec<String> {
    world.rows("accounts?$select=name&$filter=primarycontactid/firstname ne null", "name").await
}

async fn lambdas(world: &World) -> Vec<String> {
    let url = |name: &str, _| {
        format!("accounts?$select=name&$filter=contact_customer_accounts/any(c:c/firstname eq '{name}')")
    };
    world.each(url, |answer| answer.json["value"][0]["name"] == "Hub").await
}

/// All of a hub's contacts that are seen are not this one: he is not seen.
async fn lambdas_of_all(world: &World) -> Vec<String> {
    let url = |name: &str, _| {
        format!(
            "accounts?$select=name&$filter=name eq 'Hub' and contact_customer_accounts/all(c:c/firstname ne '{name}')"
        )
    };
    world.each(url, |answer| answer.json["value"] == json!([])).await
}

async fn groups(world: &World) -> Vec<String> {
    world.rows("contacts?$apply=groupby((firstname))", "firstname").await
}

async fn groups_around(world: &World) -> Vec<String> {
    world.rows(&format!("{}?$apply=groupby((firstname))", world.around()), "firstname").await
}

async fn groups_by_path(world: &World) -> Vec<String> {
    world.rows("accounts?$apply=groupby((primarycontactid/firstname))", "contact_firstname").await
}

async fn saved_queries(world: &World) -> Vec<String> {
    world.rows(&format!("contacts?savedQuery={}", world.view), "firstname").await
}

async fn saved_queries_around(world: &World) -> Vec<String> {
    world.rows(&format!("{}?savedQuery={}", world.around(), world.view), "firstname").await
}

async fn sql(world: &World) -> Vec<String> {
    world.rows(&format!("contacts?sql={}", encoded("SELECT firstname FROM contact")), "firstname").await
}

async fn names_of_lookups(world: &World) -> Vec<String> {
    let prefer = [("prefer", "odata.include-annotations=\"*\"")];
    let answer = world.me.ask("GET", "accounts?$select=_primarycontactid_value", &prefer, "").await;
    let member = "_primarycontactid_value@OData.Community.Display.V1.FormattedValue";
    let first = |name: String| name.split_whitespace().next().unwrap().to_owned();
    texts(&answer.json["value"], member).into_iter().map(first).collect()
}

async fn batch(world: &World) -> Vec<String> {
    let get = "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
               GET /api/data/v9.2/contacts?$select=firstname HTTP/1.1\r\nAccept: application/json\r\n\r\n--b--\r\n";
    let kind = [("content-type", "multipart/mixed; boundary=b")];
    let answer = world.me.ask("POST", "$batch", &kind, get).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (from, until) = (answer.text.find('{').unwrap(), answer.text.rfind('}').unwrap());
    texts(&serde_json::from_str::<Json>(&answer.text[from..=until]).unwrap()["value"], "firstname")
}

async fn soap_rows(world: &World) -> Vec<String> {
    let xml = "<fetch><entity name='contact'><attribute name='firstname'/></entity></fetch>";
    soap_fetch(world, xml, "firstname").await
}

async fn soap_links(world: &World) -> Vec<String> {
    let xml = "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='contactid' \
               to='primarycontactid' alias='c'><attribute name='firstname'/></link-entity></entity></fetch>";
    soap_fetch(world, xml, "c.firstname").await
}

async fn soap_fetch(world: &World, xml: &str, member: &str) -> Vec<String> {
    let query = AnyQuery::fetch_expression(fetchxml::parse(xml).unwrap()).unwrap();
    let body = xml::write(&Operation::RetrieveMultiple(query).write(Generation::Dataverse));
    let answer = world.soap.ask(Soap::V12, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let Said::RetrieveMultiple(rows) = answer.said() else { panic!("{}", answer.text) };
    let text = |row: &Entity| match row.get(member).unwrap_or_else(|| panic!("{row:?}")).to_value() {
        Some(Value::Text(text)) => text,
        other => panic!("{other:?}"),
    };
    rows.entities.iter().map(text).collect()
}

pub type Found<'w> = Pin<Box<dyn Future<Output = Vec<String>> + Send + 'w>>;
pub type Way = (&'static str, for<'w> fn(&'w World) -> Found<'w>);

macro_rules! ways {
    ($($name:ident),+ $(,)?) => {
        /// Boxed: an answer's future is large, and a test's stack is not.
        pub const WAYS: &[Way] = &[$((stringify!($name), |world| Box::pin($name(world)))),+];
    };
}
ways!(
    plain,
    one_by_one,
    properties,
    expanded_rows,
    expanded_collections,
    expanded_pairs,
    expanded_twice,
    navigation,
    navigation_to_one,
    navigation_of_pairs,
    navigation_from_it,
    addresses,
    addresses_around,
    fetch_linked,
    fetch_linked_outer,
    fetch_any,
    fetch_around,
    fetch_groups,
    conditions,
    lambdas,
    lambdas_of_all,
    groups,
    groups_around,
    groups_by_path,
    saved_queries,
    saved_queries_around,
    sql,
    names_of_lookups,
    batch,
    soap_rows,
    soap_links,
);
