//! Elements to definitions. What an older server does not say (navigation properties, entity sets) is empty.

use postroom_core::metadata::{
    Cascade, CascadeType, ColumnInfo, ColumnKind, DateTimeBehavior, End, KeyInfo, KeyStatus, Label,
    ManyToMany, OneToMany, OptionItem, OptionSet, OwnershipType, PrivilegeInfo, PrivilegeKind, RequiredLevel,
    TableInfo,
};
use uuid::Uuid;

use crate::soap::value::{boolean, guid, int};
use crate::soap::{Error, missing, wrong};
use crate::xml::Element;

fn text(at: &Element, name: &str) -> String {
    at.text_of(name).unwrap_or_default().to_owned()
}

fn needed(at: &Element, name: &str) -> Result<String, Error> {
    at.text_of(name).filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(|| missing(name))
}

fn optional(at: &Element, name: &str) -> Option<String> {
    at.text_of(name).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn flag(at: &Element, name: &str) -> Result<bool, Error> {
    optional(at, name).map_or(Ok(false), |text| boolean(&text))
}

fn number(at: &Element, name: &str) -> Result<i32, Error> {
    optional(at, name).map_or(Ok(0), |text| int(&text))
}

fn maybe_number(at: &Element, name: &str) -> Result<Option<i32>, Error> {
    optional(at, name).map(|text| int(&text)).transpose()
}

fn float(at: &Element, name: &str) -> Result<f64, Error> {
    let read = |text: String| text.parse().map_err(|_| wrong("a number", &text));
    optional(at, name).map_or(Ok(0.0), read)
}

fn small(at: &Element, name: &str) -> Result<u8, Error> {
    u8::try_from(number(at, name)?).map_err(|_| wrong("a number below 256", &text(at, name)))
}

fn size(at: &Element, name: &str) -> Result<u32, Error> {
    u32::try_from(number(at, name)?).map_err(|_| wrong("a size", &text(at, name)))
}

fn id(at: &Element, name: &str) -> Result<Uuid, Error> {
    optional(at, name).map_or(Ok(Uuid::nil()), |text| guid(&text))
}

fn label(at: &Element, name: &str) -> Result<Label, Error> {
    let Some(labels) = at.child(name).and_then(|label| label.child("LocalizedLabels")) else {
        return Ok(Label::default());
    };
    let one = |at: &Element| {
        let language = u32::try_from(number(at, "LanguageCode")?).map_err(|_| wrong("a language", ""))?;
        Ok((language, at.child("Label").map(|label| label.text.clone()).unwrap_or_default()))
    };
    labels.children.iter().map(one).collect::<Result<Vec<_>, Error>>().map(Label)
}

fn strings(at: &Element, name: &str) -> Vec<String> {
    let items = at.child(name).map(|list| &*list.children).unwrap_or_default();
    items.iter().map(|item| item.text.trim().to_owned()).collect()
}

fn list<T>(at: &Element, name: &str, read: impl Fn(&Element) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    at.child(name).map(|list| &*list.children).unwrap_or_default().iter().map(read).collect()
}

/// Reads an `EntityMetadata`; see [`relations`] for its relationships.
pub fn table(at: &Element) -> Result<TableInfo, Error> {
    let ownership = match text(at, "OwnershipType").as_str() {
        "TeamOwned" => OwnershipType::UserOwned,
        "BusinessParented" => OwnershipType::BusinessOwned,
        word => OwnershipType::from_name(word).unwrap_or(OwnershipType::None),
    };
    Ok(TableInfo {
        id: id(at, "MetadataId")?,
        logical_name: needed(at, "LogicalName")?,
        schema_name: text(at, "SchemaName"),
        entity_set: text(at, "EntitySetName"),
        type_code: number(at, "ObjectTypeCode")?,
        label: label(at, "DisplayName")?,
        collection_label: label(at, "DisplayCollectionName")?,
        description: label(at, "Description")?,
        primary_id: text(at, "PrimaryIdAttribute"),
        primary_name: optional(at, "PrimaryNameAttribute"),
        ownership,
        is_activity: flag(at, "IsActivity")?,
        is_activity_party: flag(at, "IsActivityParty")?,
        has_activities: flag(at, "HasActivities")?,
        has_notes: flag(at, "HasNotes")?,
        is_custom: flag(at, "IsCustomEntity")?,
        is_intersect: flag(at, "IsIntersect")?,
        is_managed: flag(at, "IsManaged")?,
        change_tracking: flag(at, "ChangeTrackingEnabled")?,
        columns: list(at, "Attributes", column)?,
        keys: list(at, "Keys", key)?,
        privileges: list(at, "Privileges", privilege)?,
    })
}

/// The relationships that stand in an `EntityMetadata`: those of its own lookups, those to it, and the many-to-many ones.
pub fn relations(at: &Element) -> Result<(Vec<OneToMany>, Vec<ManyToMany>), Error> {
    let mut one = list(at, "ManyToOneRelationships", one_to_many)?;
    one.extend(list(at, "OneToManyRelationships", one_to_many)?);
    Ok((one, list(at, "ManyToManyRelationships", many_to_many)?))
}

fn key(at: &Element) -> Result<KeyInfo, Error> {
    Ok(KeyInfo {
        id: id(at, "MetadataId")?,
        logical_name: needed(at, "LogicalName")?,
        schema_name: text(at, "SchemaName"),
        label: label(at, "DisplayName")?,
        columns: strings(at, "KeyAttributes"),
        status: KeyStatus::from_name(&text(at, "EntityKeyIndexStatus")).unwrap_or(KeyStatus::Pending),
    })
}

fn privilege(at: &Element) -> Result<PrivilegeInfo, Error> {
    let word = text(at, "PrivilegeType");
    let kind = PrivilegeKind::from_name(&word).ok_or_else(|| wrong("a privilege type", &word))?;
    Ok(PrivilegeInfo {
        id: id(at, "PrivilegeId")?,
        name: text(at, "Name"),
        kind,
        levels: flag(at, "CanBeBasic")?,
    })
}

/// Reads an `AttributeMetadata` of whatever class.
pub fn column(at: &Element) -> Result<ColumnInfo, Error> {
    let level = at.child("RequiredLevel").map(|level| text(level, "Value")).unwrap_or_default();
    Ok(ColumnInfo {
        id: id(at, "MetadataId")?,
        logical_name: text(at, "LogicalName"),
        schema_name: text(at, "SchemaName"),
        label: label(at, "DisplayName")?,
        description: label(at, "Description")?,
        kind: kind(at)?,
        required: RequiredLevel::from_name(&level).unwrap_or(RequiredLevel::None),
        valid_for_create: flag(at, "IsValidForCreate")?,
        valid_for_update: flag(at, "IsValidForUpdate")?,
        valid_for_read: flag(at, "IsValidForRead")?,
        is_primary_id: flag(at, "IsPrimaryId")?,
        is_primary_name: flag(at, "IsPrimaryName")?,
        is_custom: flag(at, "IsCustomAttribute")?,
        is_secured: flag(at, "IsSecured")?,
        attribute_of: optional(at, "AttributeOf"),
        number: number(at, "ColumnNumber")?,
    })
}

fn kind(at: &Element) -> Result<ColumnKind, Error> {
    let class = at.kind.as_ref().map_or("AttributeMetadata", |kind| kind.local.as_str());
    let options = || at.child("OptionSet").map_or_else(|| Err(missing("OptionSet")), option_set);
    let (min, max) = (|| float(at, "MinValue"), || float(at, "MaxValue"));
    Ok(match class {
        "BooleanAttributeMetadata" => yes_no(at)?,
        "IntegerAttributeMetadata" => {
            let format = optional(at, "Format").unwrap_or_else(|| "None".into());
            ColumnKind::Integer { min: number(at, "MinValue")?, max: number(at, "MaxValue")?, format }
        }
        "BigIntAttributeMetadata" => ColumnKind::BigInt,
        "DecimalAttributeMetadata" => {
            ColumnKind::Decimal { min: min()?, max: max()?, precision: small(at, "Precision")? }
        }
        "DoubleAttributeMetadata" => {
            ColumnKind::Double { min: min()?, max: max()?, precision: small(at, "Precision")? }
        }
        "MoneyAttributeMetadata" => ColumnKind::Money {
            min: min()?,
            max: max()?,
            precision: small(at, "Precision")?,
            source: small(at, "PrecisionSource")?,
        },
        "StringAttributeMetadata" => {
            let named = at.child("FormatName").and_then(|name| optional(name, "Value"));
            let format = named.or_else(|| optional(at, "Format")).unwrap_or_else(|| "Text".into());
            ColumnKind::String { max_length: size(at, "MaxLength")?, format }
        }
        "MemoAttributeMetadata" => ColumnKind::Memo { max_length: size(at, "MaxLength")? },
        "DateTimeAttributeMetadata" => date_time(at),
        "PicklistAttributeMetadata" => {
            ColumnKind::Picklist { options: options()?, default: maybe_number(at, "DefaultFormValue")? }
        }
        "MultiSelectPicklistAttributeMetadata" => ColumnKind::MultiSelect { options: options()? },
        "StateAttributeMetadata" => ColumnKind::State { options: options()? },
        "StatusAttributeMetadata" => ColumnKind::Status { options: options()? },
        "LookupAttributeMetadata" => lookup(at),
        "EntityNameAttributeMetadata" => ColumnKind::EntityName,
        "FileAttributeMetadata" => ColumnKind::File { max_kb: size(at, "MaxSizeInKB")? },
        "ImageAttributeMetadata" => ColumnKind::Image { max_kb: size(at, "MaxSizeInKB")? },
        "UniqueIdentifierAttributeMetadata" => ColumnKind::Uniqueidentifier,
        _ if text(at, "AttributeType") == "Uniqueidentifier" => ColumnKind::Uniqueidentifier,
        _ => ColumnKind::Virtual,
    })
}

fn yes_no(at: &Element) -> Result<ColumnKind, Error> {
    let set = at.child("OptionSet");
    let of = |name: &str| {
        set.and_then(|set| set.child(name)).map_or(Ok(Label::default()), |one| label(one, "Label"))
    };
    Ok(ColumnKind::Boolean {
        yes: of("TrueOption")?,
        no: of("FalseOption")?,
        default: flag(at, "DefaultValue")?,
    })
}

fn date_time(at: &Element) -> ColumnKind {
    let behavior = at.child("DateTimeBehavior").map(|behavior| text(behavior, "Value")).unwrap_or_default();
    ColumnKind::DateTime {
        date_only: text(at, "Format") == "DateOnly",
        behavior: DateTimeBehavior::from_name(&behavior).unwrap_or(DateTimeBehavior::UserLocal),
    }
}

fn lookup(at: &Element) -> ColumnKind {
    let targets = strings(at, "Targets");
    match text(at, "AttributeType").as_str() {
        "Customer" => ColumnKind::Customer { targets },
        "Owner" => ColumnKind::Owner { targets },
        "PartyList" => ColumnKind::PartyList { targets },
        _ => ColumnKind::Lookup { targets },
    }
}

/// Reads an `OptionSetMetadata`.
pub fn option_set(at: &Element) -> Result<OptionSet, Error> {
    Ok(OptionSet {
        id: id(at, "MetadataId")?,
        name: text(at, "Name"),
        is_global: flag(at, "IsGlobal")?,
        is_custom: flag(at, "IsCustomOptionSet")?,
        label: label(at, "DisplayName")?,
        description: label(at, "Description")?,
        options: list(at, "Options", |at| {
            Ok(OptionItem {
                value: number(at, "Value")?,
                label: label(at, "Label")?,
                state: maybe_number(at, "State")?,
                default_status: maybe_number(at, "DefaultStatus")?,
            })
        })?,
    })
}

/// Reads a `OneToManyRelationshipMetadata`.
pub fn one_to_many(at: &Element) -> Result<OneToMany, Error> {
    Ok(OneToMany {
        id: id(at, "MetadataId")?,
        schema_name: needed(at, "SchemaName")?,
        referenced_table: text(at, "ReferencedEntity"),
        referenced_column: text(at, "ReferencedAttribute"),
        referencing_table: text(at, "ReferencingEntity"),
        referencing_column: text(at, "ReferencingAttribute"),
        referencing_navigation: text(at, "ReferencingEntityNavigationPropertyName"),
        referenced_navigation: text(at, "ReferencedEntityNavigationPropertyName"),
        cascade: at.child("CascadeConfiguration").map_or(Ok(Cascade::default()), cascade)?,
        is_custom: flag(at, "IsCustomRelationship")?,
    })
}

fn cascade(at: &Element) -> Result<Cascade, Error> {
    let of = |name: &str| match text(at, name).as_str() {
        "" => Ok(CascadeType::NoCascade),
        word => CascadeType::from_name(word).ok_or_else(|| wrong("a cascade type", word)),
    };
    Ok(Cascade {
        assign: of("Assign")?,
        delete: of("Delete")?,
        merge: of("Merge")?,
        reparent: of("Reparent")?,
        share: of("Share")?,
        unshare: of("Unshare")?,
    })
}

/// Reads a `ManyToManyRelationshipMetadata`.
pub fn many_to_many(at: &Element) -> Result<ManyToMany, Error> {
    let end = |number: u8| End {
        table: text(at, &format!("Entity{number}LogicalName")),
        column: text(at, &format!("Entity{number}IntersectAttribute")),
        navigation: text(at, &format!("Entity{number}NavigationPropertyName")),
    };
    Ok(ManyToMany {
        id: id(at, "MetadataId")?,
        schema_name: needed(at, "SchemaName")?,
        intersect_table: text(at, "IntersectEntityName"),
        first: end(1),
        second: end(2),
        is_custom: flag(at, "IsCustomRelationship")?,
    })
}
