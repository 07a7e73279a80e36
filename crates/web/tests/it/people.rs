//! Mappings, lists, people and forms in REST and pages, with the solution in the CRM and a stand-in for the service.

use postroom_core::{Change, ChangeSet, Clock, Record, RecordRef};
use postroom_marketing::sync::SyncType;
use postroom_operations::marketing::RunsWanted;
use postroom_operations::{Actor, Role, Scope, SolutionAsk};
use postroom_sandbox::dotdigital::{
    Act, Arrangement, Dotdigital, Form, FormAnswer, FormPage, Options, Question, Region,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::House;
use crate::openapi::{check, document};

/// An address that is awkward in paths, queries and tables.
const ODD: &str = "o'brien+x@example.com";
const ODD_IN_URL: &str = "o%27brien%2Bx%40example.com";

/// What the pages have to show.
pub struct Known {
    pub person: Uuid,
    pub list: Uuid,
    pub form: i32,
}

pub fn world() -> Dotdigital {
    Dotdigital::start(Options::one_account("hunter2"), Clock::system())
}

pub async fn house(world: &Dotdigital) -> House {
    House::with_service(world.url(Region::R1)).await
}

async fn write(house: &House, record: Record) {
    let set = ChangeSet { changes: vec![Change::Upsert(record)] };
    house.engine.crm.apply(vec![set]).await.remove(0).unwrap();
}

/// Runs a sync type to its end.
async fn run(house: &House, sync_type: SyncType) {
    house.engine.ask("main", sync_type, "anna").await.unwrap();
    house.engine.plan().await.unwrap();
    house.drain().await;
    let wanted = RunsWanted { sync_type: Some(sync_type), limit: 1, ..RunsWanted::default() };
    let last = house.operations.runs(&Actor::console(), wanted).await.unwrap().pop().unwrap();
    assert_eq!(last.state, "done", "{last:?}");
}

/// Two records of one address, mapped and told to the service; a list of two people; a form that was answered.
pub async fn furnish(house: &House, world: &Dotdigital) -> Known {
    let ask = SolutionAsk::default();
    house.operations.solution_install(&Actor::console(), &ask, |_| {}).await.unwrap();
    let person = RecordRef::new("contact", Uuid::from_u128(0xc0ffee));
    let twin = RecordRef::new("contact", Uuid::from_u128(0xc0ffef));
    let carla = RecordRef::new("contact", Uuid::from_u128(0xca21a));
    let people = [
        (&person, "Anna", "O'Brien", ODD),
        (&twin, "Ann", "O'Brien", ODD),
        (&carla, "Carla", "Weber", "carla@x.example"),
    ];
    for (at, first, last, address) in people {
        let row = Record::new(at.clone())
            .with("firstname", first)
            .with("lastname", last)
            .with("emailaddress1", address);
        write(house, row).await;
    }
    let account = house.engine.connect(house.engine.named("main").unwrap()).await.unwrap();
    let list = RecordRef::new("list", Uuid::from_u128(0x1157));
    let row = Record::new(list.clone())
        .with("listname", "Newsletter")
        .with("createdfromcode", 2)
        .with("type", false)
        .with("esc_activatedforemail", true)
        .with("esc_emailaccountid", account.row());
    write(house, row).await;
    let members = [person.clone(), carla];
    house.engine.crm.associate("listcontact_association", &list, &members).await.unwrap();
    run(house, SyncType::Suppressions).await;
    run(house, SyncType::Labels).await;
    run(house, SyncType::Contacts).await;
    let question = Question { id: 1, kind: "text".into(), text: "Last name".into(), ..Question::default() };
    let page = FormPage { id: 1, name: "One".into(), fields: vec![question] };
    let form = Form { name: "Sign up".into(), multiple: true, pages: vec![page], ..Form::default() };
    let form = world.arrange(1, Arrangement::Form(form)).unwrap();
    let answers = vec![FormAnswer { field: 1, row: None, value: json!("O'Brien") }];
    world.act(1, ODD, None, Act::Answer { form, answers, complete: true }).unwrap();
    run(house, SyncType::Forms).await;
    Known { person: person.id, list: list.id, form }
}

#[tokio::test]
async fn mappings_lists_people_and_forms_are_the_same_in_rest_and_pages() {
    let world = world();
    let house = house(&world).await;
    let known = furnish(&house, &world).await;
    rest(&house, &known).await;
    pages(&house, &known).await;
    refused(&house, &known).await;
    erased(&house, &world).await;
}

/// Every answer is as the document says.
async fn rest(house: &House, known: &Known) {
    let (owner, document) = (house.browser(Role::Owner).await, document());
    let Known { person, list, form } = known;
    let cases = [
        ("/api/v1/marketing/mappings", "get", "/api/v1/marketing/mappings?account=main".to_owned()),
        (
            "/api/v1/marketing/mappings/sample",
            "get",
            format!("/api/v1/marketing/mappings/sample?account=main&record=contact/{person}"),
        ),
        ("/api/v1/marketing/lists", "get", "/api/v1/marketing/lists?account=main".into()),
        ("/api/v1/marketing/lists/{id}", "get", format!("/api/v1/marketing/lists/{list}")),
        ("/api/v1/marketing/forms", "get", "/api/v1/marketing/forms".into()),
        ("/api/v1/marketing/forms/{account}/{number}", "get", format!("/api/v1/marketing/forms/main/{form}")),
        ("/api/v1/people", "get", format!("/api/v1/people?address={ODD_IN_URL}")),
        (
            "/api/v1/people/consent",
            "get",
            format!("/api/v1/people/consent?address={ODD_IN_URL}&on=2026-01-01T00:00:00Z&scope=list:12"),
        ),
    ];
    let mut answers: Vec<Value> = Vec::new();
    for (pattern, method, path) in cases {
        let answer = house.look(&owner, &path).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let schema =
            &document["paths"][pattern][method]["responses"]["200"]["content"]["application/json"]["schema"];
        check(&document, schema, &answer.json(), pattern);
        answers.push(answer.json());
    }
    assert_eq!(answers[0]["items"].as_array().unwrap().len(), 9, "{}", answers[0]);
    let field = |answer: &Value, label: &str| {
        let fields = answer["fields"].as_array().unwrap();
        fields.iter().find(|field| field["label"] == label).cloned().unwrap()
    };
    let last = field(&answers[1], "LASTNAME");
    assert_eq!(
        (&last["here"], &last["there"], &last["same"]),
        (&json!("O'Brien"), &json!("O'Brien"), &json!(true))
    );
    assert_eq!(
        (&answers[2]["items"][0]["name"], &answers[2]["items"][0]["state"]),
        (&json!("Newsletter"), &json!("waiting"))
    );
    assert_eq!(
        answers[5]["responses"][0]["answers"][0],
        json!({ "question": "Last name", "answer": "O'Brien" })
    );
    assert!(answers[5]["responses"][0]["matched"].is_string(), "{}", answers[5]);
    let shown = &answers[6];
    assert_eq!(shown["records"].as_array().unwrap().len(), 2, "{shown}");
    assert!(shown["accounts"][0]["contact"].is_i64() && shown["accounts"][0]["fault"].is_null(), "{shown}");
    assert_eq!(answers[7]["items"][0]["could"], true);

    let token = house.token(Scope::Api).await;
    let compare = format!("/api/v1/marketing/lists/{list}/compare");
    let compared = house.post(&compare).bearer(&token).send().await;
    assert_eq!(compared.status, 200, "{}", compared.text());
    check(&document, &document["components"]["schemas"]["ListComparison"], &compared.json(), "compare");
    let compared = compared.json();
    assert_eq!((&compared["here"], &compared["would_make"]), (&json!(2), &json!(true)), "{compared}");
    assert_eq!(compared["changes"][0]["people"][1]["address"], ODD, "{compared}");
    let order =
        house.post(&format!("/api/v1/marketing/lists/{list}/sync?dry_run=true")).bearer(&token).send().await;
    check(&document, &document["components"]["schemas"]["ListOrder"], &order.json(), "order");
}

async fn pages(house: &House, known: &Known) {
    let Known { person, list, form } = known;
    let owner = house.browser(Role::Owner).await;
    let page = async |path: &str| {
        let answer = house.look(&owner, path).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.page()
    };
    let shows = |page: &str, parts: &[&str]| {
        for part in parts {
            assert!(page.contains(part), "no {part:?} in {page}");
        }
    };
    let sampled = page(&format!("/mappings?record=contact/{person}")).await;
    shows(&sampled, &["LASTNAME", "both sides have the same", "Map it", "Remove"]);
    shows(&page("/mappings?record=brien").await, &[&format!("record=contact%2F{person}")]);
    shows(&page("/lists").await, &["Newsletter", "not counted yet"]);
    let compared = page(&format!("/lists/{list}?compare=yes")).await;
    shows(&compared, &["put on the service&#x27;s list", "one would be made"]);
    shows(&page("/forms").await, &["Sign up"]);
    shows(&page(&format!("/forms/main/{form}")).await, &["Last name", "O&#x27;Brien"]);
    let path = format!("/people?address={ODD_IN_URL}&on=2026-01-01&erase=yes");
    shows(&page(&path).await, &["LASTNAME", "could be mailed", "Erase for good", "Two records, one person"]);

    // A mapping that cannot work is said in place, with what was typed.
    let set = |fields: &str| house.submit(&owner, "/mappings/set", &format!("account=main&{fields}"));
    let wrong = set("table=contact&label=POSTCODE&path=nothing_like_it").send().await;
    assert_eq!(wrong.status, 422);
    shows(&wrong.page(), &["has no column nothing_like_it", "value=\"POSTCODE\""]);
    let done = set("table=contact&label=POSTCODE&path=address1_city&direction=two_way").send().await;
    assert_eq!(done.header("location"), "/mappings?account=main&done=mapped", "{}", done.page());
    shows(&page("/mappings").await, &["address1_city", "two way"]);
    let removed =
        house.submit(&owner, "/mappings/remove", "account=main&table=contact&label=POSTCODE").send().await;
    assert_eq!(removed.header("location"), "/mappings?account=main&done=unmapped");
    assert!(!page("/mappings").await.contains("address1_city"));
    let audit = house.operations.audit_of(&Actor::console(), "main/contact/POSTCODE", 9).await.unwrap();
    let actions: Vec<&str> = audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["mapping.remove", "mapping.set"]);

    let asked = house.submit(&owner, &format!("/lists/{list}/sync"), "").send().await;
    assert_eq!(asked.header("location"), format!("/lists/{list}?done=asked"));
    shows(&page(&format!("/lists/{list}")).await, &["It was asked for."]);
    house.engine.plan().await.unwrap();
    house.drain().await;
    shows(&page(&format!("/lists/{list}?compare=yes")).await, &["Nobody would join or leave", "2 people"]);
}

/// A viewer sees all of it and changes none of it; an operator changes no mapping.
async fn refused(house: &House, known: &Known) {
    let viewer = house.browser(Role::Viewer).await;
    let page = house.look(&viewer, "/mappings").send().await.page();
    assert!(page.contains("LASTNAME") && !page.contains("Map it") && !page.contains("Remove"), "{page}");
    let person = house.look(&viewer, &format!("/people?address={ODD_IN_URL}&erase=yes")).send().await.page();
    assert!(person.contains("LASTNAME") && !person.contains("Erase"), "{person}");
    let operator = house.browser(Role::Operator).await;
    let (from, into) = (known.person, Uuid::from_u128(0xc0ffef));
    let cases = [
        (&viewer, format!("/lists/{}/sync", known.list), String::new()),
        (&viewer, "/mappings/set".into(), "account=main&table=contact&label=POSTCODE&path=fax".into()),
        (&operator, "/mappings/remove".into(), "account=main&table=contact&label=LASTNAME".into()),
        (&operator, "/people/merge".into(), format!("from=contact/{from}&into=contact/{into}")),
        (&operator, "/people/erase".into(), format!("address={ODD_IN_URL}")),
    ];
    for (browser, path, fields) in cases {
        let answer = house.submit(browser, &path, &fields).send().await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.page());
    }
    let compare = house.look(&viewer, &format!("/lists/{}?compare=yes", known.list)).send().await;
    assert_eq!(compare.status, 403);
}

/// Merged, then erased: the mail, the service's person and the CRM's rows go, the opt-out stays.
async fn erased(house: &House, world: &Dotdigital) {
    let (owner, document) = (house.browser(Role::Owner).await, document());
    let (from, into) = (Uuid::from_u128(0xc0ffef), Uuid::from_u128(0xc0ffee));
    let merge = format!("address={ODD_IN_URL}&from=contact/{from}&into=contact/{into}");
    let merged = house.submit(&owner, "/people/merge", &merge).send().await;
    assert!(merged.header("location").ends_with("&done=merged"), "{}", merged.page());
    let trial = house.operations.erase_person(&Actor::console(), ODD, true).await.unwrap();
    let receipt = serde_json::to_value(&trial).unwrap();
    check(&document, &document["components"]["schemas"]["Erasure"], &receipt, "erasure");
    assert!(world.person(1, ODD).is_some(), "a trial erases nobody");
    let done = house.submit(&owner, "/people/erase", &format!("address={ODD_IN_URL}")).send().await;
    assert!(done.header("location").contains("done=erased"), "{}", done.page());
    assert!(world.person(1, ODD).is_none());
    let page = house.look(&owner, done.header("location")).send().await.page();
    assert!(page.contains("Erased") && page.contains("the address is suppressed"), "{page}");
}
