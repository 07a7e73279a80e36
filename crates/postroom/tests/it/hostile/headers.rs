//! Headers that lie: injected lines, script and direction marks in what people read, dates that cannot be.

use super::*;

#[test]
fn dates_that_cannot_be() {
    for date in [
        "Mon, 1 Jan 0000 00:00:00 +0000",
        "Fri, 31 Dec 99999 23:59:59 +0000",
        "Mon, 99 Foo 2026 99:99:99 +9999",
        "Thu, 1 Jan 1970 00:00:00 -0000",
        "1 Jan 9999 23:59:59 -1200",
        "-1",
        "\u{1f4c5}",
    ] {
        let head = headers("dates").replace("Mon, 2 Nov 2026 10:00:00 +0000", date);
        let message = survives(format!("{head}Subject: date\r\n\r\nHello\r\n").as_bytes());
        let end = text(&email(&message)["actualend"]).to_owned();
        assert!(end.as_str() <= text(&message["received_at"]), "{date} became {end}, which is not past");
    }
}

/// A line end that an encoded word brings in is a space, never a new header.
#[test]
fn injected_lines_stay_inside_their_header() {
    let subject = "=?utf-8?Q?Hello=0D=0ABcc:_victim@x.example=0D=0A=0D=0A<script>?=";
    let mail = format!("{}Subject: {subject}\r\n\r\nHello\r\n", headers("inject"));
    let message = survives(mail.as_bytes());
    let row = email(&message);
    for shown in [text(&message["subject"]), text(&row["subject"])] {
        assert!(!shown.contains(['\r', '\n']), "{shown:?}");
    }
    let parties = HOUSE.rows_of(&message, "activityparty", "activityid");
    assert!(!parties.iter().any(|party| text(&party["addressused"]).contains("victim")), "{parties:?}");
    let name = format!("{}Subject: name\r\n\r\nHello\r\n", headers("name"))
        .replace("From: Anna", "From: =?utf-8?Q?Anna=0D=0ATo:_victim@x.example?=");
    let message = survives(name.as_bytes());
    assert_eq!(text(&message["from"]), ANNA);
    assert!(!text(&message["from_name"]).contains(['\r', '\n']));
}

/// The commands print it for a terminal: no control characters, no direction marks get through there.
#[test]
fn script_and_direction_marks_in_subjects_and_names() {
    let head = headers("bidi").replace("From: Anna", "From: \"<script>evil()</script>\u{202e}\"");
    let subject = "<script>evil()</script> \u{202e}cod.exe\u{1b}[31m\u{7}";
    let mail = format!("{head}Subject: {subject}\r\n\r\nHello\r\n");
    let message = survives(mail.as_bytes());
    assert!(text(&message["subject"]).contains("<script>evil()</script>"), "text is text: {message:#}");
    let shown = HOUSE.shown(&["message", "list", "--limit", "0"]);
    assert!(shown.contains("<script>evil()</script>"), "the list shows it");
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "nothing that a terminal would obey");
}

#[test]
fn headers_that_come_twice_or_make_no_sense() {
    for extra in [
        "From: Other <other@x.example>\r\nSubject: one\r\nSubject: two\r\nMessage-ID: <second@x.example>\r\n",
        "From: <@a,@b:x@y.example>, \"unclosed <x@y.example>, ((((\r\n",
        "Subject: =?\u{0}?Q?x?=\r\n",
        "To: undisclosed-recipients:;, group: a@x.example, b@x.example;;;\r\n",
        "In-Reply-To: <<<>>> <a@b> @@@\r\nReferences: <\r\n",
        "Content-Type: text/html; charset=\"utf-8\"; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n",
        "Thread-Index: ////////////////////////////////\r\nAuto-Submitted: \u{202e}\r\n",
        "\u{e4}\u{f6}: \u{fc}\r\n: no name\r\n",
    ] {
        survives(format!("{}{extra}\r\nHello\r\n", headers("twice")).as_bytes());
    }
}
