//! Killed at every durable step that a day of marketing passes: another process works on the same data and against the same
//! service, dies there, and the work goes on here. Afterwards nobody had a mail twice or against an opt-out, every run has
//! ended with counts that add up, and no row of the CRM is there twice.
//!
//! Each step is killed at one of its two moments, the other one at the next; `POSTROOM_POINTS=all` takes both.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postroom_core::marketing::{ContactRow, Names};
use postroom_core::{Record, kill};
use postroom_jobs::{Options as Jobs, Runner};
use postroom_marketing::sync::SyncType;
use postroom_sandbox::dotdigital::{Act, Behaviour, Region};

use crate::bench::On;
use crate::lab::{Lab, service_at};
use crate::office::ODD;

/// What the process that dies is told.
const URL: &str = "POSTROOM_POINTS_DATABASE";
const SERVICE: &str = "POSTROOM_POINTS_SERVICE";
const NOW: &str = "POSTROOM_POINTS_NOW";
const POINT: &str = "POSTROOM_POINTS_KILL";

/// The types of a day, in their order.
const DAY: [SyncType; 14] = [
    SyncType::Suppressions,
    SyncType::Labels,
    SyncType::Contacts,
    SyncType::Lists,
    SyncType::Campaigns,
    SyncType::Sends,
    SyncType::Unsubscribes,
    SyncType::Preferences,
    SyncType::Events,
    SyncType::Roi,
    SyncType::Forms,
    SyncType::Programs,
    SyncType::Scores,
    SyncType::Deletions,
];

impl Lab {
    /// What a user, people and the service have done before.
    async fn morning(&self) {
        let mut members = Vec::new();
        for (number, address) in
            ["anna@x.example", ODD, "cara@x.example", "dora@x.example"].iter().enumerate()
        {
            let at = self.contact(number as u128, address).await;
            let names = Names { email: Some((*address).to_owned()), ..Names::default() };
            let row = ContactRow { names, ..ContactRow::default() };
            self.account().service.patch_contact(&row, Default::default()).await.unwrap();
            members.push(at);
        }
        self.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
        self.write(Record::new(members[3].clone()).with("donotbulkemail", true)).await;
        self.world.behave(Behaviour { open: 1000, click: 1000, ..Behaviour::lively(7) });
        let list = self.list(1, &members).await;
        let campaign = self.campaign("Spring").await;
        self.request(1, &campaign, &list, 2).await;
    }

    /// A day of work, and the jobs of sends in between.
    async fn day(&self, passes: impl Fn(SignedDuration)) {
        for sync_type in DAY {
            self.begin(sync_type).await;
            self.work().await;
            self.all_jobs().await;
            passes(SignedDuration::from_mins(1));
        }
    }

    async fn all_jobs(&self) {
        let options = Jobs { poll: Duration::from_millis(20), ..Jobs::with_lease(Duration::from_secs(1)) };
        let (store, ids) = (self.engine.store.clone(), self.engine.ids.clone());
        Runner::new(store, self.clock.clone(), ids, self.engine.workers(), options)
            .drain_due()
            .await
            .unwrap();
    }

    /// Two more days after the death; then all is as it should be.
    async fn is_whole(&self, point: &str) {
        for _ in 0..2 {
            self.advance(SignedDuration::from_mins(5));
            self.day(|by| self.advance(by)).await;
        }
        self.judge();
        for run in self.runs().await {
            assert!(run.ended.is_some() && run.counts.balances(), "{point}: {run:?}");
        }
        for table in ["esc_emailsupression", "esc_emailcampaign", "esc_emailcampaigncontactclick"] {
            let rows = self.rows(table).await;
            let keys: BTreeSet<_> = rows.iter().filter_map(|row| row.text("esc_externalkey")).collect();
            assert_eq!(keys.len(), rows.len(), "{point}: {table}");
        }
        assert_eq!(self.rows("esc_emailsupression").await.len(), 2, "{point}");
        assert_eq!(self.world.contacts(1), 4, "{point}");
    }
}

/// Runs the day in another process; answers the steps that it passed, and whether it died.
fn elsewhere(lab: &Lab, point: &str) -> (BTreeSet<String>, bool) {
    let own = std::env::current_exe().unwrap();
    let mut child = Command::new(own);
    child
        .args(["points::the_process_that_dies", "--exact", "--nocapture"])
        .env(URL, lab.url())
        .env(SERVICE, lab.world.url(Region::R1))
        .env(NOW, lab.clock.now().to_string())
        .env(POINT, point);
    let ended = child.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let passed = said.lines().filter_map(|line| line.strip_prefix("passed ")).map(str::to_owned).collect();
    let killed = ended.status.code() == Some(DIED);
    assert!(killed || ended.status.success(), "{point}: {said} {}", String::from_utf8_lossy(&ended.stderr));
    (passed, killed)
}

const DIED: i32 = 77;

fn die() -> ! {
    std::process::exit(DIED)
}

/// Not a test of its own: what [`elsewhere`] starts. Without its variables it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_process_that_dies() {
    let told = |name: &str| std::env::var(name).ok();
    let (Some(url), Some(service), Some(now)) = (told(URL), told(SERVICE), told(NOW)) else { return };
    let now: Timestamp = now.parse().unwrap();
    if let Some(point) = told(POINT).filter(|point| !point.is_empty()) {
        kill::arm(&point, 1, die);
    } else {
        kill::watch(|point| println!("passed {point}"));
    }
    let mut lab = Lab::at(url, now).await;
    lab.serve(service_at(&service, &lab.clock));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let passed: Arc<Mutex<i64>> = Arc::default();
    lab.day(|by| {
        lab.advance(by);
        *passed.lock().unwrap() += by.as_secs();
        let (http, url) = (http.clone(), format!("{service}/_sandbox/advance"));
        let body = format!("{{\"seconds\":{}}}", by.as_secs());
        // The service's time goes with ours.
        tokio::task::block_in_place(|| {
            let sent = http.post(url).header("content-type", "application/json").body(body).send();
            tokio::runtime::Handle::current().block_on(sent).unwrap();
        });
    })
    .await;
}

async fn fresh() -> Lab {
    let lab = Lab::new(On::Sqlite).await;
    lab.morning().await;
    lab
}

/// Every point of the marketing half that a day passes, in order of name.
async fn all_points() -> Vec<String> {
    let lab = fresh().await;
    let (passed, _) = elsewhere(&lab, "");
    lab.is_whole("nothing").await;
    passed.into_iter().filter(|point| point.starts_with("marketing.")).collect()
}

/// Those that are killed.
async fn points() -> Vec<String> {
    let ours = all_points().await;
    match std::env::var("POSTROOM_POINTS").as_deref() {
        Ok("all") => ours,
        // One of the two moments of each, in turn.
        _ => ours.chunks(2).enumerate().map(|(nth, both)| both[nth % both.len()].clone()).collect(),
    }
}

/// The list is what the binary's own table of kill points trusts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_steps_of_a_day_are_those_of_the_list() {
    let points = all_points().await;
    let steps: BTreeSet<&str> = points.iter().filter_map(|point| Some(point.rsplit_once('.')?.0)).collect();
    if std::env::var_os("UPDATE").is_some() {
        let lines: String = steps.iter().map(|step| format!("{step}\n")).collect();
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/points.txt"), lines).unwrap();
    }
    let listed: BTreeSet<&str> = include_str!("../data/points.txt").lines().collect();
    let missing: Vec<_> = listed.difference(&steps).collect();
    assert!(missing.is_empty(), "a day no longer passes {missing:?}");
    let new: Vec<_> = steps.difference(&listed).collect();
    assert!(new.is_empty(), "add to tests/data/points.txt (UPDATE=1 does): {new:?}");
}

async fn killed_at(part: usize) {
    let points = points().await;
    assert!(points.len() > 25, "a day passes more steps than {points:?}");
    for point in points.iter().skip(part).step_by(3) {
        let lab = fresh().await;
        let (_, killed) = elsewhere(&lab, point);
        assert!(killed, "{point} was not reached this time");
        lab.is_whole(point).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_day_goes_on_after_death_at_any_step() {
    killed_at(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_day_goes_on_after_death_at_the_next_step() {
    killed_at(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_day_goes_on_after_death_at_the_third_step() {
    killed_at(2).await;
}
