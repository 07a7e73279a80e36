//! The doors of the embedded CRM on the wire: who is let in, by which address, and how much. Behind the port stands a CRM
//! that says back what it was asked.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use postroom_core::{Clock, Code, CrmDoors, DoorKind, DoorRefusal, DoorReply, DoorRequest, Fault};
use postroom_operations::{Actor, DoorSettings, Limits, NewToken, Scope, TokenOrder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Answer, Call};
use crate::house::House;

const TENANT: Uuid = Uuid::from_u128(0x7e4a);
const ADMINISTRATOR: Uuid = Uuid::from_u128(0xad);
const MOST: u64 = 64 * 1024;

/// Says back what it was asked.
struct Echo {
    clock: Clock,
}

#[async_trait]
impl CrmDoors for Echo {
    fn tenant(&self) -> Uuid {
        TENANT
    }

    fn administrator(&self) -> Uuid {
        ADMINISTRATOR
    }

    async fn admits(&self, user: Uuid) -> Result<(), Fault> {
        match user == ADMINISTRATOR {
            true => Ok(()),
            false => Err(Fault::reject(Code::API_DENIED, "disabled")),
        }
    }

    async fn answer(&self, user: Uuid, request: DoorRequest) -> DoorReply {
        if request.url.ends_with("/panic") {
            panic!("as asked");
        }
        if let Some(seconds) = request.url.split("/take/").nth(1) {
            self.clock.advance(jiff::SignedDuration::from_secs(seconds.parse().unwrap()));
        }
        let size = request.url.split("/size/").nth(1).map_or(0, |size| size.parse().unwrap());
        let body = json!({
            "user": user,
            "door": request.kind.as_str(),
            "method": request.method.as_str(),
            "url": request.url,
            "origin": request.origin,
            "body": String::from_utf8_lossy(&request.body),
            "filler": "a".repeat(size),
        });
        reply(StatusCode::OK, &body)
    }

    fn describe(&self, request: &DoorRequest) -> Option<DoorReply> {
        request.url.ends_with("?wsdl").then(|| reply(StatusCode::OK, &json!({ "wsdl": request.origin })))
    }

    fn refuse(&self, request: &DoorRequest, refusal: &DoorRefusal) -> DoorReply {
        let body = json!({ "door": request.kind.as_str(), "code": format!("{:#x}", refusal.code), "message": refusal.message });
        let mut reply = reply(refusal.status, &body);
        if let Some(seconds) = refusal.retry_after {
            reply.headers.insert("retry-after", seconds.into());
        }
        reply
    }
}

fn reply(status: StatusCode, body: &Value) -> DoorReply {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json; odata.metadata=minimal"));
    DoorReply { status, headers, body: Bytes::from(body.to_string()) }
}

/// A house with open doors, and a token for them.
async fn open(protection: Option<Limits>) -> (House, String) {
    let settings = DoorSettings { key: [9; 32], protection, max_request: MOST };
    let house = House::with_doors(settings, |clock| Arc::new(Echo { clock })).await;
    let token = house.token(Scope::Crm).await;
    (house, token)
}

fn ask(house: &House, token: &str, path: &str) -> Call {
    house.get(path).bearer(token)
}

/// A token request.
fn sign_in(house: &House, path: &str, form: &str) -> Call {
    house.post(path).body("application/x-www-form-urlencoded", form)
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
}

#[tokio::test]
async fn a_token_of_scope_crm_opens_both_doors() {
    let (house, token) = open(None).await;
    for (path, door) in [
        ("/api/data/v9.2/contacts?$filter=a%20eq%20'b'", "webapi"),
        ("/Org/api/data/v8.2/", "webapi"),
        ("/api/data", "webapi"),
        ("/XRMServices/2011/Organization.svc/web?SDKClientVersion=9.1", "soap"),
    ] {
        let answer = ask(&house, &token, path).send().await;
        let said = answer.json();
        assert_eq!(
            (answer.status, said["door"].as_str(), said["url"].as_str()),
            (200, Some(door), Some(path))
        );
        assert_eq!(said["user"], json!(ADMINISTRATOR));
        assert_eq!(answer.header("content-type"), "application/json; odata.metadata=minimal");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn odd_characters_in_the_query_come_through() {
    let (house, token) = open(None).await;
    let path =
        "/api/data/v9.2/RetrieveTotalRecordCount(EntityNames=@p1)?@p1=['contact']&x={%22a%22:'b+c'}|^`,é";
    let answer = ask(&house, &token, path).send().await;
    assert_eq!((answer.status, answer.json()["url"].as_str()), (200, Some(path)), "{}", answer.text());
}

#[tokio::test]
async fn strangers_are_told_where_to_sign_in() {
    let (house, _) = open(None).await;
    let origin = format!("http://{}", house.at);
    let challenge =
        format!("Bearer authorization_uri={origin}/{TENANT}/oauth2/authorize, resource_id={origin}/");
    for path in
        ["/api/data", "/api/data/v9.2/contacts", "/XRMServices/2011/Organization.svc/web?SDKClientVersion=9"]
    {
        for call in [house.get(path), house.get(path).bearer("prm_00"), house.get(path).bearer("a.b.c")] {
            let answer = call.send().await;
            refused(&answer, 401, "0x80040204");
            assert_eq!(answer.header("www-authenticate"), challenge);
        }
        refused(&house.get(path).header("Authorization", "Basic eDp5").send().await, 401, "0x80040204");
    }
    let wsdl = house.get("/XRMServices/2011/Organization.svc?wsdl").send().await;
    assert_eq!((wsdl.status, wsdl.json()["wsdl"].as_str()), (200, Some(origin.as_str())));
}

#[tokio::test]
async fn tokens_of_other_scopes_stay_outside() {
    let (house, crm) = open(None).await;
    for scope in [Scope::Agent, Scope::Api] {
        let token = house.token(scope).await;
        refused(&ask(&house, &token, "/api/data/v9.2/").send().await, 403, "0x80048405");
        let form = format!("grant_type=client_credentials&client_secret={token}");
        assert_eq!(sign_in(&house, "/common/oauth2/token", &form).send().await.status, 401);
    }
    assert_eq!(house.get("/api/v1/today").bearer(&crm).send().await.status, 403, "and the other way round");
}

#[tokio::test]
async fn without_an_embedded_crm_there_are_no_doors() {
    let house = House::open().await;
    let token = house.token(Scope::Crm).await;
    assert_eq!(ask(&house, &token, "/api/data/v9.2/").send().await.status, 404);
    assert_eq!(sign_in(&house, "/common/oauth2/token", "grant_type=x").send().await.status, 404);
}

/// Signs in, and asks the door with what was given.
async fn way_in(house: &House, path: &str, form: &str) -> Value {
    let answer = sign_in(house, path, form).send().await;
    assert_eq!(answer.status, 200, "{path} {form}: {}", answer.text());
    let given = answer.json();
    let access = given["access_token"].as_str().unwrap();
    assert_eq!(access.split('.').count(), 3, "a JWT");
    let asked = ask(house, access, "/api/data/v9.2/WhoAmI").send().await;
    assert_eq!((asked.status, &asked.json()["user"]), (200, &json!(ADMINISTRATOR)));
    given
}

#[tokio::test]
async fn the_token_endpoint_takes_every_grant_at_every_address() {
    let (house, token) = open(None).await;
    let (v1, v2, adfs) = ("/common/oauth2/token", "/x.example/oauth2/v2.0/token", "/adfs/oauth2/token");
    let client = format!("grant_type=client_credentials&client_id=1&client_secret={token}");
    let given = way_in(&house, v2, &format!("{client}&scope=https%3A%2F%2Fh%2F.default")).await;
    assert_eq!((&given["expires_in"], &given["token_type"]), (&json!(3600), &json!("Bearer")));
    assert!(given.get("refresh_token").is_none());
    let given = way_in(&house, v1, &format!("{client}&resource=https%3A%2F%2Fh")).await;
    assert_eq!((&given["expires_in"], &given["resource"]), (&json!("3600"), &json!("https://h")));
    let given =
        way_in(&house, v1, &format!("grant_type=refresh_token&refresh_token={token}&client_secret=x")).await;
    assert_eq!(given["refresh_token"], json!(token), "the same, so that a client's file stays as it is");
    let given = way_in(&house, adfs, &format!("grant_type=password&username=D%5Cu&password={token}")).await;
    assert_eq!((&given["expires_in"], &given["token_type"]), (&json!(3600), &json!("bearer")));
    way_in(&house, v2, &format!("grant_type=password&username=u&password=p&client_secret={token}")).await;
}

#[tokio::test]
async fn the_token_endpoint_takes_multipart_and_basic() {
    let (house, token) = open(None).await;
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body =
        format!("{}{}--b--\r\n", part("grant_type", "client_credentials"), part("client_secret", &token));
    let answer = house.post("/t/oauth2/token").body("multipart/form-data; boundary=b", body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("app:{token}"));
    let call = sign_in(&house, "/t/oauth2/v2.0/token", "grant_type=client_credentials");
    assert_eq!(call.header("Authorization", &format!("Basic {pair}")).send().await.status, 200);
}

#[tokio::test]
async fn sign_ins_are_refused_in_entras_words() {
    let (house, _) = open(None).await;
    let check = async |form: &str, status: u16, error: &str, number: u64| {
        let answer = sign_in(&house, "/common/oauth2/v2.0/token", form).send().await;
        let said = answer.json();
        assert_eq!((answer.status, said["error"].as_str()), (status, Some(error)), "{form}: {said}");
        assert_eq!(said["error_codes"], json!([number]), "{form}");
        assert!(said["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: ")));
        for name in ["trace_id", "correlation_id", "timestamp"] {
            assert!(said[name].is_string(), "{name}");
        }
    };
    check("grant_type=client_credentials&client_secret=wrong", 401, "invalid_client", 7_000_215).await;
    check("grant_type=client_credentials", 401, "invalid_client", 7_000_218).await;
    check("grant_type=password&password=wrong", 400, "invalid_grant", 50_126).await;
    check("grant_type=refresh_token&refresh_token=wrong", 400, "invalid_grant", 9_002_313).await;
    check("grant_type=device_code", 400, "unsupported_grant_type", 70_003).await;
    check("client_secret=x", 400, "invalid_request", 900_144).await;
    assert_eq!(house.get("/common/oauth2/token").send().await.status, 405);
}

#[tokio::test]
async fn revoking_the_token_ends_what_was_given_for_it() {
    let (house, _) = open(None).await;
    let made = crm_token(&house, None).await;
    let form = format!("grant_type=client_credentials&client_secret={}", made.token);
    let given = way_in(&house, "/common/oauth2/token", &form).await;
    let access = given["access_token"].as_str().unwrap();
    house.operations.revoke_token(&Actor::console(), made.id).await.unwrap();
    refused(&ask(&house, access, "/api/data/v9.2/").send().await, 401, "0x80040204");
    refused(&ask(&house, &made.token, "/api/data/v9.2/").send().await, 401, "0x80040204");
    let answer = sign_in(&house, "/common/oauth2/token", &form).send().await;
    assert_eq!(answer.json()["error_codes"], json!([7_000_222]));
    let audit = house.operations.audit_of(&Actor::console(), &made.id.to_string(), 10).await.unwrap();
    let actions: Vec<&str> = audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["token.revoke", "door.sign_in", "token.create"]);
    assert_eq!(
        (audit[1].door.as_str(), audit[1].detail.as_str()),
        ("crm", "client_credentials from 127.0.0.1")
    );
}

async fn crm_token(house: &House, user: Option<&str>) -> NewToken {
    let life = std::time::Duration::from_secs(3600);
    let order = TokenOrder { scope: Scope::Crm, name: "a client", user, life };
    house.operations.create_token(&Actor::console(), order).await.unwrap()
}

#[tokio::test]
async fn a_token_acts_as_its_user() {
    let (house, _) = open(None).await;
    let ines = house.story.user_ines.id.to_string();
    let made = crm_token(&house, Some(&ines)).await;
    assert_eq!(made.user.map(|user| user.to_string()), Some(ines.clone()));
    let answer = ask(&house, &made.token, "/api/data/v9.2/WhoAmI").send().await;
    assert_eq!(answer.json()["user"], json!(ines));
    // This CRM admits the administrator only.
    let form = format!("grant_type=client_credentials&client_secret={}", made.token);
    let answer = sign_in(&house, "/common/oauth2/token", &form).send().await;
    assert_eq!((answer.status, &answer.json()["error_codes"]), (400, &json!([50_057])));
    let life = std::time::Duration::from_secs(3600);
    for (scope, user) in [(Scope::Crm, "Nobody At All"), (Scope::Agent, ines.as_str())] {
        let order = TokenOrder { scope, name: "", user: Some(user), life };
        assert!(house.operations.create_token(&Actor::console(), order).await.is_err(), "{user}");
    }
    let listed = house.operations.list_tokens(&Actor::console()).await.unwrap();
    assert!(listed.iter().any(|token| token.user.map(|user| user.to_string()) == Some(ines.clone())));
}

#[tokio::test]
async fn a_flood_of_wrong_secrets_is_told_to_wait() {
    let (house, token) = open(None).await;
    let mut last = 0;
    for _ in 0..25 {
        last = sign_in(&house, "/t/oauth2/token", "grant_type=password&password=x").send().await.status;
    }
    assert_eq!(last, 429);
    let audit = house.operations.audit_of(&Actor::console(), "127.0.0.1", 100).await.unwrap();
    assert_eq!(audit.len(), 20, "and does not fill the audit trail");
    way_in(&house, "/t/oauth2/token", &format!("grant_type=password&password={token}")).await;
}

#[tokio::test]
async fn clients_find_the_endpoints() {
    let (house, _) = open(None).await;
    let origin = format!("http://{}", house.at);
    for (path, token) in [
        ("/organizations/v2.0/.well-known/openid-configuration", "/organizations/oauth2/v2.0/token"),
        ("/common/.well-known/openid-configuration", "/common/oauth2/token"),
        ("/adfs/.well-known/openid-configuration", "/adfs/oauth2/token"),
    ] {
        let found = house.get(path).send().await.json();
        assert_eq!(found["token_endpoint"], json!(format!("{origin}{token}")));
        for name in ["issuer", "authorization_endpoint", "jwks_uri"] {
            assert!(found[name].as_str().unwrap().starts_with(&origin), "{name}");
        }
    }
    assert_eq!(house.get("/common/discovery/keys").send().await.json(), json!({ "keys": [] }));
    assert_eq!(house.get("/common/oauth2/authorize").send().await.status, 501);
}

#[tokio::test]
async fn large_bodies_are_refused_and_strangers_bodies_are_not_read() {
    let (house, token) = open(None).await;
    let post =
        |size: u64| house.post("/api/data/v9.2/contacts").body("application/json", vec![b'a'; size as usize]);
    assert_eq!(post(MOST).bearer(&token).send().await.status, 200);
    refused(&post(MOST + 1).bearer(&token).send().await, 413, "0x80040203");
    refused(&post(MOST + 1).send().await, 401, "0x80040204");
    let chunked = "2\r\nab\r\n0\r\n\r\n";
    let answer = house.post("/api/data/v9.2/contacts").bearer(&token).chunked(chunked).send().await;
    assert_eq!((answer.status, &answer.json()["body"]), (200, &json!("ab")));
}

#[tokio::test]
async fn a_panic_is_an_error_of_the_door() {
    let (house, token) = open(None).await;
    refused(&ask(&house, &token, "/api/data/v9.2/panic").send().await, 500, "0x80040216");
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_ask() {
    let (house, token) = open(None).await;
    let large = ask(&house, &token, "/api/data/v9.2/size/100000");
    let answer = large.header("Accept-Encoding", "gzip, deflate").send().await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.body.len() < 5000, "{}", answer.body.len());
    for (path, encoding) in [("/api/data/v9.2/size/100000", ""), ("/api/data/v9.2/size/10", "gzip")] {
        let answer = ask(&house, &token, path).header("Accept-Encoding", encoding).send().await;
        assert_eq!(answer.header("content-encoding"), "", "{path}");
    }
}

#[tokio::test]
async fn the_clients_own_address_is_used() {
    let (house, token) = open(None).await;
    let origin = async |headers: &[(&str, &str)], from: &str| {
        let mut call = ask(&house, &token, "/api/data/v9.2/").from(from);
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.send().await.json()["origin"].as_str().unwrap_or_default().to_owned()
    };
    let said = [("Host", "crm.example:444")];
    assert_eq!(origin(&said, "127.0.0.1").await, "http://crm.example:444");
    let forwarded = [("Host", "inner"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "crm.example")];
    assert_eq!(origin(&forwarded, "127.0.0.1").await, "http://inner", "from nobody in particular");
    assert_eq!(origin(&forwarded, crate::house::PROXY).await, "https://crm.example", "from the proxy");
    for bad in ["a/b", "x@y", "a b"] {
        let answer = ask(&house, &token, "/api/data/v9.2/").header("Host", bad).send().await;
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_proxys_client_is_the_one_that_is_audited() {
    let (house, _) = open(None).await;
    let call = sign_in(&house, "/t/oauth2/token", "grant_type=password&password=x").from(crate::house::PROXY);
    call.header("X-Forwarded-For", "203.0.113.5, 192.0.2.44, 127.0.0.2").send().await;
    let audit = house.operations.audit_of(&Actor::console(), "192.0.2.44", 10).await.unwrap();
    assert_eq!(audit.len(), 1);
}

#[tokio::test]
async fn limits_are_answered_as_the_platform_does() {
    let limits = Limits { requests: 3, ..Limits::default() };
    let (house, token) = open(Some(limits)).await;
    let answer = ask(&house, &token, "/api/data/v9.2/").send().await;
    assert_eq!(answer.header("x-ms-ratelimit-burst-remaining-xrm-requests"), "2");
    assert_eq!(answer.header("x-ms-ratelimit-time-remaining-xrm-requests"), "1200.00");
    assert_eq!(answer.header("x-ms-dop-hint"), "4");
    for _ in 0..2 {
        assert_eq!(ask(&house, &token, "/api/data/v9.2/").send().await.status, 200);
    }
    let answer = ask(&house, &token, "/api/data/v9.2/").send().await;
    refused(&answer, 429, "0x80072322");
    assert_eq!(answer.header("retry-after"), "300");
    house.clock.advance(jiff::SignedDuration::from_secs(300));
    assert_eq!(ask(&house, &token, "/api/data/v9.2/").send().await.status, 200);
}

#[tokio::test]
async fn work_beyond_the_limit_waits() {
    let (house, token) = open(Some(Limits::default())).await;
    for _ in 0..2 {
        ask(&house, &token, "/api/data/v9.2/take/200").send().await;
    }
    let limits = Limits { execution: jiff::SignedDuration::from_secs(100), ..Limits::default() };
    let (house, token) = open(Some(limits)).await;
    assert_eq!(ask(&house, &token, "/api/data/v9.2/take/100").send().await.status, 200);
    let answer = ask(&house, &token, "/api/data/v9.2/").send().await;
    refused(&answer, 429, "0x80072321");
    assert_eq!(answer.header("retry-after"), "300");
}

#[test]
fn doors_have_names() {
    assert_eq!((DoorKind::WebApi.as_str(), DoorKind::Soap.as_str()), ("webapi", "soap"));
    assert!(crate::house::PROXY.parse::<IpAddr>().is_ok());
}
