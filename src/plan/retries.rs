//! PURE. `--retries` and `--retry-delay`.

use std::time::Duration;

/// The longest time between two attempts, unless the first one is longer: doubled on, a few retries would
/// take a day.
const DELAY_MAX: Duration = Duration::from_secs(5 * 60);

/// What happens after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetryRule {
    /// How often the command is run again at most.
    pub retries: u32,
    /// How long to wait before the first of them.
    pub delay: Duration,
}

impl RetryRule {
    /// How long to wait after an attempt, counted from 1: twice as long as before the one before.
    pub fn delay_after(self, attempt: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.delay.saturating_mul(factor).min(DELAY_MAX.max(self.delay))
    }

    /// How long all attempts can take, and the time between them, if none takes longer than `max`.
    pub fn longest(self, max: Duration) -> Duration {
        // Behind these the delay does not grow any more.
        let doubling = self.retries.min(32);
        let first: Duration = (1..=doubling).map(|attempt| self.delay_after(attempt)).sum();
        let others = self.delay_after(u32::MAX).saturating_mul(self.retries - doubling);
        max.saturating_mul(self.retries.saturating_add(1)).saturating_add(first).saturating_add(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(retries: u32, seconds: u64) -> RetryRule {
        RetryRule { retries, delay: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_delay_doubles_up_to_five_minutes_and_never_below_the_first() {
        let after = |attempt, seconds| rule(9, seconds).delay_after(attempt).as_secs();
        let delays: Vec<u64> = (1..=7).map(|attempt| after(attempt, 10)).collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300]);
        assert_eq!((after(1, 600), after(2, 600), after(u32::MAX, 600)), (600, 600, 600));
        assert_eq!((after(1, 0), after(40, 0)), (0, 0));
    }

    #[test]
    fn the_longest_time_is_that_of_all_attempts_and_delays() {
        let longest =
            |retries, seconds, max| rule(retries, seconds).longest(Duration::from_secs(max)).as_secs();
        assert_eq!(longest(0, 10, 60), 60);
        assert_eq!(longest(2, 10, 60), 3 * 60 + 10 + 20);
        assert_eq!(longest(40, 100, 1), 41 + 100 + 200 + 38 * 300);
        assert_eq!(rule(u32::MAX, 1).longest(Duration::MAX), Duration::MAX);
    }
}
