//! Our signatures, verified by our evaluator (which verifies other implementations' signatures too, see `verify`).

use bytes::Bytes;
use postroom_core::Secret;
use postroom_core::mail::Authentication;
use postroom_mail::trust::Outcome;
use postroom_mail::trust::dkim::{KeyError, Signer};

use super::{OTHER, data, found};

const MAIL: &str = "From: anna@acme.example\r\nTo: b@c.example\r\nSubject: An offer\r\nMessage-ID: <1@acme.example>\r\n\r\n.dot \r\n\r\nText\r\n\r\n";

fn signer(key: &str, selector: &str) -> Result<Signer, KeyError> {
    Signer::new("acme.example", selector, &Secret::new(String::from_utf8(data(key)).unwrap()))
}

#[tokio::test]
async fn signed_mails_verify() {
    for (key, selector) in [("key-rsa.pem", "rsa"), ("key-rsa-pkcs1.pem", "rsa"), ("key-ed25519.pem", "ed")] {
        let signed = signer(key, selector).unwrap().sign(&Bytes::from_static(MAIL.as_bytes())).unwrap();
        assert!(signed.ends_with(MAIL.as_bytes()), "the mail itself is not touched");
        let verdicts = found("", OTHER, "x@elsewhere.example", &signed).await;
        assert_eq!(
            (verdicts.dkim, verdicts.authentication()),
            (Outcome::Pass, Authentication::Pass),
            "{key}: {verdicts}"
        );
    }
}

/// Headers that a reader would see instead of the signed ones, or that were signed as absent.
#[tokio::test]
async fn nothing_can_be_added() {
    let signed = signer("key-rsa.pem", "rsa").unwrap().sign(&Bytes::from_static(MAIL.as_bytes())).unwrap();
    for added in [
        "From: mallory@acme.example",
        "Subject: Pay now",
        "Reply-To: mallory@evil.example",
        "Content-Type: text/html",
    ] {
        let changed = [added.as_bytes(), b"\r\n", &signed].concat();
        let verdicts = found("", OTHER, "x@elsewhere.example", &changed).await;
        assert_eq!(verdicts.authentication(), Authentication::Fail, "{added}");
    }
    // What servers on the way add does no harm.
    let relayed = [b"Received: from x by y; Fri, 20 Nov 2026 10:00:00 +0100\r\n", &signed[..]].concat();
    assert_eq!(found("", OTHER, "", &relayed).await.dkim, Outcome::Pass);
}

#[test]
fn keys_that_cannot_sign() {
    let with = |pem: &str| Signer::new("acme.example", "s", &Secret::new(pem));
    assert!(matches!(with("no key"), Err(KeyError::Pem(_))));
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    assert!(matches!(with(&other), Err(KeyError::Kind)), "ECDSA is no DKIM algorithm");
    let bad = Signer::new(
        "acme.example; d=evil",
        "s",
        &Secret::new(String::from_utf8(data("key-rsa.pem")).unwrap()),
    );
    assert!(matches!(bad, Err(KeyError::Name(_))));
    assert!(!format!("{:?}", signer("key-rsa.pem", "rsa").unwrap()).contains("PRIVATE"));
}
