//! One query tree: what OData, FetchXML and QueryExpression all mean.
//!
//! Text compares without case, as Dataverse's collation does. A column that is absent or null satisfies only
//! [`Filter::Null`].

use crate::Value;

/// Rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub table: String,
    /// The columns wanted; `None` is all of them.
    pub columns: Option<Vec<String>>,
    pub filter: Filter,
    pub order: Vec<Order>,
    /// At most this many rows; `None` is no limit.
    pub top: Option<u64>,
}

/// Which rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of these; the empty list is true.
    All(Vec<Filter>),
    /// Any of these; the empty list is false.
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Compare(String, Comparison, Value),
    In(String, Vec<Value>),
    Null(String),
}

/// How a column is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    StartsWith,
    EndsWith,
    Contains,
}

/// One sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub column: String,
    pub descending: bool,
}

impl Query {
    /// All rows and columns of a table; narrow it from here.
    pub fn of(table: impl Into<String>) -> Self {
        Query {
            table: table.into(),
            columns: None,
            filter: Filter::All(Vec::new()),
            order: Vec::new(),
            top: None,
        }
    }

    pub fn select(mut self, columns: &[&str]) -> Self {
        self.columns = Some(columns.iter().map(|column| (*column).to_owned()).collect());
        self
    }

    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    pub fn order_by(mut self, column: impl Into<String>, descending: bool) -> Self {
        self.order.push(Order { column: column.into(), descending });
        self
    }

    pub fn top(mut self, rows: u64) -> Self {
        self.top = Some(rows);
        self
    }
}

impl Filter {
    pub fn eq(column: impl Into<String>, value: impl Into<Value>) -> Self {
        Filter::Compare(column.into(), Comparison::Eq, value.into())
    }
}
