//! The metrics that dashboards and alerts rest on are there, under their names and with their labels.

use postroom_testkit::poll;

use super::{config, quiet, world};
use crate::api::wire::get;
use crate::house::PATIENCE;

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
    let mail =
        "From: a@x.example\r\nTo: desk@ours.example\r\nSubject: x\r\nMessage-ID: <metrics@x>\r\n\r\nHi\r\n";
    house.filed("a@x.example", &["desk@ours.example"], mail);
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
