//! The port's words in terms of the client: a file for each trait of [`postroom_core::marketing`].

mod account;
mod behaviour;
mod campaign;
mod contact;
mod field;
mod form;
mod import;
mod list;
mod preference;
mod program;
mod rows;
mod score;
mod send;
mod soap;
mod suppression;

use http::StatusCode;
use postroom_core::marketing::{Ask as Part, Page};
use postroom_core::{Clock, Fault, Ids};

use crate::ask::Ask;
use crate::auth::Credentials;
use crate::client::{Client, Trouble};
use crate::config::{Api, Settings};
use crate::paging::{self, Found, Place};
use crate::refusal::Refusal;
use crate::sink::{Whole, unreadable};
use crate::wire::Row;
use rows::Rows;

/// An account of Dotdigital.
pub struct Dotdigital {
    client: Client,
}

impl Dotdigital {
    /// A client for an account; nothing is asked yet. `http` decides about proxies and certificates; it follows no redirects.
    pub fn new(
        settings: Settings,
        http: reqwest::Client,
        credentials: Credentials,
        clock: Clock,
        ids: Ids,
    ) -> Dotdigital {
        Dotdigital { client: Client::new(settings, http, credentials, clock, ids) }
    }

    fn v3(&self) -> bool {
        self.client.settings.api == Api::V3
    }

    /// One row, read by `map`.
    async fn one<T>(&self, ask: Ask, map: impl FnOnce(&Row<'_>) -> Option<T>) -> Result<T, Fault> {
        self.try_one(&ask, map).await.map_err(Fault::from)
    }

    async fn try_one<T>(&self, ask: &Ask, map: impl FnOnce(&Row<'_>) -> Option<T>) -> Result<T, Trouble> {
        let mut sink = Whole::object(ask.route);
        self.client.send(ask, &mut sink).await?;
        Ok(read(ask, &sink.bytes, map)?)
    }

    /// One row, or none when the service does not know it.
    async fn one_or_none<T>(
        &self,
        ask: Ask,
        map: impl FnOnce(&Row<'_>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        match self.try_one(&ask, map).await {
            Ok(found) => Ok(Some(found)),
            Err(Trouble::Refused(refusal)) if refusal.missing() => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// An answer that says nothing but success.
    async fn done(&self, ask: Ask) -> Result<StatusCode, Fault> {
        Ok(self.try_done(&ask).await?)
    }

    async fn try_done(&self, ask: &Ask) -> Result<StatusCode, Trouble> {
        Ok(self.client.whole(ask).await?.0)
    }

    /// Success, also when the service refuses because it is so already, in the opinion of `fine`.
    async fn done_or(&self, ask: Ask, fine: impl Fn(&Refusal) -> bool) -> Result<(), Fault> {
        match self.try_done(&ask).await {
            Ok(_) => Ok(()),
            Err(Trouble::Refused(refusal)) if fine(&refusal) => Ok(()),
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// All rows of an answer that has no pages.
    async fn all<T: Send>(&self, ask: Ask, map: fn(&Row<'_>) -> Option<T>) -> Result<Vec<T>, Fault> {
        let mut rows = Rows::new(ask.route, map);
        self.client.send(&ask, &mut rows).await?;
        Ok(rows.found)
    }

    /// A page of v2: `select` and `skip`.
    async fn page<T: Send>(
        &self,
        ask: impl Fn() -> Ask + Send + Sync,
        part: &Part,
        most: u32,
        map: fn(&Row<'_>) -> Option<T>,
    ) -> Result<Page<T>, Fault> {
        let most = most.min(self.client.settings.page.clamp(1, 1000));
        let (size, most) = (u64::from(part.size.clamp(1, most)), u64::from(most));
        let overlap = u64::from(self.client.settings.overlap);
        let mut place = part.after.as_deref().map_or_else(|| Ok(Place::default()), Place::read)?;
        loop {
            let (select, skip) = place.question(size, overlap, most);
            let ask = ask().query("select", select).query("skip", skip);
            let mut rows = Rows::new(ask.route, map).keyed(paging::key);
            self.client.send(&ask, &mut rows).await?;
            match place.matched(&rows.keys, (select, skip), size)? {
                Found::Elsewhere(other) => place = other,
                Found::New { rows: new, next } => {
                    rows.found.truncate(new.end);
                    let rows = rows.found.split_off(new.start);
                    return Ok(Page { rows, next: next.map(|next| next.write()) });
                }
            }
        }
    }

    /// A page of v2 that goes on after an id: `minContactId`.
    async fn page_by_id<T: Send>(
        &self,
        ask: Ask,
        part: &Part,
        map: fn(&Row<'_>) -> Option<T>,
        id: fn(&T) -> Option<i64>,
    ) -> Result<Page<T>, Fault> {
        const SIZE: usize = 1000;
        let after =
            part.after.as_deref().map(|text| text.strip_prefix('c').and_then(|id| id.parse::<i64>().ok()));
        let after = match after {
            None => 0,
            Some(Some(id)) => id,
            Some(None) => return Err(Fault::bug("a place in a reading of Dotdigital cannot be read")),
        };
        let rows = self.all(ask.query("minContactId", after), map).await?;
        let last = rows.iter().filter_map(id).max();
        let next = last.filter(|last| rows.len() >= SIZE && *last >= after);
        Ok(Page { next: next.map(|last| format!("c{}", last + 1)), rows })
    }
}

fn read<T>(ask: &Ask, body: &[u8], map: impl FnOnce(&Row<'_>) -> Option<T>) -> Result<T, Fault> {
    let row = Row::read(body).map_err(|_| garbled(ask))?;
    map(&row).ok_or_else(|| garbled(ask))
}

/// An answer that cannot be read says nothing about what was done.
fn garbled(ask: &Ask) -> Fault {
    let fault = unreadable(ask.route);
    match ask.repeatable {
        true => fault,
        false => Fault {
            verdict: postroom_core::Verdict::Unknown,
            code: postroom_core::Code::MARKETING_UNKNOWN,
            ..fault
        },
    }
}
