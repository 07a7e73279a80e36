//! Every rule has a refusal that names the column.

use postroom_core::{Change, Code, Content, Record, RecordRef, Value};

use crate::bench::{Bench, On, on_both};

on_both!(values, lookups, states, required, kept_by_the_server, names, defaults, computed, owners);

async fn values(on: On) {
    let bench = Bench::new(on).await;
    let check = async |table: &str, column: &str, value: Value, named: &[&str]| {
        let row = bench.row(table).with(column, value);
        bench
            .refused(
                Change::Create(row),
                Code::CRM_REFUSED,
                &[&[&format!("{table}.{column}")[..]], named].concat(),
            )
            .await;
    };
    check("contact", "firstname", Value::text("x".repeat(51)), &["at most 50", "51"]).await;
    // Length counts UTF-16 units: this is one character, two units.
    check("contact", "firstname", Value::text("🙂".repeat(26)), &["52"]).await;
    check("contact", "firstname", Value::Int(1), &["text", "a whole number"]).await;
    check("contact", "gendercode", Value::Int(99), &["99", "1 Male", "2 Female"]).await;
    check("contact", "gendercode", Value::text("Male"), &["choice"]).await;
    check("contact", "numberofchildren", Value::Int(-1), &["at least 0", "-1"]).await;
    check("contact", "numberofchildren", Value::Float(1.0), &["whole number"]).await;
    check("contact", "annualincome", Value::Decimal("1000000000000000000".into()), &["at most"]).await;
    check("contact", "annualincome", Value::Decimal("1e3".into()), &["decimal"]).await;
    check("contact", "donotemail", Value::Int(1), &["true or false"]).await;
    check("contact", "lastusedincampaign", Value::text("today"), &["a time"]).await;
    check("contact", "parentcustomerid", Value::Guid(bench.ids.next()), &["several tables"]).await;
    check("email", "to", Value::text("a@b.example"), &["activityparty"]).await;
    check("email", "conversationtrackingid", Value::text("7"), &["GUID"]).await;
    check("email", "description", Value::Content(Content::Bytes(b"\xff"[..].into())), &["UTF-8"]).await;
    check("activitymimeattachment", "body", Value::text("no base64!"), &["base64"]).await;
}

async fn lookups(on: On) {
    let bench = Bench::new(on).await;
    let (account, queue) = (bench.row("account").with("name", "A"), bench.row("queue").with("name", "Q"));
    bench.create(&[account.clone(), queue.clone()]).await;
    let to = |at: RecordRef| Change::Create(bench.contact("Anna").with("parentcustomerid", at));
    let nobody = RecordRef::new("account", bench.ids.next());
    let named = ["contact.parentcustomerid", &nobody.to_string()];
    bench.refused(to(nobody.clone()), Code::CRM_REFERENCE, &named).await;
    bench
        .refused(to(queue.at), Code::CRM_REFUSED, &["contact.parentcustomerid", "queue", "account, contact"])
        .await;
    let row =
        Record::new(account.at.clone()).with("primarycontactid", RecordRef::new("contact", bench.ids.next()));
    bench.refused(Change::Update(row), Code::CRM_REFERENCE, &["account.primarycontactid"]).await;
    let elsewhere = RecordRef::new("pricelevel", bench.ids.next());
    let row = bench.row("quote").with("pricelevelid", elsewhere);
    bench.refused(Change::Create(row), Code::CRM_REFERENCE, &["quote.pricelevelid", "pricelevel/"]).await;
    // A row that went in the same set is not there any more.
    let contact = bench.contact("Anna").with("parentcustomerid", account.at.clone());
    let changes = vec![Change::Delete(account.at), Change::Create(contact)];
    assert_eq!(bench.apply(changes).await.unwrap_err().code, Code::CRM_REFERENCE);
    // Rows of one set may name each other in any order.
    let (one, two) = (bench.row("account").with("name", "B"), bench.contact("Bert"));
    let one = one.with("primarycontactid", two.at.clone());
    let two = two.with("parentcustomerid", one.at.clone());
    bench.create(&[one, two]).await;
}

async fn states(on: On) {
    let bench = Bench::new(on).await;
    let lead = bench.row("lead").with("lastname", "Adler");
    bench.create(std::slice::from_ref(&lead)).await;
    let pair = |state: i64, status: i64| {
        Record::new(lead.at.clone()).with("statecode", state).with("statuscode", status)
    };
    let named = ["lead.statuscode 4", "statecode 0", "0/1 New", "2/7 Canceled"];
    bench.refused(Change::Update(pair(0, 4)), Code::CRM_STATE, &named).await;
    let status = Record::new(lead.at.clone()).with("statuscode", 4);
    bench.refused(Change::Update(status), Code::CRM_STATE, &["lead.statuscode 4"]).await;
    bench
        .refused(Change::Update(pair(9, 4)), Code::CRM_REFUSED, &["lead.statecode", "9", "2 Disqualified"])
        .await;
    bench.update(&lead.at, "statecode", 2).await;
    assert_eq!(bench.found(&lead.at).await.int("statuscode"), Some(4), "the first status of the state");
}

async fn required(on: On) {
    let bench = Bench::new(on).await;
    let check = async |row: Record, column: &str| {
        bench.refused(Change::Create(row), Code::CRM_REQUIRED, &[column]).await
    };
    check(bench.row("list").with("createdfromcode", 1), "list.listname").await;
    check(bench.row("list").with("listname", "L"), "list.createdfromcode").await;
    check(bench.row("list").with("listname", "").with("createdfromcode", 1), "list.listname").await;
    check(bench.row("businessunit"), "businessunit.name").await;
    check(bench.row("systemuser").with("lastname", "A"), "systemuser.domainname").await;
    let email = bench.email();
    bench.create(std::slice::from_ref(&email)).await;
    check(
        bench.row("activityparty").with("participationtypemask", 1).with("addressused", "a@b"),
        "activityparty.activityid",
    )
    .await;
    let nobody =
        bench.row("activityparty").with("activityid", email.at.clone()).with("participationtypemask", 1);
    check(nobody, "activityparty.addressused").await;
    let list = bench.row("list").with("listname", "L").with("createdfromcode", 2);
    bench.create(std::slice::from_ref(&list)).await;
    let emptied = Record::new(list.at.clone()).with("listname", Value::Null);
    bench.refused(Change::Update(emptied), Code::CRM_REQUIRED, &["list.listname"]).await;
    let emptied = Record::new(list.at).with("ownerid", Value::Null);
    bench.refused(Change::Update(emptied), Code::CRM_REQUIRED, &["list.ownerid"]).await;
    // The platform asks this of forms only.
    bench
        .create(&[bench.row("account"), bench.row("contact"), bench.row("email"), bench.row("incident")])
        .await;
}

async fn kept_by_the_server(on: On) {
    let bench = Bench::new(on).await;
    let text = ["inreplyto", "conversationindex"];
    for column in text {
        let row = bench.email().with(column, "<x@y>");
        bench
            .refused(
                Change::Create(row),
                Code::CRM_REFUSED,
                &[&format!("email.{column}"), "kept by the server"],
            )
            .await;
    }
    let now = bench.clock.now();
    for (table, column, value) in [
        ("email", "correlationmethod", Value::Int(3)),
        ("email", "senton", Value::Time(now)),
        ("email", "attachmentcount", Value::Int(1)),
        ("contact", "fullname", Value::text("Anna Adler")),
        ("lead", "fullname", Value::text("Anna Adler")),
        ("contact", "versionnumber", Value::Int(1)),
        ("contact", "createdon", Value::Time(now)),
        ("contact", "modifiedby", Value::Lookup(bench.crm.acting())),
        ("activitymimeattachment", "filesize", Value::Int(1)),
    ] {
        let row = bench.row(table).with(column, value);
        bench
            .refused(
                Change::Create(row),
                Code::CRM_REFUSED,
                &[&format!("{table}.{column}"), "kept by the server"],
            )
            .await;
    }
    let email = bench.email();
    bench.create(std::slice::from_ref(&email)).await;
    for mask in [8, 9] {
        let party = bench.party(&email, mask, "a@b.example");
        bench
            .refused(Change::Create(party), Code::CRM_REFUSED, &["activityparty.participationtypemask"])
            .await;
    }
    let other_id = bench.contact("Anna").with("contactid", bench.ids.next());
    bench.refused(Change::Create(other_id), Code::CRM_REFUSED, &["contact.contactid"]).await;
}

async fn names(on: On) {
    let bench = Bench::new(on).await;
    let code = Code::CRM_UNKNOWN_COLUMN;
    bench.refused(Change::Create(bench.row("contcat")), code, &["contcat", "did you mean contact?"]).await;
    let row = bench.row("contact").with("emailadress1", "x");
    bench
        .refused(Change::Create(row), code, &["contact", "emailadress1", "did you mean emailaddress1?"])
        .await;
    let gone = RecordRef::new("contact", bench.ids.next());
    let row = Record::new(gone.clone()).with("firstname", "x");
    bench.refused(Change::Update(row), Code::CRM_NOT_FOUND, &[&gone.to_string()]).await;
}

async fn defaults(on: On) {
    let bench = Bench::new(on).await;
    let (email, contact, case) =
        (bench.row("email"), bench.row("contact"), bench.row("incident").with("title", "T"));
    bench.create(&[email.clone(), contact.clone(), case.clone()]).await;
    let row = bench.found(&email.at).await;
    assert_eq!(row.get("directioncode"), Some(&Value::Bool(true)), "outgoing unless told otherwise");
    assert_eq!(
        (row.int("statecode"), row.int("statuscode"), row.int("attachmentcount")),
        (Some(0), Some(1), Some(0))
    );
    assert_eq!((row.int("prioritycode"), row.text("activitytypecode")), (Some(1), Some("email")));
    assert_eq!(row.get("createdon"), Some(&Value::Time(bench.clock.now())));
    assert_eq!(row.lookup("createdby"), Some(&bench.crm.acting()));
    let row = bench.found(&contact.at).await;
    assert_eq!(row.get("donotbulkemail"), Some(&Value::Bool(false)));
    assert_eq!(row.lookup("transactioncurrencyid").map(|at| at.table.as_str()), Some("transactioncurrency"));
    let row = bench.found(&case.at).await;
    let number = row.text("ticketnumber").unwrap();
    assert!(number.starts_with("CAS-") && number.len() == 16, "{number}");
    let queue = bench.row("queue").with("name", "Q");
    let list = bench.row("list").with("listname", "L").with("createdfromcode", 2);
    let member = bench.row("listmember").with("listid", list.at.clone()).with("entityid", contact.at.clone());
    bench.create(&[queue.clone(), list.clone(), member.clone()]).await;
    assert!(bench.found(&queue.at).await.lookup("organizationid").is_some());
    assert_eq!(bench.found(&list.at).await.int("membertype"), Some(2));
    assert_eq!(bench.found(&member.at).await.int("entitytype"), Some(2), "the type code of a contact");
}

async fn computed(on: On) {
    let bench = Bench::new(on).await;
    let contact = bench.contact("Anna");
    bench.create(std::slice::from_ref(&contact)).await;
    assert_eq!(bench.found(&contact.at).await.text("fullname"), Some("Anna Adler"));
    bench.update(&contact.at, "lastname", "Berg").await;
    assert_eq!(bench.found(&contact.at).await.text("fullname"), Some("Anna Berg"));
    bench.update(&contact.at, "firstname", Value::Null).await;
    assert_eq!(bench.found(&contact.at).await.text("fullname"), Some("Berg"));

    let email = bench.email().with("directioncode", true);
    bench.create(std::slice::from_ref(&email)).await;
    let step = |state: i64, status: i64| {
        Change::Update(Record::new(email.at.clone()).with("statecode", state).with("statuscode", status))
    };
    bench.must(step(1, 6)).await;
    assert_eq!(bench.found(&email.at).await.get("senton"), None, "pending is not sent");
    bench.clock.advance(jiff::SignedDuration::from_secs(60));
    bench.must(step(1, 3)).await;
    let row = bench.found(&email.at).await;
    assert!(row.get("senton").is_some() && row.get("actualend").is_some(), "{row:?}");
}

async fn owners(on: On) {
    let bench = Bench::new(on).await;
    let user =
        bench.row("systemuser").with("lastname", "Okafor").with("internalemailaddress", "tom@demo.example");
    let unit = bench.row("businessunit").with("name", "South");
    let user = user.with("businessunitid", unit.at.clone());
    let team = bench.row("team").with("name", "Night shift");
    bench.create(&[unit.clone(), user.clone(), team.clone()]).await;
    assert_eq!(bench.found(&user.at).await.text("domainname"), Some("tom@demo.example"));

    let contact = bench.contact("Anna").with("ownerid", user.at.clone());
    bench.create(std::slice::from_ref(&contact)).await;
    let row = bench.found(&contact.at).await;
    assert_eq!((row.lookup("ownerid"), row.lookup("owninguser")), (Some(&user.at), Some(&user.at)));
    assert_eq!((row.lookup("owningteam"), row.lookup("owningbusinessunit")), (None, Some(&unit.at)));
    assert_eq!(
        row.lookup("createdby"),
        Some(&bench.crm.acting()),
        "the owner is kept, the writer is the writer"
    );
    bench.update(&contact.at, "ownerid", team.at.clone()).await;
    let row = bench.found(&contact.at).await;
    assert_eq!((row.lookup("owninguser"), row.lookup("owningteam")), (None, Some(&team.at)));

    let tom = bench.crm.acting_as(user.at.id);
    let other = bench.contact("Bert");
    crate::bench::apply(&tom, vec![Change::Create(other.clone())]).await.unwrap();
    let row = bench.found(&other.at).await;
    assert_eq!((row.lookup("ownerid"), row.lookup("createdby")), (Some(&user.at), Some(&user.at)));
}
