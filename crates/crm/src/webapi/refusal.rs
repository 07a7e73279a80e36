//! What the server says against a request: its code and text as a [`Fault`] (dataverse.md A3).

use http::StatusCode;
use jiff::SignedDuration;
use postroom_core::{Code, Fault, Verdict};
use serde::Deserialize;

/// The platform's numbers that decide something here.
pub(crate) mod codes {
    pub(crate) const NOT_FOUND: u32 = 0x8004_0217;
    pub(crate) const KEY_NOT_FOUND: u32 = 0x8006_0891;
    pub(crate) const DUPLICATE: u32 = 0x8004_0237;
    pub(crate) const DUPLICATE_KEY: u32 = 0x8006_0892;
    pub(crate) const DUPLICATES_FOUND: u32 = 0x8004_0333;
    pub(crate) const VERSION: u32 = 0x8006_0882;
    pub(crate) const NO_ENTITY: u32 = 0x8004_1102;
    pub(crate) const NO_ATTRIBUTE: u32 = 0x8004_1103;
    pub(crate) const STATE: u32 = 0x8004_8408;
    pub(crate) const EXPIRED: u32 = 0x8004_4352;
    pub(crate) const NOT_TRACKED: u32 = 0x8007_2491;
    pub(crate) const TRACKED_ELSEWHERE: u32 = 0x8007_2492;
    pub(crate) const NO_MEMBER: u32 = 0x8007_2560;
    pub(crate) const REQUESTS: u32 = 0x8007_2322;
    pub(crate) const TIME: u32 = 0x8007_2321;
    pub(crate) const CONCURRENCY: u32 = 0x8007_2326;
}

/// An error as the server wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    /// 0 when it named none.
    pub code: u32,
    pub message: String,
}

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
    /// Reads an answer that is no success. Texts that are no JSON (proxies, IIS) are kept to their first line.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Refusal {
        let (code, message) = match serde_json::from_slice::<Envelope>(body) {
            Ok(envelope) => (number(&envelope.error.code), envelope.error.message),
            Err(_) => (0, String::from_utf8_lossy(body).lines().next().unwrap_or_default().trim().to_owned()),
        };
        Refusal { status: status.as_u16(), code, message: message.chars().take(500).collect() }
    }

    /// One of the three limits of service protection.
    pub(crate) fn limited(&self) -> bool {
        self.status == 429 || [codes::REQUESTS, codes::TIME, codes::CONCURRENCY].contains(&self.code)
    }

    /// There is such a row already.
    pub(crate) fn duplicate(&self) -> bool {
        self.code == codes::DUPLICATE || self.status == 412 && self.message.contains("matching key values")
    }

    pub(crate) fn missing(&self) -> bool {
        self.code == codes::NOT_FOUND || self.code == codes::KEY_NOT_FOUND
    }

    /// The server does not know what was asked for: a message, function or part of the API that it is too old for.
    pub(crate) fn unknown_here(&self) -> bool {
        let texts = ["Resource not found for the segment", "not supported", "No HTTP resource was found"];
        matches!(self.status, 404 | 405 | 501)
            && !self.missing()
            && (self.status == 501 || self.names(&texts))
            || self.status == 400 && self.names(&["Resource not found for the segment", "is not supported"])
    }

    fn names(&self, texts: &[&str]) -> bool {
        self.message.is_empty() || texts.iter().any(|text| self.message.contains(text))
    }

    pub(crate) fn fault(&self) -> Fault {
        let text = match self.message.is_empty() {
            true => format!("the CRM answered {}", self.status),
            false => format!("the CRM answered {}: {}", self.status, self.message),
        };
        Fault::new(self.verdict(), self.documented(), text)
    }

    fn verdict(&self) -> Verdict {
        match self.status {
            _ if self.limited() => Verdict::Retry { after: Some(SignedDuration::from_secs(30)) },
            401 => Verdict::Hold,
            403 if self.code == codes::NO_MEMBER => Verdict::Hold,
            408 | 500 | 502..=504 => Verdict::Retry { after: None },
            _ => Verdict::Reject,
        }
    }

    fn documented(&self) -> Code {
        match self.code {
            codes::NOT_FOUND | codes::KEY_NOT_FOUND => Code::CRM_NOT_FOUND,
            codes::DUPLICATE | codes::DUPLICATE_KEY | codes::DUPLICATES_FOUND => Code::CRM_DUPLICATE,
            codes::VERSION => Code::CRM_VERSION,
            codes::NO_ENTITY | codes::NO_ATTRIBUTE => Code::CRM_UNKNOWN_COLUMN,
            codes::STATE => Code::CRM_STATE,
            _ if self.message.contains("Could not find a property named") => Code::CRM_UNKNOWN_COLUMN,
            _ if self.limited() || matches!(self.status, 401 | 408 | 500..=599) => Code::CRM_AWAY,
            _ => Code::CRM_REFUSED,
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
