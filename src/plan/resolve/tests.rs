//! The plan by tables: what was typed and set on one side, what is decided on the other.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::*;
use crate::cli::{Invocation, parse};
use crate::job::Tag;

/// A host whose user is root, so that nothing else is asked of it.
struct Root;

impl Host for Root {
    fn name(&self) -> String {
        "db1".to_owned()
    }
    fn user(&self) -> u32 {
        0
    }
    fn home(&self) -> Option<PathBuf> {
        unreachable!("root's place is known")
    }
    fn is_dir(&self, _: &Path) -> bool {
        unreachable!("root's place is known")
    }
    fn may_write(&self, _: &Path) -> bool {
        unreachable!("root's place is known")
    }
    fn working_dir(&self) -> Option<PathBuf> {
        unreachable!("root's place is absolute")
    }
}

fn try_plan(line: &[&str], environment: &[&str]) -> Result<Plan, UsageError> {
    let args = std::iter::once(&"cronward").chain(line).map(OsString::from).collect();
    let Invocation::Run(typed) = parse(args)? else { panic!("{line:?} is not a run") };
    let environment = environment.iter().map(OsString::from).collect();
    resolve(Configured::new(typed, environment)?, &Root).map(|(plan, _)| plan)
}

fn plan(line: &[&str], environment: &[&str]) -> Plan {
    try_plan(line, environment).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn refusal(line: &[&str], environment: &[&str]) -> String {
    try_plan(line, environment).map(|_| ()).expect_err("a usage error").to_string()
}

#[test]
fn without_options_everything_has_its_default() {
    let plan = plan(&["/bin/true"], &[]);
    let job = &plan.job;
    assert!(job.label.as_str().starts_with("true-"), "{}", job.label);
    assert_eq!((job.host.as_str(), job.namespace.as_str()), ("db1", "cronward"));
    assert_eq!(job.alert_key.text, format!("db1/{}", job.label));
    assert!(!job.alert_key.is_shared);
    assert_eq!((job.severity, job.privacy), (Severity::Error, Privacy::default()));
    assert_eq!((&job.owner, &job.runbook), (&None, &None));
    assert_eq!((plan.time_limit, plan.overlap), (None, None));
    assert_eq!(plan.codes, CodeMeaning::default());
    assert_eq!(plan.rule.after, AlertAfter::InARow(NonZeroU32::MIN));
    assert_eq!((plan.rule.realert, plan.rule.recover_after.get()), (None, 1));
    assert_eq!(plan.flush_deadline, Duration::from_secs(5));
    assert_eq!((plan.own_group, plan.summary), (false, Summary::Auto));
    assert_eq!(plan.state_dir, Ok(PathBuf::from("/var/lib/cronward")));
    assert_eq!(sinks(&plan), ["dogstatsd: by the default"]);
}

#[test]
fn flags_win_over_the_line_and_the_line_over_variables() {
    let environment = ["CRONWARD_TIMEOUT=1s", "CRONWARD_OWNER=env", "CRONWARD_SEVERITY=info"];
    let line = ["--timeout", "3s", "-c", "CRONWARD_TIMEOUT=2s CRONWARD_OWNER=line x"];
    let plan = plan(&line, &environment);
    assert_eq!(plan.time_limit.unwrap().limit, Duration::from_secs(3));
    assert_eq!(plan.job.owner.as_deref(), Some("line"));
    assert_eq!(plan.job.severity, Severity::Info);
    assert_eq!(plan.job.command, CommandLine::Shell("x".into()));
}

#[test]
fn a_nearer_level_switches_off_and_takes_back_what_a_farther_one_says() {
    let environment = ["CRONWARD_OWN_GROUP=1", "CRONWARD_OWNER=me", "CRONWARD_SENSITIVE=true"];
    let on = plan(&["x"], &environment);
    assert!(on.own_group && on.job.privacy.sensitive);
    let off = plan(&["--owner=", "-c", "CRONWARD_OWN_GROUP=0 CRONWARD_SENSITIVE=false x"], &environment);
    assert!(!off.own_group && !off.job.privacy.sensitive);
    assert_eq!(off.job.owner, None);
}

#[test]
fn a_value_that_a_nearer_one_hides_is_not_judged() {
    assert!(plan(&["--timeout", "1s", "x"], &["CRONWARD_TIMEOUT=bogus"]).time_limit.is_some());
}

/// As with timeout(1).
#[test]
fn a_timeout_of_zero_is_none() {
    assert_eq!(plan(&["--timeout", "0s", "x"], &["CRONWARD_TIMEOUT=1s"]).time_limit, None);
    let limit = plan(&["--timeout", "1m", "--kill-after", "0s", "x"], &[]).time_limit;
    assert_eq!(limit, Some(TimeLimit { limit: Duration::from_secs(60), grace: Duration::ZERO }));
    let limit = plan(&["--timeout", "1m", "x"], &[]).time_limit.unwrap();
    assert_eq!(limit.grace, Duration::from_secs(10));
}

#[test]
fn a_lock_has_a_label_a_wait_and_an_exit_status() {
    let rule = plan(&["-l", "a", "--lock", "x"], &[]).overlap;
    assert_eq!(rule, Some(OverlapRule { wait: Duration::ZERO, exit_status: 75 }));
    let rule = plan(&["-l", "a", "--lock", "--lock-wait", "1m", "--lock-exit", "0", "x"], &[]).overlap;
    assert_eq!(rule, Some(OverlapRule { wait: Duration::from_secs(60), exit_status: 0 }));
    // What belongs to a lock means nothing without it.
    assert_eq!(plan(&["--lock-wait", "1m", "x"], &[]).overlap, None);
}

#[test]
fn alert_keys_are_filled_in_and_shared_without_the_host() {
    for (key, filled, shared) in [
        ("{host}/{label}", "db1/a", false),
        ("x-{host}", "x-db1", false),
        ("fleet/{label}", "fleet/a", true),
        ("fixed", "fixed", true),
    ] {
        let plan = plan(&["-l", "a", "--alert-key", key, "x"], &[]);
        assert_eq!((plan.job.alert_key.text.as_str(), plan.job.alert_key.is_shared), (filled, shared));
    }
    assert_eq!(plan(&["--namespace", "a.{host}.b", "x"], &[]).job.namespace, "a.db1.b");
}

#[test]
fn tags_merge_by_key_and_the_nearer_wins() {
    let tags = |line: &[&str], environment: &[&str]| -> Vec<String> {
        plan(line, environment).job.tags.iter().map(Tag::to_string).collect()
    };
    let environment = ["CRONWARD_TAG=env:prod dc:x 'team:a b'"];
    assert_eq!(tags(&["x"], &environment), ["env:prod", "dc:x", "team:a b"]);
    assert_eq!(
        tags(&["-t", "new", "-t", "env:test", "x"], &environment),
        ["new", "env:test", "dc:x", "team:a b"]
    );
    assert_eq!(tags(&["-t", "a:1", "-t", "b", "-t", "a=2", "x"], &[]), ["a:2", "b"]);
    assert_eq!(
        tags(&["-t", "a:1", "-c", "CRONWARD_TAG='a:2 c:3' x"], &["CRONWARD_TAG=c:4 d:5"]),
        ["a:1", "c:3", "d:5"]
    );
}

fn sinks(plan: &Plan) -> Vec<String> {
    plan.sinks.iter().map(|sink| format!("{}:{} by {}", sink.kind, sink.target, sink.origin)).collect()
}

#[test]
fn sinks_of_a_nearer_level_replace_those_of_farther_ones_but_for_a_plus_sign() {
    let env = "CRONWARD_SINK=statsd:h jsonl:/e";
    for (line, environment, expected) in [
        (&["x"][..], &[env][..], &["statsd:h by CRONWARD_SINK", "jsonl:/e by CRONWARD_SINK"][..]),
        (&["--sink", "jsonl:/f", "x"], &[env], &["jsonl:/f by --sink"]),
        (
            &["--sink", "+jsonl:/f", "x"],
            &[env],
            &["statsd:h by CRONWARD_SINK", "jsonl:/e by CRONWARD_SINK", "jsonl:/f by --sink"],
        ),
        // One plain word makes the level a replacement.
        (&["--sink", "+a:1", "--sink", "b:2", "x"], &[env], &["a:1 by --sink", "b:2 by --sink"]),
        // Named twice, once counted.
        (
            &["--sink", "+statsd:h", "--sink", "+c:", "x"],
            &[env],
            &["statsd:h by CRONWARD_SINK", "jsonl:/e by CRONWARD_SINK", "c: by --sink"],
        ),
        // The default is the farthest level.
        (&["--sink", "+a:1", "x"], &[], &["dogstatsd: by the default", "a:1 by --sink"]),
        (&["--sink", "none", "x"], &[env], &[]),
        (&["x"], &["CRONWARD_SINK=none"], &[]),
        (&["--sink", "+a:1", "x"], &["CRONWARD_SINK=none"], &["a:1 by --sink"]),
        (
            &["--sink", "+a:1", "-c", "CRONWARD_SINK=+b:2 x"],
            &["CRONWARD_SINK=c:3"],
            &["c:3 by CRONWARD_SINK", "b:2 by CRONWARD_SINK in the line of -c", "a:1 by --sink"],
        ),
        (&["--sink", "exec:mail -s 'a:b' x", "x"], &[], &["exec:mail -s 'a:b' x by --sink"]),
    ] {
        assert_eq!(sinks(&plan(line, environment)), expected, "{line:?} {environment:?}");
    }
}

#[test]
fn what_is_expected_is_what_the_nearest_level_says_that_says_anything() {
    let expected = |line: &[&str], environment: &[&str]| -> Vec<String> {
        let plan = plan(line, environment);
        let products = plan.products.iter().map(ToString::to_string);
        plan.expectations.iter().map(ToString::to_string).chain(products).collect()
    };
    let environment = ["CRONWARD_EXPECT=5m..2h 'rows=1..'", "CRONWARD_PRODUCES='/a b:1MiB..' /c"];
    assert_eq!(expected(&["x"], &[]), Vec::<String>::new());
    assert_eq!(expected(&["x"], &environment), ["5m..2h", "rows=1..", "/a b:1048576B..", "/c"]);
    assert_eq!(
        expected(&["--expect", "..1h", "--expect", "a=..0", "x"], &environment),
        ["..1h", "a=..0", "/a b:1048576B..", "/c"]
    );
    assert_eq!(
        expected(&["--produces", "/d:50%..", "-c", "CRONWARD_EXPECT=9s.. x"], &environment),
        ["9s..", "/d:50%.."]
    );
}

#[test]
fn what_means_nothing_is_refused_with_its_origin_and_a_hint() {
    let no_kind = "it has no kind; write 'KIND:TARGET', or 'none' for nowhere";
    for (line, environment, message) in [
        (
            &["--timeout", "5M", "x"][..],
            &[][..],
            "bad duration '5M' in --timeout: months are not accepted; write '5m' for minutes".to_owned(),
        ),
        (
            &["x"],
            &["CRONWARD_TIMEOUT=90"],
            "bad duration '90' in CRONWARD_TIMEOUT: a number needs a unit; write '90s' or '90m'".to_owned(),
        ),
        (
            &["-c", "CRONWARD_KILL_AFTER=x y"],
            &[],
            "bad duration 'x' in CRONWARD_KILL_AFTER in the line of -c: not a time; write '90s', '4h' or '1h30m'"
                .to_owned(),
        ),
        (
            &["--lock-wait", "5", "x"],
            &[],
            "bad duration '5' in --lock-wait: a number needs a unit; write '5s' or '5m'".to_owned(),
        ),
        (
            &["--flush-deadline", "1y", "x"],
            &[],
            "bad duration '1y' in --flush-deadline: years are not accepted; write '365d' for a year of days".to_owned(),
        ),
        (
            &["--realert", "0s", "x"],
            &[],
            "bad duration '0s' in --realert: it must be longer than nothing; leave the option out for never".to_owned(),
        ),
        (&["--lock", "x"], &[], "--lock needs a label; add '--label NAME'".to_owned()),
        (&["x"], &["CRONWARD_LOCK=1"], "CRONWARD_LOCK needs a label; add '--label NAME'".to_owned()),
        (
            &["x"],
            &["CRONWARD_LOCK=yes"],
            "bad switch 'yes' in CRONWARD_LOCK: write '1' or 'true', '0' or 'false'".to_owned(),
        ),
        (
            &["--lock-exit", "256", "x"],
            &[],
            "bad exit status '256' in --lock-exit: write a number of 0 to 255".to_owned(),
        ),
        (
            &["--ok-codes", "3-1", "x"],
            &[],
            "bad exit codes '3-1' in --ok-codes: the range '3-1' is reversed; write '1-3'".to_owned(),
        ),
        (
            &["--warn-codes", "20-30", "x"],
            &["CRONWARD_OK_CODES=24"],
            "exit code '24' is in both CRONWARD_OK_CODES and --warn-codes; leave it out of one".to_owned(),
        ),
        (
            &["--warn-codes", "0", "x"],
            &[],
            "exit code '0' in --warn-codes always counts as success; leave it out".to_owned(),
        ),
        (
            &["--alert-after", "5/3", "x"],
            &[],
            "bad threshold '5/3' in --alert-after: 5 of 3 runs cannot fail; write the smaller number first"
                .to_owned(),
        ),
        (
            &["--alert-after", "0", "x"],
            &[],
            "bad threshold '0' in --alert-after: write a number of 1 or more".to_owned(),
        ),
        (
            &["--recover-after", "0", "x"],
            &[],
            "bad count '0' in --recover-after: write a number of 1 or more".to_owned(),
        ),
        (
            &["--severity", "warn", "x"],
            &[],
            "bad severity 'warn' in --severity: nearest is 'warning'; write one of info, warning, error, critical"
                .to_owned(),
        ),
        (
            &["--summary", "no", "x"],
            &[],
            "bad word 'no' in --summary: write one of auto, always, never".to_owned(),
        ),
        (
            &["--label", "", "x"],
            &[],
            "bad label '' in --label: it is empty; write a name, or leave the option out".to_owned(),
        ),
        (&["--namespace", "", "x"], &[], "bad namespace '' in --namespace: it is empty".to_owned()),
        (&["--alert-key", "", "x"], &[], "bad alert key '' in --alert-key: it is empty".to_owned()),
        (&["-t", ":x", "x"], &[], "bad tag ':x' in --tag: it has no key; write 'KEY:VALUE'".to_owned()),
        (&["x"], &["CRONWARD_TAG=a ''"], "bad tag '' in CRONWARD_TAG: it has no key; write 'KEY:VALUE'".to_owned()),
        (
            &["x"],
            &["CRONWARD_EXPECT=1h.. 5m"],
            "bad band '5m' in CRONWARD_EXPECT: a band needs two dots; write '5m..' for at least, '..5m' for at most"
                .to_owned(),
        ),
        (
            &["--produces", "/a", "--produces", "x:", "x"],
            &[],
            "bad product 'x:' in --produces: nothing stands behind the colon; write '1MiB..' or '50%..300%'"
                .to_owned(),
        ),
        (&["--sink", "dogstatsd", "x"], &[], format!("bad sink 'dogstatsd' in --sink: {no_kind}")),
        (&["--sink", ":x", "x"], &[], format!("bad sink ':x' in --sink: {no_kind}")),
        (&["--sink", "", "x"], &[], format!("bad sink '' in --sink: {no_kind}")),
        (&["--sink", "+none", "x"], &[], format!("bad sink '+none' in --sink: {no_kind}")),
        (
            &["x"],
            &["CRONWARD_SINK=a:1 none"],
            "bad sink 'none' in CRONWARD_SINK: it is nowhere, so it cannot stand beside others; leave one out"
                .to_owned(),
        ),
        (
            &["--state-dir", "", "x"],
            &[],
            "bad directory '' in --state-dir: it is empty; write an absolute path".to_owned(),
        ),
        (
            &["x"],
            &["CRONWARD_STATE_DIR=state"],
            "bad directory 'state' in CRONWARD_STATE_DIR: it is relative; write an absolute path".to_owned(),
        ),
    ] {
        assert_eq!(refusal(line, environment), message, "{line:?} {environment:?}");
    }
}

#[test]
fn a_pattern_that_is_no_text_is_refused() {
    let typed = ["cronward", "--produces"].map(OsString::from).into_iter();
    let args = typed.chain([OsString::from_vec(b"/\xff".to_vec()), "x".into()]).collect();
    let Ok(Invocation::Run(typed)) = parse(args) else { panic!("no run") };
    let refusal = resolve(Configured::new(typed, Vec::new()).unwrap(), &Root).map(|_| ()).unwrap_err();
    let why = "it is not UTF-8; write '?' for a character that is not";
    assert_eq!(refusal.to_string(), format!("bad product '/\u{fffd}' in --produces: {why}"));
}

#[test]
fn what_the_environment_says_besides_options_reaches_the_plan() {
    let id = "019a0000-0000-7000-8000-000000000001";
    let plan = plan(&["x"], &[&format!("CRONWARD_RUN_ID={id}"), "PATH=/p", "DD_ENV=prod"]);
    assert_eq!(plan.parent.map(|id| id.to_string()).as_deref(), Some(id));
    assert_eq!(plan.search_path, Some("/p".into()));
    assert_eq!(plan.variables.get("DD_ENV"), Some("prod"));
    assert_eq!(plan.environment, ["PATH=/p", "DD_ENV=prod"]);
}
