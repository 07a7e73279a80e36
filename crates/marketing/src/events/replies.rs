//! Replies: the service tells them only of one person at a time, so they are read for those whose counter rose.

use futures_util::FutureExt;
use postroom_core::marketing::{Ask, CampaignId, ContactId, Reply};
use postroom_core::{Code, Verdict};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};

use super::facts::{self, Event, Row};
use super::rows::{self, Stored};
use super::settings::Kind;
use super::streams::Intake;
use crate::sync::{Halt, Turn};

/// People asked for at once.
const LOT: u64 = 100;

/// Reads the replies of everybody whose counter rose.
///
/// # Errors
/// Faults of the service; who was read until then is done.
pub async fn read(turn: &mut Turn) -> Result<(), Halt> {
    loop {
        let account = turn.account.name.clone();
        let due = turn.read(move |tx| async move { due(tx, &account).await }.boxed()).await?;
        if due.is_empty() || turn.dry {
            return Ok(());
        }
        for recipient in due {
            let replies = of(turn, &recipient).await?;
            store(turn, recipient, replies).await?;
        }
    }
}

async fn due(tx: &mut Tx, account: &str) -> Result<Vec<Stored>, Error> {
    let mut due = rows::select(account);
    due.and_where(Expr::col("replies_due").eq(true)).order_by("seq", Order::Asc).limit(LOT);
    rows::load(tx, &due).await
}

/// All replies of one person to one campaign.
async fn of(turn: &Turn, recipient: &Stored) -> Result<Vec<Reply>, Halt> {
    let (campaign, contact) = (CampaignId(recipient.event.campaign), ContactId(recipient.event.contact));
    let (mut ask, mut replies) = (Ask::default(), Vec::new());
    if contact.0 == 0 {
        return Ok(replies);
    }
    loop {
        let page = match turn.account.service.replies(&campaign, &contact, &ask).await {
            Ok(page) => page,
            // The person or the campaign is gone, and the replies with it.
            Err(fault) if fault.code == Code::MARKETING_NOT_FOUND => return Ok(replies),
            Err(fault) if fault.verdict == Verdict::Reject => {
                tracing::warn!(event = "marketing.replies_refused", code = %fault.code, "Replies were refused: {fault}");
                return Ok(replies);
            }
            Err(fault) => return Err(fault.into()),
        };
        replies.extend(page.rows);
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(replies),
        }
    }
}

async fn store(turn: &mut Turn, recipient: Stored, replies: Vec<Reply>) -> Result<(), Error> {
    let (account, campaign) = (turn.account.name.clone(), recipient.event.campaign);
    let intake = Intake::of(turn, Kind::Reply, campaign);
    let read = replies.len() as u64;
    let mut events: Vec<Event> = replies.into_iter().filter_map(|reply| reply.event(campaign).ok()).collect();
    events.sort_by_key(|event| event.at);
    let unfit = read - events.len() as u64;
    facts::number(&turn.connected.key, &mut events);
    let stored = turn.page("marketing.replies_read", move |tx, counts| {
        async move {
            counts.read += read;
            counts.skip("no moment or nobody", unfit);
            let (written, forgotten) = intake.take(tx, events, &Vec::new()).await?;
            counts.skip("known already", written.same);
            counts.skip("erased or too old", forgotten);
            done(tx, &account, &recipient).await
        }
        .boxed()
    });
    stored.await
}

/// Unless the counter rose again meanwhile.
async fn done(tx: &mut Tx, account: &str, recipient: &Stored) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("event")
        .value("replies_due", false)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("key").eq(recipient.event.key.as_str()))
        .and_where(Expr::col("version").eq(recipient.version));
    tx.execute(&update).await.map(drop)
}

/// The replies of a campaign that are kept, newest first.
pub async fn kept(tx: &mut Tx, account: &str, campaign: i64, limit: u64) -> Result<Vec<Stored>, Error> {
    let mut replies = rows::select(account);
    replies
        .and_where(Expr::col("campaign").eq(campaign))
        .and_where(Expr::col("kind").eq(Kind::Reply.as_str()))
        .order_by("at", Order::Desc)
        .limit(limit);
    rows::load(tx, &replies).await
}
