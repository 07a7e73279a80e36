//! The readings: each stream of each campaign from its mark on, page by page into the inbox, with the mark in the same unit.

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::{Ask, CampaignId, Marketing};
use postroom_store::{Error, Tx};
use serde::{Deserialize, Serialize};

use super::facts::{self, Event, Row, Tail, Unfit};
use super::machine;
use super::rows;
use super::sends::{self, Known};
use super::settings::{Kind, Settings};
use crate::keys;
use crate::person::erased;
use crate::sync::cursor::{self, Cursor};
use crate::sync::forecast::Foretold;
use crate::sync::run::Reject;
use crate::sync::since::Since;
use crate::sync::{Halt, Turn};

/// How far a stream of a campaign has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    #[serde(flatten)]
    at: Since,
    /// The last instant of the page before, while a reading goes on.
    tail: Tail,
}

/// What one page brought.
struct Page {
    events: Vec<Event>,
    rejects: Vec<Reject>,
    read: u64,
    next: Option<String>,
}

/// Reads one stream of a campaign to its end. `latest` is the service's time: a mark never lies behind it in the future.
///
/// # Errors
/// Faults of the service; what was stored until then stays.
pub async fn read(
    turn: &mut Turn,
    kind: Kind,
    campaign: i64,
    latest: Timestamp,
    sends: &Known,
) -> Result<(), Halt> {
    let (account, stream) = (turn.account.name.clone(), format!("events/{campaign}/{kind}"));
    let mut cursor: Cursor<Place> =
        turn.read(move |tx| async move { cursor::read(tx, &account, &stream).await }.boxed()).await?;
    let since = cursor.place.at.begin(turn.engine.rules.overlap);
    loop {
        let ask = cursor.place.at.ask();
        let mut page = fetch(&*turn.account.service, kind, campaign, since, latest, &ask).await?;
        let mut tail = facts::number(&turn.connected.key, &mut page.events);
        if let Some(at) = facts::doubtful(&page.events, &cursor.place.tail) {
            tail = exactly(turn, kind, campaign, at, &mut page.events).await?;
        }
        let moments = page.events.iter().map(|event| event.at);
        let more = cursor.place.at.pass(moments, latest, page.next.take());
        cursor.place.tail = if more { tail } else { Tail::default() };
        cursor = store(turn, kind, campaign, page, sends, cursor).await?;
        if !more {
            return Ok(());
        }
    }
}

/// Reads one instant by itself and puts what happened then in the place of what the page says of it; answers the page's end.
async fn exactly(
    turn: &Turn,
    kind: Kind,
    campaign: i64,
    at: Timestamp,
    events: &mut Vec<Event>,
) -> Result<facts::Tail, Fault> {
    let service = &*turn.account.service;
    let mut whole = fetch(service, kind, campaign, Some(at), at, &Ask::default()).await?.events;
    whole.retain(|event| event.at == at);
    whole.extend(events.drain(..).filter(|event| event.at != at));
    *events = whole;
    Ok(facts::number(&turn.connected.key, events))
}

async fn fetch(
    service: &dyn Marketing,
    kind: Kind,
    campaign: i64,
    since: Option<Timestamp>,
    now: Timestamp,
    ask: &Ask,
) -> Result<Page, Fault> {
    let id = CampaignId(campaign);
    let from = since.unwrap_or(Timestamp::UNIX_EPOCH);
    match kind {
        Kind::Recipient => {
            service.recipients(&id, since, ask).await.map(|page| of(campaign, page.rows, page.next))
        }
        Kind::Click => service.clicks(&id, since, ask).await.map(|page| of(campaign, page.rows, page.next)),
        Kind::Open => service.opens(&id, since, ask).await.map(|page| of(campaign, page.rows, page.next)),
        Kind::PageView => {
            service.page_views(&id, from, ask).await.map(|page| of(campaign, page.rows, page.next))
        }
        Kind::Roi => service.roi_details(&id, from, ask).await.map(|page| of(campaign, page.rows, page.next)),
        Kind::Social => {
            let page = service.social_views(&id, ask).await?;
            let rows = page.rows.into_iter().map(|row| (row, now)).collect();
            Ok(of(campaign, rows, page.next))
        }
        Kind::Reply => Err(Fault::bug("replies are read by person")),
    }
}

/// The events of rows; what is none is rejected, and its neighbours go on.
fn of<R: Row>(campaign: i64, rows: Vec<R>, next: Option<String>) -> Page {
    let mut page = Page { read: rows.len() as u64, events: Vec::new(), rejects: Vec::new(), next };
    for row in rows {
        match row.event(campaign) {
            Ok(event) => page.events.push(event),
            Err(unfit) => page.rejects.push(rejected(campaign, &unfit)),
        }
    }
    page
}

fn rejected(campaign: i64, unfit: &Unfit) -> Reject {
    Reject {
        subject: format!("campaign {campaign}"),
        code: None,
        reason: unfit.to_string(),
        sent: String::new(),
        received: unfit.received().to_owned(),
    }
}

async fn store(
    turn: &mut Turn,
    kind: Kind,
    campaign: i64,
    page: Page,
    sends: &Known,
    mut cursor: Cursor<Place>,
) -> Result<Cursor<Place>, Error> {
    let intake = Intake::of(turn, kind, campaign);
    let (dry, sends) = (turn.dry, sends.clone());
    let Page { events, rejects, read, .. } = page;
    let refused = rejects.len() as u64;
    let before = turn.counts.clone();
    let stored = turn.page("marketing.events_read", move |tx, counts| {
        async move {
            let mut foretold = Foretold::default();
            let keys: Vec<String> = events.iter().map(|event| event.key.clone()).collect();
            counts.read += read;
            counts.skip("no moment or nobody", refused);
            let (written, forgotten) = intake.take(tx, events, &sends).await?;
            counts.skip("known already", written.same);
            counts.skip("erased or too old", forgotten);
            match dry {
                false => cursor.write(tx).await?,
                true => {
                    let rows = rows::by_key(tx, &intake.account, &keys).await?;
                    foretold.count(counts, rows.iter().filter(|row| !row.told_crm).map(rows::Stored::sample));
                }
            }
            Ok((cursor, foretold))
        }
        .boxed()
    });
    let (cursor, foretold) = stored.await?;
    turn.foresee_told(foretold, &before);
    turn.reject(rejects).await?;
    Ok(cursor)
}

/// What taking a page in needs to know.
pub struct Intake {
    account: String,
    key: keys::Account,
    settings: Settings,
    kind: Kind,
    campaign: i64,
    now: Timestamp,
}

impl Intake {
    pub fn of(turn: &Turn, kind: Kind, campaign: i64) -> Self {
        Intake {
            account: turn.account.name.clone(),
            key: turn.connected.key.clone(),
            settings: turn.account.settings.events.clone(),
            kind,
            campaign,
            now: turn.now(),
        }
    }

    /// Takes events in that have their keys; answers also how many were left out because their people were erased or they are
    /// older than anything that is kept.
    pub async fn take(
        &self,
        tx: &mut Tx,
        mut events: Vec<Event>,
        sends: &Known,
    ) -> Result<(rows::Written, u64), Error> {
        let all = events.len();
        let gone = erased::among(tx, events.iter().map(|event| event.address.as_str())).await?;
        events.retain(|event| {
            !erased::forgets(&gone, &event.address, event.at)
                && !rows::is_older(event.at, self.settings.keep, self.now)
        });
        let forgotten = (all - events.len()) as u64;
        if matches!(self.kind, Kind::Click | Kind::Open) {
            self.flag(tx, &mut events).await?;
        }
        for event in &mut events {
            event.trim(&self.settings);
        }
        let (fresh, changed, written) =
            rows::sort(tx, &self.account, &self.settings, self.now, events).await?;
        let of_sends = match self.kind {
            Kind::Recipient => {
                sends::assign(tx, &self.account, &self.key, self.campaign, sends, &fresh).await?
            }
            _ => HashMap::new(),
        };
        let fresh = fresh.into_iter().map(|event| {
            let send = of_sends.get(&event.key).copied();
            rows::fresh(event, &self.settings, self.now, send)
        });
        rows::put(tx, &self.account, fresh.chain(changed).collect()).await?;
        Ok((written, forgotten))
    }

    /// Flags what machines did.
    async fn flag(&self, tx: &mut Tx, events: &mut [Event]) -> Result<(), Error> {
        let people = events.iter().map(|event| event.contact).collect();
        let sent = rows::sent(tx, &self.account, self.campaign, &people).await?;
        let clicks = events.iter().filter(|_| self.kind == Kind::Click);
        let scanners = machine::scanners(clicks.map(|event| (event.contact, event.at, event.what.as_str())));
        for event in events {
            let mails = sent.get(&event.contact).into_iter().flatten();
            let last = mails.copied().filter(|sent| *sent <= event.at).max();
            event.machine = event.agent().is_some_and(machine::is_program)
                || machine::is_hasty(last, event.at)
                || scanners.contains(&(event.contact, event.at.as_second()));
        }
        Ok(())
    }
}
