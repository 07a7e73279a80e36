//! The header on everything we send: `X-Postroom-Loop: <installation id>; <hop count>`.
//!
//! It stops loops through forwarding rules. A loop between two products shows no marker; that is for the rate brakes.

use std::fmt;

use uuid::Uuid;

/// The header's name.
pub const LOOP_HEADER: &str = "X-Postroom-Loop";

/// The header's value; `Display` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopMark {
    pub installation: Uuid,
    /// 1 on a mail that leaves for the first time.
    pub hops: u32,
}

impl LoopMark {
    /// Reads a value; a hop count that cannot be read is 1, for the mark itself is what counts.
    pub fn read(value: &str) -> Option<LoopMark> {
        let (installation, hops) = value.split_once(';').unwrap_or((value, ""));
        let installation = installation.trim().trim_matches(['<', '>', '{', '}']);
        let installation = Uuid::try_parse(installation).ok()?;
        Some(LoopMark { installation, hops: hops.trim().parse().unwrap_or(1) })
    }
}

impl fmt::Display for LoopMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.installation, self.hops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let mark = LoopMark { installation: Uuid::from_u128(7), hops: 3 };
        assert_eq!(LoopMark::read(&mark.to_string()), Some(mark));
        assert_eq!(LoopMark::read(&format!("<{}>; 3", mark.installation).to_uppercase()), Some(mark));
        assert_eq!(LoopMark::read(&mark.installation.to_string()), Some(LoopMark { hops: 1, ..mark }));
        assert_eq!(LoopMark::read("yes; 1"), None);
    }
}
