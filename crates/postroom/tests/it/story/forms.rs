//! What becomes of a mail's content: its body and its attachments; and `message why`, which writes nothing.

use serde_json::json;

use super::*;

const MIXED: &str = "--o\nContent-Type: multipart/related; boundary=i\n\n--i\nContent-Type: text/html; charset=utf-8\n\n\
    <html><body><p onclick=\"evil()\">Gr\u{fc}\u{df}e</p><script>evil()</script><table><tr><td>kept</td></tr></table>\
    <img src=\"cid:photo@x\"><a href=\"javascript:evil()\">link</a><p>the last line</p></body></html>\n\
    --i\nContent-Type: image/png; name=\"photo.png\"\nContent-ID: <photo@x>\nContent-Disposition: inline\n\
    Content-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--i--\n\
    --o\nContent-Type: application/pdf; name=\"=?utf-8?Q?Angebot_f=C3=BCr_Anna.pdf?=\"\nContent-Disposition: attachment\n\
    Content-Transfer-Encoding: base64\n\nJVBERi0xLjQKJQ==\n--o--\n";

#[test]
fn the_body_is_complete_and_clean_and_attachments_keep_name_size_and_cid() {
    let case = case();
    let mail = letter(&case.token()).body("multipart/mixed; boundary=o", MIXED);
    let message = house().filed(ANNA, &[DESK], mail.raw());
    let email = house().email(&message);
    let shown = text(&email["description"]);
    for kept in ["Gr\u{fc}\u{df}e", "kept", "the last line", "cid:photo@x"] {
        assert!(shown.contains(kept), "{kept} is missing in {shown}");
    }
    for gone in ["evil", "<script", "onclick", "javascript"] {
        assert!(!shown.contains(gone), "{gone} is in {shown}");
    }
    let mut files = house().rows_of(&message, "activitymimeattachment", "objectid");
    files.sort_by_key(|file| file["attachmentnumber"].as_i64());
    let told: Vec<Value> = files
        .iter()
        .map(|file| {
            json!([file["filename"], file["mimetype"], file["filesize"], file["attachmentcontentid"]])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!(["photo.png", "image/png", 8, "photo@x"]),
            json!(["Angebot f\u{fc}r Anna.pdf", "application/pdf", 10, null]),
        ]
    );
    let view = house().one(&["record", "show", "incident", &case.guid()]);
    let names: Vec<&str> = view["activities"][0]["attachments"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|file| text(&file["name"]))
        .collect();
    assert_eq!(names, ["photo.png", "Angebot f\u{fc}r Anna.pdf"]);
}

#[test]
fn an_attachment_s_bytes_are_the_mail_s() {
    let case = case();
    let mail = letter(&case.token()).body("multipart/mixed; boundary=o", MIXED);
    let message = house().filed(ANNA, &[DESK], mail.raw());
    let rows = house().list(&[
        "record",
        "list",
        "activitymimeattachment",
        "--where",
        &format!("objectid=email/{}", text(&message["activity_id"])),
    ]);
    let pdf =
        rows.iter().find(|row| row["columns"]["mimetype"] == "application/pdf").expect("the PDF is there");
    let file = house().one(&["record", "show", "activitymimeattachment", text(&pdf["id"])]);
    assert_eq!(text(&file["columns"]["body"]), "JVBERi0xLjQKJQ==");
}

#[test]
fn a_plain_body_becomes_html_that_reads_the_same() {
    let case = case();
    let mail = letter(&case.token()).body("text/plain; charset=iso-8859-1", "1 < 2 & so on\nsecond line\n");
    let message = house().filed(ANNA, &[DESK], mail.raw());
    let email = house().email(&message);
    let shown = text(&email["description"]);
    assert!(shown.contains("1 &lt; 2 &amp; so on") && shown.contains("second line"), "{shown}");
}

#[test]
fn why_says_what_would_be_decided_and_writes_nothing() {
    let case = case();
    let mail = letter(&case.token());
    let file = house().file("eml", &mail.raw());
    let why = house().one(&["message", "why", &file.to_string_lossy()]);
    is_on(&why, &case.at(), "token");
    assert!(house().list(&["message", "list", "--record", &case.at()]).is_empty());
    assert!(house().rows("email", "regardingobjectid", &case.at()).is_empty());
    let message = house().filed(ANNA, &[DESK], mail.raw());
    for field in ["state", "method", "record", "reason", "class"] {
        assert_eq!(why[field], message[field], "{field}");
    }
}

/// Sent mail from a folder of that name is outgoing: completed and Sent, and answers to it find it.
#[test]
fn sent_mail_is_an_outgoing_activity() {
    let case = case();
    let mail = letter(&format!("Our offer {}", case.token())).from(&format!("In\u{ea}s <{INES}>")).to(ANNA);
    let file = house().write(&format!("box/.Sent/cur/{}.eml", case.guid()), &mail.raw());
    house().one(&["message", "import", &file.to_string_lossy(), "--mailbox", "ines"]);
    let message = house().list(&["message", "list", "--record", &case.at()]).remove(0);
    assert_eq!((text(&message["direction"]), text(&message["mailbox"])), ("outgoing", "ines"));
    let email = house().email(&message);
    assert_eq!(
        (&email["directioncode"], &email["statecode"], &email["statuscode"]),
        (&json!(true), &json!(1), &json!(3))
    );
    assert_eq!(email["ownerid"], json!(at("systemuser", 1)));
    assert!(house().rows_of(&message, "queueitem", "objectid").is_empty());
    is_on(
        &house().filed(ANNA, &[INES], letter("Re: Our offer").to(INES).answering(&mail).raw()),
        &case.at(),
        "thread",
    );
}

/// Without --mailbox the sender says whose Sent folder it was.
#[test]
fn sent_mail_belongs_to_its_sender_s_mailbox() {
    let case = case();
    let mail = letter(&case.token()).from(INES).to(&format!("{ANNA}, closed@ours.example"));
    let file = house().write(&format!("other/Sent/cur/{}.eml", case.guid()), &mail.raw());
    house().one(&["message", "import", &file.to_string_lossy()]);
    let all = house().list(&["message", "list", "--record", &case.at()]);
    assert_eq!(all.len(), 1, "mailbox closed tracks nothing, but this is Ines's");
    assert_eq!(text(&all[0]["mailbox"]), "ines");
}
