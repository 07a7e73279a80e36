//! Dates of mail: RFC 5322 section 3.3 and whatever else stands in a Date field.
//!
//! Words are taken by what they look like, not by where they stand: a number and a month's name, a year, something with a
//! colon, a zone. Names of months are known in the languages that Outlook and old webmailers write into the field. A
//! missing or unknown zone counts as UTC.

use jiff::civil;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Reads a date; `None` when it holds no day, month and year that exist.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text: String = text.chars().take(200).collect();
    let outside = text.split('(').next().unwrap_or_default();
    let mut found = Found::default();
    for word in outside.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
        found.take(word);
    }
    found.timestamp()
}

#[derive(Default)]
struct Found {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    time: Option<civil::Time>,
    afternoon: Option<bool>,
    offset: Option<SignedDuration>,
}

impl Found {
    fn take(&mut self, word: &str) {
        if self.time.is_none() && word.contains(':') && self.clock(word) {
            return;
        }
        if self.year.is_none() && self.compound(word) {
            return;
        }
        if let Some(month) = month(word).filter(|_| self.month.is_none()) {
            self.month = Some(month);
        } else if let Some(number) = digits(word) {
            self.number(number, word.trim_end_matches('.').len());
        } else if let Some(afternoon) = half(word) {
            self.afternoon = Some(afternoon);
        } else if self.time.is_some() && self.offset.is_none() {
            self.offset = zone(word);
        }
    }

    /// A number is the day if there is none yet, else the year.
    fn number(&mut self, number: i16, width: usize) {
        if self.day.is_none() && width <= 2 {
            self.day = i8::try_from(number).ok();
        } else if self.year.is_none() {
            // RFC 5322 section 4.3: 00 to 49 are of this century, 50 to 999 count from 1900.
            self.year = Some(match (width, number) {
                (..=2, ..50) => 2000 + number,
                (..=3, _) => 1900 + number,
                _ => number,
            });
        }
    }

    /// `20-May-2000`, `2000-05-20`, `2000-05-20T01:55:02Z`, `2000/05/20`, `20.05.2000`. Slashes with the year behind
    /// are left alone: day and month cannot be told apart.
    fn compound(&mut self, word: &str) -> bool {
        let (date, time) = match word.split_once(['T', 't']) {
            Some((date, time)) if date.contains('-') && time.contains(':') => (date, Some(time)),
            _ => (word, None),
        };
        let pieces: Vec<&str> = date.split(['-', '/', '.']).collect();
        let [first, middle, last] = pieces[..] else { return false };
        let year_first = first.len() == 4;
        if !year_first && date.contains('/') {
            return false;
        }
        let (day, year) = if year_first { (last, first) } else { (first, last) };
        let (Some(day), Some(year)) = (digits(day), digits(year).map(|number| (number, year.len()))) else {
            return false;
        };
        let Some(month) = month(middle).or_else(|| digits(middle).and_then(|n| i8::try_from(n).ok())) else {
            return false;
        };
        (self.day, self.month) = (i8::try_from(day).ok(), Some(month));
        self.number(year.0, year.1);
        if let Some(time) = time {
            self.clock(time);
        }
        true
    }

    /// `01:55`, `01:55:02`, `01.55.02`, `01:55:02.123`, with a zone glued on (`01:55:02+0100`, `01:55:02Z`).
    fn clock(&mut self, word: &str) -> bool {
        let end = word.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        let mut numbers = clock.split([':', '.']).map(|piece| piece.parse::<i8>().ok());
        let (Some(Some(hour)), Some(Some(minute))) = (numbers.next(), numbers.next()) else { return false };
        let second = numbers.next().flatten().unwrap_or(0);
        // A leap second is the last one of its minute here.
        let Ok(time) = civil::Time::new(hour, minute, second.min(59), 0) else { return false };
        self.time = Some(time);
        if !rest.is_empty() {
            self.afternoon = half(rest);
            self.offset = zone(rest);
        }
        true
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let date =
            civil::Date::new(self.year?, self.month?, self.day?).ok().filter(|date| date.year() > 1900)?;
        let mut time = self.time.unwrap_or(civil::Time::midnight());
        match self.afternoon {
            Some(true) if time.hour() < 12 => time = time.checked_add(SignedDuration::from_hours(12)).ok()?,
            Some(false) if time.hour() == 12 => {
                time = time.checked_sub(SignedDuration::from_hours(12)).ok()?
            }
            _ => {}
        }
        let local = Offset::UTC.to_timestamp(date.to_datetime(time)).ok()?;
        local.checked_sub(self.offset.unwrap_or_default()).ok()
    }
}

/// A number of at most four digits, a full stop behind it allowed (`11. Februar`).
fn digits(word: &str) -> Option<i16> {
    let word = word.strip_suffix('.').unwrap_or(word);
    (word.len() <= 4 && word.bytes().all(|byte| byte.is_ascii_digit())).then(|| word.parse().ok()).flatten()
}

fn half(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "am" | "a.m." => Some(false),
        "pm" | "p.m." => Some(true),
        _ => None,
    }
}

/// Beginnings of month names, January first, in English, German, French, Spanish, Italian, Portuguese, Dutch, the
/// Nordic languages, Polish, Czech and Russian. Longer ones first where one begins another.
const MONTHS: [&[&str]; 12] = [
    &["jan", "jän", "gen", "ene", "sty", "led", "янв"],
    &["feb", "fév", "fev", "lut", "úno", "фев"],
    &["mar", "mär", "mrt", "maa", "mrz", "бře", "мар"],
    &["apr", "avr", "abr", "kwi", "dub", "апр"],
    &["may", "mai", "mag", "maj", "mei", "май", "мая"],
    &["jun", "juin", "giu", "cze", "июн"],
    &["jul", "juil", "lug", "lip", "июл"],
    &["aug", "aoû", "aou", "ago", "sie", "srp", "авг"],
    &["sep", "set", "wrz", "zář", "сен"],
    &["oct", "okt", "ott", "out", "paź", "říj", "окт"],
    &["nov", "noy", "ноя"],
    &["dec", "dez", "déc", "dic", "des", "gru", "дек"],
];

fn month(word: &str) -> Option<i8> {
    let lower = word.to_lowercase();
    let alphabetic = lower.trim_end_matches('.').chars().all(char::is_alphabetic);
    if !alphabetic || lower.chars().count() < 3 {
        return None;
    }
    let place = MONTHS.iter().position(|names| names.iter().any(|name| lower.starts_with(name)))?;
    // "Mar" is March and, in Italian and Spanish, the weekday Tuesday; a weekday stands before a comma, so the word that
    // matches first may be wrong. English mail is the rule and has no such clash.
    i8::try_from(place + 1).ok()
}

/// Names of zones that mail uses, in minutes east of Greenwich. Single letters are UTC (RFC 5322 section 4.3).
const ZONES: &[(&str, i64)] = &[
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AKST", -540),
    ("AKDT", -480),
    ("HST", -600),
    ("AST", -240),
    ("ADT", -180),
    ("BRT", -180),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("MET", 60),
    ("MEZ", 60),
    ("CEST", 120),
    ("MEST", 120),
    ("MESZ", 120),
    ("EET", 120),
    ("EEST", 180),
    ("SAST", 120),
    ("MSK", 180),
    ("MSD", 240),
    ("IST", 330),
    ("SGT", 480),
    ("HKT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
];

/// `+0100`, `-01:30`, `+1`, `-600`, `GMT+0100`, `CEST`.
fn zone(word: &str) -> Option<SignedDuration> {
    let word = word.trim_matches(['"', '\'', '.', '[', ']']);
    let sign_at = word.find(['+', '-']);
    let (name, offset) = word.split_at(sign_at.unwrap_or(word.len()));
    let minutes = match sign_at {
        Some(_) => {
            let number: String = offset.chars().filter(char::is_ascii_digit).take(4).collect();
            let value: i64 = number.parse().ok()?;
            let minutes = if number.len() <= 2 { value * 60 } else { value / 100 * 60 + value % 100 };
            if offset.starts_with('-') { -minutes } else { minutes }
        }
        None => ZONES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or(0, |(_, minutes)| *minutes),
    };
    // No place is further from Greenwich than 14 hours; such a zone is noise.
    (minutes.abs() <= 14 * 60).then(|| SignedDuration::from_mins(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = parse(text).map_or(String::new(), |found| found.to_string());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn as_specified() {
        check("Fri, 19 May 2000 21:55:02 -0400", "2000-05-20T01:55:02Z");
        check("19 May 2000 21:55 +0000", "2000-05-19T21:55:00Z");
        check("Sat, 13 Aug 2022 09:00:00 +0200 (CEST)", "2022-08-13T07:00:00Z");
        check("Thu, 11 Apr 1996 01:10:30 -0000", "1996-04-11T01:10:30Z");
    }

    #[test]
    fn odd_years_and_zones() {
        check("Wed, 11 Feb 98 11:51 CST", "1998-02-11T17:51:00Z");
        check("1 Jan 05 00:00:00 GMT", "2005-01-01T00:00:00Z");
        check("1 Jan 105 00:00:00 GMT", "2005-01-01T00:00:00Z");
        check("Mon, 21 Aug 95 13:30:57 -600", "1995-08-21T19:30:57Z");
        check("19 May 2000 21:55:02", "2000-05-19T21:55:02Z");
        check("19 May 2000 21:55:02 GMT+0100", "2000-05-19T20:55:02Z");
        check("19 May 2000 21:55:02 +01:30", "2000-05-19T20:25:02Z");
        check("19 May 2000 21:55:02+0100", "2000-05-19T20:55:02Z");
        check("19 May 2000 21:55:02 MESZ", "2000-05-19T19:55:02Z");
        check("19 May 2000 21:55:02 XYZ", "2000-05-19T21:55:02Z");
        check("Mon, 19 May 2000 21:55:02 +9900", "2000-05-19T21:55:02Z");
    }

    #[test]
    fn odd_orders() {
        check("Fri May 19 21:55:02 2000", "2000-05-19T21:55:02Z");
        check("May 19, 2000 9:55 PM", "2000-05-19T21:55:00Z");
        check("19-May-2000 12:55:02am", "2000-05-19T00:55:02Z");
        check("2000-05-19 21:55:02 +0200", "2000-05-19T19:55:02Z");
        check("2000-05-19T21:55:02.123Z", "2000-05-19T21:55:02Z");
        check("Fri,19 May 2000 21:55:60 +0000", "2000-05-19T21:55:59Z");
        check("19.05.2000 21:55:02", "2000-05-19T21:55:02Z");
        check("19 May 2000", "2000-05-19T00:00:00Z");
    }

    #[test]
    fn other_languages() {
        check("Mi, 11. Februar 1998 11:51:00 +0100", "1998-02-11T10:51:00Z");
        check("Di, 11 Mär 2008 11:51:00 +0100", "2008-03-11T10:51:00Z");
        check("ven., 19 août 2011 10:00:00 +0200", "2011-08-19T08:00:00Z");
        check("Пт, 19 май 2000 21:55:02 +0400", "2000-05-19T17:55:02Z");
        check("lun, 5 dic 2011 10:00:00 +0100", "2011-12-05T09:00:00Z");
    }

    #[test]
    fn no_dates() {
        check("", "");
        check("yesterday", "");
        check("00-Jan-0000 00:00:00 +0000", "");
        check("31 Feb 2000 00:00:00 +0000", "");
        check("02/03/04 10:00", "");
        check("99999999999999999999", "");
    }
}
