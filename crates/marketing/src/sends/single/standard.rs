//! Marketing mails of campaigns that are not triggered: the service sends such a campaign to a list or to people by their
//! numbers, and takes no values of one mail. So what the request says of the person is written into the person's data fields
//! first, then the campaign is sent to that one number (marketing-entities.md 3.7). Mails to one person go one after another, so
//! two of them do not share the fields.

use futures_util::FutureExt;
use postroom_core::marketing::{
    Audience, CampaignId, ContactId, ContactRow, FieldValue, Merge, Names, SendOrder, SendTime,
};
use postroom_core::{Code, Fault, Verdict};

use super::gate;
use super::row::{Single, State};
use crate::sync::Turn;

/// Makes everybody who may be mailed known to the service, with the request's values. This may be repeated; nobody is mailed
/// by it.
pub(super) async fn ready(turn: &Turn, mut singles: Vec<Single>) -> Result<Vec<Single>, Fault> {
    if !singles.iter().any(|single| single.details.standard) {
        return Ok(singles);
    }
    let account = turn.account.name.clone();
    // Who may not be mailed is not written there.
    let judged = turn.read(move |tx| {
        async move {
            gate::judge(tx, &account, &mut singles, State::Requested).await?;
            Ok(singles)
        }
        .boxed()
    });
    let mut singles = judged.await?;
    let open = |single: &&mut Single| single.details.standard && single.state == State::Requested;
    for single in singles.iter_mut().filter(open) {
        let names = Names { email: Some(single.person.clone()), ..Names::default() };
        let values = single.details.values.iter();
        let fields = values.map(|(label, value)| (label.clone(), FieldValue::Text(value.clone()))).collect();
        let row = ContactRow { names, fields, ..ContactRow::default() };
        match turn.account.service.patch_contact(&row, Merge::Overwrite).await {
            Ok(patched) => single.details.contact = Some(patched.contact.id.0),
            Err(fault) if fault.code == Code::MARKETING_SUPPRESSED => {
                single.details.block = Some("Suppressed".to_owned());
                single.end(State::Blocked, Some(fault.message));
            }
            Err(fault) if fault.verdict == Verdict::Reject => single.end(State::Failed, Some(fault.message)),
            Err(fault) => return Err(fault),
        }
    }
    Ok(singles)
}

/// The one call for one mail.
pub(super) async fn send(turn: &Turn, single: &mut Single) -> Result<(), Fault> {
    let contact = single.details.contact.map(ContactId);
    let Some(to) = Audience::new(Vec::new(), Vec::new(), contact.into_iter().collect()) else {
        return Err(Fault::reject(Code::MARKETING_STATE, "the service has no number for the person"));
    };
    let campaign = CampaignId(single.details.target.unwrap_or_default());
    let order = SendOrder { campaign, to, when: SendTime::Now, split: None };
    let sent = turn.account.service.send(&order).await?;
    single.details.service_send = Some(sent.id.0);
    Ok(())
}
