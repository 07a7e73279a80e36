//! May this person be mailed, and if not, why: all reasons, and the one that the CRM's row shows.

use postroom_core::address::normal;
use postroom_store::{Error, Tx};

use super::row::{Kind, Single, State};
use crate::consent::gate::{self, Asked};
use crate::consent::standing::{Block, Purpose, blocks};

/// Ends those that may not be mailed, in the caller's unit.
pub(crate) async fn judge(tx: &mut Tx, account: &str, singles: &mut [Single]) -> Result<(), Error> {
    let asked: Vec<Asked> = singles
        .iter()
        .map(|single| Asked { address: single.person.clone(), member: single.details.record.clone() })
        .collect();
    let known = gate::known(tx, account, &asked, None).await?;
    for (single, known) in
        singles.iter_mut().zip(known).filter(|(single, _)| single.state == State::Requested)
    {
        let purpose = match single.kind {
            Kind::Transactional => Purpose::Transactional,
            Kind::Marketing | Kind::Program => Purpose::Marketing,
        };
        if normal(&single.person).is_empty() {
            block(single, "No e-mail", "the record has no e-mail address".to_owned());
            continue;
        }
        let reasons = blocks(&known, purpose);
        crate::measures::gate(1, usize::from(!reasons.is_empty()));
        if let Some(first) = reasons.first() {
            let label = label(first);
            let sentences: Vec<String> = reasons.iter().map(Block::sentence).collect();
            block(single, label, sentences.join("; "));
        }
    }
    Ok(())
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
