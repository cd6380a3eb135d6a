//! Files on a real disk, and what they say below what is nearer.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::stat::Mode;
use nix::unistd::{Uid, chown, mkfifo};
use proptest::prelude::*;

use super::*;

fn laid(text: &[u8]) -> Levels {
    let mut levels = Levels::default();
    levels.lay_file(Path::new("/c.toml"), Ok(text.to_vec()), Some("x"));
    levels
}

fn shown(levels: &Levels) -> Vec<String> {
    levels
        .given()
        .iter()
        .map(|given| format!("{}={} {}", given.origin.setting.row().long, given.text.display(), given.origin))
        .collect()
}

#[test]
fn a_file_that_is_not_there_is_none() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(read_file(&directory.path().join("none.toml")), Ok(None));
    fs::write(directory.path().join("file"), "").unwrap();
    assert_eq!(read_file(&directory.path().join("file/none.toml")), Ok(None));
}

#[test]
fn only_regular_files_of_some_size_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("file"), "a = 1").unwrap();
    symlink(path("file"), path("link")).unwrap();
    for name in ["file", "link"] {
        assert_eq!(read_file(&path(name)), Ok(Some(b"a = 1".to_vec())));
    }
    // Nobody writes to it, and nobody waits for that.
    mkfifo(&path("fifo"), Mode::S_IRWXU).unwrap();
    for irregular in [path("fifo"), directory.path().to_owned(), "/dev/null".into()] {
        assert_eq!(read_file(&irregular), Err("not a regular file".to_owned()), "{irregular:?}");
    }
    fs::write(path("large"), vec![b'#'; 1 << 20]).unwrap();
    assert!(read_file(&path("large")).is_ok());
    fs::write(path("large"), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(read_file(&path("large")), Err("larger than 1 MiB".to_owned()));
    symlink(path("loop"), path("loop")).unwrap();
    let why = read_file(&path("loop")).unwrap_err();
    assert!(why.starts_with("cannot be read: "), "{why}");
}

#[test]
fn root_reads_only_what_nobody_else_can_have_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    fs::write(&path, "a = 1").unwrap();
    let is_root = geteuid().is_root();
    for (mode, fine) in [(0o644, true), (0o600, true), (0o755, true), (0o664, false), (0o646, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let others = "others can write it, whom root does not trust; 'chmod go-w' it".to_owned();
        let expected = if fine || !is_root { Ok(Some(b"a = 1".to_vec())) } else { Err(others) };
        assert_eq!(read_file(&path), expected, "{mode:o}");
    }
    if is_root {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(Uid::from_raw(1234)), None).unwrap();
        let why = "belongs to user 1234, whom root does not trust; 'chown root' it";
        assert_eq!(read_file(&path), Err(why.to_owned()));
    }
}

#[test]
fn sections_are_levels_nearest_first_and_nearer_files_come_first() {
    let mut levels = Levels::default();
    let text = "[defaults]\ntag = 'a'\n[job.x]\ntag = ['b', 'c']\n[job.'?']\nowner = 'd'";
    levels.lay_file(Path::new("/u.toml"), Ok(text.into()), Some("x"));
    levels.lay_file(Path::new("/s.toml"), Ok(text.into()), Some("y"));
    assert_eq!(
        shown(&levels),
        [
            "owner=d /u.toml:6",
            "tag=b /u.toml:4",
            "tag=c /u.toml:4",
            "tag=a /u.toml:2",
            "owner=d /s.toml:6",
            "tag=a /s.toml:2"
        ]
    );
    let sections: Vec<_> = levels.given().iter().map(|given| given.origin.level).collect();
    assert!(sections.is_sorted() && sections[1] == sections[2] && sections[2] != sections[3]);
    assert_eq!(levels.files(), [Rc::from(Path::new("/u.toml")), Rc::from(Path::new("/s.toml"))]);
    assert!(!levels.in_trouble());
}

#[test]
fn what_is_wrong_is_told_in_the_order_of_files_and_lines() {
    let mut levels = Levels::default();
    levels.lay_file(Path::new("/a.toml"), Err("not a regular file".to_owned()), None);
    levels.lay_file(Path::new("/b.toml"), Ok("[defaults]\nlcok = 1\n[job.'[']".into()), None);
    levels.lay_file(Path::new("/c.toml"), Ok("a = \n".into()), None);
    levels.lay_file(Path::new("/d.toml"), Ok(b"\n\n\xff".to_vec()), None);
    levels.add_problem(Place { file: Rc::clone(&levels.files[1]), line: 2 }, "last of its line".to_owned());
    let expected = [
        "/a.toml: not a regular file",
        "/b.toml:2: unknown key 'lcok', nearest is 'lock'",
        "/b.toml:2: last of its line",
        "/b.toml:3: bad pattern '[' of a section: a '[' is not closed; write '[[]' for the character",
        "/c.toml:1: a value is missing",
        "/d.toml:3: not UTF-8; save the file in that encoding",
    ];
    assert_eq!(levels.problems(), expected);
    assert!(levels.in_trouble());
}

#[test]
fn of_a_file_that_is_no_toml_the_lone_state_directory_is_saved() {
    for (text, expected) in [
        ("[defaults]\nstate-dir = \"/s\"\nlock = yes", &["state-dir=/s /c.toml:2"][..]),
        ("state-dir='/s'\r\n[", &["state-dir=/s /c.toml:1"]),
        ("\n  state-dir\t=\t\"/a b\\u0021\"  # x\n[", &["state-dir=/a b! /c.toml:2"]),
        ("state-dir = '/s'\nstate-dir = \"/s\"", &["state-dir=/s /c.toml:1"]),
        ("state-dir = '/s'\nstate-dir = '/t'", &[]),
        ("# state-dir = '/s'\n[", &[]),
        ("state-dir = '/s' x\n[", &[]),
        ("state-dir = /s", &[]),
        ("state-dir = 5\n[", &[]),
        ("state-dir.x = '/s'\n[", &[]),
        ("state-directory = '/s'\n[", &[]),
        ("\u{feff}[", &[]),
    ] {
        assert_eq!(shown(&laid(text.as_bytes())), expected, "{text}");
    }
    assert_eq!(shown(&laid(b"\xff\nstate-dir = '/s'\nstate-dir = '\xfe'")), ["state-dir=/s /c.toml:2"]);
    // Whoever reads the rest has no need of it.
    assert_eq!(shown(&laid(b"[job.y]\nstate-dir = '/s'")), [""; 0]);
}

#[test]
fn the_last_run_is_farther_than_files_and_there_only_in_trouble() {
    let kept = || [(Setting::Lock, "1".into()), (Setting::Owner, "o".into())];
    let mut levels = laid(b"[defaults]\nowner = 'me'\nlcok = true");
    levels.fall_back(kept());
    let trouble = "the last run (trouble with /c.toml)";
    assert_eq!(
        shown(&levels),
        ["owner=me /c.toml:2".to_owned(), format!("lock=1 {trouble}"), format!("owner=o {trouble}")]
    );
    assert_eq!(levels.nearest(Setting::Owner).unwrap().text, "me");
    assert!(levels.given().iter().all(|given| given.origin.level.is_of_files()));
    let mut levels = laid(b"[defaults]\nowner = 'me'");
    levels.fall_back(kept());
    assert_eq!(shown(&levels), ["owner=me /c.toml:2"]);
}

proptest! {
    #[test]
    fn any_bytes_are_a_file(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let levels = laid(&bytes);
        prop_assert!(levels.in_trouble() || std::str::from_utf8(&bytes).is_ok());
    }
}
