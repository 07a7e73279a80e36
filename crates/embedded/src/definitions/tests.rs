//! The names of the standard tables, one by one, and that no two things bear the same.

use std::collections::HashSet;

use postroom_core::metadata::{ColumnKind, Metadata, OwnershipType};

use super::*;
use crate::schema::Schema;

fn standard() -> std::sync::Arc<Metadata> {
    metadata(&Schema::new(1, Schema::standard()))
}

/// The navigation property and the collection on the other side.
#[track_caller]
fn check(all: &Metadata, table: &str, column: &str, target: &str, navigation: &str, collection: &str) {
    let found = all
        .many_to_one_of(table)
        .find(|relation| relation.referencing_column == column && relation.referenced_table == target);
    let found = found.unwrap_or_else(|| panic!("{table}.{column} names no {target}"));
    assert_eq!(
        (found.referencing_navigation.as_str(), found.referenced_navigation.as_str()),
        (navigation, collection)
    );
}

/// Table, column, target, then the navigation property and the collection on the other side.
const LOOKUPS: &str = "
    contact parentcustomerid account parentcustomerid_account contact_customer_accounts
    contact parentcustomerid contact parentcustomerid_contact contact_customer_contacts
    incident customerid account customerid_account incident_customer_accounts
    incident customerid contact customerid_contact incident_customer_contacts
    lead customerid account customerid_account lead_customer_accounts
    account primarycontactid contact primarycontactid account_primary_contact
    account parentaccountid account parentaccountid account_parent_account
    lead parentaccountid account parentaccountid lead_parent_account
    lead campaignid campaign campaignid campaign_leads
    email regardingobjectid account regardingobjectid_account_email Account_Emails
    email regardingobjectid contact regardingobjectid_contact_email Contact_Emails
    email regardingobjectid lead regardingobjectid_lead_email Lead_Emails
    email regardingobjectid opportunity regardingobjectid_opportunity_email Opportunity_Emails
    email regardingobjectid incident regardingobjectid_incident_email Incident_Emails
    email regardingobjectid campaign regardingobjectid_campaign_email Campaign_Emails
    task regardingobjectid account regardingobjectid_account_task Account_Tasks
    phonecall regardingobjectid account regardingobjectid_account_phonecall Account_Phonecalls
    activitypointer regardingobjectid account regardingobjectid_account Account_ActivityPointers
    activitypointer regardingobjectid lead regardingobjectid_lead Lead_ActivityPointers
    campaignresponse regardingobjectid campaign regardingobjectid_campaign_campaignresponse Campaign_CampaignResponses
    email emailsender account emailsender_account Account_Email_EmailSender
    email emailsender systemuser emailsender_systemuser SystemUser_Email_EmailSender
    email emailsender queue emailsender_queue Queue_Email_EmailSender
    email activityid activitypointer activityid_activitypointer activity_pointer_email
    activityparty partyid account partyid_account account_activity_parties
    activityparty partyid contact partyid_contact contact_activity_parties
    activityparty partyid lead partyid_lead lead_activity_parties
    activityparty partyid systemuser partyid_systemuser system_user_activity_parties
    activityparty partyid queue partyid_queue queue_activity_parties
    activityparty activityid email activityid_email email_activity_parties
    activitymimeattachment objectid email objectid_email email_activity_mime_attachment
    activitymimeattachment objectid template objectid_template template_activity_mime_attachments
    queueitem objectid email objectid_email Email_QueueItem
    queueitem objectid task objectid_task Task_QueueItem
    queueitem queueid queue queueid queue_entries
    queueitem workerid systemuser workerid_systemuser lk_queueitembase_workerid
    annotation objectid account objectid_account Account_Annotation
    contact ownerid owner ownerid owner_contacts
    email ownerid owner ownerid owner_emails
    contact createdby systemuser createdby lk_contactbase_createdby
    contact transactioncurrencyid transactioncurrency transactioncurrencyid transactioncurrency_contact
";

#[test]
fn lookups_are_bound_by_their_published_names() {
    let all = standard();
    for line in LOOKUPS.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [table, column, target, navigation, collection] = words[..] else { panic!("{line}") };
        check(&all, table, column, target, navigation, collection);
    }
}

#[test]
fn tables_have_their_published_names_and_codes() {
    let all = standard();
    let check = |name: &str, schema: &str, set: &str, code: i32| {
        let table = all.table(name).unwrap();
        assert_eq!(
            (table.schema_name.as_str(), table.entity_set.as_str(), table.type_code),
            (schema, set, code)
        );
        assert!(!table.is_custom && table.change_tracking, "{name}");
    };
    check("account", "Account", "accounts", 1);
    check("contact", "Contact", "contacts", 2);
    check("opportunity", "Opportunity", "opportunities", 3);
    check("lead", "Lead", "leads", 4);
    check("systemuser", "SystemUser", "systemusers", 8);
    check("email", "Email", "emails", 4202);
    check("phonecall", "PhoneCall", "phonecalls", 4210);
    check("fax", "Fax", "faxes", 4204);
    check("activityparty", "ActivityParty", "activityparties", 135);
    check("mailbox", "Mailbox", "mailboxes", 9606);
    check("usersettings", "UserSettings", "usersettingscollection", 150);
    check("webresource", "WebResource", "webresourceset", 9333);
    check("list", "List", "lists", 4300);
    check("listmember", "ListMember", "listmembers", 4301);
    check("transactioncurrency", "TransactionCurrency", "transactioncurrencies", 9105);
    let contact = all.table("contact").unwrap();
    assert_eq!((contact.label.text(), contact.collection_label.text()), (Some("Contact"), Some("Contacts")));
    assert_eq!(contact.primary_name.as_deref(), Some("fullname"));
    assert!(contact.is_activity_party && contact.has_activities && contact.has_notes);
    assert_eq!(contact.ownership, OwnershipType::UserOwned);
    let address = contact.column("emailaddress1").unwrap();
    assert_eq!(address.schema_name, "EMailAddress1");
    assert_eq!(address.kind, ColumnKind::String { max_length: 100, format: "Email".into() });
    assert!(matches!(contact.column("parentcustomerid").unwrap().kind, ColumnKind::Customer { .. }));
    assert!(matches!(contact.column("ownerid").unwrap().kind, ColumnKind::Owner { .. }));
    assert!(matches!(
        contact.column("birthdate").unwrap().kind,
        ColumnKind::DateTime { date_only: true, .. }
    ));
    assert!(matches!(contact.column("description").unwrap().kind, ColumnKind::Memo { .. }));
    let email = all.table("email").unwrap();
    assert!(email.is_activity && email.label.text() == Some("Email Message"));
    assert!(matches!(email.column("to").unwrap().kind, ColumnKind::PartyList { .. }));
    let ColumnKind::State { options } = &email.column("statecode").unwrap().kind else { panic!("no state") };
    let firsts: Vec<_> = options.options.iter().map(|option| (option.value, option.default_status)).collect();
    assert_eq!(firsts, [(0, Some(1)), (1, Some(2)), (2, Some(5))]);
}

#[test]
fn pairs_have_their_published_names() {
    let all = standard();
    for (name, table, first, second) in [
        ("listcontact_association", "listmember", "list", "contact"),
        ("listaccount_association", "listmember", "list", "account"),
        ("listlead_association", "listmember", "list", "lead"),
        ("campaignlist_association", "campaignitem", "campaign", "list"),
        ("systemuserroles_association", "systemuserroles", "systemuser", "role"),
        ("teamroles_association", "teamroles", "team", "role"),
        ("teammembership_association", "teammembership", "team", "systemuser"),
        ("systemuserprofiles_association", "systemuserprofiles", "systemuser", "fieldsecurityprofile"),
    ] {
        let pair = all.many_to_many.iter().find(|pair| pair.schema_name == name).unwrap();
        assert_eq!(
            (pair.intersect_table.as_str(), pair.first.table.as_str(), pair.second.table.as_str()),
            (table, first, second)
        );
        let intersect = all.table(table).unwrap();
        for end in [&pair.first, &pair.second] {
            assert!(intersect.column(&end.column).is_some(), "{name}.{}", end.column);
        }
    }
}

#[test]
fn privileges_bear_the_names_of_their_tables() {
    let all = standard();
    let names = |table: &str| -> Vec<String> {
        all.table(table).unwrap().privileges.iter().map(|privilege| privilege.name.clone()).collect()
    };
    assert!(names("contact").contains(&"prvReadContact".to_owned()));
    assert!(names("email").contains(&"prvReadActivity".to_owned()));
    assert_eq!(names("email"), names("task"));
    assert_eq!(names("contact").len(), 8);
    assert_eq!(names("transactioncurrency").len(), 6);
    assert!(names("activityparty").is_empty());
    let contact = &all.table("contact").unwrap().privileges[0];
    assert_eq!(contact.id, id("privilege", &contact.name));
}

/// A door answers by name: no two things may share one.
#[test]
fn names_are_unique() {
    let all = standard();
    let mut relations = HashSet::new();
    let mut ids = HashSet::new();
    for relation in &all.one_to_many {
        assert!(relations.insert(relation.schema_name.clone()), "{}", relation.schema_name);
        assert!(ids.insert(relation.id));
        assert!(all.table(&relation.referenced_table).unwrap().column(&relation.referenced_column).is_some());
    }
    for pair in &all.many_to_many {
        assert!(relations.insert(pair.schema_name.clone()), "{}", pair.schema_name);
    }
    let mut sets = HashSet::new();
    for table in &all.tables {
        assert!(sets.insert(table.entity_set.clone()), "{}", table.entity_set);
        let mut names: HashSet<String> =
            table.columns.iter().map(|column| column.logical_name.clone()).collect();
        for relation in all.many_to_one_of(&table.logical_name) {
            let own = relation.referencing_navigation == relation.referencing_column;
            let new = names.insert(relation.referencing_navigation.clone());
            assert!(new || own, "{}.{}", table.logical_name, relation.referencing_navigation);
        }
        for relation in all.one_to_many_of(&table.logical_name) {
            let name = &relation.referenced_navigation;
            assert!(names.insert(name.clone()), "{}.{name}", table.logical_name);
        }
        for pair in all.many_to_many_of(&table.logical_name) {
            let ends = [&pair.first, &pair.second];
            let end = ends.into_iter().find(|end| end.table == table.logical_name).unwrap();
            assert!(names.insert(end.navigation.clone()), "{}.{}", table.logical_name, end.navigation);
        }
        for column in &table.columns {
            assert_eq!(column.schema_name.to_lowercase(), column.logical_name, "{}", table.logical_name);
            assert!(column.label.text().is_some_and(|text| !text.is_empty()));
        }
    }
}

#[test]
fn it_is_made_once() {
    let schema = Schema::new(7, Schema::standard());
    assert!(Arc::ptr_eq(&metadata(&schema), &metadata(&schema)));
    assert_eq!(metadata(&schema).version, 7);
}
