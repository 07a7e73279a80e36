//! Marketing lists of the CRM and lists of the service (marketing-sync.md 3, 4 and 10).
//!
//! # Design
//!
//! 1. [`headers`]: each list of the CRM that is activated for e-mail has a list of the service, by id ([`links`]).
//! 2. [`read_here`] and [`read_there`] keep who is on either side in the store. They are memories of what each side said, so a dry
//!    run writes them too. Lists of a million people are read whole only when something shows that they must be.
//! 3. [`compare`] looks at every address of a list, in pages; [`decide`] says what is to happen, a pure function of both sides
//!    and of what they last agreed on, so that a person who joins or leaves on either side does so on the other. Whoever gets no
//!    mail is not on the service's list ([`crate::consent::gate`]). An address that several members have counts once.
//! 4. A loss beyond [`reconcile::Guard`] stops that list before anything of it is written, and asks; other lists go on.
//! 5. [`act`] does it. The CRM's list is told how it went ([`here::Report`]).
//!
//! A list that stands as it stood when both sides agreed last (`fingerprint`) is not compared again.
//!
//! Dynamic lists are asked for in their owner's name, go one way, and lose nobody by a query that fails or finds nobody.
//! [`requests`] are those who pressed *Sync now*. [`look`] is what people see of all this: how each list stands, and who
//! would join and leave.

pub mod act;
pub mod compare;
pub mod decide;
pub mod headers;
pub mod here;
pub mod links;
pub mod look;
pub mod read_here;
pub mod read_there;
pub mod reconcile;
pub(crate) mod renamed;
pub mod requests;

use futures_util::FutureExt;
use postroom_core::marketing::{List, ListId};
use postroom_core::{Fault, Verdict};
use postroom_store::sql::{Expr, ExprTrait, Func, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use crate::people::SEQ;
use crate::preferences::ties::{self, Tied};
use crate::sync::{Halt, Turn};
use act::{Done, Pair};
use compare::Found;
use decide::Todo;
use headers::{Linked, There};
use here::{CrmList, ListCounts, Report};
use links::Link;

/// The name of a list's mark on one side.
fn stream(list: Uuid, side: &str) -> String {
    format!("lists/{list}/{side}")
}

/// The flow.
///
/// # Errors
/// Faults of either side that are not one list's matter; and, when everything else is done, what single lists ask.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    turn.engine.read_people().await?;
    let queued = crate::queue::lists(turn).await?;
    ties::read_lists(turn).await?;
    let mut lists = here::activated(turn).await?;
    for list in lists.iter_mut().filter(|list| queued.contains(&list.at.id)) {
        list.requested = true;
    }
    let account = turn.account.name.clone();
    let mut known = turn.read(move |tx| async move { links::all(tx, &account).await }.boxed()).await?;
    let mut there = headers::of_service(turn).await?;
    let mut questions = Vec::new();
    for list in &lists {
        if list.manual && !list.requested {
            turn.counts.skip("only when asked", 1);
            continue;
        }
        match one(turn, list, &mut known, &mut there).await {
            Ok(()) => {}
            Err(Halt::Asks(question)) => questions.push(question),
            Err(fault) => return Err(fault),
        }
    }
    questions.extend(headers::bury(turn, &lists, known, &there).await?);
    match questions.is_empty() {
        true => Ok(()),
        false => Err(Halt::Asks(questions.join("; "))),
    }
}

/// One list: what is against it is said on it, and stops no other list.
async fn one(turn: &mut Turn, list: &CrmList, known: &mut Vec<Link>, there: &mut There) -> Result<(), Halt> {
    let linked = match headers::link(turn, list, known, there).await {
        Err(Halt::Asks(question)) => {
            let link = known.iter().find(|link| link.list == list.at.id);
            let report = report("Not linked", "None", question.clone());
            if let Some(link) = link {
                tell(turn, list, link.clone(), &report).await?;
            } else {
                report.tell(turn, list, &headers::fresh(&turn.account.name, list)).await?;
            }
            return Err(Halt::Asks(question));
        }
        linked => linked?,
    };
    match linked {
        Linked::Would(_) => preview(turn, list).await,
        Linked::No { link, words, why } => {
            turn.counts.skip(words, 1);
            let is_missing = link.state == links::State::Missing;
            tell(turn, list, link, &report(words, "None", why.clone())).await?;
            match is_missing {
                true => Err(Halt::Asks(format!("{:?}: {why}", list.name))),
                false => Ok(()),
            }
        }
        Linked::Yes { link, words } => {
            // A list that comes later in this run cannot have the same one.
            known.retain(|other| other.list != link.list);
            known.push(link.clone());
            members_of(turn, list, link, words, there).await
        }
    }
}

fn report(link: &'static str, members: &'static str, message: String) -> Report {
    Report { link, members, message, ..Report::default() }
}

async fn tell(turn: &mut Turn, list: &CrmList, mut link: Link, report: &Report) -> Result<(), Halt> {
    let told = report.tell(turn, list, &link).await?;
    if told != link.told {
        link.told = told;
        put(turn, link).await?;
    }
    Ok(())
}

async fn put(turn: &mut Turn, link: Link) -> Result<(), Error> {
    let stored =
        turn.page("marketing.list_told", move |tx, _| async move { links::put(tx, &link).await }.boxed());
    stored.await
}

/// A dry run of a list that is not there yet: everybody would be put on it.
async fn preview(turn: &mut Turn, list: &CrmList) -> Result<(), Halt> {
    read_here::read(turn, list).await?;
    let found = compare::run(turn, list).await?;
    let service = ListId(0);
    let mut done = Done::default();
    note(turn, &found);
    act::run(turn, &Pair { list, service: &service }, Todo::Add, &mut done).await
}

async fn members_of(
    turn: &mut Turn,
    list: &CrmList,
    link: Link,
    words: &'static str,
    there: &There,
) -> Result<(), Halt> {
    let service = link.service.clone().and_then(|id| there.get(&id).cloned());
    let Some(service) = service else {
        return Err(Fault::bug("a linked list has a list of the service").into());
    };
    let named = Some((service.id.clone(), service.name.clone()));
    let mut done = Done::default();
    match members(turn, list, &link, &service, &mut done).await {
        Ok(None) => tell_requested(turn, list, link, words, named).await,
        Ok(Some((found, fingerprint))) => {
            let counts = ListCounts {
                here: found.here,
                there: found.there + done.added
                    - Ord::min(found.there, found.of(Todo::Drop) + found.of(Todo::OptOut)),
                sent: done.added,
                rejected: done.rejected,
                skipped: found.left_out + done.suppressed,
            };
            let members = if done.rejected > 0 { "Completed with rejects" } else { "Sync Complete" };
            let report = Report {
                link: words,
                members,
                service: named,
                message: String::new(),
                changed: done.added + done.moved > 0,
                counts: Some(counts),
            };
            let told = report.tell(turn, list, &link).await?;
            if !turn.dry {
                put(turn, Link { told, fingerprint, ..link }).await?;
            }
            Ok(())
        }
        Err(Halt::Asks(question)) => {
            let report = Report { service: named, ..report(words, "Failed", question.clone()) };
            tell(turn, list, link, &report).await?;
            Err(Halt::Asks(format!("{:?}: {question}", list.name)))
        }
        Err(Halt::Fault(fault)) if fault.verdict == Verdict::Reject => {
            turn.counts.skip("lists refused", 1);
            let report = Report { service: named, ..report(words, "Failed", fault.message) };
            tell(turn, list, link, &report).await
        }
        Err(fault) => Err(fault),
    }
}

/// Nothing changed on either side; somebody who asked for the list is told that it was looked at.
async fn tell_requested(
    turn: &mut Turn,
    list: &CrmList,
    link: Link,
    words: &'static str,
    service: Option<(ListId, String)>,
) -> Result<(), Halt> {
    if !list.requested {
        return Ok(());
    }
    let report = Report { service, ..report(words, "Sync Complete", String::new()) };
    tell(turn, list, link, &report).await
}

/// Reads, compares and acts; `None` when both sides stand as they stood when they agreed.
async fn members(
    turn: &mut Turn,
    list: &CrmList,
    link: &Link,
    service: &List,
    done: &mut Done,
) -> Result<Option<(Found, String)>, Halt> {
    if !turn.dry {
        crate::imports::resume(turn, &act::purpose(list.at.id)).await?;
    }
    let here = read_here::read(turn, list).await?;
    let there = read_there::read(turn, list.at.id, service).await?;
    let fingerprint = fingerprint(turn, list, service, (here, there)).await?;
    if fingerprint == link.fingerprint {
        return Ok(None);
    }
    let found = compare::run(turn, list).await?;
    note(turn, &found);
    admit(turn, list, &found)?;
    let pair = Pair { list, service: &service.id };
    for todo in Todo::DONE {
        if found.of(todo) > 0 {
            act::run(turn, &pair, todo, done).await?;
        }
    }
    Ok(Some((found, fingerprint)))
}

fn note(turn: &mut Turn, found: &Found) {
    turn.counts.read += found.here + found.there;
    turn.counts.skip("gets no mail", found.left_out);
}

/// Whoever gets no mail goes without asking.
fn admit(turn: &mut Turn, list: &CrmList, found: &Found) -> Result<(), Halt> {
    turn.admit(found.of(Todo::Drop), found.there, "taken off the service's list")?;
    if list.dynamic && found.here == 0 && found.of(Todo::Drop) > 0 && !turn.confirmed {
        turn.asks("the query of the list finds nobody; nobody was removed".to_owned())?;
    }
    turn.admit(found.of(Todo::Leave), found.here, "taken off the list in the CRM")
}

/// What a comparison depends on: readings of both sides, people, opt-outs, and what the list says of itself.
async fn fingerprint(
    turn: &Turn,
    list: &CrmList,
    service: &List,
    (here, there): (i64, i64),
) -> Result<String, Error> {
    let (account, id) = (turn.account.name.clone(), service.id.0);
    let (list, dynamic, action) = (list.at.id, list.dynamic, list.action);
    let read = turn.read(move |tx| {
        async move {
            let seq = tx.last_number(SEQ).await?;
            let mut parts = vec![format!("{id} {dynamic} {action:?} {here} {there} {seq}")];
            for table in ["suppression", "list_opt_out", "preference_choice", "preference_list_choice"] {
                parts.push(state(tx, table, &account).await?);
            }
            let tied = ties::of(tx, &account, &Tied::List(list)).await?;
            parts.push(format!("{tied:?}"));
            Ok(parts.join(" "))
        }
        .boxed()
    });
    read.await
}

/// Grows with every change of a table that counts its rows' changes.
async fn state(tx: &mut Tx, table: &'static str, account: &str) -> Result<String, Error> {
    let versions = Func::cast_as(Func::sum(Expr::col("version")), "bigint");
    let select = Query::select()
        .expr(Expr::col("version").count())
        .expr(versions)
        .from(table)
        .and_where(Expr::col("account").eq(account))
        .to_owned();
    let row = tx.query_one(&select).await?;
    let Some(row) = row else { return Ok(String::new()) };
    Ok(format!("{}+{}", row.at::<i64>(0)?, row.at::<Option<i64>>(1)?.unwrap_or(0)))
}
