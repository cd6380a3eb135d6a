//! Files in memory, and the plans that come of them.

mod properties;

use super::*;
use crate::cli::{Invocation, parse};
use crate::plan::{Plan, resolve, state_dir_to_read};
use crate::sinks;

const USER: &str = "/home/u/.config/cronward.toml";
const HOME: &str = "HOME=/home/u";

/// What was typed and set, with files of this content below it.
fn configured(line: &[&str], environment: &[&str], files: &[(&str, &str)]) -> Result<Configured, UsageError> {
    let args = std::iter::once(&"cronward").chain(line).map(OsString::from).collect();
    let Ok(Invocation::Run(typed)) = parse(args) else { panic!("{line:?} is not a run") };
    let environment = environment.iter().map(OsString::from).collect();
    let mut configured = Configured::new(typed, environment)?;
    read_files(&mut configured, &|path| Ok(content(files, path)))?;
    sift(&mut configured, &sinks::refusal);
    Ok(configured)
}

fn content(files: &[(&str, &str)], path: &Path) -> Option<Vec<u8>> {
    files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| text.as_bytes().to_vec())
}

fn try_plan(
    line: &[&str],
    environment: &[&str],
    files: &[(&str, &str)],
) -> Result<(Plan, Levels), UsageError> {
    resolve(configured(line, environment, files)?, &Anywhere)
}

fn planned(line: &[&str], environment: &[&str], files: &[(&str, &str)]) -> (Plan, Levels) {
    try_plan(line, environment, files).unwrap_or_else(|error| panic!("{line:?} {files:?}: {error}"))
}

/// The plan of a job `x` with a system's file and what is wrong with it.
fn plan_of(text: &str) -> (Plan, Vec<String>) {
    let (mut plan, _) = planned(&["-l", "x", "true"], &[], &[(SYSTEM, text)]);
    let problems = std::mem::take(&mut plan.problems);
    (plan, problems)
}

fn sinks_of(plan: &Plan) -> Vec<String> {
    plan.sinks.iter().map(|sink| format!("{}:{}", sink.kind, sink.target)).collect()
}

#[test]
fn the_users_file_lies_over_the_hosts_and_what_is_typed_over_both() {
    let user = "[defaults]\nowner = 'user'\nseverity = 'info'\n[job.x]\nnamespace = 'user'";
    let host = "[defaults]\nowner = 'host'\nseverity = 'warning'\nrunbook = 'host'\nnamespace = 'host'\n[job.x]\n\
                severity = 'critical'";
    let files = [(USER, user), (SYSTEM, host)];
    let (plan, levels) =
        planned(&["-l", "x", "--owner", "me", "true"], &[HOME, "CRONWARD_NAMESPACE=env"], &files);
    let job = &plan.job;
    assert_eq!((job.owner.as_deref(), job.runbook.as_deref()), (Some("me"), Some("host")));
    assert_eq!((job.severity.as_str(), job.namespace.as_str()), ("info", "env"));
    for (setting, origin) in [
        (Setting::Owner, "--owner"),
        (Setting::Namespace, "CRONWARD_NAMESPACE"),
        (Setting::Severity, "/home/u/.config/cronward.toml:3"),
        (Setting::Runbook, "/etc/cronward.toml:4"),
        (Setting::Timeout, "default"),
    ] {
        assert_eq!(levels.origin(setting).to_string(), origin);
    }
}

#[test]
fn the_files_in_force_follow_the_environment_and_the_options() {
    let text = |owner: &str| format!("[defaults]\nowner = '{owner}'");
    let (user, xdg, host, named) = (text("user"), text("xdg"), text("host"), text("named"));
    let files = [
        (USER, &user[..]),
        ("/xdg/cronward.toml", &xdg),
        (SYSTEM, &host),
        ("/n.toml", &named),
        ("n.toml", &named),
    ];
    for (line, environment, owner) in [
        (&["true"][..], &[HOME][..], Some("user")),
        (&["true"], &[HOME, "XDG_CONFIG_HOME=/xdg"], Some("xdg")),
        (&["true"], &[HOME, "XDG_CONFIG_HOME=xdg"], Some("user")),
        (&["true"], &[HOME, "XDG_CONFIG_HOME="], Some("user")),
        (&["true"], &["HOME=/elsewhere"], Some("host")),
        (&["true"], &["HOME=home/u"], Some("host")),
        (&["true"], &[], Some("host")),
        (&["--config", "/n.toml", "true"], &[HOME], Some("named")),
        (&["--config", "n.toml", "true"], &[HOME], Some("named")),
        (&["true"], &["CRONWARD_CONFIG=/n.toml"], Some("named")),
        (&["-c", "CRONWARD_CONFIG=/n.toml true"], &[], Some("named")),
        (&["true"], &["CRONWARD_CONFIG="], Some("host")),
        (&["--no-config", "true"], &[HOME], None),
        (&["true"], &[HOME, "CRONWARD_NO_CONFIG=1"], None),
        (&["true"], &[HOME, "CRONWARD_NO_CONFIG=0"], Some("user")),
        // The nearer of both counts, and on one level none is read.
        (&["--no-config", "true"], &["CRONWARD_CONFIG=/n.toml"], None),
        (&["--config", "/n.toml", "true"], &["CRONWARD_NO_CONFIG=1"], Some("named")),
        (&["true"], &["CRONWARD_CONFIG=n.toml", "CRONWARD_NO_CONFIG=1"], None),
        (&["-c", "CRONWARD_NO_CONFIG=0 true"], &["CRONWARD_NO_CONFIG=1"], Some("host")),
    ] {
        let (plan, _) = planned(line, environment, &files);
        assert_eq!(plan.job.owner.as_deref(), owner, "{line:?} {environment:?}");
        assert_eq!(plan.problems, [""; 0]);
    }
}

#[test]
fn a_name_that_means_nothing_is_a_usage_error_and_a_file_that_is_missing_is_not() {
    for (line, environment, message) in [
        (&["--config", "", "x"][..], &[][..], "bad file '' in --config: it is empty; write a path"),
        (
            &["x"],
            &["CRONWARD_CONFIG=n.toml"],
            "bad file 'n.toml' in CRONWARD_CONFIG: it is relative; write an absolute path",
        ),
        (
            &["-c", "CRONWARD_CONFIG=n.toml x"],
            &[],
            "bad file 'n.toml' in CRONWARD_CONFIG in the line of -c: it is relative; write an absolute path",
        ),
        (
            &["x"],
            &["CRONWARD_NO_CONFIG=yes"],
            "bad switch 'yes' in CRONWARD_NO_CONFIG: write '1' or 'true', '0' or 'false'",
        ),
    ] {
        assert_eq!(try_plan(line, environment, &[]).unwrap_err().to_string(), message);
    }
    let (plan, levels) = planned(&["--config", "n.toml", "x"], &[], &[(SYSTEM, "[defaults]\nowner = 'me'")]);
    assert_eq!(plan.problems, ["n.toml: cannot be read: no such file or directory"]);
    assert_eq!((plan.job.owner.as_deref(), levels.in_trouble()), (None, true));
}

#[test]
fn sections_fit_the_label_as_given_or_derived_and_never_change_it() {
    let text = "[job.given]\nowner = 'given'\n[job.'sleep-????????']\nowner = 'derived'";
    for (line, environment, owner) in [
        (&["-l", "given", "sleep", "1"][..], &[][..], Some("given")),
        (&["sleep", "1"], &["CRONWARD_LABEL=given"], Some("given")),
        (&["-c", "CRONWARD_LABEL=given sleep 1"], &[], Some("given")),
        (&["-c", "/bin/sleep 1"], &[], Some("derived")),
        (&["sleep", "1"], &[], Some("derived")),
        (&["true"], &[], None),
    ] {
        let (plan, _) = planned(line, environment, &[(SYSTEM, text)]);
        assert_eq!(plan.job.owner.as_deref(), owner, "{line:?}");
    }
    let error = try_plan(&["-l", "", "x"], &[], &[(SYSTEM, text)]).unwrap_err().to_string();
    assert_eq!(error, "bad label '' in --label: it is empty; write a name, or leave the option out");
}

#[test]
fn a_lock_in_a_file_is_in_force_for_a_derived_label() {
    let lock = [(SYSTEM, "[defaults]\nlock = true\nlock-exit = 7")];
    let (locked, _) = planned(&["true"], &[], &lock);
    assert_eq!(locked.overlap.unwrap().exit_status, 7);
    assert_eq!(planned(&["true"], &["CRONWARD_LOCK=0"], &lock).0.overlap, None);
    assert!(try_plan(&["--lock", "true"], &[], &lock).is_err());
}

#[test]
fn a_value_that_means_nothing_leaves_the_next_level_in_force() {
    let user = "[defaults]\ntimeout = '5m'\n[job.x]\ntimeout = '5M'\nseverity = 'fatal'";
    let host = "[defaults]\nseverity = 'critical'\ntimeout = '1y'";
    let (plan, levels) = planned(&["-l", "x", "true"], &[HOME], &[(USER, user), (SYSTEM, host)]);
    assert_eq!(plan.time_limit.unwrap().limit.as_secs(), 300);
    assert_eq!(plan.job.severity.as_str(), "critical");
    assert_eq!(levels.origin(Setting::Timeout).to_string(), "/home/u/.config/cronward.toml:2");
    // Also where it is hidden.
    assert_eq!(
        plan.problems,
        [
            "/home/u/.config/cronward.toml:4: bad duration '5M' in 'timeout': months are not accepted; write '5m' \
             for minutes",
            "/home/u/.config/cronward.toml:5: bad severity 'fatal' in 'severity': write one of info, warning, error, \
             critical",
            "/etc/cronward.toml:3: bad duration '1y' in 'timeout': years are not accepted; write '365d' for a year \
             of days",
        ]
    );
}

#[test]
fn bad_values_are_told_in_the_words_of_the_command_line() {
    for (line, what) in [
        ("timeout = 90", "bad duration '90' in 'timeout': a number needs a unit; write '90s' or '90m'"),
        ("lock-exit = 256", "bad exit status '256' in 'lock-exit': write a number of 0 to 255"),
        ("warn-codes = '0'", "exit code '0' in 'warn-codes' always counts as success; leave it out"),
        ("alert-after = 0", "bad threshold '0' in 'alert-after': write a number of 1 or more"),
        ("tag = ':x'", "bad tag ':x' in 'tag': it has no key; write 'KEY:VALUE'"),
        ("namespace = ''", "bad namespace '' in 'namespace': it is empty"),
        ("state-dir = 'x'", "bad directory 'x' in 'state-dir': it is relative; write an absolute path"),
        (
            "sink = ['statsd:h', 'none']",
            "bad sink 'none' in 'sink': it is nowhere, so it cannot stand beside others; leave one out",
        ),
        (
            "sink = '+none'",
            "bad sink '+none' in 'sink': it has no kind; write 'KIND:TARGET', or 'none' for nowhere",
        ),
        (
            "sink = 'dogstasd:secret'",
            "bad sink 'dogstasd:…' in 'sink': unknown kind 'dogstasd' (did you mean 'dogstatsd'?; kinds are ",
        ),
    ] {
        let (_, problems) = plan_of(&format!("[defaults]\n{line}"));
        let expected = format!("/etc/cronward.toml:2: {what}");
        assert!(problems.len() == 1 && problems[0].starts_with(&expected), "{expected}: {problems:?}");
    }
}

#[test]
fn what_contradicts_something_nearer_is_left_out() {
    let (plan, problems) = plan_of("[defaults]\nok-codes = '3-5'\nwarn-codes = 4\n[job.x]\nok-codes = '7'");
    assert!(plan.codes.ok.contains(7) && !plan.codes.ok.contains(3) && plan.codes.warn.is_empty());
    // Within its section, even though it would not be in force here.
    let why = "exit code '4' is in both 'ok-codes' and 'warn-codes'; leave it out of one";
    assert_eq!(problems, [format!("/etc/cronward.toml:3: {why}")]);

    let (plan, problems) = plan_of("[defaults]\nok-codes = '7'\n[job.x]\nwarn-codes = '6-8'");
    assert!(plan.codes.warn.contains(7) && plan.codes.ok.is_empty());
    let why = "exit code '7' is in both 'ok-codes' and 'warn-codes'; leave it out of one";
    assert_eq!(problems, [format!("/etc/cronward.toml:2: {why}")]);

    let files = [(SYSTEM, "[defaults]\nwarn-codes = '6-8'\nowner = 'me'")];
    let (plan, _) = planned(&["-l", "x", "--ok-codes", "7", "true"], &[], &files);
    assert_eq!((plan.codes.ok.contains(7), plan.codes.warn.is_empty()), (true, true));
    assert_eq!(plan.job.owner.as_deref(), Some("me"));
    let why = "exit code '7' is in both --ok-codes and 'warn-codes'; leave it out of one";
    assert_eq!(plan.problems, [format!("/etc/cronward.toml:2: {why}")]);

    // What is typed is refused for its own sake alone.
    let wrong = ["-l", "x", "--ok-codes", "7", "--warn-codes", "7", "true"];
    let error = try_plan(&wrong, &[], &files).unwrap_err().to_string();
    assert_eq!(error, "exit code '7' is in both --ok-codes and --warn-codes; leave it out of one");
}

#[test]
fn lists_follow_their_rules_between_sections_and_files() {
    let host = "[defaults]\nsink = 'statsd:h'\ntag = { env = 'host', dc = 'a' }\n[job.x]\nsink = '+jsonl:/h'";
    for (user, line, sinks, tags) in [
        ("", &[][..], &["statsd:h", "jsonl:/h"][..], "env:host dc:a"),
        ("[job.x]\nsink = '+exec:u'", &[], &["statsd:h", "jsonl:/h", "exec:u"], "env:host dc:a"),
        ("[defaults]\nsink = 'exec:u'\ntag.env = 'user'", &[], &["exec:u"], "env:user dc:a"),
        ("[defaults]\nsink = 'none'\n[job.x]\nsink = '+exec:u'", &[], &["exec:u"], "env:host dc:a"),
        ("[defaults]\nsink = 'none'", &[], &[], "env:host dc:a"),
        (
            "[defaults]\nsink = 'none'\n[job.x]\nsink = '+exec:u'",
            &["--sink", "+jsonl:/f", "-t", "dc:f"],
            &["exec:u", "jsonl:/f"],
            "dc:f env:host",
        ),
        ("[defaults]\nsink = ['+exec:a', 'exec:b']", &[], &["exec:a", "exec:b"], "env:host dc:a"),
        ("[defaults]\nsink = '+exec:u'", &["--sink", "statsd:f"], &["statsd:f"], "env:host dc:a"),
        (
            "[defaults]\nsink = 'none'\n[job.x]\nsink = '+exec:u'\n[job.'?']\nsink = '+exec:v'",
            &[],
            &["exec:u", "exec:v"],
            "env:host dc:a",
        ),
        // What has no kind replaces nothing.
        ("[defaults]\nsink = 'bogus'", &[], &["statsd:h", "jsonl:/h"], "env:host dc:a"),
    ] {
        let line = [&["-l", "x"], line, &["true"]].concat();
        let (plan, levels) = planned(&line, &[HOME], &[(USER, user), (SYSTEM, host)]);
        assert_eq!(sinks_of(&plan), sinks, "{user} {line:?}");
        let shown: Vec<_> = plan.job.tags.iter().map(ToString::to_string).collect();
        assert_eq!(shown.join(" "), tags, "{user} {line:?}");
        assert_eq!(levels.in_trouble(), user.contains("bogus"), "{:?}", plan.problems);
    }
}

/// A descriptor that somebody else's job had: as with a variable, no reason for anything.
#[test]
fn a_descriptor_that_is_not_open_is_no_trouble_in_a_file() {
    let (plan, problems) = plan_of("[defaults]\nsink = 'jsonl:fd:977'");
    assert_eq!((sinks_of(&plan), problems), (vec!["jsonl:fd:977".to_owned()], Vec::new()));
    assert!(sinks::open(&plan).is_ok());
}

#[test]
fn in_trouble_the_last_run_says_what_the_files_do_not() {
    let broken = [(SYSTEM, "[defaults]\nowner = 'me'\nlcok = true\n")];
    let mut configured = configured(&["-l", "x", "true"], &[], &broken).unwrap();
    assert!(configured.levels.in_trouble());
    configured.levels.fall_back([
        (Setting::Lock, "1".into()),
        (Setting::Owner, "old".into()),
        (Setting::Timeout, "written by a version to come".into()),
    ]);
    sift(&mut configured, &sinks::refusal);
    let (plan, levels) = resolve(configured, &Anywhere).unwrap();
    assert!(plan.overlap.is_some());
    assert_eq!((plan.job.owner.as_deref(), plan.time_limit), (Some("me"), None));
    assert_eq!(levels.origin(Setting::Lock).to_string(), "the last run (trouble with /etc/cronward.toml)");
    // And it is kept for the next one.
    let kept: Vec<_> = levels.given().iter().filter(|given| given.origin.level.is_of_files()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
}

#[test]
fn a_subcommand_finds_the_state_where_the_defaults_say() {
    let found = |typed: &[(Setting, &str)], environment: &[&str], text: &str| {
        let words = environment.iter().map(OsString::from).collect();
        let options = typed.iter().map(|(setting, text)| (*setting, text.into())).collect();
        let files = [(SYSTEM, text), ("/n.toml", "[defaults]\nstate-dir = '/n'")];
        let read = |path: &Path| Ok(content(&files, path));
        state_dir_to_read(options, words, &Anywhere, &read).unwrap().0.unwrap()
    };
    let text = "[defaults]\nstate-dir = '/f'\n[job.'*']\nstate-dir = '/j'";
    let usual = "/var/lib/cronward";
    for (typed, environment, text, place) in [
        (&[][..], &[][..], text, "/f"),
        (&[(Setting::StateDir, "/s")], &[], text, "/s"),
        (&[(Setting::Config, "/n.toml")], &["CRONWARD_NO_CONFIG=1"], text, "/n"),
        (&[(Setting::NoConfig, "1")], &[], text, usual),
        (&[], &["CRONWARD_STATE_DIR=/e"], text, "/e"),
        (&[], &["CRONWARD_NO_CONFIG=1"], text, usual),
        (&[], &["CRONWARD_CONFIG=/n.toml"], text, "/n"),
        (&[], &[], "[defaults]\nstate-dir = 'relative'", usual),
        (&[], &[], "[defaults\nstate-dir = '/f'", "/f"),
        (&[], &[], "", usual),
    ] {
        assert_eq!(found(typed, environment, text), Path::new(place), "{typed:?} {environment:?} {text}");
    }
}
