//! A CRM in memory that follows the port's contract, or breaks it in one chosen way.

mod choose;
mod described;
mod runs;
mod schema;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::metadata::Metadata;
use postroom_core::{
    AddressHit, Capabilities, Change, ChangeSet, ChangesAsk, Code, Content, Crm, CrmChanges, CrmPage, Fault,
    Filter, Outcome, Query, Record, RecordRef, Value, address,
};
use uuid::Uuid;

use choose::Chooser;
use runs::Run;
use schema::{Kind, TABLES, Table};

macro_rules! flaws {
    ($($flaw:ident => $case:literal),+ $(,)?) => {
        /// One way to be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Flaw { $($flaw),+ }

        impl Flaw {
            /// Each flaw with the case that must find it.
            pub const ALL: &[(Flaw, &str)] = &[$((Flaw::$flaw, $case)),+];
        }
    };
}

flaws! {
    CreateOverwrites => "a_repeated_create_changes_nothing",
    UpdateCreates => "rows_that_are_not_there",
    EveryUpdateCounts => "a_repeated_update_changes_nothing",
    SetsAreNotAtomic => "a_set_is_all_or_nothing",
    AFailureStopsAll => "neighbours_of_a_failing_set_survive",
    DeleteOnlyOnce => "a_delete_can_be_repeated",
    StatusStays => "a_status_follows_its_state",
    TextIsTrimmed => "texts_read_back_exactly",
    LookThenWrite => "a_row_created_at_once_is_created_once",
    BodiesAreLost => "a_mail_is_written_in_one_set",
    VersionsAreFree => "a_guarded_update_needs_the_version_read",
    CompletedIsFrozen => "a_mail_moves_to_another_record",
    FirstTableOnly => "ids_are_found_in_any_of_the_tables",
    MergedIsForgotten => "a_merged_row_names_its_survivor",
    ThousandIds => "many_ids_at_once",
    AddressCaseMatters => "an_address_is_found_without_case",
    FirstAddressColumnOnly => "an_address_is_found_in_every_column",
    OneHitForEach => "an_address_of_several_is_found_several_times",
    EveryoneIsActive => "inactive_owners_of_an_address_say_so",
    NullIsAnotherValue => "filters_on_null",
    Wildcards => "filters_choose_rows",
    CaseMatters => "filters_choose_rows",
    CaseOfAsciiOnly => "filters_choose_rows",
    DecimalsAsText => "filters_choose_rows",
    OrderWithCase => "order_and_top",
    TopIsIgnored => "order_and_top",
    AllColumns => "columns_wanted",
    UnknownColumnsAreKept => "unknown_names",
    UnknownColumnsAreEmpty => "unknown_names_in_queries",
    LengthIsFree => "values_that_do_not_fit",
    LengthInBytes => "the_longest_text_fits",
    KindIsFree => "values_that_do_not_fit",
    ReferencesAreFree => "lookups_that_lead_nowhere",
    StatesAreFree => "states_and_statuses",
    NothingIsRequired => "required_columns",
    MessagesNameNothing => "unknown_names",
    RefusalsAreRetried => "unknown_names",
    NewRowsOverwrite => "a_new_row_is_not_there_yet",
    NewRowsAreLeftAsTheyAre => "a_new_row_is_not_there_yet",
    DeletesOfNothingSucceed => "a_new_row_is_not_there_yet",
    DeletesForgetTheVersion => "a_guarded_update_needs_the_version_read",
    VersionsStay => "a_guarded_update_needs_the_version_read",
    PagesByOffset => "pages_have_no_gap_under_writes",
    PagesOverlap => "pages_bring_every_row_once",
    PagesAreLarger => "pages_bring_every_row_once",
    PagesAreOutOfOrder => "pages_bring_every_row_once",
    FirstRunIsNotFull => "a_run_brings_what_changed",
    DeletionsAreNotTold => "a_run_brings_what_changed",
    EveryRowIsAChange => "a_run_brings_what_changed",
    TokensAreTakenLate => "a_run_misses_no_write",
    AnyTokenWillDo => "a_token_that_is_none_is_refused",
    LengthsAreNotDescribed => "tables_are_described",
    CustomersArePlainLookups => "tables_are_described",
    LookupsAreNotDescribed => "tables_are_described",
    MoreIsDescribed => "tables_are_described",
    NoNameIsNoTable => "every_table_is_described",
    NoNameLeavesOutLookups => "every_table_is_described",
    TiesAreDoubled => "rows_are_tied_and_untied",
    OneIsTied => "rows_are_tied_and_untied",
    AllAreUntied => "rows_are_tied_and_untied",
}

/// The order of columns is that of the writes.
#[derive(Clone, PartialEq)]
pub struct Row(Record);

impl Row {
    /// Null when absent; the table's key is a column too.
    fn get(&self, column: &str) -> Value {
        let table = Table::of(&self.0.at.table).unwrap();
        match table.kind(column) {
            Some(Kind::Id) => Value::Guid(self.0.at.id),
            _ => self.0.get(column).cloned().unwrap_or(Value::Null),
        }
    }

    fn set(&mut self, column: &str, value: Value) {
        self.0.columns.retain(|(name, _)| name != column);
        self.0.columns.push((column.into(), value));
    }
}

type Rows = BTreeMap<RecordRef, Row>;

pub struct Model {
    rows: Mutex<Rows>,
    flaw: Option<Flaw>,
    owner: RecordRef,
    /// The newest version.
    version: AtomicI64,
    /// Rows that were deleted, with the versions of their deletion.
    gone: Mutex<Vec<(i64, RecordRef)>>,
    /// The last rows of pages, and how many rows came up to them: cookies are numbers of these.
    places: Mutex<Vec<(Row, usize)>>,
    runs: Mutex<Vec<Run>>,
}

impl Model {
    /// An organisation with a business unit and an administrator.
    pub fn new(flaw: Option<Flaw>) -> Model {
        let unit = Record::new(RecordRef::new("businessunit", Uuid::from_u128(1))).with("name", "root");
        let owner = RecordRef::new("systemuser", Uuid::from_u128(2));
        let user =
            Record::new(owner.clone()).with("domainname", "admin").with("businessunitid", unit.at.clone());
        let rows = [unit, user].map(|row| (row.at.clone(), Row(row))).into();
        Model {
            rows: Mutex::new(rows),
            flaw,
            owner,
            version: AtomicI64::new(0),
            gone: Mutex::default(),
            places: Mutex::default(),
            runs: Mutex::default(),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn fault(&self, code: Code, named: &str, text: &str) -> Fault {
        let message =
            if self.has(Flaw::MessagesNameNothing) { text.to_owned() } else { format!("{named}: {text}") };
        match self.has(Flaw::RefusalsAreRetried) {
            true => Fault::retry(code, message),
            false => Fault::reject(code, message),
        }
    }

    fn table(&self, name: &str) -> Result<&'static Table, Fault> {
        Table::of(name).ok_or_else(|| self.fault(Code::CRM_UNKNOWN_COLUMN, name, "no such table"))
    }

    fn set(&self, rows: &mut Rows, set: ChangeSet) -> Result<Vec<Outcome>, Fault> {
        let before = rows.clone();
        let outcomes: Result<_, Fault> =
            set.changes.into_iter().map(|change| self.change(rows, change)).collect();
        if outcomes.is_err() && !self.has(Flaw::SetsAreNotAtomic) {
            *rows = before;
        }
        outcomes
    }

    fn change(&self, rows: &mut Rows, change: Change) -> Result<Outcome, Fault> {
        let there = |at: &RecordRef| rows.contains_key(at);
        match change {
            Change::Create(record) if there(&record.at) && !self.has(Flaw::CreateOverwrites) => {
                Ok(Outcome::Unchanged)
            }
            Change::Create(record) => self.create(rows, record),
            Change::Upsert(record) if !there(&record.at) => self.create(rows, record),
            Change::Update(record) if !there(&record.at) && self.has(Flaw::UpdateCreates) => {
                self.create(rows, record)
            }
            Change::Update(record) if !there(&record.at) && Table::of(&record.at.table).is_some() => {
                let id = record.at.id.to_string();
                Err(self.fault(Code::CRM_NOT_FOUND, &id, "no such row"))
            }
            Change::Update(record) | Change::Upsert(record) => self.update(rows, record),
            Change::Delete(at) if there(&at) => self.delete(rows, at),
            Change::Delete(at) if self.has(Flaw::DeleteOnlyOnce) => {
                Err(self.fault(Code::CRM_NOT_FOUND, &at.table, "no such row"))
            }
            Change::Delete(_) => Ok(Outcome::Unchanged),
            Change::CreateNew(record) if there(&record.at) && self.has(Flaw::NewRowsOverwrite) => {
                self.update(rows, record)
            }
            Change::CreateNew(record) if there(&record.at) && self.has(Flaw::NewRowsAreLeftAsTheyAre) => {
                Ok(Outcome::Unchanged)
            }
            Change::CreateNew(record) if there(&record.at) => {
                let id = record.at.id.to_string();
                Err(self.fault(Code::CRM_DUPLICATE, &id, "is there already"))
            }
            Change::CreateNew(record) => self.create(rows, record),
            Change::UpdateIf(record, version) => {
                self.unmoved(rows, &record.at, Some(version))?;
                self.update(rows, record)
            }
            Change::DeleteIf(at, _) if !there(&at) && self.has(Flaw::DeletesOfNothingSucceed) => {
                Ok(Outcome::Unchanged)
            }
            Change::DeleteIf(at, version) => {
                self.unmoved(rows, &at, version.filter(|_| !self.has(Flaw::DeletesForgetTheVersion)))?;
                self.delete(rows, at)
            }
        }
    }

    fn delete(&self, rows: &mut Rows, at: RecordRef) -> Result<Outcome, Fault> {
        rows.remove(&at);
        let version = self.version.fetch_add(1, SeqCst) + 1;
        self.gone.lock().unwrap().push((version, at));
        Ok(Outcome::Deleted)
    }

    fn unmoved(&self, rows: &Rows, at: &RecordRef, version: Option<i64>) -> Result<(), Fault> {
        let id = at.id.to_string();
        let Some(row) = rows.get(at) else { return Err(self.fault(Code::CRM_NOT_FOUND, &id, "no such row")) };
        let moved = version.is_some_and(|version| row.get("versionnumber") != Value::Int(version));
        match moved && !self.has(Flaw::VersionsAreFree) {
            true => Err(self.fault(Code::CRM_VERSION, &id, "was changed meanwhile")),
            false => Ok(()),
        }
    }

    fn create(&self, rows: &mut Rows, record: Record) -> Result<Outcome, Fault> {
        let table = self.table(&record.at.table)?;
        let missing = table.required.iter().find(|column| record.get(column).is_none());
        if let (Some(column), false) = (missing, self.has(Flaw::NothingIsRequired)) {
            return Err(self.fault(Code::CRM_REQUIRED, column, "is required"));
        }
        let mut row = Row(Record::new(record.at.clone()));
        if table.kind("ownerid").is_some() {
            row.set("ownerid", self.owner.clone().into());
        }
        if !table.states().is_empty() {
            row.set("statecode", Value::Int(0));
            row.set("statuscode", Value::Int(1));
        }
        self.write(rows, row, record)?;
        Ok(Outcome::Created)
    }

    fn update(&self, rows: &mut Rows, record: Record) -> Result<Outcome, Fault> {
        self.table(&record.at.table)?;
        let row = rows[&record.at].clone();
        let same = |row: &Row| record.columns.iter().all(|(column, value)| row.get(column) == *value);
        let frozen = record.at.table == "email" && row.get("statecode") == Value::Int(1);
        if frozen && self.has(Flaw::CompletedIsFrozen) {
            return Err(self.fault(Code::CRM_REFUSED, "statecode", "a completed mail cannot be changed"));
        }
        if same(&row) && !self.has(Flaw::EveryUpdateCounts) {
            return Ok(Outcome::Unchanged);
        }
        self.write(rows, row, record)?;
        Ok(Outcome::Updated)
    }

    fn write(&self, rows: &mut Rows, mut row: Row, record: Record) -> Result<(), Fault> {
        let table = self.table(&record.at.table)?;
        let names_status = record.get("statuscode").is_some();
        for (column, value) in record.columns {
            let value = self.checked(rows, table, &column, value)?;
            if column == "statecode" && !names_status && !self.has(Flaw::StatusStays) {
                let states = table.states();
                let of_state = states.iter().find(|(state, _)| Value::Int(*state) == value);
                row.set("statuscode", of_state.map_or(Value::Null, |(_, statuses)| Value::Int(statuses[0])));
            }
            row.set(&column, value);
        }
        self.check_status(table, &row)?;
        if table.kind("modifiedon").is_some() {
            row.set("modifiedon", Timestamp::UNIX_EPOCH.into());
        }
        if table.kind("versionnumber").is_some() {
            let fresh = row.get("versionnumber") == Value::Null;
            if fresh || !self.has(Flaw::VersionsStay) {
                row.set("versionnumber", Value::Int(self.version.fetch_add(1, SeqCst) + 1));
            }
        }
        rows.insert(row.0.at.clone(), row);
        Ok(())
    }

    fn checked(&self, rows: &Rows, table: &Table, column: &str, value: Value) -> Result<Value, Fault> {
        let refused = |text| self.fault(Code::CRM_REFUSED, column, text);
        let Some(kind) = table.kind(column) else {
            return match self.has(Flaw::UnknownColumnsAreKept) {
                true => Ok(value),
                false => Err(self.fault(Code::CRM_UNKNOWN_COLUMN, column, "no such column")),
            };
        };
        if !kind.takes(&value) && !self.has(Flaw::KindIsFree) {
            return Err(refused("does not take that"));
        }
        match (kind, value) {
            (Kind::Text(longest), Value::Text(text)) => {
                let length = if self.has(Flaw::LengthInBytes) { text.len() } else { text.chars().count() };
                match length <= longest || self.has(Flaw::LengthIsFree) {
                    true if self.has(Flaw::TextIsTrimmed) => Ok(Value::text(text.trim())),
                    true => Ok(Value::Text(text)),
                    false => Err(refused("is too long")),
                }
            }
            (Kind::Lookup(_), Value::Lookup(at))
                if !rows.contains_key(&at) && !self.has(Flaw::ReferencesAreFree) =>
            {
                Err(self.fault(Code::CRM_REFERENCE, column, "names no row"))
            }
            (Kind::Body, Value::Content(_)) if self.has(Flaw::BodiesAreLost) => {
                Ok(Value::Content(Content::Bytes(Bytes::new())))
            }
            (_, value) => Ok(value),
        }
    }

    fn check_status(&self, table: &Table, row: &Row) -> Result<(), Fault> {
        let (state, status) = (row.get("statecode"), row.get("statuscode"));
        let fits = |(of, statuses): &(i64, &[i64])| {
            Value::Int(*of) == state && statuses.iter().any(|number| Value::Int(*number) == status)
        };
        let free = table.states().is_empty() || self.has(Flaw::StatesAreFree) || self.has(Flaw::StatusStays);
        match free || table.states().iter().any(fits) {
            true => Ok(()),
            false => Err(self.fault(Code::CRM_STATE, "statuscode", "does not belong to that state")),
        }
    }

    fn check_names(&self, query: &Query) -> Result<(), Fault> {
        let table = self.table(&query.table)?;
        let mut names: Vec<&str> = query.columns.iter().flatten().map(String::as_str).collect();
        names.extend(query.order.iter().map(|order| order.column.as_str()));
        named(&query.filter, &mut names);
        let unknown = names.into_iter().find(|name| table.kind(name).is_none());
        match unknown.filter(|_| !self.has(Flaw::UnknownColumnsAreEmpty)) {
            None => Ok(()),
            Some(name) => Err(self.fault(Code::CRM_UNKNOWN_COLUMN, name, "no such column")),
        }
    }

    /// The rows that a query chooses, in its order; equal ones in the order of their ids.
    fn sorted(&self, query: &Query) -> Result<Vec<Row>, Fault> {
        self.check_names(query)?;
        let chooser = Chooser { flaw: self.flaw };
        let rows = self.rows.lock().unwrap();
        let of_table = |row: &&Row| row.0.at.table == query.table && chooser.chooses(&query.filter, row);
        let mut chosen: Vec<Row> = rows.values().filter(of_table).cloned().collect();
        chosen.sort_by(|left, right| self.compare(query, left, right));
        let top = query.top.filter(|_| !self.has(Flaw::TopIsIgnored)).map_or(usize::MAX, |top| top as usize);
        chosen.truncate(top);
        Ok(chosen)
    }

    fn compare(&self, query: &Query, left: &Row, right: &Row) -> Ordering {
        let sorter = Chooser { flaw: self.flaw.filter(|flaw| *flaw != Flaw::CaseMatters) };
        let with_case = Chooser { flaw: Some(Flaw::CaseMatters) };
        let sorter = if self.has(Flaw::OrderWithCase) { with_case } else { sorter };
        let keys = query.order.iter().filter(|_| !self.has(Flaw::PagesAreOutOfOrder));
        let by = keys.map(|order| {
            let rises = sorter.order(&left.get(&order.column), &right.get(&order.column));
            if order.descending { rises.reverse() } else { rises }
        });
        by.chain([left.0.at.cmp(&right.0.at)]).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// Rows with the columns that a query wants.
    fn cut(&self, query: &Query, rows: Vec<Row>) -> Vec<Record> {
        let wanted = query.columns.as_ref().filter(|_| !self.has(Flaw::AllColumns));
        let cut = |Row(mut row)| {
            row.columns
                .retain(|(name, _)| wanted.is_none_or(|wanted| wanted.iter().any(|wanted| wanted == name)));
            row
        };
        rows.into_iter().map(cut).collect()
    }

    fn hit(&self, row: &Row, column: &str, asked: &str) -> Option<AddressHit> {
        let Value::Text(stored) = row.get(column) else { return None };
        let stored = if self.has(Flaw::AddressCaseMatters) { stored } else { address::normal(&stored) };
        let gone = row.get("statecode") == Value::Int(1) || row.get("isdisabled") == Value::Bool(true);
        let time = match row.get("modifiedon") {
            Value::Time(time) => Some(time),
            _ => None,
        };
        (stored == asked).then(|| AddressHit {
            address: asked.to_owned(),
            record: row.0.at.clone(),
            column: column.to_owned(),
            active: !gone || self.has(Flaw::EveryoneIsActive),
            owner: row.get("ownerid").as_lookup().cloned(),
            modified_on: time,
        })
    }
}

fn named<'f>(filter: &'f Filter, names: &mut Vec<&'f str>) {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().for_each(|part| named(part, names)),
        Filter::Not(inner) => named(inner, names),
        Filter::Compare(column, ..)
        | Filter::In(column, _)
        | Filter::Null(column)
        | Filter::Like(column, _)
        | Filter::Operator(column, ..) => names.push(column),
        Filter::Columns(left, _, right) => names.extend([left.as_str(), right.as_str()]),
        Filter::Linked(link) => names.push(&link.to),
    }
}

#[async_trait]
impl Crm for Model {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        let most = if self.has(Flaw::ThousandIds) { 1000 } else { ids.len() };
        let ids = &ids[..most.min(ids.len())];
        let tables = if self.has(Flaw::FirstTableOnly) { &tables[..tables.len().min(1)] } else { tables };
        let rows = self.rows.lock().unwrap();
        let wanted = |at: &RecordRef| tables.contains(&at.table.as_str()) && ids.contains(&at.id);
        let mut found: Vec<Record> =
            rows.values().filter(|row| wanted(&row.0.at)).map(|row| row.0.clone()).collect();
        if self.has(Flaw::MergedIsForgotten) {
            found.iter_mut().for_each(|row| row.columns.retain(|(name, _)| name != "masterid"));
        }
        Ok(found)
    }

    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        let rows = self.rows.lock().unwrap();
        let mut hits: HashMap<&str, Vec<AddressHit>> = HashMap::new();
        for row in rows.values().filter(|row| row.0.at.table != "email") {
            let columns = Table::of(&row.0.at.table).unwrap().columns.iter().map(|(name, _)| *name);
            let columns = columns.filter(|name| name.contains("emailaddress"));
            let most = if self.has(Flaw::FirstAddressColumnOnly) { 1 } else { 9 };
            for column in columns.take(most) {
                let found = addresses.iter().filter_map(|asked| Some((asked, self.hit(row, column, asked)?)));
                found.for_each(|(asked, hit)| hits.entry(asked).or_default().push(hit));
            }
        }
        let most = if self.has(Flaw::OneHitForEach) { 1 } else { usize::MAX };
        Ok(hits.into_values().flat_map(|hits| hits.into_iter().take(most)).collect())
    }

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        Ok(self.cut(query, self.sorted(query)?))
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        self.page_of(query, size, after)
    }

    async fn changes(&self, ask: &ChangesAsk) -> Result<CrmChanges, Fault> {
        self.changes_of(ask)
    }

    async fn metadata(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        Ok(self.described(tables))
    }

    async fn capabilities(&self) -> Result<Capabilities, Fault> {
        Ok(Capabilities { change_tracking: true, ..Capabilities::default() })
    }

    async fn associate(
        &self,
        _relationship: &str,
        at: &RecordRef,
        others: &[RecordRef],
    ) -> Result<(), Fault> {
        self.tie(at, others);
        Ok(())
    }

    async fn disassociate(
        &self,
        _relationship: &str,
        at: &RecordRef,
        others: &[RecordRef],
    ) -> Result<(), Fault> {
        self.untie(at, others);
        Ok(())
    }

    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        if self.has(Flaw::LookThenWrite) {
            let known = self.rows.lock().unwrap().clone();
            tokio::task::yield_now().await;
            let mut rows = known;
            let answers = sets.into_iter().map(|set| self.set(&mut rows, set)).collect();
            self.rows.lock().unwrap().extend(rows);
            return answers;
        }
        let mut rows = self.rows.lock().unwrap();
        let mut failed = false;
        let mut answers = Vec::new();
        for set in sets {
            let stopped = failed && self.has(Flaw::AFailureStopsAll);
            let answer = if stopped { Err(Fault::bug("not tried")) } else { self.set(&mut rows, set) };
            failed |= answer.is_err();
            answers.push(answer);
        }
        answers
    }

    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        match content {
            Content::Bytes(bytes) => Ok(bytes.clone()),
            _ => Err(Fault::bug("the model keeps bytes only")),
        }
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok(format!("a model with {} tables", TABLES.len()))
    }
}
