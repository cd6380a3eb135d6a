//! `--log-dir`, `--log-keep` and `--log-when`: whole outputs in files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;

use crate::support::{End, Host, eventually};

/// The files of a label, oldest first.
fn files(host: &Host, label: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(host.path("logs").join(label)).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn log(host: &Host, options: &[&str], job: &str) -> End {
    let options = [&["-l", "job", "--log-dir", "logs", "--sink", "none"], options].concat();
    host.wrap(&options, job).run().end()
}

#[test]
fn the_whole_output_of_a_run_is_in_a_file_of_its_own() {
    let host = Host::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(host.path("bytes"), &bytes).unwrap();
    let file = fs::File::create(host.path("both")).unwrap();
    let options = ["-l", "job", "--log-dir", "logs", "--sink", &host.log()];
    let invocation = host.wrap(&options, "echo first; echo second >&2; cat bytes");
    let ran = invocation.stdout(file.try_clone().unwrap()).stderr(file).run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let [path] = &files(&host, "job")[..] else { panic!("{ran}") };
    let content = fs::read(path).unwrap();
    assert!(content == [b"first\nsecond\n", &bytes[..]].concat());
    assert!(content == fs::read(host.path("both")).unwrap());
    assert_eq!((mode(path), mode(path.parent().unwrap()), mode(&host.path("logs"))), (0o600, 0o700, 0o700));

    let finished = host.events().pop().unwrap();
    assert_eq!(finished["output"]["log"], path.to_str().unwrap(), "{finished}");
    let started: String = finished["started_at"].as_str().unwrap()[..19].replace(['-', ':'], "");
    let name = path.file_name().unwrap().to_str().unwrap();
    let (time, rest) = name.split_once("Z-").unwrap();
    assert_eq!(time, started);
    let id = rest.strip_suffix(".log").unwrap();
    assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
}

#[test]
fn streams_that_go_elsewhere_and_what_is_held_back_are_in_the_file_all_the_same() {
    let host = Host::new();
    let ran = host.wrap(&["-l", "job", "--log-dir", "logs", "--quiet"], "echo out; echo err >&2").run();
    assert_eq!((ran.end(), &*ran.stdout_text(), &*ran.stderr), (End::Code(0), "out\n", &b""[..]), "{ran}");
    let text = fs::read_to_string(&files(&host, "job")[0]).unwrap();
    // Of two pipes the order is that in which they were read.
    assert!(["out\nerr\n", "err\nout\n"].contains(&&*text), "{text}");
    assert_eq!(
        log(&host, &["--retries", "1", "--retry-delay", "1ms"], "echo $CRONWARD_RUN_ATTEMPT; exit 3"),
        End::Code(3)
    );
    let contents: Vec<_> = files(&host, "job").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(contents.contains(&"1\n2\n".to_owned()), "{contents:?}");
}

#[test]
fn old_files_are_pruned_by_number_age_and_size() {
    let host = Host::new();
    for _ in 0..6 {
        log(&host, &["--log-keep", "4"], "echo x");
    }
    assert_eq!(files(&host, "job").len(), 4);
    log(&host, &[], "echo x");
    assert_eq!(files(&host, "job").len(), 5, "a hundred are kept unless something else is said");

    // One whose name says that it is from long ago.
    let directory = host.path("logs/job");
    let old = directory.join("20200101T000000Z-0123abcd.log");
    let strange = directory.join("notes.txt");
    fs::write(&strange, "of somebody else").unwrap();
    fs::write(&old, "old").unwrap();
    log(&host, &["--log-keep", "30d"], "echo x");
    assert!(!old.exists() && strange.exists());
    assert_eq!(files(&host, "job").len(), 7);

    log(&host, &["--log-keep", "5kB,30d"], "head -c 4998 /dev/zero");
    assert!(strange.exists());
    let sizes: Vec<_> = files(&host, "job").iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    assert_eq!(sizes.len(), 3, "one of two bytes beside it, and the notes: {sizes:?}");
    log(&host, &["--log-keep", "1B"], "head -c 5000 /dev/zero");
    assert_eq!(files(&host, "job").len(), 2, "its own is kept, however large");
}

#[test]
fn only_those_of_failures_are_kept_if_that_is_wanted() {
    let host = Host::new();
    let options = ["--log-when", "failed"];
    assert_eq!(log(&host, &options, "echo fine"), End::Code(0));
    assert_eq!(
        log(&host, &["--log-when", "failed", "--warn-codes", "4"], "echo so so; exit 4"),
        End::Code(4)
    );
    assert_eq!(files(&host, "job").len(), 0);
    assert_eq!(log(&host, &options, "echo bad; exit 3"), End::Code(3));
    assert_eq!(
        log(&host, &[&options[..], &["--timeout", "200ms"]].concat(), "echo slow; exec sleep 1000"),
        End::Code(124)
    );
    let contents: Vec<_> = files(&host, "job").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(contents.len() == 2 && contents.contains(&"bad\n".into()) && contents.contains(&"slow\n".into()));
    assert_eq!(log(&host, &["--log-when", "always"], "echo fine"), End::Code(0));
    assert_eq!(files(&host, "job").len(), 3);
}

#[test]
fn where_no_file_can_be_made_the_job_runs_and_both_the_caller_and_the_events_are_told() {
    let host = Host::new();
    fs::write(host.path("logs"), "in the way").unwrap();
    let options = ["-l", "job", "--log-dir", "logs", "--sink", &host.log()];
    let ran = host.wrap(&options, "echo out; echo err >&2; exit 0").run();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(0), "out\n"), "{ran}");
    let words = ran.own_words();
    assert!(words.len() == 1 && words[0].starts_with("cronward: job: the output is not logged: '"), "{ran}");
    assert_eq!(ran.stderr_of_job(), b"err\n", "{ran}");
    let finished = host.events().pop().unwrap();
    assert_eq!(format!("cronward: job: {}", finished["problems"][0].as_str().unwrap()), words[0]);
    assert!(finished.get("output").is_none(), "{finished}");
}

/// The file stays as it is, and the next run counts it like any other.
#[test]
fn a_cronward_that_is_killed_leaves_the_file() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let options = ["-l", "job", "--log-dir", "logs"];
    let running = host.wrap(&options, "echo begun; echo ready >ready; read x <hold").start();
    ready.line();
    let path = files(&host, "job").remove(0);
    eventually("it is written while the job runs", || fs::read(&path).unwrap() == b"begun\n");
    log(&host, &["--log-keep", "1"], "echo other");
    assert!(path.exists(), "it belongs to a run under way");
    running.signal(libc::SIGKILL);
    running.wait();
    hold.say("go");
    assert_eq!(fs::read(&path).unwrap(), b"begun\n");
    log(&host, &["--log-keep", "1"], "echo third");
    assert!(!path.exists());
    assert_eq!(files(&host, "job").len(), 1);
}

#[test]
fn ten_runs_at_once_have_ten_files() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let runs: Vec<_> = (0..10)
        .map(|number| {
            let job = format!("echo run {number}; echo ready >ready; read x <hold; echo end {number}");
            host.wrap(&["-l", "job", "--log-dir", "logs", "--log-keep", "20"], &job).start()
        })
        .collect();
    (0..10).for_each(|_| drop(ready.line()));
    (0..10).for_each(|_| hold.say("go"));
    for run in runs {
        let ran = run.wait();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
    }
    let mut contents: Vec<_> =
        files(&host, "job").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    contents.sort();
    let expected: Vec<_> = (0..10).map(|number| format!("run {number}\nend {number}\n")).collect();
    assert_eq!(contents, expected);
}

#[test]
fn a_label_of_any_kind_is_one_directory_below() {
    let host = Host::new();
    for label in ["a/b", "..", ".", "../../escape", "-x y\n", "ä"] {
        let ran = host.cronward([&*format!("--label={label}"), "--log-dir", "logs", "--", "echo", "x"]).run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
        assert!(ran.stderr.is_empty(), "{ran}");
    }
    let directories: Vec<_> = fs::read_dir(host.path("logs")).unwrap().flatten().collect();
    assert_eq!(directories.len(), 6);
    for directory in directories {
        assert!(directory.file_type().unwrap().is_dir());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
    assert!(!host.path("escape").exists() && !host.directory().parent().unwrap().join("escape").exists());
}

#[test]
fn bad_values_are_usage_errors_and_nothing_is_run() {
    let host = Host::new();
    for (option, value) in [
        ("--log-keep", ""),
        ("--log-keep", "0"),
        ("--log-keep", "some"),
        ("--log-keep", "5M"),
        ("--log-keep", "3,4"),
        ("--log-when", "never"),
        ("--log-when", ""),
    ] {
        let arguments = ["--log-dir", "logs", &format!("{option}={value}"), "--", "touch", "ran"];
        let ran = host.cronward(arguments).run();
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        let said = ran.stderr_text();
        assert!(said.lines().count() == 1 && said.contains(option) && said.contains(value), "{ran}");
        assert!(!host.path("ran").exists() && !host.path("logs").exists(), "{ran}");
    }
    let ran = host.cronward(["--", "touch", "ran"]).env("CRONWARD_LOG_DIR", "relative").run();
    assert_eq!(ran.end(), End::Code(125), "{ran}");
    assert!(ran.stderr_text().contains("CRONWARD_LOG_DIR") && !host.path("ran").exists(), "{ran}");
}

#[test]
fn a_full_disk_ends_the_file_and_not_the_job() {
    use crate::support::Situation;

    let host = Host::new();
    let small_files = Situation { limits: vec![(libc::RLIMIT_FSIZE, 100_000)], ..Situation::default() };
    let (reader, writer) = crate::support::situation::pipe();
    let drained = std::thread::spawn(move || {
        let mut reader = reader;
        std::io::copy(&mut reader, &mut std::io::sink()).unwrap()
    });
    let options = ["-l", "job", "--log-dir", "logs", "--sink", &host.log()];
    let ran = host.wrap(&options, "head -c 500000 /dev/zero").situation(&small_files).stdout(writer).run();
    assert_eq!((ran.end(), drained.join().unwrap()), (End::Code(0), 500_000), "{ran}");
    assert_eq!(fs::metadata(&files(&host, "job")[0]).unwrap().len(), 100_000);
    let words = ran.own_words();
    assert!(words.len() == 1 && words[0].ends_with("of the output: file too large"), "{ran}");
    assert!(ran.took < Duration::from_secs(10), "{ran}");
}
