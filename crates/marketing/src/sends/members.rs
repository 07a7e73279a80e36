//! The members of the marketing lists that a send goes to, static or dynamic.

use postroom_core::{Fault, Filter, Query, RecordRef};

use super::request::unfit;
use super::row::Target;
use crate::lists::here::CrmList;
use crate::lists::read_here;
use crate::sync::Turn;

/// The members of the lists, each with the place of its list. A list that cannot be read stops the send: nobody may be
/// mailed by half an audience.
pub async fn of_lists(turn: &Turn, lists: &[Target]) -> Result<Vec<(RecordRef, usize)>, Fault> {
    let mut members = Vec::new();
    for (place, target) in lists.iter().enumerate() {
        let by_id = Query::of("list").filter(Filter::eq("listid", target.list));
        let Some(row) = turn.engine.crm.query(&by_id).await?.pop() else {
            return Err(unfit(format!("the list {:?} was deleted", target.name)));
        };
        let found = read_here::members(turn, &CrmList::of(row)).await?;
        members.extend(found.into_iter().map(|at| (at, place)));
    }
    Ok(members)
}
