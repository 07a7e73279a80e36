//! Tables that the CRM must have, and what the user must be allowed at them, by the names of privileges.
//!
//! The definitions say which privileges a table has, `RetrieveUserPrivileges` which ones the user holds. A server that does
//! not tell is asked for one row of each table, which shows what may be read.

use std::collections::HashMap;

use postroom_core::metadata::{PrivilegeInfo, PrivilegeKind};
use postroom_core::{Code, Filter, Query, Value, Verdict};
use uuid::Uuid;

use super::{Probe, Step};
use crate::outside::Who;

/// Names with the same reason that are told one by one.
const NAMED: usize = 5;

/// What is done with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub table: String,
    pub kinds: Vec<PrivilegeKind>,
    /// The work goes on without it, and the step says what is lost.
    pub optional: Option<&'static str>,
    /// It may not be there yet, and this brings it; once it is there, it is needed.
    pub brought: Option<&'static str>,
}

impl Need {
    pub fn new(table: &str, kinds: &[PrivilegeKind]) -> Self {
        Need { table: table.to_owned(), kinds: kinds.to_vec(), optional: None, brought: None }
    }
}

/// A privilege over no table. The work goes on without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    pub name: &'static str,
    /// What is lost then.
    pub without: &'static str,
}

/// `tables` and `privileges`.
pub(super) async fn steps(probe: &Probe<'_>, who: Who) -> [Step; 2] {
    let (mut defined, mut missing, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for need in &probe.needs {
        match probe.crm.metadata(&[&need.table]).await {
            Ok(found) => match found.table(&need.table) {
                Some(table) => defined.push((need, table.privileges.clone())),
                None => missing.push(need),
            },
            Err(fault) if fault.code == Code::CRM_UNKNOWN_COLUMN => missing.push(need),
            Err(fault) if fault.verdict == Verdict::Reject => {
                let text = format!("the definitions of {} may not be read: {}", need.table, fault.message);
                let fix = "give the user a security role (an application user has none at first): docs/DYNAMICS.md lists its privileges";
                return [Step::failed("tables", text, fix), Step::skipped("privileges", "see tables")];
            }
            Err(fault) => return [Step::fault("tables", &fault), Step::skipped("privileges", "see tables")],
        }
    }
    missing.retain(|need: &&Need| match need.optional.or(need.brought) {
        Some(without) => {
            lost.push((without, need.table.as_str()));
            false
        }
        None => true,
    });
    [tables(&defined, &missing, &grouped(&lost)), privileges(probe, who, &defined).await]
}

/// Names with the same reason, and the reason once: `list, campaign (e-mail marketing needs it)`.
fn grouped(lost: &[(&str, &str)]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (reason, name) in lost {
        match groups.iter_mut().find(|(known, _)| known == reason) {
            Some((_, names)) => names.push(name),
            None => groups.push((reason, vec![name])),
        }
    }
    let text = |(reason, names): (&str, Vec<&str>)| match names.len().checked_sub(NAMED) {
        None | Some(0) => format!("{} ({reason})", names.join(", ")),
        Some(more) => format!("{} and {more} more ({reason})", names[..NAMED].join(", ")),
    };
    groups.into_iter().map(text).collect()
}

type Defined<'n> = (&'n Need, Vec<PrivilegeInfo>);

fn tables(defined: &[Defined<'_>], missing: &[&Need], lost: &[String]) -> Step {
    let without = if lost.is_empty() { String::new() } else { format!("; without {}", lost.join(", ")) };
    if missing.is_empty() {
        return Step::well("tables", format!("all {} that are needed are there{without}", defined.len()));
    }
    let names: Vec<&str> = missing.iter().map(|need| need.table.as_str()).collect();
    let fix = "take tables that this organisation does not have out of [token] tables, or install the solution that brings them";
    Step::failed("tables", format!("missing: {}{without}", names.join(", ")), fix)
}

async fn privileges(probe: &Probe<'_>, who: Who, defined: &[Defined<'_>]) -> Step {
    let held: HashMap<Uuid, bool> = match probe.crm.privileges(who.user).await {
        Ok(Some(held)) => held.into_iter().fold(HashMap::new(), |mut all, one| {
            *all.entry(one.privilege).or_default() |= one.whole;
            all
        }),
        Ok(None) => return by_reading(probe, defined).await,
        Err(fault) if fault.verdict == Verdict::Reject => return by_reading(probe, defined).await,
        Err(fault) => return Step::fault("privileges", &fault),
    };
    let (mut lacks, mut narrow, mut count) = (Vec::new(), Vec::new(), 0);
    let mut closed = beyond(probe, &held, &mut count).await;
    let mut absent = closed.len();
    // Without transactions the rows of a set that is refused midway are taken back one by one.
    let takes_back = probe.crm.capabilities().await.is_ok_and(|can| !can.transaction);
    for (need, known) in defined {
        let undo = takes_back && need.kinds.contains(&PrivilegeKind::Create);
        let is_wanted = |kind| need.kinds.contains(&kind) || undo && kind == PrivilegeKind::Delete;
        let wanted: Vec<&PrivilegeInfo> = known.iter().filter(|known| is_wanted(known.kind)).collect();
        let is_narrow = |one: &&&PrivilegeInfo| {
            one.kind == PrivilegeKind::Read && one.levels && held.get(&one.id) == Some(&false)
        };
        narrow.extend(wanted.iter().filter(is_narrow).map(|one| one.name.clone()));
        let missing: Vec<&PrivilegeInfo> =
            wanted.iter().copied().filter(|one| !held.contains_key(&one.id)).collect();
        count += wanted.len();
        match need.optional {
            None => lacks.extend(missing.iter().map(|one| one.name.clone())),
            Some(lost) => {
                absent += missing.len();
                match missing.iter().any(|one| one.kind == PrivilegeKind::Read) {
                    true => closed.extend(without(need)),
                    false => closed.extend(missing.iter().map(|one| format!("{} ({lost})", one.name))),
                }
            }
        }
    }
    lacks.sort();
    lacks.dedup();
    narrow.sort();
    narrow.dedup();
    if !lacks.is_empty() {
        let text = format!("the user lacks {}{}", lacks.join(", "), unreached(&closed));
        return Step::failed(
            "privileges",
            text,
            "give the user's security role these privileges, at the level Organization",
        );
    }
    let all = format!("the user has all {} that are needed{}", count - absent, unreached(&closed));
    let step = Step::well("privileges", all);
    match narrow.is_empty() {
        true => step,
        false => step.with_fix(format!(
            "not for the whole organisation: {}. Records of others are then not found: give them in a role of the user at the level Organization (what a team gives is always shown as the lowest)",
            narrow.join(", ")
        )),
    }
}

/// The privileges over no table that are lacking, with what is lost. A server that does not say what they are called there is
/// believed to give them.
async fn beyond(probe: &Probe<'_>, held: &HashMap<Uuid, bool>, count: &mut usize) -> Vec<String> {
    let names: Vec<Value> = probe.rights.iter().map(|right| Value::text(right.name)).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let query = Query::of("privilege").select(&["name"]).filter(Filter::In("name".into(), names));
    let known = probe.crm.query(&query).await.unwrap_or_default();
    *count += known.len();
    let lacking =
        known.iter().filter(|row| !held.contains_key(&row.at.id)).filter_map(|row| row.text("name"));
    let right = |name: &str| probe.rights.iter().find(|right| right.name.eq_ignore_ascii_case(name));
    lacking.filter_map(right).map(|right| format!("{} ({})", right.name, right.without)).collect()
}

/// A table that the work goes on without, and what is lost.
fn without(need: &Need) -> Option<String> {
    need.optional.map(|lost| format!("{} ({lost})", need.table))
}

fn unreached(tables: &[String]) -> String {
    if tables.is_empty() { String::new() } else { format!("; out of reach: {}", tables.join(", ")) }
}

/// The server does not tell: one row of each table is asked for.
async fn by_reading(probe: &Probe<'_>, defined: &[Defined<'_>]) -> Step {
    let (mut closed, mut lost) = (Vec::new(), Vec::new());
    for (need, _) in defined.iter().filter(|(need, _)| need.kinds.contains(&PrivilegeKind::Read)) {
        if let Err(fault) = probe.crm.query(&Query::of(&need.table).select(&[]).top(1)).await {
            match without(need) {
                Some(without) => lost.push(without),
                None => closed.push(format!("{} ({})", need.table, fault.message)),
            }
        }
    }
    match closed.is_empty() {
        true => Step::well(
            "privileges",
            format!(
                "this server does not list them; every table that is needed can be read, writing was not tried{}",
                unreached(&lost)
            ),
        ),
        false => Step::failed(
            "privileges",
            format!("cannot be read: {}", closed.join(", ")),
            "give the user's security role the privilege to read these tables, at the level Organization",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[track_caller]
    fn check(lost: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(grouped(lost), expected);
    }

    #[test]
    fn what_has_one_reason_is_told_together() {
        check(&[], &[]);
        check(&[("x", "a"), ("y", "b"), ("x", "c")], &["a, c (x)", "b (y)"]);
        let many = ["a", "b", "c", "d", "e", "f", "g"].map(|name| ("x", name));
        check(&many[..5], &["a, b, c, d, e (x)"]);
        check(&many, &["a, b, c, d, e and 2 more (x)"]);
    }
}
