//! Where notices go. One trait, one table of kinds, one file a kind. Nothing here can change how
//! cronward exits, delay the start of a job, or outlast the deadline that it is given.

use crate::clock::Deadline;
use crate::notice::Notice;

/// Whether telling a sink can make the caller wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Never waits: a datagram to a known address, a line to a regular file.
    Prompt,
    /// May wait, until the deadline; told on a thread of its own.
    Waiting,
}

/// One place that notices go to.
pub trait Sink: Send + Sync {
    /// How it is called in messages, without secrets: `dogstatsd:127.0.0.1:8125`.
    fn name(&self) -> &str;
    /// Whether telling it can wait.
    fn pace(&self) -> Pace;
    /// Whether a delivery without error means that somebody has taken charge of an alert.
    fn confirms(&self) -> bool;
    /// Whether it is told last, with what the others answered: a log on this host.
    fn hears_the_others(&self) -> bool;
    /// Whether it takes this notice at all.
    fn wants(&self, notice: &Notice) -> bool;
    /// Resolves names and the like, while the job runs. May wait for long; on a helper thread.
    fn prepare(&self);
    /// What would be sent, for `--dry-run`: one entry a datagram, line or request.
    fn preview(&self, notices: &[Notice]) -> Vec<String>;
    /// Tells it these notices, all of which it wants, within the deadline.
    ///
    /// # Errors
    /// In words, without the sink's name: `refused`, `timed out`, `exit status 1: no route`.
    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String>;
}
