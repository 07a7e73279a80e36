//! Mail from watched mailboxes with its own ways: a journal that serves several users, Notes names that only a directory
//! knows, mailboxes whose CRM user says what is tracked, and a server that takes access tokens only.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use postroom_testkit::peers::{Dovecot, DovecotOptions, PASSWORD, Person, Slapd};
use postroom_testkit::poll;
use postroom_testkit::token_server::{CLIENT, CLIENT_SECRET, TokenServer};
use serde_json::{Value, json};

use crate::house::{House, PATIENCE};
use crate::story::{at, row, text};

const ANNA: &str = "anna@ours.example";
const BEN: &str = "ben@ours.example";
const KIM: &str = "kim@customer.example";

/// A mailbox on this Dovecot, read from its first mail on; `more` are further keys of its `imap` section.
fn section(dovecot: &Dovecot, name: &str, more: &str) -> String {
    format!(
        "[mailboxes.{name}]\naddress = \"{name}@ours.example\"\nstart_at = \"2020-01-01\"\n[mailboxes.{name}.imap]\n\
         host = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nusername = \"{name}\"\npoll = \"500ms\"\n{more}\n",
        dovecot.imap().port()
    )
}

const SECRET: &str = "password = { file = \"imap.secret\" }";

fn secret(house: &House, name: &str, words: &str) {
    let path = house.write(name, words.as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
}

/// A house with the customer Kim, and with what stands in `config`.
fn house(config: &str) -> House {
    let house = House::quiet(config);
    secret(&house, "imap.secret", PASSWORD);
    secret(&house, "ldap.secret", Slapd::PASSWORD);
    secret(&house, "oauth.secret", "another secret");
    secret(&house, "token.secret", "first");
    house.records(&[row("contact", 1, json!({"lastname": "Kim", "emailaddress1": KIM}))]);
    house
}

fn mail(from: &str, to: &str, id: &str, more: &str) -> String {
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: About {id}\r\nMessage-ID: <{id}@customer.example>\r\n\
         Date: Tue, 10 Mar 2026 09:00:00 +0000\r\n{more}\r\nHello\r\n"
    )
}

/// The messages by the first word of their id, when there are so many and all are filed.
#[track_caller]
fn filed(house: &House, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let come = poll::until(PATIENCE, || {
        all = house.list(&["message", "list", "--limit", "0"]);
        all.len() >= count
    });
    assert!(come, "{} of {count} came: {all:#?}\n{}", all.len(), house.log());
    let all = house.all_settled();
    assert_eq!(all.len(), count, "{all:#?}");
    all
}

#[track_caller]
fn of<'v>(all: &'v [Value], id: &str) -> &'v Value {
    let wanted = format!("<{id}@customer.example>");
    let found = all.iter().find(|message| message["message_id"] == json!(wanted));
    found.unwrap_or_else(|| panic!("no {id} among {all:#?}"))
}

/// A report as Exchange writes it.
fn report(number: u32, sender: &str, recipients: &[&str], inner: &str) -> String {
    let lines: String = recipients.iter().map(|to| format!("Recipient: {to}\r\n")).collect();
    format!(
        "From: <journal-robot@ours.example>\r\nTo: <journal@ours.example>\r\nX-MS-Journal-Report:\r\n\
         Message-ID: <report-{number}@ours.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
         Sender: {sender}\r\nSubject: x\r\n{lines}\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n"
    )
}

#[test]
fn a_journal_mailbox_serves_several_users() {
    let dovecot = Dovecot::start(DovecotOptions::users(["journal"]));
    let users = format!("[mailboxes.anna]\naddress = \"{ANNA}\"\n[mailboxes.ben]\naddress = \"{BEN}\"\n");
    let journal = section(&dovecot, "journal", &format!("journal = true\n{SECRET}"));
    let house = house(&format!("{users}{journal}")).started();
    let copies = [
        report(1, KIM, &[BEN], &mail(KIM, "undisclosed:;", "secretly", "")),
        report(2, ANNA, &[KIM], &mail(ANNA, KIM, "out", "")),
        format!("X-Envelope-From: {KIM}\r\nX-Envelope-To: {ANNA}\r\n{}", mail(KIM, "list:;", "copied", "")),
        mail(KIM, BEN, "plain", ""),
        // The same mail again, for its second recipient: a sighting, no second message.
        report(5, KIM, &[ANNA], &mail(KIM, "undisclosed:;", "secretly", "")),
        report(
            6,
            "colleague@ours.example",
            &["else@ours.example"],
            &mail("colleague@ours.example", "else@ours.example", "theirs", ""),
        ),
    ];
    copies.iter().for_each(|copy| dovecot.deliver("journal", "INBOX", copy.as_bytes()));
    let all = filed(&house, 5);
    let check = |id: &str, direction: &str, mailbox: &str| {
        let message = of(&all, id);
        assert_eq!(
            (text(&message["direction"]), text(&message["mailbox"])),
            (direction, mailbox),
            "{message:#}"
        );
    };
    check("secretly", "incoming", "ben");
    check("out", "outgoing", "anna");
    check("copied", "incoming", "anna");
    check("plain", "incoming", "ben");
    assert_eq!(of(&all, "secretly")["sightings"], 2, "{all:#?}");
    let theirs = of(&all, "theirs");
    assert!(
        !matches!(text(&theirs["mailbox"]), "anna" | "ben"),
        "it is nobody's whose mailbox is tracked: {theirs:#}"
    );
    house.verify();
}

/// The mail server copies everybody's mail to an address by SMTP, as Postfix does with `always_bcc`; nobody reads a mailbox.
#[test]
fn a_journal_may_be_fed_by_smtp_alone() {
    let users = format!("[mailboxes.anna]\naddress = \"{ANNA}\"\n[mailboxes.ben]\naddress = \"{BEN}\"\n");
    let journal = "[mailboxes.journal]\naddress = \"journal@ours.example\"\njournal = true\n";
    let house = house(&format!("{users}{journal}")).started();
    let noted = "X-Original-To: journal@ours.example\r\nDelivered-To: journal@ours.example\r\n";
    let copies = [
        (KIM, format!("{noted}{}", mail(KIM, ANNA, "in", ""))),
        (ANNA, format!("{noted}{}", mail(ANNA, KIM, "out", ""))),
        ("journal-robot@ours.example", report(1, KIM, &[BEN], &mail(KIM, "undisclosed:;", "secretly", ""))),
    ];
    for (from, copy) in &copies {
        house.send(from, &["journal@ours.example"], copy);
    }
    let all = filed(&house, 3);
    for (id, direction, mailbox) in
        [("in", "incoming", "anna"), ("out", "outgoing", "anna"), ("secretly", "incoming", "ben")]
    {
        let message = of(&all, id);
        assert_eq!(
            (text(&message["direction"]), text(&message["mailbox"])),
            (direction, mailbox),
            "{message:#}"
        );
    }
    house.verify();
}

#[test]
fn a_notes_name_is_resolved_by_the_directory() {
    let people = [
        Person::new("Kim Nowak", &["Sales"], Some(KIM), "knowak"),
        Person::new("Anna Ost", &["Desk"], Some(ANNA), "aost"),
    ];
    let slapd = Slapd::start("Acme", &people);
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    let directory = format!(
        "[directory]\nldap_host = \"127.0.0.1\"\nldap_port = {}\nldap_tls = \"none\"\nldap_base = \"{}\"\n\
         ldap_bind_dn = \"{}\"\nldap_password = {{ file = \"ldap.secret\" }}\n",
        slapd.ldap().port(),
        slapd.base(),
        slapd.bind_dn()
    );
    // Only mail of people that the CRM knows is looked at: those whose name was resolved.
    let anna = section(&dovecot, "anna", SECRET).replacen("start_at", "track = \"known\"\nstart_at", 1);
    let house = house(&format!("{anna}{directory}")).started();
    let notes = mail("CN=Kim Nowak/OU=Sales/O=Acme@Acme", ANNA, "notes", "");
    let bare = mail("CN=Kim Nowak/OU=Sales/O=Acme", "CN=Anna Ost/OU=Desk/O=Acme", "bare", "");
    let unknown = mail("CN=Nobody Known/O=Acme", ANNA, "unknown", "");
    [&notes, &bare, &unknown].iter().for_each(|mail| dovecot.deliver("anna", "INBOX", mail.as_bytes()));
    let all = filed(&house, 3);
    for id in ["notes", "bare"] {
        let message = of(&all, id);
        assert_eq!(message["state"], "review", "{message:#}\n{}", slapd.log());
    }
    assert_eq!(of(&all, "unknown")["state"], "not_tracked");
    assert!(slapd.searches() > 0);
    house.verify();
}

#[test]
fn what_the_crm_says_of_a_user_or_queue_is_the_default_of_track() {
    let names = ["anna", "ben", "carl", "dora", "emil"];
    let dovecot = Dovecot::start(DovecotOptions::users(names));
    let config: String = names.iter().map(|name| section(&dovecot, name, SECRET)).collect();
    // What the configuration says counts before what the CRM says.
    let config = config.replacen(
        "address = \"emil@ours.example\"\n",
        "address = \"emil@ours.example\"\ntrack = \"all\"\n",
        1,
    );
    let house = house(&config);
    let user = |number: u32, name: &str, approval: i64| {
        let columns = json!({
            "firstname": name, "lastname": "X", "domainname": name, "emailrouteraccessapproval": approval,
            "internalemailaddress": format!("{name}@ours.example"),
        });
        row("systemuser", number, columns)
    };
    let queue = |number: u32, name: &str, filter: i64| {
        let columns = json!({
            "name": name, "emailaddress": format!("{name}@ours.example"), "incomingemailfilteringmethod": filter,
            "emailrouteraccessapproval": 1,
        });
        row("queue", number, columns)
    };
    // Anna: approved, replies only by her settings. Ben: not approved yet. Carl and Emil: replies only. Dora: known senders.
    house.records(&[
        user(1, "anna", 1),
        user(2, "ben", 2),
        queue(3, "carl", 1),
        queue(4, "dora", 2),
        queue(5, "emil", 1),
    ]);
    let settings = json!({"incomingemailfilteringmethod": 1, "systemuserid": at("systemuser", 1)});
    let mut settings = row("usersettings", 1, settings);
    settings["id"] = json!(crate::story::guid("systemuser", 1));
    settings["columns"].as_object_mut().expect("it has columns").remove("systemuserid");
    house.records(&[settings]);
    let house = house.started();
    for name in names {
        let to = format!("{name}@ours.example");
        dovecot.deliver(name, "INBOX", mail(KIM, &to, &format!("known-{name}"), "").as_bytes());
        dovecot.deliver(
            name,
            "INBOX",
            mail("who@else.example", &to, &format!("strange-{name}"), "").as_bytes(),
        );
    }
    let all = filed(&house, 10);
    let check = |id: &str, state: &str| {
        assert_eq!(text(&of(&all, id)["state"]), state, "{id}: {:#}", of(&all, id));
    };
    check("known-anna", "not_tracked");
    check("strange-anna", "not_tracked");
    check("known-ben", "not_tracked");
    check("known-carl", "not_tracked");
    check("known-dora", "review");
    check("strange-dora", "not_tracked");
    check("known-emil", "review");
    check("strange-emil", "review");
    house.verify();
}

#[test]
fn a_mailbox_is_watched_with_tokens_that_its_server_checks() {
    let tokens = TokenServer::start("anna", 3600);
    let settings = tokens.dovecot_settings();
    let dovecot = Dovecot::start(DovecotOptions { settings, ..DovecotOptions::users(["anna"]) });
    let oauth = format!(
        "sign_in = \"xoauth2\"\n[mailboxes.anna.imap.oauth]\ntoken_url = \"{}\"\nclient_id = \"{CLIENT}\"\n\
         client_secret = {{ file = \"oauth.secret\" }}\nscope = \"imap\"\n",
        tokens.token_url()
    );
    let house = house(&section(&dovecot, "anna", &oauth));
    let tested = house.run(&["mailbox", "test", "anna"]);
    let said = String::from_utf8_lossy(&tested.out).into_owned();
    assert!(tested.exit == 20 && said.contains("unknown client or secret"), "{said}{}", tested.err);
    secret(&house, "oauth.secret", CLIENT_SECRET);
    let tested = String::from_utf8(house.run(&["mailbox", "test", "anna"]).out).expect("UTF-8");
    assert!(tested.contains("signed in as anna"), "{tested}");
    let before = tokens.issued();
    let house = house.started();
    dovecot.deliver("anna", "INBOX", mail(KIM, ANNA, "one", "").as_bytes());
    filed(&house, 1);
    assert_eq!(tokens.issued(), before + 1);
    // Taken back and cut off: the watcher signs in again with another one.
    tokens.revoke_all();
    dovecot.kill();
    dovecot.start_again();
    dovecot.deliver("anna", "INBOX", mail(KIM, ANNA, "two", "").as_bytes());
    filed(&house, 2);
    assert!(tokens.issued() >= before + 2, "{}", tokens.issued());
    house.verify();
}

/// A token that another program renews in a file.
#[test]
fn a_token_in_a_file_is_read_again_for_each_connection() {
    let tokens = TokenServer::start("anna", 3600);
    let settings = tokens.dovecot_settings();
    let dovecot = Dovecot::start(DovecotOptions { settings, ..DovecotOptions::users(["anna"]) });
    let keys = "sign_in = \"xoauth2\"\npassword = { file = \"token.secret\" }";
    let house = house(&section(&dovecot, "anna", keys));
    tokens.grant("first");
    let house = house.started();
    dovecot.deliver("anna", "INBOX", mail(KIM, ANNA, "one", "").as_bytes());
    filed(&house, 1);
    tokens.revoke_all();
    tokens.grant("second");
    secret(&house, "token.secret", "second");
    dovecot.kill();
    dovecot.start_again();
    dovecot.deliver("anna", "INBOX", mail(KIM, ANNA, "two", "").as_bytes());
    filed(&house, 2);
}
