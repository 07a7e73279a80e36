//! One mailbox: connects, looks at its folders, waits for news, and starts again when something breaks. Nothing of it is
//! shared with other mailboxes but the server's seats and the memory for mail.

use std::sync::Arc;
use std::time::Duration;

use postroom_core::{Orders, WatchReport, WatchState};
use tokio::time::{Instant, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::account::Watched;
use super::super::client::Client;
use super::super::dial::Dialer;
use super::super::error::{Error, Remedy};
use super::Options;
use super::events;
use super::folder::{Desk, Keeper, Trouble};
use super::gate::{Login, Server};
use super::pause::Failures;
use super::report::{Unfinished, traits};

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
    pub(super) watched: Watched,
    pub(super) options: Arc<Options>,
    pub(super) desk: Desk,
    dialer: Dialer,
    server: Arc<Server>,
    pub(super) login: Arc<Login>,
    stop: CancellationToken,
    pub(super) keepers: Vec<Keeper>,
    /// Folders that are not there, one sentence each.
    pub(super) missing: Vec<Error>,
    /// The folder for sent mail is not there, which is no failure; but it may come.
    pub(super) lacks_sent: bool,
    /// Folders that could not be read in the last pass.
    pub(super) troubles: Vec<Error>,
    pub(super) unfinished: Option<Unfinished>,
    pub(super) failures: Failures,
    /// Messages that the pass under way, or the one that failed, still has to read.
    pub(super) behind: u64,
    pub(super) reported: Option<WatchReport>,
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
        let (poll, login) = (options.poll, server.login(&watched.account.auth));
        Mailbox {
            watched,
            options,
            desk,
            dialer,
            server,
            login,
            stop,
            keepers: Vec::new(),
            missing: Vec::new(),
            lacks_sent: false,
            troubles: Vec::new(),
            unfinished: None,
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
        self.may_try()?;
        let server = self.server.clone();
        let closed = || Trouble::Imap(Error::Busy { text: "the gate was closed".into() });
        let _seat = server.seats.acquire().await.map_err(|_| closed())?;
        let mut client = {
            let _door = server.doors.acquire().await.map_err(|_| closed())?;
            self.may_try()?;
            self.sign_in().await?
        };
        self.resolve(&mut client).await?;
        let parted = self.stay(&mut client).await?;
        client.log_out().await;
        Ok(parted)
    }

    /// The server refused this login to whoever tried last: nobody tries again before its time.
    fn may_try(&self) -> Result<(), Error> {
        self.login.barred().map_or(Ok(()), |text| Err(Error::SignIn { text }))
    }

    async fn sign_in(&self) -> Result<Client, Error> {
        let account = &self.watched.account;
        let mut client = Client::connect(account, &self.dialer, self.options.patience).await?;
        {
            let turn = match self.login.is_good() {
                true => None,
                false => Some(self.login.turn.lock().await),
            };
            self.may_try()?;
            // Whoever was first got in: all others need not queue.
            let _turn = turn.filter(|_| !self.login.is_good());
            match client.sign_in(&account.auth).await {
                Err(error) if error.remedy() == Remedy::SignIn => {
                    let text = match &error {
                        Error::SignIn { text } => text.clone(),
                        other => other.sentence(),
                    };
                    self.login.refused(&text, &self.options.pauses);
                    return Err(error);
                }
                signed_in => signed_in?,
            }
            self.login.accepted();
        }
        client.introduce().await?;
        client.enable().await?;
        let server = account.server();
        events::Connected { mailbox: &self.watched.name, server: &server }.emit();
        Ok(client)
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
                if wake != Wake::News && (self.lacks_sent || !self.missing.is_empty()) {
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
        let before = self.unfinished.take();
        let Some((order, since)) = &orders.rescan else { return Ok(()) };
        if before.as_ref().is_some_and(|before| before.order == *order && Instant::now() < before.again) {
            self.unfinished = before;
            return Ok(());
        }
        for index in (0..self.keepers.len()).rev() {
            match self.keepers[index].rescan(client, &self.desk, *since).await {
                Err(Trouble::Imap(error)) if error.remedy() == Remedy::GoOn => {
                    events::FolderFailed { mailbox: &self.watched.name, error: &error }.emit();
                    let again = Instant::now() + self.options.look;
                    self.unfinished = Some(Unfinished { order: order.clone(), again, error });
                }
                rescanned => rescanned?,
            }
        }
        if self.unfinished.is_none() {
            self.desk.book.done(&self.watched.name, order).await?;
        }
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
        if let Some(unfinished) = &self.unfinished {
            end = end.min(unfinished.again);
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
                    if self.orders().await.is_some_and(|orders| self.asks_for_more(before, orders)) {
                        return Ok(Wake::Orders);
                    }
                }
            }
        }
    }

    /// Whether people want something else than before; a rescan that is to be tried again is nothing new.
    fn asks_for_more(&self, before: &Orders, mut now: Orders) -> bool {
        let known = self.unfinished.as_ref().map(|unfinished| &unfinished.order);
        now.rescan = now.rescan.filter(|(order, _)| Some(order) != known);
        now != Orders { rescan: None, ..before.clone() }
    }
}
