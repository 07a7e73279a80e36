//! The pages of mail that comes in: mailboxes, review, moving and undoing.

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Cursor, Folder, MailId, MailState, Waiting, WatchBook, WatchReport, WatchState};
use postroom_operations::{Actor, Role};

use crate::house::House;

/// The mailbox *support* as its watcher left it: two folders, one message that cannot be read.
pub async fn watch(house: &House, state: WatchState, code: Option<&str>) {
    let book = house.book();
    for (name, uid) in [("Inbox", 4711), ("Sent", 12)] {
        let folder =
            Folder { mailbox: "support".into(), server: "mail.demo.example:993".into(), name: name.into() };
        let error = "the server sends a literal that is cut short".to_owned();
        let waiting = (name == "Inbox").then_some(Waiting { uid: 4700, tries: 8, due: None, error });
        let cursor = Cursor {
            uid_validity: 1_700_000_001,
            uid,
            waiting: waiting.into_iter().collect(),
            ..Cursor::default()
        };
        book.take(&folder, Vec::new(), &cursor).await.unwrap();
    }
    let text = match code {
        Some(_) => "The server refused the sign-in of support@demo.example.",
        None => "Waits for news in 2 folders.",
    };
    let report = WatchReport {
        state,
        text: text.into(),
        code: code.map(str::to_owned),
        behind: if code.is_some() { 3 } else { 0 },
        quirks: vec![
            "no IDLE: it is asked every 60 s".into(),
            "Sent is empty: set EnableImapFolderSynch=1".into(),
        ],
    };
    book.report("support", &report).await.unwrap();
}

#[tokio::test]
async fn a_mailbox_that_needs_a_person_says_what_to_do() {
    let house = House::with_way_out().await;
    watch(&house, WatchState::Stopped, Some("PR-3103")).await;
    house.review().await;
    let viewer = house.browser(Role::Viewer).await;
    let list = house.look(&viewer, "/mailboxes").send().await.page();
    let next = postroom_core::code::entry("PR-3103".parse().unwrap()).unwrap().action;
    for words in ["needs you", "refused the sign-in", "PR-3103", next, "/mailboxes/support", "3 behind"] {
        assert!(list.contains(words), "{words}: {list}");
    }
    let page = house.look(&viewer, "/mailboxes/support").send().await.page();
    for words in
        [next, "4711", "1700000001", "4700", "cut short", "given up after 8 tries", "no IDLE", "A question"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("/pause") && !page.contains("rescan\""), "a viewer gives no orders");
    assert_eq!(house.look(&viewer, "/mailboxes/nobody").send().await.status, 404);
}

#[tokio::test]
async fn a_mailbox_that_nobody_watches_says_so() {
    let clock = Clock::manual("2026-11-02T08:00:00Z".parse::<Timestamp>().unwrap());
    let house = House::with_way_out_at(clock.clone()).await;
    let seen = async || {
        let seen = house.operations.mailbox(&Actor::console(), "support").await.unwrap().mailbox;
        (seen.state, seen.heartbeat_age_seconds)
    };
    assert_eq!(seen().await, ("waiting", None), "it never ran");
    watch(&house, WatchState::Watching, None).await;
    clock.advance(SignedDuration::from_mins(2));
    assert_eq!(seen().await, ("healthy", Some(120)), "a report is a sign of life too");
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(seen().await, ("not_running", Some(121)));
    let viewer = house.browser(Role::Viewer).await;
    let page = house.look(&viewer, "/mailboxes").send().await.page();
    assert!(page.contains("is not running: its last sign of life came 2 min ago"), "{page}");
    house.operations.heartbeat().await.unwrap();
    assert_eq!(seen().await, ("healthy", Some(0)));
    clock.advance(SignedDuration::from_hours(1));
    assert_eq!(seen().await, ("not_running", Some(3600)));
    house.operations.pause_mailbox(&Actor::console(), "support", false).await.unwrap();
    assert_eq!(seen().await.0, "paused", "what a person ordered counts before");
}

#[tokio::test]
async fn a_mailbox_takes_orders() {
    let house = House::with_way_out().await;
    watch(&house, WatchState::Watching, None).await;
    house.review().await;
    let operator = house.browser(Role::Operator).await;
    let state =
        || async { house.operations.mailbox(&Actor::console(), "support").await.unwrap().mailbox.state };
    assert_eq!(state().await, "healthy");
    let done = house.submit(&operator, "/mailboxes/support/pause", "").send().await;
    assert_eq!(done.header("location"), "/mailboxes/support?done=paused");
    assert_eq!(state().await, "paused");
    let page = house.look(&operator, done.header("location")).send().await.page();
    assert!(page.contains("/mailboxes/support/resume") && page.contains("Paused."), "{page}");
    house.submit(&operator, "/mailboxes/support/resume", "").send().await;
    assert_eq!(state().await, "healthy");
    // First what it means, then the order.
    let foreseen = house.look(&operator, "/mailboxes/support?since=2026-03-01").send().await.page();
    assert!(foreseen.contains("One message since then is stored already"), "{foreseen}");
    let orders = house.book().orders("support").await.unwrap();
    assert_eq!(orders.rescan, None, "a look orders nothing");
    let wrong = house.look(&operator, "/mailboxes/support?since=2026-02-31").send().await;
    assert!(wrong.status == 200 && wrong.page().contains("is no day"), "{}", wrong.page());
    let future = house.look(&operator, "/mailboxes/support?since=2999-01-01").send().await.page();
    assert!(future.contains("in the future"), "{future}");
    house.submit(&operator, "/mailboxes/support/rescan", "since=2026-03-01").send().await;
    let (_, since) = house.book().orders("support").await.unwrap().rescan.unwrap();
    assert_eq!(since.to_string(), "2026-03-01T00:00:00Z");
}

/// Two mails of one exchange: the first names the case, the second has lost its headers and its token.
pub async fn resembling(house: &House) -> MailId {
    house.tracked().await;
    house
        .mail(
            "From: Anna Adler <anna.adler@adler-brauerei.example>\nTo: support@demo.example\nMessage-ID: <again@adler.example>\n\
             Date: Thu, 12 Mar 2026 09:00:00 +0000\nSubject: AW: The pump leaks\n\nAny news?\n",
        )
        .await
}

async fn stands(house: &House, id: MailId) -> (MailState, Option<String>) {
    let message = house.operations.message(&Actor::console(), id).await.unwrap().message;
    (message.state, message.record.map(|record| record.to_string()))
}

#[tokio::test]
async fn review_proposes_with_reasons_and_takes_it_back() {
    let house = House::with_way_out().await;
    let id = resembling(&house).await;
    let unknown = house.review().await;
    let (operator, case) = (house.browser(Role::Operator).await, house.story.case_pump.to_string());
    let page = house.look(&operator, "/review").send().await.page();
    let own = &page[page.find(&format!("/messages/{id}\"")).unwrap()..];
    for words in [
        "the same words in its subject and 2 of the same people",
        "data-key=\"1\"",
        case.as_str(),
        "its emailaddress1",
    ] {
        assert!(own.contains(words), "{words}: {page}");
    }
    assert!(page.contains(&format!("/messages/{unknown}/skip")) && page.contains("Nothing in it resembles"));
    let fields = format!("back=review&record={case}");
    let done = house.submit(&operator, &format!("/messages/{id}/attach"), &fields).send().await;
    assert_eq!(done.header("location"), format!("/review?undo={id}&done=attached"));
    assert_eq!(stands(&house, id).await, (MailState::Tracked, Some(case)));
    let after = house.look(&operator, done.header("location")).send().await.page();
    assert!(after.contains(&format!("/messages/{id}/undo")) && after.contains("data-key=\"u\""), "{after}");
    let undone = house.submit(&operator, &format!("/messages/{id}/undo"), "back=review").send().await;
    assert_eq!(undone.header("location"), "/review?done=undone");
    assert_eq!(stands(&house, id).await, (MailState::Review, None));
    house.submit(&operator, &format!("/messages/{unknown}/skip"), "back=review").send().await;
    assert_eq!(stands(&house, unknown).await.0, MailState::NotTracked);
    let viewer = house.browser(Role::Viewer).await;
    let page = house.look(&viewer, "/review").send().await.page();
    assert!(page.contains("AW: The pump leaks") && !page.contains("data-key"), "{page}");
}

#[tokio::test]
async fn an_empty_review_is_good_news() {
    let house = House::open().await;
    let viewer = house.browser(Role::Viewer).await;
    assert!(house.look(&viewer, "/review").send().await.page().contains("Nothing waits for you."));
    assert_eq!(house.look(&viewer, "/review?cursor=nonsense").send().await.status, 400);
}

#[tokio::test]
async fn a_mail_moves_to_a_record_found_by_name_and_back() {
    let house = House::open().await;
    let (id, operator) = (house.tracked().await, house.browser(Role::Operator).await);
    let page = house.look(&operator, &format!("/messages/{id}")).send().await.page();
    assert!(page.contains(&format!("/messages/{id}/move")) && !page.contains("/undo"), "{page}");
    let found = house.look(&operator, &format!("/messages/{id}/move?q=outdoor+pool")).send().await.page();
    let pool = house.story.opportunity_pool.to_string();
    assert!(found.contains(&format!("value=\"{pool}\"")) && found.contains("Move here"), "{found}");
    let by_id = house
        .look(&operator, &format!("/messages/{id}/move?q={}", house.story.case_pump))
        .send()
        .await
        .page();
    assert!(by_id.contains("it is here"), "{by_id}");
    let none = house.look(&operator, &format!("/messages/{id}/move?q=zebra")).send().await.page();
    assert!(none.contains("No record is called that"), "{none}");
    house.submit(&operator, &format!("/messages/{id}/attach"), &format!("record={pool}")).send().await;
    assert_eq!(stands(&house, id).await.1, Some(pool));
    let page = house.look(&operator, &format!("/messages/{id}")).send().await.page();
    assert!(page.contains(&format!("/messages/{id}/undo")), "{page}");
    let done = house.submit(&operator, &format!("/messages/{id}/undo"), "").send().await;
    assert_eq!(done.header("location"), format!("/messages/{id}?done=undone"));
    assert_eq!(stands(&house, id).await.1, Some(house.story.case_pump.to_string()));
}
