//! The policy node: how a client has to sign in (protocol-annex.md 1.2). Toolkits take the first `Identifier` that they find,
//! so the order of the members matters.

use super::escaped;
use crate::soap::Deployment;

const SERVICES_2011: &str = "http://schemas.microsoft.com/xrm/2011/Contracts/Services";
const SERVICES_2012: &str = "http://schemas.microsoft.com/xrm/2012/Contracts/Services";
const FAILOVER: &str = "<ms-xrm:FailoverPolicy xmlns:ms-xrm=\"http://schemas.microsoft.com/xrm/2012/Contracts/Services\">\
    <ms-xrm:FailoverAvailable>false</ms-xrm:FailoverAvailable><ms-xrm:EndpointEnabled>true</ms-xrm:EndpointEnabled>\
    </ms-xrm:FailoverPolicy>";
const TRANSPORT: &str = "<sp:TransportBinding xmlns:sp=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702\">\
    <wsp:Policy><sp:TransportToken><wsp:Policy><sp:HttpsToken><wsp:Policy /></sp:HttpsToken></wsp:Policy>\
    </sp:TransportToken><sp:AlgorithmSuite><wsp:Policy><sp:TripleDes /></wsp:Policy></sp:AlgorithmSuite><sp:Layout>\
    <wsp:Policy><sp:Strict /></wsp:Policy></sp:Layout><sp:IncludeTimestamp /></wsp:Policy></sp:TransportBinding>";
const TRUST: &str = "<sp:Wss11 xmlns:sp=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702\"><wsp:Policy />\
    </sp:Wss11><sp:Trust13 xmlns:sp=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702\"><wsp:Policy>\
    <sp:MustSupportIssuedTokens /><sp:RequireClientEntropy /><sp:RequireServerEntropy /></wsp:Policy></sp:Trust13>";

pub(super) fn write(deployment: &Deployment, id: &str) -> String {
    let inside = match deployment {
        Deployment::None => String::new(),
        Deployment::ActiveDirectory => format!("{FAILOVER}{}", authentication("ActiveDirectory", "")),
        Deployment::Federation { issuer } => {
            let issuer = escaped(issuer);
            let service = format!(
                "<ms-xrm:SecureTokenService><ms-xrm:Identifier>{issuer}</ms-xrm:Identifier></ms-xrm:SecureTokenService>"
            );
            let node = authentication("Federation", &service);
            format!("{FAILOVER}{node}{TRANSPORT}{}{TRUST}", endorsing(&issuer))
        }
        Deployment::Online { applies_to, issuer, endpoint } => {
            online(&escaped(applies_to), &escaped(issuer), &escaped(endpoint))
        }
    };
    format!(
        "  <wsp:Policy wsu:Id=\"{id}\"><wsp:ExactlyOne><wsp:All>{inside}<wsaw:UsingAddressing /></wsp:All>\
         </wsp:ExactlyOne></wsp:Policy>\n"
    )
}

fn authentication(kind: &str, service: &str) -> String {
    format!(
        "<ms-xrm:AuthenticationPolicy xmlns:ms-xrm=\"{SERVICES_2011}\"><ms-xrm:Authentication>{kind}\
         </ms-xrm:Authentication>{service}</ms-xrm:AuthenticationPolicy>"
    )
}

/// Where the issuer describes itself: over TLS, whatever its name begins with.
fn endorsing(issuer: &str) -> String {
    let at = match issuer.strip_prefix("http:") {
        Some(rest) => format!("https:{rest}"),
        None => issuer.to_owned(),
    };
    format!(
        "<sp:EndorsingSupportingTokens xmlns:sp=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702\">\
         <wsp:Policy><sp:IssuedToken><Issuer xmlns=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702\">\
         <Address xmlns=\"http://www.w3.org/2005/08/addressing\">http://www.w3.org/2005/08/addressing/anonymous</Address>\
         <Metadata xmlns=\"http://www.w3.org/2005/08/addressing\"><Metadata \
         xmlns=\"http://schemas.xmlsoap.org/ws/2004/09/mex\"><MetadataSection><MetadataReference><Address \
         xmlns=\"http://www.w3.org/2005/08/addressing\">{at}/mex</Address></MetadataReference></MetadataSection></Metadata>\
         </Metadata></Issuer><sp:RequireInternalReference /></sp:IssuedToken></wsp:Policy></sp:EndorsingSupportingTokens>"
    )
}

fn online(applies_to: &str, issuer: &str, endpoint: &str) -> String {
    let trust = format!(
        "<ms-xrm:AppliesTo>{applies_to}</ms-xrm:AppliesTo><ms-xrm:TrustVersion>WSTrustFeb2005</ms-xrm:TrustVersion>\
         <ms-xrm:SecurityMode>TransportWithMessageCredential</ms-xrm:SecurityMode><ms-xrm:LivePolicy>MBI_FED_SSL\
         </ms-xrm:LivePolicy><ms-xrm:LiveIdAppliesTo>http://Passport.NET/tb</ms-xrm:LiveIdAppliesTo>"
    );
    const IDENTIFIER: &str = "<ms-xrm:Identifier>urn:federation:MicrosoftOnline</ms-xrm:Identifier>";
    let live = authentication(
        "LiveId",
        &format!(
            "<ms-xrm:SecureTokenService>{IDENTIFIER}<ms-xrm:LiveTrust>{trust}</ms-xrm:LiveTrust>\
             </ms-xrm:SecureTokenService>"
        ),
    );
    format!(
        "{FAILOVER}{live}<ms-xrm:AuthenticationPolicy xmlns:ms-xrm=\"{SERVICES_2012}\"><ms-xrm:Authentication>\
         OnlineFederation</ms-xrm:Authentication><ms-xrm:SecureTokenService><ms-xrm:Identifier>{issuer}\
         </ms-xrm:Identifier><ms-xrm:OrgTrust>{trust}<ms-xrm:LiveEndpoint>{endpoint}</ms-xrm:LiveEndpoint>{IDENTIFIER}\
         </ms-xrm:OrgTrust></ms-xrm:SecureTokenService></ms-xrm:AuthenticationPolicy>{TRANSPORT}{TRUST}"
    )
}
