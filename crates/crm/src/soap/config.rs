//! Where an organisation's SOAP service is and how it is spoken to. Reading and checking only.

use std::time::Duration;

use crate::webapi;
pub use crate::webapi::config::ConfigError;

/// The service, below the organisation's address.
const SERVICE: &str = "/XRMServices/2011/Organization.svc";

/// What an administrator sets. The server's generation is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The organisation: `https://contoso.crm4.dynamics.com`, `https://crm.contoso.example/Contoso`.
    org_url: String,
    /// Rows in a page at most; wide rows come in smaller pages. XML is wide: larger pages cost much memory, smaller ones calls;
    /// 5000 is the platform's most.
    pub page: u32,
    /// Messages in one at most; the platform takes 1000. Shrinks by itself when the server needs too long.
    pub batch: usize,
    /// How much of the parallelism that the server recommends is taken, in per cent; the rest is for other integrations.
    pub share: u32,
    /// The longest wait for one answer. The platform gives up after two minutes.
    pub timeout: Duration,
    /// The longest wait that the server may order within a call; for a longer one the work is put back.
    pub patience: Duration,
    /// Tries of one message that may be repeated.
    pub tries: u32,
}

impl Settings {
    /// The settings for an organisation, with defaults. What stands behind the organisation's own address is cut off
    /// (`/XRMServices/2011/Organization.svc`, `/main.aspx`), as people copy it.
    ///
    /// # Errors
    /// What is no URL, and `http` to another machine.
    pub fn new(org_url: &str) -> Result<Settings, ConfigError> {
        let end = org_url.to_ascii_lowercase().find("/xrmservices/").unwrap_or(org_url.len());
        let address = webapi::Settings::new(&org_url[..end])?;
        Ok(Settings {
            org_url: address.org_url().to_owned(),
            page: 1000,
            batch: 100,
            share: address.share,
            timeout: address.timeout,
            patience: address.patience,
            tries: address.tries,
        })
    }

    /// The organisation's address, without a slash at its end.
    pub fn org_url(&self) -> &str {
        &self.org_url
    }

    /// The service's address: what a claims token is made for.
    pub fn service(&self) -> String {
        format!("{}{SERVICE}", self.org_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        assert_eq!(Settings::new(url).unwrap().service(), expected, "{url}");
    }

    #[test]
    fn addresses_as_people_write_them() {
        let service = "https://crm.x.example:5555/Contoso/XRMServices/2011/Organization.svc";
        check("https://crm.x.example:5555/Contoso", service);
        check("https://crm.x.example:5555/Contoso/main.aspx", service);
        check("https://crm.x.example:5555/Contoso/XRMServices/2011/Organization.svc/web", service);
        check("https://crm.x.example:5555/Contoso/xrmservices/2011/organization.svc?wsdl", service);
        assert!(Settings::new("http://crm.x.example/XRMServices/2011/Organization.svc").is_err());
        assert!(Settings::new("contoso").is_err());
    }
}
