//! The messages of the platform ([`NAMES`]) as functions and actions, with the types that only they speak of.
//!
//! Where a message is bound to a row of several tables, each has an overload of its own, as OData tells them apart by the type
//! that they are bound to.

use postroom_core::metadata::Metadata;

use super::{Xml, collection, qualified};
use crate::messages::{Bound, Definition, NAMES, Shape};

/// The type of any row. What is of a type of rows is no property but navigated to, as OData has it.
const ROW: &str = "crmbaseentity";

/// Members of an enumeration by their numbers.
type Members = &'static [(&'static str, i64)];
/// Properties and their types.
type Properties = &'static [(&'static str, &'static str)];

/// Those whose members can stand together.
const FLAGS: &[(&str, Members)] = &[(
    "AccessRights",
    &[
        ("None", 0),
        ("ReadAccess", 1),
        ("WriteAccess", 2),
        ("AppendAccess", 4),
        ("AppendToAccess", 16),
        ("CreateAccess", 32),
        ("DeleteAccess", 65_536),
        ("ShareAccess", 262_144),
        ("AssignAccess", 524_288),
    ],
)];

const ENUMS: &[(&str, Members)] = &[
    ("EndpointAccessType", &[("Default", 0), ("Intranet", 1), ("Internet", 2)]),
    ("EndpointType", &[("WebApplication", 0), ("OrganizationService", 1), ("OrganizationDataService", 2)]),
    ("OrganizationState", &[("Enabled", 0), ("Disabled", 1)]),
    ("PrivilegeDepth", &[("Basic", 0), ("Local", 1), ("Deep", 2), ("Global", 3)]),
    ("TargetFieldType", &[("All", 0), ("ValidForCreate", 1), ("ValidForUpdate", 2), ("ValidForRead", 3)]),
];

/// Name, base and properties.
const TYPES: &[(&str, Option<&str>, Properties)] = &[
    ("QueryBase", None, &[]),
    ("FetchExpression", Some("QueryBase"), &[("Query", "Edm.String")]),
    ("ColumnSet", None, &[("AllColumns", "Edm.Boolean"), ("Columns", "Collection(Edm.String)")]),
    (
        "PagingInfo",
        None,
        &[
            ("PageNumber", "Edm.Int32"),
            ("Count", "Edm.Int32"),
            ("ReturnTotalRecordCount", "Edm.Boolean"),
            ("PagingCookie", "Edm.String"),
        ],
    ),
    (
        "QueryExpression",
        Some("QueryBase"),
        &[
            ("EntityName", "Edm.String"),
            ("ColumnSet", "mscrm.ColumnSet"),
            ("Criteria", "mscrm.FilterExpression"),
            ("LinkEntities", "Collection(mscrm.LinkEntity)"),
            ("Orders", "Collection(mscrm.OrderExpression)"),
            ("PageInfo", "mscrm.PagingInfo"),
            ("Distinct", "Edm.Boolean"),
            ("TopCount", "Edm.Int32"),
            ("NoLock", "Edm.Boolean"),
        ],
    ),
    (
        "FilterExpression",
        None,
        &[
            ("FilterOperator", "mscrm.LogicalOperator"),
            ("Conditions", "Collection(mscrm.ConditionExpression)"),
            ("Filters", "Collection(mscrm.FilterExpression)"),
        ],
    ),
    (
        "ConditionExpression",
        None,
        &[
            ("EntityName", "Edm.String"),
            ("AttributeName", "Edm.String"),
            ("Operator", "Edm.String"),
            ("Values", "Collection(mscrm.Object)"),
        ],
    ),
    ("OrderExpression", None, &[("AttributeName", "Edm.String"), ("OrderType", "Edm.String")]),
    (
        "LinkEntity",
        None,
        &[
            ("LinkFromEntityName", "Edm.String"),
            ("LinkFromAttributeName", "Edm.String"),
            ("LinkToEntityName", "Edm.String"),
            ("LinkToAttributeName", "Edm.String"),
            ("JoinOperator", "Edm.String"),
            ("Columns", "mscrm.ColumnSet"),
            ("EntityAlias", "Edm.String"),
            ("LinkCriteria", "mscrm.FilterExpression"),
            ("LinkEntities", "Collection(mscrm.LinkEntity)"),
            ("Orders", "Collection(mscrm.OrderExpression)"),
        ],
    ),
    (
        "BusinessEntityChanges",
        None,
        &[
            ("MoreRecords", "Edm.Boolean"),
            ("PagingCookie", "Edm.String"),
            ("DataToken", "Edm.String"),
            ("NewOrUpdatedItems", "Collection(mscrm.crmbaseentity)"),
            ("RemovedOrDeletedItems", "Collection(Edm.Guid)"),
        ],
    ),
    ("PrincipalAccess", None, &[("AccessMask", "mscrm.AccessRights"), ("Principal", "mscrm.crmbaseentity")]),
    (
        "RolePrivilege",
        None,
        &[
            ("Depth", "mscrm.PrivilegeDepth"),
            ("PrivilegeId", "Edm.Guid"),
            ("BusinessUnitId", "Edm.Guid"),
            ("PrivilegeName", "Edm.String"),
            ("RecordFilterId", "Edm.Guid"),
            ("RecordFilterUniqueName", "Edm.String"),
        ],
    ),
    (
        "EntityRecordCountCollection",
        None,
        &[
            ("Count", "Edm.Int32"),
            ("IsReadOnly", "Edm.Boolean"),
            ("Keys", "Collection(Edm.String)"),
            ("Values", "Collection(Edm.Int64)"),
        ],
    ),
    (
        "EndpointCollection",
        None,
        &[
            ("Count", "Edm.Int32"),
            ("IsReadOnly", "Edm.Boolean"),
            ("Keys", "Collection(mscrm.EndpointType)"),
            ("Values", "Collection(Edm.String)"),
        ],
    ),
    (
        "OrganizationDetail",
        None,
        &[
            ("OrganizationId", "Edm.Guid"),
            ("FriendlyName", "Edm.String"),
            ("OrganizationVersion", "Edm.String"),
            ("EnvironmentId", "Edm.String"),
            ("DatacenterId", "Edm.String"),
            ("Geo", "Edm.String"),
            ("TenantId", "Edm.String"),
            ("UrlName", "Edm.String"),
            ("UniqueName", "Edm.String"),
            ("State", "mscrm.OrganizationState"),
            ("Endpoints", "mscrm.EndpointCollection"),
        ],
    ),
    (
        "FetchXmlValidationResult",
        None,
        &[("Helplink", "Edm.String"), ("Messages", "Collection(mscrm.ValidatorIssue)")],
    ),
    (
        "ValidatorIssue",
        None,
        &[
            ("TypeCode", "Edm.Int32"),
            ("Severity", "Edm.Int32"),
            ("LocalizedMessageText", "Edm.String"),
            ("OptionalPropertyBag", "mscrm.Object"),
        ],
    ),
    ("SolutionParameters", None, &[("StageSolutionUploadId", "Edm.Guid")]),
    (
        "SolutionDetails",
        None,
        &[
            ("SolutionUniqueName", "Edm.String"),
            ("SolutionFriendlyName", "Edm.String"),
            ("SolutionVersion", "Edm.String"),
            ("IsManaged", "Edm.Boolean"),
            ("PublisherUniqueName", "Edm.String"),
        ],
    ),
    (
        "StageSolutionResults",
        None,
        &[
            ("StageSolutionUploadId", "Edm.Guid"),
            ("StageSolutionStatus", "Edm.String"),
            ("SolutionValidationResults", "Collection(mscrm.Object)"),
            ("SolutionDetails", "mscrm.SolutionDetails"),
        ],
    ),
];

/// The types, functions and actions; `knows` says which messages there are.
pub(super) fn types(xml: &mut Xml, metadata: &Metadata, knows: &dyn Fn(&str) -> bool) {
    for (all, flags) in [(ENUMS, false), (FLAGS, true)] {
        for (name, members) in all {
            let mut attributes = vec![("Name", *name)];
            attributes.extend(flags.then_some(("IsFlags", "true")));
            xml.within("EnumType", &attributes, |xml| {
                for (name, value) in *members {
                    xml.empty("Member", &[("Name", name), ("Value", &value.to_string())]);
                }
            });
        }
    }
    for (name, base, properties) in TYPES {
        let base = base.map(qualified);
        let mut attributes = vec![("Name", *name)];
        attributes.extend(base.as_deref().map(|base| ("BaseType", base)));
        xml.within("ComplexType", &attributes, |xml| {
            for (name, kind) in *properties {
                let element = if kind.contains(ROW) { "NavigationProperty" } else { "Property" };
                xml.empty(element, &[("Name", name), ("Type", kind)]);
            }
        });
    }
    for message in NAMES.iter().filter(|message| knows(message.name)) {
        response(xml, metadata, message);
        match message.bound {
            Bound::No => operation(xml, metadata, message, None),
            Bound::Row(table) => operation(xml, metadata, message, Some(("entity", entity(metadata, table)))),
            Bound::Set(table) => {
                let set = collection(&entity(metadata, table));
                operation(xml, metadata, message, Some(("entityset", set)));
            }
            Bound::Rows(tables) => {
                for table in tables {
                    operation(xml, metadata, message, Some(("entity", entity(metadata, table))));
                }
            }
        }
    }
}

/// What can be asked for by its name alone.
pub(super) fn imports(xml: &mut Xml, knows: &dyn Fn(&str) -> bool) {
    for message in NAMES.iter().filter(|message| message.bound == Bound::No && knows(message.name)) {
        super::operations::imported(xml, message.name, message.function);
    }
}

/// A message with one result that is a row, or rows, answers these themselves (see the door's `actions/answer.rs`).
fn answers_rows(message: &Definition) -> bool {
    matches!(message.results, [(_, Shape::Entity(_) | Shape::Entities(_))])
}

fn response(xml: &mut Xml, metadata: &Metadata, message: &Definition) {
    if message.results.is_empty() || answers_rows(message) {
        return;
    }
    xml.within("ComplexType", &[("Name", &format!("{}Response", message.name))], |xml| {
        for (name, shape) in message.results {
            let row = matches!(shape, Shape::Entity(_) | Shape::Entities(_));
            let element = if row { "NavigationProperty" } else { "Property" };
            xml.empty(element, &[("Name", name), ("Type", &kind(metadata, *shape))]);
        }
    });
}

fn operation(xml: &mut Xml, metadata: &Metadata, message: &Definition, bound: Option<(&str, String)>) {
    let mut attributes = vec![("Name", message.name)];
    attributes.extend(bound.is_some().then_some(("IsBound", "true")));
    let element = if message.function { "Function" } else { "Action" };
    xml.within(element, &attributes, |xml| {
        if let Some((name, kind)) = &bound {
            xml.empty("Parameter", &[("Name", name), ("Type", kind), ("Nullable", "false")]);
        }
        for (name, shape) in message.parameters.iter().filter(|(name, _)| Some(*name) != message.target) {
            xml.empty("Parameter", &[("Name", name), ("Type", &kind(metadata, *shape))]);
        }
        let answer = match message.results {
            [] => return,
            [(_, Shape::Entities(_))] => collection(&qualified(ROW)),
            [(_, shape @ Shape::Entity(_))] => kind(metadata, *shape),
            _ => qualified(&format!("{}Response", message.name)),
        };
        xml.empty("ReturnType", &[("Type", &answer), ("Nullable", "false")]);
    });
}

fn kind(metadata: &Metadata, shape: Shape) -> String {
    let plain = match shape {
        Shape::Bool => "Edm.Boolean",
        Shape::Int => "Edm.Int32",
        Shape::Text => "Edm.String",
        Shape::Guid => "Edm.Guid",
        Shape::Time => "Edm.DateTimeOffset",
        Shape::Binary => "Edm.Binary",
        Shape::Texts => return collection("Edm.String"),
        Shape::Guids => return collection("Edm.Guid"),
        Shape::Bools => return collection("Edm.Boolean"),
        Shape::Query => return qualified("QueryBase"),
        Shape::Queries => return collection(&qualified("QueryBase")),
        Shape::Entity(table) => return entity(metadata, table.unwrap_or_default()),
        Shape::Entities(table) => return collection(&entity(metadata, table.unwrap_or_default())),
        Shape::Complex(name) if TYPES.iter().any(|(known, ..)| *known == name) => return qualified(name),
        // A row of a table.
        Shape::Complex(name) => return entity(metadata, name),
        Shape::ComplexList(name) => return collection(&qualified(name)),
        Shape::Enum(name) => return qualified(name),
    };
    plain.to_owned()
}

/// The type of a row; of one whose table there is not, any row's.
fn entity(metadata: &Metadata, table: &str) -> String {
    qualified(metadata.table(table).map_or(ROW, |table| &table.logical_name))
}
