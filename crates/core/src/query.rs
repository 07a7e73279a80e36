//! One query tree: what OData, FetchXML and QueryExpression all mean.
//!
//! Text compares without case, as Dataverse's collation does. A column that is absent or null satisfies only
//! [`Filter::Null`] and the operators that say so.
//!
//! **Names.** A column of the table asked for stands by its logical name; one of a linked table as `alias.column`, where the
//! alias is the [`Link`]'s. Logical names have no dots, so the two cannot be mistaken.
//!
//! **Values** may stand as text where the wire has only text (FetchXML); the make brings them into the column's own form and
//! refuses what cannot be.

use crate::Value;

/// Rows of one table, with columns of the tables linked to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub table: String,
    /// The columns wanted; `None` is all of them.
    pub columns: Option<Vec<String>>,
    pub filter: Filter,
    pub order: Vec<Order>,
    /// At most this many rows; `None` is no limit.
    pub top: Option<u64>,
    pub links: Vec<Link>,
    /// What is computed over groups of rows. When this or `groups` is filled, `columns` counts for nothing.
    pub aggregates: Vec<Aggregate>,
    pub groups: Vec<Group>,
    /// Equal rows once. The key of the table is then only answered when `columns` names it.
    pub distinct: bool,
}

/// A table joined to the one it stands in: rows where `table.from` equals the parent's `to` (FetchXML's words).
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    pub table: String,
    /// The column of the linked table.
    pub from: String,
    /// The column of the table it hangs on, without an alias.
    pub to: String,
    /// Unlike every other alias of the query.
    pub alias: String,
    pub join: Join,
    /// The columns answered, as `alias.column`; `None` is all of them.
    pub columns: Option<Vec<String>>,
    /// Names in it without a dot are the linked table's.
    pub filter: Filter,
    pub order: Vec<Order>,
    pub links: Vec<Link>,
}

/// How a link joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    Inner,
    Outer,
    /// As `Inner`, with one linked row of several: the one with the lowest key (FetchXML `matchfirstrowusingcrossapply`).
    First,
    /// Rows of the parent that have a linked row; it answers no columns and doubles no row (OData `any`, FetchXML `any`,
    /// `exists` and `in`).
    Any,
    /// Rows of the parent that have no linked row (FetchXML `not any`).
    NotAny,
}

impl Join {
    /// Whether the linked row's columns are there for the answer; other links only ask whether there is one.
    pub fn answers(self) -> bool {
        match self {
            Join::Inner | Join::Outer | Join::First => true,
            Join::Any | Join::NotAny => false,
        }
    }
}

/// One computed column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// The column; for [`Function::Count`] any.
    pub column: String,
    pub function: Function,
    pub alias: String,
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Rows.
    Count,
    /// Values that are not null.
    CountColumn,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
}

/// One column that rows are grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub column: String,
    pub alias: String,
    /// Groups by a part of a time, in UTC.
    pub part: Option<DatePart>,
}

/// A part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatePart {
    Day,
    Week,
    Month,
    Quarter,
    Year,
    FiscalPeriod,
    FiscalYear,
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
    /// Two columns of one row.
    Columns(String, Comparison, String),
    In(String, Vec<Value>),
    Null(String),
    /// A text pattern with SQL Server's wildcards: `%`, `_`, `[a-c]`, `[^a]`.
    Like(String, String),
    /// What the platform works out itself: dates beside now, the caller, hierarchies, sets of choices.
    Operator(String, Operator, Vec<Value>),
    /// Rows that have (or have not) linked rows, within a wider condition. The link's join is [`Join::Any`] or
    /// [`Join::NotAny`].
    Linked(Box<Link>),
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

macro_rules! operators {
    ($($name:ident = $fetch:literal),+ $(,)?) => {
        /// The platform's own conditions, by their names in `ConditionOperator`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operator { $($name),+ }

        impl Operator {
            /// Every one of them.
            pub const ALL: &[Operator] = &[$(Operator::$name),+];

            /// Its name in the SDK and in OData functions: `LastXDays`.
            pub fn name(self) -> &'static str {
                match self { $(Operator::$name => stringify!($name)),+ }
            }

            /// Its name in FetchXML: `last-x-days`.
            pub fn fetch_name(self) -> &'static str {
                match self { $(Operator::$name => $fetch),+ }
            }

            pub fn from_name(name: &str) -> Option<Operator> {
                Operator::ALL.iter().copied().find(|operator| operator.name() == name)
            }

            pub fn from_fetch_name(name: &str) -> Option<Operator> {
                Operator::ALL.iter().copied().find(|operator| operator.fetch_name() == name)
            }
        }
    };
}
operators! {
    Yesterday = "yesterday",
    Today = "today",
    Tomorrow = "tomorrow",
    Last7Days = "last-seven-days",
    Next7Days = "next-seven-days",
    LastWeek = "last-week",
    ThisWeek = "this-week",
    NextWeek = "next-week",
    LastMonth = "last-month",
    ThisMonth = "this-month",
    NextMonth = "next-month",
    LastYear = "last-year",
    ThisYear = "this-year",
    NextYear = "next-year",
    On = "on",
    NotOn = "not-on",
    OnOrBefore = "on-or-before",
    OnOrAfter = "on-or-after",
    LastXHours = "last-x-hours",
    NextXHours = "next-x-hours",
    LastXDays = "last-x-days",
    NextXDays = "next-x-days",
    LastXWeeks = "last-x-weeks",
    NextXWeeks = "next-x-weeks",
    LastXMonths = "last-x-months",
    NextXMonths = "next-x-months",
    LastXYears = "last-x-years",
    NextXYears = "next-x-years",
    OlderThanXMinutes = "olderthan-x-minutes",
    OlderThanXHours = "olderthan-x-hours",
    OlderThanXDays = "olderthan-x-days",
    OlderThanXWeeks = "olderthan-x-weeks",
    OlderThanXMonths = "olderthan-x-months",
    OlderThanXYears = "olderthan-x-years",
    ThisFiscalYear = "this-fiscal-year",
    LastFiscalYear = "last-fiscal-year",
    NextFiscalYear = "next-fiscal-year",
    ThisFiscalPeriod = "this-fiscal-period",
    LastFiscalPeriod = "last-fiscal-period",
    NextFiscalPeriod = "next-fiscal-period",
    LastXFiscalYears = "last-x-fiscal-years",
    NextXFiscalYears = "next-x-fiscal-years",
    LastXFiscalPeriods = "last-x-fiscal-periods",
    NextXFiscalPeriods = "next-x-fiscal-periods",
    InFiscalYear = "in-fiscal-year",
    InFiscalPeriod = "in-fiscal-period",
    InFiscalPeriodAndYear = "in-fiscal-period-and-year",
    InOrBeforeFiscalPeriodAndYear = "in-or-before-fiscal-period-and-year",
    InOrAfterFiscalPeriodAndYear = "in-or-after-fiscal-period-and-year",
    EqualUserId = "eq-userid",
    NotEqualUserId = "ne-userid",
    EqualUserTeams = "eq-userteams",
    EqualUserOrUserTeams = "eq-useroruserteams",
    EqualUserOrUserHierarchy = "eq-useroruserhierarchy",
    EqualUserOrUserHierarchyAndTeams = "eq-useroruserhierarchyandteams",
    EqualBusinessId = "eq-businessid",
    NotEqualBusinessId = "ne-businessid",
    EqualUserLanguage = "eq-userlanguage",
    Under = "under",
    UnderOrEqual = "eq-or-under",
    NotUnder = "not-under",
    Above = "above",
    AboveOrEqual = "eq-or-above",
    ContainValues = "contain-values",
    DoesNotContainValues = "not-contain-values",
}

/// One sort key: a column, or the alias of an aggregate or group.
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
            links: Vec::new(),
            aggregates: Vec::new(),
            groups: Vec::new(),
            distinct: false,
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

    pub fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    /// Whether it answers computed columns instead of rows.
    pub fn computes(&self) -> bool {
        !self.aggregates.is_empty() || !self.groups.is_empty()
    }
}

impl Link {
    /// An inner join that answers no columns; narrow it from here.
    pub fn new(
        table: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
        alias: impl Into<String>,
    ) -> Self {
        Link {
            table: table.into(),
            from: from.into(),
            to: to.into(),
            alias: alias.into(),
            join: Join::Inner,
            columns: Some(Vec::new()),
            filter: Filter::All(Vec::new()),
            order: Vec::new(),
            links: Vec::new(),
        }
    }

    pub fn join(mut self, join: Join) -> Self {
        self.join = join;
        self
    }

    pub fn select(mut self, columns: &[&str]) -> Self {
        self.columns = Some(columns.iter().map(|column| (*column).to_owned()).collect());
        self
    }

    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }
}

impl Filter {
    pub fn eq(column: impl Into<String>, value: impl Into<Value>) -> Self {
        Filter::Compare(column.into(), Comparison::Eq, value.into())
    }
}
