//! Lookups as relationships: made with a lookup, added to one, taken away; and tables of pairs.

use postroom_core::metadata::{Cascade, CascadeType, ColumnInfo, ColumnKind, End, ManyToMany, OneToMany};
use postroom_store::sql::{Expr, ExprTrait, Query, UpdateStatement};

use super::{Problem, accept, naming, relations, tables};
use crate::rules::Refusal;
use crate::schema::registry::Revision;
use crate::schema::{Column, Intersect, Kind, Link, Schema, Side, Table, Targets};

/// Gives a lookup that came without relationships those that the platform would make.
pub(super) fn usual(schema: &Schema, table: &Table, column: &mut Column) -> Result<(), Problem> {
    let Targets::Named(targets) = column.targets.clone() else { return Ok(()) };
    if targets.is_empty() {
        return Err(Problem::unfit("column", &column.name, "a lookup names at least one table"));
    }
    for target in &targets {
        if schema.find(target).is_none() && *target != table.name {
            return Err(Problem::missing("table", target));
        }
        let (prefix, rest) = column.name.split_once('_').expect("its name was checked: prefix, _, name");
        let schema_name = format!("{prefix}_{target}_{}_{rest}", table.name);
        let link = link(column, target, &schema_name, targets.len() > 1, "", Cascade::default());
        column.links.push(link);
    }
    Ok(())
}

fn link(
    column: &Column,
    target: &str,
    name: &str,
    several: bool,
    collection: &str,
    cascade: Cascade,
) -> Link {
    let own = column.schema_name.as_deref().unwrap_or(&column.name);
    Link {
        target: target.to_owned(),
        schema_name: name.to_owned(),
        navigation: if several { format!("{own}_{target}") } else { own.to_owned() },
        collection: if collection.is_empty() { name } else { collection }.to_owned(),
        cascade: relations::cascade_words(cascade),
    }
}

/// A lookup with its relationships, or more tables for a lookup that is there.
pub(super) fn create(
    schema: &Schema,
    relations: &[OneToMany],
    lookup: &ColumnInfo,
) -> Result<Revision, Refusal> {
    let first = relations.first().ok_or_else(|| Problem::missing("relationship", "for the lookup"))?;
    let mut table = Table::clone(schema.table(&first.referencing_table)?);
    let mut place = None;
    for (count, relation) in relations.iter().enumerate() {
        naming::relationship(&relation.schema_name)?;
        free_name(schema, &relation.schema_name)?;
        let same = |other: &OneToMany| other.schema_name.eq_ignore_ascii_case(&relation.schema_name);
        if relations[..count].iter().any(same) {
            return Err(Problem::Taken { what: "relationship", name: relation.schema_name.clone() }.into());
        }
        if relation.referencing_table != table.name {
            return Err(Problem::unfit(
                "relationship",
                &relation.schema_name,
                "a lookup stands in one table",
            )
            .into());
        }
        let target = schema.table(&relation.referenced_table)?.name.clone();
        let at = match place {
            Some(at) => at,
            None => lookup_place(schema, &mut table, &target, lookup)?,
        };
        place = Some(at);
        add_target(&mut table.columns[at], &target, relation)?;
    }
    Ok(Revision { tables: vec![table], ..Revision::default() })
}

/// Where the lookup stands in its table, made when it is not there yet. Its targets come with its relationships.
fn lookup_place(
    schema: &Schema,
    table: &mut Table,
    target: &str,
    lookup: &ColumnInfo,
) -> Result<usize, Refusal> {
    let (_, name) = naming::agreed(&lookup.schema_name, &lookup.logical_name)?;
    if let Some(place) = table.place(&name) {
        return Ok(place);
    }
    let kind = match &lookup.kind {
        ColumnKind::Customer { .. } => ColumnKind::Customer { targets: Vec::new() },
        _ => ColumnKind::Lookup { targets: vec![target.to_owned()] },
    };
    let mut column = accept::column(schema, table, &ColumnInfo { kind, ..lookup.clone() })?;
    (column.targets, column.links) = (Targets::default(), Vec::new());
    table.columns.push(column);
    Ok(table.columns.len() - 1)
}

/// Another cascade for a relationship made at run time. One that came with the CRM keeps its own: the same is taken.
pub(super) fn update(schema: &Schema, relation: &OneToMany) -> Result<Revision, Refusal> {
    let mut table = Table::clone(schema.table(&relation.referencing_table)?);
    let place = table.known_place(&relation.referencing_column)?;
    let column = &mut table.columns[place];
    let link = column.links.iter_mut().find(|link| link.target == relation.referenced_table);
    match link {
        Some(link) => {
            link.cascade = relations::cascade_words(relation.cascade);
            column.changed = true;
            Ok(Revision { tables: vec![table], ..Revision::default() })
        }
        None => {
            let all = relations::one_to_many(schema);
            let have = all.iter().find(|known| known.schema_name == relation.schema_name);
            match have.is_some_and(|have| have.cascade == relation.cascade) {
                true => Ok(Revision::default()),
                false => {
                    let name = relation.schema_name.clone();
                    Err(Problem::Standard { what: "relationship", name }.into())
                }
            }
        }
    }
}

fn add_target(column: &mut Column, target: &str, relation: &OneToMany) -> Result<(), Problem> {
    let Targets::Named(targets) = &mut column.targets else {
        return Err(Problem::unfit("column", &column.name, "it names every table with activities already"));
    };
    if column.kind != Kind::Lookup {
        return Err(Problem::unfit("column", &column.name, "it is no lookup"));
    }
    if targets.iter().any(|known| known == target) {
        return Err(Problem::Taken { what: "relationship to the table", name: target.to_owned() });
    }
    targets.push(target.to_owned());
    let several = targets.len() > 1 || column.format.is_some();
    let mut new = link(
        column,
        target,
        &relation.schema_name,
        several,
        &relation.referenced_navigation,
        relation.cascade,
    );
    if !relation.referencing_navigation.is_empty() {
        new.navigation.clone_from(&relation.referencing_navigation);
    }
    column.links.push(new);
    column.changed = true;
    Ok(())
}

/// A relationship's name is its own among both kinds. Not asked of [`super::metadata`]: in a lot of definitions each makes a
/// schema of its own, and describing the whole of it for one name takes most of the time.
fn free_name(schema: &Schema, name: &str) -> Result<(), Problem> {
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    let one = relations::one_to_many(schema).iter().any(|relation| same(&relation.schema_name));
    let many = relations::many_to_many(schema).iter().any(|relation| same(&relation.schema_name));
    match one || many {
        true => Err(Problem::Taken { what: "relationship", name: name.to_owned() }),
        false => Ok(()),
    }
}

/// A table of pairs.
pub(super) fn create_pairs(schema: &Schema, relation: &ManyToMany) -> Result<Revision, Refusal> {
    naming::logical(&relation.schema_name)?;
    free_name(schema, &relation.schema_name)?;
    let given = [&relation.intersect_table, &relation.schema_name].into_iter().find(|name| !name.is_empty());
    let name = naming::logical(given.expect("a relationship's name was checked"))?;
    if schema.find(&name).is_some() {
        return Err(Problem::Taken { what: "table", name }.into());
    }
    let (first, second) = (schema.table(&relation.first.table)?, schema.table(&relation.second.table)?);
    let own = first.name == second.name;
    let side = |end: &End, table: &Table, suffix: &str| Side {
        table: table.name.clone(),
        column: format!("{}id{}", table.name, if own { suffix } else { "" }),
        navigation: match end.navigation.is_empty() {
            true => relation.schema_name.clone(),
            false => end.navigation.clone(),
        },
    };
    let sides = Intersect {
        schema_name: relation.schema_name.clone(),
        first: side(&relation.first, first, "one"),
        second: side(&relation.second, second, "two"),
    };
    let key = format!("{name}id");
    let columns = vec![
        Column::new(key.clone(), Kind::Id).required(),
        Column::new(sides.first.column.clone(), Kind::Guid).indexed(),
        Column::new(sides.second.column.clone(), Kind::Guid).indexed(),
        Column::new("versionnumber", Kind::BigInteger).read_only().indexed(),
    ];
    let mut table = Table::new(name, key, columns);
    table.schema_name = Some(relation.schema_name.clone());
    table.entity_set = Some(super::change::free_set(schema, &table.name)?);
    table.intersect = Some(sides);
    Ok(Revision { tables: vec![table], ..Revision::default() })
}

/// Takes a relationship away: its table of pairs, its lookup, or its table from a lookup that names others too.
pub(super) fn delete(schema: &Schema, name: &str) -> Result<Revision, Refusal> {
    let pairs = schema.tables().find(|table| {
        table.intersect.as_ref().is_some_and(|sides| sides.schema_name.eq_ignore_ascii_case(name))
    });
    if let Some(table) = pairs {
        return Ok(Revision { gone: vec![table.name.clone()], ..Revision::default() });
    }
    let all = relations::one_to_many(schema);
    let relation = all.iter().find(|relation| relation.schema_name.eq_ignore_ascii_case(name));
    let Some(relation) = relation else {
        let pairs = relations::many_to_many(schema);
        let standard = pairs.iter().any(|relation| relation.schema_name.eq_ignore_ascii_case(name));
        return Err(match standard {
            true => Problem::Standard { what: "relationship", name: name.to_owned() },
            false => Problem::missing("relationship", name),
        }
        .into());
    };
    let table = schema.table(&relation.referencing_table)?;
    let column = &table.columns[table.known_place(&relation.referencing_column)?];
    let own = column.links.iter().any(|link| link.target == relation.referenced_table);
    if !own && !tables::is_custom_column(table, column) {
        return Err(Problem::Standard { what: "relationship", name: name.to_owned() }.into());
    }
    let mut table = Table::clone(table);
    let rows = unlink(&mut table, &relation.referencing_column, &relation.referenced_table)?;
    Ok(Revision { tables: vec![table], rows, ..Revision::default() })
}

/// Takes a target from a lookup, and the lookup when it was the last; answers what its rows lose.
pub(super) fn unlink(table: &mut Table, name: &str, target: &str) -> Result<Vec<UpdateStatement>, Problem> {
    let place = table.place(name).ok_or_else(|| Problem::missing("column", name))?;
    let column = &mut table.columns[place];
    let Targets::Named(targets) = &mut column.targets else { return Ok(Vec::new()) };
    let first = targets.first().is_some_and(|first| first == target);
    let several = targets.len() > 1;
    targets.retain(|known| known != target);
    column.links.retain(|link| link.target != target);
    column.changed = true;
    if targets.is_empty() {
        super::change::unused(table, name)?;
        table.columns.remove(place);
        table.index();
        return Ok(Vec::new());
    }
    Ok(if several { vec![emptied(table, name, target, first)] } else { Vec::new() })
}

/// Rows that name a row of `target` in this lookup name none.
pub(super) fn emptied(table: &Table, column: &str, target: &str, untyped: bool) -> UpdateStatement {
    let kind = format!("{column}_type");
    let mut named = Expr::col(kind.clone()).eq(target);
    if untyped {
        // A lookup that was widened later has no type in its old rows: they mean the first target.
        named = named.or(Expr::col(kind.clone()).is_null());
    }
    Query::update()
        .table(table.storage())
        .value(column.to_owned(), Option::<uuid::Uuid>::None)
        .value(kind, Option::<String>::None)
        .and_where(named)
        .to_owned()
}

/// What happens to a lookup when the table it names goes: only one that may lose its link lets go of it.
pub(super) fn lets_go(schema: &Schema, table: &Table, column: &Column, target: &str) -> bool {
    let all = relations::one_to_many(schema);
    let relation = all.iter().find(|relation| {
        relation.referencing_table == table.name
            && relation.referencing_column == column.name
            && relation.referenced_table == target
    });
    relation.is_some_and(|relation| relation.cascade.delete == CascadeType::RemoveLink) && !column.required
}
