//! Which solution holds which component: the rows of `solutioncomponent`.

use std::collections::{HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::metadata::{ColumnInfo, KeyInfo, ManyToMany, Metadata, OneToMany, OptionSet, TableInfo};
use postroom_core::{Change, ChangeSet, Crm, Filter, Query, Record, RecordRef, Value};
use postroom_formats::solution::component;
use postroom_store::sql::{Expr, ExprTrait, Query as Sql};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::{DEFAULT, DEFAULT_PUBLISHER, codes, upgrade};
use crate::failure::Failure;
use crate::lot::{self, Writer};
use crate::messages::{codes as message_codes, refuse};
use crate::session::Session;
use crate::{Embedded, definitions};

/// One component of a solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Component {
    /// See [`component`].
    pub(crate) kind: i32,
    pub(crate) object: Uuid,
    /// For results and errors.
    pub(crate) name: String,
    /// Of a root: whether what belongs to it comes along (0) or not (1).
    pub(crate) behavior: Option<i64>,
    /// The object that it belongs to.
    pub(crate) root: Option<Uuid>,
}

impl Component {
    pub(crate) fn part(kind: i32, object: Uuid, name: impl Into<String>, root: Option<Uuid>) -> Self {
        Component { kind, object, name: name.into(), behavior: None, root }
    }

    /// The row that says that this solution holds it.
    pub(super) fn row(&self, solution: Uuid) -> Record {
        let metadata = row_table(self.kind).is_none();
        let mut row = Record::new(row_at(solution, self.object))
            .with("solutionid", RecordRef::new("solution", solution))
            .with("objectid", self.object)
            .with("componenttype", self.kind)
            .with("ismetadata", metadata);
        if let Some(behavior) = self.behavior {
            row = row.with("rootcomponentbehavior", behavior);
        }
        match self.root {
            Some(root) => row.with("rootsolutioncomponentid", row_at(solution, root).id),
            None => row,
        }
    }
}

/// One component has one row in each solution.
pub(super) fn row_at(solution: Uuid, object: Uuid) -> RecordRef {
    RecordRef::new("solutioncomponent", Uuid::new_v5(&solution, object.as_bytes()))
}

/// Tables whose rows are components, and of which kind.
const ROWS: &[(i32, &str)] = &[
    (component::ROLE, "role"),
    (component::SAVED_QUERY, "savedquery"),
    (component::SYSTEM_FORM, "systemform"),
    (component::WEB_RESOURCE, "webresource"),
    (component::SITE_MAP, "sitemap"),
    (component::APP_MODULE, "appmodule"),
    (component::RIBBON, "ribbondiff"),
];

/// The table whose rows are components of this kind; none for definitions.
pub(super) fn row_table(kind: i32) -> Option<&'static str> {
    ROWS.iter().find(|(known, _)| *known == kind).map(|(_, table)| *table)
}

/// The component that a row is; none when rows of its table are none.
pub(crate) fn of_row(at: &RecordRef) -> Option<Component> {
    let (kind, _) = ROWS.iter().find(|(_, table)| *table == at.table)?;
    Some(Component::part(*kind, at.id, at.to_string(), None))
}

/// What a `MetadataId` names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Definition<'m> {
    Table(&'m TableInfo),
    Column(&'m TableInfo, &'m ColumnInfo),
    Key(&'m TableInfo, &'m KeyInfo),
    OneToMany(&'m OneToMany),
    ManyToMany(&'m ManyToMany),
    OptionSet(&'m OptionSet),
}

impl Definition<'_> {
    pub(super) fn kind(self) -> i32 {
        match self {
            Definition::Table(_) => component::ENTITY,
            Definition::Column(..) => component::ATTRIBUTE,
            Definition::Key(..) => component::ENTITY_KEY,
            Definition::OneToMany(_) | Definition::ManyToMany(_) => component::RELATIONSHIP,
            Definition::OptionSet(_) => component::OPTION_SET,
        }
    }

    pub(super) fn name(self) -> String {
        match self {
            Definition::Table(table) => table.logical_name.clone(),
            Definition::Column(table, column) => format!("{}.{}", table.logical_name, column.logical_name),
            Definition::Key(table, key) => format!("{}.{}", table.logical_name, key.logical_name),
            Definition::OneToMany(relation) => relation.schema_name.clone(),
            Definition::ManyToMany(relation) => relation.schema_name.clone(),
            Definition::OptionSet(set) => set.name.clone(),
        }
    }

    /// The table that it belongs to.
    pub(super) fn table(self) -> Option<Uuid> {
        match self {
            Definition::Column(table, _) | Definition::Key(table, _) => Some(table.id),
            _ => None,
        }
    }
}

/// Every definition by its id.
pub(super) fn index(metadata: &Metadata) -> HashMap<Uuid, Definition<'_>> {
    let mut all = HashMap::new();
    for table in &metadata.tables {
        all.insert(table.id, Definition::Table(table));
        all.extend(table.columns.iter().map(|column| (column.id, Definition::Column(table, column))));
        all.extend(table.keys.iter().map(|key| (key.id, Definition::Key(table, key))));
    }
    all.extend(metadata.one_to_many.iter().map(|one| (one.id, Definition::OneToMany(one))));
    all.extend(metadata.many_to_many.iter().map(|many| (many.id, Definition::ManyToMany(many))));
    all.extend(metadata.option_sets.iter().map(|set| (set.id, Definition::OptionSet(set))));
    all
}

/// The solutions that hold each object: object, solution, kind.
pub(super) async fn all(tx: &mut Tx) -> Result<Vec<(Uuid, Uuid, i32)>, Error> {
    let select = Sql::select()
        .columns(["objectid", "solutionid", "componenttype"])
        .from("crm_solutioncomponent")
        .and_where(Expr::col("objectid").is_not_null())
        .to_owned();
    let read = |row: &postroom_store::Row| {
        let kind = i32::try_from(row.at::<Option<i64>>(2)?.unwrap_or(0)).unwrap_or(0);
        Ok((row.at(0)?, row.at(1)?, kind))
    };
    tx.query(&select).await?.iter().map(read).collect()
}

/// The definitions that came with a managed solution: those that one holds and the *Default Solution* does not.
pub(crate) async fn managed(tx: &mut Tx) -> Result<HashSet<Uuid>, Error> {
    let solutions = Sql::select()
        .column("solutionid")
        .from("crm_solution")
        .and_where(Expr::col("ismanaged").eq(true))
        .to_owned();
    let solutions: HashSet<Uuid> =
        tx.query(&solutions).await?.iter().map(|row| row.at(0)).collect::<Result<_, Error>>()?;
    if solutions.is_empty() {
        return Ok(HashSet::new());
    }
    let held = all(tx).await?;
    let kept: HashSet<Uuid> =
        held.iter().filter(|(_, solution, _)| *solution == DEFAULT).map(|(object, ..)| *object).collect();
    let by_one = held.iter().filter(|(object, solution, kind)| {
        row_table(*kind).is_none() && solutions.contains(solution) && !kept.contains(object)
    });
    Ok(by_one.map(|(object, ..)| *object).collect())
}

/// The rows of these ids that are there.
pub(super) async fn there(tx: &mut Tx, table: &str, key: &str, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    let mut found = Vec::new();
    for ids in ids.chunks(lot::load::CHUNK) {
        let select = Sql::select()
            .column(key.to_owned())
            .from(format!("crm_{table}"))
            .and_where(Expr::col(key.to_owned()).is_in(ids.iter().copied()))
            .to_owned();
        for row in tx.query(&select).await? {
            found.push(row.at(0)?);
        }
    }
    Ok(found)
}

/// The *Default Solution* and its publisher.
pub(super) fn default_solution() -> [Record; 2] {
    [
        Record::new(RecordRef::new("publisher", DEFAULT_PUBLISHER))
            .with("uniquename", "DefaultPublisherpostroom")
            .with("friendlyname", "Default Publisher for postroom")
            .with("customizationprefix", "new")
            .with("customizationoptionvalueprefix", 10_000),
        Record::new(RecordRef::new("solution", DEFAULT))
            .with("uniquename", "Default")
            .with("friendlyname", "Default Solution")
            .with("version", "1.0")
            .with("ismanaged", false)
            .with("publisherid", RecordRef::new("publisher", DEFAULT_PUBLISHER)),
    ]
}

/// A solution's row by its unique name.
pub(super) async fn solution(crm: &Embedded, name: &str) -> Result<Record, Failure> {
    let query = Query::of("solution").filter(Filter::eq("uniquename", name)).top(1);
    let missing =
        || refuse(codes::NO_SOLUTION, format!("The solution with unique name {name} does not exist"));
    Crm::query(crm, &query).await?.pop().ok_or_else(missing)
}

/// Refuses a solution that is not there or is managed; the default one always is there.
pub(crate) async fn named(session: &Session, name: &str) -> Result<(), Failure> {
    match name.is_empty() || name.eq_ignore_ascii_case("default") {
        true => Ok(()),
        false => unmanaged(session.crm(), name).await.map(drop),
    }
}

/// Writes rows that are the system's own.
pub(crate) async fn write(crm: &Embedded, user: Uuid, changes: Vec<Change>) -> Result<(), Failure> {
    let (cache, now) = (crm.cache.clone(), crm.clock.now());
    let unit = crm.change(move |tx| {
        async move {
            let schema = cache.current(tx).await?;
            let writer = Writer { acting: user, now };
            let mut answers = lot::apply(tx, schema, writer, None, vec![ChangeSet { changes }]).await?;
            Ok(answers.pop().expect("one set gives one answer").map(drop))
        }
        .boxed()
    });
    let done: Result<Result<(), Failure>, Error> = unit.await;
    done?
}

/// Puts components into an unmanaged solution, each with the table that it belongs to.
///
/// # Errors
/// A solution that is not there or is managed.
pub(crate) async fn add(
    session: &Session,
    solution_name: &str,
    components: Vec<Component>,
) -> Result<Vec<Uuid>, Failure> {
    let at = unmanaged(session.crm(), solution_name).await?;
    let rows: Vec<Record> = components.iter().map(|component| component.row(at)).collect();
    let ids = components.iter().map(|component| row_at(at, component.object).id).collect();
    let roots: Vec<Uuid> = components.iter().filter_map(|component| component.root).collect();
    let missing: Vec<Uuid> = {
        let query = Query::of("solutioncomponent").select(&["objectid"]).filter(Filter::eq("solutionid", at));
        let have = Crm::query(session.crm(), &query).await?;
        let held = |id: &Uuid| have.iter().any(|row| row.get("objectid") == Some(&Value::Guid(*id)));
        roots.into_iter().filter(|root| !held(root)).collect()
    };
    // Only a part of the table belongs to the solution.
    let roots = missing.into_iter().map(|root| {
        let shell = Component {
            kind: component::ENTITY,
            object: root,
            name: String::new(),
            behavior: Some(1),
            root: None,
        };
        shell.row(at)
    });
    let changes = roots.chain(rows).map(Change::Upsert).collect();
    write(session.crm(), session.user(), changes).await?;
    Ok(ids)
}

/// Definitions that were made a moment ago, by their ids. Nothing happens without a solution's name.
pub(crate) async fn add_made(
    session: &Session,
    solution_name: Option<&str>,
    metadata: &Metadata,
    ids: &[Uuid],
) -> Result<(), Failure> {
    let Some(name) = own(solution_name) else { return Ok(()) };
    add(session, name, parts(metadata, ids, 0)).await.map(drop)
}

/// Definitions that were changed a moment ago. Those that are in the solution stay there as they are; of a table comes nothing
/// else along.
pub(crate) async fn add_changed(
    session: &Session,
    solution_name: Option<&str>,
    metadata: &Metadata,
    ids: &[Uuid],
) -> Result<(), Failure> {
    let Some(name) = own(solution_name) else { return Ok(()) };
    let at = unmanaged(session.crm(), name).await?;
    let held: HashSet<Uuid> =
        of_solution(session.crm(), at).await?.into_iter().map(|component| component.object).collect();
    let new: Vec<Uuid> = ids.iter().copied().filter(|id| !held.contains(id)).collect();
    add(session, name, parts(metadata, &new, 1)).await.map(drop)
}

/// The name of a solution that is not the default one.
pub(crate) fn own(solution_name: Option<&str>) -> Option<&str> {
    solution_name.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("default"))
}

/// Definitions by their ids; `behavior` is that of tables.
fn parts(metadata: &Metadata, ids: &[Uuid], behavior: i64) -> Vec<Component> {
    let all = index(metadata);
    let one = |id: &Uuid| {
        let definition = all.get(id)?;
        let behavior = matches!(definition, Definition::Table(_)).then_some(behavior);
        let part = Component::part(definition.kind(), *id, definition.name(), definition.table());
        Some(Component { behavior, ..part })
    };
    ids.iter().filter_map(one).collect()
}

/// The component of this kind with this id.
///
/// # Errors
/// One that is not there, or of a kind that solutions do not hold here.
pub(crate) async fn found(
    session: &Session,
    kind: i32,
    object: Uuid,
    alone: bool,
) -> Result<Component, Failure> {
    let crm = session.crm();
    let missing = || {
        let text = format!(
            "Cannot add a Root Component {object} of type {kind} because it is not in the target system."
        );
        refuse(codes::MISSING_COMPONENT, text)
    };
    if let Some(table) = row_table(kind) {
        let at = RecordRef::new(table, object);
        let row = Crm::find(crm, &[table], &[object]).await?.pop().ok_or_else(missing)?;
        return Ok(Component::part(kind, row.at.id, at.to_string(), None));
    }
    let schema = crm.schema().await?;
    let metadata = definitions::metadata(&schema);
    let index = index(&metadata);
    let definition = index.get(&object).filter(|definition| definition.kind() == kind);
    let definition = definition.ok_or_else(missing)?;
    let part = Component::part(kind, object, definition.name(), definition.table());
    let custom = matches!(definition, Definition::Table(table) if table.is_custom);
    let behavior = (kind == component::ENTITY).then_some(if alone || !custom { 1 } else { 0 });
    Ok(Component { behavior, ..part })
}

/// Takes a component out of an unmanaged solution. It stays where it is.
pub(crate) async fn drop_component(
    session: &Session,
    solution_name: &str,
    object: Uuid,
) -> Result<Uuid, Failure> {
    let at = unmanaged(session.crm(), solution_name).await?;
    let row = row_at(at, object);
    let id = row.id;
    write(session.crm(), session.user(), vec![Change::Delete(row)]).await?;
    Ok(id)
}

/// What a solution holds.
pub(super) async fn of_solution(crm: &Embedded, solution: Uuid) -> Result<Vec<Component>, Failure> {
    let query = Query::of("solutioncomponent").filter(Filter::eq("solutionid", solution));
    let rows = Crm::query(crm, &query).await?;
    // The row of the whole says which object it is of.
    let objects: HashMap<Uuid, Uuid> =
        rows.iter().filter_map(|row| Some((row.at.id, guid(row, "objectid")?))).collect();
    let one = |row: &Record| {
        let kind = row.int("componenttype").and_then(|kind| i32::try_from(kind).ok())?;
        let root = guid(row, "rootsolutioncomponentid").and_then(|root| objects.get(&root).copied());
        let part = Component::part(kind, guid(row, "objectid")?, String::new(), root);
        Some(Component { behavior: row.int("rootcomponentbehavior"), ..part })
    };
    Ok(rows.iter().filter_map(one).collect())
}

fn guid(row: &Record, column: &str) -> Option<Uuid> {
    match row.get(column) {
        Some(Value::Guid(id)) => Some(*id),
        _ => None,
    }
}

/// An unmanaged solution that may be changed: as long as it has patches, only they may.
async fn unmanaged(crm: &Embedded, name: &str) -> Result<Uuid, Failure> {
    let row = solution(crm, name).await?;
    if let Some(patch) = upgrade::patches(crm, row.at.id).await?.first() {
        let text = format!(
            "The solution {name} has the patch {}: as long as it has patches it cannot be changed itself.",
            patch.text("uniquename").unwrap_or_default()
        );
        return Err(refuse(message_codes::NOT_SUPPORTED, text));
    }
    match row.get("ismanaged") {
        Some(Value::Bool(true)) => {
            let text = format!(
                "The solution {name} is managed: it cannot be changed, only replaced by a newer version."
            );
            Err(refuse(codes::EXPORT_MANAGED, text))
        }
        _ => Ok(row.at.id),
    }
}
