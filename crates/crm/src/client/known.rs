//! Definitions: asked for by name and kept, until the server's own stamp of them, or what it says against a write, shows that
//! they have changed. People add columns to their CRM and take them away while we run, and it tells nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postroom_core::metadata::Metadata;
use postroom_core::{Fault, Verdict};
use tokio::sync::Mutex as Turn;

use super::{Client, Defined, Words};
use crate::promises::limits::{Limits, ask};

/// Readings that were overtaken by a change before the newest one is believed.
const OVERTAKEN: u32 = 3;

#[derive(Default)]
pub(super) struct Known {
    kept: Mutex<Kept>,
    /// Definitions are read by one task at a time.
    turn: Turn<()>,
}

#[derive(Clone, Default)]
struct Kept {
    tables: Arc<Metadata>,
    /// The server's stamp of its definitions, asked for before they were read.
    stamp: Option<String>,
    /// How often all was forgotten: what was being read at that time may be from before the change.
    forgotten: u64,
}

impl Known {
    fn now(&self) -> Kept {
        self.lock().clone()
    }

    /// Keeps what a reading brought; `false` when all was forgotten since it began.
    fn keep(&self, read: Kept) -> bool {
        let mut kept = self.lock();
        let current = kept.forgotten == read.forgotten;
        if current {
            *kept = read;
        }
        current
    }

    fn forget(&self) {
        let mut kept = self.lock();
        *kept = Kept { forgotten: kept.forgotten + 1, stamp: kept.stamp.take(), tables: Arc::default() };
    }

    /// Forgets all when this is another stamp than before, or none: then nobody knows. Answers whether it did.
    fn stamped(&self, stamp: Option<String>) -> bool {
        let mut kept = self.lock();
        let same = stamp.is_some() && kept.stamp == stamp;
        if !same {
            *kept = Kept { forgotten: kept.forgotten + 1, stamp, tables: Arc::default() };
        }
        !same
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Words> Client<W> {
    /// The definitions of these tables, with others perhaps; read when they are not known yet.
    pub(crate) async fn metadata(&self, tables: &[&str]) -> Result<Arc<Metadata>, Fault> {
        let known = self.known.now().tables;
        if missing(&known, tables).is_empty() {
            return Ok(known);
        }
        let _turn = self.known.turn.lock().await;
        let mut overtaken = 0;
        loop {
            let Kept { tables: known, stamp, forgotten } = self.known.now();
            let wanted = missing(&known, tables);
            let mut more = Metadata::clone(&known);
            for defined in self.words.define(&wanted).await? {
                add(&mut more, defined);
            }
            let more = Arc::new(more);
            if self.known.keep(Kept { tables: Arc::clone(&more), stamp, forgotten }) || overtaken == OVERTAKEN
            {
                return Ok(more);
            }
            overtaken += 1;
        }
    }

    /// Forgets the definitions when the server has others by now; answers whether it did.
    pub(super) async fn refresh(&self) -> Result<bool, Fault> {
        Ok(self.known.stamped(self.words.stamp().await?))
    }

    /// The definitions of these tables alone, of all when none is named, with everything that the server says of them now.
    pub(super) async fn described(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        if tables.is_empty() {
            let mut all = Metadata::default();
            self.words.define_all().await?.into_iter().for_each(|defined| add(&mut all, defined));
            let names: Vec<String> = all.tables.iter().map(|table| table.logical_name.clone()).collect();
            self.words.complete(&mut all, &names).await?;
            return Ok(all);
        }
        self.refresh().await?;
        let mut found = Metadata::clone(&*self.metadata(tables).await?);
        let named = |name: &String| tables.contains(&name.as_str());
        found.one_to_many.retain(|one| named(&one.referenced_table) || named(&one.referencing_table));
        found.many_to_many.retain(|many| named(&many.first.table) || named(&many.second.table));
        found.tables.retain(|table| named(&table.logical_name));
        let names: Vec<String> = tables.iter().map(|name| (*name).to_owned()).collect();
        self.words.complete(&mut found, &names).await?;
        Ok(found)
    }

    /// Definitions have changed, it seems: they are read again when they are needed.
    pub(crate) fn forget_definitions(&self) {
        self.known.forget();
    }

    /// What this organisation takes no attachments of; asked once, and again when it refuses one. A user who may not read that
    /// files mail all the same.
    pub(crate) async fn limits(&self) -> Result<Arc<Limits>, Fault> {
        let known = self.kept_limits().clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let limits = match ask(self).await {
            Err(fault) if fault.verdict == Verdict::Reject => {
                tracing::warn!(
                    event = "crm.no_limits",
                    "Which attachments the CRM takes may not be read (prvReadOrganization): all are tried: {fault}"
                );
                Limits::default()
            }
            limits => limits?,
        };
        let limits = Arc::new(limits);
        *self.kept_limits() = Some(Arc::clone(&limits));
        Ok(limits)
    }

    pub(crate) fn forget_limits(&self) {
        *self.kept_limits() = None;
    }

    fn kept_limits(&self) -> MutexGuard<'_, Option<Arc<Limits>>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tables that are not known, each once.
fn missing(known: &Metadata, tables: &[&str]) -> Vec<String> {
    let unknown = tables.iter().filter(|name| known.table(name).is_none());
    let mut missing: Vec<String> = unknown.map(|name| (*name).to_owned()).collect();
    missing.sort();
    missing.dedup();
    missing
}

/// Adds a table to what is known; one that is known already is replaced.
fn add(known: &mut Metadata, (table, one_to_many, many_to_many): Defined) {
    known.tables.retain(|other| other.logical_name != table.logical_name);
    known.tables.push(table);
    for one in one_to_many {
        let same = |known: &postroom_core::metadata::OneToMany| {
            known.schema_name == one.schema_name && known.referencing_table == one.referencing_table
        };
        if !known.one_to_many.iter().any(same) {
            known.one_to_many.push(one);
        }
    }
    for many in many_to_many {
        if !known.many_to_many.iter().any(|known| known.schema_name == many.schema_name) {
            known.many_to_many.push(many);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let known = Known::default();
        let read = known.now();
        assert!(known.keep(read.clone()));
        known.forget();
        assert!(!known.keep(read), "a reading from before");
        assert!(known.keep(known.now()));
    }

    #[test]
    fn another_stamp_forgets() {
        let known = Known::default();
        let stamped = |stamp: &str| known.stamped(Some(stamp.to_owned()));
        assert!(stamped("1") && !stamped("1"));
        let read = known.now();
        known.forget();
        assert!(!stamped("1"), "what was forgotten is read again anyhow");
        assert!(stamped("2") && !known.keep(read));
        assert!(known.stamped(None) && known.stamped(None), "a server without stamps is asked each time");
    }
}
