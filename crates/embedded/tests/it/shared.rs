//! Rows shared in the set that makes them, over both doors.

use postroom_core::{Filter, RecordRef, Value};
use postroom_embedded::access::roles;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::bench::{Bench, On, on_both};
use crate::door::DoorBench;
use crate::door::batch::{part, post, set, statuses};
use crate::soapdoor::several::requests;
use crate::soapdoor::{SoapBench, entity, pair, reference, text};

on_both!(in_a_batch, of_one_who_may_not, in_a_transaction);

/// A user with a role, so that there is somebody to share with.
async fn colleague(bench: &Bench, name: &str) -> Uuid {
    let unit = RecordRef::new("businessunit", postroom_embedded::seed::BUSINESS_UNIT);
    let user = bench.row("systemuser").with("domainname", name).with("lastname", name);
    let user = user.with("businessunitid", unit);
    let role = bench.row("systemuserroles").with("systemuserid", user.at.id);
    bench.create(&[user.clone(), role.with("roleid", roles::BASIC_USER)]).await;
    user.at.id
}

/// What this user has of the row.
async fn mask(bench: &Bench, row: Uuid, user: Uuid) -> Option<i64> {
    let rows = bench.all("principalobjectaccess", Filter::eq("objectid", Value::Guid(row))).await;
    let of = rows.iter().find(|share| share.get("principalid") == Some(&Value::Guid(user)))?;
    of.int("accessrightsmask")
}

fn access(to: Uuid, mask: &str) -> Json {
    let user = json!({"@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": to});
    json!({"Principal": user, "AccessMask": mask})
}

fn contact(at: &str) -> Json {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "@odata.id": at})
}

async fn in_a_batch(on: On) {
    let door = DoorBench::new(on).await;
    let (one, two) = (colleague(&door.bench, "one").await, colleague(&door.bench, "two").await);
    let id = Uuid::from_u128(0xaa);
    let text = set(&[
        ("1", "POST contacts", json!({"contactid": id, "lastname": "A"})),
        (
            "2",
            "POST GrantAccess",
            json!({"Target": contact("$1"), "PrincipalAccess": access(one, "ReadAccess")}),
        ),
        ("3", "PATCH $1", json!({"jobtitle": "Buyer"})),
        (
            "4",
            "POST GrantAccess",
            json!({"Target": contact(&format!("contacts({id})")), "PrincipalAccess": access(one, "WriteAccess")}),
        ),
        (
            "5",
            "POST GrantAccess",
            json!({"Target": contact("$1"), "PrincipalAccess": access(two, "ReadAccess")}),
        ),
        ("6", "POST RevokeAccess", json!({"Target": contact("$1"), "Revokee": access(two, "")["Principal"]})),
    ]) + "--b--\r\n";
    let (answer, parts) = post(&door, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (200, vec![vec![204; 6]]), "{}", answer.text);
    assert_eq!((mask(&door.bench, id, one).await, mask(&door.bench, id, two).await), (Some(3), None));
    let seen = door.another(one).await.get(&format!("contacts({id})?$select=jobtitle")).await;
    assert_eq!(seen.json["jobtitle"], "Buyer", "{}", seen.text);
    // What comes later and fails takes the shares back, too.
    let text = set(&[
        (
            "1",
            "POST RevokeAccess",
            json!({"Target": contact(&format!("contacts({id})")), "Revokee": access(one, "")["Principal"]}),
        ),
        ("2", "POST contacts", json!({"lastname": "x".repeat(60)})),
    ]) + &part("GET contacts/$count", "")
        + "--b--\r\n";
    let (answer, parts) = post(&door, "odata.continue-on-error", &text).await;
    assert_eq!(statuses(&parts), [vec![400], vec![200]], "{}", answer.text);
    assert_eq!(mask(&door.bench, id, one).await, Some(3));
    // Alone, as before.
    let alone =
        json!({"Target": contact(&format!("contacts({id})")), "PrincipalAccess": access(two, "ReadAccess")});
    assert_eq!(door.send("POST", "ModifyAccess", alone).await.status, 204);
    assert_eq!(mask(&door.bench, id, two).await, Some(1));
}

/// Nobody gives away what he does not have, in a set no more than alone; his own new row he may share.
async fn of_one_who_may_not(on: On) {
    let door = DoorBench::new(on).await;
    let (one, two) = (colleague(&door.bench, "one").await, colleague(&door.bench, "two").await);
    let foreign = door.send("POST", "contacts", json!({"lastname": "Foreign"})).await.made();
    let his = door.another(one).await;
    let id = Uuid::from_u128(0xab);
    let shared = |at: &str, mask: &str| json!({"Target": contact(at), "PrincipalAccess": access(two, mask)});
    let make = ("1", "POST contacts", json!({"contactid": id, "lastname": "Own"}));
    let foreign_url = format!("contacts({foreign})");
    let text =
        set(&[make.clone(), ("2", "POST GrantAccess", shared(&foreign_url, "ReadAccess"))]) + "--b--\r\n";
    let (answer, parts) = post(&his, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (400, vec![vec![403]]), "{}", answer.text);
    assert_eq!(his.get("contacts/$count").await.text, "0", "nothing of the set is there");
    let text = set(&[make, ("2", "POST GrantAccess", shared("$1", "ReadAccess"))]) + "--b--\r\n";
    let (answer, parts) = post(&his, "", &text).await;
    assert_eq!((answer.status, statuses(&parts)), (200, vec![vec![204, 204]]), "{}", answer.text);
    assert_eq!(mask(&door.bench, id, two).await, Some(1));
}

async fn in_a_transaction(on: On) {
    let bench = SoapBench::new(on).await;
    let one = colleague(&bench.bench, "one").await;
    let id = Uuid::from_u128(0xac);
    let create = ("Create", pair("Target", "b:Entity", &entity("contact", id, &text("lastname", "A"))));
    let target = pair("Target", "b:EntityReference", &reference("contact", id));
    let given = |user: Uuid| {
        format!(
            "<crm:AccessMask>ReadAccess WriteAccess</crm:AccessMask><crm:Principal>{}</crm:Principal>",
            reference("systemuser", user)
        )
    };
    let grant = |user: Uuid| {
        (
            "GrantAccess",
            [target.clone(), pair("PrincipalAccess", "crm:PrincipalAccess", &given(user))].concat(),
        )
    };
    let fault = bench
        .fault("ExecuteTransaction", &requests(&[create.clone(), grant(one), grant(Uuid::from_u128(99))]))
        .await;
    assert_eq!(fault.faulted_request, Some(2), "{fault:?}");
    assert_eq!(bench.bench.all("contact", Filter::All(vec![])).await.len(), 0);
    bench.execute("ExecuteTransaction", &requests(&[create, grant(one)])).await;
    assert_eq!(mask(&bench.bench, id, one).await, Some(3));
}
