//! Pages of rows, and the ids of a service.

use std::fmt;

/// Which part of an answer is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Rows at most; a make takes fewer when the service does.
    pub size: u32,
    /// The [`Page::next`] of the page before; `None` begins.
    pub after: Option<String>,
}

impl Default for Ask {
    fn default() -> Self {
        Ask { size: u32::MAX, after: None }
    }
}

impl Ask {
    /// The part after a page, of the same size.
    pub fn after(&self, next: String) -> Ask {
        Ask { size: self.size, after: Some(next) }
    }
}

/// A part of an answer. A row may come more than once over the pages of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Where the next part begins; `None` when this is the last one. Opaque, good for the same question only; it may be kept
    /// over a restart.
    pub next: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Page { rows: Vec::new(), next: None }
    }
}

macro_rules! ids {
    ($($(#[$about:meta])* $name:ident($inner:ty);)+) => { $(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+ };
}

ids! {
    /// A person in the account. Stays when the address changes.
    ContactId(i64);
    /// A list of people.
    ListId(i64);
    /// A list that the service makes itself by rules.
    SegmentId(i64);
    CampaignId(i64);
    /// One sending of a campaign.
    SendId(String);
    ImportId(String);
    /// A removal that goes on in the background.
    DeletionId(String);
    ProgramId(i64);
    EnrolmentId(String);
    FormId(i64);
    PreferenceId(i64);
}
