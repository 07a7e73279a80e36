//! Responses from the service into the store, with the mark; and consent among their answers into the ledger, in the same unit.
//!
//! A response changes: it is begun, goes on, and is complete. What is stored is what came last.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::Ids;
use postroom_core::marketing::{FormId, Response};
use postroom_store::{Error, Tx};

use super::questions::Questions;
use super::rows::{self, Stored};
use super::settings::Settings;
use crate::consent::history::{Entry, Said, Scope};
use crate::consent::ledger::{self, Noted};
use crate::person::erased;
use crate::suppressions::lift::{self, Lifted, Yes};
use crate::suppressions::rows::Origin;
use crate::sync::cursor::{self, Cursor};
use crate::sync::forecast::Foretold;
use crate::sync::since::Since;
use crate::sync::{Halt, Turn};

/// Reads the responses to a form since its mark.
///
/// # Errors
/// Faults of the service; what was stored until then stays.
pub async fn read(turn: &mut Turn, form: i64, questions: &Questions, latest: Timestamp) -> Result<(), Halt> {
    let (account, stream) = (turn.account.name.clone(), format!("forms/{form}"));
    let mut cursor: Cursor<Since> =
        turn.read(move |tx| async move { cursor::read(tx, &account, &stream).await }.boxed()).await?;
    let since = cursor.place.begin(turn.engine.rules.overlap);
    loop {
        let ask = cursor.place.ask();
        let page = turn.account.service.responses(&FormId(form), since, &ask).await?;
        let moments = page.rows.iter().filter_map(|row| row.completed.or(row.started));
        let more = cursor.place.pass(moments, latest, page.next);
        cursor = store(turn, form, page.rows, questions, cursor).await?;
        if !more {
            return Ok(());
        }
    }
}

async fn store(
    turn: &mut Turn,
    form: i64,
    page: Vec<Response>,
    questions: &Questions,
    mut cursor: Cursor<Since>,
) -> Result<Cursor<Since>, Error> {
    let (account, ids, now, dry) = (turn.account.name.clone(), turn.engine.ids.clone(), turn.now(), turn.dry);
    let (settings, questions) = (turn.account.settings.forms.clone(), questions.clone());
    let before = turn.counts.clone();
    let stored = turn.page("marketing.responses_read", move |tx, counts| {
        async move {
            let mut foretold = Foretold::default();
            let read = page.len() as u64;
            let rows: Vec<Stored> =
                page.into_iter().map(|response| Stored::of(form, response, now)).collect();
            let rows = known_people(tx, rows).await?;
            counts.read += read;
            counts.skip("erased or too old", read - rows.len() as u64);
            let (taken, same) = rows::take(tx, &account, rows).await?;
            counts.skip("known already", same);
            let said: Vec<Noted> =
                taken.iter().flat_map(|row| consents(&account, row, &questions, &settings, now)).collect();
            ledger::add(tx, &ids, &said).await?;
            let back = let_back(tx, &ids, now, &account, &said).await?;
            counts.skip("opted out before, and let back", back);
            match dry {
                false => cursor.write(tx).await?,
                true => foretold.count(counts, taken.iter().filter(|row| !row.told_crm).map(Stored::sample)),
            }
            Ok((cursor, foretold))
        }
        .boxed()
    });
    let (cursor, foretold) = stored.await?;
    turn.foresee_told(foretold, &before);
    Ok(cursor)
}

/// Without those of people who were erased.
async fn known_people(tx: &mut Tx, mut rows: Vec<Stored>) -> Result<Vec<Stored>, Error> {
    let gone = erased::among(tx, rows.iter().map(|row| row.address.as_str())).await?;
    rows.retain(|row| !erased::forgets(&gone, &row.address, row.at));
    Ok(rows)
}

/// Lifts the opt-outs that this consent is newer than. The service heard the answer and may hold the address back all the same,
/// so it is told; what it does not let back is suppressed here again.
async fn let_back(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    account: &str,
    said: &[Noted],
) -> Result<u64, Error> {
    let mut back = 0;
    for Noted { address, entry, .. } in said {
        let yes = Yes {
            at: entry.at,
            source: entry.source.clone(),
            actor: String::new(),
            proof: entry.proof.clone(),
        };
        let lifted = lift::lift(tx, ids, now, account, Origin::Here, address, &yes).await?;
        back += u64::from(matches!(lifted, Lifted::Done(_)));
    }
    Ok(back)
}

/// The ledger's entries of a complete response: explicit, dated, and with what shows it.
fn consents(
    account: &str,
    row: &Stored,
    questions: &Questions,
    settings: &Settings,
    now: Timestamp,
) -> Vec<Noted> {
    let at = row.content.completed.filter(|_| row.content.complete && !row.address.is_empty());
    let Some(at) = at else { return Vec::new() };
    let given = row.content.answers.iter().filter(|given| {
        let question = given.part.unwrap_or(given.field);
        settings.consents(row.form, question, &given.value)
            || settings.consents(row.form, given.field, &given.value)
    });
    let entry = |given: &rows::Given| {
        let question = given.part.unwrap_or(given.field);
        let said = questions.said(given.field, given.part, &given.value);
        let asked = questions.get(question).map(|question| question.field.text.clone()).unwrap_or_default();
        let answered = said.map(|said| said.text).unwrap_or_else(|| given.value.clone());
        let (form, response) = (row.form, row.response);
        let entry = Entry {
            scope: Scope::Account,
            said: Said::In,
            at,
            known: now,
            source: format!("form {form}, response {response}"),
            actor: String::new(),
            proof: format!(
                "form {form}, question {question} {asked:?} answered {answered:?}, response {response} of {at}"
            ),
        };
        Noted { account: account.to_owned(), address: row.address.clone(), entry }
    };
    given.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use postroom_core::marketing::Answer;

    use super::super::settings::ConsentQuestion;
    use super::*;

    #[test]
    fn only_complete_and_dated_answers_are_consent() {
        let settings = Settings { consent: vec![ConsentQuestion { form: 1, question: 2, choice: None }] };
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let answer = Answer { field: 2, part: None, value: "Yes".into() };
        let whole = Response {
            id: 9,
            email: Some("O'Brien+X@example.com".into()),
            started: Some(at),
            complete: true,
            completed: Some(at),
            answers: vec![answer],
        };
        let check = |response: Response, number: usize| {
            let row = Stored::of(1, response, at);
            let said = consents("main", &row, &Questions::default(), &settings, at);
            assert_eq!(said.len(), number);
            said
        };
        let said = check(whole.clone(), 1);
        assert_eq!(said[0].address, "o'brien+x@example.com");
        assert!(
            said[0].entry.proof.contains("form 1, question 2") && said[0].entry.proof.contains("response 9")
        );
        check(Response { complete: false, ..whole.clone() }, 0);
        check(Response { completed: None, ..whole.clone() }, 0);
        check(Response { email: None, ..whole }, 0);
    }
}
