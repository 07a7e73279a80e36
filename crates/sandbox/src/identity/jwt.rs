//! JSON Web Tokens (RFC 7519): those that the provider signs, and its public key (RFC 7517).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

const KEY_ID: &str = "sandbox";

/// The provider's key, a new one for each start.
pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub fn new() -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random);
        let made = made.expect("the system has random numbers");
        let pair = EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random);
        Signer(pair.expect("a key just made is a key"))
    }

    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": "ES256", "kid": KEY_ID });
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.expect("the system has random numbers");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The set of keys that others check with.
    pub fn keys(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let point = self.0.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        json!({ "keys": [{ "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": KEY_ID, "x": x, "y": y }] })
    }
}

/// Header and claims of a token, what was signed, and the signature. Nothing is checked.
pub(super) struct Parts<'t> {
    pub header: Value,
    pub claims: Value,
    pub signed: &'t str,
    pub signature: Vec<u8>,
}

pub(super) fn take_apart(token: &str) -> Option<Parts<'_>> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let json = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    Some(Parts {
        header: json(header)?,
        claims: json(claims)?,
        signed,
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
    })
}
