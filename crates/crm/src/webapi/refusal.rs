//! What the Web API says against a request: an error in JSON, or whatever a proxy says instead (dataverse.md A3).

use http::StatusCode;
use serde::Deserialize;

pub(crate) use crate::refusal::{Refusal, codes};

#[derive(Deserialize)]
struct Envelope {
    error: Inner,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    /// Whether the body is an error in JSON that ends too soon: what it meant to say is not known.
    pub(crate) fn is_cut(body: &[u8]) -> bool {
        body.trim_ascii_start().starts_with(b"{")
            && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err_and(|error| error.is_eof())
    }

    /// Reads an answer that is no success. Texts that are no JSON (proxies, IIS) are kept to their first line.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Refusal {
        let (code, message) = match serde_json::from_slice::<Envelope>(body) {
            Ok(envelope) => (number(&envelope.error.code), envelope.error.message),
            Err(_) => (0, String::from_utf8_lossy(body).lines().next().unwrap_or_default().trim().to_owned()),
        };
        Refusal { status: status.as_u16(), code, message: message.chars().take(500).collect(), step: None }
    }
}

/// `0x80040217` and `-2147220969` are the same.
fn number(text: &str) -> u32 {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).unwrap_or_default(),
        None => text.parse::<i64>().map(|number| number as u32).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use postroom_core::{Code, Verdict};

    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, code: Code, verdict: Verdict) {
        let fault = Refusal::read(StatusCode::from_u16(status).unwrap(), body.as_bytes()).fault();
        assert_eq!((fault.code, fault.verdict), (code, verdict), "{status} {body}");
    }

    #[test]
    fn what_servers_say() {
        let again = Verdict::Retry { after: None };
        let error = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#);
        check(404, &error("0x80040217"), Code::CRM_NOT_FOUND, Verdict::Reject);
        check(404, &error("-2147220969"), Code::CRM_NOT_FOUND, Verdict::Reject);
        check(412, &error("0x80040237"), Code::CRM_DUPLICATE, Verdict::Reject);
        check(412, &error("0x80060882"), Code::CRM_VERSION, Verdict::Reject);
        check(400, &error("0x80041103"), Code::CRM_UNKNOWN_COLUMN, Verdict::Reject);
        check(400, &error(""), Code::CRM_REFUSED, Verdict::Reject);
        check(401, "", Code::CRM_AWAY, Verdict::Hold);
        check(403, &error("0x80072560"), Code::CRM_REFUSED, Verdict::Hold);
        check(503, "<html>\nService Unavailable", Code::CRM_AWAY, again);
        let limited = Verdict::Retry { after: Some(SignedDuration::from_secs(30)) };
        check(429, &error("0x80072322"), Code::CRM_AWAY, limited);
    }

    #[test]
    fn errors_that_end_too_soon() {
        let cut = |body: &str| Refusal::is_cut(body.as_bytes());
        assert!(cut(r#"{"error":{"code":"0x8004"#) && cut("{"));
        assert!(!cut(r#"{"error":{"code":"0x80040217"}}"#) && !cut("<html>") && !cut("") && !cut("{]"));
    }

    #[test]
    fn old_servers_are_known_by_what_they_do_not_know() {
        let read = |status: u16, text: &str| {
            let body = format!(r#"{{"error":{{"code":"","message":"{text}"}}}}"#);
            Refusal::read(StatusCode::from_u16(status).unwrap(), body.as_bytes()).unknown_here()
        };
        assert!(read(404, "Resource not found for the segment 'Microsoft.Dynamics.CRM.CreateMultiple'."));
        assert!(read(501, "whatever"));
        assert!(!read(404, "contact With Id = 1 Does Not Exist"));
        assert!(!read(400, "The value is wrong"));
    }
}
