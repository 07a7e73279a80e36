//! The namespaces of the service (dataverse.md E1), and which of them a message's class is in.

pub const SERVICES: &str = "http://schemas.microsoft.com/xrm/2011/Contracts/Services";
/// Entities and the requests of `Microsoft.Xrm.Sdk.Messages`.
pub const XRM: &str = "http://schemas.microsoft.com/xrm/2011/Contracts";
/// The requests of `Microsoft.Crm.Sdk.Messages`.
pub const CRM: &str = "http://schemas.microsoft.com/crm/2011/Contracts";
pub const GENERIC: &str = "http://schemas.datacontract.org/2004/07/System.Collections.Generic";
pub const METADATA: &str = "http://schemas.microsoft.com/xrm/2011/Metadata";
pub const METADATA_2013: &str = "http://schemas.microsoft.com/xrm/2013/Metadata";
pub const METADATA_71: &str = "http://schemas.microsoft.com/xrm/7.1/Metadata";
pub const METADATA_90: &str = "http://schemas.microsoft.com/xrm/9.0/Metadata";
pub const XRM_71: &str = "http://schemas.microsoft.com/xrm/7.1/Contracts";
pub const XRM_2012: &str = "http://schemas.microsoft.com/xrm/2012/Contracts";
pub const XRM_2014: &str = "http://schemas.microsoft.com/xrm/2014/Contracts";
pub const XRM_90: &str = "http://schemas.microsoft.com/xrm/9.0/Contracts";
pub const ARRAYS: &str = "http://schemas.microsoft.com/2003/10/Serialization/Arrays";
pub const SERIALIZATION: &str = "http://schemas.microsoft.com/2003/10/Serialization/";
pub const XSD: &str = "http://www.w3.org/2001/XMLSchema";
pub const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
pub const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
pub const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
pub const SECEXT: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
pub const UTILITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
pub const DIAGNOSTICS: &str = "http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics";
pub const DISPATCHER: &str =
    "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher";
pub const DISCOVERY: &str = "http://schemas.microsoft.com/xrm/2011/Contracts/Discovery";

/// The party lists of activities, and the `participationtypemask` of the rows in each. Those of the regarding record and of
/// the owner are the server's own and stand in no list.
pub const PARTY_LISTS: &[(&str, i64)] = &[
    ("from", 1),
    ("to", 2),
    ("cc", 3),
    ("bcc", 4),
    ("requiredattendees", 5),
    ("optionalattendees", 6),
    ("organizer", 7),
    ("resources", 10),
    ("customer", 11),
    ("customers", 11),
];

/// Messages of `Microsoft.Xrm.Sdk.Messages`.
const XRM_MESSAGES: &[&str] = &[
    "Associate",
    "CanBeReferenced",
    "CanBeReferencing",
    "CanManyToMany",
    "ConvertDateAndTimeBehavior",
    "Create",
    "CreateAttribute",
    "CreateEntity",
    "CreateEntityKey",
    "CreateManyToMany",
    "CreateMultiple",
    "CreateOneToMany",
    "CreateOptionSet",
    "Delete",
    "DeleteAttribute",
    "DeleteEntity",
    "DeleteEntityKey",
    "DeleteOptionSet",
    "DeleteOptionValue",
    "DeleteRelationship",
    "Disassociate",
    "ExecuteAsync",
    "ExecuteMultiple",
    "ExecuteTransaction",
    "GetValidManyToMany",
    "GetValidReferencedEntities",
    "GetValidReferencingEntities",
    "InsertOptionValue",
    "InsertStatusValue",
    "OrderOption",
    "ReactivateEntityKey",
    "Retrieve",
    "RetrieveAllEntities",
    "RetrieveAllManagedProperties",
    "RetrieveAllOptionSets",
    "RetrieveAttribute",
    "RetrieveCurrentOrganization",
    "RetrieveDataEncryptionKey",
    "RetrieveEntity",
    "RetrieveEntityChanges",
    "RetrieveEntityKey",
    "RetrieveManagedProperty",
    "RetrieveMetadataChanges",
    "RetrieveMultiple",
    "RetrieveOptionSet",
    "RetrieveRelationship",
    "RetrieveTimestamp",
    "SetDataEncryptionKey",
    "Update",
    "UpdateAttribute",
    "UpdateEntity",
    "UpdateMultiple",
    "UpdateOptionSet",
    "UpdateOptionValue",
    "UpdateRelationship",
    "UpdateStateValue",
    "Upsert",
    "UpsertMultiple",
];

/// The namespace of a message's request and response classes. A custom action has none: only its name tells it.
pub fn of_message(name: &str) -> Option<&'static str> {
    if XRM_MESSAGES.contains(&name) {
        return Some(XRM);
    }
    // Custom actions bear their publisher's prefix.
    (!name.contains('_')).then_some(CRM)
}
