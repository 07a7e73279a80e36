//! Why something is refused, in the platform's words and with its codes.

use postroom_core::metadata::PrivilegeKind;
use postroom_core::{Code, Fault, RecordRef};
use postroom_store::Error;
use uuid::Uuid;

use super::{AccessRights, Privilege};
use crate::rules::Refusal;

/// One refusal. It names ids, never what a row holds.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(
        "Principal user (Id={user}, type=8, roleCount={roles}, privilegeCount={privileges}, accessMode={mode}) is missing \
         {} privilege (Id={}){}",
        privilege.name, privilege.id, on(table)
    )]
    Missing {
        user: Uuid,
        roles: usize,
        privileges: usize,
        mode: i64,
        privilege: Box<Privilege>,
        /// The table that it is about.
        table: Option<String>,
    },
    /// A table that only System Administrators may change, or only by messages.
    #[error(
        "Principal user (Id={user}, type=8) may not {verb} rows of '{table}': they belong to the security model and are \
         changed by its messages, or by a System Administrator"
    )]
    Guarded { user: Uuid, verb: &'static str, table: String },
    #[error(
        "SecLib::AccessCheckEx failed. Returned hr = -2147187962, ObjectID: {}, OwnerId: {}, OwnerIdType: {} and \
         CallingUser: {user}. ObjectTypeCode: {}, objectBusinessUnitId: {}, AccessRights: {rights}",
        row.id, owner.as_ref().map_or(Uuid::nil(), |owner| owner.id), owner_type(owner), row.table,
        unit.unwrap_or_default()
    )]
    Row { user: Uuid, row: RecordRef, owner: Option<RecordRef>, unit: Option<Uuid>, rights: AccessRights },
    #[error(
        "User does not have the privilege to act on behalf another user. (Id={user} is missing prvActOnBehalfOfAnotherUser)"
    )]
    OnBehalf { user: Uuid },
    #[error("The specified user(Id = {0}) is disabled. Consider enabling this user.")]
    Disabled(Uuid),
    #[error("The user (Id = {0}) is not a member of the organization.")]
    Stranger(Uuid),
    #[error(
        "The user doesn't have {} and not granted shared access for a secured attribute during {} operation: {table}.{column}",
        if *create { "AttributePrivilegeCreate" } else { "AttributePrivilegeUpdate" },
        if *create { "create" } else { "update" }
    )]
    Column { table: String, column: String, create: bool },
    #[error("The user may not read the secured attribute {table}.{column}, so no condition may name it")]
    Hidden { table: String, column: String },
    #[error("{} With Id = {} Does Not Exist", .0.table, .0.id)]
    NoRow(RecordRef),
    #[error("privilege With Id = {0} Does Not Exist")]
    NoPrivilege(Uuid),
    #[error("{privilege} cannot be given at the depth {depth}; it knows {known}")]
    Depth { privilege: String, depth: &'static str, known: &'static str },
    #[error(
        "The role {0} gives everything by itself and cannot be changed; copy what you need into a role of your own"
    )]
    FixedRole(Uuid),
    #[error("rows of '{0}' cannot be shared: they have no owner")]
    NotShared(String),
    #[error("{0} cannot be given rights: name a systemuser or a team")]
    Principal(RecordRef),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] Error),
}

fn on(table: &Option<String>) -> String {
    table.as_ref().map_or_else(String::new, |table| format!(" for entity '{table}'"))
}

fn owner_type(owner: &Option<RecordRef>) -> i64 {
    match owner.as_ref().map(|owner| owner.table.as_str()) {
        Some("team") => 9,
        _ => 8,
    }
}

impl AccessError {
    /// The platform's own code, such as 0x80040220; `None` when it is not about access.
    pub fn crm_code(&self) -> Option<u32> {
        Some(match self {
            AccessError::Missing { .. } => 0x8004_0220,
            AccessError::Guarded { .. } | AccessError::FixedRole(_) => 0x8004_0256,
            AccessError::Row { .. } => 0x8004_8306,
            AccessError::OnBehalf { .. } => 0x8004_a110,
            AccessError::Disabled(_) => 0x8004_0225,
            AccessError::Stranger(_) => 0x8007_2560,
            AccessError::Hidden { .. } => 0x8004_f501,
            AccessError::Column { create: true, .. } => 0x8004_f502,
            AccessError::Column { create: false, .. } => 0x8004_f507,
            AccessError::NoRow(_) | AccessError::NoPrivilege(_) => 0x8004_0217,
            AccessError::Depth { .. } | AccessError::NotShared(_) | AccessError::Principal(_) => 0x8004_0203,
            AccessError::Refused(_) | AccessError::Store(_) => return None,
        })
    }
}

impl From<AccessError> for Fault {
    fn from(error: AccessError) -> Self {
        let code = match error {
            AccessError::Store(error) => return error.into(),
            AccessError::Refused(refusal) => return refusal.into(),
            AccessError::NoRow(_) | AccessError::NoPrivilege(_) => Code::CRM_NOT_FOUND,
            AccessError::Depth { .. } | AccessError::NotShared(_) | AccessError::Principal(_) => {
                Code::CRM_REFUSED
            }
            _ => Code::API_DENIED,
        };
        Fault::reject(code, error.to_string())
    }
}

/// What a refused kind is called in [`AccessError::Guarded`].
pub(super) fn verb(kind: PrivilegeKind) -> &'static str {
    match kind {
        PrivilegeKind::Create => "create",
        PrivilegeKind::Read => "read",
        PrivilegeKind::Delete => "delete",
        PrivilegeKind::Assign => "assign",
        PrivilegeKind::Share => "share",
        PrivilegeKind::Write | PrivilegeKind::Append | PrivilegeKind::AppendTo => "change",
    }
}
