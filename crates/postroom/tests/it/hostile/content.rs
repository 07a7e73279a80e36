//! Bombs and traps in bodies and attachments: kept, never opened, never obeyed.

use super::*;

/// Deflate of 16 MiB of zeros would do; what counts is that nobody unpacks it.
#[test]
fn a_zip_bomb_is_kept_as_it_is() {
    let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0\0\0!\0".to_vec();
    zip.extend([0xff; 12]); // checksum and both sizes: four gigabytes, it says
    zip.extend(b"\x05\0\0\0a.txt");
    zip.extend([0xaa; 4000]);
    let message = survives(&attached("zip", "filename=bomb.zip", "application/zip", &zip));
    assert_eq!(files(&message), [("bomb.zip".to_owned(), zip.len() as i64)]);
}

/// The head of a TNEF stream with one attribute.
fn tnef(id: u32, claimed: u32, data: &[u8]) -> Vec<u8> {
    let mut stream = 0x223e_9f78_u32.to_le_bytes().to_vec();
    stream.extend(1u16.to_le_bytes());
    stream.push(1);
    stream.extend(id.to_le_bytes());
    stream.extend(claimed.to_le_bytes());
    stream.extend(data);
    stream.extend(data.iter().map(|byte| u16::from(*byte)).fold(0u16, u16::wrapping_add).to_le_bytes());
    stream
}

/// MAPI properties with one compressed text that claims four gigabytes and repeats itself for ever.
fn packed_bomb() -> Vec<u8> {
    let mut packed = Vec::new();
    let content = [0xff, 0x00, 0x0f].repeat(20_000);
    packed.extend((content.len() as u32 + 12).to_le_bytes());
    packed.extend(u32::MAX.to_le_bytes());
    packed.extend(b"LZFu\0\0\0\0");
    packed.extend(content);
    let mut props = 1u32.to_le_bytes().to_vec();
    props.extend([0x02, 0x01, 0x09, 0x10]); // PidTagRtfCompressed, binary
    props.extend(1u32.to_le_bytes());
    props.extend((packed.len() as u32).to_le_bytes());
    props.extend(packed);
    props
}

#[test]
fn a_tnef_bomb_costs_nothing() {
    let props = packed_bomb();
    let many = u32::MAX.to_le_bytes().repeat(3);
    for bomb in [
        tnef(0x0006_9003, u32::MAX, b"x"),
        tnef(0x0006_9003, props.len() as u32, &props),
        tnef(0x0006_9003, 12, &many),
    ] {
        let message = survives(&attached("tnef", "filename=winmail.dat", "application/ms-tnef", &bomb));
        assert_eq!(
            files(&message)[0],
            ("winmail.dat".to_owned(), bomb.len() as i64),
            "the container itself stays"
        );
    }
}

#[test]
fn attachment_names_never_leave_their_folder() {
    for (name, kept) in [
        ("filename=\"../../etc/passwd\"", "passwd"),
        ("filename=\"..\\\\..\\\\windows\\\\win.ini\"", "win.ini"),
        ("filename*=utf-8''..%2F..%2Fetc%2Fshadow", "shadow"),
        ("filename=\"/etc/cron.d/job\"", "job"),
        ("filename=\"=?utf-8?Q?invoice=E2=80=AEfdp.exe?=\"", "invoicefdp.exe"),
        ("filename=\"a%0d%0ab<script>.txt\"", "a%0d%0ab_script_.txt"),
        ("filename=\"..\"", "attachment"),
    ] {
        let message = survives(&attached("names", name, "application/octet-stream", b"x"));
        let names: Vec<String> = files(&message).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 1);
        assert!(names[0].starts_with(kept), "{name} became {names:?}");
    }
}

#[test]
fn script_in_a_body_is_cleaned_and_everything_else_stays() {
    let page = "<p>first</p><script>evil()</script><img src=x onerror=evil()><svg onload=evil()><iframe src=\"javascript:evil()\">\
        </iframe><a href=\" java\tscript:evil()\">a</a><style>@import 'https://evil.example/x'</style><form action=https://evil.example>\
        <input></form><meta http-equiv=refresh content=\"0;url=https://evil.example\"><base href=https://evil.example><p>last</p>";
    let mail = format!("{}Subject: html\r\nContent-Type: text/html\r\n\r\n{page}\r\n", headers("html"));
    let shown = email(&survives(mail.as_bytes()));
    let shown = text(&shown["description"]);
    assert!(shown.contains("first") && shown.contains("last"), "{shown}");
    for evil in [
        "evil()",
        "<script",
        "onerror",
        "onload",
        "<iframe",
        "<form",
        "<meta",
        "<base",
        "@import",
        "javascript",
    ] {
        assert!(!shown.contains(evil), "{evil} is in {shown}");
    }
}

#[test]
fn html_a_hundred_thousand_deep() {
    for tag in ["div", "table><tr><td", "b", "blockquote", "ul><li"] {
        let page = format!("<{tag}>").repeat(100_000);
        let mail = format!(
            "{}Subject: deep\r\nContent-Type: text/html\r\n\r\n{page}the bottom\r\n",
            headers("deep")
        );
        let message = survives(mail.as_bytes());
        assert!(text(&email(&message)["description"]).contains("the bottom"), "{tag}");
    }
}

#[test]
fn charsets_and_encodings_that_do_not_hold() {
    for (head, body) in [
        ("Content-Type: text/plain; charset=x-no-such-charset", "caf\u{e9}"),
        ("Content-Type: text/plain; charset=utf-7", "+ADw-script+AD4-evil+ADw-/script+AD4-"),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", "!!!!not base64 at all====!!!"),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable", "=ZZ=\r\n=3"),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode", "begin 644 x\r\nM"),
        ("Content-Type: multipart/mixed", "no boundary"),
        ("Content-Type: multipart/mixed; boundary=\"\"", "--\r\n\r\nx\r\n----"),
        ("Content-Type: ;;;===\"", "x"),
    ] {
        survives(format!("{}Subject: odd\r\n{head}\r\n\r\n{body}\r\n", headers("odd")).as_bytes());
    }
}

#[test]
fn long_lines_and_lone_line_ends() {
    let long = format!("{}Subject: long\r\n\r\n{}\r\n", headers("long"), "x".repeat(2 << 20));
    survives(long.as_bytes());
    let bare = format!(
        "{}Subject: bare\r\n\r\nlone CR \r here, lone LF \n there\r\n.\n.\r\rend\r\n",
        headers("bare")
    );
    survives(bare.as_bytes());
    let only_cr = format!("{}Subject: only CR\r\n\r\nx\r\n", headers("cr")).replace("\r\n", "\r");
    survives(only_cr.as_bytes());
}
