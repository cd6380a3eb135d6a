//! Directories and files that only this user can have made. A state directory may lie where others
//! can write, and root's `status` reads those of users: so nothing is followed, nothing is waited
//! for (a FIFO), and what is not a plain file or directory of our own is refused.

use crate::os_error;
use crate::sys::kernel;
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::NixPath;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::libc;
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, fchmod, fchmodat, fstat, mkdirat};
use nix::unistd::{Uid, UnlinkatFlags, geteuid, unlinkat, write};

/// Mode of every directory, whatever the umask.
const DIRECTORY_MODE: Mode = Mode::S_IRWXU;
/// Mode of every file, whatever the umask.
const FILE_MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
/// What every open of a file here does not do: follow a link, wait for a FIFO's other end, adopt a
/// terminal, reach the command.
const PRUDENT: OFlag =
    OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// Why something is not to be had.
#[derive(Debug)]
pub enum Refusal {
    /// The kernel says no.
    Error(PathBuf, Errno),
    /// It is there, and not to be trusted.
    Untrusted(PathBuf, String),
}

impl Refusal {
    /// Whether it is simply not there.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Error(_, Errno::ENOENT))
    }

    /// Whether it may be there and readable, but must not be written.
    fn forbids_writing(&self) -> bool {
        matches!(self, Self::Error(_, Errno::EACCES | Errno::EROFS | Errno::EPERM))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(path, Errno::ELOOP) => {
                write!(f, "'{}' is a symbolic link; name what it points to", path.display())
            }
            Self::Error(path, error) => write!(f, "'{}': {}", path.display(), os_error::words(*error)),
            Self::Untrusted(path, why) => write!(f, "'{}' {why}", path.display()),
        }
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be read; it is not made.
    Read,
    /// To be read and written anywhere; made if it is missing.
    Write,
    /// To be read, and written at its end; made if it is missing.
    Append,
}

impl Access {
    fn flags(self) -> OFlag {
        match self {
            Self::Read => OFlag::O_RDONLY,
            Self::Write => OFlag::O_RDWR,
            Self::Append => OFlag::O_RDWR | OFlag::O_APPEND,
        }
    }
}

/// An open directory that belongs to this user and that nobody else can write.
#[derive(Debug, Clone)]
pub struct Directory {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    /// This user, asked for once.
    owner: Uid,
}

/// Directories that have got a new entry, and new files, which are durable only once they are synced.
pub type Unsynced = Vec<Arc<OwnedFd>>;

impl Directory {
    /// Opens one that is there.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        Self::open_at(AT_FDCWD, path, path.to_owned(), geteuid())
    }

    /// Opens one of another user's: `below` is a path of names that leads there from `base`, which is not
    /// theirs to move. None of them may be a link, and all must be theirs.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn open_below(base: &Path, below: &str, owner: u32) -> Result<Self, Refusal> {
        let owner = Uid::from_raw(owner);
        let flags = kernel::ENTER | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut path = base.to_owned();
        let mut at = openat(AT_FDCWD, base, flags, Mode::empty())
            .map_err(|error| Refusal::Error(path.clone(), error))?;
        let (above, last) = below.rsplit_once('/').unwrap_or(("", below));
        for name in above.split('/').filter(|name| !name.is_empty()) {
            path.push(name);
            let (fd, found) = openat(&at, name, flags | OFlag::O_NOFOLLOW, Mode::empty())
                .and_then(|fd| fstat(&fd).map(|found| (fd, found)))
                .map_err(|error| Refusal::Error(path.clone(), error))?;
            if let Some(why) = distrust(&found, owner) {
                return Err(Refusal::Untrusted(path, why));
            }
            at = fd;
        }
        path.push(last);
        Self::open_at(&at, last, path, owner)
    }

    /// Opens one, making it and what is missing above it.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn open_or_create(path: &Path, unsynced: &mut Unsynced) -> Result<Self, Refusal> {
        match Self::open(path) {
            Err(refusal) if refusal.is_absence() => {}
            other => return other,
        }
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
            .collect();
        for &directory in missing.iter().rev() {
            create_directory(AT_FDCWD, directory)
                .map_err(|error| Refusal::Error(directory.to_owned(), error))?;
            let parent = match directory.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            // A parent that may be entered and written but not read cannot be synced; then it is not.
            unsynced.extend(openat(AT_FDCWD, parent, flags, Mode::empty()).ok().map(Arc::new));
        }
        Self::open(path)
    }

    /// Opens a directory in this one.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn subdirectory(&self, name: &str) -> Result<Self, Refusal> {
        Self::open_at(&*self.fd, name, self.path.join(name), self.owner)
    }

    /// Opens a directory in this one, making it if it is missing.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn subdirectory_or_create(&self, name: &str, unsynced: &mut Unsynced) -> Result<Self, Refusal> {
        match self.subdirectory(name) {
            Err(refusal) if refusal.is_absence() => {}
            other => return other,
        }
        create_directory(&*self.fd, name).map_err(|error| Refusal::Error(self.path.join(name), error))?;
        unsynced.push(Arc::clone(&self.fd));
        self.subdirectory(name)
    }

    fn open_at<P: ?Sized + NixPath>(
        at: impl AsFd,
        name: &P,
        path: PathBuf,
        owner: Uid,
    ) -> Result<Self, Refusal> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let (fd, found) = openat(at, name, flags, Mode::empty())
            .and_then(|fd| fstat(&fd).map(|found| (fd, found)))
            .map_err(|error| Refusal::Error(path.clone(), error))?;
        match distrust(&found, owner).or_else(|| others_can_write(&found)) {
            None => Ok(Self { fd: Arc::new(fd), path, owner }),
            Some(why) => Err(Refusal::Untrusted(path, why)),
        }
    }

    /// Opens a file in this directory.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn file(&self, name: &CStr, access: Access, unsynced: &mut Unsynced) -> Result<OwnedFd, Refusal> {
        let flags = PRUDENT | access.flags();
        let refuse = |error| Refusal::Error(self.path_of(name), error);
        // A file that was replaced between the two calls has no name any more: then the new one.
        for _ in 0..3 {
            let opened = match openat(&*self.fd, name, flags, Mode::empty()) {
                Err(Errno::ENOENT) if access != Access::Read => match self.create(name, flags) {
                    // Somebody else was faster.
                    Err(Errno::EEXIST) => continue,
                    created => {
                        unsynced.push(Arc::clone(&self.fd));
                        created
                    }
                },
                opened => opened,
            };
            let fd = opened.map_err(refuse)?;
            let found = fstat(&fd).map_err(refuse)?;
            match distrust(&found, self.owner).or_else(|| not_a_plain_file(&found)) {
                None if found.st_nlink == 0 => {}
                None => return Ok(fd),
                Some(why) => return Err(Refusal::Untrusted(self.path_of(name), why)),
            }
        }
        Err(refuse(Errno::ESTALE))
    }

    /// Opens a file for appending; where that is forbidden, for reading. Whether it can be written.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn file_to_append_or_read(
        &self,
        name: &CStr,
        unsynced: &mut Unsynced,
    ) -> Result<(OwnedFd, bool), Refusal> {
        match self.file(name, Access::Append, unsynced) {
            Ok(fd) => Ok((fd, true)),
            Err(refusal) if refusal.forbids_writing() => match self.file(name, Access::Read, unsynced) {
                Ok(fd) => Ok((fd, false)),
                Err(_) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        }
    }

    /// Makes a file that is not there, for appending.
    ///
    /// # Errors
    /// EEXIST if it is.
    pub fn create_new(&self, name: &CStr) -> nix::Result<OwnedFd> {
        self.create(name, PRUDENT | Access::Append.flags())
    }

    /// Puts a file with this content in the place of the one of this name, if there is one: who reads it reads
    /// the one or the other. The new file, open, for who wants it synced.
    ///
    /// # Errors
    /// ENOSPC and the like; what was there is in force then.
    pub fn replace(&self, name: &CStr, bytes: &[u8]) -> nix::Result<OwnedFd> {
        let replacement = CString::new([name.to_bytes(), b".new"].concat()).map_err(|_| Errno::EINVAL)?;
        match unlinkat(&*self.fd, &*replacement, UnlinkatFlags::NoRemoveDir) {
            // Left behind by one that died here.
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
        let new = self.create_new(&replacement)?;
        write_whole(&new, bytes)?;
        renameat(&*self.fd, &*replacement, &*self.fd, name)?;
        Ok(new)
    }

    fn create(&self, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
        let fd = openat(&*self.fd, name, flags | OFlag::O_CREAT | OFlag::O_EXCL, FILE_MODE)?;
        // The umask may have taken away what the mode gives. Without it the file serves this once.
        let _ = fchmod(&fd, FILE_MODE);
        Ok(fd)
    }

    /// The names in it, at most so many; those of no file or directory of ours are left out.
    ///
    /// # Errors
    /// Those of getdents(2).
    pub fn names(&self, most: usize) -> nix::Result<Vec<String>> {
        // Another description, since the place in the list belongs to it.
        let mut list = Dir::openat(&*self.fd, c".", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let names = list.iter().take(most.saturating_add(2)).filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().to_str().ok()?.to_owned();
            (!name.starts_with('.')).then_some(name)
        });
        Ok(names.collect())
    }

    /// The open directory.
    pub fn fd(&self) -> &Arc<OwnedFd> {
        &self.fd
    }

    /// Its path, for messages and to be listed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages.
    pub fn path_of(&self, name: &CStr) -> PathBuf {
        self.path.join(std::ffi::OsStr::from_bytes(name.to_bytes()))
    }
}

/// Writes in one call what is one record; a file system that takes less of it has no room.
///
/// # Errors
/// Those of write(2).
pub fn write_whole(file: &OwnedFd, bytes: &[u8]) -> nix::Result<()> {
    match write(file, bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(Errno::ENOSPC),
    }
}

fn create_directory<P: ?Sized + NixPath>(at: impl AsFd, name: &P) -> nix::Result<()> {
    match mkdirat(&at, name, DIRECTORY_MODE) {
        Ok(()) => {
            // By name, since under a umask such as 0777 it could not be opened. It fails where
            // there is no /proc; then the umask has its way.
            let _ = fchmodat(&at, name, DIRECTORY_MODE, FchmodatFlags::NoFollowSymlink);
            Ok(())
        }
        Err(Errno::EEXIST) => Ok(()),
        Err(error) => Err(error),
    }
}

fn distrust(found: &FileStat, owner: Uid) -> Option<String> {
    (found.st_uid != owner.as_raw())
        .then(|| format!("belongs to user {}; only what is one's own is trusted", found.st_uid))
}

fn others_can_write(found: &FileStat) -> Option<String> {
    (found.st_mode & (libc::S_IWGRP | libc::S_IWOTH) != 0)
        .then(|| "can be written by others; take that away (chmod go-w)".to_owned())
}

fn not_a_plain_file(found: &FileStat) -> Option<String> {
    if found.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Some("is not a regular file; move it away".to_owned());
    }
    (found.st_nlink > 1).then(|| "has a second name (a hard link); move it away".to_owned())
}

#[cfg(test)]
mod tests;
