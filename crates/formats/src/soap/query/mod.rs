//! Queries in their three forms on this wire: `QueryExpression`, `FetchExpression` and `QueryByAttribute`.
//!
//! All three become a [`Fetch`]: the query tree with its page. `Count` 0 and `PageNumber` 0 are what the SDK sends when
//! nobody said anything: the first page, of the server's size. Source: dataverse.md E4, protocol-annex.md 2.

mod read;
mod write;

use super::names::{ARRAYS, XRM};
use super::value::boolean;
use super::{Error, missing};
use crate::fetchxml::{self, Fetch};
use crate::xml::Element;

/// How a query is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Expression,
    Fetch,
    ByAttribute,
}

/// A query with the element that says it, so that what cannot be said is refused when it is made, not when it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct AnyQuery {
    form: Form,
    fetch: Fetch,
    members: Vec<Element>,
}

impl AnyQuery {
    /// A `QueryExpression`. Refused: what it has no words for, such as renamed columns.
    pub fn expression(fetch: Fetch) -> Result<Self, Error> {
        let members = write::expression(&fetch)?;
        Ok(AnyQuery { form: Form::Expression, fetch, members })
    }

    /// A `FetchExpression`.
    pub fn fetch_expression(fetch: Fetch) -> Result<Self, Error> {
        let members = vec![Element::leaf(XRM, "Query", fetchxml::write(&fetch)?)];
        Ok(AnyQuery { form: Form::Fetch, fetch, members })
    }

    /// A `QueryByAttribute`: columns that equal values, nothing else.
    pub fn by_attribute(fetch: Fetch) -> Result<Self, Error> {
        let members = write::by_attribute(&fetch)?;
        Ok(AnyQuery { form: Form::ByAttribute, fetch, members })
    }

    pub fn form(&self) -> Form {
        self.form
    }

    /// The query and its page.
    pub fn get(&self) -> &Fetch {
        &self.fetch
    }

    pub fn into_fetch(self) -> Fetch {
        self.fetch
    }

    /// Reads a query by its type.
    pub fn read(at: &Element) -> Result<Self, Error> {
        let kind = at.kind.as_ref().map_or("QueryExpression", |kind| kind.local.as_str());
        let (form, fetch) = match kind {
            "FetchExpression" => {
                let text = at.child("Query").ok_or_else(|| missing("Query"))?;
                (Form::Fetch, fetchxml::parse(&text.text)?)
            }
            "QueryByAttribute" => (Form::ByAttribute, read::by_attribute(at)?),
            "QueryExpression" => (Form::Expression, read::expression(at)?),
            other => return Err(super::wrong("a query", other)),
        };
        Ok(AnyQuery { form, fetch, members: at.children.clone() })
    }

    pub(crate) fn fill(&self, at: Element) -> Element {
        let kind = match self.form {
            Form::Expression => "QueryExpression",
            Form::Fetch => "FetchExpression",
            Form::ByAttribute => "QueryByAttribute",
        };
        at.kind(XRM, kind).with_all(self.members.iter().cloned())
    }
}

/// Which columns of a row are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnSet {
    pub all: bool,
    pub columns: Vec<String>,
}

impl ColumnSet {
    /// `None` is every column.
    pub fn of(columns: Option<&[String]>) -> Self {
        ColumnSet { all: columns.is_none(), columns: columns.unwrap_or_default().to_vec() }
    }

    /// `None` is every column.
    pub fn into_columns(self) -> Option<Vec<String>> {
        (!self.all).then_some(self.columns)
    }

    pub fn read(at: &Element) -> Result<Self, Error> {
        let all = at.text_of("AllColumns").filter(|text| !text.is_empty()).map_or(Ok(false), boolean)?;
        let columns = at.child("Columns").map(|columns| &*columns.children).unwrap_or_default();
        Ok(ColumnSet { all, columns: columns.iter().map(|column| column.text.trim().to_owned()).collect() })
    }

    pub(crate) fn members(&self) -> Vec<Element> {
        vec![Element::leaf(XRM, "AllColumns", self.all.to_string()), strings("Columns", &self.columns)]
    }
}

fn strings(name: &'static str, texts: &[String]) -> Element {
    let texts = texts.iter().map(|text| Element::leaf(ARRAYS, "string", text.as_str()));
    Element::new(XRM, name).declare(ARRAYS).with_all(texts)
}

/// `JoinOperator` and FetchXML's `link-type`, in the order of the enumeration's numbers. Of two names for one join the first
/// is written.
pub const JOINS: &[(&str, &str)] = &[
    ("Inner", "inner"),
    ("LeftOuter", "outer"),
    ("Natural", "natural"),
    ("MatchFirstRowUsingCrossApply", "matchfirstrowusingcrossapply"),
    ("In", "in"),
    ("Exists", "exists"),
    ("Any", "any"),
    ("NotAny", "not any"),
    ("All", "all"),
    ("NotAll", "not all"),
];

/// `AggregateType` and FetchXML's `aggregate`.
const AGGREGATES: &[(&str, &str)] = &[
    ("Count", "count"),
    ("CountColumn", "countcolumn"),
    ("Sum", "sum"),
    ("Avg", "avg"),
    ("Min", "min"),
    ("Max", "max"),
];
