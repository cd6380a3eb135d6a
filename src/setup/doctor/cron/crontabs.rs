//! The crontabs that this user can read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::crontab::lines::Form;

/// How long crontab(1) may take.
const LIMIT: Duration = Duration::from_secs(2);
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

/// That of this user, which only crontab(1) can read. One that hangs is left behind.
fn own(crontab: &Path) -> Option<Crontab> {
    let mut command = Command::new(crontab);
    command.arg("-l").stdin(Stdio::null()).stderr(Stdio::null());
    let (sender, answer) = mpsc::channel();
    thread::Builder::new().spawn(move || sender.send(command.output())).ok()?;
    let printed = answer.recv_timeout(LIMIT).ok()?.ok()?;
    let name = "crontab -l".to_owned();
    printed.status.success().then_some(Crontab { name, form: Form::User, text: printed.stdout })
}
