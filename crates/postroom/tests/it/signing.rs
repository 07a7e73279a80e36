//! Every way to sign in that needs somebody before the CRM's doors, through the real binary: `check crm` says that all is
//! well, one mail is filed; and with a wrong password, host or certificate `check crm` names the setting and the next step.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::LazyLock;

use postroom_sandbox::identity::windows::Front as WindowsFront;
use postroom_sandbox::identity::{Application, User};
use postroom_testkit::{net, peers};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;

use crate::fronts::{self, Front};
use crate::house::House;
use crate::outside::{says, steps};

const SUPPORT: &str = "support@ours.example";
const CASE: &str = "00000000-0000-4000-8000-000000000001";
const CLIENT: &str = "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11";
const NAME: &str = r"OURS\postroom";
const PASSWORD: &str = "Wintermorgen 7";
const WRONG: &str = "Sommerabend 8";
const USER: &str = "username = \"OURS\\\\postroom\"\npassword = { file = \"FOLDER/password\" }\n";
const BY_CERTIFICATE: &str = "client_id = \"6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"\ntenant = \"ours\"\n\
     client_certificate = \"FOLDER/app.pem\"\nclient_private_key = { file = \"FOLDER/app.key\" }\n";

/// A CRM with a case, and somebody of the customer's.
static CRM: LazyLock<House> = LazyLock::new(|| {
    let house = House::open("");
    let anna = "00000000-0000-4000-8000-000000000003";
    house.records(&[
        json!({"table": "queue", "id": "00000000-0000-4000-8000-000000000002", "columns": {"name": "Support", "emailaddress": SUPPORT}}),
        json!({"table": "contact", "id": anna, "columns": {"lastname": "Adler", "emailaddress1": "anna@customer.example"}}),
        json!({"table": "incident", "id": CASE, "columns": {"title": "Pump", "customerid": format!("contact/{anna}")}}),
    ]);
    house
});

static WINDOWS: LazyLock<WindowsFront> = LazyLock::new(|| fronts::windows(CRM.place(), user()));

static TOKENS: LazyLock<Front> = LazyLock::new(|| {
    let certificates = vec![CERTIFICATES.good.der().to_vec(), CERTIFICATES.ended.der().to_vec()];
    let application = Application { client_id: CLIENT.into(), secret: None, certificates };
    Front::with_tokens(CRM.place(), application, user())
});

static CLAIMS: LazyLock<Front> = LazyLock::new(|| Front::with_claims(CRM.place(), user()));

fn user() -> User {
    User { name: NAME.into(), password: PASSWORD.into() }
}

/// Certificates of one RSA key, which takes its time to be found.
struct Certificates {
    key: String,
    good: rcgen::Certificate,
    ended: rcgen::Certificate,
    /// That nobody uploaded.
    strange: rcgen::Certificate,
}

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let mut openssl = Command::new(peers::require("openssl"));
    let made = openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]).output();
    let key = String::from_utf8(made.expect("openssl starts").stdout).expect("PEM is a text");
    let pair = KeyPair::from_pem(&key).expect("openssl made an RSA key");
    let until = |year, name: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a good name");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        params.self_signed(&pair).expect("the key signs")
    };
    Certificates {
        good: until(2100, "postroom"),
        ended: until(2021, "postroom"),
        strange: until(2100, "stranger"),
        key,
    }
});

/// A house that works with this CRM, without a server.
fn house(kind: &str, origin: &str, keys: &str, password: &str, certificate: &rcgen::Certificate) -> House {
    let house = House::quiet(&format!(
        "[crm]\nkind = \"{kind}\"\norg_url = \"{origin}\"\n{keys}\n[mailboxes.support]\naddress = \"{SUPPORT}\"\n"
    ));
    house.write("app.pem", certificate.pem().as_bytes());
    for (name, text) in [("password", password), ("app.key", CERTIFICATES.key.as_str())] {
        let file = house.write(name, text.as_bytes());
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }
    house
}

/// The connection is tested, and a mail goes on its record.
#[track_caller]
fn works(kind: &str, origin: &str, keys: &str) {
    let house = house(kind, origin, keys, PASSWORD, &CERTIFICATES.good);
    let (exit, found) = steps(&house);
    says(&found, "sign_in", true, "takes it");
    says(&found, "user", true, "Postroom Administrator");
    says(&found, "privileges", true, "the user has all");
    assert_eq!((exit, found.len()), (0, 10), "{found:#?}");
    let house = house.started();
    let id = format!("<drip-{}@customer.example>", house.http.expect("it listens").port());
    let mail = format!(
        "From: Anna <anna@customer.example>\r\nTo: <{SUPPORT}>\r\nSubject: It drips CRM: {CASE}:MRC\r\n\
         Message-ID: {id}\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\r\nHelp\r\n"
    );
    let filed = house.filed("anna@customer.example", &[SUPPORT], mail);
    assert_eq!((&filed["state"], &filed["record"]["id"]), (&json!("tracked"), &json!(CASE)), "{filed}");
    assert_eq!(CRM.rows("email", "messageid", &id).len(), 1, "{filed}");
}

/// `check crm` fails at this step, with these words.
#[track_caller]
fn fails(house: &House, step: &str, words: &[&str]) {
    let (exit, found) = steps(house);
    words.iter().for_each(|words| says(&found, step, false, words));
    assert_ne!(exit, 0, "{found:#?}");
}

/// An address of this machine on which nobody listens.
fn nowhere() -> String {
    format!("http://127.0.0.1:{}", net::free_port())
}

fn adfs(authority: &str) -> String {
    format!("sign_in = \"adfs\"\nclient_id = \"{CLIENT}\"\n{USER}{authority}")
}

fn authority(url: &str) -> String {
    format!("authority = \"{url}\"\n")
}

#[test]
fn a_windows_account_at_the_web_api() {
    works("webapi", &WINDOWS.url(), USER);
}

#[test]
fn a_windows_account_over_soap() {
    works("soap", &WINDOWS.url(), USER);
}

#[test]
fn a_windows_account_that_is_refused() {
    for kind in ["webapi", "soap"] {
        let wrong = house(kind, &WINDOWS.url(), USER, WRONG, &CERTIFICATES.good);
        fails(&wrong, "sign_in", &["crm.username", "crm.password", "neither locked nor expired"]);
        // Doors that know no Windows sign-in.
        let wrong = house(kind, &TOKENS.origin, USER, PASSWORD, &CERTIFICATES.good);
        fails(&wrong, "sign_in", &["no Windows sign-in", "crm.org_url", "crm.sign_in"]);
        let wrong = house(kind, &nowhere(), USER, PASSWORD, &CERTIFICATES.good);
        fails(&wrong, "tls", &["cannot be connected to", "crm.org_url", "crm.proxy"]);
    }
}

#[test]
fn a_certificate_at_the_web_api() {
    works("webapi", &TOKENS.origin, &format!("{BY_CERTIFICATE}{}", authority(&TOKENS.identity.url())));
}

#[test]
fn a_certificate_over_soap() {
    works("soap", &TOKENS.origin, &format!("{BY_CERTIFICATE}{}", authority(&TOKENS.identity.url())));
}

#[test]
fn a_certificate_that_is_refused() {
    let at = |url: &str, keys: &str, certificate| {
        house("webapi", &TOKENS.origin, &format!("{keys}{}", authority(url)), PASSWORD, certificate)
    };
    let provider = TOKENS.identity.url();
    let wrong = at(&provider, BY_CERTIFICATE, &CERTIFICATES.ended);
    fails(
        &wrong,
        "sign_in",
        &["ended on 2021-01-01", "set crm.client_certificate and crm.client_private_key"],
    );
    let wrong = at(&provider, BY_CERTIFICATE, &CERTIFICATES.strange);
    fails(&wrong, "sign_in", &["not the application's", "crm.client_certificate"]);
    let wrong = at(&provider, &BY_CERTIFICATE.replace("\"ours\"", "\"theirs\""), &CERTIFICATES.good);
    fails(&wrong, "sign_in", &["check crm.tenant"]);
    let wrong = at(&provider, &BY_CERTIFICATE.replace(CLIENT, "nobody"), &CERTIFICATES.good);
    fails(&wrong, "sign_in", &["check crm.client_id and crm.tenant"]);
    let nowhere = nowhere();
    fails(&at(&nowhere, BY_CERTIFICATE, &CERTIFICATES.good), "sign_in", &[&nowhere, "check crm.authority"]);
    // An identity provider that takes no certificates: that of a postroom's own doors.
    let other = CRM.place().origin;
    fails(
        &at(&other, BY_CERTIFICATE, &CERTIFICATES.good),
        "sign_in",
        &["not taken here", "crm.client_certificate"],
    );
}

#[test]
fn a_user_at_ad_fs() {
    works("webapi", &TOKENS.origin, &adfs(&authority(&TOKENS.identity.url())));
}

/// The challenge of the CRM's 401 says where AD FS is.
#[test]
fn a_user_at_the_ad_fs_that_the_crm_names() {
    works("webapi", &TOKENS.origin, &adfs(""));
}

#[test]
fn a_user_at_ad_fs_that_is_refused() {
    let at = |authority: &str, password| {
        house("webapi", &TOKENS.origin, &adfs(authority), password, &CERTIFICATES.good)
    };
    fails(
        &at(&authority(&TOKENS.identity.url()), WRONG),
        "sign_in",
        &["check crm.username and crm.password"],
    );
    fails(&at("", WRONG), "sign_in", &["check crm.username and crm.password"]);
    let nowhere = nowhere();
    fails(&at(&authority(&nowhere), PASSWORD), "sign_in", &[&nowhere, "check crm.authority"]);
    fails(&at(&authority(&WINDOWS.url()), PASSWORD), "sign_in", &["check crm.authority"]);
}

fn claims(authority: &str) -> String {
    format!("sign_in = \"ws_trust\"\n{USER}{authority}")
}

#[test]
fn claims_of_the_token_service_that_is_set() {
    works("soap", &CLAIMS.origin, &claims(&authority(&CLAIMS.token_service())));
}

/// Only the organisation service's WSDL knows the token service.
#[test]
fn claims_of_the_token_service_that_the_crm_names() {
    works("soap", &CLAIMS.origin, &claims(""));
}

#[test]
fn claims_that_are_refused() {
    let at = |authority: &str, password| {
        house("soap", &CLAIMS.origin, &claims(authority), password, &CERTIFICATES.good)
    };
    for authority in [authority(&CLAIMS.token_service()), String::new()] {
        fails(&at(&authority, WRONG), "sign_in", &["check crm.username and crm.password", "relying party"]);
    }
    let nowhere = format!("{}/adfs/services/trust/13/usernamemixed", nowhere());
    fails(&at(&authority(&nowhere), PASSWORD), "sign_in", &[&nowhere, "check crm.authority"]);
    let other = format!("{}/adfs/services/trust", CLAIMS.identity.url());
    fails(&at(&authority(&other), PASSWORD), "sign_in", &["check crm.authority"]);
    // Without claims nobody comes in there: not with an account, not with a token.
    let account = house("soap", &CLAIMS.origin, USER, PASSWORD, &CERTIFICATES.good);
    fails(&account, "sign_in", &[""]);
}
