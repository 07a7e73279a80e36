//! Definitions as the Web API tells them (dataverse.md A16), read into [`Metadata`].
//!
//! Tables are asked for by name and kept; members that are missing (older servers) have the value that harms least.

use postroom_core::metadata::{
    Cascade, CascadeType, ColumnInfo, ColumnKind, DateTimeBehavior, End, KeyInfo, KeyStatus, Label,
    ManyToMany, Metadata, OneToMany, OptionItem, OptionSet, OwnershipType, PrivilegeInfo, PrivilegeKind,
    RequiredLevel, TableInfo,
};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::client::Defined;

/// What is asked for with a table.
pub(crate) const EXPAND: &str =
    "Attributes,Keys,ManyToOneRelationships,OneToManyRelationships,ManyToManyRelationships";

/// The casts whose options come with them only.
pub(crate) const CHOICES: &[&str] = &["Picklist", "MultiSelectPicklist", "State", "Status", "Boolean"];

/// A table with its relationships.
pub(crate) fn defined(json: &Json) -> Defined {
    let lists = ["ManyToOneRelationships", "OneToManyRelationships"];
    let one_to_many = lists.iter().flat_map(|list| items(json, list)).map(one_to_many).collect();
    (table(json), one_to_many, items(json, "ManyToManyRelationships").map(many_to_many).collect())
}

/// Puts options into their columns.
pub(crate) fn add_choices(metadata: &mut Metadata, table: &str, json: &Json) {
    let Some(table) = metadata.tables.iter_mut().find(|known| known.logical_name == table) else { return };
    for item in items(json, "value") {
        let Some(column) =
            table.columns.iter_mut().find(|column| column.logical_name == text(item, "LogicalName"))
        else {
            continue;
        };
        let set = match &item["OptionSet"] {
            Json::Null => &item["GlobalOptionSet"],
            set => set,
        };
        match &mut column.kind {
            ColumnKind::Picklist { options, .. }
            | ColumnKind::MultiSelect { options }
            | ColumnKind::State { options }
            | ColumnKind::Status { options } => *options = option_set(set),
            ColumnKind::Boolean { yes, no, .. } => {
                *yes = label(&set["TrueOption"]["Label"]);
                *no = label(&set["FalseOption"]["Label"]);
            }
            _ => {}
        }
    }
}

fn table(json: &Json) -> TableInfo {
    let yes = |name: &str| flag(&json[name]);
    TableInfo {
        id: id(&json["MetadataId"]),
        logical_name: text(json, "LogicalName"),
        schema_name: text(json, "SchemaName"),
        entity_set: text(json, "EntitySetName"),
        type_code: json["ObjectTypeCode"].as_i64().unwrap_or_default() as i32,
        label: label(&json["DisplayName"]),
        collection_label: label(&json["DisplayCollectionName"]),
        description: label(&json["Description"]),
        primary_id: text(json, "PrimaryIdAttribute"),
        primary_name: json["PrimaryNameAttribute"].as_str().map(str::to_owned),
        ownership: match json["OwnershipType"].as_str().unwrap_or_default() {
            "TeamOwned" => OwnershipType::UserOwned,
            word => OwnershipType::from_name(word).unwrap_or(OwnershipType::None),
        },
        is_activity: yes("IsActivity"),
        is_activity_party: yes("IsActivityParty"),
        has_activities: yes("HasActivities"),
        has_notes: yes("HasNotes"),
        is_custom: yes("IsCustomEntity"),
        is_intersect: yes("IsIntersect"),
        is_managed: yes("IsManaged"),
        change_tracking: yes("ChangeTrackingEnabled"),
        columns: items(json, "Attributes").map(column).collect(),
        keys: items(json, "Keys").map(key).collect(),
        privileges: items(json, "Privileges").filter_map(privilege).collect(),
    }
}

fn column(json: &Json) -> ColumnInfo {
    let yes = |name: &str| flag(&json[name]);
    ColumnInfo {
        id: id(&json["MetadataId"]),
        logical_name: text(json, "LogicalName"),
        schema_name: text(json, "SchemaName"),
        label: label(&json["DisplayName"]),
        description: label(&json["Description"]),
        kind: kind(json),
        required: json["RequiredLevel"]["Value"]
            .as_str()
            .and_then(RequiredLevel::from_name)
            .unwrap_or(RequiredLevel::None),
        valid_for_create: yes("IsValidForCreate"),
        valid_for_update: yes("IsValidForUpdate"),
        valid_for_read: json["IsValidForRead"].as_bool().unwrap_or(true),
        is_primary_id: yes("IsPrimaryId"),
        is_primary_name: yes("IsPrimaryName"),
        is_custom: yes("IsCustomAttribute"),
        is_secured: yes("IsSecured"),
        attribute_of: json["AttributeOf"].as_str().map(str::to_owned),
        number: json["ColumnNumber"].as_i64().unwrap_or_default() as i32,
    }
}

fn kind(json: &Json) -> ColumnKind {
    let options = || option_set(&json["OptionSet"]);
    let targets =
        || items(json, "Targets").filter_map(Json::as_str).map(str::to_owned).collect::<Vec<String>>();
    let whole = |name: &str, otherwise: i64| json[name].as_i64().unwrap_or(otherwise);
    let number = |name: &str, otherwise: f64| json[name].as_f64().unwrap_or(otherwise);
    let precision = || whole("Precision", 2).clamp(0, 10) as u8;
    let length = || whole("MaxLength", i64::from(i32::MAX)).clamp(0, i64::from(u32::MAX)) as u32;
    let format = |otherwise: &str| {
        let named = json["FormatName"]["Value"].as_str().or(json["Format"].as_str());
        named.unwrap_or(otherwise).to_owned()
    };
    let (min, max) = (number("MinValue", -1e11), number("MaxValue", 1e11));
    let typed = json["AttributeTypeName"]["Value"].as_str().map(|name| name.trim_end_matches("Type"));
    let plain = json["AttributeType"].as_str().unwrap_or("Virtual");
    match typed.unwrap_or(plain) {
        "Boolean" => ColumnKind::Boolean {
            yes: Label::default(),
            no: Label::default(),
            default: flag(&json["DefaultValue"]),
        },
        "Integer" => ColumnKind::Integer {
            min: whole("MinValue", i32::MIN.into()) as i32,
            max: whole("MaxValue", i32::MAX.into()) as i32,
            format: format("None"),
        },
        "BigInt" => ColumnKind::BigInt,
        "Decimal" => ColumnKind::Decimal { min, max, precision: precision() },
        "Double" => ColumnKind::Double { min, max, precision: precision() },
        "Money" => {
            ColumnKind::Money { min, max, precision: precision(), source: whole("PrecisionSource", 2) as u8 }
        }
        "String" => ColumnKind::String { max_length: length(), format: format("Text") },
        "Memo" => ColumnKind::Memo { max_length: length() },
        "DateTime" => ColumnKind::DateTime {
            date_only: json["Format"].as_str() == Some("DateOnly"),
            behavior: json["DateTimeBehavior"]["Value"]
                .as_str()
                .and_then(DateTimeBehavior::from_name)
                .unwrap_or(DateTimeBehavior::UserLocal),
        },
        "Picklist" => {
            let default =
                json["DefaultFormValue"].as_i64().map(|value| value as i32).filter(|value| *value >= 0);
            ColumnKind::Picklist { options: options(), default }
        }
        "MultiSelectPicklist" => ColumnKind::MultiSelect { options: options() },
        "State" => ColumnKind::State { options: options() },
        "Status" => ColumnKind::Status { options: options() },
        "Lookup" => ColumnKind::Lookup { targets: targets() },
        "Customer" => ColumnKind::Customer { targets: targets() },
        "Owner" => ColumnKind::Owner { targets: targets() },
        "PartyList" => ColumnKind::PartyList { targets: targets() },
        "Uniqueidentifier" => ColumnKind::Uniqueidentifier,
        "EntityName" => ColumnKind::EntityName,
        "File" => ColumnKind::File { max_kb: whole("MaxSizeInKB", 32_768) as u32 },
        "Image" => ColumnKind::Image { max_kb: whole("MaxSizeInKB", 10_240) as u32 },
        _ => ColumnKind::Virtual,
    }
}

fn option_set(json: &Json) -> OptionSet {
    OptionSet {
        id: id(&json["MetadataId"]),
        name: text(json, "Name"),
        is_global: flag(&json["IsGlobal"]),
        is_custom: flag(&json["IsCustomOptionSet"]),
        label: label(&json["DisplayName"]),
        description: label(&json["Description"]),
        options: items(json, "Options")
            .map(|option| OptionItem {
                value: option["Value"].as_i64().unwrap_or_default() as i32,
                label: label(&option["Label"]),
                state: option["State"].as_i64().map(|state| state as i32),
                default_status: option["DefaultStatus"].as_i64().map(|status| status as i32),
            })
            .collect(),
    }
}

fn key(json: &Json) -> KeyInfo {
    KeyInfo {
        id: id(&json["MetadataId"]),
        logical_name: text(json, "LogicalName"),
        schema_name: text(json, "SchemaName"),
        label: label(&json["DisplayName"]),
        columns: items(json, "KeyAttributes").filter_map(Json::as_str).map(str::to_owned).collect(),
        status: json["EntityKeyIndexStatus"]
            .as_str()
            .and_then(KeyStatus::from_name)
            .unwrap_or(KeyStatus::Active),
    }
}

fn privilege(json: &Json) -> Option<PrivilegeInfo> {
    let kind = PrivilegeKind::from_name(json["PrivilegeType"].as_str()?)?;
    let levels = flag(&json["CanBeBasic"]);
    Some(PrivilegeInfo { id: id(&json["PrivilegeId"]), name: text(json, "Name"), kind, levels })
}

fn one_to_many(json: &Json) -> OneToMany {
    let cascade = |name: &str| {
        let word = json["CascadeConfiguration"][name].as_str();
        word.and_then(CascadeType::from_name).unwrap_or(CascadeType::NoCascade)
    };
    OneToMany {
        id: id(&json["MetadataId"]),
        schema_name: text(json, "SchemaName"),
        referenced_table: text(json, "ReferencedEntity"),
        referenced_column: text(json, "ReferencedAttribute"),
        referencing_table: text(json, "ReferencingEntity"),
        referencing_column: text(json, "ReferencingAttribute"),
        referencing_navigation: text(json, "ReferencingEntityNavigationPropertyName"),
        referenced_navigation: text(json, "ReferencedEntityNavigationPropertyName"),
        cascade: Cascade {
            assign: cascade("Assign"),
            delete: cascade("Delete"),
            merge: cascade("Merge"),
            reparent: cascade("Reparent"),
            share: cascade("Share"),
            unshare: cascade("Unshare"),
        },
        is_custom: flag(&json["IsCustomRelationship"]),
    }
}

fn many_to_many(json: &Json) -> ManyToMany {
    let end = |side: &str| End {
        table: text(json, &format!("{side}LogicalName")),
        column: text(json, &format!("{side}IntersectAttribute")),
        navigation: text(json, &format!("{side}NavigationPropertyName")),
    };
    ManyToMany {
        id: id(&json["MetadataId"]),
        schema_name: text(json, "SchemaName"),
        intersect_table: text(json, "IntersectEntityName"),
        first: end("Entity1"),
        second: end("Entity2"),
        is_custom: flag(&json["IsCustomRelationship"]),
    }
}

/// A boolean, or a managed property.
fn flag(json: &Json) -> bool {
    json.as_bool().or_else(|| json["Value"].as_bool()).unwrap_or_default()
}

fn text(json: &Json, name: &str) -> String {
    json[name].as_str().unwrap_or_default().to_owned()
}

fn id(json: &Json) -> Uuid {
    json.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn items<'j>(json: &'j Json, name: &str) -> impl Iterator<Item = &'j Json> + use<'j> {
    json[name].as_array().into_iter().flatten()
}

fn label(json: &Json) -> Label {
    let one = |label: &Json| {
        Some((u32::try_from(label["LanguageCode"].as_u64()?).ok()?, label["Label"].as_str()?.to_owned()))
    };
    Label(items(json, "LocalizedLabels").filter_map(one).collect())
}
