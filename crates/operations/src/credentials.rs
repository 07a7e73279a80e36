//! Certificates with a known end: a gauge for each, and one line of the doctor's findings, before they run out.

use jiff::{SignedDuration, Timestamp};
use metrics::gauge;

use crate::{Operations, Tried};

/// One that ends sooner is told: there is time left to have a new one signed.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Something that signs us in, or proves who we are, and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The section of the configuration that it belongs to; no two have the same.
    pub connection: &'static str,
    /// Its key in the configuration.
    pub key: &'static str,
    /// When it ends, or why that cannot be said.
    pub ends: Result<Timestamp, String>,
}

impl Credential {
    /// How long it is good; less than nothing when it has ended.
    fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        self.ends.as_ref().ok().map(|ends| ends.duration_since(now))
    }

    fn is_well(&self, now: Timestamp) -> bool {
        self.left(now).is_some_and(|left| left >= SOON)
    }

    fn sentence(&self, now: Timestamp) -> String {
        let key = self.key;
        match &self.ends {
            Err(error) => format!("{key} cannot be read: {error}"),
            Ok(ends) => {
                let day = ends.strftime("%Y-%m-%d");
                match ends.duration_since(now) {
                    left if left.is_negative() => format!("{key} ended on {day}"),
                    left if left < SOON => format!("{key} ends on {day}, in {} days", left.as_hours() / 24),
                    _ => format!("{key} is good until {day}"),
                }
            }
        }
    }
}

/// What the doctor says of them.
fn look(all: &[Credential], now: Timestamp) -> Tried {
    let sentences = |well: bool| {
        let these = all.iter().filter(|one| one.is_well(now) == well);
        these.map(|one| one.sentence(now)).collect::<Vec<_>>().join("; ")
    };
    let wrong = sentences(false);
    match (all.is_empty(), wrong.is_empty()) {
        (true, _) => Tried::well("credentials", "none has a known end"),
        (false, true) => Tried::well("credentials", sentences(true)),
        (false, false) => {
            let fix = "put a new one in its place, then start postroom serve again";
            Tried::failed("credentials", wrong, fix)
        }
    }
}

impl Operations {
    /// Those that are in use, with their ends.
    async fn credentials(&self) -> Vec<Credential> {
        match &self.0.trials {
            Some(trials) => trials.credentials().await,
            None => Vec::new(),
        }
    }

    pub(crate) async fn look_at_credentials(&self) -> Tried {
        look(&self.credentials().await, self.0.clock.now())
    }

    /// Sets the gauges. One that cannot be read shows as ended.
    pub(crate) async fn publish_credentials(&self) {
        let now = self.0.clock.now();
        for one in self.credentials().await {
            let left = one.left(now).map_or(0.0, |left| left.as_secs_f64());
            gauge!("postroom_credential_expiry_seconds", "connection" => one.connection).set(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ends: &[Result<&str, &str>], ok: bool, said: &str) {
        let now: Timestamp = "2026-03-10T09:00:00Z".parse().unwrap();
        let read = |ends: &Result<&str, &str>| Credential {
            connection: "http",
            key: "http.tls_cert",
            ends: ends.map(|at| at.parse().unwrap()).map_err(str::to_owned),
        };
        let found = look(&ends.iter().map(read).collect::<Vec<_>>(), now);
        assert_eq!((found.ok, found.said.as_str()), (ok, said));
        assert_eq!(found.fix.is_none(), ok);
    }

    #[test]
    fn what_ends_soon_is_told_in_time() {
        check(&[], true, "none has a known end");
        check(&[Ok("2026-03-24T09:00:00Z")], true, "http.tls_cert is good until 2026-03-24");
        check(&[Ok("2026-03-24T08:00:00Z")], false, "http.tls_cert ends on 2026-03-24, in 13 days");
        check(&[Ok("2026-03-09T00:00:00Z")], false, "http.tls_cert ended on 2026-03-09");
        check(
            &[Ok("2027-01-01T00:00:00Z"), Err("no such file")],
            false,
            "http.tls_cert cannot be read: no such file",
        );
    }
}
