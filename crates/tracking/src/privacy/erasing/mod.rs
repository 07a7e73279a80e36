//! Erasing a person: everything of the mail from or to one address, here and in the CRM.
//!
//! # Flow
//!
//! 1. [`Erasing::erase`] begins a receipt, or goes on with the one that a crash left.
//! 2. [`find`]: mail whose From, Sender, Reply-To, recipients or envelope is the address, and delivery reports about it.
//! 3. [`blank`]: in one unit a page, the bytes become the tombstone, texts and addresses go, what waited is closed, and the
//!    activities are noted for the CRM.
//! 4. [`crm`]: each noted activity loses its attachments, subject, description and addresses; what the CRM refuses stands in
//!    the receipt.
//! 5. The bodies are let go; those that nobody refers to any more are removed, the store drops its copies of what was
//!    ([`Store::scrub`]), and the receipt is finished.
//!
//! Our side goes first: what is worked after it cannot write anew what the CRM was just told to forget. Mail that a worker
//! has in hand is waited for. A repeat finishes what a crash left; when nothing is left it changes nothing.

mod blank;
mod crm;
mod find;
mod receipt;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use postroom_core::{Clock, Code, Crm, Fault, Ids, address};
use postroom_store::doomed::{self, Holder};
use postroom_store::{Error, Store};
use uuid::Uuid;

pub use receipt::{Counts, Receipt, Refusal};

/// Passes over the mail while some of it is in a worker's hands, and the pause between two.
const PASSES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// Erases people. Cheap to clone.
#[derive(Clone)]
pub struct Erasing {
    pub store: Store,
    pub clock: Clock,
    pub ids: Ids,
    pub crm: Arc<dyn Crm>,
    pub installation: Uuid,
    /// Everybody who refers to bodies.
    pub holders: Arc<[Arc<dyn Holder>]>,
}

impl Erasing {
    /// Erases all mail of `address`. With `dry_run` the receipt counts what would go, and nothing goes.
    pub async fn erase(&self, address: &str, dry_run: bool) -> Result<Receipt, Fault> {
        let address = address::normal(address);
        if dry_run {
            return self.count(&address).await;
        }
        let mut receipt = self.begin(&address).await?;
        self.blank_all(&address, &mut receipt).await?;
        self.tell_crm(&address, &mut receipt).await?;
        let erasure = receipt.id;
        let unit = self
            .store
            .write("erasing.let_go", move |tx| async move { blank::let_go(tx, erasure).await }.boxed());
        unit.await.map_err(|error: Error| Fault::from(error))?;
        let swept = doomed::sweep(&self.store, &self.holders).await.map_err(Fault::from)?;
        receipt.counts.bodies_removed += swept.removed;
        receipt.counts.bodies_kept += swept.kept;
        self.store.scrub().await.map_err(Fault::from)?;
        receipt.finished_at = Some(self.clock.now());
        self.keep("erasing.finished", &receipt).await?;
        crate::events::erased(receipt.id, receipt.counts.messages, receipt.refusals.len());
        Ok(receipt)
    }

    async fn blank_all(&self, address: &str, receipt: &mut Receipt) -> Result<(), Fault> {
        for pass in 0..PASSES {
            if pass > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let (mut after, mut busy) = (None, 0);
            loop {
                let page = find::page(&self.store, address, after).await?;
                let Some(last) = page.last else { break };
                after = Some(last);
                busy += self.blank(page.found, receipt).await?;
            }
            if busy == 0 {
                return Ok(());
            }
        }
        let text = "some of the mail is being worked on; run it again, it goes on where it stopped";
        Err(Fault::retry(Code::API_CONFLICT, text))
    }

    /// The receipt that a crash left for this address, or a new one.
    async fn begin(&self, address: &str) -> Result<Receipt, Fault> {
        let open = self.store.read(|tx| receipt::unfinished(tx).boxed()).await;
        let open: Vec<Receipt> = open.map_err(|error: Error| Fault::from(error))?;
        if let Some(left) = open.into_iter().find(|receipt| receipt.is_of(address)) {
            return Ok(left);
        }
        let fresh = Receipt::new(self.ids.next(), self.ids.next(), address, self.clock.now());
        self.keep("erasing.begun", &fresh).await?;
        Ok(fresh)
    }

    async fn keep(&self, step: &'static str, receipt: &Receipt) -> Result<(), Fault> {
        let receipt = receipt.clone();
        let unit = self.store.write(step, move |tx| async move { receipt::put(tx, &receipt).await }.boxed());
        unit.await.map_err(|error: Error| Fault::from(error))
    }

    /// What would go.
    async fn count(&self, address: &str) -> Result<Receipt, Fault> {
        let mut receipt = Receipt::new(self.ids.next(), self.ids.next(), address, self.clock.now());
        receipt.dry_run = true;
        let mut after = None;
        loop {
            let page = find::page(&self.store, address, after).await?;
            let Some(last) = page.last else { break };
            after = Some(last);
            let mut activities = Vec::new();
            for found in &page.found {
                receipt.counts.add(found);
                activities.extend(self.activities(found));
            }
            let there = crm::look(&*self.crm, &activities).await?;
            receipt.counts.activities += there.emails.len() as u64;
            receipt.counts.attachments += there.attachments.len() as u64;
        }
        Ok(receipt)
    }

    /// The CRM rows that may show a mail: the one that stands in its row, and the one that filing would make.
    fn activities(&self, found: &find::Found) -> Vec<Uuid> {
        let derived = crate::filing::activity::derived(self.installation, "email", &found.key);
        let mut all: Vec<Uuid> = [Some(derived), found.activity, found.sends].into_iter().flatten().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
