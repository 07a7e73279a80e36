//! What a cursor remembers besides its position, in [`Cursor::mark`](postroom_core::Cursor): which message stood there,
//! and which backlog is being read.

use jiff::Timestamp;

/// The contents of a cursor's mark. Written as `uid=5;hash=…;since=…;until=9`; words that are not known are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// A message below the cursor, and its fingerprint: to notice a server that numbers anew in silence.
    pub message: Option<(u32, String)>,
    /// Older mail was there before us and is not wanted when the folder is read again.
    pub since: Option<Timestamp>,
    /// Up to this UID, `since` holds. Above it everything is new to us, however old it says it is: it was moved in.
    pub until: u32,
}

impl Mark {
    pub fn parse(text: Option<&str>) -> Self {
        let mut mark = Mark::default();
        let (mut uid, mut hash) = (None, None);
        for (name, value) in text.unwrap_or_default().split(';').filter_map(|word| word.split_once('=')) {
            match name {
                "uid" => uid = value.parse().ok(),
                "hash" => hash = Some(value.to_owned()),
                "since" => mark.since = value.parse().ok(),
                "until" => mark.until = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        mark.message = uid.zip(hash);
        mark
    }

    pub fn write(&self) -> String {
        let mut words = Vec::new();
        if let Some((uid, hash)) = &self.message {
            words.push(format!("uid={uid};hash={hash}"));
        }
        if let Some(since) = self.since {
            words.push(format!("since={since}"));
        }
        if self.until > 0 {
            words.push(format!("until={}", self.until));
        }
        words.join(";")
    }

    /// Whether a message of the backlog is older than what is wanted. One without a date is wanted.
    pub fn passes_over(&self, uid: u32, date: Option<Timestamp>) -> bool {
        uid <= self.until && self.since.zip(date).is_some_and(|(since, date)| date < since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back() {
        let since = "2026-11-21T12:00:00Z".parse().ok();
        for mark in [
            Mark::default(),
            Mark { message: Some((7, "ab".into())), since, until: 9 },
            Mark { since, ..Mark::default() },
        ] {
            assert_eq!(Mark::parse(Some(&mark.write())), mark);
        }
        assert_eq!(Mark::parse(None), Mark::default());
        assert_eq!(Mark::parse(Some("uid=x;hash=1;;=;since=never")), Mark::default());
    }

    #[test]
    fn only_the_backlog_is_filtered() {
        let mark = Mark::parse(Some("since=2026-01-01T00:00:00Z;until=10"));
        let old = "2025-12-31T00:00:00Z".parse().ok();
        assert!(mark.passes_over(10, old));
        assert!(!mark.passes_over(11, old));
        assert!(!mark.passes_over(10, None));
        assert!(!mark.passes_over(10, mark.since));
    }
}
