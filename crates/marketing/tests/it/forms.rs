//! Forms, their questions, and what people answered.

use std::sync::Arc;

use jiff::SignedDuration;
use postroom_core::marketing::{ContactRow, Names};
use postroom_core::{Record, RecordRef};
use postroom_marketing::consent::ledger;
use postroom_marketing::engine::{Account, Settings};
use postroom_marketing::forms::ConsentQuestion;
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::{Run, RunState, SyncType, Trial};
use postroom_sandbox::dotdigital::{
    Act, Arrangement, Form as TheirForm, FormAnswer, FormPage as TheirPage, Question,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::{ACCOUNT, Lab};
use crate::sweep::{Wrong, sweep};

const ODD: &str = "o'brien+x@example.com";

on_all!(
    a_form_and_its_answers_become_rows,
    an_incomplete_response_is_completed_and_its_answers_replaced,
    people_are_matched_by_address,
    somebody_unknown_is_made_once_as_the_form_says,
    an_explicit_consent_is_in_the_ledger_with_its_proof,
    consent_by_a_form_lifts_an_older_opt_out,
    nothing_new_asks_one_call,
    a_dry_run_of_forms_writes_nothing,
);

fn question(id: i32, kind: &str, text: &str) -> Question {
    Question { id, kind: kind.into(), text: text.into(), ..Question::default() }
}

/// Name (1), colour (2: red 21, blue 22, other 29 with text 28), a matrix (3 with rows 31 and 32), tick (4), age (5).
fn form() -> TheirForm {
    let choices = vec![(21, "red".to_owned()), (22, "blue".to_owned()), (29, "Other".to_owned())];
    let colour = Question { choices, other: Some((29, 28)), ..question(2, "checkboxlist", "Colours") };
    let rows = vec![question(31, "radiolist", "Price"), question(32, "radiolist", "Taste")];
    let choices = vec![(1, "good".to_owned()), (2, "bad".to_owned())];
    let matrix = Question { rows, choices, ..question(3, "matrix", "How was it?") };
    let fields = vec![
        question(1, "text", "Last name"),
        colour,
        matrix,
        question(4, "checkbox", "Send me news"),
        question(5, "number", "Age"),
    ];
    let page = TheirPage { id: 1, name: "One".into(), fields };
    TheirForm { name: "Sign up".into(), multiple: true, pages: vec![page], ..TheirForm::default() }
}

fn given(field: i32, row: Option<i32>, value: Json) -> FormAnswer {
    FormAnswer { field, row, value }
}

impl Lab {
    pub fn form(&self) -> i32 {
        self.world.arrange(1, Arrangement::Form(form())).unwrap()
    }

    pub fn answer(&self, form: i32, address: &str, answers: Vec<FormAnswer>, complete: bool) {
        self.advance(SignedDuration::from_secs(10));
        self.world.act(1, address, None, Act::Answer { form, answers, complete }).unwrap();
    }

    async fn forms(&self) -> Run {
        let run = self.run(SyncType::Forms).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
        run
    }

    async fn answers(&self) -> Vec<String> {
        let mut texts: Vec<String> = self
            .rows("esc_formanswer")
            .await
            .iter()
            .map(|row| row.text("esc_value").unwrap_or_default().to_owned())
            .collect();
        texts.sort();
        texts
    }

    async fn results(&self) -> Vec<&'static str> {
        let rows = self.rows("esc_response").await;
        let mut labels: Vec<_> = rows
            .iter()
            .map(|row| Set::MatchResult.option(row.int("esc_matchresult").unwrap() as i32).unwrap())
            .collect();
        labels.sort_unstable();
        labels
    }

    /// The row of a form in the CRM.
    async fn form_row(&self) -> RecordRef {
        self.rows("esc_form").await[0].at.clone()
    }
}

async fn a_form_and_its_answers_become_rows(on: On) {
    let lab = Lab::new(on).await;
    let odd = lab.contact(1, ODD).await;
    let form = lab.form();
    let answers = vec![
        given(1, None, json!("O'Brien")),
        given(2, None, json!(21)),
        given(2, None, json!(29)),
        given(28, None, json!("teal")),
        given(3, Some(31), json!(2)),
        given(5, None, json!("42")),
    ];
    // The stand-in keeps one answer of each field: the second choice of the colour stands.
    lab.answer(form, ODD, answers, true);
    let run = lab.forms().await;
    assert!(run.counts.to_crm.new > 10, "{run:?}");
    let forms = lab.rows("esc_form").await;
    assert_eq!(
        (forms.len(), forms[0].text("esc_formname"), forms[0].int("esc_completeresponses")),
        (1, Some("Sign up"), Some(1))
    );
    let questions = lab.rows("esc_formquestion").await;
    assert_eq!(questions.len(), 7);
    let parts = questions.iter().filter(|row| row.lookup("esc_parentquestionid").is_some()).count();
    assert_eq!(parts, 2);
    // Three colours, and two of the matrix for it and each of its rows.
    assert_eq!(lab.rows("esc_formquestionoption").await.len(), 9);
    let responses = lab.rows("esc_response").await;
    assert_eq!(responses.len(), 1);
    assert_eq!(responses[0].lookup("esc_contactid"), Some(&odd));
    assert_eq!(responses[0].get("esc_completed"), Some(&true.into()));
    assert_eq!(lab.answers().await, ["42", "O'Brien", "bad", "teal"]);
    let rows = lab.rows("esc_formanswer").await;
    let of = |text: &str| rows.iter().find(|row| row.text("esc_value") == Some(text)).unwrap();
    assert!(of("teal").lookup("esc_optionid").is_some() && of("bad").lookup("esc_optionid").is_some());
    assert!(of("42").text("esc_numericvalue").unwrap().starts_with("42"));
    assert_eq!(lab.results().await, ["Matched one"]);
}

async fn an_incomplete_response_is_completed_and_its_answers_replaced(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, ODD).await;
    let form = lab.form();
    lab.answer(form, ODD, vec![given(1, None, json!("O'B")), given(2, None, json!(21))], false);
    lab.forms().await;
    assert_eq!(lab.answers().await, ["O'B", "red"]);
    assert_eq!(lab.rows("esc_response").await[0].get("esc_completed"), Some(&false.into()));
    lab.answer(form, ODD, vec![given(1, None, json!("O'Brien")), given(2, None, json!(22))], true);
    for _ in 0..2 {
        lab.forms().await;
        assert_eq!(lab.answers().await, ["O'Brien", "blue"]);
        let responses = lab.rows("esc_response").await;
        assert_eq!((responses.len(), responses[0].get("esc_completed")), (1, Some(&true.into())));
    }
}

async fn people_are_matched_by_address(on: On) {
    let lab = Lab::new(on).await;
    let form = lab.form();
    lab.contact(1, "one@x.example").await;
    let contact = lab.contact(2, "many@x.example").await;
    let lead = RecordRef::new("lead", Uuid::from_u128(7));
    let row = Record::new(lead.clone()).with("subject", "x").with("lastname", "y");
    lab.write(row.with("emailaddress2", "Many@X.example")).await;
    for number in [3, 4] {
        lab.contact(number, "twice@x.example").await;
    }
    for address in ["one@x.example", "many@x.example", "twice@x.example", "nobody@x.example"] {
        lab.answer(form, address, vec![given(1, None, json!("x"))], true);
    }
    lab.forms().await;
    assert_eq!(lab.results().await, ["Ambiguous", "Matched many", "Matched one", "Unmatched"]);
    let rows = lab.rows("esc_response").await;
    let many = rows.iter().find(|row| row.text("esc_emailaddress") == Some("many@x.example")).unwrap();
    assert_eq!((many.lookup("esc_contactid"), many.lookup("esc_leadid")), (Some(&contact), Some(&lead)));
    // Nobody was made.
    assert_eq!(lab.rows("lead").await.len(), 1);
}

async fn somebody_unknown_is_made_once_as_the_form_says(on: On) {
    let lab = Lab::new(on).await;
    let form = lab.form();
    lab.forms().await;
    // What a user sets in the CRM stays.
    let lead = i64::from(Set::RecordType.value("Lead").unwrap());
    lab.write(Record::new(lab.form_row().await).with("esc_createrecordas", lead)).await;
    let field = RecordRef::new("esc_crmfield", Uuid::from_u128(99));
    let names =
        [("esc_entityname", "lead"), ("esc_logicalname", "lastname"), ("esc_displayname", "Last Name")];
    let row = names.iter().fold(Record::new(field.clone()), |row, (name, value)| row.with(*name, *value));
    let row = row.with("esc_name", "lead.lastname").with("esc_externalkey", "lead.lastname");
    lab.write(
        row.with("esc_attributetype", "String").with("esc_iswritable", true).with("esc_ismissing", false),
    )
    .await;
    let questions = lab.rows("esc_formquestion").await;
    let name = questions.iter().find(|row| row.text("esc_text") == Some("Last name")).unwrap();
    lab.write(Record::new(name.at.clone()).with("esc_crmfieldid", field)).await;
    // Twice by the same person, and one that is not complete.
    for _ in 0..2 {
        lab.answer(form, ODD, vec![given(1, None, json!("O'Brien"))], true);
    }
    lab.answer(form, "later@x.example", vec![given(1, None, json!("Later"))], false);
    lab.forms().await;
    let leads = lab.rows("lead").await;
    assert_eq!(leads.len(), 1, "{leads:?}");
    assert_eq!((leads[0].text("lastname"), leads[0].text("emailaddress1")), (Some("O'Brien"), Some(ODD)));
    assert_eq!(lab.results().await, ["Created", "Created", "Unmatched"]);
    // A repeat makes nobody again.
    lab.answer(form, "later@x.example", vec![given(1, None, json!("Later"))], true);
    lab.answer(form, ODD, vec![given(1, None, json!("O'Brien"))], true);
    lab.forms().await;
    assert_eq!(lab.rows("lead").await.len(), 2);
    assert_eq!(lab.results().await, ["Created", "Created", "Created", "Matched one"]);
}

/// Whoever opted out and ticks the box afterwards is let back; whoever ticked it before, or whose mail bounced, is not.
async fn consent_by_a_form_lifts_an_older_opt_out(on: On) {
    let mut lab = Lab::new(on).await;
    let form = lab.form();
    consent_by(&mut lab, form);
    let tick = |address: &str| lab.answer(form, address, vec![given(4, None, json!("true"))], true);
    let odd = lab.contact(1, ODD).await;
    let names = Names { email: Some(ODD.to_owned()), ..Names::default() };
    let row = ContactRow { names, ..ContactRow::default() };
    lab.account().service.patch_contact(&row, Default::default()).await.unwrap();
    tick("early@x.example");
    lab.advance(SignedDuration::from_hours(1));
    for address in [ODD, "early@x.example"] {
        lab.world.act(1, address, None, Act::Unsubscribe).unwrap();
    }
    lab.world.act(1, "bounced@x.example", None, Act::HardBounce).unwrap();
    lab.run(SyncType::Suppressions).await;
    lab.advance(SignedDuration::from_hours(1));
    tick(ODD);
    tick("bounced@x.example");
    let run = lab.forms().await;
    assert_eq!(run.counts.skipped.get("opted out before, and let back"), Some(&1), "{run:?}");
    lab.run(SyncType::Suppressions).await;
    let rows = lab.rows("esc_emailsupression").await;
    let active: Vec<_> = rows
        .iter()
        .filter(|row| row.get("esc_isactive") == Some(&true.into()))
        .filter_map(|row| row.text("esc_emailaddress"))
        .collect();
    assert_eq!(active.len(), 2, "{active:?}");
    assert!(!active.contains(&ODD), "{active:?}");
    assert!(lab.world.person(1, ODD).unwrap().status.mailable());
    assert_eq!(lab.record(&odd).await.unwrap().get("donotbulkemail"), Some(&false.into()));
}

fn consent_by(lab: &mut Lab, form: i32) {
    let mut settings = Settings::clone(&lab.account().settings);
    settings.forms.consent = vec![ConsentQuestion { form: i64::from(form), question: 4, choice: None }];
    let account = Account { settings: Arc::new(settings), ..lab.account().clone() };
    lab.engine.accounts = Arc::new([(ACCOUNT.to_owned(), account)].into());
}

async fn an_explicit_consent_is_in_the_ledger_with_its_proof(on: On) {
    let mut lab = Lab::new(on).await;
    let form = lab.form();
    consent_by(&mut lab, form);
    lab.answer(form, ODD, vec![given(4, None, json!("true"))], true);
    lab.answer(form, "no@x.example", vec![given(4, None, json!("false"))], true);
    lab.answer(form, "half@x.example", vec![given(4, None, json!("true"))], false);
    for _ in 0..2 {
        lab.forms().await;
    }
    let of = async |address: &'static str| {
        let read = lab.engine.store.read(move |tx| Box::pin(async move { ledger::of(tx, address).await }));
        read.await.unwrap()
    };
    let said = of(ODD).await;
    assert_eq!(said.len(), 1, "{said:?}");
    let proof = &said[0].entry.proof;
    assert!(proof.contains(&format!("form {form}, question 4")) && proof.contains("Send me news"), "{proof}");
    assert_eq!((of("no@x.example").await.len(), of("half@x.example").await.len()), (0, 0));
}

async fn nothing_new_asks_one_call(on: On) {
    let lab = Lab::new(on).await;
    let form = lab.form();
    lab.answer(form, ODD, vec![given(1, None, json!("x"))], true);
    lab.forms().await;
    lab.world.forget_calls();
    let run = lab.forms().await;
    assert_eq!(run.counts.to_crm.sent, 0, "{run:?}");
    assert_eq!(lab.world.calls().values().sum::<u64>(), 1, "{:?}", lab.world.calls());
}

async fn a_dry_run_of_forms_writes_nothing(on: On) {
    let lab = Lab::new(on).await;
    let form = lab.form();
    lab.answer(form, ODD, vec![given(1, None, json!("x"))], true);
    let Trial { counts, question, .. } = lab.engine.dry_run(ACCOUNT, SyncType::Forms).await.unwrap();
    assert!(counts.read == 2 && question.is_none(), "{counts:?}");
    for table in ["esc_form", "esc_formquestion", "esc_response", "esc_formanswer"] {
        assert!(lab.rows(table).await.is_empty(), "{table}");
    }
    lab.forms().await;
    assert_eq!(lab.rows("esc_response").await.len(), 1);
}

async fn a_form_answered(lab: &Lab) {
    let form = lab.form();
    lab.contact(1, ODD).await;
    lab.answer(form, ODD, vec![given(1, None, json!("O'Brien")), given(2, None, json!(21))], true);
}

async fn answered_once(lab: &Lab, named: &str) {
    for (table, number) in
        [("esc_form", 1), ("esc_formquestion", 7), ("esc_response", 1), ("esc_formanswer", 2)]
    {
        assert_eq!(lab.rows(table).await.len(), number, "{named}: {table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forms_survive_every_lost_answer() {
    sweep(On::Sqlite, Wrong::LostAnswer, a_form_answered, SyncType::Forms, answered_once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forms_survive_death_at_every_call() {
    sweep(On::Sqlite, Wrong::Death, a_form_answered, SyncType::Forms, answered_once).await;
}
