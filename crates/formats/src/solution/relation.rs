//! Relationships: `EntityRelationship`. A lookup and one table that it may name, or a table of pairs.

use postroom_core::metadata::{Cascade, CascadeType, End, ManyToMany, OneToMany};
use uuid::Uuid;

use super::attribute::INTRODUCED;
use super::tree::{flag, leaf, needed, new, wrong};
use super::{Error, Package, Solution};
use crate::xml::Element;

pub(super) fn write(solution: &Solution, package: Package) -> Vec<Element> {
    let one = solution.one_to_many.iter().map(|relation| one_to_many(solution, relation, package));
    one.chain(solution.many_to_many.iter().map(|relation| many_to_many(solution, relation))).collect()
}

/// Files name tables and columns as they are cased where they are made.
fn table_name(solution: &Solution, logical: &str) -> String {
    let entity = solution.entities.iter().find(|entity| entity.table.logical_name == logical);
    entity.map_or_else(|| logical.to_owned(), |entity| entity.table.schema_name.clone())
}

fn column_name(solution: &Solution, table: &str, column: &str) -> String {
    let entity = solution.entities.iter().find(|entity| entity.table.logical_name == table);
    let known = entity.and_then(|entity| entity.table.column(column));
    known.map_or_else(|| column.to_owned(), |column| column.schema_name.clone())
}

fn head(name: &str, kind: &str) -> Element {
    new("EntityRelationship")
        .attribute("Name", name)
        .with(leaf("EntityRelationshipType", kind))
        .with(flag("IsCustomizable", true))
        .with(leaf("IntroducedVersion", INTRODUCED))
        .with(flag("IsHierarchical", false))
}

fn one_to_many(solution: &Solution, relation: &OneToMany, package: Package) -> Element {
    let cascade = &relation.cascade;
    let column = column_name(solution, &relation.referencing_table, &relation.referencing_column);
    let element = head(&relation.schema_name, "OneToMany")
        .with(leaf("ReferencingEntityName", table_name(solution, &relation.referencing_table)))
        .with(leaf("ReferencedEntityName", table_name(solution, &relation.referenced_table)))
        .with(leaf("CascadeAssign", cascade_name(cascade.assign)))
        .with(leaf("CascadeDelete", delete_name(cascade.delete)))
        .with(leaf("CascadeReparent", cascade_name(cascade.reparent)))
        .with(leaf("CascadeShare", cascade_name(cascade.share)))
        .with(leaf("CascadeUnshare", cascade_name(cascade.unshare)))
        .with(leaf("ReferencingAttributeName", column));
    if package < Package::V8_0 {
        return element;
    }
    let referencing = new("EntityRelationshipRole")
        .with(leaf("NavPaneDisplayOption", "UseCollectionName"))
        .with(leaf("NavPaneArea", "Details"))
        .with(leaf("NavPaneOrder", "10000"))
        .with(leaf("NavigationPropertyName", relation.referencing_navigation.as_str()))
        .with(leaf("RelationshipRoleType", "1"));
    element.with(
        new("EntityRelationshipRoles").with(referencing).with(role(&relation.referenced_navigation, "0")),
    )
}

fn role(navigation: &str, kind: &str) -> Element {
    new("EntityRelationshipRole")
        .with(leaf("NavigationPropertyName", navigation))
        .with(leaf("RelationshipRoleType", kind))
}

fn many_to_many(solution: &Solution, relation: &ManyToMany) -> Element {
    head(&relation.schema_name, "ManyToMany")
        .with(leaf("FirstEntityName", table_name(solution, &relation.first.table)))
        .with(leaf("SecondEntityName", table_name(solution, &relation.second.table)))
        .with(leaf("IntersectEntityName", relation.intersect_table.as_str()))
}

/// Only this name is not the one of definitions.
fn cascade_name(kind: CascadeType) -> &'static str {
    match kind {
        CascadeType::Active => "ActiveOnly",
        CascadeType::RemoveLink | CascadeType::Restrict => CascadeType::NoCascade.name(),
        kind => kind.name(),
    }
}

fn delete_name(kind: CascadeType) -> &'static str {
    match kind {
        CascadeType::Active | CascadeType::UserOwned => CascadeType::NoCascade.name(),
        kind => kind.name(),
    }
}

/// Reads one relationship into the list that it belongs to.
pub(super) fn read(element: &Element, solution: &mut Solution) -> Result<(), Error> {
    let name = element.get("Name").unwrap_or_default().to_owned();
    let of = format!("the relationship {name}");
    if name.is_empty() {
        return Err(Error::Missing { component: of, element: "Name" });
    }
    match needed(element, "EntityRelationshipType", &of)? {
        "OneToMany" => solution.one_to_many.push(read_one(element, name, &of)?),
        "ManyToMany" => solution.many_to_many.push(read_many(element, name, &of)?),
        other => return Err(wrong(&of, "EntityRelationshipType", other)),
    }
    Ok(())
}

fn read_one(element: &Element, name: String, of: &str) -> Result<OneToMany, Error> {
    let table = |member| needed(element, member, of).map(str::to_ascii_lowercase);
    let kind = |member: &'static str, otherwise: CascadeType| match element.text_of(member) {
        None | Some("") => Ok(otherwise),
        Some("ActiveOnly") => Ok(CascadeType::Active),
        Some(word) => CascadeType::from_name(word).ok_or_else(|| wrong(of, member, word)),
    };
    let usual = Cascade::default();
    let referenced_table = table("ReferencedEntityName")?;
    Ok(OneToMany {
        id: Uuid::nil(),
        referenced_column: format!("{referenced_table}id"),
        referenced_table,
        referencing_table: table("ReferencingEntityName")?,
        referencing_column: table("ReferencingAttributeName")?,
        referencing_navigation: navigation(element, "1"),
        referenced_navigation: navigation(element, "0"),
        cascade: Cascade {
            assign: kind("CascadeAssign", usual.assign)?,
            delete: kind("CascadeDelete", usual.delete)?,
            merge: usual.merge,
            reparent: kind("CascadeReparent", usual.reparent)?,
            share: kind("CascadeShare", usual.share)?,
            unshare: kind("CascadeUnshare", usual.unshare)?,
        },
        is_custom: true,
        schema_name: name,
    })
}

/// Empty when the file does not say it: then it follows from the names.
fn navigation(element: &Element, kind: &str) -> String {
    let roles = element.child("EntityRelationshipRoles").into_iter().flat_map(|list| &list.children);
    let mut of = roles.filter(|role| role.text_of("RelationshipRoleType") == Some(kind));
    of.find_map(|role| role.text_of("NavigationPropertyName")).unwrap_or_default().to_owned()
}

fn read_many(element: &Element, name: String, of: &str) -> Result<ManyToMany, Error> {
    let end = |member| -> Result<End, Error> {
        let table = needed(element, member, of)?.to_ascii_lowercase();
        Ok(End { column: format!("{table}id"), table, navigation: name.clone() })
    };
    let intersect = element.text_of("IntersectEntityName").filter(|name| !name.is_empty()).unwrap_or(&name);
    Ok(ManyToMany {
        id: Uuid::nil(),
        intersect_table: intersect.to_ascii_lowercase(),
        first: end("FirstEntityName")?,
        second: end("SecondEntityName")?,
        is_custom: true,
        schema_name: name.clone(),
    })
}
