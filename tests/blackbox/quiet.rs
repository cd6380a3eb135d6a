//! `--quiet`: what is held back, when it is shown, and that it is all there then.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;

use nix::libc;

use crate::support::situation;
use crate::support::{End, Host, Invocation, Situation, eventually};

/// Both streams into one open file, as under cron; it is read afterwards.
fn as_under_cron<'h>(host: &Host, invocation: Invocation<'h>) -> Invocation<'h> {
    let file = File::create(host.path("mail")).unwrap();
    invocation.stdout(file.try_clone().unwrap()).stderr(file)
}

fn mail(host: &Host) -> String {
    String::from_utf8(fs::read(host.path("mail")).unwrap()).unwrap()
}

/// The mail without cronward's own lines.
fn of_job(mail: &str) -> String {
    mail.split_inclusive('\n').filter(|line| !line.starts_with("cronward: ")).collect()
}

const TALK: &str = "echo one; echo two >&2; echo three; echo four >&2";
const TALKED: &str = "one\ntwo\nthree\nfour\n";

#[test]
fn a_success_is_silent_and_a_failure_shows_all_of_it_in_its_order() {
    let host = Host::new();
    for (options, ending, end, shown) in [
        (&["--quiet"][..], "exit 0", End::Code(0), false),
        (&["--quiet"], "exit 3", End::Code(3), true),
        (&["--quiet=failure"], "exit 3", End::Code(3), true),
        (&["--quiet", "--warn-codes", "24"], "exit 24", End::Code(24), false),
        (&["--quiet", "--ok-codes", "9"], "exit 9", End::Code(9), false),
        (&["--quiet"], "kill -9 $$", End::Signal(libc::SIGKILL), true),
        (&["--quiet", "--timeout", "300ms"], "exec sleep 1000", End::Code(124), true),
        (&["--quiet", "--expect", "1h.."], "exit 0", End::Code(0), true),
    ] {
        // Each is a job of its own: a second failure of the same would be no news.
        let label = format!("{options:?} {ending}");
        let options = [&["-l", &label], options].concat();
        let ran = as_under_cron(&host, host.wrap(&options, &format!("{TALK}; {ending}"))).run();
        assert_eq!(ran.end(), end, "{ran}");
        let mail = mail(&host);
        assert_eq!(of_job(&mail), if shown { TALKED } else { "" }, "{label}: {mail}");
        assert_eq!(mail.contains("cronward: "), shown, "the alert is a line of its own: {mail}");
        assert!(mail.lines().all(|line| !line[1.min(line.len())..].contains("cronward: ")), "{mail}");
    }
}

#[test]
fn a_job_that_was_told_to_stop_is_shown() {
    let host = Host::new();
    let (ready, _hold) = (host.fifo("ready"), host.fifo("hold"));
    let job = format!("{TALK}; echo ready >ready; exec cat hold");
    let running = as_under_cron(&host, host.wrap(&["--quiet"], &job)).start();
    ready.line();
    assert_eq!(mail(&host), "", "while it runs nothing is shown");
    running.signal(libc::SIGTERM);
    let ran = running.wait();
    assert_eq!((ran.end(), &*mail(&host)), (End::Signal(libc::SIGTERM), TALKED), "{ran}");
}

#[test]
fn what_was_not_started_or_skipped_has_nothing_to_show() {
    let host = Host::new();
    let ran = host.cronward(["--quiet", "--", "/no/such/program"]).run();
    assert_eq!((ran.end(), ran.stderr_of_job().len()), (End::Code(127), 0), "{ran}");
    assert!(ran.stderr_text().contains("/no/such/program"), "{ran}");

    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    let options = ["-l", "job", "--lock", "--quiet"];
    let running = host.wrap(&options, "echo ready >ready; read x <hold").start();
    ready.line();
    let ran = host.wrap(&options, TALK).run();
    assert_eq!((ran.end(), &*ran.stdout, &*ran.stderr), (End::Code(75), &b""[..], &b""[..]), "{ran}");
    hold.say("go");
    running.wait();
}

#[test]
fn a_stdout_that_goes_elsewhere_is_data_and_passes_at_once() {
    let host = Host::new();
    let (ready, hold) = (host.fifo("ready"), host.fifo("hold"));
    for ending in [0, 3] {
        let job = format!("{TALK}; echo ready >ready; read x <hold; exit {ending}");
        let (mut reader, writer) = situation::pipe();
        let running = host.wrap(&["--quiet"], &job).stdout(writer).start();
        ready.line();
        let mut data = [0; 10];
        reader.read_exact(&mut data).unwrap();
        assert_eq!(&data, b"one\nthree\n");
        hold.say("go");
        let ran = running.wait();
        let errors = if ending == 0 { &b""[..] } else { b"two\nfour\n" };
        assert_eq!((ran.end(), &*ran.stderr_of_job()), (End::Code(ending), errors), "{ran}");
    }
    let line = format!("\"$CRONWARD\" --quiet -c '{TALK}' | gzip | gzip -d");
    let ran = host.shell(&line).run();
    assert_eq!((&*ran.stdout_text(), &*ran.stderr), ("one\nthree\n", &b""[..]), "{ran}");
}

#[test]
fn with_an_alert_only_it_is_shown_while_one_is_open() {
    let host = Host::new();
    let sink = host.alert_sink();
    let options = ["-l", "job", "--quiet=alert", "--alert-after", "3", "--sink", &sink];
    for (code, shown) in [(1, false), (1, false), (1, true), (1, true), (0, false), (1, false)] {
        let ran = as_under_cron(&host, host.wrap(&options, &format!("{TALK}; exit {code}"))).run();
        assert_eq!(ran.end(), End::Code(code), "{ran}");
        assert_eq!(mail(&host), if shown { TALKED } else { "" }, "{:?}", host.journal("job").outcomes());
    }
    // Nobody can say whether one is open: then a failure is shown.
    let host = Host::new();
    fs::write(host.state_dir(), "in the way").unwrap();
    for (code, shown) in [(0, ""), (1, TALKED)] {
        let ran = as_under_cron(&host, host.wrap(&options, &format!("{TALK}; exit {code}"))).run();
        assert_eq!((ran.end(), &*of_job(&mail(&host))), (End::Code(code), shown), "{ran}");
    }
}

#[test]
fn all_attempts_are_shown_in_their_order_if_the_run_has_failed() {
    let host = Host::new();
    let options = ["--quiet", "--retries", "2", "--retry-delay", "1ms"];
    let job = |last| {
        format!(
            "echo o$CRONWARD_RUN_ATTEMPT; echo e$CRONWARD_RUN_ATTEMPT >&2; [ $CRONWARD_RUN_ATTEMPT = {last} ]"
        )
    };
    as_under_cron(&host, host.wrap(&options, &job(3))).run();
    assert_eq!(mail(&host), "");
    as_under_cron(&host, host.wrap(&options, &job(4))).run();
    assert_eq!(of_job(&mail(&host)), "o1\ne1\no2\ne2\no3\ne3\n");
}

/// Names in a directory.
fn names(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn what_is_too_much_for_memory_is_in_a_file_without_a_name() {
    let host = Host::new();
    let (ready, hold, place) = (host.fifo("ready"), host.fifo("hold"), host.path("tmp"));
    fs::create_dir(&place).unwrap();
    let job = "head -c 3000000 /dev/zero >&2; echo ready >ready; read x <hold; exit $x";
    let sink = host.alert_sink();
    let start = || host.wrap(&["--quiet", "--sink", &sink], job).env("TMPDIR", &place).start();
    let is_held = |pid: u32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let files = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
        files.into_iter().any(|file| file.starts_with(&place))
    };
    let running = start();
    ready.line();
    eventually("it is in a file", || is_held(running.pid()));
    assert_eq!(names(&place), 0);
    hold.say("3");
    let ran = running.wait();
    assert!(ran.end() == End::Code(3) && ran.stderr == vec![0; 3_000_000], "{ran}");
    assert_eq!(names(&place), 0);

    let running = start();
    ready.line();
    running.signal(libc::SIGKILL);
    running.wait();
    assert_eq!(names(&place), 0);
    hold.say("3");
}

/// What cannot be held back is shown: before anything is lost, and whatever becomes of the run.
#[test]
fn without_room_it_is_shown_and_nothing_is_lost() {
    let host = Host::new();
    let bytes: Vec<u8> = (0..6_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(host.path("bytes"), &bytes).unwrap();
    // No file of anybody's may be larger (setrlimit(2)); pipes are none.
    let small_files = Situation { limits: vec![(libc::RLIMIT_FSIZE, 2 << 20)], ..Situation::default() };
    for code in [0, 3] {
        let (mut reader, writer) = situation::pipe();
        let shown = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all).unwrap()
        });
        let options = ["-l", "job", "--quiet", "--sink", &host.alert_sink(), "--sink", &host.log()];
        let ran = host
            .wrap(&options, &format!("cat bytes >&2; exit {code}"))
            .situation(&small_files)
            .stderr(writer)
            .run();
        assert_eq!(ran.end(), End::Code(code), "{ran}");
        let shown = shown.join().unwrap();
        assert!(shown.starts_with(&bytes), "{} bytes", shown.len());
        let why = "cronward: job: the output could not be held back any longer: file too large\n";
        assert_eq!(String::from_utf8_lossy(&shown[bytes.len()..]), why);
        let finished = host.events().into_iter().rfind(|event| event["kind"] == "run.finished").unwrap();
        assert!(finished["problems"].to_string().contains("held back"), "{finished}");
    }
}

#[test]
fn a_hundred_megabytes_are_shown_whole() {
    let host = Host::new();
    let block: Vec<u8> = (0..1_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(host.path("block"), &block).unwrap();
    let job = "i=0; while [ $i -lt 100 ]; do cat block; i=$((i+1)); done; exit 3";
    let sink = host.alert_sink();
    let ran = as_under_cron(&host, host.wrap(&["--quiet", "--sink", &sink], job)).run();
    assert_eq!(ran.end(), End::Code(3), "{ran}");
    let mail = fs::read(host.path("mail")).unwrap();
    assert_eq!(mail.len(), 100_000_000);
    assert!(mail.chunks(1_000_000).all(|chunk| chunk == block));
}

#[test]
fn words_that_mean_nothing_are_usage_errors_and_nothing_is_run() {
    let host = Host::new();
    for value in ["", "sometimes", "Failure", "0.5"] {
        let ran = host.cronward([&*format!("--quiet={value}"), "--", "touch", "ran"]).run();
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        let said = ran.stderr_text();
        assert!(said.lines().count() == 1 && said.contains("--quiet") && said.contains(value), "{ran}");
        assert!(!host.path("ran").exists(), "{ran}");
    }
    // It takes no word of its own: what follows is the command.
    let ran = host.cronward(["--quiet", "touch", "ran"]).run();
    assert!(ran.end() == End::Code(0) && host.path("ran").exists(), "{ran}");
}

#[test]
fn a_reader_of_stderr_that_has_gone_changes_nothing() {
    let host = Host::new();
    let (reader, writer) = situation::pipe();
    drop(reader);
    let ran = host.wrap(&["--quiet"], &format!("{TALK}; exit 3")).stderr(OwnedFd::from(writer)).run();
    assert_eq!((ran.end(), &*ran.stdout_text()), (End::Code(3), "one\nthree\n"), "{ran}");
}
