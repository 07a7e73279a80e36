//! Which operation a request of REST v2 is, and which of its parameters the parts of the request are.

use http::Method;
use postroom_core::{Code, Fault};
use postroom_formats::soap::dotdigital::{Operation, request};
use serde_json::{Map, Value};

use crate::ask::Ask;

/// How an operation's result becomes the answer of REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Same,
    /// It is this member of an object.
    Member(&'static str),
    /// It is bytes.
    Bytes,
}

/// One way of REST v2 and its operation.
struct Way {
    method: Method,
    route: &'static str,
    operation: &'static str,
    /// The parameter that each part of the path is; `a.b` is the member `b` of the parameter `a`.
    parts: &'static [&'static str],
    /// The parameter that the body is.
    body: Option<&'static str>,
    shape: Shape,
}

/// A call, ready to go.
#[derive(Debug)]
pub(crate) struct Call {
    pub operation: &'static Operation,
    pub envelope: String,
    pub(super) shape: Shape,
}

impl Call {
    /// The call that a request is.
    ///
    /// # Errors
    /// [`Code::MARKETING_FEATURE`] for what this API does not have.
    pub(crate) fn of(ask: &Ask) -> Result<Call, Fault> {
        let way = way(ask).ok_or_else(|| instead(what(ask.route), "REST v2", "rest-v2"))?;
        let operation = Operation::of(way.operation).expect("a test looks each of them up");
        let envelope = request(operation, &arguments(way, ask)?).map_err(|error| {
            let text = format!("a call of Dotdigital's {} could not be written", operation.name);
            // The error names the value, which may be somebody's: only its kind is told.
            let text = match error {
                postroom_formats::soap::Error::Value { wanted, .. } => format!("{text}: it takes {wanted}"),
                _ => text,
            };
            Fault::reject(Code::MARKETING_DATA, text)
        })?;
        Ok(Call { operation, envelope, shape: way.shape })
    }
}

/// The refusal of something that another API has.
pub(crate) fn instead(what: &str, api: &str, word: &str) -> Fault {
    let text = format!(
        "the account is spoken to by Dotdigital's SOAP API, which has no {what}; {api} has it: set api = \"{word}\""
    );
    Fault::reject(Code::MARKETING_FEATURE, text)
}

/// What a route is about, for a person.
fn what(route: &str) -> &'static str {
    let about: [(&str, &str); 11] = [
        ("/v2/surveys", "forms"),
        ("/v2/programs", "programs"),
        ("preference", "preferences"),
        ("/score", "scores"),
        ("/v2/segments", "segments"),
        ("/v2/email", "single mails"),
        ("/marketing-email", "single mails"),
        ("with-consent", "records of consent"),
        ("no-challenge", "way to subscribe somebody again without asking the person"),
        ("optimised", "sends at each person's best time"),
        ("/configuration", "identifiers"),
    ];
    about.iter().find(|(part, _)| route.contains(part)).map_or("such call", |(_, what)| what)
}

fn way(ask: &Ask) -> Option<&'static Way> {
    let named = |way: &&Way| way.method == ask.method && way.route == ask.route;
    let mut found = WAYS.iter().filter(named);
    let first = found.next()?;
    // Two operations, where a path of REST takes an id or an address.
    let by_id = || ask.parts.first().is_some_and(|part| part.parse::<i64>().is_ok());
    match found.next() {
        Some(second) if !by_id() => Some(second),
        _ => Some(first),
    }
}

fn arguments(way: &Way, ask: &Ask) -> Result<Value, Fault> {
    let mut arguments = Map::new();
    if let Some(name) = way.body {
        let body = serde_json::from_slice(&ask.body).map_err(|_| Fault::bug("a body is no JSON"))?;
        arguments.insert(name.to_owned(), body);
    }
    for (name, value) in way.parts.iter().zip(&ask.parts) {
        let value = Value::from(value.as_str());
        match name.split_once('.') {
            None => arguments.insert((*name).to_owned(), value),
            Some((parameter, member)) => arguments
                .get_mut(parameter)
                .and_then(Value::as_object_mut)
                .and_then(|object| object.insert(member.to_owned(), value)),
        };
    }
    for (name, value) in &ask.query {
        arguments.insert((*name).to_owned(), Value::from(value.as_str()));
    }
    Ok(Value::Object(arguments))
}

macro_rules! ways {
    ($($method:ident $route:literal => $operation:ident($($part:literal),*) $(<- $body:literal)? $(-> $shape:expr)?;)+) => {
        const WAYS: &[Way] = &[$(Way {
            method: Method::$method,
            route: $route,
            operation: stringify!($operation),
            parts: &[$($part),*],
            body: body!($($body)?),
            shape: shape!($($shape)?),
        }),+];
    };
}

macro_rules! body {
    () => {
        None
    };
    ($body:literal) => {
        Some($body)
    };
}

macro_rules! shape {
    () => {
        Shape::Same
    };
    ($shape:expr) => {
        $shape
    };
}

ways! {
    GET "/v2/account-info" => GetCurrentAccountInfo();
    GET "/v2/server-time" => GetServerTime();
    GET "/v2/data-fields" => GetDataFields();
    POST "/v2/data-fields" => CreateDataField() <- "dataField";
    DELETE "/v2/data-fields/{}" => DeleteDataField("fieldName");
    GET "/v2/address-books" => GetAddressBooks();
    POST "/v2/address-books" => CreateAddressBook() <- "apiAddressBook";
    PUT "/v2/address-books/{}" => UpdateAddressBook("apiAddressBook.id") <- "apiAddressBook";
    DELETE "/v2/address-books/{}" => DeleteAddressBook("id");
    GET "/v2/address-books/{}/contacts/count" => GetAddressBookContactCount("id");
    GET "/v2/address-books/{}/campaigns" => GetCampaignsForAddressBook("addressBookId");
    GET "/v2/address-books/{}/contacts" => GetContactsInAddressBook("addressBookId");
    GET "/v2/address-books/{}/contacts/modified-since/{}" =>
        GetModifiedContactsInAddressBook("addressBookId", "startDate");
    GET "/v2/address-books/{}/contacts/unsubscribed-since/{}" =>
        GetUnsubscribedContactsInAddressBook("addressBookId", "startDate");
    POST "/v2/address-books/{}/contacts" => AddContactToAddressBook("addressBookId") <- "apiContact";
    DELETE "/v2/address-books/{}/contacts/{}" => DeleteContactFromAddressBook("addressBookId", "contactId");
    POST "/v2/address-books/{}/contacts/unsubscribe" =>
        UnsubscribeContactFromAddressBook("addressBookId") <- "apiContact";
    POST "/v2/address-books/{}/contacts/resubscribe" =>
        ResubscribeContactToAddressBook("addressBookId") <- "apiContactResubscription" -> Shape::Member("status");
    POST "/v2/address-books/{}/contacts/import" => ImportContactsToAddressBook("addressBookId") <- "data";
    GET "/v2/contacts" => GetContacts();
    GET "/v2/contacts/modified-since/{}" => GetModifiedContacts("startDate");
    GET "/v2/contacts/suppressed-since/{}" => GetSuppressedContacts("startDate");
    GET "/v2/contacts/unsubscribed-since/{}" => GetUnsubscribedContacts("startDate");
    GET "/v2/contacts/{}" => GetContactById("id");
    GET "/v2/contacts/{}" => GetContactByEmail("email");
    POST "/v2/contacts" => CreateContact() <- "apiContact";
    PUT "/v2/contacts/{}" => UpdateContact("apiContact.id") <- "apiContact";
    DELETE "/v2/contacts/{}" => DeleteContact("id");
    POST "/v2/contacts/unsubscribe" => UnsubscribeContact() <- "apiContact";
    POST "/v2/contacts/resubscribe" =>
        ResubscribeContact() <- "apiContactResubscription" -> Shape::Member("status");
    POST "/v2/contacts/import" => ImportContacts() <- "data";
    GET "/v2/contacts/import/{}" => GetContactImportProgress("importId");
    GET "/v2/contacts/import/{}/report" => GetContactImportReport("importId");
    GET "/v2/contacts/import/{}/report-faults" => GetContactImportReportFaults("importId") -> Shape::Bytes;
    GET "/v2/campaigns" => GetCampaigns();
    POST "/v2/campaigns" => CreateCampaign() <- "apiCampaign";
    PUT "/v2/campaigns/{}" => UpdateCampaign("apiCampaign.id") <- "apiCampaign";
    POST "/v2/campaigns/{}/copy" => CopyCampaign("campaignId");
    GET "/v2/campaigns/with-activity-since/{}" => GetSentCampaignsWithActivitySinceDate("startDate");
    GET "/v2/campaigns/{}/with-details" => GetCampaignById("id");
    GET "/v2/campaigns/{}/summary" => GetCampaignSummary("campaignId");
    GET "/v2/campaigns/{}/address-books" => GetAddressBooksForCampaign("campaignId");
    GET "/v2/custom-from-addresses" => GetCustomFromAddresses();
    POST "/v2/campaigns/send" => SendCampaign() <- "apiCampaignSend";
    GET "/v2/campaigns/send/{}" => GetCampaignSendProgress("sendId");
    GET "/v2/campaigns/{}/activities" => GetCampaignActivities("campaignId");
    GET "/v2/campaigns/{}/activities/since-date/{}" => GetCampaignActivitiesSinceDate("campaignId", "startDate");
    GET "/v2/campaigns/{}/clicks" => GetCampaignClicks("campaignId");
    GET "/v2/campaigns/{}/opens" => GetCampaignOpens("campaignId");
    GET "/v2/campaigns/{}/page-views/since-date/{}" => GetCampaignPageViewsSinceDate("campaignId", "startDate");
    GET "/v2/campaigns/{}/activities/{}/replies" => GetCampaignContactReplies("campaignId", "contactId");
    GET "/v2/campaigns/{}/social-bookmark-views" => GetCampaignSocialBookmarkViews("campaignId");
    GET "/v2/campaigns/{}/roi-details/since-date/{}" => GetCampaignRoiDetailsSinceDate("campaignId", "startDate");
    GET "/v2/campaigns/{}/hard-bouncing-contacts" => GetCampaignHardBouncingContacts("campaignId");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each way leads to an operation, and that operation takes what the way gives it.
    #[test]
    fn each_way_is_one_of_the_contract() {
        for way in WAYS {
            let operation = Operation::of(way.operation).unwrap_or_else(|| panic!("{}", way.operation));
            let text = postroom_formats::soap::dotdigital::description("");
            let begin = text.split(&format!("<xs:element name=\"{}\">", operation.name)).nth(1).unwrap();
            let described = begin.split("</xs:complexType>").next().unwrap();
            let own = way.parts.iter().map(|part| part.split('.').next().unwrap_or_default());
            for name in own.chain(way.body) {
                assert!(described.contains(&format!("name=\"{name}\"")), "{name} of {}", way.operation);
            }
        }
    }

    #[test]
    fn what_is_not_there_names_who_has_it() {
        let fault = Call::of(&Ask::get("/v2/programs", &[])).unwrap_err();
        assert_eq!(fault.code, Code::MARKETING_FEATURE);
        assert!(fault.message.contains("no programs; REST v2 has it"), "{}", fault.message);
    }

    #[test]
    fn people_by_id_and_by_address() {
        let named = |part: &str| Call::of(&Ask::get("/v2/contacts/{}", &[part])).unwrap();
        assert_eq!(named("17").operation.name, "GetContactById");
        let call = named("o'brien+x@example.com");
        assert_eq!(call.operation.name, "GetContactByEmail");
        assert!(call.envelope.contains("o'brien+x@example.com"));
    }

    /// A value that is refused is not repeated in the fault.
    #[test]
    fn refused_values_stay_unsaid() {
        let ask = Ask::get("/v2/campaigns/{}/clicks", &["ann@x.example"]);
        let fault = Call::of(&ask).unwrap_err();
        assert!(!fault.message.contains('@') && fault.message.contains("32 bits"), "{}", fault.message);
    }
}
