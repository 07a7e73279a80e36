//! One pass over one folder: opens it, finds out where reading goes on, reads what is new, and retries what failed.
//!
//! Order of durability: a mail is handed over together with the cursor that covers it, and only after the store's `Ok`
//! is it touched on the server. Whatever breaks in between is fetched again, and adds nothing.

use std::sync::Arc;

use bytes::Bytes;
use postroom_core::{Accepted, Clock, Cursor, Fault, Folder, Incoming, Verdict, WatchBook};

use super::super::account::{FolderRule, Start, Touch};
use super::super::client::Client;
use super::super::data::{Fetched, Listed, Standing};
use super::super::error::{Error, Remedy};
use super::super::incoming::{Sighting, fingerprint, incoming};
use super::super::session::{Criterion, Known};
use super::events;
use super::fetch::{self, Got};
use super::ledger::{Anew, Ledger, Opened, settled};
use super::mark::Mark;
use super::memory::{self, Memory};

/// UIDs surveyed at once, at first; more when few of them exist.
const WINDOW: u32 = 256;
const WIDEST: u32 = 1 << 20;
/// A connection that breaks so often at one message breaks because of it.
const SUSPICIOUS: u32 = 3;

/// What ends a pass early.
#[derive(Debug)]
pub enum Trouble {
    Imap(Error),
    Store(Fault),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Imap(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::Store(fault)
    }
}

/// What all folders of a mailbox share.
#[derive(Clone)]
pub struct Desk {
    pub book: Arc<dyn WatchBook>,
    pub clock: Clock,
    /// Where mail is held until it is stored, over all mailboxes.
    pub memory: Arc<Memory>,
    pub max_message: u64,
    pub start: Start,
    /// The server's name without the port.
    pub host: String,
}

/// When a folder turned up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// At the mailbox's first contact.
    WithMailbox,
    /// Later; the mailbox is read since then.
    Late(jiff::Timestamp),
}

/// One watched folder. Outlives connections, so that it learns from those that broke.
pub struct Keeper {
    pub place: Folder,
    pub listed: Listed,
    pub rule: FolderRule,
    /// Where touched mail goes.
    pub target: Option<Listed>,
    /// The store's cursor, as last seen.
    pub known: Option<Cursor>,
    /// Where reading begins while there is no cursor.
    pub begins: Option<Begins>,
    /// Messages up to here are fetched one by one: a batch with one of them broke the connection.
    cautious: u32,
    /// The message at which the connection broke, and how often.
    breaks: (u32, u32),
    /// Whether the mark was compared on this connection.
    compared: bool,
}

/// A folder that was opened and is to be read.
pub struct Pass {
    opened: Opened,
    ledger: Ledger,
}

impl Pass {
    /// Messages that are to be read, at most: UIDs have gaps.
    pub fn behind(&self) -> u64 {
        u64::from((self.opened.uid_next - 1).saturating_sub(self.ledger.uid()))
    }
}

/// A message being handed over.
struct Parcel {
    uid: u32,
    hash: String,
    mail: Incoming,
}

impl Keeper {
    pub fn new(place: Folder, listed: Listed, rule: FolderRule, target: Option<Listed>) -> Self {
        Keeper {
            place,
            listed,
            rule,
            target,
            known: None,
            begins: None,
            cautious: 0,
            breaks: (0, 0),
            compared: false,
        }
    }

    /// A new connection: what the server numbers may have changed.
    pub fn reconnected(&mut self) {
        self.compared = false;
    }

    /// Whether STATUS shows something to do.
    pub fn wants_a_look(&self, standing: Standing, desk: &Desk) -> bool {
        let Some(known) = &self.known else { return true };
        standing.uid_validity != Some(known.uid_validity)
            || standing.uid_next.is_none_or(|next| u64::from(next) != u64::from(known.uid) + 1)
            || self.next_due(desk).is_some_and(|due| due <= desk.clock.now())
    }

    /// When the next message is to be tried again.
    pub fn next_due(&self, desk: &Desk) -> Option<jiff::Timestamp> {
        let now = desk.clock.now();
        self.known.as_ref()?.waiting.iter().filter_map(|waiting| Some(settled(waiting.due?, now))).min()
    }

    /// Opens the folder and finds out where reading goes on.
    pub async fn begin(&mut self, client: &mut Client, desk: &Desk) -> Result<Pass, Trouble> {
        self.known = desk.book.cursor(&self.place).await?;
        let (opened, gone) = self.open(client).await?;
        let ledger = self.resume(client, desk, opened, &gone).await?;
        Ok(Pass { opened, ledger })
    }

    /// Reads everything that is new, and leaves the folder open.
    pub async fn finish(&mut self, client: &mut Client, desk: &Desk, pass: Pass) -> Result<(), Trouble> {
        let Pass { opened, mut ledger } = pass;
        let mut window = WINDOW;
        while ledger.uid() < opened.uid_next - 1 {
            let low = ledger.uid() + 1;
            let high = low.saturating_add(window - 1).min(opened.uid_next - 1);
            let found = client.survey(low, high).await?;
            window = match found.len() {
                0..64 => (window * 2).min(WIDEST),
                64..1024 => window,
                _ => (window / 2).max(1),
            };
            self.read(client, desk, &mut ledger, &found).await?;
            ledger.reached(high);
            if ledger.is_overrun() {
                self.commit(desk, &mut ledger, Vec::new()).await?;
                return Err(Error::Incomplete { command: "UID FETCH", what: "hundreds of messages" }.into());
            }
        }
        // After what is new: an old failure holds nobody up.
        self.retry(client, desk, &mut ledger).await?;
        if ledger.is_ahead() {
            self.commit(desk, &mut ledger, Vec::new()).await?;
        }
        Ok(())
    }

    /// Reads again what arrived since then.
    pub async fn rescan(
        &mut self,
        client: &mut Client,
        desk: &Desk,
        since: jiff::Timestamp,
    ) -> Result<(), Trouble> {
        let Pass { mut ledger, .. } = self.begin(client, desk).await?;
        let mut uids = client.search(Criterion::Since(since)).await?;
        uids.retain(|uid| *uid <= ledger.uid());
        for chunk in uids.chunks(256) {
            let mut found = client.survey_these(chunk).await?;
            found.retain(|message| message.date.is_none_or(|date| date >= since));
            self.read_all(client, desk, &mut ledger, &found).await?;
        }
        if ledger.is_ahead() {
            self.commit(desk, &mut ledger, Vec::new()).await?;
        }
        Ok(())
    }

    /// EXAMINE, so that nothing can change; SELECT only when mail is to be touched.
    /// Answers also which of the messages that the cursor names are gone, when the server tells.
    async fn open(&mut self, client: &mut Client) -> Result<(Opened, Vec<u32>), Error> {
        let known = self.known.as_ref().and_then(named);
        let writing = self.rule.touch != Touch::Nothing;
        let (standing, gone) = client.reopen(&self.listed.wire, writing, known.as_ref()).await?;
        let uid_validity =
            standing.uid_validity.ok_or(Error::Incomplete { command: "EXAMINE", what: "UIDVALIDITY" })?;
        let uid_next = match standing.uid_next {
            Some(next) => next,
            None => {
                client.note("does not tell UIDNEXT");
                uid_next(client, standing, self.known.as_ref()).await?
            }
        };
        Ok((Opened { uid_validity, uid_next: uid_next.max(1), mod_seq: standing.mod_seq }, gone))
    }

    async fn resume(
        &mut self,
        client: &mut Client,
        desk: &Desk,
        opened: Opened,
        gone: &[u32],
    ) -> Result<Ledger, Trouble> {
        let Some(stored) = self.known.clone() else {
            let mut ledger = self.first(client, desk, opened).await?;
            self.commit(desk, &mut ledger, Vec::new()).await?;
            return Ok(ledger);
        };
        let (mut ledger, mut why) = Ledger::resume(stored, opened);
        // What is gone need not be asked for: neither the one at the mark, nor those that failed.
        gone.iter().for_each(|uid| ledger.settled(*uid));
        if ledger.mark().message.as_ref().is_some_and(|(uid, _)| gone.contains(uid)) {
            ledger.forget_message();
        }
        if why.is_none() && !self.compared {
            why = self.compare(client, &mut ledger, opened).await?;
        }
        self.compared = true;
        if let Some(why) = why {
            (self.cautious, self.breaks) = (0, (0, 0));
            events::ReadAnew { mailbox: &self.place.mailbox, folder: &self.place.name, why }.emit();
        }
        Ok(ledger)
    }

    async fn first(&self, client: &mut Client, desk: &Desk, opened: Opened) -> Result<Ledger, Error> {
        if let Some(Begins::Late(since)) = self.begins {
            return Ok(Ledger::late(opened, Some(since).filter(|_| !self.rule.tied)));
        }
        let lowest = match desk.start {
            Start::Now => None,
            Start::Since(since) => client.search(Criterion::Since(since)).await?.first().copied(),
        };
        Ok(Ledger::first(opened, desk.start, lowest, desk.clock.now()))
    }

    /// Whether the message at the mark is still the same one.
    async fn compare(
        &self,
        client: &mut Client,
        ledger: &mut Ledger,
        opened: Opened,
    ) -> Result<Option<Anew>, Error> {
        let Some((uid, hash)) = ledger.mark().message.clone() else { return Ok(None) };
        let head = match client.identity(uid).await {
            Ok(head) => head,
            Err(Error::Refused { .. }) => None,
            Err(error) => return Err(error),
        };
        match head {
            Some(head) if fingerprint(&head) != hash => {
                ledger.begin_anew(opened);
                Ok(Some(Anew::Silent))
            }
            Some(_) => Ok(None),
            None => {
                // Expunged or moved: it says nothing any more.
                ledger.forget_message();
                Ok(None)
            }
        }
    }

    /// Tries again what failed before and is due.
    async fn retry(&mut self, client: &mut Client, desk: &Desk, ledger: &mut Ledger) -> Result<(), Trouble> {
        for uid in ledger.due(desk.clock.now()) {
            // Counted before it is tried: it may be what breaks the connection.
            ledger.failed(uid, "the connection broke while it was read", desk.clock.now());
            self.commit(desk, ledger, Vec::new()).await?;
            let found = match client.survey_these(&[uid]).await {
                Err(Error::Refused { text, .. }) => {
                    self.explain(ledger, uid, &text);
                    continue;
                }
                found => found?,
            };
            let _room = desk.memory.room(fetch::weight(&found, desk.max_message)).await?;
            let (parcels, failed) = self.get(client, desk, ledger.uid_validity(), &found).await?;
            match failed.first() {
                Some((uid, why)) => self.explain(ledger, *uid, why),
                None => {
                    ledger.settled(uid);
                    self.hand_over(client, desk, ledger, parcels, &found).await?;
                }
            }
        }
        Ok(())
    }

    fn explain(&self, ledger: &mut Ledger, uid: u32, why: &str) {
        let given_up = ledger.explain(uid, why);
        self.told_set_aside(uid, why, given_up);
    }

    /// Reads the messages of one survey, those that are wanted.
    async fn read(
        &mut self,
        client: &mut Client,
        desk: &Desk,
        ledger: &mut Ledger,
        found: &[Fetched],
    ) -> Result<(), Trouble> {
        let mut wanted = Vec::with_capacity(found.len());
        for message in found {
            if ledger.mark().passes_over(message.uid, message.date) {
                continue;
            }
            if message.size.is_some_and(|size| size > desk.max_message) {
                let why = fetch::too_large(message.size.unwrap_or(0), desk.max_message);
                ledger.give_up(message.uid, &why);
                self.told_set_aside(message.uid, &why, true);
            } else if self.breaks.0 == message.uid && self.breaks.1 >= SUSPICIOUS {
                let why = "the connection breaks when it is read";
                let given_up = ledger.failed(message.uid, why, desk.clock.now());
                self.told_set_aside(message.uid, why, given_up);
            } else {
                wanted.push(message.clone());
            }
        }
        self.read_all(client, desk, ledger, &wanted).await
    }

    /// In batches; in small ones when there is no room now for a large one.
    async fn read_all(
        &mut self,
        client: &mut Client,
        desk: &Desk,
        ledger: &mut Ledger,
        wanted: &[Fetched],
    ) -> Result<(), Trouble> {
        for batch in fetch::batches(wanted, self.cautious, fetch::LARGEST_BATCH) {
            let most = match desk.memory.has_room(fetch::weight(batch, desk.max_message)) {
                true => fetch::LARGEST_BATCH,
                false => memory::LIGHT,
            };
            for batch in fetch::batches(batch, self.cautious, most) {
                self.read_batch(client, desk, ledger, batch).await?;
            }
        }
        Ok(())
    }

    async fn read_batch(
        &mut self,
        client: &mut Client,
        desk: &Desk,
        ledger: &mut Ledger,
        batch: &[Fetched],
    ) -> Result<(), Trouble> {
        let _room = desk.memory.room(fetch::weight(batch, desk.max_message)).await?;
        let (parcels, failed) = match self.get(client, desk, ledger.uid_validity(), batch).await {
            Ok(got) => got,
            Err(error) => {
                self.learn_from(&error, batch);
                return Err(error.into());
            }
        };
        for message in batch {
            ledger.settled(message.uid);
        }
        for (uid, why) in &failed {
            let given_up = ledger.failed(*uid, why, desk.clock.now());
            self.told_set_aside(*uid, why, given_up);
        }
        self.hand_over(client, desk, ledger, parcels, batch).await
    }

    /// A broken connection makes us careful with what was being read.
    fn learn_from(&mut self, error: &Error, batch: &[Fetched]) {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return };
        if error.remedy() != Remedy::Reconnect {
            return;
        }
        self.cautious = self.cautious.max(last.uid);
        if first.uid == last.uid {
            let times = if self.breaks.0 == first.uid { self.breaks.1 + 1 } else { 1 };
            self.breaks = (first.uid, times);
        }
    }

    async fn get(
        &self,
        client: &mut Client,
        desk: &Desk,
        uid_validity: u32,
        batch: &[Fetched],
    ) -> Result<(Vec<Parcel>, Vec<(u32, String)>), Error> {
        let (mut parcels, mut failed) = (Vec::new(), Vec::new());
        for (uid, got) in fetch::get(client, batch, desk.max_message).await? {
            match got {
                Got::Mail(raw) => parcels.push(self.parcel(desk, uid_validity, uid, raw)),
                Got::Gone => {}
                Got::Bad(why) => failed.push((uid, why)),
            }
        }
        Ok((parcels, failed))
    }

    fn parcel(&self, desk: &Desk, uid_validity: u32, uid: u32, raw: Bytes) -> Parcel {
        let seen = Sighting {
            mailbox: &self.place.mailbox,
            host: &desk.host,
            folder: &self.place.name,
            called: self.rule.folder.configured(),
            uid_validity,
            uid,
            direction: self.rule.direction,
            at: desk.clock.now(),
        };
        Parcel { uid, hash: fingerprint(&raw), mail: incoming(seen, raw) }
    }

    /// Stores the parcels with the cursor that covers their batch, then touches them.
    async fn hand_over(
        &mut self,
        client: &mut Client,
        desk: &Desk,
        ledger: &mut Ledger,
        parcels: Vec<Parcel>,
        batch: &[Fetched],
    ) -> Result<(), Trouble> {
        let uids: Vec<u32> = parcels.iter().map(|parcel| parcel.uid).collect();
        let before = ledger.clone();
        for parcel in &parcels {
            ledger.remember(parcel.uid, parcel.hash.clone());
        }
        if let Some(last) = batch.last() {
            ledger.reached(last.uid);
        }
        if parcels.is_empty() && !ledger.is_ahead() {
            return Ok(());
        }
        let copies: Vec<Incoming> = parcels.iter().map(|parcel| parcel.mail.clone()).collect();
        let accepted = match self.commit(desk, ledger, copies).await {
            Ok(accepted) => accepted,
            Err(fault) if fault.verdict == Verdict::Reject && parcels.len() > 1 => {
                // None of them is stored, so none may be covered.
                *ledger = before;
                return Box::pin(self.hand_over_singly(client, desk, ledger, parcels, batch)).await;
            }
            Err(fault) if fault.verdict == Verdict::Reject && parcels.len() == 1 => {
                ledger.give_up(parcels[0].uid, &fault.message);
                self.told_set_aside(parcels[0].uid, &fault.message, true);
                self.commit(desk, ledger, Vec::new()).await?;
                return Ok(());
            }
            Err(fault) => return Err(fault.into()),
        };
        if !accepted.is_empty() {
            self.told_took(desk, &accepted, batch);
            self.touch(client, &uids).await?;
        }
        Ok(())
    }

    async fn hand_over_singly(
        &mut self,
        client: &mut Client,
        desk: &Desk,
        ledger: &mut Ledger,
        parcels: Vec<Parcel>,
        batch: &[Fetched],
    ) -> Result<(), Trouble> {
        for parcel in parcels {
            let own: Vec<Fetched> =
                batch.iter().filter(|message| message.uid == parcel.uid).cloned().collect();
            self.hand_over(client, desk, ledger, vec![parcel], &own).await?;
        }
        Ok(())
    }

    async fn commit(
        &mut self,
        desk: &Desk,
        ledger: &mut Ledger,
        mails: Vec<Incoming>,
    ) -> Result<Vec<Accepted>, Fault> {
        let cursor = ledger.cursor();
        let accepted = desk.book.take(&self.place, mails, &cursor).await?;
        ledger.is_stored();
        self.known = Some(cursor);
        Ok(accepted)
    }

    async fn touch(&self, client: &mut Client, uids: &[u32]) -> Result<(), Error> {
        let target = self.target.as_ref().map(|target| target.wire.clone()).unwrap_or_default();
        match client.touch(uids, &self.rule.touch, &target).await {
            Err(error) if error.remedy() == Remedy::GoOn => {
                let (mailbox, folder) = (&self.place.mailbox, &self.place.name);
                events::NotTouched { mailbox, folder, error: &error }.emit();
                Ok(())
            }
            result => result,
        }
    }

    fn told_took(&self, desk: &Desk, accepted: &[Accepted], batch: &[Fetched]) {
        let new = accepted.iter().filter(|accepted| accepted.new).count();
        let lag = events::lag(desk.clock.now(), batch.last().and_then(|message| message.date));
        let (mailbox, folder) = (&self.place.mailbox, &self.place.name);
        events::Took { mailbox, folder, new, known: accepted.len() - new, lag }.emit();
    }

    fn told_set_aside(&self, uid: u32, why: &str, given_up: bool) {
        events::SetAside { mailbox: &self.place.mailbox, folder: &self.place.name, uid, why, given_up }
            .emit();
    }
}

/// The messages that a cursor names: the one at its mark, and those that are to be tried again.
fn named(cursor: &Cursor) -> Option<Known> {
    let marked = Mark::parse(cursor.mark.as_deref()).message.map(|(uid, _)| uid);
    let mut uids: Vec<u32> = cursor.waiting.iter().map(|waiting| waiting.uid).chain(marked).collect();
    uids.sort_unstable();
    uids.dedup();
    Some(Known { uid_validity: cursor.uid_validity, mod_seq: cursor.mod_seq.filter(|seq| *seq > 0)?, uids })
}

/// UIDNEXT where the server does not tell: one above the highest there is, and never below what is known.
async fn uid_next(client: &mut Client, standing: Standing, known: Option<&Cursor>) -> Result<u32, Error> {
    if standing.messages == Some(0) {
        // Nothing to count, so nothing tells a server that numbers anew from an empty folder.
        return Ok(known.map_or(0, |known| known.uid) + 1);
    }
    let low = known.map_or(0, |known| known.uid) + 1;
    let highest = client.search(Criterion::From(low)).await?.last().copied();
    Ok(highest.unwrap_or(low - 1).max(low - 1) + 1)
}
