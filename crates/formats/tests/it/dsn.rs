//! Reports: the real bounces of `tests/data/sisimai` with what sisimai makes of them, and the tolerances one by one.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests: a failure is the test's")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use postroom_formats::dsn::{self, Report, ReportKind};
use postroom_formats::mime::{Limits, Mail};
use proptest::prelude::*;

fn read(raw: &[u8]) -> Option<Report> {
    dsn::read(&Mail::parse(raw, &Limits::default()))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/sisimai")
}

/// What sisimai says of one recipient.
struct Expected {
    status: Option<String>,
    code: Option<u16>,
    reason: String,
    hard: bool,
}

struct Case {
    file: String,
    expected: Vec<Expected>,
}

/// `expected.tsv`: file, number of recipients, `status;code;reason;hard` of each with `|` between.
fn cases() -> Vec<Case> {
    let table = std::fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>());
    rows.map(|row| {
        let expected: Vec<Expected> = row[2].split('|').map(expected).collect();
        assert_eq!(expected.len(), row[1].parse::<usize>().unwrap(), "{}", row[0]);
        Case { file: row[0].to_owned(), expected }
    })
    .collect()
}

fn expected(text: &str) -> Expected {
    let fields: Vec<&str> = text.split(';').collect();
    // x.0.9zz are sisimai's own, made from its reason where the mail has no code.
    let is_own =
        |status: &str| status.get(2..).is_some_and(|rest| rest.starts_with("0.9") && rest.len() == 5);
    let is_real = |status: &&str| !status.is_empty() && !is_own(status);
    Expected {
        status: Some(fields[0]).filter(is_real).map(str::to_owned),
        code: fields[1].parse().ok(),
        reason: fields[2].to_owned(),
        hard: fields[3] == "true",
    }
}

/// A third of the files, by FNV-1a of the name, is kept apart: no phrase or rule is made for one of them, and the test
/// gives counts for them only, so that nobody reads the answers off a failure.
fn is_held_out(file: &str) -> bool {
    let hash =
        file.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % 3 == 0
}

const COLUMNS: [&str; 6] = ["recognised", "recipients", "status", "code", "reason", "hard"];

#[derive(Default)]
struct Score {
    right: BTreeMap<&'static str, usize>,
    of: BTreeMap<&'static str, usize>,
    /// Which files are wrong in which column.
    wrong: Vec<String>,
}

impl Score {
    fn count(&mut self, column: &'static str, file: &str, is_right: bool, detail: impl Fn() -> String) {
        *self.of.entry(column).or_default() += 1;
        *self.right.entry(column).or_default() += usize::from(is_right);
        if !is_right {
            self.wrong.push(format!("{column}: {file}: {}", detail()));
        }
    }

    fn take(&mut self, case: &Case, report: Option<&Report>) {
        let file = &case.file;
        // An automatic reply is no report.
        let is_report = case.expected.iter().any(|expected| expected.reason != "vacation");
        self.count("recognised", file, report.is_some() == is_report, || format!("{}", report.is_some()));
        if !is_report {
            return;
        }
        let found = report.map(|report| report.recipients.as_slice()).unwrap_or_default();
        self.count("recipients", file, found.len() == case.expected.len(), || {
            format!("{} for {}", found.len(), case.expected.len())
        });
        for (place, expected) in case.expected.iter().enumerate() {
            let Some(found) = found.get(place) else {
                for column in &COLUMNS[2..] {
                    self.count(column, file, false, || "missing".to_owned());
                }
                continue;
            };
            self.count("status", file, found.status == expected.status, || {
                format!("{:?} for {:?}", found.status, expected.status)
            });
            self.count("code", file, found.code == expected.code, || {
                format!("{:?} for {:?}", found.code, expected.code)
            });
            self.count("reason", file, found.reason == expected.reason, || {
                format!("{} for {}: {:?}", found.reason, expected.reason, found.diagnostic)
            });
            self.count("hard", file, found.hard == expected.hard, || {
                format!("{} ({})", found.hard, found.reason)
            });
        }
    }

    fn percent(&self, column: &str) -> usize {
        self.right[column] * 100 / self.of[column]
    }

    fn floors(&self, name: &str, floors: [usize; 6], shows_files: bool) {
        let shown: Vec<String> = COLUMNS
            .iter()
            .map(|column| {
                format!("{column} {}/{} = {} %", self.right[column], self.of[column], self.percent(column))
            })
            .collect();
        println!("{name}: {}", shown.join(", "));
        for (column, floor) in COLUMNS.iter().zip(floors) {
            let of_column = |line: &&String| shows_files && line.starts_with(column);
            let lines: Vec<&String> = self.wrong.iter().filter(of_column).collect();
            assert!(self.percent(column) >= floor, "{name}: {column} under {floor} %: {lines:#?}");
        }
    }
}

fn score(held_out: bool) -> Score {
    let mut score = Score::default();
    for case in cases().iter().filter(|case| is_held_out(&case.file) == held_out) {
        let raw = std::fs::read(folder().join(&case.file)).unwrap();
        score.take(case, read(&raw).as_ref());
    }
    score
}

#[test]
fn real_bounces_tuning_set() {
    let score = score(false);
    assert_eq!(score.of["recognised"], 202);
    if std::env::var_os("DSN_SHOW").is_some() {
        println!("{:#?}", score.wrong);
    }
    score.floors("tuning", [100, 99, 98, 99, 95, 99], true);
}

#[test]
fn real_bounces_held_out() {
    let score = score(true);
    assert_eq!(score.of["recognised"], 108);
    score.floors("held out", [98, 95, 92, 93, 81, 89], false);
}

#[track_caller]
fn one(raw: &str) -> Report {
    let report = read(raw.replace('\n', "\r\n").as_bytes()).expect("a report");
    assert_eq!(report.recipients.len(), 1, "{report:#?}");
    report
}

const STATUS: &str = "Reporting-MTA: dns; mx.x.example\nOriginal-Envelope-Id: env-1\n\n\
    Original-Recipient: rfc822; old@x.example\nFinal-Recipient: rfc822; a@x.example\nAction: failed\nStatus: 5.1.1\n\
    Diagnostic-Code: smtp; 550 5.1.1 <a@x.example>... User\n unknown\n";
const RETURNED: &str = "From: us@y.example\nTo: a@x.example\nMessage-ID: <Original@Y.Example>\n\
    Subject: =?utf-8?Q?Gr=C3=B6=C3=9Fe?=\n\nbody\n";

/// A report with these headers of the mail, these types of the three parts, wrapped so.
fn report(headers: &str, status_type: &str, status: &str) -> String {
    format!(
        "From: Mail Delivery System <MAILER-DAEMON@x.example>\nSubject: Undelivered Mail Returned to Sender\n{headers}\n\
         --b\nContent-Type: text/plain\n\nSorry.\n\n--b\nContent-Type: {status_type}\n\n{status}\n--b\n\
         Content-Type: message/rfc822\n\n{RETURNED}\n--b--\n"
    )
}

const REPORT: &str = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n";
const MIXED: &str = "Content-Type: multipart/mixed; boundary=b\n";

#[test]
fn a_report_by_the_book() {
    let report = one(&report(REPORT, "message/delivery-status", STATUS));
    assert_eq!(report.kind, ReportKind::Failure);
    assert_eq!(report.original_message_id.as_deref(), Some("Original@y.example"));
    assert_eq!(report.original_subject.as_deref(), Some("Größe"));
    assert_eq!(report.original_envelope_id.as_deref(), Some("env-1"));
    let recipient = &report.recipients[0];
    assert_eq!(recipient.address, "a@x.example");
    assert_eq!(recipient.original_address.as_deref(), Some("old@x.example"));
    assert_eq!((recipient.status.as_deref(), recipient.code), (Some("5.1.1"), Some(550)));
    assert_eq!((recipient.reason.as_str(), recipient.hard), ("userunknown", true));
    assert_eq!(recipient.diagnostic.as_deref(), Some("550 5.1.1 <a@x.example>... User unknown"));
}

#[test]
fn status_as_plain_text_or_in_a_mixed_mail() {
    assert_eq!(one(&report(REPORT, "text/plain", STATUS)).recipients[0].address, "a@x.example");
    assert_eq!(one(&report(MIXED, "message/delivery-status", STATUS)).recipients[0].address, "a@x.example");
}

#[test]
fn a_wrapped_report_is_read() {
    let inner = report(REPORT, "message/delivery-status", STATUS).split_once("\n\n").unwrap().1.to_owned();
    for kind in ["alternative", "mixed"] {
        let raw = format!(
            "From: someone@x.example\nSubject: Report\nContent-Type: multipart/{kind}; boundary=o\n\n--o\n{REPORT}\n{inner}\n\
             --o\nContent-Type: text/plain\n\nA footer.\n--o--\n"
        );
        assert_eq!(one(&raw).recipients[0].address, "a@x.example", "{kind}");
    }
}

#[test]
fn actions() {
    let kind = |action: &str, status: &str| {
        let status = format!("Final-Recipient: rfc822; a@x.example\nAction: {action}\nStatus: {status}\n");
        let report = one(&report(REPORT, "message/delivery-status", &status));
        (report.kind, report.recipients[0].reason.clone(), report.recipients[0].hard)
    };
    assert_eq!(kind("delayed", "4.4.1"), (ReportKind::Delay, "expired".to_owned(), false));
    assert_eq!(kind("delivered", "2.0.0"), (ReportKind::Success, "delivered".to_owned(), false));
    assert_eq!(kind("relayed", "2.0.0"), (ReportKind::Relayed, "relayed".to_owned(), false));
    assert_eq!(kind("", "5.1.1").0, ReportKind::Failure);
}

#[test]
fn the_worst_result_names_the_report() {
    let status = "Final-Recipient: rfc822; a@x.example\nAction: delivered\nStatus: 2.0.0\n\n\
        Final-Recipient: rfc822; b@x.example\nAction: failed\nStatus: 5.2.2\n\n\
        Final-Recipient: rfc822; c@x.example\nAction: delayed\nStatus: 4.4.1\n";
    let report = read(report(REPORT, "message/delivery-status", status).as_bytes()).unwrap();
    assert_eq!((report.kind, report.recipients.len()), (ReportKind::Failure, 3));
}

#[test]
fn domino_in_plain_text() {
    let raw = "From: Postmaster@x.example\nSubject: DELIVERY FAILURE: User Nobody not listed in Domino Directory\n\n\
        Your message\n\n  Subject: Offer\n\nwas not delivered to:\n\n  nobody@x.example\n\nbecause:\n\n  \
        User Nobody (nobody@x.example) not listed in Domino Directory\n";
    let report = one(raw);
    assert_eq!(report.original_subject.as_deref(), Some("Offer"));
    assert_eq!((report.recipients[0].reason.as_str(), report.recipients[0].hard), ("userunknown", true));
}

#[test]
fn domino_in_other_languages() {
    let reason = |words: &str| {
        let raw = format!(
            "From: Postmaster@x.example\nSubject: DELIVERY FAILURE\nContent-Type: text/plain; charset=utf-8\n\n\
             Your message\n\nwas not delivered to:\n\n  n@x.example\n\nbecause:\n\n  {words}\n"
        );
        one(&raw).recipients[0].reason.clone()
    };
    assert_eq!(
        reason("L'utilisateur N (n@x.example) est non répertorié dans l'annuaire Domino"),
        "userunknown"
    );
    assert_eq!(reason("El usuario N no se encuentra en el Directorio de Domino"), "userunknown");
    assert_eq!(reason("User N は Domino ディレクトリには見つかりません"), "userunknown");
    assert_eq!(reason("Several matches found in Domino Directory"), "systemerror");
    assert_eq!(reason("Maximum hop count exceeded.  Message probably in a routing loop."), "networkerror");
}

#[test]
fn receipts() {
    let raw = "From: reader@x.example\nSubject: Read: Offer\n\
        Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\
        Content-Type: text/plain\n\nRead.\n\n--b\nContent-Type: message/disposition-notification\n\n\
        Final-Recipient: rfc822;reader@x.example\nOriginal-Message-ID: <Original@Y.example>\n\
        Disposition: manual-action/MDN-sent-manually; displayed\n\n--b--\n";
    let report = one(raw);
    assert_eq!(report.kind, ReportKind::Receipt);
    assert_eq!(report.original_message_id.as_deref(), Some("Original@y.example"));
    assert_eq!(report.recipients[0].reason, "displayed");
}

/// A failure with this status and reply: the reason, and whether it is hard.
#[track_caller]
fn reason(status: &str, reply: &str, reason: &str, hard: bool) {
    let fields = format!(
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nStatus: {status}\nDiagnostic-Code: {reply}\n"
    );
    let report = one(&report(REPORT, "message/delivery-status", &fields));
    let recipient = &report.recipients[0];
    assert_eq!((recipient.reason.as_str(), recipient.hard), (reason, hard), "{recipient:#?}");
}

#[test]
fn the_refused_command_parts_unknown_users_from_filters() {
    reason("5.0.0", "smtp; 550 Recipient does not exist (in reply to RCPT TO command)", "userunknown", true);
    reason("5.0.0", "smtp; 550 Unknown user (in reply to end of DATA command)", "filtered", false);
    reason("5.0.0", "smtp; 550 Unknown user", "filtered", false);
    reason("5.1.1", "smtp; 550 Unknown user (in reply to end of DATA command)", "userunknown", true);
    reason("5.2.1", "smtp; 550 5.2.1 Unknown user", "filtered", false);
}

#[test]
fn words_of_another_kind_win_over_the_status() {
    reason("5.1.1", "smtp; 550 5.1.1 <a@x.example>: Relay access denied", "norelaying", false);
    reason("5.2.0", "smtp;522 5.2.0 Delivery failed: Over quota", "mailboxfull", false);
    reason("5.1.1", "smtp; 550 5.1.1 Mailbox full", "mailboxfull", false);
    reason(
        "5.1.8",
        "smtp; 553 5.1.8 <r@y.example>... Domain of sender address r@y.example does not exist",
        "rejected",
        false,
    );
    reason("4.4.3", "smtp; Host or domain name not found. Host not found, try again", "networkerror", false);
}

#[test]
fn labels_of_single_servers() {
    reason("5.4.1", "smtp; 550 5.4.1 Recipient address rejected: Access denied", "userunknown", true);
    reason("5.1.10", "smtp; 550 5.1.10 Recipient not found by SMTP address lookup", "userunknown", true);
    reason("5.1.10", "smtp; 556 5.1.10 Domain has null MX", "notaccept", true);
    reason("5.0.0", "smtp; 550 Adresse invalide. Invalid recipient. OFR204_416", "userunknown", true);
    reason("5.0.0", "smtp; 550 : User unknown", "filtered", false);
    reason("5.0.0", "smtp; 550 <a@x.example>: User unknown", "userunknown", true);
    reason("5.7.606", "smtp; 550 5.7.606 Access denied, banned sending IP [192.0.2.1]", "blocked", false);
}

#[test]
fn powermta_sorts_failures_itself() {
    let category = "smtp;550 No thanks\nX-PowerMTA-BounceCategory: ";
    reason("5.0.0", &format!("{category}bad-mailbox"), "userunknown", true);
    reason("5.0.0", &format!("{category}quota-issues"), "mailboxfull", false);
}

#[test]
fn the_most_telling_codes_are_taken() {
    let codes = |status: &str, reply: &str| {
        let fields =
            format!("Final-Recipient: rfc822; a@x.example\nStatus: {status}\nDiagnostic-Code: {reply}\n");
        let report = one(&report(REPORT, "message/delivery-status", &fields));
        (report.recipients[0].status.clone().unwrap(), report.recipients[0].code)
    };
    assert_eq!(
        codes("5.0.0", "smtp; 554 <a@x.example>... 550 Host unknown"),
        ("5.0.0".to_owned(), Some(550))
    );
    assert_eq!(codes("5.3.0", "smtp; 550 5.1.1 User unknown"), ("5.1.1".to_owned(), Some(550)));
    assert_eq!(codes("5.2.1", "smtp; 550 5.1.1 User unknown"), ("5.2.1".to_owned(), Some(550)));
    assert_eq!(codes("5.4.7", "smtp; 421 4.4.2 Timed out"), ("4.4.2".to_owned(), Some(421)));
    assert_eq!(codes("5.0.0", "smtp; 571 Size 222"), ("5.0.0".to_owned(), None));
}

#[test]
fn amazon_ses_through_sns() {
    let inner = r#"{\"notificationType\":\"Bounce\",\"bounce\":{\"bounceType\":\"Permanent\",\"bounceSubType\":\"General\",
        \"bouncedRecipients\":[{\"emailAddress\":\"a@x.example\",\"action\":\"failed\",\"status\":\"5.1.1\",
        \"diagnosticCode\":\"smtp; 550 5.1.1 user unknown\"}]},\"mail\":{\"commonHeaders\":{
        \"messageId\":\"<Original@Y.example>\",\"subject\":\"Offer\"}}}"#;
    let inner = inner.split('\n').map(str::trim).collect::<String>();
    let raw = format!(
        "From: Alerts <no-reply@sns.amazonaws.com>\nSubject: AWS Notification Message\n\n\
         {{\n  \"Type\" : \"Notification\",\n  \"Message\" : \"{inner}\"\n}}\n--\nTo stop, visit the link.\n"
    );
    let report = one(&raw);
    assert_eq!(
        (report.kind, report.original_message_id.as_deref()),
        (ReportKind::Failure, Some("Original@y.example"))
    );
    let recipient = &report.recipients[0];
    assert_eq!((recipient.address.as_str(), recipient.reason.as_str()), ("a@x.example", "userunknown"));
    assert_eq!(
        (recipient.status.as_deref(), recipient.code, recipient.hard),
        (Some("5.1.1"), Some(550), true)
    );
    is_no_report(
        "From: no-reply@sns.amazonaws.com\nSubject: AWS Notification Message\n\n{\"Type\":\"Notification\"}\n",
    );
}

#[test]
fn a_complaint_of_outlook_com() {
    let raw = "From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.2\n\
        Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n\
        X-HmXmrOriginalRecipient: a@x.example\nMessage-ID: <Original@Y.example>\nSubject: Offer\n\nbody\n\n--b--\n";
    let report = one(raw);
    assert_eq!((report.kind, report.recipients[0].address.as_str()), (ReportKind::Feedback, "a@x.example"));
    assert_eq!(report.original_message_id.as_deref(), Some("Original@y.example"));
}

/// A bounce in plain words to `us@y.example`: the one address it is about.
#[track_caller]
fn about(from: &str, subject: &str, words: &str, address: &str) {
    let report = one(&format!("From: {from}\nTo: us@y.example\nSubject: {subject}\n\n{words}\n"));
    assert_eq!(report.recipients[0].address, address);
}

#[test]
fn addresses_in_plain_words() {
    let postmaster = "Postmaster <postmaster@x.example>";
    about(postmaster, "Undeliverable Mail", "Delivery failed 20 attempts: a@x.example", "a@x.example");
    about(postmaster, "Undeliverable Mail", "undeliverable to a@x.example\n\n550 no", "a@x.example");
    about(
        "MDaemon@x.example",
        "Warning: a@x.example - User unknown!",
        "a@x.example - no such user.",
        "a@x.example",
    );
    about(
        "MAILER-DAEMON@x.example",
        "mail failed",
        "|-- Failed addresses --|\n a@x.example ... unknown host",
        "a@x.example",
    );
    about(postmaster, "Delivery failure", "We know no a@x.example here. Ask abuse@x.example.", "a@x.example");
    about(
        postmaster,
        "Delivery failure",
        "us@y.example\n\nYour message to a@x.example has failed.",
        "a@x.example",
    );
}

#[test]
fn a_daemon_that_speaks_another_language() {
    let raw = "From: MAILER-DAEMON@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\
        Content-Type: text/plain; charset=utf-8\n\nПисьмо вернулось.\n\n<a@x.example>:\n\n--b\n\
        Content-Type: message/rfc822\n\nTo: a@x.example\nSubject: Offer\n\nbody\n--b--\n";
    assert_eq!(one(raw).recipients[0].address, "a@x.example");
}

#[test]
fn the_filter_of_kddi() {
    let raw = |sign: &str| {
        format!(
            "From: Postmaster@x.example\n{sign}Subject: Mail System Error - Returned Mail\n\n<a@x.example>: User unknown\n"
        )
    };
    assert_eq!(one(&raw("X-SPASIGN: NG\n")).recipients[0].reason, "filtered");
    assert_eq!(one(&raw("")).recipients[0].reason, "userunknown");
}

#[track_caller]
fn is_no_report(raw: &str) {
    assert_eq!(read(raw.as_bytes()), None, "{raw}");
}

#[test]
fn people_who_quote_a_bounce_write_no_bounce() {
    let words = "Hi. This is the qmail-send program at x.example.\nI wasn't able to deliver your message to the following \
        addresses.\n\n<a@x.example>:\n550 user unknown\n";
    is_no_report(&format!(
        "From: Anna <anna@x.example>\nSubject: Fwd: failure notice\n\nLook at this:\n\n{words}"
    ));
    is_no_report(&format!(
        "From: Anna <anna@x.example>\nSubject: Re: Undelivered Mail Returned to Sender\n\n{words}"
    ));
    is_no_report(&format!("From: Anna <anna@x.example>\nSubject: Question\n\nWhat is this?\n\n{words}"));
    let quoted: String = words.lines().map(|line| format!("> {line}\n")).collect();
    is_no_report(&format!(
        "From: Postmaster <postmaster@x.example>\nSubject: Our talk\n\nWe look into it.\n\n{quoted}"
    ));
}

#[test]
fn a_bounce_passed_on_as_attachment_is_no_bounce() {
    let bounce = report(REPORT, "message/delivery-status", STATUS);
    let raw = format!(
        "From: anna@x.example\nSubject: Fwd\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\n\
         See below.\n--o\nContent-Type: message/rfc822\n\n{bounce}\n--o--\n"
    );
    is_no_report(&raw);
    let body = bounce.split_once("\n\n").unwrap().1;
    let raw = format!(
        "From: anna@x.example\nSubject: Fwd\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\n\
         See below.\n--o\n{REPORT}\n{body}\n--o--\n"
    );
    is_no_report(&raw);
}

#[test]
fn ordinary_and_automatic_mail_is_no_report() {
    is_no_report("From: postmaster@x.example\nSubject: Maintenance tonight\n\nThe servers will be down.\n");
    is_no_report(
        "Return-Path: <>\nFrom: a@x.example\nAuto-Submitted: auto-replied\nSubject: Away\n\nBack on Monday.\n",
    );
    is_no_report("From: shop@x.example\nSubject: Delivery status\n\nYour parcel is on its way.\n");
    is_no_report(
        "From: shop@x.example\nSubject: Delivery failed\n\nYour parcel could not be delivered. Write to orders@x.example.\n",
    );
    is_no_report(
        "Return-Path: <>\nFrom: a@x.example\nAuto-Submitted: auto-replied\nSubject: Away\n\nI am no such user as reads mail.\n",
    );
    is_no_report("");
}

#[test]
fn a_bounce_reads_alike_with_either_line_end() {
    for case in cases() {
        let raw = std::fs::read_to_string(folder().join(&case.file));
        // Some are not UTF-8; the ones that are suffice.
        let Ok(text) = raw else { continue };
        let lf = text.replace("\r\n", "\n");
        let (one, other) = (read(lf.as_bytes()), read(lf.replace('\n', "\r\n").as_bytes()));
        assert_eq!(
            one.map(|report| report.recipients.len()),
            other.map(|report| report.recipients.len()),
            "{}",
            case.file
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_bounces_do_not_panic(
        case in any::<prop::sample::Index>(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        end in any::<prop::sample::Index>(),
    ) {
        let cases = cases();
        let mut raw = std::fs::read(folder().join(&cases[case.index(cases.len())].file)).unwrap();
        for (place, byte) in places {
            let place = place.index(raw.len());
            raw[place] = byte;
        }
        raw.truncate(end.index(raw.len()) + 1);
        read(&raw);
    }

    /// One endless line full of the words that stand before an address takes no endless time.
    #[test]
    fn a_long_line_of_phrases_is_read_in_time(phrase in "sent to |delivered to: |address: <|>>> rcpt |@") {
        let raw = format!("From: MAILER-DAEMON\nSubject: failure notice\n\n{}", phrase.repeat(200_000 / phrase.len()));
        let start = std::time::Instant::now();
        read(raw.as_bytes());
        prop_assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,300}") {
        let raw = format!("From: MAILER-DAEMON\nSubject: failure notice\n\n{text}\n<a@b>:\n{text}");
        read(raw.as_bytes());
    }
}
