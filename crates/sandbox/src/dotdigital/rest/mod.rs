//! The doors of the service as HTTP sees them: which path is answered by what, and the words on the wire.
//! Not here: signing in, limits, switches (`serve`).

mod accounts;
mod bulk;
pub(crate) mod call;
mod campaigns;
mod contacts;
mod csv;
mod forms;
mod identifiers;
mod imports;
pub(crate) mod lists;
mod people;
mod person;
mod preferences;
mod reports;
mod routes;
mod sends;
mod suppressions;
mod totals;

use uuid::Uuid;

use call::{Answer, Call, Refusal};
pub(crate) use routes::ROUTES;

/// How dear a call is (dotdigital.md A3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Much data: imports, pages.
    Low,
    /// Writes of one record.
    Medium,
    /// Light reads and questions for a status.
    High,
    /// Sending: not counted.
    Unlimited,
}

impl Tier {
    /// The word of `X-RateLimit-Scope`.
    pub fn scope(self) -> &'static str {
        match self {
            Tier::Low => "lowCallRate",
            Tier::Medium => "mediumCallRate",
            Tier::High => "highCallRate",
            Tier::Unlimited => "unlimitedCallRate",
        }
    }
}

/// One operation. `{}` in the pattern is a capture.
pub(crate) struct Route {
    pub method: &'static str,
    pub pattern: &'static str,
    pub tier: Tier,
    pub handler: fn(&mut Call<'_>) -> Answer,
}

/// What a method and a path lead to.
pub(crate) enum Found {
    Route(&'static Route, Vec<String>),
    /// The path is known with these methods only.
    OtherMethods(Vec<&'static str>),
    Nothing,
}

/// Looks a decoded path up. A literal segment goes before a capture.
pub(crate) fn find(method: &str, segments: &[String]) -> Found {
    let mut best: Option<(&'static Route, Vec<bool>)> = None;
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(literal) = fits(route.pattern, segments) else { continue };
        if route.method != method {
            others.push(route.method);
        } else if best.as_ref().is_none_or(|(_, known)| literal > *known) {
            best = Some((route, literal));
        }
    }
    match best {
        Some((route, literal)) => {
            let captures = segments.iter().zip(literal).filter(|(_, literal)| !literal);
            Found::Route(route, captures.map(|(segment, _)| segment.clone()).collect())
        }
        None if others.is_empty() => Found::Nothing,
        None => Found::OtherMethods(others),
    }
}

/// For each segment, whether the pattern has it literally; none when the pattern is another.
fn fits(pattern: &str, segments: &[String]) -> Option<Vec<bool>> {
    let parts = pattern.trim_start_matches('/').split('/');
    if parts.clone().count() != segments.len() {
        return None;
    }
    let fit = parts.zip(segments).map(|(part, segment)| match part {
        "{}" if !segment.is_empty() => Some(false),
        part => part.eq_ignore_ascii_case(segment).then_some(true),
    });
    fit.collect()
}

/// A capture that is an id of a job.
fn guid(call: &Call<'_>, place: usize) -> Result<Uuid, Refusal> {
    Uuid::parse_str(call.capture(place))
        .map_err(|_| Refusal::because("ERROR_PARAMETER_INVALID", "The id is no GUID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, pattern: &str, captures: &[&str]) {
        let segments: Vec<_> = path.trim_start_matches('/').split('/').map(str::to_owned).collect();
        match find(method, &segments) {
            Found::Route(route, found) => {
                assert_eq!(route.pattern, pattern);
                assert_eq!(found, captures);
            }
            _ => panic!("{method} {path} leads nowhere"),
        }
    }

    #[test]
    fn literals_go_before_captures() {
        check("GET", "/v2/contacts/count", "/v2/contacts/count", &[]);
        check("GET", "/v2/contacts/count@x.io", "/v2/contacts/{}", &["count@x.io"]);
        check("GET", "/v2/contacts/import/7", "/v2/contacts/import/{}", &["7"]);
        check("GET", "/contacts/v3/import/7", "/contacts/v3/import/{}", &["7"]);
        check("GET", "/contacts/v3/email/a@x.io", "/contacts/v3/{}/{}", &["email", "a@x.io"]);
        check("GET", "/v2/campaigns/send/7", "/v2/campaigns/send/{}", &["7"]);
        check("GET", "/v2/campaigns/5/activities/7", "/v2/campaigns/{}/activities/{}", &["5", "7"]);
    }

    #[test]
    fn no_operation_stands_twice() {
        for (number, route) in ROUTES.iter().enumerate() {
            let same = |other: &&Route| other.method == route.method && other.pattern == route.pattern;
            assert_eq!(
                ROUTES.iter().skip(number).filter(same).count(),
                1,
                "{} {}",
                route.method,
                route.pattern
            );
        }
    }

    #[test]
    fn another_method_is_told() {
        let segments = ["v2", "server-time"].map(str::to_owned);
        assert!(matches!(find("POST", &segments), Found::OtherMethods(methods) if methods == ["GET"]));
        assert!(matches!(find("GET", &["v9".to_owned()]), Found::Nothing));
    }
}
