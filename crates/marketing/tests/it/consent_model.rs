//! **Nobody who opted out is mailed** (design.md P7, P6): both sides are driven by chance through opt-outs by every channel,
//! consent that counts and consent that does not, imports by others, merges, restores, leads that are qualified, address
//! changes, deletions, clock jumps, lost answers and crashes, in two accounts of the service, with sends in between. The
//! stand-in's log is the judge: no mail to an address that was opted out before the step, at most one mail of a campaign for a
//! person, and after quiet both sides agree.
//!
//! People and campaigns come and go, so that a long run tries as much at its end as at its beginning.
//!
//! `POSTROOM_CONSENT_SEED` repeats a run, `POSTROOM_CONSENT_STEPS` makes it longer, and `cargo xtask consent` does both.

mod acts;
mod harness;
mod judge;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::RecordRef;
use postroom_marketing::sync::SyncType;
use postroom_sandbox::dotdigital::{Fault, Switch};
use uuid::Uuid;

use crate::bench::On;
use crate::lab::Lab;
use crate::office::Campaign;
use harness::ACCOUNTS;

/// Addresses and campaigns that are in use at a time.
const ADDRESSES: usize = 16;
const CAMPAIGNS: usize = 4;
/// Records of the CRM at a time; the oldest go when there are more.
const PEOPLE: usize = 40;
/// Steps that are shown with a failure.
const SHOWN: usize = 300;

const FLAGS: [&str; 3] = ["donotbulkemail", "donotemail", "donotsendmm"];

/// splitmix64: the same steps for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    fn place(&mut self, of: usize) -> usize {
        self.below(of.max(1) as u64) as usize
    }
}

/// A record of the CRM, as far as users made it so.
#[derive(Debug, Clone)]
struct Someone {
    table: &'static str,
    address: String,
    /// Of [`FLAGS`], those that a user set.
    flags: BTreeSet<&'static str>,
    /// Open: not merged into another one, not qualified.
    open: bool,
}

/// One account of the service.
struct Side {
    name: &'static str,
    number: i32,
    contacts: RecordRef,
    leads: RecordRef,
    /// Newest last.
    campaigns: Vec<Campaign>,
    /// For single people, with how many mails were asked for.
    triggered: Option<(Campaign, u64)>,
    /// Addresses that an exchange has seen opted out: they stay so without dated consent that is newer.
    out: BTreeSet<String>,
    /// Whoever signed up there by themselves, without consent that counts here: the service knows better, we do not.
    signed_up: BTreeSet<String>,
    judged: usize,
    mailed: BTreeSet<(i32, String)>,
    singly: u64,
}

/// The model: what was done, as far as it matters to who may be mailed.
struct Model {
    lab: Lab,
    chance: Chance,
    sides: Vec<Side>,
    people: BTreeMap<Uuid, Someone>,
    /// The order in which they came.
    made: VecDeque<Uuid>,
    /// Deleted, and perhaps made again.
    deleted: Vec<(Uuid, Someone)>,
    /// What a copy of the CRM's database holds.
    copy: Option<BTreeMap<Uuid, Someone>>,
    /// Every address that was ever used.
    addresses: Vec<String>,
    /// Addresses whose owner gave consent that counts, after every opt-out of them.
    back: BTreeSet<String>,
    number: u128,
    asked: u128,
    told: VecDeque<String>,
    /// Mails to people who had been out and came back.
    returned: u64,
}

impl Model {
    async fn new(on: On, seed: u64) -> Model {
        let lab = Lab::consent_lab(on).await;
        let mut sides = Vec::new();
        for (name, number, ..) in ACCOUNTS {
            lab.consent_run(name, SyncType::Suppressions).await;
            let list = 10 * number as u128;
            sides.push(Side {
                name,
                number,
                contacts: lab.consent_list(list, name, 2).await,
                leads: lab.consent_list(list + 1, name, 4).await,
                campaigns: Vec::new(),
                triggered: None,
                out: BTreeSet::new(),
                signed_up: BTreeSet::new(),
                judged: 0,
                mailed: BTreeSet::new(),
                singly: 0,
            });
        }
        let mut model = Model {
            lab,
            chance: Chance(seed),
            sides,
            people: BTreeMap::new(),
            made: VecDeque::new(),
            deleted: Vec::new(),
            copy: None,
            addresses: Vec::new(),
            back: BTreeSet::new(),
            number: 0,
            asked: 0,
            told: VecDeque::new(),
            returned: 0,
        };
        for _ in 0..ADDRESSES {
            model.new_address();
        }
        for side in 0..ACCOUNTS.len() {
            for _ in 0..CAMPAIGNS {
                model.campaign_made(side).await;
            }
            model.campaign_triggered(side).await;
        }
        model
    }

    async fn step(&mut self) {
        let before = self.opted_out().await;
        let what = match self.chance.below(48) {
            0..=4 => self.person_made().await,
            5..=6 => self.address_changed().await,
            7..=8 => self.flag_turned().await,
            9 => self.person_deleted().await,
            10 => self.person_made_again().await,
            11 => self.merged().await,
            12 => self.lead_qualified().await,
            13 => self.copied_or_put_back().await,
            14..=15 => self.said_at_the_service(),
            16 => self.written_at_the_service().await,
            17 => self.imported_by_others().await,
            18..=19 => self.came_back().await,
            20..=22 => self.time_passes(),
            23..=24 => self.trouble(),
            25..=29 => self.synchronised().await,
            30 => self.killed().await,
            31..=35 => self.send_asked().await,
            36 => self.mail_to_one_asked().await,
            37 => {
                let side = self.chance.place(ACCOUNTS.len());
                self.campaign_made(side).await
            }
            38 => self.noted_by_a_user().await,
            _ => self.minute().await,
        };
        self.told.push_back(what);
        if self.told.len() > SHOWN {
            self.told.pop_front();
        }
        self.judge(&before);
    }

    fn time_passes(&mut self) -> String {
        let minutes = match self.chance.below(8) {
            // A clock that was set back.
            0 => -30,
            1 => 60 * 24,
            _ => 1 + self.chance.below(20) as i64,
        };
        self.lab.advance(SignedDuration::from_mins(minutes));
        format!("{minutes} minutes")
    }

    fn trouble(&mut self) -> String {
        let fault = match self.chance.below(4) {
            0 => Fault::LoseAnswer,
            1 => Fault::Drop,
            2 => Fault::Unavailable,
            _ => Fault::CutAnswer,
        };
        let after = self.chance.below(12) as u32;
        self.lab.world.fault(Switch { after, times: Some(1), ..Switch::always(fault.clone()) });
        format!("{fault:?} after {after}")
    }

    fn sync_type(&mut self) -> SyncType {
        let types = [
            SyncType::Suppressions,
            SyncType::Contacts,
            SyncType::Lists,
            SyncType::Unsubscribes,
            SyncType::Sends,
            SyncType::Deletions,
        ];
        types[self.chance.place(types.len())]
    }

    async fn synchronised(&mut self) -> String {
        let (side, sync_type) = (self.chance.place(ACCOUNTS.len()), self.sync_type());
        self.exchange(side, sync_type).await
    }

    /// One run; what a whole exchange of opt-outs has seen is out from then on.
    async fn exchange(&mut self, side: usize, sync_type: SyncType) -> String {
        let name = self.sides[side].name;
        let before = match sync_type {
            SyncType::Suppressions => self.opted_out().await.swap_remove(side),
            _ => BTreeSet::new(),
        };
        let run = self.lab.consent_run(name, sync_type).await;
        if run.ended.is_some() && run.code.is_none() {
            self.sides[side].out.extend(before);
        }
        format!("{name} {sync_type} {:?} {:?}", run.state, run.reason)
    }

    async fn killed(&mut self) -> String {
        let (side, sync_type) = (self.chance.place(ACCOUNTS.len()), self.sync_type());
        self.lab.consent_begin(self.sides[side].name, sync_type).await;
        let alive = Duration::from_millis(1 + self.chance.below(80));
        let died = self.lab.consent_killed(alive).await;
        format!("{} {sync_type} killed after {alive:?}: {died}", self.sides[side].name)
    }

    /// What a minute brings: opt-outs, the look for requests, the jobs of the sends.
    async fn minute(&mut self) -> String {
        self.lab.advance(SignedDuration::from_mins(1));
        for side in 0..ACCOUNTS.len() {
            self.exchange(side, SyncType::Suppressions).await;
        }
        for (name, ..) in ACCOUNTS {
            self.lab.consent_run(name, SyncType::Sends).await;
        }
        "a minute".to_owned()
    }

    /// No more trouble: both sides come to agree.
    async fn quiet(&mut self) {
        self.lab.world.clear_faults();
        for sync_type in [
            SyncType::Suppressions,
            SyncType::Contacts,
            SyncType::Lists,
            SyncType::Sends,
            SyncType::Suppressions,
            SyncType::Suppressions,
        ] {
            self.lab.advance(SignedDuration::from_mins(90));
            for side in 0..ACCOUNTS.len() {
                let before = self.opted_out().await;
                self.exchange(side, sync_type).await;
                self.judge(&before);
            }
        }
        self.agree().await;
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[expect(clippy::print_stdout, reason = "shown with a failure, so that it can be repeated")]
async fn driven(on: On, seed: u64) {
    let seed = setting("POSTROOM_CONSENT_SEED", seed);
    println!("POSTROOM_CONSENT_SEED={seed}");
    let mut model = Model::new(on, seed).await;
    for _ in 0..setting("POSTROOM_CONSENT_STEPS", 200) {
        model.step().await;
    }
    model.quiet().await;
    for side in &model.sides {
        println!("{}: {} mails, {} to single people", side.name, side.mailed.len(), side.singly);
        assert!(
            !side.mailed.is_empty(),
            "{} mailed nobody: the test shows nothing\n{}",
            side.name,
            model.story()
        );
    }
    println!("{} addresses, {} mails to people who came back", model.addresses.len(), model.returned);
}

macro_rules! seeds {
    ($($name:ident $on:ident $seed:literal)+) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            driven(On::$on, $seed).await;
        }
    )+ };
}

seeds! {
    nobody_who_opted_out_is_mailed Sqlite 1
    nobody_who_opted_out_is_mailed_either Sqlite 2
    nobody_who_opted_out_is_mailed_on_postgresql Postgres 3
    nobody_who_opted_out_is_mailed_over_the_web_api WebApi 4
    nobody_who_opted_out_is_mailed_over_soap Soap 5
    nobody_who_opted_out_is_mailed_over_soap_of_2011 Soap2011 6
}
