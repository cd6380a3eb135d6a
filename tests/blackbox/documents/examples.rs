//! Examples work: those of the manual and the README as those in `examples/`. A command line is put to
//! `--dry-run`, which refuses what a run would refuse.

use std::fs;
use std::path::{Path, PathBuf};

use super::{MANUAL, README, SUBCOMMANDS, TOML_MANUAL};
use crate::support::{End, Host};

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

pub fn example(name: &str) -> String {
    fs::read_to_string(directory().join(name)).unwrap_or_else(|error| panic!("examples/{name}: {error}"))
}

/// The tests of examples, and what has real monitoring systems look at theirs.
const TESTS: [&str; 6] = [
    include_str!("backups.rs"),
    include_str!("examples.rs"),
    include_str!("fleet.rs"),
    include_str!("monitoring.rs"),
    include_str!("prometheus.rs"),
    include_str!("../../interop/scenario_examples.py"),
];

/// By its name, or without the ending where a test has it for several.
#[test]
fn no_example_is_without_a_test() {
    let names = fs::read_dir(directory()).expect("a directory of ours").flatten();
    let names: Vec<String> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(names.len() > 20, "{names:?}");
    let named = |name: &str| TESTS.iter().any(|test| test.contains(&format!("\"{name}\"")));
    let stem = |name: &str| name.split('.').next().map(str::to_owned);
    let untested = names.iter().filter(|name| !named(name) && !stem(name).is_some_and(|stem| named(&stem)));
    assert_eq!(untested.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// A shell line that begins with `cronward`, put to `--dry-run`. A subcommand has none: on a host without
/// jobs it is done, and is no usage error.
pub fn assert_accepted(line: &str) {
    let options = line.strip_prefix("cronward ").unwrap_or_else(|| panic!("not a line of ours: {line}"));
    if SUBCOMMANDS.iter().any(|(name, _)| options.split(' ').next() == Some(name)) {
        let ran = Host::new().shell(&format!("\"$CRONWARD\" {options}")).run();
        assert!(matches!(ran.end(), End::Code(0..=3)), "{line}\n{ran}");
        return;
    }
    let ran = Host::new().shell(&format!("\"$CRONWARD\" --dry-run {options}")).run();
    assert_eq!(ran.end(), End::Code(0), "{line}\n{ran}");
    assert!(ran.stderr.is_empty(), "{line}\n{ran}");
}

/// The commands of a block of shell lines that are ours, continued lines joined.
pub fn commands(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.trim_start().trim_start_matches("$ "));
    lines.filter(|line| line.starts_with("cronward ")).map(str::to_owned).collect()
}

/// What crontab(5) says of a table: variables in force, and command lines.
fn assert_crontab(table: &str) {
    let mut shell = "/bin/sh".to_owned();
    let mut jobs = 0;
    for line in table.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, value)) = variable(line) {
            if name == "SHELL" {
                value.clone_into(&mut shell);
            }
            assert!(!value.contains('$'), "cron expands nothing: {line}");
            continue;
        }
        jobs += 1;
        let command = command(line);
        assert!(!command.replace("\\%", "").contains('%'), "cron reads a percent sign as a newline: {line}");
        if shell.ends_with("/cronward") {
            let ran = Host::new().cronward(["--dry-run", "-c", command]).run();
            assert_eq!(ran.end(), End::Code(0), "{line}\n{ran}");
        } else {
            assert_accepted(command);
        }
    }
    assert!(jobs > 0, "no job in {table}");
}

/// `NAME=VALUE`, with blanks and quotes as cron takes them.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(plain)).then(|| (name, value.trim_matches('"')))
}

/// The command behind the five fields, or behind the nickname that stands for them.
pub fn command(line: &str) -> &str {
    let mut rest = line;
    for (lowest, highest) in [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)] {
        let (field, behind) = rest.split_once([' ', '\t']).unwrap_or_else(|| panic!("no command: {line}"));
        rest = behind.trim_start();
        if ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@reboot"].contains(&field) {
            return rest;
        }
        for number in field.split([',', '-', '/', '*']).filter(|number| !number.is_empty()) {
            let number: u32 = number.parse().unwrap_or_else(|_| panic!("'{field}' is no field: {line}"));
            assert!((lowest..=highest).contains(&number), "{number} is out of range: {line}");
        }
    }
    rest
}

#[test]
fn the_crontabs_are_accepted_line_by_line() {
    assert_crontab(&example("crontab"));
    assert_crontab(&example("crontab-shell"));
}

#[test]
fn the_examples_of_the_manual_are_accepted() {
    let is_time = |line: &str| line.starts_with(['*', '@']) || line.starts_with(|c: char| c.is_ascii_digit());
    let (mut tables, mut lines) = (0, 0);
    for display in MANUAL.displays() {
        let block = display.join("\n");
        if display.iter().any(|line| is_time(line)) {
            assert_crontab(&block);
            tables += 1;
        } else {
            commands(&block).iter().for_each(|line| assert_accepted(line));
            lines += commands(&block).len();
        }
    }
    assert!(tables >= 2 && lines >= 3, "{tables} tables, {lines} lines");
}

/// The blocks of the README that begin with this fence.
pub fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&fence[..]).skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn the_examples_of_the_readme_are_accepted() {
    let tables = blocks("crontab");
    tables.iter().for_each(|table| assert_crontab(table));
    let lines: Vec<String> = ["sh", "console"].into_iter().flat_map(blocks).flat_map(commands).collect();
    lines.iter().for_each(|line| assert_accepted(line));
    assert!(!tables.is_empty() && !lines.is_empty(), "{tables:?} {lines:?}");
}

/// A configuration file in which every line that is a key is in force for the jobs that its section is
/// written for, and nothing is wrong with any.
pub fn assert_configuration(text: &str) {
    let host = Host::new();
    host.configure(text);
    let (mut label, mut keys) = (String::new(), 0);
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(head) = line.strip_prefix('[') {
            let pattern = head.trim_start_matches("job.").trim_matches(['"', ']']);
            // A label that the pattern fits.
            label = pattern.replace("[0-9]", "7").replace('*', "x");
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with('#')) {
            let ran = host.cronward(["--dry-run", "-l", &label, "true"]).without_env("CRONWARD_SINK").run();
            assert_eq!((ran.end(), ran.stderr.len()), (End::Code(0), 0), "{ran}");
            let shown = ran.stdout_text();
            let place = format!("{}:{number}", host.configuration().display());
            let in_force = |line: &str| {
                let mut words = line.split([' ', ',']).filter(|word| !word.is_empty());
                words.next() == Some(key) && words.any(|word| word == place)
            };
            assert!(shown.lines().any(in_force), "'{line}' in line {number} is not in force\n{ran}");
            keys += 1;
        }
    }
    assert!(keys > 2, "{text}");
}

#[test]
fn the_configuration_files_are_in_force_line_by_line() {
    assert_configuration(&example("cronward.toml"));
    blocks("toml").into_iter().for_each(assert_configuration);
    let displays = TOML_MANUAL.displays().into_iter().map(|lines| lines.join("\n"));
    let files: Vec<_> = displays.filter(|text| text.starts_with('[')).collect();
    files.iter().for_each(|text| assert_configuration(text));
    assert_eq!((blocks("toml").len(), files.len()), (1, 2));
}

/// A host on which a program of the system is another one, in a directory before all others.
fn host_with(program: &str, script: &str) -> (Host, String) {
    let host = Host::new();
    fs::create_dir(host.path("bin")).expect("a directory in the temporary one");
    host.script(&format!("bin/{program}"), script);
    let path = format!("{}:/usr/bin:/bin", host.path("bin").display());
    (host, path)
}

#[test]
fn the_mail_script_mails_an_alert_and_confirms_it() {
    let (host, path) = host_with("mail", "#!/bin/sh\nprintf '%s|' \"$@\"; echo; cat\n");
    let mail = host.path("mail.txt");
    let sink = format!("exec:{} >{}", directory().join("mail-alert.sh").display(), mail.display());
    let options = ["-l", "pg-backup", "--owner", "db team", "--sink", &sink];
    let ran = host.wrap(&options, "exit 3").env("PATH", path).env("ALERT_MAIL_TO", "ops@example.org").run();
    let text = fs::read_to_string(&mail).unwrap_or_else(|error| panic!("no mail: {error}\n{ran}"));
    let subject = text.lines().next().expect("a first line");
    assert!(
        subject.starts_with("-s|pg-backup is failing on ") && subject.ends_with("|ops@example.org|"),
        "{text}"
    );
    assert!(text.contains("\nowner:    db team\nrunbook:  none\n"), "{text}");
    assert!(text.contains("\"kind\":\"alert.opened\""), "{text}");
    // Somebody has taken charge, so there is nothing for cron to mail.
    assert_eq!(ran.own_words(), Vec::<String>::new(), "{ran}");
}

#[test]
fn the_backup_script_leaves_a_dump_only_if_it_is_whole() {
    let fake = "#!/bin/sh\nfor word; do case $word in --file=*) echo dump >\"${word#--file=}\";; esac; done\nexit $FAKE\n";
    let (host, path) = host_with("pg_dump", fake);
    let script = directory().join("pg-backup.sh").display().to_string();
    let dump = host.directory().display().to_string();
    let dumps = || {
        let entries = fs::read_dir(host.directory()).expect("our own directory").flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "dump")).count()
    };
    for (fake, left) in [("1", 0), ("0", 1)] {
        let words = ["-l", "pg-backup", "--lock", "--timeout", "4h", "--", &script, "app", &dump];
        let ran = host.cronward(words).env("PATH", &path).env("FAKE", fake).run();
        assert_eq!(ran.end(), End::Code(fake.parse().expect("a digit")), "{ran}");
        assert_eq!(dumps(), left, "{ran}");
    }
}
