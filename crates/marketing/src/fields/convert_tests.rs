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
fn out(value: Value, column: &ColumnKind, label: &FieldType, expected: FieldValue) {
    let field = to_service(&value, column, label, Shown::default()).unwrap();
    assert_eq!(FieldValue::from(&field), expected, "{value:?}");
}

#[track_caller]
fn never_out(value: Value, column: &ColumnKind, label: &FieldType) {
    let result = to_service(&value, column, label, Shown::default());
    assert!(result.is_err(), "{value:?} gave {result:?}");
}

#[track_caller]
fn back(said: Option<&str>, label: &FieldType, column: &ColumnKind, expected: Value) {
    let said = said.map(FieldValue::from);
    assert_eq!(to_crm(&of_service(said.as_ref(), label, column).unwrap(), column), Ok(expected), "{said:?}");
}

#[track_caller]
fn never_back(said: &str, label: &FieldType, column: &ColumnKind) {
    let result = of_service(Some(&said.into()), label, column).and_then(|field| to_crm(&field, column));
    assert!(result.is_err(), "{said:?} gave {result:?}");
}

#[test]
fn texts() {
    out(Value::text("O'Brien"), &text(50), &FieldType::Text, "O'Brien".into());
    out(Value::text(""), &text(50), &FieldType::Text, FieldValue::Clear);
    out(Value::Null, &text(50), &FieldType::Text, FieldValue::Clear);
    out(Value::Bool(true), &ColumnKind::BigInt, &FieldType::Text, "Yes".into());
    out(Value::Decimal("19.90".into()), &ColumnKind::BigInt, &FieldType::Text, "19.90".into());
    back(Some("Ana"), &FieldType::Text, &text(3), Value::text("Ana"));
    back(Some("  "), &FieldType::Text, &text(3), Value::Null);
    back(None, &FieldType::Text, &text(3), Value::Null);
    never_back("Anna", &FieldType::Text, &text(3));
    // One character, two UTF-16 units.
    never_back("a😀b", &FieldType::Text, &text(3));
}

#[test]
fn numbers() {
    let whole = ColumnKind::Integer { min: 0, max: 100, format: "None".into() };
    let money = ColumnKind::Money { min: 0.0, max: 1000.0, precision: 2, source: 0 };
    out(Value::Int(7), &whole, &FieldType::Number, FieldValue::Number("7".into()));
    out(Value::Decimal("19.90".into()), &money, &FieldType::Number, FieldValue::Number("19.9".into()));
    out(Value::text(""), &text(10), &FieldType::Number, FieldValue::Clear);
    never_out(Value::text("seven"), &text(10), &FieldType::Number);
    never_out(Value::Bool(true), &whole, &FieldType::Number);
    back(Some("7.00"), &FieldType::Number, &whole, Value::Int(7));
    back(Some(""), &FieldType::Number, &whole, Value::Null);
    back(Some("19.9"), &FieldType::Number, &money, Value::Decimal("19.9".into()));
    never_back("7.5", &FieldType::Number, &whole);
    never_back("101", &FieldType::Number, &whole);
    never_back("19.999", &FieldType::Number, &money);
    never_back("many", &FieldType::Number, &whole);
}

#[test]
fn dates() {
    let leap_day = FieldValue::Day(jiff::civil::date(1980, 2, 29));
    out(at("1980-02-29T00:00:00Z"), &day(), &FieldType::Date, leap_day);
    let noon = FieldValue::Moment("2026-03-01T12:30:05Z".parse().unwrap());
    out(at("2026-03-01T12:30:05Z"), &moment(), &FieldType::Date, noon);
    never_out(Value::text("yesterday"), &text(20), &FieldType::Date);
    back(Some("1980-02-29T00:00:00"), &FieldType::Date, &day(), at("1980-02-29T00:00:00Z"));
    back(Some("2026-03-01T13:30:05+01:00"), &FieldType::Date, &moment(), at("2026-03-01T12:30:05Z"));
    back(Some("1980-02-29"), &FieldType::Date, &day(), at("1980-02-29T00:00:00Z"));
    // Never a date of somebody's invention.
    back(Some(""), &FieldType::Date, &day(), Value::Null);
    never_back("29/02/1980", &FieldType::Date, &day());
}

#[test]
fn yes_and_no() {
    let column = ColumnKind::Boolean { yes: Label::english("Yes"), no: Label::english("No"), default: false };
    out(Value::Bool(false), &column, &FieldType::Bool, FieldValue::Bool(false));
    never_out(Value::text("perhaps"), &text(10), &FieldType::Bool);
    back(Some("Yes"), &FieldType::Bool, &column, Value::Bool(true));
    back(Some("false"), &FieldType::Bool, &column, Value::Bool(false));
    back(Some(""), &FieldType::Bool, &column, Value::Null);
    never_back("perhaps", &FieldType::Bool, &column);
}

#[test]
fn choices() {
    let one = ColumnKind::Picklist { options: colours(), default: None };
    let many = ColumnKind::MultiSelect { options: colours() };
    out(Value::Int(2), &one, &FieldType::Text, "Blue".into());
    out(Value::text("1,2"), &many, &FieldType::Text, "Red; Blue".into());
    never_out(Value::Int(3), &one, &FieldType::Text);
    back(Some("blue"), &FieldType::Text, &one, Value::Int(2));
    back(Some("1"), &FieldType::Text, &one, Value::Int(1));
    never_back("Green", &FieldType::Text, &one);
    never_back("Red", &FieldType::Text, &many);
    let shown = Shown { choices: ChoiceFormat::Value, ..Shown::default() };
    assert_eq!(to_service(&Value::Int(2), &one, &FieldType::Text, shown), Ok(Field::Text("2".into())));
}

#[test]
fn lookups() {
    let column = ColumnKind::Lookup { targets: vec!["account".into()] };
    let value = Value::Lookup(RecordRef::new("account", Uuid::from_u128(7)));
    let shown = Shown { lookup: Some("Adler & Co"), ..Shown::default() };
    let field = to_service(&value, &column, &FieldType::Text, shown).unwrap();
    assert_eq!(field, Field::Text("Adler & Co".into()));
    assert_eq!(to_crm(&field, &column), Err(Unfit::Column));
}

#[test]
fn a_label_of_an_unknown_type_is_read_and_never_written() {
    let unknown = FieldType::from("Geography");
    never_out(Value::text("x"), &text(10), &unknown);
    assert_eq!(of_service(Some(&"x".into()), &unknown, &text(10)), Ok(Field::Text("x".into())));
}

/// The service gives a day back as a moment of that day.
#[test]
fn a_day_comes_back_as_the_same_day() {
    let field = to_service(&at("1980-02-29T00:00:00Z"), &day(), &FieldType::Date, Shown::default()).unwrap();
    let said = FieldValue::Moment("1980-02-29T12:00:00Z".parse().unwrap());
    assert_eq!(of_service(Some(&said), &FieldType::Date, &day()), Ok(field));
}
