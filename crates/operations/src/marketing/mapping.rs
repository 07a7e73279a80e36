//! Mappings: which column of the CRM goes with which data label, whether each can work, and one record on both sides.

use postroom_core::marketing::FieldValue;
use postroom_core::{Code, Fault, RecordRef, Value};
use postroom_marketing::fields::convert::ChoiceFormat;
use postroom_marketing::fields::merge::{Direction, EmptyRule};
use postroom_marketing::mapping::edit::{Listed, Wanted};
use postroom_marketing::mapping::sample::{Sample, Sampled};
use serde::Serialize;
use uuid::Uuid;

use super::Duty;
use crate::{Actor, Operations, audit};

/// Words of a mapping's direction, of empty values, and of choices; the first is the usual one.
pub const DIRECTIONS: [&str; 3] = ["from_crm", "to_crm", "two_way"];
pub const EMPTY: [&str; 2] = ["send_blank", "keep_remote"];
pub const CHOICES: [&str; 2] = ["label", "value"];

/// A mapping.
#[derive(Debug, Clone, Serialize)]
pub struct MappingView {
    pub id: Uuid,
    pub account: String,
    /// `contact`, `lead`, `account`; null when the row names none.
    pub table: Option<&'static str>,
    /// The data label; empty when the account has no such label.
    pub label: String,
    /// The label's type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A column, `ownerid/fullname`, or several joined by commas.
    pub path: String,
    /// One of [`DIRECTIONS`].
    pub direction: &'static str,
    /// What an empty value in the CRM does: one of [`EMPTY`].
    pub empty: &'static str,
    /// How a choice goes out: one of [`CHOICES`].
    pub choices: &'static str,
    pub valid: bool,
    /// Why it cannot be used.
    pub problem: Option<String>,
    /// What may get lost on the way.
    pub lossy: Option<&'static str>,
}

/// A mapping as somebody wants it.
#[derive(Debug, Clone, Default)]
pub struct MappingOrder {
    pub account: String,
    /// `contact`, `lead`, `account`.
    pub table: String,
    pub label: String,
    pub path: String,
    /// Left out, `from_crm`.
    pub direction: Option<String>,
    /// Left out, `send_blank`.
    pub empty: Option<String>,
    /// Left out, `label`.
    pub choices: Option<String>,
}

/// What became of a mapping.
#[derive(Debug, Clone, Serialize)]
pub struct MappingChange {
    pub account: String,
    pub table: String,
    pub label: String,
    /// `made`, `changed`, `removed`, `unchanged`.
    pub change: &'static str,
    pub lossy: Option<&'static str>,
    pub dry_run: bool,
}

/// One record with each mapped field on both sides.
#[derive(Debug, Clone, Serialize)]
pub struct SampleView {
    pub account: String,
    pub record: RecordRef,
    /// Empty when it has none.
    pub address: String,
    /// The person's number at the service; null when it knows nobody.
    pub contact: Option<i64>,
    /// Why the service could not be asked.
    pub fault: Option<String>,
    pub fields: Vec<FieldPair>,
}

/// One mapped field on both sides.
#[derive(Debug, Clone, Serialize)]
pub struct FieldPair {
    pub label: String,
    pub path: String,
    pub direction: &'static str,
    /// What stands in the CRM.
    pub here: String,
    /// What would be sent; null for nothing.
    pub sent: Option<String>,
    /// What the service has; null for nothing.
    pub there: Option<String>,
    /// Whether both sides have the same; null when that cannot be said.
    pub same: Option<bool>,
    /// Why nothing is sent.
    pub problem: Option<String>,
    pub lossy: Option<&'static str>,
}

impl Operations {
    /// All mappings of an account; with `only_wrong` those that cannot be used or may lose something.
    pub async fn mappings(
        &self,
        actor: &Actor,
        account: &str,
        only_wrong: bool,
    ) -> Result<Vec<MappingView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let all = self.of_account(account)?.mappings(account).await?;
        let views = all.into_iter().map(|listed| view(account, listed));
        Ok(views.filter(|one| !only_wrong || !one.valid || one.lossy.is_some()).collect())
    }

    /// Makes or changes the mapping of a label. One that could not work is refused with the reason.
    pub async fn set_mapping(
        &self,
        actor: &Actor,
        order: &MappingOrder,
        dry_run: bool,
    ) -> Result<MappingChange, Fault> {
        self.needs_duty(actor, Duty::Configure).await?;
        let engine = self.of_account(&order.account)?;
        let wanted = wanted(order)?;
        let trial = engine.set_mapping(&order.account, &wanted, true).await?;
        let change = MappingChange {
            account: order.account.clone(),
            table: wanted.table.clone(),
            label: wanted.label.to_uppercase(),
            change: match (trial.made, trial.changed) {
                (true, _) => "made",
                (false, true) => "changed",
                (false, false) => "unchanged",
            },
            lossy: trial.lossy,
            dry_run,
        };
        if !dry_run && trial.changed {
            let detail = format!("{} {}", wanted.path, word(wanted.direction));
            self.note_mapping(actor, "mapping.set", &change, &detail).await?;
            engine.set_mapping(&order.account, &wanted, false).await?;
        }
        Ok(change)
    }

    /// Takes the mapping of a label away. What both sides have stays as it is.
    pub async fn remove_mapping(
        &self,
        actor: &Actor,
        account: &str,
        table: &str,
        label: &str,
        dry_run: bool,
    ) -> Result<MappingChange, Fault> {
        self.needs_duty(actor, Duty::Configure).await?;
        let engine = self.of_account(account)?;
        if engine.remove_mapping(account, table, label, true).await? == 0 {
            let text = format!("{account} maps nothing of a {table} to {label}");
            return Err(Fault::reject(Code::API_NOT_FOUND, text));
        }
        let change = MappingChange {
            account: account.to_owned(),
            table: table.to_owned(),
            label: label.to_uppercase(),
            change: "removed",
            lossy: None,
            dry_run,
        };
        if !dry_run {
            self.note_mapping(actor, "mapping.remove", &change, "").await?;
            engine.remove_mapping(account, table, label, false).await?;
        }
        Ok(change)
    }

    async fn note_mapping(
        &self,
        actor: &Actor,
        action: &str,
        change: &MappingChange,
        detail: &str,
    ) -> Result<(), Fault> {
        let object = format!("{}/{}/{}", change.account, change.table, change.label);
        let now = self.marketing()?.clock.now();
        self.record_audit(audit::Entry::new(actor, now, action, object, detail)).await
    }

    /// Each mapped field of a record on both sides.
    pub async fn mapping_sample(
        &self,
        actor: &Actor,
        account: &str,
        at: &RecordRef,
    ) -> Result<SampleView, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let Sampled { record, address, contact, fault, samples } =
            self.of_account(account)?.sample(account, at).await?;
        Ok(SampleView {
            account: account.to_owned(),
            record: record.at,
            address,
            contact: contact.map(|contact| contact.id.0),
            fault,
            fields: samples.into_iter().map(FieldPair::from).collect(),
        })
    }
}

fn view(account: &str, listed: Listed) -> MappingView {
    MappingView {
        id: listed.id,
        account: account.to_owned(),
        table: listed.table,
        label: listed.label,
        kind: listed.kind.map(|kind| kind.to_string()),
        path: listed.path,
        direction: word(listed.rule.direction),
        empty: match listed.rule.empty {
            EmptyRule::SendBlank => EMPTY[0],
            EmptyRule::KeepRemote => EMPTY[1],
        },
        choices: match listed.choices {
            ChoiceFormat::Label => CHOICES[0],
            ChoiceFormat::Value => CHOICES[1],
        },
        valid: listed.problem.is_none(),
        problem: listed.problem,
        lossy: listed.lossy,
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::FromCrm => DIRECTIONS[0],
        Direction::ToCrm => DIRECTIONS[1],
        Direction::TwoWay => DIRECTIONS[2],
    }
}

fn wanted(order: &MappingOrder) -> Result<Wanted, Fault> {
    Ok(Wanted {
        table: order.table.trim().to_lowercase(),
        label: order.label.trim().to_owned(),
        path: order.path.trim().to_owned(),
        direction: match place("direction", order.direction.as_deref(), &DIRECTIONS)? {
            1 => Direction::ToCrm,
            2 => Direction::TwoWay,
            _ => Direction::FromCrm,
        },
        empty: match place("empty", order.empty.as_deref(), &EMPTY)? {
            1 => EmptyRule::KeepRemote,
            _ => EmptyRule::SendBlank,
        },
        choices: match place("choices", order.choices.as_deref(), &CHOICES)? {
            1 => ChoiceFormat::Value,
            _ => ChoiceFormat::Label,
        },
    })
}

/// Which of the words it is; the first when none was said.
fn place(name: &str, said: Option<&str>, words: &[&str]) -> Result<usize, Fault> {
    let Some(said) = said.filter(|said| !said.is_empty()) else { return Ok(0) };
    words.iter().position(|word| *word == said).ok_or_else(|| {
        Fault::reject(Code::API_INPUT, format!("{name} is {}, not {said:?}", words.join(" or ")))
    })
}

impl From<Sample> for FieldPair {
    fn from(sample: Sample) -> Self {
        let here: Vec<String> = sample.values.iter().map(shown).filter(|text| !text.is_empty()).collect();
        let (sent, problem) = match sample.result {
            Ok(field) => (text(&FieldValue::from(&field)), None),
            Err(why) => (None, Some(why)),
        };
        FieldPair {
            label: sample.label,
            path: sample.path,
            direction: word(sample.direction),
            here: here.join(" "),
            sent: sent.filter(|_| sample.direction != Direction::ToCrm),
            there: sample.there.as_ref().and_then(text),
            same: sample.same,
            problem,
            lossy: sample.lossy,
        }
    }
}

/// A value of the CRM as a text.
pub(super) fn shown(value: &Value) -> String {
    match serde_json::json!(value) {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A value of the service as a text; `None` when there is none.
pub(super) fn text(value: &FieldValue) -> Option<String> {
    match value {
        FieldValue::Clear => None,
        FieldValue::Text(text) | FieldValue::Number(text) => Some(text.clone()),
        FieldValue::Bool(yes) => Some(if *yes { "Yes" } else { "No" }.to_owned()),
        FieldValue::Moment(at) => Some(at.to_string()),
        FieldValue::Day(day) => Some(day.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use postroom_marketing::fields::Field;

    use super::*;

    #[test]
    fn words_are_read_or_refused_with_what_may_be_said() {
        let order = |direction: &str| MappingOrder {
            table: " Contact ".into(),
            direction: Some(direction.into()),
            ..MappingOrder::default()
        };
        assert_eq!(wanted(&order("two_way")).unwrap().direction, Direction::TwoWay);
        let usual = wanted(&order("")).unwrap();
        assert_eq!((usual.direction, usual.table.as_str()), (Direction::FromCrm, "contact"));
        let refused = wanted(&order("sideways")).unwrap_err();
        assert!(refused.message.contains("from_crm or to_crm or two_way"), "{refused}");
    }

    #[test]
    fn what_a_label_would_hold() {
        assert_eq!(text(&FieldValue::from(&Field::Null)), None);
        assert_eq!(text(&FieldValue::from(&Field::YesNo(true))).as_deref(), Some("Yes"));
        assert_eq!(shown(&Value::Null), "");
        assert_eq!(shown(&Value::Int(7)), "7");
    }
}
