//! Who leaves the service: people whose record is gone or was merged into another, unless some other record has the address
//! (marketing-sync.md 4.5, M1 to M3, and 10).
//!
//! First the links of such records become rows of `contact_leaving`; then the guard is asked; then the service deletes them, which
//! may be repeated, and the rows go. Opt-outs stay: the table of suppressions does not follow.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::FutureExt;
use postroom_core::marketing::{ContactId, Person as Who};
use postroom_core::{Code, Fault, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};

use super::outgoing::{Leaving, leave, touch};
use super::who::{self, Person};
use crate::people::links::{self, Link};
use crate::sync::{Act, Halt, Sample, To, Turn};

/// Links of one look, and people of one removal.
const PAGE: u64 = 500;

/// The flow.
///
/// # Errors
/// Faults of either side, and a question when very many would leave.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    turn.engine.read_people().await?;
    let orphans = find(turn).await?;
    let people = count(turn).await?;
    turn.admit(orphans + waiting(turn).await?, people, "deleted from the service")?;
    part(turn).await?;
    delete(turn).await
}

/// Links whose record is gone or merged.
async fn orphaned(tx: &mut Tx, account: &str, after: &str) -> Result<Vec<Link>, Error> {
    let joined = Expr::col(("person", "record"))
        .equals(("person_link", "record"))
        .and(Expr::col(("person", "record_table")).equals(("person_link", "record_table")));
    let mut select = Query::select();
    select
        .columns([
            ("person_link", "record_table"),
            ("person_link", "record"),
            ("person_link", "address"),
            ("person_link", "contact"),
            ("person_link", "digest"),
            ("person_link", "base"),
        ])
        .from("person_link")
        .inner_join("person", joined)
        .and_where(Expr::col(("person_link", "account")).eq(account))
        .and_where(Expr::col(("person_link", "address")).gt(after))
        .and_where(Expr::col(("person", "gone")).eq(true).or(Expr::col(("person", "master")).is_not_null()))
        .order_by(("person_link", "address"), Order::Asc)
        .limit(PAGE);
    links::load(tx, &select).await
}

async fn find(turn: &Turn) -> Result<u64, Halt> {
    let account = turn.account.name.clone();
    let read = turn.read(move |tx| {
        async move {
            let (mut after, mut going) = (String::new(), 0);
            loop {
                let some = orphaned(tx, &account, &after).await?;
                let Some(last) = some.last() else { return Ok(going) };
                after.clone_from(&last.address);
                going += leaving(tx, &account, &some).await?.len() as u64;
            }
        }
        .boxed()
    });
    let found: Result<u64, Error> = read.await;
    Ok(found?)
}

/// Of these links, the people for whom nobody else speaks.
async fn leaving(tx: &mut Tx, account: &str, some: &[Link]) -> Result<Vec<Link>, Error> {
    let addresses: Vec<String> = some.iter().map(|link| link.address.clone()).collect();
    let contacts: Vec<i64> = some.iter().filter_map(|link| Some(link.contact.as_ref()?.0)).collect();
    let holders = who::of_addresses(tx, &addresses).await?;
    let kept: HashSet<String> = holders.iter().filter(|person| stays(person)).map(Person::address).collect();
    // Another record that is this person under a newer address keeps it, too.
    let linked = links::of_contacts(tx, account, &contacts).await?;
    let records: Vec<RecordRef> = linked.iter().map(|link| link.record.clone()).collect();
    let people = who::of_records(tx, &records).await?;
    let speaking: HashSet<&RecordRef> =
        people.iter().filter(|person| stays(person)).map(|person| &person.at).collect();
    let held: HashSet<&ContactId> = linked
        .iter()
        .filter(|link| speaking.contains(&link.record))
        .filter_map(|link| link.contact.as_ref())
        .collect();
    let leaves = |link: &&Link| {
        !link.address.is_empty()
            && !kept.contains(&link.address)
            && link.contact.as_ref().is_none_or(|contact| !held.contains(contact))
    };
    Ok(some.iter().filter(leaves).cloned().collect())
}

/// Whether a record keeps its address at the service: it is in the CRM, active or not.
fn stays(person: &Person) -> bool {
    !person.gone && person.master.is_none()
}

/// How many people of the service are known here.
async fn count(turn: &Turn) -> Result<u64, Error> {
    number(turn, "person_link").await
}

async fn waiting(turn: &Turn) -> Result<u64, Error> {
    number(turn, "contact_leaving").await
}

async fn number(turn: &Turn, table: &'static str) -> Result<u64, Error> {
    let account = turn.account.name.clone();
    let read = turn.read(move |tx| {
        async move {
            let select = Query::select()
                .expr(Expr::col("address").count())
                .from(table)
                .and_where(Expr::col("account").eq(account))
                .to_owned();
            tx.query_one(&select).await?.map_or(Ok(0), |row| row.at(0))
        }
        .boxed()
    });
    read.await
}

/// Takes the links of records that are gone, and writes down who leaves.
async fn part(turn: &mut Turn) -> Result<(), Halt> {
    loop {
        let (account, now) = (turn.account.name.clone(), turn.now().as_microsecond());
        let numbers = self::numbers(turn).await?;
        let parted = turn.page("marketing.records_gone", move |tx, counts| {
            async move {
                let some = orphaned(tx, &account, "").await?;
                let going = leaving(tx, &account, &some).await?;
                counts.read += some.len() as u64;
                let mut rows = Vec::new();
                for link in &going {
                    let contact = link.contact.clone().or_else(|| numbers.get(&link.address).cloned());
                    rows.extend(contact.map(|contact| Leaving {
                        contact,
                        address: link.address.clone(),
                        record: link.record.clone(),
                    }));
                }
                leave(tx, &account, now, &rows).await?;
                let records: Vec<&RecordRef> = some.iter().map(|link| &link.record).collect();
                links::remove(tx, &account, records).await?;
                // Whoever shares the address speaks for it from now on.
                let addresses: Vec<String> = some.iter().map(|link| link.address.clone()).collect();
                touch(tx, &addresses).await?;
                Ok(some.len() as u64)
            }
            .boxed()
        });
        let parted: Result<u64, Error> = parted.await;
        if parted? < PAGE || turn.dry {
            return Ok(());
        }
    }
}

/// The service's numbers of people who are known by address only.
async fn numbers(turn: &Turn) -> Result<std::collections::HashMap<String, ContactId>, Halt> {
    let account = turn.account.name.clone();
    let some = turn.read(move |tx| async move { orphaned(tx, &account, "").await }.boxed()).await?;
    let bare: Vec<String> =
        some.into_iter().filter(|link| link.contact.is_none()).map(|link| link.address).collect();
    if bare.is_empty() {
        return Ok(Default::default());
    }
    let wanted: Vec<Who> = bare.iter().cloned().map(Who::Email).collect();
    let found = turn.account.service.find_contacts(&wanted, &Default::default()).await?;
    Ok(bare.into_iter().zip(found).filter_map(|(address, found)| Some((address, found?.id))).collect())
}

/// Whoever is somebody's again stays: a record was linked to the person meanwhile, or has the address.
async fn spare(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let spared = turn.page("marketing.leaving_spared", move |tx, counts| {
        async move {
            let select = Query::select()
                .columns(["contact", "address"])
                .from("contact_leaving")
                .and_where(Expr::col("account").eq(account.as_str()))
                .to_owned();
            let rows = tx.query(&select).await?;
            let rows = rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?)));
            let rows = rows.collect::<Result<Vec<(i64, String)>, Error>>()?;
            let contacts: Vec<i64> = rows.iter().map(|(contact, _)| *contact).collect();
            let addresses: Vec<String> = rows.iter().map(|(_, address)| address.clone()).collect();
            let linked = links::of_contacts(tx, &account, &contacts).await?;
            let linked: HashSet<i64> =
                linked.iter().filter_map(|link| Some(link.contact.as_ref()?.0)).collect();
            let holders = who::of_addresses(tx, &addresses).await?;
            let held: HashSet<String> =
                holders.iter().filter(|person| stays(person)).map(Person::address).collect();
            let stay: Vec<i64> = rows
                .into_iter()
                .filter(|(contact, address)| linked.contains(contact) || held.contains(address))
                .map(|(contact, _)| contact)
                .collect();
            counts.skip("somebody's again", stay.len() as u64);
            for some in stay.chunks(256) {
                let mut delete = Query::delete();
                delete
                    .from_table("contact_leaving")
                    .and_where(Expr::col("account").eq(account.as_str()))
                    .and_where(Expr::col("contact").is_in(some.iter().copied()));
                tx.execute(&delete).await?;
            }
            Ok(())
        }
        .boxed()
    });
    let spared: Result<(), Error> = spared.await;
    Ok(spared?)
}

/// Some of those who wait to be deleted.
async fn some_leaving(turn: &Turn) -> Result<Vec<String>, Error> {
    let account = turn.account.name.clone();
    let read = turn.read(move |tx| {
        async move {
            let select = Query::select()
                .column("address")
                .from("contact_leaving")
                .and_where(Expr::col("account").eq(account))
                .order_by("contact", Order::Asc)
                .limit(5)
                .to_owned();
            tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
        }
        .boxed()
    });
    read.await
}

async fn delete(turn: &mut Turn) -> Result<(), Halt> {
    if turn.dry {
        let waiting = waiting(turn).await?;
        turn.counts.removed += waiting;
        let some = some_leaving(turn).await?;
        turn.foresee(some.into_iter().map(|address| Sample::of(To::Service, Act::Delete, address)));
        // They are deleted by pages, and the service is asked whether each is done.
        turn.foresee_calls(2 * waiting.div_ceil(PAGE));
        return Ok(());
    }
    spare(turn).await?;
    loop {
        let account = turn.account.name.clone();
        let read = turn.read(move |tx| {
            async move {
                let select = Query::select()
                    .column("contact")
                    .from("contact_leaving")
                    .and_where(Expr::col("account").eq(account))
                    .order_by("contact", Order::Asc)
                    .limit(PAGE)
                    .to_owned();
                tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
            }
            .boxed()
        });
        let contacts: Result<Vec<i64>, Error> = read.await;
        let contacts = contacts?;
        if contacts.is_empty() {
            return Ok(());
        }
        let people: Vec<Who> = contacts.iter().copied().map(|id| Who::Id(ContactId(id))).collect();
        let job = turn.account.service.delete_contacts(&people).await?;
        ended(turn, &job).await?;
        let account = turn.account.name.clone();
        let gone = turn.page("marketing.contacts_deleted", move |tx, counts| {
            async move {
                counts.removed += contacts.len() as u64;
                let mut delete = Query::delete();
                delete
                    .from_table("contact_leaving")
                    .and_where(Expr::col("account").eq(account))
                    .and_where(Expr::col("contact").is_in(contacts));
                tx.execute(&delete).await.map(drop)
            }
            .boxed()
        });
        let gone: Result<(), Error> = gone.await;
        gone?;
    }
}

/// Waits until a removal has ended. One that goes on, or failed, is asked for again by the next run.
async fn ended(turn: &Turn, job: &postroom_core::marketing::DeletionId) -> Result<(), Halt> {
    let rules = &turn.engine.rules;
    for asked in 0..Ord::max(rules.questions, 1) {
        let deletion = turn.account.service.deletion(job).await?;
        if deletion.failed {
            let text =
                format!("the service could not carry out removal {job}; the next run asks for it again");
            return Err(Fault::reject(Code::MARKETING_REFUSED, text).into());
        }
        if deletion.done {
            return Ok(());
        }
        tokio::time::sleep(Duration::try_from(rules.polling.wait(asked)).unwrap_or_default()).await;
    }
    let text = format!("the service has not finished removal {job}; the next run asks for it again");
    Err(Fault::reject(Code::MARKETING_BUSY, text).into())
}
