//! Definitions asked for and changed.

use postroom_core::RecordRef;
use postroom_embedded::access::{Level, privilege};
use postroom_formats::soap::metadata;
use postroom_formats::soap::value::Any;
use postroom_formats::xml::Element;
use uuid::Uuid;

use super::*;
use crate::bench::{On, on_both};

on_both!(made_and_changed);

fn raw<'r>(response: &'r Response, name: &str) -> &'r Element {
    match response.get(name) {
        Some(Any::Raw(element)) => element,
        other => panic!("{other:?}"),
    }
}

fn label(member: &str, text: &str) -> String {
    format!(
        "<md:{member}><b:LocalizedLabels><b:LocalizedLabel><b:Label>{text}</b:Label><b:LanguageCode>1033\
         </b:LanguageCode></b:LocalizedLabel></b:LocalizedLabels></md:{member}>"
    )
}

async fn made_and_changed(on: On) {
    let bench = SoapBench::new(on).await;
    let table = format!(
        "{}{}<md:OwnershipType>UserOwned</md:OwnershipType><md:SchemaName>new_Thing</md:SchemaName>",
        label("DisplayCollectionName", "Things"),
        label("DisplayName", "Thing")
    );
    let primary = format!(
        "{}<md:SchemaName>new_Name</md:SchemaName><md:MaxLength>100</md:MaxLength>",
        label("DisplayName", "Name")
    );
    let made = bench
        .execute(
            "CreateEntity",
            &[
                pair("Entity", "md:EntityMetadata", &table),
                pair("PrimaryAttribute", "md:StringAttributeMetadata", &primary),
                pair("HasNotes", "d:boolean", "true"),
            ]
            .concat(),
        )
        .await;
    assert!(made.get("EntityId").and_then(Any::as_guid).is_some_and(|id| !id.is_nil()));
    assert!(made.get("AttributeId").and_then(Any::as_guid).is_some_and(|id| !id.is_nil()));
    let column = format!(
        "{}<md:SchemaName>new_Size</md:SchemaName><md:MaxValue>9</md:MaxValue><md:MinValue>0</md:MinValue>",
        label("DisplayName", "Size")
    );
    let column = pair("Attribute", "md:IntegerAttributeMetadata", &column);
    bench.execute("CreateAttribute", &[text("EntityName", "new_thing"), column].concat()).await;
    let row =
        entity("new_thing", Uuid::nil(), &[text("new_name", "One"), pair("new_size", "d:int", "3")].concat());
    let id = bench.create(&row).await;
    assert_eq!(bench.retrieve("new_thing", id, &["new_size"]).await.get("new_size"), Some(&Any::Int(3)));

    let change = format!("<md:LogicalName>new_size</md:LogicalName>{}", label("DisplayName", "Bulk"));
    let change = pair("Attribute", "md:IntegerAttributeMetadata", &change);
    bench.execute("UpdateAttribute", &[text("EntityName", "new_thing"), change].concat()).await;
    let asked = [text("EntityLogicalName", "new_thing"), text("LogicalName", "new_size")].concat();
    let answer = bench.execute("RetrieveAttribute", &asked).await;
    let column = metadata::column(raw(&answer, "AttributeMetadata")).unwrap();
    assert_eq!((column.label.text(), column.schema_name.as_str()), (Some("Bulk"), "new_Size"));
    assert!(matches!(column.kind, postroom_core::metadata::ColumnKind::Integer { max: 9, .. }), "{column:?}");

    let parts = pair("EntityFilters", "md:EntityFilters", "Entity Attributes Relationships");
    let answer =
        bench.execute("RetrieveEntity", &[text("LogicalName", "new_thing"), parts.clone()].concat()).await;
    let table = metadata::table(raw(&answer, "EntityMetadata")).unwrap();
    assert!(table.has_notes && table.column("new_size").is_some() && table.schema_name == "new_Thing");
    let answer =
        bench.execute("RetrieveAllEntities", &pair("EntityFilters", "md:EntityFilters", "Entity")).await;
    assert!(raw(&answer, "EntityMetadata").children.len() > 50);
    assert_eq!(
        bench.fault("RetrieveEntity", &[text("LogicalName", "nosuch"), parts].concat()).await.code,
        0x8004_1102_u32.cast_signed()
    );

    let condition = "<mdq:Criteria><mdq:Conditions><mdq:MetadataConditionExpression><mdq:ConditionOperator>Equals\
        </mdq:ConditionOperator><mdq:PropertyName>LogicalName</mdq:PropertyName><mdq:Value i:type=\"d:string\">new_thing\
        </mdq:Value></mdq:MetadataConditionExpression></mdq:Conditions><mdq:FilterOperator>And</mdq:FilterOperator>\
        </mdq:Criteria><mdq:Properties><mdq:AllProperties>false</mdq:AllProperties><mdq:PropertyNames>\
        <arr:string>ObjectTypeCode</arr:string></mdq:PropertyNames></mdq:Properties>";
    let answer = bench
        .execute("RetrieveMetadataChanges", &pair("Query", "mdq:EntityQueryExpression", condition))
        .await;
    let found = raw(&answer, "EntityMetadata");
    assert_eq!(found.children.len(), 1);
    let one = &found.children[0];
    assert!(
        one.text_of("ObjectTypeCode").is_some_and(|code| !code.is_empty())
            && one.child("Attributes").unwrap().nil
    );

    bench.execute("PublishAllXml", "").await;
    bench.execute("DeleteAttribute", &asked).await;
    assert_ne!(bench.fault("DeleteEntity", &text("LogicalName", "contact")).await.code, 0);
    bench.execute("DeleteEntity", &text("LogicalName", "new_thing")).await;
}

/// A user whose only role has these miscellaneous privileges.
async fn holder(bench: &mut SoapBench, privileges: &[&str]) {
    let role = bench.bench.row("role").with("name", privileges.join(" "));
    let unit = RecordRef::new("businessunit", postroom_embedded::seed::BUSINESS_UNIT);
    let user = bench.bench.row("systemuser").with("lastname", "U").with("businessunitid", unit);
    let user = user.with("domainname", format!("user-{}", role.at.id));
    let given =
        bench.bench.row("systemuserroles").with("systemuserid", user.at.id).with("roleid", role.at.id);
    bench.bench.create(&[role.clone(), user.clone()]).await;
    let mut rows = vec![given];
    for name in privileges {
        let privilege = privilege::miscellaneous(name).unwrap().id;
        let row = bench.bench.row("roleprivileges").with("roleid", role.at.id).with("privilegeid", privilege);
        rows.push(row.with("privilegedepthmask", Level::Global.mask()));
    }
    bench.bench.create(&rows).await;
    bench.session = bench.bench.crm.session(user.at.id);
}

/// A query of everything, or of tables alone.
fn asked(member: &str) -> String {
    let properties = format!(
        "<mdq:Properties><mdq:AllProperties>false</mdq:AllProperties><mdq:PropertyNames><arr:string>{member}</arr:string>\
         </mdq:PropertyNames></mdq:Properties>"
    );
    pair("Query", "mdq:EntityQueryExpression", &properties)
}

#[tokio::test(flavor = "multi_thread")]
async fn they_have_their_privileges() {
    let mut bench = SoapBench::new(On::Sqlite).await;
    let of = |filters: &str| {
        let parts = pair("EntityFilters", "md:EntityFilters", filters);
        [text("LogicalName", "contact"), parts].concat()
    };
    let all = |filters: &str| pair("EntityFilters", "md:EntityFilters", filters);
    let column = [text("EntityLogicalName", "contact"), text("LogicalName", "lastname")].concat();
    let relation = text("Name", "contact_customer_accounts");
    let cases = [
        ("RetrieveEntity", of("Entity"), "prvReadEntity"),
        ("RetrieveEntity", of("Entity Attributes"), "prvReadAttribute"),
        ("RetrieveEntity", of("Entity Relationships"), "prvReadRelationship"),
        ("RetrieveAllEntities", all("Entity Privileges"), "prvReadEntity"),
        ("RetrieveAllEntities", all("All"), "prvReadAttribute"),
        ("RetrieveAttribute", column, "prvReadAttribute"),
        ("RetrieveRelationship", relation, "prvReadRelationship"),
        ("RetrieveOptionSet", text("Name", "budgetstatus"), "prvReadOptionSet"),
        ("RetrieveAllOptionSets", String::new(), "prvReadOptionSet"),
        ("RetrieveMetadataChanges", asked("LogicalName"), "prvReadEntity"),
        ("RetrieveMetadataChanges", asked("Attributes"), "prvReadAttribute"),
        ("RetrieveMetadataChanges", asked("OneToManyRelationships"), "prvReadRelationship"),
        ("RetrieveMetadataChanges", String::new(), "prvReadAttribute"),
    ];
    for (message, parameters, privilege) in &cases {
        let every = ["prvReadEntity", "prvReadAttribute", "prvReadRelationship", "prvReadOptionSet"];
        let others: Vec<&str> = every.into_iter().filter(|name| name != privilege).collect();
        holder(&mut bench, &others).await;
        let fault = bench.fault(message, parameters).await;
        assert_eq!(fault.code, 0x8004_0220_u32.cast_signed(), "{message}");
        assert!(fault.message.contains(privilege), "{message} without {privilege}: {}", fault.message);
    }
    holder(&mut bench, &["prvReadEntity"]).await;
    bench.execute("RetrieveEntity", &of("Entity")).await;
    bench.execute("RetrieveMetadataChanges", &asked("LogicalName")).await;
    bench.execute("RetrieveTimestamp", "").await;
}

fn texts(name: &str, texts: &[(u32, &str)]) -> String {
    let one = |(language, text): &(u32, &str)| {
        format!(
            "<b:LocalizedLabel><b:Label>{text}</b:Label><b:LanguageCode>{language}</b:LanguageCode></b:LocalizedLabel>"
        )
    };
    let all: String = texts.iter().map(one).collect();
    let inner = format!("<b:LocalizedLabels>{all}</b:LocalizedLabels>");
    if name.is_empty() { inner } else { format!("<md:{name}>{inner}</md:{name}>") }
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_merged_when_that_is_asked_for() {
    let bench = SoapBench::new(On::Sqlite).await;
    let both = [(1033, "Size"), (1031, "Größe")];
    let set =
        format!("{}<md:IsGlobal>true</md:IsGlobal><md:Name>new_sizes</md:Name>", texts("DisplayName", &both));
    bench.execute("CreateOptionSet", &pair("OptionSet", "md:OptionSetMetadata", &set)).await;
    let option = [text("OptionSetName", "new_sizes"), pair("Value", "d:int", "7")].concat();
    let labelled = |texts_: &[(u32, &str)]| pair("Label", "b:Label", &texts("", texts_));
    bench.execute("InsertOptionValue", &[option.clone(), labelled(&both)].concat()).await;
    let column = format!("{}<md:SchemaName>new_Size</md:SchemaName>", texts("DisplayName", &both));
    let column = pair("Attribute", "md:IntegerAttributeMetadata", &column);
    bench.execute("CreateAttribute", &[text("EntityName", "contact"), column].concat()).await;

    let mine = [(1033, "Bulk")];
    for merge in ["true", "false"] {
        let merged = pair("MergeLabels", "d:boolean", merge);
        let set = format!("{}<md:Name>new_sizes</md:Name>", texts("DisplayName", &mine));
        let set = pair("OptionSet", "md:OptionSetMetadata", &set);
        bench.execute("UpdateOptionSet", &[set, merged.clone()].concat()).await;
        bench.execute("UpdateOptionValue", &[option.clone(), labelled(&mine), merged.clone()].concat()).await;
        let column = format!("<md:LogicalName>new_size</md:LogicalName>{}", texts("DisplayName", &mine));
        let column = pair("Attribute", "md:IntegerAttributeMetadata", &column);
        bench.execute("UpdateAttribute", &[text("EntityName", "contact"), column, merged].concat()).await;

        let mut expected = vec![(1033, "Bulk".to_owned())];
        if merge == "true" {
            expected.push((1031, "Größe".to_owned()));
        }
        let answer = bench.execute("RetrieveOptionSet", &text("Name", "new_sizes")).await;
        let set = metadata::option_set(raw(&answer, "OptionSetMetadata")).unwrap();
        assert_eq!((&set.label.0, &set.options[0].label.0), (&expected, &expected), "{merge}");
        let asked = [text("EntityLogicalName", "contact"), text("LogicalName", "new_size")].concat();
        let answer = bench.execute("RetrieveAttribute", &asked).await;
        let column = metadata::column(raw(&answer, "AttributeMetadata")).unwrap();
        assert_eq!(column.label.0, expected, "{merge}");
    }
    let asked = [text("EntityLogicalName", "contact"), text("LogicalName", "new_size")].concat();
    let silent =
        "<md:LogicalName>new_size</md:LogicalName><md:DisplayName><b:LocalizedLabels/></md:DisplayName>";
    let silent = pair("Attribute", "md:IntegerAttributeMetadata", silent);
    bench.execute("UpdateAttribute", &[text("EntityName", "contact"), silent].concat()).await;
    let answer = bench.execute("RetrieveAttribute", &asked).await;
    let column = metadata::column(raw(&answer, "AttributeMetadata")).unwrap();
    assert_eq!(column.label.text(), Some("Bulk"), "a label that says nothing changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn relationships_and_options() {
    let bench = SoapBench::new(On::Sqlite).await;
    let one = "<md:SchemaName>new_account_contact</md:SchemaName><md:ReferencedEntity>account</md:ReferencedEntity>\
               <md:ReferencingEntity>contact</md:ReferencingEntity>";
    let lookup = format!("{}<md:SchemaName>new_OtherId</md:SchemaName>", label("DisplayName", "Other"));
    let made = bench
        .execute(
            "CreateOneToMany",
            &[
                pair("OneToManyRelationship", "md:OneToManyRelationshipMetadata", one),
                pair("Lookup", "md:LookupAttributeMetadata", &lookup),
            ]
            .concat(),
        )
        .await;
    assert!(made.get("RelationshipId").and_then(Any::as_guid).is_some_and(|id| !id.is_nil()), "{made:?}");
    let answer = bench.execute("RetrieveRelationship", &text("Name", "new_account_contact")).await;
    let relation = metadata::one_to_many(raw(&answer, "RelationshipMetadata")).unwrap();
    assert_eq!(relation.referencing_column, "new_otherid");
    bench.execute("DeleteRelationship", &text("Name", "new_account_contact")).await;

    let set = format!(
        "{}<md:IsGlobal>true</md:IsGlobal><md:Name>new_sizes</md:Name>",
        label("DisplayName", "Sizes")
    );
    bench.execute("CreateOptionSet", &pair("OptionSet", "md:OptionSetMetadata", &set)).await;
    let words = "<b:LocalizedLabels><b:LocalizedLabel><b:Label>Large</b:Label><b:LanguageCode>1033</b:LanguageCode>\
                 </b:LocalizedLabel></b:LocalizedLabels>";
    let made = bench
        .execute(
            "InsertOptionValue",
            &[text("OptionSetName", "new_sizes"), pair("Label", "b:Label", words)].concat(),
        )
        .await;
    assert!(matches!(made.get("NewOptionValue"), Some(Any::Int(value)) if *value > 0), "{made:?}");
    let answer = bench.execute("RetrieveOptionSet", &text("Name", "new_sizes")).await;
    let set = metadata::option_set(raw(&answer, "OptionSetMetadata")).unwrap();
    assert_eq!(set.options[0].label.text(), Some("Large"));
    let answer = bench.execute("RetrieveAllOptionSets", "").await;
    assert!(
        raw(&answer, "OptionSetMetadata").children.iter().any(|set| set.text_of("Name") == Some("new_sizes"))
    );
}
