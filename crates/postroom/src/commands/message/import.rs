//! `postroom message import`: mbox, Maildir, .eml files and stdin into the store, then filed.
//!
//! Restartable: what is stored already is known by its identity, so a repeat adds nothing and goes through at reading
//! speed. Mail in a Maildir's or IMAP dump's Sent folder counts as outgoing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use postroom_core::mail::Direction;
use postroom_core::{Accepted, Code, Envelope, Fault, MailId, MailState, Verdict};
use postroom_formats::mbox::{self, Mbox, Quoting};
use postroom_operations::{Operations, Posted};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::ImportArgs;
use crate::commands::actor;
use crate::report::{CliError, Exit, Output, Progress};

/// Mails on their way into the store at once: they share commits.
const IN_FLIGHT: usize = 64;
/// Bytes of mail on their way at once.
const IN_FLIGHT_BYTES: usize = 32 * 1024 * 1024;
/// A single mail larger than this is reported and left out.
const LARGEST: usize = 64 * 1024 * 1024;
const KIB: u64 = 1024;
/// How long another process' filing is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(50);

/// What became of one mail; `None` in a dry run.
type Answer = Result<Option<Accepted>, Fault>;

/// What an import did.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    pub read: u64,
    pub new: u64,
    pub known: u64,
    pub failed: u64,
    pub dry_run: bool,
    /// Where the messages of this import stand, by state.
    #[serde(flatten)]
    pub states: BTreeMap<MailState, u64>,
}

pub async fn run(app: &App, arguments: &ImportArgs, out: &mut Output) -> Result<Exit, CliError> {
    if let Some(mailbox) = &arguments.mailbox {
        app.operations.knows_mailbox(mailbox)?;
    }
    let mut problems = Vec::new();
    let files = gather(&arguments.paths, &mut problems)?;
    let total = total(&files);
    let mut import = Import {
        app,
        mailbox: arguments.mailbox.clone(),
        quoting: arguments.mbox_quoting.into(),
        dry_run: arguments.dry_run.dry_run,
        counts: Counts {
            dry_run: arguments.dry_run.dry_run,
            failed: problems.len() as u64,
            ..Counts::default()
        },
        progress: Progress::start(out.style(), "KiB of mail", total.map(|bytes| bytes / KIB)),
        read: Arc::default(),
        told: 0,
        problems,
        ids: Vec::new(),
    };
    // Filing begins while the rest is still being read.
    let (runner, stop) = (app.runner(), CancellationToken::new());
    let filing = (!import.dry_run).then(|| tokio::spawn(runner.run(stop.clone())));
    for file in &files {
        match import.file(file).await {
            // A Maildir that is in use renames its files; the next run meets them under the new name.
            Err(error) if error.code == Code::MAIL_SOURCE => import.fail(error.what),
            done => done?,
        }
    }
    let Import { mut counts, progress, problems, mut ids, .. } = import;
    ids.sort_unstable();
    ids.dedup();
    progress.finish();
    if let Some(filing) = filing {
        stop.cancel();
        filing.await.map_err(|error| Fault::bug(error.to_string()))?.map_err(Fault::from)?;
        counts.states = settled(app, &ids).await?;
    }
    for problem in &problems {
        out.note(problem)?;
    }
    out.item(&counts)?;
    Ok(if counts.failed > 0 { Exit::PartlyDone } else { Exit::Done })
}

/// Files what was handed in, and answers where it stands. A server on the same data may be filing some of it at this very
/// moment: its work is waited for, but not for ever, as mail that is to be tried again later may be among it.
async fn settled(app: &App, ids: &[MailId]) -> Result<BTreeMap<MailState, u64>, Fault> {
    let started = Instant::now();
    loop {
        app.runner().drain_due().await.map_err(Fault::from)?;
        let states = app.operations.message_states(&actor(), ids).await?;
        let open = states.contains_key(&MailState::Received) || states.contains_key(&MailState::Parsed);
        if !open || started.elapsed() > PATIENCE {
            return Ok(states);
        }
        tokio::time::sleep(LOOK).await;
    }
}

struct Import<'a> {
    app: &'a App,
    mailbox: Option<String>,
    quoting: Quoting,
    dry_run: bool,
    counts: Counts,
    progress: Progress,
    /// Bytes read from the files so far, and how many KiB of them the progress knows.
    read: Arc<AtomicU64>,
    told: u64,
    problems: Vec<String>,
    ids: Vec<MailId>,
}

impl Import<'_> {
    async fn file(&mut self, path: &Path) -> Result<(), CliError> {
        let source: Box<dyn Read> = match path.as_os_str() == "-" {
            true => Box::new(std::io::stdin()),
            false => Box::new(File::open(path).map_err(|error| unreadable(path, &error))?),
        };
        let mut reader = Counted { source, read: self.read.clone() };
        let mut head = vec![0; 4096];
        let filled = fill(&mut reader, &mut head).map_err(|error| unreadable(path, &error))?;
        head.truncate(filled);
        let is_mbox = mbox::is_mbox(&head);
        let whole = BufReader::with_capacity(256 * 1024, std::io::Cursor::new(head).chain(reader));
        match is_mbox {
            true => self.mbox(path, whole).await,
            false => self.single(path, whole).await,
        }
    }

    async fn single(&mut self, path: &Path, reader: impl Read) -> Result<(), CliError> {
        let mut raw = Vec::new();
        reader.take(LARGEST as u64 + 1).read_to_end(&mut raw).map_err(|error| unreadable(path, &error))?;
        if raw.len() > LARGEST {
            self.fail(format!("{}: larger than {LARGEST} bytes, left out", path.display()));
            return Ok(());
        }
        if raw.is_empty() {
            self.fail(format!("{}: empty, left out", path.display()));
            return Ok(());
        }
        let answer = self.hand_in(path, Bytes::from(raw)).await;
        self.count(path, answer)
    }

    async fn mbox(&mut self, path: &Path, reader: impl std::io::BufRead) -> Result<(), CliError> {
        let mut messages = Mbox::new(reader, self.quoting, LARGEST);
        let mut waiting: FuturesUnordered<JoinHandle<(usize, Answer)>> = FuturesUnordered::new();
        let mut bytes = 0;
        let (app, mailbox, dry_run) = (self.app, self.mailbox.clone(), self.dry_run);
        loop {
            let item = messages.next();
            while waiting.len() >= IN_FLIGHT
                || bytes > IN_FLIGHT_BYTES
                || (item.is_none() && !waiting.is_empty())
            {
                let Some(done) = waiting.next().await else { break };
                let (size, answer) = done.map_err(|error| Fault::bug(error.to_string()))?;
                bytes -= size;
                self.count(path, answer)?;
            }
            match item {
                None => return Ok(()),
                Some(Err(error)) => self.fail(format!("{}: {error}", path.display())),
                Some(Ok(message)) => {
                    let raw = Bytes::from(message.raw);
                    let size = raw.len();
                    bytes += size;
                    let posted = posted(path, mailbox.clone(), raw);
                    let operations = app.operations.clone();
                    waiting.push(tokio::spawn(
                        async move { (size, hand_in(&operations, posted, dry_run).await) },
                    ));
                }
            }
        }
    }

    async fn hand_in(&self, path: &Path, raw: Bytes) -> Answer {
        hand_in(&self.app.operations, posted(path, self.mailbox.clone(), raw), self.dry_run).await
    }

    fn count(&mut self, path: &Path, answer: Answer) -> Result<(), CliError> {
        self.counts.read += 1;
        let read = self.read.load(Ordering::Relaxed) / KIB;
        self.progress.add(read.saturating_sub(self.told));
        self.told = read;
        let answer = match answer {
            // This one mail is at fault, and says nothing of the next.
            Err(fault) if fault.verdict == Verdict::Reject => {
                self.fail(format!("{}: {fault}", path.display()));
                return Ok(());
            }
            answer => answer?,
        };
        if let Some(Accepted { id, new }) = answer {
            self.ids.push(id);
            match new {
                true => self.counts.new += 1,
                false => self.counts.known += 1,
            }
        }
        Ok(())
    }

    fn fail(&mut self, problem: String) {
        self.counts.failed += 1;
        self.problems.push(problem);
    }
}

async fn hand_in(operations: &Operations, posted: Posted, dry_run: bool) -> Answer {
    match dry_run {
        true => Ok(None),
        false => operations.import_message(&actor(), posted).await.map(Some),
    }
}

fn posted(path: &Path, mailbox: Option<String>, raw: Bytes) -> Posted {
    let direction = if is_sent(path) { Direction::Outgoing } else { Direction::Incoming };
    Posted { mailbox, direction, envelope: Envelope::default(), source_id: None, peer: None, raw }
}

/// Whether a file lies in a folder of sent mail: `.Sent/cur/…`, `Sent.mbox`.
fn is_sent(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy().to_ascii_lowercase();
        let bare = name.trim_start_matches('.').trim_end_matches(".mbox");
        matches!(bare, "sent" | "sent items" | "sent messages" | "gesendet" | "gesendete elemente")
    })
}

/// The files behind the paths: a Maildir's `cur` and `new` (folders inside it too), a folder's .eml and .mbox files. A path
/// that cannot be read ends the import before it begins; a folder inside one is told at its end.
fn gather(paths: &[PathBuf], problems: &mut Vec<String>) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" || path.is_file() {
            files.push(path.clone());
        } else {
            walk(path, &mut files, problems)?;
        }
    }
    Ok(files)
}

/// Bytes of all the files; `None` with stdin, which nobody can tell.
fn total(files: &[PathBuf]) -> Option<u64> {
    let size = |file: &PathBuf| match file.as_os_str() == "-" {
        true => None,
        false => Some(std::fs::metadata(file).map_or(0, |found| found.len())),
    };
    files.iter().map(size).sum()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, problems: &mut Vec<String>) -> Result<(), CliError> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut entries: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(folder, &error))?;
    entries.sort();
    let maildir = folder.file_name().is_some_and(|name| name == "cur" || name == "new");
    for entry in entries {
        let is_mail = entry.extension().is_some_and(|ending| {
            ["eml", "mbox", "msg", "raw"].iter().any(|known| ending.eq_ignore_ascii_case(known))
        });
        let skipped = entry.file_name().is_some_and(|name| name == "tmp");
        match entry.is_dir() {
            true if !skipped => {
                if let Err(error) = walk(&entry, files, problems) {
                    problems.push(error.what);
                }
            }
            false if maildir || is_mail => files.push(entry),
            _ => {}
        }
    }
    Ok(())
}

/// Counts what is read.
struct Counted {
    source: Box<dyn Read>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            some => filled += some,
        }
    }
    Ok(filled)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Code::MAIL_SOURCE, format!("{}: {error}", path.display()))
}
