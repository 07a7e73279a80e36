//! What cannot be read is refused in words, in the version of SOAP that was asked in.

use postroom_embedded::soap::Settings;
use postroom_formats::soap::envelope::Soap;

use super::*;
use crate::bench::On;

#[tokio::test(flavor = "multi_thread")]
async fn unreadable() {
    let bench = SoapBench::of(On::Sqlite, Settings { body: 1 << 20, ..Settings::default() }).await;
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    let dtd = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned();
    let large = envelope(Soap::V11, &format!("<x>{}</x>", "y".repeat(2 << 20)));
    for (what, body, status) in [
        ("empty", String::new(), 400),
        ("text", "hello".to_owned(), 400),
        ("cut", envelope(Soap::V11, "<Execute>").replace("</s:Envelope>", ""), 400),
        ("depth", envelope(Soap::V11, &deep), 400),
        ("DTD", dtd, 400),
        ("size", large, 413),
        ("no envelope", "<a/>".to_owned(), 500),
        ("no body", envelope(Soap::V11, ""), 500),
        ("no operation", envelope(Soap::V11, "<a/>"), 500),
        ("no parameters", envelope(Soap::V11, &format!("<Retrieve {NS}/>")), 500),
        (
            "no id",
            envelope(Soap::V11, &format!("<Delete {NS}><entityName>contact</entityName><id>x</id></Delete>")),
            500,
        ),
    ] {
        for soap in [Soap::V11, Soap::V12] {
            let answer = bench.post(PATH, soap.content_type(), body.clone()).await;
            let fault = answer.fault();
            assert_eq!(answer.status, status, "{what}: {}", answer.text);
            assert!(!fault.message.is_empty(), "{what}: {}", answer.text);
            if status != 500 {
                assert_eq!(answer.envelope().soap, soap, "{what}");
            }
        }
    }
    let bytes = bench.post(PATH, "text/xml", vec![0xff, 0xfe, 0x00]).await;
    assert!(bytes.fault().message.contains("UTF-8"));
    assert_eq!(bench.post("/XRMServices/2011/Nothing.svc", "text/xml", "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_values() {
    let bench = SoapBench::new(On::Sqlite).await;
    let odd = "x'); DROP TABLE crm_contact;-- %_[a]";
    let id = bench.create(&entity("contact", uuid::Uuid::nil(), &text("lastname", odd))).await;
    let row = bench.retrieve("contact", id, &["lastname"]).await;
    assert_eq!(named(&row, "lastname").as_deref(), Some(odd));
    let table =
        format!("<Retrieve {NS}><entityName>contact\" where 1=1 --</entityName><id>{id}</id></Retrieve>");
    assert_eq!(bench.ask(Soap::V11, &table).await.fault().code, 0x8004_1102_u32.cast_signed());
}
