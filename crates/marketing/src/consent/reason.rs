//! The service's statuses of contacts by what they mean for consent (marketing-sync.md 9.4 and 9.5). Reasons of import faults
//! have [`postroom_core::marketing::FaultClass`].

use postroom_core::marketing::Status;

/// What a status is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The person may be mailed.
    Open,
    /// The person, or someone for that person, said no. Lifted only by explicit, newer, dated consent.
    Consent,
    /// Mail does not arrive or is complained about. Never lifted by a synchronisation.
    Deliverability,
    /// Nobody knows: shown to a person, and until then not mailed. A subscription that waits for its confirmation is one.
    Unclear,
}

pub fn meaning(status: &Status) -> Meaning {
    match status {
        Status::Subscribed | Status::SoftBounced => Meaning::Open,
        Status::Unsubscribed
        | Status::DirectComplaint
        | Status::SharedSuppression
        | Status::Suppressed
        | Status::DomainSuppression
        | Status::KnownComplainer
        | Status::KnownLitigator => Meaning::Consent,
        Status::HardBounced
        | Status::IspComplained
        | Status::MailBlocked
        | Status::NoMxRecord
        | Status::SpamTrap
        | Status::BlockedLocalPart => Meaning::Deliverability,
        Status::PendingOptIn
        | Status::Deleted
        | Status::NotAllowed
        | Status::Purchased
        | Status::Binned
        | Status::NoSubscription
        | Status::Other(_) => Meaning::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_so_is_open() {
        let words = [
            "Subscribed",
            "SoftBounced",
            "Unsubscribed",
            "HardBounced",
            "PendingOptIn",
            "Suppressed by you",
            "",
            "Novel",
        ];
        for status in words.map(Status::from) {
            assert_eq!(meaning(&status) == Meaning::Open, status.mailable(), "{status}");
        }
    }
}
