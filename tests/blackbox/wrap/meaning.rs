//! A wrapped line does what it did before: both are run as cron runs them, and compared.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::crontabs::{Crontab, OF_THE_SYSTEM, OF_USERS};
use super::{search_path, wrap};
use crate::support::{End, Host, Ran};

/// What every program on the host is: it writes down how it was called, and says something.
const PROGRAM: &str = r#"#!/bin/sh
{
    printf '%s' "${0##*/}"
    for argument do
        case $argument in /dev/fd/*) argument=/dev/fd/N ;; esac
        printf '|%s' "$argument"
    done
    printf '\nin %s, umask %s, SHELL=%s HOME=%s PATH=%s A=%s\n' "$PWD" "$(umask)" "$SHELL" "$HOME" "$PATH" "$A"
    cat
    echo
} >"$RECORDS.$$"
# One write, whoever else writes.
cat "$RECORDS.$$" >>"$RECORDS"
rm "$RECORDS.$$"
echo "${0##*/} says $#"
echo "${0##*/} warns" >&2
case ${0##*/} in fail) exit 3 ;; esac
"#;

/// Programs that are found by PATH.
const IN_PATH: [&str; 33] = [
    "a",
    "b",
    "c",
    "certbot",
    "curl",
    "d",
    "debian-sa1",
    "docker",
    "dump",
    "e",
    "f",
    "fail",
    "g",
    "ghost",
    "gzip",
    "heat",
    "invoke-rc.d",
    "mail",
    "node",
    "perl",
    "pg_dump",
    "php",
    "python3",
    "record",
    "report",
    "restic",
    "rsync",
    "ruby",
    "run-parts",
    "su",
    "sudo",
    "sync",
    "tick",
];
/// Further ones.
const ALSO_IN_PATH: [&str; 2] = ["tar", "vacuumdb"];

/// Directories of the host; every other path in a crontab is a program.
const DIRECTORIES: [&str; 5] = ["srv/app", "srv/www", "srv/data", "home", "etc"];

/// A line, as cron would run it.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    /// Of the crontab.
    number: usize,
    times: String,
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    line: Vec<u8>,
    input: Vec<u8>,
}

/// What cron makes of a crontab (crontab(5)): written here a second time, so that the reader under test is
/// not its own judge.
fn entries(text: &[u8], is_system: bool) -> Vec<Entry> {
    let mut variables: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let line = line.trim_ascii_start();
        let equals = line.iter().position(|&byte| byte == b'=');
        let name = &line[..equals.unwrap_or(0)];
        if line.is_empty() || line[0] == b'#' {
            continue;
        }
        if !name.is_empty() && name.iter().all(|byte| byte.is_ascii_uppercase()) {
            let value = line[name.len() + 1..].trim_ascii();
            let value = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
            variables.retain(|(known, _)| known != name);
            variables.push((name.to_vec(), value.to_vec()));
            continue;
        }
        let mut rest = line;
        let mut word = || {
            let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            rest = behind.trim_ascii_start();
            String::from_utf8(word.to_vec()).unwrap()
        };
        let mut times = word();
        for _ in 0..if times.starts_with('@') { 0 } else { 4 } {
            times = format!("{times} {}", word());
        }
        if is_system {
            word();
        }
        let (mut command, mut input, mut at) = (Vec::new(), Vec::new(), 0);
        while at < rest.len() && rest[at] != b'%' {
            at += usize::from(rest[at] == b'\\' && matches!(rest.get(at + 1), Some(b'%' | b'\\')));
            command.push(rest[at]);
            at += 1;
        }
        if at < rest.len() {
            at += 1;
            while at < rest.len() {
                match rest[at] {
                    b'\\' if rest.get(at + 1) == Some(&b'%') => {
                        at += 1;
                        input.push(b'%');
                    }
                    b'%' => input.push(b'\n'),
                    other => input.push(other),
                }
                at += 1;
            }
            input.push(b'\n');
        }
        entries.push(Entry { number, times, variables: variables.clone(), line: command, input });
    }
    entries
}

/// A host with all programs that a crontab names; `@` in it becomes the root.
fn furnished(crontab: &Crontab) -> (Host, Vec<u8>) {
    let host = Host::new();
    search_path(&host);
    let root = host.path("root");
    for directory in DIRECTORIES {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let mut text = Vec::new();
    let mut pieces = crontab.text.split(|&byte| byte == b'@');
    text.extend_from_slice(pieces.next().unwrap());
    for piece in pieces {
        // Not those of mail addresses and of cron's words.
        if piece.starts_with(b"/") {
            text.extend_from_slice(root.as_os_str().as_bytes());
            let path: Vec<u8> = piece
                .iter()
                .copied()
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte))
                .collect();
            let path = root.join(OsStr::from_bytes(&path[1..]));
            if !path.exists() && !path.to_string_lossy().ends_with('-') {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let name = path.strip_prefix(host.directory()).unwrap().to_str().unwrap().to_owned();
                host.script(
                    &name,
                    match path.file_name().and_then(OsStr::to_str) {
                        Some("job.env") => "JOB=known\n",
                        Some("bare") => "record \"${BASH_VERSION:+bash}\" \"$@\"\n",
                        _ => PROGRAM,
                    },
                );
            }
        } else {
            text.push(b'@');
        }
        text.extend_from_slice(piece);
    }
    for name in IN_PATH.iter().chain(&ALSO_IN_PATH) {
        host.script(&format!("bin/{name}"), PROGRAM);
    }
    (host, text)
}

/// What one run leaves.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    end: i32,
    stdout: Shown,
    stderr: Shown,
    /// What the programs that ran wrote down, its lines sorted: those of a pipeline run at the same time.
    records: Vec<Shown>,
    files: Vec<(OsString, Shown)>,
}

/// Bytes that a failure shows readably.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Shown(Vec<u8>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Runs a line as cron does: by the crontab's SHELL, in the home, its input on stdin.
fn run(host: &Host, entry: &Entry) -> (Trace, Ran) {
    let home = host.path("home");
    let _ = fs::remove_dir_all(&home);
    fs::create_dir(&home).unwrap();
    fs::write(home.join("in.txt"), "of a file\n").unwrap();
    fs::write(home.join("b.txt"), "").unwrap();
    let (stdin, records) = (host.path("stdin"), host.path("records"));
    fs::write(&stdin, &entry.input).unwrap();
    let _ = fs::remove_file(&records);
    let value = |name: &str| {
        let found = entry.variables.iter().find(|(known, _)| known == name.as_bytes());
        found.map(|(_, value)| OsString::from_vec(value.clone()))
    };
    let shell = value("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut invocation = host.bare([shell.clone(), "-c".into(), OsString::from_vec(entry.line.clone())]);
    for (name, value) in &entry.variables {
        invocation = invocation.env(std::str::from_utf8(name).unwrap(), OsStr::from_bytes(value));
    }
    // The host's programs in place of the system's, wherever they would be.
    let mut path = host.path("bin").into_os_string();
    path.push(":");
    path.push(value("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
    let invocation = invocation.env("SHELL", &shell).env("PATH", path).env("RECORDS", &records);
    let ran = invocation.cwd(&home).stdin(fs::File::open(stdin).unwrap()).run();
    let text = fs::read(&records).unwrap_or_default();
    let mut records: Vec<Shown> =
        text.split_inclusive(|&byte| byte == b'\n').map(|line| Shown(line.to_vec())).collect();
    records.sort();
    let mut files = Vec::new();
    for file in fs::read_dir(&home).unwrap() {
        let file = file.unwrap();
        if file.path().is_file() {
            files.push((file.file_name(), without_own(&fs::read(file.path()).unwrap())));
        }
    }
    files.sort();
    let stderr = without_own(&ran.stderr);
    // The shell that cron starts outlives cronward, and says by its status what that died of.
    let end = match ran.end() {
        End::Code(code) => code,
        End::Signal(signal) => 128 + signal,
    };
    (Trace { end, stdout: without_own(&ran.stdout), stderr, records, files }, ran)
}

/// Without what cronward says and the facts that it gives to the job, and without what a shell says of a
/// command that it did not find or that died.
fn without_own(text: &[u8]) -> Shown {
    let is_own = |line: &&[u8]| {
        line.starts_with(b"cronward: ")
            || line.starts_with(b"CRONWARD_RUN_")
            || line.ends_with(b"not found\n")
            || *line == b"Terminated\n"
    };
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    Shown(lines.filter(|line| !is_own(line)).flatten().copied().collect())
}

/// The label of a wrapped line.
fn label(line: &[u8]) -> &[u8] {
    let at = line.windows(4).position(|window| window == b" -l ").expect("a label") + 4;
    line[at..].split(|&byte| byte == b' ').next().unwrap()
}

fn assert_keeps_its_meaning(crontab: &Crontab) {
    let (host, text) = furnished(crontab);
    let words: &[&str] = if crontab.is_system { &["--system"] } else { &[] };
    let wrapped = wrap(&host, words, &text);
    let name = crontab.name;
    assert_eq!((wrapped.end(), wrapped.stderr_text()), (End::Code(0), String::new()), "{name}\n{wrapped}");
    let [old, new] = [&text, &wrapped.stdout].map(|text| entries(text, crontab.is_system));
    assert_eq!(old.len(), new.len(), "{name}");
    let (old_lines, new_lines) = (lines(&text), lines(&wrapped.stdout));
    assert_eq!(old_lines.len(), new_lines.len(), "{name}");
    let mut labels = BTreeSet::new();
    let mut changed = 0;
    for (at, (old_line, new_line)) in std::iter::zip(&old_lines, &new_lines).enumerate() {
        if old_line == new_line {
            continue;
        }
        changed += 1;
        let of =
            |entries: &'_ [Entry]| entries.iter().position(|entry| entry.number == at + 1).expect("an entry");
        let (before, after) = (&old[of(&old)], &new[of(&new)]);
        assert_eq!((&before.times, &before.input), (&after.times, &after.input), "{name}");
        let shown = String::from_utf8_lossy(&after.line).into_owned();
        let schedule = format!(" --schedule '{}' -", before.times);
        assert_eq!(shown.contains(&schedule), before.times != "@reboot", "{name}: {shown}");
        assert!(labels.insert(label(&after.line).to_vec()), "{name}: a label twice: {shown}");
        assert!(new_line.len() <= 999, "{name}: {shown}");
        let ((expected, _), (found, under)) = (run(&host, before), run(&host, after));
        assert_eq!(found, expected, "{name}: {shown}");
        let label = String::from_utf8(label(&after.line).to_vec()).unwrap();
        assert_eq!(host.journal(&label).outcomes().len(), 1, "{name}: {shown}\n{under}");
    }
    assert_eq!(changed, crontab.wrapped, "{name}\n{wrapped}");
    let again = wrap(&host, words, &wrapped.stdout);
    assert_eq!((&again.stdout, again.end()), (&wrapped.stdout, End::Code(0)), "{name}");
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|&byte| byte == b'\n').collect()
}

/// A slice of the crontabs, so that the slices run side by side.
fn assert_all(slice: usize) {
    let crontabs: Vec<&Crontab> = OF_THE_SYSTEM.iter().chain(&OF_USERS).skip(slice).step_by(4).collect();
    assert_eq!(crontabs.len(), 10);
    for crontab in crontabs {
        // Without bash there is no line for it.
        if Path::new("/bin/bash").exists() || !crontab.text.windows(5).any(|window| window == b"/bash") {
            assert_keeps_its_meaning(crontab);
        }
    }
}

#[test]
fn wrapped_lines_do_what_they_did_before_first_quarter() {
    assert_all(0);
}

#[test]
fn wrapped_lines_do_what_they_did_before_second_quarter() {
    assert_all(1);
}

#[test]
fn wrapped_lines_do_what_they_did_before_third_quarter() {
    assert_all(2);
}

#[test]
fn wrapped_lines_do_what_they_did_before_last_quarter() {
    assert_all(3);
}
