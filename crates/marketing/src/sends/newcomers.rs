//! Sends to new members: a campaign that goes to whoever joins its lists (marketing-sync.md 7.2).
//!
//! The request stands until it is cancelled. When it begins to watch, whoever is on the lists is noted and not mailed. Whoever is
//! there later and was not noted joined since: each lot of them is a send of its own, made in the unit that notes them, so that
//! nobody is in two. Such a send goes the whole way of any other, with its gates, its approval and its own row in the CRM, in the
//! name of who made the request. Very many at once are asked about: a query that was changed is no reason to mail everybody.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Change, ChangeSet, Code, Fault, Filter, Query, Record, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Order, Query as Sql};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::fill::save;
use super::release::Next;
use super::request::{TABLE, unfit};
use super::row::{self, CampaignSend, Details};
use super::state::{Event, State};
use crate::lists::here::CrmList;
use crate::lists::read_here;
use crate::solution::definitions;
use crate::solution::options::Set;
use crate::sync::{Halt, Turn};

/// Between two looks at the lists.
const LOOK: SignedDuration = SignedDuration::from_mins(15);
/// People of one statement.
const LOT: usize = 1000;

/// Whether a send waits for people who join.
pub(super) fn watches(send: &CampaignSend) -> bool {
    send.details.request.new_members && send.details.parent.is_none()
}

/// Notes who is there.
pub(super) async fn begin(turn: &mut Turn, mut send: CampaignSend) -> Result<Next, Halt> {
    read(turn, &send).await?;
    let account = turn.account.name.clone();
    let now = turn.now();
    let unit = turn.engine.store.write("marketing.send_watches", move |tx| {
        async move {
            let there = strangers(tx, &account, &send).await?;
            note(tx, send.id, &there, None).await?;
            send.details.watching = Some(now);
            send.take(Event::Watches);
            row::save(tx, &mut send).await?;
            Ok(send)
        }
        .boxed()
    });
    let stored: Result<CampaignSend, Error> = unit.await;
    rest(turn, stored?).await
}

/// Looks who joined since; makes a send to them unless the last one is still on its way.
pub(super) async fn look(turn: &mut Turn, send: CampaignSend) -> Result<Next, Halt> {
    if let Some(last) = send.details.batch
        && let Some(last) = turn.engine.campaign_send(last).await?
        && !last.state.is_final()
    {
        return rest(turn, send).await;
    }
    read(turn, &send).await?;
    let (account, asked) = (turn.account.name.clone(), send.clone());
    let joined = turn.read(move |tx| async move { strangers(tx, &account, &asked).await }.boxed()).await?;
    let most = send.expected().unwrap_or(turn.engine.rules.approval_over);
    match joined.len() as u64 {
        0 => rest(turn, send).await,
        number if number > most => Err(Halt::Asks(format!(
            "{number} people joined the lists since the last look, and {most} at once are expected at most; look at the lists, then say the number that is right"
        ))),
        _ => {
            let send = batch(turn, send, joined.len() as u64).await?;
            rest(turn, send).await
        }
    }
}

async fn rest(turn: &Turn, mut send: CampaignSend) -> Result<Next, Halt> {
    send.wake = turn.now().checked_add(LOOK).ok();
    Ok(Next::Rest(save(turn, "marketing.send_watched", send).await?))
}

/// Brings the lists' members up to date.
async fn read(turn: &Turn, send: &CampaignSend) -> Result<(), Fault> {
    for target in &send.details.request.lists {
        let by_id = Query::of("list").filter(Filter::eq("listid", target.list));
        let Some(row) = turn.engine.crm.query(&by_id).await?.pop() else {
            return Err(unfit(format!("the list {:?} was deleted", target.name)));
        };
        read_here::read(turn, &CrmList::of(row)).await?;
    }
    Ok(())
}

/// Members of the send's lists who were never noted, each with the place of the first list that has the person.
async fn strangers(
    tx: &mut Tx,
    account: &str,
    send: &CampaignSend,
) -> Result<Vec<(RecordRef, usize)>, Error> {
    let mut found: Vec<(RecordRef, usize)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (place, target) in send.details.request.lists.iter().enumerate() {
        let noted = Sql::select()
            .expr(Expr::val(1))
            .from("send_member")
            .and_where(Expr::col(("send_member", "send")).eq(send.id))
            .and_where(Expr::col(("send_member", "record")).equals(("list_record", "record")))
            .to_owned();
        let select = Sql::select()
            .columns(["record_table", "record"])
            .from("list_record")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("list").eq(target.list))
            .and_where(Expr::exists(noted).not())
            .to_owned();
        for row in tx.query(&select).await? {
            let at = RecordRef::new(row.at::<String>(0)?, row.at(1)?);
            if seen.insert(at.clone()) {
                found.push((at, place));
            }
        }
    }
    Ok(found)
}

/// Notes people; one who was noted meanwhile undoes the unit.
async fn note(
    tx: &mut Tx,
    send: Uuid,
    people: &[(RecordRef, usize)],
    batch: Option<Uuid>,
) -> Result<(), Error> {
    for some in people.chunks(LOT) {
        let mut rows = Insert::into("send_member", &["send", "record", "record_table", "list", "batch"]);
        for (at, place) in some {
            rows.row([
                send.into(),
                at.id.into(),
                at.table.as_str().into(),
                i64::try_from(*place).unwrap_or(i64::MAX).into(),
                batch.into(),
            ]);
        }
        tx.insert(&rows).await?;
    }
    Ok(())
}

/// A send to whoever joined: its row in the CRM first, as a send without one is cancelled; then people and send in one unit.
async fn batch(turn: &mut Turn, mut send: CampaignSend, about: u64) -> Result<CampaignSend, Halt> {
    let now = Timestamp::from_second(turn.now().as_second()).unwrap_or_else(|_| turn.now());
    let id = definitions::id(&format!("send:{}:{}", send.id, send.details.batches));
    let child = CampaignSend {
        id,
        account: send.account.clone(),
        campaign: send.campaign,
        state: State::Validated,
        version: 1,
        told: 0,
        wake: Some(now),
        list: None,
        details: Details {
            token: turn.engine.ids.next(),
            asked: Some(now),
            parent: Some(send.id),
            told_status: Set::SendStatus.value("Preparing"),
            request: row::Request { due: Some(now), expected: None, ..send.details.request.clone() },
            ..Details::default()
        },
    };
    request_row(turn, &child, about).await?;
    let (account, ids) = (turn.account.name.clone(), turn.engine.ids.clone());
    let unit = turn.engine.store.write("marketing.send_joined", move |tx| {
        async move {
            let joined = strangers(tx, &account, &send).await?;
            note(tx, send.id, &joined, Some(id)).await?;
            row::add(tx, std::slice::from_ref(&child)).await?;
            super::job::wake(tx, &ids, now, &[id]).await?;
            (send.details.batches, send.details.batch) = (send.details.batches + 1, Some(id));
            row::save(tx, &mut send).await?;
            Ok(send)
        }
        .boxed()
    });
    let stored: Result<CampaignSend, Error> = unit.await;
    turn.engine.store.wake();
    Ok(stored?)
}

/// The row that shows the send in the CRM. One that is there already is the try before this one.
async fn request_row(turn: &Turn, child: &CampaignSend, about: u64) -> Result<(), Fault> {
    let request = &child.details.request;
    let option = |set: Set, label: &str| set.value(label).map_or(Value::Null, Value::from);
    let lookup = |table: &str, id: Option<Uuid>| id.map_or(Value::Null, |id| Value::lookup(table, id));
    let at = RecordRef::new(TABLE, child.id);
    let row = Record::new(at.clone())
        .with("esc_name", super::cut(&format!("{}: new members", request.campaign_name), 200))
        .with(
            "esc_description",
            format!("{} to about {about} people who joined", super::cut(&request.campaign_name, 150)),
        )
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_emailcampaignid", lookup("esc_emailcampaign", request.campaign))
        .with("esc_scheduledsenddate", request.due)
        .with("esc_sendtype", option(Set::SendType, "New Member"))
        .with("esc_sendstatus", option(Set::SendStatus, "Preparing"))
        .with("esc_requestedby", lookup("systemuser", request.actor));
    let made = turn.engine.crm.apply(vec![ChangeSet { changes: vec![Change::Create(row)] }]).await;
    made.into_iter().next().ok_or_else(|| Fault::bug("one set gives one answer"))??;
    let lists: Vec<RecordRef> =
        request.lists.iter().map(|target| RecordRef::new("list", target.list)).collect();
    match turn.engine.crm.associate("esc_emailsend_list", &at, &lists).await {
        // A list went meanwhile: the next look says so.
        Err(fault) if fault.code == Code::CRM_NOT_FOUND => Ok(()),
        other => other,
    }
}

/// Whom a send of this kind goes to: those who joined, and are still on one of its lists.
pub(super) async fn members(turn: &Turn, send: &CampaignSend) -> Result<Vec<(RecordRef, usize)>, Halt> {
    let (account, send, lists) = (turn.account.name.clone(), send.id, &send.details.request.lists);
    let lists: Vec<Uuid> = lists.iter().map(|target| target.list).collect();
    let found = turn.read(move |tx| {
        async move {
            let still = Sql::select()
                .expr(Expr::val(1))
                .from("list_record")
                .and_where(Expr::col(("list_record", "account")).eq(account))
                .and_where(Expr::col(("list_record", "list")).is_in(lists))
                .and_where(Expr::col(("list_record", "record")).equals(("send_member", "record")))
                .to_owned();
            let select = Sql::select()
                .columns(["record_table", "record", "list"])
                .from("send_member")
                .and_where(Expr::col("batch").eq(send))
                .and_where(Expr::exists(still))
                .order_by("record", Order::Asc)
                .to_owned();
            let mut all = Vec::new();
            for row in tx.query(&select).await? {
                let place = usize::try_from(row.at::<i64>(2)?).unwrap_or(0);
                all.push((RecordRef::new(row.at::<String>(0)?, row.at(1)?), place));
            }
            Ok(all)
        }
        .boxed()
    });
    let found: Result<Vec<(RecordRef, usize)>, Error> = found.await;
    Ok(found?)
}
