//! Why a command could not be started, in words that a person can act on. Only looked into once it
//! has failed, so the ordinary start costs nothing for it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;

use crate::os_error;
use crate::outcome::{StartFailure, status};
use crate::sys::process::{DEFAULT_SEARCH_PATH, StartError};

/// The exit status (POSIX, XCU 2.8.2) and the reason.
pub fn explain(error: StartError, argv: &[OsString], search_path: Option<&OsStr>) -> StartFailure {
    let program = argv.first().map_or(OsStr::new(""), OsString::as_os_str);
    let name = program.to_string_lossy();
    match error {
        StartError::NoProcess(error) => StartFailure {
            exit_status: status::CANNOT_RUN,
            reason: format!(
                "cannot start a process for '{name}': {}; look at the limits of this user and the memory of this host",
                os_error::words(Errno::from_raw(error))
            ),
        },
        StartError::NoProgram(error @ (libc::ENOENT | libc::ENOTDIR)) => {
            StartFailure { exit_status: status::NOT_FOUND, reason: not_found(program, search_path, error) }
        }
        StartError::NoProgram(error) => StartFailure {
            exit_status: status::NOT_EXECUTABLE,
            reason: format!("cannot execute '{name}': {}", not_executable(program, error)),
        },
    }
}

fn not_found(program: &OsStr, search_path: Option<&OsStr>, error: i32) -> String {
    let name = program.to_string_lossy();
    if let Some(script) = found(program, search_path) {
        let script = script.display().to_string();
        return match interpreter(Path::new(&script)) {
            Some(interpreter) => {
                format!("not found: the interpreter '{interpreter}' of '{script}'; correct its first line")
            }
            None => format!("not found: the loader of '{script}'; is it built for this system?"),
        };
    }
    if program.is_empty() {
        return "not found: the command is an empty word".to_owned();
    }
    if program.as_bytes().contains(&b'/') {
        return format!("not found: '{name}': {}", os_error::words(Errno::from_raw(error)));
    }
    match search_path {
        // What cron gives its jobs, to the surprise of most (crontab(5)).
        Some(path) if path == "/usr/bin:/bin" => {
            format!("not found: '{name}' is not in PATH (/usr/bin:/bin, as under cron); write its whole path")
        }
        Some(path) => format!("not found: '{name}' is not in PATH ({})", path.to_string_lossy()),
        None => format!("not found: '{name}' is not in {DEFAULT_SEARCH_PATH}, and PATH is not set"),
    }
}

/// The file that a name stands for, if there is one.
fn found(program: &OsStr, search_path: Option<&OsStr>) -> Option<PathBuf> {
    if program.is_empty() {
        return None;
    }
    let path = search_path.unwrap_or(OsStr::new(DEFAULT_SEARCH_PATH));
    let candidates: Vec<PathBuf> = if program.as_bytes().contains(&b'/') {
        vec![PathBuf::from(program)]
    } else {
        path.as_bytes()
            .split(|&byte| byte == b':')
            .map(|place| Path::new(OsStr::from_bytes(place)).join(program))
            .collect()
    };
    candidates.into_iter().find(|candidate| candidate.is_file())
}

/// What the first line of a script names.
fn interpreter(script: &Path) -> Option<String> {
    let mut start = Vec::new();
    fs::File::open(script).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    // A carriage return at its end is part of the name, and the usual reason why it is not found.
    let name = line.trim_matches([' ', '\t']).split([' ', '\t']).next()?.replace('\r', "\\r");
    Some(name)
}

fn not_executable(program: &OsStr, error: i32) -> String {
    match error {
        libc::EACCES if Path::new(program).is_dir() => "it is a directory".to_owned(),
        libc::EACCES => {
            "permission denied; is it executable (chmod +x), and its filesystem not mounted noexec?"
                .to_owned()
        }
        libc::E2BIG => "its arguments and environment are longer than the kernel allows".to_owned(),
        libc::ETXTBSY => "it is being written to; is a deployment under way?".to_owned(),
        error => os_error::words(Errno::from_raw(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(error: i32, program: &str, path: Option<&str>) -> (u8, String) {
        let failure = explain(StartError::NoProgram(error), &[program.into()], path.map(OsStr::new));
        (failure.exit_status, failure.reason)
    }

    #[test]
    fn a_command_that_is_not_found_says_where_it_was_looked_for() {
        let (status, reason) = why(libc::ENOENT, "pg_dumpp", Some("/usr/bin:/bin"));
        assert_eq!(status, 127);
        assert_eq!(
            reason,
            "not found: 'pg_dumpp' is not in PATH (/usr/bin:/bin, as under cron); write its whole path"
        );
        let (_, reason) = why(libc::ENOENT, "pg_dumpp", Some("/opt/x"));
        assert_eq!(reason, "not found: 'pg_dumpp' is not in PATH (/opt/x)");
        let (_, reason) = why(libc::ENOENT, "/no/such", None);
        assert_eq!(reason, "not found: '/no/such': no such file or directory");
    }

    #[test]
    fn a_script_whose_interpreter_is_missing_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("job");
        fs::write(&script, "#!/opt/py/bin/python3\r\nexit\n").unwrap();
        let (status, reason) = why(libc::ENOENT, script.to_str().unwrap(), None);
        assert_eq!(status, 127);
        assert!(reason.starts_with("not found: the interpreter '/opt/py/bin/python3\\r' of '"), "{reason}");
    }

    #[test]
    fn a_command_that_cannot_be_executed_is_126() {
        assert_eq!(why(libc::EACCES, "/tmp", None), (126, "cannot execute '/tmp': it is a directory".into()));
        assert_eq!(why(libc::ENOEXEC, "/x", None), (126, "cannot execute '/x': exec format error".into()));
    }

    #[test]
    fn a_kernel_without_processes_is_125() {
        let failure = explain(StartError::NoProcess(libc::EAGAIN), &["x".into()], None);
        assert_eq!(failure.exit_status, 125);
        assert!(
            failure.reason.starts_with("cannot start a process for 'x': resource temporarily unavailable;")
        );
    }
}
