//! The doors of the embedded CRM in the running binary: who comes in as whom, over plain HTTP and over TLS.

use std::process::Command;
use std::sync::LazyLock;

use postroom_testkit::peers;
use serde_json::{Value, json};

use crate::api::wire::{Answer, get, post};
use crate::house::House;

const INES: &str = "00000000-0000-4000-8000-000000000001";
const OTTO: &str = "00000000-0000-4000-8000-000000000002";
const DISABLED: &str = "00000000-0000-4000-8000-000000000003";
/// What the directory calls Otto.
const OTTO_THERE: &str = "00000000-0000-4000-8000-0000000000aa";

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let house = House::open("");
    furnish(&house);
    house
});

fn furnish(house: &House) {
    let user = |id: &str, name: &str, more: Value| {
        let mut columns = json!({
            "firstname": name, "lastname": "Fischer", "domainname": format!("OURS\\{name}"),
            "internalemailaddress": format!("{name}@ours.example"),
        });
        columns.as_object_mut().expect("it is one").extend(more.as_object().expect("it is one").clone());
        json!({"table": "systemuser", "id": id, "columns": columns})
    };
    house.records(&[
        user(INES, "ines", json!({})),
        user(OTTO, "otto", json!({"azureactivedirectoryobjectid": OTTO_THERE})),
        user(DISABLED, "dora", json!({"isdisabled": true})),
        json!({"table": "contact", "id": "00000000-0000-4000-8000-000000000009", "columns": {"lastname": "Adler"}}),
    ]);
}

/// A token that acts as this user, or as the administrator.
fn token(house: &House, user: Option<&str>) -> Value {
    let mut arguments = vec!["apitoken", "create", "--scope", "crm"];
    arguments.extend(user.map(|user| ["--user", user]).into_iter().flatten());
    house.one(&arguments)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[track_caller]
fn ask(token: &Value, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = get(format!("/api/data/v9.2/{path}")).bearer(text(&token["token"]));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.to(HOUSE.http.expect("it listens"))
}

#[track_caller]
fn refuses(answer: Answer, status: u16, code: &str) {
    let answer = answer.answers(status);
    assert_eq!(answer.json()["error"]["code"], json!(code), "{}", answer.text());
    assert!(!text(&answer.json()["error"]["message"]).is_empty());
    assert!(!answer.header("x-ms-service-request-id").is_empty());
    assert_eq!(answer.header("odata-version"), "4.0");
}

#[test]
fn the_administrators_token_reads_the_crm() {
    let answer = ask(&token(&HOUSE, None), "contacts?$select=lastname", &[]).answers(200);
    assert_eq!(answer.json()["value"][0]["lastname"], json!("Adler"));
    let at = HOUSE.http.expect("it listens");
    let context = format!("http://{at}/api/data/v9.2/$metadata#contacts(lastname)");
    assert_eq!(answer.json()["@odata.context"], json!(context));
}

#[test]
fn a_user_is_named_in_any_way_and_has_his_own_rights() {
    for name in [INES, "ines Fischer", "OURS\\ines", "ines@ours.example", "INES@OURS.EXAMPLE"] {
        let made = token(&HOUSE, Some(name));
        assert_eq!(made["user"], json!(INES), "{name}");
        refuses(ask(&made, "contacts", &[]), 403, "0x80040220");
    }
    let run = HOUSE.run(&["apitoken", "create", "--scope", "crm", "--user", "nobody"]);
    assert_eq!(run.exit, 5, "{}", run.err);
    let listed = HOUSE.list(&["apitoken", "list"]);
    assert!(listed.iter().any(|token| token["user"] == json!(INES)));
}

#[test]
fn strangers_and_other_scopes_are_refused_as_dynamics_does() {
    let nobody = json!({"token": "prm_0000"});
    refuses(ask(&nobody, "contacts", &[]), 401, "0x80040204");
    let agent = HOUSE.one(&["apitoken", "create", "--scope", "agent"]);
    refuses(ask(&agent, "contacts", &[]), 403, "0x80048405");
    let soap = post("/XRMServices/2011/Organization.svc/web", "text/xml", "<x/>");
    let answer = soap.bearer(text(&agent["token"])).to(HOUSE.http.expect("it listens")).answers(403);
    assert!(answer.text().contains("<ErrorCode>-2147187707</ErrorCode>"), "{}", answer.text());
}

#[test]
fn a_disabled_user_is_refused_everywhere() {
    let made = token(&HOUSE, Some(DISABLED));
    refuses(ask(&made, "contacts", &[]), 403, "0x80040225");
    let form = format!("grant_type=client_credentials&client_secret={}", text(&made["token"]));
    let request = post("/x/oauth2/v2.0/token", "application/x-www-form-urlencoded", form);
    let answer = request.to(HOUSE.http.expect("it listens")).answers(400);
    assert_eq!(answer.json()["error_codes"], json!([50_057]), "{}", answer.text());
}

#[test]
fn the_administrator_acts_for_others() {
    let administrator = token(&HOUSE, None);
    ask(&administrator, "systemusers", &[]).answers(200);
    for headers in [("MSCRMCallerID", OTTO), ("CallerObjectId", OTTO_THERE)] {
        refuses(ask(&administrator, "contacts", &[headers]), 403, "0x80040220");
    }
    refuses(ask(&administrator, "contacts", &[("MSCRMCallerID", OTTO_THERE)]), 403, "0x80072560");
    refuses(ask(&administrator, "contacts", &[("CallerObjectId", OTTO)]), 403, "0x80072560");
    refuses(ask(&administrator, "contacts", &[("MSCRMCallerID", "otto")]), 400, "0x80040203");
    refuses(ask(&administrator, "contacts", &[("MSCRMCallerID", DISABLED)]), 403, "0x80040225");
    refuses(ask(&token(&HOUSE, Some(INES)), "contacts", &[("MSCRMCallerID", OTTO)]), 403, "0x8004a110");
}

#[test]
fn revoking_a_token_ends_what_was_given_for_it() {
    let made = token(&HOUSE, None);
    let form = format!("grant_type=password&username=u&password={}", text(&made["token"]));
    let request = post("/common/oauth2/token", "application/x-www-form-urlencoded", form);
    let given = request.to(HOUSE.http.expect("it listens")).answers(200).json();
    let access = json!({"token": given["access_token"]});
    ask(&access, "contacts", &[]).answers(200);
    HOUSE.one(&["apitoken", "revoke", text(&made["id"])]);
    refuses(ask(&access, "contacts", &[]), 401, "0x80040204");
}

#[test]
fn requests_are_counted_and_their_values_are_not_told() {
    let made = token(&HOUSE, None);
    ask(&made, "contacts?$filter=lastname%20eq%20'Secretive'", &[]).answers(200);
    ask(&made, "contacts(emailaddress1='secretive@x.example')", &[]);
    let metrics = get("/metrics").to(HOUSE.http.expect("it listens")).answers(200).text();
    assert!(
        metrics
            .contains("postroom_crm_door_requests_total{door=\"webapi\",operation=\"query\",status=\"200\"}")
    );
    assert!(metrics.contains("postroom_crm_door_seconds_bucket{door=\"webapi\",operation=\"query\""));
    assert!(!metrics.to_lowercase().contains("secretive"));
    assert!(!HOUSE.log().to_lowercase().contains("secretive"), "{}", HOUSE.log());
}

#[test]
fn curl_reaches_the_doors_over_tls_with_a_private_authority() {
    let curl = peers::require("curl");
    let house = House::with_https("[crm]\nservice_protection = true\n");
    let made = token(&house, None);
    let url = format!(
        "https://localhost:{}/api/data/v9.2/systemusers?$select=fullname",
        house.http.expect("it listens").port()
    );
    let bearer = format!("Authorization: Bearer {}", text(&made["token"]));
    for (version, expected) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let mut command = Command::new(&curl);
        command.args(["-sS", version, "-D", "-", "--compressed", "-H", &bearer, "--cacert"]);
        // The same connection twice.
        let output = command
            .arg(house.path("ca.pem"))
            .args([&url, &url])
            .args(["-w", "\n%{http_version} %{num_connects}\n"]);
        let output = output.output().expect("curl starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(
            said.contains(&format!("\n{expected} 1\n")) && said.contains(&format!("\n{expected} 0\n")),
            "{said}"
        );
        assert!(said.contains("x-ms-ratelimit-burst-remaining-xrm-requests: 599"), "{said}");
        let origin = url.split("/systemusers").next().expect("it has one");
        assert!(
            said.contains(&format!("\"@odata.context\":\"{origin}/$metadata#systemusers(fullname)\"")),
            "{said}"
        );
        assert!(
            !said.to_lowercase().contains("\nconnection:") && !said.contains("transfer-encoding"),
            "{said}"
        );
    }
    let strange = Command::new(&curl).args(["-sS", &url]).output().expect("curl starts");
    assert!(!strange.status.success(), "a client without the authority does not trust us");
}

fn described(house: &House) -> String {
    let request = get("/XRMServices/2011/Organization.svc?wsdl=wsdl0");
    request.to(house.http.expect("it listens")).answers(200).text()
}

#[test]
fn the_soap_description_says_how_to_sign_in() {
    let house = House::open(
        "[crm]\nsoap_deployment = \"federation\"\nsoap_issuer = \"http://sts.example.org/adfs/services/trust\"\n",
    );
    let text = described(&house);
    for said in ["Authentication>Federation<", "Identifier>http://sts.example.org/adfs/services/trust<"] {
        assert!(text.contains(said), "{said} is not in {text}");
    }
    assert!(!described(&HOUSE).contains("Authentication>"));
}
