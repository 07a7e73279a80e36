//! The servers that the door can be, and what each of them has (protocol-annex.md 0, dataverse.md 0 and E).

use postroom_formats::soap::Generation as Wire;

use crate::webapi::ApiVersion;

/// A generation of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Generation {
    /// 5.0 before Update Rollup 12.
    Crm2011,
    /// 5.0 from Update Rollup 12 on: `ExecuteMultiple`, metadata queries.
    Crm2011Ur12,
    /// 6.0 and 6.1.
    Crm2013,
    /// 7.0.
    Crm2015,
    /// 7.1 (online 2015 Update 1): alternate keys, upsert, change tracking, transactions, states by update.
    Crm2015Update1,
    /// 8.0 to 8.2.
    Crm2016,
    /// 9.x and online: messages of many rows.
    #[default]
    Dataverse,
}

/// Messages by the first generation that has them; what stands nowhere, every generation has.
const SINCE: &[(Generation, &[&str])] = &[
    (Generation::Crm2011Ur12, &["ExecuteMultiple", "RetrieveMetadataChanges"]),
    (Generation::Crm2013, &["AddPrincipalToQueue", "RetrieveCurrentOrganization"]),
    (
        Generation::Crm2015Update1,
        &[
            "CreateEntityKey",
            "DeleteEntityKey",
            "ExecuteTransaction",
            "ReactivateEntityKey",
            "RetrieveEntityChanges",
            "RetrieveEntityKey",
            "Upsert",
        ],
    ),
    (
        Generation::Dataverse,
        &[
            "CreateMultiple",
            "DownloadSolutionExportData",
            "ExportSolutionAsync",
            "ImportSolutionAsync",
            "RetrieveTotalRecordCount",
            "StageAndUpgrade",
            "StageAndUpgradeAsync",
            "StageSolution",
            "UpdateMultiple",
            "UpsertMultiple",
        ],
    ),
];

/// What can be taken from the door one by one, whatever generation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    AlternateKeys,
    Upsert,
    ChangeTracking,
    ExecuteMultiple,
    ExecuteTransaction,
    /// A row's state changes by `Update`.
    StateByUpdate,
    /// `ConcurrencyBehavior`, and versions in rows.
    Concurrency,
}

impl Ability {
    pub const ALL: &[Ability] = &[
        Ability::AlternateKeys,
        Ability::Upsert,
        Ability::ChangeTracking,
        Ability::ExecuteMultiple,
        Ability::ExecuteTransaction,
        Ability::StateByUpdate,
        Ability::Concurrency,
    ];

    /// The messages that go with it.
    pub(super) fn messages(self) -> &'static [&'static str] {
        match self {
            Ability::AlternateKeys => {
                &["CreateEntityKey", "DeleteEntityKey", "ReactivateEntityKey", "RetrieveEntityKey"]
            }
            Ability::Upsert => &["Upsert", "UpsertMultiple"],
            Ability::ChangeTracking => &["RetrieveEntityChanges"],
            Ability::ExecuteMultiple => &["ExecuteMultiple"],
            Ability::ExecuteTransaction => &["ExecuteTransaction"],
            Ability::StateByUpdate | Ability::Concurrency => &[],
        }
    }
}

impl Generation {
    pub const ALL: &[Generation] = &[
        Generation::Crm2011,
        Generation::Crm2011Ur12,
        Generation::Crm2013,
        Generation::Crm2015,
        Generation::Crm2015Update1,
        Generation::Crm2016,
        Generation::Dataverse,
    ];

    /// `RetrieveVersion`.
    pub fn version(self) -> &'static str {
        match self {
            Generation::Crm2011 => "5.0.9690.1992",
            Generation::Crm2011Ur12 => "5.0.9690.3448",
            Generation::Crm2013 => "6.1.1.1143",
            Generation::Crm2015 => "7.0.0.3543",
            Generation::Crm2015Update1 => "7.1.0.1040",
            Generation::Crm2016 => ApiVersion::V82.server(),
            Generation::Dataverse => ApiVersion::V92.server(),
        }
    }

    /// The newest generation whose SDK has this version (`sdkversion=7.0`).
    pub(super) fn of_sdk(version: &str) -> Option<Self> {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        let (major, minor) = (parts.next()??, parts.next().flatten().unwrap_or_default());
        Some(match (major, minor) {
            (..=5, _) => Generation::Crm2011Ur12,
            (6, _) => Generation::Crm2013,
            (7, 0) => Generation::Crm2015,
            (7, _) => Generation::Crm2015Update1,
            (8, _) => Generation::Crm2016,
            _ => Generation::Dataverse,
        })
    }

    /// How it writes.
    pub(super) fn wire(self) -> Wire {
        match self {
            Generation::Crm2011 | Generation::Crm2011Ur12 | Generation::Crm2013 | Generation::Crm2015 => {
                Wire::Crm2011
            }
            Generation::Crm2015Update1 | Generation::Crm2016 => Wire::Crm2016,
            Generation::Dataverse => Wire::Dataverse,
        }
    }

    /// Whether it has this message.
    pub(super) fn knows(self, message: &str) -> bool {
        let since = SINCE.iter().find(|(_, names)| names.contains(&message));
        since.is_none_or(|(since, _)| self >= *since)
    }

    /// Whether it has what `SINCE` does not name a message for: keys, row versions, states by an update.
    pub(super) fn is_keyed(self) -> bool {
        self >= Generation::Crm2015Update1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_when() {
        for (message, first) in [
            ("WhoAmI", Generation::Crm2011),
            ("ExecuteMultiple", Generation::Crm2011Ur12),
            ("Upsert", Generation::Crm2015Update1),
            ("CreateMultiple", Generation::Dataverse),
        ] {
            for generation in Generation::ALL {
                assert_eq!(generation.knows(message), *generation >= first, "{message} {generation:?}");
            }
        }
    }

    #[test]
    fn versions_of_sdks() {
        for generation in Generation::ALL.iter().skip(1) {
            assert_eq!(Generation::of_sdk(generation.version()), Some(*generation));
        }
        assert_eq!(Generation::of_sdk("9"), Some(Generation::Dataverse));
        assert_eq!(Generation::of_sdk("x"), None);
    }
}
