//! swaks, the mail administrator's own tool, with the options they use.

use std::process::{Command, Stdio};

use postroom_testkit::peers;
use serde_json::{Value, json};

use super::HOUSE;
use crate::story::{ANNA, DESK, INES, SALES, at, guid, is_on, text};

/// Runs swaks against SMTP, or LMTP when the options say so; answers its exit code and what was said.
fn swaks(options: &[&str]) -> (i32, String) {
    let lmtp = options.contains(&"LMTP");
    let door = if lmtp { HOUSE.lmtp } else { HOUSE.smtp }.expect("it listens");
    let mut command = Command::new(peers::require("swaks"));
    command.args(["--server", "127.0.0.1", "--port", &door.port().to_string(), "--ehlo", "client.example"]);
    command.args(["--from", ANNA]).args(options).stdin(Stdio::null());
    let output = command.output().expect("swaks can be started");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        !said.contains("requires Net::SSLeay"),
        "swaks needs it for TLS: apt-get install libnet-ssleay-perl\n{said}"
    );
    (output.status.code().unwrap_or(-1), said)
}

/// Sends with these options, and a token of this case; answers the message.
#[track_caller]
fn filed(case: u32, options: &[&str]) -> Value {
    let subject = format!("Subject: swaks CRM: {{{}}}:MRC", guid("incident", case));
    let (exit, said) = swaks(
        &[
            options,
            &["--header", &subject, "--header", &format!("Message-Id: <swaks-{case}@customer.example>")],
        ]
        .concat(),
    );
    assert_eq!(exit, 0, "{said}");
    let id =
        said.split_whitespace().find(|word| word.starts_with("msg_")).unwrap_or_else(|| panic!("{said}"));
    let message = HOUSE.settled(id);
    is_on(&message, &at("incident", case), "token");
    message
}

#[test]
fn plain_and_pipelined() {
    filed(180, &["--to", DESK]);
    filed(181, &["--to", DESK, "--pipeline"]);
}

#[test]
fn over_tls() {
    let (exit, said) = swaks(&["--to", DESK, "--tls", "--quit-after", "RCPT"]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("TLS started"), "{said}");
    filed(182, &["--to", DESK, "--tls"]);
}

#[test]
fn by_lmtp_to_several() {
    let message = filed(183, &["--to", &format!("{DESK},{SALES},{INES}"), "--protocol", "LMTP"]);
    let seen = message["sightings_seen"].as_array().cloned().unwrap_or_default();
    let to: Vec<&Value> =
        seen.iter().flat_map(|seen| seen["envelope_to"].as_array().into_iter().flatten()).collect();
    assert_eq!(to.len(), 3, "{message:#}");
}

#[test]
fn with_an_attachment() {
    let file = HOUSE.write("offer.pdf", b"%PDF-1.4 offer");
    let message = filed(
        184,
        &["--to", DESK, "--attach-type", "application/pdf", "--attach", &format!("@{}", file.display())],
    );
    let files = HOUSE.rows_of(&message, "activitymimeattachment", "objectid");
    let told: Vec<Value> =
        files.iter().map(|file| json!([file["filename"], file["mimetype"], file["filesize"]])).collect();
    assert_eq!(told, [json!(["offer.pdf", "application/pdf", 14])]);
}

/// 24: no recipient was accepted. 28: AUTH is not offered.
#[test]
fn refusals() {
    for to in ["anna@else.example", "anna%else.example@ours.example", "@ours.example:anna@else.example"] {
        let (exit, said) = swaks(&["--to", to, "--suppress-data"]);
        assert_eq!(exit, 24, "{said}");
        assert!(said.contains("550 5.7.1"), "{said}");
    }
    let (exit, said) = swaks(&["--to", DESK, "--auth", "PLAIN", "--auth-user", "a", "--auth-password", "b"]);
    assert_eq!(exit, 28, "{said}");
}

/// The null sender, as a bounce has it.
#[test]
fn a_bounce_s_envelope() {
    let message = filed(185, &["--from", "<>", "--to", DESK, "--header", "Auto-Submitted: auto-generated"]);
    assert_eq!(
        (text(&message["sightings_seen"][0]["envelope_from"]), &message["automatic"]),
        ("", &json!(true)),
        "{message:#}"
    );
}
