//! Schemathesis (PyPI) asks what the OpenAPI file allows and what it does not, and judges the answers by the file.
//!
//! About 600 requests. `PHASES=coverage` makes it 7,000, each bound and type of each parameter among them.

use std::path::Path;
use std::process::Command;

use postroom_sandbox::dotdigital::{Act, Arrangement, Behaviour, Options, ProgramStatus, Rule};
use serde_json::json;

use super::contract::folder;
use super::{PASSWORD, Service, USER, service};

/// A world in which questions find something.
fn furnished() -> Service {
    let service = service(Options { behaviour: Behaviour::lively(1), ..Options::one_account(PASSWORD) });
    let list = service.list("L");
    for number in 0..30 {
        service.member(list, &format!("p{number}@x.io"));
    }
    let campaign = service.campaign("C");
    service.send(campaign, &[list]);
    service.pass(24);
    service.sandbox.act(1, "p0@x.io", None, Act::Unsubscribe).unwrap();
    service.post("/configuration/v3/customIdentifiers", json!({ "name": "CRM_ID" }), 201);
    let program = Arrangement::Program { name: "P".into(), status: ProgramStatus::Active, campaign: None };
    service.sandbox.arrange(1, program).unwrap();
    service.sandbox.arrange(1, Arrangement::Segment { name: "All".into(), rule: Rule::Everyone }).unwrap();
    let score = Arrangement::Score { email: "p1@x.io".into(), score: 30, engagement: 20, suitability: 40 };
    service.sandbox.arrange(1, score).unwrap();
    let form = json!({ "arrange": "form", "name": "F" });
    service.sandbox.arrange(1, serde_json::from_value(form).unwrap()).unwrap();
    service
}

#[test]
fn no_answer_is_outside_the_contract() {
    let service = furnished();
    let built = std::env::current_exe().unwrap();
    let python = built.ancestors().nth(3).unwrap().join("python/schemathesis/bin/python");
    assert!(
        python.is_file(),
        "this test needs Schemathesis in {}: run ./test --install once",
        python.display()
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/schemathesis/contract.py");
    let played = postroom_sandbox::dotdigital::Dotdigital::operations();
    let played: Vec<_> = played.map(|(method, path)| format!("{method} {path}")).collect();
    let output = Command::new(python)
        .arg(script)
        .args([folder().as_os_str(), service.base.as_ref(), USER.as_ref(), PASSWORD.as_ref()])
        .env("PLAYED", played.join("\n"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // All of them were asked, or the run proves nothing.
    let calls = service.sandbox.calls();
    let silent: Vec<_> = played.iter().filter(|name| !calls.contains_key(*name)).collect();
    assert!(silent.is_empty(), "never asked: {silent:?}\n{text}");
}
