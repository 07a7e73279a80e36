//! Whether a caller may do to the rows that follow what is done to the row that they follow.

use std::collections::HashMap;
use std::sync::Arc;

use postroom_core::RecordRef;
use postroom_core::metadata::PrivilegeKind;
use postroom_store::{Error, Tx};

use super::{Key, Lot};
use crate::access::{self, AccessError, Caller, RowFacts};

/// A caller, and what decides over the rows that follow.
pub(super) struct Rights {
    caller: Arc<Caller>,
    facts: HashMap<RecordRef, RowFacts>,
}

/// Reads what decides over the rows that no set names. A System Administrator is not asked.
pub(super) async fn load(
    tx: &mut Tx,
    lot: &Lot,
    caller: Option<Arc<Caller>>,
) -> Result<Option<Rights>, Error> {
    let Some(caller) = caller.filter(|caller| !caller.administrates()) else { return Ok(None) };
    let at = |key: &Key| RecordRef::new(lot.schema.at(key.0).name.clone(), key.1);
    let wanted: Vec<RecordRef> = lot.followers.iter().map(at).collect();
    let facts = match access::facts(tx, &caller, &wanted).await {
        Ok(facts) => facts,
        Err(AccessError::Store(error)) => return Err(error),
        Err(_) => HashMap::new(),
    };
    Ok(Some(Rights { caller, facts }))
}

impl Lot {
    /// Refused unless the caller may do this to the row. One that this lot made is judged by what it says of itself.
    pub(super) fn allowed(&self, kind: PrivilegeKind, key: Key) -> Result<(), AccessError> {
        let Some(rights) = &self.rights else { return Ok(()) };
        let table = self.schema.at(key.0);
        let at = RecordRef::new(table.name.clone(), key.1);
        let made = || {
            let fields = &self.rows[&key].fields;
            let unit = fields.lookup(table, "owningbusinessunit").map(|unit| unit.id);
            RowFacts::new(key.1, table.clone(), fields.lookup(table, "ownerid").cloned(), unit)
        };
        match rights.facts.get(&at) {
            Some(row) => rights.caller.check(kind, table, row),
            None => rights.caller.check(kind, table, &made()),
        }
    }
}
