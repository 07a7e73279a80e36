//! What a comparison found is done. Each step says a state, so that a repeat does no harm: one that was cut is found again by
//! the next comparison.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::marketing::{Contact, ContactId, ContactRow, DeletionId, Include, ListId, Names, Person};
use postroom_core::{Code, Fault, Record, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::compare::{Doing, to_do};
use super::decide::Todo;
use super::here::CrmList;
use super::{read_here, read_there, renamed};
use crate::contacts::created;
use crate::imports::flight::{Flight, Landed};
use crate::imports::{self, Outcome, Purpose};
use crate::mapping::book::Book;
use crate::people;
use crate::people::links::{self, Link};
use crate::sync::{Act, Halt, Sample, To, Turn};
use crate::undo::written::{self, Kind, Write};

/// People who are packed together, and of one lot for the service and for the CRM.
const PACKED: u64 = 2000;
const TO_SERVICE: u64 = 20_000;
const TO_CRM: u64 = 500;
const ASKED: usize = 256;

/// The name of the imports for a list.
pub fn purpose(list: Uuid) -> Purpose {
    Purpose(format!("list:{list}"))
}

/// What was done for a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    pub added: u64,
    pub rejected: u64,
    pub suppressed: u64,
    /// Taken off either list, or put on the CRM's.
    pub moved: u64,
}

/// A list and the one of the service.
pub struct Pair<'l> {
    pub list: &'l CrmList,
    pub service: &'l ListId,
}

/// Does everything of one kind.
///
/// # Errors
/// Faults of the side that changes; what was done until then is kept.
pub async fn run(turn: &mut Turn, pair: &Pair<'_>, todo: Todo, done: &mut Done) -> Result<(), Halt> {
    let size = match todo {
        Todo::Add => PACKED,
        Todo::Drop | Todo::OptOut => TO_SERVICE,
        _ => TO_CRM,
    };
    let mut joining = Joining::new(pair.list.at.id);
    let mut after = String::new();
    loop {
        let (account, list, table, behind) =
            (turn.account.name.clone(), pair.list.at.id, pair.list.table, after.clone());
        let lot = turn
            .read(move |tx| {
                async move { to_do(tx, (&account, list, table), todo, &behind, size).await }.boxed()
            })
            .await?;
        let Some(last) = lot.last() else {
            let landed = joining.flight.land(turn).await?;
            return joining.note(turn, landed, done).await;
        };
        after.clone_from(&last.address);
        match todo {
            Todo::Add => joining.add(turn, pair, lot, done).await?,
            Todo::Drop | Todo::OptOut => drop_there(turn, pair, lot, done).await?,
            Todo::Leave => leave(turn, pair, lot, done).await?,
            Todo::Join => join(turn, pair, lot, done).await?,
            Todo::Create => create(turn, pair, lot, done).await?,
            _ => return Ok(()),
        }
    }
}

/// People on their way onto the service's list.
struct Joining {
    list: Uuid,
    flight: Flight,
    /// Of rows that have not landed, by their number in the flight.
    addresses: HashMap<usize, String>,
}

impl Joining {
    fn new(list: Uuid) -> Self {
        Joining { list, flight: Flight::new(&purpose(list)), addresses: HashMap::new() }
    }

    async fn add(
        &mut self,
        turn: &mut Turn,
        pair: &Pair<'_>,
        lot: Vec<Doing>,
        done: &mut Done,
    ) -> Result<(), Halt> {
        let mut rows = Vec::with_capacity(lot.len());
        for one in lot {
            let Some(record) = one.record else { continue };
            self.addresses.insert(self.flight.next() + rows.len(), one.address.clone());
            let names = Names { email: Some(one.address.clone()), ..Names::default() };
            let contact = ContactRow { names, lists: vec![pair.service.clone()], ..ContactRow::default() };
            rows.push(imports::Row { record, address: one.address, contact, digest: None, base: None });
        }
        let joins = |row: &imports::Row| {
            Sample::of(To::Service, Act::Join, &row.address).word("list", pair.list.name.as_str())
        };
        turn.foresee(rows.iter().map(joins));
        renamed::settle(turn, &mut rows).await?;
        let landed = self.flight.add(turn, rows).await?;
        self.note(turn, landed, done).await
    }

    /// Notes who is on the list now.
    async fn note(&mut self, turn: &mut Turn, landed: Landed, done: &mut Done) -> Result<(), Halt> {
        if landed.is_empty() {
            return Ok(());
        }
        let mut joined = Vec::new();
        for (number, outcome) in landed {
            let address = self.addresses.remove(&number);
            match outcome {
                Outcome::New | Outcome::Changed | Outcome::Same => joined.extend(address),
                Outcome::Suppressed(_) => done.suppressed += 1,
                Outcome::Rejected(_) => done.rejected += 1,
            }
        }
        done.added += joined.len() as u64;
        if turn.dry {
            return Ok(());
        }
        let (account, list) = (turn.account.name.clone(), self.list);
        let stored = turn.page("marketing.list_joined", move |tx, _| {
            async move {
                let mut place = read_there::place(tx, &account, list).await?;
                let changes = [("there", Ord::max(place.place.reading, 1).into()), ("agreed", true.into())];
                settle(tx, &account, list, &joined, &changes).await?;
                place.place.people += joined.len() as u64;
                place.write(tx).await
            }
            .boxed()
        });
        Ok(stored.await?)
    }
}

/// Sets columns of addresses for which nothing is to be done any more.
async fn settle(
    tx: &mut Tx,
    account: &str,
    list: Uuid,
    addresses: &[String],
    changes: &[(&'static str, Expr)],
) -> Result<(), Error> {
    for some in addresses.chunks(ASKED) {
        let mut update = Query::update();
        update
            .table("list_member")
            .value("todo", "")
            .values(changes.iter().cloned())
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("list").eq(list))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)));
        tx.execute(&update).await?;
    }
    Ok(())
}

/// People leave the service's list and stay in the account.
async fn drop_there(turn: &mut Turn, pair: &Pair<'_>, lot: Vec<Doing>, done: &mut Done) -> Result<(), Halt> {
    let number = lot.len() as u64;
    turn.counts.removed += number;
    done.moved += number;
    if turn.dry {
        turn.foresee(lot.iter().map(|one| {
            Sample::of(To::Service, Act::Leave, &one.address).word("list", pair.list.name.as_str())
        }));
        // They are taken off, and the service is asked whether it is done.
        turn.foresee_calls(2);
        return Ok(());
    }
    let contacts = numbers(turn, &lot).await?;
    if let Some(id) = turn.account.service.remove_members(pair.service, &contacts).await? {
        ended(turn, &id).await?;
    }
    let addresses: Vec<String> = lot.into_iter().map(|one| one.address).collect();
    let (account, list) = (turn.account.name.clone(), pair.list.at.id);
    let stored = turn.page("marketing.list_dropped", move |tx, _| {
        async move {
            let changes = [("there", 0_i64.into()), ("agreed", false.into())];
            settle(tx, &account, list, &addresses, &changes).await?;
            let mut place = read_there::place(tx, &account, list).await?;
            place.place.people = place.place.people.saturating_sub(number);
            place.write(tx).await
        }
        .boxed()
    });
    Ok(stored.await?)
}

/// The service's numbers of these people: from the list's reading, from what the import of the person told, and of the others
/// each is looked up.
async fn numbers(turn: &Turn, lot: &[Doing]) -> Result<Vec<ContactId>, Fault> {
    let mut numbers: Vec<ContactId> = lot.iter().filter_map(|one| one.contact.map(ContactId)).collect();
    let bare: Vec<String> =
        lot.iter().filter(|one| one.contact.is_none()).map(|one| one.address.clone()).collect();
    let (account, asked) = (turn.account.name.clone(), bare.clone());
    let read =
        turn.read(move |tx| async move { links::of_addresses(tx, &account, &asked).await }.boxed()).await;
    let linked: Result<Vec<Link>, Error> = read;
    let linked: HashMap<String, ContactId> =
        linked?.into_iter().filter_map(|link| Some((link.address, link.contact?))).collect();
    let unknown: Vec<Person> =
        bare.into_iter().filter(|address| !linked.contains_key(address)).map(Person::Email).collect();
    let found = match unknown.is_empty() {
        true => Vec::new(),
        false => turn.account.service.find_contacts(&unknown, &Include::default()).await?,
    };
    numbers.extend(linked.into_values());
    numbers.extend(found.into_iter().flatten().map(|contact| contact.id));
    numbers.sort();
    numbers.dedup();
    Ok(numbers)
}

/// Waits until a removal is done. One that needs longer is seen to by the next run, which reads the list.
async fn ended(turn: &Turn, id: &DeletionId) -> Result<(), Fault> {
    let polling = turn.engine.rules.polling;
    for asked in 0..turn.engine.rules.questions {
        let deletion = turn.account.service.deletion(id).await?;
        if deletion.failed {
            return Err(Fault::retry(Code::MARKETING_BUSY, "the service could not take people off a list"));
        }
        if deletion.done {
            return Ok(());
        }
        let wait = std::time::Duration::try_from(polling.wait(asked)).unwrap_or_default();
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

/// People who were taken off the list there leave it here, every record with the address. Whoever the service only hides, as it
/// suppressed the person, stays: that is no word about this list.
async fn leave(turn: &mut Turn, pair: &Pair<'_>, lot: Vec<Doing>, done: &mut Done) -> Result<(), Halt> {
    let people: Vec<Person> = lot.iter().map(|one| Person::Email(one.address.clone())).collect();
    let include = Include { channels: true, ..Include::default() };
    let found = turn.account.service.find_contacts(&people, &include).await?;
    let is_hidden = |contact: &Option<Contact>| {
        contact.as_ref().is_some_and(|contact| {
            !contact.status.mailable()
                || contact.email.as_ref().is_some_and(|channel| !channel.status.mailable())
        })
    };
    let (mut gone, mut hidden) = (Vec::new(), Vec::new());
    for (one, contact) in lot.into_iter().zip(found) {
        if is_hidden(&contact) { &mut hidden } else { &mut gone }.push(one.address);
    }
    turn.counts.skip("suppressed at the service", hidden.len() as u64);
    turn.counts.removed += gone.len() as u64;
    done.moved += gone.len() as u64;
    if turn.dry {
        turn.foresee(
            gone.iter().map(|address| {
                Sample::of(To::Crm, Act::Leave, address).word("list", pair.list.name.as_str())
            }),
        );
        return Ok(());
    }
    let (account, list, asked) = (turn.account.name.clone(), pair.list.at.id, gone.clone());
    let members =
        turn.read(move |tx| async move { records(tx, &account, list, &asked).await }.boxed()).await?;
    let left = Kind::Left(pair.list.at.id);
    written::intend(turn, members.iter().map(|at| Write::of(left, at.clone())).collect()).await?;
    leave_list(turn, pair.list, &members).await?;
    let account = turn.account.name.clone();
    let stored = turn.page("marketing.list_left", move |tx, _| {
        async move {
            let all = [gone, hidden].concat();
            settle(tx, &account, list, &all, &[("agreed", false.into())]).await
        }
        .boxed()
    });
    Ok(stored.await?)
}

/// Takes records off a static list of the CRM; who is none of its members stays none.
///
/// # Errors
/// The CRM's; a repeat does no harm.
pub(crate) async fn leave_list(turn: &Turn, list: &CrmList, records: &[RecordRef]) -> Result<(), Fault> {
    if records.is_empty() {
        return Ok(());
    }
    turn.engine.crm.disassociate(&list.relationship(), &list.at, records).await?;
    let (account, id) = (turn.account.name.clone(), list.at.id);
    let ids: Vec<Uuid> = records.iter().map(|at| at.id).collect();
    let unit = turn.engine.store.write("marketing.list_records_gone", move |tx| {
        async move {
            for some in ids.chunks(ASKED) {
                let mut delete = Query::delete();
                delete
                    .from_table("list_record")
                    .and_where(Expr::col("account").eq(account.as_str()))
                    .and_where(Expr::col("list").eq(id))
                    .and_where(Expr::col("record").is_in(some.iter().copied()));
                tx.execute(&delete).await?;
            }
            Ok(())
        }
        .boxed()
    });
    let gone: Result<(), Error> = unit.await;
    Ok(gone?)
}

async fn records(
    tx: &mut Tx,
    account: &str,
    list: Uuid,
    addresses: &[String],
) -> Result<Vec<RecordRef>, Error> {
    let mut found = Vec::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns(["record_table", "record"])
            .from("list_record")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("list").eq(list))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .to_owned();
        for row in tx.query(&select).await? {
            found.push(RecordRef::new(row.at::<String>(0)?, row.at(1)?));
        }
    }
    Ok(found)
}

/// People whom the service put on the list become members here, every active record of the list's kind with the address.
async fn join(turn: &mut Turn, pair: &Pair<'_>, lot: Vec<Doing>, done: &mut Done) -> Result<(), Halt> {
    let addresses: Vec<String> = lot.into_iter().map(|one| one.address).collect();
    let (table, asked) = (pair.list.table, addresses.clone());
    let holders = turn.read(move |tx| async move { people::holders(tx, &asked).await }.boxed()).await?;
    let mut records: Vec<RecordRef> = holders
        .into_values()
        .flatten()
        .filter(|holder| holder.active && holder.at.table == table)
        .map(|holder| holder.at)
        .collect();
    records.sort();
    records.dedup();
    members(turn, pair, records, addresses, done).await
}

/// Ties records to the list, and notes that both sides have the addresses.
async fn members(
    turn: &mut Turn,
    pair: &Pair<'_>,
    records: Vec<RecordRef>,
    addresses: Vec<String>,
    done: &mut Done,
) -> Result<(), Halt> {
    let number = addresses.len() as u64;
    done.moved += number;
    turn.counts.to_crm.sent += number;
    turn.counts.to_crm.new += number;
    if turn.dry {
        turn.foresee(
            addresses
                .iter()
                .map(|address| Sample::of(To::Crm, Act::Join, address).word("list", pair.list.name.as_str())),
        );
        return Ok(());
    }
    let joined = Kind::Joined(pair.list.at.id);
    written::intend(turn, records.iter().map(|at| Write::of(joined, at.clone())).collect()).await?;
    turn.engine.crm.associate(&pair.list.relationship(), &pair.list.at, &records).await?;
    let (account, list, table) = (turn.account.name.clone(), pair.list.at.id, pair.list.table);
    let stored = turn.page("marketing.list_member_made", move |tx, _| {
        async move {
            let ids: Vec<Uuid> = records.iter().map(|at| at.id).collect();
            read_here::add(tx, (&account, list, table), &ids).await?;
            settle(tx, &account, list, &addresses, &[("agreed", true.into())]).await
        }
        .boxed()
    });
    Ok(stored.await?)
}

/// People whom nobody here knows become records, under ids made of their addresses, and then members.
async fn create(turn: &mut Turn, pair: &Pair<'_>, lot: Vec<Doing>, done: &mut Done) -> Result<(), Halt> {
    let people: Vec<Person> = lot.iter().map(|one| Person::Email(one.address.clone())).collect();
    let include =
        Include { fields: vec![Include::ALL_FIELDS.to_owned()], channels: true, ..Include::default() };
    let found = match turn.dry {
        true => vec![None; people.len()],
        false => turn.account.service.find_contacts(&people, &include).await?,
    };
    let book = Book::of(turn.engine.crm.as_ref(), turn.connected.row().id).await?;
    let of = |(one, contact): (&Doing, &Option<Contact>)| {
        created::record(&turn.connected.key, &book, pair.list.table, &one.address, contact.as_ref())
    };
    let records: Vec<Record> = lot.iter().zip(&found).map(of).collect();
    let made: HashMap<RecordRef, String> =
        records.iter().zip(lot).map(|(record, one)| (record.at.clone(), one.address)).collect();
    let records = created::write(turn, records).await?;
    done.rejected += (made.len() - records.len()) as u64;
    let addresses = records.iter().filter_map(|at| made.get(at).cloned()).collect();
    if !turn.dry {
        // So that the members' addresses are known.
        turn.engine.read_people().await?;
    }
    members(turn, pair, records, addresses, done).await
}
