//! May this person be mailed, and if not, why: all reasons, and the one that the CRM's row shows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::CampaignId;
use postroom_store::{Error, Tx};

use super::row::{Kind, Single, State};
use crate::accounts;
use crate::consent::gate::{self, Asked};
use crate::consent::standing::{Block, Known, Purpose, blocks};
use crate::engine::Rules;

/// Which mails may leave at all, by how fresh the opt-outs of an account are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh {
    marketing: bool,
    /// Both sides were read whole once: before that nobody knows whom mail does not reach.
    transactional: bool,
}

impl Fresh {
    pub async fn of(tx: &mut Tx, account: &str, rules: &Rules, now: Timestamp) -> Result<Fresh, Error> {
        let transactional = accounts::known(tx, account).await?.first_exchange.is_some();
        Ok(Fresh { marketing: gate::is_fresh(tx, account, rules, now).await?, transactional })
    }

    pub fn allows(self, kind: Kind) -> bool {
        match kind {
            Kind::Transactional => self.transactional,
            Kind::Marketing | Kind::Program => self.marketing,
        }
    }
}

/// Ends those of a state that may not be mailed, in the caller's unit.
pub(crate) async fn judge(
    tx: &mut Tx,
    account: &str,
    singles: &mut [Single],
    state: State,
) -> Result<(), Error> {
    let mut by_campaign: BTreeMap<Option<i64>, Vec<&mut Single>> = BTreeMap::new();
    for single in singles.iter_mut().filter(|single| single.state == state) {
        let campaign = single.details.target.filter(|_| single.kind != Kind::Program);
        by_campaign.entry(campaign).or_default().push(single);
    }
    for (campaign, singles) in by_campaign {
        let asked: Vec<Asked> = singles
            .iter()
            .map(|single| Asked { address: single.person.clone(), member: single.details.record.clone() })
            .collect();
        let known = gate::known_of(tx, account, &asked, None, campaign.map(CampaignId).as_ref()).await?;
        singles.into_iter().zip(known).for_each(|(single, known)| one(single, &known));
    }
    Ok(())
}

fn one(single: &mut Single, known: &Known) {
    let purpose = match single.kind {
        Kind::Transactional => Purpose::Transactional,
        Kind::Marketing | Kind::Program => Purpose::Marketing,
    };
    if normal(&single.person).is_empty() {
        return block(single, "No e-mail", "the record has no e-mail address".to_owned());
    }
    let reasons = blocks(known, purpose);
    crate::measures::gate(1, usize::from(!reasons.is_empty()));
    if let Some(first) = reasons.first() {
        let sentences: Vec<String> = reasons.iter().map(Block::sentence).collect();
        block(single, label(first), sentences.join("; "));
    }
}

fn block(single: &mut Single, label: &str, why: String) {
    single.details.block = Some(label.to_owned());
    single.end(State::Blocked, Some(why));
}

/// The option of `BlockReason` that says it.
fn label(block: &Block) -> &'static str {
    match block {
        Block::Suppressed(_) | Block::PendingOptIn => "Suppressed",
        Block::DoNotEmail(_) | Block::DoNotBulkEmail(_) | Block::DoNotSendMaterials(_) => "Do not e-mail",
        Block::LeftList(_) | Block::Declined(_) => "Unsubscribed from list",
        Block::Inactive(_) => "Invalid",
    }
}
