//! Relationships, keys and choices made, changed and deleted.

use serde_json::{Value as Json, json};

use super::super::ROOT;
use super::{TYPE, at, each, label, text_column, with_table};
use crate::bench::{On, on_both};

on_both!(
    relationships_are_made_changed_and_deleted,
    a_customer_lookup_is_made_whole_or_not_at_all,
    a_lookup_of_several_tables,
    keys_are_made_and_deleted,
    global_choices,
    options_come_and_go,
);

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
    whole["CascadeConfiguration"]["Delete"] = "Restrict".into();
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

async fn a_lookup_of_several_tables(on: On) {
    let door = with_table(on).await;
    let one = |name: &str, to: &str| {
        let mut one = relation(name, to);
        one.as_object_mut().unwrap().remove("Lookup");
        one
    };
    let ask = |relations: serde_json::Value| json!({"OneToManyRelationships": relations, "Lookup": {"AttributeType": "Lookup", "SchemaName": "new_WhoId", "DisplayName": label("Who")}});
    let none = door.send("POST", "CreatePolymorphicLookupAttribute", ask(json!([]))).await;
    none.refused(400, "0x80040203", "OneToManyRelationships");
    let three = json!([one("new_a", "account"), one("new_c", "contact"), one("new_l", "lead")]);
    let made = door.send("POST", "CreatePolymorphicLookupAttribute", ask(three)).await;
    assert_eq!(at(&made, "/RelationshipIds").as_array().unwrap().len(), 3);
    let told =
        door.get("EntityDefinitions(LogicalName='new_thing')/Attributes(LogicalName='new_whoid')").await;
    assert_eq!(
        (at(&told, "/AttributeType"), at(&told, "/Targets")),
        (&json!("Lookup"), &json!(["account", "contact", "lead"]))
    );
    let lead = door.send("POST", "leads", json!({"lastname": "L", "subject": "s"})).await.made();
    let thing = json!({"new_name": "x", "new_WhoId_lead@odata.bind": format!("/leads({lead})")});
    let thing = door.send("POST", "new_things", thing).await.made();
    let row = door.get(&format!("new_things({thing})?$expand=new_WhoId_lead($select=lastname)")).await;
    assert_eq!(at(&row, "/new_WhoId_lead/lastname"), &json!("L"));
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
