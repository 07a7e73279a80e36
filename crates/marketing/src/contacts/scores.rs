//! The service's opinion of people, onto every record with the address.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::address::normal;
use postroom_core::marketing::Score;
use postroom_core::{Change, ChangeSet, Record, RecordRef, Verdict};

use crate::people;
use crate::sync::cursor::{self, Cursor};
use crate::sync::since::Since;
use crate::sync::turn::{rejected, written};
use crate::sync::{Act, Halt, Turn};

/// The flow.
///
/// # Errors
/// Faults of either side; [`postroom_core::Code::MARKETING_FEATURE`] for an account without scores.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    turn.engine.read_people().await?;
    let account = turn.account.name.clone();
    let mut cursor: Cursor<Since> =
        turn.read(move |tx| async move { cursor::read(tx, &account, "scores").await }.boxed()).await?;
    let since = cursor.place.begin(turn.engine.rules.overlap);
    let latest = turn.account.service.server_time().await?;
    loop {
        let ask = cursor.place.ask();
        let page = turn.account.service.scores(since, &ask).await?;
        let more = cursor.place.pass(page.rows.iter().filter_map(|row| row.modified), latest, page.next);
        cursor.place.rest(turn.engine.rules.late);
        cursor = take(turn, page.rows, cursor).await?;
        if !more {
            return Ok(());
        }
    }
}

async fn take(turn: &mut Turn, page: Vec<Score>, mut cursor: Cursor<Since>) -> Result<Cursor<Since>, Halt> {
    let addresses: Vec<String> = page.iter().map(|score| normal(&score.email)).collect();
    let holders = turn.read(move |tx| async move { people::holders(tx, &addresses).await }.boxed()).await?;
    // A person may come twice in a reading; the newer score counts.
    let mut rows: HashMap<RecordRef, &Score> = HashMap::new();
    let mut unknown = 0;
    for score in &page {
        let found = holders.get(&normal(&score.email)).map_or(&[][..], Vec::as_slice);
        unknown += u64::from(found.is_empty());
        for holder in found {
            let kept = rows.entry(holder.at.clone()).or_insert(score);
            if kept.modified < score.modified {
                *kept = score;
            }
        }
    }
    write(turn, rows.into_iter().map(|(at, score)| record(at, score)).collect()).await?;
    let (read, dry) = (page.len() as u64, turn.dry);
    let stored = turn.page("marketing.scores_read", move |tx, counts| {
        async move {
            counts.read += read;
            counts.skip("not in the CRM", unknown);
            if !dry {
                cursor.write(tx).await?;
            }
            Ok(cursor)
        }
        .boxed()
    });
    Ok(stored.await.map_err(|error: postroom_store::Error| error)?)
}

fn record(at: RecordRef, score: &Score) -> Record {
    Record::new(at)
        .with("esc_score", i64::from(score.score))
        .with("esc_scorelabel", score.label.chars().take(50).collect::<String>())
        .with("esc_engagement", i64::from(score.engagement))
        .with("esc_suitability", i64::from(score.suitability))
        .with("esc_scoremodifiedon", score.modified)
        .with("esc_servicecontactid", i32::try_from(score.contact.0).ok())
}

async fn write(turn: &mut Turn, records: Vec<Record>) -> Result<(), Halt> {
    if turn.dry || records.is_empty() {
        turn.foresee_records(Act::Change, records.iter().map(|record| (record, None)));
        let number = records.len() as u64;
        turn.counts.to_crm.sent += number;
        turn.counts.to_crm.changed += number;
        return Ok(());
    }
    let sets = records.iter().map(|record| ChangeSet { changes: vec![Change::Update(record.clone())] });
    let answers = turn.engine.crm.apply(sets.collect()).await;
    let mut rejects = Vec::new();
    for (record, answer) in records.iter().zip(answers) {
        match answer {
            Ok(_) => turn.counts.to_crm.changed += 1,
            Err(fault) if fault.verdict == Verdict::Reject => {
                turn.counts.to_crm.rejected += 1;
                rejects.push(rejected(record.at.to_string(), &fault, written(record)));
            }
            Err(fault) => return Err(fault.into()),
        }
        turn.counts.to_crm.sent += 1;
    }
    Ok(turn.reject(rejects).await?)
}
