//! Which table an alias means, and joins. In the statement the tables are `t0`, `t1`, …: aliases of queries come from
//! outside and may be anything.

use postroom_core::query::{Join, Link};
use postroom_store::sql::{
    Expr, ExprTrait, JoinType, Keyword, Order, Query as Sql, SelectStatement, UnionType,
};

use super::{Frame, filter, readable};
use crate::rules::Refusal;
use crate::schema::{Kind, Schema, Table, shape};

/// The tables of a statement by their aliases; the first is the one asked for.
pub(super) struct Scope<'s> {
    tables: Vec<(String, &'s Table)>,
    /// Of the statement around this one: numbers go on from here.
    outer: usize,
}

impl<'s> Scope<'s> {
    pub(super) fn new(root: &'s Table) -> Self {
        Scope { tables: vec![(String::new(), root)], outer: 0 }
    }

    /// A scope for a statement within another one, beginning with this link's table.
    pub(super) fn within(outer: &Scope, root: &'s Table, alias: &str) -> Self {
        Scope { tables: vec![(alias.to_owned(), root)], outer: outer.outer + outer.tables.len() }
    }

    pub(super) fn table(&self, at: usize) -> &'s Table {
        self.tables[at].1
    }

    /// The alias in the query; empty for the table asked for.
    pub(super) fn alias(&self, at: usize) -> &str {
        &self.tables[at].0
    }

    /// The alias in the statement.
    pub(super) fn sql(&self, at: usize) -> String {
        format!("t{}", self.outer + at)
    }

    pub(super) fn find(&self, alias: &str) -> Option<usize> {
        self.tables.iter().position(|(name, _)| name == alias)
    }

    /// What a name means for one who stands at `here`: `column`, or `alias.column`.
    pub(super) fn resolve(&self, here: usize, name: &str) -> Result<(usize, usize), Refusal> {
        let (at, column) = match name.split_once('.') {
            Some((alias, column)) => (self.find(alias).ok_or_else(|| unknown_alias(alias))?, column),
            None => (here, name),
        };
        Ok((at, readable(self.table(at), column)?))
    }

    /// A cell of one of the tables.
    pub(super) fn cell(&self, at: usize, cell: impl Into<String>) -> Expr {
        Expr::col((self.sql(at), cell.into()))
    }

    pub(super) fn from(&self, select: &mut SelectStatement, schema: &Schema) {
        let table = self.table(0);
        match view(schema, table) {
            Some(view) => select.from_subquery(view, self.sql(0)),
            None => select.from_as(table.storage(), self.sql(0)),
        };
    }

    /// Joins links that hang on the table at `parent`, and those that hang on them.
    pub(super) fn join_all(
        &mut self,
        select: &mut SelectStatement,
        frame: &Frame<'s>,
        parent: usize,
        links: &[Link],
    ) -> Result<(), Refusal> {
        for link in links {
            match link.join {
                Join::Any | Join::NotAny => {
                    select.and_where(filter::linked(frame, self, parent, link)?);
                }
                Join::Inner | Join::Outer | Join::First => self.join(select, frame, parent, link)?,
            }
        }
        Ok(())
    }

    fn join(
        &mut self,
        select: &mut SelectStatement,
        frame: &Frame<'s>,
        parent: usize,
        link: &Link,
    ) -> Result<(), Refusal> {
        if self.find(&link.alias).is_some() {
            return Err(unknown_alias(&link.alias));
        }
        let table = frame.schema.table(&link.table)?;
        self.tables.push((link.alias.clone(), table));
        let at = self.tables.len() - 1;
        let mut on = match link.join {
            Join::First => self.first(frame, parent, at, link)?,
            _ => self.meets(at, parent, link)?,
        };
        on = on.and(filter::translate(frame, self, at, &link.filter)?);
        if let Some(visible) = filter::visible(frame, self, at, table)? {
            on = on.and(visible);
        }
        let kind = if link.join == Join::Outer { JoinType::LeftJoin } else { JoinType::InnerJoin };
        match view(frame.schema, table) {
            Some(view) => select.join_subquery(kind, view, self.sql(at), on),
            None => select.join_as(kind, table.storage(), self.sql(at), on),
        };
        self.join_all(select, frame, at, &link.links)
    }

    /// The row is the one with the lowest key of those that could be joined.
    fn first(&self, frame: &Frame<'s>, parent: usize, at: usize, link: &Link) -> Result<Expr, Refusal> {
        let table = self.table(at);
        let key = |scope: &Scope, at: usize| scope.cell(at, table.primary_key.clone());
        let mut scope = Scope::within(self, table, &link.alias);
        let mut select = Sql::select();
        select.expr(key(&scope, 0));
        scope.from(&mut select, frame.schema);
        select.and_where(scope.meets_outer(self, parent, link)?);
        scope.join_all(&mut select, frame, 0, &link.links)?;
        select.and_where(filter::translate(frame, &scope, 0, &link.filter)?);
        if let Some(visible) = filter::visible(frame, &scope, 0, table)? {
            select.and_where(visible);
        }
        select.order_by_expr(key(&scope, 0), Order::Asc).limit(1);
        Ok(key(self, at).eq(Expr::SubQuery(None, Box::new(select.into()))))
    }

    /// `table.from = parent.to`. Where a lookup may name several tables, it must name the other one.
    fn meets(&self, at: usize, parent: usize, link: &Link) -> Result<Expr, Refusal> {
        let from = readable(self.table(at), &link.from)?;
        let to = readable(self.table(parent), &link.to)?;
        Ok(meeting((self, at, from), (self, parent, to)))
    }

    /// The same for a statement within another one.
    pub(super) fn meets_outer(&self, outer: &Scope, parent: usize, link: &Link) -> Result<Expr, Refusal> {
        let from = readable(self.table(0), &link.from)?;
        let to = readable(outer.table(parent), &link.to)?;
        Ok(meeting((self, 0, from), (outer, parent, to)))
    }
}

type Place<'a> = (&'a Scope<'a>, usize, usize);

fn meeting(left: Place, right: Place) -> Expr {
    let cell = |(scope, at, place): Place| scope.cell(at, scope.table(at).columns[place].name.clone());
    let mut on = cell(left).eq(cell(right));
    for (this, other) in [(left, right), (right, left)] {
        let (scope, at, place) = this;
        let column = &scope.table(at).columns[place];
        let target = other.0.table(other.1);
        let names_key = target.columns[other.2].kind == Kind::Id;
        if column.kind == Kind::Lookup
            && column.targets.several()
            && names_key
            && !VIEWS.contains(&target.name.as_str())
        {
            on = on.and(scope.cell(at, format!("{}_type", column.name)).eq(target.name.clone()));
        }
    }
    on
}

fn unknown_alias(alias: &str) -> Refusal {
    Refusal::Alias(alias.chars().take(80).collect())
}

/// Tables without rows of their own: they show those of others.
const VIEWS: [&str; 2] = ["activitypointer", "owner"];

fn view(schema: &Schema, table: &Table) -> Option<SelectStatement> {
    match table.name.as_str() {
        "activitypointer" => Some(all_activities(schema, table)),
        "owner" => Some(all_owners(table)),
        _ => None,
    }
}

/// `owner` shows users and teams, by their type codes.
fn all_owners(owner: &Table) -> SelectStatement {
    let part = |table: &str, id: &str, name: &str, code: i64| {
        let mut select = Sql::select();
        for cell in owner.columns.iter().flat_map(shape::cells) {
            let expr = match cell.as_str() {
                "ownerid" => Expr::col(id.to_owned()),
                "name" => Expr::col(name.to_owned()),
                "versionnumber" => Expr::col("versionnumber"),
                "owneridtype" => Expr::val(code).cast_as("bigint"),
                _ => Expr::Keyword(Keyword::Null).cast_as("text"),
            };
            select.expr_as(expr, cell);
        }
        select.from(format!("crm_{table}")).to_owned()
    };
    let mut all = part("systemuser", "systemuserid", "fullname", 8);
    all.union(UnionType::All, part("team", "teamid", "name", 9)).to_owned()
}

/// `activitypointer` shows the rows of every activity table, in the columns that they share.
fn all_activities(schema: &Schema, pointer: &Table) -> SelectStatement {
    let own = part(pointer, pointer);
    let others = schema.activities().filter(|(_, table)| table.name != pointer.name);
    others.fold(own, |mut all, (_, table)| {
        all.union(UnionType::All, part(pointer, table));
        all
    })
}

fn part(pointer: &Table, table: &Table) -> SelectStatement {
    let mut select = Sql::select();
    for column in pointer.columns.iter().filter(|column| column.kind != Kind::PartyList) {
        let own = table.column(&column.name);
        let have = own.map(shape::cells).unwrap_or_default();
        for (place, cell) in shape::cells(column).into_iter().enumerate() {
            let only =
                own.and_then(|own| own.targets.only()).filter(|_| place == 1 && column.kind == Kind::Lookup);
            let expr = match (have.get(place), only) {
                (Some(cell), _) => Expr::col(cell.clone()),
                (None, Some(target)) => Expr::val(target.to_owned()).cast_as("text"),
                (None, None) => Expr::Keyword(Keyword::Null),
            };
            select.expr_as(expr, cell);
        }
    }
    select.from(table.storage());
    select
}
