//! The privileges that each message asks for before it looks at anything (dataverse.md B6, B9, B10, C2, G; protocol annex
//! 8). Someone who lacks one is told which, with 0x80040220. What a message then reads and changes is asked row by row as
//! for any other request, so this table opens nothing; it says what a role needs at least.

use postroom_core::metadata::PrivilegeKind::{self, *};

use super::ask::{Ask, table};
use super::{Definition, Parameter};
use crate::failure::Failure;

/// One privilege that a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Over rows of this table.
    On(PrivilegeKind, &'static str),
    /// Over the table of the row, or of the tables, that this parameter names.
    Of(PrivilegeKind, &'static str),
    /// Over no table.
    Misc(&'static str),
}

use Need::{Misc, Of, On};

const MAIL_READ: &[Need] = &[On(Read, "email")];
const MAIL_MADE: &[Need] = &[On(Create, "email"), On(Read, "email"), On(Write, "email")];
const MAIL_SENT: &[Need] = &[On(Read, "email"), On(Write, "email")];
const MAILED: &[Need] = &[On(Read, "template"), On(Create, "email"), On(Write, "email")];
/// Working on a queue is not changing the queue.
const QUEUE: &[Need] = &[On(Read, "queue"), On(AppendTo, "queue")];
const LIST: &[Need] = &[On(Read, "list"), On(AppendTo, "list")];
const SHARED: &[Need] = &[Of(Share, "Target")];
const ROLE: &[Need] = &[On(Read, "role"), On(Write, "role")];
const IMPORT: &[Need] = &[Misc("prvImportCustomization")];
const EXPORT: &[Need] = &[Misc("prvExportCustomization")];
const CUSTOMIZE: &[Need] = &[Misc("prvWriteEntity")];
const DEFINITIONS: &[Need] = &[Misc("prvReadEntity")];
const SOLD: &[Need] = &[On(Read, "opportunity"), On(Write, "opportunity")];

/// Every message, with nothing for those that tell only of the caller himself.
const NEEDS: &[(&str, &[Need])] = &[
    ("WhoAmI", &[]),
    ("RetrieveVersion", &[]),
    ("RetrieveTimestamp", &[]),
    ("RetrieveCurrentOrganization", &[]),
    ("RetrieveTotalRecordCount", &[Of(Read, "EntityNames")]),
    ("SetState", &[Of(Write, "EntityMoniker")]),
    ("Assign", &[Of(Assign, "Target")]),
    ("SendEmail", MAIL_SENT),
    ("GetTrackingTokenEmail", MAIL_READ),
    ("SendEmailFromTemplate", MAILED),
    ("SendBulkMail", MAILED),
    ("SendTemplate", MAILED),
    ("InstantiateTemplate", &[On(Read, "template")]),
    ("BackgroundSendEmail", MAIL_SENT),
    ("DeliverIncomingEmail", MAIL_MADE),
    ("DeliverPromoteEmail", MAIL_MADE),
    ("CheckIncomingEmail", MAIL_READ),
    ("CheckPromoteEmail", MAIL_READ),
    ("AddToQueue", &[On(Read, "queue"), On(AppendTo, "queue"), Of(Read, "Target")]),
    ("PickFromQueue", QUEUE),
    ("ReleaseToQueue", QUEUE),
    ("RemoveFromQueue", QUEUE),
    ("RouteTo", QUEUE),
    ("AddMemberList", LIST),
    ("AddListMembersList", LIST),
    ("RemoveMemberList", LIST),
    ("CopyMembersList", LIST),
    ("CopyDynamicListToStatic", &[On(Read, "list"), On(Create, "list"), On(AppendTo, "list")]),
    ("QualifyMemberList", &[On(Read, "list"), On(Write, "list"), On(AppendTo, "list")]),
    ("QualifyLead", &[On(Read, "lead"), On(Write, "lead")]),
    ("CloseIncident", &[On(Read, "incident"), On(Write, "incident")]),
    ("WinOpportunity", SOLD),
    ("LoseOpportunity", SOLD),
    ("Merge", &[Misc("prvMerge"), Of(Read, "Target"), Of(Write, "Target")]),
    ("InitializeFrom", &[Of(Read, "EntityMoniker")]),
    ("GrantAccess", SHARED),
    ("ModifyAccess", SHARED),
    ("RevokeAccess", SHARED),
    ("RetrievePrincipalAccess", &[Of(Read, "Target")]),
    ("RetrieveUserPrivileges", &[On(Read, "systemuser")]),
    ("RetrieveUserSetOfPrivilegesByNames", &[On(Read, "systemuser")]),
    ("RetrieveTeamPrivileges", &[On(Read, "team")]),
    ("RetrieveSharedPrincipalsAndAccess", &[Of(Read, "Target")]),
    // Which tables it names only the query says.
    ("ValidateFetchXmlExpression", &[]),
    ("AddPrivilegesRole", ROLE),
    ("ReplacePrivilegesRole", ROLE),
    ("RemovePrivilegeRole", ROLE),
    ("RetrieveRolePrivilegesRole", &[On(Read, "role")]),
    ("BulkDelete", &[Misc("prvBulkDelete")]),
    ("RetrieveEntityChanges", &[Of(Read, "EntityName")]),
    ("InitializeAttachmentBlocksUpload", &[On(Write, "email")]),
    // A token says whose upload it is; the row that gets the file is asked for when it is committed.
    ("UploadBlock", &[]),
    ("CommitAttachmentBlocksUpload", &[On(Write, "email")]),
    ("InitializeFileBlocksUpload", &[Of(Write, "Target")]),
    ("CommitFileBlocksUpload", &[]),
    // Whose file it is only the file itself says.
    ("DeleteFile", &[]),
    ("ImportSolution", IMPORT),
    ("ImportSolutionAsync", IMPORT),
    ("StageAndUpgrade", IMPORT),
    ("StageAndUpgradeAsync", IMPORT),
    ("DeleteAndPromote", IMPORT),
    ("CloneAsPatch", CUSTOMIZE),
    ("CloneAsSolution", CUSTOMIZE),
    ("ExportSolution", EXPORT),
    ("ExportSolutionAsync", EXPORT),
    ("DownloadSolutionExportData", EXPORT),
    ("StageSolution", IMPORT),
    ("AddSolutionComponent", CUSTOMIZE),
    ("RemoveSolutionComponent", CUSTOMIZE),
    ("CanBeReferenced", DEFINITIONS),
    ("CanBeReferencing", DEFINITIONS),
    ("CanManyToMany", DEFINITIONS),
    ("GetValidReferencedEntities", DEFINITIONS),
    ("GetValidReferencingEntities", DEFINITIONS),
    ("GetValidManyToMany", DEFINITIONS),
];

/// What a message asks for; `None` when it has no row here, which a test does not let happen.
pub fn needs(message: &str) -> Option<&'static [Need]> {
    NEEDS.iter().find(|(name, _)| *name == message).map(|(_, needs)| *needs)
}

/// Refuses a caller who lacks one of them.
pub(super) async fn check(ask: &Ask<'_>, known: &Definition) -> Result<(), Failure> {
    let needs = needs(known.name).unwrap_or_default();
    if needs.is_empty() {
        return Ok(());
    }
    let caller = ask.session.caller().await?;
    if caller.administrates() {
        return Ok(());
    }
    for need in needs {
        match need {
            On(kind, name) => caller.check_table(*kind, &*table(ask.session, name).await?)?,
            Misc(name) => caller.check_misc(name)?,
            Of(kind, parameter) => {
                for name in named(ask, known, parameter) {
                    caller.check_table(*kind, &*table(ask.session, &name).await?)?;
                }
            }
        }
    }
    Ok(())
}

/// The tables that a parameter names; none when it is missing or unfit, which is refused later.
fn named(ask: &Ask<'_>, known: &Definition, parameter: &str) -> Vec<String> {
    let bound = ask.message.target.as_ref().filter(|_| known.target == Some(parameter));
    if let Some(at) = bound {
        return vec![at.table.clone()];
    }
    match ask.get(parameter) {
        Some(Parameter::Text(name)) => vec![name.clone()],
        Some(Parameter::List(names)) => {
            let text = |one: &Parameter| match one {
                Parameter::Text(name) => Some(name.clone()),
                _ => None,
            };
            names.iter().filter_map(text).collect()
        }
        _ => ask.reference(parameter, None).ok().flatten().map(|at| at.table).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::messages::NAMES;

    #[test]
    fn every_message_says_what_it_needs() {
        for message in NAMES {
            let needs = super::needs(message.name).unwrap_or_else(|| panic!("{} has no row", message.name));
            for need in needs {
                if let super::Of(_, parameter) = need {
                    assert!(message.parameter(parameter).is_some(), "{}.{parameter}", message.name);
                }
            }
        }
        let known = |name: &str| NAMES.iter().any(|message| message.name == name);
        assert!(super::NEEDS.iter().all(|(name, _)| known(name)));
    }
}
