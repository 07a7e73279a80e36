//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// The first pause between two looks; it doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(50);

/// Looks until `condition` holds. False when the deadline passed first; it looks at least once, and once more at the end.
#[must_use = "the deadline may have passed"]
pub fn until(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let (start, mut pause) = (Instant::now(), SHORTEST);
    loop {
        let late = start.elapsed() >= deadline;
        if condition() {
            return true;
        }
        if late {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
}

/// The same for conditions that must be awaited; other tasks run meanwhile.
#[must_use = "the deadline may have passed"]
pub async fn until_async(deadline: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let (start, mut pause) = (Instant::now(), SHORTEST);
    loop {
        let late = start.elapsed() >= deadline;
        if condition().await {
            return true;
        }
        if late {
            return false;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_until_the_condition_holds() {
        let mut looks = 0;
        assert!(until(Duration::from_secs(10), || {
            looks += 1;
            looks == 3
        }));
        assert_eq!(looks, 3);
    }

    #[test]
    fn a_deadline_that_has_passed_allows_one_look() {
        assert!(until(Duration::ZERO, || true));
        assert!(!until(Duration::ZERO, || false));
    }
}
