//! What relationships say of themselves.

use postroom_core::metadata::{Cascade, CascadeType, ManyToMany, OneToMany};
use serde_json::{Value, json};

use super::tables::INTRODUCED;
use super::types::Member;

pub(super) fn one_member(relation: &OneToMany, member: &Member) -> Option<Value> {
    Some(match member.name {
        "AssociatedMenuConfiguration" => menu(),
        "CascadeConfiguration" => cascade(relation.cascade),
        "IsCustomRelationship" => relation.is_custom.into(),
        "ReferencedAttribute" => relation.referenced_column.as_str().into(),
        "ReferencedEntity" => relation.referenced_table.as_str().into(),
        "ReferencedEntityNavigationPropertyName" => relation.referenced_navigation.as_str().into(),
        "ReferencingAttribute" => relation.referencing_column.as_str().into(),
        "ReferencingEntity" => relation.referencing_table.as_str().into(),
        "ReferencingEntityNavigationPropertyName" => relation.referencing_navigation.as_str().into(),
        "RelationshipBehavior" => 1.into(),
        "RelationshipType" => "OneToManyRelationship".into(),
        "SchemaName" => relation.schema_name.as_str().into(),
        name => return common(name),
    })
}

pub(super) fn many_member(relation: &ManyToMany, member: &Member) -> Option<Value> {
    let (first, second) = (&relation.first, &relation.second);
    Some(match member.name {
        "Entity1AssociatedMenuConfiguration" | "Entity2AssociatedMenuConfiguration" => menu(),
        "Entity1IntersectAttribute" => first.column.as_str().into(),
        "Entity1LogicalName" => first.table.as_str().into(),
        "Entity1NavigationPropertyName" => first.navigation.as_str().into(),
        "Entity2IntersectAttribute" => second.column.as_str().into(),
        "Entity2LogicalName" => second.table.as_str().into(),
        "Entity2NavigationPropertyName" => second.navigation.as_str().into(),
        "IntersectEntityName" => relation.intersect_table.as_str().into(),
        "IsCustomRelationship" => relation.is_custom.into(),
        "RelationshipType" => "ManyToManyRelationship".into(),
        "SchemaName" => relation.schema_name.as_str().into(),
        name => return common(name),
    })
}

fn common(name: &str) -> Option<Value> {
    match name {
        "IntroducedVersion" => Some(INTRODUCED.into()),
        "SecurityTypes" => Some("Append".into()),
        _ => None,
    }
}

/// There are no menus here: what the platform says of a new relationship.
fn menu() -> Value {
    json!({
        "Behavior": "UseCollectionName", "Group": "Details", "Order": null, "IsCustomizable": true, "Icon": null,
        "ViewId": uuid::Uuid::nil(), "AvailableOffline": true, "MenuId": null, "QueryApi": null,
        "Label": {"LocalizedLabels": [], "UserLocalizedLabel": null},
    })
}

fn cascade(cascade: Cascade) -> Value {
    let word = CascadeType::name;
    json!({
        "Assign": word(cascade.assign), "Delete": word(cascade.delete), "Archive": "NoCascade",
        "Merge": word(cascade.merge), "Reparent": word(cascade.reparent), "Share": word(cascade.share),
        "Unshare": word(cascade.unshare), "RollupView": "NoCascade",
    })
}
