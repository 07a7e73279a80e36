//! The port `Crm`: what every CRM must do with the standard tables, the embedded one and those outside alike.
//!
//! The tables are Dataverse's (contact, account, lead, incident, queue, systemuser, email, activityparty,
//! activitymimeattachment, businessunit), as a new organisation has them. The rules checked are those that the mail half
//! relies on; it is no test of all of Dataverse.

mod deliver;
mod find;
mod mail;
mod pages;
mod query;
mod refusals;
mod writes;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use postroom_core::{
    Change, ChangeSet, Code, Crm, Fault, Filter, Ids, Outcome, Query, Record, RecordRef, Value,
};
use uuid::Uuid;

use super::{Failure, Verdict, cases, ensure};

type Run = fn(Bench) -> Pin<Box<dyn Future<Output = Verdict>>>;

/// Runs the suite; the test that calls it must run on a runtime with timers and IO.
///
/// # Panics
/// When a case fails.
pub async fn crm(make: impl AsyncFn() -> Arc<dyn Crm>) {
    super::report("Crm", &failures(make).await);
}

/// Runs the suite and answers what failed.
pub async fn failures(make: impl AsyncFn() -> Arc<dyn Crm>) -> Vec<Failure> {
    let ids = Ids::random();
    let mut failures = Vec::new();
    for (case, run) in all() {
        // The first digits of a UUIDv7 are the time, so the last ones tell cases apart.
        let mark = ids.next().simple().to_string()[16..].to_owned();
        let bench = Bench { crm: make().await, ids: ids.clone(), mark };
        if let Err(text) = run(bench).await {
            failures.push(Failure { case, text });
        }
    }
    failures
}

fn all() -> Vec<(&'static str, Run)> {
    cases![
        writes::a_row_reads_back_as_it_was_written,
        writes::texts_read_back_exactly,
        writes::a_repeated_create_changes_nothing,
        writes::an_update_changes_the_columns_it_names,
        writes::a_repeated_update_changes_nothing,
        writes::null_clears_a_column,
        writes::a_guarded_update_needs_the_version_read,
        writes::a_new_row_is_not_there_yet,
        writes::an_upsert_creates_or_changes,
        writes::a_delete_can_be_repeated,
        writes::a_status_follows_its_state,
        writes::a_set_is_all_or_nothing,
        writes::a_set_that_is_refused_midway_makes_nothing,
        writes::neighbours_of_a_failing_set_survive,
        writes::a_set_may_refer_to_its_own_rows,
        writes::nothing_to_do_is_done,
        writes::a_row_created_at_once_is_created_once,
        mail::a_mail_is_written_in_one_set,
        mail::writing_a_mail_again_changes_nothing,
        mail::a_mail_moves_to_another_record,
        mail::a_large_body_reads_back,
        deliver::a_crm_that_cannot_deliver_says_so,
        deliver::a_mail_is_delivered_with_its_parts,
        deliver::a_mail_delivered_again_is_found,
        deliver::a_mail_twice_in_one_lot_is_there_once,
        deliver::another_mail_with_its_id_is_refused,
        deliver::what_nobody_takes_is_refused_alone,
        deliver::a_reply_finds_its_parent_in_the_same_lot,
        deliver::a_question_writes_nothing,
        deliver::many_mails_keep_their_order,
        find::ids_are_found_in_any_of_the_tables,
        find::what_was_found_says_how_it_stands,
        find::a_merged_row_names_its_survivor,
        find::many_ids_at_once,
        find::an_address_is_found_in_every_column,
        find::an_address_is_found_without_case,
        find::an_address_of_several_is_found_several_times,
        find::inactive_owners_of_an_address_say_so,
        find::unknown_addresses_are_left_out,
        query::filters_choose_rows,
        query::filters_on_null,
        query::order_and_top,
        query::columns_wanted,
        query::a_user_asks_in_person,
        pages::pages_bring_every_row_once,
        pages::pages_have_no_gap_under_writes,
        pages::a_run_brings_what_changed,
        pages::a_run_misses_no_write,
        pages::a_token_that_is_none_is_refused,
        pages::tables_are_described,
        pages::every_table_is_described,
        pages::rows_are_tied_and_untied,
        refusals::unknown_names,
        refusals::unknown_names_in_queries,
        refusals::values_that_do_not_fit,
        refusals::lookups_that_lead_nowhere,
        refusals::states_and_statuses,
        refusals::required_columns,
        refusals::rows_that_are_not_there,
        refusals::the_longest_text_fits,
        checks::it_says_who_it_is,
    ]
}

mod checks {
    use super::*;

    pub async fn it_says_who_it_is(bench: Bench) -> Verdict {
        let text = bench.crm.check().await.map_err(|fault| fault.to_string())?;
        ensure!(!text.trim().is_empty(), "check() says nothing");
        Ok(())
    }
}

/// One case's CRM, and a mark that no other case's rows have.
struct Bench {
    crm: Arc<dyn Crm>,
    ids: Ids,
    /// Sixteen letters and digits.
    mark: String,
}

impl Bench {
    /// A contact of this case, not written yet.
    fn contact(&self, first_name: &str) -> Record {
        let at = RecordRef::new("contact", self.ids.next());
        Record::new(at).with("firstname", first_name).with("lastname", self.mark.as_str())
    }

    fn account(&self) -> Record {
        Record::new(RecordRef::new("account", self.ids.next())).with("name", self.mark.as_str())
    }

    fn lead(&self) -> Record {
        let lead = Record::new(RecordRef::new("lead", self.ids.next()));
        lead.with("subject", "Interested").with("lastname", self.mark.as_str())
    }

    fn queue(&self) -> Record {
        Record::new(RecordRef::new("queue", self.ids.next())).with("name", self.mark.as_str())
    }

    fn email(&self, subject: &str) -> Record {
        let email = Record::new(RecordRef::new("email", self.ids.next()));
        email.with("subject", subject).with("directioncode", false)
    }

    /// A user needs a business unit; the one that the organisation has.
    async fn user(&self) -> Result<Record, String> {
        let units = self.rows(Query::of("businessunit").select(&["businessunitid"]).top(1)).await?;
        let unit = units.first().ok_or("the organisation has no business unit")?;
        let user = Record::new(RecordRef::new("systemuser", self.ids.next()));
        let name = format!("{}@ours.example", self.mark);
        let user =
            user.with("firstname", "Uma").with("lastname", self.mark.as_str()).with("domainname", name);
        Ok(user.with("businessunitid", unit.at.clone()))
    }

    /// An address that no other case has.
    fn address(&self, local: &str) -> String {
        format!("{local}.{}@customer.example", self.mark)
    }

    /// One set of writes.
    async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Fault> {
        let mut answers = self.crm.apply(vec![ChangeSet { changes }]).await;
        assert_eq!(answers.len(), 1, "one set gives one answer");
        answers.remove(0)
    }

    /// One write that must succeed.
    async fn must(&self, change: Change) -> Result<Outcome, String> {
        let what = format!("{change:?}");
        let outcomes = self.apply(vec![change]).await.map_err(|fault| format!("{what}: {fault}"))?;
        ensure!(outcomes.len() == 1, "one write gave {} outcomes", outcomes.len());
        Ok(outcomes[0])
    }

    /// Makes rows that must be new, in one set.
    async fn create(&self, records: &[Record]) -> Verdict {
        let changes = records.iter().cloned().map(Change::Create).collect();
        let outcomes = self.apply(changes).await.map_err(|fault| format!("create: {fault}"))?;
        ensure!(outcomes == vec![Outcome::Created; records.len()], "new rows gave {outcomes:?}");
        Ok(())
    }

    async fn rows(&self, query: Query) -> Result<Vec<Record>, String> {
        self.crm.query(&query).await.map_err(|fault| format!("{query:?}: {fault}"))
    }

    /// All columns of a row, or `None`.
    async fn row(&self, at: &RecordRef) -> Result<Option<Record>, String> {
        let key = primary_key(&at.table);
        let mut rows = self.rows(Query::of(&at.table).filter(Filter::eq(key, at.id))).await?;
        ensure!(rows.len() <= 1, "{at} is there {} times", rows.len());
        Ok(rows.pop())
    }

    /// All columns of a row that must be there.
    async fn found(&self, at: &RecordRef) -> Result<Record, String> {
        let row = self.row(at).await?.ok_or_else(|| format!("{at} is not there"))?;
        ensure!(row.at == *at, "{at} came back as {}", row.at);
        Ok(row)
    }

    /// Fails unless the write is refused for good, with this code, in a text that names the column or table.
    async fn refused(&self, what: &str, change: Change, code: Code, named: &str) -> Verdict {
        refusal(what, self.apply(vec![change]).await, code, named)
    }

    /// The bytes of a body column, however the CRM keeps it.
    async fn body(&self, value: Option<&Value>) -> Result<Vec<u8>, String> {
        match value {
            Some(Value::Text(text)) => Ok(text.clone().into_bytes()),
            Some(Value::Content(content)) => {
                let bytes = self.crm.read(content).await.map_err(|fault| format!("read: {fault}"))?;
                Ok(bytes.to_vec())
            }
            other => Err(format!("a body came back as {other:?}")),
        }
    }
}

/// The column that holds a table's ids.
fn primary_key(table: &str) -> String {
    match table {
        "email" => "activityid".to_owned(),
        _ => format!("{table}id"),
    }
}

/// Fails unless `answer` is a refusal for good, with this code, in a text that names the column or table.
fn refusal<T>(what: &str, answer: Result<T, Fault>, code: Code, named: &str) -> Verdict {
    let Err(fault) = answer else { return Err(format!("{what}: was accepted")) };
    ensure!(fault.verdict == postroom_core::Verdict::Reject, "{what}: the verdict is {:?}", fault.verdict);
    ensure!(fault.code == code, "{what}: the code is {}, not {code} ({})", fault.code, fault.message);
    ensure!(fault.message.contains(named), "{what}: {named} is not named in {:?}", fault.message);
    Ok(())
}

/// Whether two values mean the same: numbers by value, everything else exactly; null is as good as absent.
fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (None | Some(Value::Null), None | Some(Value::Null)) => true,
        (Some(Value::Decimal(left)), Some(Value::Decimal(right))) => plain(left) == plain(right),
        (left, right) => left == right,
    }
}

/// A decimal without zeros that say nothing.
fn plain(decimal: &str) -> &str {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.'),
        false => decimal,
    }
}

/// Fails unless the row has all these columns with these values.
fn holds(row: &Record, expected: &Record) -> Verdict {
    for (column, value) in &expected.columns {
        let found = row.get(column);
        ensure!(same(found, Some(value)), "{}: {column} is {found:?}, not {value:?}", row.at);
    }
    Ok(())
}

/// The ids of rows, sorted.
fn ids(rows: &[Record]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = rows.iter().map(|row| row.at.id).collect();
    ids.sort();
    ids
}
