use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

use super::*;
use crate::outcome::Outcome;
use crate::policy::History;
use crate::sinks::exposition::reader::{parse, value};
use crate::sinks::sample;

const FILE: &str = "cronward_x.prom";
const TEMPORARY: &str = ".cronward_x.prom.tmp";

/// A directory, and a sink of it.
struct Fixture {
    dir: tempfile::TempDir,
    sink: Arc<dyn Sink>,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let sink = sample::opening(dir.path().to_str().unwrap(), open).unwrap();
    Fixture { dir, sink }
}

impl Fixture {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn tell(&self, notices: &[Notice]) -> Result<(), String> {
        self.sink.deliver(notices, Deadline::after(Duration::from_secs(60)))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A first failure of job `x`, and the text that it makes.
fn failed() -> (Vec<Notice>, String) {
    let notices = sample::failed(sample::job("x"));
    let text = page(&notices[0], &Before::default()).unwrap();
    (notices, text)
}

#[test]
fn every_job_has_a_file_that_all_can_read_and_the_check_has_one() {
    let fixture = fixture();
    let alive = Notice::alive(Arc::new(sample::job("x")), sample::ENDED_AT);
    let job = |label| sample::failed(sample::job(label)).remove(0);
    let notices = [job("x"), job("../x"), job("check"), job("é ö"), job(&"l".repeat(300)), alive];
    assert_eq!(fixture.tell(&notices), Ok(()));
    let names = fixture.names();
    assert_eq!(
        names[..5],
        [
            "cronward-check.prom",
            "cronward_%2E.%2Fx.prom",
            "cronward_%C3%A9%20%C3%B6.prom",
            "cronward_check.prom",
            &file_name(&notices[4]),
        ]
    );
    for name in &names {
        let found = fixture.path(name).metadata().unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, 0o644, "{name}");
        parse(&fs::read_to_string(fixture.path(name)).unwrap()).unwrap();
    }
    assert_eq!(names.len(), notices.len());
}

#[test]
fn what_a_dry_run_shows_is_what_is_written() {
    let fixture = fixture();
    let (notices, text) = failed();
    assert_eq!(fixture.sink.preview(&notices), [format!("{}\n{text}", fixture.path(FILE).display())]);
    assert_eq!(fixture.names(), Vec::<String>::new());
    fixture.tell(&notices).unwrap();
    assert_eq!(fs::read_to_string(fixture.path(FILE)).unwrap(), text);
}

#[test]
fn a_text_that_is_there_already_is_not_written_again() {
    let fixture = fixture();
    let (notices, _) = failed();
    fixture.tell(&notices).unwrap();
    let inode = || fixture.path(FILE).metadata().unwrap().ino();
    let before = inode();
    fixture.tell(&notices).unwrap();
    assert_eq!(inode(), before);
}

#[test]
fn what_another_run_has_just_written_is_heeded_and_what_is_old_is_not() {
    let fixture = fixture();
    let next = |before: &History, outcome| {
        sample::ended(sample::job("x"), before, sample::run(outcome, 0, None)).remove(0)
    };
    let first = next(&History::default(), Outcome::Failed);
    let second = next(first.news.finished().unwrap().history.as_ref().unwrap(), Outcome::Ok);
    let alert_is_open = |notice| {
        fixture.tell(std::slice::from_ref(notice)).unwrap();
        let families = parse(&fs::read_to_string(fixture.path(FILE)).unwrap()).unwrap();
        value(&families, "cronward_alert_open", &[])
    };
    assert_eq!((alert_is_open(&second), alert_is_open(&first)), (Some(0.0), Some(0.0)));
    let hour = Duration::from_secs(3600);
    let file = File::options().write(true).open(fixture.path(FILE)).unwrap();
    file.set_modified(file.metadata().unwrap().modified().unwrap() - hour).unwrap();
    assert_eq!(alert_is_open(&first), Some(1.0));
}

#[test]
fn it_is_told_of_ends_and_alerts_at_once_and_confirms_none() {
    let sink = fixture().sink;
    let wanted = [Topic::End, Topic::Alert, Topic::Standing, Topic::Alive].map(|topic| sink.wants(topic));
    assert_eq!(
        (wanted, [Topic::Start, Topic::Overdue].map(|topic| sink.wants(topic))),
        ([true; 4], [false; 2])
    );
    assert!(sink.pace() == Pace::Prompt && !sink.confirms() && !sink.hears_the_others());
    assert!(sink.only_shows());
}

#[test]
fn targets_are_read_strictly() {
    let refused = |target: &str| sample::opening(target, |opening| open(opening).err().unwrap());
    assert_eq!(refused(""), "it names no directory");
    assert_eq!(refused("metrics"), "'metrics' is relative; write an absolute path");
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error_in_words() {
    let fixture = fixture();
    let (notices, _) = failed();
    let told = |dir: &str| {
        let sink = sample::opening(dir, open).unwrap();
        sink.deliver(&notices, Deadline::after(Duration::from_secs(60))).unwrap_err()
    };
    let missing = fixture.path("missing");
    assert_eq!(told(missing.to_str().unwrap()), "there is no such directory; make it");
    fs::write(fixture.path("file"), "").unwrap();
    assert_eq!(told(fixture.path("file").to_str().unwrap()), "not a directory");
    // Where nobody can make a file, not even root.
    let said = told("/proc");
    assert!(said.starts_with("'.cronward_x.prom.tmp' cannot be written: "), "{said}");
}

#[test]
fn what_a_writer_left_behind_that_was_killed_is_replaced() {
    let (notices, text) = failed();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    for leave in [
        &|path: &Path| fs::write(path, "# half").unwrap(),
        &|path: &Path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap_or_else(|_| {
                fs::write(path, "").unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
            })
        },
        // None of which is ours, and none of which may be written through.
        &|path: &Path| symlink(&target, path).unwrap(),
        &|path: &Path| fs::hard_link(&target, path).unwrap(),
        &|path: &Path| mkfifo(path, Mode::S_IRWXU).unwrap(),
    ] as [&dyn Fn(&Path); 5]
    {
        let fixture = fixture();
        fs::write(&target, "mine").unwrap();
        leave(&fixture.path(TEMPORARY));
        assert_eq!(fixture.tell(&notices), Ok(()));
        assert_eq!(fixture.names(), [FILE]);
        assert_eq!(fs::read_to_string(fixture.path(FILE)).unwrap(), text);
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    }
}

#[test]
fn what_cannot_be_a_leftover_is_said() {
    let fixture = fixture();
    fs::create_dir(fixture.path(TEMPORARY)).unwrap();
    let said = fixture.tell(&failed().0).unwrap_err();
    assert!(said.starts_with("'.cronward_x.prom.tmp' is in the way and cannot be removed: "), "{said}");
}

#[test]
fn a_file_that_is_none_is_left_alone() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    fs::write(&target, "mine").unwrap();
    for make in [
        &|path: &Path| symlink(&target, path).unwrap(),
        &|path: &Path| fs::create_dir(path).unwrap(),
        &|path: &Path| mkfifo(path, Mode::S_IRWXU).unwrap(),
    ] as [&dyn Fn(&Path); 3]
    {
        let fixture = fixture();
        make(&fixture.path(FILE));
        let said = format!("'{FILE}' is not a regular file; move it away");
        assert_eq!((fixture.tell(&failed().0), fixture.names()), (Err(said), vec![FILE.to_owned()]));
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    }
}

/// Two users' jobs of one label would be one series with two histories.
#[test]
fn a_file_that_belongs_to_another_user_is_left_alone() {
    if !geteuid().is_root() {
        // Only root can give things away.
        return;
    }
    let fixture = fixture();
    fs::write(fixture.path(FILE), "theirs").unwrap();
    std::os::unix::fs::chown(fixture.path(FILE), Some(12_345), None).unwrap();
    let said = format!("'{FILE}' belongs to user 12345; use another label or another directory");
    assert_eq!(fixture.tell(&failed().0), Err(said));
    assert_eq!(fs::read_to_string(fixture.path(FILE)).unwrap(), "theirs");
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_others_theirs() {
    let fixture = fixture();
    fs::create_dir(fixture.path(FILE)).unwrap();
    let job = |label| sample::failed(sample::job(label)).remove(0);
    assert!(fixture.tell(&[job("x"), job("y")]).is_err());
    assert_eq!(fixture.names(), [FILE, "cronward_y.prom"]);
}

#[test]
fn a_writer_that_does_not_end_is_waited_for_no_longer_than_there_is_time() {
    let fixture = fixture();
    let (notices, _) = failed();
    let other = File::create(fixture.path(TEMPORARY)).unwrap();
    other.lock().unwrap();
    let said = format!("'{FILE}' is being written by another cronward, which does not end");
    for limit in [Duration::ZERO, Duration::from_secs(60)] {
        let began = crate::clock::Stopwatch::start();
        assert_eq!(fixture.sink.deliver(&notices, Deadline::after(limit)), Err(said.clone()));
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        assert_eq!(fixture.names(), [TEMPORARY]);
    }
    other.unlock().unwrap();
    assert_eq!(fixture.tell(&notices), Ok(()));
    assert_eq!(fixture.names(), [FILE]);
}

/// However many write at once, in whatever order.
#[test]
fn a_reader_sees_whole_files_whose_counters_never_go_back() {
    const RUNS: usize = 200;
    let fixture = fixture();
    let mut history = History::default();
    let notices: Vec<Notice> = (0..RUNS)
        .map(|at| {
            let outcome = if at % 3 == 0 { Outcome::Failed } else { Outcome::Ok };
            let notice = sample::ended(sample::job("x"), &history, sample::run(outcome, 0, None)).remove(0);
            history = notice.news.finished().unwrap().history.clone().unwrap();
            notice
        })
        .collect();
    let count = |outcome| {
        let text = fs::read_to_string(fixture.path(FILE)).ok()?;
        let families = parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        assert!(families.len() >= 11, "{text}");
        value(&families, "cronward_runs_total", &[("outcome", outcome)])
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut before, mut seen) = (0.0, 0);
            while !over.load(Ordering::Relaxed) {
                let now = count("ok").unwrap_or(0.0);
                assert!(now >= before, "{now} after {before}");
                seen += usize::from(now > before);
                before = now;
            }
            seen
        });
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (fixture, mine) = (&fixture, notices.iter().skip(writer).step_by(8));
                scope.spawn(move || mine.map(|notice| fixture.tell(std::slice::from_ref(notice))).collect())
            })
            .collect();
        let answers: Vec<Vec<Result<(), String>>> =
            writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        assert!(answers.concat().iter().all(Result::is_ok), "{answers:?}");
        assert!(reader.join().unwrap() > 3, "the reader has not seen them change");
    });
    assert_eq!(["ok", "failed"].map(count), [Some(133.0), Some(67.0)]);
    assert_eq!(fixture.names(), [FILE]);
}
