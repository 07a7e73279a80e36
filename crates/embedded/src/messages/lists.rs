//! Marketing lists: AddMemberList, AddListMembersList, RemoveMemberList, CopyMembersList, CopyDynamicListToStatic,
//! QualifyMemberList (dataverse.md C2, protocol annex 8.1).
//!
//! A member's row has the id that `$ref` gives it too, so one is a member once, by whichever way.

use std::collections::HashSet;

use postroom_core::{Change, Content, Crm, Filter, Query, Record, RecordRef, Value};
use postroom_formats::fetchxml;
use uuid::Uuid;

use super::ask::{Ask, unless_changed};
use super::{Parameter, Prepared, codes, refuse};
use crate::definitions;
use crate::failure::Failure;

/// Ids in one question.
const CHUNK: usize = 500;

/// A list as its messages need it.
struct List {
    at: RecordRef,
    row: Record,
    /// The table of its members.
    table: &'static str,
}

impl List {
    async fn read(ask: &Ask<'_>, at: RecordRef) -> Result<Self, Failure> {
        let columns = [
            "createdfromcode",
            "type",
            "lockstatus",
            "query",
            "listname",
            "description",
            "purpose",
            "source",
            "versionnumber",
        ];
        let row = ask.row(&at, &columns).await?;
        let table = match row.int("createdfromcode") {
            Some(1) => "account",
            Some(4) => "lead",
            _ => "contact",
        };
        Ok(List { at, row, table })
    }

    fn is_dynamic(&self) -> bool {
        self.row.get("type").and_then(Value::as_bool) == Some(true)
    }

    /// Its members may be changed.
    fn open(self) -> Result<Self, Failure> {
        if self.row.get("lockstatus").and_then(Value::as_bool) == Some(true) {
            return Err(refuse(codes::LIST_LOCKED, "The list is locked: its members cannot be changed."));
        }
        if self.is_dynamic() {
            let text = "The list is dynamic: its members are what its query finds.";
            return Err(refuse(codes::INVALID_ARGUMENT, text));
        }
        Ok(self)
    }

    fn member(&self, id: Uuid) -> Record {
        let relationship = format!("list{}_association", self.table);
        let row = definitions::association(&relationship, self.at.id, id);
        Record::new(RecordRef::new("listmember", row))
            .with("listid", self.at.clone())
            .with("entityid", RecordRef::new(self.table, id))
    }

    /// The rows of those who are members, among these or of all.
    async fn members(&self, ask: &Ask<'_>, among: Option<&[Uuid]>) -> Result<Vec<Record>, Failure> {
        let of = |more: Option<Filter>| {
            let own = Filter::eq("listid", self.at.clone());
            let filter = Filter::All(std::iter::once(own).chain(more).collect());
            Query::of("listmember").select(&["entityid"]).filter(filter)
        };
        let Some(among) = among else { return ask.session.all(of(None)).await };
        let mut found = Vec::new();
        for ids in among.chunks(CHUNK) {
            let values = ids.iter().map(|id| Value::Lookup(RecordRef::new(self.table, *id))).collect();
            found.extend(ask.session.all(of(Some(Filter::In("entityid".into(), values)))).await?);
        }
        Ok(found)
    }

    /// What makes members of those who are none, each checked to be there and of the list's kind.
    async fn add(&self, ask: &Ask<'_>, ids: &[Uuid]) -> Result<Vec<Change>, Failure> {
        let known = self.members(ask, Some(ids)).await?;
        let mut seen: HashSet<Uuid> =
            known.iter().filter_map(|row| row.lookup("entityid")).map(|at| at.id).collect();
        let fresh: Vec<Uuid> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        let there = existing(ask, self.table, &fresh).await?;
        if let Some(missing) = fresh.iter().find(|id| !there.contains(id)) {
            return Err(self.stranger(ask, *missing).await?);
        }
        Ok(fresh.into_iter().map(|id| Change::Create(self.member(id))).collect())
    }

    /// Why somebody cannot be a member: of another kind, or not there.
    async fn stranger(&self, ask: &Ask<'_>, id: Uuid) -> Result<Failure, Failure> {
        for table in ["account", "contact", "lead"] {
            if table != self.table && existing(ask, table, &[id]).await?.contains(&id) {
                let text = format!("The list takes rows of {}, not of {table}.", self.table);
                return Ok(refuse(codes::MEMBER_TYPE, text));
            }
        }
        Ok(crate::rules::Refusal::NotFound(RecordRef::new(self.table, id)).into())
    }
}

async fn existing(ask: &Ask<'_>, table: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>, Failure> {
    let mut found = HashSet::new();
    for ids in ids.chunks(CHUNK) {
        let filter = Filter::In(format!("{table}id"), ids.iter().copied().map(Value::Guid).collect());
        // A table of which the caller may read nothing has nobody for him.
        let rows = ask.session.all(Query::of(table).select(&[]).filter(filter)).await;
        found.extend(rows.unwrap_or_default().into_iter().map(|row| row.at.id));
    }
    Ok(found)
}

async fn bound(ask: &Ask<'_>) -> Result<List, Failure> {
    let at = match (ask.get("List"), ask.get("ListId"), &ask.message.target) {
        (Some(_), _, None) => ask.needed("List", Some("list"))?,
        _ => ask.target("ListId", "list")?,
    };
    List::read(ask, at).await
}

pub(super) async fn add_one(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let list = bound(ask).await?.open()?;
    let id = ask.needed("EntityId", Some(list.table))?.id;
    let changes = list.add(ask, &[id]).await?;
    let known = list.members(ask, Some(&[id])).await?;
    let row = known.first().map_or_else(|| list.member(id).at.id, |row| row.at.id);
    Ok(Prepared::of(changes, vec![("Id", Parameter::Guid(row))]))
}

/// All or nobody.
pub(super) async fn add_many(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let list = bound(ask).await?.open()?;
    let name = if ask.get("MemberIds").is_some() { "MemberIds" } else { "Members" };
    let members = ask.references(name, Some(list.table))?;
    if let Some(other) = members.iter().find(|at| at.table != list.table) {
        let text = format!("The list takes rows of {}, not of {}.", list.table, other.table);
        return Err(refuse(codes::MEMBER_TYPE, text));
    }
    let ids: Vec<Uuid> = members.into_iter().map(|at| at.id).collect();
    Ok(Prepared::of(list.add(ask, &ids).await?, Vec::new()))
}

/// The member is named by the record or by its row in the list: clients send either.
pub(super) async fn remove(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let list = bound(ask).await?.open()?;
    let name = if ask.get("EntityId").is_some() { "EntityId" } else { "ListMember" };
    ask.need(name)?;
    let id = ask.guid(name)?.unwrap_or_default();
    let named = Filter::Any(vec![
        Filter::eq("listmemberid", id),
        Filter::eq("entityid", RecordRef::new(list.table, id)),
    ]);
    let filter = Filter::All(vec![Filter::eq("listid", list.at.clone()), named]);
    let rows = ask.session.all(Query::of("listmember").select(&[]).filter(filter)).await?;
    if rows.is_empty() {
        return Err(refuse(codes::NOT_A_MEMBER, "The record is not a member of the list."));
    }
    Ok(Prepared::of(rows.into_iter().map(|row| Change::Delete(row.at)).collect(), Vec::new()))
}

/// Who is in a list now: its members, or what its query finds.
async fn everybody(ask: &Ask<'_>, list: &List) -> Result<Vec<Uuid>, Failure> {
    if !list.is_dynamic() {
        let members = list.members(ask, None).await?;
        return Ok(members.iter().filter_map(|row| row.lookup("entityid")).map(|at| at.id).collect());
    }
    let xml = match list.row.get("query") {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Content(content)) => text(ask, content).await?,
        _ => return Ok(Vec::new()),
    };
    let fetch = fetchxml::parse(&xml).map_err(|error| refuse(codes::INVALID_ARGUMENT, error.to_string()))?;
    if fetch.query.table != list.table || fetch.query.computes() {
        let text = format!("The query of the list must ask for rows of {}.", list.table);
        return Err(refuse(codes::INVALID_ARGUMENT, text));
    }
    let rows = ask.session.all(Query { columns: Some(Vec::new()), distinct: false, ..fetch.query }).await?;
    Ok(rows.into_iter().map(|row| row.at.id).collect())
}

async fn text(ask: &Ask<'_>, content: &Content) -> Result<String, Failure> {
    let bytes = Crm::read(ask.session.crm(), content).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) async fn copy(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let source = List::read(ask, ask.target("SourceListId", "list")?).await?;
    let target = List::read(ask, ask.needed("TargetListId", Some("list"))?).await?.open()?;
    if source.table != target.table {
        let text = format!("The list takes rows of {}, not of {}.", target.table, source.table);
        return Err(refuse(codes::MEMBER_TYPE, text));
    }
    let ids = everybody(ask, &source).await?;
    Ok(Prepared::of(target.add(ask, &ids).await?, Vec::new()))
}

/// A static list of those whom a dynamic one finds now.
pub(super) async fn freeze(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let source = bound(ask).await?;
    if !source.is_dynamic() {
        return Err(refuse(codes::INVALID_ARGUMENT, "The list is static already."));
    }
    let at = RecordRef::new("list", ask.ids.next());
    let mut row = Record::new(at.clone()).with("type", false);
    for name in ["listname", "createdfromcode", "description", "purpose", "source"] {
        if let Some(value) = source.row.get(name).filter(|value| **value != Value::Null) {
            row = row.with(name, value.clone());
        }
    }
    let frozen = List { at: at.clone(), row: row.clone(), table: source.table };
    let ids: HashSet<Uuid> = everybody(ask, &source).await?.into_iter().collect();
    let mut changes = vec![Change::CreateNew(row)];
    changes.extend(ids.into_iter().map(|id| Change::Create(frozen.member(id))));
    Ok(Prepared::of(changes, vec![("StaticListId", Parameter::Guid(at.id))]))
}

/// `OverrideorRemove`: true keeps those given and nobody else, false takes those given out.
pub(super) async fn qualify(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let list = bound(ask).await?.open()?;
    let name = if ask.get("MembersId").is_some() { "MembersId" } else { "ListMember" };
    let given: HashSet<Uuid> = ask.references(name, Some(list.table))?.into_iter().map(|at| at.id).collect();
    let keep = ask.flag("OverrideorRemove")?.unwrap_or(false);
    let is_given = |row: &Record| {
        given.contains(&row.at.id) || row.lookup("entityid").is_some_and(|at| given.contains(&at.id))
    };
    let members = list.members(ask, None).await?;
    let gone = members.into_iter().filter(|row| is_given(row) != keep);
    let mut changes: Vec<Change> = gone.map(|row| Change::Delete(row.at)).collect();
    if changes.is_empty() {
        return Ok(Prepared::default());
    }
    // Two who qualify at once do not both count.
    let used = Record::new(list.at.clone()).with("lastusedon", ask.session.now());
    changes.push(unless_changed(&list.row, used));
    Ok(Prepared::of(changes, Vec::new()))
}
