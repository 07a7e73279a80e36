//! The service's preferences as rows of `esc_marketingpreference`. They are written when something about them changed.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use postroom_core::marketing::{Preference, PreferenceId, PreferenceNode};
use postroom_core::{Change, ChangeSet, Record, RecordRef};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::keys;
use crate::sync::cursor::{self, Cursor};
use crate::sync::{Act, Halt, Turn};

pub const TABLE: &str = "esc_marketingpreference";

/// The preferences of an account, each with the id of its row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    rows: BTreeMap<Uuid, PreferenceId>,
    choices: Vec<PreferenceId>,
}

impl Tree {
    /// Those that can be chosen.
    pub fn choices(&self) -> &[PreferenceId] {
        &self.choices
    }

    /// The preference of a row.
    pub fn of_row(&self, row: Uuid) -> Option<&PreferenceId> {
        self.rows.get(&row)
    }

    fn of(key: &keys::Account, flat: &[Preference]) -> Self {
        Tree {
            rows: flat.iter().map(|one| (key.preference(one.id.0).id(TABLE), one.id.clone())).collect(),
            choices: flat.iter().filter(|one| !one.category).map(|one| one.id.clone()).collect(),
        }
    }
}

/// What the CRM was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    tree: String,
    ids: Vec<i64>,
}

/// Brings the rows up to date.
///
/// # Errors
/// Faults of either side; a repeat does no harm.
pub async fn run(turn: &mut Turn) -> Result<Tree, Halt> {
    let mut flat = Vec::new();
    flatten(&turn.account.service.preferences().await?, None, &mut flat);
    let tree = Tree::of(&turn.connected.key, &flat);
    let account = turn.account.name.clone();
    let mut cursor: Cursor<Told> = turn
        .read(move |tx| async move { cursor::read(tx, &account, "preferences/tree").await }.boxed())
        .await?;
    let text = format!("{flat:?}");
    turn.counts.read += flat.len() as u64;
    if cursor.place.tree == text {
        return Ok(tree);
    }
    let ids: Vec<i64> = flat.iter().map(|one| one.id.0).collect();
    let gone: Vec<i64> = cursor.place.ids.iter().copied().filter(|id| !ids.contains(id)).collect();
    let rows = flat.iter().map(|one| row(turn, one)).chain(gone.iter().map(|id| deleted(turn, *id)));
    let rows: Vec<Record> = rows.collect();
    turn.foresee_records(Act::Change, rows.iter().map(|row| (row, None)));
    let sets: Vec<ChangeSet> =
        rows.into_iter().map(|row| ChangeSet { changes: vec![Change::Upsert(row)] }).collect();
    let number = sets.len() as u64;
    if !turn.dry {
        for answer in turn.engine.crm.apply(sets).await {
            answer?;
        }
    }
    let dry = turn.dry;
    // Those that are gone stay known: their rows are there.
    let known: Vec<i64> = ids.into_iter().chain(gone).collect();
    let stored = turn.page("marketing.preferences_told", move |tx, counts| {
        async move {
            counts.to_crm.sent += number;
            counts.to_crm.changed += number;
            cursor.place = Told { tree: text, ids: known };
            if dry { Ok(()) } else { cursor.write(tx).await }
        }
        .boxed()
    });
    stored.await?;
    Ok(tree)
}

/// Parents before what is below them.
fn flatten(nodes: &[PreferenceNode], above: Option<&PreferenceId>, flat: &mut Vec<Preference>) {
    for node in nodes {
        let parent = node.preference.parent.clone().filter(|parent| parent.0 != 0).or_else(|| above.cloned());
        flat.push(Preference { parent, ..node.preference.clone() });
        flatten(&node.below, Some(&node.preference.id), flat);
    }
}

fn row(turn: &Turn, one: &Preference) -> Record {
    let key = turn.connected.key.preference(one.id.0);
    let above = one.parent.as_ref().map(|parent| turn.connected.key.preference(parent.0).id(TABLE));
    Record::new(RecordRef::new(TABLE, key.id(TABLE)))
        .with("esc_name", one.public_name.as_str())
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_servicepreferenceid", one.id.0)
        .with("esc_publicname", one.public_name.as_str())
        .with("esc_privatename", one.private_name.as_str())
        .with("esc_iscategory", one.category)
        .with("esc_parentid", above.map(|id| RecordRef::new(TABLE, id)))
        .with("esc_order", one.order.as_str())
        .with("esc_ispublic", one.public)
        .with("esc_servicemodifiedon", one.modified.or(one.created))
        .with("esc_isdeletedremotely", false)
        .with("esc_lastsyncedon", turn.now())
}

fn deleted(turn: &Turn, id: i64) -> Record {
    let key = turn.connected.key.preference(id);
    Record::new(RecordRef::new(TABLE, key.id(TABLE)))
        .with("esc_externalkey", key.as_str())
        .with("esc_isdeletedremotely", true)
        .with("esc_lastsyncedon", turn.now())
}
