//! One person of the service beside the record that speaks for them: field by field, a pure function.

use std::collections::BTreeMap;

use postroom_core::Value;
use postroom_core::marketing::{FieldValue, OptIn};

use crate::fields::merge::{Step, step};
use crate::fields::{Field, convert};
use crate::mapping::book::{Book, Problem};
use crate::solution::options::Set;

/// What a comparison came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Merged {
    /// Columns that the CRM gets.
    pub columns: Vec<(String, Value)>,
    /// What both sides agree on now, beyond what they agreed on before: nothing, nearly always.
    pub agreed: BTreeMap<String, Field>,
    /// The record's fields afterwards.
    pub fields: BTreeMap<String, Field>,
    /// The service is to get something back.
    pub resend: bool,
    pub conflicts: u64,
    pub problems: Vec<Problem>,
}

/// Compares the mapped fields of a record (`here`) with the person's (`there`).
pub(super) fn merge(
    book: &Book,
    table: &str,
    here: BTreeMap<String, Field>,
    there: &BTreeMap<String, FieldValue>,
    base: Option<&BTreeMap<String, Field>>,
) -> Merged {
    let mut merged = Merged { fields: here, ..Merged::default() };
    let by_name = ByName::of(there);
    for mapping in book.of_table(table) {
        let label = &mapping.label;
        let (Some(kind), Some(crm)) = (mapping.column_kind(), merged.fields.get(label)) else { continue };
        let service = match convert::of_service(by_name.get(label), &mapping.kind, kind) {
            Ok(service) => service,
            Err(unfit) => {
                merged.problems.push(Problem { label: label.clone(), reason: unfit.to_string() });
                continue;
            }
        };
        let before = base.and_then(|base| base.get(label));
        match step(mapping.rule, before, crm, &service) {
            Step::Nothing if *crm == service && before == Some(crm) => {}
            Step::Nothing if *crm == service => drop(merged.agreed.insert(label.clone(), service)),
            Step::Nothing => {}
            Step::ToService { conflict } => {
                merged.resend = true;
                merged.conflicts += u64::from(conflict);
            }
            Step::ToCrm { conflict } => {
                let column = mapping.path.own_column();
                match column
                    .ok_or(convert::Unfit::Column)
                    .and_then(|column| Ok((column.to_owned(), convert::to_crm(&service, kind)?)))
                {
                    Ok(written) => {
                        merged.columns.push(written);
                        merged.conflicts += u64::from(conflict);
                        merged.fields.insert(label.clone(), service.clone());
                        merged.agreed.insert(label.clone(), service);
                    }
                    Err(unfit) => {
                        merged.problems.push(Problem { label: label.clone(), reason: unfit.to_string() });
                    }
                }
            }
        }
    }
    merged
}

/// A person's fields by their labels in capitals. Accounts write them so nearly always: then nothing is copied.
enum ByName<'t> {
    AsTheyAre(&'t BTreeMap<String, FieldValue>),
    Raised(BTreeMap<String, &'t FieldValue>),
}

impl<'t> ByName<'t> {
    fn of(there: &'t BTreeMap<String, FieldValue>) -> Self {
        let is_capital =
            |name: &String| name.is_ascii() && !name.bytes().any(|byte| byte.is_ascii_lowercase());
        match there.keys().all(is_capital) {
            true => ByName::AsTheyAre(there),
            false => ByName::Raised(there.iter().map(|(name, value)| (name.to_uppercase(), value)).collect()),
        }
    }

    fn get(&self, label: &str) -> Option<&'t FieldValue> {
        match self {
            ByName::AsTheyAre(there) => there.get(label),
            ByName::Raised(there) => there.get(label).copied(),
        }
    }
}

/// The opt-in type that a record gets: only ever a higher one.
pub(super) fn raised(columns: &BTreeMap<String, Value>, said: &OptIn) -> Option<i32> {
    let own = columns.get("esc_optintype").and_then(Value::as_int);
    let own = own.and_then(|value| i32::try_from(value).ok()).and_then(|value| Set::OptIn.option(value));
    let own = own.map_or(OptIn::Unknown, OptIn::from);
    (said.rank() > own.rank()).then(|| Set::OptIn.of_service(said.as_str())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: Option<&str>, said: &str, expected: Option<&str>) {
        let own = own.and_then(|label| Set::OptIn.value(label));
        let columns = own.map(|value| ("esc_optintype".to_owned(), Value::from(value)));
        let raised = raised(&columns.into_iter().collect(), &OptIn::from(said));
        assert_eq!(raised.and_then(|value| Set::OptIn.option(value)), expected);
    }

    #[test]
    fn opt_in_types_only_rise() {
        check(None, "Single", Some("Single"));
        check(Some("Single"), "double", Some("Double"));
        check(Some("VerifiedDouble"), "Single", None);
        check(Some("Double"), "Double", None);
        check(None, "Unknown", None);
        check(None, "NotAvailableInThisVersion", None);
    }
}
