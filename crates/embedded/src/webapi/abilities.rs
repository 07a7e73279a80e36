//! What a server of Dynamics may lack: what came with which [`ApiVersion`], and what can be taken from the door besides, so
//! that every fall-back of a client can be tried.
//!
//! What is lacking is refused, or passed over, as by a server that never knew it. Messages, `$batch` and `Keys` are segments
//! that are not found (404); a key predicate names no key, and a table keeps no account of changes (400); an upsert finds no
//! row (404); preferences and conditions of reads are left out of account.

use std::sync::Arc;

use http::{HeaderMap, Method};
use postroom_core::metadata::Metadata;
use postroom_formats::odata::options::Options;
use postroom_formats::odata::path::{Path, Segment};
use postroom_formats::odata::prefer::Preferences;

use super::{ApiVersion, Settings};

/// What can be taken from the door one by one, whatever version it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    AlternateKeys,
    Batch,
    /// Files and attachments in blocks.
    BlockUploads,
    ChangeTracking,
    /// Rows are written only while they have the version of `If-Match`.
    Concurrency,
    /// `If-None-Match` on reads.
    ConditionalReads,
    /// Rows within the body of a new row; the parties of an activity stay.
    DeepInsert,
    /// The messages that take mail as it comes in.
    IncomingMail,
    /// `CreateMultiple` and its like.
    MultipleRecords,
    /// `Prefer: return=representation`.
    Representation,
    /// `?sql=`
    Sql,
    /// `PATCH` of a row that is not there.
    Upsert,
}

impl Ability {
    pub const ALL: &[Ability] = &[
        Ability::AlternateKeys,
        Ability::Batch,
        Ability::BlockUploads,
        Ability::ChangeTracking,
        Ability::Concurrency,
        Ability::ConditionalReads,
        Ability::DeepInsert,
        Ability::IncomingMail,
        Ability::MultipleRecords,
        Ability::Representation,
        Ability::Sql,
        Ability::Upsert,
    ];

    /// The first version that has it.
    fn since(self) -> ApiVersion {
        match self {
            Ability::BlockUploads | Ability::MultipleRecords | Ability::Sql => ApiVersion::V92,
            Ability::Representation => ApiVersion::V82,
            _ => ApiVersion::V80,
        }
    }

    /// The messages that go with it.
    fn messages(self) -> &'static [&'static str] {
        match self {
            Ability::AlternateKeys => &["ReactivateEntityKey", "RetrieveEntityKey"],
            Ability::BlockUploads => &[
                "CommitAttachmentBlocksUpload",
                "CommitFileBlocksUpload",
                "DeleteFile",
                "InitializeAttachmentBlocksUpload",
                "InitializeFileBlocksUpload",
                "UploadBlock",
            ],
            Ability::ChangeTracking => &["RetrieveEntityChanges"],
            Ability::IncomingMail => {
                &["CheckIncomingEmail", "CheckPromoteEmail", "DeliverIncomingEmail", "DeliverPromoteEmail"]
            }
            Ability::MultipleRecords => {
                &["CreateMultiple", "DeleteMultiple", "UpdateMultiple", "UpsertMultiple"]
            }
            Ability::Upsert => &["UpsertMultiple"],
            _ => &[],
        }
    }
}

/// Messages by the first version that has them; what stands neither here nor with an [`Ability`], every version has.
const SINCE: &[(ApiVersion, &[&str])] = &[
    (ApiVersion::V82, &["QualifyLead", "SendBulkMail"]),
    (
        ApiVersion::V90,
        &[
            "GrantAccess",
            "ModifyAccess",
            "ReactivateEntityKey",
            "RemoveMemberList",
            "RetrieveTotalRecordCount",
        ],
    ),
    (
        ApiVersion::V92,
        &[
            "DownloadSolutionExportData",
            "ExportSolutionAsync",
            "ImportSolutionAsync",
            "StageAndUpgrade",
            "StageAndUpgradeAsync",
            "StageSolution",
        ],
    ),
];

impl Settings {
    pub(super) fn has(&self, ability: Ability) -> bool {
        self.version >= ability.since() && !self.without.contains(&ability)
    }

    /// Whether the server has this message.
    pub(super) fn knows(&self, message: &str) -> bool {
        let came = SINCE.iter().find(|(_, names)| names.contains(&message));
        let of = Ability::ALL.iter().filter(|ability| ability.messages().contains(&message));
        came.is_none_or(|(since, _)| self.version >= *since)
            && of.into_iter().all(|ability| self.has(*ability))
    }

    /// Whether nothing is lacking.
    pub(super) fn is_whole(&self) -> bool {
        self.version == ApiVersion::default() && self.without.is_empty()
    }

    /// Whether a part of the path is something that this server does not have; the name of that part.
    pub(super) fn lacks(&self, path: &Path) -> Option<&'static str> {
        let keys = |segment: &Segment| matches!(segment, Segment::Name { name, .. } if name == "Keys");
        match path.segments.as_slice() {
            [Segment::Batch, ..] if !self.has(Ability::Batch) => Some("$batch"),
            [_, rest @ ..] if !self.has(Ability::AlternateKeys) && rest.iter().any(keys) => Some("Keys"),
            _ => None,
        }
    }

    /// The definitions as this server has them.
    pub(super) fn described(&self, metadata: Arc<Metadata>) -> Arc<Metadata> {
        let (keys, changes) = (self.has(Ability::AlternateKeys), self.has(Ability::ChangeTracking));
        if keys && changes {
            return metadata;
        }
        let mut less = Metadata::clone(&metadata);
        for table in &mut less.tables {
            table.change_tracking &= changes;
            if !keys {
                table.keys.clear();
            }
        }
        Arc::new(less)
    }

    /// Takes out of a request what this server passes over.
    pub(super) fn pass_over(
        &self,
        method: &Method,
        headers: &mut HeaderMap,
        prefer: &mut Preferences,
        options: &mut Options,
    ) {
        if method == Method::GET && !self.has(Ability::ConditionalReads) {
            headers.remove("if-none-match");
        }
        if !self.has(Ability::Representation) {
            prefer.representation = None;
        }
        if !self.has(Ability::Sql) {
            options.sql = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages;

    #[test]
    fn what_came_when() {
        for (message, first) in [
            ("WhoAmI", ApiVersion::V80),
            ("RevokeAccess", ApiVersion::V80),
            ("QualifyLead", ApiVersion::V82),
            ("GrantAccess", ApiVersion::V90),
            ("CreateMultiple", ApiVersion::V92),
            ("UploadBlock", ApiVersion::V92),
        ] {
            for version in ApiVersion::ALL {
                let server = Settings { version: *version, ..Settings::default() };
                assert_eq!(server.knows(message), *version >= first, "{message} {version:?}");
            }
        }
    }

    #[test]
    fn each_ability_can_be_taken_alone() {
        for taken in Ability::ALL {
            let server = Settings { without: vec![*taken], ..Settings::default() };
            for other in Ability::ALL {
                assert_eq!(server.has(*other), other != taken, "{other:?} without {taken:?}");
            }
            assert!(taken.messages().iter().all(|message| !server.knows(message)), "{taken:?}");
            assert!(!server.is_whole());
        }
        assert!(Settings::default().is_whole());
    }

    #[test]
    fn the_messages_are_spelled_as_they_are() {
        // These are answered elsewhere than by `messages`.
        let elsewhere = |name: &str| name.ends_with("Multiple") || name.ends_with("EntityKey");
        let all = SINCE.iter().flat_map(|(_, names)| *names);
        for name in all.chain(Ability::ALL.iter().flat_map(|ability| ability.messages())) {
            let known = messages::find(name).is_some_and(|known| known.name == *name);
            assert!(known || elsewhere(name), "{name}");
        }
    }
}
