//! What the Web API says against a request: an error in JSON, or whatever a proxy says instead (dataverse.md A3).

use http::StatusCode;
use postroom_core::PeerAnswer;
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
    /// What stands behind it; servers of 2016 write it.
    #[serde(default)]
    innererror: Option<Behind>,
}

#[derive(Deserialize)]
struct Behind {
    #[serde(default)]
    message: String,
}

impl Inner {
    fn text(&self) -> String {
        match &self.innererror {
            Some(behind) if !self.message.contains(&behind.message) => {
                format!("{} {}", self.message, behind.message).trim().to_owned()
            }
            _ => self.message.clone(),
        }
    }
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
            Ok(Envelope { error }) => {
                let text = error.text();
                let said = if status == StatusCode::TOO_MANY_REQUESTS { 0 } else { codes::of(&text) };
                (Some(number(&error.code)).filter(|code| *code != 0).unwrap_or(said), text)
            }
            Err(_) => (0, String::from_utf8_lossy(body).lines().next().unwrap_or_default().trim().to_owned()),
        };
        Refusal {
            status: status.as_u16(),
            code,
            message: message.chars().take(500).collect(),
            step: None,
            answer: PeerAnswer::of(body),
        }
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

    /// As servers of 2016 write them.
    #[test]
    fn refusals_without_a_code() {
        let error = |text: &str| {
            let behind = format!(
                r#"{{"message":"{text}","type":"System.ServiceModel.FaultException","stacktrace":""}}"#
            );
            format!(r#"{{"error":{{"code":"","message":"{text}","innererror":{behind}}}}}"#)
        };
        let check = |status, text, code| check(status, &error(text), code, Verdict::Reject);
        check(404, "contact With Id = 1 Does Not Exist", Code::CRM_NOT_FOUND);
        check(
            404,
            "A record with the specified key values does not exist in contact entity",
            Code::CRM_NOT_FOUND,
        );
        check(412, "Cannot insert duplicate key.", Code::CRM_DUPLICATE);
        check(412, "A record with matching key values already exists.", Code::CRM_DUPLICATE);
        check(
            412,
            "The version of the existing record doesn't match the RowVersion property provided.",
            Code::CRM_VERSION,
        );
        check(
            412,
            "The version of the existing record doesn\u{2019}t match the RowVersion property provided.",
            Code::CRM_VERSION,
        );
        check(400, "'contact' entity doesn't contain attribute with Name = 'x'.", Code::CRM_UNKNOWN_COLUMN);
        check(400, "7 is not a valid status code for state code Active on contact.", Code::CRM_STATE);
        check(400, "The value is wrong", Code::CRM_REFUSED);
        check(
            400,
            "The property 'x' does not exist on type 'Microsoft.Dynamics.CRM.contact'.",
            Code::CRM_REFUSED,
        );
        let behind = r#"{"error":{"code":"","message":"An error has occurred.","innererror":{"message":"Cannot insert duplicate key."}}}"#;
        let read = Refusal::read(StatusCode::PRECONDITION_FAILED, behind.as_bytes());
        assert!(read.duplicate() && read.message.starts_with("An error has occurred. Cannot"), "{read:?}");
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
