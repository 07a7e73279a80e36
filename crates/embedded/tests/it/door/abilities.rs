//! The door as an older server, and as one from which something was taken: what it then refuses, and what it passes over.

use postroom_embedded::webapi::{Ability, ApiVersion, Settings};
use serde_json::json;

use super::keys::things;
use super::{Answer, DoorBench};
use crate::bench::{On, on_both};

on_both!(
    messages_that_came_later_are_not_found,
    what_is_taken_is_refused,
    what_is_taken_is_passed_over,
    definitions_show_what_there_is,
    what_is_left_works,
);

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

/// A door without this.
fn without(ability: Ability) -> Settings {
    Settings { without: vec![ability], ..Settings::default() }
}

/// The newest version that does not have what came with `version`.
fn before(version: ApiVersion) -> ApiVersion {
    *ApiVersion::ALL.iter().rfind(|older| **older < version).unwrap()
}

fn unknown(answer: &Answer) -> bool {
    let text = answer.json["error"]["message"].as_str().unwrap_or_default();
    answer.status == 404 && text.starts_with("Resource not found for the segment")
}

/// Each on a server that has it, and on the last that had it not.
async fn messages_that_came_later_are_not_found(on: On) {
    let mut door = DoorBench::new(on).await;
    let bound = |set: &str, name: &str| format!("{set}({NOBODY})/Microsoft.Dynamics.CRM.{name}");
    let multiple = |name: &str| format!("contacts/Microsoft.Dynamics.CRM.{name}");
    let (v82, v90, v92) = (ApiVersion::V82, ApiVersion::V90, ApiVersion::V92);
    for (method, url, first) in [
        ("POST", bound("leads", "QualifyLead"), v82),
        ("POST", "SendBulkMail".into(), v82),
        ("POST", "GrantAccess".into(), v90),
        ("POST", "ModifyAccess".into(), v90),
        ("POST", bound("lists", "RemoveMemberList"), v90),
        ("POST", "ReactivateEntityKey".into(), v90),
        ("GET", "RetrieveTotalRecordCount(EntityNames=['contact'])".into(), v90),
        ("POST", multiple("CreateMultiple"), v92),
        ("POST", multiple("UpdateMultiple"), v92),
        ("POST", multiple("UpsertMultiple"), v92),
        ("POST", "InitializeAttachmentBlocksUpload".into(), v92),
        ("POST", "UploadBlock".into(), v92),
        ("POST", "ExportSolutionAsync".into(), v92),
        ("POST", "ImportSolutionAsync".into(), v92),
        ("POST", "StageSolution".into(), v92),
        ("POST", "StageAndUpgrade".into(), v92),
    ] {
        for (version, known) in [(first, true), (before(first), false)] {
            door.be(Settings { version, ..Settings::default() });
            let url = format!("/api/data/v8.0/{url}");
            let answer = door.send(method, &url, json!({})).await;
            assert_eq!(!unknown(&answer), known, "{url} at {version:?}: {}", answer.text);
        }
    }
}

/// What is taken, the request (`THING` is a row, `NOBODY` none), a header, the body, and the refusal.
const REFUSED: &str = r#"
AlternateKeys   | GET new_things(new_code='A1')        |                       |                | 400 0x80060890 not a defined key
AlternateKeys   | PATCH new_things(new_code='A1')      |                       | {"new_name":1} | 400 0x80060890 not a defined key
AlternateKeys   | GET DEFINITION/Keys                  |                       |                | 404 0x80060888 'Keys'
AlternateKeys   | POST DEFINITION/Keys                 |                       | {}             | 404 0x80060888 'Keys'
AlternateKeys   | POST ReactivateEntityKey             |                       | {}             | 404 0x80060888 'ReactivateEntityKey'
Batch           | POST $batch                          |                       | {}             | 404 0x80060888 '$batch'
BlockUploads    | POST InitializeFileBlocksUpload      |                       | {}             | 404 0x80060888 'InitializeFileBlocksUpload'
ChangeTracking  | GET new_things                       | prefer=odata.track-changes |           | 400 0x80072491 isn't enabled for change tracking
ChangeTracking  | GET new_things?$deltatoken=1         |                       |                | 400 0x80072491 new_thing
ChangeTracking  | GET new_things/$count?$deltatoken=1  |                       |                | 400 0x80072491 new_thing
Concurrency     | PATCH new_things(THING)              | if-match=W/"1"        | {"new_name":"x"} | 400 0x8006088d not enabled
Concurrency     | DELETE new_things(THING)             | if-match=W/"1"        |                | 400 0x8006088d not enabled
DeepInsert      | POST accounts                        |                       | {"primarycontactid":{"lastname":"B"}} | 400 0x80048d19 'primarycontactid'
DeepInsert      | POST accounts                        |                       | {"Account_Tasks":[{"subject":"B"}]} | 400 0x80048d19 'Account_Tasks'
IncomingMail    | GET CheckIncomingEmail(MessageId='x') |                      |                | 404 0x80060888 'CheckIncomingEmail'
IncomingMail    | POST emails/BOUND.DeliverIncomingEmail |                     | {}             | 404 0x80060888 'BOUND.DeliverIncomingEmail'
MultipleRecords | POST new_things/BOUND.CreateMultiple |                       | TARGETS        | 404 0x80060888 'BOUND.CreateMultiple'
MultipleRecords | POST new_things/BOUND.UpdateMultiple |                       | TARGETS        | 404 0x80060888 'BOUND.UpdateMultiple'
MultipleRecords | POST new_things/BOUND.DeleteMultiple |                       | TARGETS        | 404 0x80060888 'BOUND.DeleteMultiple'
Upsert          | POST new_things/BOUND.UpsertMultiple |                       | TARGETS        | 404 0x80060888 'BOUND.UpsertMultiple'
Upsert          | PATCH new_things(NOBODY)             |                       | {"new_name":"x"} | 404 0x80040217 NOBODY
Upsert          | PATCH new_things(NOBODY)             | if-none-match=*       | {"new_name":"x"} | 404 0x80040217 NOBODY
Upsert          | PATCH new_things(new_code='B1')      |                       | {"new_name":"x"} | 404 0x80060891 new_thing
Upsert          | PATCH new_things(new_a='B',new_n=1)  | if-none-match=*       | {"new_name":"x"} | 404 0x80060891 new_thing
"#;

async fn what_is_taken_is_refused(on: On) {
    let mut door = things(on).await;
    let thing = door.send("POST", "new_things", json!({"new_code": "A1", "new_name": "one"})).await.made();
    let filled = REFUSED
        .replace("THING)", &format!("{thing})"))
        .replace("NOBODY", NOBODY)
        .replace("DEFINITION", "EntityDefinitions(LogicalName='new_thing')")
        .replace("BOUND", "Microsoft.Dynamics.CRM")
        .replace("TARGETS", r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.new_thing"}]}"#);
    for line in filled.lines().filter(|line| !line.is_empty()) {
        let [ability, request, header, body, refusal] = cells(line, '|');
        let ([method, url], [status, code, says]) = (cells(request, ' '), cells(refusal, ' '));
        let ability = Ability::ALL.iter().find(|known| format!("{known:?}") == ability).expect(line);
        door.be(without(*ability));
        let headers: Vec<_> = header.split_once('=').into_iter().collect();
        let answer = door.ask(method, url, &headers, body.to_owned()).await;
        assert_eq!(answer.status.to_string(), status, "{line}: {}", answer.text);
        answer.refused(answer.status, code, says);
    }
    door.be(Settings::default());
    assert_eq!(door.get("new_things/$count").await.text, "1", "nothing was written");
    assert_eq!(door.get("accounts/$count").await.text, "0");
}

/// The first cells of a line, the last with all that is left.
fn cells<const N: usize>(line: &str, at: char) -> [&str; N] {
    let mut cells = [""; N];
    line.splitn(N, at).enumerate().for_each(|(place, cell)| cells[place] = cell.trim());
    cells
}

async fn what_is_taken_is_passed_over(on: On) {
    let mut door = DoorBench::new(on).await;
    let made = door.send("POST", "contacts", json!({"lastname": "Adler"})).await.made();
    let row = format!("contacts({made})");
    let tag = door.get(&row).await.header("etag").to_owned();
    let unless = [("if-none-match", tag.as_str())];
    assert_eq!(door.ask("GET", &row, &unless, "").await.status, 304);
    door.be(without(Ability::ConditionalReads));
    assert_eq!(door.ask("GET", &row, &unless, "").await.status, 200);
    let prefer = [("prefer", "return=representation")];
    for (settings, status) in [
        (Settings { version: ApiVersion::V82, ..Settings::default() }, 200),
        (Settings { version: ApiVersion::V81, ..Settings::default() }, 204),
        (without(Ability::Representation), 204),
    ] {
        door.be(settings);
        let url = format!("/api/data/v8.0/{row}?$select=lastname");
        let answer = door.ask("PATCH", &url, &prefer, json!({"lastname": "Berg"}).to_string()).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.header("preference-applied"), if status == 200 { prefer[0].1 } else { "" });
    }
    let sql = "contacts?sql=SELECT lastname FROM contact WHERE lastname = 'nobody'";
    for (settings, rows) in [(Settings::default(), 0), (without(Ability::Sql), 1)] {
        door.be(settings);
        let answer = door.get(sql).await;
        assert_eq!(answer.json["value"].as_array().map(Vec::len), Some(rows), "{}", answer.text);
    }
}

async fn definitions_show_what_there_is(on: On) {
    let mut door = things(on).await;
    let table = "EntityDefinitions(LogicalName='new_thing')?$select=ChangeTrackingEnabled&$expand=Keys";
    for (settings, tracked, keys) in [
        (Settings::default(), true, 2),
        (without(Ability::ChangeTracking), false, 2),
        (without(Ability::AlternateKeys), true, 0),
    ] {
        door.be(settings);
        let told = door.get(table).await.json;
        assert_eq!(told["ChangeTrackingEnabled"], tracked);
        assert_eq!(told["Keys"].as_array().map(Vec::len), Some(keys));
    }
    for (settings, listed) in [
        (Settings::default(), true),
        (Settings { version: ApiVersion::V82, ..Settings::default() }, false),
        (without(Ability::AlternateKeys), false),
        (Settings { version: ApiVersion::V90, ..Settings::default() }, true),
    ] {
        door.be(settings);
        let document = door.get("/api/data/v8.0/$metadata").await.text;
        assert_eq!(document.contains("<Action Name=\"ReactivateEntityKey\""), listed);
        assert!(document.contains("<Action Name=\"PublishXml\""));
    }
}

/// Nothing else goes with what is taken.
async fn what_is_left_works(on: On) {
    let mut door = things(on).await;
    let thing = door.send("POST", "new_things", json!({"new_code": "A1"})).await.made();
    let row = format!("new_things({thing})");
    let parties = json!({"subject": "S", "email_activity_parties": [{"participationtypemask": 2, "addressused": "a@b.example"}]});
    for ability in Ability::ALL {
        door.be(without(*ability));
        assert_eq!(door.send("PATCH", &row, json!({"new_name": "x"})).await.status, 204, "{ability:?}");
        assert_eq!(door.get(&row).await.json["new_name"], "x", "{ability:?}");
        door.send("POST", "emails", parties.clone()).await.made();
    }
    door.be(without(Ability::Upsert));
    assert_eq!(door.send("PATCH", "new_things(new_code='A1')", json!({"new_name": "y"})).await.status, 204);
    door.be(without(Ability::ChangeTracking));
    let table = door.get("EntityDefinitions(LogicalName='new_thing')").await.json;
    assert_eq!(
        door.send("PUT", "EntityDefinitions(LogicalName='new_thing')", json!({"HasNotes": true}))
            .await
            .status,
        204
    );
    assert_eq!(table["ChangeTrackingEnabled"], false);
    door.be(Settings::default());
    let table = door.get("EntityDefinitions(LogicalName='new_thing')").await.json;
    assert_eq!(table["ChangeTrackingEnabled"], true, "what is not shown is not lost");
}
