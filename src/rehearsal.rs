//! A panic on demand, so that tests can see what becomes of the command then. Not in a release.

/// Panics if the environment names this place.
#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "what a defect would do")]
pub fn of_a_panic(place: &str) {
    if std::env::var_os("_CRONWARD_PANICS_AT").is_some_and(|named| named == place) {
        panic!("rehearsed at '{place}'");
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub fn of_a_panic(_: &str) {}
