//! Each way, value by value.

use postroom_core::RecordRef;
use postroom_core::metadata::{DateTimeBehavior, Label, OptionItem};
use uuid::Uuid;

use super::*;

fn text(max_length: u32) -> ColumnKind {
    ColumnKind::String { max_length, format: "Text".into() }
}

fn day() -> ColumnKind {
    ColumnKind::DateTime { date_only: true, behavior: DateTimeBehavior::DateOnly }
}

fn moment() -> ColumnKind {
    ColumnKind::DateTime { date_only: false, behavior: DateTimeBehavior::UserLocal }
}

fn colours() -> OptionSet {
    let option = |value, label: &str| OptionItem {
        value,
        label: Label::english(label),
        state: None,
        default_status: None,
    };
    OptionSet {
        id: Uuid::nil(),
        name: "colours".into(),
        is_global: false,
        is_custom: true,
        label: Label::default(),
        description: Label::default(),
        options: vec![option(1, "Red"), option(2, "Blue")],
    }
}

fn at(text: &str) -> Value {
    Value::Time(text.parse().unwrap())
}

#[track_caller]
fn out(value: Value, column: &ColumnKind, label: LabelType, expected: Option<&str>) {
    let field = to_service(&value, column, label, Shown::default()).unwrap();
    assert_eq!(wire(&field).as_deref(), expected, "{value:?}");
}

#[track_caller]
fn never_out(value: Value, column: &ColumnKind, label: LabelType) {
    let result = to_service(&value, column, label, Shown::default());
    assert!(result.is_err(), "{value:?} gave {result:?}");
}

#[track_caller]
fn back(said: Option<&str>, label: LabelType, column: &ColumnKind, expected: Value) {
    assert_eq!(to_crm(&read(said, label).unwrap(), column), Ok(expected), "{said:?}");
}

#[track_caller]
fn never_back(said: &str, label: LabelType, column: &ColumnKind) {
    let result = read(Some(said), label).and_then(|field| to_crm(&field, column));
    assert!(result.is_err(), "{said:?} gave {result:?}");
}

#[test]
fn texts() {
    out(Value::text("O'Brien"), &text(50), LabelType::String, Some("O'Brien"));
    out(Value::text(""), &text(50), LabelType::String, None);
    out(Value::Null, &text(50), LabelType::String, None);
    out(Value::Bool(true), &ColumnKind::BigInt, LabelType::String, Some("Yes"));
    out(Value::Decimal("19.90".into()), &ColumnKind::BigInt, LabelType::String, Some("19.90"));
    back(Some("Ana"), LabelType::String, &text(3), Value::text("Ana"));
    back(Some("  "), LabelType::String, &text(3), Value::Null);
    back(None, LabelType::String, &text(3), Value::Null);
    never_back("Anna", LabelType::String, &text(3));
    // One character, two UTF-16 units.
    never_back("a😀b", LabelType::String, &text(3));
}

#[test]
fn numbers() {
    let whole = ColumnKind::Integer { min: 0, max: 100, format: "None".into() };
    let money = ColumnKind::Money { min: 0.0, max: 1000.0, precision: 2, source: 0 };
    out(Value::Int(7), &whole, LabelType::Numeric, Some("7"));
    out(Value::Decimal("19.90".into()), &money, LabelType::Numeric, Some("19.9"));
    out(Value::text(""), &text(10), LabelType::Numeric, None);
    never_out(Value::text("seven"), &text(10), LabelType::Numeric);
    never_out(Value::Bool(true), &whole, LabelType::Numeric);
    back(Some("7.00"), LabelType::Numeric, &whole, Value::Int(7));
    back(Some(""), LabelType::Numeric, &whole, Value::Null);
    back(Some("19.9"), LabelType::Numeric, &money, Value::Decimal("19.9".into()));
    never_back("7.5", LabelType::Numeric, &whole);
    never_back("101", LabelType::Numeric, &whole);
    never_back("19.999", LabelType::Numeric, &money);
    never_back("many", LabelType::Numeric, &whole);
}

#[test]
fn dates() {
    out(at("1980-02-29T00:00:00Z"), &day(), LabelType::Date, Some("1980-02-29T00:00:00"));
    out(at("2026-03-01T12:30:05Z"), &moment(), LabelType::Date, Some("2026-03-01T12:30:05"));
    never_out(Value::text("yesterday"), &text(20), LabelType::Date);
    back(Some("1980-02-29T00:00:00"), LabelType::Date, &day(), at("1980-02-29T00:00:00Z"));
    back(Some("2026-03-01T13:30:05+01:00"), LabelType::Date, &moment(), at("2026-03-01T12:30:05Z"));
    back(Some("1980-02-29"), LabelType::Date, &day(), at("1980-02-29T00:00:00Z"));
    // Never a date of somebody's invention.
    back(Some(""), LabelType::Date, &day(), Value::Null);
    never_back("29/02/1980", LabelType::Date, &day());
}

#[test]
fn yes_and_no() {
    let column = ColumnKind::Boolean { yes: Label::english("Yes"), no: Label::english("No"), default: false };
    out(Value::Bool(false), &column, LabelType::Boolean, Some("False"));
    never_out(Value::text("perhaps"), &text(10), LabelType::Boolean);
    back(Some("Yes"), LabelType::Boolean, &column, Value::Bool(true));
    back(Some("false"), LabelType::Boolean, &column, Value::Bool(false));
    back(Some(""), LabelType::Boolean, &column, Value::Null);
    never_back("perhaps", LabelType::Boolean, &column);
}

#[test]
fn choices() {
    let one = ColumnKind::Picklist { options: colours(), default: None };
    let many = ColumnKind::MultiSelect { options: colours() };
    out(Value::Int(2), &one, LabelType::String, Some("Blue"));
    out(Value::text("1,2"), &many, LabelType::String, Some("Red; Blue"));
    never_out(Value::Int(3), &one, LabelType::String);
    back(Some("blue"), LabelType::String, &one, Value::Int(2));
    back(Some("1"), LabelType::String, &one, Value::Int(1));
    never_back("Green", LabelType::String, &one);
    never_back("Red", LabelType::String, &many);
    let shown = Shown { choices: ChoiceFormat::Value, ..Shown::default() };
    assert_eq!(to_service(&Value::Int(2), &one, LabelType::String, shown), Ok(Field::Text("2".into())));
}

#[test]
fn lookups() {
    let column = ColumnKind::Lookup { targets: vec!["account".into()] };
    let value = Value::Lookup(RecordRef::new("account", Uuid::from_u128(7)));
    let shown = Shown { lookup: Some("Adler & Co"), ..Shown::default() };
    let field = to_service(&value, &column, LabelType::String, shown).unwrap();
    assert_eq!(field, Field::Text("Adler & Co".into()));
    assert_eq!(to_crm(&field, &column), Err(Unfit::Column));
}

#[test]
fn a_label_of_an_unknown_type_is_read_and_never_written() {
    assert_eq!(LabelType::of_service("Geography"), LabelType::Unknown);
    never_out(Value::text("x"), &text(10), LabelType::Unknown);
    assert_eq!(read(Some("x"), LabelType::Unknown), Ok(Field::Text("x".into())));
}
