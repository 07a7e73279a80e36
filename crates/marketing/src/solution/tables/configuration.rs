//! Accounts of the service, settings, data labels and mappings, and the queue of requests (marketing-entities.md 2).

use crate::solution::By::{Both, User};
use crate::solution::Kind::{Choice, Lookup, Memo, Moment, Text, Url, Whole, YesNo};
use crate::solution::options::Set;
use crate::solution::{Column, Era, Table};

pub const TABLES: &[Table] = &[
    Table {
        of_account: false,
        ..Table::new(
            "esc_emailaccount",
            "Email Account",
            "Email Accounts",
            "One account of the e-mail marketing service, with its synchronisation settings.",
            EMAIL_ACCOUNT,
        )
    },
    Table {
        of_account: false,
        ..Table::new(
            "esc_emailcampaignconfiguration",
            "Email Campaign Connector Configuration",
            "Email Campaign Connector Configurations",
            "Settings of the connector as a whole.",
            CONFIGURATION,
        )
    },
    Table {
        of_account: false,
        ..Table::new(
            "esc_crmfield",
            "Crm Field",
            "Crm Fields",
            "A column of the CRM that can be mapped to a data label.",
            CRM_FIELD,
        )
    },
    Table::new(
        "esc_emailcampaigncustomfields",
        "Email Data Label",
        "Email Data Labels",
        "A data field of the service's contacts.",
        DATA_LABEL,
    ),
    Table::new(
        "esc_emaildatamapping",
        "Email Data Mapping",
        "Email Data Mappings",
        "Which column of which kind of record fills a data label, and in which direction.",
        DATA_MAPPING,
    ),
    Table {
        keyed: false,
        until: Era::Crm2016,
        ..Table::new(
            "esc_messagequeue",
            "Email Message Queue",
            "Email Message Queue",
            "Work that users and workflows ask the connector for.",
            MESSAGE_QUEUE,
        )
    },
];

// Intervals, what a suppression sets, and the API user are settings of this program; the columns show them and are read-only, as
// a column that nobody reads must not look like a setting.
const EMAIL_ACCOUNT: &[Column] = &[
    Column::new("esc_accountname", "Account Name", Text(100)).required().by(User),
    Column::new("esc_description", "Description", Memo(500)).by(User),
    Column::new("esc_isdefault", "Default Account", YesNo(false)).required(),
    Column::new("esc_serviceaccountid", "Service Account Id", Whole).required(),
    Column::new("esc_region", "Region", Choice(Set::Region)).required(),
    Column::new("esc_apiendpoint", "API Endpoint", Url(200)).required(),
    Column::new("esc_apiuser", "API User", Text(100)).required(),
    // Where the secret is to be found, never the secret.
    Column::new("esc_apisecretref", "API Secret Reference", Text(100)).required(),
    Column::new("esc_connectorkey", "Connector Key", Text(100)),
    Column::new("esc_applicationurl", "Application Address", Url(200)).by(User),
    Column::new("esc_lastsynchronised", "Last Synchronised", Moment),
    Column::new("esc_syncintervalminutes", "Sync Interval (Minutes)", Whole),
    Column::new("esc_syncsettings", "Sync Settings", Memo(100_000)).required(),
    Column::new("esc_onsuppress", "On Suppression", Choice(Set::OnSuppress)).required(),
    Column::new("esc_programaccess", "Program Access", Choice(Set::ProgramAccess)).by(User),
    Column::new("esc_createunknownas", "Create Unknown As", Choice(Set::RecordType)).by(User),
    Column::new("esc_connectionstatus", "Connection Status", Choice(Set::ConnectionStatus)).required(),
    Column::new("esc_lasterror", "Last Error", Memo(4000)),
];

const CONFIGURATION: &[Column] = &[
    Column::new("esc_solutionversion", "Solution Version", Text(20)).required(),
    Column::new("esc_pollseconds", "Poll Interval (Seconds)", Whole).required(),
    Column::new("esc_accountsyncminutes", "Account Sync Interval (Minutes)", Whole).required(),
    Column::new("esc_campaigntargetminutes", "Campaign Target Interval (Minutes)", Whole).required(),
    Column::new("esc_deletionscanenabled", "Deletion Scan Enabled", YesNo(true)).required(),
    Column::new("esc_deletionscanminutes", "Deletion Scan Interval (Minutes)", Whole).required(),
    Column::new("esc_loglevel", "Log Level", Choice(Set::LogLevel)).required(),
    Column::new("esc_retentionmonths", "Retention (Months)", Whole),
    Column::new("esc_usermap", "User Map", Memo(100_000)),
    Column::new("esc_heartbeaton", "Heartbeat", Moment).required(),
    // Which connector works on this organisation: there is never a second one.
    Column::new("esc_installationid", "Installation Id", Text(36)).required(),
    Column::new("esc_installationname", "Installation", Text(200)),
];

const CRM_FIELD: &[Column] = &[
    Column::new("esc_entityname", "Entity Name", Text(100)).required(),
    Column::new("esc_logicalname", "Logical Name", Text(100)).required(),
    Column::new("esc_displayname", "Display Name", Text(200)).required(),
    Column::new("esc_description", "Description", Memo(2000)),
    Column::new("esc_attributetype", "Type", Text(50)).required(),
    Column::new("esc_lookuptarget", "Lookup Target", Text(200)),
    Column::new("esc_maxlength", "Maximum Length", Whole),
    Column::new("esc_optionsjson", "Options", Memo(100_000)),
    Column::new("esc_iswritable", "Writable", YesNo(false)).required(),
    Column::new("esc_ismissing", "Missing", YesNo(false)).required(),
];

const DATA_LABEL: &[Column] = &[
    Column::new("esc_labelname", "Label Name", Text(20)).required().by(Both),
    Column::new("esc_datatype", "Data Type", Choice(Set::DataType)).required().by(Both),
    Column::new("esc_defaultvalue", "Default Value", Text(255)).by(User),
    Column::new("esc_isprivate", "Private", YesNo(true)).required().by(Both),
    Column::new("esc_description", "Description", Memo(2000)).by(User),
    Column::new("esc_issynced", "Synced with Email Service", YesNo(false)).required(),
    Column::new("esc_issystem", "System Label", YesNo(false)).required(),
    Column::new("esc_syncerror", "Sync Error", Memo(2000)),
];

const DATA_MAPPING: &[Column] = &[
    Column::new("esc_datalabelid", "Data Label", Lookup("esc_emailcampaigncustomfields")).required().by(User),
    Column::new("esc_entitytype", "Entity Type", Choice(Set::RecordType)).required().by(User),
    Column::new("esc_crmfieldid", "Crm Field", Lookup("esc_crmfield")).required().by(User),
    Column::new("esc_fieldpath", "Field Path", Text(250)).required(),
    Column::new("esc_direction", "Direction", Choice(Set::MapDirection)).required().by(User),
    Column::new("esc_priority", "Priority", Whole).by(User),
    Column::new("esc_emptyrule", "Empty Value Rule", Choice(Set::EmptyRule)).required().by(User),
    Column::new("esc_choiceformat", "Choice Format", Choice(Set::ChoiceFormat)).required().by(User),
    Column::new("esc_isvalid", "Valid", YesNo(true)).required(),
    Column::new("esc_validationmessage", "Validation Message", Text(500)),
    Column::new("esc_description", "Description", Memo(2000)).by(User),
];

const MESSAGE_QUEUE: &[Column] = &[
    Column::new("esc_messagetype", "Message Type", Choice(Set::MessageType)).required().by(User),
    Column::new("esc_payload", "Payload", Memo(1_048_576)).required().by(Both),
    Column::new("esc_scheduledon", "Scheduled On", Moment).required().by(User),
    Column::new("esc_startedon", "Started On", Moment),
    Column::new("esc_completedon", "Completed On", Moment),
    Column::new("esc_status", "Queue Status", Choice(Set::QueueStatus)).required().by(Both),
    Column::new("esc_attempts", "Attempts", Whole).required(),
    Column::new("esc_lockedby", "Locked By", Text(100)),
    Column::new("esc_lockeduntil", "Locked Until", Moment),
    Column::new("esc_error", "Error", Memo(4000)),
];
