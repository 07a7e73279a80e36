//! The shelf: work that stopped after its tries, with its reason and a way back.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Code, Fault, JobId};
use postroom_jobs::shelf::{self, Attempt, Shown};
use postroom_tracking::filing::{self, shelved};
use serde::Serialize;

use crate::{Actor, Operations, Permission, audit};

/// One item.
#[derive(Debug, Clone, Serialize)]
pub struct ShelfItem {
    pub id: JobId,
    pub kind: String,
    /// What it is about: the message's id.
    pub subject: String,
    pub code: Option<String>,
    pub reason: String,
    pub attempts: u32,
    pub first_at: Timestamp,
    pub history: Vec<Attempt>,
}

impl From<Shown> for ShelfItem {
    fn from(job: Shown) -> Self {
        let subject = job.payload.get("message").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
        ShelfItem {
            id: job.id,
            kind: job.kind,
            subject,
            code: job.last_code.map(|code| code.to_string()),
            reason: job.last_error.unwrap_or_else(|| "no reason was kept".into()),
            attempts: job.attempt,
            first_at: job.first_at,
            history: job.history,
        }
    }
}

impl Operations {
    pub async fn shelf(&self, actor: &Actor, limit: u64) -> Result<Vec<ShelfItem>, Fault> {
        actor.needs(Permission::Read)?;
        let page =
            shelf::Page { kind: None, after: None, limit: if limit == 0 { u64::MAX >> 1 } else { limit } };
        let jobs = shelf::list(&self.0.store, page).await.map_err(Fault::from)?;
        Ok(jobs.into_iter().map(ShelfItem::from).collect())
    }

    /// The shelf, oldest first: those behind `after`, of this code when one is given.
    pub async fn shelf_page(
        &self,
        actor: &Actor,
        code: Option<Code>,
        after: Option<JobId>,
        limit: u64,
    ) -> Result<Vec<ShelfItem>, Fault> {
        actor.needs(Permission::Read)?;
        let after = match after {
            Some(id) => Some(shelf::show(&self.0.store, id).await?.ok_or_else(|| missing(id))?.seq),
            None => None,
        };
        let page = shelf::Page { kind: None, after, limit: if code.is_none() { limit } else { 0 } };
        let found = shelf::list(&self.0.store, page).await?;
        let of_code = found.into_iter().filter(|job| code.is_none() || job.last_code == code);
        let most = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
        Ok(of_code.take(most).map(ShelfItem::from).collect())
    }

    /// Tries everything again, or what failed with this code; answers which. One that is gone by then is passed over.
    pub async fn shelf_replay_all(
        &self,
        actor: &Actor,
        code: Option<Code>,
        dry_run: bool,
    ) -> Result<Vec<JobId>, Fault> {
        actor.needs(Permission::Decide)?;
        let items = self.shelf_page(actor, code, None, 0).await?;
        let mut tried = Vec::new();
        for id in items.into_iter().map(|item| item.id) {
            let done = if dry_run { Ok(()) } else { self.shelf_replay(actor, id).await };
            match done {
                Ok(()) => tried.push(id),
                Err(fault) if fault.code == Code::API_NOT_FOUND => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(tried)
    }

    pub(crate) async fn shelf_count(&self) -> Result<u64, Fault> {
        let backlog = postroom_jobs::counts::backlog(&self.0.store).await.map_err(Fault::from)?;
        Ok(backlog.shelf.values().sum())
    }

    pub async fn shelf_item(&self, actor: &Actor, id: JobId) -> Result<ShelfItem, Fault> {
        actor.needs(Permission::Read)?;
        let found = shelf::show(&self.0.store, id).await.map_err(Fault::from)?;
        found.map(ShelfItem::from).ok_or_else(|| missing(id))
    }

    /// Tries an item again from the beginning.
    pub async fn shelf_replay(&self, actor: &Actor, id: JobId) -> Result<(), Fault> {
        self.shelf_change(actor, id, "shelf.replay").await
    }

    /// Gives an item up. The mail itself stays: one that was never decided waits for a person.
    pub async fn shelf_drop(&self, actor: &Actor, id: JobId) -> Result<(), Fault> {
        self.shelf_change(actor, id, "shelf.drop").await
    }

    async fn shelf_change(&self, actor: &Actor, id: JobId, action: &'static str) -> Result<(), Fault> {
        actor.needs(Permission::Decide)?;
        let (ids, now, who) = (self.0.ids.clone(), self.0.clock.now(), actor.name.clone());
        let shown = shelf::show(&self.0.store, id).await.map_err(Fault::from)?;
        let filed = shown.filter(|job| job.kind == filing::KIND);
        let mail = filed.and_then(|job| shelved::mail_of(&job.payload));
        let entry = audit::Entry::new(actor, now, action, id, "");
        let found = self
            .0
            .store
            .write("operations.shelf", move |tx| {
                async move {
                    let found = match action {
                        "shelf.replay" => shelf::replay(tx, now, id).await?,
                        _ => shelf::discard(tx, id).await?,
                    };
                    match mail.filter(|_| found) {
                        Some(mail) if action == "shelf.replay" => shelved::replayed(tx, mail).await?,
                        Some(mail) => shelved::dropped(tx, &ids, now, mail, &who).await?,
                        None => {}
                    }
                    audit::append(tx, &ids, now, &entry).await?;
                    Ok::<_, postroom_store::Error>(found)
                }
                .boxed()
            })
            .await
            .map_err(Fault::from)?;
        self.0.store.wake();
        if found { Ok(()) } else { Err(missing(id)) }
    }
}

fn missing(id: JobId) -> Fault {
    Fault::reject(Code::API_NOT_FOUND, format!("no item {id} on the shelf"))
}
