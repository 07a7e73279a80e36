//! How long to wait before the next attempt: full jitter, a pure function of the attempt and a seed.

use std::time::Duration;

const BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(300);

/// Anywhere between nothing and `BASE` doubled per attempt, never over `CAP`. `attempt` counts from 1.
pub(crate) fn backoff(attempt: u32, seed: u64) -> Duration {
    let top = BASE.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX)).min(CAP);
    let share = (mix(seed ^ u64::from(attempt)) >> 11) as f64 / (1_u64 << 53) as f64;
    top.mul_f64(share)
}

/// splitmix64's finaliser: neighbouring seeds give unrelated numbers.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_range(attempt: u32, top: Duration) {
        let waits: Vec<Duration> = (0..2_000).map(|seed| backoff(attempt, seed)).collect();
        assert!(waits.iter().all(|wait| *wait <= top), "attempt {attempt}");
        let mean = waits.iter().sum::<Duration>() / 2_000;
        assert!(
            mean > top.mul_f64(0.45) && mean < top.mul_f64(0.55),
            "attempt {attempt}: mean {mean:?} of {top:?}"
        );
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        check_range(1, BASE);
        check_range(2, BASE * 2);
        check_range(8, BASE * 128);
        check_range(9, BASE * 256);
        check_range(10, CAP);
        check_range(33, CAP);
        check_range(u32::MAX, CAP);
    }

    #[test]
    fn same_seed_same_wait() {
        assert_eq!(backoff(3, 42), backoff(3, 42));
        assert_ne!(backoff(3, 42), backoff(3, 43));
    }
}
