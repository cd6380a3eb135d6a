//! The state directory: whether it can be used, how much room there is, and what lies in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access};

use super::finding::{Area, Finding, or_ok, some_of};
use crate::clock::Timestamp;
use crate::directory::Directory;
use crate::human;
use crate::journal::Entry;
use crate::os_error;

/// How many files are looked at.
const FILES_MAX: usize = 100_000;
/// With less room than this, in bytes, something will be lost before long.
const ROOM_MIN: u64 = 16 * 1024 * 1024;
/// With fewer files than this.
const INODES_MIN: u64 = 256;
/// How long the file of somebody who is at work lies there, in seconds.
const WORK: i64 = 3600;

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its path.
    pub dir: PathBuf,
    /// Why the user has no place for state, if so; the path is then that of one that root can make.
    pub nowhere: Option<String>,
    /// What is there.
    pub place: Place,
    /// The file system, if it can be asked.
    pub room: Option<Room>,
    /// What lies in it that should not, or should otherwise.
    pub oddities: Vec<Oddity>,
    /// How many jobs are on record, and those that cannot be read with the reason.
    pub jobs: (usize, Vec<(String, String)>),
    /// Effective user id.
    pub user: u32,
}

/// What is in the place of the state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nothing; the nearest directory above it that is there, and whether something can be made in it.
    Missing(PathBuf, bool),
    /// Something that is refused, with the reason, whose it is and its mode.
    Refused { why: String, owner: u32, mode: u32, is_link: bool },
    /// A directory of this user's in which nothing can be made, for this reason.
    Unwritable(Errno),
    /// A directory that can be used, with its mode.
    Usable(u32),
}

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this user may still fill.
    pub bytes: u64,
    /// Files that may still be made; `None` where they are not counted.
    pub inodes: Option<u64>,
    /// Whether nothing can be written at all.
    pub is_read_only: bool,
    /// Whether it is on another host.
    pub is_remote: bool,
    /// Whether it goes with the next start of the host.
    pub is_memory: bool,
}

/// A file that should not be there, or should be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// It belongs to another user.
    Foreign(PathBuf, u32),
    /// Others can read or write it.
    Open(PathBuf, bool),
    /// A journal that was put aside.
    Aside(PathBuf),
    /// Left by somebody who died at work.
    Leftover(PathBuf),
}

impl Facts {
    /// Looks at a state directory.
    pub fn gather(dir: &Path, nowhere: Option<String>, jobs: &[&Entry], user: u32, now: Timestamp) -> Self {
        let place = place(dir);
        let asked = if let Place::Missing(above, _) = &place { above } else { dir };
        let mut oddities = Vec::new();
        if matches!(place, Place::Usable(_) | Place::Unwritable(_)) {
            let mut left = FILES_MAX;
            walk(dir, user, now, &mut left, &mut oddities);
        }
        let unreadable = jobs.iter().filter_map(|entry| {
            entry.remembered.as_ref().err().map(|why| (entry.label.clone(), why.clone()))
        });
        let jobs = (jobs.len(), unreadable.collect());
        Self { dir: dir.to_owned(), nowhere, room: room(asked), place, oddities, jobs, user }
    }
}

fn place(dir: &Path) -> Place {
    let found = match fs::symlink_metadata(dir) {
        Ok(found) => found,
        Err(_) => {
            let above = dir.ancestors().skip(1).find(|above| above.is_dir()).unwrap_or(Path::new("/"));
            return Place::Missing(
                above.to_owned(),
                access(above, AccessFlags::W_OK | AccessFlags::X_OK).is_ok(),
            );
        }
    };
    if let Err(refusal) = Directory::open(dir) {
        let (owner, mode, is_link) = (found.uid(), found.mode(), found.is_symlink());
        return Place::Refused { why: refusal.to_string(), owner, mode, is_link };
    }
    match access(dir, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) => Place::Usable(found.mode()),
        Err(error) => Place::Unwritable(error),
    }
}

fn room(path: &Path) -> Option<Room> {
    let found = statvfs(path).ok()?;
    let kind = kind_of(path);
    // linux/magic.h: NFS, SMB and CIFS, SMB2, AFS, Ceph, 9p; tmpfs and ramfs.
    let is_remote =
        [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x5346_414f, 0x00c3_6400, 0x0102_1997].contains(&kind);
    Some(Room {
        bytes: (found.blocks_available() as u64).saturating_mul(found.fragment_size() as u64),
        inodes: (found.files() > 0).then(|| found.files_available() as u64),
        is_read_only: found.flags().contains(FsFlags::ST_RDONLY),
        is_remote,
        is_memory: [0x0102_1994, 0x8584_58f6].contains(&kind),
    })
}

/// The number of a kind of file system; 0 if it cannot be told.
#[cfg(target_os = "linux")]
fn kind_of(path: &Path) -> u64 {
    // With or without a sign, as the C library has it.
    let kind =
        nix::sys::statfs::statfs(path).map(|found| i128::from(found.filesystem_type().0) & 0xffff_ffff);
    kind.ok().and_then(|kind| u64::try_from(kind).ok()).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn kind_of(_: &Path) -> u64 {
    0
}

fn walk(dir: &Path, user: u32, now: Timestamp, left: &mut usize, oddities: &mut Vec<Oddity>) {
    let Ok(list) = fs::read_dir(dir) else { return };
    for entry in list.flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let path = entry.path();
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_old = now.as_seconds().saturating_sub(found.mtime()) > WORK;
        if found.uid() != user {
            oddities.push(Oddity::Foreign(path.clone(), found.uid()));
        } else if !found.is_symlink() && found.mode() & 0o077 != 0 {
            oddities.push(Oddity::Open(path.clone(), found.is_dir()));
        }
        if name.starts_with("runs.jsonl.corrupt-") {
            oddities.push(Oddity::Aside(path.clone()));
        } else if (name.ends_with(".new") || name.starts_with("trial-")) && found.is_file() && is_old {
            oddities.push(Oddity::Leftover(path.clone()));
        }
        if found.is_dir() {
            walk(&path, user, now, left, oddities);
        }
    }
}

/// What is wrong with it.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let Facts { dir, room, user, .. } = facts;
    let shown = dir.display();
    let mut findings = Vec::new();
    match &facts.place {
        Place::Missing(_, true) if facts.nowhere.is_none() => findings.push(Finding::note(
            Area::State,
            format!("'{shown}' does not exist yet"),
            "the first run of a job makes it",
        )),
        Place::Missing(above, _) => findings.push(Finding::fault(
            Area::State,
            match &facts.nowhere {
                Some(why) => format!("no run is remembered: {why}"),
                None => {
                    format!(
                        "'{shown}' does not exist, and this user can make nothing in '{}'",
                        above.display()
                    )
                }
            },
            format!(
                "as root: mkdir -p -m 700 '{shown}' && chown {user} '{shown}'; or name another by --state-dir"
            ),
        )),
        Place::Refused { why, owner, mode, is_link } => {
            let hint = match (*is_link, owner == user, mode & 0o022 != 0) {
                (true, ..) => format!("name what it points to: --state-dir \"$(readlink -f '{shown}')\""),
                (false, false, _) => {
                    format!("look as the user whose jobs they are, or as root: chown -R {user} '{shown}'")
                }
                (false, true, true) => format!("chmod go-w '{shown}'"),
                (false, true, false) => {
                    "make it a directory that this user can enter (chmod u+rwx)".to_owned()
                }
            };
            let why = match is_link {
                true => format!("'{shown}' is a symbolic link, and none is followed"),
                false => why.clone(),
            };
            findings.push(Finding::fault(Area::State, format!("no run is remembered: {why}"), hint));
        }
        Place::Unwritable(error) => findings.push(Finding::fault(
            Area::State,
            format!("nothing can be written in '{shown}': {}", os_error::words(*error)),
            if *error == Errno::EROFS {
                "mount the file system for writing, or name another directory by --state-dir".to_owned()
            } else {
                format!("chmod u+rwx '{shown}'")
            },
        )),
        Place::Usable(mode) if mode & 0o077 != 0 => findings.push(Finding::warning(
            Area::State,
            format!("others can look into '{shown}'"),
            format!("chmod 700 '{shown}'"),
        )),
        Place::Usable(_) => {}
    }
    // Where nothing can be made, it does not matter how much.
    if let (Some(room), Place::Usable(_) | Place::Missing(_, true)) = (room, &facts.place) {
        findings.extend(of_room(*room, &shown.to_string()));
    }
    findings.extend(of_oddities(&facts.oddities));
    for (label, why) in &facts.jobs.1 {
        let hint = if why.contains("newer cronward") {
            "run the newest cronward that this host has everywhere"
        } else {
            "see to the file; the next run goes on without its history"
        };
        findings.push(Finding::fault(Area::State, format!("'{label}' cannot be read: {why}"), hint));
    }
    or_ok(findings, Area::State, || {
        let jobs = human::counted(facts.jobs.0, "job", "jobs");
        format!("'{shown}' can be used, and has {jobs} on record")
    })
}

fn of_room(room: Room, shown: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let bytes = human::bytes(room.bytes);
    if room.is_read_only {
        let hint = "mount it for writing, or name another directory by --state-dir";
        findings.push(Finding::fault(
            Area::State,
            format!("the file system of '{shown}' is read-only"),
            hint,
        ));
    } else if room.bytes == 0 || room.inodes == Some(0) {
        let what = if room.bytes == 0 { "room" } else { "file to be had (df -i)" };
        let what = format!("there is no {what} on the file system of '{shown}', and no run is remembered");
        findings.push(Finding::fault(Area::State, what, "make room there"));
    } else if room.bytes < ROOM_MIN || room.inodes.is_some_and(|inodes| inodes < INODES_MIN) {
        let files = room.inodes.map(|inodes| format!(" and {inodes} files")).unwrap_or_default();
        let what = format!("there is room for {bytes}{files} on the file system of '{shown}'");
        findings.push(Finding::warning(Area::State, what, "make room there before it is full"));
    }
    if room.is_remote {
        let what = format!("'{shown}' is on the file system of another host");
        let hint = "a local directory does not hang when the network does; name one by --state-dir";
        findings.push(Finding::warning(Area::State, what, hint));
    }
    if room.is_memory {
        let what = format!("'{shown}' is in memory, and all is forgotten when the host is started anew");
        findings.push(Finding::note(Area::State, what, "name a directory on a disk by --state-dir"));
    }
    findings
}

/// One finding for all of one kind: there may be thousands.
fn of_oddities(oddities: &[Oddity]) -> Vec<Finding> {
    let paths = |pick: fn(&Oddity) -> Option<&PathBuf>| -> Vec<String> {
        oddities.iter().filter_map(pick).map(|path| path.display().to_string()).collect()
    };
    let mut findings = Vec::new();
    let mut add = |paths: Vec<String>, say: &dyn Fn(&str, &str) -> Finding| {
        let names: Vec<&str> = paths.iter().map(String::as_str).collect();
        if let Some(first) = names.first() {
            findings.push(say(&some_of(&names), first));
        }
    };
    add(paths(|odd| if let Oddity::Foreign(path, _) = odd { Some(path) } else { None }), &|all, first| {
        let what = format!("not this user's, and not trusted: {all}");
        Finding::fault(Area::State, what, format!("as root: chown them, as '{first}', or move them away"))
    });
    add(paths(|odd| if let Oddity::Open(path, _) = odd { Some(path) } else { None }), &|all, _| {
        let what = format!("others have rights to {all}");
        Finding::warning(Area::State, what, "take them away: chmod -R go= on the state directory")
    });
    add(paths(|odd| if let Oddity::Aside(path) = odd { Some(path) } else { None }), &|all, _| {
        let what = format!("a journal was corrupt, and was kept aside: {all}");
        Finding::warning(Area::State, what, "look at what it holds and at the disk, then remove it")
    });
    add(paths(|odd| if let Oddity::Leftover(path) = odd { Some(path) } else { None }), &|all, _| {
        Finding::note(Area::State, format!("left by somebody who died at work: {all}"), "it can be removed")
    });
    findings
}

#[cfg(test)]
mod tests;
