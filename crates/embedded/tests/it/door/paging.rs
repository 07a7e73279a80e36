//! Answers in pages: whatever is asked for, following the links gives every row once and in order.

use postroom_core::Record;
use postroom_embedded::webapi::{Door, Settings};
use serde_json::{Value as Json, json};

use super::DoorBench;
use crate::bench::{On, on_both};

on_both!(
    groups_in_pages,
    addresses_in_pages,
    views_in_pages,
    fetch_xml_groups_in_pages,
    sql_groups_in_pages,
    tops_are_no_pages,
    tokens_that_are_no_pages
);

const COUNT: usize = 11;

/// Contacts of one account: every other job title is none, the rest in twos.
struct World {
    door: DoorBench,
    account: Record,
}

async fn world(on: On) -> World {
    let mut door = DoorBench::new(on).await;
    door.door = Door::new(door.bench.ids.clone(), Settings { page: 2, ..Settings::default() });
    let bench = &door.bench;
    let account = bench.row("account").with("name", "Adler");
    let contact = |place: usize| {
        let title = place.is_multiple_of(2).then(|| format!("t{}", place / 4));
        let contact = bench.contact(&format!("n{place:02}")).with("parentcustomerid", account.at.clone());
        contact.with("jobtitle", title.map_or(postroom_core::Value::Null, Into::into))
    };
    bench.create(std::slice::from_ref(&account)).await;
    bench.create(&(0..COUNT).map(contact).collect::<Vec<_>>()).await;
    World { door, account }
}

fn encoded(text: &str) -> String {
    let each = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(each).collect()
}

impl World {
    /// All rows, page by page; the size is the server's own, or asked for each time, or the first time only.
    async fn followed(&self, url: &str, size: Option<usize>, again: bool) -> (Vec<Json>, usize) {
        let prefer = size.map(|size| format!("odata.maxpagesize={size}"));
        let (mut rows, mut pages, mut next) = (Vec::new(), 0, Some(url.to_owned()));
        while let Some(url) = next {
            let headers = prefer.as_deref().filter(|_| pages == 0 || again).map(|prefer| ("prefer", prefer));
            let answer = self.door.ask("GET", &url, headers.as_slice(), "").await;
            assert_eq!(answer.status, 200, "{url}: {}", answer.text);
            let page = answer.json["value"].as_array().unwrap();
            assert!(page.len() <= headers.map_or(2, |_| size.unwrap_or(2)), "{url}: {}", answer.text);
            rows.extend(page.iter().cloned());
            pages += 1;
            assert!(pages < 20, "{url} goes on for ever");
            next = answer.json["@odata.nextLink"].as_str().map(str::to_owned);
        }
        (rows, pages)
    }

    /// Asserts that every way to turn pages gives these rows.
    async fn check(&self, url: &str, expected: &[Json]) {
        for (size, again, pages) in
            [(None, false, expected.len().div_ceil(2)), (Some(1), true, expected.len()), (Some(1), false, 0)]
        {
            let (rows, turned) = self.followed(url, size, again).await;
            assert_eq!(rows, expected, "{url} in pages of {size:?}");
            assert!(pages == 0 || pages == turned, "{url}: {turned} pages, not {pages}");
        }
    }
}

fn titles() -> [Json; 4] {
    let group = |title: Option<&str>, n: i64| json!({"jobtitle": title, "n": n});
    [group(None, 5), group(Some("t0"), 2), group(Some("t1"), 2), group(Some("t2"), 2)]
}

async fn groups_in_pages(on: On) {
    let world = world(on).await;
    let apply = "$apply=groupby((jobtitle),aggregate($count as n))";
    let around = format!("accounts({})/contact_customer_accounts", world.account.at.id);
    for path in ["contacts", &around] {
        world.check(&format!("{path}?{apply}"), &titles()).await;
        let mut descending = titles();
        descending.reverse();
        world.check(&format!("{path}?{apply}&$orderby=jobtitle desc"), &descending).await;
    }
    let counted = world.door.get(&format!("contacts?{apply}&$count=true")).await;
    assert_eq!(counted.json["@odata.count"], 4, "{}", counted.text);
}

async fn addresses_in_pages(on: On) {
    let world = world(on).await;
    let all = world.door.bench.all("contact", postroom_core::Filter::All(Vec::new())).await;
    let mut all: Vec<(String, Json)> = all
        .iter()
        .map(|row| {
            (
                row.text("firstname").unwrap().to_owned(),
                json!({"@odata.id": format!("{}/contacts({})", super::ROOT, row.at.id)}),
            )
        })
        .collect();
    all.sort_by(|(left, _), (right, _)| left.cmp(right));
    let all: Vec<Json> = all.into_iter().map(|(_, row)| row).collect();
    let around = format!("accounts({})/contact_customer_accounts/$ref", world.account.at.id);
    for path in ["contacts/$ref", &around] {
        world.check(&format!("{path}?$orderby=firstname"), &all).await;
    }
    let counted = world.door.get(&format!("{around}?$count=true&$filter=jobtitle eq null")).await;
    assert_eq!(counted.json["@odata.count"], 5, "{}", counted.text);
}

async fn views_in_pages(on: On) {
    let world = world(on).await;
    let view = async |xml: &str| {
        let view = world.door.bench.row("savedquery").with("name", "V").with("returnedtypecode", "contact");
        let view = view.with("fetchxml", xml).with("querytype", 0);
        world.door.bench.create(std::slice::from_ref(&view)).await;
        format!("contacts?savedQuery={}", view.at.id)
    };
    let titled = "<filter><condition attribute='jobtitle' operator='not-null'/></filter>";
    let rows = view(&format!(
        "<fetch><entity name='contact'><attribute name='firstname'/><order attribute='firstname'/>{titled}</entity></fetch>"
    ))
    .await;
    let (found, pages) = world.followed(&rows, None, false).await;
    let names: Vec<&str> = found.iter().map(|row| row["firstname"].as_str().unwrap()).collect();
    assert_eq!((names, pages), (vec!["n00", "n02", "n04", "n06", "n08", "n10"], 3));
    let distinct = view(&format!(
        "<fetch distinct='true'><entity name='contact'><attribute name='jobtitle'/><order attribute='jobtitle'/>{titled}\
         </entity></fetch>"
    ))
    .await;
    let titles: Vec<Json> = ["t0", "t1", "t2"].iter().map(|title| json!({"jobtitle": title})).collect();
    world.check(&distinct, &titles).await;
    let groups = view(&format!(
        "<fetch aggregate='true'><entity name='contact'><attribute name='jobtitle' alias='jobtitle' groupby='true'/>\
         <attribute name='contactid' alias='n' aggregate='count'/>{titled}</entity></fetch>"
    ))
    .await;
    world.check(&groups, &self::titles()[1..]).await;
}

async fn fetch_xml_groups_in_pages(on: On) {
    let world = world(on).await;
    let prefer = "odata.include-annotations=\"Microsoft.Dynamics.CRM.*\"";
    let (mut seen, mut cookie) = (Vec::new(), String::new());
    for page in 1.. {
        let xml = format!(
            "<fetch aggregate='true' count='2' page='{page}'{cookie}><entity name='contact'>\
             <attribute name='jobtitle' alias='jobtitle' groupby='true'/>\
             <attribute name='contactid' alias='n' aggregate='count'/></entity></fetch>"
        );
        let url = format!("contacts?fetchXml={}", encoded(&xml));
        let answer = world.door.ask("GET", &url, &[("prefer", prefer)], "").await;
        seen.extend(answer.json["value"].as_array().unwrap().iter().cloned());
        let more = answer.json["@Microsoft.Dynamics.CRM.morerecords"].as_bool().unwrap();
        let said = answer.json["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"].as_str();
        assert_eq!((more, said.is_some()), (page == 1, page == 1), "{}", answer.text);
        if !more {
            break;
        }
        assert!(said.unwrap().starts_with("<cookie pagenumber=\"2\" pagingcookie=\"%253ccookie"));
        cookie = " paging-cookie='&lt;cookie page=&quot;1&quot; /&gt;'".to_owned();
    }
    assert_eq!(seen, titles());
}

async fn sql_groups_in_pages(on: On) {
    let world = world(on).await;
    let sql = encoded("SELECT jobtitle, COUNT(*) AS n FROM contact GROUP BY jobtitle ORDER BY jobtitle");
    world.check(&format!("contacts?sql={sql}"), &titles()).await;
}

async fn tops_are_no_pages(on: On) {
    let world = world(on).await;
    let apply = "contacts?$apply=groupby((jobtitle),aggregate($count as n))&$top=1";
    let around = format!("accounts({})/contact_customer_accounts/$ref?$top=1", world.account.at.id);
    for url in [apply, &around] {
        assert_eq!(world.followed(url, None, false).await.0.len(), 1, "{url}");
    }
    // Beside a page size $top counts for nothing, and the pages go on to the end.
    assert_eq!(world.followed(apply, Some(2), true).await.0, titles());
    assert_eq!(world.followed(&around, Some(2), false).await.0.len(), COUNT);
}

async fn tokens_that_are_no_pages(on: On) {
    use base64::Engine as _;
    let world = world(on).await;
    for token in [
        r#"{"p":18446744073709551615,"m":[],"o":18446744073709551615}"#,
        r#"{"p":18446744073709551615,"m":[],"l":18446744073709551615}"#,
        r#"{"p":18446744073709551615,"m":["x"]}"#,
    ] {
        let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token);
        for url in
            ["contacts?$apply=groupby((jobtitle))", "contacts?$select=firstname", "contacts/$ref?$top=1"]
        {
            let answer = world.door.get(&format!("{url}&$skiptoken={token}")).await;
            assert!(matches!(answer.status, 200 | 400), "{url}: {}", answer.text);
        }
    }
}
