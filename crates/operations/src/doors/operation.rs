//! What a request at a door does, in a word of a short list: the label of its metrics. Names of tables, users and rows
//! never become labels.

use http::Method;
use postroom_core::{DoorKind, DoorRequest};

/// The operations of the Organization service.
const SERVICE: [&str; 8] =
    ["Create", "Retrieve", "Update", "Delete", "RetrieveMultiple", "Associate", "Disassociate", "Execute"];

/// The sets that hold definitions.
const DEFINITIONS: [&str; 5] = [
    "$metadata",
    "EntityDefinitions",
    "RelationshipDefinitions",
    "GlobalOptionSetDefinitions",
    "ManagedPropertyDefinitions",
];

pub(super) fn of(request: &DoorRequest) -> &'static str {
    match request.kind {
        DoorKind::WebApi => web_api(&request.method, &request.url),
        DoorKind::Soap => soap(request),
    }
}

fn web_api(method: &Method, url: &str) -> &'static str {
    let path = url.split('?').next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let below = lower.find("/api/data").map_or("", |at| &path[at + "/api/data".len()..]);
    // The version, then what is asked for.
    let resource = below.trim_start_matches('/').split_once('/').map_or("", |(_, resource)| resource);
    let first = resource.split(['/', '(']).next().unwrap_or_default();
    match *method {
        _ if first == "$batch" => "batch",
        _ if first.is_empty() => "service",
        _ if DEFINITIONS.contains(&first) && *method == Method::GET => "definitions",
        _ if DEFINITIONS.contains(&first) => "define",
        Method::GET if is_message(resource) => "function",
        Method::POST if is_message(resource) => "action",
        Method::GET if resource.contains('(') => "retrieve",
        Method::GET => "query",
        Method::POST => "create",
        Method::PATCH | Method::PUT => "update",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// Messages begin with a capital, as sets never do; bound ones carry the namespace.
fn is_message(resource: &str) -> bool {
    resource.starts_with(|first: char| first.is_ascii_uppercase())
        || resource.contains("/Microsoft.Dynamics.CRM.")
}

/// By the action: a header of its own in SOAP 1.1, a parameter of the media type in 1.2.
fn soap(request: &DoorRequest) -> &'static str {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let kind = header("content-type").unwrap_or_default();
    let in_kind = kind.split(';').find_map(|part| part.trim().strip_prefix("action="));
    let action = header("soapaction").or(in_kind).unwrap_or_default().trim_matches('"');
    let last = action.rsplit('/').next().unwrap_or_default();
    SERVICE.iter().find(|known| **known == last).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, url: &str, expected: &str) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(web_api(&method, url), expected, "{method} {url}");
    }

    #[test]
    fn requests_have_a_word() {
        check("GET", "/api/data/v9.2/contacts?$select=fullname", "query");
        check("GET", "/org/api/data/v9.2/contacts(6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11)", "retrieve");
        check("POST", "/api/data/v9.2/contacts", "create");
        check("PATCH", "/api/data/v9.2/contacts(name='Bob')", "update");
        check("DELETE", "/api/data/v9.2/contacts(1)", "delete");
        check("POST", "/API/data/v9.2/$batch", "batch");
        check("GET", "/api/data/v9.2/$metadata", "definitions");
        check("POST", "/api/data/v9.2/EntityDefinitions(LogicalName='x')/Attributes", "define");
        check("GET", "/api/data/v9.2/WhoAmI()", "function");
        check("POST", "/api/data/v9.2/emails(1)/Microsoft.Dynamics.CRM.SendEmail", "action");
        check("GET", "/api/data/v9.2/", "service");
        check("GET", "/api/data", "service");
        check("MOVE", "/api/data/v9.2/contacts", "other");
    }
}
