//! The types of definitions: which members each has, of what type, and what a member is when nobody says.
//!
//! One list for three uses: rows are filled by it, `$select` and `$filter` are checked against it, `$metadata` declares it.
//! Source: the metadata entity types of the Web API reference; dataverse.md A16.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

/// What a type is to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Entity,
    Complex,
}

/// One type.
#[derive(Debug)]
pub(crate) struct Type {
    pub name: &'static str,
    pub base: Option<&'static str>,
    pub sort: Sort,
    pub members: Vec<Member>,
    pub navigations: Vec<Navigation>,
}

/// One property.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub name: &'static str,
    pub code: Code,
}

/// A navigation property.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Navigation {
    pub name: &'static str,
    pub target: &'static str,
    pub many: bool,
}

/// Type and usual value of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Text,
    /// Never null; this when nobody says.
    Flag(bool),
    MaybeFlag,
    Int,
    Long,
    Decimal,
    Double,
    Time,
    Guid,
    /// `BooleanManagedProperty` with the logical name of the property.
    Managed(&'static str),
    Label,
    Enum(&'static str),
    Complex(&'static str),
    Texts,
    Numbers,
    Many(&'static str),
}

/// Name, base, members. `Name:code[:more]`: s text, b false, y true, n maybe a flag, i Int32, l Int64, d decimal, f double,
/// t time, g guid, m managed property (its name, when not the member's own), L label, e enumeration, c complex, S texts,
/// N numbers, C several complex.
const ENTITIES: &[(&str, &str, &str)] = &[
    ("MetadataBase", "", "MetadataId:g HasChanged:n"),
    (
        "EntityMetadata",
        "MetadataBase",
        "ActivityTypeMask:i AutoRouteToOwnerQueue:b CanTriggerWorkflow:y EntityHelpUrlEnabled:b EntityHelpUrl:s \
         IsDocumentManagementEnabled:b IsOneNoteIntegrationEnabled:b IsInteractionCentricEnabled:b \
         IsKnowledgeManagementEnabled:b IsSLAEnabled:b IsBPFEntity:b IsDocumentRecommendationsEnabled:b \
         IsMSTeamsIntegrationEnabled:b SettingOf:s DataProviderId:g DataSourceId:g AutoCreateAccessTeams:b IsActivity:b \
         IsActivityParty:b IsRetrieveAuditEnabled:b IsRetrieveMultipleAuditEnabled:b IsArchivalEnabled:b \
         IsRetentionEnabled:b ClusterMode:e:EntityClusterMode IsAvailableOffline:b IsChildEntity:b IsAIRUpdated:b \
         IconLargeName:s IconMediumName:s IconSmallName:s IconVectorName:s IsCustomEntity:b IsBusinessProcessEnabled:b \
         SyncToExternalSearchIndex:b IsOptimisticConcurrencyEnabled:y ChangeTrackingEnabled:b IsImportable:y IsIntersect:b \
         IsManaged:b IsEnabledForCharts:b IsEnabledForTrace:b IsValidForAdvancedFind:y DaysSinceRecordLastModified:i \
         MobileOfflineFilters:s IsReadingPaneEnabled:y IsQuickCreateEnabled:b LogicalName:s ObjectTypeCode:i \
         OwnershipType:e:OwnershipTypes PrimaryNameAttribute:s PrimaryImageAttribute:s PrimaryIdAttribute:s \
         RecurrenceBaseEntityLogicalName:s ReportViewName:s SchemaName:s IntroducedVersion:s IsStateModelAware:b \
         EnforceStateTransitions:b ExternalName:s EntityColor:s LogicalCollectionName:s ExternalCollectionName:s \
         CollectionSchemaName:s EntitySetName:s IsEnabledForExternalChannels:b IsPrivate:b UsesBusinessDataLabelTable:b \
         IsLogicalEntity:b HasNotes:b HasActivities:b HasFeedback:b IsSolutionAware:b CreatedOn:t ModifiedOn:t \
         HasEmailAddresses:b OwnerId:g OwnerIdType:i OwningBusinessUnit:g TableType:s Description:L \
         DisplayCollectionName:L DisplayName:L IsAuditEnabled:m:canmodifyauditsettings \
         IsValidForQueue:m:canmodifyqueuesettings IsConnectionsEnabled:m:canmodifyconnectionsettings IsCustomizable:m \
         IsRenameable:m IsMappable:m IsDuplicateDetectionEnabled:m:canmodifyduplicatedetectionsettings \
         CanCreateAttributes:m CanCreateForms:m CanCreateViews:m CanCreateCharts:m CanBeRelatedEntityInRelationship:m \
         CanBePrimaryEntityInRelationship:m CanBeInManyToMany:m CanBeInCustomEntityAssociation:m \
         CanEnableSyncToExternalSearchIndex:m CanModifyAdditionalSettings:m CanChangeHierarchicalRelationship:m \
         CanChangeTrackingBeEnabled:m IsMailMergeEnabled:m:canmodifymailmergesettings \
         IsVisibleInMobile:m:canmodifymobilevisibility IsVisibleInMobileClient:m:canmodifymobileclientvisibility \
         IsReadOnlyInMobileClient:m:canmodifymobileclientreadonly \
         IsOfflineInMobileClient:m:canmodifymobileclientoffline Privileges:C:SecurityPrivilegeMetadata",
    ),
    (
        "AttributeMetadata",
        "MetadataBase",
        "AttributeOf:s AttributeType:e:AttributeTypeCode ColumnNumber:i DeprecatedVersion:s IntroducedVersion:s \
         EntityLogicalName:s IsCustomAttribute:b IsPrimaryId:b IsValidODataAttribute:b IsPrimaryName:b IsValidForCreate:b \
         IsValidForRead:b IsValidForUpdate:b CanBeSecuredForRead:b CanBeSecuredForCreate:b CanBeSecuredForUpdate:b \
         IsSecured:b IsRetrievable:b IsFilterable:b IsSearchable:b IsManaged:b LinkedAttributeId:g LogicalName:s \
         IsValidForForm:b IsRequiredForForm:b IsValidForGrid:b SchemaName:s ExternalName:s IsLogical:b \
         IsDataSourceSecret:b InheritsFrom:s CreatedOn:t ModifiedOn:t SourceType:i AutoNumberFormat:s \
         AttributeTypeName:c:AttributeTypeDisplayName Description:L DisplayName:L IsAuditEnabled:m:canmodifyauditsettings \
         IsGlobalFilterEnabled:m:canmodifyglobalfiltersettings IsSortableEnabled:m:canmodifyissortablesettings \
         IsCustomizable:m IsRenameable:m IsValidForAdvancedFind:m:canmodifysearchsettings \
         RequiredLevel:c:AttributeRequiredLevelManagedProperty CanModifyAdditionalSettings:m",
    ),
    ("BigIntAttributeMetadata", "AttributeMetadata", "MaxValue:l MinValue:l"),
    ("BooleanAttributeMetadata", "AttributeMetadata", "DefaultValue:b FormulaDefinition:s SourceTypeMask:i"),
    (
        "DateTimeAttributeMetadata",
        "AttributeMetadata",
        "MinSupportedValue:t MaxSupportedValue:t Format:e:DateTimeFormat ImeMode:e:ImeMode SourceTypeMask:i \
         FormulaDefinition:s DateTimeBehavior:c:DateTimeBehavior CanChangeDateTimeBehavior:m",
    ),
    (
        "DecimalAttributeMetadata",
        "AttributeMetadata",
        "MaxValue:d MinValue:d Precision:i ImeMode:e:ImeMode FormulaDefinition:s SourceTypeMask:i",
    ),
    ("DoubleAttributeMetadata", "AttributeMetadata", "ImeMode:e:ImeMode MaxValue:f MinValue:f Precision:i"),
    ("EnumAttributeMetadata", "AttributeMetadata", "DefaultFormValue:i"),
    ("EntityNameAttributeMetadata", "EnumAttributeMetadata", "IsEntityReferenceStored:b"),
    (
        "MultiSelectPicklistAttributeMetadata",
        "EnumAttributeMetadata",
        "FormulaDefinition:s SourceTypeMask:i ParentPicklistLogicalName:s ChildPicklistLogicalNames:S",
    ),
    (
        "PicklistAttributeMetadata",
        "EnumAttributeMetadata",
        "FormulaDefinition:s SourceTypeMask:i ParentPicklistLogicalName:s ChildPicklistLogicalNames:S",
    ),
    ("StateAttributeMetadata", "EnumAttributeMetadata", ""),
    ("StatusAttributeMetadata", "EnumAttributeMetadata", ""),
    ("FileAttributeMetadata", "AttributeMetadata", "MaxSizeInKB:i"),
    (
        "ImageAttributeMetadata",
        "AttributeMetadata",
        "IsPrimaryImage:b CanStoreFullImage:y MaxSizeInKB:i MaxHeight:i MaxWidth:i",
    ),
    (
        "IntegerAttributeMetadata",
        "AttributeMetadata",
        "Format:e:IntegerFormat MaxValue:i MinValue:i FormulaDefinition:s SourceTypeMask:i",
    ),
    ("LookupAttributeMetadata", "AttributeMetadata", "Targets:S Format:e:LookupFormat"),
    (
        "ManagedPropertyAttributeMetadata",
        "AttributeMetadata",
        "ManagedPropertyLogicalName:s ParentEntityName:s ParentComponentType:i ValueAttributeTypeCode:e:AttributeTypeCode",
    ),
    (
        "MemoAttributeMetadata",
        "AttributeMetadata",
        "Format:e:StringFormat ImeMode:e:ImeMode MaxLength:i IsLocalizable:b FormatName:c:MemoFormatName",
    ),
    (
        "MoneyAttributeMetadata",
        "AttributeMetadata",
        "ImeMode:e:ImeMode MaxValue:f MinValue:f Precision:i PrecisionSource:i CalculationOf:s FormulaDefinition:s \
         SourceTypeMask:i IsBaseCurrency:b",
    ),
    (
        "StringAttributeMetadata",
        "AttributeMetadata",
        "Format:e:StringFormat ImeMode:e:ImeMode MaxLength:i YomiOf:s IsLocalizable:b DatabaseLength:i \
         FormulaDefinition:s SourceTypeMask:i FormatName:c:StringFormatName",
    ),
    ("UniqueIdentifierAttributeMetadata", "AttributeMetadata", ""),
    (
        "EntityKeyMetadata",
        "MetadataBase",
        "KeyAttributes:S IsSynchronous:b IsManaged:b IntroducedVersion:s LogicalName:s SchemaName:s EntityLogicalName:s \
         EntityKeyIndexStatus:e:EntityKeyIndexStatus IsExportKey:b IsSecondaryKey:b DisplayName:L IsCustomizable:m",
    ),
    (
        "RelationshipMetadataBase",
        "MetadataBase",
        "IsCustomRelationship:b IsValidForAdvancedFind:y SchemaName:s SecurityTypes:e:SecurityTypes IsManaged:b \
         RelationshipType:e:RelationshipType IntroducedVersion:s IsCustomizable:m",
    ),
    (
        "OneToManyRelationshipMetadata",
        "RelationshipMetadataBase",
        "ReferencedAttribute:s ReferencedEntity:s ReferencingAttribute:s ReferencingEntity:s IsHierarchical:b \
         EntityKey:s RelationshipBehavior:i IsDenormalizedLookup:b DenormalizedAttributeName:s \
         IsRelationshipAttributeDenormalized:b ReferencedEntityNavigationPropertyName:s \
         ReferencingEntityNavigationPropertyName:s AssociatedMenuConfiguration:c:AssociatedMenuConfiguration \
         CascadeConfiguration:c:CascadeConfiguration RelationshipAttributes:C:RelationshipAttribute",
    ),
    (
        "ManyToManyRelationshipMetadata",
        "RelationshipMetadataBase",
        "Entity1LogicalName:s Entity2LogicalName:s IntersectEntityName:s Entity1IntersectAttribute:s \
         Entity2IntersectAttribute:s Entity1NavigationPropertyName:s Entity2NavigationPropertyName:s \
         Entity1AssociatedMenuConfiguration:c:AssociatedMenuConfiguration \
         Entity2AssociatedMenuConfiguration:c:AssociatedMenuConfiguration",
    ),
    (
        "OptionSetMetadataBase",
        "MetadataBase",
        "IsCustomOptionSet:b IsGlobal:b IsManaged:b Name:s ExternalTypeName:s OptionSetType:e:OptionSetType \
         IntroducedVersion:s Description:L DisplayName:L IsCustomizable:m",
    ),
    (
        "BooleanOptionSetMetadata",
        "OptionSetMetadataBase",
        "TrueOption:c:OptionMetadata FalseOption:c:OptionMetadata",
    ),
    ("OptionSetMetadata", "OptionSetMetadataBase", "ParentOptionSetName:s Options:C:OptionMetadata"),
    (
        "ManagedPropertyMetadata",
        "MetadataBase",
        "LogicalName:s ManagedPropertyType:e:ManagedPropertyType Operation:e:ManagedPropertyOperation \
         EvaluationPriority:e:ManagedPropertyEvaluationPriority IsPrivate:b IsGlobalForOperation:b IntroducedVersion:s \
         EnablesEntityName:s EnablesAttributeName:s ErrorCode:i DisplayName:L Description:L",
    ),
];

const COMPLEX: &[(&str, &str, &str)] = &[
    ("LocalizedLabel", "", "Label:s LanguageCode:i IsManaged:n MetadataId:g HasChanged:n"),
    ("Label", "", "LocalizedLabels:C:LocalizedLabel UserLocalizedLabel:c:LocalizedLabel"),
    ("BooleanManagedProperty", "", "Value:b CanBeChanged:y ManagedPropertyLogicalName:s"),
    (
        "AttributeRequiredLevelManagedProperty",
        "",
        "Value:e:AttributeRequiredLevel CanBeChanged:y ManagedPropertyLogicalName:s",
    ),
    ("AttributeTypeDisplayName", "", "Value:s"),
    ("StringFormatName", "", "Value:s"),
    ("MemoFormatName", "", "Value:s"),
    ("DateTimeBehavior", "", "Value:s"),
    (
        "SecurityPrivilegeMetadata",
        "",
        "CanBeBasic:b CanBeDeep:b CanBeEntityReference:b CanBeGlobal:b CanBeLocal:b CanBeParentEntityReference:b \
         CanBeRecordFilter:b Name:s PrivilegeId:g PrivilegeType:e:PrivilegeType",
    ),
    (
        "AssociatedMenuConfiguration",
        "",
        "Behavior:e:AssociatedMenuBehavior Group:e:AssociatedMenuGroup Order:i IsCustomizable:y Icon:s ViewId:g \
         AvailableOffline:y MenuId:s QueryApi:s Label:L",
    ),
    (
        "CascadeConfiguration",
        "",
        "Assign:e:CascadeType Delete:e:CascadeType Archive:e:CascadeType Merge:e:CascadeType Reparent:e:CascadeType \
         Share:e:CascadeType Unshare:e:CascadeType RollupView:e:CascadeType",
    ),
    ("RelationshipAttribute", "", "ReferencedAttribute:s ReferencingAttribute:s"),
    (
        "OptionMetadata",
        "",
        "Value:i Color:s IsManaged:b ExternalValue:s ParentValues:N Tag:s IsHidden:b MetadataId:g HasChanged:n Label:L \
         Description:L",
    ),
    ("Object", "", "Type:s Value:s"),
    ("MetadataPropertiesExpression", "", "AllProperties:b PropertyNames:S"),
    (
        "MetadataConditionExpression",
        "",
        "PropertyName:s ConditionOperator:e:MetadataConditionOperator Value:c:Object",
    ),
    (
        "MetadataFilterExpression",
        "",
        "FilterOperator:e:LogicalOperator Conditions:C:MetadataConditionExpression Filters:C:MetadataFilterExpression",
    ),
    ("MetadataQueryBase", "", ""),
    (
        "MetadataQueryExpression",
        "MetadataQueryBase",
        "Properties:c:MetadataPropertiesExpression Criteria:c:MetadataFilterExpression",
    ),
    ("AttributeQueryExpression", "MetadataQueryExpression", ""),
    ("RelationshipQueryExpression", "MetadataQueryExpression", ""),
    ("EntityKeyQueryExpression", "MetadataQueryExpression", ""),
    ("LabelQueryExpression", "MetadataQueryBase", "FilterLanguages:N MissingLabelBehavior:i"),
    (
        "EntityQueryExpression",
        "MetadataQueryExpression",
        "AttributeQuery:c:AttributeQueryExpression RelationshipQuery:c:RelationshipQueryExpression \
         KeyQuery:c:EntityKeyQueryExpression LabelQuery:c:LabelQueryExpression",
    ),
    ("DeletedMetadataCollection", "", "Count:i IsReadOnly:b Keys:S Values:S"),
    ("StateOptionMetadata", "OptionMetadata", "DefaultStatus:i InvariantName:s"),
    ("StatusOptionMetadata", "OptionMetadata", "State:i TransitionData:s"),
];

/// Type, property, target, several.
const NAVIGATIONS: &[(&str, &str, &str, bool)] = &[
    ("EntityMetadata", "Attributes", "AttributeMetadata", true),
    ("EntityMetadata", "Keys", "EntityKeyMetadata", true),
    ("EntityMetadata", "ManyToManyRelationships", "ManyToManyRelationshipMetadata", true),
    ("EntityMetadata", "ManyToOneRelationships", "OneToManyRelationshipMetadata", true),
    ("EntityMetadata", "OneToManyRelationships", "OneToManyRelationshipMetadata", true),
    ("BooleanAttributeMetadata", "OptionSet", "BooleanOptionSetMetadata", false),
    ("BooleanAttributeMetadata", "GlobalOptionSet", "BooleanOptionSetMetadata", false),
    ("EnumAttributeMetadata", "OptionSet", "OptionSetMetadata", false),
    ("EnumAttributeMetadata", "GlobalOptionSet", "OptionSetMetadata", false),
];

static TYPES: LazyLock<Vec<Type>> = LazyLock::new(|| {
    let entities = ENTITIES.iter().map(|row| (Sort::Entity, row));
    let complex = COMPLEX.iter().map(|row| (Sort::Complex, row));
    complex.chain(entities).map(|(sort, row)| read(sort, row)).collect()
});

static NAMES: LazyLock<HashMap<&'static str, usize>> =
    LazyLock::new(|| TYPES.iter().enumerate().map(|(place, one)| (one.name, place)).collect());

/// Every type, in an order in which bases come first.
pub(crate) fn all() -> &'static [Type] {
    &TYPES
}

pub(crate) fn find(name: &str) -> Option<&'static Type> {
    NAMES.get(name).map(|place| &TYPES[*place])
}

/// The type of this name; it stands in this file.
pub(super) fn known(name: &str) -> &'static Type {
    find(name).expect("a test asks for every type that rows have")
}

fn read(sort: Sort, (name, base, members): &(&'static str, &'static str, &'static str)) -> Type {
    let navigation = |(_, name, target, many): &(&str, &'static str, &'static str, bool)| Navigation {
        name,
        target,
        many: *many,
    };
    Type {
        name,
        base: Some(*base).filter(|base| !base.is_empty()),
        sort,
        members: members.split_whitespace().map(member).collect(),
        navigations: NAVIGATIONS.iter().filter(|(of, ..)| of == name).map(navigation).collect(),
    }
}

fn member(entry: &'static str) -> Member {
    let mut parts = entry.split(':');
    let name = parts.next().unwrap_or_default();
    let code = parts.next().unwrap_or_default();
    let more = parts.next().unwrap_or_default();
    let code = match code {
        "s" => Code::Text,
        "b" => Code::Flag(false),
        "y" => Code::Flag(true),
        "n" => Code::MaybeFlag,
        "i" => Code::Int,
        "l" => Code::Long,
        "d" => Code::Decimal,
        "f" => Code::Double,
        "t" => Code::Time,
        "g" => Code::Guid,
        "m" => Code::Managed(more),
        "L" => Code::Label,
        "e" => Code::Enum(more),
        "c" => Code::Complex(more),
        "S" => Code::Texts,
        "N" => Code::Numbers,
        "C" => Code::Many(more),
        _ => unreachable!("a test reads every member"),
    };
    Member { name, code }
}

impl Type {
    /// This type and those it is made of, itself first.
    pub(crate) fn line(&'static self) -> impl Iterator<Item = &'static Type> {
        std::iter::successors(Some(self), |one| one.base.and_then(find))
    }

    pub(crate) fn is_a(&'static self, name: &str) -> bool {
        self.line().any(|one| one.name == name)
    }

    /// Its properties, those of its bases too.
    pub(crate) fn properties(&'static self) -> impl Iterator<Item = &'static Member> {
        self.line().flat_map(|one| &one.members)
    }

    pub(crate) fn property(&'static self, name: &str) -> Option<&'static Member> {
        self.properties().find(|member| member.name == name)
    }

    pub(crate) fn navigation(&'static self, name: &str) -> Option<&'static Navigation> {
        self.line().flat_map(|one| &one.navigations).find(|one| one.name == name)
    }

    /// This type and those made of it: what rows of a list of it may be.
    pub(super) fn family(&'static self) -> impl Iterator<Item = &'static Type> {
        all().iter().filter(|one| one.is_a(self.name))
    }
}

impl Member {
    /// What it is when nobody says.
    pub(super) fn usual(&self) -> Value {
        match self.code {
            Code::Flag(value) => Value::Bool(value),
            Code::Managed(_) => self.managed(true),
            Code::Label => json!({"LocalizedLabels": [], "UserLocalizedLabel": null}),
            Code::Texts | Code::Numbers | Code::Many(_) => Value::Array(Vec::new()),
            _ => Value::Null,
        }
    }

    /// A managed property with this value.
    pub(super) fn managed(&self, value: bool) -> Value {
        let name = match self.code {
            Code::Managed(name) if !name.is_empty() => name.to_owned(),
            _ => self.name.to_ascii_lowercase(),
        };
        json!({"Value": value, "CanBeChanged": true, "ManagedPropertyLogicalName": name})
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::enums::ENUMS;
    use super::*;

    #[test]
    fn every_type_reads_and_names_what_there_is() {
        let enums: HashSet<&str> = ENUMS.iter().map(|(name, _)| *name).collect();
        let mut names = HashSet::new();
        for one in all() {
            assert!(names.insert(one.name), "{}", one.name);
            assert!(one.base.is_none_or(|base| names.contains(base)), "{} before its base", one.name);
            let mut members = HashSet::new();
            for member in one.properties() {
                assert!(members.insert(member.name), "{}.{} twice", one.name, member.name);
                match member.code {
                    Code::Enum(name) => assert!(enums.contains(name), "{name}"),
                    Code::Complex(name) | Code::Many(name) => {
                        assert_eq!(find(name).map(|one| one.sort), Some(Sort::Complex), "{name}");
                    }
                    _ => {}
                }
            }
        }
        for (of, name, target, _) in NAVIGATIONS {
            assert!(find(of).is_some_and(|one| one.property(name).is_none()) && find(target).is_some());
        }
        assert!(known("StringAttributeMetadata").is_a("MetadataBase"));
        assert!(known("AttributeMetadata").family().any(|one| one.name == "StateAttributeMetadata"));
    }
}
