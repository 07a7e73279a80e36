//! Every message, asked by somebody without a role, by one who lacks a single privilege, and by one whose role just
//! suffices.

use postroom_core::metadata::PrivilegeKind::{self, *};
use postroom_core::{Change, ChangeSet, Filter, Record, RecordRef};
use postroom_embedded::Failure;
use postroom_embedded::access::{AccessError, Level, privilege};
use postroom_embedded::messages::{self, Bound, Message, NAMES, Need, Parameter, Prepared};
use postroom_embedded::session::Session;

use super::town::Town;
use crate::bench::{On, on_both};

on_both!(each_names_what_is_missing, roles_that_just_suffice);

/// A table that parameters name.
const TABLE: &str = "contact";

fn message(town: &Town, name: &str) -> Message {
    let known = messages::find(name).unwrap();
    let at = |table: &str| RecordRef::new(table, uuid::Uuid::from_u128(77));
    let target = match known.bound {
        Bound::Row(table) => Some(at(table)),
        Bound::Rows(tables) => Some(at(tables[0])),
        Bound::No | Bound::Set(_) => None,
    };
    let row = || Parameter::Reference(town.contact("own"));
    let mut parameters = Vec::new();
    for need in messages::needs(name).unwrap() {
        let Need::Of(_, parameter) = need else { continue };
        let value = match *parameter {
            "EntityNames" => Parameter::List(vec![Parameter::Text(TABLE.into())]),
            "EntityName" => Parameter::Text(TABLE.into()),
            _ => row(),
        };
        parameters.push(((*parameter).to_owned(), value));
    }
    Message { name: name.into(), target, parameters }
}

/// The privilege's name, and what a role needs to have it.
async fn told(town: &Town, need: &Need) -> (String, uuid::Uuid) {
    let of = async |kind: &PrivilegeKind, table: &str| {
        let table = town.bench.crm.table(table).await.unwrap();
        privilege::of(*kind, &table).unwrap()
    };
    let privilege = match need {
        Need::On(kind, table) => of(kind, table).await,
        Need::Of(kind, _) => of(kind, TABLE).await,
        Need::Misc(name) => privilege::miscellaneous(name).unwrap(),
    };
    (privilege.name, privilege.id)
}

/// The role has these privileges and no others.
async fn only(town: &Town, role: uuid::Uuid, privileges: &[uuid::Uuid]) {
    let rows = town.bench.all("roleprivileges", Filter::eq("roleid", role)).await;
    let mut changes: Vec<Change> = rows.into_iter().map(|row| Change::Delete(row.at)).collect();
    changes.extend(privileges.iter().map(|privilege| {
        let row = town.bench.row("roleprivileges").with("roleid", role).with("privilegeid", *privilege);
        Change::Create(row.with("privilegedepthmask", Level::Global.mask()))
    }));
    town.bench.apply(changes).await.unwrap();
}

async fn asked(town: &Town, session: &Session, message: Message) -> Result<Prepared, Failure> {
    messages::prepare(session, &town.bench.ids, message).await
}

/// The name of the privilege that is missing, when that is why it was refused.
fn missing(answer: Result<Prepared, Failure>) -> Option<String> {
    match answer {
        Err(Failure::Denied(error)) => match *error {
            AccessError::Missing { ref privilege, .. } => {
                assert_eq!(error.crm_code(), Some(0x8004_0220));
                assert!(error.to_string().contains(&privilege.name), "{error}");
                Some(privilege.name.clone())
            }
            _ => None,
        },
        _ => None,
    }
}

async fn each_names_what_is_missing(on: On) {
    let town = Town::new(on).await;
    let role = town.role(&[]).await;
    town.give(role, &town.me).await;
    let session = town.bench.crm.session(town.me.id);
    for known in NAMES {
        let needs = messages::needs(known.name).unwrap();
        let mut all = Vec::new();
        for need in needs {
            all.push(told(&town, need).await);
        }
        only(&town, role, &[]).await;
        let first = missing(asked(&town, &session, message(&town, known.name)).await);
        assert_eq!(first.as_ref(), all.first().map(|(name, _)| name), "{}: without a role", known.name);
        for (place, (name, _)) in all.iter().enumerate().skip(1) {
            let others: Vec<_> =
                all.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, (_, id))| *id).collect();
            only(&town, role, &others).await;
            let told = missing(asked(&town, &session, message(&town, known.name)).await);
            assert_eq!(told.as_ref(), Some(name), "{}: without {name}", known.name);
        }
        only(&town, role, &all.iter().map(|(_, id)| *id).collect::<Vec<_>>()).await;
        let told = missing(asked(&town, &session, message(&town, known.name)).await);
        assert_eq!(told, None, "{}: with all that it needs", known.name);
    }
}

/// The message, where it is bound, its parameters, and what the rows in question ask for besides.
type Case<'c> = (&'static str, Option<&'c RecordRef>, Vec<(String, Parameter)>, Vec<Need>);

/// What the table says is enough to do the thing, with the rows of the parties in it.
async fn roles_that_just_suffice(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let role = town.role(&[]).await;
    town.give(role, &town.me).await;
    let session = bench.crm.session(town.me.id);
    let mine = |record: Record| record.with("ownerid", town.me.clone());
    let person = town.contact("own");
    let mail = mine(bench.email()).with("directioncode", true);
    let from = bench.party(&mail, 1, "me@x.example").with("partyid", town.me.clone());
    let to = bench.party(&mail, 2, "a@x.example").with("partyid", person.clone());
    let queue = mine(bench.row("queue").with("name", "Q"));
    let list = mine(bench.row("list").with("listname", "L").with("createdfromcode", 2));
    let lead = mine(bench.row("lead").with("lastname", "L").with("subject", "S"));
    let deal = mine(bench.row("opportunity").with("name", "O").with("customerid", person.clone()));
    // Nobody hangs on him, so nothing follows.
    let alone = mine(bench.contact("Alone"));
    bench
        .create(&[mail.clone(), queue.clone(), list.clone(), lead.clone(), deal.clone(), alone.clone()])
        .await;
    bench.create(&[from, to]).await;
    let flag = |name: &str, value| (name.to_owned(), Parameter::Bool(value));
    let row = |name: &str, at: &RecordRef| (name.to_owned(), Parameter::Reference(at.clone()));
    let closed = Parameter::Entity(
        Record::new(RecordRef::new("opportunityclose", uuid::Uuid::nil()))
            .with("opportunityid", deal.at.clone()),
    );
    let access = Parameter::Members(vec![
        ("Principal".into(), Parameter::Reference(town.colleague.clone())),
        ("AccessMask".into(), Parameter::Text("None".into())),
    ]);
    let cases: Vec<Case<'_>> = vec![
        ("SendEmail", Some(&mail.at), vec![flag("IssueSend", true)], vec![]),
        ("AddToQueue", Some(&queue.at), vec![row("Target", &mail.at)], vec![Need::On(Read, "email")]),
        (
            "AddListMembersList",
            Some(&list.at),
            vec![("Members".into(), Parameter::List(vec![Parameter::Reference(person.clone())]))],
            vec![Need::On(Read, TABLE)],
        ),
        (
            "QualifyLead",
            Some(&lead.at),
            vec![
                ("Status".into(), Parameter::Int(3)),
                flag("CreateAccount", false),
                flag("CreateContact", false),
                flag("CreateOpportunity", false),
            ],
            vec![],
        ),
        (
            "LoseOpportunity",
            None,
            vec![("OpportunityClose".into(), closed), ("Status".into(), Parameter::Int(4))],
            vec![],
        ),
        ("ModifyAccess", None, vec![row("Target", &alone.at), ("PrincipalAccess".into(), access)], vec![]),
        ("RetrievePrincipalAccess", Some(&town.me), vec![row("Target", &alone.at)], vec![]),
        (
            "SetState",
            None,
            vec![
                row("EntityMoniker", &alone.at),
                ("State".into(), Parameter::Int(1)),
                ("Status".into(), Parameter::Int(2)),
            ],
            vec![],
        ),
        ("Assign", None, vec![row("Target", &alone.at), row("Assignee", &town.colleague)], vec![]),
    ];
    for case in cases {
        suffices(&town, role, &session, case).await;
    }
    assert_eq!(bench.found(&alone.at).await.lookup("ownerid"), Some(&town.colleague));
}

/// Refused without a role, and done with what the table names.
async fn suffices(
    town: &Town,
    role: uuid::Uuid,
    session: &Session,
    (name, target, parameters, more): Case<'_>,
) {
    let mut all = Vec::new();
    for need in messages::needs(name).unwrap().iter().chain(&more) {
        all.push(told(town, need).await.1);
    }
    all.sort_unstable();
    all.dedup();
    let message = Message { name: name.into(), target: target.cloned(), parameters };
    only(town, role, &[]).await;
    assert!(missing(asked(town, session, message.clone()).await).is_some(), "{name}");
    only(town, role, &all).await;
    let prepared = asked(town, session, message).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    if !prepared.changes.is_empty() || prepared.share.is_some() {
        let (set, shares) = (ChangeSet { changes: prepared.changes }, prepared.share.map(|share| (0, share)));
        session
            .write_shared(set, shares.into_iter().collect())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
}
