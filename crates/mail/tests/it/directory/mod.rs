//! Notes names resolved by a real LDAP server (OpenLDAP's slapd), with and without TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::{Clock, Directory, Fault, Secret, Verdict};
use postroom_mail::directory::{Ages, Cached, Chain, Ldap, Options, Table};
use postroom_mail::sender::{Fingerprint, Security};
use postroom_testkit::peers::{Certificate, Person, Slapd};
use tokio_rustls::rustls::pki_types::CertificateDer;

fn people() -> Vec<Person> {
    vec![
        Person::new("John B Goode", &["Sales", "East"], Some("goode@acme.example"), "jgoode"),
        Person::new("John Doe", &["Sales"], Some("john.doe@acme.example"), "jdoe"),
        Person::new("John Doe", &["Works"], Some("doe@acme.example"), "jdoe2"),
        Person::new("J\u{fc}rgen (EDV) M*ller", &["Works"], Some("jm@acme.example"), "jm"),
        Person::new("Paper Only", &["Works"], None, "paper"),
    ]
}

fn options(slapd: &Slapd, at: SocketAddr, security: Security) -> Options {
    Options {
        host: "127.0.0.1".to_owned(),
        port: at.port(),
        security,
        pin: None,
        roots: Vec::new(),
        bind: Some((slapd.bind_dn(), Secret::new(Slapd::PASSWORD))),
        base: slapd.base(),
        limit: Duration::from_secs(20),
    }
}

async fn resolve(directory: &dyn Directory, names: &[&str]) -> Result<BTreeMap<String, String>, Fault> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    Ok(directory.resolve(&names).await?.into_iter().collect())
}

#[tokio::test]
async fn names_in_all_their_forms() {
    let slapd = Slapd::start("Acme", &people());
    let ldap = Ldap::new(options(&slapd, slapd.ldap(), Security::None)).unwrap();
    let known = [
        ("CN=John B Goode/OU=Sales/OU=East/O=Acme", "goode@acme.example"),
        ("john b goode/sales/east/acme", "goode@acme.example"),
        ("cn=John B Goode,ou=Sales,ou=East,o=Acme", "goode@acme.example"),
        ("John_B_Goode/Sales/East/Acme%Acme@acme.example", "goode@acme.example"),
        ("John B Goode", "goode@acme.example"),
        ("jgoode", "goode@acme.example"),
        ("John Doe/Works/Acme@AcmeDomain", "doe@acme.example"),
        ("J\u{fc}rgen (EDV) M*ller/Works/Acme", "jm@acme.example"),
    ];
    let unknown = [
        "John Doe",
        "John Doe/Acme",
        "Paper Only/Works/Acme",
        "Nobody/Acme",
        "John B Goode/Elsewhere",
        "*",
        "anna@elsewhere.example",
        "",
    ];
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).chain(unknown).collect();
    let found = resolve(&ldap, &names).await.unwrap();
    let expected: BTreeMap<String, String> =
        known.iter().map(|(name, mail)| ((*name).to_owned(), (*mail).to_owned())).collect();
    assert_eq!(found, expected);
    assert_eq!(slapd.searches(), 1, "one search for all of them");
}

#[tokio::test]
async fn many_names_are_asked_in_batches() {
    let crowd: Vec<Person> = (0..120)
        .map(|number| {
            Person::new(
                &format!("Person {number}"),
                &["Crowd"],
                Some(&format!("p{number}@acme.example")),
                &format!("p{number}"),
            )
        })
        .collect();
    let slapd = Slapd::start("Acme", &crowd);
    let ldap = Ldap::new(options(&slapd, slapd.ldap(), Security::None)).unwrap();
    let names: Vec<String> = (0..120).map(|number| format!("Person {number}/Crowd/Acme")).collect();
    let found = ldap.resolve(&names).await.unwrap();
    assert!(names.iter().enumerate().all(|(number, name)| found[name] == format!("p{number}@acme.example")));
    assert_eq!(slapd.searches(), 3);
}

#[tokio::test]
async fn over_tls_with_root_or_pin() {
    let (certificate, other) = (Certificate::local(), Certificate::local());
    let slapd = Slapd::with_tls("Acme", &people(), &certificate);
    let der = |certificate: &Certificate| CertificateDer::from(certificate.der.clone());
    for (security, at) in [(Security::Implicit, slapd.ldaps()), (Security::StartTls, slapd.ldap())] {
        let plain = options(&slapd, at, security);
        let rooted = Options { roots: vec![der(&certificate)], ..plain.clone() };
        let pinned = Options { pin: Some(Fingerprint::of(&der(&certificate))), ..plain.clone() };
        for options in [rooted, pinned] {
            assert_eq!(
                resolve(&Ldap::new(options).unwrap(), &["jgoode"]).await.unwrap().len(),
                1,
                "{security:?}"
            );
        }
        let wrong = Options { pin: Some(Fingerprint::of(&der(&other))), ..plain.clone() };
        for options in [plain, wrong] {
            let fault = resolve(&Ldap::new(options).unwrap(), &["jgoode"]).await.unwrap_err();
            assert!(matches!(fault.verdict, Verdict::Hold) && fault.code.0 == 3202, "{security:?} {fault}");
        }
    }
}

#[tokio::test]
async fn refusals_hold_and_absence_is_tried_again() {
    let slapd = Slapd::start("Acme", &people());
    let good = options(&slapd, slapd.ldap(), Security::None);
    let verdict =
        async |options: Options| resolve(&Ldap::new(options).unwrap(), &["jgoode"]).await.unwrap_err();
    let password = Options { bind: Some((slapd.bind_dn(), Secret::new("guess-me"))), ..good.clone() };
    let fault = verdict(password).await;
    assert!(matches!(fault.verdict, Verdict::Hold) && fault.message.contains("49"), "{fault}");
    assert!(!format!("{fault:?}").contains("guess-me"));
    let base = Options { base: "o=Elsewhere".to_owned(), ..good.clone() };
    assert!(matches!(verdict(base).await.verdict, Verdict::Hold));
    let tls = Options { security: Security::StartTls, ..good.clone() };
    assert!(matches!(verdict(tls).await.verdict, Verdict::Hold), "no certificate, no StartTLS");
    let far = Options { host: "192.0.2.1".to_owned(), ..good.clone() };
    assert!(matches!(verdict(far).await.verdict, Verdict::Hold), "plain text stays on this machine");
    slapd.stop();
    let fault = verdict(good).await;
    assert!(matches!(fault.verdict, Verdict::Retry { .. }) && fault.code.0 == 3201, "{fault}");
}

/// Something that is no LDAP server: nothing panics, and it takes no longer than allowed.
#[tokio::test]
async fn a_server_that_speaks_something_else() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let mut kept = Vec::new();
        for said in [&b"220 mx ESMTP\r\n"[..], b"", b"\x30\x05\x02\x01\x01\x61\x00"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(said).await;
            kept.push(stream);
        }
        std::future::pending::<()>().await;
    });
    for _ in 0..3 {
        let options = Options {
            host: "127.0.0.1".to_owned(),
            port: at.port(),
            security: Security::None,
            pin: None,
            roots: Vec::new(),
            bind: None,
            base: "o=Acme".to_owned(),
            limit: Duration::from_millis(500),
        };
        let fault = resolve(&Ldap::new(options).unwrap(), &["jgoode"]).await.unwrap_err();
        assert!(matches!(fault.verdict, Verdict::Retry { .. }), "{fault}");
    }
}

#[tokio::test]
async fn the_table_first_and_each_name_once_a_day() {
    let slapd = Slapd::start("Acme", &people());
    let table = Table::new([("John Doe".to_owned(), "the.right.john@acme.example".to_owned())]);
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
    let ldap = Ldap::new(options(&slapd, slapd.ldap(), Security::None)).unwrap();
    let ldap = Cached::new(ldap, clock.clone(), Ages::default());
    let chain = Chain(vec![std::sync::Arc::new(table), std::sync::Arc::new(ldap)]);
    for (hours, searches) in [(0, 1), (1, 2), (22, 3), (0, 3), (1, 4)] {
        clock.advance(SignedDuration::from_hours(hours));
        let found = resolve(&chain, &["John Doe", "jgoode", "nobody"]).await.unwrap();
        assert_eq!(found.values().collect::<Vec<_>>(), ["the.right.john@acme.example", "goode@acme.example"]);
        assert_eq!(slapd.searches(), searches, "after {hours} more hours");
    }
}
