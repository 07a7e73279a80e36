//! How a CRM wants to be signed in to, as it says itself: the policy in the service's WSDL (protocol-annex.md 1.1, 1.2), with
//! the token service's own description where the policy names it, and the challenge of the Web API (dataverse.md D1).

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use postroom_core::{Code, Fault, Verdict};
use postroom_formats::xml::{self, Element};

use super::refusal::{no_answer, retry_after};
use super::soap::{limits, wrong_address};
use super::transport::{Anonymous, Transport};
use crate::webapi::config::is_here;

/// Imports that are followed at most.
const IMPORTS: usize = 8;

/// `Authentication` of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Windows sign-in.
    ActiveDirectory,
    /// Claims.
    Federation {
        /// The token service's, such as `http://sts.example.com/adfs/services/trust`.
        identifier: String,
        /// Where it describes itself, such as `https://sts.example.com/adfs/services/trust/mex`.
        metadata: Option<String>,
    },
    /// Microsoft's cloud: OAuth 2.
    Online,
}

/// Reads the policy of the service at `url` (`…/Organization.svc`, `…/Discovery.svc`), which needs no sign-in.
///
/// # Errors
/// [`Verdict::Hold`] when there is no such service, or its WSDL has no policy.
pub async fn policy(client: &reqwest::Client, url: &str) -> Result<Policy, Fault> {
    let client = Anonymous(client.clone());
    let root = wsdl(&client, &format!("{url}?wsdl")).await?;
    if let Some(policy) = read(&root) {
        return Ok(policy);
    }
    for location in imports(&root).into_iter().take(IMPORTS) {
        // A server behind a proxy names itself by its inner name: only the question mark and what follows is used.
        let Some((_, query)) = location.split_once('?') else { continue };
        if let Some(policy) = read(&wsdl(&client, &format!("{url}?{query}")).await?) {
            return Ok(policy);
        }
    }
    Err(no_answer(&format!("the WSDL of {url} has no authentication policy")))
}

/// The address of the token service that takes names and passwords, of a CRM with claims.
///
/// # Errors
/// [`Verdict::Hold`] when the CRM signs in otherwise; the text says how.
pub async fn token_service(client: &reqwest::Client, url: &str) -> Result<String, Fault> {
    let other = |how: &str| {
        let message = format!("{url} is not signed in to through AD FS; {how}");
        Err(Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, message))
    };
    match policy(client, url).await? {
        Policy::Federation { identifier, metadata } => {
            let described = match metadata.filter(|place| is_safe(place)) {
                Some(place) => described(&Anonymous(client.clone()), &place).await,
                None => None,
            };
            Ok(described.unwrap_or_else(|| endpoint(&identifier)))
        }
        Policy::ActiveDirectory => other("use the Windows sign-in"),
        Policy::Online => other("use OAuth 2 with a client secret or certificate"),
    }
}

/// The port of AD FS that takes names and passwords, and how its address ends.
const PORT: &str = "UserNameWSTrustBinding_IWSTrust13Async";
const PATH: &str = "/13/usernamemixed";

/// The token service's address as it tells it itself. It may not tell: then its identifier says where it is.
async fn described(client: &Anonymous, place: &str) -> Option<String> {
    let description = wsdl(client, place).await.ok()?;
    let mut ports = Vec::new();
    gather(&description, "port", &mut ports);
    let address = |port: &&Element| {
        let location = port.child("address")?.get("location")?;
        is_safe(location).then(|| location.to_owned())
    };
    let named = ports.iter().find(|port| port.get("name") == Some(PORT)).and_then(address);
    named.or_else(|| ports.iter().filter_map(address).find(|location| location.ends_with(PATH)))
}

/// A password goes nowhere without TLS, but to this machine itself.
fn is_safe(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    uri.is_some_and(|uri| match uri.scheme_str() {
        Some("https") => true,
        Some("http") => uri.host().is_some_and(is_here),
        _ => false,
    })
}

/// AD FS names itself with `http:` and listens on `https:`.
fn endpoint(identifier: &str) -> String {
    let secure =
        identifier.strip_prefix("http://").map_or(identifier.to_owned(), |rest| format!("https://{rest}"));
    format!("{}{PATH}", secure.trim_end_matches('/'))
}

async fn wsdl(client: &Anonymous, url: &str) -> Result<Element, Fault> {
    let answer = get(client, url).await?;
    match answer.status() {
        StatusCode::OK => {
            let text =
                std::str::from_utf8(answer.body()).map_err(|_| no_answer(&format!("{url} is no UTF-8")))?;
            xml::read(text, &limits()).map_err(|error| no_answer(&format!("{url} is no WSDL: {error}")))
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            let verdict = Verdict::Retry { after: retry_after(answer.headers()) };
            Err(Fault::new(verdict, Code::CRM_AWAY, format!("{url} is busy or failing ({status})")))
        }
        status => Err(no_answer(&format!("{url} answers {status}"))),
    }
}

async fn get(client: &Anonymous, url: &str) -> Result<Response<Bytes>, Fault> {
    let request = Request::get(url).body(Bytes::new()).map_err(|_| wrong_address(url))?;
    client.send(request).await
}

fn read(wsdl: &Element) -> Option<Policy> {
    let mut policies = Vec::new();
    gather(wsdl, "AuthenticationPolicy", &mut policies);
    policies.into_iter().find_map(|policy| match policy.text_of("Authentication")? {
        "ActiveDirectory" => Some(Policy::ActiveDirectory),
        "LiveId" | "OnlineFederation" => Some(Policy::Online),
        "Federation" => {
            let identifier = policy.child("SecureTokenService")?.text_of("Identifier")?.to_owned();
            Some(Policy::Federation { identifier, metadata: metadata(wsdl) })
        }
        _ => None,
    })
}

/// Where the issuer of the tokens that the service wants describes itself (WS-SecurityPolicy 5.4.2: `sp:IssuedToken`).
fn metadata(wsdl: &Element) -> Option<String> {
    let (mut issuers, mut references) = (Vec::new(), Vec::new());
    gather(wsdl, "Issuer", &mut issuers);
    issuers.into_iter().for_each(|issuer| gather(issuer, "MetadataReference", &mut references));
    references
        .into_iter()
        .find_map(|reference| reference.text_of("Address"))
        .map(|text| text.trim().to_owned())
}

fn imports(wsdl: &Element) -> Vec<&str> {
    let mut found = Vec::new();
    gather(wsdl, "import", &mut found);
    found.into_iter().filter_map(|import| import.get("location")).collect()
}

/// All elements of that local name. The reader bounds the depth.
fn gather<'e>(at: &'e Element, local: &str, found: &mut Vec<&'e Element>) {
    if at.name.local == local {
        found.push(at);
    }
    at.children.iter().for_each(|child| gather(child, local, found));
}

/// Where the Web API sends those who have no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// `https://login.microsoftonline.com/TENANT/oauth2/authorize`.
    pub authorization: String,
    /// What a token must be for.
    pub resource: Option<String>,
}

impl Authority {
    /// The tenant in the address: its first part.
    pub fn tenant(&self) -> Option<String> {
        let uri: Uri = self.authorization.parse().ok()?;
        uri.path().split('/').find(|part| !part.is_empty()).map(str::to_owned)
    }
}

/// Asks the Web API without a token. `None` when it wants something else than a bearer token.
///
/// # Errors
/// When the CRM cannot be reached.
pub async fn authority(client: &reqwest::Client, org_url: &str) -> Result<Option<Authority>, Fault> {
    let url = format!("{}/api/data", org_url.trim_end_matches('/'));
    let answer = get(&Anonymous(client.clone()), &url).await?;
    Ok((answer.status() == StatusCode::UNAUTHORIZED).then(|| challenge(answer.headers())).flatten())
}

fn challenge(headers: &HeaderMap) -> Option<Authority> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let bearer = values.filter_map(|value| value.strip_prefix("Bearer ")).next()?;
    let of = |name: &str| {
        let mut parts = bearer.split(',').filter_map(|part| part.trim().split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned())
    };
    Some(Authority { authorization: of("authorization_uri")?, resource: of("resource_id") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(policy: &str, expected: Option<Policy>) {
        let text = format!(
            "<wsdl:definitions xmlns:wsdl='w'><p:Policy xmlns:p='p'>\
             <m:AuthenticationPolicy xmlns:m='m'>{policy}</m:AuthenticationPolicy></p:Policy></wsdl:definitions>"
        );
        assert_eq!(read(&xml::read(&text, &limits()).unwrap()), expected, "{policy}");
    }

    #[test]
    fn policies() {
        let sts = "http://sts.example.com/adfs/services/trust";
        let service =
            format!("<m:SecureTokenService><m:Identifier>{sts}</m:Identifier></m:SecureTokenService>");
        check("<m:Authentication>ActiveDirectory</m:Authentication>", Some(Policy::ActiveDirectory));
        check(
            &format!("<m:Authentication>Federation</m:Authentication>{service}"),
            Some(Policy::Federation { identifier: sts.into(), metadata: None }),
        );
        check("<m:Authentication>OnlineFederation</m:Authentication>", Some(Policy::Online));
        check("<m:Authentication>Federation</m:Authentication>", None);
        check("", None);
    }

    #[test]
    fn the_token_service_listens_in_tls() {
        let https = "https://sts.example.com/adfs/services/trust/13/usernamemixed";
        assert_eq!(endpoint("http://sts.example.com/adfs/services/trust"), https);
        assert_eq!(endpoint("https://sts.example.com/adfs/services/trust/"), https);
    }

    #[test]
    fn the_web_apis_challenge() {
        let headers = |text: &str| HeaderMap::from_iter([(WWW_AUTHENTICATE, text.parse().unwrap())]);
        let found = challenge(&headers(
            "Bearer authorization_uri=https://login.example.com/7c1f/oauth2/authorize, resource_id=https://org.example.com/",
        ));
        let found = found.unwrap();
        assert_eq!(found.tenant().unwrap(), "7c1f");
        assert_eq!(found.resource.unwrap(), "https://org.example.com/");
        assert_eq!(challenge(&headers("NTLM")), None);
    }
}
