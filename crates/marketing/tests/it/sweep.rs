//! A flow that loses the answer of each of its calls to the service in turn, and one that dies in the middle of each: after
//! another run the books balance and both sides are as if nothing had happened.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::Record;
use postroom_core::marketing::{ContactRow, Names};
use postroom_marketing::sync::{RunState, SyncType};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};
use postroom_testkit::poll;

use crate::bench::On;
use crate::lab::Lab;

/// Calls of a flow at most; a flow that makes more than this is not swept to its end, which fails.
const MOST: u32 = 60;
/// A flow asks the CRM more often than the service: one call of so many goes wrong, those that write among them.
const STRIDE: usize = 3;

/// What goes wrong at one call.
#[derive(Debug, Clone, Copy)]
pub enum Wrong {
    /// It happens, and nobody hears.
    LostAnswer,
    /// The same, of a call to the CRM.
    LostInCrm,
    /// The process dies while it waits for the answer.
    Death,
}

/// Runs `flow` once for each call that it makes, with that call gone wrong, and again afterwards; `check` looks at the end.
pub async fn sweep(
    on: On,
    wrong: Wrong,
    prepare: impl AsyncFn(&Lab),
    flow: SyncType,
    check: impl AsyncFn(&Lab, &str),
) {
    let stride = if matches!(wrong, Wrong::LostInCrm) { STRIDE } else { 1 };
    for call in (0..MOST).step_by(stride) {
        let lab = Lab::new(on).await;
        prepare(&lab).await;
        lab.world.forget_calls();
        let named = format!("{flow}, {wrong:?} at call {call}");
        let reached = match wrong {
            Wrong::LostAnswer => lose(&lab, call, flow).await,
            Wrong::LostInCrm => lose_in_crm(&lab, call, flow).await,
            Wrong::Death => die(&lab, call, flow).await,
        };
        lab.world.clear_faults();
        lab.advance(SignedDuration::from_mins(2));
        let after = lab.run(flow).await;
        assert!(matches!(after.state, RunState::Done | RunState::Partly), "{named}: {after:?}");
        assert!(after.counts.balances(), "{named}: {after:?}");
        check(&lab, &named).await;
        if !reached {
            return;
        }
    }
    panic!("{flow} makes more than {MOST} calls");
}

fn calls(lab: &Lab) -> u64 {
    lab.world.calls().values().sum()
}

/// Whether the flow came to that call.
async fn lose(lab: &Lab, call: u32, flow: SyncType) -> bool {
    lab.world.fault(Switch { after: call, times: Some(1), ..Switch::always(Fault::LoseAnswer) });
    lab.run(flow).await;
    calls(lab) > u64::from(call)
}

async fn lose_in_crm(lab: &Lab, call: u32, flow: SyncType) -> bool {
    let nth = lab.door.calls.load(Ordering::SeqCst) + call as usize + 1;
    lab.door.lost.store(nth, Ordering::SeqCst);
    lab.run(flow).await;
    lab.door.calls.load(Ordering::SeqCst) >= nth
}

async fn die(lab: &Lab, call: u32, flow: SyncType) -> bool {
    let slow = Fault::Slow { milliseconds: 60_000 };
    lab.world.fault(Switch { after: call, times: Some(1), ..Switch::always(slow) });
    lab.begin(flow).await;
    let mut work = Box::pin(lab.work());
    let reached = poll::until_async(Duration::from_secs(60), async || calls(lab) > u64::from(call));
    tokio::select! {
        () = &mut work => false,
        reached = reached => {
            assert!(reached);
            drop(work);
            true
        }
    }
}

async fn some_opt_outs(lab: &Lab) {
    for (number, address) in ["anna@x.example", "o'brien+x@example.com", "cara@x.example"].iter().enumerate()
    {
        let at = lab.contact(number as u128, address).await;
        let names = Names { email: Some((*address).to_owned()), ..Names::default() };
        let row = ContactRow { names, ..ContactRow::default() };
        lab.account().service.patch_contact(&row, Default::default()).await.unwrap();
        match number {
            0 => lab.world.act(1, address, None, Act::Unsubscribe).unwrap(),
            _ => lab.write(Record::new(at).with("donotbulkemail", true)).await,
        }
    }
}

async fn all_agree(lab: &Lab, named: &str) {
    let (since, ask) = (jiff::Timestamp::UNIX_EPOCH, Default::default());
    let page = lab.account().service.suppressions(since, &ask);
    assert_eq!(page.await.unwrap().rows.len(), 3, "{named}");
    assert_eq!(lab.rows("esc_emailsupression").await.len(), 3, "{named}");
    for contact in lab.rows("contact").await.iter().filter(|row| row.text("firstname") != Some("")) {
        let flagged = contact.get("donotbulkemail") == Some(&true.into());
        assert!(flagged || contact.text("emailaddress1").is_none(), "{named}: {contact:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn opt_outs_survive_every_lost_answer() {
    sweep(On::Sqlite, Wrong::LostAnswer, some_opt_outs, SyncType::Suppressions, all_agree).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn opt_outs_survive_lost_answers_of_the_crm() {
    for on in [On::WebApi, On::Soap] {
        sweep(on, Wrong::LostInCrm, some_opt_outs, SyncType::Suppressions, all_agree).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn opt_outs_survive_death_at_every_call() {
    sweep(On::Sqlite, Wrong::Death, some_opt_outs, SyncType::Suppressions, all_agree).await;
}
