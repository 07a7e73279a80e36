//! Mappings, lists, forms and people by commands of the real binary, with a stand-in for the service beside it.

use postroom_sandbox::dotdigital::{Act, Arrangement, Dotdigital, Form, FormAnswer, FormPage, Question};
use serde_json::{Value, json};

use super::{ODD, config, contact, quiet, world};
use crate::house::House;

const ANNA: &str = "contact/00000000-0000-0000-0000-000000000001";
const LIST: &str = "00000000-0000-0000-0000-00000000000a";

fn ran(house: &House, sync_type: &str) -> Value {
    let run = house.one(&["marketing", "sync", "run", "main", sync_type, "--wait"]);
    assert_eq!(run["state"], "done", "{run}");
    run
}

fn found<'a>(rows: &'a [Value], column: &str, value: &str) -> &'a Value {
    rows.iter().find(|row| row[column] == value).unwrap_or_else(|| panic!("no {column} {value} in {rows:?}"))
}

#[test]
fn mappings_lists_forms_and_people_by_commands() {
    let world = world();
    let everybody = config(&world, false)
        .replace("[marketing.accounts.main]\n", "[marketing.accounts.main]\nscope = \"everybody\"\n");
    let house = quiet(&everybody);
    house.records(&[contact(1, ODD), contact(2, "bert@x.example"), contact(3, ODD)]);
    ran(&house, "suppressions");
    mappings(&house);
    ran(&house, "contacts");
    let sampled = house.one(&["marketing", "map", "sample", "main", ANNA]);
    let fields = sampled["fields"].as_array().expect("fields");
    let last = found(fields, "label", "LASTNAME");
    assert_eq!(
        (&last["here"], &last["there"], &last["same"]),
        (&json!("Adler"), &json!("Adler"), &json!(true)),
        "{sampled}"
    );
    lists(&house, &world);
    form(&house, &world);
    people(&house, &world);
}

fn mappings(house: &House) {
    ran(house, "labels");
    let all = house.list(&["marketing", "map", "list", "main"]);
    assert_eq!(all.len(), 9, "{all:?}");
    let set = ["marketing", "map", "set", "main", "contact", "POSTCODE"];
    let done = |more: &[&str]| house.one(&[&set[..], more].concat());
    let trial = done(&["jobtitle", "--dry-run"]);
    assert_eq!((&trial["change"], &trial["dry_run"]), (&json!("changed"), &json!(true)), "{trial}");
    assert_eq!(done(&["jobtitle"])["change"], "changed");
    assert_eq!(done(&["jobtitle"])["change"], "unchanged");
    assert_eq!(found(&house.list(&["marketing", "map", "list", "main"]), "path", "jobtitle")["valid"], true);
    let wrong = house.run(&["marketing", "map", "set", "main", "contact", "POSTCODE", "nothing_like_it"]);
    assert!(wrong.exit == 2 && wrong.err.contains("has no column nothing_like_it"), "{}", wrong.err);
    let strange = house.run(&["marketing", "map", "set", "main", "contact", "NOLABEL", "jobtitle"]);
    assert_eq!(strange.exit, 5, "{}", strange.err);
    // What a user breaks in the CRM is told with the reason.
    assert_eq!(house.run(&["marketing", "map", "check", "main"]).exit, 0);
    let id = found(&all, "table", "lead")["id"].as_str().expect("an id").to_owned();
    house.records(&[
        json!({ "table": "esc_emaildatamapping", "id": id, "columns": { "esc_fieldpath": "gone" } }),
    ]);
    let checked = house.run(&["marketing", "map", "check", "main"]);
    let text = String::from_utf8(checked.out).expect("JSON");
    assert!(checked.exit == 20 && text.contains("lead has no column gone"), "{text}");
    let remove = ["marketing", "map", "remove", "main", "contact", "POSTCODE"];
    assert_eq!(house.run(&remove).exit, 9, "nobody can be asked here");
    assert_eq!(house.one(&[&remove[..], &["--yes"]].concat())["change"], "removed");
    assert_eq!(house.run(&[&remove[..], &["--yes"]].concat()).exit, 5);
}

fn lists(house: &House, world: &Dotdigital) {
    let account = &house.list(&["record", "list", "esc_emailaccount"])[0]["id"];
    let account = format!("esc_emailaccount/{}", account.as_str().expect("an id"));
    let member = |number: u8| {
        let id = format!("00000000-0000-0000-0000-0000000001{number:02x}");
        let who = format!("contact/00000000-0000-0000-0000-0000000000{number:02x}");
        let columns = json!({ "listid": format!("list/{LIST}"), "entityid": who });
        json!({ "table": "listmember", "id": id, "columns": columns })
    };
    let columns = json!({
        "listname": "Newsletter", "createdfromcode": 2, "type": false, "esc_activatedforemail": true,
        "esc_emailaccountid": account,
    });
    house.records(&[
        json!({ "table": "list", "id": LIST, "columns": columns }),
        member(1),
        member(2),
        member(3),
    ]);
    let listed = house.list(&["marketing", "list", "list"]);
    assert_eq!(
        (&listed[0]["name"], &listed[0]["state"]),
        (&json!("Newsletter"), &json!("waiting")),
        "{listed:?}"
    );
    let compared = house.one(&["marketing", "list", "compare", "newsletter"]);
    // Two members of one address count once.
    let change = &compared["changes"][0];
    assert_eq!(
        (&compared["here"], &change["what"], &change["number"]),
        (&json!(2), &json!("add"), &json!(2)),
        "{compared}"
    );
    let again = house.one(&["marketing", "list", "compare", LIST, "--people", "1"]);
    assert_eq!(again["changes"][0]["people"].as_array().map(Vec::len), Some(1), "{again}");
    assert!(
        house.one(&["marketing", "list", "show", LIST])["service_id"].is_null(),
        "a comparison makes no list"
    );
    let run = house.one(&["marketing", "list", "sync", LIST, "--wait"]);
    assert_eq!((&run["type"], &run["state"]), (&json!("lists"), &json!("done")), "{run}");
    let shown = house.one(&["marketing", "list", "show", "Newsletter"]);
    assert_eq!(
        (&shown["here"], &shown["there"], &shown["state"]),
        (&json!(2), &json!(2), &json!("healthy")),
        "{shown}"
    );
    assert_eq!(shown["last_run"]["id"], run["id"]);
    // Who opted out would go, and is named.
    world.act(1, "bert@x.example", None, Act::Unsubscribe).expect("the account is there");
    ran(house, "suppressions");
    let compared = house.one(&["marketing", "list", "compare", LIST]);
    assert_eq!(compared["left_out"], 1, "{compared}");
    assert_eq!(house.run(&["marketing", "list", "show", "Nothing"]).exit, 5);
}

fn form(house: &House, world: &Dotdigital) {
    let question = Question { id: 1, kind: "text".into(), text: "Last name".into(), ..Question::default() };
    let page = FormPage { id: 1, name: "One".into(), fields: vec![question] };
    let form = Form { name: "Sign up".into(), multiple: true, pages: vec![page], ..Form::default() };
    let number = world.arrange(1, Arrangement::Form(form)).expect("a form is made");
    let answers = vec![FormAnswer { field: 1, row: None, value: json!("Adler") }];
    world
        .act(1, "bert@x.example", None, Act::Answer { form: number, answers, complete: true })
        .expect("answered");
    ran(house, "forms");
    assert_eq!(house.list(&["marketing", "form", "list"])[0]["name"], "Sign up");
    let shown = house.one(&["marketing", "form", "show", "main", &number.to_string()]);
    let response = &shown["responses"][0];
    assert_eq!(response["answers"][0], json!({ "question": "Last name", "answer": "Adler" }), "{shown}");
    assert!(response["record"]["id"].is_string() && response["matched"] == "Matched one", "{shown}");
    assert_eq!(house.run(&["marketing", "form", "show", "main", "4711"]).exit, 5);
}

fn people(house: &House, world: &Dotdigital) {
    let shown = house.one(&["person", "show", ODD]);
    assert_eq!(shown["records"].as_array().map(Vec::len), Some(2), "{shown}");
    let there = &shown["accounts"][0];
    assert!(there["contact"].is_i64() && there["lists"] == json!(["Newsletter"]), "{there}");
    assert_eq!(house.run(&["person", "prove", ODD]).exit, 0);
    let proved = house.run(&["person", "prove", "bert@x.example", "--account", "main"]);
    let text = String::from_utf8(proved.out).expect("JSON");
    assert!(proved.exit == 20 && text.contains("could not be mailed: Unsubscribed"), "{text}");
    assert_eq!(house.run(&["person", "prove", "bert@x.example", "--on", "2020-01-01"]).exit, 0);

    let twin = ANNA.replace("0001", "0003");
    let merge = ["person", "merge", &twin, ANNA];
    assert_eq!(house.run(&merge).exit, 9);
    house.one(&[&merge[..], &["--yes"]].concat());
    assert_eq!(house.run(&["person", "merge", ANNA, ANNA, "--dry-run"]).exit, 2);

    let trial = house.one(&["person", "erase", ODD, "--dry-run"]);
    let counts = trial["marketing"]["counts"].as_array().expect("counts");
    assert_eq!(found(counts, "of", "service main")["number"], 1, "{trial}");
    assert!(world.person(1, ODD).is_some());
    let receipt = house.run(&["person", "erase", ODD, "--yes"]);
    assert!(receipt.exit == 0 || receipt.exit == 8, "{}", receipt.err);
    assert!(world.person(1, ODD).is_none() && !String::from_utf8_lossy(&receipt.out).contains("brien"));
    assert_eq!(house.run(&["marketing", "suppress", "check", ODD]).exit, 20, "the opt-out stays");
    assert!(house.one(&["person", "show", ODD])["erased"].is_string());
}
