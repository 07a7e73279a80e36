//! The token service of AD FS: WS-Trust 1.3 with a name and password, and the check of what was signed with its tokens.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use postroom_formats::soap::Generation;
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::fault::Fault;
use postroom_formats::soap::trust::{self, Lifetime, Refusal, Token, TokenRequest};
use postroom_formats::xml::{Element, Limits};

use super::state::{Issued, State, random, same_resource};

const ENCRYPTION: &str = "http://www.w3.org/2001/04/xmlenc#";
/// Clocks may differ by this.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

fn limits() -> Limits {
    Limits { bytes: 1 << 20, nodes: 10_000, depth: 64 }
}

/// Answers a request for a token.
pub(super) fn issue(state: &State, message: &str) -> Response {
    let envelope = match Envelope::read(message, &limits()) {
        Ok(envelope) => envelope,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let headers = envelope.headers.answer(trust::ISSUED);
    let refuse = |subcode: &str, text: &str| {
        let fault = Fault { subcode: Some(subcode.to_owned()), message: text.to_owned(), ..Fault::default() };
        let answer = Envelope::fault(Soap::V12, headers.clone(), &fault, Generation::Crm2016);
        soap(StatusCode::INTERNAL_SERVER_ERROR, &answer)
    };
    let security = envelope.headers.security.as_ref();
    let Some(Ok(request)) = security.map(|security| TokenRequest::read(&envelope.body, security)) else {
        return refuse("InvalidSecurity", "The security header cannot be read.");
    };
    if !security.is_some_and(|security| timely(security, state.now())) {
        return refuse("InvalidSecurity", "The timestamp is not within its valid time range.");
    }
    if state.user(&request.user, &request.password).is_none() {
        return refuse(
            "FailedAuthentication",
            "ID3242: The security token could not be authenticated or authorized.",
        );
    }
    if !state
        .options
        .resources
        .iter()
        .any(|known| request.applies_to.starts_with(known.trim_end_matches('/')))
    {
        return refuse("InvalidScope", "MSIS3020: The relying party is unknown.");
    }
    soap(
        StatusCode::OK,
        &Envelope::new(Soap::V12, headers_of(state, headers.clone()), token(state, &request).write()),
    )
}

fn headers_of(state: &State, headers: Headers) -> Headers {
    let now = state.now();
    let expires = now.checked_add(SKEW).unwrap_or(now);
    Headers { security: Some(trust::stamped(Lifetime { created: now, expires })), ..headers }
}

fn timely(security: &Element, now: Timestamp) -> bool {
    let time = |name: &str| -> Option<Timestamp> { security.child("Timestamp")?.text_of(name)?.parse().ok() };
    let (Some(created), Some(expires)) = (time("Created"), time("Expires")) else { return false };
    now.duration_since(created) > -SKEW && expires.duration_since(now) > -SKEW
}

/// A token that is opaque to its bearer: known here by its key identifier.
fn token(state: &State, request: &TokenRequest) -> Token {
    let (now, key) = (state.now(), format!("_{}", state.ids.next()));
    let lifetime =
        Lifetime { created: now, expires: now.checked_add(state.options.token_life).unwrap_or(now) };
    let secret = random::<32>().to_vec();
    let issued =
        Issued { to: request.user.clone(), resource: request.applies_to.clone(), expires: lifetime.expires };
    state.keep_key(&key, issued, secret.clone());
    let cipher = Element::leaf(ENCRYPTION, "CipherValue", key.as_str());
    let data = Element::new(ENCRYPTION, "CipherData").with(cipher);
    let token = Element::new(ENCRYPTION, "EncryptedData").with(data);
    Token { lifetime, applies_to: request.applies_to.clone(), token, secret, key }
}

/// The service's own description, as far as clients read it: a port for each kind of sign-in, with its address.
pub(super) fn description(origin: &str) -> String {
    let port = |name: &str, path: &str| {
        format!(
            "<wsdl:port name=\"{name}\" binding=\"tns:{name}\">\
             <soap12:address location=\"{origin}/adfs/services/trust/13/{path}\"/></wsdl:port>"
        )
    };
    format!(
        "<wsdl:definitions xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" \
         xmlns:soap12=\"http://schemas.xmlsoap.org/wsdl/soap12/\" \
         xmlns:tns=\"http://schemas.microsoft.com/ws/2008/06/identity/securitytokenservice\">\
         <wsdl:service name=\"SecurityTokenService\">{}{}</wsdl:service></wsdl:definitions>",
        port("CertificateWSTrustBinding_IWSTrust13Async", "certificatemixed"),
        port("UserNameWSTrustBinding_IWSTrust13Async", "usernamemixed")
    )
}

/// The WSDL of a service that wants this token service's tokens, as far as clients read it: the policy, in the first answer.
pub(super) fn policy(origin: &str) -> String {
    format!(
        "<wsdl:definitions xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" \
         xmlns:wsp=\"http://schemas.xmlsoap.org/ws/2004/09/policy\" \
         xmlns:sp=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702\" \
         xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" \
         xmlns:mex=\"http://schemas.xmlsoap.org/ws/2004/09/mex\"><wsp:Policy><wsp:ExactlyOne><wsp:All>\
         <ms-xrm:AuthenticationPolicy xmlns:ms-xrm=\"http://schemas.microsoft.com/xrm/2011/Contracts/Services\">\
         <ms-xrm:Authentication>Federation</ms-xrm:Authentication><ms-xrm:SecureTokenService><ms-xrm:Identifier>\
         http://sts.contoso.local/adfs/services/trust</ms-xrm:Identifier></ms-xrm:SecureTokenService>\
         </ms-xrm:AuthenticationPolicy><sp:EndorsingSupportingTokens><wsp:Policy><sp:IssuedToken><sp:Issuer>\
         <wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address><wsa:Metadata><mex:Metadata>\
         <mex:MetadataSection><mex:MetadataReference><wsa:Address>{origin}/adfs/services/trust/mex</wsa:Address>\
         </mex:MetadataReference></mex:MetadataSection></mex:Metadata></wsa:Metadata></sp:Issuer></sp:IssuedToken>\
         </wsp:Policy></sp:EndorsingSupportingTokens></wsp:All></wsp:ExactlyOne></wsp:Policy></wsdl:definitions>"
    )
}

fn soap(status: StatusCode, envelope: &Envelope) -> Response {
    (status, [(header::CONTENT_TYPE, Soap::V12.content_type())], envelope.write()).into_response()
}

/// Who signed a message for `service`.
pub(super) fn signer(state: &State, message: &str, service: &str) -> Result<String, Refusal> {
    let now = state.now();
    let secret = |key: &str| {
        let (issued, secret) = state.key(key)?;
        (now < issued.expires && same_resource(&issued.resource, service)).then_some(secret)
    };
    let (key, _) = trust::verify(message, &limits(), secret, now, SKEW)?;
    state.key(&key).map(|(issued, _)| issued.to).ok_or(Refusal::Unknown)
}
