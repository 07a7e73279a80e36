//! What the service says against a request, as a [`Fault`]. The one table of constants is [`table`].
//!
//! v2 writes `{"message":"text. ERROR_CODE"}` or `{"message":"Error: ERROR_CODE"}`; v3 writes `{"errorCode":"area:reason"}`.
//! Our sentence has the constant and the names of members, and no text of theirs: texts repeat values of people. What was
//! answered goes along apart ([`PeerAnswer`]).

mod table;

use http::StatusCode;
use jiff::SignedDuration;
use postroom_core::{Code, Fault, PeerAnswer, Verdict};
use postroom_formats::soap::fault as soap;

use crate::wire::Row;
pub(crate) use table::Act;

/// A refusal as the service wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    /// `ERROR_ADDRESSBOOK_NOT_FOUND`, `contacts:invalidId`; empty when it named none.
    pub constant: String,
    /// Names of members that it complained about.
    pub about: Vec<String>,
    /// The answer itself.
    pub answer: PeerAnswer,
}

impl Refusal {
    /// Reads an answer that is no success, whatever it is.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Refusal {
        let row = Row::read(body).unwrap_or_default();
        let text = row.text("message").unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        let constant = row.some_text("errorCode").filter(|code| named(code));
        let details = row.rows("details");
        let about = details.iter().filter_map(|detail| detail.some_text("item")).filter(|item| named(item));
        Refusal {
            status: status.as_u16(),
            constant: constant.or_else(|| constant_in(&text)).unwrap_or_default(),
            about: about.take(5).collect(),
            answer: PeerAnswer::of(body),
        }
    }

    /// The refusal that a fault of the SOAP API is. HTTP's status is 500 for all of them: what REST would have said is in the
    /// constant, or in who is to blame.
    pub(crate) fn of_fault(fault: &soap::Fault) -> Refusal {
        let constant = constant_in(&fault.message).unwrap_or_default();
        let unauthorised = ["FailedAuthentication", "InvalidSecurity"];
        let status = match (constant.as_str(), fault.subcode.as_deref()) {
            ("ERROR_INVALID_LOGIN" | "ERROR_APIUSER_INVALID", _) => 401,
            ("ERROR_ACCOUNT_INVALID" | "ERROR_UNKNOWN_ACCOUNT", _) => 403,
            ("ERROR_UNKNOWN", _) => 500,
            ("", Some(code)) if unauthorised.contains(&code) => 401,
            ("", _) if fault.receiver => 500,
            _ => 400,
        };
        Refusal { status, constant, about: Vec::new(), answer: PeerAnswer::of(fault.message.as_bytes()) }
    }

    /// An answer that holds nothing where one row must stand: what was asked for is not there.
    pub(crate) fn nothing() -> Refusal {
        Refusal { status: 404, constant: String::new(), about: Vec::new(), answer: PeerAnswer::of(b"") }
    }

    /// A failure of one mail or row inside an answer that is a success.
    pub(crate) fn inside(constant: &str) -> Refusal {
        let answer = PeerAnswer::of(constant.as_bytes());
        let constant = constant_in(constant).or_else(|| named(constant).then(|| constant.to_owned()));
        Refusal { status: 200, constant: constant.unwrap_or_default(), about: Vec::new(), answer }
    }

    fn act(&self) -> Option<Act> {
        table::find(&self.constant).map(|row| row.act)
    }

    /// The calls of a minute are spent (tiered).
    pub(crate) fn tier_spent(&self) -> bool {
        self.status == 429 && self.act().is_none_or(|act| act == Act::Hour)
    }

    /// The calls of an hour are spent (flat).
    pub(crate) fn hour_spent(&self) -> bool {
        self.status != 429 && self.constant == "ERROR_APIUSAGE_EXCEEDED"
    }

    /// The account may live elsewhere: a 403 that names no reason, or that the account is unknown here.
    pub(crate) fn elsewhere(&self) -> bool {
        let unknown = ["", "ERROR_ACCOUNT_INVALID", "ERROR_UNKNOWN_ACCOUNT"];
        self.status == 403 && unknown.contains(&self.constant.as_str())
    }

    /// What was asked for is not there.
    pub(crate) fn missing(&self) -> bool {
        match table::find(&self.constant) {
            Some(row) => row.code == Code::MARKETING_NOT_FOUND,
            None => self.status == 404,
        }
    }

    /// The service broke down: nobody knows what was done, unless it says that nothing was.
    pub(crate) fn broke_down(&self) -> bool {
        matches!(self.status, 408 | 500..=599) && self.act() != Some(Act::Away)
    }

    /// It did nothing and may do it later.
    pub(crate) fn away(&self) -> bool {
        self.act() == Some(Act::Away)
    }

    /// The state that was wanted is there already.
    pub(crate) fn already(&self) -> bool {
        self.act() == Some(Act::Already)
    }

    pub(crate) fn code(&self) -> Code {
        match table::find(&self.constant) {
            Some(row) => row.code,
            None => match self.status {
                401 => Code::MARKETING_SIGN_IN,
                403 => Code::MARKETING_FEATURE,
                404 => Code::MARKETING_NOT_FOUND,
                409 => Code::MARKETING_DUPLICATE,
                412 => Code::MARKETING_QUOTA,
                429 => Code::MARKETING_LIMIT,
                408 | 500..=599 => Code::MARKETING_AWAY,
                _ => Code::MARKETING_REFUSED,
            },
        }
    }

    fn verdict(&self) -> Verdict {
        let minute = Verdict::Retry { after: Some(SignedDuration::from_secs(60)) };
        match self.act() {
            Some(Act::Away) => Verdict::Retry { after: None },
            Some(Act::Later) => minute,
            Some(Act::Hour) => Verdict::Retry { after: Some(SignedDuration::from_mins(5)) },
            Some(Act::Hold) => Verdict::Hold,
            Some(Act::Bug) => Verdict::Bug,
            Some(Act::Row | Act::Stop | Act::Already) => Verdict::Reject,
            None => match self.status {
                401 => Verdict::Hold,
                408 | 500..=599 => Verdict::Retry { after: None },
                429 => minute,
                _ => Verdict::Reject,
            },
        }
    }

    /// The fault, with what to do.
    pub(crate) fn fault(&self) -> Fault {
        let what = match self.constant.as_str() {
            "" => format!("Dotdigital answered {}", self.status),
            constant => format!("Dotdigital answered {constant}"),
        };
        let about =
            if self.about.is_empty() { String::new() } else { format!(" about {}", self.about.join(", ")) };
        let advice = table::find(&self.constant).map_or("", |row| row.advice);
        let text =
            if advice.is_empty() { format!("{what}{about}") } else { format!("{what}{about}: {advice}") };
        Fault::new(self.verdict(), self.code(), text).with_answer(self.answer.clone())
    }
}

/// `ERROR_…` in a text.
fn constant_in(text: &str) -> Option<String> {
    let from = &text[text.find("ERROR_")?..];
    let end = from
        .find(|c: char| !(c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()))
        .unwrap_or(from.len());
    Some(from[..end].trim_end_matches('_').to_owned())
}

/// Whether a text is a name rather than a value of somebody.
fn named(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-' | '.' | '[' | ']');
    !text.is_empty() && text.len() <= 80 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, code: Code, verdict: Verdict, text: &str) {
        let fault = Refusal::read(StatusCode::from_u16(status).unwrap(), body.as_bytes()).fault();
        assert_eq!((fault.code, fault.verdict), (code, verdict), "{status} {body}");
        assert!(fault.message.contains(text) && !fault.message.contains('@'), "{}", fault.message);
    }

    #[test]
    fn what_the_service_says() {
        let later = Verdict::Retry { after: None };
        let minute = Verdict::Retry { after: Some(SignedDuration::from_secs(60)) };
        let hour = Verdict::Retry { after: Some(SignedDuration::from_mins(5)) };
        let v2 = |constant: &str| format!(r#"{{"message":"Error: {constant}"}}"#);
        let sentence = r#"{"message":"The contact ann@x.example is suppressed. ERROR_CONTACT_SUPPRESSED"}"#;
        check(400, sentence, Code::MARKETING_SUPPRESSED, Verdict::Reject, "ERROR_CONTACT_SUPPRESSED");
        check(400, &v2("ERROR_APIUSAGE_EXCEEDED"), Code::MARKETING_LIMIT, hour, "hour");
        check(404, &v2("ERROR_ADDRESSBOOK_NOT_FOUND"), Code::MARKETING_NOT_FOUND, Verdict::Reject, "unlink");
        check(401, "Unauthorized", Code::MARKETING_SIGN_IN, Verdict::Hold, "401");
        check(401, &v2("ERROR_INVALID_LOGIN"), Code::MARKETING_SIGN_IN, Verdict::Hold, "password");
        check(403, "", Code::MARKETING_FEATURE, Verdict::Reject, "403");
        check(429, "", Code::MARKETING_LIMIT, minute, "429");
        check(
            429,
            r#"{"errorCode":"contacts:tooManyActiveImports"}"#,
            Code::MARKETING_BUSY,
            minute,
            "imports",
        );
        check(503, "<html>", Code::MARKETING_AWAY, later, "503");
        check(503, &v2("ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE"), Code::MARKETING_AWAY, later, "");
        check(400, &v2("ERROR_BRAND_NEW"), Code::MARKETING_REFUSED, Verdict::Reject, "ERROR_BRAND_NEW");
        let v3 = r#"{"errorCode":"contacts:invalidContacts","description":"bad ann@x.example","details":[{"item":"contacts[0].identifiers.email","description":"ann@x"}]}"#;
        check(400, v3, Code::MARKETING_DATA, Verdict::Reject, "about contacts[0].identifiers.email");
        let odd = r#"{"errorCode":"ann@x.example","details":[{"item":"bob@x.example"}]}"#;
        check(400, odd, Code::MARKETING_REFUSED, Verdict::Reject, "answered 400");
    }

    #[test]
    fn faults_of_soap_say_what_rest_says() {
        let check = |text: &str, receiver: bool, code: Code, verdict: Verdict| {
            let fault = soap::Fault { receiver, ..soap::Fault::new(0, text) };
            let fault = Refusal::of_fault(&fault).fault();
            assert_eq!((fault.code, fault.verdict), (code, verdict), "{text}");
            assert!(!fault.message.contains('@'), "{}", fault.message);
        };
        let gone = "The address book of ann@x.example is gone. ERROR_ADDRESSBOOK_NOT_FOUND";
        check(gone, false, Code::MARKETING_NOT_FOUND, Verdict::Reject);
        check("Error: ERROR_CONTACT_SUPPRESSED", true, Code::MARKETING_SUPPRESSED, Verdict::Reject);
        check("Error: ERROR_INVALID_LOGIN", false, Code::MARKETING_SIGN_IN, Verdict::Hold);
        check("The server broke down", true, Code::MARKETING_AWAY, Verdict::Retry { after: None });
        check("ann@x.example is no number", false, Code::MARKETING_REFUSED, Verdict::Reject);
        let elsewhere = soap::Fault::new(0, "Error: ERROR_ACCOUNT_INVALID");
        assert!(Refusal::of_fault(&elsewhere).elsewhere());
        let unknown = soap::Fault::new(0, "Error: ERROR_UNKNOWN");
        assert!(Refusal::of_fault(&unknown).broke_down(), "nobody knows what was done");
        let signed = soap::Fault { subcode: Some("FailedAuthentication".into()), ..soap::Fault::default() };
        assert_eq!(Refusal::of_fault(&signed).status, 401);
    }

    #[test]
    fn which_limit_it_is() {
        let read =
            |status: u16, text: &str| Refusal::read(StatusCode::from_u16(status).unwrap(), text.as_bytes());
        assert!(read(429, "").tier_spent());
        assert!(!read(429, r#"{"errorCode":"contacts:tooManyBulkDeleteJobs"}"#).tier_spent());
        let flat = read(400, r#"{"message":"excess API activity. ERROR_APIUSAGE_EXCEEDED"}"#);
        assert!(flat.hour_spent() && !flat.tier_spent());
        assert!(read(500, "").broke_down());
        assert!(!read(503, r#"{"message":"ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE"}"#).broke_down());
    }
}
