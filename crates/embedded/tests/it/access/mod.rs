//! Who may do what: the matrix of levels and owners, acting for others, what counts at once, and the messages.

mod messages;
mod naive;
mod needs;
mod property;
pub mod town;

use std::collections::BTreeSet;

use postroom_core::metadata::PrivilegeKind::{self, *};
use postroom_core::{Crm, Filter, Query, Record, RecordRef, Value};
use postroom_embedded::access::{
    self, AccessError, AccessRights, Caller, Callers, Level, lookup_is_checked, privilege, roles,
};
use postroom_embedded::schema::{Column, Table};
use postroom_embedded::{Embedded, seed};

use self::town::{Town, answered, in_tx, load, sorted};
use crate::bench::{Bench, On, on_both};

on_both!(
    levels_and_owners,
    a_team_s_role_reaches_what_the_team_owns,
    parts_go_with_their_parents,
    acting_for_another,
    a_role_taken_away_counts_at_once,
    disabled_users_and_strangers,
    new_rows_and_links,
    secured_columns,
    custom_tables_belong_to_administrators_at_once,
    standard_roles_are_there_once,
    the_model_itself_is_guarded,
);

/// What each level reaches, of the six contacts of the town.
fn reached(level: Level, kind: PrivilegeKind) -> BTreeSet<&'static str> {
    let shared = matches!(kind, Read | Write) && level != Level::None;
    let own: &[&str] = match level {
        Level::None => &[],
        Level::Basic => &["own"],
        Level::Local => &["own", "colleague", "team"],
        Level::Deep => &["own", "colleague", "team", "child"],
        Level::Global => &["own", "colleague", "team", "child", "other", "shared"],
    };
    own.iter().copied().chain(shared.then_some("shared")).collect()
}

async fn levels_and_owners(on: On) {
    let town = Town::new(on).await;
    for level in Level::ALL {
        for kind in [Read, Write, Delete, Assign] {
            let role = town.role(&[(kind, "contact", level)]).await;
            town.give(role, &town.me).await;
            let me = load(&town.bench, town.me.id, None).await.unwrap();
            let table = town.bench.crm.table("contact").await.unwrap();
            assert_eq!(me.may(kind, &table), level);
            assert_eq!(town.reached(&me, kind).await, reached(level, kind), "{kind:?} {level:?}");
            assert_eq!(me.check_table(kind, &table).is_ok(), level != Level::None);
            town.take(role, &town.me).await;
        }
    }
}

async fn a_team_s_role_reaches_what_the_team_owns(on: On) {
    let town = Town::new(on).await;
    let role = town.role(&[(Read, "contact", Level::Basic)]).await;
    town.give(role, &town.team).await;
    let me = load(&town.bench, town.me.id, None).await.unwrap();
    assert_eq!(town.reached(&me, Read).await, BTreeSet::from(["team", "shared"]));
    town.give(role, &town.me).await;
    let me = load(&town.bench, town.me.id, None).await.unwrap();
    assert_eq!(town.reached(&me, Read).await, BTreeSet::from(["own", "team", "shared"]));
}

async fn parts_go_with_their_parents(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let mut mails = Vec::new();
    for owner in [&town.me, &town.other] {
        let mail = bench.email().with("ownerid", owner.clone());
        let party = bench.party(&mail, 2, "anna@customer.example");
        let file = bench.attachment(&mail, b"x");
        bench.create(&[mail.clone(), party.clone(), file.clone()]).await;
        mails.push([mail.at, party.at, file.at]);
    }
    let role = town.role(&[(Read, "email", Level::Basic), (Write, "email", Level::Basic)]).await;
    town.give(role, &town.me).await;
    let me = load(bench, town.me.id, None).await.unwrap();
    let world = town.world().await;
    for name in ["email", "activityparty", "activitymimeattachment"] {
        let filter = me.filter(Read, &bench.crm.table(name).await.unwrap());
        let expected = sorted(&world.matching(name, filter.as_ref()));
        assert_eq!(answered(bench, name, filter).await, expected, "{name}");
    }
    for (at, mine) in [(&mails[0], true), (&mails[1], false)] {
        for at in at {
            let table = bench.crm.table(&at.table).await.unwrap();
            let found = world.matching(&at.table, me.filter(Read, &table).as_ref()).contains(&at.id);
            assert_eq!(found, mine, "{at}");
            let row = town.facts(&me, at).await;
            assert_eq!(row.at.table, "email");
            assert_eq!(me.check(Read, &table, &row).is_ok(), mine, "{at}");
            assert_eq!(me.check(Write, &table, &row).is_ok(), mine, "{at}");
        }
    }
    // Changing a party is writing its mail, so the level is the mail's.
    let party = bench.crm.table("activityparty").await.unwrap();
    assert_eq!((me.may(Create, &party), me.may(Delete, &party)), (Level::Basic, Level::Basic));
    let item = bench.crm.table("queueitem").await.unwrap();
    assert_eq!((me.may(Read, &item), me.filter(Read, &item)), (Level::None, Some(Filter::Any(vec![]))));
    let pointer = RecordRef::new("activitypointer", mails[0][0].id);
    assert_eq!(town.facts(&me, &pointer).await.at, mails[0][0]);
}

async fn acting_for_another(on: On) {
    let town = Town::new(on).await;
    let denied = load(&town.bench, town.other.id, Some(town.me.id)).await.unwrap_err();
    assert_eq!(denied.crm_code(), Some(0x8004_a110));
    let service = town.role(&[(Read, "contact", Level::Local)]).await;
    town.grant_misc(service, "prvActOnBehalfOfAnotherUser").await;
    town.give(service, &town.other).await;
    let wide = town.role(&[(Read, "contact", Level::Global), (Write, "contact", Level::Global)]).await;
    town.give(wide, &town.me).await;
    let both = load(&town.bench, town.other.id, Some(town.me.id)).await.unwrap();
    assert_eq!((both.user, both.acting), (town.me.id, Some(town.other.id)));
    // The reach is the user's own, no deeper than the service has it.
    assert_eq!(town.reached(&both, Read).await, reached(Level::Local, Read));
    let contact = town.bench.crm.table("contact").await.unwrap();
    let error = both.check_table(Write, &contact).unwrap_err();
    assert!(error.to_string().contains(&format!("Id={}", town.other.id)), "{error}");
    assert!(both.check_misc("prvActOnBehalfOfAnotherUser").is_err());
    // An administrator who acts for somebody is that somebody.
    let admin = load(&town.bench, seed::ADMINISTRATOR, Some(town.me.id)).await.unwrap();
    assert!(!admin.administrates());
    assert_eq!(town.reached(&admin, Read).await, reached(Level::Global, Read));
}

async fn a_role_taken_away_counts_at_once(on: On) {
    let town = Town::new(on).await;
    let contact = town.bench.crm.table("contact").await.unwrap();
    let second: Embedded = town.bench.second().await;
    let callers = Callers::default();
    let now = async |crm: &Embedded| {
        let (schema, kept, user) = (crm.schema().await.unwrap(), callers.clone(), town.me.id);
        let me = in_tx!(town.bench, |tx| kept.current(tx, &schema, user, None)).unwrap();
        callers.keep(&me);
        me
    };
    assert_eq!(now(&town.bench.crm).await.may(Read, &contact), Level::None);
    let role = town.role(&[(Read, "contact", Level::Deep)]).await;
    town.give(role, &town.me).await;
    let before = now(&town.bench.crm).await;
    assert_eq!(before.may(Read, &contact), Level::Deep);
    // What decides over nothing changes nothing.
    town.bench.create(&[town.bench.contact("Somebody")]).await;
    assert!(std::sync::Arc::ptr_eq(&before, &now(&town.bench.crm).await));
    // Another process takes it away.
    let rows = second.query(&Query::of("systemuserroles").filter(Filter::eq("roleid", role))).await.unwrap();
    let gone = rows.into_iter().map(|row| postroom_core::Change::Delete(row.at)).collect();
    crate::bench::apply(&second, gone).await.unwrap();
    assert_eq!(now(&town.bench.crm).await.may(Read, &contact), Level::None);
    // A role that is deleted gives nothing, though the rows that gave it stay.
    town.give(role, &town.me).await;
    assert_eq!(now(&town.bench.crm).await.may(Read, &contact), Level::Deep);
    town.bench.must(postroom_core::Change::Delete(RecordRef::new("role", role))).await;
    assert_eq!(now(&town.bench.crm).await.may(Read, &contact), Level::None);
}

async fn disabled_users_and_strangers(on: On) {
    let town = Town::new(on).await;
    town.bench.update(&town.me, "isdisabled", true).await;
    let check = async |user, behalf, code| {
        let error = load(&town.bench, user, behalf).await.unwrap_err();
        assert_eq!(error.crm_code(), Some(code), "{error}");
    };
    check(town.me.id, None, 0x8004_0225).await;
    check(seed::ADMINISTRATOR, Some(town.me.id), 0x8004_0225).await;
    check(town.bench.ids.next(), None, 0x8007_2560).await;
}

async fn new_rows_and_links(on: On) {
    let town = Town::new(on).await;
    let role = town.role(&[(Create, "contact", Level::Local), (Append, "contact", Level::Basic)]).await;
    town.give(role, &town.me).await;
    let me = load(&town.bench, town.me.id, None).await.unwrap();
    let table = town.bench.crm.table("contact").await.unwrap();
    let row = |owner: &RecordRef, unit| {
        access::RowFacts::new(town.bench.ids.next(), table.clone(), Some(owner.clone()), Some(unit))
    };
    assert!(me.check_create(&table, &row(&town.me, town.unit)).is_ok());
    // Somebody else's takes the privilege to assign.
    let error = me.check_create(&table, &row(&town.colleague, town.unit)).unwrap_err();
    assert!(error.to_string().contains("prvAssignContact"), "{error}");
    let error = me.check_create(&table, &row(&town.other, town.elsewhere)).unwrap_err();
    assert!(matches!(error, AccessError::Row { .. }), "{error}");
    let own = town.facts(&me, &town.contact("own")).await;
    let error = me.check_link(&own, &own).unwrap_err();
    assert!(error.to_string().contains("prvAppendToContact"), "{error}");
    assert_eq!(error.crm_code(), Some(0x8004_0220));
    let column = |name: &str| lookup_is_checked(&table, table.column(name).unwrap());
    assert!(column("parentcustomerid") && !column("ownerid") && !column("createdby"));
    // Who is to own a row must be able to read it.
    let (schema, colleague) = (town.bench.crm.schema().await.unwrap(), town.colleague.clone());
    let known = table.clone();
    let refused = in_tx!(town.bench, |tx| access::check_new_owner(tx, &schema, &known, &colleague));
    assert!(refused.unwrap_err().to_string().contains("prvReadContact"));
}

async fn secured_columns(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let contact = bench.crm.table("contact").await.unwrap();
    let (seen, unseen) = (bench.row("fieldsecurityprofile"), bench.row("fieldsecurityprofile"));
    let permission = |profile: &Record, read: i64| {
        bench
            .row("fieldpermission")
            .with("fieldsecurityprofileid", profile.at.clone())
            .with("entityname", "contact")
            .with("attributelogicalname", "creditlimit")
            .with("canread", read)
    };
    let rows = [seen.clone().with("name", "Seen"), unseen.clone().with("name", "Unseen")];
    bench.create(&rows).await;
    bench.create(&[permission(&seen, 4), permission(&unseen, 0)]).await;
    let me = load(bench, town.me.id, None).await.unwrap();
    let secured = me.secured(&contact);
    assert!(secured.hidden.contains("creditlimit") && secured.not_updated.contains("creditlimit"));
    let error = me.check_columns(&contact, ["firstname", "creditlimit"], false).unwrap_err();
    assert_eq!(error.crm_code(), Some(0x8004_f507));
    assert!(me.check_columns(&contact, ["firstname"], true).is_ok());
    let member =
        bench.row("teamprofiles").with("teamid", town.team.id).with("fieldsecurityprofileid", seen.at.id);
    bench.create(&[member]).await;
    let me = load(bench, town.me.id, None).await.unwrap();
    assert!(me.secured(&contact).hidden.is_empty());
    assert!(me.check_columns(&contact, ["creditlimit"], true).is_err());
    let admin = load(bench, seed::ADMINISTRATOR, None).await.unwrap();
    assert_eq!(admin.secured(&contact), access::Secured::default());
    let user = bench.crm.table("systemuser").await.unwrap();
    let error = me.check_columns(&user, ["businessunitid"], false).unwrap_err();
    assert!(error.to_string().contains("prvReparentUser"), "{error}");
}

async fn custom_tables_belong_to_administrators_at_once(on: On) {
    let town = Town::new(on).await;
    let table = Table::custom("esc_send", vec![Column::text("esc_name", 100)]);
    town.bench.crm.create_table(table).await.unwrap();
    let table = town.bench.crm.table("esc_send").await.unwrap();
    let role = roles::SYSTEM_CUSTOMIZER;
    town.give(role, &town.me).await;
    let me = load(&town.bench, town.me.id, None).await.unwrap();
    let admin = load(&town.bench, seed::ADMINISTRATOR, None).await.unwrap();
    let other = load(&town.bench, town.other.id, None).await.unwrap();
    for kind in privilege::KINDS {
        let levels = [&me, &admin, &other].map(|caller| caller.may(kind, &table));
        assert_eq!(levels, [Level::Global, Level::Global, Level::None], "{kind:?}");
    }
    assert!(me.check_misc("prvCreateEntity").is_ok() && me.check_misc("prvSendAsUser").is_err());
    let named = town.bench.all("privilege", Filter::eq("name", "prvReadesc_send")).await;
    assert_eq!(named[0].at.id, privilege::id_of("prvReadesc_send"));
}

async fn standard_roles_are_there_once(on: On) {
    let bench = Bench::new(on).await;
    let count = async |table: &str| bench.all(table, Filter::All(vec![])).await.len();
    let before = (count("role").await, count("privilege").await, count("roleprivileges").await);
    assert_eq!(before.0, 5);
    // What an administrator took out stays out.
    let taken = bench.all("roleprivileges", Filter::eq("roleid", roles::SALESPERSON)).await.remove(0);
    bench.must(postroom_core::Change::Delete(taken.at)).await;
    bench.second().await;
    let after = (count("role").await, count("privilege").await, count("roleprivileges").await + 1);
    assert_eq!(after, before);
    let schema = bench.crm.schema().await.unwrap();
    let administrator = roles::SYSTEM_ADMINISTRATOR;
    let given =
        in_tx!(bench, |tx| async { Ok(access::role_privileges(tx, &schema, administrator).await?) }).unwrap();
    assert_eq!(given.len(), before.1);
    let admin = load(&bench, seed::ADMINISTRATOR, None).await.unwrap();
    assert!(admin.administrates() && access::user_privileges(&admin).len() == before.1);
}

/// Rights are not had by writing the rows that say so.
async fn the_model_itself_is_guarded(on: On) {
    let town = Town::new(on).await;
    let everything: Vec<_> = ["systemuser", "team", "role", "contact"]
        .into_iter()
        .flat_map(|table| [Create, Read, Write, Delete].map(|kind| (kind, table, Level::Global)))
        .collect();
    let role = town.role(&everything).await;
    town.give(role, &town.me).await;
    let me: Caller = load(&town.bench, town.me.id, None).await.unwrap();
    let own = town.bench.all("systemuserroles", Filter::eq("systemuserid", town.me.id)).await.remove(0);
    for (name, kind) in [
        ("systemuserroles", Create),
        ("systemuserroles", Delete),
        ("teammembership", Create),
        ("roleprivileges", Write),
        ("principalobjectaccess", Create),
        ("principalobjectaccess", Read),
        ("privilege", Write),
    ] {
        let table = town.bench.crm.table(name).await.unwrap();
        assert_eq!(me.may(kind, &table), Level::None, "{name} {kind:?}");
        assert!(me.check_table(kind, &table).is_err(), "{name} {kind:?}");
    }
    let pairs = town.bench.crm.table("systemuserroles").await.unwrap();
    let row = town.facts(&me, &own.at).await;
    assert!(me.check(Read, &pairs, &row).is_ok());
    let error = me.check(Delete, &pairs, &row).unwrap_err();
    assert_eq!(error.crm_code(), Some(0x8004_0256));
    // Nor by making a role look like another.
    let fake = town.bench.row("role").with("name", "System Administrator");
    town.bench.create(std::slice::from_ref(&fake)).await;
    town.give(fake.at.id, &town.me).await;
    assert!(!load(&town.bench, town.me.id, None).await.unwrap().administrates());
    // The fixed roles stay, whoever asks.
    let admin = load(&town.bench, seed::ADMINISTRATOR, None).await.unwrap();
    let fixed = RecordRef::new("role", roles::SYSTEM_ADMINISTRATOR);
    let row = town.facts(&admin, &fixed).await;
    assert!(matches!(admin.check(Delete, &row.table, &row), Err(AccessError::FixedRole(_))));
    let rights = AccessRights::of(Write).and(AccessRights::of(Read));
    assert_eq!(Value::Int(rights.0), Value::Int(3));
}
