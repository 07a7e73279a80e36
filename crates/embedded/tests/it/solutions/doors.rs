//! The same over SOAP; who may; the asynchronous messages; older generations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_core::{Change, Record, RecordRef};
use postroom_embedded::access::roles;
use postroom_formats::soap::value::Any;
use postroom_formats::solution::{self as format, Limits, Package};
use serde_json::json;

use super::{file, import, import_as, sample, with_solution};
use crate::bench::On;
use crate::door::DoorBench;
use crate::soapdoor::SoapBench;

fn parameter(name: &str, kind: &str, value: &str) -> String {
    format!(
        "<b:KeyValuePairOfstringanyType><c:key>{name}</c:key><c:value i:type=\"d:{kind}\" \
         xmlns:d=\"http://www.w3.org/2001/XMLSchema\">{value}</c:value></b:KeyValuePairOfstringanyType>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn over_soap() {
    let bench = SoapBench::new(On::Sqlite).await;
    let encoded = BASE64.encode(file(&sample(false)));
    let parameters = parameter("CustomizationFile", "base64Binary", &encoded)
        + &parameter("PublishWorkflows", "boolean", "true")
        + &parameter("OverwriteUnmanagedCustomizations", "boolean", "true");
    let done = bench.execute("ImportSolution", &parameters).await;
    assert_eq!(done.results, Vec::new());
    let parameters = parameter("SolutionName", "string", "EmailServiceConnector")
        + &parameter("Managed", "boolean", "true");
    let told = bench.execute("ExportSolution", &parameters).await;
    let Some(Any::Binary(bytes)) = told.get("ExportSolutionFile") else { panic!("{told:?}") };
    let solution = format::read(bytes, &Limits::default()).unwrap();
    assert_eq!(solution.entities.len(), 2);
    bench.execute("PublishAllXml", "").await;
    let fault = bench.fault("ImportSolution", &parameter("CustomizationFile", "base64Binary", "AAAA")).await;
    assert_eq!(fault.code, 0x8004_8060_u32.cast_signed());
}

#[tokio::test(flavor = "multi_thread")]
async fn for_older_generations() {
    let door = with_solution(On::Sqlite, false).await;
    for version in ["9.0", "8.2"] {
        let body =
            json!({"SolutionName": "EmailServiceConnector", "Managed": false, "TargetVersion": version});
        door.send("POST", "ExportSolution", body).await.refused(400, "0x80048033", "esc_send.esc_");
    }
    let mut plain = sample(false);
    plain.manifest.unique_name = "Plain".into();
    plain.apps.clear();
    plain.app_site_maps.clear();
    let door = DoorBench::new(On::Sqlite).await;
    let newer = ["esc_file", "esc_picture", "esc_tags", "esc_at"];
    plain.entities[0].table.columns.retain(|column| !newer.contains(&column.logical_name.as_str()));
    plain.entities[0].table.keys.clear();
    assert_eq!(import(&door, &plain).await.status, 204);
    for package in Package::ALL {
        let body = json!({"SolutionName": "Plain", "Managed": false, "TargetVersion": package.to_string()});
        let answer = door.send("POST", "ExportSolution", body).await;
        assert_eq!(answer.status, 200, "{package}: {}", answer.text);
        let bytes = BASE64.decode(answer.json["ExportSolutionFile"].as_str().unwrap()).unwrap();
        let told = format::read(&bytes, &Limits::default()).unwrap();
        assert_eq!((told.manifest.package, told.entities.len()), (*package, 2));
        if ![Package::V5_0, Package::V8_0].contains(package) {
            continue;
        }
        // What comes back from the old file is the same table with its change tracking.
        let other = DoorBench::new(On::Sqlite).await;
        let body =
            json!({"CustomizationFile": BASE64.encode(bytes), "OverwriteUnmanagedCustomizations": true});
        let answer = other.send("POST", "ImportSolution", body).await;
        assert_eq!(answer.status, 204, "{package}: {}", answer.text);
        let table = other.get("EntityDefinitions(LogicalName='esc_send')").await.json;
        assert_eq!(table["ChangeTrackingEnabled"], true, "{package}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_asynchronous_ones_tell_by_a_system_job() {
    let door = DoorBench::new(On::Sqlite).await;
    let job = door.bench.ids.next();
    let answer = import_as(&door, "ImportSolutionAsync", &sample(true), job).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["ImportJobKey"], job.to_string());
    let operation = answer.json["AsyncOperationId"].as_str().unwrap();
    let told = door.get(&format!("asyncoperations({operation})")).await.json;
    assert_eq!((&told["statecode"], &told["statuscode"]), (&json!(3), &json!(30)));
    let mut bad = sample(true);
    bad.manifest.version = "0.1".into();
    let answer = import_as(&door, "StageAndUpgradeAsync", &bad, door.bench.ids.next()).await;
    let operation = answer.json["AsyncOperationId"].as_str().unwrap();
    let told = door.get(&format!("asyncoperations({operation})")).await.json;
    assert_eq!(
        (&told["statuscode"], told["message"].as_str().unwrap().contains("1.2.0.3")),
        (&json!(31), true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_staged_and_exported_as_a_job() {
    let door = DoorBench::new(On::Sqlite).await;
    let staged = json!({"CustomizationFile": BASE64.encode(file(&sample(false)))});
    let answer = door.send("POST", "StageSolution", staged).await;
    let results = &answer.json["StageSolutionResults"];
    assert_eq!(results["StageSolutionStatus"], "Passed", "{}", answer.text);
    assert_eq!(results["SolutionDetails"]["SolutionUniqueName"], "EmailServiceConnector");
    assert_eq!(door.get("EntityDefinitions(LogicalName='esc_send')").await.status, 404);
    let import = |upload: &serde_json::Value| {
        json!({"OverwriteUnmanagedCustomizations": false, "PublishWorkflows": false, "CustomizationFile": null,
            "SolutionParameters": {"@odata.type": "Microsoft.Dynamics.CRM.SolutionParameters", "StageSolutionUploadId": upload}})
    };
    let nothing = json!("00000000-0000-0000-0000-000000000009");
    door.send("POST", "ImportSolutionAsync", import(&nothing)).await.refused(
        404,
        "0x80040217",
        "asyncoperation",
    );
    let answer = door.send("POST", "ImportSolutionAsync", import(&results["StageSolutionUploadId"])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(door.get("EntityDefinitions(LogicalName='esc_send')").await.status, 200);

    let body = json!({"SolutionName": "EmailServiceConnector", "Managed": false});
    let answer = door.send("POST", "ExportSolutionAsync", body).await;
    let (operation, job) = (answer.json["AsyncOperationId"].as_str(), answer.json["ExportJobId"].clone());
    let told = door.get(&format!("asyncoperations({})", operation.unwrap())).await.json;
    assert_eq!((&told["statecode"], &told["statuscode"]), (&json!(3), &json!(30)));
    let answer = door.send("POST", "DownloadSolutionExportData", json!({"ExportJobId": job})).await;
    let bytes = BASE64.decode(answer.json["ExportSolutionFile"].as_str().unwrap()).unwrap();
    assert_eq!(format::read(&bytes, &Limits::default()).unwrap().entities.len(), 2);
    let body = json!({"SolutionName": "NoSuch", "Managed": false});
    let answer = door.send("POST", "ExportSolutionAsync", body).await;
    let job = answer.json["ExportJobId"].clone();
    let told = door.get(&format!("asyncoperations({})", job.as_str().unwrap())).await.json;
    assert_eq!(told["statuscode"], 31);
    door.send("POST", "DownloadSolutionExportData", json!({"ExportJobId": job})).await.refused(
        400,
        "0x80040203",
        "ExportJobId",
    );
    let bad = json!({"CustomizationFile": "AAAA"});
    door.send("POST", "StageSolution", bad).await.refused(400, "0x80048060", "cannot be imported");
}

async fn user(door: &DoorBench, name: &str, role: uuid::Uuid) -> DoorBench {
    let user =
        door.bench.row("systemuser").with("lastname", name).with("firstname", "A").with("domainname", name);
    let user =
        user.with("businessunitid", RecordRef::new("businessunit", postroom_embedded::seed::BUSINESS_UNIT));
    let given = door.bench.row("systemuserroles").with("systemuserid", user.at.id).with("roleid", role);
    door.bench.create(std::slice::from_ref(&user)).await;
    door.bench.create(&[given]).await;
    door.another(user.at.id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may() {
    let door = with_solution(On::Sqlite, true).await;
    let basic = user(&door, "Basic", roles::BASIC_USER).await;
    let answer = import(&basic, &sample(true)).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    let body = json!({"SolutionName": "EmailServiceConnector", "Managed": false});
    assert_eq!(basic.send("POST", "ExportSolution", body).await.status, 403);
    let id = super::id_of(&door, "EmailServiceConnector").await;
    assert_eq!(basic.ask("DELETE", &format!("solutions({id})"), &[], "").await.status, 403);
    assert_eq!(door.get("EntityDefinitions(LogicalName='esc_send')").await.status, 200);
    // A customizer imports tables, but gives no role what he has not himself.
    let customizer = user(&door, "Customizer", roles::SYSTEM_CUSTOMIZER).await;
    let mut grabs = sample(true);
    grabs.manifest.unique_name = "Grabs".into();
    grabs.roles[0].privileges.push(("prvSendAsUser".into(), "Global".into()));
    assert_eq!(import(&customizer, &grabs).await.status, 403);
    grabs.roles.clear();
    grabs.apps.clear();
    let answer = import(&customizer, &grabs).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solution_is_deleted_alone() {
    let door = with_solution(On::Sqlite, true).await;
    let at = RecordRef::new("solution", super::id_of(&door, "EmailServiceConnector").await);
    let other = Record::new(RecordRef::new("contact", door.bench.ids.next())).with("lastname", "A");
    let fault = door.bench.apply(vec![Change::Create(other), Change::Delete(at)]).await.unwrap_err();
    assert!(fault.message.contains("a request of its own"), "{fault}");
}
