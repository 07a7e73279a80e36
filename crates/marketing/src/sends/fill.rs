//! The single-use list of a send: made once, filled, and compared with who is meant.
//!
//! A list for each send means that the audience is ours alone: nobody joins it at the service, and a campaign that the
//! service says went to it can only have gone by this send.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use futures_util::FutureExt;
use postroom_core::address::normal;
use postroom_core::marketing::{
    Ask, Contact, ContactId, ContactRow, Include, ListId, MembersAsk, Names, Polling, Visibility,
};
use postroom_core::{Code, Fault, Verdict};

use super::row::{self, CampaignSend, Place, Recipient};
use super::snapshot::Judge;
use super::state::Event;
use crate::contacts::first;
use crate::imports::{self, Outcome, Purpose};
use crate::lists::renamed;
use crate::sync::{Halt, Turn};

/// Questions about one removal before another look is left to later.
const QUESTIONS: u32 = 20;

/// Makes the single-use list, or finds it when an earlier answer was lost.
pub(super) async fn make(turn: &mut Turn, mut send: CampaignSend) -> Result<CampaignSend, Halt> {
    let name = send.list_name();
    let mut found = None;
    if send.details.list_asked {
        found = turn.account.service.find_list(&name).await?;
    } else {
        send.details.list_asked = true;
        send = save(turn, "marketing.send_list_asked", send).await?;
    }
    let list = match found {
        Some(list) => list,
        None => match turn.account.service.create_list(&name, &Visibility::Private).await {
            Ok(list) => list,
            // Somebody has that name: the answer to an earlier call was lost.
            Err(fault) if fault.code == Code::MARKETING_DUPLICATE || fault.verdict == Verdict::Unknown => {
                let found = turn.account.service.find_list(&name).await?;
                found.ok_or_else(|| Fault::retry(fault.code, fault.message))?
            }
            Err(fault) => return Err(fault.into()),
        },
    };
    send.list = Some(list.id.0);
    send.take(Event::ImportBegun);
    save(turn, "marketing.send_list", send).await.map_err(Halt::from)
}

/// Writes a send as one unit of its own.
pub(super) async fn save(
    turn: &Turn,
    step: &'static str,
    mut send: CampaignSend,
) -> Result<CampaignSend, Fault> {
    let unit = turn.engine.store.write(step, move |tx| {
        async move {
            row::save(tx, &mut send).await?;
            Ok(send)
        }
        .boxed()
    });
    let saved: Result<CampaignSend, postroom_store::Error> = unit.await;
    Ok(saved?)
}

fn list_of(send: &CampaignSend) -> Result<ListId, Fault> {
    send.list.map(ListId).ok_or_else(|| Fault::bug(format!("send {} is filled and has no list", send.id)))
}

/// Puts the people onto the list. Whoever the service does not take is left out, with the reason.
pub(super) async fn import(turn: &mut Turn, mut send: CampaignSend) -> Result<CampaignSend, Halt> {
    let list = list_of(&send)?;
    let purpose = Purpose(format!("send:{}", send.id));
    imports::resume(turn, &purpose).await?;
    let id = send.id;
    let people = turn.read(move |tx| async move { row::recipients(tx, id, Place::In).await }.boxed()).await?;
    let mut rows: Vec<imports::Row> = people.iter().map(|person| imported(person, &list)).collect();
    renamed::settle(turn, &mut rows).await?;
    first::fill(turn, &mut rows).await?;
    let outcomes = imports::write(turn, &purpose, rows).await?;
    let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (person, outcome) in people.into_iter().zip(outcomes) {
        let (Outcome::Suppressed(reason) | Outcome::Rejected(reason)) = outcome else { continue };
        refused.entry(reason).or_default().push(person.address);
    }
    send.take(Event::ImportDone);
    let stored = turn.page("marketing.send_filled", move |tx, _| {
        async move {
            for (reason, addresses) in &refused {
                row::place(tx, send.id, addresses, Place::Out, Some(reason)).await?;
                leave(&mut send, "not_taken", addresses.len() as u64);
            }
            row::save(tx, &mut send).await?;
            Ok(send)
        }
        .boxed()
    });
    Ok(stored.await?)
}

fn imported(person: &Recipient, list: &ListId) -> imports::Row {
    let names = Names { email: Some(person.address.clone()), ..Names::default() };
    imports::Row {
        record: person.at.clone(),
        address: person.address.clone(),
        contact: ContactRow { names, lists: vec![list.clone()], ..ContactRow::default() },
        digest: None,
        base: None,
    }
}

/// Moves people from those to be mailed to those left out, in the counts.
pub(super) fn leave(send: &mut CampaignSend, word: &str, number: u64) {
    if number == 0 {
        return;
    }
    send.details.to_send = send.details.to_send.saturating_sub(number);
    *send.details.left_out.entry(word.to_owned()).or_default() += number;
}

/// What the list holds beside what it should.
#[derive(Debug, Default)]
struct Compared {
    known: Vec<(String, ContactId)>,
    /// Meant, and not there.
    missing: Vec<String>,
    /// There, and not meant.
    strangers: u64,
    /// There, and to leave.
    blocked: Vec<(String, String)>,
}

/// Reads the list back and compares it with who is meant, and those with the opt-outs. Whoever is missing is left out;
/// strangers stop the send; who may not be mailed is to be taken off.
///
/// # Errors
/// Those of the service; [`Halt::Asks`] when the list holds somebody who was not asked for.
pub(super) async fn compare(turn: &mut Turn, mut send: CampaignSend) -> Result<CampaignSend, Halt> {
    let there = read_back(turn, &list_of(&send)?).await?;
    let (judge, id, now) = (Judge::of(&send), send.id, turn.now());
    let compared = turn
        .read(move |tx| {
            async move {
                let people = row::recipients(tx, id, Place::In).await?;
                let leaving = row::recipients(tx, id, Place::Leaving).await?;
                let blocked = judge.blocked(tx, &people).await?;
                Ok(differences(people, &leaving, &there, blocked))
            }
            .boxed()
        })
        .await?;
    if compared.strangers > 0 {
        return Err(Halt::Asks(format!(
            "the single-use list {} holds {} people who were not asked for; nobody was mailed: look at the list at the service, then cancel this send",
            send.list_name(),
            compared.strangers
        )));
    }
    send.details.compared = Some(now);
    let stored = turn.page("marketing.send_compared", move |tx, _| {
        async move {
            row::known_as(tx, send.id, &compared.known).await?;
            let reason = "the service did not take the person onto the list";
            row::place(tx, send.id, &compared.missing, Place::Out, Some(reason)).await?;
            leave(&mut send, "not_taken", compared.missing.len() as u64);
            block(tx, &mut send, &compared.blocked).await?;
            if send.state == super::state::State::Imported {
                send.take(Event::Held);
            }
            row::save(tx, &mut send).await?;
            Ok(send)
        }
        .boxed()
    });
    Ok(stored.await?)
}

/// Marks people who may not be mailed any more: they are taken off the list next.
pub(super) async fn block(
    tx: &mut postroom_store::Tx,
    send: &mut CampaignSend,
    blocked: &[(String, String)],
) -> Result<(), postroom_store::Error> {
    for (address, reason) in blocked {
        row::place(tx, send.id, std::slice::from_ref(address), Place::Leaving, Some(reason)).await?;
    }
    leave(send, "opted_out_since", blocked.len() as u64);
    Ok(())
}

fn differences(
    people: Vec<Recipient>,
    leaving: &[Recipient],
    there: &HashMap<String, ContactId>,
    blocked: Vec<(String, String)>,
) -> Compared {
    let meant: HashSet<&str> = people.iter().chain(leaving).map(|person| person.address.as_str()).collect();
    let strangers = there.keys().filter(|address| !meant.contains(address.as_str())).count() as u64;
    let (mut known, mut missing) = (Vec::new(), Vec::new());
    for person in people.iter().chain(leaving) {
        if let Some(contact) = there.get(&person.address)
            && person.contact.as_ref() != Some(contact)
        {
            known.push((person.address.clone(), contact.clone()));
        }
    }
    let out: HashSet<&str> = blocked.iter().map(|(address, _)| address.as_str()).collect();
    for person in &people {
        if !there.contains_key(&person.address) && !out.contains(person.address.as_str()) {
            missing.push(person.address.clone());
        }
    }
    Compared { known, missing, strangers, blocked }
}

/// Everybody on a list, by address. A person without one gets no mail, and does not count.
async fn read_back(turn: &Turn, list: &ListId) -> Result<HashMap<String, ContactId>, Fault> {
    let which = MembersAsk { list: list.clone(), modified_since: None, include: Include::default() };
    let (mut ask, mut there) = (Ask::default(), HashMap::new());
    loop {
        let page = turn.account.service.members(&which, &ask).await?;
        for Contact { id, names, .. } in page.rows {
            if let Some(address) = names.email.map(|address| normal(&address)).filter(|text| !text.is_empty())
            {
                there.insert(address, id);
            }
        }
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(there),
        }
    }
}

/// Takes people off the list and waits until they are; one whom the service does not know is not on it.
pub(super) async fn take_off(turn: &Turn, send: &CampaignSend, people: &[Recipient]) -> Result<(), Fault> {
    let contacts: Vec<ContactId> = people.iter().filter_map(|person| person.contact.clone()).collect();
    let Some(removal) = turn.account.service.remove_members(&list_of(send)?, &contacts).await? else {
        return Ok(());
    };
    let polling: Polling = turn.engine.rules.polling;
    for asked in 0..QUESTIONS {
        tokio::time::sleep(Duration::try_from(polling.wait(asked)).unwrap_or_default()).await;
        let stands = turn.account.service.deletion(&removal).await?;
        if stands.failed {
            let text = "people who opted out could not be taken off the single-use list; it is tried again";
            return Err(Fault::retry(Code::MARKETING_BUSY, text));
        }
        if stands.done {
            return Ok(());
        }
    }
    Err(Fault::retry(Code::MARKETING_BUSY, "the service still takes people off the single-use list"))
}
