//! Many messages at once.

use postroom_core::Filter;
use postroom_formats::soap::value::Any;
use uuid::Uuid;

use super::*;
use crate::bench::{On, on_both};

on_both!(multiple, transaction, many_rows);

pub fn requests(inner: &[(&str, String)]) -> String {
    let each = inner.iter().map(|(name, parameters)| {
        format!(
            "<c12:OrganizationRequest><b:Parameters>{parameters}</b:Parameters><b:RequestId i:nil=\"true\"/>\
             <b:RequestName>{name}</b:RequestName></c12:OrganizationRequest>"
        )
    });
    pair("Requests", "c12:OrganizationRequestCollection", &each.collect::<String>())
}

fn create(name: &str) -> (&'static str, String) {
    ("Create", pair("Target", "b:Entity", &entity("account", Uuid::nil(), &text("name", name))))
}

fn delete(id: Uuid) -> (&'static str, String) {
    ("Delete", pair("Target", "b:EntityReference", &reference("account", id)))
}

fn settings(go_on: bool, responses: bool) -> String {
    pair(
        "Settings",
        "c12:ExecuteMultipleSettings",
        &format!(
            "<c12:ContinueOnError>{go_on}</c12:ContinueOnError><c12:ReturnResponses>{responses}</c12:ReturnResponses>"
        ),
    )
}

async fn names(bench: &SoapBench) -> Vec<String> {
    let rows = bench.bench.all("account", Filter::All(Vec::new())).await;
    let mut names: Vec<String> = rows.iter().map(|row| row.text("name").unwrap().to_owned()).collect();
    names.sort();
    names
}

async fn multiple(on: On) {
    let bench = SoapBench::new(on).await;
    let missing = Uuid::from_u128(99);
    let inner = [
        create("A"),
        delete(missing),
        create("B"),
        ("WhoAmI", String::new()),
        ("NoSuch", String::new()),
        create("C"),
    ];
    let all = requests(&inner);
    let answer = bench.execute("ExecuteMultiple", &[all.clone(), settings(true, true)].concat()).await;
    assert_eq!(answer.get("IsFaulted"), Some(&Any::Boolean(true)));
    let Some(Any::ResponseItems(items)) = answer.get("Responses") else { panic!("{answer:?}") };
    let shown: Vec<(i32, Option<i32>)> =
        items.iter().map(|item| (item.index, item.fault.as_ref().map(|fault| fault.code))).collect();
    let (gone, unknown) = (0x8004_0217_u32.cast_signed(), 0x8004_0800_u32.cast_signed());
    assert_eq!(shown, [(0, None), (1, Some(gone)), (2, None), (3, None), (4, Some(unknown)), (5, None)]);
    assert!(items[0].response.as_ref().unwrap().get("id").is_some());
    assert_eq!(names(&bench).await, ["A", "B", "C"]);
    // Without going on: up to the first error, of which alone something is said.
    let answer = bench.execute("ExecuteMultiple", &[all, settings(false, false)].concat()).await;
    let Some(Any::ResponseItems(items)) = answer.get("Responses") else { panic!("{answer:?}") };
    assert_eq!((items.len(), items[0].index), (1, 1));
    assert_eq!(names(&bench).await, ["A", "A", "B", "C"]);
    let many: Vec<_> = (0..1001).map(|_| ("WhoAmI", String::new())).collect();
    let fault = bench.fault("ExecuteMultiple", &[requests(&many), settings(true, true)].concat()).await;
    assert!(fault.message.contains("1000"), "{}", fault.message);
    let nested = requests(&[("ExecuteMultiple", requests(&[]))]);
    assert!(
        bench
            .fault("ExecuteMultiple", &[nested, settings(true, true)].concat())
            .await
            .message
            .contains("within")
    );
}

async fn transaction(on: On) {
    let bench = SoapBench::new(on).await;
    let returns = pair("ReturnResponses", "d:boolean", "true");
    let good = requests(&[create("A"), ("WhoAmI", String::new()), create("B")]);
    let answer = bench.execute("ExecuteTransaction", &[good, returns.clone()].concat()).await;
    let Some(Any::Responses(responses)) = answer.get("Responses") else { panic!("{answer:?}") };
    let kinds: Vec<&str> = responses.iter().map(|response| response.name.as_str()).collect();
    assert_eq!(kinds, ["Create", "WhoAmI", "Create"]);
    for place in 0..4 {
        let mut inner = vec![create("X"), create("Y"), create("Z")];
        inner.insert(place, delete(Uuid::from_u128(99)));
        let fault = bench.fault("ExecuteTransaction", &[requests(&inner), returns.clone()].concat()).await;
        assert_eq!((fault.code, fault.faulted_request), (0x8004_0217_u32.cast_signed(), Some(place as i32)));
    }
    assert_eq!(names(&bench).await, ["A", "B"], "nothing of a failed transaction stays");
}

async fn many_rows(on: On) {
    let bench = SoapBench::new(on).await;
    let rows = |rows: &[String]| {
        let rows: String = rows.iter().map(|row| format!("<b:Entity>{row}</b:Entity>")).collect();
        pair(
            "Targets",
            "b:EntityCollection",
            &format!("<b:Entities>{rows}</b:Entities><b:EntityName>account</b:EntityName>"),
        )
    };
    let row = |id: Uuid, name: &str| entity("account", id, &text("name", name));
    let answer =
        bench.execute("CreateMultiple", &rows(&[row(Uuid::nil(), "A"), row(Uuid::nil(), "B")])).await;
    let Some(Any::Guids(ids)) = answer.get("Ids") else { panic!("{answer:?}") };
    assert_eq!((ids.len(), names(&bench).await), (2, vec!["A".to_owned(), "B".to_owned()]));
    bench.execute("UpdateMultiple", &rows(&[row(ids[0], "C"), row(ids[1], "D")])).await;
    let bad = rows(&[row(ids[0], "E"), row(Uuid::from_u128(99), "F")]);
    assert_eq!(bench.fault("UpdateMultiple", &bad).await.code, 0x8004_0217_u32.cast_signed());
    assert_eq!(names(&bench).await, ["C", "D"]);
    let answer =
        bench.execute("UpsertMultiple", &rows(&[row(ids[0], "G"), row(Uuid::from_u128(7), "H")])).await;
    let Some(Any::Raw(list)) = answer.get("Results") else { panic!("{answer:?}") };
    assert_eq!(list.kind.as_ref().unwrap().local, "ArrayOfUpsertResponse");
    let created: Vec<bool> = list
        .children
        .iter()
        .map(|one| Response::read(one).unwrap().get("RecordCreated").unwrap().as_bool().unwrap())
        .collect();
    assert_eq!(
        (created, names(&bench).await),
        (vec![false, true], vec!["D".to_owned(), "G".to_owned(), "H".to_owned()])
    );
}
