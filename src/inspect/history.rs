//! `cronward history`: the runs of one job.

use std::ffi::OsStr;

use crate::attend::Attendant;
use crate::clock::Timestamp;
use crate::settings::UsageError;

/// What is asked for.
pub struct HistoryRequest {}

impl HistoryRequest {
    /// From the words of a command line.
    ///
    /// # Errors
    /// A time that means nothing.
    pub fn of(
        _label: &str,
        _failed: bool,
        _since: Option<&OsStr>,
        _json: bool,
        _now: Timestamp,
    ) -> Result<Self, UsageError> {
        Ok(Self {})
    }
}

/// The runs of a job.
///
/// # Errors
/// TODO(history)
pub fn history(
    _request: &HistoryRequest,
    _attendant: &Attendant<'_>,
    _now: Timestamp,
) -> Result<String, String> {
    Err("'history' is not built yet".to_owned())
}
