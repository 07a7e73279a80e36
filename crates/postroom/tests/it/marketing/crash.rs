//! Killed at every durable step of the exchange of opt-outs and of the commands around it, before and after its commit: the
//! next run goes on, both sides know of everybody, and nobody is told twice in the CRM.

use postroom_sandbox::dotdigital::{Act, Dotdigital};
use serde_json::json;

use super::outside::with_crm;
use super::{config, contact, in_the_crm, is_out, now, opted_out, quiet, world};
use crate::crash::points::Moment;
use crate::house::House;
use crate::load::is_killed;
use crate::make::Make;

const KILL_AT: &str = "POSTROOM_KILL_AT";

/// The steps of a run, in their order; the first is passed once in the life of an account.
const RUN: [&str; 10] = [
    "marketing.account",
    "marketing.asked",
    "marketing.planned",
    "marketing.suppressed",
    "marketing.people_read",
    "marketing.opted_out",
    "marketing.exchanged",
    "marketing.told_crm",
    "marketing.told_service",
    "marketing.run_ended",
];

/// The steps of a lifting that the service refuses.
const REFUSED: [&str; 2] = ["marketing.rejected", "marketing.kept_out"];

/// Steps of commands of their own.
const COMMANDS: [&str; 5] = [
    "operations.suppressed",
    "operations.suppression_lifted",
    "operations.marketing_paused",
    "marketing.replayed",
    "marketing.confirmed",
];

/// Steps of a run on both sides of what it tells a CRM outside.
const OUTSIDE: [&str; 4] =
    ["marketing.people_read", "marketing.opted_out", "marketing.told_crm", "marketing.told_service"];

/// The steps that are killed here and nowhere else.
pub fn steps() -> impl Iterator<Item = &'static str> {
    RUN.into_iter().chain(REFUSED).chain(COMMANDS)
}

const SYNC: [&str; 6] = ["marketing", "sync", "run", "main", "suppressions", "--wait"];

/// Drills let many leave at once.
const GUARD: &str = "[marketing]\nguard_number = 1000\n";

struct Drill {
    house: House,
    /// Where the CRM is when it is outside.
    crm: Option<House>,
    world: Dotdigital,
    /// People so far.
    number: u8,
    out: Vec<String>,
}

impl Drill {
    fn new() -> Drill {
        let world = world();
        let house = quiet(&format!("{}{GUARD}", config(&world, false)));
        Drill { house, crm: None, world, number: 0, out: Vec::new() }
    }

    fn over(make: Make) -> Drill {
        let world = world();
        let (crm, house) = with_crm(make, &format!("{}{GUARD}", config(&world, false)));
        Drill { house, crm: Some(crm), world, number: 0, out: Vec::new() }
    }

    /// Runs are killed at these steps, before and after their commit; another one goes on each time.
    fn killed_at(&mut self, steps: &[&str]) {
        for step in steps {
            for moment in Moment::BOTH {
                self.two_leave();
                self.dies(&SYNC, step, moment);
                self.house.one(&SYNC);
                self.agrees(&moment.of(step));
            }
        }
    }

    /// Somebody leaves there, and somebody else here.
    fn two_leave(&mut self) {
        self.number += 1;
        let (there, here) =
            (format!("there{}@x.example", self.number), format!("here{}@x.example", self.number));
        let crm = self.crm.as_ref().unwrap_or(&self.house);
        crm.records(&[contact(2 * self.number, &there), opted_out(contact(2 * self.number + 1, &here))]);
        self.world.act(1, &there, None, Act::Unsubscribe).expect("the account is there");
        self.out.extend([there, here]);
        self.out.sort();
    }

    /// A command that dies at the point.
    #[track_caller]
    fn dies(&self, arguments: &[&str], step: &str, moment: Moment) {
        let point = moment.of(step);
        let mut command = self.house.command(arguments);
        let ended = command.env(KILL_AT, &point).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(is_killed(ended.status), "{arguments:?} did not pass {point}: {} {said}", ended.status);
    }

    #[track_caller]
    fn agrees(&self, point: &str) {
        assert_eq!(in_the_crm(&self.house), self.out, "after {point}");
        for address in &self.out {
            assert!(is_out(&self.world, address), "{address} after {point}");
            assert_eq!(self.house.run(&["marketing", "suppress", "check", address]).exit, 20, "{address}");
        }
        let runs = self.house.list(&["marketing", "sync", "runs", "--limit", "0"]);
        assert!(runs.iter().all(|run| run["counts"]["balances"] == true), "{point}: {runs:?}");
        assert!(!runs.iter().any(|run| run["state"] == "running"), "{point}: {runs:?}");
    }
}

/// The command that lets an address back.
fn lift<'a>(address: &'a str, at: &'a str) -> [&'a str; 9] {
    ["marketing", "suppress", "lift", address, "--proof", "ticket 1", "--at", at, "--yes"]
}

#[test]
fn killed_at_every_step_of_an_exchange_the_next_run_goes_on() {
    // Once in the life of an account: each moment has one of its own.
    for moment in Moment::BOTH {
        let mut drill = Drill::new();
        drill.two_leave();
        drill.dies(&SYNC, RUN[0], moment);
        drill.house.one(&SYNC);
        drill.agrees(&moment.of(RUN[0]));
    }
    let mut drill = Drill::new();
    drill.house.one(&SYNC);
    drill.killed_at(&RUN[1..]);
}

#[test]
fn killed_in_the_middle_of_an_exchange_with_a_crm_outside_the_next_run_goes_on() {
    for (make, steps) in [(Make::WebApi, &OUTSIDE[..]), (Make::Soap, &OUTSIDE[2..3])] {
        let mut drill = Drill::over(make);
        drill.house.one(&SYNC);
        drill.killed_at(steps);
    }
}

#[test]
fn killed_while_the_service_refuses_to_let_somebody_back_the_person_stays_out() {
    let drill = Drill::new();
    for (number, step) in REFUSED.into_iter().enumerate() {
        for moment in Moment::BOTH {
            let address = format!("bounced{number}{moment:?}@x.example").to_lowercase();
            drill.world.act(1, &address, None, Act::HardBounce).expect("the account is there");
            drill.house.one(&SYNC);
            drill.house.one(&lift(&address, &now()));
            drill.dies(&SYNC, step, moment);
            let again = drill.house.run(&SYNC);
            assert!([0, 8].contains(&again.exit), "{}", again.err);
            assert_eq!(drill.house.run(&["marketing", "suppress", "check", &address]).exit, 20, "{address}");
            assert!(is_out(&drill.world, &address));
        }
    }
    let open = drill.house.list(&["marketing", "sync", "rejected"]);
    assert!(open.iter().all(|row| row["code"] == "PR-5011"), "{open:?}");
}

#[test]
fn a_killed_command_can_be_said_again() {
    let drill = Drill::new();
    for moment in Moment::BOTH {
        let address = format!("by-hand-{moment:?}@x.example").to_lowercase();
        let add = ["marketing", "suppress", "add", &address];
        drill.dies(&add, "operations.suppressed", moment);
        let report = drill.house.one(&add);
        let (new, same) = (i32::from(moment == Moment::Before), i32::from(moment == Moment::After));
        assert_eq!((&report["new"], &report["same"]), (&json!(new), &json!(same)));
        let now = now();
        let lift = lift(&address, &now);
        drill.dies(&lift, "operations.suppression_lifted", moment);
        let expected = if moment == Moment::Before { 0 } else { 5 };
        assert_eq!(drill.house.run(&lift).exit, expected, "after the commit there is nothing left to lift");
        assert_eq!(drill.house.run(&["marketing", "suppress", "check", &address]).exit, 0);

        let pause = ["marketing", "account", "pause", "main"];
        drill.dies(&pause, "operations.marketing_paused", moment);
        assert_eq!(drill.house.one(&pause)["changed"], moment == Moment::Before);
        drill.house.one(&["marketing", "account", "resume", "main"]);
    }
}

#[test]
fn a_killed_replay_or_confirmation_loses_nothing() {
    let mut drill = Drill::new();
    drill.world.act(1, "bounced@x.example", None, Act::HardBounce).expect("the account is there");
    drill.house.one(&SYNC);
    for moment in Moment::BOTH {
        drill.house.one(&lift("bounced@x.example", &now()));
        let partly = drill.house.run(&SYNC);
        assert_eq!(partly.exit, 8, "{}", partly.err);
        let run = drill.house.list(&["marketing", "sync", "runs", "--state", "partly"])[0]["id"].clone();
        let replay = ["marketing", "sync", "replay", "--run", run.as_str().expect("an id")];
        drill.dies(&replay, "marketing.replayed", moment);
        let changed = drill.house.one(&replay)["changed"].as_array().expect("a list").len();
        assert_eq!(changed, usize::from(moment == Moment::Before));

        drill.two_leave();
        let strict = ["--set", "marketing.guard_number=0", "--set", "marketing.guard_share=0"];
        let held = drill.house.run(&[&SYNC[..], &strict].concat());
        assert_eq!(held.exit, 9, "{}", held.err);
        let run = drill.house.list(&["marketing", "sync", "runs", "--state", "held"])[0]["id"].clone();
        let confirm = ["marketing", "sync", "confirm", run.as_str().expect("an id"), "--yes"];
        drill.dies(&confirm, "marketing.confirmed", moment);
        let again = drill.house.run(&confirm);
        assert_eq!(again.exit, if moment == Moment::Before { 0 } else { 6 }, "{}", again.err);
        drill.house.run(&SYNC);
        assert!(drill.out.iter().all(|address| is_out(&drill.world, address)), "{:?}", drill.out);
    }
}
