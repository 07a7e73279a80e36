//! Definitions found, and questions that are refused.

use postroom_embedded::access::{Level, privilege};
use postroom_embedded::seed;
use serde_json::{Value as Json, json};

use super::super::{DoorBench, ROOT};
use super::{TYPE, at, each, table, with_table};
use crate::bench::{On, on_both};

on_both!(
    tables_are_found,
    columns_are_found,
    options_are_expanded,
    relationships_are_found,
    one_value_is_read,
    wrong_questions_are_refused,
    changes_of_definitions,
    messages_of_tables,
    definitions_have_their_privileges,
);

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
    assert_eq!(at(&counted, "/@odata.count"), 67);
    assert_eq!(each(&counted, "LogicalName"), ["webresource", "usersettings"]);
    assert_eq!(door.get("EntityDefinitions/$count").await.text, "67");
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
    assert_eq!(at(&door.get(&cast).await, "/value/0/CascadeConfiguration/Assign"), "Cascade");
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
    let role = door.bench.row("role").with("name", "Tables alone");
    door.bench.create(std::slice::from_ref(&role)).await;
    let entity = privilege::miscellaneous("prvReadEntity").unwrap().id;
    let row = door.bench.row("roleprivileges").with("roleid", role.at.id).with("privilegeid", entity);
    let given = door.bench.row("systemuserroles").with("systemuserid", user.at.id).with("roleid", role.at.id);
    door.bench.create(&[row.with("privilegedepthmask", Level::Global.mask()), given.clone()]).await;
    let changes = |query: &str| format!("RetrieveMetadataChanges(Query=@p)?@p={query}");
    let tables = r#"{"Properties":{"PropertyNames":["LogicalName"]}}"#;
    assert_eq!(door.get(&changes(tables)).await.status, 200);
    for (query, missing) in [
        (r#"{"Properties":{"PropertyNames":["Attributes"]}}"#, "prvReadAttribute"),
        (r#"{"Properties":{"PropertyNames":["ManyToOneRelationships"]}}"#, "prvReadRelationship"),
        (r#"{"Properties":{"AllProperties":true}}"#, "prvReadAttribute"),
        ("{}", "prvReadAttribute"),
    ] {
        door.get(&changes(query)).await.refused(403, "0x80040220", missing);
    }
    door.bench.must(postroom_core::Change::Delete(given.at)).await;
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
