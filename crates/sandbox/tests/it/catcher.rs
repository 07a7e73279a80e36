//! The catcher, as Python's smtplib sees it.

use std::time::{Duration, Instant};

use postroom_sandbox::catcher::{Catcher, LoseAnswer};

use crate::python;

/// Sends one mail to these recipients; prints what came of it.
const SEND: &str = r#"
def send(*to, text='Subject: x\r\n\r\n.\r\n..dots\r\n', **options):
    try:
        with smtplib.SMTP(HOST, PORT, 'client.example') as server:
            print(server.sendmail('anna@ours.example', to, text.encode(), **options))
    except (smtplib.SMTPException, OSError) as error:
        print(type(error).__name__, error)
"#;

#[track_caller]
fn check(plan: impl Fn(&Catcher), script: &str, expected: &str, kept: usize) -> Catcher {
    let catcher = Catcher::start();
    plan(&catcher);
    let said = python::run(catcher.address(), &format!("{SEND}{script}"));
    assert!(said.contains(expected), "{said:?} and not {expected:?}");
    assert_eq!(catcher.mails().len(), kept);
    catcher
}

#[test]
fn mail_is_kept_as_it_was_sent() {
    let options = "mail_options=['BODY=8BITMIME', 'RET=HDRS'], rcpt_options=['NOTIFY=FAILURE']";
    let script = format!("send('a@else.example', 'b@else.example', {options})");
    let catcher = check(|_| {}, &script, "{}", 1);
    let mail = &catcher.mails()[0];
    assert_eq!(&mail.raw[..], b"Subject: x\r\n\r\n.\r\n..dots\r\n");
    assert_eq!((mail.from.as_str(), mail.client.as_str()), ("anna@ours.example", "client.example"));
    assert_eq!(mail.from_parameters, "size=25 BODY=8BITMIME RET=HDRS");
    assert_eq!(mail.recipients(), ["a@else.example", "b@else.example"]);
    assert_eq!(mail.to[1].1, "NOTIFY=FAILURE");
    catcher.clear();
    assert!(catcher.mails().is_empty());
}

#[test]
fn recipients_are_refused() {
    let plan = |catcher: &Catcher| {
        catcher.refuse("no@else.example", "550 5.1.1 No such user");
        catcher.refuse("full@else.example", "452 4.2.2 Mailbox full");
    };
    let catcher = check(
        plan,
        "send('A@else.example', 'NO@else.example', 'full@else.example')",
        "(550, b'5.1.1 No such user'), 'full@else.example': (452",
        1,
    );
    assert_eq!(catcher.mails()[0].recipients(), ["A@else.example"]);
    check(plan, "send('no@else.example')", "SMTPRecipientsRefused", 0);
    check(|catcher| (plan(catcher), catcher.accept("No@else.example")).1, "send('no@else.example')", "{}", 1);
}

#[test]
fn commands_are_answered_as_planned() {
    check(
        |catcher| catcher.answer_next("MAIL", "451 4.3.0 Later"),
        "send('a@b.example')\nsend('a@b.example')",
        "451",
        1,
    );
    check(
        |catcher| catcher.answer_next(".", "554 5.6.0 Spam"),
        "send('a@b.example')",
        "SMTPDataError (554",
        0,
    );
    check(|catcher| catcher.answer_next("MAIL", "421 4.3.2 Closing"), "send('a@b.example')", "421", 0);
    check(|catcher| catcher.limit_size(10), "send('a@b.example')", "552", 0);
    check(
        |catcher| catcher.hide("8bitmime"),
        "s = smtplib.SMTP(HOST, PORT)\ns.ehlo()\nprint(s.has_extn('8bitmime'), s.has_extn('dsn'))",
        "False True",
        0,
    );
}

#[test]
fn an_answer_is_lost_before_or_after_the_mail_is_kept() {
    let lose = |when| move |catcher: &Catcher| catcher.lose_next_answer(when);
    let script = "send('a@b.example')";
    check(lose(LoseAnswer::BeforeKeeping), script, "SMTPServerDisconnected", 0);
    let catcher = check(lose(LoseAnswer::AfterKeeping), script, "SMTPServerDisconnected", 1);
    python::run(catcher.address(), &format!("{SEND}{script}"));
    assert_eq!(catcher.mails().len(), 2);
    assert_eq!(catcher.connections(), 2);
}

#[test]
fn greylisting_takes_the_second_try() {
    check(
        |catcher| catcher.greylist(true),
        "send('a@b.example')\nsend('a@b.example')",
        "451, b'4.7.1 Greylisted",
        1,
    );
}

#[test]
fn lines_may_be_slow_and_drop() {
    let start = Instant::now();
    check(|catcher| catcher.slow(Duration::from_millis(50)), "send('a@b.example')", "{}", 1);
    assert!(start.elapsed() >= Duration::from_millis(250), "a greeting and five answers");
    check(|catcher| catcher.drop_after(30), "send('a@b.example')", "SMTPServerDisconnected", 0);
}

#[test]
fn a_large_mail_with_long_lines_is_kept_whole() {
    let script = "text = 'Subject: x\\r\\n\\r\\n' + ('y' * 200000 + '\\r\\n.\\r\\n') * 20\nsend('a@b.example', text=text)";
    let catcher = check(|_| {}, script, "{}", 1);
    assert_eq!(catcher.mails()[0].raw.len(), 14 + (200_002 + 3) * 20);
    assert_eq!(catcher.commands().len(), 5, "{:?}", catcher.commands());
}
