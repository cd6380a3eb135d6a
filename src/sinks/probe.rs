//! Whether a sink could be told something, found out without telling it anything: names are looked up, connections
//! made and given up, rights asked for. Nobody is woken by it, and nothing is counted or kept anywhere.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use crate::os_error;

/// What has been found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// How far the way to the receiver leads; or why it leads nowhere.
    pub way: Result<String, Complaint>,
    /// What should be otherwise, though notices may well arrive.
    pub concerns: Vec<Complaint>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What, in words and without the sink's name: `connection refused`.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Complaint {
    /// Something that is wrong, and what to do about it.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl From<Result<String, Complaint>> for Probe {
    fn from(way: Result<String, Complaint>) -> Self {
        Self { way, concerns: Vec::new() }
    }
}

impl Probe {
    /// It could be told, as far as these words say.
    #[cfg(test)]
    pub fn reached(how: &str) -> Self {
        Ok(how.to_owned()).into()
    }

    /// With these concerns besides.
    #[cfg(feature = "http")]
    pub fn with(mut self, concerns: Vec<Complaint>) -> Self {
        self.concerns.extend(concerns);
        self
    }
}

/// Whether lines can be appended to a file, which is made where it is missing. It is not opened: the reader of a
/// FIFO would see its end.
///
/// # Errors
/// Why not.
pub fn may_append(path: &Path) -> Result<String, Complaint> {
    let Ok(found) = fs::metadata(path) else {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        may_write_in(parent)?;
        return Ok("it will be made there".to_owned());
    };
    if found.is_dir() {
        return Err(Complaint::new("it is a directory", "name a file in it"));
    }
    if found.file_type().is_socket() {
        return Err(Complaint::new("it is a socket", "name a file"));
    }
    match access(path, AccessFlags::W_OK) {
        Ok(()) => Ok("it can be written".to_owned()),
        Err(error) => Err(Complaint::new(
            format!("it cannot be written: {}", os_error::words(error)),
            format!("let this user write '{}', or name another file", path.display()),
        )),
    }
}

/// Whether files can be made in a directory.
///
/// # Errors
/// Why not.
pub fn may_write_in(dir: &Path) -> Result<(), Complaint> {
    let shown = dir.display();
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => {
            return Err(Complaint::new(format!("'{shown}' is no directory"), "name one"));
        }
        Ok(_) => {}
        Err(error) => {
            let what = format!("'{shown}': {}", os_error::words_of(&error));
            return Err(Complaint::new(what, format!("make it: mkdir -p '{shown}'")));
        }
    }
    access(dir, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|error| {
        let what = format!("nothing can be written in '{shown}': {}", os_error::words(error));
        Complaint::new(what, "let this user write there, or name another directory")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_missing_its_directory_may_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(may_append(&path.join("new")), Ok("it will be made there".to_owned()));
        fs::write(path.join("old"), "").unwrap();
        assert_eq!(may_append(&path.join("old")), Ok("it can be written".to_owned()));
        assert_eq!(may_append(path).unwrap_err().what, "it is a directory");
        let lost = may_append(&path.join("none/new")).unwrap_err();
        assert!(lost.what.ends_with("/none': no such file or directory"), "{lost:?}");
        assert!(lost.hint.starts_with("make it: mkdir -p '"), "{lost:?}");
        let inside = may_append(&path.join("old/new")).unwrap_err();
        assert!(inside.what.ends_with("/old' is no directory"), "{inside:?}");
    }
}
