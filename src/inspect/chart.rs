//! PURE. Durations as marks of one row: a bar, or a mark each.

use std::time::Duration;

use super::page::{Ink, Page};
use crate::journal::Lasted;
use crate::outcome::{Outcome, Weight};

/// Eighths of a mark's height, and what stands for them in ASCII.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const HEIGHTS_ASCII: [char; 8] = ['_', '.', ',', '-', '~', '=', '+', '#'];
/// Eighths of a mark's width.
const WIDTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// A run that failed, where its height cannot be red, or it has none.
const FAILURE: char = 'x';

/// What an outcome is drawn in.
pub fn ink(outcome: Outcome) -> Ink {
    match outcome {
        Outcome::Ok => Ink::Good,
        Outcome::Warning => Ink::Warning,
        Outcome::Stopped | Outcome::Skipped => Ink::Faint,
        Outcome::Failed
        | Outcome::Signaled
        | Outcome::TimedOut
        | Outcome::Suspect
        | Outcome::NotStarted
        | Outcome::Interrupted => Ink::Bad,
    }
}

/// A mark for each run, as high as it took long beside the longest of them. Where there are no colours a failure
/// is an `x`.
pub fn sparkline(marks: &[Lasted], page: Page) -> Vec<(char, Ink)> {
    let longest = marks.iter().filter_map(|mark| mark.wall_time).max().unwrap_or_default();
    let heights = if page.unicode { HEIGHTS } else { HEIGHTS_ASCII };
    let height = |took: Duration| {
        let eighths = (took.as_secs_f64() / longest.as_secs_f64().max(f64::MIN_POSITIVE) * 8.0).ceil();
        heights[(eighths.clamp(1.0, 8.0) as usize) - 1]
    };
    let drawn = marks.iter().map(|mark| {
        let failed = mark.outcome.weight() == Weight::Failure;
        let character = match mark.wall_time {
            Some(took) if page.colours || !failed => height(took),
            Some(_) | None if failed => FAILURE,
            Some(_) | None => heights[0],
        };
        (character, ink(mark.outcome))
    });
    drawn.collect()
}

/// A bar that is as long as `took` is beside `longest`, which takes all `columns`; never empty.
pub fn bar(took: Duration, longest: Duration, columns: usize, page: Page) -> String {
    let share = took.as_secs_f64() / longest.as_secs_f64().max(f64::MIN_POSITIVE);
    if !page.unicode {
        let marks = (share * columns as f64).round().clamp(1.0, columns.max(1) as f64) as usize;
        return "#".repeat(marks);
    }
    let eighths = (share * columns as f64 * 8.0).round().clamp(1.0, (columns * 8).max(1) as f64) as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.extend((eighths % 8).checked_sub(1).map(|rest| WIDTHS[rest]));
    bar
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::columns::width;

    const PAGE: Page = Page { columns: None, colours: false, unicode: true };
    const PAINTED: Page = Page { colours: true, ..PAGE };
    const ASCII: Page = Page { unicode: false, ..PAGE };

    fn mark(outcome: Outcome, millis: u64) -> Lasted {
        Lasted { outcome, wall_time: Some(Duration::from_millis(millis)) }
    }

    fn drawn(marks: &[Lasted], page: Page) -> String {
        sparkline(marks, page).into_iter().map(|(character, _)| character).collect()
    }

    #[test]
    fn marks_are_as_high_as_runs_took_long() {
        let marks = [1, 100, 200, 400, 800].map(|millis| mark(Outcome::Ok, millis));
        assert_eq!(drawn(&marks, PAGE), "▁▁▂▄█");
        assert_eq!(drawn(&marks, ASCII), "__.-#");
        assert_eq!(drawn(&[mark(Outcome::Ok, 0)], PAGE), "▁");
        assert_eq!(drawn(&[], PAGE), "");
    }

    #[test]
    fn a_failure_is_red_or_else_another_mark() {
        let marks = [mark(Outcome::Ok, 8), mark(Outcome::Failed, 4)];
        assert_eq!(sparkline(&marks, PAINTED), [('█', Ink::Good), ('▄', Ink::Bad)]);
        assert_eq!(drawn(&marks, PAGE), "█x");
        let died = Lasted { outcome: Outcome::Interrupted, wall_time: None };
        assert_eq!(sparkline(&[died], PAINTED), [('x', Ink::Bad)], "nobody knows how long it took");
        let skipped = Lasted { outcome: Outcome::Skipped, wall_time: None };
        assert_eq!(sparkline(&[skipped], PAGE), [('▁', Ink::Faint)]);
    }

    #[test]
    fn a_bar_has_eighths_where_it_can() {
        let seconds = Duration::from_secs;
        assert_eq!(bar(seconds(10), seconds(10), 4, PAGE), "████");
        assert_eq!(bar(seconds(5), seconds(10), 5, PAGE), "██▌");
        assert_eq!(bar(seconds(0), seconds(10), 5, PAGE), "▏");
        assert_eq!(bar(seconds(5), seconds(10), 5, ASCII), "###");
        assert_eq!(bar(seconds(0), seconds(0), 5, ASCII), "#");
    }

    proptest! {
        #[test]
        fn a_bar_is_never_longer_than_its_room(took in 0..100_u64, longest in 0..100_u64, columns in 1..60_usize) {
            let (took, longest) = (Duration::from_secs(took), Duration::from_secs(longest));
            for page in [PAGE, ASCII] {
                let columns_taken = width(&bar(took.min(longest), longest, columns, page));
                prop_assert!((1..=columns).contains(&columns_taken));
            }
        }
    }
}
