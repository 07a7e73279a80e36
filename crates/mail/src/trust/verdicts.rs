//! What was found about a mail's sender, and the one word the rules read.

use std::fmt;

use postroom_core::mail::Authentication;

/// The result of one method, as Authentication-Results would name it (RFC 8601 2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// Not evaluated, or nothing published or signed.
    #[default]
    None,
    Pass,
    /// Also SPF's softfail and a signature that does not match.
    Fail,
    Neutral,
    /// DNS did not answer in time.
    TempError,
    /// What is published or signed cannot be understood.
    PermError,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::None => "none",
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Neutral => "neutral",
            Outcome::TempError => "temperror",
            Outcome::PermError => "permerror",
        }
    }
}

/// What the domain in From asks receivers to do with mail that fails DMARC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    #[default]
    None,
    Quarantine,
    Reject,
}

/// What was found about one mail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdicts {
    pub spf: Outcome,
    /// The best of all signatures.
    pub dkim: Outcome,
    pub dmarc: Outcome,
    pub arc: Outcome,
    /// The domain in From; none when there is no From, or several with different domains.
    pub from_domain: Option<String>,
    /// Whether SPF or a DKIM signature passed for the domain in From or one that belongs with it.
    pub aligned: bool,
    pub policy: Policy,
    /// The chain's last sealer is one that the configuration names, and the chain holds.
    pub sealed: bool,
    /// Why nothing was evaluated, when nothing was.
    pub skipped: Option<&'static str>,
}

impl Verdicts {
    /// Nothing is known.
    pub(super) fn skipped(why: &'static str) -> Self {
        Verdicts { skipped: Some(why), ..Verdicts::default() }
    }

    /// The word for [`Incoming`](postroom_core::Incoming).
    ///
    /// * `Pass`: DMARC passes; or the domain in From publishes no DMARC record, and SPF or DKIM passes for it.
    /// * `Fail`: DMARC fails, the domain asks for quarantine or reject, and no sealer that we were told to believe (ARC)
    ///   vouches for how the mail looked before a list changed it.
    /// * `Unknown`: all else: a domain that publishes `p=none` (it does not stand by the result), DNS trouble, no From or
    ///   two of them.
    pub fn authentication(&self) -> Authentication {
        if self.from_domain.is_none() {
            return Authentication::Unknown;
        }
        match self.dmarc {
            Outcome::Pass => Authentication::Pass,
            Outcome::None if self.aligned => Authentication::Pass,
            Outcome::Fail if self.policy != Policy::None && !self.sealed => Authentication::Fail,
            _ => Authentication::Unknown,
        }
    }
}

/// One line of evidence, without addresses.
impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = self.skipped {
            return write!(f, "not evaluated: {why}");
        }
        let policy = match self.policy {
            Policy::None => "none",
            Policy::Quarantine => "quarantine",
            Policy::Reject => "reject",
        };
        let aligned = if self.aligned { "yes" } else { "no" };
        let from = self.from_domain.as_deref().unwrap_or("(unclear)");
        let words = [self.dmarc, self.spf, self.dkim, self.arc].map(Outcome::as_str);
        let [dmarc, spf, dkim, arc] = words;
        write!(
            f,
            "dmarc={dmarc} (p={policy}); spf={spf}; dkim={dkim}; arc={arc}; aligned={aligned}; header.from={from}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dmarc: Outcome, policy: Policy, aligned: bool, sealed: bool, expected: Authentication) {
        let from_domain = Some("x.example".to_owned());
        let verdicts = Verdicts { dmarc, policy, aligned, sealed, from_domain, ..Verdicts::default() };
        assert_eq!(verdicts.authentication(), expected, "{verdicts}");
        let without = Verdicts { from_domain: None, ..verdicts };
        assert_eq!(without.authentication(), Authentication::Unknown, "{without}");
    }

    #[test]
    fn one_word_from_many() {
        use Authentication as A;
        check(Outcome::Pass, Policy::Reject, true, false, A::Pass);
        check(Outcome::Pass, Policy::None, true, false, A::Pass);
        check(Outcome::None, Policy::None, true, false, A::Pass);
        check(Outcome::None, Policy::None, false, false, A::Unknown);
        check(Outcome::Fail, Policy::None, false, false, A::Unknown);
        check(Outcome::Fail, Policy::Quarantine, false, false, A::Fail);
        check(Outcome::Fail, Policy::Reject, false, false, A::Fail);
        check(Outcome::Fail, Policy::Reject, false, true, A::Unknown);
        check(Outcome::TempError, Policy::Reject, true, false, A::Unknown);
        check(Outcome::PermError, Policy::Reject, true, false, A::Unknown);
    }
}
