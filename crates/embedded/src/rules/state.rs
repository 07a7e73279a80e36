//! `statecode` and `statuscode`: each status belongs to one state, and a state has a status it begins with.

use super::Refusal;
use crate::schema::{Choice, Kind, Table};

/// A row's state and status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub state: i64,
    /// `None` only in tables that have a state and no status.
    pub status: Option<i64>,
}

/// What a row's standing becomes. `now` is `None` for a new row. A status of another state needs its state beside it, as
/// the platform has it.
pub(crate) fn settle(
    table: &Table,
    now: Option<Standing>,
    state: Option<i64>,
    status: Option<i64>,
) -> Result<Option<Standing>, Refusal> {
    let Some(first) = choices(table, Kind::State).first().map(|choice| choice.value) else { return Ok(None) };
    let settled = state.or(now.map(|now| now.state)).unwrap_or(first);
    let statuses = choices(table, Kind::Status);
    let unmoved = now.filter(|now| now.state == settled).and_then(|now| now.status);
    let status = status.or(unmoved).or_else(|| begins_with(statuses, settled));
    let fits =
        |status: i64| statuses.iter().any(|choice| choice.value == status && choice.state == Some(settled));
    match status {
        Some(status) if !fits(status) => Err(refuse(table, settled, status)),
        status => Ok(Some(Standing { state: settled, status })),
    }
}

/// The status that the platform gives a row entering a state: the first that is listed for it.
fn begins_with(statuses: &[Choice], state: i64) -> Option<i64> {
    statuses.iter().find(|choice| choice.state == Some(state)).map(|choice| choice.value)
}

fn choices(table: &Table, kind: Kind) -> &[Choice] {
    table.columns.iter().find(|column| column.kind == kind).map_or(&[], |column| &column.choices)
}

fn refuse(table: &Table, state: i64, status: i64) -> Refusal {
    let pair = |choice: &Choice| {
        choice.state.map(|state| format!("{state}/{} {}", choice.value, choice.label.trim()))
    };
    let pairs: Vec<String> = choices(table, Kind::Status).iter().filter_map(pair).collect();
    Refusal::State { table: table.name.clone(), state, status: status.to_string(), pairs: pairs.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[track_caller]
    fn check(
        table: &str,
        now: Option<(i64, i64)>,
        given: (Option<i64>, Option<i64>),
        expected: Option<(i64, i64)>,
    ) {
        let schema = Schema::new(1, Schema::standard());
        let now = now.map(|(state, status)| Standing { state, status: Some(status) });
        let answer = settle(schema.table(table).unwrap(), now, given.0, given.1);
        let pair = answer.ok().flatten().map(|standing| (standing.state, standing.status.unwrap()));
        assert_eq!(pair, expected);
    }

    #[test]
    fn defaults_of_new_rows() {
        check("email", None, (None, None), Some((0, 1)));
        check("email", None, (Some(1), None), Some((1, 2)));
        check("email", None, (Some(1), Some(4)), Some((1, 4)));
        check("incident", None, (None, None), Some((0, 1)));
        check("campaign", None, (None, None), Some((0, 0)));
        check("mailbox", None, (Some(1), None), Some((1, 2)));
    }

    #[test]
    fn pairs_that_do_not_go_together() {
        check("email", None, (Some(0), Some(4)), None);
        check("email", None, (None, Some(6)), None);
        check("lead", Some((0, 1)), (Some(1), Some(2)), None);
    }

    #[test]
    fn changes_of_state() {
        check("email", Some((1, 6)), (None, Some(7)), Some((1, 7)));
        check("email", Some((1, 7)), (Some(0), Some(8)), Some((0, 8)));
        check("email", Some((0, 8)), (Some(0), None), Some((0, 8)));
        check("lead", Some((0, 2)), (Some(2), None), Some((2, 4)));
    }
}
