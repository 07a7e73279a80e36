//! Bodies that are handles on a stored mail.

use futures_util::FutureExt;
use postroom_core::{BodyHash, Change, Code, Content, Crm, Filter, Value};
use postroom_store::body::{self, Body};

use crate::bench::{Bench, On, on_both};

on_both!(a_mail_is_kept_once, large_files_are_bodies, what_is_not_there);

const MAIL: &str = "From: a@customer.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n\
Content-Transfer-Encoding: quoted-printable\r\n\r\n<p onclick=x>Gr=FC=DFe</p><script>x</script>\r\n--b\r\n\
Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
Content-Disposition: attachment; filename=a.bin\r\n\r\nAAEC/w==\r\n--b--\r\n";

async fn store(bench: &Bench, raw: &[u8]) -> BodyHash {
    let body = Body::prepare(raw);
    let hash = body.hash;
    bench
        .store
        .write("test.body", move |tx| async move { body::put(tx, vec![body]).await }.boxed())
        .await
        .unwrap();
    hash
}

async fn a_mail_is_kept_once(on: On) {
    let bench = Bench::new(on).await;
    let mail = store(&bench, MAIL.as_bytes()).await;
    let email = bench.email().with("description", Content::MailBody { mail });
    let part = Content::MailPart { mail, part: 2, size: 4 };
    let file =
        bench.row("activitymimeattachment").with("objectid", email.at.clone()).with("body", part.clone());
    bench.create(&[email.clone(), file.clone()]).await;

    let row = bench.found(&email.at).await;
    assert_eq!(row.get("description"), Some(&Value::Content(Content::MailBody { mail })));
    let shown = bench.crm.read(&Content::MailBody { mail }).await.unwrap();
    let shown = String::from_utf8(shown.to_vec()).unwrap();
    assert!(shown.contains("Grüße") && !shown.contains("script") && !shown.contains("onclick"), "{shown}");

    let row = bench.found(&file.at).await;
    assert_eq!((row.get("body"), row.int("filesize")), (Some(&Value::Content(part.clone())), Some(4)));
    assert_eq!(&bench.crm.read(&part).await.unwrap()[..], [0, 1, 2, 255]);
    let without = Filter::Null("description".into());
    assert_eq!(bench.all("email", without.clone()).await.len(), 0, "a handle is a body");
    // A person may rewrite the text; then the handle is gone.
    bench.update(&email.at, "description", "<p>Short</p>").await;
    assert_eq!(bench.found(&email.at).await.get("description"), Some(&Value::text("<p>Short</p>")));

    bench.update(&email.at, "description", Value::Null).await;
    assert_eq!(bench.all("email", without).await.len(), 1);

    let plain = store(&bench, b"Subject: x\r\n\r\n1 < 2\r\n").await;
    let shown = bench.crm.read(&Content::MailBody { mail: plain }).await.unwrap();
    assert!(String::from_utf8_lossy(&shown).contains("1 &lt; 2"), "{shown:?}");
}

async fn large_files_are_bodies(on: On) {
    let bench = Bench::new(on).await;
    let bytes: Vec<u8> = (0..600_000_u32).map(|n| (n * 7) as u8).collect();
    let email = bench.email();
    let file = bench.attachment(&email, &bytes);
    bench.create(&[email, file.clone()]).await;
    let row = bench.found(&file.at).await;
    assert_eq!(row.int("filesize"), Some(600_000));
    let Some(Value::Content(content)) = row.get("body") else { panic!("{row:?}") };
    assert!(matches!(content, Content::Stored { .. }), "{content:?}");
    assert_eq!(bench.crm.read(content).await.unwrap(), bytes);
    // Base64 text, as an import brings it, is the same as bytes.
    bench.must(Change::Update(postroom_core::Record::new(file.at.clone()).with("body", "aGk="))).await;
    let row = bench.found(&file.at).await;
    assert_eq!(row.int("filesize"), Some(2));
    assert_eq!(row.get("body"), Some(&Value::Content(Content::Bytes(b"hi"[..].into()))));
}

async fn what_is_not_there(on: On) {
    let bench = Bench::new(on).await;
    let mail = store(&bench, MAIL.as_bytes()).await;
    let fault = bench.crm.read(&Content::MailPart { mail, part: 9, size: 1 }).await.unwrap_err();
    assert_eq!(fault.code, Code::CRM_NOT_FOUND);
    assert!(bench.crm.read(&Content::MailBody { mail: BodyHash([7; 32]) }).await.is_err());
}
