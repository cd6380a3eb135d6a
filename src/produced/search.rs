//! The newest file that a pattern names. It takes no more memory the more there are, and gives up in
//! time: a directory may hold millions.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::clock::Timestamp;
use crate::glob::Pattern;
use crate::os_error;

/// How many names of directories are looked at for one pattern.
pub(super) const NAMES_MAX: usize = 100_000;

/// What a pattern has led to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The regular file that was written last, links followed.
    pub(super) newest: Option<File>,
    /// Whether something else matched too: a directory, a device.
    pub(super) not_files: bool,
    /// Whether there were more names than may be looked at.
    pub(super) cut_short: bool,
    /// The first thing that could not be looked at, and why.
    pub(super) trouble: Option<String>,
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct File {
    /// When it was last written.
    pub(super) modified: Modified,
    /// Where it is, as far as the pattern says; of two that were written at once the last counts,
    /// since names often hold a date.
    pub(super) path: PathBuf,
    /// Its size.
    pub(super) bytes: u64,
}

/// A moment as file systems keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Modified {
    /// Since 1970.
    pub(super) seconds: i64,
    /// Of the second; 0 where the file system counts whole seconds.
    pub(super) nanos: i64,
}

impl Modified {
    /// To the millisecond, rounded down.
    pub(super) fn timestamp(self) -> Timestamp {
        Timestamp::from_millis(self.seconds.saturating_mul(1000).saturating_add(self.nanos / 1_000_000))
    }
}

/// Looks at the files that a pattern names and at most so many names of directories. A component without a
/// wildcard is not looked for, so its directory need not be readable.
pub(super) fn newest(pattern: &str, names_max: usize) -> Found {
    let start = if pattern.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    let components: Vec<_> = pattern.split('/').filter(|part| !part.is_empty()).map(Pattern::of).collect();
    let mut search = Search { names_left: names_max, found: Found::default() };
    search.below(start, &components);
    search.found
}

struct Search {
    names_left: usize,
    found: Found,
}

impl Search {
    fn below(&mut self, mut directory: PathBuf, components: &[Pattern]) {
        for (at, component) in components.iter().enumerate() {
            match component.name() {
                Some(name) => directory.push(name),
                None => return self.each(&directory, component, &components[at + 1..]),
            }
        }
        self.consider(directory);
    }

    fn each(&mut self, directory: &Path, component: &Pattern, behind: &[Pattern]) {
        let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let names = match fs::read_dir(here) {
            Ok(names) => names,
            Err(error) => return self.could_not_read(here, &error),
        };
        for entry in names {
            if self.names_left == 0 {
                self.found.cut_short = true;
                return;
            }
            self.names_left -= 1;
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.could_not_read(here, &error),
            };
            let name = entry.file_name();
            let leads_on = behind.is_empty() || entry.file_type().is_ok_and(|kind| !kind.is_file());
            if leads_on && component.fits_file(&name.to_string_lossy()) {
                self.below(directory.join(name), behind);
            }
        }
    }

    fn consider(&mut self, path: PathBuf) {
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => {
                let modified = Modified { seconds: found.mtime(), nanos: found.mtime_nsec() };
                let file = File { modified, path, bytes: found.len() };
                if self.found.newest.as_ref().is_none_or(|newest| *newest < file) {
                    self.found.newest = Some(file);
                }
            }
            Ok(_) => self.found.not_files = true,
            Err(error) => self.could_not_read(&path, &error),
        }
    }

    /// What is not there is no trouble; nor is a file where the pattern wants a directory.
    fn could_not_read(&mut self, path: &Path, error: &io::Error) {
        if ![io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) {
            let said = || format!("'{}' cannot be read ({})", path.display(), os_error::words_of(error));
            self.found.trouble.get_or_insert_with(said);
        }
    }
}
