//! Tables and columns made, changed and deleted.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::{DoorBench, ROOT};
use super::{TYPE, at, label, table, text_column, with_table};
use crate::bench::{On, on_both};

on_both!(
    a_table_is_made_changed_and_deleted,
    tables_are_made_by_the_action,
    columns_are_made_changed_and_deleted,
    solutions_must_be_there,
    publishing_and_languages,
);

async fn a_table_is_made_changed_and_deleted(on: On) {
    let door = DoorBench::new(on).await;
    let made = door.send("POST", "EntityDefinitions", table("new_BankAccount")).await;
    let id = made.made();
    assert_eq!(made.header("odata-entityid"), format!("{ROOT}/EntityDefinitions({id})"));
    let told = door.get("EntityDefinitions(LogicalName='new_bankaccount')").await;
    assert_eq!(at(&told, "/PrimaryNameAttribute"), "new_name");
    assert_eq!(
        (at(&told, "/EntitySetName"), at(&told, "/IsCustomEntity")),
        (&json!("new_bankaccounts"), &json!(true))
    );
    // Clients send back what they read, read-only members and context included; one drops what is null.
    let mut whole = told.json.clone();
    whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    whole["DisplayName"]["LocalizedLabels"][0]["Label"] = "Renamed".into();
    whole["ChangeTrackingEnabled"] = false.into();
    let headers = [("content-type", "application/json"), ("mscrm.mergelabels", "true"), ("if-match", "*")];
    let put = door
        .ask("PUT", "EntityDefinitions(LogicalName='new_bankaccount')", &headers, whole.to_string())
        .await;
    assert_eq!(put.status, 204, "{}", put.text);
    let again = door.get(&format!("EntityDefinitions({id})")).await;
    assert_eq!(at(&again, "/DisplayName/UserLocalizedLabel/Label"), "Renamed");
    assert_eq!(
        (at(&again, "/ChangeTrackingEnabled"), at(&again, "/Description/UserLocalizedLabel/Label")),
        (&json!(false), &json!("A thing"))
    );
    let german = json!({"DisplayName": {"LocalizedLabels": [{"Label": "Konto", "LanguageCode": 1031}]}});
    let put = door
        .ask(
            "PUT",
            &format!("EntityDefinitions({id})"),
            &[headers[1], ("prefer", "return=representation")],
            german.to_string(),
        )
        .await;
    assert_eq!(at(&put, "/DisplayName/LocalizedLabels").as_array().unwrap().len(), 2);
    assert_eq!(at(&put, "/DisplayName/UserLocalizedLabel/Label"), "Renamed");
    let put = door.send("PUT", &format!("EntityDefinitions({id})"), german).await;
    assert_eq!(put.status, 204, "{}", put.text);
    let only = door.get(&format!("EntityDefinitions({id})?$select=DisplayName")).await;
    assert_eq!(at(&only, "/DisplayName/LocalizedLabels").as_array().unwrap().len(), 1);
    door.send("POST", "EntityDefinitions", table("new_BankAccount")).await.refused(
        400,
        "0x80048403",
        "new_bankaccount",
    );
    assert_eq!(
        door.ask("DELETE", &format!("EntityDefinitions({id})"), &[("if-match", "*")], "").await.status,
        204
    );
    door.get("EntityDefinitions(LogicalName='new_bankaccount')").await.refused(
        404,
        "0x80040217",
        "new_bankaccount",
    );
    let back = door
        .ask(
            "POST",
            "EntityDefinitions",
            &[("prefer", "return=representation")],
            table("new_Back").to_string(),
        )
        .await;
    assert_eq!((back.status, &back.json["LogicalName"]), (201, &json!("new_back")), "{}", back.text);
    assert_eq!(back.header("odata-entityid"), "");
    assert!(back.header("preference-applied").contains("return=representation"));
}

/// One column of each kind that the SDK makes, in its words.
fn complex_columns() -> Json {
    let column = |kind: &str, name: &str, more: Json| {
        let mut all = json!({"@odata.type": format!("{TYPE}Complex{kind}AttributeMetadata"), "SchemaName": name, "DisplayName": label(name), "RequiredLevel": {"Value": "None"}});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let option = |value: i32, text: &str| json!({"@odata.type": "Microsoft.Dynamics.CRM.OptionMetadata", "Value": value, "Label": label(text)});
    json!([
        column(
            "String",
            "new_Name",
            json!({"IsPrimaryName": true, "MaxLength": 850, "FormatName": {"Value": "Text"}})
        ),
        column(
            "Memo",
            "new_Memo",
            json!({"MaxLength": 4000, "FormatName": {"Value": "Text"}, "ImeMode": "Auto"})
        ),
        column("Integer", "new_Number", json!({"MinValue": 1, "MaxValue": 5, "Format": "None"})),
        column("Decimal", "new_Amount", json!({"MinValue": -100000.0, "MaxValue": 100000.0, "Precision": 2})),
        column("Double", "new_Weight", json!({"MinValue": 0.5, "MaxValue": 10.5, "Precision": 5})),
        column("DateTime", "new_Day", json!({"Format": "DateOnly", "ImeMode": "Inactive"})),
        column(
            "Boolean",
            "new_Yes",
            json!({"OptionSet": {"@odata.type": "Microsoft.Dynamics.CRM.ComplexBooleanOptionSetMetadata", "IsGlobal": false, "TrueOption": option(1, "On"), "FalseOption": option(0, "Off")}})
        ),
        column(
            "Picklist",
            "new_Colour",
            json!({"OptionSet": {"@odata.type": "Microsoft.Dynamics.CRM.ComplexOptionSetMetadata", "IsGlobal": false, "Options": [option(1, "Red"), option(2, "Green")]}})
        ),
        column("File", "new_File", json!({"MaxSizeInKB": 1024})),
        column("Image", "new_Image", json!({})),
        column(
            "MultiSelectPicklist",
            "new_Several",
            json!({"OptionSet": {"Options": [option(1, "A"), {"Label": label("B")}]}})
        ),
        column("Money", "new_Price", json!({"Precision": 2, "PrecisionSource": 1})),
        column("BigInt", "new_Big", json!({})),
    ])
}

async fn tables_are_made_by_the_action(on: On) {
    let door = DoorBench::new(on).await;
    let entity = json!({"@odata.type": "Microsoft.Dynamics.CRM.ComplexEntityMetadata", "SchemaName": "test_Kinds", "DisplayName": label("Kinds"), "DisplayCollectionName": label("Kinds"), "OwnershipType": "UserOwned", "HasActivities": false, "HasNotes": true, "IsActivity": false, "Attributes": complex_columns()});
    let made = door.send("POST", "CreateEntities", json!({"Entities": [entity]})).await;
    let id = at(&made, "/EntityIds/0").as_str().unwrap().to_owned();
    let of = |tail: &str| format!("EntityDefinitions({id})/Attributes{tail}");
    let all = door
        .get(&of("?$filter=IsCustomAttribute eq true&$select=LogicalName,AttributeType,AttributeTypeName"))
        .await;
    let kinds: Vec<_> = at(&all, "/value")
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["LogicalName"].as_str().unwrap(), row["AttributeTypeName"]["Value"].as_str().unwrap())
        })
        .collect();
    for (name, kind) in [
        ("new_name", "StringType"),
        ("new_memo", "MemoType"),
        ("new_number", "IntegerType"),
        ("new_amount", "DecimalType"),
        ("new_weight", "DoubleType"),
        ("new_day", "DateTimeType"),
        ("new_yes", "BooleanType"),
        ("new_colour", "PicklistType"),
        ("new_file", "FileType"),
        ("new_image", "ImageType"),
        ("new_several", "MultiSelectPicklistType"),
        ("new_price", "MoneyType"),
        ("new_big", "BigIntType"),
    ] {
        assert!(kinds.contains(&(name, kind)), "{name}: {kinds:?}");
    }
    let number = door.get(&of("(LogicalName='new_number')")).await;
    assert_eq!((at(&number, "/MinValue"), at(&number, "/MaxValue")), (&json!(1), &json!(5)));
    let day = door.get(&of("(LogicalName='new_day')")).await;
    assert_eq!(
        (at(&day, "/Format"), at(&day, "/DateTimeBehavior/Value")),
        (&json!("DateOnly"), &json!("DateOnly"))
    );
    let several = door
        .get(&of(&format!(
            "(LogicalName='new_several')/{TYPE}MultiSelectPicklistAttributeMetadata?$expand=OptionSet"
        )))
        .await;
    assert_eq!(
        (at(&several, "/OptionSet/Options/0/Value"), at(&several, "/OptionSet/Options/1/Value")),
        (&json!(1), &json!(100_000_000))
    );
    let twice = json!({"Entities": [table("new_One"), table("new_One")]});
    door.send("POST", "CreateEntities", twice).await.refused(400, "0x80048403", "new_one");
    assert_eq!(door.get("EntityDefinitions(LogicalName='new_one')").await.status, 404);
    door.send("POST", "CreateEntities", json!({})).await.refused(400, "0x80040203", "Entities");
    let mut activity = table("new_Visit");
    activity["IsActivity"] = true.into();
    let made = door.send("POST", "CreateEntities", json!({"Entities": [activity]})).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(
        at(&door.get("EntityDefinitions(LogicalName='new_visit')").await, "/PrimaryNameAttribute"),
        "subject"
    );
}

async fn columns_are_made_changed_and_deleted(on: On) {
    let door = with_table(on).await;
    let columns = "EntityDefinitions(LogicalName='new_thing')/Attributes";
    let made = door.send("POST", columns, text_column("new_More")).await;
    let id = made.made();
    assert_eq!(made.header("odata-entityid"), format!("{ROOT}/{columns}({id})"));
    door.send("POST", columns, text_column("new_More")).await.refused(400, "0x80047013", "new_more");
    let cast = format!("{columns}(LogicalName='new_more')/{TYPE}StringAttributeMetadata");
    let mut whole = door.get(&cast).await.json;
    whole["MaxLength"] = 250.into();
    whole["RequiredLevel"]["Value"] = "Recommended".into();
    // The cast in the address, as one client sends it; then without, as another does.
    assert_eq!(
        door.send("PUT", &format!("{columns}({id})/{TYPE}StringAttributeMetadata"), whole.clone())
            .await
            .status,
        204
    );
    assert_eq!(at(&door.get(&cast).await, "/MaxLength"), 250);
    whole["MaxLength"] = 300.into();
    assert_eq!(door.send("PUT", &format!("{columns}({id})"), whole.clone()).await.status, 204);
    let told = door.get(&cast).await;
    assert_eq!(
        (at(&told, "/MaxLength"), at(&told, "/RequiredLevel/Value")),
        (&json!(300), &json!("Recommended"))
    );
    whole["MaxLength"] = 10.into();
    door.send("PUT", &format!("{columns}({id})"), whole).await.refused(400, "0x80040203", "shorter");
    let typed = door.send("POST", columns, json!({"AttributeType": "Integer", "AttributeTypeName": {"Value": "IntegerType"}, "SchemaName": "new_Number"})).await;
    typed.made();
    let lookup = json!({"@odata.type": format!("{TYPE}StateAttributeMetadata"), "SchemaName": "new_State"});
    door.send("POST", columns, lookup).await.refused(400, "0x80040203", "State");
    let prefer = [("prefer", "return=representation")];
    let back = door.ask("POST", columns, &prefer, text_column("new_Back").to_string()).await;
    assert_eq!((back.status, &back.json["LogicalName"]), (201, &json!("new_back")), "{}", back.text);
    assert_eq!(door.ask("DELETE", &format!("{columns}({id})"), &[("if-match", "*")], "").await.status, 204);
    assert_eq!(door.get(&cast).await.status, 404);
    door.send("DELETE", &format!("{columns}(LogicalName='createdon')"), json!({})).await.refused(
        400,
        "0x8004f026",
        "createdon",
    );
}

async fn solutions_must_be_there(on: On) {
    let door = DoorBench::new(on).await;
    let solution = door
        .bench
        .row("solution")
        .with("uniquename", "mine")
        .with("friendlyname", "Mine")
        .with("version", "1.0.0.0");
    let publisher = door
        .bench
        .row("publisher")
        .with("uniquename", "me")
        .with("friendlyname", "Me")
        .with("customizationprefix", "new");
    door.bench.create(&[publisher.clone(), solution.with("publisherid", publisher.at.clone())]).await;
    let in_solution = |name: &'static str| [("mscrm.solutionuniquename", name)];
    let answer =
        door.ask("POST", "EntityDefinitions", &in_solution("theirs"), table("new_Thing").to_string()).await;
    answer.refused(404, "0x80040217", "theirs");
    door.ask("POST", "EntityDefinitions", &in_solution("mine"), table("new_Thing").to_string()).await.made();
    let entities = json!({"Entities": [table("new_Other")]});
    door.send("POST", "CreateEntities?SolutionUniqueName=theirs", entities.clone()).await.refused(
        404,
        "0x80040217",
        "theirs",
    );
    assert_eq!(door.send("POST", "CreateEntities?SolutionUniqueName=mine", entities).await.status, 200);
}

async fn publishing_and_languages(on: On) {
    let door = DoorBench::new(on).await;
    let xml = "<importexportxml><entities><entity>contact</entity></entities></importexportxml>";
    assert_eq!(door.send("POST", "PublishXml", json!({"ParameterXml": xml})).await.status, 204);
    assert_eq!(
        door.ask("POST", "PublishAllXml", &[("content-type", "application/json")], "").await.status,
        204
    );
    door.send("POST", "PublishXml", json!({})).await.refused(400, "0x80040203", "ParameterXml");
    for url in ["RetrieveAvailableLanguages", "RetrieveAvailableLanguages()"] {
        assert_eq!(at(&door.get(url).await, "/LocaleIds"), &json!([1033]));
    }
    assert_eq!(
        at(&door.get("RetrieveProvisionedLanguages()").await, "/RetrieveProvisionedLanguages"),
        &json!([1033])
    );
    assert_eq!(door.get("PublishAllXml").await.status, 405);
    assert_eq!(door.send("POST", "RetrieveAvailableLanguages", json!({})).await.status, 405);
}

/// Columns that a client may make, with the members that must read back.
fn any_column() -> impl Strategy<Value = (Json, Vec<(&'static str, Json)>)> {
    let column = |kind: &str, members: Vec<(&'static str, Json)>| {
        let mut all = json!({"@odata.type": format!("#{TYPE}{kind}AttributeMetadata"), "SchemaName": "new_Column", "DisplayName": label("Column")});
        members.iter().for_each(|(name, value)| all[*name] = value.clone());
        (all, members)
    };
    let levels = || prop_oneof![Just("None"), Just("Recommended"), Just("ApplicationRequired")];
    prop_oneof![
        (1..4000u32, prop_oneof![Just("Text"), Just("Email"), Just("Url"), Just("Phone"), Just("TextArea")], levels()).prop_map(move |(length, format, level)| {
            let level = json!({"Value": level, "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"});
            column("String", vec![("MaxLength", length.into()), ("FormatName", json!({"Value": format})), ("RequiredLevel", level)])
        }),
        (1..1_048_576u32).prop_map(move |length| column("Memo", vec![("MaxLength", length.into())])),
        (any::<i32>(), any::<i32>(), prop_oneof![Just("None"), Just("Duration"), Just("Locale")]).prop_map(move |(a, b, format)| {
            column("Integer", vec![("MinValue", a.min(b).into()), ("MaxValue", a.max(b).into()), ("Format", format.into())])
        }),
        (-1000..1000i32, 0..1000i32, 0..=10u8, prop_oneof![Just("Decimal"), Just("Double"), Just("Money")]).prop_map(move |(min, more, precision, kind)| {
            column(kind, vec![("MinValue", min.into()), ("MaxValue", (min + more).into()), ("Precision", precision.into())])
        }),
        any::<bool>().prop_map(move |value| column("Boolean", vec![("DefaultValue", value.into())])),
        (any::<bool>(), prop_oneof![Just("UserLocal"), Just("DateOnly"), Just("TimeZoneIndependent")]).prop_map(move |(date, behavior)| {
            let format = if date || behavior == "DateOnly" { "DateOnly" } else { "DateAndTime" };
            column("DateTime", vec![("Format", format.into()), ("DateTimeBehavior", json!({"Value": behavior}))])
        }),
        (1..100_000u32, prop_oneof![Just("File"), Just("Image")]).prop_map(move |(size, kind)| column(kind, vec![("MaxSizeInKB", size.into())])),
    ]
}

/// What is made by POST reads back as it was posted.
#[test]
fn any_column_reads_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let door = runtime.block_on(with_table(On::Sqlite));
    let check = |(body, members): (Json, Vec<(&'static str, Json)>)| {
        runtime.block_on(async {
            let columns = "EntityDefinitions(LogicalName='new_thing')/Attributes";
            let id = door.send("POST", columns, body.clone()).await.made();
            let told = door.get(&format!("{columns}({id})")).await;
            for (name, value) in members {
                assert_eq!(at(&told, &format!("/{name}")), &value, "{body}");
            }
            assert_eq!(door.send("DELETE", &format!("{columns}({id})"), json!({})).await.status, 204);
        });
        Ok(())
    };
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config {
        cases: 40,
        failure_persistence: None,
        ..Default::default()
    });
    runner.run(&any_column(), check).unwrap();
}
