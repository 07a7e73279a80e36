//! The service's statuses of contacts and the reasons of import faults, by what they mean (marketing-sync.md 9.4 and 9.5).

/// The status of a contact, also the reason of a suppression (`ApiContactStatuses`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Status {
    Subscribed,
    Unsubscribed,
    SoftBounced,
    HardBounced,
    IspComplained,
    MailBlocked,
    PendingOptIn,
    DirectComplaint,
    Deleted,
    SharedSuppression,
    Suppressed,
    NotAllowed,
    DomainSuppression,
    NoMxRecord,
    /// A word that nobody knows yet; kept as it came.
    Unknown(String),
}

/// What a status or a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The person may be mailed.
    Open,
    /// The person, or someone for that person, said no. Lifted only by explicit, newer, dated consent.
    Consent,
    /// Mail does not arrive or is complained about. Never lifted by a synchronisation.
    Deliverability,
    /// The row is wrong, which says nothing about the person's will.
    Data,
    /// Nobody knows: shown to a person, and until then not mailed.
    Unclear,
}

const STATUSES: &[(&str, Status, Meaning)] = &[
    ("Subscribed", Status::Subscribed, Meaning::Open),
    ("Unsubscribed", Status::Unsubscribed, Meaning::Consent),
    ("SoftBounced", Status::SoftBounced, Meaning::Open),
    ("HardBounced", Status::HardBounced, Meaning::Deliverability),
    ("IspComplained", Status::IspComplained, Meaning::Deliverability),
    ("MailBlocked", Status::MailBlocked, Meaning::Deliverability),
    // A state of its own: not yet subscribed, and no opt-out either.
    ("PendingOptIn", Status::PendingOptIn, Meaning::Unclear),
    ("DirectComplaint", Status::DirectComplaint, Meaning::Consent),
    ("Deleted", Status::Deleted, Meaning::Unclear),
    ("SharedSuppression", Status::SharedSuppression, Meaning::Consent),
    ("Suppressed", Status::Suppressed, Meaning::Consent),
    ("NotAllowed", Status::NotAllowed, Meaning::Unclear),
    ("DomainSuppression", Status::DomainSuppression, Meaning::Consent),
    ("NoMxRecord", Status::NoMxRecord, Meaning::Deliverability),
];

/// Reasons of import faults, with letters only and in lower case: spelling and capitals vary between versions.
const FAULTS: &[(&str, Meaning)] = &[
    ("globallysuppressed", Meaning::Consent),
    ("suppressedbyyou", Meaning::Consent),
    ("suppressed", Meaning::Consent),
    ("unsubscribed", Meaning::Consent),
    ("unsubcribed", Meaning::Consent),
    ("domainsuppressed", Meaning::Consent),
    ("hardbounced", Meaning::Deliverability),
    ("hardbounces", Meaning::Deliverability),
    ("ispcomplaints", Meaning::Deliverability),
    ("ispcomplained", Meaning::Deliverability),
    ("mailblocked", Meaning::Deliverability),
    ("blocked", Meaning::Unclear),
    ("failures", Meaning::Data),
    ("invalidentries", Meaning::Data),
    ("duplicateemails", Meaning::Data),
];

impl Status {
    pub fn of_service(word: &str) -> Self {
        let known = STATUSES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word));
        known
            .map_or_else(|| Status::Unknown(word.chars().take(60).collect()), |(_, status, _)| status.clone())
    }

    /// The service's word.
    pub fn name(&self) -> &str {
        match self {
            Status::Unknown(word) => word,
            status => STATUSES.iter().find(|(_, known, _)| known == status).map_or("", |(name, ..)| name),
        }
    }

    pub fn meaning(&self) -> Meaning {
        let known = STATUSES.iter().find(|(_, status, _)| status == self);
        known.map_or(Meaning::Unclear, |(.., meaning)| *meaning)
    }
}

/// What the reason of an import fault means. Only [`Meaning::Consent`] and [`Meaning::Deliverability`] change anybody's status.
pub fn fault(reason: &str) -> Meaning {
    let letters: String =
        reason.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect();
    FAULTS.iter().find(|(known, _)| *known == letters).map_or(Meaning::Unclear, |(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_statuses() {
        for (name, status, meaning) in STATUSES {
            assert_eq!(&Status::of_service(name), status);
            assert_eq!(&Status::of_service(&name.to_uppercase()), status);
            assert_eq!((status.name(), status.meaning()), (*name, *meaning));
        }
        let new = Status::of_service("NotAvailableInThisVersion");
        assert_eq!((new.name(), new.meaning()), ("NotAvailableInThisVersion", Meaning::Unclear));
    }

    #[test]
    fn a_fault_in_data_is_no_opt_out() {
        assert_eq!(fault("Failures"), Meaning::Data);
        assert_eq!(fault("Invalid Entries"), Meaning::Data);
        assert_eq!(fault("Something New"), Meaning::Unclear);
        assert_eq!(fault(""), Meaning::Unclear);
    }

    #[test]
    fn faults_whatever_their_capitals() {
        assert_eq!(fault("Hard bounced"), Meaning::Deliverability);
        assert_eq!(fault("Hard Bounced"), Meaning::Deliverability);
        assert_eq!(fault("Globally Suppressed"), Meaning::Consent);
        assert_eq!(fault("Unsubcribed"), Meaning::Consent);
    }
}
