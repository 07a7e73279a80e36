//! Corrections to the embedded table file, column by column, each with its reason. Where the two disagree, this list wins.
//!
//! Sources: the entity reference pages of the product (which columns are read-only, which tables a lookup may name) and
//! what the platform is seen to do by itself (presets).

use super::column::Kind;
use super::overlay::{ACTIVITIES, NOTED};

/// One correction.
pub(super) struct Correction {
    /// `*` is every table that has the column.
    pub(super) table: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) fix: Fix,
    #[cfg_attr(not(test), expect(dead_code, reason = "read by people and by the test that wants one"))]
    pub(super) why: &'static str,
}

pub(super) enum Fix {
    ReadOnly,
    Writable,
    NotRequired,
    Kind(Kind),
    Targets(&'static [&'static str]),
    AnyWithActivities,
    Boolean(bool),
    Number(i64),
    Text(&'static str),
    Indexed,
    /// No default, though the column is required: the client must say.
    NoPreset,
    /// The states of the status values, which the file leaves out: value, state.
    States(&'static [(i64, i64)]),
}

const fn fix(
    table: &'static str,
    columns: &'static [&'static str],
    fix: Fix,
    why: &'static str,
) -> Correction {
    Correction { table, columns, fix, why }
}

const USER: &[&str] = &["systemuser"];

pub(super) const CORRECTIONS: &[Correction] = &[
    fix(
        "*",
        &[
            "createdby",
            "createdon",
            "createdonbehalfby",
            "modifiedby",
            "modifiedon",
            "modifiedonbehalfby",
            "versionnumber",
        ],
        Fix::ReadOnly,
        "the server keeps them",
    ),
    fix(
        "*",
        &["owningbusinessunit", "owningteam", "owninguser"],
        Fix::Kind(Kind::Lookup),
        "the file has some of them as bare ids",
    ),
    fix("*", &["owningbusinessunit"], Fix::Targets(&["businessunit"]), "see above"),
    fix("*", &["owningteam"], Fix::Targets(&["team"]), "see above"),
    fix("*", &["owninguser"], Fix::Targets(USER), "see above"),
    fix("*", &["owningbusinessunit", "owningteam", "owninguser"], Fix::ReadOnly, "derived from the owner"),
    fix("*", &["owningbusinessunit", "owningteam", "owninguser"], Fix::NotRequired, "derived from the owner"),
    fix(
        "*",
        &["exchangerate", "createdbyexternalparty", "modifiedbyexternalparty"],
        Fix::ReadOnly,
        "the server keeps them",
    ),
    fix("transactioncurrency", &["exchangerate"], Fix::Writable, "here it is the value itself"),
    fix("*", &["versionnumber"], Fix::Indexed, "read by everyone who asks what changed"),
    fix("*", &["isregularactivity"], Fix::Boolean(true), "only series masters are not regular"),
    fix("*", &["preferredcontactmethodcode"], Fix::Number(1), "Any"),
    fix("*", &["prioritycode", "deliveryprioritycode"], Fix::Number(1), "Normal"),
    fix("incident", &["prioritycode"], Fix::Number(2), "Normal: a case counts 1 High, 2 Normal, 3 Low"),
    // people
    fix("contact", &["fullname"], Fix::ReadOnly, "computed from the parts of the name"),
    fix("lead", &["fullname"], Fix::ReadOnly, "computed from the parts of the name"),
    fix("systemuser", &["fullname"], Fix::ReadOnly, "computed from the parts of the name"),
    fix(
        "contact",
        &["accountid", "parentcontactid"],
        Fix::ReadOnly,
        "derived from parentcustomerid by the platform",
    ),
    fix(
        "account",
        &["emailaddress1", "emailaddress2", "emailaddress3"],
        Fix::Indexed,
        "every mail looks for its people",
    ),
    fix("contact", &["emailaddress1", "emailaddress2", "emailaddress3"], Fix::Indexed, "see account"),
    fix("lead", &["emailaddress1", "emailaddress2", "emailaddress3"], Fix::Indexed, "see account"),
    fix("systemuser", &["internalemailaddress", "personalemailaddress"], Fix::Indexed, "see account"),
    fix("queue", &["emailaddress"], Fix::Indexed, "see account"),
    fix("contact", &["parentcustomerid"], Fix::Indexed, "the people of an account"),
    // The columns of the platform's quick-find views, which it indexes too.
    fix("contact", &["fullname", "lastname", "telephone1", "mobilephone"], Fix::Indexed, "quick find"),
    fix("account", &["name", "accountnumber", "telephone1"], Fix::Indexed, "quick find"),
    fix("lead", &["fullname", "lastname", "companyname"], Fix::Indexed, "quick find"),
    fix("incident", &["title", "ticketnumber"], Fix::Indexed, "quick find"),
    fix("opportunity", &["name"], Fix::Indexed, "quick find"),
    fix("systemuser", &["defaultodbfoldername"], Fix::Text("CRM"), "the platform's value"),
    fix("systemuser", &["defaultmailbox"], Fix::Kind(Kind::Lookup), "the file has it as a bare id"),
    fix("systemuser", &["defaultmailbox"], Fix::Targets(&["mailbox"]), "see above"),
    fix("queue", &["defaultmailbox"], Fix::Kind(Kind::Lookup), "the file has it as a bare id"),
    fix("queue", &["defaultmailbox"], Fix::Targets(&["mailbox"]), "see above"),
    // activities
    fix(
        "email",
        &["regardingobjectid"],
        Fix::AnyWithActivities,
        "any table whose rows may have activities, custom ones too",
    ),
    fix(
        "task",
        &["regardingobjectid"],
        Fix::AnyWithActivities,
        "the file names four tables of which two are not here",
    ),
    fix("phonecall", &["regardingobjectid"], Fix::AnyWithActivities, "see email"),
    fix("letter", &["regardingobjectid"], Fix::AnyWithActivities, "see email"),
    fix("fax", &["regardingobjectid"], Fix::AnyWithActivities, "see email"),
    fix("appointment", &["regardingobjectid"], Fix::AnyWithActivities, "see email"),
    fix("activitypointer", &["regardingobjectid"], Fix::AnyWithActivities, "see email"),
    fix("*", &["regardingobjectid"], Fix::Indexed, "the activities of a record"),
    fix("email", &["description"], Fix::Kind(Kind::Body), "may be a handle on the stored mail"),
    fix("email", &["directioncode"], Fix::Boolean(true), "Outgoing unless told otherwise"),
    fix("phonecall", &["directioncode"], Fix::Boolean(true), "Outgoing unless told otherwise"),
    fix(
        "email",
        &["messageid", "trackingtoken", "statuscode"],
        Fix::Indexed,
        "threads, tokens, and the mails that wait to be sent",
    ),
    fix(
        "email",
        &[
            "inreplyto",
            "conversationindex",
            "correlationmethod",
            "senton",
            "attachmentcount",
            "sendermailboxid",
            "emailsender",
            "sendersaccount",
            "postponeemailprocessinguntil",
            "lastopenedtime",
            "compressed",
            "isunsafe",
        ],
        Fix::ReadOnly,
        "marked read-only in the entity reference",
    ),
    fix("email", &["sendermailboxid"], Fix::Kind(Kind::Lookup), "the file has it as a bare id"),
    fix("email", &["sendermailboxid"], Fix::Targets(&["mailbox"]), "see above"),
    fix("email", &["templateid"], Fix::Kind(Kind::Lookup), "the file has it as a bare id"),
    fix("email", &["templateid"], Fix::Targets(&["template"]), "see above"),
    fix(
        "email",
        &["emailsender"],
        Fix::Targets(&["account", "contact", "lead", "queue", "systemuser"]),
        "the file names two odd ones",
    ),
    fix("appointment", &["attachmentcount"], Fix::ReadOnly, "counted by the server"),
    // parties, attachments, queue items
    fix(
        "activityparty",
        &["activityid"],
        Fix::Targets(ACTIVITIES),
        "the file leaves the campaign activities out",
    ),
    fix(
        "activityparty",
        &["activityid", "partyid"],
        Fix::Indexed,
        "the parties of a mail, the mails of a person",
    ),
    fix(
        "activityparty",
        &["partyid"],
        Fix::Targets(&["account", "contact", "lead", "queue", "systemuser", "knowledgearticle"]),
        "the file leaves lead out; an unresolved party has no partyid",
    ),
    fix(
        "activityparty",
        &[
            "addressusedemailcolumnnumber",
            "donotemail",
            "donotfax",
            "donotphone",
            "donotpostalmail",
            "ispartydeleted",
            "scheduledstart",
            "scheduledend",
        ],
        Fix::ReadOnly,
        "marked read-only in the entity reference",
    ),
    fix(
        "activityparty",
        &["donotemail", "donotfax", "donotphone", "donotpostalmail"],
        Fix::NotRequired,
        "copies of the party's own",
    ),
    fix(
        "activitymimeattachment",
        &["body"],
        Fix::Kind(Kind::File),
        "may be a handle on a part of the stored mail",
    ),
    fix(
        "activitymimeattachment",
        &["objectid"],
        Fix::Targets(&["email", "appointment", "template"]),
        "the file leaves appointment out",
    ),
    fix("activitymimeattachment", &["activityid"], Fix::Targets(ACTIVITIES), "an activity by its own table"),
    fix("activitymimeattachment", &["objectid"], Fix::Indexed, "the attachments of a mail"),
    fix("activitymimeattachment", &["filesize"], Fix::ReadOnly, "counted by the server"),
    fix("attachment", &["body"], Fix::Kind(Kind::File), "see activitymimeattachment"),
    fix("attachment", &["filesize"], Fix::ReadOnly, "counted by the server"),
    fix(
        "queueitem",
        &["objectid"],
        Fix::Targets(&[
            "email",
            "incident",
            "appointment",
            "task",
            "phonecall",
            "letter",
            "fax",
            "activitypointer",
            "campaignactivity",
            "campaignresponse",
            "bulkoperation",
            "lead",
            "opportunity",
            "quote",
            "salesorder",
            "invoice",
            "contract",
            "campaign",
        ]),
        "the file leaves the case and other queue-enabled tables out",
    ),
    fix("queueitem", &["objectid", "queueid"], Fix::Indexed, "the queues of a mail, the mails of a queue"),
    fix(
        "queueitem",
        &["objecttypecode"],
        Fix::Kind(Kind::Integer),
        "the file has a placeholder for its choices",
    ),
    fix(
        "annotation",
        &["objecttypecode"],
        Fix::Kind(Kind::Integer),
        "the file has a placeholder for its choices",
    ),
    fix("annotation", &["objectid"], Fix::Targets(NOTED), "the file leaves most tables with notes out"),
    fix("annotation", &["objectid"], Fix::Indexed, "the notes of a record"),
    // people, roles and what they may
    fix(
        "systemuserroles",
        &["systemuserid", "roleid"],
        Fix::Indexed,
        "the roles of a user, the users of a role",
    ),
    fix("teamroles", &["teamid", "roleid"], Fix::Indexed, "see systemuserroles"),
    fix("teammembership", &["teamid", "systemuserid"], Fix::Indexed, "see systemuserroles"),
    fix(
        "systemuserprofiles",
        &["systemuserid", "fieldsecurityprofileid"],
        Fix::Indexed,
        "see systemuserroles",
    ),
    fix("teamprofiles", &["teamid", "fieldsecurityprofileid"], Fix::Indexed, "see systemuserroles"),
    fix("roleprivileges", &["roleid"], Fix::Indexed, "asked at every request"),
    fix("principalobjectaccess", &["objectid", "principalid"], Fix::Indexed, "asked at every request"),
    fix("fieldpermission", &["fieldsecurityprofileid"], Fix::Indexed, "the columns of a profile"),
    fix(
        "campaignitem",
        &["campaignid", "entityid"],
        Fix::Indexed,
        "the lists of a campaign, the campaigns of a list",
    ),
    // selling, marketing
    fix(
        "*",
        &["fullnameconventioncode"],
        Fix::Number(1),
        "First name, last name: what fullname is computed by",
    ),
    fix(
        "list",
        &["donotsendonoptout", "ignoreinactivelistmembers"],
        Fix::Boolean(true),
        "the platform's values",
    ),
    fix("list", &["membercount"], Fix::ReadOnly, "counted by the server"),
    fix("listmember", &["listid", "entityid"], Fix::Indexed, "the members of a list, the lists of a member"),
    fix("transactioncurrency", &["currencyprecision"], Fix::Number(2), "the platform's value"),
    fix("list", &["createdfromcode"], Fix::NoPreset, "what the members are is the client's to say"),
    fix(
        "activityparty",
        &["participationtypemask"],
        Fix::NoPreset,
        "what the party did is the client's to say",
    ),
    // the organisation's settings
    fix("organization", &["emailcorrelationenabled"], Fix::Boolean(true), "the platform's value"),
    fix("organization", &["trackingprefix"], Fix::Text("CRM:"), "the platform's value"),
    fix("organization", &["trackingtokeniddigits"], Fix::Number(3), "the platform's value"),
    fix(
        "organization",
        &["maxuploadfilesize"],
        Fix::Number(131_072_000),
        "the most that the platform takes, not its five megabytes: a CRM of one's own keeps what came",
    ),
    // administration
    fix("mailbox", &["statuscode"], Fix::States(&[(1, 0), (2, 1)]), "the file leaves the states out"),
    fix(
        "emailserverprofile",
        &["statuscode"],
        Fix::States(&[(1, 0), (2, 1)]),
        "the file leaves the states out",
    ),
];
