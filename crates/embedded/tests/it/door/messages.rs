//! Functions and actions at the Web API door.

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{Answer, DoorBench, ROOT};
use crate::bench::{On, on_both};

on_both!(sending, bulk_mails, queues, lists, leads, bulk_deletion, merging, incoming);

mod one {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn functions_in_every_form() {
        let door = DoorBench::new(On::Sqlite).await;
        let contact = door.send("POST", "contacts", json!({"lastname": "C"})).await.made();
        for url in ["WhoAmI", "WhoAmI()"] {
            let answer = door.get(url).await;
            assert_eq!(answer.json["UserId"], door.session.user().to_string(), "{}", answer.text);
            let context = format!("{ROOT}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse");
            assert_eq!(answer.json["@odata.context"], context);
        }
        assert!(door.get("RetrieveVersion()").await.json["Version"].as_str().unwrap().starts_with("9.2"));
        let url = "RetrieveCurrentOrganization(AccessType=@p1)?@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'";
        let detail = door.get(url).await.json["Detail"].clone();
        assert_eq!(detail["Endpoints"]["Values"][0], "https://crm.example:8443/", "{detail}");
        let url = "RetrieveTotalRecordCount(EntityNames=@p1)?@p1=[\"contact\",\"account\"]";
        let count = door.get(url).await.json["EntityRecordCountCollection"].clone();
        assert_eq!((&count["Keys"], &count["Values"]), (&json!(["contact", "account"]), &json!([1, 0])));
        let user = door.session.user();
        let url = format!(
            "systemusers({user})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@p1)?@p1={{'@odata.id':'contacts({contact})'}}"
        );
        let rights = door.get(&url).await;
        assert!(
            rights.json["AccessRights"].as_str().unwrap().contains("ReadAccess, WriteAccess"),
            "{}",
            rights.text
        );
        let url = format!("systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()");
        assert_eq!(door.get(&url).await.json["RolePrivileges"][0]["Depth"], "Global");
        let url = format!(
            "systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p)?@p=[\"prvReadContact\"]"
        );
        assert_eq!(door.get(&url).await.json["RolePrivileges"].as_array().unwrap().len(), 1);
        let url = format!(
            "InitializeFrom(EntityMoniker=@e,TargetEntityName='account',TargetFieldType=@t)?@e={{'@odata.id':'contacts({contact})'}}&@t=Microsoft.Dynamics.CRM.TargetFieldType'All'"
        );
        let made = door.get(&url).await;
        assert_eq!(made.json["@odata.type"], "#Microsoft.Dynamics.CRM.account", "{}", made.text);
        assert_eq!(made.json["_primarycontactid_value"], contact.to_string());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_asked_wrongly() {
        let door = DoorBench::new(On::Sqlite).await;
        let contact = door.send("POST", "contacts", json!({"lastname": "C"})).await.made();
        let code = |answer: Answer| (answer.status, answer.json["error"]["message"].to_string());
        assert_eq!(code(door.get("NoSuchThing()").await).0, 404);
        assert_eq!(code(door.send("POST", "WhoAmI", json!({})).await).0, 405);
        assert_eq!(code(door.get("BulkDelete").await).0, 405);
        assert_eq!(code(door.send("POST", "SendEmail", json!({"IssueSend": true})).await).0, 404);
        let url = format!("contacts({contact})/Microsoft.Dynamics.CRM.SendEmail");
        assert_eq!(code(door.send("POST", &url, json!({"IssueSend": true})).await).0, 404);
        let answer = code(door.send("POST", "GetTrackingTokenEmail", json!({"Subjekt": "x"})).await);
        assert!(answer.0 == 400 && answer.1.contains("Subjekt"), "{answer:?}");
        let answer = code(door.send("POST", "Assign", json!({"Target": {"lastname": "x"}})).await);
        assert!(answer.0 == 400 && answer.1.contains("@odata.type"), "{answer:?}");
        let answer = code(door.send("POST", "Assign", json!({})).await);
        assert!(answer.0 == 400 && answer.1.contains("Target"), "{answer:?}");
        let answer = code(door.get("RetrieveTotalRecordCount(EntityNames=@p1)?@p1=[\"nothing\"]").await);
        assert_eq!(answer.0, 400, "{answer:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn state_owner_and_shares() {
        let door = DoorBench::new(On::Sqlite).await;
        let contact = door.send("POST", "contacts", json!({"lastname": "C"})).await.made();
        let user = door.bench.row("systemuser").with("domainname", "u").with("lastname", "U");
        door.bench.create(std::slice::from_ref(&user)).await;
        let target = json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": contact});
        let to = json!({"@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": user.at.id});
        done(&door, "SetState", json!({"EntityMoniker": target, "State": 1, "Status": -1})).await;
        assert_eq!(door.get(&format!("contacts({contact})")).await.json["statuscode"], 2);
        done(&door, "Assign", json!({"Target": target, "Assignee": to})).await;
        let row = door.get(&format!("contacts({contact})")).await.json;
        assert_eq!(row["_ownerid_value"], user.at.id.to_string());
        let access =
            |mask: &str| json!({"Target": target, "PrincipalAccess": {"Principal": to, "AccessMask": mask}});
        done(&door, "GrantAccess", access("ReadAccess, WriteAccess")).await;
        done(&door, "ModifyAccess", access("ReadAccess")).await;
        let shares = door.get("principalobjectaccessset").await;
        let rows = door.bench.all("principalobjectaccess", postroom_core::Filter::All(vec![])).await;
        assert_eq!(
            rows.iter().map(|row| row.int("accessrightsmask")).collect::<Vec<_>>(),
            [Some(1)],
            "{}",
            shares.text
        );
        done(&door, "RevokeAccess", json!({"Target": target, "Revokee": to})).await;
        assert!(door.bench.all("principalobjectaccess", postroom_core::Filter::All(vec![])).await.is_empty());
        let answer = door.send("POST", "GrantAccess", access("Reed")).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn privileges_of_roles() {
        let door = DoorBench::new(On::Sqlite).await;
        let role = door.bench.row("role").with("name", "R");
        door.bench.create(std::slice::from_ref(&role)).await;
        let url = |name: &str| format!("roles({})/Microsoft.Dynamics.CRM.{name}", role.at.id);
        let privileges = format!("RetrieveRolePrivilegesRole(RoleId={})", role.at.id);
        let user = door.session.user();
        let mine = format!(
            "systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p)?@p=[\"prvReadContact\"]"
        );
        let id = door.get(&mine).await.json["RolePrivileges"][0]["PrivilegeId"].clone();
        let given = json!({"Privileges": [{"Depth": "Local", "PrivilegeId": id, "BusinessUnitId": postroom_embedded::seed::BUSINESS_UNIT}]});
        done(&door, &url("AddPrivilegesRole"), given.clone()).await;
        let held = door.get(&privileges).await;
        assert_eq!(held.json["RolePrivileges"][0]["Depth"], "Local", "{}", held.text);
        done(&door, &url("ReplacePrivilegesRole"), given).await;
        done(&door, &url("RemovePrivilegeRole"), json!({"PrivilegeId": id})).await;
        let held = door.get(&privileges).await;
        assert_eq!(held.json["RolePrivileges"], json!([]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn templates() {
        let door = DoorBench::new(On::Sqlite).await;
        let contact = door
            .send(
                "POST",
                "contacts",
                json!({"firstname": "A&B", "lastname": "C", "emailaddress1": "c@x.example"}),
            )
            .await
            .made();
        let template = json!({"title": "T", "subject": "For {!contact:firstname;you}", "body": "Dear {!contact:firstname;you} {!contact:middlename;}"});
        let template = door.send("POST", "templates", template).await.made();
        let body = json!({"TemplateId": template, "ObjectType": "contact", "ObjectId": contact});
        let made = door.send("POST", "InstantiateTemplate", body).await;
        assert_eq!(made.json["value"][0]["subject"], "For A&B", "{}", made.text);
        assert_eq!(made.json["value"][0]["description"], "Dear A&amp;B ");
        let body = json!({"TemplateId": template, "Regarding": {"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": contact},
            "Target": {"@odata.type": "Microsoft.Dynamics.CRM.email", "email_activity_parties": [
                {"partyid_systemuser@odata.bind": format!("/systemusers({})", door.session.user()), "participationtypemask": 1},
                {"partyid_contact@odata.bind": format!("/contacts({contact})"), "participationtypemask": 2}]}});
        let sent = door.send("POST", "SendEmailFromTemplate", body).await;
        let id = sent.json["Id"].as_str().unwrap_or_else(|| panic!("{}", sent.text));
        let mail = door.get(&format!("emails({id})?$expand=email_activity_parties")).await.json;
        assert_eq!(
            (&mail["statuscode"], &mail["_regardingobjectid_value"]),
            (&json!(6), &json!(contact.to_string()))
        );
        assert_eq!(mail["subject"], "For A&B CRM:0001001");
        assert!(mail["email_activity_parties"].as_array().unwrap().len() >= 2, "{mail}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn cases_and_opportunities_are_closed() {
        let door = DoorBench::new(On::Sqlite).await;
        let account = door.send("POST", "accounts", json!({"name": "A"})).await.made();
        let case = json!({"title": "T", "customerid_account@odata.bind": format!("/accounts({account})")});
        let case = door.send("POST", "incidents", case).await.made();
        let body = json!({"IncidentResolution": {"@odata.type": "Microsoft.Dynamics.CRM.incidentresolution", "subject": "Done",
            "incidentid@odata.bind": format!("/incidents({case})")}, "Status": 5});
        done(&door, "CloseIncident", body.clone()).await;
        assert_eq!(door.get(&format!("incidents({case})")).await.json["statecode"], 1);
        door.send("POST", "CloseIncident", body).await.refused(400, "0x80048408", "closed");
        for (name, state) in [("WinOpportunity", 1), ("LoseOpportunity", 2)] {
            let row = door.send("POST", "opportunities", json!({"name": "O"})).await.made();
            let body = json!({"OpportunityClose": {"subject": "x", "actualrevenue": 12.5, "opportunityid": {
                "@odata.type": "Microsoft.Dynamics.CRM.opportunity", "opportunityid": row}}, "Status": -1});
            done(&door, name, body).await;
            let row = door.get(&format!("opportunities({row})")).await.json;
            assert_eq!((row["statecode"].as_i64(), row["actualvalue"].as_f64()), (Some(state), Some(12.5)));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn attachments_in_blocks() {
        let door = DoorBench::new(On::Sqlite).await;
        let mail = door.send("POST", "emails", json!({"subject": "S"})).await.made();
        let target = json!({"@odata.type": "Microsoft.Dynamics.CRM.activitymimeattachment", "filename": "a.txt",
            "objectid_email@odata.bind": format!("/emails({mail})"), "objecttypecode": "email"});
        let begun = door.send("POST", "InitializeAttachmentBlocksUpload", json!({"Target": target})).await;
        let token = begun.json["FileContinuationToken"].clone();
        assert!(token.is_string(), "{}", begun.text);
        for (name, data) in [("b", "bG8="), ("a", "aGVs")] {
            done(
                &door,
                "UploadBlock",
                json!({"BlockId": name, "BlockData": data, "FileContinuationToken": token}),
            )
            .await;
        }
        let commit =
            |blocks: Json| json!({"Target": target, "BlockList": blocks, "FileContinuationToken": token});
        let wrong = door.send("POST", "CommitAttachmentBlocksUpload", commit(json!(["a", "z"]))).await;
        assert_eq!(wrong.status, 400, "{}", wrong.text);
        let whole = door.send("POST", "CommitAttachmentBlocksUpload", commit(json!(["a", "b"]))).await;
        assert_eq!(whole.json["FileSizeInBytes"], 5, "{}", whole.text);
        let id = whole.json["ActivityMimeAttachmentId"].as_str().unwrap();
        let read = door.get(&format!("activitymimeattachments({id})/body/$value")).await;
        assert_eq!(read.text, "aGVsbG8=");
    }
}

async fn done(door: &DoorBench, url: &str, body: Json) {
    let answer = door.send("POST", url, body).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{url}");
}

async fn draft(door: &DoorBench, contact: Uuid) -> Uuid {
    let user = door.session.user();
    let body = json!({"subject": "Offer", "email_activity_parties": [
        {"partyid_systemuser@odata.bind": format!("/systemusers({user})"), "participationtypemask": 1, "addressused": "me@x.example"},
        {"partyid_contact@odata.bind": format!("/contacts({contact})"), "participationtypemask": 2}]});
    door.send("POST", "emails", body).await.made()
}

async fn sending(on: On) {
    let door = DoorBench::new(on).await;
    let contact =
        door.send("POST", "contacts", json!({"lastname": "C", "emailaddress1": "c@x.example"})).await.made();
    let send = |id: Uuid| format!("emails({id})/Microsoft.Dynamics.CRM.SendEmail");
    let first = draft(&door, contact).await;
    let sent = door.send("POST", &send(first), json!({"IssueSend": true})).await;
    assert_eq!(sent.json["Subject"], "Offer CRM:0001001", "{}", sent.text);
    let row = door.get(&format!("emails({first})")).await.json;
    assert_eq!(
        (&row["statecode"], &row["statuscode"], &row["trackingtoken"]),
        (&json!(1), &json!(6), &json!("CRM:0001001"))
    );
    door.send("POST", &send(first), json!({"IssueSend": true})).await.refused(400, "0x80048408", "draft");
    let second = draft(&door, contact).await;
    let sent = door.send("POST", &send(second), json!({"IssueSend": false, "TrackingToken": ""})).await;
    assert_eq!(sent.json["Subject"], "Offer", "{}", sent.text);
    let row = door.get(&format!("emails({second})")).await.json;
    assert_eq!(row["statuscode"], 3);
    assert!(row["senton"].is_string(), "{row}");
    let third = draft(&door, contact).await;
    door.send("PATCH", &format!("contacts({contact})"), json!({"donotemail": true})).await.made();
    door.send("POST", &send(third), json!({"IssueSend": true})).await.refused(
        400,
        "0x80040b00",
        "not allowing",
    );
    let empty = door.send("POST", "emails", json!({"subject": "S"})).await.made();
    door.send("POST", &send(empty), json!({"IssueSend": true})).await.refused(400, "0x80040b04", "recipient");
    let none = Uuid::from_u128(7);
    door.send("POST", &send(none), json!({"IssueSend": true})).await.refused(404, "0x80040217", "Not Exist");
    let token = door.send("POST", "GetTrackingTokenEmail", json!({"Subject": "x"})).await;
    assert_eq!(token.json["TrackingToken"], "CRM:0001002", "{}", token.text);
    let query = json!({"Query": {"@odata.type": "Microsoft.Dynamics.CRM.QueryExpression", "EntityName": "email", "ColumnSet": {"Columns": ["subject"]}}});
    let url = "emails/Microsoft.Dynamics.CRM.BackgroundSendEmail";
    let handed = door.send("POST", url, query.clone()).await;
    assert_eq!(handed.json["EntityCollection"][0]["activityid"], first.to_string(), "{}", handed.text);
    assert_eq!(handed.json["HasAttachments"], json!([false]));
    assert_eq!(door.send("POST", url, query).await.json["EntityCollection"], json!([]));
    assert_eq!(door.get(&format!("emails({first})")).await.json["statuscode"], 7);
}

async fn queues(on: On) {
    let door = DoorBench::new(on).await;
    let queue = door.send("POST", "queues", json!({"name": "Q"})).await.made();
    let other = door.send("POST", "queues", json!({"name": "R"})).await.made();
    let mail = door.send("POST", "emails", json!({"subject": "S"})).await.made();
    let target = json!({"@odata.type": "Microsoft.Dynamics.CRM.email", "activityid": mail});
    let add = |to: Uuid| format!("queues({to})/Microsoft.Dynamics.CRM.AddToQueue");
    let made = door
        .send("POST", &add(queue), json!({"Target": target, "QueueItemProperties": {"priority": 1}}))
        .await;
    let item: Uuid =
        made.json["QueueItemId"].as_str().unwrap_or_else(|| panic!("{}", made.text)).parse().unwrap();
    let row = async || door.get(&format!("queueitems({item})")).await.json;
    assert_eq!((row().await["title"].clone(), row().await["priority"].clone()), (json!("S"), json!(1)));
    door.send("POST", &add(other), json!({"Target": target})).await.refused(400, "0x80040526", "queue");
    let moved = json!({"Target": target, "SourceQueue": {"@odata.type": "Microsoft.Dynamics.CRM.queue", "queueid": queue}});
    assert_eq!(door.send("POST", &add(other), moved).await.json["QueueItemId"], item.to_string());
    assert_eq!(row().await["_queueid_value"], other.to_string());
    let user =
        json!({"@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": door.session.user()});
    let on_item = |name: &str| format!("queueitems({item})/Microsoft.Dynamics.CRM.{name}");
    done(&door, &on_item("PickFromQueue"), json!({"SystemUser": user, "RemoveQueueItem": false})).await;
    assert_eq!(row().await["_workerid_value"], door.session.user().to_string());
    done(&door, &on_item("ReleaseToQueue"), json!({})).await;
    assert_eq!(row().await["_workerid_value"], Json::Null);
    let to = json!({"@odata.type": "Microsoft.Dynamics.CRM.queue", "queueid": queue});
    done(&door, "RouteTo", json!({"Target": to, "QueueItem": {"queueitemid": item}})).await;
    assert_eq!(row().await["_queueid_value"], queue.to_string());
    let answer =
        door.ask("POST", &on_item("RemoveFromQueue"), &[("content-type", "application/json")], "").await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(door.get(&format!("queueitems({item})")).await.status, 404);
    let again = door.send("POST", &add(queue), json!({"Target": target})).await;
    assert_eq!(again.status, 200, "{}", again.text);
}

async fn lists(on: On) {
    let door = DoorBench::new(on).await;
    let list = door
        .send("POST", "lists", json!({"listname": "L", "createdfromcode": 2, "type": false}))
        .await
        .made();
    let mut people = Vec::new();
    for name in ["A", "B", "C"] {
        people.push(door.send("POST", "contacts", json!({"lastname": name})).await.made());
    }
    let account = door.send("POST", "accounts", json!({"name": "X"})).await.made();
    let on_list = |name: &str| format!("lists({list})/Microsoft.Dynamics.CRM.{name}");
    let members = async |of: Uuid| {
        let rows = door.get(&format!("lists({of})/listcontact_association?$orderby=lastname")).await.json;
        let names =
            rows["value"].as_array().unwrap().iter().map(|row| row["lastname"].as_str().unwrap().to_owned());
        names.collect::<String>()
    };
    let one = door.send("POST", &on_list("AddMemberList"), json!({"EntityId": people[0]})).await;
    let again = door.send("POST", &on_list("AddMemberList"), json!({"EntityId": people[0]})).await;
    assert_eq!((one.status, &one.json["Id"]), (200, &again.json["Id"]), "{}", one.text);
    let contact = |id: &Uuid| json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": id});
    let many = json!({"List": {"@odata.type": "Microsoft.Dynamics.CRM.list", "listid": list},
        "Members": people.iter().map(contact).collect::<Vec<_>>()});
    done(&door, "AddListMembersList", many).await;
    assert_eq!(members(list).await, "ABC");
    door.send("POST", &on_list("AddMemberList"), json!({"EntityId": account})).await.refused(
        400,
        "0x80040301",
        "account",
    );
    door.send("POST", &on_list("AddMemberList"), json!({"EntityId": list})).await.refused(
        404,
        "0x80040217",
        "Not Exist",
    );
    done(&door, &on_list("RemoveMemberList"), json!({"ListMember": {"listmemberid": people[1]}})).await;
    assert_eq!(members(list).await, "AC");
    let gone = door
        .send("POST", &on_list("RemoveMemberList"), json!({"ListMember": {"listmemberid": people[1]}}))
        .await;
    gone.refused(400, "0x80048458", "not a member");
    let xml = "<fetch><entity name='contact'><filter><condition attribute='lastname' operator='ne' value='A'/></filter></entity></fetch>";
    let dynamic = json!({"listname": "D", "createdfromcode": 2, "type": true, "query": xml});
    let dynamic = door.send("POST", "lists", dynamic).await.made();
    let frozen = door
        .send("POST", &format!("lists({dynamic})/Microsoft.Dynamics.CRM.CopyDynamicListToStatic"), json!({}))
        .await;
    let frozen: Uuid =
        frozen.json["StaticListId"].as_str().unwrap_or_else(|| panic!("{}", frozen.text)).parse().unwrap();
    assert_eq!(members(frozen).await, "BC");
    door.send(
        "POST",
        &format!("lists({dynamic})/Microsoft.Dynamics.CRM.AddMemberList"),
        json!({"EntityId": people[0]}),
    )
    .await
    .refused(400, "0x80040203", "dynamic");
    done(&door, &on_list("CopyMembersList"), json!({"TargetListId": frozen})).await;
    assert_eq!(members(frozen).await, "ABC");
    let keep = json!({"ListMember": [contact(&people[0])], "OverrideorRemove": true});
    done(&door, &format!("lists({frozen})/Microsoft.Dynamics.CRM.QualifyMemberList"), keep).await;
    assert_eq!(members(frozen).await, "A");
    door.send("PATCH", &format!("lists({list})"), json!({"lockstatus": true})).await.made();
    door.send("POST", &on_list("AddMemberList"), json!({"EntityId": people[1]})).await.refused(
        400,
        "0x80040302",
        "locked",
    );
}

async fn leads(on: On) {
    let door = DoorBench::new(on).await;
    let lead = json!({"subject": "Pumps", "firstname": "Anna", "lastname": "Adler", "companyname": "Adler AG", "emailaddress1": "a@x.example"});
    let lead = door.send("POST", "leads", lead).await.made();
    let url = format!("leads({lead})/Microsoft.Dynamics.CRM.QualifyLead");
    let body = json!({"CreateAccount": true, "CreateContact": true, "CreateOpportunity": true, "Status": 3,
        "OpportunityCurrencyId": null, "OpportunityCustomerId": null, "SourceCampaignId": null, "ProcessInstanceId": null});
    let answer = door.send("POST", &url, body.clone()).await;
    let made = answer.json["value"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone();
    assert_eq!(made.len(), 3);
    let account = made[0]["accountid"].as_str().unwrap();
    let contact = door.get(&format!("contacts({})", made[1]["contactid"].as_str().unwrap())).await.json;
    assert_eq!((&contact["lastname"], &contact["emailaddress1"]), (&json!("Adler"), &json!("a@x.example")));
    assert_eq!(contact["_parentcustomerid_value"], account);
    let row = door.get(&format!("leads({lead})")).await.json;
    assert_eq!((&row["statecode"], &row["_parentaccountid_value"]), (&json!(1), &json!(account)));
    let opportunity =
        door.get(&format!("opportunities({})", made[2]["opportunityid"].as_str().unwrap())).await.json;
    assert_eq!((&opportunity["name"], &opportunity["_customerid_value"]), (&json!("Pumps"), &json!(account)));
    door.send("POST", &url, body).await.refused(400, "0x80048408", "closed");
}

async fn bulk_deletion(on: On) {
    let door = DoorBench::new(on).await;
    for name in ["A", "A", "B"] {
        door.send("POST", "contacts", json!({"lastname": name})).await.made();
    }
    let query = json!({"@odata.type": "Microsoft.Dynamics.CRM.QueryExpression", "EntityName": "contact", "ColumnSet": {"AllColumns": false, "Columns": []},
        "Criteria": {"FilterOperator": "And", "Conditions": [{"AttributeName": "lastname", "Operator": "Equal", "Values": [{"Value": "A", "Type": "System.String"}]}]}});
    let body = json!({"JobName": "J", "SendEmailNotification": false, "ToRecipients": [], "CCRecipients": [], "RecurrencePattern": "",
        "StartDateTime": "2026-11-02T08:00:00Z", "QuerySet": [query]});
    let answer = door.send("POST", "BulkDelete", body).await;
    let job = answer.json["JobId"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
    let row = door.get(&format!("asyncoperations({job})")).await.json;
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(3), &json!(30)), "{row}");
    assert_eq!(door.get("contacts/$count").await.text, "1");
    let answer = door.send("POST", "BulkDelete", json!({"JobName": "J", "QuerySet": []})).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

async fn merging(on: On) {
    let door = DoorBench::new(on).await;
    let one = door.send("POST", "accounts", json!({"name": "One"})).await.made();
    let two = door.send("POST", "accounts", json!({"name": "Two"})).await.made();
    let person = json!({"lastname": "P", "parentcustomerid_account@odata.bind": format!("/accounts({two})")});
    let person = door.send("POST", "contacts", person).await.made();
    let row = |id: Uuid| json!({"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": id});
    let body = json!({"Target": row(one), "Subordinate": row(two), "PerformParentingChecks": false,
        "UpdateContent": {"@odata.type": "Microsoft.Dynamics.CRM.account", "telephone1": "1"}});
    done(&door, "Merge", body.clone()).await;
    let master = door.get(&format!("accounts({one})")).await.json;
    assert_eq!(master["telephone1"], "1");
    let gone = door.get(&format!("accounts({two})")).await.json;
    assert_eq!(
        (&gone["statecode"], &gone["merged"], &gone["_masterid_value"]),
        (&json!(1), &json!(true), &json!(one.to_string()))
    );
    let person = door.get(&format!("contacts({person})")).await.json;
    assert_eq!(person["_parentcustomerid_value"], one.to_string());
    door.send("POST", "Merge", body).await.refused(400, "0x80048408", "merged before");
}

async fn incoming(on: On) {
    let door = DoorBench::new(on).await;
    let contact =
        door.send("POST", "contacts", json!({"lastname": "C", "emailaddress1": "c@x.example"})).await.made();
    let account = door.send("POST", "accounts", json!({"name": "A"})).await.made();
    let queue =
        door.send("POST", "queues", json!({"name": "Q", "emailaddress": "help@our.example"})).await.made();
    let user =
        door.bench.row("systemuser").with("lastname", "U").with("internalemailaddress", "u@our.example");
    door.bench.create(std::slice::from_ref(&user)).await;
    let earlier = json!({"subject": "Offer", "messageid": "<1@our.example>", "trackingtoken": "CRM:0001007",
        "regardingobjectid_account_email@odata.bind": format!("/accounts({account})")});
    door.send("POST", "emails", earlier).await.made();
    let check = async |subject: &str, from: &str, to: &str| {
        let url = format!(
            "CheckIncomingEmail(MessageId='%3Cn@x%3E',Subject=@s,From='{from}',To='{to}',Cc='',Bcc='',ExtraProperties=@e)?@s='{subject}'&@e=null"
        );
        let answer = door.get(&url).await;
        (answer.json["ShouldDeliver"].as_bool(), answer.json["ReasonCode"].as_i64())
    };
    assert_eq!(check("x", "c@x.example", "help@our.example").await, (Some(true), Some(6)));
    assert_eq!(check("x", "c@x.example", "nobody@our.example").await, (Some(false), Some(3)));
    assert_eq!(check("x", "c@x.example", "u@our.example").await, (Some(false), Some(3)));
    assert_eq!(check("RE: CRM:0001009", "c@x.example", "u@our.example").await, (Some(false), Some(1)));
    assert_eq!(check("RE: CRM:0001007", "c@x.example", "u@our.example").await, (Some(true), Some(2)));
    assert_eq!(check("x", "", "help@our.example").await, (Some(false), Some(7)));
    let mail = |id: &str, extra: Json| {
        json!({"MessageId": id, "Subject": "RE: Offer", "From": "Cee <c@x.example>", "To": "help@our.example", "Cc": "who@x.example", "Bcc": "",
            "ReceivedOn": "2026-11-01T09:00:00Z", "SubmittedBy": "s@x.example", "Importance": "High", "Body": "<p>Hi</p>",
            "Attachments": [{"@odata.type": "Microsoft.Dynamics.CRM.activitymimeattachment", "filename": "a.txt", "body": "aGk="}],
            "ExtraProperties": extra})
    };
    let url = "emails/Microsoft.Dynamics.CRM.DeliverIncomingEmail";
    let answer = door
        .send("POST", url, mail("<2@x.example>", json!({"@odata.type": "Microsoft.Dynamics.CRM.email"})))
        .await;
    let id = answer.json["EmailId"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
    let row = door
        .get(&format!("emails({id})?$expand=email_activity_parties,email_activity_mime_attachment"))
        .await
        .json;
    assert_eq!(
        (&row["statuscode"], &row["directioncode"], &row["prioritycode"]),
        (&json!(4), &json!(false), &json!(2))
    );
    assert_eq!(row["senton"], "2026-11-01T09:00:00Z");
    let parties = row["email_activity_parties"].as_array().unwrap();
    let party = |mask: i64| parties.iter().find(|party| party["participationtypemask"] == mask).unwrap();
    assert_eq!(party(1)["_partyid_value"], contact.to_string());
    assert_eq!(party(2)["_partyid_value"], queue.to_string());
    assert_eq!(
        (&party(3)["_partyid_value"], &party(3)["addressused"]),
        (&Json::Null, &json!("who@x.example"))
    );
    assert_eq!(row["email_activity_mime_attachment"].as_array().unwrap().len(), 1);
    let items = door.get(&format!("queueitems?$filter=_objectid_value eq {id}")).await.json;
    assert_eq!(items["value"][0]["_queueid_value"], queue.to_string(), "{items}");
    door.send("POST", url, mail("<2@x.example>", Json::Null)).await.refused(
        400,
        "0x8005e20b",
        "Reason Code: 0",
    );
    let to_nobody = json!({"MessageId": "<9@x>", "Subject": "x", "From": "c@x.example", "To": "nobody@x.example", "ReceivedOn": "2026-11-01T09:00:00Z"});
    door.send("POST", url, to_nobody).await.refused(400, "0x8005e20b", "Reason Code: 3");
    let promote = json!({"MessageId": "<3@x.example>", "Subject": "RE: CRM:0001007", "From": "new@x.example", "To": "u@our.example", "ReceivedOn": "2026-11-01T09:00:00Z", "Body": "x"});
    let fresh = Uuid::from_u128(0x77);
    let answer = door
        .send("POST", &format!("emails({fresh})/Microsoft.Dynamics.CRM.DeliverPromoteEmail"), promote)
        .await;
    assert_eq!(answer.json["EmailId"], fresh.to_string(), "{}", answer.text);
    let row = door.get(&format!("emails({fresh})")).await.json;
    assert_eq!(row["_regardingobjectid_value"], account.to_string());
    let url = "CheckPromoteEmail(MessageId='%3C3@x.example%3E',Subject='x',DirectionCode=1)";
    assert_eq!(door.get(url).await.json["ShouldPromote"], false);
}

async fn bulk_mails(on: On) {
    let door = DoorBench::new(on).await;
    let user = door.session.user();
    let me = postroom_core::RecordRef::new("systemuser", user);
    door.bench.update(&me, "internalemailaddress", "me@x.example").await;
    let contact = async |name: &str, more: Json| {
        let mut body = json!({"firstname": name, "lastname": "L"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        door.send("POST", "contacts", body).await.made()
    };
    let anna = contact("Anna", json!({"emailaddress1": "a@x.example"})).await;
    let bob = contact("Bob", json!({"emailaddress1": "b@x.example"})).await;
    contact("Silent", json!({"emailaddress1": "s@x.example", "donotbulkemail": true})).await;
    contact("Nobody", json!({})).await;
    let template = json!({"title": "T", "subject": "For {!contact:firstname;you}", "body": "Dear"});
    let template = door.send("POST", "templates", template).await.made();
    let query = "<fetch><entity name='contact'><filter><condition attribute='lastname' operator='eq' value='L'/></filter></entity></fetch>";
    let sender = json!({"@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": user});
    let body = json!({"Sender": sender, "TemplateId": template, "RegardingType": "systemuser", "RegardingId": user,
        "Query": {"@odata.type": "Microsoft.Dynamics.CRM.FetchExpression", "Query": query}});
    done(&door, "SendBulkMail", body.clone()).await;
    let subjects = async || {
        let url = "emails?$select=subject,statuscode,directioncode&$orderby=subject";
        let rows = door.get(url).await.json["value"].as_array().unwrap().clone();
        assert!(rows.iter().all(|row| row["statuscode"] == 6 && row["directioncode"] == true), "{rows:?}");
        let subject = |row: &Json| row["subject"].as_str().unwrap().split(" CRM:").next().unwrap().to_owned();
        rows.iter().map(subject).collect::<Vec<_>>()
    };
    assert_eq!(subjects().await, ["For Anna", "For Bob"]);
    let jobs = door.get("asyncoperations?$filter=operationtype eq 2").await.json["value"].clone();
    assert_eq!(
        (&jobs[0]["statuscode"], jobs[0]["name"].as_str()),
        (&json!(30), Some("Bulk E-mail")),
        "{jobs}"
    );
    assert!(jobs[0]["message"].as_str().unwrap().starts_with("2 e-mails wait to be sent; 2 "), "{jobs}");
    let parties = door.get("activityparties?$filter=participationtypemask le 2&$orderby=addressused").await;
    let used = |row: &Json| row["addressused"].as_str().unwrap().to_owned();
    let used: Vec<String> = parties.json["value"].as_array().unwrap().iter().map(used).collect();
    assert_eq!(used, ["a@x.example", "b@x.example", "me@x.example", "me@x.example"]);

    // A process that died in the middle: what was made is not made again.
    let job = postroom_core::RecordRef::new(
        "asyncoperation",
        jobs[0]["asyncoperationid"].as_str().unwrap().parse().unwrap(),
    );
    let open = postroom_core::Record::new(job).with("statecode", 2).with("statuscode", 20);
    door.bench.must(postroom_core::Change::Update(open)).await;
    assert_eq!(postroom_embedded::messages::resume(&door.bench.crm).await.unwrap(), 1);
    assert_eq!(subjects().await, ["For Anna", "For Bob"]);

    let few = |ids: &[Uuid]| {
        let row = |id: &Uuid| json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": id});
        let to: Vec<Json> = ids.iter().map(row).collect();
        json!({"Sender": sender, "TemplateId": template, "Recipients": to,
            "Regarding": {"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": anna}})
    };
    done(&door, "SendTemplate", few(&[anna, bob])).await;
    assert_eq!(subjects().await, ["For Anna", "For Anna", "For Bob", "For Bob"]);
    assert_eq!(
        door.get(&format!("emails?$filter=_regardingobjectid_value eq {anna}")).await.json["value"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    door.send("POST", "SendTemplate", few(&[])).await.refused(400, "0x80040b04", "at least one recipient");
    let mut wrong = body.clone();
    wrong["Query"]["Query"] = "<fetch><entity name='task'/></fetch>".into();
    door.send("POST", "SendBulkMail", wrong).await.refused(400, "0x80040203", "Query");
    let mut wrong = body;
    wrong["Sender"] = json!({"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": anna});
    door.send("POST", "SendBulkMail", wrong).await.refused(400, "0x80040b08", "a user or a queue");
}
