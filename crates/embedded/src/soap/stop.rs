//! Why a request is not done: the platform's own errors, and those of the channel below it (dataverse.md E6).

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Code, Fault as PortFault, Verdict};
use postroom_formats::fetchxml;
use postroom_formats::soap::fault::Fault;
use postroom_formats::soap::{self};
use uuid::Uuid;

use crate::failure::Failure;
use crate::rules::Refusal;
use crate::webapi::{Problem, codes};

/// One error.
#[derive(Debug)]
pub(super) enum Stop {
    /// What the platform says; in an `ExecuteTransaction` with the number of the request that failed.
    Problem { problem: Problem, request: Option<usize> },
    /// What Windows Communication Foundation says before the platform sees anything.
    Channel { status: StatusCode, code: Option<&'static str>, message: String },
}

impl Stop {
    /// Invalid argument.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Problem::bad(message).into()
    }

    /// With one of the platform's numbers.
    pub(super) fn coded(code: u32, message: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, code, message).into()
    }

    pub(super) fn no_table(name: &str) -> Self {
        let text = format!("The entity with a name = '{name}' was not found in the MetadataCache.");
        Stop::coded(codes::NO_ENTITY, text)
    }

    pub(super) fn no_column(table: &str, name: &str) -> Self {
        let text = format!("'{table}' entity doesn't contain attribute with Name = '{name}'.");
        Stop::coded(codes::NO_ATTRIBUTE, text)
    }

    /// A parameter of a message that is not there or of another type.
    pub(super) fn parameter(message: &str, name: &str, wanted: &str) -> Self {
        Stop::bad(format!("Required field '{name}' of {message} is missing or is no {wanted}"))
    }

    pub(super) fn no_message(name: &str) -> Self {
        let shown: String = name.chars().take(80).collect();
        Stop::coded(
            codes::NOT_SUPPORTED,
            format!("The request name '{shown}' is not supported by this server."),
        )
    }

    pub(super) fn too_large(size: usize, most: usize) -> Self {
        let message = format!(
            "The maximum message size quota for incoming messages ({most}) has been exceeded: this has {size} bytes."
        );
        Stop::Channel { status: StatusCode::PAYLOAD_TOO_LARGE, code: None, message }
    }

    pub(super) fn not_utf8() -> Self {
        let message = "The message is not UTF-8; send it in UTF-8.".to_owned();
        Stop::Channel { status: StatusCode::BAD_REQUEST, code: None, message }
    }

    pub(super) fn internal() -> Self {
        let text = "An unexpected error occurred.";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, codes::UNEXPECTED, text).into()
    }

    /// A class that this server does not have.
    pub(super) fn unknown_class(name: &str) -> Self {
        let shown: String = name.chars().take(80).collect();
        Stop::unreadable(format!(
            "Element 'http://schemas.microsoft.com/xrm/2011/Contracts/Services:request' contains data from a type that \
             maps to the name '{shown}Request'. The deserializer has no knowledge of any type that maps to this name."
        ))
    }

    pub(super) fn no_operation(name: &str) -> Self {
        let shown: String = name.chars().take(80).collect();
        let message = format!(
            "The message cannot be processed at the receiver: this service has no operation '{shown}'. Check that sender \
             and receiver have the same contract."
        );
        Stop::Channel { status: StatusCode::INTERNAL_SERVER_ERROR, code: Some("ActionNotSupported"), message }
    }

    fn unreadable(inner: String) -> Self {
        let message = format!(
            "The formatter threw an exception while trying to deserialize the message. The InnerException message was \
             '{inner}'."
        );
        Stop::Channel {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: Some("DeserializationFailed"),
            message,
        }
    }

    /// The same, of one request among several.
    pub(super) fn of_request(self, index: usize) -> Self {
        match self {
            Stop::Problem { problem, .. } => Stop::Problem { problem, request: Some(index) },
            channel => channel,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Stop::Problem { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Stop::Channel { status, .. } => *status,
        }
    }

    /// What stands in the answer.
    pub(super) fn fault(&self, activity: Uuid, now: Timestamp) -> Fault {
        match self {
            Stop::Problem { problem, request } => Fault {
                activity: Some(activity),
                at: Some(now),
                retry_after: problem
                    .retry_after
                    .map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
                faulted_request: request.map(|index| i32::try_from(index).unwrap_or(i32::MAX)),
                // An HRESULT is the same 32 bits with a sign.
                ..Fault::new(problem.code.cast_signed(), problem.message.clone())
            },
            Stop::Channel { code, message, .. } => {
                Fault { subcode: code.map(str::to_owned), ..Fault::new(0, message.clone()) }
            }
        }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem { problem, request: None }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Problem::from(failure).into()
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Problem::from(refusal).into()
    }
}

impl From<PortFault> for Stop {
    /// Definitions are refused as faults.
    fn from(fault: PortFault) -> Self {
        match (fault.code, fault.verdict) {
            (Code::CRM_NOT_FOUND, _) => Stop::coded(codes::NOT_FOUND, fault.message),
            (Code::CRM_DUPLICATE, _) => Stop::coded(codes::DUPLICATE, fault.message),
            (Code::CRM_UNKNOWN_COLUMN, _) => Stop::coded(codes::NO_ENTITY, fault.message),
            (_, Verdict::Reject) => Stop::bad(fault.message),
            _ => Problem::from(fault).into(),
        }
    }
}

impl From<fetchxml::Error> for Stop {
    fn from(error: fetchxml::Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<soap::Error> for Stop {
    fn from(error: soap::Error) -> Self {
        match error {
            soap::Error::Query(error) => error.into(),
            soap::Error::Operation(name) => Stop::no_operation(&name),
            soap::Error::Xml(error) => {
                let message = format!("The message cannot be read: {error}.");
                Stop::Channel { status: StatusCode::BAD_REQUEST, code: None, message }
            }
            error @ (soap::Error::Missing(_) | soap::Error::Value { .. }) => {
                Stop::unreadable(error.to_string())
            }
        }
    }
}
