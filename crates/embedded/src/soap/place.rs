//! What a URL means: which service, in whose organisation, and which part of its description.

/// The two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Organization,
    Discovery,
}

/// A URL of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub service: Service,
    /// What stands before `/XRMServices`: empty, or `/contoso`.
    pub root: String,
    /// Path of the service, without `/web`.
    pub path: String,
    /// Names and values of the query string, names in lower case.
    pub query: Vec<(String, String)>,
}

const ORGANIZATION: &str = "/xrmservices/2011/organization.svc";
const DISCOVERY: &str = "/xrmservices/2011/discovery.svc";

impl Place {
    /// Reads path and query, or a whole URL; IIS does not mind case.
    pub(super) fn of(url: &str) -> Option<Place> {
        let path = match url.find("://") {
            Some(scheme) => {
                let rest = &url[scheme + 3..];
                &rest[rest.find('/')?..]
            }
            None => url,
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let lower = path.to_ascii_lowercase();
        let bare = lower.strip_suffix('/').unwrap_or(&lower);
        let bare = bare.strip_suffix("/web").unwrap_or(bare);
        let (service, root) = match (bare.strip_suffix(ORGANIZATION), bare.strip_suffix(DISCOVERY)) {
            (Some(root), _) => (Service::Organization, root.len()),
            (_, Some(root)) => (Service::Discovery, root.len()),
            _ => return None,
        };
        // An organisation's name may stand before, and nothing else.
        let before = path.get(..root)?;
        if !(before.is_empty() || before.starts_with('/') && before.matches('/').count() == 1) {
            return None;
        }
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Some(Place {
            service,
            root: before.to_owned(),
            path: path.get(..bare.len())?.to_owned(),
            query: query.collect(),
        })
    }

    /// The value of a parameter; an empty text when it stands there without one.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<(Service, &str, &str)>) {
        let place = Place::of(url);
        let found = place.as_ref().map(|place| (place.service, place.root.as_str(), place.path.as_str()));
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn urls() {
        let path = "/XRMServices/2011/Organization.svc";
        let organization = |root, path| Some((Service::Organization, root, path));
        check(path, organization("", path));
        check("/XRMServices/2011/Organization.svc/web?SDKClientVersion=9.2", organization("", path));
        check(
            "/xrmservices/2011/organization.svc?wsdl",
            organization("", "/xrmservices/2011/organization.svc"),
        );
        let own = "/contoso/XRMServices/2011/Organization.svc";
        check(own, organization("/contoso", own));
        check(&format!("https://crm.example:8443{own}/web"), organization("/contoso", own));
        let discovery = "/XRMServices/2011/Discovery.svc";
        check(discovery, Some((Service::Discovery, "", discovery)));
        for other in
            ["/", "/XRMServices/2011/OrganizationData.svc", "/a/b/XRMServices/2011/Organization.svc", "x"]
        {
            check(other, None);
        }
    }

    #[test]
    fn parameters() {
        let place = Place::of("/XRMServices/2011/Organization.svc?WSDL&sdkversion=7.0").unwrap();
        assert_eq!((place.parameter("wsdl"), place.parameter("sdkversion")), (Some(""), Some("7.0")));
        assert_eq!(place.parameter("xsd"), None);
    }
}
