//! The metrics that dashboards and alerts rest on are there, under their names and with their labels.

use postroom_testkit::poll;

use super::{config, quiet, world};
use crate::api::wire::get;
use crate::house::{House, PATIENCE};

/// What a house shows that took a mail in and exchanged opt-outs. Others move only when something goes wrong, or a send goes
/// out: `postroom_shelf_items`, `postroom_limit_hits_total`, `postroom_denied_total`, `postroom_logins_total`,
/// `postroom_leases_lost_total`, `postroom_fence_rejects_total`, `postroom_imap_*`, `postroom_sends_total`,
/// `postroom_suppression_gate_total`, `postroom_peer_throttled_seconds_total`, `postroom_peer_budget_ratio`.
const REQUIRED: &[&str] = &[
    "postroom_build_info{",
    "postroom_ready 1",
    "postroom_messages_total{mailbox=\"\",direction=\"incoming\",state=\"received\"} 1",
    "postroom_messages_total{mailbox=\"desk\",direction=\"incoming\",state=\"review\"} 1",
    "postroom_message_age_seconds_bucket{stage=\"filed\",",
    "postroom_oldest_item_seconds{stage=\"filing\"} 0",
    "postroom_oldest_item_seconds{stage=\"review\"} ",
    "postroom_journal_bytes ",
    "postroom_journal_fsync_seconds_bucket",
    "postroom_parse_seconds_bucket",
    "postroom_parse_failures_total{code=\"depth\"} 1",
    "postroom_parse_failures_total{code=\"tnef\"} 0",
    "postroom_decisions_total{result=\"review\"",
    "postroom_token_verify_total{result=\"forged\"} 0",
    "postroom_review_items 1",
    "postroom_outcomes_unknown{peer=\"smtp_out\"} 0",
    "postroom_outcomes_unknown{peer=\"dotdigital\"} 0",
    "postroom_peer_requests_total{connection=\"dotdigital\",op=\"read\",status=\"200\"}",
    "postroom_peer_seconds_bucket{connection=\"dotdigital\",op=\"read\"",
    "postroom_sync_runs_total{type=\"suppressions\",result=\"done\"}",
    "postroom_sync_rows_total{type=\"suppressions\",state=\"new\"}",
    "postroom_sync_last_success_timestamp_seconds{type=\"suppressions\"}",
    "postroom_safe_mode 0",
];

#[test]
fn the_metrics_that_must_exist_do() {
    let world = world();
    let config = format!("{}[mailboxes.desk]\naddress = \"desk@ours.example\"\n", config(&world, true));
    let house = quiet(&config).started();
    let head = "From: a@x.example\r\nTo: desk@ours.example\r\nSubject: x\r\nMessage-ID: <metrics@x>\r\n";
    // Deeper than is read.
    let nested: String = (0..60)
        .map(|depth| format!("Content-Type: multipart/mixed; boundary=\"b{depth}\"\r\n\r\n--b{depth}\r\n"))
        .collect();
    let mail = format!("{head}MIME-Version: 1.0\r\n{nested}\r\nHi\r\n");
    house.filed("a@x.example", &["desk@ours.example"], &mail);
    let mut text = String::new();
    let missing = |text: &str| -> Vec<&str> {
        let shown = |wanted: &str| text.lines().any(|line| line.starts_with(wanted));
        REQUIRED.iter().copied().filter(|wanted| !shown(wanted)).collect()
    };
    let shown = poll::until(PATIENCE, || {
        text = get("/metrics").to(house.http.expect("it listens")).answers(200).text();
        missing(&text).is_empty()
    });
    assert!(shown, "{:#?} in\n{text}", missing(&text));
}

/// Whoever watches sees a certificate's end coming, and so does the doctor.
#[test]
fn the_end_of_a_certificate_is_shown() {
    let house = House::with_tls_on("", "");
    let found = house.list(&["doctor"]);
    let line = found.iter().find(|line| line["part"] == "credentials").expect("there is such a line");
    let said = line["said"].as_str().expect("a sentence");
    assert!(line["ok"] == true && said.starts_with("smtp_in.tls_cert is good until "), "{line}");
    let mut text = String::new();
    let shown = poll::until(PATIENCE, || {
        text = get("/metrics").to(house.http.expect("it listens")).answers(200).text();
        text.lines()
            .any(|line| line.starts_with("postroom_credential_expiry_seconds{connection=\"smtp_in\"} "))
    });
    assert!(shown, "{text}");
}
