//! All campaigns of the service, page by page, and which of them are gone.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::Value;
use postroom_core::marketing::{Ask, Campaign, CampaignAsk, CampaignStatus};
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait};
use serde::{Deserialize, Serialize};

use super::row::{self, Row};
use crate::people::stored;
use crate::solution::options::Set;
use crate::sync::cursor::{self, Cursor};
use crate::sync::{Halt, Turn};

/// How far a reading is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// Where the next page of a reading that goes on begins.
    page: Option<String>,
    /// Counts readings.
    reading: i64,
    /// The pages are all in; whoever was not seen is yet to be marked.
    whole: bool,
}

pub(super) async fn read(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let mut cursor: Cursor<Place> =
        turn.read(move |tx| async move { cursor::read(tx, &account, "campaigns").await }.boxed()).await?;
    if cursor.place.page.is_none() && !cursor.place.whole {
        cursor.place.reading += 1;
    }
    while !cursor.place.whole {
        let ask = Ask { after: cursor.place.page.clone(), ..Ask::default() };
        let page = turn.account.service.campaigns(&CampaignAsk::default(), &ask).await?;
        cursor.place.whole = page.next.is_none();
        cursor.place.page = page.next;
        cursor = store(turn, page.rows, cursor).await?;
    }
    leave(turn, cursor).await
}

async fn store(
    turn: &mut Turn,
    page: Vec<Campaign>,
    mut cursor: Cursor<Place>,
) -> Result<Cursor<Place>, Error> {
    let (account, dry) = (turn.account.name.clone(), turn.dry);
    let stored = turn.page("marketing.campaigns_read", move |tx, counts| {
        async move {
            counts.read += page.len() as u64;
            let ids: Vec<i64> = page.iter().map(|campaign| campaign.id.0).collect();
            let mut kept = row::by_id(tx, &account, &ids).await?;
            let mut rows: HashMap<i64, Row> = HashMap::new();
            for campaign in &page {
                let next = merged(kept.remove(&campaign.id.0), campaign, cursor.place.reading);
                rows.insert(next.id, next);
            }
            row::put(tx, &account, &rows.into_values().collect::<Vec<_>>()).await?;
            if !dry {
                cursor.write(tx).await?;
            }
            Ok(cursor)
        }
        .boxed()
    });
    stored.await
}

/// The row after the service said this of the campaign.
fn merged(kept: Option<Row>, campaign: &Campaign, reading: i64) -> Row {
    let header = header(campaign);
    let fresh = Row {
        id: campaign.id.0,
        name: campaign.name.clone(),
        status: campaign.status.as_str().to_owned(),
        sent: campaign.sent,
        header,
        totals: None,
        counted: None,
        gone: false,
        seen: reading,
        told: false,
        made: false,
        version: 1,
    };
    match kept {
        None => fresh,
        Some(kept) => {
            let same = kept.header == fresh.header && !kept.gone;
            Row {
                sent: fresh.sent.or(kept.sent),
                totals: kept.totals,
                counted: kept.counted,
                told: kept.told && same,
                made: kept.made,
                version: kept.version + i64::from(!same),
                ..fresh
            }
        }
    }
}

/// The columns that the service fills, as they are kept.
fn header(campaign: &Campaign) -> String {
    let text = |text: &str, longest: usize| Value::text(crate::sends::cut(text, longest));
    let option = |set: Set, word: &str| set.of_service(word).map_or(Value::Null, Value::from);
    let state = match &campaign.status {
        CampaignStatus::Sending => "Send In Progress",
        CampaignStatus::Sent => "Send Complete",
        _ => "Created",
    };
    let columns = [
        ("esc_name", text(&campaign.name, 200)),
        ("esc_campaignname", text(&campaign.name, 255)),
        ("esc_subject", text(&campaign.subject, 500)),
        ("esc_fromname", text(&campaign.from_name, 255)),
        ("esc_fromaddress", campaign.from.as_ref().map_or(Value::Null, |from| text(&from.email, 320))),
        ("esc_replyaction", option(Set::ReplyAction, campaign.reply_action.as_str())),
        ("esc_replyemail", campaign.reply_to.as_ref().map_or(Value::Null, |address| text(address, 320))),
        ("esc_status", option(Set::CampaignStatus, campaign.status.as_str())),
        ("esc_sendstate", option(Set::SendState, state)),
        ("esc_issplittest", Value::Bool(campaign.split_test)),
        ("esc_lastsent", campaign.sent.map_or(Value::Null, Value::Time)),
        // Its type is the user's to change: only a new row takes it from the service.
        ("kind", campaign.kind.as_ref().map_or(Value::Null, |kind| text(kind.as_str(), 50))),
    ];
    stored::write(columns.iter().map(|(name, value)| (*name, value)))
}

/// Marks those that a whole reading did not bring.
async fn leave(turn: &mut Turn, mut cursor: Cursor<Place>) -> Result<(), Halt> {
    let (account, reading, dry) = (turn.account.name.clone(), cursor.place.reading, turn.dry);
    let all = turn.read(move |tx| {
        async move {
            let mut there = row::select(&account, i64::MIN);
            there.and_where(Expr::col("gone").eq(false));
            row::load(tx, &there).await
        }
        .boxed()
    });
    let all = all.await?;
    let number = all.len() as u64;
    let unseen: Vec<Row> = all.into_iter().filter(|row| row.seen != reading).collect();
    if dry {
        // A rehearsal wrote none of its pages, so what it saw is not known here.
        return Ok(());
    }
    if !unseen.is_empty() {
        turn.admit(
            unseen.len() as u64,
            number,
            "marked as deleted in the CRM, as the service shows these campaigns no longer",
        )?;
    }
    let account = turn.account.name.clone();
    let stored = turn.page("marketing.campaigns_left", move |tx, counts| {
        async move {
            counts.removed += unseen.len() as u64;
            let gone: Vec<Row> = unseen
                .into_iter()
                .map(|row| Row { gone: true, told: false, version: row.version + 1, ..row })
                .collect();
            row::put(tx, &account, &gone).await?;
            cursor.place.whole = false;
            cursor.write(tx).await
        }
        .boxed()
    });
    Ok(stored.await?)
}
