//! What the service describes: its operations with their parameters, the types, the words; in the order of its WSDL, which
//! is not alphabetical. One table, from which is written, read and described.
//!
//! Left out: images, documents, templates, transactional data and SMS, which nobody here uses. Source: the WSDL of
//! `https://apiconnector.com/v2/Api.svc` (names and types).

/// An operation: document/literal, its parameters in their order.
#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub(super) parameters: &'static [Member],
    /// The type of what it answers; `None` is nothing.
    pub(super) result: Option<&'static str>,
}

/// A parameter of an operation, or a member of a type.
#[derive(Debug)]
pub(super) struct Member {
    pub name: &'static str,
    /// The name of its type.
    pub kind: &'static str,
    /// It may not be left out.
    pub required: bool,
}

/// A class.
#[derive(Debug)]
pub(super) struct Type {
    pub name: &'static str,
    pub members: &'static [Member],
}

/// An enumeration.
#[derive(Debug)]
pub(super) struct Words {
    pub name: &'static str,
    pub words: &'static [&'static str],
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Int,
    Double,
    Boolean,
    /// Text, and what is written as the text that it is: moments, GUIDs, base64.
    Text,
    Any,
    Word(&'static Words),
    Object(&'static Type),
    /// Of elements of this name, which is also their type's.
    List(&'static str),
}

impl Kind {
    pub(super) fn of(name: &'static str) -> Kind {
        if let Some(item) = name.strip_prefix("ArrayOf") {
            return Kind::List(item);
        }
        match name {
            "int" => Kind::Int,
            "double" => Kind::Double,
            "boolean" => Kind::Boolean,
            "string" | "dateTime" | "guid" | "base64Binary" => Kind::Text,
            "anyType" => Kind::Any,
            name => {
                let object = TYPES.iter().find(|known| known.name == name).map(Kind::Object);
                let word = || WORDS.iter().find(|known| known.name == name).map(Kind::Word);
                object.or_else(word).expect("each type of the table stands in it (checked by a test)")
            }
        }
    }
}

impl Operation {
    /// The operation of this name.
    pub fn of(name: &str) -> Option<&'static Operation> {
        OPERATIONS.iter().find(|known| known.name == name)
    }

    /// Whether what it answers is one object.
    pub fn answers_object(&self) -> bool {
        self.result.is_some_and(|kind| matches!(Kind::of(kind), Kind::Object(_)))
    }

    /// What stands in the header `SOAPAction`, without its quotes.
    pub fn action(&self) -> String {
        format!("{}/ApiService/{}", super::SERVICE, self.name)
    }
}

/// Whether a type has a value for nothing: classes and texts have, numbers and words do not.
pub(super) fn nillable(kind: &str) -> bool {
    match kind {
        "string" | "base64Binary" | "anyType" => true,
        kind => kind.starts_with("ArrayOf") || TYPES.iter().any(|known| known.name == kind),
    }
}

macro_rules! members {
    ($($name:ident $kind:ident $($must:ident)?),*) => {
        &[$(Member {
            name: stringify!($name),
            kind: stringify!($kind),
            required: !concat!($(stringify!($must))?).is_empty(),
        }),*]
    };
}

macro_rules! operations {
    ($($name:ident($($parameter:ident $kind:ident),*) $($result:ident)?;)+) => {
        /// All of them.
        pub const OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            parameters: members!($($parameter $kind),*),
            result: result!($($result)?),
        }),+];
    };
}

macro_rules! result {
    () => {
        None
    };
    ($result:ident) => {
        Some(stringify!($result))
    };
}

macro_rules! types {
    ($($name:ident { $($members:tt)* })+) => {
        pub(super) const TYPES: &[Type] =
            &[$(Type { name: stringify!($name), members: members!($($members)*) }),+];
    };
}

macro_rules! words {
    ($($name:ident: $($word:ident)+;)+) => {
        pub(super) const WORDS: &[Words] =
            &[$(Words { name: stringify!($name), words: &[$(stringify!($word)),+] }),+];
    };
}

operations! {
    GetContactById(id int) ApiContact;
    GetContactByEmail(email string) ApiContact;
    CreateContact(apiContact ApiContact) ApiContact;
    UpdateContact(apiContact ApiContact) ApiContact;
    GetAddressBooks(select int, skip int) ArrayOfApiAddressBook;
    CreateAddressBook(apiAddressBook ApiAddressBook) ApiAddressBook;
    UpdateAddressBook(apiAddressBook ApiAddressBook) ApiAddressBook;
    DeleteAddressBook(id int) ;
    GetContacts(withFullData boolean, select int, skip int) ArrayOfApiContact;
    GetContactsInAddressBook(addressBookId int, withFullData boolean, select int, skip int) ArrayOfApiContact;
    GetAddressBookContactCount(id int) int;
    AddContactToAddressBook(addressBookId int, apiContact ApiContact) ApiContact;
    DeleteContact(id int) ;
    DeleteContactFromAddressBook(addressBookId int, contactId int) ;
    DeleteAllContactsFromAddressBook(addressBookId int) ;
    UnsubscribeContact(apiContact ApiContact) ;
    UnsubscribeContactFromAddressBook(addressBookId int, apiContact ApiContact) ;
    ResubscribeContact(apiContactResubscription ApiContactResubscription) ApiResubscribeResult;
    ResubscribeContactToAddressBook(addressBookId int, apiContactResubscription ApiContactResubscription)
        ApiResubscribeResult;
    GetModifiedContacts(startDate dateTime, withFullData boolean, select int, skip int) ArrayOfApiContact;
    GetModifiedContactsInAddressBook(addressBookId int, startDate dateTime, withFullData boolean, select int,
        skip int) ArrayOfApiContact;
    GetNewContacts(startDate dateTime, withFullData boolean, select int, skip int) ArrayOfApiContact;
    GetAddressBooksForContact(contactId int, select int, skip int) ArrayOfApiAddressBook;
    GetAddressBooksForCampaign(campaignId int, select int, skip int) ArrayOfApiAddressBook;
    GetSuppressedContacts(startDate dateTime, select int, skip int) ArrayOfApiContactSuppression;
    GetUnsubscribedContacts(startDate dateTime, select int, skip int) ArrayOfApiContactSuppression;
    GetUnsubscribedContactsInAddressBook(addressBookId int, startDate dateTime, select int, skip int)
        ArrayOfApiContactSuppression;
    ImportContacts(data base64Binary, dataType string) ApiContactImport;
    ImportContactsToAddressBook(addressBookId int, data base64Binary, dataType string) ApiContactImport;
    GetContactImportProgress(importId guid) ApiContactImport;
    GetContactImportReport(importId guid) ApiContactImportReport;
    GetContactImportReportFaults(importId guid) base64Binary;
    GetCampaignById(id int) ApiCampaign;
    GetCampaigns(select int, skip int) ArrayOfApiCampaign;
    GetCampaignsForAddressBook(addressBookId int, select int, skip int) ArrayOfApiCampaign;
    GetSentCampaignsWithActivitySinceDate(startDate dateTime, select int, skip int) ArrayOfApiCampaign;
    CreateCampaign(apiCampaign ApiCampaign) ApiCampaign;
    UpdateCampaign(apiCampaign ApiCampaign) ApiCampaign;
    CopyCampaign(campaignId int) ApiCampaign;
    SendCampaign(apiCampaignSend ApiCampaignSend) ApiCampaignSend;
    GetCampaignSendProgress(sendId guid) ApiCampaignSend;
    GetCampaignSummary(campaignId int) ApiCampaignSummary;
    GetCampaignContactActivity(campaignId int, contactId int) ApiCampaignContactSummary;
    GetCampaignActivities(campaignId int, select int, skip int) ArrayOfApiCampaignContactSummary;
    GetCampaignActivitiesSinceDate(campaignId int, startDate dateTime, select int, skip int)
        ArrayOfApiCampaignContactSummary;
    GetCampaignClicks(campaignId int, select int, skip int) ArrayOfApiCampaignContactClick;
    GetCampaignContactClicks(campaignId int, contactId int, select int, skip int)
        ArrayOfApiCampaignContactClick;
    GetCampaignOpens(campaignId int, select int, skip int) ArrayOfApiCampaignContactOpen;
    GetCampaignContactOpens(campaignId int, contactId int, select int, skip int)
        ArrayOfApiCampaignContactOpen;
    GetCampaignPageViewsSinceDate(campaignId int, startDate dateTime, select int, skip int)
        ArrayOfApiCampaignContactPageView;
    GetCampaignContactPageViews(campaignId int, contactId int, select int, skip int)
        ArrayOfApiCampaignContactPageView;
    GetCampaignContactReplies(campaignId int, contactId int, select int, skip int)
        ArrayOfApiCampaignContactReply;
    GetCampaignSocialBookmarkViews(campaignId int, select int, skip int)
        ArrayOfApiCampaignContactSocialBookmarkView;
    GetCampaignContactSocialBookmarkViews(campaignId int, contactId int, select int, skip int)
        ArrayOfApiCampaignContactSocialBookmarkView;
    GetCampaignRoiDetailsSinceDate(campaignId int, startDate dateTime, select int, skip int)
        ArrayOfApiCampaignContactRoiDetail;
    GetCampaignContactRoiDetails(campaignId int, contactId int, select int, skip int)
        ArrayOfApiCampaignContactRoiDetail;
    GetCampaignHardBouncingContacts(campaignId int, withFullData boolean, select int, skip int)
        ArrayOfApiContact;
    GetCustomFromAddresses(select int, skip int) ArrayOfApiCampaignFromAddress;
    CreateDataField(dataField ApiDataField) ApiDataField;
    DeleteDataField(fieldName string) ApiDependencyResult;
    GetDataFields() ArrayOfApiDataField;
    GetCurrentAccountInfo() ApiAccount;
    GetServerTime() dateTime;
}

types! {
    ApiContact { Id int, Email string, OptInType ApiContactOptInTypes, EmailType ApiContactEmailTypes,
        DataFields ArrayOfApiContactData, Status ApiContactStatuses }
    ApiContactData { Key string, Value anyType }
    ApiAddressBook { Id int, Name string must, Visibility ApiAddressBookVisibility }
    ApiContactResubscription { UnsubscribedContact ApiContact must, PreferredLocale string must,
        ReturnUrlToUseIfChallenged string must }
    ApiContactSuppression { SuppressedContact ApiContact, DateRemoved dateTime, Reason ApiContactStatuses }
    ApiContactImport { Id guid, Status ApiContactImportStatuses }
    ApiContactImportReport { NewContacts int, UpdatedContacts int, GloballySuppressed int, InvalidEntries int,
        DuplicateEmails int, Blocked int, Unsubscribed int, HardBounced int, SoftBounced int, IspComplaints
        int, MailBlocked int, DomainSuppressed int, PendingDoubleOptin int, Failures int }
    ApiCampaign { Id int, Name string must, Subject string must, FromName string must, FromAddress
        ApiCampaignFromAddress, HtmlContent string must, PlainTextContent string must, ReplyAction
        ApiCampaignReplyActions, ReplyToAddress string, IsSplitTest boolean, Status ApiCampaignStatuses }
    ApiCampaignFromAddress { Id int, Email string }
    ApiCampaignSend { Id guid, CampaignId int must, AddressBookIds ArrayOfint, ContactIds ArrayOfint, SendDate
        dateTime, SplitTestOptions ApiSplitTestSendOptions, Status ApiCampaignSendStatuses }
    ApiSplitTestSendOptions { TestMetric ApiSplitTestMetrics must, TestPercentage int must, TestPeriodHours
        int must }
    ApiCampaignSummary { DateSent dateTime, NumUniqueOpens int, NumUniqueTextOpens int, NumTotalUniqueOpens
        int, NumOpens int, NumTextOpens int, NumTotalOpens int, NumClicks int, NumTextClicks int,
        NumTotalClicks int, NumPageViews int, NumTotalPageViews int, NumTextPageViews int, NumForwards int,
        NumTextForwards int, NumEstimatedForwards int, NumTextEstimatedForwards int, NumTotalEstimatedForwards
        int, NumReplies int, NumTextReplies int, NumTotalReplies int, NumHardBounces int, NumTextHardBounces
        int, NumTotalHardBounces int, NumSoftBounces int, NumTextSoftBounces int, NumTotalSoftBounces int,
        NumUnsubscribes int, NumTextUnsubscribes int, NumTotalUnsubscribes int, NumIspComplaints int,
        NumTextIspComplaints int, NumTotalIspComplaints int, NumMailBlocks int, NumTextMailBlocks int,
        NumTotalMailBlocks int, NumSent int, NumTextSent int, NumTotalSent int, NumRecipientsClicked int,
        NumDelivered int, NumTextDelivered int, NumTotalDelivered int, PercentageDelivered double,
        PercentageUniqueOpens double, PercentageOpens double, PercentageUnsubscribes double, PercentageReplies
        double, PercentageHardBounces double, PercentageSoftBounces double, PercentageUsersClicked double,
        PercentageClicksToOpens double }
    ApiCampaignContactSummary { ContactId int, Email string, NumOpens int, NumPageViews int, NumClicks int,
        NumForwards int, NumEstimatedForwards int, NumReplies int, DateSent dateTime, DateFirstOpened
        dateTime, DateLastOpened dateTime, FirstOpenIp string, Unsubscribed boolean, SoftBounced boolean,
        HardBounced boolean }
    ApiCampaignContactClick { ContactId int, Email string, Url string, IpAddress string, UserAgent string,
        DateClicked dateTime, Keyword string }
    ApiCampaignContactOpen { ContactId int, Email string, MailClient string, MailClientVersion string,
        IpAddress string, UserAgent string, IsHtml boolean, IsForward boolean, DateOpened dateTime }
    ApiCampaignContactPageView { ContactId int, Email string, Url string, DateViewed dateTime }
    ApiCampaignContactReply { ContactId int, Email string, FromAddress string, ToAddress string, Subject
        string, Message string, IsHtml boolean, DateReplied dateTime, ReplyType ApiCampaignReplyTypes }
    ApiCampaignContactSocialBookmarkView { ContactId int, Email string, BookmarkName string, NumViews int }
    ApiCampaignContactRoiDetail { ContactId int, Email string, MarkerName string, DataType
        ApiRoiDetailDataTypes, Value anyType, DateEntered dateTime }
    ApiDataField { Name string must, Type ApiDataTypes, Visibility ApiDataFieldVisibility, DefaultValue
        anyType }
    ApiDependencyResult { Dependencies ArrayOfApiDependency, Result boolean }
    ApiDependency { Type ApiBusinessObjectType, ObjectId int }
    ApiAccount { Id int, Properties ArrayOfApiAccountProperty }
    ApiAccountProperty { Name string, Type string, Value string }
}

words! {
    ApiContactOptInTypes: NotAvailableInThisVersion Unknown Single Double VerifiedDouble;
    ApiContactEmailTypes: NotAvailableInThisVersion PlainText Html;
    ApiContactStatuses: NotAvailableInThisVersion Subscribed Unsubscribed SoftBounced HardBounced
        IspComplained MailBlocked PendingOptIn DirectComplaint Deleted SharedSuppression Suppressed NotAllowed
        DomainSuppression NoMxRecord;
    ApiAddressBookVisibility: NotAvailableInThisVersion Private Public;
    ApiResubscribeResult: NotAvailableInThisVersion ContactAdded ContactChallenged
        ContactCannotBeUnsuppressed;
    ApiContactImportStatuses: NotAvailableInThisVersion Finished NotFinished RejectedByWatchdog
        InvalidFileFormat ExceedsAllowedContactLimit Unknown Failed;
    ApiCampaignReplyActions: NotAvailableInThisVersion Unset WebMailForward Webmail Delete;
    ApiCampaignStatuses: NotAvailableInThisVersion Unsent Sending Sent Paused Cancelled RequiresSystemApproval
        RequiresSMSApproval RequiresWorkflowApproval Triggered;
    ApiSplitTestMetrics: NotAvailableInThisVersion Opens Clicks;
    ApiCampaignSendStatuses: NotAvailableInThisVersion NotSent Scheduled Sending Sent Cancelled;
    ApiCampaignReplyTypes: NotAvailableInThisVersion Reply AutoReply ChallengeResponse Unsafe;
    ApiRoiDetailDataTypes: NotAvailableInThisVersion String Numeric Date Boolean;
    ApiDataTypes: NotAvailableInThisVersion String Numeric Date Boolean;
    ApiDataFieldVisibility: NotAvailableInThisVersion Private Public;
    ApiBusinessObjectType: NotAvailableInThisVersion Campaign Survey MicrositePage DynamicContent ContactLabel
        SurveyQuestion AddressBook DynamicContentRule CampaignLink CampaignTemplate;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_there() {
        let members = TYPES.iter().flat_map(|known| known.members);
        let parameters = OPERATIONS.iter().flat_map(|known| known.parameters);
        let kinds = members.chain(parameters).map(|member| member.kind);
        for kind in kinds.chain(OPERATIONS.iter().filter_map(|known| known.result)) {
            if let Kind::List(item) = Kind::of(kind) {
                Kind::of(item);
            }
        }
        assert_eq!((OPERATIONS.len(), TYPES.len()), (63, 24));
    }
}
