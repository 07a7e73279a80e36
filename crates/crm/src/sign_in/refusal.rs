//! What an identity provider's refusal means, and the next step.

use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Code, Fault, Verdict};

use super::oauth::Answer;

/// Numbers of Microsoft's identity platform (AADSTS…), and what to do.
const STEPS: &[(i64, &str)] = &[
    (
        7_000_215,
        "the client secret is wrong: set the secret's value in crm.client_secret, not its id, or make a new one in the app registration",
    ),
    (
        7_000_222,
        "the client secret has expired: make a new one in the app registration and set crm.client_secret",
    ),
    (7_000_218, "a secret or certificate is missing: set crm.client_secret or crm.client_certificate"),
    (700_016, "the application is not known in this tenant: check crm.client_id and crm.tenant"),
    (700_024, "the certificate's assertion is outside its time: set this machine's clock"),
    (
        700_027,
        "the certificate is not the application's, or has ended: upload it in the app registration, or set the one that is there in crm.client_certificate",
    ),
    (
        700_030,
        "the certificate is not valid: upload a new one in the app registration and set crm.client_certificate",
    ),
    (90_002, "the tenant does not exist: check crm.tenant"),
    (900_023, "the tenant is neither a domain nor an id: check crm.tenant"),
    (500_011, "the CRM's address is not known in this tenant: check crm.org_url and crm.tenant"),
    (65_001, "the application has no consent: let an administrator grant it in the app registration"),
    (50_034, "the user does not exist in this directory: check crm.username"),
    (50_126, "user or password is wrong: check crm.username and crm.password"),
    (50_053, "the account is locked: wait, or let an administrator unlock it"),
    (50_055, "the password has expired: change it, and set crm.password"),
    (50_057, "the account is disabled: enable it"),
    (50_076, "the user needs a second factor: sign in as an application with a secret or certificate"),
    (50_079, "the user needs a second factor: sign in as an application with a secret or certificate"),
    (53_003, "a Conditional Access policy forbids it: let an administrator except the application"),
];

/// Numbers that say that the provider itself is in trouble.
const PASSING: &[i64] = &[90_033, 90_006, 90_024, 50_000, 50_196];

/// The same by RFC 6749 5.2, for AD FS and other providers.
const ERRORS: &[(&str, &str)] = &[
    (
        "invalid_client",
        "the client is not known or its secret or certificate is wrong: check crm.client_id, and crm.client_secret or crm.client_certificate",
    ),
    ("unauthorized_client", "the client may not sign in like this: allow it in the provider"),
    (
        "invalid_grant",
        "user or password is wrong, or may not be used like this: check crm.username and crm.password",
    ),
    (
        "invalid_resource",
        "the CRM's address is not known to the provider: check crm.org_url, or set crm.resource to the address that the provider knows",
    ),
    (
        "invalid_scope",
        "the CRM's address is not known to the provider: check crm.org_url, or set crm.resource",
    ),
    ("unsupported_grant_type", "the provider does not sign in services like this: check crm.sign_in"),
];

/// The fault for an answer that is no token.
pub(super) fn explain(status: StatusCode, headers: &HeaderMap, answer: &Answer, now: Timestamp) -> Fault {
    let said = said(answer);
    let passing = answer.error_codes.iter().any(|code| PASSING.contains(code));
    let unavailable = answer.error.as_deref() == Some("temporarily_unavailable");
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || passing || unavailable {
        let message = format!("the identity provider is busy or failing ({status}){said}");
        return Fault::new(Verdict::Retry { after: retry_after(headers) }, Code::CRM_AWAY, message);
    }
    let step =
        step(answer).unwrap_or("what answers there issues no tokens: check crm.authority, and crm.tenant");
    let clock = skew(headers, now).map(|skew| format!("; {skew}")).unwrap_or_default();
    let message = format!("the identity provider refused the sign-in ({status}): {step}{clock}{said}");
    Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, message)
}

/// The fault for an answer that makes no sense: something else than an identity provider answers there.
pub(super) fn nonsense(why: &str) -> Fault {
    let message = format!("the answer of the identity provider cannot be used: {why}; check crm.authority");
    Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, message)
}

/// The same for the CRM's own answer to a question that needs no sign-in.
pub(super) fn no_answer(why: &str) -> Fault {
    let message =
        format!("the CRM does not say how it is signed in to: {why}; check crm.org_url and crm.sign_in");
    Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, message)
}

/// The identity provider gave no answer: the fault, with the setting that says where it is.
pub(super) fn naming_authority(fault: Fault) -> Fault {
    let message = format!("{}; check crm.authority, the firewall and crm.proxy", fault.message);
    match fault.code {
        Code::CRM_AWAY => Fault { message, ..fault },
        _ => fault,
    }
}

/// The CRM itself refused what the identity provider gave, or a name and password.
pub(super) fn refused(message: &str) -> Fault {
    Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, message)
}

fn step(answer: &Answer) -> Option<&'static str> {
    let number = |code: &i64| STEPS.iter().find(|(known, _)| known == code).map(|(_, step)| *step);
    // Some proxies strip the list; the number stands in the description too.
    let told = answer.error_description.as_deref().and_then(aadsts);
    let error =
        || ERRORS.iter().find(|(known, _)| answer.error.as_deref() == Some(known)).map(|(_, step)| *step);
    answer.error_codes.iter().find_map(number).or(told.as_ref().and_then(number)).or_else(error)
}

/// The number after `AADSTS`.
fn aadsts(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once("AADSTS")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The first line of what the provider said, short and on one line.
fn said(answer: &Answer) -> String {
    let text = answer.error_description.as_deref().or(answer.error.as_deref()).unwrap_or_default();
    let line: String =
        text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    if line.is_empty() { line } else { format!("; it said: {line}") }
}

/// Seconds only; providers of tokens do not send a date there.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<SignedDuration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse::<u32>().ok().map(|seconds| SignedDuration::from_secs(i64::from(seconds)))
}

/// Says when the other side's clock differs by more than four minutes: five are what most allow.
pub(super) fn skew(headers: &HeaderMap, now: Timestamp) -> Option<String> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let there = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let minutes = now.duration_since(there).as_mins();
    let which = if minutes > 0 { "ahead" } else { "behind" };
    let apart = minutes.unsigned_abs();
    (apart >= 4).then(|| format!("this machine's clock is {apart} minutes {which}: set it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(error: &str, description: &str, codes: &[i64]) -> Answer {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Answer {
            error: text(error),
            error_description: text(description),
            error_codes: codes.to_vec(),
            ..Answer::default()
        }
    }

    #[track_caller]
    fn check(status: u16, answer: Answer, verdict: Verdict, part: &str) {
        let status = StatusCode::from_u16(status).unwrap();
        let fault = explain(status, &HeaderMap::new(), &answer, Timestamp::UNIX_EPOCH);
        assert_eq!(fault.verdict, verdict, "{fault}");
        assert!(fault.message.contains(part), "{fault}");
    }

    #[test]
    fn refusals_say_the_next_step() {
        let again = Verdict::Retry { after: None };
        check(
            401,
            answer("invalid_client", "AADSTS7000215: Invalid\r\nTrace", &[7_000_215]),
            Verdict::Hold,
            "the secret's value",
        );
        check(401, answer("invalid_client", "AADSTS7000222: expired", &[]), Verdict::Hold, "has expired");
        check(
            400,
            answer("unauthorized_client", "AADSTS700016: x", &[700_016]),
            Verdict::Hold,
            "crm.client_id and crm.tenant",
        );
        check(400, answer("invalid_request", "AADSTS90002", &[90_002]), Verdict::Hold, "check crm.tenant");
        check(400, answer("invalid_grant", "MSIS9659: Invalid", &[]), Verdict::Hold, "user or password");
        check(400, answer("something", "new", &[1]), Verdict::Hold, "it said: new");
        check(404, answer("", "", &[]), Verdict::Hold, "check crm.authority");
        check(400, answer("invalid_grant", "AADSTS90033: transient", &[90_033]), again, "busy");
        check(503, answer("", "", &[]), again, "busy");
        check(429, answer("", "", &[]), again, "busy");
    }

    #[test]
    fn a_wait_is_kept() {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, "17".parse().unwrap())]);
        let fault =
            explain(StatusCode::TOO_MANY_REQUESTS, &headers, &Answer::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(fault.verdict, Verdict::Retry { after: Some(SignedDuration::from_secs(17)) });
    }

    #[test]
    fn a_wrong_clock_is_named() {
        let at = |text: &str| HeaderMap::from_iter([(header::DATE, text.parse().unwrap())]);
        let there = at("Thu, 01 Jan 1970 00:10:00 GMT");
        assert_eq!(
            skew(&there, Timestamp::UNIX_EPOCH).unwrap(),
            "this machine's clock is 10 minutes behind: set it"
        );
        assert_eq!(skew(&at("Thu, 01 Jan 1970 00:03:00 GMT"), Timestamp::UNIX_EPOCH), None);
        assert_eq!(skew(&at("yesterday"), Timestamp::UNIX_EPOCH), None);
    }
}
