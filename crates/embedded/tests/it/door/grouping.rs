//! What rows are grouped by: the same on both databases, and as SQL Server has it.

use postroom_core::{Record, Value};
use serde_json::{Value as Json, json};

use super::DoorBench;
use crate::bench::{On, on_both};

on_both!(
    parts_of_times,
    weeks_of_many_years,
    groups_as_people_read_them,
    names_that_may_not_be_read,
    texts_without_case
);

fn encoded(text: &str) -> String {
    let each = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(each).collect()
}

/// Tasks that begin on these days.
async fn tasks(on: On, days: &[&str]) -> DoorBench {
    let door = DoorBench::new(on).await;
    let task = |day: &&str| {
        let start: jiff::Timestamp = format!("{day}T23:30:00Z").parse().unwrap();
        door.bench.row("task").with("subject", *day).with("scheduledstart", Value::Time(start))
    };
    let mut rows: Vec<Record> = days.iter().map(task).collect();
    rows.push(door.bench.row("task").with("subject", "none"));
    door.bench.create(&rows).await;
    door
}

/// What each task's day is grouped as.
async fn parts(door: &DoorBench, part: &str) -> Vec<(String, Json)> {
    let xml = format!(
        "<fetch aggregate='true'><entity name='task'><attribute name='subject' alias='day' groupby='true'/>\
         <attribute name='scheduledstart' alias='part' groupby='true' dategrouping='{part}'/>\
         <order alias='day'/></entity></fetch>"
    );
    let answer = door.get(&format!("tasks?fetchXml={}", encoded(&xml))).await;
    let rows = answer.json["value"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone();
    rows.iter().map(|row| (row["day"].as_str().unwrap().to_owned(), row["part"].clone())).collect()
}

async fn parts_of_times(on: On) {
    let days = [
        // A year of the calendar's own weeks, one that begins on a Sunday, one of 54 weeks.
        ("2000-01-01", [1, 1, 1, 1, 2000]),
        ("2000-01-02", [2, 2, 1, 1, 2000]),
        ("2000-12-31", [31, 54, 12, 4, 2000]),
        ("2022-12-31", [31, 53, 12, 4, 2022]),
        ("2023-01-01", [1, 1, 1, 1, 2023]),
        ("2023-01-07", [7, 1, 1, 1, 2023]),
        ("2023-01-08", [8, 2, 1, 1, 2023]),
        ("2024-03-31", [31, 14, 3, 1, 2024]),
        ("2024-12-31", [31, 53, 12, 4, 2024]),
        ("2026-01-01", [1, 1, 1, 1, 2026]),
        ("2026-01-03", [3, 1, 1, 1, 2026]),
        ("2026-01-04", [4, 2, 1, 1, 2026]),
        ("2026-07-04", [4, 27, 7, 3, 2026]),
    ];
    let door = tasks(on, &days.map(|(day, _)| day)).await;
    for (place, parts) in
        [&["day"][..], &["week"], &["month"], &["quarter", "fiscal-period"], &["year", "fiscal-year"]]
            .into_iter()
            .enumerate()
    {
        for part in parts {
            let mut expected: Vec<(String, Json)> =
                days.iter().map(|(day, parts)| ((*day).to_owned(), parts[place].into())).collect();
            expected.push(("none".to_owned(), Json::Null));
            assert_eq!(self::parts(&door, part).await, expected, "{part}");
        }
    }
    let week = "<fetch aggregate='true'><entity name='task'><attribute name='activityid' alias='n' aggregate='count'/>\
                <attribute name='scheduledstart' alias='week' groupby='true' dategrouping='week'/>\
                <order alias='week' descending='true'/></entity></fetch>";
    let answer = door.get(&format!("tasks?fetchXml={}", encoded(week))).await;
    let groups =
        [(54, 1), (53, 2), (27, 1), (14, 1), (2, 3), (1, 5)].map(|(week, n)| json!({"week": week, "n": n}));
    assert_eq!(answer.json["value"].as_array().unwrap()[..6], groups, "{}", answer.text);
}

async fn weeks_of_many_years(on: On) {
    use jiff::ToSpan;
    // Every fifth day: all weekdays of all kinds of years.
    let first = jiff::civil::date(1996, 1, 1);
    let days: Vec<jiff::civil::Date> =
        (0..2200).map(|place| first.saturating_add((place * 5).days())).collect();
    let texts: Vec<String> = days.iter().map(ToString::to_string).collect();
    let door = tasks(on, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let found = parts(&door, "week").await;
    // Counted: a new week with every Sunday after 1 January.
    for (day, (text, week)) in days.iter().zip(&found) {
        let year = jiff::civil::date(day.year(), 1, 1);
        let sundays = (1..i64::from(day.day_of_year()))
            .filter(|after| year.saturating_add(after.days()).weekday() == jiff::civil::Weekday::Sunday)
            .count();
        assert_eq!((text.as_str(), week), (day.to_string().as_str(), &json!(sundays + 1)));
    }
    assert_eq!(found.len(), days.len() + 1);
}

/// An account with two contacts of the administrator, one with none.
async fn staff(on: On) -> (DoorBench, Record) {
    let door = DoorBench::new(on).await;
    let account = door.bench.row("account").with("name", "Adler & Co");
    let account = account.with("revenue", Value::Decimal("1234.5".into())).with("industrycode", 1);
    let contact = |name: &str| door.bench.contact(name).with("parentcustomerid", account.at.clone());
    let contacts = [contact("Anna").with("gendercode", 2), contact("Bert").with("gendercode", 2)];
    door.bench.create(std::slice::from_ref(&account)).await;
    door.bench.create(&contacts).await;
    (door, account)
}

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const LOOKUP: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

async fn groups_as_people_read_them(on: On) {
    let (door, account) = staff(on).await;
    let all = [("prefer", "odata.include-annotations=\"*\"")];
    let apply = "$apply=groupby((_ownerid_value,_parentcustomerid_value,gendercode,donotemail),aggregate($count as n))";
    let answer = door.ask("GET", &format!("contacts?{apply}"), &all, "").await;
    let row = &answer.json["value"][0];
    let note = |row: &Json, column: &str, name: &str| row[format!("{column}@{name}")].clone();
    assert_eq!(note(row, "_parentcustomerid_value", FORMATTED), "Adler & Co", "{}", answer.text);
    assert_eq!(note(row, "_parentcustomerid_value", LOOKUP), "account");
    assert_eq!(row["_parentcustomerid_value"], account.at.id.to_string());
    assert_eq!(note(row, "_ownerid_value", LOOKUP), "systemuser");
    assert!(note(row, "_ownerid_value", FORMATTED).is_string(), "{row}");
    assert_eq!(note(row, "gendercode", FORMATTED), "Female");
    assert_eq!(note(row, "donotemail", FORMATTED), "Allow");
    assert_eq!((&row["n"], note(row, "n", FORMATTED)), (&json!(2), json!("2")));
    let plain = door.get(&format!("contacts?{apply}")).await;
    assert_eq!(plain.json["value"][0].as_object().unwrap().len(), 5, "{}", plain.text);
    let xml = "<fetch aggregate='true'><entity name='account'><attribute name='ownerid' alias='who' groupby='true'/>\
               <attribute name='industrycode' alias='what' groupby='true'/>\
               <attribute name='revenue' alias='total' aggregate='sum'/></entity></fetch>";
    let answer = door.ask("GET", &format!("accounts?fetchXml={}", encoded(xml)), &all, "").await;
    let row = &answer.json["value"][0];
    assert_eq!(
        (note(row, "who", LOOKUP), note(row, "what", FORMATTED)),
        (json!("systemuser"), json!("Accounting"))
    );
    assert!(note(row, "who", FORMATTED).is_string(), "{row}");
    assert_eq!((&row["total"], note(row, "total", FORMATTED)), (&json!(1234.5), json!("$1,234.50")));
    let path = "contacts?$apply=groupby((parentcustomerid_account/industrycode,parentcustomerid_account/_ownerid_value))";
    let answer = door.ask("GET", path, &all, "").await;
    let row = &answer.json["value"][0];
    assert_eq!(note(row, "account_industrycode", FORMATTED), "Accounting", "{}", answer.text);
    assert!(note(row, "account__ownerid_value", FORMATTED).is_string(), "{row}");
}

/// The name of a row that the caller may not read is left out; the group is there.
async fn names_that_may_not_be_read(on: On) {
    let (door, _) = staff(on).await;
    let user = door.bench.row("systemuser").with("domainname", "sales").with("lastname", "Sales");
    let unit = postroom_core::RecordRef::new("businessunit", postroom_embedded::seed::BUSINESS_UNIT);
    let user = user.with("businessunitid", unit);
    let role = door.bench.row("systemuserroles").with("systemuserid", user.at.id);
    let role = role.with("roleid", postroom_embedded::access::roles::BASIC_USER);
    door.bench.create(std::slice::from_ref(&user)).await;
    door.bench.create(&[role]).await;
    let contacts = door.bench.all("contact", postroom_core::Filter::All(Vec::new())).await;
    door.bench.update(&contacts[0].at, "ownerid", user.at.clone()).await;
    let sales = door.another(user.at.id).await;
    let all = [("prefer", "odata.include-annotations=\"*\"")];
    let apply = "contacts?$apply=groupby((_parentcustomerid_value),aggregate($count as n))";
    let row = &sales.ask("GET", apply, &all, "").await.json["value"][0];
    assert_eq!(
        (&row["n"], row.get(format!("_parentcustomerid_value@{FORMATTED}"))),
        (&json!(1), None),
        "{row}"
    );
}

async fn texts_without_case(on: On) {
    let door = DoorBench::new(on).await;
    let names = ["beta", "Beta", "ALPHA", "alpha", "Alpha", "gamma"];
    door.bench.create(&names.map(|name| door.bench.row("account").with("name", name))).await;
    let groups = door.get("accounts?$apply=groupby((name),aggregate($count as n))&$orderby=name").await;
    let expected = [("ALPHA", 3), ("Beta", 2), ("gamma", 1)].map(|(name, n)| json!({"name": name, "n": n}));
    assert_eq!(groups.json["value"], json!(expected), "{}", groups.text);
}
