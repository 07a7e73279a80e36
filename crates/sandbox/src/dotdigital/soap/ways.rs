//! Each operation and the request of REST v2 that does the same.

use postroom_formats::soap::dotdigital::Operation;
use serde_json::{Value, json};

/// A request of REST.
#[derive(Debug)]
pub(crate) struct Asked {
    pub method: &'static str,
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The member of the answer that is the result.
    pick: Option<&'static str>,
    /// The result, where REST answers nothing.
    echo: Option<Value>,
}

impl Asked {
    pub(crate) fn path(&self) -> String {
        format!("/{}", self.segments.join("/"))
    }

    pub(super) fn picked(&self, answer: Value) -> Value {
        match (self.pick, &self.echo) {
            (Some(name), _) => answer.get(name).cloned().unwrap_or_default(),
            (None, Some(echo)) => echo.clone(),
            (None, None) => answer,
        }
    }
}

/// One operation's way: `{a}` in the path is the parameter `a`, `{a.b}` its member `b`.
struct Way {
    operation: &'static str,
    method: &'static str,
    path: &'static str,
    /// The parameter that is the body.
    body: &'static str,
    pick: &'static str,
}

pub(super) fn asked(operation: &Operation, arguments: &Value) -> Option<Asked> {
    let way = WAYS.iter().find(|way| way.operation == operation.name)?;
    let mut used = vec![way.body];
    let mut segments = Vec::new();
    for part in way.path.trim_start_matches('/').split('/') {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        segments.push(match name {
            None => part.to_owned(),
            Some(name) => {
                used.push(name);
                let found = name.split('.').try_fold(arguments, |value, name| value.get(name));
                found.map(plain).unwrap_or_default()
            }
        });
    }
    let file = operation.name.starts_with("ImportContacts");
    let body = match way.body {
        "" => Vec::new(),
        "data" => {
            let kind = arguments.get("dataType").map(plain).unwrap_or_default().to_lowercase();
            let file = json!({ "fileName": format!("people.{kind}"), "data": arguments.get("data") });
            file.to_string().into_bytes()
        }
        name => arguments.get(name).unwrap_or(&Value::Null).to_string().into_bytes(),
    };
    let others = arguments.as_object().into_iter().flatten();
    let others = others.filter(|(name, _)| !file && !used.contains(&name.as_str()));
    Some(Asked {
        method: way.method,
        segments,
        query: others.map(|(name, value)| (name.clone(), plain(value))).collect(),
        body,
        pick: Some(way.pick).filter(|pick| !pick.is_empty()),
        echo: (operation.name == "CreateDataField").then(|| arguments.get("dataField").cloned()).flatten(),
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

macro_rules! ways {
    ($($operation:ident $method:ident $path:literal $(<- $body:ident)? $(-> $pick:ident)?;)+) => {
        const WAYS: &[Way] = &[$(Way {
            operation: stringify!($operation),
            method: stringify!($method),
            path: $path,
            body: concat!($(stringify!($body))?),
            pick: concat!($(stringify!($pick))?),
        }),+];
    };
}

ways! {
    GetCurrentAccountInfo GET "/v2/account-info";
    GetServerTime GET "/v2/server-time";
    GetDataFields GET "/v2/data-fields";
    CreateDataField POST "/v2/data-fields" <- dataField;
    DeleteDataField DELETE "/v2/data-fields/{fieldName}";
    GetAddressBooks GET "/v2/address-books";
    CreateAddressBook POST "/v2/address-books" <- apiAddressBook;
    UpdateAddressBook PUT "/v2/address-books/{apiAddressBook.id}" <- apiAddressBook;
    DeleteAddressBook DELETE "/v2/address-books/{id}";
    GetAddressBookContactCount GET "/v2/address-books/{id}" -> contacts;
    GetAddressBooksForContact GET "/v2/contacts/{contactId}/address-books";
    GetAddressBooksForCampaign GET "/v2/campaigns/{campaignId}/address-books";
    GetContactsInAddressBook GET "/v2/address-books/{addressBookId}/contacts";
    GetModifiedContactsInAddressBook GET "/v2/address-books/{addressBookId}/contacts/modified-since/{startDate}";
    GetUnsubscribedContactsInAddressBook
        GET "/v2/address-books/{addressBookId}/contacts/unsubscribed-since/{startDate}";
    AddContactToAddressBook POST "/v2/address-books/{addressBookId}/contacts" <- apiContact;
    DeleteContactFromAddressBook DELETE "/v2/address-books/{addressBookId}/contacts/{contactId}";
    DeleteAllContactsFromAddressBook DELETE "/v2/address-books/{addressBookId}/contacts";
    UnsubscribeContactFromAddressBook
        POST "/v2/address-books/{addressBookId}/contacts/unsubscribe" <- apiContact;
    ResubscribeContactToAddressBook
        POST "/v2/address-books/{addressBookId}/contacts/resubscribe" <- apiContactResubscription -> status;
    GetContactById GET "/v2/contacts/{id}";
    GetContactByEmail GET "/v2/contacts/{email}";
    GetContacts GET "/v2/contacts";
    GetNewContacts GET "/v2/contacts/created-since/{startDate}";
    GetModifiedContacts GET "/v2/contacts/modified-since/{startDate}";
    GetSuppressedContacts GET "/v2/contacts/suppressed-since/{startDate}";
    GetUnsubscribedContacts GET "/v2/contacts/unsubscribed-since/{startDate}";
    CreateContact POST "/v2/contacts" <- apiContact;
    UpdateContact PUT "/v2/contacts/{apiContact.id}" <- apiContact;
    DeleteContact DELETE "/v2/contacts/{id}";
    UnsubscribeContact POST "/v2/contacts/unsubscribe" <- apiContact;
    ResubscribeContact POST "/v2/contacts/resubscribe" <- apiContactResubscription -> status;
    ImportContacts POST "/v2/contacts/import" <- data;
    ImportContactsToAddressBook POST "/v2/address-books/{addressBookId}/contacts/import" <- data;
    GetContactImportProgress GET "/v2/contacts/import/{importId}";
    GetContactImportReport GET "/v2/contacts/import/{importId}/report";
    GetContactImportReportFaults GET "/v2/contacts/import/{importId}/report-faults";
    GetCampaigns GET "/v2/campaigns";
    GetCampaignsForAddressBook GET "/v2/address-books/{addressBookId}/campaigns";
    GetSentCampaignsWithActivitySinceDate GET "/v2/campaigns/with-activity-since/{startDate}";
    GetCampaignById GET "/v2/campaigns/{id}/with-details";
    CreateCampaign POST "/v2/campaigns" <- apiCampaign;
    UpdateCampaign PUT "/v2/campaigns/{apiCampaign.id}" <- apiCampaign;
    CopyCampaign POST "/v2/campaigns/{campaignId}/copy";
    SendCampaign POST "/v2/campaigns/send" <- apiCampaignSend;
    GetCampaignSendProgress GET "/v2/campaigns/send/{sendId}";
    GetCampaignSummary GET "/v2/campaigns/{campaignId}/summary";
    GetCustomFromAddresses GET "/v2/custom-from-addresses";
    GetCampaignActivities GET "/v2/campaigns/{campaignId}/activities";
    GetCampaignActivitiesSinceDate GET "/v2/campaigns/{campaignId}/activities/since-date/{startDate}";
    GetCampaignContactActivity GET "/v2/campaigns/{campaignId}/activities/{contactId}";
    GetCampaignClicks GET "/v2/campaigns/{campaignId}/clicks";
    GetCampaignContactClicks GET "/v2/campaigns/{campaignId}/activities/{contactId}/clicks";
    GetCampaignOpens GET "/v2/campaigns/{campaignId}/opens";
    GetCampaignContactOpens GET "/v2/campaigns/{campaignId}/activities/{contactId}/opens";
    GetCampaignPageViewsSinceDate GET "/v2/campaigns/{campaignId}/page-views/since-date/{startDate}";
    GetCampaignContactPageViews GET "/v2/campaigns/{campaignId}/activities/{contactId}/page-views";
    GetCampaignContactReplies GET "/v2/campaigns/{campaignId}/activities/{contactId}/replies";
    GetCampaignSocialBookmarkViews GET "/v2/campaigns/{campaignId}/social-bookmark-views";
    GetCampaignContactSocialBookmarkViews
        GET "/v2/campaigns/{campaignId}/activities/{contactId}/social-bookmark-views";
    GetCampaignRoiDetailsSinceDate GET "/v2/campaigns/{campaignId}/roi-details/since-date/{startDate}";
    GetCampaignContactRoiDetails GET "/v2/campaigns/{campaignId}/activities/{contactId}/roi-details";
    GetCampaignHardBouncingContacts GET "/v2/campaigns/{campaignId}/hard-bouncing-contacts";
}

#[cfg(test)]
mod tests {
    use postroom_formats::soap::dotdigital::OPERATIONS;

    use super::*;
    use crate::dotdigital::rest::{Found, find};

    /// Each operation of the contract leads to a route of REST, and nothing else stands here.
    #[test]
    fn each_operation_is_served() {
        let arguments = json!({
            "apiContact": { "id": 1 }, "apiCampaign": { "id": 1 }, "apiAddressBook": { "id": 1 }, "id": 1,
            "contactId": 1, "campaignId": 1, "addressBookId": 1, "email": "a@x.example", "fieldName": "F",
            "startDate": "2024-01-01T00:00:00Z", "importId": "g", "sendId": "g",
        });
        for operation in OPERATIONS {
            let asked =
                asked(operation, &arguments).unwrap_or_else(|| panic!("{} has no way", operation.name));
            let found = find(asked.method, &asked.segments);
            assert!(matches!(found, Found::Route(..)), "{} leads nowhere: {asked:?}", operation.name);
        }
        assert_eq!(WAYS.len(), OPERATIONS.len());
    }
}
