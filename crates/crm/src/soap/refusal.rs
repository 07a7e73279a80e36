//! What the service says against a message: a fault in SOAP as a [`Refusal`] (dataverse.md E6).

use http::StatusCode;
use postroom_core::PeerAnswer;
use postroom_formats::soap::fault::Fault;

use crate::refusal::{Refusal, codes};

/// Faults of the channel that are about signing in.
const SIGN_IN: &[&str] = &[
    "FailedAuthentication",
    "InvalidSecurity",
    "InvalidSecurityToken",
    "SecurityTokenUnavailable",
    "MessageExpired",
    "BadContextToken",
];
/// Faults of the channel before a message that the server does not have.
const UNKNOWN: &[&str] = &["DeserializationFailed", "ActionNotSupported"];

/// A fault with the status that says what to do. The service itself answers every fault with 500.
pub(super) fn of(fault: &Fault, status: StatusCode) -> Refusal {
    // An HRESULT is the same 32 bits with a sign.
    let code = fault.code.cast_unsigned();
    let said = |names: &[&str]| fault.subcode.as_deref().is_some_and(|subcode| names.contains(&subcode));
    let status = match code {
        0 if said(SIGN_IN) => 401,
        0 if said(UNKNOWN) => 501,
        0 if status.is_success() || status == StatusCode::INTERNAL_SERVER_ERROR && !fault.receiver => 400,
        0 => status.as_u16(),
        codes::NOT_FOUND | codes::KEY_NOT_FOUND => 404,
        codes::DUPLICATE | codes::DUPLICATE_KEY | codes::VERSION => 412,
        codes::PRIVILEGE => 403,
        codes::UNEXPECTED | codes::SQL | codes::SQL_TIMEOUT => 500,
        codes::ORGANIZATION_OFF => 503,
        // Of one message among several it says that the row takes no such message.
        codes::NOT_SUPPORTED if fault.faulted_request.is_none() => 501,
        _ => 400,
    };
    let step = fault.faulted_request.and_then(|step| usize::try_from(step).ok());
    let answer = PeerAnswer::of(format!("0x{code:08x} {}", fault.message).as_bytes());
    Refusal { status, code, message: fault.message.chars().take(500).collect(), step, answer }
}

/// The server does not know the message that was sent.
pub(super) fn unknown(refusal: &Refusal) -> bool {
    refusal.status == 501
}

#[cfg(test)]
mod tests {
    use postroom_core::{Code, Verdict};

    use super::*;

    #[track_caller]
    fn check(fault: &Fault, code: Code, verdict: Verdict) {
        let refusal = of(fault, StatusCode::INTERNAL_SERVER_ERROR);
        let found = refusal.fault();
        assert_eq!((found.code, found.verdict), (code, verdict), "{refusal:?}");
    }

    fn coded(code: u32) -> Fault {
        Fault::new(code.cast_signed(), "no")
    }

    fn channel(subcode: &str) -> Fault {
        Fault { subcode: Some(subcode.to_owned()), ..Fault::new(0, "no") }
    }

    #[test]
    fn what_servers_say() {
        let again = Verdict::Retry { after: None };
        check(&coded(codes::NOT_FOUND), Code::CRM_NOT_FOUND, Verdict::Reject);
        check(&coded(codes::DUPLICATE), Code::CRM_DUPLICATE, Verdict::Reject);
        check(&coded(codes::VERSION), Code::CRM_VERSION, Verdict::Reject);
        check(&coded(codes::NO_ATTRIBUTE), Code::CRM_UNKNOWN_COLUMN, Verdict::Reject);
        check(&coded(codes::PRIVILEGE), Code::CRM_REFUSED, Verdict::Reject);
        check(&coded(codes::SQL_TIMEOUT), Code::CRM_AWAY, again);
        check(&coded(0x8004_0203), Code::CRM_REFUSED, Verdict::Reject);
        check(&channel("FailedAuthentication"), Code::CRM_AWAY, Verdict::Hold);
        check(&Fault { receiver: true, ..channel("InternalServiceFault") }, Code::CRM_AWAY, again);
        for code in [codes::REQUESTS, codes::TIME, codes::CONCURRENCY, codes::BUSY] {
            assert!(of(&coded(code), StatusCode::INTERNAL_SERVER_ERROR).limited(), "{code:x}");
        }
    }

    #[test]
    fn old_servers_are_known_by_what_they_do_not_know() {
        let is_unknown = |fault: &Fault| unknown(&of(fault, StatusCode::INTERNAL_SERVER_ERROR));
        assert!(is_unknown(&channel("DeserializationFailed")));
        assert!(is_unknown(&coded(codes::NOT_SUPPORTED)));
        assert!(!is_unknown(&Fault { faulted_request: Some(1), ..coded(codes::NOT_SUPPORTED) }));
        assert!(!is_unknown(&coded(codes::NOT_FOUND)));
    }
}
