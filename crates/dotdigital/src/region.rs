//! Where the account lives. The first region answers `account-info` for every account; its answer names the host that
//! everything else goes to.
//!
//! The password goes to that host, so an answer may not send it just anywhere: only to a host of the service's own domains, or
//! to one below the same domain as the address that was set.

use crate::config;

/// The service's domains.
const DOMAINS: &[&str] = &["dotdigital.com", "dotmailer.com", "apiconnector.com"];

/// The host that `account-info` names, when it may be believed.
pub(crate) fn believed(base: &str, named: &str) -> Option<String> {
    let named = named.trim().trim_end_matches('/');
    let text = if named.contains("://") { named.to_owned() } else { format!("https://{named}") };
    let origin = config::origin(&text).ok()?;
    let (ours, theirs) = (host(base)?, host(&origin)?);
    let below = |domain: &str| theirs == domain || theirs.ends_with(&format!(".{domain}"));
    let known = DOMAINS.iter().any(|domain| below(domain));
    let sibling = ours.split_once('.').is_some_and(|(_, domain)| domain.contains('.') && below(domain));
    let same_machine = local(&ours) && local(&theirs);
    let safer = origin.starts_with("https://") || base.starts_with("http://");
    (safer && (known || sibling && !local(&ours) || same_machine || ours == theirs)).then_some(origin)
}

fn host(origin: &str) -> Option<String> {
    reqwest::Url::parse(origin).ok()?.host_str().map(str::to_lowercase)
}

fn local(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(base: &str, named: &str, expected: Option<&str>) {
        assert_eq!(believed(base, named).as_deref(), expected, "{named} from {base}");
    }

    #[test]
    fn the_password_goes_to_the_service_only() {
        let first = "https://r1-api.dotdigital.com";
        check(first, "https://r2-api.dotdigital.com", Some("https://r2-api.dotdigital.com"));
        check(first, "https://r3-api.dotmailer.com/", Some("https://r3-api.dotmailer.com"));
        check(first, "r2-api.dotdigital.com", Some("https://r2-api.dotdigital.com"));
        check(first, "https://evil.example", None);
        check(first, "https://r2-api.dotdigital.com.evil.example", None);
        check(first, "https://evildotdigital.com", None);
        check(first, "http://r2-api.dotdigital.com", None);
        check(first, "http://127.0.0.1:1", None);
        check("http://127.0.0.1:4010", "http://127.0.0.1:4011", Some("http://127.0.0.1:4011"));
        check("http://127.0.0.1:4010", "https://10.0.0.1", None);
        check(
            "https://api.proxy.example.org",
            "https://r2.proxy.example.org",
            Some("https://r2.proxy.example.org"),
        );
        check(first, "", None);
    }
}
