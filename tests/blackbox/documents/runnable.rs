//! The examples of the manual are run, with programs of their names that say something on both streams.

use std::collections::BTreeSet;

use super::MANUAL;
use super::examples::commands;
use crate::support::host::PATH;
use crate::support::{End, Host};

/// Options of which the manual shows an example that can be run anywhere: those of what becomes of the command
/// and of its output.
const SHOWN: [&str; 13] = [
    "--retries",
    "--retry-delay",
    "--jitter",
    "--timeout",
    "--own-group",
    "--quiet",
    "--quiet=alert",
    "--capture",
    "--log-dir",
    "--log-keep",
    "--log-when",
    "--sensitive",
    "--progress",
];

/// The words of a line, as far as no quote matters.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\'']).filter(|word| !word.is_empty())
}

#[test]
fn every_option_about_the_command_and_its_output_has_an_example_in_the_manual_that_runs() {
    let lines: Vec<String> = MANUAL.displays().iter().flat_map(|lines| commands(&lines.join("\n"))).collect();
    let mut shown = BTreeSet::new();
    for option in SHOWN {
        // No stand-in takes as long, or writes as much, as is expected of a real job.
        let with_option =
            |line: &&String| words(line).any(|word| word == option) && !line.contains("--expect");
        let line = lines.iter().find(with_option).unwrap_or_else(|| panic!("no example of {option}"));
        assert_runs(line);
        shown.insert(line);
    }
    assert!(shown.len() >= 10, "{shown:?}");
}

fn assert_runs(line: &str) {
    let host = Host::new();
    std::fs::create_dir(host.path("bin")).expect("a directory of our own");
    let behind = line.rsplit_once(" -- ").or_else(|| line.rsplit_once(" -c ")).expect("a command").1;
    let command = behind.split('>').next().unwrap_or_default();
    let programs: Vec<&str> = command.split('|').filter_map(|part| words(part).next()).collect();
    for program in &programs {
        // In a pipeline the one that writes must find the other reading.
        let text = "#!/bin/sh\necho ${0##*/} >>ran\ncat >/dev/null\necho data\necho a word >&2\n";
        host.script(&format!("bin/{program}"), text);
    }
    // Nobody waits a quarter of an hour for a test.
    let quick = line.replace("--jitter 15m", "--jitter 15ms");
    let options = quick.strip_prefix("cronward ").expect("a line of ours");
    let path = format!("{}:{PATH}", host.path("bin").display());
    let ran = host.shell(&format!("\"$CRONWARD\" {options}")).env("PATH", path).run();
    assert_eq!(ran.end(), End::Code(0), "{line}\n{ran}");
    assert_eq!(ran.own_words(), Vec::<String>::new(), "{line}\n{ran}");
    let held = line.contains("--quiet");
    assert_eq!(ran.stderr_text().contains("a word"), !held, "{line}\n{ran}");
    let all: BTreeSet<&str> = programs.into_iter().collect();
    let text = std::fs::read_to_string(host.path("ran")).unwrap_or_default();
    assert_eq!(text.lines().collect::<BTreeSet<_>>(), all, "{line}\n{ran}");
}
