//! Corrections to the embedded table file, each with its reason. Where the two disagree, this list wins.
//!
//! Sources: the entity reference pages of the product (which columns are read-only, which tables a lookup may name) and
//! what the platform is seen to do by itself (presets).

use super::table::{Choice, Column, Kind, Ownership, Preset, Table, Targets};

/// One correction.
struct Correction {
    /// `*` is every table that has the column.
    table: &'static str,
    columns: &'static [&'static str],
    fix: Fix,
    #[cfg_attr(not(test), expect(dead_code, reason = "read by people and by the test that wants one"))]
    why: &'static str,
}

enum Fix {
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
const REGARDED: &[&str] = &[
    "account",
    "contact",
    "lead",
    "opportunity",
    "incident",
    "campaign",
    "campaignactivity",
    "salesorder",
    "quote",
    "invoice",
    "contract",
    "bulkoperation",
];
const ACTIVITIES: &[&str] = &[
    "activitypointer",
    "appointment",
    "bulkoperation",
    "campaignactivity",
    "campaignresponse",
    "email",
    "fax",
    "letter",
    "phonecall",
    "task",
];
/// Tables whose rows the file gives an owner that they do not have: they belong to the organisation or to a parent row.
const UNOWNED: &[&str] = &[
    "activityparty",
    "activitymimeattachment",
    "queueitem",
    "listmember",
    "businessunit",
    "systemuser",
    "team",
    "transactioncurrency",
];

const CORRECTIONS: &[Correction] = &[
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
    fix("annotation", &["objectid"], Fix::Indexed, "the notes of a record"),
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
    // administration
    fix("mailbox", &["statuscode"], Fix::States(&[(1, 0), (2, 1)]), "the file leaves the states out"),
    fix(
        "emailserverprofile",
        &["statuscode"],
        Fix::States(&[(1, 0), (2, 1)]),
        "the file leaves the states out",
    ),
];

/// Columns that the file lacks: table, column.
fn additions() -> Vec<(&'static str, Column)> {
    let mut added = vec![
        ("email", Column::lookup("correlatedactivityid", &["email"])),
        ("email", Column::new("correlatedsubjectchanged", Kind::Boolean)),
        ("email", Column::text("internetmessageheaders", 500)),
        ("email", Column::lookup("acceptingentityid", &["queue", "systemuser"])),
        ("email", Column::lookup("receivingmailboxid", &["mailbox"])),
        ("email", Column::new("isduplicatesenderunresolved", Kind::Boolean)),
        ("email", Column::new("related", Kind::PartyList)),
        ("activityparty", Column::text("unresolvedpartyname", 200)),
        ("activityparty", Column::text("externalid", 200)),
        ("activityparty", Column::text("externalidtype", 200)),
    ];
    for table in ["campaignactivity", "campaignresponse", "bulkoperation"] {
        let regarding = match table {
            "bulkoperation" => {
                Column::lookup("regardingobjectid", &["account", "campaign", "contact", "lead", "list"])
            }
            _ => Column::lookup("regardingobjectid", &["campaign"]),
        };
        // The file has these three as if they were not activities.
        added.extend([
            (table, Column::new("activityid", Kind::Id).required()),
            (table, Column::text("subject", 200)),
            (table, regarding.indexed()),
            (table, Column::new("actualstart", Kind::Time)),
            (table, Column::new("actualend", Kind::Time)),
            (table, Column::new("scheduledstart", Kind::Time)),
            (table, Column::new("scheduledend", Kind::Time)),
        ]);
    }
    added.extend(ACTIVITIES.iter().map(|table| (*table, Column::text("activitytypecode", 64).read_only())));
    added
}

/// Puts the tables right.
pub(super) fn apply(tables: &mut [Table]) {
    for (name, column) in additions() {
        let table =
            tables.iter_mut().find(|table| table.name == name).expect("a test applies every addition");
        table.columns.push(column);
        table.index();
    }
    for table in tables.iter_mut() {
        let name = table.name.clone();
        table.activity = ACTIVITIES.contains(&name.as_str());
        table.has_activities = REGARDED.contains(&name.as_str());
        if table.primary_name.is_none() && table.activity {
            table.primary_name = Some("subject".into());
        }
        for correction in
            CORRECTIONS.iter().filter(|correction| correction.table == "*" || correction.table == name)
        {
            let hit = |column: &&mut Column| correction.columns.contains(&column.name.as_str());
            table.columns.iter_mut().filter(hit).for_each(|column| put_right(column, &correction.fix));
        }
        by_table(table);
    }
}

fn put_right(column: &mut Column, fix: &Fix) {
    match fix {
        Fix::ReadOnly => column.read_only = true,
        Fix::Writable => column.read_only = false,
        Fix::NotRequired => column.required = false,
        Fix::Kind(kind) => {
            column.kind = *kind;
            if !matches!(kind, Kind::Choice) {
                column.choices.clear();
            }
        }
        Fix::Targets(tables) => column.targets = Targets::named(tables),
        Fix::AnyWithActivities => column.targets = Targets::AnyWithActivities,
        Fix::Boolean(value) => column.preset = Some(Preset::Boolean(*value)),
        Fix::Number(value) => column.preset = Some(Preset::Number(*value)),
        Fix::Text(value) => column.preset = Some(Preset::Text((*value).to_owned())),
        Fix::Indexed => column.indexed = true,
        Fix::NoPreset => column.preset = None,
        Fix::States(pairs) => {
            let state = |choice: &Choice| {
                pairs.iter().find(|(value, _)| *value == choice.value).map(|(_, state)| *state)
            };
            column.choices.iter_mut().for_each(|choice| choice.state = state(choice));
        }
    }
}

/// Corrections that concern a whole table.
fn by_table(table: &mut Table) {
    if UNOWNED.contains(&table.name.as_str()) {
        table.ownership = Ownership::None;
        for column in table.columns.iter_mut().filter(|column| column.name == "ownerid") {
            (column.required, column.read_only) = (false, true);
        }
    }
    // The platform makes the one organisation row and its settings; only the name is a person's to give.
    if table.name == "organization" {
        let settings = |column: &&mut Column| column.kind != Kind::Id && column.name != "name";
        table.columns.iter_mut().filter(settings).for_each(|column| column.required = false);
    }
    // Derived from the customer lookups by the platform; on their own tables these names are the primary key.
    let derived = |column: &&mut Column| {
        matches!(column.name.as_str(), "accountid" | "contactid") && column.kind == Kind::Guid
            || column.name.ends_with("_composite")
    };
    table.columns.iter_mut().filter(derived).for_each(|column| column.read_only = true);
}

/// Tables that get a number by themselves: table, column, prefix.
pub(crate) const AUTO_NUMBERS: &[(&str, &str, &str)] = &[
    ("incident", "ticketnumber", "CAS"),
    ("quote", "quotenumber", "QUO"),
    ("salesorder", "ordernumber", "ORD"),
    ("invoice", "invoicenumber", "INV"),
];

/// The object type codes of the tables that are referred to by number: in queue items and list members.
pub(crate) fn type_code(table: &str) -> Option<i64> {
    let code = match table {
        "account" => 1,
        "contact" => 2,
        "opportunity" => 3,
        "lead" => 4,
        "incident" => 112,
        "activitypointer" => 4200,
        "appointment" => 4201,
        "email" => 4202,
        "fax" => 4204,
        "letter" => 4207,
        "phonecall" => 4210,
        "task" => 4212,
        "campaign" => 4400,
        "campaignresponse" => 4401,
        "campaignactivity" => 4402,
        "bulkoperation" => 4406,
        _ => return None,
    };
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_correction_hits_something_and_says_why() {
        let mut tables = super::super::data::tables();
        apply(&mut tables);
        for correction in CORRECTIONS {
            assert!(!correction.why.is_empty());
            for column in correction.columns {
                let named = |table: &&Table| correction.table == "*" || table.name == correction.table;
                let hit = tables.iter().filter(named).any(|table| table.column(column).is_some());
                assert!(hit, "{}.{column}: {}", correction.table, correction.why);
            }
        }
        assert_eq!(tables.len(), 43);
    }
}
