//! The lists themselves: each linked by id to one of the service's, made there, renamed there, and never rebuilt unasked
//! (marketing-sync.md 3).
//!
//! A link is written as *creating* before the call that makes the list, so that a list of its name that is there after a lost
//! answer or a crash is known as ours. One that was there before is somebody's: it is linked when a person said yes to it.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use postroom_core::marketing::{Ask, List, ListId};
use postroom_core::{Code, Fault, Verdict};
use postroom_store::Error;
use uuid::Uuid;

use super::here::CrmList;
use super::links::{self, Link, State};
use crate::sync::{Act, Halt, Sample, To, Turn};
use crate::unsubscribes::unlinked;

/// Names that the service keeps to itself.
const RESERVED: [&str; 2] = ["test", "all contacts"];

/// The service's lists, by id.
pub type There = BTreeMap<ListId, List>;

/// What became of linking a list.
#[derive(Debug)]
pub enum Linked {
    /// To be synchronised. `words` is the label of the list's status.
    Yes { link: Link, words: &'static str },
    /// The label of its status, and why.
    No { link: Link, words: &'static str, why: String },
    /// In a dry run: it would be made.
    Would(Link),
}

/// All lists of the service.
pub async fn of_service(turn: &Turn) -> Result<There, Fault> {
    let (mut ask, mut lists) = (Ask::default(), There::new());
    loop {
        let page = turn.account.service.lists(&ask).await?;
        lists.extend(page.rows.into_iter().map(|list| (list.id.clone(), list)));
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(lists),
        }
    }
}

/// Finds, makes or renames the service's list of one of the CRM.
///
/// # Errors
/// Faults of both sides, and the question before a list of the same name is linked or one that is gone is made anew.
pub async fn link(
    turn: &mut Turn,
    list: &CrmList,
    known: &[Link],
    there: &mut There,
) -> Result<Linked, Halt> {
    let link = known.iter().find(|link| link.list == list.at.id).cloned();
    let link = link.unwrap_or_else(|| fresh(&turn.account.name, list));
    if RESERVED.contains(&list.name.to_lowercase().as_str()) {
        return Ok(reserved(link));
    }
    match link.service.clone().map(|id| (there.get(&id).cloned(), id)) {
        Some((Some(found), _)) => rename(turn, list, link, &found, there).await,
        Some((None, id)) => missing(turn, list, link, &id, known, there).await,
        None => make(turn, list, link, known, there).await,
    }
}

pub(super) fn fresh(account: &str, list: &CrmList) -> Link {
    Link {
        account: account.to_owned(),
        list: list.at.id,
        service: None,
        name: list.name.clone(),
        visibility: list.visibility.as_str().to_owned(),
        member_table: list.table.to_owned(),
        state: State::Failed,
        made_here: false,
        told: Vec::new(),
        fingerprint: String::new(),
    }
}

fn reserved(link: Link) -> Linked {
    let why = "the service keeps this name to itself; give the list another one".to_owned();
    Linked::No { link, words: "Error - name reserved", why }
}

fn duplicate(link: Link, name: &str) -> Linked {
    let why = format!(
        "the service has another list or segment called {name:?}, which belongs to another marketing list or cannot be \
         written; rename one of the two"
    );
    Linked::No { link, words: "Sync Error", why }
}

/// Writes a link. Who left the list while it was not linked has left the one that it is linked with.
async fn put(turn: &mut Turn, link: &Link) -> Result<(), Error> {
    let (link, ids, now) = (link.clone(), turn.engine.ids.clone(), turn.now());
    let stored = turn.page("marketing.list_linked", move |tx, _| {
        async move {
            links::put(tx, &link).await?;
            match &link.service {
                Some(service) => {
                    let place = (link.account.as_str(), link.list);
                    unlinked::linked(tx, &ids, now, place, service).await
                }
                None => Ok(()),
            }
        }
        .boxed()
    });
    stored.await
}

fn words(link: &Link) -> &'static str {
    if link.made_here { "Synced To Email Service" } else { "Linked with Email Service" }
}

/// The service's list follows a name or visibility that changed here. A list that was renamed there stays as it is.
async fn rename(
    turn: &mut Turn,
    list: &CrmList,
    mut link: Link,
    found: &List,
    there: &mut There,
) -> Result<Linked, Halt> {
    let (name, visibility) = (list.name.clone(), list.visibility.as_str().to_owned());
    if link.name != name || link.visibility != visibility {
        if turn.dry {
            turn.foresee([
                Sample::of(To::Service, Act::Change, format!("list {:?}", link.name)).word("name", name)
            ]);
            turn.foresee_calls(1);
            return Ok(Linked::Yes { words: words(&link), link });
        }
        match turn.account.service.change_list(&found.id, &name, &list.visibility).await {
            Ok(changed) => {
                there.insert(changed.id.clone(), List { contacts: found.contacts, ..changed });
            }
            Err(fault) => return refused(link, list, fault),
        }
    } else if link.state == State::Linked {
        return Ok(Linked::Yes { words: words(&link), link });
    }
    (link.name, link.visibility, link.state) = (name, visibility, State::Linked);
    put(turn, &link).await?;
    Ok(Linked::Yes { words: words(&link), link })
}

/// Somebody deleted it there. It is made anew only when a person says so.
async fn missing(
    turn: &mut Turn,
    list: &CrmList,
    mut link: Link,
    id: &ListId,
    known: &[Link],
    there: &mut There,
) -> Result<Linked, Halt> {
    if turn.confirmed && !turn.dry {
        let (account, own, gone) = (link.account.clone(), link.list, id.clone());
        let forgotten = turn.page("marketing.list_forgotten", move |tx, _| {
            async move {
                unlinked::gone(tx, (&account, own), &gone).await?;
                links::forget_members(tx, &account, own).await
            }
            .boxed()
        });
        forgotten.await?;
        (link.service, link.fingerprint) = (None, String::new());
        return make(turn, list, link, known, there).await;
    }
    let why = format!(
        "list {id} was deleted at the service; deactivate this list for e-mail, or confirm the run that asks, and it is made anew \
         with all members"
    );
    if link.state != State::Missing {
        link.state = State::Missing;
        put(turn, &link).await?;
    }
    Ok(Linked::No { link, words: "Error - Not Found in Email Service", why })
}

async fn make(
    turn: &mut Turn,
    list: &CrmList,
    mut link: Link,
    known: &[Link],
    there: &mut There,
) -> Result<Linked, Halt> {
    let same = there.values().find(|other| other.name.eq_ignore_ascii_case(&list.name)).cloned();
    if let Some(same) = same {
        if known.iter().any(|other| other.list != link.list && other.service.as_ref() == Some(&same.id)) {
            return Ok(duplicate(link, &list.name));
        }
        let ours = link.state == State::Creating;
        if !ours && same.contacts > 0 && !turn.confirmed {
            turn.asks(format!(
                "the list {:?} would be linked with the service's list of the same name, on which {} people are; confirm this run, \
                 or rename one of the two",
                list.name, same.contacts
            ))?;
        }
        (link.made_here, link.state) = (ours, State::Linked);
        return linked(turn, list, link, same.id).await;
    }
    if turn.dry {
        turn.foresee([Sample::of(To::Service, Act::Create, format!("list {:?}", list.name))]);
        turn.foresee_calls(1);
        return Ok(Linked::Would(link));
    }
    link.state = State::Creating;
    put(turn, &link).await?;
    match created(turn, list).await {
        Ok(made) => {
            (link.made_here, link.state) = (true, State::Linked);
            there.insert(made.id.clone(), made.clone());
            linked(turn, list, link, made.id).await
        }
        Err(fault) => refused(link, list, fault),
    }
}

async fn linked(turn: &mut Turn, list: &CrmList, mut link: Link, id: ListId) -> Result<Linked, Halt> {
    link.service = Some(id);
    // What the service's list is called stays, but for letter case the names are equal.
    (link.name, link.visibility) = (list.name.clone(), list.visibility.as_str().to_owned());
    put(turn, &link).await?;
    Ok(Linked::Yes { words: words(&link), link })
}

/// A lost answer is no failure when the list is there.
async fn created(turn: &Turn, list: &CrmList) -> Result<List, Fault> {
    match turn.account.service.create_list(&list.name, &list.visibility).await {
        Err(fault) if fault.verdict == Verdict::Unknown => {
            turn.account.service.find_list(&list.name).await?.ok_or_else(|| {
                Fault::retry(
                    Code::MARKETING_AWAY,
                    "the answer to making a list is lost, and there is no such list",
                )
            })
        }
        answer => answer,
    }
}

/// What the service says against a name is the list's matter, and stops no other.
fn refused(mut link: Link, list: &CrmList, fault: Fault) -> Result<Linked, Halt> {
    if link.service.is_none() && fault.verdict == Verdict::Reject {
        // It was not made: a list that comes to have the name is not ours.
        link.state = State::Failed;
    }
    match fault.code {
        Code::MARKETING_RESERVED => Ok(reserved(link)),
        Code::MARKETING_DUPLICATE => Ok(duplicate(link, &list.name)),
        _ if fault.verdict == Verdict::Reject => {
            Ok(Linked::No { link, words: "Sync Error", why: fault.message })
        }
        _ => Err(fault.into()),
    }
}

/// Lists that are gone from the CRM: what was made for them at the service goes too, when a person says yes or nobody is on it.
/// A list that was there before stays, and is nobody's any more.
pub async fn bury(
    turn: &mut Turn,
    lists: &[CrmList],
    known: Vec<Link>,
    there: &There,
) -> Result<Vec<String>, Halt> {
    let not_here = |link: &Link| !lists.iter().any(|list| list.at.id == link.list);
    let absent: Vec<Link> = known.into_iter().filter(not_here).collect();
    if absent.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = absent.iter().map(|link| link.list).collect();
    let stay: Vec<Uuid> =
        turn.engine.crm.find(&["list"], &ids).await?.into_iter().map(|row| row.at.id).collect();
    let mut questions = Vec::new();
    for link in absent.into_iter().filter(|link| !stay.contains(&link.list)) {
        let found = link.service.as_ref().and_then(|id| there.get(id)).filter(|_| link.made_here);
        if let Some(list) = found {
            if list.contacts > 0 && !turn.confirmed {
                questions.push(format!(
                    "the list {:?} is gone from the CRM; its list at the service, with {} people, would be deleted",
                    link.name, list.contacts
                ));
                continue;
            }
            match turn.dry {
                true => turn.foresee([Sample::of(To::Service, Act::Delete, format!("list {:?}", link.name))]),
                false => turn.account.service.delete_list(&list.id).await?,
            }
            turn.foresee_calls(1);
        }
        let forgotten = turn.page("marketing.list_buried", move |tx, _| {
            async move { links::forget(tx, &link.account, link.list).await }.boxed()
        });
        forgotten.await?;
    }
    Ok(questions)
}
