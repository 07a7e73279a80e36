//! Definitions to elements.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, DateTimeBehavior, KeyInfo, Label, ManyToMany, Metadata, OneToMany, OptionItem,
    OptionSet, PrivilegeInfo, TableInfo,
};
use uuid::Uuid;

use super::order;
use crate::soap::Generation;
use crate::soap::names::{ARRAYS, GENERIC, METADATA, METADATA_71, METADATA_90, METADATA_2013, XRM};
use crate::xml::Element;

/// Which parts of a table are asked for: `EntityFilters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    pub attributes: bool,
    pub privileges: bool,
    pub relationships: bool,
}

impl Parts {
    pub const ALL: Parts = Parts { attributes: true, privileges: true, relationships: true };

    /// Reads `Entity Attributes Privileges Relationships`, or `All`.
    pub fn parse(text: &str) -> Self {
        let has = |name: &str| text.split_whitespace().any(|word| word == name || word == "All");
        Parts {
            attributes: has("Attributes"),
            privileges: has("Privileges"),
            relationships: has("Relationships"),
        }
    }
}

/// A member with what it is; the others get their usual values.
type Own = (&'static str, Element);

fn text(name: &'static str, text: impl Into<String>) -> Own {
    (name, Element::leaf(METADATA, name, text))
}

fn maybe(name: &'static str, text: Option<impl Into<String>>) -> Own {
    (name, Element::maybe(METADATA, name, text))
}

fn flag(name: &'static str, value: bool) -> Own {
    text(name, value.to_string())
}

fn id(id: Uuid) -> Own {
    text("MetadataId", id.to_string())
}

fn class(order: &str, ns: &'static str, generation: Generation, own: Vec<Own>) -> Vec<Element> {
    let first = match generation {
        Generation::Crm2011 => '5',
        Generation::Crm2016 => '7',
        Generation::Dataverse => '9',
    };
    let mut members = Vec::new();
    for entry in order.split(' ') {
        let mut parts = entry.split(':');
        let name = parts.next().unwrap_or_default();
        let how = parts.next().unwrap_or_default();
        if how.starts_with(|since| since > first) {
            continue;
        }
        // MetadataBase's members stay in its own namespace.
        let ns = if matches!(name, "MetadataId" | "HasChanged") { METADATA } else { ns };
        let given = own.iter().find(|(own, _)| *own == name).map(|(_, element)| element.clone());
        members.push(match given {
            Some(element) => element.renamed(ns, name),
            None if how.ends_with('b') => Element::leaf(ns, name, "false"),
            None if how.ends_with('m') => {
                let property = parts.next().map_or_else(|| name.to_ascii_lowercase(), str::to_owned);
                Element::new(ns, name).with_all(managed(&property, "true"))
            }
            None => Element::null(ns, name),
        });
    }
    members
}

/// The members of a managed property.
fn managed(property: &str, value: &str) -> Vec<Element> {
    vec![
        Element::leaf(XRM, "CanBeChanged", "true"),
        Element::leaf(XRM, "ManagedPropertyLogicalName", property),
        Element::leaf(XRM, "Value", value),
    ]
}

fn label(name: &'static str, label: &Label) -> Own {
    let members = |language: u32, text: &str| {
        vec![
            Element::null(METADATA, "MetadataId"),
            Element::null(METADATA, "HasChanged"),
            Element::leaf(XRM, "IsManaged", "false"),
            Element::leaf(XRM, "Label", text),
            Element::leaf(XRM, "LanguageCode", language.to_string()),
        ]
    };
    let all = label
        .0
        .iter()
        .map(|(language, text)| Element::new(XRM, "LocalizedLabel").with_all(members(*language, text)));
    let user = label.0.iter().find(|(language, _)| *language == 1033).or(label.0.first());
    let user = match user {
        Some((language, text)) => Element::new(XRM, "UserLocalizedLabel").with_all(members(*language, text)),
        None => Element::null(XRM, "UserLocalizedLabel"),
    };
    let element =
        Element::new(METADATA, name).with(Element::new(XRM, "LocalizedLabels").with_all(all)).with(user);
    (name, element)
}

fn strings(name: &'static str, texts: &[String]) -> Element {
    let texts = texts.iter().map(|text| Element::leaf(ARRAYS, "string", text.as_str()));
    Element::new(METADATA, name).declare(ARRAYS).with_all(texts)
}

fn list(name: &'static str, wanted: bool, items: impl IntoIterator<Item = Element>) -> Own {
    match wanted {
        true => (name, Element::new(METADATA, name).with_all(items)),
        false => (name, Element::null(METADATA, name)),
    }
}

/// Every table: `md:ArrayOfEntityMetadata`.
pub fn write_tables(metadata: &Metadata, parts: Parts, generation: Generation) -> Element {
    let tables = metadata.tables.iter().map(|table| {
        let mut one = write_table(table, metadata, parts, generation);
        one.kind = None;
        one.renamed(METADATA, "EntityMetadata")
    });
    Element::new(GENERIC, "value").kind(METADATA, "ArrayOfEntityMetadata").with_all(tables)
}

/// One table: `md:EntityMetadata`, ready to stand in an `Any::Raw`. Its relationships come from `metadata`.
pub fn write_table(table: &TableInfo, metadata: &Metadata, parts: Parts, generation: Generation) -> Element {
    let ownership = table.ownership.name();
    let one = |relation| write_one_to_many(relation, generation);
    let item = |element: Element, name: &'static str| {
        let mut element = element;
        element.kind = None;
        element.renamed(METADATA, name)
    };
    let columns = table.columns.iter().map(|column| {
        write_column(column, &table.logical_name, generation).renamed(METADATA, "AttributeMetadata")
    });
    let to_many = metadata.one_to_many_of(&table.logical_name);
    let to_one = metadata.many_to_one_of(&table.logical_name);
    let many = metadata.many_to_many_of(&table.logical_name);
    let keys = table.keys.iter().map(|info| key(info, &table.logical_name, generation));
    let own = vec![
        id(table.id),
        text("ActivityTypeMask", if table.is_activity { "1" } else { "0" }),
        list("Attributes", parts.attributes, columns),
        flag("ChangeTrackingEnabled", table.change_tracking),
        label("Description", &table.description),
        label("DisplayCollectionName", &table.collection_label),
        label("DisplayName", &table.label),
        flag("HasActivities", table.has_activities),
        flag("HasNotes", table.has_notes),
        flag("IsActivity", table.is_activity),
        flag("IsActivityParty", table.is_activity_party),
        flag("IsCustomEntity", table.is_custom),
        flag("IsIntersect", table.is_intersect),
        flag("IsManaged", table.is_managed),
        flag("IsValidForAdvancedFind", true),
        text("LogicalName", table.logical_name.as_str()),
        list(
            "ManyToManyRelationships",
            parts.relationships,
            many.map(|relation| {
                item(write_many_to_many(relation, generation), "ManyToManyRelationshipMetadata")
            }),
        ),
        list(
            "ManyToOneRelationships",
            parts.relationships,
            to_one.map(|relation| item(one(relation), "OneToManyRelationshipMetadata")),
        ),
        text("ObjectTypeCode", table.type_code.to_string()),
        list(
            "OneToManyRelationships",
            parts.relationships,
            to_many.map(|relation| item(one(relation), "OneToManyRelationshipMetadata")),
        ),
        text("OwnershipType", ownership),
        text("PrimaryIdAttribute", table.primary_id.as_str()),
        maybe("PrimaryNameAttribute", table.primary_name.as_deref()),
        list("Privileges", parts.privileges, table.privileges.iter().map(privilege)),
        text("SchemaName", table.schema_name.as_str()),
        text("IntroducedVersion", "5.0.0.0"),
        flag("IsOptimisticConcurrencyEnabled", true),
        list("Keys", true, keys),
        text("LogicalCollectionName", table.entity_set.as_str()),
        text("EntitySetName", table.entity_set.as_str()),
    ];
    Element::new(GENERIC, "value").kind(METADATA, "EntityMetadata").with_all(class(
        order::TABLE,
        METADATA,
        generation,
        own,
    ))
}

fn privilege(info: &PrivilegeInfo) -> Element {
    let members = [
        ("CanBeBasic", info.levels.to_string()),
        ("CanBeDeep", info.levels.to_string()),
        ("CanBeGlobal", "true".to_owned()),
        ("CanBeLocal", info.levels.to_string()),
        ("Name", info.name.clone()),
        ("PrivilegeId", info.id.to_string()),
        ("PrivilegeType", info.kind.name().to_owned()),
    ];
    let members = members.into_iter().map(|(name, text)| Element::leaf(METADATA, name, text));
    Element::new(METADATA, "SecurityPrivilegeMetadata").with_all(members)
}

fn key(info: &KeyInfo, table: &str, generation: Generation) -> Element {
    let own = vec![
        id(info.id),
        label("DisplayName", &info.label),
        text("EntityKeyIndexStatus", info.status.name()),
        text("EntityLogicalName", table),
        ("KeyAttributes", strings("KeyAttributes", &info.columns)),
        text("LogicalName", info.logical_name.as_str()),
        text("SchemaName", info.schema_name.as_str()),
    ];
    Element::new(METADATA_71, "EntityKeyMetadata").with_all(class(order::KEY, METADATA_71, generation, own))
}

/// One column of `table`: `md:StringAttributeMetadata` and its like.
pub fn write_column(column: &ColumnInfo, table: &str, generation: Generation) -> Element {
    let level = column.required.name();
    let (ns, kind, code, type_name) = names(&column.kind, generation);
    let required =
        Element::new(METADATA, "RequiredLevel").with_all(managed("canmodifyrequirementlevelsettings", level));
    let type_name = Element::leaf(METADATA_2013, "Value", type_name);
    let own = vec![
        id(column.id),
        maybe("AttributeOf", column.attribute_of.as_deref()),
        text("AttributeType", code),
        text("ColumnNumber", column.number.to_string()),
        label("Description", &column.description),
        label("DisplayName", &column.label),
        text("EntityLogicalName", table),
        flag("IsCustomAttribute", column.is_custom),
        flag("IsFilterable", true),
        flag("IsPrimaryId", column.is_primary_id),
        flag("IsPrimaryName", column.is_primary_name),
        flag("IsRetrievable", true),
        flag("IsSearchable", true),
        flag("IsSecured", column.is_secured),
        flag("IsValidForCreate", column.valid_for_create),
        flag("IsValidForRead", column.valid_for_read),
        flag("IsValidForUpdate", column.valid_for_update),
        flag("IsValidODataAttribute", true),
        text("LogicalName", column.logical_name.as_str()),
        ("RequiredLevel", required),
        text("SchemaName", column.schema_name.as_str()),
        (
            "AttributeTypeName",
            Element::new(METADATA, "AttributeTypeName").declare(METADATA_2013).with(type_name),
        ),
        text("IntroducedVersion", "5.0.0.0"),
    ];
    Element::new(GENERIC, "value")
        .kind(ns, kind)
        .with_all(class(order::COLUMN, METADATA, generation, own))
        .with_all(special(&column.kind, generation))
}

/// Namespace and name of the class, `AttributeType`, `AttributeTypeName`.
fn names(
    kind: &ColumnKind,
    generation: Generation,
) -> (&'static str, &'static str, &'static str, &'static str) {
    let md = |class, code, name| (METADATA, class, code, name);
    match kind {
        ColumnKind::Boolean { .. } => md("BooleanAttributeMetadata", "Boolean", "BooleanType"),
        ColumnKind::Integer { .. } => md("IntegerAttributeMetadata", "Integer", "IntegerType"),
        ColumnKind::BigInt => md("BigIntAttributeMetadata", "BigInt", "BigIntType"),
        ColumnKind::Decimal { .. } => md("DecimalAttributeMetadata", "Decimal", "DecimalType"),
        ColumnKind::Double { .. } => md("DoubleAttributeMetadata", "Double", "DoubleType"),
        ColumnKind::Money { .. } => md("MoneyAttributeMetadata", "Money", "MoneyType"),
        ColumnKind::String { .. } => md("StringAttributeMetadata", "String", "StringType"),
        ColumnKind::Memo { .. } => md("MemoAttributeMetadata", "Memo", "MemoType"),
        ColumnKind::DateTime { .. } => md("DateTimeAttributeMetadata", "DateTime", "DateTimeType"),
        ColumnKind::Picklist { .. } => md("PicklistAttributeMetadata", "Picklist", "PicklistType"),
        ColumnKind::State { .. } => md("StateAttributeMetadata", "State", "StateType"),
        ColumnKind::Status { .. } => md("StatusAttributeMetadata", "Status", "StatusType"),
        ColumnKind::Lookup { .. } => md("LookupAttributeMetadata", "Lookup", "LookupType"),
        ColumnKind::Customer { .. } => md("LookupAttributeMetadata", "Customer", "CustomerType"),
        ColumnKind::Owner { .. } => md("LookupAttributeMetadata", "Owner", "OwnerType"),
        ColumnKind::PartyList { .. } => md("LookupAttributeMetadata", "PartyList", "PartyListType"),
        ColumnKind::EntityName => md("EntityNameAttributeMetadata", "EntityName", "EntityNameType"),
        ColumnKind::Virtual => md("AttributeMetadata", "Virtual", "VirtualType"),
        ColumnKind::Uniqueidentifier if generation >= Generation::Crm2016 => {
            (METADATA_71, "UniqueIdentifierAttributeMetadata", "Uniqueidentifier", "UniqueidentifierType")
        }
        ColumnKind::Uniqueidentifier => md("AttributeMetadata", "Uniqueidentifier", "UniqueidentifierType"),
        ColumnKind::MultiSelect { .. } => {
            (METADATA_90, "MultiSelectPicklistAttributeMetadata", "Virtual", "MultiSelectPicklistType")
        }
        ColumnKind::File { .. } => (METADATA_90, "FileAttributeMetadata", "Virtual", "FileType"),
        ColumnKind::Image { .. } => (METADATA_2013, "ImageAttributeMetadata", "Virtual", "ImageType"),
    }
}

/// The members that only this class has.
fn special(kind: &ColumnKind, generation: Generation) -> Vec<Element> {
    let leaf = |name: &'static str, text: String| Element::leaf(METADATA, name, text);
    let null = |name: &'static str| Element::null(METADATA, name);
    let ime = || leaf("ImeMode", "Auto".into());
    let range = |min: f64, max: f64, precision: u8| {
        vec![
            ime(),
            leaf("MaxValue", max.to_string()),
            leaf("MinValue", min.to_string()),
            leaf("Precision", precision.to_string()),
        ]
    };
    let named = |format: &str| {
        let value = Element::leaf(METADATA_2013, "Value", format);
        Element::new(METADATA, "FormatName").declare(METADATA_2013).with(value)
    };
    match kind {
        ColumnKind::Boolean { yes, no, default } => {
            vec![leaf("DefaultValue", default.to_string()), two(yes, no, generation)]
        }
        ColumnKind::Integer { min, max, format } => {
            vec![
                leaf("Format", format.clone()),
                leaf("MaxValue", max.to_string()),
                leaf("MinValue", min.to_string()),
            ]
        }
        ColumnKind::BigInt => {
            vec![leaf("MaxValue", i64::MAX.to_string()), leaf("MinValue", i64::MIN.to_string())]
        }
        ColumnKind::Decimal { min, max, precision } | ColumnKind::Double { min, max, precision } => {
            range(*min, *max, *precision)
        }
        ColumnKind::Money { min, max, precision, source } => {
            let mut members = vec![null("CalculationOf")];
            members.extend(range(*min, *max, *precision));
            members.push(leaf("PrecisionSource", source.to_string()));
            members
        }
        ColumnKind::String { max_length, format } => {
            // Formats younger than the enumeration stand in FormatName alone.
            let old = if format == "Phone" { "Text" } else { format.as_str() };
            vec![
                leaf("Format", old.into()),
                ime(),
                leaf("MaxLength", max_length.to_string()),
                null("YomiOf"),
                named(format),
            ]
        }
        ColumnKind::Memo { max_length } => {
            vec![leaf("Format", "TextArea".into()), ime(), leaf("MaxLength", max_length.to_string())]
        }
        ColumnKind::DateTime { date_only, behavior } => date_time(*date_only, *behavior, generation),
        ColumnKind::Picklist { options, default } => {
            vec![
                Element::maybe(METADATA, "DefaultFormValue", default.map(|value| value.to_string())),
                set(options, "Picklist", generation),
            ]
        }
        ColumnKind::MultiSelect { options } => {
            vec![null("DefaultFormValue"), set(options, "Picklist", generation)]
        }
        ColumnKind::State { options } => vec![null("DefaultFormValue"), set(options, "State", generation)],
        ColumnKind::Status { options } => vec![null("DefaultFormValue"), set(options, "Status", generation)],
        ColumnKind::Lookup { targets }
        | ColumnKind::Customer { targets }
        | ColumnKind::Owner { targets }
        | ColumnKind::PartyList { targets } => {
            vec![strings("Targets", targets)]
        }
        ColumnKind::File { max_kb } => vec![Element::leaf(METADATA_90, "MaxSizeInKB", max_kb.to_string())],
        ColumnKind::Image { max_kb } => vec![Element::leaf(METADATA_2013, "MaxSizeInKB", max_kb.to_string())],
        ColumnKind::EntityName => vec![null("DefaultFormValue"), null("OptionSet")],
        ColumnKind::Uniqueidentifier | ColumnKind::Virtual => Vec::new(),
    }
}

/// The members that only a time has; its behaviour is younger than 2015.
fn date_time(date_only: bool, behavior: DateTimeBehavior, generation: Generation) -> Vec<Element> {
    let format = if date_only { "DateOnly" } else { "DateAndTime" };
    let mut members =
        vec![Element::leaf(METADATA, "Format", format), Element::leaf(METADATA, "ImeMode", "Auto")];
    if generation >= Generation::Crm2016 {
        // A member of ConstantsBase, which is of 2013.
        let value = Element::leaf(METADATA_2013, "Value", behavior.name());
        members.push(Element::new(METADATA, "DateTimeBehavior").with(value));
    }
    members
}

fn two(yes: &Label, no: &Label, generation: Generation) -> Element {
    let own = vec![text("OptionSetType", "Boolean")];
    let option = |name: &'static str, value: i32, text: &Label| {
        let item = OptionItem { value, label: text.clone(), state: None, default_status: None };
        self::option(&item, generation).renamed(METADATA, name)
    };
    Element::new(METADATA, "OptionSet")
        .with_all(class(order::OPTION_SET, METADATA, generation, own))
        .with(option("FalseOption", 0, no))
        .with(option("TrueOption", 1, yes))
}

fn set(options: &OptionSet, kind: &str, generation: Generation) -> Element {
    let own = vec![
        id(options.id),
        label("Description", &options.description),
        label("DisplayName", &options.label),
        flag("IsCustomOptionSet", options.is_custom),
        flag("IsGlobal", options.is_global),
        text("Name", options.name.as_str()),
        text("OptionSetType", kind),
    ];
    let all = options.options.iter().map(|item| option(item, generation));
    Element::new(METADATA, "OptionSet")
        .with_all(class(order::OPTION_SET, METADATA, generation, own))
        .with(Element::new(METADATA, "Options").with_all(all))
}

/// A set of choices: `md:OptionSetMetadata`.
pub fn write_option_set(options: &OptionSet, generation: Generation) -> Element {
    set(options, "Picklist", generation).renamed(GENERIC, "value").kind(METADATA, "OptionSetMetadata")
}

fn option(item: &OptionItem, generation: Generation) -> Element {
    let own = vec![label("Label", &item.label), text("Value", item.value.to_string())];
    let at =
        Element::new(METADATA, "OptionMetadata").with_all(class(order::OPTION, METADATA, generation, own));
    let leaf = |name: &'static str, value: i32| Element::leaf(METADATA, name, value.to_string());
    if let Some(status) = item.default_status {
        let invariant = Element::maybe(METADATA, "InvariantName", item.label.text());
        return at.kind(METADATA, "StateOptionMetadata").with(leaf("DefaultStatus", status)).with(invariant);
    }
    match item.state {
        Some(state) => at
            .kind(METADATA, "StatusOptionMetadata")
            .with(leaf("State", state))
            .with(Element::null(METADATA, "TransitionData")),
        None => at,
    }
}

fn relationship(
    at: Uuid,
    schema_name: &str,
    custom: bool,
    kind: &str,
    generation: Generation,
) -> Vec<Element> {
    let own = vec![
        id(at),
        flag("IsCustomRelationship", custom),
        flag("IsValidForAdvancedFind", true),
        text("SchemaName", schema_name),
        text("SecurityTypes", "Append"),
        text("RelationshipType", kind),
    ];
    class(order::RELATIONSHIP, METADATA, generation, own)
}

fn menu(name: &'static str) -> Element {
    Element::new(METADATA, name)
        .with(Element::leaf(METADATA, "Behavior", "UseCollectionName"))
        .with(Element::leaf(METADATA, "Group", "Details"))
        .with(Element::null(METADATA, "Label"))
        .with(Element::null(METADATA, "Order"))
}

/// A lookup's relationship: `md:OneToManyRelationshipMetadata`.
pub fn write_one_to_many(relation: &OneToMany, generation: Generation) -> Element {
    let newer = generation >= Generation::Crm2016;
    let leaf = |name: &'static str, text: &str| Element::leaf(METADATA, name, text);
    let own = &relation.cascade;
    let cascades = [
        ("Assign", own.assign),
        ("Delete", own.delete),
        ("Merge", own.merge),
        ("Reparent", own.reparent),
        ("Share", own.share),
        ("Unshare", own.unshare),
    ];
    let cascades = cascades.into_iter().map(|(name, kind)| leaf(name, kind.name()));
    let base = relationship(
        relation.id,
        &relation.schema_name,
        relation.is_custom,
        "OneToManyRelationship",
        generation,
    );
    Element::new(GENERIC, "value")
        .kind(METADATA, "OneToManyRelationshipMetadata")
        .with_all(base)
        .with(menu("AssociatedMenuConfiguration"))
        .with(Element::new(METADATA, "CascadeConfiguration").with_all(cascades))
        .with_all(newer.then(|| leaf("IsHierarchical", "false")))
        .with(leaf("ReferencedAttribute", &relation.referenced_column))
        .with(leaf("ReferencedEntity", &relation.referenced_table))
        .with_all(
            newer.then(|| leaf("ReferencedEntityNavigationPropertyName", &relation.referenced_navigation)),
        )
        .with(leaf("ReferencingAttribute", &relation.referencing_column))
        .with(leaf("ReferencingEntity", &relation.referencing_table))
        .with_all(
            newer.then(|| leaf("ReferencingEntityNavigationPropertyName", &relation.referencing_navigation)),
        )
}

/// A relationship of its own: `md:ManyToManyRelationshipMetadata`.
pub fn write_many_to_many(relation: &ManyToMany, generation: Generation) -> Element {
    let newer = generation >= Generation::Crm2016;
    let leaf = |name: &'static str, text: &str| Element::leaf(METADATA, name, text);
    let (one, two) = (&relation.first, &relation.second);
    let base = relationship(
        relation.id,
        &relation.schema_name,
        relation.is_custom,
        "ManyToManyRelationship",
        generation,
    );
    Element::new(GENERIC, "value")
        .kind(METADATA, "ManyToManyRelationshipMetadata")
        .with_all(base)
        .with(menu("Entity1AssociatedMenuConfiguration"))
        .with(leaf("Entity1IntersectAttribute", &one.column))
        .with(leaf("Entity1LogicalName", &one.table))
        .with_all(newer.then(|| leaf("Entity1NavigationPropertyName", &one.navigation)))
        .with(menu("Entity2AssociatedMenuConfiguration"))
        .with(leaf("Entity2IntersectAttribute", &two.column))
        .with(leaf("Entity2LogicalName", &two.table))
        .with_all(newer.then(|| leaf("Entity2NavigationPropertyName", &two.navigation)))
        .with(leaf("IntersectEntityName", &relation.intersect_table))
}
