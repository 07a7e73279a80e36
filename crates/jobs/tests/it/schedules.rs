//! Schedules over several nodes.

use jiff::{SignedDuration, Timestamp};
use postroom_jobs::schedule::tick;
use postroom_jobs::{NewJob, Plan, Schedule};

use crate::harness::{Lab, on_both};

on_both! {
    a_due_schedule_fires_once_over_several_nodes,
    missed_times_fire_once,
    a_changed_schedule_starts_anew,
    after_the_clock_was_set_back_it_neither_waits_nor_doubles,
}

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn plan(cron: &str) -> Plan {
    let schedule = Schedule::new(cron, "UTC").expect("a good schedule");
    Plan { name: "nightly".into(), schedule, job: NewJob::new("sweep", serde_json::Value::Null) }
}

fn minutes(count: i64) -> Timestamp {
    START + SignedDuration::from_mins(count)
}

/// Ticks at each of `at` minutes and checks how many jobs came of it.
async fn check_fired(lab: &Lab, plan: &Plan, at: &[(i64, u64)]) {
    for (minute, expected) in at {
        let fired = tick(&lab.store, &lab.ids, minutes(*minute), std::slice::from_ref(plan)).await;
        assert_eq!(fired.expect("ticked"), *expected, "in minute {minute}");
    }
}

async fn a_due_schedule_fires_once_over_several_nodes(lab: Lab) {
    let plan = plan("*/10 * * * *");
    check_fired(&lab, &plan, &[(0, 0), (9, 0)]).await;
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, ids, plan) = (lab.store.clone(), lab.ids.clone(), plan.clone());
        nodes.spawn(async move { tick(&store, &ids, minutes(10), &[plan]).await.expect("ticked") });
    }
    assert_eq!(nodes.join_all().await.iter().sum::<u64>(), 1);
    assert_eq!(lab.job_count().await, 1);
    check_fired(&lab, &plan, &[(10, 0), (19, 0), (20, 1)]).await;
}

async fn missed_times_fire_once(lab: Lab) {
    check_fired(&lab, &plan("*/10 * * * *"), &[(0, 0), (95, 1), (96, 0), (100, 1)]).await;
}

async fn a_changed_schedule_starts_anew(lab: Lab) {
    check_fired(&lab, &plan("*/10 * * * *"), &[(0, 0)]).await;
    check_fired(&lab, &plan("*/30 * * * *"), &[(11, 0), (20, 0), (29, 0), (30, 1)]).await;
}

async fn after_the_clock_was_set_back_it_neither_waits_nor_doubles(lab: Lab) {
    let plan = plan("*/10 * * * *");
    check_fired(&lab, &plan, &[(0, 0), (10_000, 1), (15, 0), (20, 1)]).await;
    // The time at 20 has fired, and comes again.
    check_fired(&lab, &plan, &[(12, 0), (20, 0), (30, 1)]).await;
}
