//! ImportSolution and StageAndUpgrade: a file into the organisation, in one unit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Record, RecordRef, Value};
use postroom_formats::solution::{self as format, Limits, Manifest, Missing, Package, Solution, component};
use postroom_store::sql::{Expr, ExprTrait, Query as Sql};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::held::{self, Component, Definition};
use super::upgrade::HOLDING;
use super::{DEFAULT, codes, job, parts, plan, remove};
use crate::access::privilege::{self, Level};
use crate::access::{self, Grant};
use crate::failure::Failure;
use crate::lot::{self, Writer};
use crate::messages::refuse;
use crate::schema::Schema;
use crate::schema::registry::{self, Cache};
use crate::session::{Asks, Session};
use crate::{content, crm, definitions};

/// Newer packages may hold what nothing here knows.
const NEWEST: Package = Package { major: 9, minor: 2 };

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) file: Bytes,
    /// The `importjobid`.
    pub(crate) job: Uuid,
    /// Takes away what the version that is there holds and the file does not.
    pub(crate) upgrade: bool,
    /// Stands beside the version that is there until it is promoted.
    pub(crate) holding: bool,
    /// What was there before, unmanaged, becomes the managed solution's own and goes with it.
    pub(crate) convert: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Report {
    pub(super) components: Vec<Component>,
    /// Privileges of roles that this organisation does not have.
    pub(super) left_out: Vec<String>,
}

/// Imports; answers the id of the job that tells of it.
///
/// # Errors
/// The platform's numbers, with the component in the text. Then nothing was changed but the job's row.
pub(crate) async fn import(session: &Session, ask: Import) -> Result<Uuid, Failure> {
    session.check_misc("prvImportCustomization").await?;
    let mut solution = read(ask.file.clone()).await?;
    if ask.holding {
        replaces_one(session, &solution).await?;
        solution.manifest.unique_name.push_str(HOLDING);
    }
    let solution = Arc::new(solution);
    let job = job::Job::begin(session, ask.job, &solution).await?;
    let done = put(session, solution.clone(), &ask).await;
    job.close(&solution, &done).await?;
    done.map(|_| job.id())
}

/// A solution file, read without doing anything.
///
/// # Errors
/// The platform's number for a file that is none of its own.
pub(crate) async fn read(file: Bytes) -> Result<Solution, Failure> {
    let read = tokio::task::spawn_blocking(move || format::read(&file, &Limits::default())).await;
    let read =
        read.map_err(|error| postroom_core::Fault::bug("a file could not be read").with_source(error))?;
    read.map_err(unreadable)
}

/// A holding solution is a newer version of a managed one that is there.
async fn replaces_one(session: &Session, solution: &Solution) -> Result<(), Failure> {
    let manifest = &solution.manifest;
    let row = held::solution(session.crm(), &manifest.unique_name).await?;
    let have = row.text("version").unwrap_or_default();
    let managed = row.get("ismanaged") == Some(&Value::Bool(true)) && manifest.managed;
    let text = match managed {
        true if numbers(&manifest.version) > numbers(have) => return Ok(()),
        true => format!(
            "version {have} is installed and the file has {}: a holding solution is a newer one",
            manifest.version
        ),
        false => "both the solution that is there and the file must be managed".to_owned(),
    };
    let name = &manifest.unique_name;
    Err(refuse(
        codes::OLDER_VERSION,
        format!("The solution {name} cannot be imported as a holding solution: {text}."),
    ))
}

/// The platform's number for a file that is none of its own.
fn unreadable(error: format::Error) -> Failure {
    let code = match &error {
        format::Error::Xml { .. } | format::Error::Encoding { .. } => codes::INVALID_XML,
        format::Error::Missing { .. } | format::Error::Value { .. } | format::Error::TooOld { .. } => {
            codes::IMPORT
        }
        format::Error::Zip(_)
        | format::Error::Limit { .. }
        | format::Error::EntryName(_)
        | format::Error::Duplicate(_)
        | format::Error::MissingFile(_) => codes::BAD_FILE,
    };
    refuse(code, format!("The solution file cannot be imported. {error}"))
}

async fn put(session: &Session, solution: Arc<Solution>, ask: &Import) -> Result<Report, Failure> {
    let unit = Unit {
        cache: session.crm().cache.clone(),
        asks: session.asks(),
        writer: Writer { acting: session.user(), now: session.now() },
        solution,
        upgrade: ask.upgrade,
        convert: ask.convert,
    };
    session.crm().shape(move |tx| async move { unit.run(tx).await }.boxed()).await
}

struct Unit {
    cache: Cache,
    asks: Asks,
    writer: Writer,
    solution: Arc<Solution>,
    upgrade: bool,
    convert: bool,
}

/// What is known of the solution before the import.
struct Before {
    id: Uuid,
    there: bool,
    publisher: Uuid,
    publisher_there: bool,
    /// Objects that were there.
    objects: HashSet<Uuid>,
    /// Object, solution, kind.
    held: Vec<(Uuid, Uuid, i32)>,
}

impl Unit {
    async fn run(self, tx: &mut Tx) -> Result<Report, Failure> {
        // Nobody else changes definitions from here on, so what is found now stays true.
        registry::lock(tx).await?;
        let have = self.cache.current(tx).await?;
        let before = self.before(tx, &have).await?;
        let managed = held::managed(tx).await?;
        self.dependencies(tx, &have).await?;
        let solution = self.solution.clone();
        let name = solution.manifest.unique_name.clone();
        registry::revise(tx, move |have| match plan::plan(have, &solution) {
            Ok(revision) => Ok((revision, ())),
            Err(stop) => Err(stop.failure(&name)),
        })
        .await?;
        let schema = self.cache.current(tx).await?;
        access::seed::ensure(tx, &schema).await?;
        let metadata = definitions::metadata(&schema);
        let components = parts::components(&self.solution, &metadata, before.id);
        let mut rows = self.own_rows(&before);
        rows.extend(parts::rows(&self.solution, &metadata, before.id));
        rows.extend(components.iter().map(|component| component.row(before.id)));
        rows.extend(self.kept(tx, &before, &components).await?);
        let mut changes: Vec<Change> = rows.into_iter().map(Change::Upsert).collect();
        changes.extend(self.stale_app_parts(tx, &changes).await?);
        changes.extend(self.converted(&before, &components));
        self.apply(tx, changes).await?;
        let left_out = self.roles(tx, &schema).await?;
        if self.upgrade {
            let stays: HashSet<Uuid> = components.iter().map(|component| component.object).collect();
            let gone = |(object, solution, _): &&(Uuid, Uuid, i32)| {
                *solution == before.id && !stays.contains(object)
            };
            let gone = before.held.iter().filter(gone).map(|(object, _, kind)| (*object, *kind)).collect();
            remove::take(tx, &self.cache, self.writer, before.id, gone).await?;
        }
        if held::managed(tx).await? != managed {
            registry::renew(tx).await?;
        }
        Ok(Report { components, left_out })
    }

    async fn before(&self, tx: &mut Tx, have: &Schema) -> Result<Before, Failure> {
        let manifest = &self.solution.manifest;
        if manifest.package > NEWEST {
            let text = format!(
                "You can only import solutions with a package version of {NEWEST} or earlier into this organization; this \
                 one has {}.",
                manifest.package
            );
            return Err(refuse(codes::PACKAGE_VERSION, text));
        }
        let publisher = by_name(tx, "publisher", "publisherid", &manifest.publisher.unique_name, &[]).await?;
        let known = by_name(
            tx,
            "solution",
            "solutionid",
            &manifest.unique_name,
            &["version", "ismanaged", "publisherid"],
        )
        .await?;
        if let Some(row) = &known {
            self.replaceable(row, publisher.as_ref().map(|row| row.at(0)).transpose()?)?;
        }
        let metadata = definitions::metadata(have);
        // Tables of the platform never go; nobody need hold them.
        let goes =
            |definition: &Definition<'_>| !matches!(definition, Definition::Table(table) if !table.is_custom);
        let index = held::index(&metadata).into_iter().filter(|(_, definition)| goes(definition));
        let mut objects: HashSet<Uuid> = index.map(|(id, _)| id).collect();
        let id = match &known {
            Some(row) => row.at(0)?,
            None => free_id(tx, manifest).await?,
        };
        // Only rows can be told from the file alone.
        for component in parts::components(&self.solution, &metadata, id) {
            let Some(table) = held::row_table(component.kind) else { continue };
            let key = have.table(table)?.primary_key.clone();
            objects.extend(held::there(tx, table, &key, &[component.object]).await?);
        }
        for entity in &self.solution.entities {
            let forms: Vec<Uuid> = entity.forms.iter().map(|form| form.id).collect();
            let views: Vec<Uuid> = entity.views.iter().map(|view| view.id).collect();
            objects.extend(held::there(tx, "systemform", "formid", &forms).await?);
            objects.extend(held::there(tx, "savedquery", "savedqueryid", &views).await?);
        }
        Ok(Before {
            id,
            there: known.is_some(),
            publisher: match &publisher {
                Some(row) => row.at(0)?,
                None => definitions::id("publisher", &manifest.publisher.unique_name),
            },
            publisher_there: publisher.is_some(),
            objects,
            held: held::all(tx).await?,
        })
    }

    /// Whether this file may replace the solution that is there.
    fn replaceable(&self, row: &postroom_store::Row, publisher: Option<Uuid>) -> Result<(), Failure> {
        let manifest = &self.solution.manifest;
        let name = &manifest.unique_name;
        let version: Option<String> = row.at(1)?;
        let managed = row.at::<Option<bool>>(2)? == Some(true);
        let of: Option<Uuid> = row.at(3)?;
        if managed != manifest.managed {
            let (code, here, file) = match managed {
                true => (codes::MANAGED_THERE, "a managed", "unmanaged"),
                false => (codes::UNMANAGED_THERE, "an unmanaged", "managed"),
            };
            let text = format!(
                "The solution {name} is already installed on this system as {here} solution and the package supplied is \
                 attempting to install it in {file} mode. Import can only update solutions when the modes match. \
                 Uninstall the current solution and try again."
            );
            return Err(refuse(code, text));
        }
        if managed && of.is_some() && of != publisher {
            let text = format!(
                "The following managed solution cannot be imported: {name}. The publisher name cannot be changed to {}.",
                manifest.publisher.unique_name
            );
            return Err(refuse(codes::WRONG_PUBLISHER, text));
        }
        let installed = version.unwrap_or_default();
        if managed && numbers(&manifest.version) < numbers(&installed) {
            let text = format!(
                "Solution '{name}' already exists in this system as managed and cannot be upgraded: version {installed} is \
                 installed and the file has {}.",
                manifest.version
            );
            return Err(refuse(codes::OLDER_VERSION, text));
        }
        Ok(())
    }

    /// What the file says that it needs, as far as it can be looked for.
    async fn dependencies(&self, tx: &mut Tx, have: &Schema) -> Result<(), Failure> {
        let metadata = definitions::metadata(have);
        for missing in &self.solution.manifest.missing {
            let Some(kind) = kind_of(&missing.kind) else { continue };
            let there = match (held::row_table(kind), missing.id) {
                (Some(table), Some(id)) => {
                    let key = have.table(table)?.primary_key.clone();
                    !held::there(tx, table, &key, &[id]).await?.is_empty()
                }
                _ => defined(&metadata, kind, missing),
            };
            if !there {
                let text = format!(
                    "The following solution cannot be imported: {}. Some dependencies are missing. {} needs {} of type {} \
                     from the solution {}.",
                    self.solution.manifest.unique_name,
                    missing.needed_by,
                    missing.display_name,
                    missing.kind,
                    missing.solution
                );
                return Err(refuse(codes::MISSING_DEPENDENCIES, text));
            }
        }
        Ok(())
    }

    /// The solution and its publisher. A publisher that is there is its organisation's to change.
    fn own_rows(&self, before: &Before) -> Vec<Record> {
        let manifest = &self.solution.manifest;
        let of = &manifest.publisher;
        let at = RecordRef::new("publisher", before.publisher);
        let publisher = (!before.publisher_there).then(|| {
            Record::new(at.clone())
                .with("uniquename", of.unique_name.as_str())
                .with("friendlyname", of.names.text().unwrap_or(&of.unique_name))
                .with("description", parts::text(&of.descriptions))
                .with("emailaddress", of.email.clone())
                .with("supportingwebsiteurl", of.website.clone())
                .with("customizationprefix", of.prefix.as_str())
                .with("customizationoptionvalueprefix", i64::from(of.option_prefix))
        });
        let mut solution = Record::new(RecordRef::new("solution", before.id))
            .with("uniquename", manifest.unique_name.as_str())
            .with("friendlyname", manifest.names.text().unwrap_or(&manifest.unique_name))
            .with("description", parts::text(&manifest.descriptions))
            .with("version", manifest.version.as_str())
            .with("ismanaged", manifest.managed)
            .with("isvisible", true)
            .with("solutionpackageversion", manifest.package.to_string())
            .with("publisherid", at);
        if !before.there {
            solution = solution.with("installedon", self.writer.now);
        }
        publisher.into_iter().chain([solution]).collect()
    }

    /// Components that were there already and that no solution holds: a managed one must not take them along one day.
    async fn kept(
        &self,
        tx: &mut Tx,
        before: &Before,
        components: &[Component],
    ) -> Result<Vec<Record>, Failure> {
        let unheld = |component: &&Component| {
            before.objects.contains(&component.object)
                && !before.held.iter().any(|(object, ..)| *object == component.object)
        };
        let kept: Vec<Record> = match self.solution.manifest.managed {
            true if !self.convert => {
                components.iter().filter(unheld).map(|component| component.row(DEFAULT)).collect()
            }
            _ => Vec::new(),
        };
        let there = !held::there(tx, "solution", "solutionid", &[DEFAULT]).await?.is_empty();
        let default = if kept.is_empty() || there { Vec::new() } else { held::default_solution().into() };
        Ok(default.into_iter().chain(kept).collect())
    }

    /// What an earlier import left to the organisation, taken into the managed solution after all.
    fn converted(&self, before: &Before, components: &[Component]) -> Vec<Change> {
        if !self.convert || !self.solution.manifest.managed {
            return Vec::new();
        }
        let kept = |component: &&Component| {
            before.held.iter().any(|(object, of, _)| *of == DEFAULT && *object == component.object)
        };
        components.iter().filter(kept).map(|component| Change::Delete(component.row(DEFAULT).at)).collect()
    }

    /// What an app was made of and is not any more.
    async fn stale_app_parts(&self, tx: &mut Tx, changes: &[Change]) -> Result<Vec<Change>, Failure> {
        let stays: HashSet<Uuid> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Upsert(record) => Some(record.at.id),
                _ => None,
            })
            .collect();
        let apps: Vec<Uuid> = self.solution.apps.iter().map(|app| parts::app_id(&app.unique_name)).collect();
        let mut gone = Vec::new();
        for (table, key, column) in remove::APP_PARTS {
            for id in remove::related(tx, table, key, column, &apps).await? {
                if !stays.contains(&id) {
                    gone.push(Change::Delete(RecordRef::new(*table, id)));
                }
            }
        }
        Ok(gone)
    }

    async fn apply(&self, tx: &mut Tx, changes: Vec<Change>) -> Result<(), Failure> {
        let mut sets = vec![ChangeSet { changes }];
        let files = content::store_files(&mut sets);
        let (_, mut answers) = crm::put(tx, self.cache.clone(), self.writer, files, sets).await?;
        match answers.pop().expect("one set gives one answer") {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// A refusal says which import it ended; trouble of the database stays what it is.
    fn refused(&self, failure: Failure) -> Failure {
        let Failure::Refused(refusal) = failure else { return failure };
        let name = &self.solution.manifest.unique_name;
        refuse(codes::IMPORT, format!("The import of the solution {name} failed. {refusal}"))
    }

    /// The privileges of the roles, these and no others. Answers those that nothing here has.
    async fn roles(&self, tx: &mut Tx, schema: &Arc<Schema>) -> Result<Vec<String>, Failure> {
        let mut left_out = Vec::new();
        if self.solution.roles.is_empty() {
            return Ok(left_out);
        }
        let known: HashMap<String, privilege::Privilege> = privilege::all(schema)
            .into_iter()
            .map(|privilege| (privilege.name.to_ascii_lowercase(), privilege))
            .collect();
        let caller = self.asks.fresh(tx, schema).await?;
        for role in &self.solution.roles {
            let mut grants: Vec<Grant> = Vec::new();
            for (name, level) in &role.privileges {
                let Some(privilege) = known.get(&name.to_ascii_lowercase()) else {
                    left_out.push(format!("{} of the role {}", name, role.name));
                    continue;
                };
                let depth = Level::of_name(level).ok_or_else(|| {
                    let text = format!("The role {}: {level} is no level of {name}.", role.name);
                    refuse(codes::IMPORT, text)
                })?;
                // What the organisation owns knows all or nothing.
                let depth = if privilege.levels || depth == Level::None { depth } else { Level::Global };
                if depth != Level::None && !grants.iter().any(|grant| grant.privilege == privilege.id) {
                    grants.push(Grant { privilege: privilege.id, depth });
                }
            }
            let changes = access::replace_privileges(tx, &caller, role.id, &grants).await?;
            if !changes.is_empty() {
                let mut answers =
                    lot::apply(tx, schema.clone(), self.writer, None, vec![ChangeSet { changes }]).await?;
                answers.pop().expect("one set gives one answer").map_err(|refusal| self.refused(refusal))?;
            }
        }
        Ok(left_out)
    }
}

/// The same in every organisation; a solution that was promoted keeps the id that it had as a holding one.
async fn free_id(tx: &mut Tx, manifest: &Manifest) -> Result<Uuid, Error> {
    let usual = definitions::id("solution", &manifest.unique_name);
    match held::there(tx, "solution", "solutionid", &[usual]).await?.is_empty() {
        true => Ok(usual),
        false => Ok(definitions::id("solution", &format!("{} {}", manifest.unique_name, manifest.version))),
    }
}

/// `1.2.0.10` is newer than `1.2.0.9`.
pub(super) fn numbers(version: &str) -> Vec<u32> {
    let mut all: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    all.resize(4, 0);
    all
}

/// A component type by its number, or by its name in newer files.
fn kind_of(text: &str) -> Option<i32> {
    let known = [
        ("Entity", component::ENTITY),
        ("Attribute", component::ATTRIBUTE),
        ("OptionSet", component::OPTION_SET),
        ("EntityRelationship", component::RELATIONSHIP),
        ("EntityKey", component::ENTITY_KEY),
        ("Role", component::ROLE),
        ("SavedQuery", component::SAVED_QUERY),
        ("SystemForm", component::SYSTEM_FORM),
        ("WebResource", component::WEB_RESOURCE),
        ("SiteMap", component::SITE_MAP),
        ("AppModule", component::APP_MODULE),
    ];
    let named = known.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
    named.or_else(|| text.parse().ok().filter(|kind| known.iter().any(|(_, known)| known == kind)))
}

/// Whether a definition is there; one that is not named cannot be missed.
fn defined(metadata: &postroom_core::metadata::Metadata, kind: i32, missing: &Missing) -> bool {
    let Some(name) = missing.schema_name.as_deref().map(str::to_ascii_lowercase) else { return true };
    match kind {
        component::ENTITY => metadata.table(&name).is_some(),
        component::OPTION_SET => metadata.option_sets.iter().any(|set| set.name.eq_ignore_ascii_case(&name)),
        component::RELATIONSHIP => {
            let one = metadata.one_to_many.iter().map(|one| &one.schema_name);
            let mut all = one.chain(metadata.many_to_many.iter().map(|many| &many.schema_name));
            all.any(|known| known.eq_ignore_ascii_case(&name))
        }
        component::ATTRIBUTE => match name.split_once('.') {
            Some((table, column)) => {
                metadata.table(table).is_some_and(|table| table.column(column).is_some())
            }
            None => metadata.tables.iter().any(|table| table.column(&name).is_some()),
        },
        _ => true,
    }
}

/// The row with this unique name: its id, then these columns.
pub(super) async fn by_name(
    tx: &mut Tx,
    table: &str,
    key: &str,
    name: &str,
    columns: &[&str],
) -> Result<Option<postroom_store::Row>, Error> {
    let mut select = Sql::select();
    select.column(key.to_owned()).from(format!("crm_{table}"));
    for column in columns {
        select.column((*column).to_owned());
    }
    let lower = |text: &str| text.to_lowercase();
    select.and_where(Expr::expr(postroom_store::sql::Func::lower(Expr::col("uniquename"))).eq(lower(name)));
    tx.query_one(&select).await
}
