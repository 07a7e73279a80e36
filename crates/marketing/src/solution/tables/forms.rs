//! Forms of the service ("surveys" in its API), their questions and what people answered (marketing-entities.md 4.9).

use crate::solution::By::User;
use crate::solution::Kind::{Choice, Decimal, Email, Lookup, Memo, Moment, Text, Url, Whole, YesNo};
use crate::solution::options::Set;
use crate::solution::{Column, Table};

pub const TABLES: &[Table] = &[
    Table::new("esc_form", "Form", "Forms", "A form of the service.", FORM),
    Table::new("esc_formquestion", "Form Question", "Form Questions", "A question of a form.", QUESTION),
    Table::new(
        "esc_formquestionoption",
        "Form Question Option",
        "Form Question Options",
        "An answer that a question offers.",
        OPTION,
    ),
    Table::new(
        "esc_response",
        "Form Response",
        "Form Responses",
        "A form that somebody filled in.",
        RESPONSE,
    ),
    Table::new(
        "esc_formanswer",
        "Form Answer",
        "Form Answers",
        "What a response says to one question.",
        ANSWER,
    ),
];

const FORM: &[Column] = &[
    Column::new("esc_serviceformid", "Service Form Id", Whole).required(),
    Column::new("esc_formname", "Form Name", Text(255)).required(),
    Column::new("esc_url", "Address", Url(1000)),
    Column::new("esc_state", "Form State", Choice(Set::FormState)).required(),
    Column::new("esc_createdremotely", "Created in Email Service", Moment),
    Column::new("esc_modifiedremotely", "Modified in Email Service", Moment),
    Column::new("esc_firstactive", "First Active", Moment),
    Column::new("esc_lastinactive", "Last Inactive", Moment),
    Column::new("esc_scheduledstart", "Scheduled Start", Moment),
    Column::new("esc_scheduledend", "Scheduled End", Moment),
    Column::new("esc_submissionmode", "Submission Mode", Choice(Set::SubmissionMode)),
    Column::new("esc_fieldcount", "Fields", Whole),
    Column::new("esc_completeresponses", "Complete Responses", Whole),
    Column::new("esc_incompleteresponses", "Incomplete Responses", Whole),
    Column::new("esc_views", "Views", Whole),
    Column::new("esc_bounces", "Bounces", Whole),
    Column::new("esc_directtotal", "From Direct Links", Whole),
    Column::new("esc_emailtotal", "From E-mail", Whole),
    Column::new("esc_embeddedtotal", "From Embedded Forms", Whole),
    Column::new("esc_popovertotal", "From Popovers", Whole),
    Column::new("esc_socialtotal", "From Social Networks", Whole),
    Column::new("esc_othertotal", "From Elsewhere", Whole),
    Column::new("esc_assignedaddressbookid", "Assigned Address Book Id", Whole),
    Column::new("esc_createrecordas", "Create Record As", Choice(Set::RecordType)).by(User),
];

const QUESTION: &[Column] = &[
    Column::new("esc_formid", "Form", Lookup("esc_form")).required(),
    Column::new("esc_servicefieldid", "Service Field Id", Whole).required(),
    Column::new("esc_pagenumber", "Page", Whole).required(),
    Column::new("esc_order", "Order", Whole).required(),
    Column::new("esc_text", "Text", Memo(4000)).required(),
    Column::new("esc_questiontype", "Question Type", Text(50)).required(),
    Column::new("esc_mode", "Mode", Text(50)),
    Column::new("esc_isrequired", "Required", YesNo(false)).required(),
    Column::new("esc_defaultvalue", "Default Value", Text(500)),
    Column::new("esc_parentquestionid", "Parent Question", Lookup("esc_formquestion")),
    Column::new("esc_hasotheroption", "Has Other Option", YesNo(false)),
    Column::new("esc_datalabelid", "Data Label", Lookup("esc_emailcampaigncustomfields")),
    Column::new("esc_crmfieldid", "Crm Field", Lookup("esc_crmfield")).by(User),
];

const OPTION: &[Column] = &[
    Column::new("esc_questionid", "Form Question", Lookup("esc_formquestion")).required(),
    Column::new("esc_servicechoiceid", "Service Choice Id", Whole).required(),
    Column::new("esc_text", "Text", Text(1000)).required(),
    Column::new("esc_order", "Order", Whole).required(),
    Column::new("esc_isother", "Other", YesNo(false)).required(),
];

/// Not every response says who it is from.
const RESPONSE: &[Column] = &[
    Column::new("esc_formid", "Form", Lookup("esc_form")).required(),
    Column::new("esc_serviceresponseid", "Service Response Id", Whole).required(),
    Column::new("esc_emailaddress", "Email Address", Email),
    Column::new("esc_contactid", "Contact", Lookup("contact")),
    Column::new("esc_leadid", "Lead", Lookup("lead")),
    Column::new("esc_accountid", "Account", Lookup("account")),
    Column::new("esc_started", "Started", YesNo(false)),
    Column::new("esc_completed", "Completed", YesNo(false)),
    Column::new("esc_datestarted", "Date Started", Moment),
    Column::new("esc_datecompleted", "Date Completed", Moment),
    Column::new("esc_emailcampaignid", "Email Campaign", Lookup("esc_emailcampaign")),
    Column::new("esc_matchresult", "Match Result", Choice(Set::MatchResult)).required(),
];

const ANSWER: &[Column] = &[
    Column::new("esc_responseid", "Form Response", Lookup("esc_response")).required(),
    Column::new("esc_questionid", "Form Question", Lookup("esc_formquestion")).required(),
    Column::new("esc_optionid", "Form Question Option", Lookup("esc_formquestionoption")),
    Column::new("esc_value", "Value", Memo(10_000)),
    Column::new("esc_numericvalue", "Numeric Value", Decimal(10)),
    Column::new("esc_datevalue", "Date Value", Moment),
];
