//! `cronward doctor`.

use std::ffi::OsString;

use crate::clock::Timestamp;
use crate::outcome::Exit;
use crate::settings::{Setting, UsageError};

/// Examines everything that runs need.
///
/// # Errors
/// TODO(doctor)
pub fn doctor(
    _options: Vec<(Setting, OsString)>,
    _environment: Vec<OsString>,
    _json: bool,
    _now: Timestamp,
) -> Result<Exit, UsageError> {
    Err(UsageError::new("'doctor' is not built yet".to_owned()))
}
