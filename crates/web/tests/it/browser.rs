//! The pages in a real browser: `tests/browser/pages.js` in Chromium. Set `PAGES_SHOTS` to a folder to get screenshots.

use std::path::Path;
use std::process::Stdio;

use postroom_core::{Direction, WatchState};
use postroom_operations::Role;
use tokio::process::Command;

use crate::house::House;
use crate::{campaigns, marketing, pages_in, pages_out, people};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
const CHROMIUM: &str = "/usr/bin/chromium";

/// Mail of every kind that a page has to show.
async fn furnish(house: &House) -> [String; 2] {
    let case = house.story.case_pump.id;
    let offer = format!(
        "From: =?utf-8?B?SW7DqnMgQmF1bWFubg==?= <ines@demo.example>\nTo: Anna Adler <anna.adler@adler-brauerei.example>\n\
         Cc: Tom Okafor <tom@demo.example>\nMessage-ID: <offer@demo.example>\nDate: Tue, 10 Mar 2026 08:00:00 +0000\n\
         Subject: Spare seals for your pump CRM: {{{case}}}:MRC\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/plain; charset=utf-8\n\n\
         Dear Anna,\n\nthe seals are on their way. The drawing shows where they sit.\n\nKind regards\nInes\n\
         --c\nContent-Type: text/html; charset=utf-8\n\n<p>Dear Anna,</p><p>the <b>seals</b> are on their way. The drawing shows where they sit.</p>\n--c--\n\
         --b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"Drawing of the shaft seal, sheet 3.pdf\"\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjcK\n--b--\n"
    );
    house.mail_as(&offer, Direction::Outgoing).await;
    let tracked = house.tracked().await;
    house.mail(
        "From: Anna Adler <anna.adler@adler-brauerei.example>\nTo: ines@demo.example\nCc: support@demo.example\nMessage-ID: <reply@adler.example>\n\
         In-Reply-To: <offer@demo.example>\nReferences: <offer@demo.example>\nDate: Tue, 10 Mar 2026 09:30:00 +0000\n\
         Subject: Re: Spare seals for your pump\n\nThey came this morning and fit. Thank you!\n\nAnna\n",
    )
    .await;
    house.review().await;
    house.mail(
        "From: news@shop.example\nTo: support@demo.example\nMessage-ID: <n@shop.example>\nList-Id: <offers.shop.example>\nList-Unsubscribe: <https://shop.example/u>\n\
         Precedence: bulk\nDate: Tue, 10 Mar 2026 07:00:00 +0000\nSubject: 20 % on everything, this week only: our largest spring sale of pumps, hoses, fittings and garden tools\n\nBuy!\n",
    )
    .await;
    house.mail(
        "From: Mail Delivery Subsystem <mailer-daemon@mx.example>\nTo: support@demo.example\nMessage-ID: <b@mx.example>\nDate: Tue, 10 Mar 2026 07:30:00 +0000\n\
         Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\n\n\
         --r\nContent-Type: text/plain\n\nIt could not be delivered.\n--r\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; gone@adler-brauerei.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n\n\
         --r\nContent-Type: message/rfc822\n\nMessage-ID: <offer@demo.example>\nSubject: Spare seals for your pump\n\nx\n--r--\n",
    )
    .await;
    let evil = house.mail(crate::security::HOSTILE).await;
    house.shelve().await;
    [tracked.to_string(), evil.to_string()]
}

/// Mail that went, that waits, that is held and that nobody knows of.
async fn furnish_out(house: &House) -> [String; 2] {
    let operator = house.browser(Role::Operator).await;
    let to = "anna.adler@adler-brauerei.example, gone@adler-brauerei.example";
    let sent = pages_out::sent(house, &operator, to, "Date for the repair of the leaking pump").await;
    pages_out::sent(house, &operator, "busy@adler-brauerei.example", "Invoice for the shaft seals").await;
    let doubt =
        pages_out::sent(house, &operator, "lost@adler-brauerei.example", "Offer for a second pump").await;
    [sent.to_string(), doubt.to_string()]
}

fn needs(path: &str, how: &str) {
    assert!(Path::new(path).exists(), "{path} is missing: {how}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_chromium() {
    needs(CHROMIUM, "install Debian's package chromium");
    needs(
        &format!("{FOLDER}/node_modules/playwright-core"),
        "run npm ci --ignore-scripts in crates/web/tests/browser",
    );
    let world = people::world();
    let house = people::house(&world).await;
    let known = people::furnish(&house, &world).await;
    let [partly, held] = marketing::furnish(&house).await.map(|run| run.to_string());
    let sends = campaigns::furnish(&house).await;
    let [tracked, evil] = furnish(&house).await;
    pages_in::watch(&house, WatchState::Stopped, Some("PR-3103")).await;
    pages_in::resembling(&house).await;
    let [sent, doubt] = furnish_out(&house).await;
    let mut node = Command::new("node");
    node.arg("pages.js").current_dir(FOLDER).stdin(Stdio::null()).kill_on_drop(true);
    let facts = [
        ("PAGES_BASE", format!("http://{}", house.at)),
        ("PAGES_LINK", house.sign_in_url(Role::Owner).await),
        ("PAGES_MAIL", tracked),
        ("PAGES_EVIL", evil),
        ("PAGES_SENT", sent),
        ("PAGES_DOUBT", doubt),
        ("PAGES_PARTLY", partly),
        ("PAGES_HELD", held),
        ("PAGES_CAMPAIGN", format!("/campaigns/main/{}", campaigns::CAMPAIGN)),
        ("PAGES_LIST", campaigns::LIST.to_owned()),
        ("PAGES_APPROVAL", sends.approval.to_string()),
        ("PAGES_QUESTION", sends.question.to_string()),
        ("PAGES_LOST", sends.lost.to_string()),
        ("PAGES_WENT", sends.sent.to_string()),
        ("PAGES_PERSON", known.person.to_string()),
        ("PAGES_LISTED", known.list.to_string()),
        ("PAGES_FORM", known.form.to_string()),
        ("PAGES_RECORD", house.story.case_pump.to_string()),
        ("PAGES_CHROMIUM", CHROMIUM.to_owned()),
    ];
    let run = node.envs(facts).output().await.expect("node is missing: install Debian's package nodejs");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "the browser found fault:\n{said}");
}
