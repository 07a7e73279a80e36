//! The SOAP Organization service of 2011 and its neighbours, as bytes: what a door answers with and what a client sends.
//!
//! * [`envelope`]: SOAP 1.1 and 1.2, the headers, the eight operations and faults, both ways.
//! * [`reply`]: what a client reads: answers with rows straight from the text, without a tree.
//! * [`value`]: the typed values in them, with [`request`] for what `Execute` carries.
//! * [`query`]: `QueryExpression` and `QueryByAttribute` to and from the query tree.
//! * [`metadata`]: definitions of tables, columns and relationships.
//! * [`discovery`], [`crm4`]: where an organisation lives; [`trust`]: tokens and signed headers of claims deployments.
//! * [`dotdigital`]: another service, the marketing service's own, in the same envelopes.
//!
//! Reading takes members in any order and ignores what it does not know. Writing keeps the order of the data contracts
//! (alphabetical, base class first), because WCF's readers drop what stands out of order.
//! Not here: HTTP, sockets, rights, what a request does. Source: dataverse.md parts D and E, protocol-annex.md 0 to 3.

pub mod crm4;
pub mod discovery;
pub mod dotdigital;
pub mod envelope;
pub mod fault;
pub mod metadata;
pub mod names;
pub mod operation;
pub mod query;
pub mod reply;
pub mod request;
pub mod trust;
pub mod value;

use crate::{fetchxml, xml};

/// The servers that write differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// CRM 2011 to 2015 (5.0 to 7.0): entities without key attributes and row versions, faults of six members.
    Crm2011,
    /// CRM 2015 Update 1 to 8.2: key attributes and row versions.
    Crm2016,
    /// 9.0 and online: faults say whether to try again.
    Dataverse,
}

/// Why a message cannot be read. A server answers with a fault, a client takes it for a broken answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Xml(#[from] xml::Error),
    #[error("the SOAP message has no <{0}> where one must stand")]
    Missing(String),
    #[error("the SOAP message has {value:?} where {wanted} must stand")]
    Value { wanted: &'static str, value: String },
    #[error("the operation <{0}> is not one of the service")]
    Operation(String),
    #[error("the query cannot be read: {0}")]
    Query(#[from] fetchxml::Error),
}

pub(crate) fn wrong(wanted: &'static str, value: &str) -> Error {
    Error::Value { wanted, value: value.chars().take(80).collect() }
}

pub(crate) fn missing(what: &str) -> Error {
    Error::Missing(what.to_owned())
}
