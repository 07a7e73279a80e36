//! Conditions: comparisons, text searches and lambdas.

use postroom_core::metadata::{ColumnKind, TableInfo};
use postroom_core::query::{Comparison, Join, Link};
use postroom_core::{Filter, Value};

use super::relation::{Relation, navigation};
use super::scope::{Resolver, Scope};
use super::table_of;
use super::value::{Strictness, fitting};
use crate::odata::Error;
use crate::odata::options::{Expr, Literal, Match, Operand, Sign};

impl<'m> Resolver<'m> {
    /// A condition on the scope's rows. As deep as the expression, whose depth the parser has bounded.
    pub(super) fn condition(&mut self, scope: &mut Scope<'m>, expr: &Expr) -> Result<Filter, Error> {
        let mut each = |parts: &[Expr]| -> Result<Vec<Filter>, Error> {
            parts.iter().map(|part| self.condition(scope, part)).collect()
        };
        match expr {
            Expr::And(parts) => Ok(Filter::All(each(parts)?)),
            Expr::Or(parts) => Ok(Filter::Any(each(parts)?)),
            Expr::Not(inner) => Ok(Filter::Not(Box::new(self.condition(scope, inner)?))),
            Expr::Compare(left, sign, right) => self.compare(scope, left, *sign, right),
            Expr::Is(Operand::Literal(Literal::Bool(true))) => Ok(Filter::All(Vec::new())),
            Expr::Is(Operand::Literal(_)) => Ok(Filter::Any(Vec::new())),
            Expr::Is(path) => self.compare(scope, path, Sign::Eq, &Operand::Literal(Literal::Bool(true))),
            Expr::Match { how, subject, pattern } => self.search(scope, *how, subject, pattern),
            Expr::Function { path, name, parameters } => {
                if !scope.inside(path)?.is_empty() {
                    let what = "A query function stands alone or behind a lambda's variable; its PropertyName may be a path.";
                    return Err(Error::bad(what));
                }
                self.function(scope, name, parameters)
            }
            Expr::Lambda { path, all, variable, body } => {
                self.lambda(scope, path, *all, variable, body.as_deref())
            }
        }
    }

    fn compare(
        &mut self,
        scope: &mut Scope<'m>,
        left: &Operand,
        sign: Sign,
        right: &Operand,
    ) -> Result<Filter, Error> {
        let (path, sign, literal) = match (left, right) {
            (Operand::Path(left), Operand::Path(right)) => {
                let (left, right) = (self.column(scope, left)?, self.column(scope, right)?);
                return Ok(Filter::Columns(left.name, comparison(sign), right.name));
            }
            (Operand::Path(path), Operand::Literal(literal)) => (path, sign, literal),
            (Operand::Literal(literal), Operand::Path(path)) => (path, turned(sign), literal),
            (Operand::Literal(_), Operand::Literal(_)) => {
                return Err(Error::bad(
                    "A comparison of two constants is not supported: one side is a property.",
                ));
            }
        };
        let column = self.column(scope, path)?;
        match (fitting(column.info, literal, Strictness::Typed)?, sign) {
            (Value::Null, Sign::Eq) => Ok(Filter::Null(column.name)),
            (Value::Null, Sign::Ne) => Ok(Filter::Not(Box::new(Filter::Null(column.name)))),
            // OData 4.0 part 2, section 5.1.1.1: nothing is more or less than null.
            (Value::Null, _) => Ok(Filter::Any(Vec::new())),
            (value, sign) => Ok(Filter::Compare(column.name, comparison(sign), value)),
        }
    }

    fn search(
        &mut self,
        scope: &mut Scope<'m>,
        how: Match,
        subject: &Operand,
        pattern: &Operand,
    ) -> Result<Filter, Error> {
        let (Operand::Path(path), Operand::Literal(Literal::Text(text))) = (subject, pattern) else {
            return Err(no_signature(how));
        };
        let column = self.column(scope, path)?;
        let is_text = matches!(
            column.info.kind,
            ColumnKind::String { .. } | ColumnKind::Memo { .. } | ColumnKind::EntityName
        );
        match is_text {
            true => Ok(matching(column.name, how, text)),
            false => Err(no_signature(how)),
        }
    }

    fn lambda(
        &mut self,
        scope: &mut Scope<'m>,
        path: &[String],
        all: bool,
        variable: &str,
        body: Option<&Expr>,
    ) -> Result<Filter, Error> {
        let path = scope.inside(path)?;
        let (join, table) = (if all { Join::NotAny } else { Join::Any }, scope.table);
        self.step(table, path, 0, join, &mut |resolver, table| {
            let mut inner = Scope { variable: Some(variable.to_owned()), ..Scope::new(table) };
            let body = body.map(|body| resolver.condition(&mut inner, body)).transpose()?;
            let filter = match (all, body) {
                (_, None) => Filter::All(Vec::new()),
                (false, Some(body)) => body,
                // Everything is so when nothing is otherwise.
                (true, Some(body)) => Filter::Not(Box::new(body)),
            };
            Ok((filter, inner.links))
        })
    }

    /// One name of a lambda's path; the last is a collection, those before it single rows. `NotAny` belongs to the first:
    /// there is no way along the path to a row that the body finds.
    fn step(
        &mut self,
        table: &'m TableInfo,
        path: &[String],
        at: usize,
        join: Join,
        body: Body<'_, 'm>,
    ) -> Result<Filter, Error> {
        let name =
            path.get(at).ok_or_else(|| Error::bad("any and all stand behind a collection of rows."))?;
        let relation = navigation(self.metadata, &table.logical_name, name)
            .ok_or_else(|| Error::no_property(name, &table.logical_name))?;
        let (last, target) = (at + 1 == path.len(), table_of(self.metadata, relation.target())?);
        if last == relation.single() || path.len() > 10 {
            return Err(Error::bad(format!(
                "'{name}' must be followed by {}.",
                if last { "a collection" } else { "any or all" }
            )));
        }
        let alias = self.alias(&path[..=at])?;
        let link = match &relation {
            Relation::ManyToOne(r) => {
                Link::new(&target.logical_name, &r.referenced_column, &r.referencing_column, alias)
            }
            Relation::OneToMany(r) => {
                Link::new(&target.logical_name, &r.referencing_column, &r.referenced_column, alias)
            }
            Relation::ManyToMany { relation, near, far } => {
                let far_alias = self.alias(&[alias.clone(), far.table.clone()])?;
                let (filter, links) = body(self, target)?;
                let mut rows =
                    Link::new(&far.table, &target.primary_id, &far.column, far_alias).join(Join::Any);
                (rows.filter, rows.links) = (filter, links);
                let pairs = Link::new(&relation.intersect_table, &near.column, &table.primary_id, alias);
                return Ok(Filter::Linked(Box::new(pairs.join(join).filter(Filter::Linked(Box::new(rows))))));
            }
        };
        let mut link = link.join(join);
        if last {
            (link.filter, link.links) = body(self, target)?;
        } else {
            link.filter = self.step(target, path, at + 1, Join::Any, body)?;
        }
        Ok(Filter::Linked(Box::new(link)))
    }
}

/// Makes a lambda's body on the table it is about.
type Body<'b, 'm> = &'b mut dyn FnMut(&mut Resolver<'m>, &'m TableInfo) -> Result<(Filter, Vec<Link>), Error>;

/// `contains` and its like take LIKE's wildcards (dataverse.md A7).
pub(super) fn matching(column: String, how: Match, text: &str) -> Filter {
    let pattern = text.contains(['%', '_', '[']);
    let compare = |comparison| Filter::Compare(column.clone(), comparison, Value::text(text));
    match (how, pattern) {
        (Match::Contains, false) => compare(Comparison::Contains),
        (Match::StartsWith, false) => compare(Comparison::StartsWith),
        (Match::EndsWith, false) => compare(Comparison::EndsWith),
        (Match::Contains, true) => Filter::Like(column, format!("%{text}%")),
        (Match::StartsWith, true) => Filter::Like(column, format!("{text}%")),
        (Match::EndsWith, true) => Filter::Like(column, format!("%{text}")),
    }
}

fn comparison(sign: Sign) -> Comparison {
    match sign {
        Sign::Eq => Comparison::Eq,
        Sign::Ne => Comparison::Ne,
        Sign::Gt => Comparison::Gt,
        Sign::Ge => Comparison::Ge,
        Sign::Lt => Comparison::Lt,
        Sign::Le => Comparison::Le,
    }
}

/// The same seen from the other side.
fn turned(sign: Sign) -> Sign {
    match sign {
        Sign::Gt => Sign::Lt,
        Sign::Ge => Sign::Le,
        Sign::Lt => Sign::Gt,
        Sign::Le => Sign::Ge,
        same => same,
    }
}

fn no_signature(how: Match) -> Error {
    let name = match how {
        Match::Contains => "contains",
        Match::StartsWith => "startswith",
        Match::EndsWith => "endswith",
    };
    Error::bad(format!(
        "No function signature for the function with name '{name}' matches the specified arguments. The function signatures \
         considered are: {name}(Edm.String Nullable=true, Edm.String Nullable=true)."
    ))
}
