//! PURE. The status line in words, for as many columns as there are.

use std::time::Duration;

use crate::columns::{cut, width};
use crate::human;

/// What stands between the label and the rest.
const GAP: &str = "  ";
/// A label that does not fit is cut to no less than this, in columns; without that room it is left out.
const LABEL_MIN: usize = 5;
/// What stands for the end of a label that was cut.
const CUT: &str = "..";
/// The bar's cells, fewest and most. In ASCII, as everything here but the label: a terminal need not be
/// set to UTF-8.
const CELLS_MIN: usize = 10;
const CELLS_MAX: usize = 40;
/// From this on an estimate is told in whole minutes.
const ROUNDED: Duration = Duration::from_secs(300);

/// How much of the usual duration has passed, in percent. `None` where nothing can be said: there is no
/// usual duration, or it is over.
pub(super) fn percent(elapsed: Duration, usual: Option<Duration>) -> Option<u8> {
    let usual = usual.filter(|&usual| over(elapsed, usual).is_none())?;
    let percent = (elapsed.as_millis() * 100).checked_div(usual.as_millis()).unwrap_or(100);
    Some(percent.min(100) as u8)
}

/// By how much the usual duration is exceeded, if by a second at least.
fn over(elapsed: Duration, usual: Duration) -> Option<Duration> {
    elapsed.checked_sub(usual).filter(|over| over.as_secs() > 0)
}

/// The status line, at most `columns` wide; with fewer columns it says less. `label` is [`crate::columns::plain`].
pub(super) fn line(label: &str, elapsed: Duration, usual: Option<Duration>, columns: u16) -> String {
    let columns = usize::from(columns);
    let all = facts(elapsed, usual);
    let label_min = width(label).clamp(1, LABEL_MIN);
    let with_label = all.iter().find_map(|facts| {
        let room = columns.checked_sub(width(facts) + GAP.len())?;
        (room >= label_min && !label.is_empty()).then(|| cut(label, room, CUT).into_owned() + GAP + facts)
    });
    let without = || all.iter().find(|facts| width(facts) <= columns).cloned();
    let mut text = with_label.or_else(without).unwrap_or_default();
    if let Some(percent) = percent(elapsed, usual).filter(|_| text.ends_with(&all[0])) {
        let cells = columns.saturating_sub(width(&text) + GAP.len() + "[]".len()).min(CELLS_MAX);
        if cells >= CELLS_MIN {
            let full = cells * usize::from(percent) / 100;
            text.push_str(GAP);
            text.push('[');
            text.push_str(&"#".repeat(full));
            text.push_str(&"-".repeat(cells - full));
            text.push(']');
        }
    }
    text
}

/// What is to be said, from all of it to the least.
fn facts(elapsed: Duration, usual: Option<Duration>) -> [String; 3] {
    let clock = clock(elapsed);
    let (full, brief) = match (usual, percent(elapsed, usual)) {
        (Some(usual), Some(percent)) => {
            (format!("{clock} of about {}, {percent}%", about(usual)), format!("{clock}, {percent}%"))
        }
        (Some(usual), None) => {
            let over = about(elapsed.saturating_sub(usual));
            (format!("{clock}, {over} longer than usual"), format!("{clock}, +{over}"))
        }
        (None, _) => (clock.clone(), clock.clone()),
    };
    [full, brief, clock]
}

/// A span that is counted while one looks: whole seconds.
fn clock(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        seconds @ 0..=59 => format!("{seconds}s"),
        seconds => human::span(Duration::from_secs(seconds)),
    }
}

/// A span that is only an estimate.
fn about(span: Duration) -> String {
    if span < ROUNDED {
        return clock(span);
    }
    match (span.as_secs() + 30) / 60 {
        minutes @ 0..=59 => format!("{minutes}m"),
        minutes => human::span(Duration::from_secs(minutes * 60)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::columns::plain;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_line_says_how_long_it_has_been_and_what_is_usual() {
        let half_an_hour = Some(seconds(31 * 60 + 12));
        for (elapsed, usual, shown) in [
            (0, None, "pg-backup  0s"),
            (59, None, "pg-backup  59s"),
            (723, None, "pg-backup  12m 03s"),
            (7_500, None, "pg-backup  2h 05m"),
            (0, half_an_hour, "pg-backup  0s of about 31m, 0%"),
            (723, half_an_hour, "pg-backup  12m 03s of about 31m, 38%"),
            (1_872, half_an_hour, "pg-backup  31m 12s of about 31m, 100%"),
            (1_873, half_an_hour, "pg-backup  31m 13s, 1s longer than usual"),
            (2_352, half_an_hour, "pg-backup  39m 12s, 8m longer than usual"),
            (10, Some(seconds(40)), "pg-backup  10s of about 40s, 25%"),
            (10, Some(seconds(100)), "pg-backup  10s of about 1m 40s, 10%"),
            (10, Some(seconds(3_590)), "pg-backup  10s of about 1h 00m, 0%"),
            (3, Some(Duration::ZERO), "pg-backup  3s, 3s longer than usual"),
            (0, Some(Duration::ZERO), "pg-backup  0s of about 0s, 100%"),
        ] {
            // One column too few for a bar.
            let columns = shown.len() + GAP.len() + "[]".len() + CELLS_MIN - 1;
            assert_eq!(line("pg-backup", seconds(elapsed), usual, columns as u16), shown);
        }
    }

    #[test]
    fn a_bar_takes_what_room_is_left_of_the_line() {
        let bar = |elapsed, columns| line("a", seconds(elapsed), Some(seconds(100)), columns);
        assert_eq!(bar(30, 41), "a  30s of about 1m 40s, 30%  [###-------]");
        assert_eq!(bar(30, 40), "a  30s of about 1m 40s, 30%");
        assert_eq!(bar(0, 40), "a  0s of about 1m 40s, 0%  [-----------]");
        assert_eq!(bar(100, 60), format!("a  1m 40s of about 1m 40s, 100%  [{}]", "#".repeat(25)));
        let widest = format!("a  50s of about 1m 40s, 50%  [{}{}]", "#".repeat(20), "-".repeat(20));
        assert_eq!(bar(50, 500), widest);
        assert_eq!(bar(200, 500), "a  3m 20s, 1m 40s longer than usual");
    }

    #[test]
    fn with_fewer_columns_it_says_less() {
        for (columns, shown) in [
            (36, "pg-backup  12m 03s of about 31m, 39%"),
            (35, "pg-bac..  12m 03s of about 31m, 39%"),
            (32, "pg-..  12m 03s of about 31m, 39%"),
            (31, "pg-backup  12m 03s, 39%"),
            (19, "pg-..  12m 03s, 39%"),
            (18, "pg-backup  12m 03s"),
            (14, "pg-..  12m 03s"),
            (13, "12m 03s, 39%"),
            (11, "12m 03s"),
            (6, ""),
            (0, ""),
        ] {
            assert_eq!(line("pg-backup", seconds(723), Some(seconds(1_850)), columns), shown);
        }
    }

    #[test]
    fn a_label_that_is_nothing_but_controls_is_left_out() {
        assert_eq!(line(&plain("\u{1b}\u{7}"), seconds(3), None, 80), "3s");
    }

    proptest! {
        #[test]
        fn a_line_is_never_wider_than_the_terminal_and_has_no_control_character_in_it(
            label in any::<String>(),
            elapsed in 0..10_000_000_u64,
            usual in proptest::option::of(0..10_000_000_u64),
            columns in 0..200_u16,
        ) {
            let line = line(&plain(&label), seconds(elapsed), usual.map(seconds), columns);
            prop_assert!(width(&line) <= usize::from(columns), "{line}");
            prop_assert!(!line.contains(char::is_control), "{line:?}");
        }

        #[test]
        fn percent_grows_with_time_until_nothing_more_is_known(usual in 1..100_000_u64, at in 0..200_000_u64) {
            let known = |elapsed| percent(seconds(elapsed), Some(seconds(usual)));
            match (known(at), known(at + 1)) {
                (Some(now), Some(then)) => prop_assert!(now <= then && then <= 100),
                (Some(now), None) => prop_assert_eq!(now, 100),
                (None, later) => prop_assert!(at > usual && later.is_none()),
            }
        }
    }
}
