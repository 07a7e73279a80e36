//! Relationships as clients send them.

use postroom_core::metadata::{Cascade, CascadeType, End, ManyToMany, OneToMany};
use serde_json::Value;
use uuid::Uuid;

use super::{Body, schema_name, text};
use crate::webapi::Problem;

fn table(body: &Body, member: &str) -> Result<String, Problem> {
    let name = text(body, member).map(str::to_ascii_lowercase);
    name.ok_or_else(|| Problem::bad(format!("Required field '{member}' is missing for the relationship")))
}

fn name(body: &Body, member: &str) -> String {
    text(body, member).unwrap_or_default().to_owned()
}

pub(in super::super) fn one_to_many(body: &Body) -> Result<OneToMany, Problem> {
    Ok(OneToMany {
        id: Uuid::nil(),
        schema_name: schema_name(body, "the relationship")?,
        referenced_table: table(body, "ReferencedEntity")?,
        referenced_column: name(body, "ReferencedAttribute"),
        referencing_table: table(body, "ReferencingEntity")?,
        referencing_column: name(body, "ReferencingAttribute"),
        referencing_navigation: name(body, "ReferencingEntityNavigationPropertyName"),
        referenced_navigation: name(body, "ReferencedEntityNavigationPropertyName"),
        cascade: cascade_over(Cascade::default(), body)?,
        is_custom: true,
    })
}

pub(in super::super) fn many_to_many(body: &Body) -> Result<ManyToMany, Problem> {
    let end = |number: u8| -> Result<End, Problem> {
        Ok(End {
            table: table(body, &format!("Entity{number}LogicalName"))?,
            column: String::new(),
            navigation: name(body, &format!("Entity{number}NavigationPropertyName")),
        })
    };
    Ok(ManyToMany {
        id: Uuid::nil(),
        schema_name: schema_name(body, "the relationship")?,
        intersect_table: name(body, "IntersectEntityName"),
        first: end(1)?,
        second: end(2)?,
        is_custom: true,
    })
}

/// What the body says of cascades, over what there is.
pub(in super::super) fn cascade_over(have: Cascade, body: &Body) -> Result<Cascade, Problem> {
    let given = body.get("CascadeConfiguration").and_then(Value::as_object);
    let word = |member: &str, have: CascadeType| {
        let Some(word) = given.and_then(|given| text(given, member)) else { return Ok(have) };
        let known = CascadeType::from_name(word);
        known.ok_or_else(|| Problem::payload(format!("'{word}' is no CascadeType")))
    };
    Ok(Cascade {
        assign: word("Assign", have.assign)?,
        delete: word("Delete", have.delete)?,
        merge: word("Merge", have.merge)?,
        reparent: word("Reparent", have.reparent)?,
        share: word("Share", have.share)?,
        unshare: word("Unshare", have.unshare)?,
    })
}
