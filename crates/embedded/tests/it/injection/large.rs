//! Too large and too deep: data, or refused clearly; no panic, no stack that overflows, no error of the database, and never
//! minutes of work.

use std::time::{Duration, Instant};

use postroom_formats::soap::envelope::Soap;
use postroom_formats::soap::fault::Fault;
use serde_json::{Value as Json, json};

use super::{encode, fair};
use crate::bench::{On, on_both};
use crate::door::{Answer, DoorBench};
use crate::soapdoor::{NS, SoapBench};

on_both!(filters, lists, expansions, answers, fetches, bodies, batches, messages, small_enough);

/// What no question may take, in a debug build on a busy machine: work that grows with the square takes far longer.
const QUICK: Duration = Duration::from_secs(300);

async fn door(on: On) -> DoorBench {
    let door = DoorBench::new(on).await;
    for name in ["Adler", "Busch"] {
        door.send("POST", "contacts", json!({"lastname": name})).await.made();
    }
    door
}

async fn ask(door: &DoorBench, url: &str) -> Answer {
    let start = Instant::now();
    let answer = door.get(url).await;
    let shown: String = url.chars().take(120).collect();
    fair(&shown, &answer);
    assert!(start.elapsed() < QUICK, "{shown} took {:?}", start.elapsed());
    answer
}

async fn refused(door: &DoorBench, url: &str) {
    let answer = ask(door, url).await;
    assert!((400..500).contains(&answer.status), "{:.120} was done", url);
}

async fn done(door: &DoorBench, url: &str, rows: usize) {
    let answer = ask(door, url).await;
    assert_eq!(
        answer.json["value"].as_array().map(Vec::len),
        Some(rows),
        "{:.120}: {:.600}",
        url,
        answer.text
    );
}

fn filter(text: &str) -> String {
    format!("contacts?$select=lastname&$filter={}", encode(text))
}

/// A chain as long as a URL allows is no deep tree.
async fn filters(on: On) {
    let door = door(on).await;
    let chain = |term: &str, word: &str, count: usize| vec![term; count].join(word);
    done(&door, &filter(&chain("lastname eq 'Adler'", " or ", 1000)), 1).await;
    done(&door, &filter(&chain("lastname eq 'Adler'", " and ", 1000)), 1).await;
    done(&door, &filter(&chain("lastname eq 'Ädler'", " or ", 900)), 0).await;
    done(&door, &filter(&chain("not startswith(lastname,'B')", " and ", 900)), 1).await;
    done(&door, &filter(&chain("annualincome eq 1", " or ", 1500)), 0).await;
    refused(&door, &filter(&chain("lastname eq 'Adler'", " or ", 100_000))).await;
    let deep = |depth: usize| format!("{}lastname eq 'Adler'{}", "(".repeat(depth), ")".repeat(depth));
    done(&door, &filter(&deep(90)), 1).await;
    for depth in [101, 1000, 30_000] {
        refused(&door, &filter(&deep(depth))).await;
        refused(&door, &filter(&"(".repeat(depth))).await;
        refused(&door, &filter(&format!("{} lastname eq 'Adler'", "not ".repeat(depth)))).await;
    }
    done(&door, &filter(&format!("{} lastname eq 'Adler'", "not ".repeat(90))), 1).await;
    let mixed = (0..45).fold("lastname eq 'Adler'".to_owned(), |inner, _| {
        format!("not (({inner}) and (lastname ne 'x' or lastname eq null))")
    });
    ask(&door, &filter(&mixed)).await;
    let lambda = |depth: usize| {
        (0..depth).fold("lastname eq 'x'".to_owned(), |_, number| {
            let inner = (number..depth).fold("c/lastname eq 'Adler'".to_owned(), |inner, at| {
                if at == number { inner } else { format!("c/contact_customer_contacts/any(c:{inner})") }
            });
            format!("contact_customer_contacts/any(c:{inner})")
        })
    };
    for depth in [2, 10, 30, 120] {
        ask(&door, &filter(&lambda(depth))).await;
    }
    let path = |depth: usize| format!("{}lastname eq 'x'", "parentcustomerid_contact/".repeat(depth));
    for depth in [5, 30, 60, 500] {
        ask(&door, &filter(&path(depth))).await;
    }
}

async fn lists(on: On) {
    let door = door(on).await;
    let list = |count: usize, value: &str| {
        let each = vec![format!("'{value}'"); count].join(",");
        filter(&format!("Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=[{each}])"))
    };
    done(&door, &list(2500, "Adler"), 1).await;
    done(&door, &list(900, "Ädler"), 0).await;
    refused(&door, &list(50_000, "Adler")).await;
    let text = |length: usize, how: &str| filter(&format!("{how}(lastname,'{}')", "a%".repeat(length)));
    for how in ["contains", "startswith", "endswith"] {
        ask(&door, &text(20, how)).await;
        ask(&door, &text(2_000, how)).await;
        refused(&door, &text(15_000, how)).await;
    }
    ask(&door, &filter(&format!("contains(lastname,'{}')", "[a-c]".repeat(1500)))).await;
    // Every letter of Unicode that has a capital: each is folded by name.
    let letters: String = ('\u{80}'..'\u{2fff}').filter(|letter| letter.is_lowercase()).collect();
    ask(&door, &filter(&format!("lastname eq '{letters}'"))).await;
    ask(&door, &filter(&format!("contains(lastname,'{letters}')"))).await;
    done(&door, &filter(&format!("lastname ne '{}'", "x".repeat(60_000))), 2).await;
}

async fn expansions(on: On) {
    let door = door(on).await;
    let deep = |depth: usize| {
        (1..depth).fold("parentcustomerid_contact".to_owned(), |inner, _| {
            format!("parentcustomerid_contact($expand={inner})")
        })
    };
    for depth in [2, 20, 90] {
        ask(&door, &format!("contacts?$select=lastname&$expand={}", deep(depth))).await;
    }
    for depth in [101, 1500] {
        refused(&door, &format!("contacts?$select=lastname&$expand={}", deep(depth))).await;
    }
    for top in ["18446744073709551616", "99999999999999999999999", "-1", "1.5", "1e9"] {
        refused(&door, &format!("contacts?$top={top}")).await;
    }
    for top in ["18446744073709551615", "9223372036854775807", "4294967296"] {
        ask(&door, &format!("contacts?$top={top}")).await;
        ask(&door, &format!("contacts?$expand=contact_customer_contacts($top={top})")).await;
    }
    for size in ["0", "-1", "4294967296", "99999999999999999999"] {
        let prefer = format!("odata.maxpagesize={size}");
        fair(&prefer, &door.ask("GET", "contacts", &[("prefer", &prefer)], "").await);
    }
}

/// As many columns, keys, groups and aliases as a URL holds.
async fn answers(on: On) {
    let door = door(on).await;
    for count in [2, 400, 1100, 6000] {
        let columns = vec!["lastname"; count].join(",");
        ask(&door, &format!("contacts?$select={columns}")).await;
        ask(&door, &format!("contacts?$orderby={columns}")).await;
        ask(&door, &format!("contacts?$apply=groupby(({columns}))")).await;
        let sums: Vec<String> =
            (0..count.min(1200)).map(|n| format!("numberofchildren with sum as a{n}")).collect();
        ask(&door, &format!("contacts?$apply=aggregate({})", encode(&sums.join(",")))).await;
        let aliases: String = (0..count).map(|n| format!("&@p{n}=1")).collect();
        ask(&door, &format!("contacts?$select=lastname{aliases}")).await;
        ask(&door, &format!("contacts?{}", "$select=lastname&".repeat(count))).await;
    }
    let alias = "a".repeat(30_000);
    ask(&door, &format!("contacts?$filter=contains(lastname,@{alias})&@{alias}='x'")).await;
    let bomb = format!(
        "contacts?$filter={}&@p='{}'",
        encode(&vec!["lastname eq @p"; 1500].join(" or ")),
        "x".repeat(20_000)
    );
    refused(&door, &bomb).await;
}

async fn fetches(on: On) {
    let door = door(on).await;
    let fetch = |inside: &str| {
        format!(
            "contacts?fetchXml={}",
            encode(&format!("<fetch><entity name='contact'>{inside}</entity></fetch>"))
        )
    };
    let links = |count: usize, columns: &str| {
        let one = |number: usize| {
            format!(
                "<link-entity name='contact' from='contactid' to='parentcustomerid' link-type='outer' alias='l{number}'>{columns}</link-entity>"
            )
        };
        (0..count).map(one).collect::<String>()
    };
    let nested = |depth: usize| {
        let open = "<link-entity name='contact' from='contactid' to='parentcustomerid' link-type='outer'>";
        format!("{}{}", open.repeat(depth), "</link-entity>".repeat(depth))
    };
    for count in [5, 55] {
        done(&door, &fetch(&format!("<attribute name='lastname'/>{}", links(count, ""))), 2).await;
    }
    for count in [61, 70, 99, 120] {
        refused(&door, &fetch(&links(count, ""))).await;
    }
    refused(&door, &fetch(&links(40, "<all-attributes/>"))).await;
    for depth in [5, 30, 61, 200] {
        ask(&door, &fetch(&nested(depth))).await;
    }
    let filters = |depth: usize| {
        format!(
            "{}<condition attribute='lastname' operator='null'/>{}",
            "<filter>".repeat(depth),
            "</filter>".repeat(depth)
        )
    };
    for depth in [30, 100] {
        ask(&door, &fetch(&filters(depth))).await;
    }
    refused(&door, &fetch(&"<attribute name='lastname'/>".repeat(1800))).await;
    for bad in [
        "<!DOCTYPE fetch [<!ENTITY a \"b\">]><fetch><entity name='contact'/></fetch>",
        "<!DOCTYPE fetch SYSTEM \"http://127.0.0.1/x.dtd\"><fetch><entity name='contact'/></fetch>",
        "<fetch><entity name='&xxe;'/></fetch>",
        "<fetch xmlns:xi='http://www.w3.org/2001/XInclude'><entity name='contact'><xi:include href='file:///etc/passwd'/>",
    ] {
        refused(&door, &format!("contacts?fetchXml={}", encode(bad))).await;
    }
}

async fn bodies(on: On) {
    let door = door(on).await;
    let post = async |body: String| {
        let start = Instant::now();
        let answer =
            door.ask("POST", "contacts", &[("content-type", "application/json")], body.clone()).await;
        fair(&body, &answer);
        assert!(start.elapsed() < QUICK, "{:.80} took {:?}", body, start.elapsed());
        answer.status
    };
    for depth in [127, 200, 100_000] {
        assert_eq!(post(format!("{}{}", "[".repeat(depth), "]".repeat(depth))).await, 400);
        assert_eq!(post("{\"a\":".repeat(depth)).await, 400);
        let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(post(format!("{{\"lastname\":{value}}}")).await, 400);
    }
    let chain = |depth: usize| {
        let open = "{\"lastname\":\"Deep\",\"parentcustomerid_contact\":".repeat(depth);
        format!("{open}{{\"lastname\":\"End\"}}{}", "}".repeat(depth))
    };
    assert_eq!(post(chain(20)).await, 204);
    for depth in [21, 60, 120, 200, 20_000] {
        assert_eq!(post(chain(depth)).await, 400);
    }
    let wide: serde_json::Map<String, Json> = (0..50_000).map(|n| (format!("c{n}"), json!(1))).collect();
    assert_eq!(post(Json::Object(wide).to_string()).await, 400);
    let twice = format!("{{{}\"lastname\":\"x\"}}", "\"lastname\":\"y\",".repeat(50_000));
    post(twice).await;
    assert_eq!(post(json!({"lastname": "x".repeat(5_000_000)}).to_string()).await, 400);
    post(
        json!({"lastname": "Many", "contact_customer_contacts": vec![json!({"lastname": "x"}); 300]})
            .to_string(),
    )
    .await;
}

async fn batches(on: On) {
    let door = door(on).await;
    let get =
        "--b\r\nContent-Type: application/http\r\n\r\nGET contacts?$select=lastname HTTP/1.1\r\n\r\n\r\n";
    let kind = [("content-type", "multipart/mixed;boundary=b")];
    let post = async |body: String| {
        let start = Instant::now();
        let answer = door.ask("POST", "$batch", &kind, body.clone()).await;
        assert!(answer.status < 500, "{:.80}: {:.300}", body, answer.text);
        assert!(start.elapsed() < QUICK, "{:.80} took {:?}", body, start.elapsed());
        answer
    };
    let full = post(format!("{}--b--\r\n", get.repeat(300))).await;
    assert_eq!((full.status, full.text.matches("HTTP/1.1 200").count()), (200, 300));
    for count in [1001, 20_000] {
        post(format!("{}--b--\r\n", get.repeat(count))).await.refused(400, "0x80060888", "1000");
    }
    post("--b\r\n".repeat(300_000)).await;
    post(format!(
        "--b\r\nContent-Type: application/http\r\n\r\nGET contacts HTTP/1.1\r\n{}\r\n\r\n--b--",
        "a: b\r\n".repeat(100_000)
    ))
    .await;
    post(format!("--b\r\n{}\r\n\r\n--b--", "a: b\r\n".repeat(100_000))).await;
    let sets: String =
        (0..5000).map(|n| format!("--b\r\nContent-Type: multipart/mixed;boundary=c{n}\r\n\r\n")).collect();
    post(sets).await;
    let nested = "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n".repeat(20_000);
    post(nested).await;
    let inside = "--b\r\nContent-Type: application/http\r\n\r\nPOST $batch HTTP/1.1\r\nContent-Type: multipart/mixed;boundary=d\r\n\r\n--d--\r\n--b--";
    assert_eq!(post(inside.to_owned()).await.status, 400);
}

/// What the SOAP door says of a body; nothing when it was done.
async fn told(bench: &SoapBench, what: &str, body: String) -> Option<Fault> {
    let start = Instant::now();
    let answer = bench.ask(Soap::V11, &body).await;
    assert!(start.elapsed() < QUICK, "{what} took {:?}", start.elapsed());
    match answer.status {
        200 => None,
        _ => Some(answer.fault()),
    }
}

async fn not_done(bench: &SoapBench, what: &str, body: String) {
    let fault = told(bench, what, body).await.unwrap_or_else(|| panic!("{what} was done"));
    assert!(!fault.message.is_empty() && fault.code != 0x8004_0216_u32.cast_signed(), "{what}: {fault:?}");
}

/// The SOAP door has no URL to bound it: bodies of megabytes.
async fn messages(on: On) {
    let bench = SoapBench::new(on).await;
    let ask = async |what: &str, body: String| told(&bench, what, body).await;
    let refused = async |what: &str, body: String| not_done(&bench, what, body).await;
    let query = |conditions: &str, links: &str| {
        format!(
            "<RetrieveMultiple {NS}><query i:type=\"b:QueryExpression\"><b:ColumnSet><b:AllColumns>false</b:AllColumns>\
             </b:ColumnSet><b:Criteria><b:Conditions>{conditions}</b:Conditions><b:FilterOperator>Or</b:FilterOperator>\
             </b:Criteria><b:EntityName>contact</b:EntityName><b:LinkEntities>{links}</b:LinkEntities></query></RetrieveMultiple>"
        )
    };
    let condition = |values: usize| {
        let value = "<arr:anyType i:type=\"d:string\">Adlér</arr:anyType>".repeat(values);
        format!(
            "<b:ConditionExpression><b:AttributeName>lastname</b:AttributeName><b:Operator>In</b:Operator><b:Values>{value}\
             </b:Values></b:ConditionExpression>"
        )
    };
    assert!(ask("a thousand conditions", query(&condition(1).repeat(1000), "")).await.is_none());
    refused("six thousand conditions", query(&condition(1).repeat(6000), "")).await;
    assert!(ask("two thousand values", query(&condition(2000), "")).await.is_none());
    refused("forty thousand values", query(&condition(40_000), "")).await;
    let link = |inner: &str| {
        format!(
            "<b:LinkEntity><b:JoinOperator>LeftOuter</b:JoinOperator><b:LinkEntities>{inner}</b:LinkEntities>\
             <b:LinkFromAttributeName>parentcustomerid</b:LinkFromAttributeName><b:LinkFromEntityName>contact\
             </b:LinkFromEntityName><b:LinkToAttributeName>contactid</b:LinkToAttributeName><b:LinkToEntityName>contact\
             </b:LinkToEntityName></b:LinkEntity>"
        )
    };
    refused("seventy links", query("", &link("").repeat(70))).await;
    refused("a deep link", query("", &(0..60).fold(String::new(), |inner, _| link(&inner)))).await;
}

/// Bodies that no database hears of: which one there is makes no difference.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_read_to_the_end() {
    let bench = SoapBench::new(On::Sqlite).await;
    let refused = async |what: &str, body: String| not_done(&bench, what, body).await;
    let fetch = |text: &str| {
        let text = super::escaped(text);
        format!(
            "<RetrieveMultiple {NS}><query i:type=\"b:FetchExpression\"><b:Query>{text}</b:Query></query></RetrieveMultiple>"
        )
    };
    refused("nodes", fetch(&format!("<fetch>{}</fetch>", "<a/>".repeat(250_000)))).await;
    refused(
        "attributes",
        fetch(&format!("<fetch {}/>", (0..150_000).map(|n| format!("a{n}='' ")).collect::<String>())),
    )
    .await;
    refused("one attribute often", fetch(&format!("<fetch {}/>", "a='' ".repeat(150_000)))).await;
    refused("depth", fetch(&"<a>".repeat(200_000))).await;
    refused(
        "namespaces",
        fetch(&format!("<fetch {}/>", (0..20_000).map(|n| format!("xmlns:a{n}='b' ")).collect::<String>())),
    )
    .await;
    refused("bytes", fetch(&format!("<fetch a='{}'/>", "x".repeat(5 << 20)))).await;
    refused("references", fetch(&format!("<fetch>{}</fetch>", "&a;".repeat(100_000)))).await;
    refused("elements of an envelope", format!("<Execute>{}</Execute>", "<a/>".repeat(1_100_000))).await;
    let attributes: String = (0..150_000).map(|n| format!("a{n}=\"\" ")).collect();
    refused("attributes of an envelope", format!("<Execute {attributes}/>")).await;
}

/// What is large but not too large is answered.
async fn small_enough(on: On) {
    let door = door(on).await;
    let body = json!({"lastname": "Long", "description": "é".repeat(1000)});
    let id = door.send("POST", "contacts", body.clone()).await.made();
    assert_eq!(door.get(&format!("contacts({id})")).await.json["description"], body["description"]);
    let many = vec!["createdon ne null"; 500].join(" and ");
    done(&door, &filter(&many), 3).await;
}
