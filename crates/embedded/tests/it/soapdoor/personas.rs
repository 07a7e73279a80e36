//! What a server of a generation does not have, it refuses as that server did.

use postroom_embedded::soap::Generation;
use postroom_formats::soap::envelope::Soap;
use postroom_formats::soap::value::Any;
use uuid::Uuid;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server() {
    let bench = SoapBench::generation(Generation::Crm2011).await;
    let version = bench.execute("RetrieveVersion", "").await;
    assert_eq!(version.get("Version"), Some(&Any::String("5.0.9690.1992".into())));
    for name in [
        "Upsert",
        "ExecuteMultiple",
        "ExecuteTransaction",
        "RetrieveEntityChanges",
        "CreateEntityKey",
        "CreateMultiple",
    ] {
        assert_eq!(bench.fault(name, "").await.code, 0x8004_0800_u32.cast_signed(), "{name}");
        let class = message(name, "").replace("<request>", &format!("<request i:type=\"b:{name}Request\">"));
        let fault = bench.ask(Soap::V12, &class).await.fault();
        assert_eq!((fault.code, fault.subcode.as_deref()), (0, Some("DeserializationFailed")), "{name}");
    }
    let id = bench.create(&entity("account", Uuid::nil(), &text("name", "Old"))).await;
    let row = bench.retrieve("account", id, &["name"]).await;
    assert_eq!(row.row_version, None);
    let state = entity("account", id, &pair("statecode", "b:OptionSetValue", "<b:Value>1</b:Value>"));
    let target = pair("Target", "b:Entity", &state);
    assert!(bench.fault("Update", &target).await.message.contains("SetState"));
    let versioned = [target, pair("ConcurrencyBehavior", "b:ConcurrencyBehavior", "Default")].concat();
    assert!(bench.fault("Update", &versioned).await.message.contains("Unrecognized request parameter"));
    let option =
        |name: &str, value: i32| pair(name, "b:OptionSetValue", &format!("<b:Value>{value}</b:Value>"));
    let moniker = pair("EntityMoniker", "b:EntityReference", &reference("account", id));
    bench.execute("SetState", &[moniker, option("State", 1), option("Status", -1)].concat()).await;
    let row = bench.retrieve("account", id, &["statecode", "statuscode"]).await;
    assert_eq!(
        (row.get("statecode"), row.get("statuscode")),
        (Some(&Any::OptionSetValue(1)), Some(&Any::OptionSetValue(2)))
    );
    let body =
        format!("<Delete {NS}><entityName>account</entityName><id>{}</id></Delete>", Uuid::from_u128(9));
    let text = bench.ask(Soap::V11, &body).await.text;
    assert!(
        text.contains("<ErrorCode>") && !text.contains("ActivityId>") && !text.contains("ExceptionRetriable"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn callers() {
    let bench = SoapBench::new(crate::bench::On::Sqlite).await;
    let user = bench.bench.row("systemuser").with("lastname", "Berg").with("domainname", "berg");
    bench.bench.create(std::slice::from_ref(&user)).await;
    let of = |header: String| {
        format!(
            "<s:Envelope xmlns:s=\"{}\"><s:Header>{header}</s:Header><s:Body>{}</s:Body></s:Envelope>",
            Soap::V11.ns(),
            message("WhoAmI", "")
        )
    };
    let caller = |id: Uuid| {
        of(format!("<CallerId xmlns=\"http://schemas.microsoft.com/xrm/2011/Contracts\">{id}</CallerId>"))
    };
    let answer = bench.post(PATH, "text/xml", caller(user.at.id)).await;
    assert!(answer.text.contains(&user.at.id.to_string()) && answer.status == 200, "{}", answer.text);
    let nobody = bench.post(PATH, "text/xml", caller(Uuid::from_u128(99))).await;
    assert_ne!(nobody.fault().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_messages() {
    let bench = SoapBench::new(crate::bench::On::Sqlite).await;
    let party = |address: &str, (table, id): (&str, Uuid)| {
        let who = pair("partyid", "b:EntityReference", &reference(table, id));
        let inner = [who, text("addressused", address)].concat();
        format!("<b:Entity>{}</b:Entity>", entity("activityparty", Uuid::nil(), &inner))
    };
    let me = ("systemuser", postroom_embedded::seed::ADMINISTRATOR);
    let contact = bench.create(&entity("contact", Uuid::nil(), &text("lastname", "Adler"))).await;
    let mail = [
        text("subject", "Offer"),
        pair("from", "b:ArrayOfEntity", &party("me@x.example", me)),
        pair("to", "b:ArrayOfEntity", &party("c@x.example", ("contact", contact))),
    ];
    let mail = mail.concat();
    let (bare, full) = (
        bench.create(&entity("email", Uuid::nil(), &mail)).await,
        bench.create(&entity("email", Uuid::nil(), &mail)).await,
    );
    let file = |name: &str| {
        let parts = [
            pair("objectid", "b:EntityReference", &reference("email", full)),
            text("objecttypecode", "email"),
            text("filename", name),
            text("body", "aGk="),
        ];
        entity("activitymimeattachment", Uuid::nil(), &parts.concat())
    };
    bench.create(&file("a.txt")).await;
    let organization = postroom_core::RecordRef::new("organization", postroom_embedded::seed::ORGANIZATION);
    bench.bench.update(&organization, "blockedattachments", "exe").await;
    let target = pair("Target", "b:Entity", &file("a.exe"));
    assert_eq!(bench.fault("Create", &target).await.code, 0x8004_3e09_u32.cast_signed());
    bench.bench.update(&organization, "maxuploadfilesize", 1).await;
    let target = pair("Target", "b:Entity", &file("b.txt"));
    assert_eq!(bench.fault("Create", &target).await.code, 0x8004_4a02_u32.cast_signed());

    for id in [bare, full] {
        let parameters = [
            pair("EmailId", "g:guid", &id.to_string()),
            pair("IssueSend", "d:boolean", "true"),
            text("TrackingToken", "T"),
        ];
        let sent = bench.execute("SendEmail", &parameters.concat()).await;
        assert_eq!(sent.get("Subject"), Some(&Any::String("Offer T".into())));
    }
    let query = "<b:Query>&lt;fetch&gt;&lt;entity name='email'&gt;&lt;attribute name='subject'/&gt;&lt;order \
                 attribute='attachmentcount'/&gt;&lt;/entity&gt;&lt;/fetch&gt;</b:Query>";
    let query = pair("Query", "b:FetchExpression", query);
    let answer = bench.ask(Soap::V11, &message("BackgroundSendEmail", &query)).await;
    assert!(answer.text.contains("ArrayOfboolean"), "{}", answer.text);
    let postroom_formats::soap::operation::Answer::Execute(handed) = answer.said() else { panic!() };
    let Some(Any::EntityCollection(rows)) = handed.get("EntityCollection") else { panic!("{handed:?}") };
    assert_eq!(rows.entities.iter().map(|row| row.id).collect::<Vec<_>>(), [bare, full]);
    let Some(Any::Raw(flags)) = handed.get("HasAttachments") else { panic!("{handed:?}") };
    let flags: Vec<&str> = flags.children.iter().map(|flag| flag.text.as_str()).collect();
    assert_eq!(flags, ["false", "true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_messages() {
    let bench = SoapBench::new(crate::bench::On::Sqlite).await;
    let list =
        [text("listname", "L"), pair("createdfromcode", "b:OptionSetValue", "<b:Value>2</b:Value>")].concat();
    let list = bench.create(&entity("list", Uuid::nil(), &list)).await;
    let contact = bench.create(&entity("contact", Uuid::nil(), &text("lastname", "Adler"))).await;
    let ids = format!("<arr:guid>{contact}</arr:guid>");
    let members =
        [pair("ListId", "g:guid", &list.to_string()), pair("MemberIds", "arr:ArrayOfguid", &ids)].concat();
    bench.execute("AddListMembersList", &members).await;
    let rows = bench.bench.all("listmember", postroom_core::Filter::All(Vec::new())).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(bench.fault("new_custom", "").await.code, 0x8004_0800_u32.cast_signed());
}
