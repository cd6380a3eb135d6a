//! The configuration files: how one is opened, and how what it says is laid below the levels that are
//! nearer. What cannot be used is a problem of the file's and never one of the job's.

use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{self, geteuid};

use super::{Given, Level, Levels, Origin, Place, Problem, sections, toml};
use crate::os_error;
use crate::settings::Setting;

/// Larger files are none that a person has written.
const SIZE_MAX: usize = 1024 * 1024;

/// How a file is read: its bytes, `None` if it is not there, or in words why it cannot be used.
pub type Read<'a> = dyn Fn(&Path) -> Result<Option<Vec<u8>>, String> + 'a;

/// Reads a file of the host. One that is no regular file is not waited for, and root reads only what
/// nobody else can have written.
///
/// # Errors
/// In words.
pub fn read_file(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let unreadable = |error| format!("cannot be read: {}", os_error::words(error));
    let prudent = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = match open(path, prudent, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let found = fstat(&file).map_err(unreadable)?;
    if found.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
        return Err("not a regular file".to_owned());
    }
    if geteuid().is_root() {
        if found.st_uid != 0 {
            return Err(format!(
                "belongs to user {}, whom root does not trust; 'chown root' it",
                found.st_uid
            ));
        }
        if found.st_mode & (Mode::S_IWGRP | Mode::S_IWOTH).bits() != 0 {
            return Err("others can write it, whom root does not trust; 'chmod go-w' it".to_owned());
        }
    }
    // It may grow or shrink while it is read.
    let mut bytes = vec![0; SIZE_MAX.min(usize::try_from(found.st_size).unwrap_or(SIZE_MAX)) + 1];
    let mut filled = 0;
    while filled < bytes.len() {
        match unistd::read(&file, &mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => return Err(unreadable(error)),
        }
    }
    if filled > SIZE_MAX {
        return Err("larger than 1 MiB".to_owned());
    }
    bytes.truncate(filled);
    Ok(Some(bytes))
}

impl Levels {
    /// Lays what a file says below what is there. `label`: whose sections are in force besides
    /// `[defaults]`. `content` is what a reader gave, or in words why it gave nothing.
    pub fn lay_file(&mut self, path: &Path, content: Result<Vec<u8>, String>, label: Option<&str>) {
        let file: Rc<Path> = Rc::from(path);
        self.files.push(Rc::clone(&file));
        let bytes = match content {
            Ok(bytes) => bytes,
            Err(why) => return self.add_problem(Place { file, line: 0 }, why),
        };
        let read = match std::str::from_utf8(&bytes) {
            Ok(text) => toml::read(text),
            Err(error) => {
                let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
                Err(toml::Fault { line, what: "not UTF-8; save the file in that encoding".to_owned() })
            }
        };
        match read {
            Ok(document) => {
                let said = sections::read(&document, label);
                for section in said.sections {
                    let level = self.next_section();
                    for entry in section {
                        let place = Place { file: Rc::clone(&file), line: entry.line };
                        self.push_of_file(level, entry.setting, place, entry.text.into());
                    }
                }
                for (line, what) in said.problems {
                    self.add_problem(Place { file: Rc::clone(&file), line }, what);
                }
            }
            Err(fault) => {
                if let Some((line, dir)) = lone_state_dir(&bytes) {
                    let level = self.next_section();
                    let place = Place { file: Rc::clone(&file), line };
                    self.push_of_file(level, Setting::StateDir, place, dir.into());
                }
                self.add_problem(Place { file, line: fault.line }, fault.what);
            }
        }
    }

    /// Adds what files had given to the last run of the label, which is in force where the files that
    /// are in trouble say nothing else: a lock must not go because of a bracket that is missing.
    #[cfg_attr(not(test), expect(dead_code, reason = "no run asks yet for what the last one had"))]
    pub fn fall_back(&mut self, kept: impl IntoIterator<Item = (Setting, OsString)>) {
        let Some(place) = self.problems.first().map(|problem| problem.place.clone()) else { return };
        for (setting, text) in kept {
            self.push_of_file(Level::LastRun, setting, place.clone(), text);
        }
    }

    /// The level of a section behind all that are there.
    fn next_section(&mut self) -> Level {
        self.sections += 1;
        Level::Section(self.sections)
    }

    fn push_of_file(&mut self, level: Level, setting: Setting, place: Place, text: OsString) {
        self.given.push(Given { origin: Origin { setting, level, place: Some(place) }, text });
    }

    /// Adds a problem behind those that stand before it.
    pub(super) fn add_problem(&mut self, place: Place, what: String) {
        let number = |file: &Rc<Path>| self.files.iter().position(|other| Rc::ptr_eq(other, file));
        let order = |place: &Place| (number(&place.file), place.line);
        let at = self.problems.iter().take_while(|problem| order(&problem.place) <= order(&place)).count();
        self.problems.insert(at, Problem { place, what });
    }
}

/// The one value of `state-dir` that a file which is no TOML seems to have, and its line: without it what
/// the last run had in force could not be found.
fn lone_state_dir(bytes: &[u8]) -> Option<(usize, String)> {
    let mut lone: Option<(usize, String)> = None;
    for (at, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        // Each line by itself may be TOML all the same.
        let line = line.trim_ascii();
        let document = std::str::from_utf8(line).ok().filter(|line| line.starts_with("state-dir"));
        let Some(Ok(document)) = document.map(toml::read) else { continue };
        let [_, toml::Node { key, value: toml::Value::Text(value), .. }] = document.nodes() else { continue };
        match &lone {
            _ if key != "state-dir" => {}
            Some((_, other)) if other != value => return None,
            Some(_) => {}
            None => lone = Some((at + 1, value.clone())),
        }
    }
    lone
}

#[cfg(test)]
mod tests;
