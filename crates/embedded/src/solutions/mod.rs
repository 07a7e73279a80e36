//! Solutions: definitions, views, forms, roles and apps that come and go together, in the files of
//! [`postroom_formats::solution`] (dataverse.md F, protocol annex 4).
//!
//! # Design
//!
//! * **One unit.** An import works out every definition on paper ([`Draft`](crate::definitions::draft::Draft)), then puts
//!   down definitions and rows together (`crm.shape`), or nothing. The same file again changes nothing. An upgrade adds; data
//!   stays. Only the import job's own row is written apart, so that it tells of a failure, too.
//! * **Who holds what** stands in `solutioncomponent`, one row for each solution and component. A managed solution that goes
//!   takes along what nothing else holds. What was there before a managed solution brought it, too, is noted as held by the
//!   *Default Solution*, and stays. The other definitions that a managed one holds say `IsManaged`.
//! * **One in another's place** ([`upgrade`]): holding solutions and their promotion, patches.
//! * **Rows**: views, forms, roles with their privileges, site maps, apps, web resources, ribbons are rows of their tables
//!   under the ids of the file. Names of rows are English alone; definitions keep every language.
//! * **Rights**: `prvImportCustomization`, `prvExportCustomization`; a role gets no privilege that the importer has not.
//!
//! Everything is published when it is made, so PublishXml only checks. Not here: layers of one component (the last import
//! wins), translations, plug-ins and workflows (named in the job's result as left out).

mod export;
mod gather;
mod held;
mod import;
mod job;
mod parts;
mod plan;
mod remove;
mod tables;
mod upgrade;

use uuid::{Uuid, uuid};

pub(crate) use export::export;
pub(crate) use held::{
    Component, add, add_changed, add_made, drop_component, found, managed, named, of_row, own, write,
};
pub(crate) use import::{Import, import, read};
pub(crate) use remove::{apart, apart_of_port, not_among};
pub(crate) use tables::tables;
pub(crate) use upgrade::{patch, promote, roll_up};

/// The platform's numbers for what is refused here.
pub(crate) mod codes {
    pub(crate) const MISSING_DEPENDENCIES: u32 = 0x8004_801d;
    pub(crate) const MISSING_COMPONENT: u32 = 0x8004_801f;
    pub(crate) const INVALID_XML: u32 = 0x8004_802c;
    pub(crate) const IMPORT: u32 = 0x8004_8033;
    pub(crate) const EXPORT_MANAGED: u32 = 0x8004_8036;
    pub(crate) const OLDER_VERSION: u32 = 0x8004_8038;
    pub(crate) const UNMANAGED_THERE: u32 = 0x8004_8040;
    pub(crate) const MANAGED_THERE: u32 = 0x8004_8041;
    pub(crate) const WRONG_PUBLISHER: u32 = 0x8004_801c;
    pub(crate) const BAD_FILE: u32 = 0x8004_8060;
    pub(crate) const PACKAGE_VERSION: u32 = 0x8004_8068;
    pub(crate) const SOLUTION_VERSION: u32 = 0x8004_f01e;
    pub(crate) const IN_USE: u32 = 0x8004_f01f;
    pub(crate) const NO_SOLUTION: u32 = 0x8004_0217;
}

/// The solution that holds what no other does; its id is the platform's.
const DEFAULT: Uuid = uuid!("fd140aaf-4df4-11dd-bd17-0019b9312238");
/// Its publisher.
const DEFAULT_PUBLISHER: Uuid = uuid!("d21aab71-79e7-11dd-8874-00188b01e34f");
