//! Who may do what: every endpoint, every kind of caller.

use postroom_operations::{Role, Scope};

use crate::house::{Browser, House};

/// Letters for the callers that are let through: Owner, oPerator, Viewer, aGent (sessions), and Api token.
const TABLE: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/messages", "OPVA"),
    ("GET", "/api/v1/messages/{mail}", "OPVGA"),
    ("GET", "/api/v1/messages/{mail}/raw", "OPA"),
    ("POST", "/api/v1/messages", "OPGA"),
    ("POST", "/api/v1/messages/why", "OPVA"),
    ("POST", "/api/v1/messages/{mail}/attach?dry_run=true", "OPA"),
    ("POST", "/api/v1/messages/{mail}/move?dry_run=true", "OPA"),
    ("POST", "/api/v1/messages/{mail}/reject?dry_run=true", "OPA"),
    ("POST", "/api/v1/messages/{mail}/skip?dry_run=true", "OPA"),
    ("POST", "/api/v1/messages/{mail}/replay?dry_run=true", "OPA"),
    ("POST", "/api/v1/messages/replay?dry_run=true", "OPA"),
    ("POST", "/api/v1/messages/{mail}/undo?dry_run=true", "OPA"),
    ("POST", "/api/v1/messages/purge?dry_run=true", "O"),
    ("GET", "/api/v1/records/contact", "OPVA"),
    ("GET", "/api/v1/records/{record}", "OPVA"),
    ("POST", "/api/v1/records/import?dry_run=true", "OPA"),
    ("GET", "/api/v1/attachments/00000000-0000-0000-0000-000000000009", "OPA"),
    ("GET", "/api/v1/mailboxes", "OPVA"),
    ("GET", "/api/v1/mailboxes/support", "OPVA"),
    ("POST", "/api/v1/mailboxes/support/pause", "OPA"),
    ("POST", "/api/v1/mailboxes/support/resume", "OPA"),
    ("POST", "/api/v1/mailboxes/support/rescan", "OPA"),
    ("POST", "/api/v1/mailboxes/support/test", "OPA"),
    ("DELETE", "/api/v1/mailboxes/support?dry_run=true", "O"),
    ("GET", "/api/v1/outgoing", "OPVA"),
    ("GET", "/api/v1/outgoing/msg_00000000000000000000000000", "OPVA"),
    ("POST", "/api/v1/outgoing/msg_00000000000000000000000000/hold", "OPA"),
    ("POST", "/api/v1/outgoing/msg_00000000000000000000000000/release", "OPA"),
    ("POST", "/api/v1/outgoing/msg_00000000000000000000000000/fail", "OPA"),
    ("GET", "/api/v1/shelf", "OPVA"),
    ("GET", "/api/v1/shelf/job_00000000000000000000000000", "OPVA"),
    ("POST", "/api/v1/shelf/job_00000000000000000000000000/replay", "OPA"),
    ("DELETE", "/api/v1/shelf/job_00000000000000000000000000", "OPA"),
    ("POST", "/api/v1/shelf/replay?dry_run=true", "OPA"),
    ("POST", "/api/v1/reconcile?dry_run=true", "O"),
    ("GET", "/api/v1/tokens", "O"),
    ("POST", "/api/v1/tokens", "O"),
    ("DELETE", "/api/v1/tokens/tok_00000000000000000000000000", "O"),
    ("POST", "/api/v1/people/erase?dry_run=true", "O"),
    ("GET", "/api/v1/people?address=somebody@elsewhere.example", "OPVA"),
    ("GET", "/api/v1/people/consent?address=somebody@elsewhere.example", "OPVA"),
    ("POST", "/api/v1/people/merge?dry_run=true", "O"),
    ("GET", "/api/v1/review", "OPVA"),
    ("GET", "/api/v1/records?q=pump", "OPVA"),
    ("POST", "/api/v1/records/{record}/mails?dry_run=true", "OPA"),
    ("POST", "/api/v1/messages/{mail}/answer?dry_run=true", "OPA"),
    ("GET", "/api/v1/today", "OPVA"),
    ("POST", "/api/v1/verify", "OPVA"),
    ("POST", "/api/v1/check", "OPA"),
    ("POST", "/api/v1/doctor", "OPVA"),
    ("POST", "/api/v1/tracking-tokens", "OPA"),
    ("POST", "/api/v1/tracking-tokens/verify", "OPVA"),
    ("GET", "/api/v1/solution", "OPVA"),
    ("GET", "/api/v1/solution/file", "OPVA"),
    ("POST", "/api/v1/solution/install?dry_run=true", "O"),
    ("POST", "/api/v1/solution/upgrade?dry_run=true", "O"),
    ("POST", "/api/v1/solution/uninstall?dry_run=true", "O"),
    ("GET", "/api/v1/audit?object=x", "OPVA"),
    ("GET", "/api/v1/marketing/accounts", "OPVA"),
    ("POST", "/api/v1/marketing/accounts/main/check", "O"),
    ("POST", "/api/v1/marketing/accounts/main/pause", "O"),
    ("POST", "/api/v1/marketing/accounts/main/resume", "O"),
    ("GET", "/api/v1/marketing/sync", "OPVA"),
    ("POST", "/api/v1/marketing/sync/main/suppressions/run", "OPA"),
    ("POST", "/api/v1/marketing/sync/main/suppressions/dry-run", "OPA"),
    ("GET", "/api/v1/marketing/runs", "OPVA"),
    ("GET", "/api/v1/marketing/runs/run_00000000000000000000000000", "OPVA"),
    ("POST", "/api/v1/marketing/runs/run_00000000000000000000000000/confirm", "OPA"),
    ("GET", "/api/v1/marketing/rejected", "OPVA"),
    ("POST", "/api/v1/marketing/rejected/replay", "OPA"),
    ("GET", "/api/v1/marketing/suppressions", "OPVA"),
    ("POST", "/api/v1/marketing/suppressions", "OPA"),
    ("POST", "/api/v1/marketing/suppressions/lift", "OPA"),
    ("GET", "/api/v1/marketing/suppressions/check?address=a@b.example", "OPVA"),
    ("POST", "/api/v1/marketing/suppressions/import?dry_run=true", "OPA"),
    ("GET", "/api/v1/marketing/suppressions/export", "OPVA"),
    ("GET", "/api/v1/marketing/forms", "OPVA"),
    ("GET", "/api/v1/marketing/forms/main/1", "OPVA"),
    ("GET", "/api/v1/marketing/lists", "OPVA"),
    ("GET", "/api/v1/marketing/lists/00000000-0000-0000-0000-000000000009", "OPVA"),
    ("POST", "/api/v1/marketing/lists/00000000-0000-0000-0000-000000000009/compare", "OPA"),
    ("POST", "/api/v1/marketing/lists/00000000-0000-0000-0000-000000000009/sync?dry_run=true", "OPA"),
    ("GET", "/api/v1/marketing/mappings?account=main", "OPVA"),
    ("POST", "/api/v1/marketing/mappings?dry_run=true", "O"),
    (
        "GET",
        "/api/v1/marketing/mappings/sample?account=main&record=contact/00000000-0000-0000-0000-000000000001",
        "OPVA",
    ),
    ("DELETE", "/api/v1/marketing/mappings/main/contact/FIRSTNAME?dry_run=true", "O"),
    ("GET", "/api/v1/marketing/campaigns", "OPVA"),
    ("GET", "/api/v1/marketing/campaigns/main/1", "OPVA"),
    ("GET", "/api/v1/marketing/campaigns/main/1/report", "OPVA"),
    ("POST", "/api/v1/marketing/campaigns/main/1/audience", "OPA"),
    ("POST", "/api/v1/marketing/campaigns/main/1/test?dry_run=true", "OPA"),
    ("POST", "/api/v1/marketing/campaigns/main/1/send?dry_run=true", "O"),
    ("GET", "/api/v1/marketing/sends", "OPVA"),
    ("GET", "/api/v1/marketing/sends/00000000-0000-0000-0000-000000000009", "OPVA"),
    ("POST", "/api/v1/marketing/sends/00000000-0000-0000-0000-000000000009/pause", "O"),
    ("GET", "/api/v1/marketing/singles", "OPVA"),
    ("GET", "/api/v1/marketing/singles/00000000-0000-0000-0000-000000000009", "OPVA"),
    ("POST", "/api/v1/marketing/singles/00000000-0000-0000-0000-000000000009/found", "OPA"),
    ("GET", "/api/v1/marketing/runs/run_00000000000000000000000000/undo", "OPVA"),
    ("POST", "/api/v1/marketing/runs/run_00000000000000000000000000/undo", "OPA"),
    ("GET", "/", "OPV"),
    ("GET", "/messages", "OPV"),
    ("GET", "/messages/{mail}", "OPV"),
    ("GET", "/messages/{mail}/raw", "OP"),
    ("GET", "/messages/{mail}/download", "OP"),
    ("GET", "/messages/{mail}/body", "OP"),
    ("GET", "/messages/{mail}/parts/1", "OP"),
    ("GET", "/records", "OPV"),
    ("GET", "/records/{record}", "OPV"),
    ("GET", "/attachments/00000000-0000-0000-0000-000000000009", "OP"),
    ("GET", "/shelf", "OPV"),
    ("GET", "/sync", "OPV"),
    ("GET", "/sync/runs", "OPV"),
    ("GET", "/sync/runs/run_00000000000000000000000000", "OPV"),
    ("POST", "/sync/runs/run_00000000000000000000000000/confirm", "OP"),
    ("POST", "/sync/runs/run_00000000000000000000000000/replay", "OP"),
    ("GET", "/sync/runs/run_00000000000000000000000000/undo", "OP"),
    ("POST", "/sync/runs/run_00000000000000000000000000/undo", "OP"),
    ("GET", "/sends/single", "OPV"),
    ("GET", "/sends/single/00000000-0000-0000-0000-000000000009", "OPV"),
    ("POST", "/sends/single/00000000-0000-0000-0000-000000000009/found", "OP"),
    ("POST", "/sync/accounts/main/pause", "O"),
    ("POST", "/sync/accounts/main/resume", "O"),
    ("POST", "/sync/accounts/main/suppressions/run", "OP"),
    ("GET", "/campaigns", "OPV"),
    ("GET", "/campaigns/main/1", "OPV"),
    ("GET", "/campaigns/main/1/audience?list=x", "OPV"),
    ("POST", "/campaigns/main/1/send", "O"),
    ("GET", "/sends", "OPV"),
    ("GET", "/sends/00000000-0000-0000-0000-000000000009", "OPV"),
    ("POST", "/sends/00000000-0000-0000-0000-000000000009/cancel", "O"),
    ("GET", "/suppressions", "OPV"),
    ("POST", "/suppressions/add", "OP"),
    ("POST", "/suppressions/lift", "OP"),
    ("POST", "/messages/{mail}/attach", "OP"),
    ("POST", "/messages/{mail}/reject", "OP"),
    ("POST", "/messages/{mail}/skip", "OP"),
    ("POST", "/messages/{mail}/replay", "OP"),
    ("POST", "/shelf/job_00000000000000000000000000/replay", "OP"),
    ("POST", "/shelf/job_00000000000000000000000000/give-up", "OP"),
];

/// The status for one caller.
async fn ask(
    house: &House,
    who: Option<&Browser>,
    token: Option<&str>,
    method: &'static str,
    path: &str,
) -> u16 {
    let mut call = match method {
        "GET" => house.get(path),
        "DELETE" => house.delete(path),
        _ => house.post(path),
    };
    if let Some(browser) = who {
        call = call
            .header("Cookie", &browser.cookie)
            .header("X-CSRF-Token", &browser.csrf)
            .header("Sec-Fetch-Site", "same-origin");
    }
    if let Some(token) = token {
        call = call.bearer(token);
    }
    let csrf = who.map(|browser| browser.csrf.clone()).unwrap_or_default();
    if method == "POST" {
        let (record, target) =
            ("00000000-0000-0000-0000-000000000001", "contact/00000000-0000-0000-0000-000000000001");
        call = match path {
            "/api/v1/messages" | "/api/v1/messages/why" => {
                call.body("message/rfc822", "Subject: x\r\nMessage-ID: <r@x>\r\n\r\nx")
            }
            "/api/v1/records/import?dry_run=true" => call.body("application/x-ndjson", "{}"),
            "/api/v1/tokens" => call.body("application/json", r#"{"scope":"api"}"#),
            path if path.contains("/people/erase") => {
                call.body("application/json", r#"{"address":"somebody@elsewhere.example"}"#)
            }
            "/api/v1/shelf/replay?dry_run=true" => call.body("application/json", r#"{"all":true}"#),
            path if path.contains("/people/merge") => {
                let other = "contact/00000000-0000-0000-0000-000000000002";
                call.body("application/json", format!(r#"{{"from":"{other}","into":"{target}"}}"#))
            }
            path if path.contains("/mappings?") => call.body(
                "application/json",
                r#"{"account":"main","table":"contact","label":"FIRSTNAME","path":"firstname"}"#,
            ),
            path if path.contains("/mails?") || path.contains("/answer?") => {
                call.body("application/json", r#"{"subject":"x","to":"a@b.example","text":"x"}"#)
            }
            "/api/v1/marketing/rejected/replay" => call.body("application/json", "{}"),
            "/api/v1/marketing/suppressions" => call.body("application/json", r#"{"address":"a@b.example"}"#),
            "/api/v1/marketing/suppressions/lift" => call.body(
                "application/json",
                r#"{"address":"a@b.example","proof":"ticket 1","at":"2026-01-31T00:00:00Z"}"#,
            ),
            "/api/v1/marketing/suppressions/import?dry_run=true" => {
                call.body("text/csv", "email\na@b.example\n")
            }
            path if path.ends_with("/audience") => call.body("application/json", r#"{"lists":["x"]}"#),
            path if path.contains("/test?") => call.body("application/json", r#"{"to":["a@b.example"]}"#),
            path if path.contains("/send?") => {
                call.body("application/json", r#"{"lists":["x"],"expected_count":1}"#)
            }
            path if path.starts_with("/api/v1/marketing/sends/") => call.body("application/json", "{}"),
            "/campaigns/main/1/send" => {
                call.body("application/x-www-form-urlencoded", format!("csrf={csrf}&expected=1"))
            }
            path if path.ends_with("/rescan") => {
                call.body("application/json", r#"{"since":"2026-01-31T00:00:00Z"}"#)
            }
            path if path.contains("/solution/") => call.body("application/json", "{}"),
            "/api/v1/tracking-tokens" => call.body("application/json", format!(r#"{{"id":"{record}"}}"#)),
            "/api/v1/tracking-tokens/verify" => call.body("application/json", r#"{"text":"x"}"#),
            path if path.starts_with("/api/") => {
                call.body("application/json", format!(r#"{{"record":"{target}"}}"#))
            }
            _ => call.body("application/x-www-form-urlencoded", format!("csrf={csrf}&record={target}")),
        };
    }
    call.send().await.status
}

#[tokio::test]
async fn the_role_table() {
    let house = House::open().await;
    let mail = house.review().await.to_string();
    let record = house.story.case_pump.to_string();
    let api = house.token(Scope::Api).await;
    let mut sessions = Vec::new();
    for (letter, role) in [('O', Role::Owner), ('P', Role::Operator), ('V', Role::Viewer), ('G', Role::Agent)]
    {
        sessions.push((letter, house.browser(role).await));
    }
    for (method, pattern, allowed) in TABLE {
        let path = pattern.replace("{mail}", &mail).replace("{record}", &record);
        let mut through = String::new();
        for (letter, browser) in &sessions {
            let status = ask(&house, Some(browser), None, method, &path).await;
            through.extend((status != 403).then_some(*letter));
            assert!(status < 500 && status != 401 && status != 405, "{method} {path}: {letter} got {status}");
        }
        let is_api = pattern.starts_with("/api/");
        let with_token = ask(&house, None, Some(&api), method, &path).await;
        through.extend((is_api && with_token != 403).then_some('A'));
        assert_eq!(through, *allowed, "{method} {pattern}");
        let nobody = ask(&house, None, None, method, &path).await;
        let expected = if is_api || *method != "GET" { 401 } else { 303 };
        assert_eq!(nobody, expected, "{method} {pattern} for nobody");
    }
}

/// A pattern of the document, such as `/api/v1/shelf/{id}/replay`, against a path of the table.
fn fits(pattern: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().replace("{record}", "incident/{id}");
    let (wanted, given): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let fits = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
    wanted.len() == given.len() && wanted.iter().zip(&given).all(fits)
}

#[test]
fn every_operation_of_the_api_has_a_row() {
    let document = crate::openapi::document();
    let paths = document["paths"].as_object().expect("the document has paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flat_map(|item| item.keys());
        methods.map(move |method| (method.to_uppercase(), path))
    });
    let has_row = |method: &str, pattern: &str| {
        TABLE.iter().any(|(known, path, _)| *known == method && fits(pattern, path))
    };
    let missing: Vec<_> = operations.filter(|(method, path)| !has_row(method, path)).collect();
    assert!(missing.is_empty(), "no row says who may do these: {missing:#?}");
}

/// Who stands at a page's door and is no person: a mail agent's session, and each kind of token.
#[tokio::test]
async fn a_mail_agent_gets_no_message_page() {
    let house = House::open().await;
    let mail = house.tracked().await;
    let page = format!("/messages/{mail}");
    let agent = house.browser(Role::Agent).await;
    let refused = |answer: crate::client::Answer| {
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(answer.header("content-type").starts_with("text/html"), "{}", answer.header("content-type"));
        assert!(answer.page().contains("PR-8003") && !answer.page().contains("leaks"), "{}", answer.page());
    };
    refused(house.look(&agent, &page).send().await);
    for scope in [Scope::Agent, Scope::Crm, Scope::Api] {
        refused(house.get(&page).bearer(&house.token(scope).await).send().await);
    }
    let stranger = house.get(&page).bearer("prm_unknown").send().await;
    assert_eq!((stranger.status, stranger.header("location")), (303, "/sign-in"));
    // At the door for programs the refusal is a problem.
    let program = house.get(&format!("/api/v1{page}")).bearer(&house.token(Scope::Agent).await).send().await;
    assert_eq!((program.status, program.header("content-type")), (403, "application/problem+json"));
    assert_eq!(program.json()["code"], "PR-8003");
}
