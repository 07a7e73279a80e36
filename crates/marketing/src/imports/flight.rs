//! Imports under way at once.
//!
//! # Design
//!
//! Rows are packed in the service's words as they come ([`Contacts::pack`]) and written down in the ledger meanwhile; a parcel
//! that is full goes out, and the next one is packed while the service works on it. So as few imports as the service allows are
//! made, and neither the rows nor what is remembered of them are in memory: it holds one parcel, and a number for each row that is
//! not settled.
//!
//! Parcels land in the order in which they went out. What must not overtake another row lands before it ([`Flight::land`]).
//!
//! [`Contacts::pack`]: postroom_core::marketing::Contacts::pack

use std::collections::VecDeque;

use postroom_core::Fault;
use postroom_core::marketing::{Merge, Parcel};

use super::ledger::{self, Entry, Job};
use super::lot::{Group, Lot};
use super::{Outcome, Purpose, Row, STOPPED, brake, count, refuse_nameless, settle, wait};
use crate::sync::{Halt, Turn};

/// Imports that the service works on at once. It allows 25 (dotdigital.md, A12), which other programs want to share.
const AT_ONCE: usize = 3;
/// People of one import: its report is in memory as a whole when it is settled.
const PEOPLE: usize = 100_000;
/// Rows of one unit of the plan.
const PLANNED: usize = 1000;

/// What became of rows: the number that each got when it was added, and the outcome.
pub(crate) type Landed = Vec<(usize, Outcome)>;

/// The imports of one purpose that have not been settled.
pub(crate) struct Flight {
    purpose: Purpose,
    packing: Option<Packing>,
    away: VecDeque<Away>,
    /// The number of the next row.
    next: usize,
    departed: usize,
    /// Of a dry run, people who would be packed.
    foretold: usize,
}

struct Packing {
    job: Job,
    parcel: Parcel,
    /// Behind what the ledger has.
    entries: Vec<Entry>,
    numbers: Numbers,
}

struct Away {
    job: Job,
    numbers: Numbers,
}

/// The numbers of an import's rows, by their place in it.
struct Numbers {
    all: Vec<usize>,
    /// Rows that share an address come early, so the first number need not be it.
    lowest: usize,
}

impl Flight {
    pub(crate) fn new(purpose: &Purpose) -> Self {
        Flight {
            purpose: purpose.clone(),
            packing: None,
            away: VecDeque::new(),
            next: 0,
            departed: 0,
            foretold: 0,
        }
    }

    /// Adds rows, which get the next numbers; an address that comes twice among them is sent once, with the first row's fields.
    /// Answers what became of rows meanwhile, of earlier ones too.
    ///
    /// # Errors
    /// As for [`super::write()`].
    pub(crate) async fn add(&mut self, turn: &mut Turn, rows: Vec<Row>) -> Result<Landed, Halt> {
        // On the heap: every flow that imports would carry it otherwise.
        Box::pin(self.take(turn, rows)).await
    }

    async fn take(&mut self, turn: &mut Turn, rows: Vec<Row>) -> Result<Landed, Halt> {
        if rows.iter().any(|row| !row.contact.consents.is_empty()) {
            return Err(Fault::bug("an import carries no consents: a repeat would add them again").into());
        }
        let first = self.next;
        self.next += rows.len();
        let (going, stopped) = brake::part(turn, rows).await?;
        turn.counts.skip("stopped by the service's filter", stopped.len() as u64);
        let mut landed: Landed =
            stopped.into_iter().map(|place| (first + place, Outcome::Rejected(STOPPED.to_owned()))).collect();
        let lot = Lot::of(going);
        refuse_nameless(turn, &lot).await?;
        let nameless = lot.nameless.iter();
        landed.extend(nameless.map(|(place, reason)| (first + place, Outcome::Rejected(reason.clone()))));
        if turn.dry {
            self.foretold += lot.groups.len();
            for (place, outcome) in lot.foretold() {
                count(&mut turn.counts, &outcome);
                landed.push((first + place, outcome));
            }
            return Ok(landed);
        }
        for group in lot.groups {
            landed.extend(self.pack(turn, group, first).await?);
        }
        self.plan(turn).await?;
        Ok(landed)
    }

    async fn pack(&mut self, turn: &mut Turn, group: Group, first: usize) -> Result<Landed, Halt> {
        let mut landed = Landed::new();
        if self.packing.as_ref().is_some_and(|packing| packing.parcel.rows >= PEOPLE) {
            landed = self.depart(turn).await?;
        }
        let service = turn.account.service.clone();
        if let Some(packing) = &mut self.packing
            && !service.pack(&group.contact, &mut packing.parcel)?
        {
            landed.extend(self.depart(turn).await?);
        } else if let Some(packing) = &mut self.packing {
            packing.put(group, first);
            if packing.entries.len() >= PLANNED {
                self.plan(turn).await?;
            }
            return Ok(landed);
        }
        let mut packing = Packing::new(turn);
        if !service.pack(&group.contact, &mut packing.parcel)? {
            return Err(Fault::bug("a row does not fit into an empty import").into());
        }
        packing.put(group, first);
        self.packing = Some(packing);
        Ok(landed)
    }

    /// Writes down who was packed.
    async fn plan(&mut self, turn: &mut Turn) -> Result<(), Halt> {
        if let Some(packing) = &mut self.packing {
            let entries = std::mem::take(&mut packing.entries);
            if !entries.is_empty() {
                let is_first = packing.numbers.all.len() == entries.len();
                ledger::plan(turn, &self.purpose, &packing.job, is_first, entries).await?;
            }
        }
        Ok(())
    }

    /// Sends what is packed. When as many imports as may be are under way, the oldest lands first.
    ///
    /// # Errors
    /// As for [`super::write()`].
    pub(crate) async fn depart(&mut self, turn: &mut Turn) -> Result<Landed, Halt> {
        self.plan(turn).await?;
        let Some(packing) = self.packing.take() else { return Ok(Landed::new()) };
        let Packing { mut job, parcel, numbers, .. } = packing;
        job.people = parcel.rows as u64;
        job.begun = turn.now();
        let id = turn.account.service.import_parcel(parcel).await?;
        job.service = Some(id);
        ledger::begun(turn, &job).await?;
        self.away.push_back(Away { job, numbers });
        self.departed += 1;
        // Here the memory holds no parcel.
        match self.away.len() < AT_ONCE {
            true => Ok(Landed::new()),
            false => self.land_one(turn).await,
        }
    }

    async fn land_one(&mut self, turn: &mut Turn) -> Result<Landed, Halt> {
        let Some(oldest) = self.away.front() else { return Ok(Landed::new()) };
        let import = wait::until_ended(turn, &oldest.job).await?;
        let outcomes = settle::settle(turn, &oldest.job, import).await?;
        let Some(Away { numbers, .. }) = self.away.pop_front() else { return Ok(Landed::new()) };
        let number =
            |place: u64| usize::try_from(place).ok().and_then(|place| numbers.all.get(place).copied());
        Ok(outcomes.into_iter().filter_map(|(place, outcome)| Some((number(place)?, outcome))).collect())
    }

    /// Sends what is packed, and waits until everything has landed.
    ///
    /// # Errors
    /// As for [`super::write()`].
    pub(crate) async fn land(&mut self, turn: &mut Turn) -> Result<Landed, Halt> {
        let imports = std::mem::take(&mut self.foretold).div_ceil(PEOPLE);
        (0..imports).for_each(|_| turn.foresee_import());
        let mut landed = Box::pin(self.depart(turn)).await?;
        while !self.away.is_empty() {
            landed.extend(Box::pin(self.land_one(turn)).await?);
        }
        Ok(landed)
    }

    /// The number that the next row gets.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// How many imports went out.
    pub(crate) fn departed(&self) -> usize {
        self.departed
    }

    /// All rows with lower numbers are settled.
    pub(crate) fn settled(&self) -> usize {
        let packing = self.packing.as_ref().map(|packing| &packing.numbers);
        let open = self.away.iter().map(|away| &away.numbers).chain(packing);
        open.map(|numbers| numbers.lowest).min().unwrap_or(self.next)
    }
}

impl Packing {
    fn new(turn: &Turn) -> Self {
        let job =
            Job { id: turn.engine.ids.next(), service: None, people: 0, to_list: false, begun: turn.now() };
        let parcel = Parcel { merge: Merge::Overwrite, ..Parcel::default() };
        let numbers = Numbers { all: Vec::new(), lowest: usize::MAX };
        Packing { job, parcel, entries: Vec::new(), numbers }
    }

    fn put(&mut self, group: Group, first: usize) {
        self.job.to_list |= !group.contact.lists.is_empty();
        for (place, entry) in group.entries {
            self.entries.push(Entry { place: self.numbers.all.len() as u64, ..entry });
            self.numbers.all.push(first + place);
            self.numbers.lowest = self.numbers.lowest.min(first + place);
        }
    }
}
