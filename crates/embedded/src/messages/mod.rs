//! The platform's messages beyond create, retrieve, update and delete: `SendEmail`, `AddToQueue`, `QualifyLead`, …
//!
//! Both doors ask for them by name with [`Parameter`]s, in their own wire forms. A message is *prepared* where it can be: it
//! answers the changes that it stands for and what to answer once they are made, so that it can be part of a change set or
//! of an ExecuteTransaction. What only reads, or is a job of its own, is done at once.

mod ask;
pub(crate) mod blocks;
mod bulk;
mod changed;
mod fetch_check;
pub(crate) mod incoming;
mod lists;
mod mail;
mod mailing;
mod names;
mod needs;
mod queues;
mod relating;
mod rights;
mod sales;
mod solutions;
mod system;
mod system_job;
mod template;
mod tracking;

use jiff::Timestamp;
use postroom_core::{Change, Ids, Query, Record, RecordRef};
use uuid::Uuid;

use crate::Embedded;
use crate::access::{Share, Sharing};
use crate::failure::Failure;
use crate::session::Session;
use ask::Ask;
pub(crate) use ask::of_value;
pub use names::{Bound, Definition, NAMES, Shape, find};
pub use needs::{Need, needs};

/// The platform's numbers for what messages refuse (dataverse.md A3, protocol annex 7.4).
pub(crate) mod codes {
    pub(crate) const INVALID_ARGUMENT: u32 = 0x8004_0203;
    pub(crate) const NOT_SUPPORTED: u32 = 0x8004_0800;
    pub(crate) const PARTY_WITHOUT_ADDRESS: u32 = 0x8004_0b00;
    pub(crate) const SENDERS: u32 = 0x8004_0b01;
    pub(crate) const NO_RECIPIENT: u32 = 0x8004_0b04;
    pub(crate) const SENDER_WITHOUT_ADDRESS: u32 = 0x8004_0b08;
    pub(crate) const SEND_AS: u32 = 0x8004_480d;
    pub(crate) const SEND_AS_QUEUE: u32 = 0x8004_480f;
    pub(crate) const CANNOT_ACCEPT: u32 = 0x8005_e20b;
    pub(crate) const MAIL_TOO_LARGE: u32 = 0x8005_e237;
    pub(crate) const QUEUED_ALREADY: u32 = 0x8004_0526;
    pub(crate) const MEMBER_TYPE: u32 = 0x8004_0301;
    pub(crate) const LIST_LOCKED: u32 = 0x8004_0302;
    pub(crate) const NOT_A_MEMBER: u32 = 0x8004_8458;
    pub(crate) const FILE_TOO_LARGE: u32 = 0x8004_4a02;
    pub(crate) const FILE_NAME: u32 = 0x8004_4a08;
    pub(crate) const FILE_BLOCKED: u32 = 0x8004_3e09;
    pub(crate) const STATE: u32 = 0x8004_8408;
}

/// Refuses in the platform's words.
pub(crate) fn refuse(code: u32, text: impl Into<String>) -> Failure {
    Failure::Platform { code, message: text.into() }
}

/// A value of a message's request or response, in no wire form.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A decimal in plain notation.
    Decimal(String),
    Text(String),
    Guid(Uuid),
    Time(Timestamp),
    Binary(bytes::Bytes),
    Reference(RecordRef),
    Entity(Record),
    Entities(Vec<Record>),
    List(Vec<Parameter>),
    /// Named members, such as `RolePrivilege {Depth, PrivilegeId}`.
    Members(Vec<(String, Parameter)>),
    Query(Box<Query>),
}

/// A message asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `SendEmail`
    pub name: String,
    /// The row that it is bound to, in the Web API.
    pub target: Option<RecordRef>,
    pub parameters: Vec<(String, Parameter)>,
}

/// A message ready to be done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prepared {
    /// Done in one set; nothing when the message was done already or only reads.
    pub changes: Vec<Change>,
    /// Done in the same set, after what comes before it there.
    pub share: Option<Share>,
    /// What to answer then: names and values of the response.
    pub results: Vec<(String, Parameter)>,
}

impl Message {
    /// A parameter by name, without case.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).filter(|value| **value != Parameter::Null)
    }
}

impl Prepared {
    /// A message that is done already, or only reads.
    pub(crate) fn answer(results: Vec<(&str, Parameter)>) -> Self {
        Prepared::of(Vec::new(), results)
    }

    pub(crate) fn of(changes: Vec<Change>, results: Vec<(&str, Parameter)>) -> Self {
        let results = results.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Prepared { changes, share: None, results }
    }

    pub(crate) fn share(share: Share) -> Self {
        Prepared { share: Some(share), ..Prepared::default() }
    }
}

/// Makes a message ready, or does it at once when it cannot wait ([`Definition::at_once`]).
///
/// # Errors
/// The platform's refusals with its codes, what the caller may not do, and messages that are not in [`NAMES`].
pub async fn prepare(session: &Session, ids: &Ids, message: Message) -> Result<Prepared, Failure> {
    let Some(known) = find(&message.name) else { return Err(unknown(&message.name)) };
    let ask = Ask { session, ids, message: &message };
    needs::check(&ask, known).await?;
    match known.name {
        "WhoAmI" => system::who_am_i(&ask).await,
        "RetrieveVersion" => Ok(system::version()),
        "RetrieveTimestamp" => system::stamp(&ask).await,
        "RetrieveCurrentOrganization" => system::organization(&ask).await,
        "RetrieveTotalRecordCount" => system::counts(&ask).await,
        "SetState" => system::set_state(&ask),
        "Assign" => system::assign(&ask),
        "SendEmail" => mail::send(&ask).await,
        "GetTrackingTokenEmail" => tracking::token_email(&ask).await,
        "SendEmailFromTemplate" => mail::send_from_template(&ask).await,
        "SendBulkMail" => mailing::to_many(&ask).await,
        "SendTemplate" => mailing::to_few(&ask).await,
        "InstantiateTemplate" => template::instantiate(&ask).await,
        "BackgroundSendEmail" => mail::hand_out(&ask).await,
        "DeliverIncomingEmail" => incoming::deliver(&ask).await,
        "DeliverPromoteEmail" => incoming::promote(&ask).await,
        "CheckIncomingEmail" => incoming::check(&ask).await,
        "CheckPromoteEmail" => incoming::check_promote(&ask).await,
        "AddToQueue" => queues::add(&ask).await,
        "PickFromQueue" => queues::pick(&ask).await,
        "ReleaseToQueue" => queues::release(&ask).await,
        "RemoveFromQueue" => queues::remove(&ask).await,
        "RouteTo" => queues::route(&ask).await,
        _ => prepare_more(&ask, known).await,
    }
}

/// Takes up the bulk deletions and bulk mails that an ended process left behind; answers how many there were. For the start
/// of a process.
///
/// # Errors
/// The database's own; a job that cannot be read is closed as failed.
pub async fn resume(crm: &Embedded) -> Result<usize, Failure> {
    Ok(bulk::resume(crm).await? + mailing::resume(crm).await?)
}

/// The second half of [`prepare`].
async fn prepare_more(ask: &Ask<'_>, known: &Definition) -> Result<Prepared, Failure> {
    match known.name {
        "AddMemberList" => lists::add_one(ask).await,
        "AddListMembersList" => lists::add_many(ask).await,
        "RemoveMemberList" => lists::remove(ask).await,
        "CopyMembersList" => lists::copy(ask).await,
        "CopyDynamicListToStatic" => lists::freeze(ask).await,
        "QualifyMemberList" => lists::qualify(ask).await,
        "QualifyLead" => sales::qualify_lead(ask).await,
        "CloseIncident" => sales::close_incident(ask).await,
        "WinOpportunity" => sales::close_opportunity(ask, sales::WON).await,
        "LoseOpportunity" => sales::close_opportunity(ask, sales::LOST).await,
        "Merge" => sales::merge::merge(ask).await,
        "InitializeFrom" => sales::initialize_from(ask).await,
        "GrantAccess" => rights::share(ask, Sharing::Grant),
        "ModifyAccess" => rights::share(ask, Sharing::Modify),
        "RevokeAccess" => rights::revoke(ask),
        "RetrievePrincipalAccess" => rights::principal_access(ask).await,
        "RetrieveUserPrivileges" => rights::user_privileges(ask).await,
        "RetrieveUserSetOfPrivilegesByNames" => rights::user_privileges(ask).await,
        "RetrieveTeamPrivileges" => rights::team_privileges(ask).await,
        "RetrieveSharedPrincipalsAndAccess" => rights::shared_with(ask).await,
        "ValidateFetchXmlExpression" => fetch_check::check(ask).await,
        "AddPrivilegesRole" => rights::change_role(ask, rights::Role::Add).await,
        "ReplacePrivilegesRole" => rights::change_role(ask, rights::Role::Replace).await,
        "RemovePrivilegeRole" => rights::change_role(ask, rights::Role::Remove).await,
        "RetrieveRolePrivilegesRole" => rights::role_privileges(ask).await,
        "BulkDelete" => bulk::delete(ask).await,
        "RetrieveEntityChanges" => changed::changes(ask).await,
        "InitializeAttachmentBlocksUpload" | "InitializeFileBlocksUpload" => blocks::begin(ask).await,
        "UploadBlock" => blocks::block(ask),
        "CommitAttachmentBlocksUpload" | "CommitFileBlocksUpload" => blocks::commit(ask).await,
        "DeleteFile" => blocks::delete_file(ask).await,
        "ImportSolution" => solutions::import(ask).await,
        "ImportSolutionAsync" => solutions::import_async(ask, false).await,
        "StageAndUpgrade" => solutions::upgrade(ask).await,
        "StageAndUpgradeAsync" => solutions::import_async(ask, true).await,
        "DeleteAndPromote" => solutions::promote(ask).await,
        "CloneAsPatch" => solutions::clone(ask, true).await,
        "CloneAsSolution" => solutions::clone(ask, false).await,
        "ExportSolution" => solutions::export(ask).await,
        "ExportSolutionAsync" => solutions::export_async(ask).await,
        "DownloadSolutionExportData" => solutions::download(ask).await,
        "StageSolution" => solutions::stage(ask).await,
        "AddSolutionComponent" => solutions::add_component(ask).await,
        "RemoveSolutionComponent" => solutions::remove_component(ask).await,
        "CanBeReferenced" | "CanBeReferencing" | "CanManyToMany" => relating::can(ask, known.name).await,
        "GetValidReferencedEntities" => relating::valid(ask, Some("ReferencingEntityName")).await,
        "GetValidReferencingEntities" => relating::valid(ask, Some("ReferencedEntityName")).await,
        "GetValidManyToMany" => relating::valid(ask, None).await,
        name => Err(refuse(codes::NOT_SUPPORTED, format!("The message {name} is not done here yet."))),
    }
}

fn unknown(name: &str) -> Failure {
    let name: String = name.chars().take(80).collect();
    refuse(codes::NOT_SUPPORTED, format!("There is no message '{name}' in this organization."))
}
