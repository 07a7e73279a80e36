//! The least that a task can take of the service: calls, by what fits into one, and time, by the limits.

/// People in a page of v3, and rows in one of v2.
pub const PEOPLE: u64 = 5000;
pub const ROWS: u64 = 1000;
/// Bytes of an import.
const IMPORT: u64 = 50_000_000;
/// Seconds of a window of the tiered limits.
const WINDOW: f64 = 60.0;

/// Calls that nobody can do without, of the low tier and others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Least {
    pub low: u64,
    pub other: u64,
}

impl Least {
    pub fn calls(self) -> u64 {
        self.low + self.other
    }

    /// Imports of so many bytes: each is sent, and asked about once.
    pub fn imports(bytes: u64) -> Least {
        let imports = bytes.div_ceil(IMPORT);
        Least { low: imports, other: imports }
    }

    /// Pages of so many rows; there is always one.
    pub fn pages(rows: u64, page: u64) -> Least {
        Least { low: rows.div_ceil(page).max(1), other: 0 }
    }

    pub fn and(self, more: Least) -> Least {
        Least { low: self.low + more.low, other: self.other + more.other }
    }

    /// The seconds that must pass from `begun` (seconds since 1970) on, when a minute has `limit` calls of the low tier and
    /// windows begin with the clock's minutes.
    pub fn seconds(self, begun: f64, limit: u64) -> f64 {
        let windows = self.low.div_ceil(limit.max(1));
        let left = WINDOW - begun.rem_euclid(WINDOW);
        if windows < 2 { 0.0 } else { left + WINDOW * (windows - 2) as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_calls() {
        assert_eq!(Least::imports(0), Least::default());
        assert_eq!(Least::imports(100_000_001), Least { low: 3, other: 3 });
        assert_eq!(Least::pages(0, PEOPLE).calls(), 1);
        assert_eq!(Least::pages(5001, PEOPLE).and(Least::imports(1)).calls(), 4);
    }

    #[test]
    fn the_least_time() {
        let check = |low, begun, expected: f64| {
            assert!((Least { low, other: 9 }.seconds(begun, 150) - expected).abs() < 1e-9);
        };
        check(150, 130.0, 0.0);
        check(151, 130.0, 50.0);
        check(151, 120.0, 60.0);
        check(301, 130.0, 110.0);
    }
}
