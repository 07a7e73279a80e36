//! Definitions at the Web API door: what real clients ask for, one request after the other, and what they make.

use postroom_embedded::seed;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Answer, DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(
    tables_are_found,
    columns_are_found,
    options_are_expanded,
    relationships_are_found,
    one_value_is_read,
    wrong_questions_are_refused,
    changes_of_definitions,
    a_table_is_made_changed_and_deleted,
    tables_are_made_by_the_action,
    columns_are_made_changed_and_deleted,
    relationships_are_made_changed_and_deleted,
    a_customer_lookup_is_made_whole_or_not_at_all,
    keys_are_made_and_deleted,
    global_choices,
    options_come_and_go,
    solutions_must_be_there,
    publishing_and_languages,
    messages_of_tables,
    definitions_have_their_privileges,
);

const TYPE: &str = "Microsoft.Dynamics.CRM.";

fn label(text: &str) -> Json {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels": [
        {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033, "IsManaged": false},
    ]})
}

fn text_column(schema_name: &str) -> Json {
    json!({
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "AttributeType": "String",
        "AttributeTypeName": {"Value": "StringType"}, "SchemaName": schema_name, "MaxLength": 100,
        "FormatName": {"Value": "Text"}, "DisplayName": label(schema_name),
        "RequiredLevel": {"Value": "None", "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"},
    })
}

fn table(schema_name: &str) -> Json {
    let mut name = text_column("new_Name");
    name["IsPrimaryName"] = true.into();
    json!({
        "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": schema_name, "DisplayName": label("Thing"),
        "DisplayCollectionName": label("Things"), "Description": label("A thing"), "OwnershipType": "UserOwned",
        "IsActivity": false, "HasActivities": false, "HasNotes": false, "Attributes": [name],
    })
}

async fn with_table(on: On) -> DoorBench {
    let door = DoorBench::new(on).await;
    door.send("POST", "EntityDefinitions", table("new_Thing")).await.made();
    door
}

/// The value at a JSON pointer, of an answer that must be 200.
#[track_caller]
fn at<'a>(answer: &'a Answer, pointer: &str) -> &'a Json {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", answer.text))
}

/// What this member is in each row of a list.
#[track_caller]
fn each(answer: &Answer, member: &str) -> Vec<String> {
    let rows = at(answer, "/value").as_array().unwrap();
    rows.iter()
        .map(|row| row[member].as_str().map_or_else(|| row[member].to_string(), str::to_owned))
        .collect()
}

async fn tables_are_found(on: On) {
    let door = DoorBench::new(on).await;
    // The SDK's first question.
    let url = "EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute&$filter=LogicalName eq 'contact'";
    let found = door.get(url).await;
    assert_eq!(
        at(&found, "/@odata.context"),
        &json!(format!("{ROOT}/$metadata#EntityDefinitions(LogicalName,EntitySetName,PrimaryIdAttribute)"))
    );
    let row = at(&found, "/value/0").as_object().unwrap();
    assert_eq!(row.keys().collect::<Vec<_>>().len(), 4, "{row:?}");
    assert_eq!(
        (&row["EntitySetName"], &row["PrimaryIdAttribute"]),
        (&json!("contacts"), &json!("contactid"))
    );
    let id = row["MetadataId"].as_str().unwrap().to_owned();
    assert_eq!(
        each(&door.get("EntityDefinitions?$filter=LogicalName eq 'nosuchtable'").await, "LogicalName"),
        [""; 0]
    );
    for (filter, expected) in [
        ("SchemaName eq 'Account'", "account"),
        ("IsPrivate eq false and (SchemaName eq 'Account')", "account"),
        ("ObjectTypeCode eq 2", "contact"),
        ("LogicalName%20eq%20%27email%27", "email"),
        (&format!("MetadataId eq {id}"), "contact"),
        (&format!("MetadataId eq '{}'", id.to_uppercase()), "contact"),
        ("DisplayName/UserLocalizedLabel/Label eq 'Marketing List'", "list"),
        ("CanCreateForms/Value eq true and startswith(LogicalName,'phonecal')", "phonecall"),
        (
            "OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'OrganizationOwned' and LogicalName eq 'solution'",
            "solution",
        ),
        ("not (LogicalName ne 'lead')", "lead"),
        ("Privileges/any(p:p/Name eq 'prvReadLead')", "lead"),
    ] {
        let found = door.get(&format!("EntityDefinitions?$select=LogicalName&$filter={filter}")).await;
        assert_eq!(each(&found, "LogicalName"), [expected], "{filter}");
    }
    for key in ["LogicalName='contact'", &id, &id.to_uppercase(), "MetadataId=@p", "SchemaName='Contact'"] {
        let url = format!("EntityDefinitions({key})?$select=LogicalName&@p={id}");
        assert_eq!(at(&door.get(&url).await, "/LogicalName"), "contact", "{key}");
    }
    let counted =
        door.get("EntityDefinitions?$select=LogicalName&$count=true&$top=2&$orderby=LogicalName desc").await;
    assert_eq!(at(&counted, "/@odata.count"), 60);
    assert_eq!(each(&counted, "LogicalName"), ["webresource", "usersettings"]);
    assert_eq!(door.get("EntityDefinitions/$count").await.text, "60");
    let consistent = door
        .ask(
            "GET",
            "EntityDefinitions(LogicalName='account')",
            &[("consistency", "Strong"), ("if-none-match", "null")],
            "",
        )
        .await;
    let whole = at(&consistent, "").as_object().unwrap();
    assert_eq!(whole["CanChangeTrackingBeEnabled"]["Value"], true);
    assert_eq!(whole["Description"]["LocalizedLabels"], json!([]));
    // What a client's converter cannot take: lists of plain values, or of nothing.
    for (name, value) in whole {
        for item in value.as_array().into_iter().flatten() {
            assert!(item.is_object(), "{name}: {value}");
        }
    }
}

async fn columns_are_found(on: On) {
    let door = DoorBench::new(on).await;
    let of = |tail: &str| format!("EntityDefinitions(LogicalName='contact')/Attributes{tail}");
    let one = door.get(&of("(LogicalName='firstname')?$select=MetadataId,SchemaName")).await;
    assert_eq!(at(&one, "/@odata.type"), "#Microsoft.Dynamics.CRM.StringAttributeMetadata");
    assert_eq!(at(&one, "/SchemaName"), "FirstName");
    assert!(one.json.get("LogicalName").is_none());
    let cast = door.get(&of(&format!("(LogicalName='firstname')/{TYPE}StringAttributeMetadata"))).await;
    assert_eq!((at(&cast, "/MaxLength"), at(&cast, "/FormatName/Value")), (&json!(50), &json!("Text")));
    assert_eq!(at(&cast, "/DisplayName/UserLocalizedLabel/Label"), "First Name");
    door.get(&of("(LogicalName='nosuch')")).await.refused(404, "0x80040217", "nosuch");
    door.get(&of(&format!("(LogicalName='firstname')/{TYPE}MemoAttributeMetadata"))).await.refused(
        404,
        "0x80040217",
        "",
    );
    let strings = door.get(&of("?$select=LogicalName&$filter=AttributeType eq 'String'")).await;
    let names = each(&strings, "LogicalName");
    assert!(names.contains(&"firstname".into()) && !names.contains(&"contactid".into()), "{names:?}");
    let others = door.get(&of("?$select=LogicalName,AttributeType,IsPrimaryId,DisplayName,AttributeOf&$filter=AttributeType ne 'Virtual'")).await;
    assert!(each(&others, "AttributeType").iter().all(|kind| kind != "Virtual"));
    let typed = door.get(&of(&format!("/{TYPE}StringAttributeMetadata?$select=LogicalName,MaxLength&$filter=MaxLength gt 50 and IsCustomAttribute eq false&$top=3"))).await;
    assert_eq!(at(&typed, "/value").as_array().unwrap().len(), 3);
    let picks = door.get(&of(&format!("?$filter=AttributeType eq {TYPE}AttributeTypeCode'Customer'"))).await;
    assert_eq!(each(&picks, "LogicalName"), ["parentcustomerid"]);
    assert_eq!(at(&picks, "/value/0/Targets"), &json!(["account", "contact"]));
    let expanded = door.get("EntityDefinitions(LogicalName='contact')?$select=SchemaName,EntitySetName&$expand=Attributes($select=LogicalName;$filter=LogicalName eq 'firstname'),Keys,Privileges").await;
    assert_eq!(at(&expanded, "/Attributes/0/LogicalName"), "firstname");
    assert_eq!(
        (at(&expanded, "/Keys"), at(&expanded, "/Privileges").as_array().unwrap().len()),
        (&json!([]), 8)
    );
    let dates = door
        .get(&of(&format!("/{TYPE}DateTimeAttributeMetadata?$select=LogicalName,DateTimeBehavior,Format")))
        .await;
    assert!(each(&dates, "LogicalName").contains(&"birthdate".to_owned()));
}

async fn options_are_expanded(on: On) {
    let door = DoorBench::new(on).await;
    let url = |class: &str, filter: &str| {
        format!(
            "EntityDefinitions(LogicalName='contact')/Attributes/{TYPE}{class}AttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet&$filter=LogicalName eq '{filter}'"
        )
    };
    let found = door.get(&url("Picklist", "gendercode")).await;
    let options = at(&found, "/value/0/OptionSet/Options").as_array().unwrap();
    let told: Vec<_> =
        options.iter().map(|one| (&one["Value"], &one["Label"]["LocalizedLabels"][0]["Label"])).collect();
    assert_eq!(told, [(&json!(1), &json!("Male")), (&json!(2), &json!("Female"))]);
    assert_eq!(at(&found, "/value/0/GlobalOptionSet"), &Json::Null);
    let found = door.get(&url("Status", "statuscode")).await;
    assert_eq!(at(&found, "/value/0/OptionSet/Options/0/State"), 0);
    let found = door.get(&url("State", "statecode").replace(",GlobalOptionSet", "")).await;
    assert_eq!(at(&found, "/value/0/OptionSet/Options/0/DefaultStatus"), 1);
    let found = door.get("EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='donotemail')/Microsoft.Dynamics.CRM.BooleanAttributeMetadata/OptionSet").await;
    assert_eq!((at(&found, "/TrueOption/Value"), at(&found, "/FalseOption/Value")), (&json!(1), &json!(0)));
}

async fn relationships_are_found(on: On) {
    let door = DoorBench::new(on).await;
    let found = door.get("RelationshipDefinitions?$filter=SchemaName eq 'contact_customer_accounts'").await;
    let row = at(&found, "/value/0");
    assert_eq!(row["@odata.type"], "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata");
    assert_eq!(
        (&row["RelationshipType"], &row["ReferencingEntityNavigationPropertyName"]),
        (&json!("OneToManyRelationship"), &json!("parentcustomerid_account"))
    );
    let kind = format!(
        "RelationshipDefinitions?$select=SchemaName&$filter=RelationshipType eq {TYPE}RelationshipType'ManyToManyRelationship'"
    );
    let names = each(&door.get(&kind).await, "SchemaName");
    assert!(
        names.contains(&"listcontact_association".into())
            && !names.contains(&"contact_customer_accounts".into())
    );
    let one = "EntityDefinitions(LogicalName='account')/OneToManyRelationships?$filter=ReferencedEntity eq 'account'&$select=SchemaName,ReferencedEntity";
    assert!(each(&door.get(one).await, "SchemaName").contains(&"contact_customer_accounts".to_owned()));
    let many = "EntityDefinitions(LogicalName='account')/ManyToManyRelationships?$select=SchemaName,ReferencedEntity";
    door.get(many).await.refused(400, "0x80060888", "ReferencedEntity");
    let bind = "EntityDefinitions(LogicalName='email')/ManyToOneRelationships?$select=ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName&$filter=ReferencedEntity eq 'account' and ReferencingAttribute eq 'regardingobjectid'";
    assert_eq!(
        each(&door.get(bind).await, "ReferencingEntityNavigationPropertyName"),
        ["regardingobjectid_account_email"]
    );
    let cast = format!(
        "RelationshipDefinitions/{TYPE}OneToManyRelationshipMetadata?$filter=SchemaName eq 'contact_customer_accounts'&$select=CascadeConfiguration"
    );
    assert_eq!(at(&door.get(&cast).await, "/value/0/CascadeConfiguration/Assign"), "NoCascade");
    let key = door.get("RelationshipDefinitions(SchemaName='listcontact_association')").await;
    assert_eq!(
        (at(&key, "/Entity1LogicalName"), at(&key, "/Entity2IntersectAttribute")),
        (&json!("list"), &json!("entityid"))
    );
    let managed =
        door.get("ManagedPropertyDefinitions?$filter=LogicalName eq 'canmodifyauditsettings'").await;
    assert_eq!(each(&managed, "EnablesAttributeName"), ["IsAuditEnabled"]);
}

async fn one_value_is_read(on: On) {
    let door = DoorBench::new(on).await;
    let of = |tail: &str| format!("EntityDefinitions(LogicalName='contact')/{tail}");
    assert_eq!(door.get(&of("ObjectTypeCode/$value")).await.text, "2");
    assert_eq!(at(&door.get(&of("ObjectTypeCode")).await, "/value"), 2);
    assert_eq!(door.get(&of("EntitySetName/$value")).await.text, "contacts");
    assert_eq!(at(&door.get(&of("IsAuditEnabled/Value")).await, "/value"), false);
    assert_eq!(door.get(&of("EntityColor/$value")).await.status, 204);
    door.get(&of("DisplayName/$value")).await.refused(400, "0x80040203", "single values");
    door.get(&of("NoSuch")).await.refused(404, "0x80060888", "NoSuch");
}

async fn wrong_questions_are_refused(on: On) {
    let door = DoorBench::new(on).await;
    for (url, status, says) in [
        ("EntityDefinitions(LogicalName='nosuchtable')", 404, "nosuchtable"),
        ("EntityDefinitions(00000000-0000-0000-0000-000000000001)", 404, "entity"),
        ("EntityDefinitions(Colour='red')", 400, "one key"),
        ("EntityDefinitions?$select=NoSuch", 400, "NoSuch"),
        ("EntityDefinitions?$filter=NoSuch eq 1", 400, "NoSuch"),
        ("EntityDefinitions?$orderby=NoSuch", 400, "NoSuch"),
        ("EntityDefinitions?$expand=NoSuch", 400, "NoSuch"),
        ("EntityDefinitions?$expand=Attributes($select=NoSuch)", 400, "NoSuch"),
        ("EntityDefinitions?$filter=Microsoft.Dynamics.CRM.Today(PropertyName='CreatedOn')", 400, "Today"),
        (
            "EntityDefinitions(LogicalName='contact')/Attributes/Microsoft.Dynamics.CRM.NoSuchMetadata",
            404,
            "NoSuchMetadata",
        ),
    ] {
        let answer = door.get(url).await;
        assert_eq!(answer.status, status, "{url}: {}", answer.text);
        assert!(answer.json["error"]["message"].as_str().unwrap().contains(says), "{url}: {}", answer.text);
    }
    let answer = door.send("PATCH", "EntityDefinitions(LogicalName='contact')", json!({})).await;
    answer.refused(405, "0x80040203", "PATCH");
    door.send("DELETE", "EntityDefinitions(LogicalName='contact')", json!({})).await.refused(
        400,
        "0x8004f026",
        "contact",
    );
    let mut bad = table("Thing");
    door.send("POST", "EntityDefinitions", bad.clone()).await.refused(400, "0x80040203", "prefix");
    bad["SchemaName"] = "new_X".into();
    bad["Attributes"] = json!([]);
    door.send("POST", "EntityDefinitions", bad).await.refused(400, "0x80040203", "primary name");
    let answer = door.ask("POST", "EntityDefinitions", &[], "[1]").await;
    assert_eq!(
        (answer.status, answer.json["error"]["code"].as_str()),
        (400, Some("0x80048d19")),
        "{}",
        answer.text
    );
}

async fn changes_of_definitions(on: On) {
    let door = DoorBench::new(on).await;
    // As the reference has it.
    let query = r#"{"Properties":{"PropertyNames":["LogicalName","Attributes"]},"Criteria":{"Conditions":[{"PropertyName":"LogicalName","ConditionOperator":"Equals","Value":{"Type":"System.String","Value":"contact"}}]},"AttributeQuery":{"Properties":{"PropertyNames":["LogicalName","MaxLength"]},"Criteria":{"FilterOperator":"Or","Conditions":[{"PropertyName":"LogicalName","ConditionOperator":"In","Value":{"Type":"System.String[]","Value":"['firstname','contactid']"}}]}}}"#;
    let told = door.get(&format!("RetrieveMetadataChanges(Query=@p1)?@p1={query}")).await;
    assert_eq!(
        at(&told, "/@odata.context"),
        &json!(format!("{ROOT}/$metadata#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse"))
    );
    let tables = at(&told, "/EntityMetadata").as_array().unwrap();
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0]["@odata.type"], "#Microsoft.Dynamics.CRM.ComplexEntityMetadata");
    let columns = tables[0]["Attributes"].as_array().unwrap();
    let first = columns.iter().find(|one| one["LogicalName"] == "firstname").unwrap();
    assert_eq!((columns.len(), &first["MaxLength"]), (2, &json!(50)));
    assert!(first.get("SchemaName").is_none());
    let stamp = at(&told, "/ServerVersionStamp").as_str().unwrap().to_owned();
    let again = format!("RetrieveMetadataChanges(ClientVersionStamp=@p2)?@p2='{stamp}'");
    assert_eq!(at(&door.get(&again).await, "/EntityMetadata"), &json!([]));
    door.send("POST", "EntityDefinitions", table("new_Thing")).await.made();
    door.get(&again).await.refused(400, "0x80044352", "full sync");
    let bad =
        r#"{"Criteria":{"Conditions":[{"PropertyName":"NoSuch","ConditionOperator":"Equals","Value":1}]}}"#;
    door.get(&format!("RetrieveMetadataChanges(Query=@p1)?@p1={bad}")).await.refused(
        400,
        "0x80040203",
        "NoSuch",
    );
}

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

fn relation(name: &str, to: &str) -> Json {
    json!({
        "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": name, "ReferencedEntity": to,
        "ReferencedAttribute": format!("{to}id"), "ReferencingEntity": "new_thing",
        "CascadeConfiguration": {"Assign": "NoCascade", "Delete": "RemoveLink", "Merge": "NoCascade", "Reparent": "NoCascade", "Share": "NoCascade", "Unshare": "NoCascade"},
        "AssociatedMenuConfiguration": {"Behavior": "UseCollectionName", "Group": "Details", "Label": label("Things"), "Order": 10000},
        "Lookup": {"@odata.type": "Microsoft.Dynamics.CRM.LookupAttributeMetadata", "SchemaName": "new_AccountId", "DisplayName": label("Account"), "RequiredLevel": {"Value": "None"}},
    })
}

async fn relationships_are_made_changed_and_deleted(on: On) {
    let door = with_table(on).await;
    let made = door.send("POST", "RelationshipDefinitions", relation("new_account_thing", "account")).await;
    let id = made.made();
    assert_eq!(made.header("odata-entityid"), format!("{ROOT}/RelationshipDefinitions({id})"));
    let cast = format!("RelationshipDefinitions({id})/{TYPE}OneToManyRelationshipMetadata");
    let told = door.get(&cast).await;
    assert_eq!(
        (at(&told, "/ReferencingAttribute"), at(&told, "/ReferencingEntityNavigationPropertyName")),
        (&json!("new_accountid"), &json!("new_AccountId"))
    );
    let mut whole = told.json.clone();
    whole["CascadeConfiguration"]["Delete"] = "Restrict".into();
    assert_eq!(door.send("PUT", &cast, whole).await.status, 204);
    let again = door.get("RelationshipDefinitions(SchemaName='new_account_thing')").await;
    assert_eq!(at(&again, "/CascadeConfiguration/Delete"), "Restrict");
    // A relationship of the CRM's own takes what it is already, and nothing else.
    let own = "RelationshipDefinitions(SchemaName='contact_customer_accounts')";
    let mut whole = door.get(own).await.json;
    assert_eq!(door.send("PUT", own, whole.clone()).await.status, 204);
    whole["CascadeConfiguration"]["Delete"] = "Cascade".into();
    door.send("PUT", own, whole).await.refused(400, "0x8004f026", "contact_customer_accounts");
    assert_eq!(door.send("DELETE", &format!("RelationshipDefinitions({id})"), json!({})).await.status, 204);
    assert_eq!(
        door.get("EntityDefinitions(LogicalName='new_thing')/Attributes(LogicalName='new_accountid')")
            .await
            .status,
        404
    );
    let pairs = json!({"@odata.type": format!("{TYPE}ManyToManyRelationshipMetadata"), "SchemaName": "new_thing_contact", "Entity1LogicalName": "new_thing", "Entity2LogicalName": "contact", "IntersectEntityName": "new_thing_contact"});
    let id = door.send("POST", "RelationshipDefinitions", pairs).await.made();
    let told = door.get("RelationshipDefinitions?$filter=SchemaName eq 'new_thing_contact'").await;
    assert_eq!(
        (at(&told, "/value/0/MetadataId"), at(&told, "/value/0/RelationshipType")),
        (&json!(id), &json!("ManyToManyRelationship"))
    );
    // A client's mistake that may as well be understood.
    assert_eq!(
        door.send("DELETE", "RelationshipDefinitions(LogicalName='new_thing_contact')", json!({}))
            .await
            .status,
        204
    );
    door.send("DELETE", "RelationshipDefinitions(LogicalName='new_no_such')", json!({})).await.refused(
        404,
        "0x80040217",
        "new_no_such",
    );
}

async fn a_customer_lookup_is_made_whole_or_not_at_all(on: On) {
    let door = with_table(on).await;
    let relations = |second: &str| {
        let one = |name: &str, to: &str| {
            let mut one = relation(name, to);
            one.as_object_mut().unwrap().remove("Lookup");
            one["@odata.type"] = "Microsoft.Dynamics.CRM.ComplexOneToManyRelationshipMetadata".into();
            one
        };
        json!({"OneToManyRelationships": [one("new_thing_account", "account"), one(second, "contact")], "Lookup": {"@odata.type": "Microsoft.Dynamics.CRM.ComplexLookupAttributeMetadata", "AttributeType": "Lookup", "SchemaName": "new_CustomerId", "DisplayName": label("Customer")}})
    };
    let column = "EntityDefinitions(LogicalName='new_thing')/Attributes(LogicalName='new_customerid')";
    let answer =
        door.send("POST", "CreateCustomerRelationships", relations("contact_customer_accounts")).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(door.get(column).await.status, 404);
    let made = door.send("POST", "CreateCustomerRelationships", relations("new_thing_contact")).await;
    assert_eq!(at(&made, "/RelationshipIds").as_array().unwrap().len(), 2);
    let told = door.get(column).await;
    assert_eq!(
        (at(&told, "/AttributeType"), at(&told, "/Targets")),
        (&json!("Customer"), &json!(["account", "contact"]))
    );
    assert_eq!(at(&told, "/MetadataId"), at(&made, "/AttributeId"));
    let names = each(&door.get("EntityDefinitions(LogicalName='new_thing')/ManyToOneRelationships?$filter=ReferencingAttribute eq 'new_customerid'").await, "ReferencingEntityNavigationPropertyName");
    assert_eq!(names, ["new_CustomerId_account", "new_CustomerId_contact"]);
    let mut alone = relations("new_other");
    alone["OneToManyRelationships"].as_array_mut().unwrap().pop();
    door.send("POST", "CreateCustomerRelationships", alone).await.refused(
        400,
        "0x80040203",
        "two relationships",
    );
}

async fn keys_are_made_and_deleted(on: On) {
    let door = with_table(on).await;
    let keys = "EntityDefinitions(LogicalName='new_thing')/Keys";
    let made = door
        .send(
            "POST",
            keys,
            json!({"SchemaName": "new_NameKey", "KeyAttributes": ["new_name"], "DisplayName": label("Name")}),
        )
        .await;
    let id = made.made();
    // The first id in the address is taken for the key's.
    assert_eq!(made.header("odata-entityid"), format!("{ROOT}/{keys}({id})"));
    let told =
        door.get(&format!("{keys}?$select=MetadataId,SchemaName,KeyAttributes,EntityKeyIndexStatus")).await;
    assert_eq!(
        (at(&told, "/value/0/KeyAttributes"), at(&told, "/value/0/EntityKeyIndexStatus")),
        (&json!(["new_name"]), &json!("Active"))
    );
    let one = door.get("RetrieveEntityKey(EntityLogicalName='new_thing',LogicalName='new_namekey')").await;
    assert_eq!(at(&one, "/EntityKeyMetadata/SchemaName"), "new_NameKey");
    let again = json!({"EntityLogicalName": "new_thing", "EntityKeyLogicalName": "new_namekey"});
    assert_eq!(door.send("POST", "ReactivateEntityKey", again).await.status, 204);
    let column = "EntityDefinitions(LogicalName='new_thing')/Attributes";
    door.send("POST", keys, json!({"SchemaName": "new_Bad", "KeyAttributes": ["nosuch"]})).await.refused(
        400,
        "0x80041103",
        "nosuch",
    );
    door.send("POST", column, text_column("new_Code")).await.made();
    door.send("POST", keys, json!({"SchemaName": "new_CodeKey", "KeyAttributes": ["new_code"]})).await.made();
    door.send("DELETE", &format!("{column}(LogicalName='new_code')"), json!({})).await.refused(
        400,
        "0x8004f01f",
        "new_codekey",
    );
    assert_eq!(door.send("DELETE", &format!("{keys}({id})"), json!({})).await.status, 204);
    assert_eq!(each(&door.get(keys).await, "SchemaName"), ["new_CodeKey"]);
}

async fn global_choices(on: On) {
    let door = with_table(on).await;
    let option = |value: i32, text: &str| json!({"Value": value, "Label": label(text)});
    let set = json!({"@odata.type": format!("{TYPE}OptionSetMetadata"), "Name": "new_choice", "IsGlobal": true, "OptionSetType": "Picklist", "DisplayName": label("Choice"), "Options": [option(100_000_000, "One"), option(100_000_001, "Two")]});
    let made = door.send("POST", "GlobalOptionSetDefinitions", set).await;
    let id = made.made();
    let cast = format!("GlobalOptionSetDefinitions({id})/{TYPE}OptionSetMetadata");
    let mut whole = door.get(&cast).await.json;
    assert_eq!(whole["Options"][1]["Value"], 100_000_001);
    assert_eq!(
        at(&door.get("GlobalOptionSetDefinitions(Name='new_choice')").await, "/MetadataId"),
        &json!(id)
    );
    whole["DisplayName"]["LocalizedLabels"][0]["Label"] = "Renamed".into();
    assert_eq!(door.send("PUT", &format!("GlobalOptionSetDefinitions({id})"), whole).await.status, 204);
    let all = door
        .get(&format!("GlobalOptionSetDefinitions/{TYPE}OptionSetMetadata?$select=Name,DisplayName"))
        .await;
    assert_eq!(at(&all, "/value/0/DisplayName/UserLocalizedLabel/Label"), "Renamed");
    let columns = "EntityDefinitions(LogicalName='new_thing')/Attributes";
    for (name, bind) in [
        ("new_A", format!("/GlobalOptionSetDefinitions({id})")),
        ("new_B", "GlobalOptionSetDefinitions(Name='new_choice')".into()),
    ] {
        let column = json!({"@odata.type": format!("{TYPE}PicklistAttributeMetadata"), "SchemaName": name, "GlobalOptionSet@odata.bind": bind});
        door.send("POST", columns, column).await.made();
    }
    let inserted = door
        .send("POST", "InsertOptionValue", json!({"OptionSetName": "new_choice", "Label": label("Three")}))
        .await;
    assert_eq!(at(&inserted, "/NewOptionValue"), 100_000_002);
    let used = door.get(&format!("{columns}(LogicalName='new_a')/{TYPE}PicklistAttributeMetadata?$expand=OptionSet,GlobalOptionSet($select=Name)")).await;
    assert_eq!(
        (at(&used, "/OptionSet/Options").as_array().unwrap().len(), at(&used, "/GlobalOptionSet/Name")),
        (3, &json!("new_choice"))
    );
    door.send("DELETE", &format!("GlobalOptionSetDefinitions({id})"), json!({})).await.refused(
        400,
        "0x8004f01f",
        "new_thing",
    );
    for name in ["new_a", "new_b"] {
        assert_eq!(
            door.send("DELETE", &format!("{columns}(LogicalName='{name}')"), json!({})).await.status,
            204
        );
    }
    assert_eq!(
        door.send("DELETE", &format!("GlobalOptionSetDefinitions({id})"), json!({})).await.status,
        204
    );
    assert_eq!(door.get(&format!("GlobalOptionSetDefinitions({id})")).await.status, 404);
}

async fn options_come_and_go(on: On) {
    let door = with_table(on).await;
    let status = json!({"EntityLogicalName": "new_thing", "AttributeLogicalName": "statuscode", "Label": label("Waiting"), "StateCode": 0, "Value": 100_000_007});
    assert_eq!(at(&door.send("POST", "InsertStatusValue", status).await, "/NewOptionValue"), 100_000_007);
    let options = || async {
        let url = format!(
            "EntityDefinitions(LogicalName='new_thing')/Attributes(LogicalName='statuscode')/{TYPE}StatusAttributeMetadata/OptionSet"
        );
        let set = door.get(&url).await;
        let options = at(&set, "/Options").as_array().unwrap().clone();
        options
            .iter()
            .map(|one| {
                (
                    one["Value"].as_i64().unwrap(),
                    one["Label"]["UserLocalizedLabel"]["Label"].as_str().unwrap().to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(options().await.last(), Some(&(100_000_007, "Waiting".to_owned())));
    let of = |more: Json| {
        let mut body = json!({"EntityLogicalName": "new_thing", "AttributeLogicalName": "statuscode"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(
        door.send(
            "POST",
            "UpdateOptionValue",
            of(json!({"Value": 100_000_007, "Label": label("Held"), "MergeLabels": true}))
        )
        .await
        .status,
        204
    );
    assert_eq!(door.send("POST", "OrderOption", of(json!({"Values": [100_000_007, 2]}))).await.status, 204);
    assert_eq!(options().await.iter().map(|one| one.0).collect::<Vec<_>>(), [100_000_007, 2, 1]);
    assert_eq!(options().await[0].1, "Held");
    door.send("POST", "OrderOption", of(json!({"Values": [9]}))).await.refused(404, "0x80040217", "9");
    assert_eq!(door.send("POST", "DeleteOptionValue", of(json!({"Value": 100_000_007}))).await.status, 204);
    door.send("POST", "DeleteOptionValue", of(json!({"Value": 1}))).await.refused(
        400,
        "0x80040203",
        "status",
    );
    door.send("POST", "InsertOptionValue", of(json!({}))).await.refused(400, "0x80040203", "Label");
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

async fn messages_of_tables(on: On) {
    let door = with_table(on).await;
    let url = |table: &str| {
        format!(
            "sdkmessagefilters?$select=sdkmessagefilterid&$expand=sdkmessageid($select=name)&$filter=(sdkmessageid/name eq 'CreateMultiple' or sdkmessageid/name eq 'UpdateMultiple') and primaryobjecttypecode eq '{table}'"
        )
    };
    for table in ["account", "activityparty", "new_thing"] {
        let found = door.get(&url(table)).await;
        let mut names: Vec<_> = at(&found, "/value")
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["sdkmessageid"]["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["CreateMultiple", "UpdateMultiple"], "{table}");
    }
    assert_eq!(
        door.send("DELETE", "EntityDefinitions(LogicalName='new_thing')", json!({})).await.status,
        204
    );
    assert_eq!(at(&door.get(&url("new_thing")).await, "/value"), &json!([]));
}

async fn definitions_have_their_privileges(on: On) {
    let mut door = DoorBench::new(on).await;
    let user = door
        .bench
        .row("systemuser")
        .with("firstname", "Nobody")
        .with("lastname", "Special")
        .with("domainname", "nobody")
        .with("businessunitid", postroom_core::RecordRef::new("businessunit", seed::BUSINESS_UNIT));
    door.bench.create(std::slice::from_ref(&user)).await;
    door.session = door.bench.crm.session(user.at.id);
    door.get("EntityDefinitions").await.refused(403, "0x80040220", "prvReadEntity");
    door.get("EntityDefinitions(LogicalName='contact')/Attributes").await.refused(
        403,
        "0x80040220",
        "prvRead",
    );
    door.send("POST", "EntityDefinitions", table("new_Thing")).await.refused(
        403,
        "0x80040220",
        "prvCreateEntity",
    );
    door.send("POST", "CreateEntities", json!({"Entities": [table("new_Thing")]})).await.refused(
        403,
        "0x80040220",
        "prvCreateEntity",
    );
    door.send("DELETE", "RelationshipDefinitions(SchemaName='contact_customer_accounts')", json!({}))
        .await
        .refused(403, "0x80040220", "prvDeleteRelationship");
    door.send("POST", "PublishAllXml", json!({})).await.refused(403, "0x80040220", "prvPublishCustomization");
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
