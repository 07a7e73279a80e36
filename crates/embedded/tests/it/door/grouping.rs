//! What rows are grouped by: the same on both databases, and as SQL Server has it.

use postroom_core::{Record, Value};
use serde_json::{Value as Json, json};

use super::DoorBench;
use crate::bench::{On, on_both};

on_both!(parts_of_times, weeks_of_many_years);

fn encoded(text: &str) -> String {
    let each = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(each).collect()
}

/// Tasks that begin on these days.
async fn tasks(on: On, days: &[&str]) -> DoorBench {
    let door = DoorBench::new(on).await;
    let task = |day: &&str| {
        let start: jiff::Timestamp = format!("{day}T23:30:00Z").parse().unwrap();
        door.bench.row("task").with("subject", *day).with("scheduledstart", Value::Time(start))
    };
    let mut rows: Vec<Record> = days.iter().map(task).collect();
    rows.push(door.bench.row("task").with("subject", "none"));
    door.bench.create(&rows).await;
    door
}

/// What each task's day is grouped as.
async fn parts(door: &DoorBench, part: &str) -> Vec<(String, Json)> {
    let xml = format!(
        "<fetch aggregate='true'><entity name='task'><attribute name='subject' alias='day' groupby='true'/>\
         <attribute name='scheduledstart' alias='part' groupby='true' dategrouping='{part}'/>\
         <order alias='day'/></entity></fetch>"
    );
    let answer = door.get(&format!("tasks?fetchXml={}", encoded(&xml))).await;
    let rows = answer.json["value"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone();
    rows.iter().map(|row| (row["day"].as_str().unwrap().to_owned(), row["part"].clone())).collect()
}

async fn parts_of_times(on: On) {
    let days = [
        // A year of the calendar's own weeks, one that begins on a Sunday, one of 54 weeks.
        ("2000-01-01", [1, 1, 1, 1, 2000]),
        ("2000-01-02", [2, 2, 1, 1, 2000]),
        ("2000-12-31", [31, 54, 12, 4, 2000]),
        ("2022-12-31", [31, 53, 12, 4, 2022]),
        ("2023-01-01", [1, 1, 1, 1, 2023]),
        ("2023-01-07", [7, 1, 1, 1, 2023]),
        ("2023-01-08", [8, 2, 1, 1, 2023]),
        ("2024-03-31", [31, 14, 3, 1, 2024]),
        ("2024-12-31", [31, 53, 12, 4, 2024]),
        ("2026-01-01", [1, 1, 1, 1, 2026]),
        ("2026-01-03", [3, 1, 1, 1, 2026]),
        ("2026-01-04", [4, 2, 1, 1, 2026]),
        ("2026-07-04", [4, 27, 7, 3, 2026]),
    ];
    let door = tasks(on, &days.map(|(day, _)| day)).await;
    for (place, parts) in
        [&["day"][..], &["week"], &["month"], &["quarter", "fiscal-period"], &["year", "fiscal-year"]]
            .into_iter()
            .enumerate()
    {
        for part in parts {
            let mut expected: Vec<(String, Json)> =
                days.iter().map(|(day, parts)| ((*day).to_owned(), parts[place].into())).collect();
            expected.push(("none".to_owned(), Json::Null));
            assert_eq!(self::parts(&door, part).await, expected, "{part}");
        }
    }
    let week = "<fetch aggregate='true'><entity name='task'><attribute name='activityid' alias='n' aggregate='count'/>\
                <attribute name='scheduledstart' alias='week' groupby='true' dategrouping='week'/>\
                <order alias='week' descending='true'/></entity></fetch>";
    let answer = door.get(&format!("tasks?fetchXml={}", encoded(week))).await;
    let groups =
        [(54, 1), (53, 2), (27, 1), (14, 1), (2, 3), (1, 5)].map(|(week, n)| json!({"week": week, "n": n}));
    assert_eq!(answer.json["value"].as_array().unwrap()[..6], groups, "{}", answer.text);
}

async fn weeks_of_many_years(on: On) {
    use jiff::ToSpan;
    // Every fifth day: all weekdays of all kinds of years.
    let first = jiff::civil::date(1996, 1, 1);
    let days: Vec<jiff::civil::Date> =
        (0..2200).map(|place| first.saturating_add((place * 5).days())).collect();
    let texts: Vec<String> = days.iter().map(ToString::to_string).collect();
    let door = tasks(on, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let found = parts(&door, "week").await;
    // Counted: a new week with every Sunday after 1 January.
    for (day, (text, week)) in days.iter().zip(&found) {
        let year = jiff::civil::date(day.year(), 1, 1);
        let sundays = (1..i64::from(day.day_of_year()))
            .filter(|after| year.saturating_add(after.days()).weekday() == jiff::civil::Weekday::Sunday)
            .count();
        assert_eq!((text.as_str(), week), (day.to_string().as_str(), &json!(sundays + 1)));
    }
    assert_eq!(found.len(), days.len() + 1);
}
