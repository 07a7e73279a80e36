//! The rows without which nothing works: the organisation, its root business unit, its currency and an administrator.
//!
//! Their ids are fixed (UUIDv5 of a name), so every database has the same and a second start finds them there.

use postroom_core::{Change, ChangeSet, Crm, Fault, Record, RecordRef, Value};
use uuid::{Uuid, uuid};

use crate::Embedded;

/// What the fixed ids of this crate are made in; a test makes them again.
pub(crate) const NAMESPACE: Uuid = uuid!("fe0db29c-f8e2-5e42-bd6a-96a79ab8e589");
/// The organisation.
pub const ORGANIZATION: Uuid = uuid!("a05879f0-fa64-59ac-acfa-a57b98ea438e");
/// The root business unit.
pub const BUSINESS_UNIT: Uuid = uuid!("fc4dcf8b-c70f-5d29-8ea2-c8c054ab5748");
/// The base currency.
pub const CURRENCY: Uuid = uuid!("cda4eed2-cb0e-5f7d-a918-1a70de1edc07");
/// The user in whose name postroom writes unless told otherwise.
pub const ADMINISTRATOR: Uuid = uuid!("abe322b9-92be-568b-9e28-463addb2911f");

/// Makes the rows that are missing.
pub(crate) async fn organisation(crm: &Embedded) -> Result<(), Fault> {
    // Two reads instead of a write: a start on a database that is in use waits for nobody.
    let there = crm.find(&["organization", "systemuser"], &[ORGANIZATION, ADMINISTRATOR]).await?;
    if there.len() == 2 {
        return Ok(());
    }
    let changes = rows().into_iter().map(Change::Create).collect();
    crm.apply(vec![ChangeSet { changes }]).await.remove(0).map(drop)
}

fn rows() -> Vec<Record> {
    let row = |table: &str, id| Record::new(RecordRef::new(table, id));
    let money = row("transactioncurrency", CURRENCY)
        .with("currencyname", "Euro")
        .with("currencysymbol", "€")
        .with("isocurrencycode", "EUR")
        .with("currencyprecision", 2)
        .with("exchangerate", Value::Decimal("1".into()));
    let administrator = row("systemuser", ADMINISTRATOR)
        .with("firstname", "Postroom")
        .with("lastname", "Administrator")
        .with("domainname", "administrator")
        .with("accessmode", 4);
    let own = [
        row("organization", ORGANIZATION).with("name", "postroom"),
        money,
        row("businessunit", BUSINESS_UNIT).with("name", "postroom"),
        administrator,
    ];
    own.into_iter().chain(VIEWS.iter().map(view)).collect()
}

/// Table, the view's name, the columns it shows; ordered by the first.
type View = (&'static str, &'static str, &'static [&'static str]);

/// The public views that every organisation has of its people.
const VIEWS: &[View] = &[
    ("account", "Active Accounts", &["name", "telephone1", "address1_city", "primarycontactid"]),
    ("contact", "Active Contacts", &["fullname", "parentcustomerid", "telephone1", "emailaddress1"]),
    ("lead", "Open Leads", &["fullname", "companyname", "subject", "emailaddress1"]),
];

fn view((table, name, columns): &View) -> Record {
    let shown: String = columns.iter().map(|column| format!("<attribute name=\"{column}\"/>")).collect();
    let fetch = format!(
        "<fetch version=\"1.0\" mapping=\"logical\"><entity name=\"{table}\">{shown}<order attribute=\"{}\"/>\
         <filter><condition attribute=\"statecode\" operator=\"eq\" value=\"0\"/></filter></entity></fetch>",
        columns[0]
    );
    let id = Uuid::new_v5(&NAMESPACE, format!("view:{name}").as_bytes());
    Record::new(RecordRef::new("savedquery", id))
        .with("name", *name)
        .with("returnedtypecode", *table)
        .with("querytype", 0)
        .with("isdefault", true)
        .with("fetchxml", fetch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_ids_are_made_of_names() {
        assert_eq!(NAMESPACE, Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://postroom.example/embedded"));
        let names = [
            ("organization", ORGANIZATION),
            ("businessunit", BUSINESS_UNIT),
            ("transactioncurrency", CURRENCY),
            ("systemuser", ADMINISTRATOR),
        ];
        for (name, id) in names {
            assert_eq!(id, Uuid::new_v5(&NAMESPACE, name.as_bytes()), "{name}");
        }
    }
}
