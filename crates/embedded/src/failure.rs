//! Why something was not done: refused by a rule, denied to the caller, or the database's own trouble.
//!
//! The port makes a [`Fault`] of it, the doors an error with Dynamics' own code.

use postroom_core::{Code, Fault};
use postroom_store::Error;

use crate::access::AccessError;
use crate::rules::Refusal;
use crate::webapi::codes;

/// One failure.
#[derive(Debug)]
pub enum Failure {
    Refused(Refusal),
    /// The caller may not.
    Denied(Box<AccessError>),
    Store(Fault),
    /// A message refused in the platform's own words, with its own number such as 0x80040b04.
    Platform {
        code: u32,
        message: String,
    },
}

impl Failure {
    /// Changes that are asked for since a version of which nothing is known.
    pub(crate) fn expired() -> Self {
        let text = "Version stamp associated with the client has expired. Please perform a full sync.";
        Failure::Platform { code: codes::EXPIRED, message: text.to_owned() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Store(error.into())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal)
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Refused(refusal) => Failure::Refused(refusal),
            AccessError::Store(error) => error.into(),
            denied => Failure::Denied(Box::new(denied)),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::Store(fault)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Denied(error) => (*error).into(),
            Failure::Store(fault) => fault,
            Failure::Platform { message, .. } => Fault::reject(Code::CRM_REFUSED, message),
        }
    }
}
