//! The members of the two large classes, in order. Each with the first generation that has it (5, 7 or 9) and what it is
//! when nobody says: `n` null, `b` false, `m` a managed property (with its name, when that is not the member's own).

pub(super) const TABLE: &str = "\
MetadataId:5n HasChanged:5n ActivityTypeMask:5n Attributes:5n AutoCreateAccessTeams:5n AutoReplicateClusterRecords:9b \
AutoRouteToOwnerQueue:5b CanBeInCustomEntityAssociation:9m CanBeInManyToMany:5m CanBePrimaryEntityInRelationship:5m \
CanBeRelatedEntityInRelationship:5m CanChangeClusterMode:9b CanChangeTrackingBeEnabled:7m CanCreateAttributes:5m \
CanCreateCharts:5m CanCreateForms:5m CanCreateViews:5m CanEnableSyncToExternalSearchIndex:7m \
CanModifyAdditionalSettings:5m CanTriggerWorkflow:5b ChangeTrackingEnabled:7b ClusterMode:9n CreatedOn:9n \
DataProviderId:9n DataSourceId:9n DefaultToLocalPartition:9b Description:5n DisplayCollectionName:5n DisplayName:5n \
EnforceStateTransitions:9b ExternalName:7n HasActivities:9b HasEmailAddresses:9b HasFeedback:9b HasNotes:9b \
IconLargeName:5n IconMediumName:5n IconSmallName:5n IconVectorName:9n IsAIRUpdated:5b IsActivity:5b IsActivityParty:5b \
IsArchivalEnabled:9b IsAuditEnabled:5m:canmodifyauditsettings IsAvailableOffline:5b IsBusinessProcessEnabled:5b \
IsChildEntity:5b IsConnectionsEnabled:5m:canmodifyconnectionsettings IsCustomEntity:5b IsCustomizable:5m \
IsDocumentManagementEnabled:5b IsDocumentRecommendationsEnabled:9b \
IsDuplicateDetectionEnabled:5m:canmodifyduplicatedetectionsettings IsEnabledForCharts:5b IsEnabledForTrace:5b \
IsImportable:5b IsInteractionCentricEnabled:9b IsIntersect:5b IsKnowledgeManagementEnabled:9b \
IsMSTeamsIntegrationEnabled:9b IsMailMergeEnabled:5m:canmodifymailmergesettings IsManaged:5b IsMappable:5m \
IsOneNoteIntegrationEnabled:9b IsQuickCreateEnabled:5b IsReadOnlyInMobileClient:5m:canmodifymobileclientreadonly \
IsReadingPaneEnabled:5b IsRenameable:5m IsRetentionEnabled:9b IsRetrieveAuditEnabled:9b \
IsRetrieveMultipleAuditEnabled:9b IsSolutionAware:9b IsStateModelAware:7b IsValidForAdvancedFind:5b \
IsValidForQueue:5m:canmodifyqueuesettings IsVisibleInMobile:5m:canmodifymobilevisibility \
IsVisibleInMobileClient:5m:canmodifymobileclientvisibility LogicalName:5n ManyToManyRelationships:5n \
ManyToOneRelationships:5n ModifiedOn:9n ObjectTypeCode:5n OneToManyRelationships:5n OwnerId:9n OwnerIdType:9n \
OwnershipType:5n OwningBusinessUnit:9n PrimaryIdAttribute:5n PrimaryKey:9n PrimaryNameAttribute:5n Privileges:5n \
RecurrenceBaseEntityLogicalName:5n ReportViewName:5n SchemaName:5n SettingOf:9n Settings:9n \
SyncToExternalSearchIndex:7b TableType:9n UsesBusinessDataLabelTable:9b IntroducedVersion:5n PrimaryImageAttribute:5n \
CanChangeHierarchicalRelationship:9m EntityHelpUrl:9n EntityHelpUrlEnabled:9b CollectionSchemaName:7n EntityColor:7n \
ExternalCollectionName:7n IsOptimisticConcurrencyEnabled:7b Keys:7n LogicalCollectionName:7n \
DaysSinceRecordLastModified:9n EntitySetName:7n IsEnabledForExternalChannels:9b IsOfflineInMobileClient:9m IsPrivate:7b \
IsSLAEnabled:9b MobileOfflineFilters:9n IsBPFEntity:9b IsLogicalEntity:9b";

pub(super) const COLUMN: &str = "\
MetadataId:5n HasChanged:5n AttributeOf:5n AttributeType:5n CanBeSecuredForCreate:5b CanBeSecuredForRead:5b \
CanBeSecuredForUpdate:5b CanModifyAdditionalSettings:5m ColumnNumber:5n CreatedOn:9n DeprecatedVersion:5n Description:5n \
DisplayName:5n EntityLogicalName:5n ExternalName:7n InheritsFrom:9n IsAuditEnabled:5m:canmodifyauditsettings \
IsCustomAttribute:5b IsCustomizable:5m IsDataSourceSecret:9b IsFilterable:9b IsGlobalFilterEnabled:9m IsManaged:5b \
IsPrimaryId:5b IsPrimaryName:5b IsRenameable:5m IsRequiredForForm:9b IsRetrievable:9b IsSearchable:9b IsSecured:5b \
IsSortableEnabled:9m IsValidForAdvancedFind:5m:canmodifysearchsettings IsValidForCreate:5b IsValidForForm:9b \
IsValidForGrid:9b IsValidForRead:5b IsValidForUpdate:5b IsValidODataAttribute:9b LinkedAttributeId:5n LogicalName:5n \
ModifiedOn:9n RequiredLevel:5n SchemaName:5n Settings:9n AttributeTypeName:5n IntroducedVersion:5n IsLogical:9b \
SourceType:9n AutoNumberFormat:9n";

pub(super) const OPTION_SET: &str = "\
MetadataId:5n HasChanged:5n Description:5n DisplayName:5n ExternalTypeName:9n IsCustomOptionSet:5b IsCustomizable:5m \
IsGlobal:5b IsManaged:5b Name:5n OptionSetType:5n IntroducedVersion:5n";

pub(super) const OPTION: &str = "\
MetadataId:5n HasChanged:5n Color:7n Description:5n ExternalValue:9n IsHidden:9b IsManaged:5b Label:5n Tag:9n Value:5n";

pub(super) const RELATIONSHIP: &str = "\
MetadataId:5n HasChanged:5n IsCustomRelationship:5b IsCustomizable:5m IsManaged:5b IsValidForAdvancedFind:5b \
SchemaName:5n SecurityTypes:5n IntroducedVersion:5n RelationshipType:5n";

pub(super) const KEY: &str = "\
MetadataId:5n HasChanged:5n AsyncJob:5n DisplayName:5n EntityKeyIndexStatus:5n EntityLogicalName:5n IntroducedVersion:5n \
IsCustomizable:5m IsExportKey:9b IsManaged:5b IsSecondaryKey:9b IsSynchronous:9b KeyAttributes:5n LogicalName:5n \
SchemaName:5n";
