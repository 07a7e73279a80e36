//! The service's campaigns and their totals in the CRM (marketing-entities.md 3.1; marketing-sync.md 6).
//!
//! # Design
//!
//! 1. [`headers`]: all campaigns are read, each page with its mark in one unit, into the table `campaign`. Whoever was not seen
//!    in a whole reading is marked as gone, unless that would be very many at once.
//! 2. [`totals`]: asked for by age since the last send, and overwritten, never added. A campaign that was never sent has none;
//!    that the service refuses it is no error.
//! 3. [`tell`]: rows that changed go to `esc_emailcampaign` in lots, driven by the column `told`. Columns that users fill in
//!    are written when the row is made and then left alone.
//! 4. [`rollup`]: sums on the standard campaign that a user tied campaigns to, and its target lists when that is wanted.
//!
//! Which marketing preference a campaign belongs to is read, too ([`ties`]). [`look`] shows what was read to people.

mod headers;
pub mod look;
mod rollup;
mod row;
mod tell;
mod totals;

use crate::preferences::ties;
use crate::sync::{Halt, Turn};

/// The flow: campaigns and totals from the service to the CRM.
///
/// # Errors
/// Faults of either side; what was stored until then stays. A question when very many campaigns are gone.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    headers::read(turn).await?;
    totals::read(turn).await?;
    tell::run(turn).await?;
    ties::read_campaigns(turn).await?;
    rollup::run(turn).await
}
