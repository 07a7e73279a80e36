//! ExportSolution: what an unmanaged solution holds, as a file for the generation that is asked for.

use std::collections::HashMap;

use postroom_core::metadata::{ColumnInfo, ColumnKind, Label, Metadata, OneToMany, OptionSet, TableInfo};
use postroom_core::{Record, Value};
use postroom_formats::solution::{
    self as format, Entity, Manifest, Missing, Package, Publisher, Root, Solution, component,
};
use uuid::Uuid;

use super::held;
use super::parts::{NAMED, WHOLE};
use super::{codes, gather, plan};
use crate::definitions;
use crate::failure::Failure;
use crate::messages::refuse;
use crate::session::Session;

/// The file.
///
/// # Errors
/// A solution that is not there or is managed; what the generation cannot hold.
pub(crate) async fn export(
    session: &Session,
    name: &str,
    managed: bool,
    package: Package,
) -> Result<Vec<u8>, Failure> {
    session.check_misc("prvExportCustomization").await?;
    let row = held::solution(session.crm(), name).await?;
    if row.get("ismanaged") == Some(&Value::Bool(true)) {
        let text = format!("The solution {name} is managed. Managed solutions cannot be exported.");
        return Err(refuse(codes::EXPORT_MANAGED, text));
    }
    let schema = session.crm().schema().await?;
    let metadata = definitions::metadata(&schema);
    let mut export = Export { session, metadata: &metadata, held: HashMap::new() };
    export.read(row.at.id).await?;
    let manifest = export.manifest(&row, managed, package).await?;
    let solution = export.solution(manifest).await?;
    format::write(&solution, package).map_err(|error| {
        let text = format!("The solution {name} cannot be exported. {error}");
        refuse(codes::IMPORT, text)
    })
}

/// The languages that names stand in, the organisation's first.
fn languages(entities: &[Entity], sets: &[OptionSet]) -> Vec<u32> {
    let of_set = |set: &OptionSet| {
        let options = set.options.iter().map(|option| option.label.clone());
        options.chain([set.label.clone(), set.description.clone()]).collect::<Vec<Label>>()
    };
    let of_column = |column: &ColumnInfo| {
        let mut all = vec![column.label.clone(), column.description.clone()];
        if let ColumnKind::Picklist { options, .. } | ColumnKind::MultiSelect { options } = &column.kind {
            all.extend(of_set(options));
        }
        all
    };
    let tables = entities.iter().map(|entity| &entity.table).flat_map(|table| {
        let own = [table.label.clone(), table.collection_label.clone(), table.description.clone()];
        own.into_iter().chain(table.columns.iter().flat_map(of_column))
    });
    let labels = tables.chain(sets.iter().flat_map(of_set));
    let mut others: Vec<u32> = labels.flat_map(|label| label.0).map(|(language, _)| language).collect();
    others.retain(|language| *language != 1033);
    others.sort_unstable();
    others.dedup();
    [vec![1033], others].concat()
}

/// How one object is held.
#[derive(Clone, Copy)]
struct Holding {
    kind: i32,
    behavior: i64,
    /// It was put into the solution for itself.
    root: bool,
}

struct Export<'s> {
    session: &'s Session,
    metadata: &'s Metadata,
    held: HashMap<Uuid, Holding>,
}

impl Export<'_> {
    async fn read(&mut self, solution: Uuid) -> Result<(), Failure> {
        for row in gather::rows_of(self.session.crm(), "solutioncomponent", "solutionid", solution).await? {
            let Some(Value::Guid(object)) = row.get("objectid") else { continue };
            let kind = row.int("componenttype").and_then(|kind| i32::try_from(kind).ok()).unwrap_or(0);
            let behavior = row.int("rootcomponentbehavior").unwrap_or(WHOLE);
            let root = matches!(row.get("rootsolutioncomponentid"), None | Some(Value::Null));
            self.held.insert(*object, Holding { kind, behavior, root });
        }
        Ok(())
    }

    async fn manifest(&self, row: &Record, managed: bool, package: Package) -> Result<Manifest, Failure> {
        let text = |row: &Record, column: &str| row.text(column).unwrap_or_default().to_owned();
        let english = |row: &Record, column: &str| match text(row, column) {
            text if text.is_empty() => Label::default(),
            text => Label::english(text),
        };
        let some = |row: &Record, column: &str| Some(text(row, column)).filter(|text| !text.is_empty());
        let at: Vec<Uuid> = row.lookup("publisherid").map(|at| at.id).into_iter().collect();
        let nobody = held::default_solution().into_iter().next().expect("the publisher comes first");
        let of = gather::rows(self.session.crm(), "publisher", &at).await?.pop().unwrap_or(nobody);
        Ok(Manifest {
            unique_name: text(row, "uniquename"),
            names: english(row, "friendlyname"),
            descriptions: english(row, "description"),
            version: some(row, "version").unwrap_or_else(|| "1.0.0.0".to_owned()),
            managed,
            package,
            publisher: Publisher {
                unique_name: text(&of, "uniquename"),
                names: english(&of, "friendlyname"),
                descriptions: english(&of, "description"),
                email: some(&of, "emailaddress"),
                website: some(&of, "supportingwebsiteurl"),
                prefix: some(&of, "customizationprefix").unwrap_or_else(|| "new".to_owned()),
                option_prefix: of
                    .int("customizationoptionvalueprefix")
                    .and_then(|prefix| u32::try_from(prefix).ok())
                    .unwrap_or(10_000),
            },
            roots: self.roots(),
            missing: self.missing(),
        })
    }

    /// In the order of types and names.
    fn roots(&self) -> Vec<Root> {
        let index = held::index(self.metadata);
        let mut roots: Vec<Root> = self
            .held
            .iter()
            .filter(|(_, holding)| holding.root && holding.kind != component::RELATIONSHIP)
            .filter(|(_, holding)| holding.kind != component::RIBBON)
            .map(|(object, holding)| {
                let name = index.get(object).map(|definition| definition.name());
                let id = name.is_none().then_some(*object);
                let behavior = if holding.behavior == WHOLE { 0 } else { 1 };
                Root { kind: holding.kind, schema_name: name, id, behavior }
            })
            .collect();
        roots.sort_by(|one, other| {
            (one.kind, &one.schema_name, one.id).cmp(&(other.kind, &other.schema_name, other.id))
        });
        roots
    }

    fn holds(&self, object: Uuid) -> bool {
        self.held.contains_key(&object)
    }

    /// The tables of the solution and whether they are in it as a whole.
    fn tables(&self) -> Vec<(&TableInfo, bool)> {
        let of = |table: &TableInfo| {
            let holding = self.held.get(&table.id)?;
            Some(table.is_custom && holding.behavior != NAMED)
        };
        self.metadata.tables.iter().filter_map(|table| Some((table, of(table)?))).collect()
    }

    /// The lookups that the solution brings.
    fn relations(&self) -> Vec<OneToMany> {
        let tables = self.tables();
        let whole = |name: &str| tables.iter().any(|(table, whole)| *whole && table.logical_name == name);
        let part = |name: &str| tables.iter().any(|(table, _)| table.logical_name == name);
        let wanted = |relation: &&OneToMany| {
            let table = self.metadata.table(&relation.referencing_table);
            let pointer = table.is_some_and(|table| table.primary_id == relation.referencing_column);
            let column = table.and_then(|table| table.column(&relation.referencing_column));
            let own = self.holds(relation.id) || column.is_some_and(|column| self.holds(column.id));
            !pointer && (whole(&relation.referencing_table) || own && part(&relation.referencing_table))
        };
        self.metadata.one_to_many.iter().filter(wanted).cloned().collect()
    }

    async fn solution(&self, manifest: Manifest) -> Result<Solution, Failure> {
        let crm = self.session.crm();
        let of = |kind: i32| -> Vec<Uuid> {
            self.held.iter().filter(|(_, holding)| holding.kind == kind).map(|(id, _)| *id).collect()
        };
        let ribbons: Vec<_> = gather::rows(crm, "ribbondiff", &of(component::RIBBON))
            .await?
            .iter()
            .filter_map(gather::ribbon)
            .collect();
        let mut entities = Vec::new();
        for (table, whole) in self.tables() {
            let ribbon = ribbons.iter().find(|(of, _)| of.as_deref() == Some(table.logical_name.as_str()));
            let entity = self.entity(table, whole).await?;
            entities.push(Entity { ribbon: ribbon.map(|(_, tree)| tree.clone()), ..entity });
        }
        let mut roles = Vec::new();
        for row in gather::rows(crm, "role", &of(component::ROLE)).await? {
            roles.push(gather::role(crm, &row).await?);
        }
        let mut web_resources = Vec::new();
        for row in gather::rows(crm, "webresource", &of(component::WEB_RESOURCE)).await? {
            web_resources.push(gather::web_resource(crm, &row).await?);
        }
        let maps: Vec<_> = gather::rows(crm, "sitemap", &of(component::SITE_MAP))
            .await?
            .iter()
            .filter_map(gather::site_map)
            .collect();
        let mut apps = Vec::new();
        for row in gather::rows(crm, "appmodule", &of(component::APP_MODULE)).await? {
            apps.push(gather::app(crm, &row, self.metadata).await?);
        }
        let (own, of_apps): (Vec<_>, Vec<_>) = maps.into_iter().partition(|map| map.unique_name.is_empty());
        let sets: Vec<OptionSet> =
            self.metadata.option_sets.iter().filter(|set| self.holds(set.id)).cloned().collect();
        Ok(Solution {
            languages: languages(&entities, &sets),
            entities,
            roles,
            ribbon: ribbons.iter().find(|(of, _)| of.is_none()).map(|(_, tree)| tree.clone()),
            site_map: own.into_iter().next().map(|map| map.body),
            one_to_many: self.relations(),
            many_to_many: self.pairs(),
            option_sets: sets,
            web_resources,
            app_site_maps: of_apps,
            apps,
            left_out: Vec::new(),
            manifest,
        })
    }

    fn pairs(&self) -> Vec<postroom_core::metadata::ManyToMany> {
        let tables = self.tables();
        let whole = |name: &str| tables.iter().any(|(table, whole)| *whole && table.logical_name == name);
        let all = self.metadata.many_to_many.iter().filter(|relation| relation.is_custom);
        all.filter(|relation| {
            self.holds(relation.id) || whole(&relation.first.table) && whole(&relation.second.table)
        })
        .cloned()
        .collect()
    }

    async fn entity(&self, table: &TableInfo, whole: bool) -> Result<Entity, Failure> {
        let crm = self.session.crm();
        let mut info = table.clone();
        if !whole {
            info.columns.retain(|column| self.holds(column.id) && plan::own(table, column));
            info.keys.retain(|key| self.holds(key.id));
            // A table of somebody else's: nothing but what is named is said of it.
            info.is_custom = false;
        }
        info.type_code = table.type_code;
        let mut forms =
            gather::rows_of(crm, "systemform", "objecttypecode", table.logical_name.as_str()).await?;
        let mut views =
            gather::rows_of(crm, "savedquery", "returnedtypecode", table.logical_name.as_str()).await?;
        if !whole {
            forms.retain(|row| self.holds(row.at.id));
            views.retain(|row| self.holds(row.at.id));
        }
        Ok(Entity {
            table: info,
            forms: forms.iter().filter_map(gather::form).collect(),
            views: views.iter().map(gather::view).collect(),
            ribbon: None,
        })
    }

    /// What the target must have: tables that lookups name, and option sets that columns follow.
    fn missing(&self) -> Vec<Missing> {
        let mut all: Vec<Missing> = Vec::new();
        let mut need = |kind: i32, name: &str, by: &str| {
            let known = |missing: &Missing| missing.schema_name.as_deref() == Some(name);
            if !all.iter().any(known) {
                all.push(Missing {
                    kind: kind.to_string(),
                    schema_name: Some(name.to_owned()),
                    id: None,
                    display_name: name.to_owned(),
                    solution: "Active".to_owned(),
                    needed_by: by.to_owned(),
                });
            }
        };
        let tables = self.tables();
        for relation in self.relations() {
            let target = self.metadata.table(&relation.referenced_table);
            if target.is_some_and(|target| target.is_custom && !self.holds(target.id)) {
                need(component::ENTITY, &relation.referenced_table, &relation.schema_name);
            }
        }
        for (table, whole) in &tables {
            if table.is_custom && !whole {
                need(component::ENTITY, &table.logical_name, &table.logical_name);
            }
            for column in &table.columns {
                let (ColumnKind::Picklist { options, .. } | ColumnKind::MultiSelect { options }) =
                    &column.kind
                else {
                    continue;
                };
                let set = self
                    .metadata
                    .option_sets
                    .iter()
                    .find(|set| options.is_global && set.name == options.name);
                let held = *whole || self.holds(column.id);
                if let Some(set) = set.filter(|set| held && !self.holds(set.id)) {
                    need(
                        component::OPTION_SET,
                        &set.name,
                        &format!("{}.{}", table.logical_name, column.logical_name),
                    );
                }
            }
        }
        all
    }
}
