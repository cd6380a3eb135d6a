//! What stands in for the kinds that need HTTP in a binary that was built without it.

use std::sync::Arc;

use super::{Opening, Sink};

/// No sink.
///
/// # Errors
/// Always.
pub fn open(_: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    Err("this cronward was built without HTTP".to_owned())
}
