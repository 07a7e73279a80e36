//! Which folders are read, under which name, and from where on.

use jiff::SignedDuration;
use postroom_mail::imap::{Account, Client, Dialer, FolderName, FolderRule, Patience, Tree, Watched};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::book::{Book, Watching, account, mail, now, quick, wait_for};
use super::domino::{domino, watches};

fn named(name: &str, tied: bool) -> FolderRule {
    FolderRule { tied, ..FolderRule::new(FolderName::Named(name.into())) }
}

/// A mail in a folder is handed over under the name by which the folder is configured.
async fn check(below: Option<&str>, folders: Vec<FolderRule>, at: &str, expected: &str) {
    let (domino, book) = (domino(), Book::new());
    domino.delegate("anna", "postroom");
    domino.deliver("anna", "CRM\\Acme", &mail(0));
    let user = if below.is_some() { "postroom" } else { "anna" };
    let account = Account { below: below.map(str::to_owned), ..account(domino.address(), user, "secret") };
    let watched = Watched { folders, ..Watched::new("anna", account) };
    let _watching = Watching::start(&book, quick(), vec![watched]);
    watches(&book, "anna").await;
    domino.deliver("anna", at, &mail(1));
    wait_for("the mail", || book.has(&mail(1))).await;
    let seen = book.of("anna").remove(0);
    assert_eq!(seen.folder.as_deref(), Some(expected));
    // Where it lies on the server is part of its name, as it always was.
    let place = below.map_or(at.to_owned(), |below| format!("{below}\\{at}"));
    assert!(seen.source_id.is_some_and(|id| id.contains(&format!("/{place}/"))));
}

#[tokio::test]
async fn a_folder_is_called_as_it_is_configured() {
    let folders = || vec![FolderRule::new(FolderName::Inbox), named("CRM/Acme", true)];
    check(None, folders(), "CRM\\Acme", "CRM/Acme").await;
    check(Some("Other\\anna"), folders(), "CRM\\Acme", "CRM/Acme").await;
    check(Some("Other\\anna"), folders(), "Inbox", "INBOX").await;
    let twice = vec![named("CRM\\Acme", false), named("CRM/Acme", true)];
    check(None, twice, "CRM\\Acme", "CRM/Acme").await;
}

#[tokio::test]
async fn a_folder_that_turns_up_later_is_read_from_its_beginning() {
    let (domino, book) = (domino(), Book::new());
    domino.remove_folder("anna", "Sent");
    let mut watched = Watched::new("anna", account(domino.address(), "anna", "secret"));
    watched.folders.extend([named("CRM/Acme", true), named("CRM/Other", false)]);
    let _watching = Watching::start(&book, quick(), vec![watched]);
    watches(&book, "anna").await;
    let old = now().checked_sub(SignedDuration::from_hours(24 * 365)).unwrap();
    domino.deliver_at("anna", "CRM\\Acme", &mail(1), old);
    domino.deliver_at("anna", "CRM\\Other", &mail(2), old);
    domino.deliver("anna", "CRM\\Other", &mail(3));
    domino.deliver("anna", "Sent", &mail(4));
    for number in [1, 3, 4] {
        wait_for("what came before the folder was seen", || book.has(&mail(number))).await;
    }
    wait_for("the other folder", || {
        book.cursor_of("anna", "CRM\\Other").is_some_and(|cursor| cursor.uid == 2)
    })
    .await;
    assert!(!book.has(&mail(2)), "older than the mailbox's beginning, and tied to nothing");
    domino.deliver_at("anna", "CRM\\Other", &mail(5), old);
    wait_for("what is moved in later", || book.has(&mail(5))).await;
}

/// Tells what folders are for only when it is asked, or refuses to be asked.
async fn asked_for_uses(refuses: bool) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"* OK ready\r\n").await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
            let (tag, command) = line.trim_end().split_once(' ').unwrap_or(("x", ""));
            let asks = command.contains("RETURN (SPECIAL-USE)");
            let said = match command.split(' ').next() {
                Some("CAPABILITY") => "* CAPABILITY IMAP4rev1 LIST-EXTENDED SPECIAL-USE\r\n",
                Some("LIST") if refuses => "* LIST () \"/\" Sent\r\n",
                Some("LIST") if asks => {
                    "* LIST () \"/\" Sent\r\n* LIST (\\Sent \\HasNoChildren) \"/\" Ausgang\r\n"
                }
                Some("LIST") => "* LIST () \"/\" Sent\r\n* LIST (\\HasNoChildren) \"/\" Ausgang\r\n",
                _ => "",
            };
            let answer = match refuses && asks {
                true => format!("{tag} BAD what is RETURN?\r\n"),
                false => format!("{said}{tag} OK done\r\n"),
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            line.clear();
        }
    });
    address
}

#[tokio::test]
async fn what_folders_are_for_is_asked() {
    for (refuses, expected) in [(false, "Ausgang"), (true, "Sent")] {
        let account = account(asked_for_uses(refuses).await, "anna", "secret");
        let mut client = Client::connect(&account, &Dialer::default(), Patience::default()).await.unwrap();
        client.sign_in(&account.auth).await.unwrap();
        let tree = Tree::read(&mut client, &account).await.unwrap();
        assert_eq!(tree.find(&FolderName::Sent).unwrap().name, expected);
    }
}
