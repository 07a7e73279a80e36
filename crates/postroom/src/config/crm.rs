//! `[crm]`: which CRM the mail goes to.

use super::secret::SecretRef;
use super::setting::{Check, Reading, optional, section};
use super::units::Size;
use super::values::HttpUrl;
use super::words::words;

words!(/// The makes of CRM that this version speaks to.
CrmKind {
    /// The one inside postroom's own database.
    Embedded = "embedded",
});

section! {
    /// The CRM that mail is filed in.
    pub struct Crm {
        /// "embedded" is the CRM inside postroom's own database.
        pub kind: CrmKind = Some(CrmKind::Embedded), "\"embedded\"";
        /// The organisation's address; the embedded CRM needs none.
        pub org_url: Option<HttpUrl> = optional(), "\"https://example.crm4.dynamics.com\"";
        /// The application's id for sign-in; the embedded CRM needs none.
        pub client_id: Option<String> = optional(), "\"6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"";
        /// The application's secret; the embedded CRM needs none.
        pub client_secret: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/crm\" }";
        /// The embedded CRM: whether each user has the platform's limits (6000 requests, 20 minutes of work within five
        /// minutes, 52 requests at once), answered with 429 and Retry-After. For trying out how a client bears them.
        pub service_protection: bool = Some(false), "false";
        /// The embedded CRM: the largest request that its doors take, batches and files included; larger ones are
        /// answered 413. Eight large ones are held in memory at once.
        pub max_request: Size = Some(Size::mib(64)), "\"64MiB\"";
    }
}

impl Check for Crm {
    fn check(&self, cx: &mut Reading) {
        let given = [
            ("crm.org_url", self.org_url.is_some()),
            ("crm.client_id", self.client_id.is_some()),
            ("crm.client_secret", self.client_secret.is_some()),
        ];
        for (key, _) in given.into_iter().filter(|(_, given)| *given) {
            cx.warn(key, format!("{key} is not used: the embedded CRM needs none"));
        }
    }
}
