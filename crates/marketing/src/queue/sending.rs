//! Rows that ask for mail: each becomes one request row of the sends, under its own id and in its maker's name.
//!
//! The flow of the sends takes it from there, so there is no gate that a row of the queue goes around. What can be said at
//! once, such as a list that is not activated, is said before a request is made.

use std::sync::Arc;

use postroom_core::{Change, Crm, Fault, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::item::Item;
use super::payload::{Send, Single};
use super::{Standing, TABLE};
use crate::sends::request::{campaign, choice, targets, unfit};
use crate::sends::state::State;
use crate::sends::{SendRequest, one};
use crate::solution::options::Set;
use crate::solution::roles::Duty;
use crate::sync::Turn;

const SINGLES: &str = "esc_emailsinglesend";

/// A send to lists, or to whoever joins them.
pub(super) async fn send(turn: &Turn, item: &Item, wanted: Send) -> Result<Standing, Fault> {
    if let Some(send) = turn.engine.campaign_send(item.at.id).await? {
        return Ok(match send.state {
            // A send to new members goes on until somebody cancels it.
            State::Sent | State::Watching => Standing::Complete,
            State::Failed => Standing::Failed(
                send.details.error.unwrap_or_else(|| "the send failed: look at its Email Send".to_owned()),
            ),
            State::Cancelled => Standing::Failed("the send was cancelled: look at its Email Send".to_owned()),
            _ => Standing::Waits(send.details.question.or(send.details.error)),
        });
    }
    let maker = maker(turn, item, Duty::Send).await?;
    let row = campaign(turn, wanted.campaign).await?;
    let ids = wanted.lists.iter().map(|list| Value::Guid(*list)).collect();
    let found = targets(turn, &Query::of("list").filter(Filter::In("listid".to_owned(), ids))).await?;
    if let Some(gone) = wanted.lists.iter().find(|list| found.iter().all(|known| known.list != **list)) {
        return Err(unfit(format!("there is no marketing list {gone}")));
    }
    let request = SendRequest {
        id: item.at.id,
        campaign: wanted.campaign,
        name: row.text("esc_name").unwrap_or_default().to_owned(),
        lists: wanted.lists,
        due: wanted.at.or(item.due).unwrap_or_else(|| turn.now()),
        expected: wanted.expected,
        split: wanted.split,
        new_members: wanted.new_members,
    };
    request.request(maker.as_ref(), turn.engine.crm.as_ref()).await.map_err(in_name)?;
    Ok(Standing::Waits(None))
}

/// A mail to one person, or one person put into a program.
pub(super) async fn single(turn: &Turn, item: &Item, wanted: &Single) -> Result<Standing, Fault> {
    let at = RecordRef::new(SINGLES, item.at.id);
    let by_id = Filter::eq("esc_emailsinglesendid", at.id);
    let query = Query::of(SINGLES).select(&["esc_sendstatus", "esc_error"]).filter(by_id);
    let Some(known) = turn.engine.crm.query(&query).await?.pop() else {
        let maker = maker(turn, item, Duty::SendSingle).await?;
        one(maker.as_ref(), Change::Create(request(turn, at, wanted))).await.map_err(in_name)?;
        return Ok(Standing::Waits(None));
    };
    let why = known.text("esc_error").filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(match choice(&known, "esc_sendstatus", Set::SendStatus) {
        Some("Sent") => Standing::Complete,
        Some("Failed" | "Cancelled") => Standing::Failed(
            why.unwrap_or_else(|| "it was not sent: look at its Email Single Send".to_owned()),
        ),
        _ => Standing::Waits(why),
    })
}

/// The row that the button makes.
fn request(turn: &Turn, at: RecordRef, wanted: &Single) -> Record {
    let option = |set: Set, label: &str| set.value(label).map_or(Value::Null, Value::from);
    let (column, table, id) = wanted.person;
    let kind = match table {
        "lead" => "Lead",
        "account" => "Account",
        _ => "Contact",
    };
    Record::new(at)
        .with("esc_name", "Asked for by the message queue")
        .with(column, Value::lookup(table, id))
        .with("esc_recordtype", option(Set::RecordType, kind))
        .with("esc_emailaccountid", turn.connected.row())
        .with(
            "esc_emailcampaignid",
            wanted.campaign.map_or(Value::Null, |id| Value::lookup("esc_emailcampaign", id)),
        )
        .with("esc_isprogram", wanted.program.is_some())
        .with("esc_programid", wanted.program)
        .with("esc_personalisation", wanted.values.clone())
        .with("esc_istransactional", wanted.transactional)
        .with("esc_sendstatus", option(Set::SendStatus, "Requested"))
}

/// The CRM in the name of whoever wrote the row, who must be allowed to ask.
async fn maker(turn: &Turn, item: &Item, duty: Duty) -> Result<Arc<dyn Crm>, Fault> {
    let Some(maker) = item.maker else {
        return Err(unfit("nobody knows who wrote the row: it has no createdby"));
    };
    may(turn, maker, duty).await?;
    turn.engine.crm.acting_for(maker).ok_or_else(|| {
        unfit(format!(
            "this CRM cannot be written to in another one's name, so {TABLE} asks for no mail: press Send"
        ))
    })
}

/// The CRM's own words say which right is missing, and not that it is somebody else's.
fn in_name(fault: Fault) -> Fault {
    let text = format!("it could not be asked for in the name of who wrote the row: {}", fault.message);
    Fault { message: text, ..fault }
}

async fn may(turn: &Turn, user: Uuid, duty: Duty) -> Result<(), Fault> {
    let engine = &turn.engine;
    match engine.rules.permits.may(engine.crm.as_ref(), user, duty).await? {
        true => Ok(()),
        false => Err(unfit(match duty {
            Duty::Send => "who wrote the row may not send: it takes the role Email Marketing Manager",
            _ => {
                "who wrote the row may not send to one person: it takes the role Email Marketing Professional or Manager"
            }
        })),
    }
}
