//! Files in directories of all kinds.

use super::*;
use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

/// 2026-11-21T07:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_795_244_400_000);

struct Fixture {
    root: tempfile::TempDir,
    label: Label,
}

fn fixture() -> Fixture {
    Fixture { root: tempfile::tempdir().unwrap(), label: Label::new(OsStr::new("pg/backup")).unwrap() }
}

impl Fixture {
    fn dir(&self) -> PathBuf {
        self.root.path().join("log/cronward")
    }

    fn of_label(&self) -> PathBuf {
        self.dir().join("pg%2Fbackup")
    }

    fn try_create(&self, seconds_ago: i64) -> Result<LogFile, String> {
        let started_at = Timestamp::from_millis(NOW.as_millis() - seconds_ago * 1000);
        LogFile::create(&self.dir(), &self.label, RunId::new(), started_at)
    }

    fn create(&self, seconds_ago: i64) -> LogFile {
        self.try_create(seconds_ago).unwrap()
    }

    /// A file of a run that has ended; its path.
    fn ended(&self, seconds_ago: i64, bytes: &[u8]) -> PathBuf {
        let mut file = self.create(seconds_ago);
        file.append(bytes);
        file.finish(true, &KeepRule::default(), NOW).path.unwrap()
    }

    /// The names that are there, oldest first.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.of_label()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn at_most(files: u32) -> KeepRule {
    KeepRule { files: NonZeroU32::new(files), age: None, bytes: None }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_whole_output_is_in_one_file_that_only_its_owner_can_read() {
    let fixture = fixture();
    let mut file = fixture.create(0);
    file.append(b"one\n");
    file.append(b"");
    file.append(&[0xff; 100_000]);
    assert_eq!(file.written, 100_004);
    let Finished { path, problem } = file.finish(true, &KeepRule::default(), NOW);
    let path = path.unwrap();
    assert_eq!(problem, None);
    assert_eq!(fs::read(&path).unwrap(), [b"one\n", &[0xff; 100_000][..]].concat());
    assert_eq!(path.parent(), Some(&*fixture.of_label()));
    assert!(fixture.names()[0].starts_with("20261121T070000Z-"), "{path:?}");
    assert_eq!((mode(&path), mode(&fixture.of_label()), mode(&fixture.dir())), (0o600, 0o700, 0o700));
}

#[test]
fn a_silent_run_has_a_file_too() {
    let fixture = fixture();
    let path = fixture.create(0).finish(true, &KeepRule::default(), NOW).path.unwrap();
    assert_eq!(fs::read(path).unwrap(), b"");
}

#[test]
fn a_file_that_is_not_to_be_kept_is_removed_and_the_others_are_pruned_all_the_same() {
    let fixture = fixture();
    let paths = [3, 2, 1].map(|seconds| fixture.ended(seconds, b"x"));
    let mut file = fixture.create(0);
    file.append(b"x");
    assert_eq!(file.finish(false, &at_most(2), NOW), Finished { path: None, problem: None });
    assert_eq!(paths.map(|path| path.exists()), [false, true, true]);
    assert_eq!(fixture.names().len(), 2);
}

#[test]
fn age_and_size_prune_as_the_number_does() {
    let fixture = fixture();
    let paths = [300, 200, 100].map(|seconds| fixture.ended(seconds, &[0; 1000]));
    let there = || paths.each_ref().map(|path| path.exists());
    let no_limit = KeepRule { files: None, age: None, bytes: None };
    let age = Some(std::time::Duration::from_secs(250));
    fixture.create(50).finish(true, &KeepRule { age, ..no_limit }, NOW);
    assert_eq!(there(), [false, true, true]);

    let large = |rule: KeepRule, seconds_ago: i64| {
        let mut file = fixture.create(seconds_ago);
        file.append(&[0; 1500]);
        file.finish(true, &rule, NOW).path.unwrap()
    };
    let first = large(KeepRule { bytes: Some(2500), ..no_limit }, 40);
    assert_eq!(there(), [false, false, true]);
    let second = large(KeepRule { bytes: Some(1), ..no_limit }, 30);
    assert!(second.exists() && !first.exists());
    assert_eq!(fixture.names().len(), 1);
}

#[test]
fn a_directory_of_the_administrators_that_a_group_can_write_will_do() {
    let fixture = fixture();
    fs::create_dir_all(fixture.dir()).unwrap();
    chmod(&fixture.dir(), 0o2770);
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(fixture.dir(), Some(12_345), None).unwrap();
    }
    assert!(fixture.ended(0, b"x").exists());
}

#[test]
fn a_directory_of_the_label_that_others_can_write_is_refused() {
    let fixture = fixture();
    fs::create_dir_all(fixture.of_label()).unwrap();
    for mode in [0o770, 0o702, 0o1777] {
        chmod(&fixture.of_label(), mode);
        let why = fixture.try_create(0).unwrap_err();
        let expected = "can be written by others; take that away (chmod go-w)";
        assert_eq!(why, format!("'{}' {expected}", fixture.of_label().display()));
    }
    chmod(&fixture.of_label(), 0o755);
    assert!(fixture.try_create(0).is_ok());
}

#[test]
fn a_link_in_the_place_of_the_directory_is_not_followed() {
    let fixture = fixture();
    let elsewhere = fixture.root.path().join("elsewhere");
    fs::create_dir_all(fixture.dir()).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, fixture.of_label()).unwrap();
    let why = fixture.try_create(0).unwrap_err();
    let expected = "not a directory; move away what is there, or name another directory";
    assert_eq!(why, format!("'{}': {expected}", fixture.of_label().display()));
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}

#[test]
fn a_link_in_the_place_of_the_file_is_not_followed() {
    let fixture = fixture();
    let run = RunId::new();
    let target = fixture.root.path().join("target");
    fs::create_dir_all(fixture.of_label()).unwrap();
    chmod(&fixture.of_label(), 0o700);
    symlink(&target, fixture.of_label().join(keep::file_name(NOW, run))).unwrap();
    let why = LogFile::create(&fixture.dir(), &fixture.label, run, NOW).unwrap_err();
    assert!(why.ends_with(".log': file exists; move away what is there, or name another directory"), "{why}");
    assert!(!target.exists());
}

#[test]
fn what_cannot_be_made_is_named_with_a_hint() {
    let path = || PathBuf::from("/var/log/x/pg-backup");
    for (error, words) in [
        (Errno::EACCES, "permission denied; let this user write there, or name another directory"),
        (Errno::ENOSPC, "no space left on device; make room, or name another directory"),
        (Errno::EROFS, "read-only file system; name another directory"),
    ] {
        let refusal = Refusal::Error(path(), error);
        assert_eq!(in_words(&refusal), format!("'/var/log/x/pg-backup': {words}"));
    }
    let why = LogFile::create(Path::new("/proc/nowhere"), &fixture().label, RunId::new(), NOW).unwrap_err();
    assert!(why.starts_with("'/proc/nowhere': "), "{why}");
}

#[test]
fn files_of_others_and_other_files_are_never_touched() {
    let fixture = fixture();
    let ours = fixture.ended(50, b"x");
    let of_label = fixture.of_label();
    let strange = [
        "latest.log",
        "20200101T000000Z-00000000.log.gz",
        "20200101T000000Z-0000000G.log",
        "20209901T000000Z-00000000.log",
    ];
    for name in strange {
        fs::write(of_label.join(name), "x").unwrap();
    }
    // Of our name, and nothing of ours.
    fs::create_dir(of_label.join("20200101T000000Z-00000001.log")).unwrap();
    symlink(of_label.join("latest.log"), of_label.join("20200101T000000Z-00000002.log")).unwrap();
    nix::unistd::mkfifo(&of_label.join("20200101T000000Z-00000003.log"), nix::sys::stat::Mode::S_IRWXU)
        .unwrap();
    let mut untouched = 7;
    if nix::unistd::geteuid().is_root() {
        let name = of_label.join("20200101T000000Z-00000004.log");
        fs::write(&name, "x").unwrap();
        std::os::unix::fs::chown(&name, Some(12_345), None).unwrap();
        untouched += 1;
    }
    for rule in [at_most(1), KeepRule { bytes: Some(1), ..at_most(1) }] {
        let own = fixture.create(0).finish(true, &rule, NOW).path.unwrap();
        assert!(own.exists() && !ours.exists());
        assert_eq!(fixture.names().len(), untouched + 1);
    }
}

#[test]
fn the_file_of_a_run_under_way_is_left_alone_and_takes_no_place_of_those_that_have_ended() {
    let fixture = fixture();
    let failed = fixture.ended(90, b"failed");
    let mut under_way = [80, 70, -10].map(|seconds| fixture.create(seconds));
    fixture.create(0).finish(false, &at_most(1), NOW);
    assert!(failed.exists(), "the only one that is kept so far");
    under_way[0].append(b"still here");
    let [one, other, third] = under_way;
    let path = one.finish(true, &at_most(1), NOW).path.unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"still here");
    assert!(!failed.exists());
    assert_eq!(fixture.names().len(), 3);
    other.finish(false, &at_most(1), NOW);
    third.finish(false, &at_most(1), NOW);
    assert!(path.exists());
}

#[test]
fn runs_that_end_at_once_prune_without_getting_in_each_others_way() {
    const THREADS: usize = 8;
    let fixture = fixture();
    for round in 0..20 {
        let before: Vec<_> = (0..20).map(|place| fixture.ended(1000 + place, b"x")).collect();
        let files: Vec<_> = (0..THREADS).map(|_| fixture.create(-2 * round)).collect();
        let mut names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
        names.sort();
        let together = Barrier::new(THREADS);
        let end = |mut file: LogFile| {
            together.wait();
            file.append(b"x");
            file.finish(true, &at_most(5), NOW)
        };
        let finished: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = files.into_iter().map(|file| scope.spawn(|| end(file))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(finished.iter().all(|one| one.problem.is_none()), "{finished:?}");
        // Who finds another pruning leaves to the next run what that one has not seen; but what is
        // among the newest whoever prunes is there.
        let newest = &names[THREADS - 4..];
        assert!(newest.iter().all(|name| fixture.of_label().join(name).exists()), "{:?}", fixture.names());
        let last = fixture.create(-2 * round - 1).finish(true, &at_most(5), NOW).path.unwrap();
        assert_eq!(fixture.names().len(), 5);
        assert!(last.exists() && !before.iter().any(|path| path.exists()));
    }
}

#[test]
fn a_file_that_is_made_while_others_prune_is_not_taken_for_one_of_a_dead_run() {
    let fixture = fixture();
    fixture.ended(0, b"x");
    let directory = Directory::open(&fixture.of_label()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                prune::prune(&directory, &at_most(1), None, NOW);
            }
        });
        let problems: Vec<_> =
            (0..500).filter_map(|_| fixture.create(1000).finish(true, &at_most(1000), NOW).problem).collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(problems, [""; 0]);
    });
}

#[test]
fn a_short_write_is_continued_until_there_is_an_error() {
    let mut file = fixture().create(0);
    let (reader, writer) = crate::sys::pipes::pipe().unwrap();
    for end in [&reader, &writer] {
        nix::fcntl::fcntl(end, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    }
    file.file = writer.into();
    file.append(&[0; 1_000_000]);
    let mut taken = vec![0; 1_000_000];
    assert_eq!(file.written, nix::unistd::read(&reader, &mut taken).unwrap() as u64);
    assert_eq!(file.error, Some(Errno::EAGAIN));
}

#[test]
fn a_write_that_fails_ends_the_file_and_is_told_once_at_the_end() {
    let fixture = fixture();
    let mut file = fixture.create(0);
    file.append(b"kept");
    file.file = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    file.append(b"lost");
    assert_eq!((file.written, file.error), (4, Some(Errno::ENOSPC)));
    let path = fixture.of_label().join(&file.name);
    file.file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.append(b"lost as well");
    let finished = file.finish(true, &KeepRule::default(), NOW);
    assert_eq!(fs::read(&path).unwrap(), b"kept");
    let problem = format!("'{}' ends after 4 B of the output: no space left on device", path.display());
    assert_eq!(finished, Finished { path: Some(path), problem: Some(problem) });
}

#[test]
fn what_was_put_in_the_place_of_the_file_is_neither_removed_nor_passed_off_as_it() {
    let fixture = fixture();
    for keep in [true, false] {
        let file = fixture.create(0);
        let path = fixture.of_label().join(&file.name);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        let finished = file.finish(keep, &KeepRule::default(), NOW);
        assert_eq!(finished.path, None);
        assert_eq!(finished.problem.is_some(), keep, "{finished:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
    }
    let file = fixture.create(0);
    fs::remove_file(fixture.of_label().join(&file.name)).unwrap();
    let problem = file.finish(true, &KeepRule::default(), NOW).problem.unwrap();
    assert!(problem.ends_with("was removed or replaced while the run was under way"), "{problem}");
}
