//! Who may do what with which rows: the platform's security model.
//!
//! # Map
//!
//! * [`privilege`]: what can be granted (`prvReadContact`) and how far ([`Level`]).
//! * `govern`: what decides over a table's rows: their owner, a business unit, the organisation, or a parent row.
//! * `roles`, `seed`: the roles that every database has, and the rows that show them.
//! * [`Caller`] (`caller`, `load`): one user with all that his roles and teams give him, read from the database. It turns
//!   into a [`Filter`](postroom_core::Filter) for queries and into a yes or no for one row (`facts`).
//! * `columns`: column security. `sharing`, `grants`: the messages that give and take rights.
//!
//! # Rules worth knowing
//!
//! * *System Administrator* and *System Customizer* are computed, never stored: a table made a moment ago is theirs at
//!   once. They are known by their fixed ids, so nobody becomes one by writing a role's columns. All other roles are rows.
//! * A team's roles reach what the team owns and the team's business unit; a user's own roles reach what the user owns.
//!   Rows of a team are not reached by its members' own roles below the level Local (the platform's rule).
//! * A shared row is reached when the caller has the privilege at any level and the share names the right.
//! * Someone who acts for another has that user's reach, no privilege deeper than he has it himself.
//! * Nobody gives what he does not have: roles, privileges and shares.
//!
//! # Staleness
//!
//! Every write of a row that decides over rights ([`tables::DECIDING`]; of shares those that give somebody what he has of no
//! row yet) raises the counter [`VERSION`] in its own unit. A
//! kept [`Caller`] is used only while counter and schema version are the ones it was read at ([`Callers`]), so a role that
//! was taken away counts at the next request, in every process.
//!
//! Not here: signing in, hierarchy security, access teams, copies of roles in child units.

mod caller;
mod columns;
mod error;
mod facts;
mod govern;
mod grants;
mod load;
pub mod privilege;
pub mod roles;
pub(crate) mod seed;
mod sharing;
pub(crate) mod tables;

pub use caller::{Caller, lookup_is_checked};
pub use columns::Secured;
pub use error::AccessError;
pub use facts::{RowFacts, check_new_owner, facts};
pub(crate) use govern::parents;
pub use grants::{
    Grant, RolePrivilege, add_privileges, assign_role, remove_privilege, replace_privileges, role_privileges,
    unassign_role, user_privileges,
};
pub use load::{Callers, version};
pub use privilege::{Level, Privilege};
pub use sharing::{AccessRights, Share, Sharing, grant, modify, principal_access, revoke, shared_with};

/// The counter that rises with every change to anyone's rights.
pub(crate) const VERSION: &str = "crm_access";
