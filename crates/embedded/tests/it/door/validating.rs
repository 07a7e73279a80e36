//! A FetchXML query looked at without its rows.

use super::DoorBench;
use crate::bench::On;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_query() {
    let door = DoorBench::new(On::Sqlite).await;
    let check = async |xml: &str, severity: Option<i64>, words: &str| {
        let answer = door
            .get(&format!("ValidateFetchXmlExpression(FetchXml=@p)?@p='{}'", xml.replace('#', "%23")))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let messages = answer.json["ValidationResults"]["Messages"].as_array().unwrap().clone();
        let found =
            messages.first().map(|one| (one["Severity"].as_i64(), one["LocalizedMessageText"].to_string()));
        assert_eq!(found.as_ref().and_then(|(severity, _)| *severity), severity, "{xml}: {}", answer.text);
        assert!(found.is_none_or(|(_, text)| text.contains(words)), "{xml}: {}", answer.text);
    };
    check("<fetch><entity name=\"contact\"><attribute name=\"fullname\"/></entity></fetch>", None, "").await;
    check("<fetch><entity name=\"contact\"><all-attributes/></entity></fetch>", Some(1), "every column")
        .await;
    check("<fetch><entity name=\"nothing\"><attribute name=\"x\"/></entity></fetch>", Some(3), "nothing")
        .await;
    check(
        "<fetch><entity name=\"contact\"><attribute name=\"nothing\"/></entity></fetch>",
        Some(3),
        "nothing",
    )
    .await;
    check("<fetch><entity", Some(3), "Error handling FetchXML").await;
}
