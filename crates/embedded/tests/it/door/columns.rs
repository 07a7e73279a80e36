//! Two columns of a row compared: without case, as a column with a literal is, and with SQL's three values.

use super::DoorBench;
use crate::bench::{On, on_both};

on_both!(texts_without_case, nothing_compares_with_null, other_kinds);

/// Accounts by their telephones, with these names and numbers.
async fn accounts(on: On, pairs: &[(Option<&str>, Option<&str>)]) -> DoorBench {
    let door = DoorBench::new(on).await;
    let row = |(place, (name, number)): (usize, &(Option<&str>, Option<&str>))| {
        let row = door.bench.row("account").with("telephone1", format!("{place}"));
        row.with("name", name.map(str::to_owned)).with("accountnumber", number.map(str::to_owned))
    };
    door.bench.create(&pairs.iter().enumerate().map(row).collect::<Vec<_>>()).await;
    door
}

async fn check(door: &DoorBench, filter: &str, expected: &[&str]) {
    let filter = filter.replace(' ', "%20");
    let answer = door.get(&format!("accounts?$select=telephone1&$orderby=telephone1&$filter={filter}")).await;
    let rows = answer.json["value"].as_array().unwrap_or_else(|| panic!("{filter}: {}", answer.text));
    let found: Vec<&str> = rows.iter().map(|row| row["telephone1"].as_str().unwrap()).collect();
    assert_eq!(found, expected, "{filter}");
}

async fn texts_without_case(on: On) {
    let pairs = [
        ("Anna", "ANNA"),
        ("Ömer", "ÖMER"),
        ("ΩΜΈΓΑ", "Ωμέγα"),
        ("Straße", "STRASSE"),
        ("a", "B"),
        ("Z", "b"),
    ];
    let door = accounts(on, &pairs.map(|(name, number)| (Some(name), Some(number)))).await;
    check(&door, "name eq accountnumber", &["0", "1", "2"]).await;
    check(&door, "accountnumber eq name", &["0", "1", "2"]).await;
    check(&door, "name ne accountnumber", &["3", "4", "5"]).await;
    check(&door, "not (name eq accountnumber)", &["3", "4", "5"]).await;
    check(&door, "name lt accountnumber", &["4"]).await;
    check(&door, "name le accountnumber and name ne 'Straße'", &["0", "1", "2", "4"]).await;
    check(&door, "name gt accountnumber and name ne 'Straße'", &["5"]).await;
    check(&door, "name ge accountnumber and name ne 'Straße'", &["0", "1", "2", "5"]).await;
    // The same rows as by literals.
    check(&door, "name eq 'öMER' and accountnumber eq 'öMER'", &["1"]).await;
    let xml = "%3Cfetch%3E%3Centity%20name%3D'account'%3E%3Cattribute%20name%3D'telephone1'%2F%3E%3Corder%20attribute%3D'telephone1'%2F%3E\
               %3Cfilter%3E%3Ccondition%20attribute%3D'name'%20operator%3D'eq'%20valueof%3D'accountnumber'%2F%3E%3C%2Ffilter%3E\
               %3C%2Fentity%3E%3C%2Ffetch%3E";
    let fetched = door.get(&format!("accounts?fetchXml={xml}")).await;
    assert_eq!(fetched.json["value"].as_array().unwrap_or_else(|| panic!("{}", fetched.text)).len(), 3);
}

async fn nothing_compares_with_null(on: On) {
    let (a, b) = (Some("a"), Some("b"));
    let door = accounts(on, &[(a, a), (a, b), (a, None), (None, a), (None, None)]).await;
    check(&door, "name eq accountnumber", &["0"]).await;
    check(&door, "not (name eq accountnumber)", &["1"]).await;
    check(&door, "name ne accountnumber", &["1"]).await;
    check(&door, "not (name ne accountnumber)", &["0"]).await;
    check(&door, "name lt accountnumber or not (name lt accountnumber)", &["0", "1"]).await;
    check(&door, "name eq accountnumber or accountnumber eq null", &["0", "2", "4"]).await;
    check(&door, "not (name eq accountnumber or name eq 'a')", &[]).await;
    check(&door, "not (name eq accountnumber and name eq 'b')", &["0", "1", "2"]).await;
}

async fn other_kinds(on: On) {
    let door = accounts(on, &[(Some("a"), Some("a"))]).await;
    check(&door, "createdon le modifiedon and statecode ne statuscode", &["0"]).await;
    check(&door, "createdby/systemuserid eq modifiedby/systemuserid", &["0"]).await;
    check(&door, "_ownerid_value eq _createdby_value", &["0"]).await;
    check(&door, "numberofemployees eq revenue", &[]).await;
    for filter in
        ["name eq numberofemployees", "createdon lt name", "donotemail eq statecode", "accountid eq name"]
    {
        let answer = door.get(&format!("accounts?$filter={}", filter.replace(' ', "%20"))).await;
        assert_eq!(answer.status, 400, "{filter}: {}", answer.text);
        assert!(answer.text.contains("another kind"), "{}", answer.text);
    }
}
