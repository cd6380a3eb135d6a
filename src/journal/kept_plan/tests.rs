//! Keeping and reading back.

use super::*;
use crate::journal::fixture::{Home, ended};
use crate::outcome::{Outcome, Run};
use std::fs;

fn given(option: &str, value: &str) -> Given {
    Given { option: option.into(), value: value.into(), from: From::Flag }
}

fn plan(options: &[(&str, &str)]) -> KeptPlan {
    let mut plan = KeptPlan {
        v: VERSION,
        label: "db/backup".into(),
        host: "db1".into(),
        path: Some("/usr/bin:/bin".into()),
        command: vec!["pg_dump".into(), "app".into()],
        given: options.iter().map(|(option, value)| given(option, value)).collect(),
        ..KeptPlan::default()
    };
    plan.fingerprint = plan.hash();
    plan
}

/// One whole run with this plan; what is kept after it.
fn run(home: &Home, plan: &KeptPlan) -> KeptPlan {
    let mut journal = home.open();
    journal.keep(plan.clone());
    home.commit(&mut journal, &ended(Outcome::Ok));
    kept(home).unwrap()
}

fn kept(home: &Home) -> Option<KeptPlan> {
    read(&Directory::open(&home.job_dir()).unwrap()).unwrap()
}

#[test]
fn a_plan_is_read_back_as_it_was_given() {
    let home = Home::new();
    let plan = plan(&[("lock", "1"), ("tag", "a:b"), ("tag", "c:d")]);
    let kept = run(&home, &plan);
    assert_eq!(kept.label, "db/backup");
    assert_eq!(kept.command(), CommandLine::Words(vec!["pg_dump".into(), "app".into()]));
    assert_eq!(kept.search_path(), Some(OsStr::new("/usr/bin:/bin")));
    let options: Vec<_> = kept.options().map(|option| (option.setting, option.text, option.level)).collect();
    assert_eq!(
        options,
        [
            (Setting::Lock, "1".into(), Level::Flag),
            (Setting::Tag, "a:b".into(), Level::Flag),
            (Setting::Tag, "c:d".into(), Level::Flag)
        ]
    );
}

#[test]
fn a_plan_that_is_the_same_is_not_written_again() {
    let home = Home::new();
    let plan = plan(&[("lock", "1")]);
    run(&home, &plan);
    let path = home.job_dir().join("plan.json");
    fs::remove_file(&path).unwrap();
    let mut journal = home.open();
    journal.keep(plan.clone());
    home.commit(&mut journal, &ended(Outcome::Ok));
    assert!(!path.exists());
}

#[test]
fn a_first_run_that_hangs_has_left_its_plan() {
    let home = Home::new();
    let mut journal = home.open();
    journal.keep(plan(&[("max-age", "1d")]));
    journal.read_ahead(false);
    assert_eq!(kept(&home).unwrap().options().count(), 1);
}

#[test]
fn what_changes_is_said_once_and_with_its_time() {
    let home = Home::new();
    run(&home, &plan(&[("timeout", "1h"), ("tag", "build:1")]));
    let before = Timestamp::from_millis(Timestamp::now().as_millis() - 1);
    let mut changed = plan(&[("timeout", "10m"), ("tag", "build:2")]);
    changed.command[1] = "app2".into();
    changed.user = 7;
    changed.fingerprint = changed.hash();
    let kept = run(&home, &changed);
    let (said, briefly): (Vec<String>, Vec<String>) =
        kept.changes_since(before).map(|change| (change.full, change.brief)).unzip();
    assert_eq!(
        said,
        [
            "user changed from '0' to '7'",
            "command changed from 'pg_dump app' to 'pg_dump app2'",
            "configuration: timeout changed from '1h' to '10m'",
        ]
    );
    assert_eq!(briefly[1], "command changed", "arguments are nobody else's business");
    assert_eq!(kept.changes_since(Timestamp::from_millis(i64::MAX)).count(), 0);
    let again = run(&home, &plan(&[]));
    assert!(again.changes.len() > said.len(), "older changes stay");
}

/// Where nobody could write while the command ran, the plan is kept with its end.
#[test]
fn a_change_that_a_run_has_succeeded_with_is_none_since() {
    let home = Home::new();
    run(&home, &plan(&[("timeout", "1h")]));
    let mut journal = home.open();
    journal.keep(plan(&[("timeout", "10m")]));
    // Some time passes between the end of a run and its turn at the journal.
    let ended_at = Timestamp::from_millis(Timestamp::now().as_millis() - 5);
    home.commit(&mut journal, &Run { ended_at: Some(ended_at), ..ended(Outcome::Ok) });
    let kept = kept(&home).unwrap();
    assert_eq!((kept.changes.len(), kept.changes_since(ended_at).count()), (1, 0));
}

#[test]
fn only_so_many_changes_are_remembered() {
    let home = Home::new();
    for number in 0..40 {
        run(&home, &plan(&[("timeout", &format!("{number}m"))]));
    }
    assert_eq!(kept(&home).unwrap().changes.len(), CHANGES_MAX);
}

#[test]
fn a_secret_in_a_target_is_not_kept_and_a_reference_to_it_is() {
    for (value, secret) in [
        ("ping:https://hc.example/uuid", true),
        ("+ping:https://hc.example/uuid", true),
        ("ping:file:/etc/ping", false),
        ("ping:env:PING", false),
        ("pagerduty:key", true),
        ("pagerduty:file:/etc/key", false),
        ("webhook:https://h/uuid#secret=env:KEY", true),
        ("webhook:file:/etc/url#secret=key", true),
        ("webhook:file:/etc/url#secret=env:KEY&events=all", false),
        ("statsd:h:1", false),
        ("exec:mail root", false),
    ] {
        assert_eq!(is_secret(&given("sink", value)), secret, "{value}");
    }
    assert!(!is_secret(&given("label", "ping:x")));
}

#[test]
fn a_plan_of_another_version_or_none_at_all_is_not_read() {
    let home = Home::new();
    run(&home, &plan(&[]));
    let path = home.job_dir().join("plan.json");
    for text in ["", "{}", "[]", "{\"v\":2}", "\0"] {
        fs::write(&path, text).unwrap();
        let directory = Directory::open(&home.job_dir()).unwrap();
        assert!(read(&directory).unwrap_err().contains("plan.json"), "{text}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(kept(&home), None);
}

#[test]
fn every_part_of_a_plan_is_part_of_its_hash() {
    let base = plan(&[("tag", "a:b")]);
    let variations: [fn(&mut KeptPlan); 8] = [
        |plan| plan.host.push('x'),
        |plan| plan.user = 1,
        |plan| plan.path = None,
        |plan| plan.command.push(String::new()),
        |plan| plan.shell = true,
        |plan| plan.given[0].from = From::File,
        |plan| plan.given[0].value.push('x'),
        |plan| plan.variables.push(("DD_ENV".into(), "x".into())),
    ];
    for vary in variations {
        let mut other = base.clone();
        vary(&mut other);
        assert_ne!(other.hash(), base.hash());
    }
}
