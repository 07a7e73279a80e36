//! One user with all that he may do: answers for queries, for single rows and for miscellaneous privileges. Pure; `load`
//! reads it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use postroom_core::metadata::PrivilegeKind;
use postroom_core::query::{Join, Link};
use postroom_core::{Filter, Value};
use uuid::Uuid;

use super::columns::ColumnRights;
use super::error::verb;
use super::govern::{Governed, Parent, governed};
use super::privilege::{self, Level, Privilege, Subject};
use super::{AccessError, AccessRights, RowFacts, roles};
use crate::schema::{Column, Kind, Schema, Table};

/// A user or team with the roles of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Principal {
    pub id: Uuid,
    pub unit: Uuid,
    /// The unit and all below it.
    pub below: Arc<[Uuid]>,
    pub roles: Vec<Uuid>,
    /// What the stored roles give, by privilege.
    pub levels: HashMap<Uuid, Level>,
}

impl Principal {
    pub(super) fn level(&self, privilege: &Privilege) -> Level {
        let computed = self.roles.iter().map(|role| roles::computed(*role, privilege)).max();
        let stored = self.levels.get(&privilege.id).copied();
        computed.unwrap_or_default().max(stored.unwrap_or_default())
    }

    fn is_administrator(&self) -> bool {
        self.roles.contains(&roles::SYSTEM_ADMINISTRATOR)
    }
}

/// A user and his teams.
#[derive(Debug, Clone, Default)]
pub(super) struct Rights(pub Vec<Principal>);

impl Rights {
    pub(super) fn level(&self, privilege: &Privilege) -> Level {
        self.0.iter().map(|principal| principal.level(privilege)).max().unwrap_or_default()
    }

    pub(super) fn administrates(&self) -> bool {
        self.0.iter().any(Principal::is_administrator)
    }
}

/// Which rows a privilege reaches.
#[derive(Debug, Default, PartialEq)]
struct Reach {
    all: bool,
    owners: Vec<Uuid>,
    units: BTreeSet<Uuid>,
}

/// Somebody who asks for something. Read it with [`Caller::load`]; keep it with [`super::Callers`].
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user in whose name things are done.
    pub user: Uuid,
    /// The user who acts for him, when that is another one.
    pub acting: Option<Uuid>,
    /// The user's business unit.
    pub unit: Uuid,
    /// That unit and all below it.
    pub units_below: Arc<[Uuid]>,
    pub teams: Vec<Uuid>,
    /// The counter that this was read at; see [`super::version`].
    pub version: i64,
    pub(super) mode: i64,
    pub(super) schema: Arc<Schema>,
    pub(super) rights: Rights,
    /// Nothing deeper than these have it.
    pub(super) cap: Option<Rights>,
    /// The masks of the rows shared with the user or his teams, by table.
    pub(super) shares: BTreeMap<String, BTreeSet<i64>>,
    pub(super) columns: ColumnRights,
}

impl Caller {
    /// Whether everything is allowed: a System Administrator, and one who acts for nobody or is a System Administrator too.
    pub fn administrates(&self) -> bool {
        self.rights.administrates() && self.cap.as_ref().is_none_or(Rights::administrates)
    }

    /// How deep the caller has a privilege.
    pub fn level(&self, privilege: &Privilege) -> Level {
        self.rights.level(privilege).min(self.cap(privilege))
    }

    fn cap(&self, privilege: &Privilege) -> Level {
        self.cap.as_ref().map_or(Level::Global, |cap| cap.level(privilege))
    }

    /// How deep the caller may do this with rows of a table. For the parts of other rows it is what the parents allow.
    pub fn may(&self, kind: PrivilegeKind, table: &Table) -> Level {
        if self.administrates() {
            return Level::Global;
        }
        match governed(table) {
            Governed::Open if kind == PrivilegeKind::Read => Level::Global,
            Governed::Open | Governed::Closed => Level::None,
            Governed::Parents(parents) => {
                let levels = self.parents(kind, parents).map(|(_, needed, table)| self.may(needed, table));
                levels.max().unwrap_or_default()
            }
            _ => privilege::of(kind, table).map_or(Level::None, |privilege| self.depth(&privilege)),
        }
    }

    /// A table of the organisation knows all or nothing.
    fn depth(&self, privilege: &Privilege) -> Level {
        match self.level(privilege) {
            level if privilege.levels || level == Level::Global => level,
            _ => Level::None,
        }
    }

    /// The parents that could allow it, with what that takes.
    fn parents<'a>(
        &'a self,
        kind: PrivilegeKind,
        parents: &'static [Parent],
    ) -> impl Iterator<Item = (&'static Parent, PrivilegeKind, &'a Table)> {
        parents.iter().filter_map(move |parent| {
            let table = self.schema.table(parent.table).ok()?;
            Some((parent, parent.needs(kind)?, &**table))
        })
    }

    fn reach(&self, privilege: &Privilege) -> Reach {
        let cap = self.cap(privilege);
        let mut reach = Reach::default();
        for principal in &self.rights.0 {
            let level = principal.level(privilege).min(cap);
            match level {
                Level::None => continue,
                Level::Global => reach.all = true,
                Level::Deep => reach.units.extend(principal.below.iter()),
                Level::Local => drop(reach.units.insert(principal.unit)),
                Level::Basic => {}
            }
            reach.owners.push(principal.id);
        }
        reach.all &= privilege.levels || cap == Level::Global;
        reach
    }

    /// The condition that rows of `table` must satisfy besides what was asked; `None` when every row does. Give it to
    /// every table of a query, each link too. Whoever may do it with no row at all gets a condition that is never true.
    pub fn filter(&self, kind: PrivilegeKind, table: &Table) -> Option<Filter> {
        if self.administrates() {
            return None;
        }
        match governed(table) {
            Governed::Open if kind == PrivilegeKind::Read => None,
            Governed::Open | Governed::Closed => Some(nothing()),
            Governed::Parents(parents) => self.by_parents(kind, table, parents),
            Governed::Owner => self.by_reach(kind, table, |reach| self.owned(kind, table, reach)),
            Governed::Unit => self.by_reach(kind, table, |reach| of_units(self, table, reach)),
            Governed::Organization => match self.may(kind, table) {
                Level::Global => None,
                _ => Some(nothing()),
            },
        }
    }

    fn by_reach(
        &self,
        kind: PrivilegeKind,
        table: &Table,
        parts: impl FnOnce(&Reach) -> Vec<Filter>,
    ) -> Option<Filter> {
        let Some(privilege) = privilege::of(kind, table) else { return Some(nothing()) };
        let reach = self.reach(&privilege);
        match reach.all {
            true => None,
            false => Some(Filter::Any(parts(&reach))),
        }
    }

    fn owned(&self, kind: PrivilegeKind, table: &Table, reach: &Reach) -> Vec<Filter> {
        if reach.owners.is_empty() {
            return Vec::new();
        }
        let mut parts = vec![one_of("ownerid", &reach.owners)];
        if !reach.units.is_empty() {
            parts.push(one_of("owningbusinessunit", &reach.units));
        }
        parts.extend(self.shared(kind, table));
        parts
    }

    /// The rows shared with the caller. The masks in use are listed, because a filter cannot look at single bits.
    fn shared(&self, kind: PrivilegeKind, table: &Table) -> Option<Filter> {
        let right = AccessRights::of(kind);
        let tables: Vec<&String> = self
            .shares
            .iter()
            .filter(|(name, masks)| {
                let fits = **name == table.name || table.name == "activitypointer" && self.is_activity(name);
                fits && masks.iter().any(|mask| AccessRights(*mask).has(right))
            })
            .map(|(name, _)| name)
            .collect();
        if tables.is_empty() {
            return None;
        }
        let masks = tables.iter().flat_map(|name| &self.shares[*name]).collect::<BTreeSet<_>>();
        let masks: Vec<Value> = masks
            .into_iter()
            .filter(|mask| AccessRights(**mask).has(right))
            .map(|mask| Value::Int(*mask))
            .collect();
        let principals: Vec<Uuid> = self.principals().collect();
        let shared = Filter::All(vec![
            one_of("principalid", &principals),
            Filter::In("objecttypecode".into(), tables.iter().map(|name| Value::text(*name)).collect()),
            Filter::Any(vec![
                Filter::In("accessrightsmask".into(), masks.clone()),
                Filter::In("inheritedaccessrightsmask".into(), masks),
            ]),
        ]);
        Some(linked("principalobjectaccess", "objectid", &table.primary_key, shared))
    }

    fn is_activity(&self, table: &str) -> bool {
        self.schema.table(table).is_ok_and(|table| table.activity)
    }

    /// The caller and his teams.
    pub(super) fn principals(&self) -> impl Iterator<Item = Uuid> {
        self.rights.0.iter().map(|principal| principal.id)
    }

    fn by_parents(&self, kind: PrivilegeKind, table: &Table, parents: &'static [Parent]) -> Option<Filter> {
        let mut parts = Vec::new();
        let mut free = true;
        for (parent, needed, above) in self.parents(kind, parents) {
            let filter = self.filter(needed, above);
            free &= filter.is_none();
            if filter != Some(nothing()) {
                let filter = filter.unwrap_or(Filter::All(Vec::new()));
                parts.push(linked(parent.table, &above.primary_key, parent.column, filter));
            }
        }
        if table.name == "usersettings" {
            parts.push(Filter::eq("systemuserid", self.user));
        }
        match free && !parts.is_empty() {
            true => None,
            false => Some(Filter::Any(parts)),
        }
    }

    /// The table as a whole: refused when the caller may do this with no row of it, and would find nothing.
    pub fn check_table(&self, kind: PrivilegeKind, table: &Table) -> Result<(), AccessError> {
        match self.may(kind, table) {
            Level::None => Err(self.refuse(kind, table)),
            _ => Ok(()),
        }
    }

    /// One row: `row` is what [`super::facts`] says of it, for a part of another row that row's facts.
    pub fn check(&self, kind: PrivilegeKind, table: &Table, row: &RowFacts) -> Result<(), AccessError> {
        let changes = matches!(kind, PrivilegeKind::Write | PrivilegeKind::Delete);
        if table.name == "role" && changes && roles::is_fixed(row.at.id) {
            return Err(AccessError::FixedRole(row.at.id));
        }
        if self.administrates() {
            return Ok(());
        }
        let Governed::Parents(parents) = governed(table) else {
            return self.check_own(kind, table, row);
        };
        let own = table.name == "usersettings" && row.at.id == self.user;
        if own && matches!(kind, PrivilegeKind::Read | PrivilegeKind::Write) {
            return Ok(());
        }
        let decides = |parent: &Parent| {
            parent.table == row.table.name || parent.table == "activitypointer" && row.table.activity
        };
        let found = self.parents(kind, parents).find(|(parent, ..)| decides(parent));
        match found {
            Some((_, needed, _)) => self.check_own(needed, &row.table, row),
            None => Err(self.guarded(kind, table)),
        }
    }

    /// The contract's word for [`Caller::check`] with anything but reading.
    pub fn check_write(&self, kind: PrivilegeKind, table: &Table, row: &RowFacts) -> Result<(), AccessError> {
        self.check(kind, table, row)
    }

    /// A new row, with the owner and unit that it will have; of a part the parent's facts. Somebody else as its owner
    /// takes the privilege to assign as well.
    pub fn check_create(&self, table: &Table, row: &RowFacts) -> Result<(), AccessError> {
        self.check(PrivilegeKind::Create, table, row)?;
        let owned = governed(table) == Governed::Owner;
        match &row.owner {
            Some(owner) if owned && owner.id != self.user => self.check_table(PrivilegeKind::Assign, table),
            _ => Ok(()),
        }
    }

    /// A lookup that is set on `row` and names `target`; ask [`lookup_is_checked`] first.
    pub fn check_link(&self, row: &RowFacts, target: &RowFacts) -> Result<(), AccessError> {
        self.check(PrivilegeKind::Append, &row.table, row)?;
        self.check(PrivilegeKind::AppendTo, &target.table, target)
    }

    /// A miscellaneous privilege, such as `prvSendAsUser`. One that does not exist is nobody's.
    pub fn check_misc(&self, name: &str) -> Result<(), AccessError> {
        let privilege = privilege::miscellaneous(name).unwrap_or_else(|| Privilege {
            id: privilege::id_of(name),
            name: name.to_owned(),
            kind: None,
            noun: String::new(),
            subject: Subject::Miscellaneous,
            levels: false,
        });
        match self.depth(&privilege) {
            Level::None => Err(self.missing(privilege, None)),
            _ => Ok(()),
        }
    }

    fn check_own(&self, kind: PrivilegeKind, table: &Table, row: &RowFacts) -> Result<(), AccessError> {
        let own = governed(table);
        if own == Governed::Open && kind == PrivilegeKind::Read {
            return Ok(());
        }
        let Some(privilege) = privilege::of(kind, table) else { return Err(self.guarded(kind, table)) };
        if self.depth(&privilege) == Level::None {
            return Err(self.missing(privilege, Some(table.name.clone())));
        }
        let reach = self.reach(&privilege);
        let reached = match own {
            Governed::Owner => {
                let owner = row.owner.as_ref().is_some_and(|owner| reach.owners.contains(&owner.id));
                let shared = !reach.owners.is_empty() && row.shared.has(AccessRights::of(kind));
                owner || in_units(&reach, row) || shared
            }
            Governed::Unit => {
                in_units(&reach, row)
                    || !reach.owners.is_empty() && own_of_units(self, table, &reach).contains(&row.at.id)
            }
            _ => false,
        };
        match reach.all || reached {
            true => Ok(()),
            false => Err(self.denied(kind, row)),
        }
    }

    fn refuse(&self, kind: PrivilegeKind, table: &Table) -> AccessError {
        let needed = match governed(table) {
            Governed::Parents(parents) => self.parents(kind, parents).next(),
            _ => None,
        };
        let (kind, table) = needed.map_or((kind, table), |(_, needed, above)| (needed, above));
        match privilege::of(kind, table) {
            Some(privilege) => self.missing(privilege, Some(table.name.clone())),
            None => self.guarded(kind, table),
        }
    }

    pub(super) fn missing(&self, privilege: Privilege, table: Option<String>) -> AccessError {
        // Of two who act together the one without the privilege is named.
        let other = self.acting.filter(|_| self.rights.level(&privilege) != Level::None);
        let rights = match (other, &self.cap) {
            (Some(_), Some(cap)) => cap,
            _ => &self.rights,
        };
        AccessError::Missing {
            user: other.unwrap_or(self.user),
            roles: rights.0.iter().map(|principal| principal.roles.len()).sum(),
            privileges: rights.0.iter().map(|principal| principal.levels.len()).sum(),
            mode: self.mode,
            privilege: Box::new(privilege),
            table,
        }
    }

    fn guarded(&self, kind: PrivilegeKind, table: &Table) -> AccessError {
        AccessError::Guarded { user: self.user, verb: verb(kind), table: table.name.clone() }
    }

    fn denied(&self, kind: PrivilegeKind, row: &RowFacts) -> AccessError {
        AccessError::Row {
            user: self.user,
            row: row.at.clone(),
            owner: row.owner.clone(),
            unit: row.unit,
            rights: AccessRights::of(kind),
        }
    }
}

fn in_units(reach: &Reach, row: &RowFacts) -> bool {
    row.unit.is_some_and(|unit| reach.units.contains(&unit))
}

fn of_units(caller: &Caller, table: &Table, reach: &Reach) -> Vec<Filter> {
    if reach.owners.is_empty() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let own = own_of_units(caller, table, reach);
    if !own.is_empty() {
        parts.push(one_of(&table.primary_key, &own));
    }
    if !reach.units.is_empty() {
        parts.push(one_of("businessunitid", &reach.units));
    }
    parts
}

/// The rows that the level Basic reaches: oneself, one's teams, one's unit.
fn own_of_units(caller: &Caller, table: &Table, reach: &Reach) -> Vec<Uuid> {
    match table.name.as_str() {
        "systemuser" => vec![caller.user],
        "team" => caller.teams.clone(),
        "businessunit" => {
            let holders = caller.rights.0.iter().filter(|principal| reach.owners.contains(&principal.id));
            holders.map(|principal| principal.unit).collect()
        }
        _ => Vec::new(),
    }
}

/// A condition that is never true.
pub(super) fn nothing() -> Filter {
    Filter::Any(Vec::new())
}

fn one_of<'a>(column: &str, ids: impl IntoIterator<Item = &'a Uuid>) -> Filter {
    Filter::In(column.to_owned(), ids.into_iter().map(|id| Value::Guid(*id)).collect())
}

/// Rows that have a row of `table` whose `from` equals their `to`. Its alias is one that no client can write, and unlike
/// those above it, so no name of a query is hidden.
fn linked(table: &str, from: &str, to: &str, filter: Filter) -> Filter {
    let link = Link::new(table, from, to, format!("${table}"));
    Filter::Linked(Box::new(link.join(Join::Any).filter(filter)))
}

/// Whether setting this lookup takes Append on the row and AppendTo on what it names. Owners are assigned; what the server
/// keeps, and the parts of other rows, are checked otherwise.
pub fn lookup_is_checked(table: &Table, column: &Column) -> bool {
    const FREE: &[&str] = &["ownerid", "organizationid", "transactioncurrencyid", "businessunitid"];
    let own = matches!(governed(table), Governed::Owner | Governed::Unit | Governed::Organization);
    own && column.kind == Kind::Lookup && !column.read_only && !FREE.contains(&column.name.as_str())
}
