//! Marketing preferences, both ways (marketing-entities.md 4.6 to 4.8; marketing-sync.md 9.5).
//!
//! # Design
//!
//! * [`definitions`]: the service's tree as rows of `esc_marketingpreference`; it changes there only.
//! * [`choices`]: what people chose, the newest word of both sides (table `preference_choice`). Each side's new words are read
//!   ([`incoming`], [`gather`]), each side is told of what it has not said itself ([`tell`]). Of two words at the same moment the
//!   opt-out counts. Yes is kept, and both sides are told, only of people who are or were known by a list that is activated; no is
//!   kept of everybody, as they may join one later.
//! * [`scoped`]: what the service knows of one list only.
//! * [`ties`]: the preference that a list or campaign belongs to; the gate asks it.
//! * [`groups`]: subscription groups of the CRM. Opting out of an item is leaving its list, opting in joining it.
//!
//! Servers of 2011 have no preferences; groups they have.

pub mod choices;
pub mod definitions;
pub mod gather;
pub mod groups;
pub mod incoming;
pub mod scoped;
pub mod tell;
pub mod ties;

use postroom_core::marketing::PreferenceId;

use crate::sync::{Halt, Turn};

/// The flow.
///
/// # Errors
/// Faults of either side; what was stored until then stays.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    turn.engine.read_people().await?;
    groups::run(turn).await?;
    if !has_preferences(&turn.engine.crm.capabilities().await?.version) {
        return Ok(());
    }
    let tree = definitions::run(turn).await?;
    for preference in tree.choices() {
        incoming::read(turn, preference).await?;
    }
    gather::run(turn, &tree).await?;
    tell::crm(turn, &tree).await?;
    tell::service(turn).await
}

/// What either side said of these preferences up to now, before a send; nobody is told.
///
/// # Errors
/// Faults of either side; what was stored until then stays.
pub(crate) async fn read_latest(turn: &mut Turn, preferences: &[PreferenceId]) -> Result<(), Halt> {
    if preferences.is_empty() || !has_preferences(&turn.engine.crm.capabilities().await?.version) {
        return Ok(());
    }
    let tree = definitions::run(turn).await?;
    for preference in tree.choices().iter().filter(|id| preferences.contains(id)) {
        incoming::read(turn, preference).await?;
    }
    gather::run(turn, &tree).await
}

/// From 2013 on.
fn has_preferences(version: &str) -> bool {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_none_or(|major| major >= 6)
}
