//! Definitions made, changed and deleted at run time. Each call is one durable unit (`crm.shape`), all or nothing; every
//! process knows it at its next unit. Refusals are [`Refusal`](crate::Refusal)s with a [`Problem`](super::Problem) inside;
//! a [`Fault`](postroom_core::Fault) can be made of every [`Failure`].
//!
//! Entity sets, type codes and `MetadataId`s stay what they were at first.

use futures_util::FutureExt;
use postroom_core::metadata::{ColumnInfo, KeyInfo, Label, ManyToMany, OneToMany, OptionSet, TableInfo};
use postroom_core::{Crm, Query, RecordRef, Value};

use super::{Options, change, key_of, key_query, links, options};
use crate::Embedded;
use crate::failure::Failure;
use crate::rules::Refusal;
use crate::schema::Schema;
use crate::schema::registry::{self, Revision};

impl Embedded {
    pub(super) async fn revise<T, F>(&self, plan: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Schema) -> Result<(Revision, T), Refusal> + Send + 'static,
    {
        self.shape(move |tx| registry::revise(tx, plan).boxed()).await
    }

    async fn revised<F>(&self, plan: F) -> Result<(), Failure>
    where
        F: FnOnce(&Schema) -> Result<Revision, Refusal> + Send + 'static,
    {
        self.revise(|schema| Ok((plan(schema)?, ()))).await
    }

    /// Makes tables. One text column of each is the primary name; key, owner, state, status, audit columns and version come
    /// by themselves; an activity has the columns of all activities. Logical names follow from schema names.
    pub async fn create_tables(&self, tables: Vec<TableInfo>) -> Result<(), Failure> {
        self.revised(move |schema| change::create_tables(schema, &tables)).await
    }

    /// Takes over labels, descriptions and change tracking; notes and activities can be allowed, not forbidden again.
    pub async fn update_table(&self, table: TableInfo) -> Result<(), Failure> {
        self.revised(move |schema| change::update_table(schema, &table)).await
    }

    /// Drops a table made at run time with its rows. Lookups that would lose their link with a deleted row (RemoveLink)
    /// lose this table, and go with it when they named no other; any other lookup that names it refuses. Its
    /// many-to-many relationships go.
    pub async fn delete_table(&self, table: &str) -> Result<(), Failure> {
        let table = table.to_owned();
        self.revised(move |schema| change::delete_table(schema, &table)).await
    }

    /// Adds a column. A lookup gets a relationship for each of its tables.
    pub async fn add_column(&self, table: &str, column: ColumnInfo) -> Result<(), Failure> {
        let table = table.to_owned();
        self.revised(move |schema| change::add_column(schema, &table, &column)).await
    }

    /// Takes over labels, description, requirement, security, bounds and default; a text may grow. The type stays.
    pub async fn update_column(&self, table: &str, column: ColumnInfo) -> Result<(), Failure> {
        let table = table.to_owned();
        self.revised(move |schema| change::update_column(schema, &table, &column)).await
    }

    /// Drops a column made at run time with what it holds; one in a key is refused.
    pub async fn delete_column(&self, table: &str, column: &str) -> Result<(), Failure> {
        let (table, column) = (table.to_owned(), column.to_owned());
        self.revised(move |schema| change::delete_column(schema, &table, &column)).await
    }

    /// Makes a lookup with its relationship, or lets a lookup that is there name one more table.
    pub async fn create_relationship(&self, relation: OneToMany, lookup: ColumnInfo) -> Result<(), Failure> {
        self.revised(move |schema| links::create(schema, &[relation], &lookup)).await
    }

    /// Makes a lookup that names several tables, with a relationship for each.
    pub async fn create_relationships(
        &self,
        relations: Vec<OneToMany>,
        lookup: ColumnInfo,
    ) -> Result<(), Failure> {
        self.revised(move |schema| links::create(schema, &relations, &lookup)).await
    }

    /// Takes over what a relationship made at run time does with rows when those they name are deleted, shared and so on.
    pub async fn update_relationship(&self, relation: OneToMany) -> Result<(), Failure> {
        self.revised(move |schema| links::update(schema, &relation)).await
    }

    /// Makes the table of pairs of a many-to-many relationship.
    pub async fn create_many_to_many(&self, relation: ManyToMany) -> Result<(), Failure> {
        self.revised(move |schema| links::create_pairs(schema, &relation)).await
    }

    /// Deletes a relationship made at run time, of either kind, by its schema name.
    pub async fn delete_relationship(&self, schema_name: &str) -> Result<(), Failure> {
        let name = schema_name.to_owned();
        self.revised(move |schema| links::delete(schema, &name)).await
    }

    /// Makes an alternate key; rows that have the same values already refuse it.
    pub async fn create_key(&self, table: &str, key: KeyInfo) -> Result<(), Failure> {
        let table = table.to_owned();
        self.revised(move |schema| change::create_key(schema, &table, &key)).await
    }

    pub async fn delete_key(&self, table: &str, key: &str) -> Result<(), Failure> {
        let (table, key) = (table.to_owned(), key.to_owned());
        self.revised(move |schema| change::delete_key(schema, &table, &key)).await
    }

    pub async fn create_option_set(&self, set: OptionSet) -> Result<(), Failure> {
        self.revised(move |schema| options::create(schema, &set)).await
    }

    /// Takes over label and description.
    pub async fn update_option_set(&self, set: OptionSet) -> Result<(), Failure> {
        self.revised(move |schema| options::update(schema, &set)).await
    }

    /// Deletes a global option set that no column follows.
    pub async fn delete_option_set(&self, name: &str) -> Result<(), Failure> {
        let name = name.to_owned();
        self.revised(move |schema| options::delete(schema, &name)).await
    }

    /// Adds an option; without a value it gets the next. Answers the value.
    pub async fn insert_option_value(
        &self,
        of: Options,
        value: Option<i32>,
        label: Label,
    ) -> Result<i32, Failure> {
        self.revise(move |schema| options::insert(schema, &of, value, &label, None)).await
    }

    /// Adds a status to one of the table's states. Answers its value.
    pub async fn insert_status_value(
        &self,
        table: &str,
        value: Option<i32>,
        label: Label,
        state: i32,
    ) -> Result<i32, Failure> {
        let of = Options::Column { table: table.to_owned(), column: "statuscode".to_owned() };
        self.revise(move |schema| options::insert(schema, &of, value, &label, Some(state))).await
    }

    pub async fn update_option_value(&self, of: Options, value: i32, label: Label) -> Result<(), Failure> {
        self.revised(move |schema| options::relabel(schema, &of, value, &label)).await
    }

    pub async fn delete_option_value(&self, of: Options, value: i32) -> Result<(), Failure> {
        self.revised(move |schema| options::remove(schema, &of, value)).await
    }

    /// Puts the options into this order; those that are not named stay behind.
    pub async fn order_options(&self, of: Options, values: Vec<i32>) -> Result<(), Failure> {
        self.revised(move |schema| options::order(schema, &of, &values)).await
    }

    /// The row that has these values in the columns of a key. `Err` when the table has no such key.
    pub async fn find_by_key(
        &self,
        table: &str,
        values: &[(String, Value)],
    ) -> Result<Option<RecordRef>, Failure> {
        let described = self.table(table).await?;
        let columns: Vec<&str> = values.iter().map(|(column, _)| column.as_str()).collect();
        let key = key_of(&described, &columns)
            .ok_or_else(|| Refusal::from(super::Problem::missing("key over", &columns.join(", "))))?;
        let of =
            |column: &str| values.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone());
        let query: Option<Query> = key_query(&described, key, of);
        let Some(query) = query else { return Ok(None) };
        Ok(self.query(&query).await?.into_iter().next().map(|row| row.at))
    }
}
