//! FetchXML: the platform's query language, read into and written from [`postroom_core::query`].
//!
//! * Values stay text: only the make knows a column's type.
//! * Negations are SQL's: a null satisfies neither `ne` nor `not-like`, `not-in`, `not-between`. They stand as
//!   [`Filter::Not`](postroom_core::query::Filter::Not) or `Comparison::Ne`.
//! * A link without an alias gets the table's name and the link's number in the query, as the platform's own: `account1`.
//! * An empty filter is no filter, whatever its type.
//!
//! Not here: which columns and tables there are, what an operator means, rights. Source: dataverse.md A10, the element
//! reference of FetchXML.

mod conditions;
mod cookie;
mod read;
mod write;

use postroom_core::query::Query;

pub(crate) use conditions::{Form, opposite_of};
pub use cookie::{Cookie, Key, from_annotation};
pub use read::parse;
pub(crate) use read::{Linked, all, joined, name_links};
pub use write::write;

use crate::xml;

/// A query with what FetchXML says beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetch {
    pub query: Query,
    /// From 1.
    pub page: u32,
    /// Rows in a page; `None` is the server's own size.
    pub count: Option<u32>,
    /// The paging cookie as it was answered with the page before: see [`Cookie`].
    pub cookie: Option<String>,
    /// `returntotalrecordcount`.
    pub total: bool,
    pub aggregate: bool,
    pub distinct: bool,
    /// Columns that are answered under another name, as aliased values: column (with its link's alias), name.
    pub renamed: Vec<(String, String)>,
}

impl Fetch {
    /// The first page of a query.
    pub fn of(query: Query) -> Self {
        Fetch {
            page: 1,
            count: None,
            cookie: None,
            total: false,
            aggregate: query.computes(),
            distinct: query.distinct,
            renamed: Vec::new(),
            query,
        }
    }
}

/// Why a text is not a query, or a query not FetchXML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the FetchXML cannot be read: {0}")]
    Xml(#[from] xml::Error),
    #[error("the FetchXML has <{found}> where <{wanted}> must stand")]
    Element { found: String, wanted: &'static str },
    #[error("<{element}> has no attribute {attribute:?}; add it")]
    Missing { element: &'static str, attribute: &'static str },
    #[error("{value:?} is no {attribute} in FetchXML")]
    Value { attribute: &'static str, value: String },
    #[error("the condition on {column:?} takes {wanted} with its operator, not {found}")]
    Values { column: String, wanted: &'static str, found: usize },
    #[error("the alias {0:?} stands twice; aliases are unlike each other")]
    Alias(String),
    #[error("FetchXML cannot say this: {0}")]
    Unsupported(String),
    #[error("the query has more than {0} links or conditions; make it smaller")]
    Large(usize),
}

/// Links, and conditions, that one query may have. The platform's own limits are 15 links and 500 conditions.
pub(crate) const LINKS: usize = 100;
pub(crate) const CONDITIONS: usize = 5_000;
