//! Solution files: what an organisation of Dynamics exports and imports, a zip with `solution.xml` (who made it, which
//! version, what is in it), `customizations.xml` (the definitions, forms, views, roles and apps) and web resources.
//!
//! # Design
//!
//! * A [`Solution`] is values: definitions are those of `postroom_core::metadata`; what only clients of the platform
//!   understand (forms, layouts, site maps, ribbons) stays a tree of XML. [`read`] and [`write()`] are pure.
//! * [`write()`] is told for which [`Package`] version: a server refuses packages of a newer one, and each version has
//!   elements that older ones do not know. What an old version cannot hold is an error, never left out in silence.
//! * [`read`] is for strangers' files: limits on size, number, growth and nesting; names are checked; nothing is written
//!   anywhere. Parts of a solution that have no type here are named in [`Solution::left_out`].
//!
//! Columns that a lookup may name stand with the relationships, not with the column: [`read`] puts them together.
//! `CascadeMerge` and `MetadataId`s are in no file. Not here: checking against the schemas, translations, plug-ins,
//! workflows, canvas apps, patches.
//!
//! Sources: dataverse.md F; protocol annex 4; the published schema archive 9.0.0.2090 and real exports (tests/data/solution).

mod attribute;
mod customizations;
mod entity;
mod manifest;
mod package;
mod parts;
mod relation;
mod tree;

use postroom_core::metadata::{Label, ManyToMany, OneToMany, OptionSet, TableInfo};
use uuid::Uuid;

use crate::xml::{self, Element};
pub use package::{Limits, read, write};

/// Component types that stand in files (`solutioncomponent.componenttype`).
pub mod component {
    pub const ENTITY: i32 = 1;
    pub const ATTRIBUTE: i32 = 2;
    pub const OPTION_SET: i32 = 9;
    pub const RELATIONSHIP: i32 = 10;
    pub const ENTITY_KEY: i32 = 14;
    pub const ROLE: i32 = 20;
    pub const SAVED_QUERY: i32 = 26;
    pub const RIBBON: i32 = 50;
    pub const SYSTEM_FORM: i32 = 60;
    pub const WEB_RESOURCE: i32 = 61;
    pub const SITE_MAP: i32 = 62;
    pub const APP_MODULE: i32 = 80;
}

/// Why a file is not a solution that we take, or why a solution cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the file is no zip archive: {0}; export the solution again")]
    Zip(String),
    #[error("the archive has {what}, more than the {most} that are taken; make the solution smaller")]
    Limit { what: &'static str, most: u64 },
    #[error("the archive has an entry named {0:?}, which no solution has; export the solution again")]
    EntryName(String),
    #[error("the archive has two entries named {0:?}; export the solution again")]
    Duplicate(String),
    #[error(
        "the solution file is invalid: the archive must contain solution.xml, customizations.xml and [Content_Types].xml at \
         its root, and {0} is missing"
    )]
    MissingFile(&'static str),
    #[error("{file} is not text in UTF-8; export the solution again")]
    Encoding { file: &'static str },
    #[error("{file}: {source}")]
    Xml {
        file: &'static str,
        #[source]
        source: xml::Error,
    },
    #[error("{component}: the element {element} is missing; export the solution again")]
    Missing { component: String, element: &'static str },
    #[error("{component}: {value:?} is no {element}; correct it")]
    Value { component: String, element: &'static str, value: String },
    #[error("{component} cannot be in a package of version {package}: {why}")]
    TooOld { component: String, package: Package, why: &'static str },
}

/// `SolutionPackageVersion`: the generation of the server for which a file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Package {
    pub major: u8,
    pub minor: u8,
}

impl Package {
    /// Dynamics CRM 2011.
    pub const V5_0: Package = Package { major: 5, minor: 0 };
    /// 2013.
    pub const V6_0: Package = Package { major: 6, minor: 0 };
    /// 2015.
    pub const V7_0: Package = Package { major: 7, minor: 0 };
    /// 2015 Update 1: alternate keys.
    pub const V7_1: Package = Package { major: 7, minor: 1 };
    /// 2016.
    pub const V8_0: Package = Package { major: 8, minor: 0 };
    /// Dynamics 365: apps.
    pub const V8_2: Package = Package { major: 8, minor: 2 };
    pub const V9_0: Package = Package { major: 9, minor: 0 };
    pub const V9_2: Package = Package { major: 9, minor: 2 };
    /// Those that [`write()`] is tried with.
    pub const ALL: &[Package] = &[
        Package::V5_0,
        Package::V6_0,
        Package::V7_0,
        Package::V7_1,
        Package::V8_0,
        Package::V8_2,
        Package::V9_0,
        Package::V9_2,
    ];
}

impl std::fmt::Display for Package {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)
    }
}

impl std::str::FromStr for Package {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, rest) = text.split_once('.').ok_or(())?;
        let minor = rest.split('.').next().unwrap_or(rest);
        Ok(Package { major: major.parse().map_err(drop)?, minor: minor.parse().map_err(drop)? })
    }
}

/// A solution: what a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    pub manifest: Manifest,
    pub entities: Vec<Entity>,
    pub roles: Vec<Role>,
    /// Application ribbon: `RibbonDiffXml`.
    pub ribbon: Option<Element>,
    /// The site map of servers before apps: the inner `SiteMap`.
    pub site_map: Option<Element>,
    pub one_to_many: Vec<OneToMany>,
    pub many_to_many: Vec<ManyToMany>,
    /// The global ones.
    pub option_sets: Vec<OptionSet>,
    pub web_resources: Vec<WebResource>,
    pub app_site_maps: Vec<AppSiteMap>,
    pub apps: Vec<App>,
    /// LCIDs.
    pub languages: Vec<u32>,
    /// What the file holds besides and was not read: names of sections and of files.
    pub left_out: Vec<String>,
}

/// `solution.xml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub unique_name: String,
    pub names: Label,
    pub descriptions: Label,
    /// `1.0.0.0`
    pub version: String,
    pub managed: bool,
    pub package: Package,
    pub publisher: Publisher,
    pub roots: Vec<Root>,
    pub missing: Vec<Missing>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    pub unique_name: String,
    pub names: Label,
    pub descriptions: Label,
    pub email: Option<String>,
    pub website: Option<String>,
    /// `esc`
    pub prefix: String,
    /// 10000 to 99999; option values begin at ten thousand times this.
    pub option_prefix: u32,
}

/// `RootComponent`: what the solution is said to be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// See [`component`].
    pub kind: i32,
    pub schema_name: Option<String>,
    pub id: Option<Uuid>,
    /// 0 with all that belongs to it, 1 without, 2 only as a shell.
    pub behavior: u8,
}

/// A component that must be in the target already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The number of a [`component`] type, or its name in newer files.
    pub kind: String,
    pub schema_name: Option<String>,
    pub id: Option<Uuid>,
    pub display_name: String,
    /// The solution that has it, as the platform writes it: `System (5.0)`, `Active`.
    pub solution: String,
    /// What needs it, in words.
    pub needed_by: String,
}

/// A table with what is shown of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Its columns and keys are those that the solution holds. Without ids and privileges.
    pub table: TableInfo,
    pub forms: Vec<Form>,
    pub views: Vec<View>,
    pub ribbon: Option<Element>,
}

/// `systemform`
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    pub id: Uuid,
    /// `main`, `quick`, `quickCreate`, `card`, …
    pub kind: String,
    pub names: Label,
    pub descriptions: Label,
    pub active: bool,
    /// The element `form`.
    pub body: Element,
}

/// `savedquery`
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub id: Uuid,
    pub names: Label,
    pub descriptions: Label,
    /// `querytype`: 0 public, 1 advanced find, 2 associated, 4 quick find, 64 lookup.
    pub kind: i32,
    pub is_default: bool,
    pub quick_find: bool,
    /// The elements `fetch` and `grid`.
    pub fetch: Option<Element>,
    pub layout: Option<Element>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub id: Uuid,
    pub name: String,
    /// Privilege and level (Basic, Local, Deep, Global).
    pub privileges: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebResource {
    pub id: Uuid,
    /// `esc_/scripts/sync.js`
    pub name: String,
    pub display_name: String,
    pub description: String,
    /// 1 HTML, 2 CSS, 3 script, 4 XML, 5 PNG, …
    pub kind: i32,
    pub content: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AppSiteMap {
    pub unique_name: String,
    pub names: Label,
    /// The element `SiteMap`.
    pub body: Element,
}

/// A model-driven app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub unique_name: String,
    pub names: Label,
    pub descriptions: Label,
    /// The icon; the platform's own when absent.
    pub icon: Uuid,
    pub form_factor: i32,
    /// 4 is the unified interface.
    pub client: i32,
    pub components: Vec<Root>,
    pub roles: Vec<Uuid>,
}

/// The icon of apps that name none.
pub const DEFAULT_ICON: Uuid = uuid::uuid!("953b9fac-1e5e-e611-80d6-00155ded156f");
