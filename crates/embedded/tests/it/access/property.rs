//! Any organisation, told to the CRM and judged row by row from its definition, comes to the same: by the filter over the
//! rows and by the check of each row.

use postroom_core::metadata::PrivilegeKind;
use postroom_core::{Record, RecordRef};
use postroom_embedded::access::{self, AccessRights, Caller, Level, privilege};
use postroom_embedded::seed;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::naive::World;
use super::town::{answered, in_tx, load, sorted, user};
use crate::bench::{Bench, On};

const UNITS: usize = 5;
const USERS: usize = 4;
const TEAMS: usize = 2;
const PRINCIPALS: usize = USERS + TEAMS;
const MASKS: [i64; 4] = [1, 2, 3, 262_145];

/// An organisation: all numbers are places in its own lists; unit 0 is the root.
#[derive(Debug, Clone)]
struct Story {
    parents: [usize; UNITS],
    unit_of: [usize; PRINCIPALS],
    members: [[bool; USERS]; TEAMS],
    /// Of each principal: how deep it reads contacts, and activities.
    levels: [[usize; 2]; PRINCIPALS],
    /// Owners of contacts, then of mails.
    owners: [[usize; 5]; 2],
    /// Contact, principal, mask.
    shares: Vec<(usize, usize, usize)>,
    behalf: bool,
    kind: usize,
}

prop_compose! {
    fn story()(
        parents in proptest::array::uniform5(0..UNITS),
        unit_of in proptest::array::uniform6(0..UNITS),
        members in proptest::array::uniform2(proptest::array::uniform4(any::<bool>())),
        levels in proptest::array::uniform6(proptest::array::uniform2(0..5usize)),
        owners in proptest::array::uniform2(proptest::array::uniform5(0..PRINCIPALS)),
        shares in proptest::collection::vec((0..5usize, 0..PRINCIPALS, 0..MASKS.len()), 0..4),
        behalf in any::<bool>(),
        kind in 0..2usize,
    ) -> Story {
        // A parent stands before its child.
        let parents = std::array::from_fn(|unit| parents[unit] % unit.max(1));
        Story { parents, unit_of, members, levels, owners, shares, behalf, kind }
    }
}

impl Story {
    fn principals(&self, user: usize) -> Vec<usize> {
        let teams = (0..TEAMS).filter(|team| self.members[*team][user]).map(|team| USERS + team);
        std::iter::once(user).chain(teams).collect()
    }

    fn is_below(&self, mut unit: usize, top: usize) -> bool {
        while unit != top && unit != 0 {
            unit = self.parents[unit];
        }
        unit == top
    }

    /// The definition: may user 0 do it with the row of this owner, which `shared` says is shared with him?
    fn may(&self, what: usize, owner: usize, shared: bool) -> bool {
        let deepest = |user| self.principals(user).into_iter().map(|one| self.levels[one][what]).max();
        let cap = if self.behalf { deepest(1).unwrap() } else { 4 };
        self.principals(0).into_iter().any(|one| match self.levels[one][what].min(cap) {
            0 => false,
            _ if shared || owner == one => true,
            1 => false,
            2 => self.unit_of[owner] == self.unit_of[one],
            3 => self.is_below(self.unit_of[owner], self.unit_of[one]),
            _ => true,
        })
    }

    fn shared(&self, contact: usize, right: AccessRights) -> bool {
        let mine = self.principals(0);
        let fits = |(of, with, mask): &&(usize, usize, usize)| {
            *of == contact && mine.contains(with) && AccessRights(MASKS[*mask]).has(right)
        };
        self.shares.iter().any(|share| fits(&share))
    }
}

/// The story's rows.
struct Told {
    principals: Vec<RecordRef>,
    contacts: Vec<RecordRef>,
    parties: Vec<RecordRef>,
}

async fn tell(bench: &Bench, story: &Story, kind: PrivilegeKind) -> Told {
    let mut units: Vec<Uuid> = vec![seed::BUSINESS_UNIT];
    let mut rows: Vec<Record> = Vec::new();
    for parent in &story.parents[1..] {
        let unit =
            bench.row("businessunit").with("name", "Unit").with("parentbusinessunitid", units[*parent]);
        units.push(unit.at.id);
        rows.push(unit);
    }
    let unit_of = |principal: usize| units[story.unit_of[principal]];
    let mut principals: Vec<RecordRef> = Vec::new();
    for one in 0..PRINCIPALS {
        let row = match one < USERS {
            true => user(bench, "user", unit_of(one)),
            false => bench.row("team").with("name", "Team").with("businessunitid", unit_of(one)),
        };
        principals.push(row.at.clone());
        rows.push(row);
    }
    for (team, members) in story.members.iter().enumerate() {
        let inside = (0..USERS).filter(|user| members[*user]);
        rows.extend(inside.map(|user| {
            let row = bench.row("teammembership").with("teamid", principals[USERS + team].id);
            row.with("systemuserid", principals[user].id)
        }));
    }
    for (one, levels) in story.levels.iter().enumerate() {
        rows.extend(role(bench, kind, &principals[one], one == 1, levels).await);
    }
    let owned = |row: Record, owner: usize| row.with("ownerid", principals[owner].clone());
    let contacts: Vec<Record> =
        story.owners[0].iter().map(|owner| owned(bench.contact("x"), *owner)).collect();
    let mails: Vec<Record> = story.owners[1].iter().map(|owner| owned(bench.email(), *owner)).collect();
    let parties: Vec<Record> = mails.iter().map(|mail| bench.party(mail, 2, "a@b.example")).collect();
    rows.extend(story.shares.iter().map(|(contact, with, mask)| {
        bench
            .row("principalobjectaccess")
            .with("objectid", contacts[*contact].at.id)
            .with("objecttypecode", "contact")
            .with("principalid", principals[*with].id)
            .with("principaltypecode", principals[*with].table.as_str())
            .with("accessrightsmask", MASKS[*mask])
    }));
    let at = |rows: &[Record]| rows.iter().map(|row| row.at.clone()).collect();
    let told = Told { contacts: at(&contacts), parties: at(&parties), principals };
    rows.extend(contacts.into_iter().chain(mails).chain(parties));
    bench.create(&rows).await;
    told
}

/// A role of one principal's own. The second user may act for others.
async fn role(
    bench: &Bench,
    kind: PrivilegeKind,
    to: &RecordRef,
    behalf: bool,
    levels: &[usize; 2],
) -> Vec<Record> {
    let role = bench.row("role").with("name", "Role");
    let given = |privilege: Uuid, level: Level| {
        let row = bench.row("roleprivileges").with("roleid", role.at.id).with("privilegeid", privilege);
        row.with("privilegedepthmask", level.mask())
    };
    let pair = match to.table.as_str() {
        "team" => bench.row("teamroles").with("teamid", to.id),
        _ => bench.row("systemuserroles").with("systemuserid", to.id),
    };
    let mut rows = vec![pair.with("roleid", role.at.id)];
    for (table, level) in ["contact", "email"].into_iter().zip(levels) {
        let table = bench.crm.table(table).await.unwrap();
        rows.push(given(privilege::of(kind, &table).unwrap().id, Level::ALL[*level]));
    }
    if behalf {
        rows.push(given(privilege::id_of("prvActOnBehalfOfAnotherUser"), Level::Global));
    }
    rows.push(role);
    rows
}

async fn check(bench: &Bench, story: Story) {
    let kind = [PrivilegeKind::Read, PrivilegeKind::Write][story.kind];
    let told = tell(bench, &story, kind).await;
    let (user, other) = (told.principals[0].id, told.principals[1].id);
    let caller = match story.behalf {
        true => load(bench, other, Some(user)).await.unwrap(),
        false => load(bench, user, None).await.unwrap(),
    };
    let tables = ["contact", "activityparty", "activitypointer", "email", "principalobjectaccess"];
    let world = World::read(bench, &tables).await;
    let right = AccessRights::of(kind);
    for (what, rows) in [&told.contacts, &told.parties].into_iter().enumerate() {
        let expected: Vec<bool> = (0..rows.len())
            .map(|row| story.may(what, story.owners[what][row], what == 0 && story.shared(row, right)))
            .collect();
        let got = judged(bench, &caller, kind, &world, rows).await;
        assert_eq!(got.0, expected, "by filter, {}: {story:?}", rows[0].table);
        assert_eq!(got.1, expected, "by row, {}: {story:?}", rows[0].table);
    }
}

/// By the filter, and by the check of each row.
async fn judged(
    bench: &Bench,
    caller: &Caller,
    kind: PrivilegeKind,
    world: &World,
    rows: &[RecordRef],
) -> (Vec<bool>, Vec<bool>) {
    let table = bench.crm.table(&rows[0].table).await.unwrap();
    let found = world.matching(&table.name, caller.filter(kind, &table).as_ref());
    assert_eq!(answered(bench, &table.name, caller.filter(kind, &table)).await, sorted(&found));
    let (asker, wanted) = (caller.clone(), rows.to_vec());
    let facts = in_tx!(bench, |tx| access::facts(tx, &asker, &wanted)).unwrap();
    let by_filter = rows.iter().map(|at| found.contains(&at.id)).collect();
    (by_filter, rows.iter().map(|at| caller.check(kind, &table, &facts[at]).is_ok()).collect())
}

#[test]
fn any_organisation_is_judged_by_its_definition() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::new(On::Sqlite));
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&story(), |story| {
        runtime.block_on(check(&bench, story));
        Ok(())
    });
    outcome.unwrap();
}
