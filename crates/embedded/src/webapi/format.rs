//! Values as a person reads them: `FormattedValue`, in English as a new organisation is set up (3/4/2014 6:59 AM, $10.50,
//! 1,234).

use postroom_core::Value;
use postroom_core::metadata::{ColumnInfo, ColumnKind, DateTimeBehavior};

use super::row::options;

/// `None` for values that have no other form, such as plain text.
pub(crate) fn value(column: &ColumnInfo, value: &Value) -> Option<String> {
    match (&column.kind, value) {
        (ColumnKind::Boolean { yes, no, .. }, Value::Bool(value)) => {
            let label = if *value { yes } else { no };
            Some(label.text().unwrap_or(if *value { "Yes" } else { "No" }).to_owned())
        }
        (ColumnKind::MultiSelect { options }, Value::Text(text)) => {
            let label = |number: &str| {
                let number = number.trim().parse::<i32>().ok()?;
                let option = options.options.iter().find(|option| option.value == number)?;
                option.label.text().map(str::to_owned)
            };
            Some(text.split(',').filter_map(label).collect::<Vec<_>>().join("; "))
        }
        (kind, Value::Int(number)) if options(kind).is_some() => {
            let options = options(kind)?;
            let option = options.options.iter().find(|option| i64::from(option.value) == *number)?;
            option.label.text().map(str::to_owned)
        }
        (ColumnKind::DateTime { date_only, behavior }, Value::Time(time)) => {
            let date = *date_only || *behavior == DateTimeBehavior::DateOnly;
            let form = if date { "%-m/%-d/%Y" } else { "%-m/%-d/%Y %-I:%M %p" };
            Some(time.strftime(form).to_string())
        }
        (ColumnKind::Money { precision, source, .. }, Value::Decimal(text)) => {
            let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
            // Source 2: as the currency has it.
            let decimals = if *source == 2 { 2 } else { usize::from(*precision) };
            Some(format!("{sign}${}", grouped(&fixed(digits, decimals))))
        }
        (ColumnKind::Decimal { precision, .. }, Value::Decimal(text)) => {
            let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
            Some(format!("{sign}{}", grouped(&fixed(digits, usize::from(*precision)))))
        }
        // A sum.
        (ColumnKind::Money { .. } | ColumnKind::Decimal { .. }, Value::Float(number)) => {
            self::value(column, &Value::Decimal(number.to_string()))
        }
        (ColumnKind::EntityName, _) => None,
        (_, value @ (Value::Int(_) | Value::Float(_))) => Some(plain(value)),
        _ => None,
    }
}

/// A number that no column describes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Int(number) => {
            let sign = if *number < 0 { "-" } else { "" };
            format!("{sign}{}", grouped(&number.unsigned_abs().to_string()))
        }
        Value::Float(number) => {
            let sign = if *number < 0.0 { "-" } else { "" };
            format!("{sign}{}", grouped(&fixed(&number.abs().to_string(), 2)))
        }
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Bool(value) => (if *value { "Yes" } else { "No" }).to_owned(),
        Value::Guid(id) => id.to_string(),
        Value::Time(time) => time.strftime("%-m/%-d/%Y %-I:%M %p").to_string(),
        Value::Lookup(at) => at.id.to_string(),
        Value::Null | Value::Content(_) => String::new(),
    }
}

/// Money in JSON has four decimals.
pub(crate) fn money(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    format!("{sign}{}", fixed(digits, 4))
}

/// The digits with so many decimals, cut or filled up; no sign.
fn fixed(digits: &str, decimals: usize) -> String {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if decimals == 0 {
        return whole.to_owned();
    }
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(decimals).collect();
    format!("{whole}.{fraction}")
}

/// Commas between thousands.
fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(a, b)| (a, Some(b)));
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{text}.{fraction}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        for (value, expected) in [
            (Value::Int(0), "0"),
            (Value::Int(999), "999"),
            (Value::Int(-1234567), "-1,234,567"),
            (Value::Float(1234.5), "1,234.50"),
            (Value::Float(-0.25), "-0.25"),
        ] {
            assert_eq!(plain(&value), expected);
        }
        assert_eq!(money("10.5"), "10.5000");
        assert_eq!(money("-3"), "-3.0000");
        assert_eq!(fixed("12.345", 0), "12");
    }
}
