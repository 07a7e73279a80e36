//! Definitions: asked for by name and kept, until what the server says against a write shows that they have changed.

use std::sync::{Arc, Mutex, PoisonError};

use postroom_core::Fault;
use postroom_core::metadata::Metadata;
use tokio::sync::Mutex as Turn;

use super::{Client, Defined, Words};
use crate::promises::limits::{Limits, ask};

#[derive(Default)]
pub(super) struct Known {
    tables: Mutex<Arc<Metadata>>,
    /// Definitions are read by one task at a time.
    turn: Turn<()>,
}

impl Known {
    fn now(&self) -> Arc<Metadata> {
        Arc::clone(&self.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, metadata: Arc<Metadata>) {
        *self.tables.lock().unwrap_or_else(PoisonError::into_inner) = metadata;
    }
}

impl<W: Words> Client<W> {
    /// The definitions of these tables, with others perhaps; read when they are not known yet.
    pub(crate) async fn metadata(&self, tables: &[&str]) -> Result<Arc<Metadata>, Fault> {
        let known = self.known.now();
        if missing(&known, tables).is_empty() {
            return Ok(known);
        }
        let _turn = self.known.turn.lock().await;
        let known = self.known.now();
        let wanted = missing(&known, tables);
        let mut more = Metadata::clone(&known);
        for defined in self.words.define(&wanted).await? {
            add(&mut more, defined);
        }
        let more = Arc::new(more);
        self.known.set(Arc::clone(&more));
        Ok(more)
    }

    /// The definitions of these tables alone, of all when none is named, with everything that the server says of them.
    pub(super) async fn described(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        if tables.is_empty() {
            let mut all = Metadata::default();
            self.words.define_all().await?.into_iter().for_each(|defined| add(&mut all, defined));
            let names: Vec<String> = all.tables.iter().map(|table| table.logical_name.clone()).collect();
            self.words.complete(&mut all, &names).await?;
            return Ok(all);
        }
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
        self.known.set(Arc::default());
    }

    /// What this organisation takes no attachments of; asked once.
    pub(crate) async fn limits(&self) -> Result<&Limits, Fault> {
        self.limits.get_or_try_init(|| ask(self)).await
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
