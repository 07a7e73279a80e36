//! The marketing service's SOAP API (`/v2/api.svc`) as bytes, both ways: what a client sends and a stand-in answers.
//!
//! SOAP 1.1, document/literal, no headers; elements in the order of the WSDL, which `contract` holds. Values are JSON with the
//! names of the REST API's v2, which are the same ones with a small first letter: one mapping serves both APIs.
//!
//! Reading takes members in any order and any namespace, and leaves out what it does not know. Numbers keep all their
//! digits. Not here: HTTP, which operation to call. Source: protocol-annex.md 5.1.

mod contract;
mod description;
mod read;
mod write;

pub use contract::{OPERATIONS, Operation};
pub use description::description;
pub use read::{Answer, read_answer, read_request};
pub use write::{answer, request};

/// The namespace of the operations.
pub const SERVICE: &str = "http://apiconnector.com/v2";
/// The namespace of the types.
pub const DATA: &str = "http://apiconnector.com";

/// `OptInType` is `optInType` in JSON.
fn small(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    name
}
