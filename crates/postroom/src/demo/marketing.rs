//! The third act of the demo: the marketing service beside the CRM, and people who want no more mail, on either side.

use std::sync::Arc;

use jiff::SignedDuration;
use postroom_core::marketing::Polling;
use postroom_core::{Change, ChangeSet, Fault, Filter, Query, Record, RecordRef, Value};
use postroom_marketing::engine::Rules;
use postroom_operations::SolutionAsk;
use postroom_operations::marketing::SyncType;
use postroom_sandbox::dotdigital::Act;

use super::stage::{Stage, until};
use super::world::ACCOUNT;
use crate::app::App;
use crate::commands::actor;
use crate::report::CliError;

/// Leaves at the service.
pub const INGRID: &str = "ingrid.solberg@fjordbad.example";
/// Leaves in the CRM.
pub const JONAS: &str = "jonas.weiss@adler-brauerei.example";

/// Waits as short as the stand-in needs them: a demo is watched.
pub fn hurried(app: App) -> App {
    let Some(mut engine) = app.engine.clone() else { return app };
    let short = SignedDuration::from_millis(200);
    let polling = Polling { first: short, longest: short };
    engine.rules = Arc::new(Rules { soon: short, polling, ..Rules::clone(&engine.rules) });
    app.with_engine(engine)
}

/// What the marketing half needs in the CRM. What is there already stays.
pub async fn install(app: &App) -> Result<(), Fault> {
    let ask = SolutionAsk::default();
    app.operations.solution_install(&actor(), &ask, |_| {}).await.map(drop)
}

pub async fn play(stage: &mut Stage<'_>) -> Result<(), CliError> {
    stage.scene("15 Ingrid Solberg unsubscribes from a newsletter at the marketing service.")?;
    let left = stage.world.service.act(1, INGRID, None, Act::Unsubscribe);
    stage.check(left.is_ok(), left.err().unwrap_or_default(), "she left")?;
    exchange(stage).await?;
    let ingrid = holder(stage, INGRID).await?;
    until("the opt-out in the CRM", async || {
        let flagged = bulk_mail(stage.app, &ingrid).await? == Some(false);
        Ok(flagged.then_some(()))
    })
    .await?;
    stage.check(true, "", "her contact in the CRM allows no bulk e-mail any more")?;
    let known = stage.app.operations.check_suppression(&actor(), INGRID, None).await?;
    for reason in known.reasons.iter().take(1) {
        stage.reason(&reason.text)?;
    }

    stage.scene("16 Jonas Weiß says on the phone that he wants none; his contact is marked in the CRM.")?;
    let jonas = holder(stage, JONAS).await?;
    let marked = Record::new(jonas).with("donotbulkemail", true);
    let set = ChangeSet { changes: vec![Change::Update(marked)] };
    stage.app.filing.crm.apply(vec![set]).await.pop().expect("an answer for the set")?;
    exchange(stage).await?;
    until("the opt-out at the service", async || {
        let out = stage.world.service.person(1, JONAS).is_some_and(|person| person.status.suppresses());
        Ok(out.then_some(()))
    })
    .await?;
    stage.check(true, "", "the service will mail him nothing, whoever imports him there again")
}

async fn exchange(stage: &Stage<'_>) -> Result<(), Fault> {
    stage.app.operations.sync_now(&actor(), ACCOUNT, SyncType::Suppressions, false).await.map(drop)
}

/// The contact with an address.
pub async fn holder(stage: &Stage<'_>, address: &str) -> Result<RecordRef, CliError> {
    let hits = stage.app.filing.crm.find_addresses(&[address.to_owned()]).await?;
    let contact = hits.into_iter().find(|hit| hit.record.table == "contact");
    Ok(contact.map(|hit| hit.record).ok_or_else(|| Fault::bug("the demo's organisation knows them"))?)
}

/// Whether a contact may get bulk mail.
pub async fn bulk_mail(app: &App, at: &RecordRef) -> Result<Option<bool>, Fault> {
    let query =
        Query::of(&at.table).select(&["donotbulkemail"]).filter(Filter::eq("contactid", Value::from(at.id)));
    let row = app.filing.crm.query(&query).await?.pop();
    Ok(row.and_then(|row| row.get("donotbulkemail").and_then(Value::as_bool)).map(|out| !out))
}
