//! The pages of mail that goes out: writing, the queue, and how it stands on a record.

use postroom_core::{MailId, MailState, RecordRef};
use postroom_operations::{Actor, OutgoingView, OutgoingWanted, Role};

use crate::client::Answer;
use crate::house::{Browser, House};

/// Fields of a form by name.
type Fields<'f> = &'f [(&'f str, &'f str)];

/// A form as a browser encodes it.
fn form(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

fn hidden(page: &str, name: &str) -> String {
    let start =
        page.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}: {page}"));
    page[start..].split('"').nth(3).unwrap().to_owned()
}

/// Opens the form of a record and sends it with these fields over what it begins with.
async fn written(house: &House, browser: &Browser, at: &RecordRef, fields: &[(&str, &str)]) -> Answer {
    let path = format!("/records/{at}/write");
    let page = house.look(browser, &path).send().await.page();
    let (id, queue) = (hidden(&page, "id"), house.story.queue_support.to_string());
    let mut all = vec![("id", id.as_str()), ("from", queue.as_str())];
    all.extend([("subject", "Spare seals"), ("text", "Dear Anna,\n\nthey are on their way.")]);
    all.retain(|(name, _)| !fields.iter().any(|(given, _)| given == name));
    all.extend(fields);
    house.submit(browser, &path, &form(&all)).send().await
}

async fn queue(house: &House) -> Vec<OutgoingView> {
    house.operations.outgoing(&Actor::console(), OutgoingWanted::default()).await.unwrap()
}

/// Writes to these people about the leaking pump, and sends.
pub async fn sent(house: &House, browser: &Browser, to: &str, subject: &str) -> MailId {
    let case = house.story.case_pump.clone();
    let answer = written(house, browser, &case, &[("to", to), ("subject", subject)]).await;
    assert_eq!(answer.status, 303, "{}", answer.page());
    house.send_all().await;
    queue(house).await.iter().find(|mail| mail.subject.starts_with(subject)).unwrap().id
}

#[tokio::test]
async fn a_mail_is_written_shows_at_once_and_leaves() {
    let house = House::with_way_out().await;
    let (operator, case) = (house.browser(Role::Operator).await, house.story.case_pump.clone());
    let record = format!("/records/{case}");
    assert!(house.look(&operator, &record).send().await.page().contains(&format!("{record}/write")));
    let to = "Anna Adler <anna.adler@adler-brauerei.example>";
    let done = written(&house, &operator, &case, &[("to", to), ("cc", "gone@adler-brauerei.example")]).await;
    assert_eq!((done.status, done.header("location")), (303, format!("{record}?done=written").as_str()));
    let page = house.look(&operator, done.header("location")).send().await.page();
    assert!(
        page.contains("Spare seals") && page.contains("state-queued") && page.contains("It is queued"),
        "{page}"
    );
    house.send_all().await;
    let page = house.look(&operator, &record).send().await.page();
    for words in
        ["state-sent", "state-accepted", "state-refused", "no such user", "gone@adler-brauerei.example"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let mail = queue(&house).await.remove(0);
    assert_eq!((mail.state, mail.record), (MailState::Sent, Some(case)));
    let page = house.look(&operator, &format!("/records/email/{}", mail.activity_id)).send().await.page();
    assert!(page.contains("Follow this mail out") && page.contains("state-refused"), "{page}");
    let parties =
        house.operations.record(&Actor::console(), &house.story.case_pump).await.unwrap().activities;
    let anna = house.story.contact_anna.to_string();
    assert!(parties[0].parties.iter().any(|party| party.record.as_deref() == Some(&anna)), "{parties:?}");
    let audit = house
        .operations
        .audit_of(&Actor::console(), &format!("email/{}", mail.activity_id), 5)
        .await
        .unwrap();
    assert!(audit.iter().any(|entry| entry.action == "mail.compose"), "{audit:?}");
}

#[tokio::test]
async fn a_form_sent_twice_makes_one_mail() {
    let house = House::with_way_out().await;
    let (operator, case) = (house.browser(Role::Operator).await, house.story.case_pump.clone());
    let id = "00000000-0000-0000-0000-0000000000f1";
    let first = written(&house, &operator, &case, &[("id", id), ("to", "a@x.example")]).await;
    let again = written(&house, &operator, &case, &[("id", id), ("to", "a@x.example, b@x.example")]).await;
    assert!(first.header("location").ends_with("done=written"));
    assert!(again.header("location").ends_with("done=written-before"));
    house.send_all().await;
    let mails = queue(&house).await;
    assert_eq!((mails.len(), mails[0].recipients.len()), (1, 1));
}

#[tokio::test]
async fn a_form_with_faults_comes_back_with_what_was_typed() {
    let house = House::with_way_out().await;
    let (operator, case) = (house.browser(Role::Operator).await, house.story.case_pump.clone());
    let anna = house.story.contact_anna.to_string();
    let paul = format!("systemuser/{}", house.story.case_pump.id);
    let cases: [(Fields<'_>, &str, &str); 9] = [
        (&[("to", "")], "to-wrong", "Name at least one recipient."),
        (&[("to", " , ;")], "to-wrong", "Name at least one recipient."),
        (&[("to", "anna")], "to-wrong", "is no e-mail address"),
        (&[("to", "a@x.example\r\nBcc: all@x.example")], "to-wrong", "would forge a header"),
        (&[("to", "a@x.example"), ("cc", "b@x.example\nX: y")], "cc-wrong", "would forge a header"),
        (
            &[("to", "a@x.example"), ("subject", "Hello\r\nBcc: all@x.example")],
            "subject-wrong",
            "would forge a header",
        ),
        (&[("to", "a@x.example"), ("subject", " ")], "subject-wrong", "Give the mail a subject."),
        (&[("to", "a@x.example"), ("text", " \n ")], "text-wrong", "Write something"),
        (&[("to", "a@x.example"), ("from", &paul)], "from-wrong", "may not send"),
    ];
    for (fields, place, words) in cases {
        let answer = written(&house, &operator, &case, fields).await;
        let page = answer.page();
        assert!(answer.status == 422 && page.contains(place) && page.contains(words), "{fields:?}: {page}");
        assert!(page.contains("role=\"alert\"") && page.contains("aria-invalid"), "{fields:?}");
    }
    let kept = written(&house, &operator, &case, &[("to", "anna"), ("text", "A <long> letter")]).await.page();
    assert!(kept.contains("A &lt;long&gt; letter") && kept.contains("value=\"anna\""), "{kept}");
    let mark = format!(
        "{{\"table\":\"contact\",\"id\":\"{}\",\"columns\":{{\"donotemail\":true}}}}",
        house.story.contact_anna.id
    );
    let mut report = postroom_operations::ImportReport::default();
    house.operations.import_records(&Actor::console(), vec![(1, mark)], false, &mut report).await.unwrap();
    assert_eq!(report.updated, 1, "{anna}: {report:?}");
    let refused = written(&house, &operator, &case, &[("to", "anna.adler@adler-brauerei.example")]).await;
    assert!(refused.status == 422 && refused.page().contains("does not want e-mail"), "{}", refused.page());
    house.send_all().await;
    assert!(queue(&house).await.is_empty(), "nothing of all that leaves");
}

#[tokio::test]
async fn an_answer_goes_to_the_sender_and_into_the_thread() {
    let house = House::with_way_out().await;
    let id = house.tracked().await;
    let operator = house.browser(Role::Operator).await;
    let activity =
        house.operations.message(&Actor::console(), id).await.unwrap().message.activity_id.unwrap();
    let case = house.story.case_pump.clone();
    let path = format!("/records/{case}/write?answers={activity}");
    let record = house.look(&operator, &format!("/records/{case}")).send().await.page();
    assert!(record.contains(&path), "{record}");
    let page = house.look(&operator, &path).send().await.page();
    assert!(page.contains("value=\"anna.adler@adler-brauerei.example\""), "{page}");
    assert!(page.contains("value=\"Re: The pump leaks\""), "{page}");
    let answers = hidden(&page, "answers");
    let to = ("to", "anna.adler@adler-brauerei.example");
    let done =
        written(&house, &operator, &case, &[to, ("subject", "Re: The pump leaks"), ("answers", &answers)])
            .await;
    assert_eq!(done.status, 303, "{}", done.page());
    house.send_all().await;
    let mail = queue(&house).await.remove(0);
    let raw = house.operations.message_raw(&Actor::console(), mail.id).await.unwrap();
    let raw = String::from_utf8_lossy(&raw);
    assert!(raw.contains("In-Reply-To: <one@adler.example>"), "{raw}");
    // The same from the e-mail's own page.
    let page = house
        .look(&operator, &format!("/records/email/{activity}/write?answers={activity}"))
        .send()
        .await
        .page();
    assert!(page.contains(&case.to_string()) || page.contains(&format!("/records/{case}")), "{page}");
}

#[tokio::test]
async fn the_queue_is_looked_through_and_worked() {
    let house = House::with_way_out().await;
    let operator = house.browser(Role::Operator).await;
    let sent_id = sent(&house, &operator, "a@x.example", "One that went").await;
    let busy = sent(&house, &operator, "busy@x.example", "One that waits").await;
    let lost = sent(&house, &operator, "lost@x.example", "One in doubt").await;
    let list = house.look(&operator, "/outgoing").send().await.page();
    for words in ["One that went", "One that waits", "One in doubt", "state-queued", "state-unknown"] {
        assert!(list.contains(words), "{words}: {list}");
    }
    let only = house.look(&operator, "/outgoing?state=queued").send().await.page();
    assert!(only.contains("One that waits") && !only.contains("One that went"), "{only}");
    assert_eq!(house.look(&operator, "/outgoing?state=asleep").send().await.status, 400);
    let page = house.look(&operator, &format!("/outgoing/{busy}")).send().await.page();
    for words in [
        "451",
        "4.3.2",
        "come again",
        "Next try",
        "id=\"attempts\"",
        "answered",
        "/release",
        "/hold",
        "Give it up for good",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let page = house.look(&operator, &format!("/outgoing/{sent_id}")).send().await.page();
    assert!(
        page.contains("queued as 7F3A") && !page.contains("/release") && !page.contains("/fail"),
        "{page}"
    );
    let page = house.look(&operator, &format!("/outgoing/{lost}")).send().await.page();
    assert!(page.contains("same Message-ID") && page.contains("may have it"), "{page}");
    let state = |id| {
        let house = &house;
        async move { house.operations.outgoing_mail(&Actor::console(), id).await.unwrap().state }
    };
    let done = house.submit(&operator, &format!("/outgoing/{busy}/hold"), "").send().await;
    assert_eq!(
        (done.header("location"), state(busy).await),
        (format!("/outgoing/{busy}?done=held").as_str(), MailState::Held)
    );
    house.submit(&operator, &format!("/outgoing/{busy}/release"), "").send().await;
    assert_eq!(state(busy).await, MailState::Queued);
    let unsure = house.submit(&operator, &format!("/outgoing/{busy}/fail"), "").send().await;
    assert_eq!((unsure.status, state(busy).await), (400, MailState::Queued));
    house.submit(&operator, &format!("/outgoing/{busy}/fail"), "confirm=fail").send().await;
    assert_eq!(state(busy).await, MailState::Failed);
    let viewer = house.browser(Role::Viewer).await;
    let page = house.look(&viewer, &format!("/outgoing/{lost}")).send().await.page();
    assert!(page.contains("In doubt") || page.contains("One in doubt"));
    assert!(!page.contains("/release") && !page.contains("/fail"), "{page}");
    assert_eq!(
        house.submit(&viewer, &format!("/outgoing/{lost}/fail"), "confirm=fail").send().await.status,
        403
    );
    assert_eq!(
        house.look(&viewer, &format!("/records/{}/write", house.story.case_pump)).send().await.status,
        403
    );
}

#[tokio::test]
async fn following_a_mail_shows_its_way_out() {
    let house = House::with_way_out().await;
    let operator = house.browser(Role::Operator).await;
    let id = sent(&house, &operator, "a@x.example, gone@x.example", "Two recipients").await;
    let page = house.look(&operator, &format!("/messages/{id}")).send().await.page();
    for words in [
        "hop-queued",
        "hop-accepted",
        "hop-refused",
        "a@x.example: 250 2.0.0 queued as 7F3A",
        "Delivery",
        &format!("/outgoing/{id}"),
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("/attach"), "where it belongs is the CRM's word");
}

#[tokio::test]
async fn without_a_way_out_the_page_says_so() {
    let house = House::open().await;
    let operator = house.browser(Role::Operator).await;
    let record = format!("/records/{}", house.story.case_pump);
    let page = house.look(&operator, &record).send().await.page();
    assert!(page.contains("No outgoing mail server is configured") && !page.contains("/write"), "{page}");
    let answer = house.look(&operator, &format!("{record}/write")).send().await;
    assert!(answer.status == 409 && answer.page().contains("smtp_out"), "{}", answer.page());
    assert!(house.look(&operator, "/outgoing").send().await.page().contains("No mail has left yet"));
}
