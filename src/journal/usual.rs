//! How long a job usually takes: the median of its last successes, by the end of its journal.

use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::stat::fstat;

use super::{Journal, stored, tail};

/// So many successes are looked at, at most.
const SUCCESSES_MAX: usize = 64;
/// How much of the journal is read, in bytes: at first, and at most.
const FIRST_WINDOW: u64 = 64 * 1024;
const LARGEST_WINDOW: u64 = 256 * 1024;

impl Journal {
    /// How long the job usually takes: the median of the wall times of its last successes, 64 at most, as
    /// far as the last 256 KiB of its journal tell. `None` if they tell of none.
    pub fn usual_duration(&self) -> Option<Duration> {
        usual(&self.files.as_ref().ok()?.journal.as_ref().ok()?.fd)
    }
}

/// The median of the wall times of the last successes in a journal; `None` if there is none, or it cannot
/// be read.
pub(super) fn usual(journal: &OwnedFd) -> Option<Duration> {
    let size = fstat(journal).ok()?.st_size.unsigned_abs();
    let mut window = FIRST_WINDOW;
    loop {
        let from = size.saturating_sub(window);
        let bytes = tail::read_range(journal, from, size).ok()?;
        let times: Vec<Duration> = stored::successes(&bytes).take(SUCCESSES_MAX).collect();
        if times.len() == SUCCESSES_MAX || from == 0 || window >= LARGEST_WINDOW {
            return median(times);
        }
        window = (window * 4).min(LARGEST_WINDOW);
    }
}

/// The one in the middle; of an even number the mean of the two, of none none.
pub fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    let upper = *times.get(times.len() / 2)?;
    let lower = times[(times.len() - 1) / 2];
    Some(lower + (upper - lower) / 2)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use proptest::prelude::*;

    use super::super::fixture::{Home, ended};
    use super::*;
    use crate::outcome::Outcome;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Commits a run that ended in this way after so many seconds.
    fn commit(home: &Home, outcome: Outcome, wall_time: u64) {
        let mut run = ended(outcome);
        run.wall_time = Some(seconds(wall_time));
        home.commit(&mut home.open(), &run);
    }

    fn append(home: &Home, bytes: &[u8]) {
        fs::OpenOptions::new().append(true).open(home.journal_path()).unwrap().write_all(bytes).unwrap();
    }

    #[test]
    fn the_median_is_in_the_middle() {
        for (times, expected) in [
            (&[][..], None),
            (&[7], Some(7_000)),
            (&[1, 100], Some(50_500)),
            (&[100, 1, 2], Some(2_000)),
            (&[4, 1, 3, 2], Some(2_500)),
        ] {
            let times = times.iter().copied().map(seconds).collect();
            assert_eq!(median(times), expected.map(Duration::from_millis));
        }
    }

    proptest! {
        #[test]
        fn as_many_are_below_the_median_as_above(times in prop::collection::vec(0..1_000_u64, 1..70)) {
            let median = median(times.iter().copied().map(seconds).collect()).unwrap();
            let below = times.iter().filter(|&&time| seconds(time) < median).count();
            let above = times.iter().filter(|&&time| seconds(time) > median).count();
            prop_assert!(below * 2 <= times.len() && above * 2 <= times.len());
        }
    }

    #[test]
    fn a_job_without_a_success_has_no_usual_time() {
        let home = Home::new();
        assert_eq!(home.open().usual_duration(), None);
        commit(&home, Outcome::Failed, 5);
        assert_eq!(home.open().usual_duration(), None);
    }

    #[test]
    fn only_successes_count_and_warnings_are_some() {
        let home = Home::new();
        for (outcome, wall_time) in [
            (Outcome::Ok, 10),
            (Outcome::Failed, 1),
            (Outcome::Warning, 20),
            (Outcome::TimedOut, 9_999),
            (Outcome::Stopped, 2),
            (Outcome::Suspect, 3),
            (Outcome::Ok, 12),
        ] {
            commit(&home, outcome, wall_time);
        }
        home.play_death();
        assert_eq!(home.open().usual_duration(), Some(seconds(12)));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let home = Home::new();
        (0..65).for_each(|_| commit(&home, Outcome::Ok, 1000));
        (0..63).for_each(|_| commit(&home, Outcome::Ok, 10));
        assert_eq!(home.open().usual_duration(), Some(seconds(10)));
        // Of sixty-four no more than thirty-one are as they were.
        (0..33).for_each(|_| commit(&home, Outcome::Ok, 20));
        assert_eq!(home.open().usual_duration(), Some(seconds(20)));
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let home = Home::new();
        commit(&home, Outcome::Ok, 10);
        append(&home, b"\n{\"v\":1,\"end\":{\"run\":\"01\n\n\xff\xfe\n");
        append(&home, b"{\"v\":2,\"end\":{\"outcome\":\"ok\",\"wall_us\":1}}\n");
        assert_eq!(home.open().usual_duration(), Some(seconds(10)));
    }

    #[test]
    fn more_is_read_where_the_end_tells_of_too_few_but_not_without_bound() {
        let home = Home::new();
        commit(&home, Outcome::Ok, 10);
        append(&home, &[b'x'; 200 * 1024]);
        assert_eq!(home.open().usual_duration(), Some(seconds(10)));
        append(&home, &[b'x'; 56 * 1024]);
        assert_eq!(home.open().usual_duration(), None);
    }
}
