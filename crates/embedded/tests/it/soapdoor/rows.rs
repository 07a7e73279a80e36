//! Queries in their three forms, pages with cookies, party lists, keys and versions, changes.

use postroom_core::metadata::{KeyInfo, KeyStatus, Label};
use postroom_formats::soap::envelope::Soap;
use postroom_formats::soap::value::Any;
use uuid::Uuid;

use super::*;
use crate::bench::{On, on_both};

on_both!(
    pages,
    queries,
    party_lists,
    keys_and_versions,
    changed_rows,
    related_rows,
    related_rows_come_in_pages,
    groups_in_pages
);

fn query(table: &str, columns: &[&str], criteria: &str, page: &str) -> String {
    format!(
        "<query i:type=\"b:QueryExpression\"><b:ColumnSet>{}</b:ColumnSet><b:Criteria>{criteria}</b:Criteria>\
         <b:Distinct>false</b:Distinct><b:EntityName>{table}</b:EntityName><b:LinkEntities/><b:Orders>\
         <b:OrderExpression><b:AttributeName>lastname</b:AttributeName><b:OrderType>Ascending</b:OrderType>\
         </b:OrderExpression></b:Orders><b:PageInfo>{page}</b:PageInfo><b:NoLock>false</b:NoLock></query>",
        column_set(columns)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

async fn pages(on: On) {
    let bench = SoapBench::new(on).await;
    let contacts: Vec<_> = (0..60)
        .map(|number| bench.bench.row("contact").with("lastname", format!("Name {:02}", number % 30)))
        .collect();
    bench.bench.create(&contacts).await;
    let (mut seen, mut cookie) = (Vec::new(), String::from("<b:PagingCookie i:nil=\"true\"/>"));
    for number in 1..=4 {
        let page = format!(
            "<b:Count>17</b:Count><b:PageNumber>{number}</b:PageNumber>{cookie}\
             <b:ReturnTotalRecordCount>true</b:ReturnTotalRecordCount>"
        );
        let rows = bench.rows(&query("contact", &["lastname"], "", &page)).await;
        assert_eq!((rows.more, rows.total, rows.total_exceeded), (number < 4, 60, false));
        let text = rows.cookie.unwrap();
        assert!(text.starts_with(&format!("<cookie page=\"{number}\"><lastname last=\"Name ")), "{text}");
        cookie = format!("<b:PagingCookie>{}</b:PagingCookie>", escaped(&text));
        seen.extend(rows.entities.into_iter().map(|row| (named(&row, "lastname").unwrap(), row.id)));
    }
    assert_eq!(seen.len(), 60);
    assert!(seen.is_sorted_by(|one, other| one.0 <= other.0));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 60, "a row came twice");
    let first = bench
        .rows(&query("contact", &["lastname"], "", "<b:Count>0</b:Count><b:PageNumber>0</b:PageNumber>"))
        .await;
    assert_eq!((first.entities.len(), first.more, first.total), (60, false, -1));
}

async fn queries(on: On) {
    let bench = SoapBench::new(on).await;
    let account = bench.create(&entity("account", Uuid::nil(), &text("name", "Own"))).await;
    for name in ["Adler", "Berg"] {
        let attributes = [
            text("lastname", name),
            pair("parentcustomerid", "b:EntityReference", &reference("account", account)),
        ];
        bench.create(&entity("contact", Uuid::nil(), &attributes.concat())).await;
    }
    let like = "<b:Conditions><b:ConditionExpression><b:AttributeName>lastname</b:AttributeName><b:Operator>BeginsWith\
                </b:Operator><b:Values><arr:anyType i:type=\"d:string\">ad</arr:anyType></b:Values></b:ConditionExpression>\
                </b:Conditions><b:FilterOperator>And</b:FilterOperator><b:Filters/>";
    let rows = bench.rows(&query("contact", &["lastname"], like, "")).await;
    assert_eq!(rows.entities.len(), 1);
    let by = "<query i:type=\"b:QueryByAttribute\"><b:Attributes><arr:string>lastname</arr:string></b:Attributes>\
              <b:ColumnSet><b:AllColumns>false</b:AllColumns></b:ColumnSet><b:EntityName>contact</b:EntityName>\
              <b:Values><arr:anyType i:type=\"d:string\">Berg</arr:anyType></b:Values></query>";
    let rows = bench.rows(by).await;
    // The key comes along, whether it was asked for or not.
    assert_eq!((rows.entities.len(), rows.entities[0].attributes.len()), (1, 1));
    let fetch = "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' \
                 from='parentcustomerid' to='accountid' alias='c'><attribute name='lastname'/><order \
                 attribute='lastname' descending='true'/></link-entity></entity></fetch>";
    let of = |fetch: &str| {
        format!("<query i:type=\"b:FetchExpression\"><b:Query>{}</b:Query></query>", escaped(fetch))
    };
    let rows = bench.rows(&of(fetch)).await;
    let Some(Any::Aliased(linked)) = rows.entities[0].get("c.lastname") else { panic!("{rows:?}") };
    assert_eq!(
        (linked.table.as_str(), linked.column.as_str(), &linked.value),
        ("contact", "lastname", &Any::String("Berg".into()))
    );
    let count = "<fetch aggregate='true'><entity name='contact'><attribute name='contactid' alias='n' \
                 aggregate='count'/><attribute name='parentcustomerid' alias='p' groupby='true'/></entity></fetch>";
    let rows = bench.rows(&of(count)).await;
    let Some(Any::Aliased(n)) = rows.entities[0].get("n") else { panic!("{rows:?}") };
    assert_eq!((&n.value, rows.entities[0].id), (&Any::Int(2), Uuid::nil()));
    let unknown = bench
        .ask(
            Soap::V11,
            &format!("<RetrieveMultiple {NS}>{}</RetrieveMultiple>", query("contact", &["nosuch"], "", "")),
        )
        .await;
    assert_eq!(unknown.fault().code, -2_147_217_149);
    let wrong =
        bench.ask(Soap::V11, &format!("<RetrieveMultiple {NS}>{}</RetrieveMultiple>", of("<fetch"))).await;
    assert_eq!(wrong.fault().code, -2_147_220_989, "{}", wrong.text);
}

async fn groups_in_pages(on: On) {
    let bench = SoapBench::of(on, Settings { page: 2, ..Settings::default() }).await;
    for name in ["a", "B", "b", "c", "d", "e"] {
        bench.create(&entity("contact", Uuid::nil(), &text("lastname", name))).await;
    }
    let (mut seen, mut cookie) = (Vec::new(), String::new());
    for page in 1..=3 {
        let fetch = format!(
            "<fetch aggregate='true' page='{page}'{cookie}><entity name='contact'>\
             <attribute name='lastname' alias='name' groupby='true'/></entity></fetch>"
        );
        let fetch = escaped(&fetch);
        let rows = bench
            .rows(&format!("<query i:type=\"b:FetchExpression\"><b:Query>{fetch}</b:Query></query>"))
            .await;
        seen.extend(rows.entities.iter().map(|row| row.get("name").unwrap().to_value()));
        assert_eq!((rows.more, rows.cookie.is_some()), (page < 3, page < 3));
        cookie = rows.cookie.map_or(String::new(), |cookie| format!(" paging-cookie='{}'", escaped(&cookie)));
    }
    assert_eq!(seen, ["a", "B", "c", "d", "e"].map(|name| Some(postroom_core::Value::text(name))));
}

fn party(attributes: &str) -> String {
    format!("<b:Entity>{}</b:Entity>", entity("activityparty", Uuid::nil(), attributes))
}

async fn party_lists(on: On) {
    let bench = SoapBench::new(on).await;
    let contact = bench.create(&entity("contact", Uuid::nil(), &text("lastname", "Adler"))).await;
    let known = party(&pair("partyid", "b:EntityReference", &reference("contact", contact)));
    let address = |address: &str| party(&text("addressused", address));
    let collection = |rows: &str| {
        format!(
            "<b:Entities>{rows}</b:Entities><b:EntityName>activityparty</b:EntityName><b:MoreRecords>false</b:MoreRecords>"
        )
    };
    let attributes = [
        text("subject", "Offer"),
        pair("to", "b:EntityCollection", &collection(&[known.clone(), address("b@x.example")].concat())),
        pair("from", "b:ArrayOfEntity", &address("a@x.example")),
    ];
    let id = bench.create(&entity("email", Uuid::nil(), &attributes.concat())).await;
    let row = bench.retrieve("email", id, &["subject", "to", "from", "cc"]).await;
    let list = |row: &postroom_formats::soap::value::Entity, name: &str| {
        row.get(name).unwrap().rows().unwrap().to_vec()
    };
    let to = list(&row, "to");
    assert_eq!((to.len(), list(&row, "from").len(), list(&row, "cc").len()), (2, 1, 0));
    let Some(Any::EntityReference(at)) = to[0].get("partyid") else { panic!("{to:?}") };
    assert_eq!((at.id, at.name.as_deref()), (contact, Some("Adler")));
    assert_eq!(to[1].get("addressused"), Some(&Any::String("b@x.example".into())));
    assert_eq!(to[1].get("participationtypemask"), Some(&Any::OptionSetValue(2)));

    let attributes = pair("to", "b:EntityCollection", &collection(&address("c@x.example")));
    bench.execute("Update", &pair("Target", "b:Entity", &entity("email", id, &attributes))).await;
    let row = bench.retrieve("email", id, &["*"]).await;
    assert_eq!((list(&row, "to").len(), list(&row, "from").len()), (1, 1));
    assert_eq!(named(&row, "subject").as_deref(), Some("Offer"));
}

async fn keys_and_versions(on: On) {
    let bench = SoapBench::new(on).await;
    let key = KeyInfo {
        id: Uuid::nil(),
        logical_name: "new_number".into(),
        schema_name: "new_number".into(),
        label: Label::english("Number"),
        columns: vec!["accountnumber".into()],
        status: KeyStatus::Pending,
    };
    bench.bench.crm.create_key("account", key).await.unwrap();
    let keyed = |number: &str| {
        format!(
            "<b:Attributes>{}</b:Attributes><b:Id>{}</b:Id><b:KeyAttributes><k7:KeyValuePairOfstringanyType><c:key>\
             accountnumber</c:key><c:value i:type=\"d:string\">{number}</c:value></k7:KeyValuePairOfstringanyType>\
             </b:KeyAttributes><b:LogicalName>account</b:LogicalName>",
            text("name", "Keyed"),
            Uuid::nil()
        )
    };
    let target = pair("Target", "b:Entity", &keyed("A-1"));
    let made = bench.execute("Upsert", &target).await;
    assert_eq!(made.get("RecordCreated"), Some(&Any::Boolean(true)));
    let id = made.get("Target").and_then(Any::as_guid).unwrap();
    let again = bench.execute("Upsert", &target).await;
    assert_eq!(again.get("RecordCreated"), Some(&Any::Boolean(false)));
    assert_eq!(again.get("Target").and_then(Any::as_guid), Some(id));
    let row = bench.retrieve("account", id, &["accountnumber"]).await;
    assert_eq!(named(&row, "accountnumber").as_deref(), Some("A-1"));
    assert_eq!(
        bench.fault("Update", &pair("Target", "b:Entity", &keyed("A-2"))).await.code,
        0x8006_0891_u32.cast_signed()
    );

    let versioned = |version: &str| {
        let row =
            format!("{}<b:RowVersion>{version}</b:RowVersion>", entity("account", id, &text("name", "New")));
        [
            pair("Target", "b:Entity", &row),
            pair("ConcurrencyBehavior", "b:ConcurrencyBehavior", "IfRowVersionMatches"),
        ]
        .concat()
    };
    assert_eq!(bench.fault("Update", &versioned("1")).await.code, 0x8006_0882_u32.cast_signed());
    bench.execute("Update", &versioned(&row.row_version.unwrap())).await;
}

async fn changed_rows(on: On) {
    let bench = SoapBench::new(on).await;
    let ask = |token: &str| {
        let token = if token.is_empty() { String::new() } else { text("DataVersion", token) };
        [text("EntityName", "contact"), pair("Columns", "b:ColumnSet", &column_set(&["lastname"])), token]
            .concat()
    };
    let first = bench.create(&entity("contact", Uuid::nil(), &text("lastname", "One"))).await;
    let read = |response: Response| {
        let Some(Any::Raw(changes)) = response.get("EntityChanges").cloned() else { panic!("{response:?}") };
        let kinds: Vec<String> = changes
            .child("Changes")
            .unwrap()
            .children
            .iter()
            .map(|one| one.kind.as_ref().unwrap().local.clone())
            .collect();
        (kinds, changes.text_of("DataToken").unwrap().to_owned())
    };
    let (kinds, token) = read(bench.execute("RetrieveEntityChanges", &ask("")).await);
    assert_eq!(kinds, ["NewOrUpdatedItem"]);
    bench.create(&entity("contact", Uuid::nil(), &text("lastname", "Two"))).await;
    bench.execute("Delete", &pair("Target", "b:EntityReference", &reference("contact", first))).await;
    let (kinds, token) = read(bench.execute("RetrieveEntityChanges", &ask(&token)).await);
    assert_eq!(kinds, ["NewOrUpdatedItem", "RemovedOrDeletedItem"]);
    assert!(read(bench.execute("RetrieveEntityChanges", &ask(&token)).await).0.is_empty());
    assert_eq!(
        bench.fault("RetrieveEntityChanges", &ask("1!01/01/2001 00:00:00")).await.code,
        0x8004_4352_u32.cast_signed()
    );
}

/// One relationship of a `RelatedEntitiesQuery`.
fn one(relationship: &str, query: &str) -> String {
    let query = query.replace("<query ", "<c:value ").replace("</query>", "</c:value>");
    format!(
        "<b:KeyValuePairOfRelationshipQueryBaseX_PsK4FkN><c:key><b:PrimaryEntityRole i:nil=\"true\"/>\
         <b:SchemaName>{relationship}</b:SchemaName></c:key>{query}\
         </b:KeyValuePairOfRelationshipQueryBaseX_PsK4FkN>"
    )
}

/// The parameters of a Retrieve of one column with what hangs on the row.
fn ask(table: &str, id: Uuid, name: &str, related: &str) -> String {
    let columns = pair("ColumnSet", "b:ColumnSet", &column_set(&[name]));
    let target = pair("Target", "b:EntityReference", &reference(table, id));
    let related = pair("RelatedEntitiesQuery", "b:RelationshipQueryCollection", related);
    [columns, target, related].concat()
}

/// More than one answer holds: the collection says so, and the next Retrieve goes on with its cookie.
async fn related_rows_come_in_pages(on: On) {
    const ALL: usize = 6000;
    let bench = SoapBench::new(on).await;
    let own = &bench.bench;
    let firm = own.row("account").with("name", "Firm");
    own.create(std::slice::from_ref(&firm)).await;
    let people: Vec<_> = (0..ALL)
        .map(|n| {
            own.row("contact").with("lastname", format!("{n:04}")).with("parentcustomerid", firm.at.clone())
        })
        .collect();
    own.create(&people).await;
    let (mut page, mut seen, mut sizes) = (String::new(), Vec::new(), Vec::new());
    loop {
        let below = one("contact_customer_accounts", &query("contact", &["lastname"], "", &page));
        let answer = bench.execute("Retrieve", &ask("account", firm.at.id, "name", &below)).await;
        let Some(Any::Entity(entity)) = answer.get("Entity") else { panic!("{answer:?}") };
        let rows = &entity.related[0].1;
        sizes.push(rows.entities.len());
        seen.extend(rows.entities.iter().filter_map(|row| named(row, "lastname")));
        if !rows.more {
            break;
        }
        let cookie = escaped(rows.cookie.as_deref().unwrap());
        page = format!(
            "<b:Count>5000</b:Count><b:PageNumber>{}</b:PageNumber><b:PagingCookie>{cookie}</b:PagingCookie>",
            sizes.len() + 1
        );
    }
    let expected: Vec<String> = (0..ALL).map(|n| format!("{n:04}")).collect();
    assert!(sizes == [5000, 1000] && seen == expected, "{sizes:?}");
}

/// `RelatedEntitiesQuery` of Retrieve: children, a parent, pairs; a query for another table is refused.
async fn related_rows(on: On) {
    let bench = SoapBench::new(on).await;
    let own = &bench.bench;
    let firm = own.row("account").with("name", "Firm");
    let people: Vec<_> = ["Adler", "Berg", "Cohn"]
        .iter()
        .map(|name| own.row("contact").with("lastname", *name).with("parentcustomerid", firm.at.clone()))
        .collect();
    let list = own.row("list").with("listname", "L").with("createdfromcode", 2);
    let member = own.row("listmember").with("listid", list.at.clone()).with("entityid", people[0].at.clone());
    own.create(&[firm.clone(), list.clone()]).await;
    own.create(&people).await;
    own.create(&[member]).await;
    let got = async |parameters: String| {
        let answer = bench.execute("Retrieve", &parameters).await;
        let Some(Any::Entity(entity)) = answer.get("Entity") else { panic!("{answer:?}") };
        let related = entity.related.iter().map(|(relationship, rows)| {
            let names: Vec<String> = rows.entities.iter().filter_map(|row| named(row, "lastname")).collect();
            (relationship.clone(), rows.entities.len(), names)
        });
        related.collect::<Vec<_>>()
    };
    let below = one("contact_customer_accounts", &query("contact", &["lastname"], "", ""));
    let names = ["Adler", "Berg", "Cohn"].map(str::to_owned).to_vec();
    assert_eq!(
        got(ask("account", firm.at.id, "name", &below)).await,
        [("contact_customer_accounts".to_owned(), 3, names)]
    );
    let by_name = |table: &str| query(table, &[], "", "").replace("lastname", "createdon");
    let above = one("contact_customer_accounts", &by_name("account"))
        + &one("listcontact_association", &by_name("list"));
    let found = got(ask("contact", people[0].at.id, "lastname", &above)).await;
    assert_eq!(found.iter().map(|one| one.1).collect::<Vec<_>>(), [1, 1], "{found:?}");
    let found = got(ask("contact", people[1].at.id, "lastname", &above)).await;
    assert_eq!(found.iter().map(|one| one.1).collect::<Vec<_>>(), [1, 0], "{found:?}");
    let wrong = one("contact_customer_accounts", &by_name("list"));
    let fault = bench.fault("Retrieve", &ask("account", firm.at.id, "name", &wrong)).await;
    assert!(fault.message.contains("leads to rows of contact"), "{fault:?}");
    let unknown = one("no_such_thing", &by_name("list"));
    assert!(
        bench
            .fault("Retrieve", &ask("account", firm.at.id, "name", &unknown))
            .await
            .message
            .contains("no_such_thing")
    );
}
