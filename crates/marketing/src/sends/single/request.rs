//! Reading the request rows of single sends, and deciding about each: who asks, for whom, with what.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::marketing::Personal;
use postroom_core::{Fault, Filter, Query, Record, RecordRef, Value};
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait, Order, Query as Sql};
use serde::Deserialize;
use uuid::Uuid;

use super::row::{Kind, Single, State};
use crate::people;
use crate::sends::request::{campaign_row, choice, moment, number, service_id, unfit};
use crate::solution::options::Set;
use crate::solution::roles::Duty;
use crate::sync::Turn;

pub(super) const TABLE: &str = "esc_emailsinglesend";

/// The request rows of these ids, by id.
pub(crate) async fn rows(turn: &Turn, ids: &[Uuid]) -> Result<HashMap<Uuid, Record>, Fault> {
    let mut rows = HashMap::new();
    for some in ids.chunks(100) {
        let these = some.iter().map(|id| Value::Guid(*id)).collect();
        let query = Query::of(TABLE).filter(Filter::In("esc_emailsinglesendid".to_owned(), these));
        rows.extend(turn.engine.crm.query(&query).await?.into_iter().map(|row| (row.at.id, row)));
    }
    Ok(rows)
}

/// Fills in what a request asks for. A refusal ends it; other faults are those of the CRM and of the store.
pub(crate) async fn fill(turn: &Turn, single: &mut Single, row: Option<&Record>) -> Result<(), Fault> {
    match fit(turn, single, row).await {
        Ok(()) => Ok(()),
        Err(fault) if fault.verdict == postroom_core::Verdict::Reject => {
            single.end(State::Failed, Some(fault.message));
            Ok(())
        }
        Err(fault) => Err(fault),
    }
}

async fn fit(turn: &Turn, single: &mut Single, row: Option<&Record>) -> Result<(), Fault> {
    let Some(row) = row else { return Err(unfit("the request row was deleted")) };
    let Some(actor) = row.lookup("createdby").map(|at| at.id) else {
        return Err(unfit("nobody knows who made the request: it has no createdby"));
    };
    let duty = match single.kind {
        Kind::Marketing => Duty::SendSingle,
        Kind::Transactional => Duty::Send,
        Kind::Program => program_duty(turn).await?,
    };
    if !turn.engine.rules.permits.may(turn.engine.crm.as_ref(), actor, duty).await? {
        return Err(unfit(match duty {
            Duty::Send => "who asks may not do that: it takes the role Email Marketing Manager",
            _ => "who asks may not do that: it takes the role Email Marketing Professional or Manager",
        }));
    }
    single.details.target = Some(match single.kind {
        Kind::Program => {
            let program = number(row, "esc_programid").and_then(|id| i64::try_from(id).ok());
            program.filter(|id| *id > 0).ok_or_else(|| unfit("the request names no program"))?
        }
        _ => {
            let campaign = campaign_row(turn, row).await?;
            let triggered = choice(&campaign, "esc_status", Set::CampaignStatus) == Some("Triggered");
            single.details.standard = single.kind == Kind::Marketing && !triggered;
            service_id(&campaign)?.0
        }
    });
    single.details.values = values(row.text("esc_personalisation").unwrap_or_default())?;
    single.wake = moment(row, "esc_scheduledon").filter(|at| *at > turn.now()).or(single.wake);
    single.details.record =
        Some(person(row).ok_or_else(|| unfit("the request names no contact, lead or account"))?);
    Ok(())
}

/// Whom a request row is about.
pub(super) fn person(row: &Record) -> Option<RecordRef> {
    let columns = ["esc_contactid", "esc_leadid", "esc_accountid"];
    columns.into_iter().find_map(|column| row.lookup(column)).cloned()
}

/// Who may put people into programs, as the account's row says.
async fn program_duty(turn: &Turn) -> Result<Duty, Fault> {
    let by_id = Filter::eq("esc_emailaccountid", turn.connected.row().id);
    let query = Query::of("esc_emailaccount").select(&["esc_programaccess"]).filter(by_id);
    let row = turn.engine.crm.query(&query).await?.pop();
    let access = row.and_then(|row| row.int("esc_programaccess")).and_then(|value| i32::try_from(value).ok());
    match access.and_then(|value| Set::ProgramAccess.option(value)) {
        Some("Disabled") => Err(unfit("the account's settings allow nobody to put people into programs")),
        Some("Managers only") => Ok(Duty::Send),
        _ => Ok(Duty::SendSingle),
    }
}

#[derive(Deserialize)]
struct Pair {
    label: String,
    value: serde_json::Value,
}

/// `[{"label": …, "value": …}]` as a workflow fills it.
fn values(text: &str) -> Result<Personal, Fault> {
    if text.trim().is_empty() {
        return Ok(Personal::new());
    }
    let pairs: Vec<Pair> = serde_json::from_str(text).map_err(|_| {
        unfit("the personalisation cannot be read: write [{\"label\": \"…\", \"value\": \"…\"}]")
    })?;
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(pairs.into_iter().map(|pair| (pair.label, text(pair.value))).collect())
}

/// The first address of each record, as people were last read.
pub(crate) async fn addresses(turn: &Turn, singles: &mut [Single]) -> Result<(), Error> {
    let records: Vec<Uuid> =
        singles.iter().filter_map(|single| Some(single.details.record.as_ref()?.id)).collect();
    let found = turn
        .read(move |tx| {
            async move {
                let mut found: HashMap<Uuid, String> = HashMap::new();
                for some in records.chunks(256) {
                    let select = Sql::select()
                        .columns(["record", "address"])
                        .from("person_address")
                        .and_where(Expr::col("record").is_in(some.iter().copied()))
                        .and_where(Expr::col("record_table").is_in(people::TABLES))
                        .order_by("place", Order::Asc)
                        .to_owned();
                    for row in tx.query(&select).await? {
                        found.entry(row.at(0)?).or_insert(row.at(1)?);
                    }
                }
                Ok(found)
            }
            .boxed()
        })
        .await?;
    for single in singles {
        let address = single.details.record.as_ref().and_then(|record| found.get(&record.id));
        single.person = address.cloned().unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[(&str, &str)]>) {
        let expected =
            expected.map(|pairs| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect());
        assert_eq!(values(text).ok(), expected, "{text}");
    }

    #[test]
    fn personalisation() {
        check("", Some(&[]));
        check(
            r#"[{"label":"QUOTE","value":"o'brien"},{"label":"N","value":7}]"#,
            Some(&[("QUOTE", "o'brien"), ("N", "7")]),
        );
        check(r#"[{"label":"GONE","value":null}]"#, Some(&[("GONE", "")]));
        check("QUOTE=7", None);
    }
}
