//! Marketing preferences, by v2.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::{
    Ask as Part, ContactId, ListId, OptInChange, Page, Person, Preference, PreferenceId, PreferenceNode,
    Preferences,
};
use serde_json::{Value, json};

use super::Dotdigital;
use crate::ask::Ask;
use crate::client::Trouble;
use crate::date;
use crate::wire::Row;

const TREE: &str = "/v2/preferences";
const OF: &str = "/v2/contacts/{}/preferences";

#[async_trait]
impl Preferences for Dotdigital {
    async fn preferences(&self) -> Result<Vec<PreferenceNode>, Fault> {
        self.all(Ask::get(TREE, &[]), node).await
    }

    async fn create_preference(&self, preference: &Preference) -> Result<PreferenceId, Fault> {
        let mut body = json!({
            "publicName": preference.public_name,
            "privateName": preference.private_name,
            "isPreference": !preference.category,
            "order": preference.order,
            "isPublic": preference.public,
        });
        if let Some(parent) = &preference.parent {
            body["categoryId"] = parent.0.into();
        }
        self.one(Ask::post(TREE, &[]).json(&body), |row| row.id("id").map(PreferenceId)).await
    }

    async fn preferences_of(&self, who: &Person) -> Result<Option<Vec<PreferenceNode>>, Fault> {
        let who = self.v2_name(who).await?;
        let Some(who) = who else { return Ok(None) };
        let ask = Ask::get(OF, &[&who]);
        let mut rows = super::Rows::new(ask.route, node);
        match self.client.send(&ask, &mut rows).await {
            Ok(_) => Ok(Some(rows.found)),
            Err(Trouble::Refused(refusal)) if refusal.missing() => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn set_preferences(&self, who: &Person, chosen: &[(PreferenceId, bool)]) -> Result<(), Fault> {
        if chosen.is_empty() {
            return Ok(());
        }
        let who = self.v2_name(who).await?.ok_or_else(super::contact::nobody)?;
        let one = |(id, chosen): &(PreferenceId, bool)| json!({ "id": id.0, "isPreference": true, "isOptedIn": chosen });
        let body: Value = chosen.iter().map(one).collect();
        self.done(Ask::put(OF, &[&who]).json(&body).repeatable()).await?;
        Ok(())
    }

    async fn opted_in(
        &self,
        preference: &PreferenceId,
        ask: &Part,
    ) -> Result<Page<(ContactId, String)>, Fault> {
        let question = Ask::get("/v2/contacts/with-preference/{}", &[&preference.to_string()]);
        let person = |row: &Row<'_>| Some((ContactId(row.id("id")?), row.string("email")));
        self.page_by_id(question, ask, person, |(id, _)| Some(id.0)).await
    }

    async fn opt_in_changes(
        &self,
        preference: &PreferenceId,
        since: Timestamp,
        ask: &Part,
    ) -> Result<Page<OptInChange>, Fault> {
        const ROUTE: &str = "/v2/contacts/with-preference/{}/opt-ins-since/{}";
        let question = Ask::get(ROUTE, &[&preference.to_string(), &date::write(since)]);
        let changes = self.page_by_id(question, ask, changes, |found| Some(found.0)).await?;
        Ok(Page {
            rows: changes.rows.into_iter().flat_map(|(_, changes)| changes).collect(),
            next: changes.next,
        })
    }
}

fn node(row: &Row<'_>) -> Option<PreferenceNode> {
    let preference = Preference {
        id: PreferenceId(row.id("id")?),
        public_name: row.string("publicName"),
        private_name: row.string("privateName"),
        // One documented answer spells it so.
        category: !(row.is("isPreference") || row.is("isPreference2")),
        public: row.is("isPublic"),
        parent: row.id("categoryId").map(PreferenceId),
        order: row.string("order"),
        created: row.moment("created"),
        modified: row.moment("lastModified"),
    };
    let below = row.rows("preferences").iter().filter_map(node).collect();
    Some(PreferenceNode { preference, opted_in: row.flag("isOptedIn"), below })
}

/// A person's id with the changes.
fn changes(row: &Row<'_>) -> Option<(i64, Vec<OptInChange>)> {
    let person = row.row("contact")?;
    let id = person.id("id")?;
    let change = |change: &Row<'_>| {
        Some(OptInChange {
            contact: Some(ContactId(id)),
            email: person.string("email"),
            preference: PreferenceId(change.id("marketingPreferenceId")?),
            list: change.id("addressBookId").map(ListId),
            opted_in: change.is("isOptedIn"),
            // The service's own spelling, and the right one.
            at: change.moment("dateModifed").or_else(|| change.moment("dateModified")),
        })
    };
    Some((id, row.rows("marketingPreferenceOptIns").iter().filter_map(change).collect()))
}
