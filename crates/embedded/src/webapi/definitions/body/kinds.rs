//! What a column holds, out of its type and the members that only this type has.

use postroom_core::metadata::{ColumnKind, DateTimeBehavior, Label, Metadata, OptionItem, OptionSet};
use serde_json::Value;
use uuid::Uuid;

use super::super::labels;
use super::{Body, class, flag, float, list, number, text, whole, word};
use crate::webapi::Problem;

/// The first value of an option that names none.
const FIRST_OPTION: i32 = 100_000_000;
const DECIMAL: f64 = 100_000_000_000.0;
const MONEY: f64 = 922_337_203_685_477.0;

/// The word for the type of a column: `String`, `MultiSelectPicklist`, `Customer`.
fn word_of(body: &Body) -> Option<&str> {
    let class =
        class(body).and_then(|name| name.strip_suffix("AttributeMetadata")).filter(|word| !word.is_empty());
    let named = word(body, "AttributeTypeName").and_then(|name| name.strip_suffix("Type"));
    let code = text(body, "AttributeType").filter(|code| *code != "Virtual");
    match (class, code) {
        // One class for three types.
        (Some("Lookup"), Some(code @ "Customer")) => Some(code),
        _ => class.or(named).or(code),
    }
}

/// A new column's kind, with the platform's usual bounds for what is not said.
pub(super) fn new(metadata: &Metadata, body: &Body) -> Result<ColumnKind, Problem> {
    let word = word_of(body)
        .ok_or_else(|| Problem::bad("The attribute's type is missing: name it in @odata.type"))?;
    Ok(match word {
        "String" => over(&ColumnKind::String { max_length: 100, format: "Text".into() }, body, false)?,
        "Memo" => over(&ColumnKind::Memo { max_length: 2000 }, body, false)?,
        "Integer" => {
            over(&ColumnKind::Integer { min: i32::MIN, max: i32::MAX, format: "None".into() }, body, false)?
        }
        "BigInt" => ColumnKind::BigInt,
        "Decimal" => over(&ColumnKind::Decimal { min: -DECIMAL, max: DECIMAL, precision: 2 }, body, false)?,
        "Double" => over(&ColumnKind::Double { min: -DECIMAL, max: DECIMAL, precision: 2 }, body, false)?,
        "Money" => {
            let usual = ColumnKind::Money { min: -MONEY, max: MONEY, precision: 2, source: 2 };
            over(&usual, body, false)?
        }
        "Boolean" => {
            let (yes, no) = (Label::english("Yes"), Label::english("No"));
            over(&ColumnKind::Boolean { yes, no, default: false }, body, false)?
        }
        "DateTime" => date_time(body)?,
        "Picklist" => {
            let default = number(body, "DefaultFormValue")?;
            ColumnKind::Picklist { options: set(metadata, body)?, default }
        }
        "MultiSelectPicklist" => ColumnKind::MultiSelect { options: set(metadata, body)? },
        "Lookup" => ColumnKind::Lookup { targets: targets(body) },
        "Customer" => ColumnKind::Customer { targets: Vec::new() },
        "File" => ColumnKind::File { max_kb: number(body, "MaxSizeInKB")?.unwrap_or(32_768) },
        "Image" => ColumnKind::Image { max_kb: number(body, "MaxSizeInKB")?.unwrap_or(10_240) },
        "UniqueIdentifier" | "Uniqueidentifier" => ColumnKind::Uniqueidentifier,
        "EntityName" => ColumnKind::EntityName,
        other => return Err(Problem::bad(format!("Attributes of type {other} cannot be created"))),
    })
}

fn targets(body: &Body) -> Vec<String> {
    let names = body.get("Targets").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A date alone, unless the body says how it is meant.
fn date_time(body: &Body) -> Result<ColumnKind, Problem> {
    let date_only = text(body, "Format") == Some("DateOnly");
    let usual = if date_only { DateTimeBehavior::DateOnly } else { DateTimeBehavior::UserLocal };
    over(&ColumnKind::DateTime { date_only, behavior: usual }, body, false)
}

/// The same kind with what the body says of it.
pub(super) fn over(have: &ColumnKind, body: &Body, merge: bool) -> Result<ColumnKind, Problem> {
    Ok(match have.clone() {
        ColumnKind::String { max_length, format } => ColumnKind::String {
            max_length: number(body, "MaxLength")?.unwrap_or(max_length),
            format: word(body, "FormatName").or(text(body, "Format")).map_or(format, str::to_owned),
        },
        ColumnKind::Memo { max_length } => {
            ColumnKind::Memo { max_length: number(body, "MaxLength")?.unwrap_or(max_length) }
        }
        ColumnKind::Integer { min, max, format } => ColumnKind::Integer {
            min: number(body, "MinValue")?.unwrap_or(min),
            max: number(body, "MaxValue")?.unwrap_or(max),
            format: text(body, "Format").map_or(format, str::to_owned),
        },
        ColumnKind::Decimal { min, max, precision } => {
            let (min, max, precision) = bounds(body, min, max, precision)?;
            ColumnKind::Decimal { min, max, precision }
        }
        ColumnKind::Double { min, max, precision } => {
            let (min, max, precision) = bounds(body, min, max, precision)?;
            ColumnKind::Double { min, max, precision }
        }
        ColumnKind::Money { min, max, precision, source } => {
            let (min, max, precision) = bounds(body, min, max, precision)?;
            let source = number(body, "PrecisionSource")?.unwrap_or(source);
            ColumnKind::Money { min, max, precision, source }
        }
        ColumnKind::DateTime { date_only, behavior } => ColumnKind::DateTime {
            date_only: text(body, "Format").map_or(date_only, |format| format == "DateOnly"),
            behavior: word(body, "DateTimeBehavior")
                .and_then(DateTimeBehavior::from_name)
                .unwrap_or(behavior),
        },
        ColumnKind::Boolean { yes, no, default } => {
            let option =
                |member: &str| body.get("OptionSet")?.get(member)?.get("Label").and_then(labels::value);
            ColumnKind::Boolean {
                yes: labels::over(&yes, option("TrueOption"), merge),
                no: labels::over(&no, option("FalseOption"), merge),
                default: flag(body, "DefaultValue").unwrap_or(default),
            }
        }
        ColumnKind::Picklist { options, default } => {
            ColumnKind::Picklist { options, default: number(body, "DefaultFormValue")?.or(default) }
        }
        kind => kind,
    })
}

fn bounds(body: &Body, min: f64, max: f64, precision: u8) -> Result<(f64, f64, u8), Problem> {
    Ok((
        float(body, "MinValue")?.unwrap_or(min),
        float(body, "MaxValue")?.unwrap_or(max),
        number(body, "Precision")?.unwrap_or(precision),
    ))
}

/// The options of a choice: its own, or those of a global set that it names in one of three ways.
fn set(metadata: &Metadata, body: &Body) -> Result<OptionSet, Problem> {
    let own = body.get("OptionSet").and_then(Value::as_object);
    let bound = text(body, "GlobalOptionSet@odata.bind");
    let given = body.get("GlobalOptionSet").and_then(Value::as_object);
    let global = given.or(own.filter(|own| flag(own, "IsGlobal") == Some(true)));
    let name = match (bound, global) {
        (Some(url), _) => Some(url.rsplit_once('(').map_or(url, |(_, key)| key).trim_end_matches(')')),
        (None, Some(global)) => text(global, "Name").or_else(|| text(global, "MetadataId")),
        (None, None) => None,
    };
    if let Some(name) = name {
        let name = name.strip_prefix("Name=").unwrap_or(name).trim_matches('\'');
        let id = Uuid::try_parse(name).ok();
        let found =
            metadata.option_sets.iter().find(|set| Some(set.id) == id || set.name.eq_ignore_ascii_case(name));
        let missing = || Problem::bad(format!("The global option set {name} was not found"));
        return found.cloned().ok_or_else(missing);
    }
    let own = own.ok_or_else(|| Problem::bad("A choice needs an OptionSet, its own or a global one"))?;
    Ok(OptionSet {
        id: Uuid::nil(),
        name: String::new(),
        is_global: false,
        is_custom: true,
        label: Label::default(),
        description: Label::default(),
        options: options(own)?,
    })
}

/// Options in their order. One without a value gets the next.
pub(super) fn options(body: &Body) -> Result<Vec<OptionItem>, Problem> {
    let mut all: Vec<OptionItem> = Vec::new();
    for option in list(body, "Options") {
        let given = option.get("Value").filter(|value| !value.is_null());
        let value = match given {
            Some(value) => whole(value)
                .and_then(|value| i32::try_from(value).ok())
                .ok_or_else(|| Problem::payload("An option's 'Value' is a whole number of 32 bits"))?,
            None => {
                all.iter().map(|option| option.value.saturating_add(1)).max().unwrap_or(0).max(FIRST_OPTION)
            }
        };
        let label = labels::read(option, "Label").unwrap_or_default();
        all.push(OptionItem { value, label, state: None, default_status: None });
    }
    Ok(all)
}
