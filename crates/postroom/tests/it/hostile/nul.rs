//! NUL bytes, which PostgreSQL's text cannot hold, on both databases.

use postroom_testkit::peers::Postgres;

use super::*;

/// Mails with NULs in every place that becomes a column.
fn mails() -> Vec<Vec<u8>> {
    let plain = format!("{}Subject: N\0UL\0\r\n\r\nbo\0dy\0\r\n", headers("nul"));
    let encoded = format!("{}Subject: =?utf-8?Q?N=00UL?=\r\n\r\nx\r\n", headers("nul"));
    let names = headers("nul")
        .replace("From: Anna", "From: =?utf-8?Q?An=00na?=")
        .replace("Message-ID: <", "Message-ID: <n\0");
    let names = format!(
        "{names}References: <a\0b@x.example>\r\nCc: \"C\0\" <c\0c@x.example>\r\nSubject: names\r\n\r\nx\r\n"
    );
    let file = attached("nul", "filename=\"a\0b.txt\"", "text/pl\0ain", b"a\0b");
    let token =
        format!("{}Subject: CRM: {{{}\0{}}}:MRC\r\n\r\nx\r\n", headers("nul"), &CASE[..9], &CASE[9..]);
    let mut mails: Vec<Vec<u8>> =
        [plain, encoded, names, token].into_iter().map(String::into_bytes).collect();
    mails.extend([file, b"\0\0\0\0".to_vec(), vec![0; 100_000]]);
    mails
}

#[track_caller]
fn check(house: &House) {
    for mail in mails() {
        let message = survives_in(house, &mail);
        assert!(!message.to_string().contains("\\u0000"), "{message:#}");
    }
    house.verify();
}

#[test]
fn nul_bytes_on_sqlite() {
    check(&HOUSE);
}

#[test]
fn nul_bytes_on_postgresql() {
    let house = House::on(&Postgres::shared().database(), CONFIG);
    house.records(&organisation());
    check(&house);
}
