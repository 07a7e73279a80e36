//! Errors as Dynamics words them: status, code and text (dataverse.md A3). [`super::error_body`] writes them.

use http::StatusCode;
use postroom_core::{Code, Fault};
use postroom_formats::{fetchxml, odata};

use crate::access::AccessError;
use crate::definitions;
use crate::failure::Failure;
use crate::messages;
use crate::rules::Refusal;

/// One error of the Web API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// The platform's number, such as 0x80040217.
    pub code: u32,
    pub message: String,
    /// Seconds to wait, when the caller asks too much.
    pub retry_after: Option<u64>,
}

/// The platform's numbers that are used in more than one place.
pub(crate) mod codes {
    pub(crate) const NOT_FOUND: u32 = 0x8004_0217;
    pub(crate) const KEY_NOT_FOUND: u32 = 0x8006_0891;
    pub(crate) const INVALID_ARGUMENT: u32 = 0x8004_0203;
    pub(crate) const UNEXPECTED: u32 = 0x8004_0216;
    pub(crate) const PAYLOAD: u32 = 0x8004_8d19;
    pub(crate) const VERSION: u32 = 0x8006_0882;
    pub(crate) const NO_CONCURRENCY: u32 = 0x8006_088d;
    pub(crate) const DUPLICATE: u32 = 0x8004_0237;
    pub(crate) const NOT_SUPPORTED: u32 = 0x8004_0800;
    pub(crate) const PARTY: u32 = 0x8004_3515;
    pub(crate) const DUPLICATE_KEY: u32 = 0x8006_0892;
    pub(crate) const NO_ATTRIBUTE: u32 = 0x8004_1103;
    pub(crate) const NO_ENTITY: u32 = 0x8004_1102;
    pub(crate) const TOO_LONG: u32 = 0x8004_4331;
    pub(crate) const STATE: u32 = 0x8004_8408;
    pub(crate) const EXPIRED: u32 = 0x8004_4352;
    pub(crate) const NOT_TRACKED: u32 = 0x8007_2491;
    pub(crate) const NO_RESOURCE: u32 = 0x8006_0888;
    pub(crate) const COLUMN_TAKEN: u32 = 0x8004_7013;
    pub(crate) const NAME_TAKEN: u32 = 0x8004_8403;
    pub(crate) const ASSOCIATED: u32 = 0x8004_0227;
    pub(crate) const IN_USE: u32 = 0x8004_f01f;
    pub(crate) const NOT_CUSTOMIZABLE: u32 = 0x8004_f026;
}

impl Problem {
    pub fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Problem { status, code, message: message.into(), retry_after: None }
    }

    /// 400 with `InvalidArgument`.
    pub fn bad(message: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, codes::INVALID_ARGUMENT, message)
    }

    /// 400 for a body that cannot be read.
    pub fn payload(message: impl Into<String>) -> Self {
        let text = format!("Error identified in Payload provided by the user: {}", message.into());
        Problem::new(StatusCode::BAD_REQUEST, codes::PAYLOAD, text)
    }

    /// 404 for a row.
    pub fn no_row(table: &str, id: uuid::Uuid) -> Self {
        let text = format!("{table} With Id = {id} Does Not Exist");
        Problem::new(StatusCode::NOT_FOUND, codes::NOT_FOUND, text)
    }

    /// 404 for an alternate key.
    pub fn no_key(table: &str) -> Self {
        let text = format!("A record with the specified key values does not exist in {table} entity");
        Problem::new(StatusCode::NOT_FOUND, codes::KEY_NOT_FOUND, text)
    }

    /// 404 for a name that means nothing here.
    pub fn no_resource(name: &str) -> Self {
        let text = format!("Resource not found for the segment '{name}'.");
        Problem::new(StatusCode::NOT_FOUND, codes::NO_RESOURCE, text)
    }

    /// 404 for a message.
    pub fn no_message(name: &str) -> Self {
        Problem::no_resource(&format!("{}.{name}", odata::NAMESPACE))
    }

    /// 405.
    pub fn method(method: &http::Method) -> Self {
        let text = format!("The requested resource does not support http method '{method}'.");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, codes::INVALID_ARGUMENT, text)
    }

    /// 405 for a message that a table does not know.
    pub fn unsupported(message: &str, table: &str) -> Self {
        let text = format!("The '{message}' method does not support entities of type '{table}'.");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, codes::NOT_SUPPORTED, text)
    }

    /// 400 where rows have no versions to be compared.
    pub fn no_concurrency() -> Self {
        let text = "The optimistic concurrency behavior is not enabled for this entity type.";
        Problem::new(StatusCode::BAD_REQUEST, codes::NO_CONCURRENCY, text)
    }

    /// 412 for a row that changed since it was read.
    pub fn version() -> Self {
        let text = "The version of the existing record doesn't match the RowVersion property provided.";
        Problem::new(StatusCode::PRECONDITION_FAILED, codes::VERSION, text)
    }
}

impl From<odata::Error> for Problem {
    fn from(error: odata::Error) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        Problem::new(status, error.code, error.message)
    }
}

impl From<fetchxml::Error> for Problem {
    fn from(error: fetchxml::Error) -> Self {
        Problem::bad(error.to_string())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Denied(error) => (*error).into(),
            Failure::Store(fault) => fault.into(),
            Failure::Platform { code, message } => Problem::new(platform_status(code), code, message),
        }
    }
}

/// The status of a message's refusal.
fn platform_status(code: u32) -> StatusCode {
    match code {
        codes::NOT_FOUND | codes::KEY_NOT_FOUND => StatusCode::NOT_FOUND,
        messages::codes::SEND_AS | messages::codes::SEND_AS_QUEUE => StatusCode::FORBIDDEN,
        messages::codes::NOT_SUPPORTED => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let code = error.crm_code().unwrap_or(codes::UNEXPECTED);
        let status = match code {
            codes::NOT_FOUND => StatusCode::NOT_FOUND,
            codes::INVALID_ARGUMENT => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        Problem::new(status, code, error.to_string())
    }
}

impl From<Fault> for Problem {
    /// What is not the caller's business stays in the log.
    fn from(fault: Fault) -> Self {
        match fault.code {
            Code::CRM_NOT_FOUND => Problem::new(StatusCode::NOT_FOUND, codes::NOT_FOUND, fault.message),
            Code::INTERNAL | Code::STORE_QUERY => {
                tracing::error!(event = "crm.door_failed", error = %fault.message, "A request at the CRM's door failed: {}", fault.message);
                let text = "An unexpected error occurred.";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, codes::UNEXPECTED, text)
            }
            _ => Problem::new(StatusCode::SERVICE_UNAVAILABLE, codes::UNEXPECTED, fault.message),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        let bad = |code, text| Problem::new(StatusCode::BAD_REQUEST, code, text);
        match refusal {
            Refusal::NotFound(at) => Problem::no_row(&at.table, at.id),
            Refusal::Reference { target, .. } => Problem::no_row(&target.table, target.id),
            Refusal::Version(_) => Problem::version(),
            Refusal::Restricted { .. } => {
                let text =
                    "The object you tried to delete is associated with another object and cannot be deleted.";
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, codes::ASSOCIATED, text)
            }
            Refusal::Duplicate(_) => {
                let text = "Cannot insert duplicate key.";
                Problem::new(StatusCode::PRECONDITION_FAILED, codes::DUPLICATE, text)
            }
            Refusal::DuplicateKey { key, columns, .. } => {
                let text = format!(
                    "Entity Key {key} violated. A record with the same value for {columns} already exists. A duplicate record cannot be created. Select one or more unique values and try again."
                );
                Problem::new(StatusCode::PRECONDITION_FAILED, codes::DUPLICATE_KEY, text)
            }
            Refusal::UnknownTable { table, .. } => bad(
                codes::NO_ENTITY,
                format!("The entity with a name = '{table}' was not found in the MetadataCache."),
            ),
            Refusal::UnknownColumn { table, column, .. } => {
                let text = format!("'{table}' entity doesn't contain attribute with Name = '{column}'.");
                bad(codes::NO_ATTRIBUTE, text)
            }
            Refusal::TooLong { table, column, max, .. } => bad(
                codes::TOO_LONG,
                format!(
                    "A validation error occurred. The length of the '{column}' attribute of the '{table}' entity exceeded the maximum allowed length of '{max}'."
                ),
            ),
            Refusal::State { table, state, status, .. } => bad(
                codes::STATE,
                format!("{status} is not a valid status code for state code {state} on {table}."),
            ),
            Refusal::FileBlocked => bad(messages::codes::FILE_BLOCKED, text),
            Refusal::FileTooLarge { .. } => bad(messages::codes::FILE_TOO_LARGE, text),
            Refusal::Definition(problem) => problem.into(),
            _ => bad(codes::INVALID_ARGUMENT, text),
        }
    }
}

impl From<definitions::Problem> for Problem {
    fn from(problem: definitions::Problem) -> Self {
        use definitions::Problem as Of;
        let text = problem.to_string();
        let (status, code) = match problem {
            Of::Missing { .. } => (StatusCode::NOT_FOUND, codes::NOT_FOUND),
            Of::Taken { what: "column", .. } => (StatusCode::BAD_REQUEST, codes::COLUMN_TAKEN),
            Of::Taken { .. } => (StatusCode::BAD_REQUEST, codes::NAME_TAKEN),
            Of::InUse { .. } => (StatusCode::BAD_REQUEST, codes::IN_USE),
            Of::Standard { .. } => (StatusCode::BAD_REQUEST, codes::NOT_CUSTOMIZABLE),
            Of::Duplicates { .. } => (StatusCode::PRECONDITION_FAILED, codes::DUPLICATE_KEY),
            Of::Prefix { .. } | Of::Name { .. } | Of::Unfit { .. } => {
                (StatusCode::BAD_REQUEST, codes::INVALID_ARGUMENT)
            }
        };
        Problem::new(status, code, text)
    }
}
