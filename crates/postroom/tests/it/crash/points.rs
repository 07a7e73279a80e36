//! Every kill point, one after another on the same data: the start after a kill is the recovery from it, and is itself
//! killed at the next point.
//!
//! [`TABLE`] says for each durable step of the code what makes the binary pass it. A step without a row fails, and so
//! does a point that is never reached.

use std::collections::BTreeSet;
use std::time::Duration;

use postroom_testkit::poll;
use xtask::tree::Tree;

use crate::crash::{Load, inside, token, visitor};
use crate::load::{
    Answer, Database, House, KILL_AT, Noise, PATIENCE, is_killed, message_id, record_of, records,
};
use crate::make::Make;

/// What makes a process pass a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hit {
    /// The first start on an empty database, in this order.
    FirstStart,
    /// Mail coming in, and the time that passes meanwhile. With how many times a count may ask for.
    Load(u64),
    /// A clean stop.
    Stop,
    /// A job that no worker can do.
    BadJob,
    /// The first use of a token.
    Token,
    /// A command; see [`command`].
    Command,
    /// Somebody at the pages.
    Visitor,
    /// No command of this version comes here: the crate's own call, made by a process of this test program.
    Inside,
    /// Killed in `sending/crash.rs`.
    Sending,
    /// Killed in `watching/points.rs`.
    Watching,
    /// Killed in `privacy/crash.rs`.
    Privacy,
    /// Killed in `marketing/crash.rs`.
    Marketing,
}

const TABLE: &[(&str, Hit)] = &[
    ("store.migrate", Hit::FirstStart),
    ("tracking.installation", Hit::FirstStart),
    ("crm.install", Hit::FirstStart),
    ("mail.accept", Hit::Load(6)),
    ("jobs.claim", Hit::Load(2)),
    ("crm.apply", Hit::Load(2)),
    ("mail.filed", Hit::Load(2)),
    ("jobs.beat", Hit::Load(2)),
    ("jobs.bury", Hit::Load(1)),
    ("jobs.reclaim", Hit::Load(1)),
    ("jobs.leave", Hit::Stop),
    ("jobs.settle", Hit::BadJob),
    ("operations.shelf", Hit::Command),
    ("mail.placed", Hit::Command),
    ("operations.audit", Hit::Command),
    ("operations.replay", Hit::Command),
    ("operations.token", Hit::Command),
    ("operations.token_revoke", Hit::Command),
    ("tracking.setting", Hit::Command),
    ("crm.shape", Hit::Inside),
    ("crm.index", Hit::Inside),
    ("jobs.schedule_set", Hit::Inside),
    ("jobs.schedule", Hit::Inside),
    ("jobs.settle_held", Hit::Inside),
    ("jobs.set_back", Hit::Inside),
    ("operations.link", Hit::Command),
    ("operations.sign_in", Hit::Visitor),
    ("operations.session_used", Hit::Visitor),
    ("operations.sign_out", Hit::Visitor),
    ("operations.token_used", Hit::Token),
    ("mail.claimed", Hit::Sending),
    ("mail.rendered", Hit::Sending),
    ("mail.sending", Hit::Sending),
    ("mail.answered", Hit::Sending),
    ("mail.told", Hit::Sending),
    ("mail.again", Hit::Sending),
    ("mail.unknown", Hit::Sending),
    ("mail.evidence", Hit::Sending),
    ("mail.resend", Hit::Sending),
    ("mail.refused", Hit::Sending),
    ("mail.held", Hit::Sending),
    ("mail.freed", Hit::Sending),
    ("mail.copied", Hit::Sending),
    ("mail.person", Hit::Sending),
    ("mail.reported", Hit::Sending),
    ("mail.watched", Hit::Watching),
    ("watch.reported", Hit::Watching),
    ("watch.paused", Hit::Watching),
    ("watch.rescan", Hit::Watching),
    ("watch.rescanned", Hit::Watching),
    ("watch.forgotten", Hit::Watching),
    ("mail.purged", Hit::Privacy),
    ("store.sweep", Hit::Privacy),
    ("erasing.begun", Hit::Privacy),
    ("erasing.blanked", Hit::Privacy),
    ("erasing.told", Hit::Privacy),
    ("erasing.let_go", Hit::Privacy),
    ("erasing.finished", Hit::Privacy),
    ("marketing.account", Hit::Marketing),
    ("marketing.asked", Hit::Marketing),
    ("marketing.planned", Hit::Marketing),
    ("marketing.suppressed", Hit::Marketing),
    ("marketing.people_read", Hit::Marketing),
    ("marketing.opted_out", Hit::Marketing),
    ("marketing.exchanged", Hit::Marketing),
    ("marketing.told_crm", Hit::Marketing),
    ("marketing.told_service", Hit::Marketing),
    ("marketing.run_ended", Hit::Marketing),
    ("marketing.rejected", Hit::Marketing),
    ("marketing.kept_out", Hit::Marketing),
    ("operations.suppressed", Hit::Marketing),
    ("operations.suppression_lifted", Hit::Marketing),
    ("operations.marketing_paused", Hit::Marketing),
    ("marketing.replayed", Hit::Marketing),
    ("marketing.confirmed", Hit::Marketing),
];

/// Steps that the marketing crate's own drill kills (`crates/marketing/tests/it/points.rs`): what a day of work passes.
const A_DAY: &str = include_str!("../../../../marketing/tests/data/points.txt");

/// Steps of the marketing half that no drill kills by name: a day does not pass them. Their flows are cut at every call to the
/// service (`sweep.rs` there) or step by step (`sends.rs`).
const CUT_ELSEWHERE: &[&str] = &[
    // A row that says why a mail is left alone goes when the CRM no longer wants the mail sent; the next look does it again.
    "mail.foreign_gone",
    "marketing.stayed_out",
    "marketing.campaign_read",
    // Only the gate is asked and the audit written; a test mail leaves behind it, and nothing is to be recovered.
    "operations.campaign_tested",
    "marketing.campaign_totals",
    "marketing.campaigns_told",
    "marketing.contacts_deleted",
    "marketing.erased",
    "marketing.erasure_begun",
    "marketing.erasure_goes_on",
    "marketing.events_expired",
    "marketing.events_out_of_crm",
    "marketing.events_read",
    "marketing.events_told",
    "marketing.form_read",
    "marketing.found_sends",
    "marketing.import_dropped",
    "marketing.import_given_up",
    "marketing.import_refused",
    "marketing.lead_qualified",
    "marketing.list_buried",
    "marketing.list_dropped",
    "marketing.list_forgotten",
    "marketing.list_kept_out",
    "marketing.list_left",
    "marketing.list_member_made",
    "marketing.list_newcomers",
    "marketing.list_records_gone",
    "marketing.list_told_crm",
    "marketing.list_told_service",
    "marketing.person_merged",
    "marketing.preferences_noted",
    "marketing.preferences_read",
    "marketing.preferences_tied",
    "marketing.program_intent",
    "marketing.program_last_off",
    "marketing.program_requests",
    "marketing.program_settled",
    "marketing.replies_read",
    "marketing.responses_read",
    "marketing.responses_told",
    "marketing.restored",
    "marketing.send_answered",
    "marketing.send_asks",
    "marketing.send_decided",
    "marketing.send_departures",
    "marketing.single_decided",
    "marketing.write_intended",
    "marketing.written_forgotten",
    "marketing.undo_asked",
    "marketing.undone",
    "marketing.send_watches",
    "marketing.send_watched",
    "marketing.send_joined",
    "marketing.account_noted",
    "marketing.send_ended",
    "marketing.send_list_kept",
    "marketing.send_failed",
    "marketing.send_awaits_lists",
    "marketing.send_held",
    "marketing.send_intent",
    "marketing.send_last_off",
    "marketing.send_left_behind",
    "marketing.send_list_deleted",
    "marketing.send_looked",
    "marketing.send_mailed_there",
    "marketing.send_polled",
    "marketing.send_refused",
    "marketing.send_rests",
    "marketing.send_row_deleted",
    "marketing.send_stopped",
    "marketing.send_taken_off",
    "marketing.send_unknown",
    "marketing.send_wished",
    "marketing.single_answered",
    "marketing.single_intent",
    "marketing.single_left_behind",
    "marketing.single_requested",
    "marketing.single_rests",
    "marketing.single_told",
    "marketing.subscribed_again",
];

/// Whether the process dies before its transaction becomes durable, or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

impl Moment {
    pub const BOTH: [Moment; 2] = [Moment::Before, Moment::After];

    /// The name of the kill point.
    pub fn of(self, step: &str) -> String {
        match self {
            Moment::Before => format!("{step}.before_commit"),
            Moment::After => format!("{step}.after_commit"),
        }
    }
}

#[test]
fn every_durable_step_has_a_row() {
    let found = xtask::steps::steps(&Tree::read().expect("the sources are here"));
    let found: BTreeSet<&str> =
        found.iter().map(|step| step.name.as_str()).filter(|name| !name.starts_with("test.")).collect();
    let table: BTreeSet<&str> = TABLE.iter().map(|(step, _)| *step).collect();
    assert_eq!(table.len(), TABLE.len(), "a step has two rows");
    let rows: BTreeSet<&str> =
        table.into_iter().chain(A_DAY.lines()).chain(CUT_ELSEWHERE.iter().copied()).collect();
    let missing: Vec<_> = found.difference(&rows).collect();
    assert!(missing.is_empty(), "say in TABLE what makes the binary pass these steps: {missing:?}");
    let gone: Vec<_> = rows.difference(&found).collect();
    assert!(gone.is_empty(), "the code has these steps no more: {gone:?}");
}

/// What another drill kills it names itself: neither table forgets a step of the other.
#[test]
fn the_other_drills_kill_what_is_left_to_them() {
    let rows = |wanted: Hit| -> BTreeSet<&str> {
        TABLE.iter().filter(|(_, hit)| *hit == wanted).map(|(step, _)| *step).collect()
    };
    assert_eq!(rows(Hit::Sending), crate::sending::crash::steps().collect());
    assert_eq!(rows(Hit::Watching), crate::watching::points::steps().collect());
    assert_eq!(rows(Hit::Privacy), crate::privacy::crash::steps().collect());
    assert_eq!(rows(Hit::Marketing), crate::marketing::crash::steps().collect());
}

#[test]
fn accepted_mail_survives_every_kill_point_on_sqlite() {
    Drill::new(Make::Embedded, Database::Sqlite).run();
}

#[test]
fn accepted_mail_survives_every_kill_point_on_postgresql() {
    Drill::new(Make::Embedded, Database::Postgres).run();
}

/// Postroom dies at the steps of filing that the CRM has a part in, and its CRM, in a process of its own, in the midst of a write.
#[test]
fn accepted_mail_survives_the_steps_of_filing_over_the_web_api() {
    Drill::new(Make::WebApi, Database::Sqlite).run();
}

/// The same at the two steps that write into the CRM and note it.
#[test]
fn accepted_mail_survives_the_steps_of_filing_over_soap() {
    Drill::new(Make::Soap, Database::Sqlite).run();
}

/// The CRM delivers the mail itself, under ids of its own: still one activity each.
#[test]
fn delivered_mail_survives_the_steps_of_filing_on_sqlite() {
    Drill::delivering(Make::Embedded, Database::Sqlite).run();
}

#[test]
fn delivered_mail_survives_the_steps_of_filing_on_postgresql() {
    Drill::delivering(Make::Embedded, Database::Postgres).run();
}

#[test]
fn delivered_mail_survives_the_steps_of_filing_over_the_web_api() {
    Drill::delivering(Make::WebApi, Database::Sqlite).run();
}

#[test]
fn delivered_mail_survives_the_steps_of_filing_over_soap() {
    Drill::delivering(Make::Soap, Database::Sqlite).run();
}

/// The steps of a delivery: the CRM's own unit, and ours that notes it.
const DELIVERY: [&str; 2] = ["crm.apply", "mail.filed"];

struct Drill {
    make: Make,
    /// The CRM delivers.
    delivering: bool,
    house: House,
    load: Option<Load>,
    noise: Noise,
}

impl Drill {
    fn new(make: Make, database: Database) -> Drill {
        let house = match make {
            Make::Embedded => House::empty(database),
            Make::WebApi | Make::Soap => House::with(make, database),
        };
        Drill { make, delivering: false, house, load: None, noise: Noise(seed()) }
    }

    fn delivering(make: Make, database: Database) -> Drill {
        let house = House::delivering(make, database);
        Drill { make, delivering: true, house, load: None, noise: Noise(seed()) }
    }

    /// The rows of the table that say something about this make: what has nothing to do with the CRM is told once.
    fn rows(&self) -> Vec<(&'static str, Hit)> {
        let steps: &[&str] = match self.make {
            _ if self.delivering => &DELIVERY,
            Make::Embedded => return TABLE.to_vec(),
            // A lease is held while the CRM takes its time, and a person may place what filing could not.
            Make::WebApi => &["crm.apply", "mail.filed", "jobs.beat", "mail.placed"],
            Make::Soap => &["crm.apply", "mail.filed"],
        };
        TABLE.iter().copied().filter(|(step, _)| steps.contains(step)).collect()
    }

    fn run(mut self) {
        let rows = self.rows();
        for (step, _) in rows.iter().filter(|(_, hit)| *hit == Hit::FirstStart) {
            Moment::BOTH.into_iter().for_each(|moment| self.first_start(&moment.of(step)));
        }
        self.house.import(&records());
        self.load = Some(Load::new(&self.house));
        for (step, hit) in &rows {
            for moment in Moment::BOTH {
                let point = moment.of(step);
                match hit {
                    Hit::Load(_) if *step == "crm.apply" && self.house.crm.is_some() => self.beside(&point),
                    Hit::Load(most) => self.under_load(&point, *most),
                    Hit::Stop => self.at_the_stop(&point),
                    Hit::BadJob => self.with_a_bad_job(&point),
                    Hit::Token => self.with_a_new_token(&point),
                    Hit::FirstStart
                    | Hit::Command
                    | Hit::Inside
                    | Hit::Sending
                    | Hit::Watching
                    | Hit::Privacy
                    | Hit::Marketing
                    | Hit::Visitor => {}
                }
            }
        }
        self.house.start();
        let house = &mut self.house;
        let book = self.load.expect("made above").finish();
        inside::clean(&house.url);
        house.judge(&book);
        house.server.terminate(PATIENCE);
        for (step, hit) in &rows {
            for moment in Moment::BOTH {
                match hit {
                    Hit::Command => by_command(house, step, moment),
                    Hit::Inside => inside::kill(house, step, moment),
                    Hit::Visitor => visitor::kill(house, step, moment),
                    _ => {}
                }
            }
        }
        house.start();
        house.judge(&book);
        house.server.terminate(PATIENCE);
    }

    fn more(&mut self) {
        self.load.as_mut().expect("made after the first start").more(&self.house);
    }

    /// Nothing is there yet: the point comes by itself.
    fn first_start(&mut self, point: &str) {
        self.house.begin(Some(point));
        self.dies(point, |_| {});
    }

    fn under_load(&mut self, point: &str, most: u64) {
        let count = 1 + self.noise.below(most);
        let armed = format!("{point}:{count}");
        self.house.begin(Some(&armed));
        self.more();
        self.dies(&armed, Drill::more);
    }

    /// The CRM outside dies at the point while postroom files, and comes back.
    fn beside(&mut self, point: &str) {
        self.house.start();
        let crm = self.house.crm.as_mut().expect("the CRM is outside");
        crm.server.terminate(PATIENCE);
        crm.begin(Some(point));
        self.more();
        let died = |crm: &mut House| poll::until(PATIENCE, || crm.server.ended().is_some());
        let crm = self.house.crm.as_mut().expect("the CRM is outside");
        assert!(died(crm), "{KILL_AT}={point} was never reached:\n{}", crm.printed());
        assert!(is_killed(crm.server.wait_for_end(PATIENCE)), "{point}");
        crm.start();
        self.house.server.terminate(PATIENCE);
    }

    fn at_the_stop(&mut self, point: &str) {
        self.house.begin(Some(point));
        assert!(self.house.is_up(PATIENCE), "{}", self.house.printed());
        self.more();
        let status = self.house.server.terminate(PATIENCE);
        assert!(is_killed(status), "a clean stop did not pass {point}: {status}\n{}", self.house.printed());
    }

    fn with_a_new_token(&mut self, point: &str) {
        self.load.as_mut().expect("made after the first start").token = token(&self.house);
        self.house.begin(Some(point));
        self.more();
        self.dies(point, |_| {});
    }

    fn with_a_bad_job(&mut self, point: &str) {
        inside::bad_job(&self.house.url);
        self.house.begin(Some(point));
        self.dies(point, |_| {});
    }

    /// Waits for the death at a point, and helps it on now and then.
    #[track_caller]
    fn dies(&mut self, armed: &str, mut help: impl FnMut(&mut Drill)) {
        for round in 1..=120 {
            if poll::until(Duration::from_secs(2), || self.house.server.ended().is_some()) {
                let status = self.house.server.wait_for_end(PATIENCE);
                assert!(is_killed(status), "{armed}: ended with {status}\n{}", self.house.printed());
                assert!(self.house.printed().contains("kill.armed"), "{armed}: it was not armed");
                return;
            }
            // A CRM outside takes its time: more letters before the first are filed would only make the lots longer.
            if self.make == Make::Embedded || round % 10 == 0 {
                help(self);
            }
        }
        panic!("{KILL_AT}={armed} was never reached:\n{}", self.house.printed());
    }
}

/// Another seed varies how often a point is passed before the kill.
pub fn seed() -> u64 {
    std::env::var("POSTROOM_CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Kills a command at a point; before the commit it left nothing, so it can be said again.
fn by_command(house: &House, step: &str, moment: Moment) {
    let arguments = command(house, step);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut armed = house.command(&arguments);
    armed.env(KILL_AT, moment.of(step));
    let answer = Answer::of(armed);
    let said = format!("{}\n{}{}", answer.status, answer.out, answer.err);
    assert!(answer.killed(), "{arguments:?} did not pass {}: {said}", moment.of(step));
    if moment == Moment::Before {
        house.run(&arguments).succeeds();
    }
    let home = format!("account/{}", record_of(MOVED));
    house.run(&["message", "move", &message(house, MOVED), &home]).succeeds();
    inside::clean(&house.url);
}

/// A command that passes the step, on a house whose mail is settled.
fn command(house: &House, step: &str) -> Vec<String> {
    let line = match step {
        "operations.shelf" => {
            inside::shelved_job(&house.url);
            format!("shelf drop {} --yes", on_the_shelf(house))
        }
        "mail.placed" | "operations.audit" => {
            format!("message move {} account/{}", message(house, MOVED), record_of(MOVED + 1))
        }
        "operations.replay" => format!("message replay {}", message(house, LEFT)),
        "operations.token" => "apitoken create --scope agent".to_owned(),
        "operations.link" => "session link".to_owned(),
        "operations.token_revoke" => {
            let made = house.lines(&["apitoken", "create", "--scope", "agent"]);
            format!("apitoken revoke {}", made[0]["id"].as_str().expect("a token has an id"))
        }
        "tracking.setting" => {
            inside::safe_mode(&house.url);
            "reconcile --yes".to_owned()
        }
        other => panic!("no command is known that passes {other}"),
    };
    line.split(' ').map(str::to_owned).collect()
}

/// Letters that no other answers: one that a person moves about, and one that stays.
const MOVED: u64 = 1;
const LEFT: u64 = 4;

fn message(house: &House, number: u64) -> String {
    let messages = house.messages();
    messages[&message_id(number)][0]["id"].as_str().expect("a message has an id").to_owned()
}

fn on_the_shelf(house: &House) -> String {
    let items = house.lines(&["shelf", "list", "--limit", "0"]);
    let ids = items.iter().map(|item| item["id"].as_str().expect("an item has an id"));
    ids.collect::<Vec<_>>().join(" ")
}
