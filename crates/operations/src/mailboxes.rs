//! Mailboxes: how each is configured, what came through it, how its watcher fares, and what people order of it.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Code, Fault, WatchState};
use postroom_store::sql::{Expr, ExprTrait, Func, Query};
use postroom_store::{Error, Row, Store};
use postroom_tracking::messages::{self, Message, Wanted};
use postroom_tracking::rules::{Mailbox, OnUnmatched, Track};
use postroom_tracking::settings;
use postroom_tracking::watching::{self, Overview, Place};
use serde::Serialize;

use crate::{Actor, Operations, Permission, audit};

/// Decisions shown with a mailbox.
const LAST: u64 = 10;

/// One mailbox in a list.
#[derive(Debug, Clone, Serialize)]
pub struct MailboxView {
    pub name: String,
    pub addresses: Vec<String>,
    pub track: &'static str,
    pub on_unmatched: &'static str,
    pub record: Option<String>,
    /// `healthy`; `waiting` while nothing has come yet; `catching_up`, `paused`, `failing` (tries again by itself),
    /// `needs_you`; `not_running` when postroom serve, which watches it, has given no sign of life for two minutes;
    /// `stopped` for one that is not configured any more.
    pub state: &'static str,
    /// One sentence.
    pub text: String,
    /// The documented error that stands in the way, `PR-nnnn`.
    pub code: Option<String>,
    pub messages: u64,
    pub last_received_at: Option<Timestamp>,
    /// Whether it is read on its server, rather than sent to us.
    pub watched: bool,
    /// Messages known to be on the server and not stored yet.
    pub behind: u64,
    /// For how long it has not been up to date; 0 when it is. Null when it is not watched.
    pub lag_seconds: Option<i64>,
    /// For how long postroom serve has given no sign of life. Null when it is not watched, or never was.
    pub heartbeat_age_seconds: Option<i64>,
    /// Since when the watcher stands as it does.
    pub state_since: Option<Timestamp>,
    /// Mail since then is being read again.
    pub rescan_since: Option<Timestamp>,
    /// What the server lacks, and what it does otherwise than the standard says.
    pub quirks: Vec<String>,
    /// Where the watcher stands in each folder.
    pub folders: Vec<Place>,
}

/// One mailbox with what was decided about its mail.
#[derive(Debug, Clone, Serialize)]
pub struct MailboxDetail {
    #[serde(flatten)]
    pub mailbox: MailboxView,
    /// The last messages, newest first, each with its reason.
    pub last_decisions: Vec<Message>,
}

/// What was ordered of a mailbox, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct MailboxOrder {
    pub name: String,
    /// `pause`, `resume`, `rescan`.
    pub order: &'static str,
    /// Whether anything changes by it.
    pub changed: bool,
    pub dry_run: bool,
    /// For a rescan: since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// For a rescan: how many messages since then are stored already; none of them is added again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<u64>,
}

/// What was forgotten about a mailbox, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct Forgotten {
    pub name: String,
    /// Folders in which it is not known any more what was read.
    pub folders: Vec<String>,
    /// Messages that came through it. They stay.
    pub messages: u64,
    /// Whether it still stands in the configuration.
    pub configured: bool,
    pub dry_run: bool,
}

/// The setting that keeps when postroom serve gave its last sign of life.
const HEARTBEAT: &str = "serve.heartbeat";
/// When a process last stopped watching as it should.
const STOPPED: &str = "serve.stopped";
/// Without a sign of life for so long, nothing runs.
pub const SILENT: SignedDuration = SignedDuration::from_mins(2);

/// Messages of a mailbox, and when the last came.
type Seen = BTreeMap<String, (u64, Option<Timestamp>)>;

impl Operations {
    /// A sign of life of the process that watches. Call it every half minute: without one for two minutes, people are told
    /// that nothing is watched.
    pub async fn heartbeat(&self) -> Result<(), Fault> {
        let now = self.0.clock.now().to_string();
        settings::set(&self.0.store, HEARTBEAT, now).await.map_err(Fault::from)
    }

    /// The last word of a process that ends as it should: who looks next need not wait for its silence.
    pub async fn last_word(&self) -> Result<(), Fault> {
        let now = self.0.clock.now().to_string();
        settings::set(&self.0.store, STOPPED, now).await.map_err(Fault::from)
    }

    /// How long nothing was heard of a server on this database; `None` when none ran, or the last one has stopped.
    pub async fn silence(store: &Store, clock: &Clock) -> Result<Option<SignedDuration>, Fault> {
        let at = |kept: Option<String>| kept.and_then(|at| at.parse::<Timestamp>().ok());
        let beat = at(settings::get(store, HEARTBEAT).await.map_err(Fault::from)?);
        let stopped = at(settings::get(store, STOPPED).await.map_err(Fault::from)?);
        Ok(beat.filter(|beat| Some(*beat) > stopped).map(|beat| clock.now().duration_since(beat)))
    }

    /// Says of a copy of a database that nothing works on it, whatever worked on what it was copied from.
    pub async fn leave_quiet(copy: &Store, clock: &Clock) -> Result<(), Fault> {
        settings::set(copy, STOPPED, clock.now().to_string()).await.map_err(Fault::from)
    }

    async fn last_heartbeat(&self) -> Result<Option<Timestamp>, Fault> {
        let kept = settings::get(&self.0.store, HEARTBEAT).await.map_err(Fault::from)?;
        Ok(kept.and_then(|at| at.parse().ok()))
    }

    /// All mailboxes: those configured, then those that are not any more and of which something is remembered.
    pub async fn mailboxes(&self, actor: &Actor) -> Result<Vec<MailboxView>, Fault> {
        actor.needs(Permission::Read)?;
        let seen = self.seen_by_mailbox().await?;
        let mut overview = watching::overview(&self.0.store).await.map_err(Fault::from)?;
        let (rules, alive) = (self.rules(), self.last_heartbeat().await?);
        let configured = rules.mailboxes.iter().chain([&rules.fallback]);
        let mut all: Vec<MailboxView> = configured
            .map(|mailbox| {
                let watch = overview.remove(&mailbox.name).unwrap_or_default();
                let watched = self.0.watched.contains(&mailbox.name);
                self.with_watch(view(mailbox, seen.get(&mailbox.name)), watch, watched, alive)
            })
            .collect();
        all.extend(overview.into_iter().map(|(name, watch)| {
            let gone = Mailbox { name, addresses: Vec::new(), ..Mailbox::default() };
            let mut gone = self.with_watch(view(&gone, seen.get(&gone.name)), watch, true, alive);
            (gone.state, gone.watched, gone.lag_seconds, gone.code) = ("stopped", false, None, None);
            gone.heartbeat_age_seconds = None;
            gone.text = "It is not in the configuration any more; its messages stay.".into();
            gone
        }));
        Ok(all)
    }

    /// The mailboxes on servers that are not read now: their watcher has failed for a while or has given up, or nothing
    /// runs.
    pub(crate) async fn unread(&self) -> Result<Vec<MailboxView>, Fault> {
        let mut overview = watching::overview(&self.0.store).await.map_err(Fault::from)?;
        let (rules, alive) = (self.rules(), self.last_heartbeat().await?);
        let all = rules.mailboxes.iter().chain([&rules.fallback]);
        let watched = all.filter(|mailbox| self.0.watched.contains(&mailbox.name));
        let views = watched.map(|mailbox| {
            let watch = overview.remove(&mailbox.name).unwrap_or_default();
            self.with_watch(view(mailbox, None), watch, true, alive)
        });
        Ok(views.filter(is_unread).collect())
    }

    /// One mailbox by its name.
    pub async fn mailbox(&self, actor: &Actor, name: &str) -> Result<MailboxDetail, Fault> {
        let mailbox = self.mailbox_view(actor, name).await?;
        let wanted = Wanted { mailbox: Some(mailbox.name.clone()), limit: LAST, ..Wanted::default() };
        let last_decisions = messages::list(&self.0.store, wanted).await.map_err(Fault::from)?;
        Ok(MailboxDetail { mailbox, last_decisions })
    }

    async fn mailbox_view(&self, actor: &Actor, name: &str) -> Result<MailboxView, Fault> {
        let all = self.mailboxes(actor).await?;
        let found = all.into_iter().find(|mailbox| mailbox.name == name);
        found.ok_or_else(|| Fault::reject(Code::API_NOT_FOUND, format!("no mailbox {name:?}")))
    }

    /// One that has a watcher to give orders to.
    async fn watched(&self, actor: &Actor, name: &str) -> Result<MailboxView, Fault> {
        actor.needs(Permission::Decide)?;
        let mailbox = self.mailbox_view(actor, name).await?;
        match mailbox.watched {
            true => Ok(mailbox),
            false => {
                let text =
                    format!("mailbox {name:?} is not read on a server: it has no [mailboxes.{name}.imap]");
                Err(Fault::reject(Code::API_CONFLICT, text))
            }
        }
    }

    /// Stops a mailbox's watcher until it is resumed; it ends what it is at.
    pub async fn pause_mailbox(
        &self,
        actor: &Actor,
        name: &str,
        dry_run: bool,
    ) -> Result<MailboxOrder, Fault> {
        self.set_paused(actor, name, true, dry_run).await
    }

    pub async fn resume_mailbox(
        &self,
        actor: &Actor,
        name: &str,
        dry_run: bool,
    ) -> Result<MailboxOrder, Fault> {
        self.set_paused(actor, name, false, dry_run).await
    }

    async fn set_paused(
        &self,
        actor: &Actor,
        name: &str,
        paused: bool,
        dry_run: bool,
    ) -> Result<MailboxOrder, Fault> {
        let mailbox = self.watched(actor, name).await?;
        let order = if paused { "pause" } else { "resume" };
        let changed = (mailbox.state == "paused") != paused;
        if changed && !dry_run {
            let now = self.0.clock.now();
            let entry = audit::Entry::new(actor, now, &format!("mailbox.{order}"), name, mailbox.state);
            self.record_audit(entry).await?;
            let done = match paused {
                true => watching::pause(&self.0.store, name, now).await,
                false => watching::resume(&self.0.store, name, now).await,
            };
            done.map_err(Fault::from)?;
        }
        Ok(MailboxOrder { name: mailbox.name, order, changed, dry_run, since: None, stored: None })
    }

    /// Has a mailbox's mail since then read again. Nothing that is known is added twice.
    pub async fn rescan_mailbox(
        &self,
        actor: &Actor,
        name: &str,
        since: Timestamp,
        dry_run: bool,
    ) -> Result<MailboxOrder, Fault> {
        let mailbox = self.watched(actor, name).await?;
        let now = self.0.clock.now();
        if since > now {
            return Err(Fault::reject(Code::API_INPUT, format!("{since} is in the future")));
        }
        let stored = self.stored_since(name, since).await?;
        if !dry_run {
            let order = self.0.ids.next().to_string();
            let entry = audit::Entry::new(actor, now, "mailbox.rescan", name, &format!("since {since}"));
            self.record_audit(entry).await?;
            watching::rescan(&self.0.store, name, order, since, now).await.map_err(Fault::from)?;
        }
        let (since, stored) = (Some(since), Some(stored));
        Ok(MailboxOrder { name: mailbox.name, order: "rescan", changed: true, dry_run, since, stored })
    }

    /// Forgets where the watcher stood in a mailbox: met again, it is a new one. Its messages stay.
    pub async fn forget_mailbox(&self, actor: &Actor, name: &str, dry_run: bool) -> Result<Forgotten, Fault> {
        actor.needs(Permission::Administer)?;
        let mailbox = self.mailbox_view(actor, name).await?;
        let folders: Vec<String> = mailbox.folders.into_iter().map(|place| place.folder).collect();
        if !dry_run {
            let now = self.0.clock.now();
            let entry = audit::Entry::new(actor, now, "mailbox.forget", name, &folders.join(", "));
            self.record_audit(entry).await?;
            watching::forget(&self.0.store, name).await.map_err(Fault::from)?;
        }
        let configured = mailbox.state != "stopped";
        Ok(Forgotten { name: mailbox.name, folders, messages: mailbox.messages, configured, dry_run })
    }

    /// Messages of a mailbox seen since then.
    async fn stored_since(&self, mailbox: &str, since: Timestamp) -> Result<u64, Fault> {
        let select = Query::select()
            .expr(Func::count(Expr::col("id")))
            .from("message")
            .and_where(Expr::col("mailbox").eq(mailbox.to_owned()))
            .and_where(Expr::col("received_at").gte(since.as_microsecond()))
            .to_owned();
        let row = self.0.store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await;
        let count = row.and_then(|row: Option<Row>| row.map_or(Ok(0), |row| row.at(0)));
        count.map_err(|error: Error| Fault::from(error))
    }

    async fn seen_by_mailbox(&self) -> Result<Seen, Fault> {
        let select = Query::select()
            .column("mailbox")
            .expr(Func::count(Expr::col("id")))
            .expr(Func::max(Expr::col("received_at")))
            .from("message")
            .group_by_col("mailbox")
            .to_owned();
        let rows = self.0.store.read(move |tx| async move { tx.query(&select).await }.boxed()).await;
        let read = |row: &Row| Ok((row.at(0)?, (row.at(1)?, row.at(2)?)));
        let seen: Result<Seen, Error> = rows.and_then(|rows: Vec<Row>| rows.iter().map(read).collect());
        seen.map_err(Fault::from)
    }

    /// Adds what the watcher and people wrote.
    fn with_watch(
        &self,
        mut view: MailboxView,
        watch: Overview,
        watched: bool,
        alive: Option<Timestamp>,
    ) -> MailboxView {
        if !watched {
            return view;
        }
        (view.watched, view.rescan_since, view.folders) = (true, watch.rescan_since, watch.folders);
        view.state_since = watch.reported_at;
        // What a watcher reports is a sign of life too.
        let silent = alive.max(watch.reported_at).map(|at| self.0.clock.now().duration_since(at));
        view.heartbeat_age_seconds = silent.map(|silent| Ord::max(silent.as_secs(), 0));
        let report = watch.report.as_ref();
        (view.state, view.text) = match report {
            _ if watch.paused => ("paused", "Paused by a person.".to_owned()),
            _ if silent.is_some_and(|silent| silent > SILENT) => {
                let minutes = silent.map_or(0, |silent| silent.as_mins());
                let text =
                    format!("postroom serve is not running: its last sign of life came {minutes} min ago.");
                ("not_running", text)
            }
            None => ("waiting", "Its watcher has not reported yet: is postroom serve running?".to_owned()),
            Some(report) => (state(report.state, report.behind), report.text.clone()),
        };
        let since = watch.reported_at.map(|at| self.0.clock.now().duration_since(at));
        view.lag_seconds = match view.state {
            "healthy" => Some(0),
            _ => since.map(|since| Ord::max(since.as_secs(), 0)),
        };
        if let Some(report) = watch.report {
            (view.behind, view.quirks) = (report.behind, report.quirks);
            view.code = report.code.filter(|_| !watch.paused);
        }
        view
    }
}

/// One that fails tries again by itself, and most often all is well at the next try.
const BRIEF: i64 = 600;

fn is_unread(mailbox: &MailboxView) -> bool {
    match mailbox.state {
        "needs_you" | "not_running" => true,
        "failing" => mailbox.lag_seconds.is_some_and(|lag| lag >= BRIEF),
        _ => false,
    }
}

/// A watcher's state in the words of services. One that was resumed is on its way back, whatever it reported last.
fn state(state: WatchState, behind: u64) -> &'static str {
    match state {
        WatchState::Watching if behind == 0 => "healthy",
        WatchState::Watching => "catching_up",
        WatchState::Connecting | WatchState::Paused => "waiting",
        WatchState::BackingOff => "failing",
        WatchState::Stopped => "needs_you",
    }
}

fn view(mailbox: &Mailbox, seen: Option<&(u64, Option<Timestamp>)>) -> MailboxView {
    let (state, text) = match seen {
        Some(_) => ("healthy", "Mail is sent to us."),
        None => ("waiting", "No mail has come yet."),
    };
    MailboxView {
        name: mailbox.name.clone(),
        addresses: mailbox.addresses.clone(),
        track: match mailbox.track {
            Track::All => "all",
            Track::Replies => "replies",
            Track::Known => "known",
            Track::None => "none",
        },
        on_unmatched: match mailbox.on_unmatched {
            OnUnmatched::Review => "review",
            OnUnmatched::Activity => "activity",
            OnUnmatched::CreateLead => "create_lead",
            OnUnmatched::CreateContact => "create_contact",
            OnUnmatched::Skip => "skip",
        },
        record: mailbox.record.as_ref().map(ToString::to_string),
        state,
        text: text.to_owned(),
        code: None,
        messages: seen.map_or(0, |(count, _)| *count),
        last_received_at: seen.and_then(|(_, last)| *last),
        watched: false,
        behind: 0,
        lag_seconds: None,
        heartbeat_age_seconds: None,
        state_since: None,
        rescan_since: None,
        quirks: Vec::new(),
        folders: Vec::new(),
    }
}
