//! Suppressions, list unsubscribes, preferences and subscription groups (marketing-entities.md 4.4 to 4.8).

use crate::solution::By::{Both, User};
use crate::solution::Kind::{Choice, Email, Lookup, Memo, Moment, Text, Whole, YesNo};
use crate::solution::options::Set;
use crate::solution::{Column, Era, Person, Table};

pub const TABLES: &[Table] = &[
    // The seed's spelling.
    Table::new(
        "esc_emailsupression",
        "Email Suppression",
        "Email Suppressions",
        "An address that gets no marketing mail, shared with the service both ways.",
        SUPPRESSION,
    ),
    Table {
        person: Person::Record,
        ..Table::new(
            "esc_listunsubscriber",
            "Email List Unsubscriber",
            "Email List Unsubscribers",
            "A person who left one marketing list or one list of the service.",
            LIST_UNSUBSCRIBER,
        )
    },
    Table {
        since: Era::Crm2013,
        ..Table::new(
            "esc_marketingpreference",
            "Marketing Preferences",
            "Marketing Preferences",
            "A marketing preference or a category of them, as the account of the service has it.",
            PREFERENCE,
        )
    },
    Table {
        since: Era::Crm2013,
        person: Person::Record,
        ..Table::new(
            "esc_marketingpreferencesubscription",
            "Marketing Preference Subscription",
            "Marketing Preference Subscriptions",
            "What one person chose for one marketing preference.",
            PREFERENCE_SUBSCRIPTION,
        )
    },
    Table::new(
        "esc_emailsubscriptiongroup",
        "Email Subscription Group",
        "Email Subscription Groups",
        "Marketing lists that are offered to a person together.",
        SUBSCRIPTION_GROUP,
    ),
    Table::new(
        "esc_emailsubscriptiongroupitem",
        "Email Subscription Group Item",
        "Email Subscription Group Items",
        "One marketing list of a subscription group.",
        SUBSCRIPTION_GROUP_ITEM,
    ),
    Table {
        person: Person::Record,
        ..Table::new(
            "esc_emailpreference",
            "Email Preference",
            "Email Preferences",
            "What one person chose for one item of a subscription group.",
            EMAIL_PREFERENCE,
        )
    },
];

/// An address may be that of many records: those are tied by many-to-many relationships; the lookups name the first.
const SUPPRESSION: &[Column] = &[
    Column::new("esc_emailaddress", "Email Address", Email).required().by(Both),
    Column::new("esc_reason", "Reason", Choice(Set::ContactStatus)).required().by(Both),
    Column::new("esc_datesuppressed", "Date Suppressed", Moment).required(),
    Column::new("esc_servicecontactid", "Service Contact Id", Whole),
    Column::new("esc_origin", "Origin", Choice(Set::Origin)).required(),
    Column::new("esc_isactive", "Active", YesNo(true)).required(),
    Column::new("esc_resubscribedon", "Resubscribed On", Moment),
    Column::new("esc_contactid", "Contact", Lookup("contact")),
    Column::new("esc_leadid", "Lead", Lookup("lead")),
    Column::new("esc_accountid", "Account", Lookup("account")),
];

const LIST_UNSUBSCRIBER: &[Column] = &[
    Column::new("esc_listid", "Marketing List", Lookup("list")),
    Column::new("esc_serviceaddressbookid", "Service Address Book Id", Whole).required(),
    Column::new("esc_servicecontactid", "Service Contact Id", Whole).required(),
    Column::new("esc_dateunsubscribed", "Date Unsubscribed", Moment).required(),
    Column::new("esc_reason", "Reason", Choice(Set::ContactStatus)).required(),
    Column::new("esc_isactive", "Active", YesNo(true)).required(),
    Column::new("esc_origin", "Origin", Choice(Set::Origin)).required(),
];

const PREFERENCE: &[Column] = &[
    Column::new("esc_servicepreferenceid", "Service Preference Id", Whole).required(),
    Column::new("esc_publicname", "Public Name", Text(255)).required(),
    Column::new("esc_privatename", "Private Name", Text(255)),
    Column::new("esc_iscategory", "Category", YesNo(false)).required(),
    Column::new("esc_parentid", "Parent", Lookup("esc_marketingpreference")),
    Column::new("esc_order", "Order", Text(50)),
    Column::new("esc_ispublic", "Public", YesNo(false)).required(),
    Column::new("esc_servicemodifiedon", "Modified in Email Service", Moment).required(),
    Column::new("esc_isdeletedremotely", "Deleted in Email Service", YesNo(false)).required(),
];

const PREFERENCE_SUBSCRIPTION: &[Column] = &[
    Column::new("esc_marketingpreferenceid", "Marketing Preference", Lookup("esc_marketingpreference"))
        .required()
        .by(Both),
    Column::new("esc_isoptedin", "Opted In", YesNo(false)).required().by(Both),
    Column::new("esc_crmmodifiedon", "Modified in CRM", Moment),
    Column::new("esc_servicemodifiedon", "Modified in Email Service", Moment),
    Column::new("esc_lastsyncedvalue", "Last Synced Value", YesNo(false)),
];

const SUBSCRIPTION_GROUP: &[Column] = &[
    Column::new("esc_publicname", "Public Name", Text(200)).required().by(User),
    Column::new("esc_description", "Description", Memo(2000)).by(User),
    Column::new("esc_isactive", "Active", YesNo(true)).required().by(User),
];

const SUBSCRIPTION_GROUP_ITEM: &[Column] = &[
    Column::new("esc_groupid", "Subscription Group", Lookup("esc_emailsubscriptiongroup"))
        .required()
        .by(User),
    Column::new("esc_listid", "Marketing List", Lookup("list")).required().by(User),
    Column::new("esc_displayname", "Display Name", Text(200)).required().by(User),
    Column::new("esc_order", "Order", Whole).by(User),
    Column::new("esc_defaultoptin", "Opted In by Default", YesNo(false)).required().by(User),
];

const EMAIL_PREFERENCE: &[Column] = &[
    Column::new("esc_groupitemid", "Subscription Group Item", Lookup("esc_emailsubscriptiongroupitem"))
        .required()
        .by(Both),
    Column::new("esc_isoptedin", "Opted In", YesNo(false)).required().by(Both),
    Column::new("esc_changedon", "Changed On", Moment).required().by(Both),
    Column::new("esc_origin", "Origin", Choice(Set::Origin)).required(),
    Column::new("esc_source", "Source", Text(200)),
];
