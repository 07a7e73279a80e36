//! What people did with what they were sent (marketing-entities.md 3.3 to 3.6). All written by the connector, none by hand.

use crate::solution::Kind::{Choice, Decimal, Lookup, Moment, Text, Url, Whole, YesNo};
use crate::solution::options::Set;
use crate::solution::{Column, Person, Table};

pub const TABLES: &[Table] = &[
    Table {
        person: Person::Record,
        ..Table::new(
            "esc_emailcampaigncontactsummary",
            "Email Send Summary",
            "Email Send Summaries",
            "One recipient of one send, with what that person did with it.",
            SUMMARY,
        )
    },
    Table {
        person: Person::Record,
        ..Table::new(
            "esc_emailcampaigncontactclick",
            "Email Click",
            "Email Clicks",
            "One click: what, when and where.",
            CLICK,
        )
    },
    Table {
        person: Person::Record,
        ..Table::new(
            "esc_emailroidetail",
            "Email ROI Detail",
            "Email ROI Details",
            "What a person bought or did after following a link.",
            ROI,
        )
    },
    Table {
        person: Person::Record,
        ..Table::new(
            "esc_socialbookmark",
            "Social Bookmark",
            "Social Bookmarks",
            "On which network a person shared an e-mail, and how often it was viewed there.",
            SOCIAL,
        )
    },
];

const SUMMARY: &[Column] = &[
    Column::new("esc_emailcampaignid", "Email Campaign", Lookup("esc_emailcampaign")).required(),
    Column::new("esc_emailsendid", "Email Send", Lookup("esc_emailsend")).required(),
    Column::new("esc_listid", "Marketing List", Lookup("list")),
    Column::new("esc_servicecontactid", "Service Contact Id", Whole).required(),
    Column::new("esc_datesent", "Date Sent", Moment),
    Column::new("esc_datefirstopened", "First Opened", Moment),
    Column::new("esc_datelastopened", "Last Opened", Moment),
    Column::new("esc_firstopenip", "First Open IP Address", Text(45)),
    Column::new("esc_numopens", "Opens", Whole),
    Column::new("esc_numviews", "Page Views", Whole),
    Column::new("esc_numclicks", "Clicks", Whole),
    Column::new("esc_numforwards", "Forwards", Whole),
    Column::new("esc_numestimatedforwards", "Estimated Forwards", Whole),
    Column::new("esc_numreplies", "Replies", Whole),
    Column::new("esc_hardbounced", "Hard Bounced", YesNo(false)).required(),
    Column::new("esc_softbounced", "Soft Bounced", YesNo(false)).required(),
    Column::new("esc_unsubscribed", "Unsubscribed", YesNo(false)).required(),
];

const CLICK: &[Column] = &[
    Column::new("esc_emailcampaignid", "Email Campaign", Lookup("esc_emailcampaign")).required(),
    Column::new("esc_listid", "Marketing List", Lookup("list")),
    Column::new("esc_servicecontactid", "Service Contact Id", Whole).required(),
    Column::new("esc_dateclicked", "Date Clicked", Moment).required(),
    Column::new("esc_url", "Address", Url(2000)).required(),
    Column::new("esc_keyword", "Keyword", Text(100)),
    Column::new("esc_linkgroup", "Link Group", Text(200)),
    Column::new("esc_ipaddress", "IP Address", Text(45)),
    Column::new("esc_useragent", "User Agent", Text(500)),
    Column::new("esc_urlistruncated", "Address Truncated", YesNo(false)).required(),
];

const ROI: &[Column] = &[
    Column::new("esc_emailcampaignid", "Email Campaign", Lookup("esc_emailcampaign")).required(),
    Column::new("esc_servicecontactid", "Service Contact Id", Whole).required(),
    Column::new("esc_markername", "Marker Name", Text(100)).required(),
    Column::new("esc_datatype", "Data Type", Choice(Set::DataType)).required(),
    Column::new("esc_value", "Value", Text(500)).required(),
    Column::new("esc_numericvalue", "Numeric Value", Decimal(4)),
    Column::new("esc_dateentered", "Date Entered", Moment).required(),
];

const SOCIAL: &[Column] = &[
    Column::new("esc_emailcampaignid", "Email Campaign", Lookup("esc_emailcampaign")).required(),
    Column::new("esc_servicecontactid", "Service Contact Id", Whole).required(),
    Column::new("esc_bookmarkname", "Bookmark Name", Text(100)).required(),
    Column::new("esc_numviews", "Views", Whole).required(),
];
