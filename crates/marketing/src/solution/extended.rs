//! The columns that marketing lists, contacts, leads, accounts and campaigns gain (marketing-entities.md 4.1 to 4.3).

use super::By::{Both, User};
use super::Column;
use super::Kind::{Choice, Lookup, Memo, Moment, Text, Whole, YesNo};
use super::options::Set;

/// A standard table and what it gains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extension {
    pub table: &'static str,
    pub columns: &'static [Column],
}

pub fn all() -> &'static [Extension] {
    &[
        Extension { table: "list", columns: LIST },
        Extension { table: "contact", columns: PERSON },
        Extension { table: "lead", columns: PERSON },
        Extension { table: "account", columns: PERSON },
        Extension { table: "campaign", columns: CAMPAIGN },
    ]
}

const LIST: &[Column] = &[
    Column::new("esc_activatedforemail", "Activated for E-mail", YesNo(false)).required().by(User),
    Column::new("esc_emailaccountid", "Email Account", Lookup("esc_emailaccount")).by(User),
    Column::new("esc_serviceaddressbookid", "Service Address Book Id", Whole),
    Column::new("esc_serviceaddressbookname", "Service Address Book Name", Text(128)),
    Column::new("esc_visibility", "Visibility", Choice(Set::Visibility)).by(User),
    Column::new("esc_manualsynconly", "Manual Sync Only", YesNo(false)).required().by(Both),
    Column::new("esc_syncorder", "Sync Order", Whole).required().by(User),
    Column::new("esc_membershipaction", "Membership Action", Choice(Set::MembershipAction))
        .required()
        .by(User),
    Column::new("esc_marketingpreferenceid", "Marketing Preference", Lookup("esc_marketingpreference"))
        .by(User),
    Column::new("esc_syncrequested", "Sync Requested", YesNo(false)).required().by(User),
    Column::new("esc_syncstatus", "Sync Status", Choice(Set::ListSyncStatus)).required(),
    Column::new("esc_membersyncstatus", "Member Sync Status", Choice(Set::MemberSyncStatus)).required(),
    Column::new("esc_lastmemberchangesynced", "Last Member Change Synced", Moment),
    Column::new("esc_servicecontactcount", "Members in Email Service", Whole),
    Column::new("esc_crmmembercount", "Members in CRM", Whole),
    Column::new("esc_sentcount", "Members Sent", Whole),
    Column::new("esc_rejectedcount", "Members Rejected", Whole),
    Column::new("esc_skippedcount", "Members Skipped", Whole),
    Column::new("esc_lastsyncmessage", "Last Sync Message", Memo(4000)),
];

const PERSON: &[Column] = &[
    Column::new("esc_optintype", "Opt-in Type", Choice(Set::OptIn)),
    Column::new("esc_score", "Score", Whole),
    Column::new("esc_scorelabel", "Score Label", Text(50)),
    Column::new("esc_engagement", "Engagement", Whole),
    Column::new("esc_suitability", "Suitability", Whole),
    Column::new("esc_scoremodifiedon", "Score Modified On", Moment),
    Column::new("esc_servicecontactid", "Service Contact Id", Whole),
    Column::new("esc_emailstatus", "Email Status", Choice(Set::ContactStatus)),
    Column::new("esc_suppressedon", "Suppressed On", Moment),
    Column::new("esc_suppressionreason", "Suppression Reason", Choice(Set::ContactStatus)),
    Column::new("esc_unifiedid", "Unified Id", Text(36)),
];

const CAMPAIGN: &[Column] = &[
    Column::new("esc_emailcampaigncount", "Email Campaigns", Whole),
    Column::new("esc_numsent", "Emails Sent", Whole),
    Column::new("esc_numopens", "Email Opens", Whole),
    Column::new("esc_numclicks", "Email Clicks", Whole),
    Column::new("esc_numunsubscribes", "Email Unsubscribes", Whole),
    Column::new("esc_synctargets", "Sync Targets", YesNo(false)).by(User),
];
