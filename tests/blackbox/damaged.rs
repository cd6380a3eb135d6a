//! Monitoring never hurts the job: whatever has become of the state, it runs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::situation::{is_root, make_fifo};
use crate::support::{End, Host, Ran};

/// The job runs, its status and output are untouched, there is one warning, and the one alert that a
/// failure without a history is.
fn runs_with_one_warning(host: &Host, what: &str, options: &[&str]) -> Ran {
    let _ = fs::remove_file(host.path("alert"));
    let options: Vec<&str> =
        [&["-l", "job", "--alert-after", "3", "--sink", "exec:cat >alert"], options].concat();
    let ran = host.wrap(&options, "echo out; echo err >&2; exit 3").run();
    assert_eq!(ran.end(), End::Code(3), "{what}\n{ran}");
    assert_eq!(ran.stdout_text(), "out\n", "{what}\n{ran}");
    assert_eq!(ran.stderr_of_job(), b"err\n", "{what}\n{ran}");
    assert_eq!(ran.own_words().len(), 1, "{what}\n{ran}");
    ran
}

fn alert_was_sent(host: &Host) -> bool {
    fs::read_to_string(host.path("alert")).is_ok_and(|event| event.contains("alert.opened"))
}

#[test]
fn a_state_directory_that_cannot_be_had_is_one_warning_and_a_failure_alerts_at_once() {
    let host = Host::new();
    fs::write(host.path("file"), "").unwrap();
    fs::create_dir(host.path("open")).unwrap();
    fs::set_permissions(host.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::create_dir(host.path("target")).unwrap();
    symlink(host.path("target"), host.path("link")).unwrap();
    symlink("loop", host.path("loop")).unwrap();
    fs::create_dir(host.path("readonly")).unwrap();
    fs::set_permissions(host.path("readonly"), fs::Permissions::from_mode(0o500)).unwrap();
    let mut places = vec!["file", "file/below", "/proc/no/such", "open", "link", "loop", "/dev/null"];
    if !is_root() {
        places.extend(["readonly", "/etc/x"]);
    }
    for place in places {
        let ran = runs_with_one_warning(&host, place, &["--state-dir", place]);
        assert!(alert_was_sent(&host), "{place}: no history is no reason to be silent\n{ran}");
    }
    assert!(fs::read_dir(host.path("target")).unwrap().next().is_none(), "a link was followed");
}

#[test]
fn a_success_without_a_history_alerts_nobody() {
    let host = Host::new();
    fs::write(host.path("file"), "").unwrap();
    let ran = host.wrap(&["-l", "job", "--sink", "exec:cat >alert", "--state-dir", "file"], "echo out").run();
    assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(0), "out\n"), "{ran}");
    assert_eq!(ran.own_words().len(), 1, "{ran}");
    assert!(!host.path("alert").exists(), "{ran}");
}

/// Where cron, `env -i` or a daemon gave no home.
#[test]
fn without_a_home_the_job_runs() {
    let host = Host::new();
    for home in [None, Some("relative"), Some("")] {
        let mut invocation = host.wrap(&["-l", "homeless", "--sink", "none"], "echo out; exit 3");
        invocation = invocation.without_env("CRONWARD_STATE_DIR").without_env("HOME");
        if let Some(home) = home {
            invocation = invocation.env("HOME", home);
        }
        if is_root() {
            // root's state has a place of its own, which a test must not write to.
            invocation = invocation.env("CRONWARD_STATE_DIR", host.state_dir());
        }
        let ran = invocation.run();
        assert_eq!((ran.end(), &ran.stdout_text()[..]), (End::Code(3), "out\n"), "{ran}");
        assert!(!host.path("relative").exists(), "{ran}");
    }
}

/// A state directory with a run of the job in it, and its journal.
fn with_a_journal() -> (Host, PathBuf) {
    let host = Host::new();
    let ran = host.wrap(&["-l", "job", "--sink", "none"], "exit 0").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let journal = find(&host.state_dir());
    (host, journal)
}

fn find(directory: &Path) -> PathBuf {
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            match entry.file_name() == "runs.jsonl" {
                true => return entry.path(),
                false if entry.path().is_dir() => open.push(entry.path()),
                false => {}
            }
        }
    }
    panic!("no journal below {}", directory.display());
}

#[test]
fn a_journal_that_is_something_else_is_one_warning() {
    type Damage = fn(&Path);
    let kinds: [(&str, Damage); 6] = [
        ("garbage", |path| fs::write(path, [0xff, 0, b'\n', b'{', 0xfe].repeat(1000)).unwrap()),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a FIFO", make_fifo),
        ("a link", |path| symlink("/etc/passwd", path).unwrap()),
        ("a link to nothing", |path| symlink("/no/such", path).unwrap()),
        ("of a newer version", |path| fs::write(path, "{\"v\":99,\"end\":{},\"fold\":{}}\n").unwrap()),
    ];
    for (what, damage) in kinds {
        let (host, journal) = with_a_journal();
        fs::remove_file(&journal).unwrap();
        damage(&journal);
        let ran = runs_with_one_warning(&host, what, &[]);
        assert!(alert_was_sent(&host), "{what}: no history is no reason to be silent\n{ran}");
    }
}

/// What is around the journal can be wrong too; then there is no history either, and no lock.
#[test]
fn a_state_directory_with_something_else_in_it_is_one_warning() {
    type Damage = fn(&Path);
    let kinds: [(&str, Damage); 4] = [
        ("a file", |path| fs::write(path, "x").unwrap()),
        ("a FIFO", make_fifo),
        ("a link", |path| symlink("/tmp", path).unwrap()),
        ("a loop", |path| symlink(path, path).unwrap()),
    ];
    for (what, damage) in kinds {
        for levels in 1..=2 {
            let (host, journal) = with_a_journal();
            let place = journal.ancestors().nth(levels).unwrap();
            fs::remove_dir_all(place).unwrap();
            damage(place);
            let what = format!("{what} in place of {}", place.display());
            let ran = runs_with_one_warning(&host, &what, &[]);
            assert!(alert_was_sent(&host), "{what}: no history is no reason to be silent\n{ran}");
            let ran = host.wrap(&["-l", "job", "--lock"], "touch ran").run();
            assert_eq!(ran.end(), End::Code(125), "{what}\n{ran}");
            assert!(!host.path("ran").exists(), "{what}\n{ran}");
        }
    }
}

#[test]
fn a_corrupt_journal_is_kept_aside_and_a_newer_one_is_left_alone() {
    let (host, journal) = with_a_journal();
    let garbage = b"\xff\xfenot a journal\n".repeat(100);
    fs::write(&journal, &garbage).unwrap();
    runs_with_one_warning(&host, "garbage", &[]);
    let siblings = fs::read_dir(journal.parent().unwrap()).unwrap().flatten();
    assert!(
        siblings
            .map(|file| fs::read(file.path()).unwrap_or_default())
            .any(|bytes| bytes.starts_with(&garbage))
    );
    let next = host.wrap(&["-l", "job", "--sink", "exec:true"], "exit 0").run();
    assert!(next.own_words().is_empty(), "the new journal is sound\n{next}");

    let (host, journal) = with_a_journal();
    let newer = "{\"v\":99,\"fold\":{\"x\":1}}\n";
    fs::write(&journal, newer).unwrap();
    runs_with_one_warning(&host, "newer", &[]);
    assert!(
        fs::read_to_string(&journal).unwrap().starts_with(newer),
        "what the newer one wrote is still there"
    );
}

/// A crash of the host tears the last line: an ordinary thing, and no word about it.
#[test]
fn a_torn_line_is_passed_over_silently() {
    let (host, journal) = with_a_journal();
    let whole = fs::read(&journal).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    for length in [1, 7, 20, (whole.len() - last) / 2, whole.len() - last - 1] {
        fs::write(&journal, &whole).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(&journal).unwrap();
        file.write_all(&whole[last..last + length]).unwrap();
        let before = host.journal("job").ends.len();
        let ran = host.wrap(&["-l", "job", "--sink", "exec:true", "--alert-after", "3"], "exit 3").run();
        assert_eq!(ran.end(), End::Code(3), "{ran}");
        assert!(ran.stderr.is_empty(), "{length} bytes\n{ran}");
        let after = host.journal("job");
        assert_eq!(after.ends.len(), before + 1, "{length} bytes\n{ran}");
        assert_eq!(after.fold["failures"], 1, "{length} bytes\n{ran}");
    }
}

#[test]
fn an_empty_journal_is_a_new_one() {
    let (host, journal) = with_a_journal();
    fs::write(&journal, "").unwrap();
    let ran = host.wrap(&["-l", "job"], "exit 0").run();
    assert_eq!((ran.end(), ran.stderr.len()), (End::Code(0), 0), "{ran}");
    assert_eq!(host.journal("job").outcomes(), ["ok"], "{ran}");
}

#[test]
fn state_is_for_its_owner_only() {
    let host = Host::new();
    let situation = crate::support::Situation { umask: Some(0), ..Default::default() };
    let ran = host.wrap(&["-l", "../x/y", "--lock", "--sink", "none"], "exit 0").situation(&situation).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let mut open = vec![host.state_dir()];
    let mut files = 0;
    while let Some(next) = open.pop() {
        let mode = fs::symlink_metadata(&next).unwrap().permissions().mode() & 0o7777;
        if next.is_dir() {
            assert_eq!(mode, 0o700, "{}", next.display());
            open.extend(fs::read_dir(&next).unwrap().flatten().map(|entry| entry.path()));
        } else {
            assert_eq!(mode, 0o600, "{}", next.display());
            files += 1;
        }
    }
    assert!(files > 0);
    assert!(!host.path("x").exists() && !host.path("state/x").exists(), "the label left its directory");
}
