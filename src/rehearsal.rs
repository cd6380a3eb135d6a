//! What tests cannot bring about from outside: a panic on demand, so that they can see what becomes of the command
//! then, and files of a system that is not the machine's. Not in a release.

use std::path::PathBuf;

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

/// The root of the file system in which files of the system are looked for, so that tests can have a host of their own.
#[cfg(debug_assertions)]
pub fn root() -> PathBuf {
    std::env::var_os("_CRONWARD_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// That of this host.
#[cfg(not(debug_assertions))]
pub fn root() -> PathBuf {
    PathBuf::from("/")
}
