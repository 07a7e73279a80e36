//! A filter over rows in memory, read as it is written.

use std::collections::HashMap;

use postroom_core::query::Comparison;
use postroom_core::{Crm, Filter, Query, Record, Value};
use postroom_embedded::schema::Schema;
use uuid::Uuid;

use crate::bench::Bench;

/// All rows of some tables.
pub struct World {
    rows: HashMap<String, Vec<Record>>,
    keys: HashMap<String, String>,
}

impl World {
    pub async fn read(bench: &Bench, tables: &[&str]) -> World {
        let schema: std::sync::Arc<Schema> = bench.crm.schema().await.unwrap();
        let mut world = World { rows: HashMap::new(), keys: HashMap::new() };
        for name in tables {
            world.keys.insert((*name).into(), schema.table(name).unwrap().primary_key.clone());
            world.rows.insert((*name).into(), bench.crm.query(&Query::of(*name)).await.unwrap());
        }
        world
    }

    /// The ids of the rows that satisfy a filter; `None` is all.
    pub fn matching(&self, table: &str, filter: Option<&Filter>) -> Vec<Uuid> {
        let fits = |row: &&Record| filter.is_none_or(|filter| self.fits(table, row, filter));
        self.rows[table].iter().filter(fits).map(|row| row.at.id).collect()
    }

    fn fits(&self, table: &str, row: &Record, filter: &Filter) -> bool {
        match filter {
            Filter::All(parts) => parts.iter().all(|part| self.fits(table, row, part)),
            Filter::Any(parts) => parts.iter().any(|part| self.fits(table, row, part)),
            Filter::In(column, values) => values.contains(&self.value(table, row, column)),
            Filter::Compare(column, Comparison::Eq, value) => self.value(table, row, column) == *value,
            Filter::Linked(link) => {
                let own = self.value(table, row, &link.to);
                let joined = |other: &Record| {
                    own != Value::Null
                        && self.value(&link.table, other, &link.from) == own
                        && self.fits(&link.table, other, &link.filter)
                };
                self.rows[&link.table].iter().any(joined)
            }
            other => panic!("no filter of rights has {other:?}"),
        }
    }

    fn value(&self, table: &str, row: &Record, column: &str) -> Value {
        if self.keys[table] == column {
            return Value::Guid(row.at.id);
        }
        match row.get(column) {
            Some(Value::Lookup(at)) => Value::Guid(at.id),
            Some(value) => value.clone(),
            None => Value::Null,
        }
    }
}
