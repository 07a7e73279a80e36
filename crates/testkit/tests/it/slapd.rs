//! slapd: persons are found by each of their names, by those who may read.

use std::process::{Command, Stdio};

use postroom_testkit::peers::{self, Certificate, Person, Slapd};

fn people() -> Vec<Person> {
    vec![
        Person::new("John B Goode", &["Sales", "East"], Some("john@acme.example"), "jgoode"),
        Person::new("J\u{f6}rg M\u{fc}ller", &["Sales", "East"], Some("joerg@acme.example"), "jmueller"),
        Person::new("No Address", &[], None, "noaddr"),
    ]
}

/// What OpenSSL's client sees of the LDAPS port.
fn handshake(slapd: &Slapd) -> String {
    let mut command = Command::new(peers::require("openssl"));
    command.args(["s_client", "-connect", &slapd.ldaps().to_string()]).stdin(Stdio::null());
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

/// The DNs that a search finds.
fn search(slapd: &Slapd, password: &str, filter: &str) -> Vec<String> {
    let mut command = Command::new(peers::require("ldapsearch"));
    command.args(["-x", "-LLL", "-o", "ldif-wrap=no", "-H", &format!("ldap://{}", slapd.ldap())]);
    command.args(["-D", &slapd.bind_dn(), "-w", password, "-b", &slapd.base(), filter, "dn"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.starts_with("dn:")).map(str::to_owned).collect()
}

#[test]
fn persons_are_found_by_each_name() {
    let slapd = Slapd::start("Acme", &people());
    let goode = ["dn: cn=John B Goode,ou=Sales,ou=East,o=Acme"];
    for filter in [
        "cn=john b goode",
        "displayName=John B Goode/Sales/East/Acme",
        "uid=jgoode",
        "mail=JOHN@acme.example",
    ] {
        assert_eq!(search(&slapd, Slapd::PASSWORD, filter), goode, "{filter}");
    }
    assert_eq!(search(&slapd, Slapd::PASSWORD, "displayName=J\u{f6}rg M\u{fc}ller/Sales/East/Acme").len(), 1);
    assert_eq!(search(&slapd, Slapd::PASSWORD, "(&(objectClass=inetOrgPerson)(!(mail=*)))").len(), 1);
    assert_eq!(slapd.searches(), 6);
    assert!(search(&slapd, "wrong", "uid=jgoode").is_empty());
}

#[test]
fn persons_are_added() {
    let slapd = Slapd::start("Acme", &people());
    slapd.add(&[
        Person::new("Ann Ash", &["Sales", "East"], None, "ann"),
        Person::new("Bo Bay", &["West"], None, "bo"),
    ]);
    assert_eq!(search(&slapd, Slapd::PASSWORD, "uid=ann").len(), 1);
    assert_eq!(search(&slapd, Slapd::PASSWORD, "uid=bo"), ["dn: cn=Bo Bay,ou=West,o=Acme"]);
}

#[test]
fn it_speaks_tls() {
    let slapd = Slapd::with_tls("Acme", &people(), &Certificate::local());
    let said = handshake(&slapd);
    assert!(said.contains("-----BEGIN CERTIFICATE-----"), "{said}");
}
