//! Tokens of a claims deployment: WS-Trust 1.3 requests and answers, and headers signed with what they bring
//! (protocol-annex.md 3.2). The answers of Microsoft Online of 2014 (WS-Trust 2005/02) read as well.
//!
//! Only the header's timestamp is signed: HMAC-SHA1 with the token's secret over `SignedInfo`, which holds the SHA-1 of
//! the timestamp, both in exclusive canonical form. SHA-1 is what these servers speak; the messages travel in TLS.
//! Not here: decrypting tokens (a client never does; an issuer knows its own by their key identifier), clocks, replays.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use sha1_smol::Sha1;

use super::names::{ADDRESSING, SECEXT, UTILITY};
use super::value::time;
use super::{Error, missing, wrong};
use crate::xml::{self, Element, Limits};

const TRUST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
const POLICY: &str = "http://schemas.xmlsoap.org/ws/2004/09/policy";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const HMAC_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#hmac-sha1";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
const PASSWORD_TEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
const ASSERTION_ID: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID";
const SECEXT_11: &str = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd";
const SAML_11: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1";
const SOAP12: &str = super::names::SOAP12;

/// `a:Action` of a request for a token, and of its answer.
pub const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue";
pub const ISSUED: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTRC/IssueFinal";

/// From when until when a header or token holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    pub created: Timestamp,
    pub expires: Timestamp,
}

/// A name and password, and what the token shall be for. Its password shows in no debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRequest {
    pub user: String,
    pub password: String,
    /// The service's address.
    pub applies_to: String,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenRequest of {:?} for {:?}", self.user, self.applies_to)
    }
}

/// A token as its issuer answers it. Its secret shows in no debug output.
#[derive(Clone, PartialEq)]
pub struct Token {
    pub lifetime: Lifetime,
    pub applies_to: String,
    /// The encrypted assertion, to be handed on as it is.
    pub token: Element,
    /// The key that headers are signed with.
    pub secret: Vec<u8>,
    /// How a signature names the token.
    pub key: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token {:?} for {:?} until {}", self.key, self.applies_to, self.lifetime.expires)
    }
}

fn part<'e>(at: &'e Element, name: &str) -> Result<&'e Element, Error> {
    at.child(name).ok_or_else(|| missing(name))
}

fn text(at: &Element, name: &str) -> Result<String, Error> {
    at.text_of(name).map(str::to_owned).ok_or_else(|| missing(name))
}

fn address(at: &Element) -> Result<String, Error> {
    text(part(part(at, "AppliesTo")?, "EndpointReference")?, "Address")
}

fn applies_to(address: &str) -> Element {
    let address = Element::leaf(ADDRESSING, "Address", address);
    Element::new(POLICY, "AppliesTo").with(Element::new(ADDRESSING, "EndpointReference").with(address))
}

fn base64(text: &str) -> Result<Vec<u8>, Error> {
    let packed: String = text.split_whitespace().collect();
    STANDARD.decode(packed).map_err(|_| wrong("base64", "a value that is none"))
}

/// Written to the millisecond, as these servers do.
fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl Lifetime {
    fn read(at: &Element) -> Result<Self, Error> {
        Ok(Lifetime { created: time(&text(at, "Created")?)?, expires: time(&text(at, "Expires")?)? })
    }

    fn members(self) -> [Element; 2] {
        [
            Element::leaf(UTILITY, "Created", instant(self.created)),
            Element::leaf(UTILITY, "Expires", instant(self.expires)),
        ]
    }

    fn timestamp(self) -> Element {
        Element::new(UTILITY, "Timestamp").attribute_in(UTILITY, "Id", "_0").with_all(self.members())
    }
}

fn security() -> Element {
    Element::new(SECEXT, "Security").attribute_in(SOAP12, "mustUnderstand", "1")
}

/// The header of an answer: a timestamp alone.
pub fn stamped(lifetime: Lifetime) -> Element {
    security().with(lifetime.timestamp())
}

impl TokenRequest {
    /// Reads a request from its body's element and its `o:Security` header.
    pub fn read(body: &Element, security: &Element) -> Result<Self, Error> {
        let user = part(security, "UsernameToken")?;
        Ok(TokenRequest {
            user: text(user, "Username")?,
            password: part(user, "Password")?.text.clone(),
            applies_to: address(body)?,
        })
    }

    /// The body's element.
    pub fn body(&self) -> Element {
        let kind = Element::leaf(TRUST, "RequestType", format!("{TRUST}/Issue"));
        Element::new(TRUST, "RequestSecurityToken").with(applies_to(&self.applies_to)).with(kind)
    }

    /// The `o:Security` header.
    pub fn security(&self, lifetime: Lifetime) -> Element {
        let password = Element::leaf(SECEXT, "Password", self.password.as_str());
        let user = Element::new(SECEXT, "UsernameToken")
            .attribute_in(UTILITY, "Id", "user")
            .with(Element::leaf(SECEXT, "Username", self.user.as_str()))
            .with(password.attribute("Type", PASSWORD_TEXT));
        stamped(lifetime).with(user)
    }
}

/// How a signature names its token.
fn reference(key: &str) -> Element {
    let id = Element::leaf(SECEXT, "KeyIdentifier", key).attribute("ValueType", ASSERTION_ID);
    Element::new(SECEXT, "SecurityTokenReference").attribute_in(SECEXT_11, "TokenType", SAML_11).with(id)
}

fn key_of(at: &Element) -> Result<String, Error> {
    text(part(at, "SecurityTokenReference")?, "KeyIdentifier")
}

impl Token {
    /// Reads the answer of either version from its body's element.
    pub fn read(body: &Element) -> Result<Self, Error> {
        let answer = body.child("RequestSecurityTokenResponse").unwrap_or(body);
        let token = part(answer, "RequestedSecurityToken")?.children.first();
        let attached = answer.child("RequestedAttachedReference");
        let attached = attached.map_or_else(|| part(answer, "RequestedUnattachedReference"), Ok)?;
        Ok(Token {
            lifetime: Lifetime::read(part(answer, "Lifetime")?)?,
            applies_to: address(answer)?,
            token: token.ok_or_else(|| missing("a token in RequestedSecurityToken"))?.clone(),
            secret: base64(&text(part(answer, "RequestedProofToken")?, "BinarySecret")?)?,
            key: key_of(attached)?,
        })
    }

    /// The body's element, in WS-Trust 1.3.
    pub fn write(&self) -> Element {
        let at = |name: &'static str| Element::new(TRUST, name);
        let leaf = |name: &'static str, text: String| Element::leaf(TRUST, name, text);
        let answer = at("RequestSecurityTokenResponse")
            .with(at("Lifetime").with_all(self.lifetime.members()))
            .with(applies_to(&self.applies_to))
            .with(at("RequestedSecurityToken").with(self.token.clone()))
            .with(at("RequestedProofToken").with(leaf("BinarySecret", STANDARD.encode(&self.secret))))
            .with(at("RequestedAttachedReference").with(reference(&self.key)))
            .with(at("RequestedUnattachedReference").with(reference(&self.key)))
            .with(leaf("TokenType", "urn:oasis:names:tc:SAML:1.0:assertion".into()))
            .with(leaf("RequestType", format!("{TRUST}/Issue")))
            .with(leaf("KeyType", format!("{TRUST}/SymmetricKey")));
        at("RequestSecurityTokenResponseCollection").with(answer)
    }

    /// The `o:Security` header of a call: timestamp, token, signature.
    pub fn sign(&self, lifetime: Lifetime) -> Element {
        let (created, expires) = (instant(lifetime.created), instant(lifetime.expires));
        let stamp = format!(
            "<u:Timestamp xmlns:u=\"{UTILITY}\" u:Id=\"_0\"><u:Created>{created}</u:Created><u:Expires>{expires}</u:Expires></u:Timestamp>"
        );
        let digest = STANDARD.encode(Sha1::from(stamp.as_bytes()).digest().bytes());
        let value = STANDARD.encode(hmac_sha1(&self.secret, signed_info(&digest).as_bytes()));
        let at = |name: &'static str| Element::new(DSIG, name);
        let by = |name: &'static str, algorithm: &str| at(name).attribute("Algorithm", algorithm);
        let what = at("Reference")
            .attribute("URI", "#_0")
            .with(at("Transforms").with(by("Transform", EXCLUSIVE)))
            .with(by("DigestMethod", SHA1))
            .with(Element::leaf(DSIG, "DigestValue", digest));
        let info = at("SignedInfo")
            .with(by("CanonicalizationMethod", EXCLUSIVE))
            .with(by("SignatureMethod", HMAC_SHA1))
            .with(what);
        let signature = at("Signature")
            .plain()
            .with(info)
            .with(Element::leaf(DSIG, "SignatureValue", value))
            .with(at("KeyInfo").with(reference(&self.key)));
        stamped(lifetime).with(self.token.clone()).with(signature)
    }
}

/// `SignedInfo` in canonical form: it is short enough to be written by hand.
fn signed_info(digest: &str) -> String {
    format!(
        "<SignedInfo xmlns=\"{DSIG}\"><CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></CanonicalizationMethod>\
         <SignatureMethod Algorithm=\"{HMAC_SHA1}\"></SignatureMethod><Reference URI=\"#_0\"><Transforms>\
         <Transform Algorithm=\"{EXCLUSIVE}\"></Transform></Transforms><DigestMethod Algorithm=\"{SHA1}\">\
         </DigestMethod><DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
    )
}

/// RFC 2104 over SHA-1.
fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..20].copy_from_slice(&Sha1::from(key).digest().bytes());
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8, text: &[u8]| {
        let mut hash = Sha1::from(block.map(|byte| byte ^ pad));
        hash.update(text);
        hash.digest().bytes()
    };
    keyed(0x5c, &keyed(0x36, text))
}

/// Why a signed header is not believed. All of them are answered with the fault `o:FailedAuthentication`, but for an old
/// one: `o:InvalidSecurity`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("the message has no signed security header that can be read: {0}")]
    Unreadable(#[from] Error),
    #[error("the signature names a token that is not known; ask for a new one")]
    Unknown,
    #[error(
        "the signature uses something else than HMAC-SHA1 over the timestamp in exclusive canonical form"
    )]
    Method,
    #[error("the signature does not fit; sign with the secret of the token that it names")]
    Signature,
    #[error("the security header is not valid now; check the clocks of both machines")]
    Expired,
}

/// Checks the signed header of a message, given as its text, and answers the key identifier of the token that signed it
/// and the header's lifetime. `secret` looks the token's key up. Repeats within the lifetime are the caller's to see.
pub fn verify(
    message: &str,
    limits: &Limits,
    secret: impl FnOnce(&str) -> Option<Vec<u8>>,
    now: Timestamp,
    skew: SignedDuration,
) -> Result<(String, Lifetime), Refusal> {
    // Everything that is judged is read from what is signed: there may be a second timestamp in the message.
    let root = xml::read(message, limits).map_err(Error::from)?;
    let canonical = |ns: &str, name: &str| -> Result<String, Error> {
        xml::canonical(message, ns, name, limits)?.ok_or_else(|| missing(name))
    };
    let stamp = canonical(UTILITY, "Timestamp")?;
    let signed = canonical(DSIG, "SignedInfo")?;
    let info = xml::read(&signed, limits).map_err(Error::from)?;
    let signature = root.find(DSIG, "Signature").ok_or_else(|| missing("Signature"))?;
    let key = key_of(part(signature, "KeyInfo")?)?;
    let secret = secret(&key).ok_or(Refusal::Unknown)?;
    let value = base64(&text(signature, "SignatureValue")?)?;
    if !same(&value, &hmac_sha1(&secret, signed.as_bytes())) {
        return Err(Refusal::Signature);
    }
    let stamped = xml::read(&stamp, limits).map_err(Error::from)?;
    let lifetime = Lifetime::read(&stamped)?;
    let digest = digest_of(&info, &stamped)?;
    if !same(&digest, &Sha1::from(stamp.as_bytes()).digest().bytes()) {
        return Err(Refusal::Signature);
    }
    let early = lifetime.created.checked_sub(skew).unwrap_or(Timestamp::MIN);
    let late = lifetime.expires.checked_add(skew).unwrap_or(Timestamp::MAX);
    if now < early || now > late {
        return Err(Refusal::Expired);
    }
    Ok((key, lifetime))
}

/// The digest that `SignedInfo` gives for the timestamp, when its methods are the ones we speak.
fn digest_of(info: &Element, stamp: &Element) -> Result<Vec<u8>, Refusal> {
    let by = |at: Option<&Element>, algorithm: &str| at.and_then(|at| at.get("Algorithm")) == Some(algorithm);
    let reference = part(info, "Reference")?;
    let transforms = part(reference, "Transforms")?;
    let id = stamp.attributes.iter().find(|attribute| attribute.name.is(UTILITY, "Id"));
    let named = id.is_some_and(|id| reference.get("URI") == Some(&format!("#{}", id.value)));
    let known = by(info.child("CanonicalizationMethod"), EXCLUSIVE)
        && by(info.child("SignatureMethod"), HMAC_SHA1)
        && by(reference.child("DigestMethod"), SHA1)
        && transforms.children.len() == 1
        && by(transforms.children.first(), EXCLUSIVE)
        && info.each("Reference").count() == 1;
    match named && known {
        true => Ok(base64(&text(reference, "DigestValue")?)?),
        false => Err(Refusal::Method),
    }
}

/// Compares without saying by the time it takes where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::hmac_sha1;

    #[track_caller]
    fn check(key: &[u8], text: &[u8], expected: &str) {
        let hex: String = hmac_sha1(key, text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    /// RFC 2202, cases 1, 2 and 6.
    #[test]
    fn hmac_vectors() {
        check(&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00");
        check(b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        check(
            &[0xaa; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "aa4ae5e15272d00e95705637ce8a3b55ed402112",
        );
    }
}
