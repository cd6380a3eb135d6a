//! The place of the state by tables of users.

use super::*;
use crate::cli::{Invocation, parse};
use crate::config::Configured;
use crate::plan::resolve;

/// A host of which everything is known.
struct Fake {
    user: u32,
    home: Option<&'static str>,
    dirs: &'static [&'static str],
    writable: &'static [&'static str],
    working_dir: Option<&'static str>,
}

const ROOT: Fake =
    Fake { user: 0, home: Some("/root"), dirs: &[], writable: &[], working_dir: Some("/here") };

const USER: Fake = Fake { user: 1000, home: Some("/home/u"), writable: &["/home/u", "/home/v"], ..ROOT };

impl Host for Fake {
    fn name(&self) -> String {
        "db1".to_owned()
    }
    fn user(&self) -> u32 {
        self.user
    }
    fn home(&self) -> Option<PathBuf> {
        self.home.map(PathBuf::from)
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.dirs.iter().any(|dir| Path::new(dir) == path)
    }
    fn may_write(&self, dir: &Path) -> bool {
        self.writable.iter().any(|writable| Path::new(writable) == dir)
    }
    fn working_dir(&self) -> Option<PathBuf> {
        self.working_dir.map(PathBuf::from)
    }
}

fn place_on(host: &dyn Host, line: &[&str], environment: &[&str]) -> Result<PathBuf, String> {
    let args = std::iter::once(&"cronward").chain(line).map(OsString::from).collect();
    let Ok(Invocation::Run(typed)) = parse(args) else { panic!("{line:?} is not a run") };
    let environment = environment.iter().map(OsString::from).collect();
    resolve(Configured::new(typed, environment).unwrap(), host).unwrap().0.state_dir
}

#[test]
fn state_is_kept_in_the_first_place_of_the_list_that_there_is() {
    let homeless = Fake { home: None, ..USER };
    let daemon = Fake { home: Some("/usr/sbin"), ..USER };
    let adopted = Fake { home: Some("/nonexistent"), dirs: &["/var/lib/cronward-users/1000"], ..USER };
    let settled = Fake { writable: &[], dirs: &["/home/u/.local/state/cronward"], ..USER };
    let lost = Fake { working_dir: None, ..USER };
    let no_home = "user 1000 has no home to keep state in, and '/var/lib/cronward-users/1000' does not exist; name a \
                   directory with --state-dir";
    for (host, line, environment, place) in [
        (&USER, &["--state-dir", "/s", "x"][..], &["CRONWARD_STATE_DIR=/e"][..], Ok("/s")),
        (&USER, &["x"], &["CRONWARD_STATE_DIR=/e", "XDG_STATE_HOME=/x"], Ok("/e")),
        (&USER, &["--state-dir", "s", "x"], &[], Ok("/here/s")),
        (
            &lost,
            &["--state-dir", "s", "x"],
            &[],
            Err("'s' is relative, and the working directory has no name; give --state-dir an absolute path"),
        ),
        (&ROOT, &["x"], &["XDG_STATE_HOME=/x", "HOME=/home/u"], Ok("/var/lib/cronward")),
        (&USER, &["x"], &["XDG_STATE_HOME=/x", "HOME=/home/v"], Ok("/x/cronward")),
        (&USER, &["x"], &["XDG_STATE_HOME=x", "HOME=/home/v"], Ok("/home/v/.local/state/cronward")),
        (&USER, &["x"], &["XDG_STATE_HOME="], Ok("/home/u/.local/state/cronward")),
        (&USER, &["x"], &["HOME=relative"], Ok("/home/u/.local/state/cronward")),
        (&settled, &["x"], &[], Ok("/home/u/.local/state/cronward")),
        (&adopted, &["x"], &[], Ok("/var/lib/cronward-users/1000")),
        (&daemon, &["x"], &[], Err(no_home)),
        (&homeless, &["x"], &[], Err(no_home)),
    ] {
        let found = place_on(host, line, environment);
        let place = place.map(PathBuf::from).map_err(str::to_owned);
        assert_eq!(found, place, "{line:?} {environment:?}");
    }
}

#[test]
fn the_password_file_is_read_only_if_nothing_else_says_where_home_is() {
    struct Unread(Fake);
    impl Host for Unread {
        fn name(&self) -> String {
            self.0.name()
        }
        fn user(&self) -> u32 {
            self.0.user
        }
        fn home(&self) -> Option<PathBuf> {
            panic!("the password file was read")
        }
        fn is_dir(&self, path: &Path) -> bool {
            self.0.is_dir(path)
        }
        fn may_write(&self, dir: &Path) -> bool {
            self.0.may_write(dir)
        }
        fn working_dir(&self) -> Option<PathBuf> {
            self.0.working_dir()
        }
    }
    for (host, environment) in
        [(ROOT, "A=1"), (USER, "HOME=/home/v"), (USER, "XDG_STATE_HOME=/x"), (USER, "CRONWARD_STATE_DIR=/e")]
    {
        assert!(place_on(&Unread(host), &["x"], &[environment]).is_ok(), "{environment}");
    }
}

#[test]
fn a_subcommand_finds_the_place_where_runs_keep_their_state() {
    for (flag, environment, place) in [
        (Some("/s"), &["CRONWARD_STATE_DIR=/e"][..], "/s"),
        (None, &["CRONWARD_STATE_DIR=/e"], "/e"),
        (None, &["CRONWARD_STATE_DIR=", "HOME=/home/v"], "/home/v/.local/state/cronward"),
    ] {
        let words = environment.iter().map(OsString::from).collect();
        let options = flag.map(|dir| (Setting::StateDir, dir.into())).into_iter().collect();
        let found = state_dir_to_read(options, words, &USER, &|_| Ok(None));
        assert_eq!(found, Ok(Ok(PathBuf::from(place))));
        let mut line = flag.map_or(Vec::new(), |dir| vec!["--state-dir", dir]);
        line.push("x");
        assert_eq!(place_on(&USER, &line, environment), Ok(PathBuf::from(place)));
    }
}
