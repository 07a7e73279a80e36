//! What waits for a person, each mail with the records it may belong to.

use std::collections::HashMap;

use postroom_core::{AddressHit, Fault, MailId, MailState, RecordRef};
use postroom_tracking::messages::{self, Message, Wanted};
use postroom_tracking::proposals::{self, Candidate};
use serde::Serialize;

use crate::find::Named;
use crate::{Actor, Operations, Permission};

/// One mail in review.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewItem {
    #[serde(flatten)]
    pub message: Message,
    /// Where it may belong, the likeliest first; at most three.
    pub candidates: Vec<Proposal>,
}

/// A record that a mail may belong to.
#[derive(Debug, Clone, Serialize)]
pub struct Proposal {
    #[serde(flatten)]
    pub named: Named,
    /// One clause.
    pub why: String,
}

impl Operations {
    /// Mail in review, newest first. Only records that the CRM has are proposed.
    pub async fn review(
        &self,
        actor: &Actor,
        before: Option<MailId>,
        limit: u64,
    ) -> Result<Vec<ReviewItem>, Fault> {
        actor.needs(Permission::Read)?;
        let wanted = Wanted { state: Some(MailState::Review), before, limit, ..Wanted::default() };
        let waiting = messages::list(&self.0.store, wanted).await.map_err(Fault::from)?;
        let people = self.senders_of(&waiting).await?;
        let mut proposed = Vec::with_capacity(waiting.len());
        for message in waiting {
            let candidates = self.candidates(&message, &people).await?;
            proposed.push((message, candidates));
        }
        self.with_names(proposed).await
    }

    async fn senders_of(&self, waiting: &[Message]) -> Result<HashMap<String, Vec<AddressHit>>, Fault> {
        let mut senders: Vec<String> =
            waiting.iter().map(|mail| mail.from.clone()).filter(|from| from.contains('@')).collect();
        senders.sort_unstable();
        senders.dedup();
        let mut people: HashMap<String, Vec<AddressHit>> = HashMap::new();
        for hit in self.0.crm.find_addresses(&senders).await? {
            people.entry(hit.address.clone()).or_default().push(hit);
        }
        Ok(people)
    }

    async fn candidates(
        &self,
        message: &Message,
        people: &HashMap<String, Vec<AddressHit>>,
    ) -> Result<Vec<Candidate>, Fault> {
        let detail = messages::show(&self.0.store, message.id).await.map_err(Fault::from)?;
        let similar = proposals::similar(&self.0.store, message.id).await.map_err(Fault::from)?;
        let hits = people.get(&message.from).map(Vec::as_slice).unwrap_or_default();
        let theirs = hits.iter().filter(|hit| hit.active && self.rules().tables.contains(&hit.record.table));
        let theirs = theirs.map(|hit| Candidate {
            record: hit.record.clone(),
            why: format!("the sender's address is its {}", hit.column),
        });
        let decision = detail.as_ref().and_then(|detail| detail.decision.as_ref());
        Ok(proposals::candidates(decision, &similar, theirs))
    }

    async fn with_names(&self, proposed: Vec<(Message, Vec<Candidate>)>) -> Result<Vec<ReviewItem>, Fault> {
        let candidates = proposed.iter().flat_map(|(_, candidates)| candidates);
        let mut records: Vec<RecordRef> = candidates.map(|candidate| candidate.record.clone()).collect();
        records.sort_unstable();
        records.dedup();
        let named: HashMap<RecordRef, Named> =
            self.named(records).await?.into_iter().map(|named| (named.record.clone(), named)).collect();
        let proposal = |candidate: Candidate| {
            let named = named.get(&candidate.record)?.clone();
            Some(Proposal { named, why: candidate.why })
        };
        let item = |(message, candidates): (Message, Vec<Candidate>)| ReviewItem {
            message,
            candidates: candidates.into_iter().filter_map(proposal).collect(),
        };
        Ok(proposed.into_iter().map(item).collect())
    }
}
