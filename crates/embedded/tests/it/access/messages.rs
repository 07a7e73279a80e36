//! The messages: sharing rows, changing roles, handing them out.

use postroom_core::metadata::PrivilegeKind::*;
use postroom_core::{Change, RecordRef};
use postroom_embedded::access::{
    self, AccessError, AccessRights, Grant, Level, privilege, roles, user_privileges,
};
use postroom_embedded::seed;

use super::town::{Town, in_tx, load};
use crate::bench::{On, on_both};

on_both!(sharing, shares_go_down, roles_change, roles_are_handed_out, what_a_user_has);

const BOTH: AccessRights = AccessRights(3);

async fn sharing(on: On) {
    let town = Town::new(on).await;
    let role = town
        .role(&[
            (Read, "contact", Level::Basic),
            (Write, "contact", Level::Basic),
            (Share, "contact", Level::Basic),
        ])
        .await;
    town.give(role, &town.me).await;
    town.give(role, &town.colleague).await;
    let schema = town.bench.crm.schema().await.unwrap();
    let has = async || {
        let (schema, who, what) = (schema.clone(), town.colleague.clone(), town.contact("own"));
        in_tx!(town.bench, |tx| access::principal_access(tx, &schema, &who, &what)).unwrap().to_string()
    };
    assert_eq!(has().await, "None");
    let me = load(&town.bench, town.me.id, None).await.unwrap();
    let grant = async |target: &str, rights: AccessRights| {
        let (me, what, who) = (me.clone(), town.contact(target), town.colleague.clone());
        in_tx!(town.bench, |tx| access::grant(tx, &me, &what, &who, rights))
    };
    town.bench.apply(grant("own", AccessRights::of(Read)).await.unwrap()).await.unwrap();
    assert_eq!(has().await, "ReadAccess");
    town.bench.apply(grant("own", AccessRights::of(Write)).await.unwrap()).await.unwrap();
    assert_eq!(has().await, "ReadAccess, WriteAccess");
    // Neither what is not mine, nor what I have not myself.
    assert!(matches!(grant("other", BOTH).await, Err(AccessError::Row { .. })));
    assert!(matches!(grant("shared", BOTH).await, Err(AccessError::Row { .. })));
    let error = grant("own", AccessRights::of(Delete)).await.unwrap_err();
    assert!(error.to_string().contains("prvDeleteContact"), "{error}");
    let modify = async |rights| {
        let (me, what, who) = (me.clone(), town.contact("own"), town.colleague.clone());
        in_tx!(town.bench, |tx| access::modify(tx, &me, &what, &who, rights)).unwrap()
    };
    town.bench.apply(modify(AccessRights::of(Read)).await).await.unwrap();
    assert_eq!(has().await, "ReadAccess");
    let (mine, what, who) = (me.clone(), town.contact("own"), town.colleague.clone());
    let changes = in_tx!(town.bench, |tx| access::revoke(tx, &mine, &what, &who)).unwrap();
    town.bench.apply(changes).await.unwrap();
    assert_eq!((has().await, town.there("principalobjectaccess").await), ("None".into(), 1));
    let organization = RecordRef::new("organization", seed::ORGANIZATION);
    let (me, who) = (me.clone(), town.colleague.clone());
    let refused = in_tx!(town.bench, |tx| access::grant(tx, &me, &organization, &who, BOTH));
    assert!(matches!(refused, Err(AccessError::NotShared(_))));
}

/// Sharing an account shares its contacts and their mails; so does taking it back.
async fn shares_go_down(on: On) {
    let town = Town::new(on).await;
    let mine = |table: &str| town.bench.row(table).with("ownerid", town.me.clone());
    let firm = mine("account").with("name", "F");
    let person = mine("contact").with("lastname", "P").with("parentcustomerid", firm.at.clone());
    let mail = mine("email").with("subject", "M").with("regardingobjectid", person.at.clone());
    town.bench.create(&[firm.clone(), person.clone(), mail.clone()]).await;
    let given =
        ["account", "contact"].map(|table| [(Read, table, Level::Basic), (Share, table, Level::Basic)]);
    let role = town.role(&given.concat()).await;
    town.give(role, &town.me).await;
    let grant = async || {
        let (me, what) = (load(&town.bench, town.me.id, None).await.unwrap(), firm.at.clone());
        let who = town.colleague.clone();
        in_tx!(town.bench, |tx| access::grant(tx, &me, &what, &who, AccessRights::of(Read)))
    };
    // A row below that the caller may not share keeps all of them back.
    let error = grant().await.unwrap_err().to_string();
    assert!(error.contains("prvShareActivity"), "{error}");
    let more = town.role(&[(Read, "email", Level::Basic), (Share, "email", Level::Basic)]).await;
    town.give(more, &town.me).await;
    town.bench.apply(grant().await.unwrap()).await.unwrap();
    let before = 1;
    assert_eq!(town.there("principalobjectaccess").await, before + 3);
    let reader = town.role(&[(Read, "email", Level::Basic)]).await;
    town.give(reader, &town.colleague).await;
    let colleague = load(&town.bench, town.colleague.id, None).await.unwrap();
    let table = town.bench.crm.table("email").await.unwrap();
    assert!(colleague.check(Read, &table, &town.facts(&colleague, &mail.at).await).is_ok());
    let (me, what, who) =
        (load(&town.bench, town.me.id, None).await.unwrap(), firm.at, town.colleague.clone());
    let taken = in_tx!(town.bench, |tx| access::revoke(tx, &me, &what, &who)).unwrap();
    town.bench.apply(taken).await.unwrap();
    assert_eq!(town.there("principalobjectaccess").await, before);
}

async fn roles_change(on: On) {
    let town = Town::new(on).await;
    let contact = town.bench.crm.table("contact").await.unwrap();
    let of = |kind| privilege::of(kind, &contact).unwrap().id;
    let role = town.role(&[]).await;
    town.give(role, &town.me).await;
    let add = async |user, role, grants: Vec<Grant>| {
        let caller = load(&town.bench, user, None).await.unwrap();
        in_tx!(town.bench, |tx| access::add_privileges(tx, &caller, role, &grants))
    };
    let admin = seed::ADMINISTRATOR;
    let read = |depth| vec![Grant { privilege: of(Read), depth }];
    town.bench.apply(add(admin, role, read(Level::Local)).await.unwrap()).await.unwrap();
    town.bench.apply(add(admin, role, read(Level::Deep)).await.unwrap()).await.unwrap();
    let may = async |kind| load(&town.bench, town.me.id, None).await.unwrap().may(kind, &contact);
    assert_eq!(may(Read).await, Level::Deep);
    let caller = load(&town.bench, admin, None).await.unwrap();
    let grants = [Grant { privilege: of(Write), depth: Level::Basic }];
    let changes = in_tx!(town.bench, |tx| access::replace_privileges(tx, &caller, role, &grants)).unwrap();
    town.bench.apply(changes).await.unwrap();
    assert_eq!((may(Read).await, may(Write).await), (Level::None, Level::Basic));
    let (caller, write) = (load(&town.bench, admin, None).await.unwrap(), of(Write));
    let changes = in_tx!(town.bench, |tx| access::remove_privilege(tx, &caller, role, write)).unwrap();
    town.bench.apply(changes).await.unwrap();
    assert_eq!(may(Write).await, Level::None);
    // Refusals: no right to the role, a fixed role, what is not there, a depth that is none.
    assert!(matches!(add(town.me.id, role, read(Level::Basic)).await, Err(AccessError::Missing { .. })));
    let fixed = add(admin, roles::SYSTEM_CUSTOMIZER, read(Level::Basic)).await;
    assert!(matches!(fixed, Err(AccessError::FixedRole(_))));
    let unknown = vec![Grant { privilege: town.bench.ids.next(), depth: Level::Basic }];
    assert!(matches!(add(admin, role, unknown).await, Err(AccessError::NoPrivilege(_))));
    let misc = privilege::miscellaneous("prvSendAsUser").unwrap().id;
    let shallow = vec![Grant { privilege: misc, depth: Level::Basic }];
    assert!(matches!(add(admin, role, shallow).await, Err(AccessError::Depth { .. })));
}

/// Who hands roles out hands out no more than he has.
async fn roles_are_handed_out(on: On) {
    let town = Town::new(on).await;
    let mine = town.role(&[(Read, "role", Level::Global), (Write, "role", Level::Global)]).await;
    town.grant_misc(mine, "prvAssignRole").await;
    town.give(mine, &town.me).await;
    let assign = async |role, to: &RecordRef| {
        let (me, to) = (load(&town.bench, town.me.id, None).await.unwrap(), to.clone());
        in_tx!(town.bench, |tx| access::assign_role(tx, &me, role, &to))
    };
    for role in [roles::SYSTEM_ADMINISTRATOR, roles::SALESPERSON] {
        let error = assign(role, &town.me).await.unwrap_err();
        assert_eq!(error.crm_code(), Some(0x8004_0220), "{error}");
    }
    for to in [&town.colleague, &town.team] {
        town.bench.apply(assign(mine, to).await.unwrap()).await.unwrap();
        assert_eq!(assign(mine, to).await.unwrap(), []);
    }
    let colleague = load(&town.bench, town.colleague.id, None).await.unwrap();
    assert!(colleague.check_misc("prvAssignRole").is_ok());
    let (me, to) = (load(&town.bench, town.me.id, None).await.unwrap(), town.colleague.clone());
    let changes = in_tx!(town.bench, |tx| access::unassign_role(tx, &me, mine, &to)).unwrap();
    assert!(matches!(changes[..], [Change::Delete(_)]));
    town.bench.apply(changes).await.unwrap();
    let colleague = load(&town.bench, town.colleague.id, None).await.unwrap();
    assert!(colleague.check_misc("prvAssignRole").is_err());
    let stranger = RecordRef::new("systemuser", town.bench.ids.next());
    assert!(matches!(assign(mine, &stranger).await, Err(AccessError::NoRow(_))));
    // Nor puts into a role what he has not.
    let delete = privilege::of(Delete, &town.bench.crm.table("contact").await.unwrap()).unwrap();
    let me = load(&town.bench, town.me.id, None).await.unwrap();
    let grants = [Grant { privilege: delete.id, depth: Level::Basic }];
    let refused = in_tx!(town.bench, |tx| access::add_privileges(tx, &me, mine, &grants));
    assert!(refused.unwrap_err().to_string().contains("prvDeleteContact"));
}

async fn what_a_user_has(on: On) {
    let town = Town::new(on).await;
    let role = town.role(&[(Read, "contact", Level::Local)]).await;
    let of_team = town.role(&[(Read, "account", Level::Deep)]).await;
    town.give(role, &town.me).await;
    town.give(of_team, &town.team).await;
    let me = load(&town.bench, town.me.id, None).await.unwrap();
    let held: Vec<_> = user_privileges(&me).into_iter().map(|one| (one.privilege.name, one.depth)).collect();
    assert_eq!(held, [("prvReadAccount".into(), Level::Basic), ("prvReadContact".into(), Level::Local)]);
    let account = town.bench.crm.table("account").await.unwrap();
    assert_eq!(me.may(Read, &account), Level::Deep);
    assert_eq!(me.filter(Delete, &account), Some(postroom_core::Filter::Any(vec![])));
}
