//! `[crm]`: which CRM the mail goes to, and how a CRM outside is reached and signed in to.

use std::path::PathBuf;

use postroom_crm::{soap, webapi};
use postroom_embedded::soap::Deployment;

use super::secret::SecretRef;
use super::setting::{Check, Reading, optional, section};
use super::units::{Size, Span};
use super::values::{Fingerprint, HttpUrl};
use super::words::words;

words!(/// The makes of CRM that this version speaks to.
CrmKind {
    /// The one inside postroom's own database.
    Embedded = "embedded",
    /// A Dynamics outside, over the Web API: 2016 and later.
    WebApi = "webapi",
    /// A Dynamics outside, over the Organization Service.
    Soap = "soap",
});

words!(/// How received mail gets into the CRM.
CrmDelivery {
    /// Written row by row, under ids of ours.
    Rows = "rows",
    /// By the server's own DeliverIncomingEmail.
    Server = "server",
});

words!(/// How one signs in to a CRM outside.
CrmSignIn {
    /// OAuth 2 with the application's secret.
    ClientSecret = "client_secret",
    /// OAuth 2 with the application's certificate.
    ClientCertificate = "client_certificate",
    /// OAuth 2 at AD FS with a user's password.
    Adfs = "adfs",
    /// A Windows account: Negotiate or NTLM.
    Windows = "windows",
    /// A user's password at a token service; SOAP only.
    WsTrust = "ws_trust",
    /// A token that is given.
    Token = "token",
});

words!(/// How the SOAP description of the embedded CRM says that one signs in.
SoapDeployment {
    /// Not at all: tokens and passwords go in HTTP's own headers.
    None = "none",
    /// As on premises: Windows accounts.
    ActiveDirectory = "active_directory",
    /// As on premises behind claims: tokens of an issuer.
    Federation = "federation",
    /// As online was.
    Online = "online",
});

words!(/// The versions of the Web API in URLs.
ApiVersion {
    V92 = "9.2",
    V91 = "9.1",
    V90 = "9.0",
    V82 = "8.2",
    V81 = "8.1",
    V80 = "8.0",
});

section! {
    /// The CRM that mail is filed in: the embedded one, or a Dynamics outside.
    pub struct Crm {
        /// "embedded" is the CRM inside postroom's own database; "webapi" a Dynamics 2016 or later, on premises or online,
        /// "soap" one of any generation. The keys after delivery are for CRMs outside, but for service_protection and what
        /// comes after it.
        pub kind: CrmKind = Some(CrmKind::Embedded), "\"embedded\"";
        /// How mail that is tracked gets into the CRM. "rows": postroom writes the e-mail, its parties, attachments and queue
        /// items itself. "server": it is handed to the CRM's own DeliverIncomingEmail, as the E-mail Router did; the CRM then
        /// asks each recipient's own setting (a user takes replies only, unless told otherwise), and what it does not take
        /// waits in review with the CRM's reason. Sent mail, and what a person attaches, is written as rows either way.
        pub delivery: CrmDelivery = Some(CrmDelivery::Rows), "\"rows\"";
        /// The organisation's address, as people open it in their browser.
        pub org_url: Option<HttpUrl> = optional(), "\"https://example.crm4.dynamics.com\"";
        /// "client_secret" or "client_certificate" (an application user, online), "adfs" (a user, IFD), "windows" (an
        /// account of the domain, on premises), "ws_trust" (a user, SOAP), "token" (given). Left out, what is set below
        /// decides.
        pub sign_in: Option<CrmSignIn> = optional(), "\"client_secret\"";
        /// The directory of the application: its domain or id. Left out, the CRM is asked where to sign in.
        pub tenant: Option<String> = optional(), "\"example.onmicrosoft.com\"";
        /// The identity provider, when it is not Microsoft's: of AD FS the host; for ws_trust the token service's address.
        pub authority: Option<HttpUrl> = optional(), "\"https://login.microsoftonline.com\"";
        /// What tokens are asked for, when the identity provider knows the CRM by another address than org_url.
        pub resource: Option<HttpUrl> = optional(), "\"https://auth.example.org\"";
        /// The application's id.
        pub client_id: Option<String> = optional(), "\"6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"";
        /// The application's secret: its value, not its id.
        pub client_secret: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/crm\" }";
        /// The application's certificate, PEM.
        pub client_certificate: Option<PathBuf> = optional(), "\"/etc/postroom/crm/cert.pem\"";
        /// The certificate's RSA key, PEM without a passphrase.
        pub client_private_key: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/crm-key\" }";
        /// The user of adfs, windows and ws_trust: name, DOMAIN\name or name@realm.
        pub username: Option<String> = optional(), "\"postroom\"";
        /// The user's domain, when it does not stand in username.
        pub domain: Option<String> = optional(), "\"EXAMPLE\"";
        /// The user's password.
        pub password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/crm-user\" }";
        /// A bearer token, read again for each request; of another postroom's CRM as `apitoken create --scope crm` gives it.
        pub token: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/crm-token\" }";
        /// Certificates of a private authority, PEM, believed besides those of the system.
        pub ca_file: Option<PathBuf> = optional(), "\"/etc/postroom/crm/ca.pem\"";
        /// The SHA-256 of the only certificate that is believed at the host of `org_url`.
        pub tls_pin: Option<Fingerprint> = optional(), "\"03D66DD08835C1CA3F128CCEACD1F31AC94163096B20F445AE84285BC0832D72\"";
        /// An HTTP proxy on the way to the CRM and its identity provider.
        pub proxy: Option<HttpUrl> = optional(), "\"http://proxy.example.org:3128\"";
        /// The user at the proxy.
        pub proxy_username: Option<String> = optional(), "\"postroom\"";
        /// The password at the proxy.
        pub proxy_password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/proxy\" }";
        /// The Web API's version in URLs; left out, the newest that the server answers.
        pub api_version: Option<ApiVersion> = optional(), "\"9.2\"";
        /// How much of the service protection's budget is left to other integrations, in per cent: of the requests at once
        /// that the server recommends, and of the requests in five minutes.
        pub leave_to_others: u32 = Some(50), "50";
        /// The longest wait for one answer; the platform gives up after two minutes.
        pub timeout: Span = Some(Span::seconds(150)), "\"150s\"";
        /// The longest wait that the server may order (Retry-After) within a job; for a longer one the job is put back.
        pub patience: Span = Some(Span::seconds(60)), "\"60s\"";
        /// The embedded CRM: whether each user has the platform's limits (6000 requests, 20 minutes of work within five
        /// minutes, 52 requests at once), answered with 429 and Retry-After. For trying out how a client bears them.
        pub service_protection: bool = Some(false), "false";
        /// The embedded CRM: the largest request that its doors take, batches and files included; larger ones are
        /// answered 413. Eight large ones are held in memory at once.
        pub max_request: Size = Some(Size::mib(64)), "\"64MiB\"";
        /// The embedded CRM: what the description of its SOAP service (`?wsdl`) says of signing in, for toolkits that read
        /// it there. "none" says nothing. "active_directory", "federation" (with soap_issuer) and "online" (with
        /// soap_issuer, soap_applies_to and soap_endpoint) say what a server of that kind says. Who may come in stays the
        /// same: the description only sends clients to the token service that you name.
        pub soap_deployment: SoapDeployment = Some(SoapDeployment::None), "\"none\"";
        /// The issuer of tokens that the description names: of AD FS its trust, online the access control service.
        pub soap_issuer: Option<String> = optional(), "\"http://sts.example.org/adfs/services/trust\"";
        /// For whom a token must be, as an online server names itself.
        pub soap_applies_to: Option<String> = optional(), "\"urn:crmna:dynamics.com\"";
        /// Where an online server sends clients for tokens.
        pub soap_endpoint: Option<String> = optional(), "\"https://login.example.org/RST2.srf\"";
    }
}

/// The keys of a way to sign in: those it needs, those it may have.
type Keys = (&'static [&'static str], &'static [&'static str]);

fn keys(sign_in: CrmSignIn) -> Keys {
    match sign_in {
        CrmSignIn::ClientSecret => (&["client_id", "client_secret"], &["tenant", "authority", "resource"]),
        CrmSignIn::ClientCertificate => {
            (&["client_id", "client_certificate", "client_private_key"], &["tenant", "authority", "resource"])
        }
        CrmSignIn::Adfs => (&["client_id", "username", "password"], &["authority", "resource", "domain"]),
        CrmSignIn::Windows => (&["username", "password"], &["domain"]),
        CrmSignIn::WsTrust => (&["username", "password"], &["authority", "domain"]),
        CrmSignIn::Token => (&["token"], &[]),
    }
}

/// What every CRM outside may be given, however it is signed in to.
const WAY: [&str; 7] =
    ["sign_in", "ca_file", "tls_pin", "proxy", "proxy_username", "proxy_password", "org_url"];

/// What only the doors of the embedded CRM use.
const DOORS: [&str; 6] = [
    "crm.service_protection",
    "crm.max_request",
    "crm.soap_deployment",
    "crm.soap_issuer",
    "crm.soap_applies_to",
    "crm.soap_endpoint",
];

impl Crm {
    /// What the SOAP description says of signing in.
    pub fn deployment(&self) -> Deployment {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        match self.soap_deployment {
            SoapDeployment::None => Deployment::None,
            SoapDeployment::ActiveDirectory => Deployment::ActiveDirectory,
            SoapDeployment::Federation => Deployment::Federation { issuer: text(&self.soap_issuer) },
            SoapDeployment::Online => Deployment::Online {
                applies_to: text(&self.soap_applies_to),
                issuer: text(&self.soap_issuer),
                endpoint: text(&self.soap_endpoint),
            },
        }
    }

    /// The description has all that its kind names, and nothing else is given.
    fn check_deployment(&self, cx: &mut Reading) {
        let needs: &[&str] = match self.soap_deployment {
            SoapDeployment::None | SoapDeployment::ActiveDirectory => &[],
            SoapDeployment::Federation => &["soap_issuer"],
            SoapDeployment::Online => &["soap_issuer", "soap_applies_to", "soap_endpoint"],
        };
        let word = self.soap_deployment.as_str();
        for (key, value) in [
            ("soap_issuer", &self.soap_issuer),
            ("soap_applies_to", &self.soap_applies_to),
            ("soap_endpoint", &self.soap_endpoint),
        ] {
            let (name, set) = (format!("crm.{key}"), value.as_ref().is_some_and(|text| !text.is_empty()));
            match (needs.contains(&key), set) {
                (true, false) => {
                    let text = format!("{name} is missing: soap_deployment = \"{word}\" needs it");
                    cx.refuse(&name, text);
                }
                (false, true) => {
                    cx.warn(&name, format!("{name} is not used: soap_deployment = \"{word}\" needs none"));
                }
                _ => {}
            }
        }
    }

    /// How this CRM is signed in to: as set, else as the other keys mean.
    pub fn way_in(&self) -> Option<CrmSignIn> {
        self.sign_in.or_else(|| {
            let given = |there: bool, way| there.then_some(way);
            given(self.token.is_some(), CrmSignIn::Token)
                .or_else(|| given(self.client_certificate.is_some(), CrmSignIn::ClientCertificate))
                .or_else(|| given(self.client_secret.is_some(), CrmSignIn::ClientSecret))
                .or_else(|| given(self.username.is_some() && self.client_id.is_some(), CrmSignIn::Adfs))
                .or_else(|| {
                    let way = if self.authority.is_some() { CrmSignIn::WsTrust } else { CrmSignIn::Windows };
                    given(self.username.is_some(), way)
                })
        })
    }

    /// Every key for CRMs outside, and whether it is set.
    fn given(&self) -> [(&'static str, bool); 19] {
        [
            ("org_url", self.org_url.is_some()),
            ("sign_in", self.sign_in.is_some()),
            ("tenant", self.tenant.is_some()),
            ("authority", self.authority.is_some()),
            ("resource", self.resource.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("client_certificate", self.client_certificate.is_some()),
            ("client_private_key", self.client_private_key.is_some()),
            ("username", self.username.is_some()),
            ("domain", self.domain.is_some()),
            ("password", self.password.is_some()),
            ("token", self.token.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("tls_pin", self.tls_pin.is_some()),
            ("proxy", self.proxy.is_some()),
            ("proxy_username", self.proxy_username.is_some()),
            ("proxy_password", self.proxy_password.is_some()),
            ("api_version", self.api_version.is_some()),
        ]
    }

    fn check_outside(&self, cx: &mut Reading) {
        let kind = self.kind.as_str();
        let read = |url: &HttpUrl| match self.kind {
            CrmKind::Soap => soap::Settings::new(url.as_ref()).map(drop),
            CrmKind::WebApi | CrmKind::Embedded => webapi::Settings::new(url.as_ref()).map(drop),
        };
        match self.org_url.as_ref().map(read) {
            None => {
                let text =
                    format!("crm.org_url is missing: kind = \"{kind}\" needs the organisation's address");
                cx.refuse("crm.org_url", text);
            }
            Some(Err(error)) => cx.refuse("crm.org_url", format!("crm.org_url: {error}")),
            Some(Ok(())) => {}
        }
        match self.way_in() {
            None => {
                let text = "crm.sign_in is missing: set client_id and client_secret, username and password, or token";
                cx.refuse("crm.sign_in", text);
            }
            Some(CrmSignIn::WsTrust) if self.kind == CrmKind::WebApi => {
                let text = "crm.sign_in = \"ws_trust\" signs SOAP messages: set kind = \"soap\", or sign_in = \"adfs\"";
                cx.refuse("crm.sign_in", text);
            }
            Some(way) => self.check_way_in(way, cx),
        }
        if self.proxy.is_none() && (self.proxy_username.is_some() || self.proxy_password.is_some()) {
            cx.refuse("crm.proxy_username", "crm.proxy_username and crm.proxy_password need crm.proxy");
        }
        if self.leave_to_others > 95 {
            let text =
                format!("crm.leave_to_others takes a number from 0 to 95, not {}", self.leave_to_others);
            cx.refuse("crm.leave_to_others", text);
        }
        for key in DOORS {
            if cx.origins.contains_key(key) {
                cx.warn(key, format!("{key} is not used: only the embedded CRM has doors"));
            }
        }
    }

    fn check_way_in(&self, way: CrmSignIn, cx: &mut Reading) {
        let (needs, may) = keys(way);
        let word = way.as_str();
        for (key, set) in self.given() {
            let name = format!("crm.{key}");
            if needs.contains(&key) && !set {
                cx.refuse(&name, format!("{name} is missing: sign_in = \"{word}\" needs it"));
            }
            let version = key == "api_version" && self.kind == CrmKind::WebApi;
            if set && !needs.contains(&key) && !may.contains(&key) && !WAY.contains(&key) && !version {
                let why = match key {
                    "api_version" => format!("kind = \"{}\" has none", self.kind.as_str()),
                    _ => format!("sign_in = \"{word}\" needs none"),
                };
                cx.warn(&name, format!("{name} is not used: {why}"));
            }
        }
        let by_application = matches!(way, CrmSignIn::ClientSecret | CrmSignIn::ClientCertificate);
        if by_application && self.authority.is_some() && self.tenant.is_none() {
            let text = "crm.tenant is missing: authority alone does not say whose application it is";
            cx.refuse("crm.tenant", text);
        }
        if self.domain.is_some() && self.username.as_ref().is_some_and(|name| name.contains(['\\', '@'])) {
            cx.refuse("crm.domain", "crm.domain stands in crm.username already: keep one of them");
        }
    }
}

impl Check for Crm {
    fn check(&self, cx: &mut Reading) {
        match self.kind {
            CrmKind::Embedded => {
                for (key, _) in self.given().into_iter().filter(|(_, given)| *given) {
                    cx.warn(
                        &format!("crm.{key}"),
                        format!("crm.{key} is not used: the embedded CRM needs none"),
                    );
                }
                self.check_deployment(cx);
            }
            CrmKind::WebApi | CrmKind::Soap => self.check_outside(cx),
        }
    }
}
