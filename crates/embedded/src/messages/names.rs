//! Which messages there are: how each is bound in the Web API, whether it is a function, and what it takes and answers.
//! The Web API reads parameters by it and the CSDL lists it. Sources: dataverse.md A13, A18, A19, B6, B10, C2, E5, G;
//! protocol annex 7 and 8.
//!
//! Not here: Rollup; the messages of definitions, PublishXml among them, which the doors' own `definitions`
//! answer.

/// What a message is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Nothing.
    No,
    /// A row of this table.
    Row(&'static str),
    /// The set of this table.
    Set(&'static str),
    /// A row of any of these tables.
    Rows(&'static [&'static str]),
}

/// The type of a parameter or result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Bool,
    Int,
    Text,
    Guid,
    Time,
    Binary,
    /// A row, perhaps only its key; of this table, or of any (`crmbaseentity`).
    Entity(Option<&'static str>),
    Entities(Option<&'static str>),
    Texts,
    Guids,
    Bools,
    Query,
    Queries,
    /// A complex type.
    Complex(&'static str),
    ComplexList(&'static str),
    /// A member of an enumeration.
    Enum(&'static str),
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    pub name: &'static str,
    pub bound: Bound,
    /// Asked with GET in the Web API.
    pub function: bool,
    /// In the Web API the bound row is the parameter of this name, which is left out there.
    pub target: Option<&'static str>,
    pub parameters: &'static [(&'static str, Shape)],
    pub results: &'static [(&'static str, Shape)],
    /// What it does is done when it is prepared: rights, jobs, numbers. In a change set it is not taken back.
    pub at_once: bool,
}

impl Definition {
    /// The type of a parameter, by its name in any case.
    pub fn parameter(&self, name: &str) -> Option<(&'static str, Shape)> {
        self.parameters.iter().copied().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

/// A message by its name, without case.
pub fn find(name: &str) -> Option<&'static Definition> {
    NAMES.iter().find(|message| message.name.eq_ignore_ascii_case(name))
}

use Shape::*;

const ANY: Shape = Entity(None);
const EMAIL: Shape = Entity(Some("email"));
const PRINCIPALS: Bound = Bound::Rows(&["systemuser", "team"]);

type Fields = &'static [(&'static str, Shape)];

const fn action(name: &'static str, bound: Bound, parameters: Fields, results: Fields) -> Definition {
    Definition { name, bound, function: false, target: None, parameters, results, at_once: false }
}

const fn function(name: &'static str, bound: Bound, parameters: Fields, results: Fields) -> Definition {
    Definition { function: true, ..action(name, bound, parameters, results) }
}

const fn on(target: &'static str, message: Definition) -> Definition {
    Definition { target: Some(target), ..message }
}

const fn at_once(message: Definition) -> Definition {
    Definition { at_once: true, ..message }
}

const MAIL: Fields = &[
    ("EmailId", Guid),
    ("MessageId", Text),
    ("Subject", Text),
    ("From", Text),
    ("To", Text),
    ("Cc", Text),
    ("Bcc", Text),
    ("ReceivedOn", Time),
    ("SubmittedBy", Text),
    ("Importance", Text),
    ("Body", Text),
    ("Attachments", Entities(Some("activitymimeattachment"))),
    ("ExtraProperties", EMAIL),
];
const CHECKED: Fields = &[
    ("MessageId", Text),
    ("Subject", Text),
    ("From", Text),
    ("To", Text),
    ("Cc", Text),
    ("Bcc", Text),
    ("ExtraProperties", EMAIL),
];
const ACCESS: Fields = &[("Target", ANY), ("PrincipalAccess", Complex("PrincipalAccess"))];
const HELD: Fields = &[("RolePrivileges", ComplexList("RolePrivilege"))];
const PRIVILEGES: Shape = ComplexList("RolePrivilege");

const IMPORT: Fields = &[
    ("OverwriteUnmanagedCustomizations", Bool),
    ("PublishWorkflows", Bool),
    ("CustomizationFile", Binary),
    ("ImportJobId", Guid),
    ("ConvertToManaged", Bool),
    ("SkipProductUpdateDependencies", Bool),
    ("HoldingSolution", Bool),
    ("SkipQueueRibbonJob", Bool),
    ("AsyncRibbonProcessing", Bool),
    ("ComponentParameters", Entities(None)),
    ("SolutionParameters", Complex("SolutionParameters")),
];
const EXPORT: Fields = &[
    ("SolutionName", Text),
    ("Managed", Bool),
    ("TargetVersion", Text),
    ("ExportAutoNumberingSettings", Bool),
    ("ExportCalendarSettings", Bool),
    ("ExportCustomizationSettings", Bool),
    ("ExportEmailTrackingSettings", Bool),
    ("ExportGeneralSettings", Bool),
    ("ExportIsvConfig", Bool),
    ("ExportMarketingSettings", Bool),
    ("ExportOutlookSynchronizationSettings", Bool),
    ("ExportRelationshipRoles", Bool),
    ("ExportSales", Bool),
    ("ExportExternalApplications", Bool),
];
const EXPORTED: Fields = &[("AsyncOperationId", Guid), ("ExportJobId", Guid)];
const IMPORTED: Fields = &[("AsyncOperationId", Guid), ("ImportJobKey", Text)];
const CLONE: Fields = &[("ParentSolutionUniqueName", Text), ("DisplayName", Text), ("VersionNumber", Text)];
const SOLUTION: Fields = &[("SolutionId", Guid)];
const RELATED: Fields = &[("EntityName", Text)];
const RELATING: Fields = &[("EntityNames", Texts)];
const ADDED: Fields = &[("id", Guid)];

/// Every message that [`super::prepare`] knows.
pub const NAMES: &[Definition] = &[
    function(
        "WhoAmI",
        Bound::No,
        &[],
        &[("BusinessUnitId", Guid), ("UserId", Guid), ("OrganizationId", Guid)],
    ),
    function("RetrieveVersion", Bound::No, &[], &[("Version", Text)]),
    function("RetrieveTimestamp", Bound::No, &[], &[("Timestamp", Text)]),
    function(
        "RetrieveCurrentOrganization",
        Bound::No,
        &[("AccessType", Enum("EndpointAccessType"))],
        &[("Detail", Complex("OrganizationDetail"))],
    ),
    function(
        "RetrieveTotalRecordCount",
        Bound::No,
        &[("EntityNames", Texts)],
        &[("EntityRecordCountCollection", Complex("EntityRecordCountCollection"))],
    ),
    action("SetState", Bound::No, &[("EntityMoniker", ANY), ("State", Int), ("Status", Int)], &[]),
    action("Assign", Bound::No, &[("Target", ANY), ("Assignee", ANY)], &[]),
    on(
        "EmailId",
        action(
            "SendEmail",
            Bound::Row("email"),
            &[("EmailId", Guid), ("IssueSend", Bool), ("TrackingToken", Text)],
            &[("Subject", Text)],
        ),
    ),
    at_once(action("GetTrackingTokenEmail", Bound::No, &[("Subject", Text)], &[("TrackingToken", Text)])),
    action(
        "SendEmailFromTemplate",
        Bound::No,
        &[
            ("TemplateId", Guid),
            ("Regarding", ANY),
            ("RegardingId", Guid),
            ("RegardingType", Text),
            ("Target", EMAIL),
        ],
        &[("Id", Guid)],
    ),
    at_once(action(
        "SendBulkMail",
        Bound::No,
        &[
            ("Sender", ANY),
            ("TemplateId", Guid),
            ("RegardingType", Text),
            ("RegardingId", Guid),
            ("Query", Query),
        ],
        &[],
    )),
    action(
        "SendTemplate",
        Bound::No,
        &[
            ("TemplateId", Guid),
            ("Sender", ANY),
            ("Recipients", Entities(None)),
            ("RecipientType", Text),
            ("RecipientIds", Guids),
            ("Regarding", ANY),
            ("RegardingType", Text),
            ("RegardingId", Guid),
            ("DeliveryPriorityCode", Int),
        ],
        &[],
    ),
    action(
        "InstantiateTemplate",
        Bound::No,
        &[("TemplateId", Guid), ("ObjectType", Text), ("ObjectId", Guid)],
        &[("EntityCollection", Entities(None))],
    ),
    at_once(action(
        "BackgroundSendEmail",
        Bound::Set("email"),
        &[("Query", Query)],
        &[("EntityCollection", Entities(Some("email"))), ("HasAttachments", Bools)],
    )),
    action("DeliverIncomingEmail", Bound::Set("email"), MAIL, &[("EmailId", Guid)]),
    on("EmailId", action("DeliverPromoteEmail", Bound::Row("email"), MAIL, &[("EmailId", Guid)])),
    function("CheckIncomingEmail", Bound::No, CHECKED, &[("ShouldDeliver", Bool), ("ReasonCode", Int)]),
    function(
        "CheckPromoteEmail",
        Bound::No,
        &[("MessageId", Text), ("Subject", Text), ("DirectionCode", Int)],
        &[("ShouldPromote", Bool), ("ReasonCode", Int)],
    ),
    on(
        "DestinationQueueId",
        action(
            "AddToQueue",
            Bound::Row("queue"),
            &[
                ("DestinationQueueId", Guid),
                ("Target", ANY),
                ("SourceQueue", Entity(Some("queue"))),
                ("SourceQueueId", Guid),
                ("QueueItemProperties", Entity(Some("queueitem"))),
            ],
            &[("QueueItemId", Guid)],
        ),
    ),
    on(
        "QueueItemId",
        action(
            "PickFromQueue",
            Bound::Row("queueitem"),
            &[
                ("QueueItemId", Guid),
                ("SystemUser", Entity(Some("systemuser"))),
                ("WorkerId", Guid),
                ("RemoveQueueItem", Bool),
            ],
            &[],
        ),
    ),
    on("QueueItemId", action("ReleaseToQueue", Bound::Row("queueitem"), &[("QueueItemId", Guid)], &[])),
    on("QueueItemId", action("RemoveFromQueue", Bound::Row("queueitem"), &[("QueueItemId", Guid)], &[])),
    action(
        "RouteTo",
        Bound::No,
        &[("Target", ANY), ("QueueItem", Entity(Some("queueitem"))), ("QueueItemId", Guid)],
        &[],
    ),
    on(
        "ListId",
        action("AddMemberList", Bound::Row("list"), &[("ListId", Guid), ("EntityId", Guid)], &[("Id", Guid)]),
    ),
    on(
        "List",
        action(
            "AddListMembersList",
            Bound::Row("list"),
            &[
                ("List", Entity(Some("list"))),
                ("ListId", Guid),
                ("Members", Entities(None)),
                ("MemberIds", Guids),
            ],
            &[],
        ),
    ),
    on(
        "ListId",
        action(
            "RemoveMemberList",
            Bound::Row("list"),
            &[("ListId", Guid), ("EntityId", Guid), ("ListMember", Entity(Some("listmember")))],
            &[],
        ),
    ),
    on(
        "SourceListId",
        action("CopyMembersList", Bound::Row("list"), &[("SourceListId", Guid), ("TargetListId", Guid)], &[]),
    ),
    on(
        "ListId",
        action("CopyDynamicListToStatic", Bound::Row("list"), &[("ListId", Guid)], &[("StaticListId", Guid)]),
    ),
    on(
        "ListId",
        action(
            "QualifyMemberList",
            Bound::Row("list"),
            &[
                ("ListId", Guid),
                ("ListMember", Entities(None)),
                ("MembersId", Guids),
                ("OverrideorRemove", Bool),
            ],
            &[],
        ),
    ),
    on(
        "LeadId",
        action(
            "QualifyLead",
            Bound::Row("lead"),
            &[
                ("LeadId", Guid),
                ("CreateAccount", Bool),
                ("CreateContact", Bool),
                ("CreateOpportunity", Bool),
                ("OpportunityCurrencyId", Entity(Some("transactioncurrency"))),
                ("OpportunityCustomerId", ANY),
                ("SourceCampaignId", Entity(Some("campaign"))),
                ("Status", Int),
                ("ProcessInstanceId", ANY),
                ("ProcessInstance", ANY),
            ],
            &[("CreatedEntities", Entities(None))],
        ),
    ),
    action(
        "CloseIncident",
        Bound::No,
        &[("IncidentResolution", Complex("incidentresolution")), ("Status", Int)],
        &[],
    ),
    action(
        "WinOpportunity",
        Bound::No,
        &[("OpportunityClose", Complex("opportunityclose")), ("Status", Int)],
        &[],
    ),
    action(
        "LoseOpportunity",
        Bound::No,
        &[("OpportunityClose", Complex("opportunityclose")), ("Status", Int)],
        &[],
    ),
    action(
        "Merge",
        Bound::No,
        &[
            ("Target", ANY),
            ("Subordinate", ANY),
            ("SubordinateId", Guid),
            ("UpdateContent", ANY),
            ("PerformParentingChecks", Bool),
        ],
        &[],
    ),
    function(
        "InitializeFrom",
        Bound::No,
        &[("EntityMoniker", ANY), ("TargetEntityName", Text), ("TargetFieldType", Enum("TargetFieldType"))],
        &[("Entity", ANY)],
    ),
    action("GrantAccess", Bound::No, ACCESS, &[]),
    action("ModifyAccess", Bound::No, ACCESS, &[]),
    action("RevokeAccess", Bound::No, &[("Target", ANY), ("Revokee", ANY)], &[]),
    on(
        "Principal",
        function(
            "RetrievePrincipalAccess",
            PRINCIPALS,
            &[("Principal", ANY), ("Target", ANY)],
            &[("AccessRights", Enum("AccessRights"))],
        ),
    ),
    on("UserId", function("RetrieveUserPrivileges", Bound::Row("systemuser"), &[("UserId", Guid)], HELD)),
    on(
        "UserId",
        function(
            "RetrieveUserSetOfPrivilegesByNames",
            Bound::Row("systemuser"),
            &[("UserId", Guid), ("PrivilegeNames", Texts)],
            HELD,
        ),
    ),
    at_once(on(
        "RoleId",
        action("AddPrivilegesRole", Bound::Row("role"), &[("RoleId", Guid), ("Privileges", PRIVILEGES)], &[]),
    )),
    at_once(on(
        "RoleId",
        action(
            "ReplacePrivilegesRole",
            Bound::Row("role"),
            &[("RoleId", Guid), ("Privileges", PRIVILEGES)],
            &[],
        ),
    )),
    at_once(on(
        "RoleId",
        action(
            "RemovePrivilegeRole",
            Bound::Row("role"),
            &[("RoleId", Guid), ("PrivilegeId", Guid), ("Privilege", Entity(Some("privilege")))],
            &[],
        ),
    )),
    function("RetrieveRolePrivilegesRole", Bound::No, &[("RoleId", Guid)], HELD),
    on("TeamId", function("RetrieveTeamPrivileges", Bound::Row("team"), &[("TeamId", Guid)], HELD)),
    function(
        "RetrieveSharedPrincipalsAndAccess",
        Bound::No,
        &[("Target", ANY)],
        &[("PrincipalAccesses", ComplexList("PrincipalAccess"))],
    ),
    function(
        "ValidateFetchXmlExpression",
        Bound::No,
        &[("FetchXml", Text)],
        &[("ValidationResults", Complex("FetchXmlValidationResult"))],
    ),
    at_once(action(
        "BulkDelete",
        Bound::No,
        &[
            ("QuerySet", Queries),
            ("JobName", Text),
            ("SendEmailNotification", Bool),
            ("ToRecipients", Entities(None)),
            ("CCRecipients", Entities(None)),
            ("RecurrencePattern", Text),
            ("StartDateTime", Time),
            ("SourceImportId", Guid),
            ("RunNow", Bool),
        ],
        &[("JobId", Guid)],
    )),
    action(
        "RetrieveEntityChanges",
        Bound::No,
        &[
            ("EntityName", Text),
            ("Columns", Complex("ColumnSet")),
            ("DataVersion", Text),
            ("PageInfo", Complex("PagingInfo")),
        ],
        &[("EntityChanges", Complex("BusinessEntityChanges"))],
    ),
    at_once(action(
        "InitializeAttachmentBlocksUpload",
        Bound::No,
        &[("Target", Entity(Some("activitymimeattachment")))],
        &[("FileContinuationToken", Text)],
    )),
    at_once(action(
        "UploadBlock",
        Bound::No,
        &[("BlockId", Text), ("BlockData", Binary), ("FileContinuationToken", Text)],
        &[],
    )),
    action(
        "CommitAttachmentBlocksUpload",
        Bound::No,
        &[
            ("Target", Entity(Some("activitymimeattachment"))),
            ("BlockList", Texts),
            ("FileContinuationToken", Text),
        ],
        &[("ActivityMimeAttachmentId", Guid), ("FileSizeInBytes", Int)],
    ),
    at_once(action(
        "InitializeFileBlocksUpload",
        Bound::No,
        &[("Target", ANY), ("FileAttributeName", Text), ("FileName", Text)],
        &[("FileContinuationToken", Text)],
    )),
    action(
        "CommitFileBlocksUpload",
        Bound::No,
        &[("FileName", Text), ("MimeType", Text), ("BlockList", Texts), ("FileContinuationToken", Text)],
        &[("FileId", Guid), ("FileSizeInBytes", Int)],
    ),
    action("DeleteFile", Bound::No, &[("FileId", Guid)], &[]),
    at_once(action("ImportSolution", Bound::No, IMPORT, &[])),
    at_once(action("ImportSolutionAsync", Bound::No, IMPORT, IMPORTED)),
    at_once(action("StageAndUpgrade", Bound::No, IMPORT, &[])),
    at_once(action("StageAndUpgradeAsync", Bound::No, IMPORT, IMPORTED)),
    action("ExportSolution", Bound::No, EXPORT, &[("ExportSolutionFile", Binary)]),
    at_once(action("ExportSolutionAsync", Bound::No, EXPORT, EXPORTED)),
    action(
        "DownloadSolutionExportData",
        Bound::No,
        &[("ExportJobId", Guid)],
        &[("ExportSolutionFile", Binary)],
    ),
    at_once(action(
        "StageSolution",
        Bound::No,
        &[("CustomizationFile", Binary)],
        &[("StageSolutionResults", Complex("StageSolutionResults"))],
    )),
    at_once(action("DeleteAndPromote", Bound::No, &[("UniqueName", Text)], SOLUTION)),
    at_once(action("CloneAsPatch", Bound::No, CLONE, SOLUTION)),
    at_once(action("CloneAsSolution", Bound::No, CLONE, SOLUTION)),
    at_once(action(
        "AddSolutionComponent",
        Bound::No,
        &[
            ("ComponentId", Guid),
            ("ComponentType", Int),
            ("SolutionUniqueName", Text),
            ("AddRequiredComponents", Bool),
            ("DoNotIncludeSubcomponents", Bool),
            ("IncludedComponentSettingsValues", Texts),
        ],
        ADDED,
    )),
    at_once(action(
        "RemoveSolutionComponent",
        Bound::No,
        &[
            ("ComponentId", Guid),
            ("SolutionComponent", Entity(Some("solutioncomponent"))),
            ("ComponentType", Int),
            ("SolutionUniqueName", Text),
        ],
        ADDED,
    )),
    action("CanBeReferenced", Bound::No, RELATED, &[("CanBeReferenced", Bool)]),
    action("CanBeReferencing", Bound::No, RELATED, &[("CanBeReferencing", Bool)]),
    action("CanManyToMany", Bound::No, RELATED, &[("CanManyToMany", Bool)]),
    function("GetValidReferencedEntities", Bound::No, &[("ReferencingEntityName", Text)], RELATING),
    function("GetValidReferencingEntities", Bound::No, &[("ReferencedEntityName", Text)], RELATING),
    function("GetValidManyToMany", Bound::No, &[], RELATING),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_and_parameter_once() {
        for (place, message) in NAMES.iter().enumerate() {
            let again = NAMES[place + 1..].iter().any(|other| other.name == message.name);
            assert!(!again, "{}", message.name);
            for (at, (name, _)) in message.parameters.iter().enumerate() {
                let twice = message.parameters[at + 1..].iter().any(|(other, _)| other == name);
                assert!(!twice, "{}.{name}", message.name);
            }
            if let Some(target) = message.target {
                assert!(message.parameter(target).is_some(), "{}.{target}", message.name);
            }
        }
        assert!(find("sendemail").is_some() && find("Rollup").is_none());
    }
}
