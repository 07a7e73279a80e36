//! The forms themselves: which have changed, and their rows, questions and options in the CRM.
//!
//! The service lists all forms in one call or a few, with the numbers of their responses; a form is due when what it says of
//! itself is not what it said before. So a new form is seen before anybody answers it.

use std::collections::{BTreeMap, HashSet};

use futures_util::FutureExt;
use postroom_core::marketing::{Ask, Form};
use postroom_core::{Change, ChangeSet, Filter, Query as CrmQuery, Record, RecordRef, Value, Verdict};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use sha2::{Digest, Sha256};

use super::questions::{Question, Questions};
use crate::events::record::number;
use crate::sends::cut;
use crate::solution::options::Set;
use crate::sync::turn::{rejected, written};
use crate::sync::{Act, Halt, Turn};

pub const FORM: &str = "esc_form";
pub const QUESTION: &str = "esc_formquestion";
pub const OPTION: &str = "esc_formquestionoption";
const LABEL: &str = "esc_emailcampaigncustomfields";

/// A form that is to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    pub form: Form,
    pub version: i64,
}

/// Lists the forms; answers those that are other than before, or have not been read since.
///
/// # Errors
/// Faults of the service.
pub async fn due(turn: &mut Turn) -> Result<Vec<Due>, Halt> {
    let (mut ask, mut due) = (Ask::default(), Vec::new());
    loop {
        let page = turn.account.service.forms(None, &ask).await?;
        let account = turn.account.name.clone();
        let stored = turn.page("marketing.forms_listed", move |tx, counts| {
            async move {
                counts.read += page.rows.len() as u64;
                let due = note(tx, &account, page.rows).await?;
                Ok((due, page.next))
            }
            .boxed()
        });
        let (some, next) = stored.await?;
        due.extend(some);
        match next {
            Some(next) => ask = ask.after(next),
            None => return Ok(due),
        }
    }
}

async fn note(tx: &mut Tx, account: &str, forms: Vec<Form>) -> Result<Vec<Due>, Error> {
    let known = known(tx, account).await?;
    let mut due = Vec::new();
    for form in forms {
        let digest = Sha256::digest(format!("{form:?}")).to_vec();
        let before = known.get(&form.id);
        match before {
            Some(known) if known.digest == digest => {
                if known.due {
                    due.push(Due { version: known.version, form });
                }
            }
            _ => {
                let version = before.map_or(0, |known| known.version + 1);
                write(tx, account, &form, digest, version).await?;
                due.push(Due { form, version });
            }
        }
    }
    Ok(due)
}

/// What is kept of a form.
struct Known {
    digest: Vec<u8>,
    due: bool,
    version: i64,
}

async fn known(tx: &mut Tx, account: &str) -> Result<BTreeMap<i64, Known>, Error> {
    let select = Query::select()
        .columns(["form", "digest", "due", "version"])
        .from("form")
        .and_where(Expr::col("account").eq(account))
        .to_owned();
    let rows = tx.query(&select).await?;
    let known = rows
        .iter()
        .map(|row| Ok((row.at(0)?, Known { digest: row.at(1)?, due: row.at(2)?, version: row.at(3)? })));
    known.collect()
}

async fn write(tx: &mut Tx, account: &str, form: &Form, digest: Vec<u8>, version: i64) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete
        .from_table("form")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("form").eq(form.id));
    tx.execute(&delete).await?;
    let mut row = Insert::into("form", &["account", "form", "name", "digest", "due", "version"]);
    row.row([
        account.into(),
        form.id.into(),
        form.name.as_str().into(),
        digest.into(),
        true.into(),
        version.into(),
    ]);
    tx.insert(&row).await.map(drop)
}

/// Notes that a form was read, unless it has changed meanwhile.
pub async fn done(turn: &mut Turn, due: &Due) -> Result<(), Error> {
    let (account, form, version) = (turn.account.name.clone(), due.form.id, due.version);
    let stored = turn.page("marketing.form_read", move |tx, _| {
        async move {
            let mut update = Query::update();
            update
                .table("form")
                .value("due", false)
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("form").eq(form))
                .and_where(Expr::col("version").eq(version));
            tx.execute(&update).await.map(drop)
        }
        .boxed()
    });
    stored.await
}

/// The CRM hears of a form and its questions. What users set there (the record to be made, the column of an answer) is left
/// alone, and a question that is gone stays, as answers hang on it.
///
/// # Errors
/// Faults of the CRM that are not one row's.
pub async fn tell(turn: &mut Turn, form: &Form, questions: &Questions) -> Result<(), Halt> {
    let labels = labels(turn, questions).await?;
    let whole = questions.all().filter(|question| question.parent.is_none());
    let parts = questions.all().filter(|question| question.parent.is_some());
    let of = |turn: &Turn, questions: Vec<&Question>| -> Vec<Record> {
        questions.into_iter().map(|one| question(turn, form.id, one, &labels)).collect()
    };
    let (whole, parts) = (of(turn, whole.collect()), of(turn, parts.collect()));
    let options = questions.all().flat_map(|one| options(turn, form.id, one)).collect();
    // Each names rows of the ones before it.
    for rows in [vec![form_row(turn, form, questions)], whole, parts, options] {
        upsert(turn, rows).await?;
    }
    Ok(())
}

/// Writes rows, each for itself, and counts them.
pub async fn upsert(turn: &mut Turn, rows: Vec<Record>) -> Result<(), Halt> {
    if rows.is_empty() {
        return Ok(());
    }
    if turn.dry {
        turn.foresee_records(Act::Change, rows.iter().map(|row| (row, None)));
        turn.counts.to_crm.sent += rows.len() as u64;
        turn.counts.to_crm.changed += rows.len() as u64;
        return Ok(());
    }
    let sent: Vec<(String, String)> = rows.iter().map(|row| (row.at.to_string(), written(row))).collect();
    let sets = rows.into_iter().map(|row| ChangeSet { changes: vec![Change::Upsert(row)] }).collect();
    let answers = turn.engine.crm.apply(sets).await;
    let (mut rejects, mut stop) = (Vec::new(), None);
    for ((name, sent), answer) in sent.into_iter().zip(answers) {
        let side = &mut turn.counts.to_crm;
        match answer {
            Ok(outcomes) => side.applied(&outcomes),
            Err(fault) if fault.verdict == Verdict::Reject => {
                side.refused();
                rejects.push(rejected(name, &fault, sent));
            }
            Err(fault) => stop = Some(fault),
        }
    }
    turn.reject(rejects).await?;
    stop.map_or(Ok(()), |fault| Err(fault.into()))
}

/// The data labels of questions that the CRM has a row of.
async fn labels(turn: &Turn, questions: &Questions) -> Result<HashSet<uuid::Uuid>, Halt> {
    let names = questions.all().filter_map(|question| question.field.data_field.as_deref());
    let ids: Vec<Value> = names.map(|name| Value::Guid(turn.connected.key.label(name).id(LABEL))).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let query = CrmQuery::of(LABEL).select(&["esc_name"]).filter(Filter::In(format!("{LABEL}id"), ids));
    Ok(turn.engine.crm.query(&query).await?.into_iter().map(|row| row.at.id).collect())
}

fn form_row(turn: &Turn, form: &Form, questions: &Questions) -> Record {
    let key = turn.connected.key.form(form.id);
    let from = |source: &str| number(form.sources.get(source).copied().unwrap_or_default());
    let social: u64 =
        ["Facebook", "Twitter", "GooglePlus"].iter().filter_map(|one| form.sources.get(*one)).sum();
    let whole = questions.all().filter(|question| question.parent.is_none()).count();
    Record::new(RecordRef::new(FORM, key.id(FORM)))
        .with("esc_name", cut(&form.name, 200))
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_serviceformid", form.id)
        .with("esc_formname", cut(&form.name, 255))
        .with("esc_url", cut(&form.url, 1000))
        .with("esc_state", Set::FormState.of_service(form.state.as_str()))
        .with("esc_createdremotely", form.created)
        .with("esc_modifiedremotely", form.modified)
        .with("esc_firstactive", form.first_active)
        .with("esc_lastinactive", form.last_inactive)
        .with("esc_fieldcount", number(whole as u64))
        .with("esc_completeresponses", number(form.complete_responses))
        .with("esc_incompleteresponses", number(form.incomplete_responses))
        .with("esc_views", number(form.views))
        .with("esc_bounces", number(form.bounces))
        .with("esc_directtotal", from("Direct"))
        .with("esc_emailtotal", from("Email"))
        .with("esc_embeddedtotal", from("Embedded"))
        .with("esc_popovertotal", from("Popover"))
        .with("esc_socialtotal", number(social))
        .with("esc_othertotal", from("Other"))
        .with("esc_assignedaddressbookid", form.list)
        .with("esc_lastsyncedon", turn.now())
}

/// Texts may be empty, and a row of the CRM needs one.
fn text_of(text: &str, instead: &str) -> String {
    if text.trim().is_empty() { instead.to_owned() } else { text.to_owned() }
}

fn question(turn: &Turn, form: i64, question: &Question, labels: &HashSet<uuid::Uuid>) -> Record {
    let (keys, field) = (&turn.connected.key, &question.field);
    let key = keys.question(form, field.id);
    let text = text_of(&field.text, &format!("Question {}", field.id));
    let label = field.data_field.as_deref().map(|name| keys.label(name).id(LABEL));
    let parent = question.parent.map(|parent| keys.question(form, parent).id(QUESTION));
    Record::new(RecordRef::new(QUESTION, key.id(QUESTION)))
        .with("esc_name", cut(&text, 200))
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_formid", RecordRef::new(FORM, keys.form(form).id(FORM)))
        .with("esc_servicefieldid", field.id)
        .with("esc_pagenumber", number(question.page as u64))
        .with("esc_order", number(question.order as u64))
        .with("esc_text", cut(&text, 4000))
        .with("esc_questiontype", cut(&text_of(&field.kind, "unknown"), 50))
        .with("esc_isrequired", field.required)
        .with("esc_hasotheroption", field.other.is_some())
        .with("esc_parentquestionid", parent.map(|id| RecordRef::new(QUESTION, id)))
        .with("esc_datalabelid", label.filter(|id| labels.contains(id)).map(|id| RecordRef::new(LABEL, id)))
        .with("esc_lastsyncedon", turn.now())
}

fn options(turn: &Turn, form: i64, question: &Question) -> Vec<Record> {
    let (keys, field) = (&turn.connected.key, &question.field);
    let of = RecordRef::new(QUESTION, keys.question(form, field.id).id(QUESTION));
    let other = field.other.map(|(choice, _)| choice);
    let option = |(order, choice): (usize, &postroom_core::marketing::Choice)| {
        let key = keys.question_option(form, field.id, choice.id);
        let text = text_of(&choice.text, &format!("Option {}", choice.id));
        Record::new(RecordRef::new(OPTION, key.id(OPTION)))
            .with("esc_name", cut(&text, 200))
            .with("esc_externalkey", key.as_str())
            .with("esc_emailaccountid", turn.connected.row())
            .with("esc_questionid", of.clone())
            .with("esc_servicechoiceid", choice.id)
            .with("esc_text", cut(&text, 1000))
            .with("esc_order", number(order as u64 + 1))
            .with("esc_isother", Some(choice.id) == other)
            .with("esc_lastsyncedon", turn.now())
    };
    field.choices.iter().enumerate().map(option).collect()
}
