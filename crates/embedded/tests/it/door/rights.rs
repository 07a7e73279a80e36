//! What a caller without rights sees and does through the door.

use postroom_core::{Record, RecordRef};
use postroom_embedded::access::roles;
use serde_json::json;

use super::DoorBench;
use crate::bench::{On, on_both};

on_both!(
    own_rows_only,
    nothing_without_a_role,
    writes_are_checked,
    expansions_are_limited,
    with_whom_a_row_is_shared,
    what_a_team_may
);

/// A salesperson's session on the same door, beside the administrator's; his own contact and the administrator's.
struct World {
    boss: DoorBench,
    sales: DoorBench,
    own: Record,
    foreign: Record,
}

async fn world(on: On, role: Option<uuid::Uuid>) -> World {
    let boss = DoorBench::new(on).await;
    let user = boss.bench.row("systemuser").with("domainname", "sales").with("lastname", "Sales");
    let user =
        user.with("businessunitid", RecordRef::new("businessunit", postroom_embedded::seed::BUSINESS_UNIT));
    boss.bench.create(std::slice::from_ref(&user)).await;
    if let Some(role) = role {
        let pair = boss.bench.row("systemuserroles").with("systemuserid", user.at.id).with("roleid", role);
        boss.bench.create(std::slice::from_ref(&pair)).await;
    }
    let own = boss.bench.contact("Own").with("ownerid", user.at.clone());
    let foreign = boss.bench.contact("Foreign");
    boss.bench.create(&[own.clone(), foreign.clone()]).await;
    let sales = boss.another(user.at.id).await;
    World { boss, sales, own, foreign }
}

async fn own_rows_only(on: On) {
    let world = world(on, Some(roles::BASIC_USER)).await;
    let seen = world.sales.get("contacts?$select=firstname").await;
    let rows = seen.json["value"].as_array().unwrap_or_else(|| panic!("{}", seen.text)).clone();
    assert_eq!(rows.iter().map(|row| row["firstname"].clone()).collect::<Vec<_>>(), [json!("Own")]);
    assert_eq!(world.sales.get("contacts/$count").await.text, "1");
    let one = |row: &Record| format!("contacts({})?$select=firstname", row.at.id);
    assert_eq!(world.sales.get(&one(&world.own)).await.status, 200);
    world.sales.get(&one(&world.foreign)).await.refused(404, "0x80040217", "Does Not Exist");
    assert_eq!(world.boss.get(&one(&world.foreign)).await.status, 200);
    let xml = "%3Cfetch%3E%3Centity%20name%3D%22contact%22%3E%3Cattribute%20name%3D%22firstname%22%2F%3E%3C%2Fentity%3E%3C%2Ffetch%3E";
    let fetched = world.sales.get(&format!("contacts?fetchXml={xml}")).await;
    assert_eq!(fetched.json["value"].as_array().unwrap().len(), 1);
    // Change tracking takes the whole table.
    let track = [("prefer", "odata.track-changes")];
    let refused = world.sales.ask("GET", "contacts", &track, "").await;
    assert_eq!(refused.status, 400, "{}", refused.text);
}

async fn nothing_without_a_role(on: On) {
    let world = world(on, None).await;
    world.sales.get("contacts").await.refused(403, "0x80040220", "prvReadContact");
    world.sales.send("POST", "contacts", json!({"lastname": "x"})).await.refused(
        403,
        "0x80040220",
        "prvCreateContact",
    );
    world.sales.get("accounts?$expand=primarycontactid").await.refused(403, "0x80040220", "prvReadAccount");
}

async fn writes_are_checked(on: On) {
    let world = world(on, Some(roles::BASIC_USER)).await;
    let change = |row: &Record| format!("contacts({})", row.at.id);
    let body = || json!({"jobtitle": "x"});
    assert_eq!(world.sales.send("PATCH", &change(&world.own), body()).await.status, 204);
    let refused = world.sales.send("PATCH", &change(&world.foreign), body()).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let refused = world.sales.send("DELETE", &change(&world.foreign), json!(null)).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let kept = world.boss.bench.found(&world.foreign.at).await;
    assert_eq!(kept.text("jobtitle"), None);
}

async fn expansions_are_limited(on: On) {
    let world = world(on, Some(roles::BASIC_USER)).await;
    let account =
        world.boss.bench.row("account").with("name", "A").with("primarycontactid", world.foreign.at.clone());
    let account = account.with("ownerid", RecordRef::new("systemuser", world.sales.session.user()));
    world.boss.bench.create(std::slice::from_ref(&account)).await;
    let seen = world.sales.get("accounts?$select=name&$expand=primarycontactid($select=firstname)").await;
    assert_eq!(seen.json["value"][0]["primarycontactid"], json!(null), "{}", seen.text);
    let boss = world.boss.get("accounts?$select=name&$expand=primarycontactid($select=firstname)").await;
    assert_eq!(boss.json["value"][0]["primarycontactid"]["firstname"], "Foreign");
    let filtered = world.sales.get("accounts?$filter=primarycontactid/firstname eq 'Foreign'").await;
    assert_eq!(filtered.json["value"], json!([]));
}

async fn with_whom_a_row_is_shared(on: On) {
    let world = world(on, Some(roles::BASIC_USER)).await;
    let (row, user) = (world.foreign.at.id, world.sales.session.user());
    let url = format!("RetrieveSharedPrincipalsAndAccess(Target=@t)?@t={{'@odata.id':'contacts({row})'}}");
    let none = world.boss.get(&url).await;
    assert_eq!(none.json["PrincipalAccesses"], json!([]), "{}", none.text);
    world.sales.get(&url).await.refused(404, "0x80040217", "Does Not Exist");
    let given = json!({
        "Target": {"contactid": row, "@odata.type": "Microsoft.Dynamics.CRM.contact"},
        "PrincipalAccess": {
            "AccessMask": "ReadAccess, WriteAccess",
            "Principal": {"systemuserid": user, "@odata.type": "Microsoft.Dynamics.CRM.systemuser"},
        },
    });
    let shared = world.boss.send("POST", "GrantAccess", given).await;
    assert_eq!(shared.status, 204, "{}", shared.text);
    for door in [&world.boss, &world.sales] {
        let told = door.get(&url).await;
        let first = &told.json["PrincipalAccesses"][0];
        assert_eq!(first["AccessMask"], "ReadAccess, WriteAccess", "{}", told.text);
        assert_eq!(first["Principal"]["systemuserid"], user.to_string(), "{}", told.text);
    }
}

async fn what_a_team_may(on: On) {
    let boss = DoorBench::new(on).await;
    let team = boss.bench.row("team").with("name", "Team");
    let team =
        team.with("businessunitid", RecordRef::new("businessunit", postroom_embedded::seed::BUSINESS_UNIT));
    boss.bench.create(std::slice::from_ref(&team)).await;
    let url = format!("teams({})/Microsoft.Dynamics.CRM.RetrieveTeamPrivileges()", team.at.id);
    let none = boss.get(&url).await;
    assert_eq!(none.json["RolePrivileges"], json!([]), "{}", none.text);
    let pair = boss.bench.row("teamroles").with("teamid", team.at.id).with("roleid", roles::BASIC_USER);
    boss.bench.create(std::slice::from_ref(&pair)).await;
    let told = boss.get(&url).await;
    let all = told.json["RolePrivileges"].as_array().unwrap_or_else(|| panic!("{}", told.text));
    assert!(all.iter().any(|one| one["PrivilegeName"] == "prvReadContact"), "{}", told.text);
}
