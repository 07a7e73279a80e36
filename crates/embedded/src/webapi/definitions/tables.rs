//! What a table and its keys say of themselves.

use postroom_core::metadata::{ColumnKind, KeyInfo, Metadata, OwnershipType, PrivilegeInfo, TableInfo};
use serde_json::{Value, json};

use super::labels;
use super::node::Node;
use super::types::{Code, Member};

/// The version in which everything came, as far as anybody asks.
pub(super) const INTRODUCED: &str = "5.0.0.0";
/// Nobody keeps when a definition was made; the platform says this of its own.
pub(super) const SINCE: &str = "1900-01-01T00:00:00Z";

pub(super) fn member(table: &TableInfo, member: &Member) -> Option<Value> {
    Some(match member.name {
        "ActivityTypeMask" => i32::from(table.is_activity).into(),
        "AutoRouteToOwnerQueue" | "IsAvailableOffline" => false.into(),
        "CanTriggerWorkflow" | "IsImportable" | "IsValidForAdvancedFind" => (!table.is_intersect).into(),
        "ChangeTrackingEnabled" => table.change_tracking.into(),
        "CollectionSchemaName" => plural(table).into(),
        "ClusterMode" => "Partitioned".into(),
        "CreatedOn" | "ModifiedOn" => SINCE.into(),
        "DaysSinceRecordLastModified" => 0.into(),
        "Description" => labels::json(&table.description),
        "DisplayCollectionName" => labels::json(&table.collection_label),
        "DisplayName" => labels::json(&table.label),
        "EntitySetName" | "LogicalCollectionName" => table.entity_set.as_str().into(),
        "HasActivities" => table.has_activities.into(),
        "HasEmailAddresses" => has_addresses(table).into(),
        "HasNotes" => table.has_notes.into(),
        "IntroducedVersion" => INTRODUCED.into(),
        "IsActivity" => table.is_activity.into(),
        "IsActivityParty" => table.is_activity_party.into(),
        "IsCustomEntity" => table.is_custom.into(),
        "IsIntersect" => table.is_intersect.into(),
        "LogicalName" => table.logical_name.as_str().into(),
        "MobileOfflineFilters" => "".into(),
        "ObjectTypeCode" => table.type_code.into(),
        "OwnerIdType" => 8.into(),
        "OwnershipType" => ownership(table.ownership).into(),
        "PrimaryIdAttribute" => table.primary_id.as_str().into(),
        "PrimaryImageAttribute" => image(table).into(),
        "PrimaryNameAttribute" => table.primary_name.clone().into(),
        "Privileges" => table.privileges.iter().map(privilege).collect(),
        "ReportViewName" => format!("Filtered{}", table.schema_name).into(),
        "SchemaName" => table.schema_name.as_str().into(),
        "TableType" => "Standard".into(),
        _ => return managed(table, member),
    })
}

/// What may be done with a table: pairs of rows take part in nothing.
fn managed(table: &TableInfo, member: &Member) -> Option<Value> {
    let Code::Managed(_) = member.code else { return None };
    let value = match member.name {
        "IsAuditEnabled" | "IsMailMergeEnabled" | "IsReadOnlyInMobileClient" => false,
        "IsValidForQueue" => table.is_activity,
        "IsCustomizable" | "CanModifyAdditionalSettings" => true,
        "CanChangeTrackingBeEnabled" => true,
        _ => !table.is_intersect,
    };
    Some(member.managed(value))
}

fn plural(table: &TableInfo) -> String {
    let end = table.entity_set.strip_prefix(table.logical_name.as_str());
    end.map_or_else(
        || crate::schema::names::plural(&table.schema_name),
        |end| format!("{}{end}", table.schema_name),
    )
}

fn has_addresses(table: &TableInfo) -> bool {
    let email = |kind: &ColumnKind| matches!(kind, ColumnKind::String { format, .. } if format == "Email");
    table.columns.iter().any(|column| email(&column.kind))
}

fn image(table: &TableInfo) -> Option<String> {
    let column = table.columns.iter().find(|column| matches!(column.kind, ColumnKind::Image { .. }));
    column.map(|column| column.logical_name.clone())
}

pub(super) fn ownership(ownership: OwnershipType) -> &'static str {
    match ownership {
        // Clients know three words only; what business units own nobody else does.
        OwnershipType::BusinessOwned => OwnershipType::OrganizationOwned.name(),
        known => known.name(),
    }
}

fn privilege(info: &PrivilegeInfo) -> Value {
    json!({
        "CanBeBasic": info.levels, "CanBeDeep": info.levels, "CanBeGlobal": true, "CanBeLocal": info.levels,
        "CanBeEntityReference": false, "CanBeParentEntityReference": false, "CanBeRecordFilter": false,
        "Name": info.name, "PrivilegeId": info.id, "PrivilegeType": info.kind.name(),
    })
}

pub(super) fn key_member(table: &TableInfo, key: &KeyInfo, member: &Member) -> Option<Value> {
    Some(match member.name {
        "DisplayName" => labels::json(&key.label),
        "EntityKeyIndexStatus" => key.status.name().into(),
        "EntityLogicalName" => table.logical_name.as_str().into(),
        "IntroducedVersion" => INTRODUCED.into(),
        "IsSynchronous" => true.into(),
        "KeyAttributes" => key.columns.clone().into(),
        "LogicalName" => key.logical_name.as_str().into(),
        "SchemaName" => key.schema_name.as_str().into(),
        _ => return None,
    })
}

pub(super) fn related<'m>(metadata: &'m Metadata, table: &'m TableInfo, name: &str) -> Vec<Node<'m>> {
    let own = table.logical_name.as_str();
    match name {
        "Attributes" => table.columns.iter().map(|column| Node::Column(table, column)).collect(),
        "Keys" => table.keys.iter().map(|key| Node::Key(table, key)).collect(),
        "OneToManyRelationships" => metadata.one_to_many_of(own).map(Node::OneToMany).collect(),
        "ManyToOneRelationships" => metadata.many_to_one_of(own).map(Node::OneToMany).collect(),
        _ => metadata.many_to_many_of(own).map(Node::ManyToMany).collect(),
    }
}
