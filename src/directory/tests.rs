//! What is trusted and what is not.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn refused(result: Result<impl Sized, Refusal>) -> String {
    result.err().expect("it should have been refused").to_string()
}

struct Fixture {
    _root: tempfile::TempDir,
    directory: Directory,
    path: PathBuf,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a/b");
    let directory = Directory::open_or_create(&path, &mut Unsynced::new()).unwrap();
    Fixture { _root: root, directory, path }
}

impl Fixture {
    fn append(&self) -> Result<OwnedFd, Refusal> {
        self.directory.file(c"file", Access::Append, &mut Unsynced::new())
    }
}

#[test]
fn what_is_made_is_closed_to_others_and_waits_to_be_synced() {
    let root = tempfile::tempdir().unwrap();
    let mut unsynced = Unsynced::new();
    let path = root.path().join("a/b");
    let directory = Directory::open_or_create(&path, &mut unsynced).unwrap();
    assert_eq!(unsynced.len(), 2, "the parents of 'a' and of 'b'");
    let below = directory.subdirectory_or_create("c", &mut unsynced).unwrap();
    below.file(c"file", Access::Write, &mut unsynced).unwrap();
    assert_eq!(unsynced.len(), 4);
    for made in [root.path().join("a"), path.clone(), path.join("c")] {
        assert_eq!(mode(&made), 0o700, "{}", made.display());
    }
    assert_eq!(mode(&path.join("c/file")), 0o600);

    below.file(c"file", Access::Write, &mut unsynced).unwrap();
    Directory::open_or_create(&path, &mut unsynced).unwrap();
    assert_eq!(unsynced.len(), 4, "the second time nothing is new");
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let fixture = fixture();
    for mode in [0o770, 0o702, 0o1777] {
        chmod(&fixture.path, mode);
        assert!(refused(Directory::open(&fixture.path)).contains("can be written by others"), "{mode:o}");
    }
    chmod(&fixture.path, 0o755);
    assert!(Directory::open(&fixture.path).is_ok());
}

#[test]
fn links_are_not_followed() {
    let fixture = fixture();
    let link = fixture.path.join("link");
    symlink(&fixture.path, &link).unwrap();
    assert!(!refused(Directory::open(&link)).is_empty());
    assert!(!refused(fixture.directory.subdirectory_or_create("link", &mut Unsynced::new())).is_empty());

    let target = fixture.path.join("target");
    fs::write(&target, "mine").unwrap();
    symlink(&target, fixture.path.join("file")).unwrap();
    assert!(refused(fixture.append()).contains("symbolic link"));
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
}

#[test]
fn only_plain_files_with_one_name_are_opened() {
    let fixture = fixture();
    let path = fixture.path.join("file");
    fs::create_dir(&path).unwrap();
    assert!(refused(fixture.append()).contains("directory"));
    fs::remove_dir(&path).unwrap();

    nix::unistd::mkfifo(&path, FILE_MODE).unwrap();
    assert!(refused(fixture.append()).contains("is not a regular file"));
    fs::remove_file(&path).unwrap();

    fs::write(&path, "").unwrap();
    fs::hard_link(&path, fixture.path.join("other")).unwrap();
    assert!(refused(fixture.append()).contains("hard link"));
    fs::remove_file(fixture.path.join("other")).unwrap();
    assert!(fixture.append().is_ok());
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !geteuid().is_root() {
        // Only root can give things away; nobody else can be given what is another's.
        assert!(refused(Directory::open(Path::new("/"))).contains("belongs to user 0"));
        return;
    }
    let fixture = fixture();
    let path = fixture.path.join("file");
    fs::write(&path, "").unwrap();
    std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
    assert!(refused(fixture.append()).contains("belongs to user 12345"));
    std::os::unix::fs::chown(&fixture.path, Some(12_345), None).unwrap();
    assert!(refused(Directory::open(&fixture.path)).contains("belongs to user 12345"));
}

#[test]
fn a_directory_that_cannot_be_made_is_refused_by_name() {
    let message = refused(Directory::open_or_create(Path::new("/proc/nowhere/x"), &mut Unsynced::new()));
    assert!(message.starts_with("'/proc/nowhere'"), "{message}");
    assert!(Directory::open(Path::new("/proc/nowhere/x")).err().unwrap().is_absence());
}

#[test]
fn reading_makes_nothing() {
    let fixture = fixture();
    let refusal = fixture.directory.file(c"file", Access::Read, &mut Unsynced::new()).err().unwrap();
    assert!(refusal.is_absence());
    assert!(!fixture.path.join("file").exists());
}
