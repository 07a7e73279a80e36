//! The CRM hears of responses: who answered, the response, and its answers as one set. Answers that are no longer given go with
//! the same change set that writes the others.

use std::collections::{BTreeSet, HashMap};

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Record, RecordRef, Value, Verdict};
use uuid::Uuid;

use super::definitions::{Due, FORM, OPTION, QUESTION};
use super::matching::{self, Wishes};
use super::questions::{Questions, Said, moment, number};
use super::rows::{self, Stored};
use crate::events::whom::Whom;
use crate::sends::cut;
use crate::solution::options::Set;
use crate::sync::run::{Reject, Side};
use crate::sync::{Halt, Turn};
use crate::undo::written::{self, Kind, Write};

const RESPONSE: &str = "esc_response";
const ANSWER: &str = "esc_formanswer";
/// Responses of one lot.
const LOT: u64 = 200;

/// Tells the CRM of every response to a form that it has yet to hear of.
///
/// # Errors
/// Faults of the CRM that are not one row's.
pub async fn run(turn: &mut Turn, due: &Due, questions: &Questions) -> Result<(), Halt> {
    let mut wishes = None;
    loop {
        let (account, form) = (turn.account.name.clone(), due.form.id);
        let lot = turn.read(move |tx| async move { rows::untold(tx, &account, form, LOT).await }.boxed());
        let lot = lot.await?;
        if lot.is_empty() {
            return Ok(());
        }
        if turn.dry {
            // Nothing is noted, so the next lot would be the same one.
            let (account, form) = (turn.account.name.clone(), due.form.id);
            let number = turn.read(move |tx| async move { rows::waiting(tx, &account, form).await }.boxed());
            let number = number.await?;
            turn.counts.to_crm.sent += number;
            turn.counts.to_crm.changed += number;
            turn.foresee(lot.iter().map(Stored::sample));
            return Ok(());
        }
        if wishes.is_none() {
            wishes = Some(Wishes::read(turn, form).await?);
        }
        tell(turn, due, questions, wishes.as_ref().expect("read above"), lot).await?;
    }
}

/// A response on its way.
struct Going {
    row: Stored,
    said: Vec<Said>,
    whom: Whom,
    result: &'static str,
}

async fn tell(
    turn: &mut Turn,
    due: &Due,
    questions: &Questions,
    wishes: &Wishes,
    lot: Vec<Stored>,
) -> Result<(), Halt> {
    let addresses: BTreeSet<String> =
        lot.iter().map(|row| row.address.clone()).filter(|address| !address.is_empty()).collect();
    let holders = matching::holders(turn, addresses.into_iter().collect()).await?;
    let (mut going, mut unknown) = (Vec::new(), 0);
    for row in lot {
        let given = row.content.answers.iter().map(|one| (one.field, one.part, one.value.as_str()));
        let (said, unasked) = questions.answers(given);
        unknown += unasked;
        let hits = holders.get(&row.address).map(Vec::as_slice).unwrap_or_default();
        let whom = matching::whom(hits, wishes.create);
        let kept = row.matched.as_deref() == Some("Created") && row.record.as_ref() == whom.leader();
        let result = if kept { "Created" } else { matching::result(&whom) };
        going.push(Going { row, said, whom, result });
    }
    turn.counts.skip("answers to no question of the form", unknown);
    create(turn, due, wishes, &mut going).await?;
    write(turn, questions, going).await
}

/// Makes records for people nobody knows, where the form says so and the response is complete.
async fn create(turn: &mut Turn, due: &Due, wishes: &Wishes, going: &mut [Going]) -> Result<(), Halt> {
    let mut made: HashMap<String, Record> = HashMap::new();
    let mut rejects = Vec::new();
    for one in going.iter().filter(|one| is_new(one)) {
        let name = due.form.name.as_str();
        let Some((record, unfit)) =
            matching::made(wishes, &turn.connected.key, &one.row.address, name, &one.said)
        else {
            continue;
        };
        rejects.extend(unfit.into_iter().map(|reason| Reject {
            subject: one.row.address.clone(),
            code: None,
            reason,
            sent: format!("response {}", one.row.response),
            received: String::new(),
        }));
        made.entry(one.row.address.clone()).or_insert(record);
    }
    let (addresses, records): (Vec<String>, Vec<Record>) = made.into_iter().unzip();
    let at: Vec<RecordRef> = records.iter().map(|record| record.at.clone()).collect();
    written::intend(turn, at.iter().map(|at| Write::of(Kind::Made, at.clone())).collect()).await?;
    let sets = records.into_iter().map(|record| ChangeSet { changes: vec![Change::Create(record)] });
    let answers = if at.is_empty() { Vec::new() } else { turn.engine.crm.apply(sets.collect()).await };
    let mut there: HashMap<String, RecordRef> = HashMap::new();
    for ((address, at), answer) in addresses.into_iter().zip(at).zip(answers) {
        match answer {
            Ok(_) => drop(there.insert(address, at)),
            Err(fault) if fault.verdict == Verdict::Reject => {
                let sent = format!("create {at}");
                rejects.push(crate::sync::turn::rejected(address, &fault, sent));
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    turn.reject(rejects).await?;
    for one in going.iter_mut().filter(|one| is_new(one)) {
        if let Some(at) = there.get(&one.row.address) {
            one.whom.records.push(at.clone());
            one.result = "Created";
        }
    }
    Ok(())
}

fn is_new(one: &Going) -> bool {
    one.whom.records.is_empty() && one.row.content.complete && one.row.address.contains('@')
}

async fn write(turn: &mut Turn, questions: &Questions, going: Vec<Going>) -> Result<(), Halt> {
    let (mut rows, mut sets) = (Vec::new(), Vec::new());
    for one in going {
        let answers: Vec<Record> = one.said.iter().map(|said| answer(turn, &one, said, questions)).collect();
        let ids: Vec<Uuid> = answers.iter().map(|answer| answer.at.id).collect();
        let gone = one.row.answers.iter().filter(|old| !ids.contains(old));
        let gone = gone.map(|old| Change::Delete(RecordRef::new(ANSWER, *old)));
        let mut changes = vec![Change::Upsert(response(turn, &one))];
        changes.extend(gone);
        changes.extend(answers.into_iter().map(Change::Upsert));
        sets.push(ChangeSet { changes });
        let record = one.whom.leader().cloned();
        rows.push(Stored { answers: ids, matched: Some(one.result.to_owned()), record, ..one.row });
    }
    let (mut told, mut rejects, mut side, mut stop) = (Vec::new(), Vec::new(), Side::default(), None);
    for (row, answer) in rows.into_iter().zip(turn.engine.crm.apply(sets).await) {
        match answer {
            Ok(outcomes) => {
                side.applied(&outcomes);
                told.push(row);
            }
            // It stands among the rejected rows, and is told again when it changes.
            Err(fault) if fault.verdict == Verdict::Reject => {
                side.refused();
                let sent = format!("response {} {:?}", row.response, row.content);
                rejects.push(crate::sync::turn::rejected(row.address.clone(), &fault, sent));
                told.push(Stored { answers: Vec::new(), ..row });
            }
            Err(fault) => stop = Some(fault),
        }
    }
    note(turn, told, side).await?;
    turn.reject(rejects).await?;
    stop.map_or(Ok(()), |fault| Err(fault.into()))
}

async fn note(turn: &mut Turn, told: Vec<Stored>, side: Side) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let stored = turn.page("marketing.responses_told", move |tx, counts| {
        async move {
            let to = &mut counts.to_crm;
            (to.sent, to.new) = (to.sent + side.sent, to.new + side.new);
            (to.changed, to.same) = (to.changed + side.changed, to.same + side.same);
            to.rejected += side.rejected;
            rows::told(tx, &account, &told).await
        }
        .boxed()
    });
    Ok(stored.await?)
}

fn response(turn: &Turn, one: &Going) -> Record {
    let (keys, row) = (&turn.connected.key, &one.row);
    let key = keys.response(row.response);
    let name =
        if row.address.is_empty() { format!("Response {}", row.response) } else { row.address.clone() };
    let of_table = |table| one.whom.of(table);
    Record::new(RecordRef::new(RESPONSE, key.id(RESPONSE)))
        .with("esc_name", cut(&name, 200))
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_formid", RecordRef::new(FORM, keys.form(row.form).id(FORM)))
        .with("esc_serviceresponseid", row.response)
        .with("esc_emailaddress", Some(row.address.clone()).filter(|address| !address.is_empty()))
        .with("esc_contactid", of_table("contact"))
        .with("esc_leadid", of_table("lead"))
        .with("esc_accountid", of_table("account"))
        .with("esc_started", row.content.started.is_some())
        .with("esc_completed", row.content.complete)
        .with("esc_datestarted", row.content.started)
        .with("esc_datecompleted", row.content.completed)
        .with("esc_matchresult", Set::MatchResult.value(one.result))
        .with("esc_lastsyncedon", turn.now())
}

fn answer(turn: &Turn, one: &Going, said: &Said, questions: &Questions) -> Record {
    let (keys, row) = (&turn.connected.key, &one.row);
    let key = keys.answer(row.response, said.question, said.choice);
    let asked = questions.get(said.question).map(|question| &question.field);
    let (kind, text) = asked.map(|field| (field.kind.as_str(), field.text.as_str())).unwrap_or_default();
    let name = if text.trim().is_empty() { "Answer" } else { text };
    let question = keys.question(row.form, said.question).id(QUESTION);
    let option = said.choice.map(|choice| keys.question_option(row.form, said.question, choice).id(OPTION));
    Record::new(RecordRef::new(ANSWER, key.id(ANSWER)))
        .with("esc_name", cut(name, 200))
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_responseid", RecordRef::new(RESPONSE, keys.response(row.response).id(RESPONSE)))
        .with("esc_questionid", RecordRef::new(QUESTION, question))
        .with("esc_optionid", option.map(|id| RecordRef::new(OPTION, id)))
        .with("esc_value", cut(&said.text, 10_000))
        .with("esc_numericvalue", number(kind, &said.text).map(Value::Decimal).unwrap_or(Value::Null))
        .with("esc_datevalue", moment(kind, &said.text))
        .with("esc_lastsyncedon", turn.now())
}
