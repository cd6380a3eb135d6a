//! Where state is kept. A place that cannot be found is no reason not to run the job, so it is data
//! and not an error; a place that was named badly is one.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::values::bad;
use super::{Host, files};
use crate::config::{Given, Level, Levels, Origin, Read, Surroundings};
use crate::settings::{Setting, UsageError};

/// Root's place.
const SYSTEM: &str = "/var/lib/cronward";
/// Where root may make a directory for a user without a home.
const USERS: &str = "/var/lib/cronward-users";

/// The directory: the one that was named, else the user's own; `Err` inside says why there is none.
///
/// # Errors
/// An empty name, or one in a variable that is not absolute: cron, a login and a CI runner start in
/// different directories, and the history would be in as many.
pub fn state_dir(
    given: Option<&Given>,
    surroundings: &Surroundings,
    host: &dyn Host,
) -> Result<Result<PathBuf, String>, UsageError> {
    let Some(given) = given else { return Ok(own_place(surroundings, host)) };
    let path = Path::new(&given.text);
    if given.text.is_empty() {
        return Err(bad("directory", given, "it is empty; write an absolute path"));
    }
    if path.is_absolute() {
        return Ok(Ok(path.to_owned()));
    }
    if given.origin.level != Level::Flag {
        return Err(bad("directory", given, "it is relative; write an absolute path"));
    }
    Ok(host.working_dir().map(|dir| dir.join(path)).ok_or_else(|| {
        let path = path.display();
        format!(
            "'{path}' is relative, and the working directory has no name; give --state-dir an absolute path"
        )
    }))
}

/// The directory for a subcommand: `options` as typed, `environment` the words as received. Of the
/// configuration files `[defaults]` counts, since no label is known.
///
/// # Errors
/// As for a run.
pub fn state_dir_to_read(
    options: Vec<(Setting, OsString)>,
    environment: Vec<OsString>,
    host: &dyn Host,
    read: &Read<'_>,
) -> Result<Result<PathBuf, String>, UsageError> {
    let (surroundings, variables) = Surroundings::scan(OsStr::new(""), environment);
    let given = |level| move |(setting, text)| Given { origin: Origin::at(setting, level), text };
    let places = [Setting::StateDir, Setting::Config, Setting::NoConfig];
    let variables =
        variables.into_iter().filter(|(setting, text)| places.contains(setting) && !text.is_empty());
    let typed = options.into_iter().map(given(Level::Flag));
    let mut levels = Levels::of(typed.chain(variables.map(given(Level::Variable))).collect());
    if levels.nearest(Setting::StateDir).is_none() {
        files::read_below(&mut levels, &surroundings, None, read)?;
        levels.sift(&|levels| state_dir(levels.nearest(Setting::StateDir), &surroundings, host).map(drop));
    }
    state_dir(levels.nearest(Setting::StateDir), &surroundings, host)
}

fn own_place(surroundings: &Surroundings, host: &dyn Host) -> Result<PathBuf, String> {
    let user = host.user();
    if user == 0 {
        return Ok(PathBuf::from(SYSTEM));
    }
    // XDG Base Directory Specification: a relative path is invalid and to be ignored.
    if let Some(state_home) = absolute(surroundings.state_home.as_deref()) {
        return Ok(state_home.join("cronward"));
    }
    let home = absolute(surroundings.home.as_deref()).map(Path::to_owned).or_else(|| host.home());
    if let Some(home) = home {
        let place = home.join(".local/state/cronward");
        // Users of daemons have homes that are not theirs (`/usr/sbin`, `/nonexistent`).
        if host.is_dir(&place) || host.may_write(&home) {
            return Ok(place);
        }
    }
    let place = Path::new(USERS).join(user.to_string());
    if host.is_dir(&place) {
        return Ok(place);
    }
    Err(format!(
        "user {user} has no home to keep state in, and '{}' does not exist; name a directory with --state-dir",
        place.display()
    ))
}

/// A path that does not depend on where a process stands.
pub(super) fn absolute(path: Option<&OsStr>) -> Option<&Path> {
    path.map(Path::new).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests;
