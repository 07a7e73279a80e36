//! The commands we need of RFC 3501 and its extensions, one method each, on a [`Client`].
//!
//! Deliberately absent: ENVELOPE and BODYSTRUCTURE (broken in Domino; the mail itself says it all), EXPUNGE and CLOSE
//! (nothing is ever removed), SEARCH beyond UID and SINCE (poor in Domino). QRESYNC is asked only about the few messages that
//! a cursor names: flags of others are nothing that anybody here wants to know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::Secret;
use tokio::time::timeout;

use super::account::{Auth, Touch};
use super::client::{Client, judge};
use super::command::{Command, lots};
use super::data::{self, Fetched, Listed, Namespaces, Standing};
use super::date;
use super::error::Error;
use super::wire::{Response, Status};

/// Which messages a SEARCH is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    /// Of this UID and above.
    From(u32),
    /// That arrived at this time or later, and some that arrived a day or two before.
    Since(Timestamp),
}

/// What a cursor knows of a folder that is opened again, and of which messages it wants to know whether they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub uid_validity: u32,
    pub mod_seq: u64,
    pub uids: Vec<u32>,
}

/// How many folders are taken note of.
const MOST_FOLDERS: usize = 20_000;

impl Client {
    /// Signs in, in the best way the server offers.
    pub async fn sign_in(&mut self, auth: &Auth) -> Result<(), Error> {
        self.capability().await?;
        let login = auth.login();
        match auth {
            Auth::Token { tokens, .. } => {
                self.demand("AUTH=XOAUTH2")?;
                let token = tokens.token().await?;
                match self.sign_in_with_token(&login, &token).await {
                    // It may have been taken back before its time.
                    Err(Error::SignIn { .. }) if tokens.refused(&token).await => {
                        self.sign_in_with_token(&login, &tokens.token().await?).await?;
                    }
                    signed_in => signed_in?,
                }
            }
            Auth::Password { password, .. } | Auth::Master { password, .. } => {
                self.sign_in_with_password(&login, password).await?;
            }
        }
        // What may be done now can differ from what was offered to strangers.
        self.capabilities.clear();
        self.capability().await
    }

    async fn sign_in_with_token(&mut self, login: &str, token: &Secret) -> Result<(), Error> {
        let answer = format!("user={login}\x01auth=Bearer {}\x01\x01", token.expose());
        self.authenticate("AUTHENTICATE XOAUTH2", &answer).await
    }

    async fn sign_in_with_password(&mut self, login: &str, password: &Secret) -> Result<(), Error> {
        if self.can("AUTH=PLAIN") {
            let answer = format!("\0{login}\0{}", password.expose());
            return self.authenticate("AUTHENTICATE PLAIN", &answer).await;
        }
        if self.can("LOGINDISABLED") {
            return Err(Error::LoginDisabled);
        }
        let command = Command::new("LOGIN").string(login.as_bytes()).string(password.expose().as_bytes());
        self.run("LOGIN", command, &mut |_| ()).await.map(|_| ()).map_err(sign_in_error)
    }

    fn demand(&self, mechanism: &str) -> Result<(), Error> {
        if self.can(mechanism) {
            return Ok(());
        }
        let offered: Vec<&str> =
            self.capabilities().iter().filter_map(|word| word.strip_prefix("AUTH=")).collect();
        Err(Error::NoMechanism {
            offered: if offered.is_empty() { "none".into() } else { offered.join(", ") },
        })
    }

    async fn authenticate(&mut self, command: &'static str, answer: &str) -> Result<(), Error> {
        let tag = self.tag();
        let run = async {
            self.send(command, format!("{tag} {command}\r\n").as_bytes()).await?;
            if let Some(status) = self.until_ready(command, &tag, &mut |_| ()).await? {
                return judge(command, status);
            }
            self.send(command, format!("{}\r\n", STANDARD.encode(answer)).as_bytes()).await?;
            // XOAUTH2 asks once more when it refuses; the empty line of `finish` is the answer it wants.
            self.finish(command, &tag, &mut |_| ()).await
        };
        run.await.map(|_| ()).map_err(sign_in_error)
    }

    /// Tells who we are, where the server wants to know (RFC 2971).
    pub async fn introduce(&mut self) -> Result<(), Error> {
        if self.can("ID") {
            let command = Command::new("ID (\"name\" \"postroom\")");
            let told = self.run("ID", command, &mut |_| ()).await;
            if let Err(Error::Refused { .. }) = told {
                self.note("offers ID and refuses it");
                return Ok(());
            }
            told?;
        }
        Ok(())
    }

    /// Puts QRESYNC in force where it is offered (RFC 7162).
    pub async fn enable(&mut self) -> Result<(), Error> {
        if !self.can("QRESYNC") {
            return Ok(());
        }
        let mut enabled = false;
        let mut on = |response: &Response| {
            if let Response::Data(tokens) = response {
                enabled |= data::enabled(tokens, "QRESYNC");
            }
        };
        match self.run("ENABLE", Command::new("ENABLE QRESYNC"), &mut on).await {
            Ok(_) => self.qresync = enabled,
            Err(Error::Refused { .. }) => self.note("offers QRESYNC and refuses it"),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the server tells which messages vanished when a folder is opened again.
    pub fn resyncs(&self) -> bool {
        self.qresync
    }

    /// The namespaces; empty when the server does not know of any.
    pub async fn namespaces(&mut self) -> Result<Namespaces, Error> {
        let mut found = Namespaces::default();
        if self.can("NAMESPACE") {
            let mut on = |response: &Response| {
                if let Response::Data(tokens) = response
                    && let Some(namespaces) = data::namespaces(tokens)
                {
                    found = namespaces;
                }
            };
            self.run("NAMESPACE", Command::new("NAMESPACE"), &mut on).await?;
        }
        Ok(found)
    }

    /// The folders whose wire name fits `pattern` (`*` and `%` as in RFC 3501 6.3.8), with what they are for where the server
    /// tells (RFC 6154): some do so only when asked.
    pub async fn list(&mut self, pattern: &str) -> Result<Vec<Listed>, Error> {
        let plain = Command::new("LIST").string(b"").string(pattern.as_bytes());
        if !(self.can("SPECIAL-USE") && self.can("LIST-EXTENDED")) {
            return self.list_by(plain).await;
        }
        let asking = Command::new("LIST").string(b"").string(pattern.as_bytes());
        match self.list_by(asking.word("RETURN (SPECIAL-USE)")).await {
            Err(Error::Refused { .. }) => {
                self.note("offers SPECIAL-USE and refuses it");
                self.list_by(plain).await
            }
            listed => listed,
        }
    }

    async fn list_by(&mut self, command: Command) -> Result<Vec<Listed>, Error> {
        let mut folders = Vec::new();
        let mut on = |response: &Response| {
            if let Response::Data(tokens) = response
                && folders.len() < MOST_FOLDERS
            {
                folders.extend(data::listed(tokens));
            }
        };
        self.run("LIST", command, &mut on).await?;
        Ok(folders)
    }

    /// Opens a folder for reading only. `name` is the wire name.
    pub async fn examine(&mut self, name: &[u8]) -> Result<Standing, Error> {
        Ok(self.open("EXAMINE", name, None).await?.0)
    }

    /// Opens a folder so that flags can be set.
    pub async fn select(&mut self, name: &[u8]) -> Result<Standing, Error> {
        Ok(self.open("SELECT", name, None).await?.0)
    }

    /// Opens a folder again, for reading only unless `writing`; answers also which of the known messages are gone, when the
    /// server tells ([`Client::resyncs`]).
    pub async fn reopen(
        &mut self,
        name: &[u8],
        writing: bool,
        known: Option<&Known>,
    ) -> Result<(Standing, Vec<u32>), Error> {
        self.open(if writing { "SELECT" } else { "EXAMINE" }, name, known).await
    }

    async fn open(
        &mut self,
        verb: &'static str,
        name: &[u8],
        known: Option<&Known>,
    ) -> Result<(Standing, Vec<u32>), Error> {
        let (mut standing, mut vanished) = (Standing::default(), Vec::new());
        let mut on = |response: &Response| match response {
            Response::Status(status) => learn(&mut standing, status),
            Response::Data(tokens) => {
                if let Some((count, "EXISTS")) = data::change(tokens) {
                    standing.messages = Some(count);
                }
                vanished.extend(data::vanished(tokens).into_iter().flatten());
            }
            _ => {}
        };
        let command = Command::new(verb).string(name);
        let known = known.filter(|known| self.qresync && !known.uids.is_empty());
        let command = match known {
            Some(known) => command.resync(known.uid_validity, known.mod_seq, &known.uids),
            None if self.can("CONDSTORE") => command.word("(CONDSTORE)"),
            None => command,
        };
        let status = self.run(verb, command, &mut on).await?;
        learn(&mut standing, &status);
        self.news = false;
        let is_gone = |uid: &u32| vanished.iter().any(|(low, high)| (low..=high).contains(&uid));
        // Counted anew, the UIDs are other messages'.
        let known = known.filter(|known| standing.uid_validity == Some(known.uid_validity));
        let gone = known.map(|known| known.uids.iter().copied().filter(is_gone).collect());
        Ok((standing, gone.unwrap_or_default()))
    }

    /// Asks about a folder that is not open.
    pub async fn status(&mut self, name: &[u8]) -> Result<Standing, Error> {
        let mut standing = None;
        let mut on = |response: &Response| {
            if let Response::Data(tokens) = response {
                standing = data::status(tokens).or(standing);
            }
        };
        let command = Command::new("STATUS").string(name).word("(UIDVALIDITY UIDNEXT MESSAGES)");
        self.run("STATUS", command, &mut on).await?;
        standing.ok_or(Error::Incomplete { command: "STATUS", what: "a status" })
    }

    /// The UIDs that fit, in rising order. Folders answer this one from their index.
    pub async fn search(&mut self, criterion: Criterion) -> Result<Vec<u32>, Error> {
        let mut found = Vec::new();
        let mut on = |response: &Response| {
            if let Response::Data(tokens) = response {
                found.extend(data::search(tokens).into_iter().flatten());
            }
        };
        let command = match criterion {
            Criterion::From(low) => Command::new("UID SEARCH UID").range(low, u32::MAX),
            Criterion::Since(time) => Command::new("UID SEARCH SINCE").string(date::since(time).as_bytes()),
        };
        self.run("UID SEARCH", command, &mut on).await?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Date and size of each message between two UIDs, in rising order.
    pub async fn survey(&mut self, low: u32, high: u32) -> Result<Vec<Fetched>, Error> {
        let command = Command::new("UID FETCH").range(low, high).word("(UID INTERNALDATE RFC822.SIZE)");
        let mut found = self.fetch(command).await?;
        // `n:*` answers with the last message even when its UID is below n; others volunteer what was not asked for.
        found.retain(|message| (low..=high).contains(&message.uid));
        Ok(found)
    }

    /// The same for UIDs one by one.
    pub async fn survey_these(&mut self, uids: &[u32]) -> Result<Vec<Fetched>, Error> {
        self.fetch_these(uids, "(UID INTERNALDATE RFC822.SIZE)").await
    }

    /// Whole messages. One that is gone is missing from the answer; one without a body has none.
    pub async fn bodies(&mut self, uids: &[u32]) -> Result<Vec<Fetched>, Error> {
        self.fetch_these(uids, "(UID BODY.PEEK[])").await
    }

    /// A part of a message by bytes. `None` when the message is gone, or the server sent no body.
    pub async fn part(&mut self, uid: u32, offset: u64, length: u64) -> Result<Option<Bytes>, Error> {
        let command = Command::new("UID FETCH").number(uid.into()).part(offset, length);
        let found = self.fetch(command).await?;
        Ok(found.into_iter().filter(|message| message.uid == uid).find_map(|message| message.body))
    }

    /// The header fields that name a message. `None` when it is gone.
    pub async fn identity(&mut self, uid: u32) -> Result<Option<Bytes>, Error> {
        let words = "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM)])";
        let found = self.fetch(Command::new("UID FETCH").number(uid.into()).word(words)).await?;
        Ok(found.into_iter().filter(|message| message.uid == uid).find_map(|message| message.body))
    }

    async fn fetch_these(&mut self, uids: &[u32], words: &'static str) -> Result<Vec<Fetched>, Error> {
        let mut all = Vec::new();
        for lot in lots(uids) {
            let found = self.fetch(Command::new("UID FETCH").uids(lot).word(words)).await?;
            // Some volunteer what was not asked for.
            all.extend(found.into_iter().filter(|message| lot.contains(&message.uid)));
        }
        Ok(all)
    }

    async fn fetch(&mut self, command: Command) -> Result<Vec<Fetched>, Error> {
        let mut found: Vec<Fetched> = Vec::new();
        let mut on = |response: &Response| {
            if let Response::Data(tokens) = response {
                found.extend(data::fetched(tokens));
            }
        };
        self.run("UID FETCH", command, &mut on).await?;
        if !found.is_sorted_by_key(|message| message.uid) {
            self.note("answers FETCH out of order");
        }
        // An item may come twice, the second time with flags only.
        found.sort_by_key(|message| (message.uid, message.body.is_none(), message.size.is_none()));
        found.dedup_by_key(|message| message.uid);
        Ok(found)
    }

    /// Asks for nothing, so that the server can tell what is new.
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.run("NOOP", Command::new("NOOP"), &mut |_| ()).await.map(|_| ())
    }

    /// Marks messages of the selected folder as read, or moves them to `target` (a wire name).
    pub async fn touch(&mut self, uids: &[u32], touch: &Touch, target: &[u8]) -> Result<(), Error> {
        for lot in lots(uids) {
            let store = |flags| Command::new("UID STORE").uids(lot).word(flags);
            match touch {
                Touch::Nothing => {}
                Touch::MarkSeen => {
                    self.run("UID STORE", store("+FLAGS.SILENT (\\Seen)"), &mut |_| ()).await?;
                }
                Touch::Move(_) if self.can("MOVE") => {
                    let command = Command::new("UID MOVE").uids(lot).string(target);
                    self.run("UID MOVE", command, &mut |_| ()).await?;
                }
                Touch::Move(_) => {
                    let command = Command::new("UID COPY").uids(lot).string(target);
                    self.run("UID COPY", command, &mut |_| ()).await?;
                    self.run("UID STORE", store("+FLAGS.SILENT (\\Deleted)"), &mut |_| ()).await?;
                }
            }
        }
        Ok(())
    }

    /// Adds a mail to a folder, as read. The UID when the server tells it (RFC 4315).
    pub async fn append(&mut self, folder: &[u8], raw: Bytes) -> Result<Option<u32>, Error> {
        let command = Command::new("APPEND").string(folder).word("(\\Seen)").mail(raw);
        let status = self.run("APPEND", command, &mut |_| ()).await?;
        let uid = (status.code_name() == "APPENDUID").then(|| status.code.get(2)?.parse().ok());
        Ok(uid.flatten())
    }

    /// Begins to wait for news (RFC 2177). True when the server waits with us.
    pub async fn start_idle(&mut self) -> Result<bool, Error> {
        self.rest();
        let tag = self.tag();
        self.send("IDLE", format!("{tag} IDLE\r\n").as_bytes()).await?;
        match self.until_ready("IDLE", &tag, &mut |_| ()).await? {
            None => self.idling = Some(tag),
            Some(_) => self.note("offers IDLE and refuses it"),
        }
        Ok(self.idling.is_some())
    }

    /// Returns when the server tells of a change in the open folder. May be dropped and called again.
    pub async fn news(&mut self) -> Result<(), Error> {
        while !self.news {
            if let Response::Status(Status { tag: Some(_), .. }) = self.response().await? {
                // The server ended IDLE by itself; look, then begin again.
                self.idling = None;
                self.news = true;
            }
        }
        Ok(())
    }

    /// Ends the wait.
    pub async fn end_idle(&mut self) -> Result<(), Error> {
        if let Some(tag) = self.idling.take() {
            self.send("IDLE", b"DONE\r\n").await?;
            self.finish("IDLE", &tag, &mut |_| ()).await?;
        }
        Ok(())
    }

    /// Takes leave, without insisting on an answer.
    pub async fn log_out(mut self) {
        let farewell = async {
            self.end_idle().await?;
            self.run("LOGOUT", Command::new("LOGOUT"), &mut |_| ()).await
        };
        // The connection is dropped either way.
        let _ = timeout(std::time::Duration::from_secs(2), farewell).await;
    }
}

fn learn(standing: &mut Standing, status: &Status) {
    for name in ["UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"] {
        if let Some(number) = status.code_number(name) {
            standing.learn(name, Some(number));
        }
    }
}

/// RFC 5530 tells a refusal of the person from a trouble of the server; older servers say it in words.
fn sign_in_error(error: Error) -> Error {
    let Error::Refused { text, .. } = error else { return error };
    let words = text.to_ascii_lowercase();
    let passing = ["too many", "temporar", "try again", "maximum number", "internal error", "unavailable"];
    match passing.iter().any(|hint| words.contains(hint)) {
        true => Error::Busy { text },
        false => Error::SignIn { text },
    }
}
