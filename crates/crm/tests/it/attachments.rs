//! Attachments that the organisation takes none of: they stay here, and the mail goes on its way and says so.

use std::sync::Arc;

use postroom_core::{Change, ChangeSet, Content, Crm, Filter, Ids, Outcome, Query, Record, RecordRef};
use postroom_embedded::seed;
use postroom_embedded::soap::{Generation, Settings};

use crate::server::{Mood, On, Server, on_both};

on_both!(attachments_that_are_not_taken_stay_here);

/// Every way in which a set with an attachment is written.
async fn each(check: impl AsyncFn(&Server, Arc<dyn Crm>, &str)) {
    let server = Server::new(On::Sqlite).await;
    check(&server, Arc::new(server.client()), "Web API").await;
    for generation in [Generation::Crm2011, Generation::Crm2011Ur12, Generation::Dataverse] {
        let server = Server::new(On::Sqlite).await;
        server.be(Settings { generation, ..Settings::default() });
        check(&server, Arc::new(server.soap()), &format!("{generation:?}")).await;
    }
}

/// The organisation's limits from now on.
async fn limits(server: &Server, largest: i64, blocked: &str) {
    let own = Record::new(RecordRef::new("organization", seed::ORGANIZATION));
    let own = own.with("maxuploadfilesize", largest).with("blockedattachments", blocked);
    server.embedded.apply(vec![ChangeSet { changes: vec![Change::Update(own)] }]).await.remove(0).unwrap();
}

/// A mail with files of these names and sizes.
fn mail(subject: &str, files: &[(&str, usize)]) -> ChangeSet {
    let ids = Ids::random();
    let email = Record::new(RecordRef::new("email", ids.next())).with("subject", subject);
    let email = email.with("directioncode", false);
    let file = |(name, size): &(&str, usize)| {
        let row = Record::new(RecordRef::new("activitymimeattachment", ids.next())).with("filename", *name);
        let row = row.with("objectid", email.at.clone()).with("objecttypecode", "email");
        row.with("body", Content::Bytes(vec![b'x'; *size].into()))
    };
    let rows = std::iter::once(email.clone()).chain(files.iter().map(file));
    ChangeSet { changes: rows.map(Change::Create).collect() }
}

/// The mail is there with these files alone, and says whether some stayed here.
async fn filed(server: &Server, subject: &str, files: &[&str], shortened: bool) {
    let of = Query::of("email").filter(Filter::eq("subject", subject));
    let mails = server.embedded.query(&of).await.unwrap();
    assert_eq!(mails.len(), 1, "{subject}");
    assert_eq!(mails[0].int("notifications") == Some(1), shortened, "{subject}: {mails:?}");
    let of = Query::of("activitymimeattachment").filter(Filter::eq("objectid", mails[0].at.clone()));
    let rows = server.embedded.query(&of).await.unwrap();
    let mut names: Vec<&str> = rows.iter().filter_map(|row| row.text("filename")).collect();
    names.sort_unstable();
    assert_eq!(names, files, "{subject}");
}

/// One too large and one of a blocked kind stay; the mail is filed with the third, and says so.
async fn attachments_that_are_not_taken_stay_here(on: On) {
    let server = Server::new(on).await;
    limits(&server, 100, "exe;js").await;
    let set = mail("Files", &[("large.pdf", 101), ("run.EXE", 5), ("small.pdf", 100)]);
    let outcomes = server.client().apply(vec![set]).await.remove(0).unwrap();
    assert_eq!(outcomes, [Outcome::Created, Outcome::Unchanged, Outcome::Unchanged, Outcome::Created]);
    filed(&server, "Files", &["small.pdf"], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_read_the_organization_files_mail() {
    each(async |server, client, what| {
        server.mood(Mood::NoOrganization);
        let sets = vec![mail("With a file", &[("a.pdf", 5)]), mail("Without", &[])];
        for answer in client.apply(sets).await {
            let outcomes = answer.unwrap_or_else(|fault| panic!("{what}: {fault}"));
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Created), "{what}");
        }
        filed(server, "With a file", &["a.pdf"], false).await;
        filed(server, "Without", &[], false).await;
    })
    .await;
}

/// The limits are asked once; somebody sets others afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn limits_that_came_later_are_asked_for_anew() {
    each(async |server, client, what| {
        let first = client.apply(vec![mail("First", &[("run.exe", 5)])]).await.remove(0);
        first.unwrap_or_else(|fault| panic!("{what}: {fault}"));
        limits(server, 100, "exe").await;
        server.mood(Mood::Blocks("later.exe"));
        let sets = vec![mail("Second", &[("later.exe", 5), ("a.pdf", 5)]), mail("Third", &[("b.pdf", 5)])];
        for set in sets {
            let answer = client.apply(vec![set]).await.remove(0);
            answer.unwrap_or_else(|fault| panic!("{what}: {fault}"));
        }
        filed(server, "First", &["run.exe"], false).await;
        filed(server, "Second", &["a.pdf"], true).await;
        filed(server, "Third", &["b.pdf"], false).await;
    })
    .await;
}

/// The limits do not say which attachment is refused: the mail goes without any.
#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_that_is_refused_for_no_reason_known_keeps_no_mail() {
    each(async |server, client, what| {
        server.mood(Mood::Blocks("odd.pdf"));
        let set = mail("Odd", &[("odd.pdf", 5), ("a.pdf", 5)]);
        let outcomes = client.apply(vec![set]).await.remove(0);
        let outcomes = outcomes.unwrap_or_else(|fault| panic!("{what}: {fault}"));
        assert_eq!(outcomes, [Outcome::Created, Outcome::Unchanged, Outcome::Unchanged], "{what}");
        filed(server, "Odd", &[], true).await;
    })
    .await;
}
