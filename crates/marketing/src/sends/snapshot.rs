//! Who a send goes to: audience and gate in one unit, and the same for the preview.

use std::collections::{HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::RecordRef;
use postroom_core::address::normal;
use postroom_core::marketing::CampaignId;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::audience::{Audience, LeftOut, Member, audience};
use super::row::{ASKED, CampaignSend, Recipient};
use super::{mailed, members, newcomers, row};
use crate::consent::gate::{self, Asked};
use crate::consent::standing::{Block, Known, Purpose, blocks};
use crate::sync::Turn;

/// What the gate needs to judge for a send.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    pub account: String,
    pub send: Uuid,
    pub campaign: i64,
    /// The lists of the request.
    pub lists: Vec<Uuid>,
    pub repeats: bool,
}

impl Judge {
    pub fn of(send: &CampaignSend) -> Judge {
        let request = &send.details.request;
        Judge {
            account: send.account.clone(),
            send: send.id,
            campaign: send.campaign.unwrap_or_default(),
            lists: request.lists.iter().map(|list| list.list).collect(),
            repeats: request.repeats,
        }
    }

    /// Everything that is known of these people, in their order.
    async fn known(&self, tx: &mut Tx, people: &[(String, RecordRef, usize)]) -> Result<Vec<Known>, Error> {
        let mut known: Vec<Option<Known>> = people.iter().map(|_| None).collect();
        let campaign = CampaignId(self.campaign);
        let lists: HashSet<usize> = people.iter().map(|(_, _, list)| *list).collect();
        for list in lists {
            let places: Vec<usize> = (0..people.len()).filter(|place| people[*place].2 == list).collect();
            let asked: Vec<Asked> = places
                .iter()
                .map(|place| Asked {
                    address: people[*place].0.clone(),
                    member: Some(people[*place].1.clone()),
                })
                .collect();
            let way = self.lists.get(list).copied();
            for (place, one) in
                places.iter().zip(gate::known_of(tx, &self.account, &asked, way, Some(&campaign)).await?)
            {
                known[*place] = Some(one);
            }
        }
        Ok(known.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Of these people, those whom the campaign went to before; nobody when that is no hindrance.
    async fn had<'p>(
        &self,
        tx: &mut Tx,
        people: impl Iterator<Item = (&'p str, &'p RecordRef)> + Send,
    ) -> Result<mailed::Had, Error> {
        if self.repeats {
            return Ok(mailed::Had::default());
        }
        let people: Vec<(String, RecordRef)> =
            people.map(|(address, at)| (address.to_owned(), at.clone())).collect();
        mailed::already(tx, &self.account, self.campaign, self.send, &people).await
    }

    /// Of these people, those who may not be mailed now, and why.
    pub async fn blocked(&self, tx: &mut Tx, people: &[Recipient]) -> Result<Vec<(String, String)>, Error> {
        let asked: Vec<(String, RecordRef, usize)> =
            people.iter().map(|person| (person.address.clone(), person.at.clone(), person.list)).collect();
        let known = self.known(tx, &asked).await?;
        let had = self.had(tx, people.iter().map(|person| (person.address.as_str(), &person.at))).await?;
        let judged = people.iter().zip(known).filter_map(|(person, known)| {
            let reason = blocks(&known, Purpose::Marketing).first().map(Block::sentence);
            let had = || {
                had.has(&person.address, &person.at).then(|| "the campaign went to this person".to_owned())
            };
            Some((person.address.clone(), reason.or_else(had)?))
        });
        let blocked: Vec<(String, String)> = judged.collect();
        crate::measures::gate(people.len(), blocked.len());
        Ok(blocked)
    }
}

/// Decides over members, in the caller's unit.
pub(super) async fn decide(
    tx: &mut Tx,
    judge: &Judge,
    members: Vec<(RecordRef, usize)>,
) -> Result<(Audience, Vec<Recipient>), Error> {
    let addresses = addresses(tx, &members).await?;
    let of = |at: &RecordRef| addresses.get(&at.id).cloned().unwrap_or_default();
    let people: Vec<(String, RecordRef, usize)> =
        members.iter().map(|(at, list)| (normal(&of(at)), at.clone(), *list)).collect();
    let known = judge.known(tx, &people).await?;
    let had = judge.had(tx, people.iter().map(|(address, at, _)| (address.as_str(), at))).await?;
    let mut on: HashMap<String, u64> = HashMap::new();
    for (address, _, list) in &people {
        *on.entry(address.clone()).or_default() |= row::bit(*list);
    }
    let by_member: HashMap<(RecordRef, usize), Known> =
        people.into_iter().map(|(_, at, list)| (at, list)).zip(known).collect();
    // The first list that a person is on speaks for it.
    let first: HashMap<RecordRef, usize> = by_member.keys().fold(HashMap::new(), |mut first, (at, list)| {
        let place = first.entry(at.clone()).or_insert(*list);
        *place = (*place).min(*list);
        first
    });
    let all = members.into_iter().map(|(at, list)| Member { address: of(&at), at, list });
    let decided = audience(
        all,
        |_, member| by_member.get(&(member.at.clone(), member.list)).cloned().unwrap_or_default(),
        |address, member| had.has(address, &member.at),
    );
    let recipients = decided
        .mailed
        .iter()
        .map(|(at, address)| Recipient {
            address: address.clone(),
            list: first.get(at).copied().unwrap_or(0),
            lists: on.get(address).copied().unwrap_or(0),
            at: at.clone(),
            contact: None,
        })
        .collect();
    Ok((decided, recipients))
}

/// The first address of each record.
async fn addresses(tx: &mut Tx, members: &[(RecordRef, usize)]) -> Result<HashMap<Uuid, String>, Error> {
    let mut found = HashMap::new();
    for some in members.chunks(ASKED) {
        let select = Query::select()
            .columns(["record", "address"])
            .from("person_address")
            .and_where(Expr::col("record").is_in(some.iter().map(|(at, _)| at.id)))
            .order_by("place", Order::Asc)
            .to_owned();
        for row in tx.query(&select).await? {
            found.entry(row.at(0)?).or_insert(row.at(1)?);
        }
    }
    Ok(found)
}

/// The words under which people who are left out are counted.
pub(super) fn word(reason: LeftOut) -> &'static str {
    match reason {
        LeftOut::NoAddress => "no_address",
        LeftOut::Invalid => "invalid",
        LeftOut::Duplicate => "duplicate",
        LeftOut::AlreadySent => "already_sent",
        LeftOut::Suppressed => "suppressed",
        LeftOut::OptedOut => "opted_out",
        LeftOut::LeftList => "left_list",
        LeftOut::Inactive => "inactive",
    }
}

/// Writes down who is to be mailed, and the counts.
pub(super) async fn write(
    turn: &mut Turn,
    mut send: CampaignSend,
) -> Result<CampaignSend, crate::sync::Halt> {
    let members = match send.details.parent {
        Some(_) => newcomers::members(turn, &send).await?,
        None => members::of_lists(turn, &send.details.request.lists).await?,
    };
    let judge = Judge::of(&send);
    let stored = turn.page("marketing.send_snapshot", move |tx, counts| {
        async move {
            let (decided, recipients) = decide(tx, &judge, members).await?;
            counts.read += decided.members;
            send.details.members = decided.members;
            send.details.to_send = recipients.len() as u64;
            send.details.left_out =
                decided.left_out.iter().map(|(reason, number)| (word(*reason).to_owned(), *number)).collect();
            row::put_recipients(tx, send.id, &recipients).await?;
            send.take(super::state::Event::Counted);
            row::save(tx, &mut send).await?;
            Ok(send)
        }
        .boxed()
    });
    Ok(stored.await?)
}
