//! Sends of campaigns to lists: asking for one, following it, and deciding about it.
//!
//! Asking writes the request row `esc_emailsend` in the CRM, in the name of whoever asks where that is a user of the CRM, as the
//! button there does; the flow `sends` does the rest. It refuses at once what the flow would only ask about: another number of
//! people than expected. Decisions go to the flow's own table and come to the CRM's row from there.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Code, Crm, Fault, Filter, Query, Value};
use postroom_marketing::campaigns::look::Seen;
use postroom_marketing::sends::audience;
use postroom_marketing::sends::row::{self, SplitAsk};
use postroom_marketing::sends::{CampaignSend, Decision, SendRequest};
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::SyncType;
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait};
use uuid::Uuid;

use super::Duty;
use super::campaigns::row_of;
use super::shown::{SendChange, SendOrder, SendView};
use crate::{Actor, Operations, audit};

/// Sends that are looked through; they are made by people, and number in the hundreds.
const MOST: u64 = 10_000;
/// What the audit trail calls asking for a send.
const ASKED: &str = "send.request";

/// A send that somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct SendAsk {
    /// May be left out while only one is configured.
    pub account: Option<String>,
    /// By number, row or name.
    pub campaign: String,
    /// By id or name.
    pub lists: Vec<String>,
    /// The number of people that whoever asks believes in.
    pub expected: u64,
    /// Not before; left out, at once.
    pub at: Option<Timestamp>,
    pub split: Option<SplitWish>,
    /// It goes to whoever joins the lists from now on, `expected` at once at most.
    pub new_members: bool,
    /// Names the request: the same again asks once.
    pub id: Option<Uuid>,
}

/// How a split test is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitWish {
    /// `Opens`, `Clicks`, `ROI`.
    pub metric: String,
    /// Of the audience, 1 to 100.
    pub percent: u32,
    pub hours: u32,
}

/// `METRIC/PERCENT/HOURS`, such as `opens/20/4`.
impl FromStr for SplitWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no split: write METRIC/PERCENT/HOURS, such as opens/20/4");
        let parts: Vec<&str> = text.split('/').map(str::trim).collect();
        let [metric, percent, hours] = parts.as_slice() else { return Err(wrong()) };
        let known = Set::SplitMetric.options().iter().find(|option| option.eq_ignore_ascii_case(metric));
        let percent =
            percent.trim_end_matches('%').parse::<u32>().ok().filter(|share| (1..=100).contains(share));
        let hours = hours.parse::<u32>().ok().filter(|hours| *hours > 0);
        match (known, percent, hours) {
            (Some(metric), Some(percent), Some(hours)) => {
                Ok(SplitWish { metric: (*metric).to_owned(), percent, hours })
            }
            _ => Err(wrong()),
        }
    }
}

/// Which sends are listed, newest request first.
#[derive(Debug, Clone, Default)]
pub struct SendsWanted {
    pub account: Option<String>,
    /// The campaign's number at the service.
    pub campaign: Option<i64>,
    /// One of [`SEND_STATES`].
    pub state: Option<String>,
    /// Those behind this one.
    pub after: Option<Uuid>,
    pub limit: u64,
}

/// What [`SendView::state`] can be.
pub const SEND_STATES: [&str; 9] =
    ["preparing", "waiting", "held", "paused", "sending", "unknown", "sent", "failed", "cancelled"];

/// What can be ordered of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOrderKind {
    Pause,
    Resume,
    Cancel,
    Approve,
    /// So many people are right.
    Expect(u64),
    GoOn,
    /// A send whose answer was lost was made.
    Found,
    /// It was not.
    Unsent,
}

impl SendOrderKind {
    pub fn as_str(self) -> &'static str {
        match self {
            SendOrderKind::Pause => "pause",
            SendOrderKind::Resume => "resume",
            SendOrderKind::Cancel => "cancel",
            SendOrderKind::Approve => "approve",
            SendOrderKind::Expect(_) => "expect",
            SendOrderKind::GoOn => "go_on",
            SendOrderKind::Found => "found",
            SendOrderKind::Unsent => "unsent",
        }
    }

    fn decision(self) -> Decision {
        match self {
            SendOrderKind::Pause => Decision::Pause,
            SendOrderKind::Resume => Decision::Resume,
            SendOrderKind::Cancel => Decision::Cancel,
            SendOrderKind::Approve => Decision::Approve,
            SendOrderKind::Expect(number) => Decision::Expect(number),
            SendOrderKind::GoOn => Decision::GoOn,
            SendOrderKind::Found => Decision::Found,
            SendOrderKind::Unsent => Decision::Unsent,
        }
    }
}

impl Operations {
    /// Asks for a send. Nobody is mailed by this: the flow `sends` prepares it, holds it until its time, and hands it over.
    pub async fn ask_send(&self, actor: &Actor, ask: &SendAsk, dry_run: bool) -> Result<SendOrder, Fault> {
        self.needs_duty(actor, Duty::Send).await?;
        let seen = self.seen(ask.account.as_deref(), &ask.campaign).await?;
        let lists = self.list_ids(&seen.account, &ask.lists).await?;
        let audience = self.preview_of(&seen, &lists).await?;
        let engine = self.marketing()?;
        let tolerance = engine.rules.tolerance;
        if !ask.new_members {
            audience::admit(audience.to_send, audience.people, Some(ask.expected), tolerance)
                .map_err(|refusal| Fault::reject(Code::MARKETING_AUDIENCE, refusal.to_string()))?;
        }
        if dry_run {
            return Ok(SendOrder { id: None, changed: true, audience, dry_run });
        }
        let id = ask.id.unwrap_or_else(|| engine.ids.next());
        let detail =
            format!("campaign {} to {}; {} expected", seen.id, audience.lists.join(", "), ask.expected);
        self.record_audit(audit::Entry::new(actor, engine.clock.now(), ASKED, id, &detail)).await?;
        let user = self.crm_of(actor).await?;
        let request = wanted(id, row_of(&seen)?, &seen, lists, ask, engine.clock.now());
        let changed = request.request(&*user, &*engine.crm).await?;
        engine.ask(&seen.account, SyncType::Sends, &actor.name).await?;
        Ok(SendOrder { id: Some(id), changed, audience, dry_run })
    }

    /// An id for a request that is yet to be made: a form that is sent twice asks once.
    pub fn new_id(&self) -> Uuid {
        self.0.ids.next()
    }

    /// Sends, newest request first.
    pub async fn sends(&self, actor: &Actor, wanted: SendsWanted) -> Result<Vec<SendView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        if let Some(account) = &wanted.account {
            self.of_account(account)?;
        }
        let (account, campaign) = (wanted.account, wanted.campaign);
        let read = self.marketing()?.store.read(move |tx| {
            async move {
                let mut select = row::select();
                select.limit(MOST);
                if let Some(account) = account {
                    select.and_where(Expr::col("account").eq(account));
                }
                if let Some(campaign) = campaign {
                    select.and_where(Expr::col("campaign").eq(campaign));
                }
                row::load(tx, &select).await
            }
            .boxed()
        });
        let sends: Result<Vec<CampaignSend>, Error> = read.await;
        let mut sends = sends?;
        sends.sort_by_key(|send| std::cmp::Reverse((send.details.asked, send.id)));
        let mut shown = self.shown_sends(sends).await?;
        shown.retain(|send| wanted.state.as_deref().is_none_or(|state| send.state == state));
        let from = wanted
            .after
            .and_then(|after| shown.iter().position(|send| send.id == after))
            .map_or(0, |at| at + 1);
        let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
        Ok(shown.into_iter().skip(from).take(limit).collect())
    }

    /// One send.
    pub async fn send(&self, actor: &Actor, id: Uuid) -> Result<SendView, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        self.one_named(self.known_send(id).await?).await
    }

    /// Carries out what somebody decided about a send.
    pub async fn order_send(
        &self,
        actor: &Actor,
        id: Uuid,
        order: SendOrderKind,
        dry_run: bool,
    ) -> Result<SendChange, Fault> {
        self.needs_duty(actor, Duty::Send).await?;
        self.known_send(id).await?;
        let engine = self.marketing()?;
        let who = self.crm_self(actor).await?.map_or_else(|| actor.name.clone(), |user| user.to_string());
        if order == SendOrderKind::Approve {
            self.is_second(actor, id).await?;
        }
        let would = engine.would_decide(id, &who, order.decision()).await?;
        let send = match dry_run {
            true => would,
            false => {
                let detail = match order {
                    SendOrderKind::Expect(number) => format!("{number} people"),
                    _ => String::new(),
                };
                let action = format!("send.{}", order.as_str());
                self.record_audit(audit::Entry::new(actor, engine.clock.now(), &action, id, &detail)).await?;
                engine.decide(id, &who, order.decision()).await?
            }
        };
        Ok(SendChange { order: order.as_str(), send: self.one_named(send).await?, dry_run })
    }

    /// Somebody who is no user of the CRM asks through postroom's own, whose name says nothing: the audit trail knows who it
    /// was.
    async fn is_second(&self, actor: &Actor, id: Uuid) -> Result<(), Fault> {
        match self.asked_here(id).await? {
            Some(name) if name == actor.name => Err(Fault::reject(
                Code::MARKETING_STATE,
                "a second person has to approve it, not the one who asked for it",
            )),
            _ => Ok(()),
        }
    }

    async fn asked_here(&self, id: Uuid) -> Result<Option<String>, Fault> {
        let entries = self.audit_of(&Actor::console(), &id.to_string(), MOST).await?;
        Ok(entries.into_iter().find(|entry| entry.action == ASKED).map(|entry| entry.actor))
    }

    async fn known_send(&self, id: Uuid) -> Result<CampaignSend, Fault> {
        let found = self.marketing()?.campaign_send(id).await?;
        found.ok_or_else(|| {
            let text =
                format!("no send {id}: one that was just asked for is there after the next run of sends");
            Fault::reject(Code::API_NOT_FOUND, text)
        })
    }

    async fn one_named(&self, send: CampaignSend) -> Result<SendView, Fault> {
        let asked_here = self.asked_here(send.id).await?;
        let mut shown = self.shown_sends(vec![send]).await?;
        let shown = shown.pop().ok_or_else(|| Fault::bug("one send is shown as one"))?;
        Ok(SendView { asked_by: asked_here.or(shown.asked_by.clone()), ..shown })
    }

    /// Sends with people's names instead of their ids in the CRM.
    async fn shown_sends(&self, sends: Vec<CampaignSend>) -> Result<Vec<SendView>, Fault> {
        let details = sends.iter().map(|send| &send.details);
        let words = details.flat_map(|details| {
            let actor = details.request.actor.map(|actor| actor.to_string());
            let approved = details.approved.as_ref().map(|word| word.who.clone());
            let decided = details.decided.as_ref().map(|word| word.who.clone());
            [actor, approved, decided, details.paused.clone()].into_iter().flatten()
        });
        let mut ids: Vec<Uuid> = words.filter_map(|who| Uuid::parse_str(&who).ok()).collect();
        ids.sort();
        ids.dedup();
        let mut names: HashMap<String, String> = HashMap::new();
        for some in ids.chunks(100) {
            let these = some.iter().map(|id| Value::Guid(*id)).collect();
            let query = Query::of("systemuser")
                .select(&["fullname"])
                .filter(Filter::In("systemuserid".to_owned(), these));
            for row in self.marketing()?.crm.query(&query).await? {
                let name = row.text("fullname").unwrap_or_default().to_owned();
                names.insert(row.at.id.to_string(), name);
            }
        }
        let by =
            |who: &str| names.get(who).filter(|name| !name.is_empty()).map_or(who, String::as_str).to_owned();
        let over = self.marketing()?.rules.approval_over;
        Ok(sends.into_iter().map(|send| SendView::new(send, over, by)).collect())
    }

    /// The CRM in the name of whoever acts, when that is one of its users.
    async fn crm_of(&self, actor: &Actor) -> Result<Arc<dyn Crm>, Fault> {
        let engine = self.marketing()?;
        match self.crm_self(actor).await? {
            None => Ok(engine.crm.clone()),
            Some(user) => engine.crm.acting_for(user).ok_or_else(|| {
                let text =
                    "this CRM cannot be written to in another one's name: press Send in the CRM itself";
                Fault::reject(Code::CRM_REFUSED, text)
            }),
        }
    }
}

fn wanted(
    id: Uuid,
    campaign: Uuid,
    seen: &Seen,
    lists: Vec<Uuid>,
    ask: &SendAsk,
    now: Timestamp,
) -> SendRequest {
    let split = ask.split.as_ref().map(|split| SplitAsk {
        metric: split.metric.clone(),
        percent: split.percent,
        hours: split.hours,
    });
    SendRequest {
        id,
        campaign,
        name: seen.name.clone(),
        lists,
        due: ask.at.unwrap_or(now),
        expected: Some(ask.expected),
        split,
        new_members: ask.new_members,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u32, u32)>) {
        let expected =
            expected.map(|(metric, percent, hours)| SplitWish { metric: metric.to_owned(), percent, hours });
        assert_eq!(text.parse().ok(), expected, "{text}");
    }

    #[test]
    fn splits() {
        check("opens/20/4", Some(("Opens", 20, 4)));
        check("ROI / 100% / 48", Some(("ROI", 100, 48)));
        check("opens/0/4", None);
        check("opens/20", None);
        check("views/20/4", None);
        check("opens/20/0", None);
    }
}
