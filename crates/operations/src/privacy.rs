//! Privacy: purging bodies now, and erasing a person, mail and marketing data together. Both are audited; no entry names whom it was about.

use std::sync::Arc;

use jiff::SignedDuration;
use postroom_core::{Code, Fault, address};
use postroom_store::doomed::Holder;
use postroom_tracking::privacy::Bodies;
use postroom_tracking::privacy::erasing::{Erasing, Receipt};
use postroom_tracking::privacy::purging::{Purged, Purging};
use serde::Serialize;

use crate::marketing::MarketingErased;
use crate::{Actor, Operations, Permission, audit};

/// What privacy depends on besides the store.
#[derive(Clone)]
pub struct Privacy {
    /// How long the body of a mail that is not tracked is kept.
    pub keep_untracked: SignedDuration,
    /// Who refers to stored bodies besides the mail's own tables: a CRM that keeps its rows in the same store.
    pub holders: Vec<Arc<dyn Holder>>,
}

impl Privacy {
    /// Everybody who refers to bodies.
    fn all(&self) -> Arc<[Arc<dyn Holder>]> {
        let ours: Arc<dyn Holder> = Arc::new(Bodies);
        std::iter::once(ours).chain(self.holders.iter().cloned()).collect()
    }
}

/// What erasing a person did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct Erased {
    /// Mail, here and in the CRM.
    #[serde(flatten)]
    pub mail: Receipt,
    /// At the service, in the connector's rows of the CRM, and here; null where no account is configured.
    pub marketing: Option<MarketingErased>,
}

impl Erased {
    /// Whether nothing is left to be asked for again, or to be done by hand in the CRM.
    pub fn is_whole(&self) -> bool {
        self.mail.refusals.is_empty() && self.marketing.as_ref().is_none_or(|half| half.done.is_some())
    }
}

impl Operations {
    /// Lets bodies be purged and people be erased.
    pub fn with_privacy(self, privacy: Privacy) -> Self {
        let parts = Arc::unwrap_or_clone(self.0);
        Operations(Arc::new(crate::Parts { privacy: Some(privacy), ..parts }))
    }

    fn privacy(&self) -> Result<&Privacy, Fault> {
        let privacy = self.0.privacy.as_ref();
        privacy.ok_or_else(|| Fault::bug("this process was put together without its holders of bodies"))
    }

    /// The worker that purges by the hour.
    pub fn purging(&self) -> Option<Purging> {
        let privacy = self.0.privacy.as_ref()?;
        Some(Purging {
            store: self.0.store.clone(),
            clock: self.0.clock.clone(),
            keep: privacy.keep_untracked,
            holders: privacy.all(),
        })
    }

    /// Purges the bodies that are old enough, now.
    pub async fn purge(&self, actor: &Actor, dry_run: bool) -> Result<Purged, Fault> {
        actor.needs(Permission::Administer)?;
        self.privacy()?;
        let purging = self.purging().ok_or_else(|| Fault::bug("asked for a moment ago"))?;
        if !dry_run {
            let entry =
                audit::Entry::new(actor, self.0.clock.now(), "message.purge", "messages", "asked for");
            self.record_audit(entry).await?;
        }
        purging.run(dry_run).await
    }

    /// Erases a person by address: all mail from or to it, and everything of the marketing half but the opt-out, which is
    /// said first. The receipt says how much, and what was refused. With `dry_run` it says what would go. Stopped half-way, a
    /// repeat finishes it.
    pub async fn erase_person(&self, actor: &Actor, person: &str, dry_run: bool) -> Result<Erased, Fault> {
        actor.needs(Permission::Administer)?;
        let privacy = self.privacy()?;
        let person = address::normal(person);
        let refuse = |text: String| Err(Fault::reject(Code::API_INPUT, text));
        if address::domain(&person).is_none()
            || person.starts_with('@')
            || person.contains(char::is_whitespace)
        {
            return refuse("give one e-mail address, such as anna@customer.example".into());
        }
        if let Some(mailbox) = self.rules().mailbox_of([person.as_str()]) {
            let name = &mailbox.name;
            return refuse(format!("this is an address of the mailbox {name:?}: all of its mail would go"));
        }
        let erasing = Erasing {
            store: self.0.store.clone(),
            clock: self.0.clock.clone(),
            ids: self.0.ids.clone(),
            crm: self.0.crm.clone(),
            installation: self.rules().installation,
            holders: privacy.all(),
        };
        if dry_run {
            let mail = erasing.erase(&person, true).await?;
            return Ok(Erased { mail, marketing: self.erase_marketing(actor, &person, true).await? });
        }
        self.audit_erasure(actor, "person", "asked for").await?;
        // First: from here on nobody mails the address again.
        let marketing = self.erase_marketing(actor, &person, false).await?;
        let receipt = erasing.erase(&person, false).await?;
        let counts = &receipt.counts;
        let detail = format!(
            "{} messages, {} activities, {} refused",
            counts.messages,
            counts.activities,
            receipt.refusals.len()
        );
        self.audit_erasure(actor, &receipt.id.to_string(), &detail).await?;
        Ok(Erased { mail: receipt, marketing })
    }

    async fn audit_erasure(&self, actor: &Actor, object: &str, detail: &str) -> Result<(), Fault> {
        let entry = audit::Entry::new(actor, self.0.clock.now(), "person.erase", object, detail);
        self.record_audit(entry).await
    }
}
