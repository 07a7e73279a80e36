//! The functions and actions of definitions, as `$metadata` lists them; those of the platform's messages: [`super::messages`].

use super::Xml;

/// A function or an action. Types are written as in CSDL, `mscrm` for the namespace; `?` behind one: it may be null.
pub(crate) struct Operation {
    pub name: &'static str,
    /// A function is asked for by GET, an action by POST.
    pub function: bool,
    pub parameters: &'static [(&'static str, &'static str)],
    /// The members of `<name>Response`; none: it answers nothing.
    pub response: &'static [(&'static str, &'static str)],
}

const fn function(
    name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    response: &'static [(&'static str, &'static str)],
) -> Operation {
    Operation { name, function: true, parameters, response }
}

const fn action(
    name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    response: &'static [(&'static str, &'static str)],
) -> Operation {
    Operation { name, function: false, parameters, response }
}

/// Each function and action that stands in `$metadata`.
pub(crate) const OPERATIONS: &[Operation] = &[
    function("RetrieveAvailableLanguages", &[], &[("LocaleIds", "Collection(Edm.Int32)")]),
    function(
        "RetrieveEntityKey",
        &[("EntityLogicalName", "Edm.String"), ("LogicalName", "Edm.String")],
        &[("EntityKeyMetadata", "mscrm.ComplexEntityKeyMetadata")],
    ),
    function(
        "RetrieveMetadataChanges",
        &[
            ("Query", "mscrm.EntityQueryExpression?"),
            ("DeletedMetadataFilters", "mscrm.DeletedMetadataFilters?"),
            ("ClientVersionStamp", "Edm.String?"),
        ],
        &[
            ("EntityMetadata", "Collection(mscrm.ComplexEntityMetadata)"),
            ("ServerVersionStamp", "Edm.String"),
            ("DeletedMetadata", "mscrm.DeletedMetadataCollection"),
        ],
    ),
    function(
        "RetrieveProvisionedLanguages",
        &[],
        &[("RetrieveProvisionedLanguages", "Collection(Edm.Int32)")],
    ),
    action(
        "CreateCustomerRelationships",
        &[
            ("Lookup", "mscrm.ComplexLookupAttributeMetadata"),
            ("OneToManyRelationships", "Collection(mscrm.ComplexOneToManyRelationshipMetadata)"),
            ("SolutionUniqueName", "Edm.String?"),
        ],
        &[("RelationshipIds", "Collection(Edm.Guid)"), ("AttributeId", "Edm.Guid")],
    ),
    action(
        "CreateEntities",
        &[("Entities", "Collection(mscrm.ComplexEntityMetadata)"), ("SolutionUniqueName", "Edm.String?")],
        &[("EntityIds", "Collection(Edm.Guid)")],
    ),
    action(
        "CreatePolymorphicLookupAttribute",
        &[
            ("Lookup", "mscrm.ComplexLookupAttributeMetadata"),
            ("OneToManyRelationships", "Collection(mscrm.ComplexOneToManyRelationshipMetadata)"),
            ("SolutionUniqueName", "Edm.String?"),
        ],
        &[("RelationshipIds", "Collection(Edm.Guid)"), ("AttributeId", "Edm.Guid")],
    ),
    action(
        "DeleteOptionValue",
        &[
            ("OptionSetName", "Edm.String?"),
            ("AttributeLogicalName", "Edm.String?"),
            ("EntityLogicalName", "Edm.String?"),
            ("Value", "Edm.Int32"),
            ("SolutionUniqueName", "Edm.String?"),
        ],
        &[],
    ),
    action(
        "InsertOptionValue",
        &[
            ("OptionSetName", "Edm.String?"),
            ("AttributeLogicalName", "Edm.String?"),
            ("EntityLogicalName", "Edm.String?"),
            ("Value", "Edm.Int32?"),
            ("Label", "mscrm.Label"),
            ("Description", "mscrm.Label?"),
            ("SolutionUniqueName", "Edm.String?"),
        ],
        &[("NewOptionValue", "Edm.Int32")],
    ),
    action(
        "InsertStatusValue",
        &[
            ("OptionSetName", "Edm.String?"),
            ("AttributeLogicalName", "Edm.String?"),
            ("EntityLogicalName", "Edm.String"),
            ("Value", "Edm.Int32?"),
            ("Label", "mscrm.Label"),
            ("Description", "mscrm.Label?"),
            ("StateCode", "Edm.Int32"),
            ("SolutionUniqueName", "Edm.String?"),
        ],
        &[("NewOptionValue", "Edm.Int32")],
    ),
    action(
        "OrderOption",
        &[
            ("OptionSetName", "Edm.String?"),
            ("AttributeLogicalName", "Edm.String?"),
            ("EntityLogicalName", "Edm.String?"),
            ("Values", "Collection(Edm.Int32)"),
            ("SolutionUniqueName", "Edm.String?"),
        ],
        &[],
    ),
    action("PublishAllXml", &[], &[]),
    action("PublishXml", &[("ParameterXml", "Edm.String")], &[]),
    action(
        "ReactivateEntityKey",
        &[("EntityLogicalName", "Edm.String"), ("EntityKeyLogicalName", "Edm.String")],
        &[],
    ),
    action(
        "UpdateOptionValue",
        &[
            ("OptionSetName", "Edm.String?"),
            ("AttributeLogicalName", "Edm.String?"),
            ("EntityLogicalName", "Edm.String?"),
            ("Value", "Edm.Int32"),
            ("Label", "mscrm.Label"),
            ("Description", "mscrm.Label?"),
            ("MergeLabels", "Edm.Boolean"),
            ("SolutionUniqueName", "Edm.String?"),
        ],
        &[],
    ),
];

fn typed(xml: &mut Xml, element: &str, name: &str, kind: &str) {
    match kind.strip_suffix('?') {
        Some(kind) => xml.empty(element, &[("Name", name), ("Type", kind)]),
        None => xml.empty(element, &[("Name", name), ("Type", kind), ("Nullable", "false")]),
    }
}

pub(super) fn types(xml: &mut Xml, knows: &dyn Fn(&str) -> bool) {
    for operation in OPERATIONS.iter().filter(|operation| knows(operation.name)) {
        let response = format!("{}Response", operation.name);
        if !operation.response.is_empty() {
            xml.within("ComplexType", &[("Name", &response)], |xml| {
                for (name, kind) in operation.response {
                    typed(xml, "Property", name, kind);
                }
            });
        }
        let element = if operation.function { "Function" } else { "Action" };
        xml.within(element, &[("Name", operation.name)], |xml| {
            for (name, kind) in operation.parameters {
                typed(xml, "Parameter", name, kind);
            }
            if !operation.response.is_empty() {
                let kind = super::qualified(&response);
                xml.empty("ReturnType", &[("Type", &kind), ("Nullable", "false")]);
            }
        });
    }
}

pub(super) fn imports(xml: &mut Xml, knows: &dyn Fn(&str) -> bool) {
    for operation in OPERATIONS.iter().filter(|operation| knows(operation.name)) {
        imported(xml, operation.name, operation.function);
    }
}

pub(super) fn imported(xml: &mut Xml, name: &str, function: bool) {
    let of = format!("{}.{name}", postroom_formats::odata::NAMESPACE);
    match function {
        true => xml.empty("FunctionImport", &[("Name", name), ("Function", &of)]),
        false => xml.empty("ActionImport", &[("Name", name), ("Action", &of)]),
    }
}
