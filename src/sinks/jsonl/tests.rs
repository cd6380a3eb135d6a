use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::fcntl::FdFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;
use crate::clock::Stopwatch;
use crate::job::CommandLine;
use crate::sinks::sample;

fn sink(target: &str) -> Arc<dyn Sink> {
    sample::opening(target, |opening| open(opening).unwrap())
}

fn refused(target: &str) -> String {
    sample::opening(target, |opening| open(opening).err().unwrap())
}

fn ample() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// A notice whose line is longer than a pipe takes at once, told from others by its letter.
fn long_notice(letter: char) -> Notice {
    let mut job = sample::job(&letter.to_string());
    job.command = CommandLine::Words(vec![letter.to_string().repeat(3 * libc::PIPE_BUF).into()]);
    sample::started(job)
}

/// Every line is one JSON object; their labels.
fn labels(lines: &str) -> Vec<String> {
    assert!(lines.is_empty() || lines.ends_with('\n'));
    let label = |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["label"].clone();
    lines.lines().map(|line| label(line).as_str().unwrap().to_owned()).collect()
}

#[test]
fn notices_are_appended_as_lines_that_only_the_owner_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let sink = sink(path.to_str().unwrap());
    assert_eq!(sink.pace(), Pace::Prompt);
    for label in ["a", "b"] {
        sink.deliver(&sample::failed(sample::job(label)), ample()).unwrap();
    }
    assert_eq!(labels(&std::fs::read_to_string(&path).unwrap()), ["a", "a", "b", "b"]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_path_that_cannot_be_opened_is_an_error_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let error = sink(directory.path().to_str().unwrap()).deliver(&[], ample()).unwrap_err();
    assert_eq!(error, "cannot open it: is a directory");
}

#[test]
fn targets_are_read_strictly() {
    let ours = std::fs::File::open("/").unwrap();
    assert!(refused("").contains("no target"));
    assert!(refused("fd:").contains("not the number"));
    assert!(refused("fd:+1").contains("not the number"));
    assert!(refused("fd:99999").starts_with("fd 99999 is not open"));
    // What is marked close-on-exec has not come from the caller.
    let number = ours.as_raw_fd();
    assert!(refused(&format!("fd:{number}")).starts_with(&format!("fd {number} is not open")));
    let (reader, _writer) = callers_pipe();
    fcntl(&reader, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let number = reader.as_raw_fd();
    assert_eq!(refused(&format!("fd:{number}")), format!("fd {number} is not open for writing"));
}

/// A pipe as a caller hands it over: only the writing end passes an exec, so that no program that
/// another test runs keeps the reading end open.
fn callers_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = crate::sys::pipes::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    (reader, writer)
}

/// Record locks belong to a process, so the writers have to be processes: this test started again.
/// They share one open file description, as under `9>fifo`.
#[test]
fn lines_of_many_processes_that_share_a_pipe_stay_whole() {
    const DESCRIPTOR: &str = "JSONL_TEST_DESCRIPTOR";
    if let Ok(number) = std::env::var(DESCRIPTOR) {
        let sink = sink(&format!("fd:{number}"));
        let notices = ('a'..='e')
            .flat_map(|letter| [long_notice(letter), sample::started(sample::job(&letter.to_string()))]);
        return notices.for_each(|notice| sink.deliver(&[notice], ample()).unwrap());
    }
    let (reader, writer) = callers_pipe();
    let name = std::thread::current().name().unwrap().to_owned();
    let writers: Vec<_> = (0..6)
        .map(|_| {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &name])
                .env(DESCRIPTOR, writer.as_raw_fd().to_string())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let lines: Vec<_> = BufReader::new(File::from(reader)).lines().take(60).map(Result::unwrap).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let mut labels = labels(&(lines.join("\n") + "\n"));
    labels.sort();
    assert_eq!(labels.concat(), ["a", "b", "c", "d", "e"].map(|letter| letter.repeat(12)).concat());
}

#[test]
fn a_reader_that_hangs_costs_no_more_than_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let _reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let sink = sink(path.to_str().unwrap());
    let clock = Stopwatch::start();
    let notices: Vec<_> = ('a'..='z').map(long_notice).collect();
    let error = sink.deliver(&notices, Deadline::after(Duration::from_millis(100))).unwrap_err();
    assert_eq!(error, "timed out: its reader does not read");
    assert!(clock.elapsed() < Duration::from_secs(10), "{:?}", clock.elapsed());
}

#[test]
fn a_fifo_that_nobody_reads_is_an_error_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let sink = sink(path.to_str().unwrap());
    assert_eq!(sink.deliver(&[long_notice('a')], ample()).unwrap_err(), "nobody reads it");
}

#[test]
fn a_descriptor_of_the_callers_is_written_and_its_flags_are_left_alone() {
    let (reader, writer) = callers_pipe();
    let sink = sink(&format!("fd:{}", writer.as_raw_fd()));
    assert_eq!(sink.pace(), Pace::Waiting);
    sink.deliver(&sample::failed(sample::job("a")), ample()).unwrap();
    let notices: Vec<_> = ('a'..='z').map(long_notice).collect();
    assert!(sink.deliver(&notices, Deadline::after(Duration::from_millis(100))).is_err());
    let flags = OFlag::from_bits_retain(fcntl(&writer, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK));
    drop(reader);
    let error = sink.deliver(&sample::failed(sample::job("b")), ample()).unwrap_err();
    assert_eq!(error, "nobody reads it any more");
}

#[test]
fn a_descriptor_of_a_regular_file_is_prompt() {
    let file = tempfile::tempfile().unwrap();
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let sink = sink(&format!("fd:{}", file.as_raw_fd()));
    assert_eq!(sink.pace(), Pace::Prompt);
    sink.deliver(&[long_notice('a')], ample()).unwrap();
    assert!(file.metadata().unwrap().len() > 3 * libc::PIPE_BUF as u64);
}
