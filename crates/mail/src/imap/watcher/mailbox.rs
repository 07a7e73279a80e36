//! One mailbox: connects, looks at its folders, waits for news, and starts again when something breaks. Nothing of it is
//! shared with other mailboxes but the server's seats and the memory for mail.

use std::sync::Arc;
use std::time::Duration;

use postroom_core::{Folder, Orders, WatchReport, WatchState};
use tokio::time::{Instant, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::account::{FolderName, Touch, Watched};
use super::super::client::Client;
use super::super::dial::Dialer;
use super::super::error::{Error, Remedy};
use super::super::folders::Tree;
use super::Options;
use super::events;
use super::folder::{Desk, Keeper, Trouble};
use super::gate::Server;
use super::pause::Failures;

/// So many messages take a while, and are told of before they are read.
const WORTH_A_WORD: u64 = 100;

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// The open folder changed.
    News,
    /// Time to ask for all folders.
    Poll,
    /// People want something else now.
    Orders,
    Stop,
}

/// Why a connection was given up in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parted {
    Paused,
    /// Others wait for the seat.
    Seat,
    Stopped,
}

/// The task of one mailbox.
pub struct Mailbox {
    watched: Watched,
    options: Arc<Options>,
    desk: Desk,
    dialer: Dialer,
    server: Arc<Server>,
    stop: CancellationToken,
    keepers: Vec<Keeper>,
    /// Folders that are not there, one sentence each.
    missing: Vec<Error>,
    /// Folders that could not be read in the last pass.
    troubles: Vec<Error>,
    failures: Failures,
    /// Messages that the pass under way, or the one that failed, still has to read.
    behind: u64,
    reported: Option<WatchReport>,
    poll: Duration,
}

impl Mailbox {
    pub fn new(
        watched: Watched,
        options: Arc<Options>,
        desk: Desk,
        dialer: Dialer,
        server: Arc<Server>,
        stop: CancellationToken,
    ) -> Self {
        let poll = options.poll;
        Mailbox {
            watched,
            options,
            desk,
            dialer,
            server,
            stop,
            keepers: Vec::new(),
            missing: Vec::new(),
            troubles: Vec::new(),
            failures: Failures::default(),
            behind: 0,
            reported: None,
            poll,
        }
    }

    /// Runs until stopped.
    pub async fn run(mut self) {
        let stop = self.stop.clone();
        // A command under way is simply dropped: the store knows what was taken.
        stop.run_until_cancelled(self.watch()).await;
    }

    async fn watch(&mut self) {
        while !self.stop.is_cancelled() {
            let pause = match self.visit().await {
                Ok(Parted::Stopped) => return,
                Ok(Parted::Paused) => self.options.orders,
                Ok(Parted::Seat) => self.poll,
                Err(trouble) => self.failed(trouble).await,
            };
            self.rest(pause).await;
        }
    }

    /// Waits; new orders cut it short.
    async fn rest(&mut self, pause: Duration) {
        let end = Instant::now() + pause;
        let before = self.orders().await;
        while Instant::now() < end {
            sleep_until(end.min(Instant::now() + self.options.orders)).await;
            if self.orders().await != before {
                return;
            }
        }
    }

    /// What people want; when the store cannot tell, as little as before.
    async fn orders(&self) -> Option<Orders> {
        self.desk.book.orders(&self.watched.name).await.ok()
    }

    /// One connection from sign-in to its end.
    async fn visit(&mut self) -> Result<Parted, Trouble> {
        if self.desk.book.orders(&self.watched.name).await?.paused {
            self.report(WatchState::Paused, "Paused by a person".into(), None, Vec::new()).await;
            return Ok(Parted::Paused);
        }
        if self.reported.is_none() {
            self.report(WatchState::Connecting, "Waits for its turn to connect".into(), None, Vec::new())
                .await;
        }
        let server = self.server.clone();
        let closed = || Trouble::Imap(Error::Busy { text: "the gate was closed".into() });
        let _seat = server.seats.acquire().await.map_err(|_| closed())?;
        let mut client = {
            let _door = server.doors.acquire().await.map_err(|_| closed())?;
            self.sign_in().await?
        };
        self.resolve(&mut client).await?;
        let parted = self.stay(&mut client).await?;
        client.log_out().await;
        Ok(parted)
    }

    async fn sign_in(&self) -> Result<Client, Error> {
        let account = &self.watched.account;
        let mut client = Client::connect(account, &self.dialer, self.options.patience).await?;
        client.sign_in(&account.auth).await?;
        client.introduce().await?;
        client.enable().await?;
        let server = account.server();
        events::Connected { mailbox: &self.watched.name, server: &server }.emit();
        Ok(client)
    }

    /// Finds the folders; what was known of them stays known.
    async fn resolve(&mut self, client: &mut Client) -> Result<(), Error> {
        let tree = Tree::read(client, &self.watched.account).await?;
        let mut keepers: Vec<Keeper> = Vec::new();
        self.missing.clear();
        for rule in &self.watched.folders {
            let target = match &rule.touch {
                Touch::Move(name) => Some(tree.find(name)),
                Touch::Nothing | Touch::MarkSeen => None,
            };
            let found = tree.find(&rule.folder).and_then(|listed| Ok((listed, target.transpose()?)));
            match found {
                Ok((listed, target)) if keepers.iter().all(|keeper| keeper.listed.wire != listed.wire) => {
                    let place = Folder {
                        mailbox: self.watched.name.clone(),
                        server: self.watched.account.server(),
                        name: listed.name.clone(),
                    };
                    let known = self.keepers.iter().position(|keeper| keeper.place == place);
                    let mut keeper = match known {
                        Some(index) => self.keepers.swap_remove(index),
                        None => Keeper::new(place, listed.clone(), rule.clone(), None),
                    };
                    (keeper.listed, keeper.target) = (listed.clone(), target.cloned());
                    keeper.reconnected();
                    keepers.push(keeper);
                }
                Ok(_) => {}
                // A mailbox that has sent nothing yet may have no such folder; `probe` says so.
                Err(_) if rule.folder == FolderName::Sent && rule.touch == Touch::Nothing => {}
                Err(error) => {
                    events::FolderFailed { mailbox: &self.watched.name, error: &error }.emit();
                    self.missing.push(error);
                }
            }
        }
        self.keepers = keepers;
        match self.keepers.is_empty() {
            true => Err(self.missing.pop().unwrap_or(Error::NoFolder {
                name: "to watch".into(),
                present: "no folder that is configured".into(),
            })),
            false => Ok(()),
        }
    }

    /// Looks and waits, as long as the connection holds.
    async fn stay(&mut self, client: &mut Client) -> Result<Parted, Trouble> {
        let mut next_look = Instant::now();
        let mut wake = Wake::Poll;
        loop {
            let orders = self.desk.book.orders(&self.watched.name).await?;
            if orders.paused {
                self.report(WatchState::Paused, "Paused by a person".into(), None, Vec::new()).await;
                return Ok(Parted::Paused);
            }
            self.troubles.clear();
            if Instant::now() >= next_look {
                if wake != Wake::News && !self.missing.is_empty() {
                    self.resolve(client).await?;
                }
                self.look_at_all(client).await?;
                next_look = Instant::now() + self.options.look;
            } else {
                self.look_where_needed(client, wake).await?;
            }
            self.rescan(client, &orders).await?;
            self.failures.forget();
            self.all_is_well(client).await;
            if !self.server.keep {
                return Ok(Parted::Seat);
            }
            wake = self.wait(client, next_look, &orders).await?;
            if wake == Wake::Stop {
                return Ok(Parted::Stopped);
            }
        }
    }

    /// All folders, the first one last: it stays open while we wait.
    async fn look_at_all(&mut self, client: &mut Client) -> Result<(), Trouble> {
        for index in (0..self.keepers.len()).rev() {
            self.look(client, index).await?;
        }
        Ok(())
    }

    async fn look_where_needed(&mut self, client: &mut Client, wake: Wake) -> Result<(), Trouble> {
        let (mut opened_another, mut any) = (false, wake == Wake::News);
        if wake != Wake::News {
            for index in 1..self.keepers.len() {
                let wanted = match client.status(&self.keepers[index].listed.wire).await {
                    Ok(standing) => self.keepers[index].wants_a_look(standing, &self.desk),
                    Err(Error::Refused { .. } | Error::Incomplete { .. }) => true,
                    Err(error) => return Err(error.into()),
                };
                if wanted {
                    self.look(client, index).await?;
                    (opened_another, any) = (true, true);
                }
            }
        }
        let waits = client.can("IDLE");
        if !waits || opened_another || client.news || self.is_due(0) {
            let before = self.keepers.first().and_then(|keeper| keeper.known.clone());
            self.look(client, 0).await?;
            any |= before != self.keepers.first().and_then(|keeper| keeper.known.clone());
        }
        // Busy folders are asked more often than quiet ones.
        self.poll =
            if any { self.options.poll } else { self.poll.mul_f64(1.5).min(self.options.poll_longest) };
        Ok(())
    }

    fn is_due(&self, index: usize) -> bool {
        let due = self.keepers.get(index).and_then(|keeper| keeper.next_due(&self.desk));
        due.is_some_and(|due| due <= self.desk.clock.now())
    }

    /// Looks at one folder. What only concerns this folder does not hold up the others.
    async fn look(&mut self, client: &mut Client, index: usize) -> Result<(), Trouble> {
        let pass = match self.keepers[index].begin(client, &self.desk).await {
            Ok(pass) => pass,
            Err(trouble) => return self.tolerate(Err(trouble)),
        };
        self.behind = pass.behind();
        if self.behind > WORTH_A_WORD {
            let text = format!("Reads {}", self.keepers[index].place.name);
            self.report(WatchState::Watching, text, None, traits(client)).await;
        }
        let looked = self.keepers[index].finish(client, &self.desk, pass).await;
        if looked.is_ok() {
            self.behind = 0;
        }
        self.tolerate(looked)
    }

    fn tolerate(&mut self, looked: Result<(), Trouble>) -> Result<(), Trouble> {
        match looked {
            Err(Trouble::Imap(error)) if error.remedy() == Remedy::GoOn => {
                events::FolderFailed { mailbox: &self.watched.name, error: &error }.emit();
                self.troubles.push(error);
                Ok(())
            }
            looked => looked,
        }
    }

    async fn rescan(&mut self, client: &mut Client, orders: &Orders) -> Result<(), Trouble> {
        let Some((order, since)) = &orders.rescan else { return Ok(()) };
        for index in (0..self.keepers.len()).rev() {
            let done = self.keepers[index].rescan(client, &self.desk, *since).await;
            self.tolerate(done)?;
        }
        self.desk.book.done(&self.watched.name, order).await?;
        Ok(())
    }

    /// Waits for news, by IDLE where the server has it.
    async fn wait(&mut self, client: &mut Client, next_look: Instant, now: &Orders) -> Result<Wake, Trouble> {
        let others = self.keepers.len() > 1 || !client.can("IDLE");
        let mut end = next_look.min(Instant::now() + self.options.idle);
        if others {
            end = end.min(Instant::now() + self.poll);
        }
        let due = self.keepers.iter().filter_map(|keeper| keeper.next_due(&self.desk)).min();
        if let Some(left) =
            due.and_then(|due| Duration::try_from(due.duration_since(self.desk.clock.now())).ok())
        {
            end = end.min(Instant::now() + left);
        }
        if client.news {
            return Ok(Wake::News);
        }
        let idles = client.can("IDLE") && client.start_idle().await?;
        let wake = self.wait_until(client, end, idles, now).await?;
        client.end_idle().await?;
        Ok(if client.news { Wake::News } else { wake })
    }

    async fn wait_until(
        &mut self,
        client: &mut Client,
        end: Instant,
        idles: bool,
        before: &Orders,
    ) -> Result<Wake, Trouble> {
        let mut ask = interval(self.options.orders);
        ask.reset();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Ok(Wake::Stop),
                () = sleep_until(end) => return Ok(Wake::Poll),
                news = client.news(), if idles => {
                    news?;
                    return Ok(Wake::News);
                }
                _ = ask.tick() => {
                    let asked = Orders { rescan: None, ..before.clone() };
                    if self.orders().await.is_some_and(|orders| orders != asked) {
                        return Ok(Wake::Orders);
                    }
                }
            }
        }
    }

    async fn all_is_well(&mut self, client: &Client) {
        events::CaughtUp { mailbox: &self.watched.name }.emit();
        let names: Vec<&str> = self.keepers.iter().map(|keeper| keeper.place.name.as_str()).collect();
        let mut text = format!("Watches {}", names.join(" and "));
        let waiting: usize =
            self.keepers.iter().filter_map(|keeper| Some(keeper.known.as_ref()?.waiting.len())).sum();
        if waiting > 0 {
            text.push_str(&format!("; {waiting} messages could not be read"));
        }
        for error in self.missing.iter().chain(&self.troubles) {
            text.push_str(&format!("; {}", error.sentence()));
        }
        let code = self.missing.iter().chain(&self.troubles).next().map(|error| error.code().to_string());
        self.report(WatchState::Watching, text, code, traits(client)).await;
    }

    /// Reports a failure; says how long to wait.
    async fn failed(&mut self, trouble: Trouble) -> Duration {
        let (name, pauses) = (self.watched.name.clone(), &self.options.pauses);
        let (state, text, code, pause) = match trouble {
            Trouble::Imap(error) => {
                let remedy = error.remedy();
                let pause = self.failures.after(remedy, pauses, &name);
                let stopped = remedy == Remedy::Person || self.failures.needs_a_person(pauses);
                events::Failed { mailbox: &name, error: &error, pause }.emit();
                let state = if stopped { WatchState::Stopped } else { WatchState::BackingOff };
                (state, error.sentence(), error.code(), pause)
            }
            Trouble::Store(fault) => {
                let pause = self.failures.after(Remedy::Reconnect, pauses, &name);
                events::NotStored { mailbox: &name, fault: &fault, pause }.emit();
                (WatchState::BackingOff, fault.message, fault.code, pause)
            }
        };
        let quirks = self.reported.as_ref().map(|report| report.quirks.clone()).unwrap_or_default();
        self.report(state, text, Some(code.to_string()), quirks).await;
        pause
    }

    /// Writes a report that differs from the last one.
    async fn report(&mut self, state: WatchState, text: String, code: Option<String>, quirks: Vec<String>) {
        let report = WatchReport { state, text, code, behind: self.behind, quirks };
        if self.reported.as_ref() != Some(&report)
            && self.desk.book.report(&self.watched.name, &report).await.is_ok()
        {
            self.reported = Some(report);
        }
    }
}

/// What a person wants to know of a server: what it can, and what is odd.
fn traits(client: &Client) -> Vec<String> {
    const USED: [&str; 7] = ["IDLE", "CONDSTORE", "QRESYNC", "MOVE", "UIDPLUS", "SPECIAL-USE", "NAMESPACE"];
    let missing = USED.iter().filter(|word| !client.can(word)).map(|word| format!("no {word}"));
    missing.chain(client.quirks().iter().map(|quirk| (*quirk).to_owned())).collect()
}
