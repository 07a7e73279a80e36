//! The Web API door: texts as values, as names, as tokens, keys, headers and boundaries.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

use super::{HOSTILE, UNSTORABLE, all, census, encode, escaped, fair};
use crate::bench::{On, on_both};
use crate::door::DoorBench;
use crate::door::keys::things;

on_both!(
    texts_are_found_as_they_are,
    names_are_names,
    bodies_are_data,
    tokens_are_read,
    keys_are_values,
    headers_and_batches
);

/// What can be stored reads back exactly, and every way to ask for it finds it alone.
async fn texts_are_found_as_they_are(on: On) {
    let door = DoorBench::new(on).await;
    door.send("POST", "contacts", json!({"lastname": "Bystander"})).await.made();
    for text in HOSTILE {
        let id = door.send("POST", "contacts", json!({"lastname": text, "firstname": "H"})).await.made();
        let row = door.get(&format!("contacts({id})?$select=lastname")).await;
        assert_eq!(row.json["lastname"], json!(text));
        let quoted = encode(&format!("'{}'", text.replace('\'', "''")));
        // Where patterns are read, a text stands for itself in brackets.
        let plain: String =
            text.chars().map(|c| if "%_[".contains(c) { format!("[{c}]") } else { c.to_string() }).collect();
        let pattern = encode(&format!("'{}'", plain.replace('\'', "''")));
        let list = encode(&format!("[{}]", Json::String((*text).to_owned())));
        let condition = |operator: &str, value: &str| {
            let value = escaped(value);
            encode(&format!(
                "<fetch><entity name='contact'><attribute name='contactid'/><filter><condition attribute='lastname' \
                 operator='{operator}' value=\"{value}\"/></filter></entity></fetch>"
            ))
        };
        let asks = [
            format!("$filter=lastname%20eq%20{quoted}"),
            format!("$filter=lastname%20eq%20@p&@p={quoted}"),
            format!("$filter=contains(lastname,{pattern})"),
            format!("$filter=startswith(lastname,{pattern})%20and%20endswith(lastname,{pattern})"),
            format!("$filter=Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=[{quoted}])"),
            format!("$filter=Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=@l)&@l={list}"),
            format!("$filter=Microsoft.Dynamics.CRM.Like(PropertyName='lastname',PropertyValue={pattern})"),
            format!("$filter=not%20(lastname%20ne%20{quoted})"),
            format!("$apply=filter(lastname%20eq%20{quoted})/groupby((contactid))"),
            format!("fetchXml={}", condition("eq", text)),
            format!("fetchXml={}", condition("like", &plain)),
        ];
        for ask in asks {
            let found = door.get(&format!("contacts?{ask}")).await;
            let ids: Vec<&str> = found.json["value"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|row| row["contactid"].as_str())
                .collect();
            assert_eq!(ids, [id.to_string()], "{text:?} by {ask}: {}", found.text);
        }
        assert_eq!(door.ask("DELETE", &format!("contacts({id})"), &[], "").await.status, 204);
    }
    let before = census(&door.bench).await;
    for text in UNSTORABLE {
        let made = door.send("POST", "contacts", json!({"lastname": text})).await;
        fair(text, &made);
        if made.status == 204 {
            let id = made.id();
            let row = door.get(&format!("contacts({id})?$select=lastname")).await;
            assert_eq!(row.json["lastname"], json!(text));
            assert_eq!(door.ask("DELETE", &format!("contacts({id})"), &[], "").await.status, 204);
        }
    }
    assert_eq!(census(&door.bench).await, before);
}

/// In the place of every name, number and word of a query.
async fn names_are_names(on: On) {
    let door = DoorBench::new(on).await;
    door.send("POST", "contacts", json!({"lastname": "Bystander"})).await.made();
    let before = census(&door.bench).await;
    for text in all() {
        for place in PLACES {
            let ask = place.replace("{}", &encode(&text));
            fair(&ask, &door.get(&ask).await);
        }
        for place in FETCHES {
            let ask = format!("contacts?fetchXml={}", encode(&place.replace("{}", &escaped(&text))));
            fair(&format!("{place} with {text:?}"), &door.get(&ask).await);
        }
    }
    assert_eq!(census(&door.bench).await, before);
}

const PLACES: &[&str] = &[
    "{}",
    "contacts{}",
    "contacts({})",
    "contacts(lastname='{}')",
    "contacts({}='x')",
    "contacts/{}",
    "contacts(00000000-0000-0000-0000-000000000001)/{}",
    "contacts(00000000-0000-0000-0000-000000000001)/{}/$value",
    "contacts?{}",
    "contacts?${}=x",
    "contacts?$select={}",
    "contacts?$select=lastname,{}",
    "contacts?$orderby={}",
    "contacts?$orderby=lastname%20{}",
    "contacts?$top={}",
    "contacts?$count={}",
    "contacts?$expand={}",
    "contacts?$expand=parentcustomerid_account($select={})",
    "contacts?$expand=parentcustomerid_account($filter={}%20eq%201)",
    "contacts?$expand=parentcustomerid_account({})",
    "contacts?$filter={}",
    "contacts?$filter={}%20eq%20'x'",
    "contacts?$filter=lastname%20{}%20'x'",
    "contacts?$filter=lastname%20eq%20{}",
    "contacts?$filter=lastname%20eq%20'{}'",
    "contacts?$filter=lastname%20lt%20'{}'%20or%20lastname%20ge%20'{}'",
    "contacts?$filter=contains(lastname,'{}')",
    "contacts?$filter=startswith(lastname,'{}')%20or%20endswith(lastname,'{}')",
    "contacts?$filter=contains({},'x')",
    "contacts?$filter={}(lastname,'x')",
    "contacts?$filter=numberofchildren%20eq%20{}",
    "contacts?$filter=annualincome%20gt%20{}",
    "contacts?$filter=createdon%20gt%20{}",
    "contacts?$filter=donotemail%20eq%20{}",
    "contacts?$filter=_parentcustomerid_value%20eq%20{}",
    "contacts?$filter=parentcustomerid_account/{}%20eq%20'x'",
    "contacts?$filter=Contact_Emails/any({}:{}/subject%20eq%20'x')",
    "contacts?$filter=Contact_Emails/any(e:e/{}%20eq%20'x')",
    "contacts?$filter=Microsoft.Dynamics.CRM.{}(PropertyName='lastname',PropertyValue='x')",
    "contacts?$filter=Microsoft.Dynamics.CRM.Like(PropertyName='lastname',PropertyValue='{}')",
    "contacts?$filter=Microsoft.Dynamics.CRM.In(PropertyName='{}',PropertyValues=['x'])",
    "contacts?$filter=Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['{}'])",
    "contacts?$filter=Microsoft.Dynamics.CRM.Between(PropertyName='numberofchildren',PropertyValues=['{}','{}'])",
    "contacts?$filter=Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue={})",
    "contacts?$filter=Microsoft.Dynamics.CRM.On(PropertyName='createdon',PropertyValue='{}')",
    "contacts?$filter=Microsoft.Dynamics.CRM.Under(PropertyName='contactid',PropertyValue='{}')",
    "contacts?$filter=lastname%20eq%20@p&@p={}",
    "contacts?$apply={}",
    "contacts?$apply=groupby(({}))",
    "contacts?$apply=groupby((statecode),aggregate($count%20as%20{}))",
    "contacts?$apply=aggregate({}%20with%20sum%20as%20x)",
    "contacts?$apply=aggregate(numberofchildren%20with%20{}%20as%20x)",
    "contacts?$skiptoken={}",
    "contacts?$deltatoken={}",
    "contacts?savedQuery={}",
    "contacts?userQuery={}",
    "contacts?fetchXml={}",
    "contacts?sql={}",
    "contacts?sql=SELECT%20{}%20FROM%20contact",
    "contacts?sql=SELECT%20lastname%20FROM%20{}",
    "contacts?sql=SELECT%20lastname%20AS%20{}%20FROM%20contact",
    "contacts?sql=SELECT%20lastname%20FROM%20contact%20WHERE%20lastname%20=%20'{}'",
    "contacts?sql=SELECT%20lastname%20FROM%20contact%20WHERE%20lastname%20LIKE%20'{}'",
    "contacts?sql=SELECT%20lastname%20FROM%20contact%20ORDER%20BY%20{}",
    "EntityDefinitions(LogicalName='{}')",
    "EntityDefinitions?$filter=LogicalName%20eq%20'{}'",
    "EntityDefinitions?$select={}",
    "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='{}')",
    "EntityDefinitions(LogicalName='contact')/Attributes/Microsoft.Dynamics.CRM.{}",
    "GlobalOptionSetDefinitions(Name='{}')",
    "RelationshipDefinitions(SchemaName='{}')",
    "WhoAmI({})",
    "RetrieveTotalRecordCount(EntityNames=['{}'])",
    "/api/data/v{}/contacts",
];

const FETCHES: &[&str] = &[
    "{}",
    "<fetch top=\"{}\"><entity name='contact'/></fetch>",
    "<fetch count=\"{}\" page='2'><entity name='contact'/></fetch>",
    "<fetch page=\"{}\"><entity name='contact'/></fetch>",
    "<fetch count='1' page='2' paging-cookie=\"{}\"><entity name='contact'/></fetch>",
    "<fetch count='1' page='2' paging-cookie=\"&lt;cookie page='1'&gt;&lt;contactid last='{}' first='x'/&gt;&lt;/cookie&gt;\"><entity \
     name='contact'/></fetch>",
    "<fetch><entity name=\"{}\"/></fetch>",
    "<fetch><entity name='contact'><attribute name=\"{}\"/></entity></fetch>",
    "<fetch><entity name='contact'><attribute name='lastname' alias=\"{}\"/></entity></fetch>",
    "<fetch aggregate='true'><entity name='contact'><attribute name='lastname' alias=\"{}\" groupby='true'/><order \
     alias=\"{}\"/></entity></fetch>",
    "<fetch aggregate='true'><entity name='contact'><attribute name='contactid' alias=\"{}\" aggregate='countcolumn'/>\
     <order alias=\"{}\" descending='true'/></entity></fetch>",
    "<fetch aggregate='true'><entity name='contact'><attribute name='contactid' alias='x' aggregate=\"{}\"/></entity></fetch>",
    "<fetch aggregate='true'><entity name='contact'><attribute name='createdon' alias='x' groupby='true' \
     dategrouping=\"{}\"/></entity></fetch>",
    "<fetch><entity name='contact'><order attribute=\"{}\"/></entity></fetch>",
    "<fetch><entity name='contact'><order entityname=\"{}\" attribute='lastname'/></entity></fetch>",
    "<fetch><entity name='contact'><filter type=\"{}\"/></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute=\"{}\" operator='eq' value='x'/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='lastname' operator=\"{}\" value='x'/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='lastname' operator='like' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='lastname' operator='gt' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='lastname' operator='in'><value>{}</value></condition></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='numberofchildren' operator='eq' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='annualincome' operator='eq' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='createdon' operator='on' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='createdon' operator='gt' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='createdon' operator='last-x-days' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='donotemail' operator='eq' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='parentcustomerid' operator='eq' value=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition attribute='lastname' operator='eq' valueof=\"{}\"/></filter></entity></fetch>",
    "<fetch><entity name='contact'><filter><condition entityname=\"{}\" attribute='lastname' operator='eq' value='x'/></filter></entity></fetch>",
    "<fetch><entity name='contact'><link-entity name=\"{}\" from='accountid' to='parentcustomerid'/></entity></fetch>",
    "<fetch><entity name='contact'><link-entity name='account' from=\"{}\" to='parentcustomerid'/></entity></fetch>",
    "<fetch><entity name='contact'><link-entity name='account' from='accountid' to=\"{}\"/></entity></fetch>",
    "<fetch><entity name='contact'><link-entity name='account' from='accountid' to='parentcustomerid' link-type=\"{}\"/></entity></fetch>",
    "<fetch><entity name='contact'><link-entity name='account' from='accountid' to='parentcustomerid' link-type='outer' \
     alias=\"{}\"><attribute name='name'/><order attribute='name'/><filter><condition attribute='name' operator='null'/>\
     </filter></link-entity></entity></fetch>",
];

/// Names and values of a JSON body.
async fn bodies_are_data(on: On) {
    let door = DoorBench::new(on).await;
    let known = door.send("POST", "contacts", json!({"lastname": "Bystander"})).await.made();
    let path = format!("contacts({known})");
    let before = census(&door.bench).await;
    for text in all() {
        let text = text.as_str();
        let bodies = [
            json!({text: "x"}),
            json!({format!("{text}@odata.bind"): "/accounts(1)"}),
            json!({"parentcustomerid_account@odata.bind": text}),
            json!({"parentcustomerid_account@odata.bind": format!("/accounts({text})")}),
            json!({"parentcustomerid_account@odata.bind": format!("/accounts(name='{text}')")}),
            json!({"parentcustomerid_account@odata.bind": format!("/{text}(00000000-0000-0000-0000-000000000001)")}),
            json!({"contactid": text}),
            json!({"gendercode": text}),
            json!({"numberofchildren": text}),
            json!({"annualincome": text}),
            json!({"lastusedincampaign": text}),
            json!({"donotemail": text}),
            json!({"ownerid": text}),
            json!({"@odata.type": text}),
            json!({"parentcustomerid_account": {text: text}}),
            json!({"contact_customer_contacts": [{text: text}]}),
            json!(text),
            json!([text]),
        ];
        for body in bodies {
            fair(&format!("PATCH {body}"), &door.send("PATCH", &path, body.clone()).await);
        }
        let raw = format!("{{\"lastname\": {text}}}");
        fair(&raw, &door.ask("PATCH", &path, &[("content-type", "application/json")], raw.clone()).await);
        for action in ["AddMembersTeam", "SendEmail", "Merge", "BulkDelete"] {
            fair(
                action,
                &door.send("POST", action, json!({"Target": text, "EntityName": text, text: text})).await,
            );
        }
    }
    assert_eq!(census(&door.bench).await, before);
}

/// Tokens of links, forged: sort keys that are none, too few and too many of them.
async fn tokens_are_read(on: On) {
    let door = DoorBench::new(on).await;
    for number in 0..3 {
        door.send("POST", "contacts", json!({"lastname": format!("P{number}")})).await.made();
    }
    let before = census(&door.bench).await;
    let orders = [
        "lastname",
        "createdon",
        "numberofchildren",
        "annualincome",
        "donotemail",
        "_ownerid_value",
        "contactid",
    ];
    for text in all().iter().map(String::as_str) {
        let marks = [
            json!([text]),
            json!([text, text]),
            json!([null, text]),
            json!([text, "00000000-0000-0000-0000-000000000001"]),
            json!([]),
            json!(vec![text; 20]),
        ];
        for mark in marks {
            let token = json!({"p": 2, "m": mark, "u": i64::MAX});
            let token = URL_SAFE_NO_PAD.encode(token.to_string());
            for order in orders {
                let ask = format!("contacts?$select=lastname&$orderby={order}&$skiptoken={token}");
                fair(&format!("{ask} {mark}"), &door.get(&ask).await);
            }
            let tracked = [("prefer", "odata.track-changes")];
            let ask = format!("contacts?$select=lastname&$skiptoken={token}");
            fair(&ask, &door.ask("GET", &ask, &tracked, "").await);
        }
        for token in [
            format!("{text}!11/02/2026 08:00:00"),
            format!("1!{text}"),
            format!("-1!11/02/2026 08:00:00{text}"),
        ] {
            let ask = format!("contacts?$select=lastname&$deltatoken={}", encode(&token));
            fair(&ask, &door.get(&ask).await);
        }
    }
    assert_eq!(census(&door.bench).await, before);
}

/// The values of alternate keys, in a URL and in a bind.
async fn keys_are_values(on: On) {
    let door = things(on).await;
    for text in HOSTILE {
        let key = encode(&format!("'{}'", text.replace('\'', "''")));
        let path = format!("new_things(new_code={key})");
        let made = door.send("PATCH", &path, json!({"new_name": "x"})).await;
        assert_eq!(made.status, 204, "{text:?}: {}", made.text);
        let row = door.get(&format!("{path}?$select=new_code")).await;
        assert_eq!(row.json["new_code"], json!(text), "{}", row.text);
        let again = door.send("PATCH", &path, json!({"new_name": "y"})).await;
        assert_eq!(again.status, 204, "{text:?}: {}", again.text);
        assert_eq!(door.get("new_things/$count").await.text.trim_start_matches('\u{feff}'), "1", "{text:?}");
        assert_eq!(door.ask("DELETE", &path, &[], "").await.status, 204, "{text:?}");
    }
    for text in UNSTORABLE {
        let path = format!("new_things(new_code='{}')", encode(text));
        for (method, body) in [("GET", ""), ("PATCH", "{\"new_name\":\"x\"}"), ("DELETE", "")] {
            fair(text, &door.ask(method, &path, &[("content-type", "application/json")], body).await);
        }
    }
}

/// Headers that steer, and the boundaries and parts of a batch. A header holds no line break; a batch's own may.
async fn headers_and_batches(on: On) {
    let door = DoorBench::new(on).await;
    let known = door.send("POST", "contacts", json!({"lastname": "Bystander"})).await.made();
    let before = census(&door.bench).await;
    let steering = [
        "prefer",
        "if-match",
        "if-none-match",
        "mscrmcallerid",
        "callerobjectid",
        "accept",
        "content-type",
        "mscrm.solutionuniquename",
        "x-ms-client-request-id",
    ];
    for text in all() {
        let storable = http::HeaderValue::from_str(&text).is_ok();
        for name in steering.iter().filter(|_| storable) {
            let url = format!("contacts({known})?$select=lastname");
            if text.is_ascii() {
                fair(&format!("{name}: {text}"), &door.ask("GET", &url, &[(name, &text)], "").await);
            }
        }
        let boundary = text.replace(['\r', '\n', '\0'], "");
        let bodies = [
            format!(
                "--{boundary}\r\nContent-Type: application/http\r\n\r\nGET contacts?$select=lastname HTTP/1.1\r\n\r\n\r\n--{boundary}--\r\n"
            ),
            batch(&format!("GET {text} HTTP/1.1\r\n\r\n")),
            batch(&format!("{text} contacts HTTP/1.1\r\n\r\n")),
            batch(&format!(
                "GET contacts?$filter=lastname eq '{}' HTTP/1.1\r\n{text}: {text}\r\n\r\n",
                text.replace('\'', "''")
            )),
            batch(&format!(
                "PATCH contacts({known}) HTTP/1.1\r\nContent-Type: application/json\r\nIf-Match: {text}\r\n\r\n{{}}"
            )),
            batch(&format!("GET ${text} HTTP/1.1\r\n\r\n")),
        ];
        for (number, body) in bodies.into_iter().enumerate() {
            let kind = if number == 0 {
                format!("multipart/mixed;boundary=\"{boundary}\"")
            } else {
                "multipart/mixed;boundary=b".to_owned()
            };
            if http::HeaderValue::from_str(&kind).is_ok() && kind.is_ascii() {
                let answer = door.ask("POST", "$batch", &[("content-type", &kind)], body.clone()).await;
                assert!(
                    answer.status < 500 && !answer.text.contains("HTTP/1.1 5"),
                    "{body}: {}",
                    answer.text
                );
                assert!(!answer.text.contains("\r\nX-Injected"), "{body}: {}", answer.text);
            }
        }
    }
    assert_eq!(census(&door.bench).await, before);
}

fn batch(request: &str) -> String {
    format!(
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{request}\r\n--b--\r\n"
    )
}
