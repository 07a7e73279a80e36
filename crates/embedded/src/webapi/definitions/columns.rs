//! What a column says of itself, by its type.

use postroom_core::metadata::{ColumnInfo, ColumnKind, DateTimeBehavior, TableInfo};
use serde_json::{Value, json};

use super::labels;
use super::tables::{INTRODUCED, SINCE};
use super::types::{Code, Member};

/// The class, `AttributeType` and `AttributeTypeName` of each kind.
fn names(kind: &ColumnKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        ColumnKind::Boolean { .. } => ("BooleanAttributeMetadata", "Boolean", "BooleanType"),
        ColumnKind::Integer { .. } => ("IntegerAttributeMetadata", "Integer", "IntegerType"),
        ColumnKind::BigInt => ("BigIntAttributeMetadata", "BigInt", "BigIntType"),
        ColumnKind::Decimal { .. } => ("DecimalAttributeMetadata", "Decimal", "DecimalType"),
        ColumnKind::Double { .. } => ("DoubleAttributeMetadata", "Double", "DoubleType"),
        ColumnKind::Money { .. } => ("MoneyAttributeMetadata", "Money", "MoneyType"),
        ColumnKind::String { .. } => ("StringAttributeMetadata", "String", "StringType"),
        ColumnKind::Memo { .. } => ("MemoAttributeMetadata", "Memo", "MemoType"),
        ColumnKind::DateTime { .. } => ("DateTimeAttributeMetadata", "DateTime", "DateTimeType"),
        ColumnKind::Picklist { .. } => ("PicklistAttributeMetadata", "Picklist", "PicklistType"),
        ColumnKind::MultiSelect { .. } => {
            ("MultiSelectPicklistAttributeMetadata", "Virtual", "MultiSelectPicklistType")
        }
        ColumnKind::State { .. } => ("StateAttributeMetadata", "State", "StateType"),
        ColumnKind::Status { .. } => ("StatusAttributeMetadata", "Status", "StatusType"),
        ColumnKind::Lookup { .. } => ("LookupAttributeMetadata", "Lookup", "LookupType"),
        ColumnKind::Customer { .. } => ("LookupAttributeMetadata", "Customer", "CustomerType"),
        ColumnKind::Owner { .. } => ("LookupAttributeMetadata", "Owner", "OwnerType"),
        ColumnKind::PartyList { .. } => ("LookupAttributeMetadata", "PartyList", "PartyListType"),
        ColumnKind::Uniqueidentifier => {
            ("UniqueIdentifierAttributeMetadata", "Uniqueidentifier", "UniqueidentifierType")
        }
        ColumnKind::EntityName => ("EntityNameAttributeMetadata", "EntityName", "EntityNameType"),
        ColumnKind::File { .. } => ("FileAttributeMetadata", "Virtual", "FileType"),
        ColumnKind::Image { .. } => ("ImageAttributeMetadata", "Virtual", "ImageType"),
        ColumnKind::Virtual => ("AttributeMetadata", "Virtual", "VirtualType"),
    }
}

pub(super) fn class(kind: &ColumnKind) -> &'static str {
    names(kind).0
}

pub(super) fn member(table: &TableInfo, column: &ColumnInfo, member: &Member) -> Option<Value> {
    let (_, code, type_name) = names(&column.kind);
    let readable = column.valid_for_read;
    Some(match member.name {
        "AttributeOf" => column.attribute_of.clone().into(),
        "AttributeType" => code.into(),
        "AttributeTypeName" => json!({"Value": type_name}),
        "AutoNumberFormat" => "".into(),
        "CanBeSecuredForCreate" => (securable(column) && column.valid_for_create).into(),
        "CanBeSecuredForRead" => securable(column).into(),
        "CanBeSecuredForUpdate" => (securable(column) && column.valid_for_update).into(),
        "ColumnNumber" => column.number.into(),
        "CreatedOn" | "ModifiedOn" => SINCE.into(),
        "Description" => labels::json(&column.description),
        "DisplayName" => labels::json(&column.label),
        "EntityLogicalName" => table.logical_name.as_str().into(),
        "IntroducedVersion" => INTRODUCED.into(),
        "IsCustomAttribute" => column.is_custom.into(),
        "IsFilterable" | "IsRetrievable" | "IsSearchable" | "IsValidForForm" | "IsValidForGrid" => {
            readable.into()
        }
        "IsLogical" => column.attribute_of.is_some().into(),
        "IsPrimaryId" => column.is_primary_id.into(),
        "IsPrimaryName" => column.is_primary_name.into(),
        "IsSecured" => column.is_secured.into(),
        "IsValidForCreate" => column.valid_for_create.into(),
        "IsValidForRead" => readable.into(),
        "IsValidForUpdate" => column.valid_for_update.into(),
        // Party lists are rows of another table.
        "IsValidODataAttribute" => (!matches!(column.kind, ColumnKind::PartyList { .. })).into(),
        "LogicalName" => column.logical_name.as_str().into(),
        "RequiredLevel" => json!({
            "Value": column.required.name(), "CanBeChanged": true,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        }),
        "SchemaName" => column.schema_name.as_str().into(),
        "IsAuditEnabled" | "IsGlobalFilterEnabled" | "IsSortableEnabled" => member.managed(false),
        _ if matches!(member.code, Code::Managed(_)) => member.managed(true),
        _ => return special(&column.kind, member.name),
    })
}

fn securable(column: &ColumnInfo) -> bool {
    !column.is_primary_id && !matches!(column.kind, ColumnKind::State { .. } | ColumnKind::Status { .. })
}

/// What only this kind has.
fn special(kind: &ColumnKind, name: &str) -> Option<Value> {
    if let "ImeMode" = name {
        return Some("Auto".into());
    }
    if let "SourceTypeMask" = name {
        return Some(0.into());
    }
    match kind {
        ColumnKind::Boolean { default, .. } => (name == "DefaultValue").then(|| (*default).into()),
        ColumnKind::Integer { min, max, format } => match name {
            "MinValue" => Some((*min).into()),
            "MaxValue" => Some((*max).into()),
            "Format" => Some(format.as_str().into()),
            _ => None,
        },
        ColumnKind::BigInt => match name {
            "MinValue" => Some(i64::MIN.into()),
            "MaxValue" => Some(i64::MAX.into()),
            _ => None,
        },
        ColumnKind::Decimal { min, max, precision } | ColumnKind::Double { min, max, precision } => {
            bounds(*min, *max, *precision, name)
        }
        ColumnKind::Money { min, max, precision, source } => match name {
            "PrecisionSource" => Some((*source).into()),
            _ => bounds(*min, *max, *precision, name),
        },
        ColumnKind::String { max_length, format } => match name {
            "MaxLength" => Some((*max_length).into()),
            "DatabaseLength" => Some((max_length * 2).into()),
            "Format" => Some(format.as_str().into()),
            "FormatName" => Some(json!({"Value": format})),
            _ => None,
        },
        ColumnKind::Memo { max_length } => match name {
            "MaxLength" => Some((*max_length).into()),
            "Format" => Some("TextArea".into()),
            "FormatName" => Some(json!({"Value": "TextArea"})),
            _ => None,
        },
        ColumnKind::DateTime { date_only, behavior } => date_time(*date_only, *behavior, name),
        ColumnKind::Picklist { default, .. } => {
            // The platform's word for none.
            (name == "DefaultFormValue").then(|| default.unwrap_or(-1).into())
        }
        ColumnKind::Lookup { targets }
        | ColumnKind::Customer { targets }
        | ColumnKind::Owner { targets }
        | ColumnKind::PartyList { targets } => match name {
            "Targets" => Some(targets.clone().into()),
            "Format" => Some("None".into()),
            _ => None,
        },
        ColumnKind::File { max_kb } => (name == "MaxSizeInKB").then(|| (*max_kb).into()),
        ColumnKind::Image { max_kb } => match name {
            "MaxSizeInKB" => Some((*max_kb).into()),
            "MaxHeight" | "MaxWidth" => Some(144.into()),
            "IsPrimaryImage" => Some(true.into()),
            _ => None,
        },
        _ => None,
    }
}

fn bounds(min: f64, max: f64, precision: u8, name: &str) -> Option<Value> {
    match name {
        "MinValue" => Some(number(min)),
        "MaxValue" => Some(number(max)),
        "Precision" => Some(precision.into()),
        _ => None,
    }
}

/// Whole numbers without a fraction, as readers of integers want them.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { (value as i64).into() } else { value.into() }
}

fn date_time(date_only: bool, behavior: DateTimeBehavior, name: &str) -> Option<Value> {
    Some(match name {
        "Format" => if date_only { "DateOnly" } else { "DateAndTime" }.into(),
        "DateTimeBehavior" => json!({"Value": behavior.name()}),
        "MinSupportedValue" => "1753-01-01T00:00:00Z".into(),
        "MaxSupportedValue" => "9999-12-30T23:59:59Z".into(),
        _ => return None,
    })
}
