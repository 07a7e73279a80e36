//! Durations and sizes with their unit in the text: `"30s"`, `"1h30m"`, `"35MiB"`.

use std::fmt;
use std::time::Duration;

use super::values::from_text;

const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// A length of time, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    pub const fn seconds(seconds: u64) -> Self {
        Span(Duration::from_secs(seconds))
    }

    pub const fn millis(millis: u64) -> Self {
        Span(Duration::from_millis(millis))
    }

    pub const fn get(self) -> Duration {
        self.0
    }

    /// Reads `30s`, `5m`, `1h30m`; a bare number has no unit and is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut millis: u64 = 0;
        while !rest.is_empty() {
            let (number, unit, after) = amount(rest)?;
            let (_, scale) = TIME_UNITS.iter().find(|(name, _)| *name == unit)?;
            millis = millis.checked_add(number.checked_mul(*scale)?)?;
            rest = after;
        }
        (!text.trim().is_empty()).then_some(Span::millis(millis))
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Span::parse(text).ok_or_else(|| format!("{text:?} is not a duration: write 30s, 5m or 1h30m"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, scale) = largest(&TIME_UNITS, millis);
        write!(f, "{}{unit}", millis / scale)
    }
}

from_text!(Span, "a duration such as \"30s\", \"5m\" or \"24h\"", Span::parse);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    pub const fn mib(mib: u64) -> Self {
        Size(mib << 20)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads `35MiB`, `10MB`, `512KiB`; a bare number has no unit and is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit, after) = amount(text.trim())?;
        let (_, scale) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(*scale).filter(|_| after.is_empty()).map(Size)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) = largest(&SIZE_UNITS[..4], self.0);
        write!(f, "{}{unit}", self.0 / scale)
    }
}

from_text!(Size, "a size such as \"35MiB\"", Size::parse);

/// The first number, its unit, and what follows.
fn amount(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = text.split_at(digits);
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let (unit, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()));
    Some((number.parse().ok()?, unit, after))
}

/// The largest unit that shows the amount without a remainder.
fn largest(units: &[(&'static str, u64)], amount: u64) -> (&'static str, u64) {
    let whole = units.iter().rev().find(|(_, scale)| amount != 0 && amount.is_multiple_of(*scale));
    *whole.unwrap_or(&units[if amount == 0 { units.len().min(2) - 1 } else { 0 }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn span(text: &str, millis: Option<u64>) {
        assert_eq!(Span::parse(text), millis.map(Span::millis), "{text}");
    }

    #[track_caller]
    fn size(text: &str, bytes: Option<u64>) {
        assert_eq!(Size::parse(text), bytes.map(Size), "{text}");
    }

    #[test]
    fn durations() {
        span("30s", Some(30_000));
        span("1h30m", Some(5_400_000));
        span("500ms", Some(500));
        span("2 d", Some(172_800_000));
        for bad in ["", "30", "s", "30x", "-1s", "1.5h", "99999999999999999999s", "18446744073709551615h"] {
            span(bad, None);
        }
    }

    #[test]
    fn sizes() {
        size("35MiB", Some(35 << 20));
        size("10 MB", Some(10_000_000));
        for bad in ["", "35", "35mib", "MiB", "1MiB1KiB", "18446744073709551615GiB"] {
            size(bad, None);
        }
    }

    #[test]
    fn shown_forms_read_back() {
        for text in ["30s", "90s", "5m", "24h", "7d", "1500ms", "0s"] {
            let shown = Span::parse(text).map(|span| span.to_string()).unwrap_or_default();
            assert_eq!(Span::parse(&shown), Span::parse(text), "{text} shown as {shown}");
        }
        for text in ["35MiB", "1GiB", "1000B"] {
            assert_eq!(Size::parse(text).map(|size| size.to_string()).as_deref(), Some(text));
        }
    }
}
