//! Lists and segments, by v2: the service calls them address books.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::{
    Ask as Part, CampaignId, ContactId, DeletionId, List, ListId, Lists, Page, Segment, SegmentId,
    Suppression, Visibility,
};
use serde_json::{Value, json};

use super::{Dotdigital, suppression};
use crate::ask::Ask;
use crate::date;
use crate::wire::Row;

pub(super) const LISTS: &str = "/v2/address-books";
const LIST: &str = "/v2/address-books/{}";
/// Rows of a page of v2.
pub(super) const PAGE: u32 = 1000;

#[async_trait]
impl Lists for Dotdigital {
    async fn lists(&self, ask: &Part) -> Result<Page<List>, Fault> {
        if self.soap() {
            return self.soap_lists(ask).await;
        }
        self.page(|| Ask::get(LISTS, &[]), ask, PAGE, list).await
    }

    async fn list(&self, id: &ListId) -> Result<Option<List>, Fault> {
        if self.soap() {
            return self.soap_list(id).await;
        }
        self.one_or_none(Ask::get(LIST, &[&id.to_string()]), list).await
    }

    async fn segments(&self, ask: &Part) -> Result<Page<Segment>, Fault> {
        self.page(|| Ask::get("/v2/segments", &[]), ask, PAGE, segment).await
    }

    async fn create_list(&self, name: &str, visibility: &Visibility) -> Result<List, Fault> {
        self.one(Ask::post(LISTS, &[]).json(&body(name, visibility)), list).await
    }

    async fn change_list(&self, id: &ListId, name: &str, visibility: &Visibility) -> Result<List, Fault> {
        let ask = Ask::put(LIST, &[&id.to_string()]).json(&body(name, visibility)).repeatable();
        self.one(ask, list).await
    }

    async fn delete_list(&self, id: &ListId) -> Result<(), Fault> {
        let ask = Ask::of(http::Method::DELETE, LIST, &[&id.to_string()]).repeatable();
        self.done_or(ask, |refusal| refusal.missing()).await
    }

    async fn remove_members(&self, list: &ListId, people: &[ContactId]) -> Result<Option<DeletionId>, Fault> {
        // An empty list of people is never sent: who knows what the service makes of it.
        if people.is_empty() {
            return Ok(None);
        }
        if self.soap() {
            return self.soap_remove(list, people).await.map(Some);
        }
        const ROUTE: &str = "/v2/address-books/{}/contacts/delete";
        let ids: Value = people.iter().map(|person| Value::from(person.0)).collect();
        let ask = Ask::post(ROUTE, &[&list.to_string()]).json(&ids).repeatable();
        let id = self.one(ask, |row| row.some_text("id")).await?;
        Ok(Some(DeletionId(format!("v2/{id}"))))
    }

    async fn list_unsubscribes(
        &self,
        list: &ListId,
        since: Timestamp,
        ask: &Part,
    ) -> Result<Page<Suppression>, Fault> {
        const ROUTE: &str = "/v2/address-books/{}/contacts/unsubscribed-since/{}";
        let (list, since) = (list.to_string(), date::write(since));
        self.page(|| Ask::get(ROUTE, &[&list, &since]), ask, PAGE, suppression::suppression).await
    }

    async fn list_campaigns(&self, list: &ListId, ask: &Part) -> Result<Page<CampaignId>, Fault> {
        let list = list.to_string();
        let ids = |row: &Row<'_>| row.id("id").map(CampaignId);
        self.page(|| Ask::get("/v2/address-books/{}/campaigns", &[&list]), ask, PAGE, ids).await
    }
}

pub(super) fn list(row: &Row<'_>) -> Option<List> {
    Some(List {
        id: ListId(row.id("id")?),
        name: row.string("name"),
        visibility: row.word("visibility"),
        contacts: row.count("contacts"),
    })
}

fn segment(row: &Row<'_>) -> Option<Segment> {
    Some(Segment { id: SegmentId(row.id("id")?), name: row.string("name"), contacts: row.count("contacts") })
}

fn body(name: &str, visibility: &Visibility) -> Value {
    let visibility = if *visibility == Visibility::Public { "Public" } else { "Private" };
    json!({ "name": name, "visibility": visibility })
}
