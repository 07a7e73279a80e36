//! What a server says against a request: its code and text as a [`Fault`] (dataverse.md A3, E6).
//!
//! One table of codes for both makes; each reads its own wire into a [`Refusal`].

use jiff::SignedDuration;
use postroom_core::{Code, Fault, PeerAnswer, Verdict};

/// The platform's numbers that decide something here.
pub(crate) mod codes {
    pub(crate) const NOT_FOUND: u32 = 0x8004_0217;
    pub(crate) const KEY_NOT_FOUND: u32 = 0x8006_0891;
    pub(crate) const DUPLICATE: u32 = 0x8004_0237;
    pub(crate) const DUPLICATE_KEY: u32 = 0x8006_0892;
    pub(crate) const DUPLICATES_FOUND: u32 = 0x8004_0333;
    pub(crate) const VERSION: u32 = 0x8006_0882;
    /// `OptimisticConcurrencyNotEnabled`
    pub(crate) const NO_CONCURRENCY: u32 = 0x8006_088d;
    pub(crate) const NO_ENTITY: u32 = 0x8004_1102;
    pub(crate) const NO_ATTRIBUTE: u32 = 0x8004_1103;
    pub(crate) const STATE: u32 = 0x8004_8408;
    pub(crate) const EXPIRED: u32 = 0x8004_4352;
    pub(crate) const NOT_TRACKED: u32 = 0x8007_2491;
    pub(crate) const TRACKED_ELSEWHERE: u32 = 0x8007_2492;
    pub(crate) const NO_MEMBER: u32 = 0x8007_2560;
    pub(crate) const REQUESTS: u32 = 0x8007_2322;
    pub(crate) const TIME: u32 = 0x8007_2321;
    pub(crate) const CONCURRENCY: u32 = 0x8007_2326;
    /// `ServerBusy`: too many runs of `ExecuteMultiple` at once.
    pub(crate) const BUSY: u32 = 0x8004_a001;
    pub(crate) const UNEXPECTED: u32 = 0x8004_0216;
    pub(crate) const SQL: u32 = 0x8004_4150;
    pub(crate) const SQL_TIMEOUT: u32 = 0x8004_4151;
    pub(crate) const NOT_SUPPORTED: u32 = 0x8004_0800;
    pub(crate) const PRIVILEGE: u32 = 0x8004_0220;
    /// `CannotAcceptEmail`: the rules of its recipients.
    pub(crate) const CANNOT_ACCEPT: u32 = 0x8005_e20b;
    pub(crate) const ORGANIZATION_OFF: u32 = 0x8004_a104;
    /// An attachment of a kind that the organisation takes none of, one that is too large, and one whose name is not taken.
    pub(crate) const FILE_BLOCKED: u32 = 0x8004_3e09;
    pub(crate) const FILE_TOO_LARGE: u32 = 0x8004_4a02;
    pub(crate) const FILE_NAME: u32 = 0x8004_4a08;

    /// What the platform says with its numbers. Servers of 2016 often say it without: their `code` is empty (dataverse.md A3).
    const TEXTS: [(&[&str], u32); 17] = [
        (&["with the specified key values does not exist"], KEY_NOT_FOUND),
        (&["with id", "does not exist"], NOT_FOUND),
        (&["cannot insert duplicate key"], DUPLICATE),
        (&["a record with matching key values already exists"], DUPLICATE),
        (&["a record with the same value for", "already exists"], DUPLICATE_KEY),
        (&["version of the existing record doesn't match"], VERSION),
        (&["optimistic concurrency", "not enabled"], NO_CONCURRENCY),
        (&["was not found in the metadatacache"], NO_ENTITY),
        (&["entity doesn't contain attribute with name"], NO_ATTRIBUTE),
        (&["is not a valid status code for state code"], STATE),
        (&["version stamp associated with the client has expired"], EXPIRED),
        (&["enabled for change tracking"], NOT_TRACKED),
        (&["is missing prv"], PRIVILEGE),
        (&["e-mail", "reason code:"], CANNOT_ACCEPT),
        (&["attachment is either not a valid type or is too large"], FILE_BLOCKED),
        (&["attachment", "too big"], FILE_TOO_LARGE),
        (&["attachment", "file name", "not valid"], FILE_NAME),
    ];

    /// The number of what was said; 0 when it may mean anything.
    pub(crate) fn of(message: &str) -> u32 {
        // Apostrophes come in two shapes.
        let said = message.to_lowercase().replace('\u{2019}', "'");
        let meant = |texts: &[&str]| texts.iter().all(|text| said.contains(text));
        TEXTS.iter().find(|(texts, _)| meant(texts)).map_or(0, |(_, code)| *code)
    }
}

/// An error as the server wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    /// As the server wrote it, or as its text says; 0 when neither tells.
    pub code: u32,
    pub message: String,
    /// Of many messages together: which of them, from 0.
    pub step: Option<usize>,
    /// The answer itself.
    pub answer: PeerAnswer,
}

impl Refusal {
    /// One of the three limits of service protection, or too many batches at once.
    pub(crate) fn limited(&self) -> bool {
        let limits = [codes::REQUESTS, codes::TIME, codes::CONCURRENCY, codes::BUSY];
        self.status == 429 || limits.contains(&self.code)
    }

    /// There is such a row already.
    pub(crate) fn duplicate(&self) -> bool {
        self.code == codes::DUPLICATE || self.status == 412 && self.message.contains("matching key values")
    }

    /// An attachment is not taken here.
    pub(crate) fn file(&self) -> bool {
        [codes::FILE_BLOCKED, codes::FILE_TOO_LARGE, codes::FILE_NAME].contains(&self.code)
    }

    pub(crate) fn missing(&self) -> bool {
        self.code == codes::NOT_FOUND || self.code == codes::KEY_NOT_FOUND
    }

    /// The server does not know what was asked for: a message, function or part of the API that it is too old for.
    pub(crate) fn unknown_here(&self) -> bool {
        let texts = ["Resource not found for the segment", "not supported", "No HTTP resource was found"];
        matches!(self.status, 404 | 405 | 501)
            && !self.missing()
            && (self.status == 501 || self.names(&texts))
            || self.status == 400 && self.names(&["Resource not found for the segment", "is not supported"])
    }

    fn names(&self, texts: &[&str]) -> bool {
        self.message.is_empty() || texts.iter().any(|text| self.message.contains(text))
    }

    pub(crate) fn fault(&self) -> Fault {
        let text = match self.message.is_empty() {
            true => format!("the CRM answered {}", self.status),
            false => format!("the CRM answered {}: {}", self.status, self.message),
        };
        Fault::new(self.verdict(), self.documented(), text).with_answer(self.answer.clone())
    }

    fn verdict(&self) -> Verdict {
        match self.status {
            _ if self.limited() => Verdict::Retry { after: Some(SignedDuration::from_secs(30)) },
            401 => Verdict::Hold,
            403 if self.code == codes::NO_MEMBER => Verdict::Hold,
            408 | 500 | 502..=504 => Verdict::Retry { after: None },
            _ => Verdict::Reject,
        }
    }

    fn documented(&self) -> Code {
        match self.code {
            codes::NOT_FOUND | codes::KEY_NOT_FOUND => Code::CRM_NOT_FOUND,
            codes::DUPLICATE | codes::DUPLICATE_KEY | codes::DUPLICATES_FOUND => Code::CRM_DUPLICATE,
            codes::VERSION => Code::CRM_VERSION,
            codes::NO_ENTITY | codes::NO_ATTRIBUTE => Code::CRM_UNKNOWN_COLUMN,
            codes::STATE => Code::CRM_STATE,
            _ if self.message.contains("Could not find a property named") => Code::CRM_UNKNOWN_COLUMN,
            _ if self.limited() || matches!(self.status, 401 | 408 | 500..=599) => Code::CRM_AWAY,
            _ => Code::CRM_REFUSED,
        }
    }
}
