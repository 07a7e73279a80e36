//! A solution that goes: its row is deleted, and a managed one takes along what nothing else holds.

use std::collections::HashSet;

use futures_util::FutureExt;
use postroom_core::metadata::{Metadata, PrivilegeKind};
use postroom_core::{Change, ChangeSet, Fault, Outcome, RecordRef};
use postroom_formats::solution::component;
use postroom_store::sql::{Expr, ExprTrait, Query as Sql};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::held::{self, Definition};
use super::{DEFAULT, codes};
use crate::definitions::{self, Problem, draft::Draft};
use crate::failure::Failure;
use crate::lot::{self, Writer};
use crate::messages::{codes as message_codes, refuse};
use crate::rules::Refusal;
use crate::schema::Schema;
use crate::schema::registry::{self, Cache, Revision};
use crate::session::Session;
use crate::{Embedded, access};

/// The parts of an app: table, key, the column that names the app.
pub(super) const APP_PARTS: &[(&str, &str, &str)] = &[
    ("appmodulecomponent", "appmodulecomponentid", "appmoduleidunique"),
    ("appmoduleroles", "appmoduleroleid", "appmoduleid"),
];
/// What goes with a role.
const ROLE_PARTS: &[(&str, &str, &str)] = &[
    ("roleprivileges", "roleprivilegeid", "roleid"),
    ("systemuserroles", "systemuserroleid", "roleid"),
    ("teamroles", "teamroleid", "roleid"),
    ("appmoduleroles", "appmoduleroleid", "roleid"),
];

/// The solution that a change deletes, and the version that its row must still have.
fn of(change: &Change) -> Option<(&RecordRef, Option<i64>)> {
    let (at, version) = match change {
        Change::Delete(at) => (at, None),
        Change::DeleteIf(at, version) => (at, *version),
        _ => return None,
    };
    (at.table == "solution").then_some((at, version))
}

fn deletes(sets: &[ChangeSet]) -> bool {
    sets.iter().flat_map(|set| &set.changes).any(|change| of(change).is_some())
}

/// The set as one deletion of a solution; an error when it holds more.
fn alone(set: &ChangeSet) -> Result<Option<(RecordRef, Option<i64>)>, Failure> {
    match set.changes.as_slice() {
        [change] => Ok(of(change).map(|(at, version)| (at.clone(), version))),
        _ => not_among(std::slice::from_ref(set)).map(|()| None),
    }
}

/// Refuses sets that delete solutions, where they would not be taken away whole.
pub(crate) fn not_among(sets: &[ChangeSet]) -> Result<(), Failure> {
    let text = "A solution is deleted by a request of its own, not together with other changes.";
    match deletes(sets) {
        true => Err(refuse(message_codes::NOT_SUPPORTED, text)),
        false => Ok(()),
    }
}

/// Does sets among which solutions are deleted, one after the other; `None` when there are none such.
pub(crate) async fn apart(
    session: &Session,
    sets: &[ChangeSet],
) -> Option<Vec<Result<Vec<Outcome>, Failure>>> {
    if !deletes(sets) {
        return None;
    }
    let mut answers = Vec::with_capacity(sets.len());
    for set in sets {
        answers.push(match alone(set) {
            Err(failure) => Err(failure),
            Ok(Some((at, version))) => {
                uninstall_as(session, at, version).await.map(|()| vec![Outcome::Deleted])
            }
            Ok(None) => Box::pin(session.write(set.clone())).await,
        });
    }
    Some(answers)
}

/// The same for the port, which asks for no rights.
pub(crate) async fn apart_of_port(
    crm: &Embedded,
    sets: &[ChangeSet],
) -> Option<Vec<Result<Vec<Outcome>, Fault>>> {
    if !deletes(sets) {
        return None;
    }
    let mut answers = Vec::with_capacity(sets.len());
    for set in sets {
        answers.push(match alone(set) {
            Err(failure) => Err(failure.into()),
            Ok(Some((at, version))) => match uninstall(crm, crm.acting, at, version).await {
                Ok(()) => Ok(vec![Outcome::Deleted]),
                // A repeat is success, as with other rows.
                Err(Failure::Refused(Refusal::NotFound(_))) => Ok(vec![Outcome::Unchanged]),
                Err(failure) => Err(failure.into()),
            },
            Ok(None) => {
                let done = Box::pin(postroom_core::Crm::apply(crm, vec![set.clone()])).await;
                done.into_iter().next().expect("one set gives one answer")
            }
        });
    }
    Some(answers)
}

async fn uninstall_as(session: &Session, at: RecordRef, version: Option<i64>) -> Result<(), Failure> {
    let table = session.crm().table("solution").await?;
    session.caller().await?.check_table(PrivilegeKind::Delete, &table)?;
    uninstall(session.crm(), session.user(), at, version).await
}

async fn uninstall(crm: &Embedded, acting: Uuid, at: RecordRef, version: Option<i64>) -> Result<(), Failure> {
    let (cache, writer) = (crm.cache.clone(), Writer { acting, now: crm.clock.now() });
    crm.shape(move |tx| {
        async move {
            registry::lock(tx).await?;
            let select = Sql::select()
                .columns(["ismanaged", "versionnumber"])
                .from("crm_solution")
                .and_where(Expr::col("solutionid").eq(at.id))
                .to_owned();
            let Some(row) = tx.query_one(&select).await? else {
                return Err(Refusal::NotFound(at).into());
            };
            if version.is_some() && row.at::<Option<i64>>(1)? != version {
                return Err(Refusal::Version(at).into());
            }
            if at.id == DEFAULT {
                let text = "The Default Solution holds what no other solution does and cannot be deleted.";
                return Err(refuse(codes::IN_USE, text));
            }
            let managed = row.at::<Option<bool>>(0)? == Some(true);
            let held = held::all(tx).await?;
            let own: Vec<(Uuid, i32)> = held
                .iter()
                .filter(|(_, solution, _)| *solution == at.id)
                .map(|(object, _, kind)| (*object, *kind))
                .collect();
            let rows: Vec<Change> =
                own.iter().map(|(object, _)| Change::Delete(held::row_at(at.id, *object))).collect();
            if managed {
                take(tx, &cache, writer, at.id, own).await?;
            }
            let mut changes = rows;
            changes.push(Change::Delete(at));
            put(tx, &cache, writer, changes).await?;
            match managed {
                true => Ok(registry::renew(tx).await?),
                false => Ok(()),
            }
        }
        .boxed()
    })
    .await
}

pub(super) async fn put(
    tx: &mut Tx,
    cache: &Cache,
    writer: Writer,
    changes: Vec<Change>,
) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(());
    }
    let schema = cache.current(tx).await?;
    let mut answers = lot::apply(tx, schema, writer, None, vec![ChangeSet { changes }]).await?;
    answers.pop().expect("one set gives one answer").map(drop)
}

/// Takes away those of these components that no other solution holds, with their rows in `solutioncomponent`.
pub(super) async fn take(
    tx: &mut Tx,
    cache: &Cache,
    writer: Writer,
    solution: Uuid,
    components: Vec<(Uuid, i32)>,
) -> Result<(), Failure> {
    let held = held::all(tx).await?;
    let elsewhere: HashSet<Uuid> =
        held.iter().filter(|(_, other, _)| *other != solution).map(|(object, ..)| *object).collect();
    let rows: Vec<Change> =
        components.iter().map(|(object, _)| Change::Delete(held::row_at(solution, *object))).collect();
    put(tx, cache, writer, rows).await?;
    let gone: Vec<(Uuid, i32)> =
        components.into_iter().filter(|(object, _)| !elsewhere.contains(object)).collect();
    let objects: HashSet<Uuid> = gone.iter().map(|(object, _)| *object).collect();
    registry::revise(tx, move |have| plan(have, &objects).map(|revision| (revision, ()))).await?;
    let schema = cache.current(tx).await?;
    access::seed::ensure(tx, &schema).await?;
    delete_rows(tx, cache, writer, &gone).await
}

async fn delete_rows(
    tx: &mut Tx,
    cache: &Cache,
    writer: Writer,
    gone: &[(Uuid, i32)],
) -> Result<(), Failure> {
    let mut changes = Vec::new();
    let of = |kind: i32| -> Vec<Uuid> {
        gone.iter().filter(|(_, other)| *other == kind).map(|(object, _)| *object).collect()
    };
    for (kind, parts) in [(component::ROLE, ROLE_PARTS), (component::APP_MODULE, APP_PARTS)] {
        for (table, key, column) in parts {
            for id in related(tx, table, key, column, &of(kind)).await? {
                changes.push(Change::Delete(RecordRef::new(*table, id)));
            }
        }
    }
    for (object, kind) in gone {
        if let Some(table) = held::row_table(*kind) {
            changes.push(Change::Delete(RecordRef::new(table, *object)));
        }
    }
    put(tx, cache, writer, changes).await
}

/// The rows whose column names one of these.
pub(super) async fn related(
    tx: &mut Tx,
    table: &str,
    key: &str,
    column: &str,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let select = Sql::select()
        .column(key.to_owned())
        .from(format!("crm_{table}"))
        .and_where(Expr::col(column.to_owned()).is_in(ids.iter().copied()))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
}

/// The definitions without these.
fn plan(have: &Schema, objects: &HashSet<Uuid>) -> Result<Revision, Failure> {
    let metadata = definitions::metadata(have);
    let index = held::index(&metadata);
    let gone: Vec<Definition<'_>> = objects.iter().filter_map(|id| index.get(id).copied()).collect();
    let tables: HashSet<&str> = gone
        .iter()
        .filter_map(|definition| match definition {
            Definition::Table(table) if table.is_custom => Some(table.logical_name.as_str()),
            _ => None,
        })
        .collect();
    unneeded(&metadata, &tables, objects)?;
    let mut draft = Draft::new(have);
    for definition in in_order(&gone, &metadata, &tables) {
        take_one(&mut draft, definition, &tables).map_err(|refusal| failure(definition, &refusal))?;
    }
    Ok(draft.finish())
}

/// Keys before columns, relationships before tables; names make the order the same every time.
fn in_order<'m>(
    gone: &[Definition<'m>],
    metadata: &'m Metadata,
    tables: &HashSet<&str>,
) -> Vec<Definition<'m>> {
    let rank = |definition: &Definition<'_>| match definition {
        Definition::ManyToMany(_) => 0,
        Definition::Key(..) => 1,
        Definition::OneToMany(_) => 2,
        Definition::Column(..) => 3,
        Definition::Table(_) => 4,
        Definition::OptionSet(_) => 5,
    };
    let mut all = gone.to_vec();
    // Lookups of a table that goes are no reason to keep what they name.
    let own = metadata
        .one_to_many
        .iter()
        .filter(|relation| relation.is_custom && tables.contains(relation.referencing_table.as_str()));
    all.extend(own.map(Definition::OneToMany));
    let keys = metadata.tables.iter().filter(|table| tables.contains(table.logical_name.as_str()));
    all.extend(keys.flat_map(|table| table.keys.iter().map(move |key| Definition::Key(table, key))));
    all.sort_by_key(|definition| (rank(definition), definition.name()));
    all.dedup_by_key(|definition| (rank(definition), definition.name()));
    all
}

fn take_one(
    draft: &mut Draft<'_>,
    definition: Definition<'_>,
    tables: &HashSet<&str>,
) -> Result<(), Refusal> {
    let known = |table: &str| definitions::table(draft.schema(), table);
    match definition {
        Definition::ManyToMany(relation) => draft.delete_relationship(&relation.schema_name),
        Definition::OneToMany(relation) => {
            let table = known(&relation.referencing_table);
            let column = table.as_ref().and_then(|table| table.column(&relation.referencing_column));
            // Those of columns that every table has go with their table.
            match column.is_some_and(|column| column.is_custom && !column.is_primary_id)
                && definitions::one_to_many(draft.schema())
                    .iter()
                    .any(|have| have.schema_name == relation.schema_name)
            {
                true => draft.delete_relationship(&relation.schema_name),
                false => Ok(()),
            }
        }
        Definition::Key(table, key) => draft.delete_key(&table.logical_name, &key.logical_name),
        Definition::Column(table, column) => {
            let have = known(&table.logical_name);
            let there = have.is_some_and(|have| have.column(&column.logical_name).is_some());
            match there && !tables.contains(table.logical_name.as_str()) && !column.is_primary_name {
                true => draft.delete_column(&table.logical_name, &column.logical_name),
                false => Ok(()),
            }
        }
        Definition::Table(table) if tables.contains(table.logical_name.as_str()) => {
            draft.delete_table(&table.logical_name)
        }
        Definition::Table(_) => Ok(()),
        Definition::OptionSet(set) => draft.delete_option_set(&set.name),
    }
}

/// Refuses when a lookup or a table of pairs that stays names a table that would go.
fn unneeded(metadata: &Metadata, tables: &HashSet<&str>, objects: &HashSet<Uuid>) -> Result<(), Failure> {
    for name in tables {
        let lookups = metadata.one_to_many_of(name).filter(|relation| {
            let column = metadata.table(&relation.referencing_table);
            let column = column.and_then(|table| table.column(&relation.referencing_column));
            column.is_some_and(|column| column.is_custom && !column.is_primary_id)
                && !tables.contains(relation.referencing_table.as_str())
                && !objects.contains(&relation.id)
        });
        let pairs = metadata.many_to_many_of(name).filter(|relation| !objects.contains(&relation.id));
        let by: Vec<String> = lookups
            .map(|relation| format!("{}.{}", relation.referencing_table, relation.referencing_column))
            .chain(pairs.map(|relation| relation.schema_name.clone()))
            .collect();
        if let Some(first) = by.first() {
            return Err(in_use("Entity", name, by.len(), first));
        }
    }
    Ok(())
}

fn in_use(kind: &str, name: &str, count: usize, by: &str) -> Failure {
    let text = format!(
        "The {kind}({name}) component cannot be deleted because it is referenced by {count} other components. For a list \
         of referenced components, use the RetrieveDependenciesForDeleteRequest. The first is {by}."
    );
    refuse(codes::IN_USE, text)
}

fn failure(definition: Definition<'_>, refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::Definition(Problem::InUse { name, by, .. }) => in_use("Component", name, 1, by),
        refusal => refuse(codes::IMPORT, format!("{} cannot be taken away: {refusal}", definition.name())),
    }
}
