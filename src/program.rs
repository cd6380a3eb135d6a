//! The file that a command executes, and the script that it gives to an interpreter: where they are,
//! when they were last modified and how large they are. A job that fails since a deploy says so by these.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::job::CommandLine;

/// So many words behind an interpreter are looked at for its script.
const WORDS_MAX: usize = 16;

/// The files that a command is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The executable first, then the script, if it is an interpreter.
    pub files: Vec<ProgramFile>,
}

/// One of them, as it was at some moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFile {
    /// Its path as the command finds it.
    pub path: PathBuf,
    /// Last modification, in milliseconds since 1970.
    pub modified: i64,
    /// In bytes.
    pub size: u64,
    /// Last change of contents or attributes, in milliseconds since 1970.
    #[serde(skip)]
    pub changed: i64,
}

/// Something that is not as it was, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// For this host.
    pub full: String,
    /// Without arguments and whatever else may be nobody else's business.
    pub brief: String,
}

impl Program {
    /// What a command would execute now, searched as execvp(3) does; `None` if it is not found. Of a
    /// line for the shell the first word, if that is plainly a program.
    pub fn of(command: &CommandLine, search_path: Option<&OsStr>) -> Option<Self> {
        let executable = ProgramFile::found(command.first_word(), search_path)?;
        let mut files = vec![executable];
        if let CommandLine::Words(words) = command {
            // A script that is executed itself is the executable; of a binary, the first word that is a
            // file with `#!`, or that is named like a script.
            let arguments = words.iter().skip(1).take(WORDS_MAX).map(|word| word.as_os_str());
            files.extend(arguments.filter(|word| is_script(word)).find_map(ProgramFile::at));
        }
        Some(Self { files })
    }
}

impl ProgramFile {
    fn found(word: &OsStr, search_path: Option<&OsStr>) -> Option<Self> {
        if word.as_bytes().contains(&b'/') {
            return Self::at(word);
        }
        let places = search_path?.as_bytes().split(|&byte| byte == b':');
        // An empty place is the working directory (execvp(3)).
        places.map(|place| Path::new(OsStr::from_bytes(place)).join(word)).find_map(|path| {
            let executable = path.metadata().ok().filter(|found| found.mode() & 0o111 != 0)?;
            Self::of(&path, &executable)
        })
    }

    fn at(path: &OsStr) -> Option<Self> {
        Self::of(Path::new(path), &Path::new(path).metadata().ok()?)
    }

    fn of(path: &Path, found: &Metadata) -> Option<Self> {
        let millis =
            |seconds: i64, nanos: i64| seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000);
        found.is_file().then(|| Self {
            path: path.to_owned(),
            modified: millis(found.mtime(), found.mtime_nsec()),
            size: found.len(),
            changed: millis(found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Whether a word names a file that an interpreter would read: by its ending, or by how it begins.
fn is_script(word: &OsStr) -> bool {
    let path = Path::new(word);
    if word.as_bytes().starts_with(b"-") || !path.is_file() {
        return false;
    }
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    if ["sh", "bash", "py", "pl", "rb", "js", "php", "lua", "tcl", "awk", "sql"].contains(&ending) {
        return true;
    }
    let mut beginning = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut beginning)).is_ok() && beginning == *b"#!"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn words(words: &[&str]) -> CommandLine {
        CommandLine::Words(words.iter().map(OsString::from).collect())
    }

    fn names(program: Option<Program>) -> Vec<String> {
        let files = program.map(|program| program.files).unwrap_or_default();
        files.iter().map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn an_executable_is_found_as_execvp_finds_it_and_an_interpreters_script_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let script = file("dump", "#!/bin/sh\n", 0o644);
        let data = file("data", "x", 0o644);
        let named = file("job.py", "pass", 0o644);
        let program = file("tool", "", 0o755);
        let path = OsString::from(format!("/nonexistent:{}", dir.path().display()));
        for (command, expected) in [
            (words(&["tool"]), vec!["tool"]),
            (words(&["tool", "-x", &data, &script]), vec!["tool", "dump"]),
            (words(&[&program, &named, &script]), vec!["tool", "job.py"]),
            (words(&["data"]), vec![]),
            (words(&["missing"]), vec![]),
            (CommandLine::Shell("tool | x".into()), vec!["tool"]),
        ] {
            assert_eq!(names(Program::of(&command, Some(&path))), expected, "{command:?}");
        }
    }
}
