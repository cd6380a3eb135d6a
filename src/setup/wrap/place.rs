//! By which word cron calls cronward: its name where cron finds it, else a path that stays.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the word must end in for a line to be known as wrapped.
const NAME: &str = "cronward";

/// Where programs are that were installed.
static USUAL: [&str; 5] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin"];

/// Where programs are that a user has installed, below the home.
static USUAL_AT_HOME: [&str; 3] = [".local/bin", "bin", ".cargo/bin"];

/// Places of cronward on this host.
#[derive(Debug)]
pub struct Places {
    /// For a crontab whose PATH does not lead to it; `None`: no file is called so.
    absolute: Option<PathBuf>,
}

impl Places {
    /// Looks for this executable. A path in the usual places is preferred that leads to the same file: it
    /// stays when the version is another one. One that stands where it was built is not there to stay, if
    /// there is any other.
    pub fn new(environment: &[OsString]) -> Self {
        Self { absolute: absolute(std::env::current_exe().ok().as_deref(), &usual(environment)) }
    }

    /// The word, where cron's PATH is this. Programs are looked for now and here.
    pub fn word(&self, search_path: &[u8]) -> Option<OsString> {
        let places = search_path.split(|&byte| byte == b':').map(|place| Path::new(OsStr::from_bytes(place)));
        let is_found = places.filter(|place| place.is_absolute()).any(|place| is_program(&place.join(NAME)));
        if is_found {
            return Some(NAME.into());
        }
        self.absolute.as_ref().map(|path| path.clone().into_os_string())
    }
}

/// The usual places of programs, and those of whoever asks.
fn usual(environment: &[OsString]) -> Vec<PathBuf> {
    let value = |name: &str| {
        let named = environment.iter().find_map(|word| word.as_bytes().strip_prefix(name.as_bytes()));
        OsStr::from_bytes(named.unwrap_or_default())
    };
    let home = Path::new(value("HOME="));
    let mut places: Vec<PathBuf> = USUAL.iter().map(PathBuf::from).collect();
    places.extend(USUAL_AT_HOME.iter().map(|place| home.join(place)));
    places.extend(std::env::split_paths(value("PATH=")));
    places.retain(|place| place.is_absolute());
    places
}

fn absolute(executable: Option<&Path>, usual: &[PathBuf]) -> Option<PathBuf> {
    let candidates = || usual.iter().map(|place| place.join(NAME)).filter(|path| is_program(path));
    let same = executable.and_then(|executable| candidates().find(|path| is_same(path, executable)));
    let own = executable.filter(|path| path.file_name().is_some_and(|name| name == NAME) && is_program(path));
    let built = own.filter(|path| is_of_a_build(path));
    same.or_else(|| own.filter(|_| built.is_none()).map(Path::to_owned))
        .or_else(|| candidates().next())
        .or_else(|| built.map(Path::to_owned))
}

/// Whether it stands where Cargo puts what it has built.
fn is_of_a_build(path: &Path) -> bool {
    let mut above = path.ancestors().skip(1);
    let is_profile = |dir: &Path| dir.file_name().is_some_and(|name| name == "release" || name == "debug");
    above.next().is_some_and(is_profile)
        && above.any(|dir| dir.file_name().is_some_and(|name| name == "target"))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

fn is_same(path: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(path).is_some_and(|found| identity(other) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn program(&self, name: &str) -> PathBuf {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }
    }

    #[test]
    fn a_path_that_stays_is_preferred() {
        let tree = Tree(tempfile::tempdir().unwrap());
        let built = tree.program("src/target/release/cronward");
        let versioned = tree.program("opt/1.2/cronward");
        let usual = [tree.path("empty"), tree.path("bin")];
        assert_eq!(absolute(Some(&built), &usual), Some(built.clone()), "better than nothing");
        assert_eq!(absolute(Some(&versioned), &usual), Some(versioned.clone()));
        assert_eq!(absolute(None, &usual), None);
        let renamed = tree.program("opt/cronward-1.2");
        assert_eq!(
            absolute(Some(&renamed), &usual),
            None,
            "a line that calls it would not be known as wrapped"
        );
        let installed = tree.program("bin/cronward");
        assert_eq!(absolute(Some(&built), &usual), Some(installed.clone()));
        assert_eq!(absolute(Some(&renamed), &usual), Some(installed.clone()));
        assert_eq!(absolute(Some(&versioned), &usual), Some(versioned.clone()), "another version");
        fs::remove_file(&installed).unwrap();
        symlink(&versioned, &installed).unwrap();
        assert_eq!(absolute(Some(&versioned), &usual), Some(installed));
    }

    #[test]
    fn it_is_called_by_its_name_only_where_cron_finds_it() {
        let tree = Tree(tempfile::tempdir().unwrap());
        tree.program("bin/cronward");
        fs::create_dir_all(tree.path("dir/cronward")).unwrap();
        fs::create_dir_all(tree.path("data")).unwrap();
        fs::write(tree.path("data/cronward"), "").unwrap();
        let places = Places { absolute: Some("/opt/cronward".into()) };
        let word = |path: &str| {
            let path = path.replace('@', tree.0.path().to_str().unwrap());
            places.word(path.as_bytes()).unwrap().into_string().unwrap()
        };
        assert_eq!(word("/nonexistent:@/bin"), "cronward");
        for path in ["", "bin", "@/dir", "@/data", "$HOME/bin", "@/bin/cronward"] {
            assert_eq!(word(path), "/opt/cronward", "{path}");
        }
    }

    #[test]
    fn the_places_of_whoever_asks_are_looked_at_too() {
        let words = ["HOME=/home/me", "PATH=/x:rel:/y"].map(OsString::from);
        let places = usual(&words);
        let has = |path: &str| places.contains(&PathBuf::from(path));
        assert!(has("/usr/local/bin") && has("/home/me/.cargo/bin") && has("/x") && has("/y") && !has("rel"));
        assert!(usual(&[]).iter().all(|place| place.is_absolute()));
    }
}
