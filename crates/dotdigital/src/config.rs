//! Where an account is and how it is spoken to. Reading and checking only.

use std::time::Duration;

/// Which of the service's APIs people go by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Api {
    /// People by v3, everything else by v2.
    #[default]
    V3,
    /// v2 only, for accounts without v3: no identifiers, and imports do not say who is who.
    V2,
    /// SOAP v2, for accounts that take nothing else: what v2 has, less what is younger than SOAP.
    Soap,
}

/// What an administrator sets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the account is asked for: `https://r1-api.dotdigital.com`.
    base: String,
    /// What the service said last time; saves a call.
    endpoint: Option<String>,
    pub api: Api,
    /// Rows in a page of v2; the service takes 1000.
    pub page: u32,
    /// People in a page of v3; the service takes 5000.
    pub contacts_page: u32,
    /// Rows that a page of v2 shares with the one before. Fewer cost calls when rows shift, more cost calls when they do not.
    pub overlap: u32,
    /// Bytes of one import; the service takes 50 MB.
    pub import_bytes: usize,
    /// Requests on their way at once.
    pub parallel: usize,
    /// Of each limit, in per cent, kept for what a person waits for.
    pub reserve: u32,
    /// The longest wait for one answer; the service may need two minutes.
    pub timeout: Duration,
    /// The longest wait for a limit within a call; for a longer one the work is put back.
    pub patience: Duration,
    /// Tries of one request that may be repeated.
    pub tries: u32,
    /// The wait after the first try at most; it doubles with each.
    pub pause: Duration,
}

/// Why an address is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "{0:?} is no URL: write the address of the service's API, for instance https://r1-api.dotdigital.com"
    )]
    NoUrl(String),
    #[error(
        "{0} is not protected: write https://; a service without TLS is spoken to on this machine only (localhost)"
    )]
    Open(String),
}

impl Settings {
    /// Where an account is asked for when nothing is known of it: this region answers for all.
    pub const FIRST_REGION: &'static str = "https://r1-api.dotdigital.com";

    /// The settings for an account, with defaults. What stands behind the host (`/v2`) is cut off.
    ///
    /// # Errors
    /// What is no URL, and `http` to another machine.
    pub fn new(base: &str) -> Result<Settings, ConfigError> {
        Ok(Settings {
            base: origin(base)?,
            endpoint: None,
            api: Api::default(),
            page: 1000,
            contacts_page: 5000,
            overlap: 20,
            import_bytes: 45_000_000,
            parallel: 4,
            reserve: 20,
            timeout: Duration::from_secs(125),
            patience: Duration::from_secs(65),
            tries: 4,
            pause: Duration::from_millis(500),
        })
    }

    /// With the endpoint that [`postroom_core::marketing::Account::endpoint`] named once.
    ///
    /// # Errors
    /// As for [`Settings::new`].
    pub fn with_endpoint(self, endpoint: &str) -> Result<Settings, ConfigError> {
        Ok(Settings { endpoint: Some(origin(endpoint)?), ..self })
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }
}

/// Scheme, host and port of an address, without a slash at its end.
pub(crate) fn origin(text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    let url = reqwest::Url::parse(text).map_err(|_| ConfigError::NoUrl(text.to_owned()))?;
    let host = url.host_str().ok_or_else(|| ConfigError::NoUrl(text.to_owned()))?;
    let local = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        "http" => return Err(ConfigError::Open(format!("http://{host}"))),
        _ => return Err(ConfigError::NoUrl(text.to_owned())),
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<&str, ()>) {
        let found = Settings::new(url);
        assert_eq!(found.as_ref().map(Settings::base).map_err(drop), expected, "{url}");
    }

    #[test]
    fn addresses_as_people_write_them() {
        check("https://r1-api.dotdigital.com", Ok("https://r1-api.dotdigital.com"));
        check(" https://r2-api.dotdigital.com/v2/ ", Ok("https://r2-api.dotdigital.com"));
        check("https://user:pass@r2-api.dotdigital.com/", Ok("https://r2-api.dotdigital.com"));
        check("http://127.0.0.1:4010", Ok("http://127.0.0.1:4010"));
        check("http://r1-api.dotdigital.com", Err(()));
        check("r1-api.dotdigital.com", Err(()));
        check("", Err(()));
    }
}
