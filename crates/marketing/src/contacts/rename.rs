//! People whose address changed. Where the service has identifiers an import renames them, unless the new address is somebody
//! else's there: then that one is who they are, and the old one leaves. Where it has none, each is renamed by a call.

use postroom_core::Verdict;
use postroom_core::address::normal;
use postroom_core::marketing::{ContactRow, Include, Merge, Names, Person as Who};

use super::identity::Identity;
use super::outgoing::{Leaving, Plan};
use crate::people::links::Link;
use crate::sync::{Halt, Turn};

/// More renames than this in a page are not looked up one by one: a clash is then a rejected row.
const LOOKED_UP: usize = 200;

pub(super) async fn settle(turn: &mut Turn, identity: Identity, plan: &mut Plan) -> Result<(), Halt> {
    let renamed = std::mem::take(&mut plan.renamed);
    if renamed.is_empty() || turn.dry {
        return Ok(());
    }
    match identity.named {
        true => look_up(turn, plan, renamed).await,
        false => one_by_one(turn, plan, renamed).await,
    }
}

/// Whoever has the new address already is the person from now on.
async fn look_up(turn: &mut Turn, plan: &mut Plan, renamed: Vec<(usize, Link)>) -> Result<(), Halt> {
    if renamed.len() > LOOKED_UP {
        return Ok(());
    }
    let wanted: Vec<Who> =
        renamed.iter().map(|(place, _)| Who::Email(plan.rows[*place].address.clone())).collect();
    let found = turn.account.service.find_contacts(&wanted, &Include::default()).await?;
    for ((place, link), found) in renamed.into_iter().zip(found) {
        let row = &mut plan.rows[place];
        let is_other = |id: &_| link.contact.as_ref() != Some(id);
        let there =
            found.filter(|found| found.names.email.as_deref().map(normal).as_ref() == Some(&row.address));
        if let Some(other) = there.map(|found| found.id).filter(is_other) {
            // The identifier is still the old one's: it comes over when that one has gone.
            row.contact.names.custom.clear();
            row.contact.by = Some(Who::Id(other));
            let record = row.record.clone();
            let leaving = |contact| Leaving { contact, address: link.address, record };
            plan.leaving.extend(link.contact.map(leaving));
        }
    }
    Ok(())
}

async fn one_by_one(turn: &mut Turn, plan: &mut Plan, renamed: Vec<(usize, Link)>) -> Result<(), Halt> {
    for (place, link) in renamed {
        let Some(contact) = link.contact.clone() else { continue };
        let address = plan.rows[place].address.clone();
        let row = ContactRow {
            by: Some(Who::Id(contact.clone())),
            names: Names { email: Some(address.clone()), ..Names::default() },
            ..ContactRow::default()
        };
        match turn.account.service.patch_contact(&row, Merge::Overwrite).await {
            Ok(_) => {}
            // Somebody has the address already, or may not be written: the import says which. The old one leaves.
            Err(fault) if fault.verdict == Verdict::Reject => {
                let record = plan.rows[place].record.clone();
                plan.leaving.push(Leaving { contact, address: link.address, record });
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(())
}
