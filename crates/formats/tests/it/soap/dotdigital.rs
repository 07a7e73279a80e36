//! The marketing service's messages: in the order of its WSDL, and read tolerantly.

use postroom_formats::soap::Error;
use postroom_formats::soap::dotdigital::{
    Answer, OPERATIONS, Operation, answer, read_answer, read_request, request,
};
use postroom_formats::xml::Limits;
use proptest::prelude::*;
use serde_json::{Value, json};

const LIMITS: Limits = Limits { bytes: 1 << 20, nodes: 10_000, depth: 16 };

fn of(name: &str) -> &'static Operation {
    Operation::of(name).unwrap()
}

/// What stands in the body.
#[track_caller]
fn asks(name: &str, arguments: Value, expected: &str) {
    let text = request(of(name), &arguments).unwrap();
    let found = text.split("<s:Body>").nth(1).unwrap().strip_suffix("</s:Body></s:Envelope>").unwrap();
    assert_eq!(found, expected);
}

#[track_caller]
fn refused(name: &str, arguments: Value) {
    assert!(matches!(request(of(name), &arguments), Err(Error::Value { .. })), "{arguments}");
}

#[test]
fn requests_in_the_order_of_the_wsdl() {
    const HEAD: &str = r#"xmlns="http://apiconnector.com/v2" xmlns:a="http://apiconnector.com""#;
    asks("GetServerTime", json!({}), &format!("<GetServerTime {HEAD}/>"));
    asks(
        "GetContacts",
        json!({ "skip": "0", "select": 1000, "withFullData": "true" }),
        &format!(
            "<GetContacts {HEAD}><withFullData>true</withFullData><select>1000</select><skip>0</skip></GetContacts>"
        ),
    );
    let ann = json!({
        "dataFields": [{ "value": "A & B", "key": "FIRSTNAME" }, { "key": "OLD", "value": null }, { "key": "N", "value": 7 }],
        "emailType": "Html", "email": "a@x.example", "unknown": 1, "optInType": "single",
    });
    let xsi = r#"xmlns:i="http://www.w3.org/2001/XMLSchema-instance""#;
    let xsd = r#"xmlns:b="http://www.w3.org/2001/XMLSchema""#;
    asks(
        "CreateContact",
        json!({ "apiContact": ann }),
        &format!(
            "<CreateContact {HEAD}><apiContact><a:Email>a@x.example</a:Email><a:OptInType>Single</a:OptInType><a:EmailType>Html</a:EmailType><a:DataFields><a:ApiContactData><a:Key>FIRSTNAME</a:Key><a:Value {xsd} {xsi} i:type=\"b:string\">A &amp; B</a:Value></a:ApiContactData><a:ApiContactData><a:Key>OLD</a:Key><a:Value {xsi} i:nil=\"true\"/></a:ApiContactData><a:ApiContactData><a:Key>N</a:Key><a:Value {xsd} {xsi} i:type=\"b:int\">7</a:Value></a:ApiContactData></a:DataFields></apiContact></CreateContact>"
        ),
    );
    let arrays = "http://schemas.microsoft.com/2003/10/Serialization/Arrays";
    asks(
        "SendCampaign",
        json!({ "apiCampaignSend": { "contactIds": [], "addressBookIds": [1, 2], "campaignId": 3 } }),
        &format!(
            r#"<SendCampaign {HEAD}><apiCampaignSend><a:CampaignId>3</a:CampaignId><a:AddressBookIds xmlns:b="{arrays}"><b:int>1</b:int><b:int>2</b:int></a:AddressBookIds><a:ContactIds/></apiCampaignSend></SendCampaign>"#
        ),
    );
    let action = "http://apiconnector.com/v2/ApiService/SendCampaign";
    assert_eq!(of("SendCampaign").action(), action);
}

#[test]
fn values_of_another_type_are_refused() {
    refused("GetContactById", json!({ "id": "ann@x.example" }));
    refused("GetContactById", json!({ "id": 5_000_000_000_i64 }));
    refused("GetContacts", json!({ "withFullData": "perhaps" }));
    refused("CreateContact", json!({ "apiContact": { "optInType": "Hologram" } }));
    refused("SendCampaign", json!({ "apiCampaignSend": { "addressBookIds": [1] } }));
    refused("SendCampaign", json!({ "apiCampaignSend": { "campaignId": 1, "addressBookIds": 1 } }));
    assert!(Operation::of("DropEverything").is_none());
}

fn enveloped(body: &str) -> String {
    let names = r#"xmlns="http://apiconnector.com/v2" xmlns:a="http://apiconnector.com" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="http://www.w3.org/2001/XMLSchema""#;
    format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" {names}><s:Header><h/></s:Header><s:Body>{body}</s:Body></s:Envelope>"#
    )
}

#[track_caller]
fn reads(name: &str, body: &str, expected: &str) {
    let found = read_answer(of(name), &enveloped(body), &LIMITS);
    assert_eq!(found, Ok(Answer::Result(expected.to_owned())), "{body}");
}

#[test]
fn answers_are_read_tolerantly() {
    reads(
        "GetServerTime",
        "<GetServerTimeResponse><GetServerTimeResult>2026-01-02T03:04:05.6Z</GetServerTimeResult></GetServerTimeResponse>",
        r#""2026-01-02T03:04:05.6Z""#,
    );
    reads("DeleteContact", "<DeleteContactResponse/>", "null");
    reads("GetContacts", "<GetContactsResponse/>", "[]");
    reads(
        "GetContacts",
        r#"<GetContactsResponse><GetContactsResult i:nil="true"/></GetContactsResponse>"#,
        "[]",
    );
    reads(
        "GetContactById",
        r#"<GetContactByIdResponse><GetContactByIdResult i:nil="true"/></GetContactByIdResponse>"#,
        "null",
    );
    reads(
        "GetContactById",
        "<GetContactByIdResponse><GetContactByIdResult><a:Status>Hologram</a:Status><New><a:Id>9</a:Id></New><Id> 7 </Id><a:Id>8</a:Id><a:Email/></GetContactByIdResult></GetContactByIdResponse>",
        r#"{"status":"Hologram","id":7,"email":""}"#,
    );
    let value = |kind: &str, text: &str, expected: &str| {
        let data = format!(
            r#"<a:DataFields><a:ApiContactData><a:Key>K</a:Key><a:Value i:type="x:{kind}">{text}</a:Value></a:ApiContactData></a:DataFields>"#
        );
        reads(
            "GetContactById",
            &format!(
                "<GetContactByIdResponse><GetContactByIdResult>{data}</GetContactByIdResult></GetContactByIdResponse>"
            ),
            &format!(r#"{{"dataFields":[{{"key":"K","value":{expected}}}]}}"#),
        );
    };
    value("string", "12", r#""12""#);
    value("decimal", "12345678901234567890.125", "12345678901234567890.125");
    value("double", "INF", r#""INF""#);
    value("int", "007", r#""007""#);
    value("boolean", "1", "true");
    value("dateTime", "2024-05-01T12:00:00", r#""2024-05-01T12:00:00""#);
    value("string", "&quot;&#10;]]", r#""\"\n]]""#);
}

#[test]
fn faults_and_nonsense() {
    let fault = enveloped(
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>Gone. ERROR_CONTACT_NOT_FOUND</faultstring></s:Fault>",
    );
    let Ok(Answer::Fault(fault)) = read_answer(of("GetContacts"), &fault, &LIMITS) else {
        panic!("no fault")
    };
    assert_eq!((fault.message.as_str(), fault.receiver), ("Gone. ERROR_CONTACT_NOT_FOUND", false));
    for text in
        ["", "<html>", "<a/>", &enveloped(""), &enveloped("<GetServerTimeResponse/>"), &enveloped("<Fault/>")]
    {
        assert!(read_answer(of("GetContacts"), text, &LIMITS).is_err(), "{text}");
    }
    let stranger = enveloped(r#"<GetContacts xmlns="http://elsewhere.example"/>"#);
    assert!(matches!(read_request(&stranger, &LIMITS), Err(Error::Operation(_))));
}

/// Arguments of any operation, as JSON would have them.
fn contact() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec!["Unknown", "Single", "Double", "VerifiedDouble"]);
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[^\\x00-\\x1f\\x7f-\\x9f\\ufffe\\uffff]{0,12}".prop_map(Value::from),
    ];
    let pair = ("[A-Z_]{1,8}", value).prop_map(|(key, value)| json!({ "key": key, "value": value }));
    (any::<i32>(), "[ -~é€]{0,20}", word, prop::collection::vec(pair, 0..5)).prop_map(
        |(id, email, word, pairs)| json!({ "id": id, "email": email, "optInType": word, "dataFields": pairs }),
    )
}

proptest! {
    #[test]
    fn what_is_asked_is_what_is_read(contact in contact(), list in any::<i32>()) {
        let arguments = json!({ "addressBookId": list, "apiContact": contact });
        let text = request(of("AddContactToAddressBook"), &arguments).unwrap();
        let (operation, read) = read_request(&text, &LIMITS).unwrap();
        prop_assert_eq!(operation.name, "AddContactToAddressBook");
        prop_assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), arguments);
    }

    #[test]
    fn what_is_answered_is_what_is_read(rows in prop::collection::vec(contact(), 0..4)) {
        let text = answer(of("GetContacts"), &json!(rows)).unwrap();
        let Ok(Answer::Result(read)) = read_answer(of("GetContacts"), &text, &LIMITS) else { panic!("{text}") };
        prop_assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), json!(rows));
    }

    /// Whatever comes, what is read is JSON.
    #[test]
    fn no_message_makes_it_panic(
        body in "(<|>|</|/>|a:|i:nil='true'|i:type='x:int'|x:decimal|ApiContact|GetContactsResponse|GetContactsResult|DataFields|ApiContactData|Key|Value|Id|1|true| |&amp;|\\PC){0,40}",
        operation in 0..OPERATIONS.len(),
    ) {
        let operation = &OPERATIONS[operation];
        for text in [enveloped(&body), enveloped(&format!("<GetContactsResponse><GetContactsResult>{body}</GetContactsResult></GetContactsResponse>"))] {
            for operation in [operation, of("GetContacts")] {
                if let Ok(Answer::Result(json)) = read_answer(operation, &text, &LIMITS) {
                    prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "{}", json);
                }
            }
            if let Ok((_, json)) = read_request(&text, &LIMITS) {
                prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "{}", json);
            }
        }
    }
}
