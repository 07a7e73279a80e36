//! The types of definitions: as entities behind `EntityDefinitions` and its like, and once more as complex types
//! (`ComplexEntityMetadata`) for the actions that take them.

use super::{Xml, collection, qualified};
use crate::webapi::definitions::enums::ENUMS;
use crate::webapi::definitions::types::{self, Code, Member, Sort, Type};

/// Sets and their types.
const SETS: &[(&str, &str)] = &[
    ("EntityDefinitions", "EntityMetadata"),
    ("RelationshipDefinitions", "RelationshipMetadataBase"),
    ("GlobalOptionSetDefinitions", "OptionSetMetadataBase"),
    ("ManagedPropertyDefinitions", "ManagedPropertyMetadata"),
];

pub(super) fn types(xml: &mut Xml) {
    for (name, members) in ENUMS {
        xml.within("EnumType", &[("Name", name)], |xml| {
            for (name, value) in *members {
                xml.empty("Member", &[("Name", name), ("Value", &value.to_string())]);
            }
        });
    }
    for one in types::all() {
        match one.sort {
            Sort::Entity => {
                entity(xml, one);
                twin(xml, one);
            }
            Sort::Complex => complex(xml, one),
        }
    }
}

/// Whether types are made of this one, and none is it alone.
fn is_abstract(one: &Type) -> bool {
    ["MetadataBase", "RelationshipMetadataBase", "OptionSetMetadataBase", "EnumAttributeMetadata"]
        .contains(&one.name)
}

fn entity(xml: &mut Xml, one: &'static Type) {
    let base = one.base.map(qualified);
    let mut attributes = vec![("Name", one.name)];
    attributes.extend(base.as_deref().map(|base| ("BaseType", base)));
    if is_abstract(one) {
        attributes.push(("Abstract", "true"));
    }
    xml.within("EntityType", &attributes, |xml| {
        if one.base.is_none() {
            xml.within("Key", &[], |xml| xml.empty("PropertyRef", &[("Name", "MetadataId")]));
        }
        one.members.iter().for_each(|member| property(xml, member, one.base.is_none()));
        for navigation in &one.navigations {
            let target = qualified(navigation.target);
            let kind = if navigation.many { collection(&target) } else { target };
            let mut attributes = vec![("Name", navigation.name), ("Type", kind.as_str())];
            // Attributes and keys live within their table; a relationship or a global set does not.
            if matches!(navigation.name, "Attributes" | "Keys") {
                attributes.push(("ContainsTarget", "true"));
            }
            xml.empty("NavigationProperty", &attributes);
        }
    });
}

/// The same as a complex type: what is navigated to stands within.
fn twin(xml: &mut Xml, one: &'static Type) {
    let name = format!("Complex{}", one.name);
    let base = one.base.map(|base| qualified(&format!("Complex{base}")));
    let mut attributes = vec![("Name", name.as_str())];
    attributes.extend(base.as_deref().map(|base| ("BaseType", base)));
    xml.within("ComplexType", &attributes, |xml| {
        one.members.iter().for_each(|member| property(xml, member, false));
        for navigation in &one.navigations {
            let target = qualified(&format!("Complex{}", navigation.target));
            let kind = if navigation.many { collection(&target) } else { target };
            xml.empty("Property", &[("Name", navigation.name), ("Type", &kind)]);
        }
        // What stands in a relationship when it is made.
        if one.name == "OneToManyRelationshipMetadata" {
            xml.empty(
                "Property",
                &[("Name", "Lookup"), ("Type", &qualified("ComplexLookupAttributeMetadata"))],
            );
        }
    });
}

fn complex(xml: &mut Xml, one: &'static Type) {
    let base = one.base.map(qualified);
    let mut attributes = vec![("Name", one.name)];
    attributes.extend(base.as_deref().map(|base| ("BaseType", base)));
    xml.within("ComplexType", &attributes, |xml| {
        one.members.iter().for_each(|member| property(xml, member, false));
    });
}

fn property(xml: &mut Xml, member: &Member, key: bool) {
    let kind = kind(member.code);
    let mut attributes = vec![("Name", member.name), ("Type", kind.as_str())];
    match member.code {
        Code::Flag(_) => attributes.push(("Nullable", "false")),
        _ if key && member.name == "MetadataId" => attributes.push(("Nullable", "false")),
        Code::Text => attributes.push(("Unicode", "false")),
        Code::Decimal => attributes.push(("Scale", "Variable")),
        _ => {}
    }
    xml.empty("Property", &attributes);
}

fn kind(code: Code) -> String {
    let plain = match code {
        Code::Text => "Edm.String",
        Code::Flag(_) | Code::MaybeFlag => "Edm.Boolean",
        Code::Int => "Edm.Int32",
        Code::Long => "Edm.Int64",
        Code::Decimal => "Edm.Decimal",
        Code::Double => "Edm.Double",
        Code::Time => "Edm.DateTimeOffset",
        Code::Guid => "Edm.Guid",
        Code::Managed(_) => return qualified("BooleanManagedProperty"),
        Code::Label => return qualified("Label"),
        Code::Enum(name) | Code::Complex(name) => return qualified(name),
        Code::Texts => return collection("Edm.String"),
        Code::Numbers => return collection("Edm.Int32"),
        Code::Many(name) => return collection(&qualified(name)),
    };
    plain.to_owned()
}

pub(super) fn sets(xml: &mut Xml) {
    for (name, of) in SETS {
        let of = format!("{}.{of}", postroom_formats::odata::NAMESPACE);
        xml.within("EntitySet", &[("Name", name), ("EntityType", &of)], |xml| {
            if *name == "EntityDefinitions" {
                for path in ["ManyToManyRelationships", "ManyToOneRelationships", "OneToManyRelationships"] {
                    let attributes = [("Path", path), ("Target", "RelationshipDefinitions")];
                    xml.empty("NavigationPropertyBinding", &attributes);
                }
            }
        });
    }
}
