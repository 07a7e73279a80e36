//! Where an organisation is and how it is spoken to. Reading and checking only.

use std::time::Duration;

/// What an administrator sets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The organisation: `https://contoso.crm4.dynamics.com`, `https://crm.contoso.example/Contoso`.
    org_url: String,
    /// The Web API's version in URLs (`9.2`); without one the newest that the server answers is taken.
    pub version: Option<String>,
    /// Rows in a page. Larger pages cost memory, smaller ones calls; 5000 is the platform's most.
    pub page: u32,
    /// Requests of one batch at most; the platform takes 1000. Shrinks by itself when the server needs too long.
    pub batch: usize,
    /// How much of the parallelism that the server recommends is taken, in per cent; the rest is for other integrations.
    pub share: u32,
    /// The longest wait for one answer. The platform gives up after two minutes.
    pub timeout: Duration,
    /// The longest wait that the server may order within a call; for a longer one the work is put back.
    pub patience: Duration,
    /// Tries of one request that may be repeated.
    pub tries: u32,
}

/// Why an address is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "{0:?} is no URL: write the organisation's address, for instance https://contoso.crm4.dynamics.com"
    )]
    NoUrl(String),
    #[error(
        "{0} is not protected: write https://; a CRM without TLS is spoken to on this machine only (localhost)"
    )]
    Open(String),
}

impl Settings {
    /// The settings for an organisation, with defaults. What stands behind the organisation's own address is cut off
    /// (`/api/data/v9.2`, `/main.aspx`), as people copy it from their browser.
    ///
    /// # Errors
    /// What is no URL, and `http` to another machine.
    pub fn new(org_url: &str) -> Result<Settings, ConfigError> {
        let text = org_url.trim();
        let url = reqwest::Url::parse(text).map_err(|_| ConfigError::NoUrl(text.to_owned()))?;
        let host = url.host_str().ok_or_else(|| ConfigError::NoUrl(text.to_owned()))?;
        let local = is_here(host);
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            "http" => return Err(ConfigError::Open(format!("http://{host}"))),
            _ => return Err(ConfigError::NoUrl(text.to_owned())),
        }
        let origin = url.origin().ascii_serialization();
        let path = url.path().split("/api/").next().unwrap_or_default();
        let path = path.strip_suffix("main.aspx").unwrap_or(path).trim_end_matches('/');
        Ok(Settings {
            org_url: format!("{origin}{path}"),
            version: None,
            page: 5000,
            batch: 200,
            share: 50,
            timeout: Duration::from_secs(150),
            patience: Duration::from_secs(60),
            tries: 4,
        })
    }

    /// The organisation's address, without a slash at its end.
    pub fn org_url(&self) -> &str {
        &self.org_url
    }

    /// `https://contoso.crm4.dynamics.com/api/data/v9.2`
    pub(crate) fn root(&self, version: &str) -> String {
        format!("{}/api/data/v{version}", self.org_url)
    }
}

/// Whether a host is this machine itself, by name or address.
pub(crate) fn is_here(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<&str, ()>) {
        let found = Settings::new(url);
        assert_eq!(found.as_ref().map(Settings::org_url).map_err(drop), expected, "{url}");
    }

    #[test]
    fn addresses_as_people_write_them() {
        check("https://contoso.crm4.dynamics.com", Ok("https://contoso.crm4.dynamics.com"));
        check(" https://contoso.crm4.dynamics.com/ ", Ok("https://contoso.crm4.dynamics.com"));
        check("https://contoso.crm4.dynamics.com/api/data/v9.1/", Ok("https://contoso.crm4.dynamics.com"));
        check(
            "https://crm.x.example:5555/Contoso/main.aspx?etn=lead",
            Ok("https://crm.x.example:5555/Contoso"),
        );
        check("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080"));
        check("http://127.9.0.1:8080", Ok("http://127.9.0.1:8080"));
        check("http://[::1]:8080", Ok("http://[::1]:8080"));
        check("http://crm.x.example", Err(()));
        check("contoso.crm4.dynamics.com", Err(()));
        check("ftp://x.example", Err(()));
        check("", Err(()));
    }
}
