//! The versions of the Web API. All that depends on one asks here: which URLs are answered, what stands in links, what the
//! server says of itself, what came with which ([`super::abilities`]), and how errors look ([`super::error_body`]).

/// A version of the Web API, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ApiVersion {
    /// CRM 2016.
    V80,
    /// CRM 2016 with Service Pack 1.
    V81,
    /// Dynamics 365 of December 2016.
    V82,
    /// Dynamics 365 on premises.
    V90,
    V91,
    /// Dataverse.
    #[default]
    V92,
}

impl ApiVersion {
    pub const ALL: &[ApiVersion] = &[
        ApiVersion::V80,
        ApiVersion::V81,
        ApiVersion::V82,
        ApiVersion::V90,
        ApiVersion::V91,
        ApiVersion::V92,
    ];

    /// As it stands in a URL behind the `v`.
    pub const fn in_url(self) -> &'static str {
        match self {
            ApiVersion::V80 => "8.0",
            ApiVersion::V81 => "8.1",
            ApiVersion::V82 => "8.2",
            ApiVersion::V90 => "9.0",
            ApiVersion::V91 => "9.1",
            ApiVersion::V92 => "9.2",
        }
    }

    /// What a server says of itself (`RetrieveVersion`) of which this is the newest version: clients branch on major and
    /// minor.
    pub const fn server(self) -> &'static str {
        match self {
            ApiVersion::V80 => "8.0.0.1088",
            ApiVersion::V81 => "8.1.0.359",
            ApiVersion::V82 => "8.2.2.112",
            ApiVersion::V90 => "9.0.2.3034",
            ApiVersion::V91 => "9.1.1.914",
            ApiVersion::V92 => "9.2.24044.00200",
        }
    }

    /// The version with this name in URLs.
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|version| version.in_url() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_its_newest_version() {
        for version in ApiVersion::ALL {
            assert!(version.server().starts_with(&format!("{}.", version.in_url())), "{version:?}");
            assert_eq!(ApiVersion::of(version.in_url()), Some(*version));
        }
        assert!(ApiVersion::ALL.is_sorted());
        assert_eq!(ApiVersion::default(), *ApiVersion::ALL.last().unwrap());
        for other in ["", "9", "7.1", "9.3", "9.2.1", "09.2"] {
            assert_eq!(ApiVersion::of(other), None, "{other}");
        }
    }
}
