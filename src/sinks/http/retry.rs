//! PURE. What to do with an answer, and how long to wait before the next attempt.

use std::time::Duration;

/// Pause before the second attempt; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause that nobody has asked for.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What a status asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is the answer, good or bad.
    Keep,
    /// The receiver cannot at present; it may later.
    TryAgain,
    /// The receiver is somewhere else.
    GoElsewhere,
}

/// What to do with an answer of this status. Only 429 and 5xx say that the same request may be
/// answered otherwise later (RFC 9110 section 15.6, RFC 6585 section 4); a redirect is one if it says
/// where to.
pub fn next(status: u16, says_where: bool) -> Next {
    match status {
        300..=399 if says_where => Next::GoElsewhere,
        429 | 500..=599 => Next::TryAgain,
        _ => Next::Keep,
    }
}

/// How long to wait after so many failures, at least one: the doubling pause, or longer if the receiver
/// has asked for that (`Retry-After`) and it leaves time for an attempt. `None`: there is no time for
/// another attempt.
pub fn pause(failures: u32, asked: Option<Duration>, left: Duration) -> Option<Duration> {
    let doublings = failures.saturating_sub(1).min(16);
    let own = FIRST_PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX);
    let pause = asked.filter(|&asked| asked < left).map_or(own, |asked| asked.max(own));
    Some(pause).filter(|&pause| pause < left)
}

/// The value of `Retry-After` in seconds; the other form, a date, needs the receiver's clock to agree with
/// ours, and is not read.
pub fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn only_429_and_5xx_are_tried_again_and_only_a_redirect_that_says_where_is_one() {
        for (statuses, says_where, expected) in [
            (&[200, 201, 204, 299][..], true, Next::Keep),
            (&[301, 302, 303, 307, 308], true, Next::GoElsewhere),
            (&[300, 301, 304], false, Next::Keep),
            (&[400, 401, 403, 404, 408, 409, 410, 428, 430, 451], false, Next::Keep),
            (&[429, 500, 501, 502, 503, 504, 599], true, Next::TryAgain),
            (&[100, 600, 999], false, Next::Keep),
        ] {
            for &status in statuses {
                assert_eq!(next(status, says_where), expected, "{status}");
            }
        }
    }

    #[test]
    fn pauses_double_up_to_a_cap_and_give_way_to_what_was_asked_for() {
        for (failures, asked, left, expected) in [
            (1, None, ms(5000), Some(ms(100))),
            (2, None, ms(5000), Some(ms(200))),
            (5, None, ms(5000), Some(ms(1600))),
            (6, None, ms(5000), Some(ms(2000))),
            (u32::MAX, None, ms(5000), Some(ms(2000))),
            (1, Some(ms(3000)), ms(5000), Some(ms(3000))),
            // Once more at once would be once more for nothing, a thousand times.
            (1, Some(ms(0)), ms(5000), Some(ms(100))),
            (1, Some(ms(60_000)), ms(5000), Some(ms(100))),
            (1, Some(ms(5000)), ms(5000), Some(ms(100))),
            (1, None, ms(100), None),
            (1, Some(ms(60_000)), ms(100), None),
            (1, None, ms(0), None),
            (1, Some(ms(0)), ms(0), None),
        ] {
            assert_eq!(pause(failures, asked, left), expected, "{failures} {asked:?} {left:?}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        assert_eq!(retry_after("2"), Some(ms(2000)));
        assert_eq!(retry_after(" 120 "), Some(ms(120_000)));
        for bad in ["", "-1", "1.5", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(retry_after(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_pause_reaches_the_deadline(failures: u32, asked: Option<u64>, left in 0..10_000_u64) {
            if let Some(pause) = pause(failures, asked.map(Duration::from_secs), ms(left)) {
                prop_assert!(pause < ms(left));
            }
        }
    }
}
