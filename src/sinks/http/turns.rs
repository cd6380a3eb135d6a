//! Several notices, one after the other, within one deadline.

use std::time::Duration;

use crate::clock::Deadline;
use crate::notice::Notice;
use crate::sinks::Topic;

/// Longest time for the news of a start: the end of a short run waits until its start has been told.
const START_LIMIT: Duration = Duration::from_secs(2);

/// Tells each notice in a request of its own. Every one has a share of the time, so that one which cannot be
/// told leaves the others theirs.
///
/// # Errors
/// That of the first notice that could not be told; the others are told all the same.
pub fn tell_each(
    notices: &[Notice],
    deadline: Deadline,
    tell: &mut dyn FnMut(&Notice, Deadline) -> Result<(), String>,
) -> Result<(), String> {
    let mut outcome = Ok(());
    for (told, notice) in notices.iter().enumerate() {
        let share = deadline.left() / u32::try_from(notices.len() - told).unwrap_or(u32::MAX);
        let limit = match Topic::of(&notice.news) {
            Topic::Start => share.min(START_LIMIT),
            Topic::End | Topic::Overdue | Topic::Alert | Topic::Standing | Topic::Alive => share,
        };
        outcome = outcome.and(tell(notice, Deadline::after(limit)));
    }
    outcome
}
