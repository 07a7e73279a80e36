//! The contacts of the bench, and how their twenty fields are mapped.

use std::ops::Range;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::bench::crm::people::id;
use crate::bench::http::Connection;
use crate::bench::rows;

/// The accounts whose names the field COMPANY shows.
pub const ACCOUNT: u8 = 9;
pub const ACCOUNTS: usize = 100;
/// Rows in one call of the CRM.
const LOT: usize = 1000;
const CONTACTS: &str = "/api/data/v9.2/contacts/Microsoft.Dynamics.CRM";

/// A data label: its name, its type, the column of contacts, and whether it goes both ways.
pub struct Field(pub &'static str, pub Kind, pub &'static str, pub bool);

/// A label's type, by its place in the option set.
#[derive(Clone, Copy)]
pub enum Kind {
    Text = 0,
    Number = 1,
    Date = 2,
}

/// With the defaults (first, last and full name, postal code) twenty fields.
pub const MAPPED: [Field; 16] = [
    Field("TELEPHONE", Kind::Text, "telephone1", true),
    Field("MOBILE", Kind::Text, "mobilephone", true),
    Field("JOBTITLE", Kind::Text, "jobtitle", true),
    Field("DEPARTMENT", Kind::Text, "department", true),
    Field("STREET", Kind::Text, "address1_line1", true),
    Field("CITY", Kind::Text, "address1_city", true),
    Field("COUNTRY", Kind::Text, "address1_country", true),
    Field("BIRTHDATE", Kind::Date, "birthdate", true),
    Field("TITLE", Kind::Text, "salutation", true),
    Field("FAX", Kind::Text, "fax", true),
    Field("NICKNAME", Kind::Text, "nickname", true),
    Field("WEBSITE", Kind::Text, "websiteurl", true),
    Field("CHILDREN", Kind::Number, "numberofchildren", true),
    Field("SEX", Kind::Text, "gendercode", true),
    Field("COMPANY", Kind::Text, "parentcustomerid", false),
    Field("OWNER", Kind::Text, "ownerid/fullname", false),
];

/// The value of an option: the publisher's prefix, and the place in its set.
pub fn choice(place: usize) -> usize {
    272_030_000 + place
}

/// The address of contact `number`.
pub fn address(number: usize) -> String {
    rows::person(number)
}

fn contact(number: usize) -> Value {
    let title = ["Buyer", "Engineer", "Head of sales", "Accountant", "Director"][number % 5];
    let account = rows::id(ACCOUNT, number % ACCOUNTS);
    json!({
        "@odata.type": "Microsoft.Dynamics.CRM.contact",
        "contactid": id(number),
        "firstname": format!("Anna{}", number % 977),
        "lastname": format!("Köhler-{number}"),
        "emailaddress1": address(number),
        "telephone1": format!("+49 30 {:07}", number % 10_000_000),
        "mobilephone": format!("+49 171 {:07}", number * 7 % 10_000_000),
        "jobtitle": title,
        "department": format!("Department {}", number % 40),
        "address1_line1": format!("Lindenstraße {}", number % 300),
        "address1_city": format!("City {}", number % 2000),
        "address1_postalcode": format!("{:05}", number % 99_999),
        "address1_country": "Deutschland",
        "birthdate": format!("19{:02}-{:02}-{:02}", number % 100, number % 12 + 1, number % 28 + 1),
        "salutation": "Dr.",
        "fax": format!("+49 30 {:07}", (number + 1) % 10_000_000),
        "nickname": format!("Nick{}", number % 5000),
        "websiteurl": format!("https://customer{}.example/", number % 700),
        "numberofchildren": number % 4,
        "gendercode": number % 2 + 1,
        "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
    })
}

/// Writes contacts until there are `to`.
pub fn write(door: &mut Connection, from: usize, to: usize) -> Result<()> {
    for first in (from..to).step_by(LOT) {
        let rows: Vec<Value> = (first..usize::min(first + LOT, to)).map(contact).collect();
        call(door, "CreateMultiple", &rows)?;
    }
    Ok(())
}

/// Changes a column of so many contacts, spread over all of them.
pub fn change(door: &mut Connection, contacts: usize, count: usize, value: &str) -> Result<()> {
    let step = contacts / count.max(1);
    let numbers: Vec<usize> = (0..count).map(|number| number * step).collect();
    for numbers in numbers.chunks(LOT) {
        let row = |number: &usize| {
            json!({
                "@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": id(*number), "jobtitle": value,
            })
        };
        call(door, "UpdateMultiple", &numbers.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(())
}

fn call(door: &mut Connection, name: &str, rows: &[Value]) -> Result<()> {
    let body = json!({ "Targets": rows }).to_string();
    let (status, answer) = door.ask("POST", &format!("{CONTACTS}.{name}"), "application/json", &body)?;
    ensure!(status < 300, "{name} was answered {status}: {answer}");
    Ok(())
}

/// Puts contacts on a list.
pub fn join(door: &mut Connection, list: &str, numbers: Range<usize>) -> Result<()> {
    for first in numbers.clone().step_by(LOT) {
        let people: Vec<Value> = (first..usize::min(first + LOT, numbers.end))
            .map(|number| json!({ "@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": id(number) }))
            .collect();
        let list = json!({ "@odata.type": "Microsoft.Dynamics.CRM.list", "listid": list });
        let body = json!({ "List": list, "Members": people }).to_string();
        let path = "/api/data/v9.2/AddListMembersList";
        let (status, answer) = door.ask("POST", path, "application/json", &body)?;
        ensure!(status < 300, "AddListMembersList was answered {status}: {answer}");
    }
    Ok(())
}

/// Takes a contact off a list.
pub fn leave(door: &mut Connection, list: &str, number: usize) -> Result<()> {
    let path = format!("/api/data/v9.2/lists({list})/Microsoft.Dynamics.CRM.RemoveMemberList");
    let body = json!({ "ListMember": { "listmemberid": id(number) } }).to_string();
    let (status, answer) = door.ask("POST", &path, "application/json", &body)?;
    ensure!(status < 300, "RemoveMemberList was answered {status}: {answer}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_fields_are_mapped() {
        assert_eq!(4 + MAPPED.len(), 20, "the first run maps four by itself");
        let made = contact(1);
        let columns = MAPPED.iter().map(|field| field.2).filter(|column| !column.contains("id"));
        for column in columns {
            assert!(!made[column].is_null(), "{column} has no value");
        }
    }
}
