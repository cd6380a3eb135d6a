//! `cronward check`: what no run says by ending. Time passes by making what is
//! remembered older.

mod crontab;
mod metrics;
mod under_way;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;

use crate::support::situation::make_fifo;
use crate::support::{End, Host, Invocation, Journal, Ran};

const OK: i32 = 0;
const WARNING: i32 = 1;
const CRITICAL: i32 = 2;
const UNKNOWN: i32 = 3;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Its grace is a minute and a half, also after the host has been started.
const OFTEN: &str = "*/5 * * * *";

/// A check that has this to say.
fn checked(invocation: Invocation<'_>, status: i32, says: &str) -> Ran {
    let ran = invocation.run();
    let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][status as usize];
    assert_eq!(ran.end(), End::Code(status), "{ran}");
    let text = ran.stdout_text();
    assert!(text.starts_with(&format!("CRONWARD {word} - ")) && text.contains(says), "'{says}'\n{ran}");
    ran
}

/// The same of all jobs, with nothing on stderr.
fn check(host: &Host, status: i32, says: &str) -> Ran {
    let ran = checked(host.cronward(["check"]), status, says);
    assert!(ran.stderr.is_empty(), "{ran}");
    ran
}

/// A run of `job` whose alerts are taken charge of.
fn run<'h>(host: &'h Host, options: &[&str], line: &str) -> Invocation<'h> {
    let sink = host.alert_sink();
    host.wrap(&[&["-l", "job", "--sink", &sink], options].concat(), line)
}

fn succeed(host: &Host, options: &[&str]) {
    let ran = run(host, options, "exit 0").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    assert!(ran.stderr.is_empty(), "{ran}");
}

/// Lines of a job's journal that tell of something other than a run's end.
fn remarks(host: &Host, label: &str) -> Vec<Value> {
    let text = fs::read_to_string(Journal::path(&host.state_dir(), label).unwrap()).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line.get("remark").cloned()).collect()
}

#[test]
fn jobs_that_are_well_are_one_line_each_and_no_trouble() {
    let host = Host::new();
    check(&host, OK, "no job is on record | jobs=0 ");
    assert!(!host.state_dir().exists(), "a check makes no state");
    succeed(&host, &["--schedule", OFTEN, "--max-age", "1d"]);
    let ran = check(&host, OK, "job: last ok ");
    assert_eq!(ran.stdout_text().lines().count(), 1, "{ran}");
    assert!(ran.stdout_text().contains("| 'job success_age'=0s;;86400;0 'job failures'=0;;;0 "), "{ran}");
    host.wrap(&["-l", "other"], "exit 0").run();
    let ran = check(&host, OK, "2 jobs, all is well | jobs=2 ok=2 ");
    assert!(ran.stdout_text().contains("\n[OK] job: last ok "), "{ran}");
    checked(host.cronward(["check", "other"]), OK, "- other: last ok ");
    assert!(host.alerts().is_empty());
}

#[test]
fn a_label_that_is_not_on_record_is_unknown_and_a_bad_option_no_check() {
    let host = Host::new();
    succeed(&host, &[]);
    checked(host.cronward(["check", "jop"]), UNKNOWN, "jop: no run of it is on record");
    let ran = checked(host.cronward(["check", "jop", "job"]), UNKNOWN, "1 of 2 jobs: jop ");
    assert!(ran.stdout_text().contains("\n[OK] job: "), "{ran}");
    for options in [&["check", "--no-such-option"][..], &["check", "--crontab"]] {
        let ran = host.cronward(options.iter().copied()).run();
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        assert!(ran.stdout.is_empty() && ran.own_words().len() == 1, "{ran}");
    }
}

#[test]
fn the_findings_are_to_be_had_as_json() {
    let host = Host::new();
    succeed(&host, &["--max-age", "1d"]);
    host.age(2 * DAY);
    let ran = host.cronward(["check", "--json"]).run();
    assert_eq!(ran.end(), End::Code(CRITICAL), "{ran}");
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let of_job = &found[0];
    assert_eq!((&of_job["label"], &of_job["status"]), (&"job".into(), &"CRITICAL".into()), "{found}");
    assert_eq!((&of_job["max_age_s"], &of_job["missed"]), (&86_400.into(), &0.into()), "{found}");
    assert!(of_job["reason"].as_str().unwrap().starts_with("no success for 2d 00h"), "{found}");
    assert!(of_job.get("user").is_none(), "{found}");
}

/// However many failures the rule wants: a run that does not come never fails.
#[test]
fn a_run_that_does_not_come_opens_the_alert_once_and_the_next_success_closes_it() {
    for (options, says) in [
        (&["--schedule", OFTEN][..], "no run came at "),
        (&["--max-age", "1d"], "no success for 2d 00h, expected at most 1d"),
        (&["--schedule", OFTEN, "--alert-after", "100"], "no run came at "),
        (&["--max-age", "1d", "--alert-after", "64/30d"], "no success for 2d 00h"),
    ] {
        let host = Host::new();
        succeed(&host, options);
        check(&host, OK, "job: last ok");
        host.age(2 * DAY);
        check(&host, CRITICAL, says);
        check(&host, CRITICAL, "alert open for ");
        let alerts = host.alerts();
        assert_eq!(host.alert_kinds(), ["alert.opened"], "{alerts:?}");
        assert!(alerts[0]["reason"].as_str().unwrap().contains(says), "{alerts:?}");
        assert!(alerts[0].get("run").is_none(), "{alerts:?}");
        assert_eq!(remarks(&host, "job").len(), 1, "what is known is not written again");

        succeed(&host, options);
        let alerts = host.alerts();
        assert_eq!(host.alert_kinds(), ["alert.opened", "alert.closed"], "{alerts:?}");
        assert_eq!(alerts[0]["alert"]["id"], alerts[1]["alert"]["id"], "{alerts:?}");
        assert_eq!(alerts[1]["run"]["outcome"], "ok", "{alerts:?}");
        check(&host, OK, "job: last ok");
        assert_eq!(host.alerts().len(), 2);
    }
}

/// What was due before the host was started may come late, so for some time after that nothing is said.
#[test]
fn a_daily_run_that_does_not_come_is_noticed() {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    if seconds < 16.0 * 60.0 {
        return;
    }
    let host = Host::new();
    succeed(&host, &["--schedule", "30 2 * * *"]);
    host.age(2 * DAY);
    check(&host, CRITICAL, "02:30:00 ('30 2 * * *')");
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
}

#[test]
fn a_trouble_that_goes_on_is_told_again_when_that_is_due() {
    let host = Host::new();
    succeed(&host, &["--max-age", "1d", "--realert", "12h"]);
    host.age(2 * DAY);
    check(&host, CRITICAL, "no success");
    host.age(11 * HOUR);
    check(&host, CRITICAL, "no success");
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
    host.age(HOUR);
    check(&host, CRITICAL, "no success");
    check(&host, CRITICAL, "no success");
    assert_eq!(host.alert_kinds(), ["alert.opened", "alert.repeated"]);
    let alerts = host.alerts();
    assert_eq!(alerts[0]["alert"]["id"], alerts[1]["alert"]["id"], "{alerts:?}");
}

/// An alert that nobody takes charge of is for cron to mail.
#[test]
fn a_run_that_does_not_come_is_said_on_stderr_if_nobody_else_is_told() {
    let host = Host::new();
    host.wrap(&["-l", "job", "--max-age", "1d", "--sink", "none"], "exit 0").run();
    host.age(2 * DAY);
    let ran = checked(host.cronward(["check"]), CRITICAL, "no success");
    assert_eq!(ran.own_words().len(), ran.stderr_text().lines().count(), "{ran}");
    assert!(ran.own_words()[0].contains("job is in trouble on "), "{ran}");
    check(&host, CRITICAL, "no success");
}

/// Also with as many checks as there are at once.
#[test]
fn many_checks_at_once_open_one_alert() {
    let host = Host::new();
    succeed(&host, &["--schedule", OFTEN]);
    host.age(2 * DAY);
    let all: Vec<_> = (0..8).map(|_| host.cronward(["check"]).start()).collect();
    for running in all {
        let ran = running.wait();
        assert_eq!(ran.end(), End::Code(CRITICAL), "{ran}");
    }
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
    assert_eq!(remarks(&host, "job").len(), 1);
}

#[test]
fn runs_that_did_not_come_are_counted_once_when_others_have_come_since() {
    let host = Host::new();
    succeed(&host, &["--schedule", OFTEN]);
    check(&host, OK, "job: last ok");
    host.age(HOUR);
    succeed(&host, &["--schedule", OFTEN]);
    let ran = check(&host, WARNING, " runs due since the last check did not come");
    let missed =
        ran.stdout_text().split_once("'job missed'=").unwrap().1.split(';').next().unwrap().to_owned();
    // Twelve were due, of which the first and the last may be those that came.
    assert!((10..=12).contains(&missed.parse::<u32>().unwrap()), "{ran}");
    assert!(host.alerts().is_empty(), "{ran}");
    check(&host, OK, "job: last ok");
}

/// One run for each time that it was due, whoever looks how often.
#[test]
fn runs_that_have_come_since_the_last_check_are_not_missed() {
    let host = Host::new();
    succeed(&host, &["--schedule", OFTEN]);
    check(&host, OK, "job: last ok");
    for _ in 0..8 {
        host.age(Duration::from_secs(300));
        succeed(&host, &["--schedule", OFTEN]);
    }
    check(&host, OK, "job: last ok");
}

/// What the files say now counts, below what the last run was given on its command line.
#[test]
fn schedules_and_sinks_may_stand_in_a_file() {
    let host = Host::new();
    let of_file = |max_age: &str| {
        let (sink, max_age) = (host.alert_sink().replace('\'', "\\\""), max_age.to_owned());
        format!("[job.\"jo*\"]\nsink = [\"{sink}\"]\nmax-age = '{max_age}'\n")
    };
    let run = || host.wrap(&["-l", "job"], "exit 0").without_env("CRONWARD_SINK").run();
    host.configure(of_file("1d"));
    assert_eq!(run().end(), End::Code(0));
    host.age(2 * DAY);
    host.configure(of_file("3d"));
    check(&host, OK, "job: last ok");

    // Another file for the whole check.
    fs::write(host.path("other.toml"), of_file("1d")).unwrap();
    fs::set_permissions(host.path("other.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    checked(host.cronward(["check", "--config", "other.toml"]), CRITICAL, "expected at most 1d");
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
    assert_eq!(run().end(), End::Code(0));
    assert_eq!(host.alert_kinds(), ["alert.opened", "alert.closed"]);

    // A plan that was lost, as by a disk that was full.
    let plan = Journal::path(&host.state_dir(), "job").unwrap().with_file_name("plan.json");
    fs::remove_file(&plan).unwrap();
    host.age(4 * DAY);
    check(&host, CRITICAL, "expected at most 3d");
    assert_eq!(host.alert_kinds().len(), 3);
}

/// A file in trouble takes nobody's alert away: what the last run had of it holds.
#[test]
fn what_the_last_run_had_of_a_file_holds_where_that_cannot_be_read_any_more() {
    let host = Host::new();
    let sink = host.alert_sink().replace('\'', "\\\"");
    host.configure(format!("[defaults]\nsink = [\"{sink}\"]\nmax-age = '1d'\n"));
    let ran = host.wrap(&["-l", "job"], "exit 0").without_env("CRONWARD_SINK").run();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    host.age(2 * DAY);
    host.configure("[defaults\n");
    check(&host, CRITICAL, "expected at most 1d");
    assert_eq!(host.alert_kinds(), ["alert.opened"]);
}

/// One job's state that is beyond reading leaves the others' to be checked.
#[test]
fn state_that_cannot_be_read_is_unknown_and_the_others_are_checked() {
    let host = Host::new();
    for label in ["garbage", "fifo", "open", "fine"] {
        let ran = host.wrap(&["-l", label], "exit 0").run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
    }
    let journal = |label: &str| Journal::path(&host.state_dir(), label).unwrap();
    let (garbage, fifo, open) = (journal("garbage"), journal("fifo"), journal("open"));
    fs::write(garbage, [0xff, 0, b'\n', b'{', 0xfe].repeat(1000)).unwrap();
    fs::remove_file(&fifo).unwrap();
    make_fifo(&fifo);
    fs::set_permissions(open.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    let ran = check(
        &host,
        UNKNOWN,
        "3 of 4 jobs: fifo, garbage, open | jobs=4 ok=1 warning=0 critical=0 unknown=3",
    );
    for line in ["[UNKNOWN] fifo: ", "[UNKNOWN] garbage: ", "[UNKNOWN] open: ", "[OK] fine: last ok"] {
        assert!(ran.stdout_text().contains(line), "{line}\n{ran}");
    }
}
