//! What is found about mails signed by dkimpy and by the authors of RFC 8463, and about forgeries of them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postroom_core::mail::Authentication;
use postroom_mail::trust::dns::{Dns, Missing};
use postroom_mail::trust::{Evaluator, Options, Outcome, Peer, Policy};
use proptest::prelude::*;

use super::{ACME, OTHER, data, evaluator, found};

const ANNA: &str = "anna@acme.example";

#[track_caller]
fn check(verdicts: &postroom_mail::trust::Verdicts, evidence: &str, word: Authentication) {
    assert!(verdicts.to_string().starts_with(evidence), "{verdicts}");
    assert_eq!(verdicts.authentication(), word, "{verdicts}");
}

#[tokio::test]
async fn mails_signed_by_others() {
    for name in ["dkimpy-relaxed.eml", "dkimpy-simple.eml"] {
        let verdicts = found("", OTHER, "bounce@elsewhere.example", &data(name)).await;
        check(
            &verdicts,
            "dmarc=pass (p=reject); spf=none; dkim=pass; arc=none; aligned=yes",
            Authentication::Pass,
        );
        assert_eq!(verdicts.from_domain.as_deref(), Some("acme.example"));
    }
    // No DMARC record: the signature of the very domain is enough.
    let verdicts = found("", OTHER, "", &data("rfc8463.eml")).await;
    check(&verdicts, "dmarc=none (p=none); spf=none; dkim=pass; arc=none; aligned=yes", Authentication::Pass);
}

/// Each signature holds by itself: without it, the other is found.
#[tokio::test]
async fn each_algorithm() {
    for name in ["dkimpy-relaxed.eml", "dkimpy-simple.eml", "rfc8463.eml"] {
        for algorithm in ["a=rsa-sha256", "a=ed25519-sha256"] {
            let text = String::from_utf8(data(name)).unwrap().replacen(algorithm, "a=unheard-of", 1);
            let verdicts = found("", OTHER, "", text.as_bytes()).await;
            assert_eq!(verdicts.dkim, Outcome::Pass, "{name} without {algorithm}");
        }
    }
}

#[tokio::test]
async fn changed_mails_fail() {
    let good = String::from_utf8(data("dkimpy-relaxed.eml")).unwrap();
    for (was, is) in [
        ("Subject: An offer", "Subject: An order"),
        ("spaces", "places"),
        ("From: =?utf-8?q?J=C3=BCrgen?=", "From: Mallory"),
        // An oversigned header cannot be added.
        ("To: desk", "Subject: Pay now\r\nTo: desk"),
    ] {
        let bad = good.replace(was, is);
        assert_ne!(bad, good);
        let verdicts = found("", OTHER, ANNA, bad.as_bytes()).await;
        check(&verdicts, "dmarc=fail (p=reject); spf=fail", Authentication::Fail);
    }
}

#[tokio::test]
async fn spf_alone() {
    let plain = b"From: anna@acme.example\r\nSubject: x\r\n\r\nHello\r\n";
    let verdicts = found("", ACME, ANNA, plain).await;
    check(&verdicts, "dmarc=pass (p=reject); spf=pass; dkim=none", Authentication::Pass);
    let verdicts = found("", OTHER, ANNA, plain).await;
    check(&verdicts, "dmarc=fail (p=reject); spf=fail; dkim=none", Authentication::Fail);
    // A pass for somebody else's domain says nothing about From.
    let evil = "evil.example TXT v=spf1 ip4:203.0.113.0/24 -all\n";
    let verdicts = found(evil, OTHER, "x@evil.example", plain).await;
    check(
        &verdicts,
        "dmarc=fail (p=reject); spf=pass; dkim=none; arc=none; aligned=no",
        Authentication::Fail,
    );
}

/// Each mechanism that needs more of DNS than one record.
#[tokio::test]
async fn spf_through_dns() {
    let plain = b"From: a@b.example\r\nSubject: x\r\n\r\nHello\r\n";
    let more = "
        mx.b.example A 203.0.113.10
        mx.b.example AAAA 2001:db8::10
        b.example MX 10 mx.b.example
        203.0.113.10 PTR mx.b.example
        yes.b.example A 127.0.0.2
        in.b.example TXT v=spf1 a:mx.b.example -all
        bad.b.example FAIL
    ";
    for (record, outcome) in [
        ("mx -all", Outcome::Pass),
        ("a -all", Outcome::Fail),
        ("a:mx.b.example -all", Outcome::Pass),
        ("include:in.b.example -all", Outcome::Pass),
        ("redirect=in.b.example", Outcome::Pass),
        ("exists:yes.b.example -all", Outcome::Pass),
        ("exists:no.b.example -all", Outcome::Fail),
        ("ptr:b.example -all", Outcome::Pass),
        ("~all", Outcome::Fail),
        ("?all", Outcome::Neutral),
        ("include:nowhere.example -all", Outcome::PermError),
        ("a:bad.b.example -all", Outcome::TempError),
    ] {
        let zone = format!("{more}\nb.example TXT v=spf1 {record}\n");
        let verdicts = found(&zone, OTHER, "a@b.example", plain).await;
        assert_eq!(verdicts.spf, outcome, "{record}");
        let six: IpAddr = "2001:db8::10".parse().unwrap();
        if record.contains("mx") && outcome == Outcome::Pass {
            assert_eq!(found(&zone, six, "a@b.example", plain).await.spf, Outcome::Pass, "{record}, IPv6");
        }
    }
}

#[tokio::test]
async fn a_policy_of_none_blames_nobody() {
    let plain = b"From: a@b.example\r\nSubject: x\r\n\r\nHello\r\n";
    for (policy, word) in [
        ("none", Authentication::Unknown),
        ("quarantine", Authentication::Fail),
        ("reject", Authentication::Fail),
    ] {
        let zone = format!("b.example TXT v=spf1 -all\n_dmarc.b.example TXT v=DMARC1; p={policy}\n");
        assert_eq!(found(&zone, OTHER, "a@b.example", plain).await.authentication(), word, "{policy}");
    }
    // Nothing published at all.
    assert_eq!(found("", OTHER, "a@b.example", plain).await.authentication(), Authentication::Unknown);
}

/// A signature by a domain that has nothing to do with From, and two From with different domains.
#[tokio::test]
async fn signed_by_somebody_else() {
    let good = data("dkimpy-relaxed.eml");
    let forged = [b"From: ceo@bank.example\r\n", &good[..]].concat();
    let verdicts = found("", OTHER, "", &forged).await;
    assert_eq!((verdicts.authentication(), verdicts.from_domain), (Authentication::Unknown, None));
    let text = String::from_utf8(data("rfc8463.eml")).unwrap();
    let verdicts =
        found("", OTHER, "", text.replace("joe@football.example.com", "joe@football.example.org").as_bytes())
            .await;
    assert_eq!(verdicts.authentication(), Authentication::Unknown);
}

#[tokio::test]
async fn a_list_we_believe_takes_the_blame_away() {
    let mail = data("dkimpy-list.eml");
    let peer = Peer { address: OTHER, hello: "lists.example", from: "list-bounces@lists.example" };
    let judge = async |sealers: &[&str], mail: &[u8]| {
        let sealers = sealers.iter().map(|&sealer| sealer.to_owned()).collect();
        let evaluator = evaluator("", Options { sealers, ..Options::new("mx.ours.example") }).await;
        evaluator.evaluate(peer, mail).await
    };
    let verdicts = judge(&[], &mail).await;
    check(&verdicts, "dmarc=fail (p=reject); spf=none; dkim=fail; arc=pass", Authentication::Fail);
    assert_eq!(judge(&["other.example"], &mail).await.authentication(), Authentication::Fail);
    assert_eq!(judge(&["Lists.example"], &mail).await.authentication(), Authentication::Unknown);
    // A chain that does not hold vouches for nothing.
    let broken = String::from_utf8(mail).unwrap().replace("spaces", "places");
    assert_eq!(judge(&["lists.example"], broken.as_bytes()).await.authentication(), Authentication::Fail);
}

#[tokio::test]
async fn trouble_with_dns_is_not_held_against_the_sender() {
    let mail = data("dkimpy-relaxed.eml");
    let spoilt =
        "rsa._domainkey.acme.example FAIL\ned._domainkey.acme.example FAIL\nelsewhere.example FAIL\n";
    let verdicts = found(spoilt, OTHER, "x@elsewhere.example", &mail).await;
    check(&verdicts, "dmarc=temperror (p=reject); spf=temperror; dkim=temperror", Authentication::Unknown);
    assert_eq!(verdicts.policy, Policy::Reject);
    let verdicts =
        found("_dmarc.acme.example FAIL\n", OTHER, "x@elsewhere.example", b"From: a@acme.example\r\n\r\n")
            .await;
    assert_eq!(verdicts.authentication(), Authentication::Unknown);
}

/// A resolver that never answers.
struct Silence;

#[async_trait]
impl Dns for Silence {
    async fn txt(&self, _: &str) -> Result<Vec<Vec<u8>>, Missing> {
        std::future::pending().await
    }
    async fn mx(&self, _: &str) -> Result<Vec<(u16, String)>, Missing> {
        std::future::pending().await
    }
    async fn a(&self, _: &str) -> Result<Vec<std::net::Ipv4Addr>, Missing> {
        std::future::pending().await
    }
    async fn aaaa(&self, _: &str) -> Result<Vec<std::net::Ipv6Addr>, Missing> {
        std::future::pending().await
    }
    async fn ptr(&self, _: IpAddr) -> Result<Vec<String>, Missing> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_silent_resolver_costs_a_bounded_time() {
    let options = Options { limit: Duration::from_millis(100), ..Options::new("mx.ours.example") };
    let evaluator = Evaluator::start(Arc::new(Silence), options).await.unwrap();
    let peer = Peer { address: OTHER, hello: "x.example", from: ANNA };
    let started = std::time::Instant::now();
    let verdicts = evaluator.evaluate(peer, &data("dkimpy-relaxed.eml")).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    check(&verdicts, "not evaluated: DNS did not answer in time", Authentication::Unknown);
}

#[tokio::test]
async fn our_own_servers_are_not_asked() {
    let mail = data("dkimpy-relaxed.eml");
    let options =
        Options { trusted: vec!["203.0.113.0/24".parse().unwrap()], ..Options::new("mx.ours.example") };
    let evaluator = evaluator("", options).await;
    for (address, asked) in [
        ("127.0.0.1", false),
        ("::1", false),
        ("::ffff:127.0.0.1", false),
        ("203.0.113.9", false),
        ("192.0.2.1", true),
    ] {
        let peer = Peer { address: address.parse().unwrap(), hello: "x.example", from: ANNA };
        let verdicts = evaluator.evaluate(peer, &mail).await;
        assert_eq!(verdicts.skipped.is_none(), asked, "{address}");
    }
}

#[tokio::test]
async fn too_many_signatures_are_an_attack() {
    let mail = [b"DKIM-Signature: x\r\n".repeat(21), data("dkimpy-relaxed.eml")].concat();
    check(
        &found("", OTHER, ANNA, &mail).await,
        "not evaluated: too many signatures",
        Authentication::Unknown,
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Damaged mails neither pass nor bring the evaluation down.
    #[test]
    fn damaged_mails(cut in 0usize..2000, byte in any::<u8>()) {
        let mut mail = data("dkimpy-list.eml");
        let at = cut % mail.len();
        mail[at] = byte;
        mail.truncate(mail.len() - cut / 2 % mail.len());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let verdicts = runtime.block_on(found("", OTHER, "list-bounces@lists.example", &mail));
        prop_assert_ne!(verdicts.authentication(), Authentication::Pass);
    }
}
