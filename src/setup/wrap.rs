//! `cronward wrap`: a crontab with each of its commands wrapped.

use std::ffi::{OsStr, OsString};

use crate::outcome::Exit;
use crate::settings::UsageError;

/// Prints a crontab with its commands wrapped.
///
/// # Errors
/// TODO(wrap)
pub fn wrap(
    _file: Option<&OsStr>,
    _diff: bool,
    _system: bool,
    _environment: &[OsString],
) -> Result<Exit, UsageError> {
    Err(UsageError::new("'wrap' is not built yet".to_owned()))
}
