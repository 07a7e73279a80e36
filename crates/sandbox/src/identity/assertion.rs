//! The check of a client's assertion: RS256 by the certificate that its thumbprints name, both in their time, used once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postroom_formats::x509;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use webpki::EndEntityCert;
use webpki::ring::RSA_PKCS1_2048_8192_SHA256;

use super::Application;
use super::answer::Refusal;
use super::jwt::{Parts, take_apart};
use super::state::State;

/// Clocks may differ by this many seconds.
const SKEW: i64 = 300;

pub(super) fn check(
    state: &State,
    application: &Application,
    audience: &str,
    token: &str,
) -> Result<(), Refusal> {
    let parts = take_apart(token).ok_or(Refusal::Assertion)?;
    if parts.header["alg"] != "RS256" {
        return Err(Refusal::Assertion);
    }
    let certificate = named(application, &parts).ok_or(Refusal::Assertion)?;
    if x509::Certificate::read(certificate).not_after.is_some_and(|end| end < state.now()) {
        return Err(Refusal::ExpiredCertificate);
    }
    let certificate = CertificateDer::from(certificate.to_vec());
    let certificate = EndEntityCert::try_from(&certificate).map_err(|_| Refusal::Assertion)?;
    certificate
        .verify_signature(RSA_PKCS1_2048_8192_SHA256, parts.signed.as_bytes(), &parts.signature)
        .map_err(|_| Refusal::Assertion)?;
    claims(state, application, audience, &parts)
}

/// The certificate that both thumbprints name.
fn named<'a>(application: &'a Application, parts: &Parts<'_>) -> Option<&'a [u8]> {
    let sha1 = parts.header["x5t"].as_str()?;
    let sha256 = parts.header["x5t#S256"].as_str()?;
    let fits = |der: &&Vec<u8>| {
        URL_SAFE_NO_PAD.encode(sha1_smol::Sha1::from(der.as_slice()).digest().bytes()) == sha1
            && URL_SAFE_NO_PAD.encode(Sha256::digest(der)) == sha256
    };
    application.certificates.iter().find(fits).map(Vec::as_slice)
}

fn claims(
    state: &State,
    application: &Application,
    audience: &str,
    parts: &Parts<'_>,
) -> Result<(), Refusal> {
    let text = |name: &str| parts.claims[name].as_str().unwrap_or_default();
    let own = |name: &str| text(name).eq_ignore_ascii_case(&application.client_id);
    // A provider behind another name is asked under that one: host and scheme are not judged.
    let path = |url: &str| {
        url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path.to_owned())
    };
    if !own("iss") || !own("sub") || path(text("aud")).as_deref() != Some(audience.trim_start_matches('/')) {
        return Err(Refusal::Assertion);
    }
    let time = |name: &str| parts.claims[name].as_i64().ok_or(Refusal::Assertion);
    let now = state.now().as_second();
    if now < time("nbf")? - SKEW || now > time("exp")? + SKEW {
        return Err(Refusal::AssertionTime);
    }
    match text("jti") {
        "" => Err(Refusal::Assertion),
        id if state.first_use(id) => Ok(()),
        _ => Err(Refusal::Assertion),
    }
}
