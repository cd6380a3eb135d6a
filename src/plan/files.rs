//! Which configuration files are in force, and what of them counts: nothing that they say can keep a
//! job from running.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::lists;
use super::resolve::{self, decide};
use super::state_dir::absolute;
use super::values::{self, bad};
use super::{Host, SinkWord, Variables};
use crate::config::{Configured, Level, Levels, Read, Surroundings};
use crate::job::{CommandLine, Label};
use crate::settings::{Setting, UsageError};

/// The file of the host.
const SYSTEM: &str = "/etc/cronward.toml";
/// The user's file, below the directory of configuration.
const OF_USER: &str = "cronward.toml";

/// Why a sink cannot be used, in a line; `None` if it can. It is given the variables that sinks read and
/// the environment of a program that a sink runs.
pub type SinkRefusal<'a> = dyn Fn(&SinkWord, &Variables, &[OsString]) -> Option<String> + 'a;

/// Reads the files that are in force for a run, and lays them below what was typed and set.
///
/// # Errors
/// A name of a file, or a switch, that means nothing; never what a file says.
pub fn read_files(configured: &mut Configured, read: &Read<'_>) -> Result<(), UsageError> {
    let Configured { command, surroundings, levels, .. } = configured;
    read_below(levels, surroundings, Some(command), read)
}

/// The same for whoever may have no command, and so no sections but `[defaults]`.
pub(super) fn read_below(
    levels: &mut Levels,
    surroundings: &Surroundings,
    command: Option<&CommandLine>,
    read: &Read<'_>,
) -> Result<(), UsageError> {
    let lay = |levels: &mut Levels, path: &Path, absent| {
        let Some(content) = read(path).transpose().or(absent) else { return Ok(()) };
        let label = command.map(|command| resolve::label(command, levels)).transpose()?;
        levels.lay_file(path, content, label.as_ref().map(Label::as_str));
        Ok(())
    };
    if let Some(path) = named(levels)? {
        // Whoever names a file wants what it says.
        return lay(levels, &path, Some(Err("cannot be read: no such file or directory".to_owned())));
    }
    if is_unwanted(levels)? {
        return Ok(());
    }
    // XDG Base Directory Specification: a relative path is invalid and to be ignored.
    let config_home = absolute(surroundings.config_home.as_deref()).map(Path::to_owned);
    let home = || absolute(surroundings.home.as_deref()).map(|home| home.join(".config"));
    if let Some(directory) = config_home.or_else(home) {
        lay(levels, &directory.join(OF_USER), None)?;
    }
    lay(levels, Path::new(SYSTEM), None)
}

/// The one file that is named in place of the usual ones.
fn named(levels: &Levels) -> Result<Option<PathBuf>, UsageError> {
    let Some(given) = levels.nearest(Setting::Config) else { return Ok(None) };
    let is_nearer = given.origin.level < levels.origin(Setting::NoConfig).level;
    if !is_nearer && is_unwanted(levels)? {
        return Ok(None);
    }
    if given.text.is_empty() {
        return Err(bad("file", given, "it is empty; write a path"));
    }
    if !Path::new(&given.text).is_absolute() && given.origin.level != Level::Flag {
        return Err(bad("file", given, "it is relative; write an absolute path"));
    }
    Ok(Some(PathBuf::from(&given.text)))
}

fn is_unwanted(levels: &Levels) -> Result<bool, UsageError> {
    Ok(values::read(levels, Setting::NoConfig, "switch", values::switch)?.unwrap_or(false))
}

/// Leaves out and reports what files say that means nothing, and what does not count for this run, so
/// that what is left can be kept for the next one.
pub fn sift(configured: &mut Configured, refusal: &SinkRefusal<'_>) {
    let Configured { surroundings, levels, .. } = configured;
    if !levels.given().last().is_some_and(|farthest| farthest.origin.level.is_of_files()) {
        return;
    }
    let variables = Variables(std::mem::take(&mut surroundings.variables));
    levels.sift(&|levels| {
        // The plan of a run like this one is made of them. What is run and where is no matter of theirs.
        decide(CommandLine::Words(Vec::new()), Surroundings::default(), levels, &Anywhere)?;
        let of_files = levels.all(Setting::Sink).filter(|given| given.origin.level.is_of_files());
        for word in of_files.filter_map(|given| lists::sink_word(given, given.origin.name()).ok()) {
            if let Some(why) = refusal(&word, &variables, &surroundings.for_job) {
                return Err(UsageError::new(why));
            }
        }
        Ok(())
    });
    surroundings.variables = variables.0;
    levels.replace(lists::only_what_counts);
}

/// A host of which nothing has to be asked.
struct Anywhere;

impl Host for Anywhere {
    fn name(&self) -> String {
        String::new()
    }
    fn user(&self) -> u32 {
        0
    }
    fn home(&self) -> Option<PathBuf> {
        None
    }
    fn is_dir(&self, _: &Path) -> bool {
        false
    }
    fn may_write(&self, _: &Path) -> bool {
        false
    }
    fn working_dir(&self) -> Option<PathBuf> {
        None
    }
}

#[cfg(test)]
mod tests;
