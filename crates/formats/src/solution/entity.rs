//! A table: `Entity` with its columns, keys, forms, views and ribbon.

use postroom_core::metadata::{KeyInfo, KeyStatus, OwnershipType, TableInfo};
use uuid::Uuid;

use super::attribute::{self, INTRODUCED};
use super::tree::{self, descriptions, display_names, flag, is_set, label, leaf, names, needed, new, wrong};
use super::{Entity, Error, Package, parts};
use crate::xml::Element;

/// Settings of a table that are the same for all of ours: name, value, and the first version that knows it; in the order of
/// exports. What stands before and after `OwnershipTypeMask` are two lists.
const BEFORE: &[(&str, bool, Package)] = &[
    ("IsDuplicateCheckSupported", false, Package::V5_0),
    ("IsBusinessProcessEnabled", false, Package::V6_0),
    ("IsRequiredOffline", false, Package::V5_0),
    ("IsInteractionCentricEnabled", false, Package::V8_0),
    ("IsCollaboration", false, Package::V5_0),
    ("AutoRouteToOwnerQueue", false, Package::V5_0),
    ("IsConnectionsEnabled", false, Package::V5_0),
    ("IsDocumentManagementEnabled", false, Package::V5_0),
];
const AFTER: &[(&str, bool, Package)] = &[
    ("IsReplicated", false, Package::V5_0),
    ("IsReplicationUserFiltered", false, Package::V5_0),
    ("IsMailMergeEnabled", false, Package::V5_0),
    ("IsVisibleInMobile", false, Package::V5_0),
    ("IsVisibleInMobileClient", false, Package::V6_0),
    ("IsReadOnlyInMobileClient", false, Package::V6_0),
    ("IsMapiGridEnabled", true, Package::V5_0),
    ("IsReadingPaneEnabled", true, Package::V5_0),
    ("IsQuickCreateEnabled", false, Package::V6_0),
];
const LAST: &[(&str, bool, Package)] = &[
    ("IsCustomizable", true, Package::V5_0),
    ("IsRenameable", true, Package::V5_0),
    ("IsMappable", true, Package::V5_0),
    ("CanModifyAuditSettings", true, Package::V5_0),
    ("CanModifyMobileVisibility", true, Package::V5_0),
    ("CanModifyMobileClientVisibility", true, Package::V6_0),
    ("CanModifyMobileClientReadOnly", true, Package::V6_0),
    ("CanModifyConnectionSettings", true, Package::V5_0),
    ("CanModifyDuplicateDetectionSettings", true, Package::V5_0),
    ("CanModifyMailMergeSettings", true, Package::V5_0),
    ("CanModifyQueueSettings", true, Package::V5_0),
    ("CanCreateAttributes", true, Package::V5_0),
    ("CanCreateForms", true, Package::V5_0),
    ("CanCreateCharts", true, Package::V5_0),
    ("CanCreateViews", true, Package::V5_0),
    ("CanModifyAdditionalSettings", true, Package::V5_0),
];

pub(super) fn write(entity: &Entity, package: Package) -> Result<Element, Error> {
    let table = &entity.table;
    let shown = table.label.text().filter(|text| !text.is_empty()).unwrap_or(&table.schema_name);
    let mut element = new("Entity").with(
        leaf("Name", table.schema_name.as_str())
            .attribute("LocalizedName", shown)
            .attribute("OriginalName", shown),
    );
    if package < Package::V9_0 && table.type_code > 0 {
        element = element.with(leaf("ObjectTypeCode", table.type_code.to_string()));
    }
    element = element.with(new("EntityInfo").with(info(table, package)?));
    if !entity.forms.is_empty() {
        element = element.with(parts::write_forms(&entity.forms));
    }
    if !entity.views.is_empty() {
        element = element.with(parts::write_views(table, &entity.views, package));
    }
    Ok(element.with_all(entity.ribbon.clone()))
}

fn info(table: &TableInfo, package: Package) -> Result<Element, Error> {
    let mut element = new("entity").attribute("Name", &table.schema_name);
    // Virtual columns and amounts in the base currency come with what they show.
    let own = table.columns.iter().filter(|column| column.attribute_of.is_none());
    let columns: Result<Vec<Element>, Error> =
        own.map(|column| attribute::write(&table.logical_name, column, package)).collect();
    let columns = new("attributes").with_all(columns?);
    if !table.is_custom {
        // Only columns are added to a table of the platform; the rest of it stays as it is there.
        if package >= Package::V8_0 {
            element = element.attribute("unmodified", "1");
        }
        return Ok(element.with(columns).with_all(keys(table, package)?));
    }
    let flags = |list: &'static [(&str, bool, Package)]| {
        list.iter().filter(move |(.., since)| package >= *since).map(|(name, value, _)| flag(name, *value))
    };
    element = element
        .with(names(&table.label))
        .with(tree::labels("LocalizedCollectionNames", "LocalizedCollectionName", &table.collection_label))
        .with(descriptions(&table.description))
        .with(columns)
        .with_all(keys(table, package)?);
    if package >= Package::V8_0 {
        element = element.with(leaf("EntitySetName", table.entity_set.as_str()));
    }
    element = element
        .with_all(flags(BEFORE))
        .with(leaf("OwnershipTypeMask", ownership_name(table.ownership)))
        .with(flag("IsAuditEnabled", false))
        .with(flag("IsActivity", table.is_activity))
        .with(leaf("ActivityTypeMask", ""))
        .with(flag("IsActivityParty", table.is_activity_party))
        .with_all(flags(AFTER))
        .with(leaf("IntroducedVersion", INTRODUCED))
        .with_all(flags(LAST));
    if package >= Package::V7_1 {
        element = element.with(flag("ChangeTrackingEnabled", table.change_tracking));
    }
    if table.has_notes {
        element = element.with(leaf("HasRelatedNotes", "True"));
    }
    if table.has_activities {
        element = element.with(leaf("HasRelatedActivities", "True"));
    }
    Ok(element)
}

fn ownership_name(ownership: OwnershipType) -> &'static str {
    match ownership {
        OwnershipType::OrganizationOwned => "OrgOwned",
        ownership => ownership.name(),
    }
}

fn keys(table: &TableInfo, package: Package) -> Result<Option<Element>, Error> {
    if table.keys.is_empty() {
        return Ok(None);
    }
    if package < Package::V7_1 {
        let component = format!("the key {}.{}", table.logical_name, table.keys[0].logical_name);
        return Err(Error::TooOld { component, package, why: "alternate keys came with 7.1" });
    }
    let one = |key: &KeyInfo| {
        let columns = key.columns.iter().map(|column| leaf("AttributeName", column.as_str()));
        new("EntityKey")
            .with(leaf("Name", key.schema_name.as_str()))
            .with(leaf("LogicalName", key.logical_name.as_str()))
            .with(leaf("IntroducedVersion", INTRODUCED))
            .with(flag("IsCustomizable", true))
            .with(new("EntityKeyAttributes").with_all(columns))
            .with(display_names(&key.label))
    };
    Ok(Some(new("EntityKeys").with_all(table.keys.iter().map(one))))
}

pub(super) fn read(element: &Element) -> Result<Entity, Error> {
    let name = needed(element, "Name", "an entity")?.to_owned();
    let table = match element.child("EntityInfo").and_then(|info| info.child("entity")) {
        Some(info) => read_info(element, info, &name)?,
        // Only forms or views of it are in the solution.
        None => TableInfo::named(&name),
    };
    Ok(Entity {
        forms: parts::read_forms(element, &name)?,
        views: parts::read_views(element, &name)?,
        ribbon: element.child("RibbonDiffXml").filter(|ribbon| parts::says_something(ribbon)).cloned(),
        table,
    })
}

fn read_info(element: &Element, info: &Element, name: &str) -> Result<TableInfo, Error> {
    let of = format!("the table {name}");
    let schema_name = info.get("Name").unwrap_or(name);
    if !schema_name.eq_ignore_ascii_case(name) {
        return Err(wrong(&of, "Name", schema_name));
    }
    let mut table = TableInfo::named(schema_name);
    let columns = info.child("attributes").into_iter().flat_map(|list| list.each("attribute"));
    table.columns = columns.map(|column| attribute::read(name, column)).collect::<Result<_, _>>()?;
    for (place, column) in table.columns.iter_mut().enumerate() {
        column.number = i32::try_from(place + 1).unwrap_or(i32::MAX);
    }
    let keys = info.child("EntityKeys").into_iter().flat_map(|list| list.each("EntityKey"));
    table.keys = keys.map(|key| read_key(&of, key)).collect::<Result<_, _>>()?;
    table.label = label(info, "LocalizedNames");
    table.collection_label = label(info, "LocalizedCollectionNames");
    table.description = label(info, "Descriptions");
    table.entity_set = info.text_of("EntitySetName").unwrap_or_default().to_owned();
    table.type_code = tree::number(element, "ObjectTypeCode", &of)?.unwrap_or(0);
    table.ownership = match info.text_of("OwnershipTypeMask") {
        Some("UserOwned") => OwnershipType::UserOwned,
        Some("OrgOwned" | "OrganizationOwned") => OwnershipType::OrganizationOwned,
        Some("BusinessOwned") => OwnershipType::BusinessOwned,
        _ => OwnershipType::None,
    };
    // Names of the platform's own tables have no prefix; files mark what is left unchanged.
    table.is_custom = info.get("unmodified") != Some("1") && schema_name.contains('_');
    table.is_activity = is_set(info, "IsActivity");
    table.is_activity_party = is_set(info, "IsActivityParty");
    table.has_notes = is_set(info, "HasRelatedNotes");
    table.has_activities = is_set(info, "HasRelatedActivities");
    table.change_tracking = is_set(info, "ChangeTrackingEnabled");
    if let Some(key) = table.columns.iter().find(|column| column.is_primary_id) {
        table.primary_id.clone_from(&key.logical_name);
    }
    table.primary_name =
        table.columns.iter().find(|column| column.is_primary_name).map(|column| column.logical_name.clone());
    Ok(table)
}

fn read_key(of: &str, element: &Element) -> Result<KeyInfo, Error> {
    let name = needed(element, "Name", of)?;
    let columns = element.child("EntityKeyAttributes").into_iter().flat_map(|list| &list.children);
    Ok(KeyInfo {
        id: Uuid::nil(),
        logical_name: element.text_of("LogicalName").unwrap_or(name).to_ascii_lowercase(),
        schema_name: name.to_owned(),
        label: label(element, "displaynames"),
        columns: columns.map(|column| column.text.trim().to_ascii_lowercase()).collect(),
        status: KeyStatus::Active,
    })
}
