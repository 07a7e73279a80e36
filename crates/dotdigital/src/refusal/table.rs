//! Every error constant that the service publishes, and what to do about it. A constant that is not here is decided by the
//! status. Source: the list of v2's constants and the error answers of v3's documents.

use postroom_core::Code;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing was done: soon again.
    Away,
    /// Something must end first: in a minute.
    Later,
    /// The hour's calls are spent.
    Hour,
    /// Stop the account, or this kind of work, and tell somebody.
    Hold,
    /// This one row; its neighbours go on.
    Row,
    /// This job; a person decides.
    Stop,
    /// The state that was wanted is there already.
    Already,
    /// We asked wrongly.
    Bug,
}

/// One constant.
pub(crate) struct Constant {
    pub name: &'static str,
    pub act: Act,
    pub code: Code,
    /// What to do, for a person.
    pub advice: &'static str,
}

/// The constant of this name.
pub(crate) fn find(name: &str) -> Option<&'static Constant> {
    TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

macro_rules! table {
    ($($act:ident $code:ident $advice:literal: $($name:literal)+;)+) => {
        const TABLE: &[Constant] = &[$($(
            Constant { name: $name, act: Act::$act, code: Code::$code, advice: $advice },
        )+)+];
    };
}

table! {
    Away MARKETING_AWAY "it is down for a moment; tried again by itself":
        "ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE" "ERROR_TRANSACTIONAL_DATA_COLLECTION_IS_RESTORING";
    Hour MARKETING_LIMIT "the account's calls of this hour are spent; ask for tiered limits if it happens often":
        "ERROR_APIUSAGE_EXCEEDED";
    Later MARKETING_BUSY "too many imports run in this account; wait until one ends":
        "ERROR_IMPORT_TOOMANYACTIVEIMPORTS" "contacts:tooManyActiveImports";
    Later MARKETING_BUSY "too many removals run in this account; wait until one ends":
        "contacts:tooManyBulkDeleteJobs";
    Later MARKETING_BUSY "something else works on it; tried again by itself":
        "ERROR_ADDRESSBOOK_IN_USE" "ERROR_ENROLMENT_IS_PROCESSING" "ERROR_IMPORT_PROGRESSUPDATE_TIMEDOUT";
    Later MARKETING_LIMIT "20 enrolments in an hour are all that an account has; put more people into one":
        "ERROR_ENROLMENT_ALLOWANCE_EXCEEDED";
    Later MARKETING_REFUSED "it does not say why; tell its support if it stays": "ERROR_UNKNOWN";
    Hold MARKETING_SIGN_IN "correct the API user's name and password; nothing else is asked until then":
        "ERROR_INVALID_LOGIN" "ERROR_APIUSER_INVALID" "ERROR_OAUTH_TOKEN_INVALID";
    Hold MARKETING_SIGN_IN "the account is unknown or closed; check it in the service":
        "ERROR_ACCOUNT_INVALID" "ERROR_UNKNOWN_ACCOUNT" "ERROR_USERACCOUNT_UNKNOWN";
    Hold MARKETING_FEATURE "the account or the API user may not do that; ask the service, or switch it off here":
        "ERROR_FEATURENOTACTIVE" "ERROR_CANNOT_PERFORM_OPERATION_ON_ACCOUNT" "ERROR_CAMPAIGN_SENDNOTPERMITTED"
        "ERROR_SMS_SENDNOTPERMITTED" "marketingemail:forbidden";
    Stop MARKETING_NOT_FOUND "the list was deleted there; unlink it here, or make it there and link that":
        "ERROR_ADDRESSBOOK_NOT_FOUND";
    Stop MARKETING_NOT_FOUND "the segment was deleted there; choose another": "ERROR_SEGMENT_NOT_FOUND";
    Stop MARKETING_NOT_FOUND "the campaign was deleted there; choose another":
        "ERROR_CAMPAIGN_NOT_FOUND" "marketingemail:campaignNotFound" "INVALID_CAMPAIGN";
    Stop MARKETING_NOT_FOUND "the program was deleted there; choose another": "ERROR_PROGRAM_NOT_FOUND";
    Stop MARKETING_NOT_FOUND "there is no such enrolment": "ERROR_ENROLMENT_NOT_FOUND" "ERROR_ENROLMENT_INVALID";
    Stop MARKETING_NOT_FOUND "the form was deleted there": "ERROR_SURVEY_NOT_FOUND";
    Stop MARKETING_NOT_FOUND "the preferences have changed; they are read again": "ERROR_PREFERENCE_NOT_FOUND";
    Stop MARKETING_NOT_FOUND "the service no longer knows this import; its report lasts a week":
        "ERROR_IMPORT_NOT_FOUND" "ERROR_IMPORT_REPORT_NOT_FOUND" "contacts:importNotFound" "insightData:importNotFound"
        "insightData:asyncJobNotFound";
    Stop MARKETING_NOT_FOUND "it is not there any more":
        "ERROR_TEMPLATE_NOT_FOUND" "ERROR_DOCUMENT_NOT_FOUND" "ERROR_DOCUMENT_FOLDER_NOT_FOUND" "ERROR_IMAGE_NOT_FOUND"
        "ERROR_IMAGE_FOLDER_NOT_FOUND" "ERROR_TRANSACTIONAL_DATA_DOES_NOT_EXIST"
        "ERROR_TRANSACTIONAL_DATA_COLLECTION_DOES_NOT_EXIST" "insightData:collectionNotFound" "insightData:recordNotFound"
        "customIdentifiers:notExist";
    Row MARKETING_NOT_FOUND "the service does not know this person":
        "ERROR_CONTACT_NOT_FOUND" "contacts:contactNotFound" "insightData:contactNotFound";
    Stop MARKETING_DUPLICATE "a list or segment of this name is there; link that, or choose another name":
        "ERROR_ADDRESSBOOK_DUPLICATE";
    Row MARKETING_DUPLICATE "another person has this address or identifier; compare the two in the service":
        "contacts:idAlreadyExists" "ERROR_NON_UNIQUE_EMAIL";
    Already MARKETING_DUPLICATE "there is one of this name already":
        "ERROR_NON_UNIQUE_DATAFIELD" "customIdentifiers:nameAlreadyExists" "ERROR_DOCUMENT_ALREADYATTACHED";
    Stop MARKETING_RESERVED "Test and All Contacts belong to the service; choose another name":
        "ERROR_ADDRESSBOOK_NOTWRITABLE";
    Row MARKETING_SUPPRESSED "the address is suppressed in the account; only the person can change that":
        "ERROR_CONTACT_SUPPRESSED" "marketingEmail:unsubscribed" "marketingEmail:hardBounced" "marketingEmail:complaint"
        "marketingEmail:blocked" "marketingEmail:spamTrap" "marketingEmail:suppressed";
    Row MARKETING_LIST_SUPPRESSED "the person left this list; only the person can change that":
        "ERROR_CONTACT_SUPPRESSEDFORADDRESSBOOK";
    Row MARKETING_DATA "the address cannot be used; correct it in the CRM":
        "ERROR_CONTACT_INVALID" "ERROR_INVALID_EMAIL" "ERROR_EMAIL_BANNED" "marketingEmail:invalidEmailAddress"
        "INVALID_EMAIL";
    Row MARKETING_DATA "a value cannot be used; correct it in the CRM, or the mapping":
        "ERROR_DATAFIELD_INVALID" "ERROR_DATAFIELD_VALUE_OVERFLOW" "ERROR_INVALID_PERSONALISATION_VALUES"
        "ERROR_TRANSACTIONAL_DATA_VALIDATION_FAILED" "contacts:invalidContacts" "contacts:invalidId"
        "marketingemail:invalidValue" "marketingemail:duplicatePersonalizationValuesFound"
        "ERROR_SMS_INVALID" "ERROR_SMS_INVALIDPHONENUMBER";
    Row MARKETING_STATE "this person cannot be subscribed again by us": "ERROR_CONTACT_RESUBSCRIPTION_INVALID";
    Stop MARKETING_FIELD "a mapped data field is not there; run the sync of labels": "ERROR_DATAFIELD_NOTFOUND";
    Stop MARKETING_QUOTA "the plan has no room for more people": "ERROR_CONTACT_TOOMANY";
    Stop MARKETING_QUOTA "the account has all the lists that it may have": "ERROR_ADDRESSBOOK_LIMITEXCEEDED";
    Stop MARKETING_QUOTA "the account has all the data fields that it may have": "ERROR_DATAFIELD_LIMITEXCEEDED";
    Stop MARKETING_QUOTA "the sends of this month are used up": "ERROR_SEND_LIMITEXCEEDED";
    Stop MARKETING_QUOTA "the account's room for such data is used up":
        "ERROR_TRANSACTIONAL_DATA_STORAGE_ALLOWANCE_EXCEEDED";
    Stop MARKETING_STATE "put fewer lists into one enrolment": "ERROR_ADDRESSBOOK_TOOMANY";
    Stop MARKETING_STATE "the campaign has been sent already; copy it": "ERROR_CAMPAIGN_READONLY";
    Stop MARKETING_STATE "the campaign lacks something that sending needs; open it in the service":
        "ERROR_CAMPAIGN_INVALID" "ERROR_CAMPAIGN_SEND_INVALID" "ERROR_CAMPAIGN_CONTAINS_UNSUPPORTED_BLOCKS"
        "SUBJECT_NOT_ALLOWED_WHEN_SENDING_TRIGGERED_EMAIL" "MISSING_UNSUB" "MISSING_CONTENT" "INVALID_FROM_ADDRESS"
        "marketingemail:invalidFromAddress";
    Stop MARKETING_STATE "activate the program in the service": "ERROR_PROGRAM_NOT_ACTIVE";
    Stop MARKETING_STATE "the preference lacks its private name, or was deleted": "ERROR_PREFERENCE_INVALID";
    Stop MARKETING_STATE "people still have this identifier": "customIdentifiers:inUse";
    Stop MARKETING_REFUSED "the name cannot be used": "ERROR_ADDRESSBOOK_INVALID" "customIdentifiers:nameTooLong"
        "ERROR_TRANSACTIONAL_DATA_INVALID_COLLECTION_NAME";
    Stop MARKETING_REFUSED "the file cannot be used":
        "ERROR_DOCUMENT_TOOLARGE" "ERROR_DOCUMENT_ATTACHMENTSTOOLARGE" "ERROR_DOCUMENT_TOOMANYATTACHMENTS"
        "ERROR_DOCUMENT_UNSUPPORTEDFORMAT" "ERROR_DOCUMENT_DATAEMPTY" "ERROR_DOCUMENT_NAMEINVALID" "ERROR_DOCUMENT_INVALID"
        "ERROR_DOCUMENT_FOLDER_INVALID" "ERROR_DOCUMENT_FOLDER_NAMEINVALID" "ERROR_IMAGE_TOOLARGE"
        "ERROR_IMAGE_UNSUPPORTEDFORMAT" "ERROR_IMAGE_DATAEMPTY" "ERROR_IMAGE_NAMEINVALID" "ERROR_IMAGE_INVALID"
        "ERROR_IMAGE_FOLDER_INVALID" "ERROR_IMAGE_FOLDER_NAMEINVALID";
    Stop MARKETING_REFUSED "it belongs to a part of the service that is not used":
        "ERROR_TEMPLATE_INVALID" "ERROR_THEME_INVALID" "ERROR_WEAK_PASSWORD" "ERROR_INVALID_APIUSEREXISTS"
        "ERROR_MANAGED_USER_INVALID" "ERROR_MISSING_SETUPKEYVALUES";
    Bug INTERNAL "our request was not of the form that it wants":
        "ERROR_PARAMETER_INVALID" "ERROR_MALFORMED_REQUEST" "ERROR_BODY_DOES_NOT_MATCH_CONTENT_TYPE"
        "ERROR_CONTENT_TYPE_IS_NOT_SUPPORTED" "ERROR_CONTACTS_ARE_NOT_SPECIFIED" "ERROR_IMPORT_UNSUPPORTED_FORMAT"
        "ERROR_NO_EMAIL_COLUMN" "ERROR_MULTI_FILE_UPLOAD_NOT_ALLOWED" "contacts:badJson" "contacts:invalidFilter"
        "contacts:noContactsSpecified" "contacts:invalidDeleteId" "insightData:badJson" "insightData:invalidId"
        "insightData:noRecordsSpecified" "marketingemail:badRequest" "marketingemail:badJson"
        "marketingemail:badEncodingDetected" "MISSING_REQUIRED_FIELDS" "INVALID_METADATA" "MULTIPLE_RECIPIENTS"
        "INVALID_TAGS";
    Later MARKETING_AWAY "it broke down; nothing was sent": "marketingemail:internalServerError" "SEND_ERROR";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_constant_stands_once_and_has_advice() {
        let mut seen = BTreeSet::new();
        for row in TABLE {
            assert!(seen.insert(row.name.to_lowercase()), "{} stands twice", row.name);
            assert!(!row.advice.is_empty());
        }
        assert!(TABLE.len() > 95, "{}", TABLE.len());
    }

    /// The constants that the reference of v2 lists by name.
    #[test]
    fn the_published_constants_are_known() {
        let published = include_str!("../../tests/data/error-constants.txt");
        let missing: Vec<&str> =
            published.lines().filter(|line| line.starts_with("ERROR_") && find(line).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
