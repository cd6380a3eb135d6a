//! PURE. What many durations come to.

use std::time::Duration;

use crate::journal::median;

/// So many of the last runs are held against those before them.
const LAST: usize = 10;
/// And against so many.
const BEFORE: usize = 50;
/// With fewer nothing can be said.
const LEAST: usize = 5;

/// Durations of successes.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The one in the middle.
    pub median: Duration,
    /// Nine of ten took no longer; with fewer than ten nobody can say.
    pub ninety: Option<Duration>,
    /// Ninety-nine of a hundred took no longer; with fewer than a hundred nobody can say.
    pub ninety_nine: Option<Duration>,
    /// The longest.
    pub longest: Duration,
    /// How the last ones compare with those before.
    pub trend: Option<Trend>,
}

/// How the median of the last runs compares with that of those before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// How many were the last.
    pub last: usize,
    /// How many were before.
    pub before: usize,
    /// Their median, as a share of that before: 1.1 is a tenth longer.
    pub ratio: f64,
}

impl Figures {
    /// Of durations, oldest first; `None` of none.
    pub fn of(durations: &[Duration]) -> Option<Self> {
        let mut sorted = durations.to_vec();
        sorted.sort_unstable();
        let rank = |hundredths: usize, least: usize| {
            let at = (sorted.len() * hundredths).div_ceil(100).max(1) - 1;
            (sorted.len() >= least).then(|| sorted.get(at).copied()).flatten()
        };
        Some(Self {
            median: median(sorted.clone())?,
            ninety: rank(90, 10),
            ninety_nine: rank(99, 100),
            longest: *sorted.last()?,
            trend: trend(durations),
        })
    }
}

fn trend(durations: &[Duration]) -> Option<Trend> {
    let (earlier, last) = durations.split_at(durations.len().saturating_sub(LAST));
    let before = &earlier[earlier.len().saturating_sub(BEFORE)..];
    if last.len() < LAST || before.len() < LEAST {
        return None;
    }
    let ratio = median(last.to_vec())?.as_secs_f64() / median(before.to_vec())?.as_secs_f64();
    ratio.is_finite().then_some(Trend { last: last.len(), before: before.len(), ratio })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        seconds.into_iter().map(Duration::from_secs).collect()
    }

    #[test]
    fn a_share_is_told_only_of_enough_runs() {
        let figures = |count| Figures::of(&seconds(1..=count));
        assert_eq!(figures(0), None);
        let of = |count| figures(count).map(|f| (f.median, f.ninety, f.ninety_nine, f.longest));
        let [one, five, nine, ninety, ninety_nine, hundred] = [1, 5, 9, 90, 99, 100].map(Duration::from_secs);
        assert_eq!(of(1), Some((one, None, None, one)));
        assert_eq!(of(9), Some((five, None, None, nine)));
        assert_eq!(of(10), Some((Duration::from_millis(5_500), Some(nine), None, Duration::from_secs(10))));
        assert_eq!(of(100), Some((Duration::from_millis(50_500), Some(ninety), Some(ninety_nine), hundred)));
    }

    #[test]
    fn the_trend_is_that_of_the_last_ten_beside_those_before() {
        let trend = |before: usize, last: u64| {
            let mut durations = seconds(std::iter::repeat_n(10, before));
            durations.extend(seconds(std::iter::repeat_n(last, 10)));
            Figures::of(&durations).unwrap().trend
        };
        assert_eq!(trend(4, 20), None, "too few to say");
        assert_eq!(trend(5, 20), Some(Trend { last: 10, before: 5, ratio: 2.0 }));
        assert_eq!(trend(80, 5), Some(Trend { last: 10, before: 50, ratio: 0.5 }));
        assert_eq!(Figures::of(&seconds(std::iter::repeat_n(0, 20))).unwrap().trend, None);
    }

    proptest! {
        #[test]
        fn shares_are_in_order_and_but_for_the_median_durations_that_there_were(
            durations in proptest::collection::vec(0..1_000_u64, 1..300)
        ) {
            let durations = seconds(durations);
            let figures = Figures::of(&durations).unwrap();
            let told = [Some(figures.median), figures.ninety, figures.ninety_nine, Some(figures.longest)];
            let told: Vec<Duration> = told.into_iter().flatten().collect();
            prop_assert!(told.is_sorted());
            prop_assert!(told[1..].iter().all(|one| durations.contains(one)));
        }
    }
}
