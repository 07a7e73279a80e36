//! Writing many people at once.

use postroom_core::marketing::{
    ContactId, ContactRow, DataField, FieldType, FieldValue, Names, Person, Visibility,
};
use postroom_core::{Code, RecordRef};
use postroom_marketing::imports::{self, Outcome, Purpose, Row};
use postroom_marketing::people::links::{self, Link};
use postroom_marketing::suppressions::rows;
use postroom_marketing::sync::{Halt, SyncType, Turn};
use postroom_sandbox::dotdigital::{Act, Fault, ImportEnd, Switch};
use postroom_store::sql::{Expr, ExprTrait, Query};
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::{ACCOUNT, Lab, PASSWORD, service_with};

/// An address that is awkward in paths, queries and tables.
const ODD: &str = "o'brien+x@example.com";

on_all!(
    each_row_is_answered,
    a_new_address_is_a_change,
    a_lost_answer_doubles_nobody,
    an_import_that_is_refused_whole_is_sent_again,
    one_that_takes_long_is_settled_by_the_next_run,
    one_that_never_ends_is_given_up,
    a_cut_before_the_report_loses_nothing,
    a_plan_that_nobody_took_is_dropped,
    faults_are_of_their_rows,
    what_does_not_fit_is_another_import,
    three_are_under_way_at_once,
    one_that_was_cut_goes_on_behind_what_was_settled,
    an_account_without_identifiers,
    a_dry_run_asks_nothing,
);

fn purpose() -> Purpose {
    Purpose("test".to_owned())
}

fn record(number: u128) -> RecordRef {
    RecordRef::new("contact", Uuid::from_u128(number))
}

fn row(number: u128, address: &str) -> Row {
    let names = Names { email: Some(address.to_owned()), ..Names::default() };
    Row {
        record: record(number),
        address: address.to_owned(),
        contact: ContactRow { names, ..ContactRow::default() },
        digest: Some([number as u8; 32]),
        base: Some("{}".to_owned()),
    }
}

fn with(row: Row, field: &str, value: &str) -> Row {
    let fields = [(field.to_owned(), FieldValue::from(value))].into();
    Row { contact: ContactRow { fields, ..row.contact }, ..row }
}

async fn write(turn: &mut Turn, rows: Vec<Row>) -> Vec<Outcome> {
    let outcomes = imports::write(turn, &purpose(), rows).await.unwrap();
    assert!(turn.counts.balances(), "{:?}", turn.counts);
    outcomes
}

#[track_caller]
fn code(ended: Result<Vec<Outcome>, Halt>) -> Code {
    match ended.unwrap_err() {
        Halt::Fault(fault) => fault.code,
        Halt::Asks(question) => panic!("{question}"),
    }
}

impl Lab {
    async fn link(&self, number: u128) -> Option<Link> {
        let at = record(number);
        let read = self.engine.store.read(move |tx| {
            Box::pin(async move {
                links::of_records(tx, ACCOUNT, std::slice::from_ref(&at))
                    .await
                    .map(|mut found| found.remove(&at))
            })
        });
        let found: Result<_, postroom_store::Error> = read.await;
        found.unwrap()
    }

    /// The states of all imports, oldest first, and how many rows are unsettled.
    async fn imports(&self) -> (Vec<String>, u64) {
        let read = self.engine.store.read(|tx| {
            Box::pin(async move {
                let jobs = Query::select()
                    .column("state")
                    .from("import_job")
                    .order_by("id", postroom_store::sql::Order::Asc)
                    .to_owned();
                let states =
                    tx.query(&jobs).await?.iter().map(|row| row.at(0)).collect::<Result<Vec<String>, _>>()?;
                let rows = Query::select().expr(Expr::col("job").count()).from("import_row").to_owned();
                Ok((states, tx.query_one(&rows).await?.map_or(Ok(0), |row| row.at(0))?))
            })
        });
        let found: Result<_, postroom_store::Error> = read.await;
        found.unwrap()
    }
}

async fn each_row_is_answered(on: On) {
    let lab = Lab::new(on).await;
    let mut turn = lab.turn(SyncType::Contacts).await;
    let first = write(&mut turn, vec![row(1, ODD), row(2, "Bert@x.example")]).await;
    assert_eq!(first, [Outcome::New, Outcome::New]);
    let second =
        write(&mut turn, vec![row(3, "carl@x.example"), row(1, ODD), row(4, "CARL@x.example")]).await;
    assert_eq!(second, [Outcome::New, Outcome::Changed, Outcome::Same]);
    assert_eq!((turn.counts.to_service.sent, turn.counts.to_service.new), (5, 3));
    let (one, four) = (lab.link(1).await.unwrap(), lab.link(4).await.unwrap());
    assert_eq!((one.address.as_str(), one.digest), (ODD, Some(vec![1; 32])));
    assert_eq!((four.contact, four.digest), (lab.link(3).await.unwrap().contact, None));
    assert_eq!(i64::from(lab.world.person(1, ODD).unwrap().id), one.contact.unwrap().0);
    assert_eq!(lab.imports().await, (vec!["settled".to_owned(), "settled".to_owned()], 0));
}

async fn a_new_address_is_a_change(on: On) {
    let lab = Lab::new(on).await;
    let mut turn = lab.turn(SyncType::Contacts).await;
    write(&mut turn, vec![row(1, "old@x.example")]).await;
    let contact = lab.link(1).await.unwrap().contact.unwrap();
    let renamed = row(1, ODD);
    let by = Some(Person::Id(contact.clone()));
    let outcomes =
        write(&mut turn, vec![Row { contact: ContactRow { by, ..renamed.contact }, ..renamed }]).await;
    assert_eq!(outcomes, [Outcome::Changed]);
    assert_eq!(lab.world.contacts(1), 1);
    let link = lab.link(1).await.unwrap();
    assert_eq!((link.address.as_str(), link.contact), (ODD, Some(contact)));
}

async fn a_lost_answer_doubles_nobody(on: On) {
    let lab = Lab::new(on).await;
    let mut turn = lab.turn(SyncType::Contacts).await;
    lab.world.fault(Switch::once(Fault::LoseAnswer, "PUT", "/import"));
    lab.world.fault(Switch::once(Fault::CutAnswer, "GET", "/import"));
    let outcomes = write(&mut turn, vec![row(1, ODD), row(2, "b@x.example")]).await;
    assert_eq!(outcomes.len(), 2);
    assert_eq!(lab.world.contacts(1), 2);
    assert!(lab.link(1).await.unwrap().contact.is_some());
}

async fn an_import_that_is_refused_whole_is_sent_again(on: On) {
    let lab = Lab::new(on).await;
    let mut turn = lab.turn(SyncType::Contacts).await;
    let ends = [
        (ImportEnd::Failed, Code::MARKETING_REFUSED),
        (ImportEnd::InvalidFileFormat, Code::MARKETING_REFUSED),
        (ImportEnd::ExceedsAllowedContactLimit, Code::MARKETING_QUOTA),
    ];
    for (phase, expected) in ends {
        lab.world.fault(Switch::once(Fault::ImportEnds { phase }, "PUT", "/import"));
        assert_eq!(code(imports::write(&mut turn, &purpose(), vec![row(1, ODD)]).await), expected);
        assert_eq!(lab.link(1).await, None, "{phase:?}");
        imports::resume(&mut turn, &purpose()).await.unwrap();
    }
    assert_eq!(lab.imports().await.1, 0);
    assert_eq!(write(&mut turn, vec![row(1, ODD)]).await, [Outcome::New]);
}

async fn one_that_takes_long_is_settled_by_the_next_run(on: On) {
    let mut lab = Lab::new(on).await;
    lab.rule(|rules| rules.questions = 1);
    let mut turn = lab.turn(SyncType::Contacts).await;
    assert_eq!(code(imports::write(&mut turn, &purpose(), vec![row(1, ODD)]).await), Code::MARKETING_BUSY);
    assert_eq!((turn.counts.to_service.sent, lab.link(1).await), (0, None));
    // Another purpose is another's business.
    let mut next = lab.turn(SyncType::Lists).await;
    imports::resume(&mut next, &Purpose("list:1".to_owned())).await.unwrap();
    assert_eq!(lab.imports().await, (vec!["running".to_owned()], 1));
    assert!(imports::resume(&mut next, &purpose()).await.is_err(), "it goes on");
    imports::resume(&mut next, &purpose()).await.unwrap();
    assert_eq!((next.counts.to_service.new, next.counts.balances()), (1, true));
    assert_eq!(lab.link(1).await.unwrap().digest, Some(vec![1; 32]));
    assert_eq!(lab.imports().await, (vec!["settled".to_owned()], 0));
}

async fn one_that_never_ends_is_given_up(on: On) {
    let lab = Lab::new(on).await;
    let mut turn = lab.turn(SyncType::Contacts).await;
    lab.world.fault(Switch::once(Fault::ImportStuck, "PUT", "/import"));
    assert_eq!(code(imports::write(&mut turn, &purpose(), vec![row(1, ODD)]).await), Code::MARKETING_BUSY);
    assert!(imports::resume(&mut turn, &purpose()).await.is_err());
    lab.advance(jiff::SignedDuration::from_hours(25));
    imports::resume(&mut turn, &purpose()).await.unwrap();
    assert_eq!(lab.imports().await, (vec!["lost".to_owned()], 0));
    assert_eq!(write(&mut turn, vec![row(1, ODD)]).await, [Outcome::New]);
}

async fn a_cut_before_the_report_loses_nothing(on: On) {
    let lab = Lab::new(on).await;
    let mut turn = lab.turn(SyncType::Contacts).await;
    lab.world.fault(Switch {
        method: "GET".into(),
        path: "/import".into(),
        ..Switch::always(Fault::Unavailable)
    });
    assert!(imports::write(&mut turn, &purpose(), vec![row(1, ODD)]).await.is_err());
    drop(turn);
    lab.world.clear_faults();
    let mut next = lab.turn(SyncType::Contacts).await;
    imports::resume(&mut next, &purpose()).await.unwrap();
    assert_eq!((next.counts.to_service.new, next.counts.balances()), (1, true));
    let link = lab.link(1).await.unwrap();
    assert!(link.contact.is_some() && link.base.as_deref() == Some("{}"), "{link:?}");
}

async fn a_plan_that_nobody_took_is_dropped(on: On) {
    let lab = Lab::new(on).await;
    let mut turn = lab.turn(SyncType::Contacts).await;
    lab.world.fault(Switch { method: "PUT".into(), path: "/import".into(), ..Switch::always(Fault::Drop) });
    assert!(imports::write(&mut turn, &purpose(), vec![row(1, ODD)]).await.is_err());
    lab.world.clear_faults();
    assert_eq!(lab.imports().await, (vec!["planned".to_owned()], 1));
    imports::resume(&mut turn, &purpose()).await.unwrap();
    assert_eq!(lab.imports().await, (vec!["dropped".to_owned()], 0));
    assert_eq!((lab.world.contacts(1), turn.counts.to_service.sent), (0, 0));
}

async fn faults_are_of_their_rows(on: On) {
    let lab = Lab::new(on).await;
    let service = &lab.account().service;
    let field = DataField {
        name: "NUMBER".into(),
        kind: FieldType::Number,
        visibility: Visibility::Private,
        default: None,
    };
    service.create_field(&field).await.unwrap();
    let mut turn = lab.turn(SyncType::Contacts).await;
    write(&mut turn, vec![row(1, ODD)]).await;
    lab.world.act(1, ODD, None, Act::Unsubscribe).unwrap();
    let rows = vec![
        row(1, ODD),
        row(2, "good@x.example"),
        row(3, "not an address"),
        with(row(4, "value@x.example"), "NUMBER", "many"),
        Row { contact: ContactRow::default(), ..row(5, "") },
    ];
    let outcomes = write(&mut turn, rows).await;
    assert!(matches!(outcomes[0], Outcome::Suppressed(_)), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::New);
    assert!(outcomes[2..].iter().all(|outcome| matches!(outcome, Outcome::Rejected(_))), "{outcomes:?}");

    // Only the opt-out opted anybody out, and only what may change by itself is sent again.
    let addresses = [ODD, "not an address", "value@x.example"].map(str::to_owned);
    let read = lab
        .engine
        .store
        .read(move |tx| Box::pin(async move { rows::standing(tx, ACCOUNT, &addresses).await }));
    let standing: Result<_, postroom_store::Error> = read.await;
    let standing = standing.unwrap();
    assert_eq!(standing.keys().collect::<Vec<_>>(), [ODD]);
    assert_eq!(lab.link(3).await.unwrap().digest, Some(vec![3; 32]));
    assert_eq!(lab.link(4).await.unwrap().digest, Some(vec![4; 32]));
    let rejected = lab.engine.store.read(|tx| {
        Box::pin(async move {
            let mut select = postroom_marketing::sync::run::select_rejected();
            select.and_where(Expr::col("settled").is_null());
            postroom_marketing::sync::run::load_rejected(tx, &select).await
        })
    });
    let rejected: Result<Vec<_>, postroom_store::Error> = rejected.await;
    let mut subjects: Vec<_> = rejected.unwrap().into_iter().map(|row| row.reject.subject).collect();
    subjects.sort();
    assert_eq!(subjects, [3, 4, 5].map(|number| record(number).to_string()));
}

async fn what_does_not_fit_is_another_import(on: On) {
    let mut lab = Lab::new(on).await;
    let small = service_with(&lab.world, &lab.clock, PASSWORD, |settings| settings.import_bytes = 400);
    lab.serve(small);
    let mut turn = lab.turn(SyncType::Contacts).await;
    let rows = (0..12).map(|number| row(number, &format!("p{}@x.example", number % 9))).collect();
    let outcomes = write(&mut turn, rows).await;
    assert_eq!(outcomes[..9], vec![Outcome::New; 9]);
    assert_eq!(outcomes[9..], vec![Outcome::Same; 3]);
    let (states, rows) = lab.imports().await;
    assert!(states.len() > 1 && states.iter().all(|state| state == "settled"), "{states:?}");
    assert_eq!((lab.world.contacts(1), rows), (9, 0));
}

async fn three_are_under_way_at_once(on: On) {
    let mut lab = Lab::new(on).await;
    let small = service_with(&lab.world, &lab.clock, PASSWORD, |settings| settings.import_bytes = 1);
    lab.serve(small);
    let mut turn = lab.turn(SyncType::Contacts).await;
    let questions =
        Switch { method: "GET".into(), path: "/import".into(), ..Switch::always(Fault::Unavailable) };
    lab.world.fault(questions);
    let rows = || (0..5).map(|number| row(number, &format!("p{number}@x.example"))).collect::<Vec<_>>();
    assert!(imports::write(&mut turn, &purpose(), rows()).await.is_err(), "the first one does not land");
    assert_eq!(lab.imports().await, (vec!["running".to_owned(); 3], 3));
    lab.world.clear_faults();
    imports::resume(&mut turn, &purpose()).await.unwrap();
    assert_eq!((turn.counts.to_service.new, turn.counts.balances()), (3, true));
    let outcomes = write(&mut turn, rows()).await;
    assert_eq!(outcomes[..3], vec![Outcome::Changed; 3]);
    assert_eq!(outcomes[3..], vec![Outcome::New; 2]);
    assert_eq!((lab.world.contacts(1), lab.imports().await.1), (5, 0));
}

/// Some rows were settled when the process died, and left the ledger in the same unit.
async fn one_that_was_cut_goes_on_behind_what_was_settled(on: On) {
    let mut lab = Lab::new(on).await;
    lab.rule(|rules| rules.questions = 1);
    let mut turn = lab.turn(SyncType::Contacts).await;
    let rows = vec![row(1, ODD), row(2, "b@x.example")];
    assert_eq!(code(imports::write(&mut turn, &purpose(), rows).await), Code::MARKETING_BUSY);
    let settled = lab.engine.store.write("test.settled", |tx| {
        Box::pin(async move {
            let mut delete = Query::delete();
            delete.from_table("import_row").and_where(Expr::col("place").eq(0));
            tx.execute(&delete).await
        })
    });
    let settled: Result<u64, postroom_store::Error> = settled.await;
    assert_eq!(settled.unwrap(), 1);
    let mut next = lab.turn(SyncType::Contacts).await;
    while imports::resume(&mut next, &purpose()).await.is_err() {}
    assert_eq!((next.counts.to_service.new, next.counts.balances()), (1, true));
    assert_eq!(
        (lab.link(1).await, lab.link(2).await.map(|link| link.address)),
        (None, Some("b@x.example".into()))
    );
    assert_eq!(lab.imports().await, (vec!["settled".to_owned()], 0));
}

async fn an_account_without_identifiers(on: On) {
    let lab = Lab::new(on).await.by_v2();
    let mut turn = lab.turn(SyncType::Contacts).await;
    let outcomes = write(&mut turn, vec![row(1, ODD), row(2, "b@x.example")]).await;
    assert_eq!(outcomes, [Outcome::New, Outcome::New]);
    lab.world.act(1, "b@x.example", None, Act::Unsubscribe).unwrap();
    let outcomes = write(&mut turn, vec![row(1, ODD), row(2, "b@x.example"), row(3, "no address")]).await;
    assert_eq!(outcomes[..2], [Outcome::Changed, Outcome::Suppressed("Unsubscribed".into())]);
    assert!(matches!(outcomes[2], Outcome::Rejected(_)));
    assert_eq!(lab.link(1).await.unwrap().contact, None::<ContactId>);
}

async fn a_dry_run_asks_nothing(on: On) {
    let lab = Lab::new(on).await;
    let mut turn = Turn { dry: true, ..lab.turn(SyncType::Contacts).await };
    lab.world.forget_calls();
    let outcomes = write(&mut turn, vec![row(1, ODD), row(2, ODD)]).await;
    assert_eq!(outcomes, [Outcome::New, Outcome::Same]);
    assert_eq!((lab.imports().await, lab.link(1).await), ((Vec::new(), 0), None));
    assert!(lab.world.calls().is_empty(), "{:?}", lab.world.calls());
}
