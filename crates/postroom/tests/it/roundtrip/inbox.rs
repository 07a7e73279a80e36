//! What people do in their mailboxes.

use postroom_core::{MailState, RecordRef};

use super::{ACME, FOLDER, OLD, World, plain, world};
use crate::sending::bench::CASE;

/// Waits for the decision about a mail.
#[track_caller]
fn decided(world: &World, id: &str) -> postroom_tracking::messages::Message {
    world.message(id, "a decision", |message| message.state != MailState::Received)
}

fn token() -> String {
    format!("CRM: {{{CASE}}}:MRC")
}

#[test]
fn what_is_moved_into_a_record_s_folder_is_tracked_there() {
    let (world, id) = (world(), "moved@nobody.example");
    world.receives("kim@nobody.example", &plain("Kim <kim@nobody.example>", "Hello there", id, ""));
    let first = decided(world, id);
    assert_eq!((first.state, &first.record), (MailState::Review, &None), "{}", first.reason);
    let found = world.dovecot.run("sales", &["SELECT INBOX", &format!("UID SEARCH HEADER Message-ID {id}")]);
    let uid: u32 = found
        .iter()
        .flat_map(|line| line.split_whitespace())
        .find_map(|word| word.parse().ok())
        .expect("it is there");
    world.dovecot.run("sales", &["SELECT INBOX", &format!("UID MOVE {uid} {FOLDER}")]);
    let moved = world.message(id, "another record", |message| message.state == MailState::Tracked);
    assert_eq!(moved.record, Some(RecordRef::new("account", ACME)), "{}", moved.reason);
}

#[test]
fn what_a_user_sent_is_an_outgoing_activity() {
    let (world, id) = (world(), "written@crm.example");
    let from = "Sales <sales@crm.example>";
    let raw = plain(from, &format!("An offer {}", token()), id, "Cc: anna@customer.example\r\n");
    world.dovecot.deliver("sales", "Sent", &raw);
    let sent = decided(world, id);
    let stands = (sent.state, sent.direction.as_str(), sent.record);
    let case = Some(RecordRef::new("incident", CASE));
    assert_eq!(stands, (MailState::Tracked, "outgoing", case), "{}", sent.reason);
    let activity = world.row("email", "activityid", sent.activity_id.expect("it is tracked"));
    assert_eq!(activity.get("directioncode").and_then(|value| value.as_bool()), Some(true), "{activity:#?}");
}

#[test]
fn never_track_rules_win_over_a_token() {
    let (world, id) = (world(), "private@clinic.example");
    world.receives(
        "doc@clinic.example",
        &plain("Doc <doc@clinic.example>", &format!("Your knee {}", token()), id, ""),
    );
    let message = decided(world, id);
    assert_eq!((message.state, &message.record), (MailState::NotTracked, &None), "{}", message.reason);
}

/// `start_at = "now"`: the watcher came to a mailbox with mail in every folder. A folder that is counted anew is read
/// again, and its old mail is old still: another test here has the server do so.
#[test]
fn mail_of_old_days_is_left_alone() {
    let (world, id) = (world(), "new-days@customer.example");
    let from = "Anna <anna@customer.example>";
    for folder in ["INBOX", "Sent", FOLDER] {
        world.dovecot.deliver(
            "sales",
            folder,
            &plain(from, "Of new days", &format!("{folder}-{id}").replace('/', "-"), ""),
        );
    }
    for folder in ["INBOX", "Sent", "CRM-Acme"] {
        decided(world, &format!("{folder}-{id}"));
    }
    for old in OLD {
        assert!(world.messages(old).is_empty(), "{old}");
    }
}

#[test]
fn a_folder_that_is_counted_anew_adds_nothing_twice() {
    let (world, id) = (world(), "known@customer.example");
    let from = "Anna <anna@customer.example>";
    world.dovecot.deliver("sales", "INBOX", &plain(from, &format!("Known {}", token()), id, ""));
    let before = decided(world, id);
    assert_eq!(before.state, MailState::Tracked);
    let moved = world.dovecot.bump_uidvalidity("sales", "INBOX");
    let again = "after-the-bump@customer.example";
    world.dovecot.deliver("sales", "INBOX", &plain(from, &format!("After {}", token()), again, ""));
    assert_eq!(decided(world, again).state, MailState::Tracked);
    assert_eq!(world.dovecot.uid_validity("sales", "INBOX"), moved);
    assert_eq!(world.messages(id).len(), 1);
    assert!(world.messages(OLD[0]).is_empty(), "the folder was read from its beginning");
}
