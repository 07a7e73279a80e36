//! Answers of a server that lies, breaks off or speaks nonsense: read or refused, never a panic; and what was read is what
//! the definitions say.

use proptest::prelude::*;
use serde_json::json;

use super::{Metadata, Query, Shape, plain};
use crate::webapi::metadata;
use crate::webapi::refusal::Refusal;

fn definitions() -> serde_json::Value {
    let column = |name: &str, kind: &str| {
        json!({"LogicalName": name, "SchemaName": name, "AttributeType": kind, "AttributeTypeName": {"Value": format!("{kind}Type")},
            "IsValidForRead": true, "IsValidForCreate": true, "Targets": ["account", "contact"], "MaxLength": 100,
            "RequiredLevel": {"Value": "None"}, "Format": "DateAndTime"})
    };
    json!({"LogicalName": "contact", "SchemaName": "Contact", "EntitySetName": "contacts", "PrimaryIdAttribute": "contactid",
        "ObjectTypeCode": 2, "Attributes": [column("contactid", "Uniqueidentifier"), column("lastname", "String"),
            column("numberofchildren", "Integer"), column("annualincome", "Money"), column("donotemail", "Boolean"),
            column("createdon", "DateTime"), column("parentcustomerid", "Customer"), column("versionnumber", "BigInt"),
            column("latitude", "Double")],
        "ManyToOneRelationships": [{"SchemaName": "c", "ReferencedEntity": "account", "ReferencingEntity": "contact",
            "ReferencedAttribute": "accountid", "ReferencingAttribute": "parentcustomerid",
            "ReferencingEntityNavigationPropertyName": "parentcustomerid_account"}]})
}

const PAGE: &str = r#"{"@odata.context":"x#contacts","@odata.count":2,"value":[{"@odata.etag":"W/\"5\"","contactid":
"70bf4d48-34cb-ed11-b596-0022481d68cd","lastname":"O'Brien \u00e9\ud83d\ude42","numberofchildren":3,"annualincome":1.5000,
"donotemail":true,"createdon":"2026-11-02T08:00:00Z","_parentcustomerid_value":"78914942-34cb-ed11-b596-0022481d68cd",
"_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname":"account","versionnumber":9007199254740993,
"latitude":-0.5},{"contactid":"70bf4d48-34cb-ed11-b596-0022481d68ce","lastname":null},{"@odata.context":
"x#contacts/$deletedEntity","id":"70bf4d48-34cb-ed11-b596-0022481d68cf","reason":"deleted"}],"@odata.nextLink":
"https://crm.example/api/data/v9.2/contacts?$skiptoken=x","@Microsoft.Dynamics.CRM.morerecords":true}"#;

fn shape() -> Shape {
    let (table, one_to_many, many_to_many) = metadata::defined(&definitions());
    let known = Metadata { tables: vec![table], one_to_many, many_to_many, ..Metadata::default() };
    let table = known.table("contact").unwrap().clone();
    Shape::of(&known, &table, &Query::of("contact"))
}

#[test]
fn a_page_is_read() {
    let rows = shape().read(PAGE.as_bytes()).unwrap();
    assert_eq!((rows.records.len(), rows.gone.len()), (2, 1));
    let row = &rows.records[0];
    assert_eq!(row.text("lastname"), Some("O'Brien é🙂"));
    assert_eq!(row.int("versionnumber"), Some(9_007_199_254_740_993));
    assert_eq!(row.lookup("parentcustomerid").map(|at| at.table.as_str()), Some("account"));
}

#[test]
fn numbers_without_an_end_are_none() {
    for (digits, expected) in [("1e3", "1000"), ("1.50", "1.50"), ("1e999", "1e999")] {
        assert_eq!(plain(digits), expected);
    }
}

/// The members of a row, some twice over, in an order of its own.
fn row() -> impl Strategy<Value = Vec<(usize, String)>> {
    let members = [
        r#""@odata.etag":"W/\"5\"""#,
        r#""contactid":"70bf4d48-34cb-ed11-b596-0022481d68cd""#,
        r#""lastname":"O'Brien""#,
        r#""numberofchildren":3"#,
        r#""createdon":"2026-11-02T08:00:00Z""#,
        r#""_parentcustomerid_value":"78914942-34cb-ed11-b596-0022481d68cd""#,
        r#""_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname":"account""#,
        r#""last\u006eame@unknown":{"a":[]}"#,
    ];
    let all: Vec<(usize, String)> = members.iter().map(|member| (*member).to_owned()).enumerate().collect();
    prop::sample::subsequence(all, 0..=members.len()).prop_shuffle()
}

proptest! {
    /// What a row says does not depend on the rows before it, nor on its own order.
    #[test]
    fn a_row_means_the_same_behind_any_other(rows in prop::collection::vec(row(), 1..6)) {
        let text = |row: &[(usize, String)]| {
            let members: Vec<&str> = row.iter().map(|(_, text)| text.as_str()).collect();
            format!("{{{}}}", members.join(","))
        };
        let read = |rows: &[String]| {
            shape().read(format!(r#"{{"value":[{}]}}"#, rows.join(",")).as_bytes()).unwrap().records
        };
        let all = read(&rows.iter().map(|row| text(row)).collect::<Vec<_>>());
        prop_assert_eq!(all.len(), rows.len());
        for (found, mut row) in all.iter().zip(rows) {
            row.sort();
            prop_assert_eq!(found, &read(&[text(&row)])[0]);
            prop_assert_eq!(found.get("lastname").is_some(), row.iter().any(|(at, _)| *at == 2));
        }
    }
}

/// Everything that reads a server's bytes.
fn read_all(bytes: &[u8]) {
    let _ = shape().read(bytes);
    let _ = Refusal::read(http::StatusCode::BAD_REQUEST, bytes).fault();
    if let Ok(json) = serde_json::from_slice(bytes) {
        let mut known = Metadata::default();
        known.tables.push(metadata::defined(&json).0);
        metadata::add_choices(&mut known, "contact", &json);
        for table in &known.tables {
            let _ = Shape::of(&known, table, &Query::of(&table.logical_name)).read(PAGE.as_bytes());
        }
    }
}

fn changed() -> impl Strategy<Value = Vec<u8>> {
    let refusal = r#"{"error":{"code":"0x80040217","message":"account With Id = 1 Does Not Exist","innererror":{"message":"x"}}}"#;
    let all = vec![PAGE.to_owned(), definitions().to_string(), refusal.to_owned()];
    let signs = [
        "null",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "1e999",
        "-",
        "99999999999999999999",
        "true",
        ",",
        ":",
        "\\u0000",
        "\\ud800",
    ];
    let edit = (any::<prop::sample::Index>(), 0..4_u8, prop::sample::select(signs.to_vec()), 0..60_usize);
    (prop::sample::select(all), prop::collection::vec(edit, 0..6)).prop_map(|(text, edits)| {
        let mut bytes = text.into_bytes();
        for (at, how, sign, length) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            match how {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => drop(bytes.splice(at..end, sign.bytes())),
                _ => drop(bytes.splice(at..at, sign.bytes())),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_answers_are_read_or_refused(bytes in changed()) {
        read_all(&bytes);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }
}

#[test]
fn deep_answers_are_refused() {
    for open in ["[", "{\"a\":", "{\"value\":[{\"lastname\":"] {
        read_all(open.repeat(100_000).as_bytes());
    }
}
