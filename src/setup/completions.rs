//! `cronward completions`: what a shell completes command lines by.

use std::ffi::OsStr;

use crate::settings::UsageError;

/// A script for the shell of this name.
///
/// # Errors
/// TODO(completions)
pub fn completions(_shell: &OsStr) -> Result<String, UsageError> {
    Err(UsageError::new("'completions' is not built yet".to_owned()))
}
