//! What the plan asks of the host, and only when it needs the answer.

use std::path::{Path, PathBuf};

use nix::unistd::{self, AccessFlags, User};

/// The host and the user that this process runs as.
pub trait Host {
    /// Name of the host.
    fn name(&self) -> String;
    /// Effective user id.
    fn user(&self) -> u32;
    /// The user's home by the password file.
    fn home(&self) -> Option<PathBuf>;
    /// Whether this is a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// Whether the user may create files in this directory.
    fn may_write(&self, dir: &Path) -> bool;
    /// The working directory; `None` if it cannot be named, as when it was removed.
    fn working_dir(&self) -> Option<PathBuf>;
}

/// The host that cronward runs on.
#[derive(Debug, Clone, Copy)]
pub struct ThisHost;

impl Host for ThisHost {
    fn name(&self) -> String {
        let name = unistd::gethostname().unwrap_or_default();
        // A host without a name is still one that metrics come from.
        if name.is_empty() { "localhost".to_owned() } else { name.to_string_lossy().into_owned() }
    }

    fn user(&self) -> u32 {
        unistd::geteuid().as_raw()
    }

    fn home(&self) -> Option<PathBuf> {
        User::from_uid(unistd::geteuid()).ok().flatten().map(|user| user.dir)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn may_write(&self, dir: &Path) -> bool {
        unistd::access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
    }

    fn working_dir(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }
}
