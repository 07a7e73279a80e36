//! Four units, four users, a team and six contacts.

use std::collections::BTreeSet;

use postroom_core::metadata::PrivilegeKind;
use postroom_core::{Change, Crm, Filter, Record, RecordRef};
use postroom_embedded::access::{self, AccessError, Caller, Level, RowFacts, privilege};
use postroom_embedded::schema::Table;
use uuid::Uuid;

use super::naive::World;
use crate::bench::{Bench, On};

/// Runs an async call with a transaction of the bench's store.
macro_rules! in_tx {
    ($bench:expr, |$tx:ident| $work:expr) => {{
        use futures_util::FutureExt;
        let answer: Result<_, postroom_embedded::access::AccessError> =
            $bench.store.read(move |$tx| async move { $work.await }.boxed()).await;
        answer
    }};
}
pub(super) use in_tx;

pub async fn load(bench: &Bench, user: Uuid, impersonated: Option<Uuid>) -> Result<Caller, AccessError> {
    let schema = bench.crm.schema().await.unwrap();
    in_tx!(bench, |tx| Caller::load(tx, &schema, user, impersonated))
}

/// The rows that the CRM itself answers for a filter.
pub async fn answered(bench: &Bench, table: &str, filter: Option<Filter>) -> Vec<Uuid> {
    let filter = filter.unwrap_or(Filter::All(Vec::new()));
    let rows = bench.all(table, filter).await;
    sorted(&rows.iter().map(|row| row.at.id).collect::<Vec<_>>())
}

pub fn sorted(ids: &[Uuid]) -> Vec<Uuid> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

pub struct Town {
    pub bench: Bench,
    pub unit: Uuid,
    pub elsewhere: Uuid,
    pub me: RecordRef,
    /// In my unit.
    pub colleague: RecordRef,
    /// In another unit beside mine.
    pub other: RecordRef,
    /// In my unit, with me in it.
    pub team: RecordRef,
    contacts: Vec<(&'static str, RecordRef)>,
}

pub fn user(bench: &Bench, name: &str, unit: Uuid) -> Record {
    bench
        .row("systemuser")
        .with("firstname", name)
        .with("lastname", "Town")
        .with("domainname", name)
        .with("businessunitid", unit)
}

impl Town {
    pub async fn new(on: On) -> Town {
        let bench = Bench::new(on).await;
        let unit = |name: &str| bench.row("businessunit").with("name", name);
        let (home, away) = (unit("Home"), unit("Away"));
        let child = unit("Child").with("parentbusinessunitid", home.at.clone());
        bench.create(&[home.clone(), away.clone(), child.clone()]).await;
        let me = user(&bench, "me", home.at.id);
        let colleague = user(&bench, "colleague", home.at.id);
        let below = user(&bench, "below", child.at.id);
        let other = user(&bench, "other", away.at.id);
        let team = bench.row("team").with("name", "Team").with("businessunitid", home.at.id);
        let member = bench.row("teammembership").with("teamid", team.at.id).with("systemuserid", me.at.id);
        bench.create(&[me.clone(), colleague.clone(), below.clone(), other.clone(), team.clone()]).await;
        bench.create(&[member]).await;
        let owners = [
            ("own", &me),
            ("colleague", &colleague),
            ("child", &below),
            ("other", &other),
            ("team", &team),
            ("shared", &other),
        ];
        let row = |(name, owner): (&'static str, &Record)| {
            (name, bench.contact(name).with("ownerid", owner.at.clone()))
        };
        let rows: Vec<(&'static str, Record)> = owners.into_iter().map(row).collect();
        bench.create(&rows.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>()).await;
        let contacts: Vec<_> = rows.into_iter().map(|(name, row)| (name, row.at)).collect();
        let share = bench
            .row("principalobjectaccess")
            .with("objectid", contacts[5].1.id)
            .with("objecttypecode", "contact")
            .with("principalid", me.at.id)
            .with("principaltypecode", "systemuser")
            .with("accessrightsmask", 3);
        bench.create(&[share]).await;
        Town {
            unit: home.at.id,
            elsewhere: away.at.id,
            me: me.at,
            colleague: colleague.at,
            other: other.at,
            team: team.at,
            contacts,
            bench,
        }
    }

    pub fn contact(&self, name: &str) -> RecordRef {
        self.contacts.iter().find(|(known, _)| *known == name).unwrap().1.clone()
    }

    /// A role with these and no other privileges.
    pub async fn role(&self, given: &[(PrivilegeKind, &str, Level)]) -> Uuid {
        let role = self.bench.row("role").with("name", "Test");
        self.bench.create(std::slice::from_ref(&role)).await;
        for (kind, table, level) in given {
            let table: std::sync::Arc<Table> = self.bench.crm.table(table).await.unwrap();
            self.put(role.at.id, privilege::of(*kind, &table).unwrap().id, *level).await;
        }
        role.at.id
    }

    pub async fn grant_misc(&self, role: Uuid, name: &str) {
        self.put(role, privilege::miscellaneous(name).unwrap().id, Level::Global).await;
    }

    async fn put(&self, role: Uuid, privilege: Uuid, level: Level) {
        let row = self
            .bench
            .row("roleprivileges")
            .with("roleid", role)
            .with("privilegeid", privilege)
            .with("privilegedepthmask", level.mask());
        self.bench.create(&[row]).await;
    }

    pub async fn give(&self, role: Uuid, to: &RecordRef) {
        let row = match to.table.as_str() {
            "team" => self.bench.row("teamroles").with("teamid", to.id),
            _ => self.bench.row("systemuserroles").with("systemuserid", to.id),
        };
        self.bench.create(&[row.with("roleid", role)]).await;
    }

    pub async fn take(&self, role: Uuid, from: &RecordRef) {
        let rows = self.bench.all("systemuserroles", Filter::eq("roleid", role)).await;
        let of = rows.into_iter().filter(|row| row.get("systemuserid") == Some(&from.id.into()));
        self.bench.apply(of.map(|row| Change::Delete(row.at)).collect()).await.unwrap();
    }

    pub async fn world(&self) -> World {
        let tables = [
            "contact",
            "email",
            "activitypointer",
            "activityparty",
            "activitymimeattachment",
            "template",
            "principalobjectaccess",
        ];
        World::read(&self.bench, &tables).await
    }

    pub async fn facts(&self, caller: &Caller, at: &RecordRef) -> RowFacts {
        let (caller, wanted) = (caller.clone(), at.clone());
        let found = in_tx!(self.bench, |tx| access::facts(tx, &caller, std::slice::from_ref(&wanted)));
        found.unwrap().remove(at).unwrap()
    }

    /// The contacts that the caller reaches: by his filter and one by one, which must be the same.
    pub async fn reached(&self, caller: &Caller, kind: PrivilegeKind) -> BTreeSet<&'static str> {
        let table = self.bench.crm.table("contact").await.unwrap();
        let filter = caller.filter(kind, &table);
        let ids = self.world().await.matching("contact", filter.as_ref());
        assert_eq!(answered(&self.bench, "contact", filter.clone()).await, sorted(&ids), "{filter:?}");
        let mut by_row = BTreeSet::new();
        for (name, at) in &self.contacts {
            let row = self.facts(caller, at).await;
            if caller.check_write(kind, &table, &row).is_ok() {
                by_row.insert(*name);
            }
        }
        let by_filter: BTreeSet<&'static str> =
            self.contacts.iter().filter(|(_, at)| ids.contains(&at.id)).map(|(name, _)| *name).collect();
        assert_eq!(by_filter, by_row, "{kind:?}: {filter:?}");
        by_row
    }

    /// The row in the database.
    pub async fn there(&self, table: &str) -> usize {
        self.bench.crm.query(&postroom_core::Query::of(table)).await.unwrap().len()
    }
}
