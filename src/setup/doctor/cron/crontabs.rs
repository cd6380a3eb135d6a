//! The crontabs that this user can read.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Deadline;
use crate::crontab::lines::Form;
use crate::job::Signal;
use crate::outcome::Ending;
use crate::sys::entry::SignalState;
use crate::sys::pipes::pipe;
use crate::sys::process::{Exec, LastWords, spawn, wait_until};
use crate::sys::signals::{SignalSet, send_group};

/// How long crontab(1) may take.
const LIMIT: Duration = Duration::from_secs(2);
/// How long one that was killed may take to go.
const REAP_LIMIT: Duration = Duration::from_millis(50);
/// How much of what it prints is read, in bytes: many times what cron takes.
const SIZE_MAX: usize = 4 * 1024 * 1024;
/// How many files of a directory are looked at.
const FILES_MAX: usize = 1000;

/// A crontab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crontab {
    /// What it is called in messages: its path, or the command that prints it.
    pub name: String,
    /// Whether a user stands before each command.
    pub form: Form,
    /// What stands in it.
    pub text: Vec<u8>,
}

/// Those of the system, and that of this user; to root, those of all users.
pub fn gather(root: &Path, user: u32) -> Vec<Crontab> {
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    let mut paths = vec![at("/etc/crontab")];
    // Debian's cron passes over every file of another name, such as 'x.dpkg-old' (cron(8)).
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let is_read = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.bytes().all(plain))
    };
    paths.extend(files(&at("/etc/cron.d")).into_iter().filter(is_read));
    let mut crontabs: Vec<Crontab> = paths.iter().filter_map(|path| read(root, path, Form::System)).collect();
    if user == 0 {
        // Debian's, and that of cronie and of BusyBox.
        let mut of_users = files(&at("/var/spool/cron/crontabs"));
        of_users.extend(files(&at("/var/spool/cron")));
        crontabs.extend(of_users.iter().filter_map(|path| read(root, path, Form::User)));
    } else {
        crontabs.extend(own(&at("/usr/bin/crontab")));
    }
    crontabs
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        list.map(|entry| entry.path()).filter(|path| path.is_file()).take(FILES_MAX).collect();
    paths.sort();
    paths
}

fn read(root: &Path, path: &Path, form: Form) -> Option<Crontab> {
    // Of a pipe nobody knows when it ends.
    fs::metadata(path).ok().filter(|found| found.is_file())?;
    let text = fs::read(path).ok()?;
    let name = path.strip_prefix(root).map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest));
    Some(Crontab { name: name.display().to_string(), form, text })
}

/// That of this user, which only crontab(1) can read.
fn own(crontab: &Path) -> Option<Crontab> {
    let deadline = Deadline::after(LIMIT);
    let null = File::options().read(true).write(true).open("/dev/null").ok()?;
    let (ours, its) = pipe().ok()?;
    let pid = spawn(&Exec {
        argv: &[crontab.into(), "-l".into()],
        environment: &["PATH=/usr/bin:/bin".into(), "LC_ALL=C".into()],
        search_path: None,
        stdio: [Some(null.as_fd()), Some(its.as_fd()), Some(null.as_fd())],
        own_group: true,
        signals: SignalState { mask: SignalSet::NONE, child_ignored: false },
        last_words: LastWords::default(),
    })
    .ok()?;
    // It would never see the end of what only we still hold open.
    drop(its);
    let text = read_until(File::from(ours), deadline);
    let ending = wait_until(pid, deadline);
    if ending.is_none() {
        send_group(pid, Signal::KILL);
        wait_until(pid, Deadline::after(REAP_LIMIT));
    }
    let name = "crontab -l".to_owned();
    (ending == Some(Ending::Exited(0))).then_some(Crontab { name, form: Form::User, text })
}

/// What comes until the end, or until nobody waits any more.
fn read_until(mut pipe: File, deadline: Deadline) -> Vec<u8> {
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    while text.len() < SIZE_MAX {
        let millis = u16::try_from(deadline.left().as_millis()).unwrap_or(u16::MAX);
        let mut ready = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(millis)) != Ok(1) {
            break;
        }
        match pipe.read(&mut bytes) {
            Ok(length) if length > 0 => text.extend_from_slice(&bytes[..length]),
            Ok(_) | Err(_) => break,
        }
    }
    text
}
