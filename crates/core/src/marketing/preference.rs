//! Marketing preferences: what people want to hear about.

use async_trait::async_trait;
use jiff::Timestamp;

use super::contact::Person;
use super::page::{Ask, ContactId, ListId, Page, PreferenceId};
use crate::Fault;

/// A preference, or a category of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    pub id: PreferenceId,
    pub public_name: String,
    pub private_name: String,
    /// A category has preferences and cannot be chosen.
    pub category: bool,
    pub public: bool,
    /// The category it belongs to.
    pub parent: Option<PreferenceId>,
    pub order: String,
    pub created: Option<Timestamp>,
    pub modified: Option<Timestamp>,
}

/// A preference with what is below it, and, for a person, what was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceNode {
    pub preference: Preference,
    pub opted_in: Option<bool>,
    pub below: Vec<PreferenceNode>,
}

impl PreferenceNode {
    /// The preferences of a tree that can be chosen, with what was chosen.
    pub fn leaves(nodes: &[PreferenceNode]) -> Vec<(&Preference, Option<bool>)> {
        let own = |node: &'_ PreferenceNode| !node.preference.category;
        nodes
            .iter()
            .flat_map(|node| {
                let here = own(node).then_some((&node.preference, node.opted_in));
                here.into_iter().chain(PreferenceNode::leaves(&node.below))
            })
            .collect()
    }
}

/// Somebody changed a preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptInChange {
    pub contact: Option<ContactId>,
    pub email: String,
    pub preference: PreferenceId,
    /// Preferences hold for the account or for a list.
    pub list: Option<ListId>,
    pub opted_in: bool,
    pub at: Option<Timestamp>,
}

/// Preferences.
#[async_trait]
pub trait Preferences: Send + Sync {
    /// The account's tree.
    async fn preferences(&self) -> Result<Vec<PreferenceNode>, Fault>;

    /// Makes a preference or category; `preference.id` is not looked at. A lost answer is `Unknown`: the tree tells.
    async fn create_preference(&self, preference: &Preference) -> Result<PreferenceId, Fault>;

    /// A person's tree. `None` when the person is not known.
    async fn preferences_of(&self, who: &Person) -> Result<Option<Vec<PreferenceNode>>, Fault>;

    /// Sets the preferences named, and no others. Repeating does no harm.
    async fn set_preferences(&self, who: &Person, chosen: &[(PreferenceId, bool)]) -> Result<(), Fault>;

    /// Who opted in.
    async fn opted_in(
        &self,
        preference: &PreferenceId,
        ask: &Ask,
    ) -> Result<Page<(ContactId, String)>, Fault>;

    /// Who changed a preference at this moment or later.
    async fn opt_in_changes(
        &self,
        preference: &PreferenceId,
        since: Timestamp,
        ask: &Ask,
    ) -> Result<Page<OptInChange>, Fault>;
}
