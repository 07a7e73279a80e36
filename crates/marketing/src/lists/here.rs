//! Lists as the CRM has them, and what they are told about themselves (marketing-entities.md 4.1).

use postroom_core::marketing::{ListId, Visibility};
use postroom_core::{Change, ChangeSet, Fault, Filter, Query, Record, RecordRef, Value};
use sha2::{Digest, Sha256};

use super::links::Link;
use crate::mapping::book::option;
use crate::people::stored;
use crate::solution::options::Set;
use crate::sync::Turn;

/// Where lists come that say nothing of their order.
const LAST: i64 = 1000;
const MESSAGE: usize = 4000;

/// What happens to people whom the service's list has and the CRM's has not (`esc_membershipaction`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    #[default]
    Ignore,
    Remove,
    /// Become members here when a record has the address.
    OnlyKnown,
    CreateUnknown,
}

impl Action {
    /// By the label of the option. What nobody chose changes nothing.
    fn of(row: &Record) -> Self {
        match option(row, "esc_membershipaction", Set::MembershipAction).unwrap_or_default() {
            "Remove service members not in this list" => Action::Remove,
            "Allow only known records to be added" => Action::OnlyKnown,
            "Create unknown as new record" => Action::CreateUnknown,
            _ => Action::Ignore,
        }
    }
}

/// A marketing list that is activated for e-mail.
#[derive(Debug, Clone, PartialEq)]
pub struct CrmList {
    pub at: RecordRef,
    pub name: String,
    /// Members are what the query finds.
    pub dynamic: bool,
    pub query: Value,
    pub owner: Option<RecordRef>,
    /// The table of its members.
    pub table: &'static str,
    pub action: Action,
    pub manual: bool,
    /// Somebody asked for it now.
    pub requested: bool,
    pub order: i64,
    pub visibility: Visibility,
}

impl CrmList {
    pub(crate) fn of(row: Record) -> Self {
        let yes = |column: &str| row.get(column).and_then(Value::as_bool) == Some(true);
        CrmList {
            name: row.text("listname").unwrap_or_default().trim().to_owned(),
            dynamic: yes("type"),
            query: row.get("query").cloned().unwrap_or(Value::Null),
            owner: row.lookup("ownerid").cloned(),
            table: match row.int("createdfromcode") {
                Some(1) => "account",
                Some(4) => "lead",
                _ => "contact",
            },
            action: Action::of(&row),
            manual: yes("esc_manualsynconly"),
            requested: yes("esc_syncrequested"),
            order: row.int("esc_syncorder").unwrap_or(LAST),
            visibility: match option(&row, "esc_visibility", Set::Visibility) {
                Some("Public") => Visibility::Public,
                _ => Visibility::Private,
            },
            at: row.at,
        }
    }

    /// The relationship that ties members to it.
    pub fn relationship(&self) -> String {
        format!("list{}_association", self.table)
    }
}

/// What is read of a list.
pub(super) const COLUMNS: [&str; 10] = [
    "listname",
    "type",
    "query",
    "ownerid",
    "createdfromcode",
    "esc_membershipaction",
    "esc_manualsynconly",
    "esc_syncrequested",
    "esc_syncorder",
    "esc_visibility",
];

/// The account's lists that are active and activated, in the order in which they are to run.
pub async fn activated(turn: &Turn) -> Result<Vec<CrmList>, Fault> {
    let query = Query::of("list").select(&COLUMNS).filter(Filter::All(vec![
        Filter::eq("esc_activatedforemail", true),
        Filter::eq("esc_emailaccountid", turn.connected.row()),
        Filter::eq("statecode", 0),
    ]));
    let rows = turn.engine.crm.query(&query).await?;
    let mut lists: Vec<CrmList> = rows.into_iter().map(CrmList::of).collect();
    lists.sort_by(|one, other| {
        (one.order, &one.name, one.at.id).cmp(&(other.order, &other.name, other.at.id))
    });
    Ok(lists)
}

/// What a list says of itself after a run. Words are labels of the solution's options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub link: &'static str,
    pub members: &'static str,
    pub service: Option<(ListId, String)>,
    pub message: String,
    /// Whether anybody joined or left.
    pub changed: bool,
    pub counts: Option<ListCounts>,
}

/// The figures on a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListCounts {
    pub here: u64,
    pub there: u64,
    pub sent: u64,
    pub rejected: u64,
    pub skipped: u64,
}

impl Report {
    fn record(&self, list: &CrmList) -> Record {
        let option = |set: Set, label: &str| set.value(label).map_or(Value::Null, Value::from);
        let message: String = self.message.chars().take(MESSAGE).collect();
        let mut row = Record::new(list.at.clone())
            .with("esc_syncstatus", option(Set::ListSyncStatus, self.link))
            .with("esc_membersyncstatus", option(Set::MemberSyncStatus, self.members))
            .with("esc_lastsyncmessage", message);
        if let Some((id, name)) = &self.service {
            row =
                row.with("esc_serviceaddressbookid", id.0).with("esc_serviceaddressbookname", name.as_str());
        }
        if let Some(counts) = self.counts {
            let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            row = row
                .with("esc_crmmembercount", number(counts.here))
                .with("esc_servicecontactcount", number(counts.there))
                .with("esc_sentcount", number(counts.sent))
                .with("esc_rejectedcount", number(counts.rejected))
                .with("esc_skippedcount", number(counts.skipped));
        }
        row
    }

    /// Writes it to the list unless the list says so already; answers the hash to be kept.
    ///
    /// # Errors
    /// The CRM's; a repeat does no harm.
    pub async fn tell(&self, turn: &Turn, list: &CrmList, link: &Link) -> Result<Vec<u8>, Fault> {
        let mut row = self.record(list);
        let hash =
            Sha256::digest(stored::write(row.columns.iter().map(|(name, value)| (name.as_str(), value))));
        let hash = hash[..16].to_vec();
        if turn.dry || (hash == link.told && !list.requested && !self.changed) {
            return Ok(link.told.clone());
        }
        if list.requested {
            row = row.with("esc_syncrequested", false);
        }
        if self.changed {
            row = row.with("esc_lastmemberchangesynced", turn.now());
        }
        let sets = vec![ChangeSet { changes: vec![Change::Update(row)] }];
        turn.engine.crm.apply(sets).await.pop().expect("an answer for each set")?;
        Ok(hash)
    }
}
