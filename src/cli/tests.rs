//! The command line by tables and properties; held to clap's answer in [`against_clap`].

mod against_clap;
mod oracle;

use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;
use crate::settings::TABLE;

fn args(words: &[&str]) -> Vec<OsString> {
    std::iter::once(&"/opt/bin/cronward").chain(words).map(OsString::from).collect()
}

fn typed(words: &[&str]) -> Typed {
    match parse(args(words)) {
        Ok(Invocation::Run(typed)) => typed,
        other => panic!("{words:?} gave {other:?}"),
    }
}

fn refusal(words: &[&str]) -> String {
    parse(args(words)).expect_err("a usage error").to_string()
}

fn option(setting: Setting, value: &str) -> (Setting, OsString) {
    (setting, value.into())
}

#[test]
fn options_end_at_the_first_word_that_is_none() {
    for (line, options, words) in [
        (&["true"][..], &[][..], &["true"][..]),
        (&["-l", "x", "--", "true"], &[("label", "x")], &["true"]),
        (&["-lx", "true", "-l", "y"], &[("label", "x")], &["true", "-l", "y"]),
        (&["--label=x", "true", "--help"], &[("label", "x")], &["true", "--help"]),
        (&["backup", "--help", "-z", "--", "k"], &[], &["backup", "--help", "-z", "--", "k"]),
        (&["--", "--", "x"], &[], &["--", "x"]),
        (&["--", "--timeout", "x"], &[], &["--timeout", "x"]),
        (&["--", "status"], &[], &["status"]),
        (&["--", ""], &[], &[""]),
        (&["", "x"], &[], &["", "x"]),
        (&["-", "-x"], &[], &["-", "-x"]),
        (&["-l", "status", "status"], &[("label", "status")], &["status"]),
        (&["--lock", "--label", "a", "x"], &[("label", "a"), ("lock", "1")], &["x"]),
        (&["-t", "a:1", "-tb", "--tag=c=2", "x"], &[("tag", "a:1"), ("tag", "b"), ("tag", "c=2")], &["x"]),
        (&["--label=", "x"], &[("label", "")], &["x"]),
        (&["-l=a", "-t=", "x"], &[("label", "a"), ("tag", "")], &["x"]),
        (&["-l", "-", "-t", "", "x"], &[("label", "-"), ("tag", "")], &["x"]),
        (&["--label=a=b", "x"], &[("label", "a=b")], &["x"]),
        // The last one counts, as with timeout(1).
        (&["-l", "a", "-l", "b", "x"], &[("label", "b")], &["x"]),
        (&["--lock", "--lock", "x"], &[("lock", "1")], &["x"]),
        (&["-c", "echo a; echo b"], &[("command", "echo a; echo b")], &[]),
        (&["-l", "x", "-c", ""], &[("label", "x"), ("command", "")], &[]),
        (&["-c", "-v"], &[("command", "-v")], &[]),
        (&["-c", "--help"], &[("command", "--help")], &[]),
        (&["-c", "--"], &[("command", "--")], &[]),
    ] {
        let typed = typed(line);
        let found: Vec<_> = typed
            .options
            .iter()
            .map(|(setting, value)| (setting.row().long, value.to_str().unwrap()))
            .collect();
        assert_eq!(found, options, "{line:?}");
        assert_eq!(typed.words, words, "{line:?}");
        assert_eq!(typed.program, "/opt/bin/cronward");
    }
}

#[test]
fn usage_errors_are_one_line_that_names_the_word() {
    for (line, message) in [
        (&[][..], "no command; see 'cronward --help'"),
        (&["-l", "x"], "no command; see 'cronward --help'"),
        (&["--"], "no command; see 'cronward --help'"),
        (
            &["--tiemout", "5m", "x"],
            "unknown option '--tiemout', nearest is '--timeout'; see 'cronward --help'",
        ),
        (
            &["-l", "x", "--lable=y", "x"],
            "unknown option '--lable', nearest is '--label'; see 'cronward --help'",
        ),
        (&["--jbo", "x"], "unknown option '--jbo'; see 'cronward --help'"),
        (&["--compat", "x"], "unknown option '--compat', nearest is '--command'; see 'cronward --help'"),
        (&["-x", "y"], "unknown option '-x'; see 'cronward --help'"),
        (&["--timeout"], "'--timeout' needs a value; see 'cronward --help'"),
        (&["-l"], "'--label' needs a value; see 'cronward --help'"),
        (&["--label", "--lock", "x"], "'--label' needs a value; see 'cronward --help'"),
        (&["-l", "--", "x"], "'--label' needs a value; see 'cronward --help'"),
        (&["--lock=1", "x"], "'--lock' takes no value; see 'cronward --help'"),
        (&["-c", "x", "y"], "-c LINE and a command 'y' cannot both be run; see 'cronward --help'"),
        (&["status", "--jsno"], "unknown option '--jsno', nearest is '--json'; see 'cronward --help'"),
        (&["history"], "wrong number of words; write 'cronward history [OPTIONS] LABEL'"),
        (&["wrap", "a", "b"], "wrong number of words; write 'cronward wrap [OPTIONS] [FILE]'"),
        (&["completions"], "wrong number of words; write 'cronward completions SHELL'"),
    ] {
        assert_eq!(refusal(line), message, "{line:?}");
    }
}

#[test]
fn a_subcommand_is_one_as_the_first_word_only() {
    for name in subcommand::ROWS.iter().map(|row| row.name) {
        assert!(is_subcommand(name.as_ref()));
        assert_eq!(typed(&["--", name]).words, [name]);
        assert_eq!(typed(&["-l", "x", name]).words, [name]);
    }
}

#[test]
fn help_names_every_option_and_version_the_version() {
    for flag in ["--help", "-h"] {
        let Ok(Invocation::Print(help)) = parse(args(&["-l", "x", flag])) else { panic!("no help") };
        for row in &TABLE {
            assert!(help.contains(&format!("--{}", row.long)), "{}", row.long);
        }
        assert!(help.contains("cronward [OPTIONS] -c LINE"), "{help}");
    }
    for flag in ["--version", "-V"] {
        let version = format!("cronward {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(parse(args(&[flag])), Ok(Invocation::Print(version)));
    }
}

#[test]
fn status_takes_labels_json_and_a_directory() {
    let status = |labels: &[&str], json, dir: Option<&str>| {
        let task = Task::Status { labels: labels.iter().map(OsString::from).collect(), json };
        let options = dir.map(|dir| (Setting::StateDir, dir.into())).into_iter().collect();
        Invocation::Subcommand(Subcommand { task, options })
    };
    assert_eq!(parse(args(&["status"])), Ok(status(&[], false, None)));
    assert_eq!(
        parse(args(&["status", "a", "--json", "b", "--state-dir", "/s"])),
        Ok(status(&["a", "b"], true, Some("/s")))
    );
    assert_eq!(parse(args(&["status", "--", "--json"])), Ok(status(&["--json"], false, None)));
    assert!(matches!(parse(args(&["status", "--help"])), Ok(Invocation::Print(_))));
}

#[test]
fn check_takes_crontabs_and_mute_and_forget_just_their_words() {
    let task = |line: &[&str]| match parse(args(line)) {
        Ok(Invocation::Subcommand(subcommand)) => Ok(subcommand.task),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    };
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    assert_eq!(
        task(&["check", "--crontab", "/a", "x", "--crontab=/b"]),
        Ok(Task::Check { labels: words(&["x"]), json: false, crontabs: words(&["/a", "/b"]) })
    );
    assert_eq!(task(&["mute", "x", "2h"]), Ok(Task::Mute { label: "x".into(), span: "2h".into() }));
    assert_eq!(task(&["forget", "x"]), Ok(Task::Forget { label: "x".into() }));
    for line in [&["mute", "x"][..], &["mute", "x", "1h", "y"], &["forget"], &["forget", "x", "y"]] {
        let refused = task(line).unwrap_err();
        let usage = format!("wrong number of words; write 'cronward {} [OPTIONS] LABEL", line[0]);
        assert!(refused.starts_with(&usage), "{refused}");
    }
    assert!(task(&["status", "--crontab", "x"]).unwrap_err().contains("unknown option '--crontab'"));
}

#[test]
fn an_empty_argument_vector_is_a_usage_error() {
    assert_eq!(parse(Vec::new()).unwrap_err().to_string(), "no command; see 'cronward --help'");
}

fn any_word() -> impl Strategy<Value = OsString> {
    proptest::collection::vec(1..=255_u8, 0..12).prop_map(OsString::from_vec)
}

proptest! {
    #[test]
    fn any_bytes_after_two_dashes_are_the_command(words in proptest::collection::vec(any_word(), 1..6)) {
        let mut line = args(&["-l", "x", "--"]);
        line.extend(words.iter().cloned());
        let Ok(Invocation::Run(typed)) = parse(line) else { panic!("not a run") };
        prop_assert_eq!(typed.words, words);
        prop_assert_eq!(typed.options, [option(Setting::Label, "x")]);
    }

    #[test]
    fn any_bytes_after_the_first_plain_word_are_its_arguments(
        rest in proptest::collection::vec(any_word(), 0..6),
    ) {
        let mut line = args(&["--lock", "prog"]);
        line.extend(rest.iter().cloned());
        let Ok(Invocation::Run(typed)) = parse(line) else { panic!("not a run") };
        prop_assert_eq!(&typed.words[1..], &rest[..]);
    }

    #[test]
    fn any_value_of_an_option_is_taken_as_it_is(value in any_word()) {
        let mut attached = OsString::from("--label=");
        attached.push(&value);
        let line = vec!["cronward".into(), attached, "x".into()];
        let Ok(Invocation::Run(typed)) = parse(line) else { panic!("not a run") };
        prop_assert_eq!(typed.options, [(Setting::Label, value)]);
    }
}
