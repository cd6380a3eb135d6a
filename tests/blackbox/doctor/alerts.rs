//! Alerts that nobody would hear of, and jobs that nobody looks after.

use std::fs;

use super::clinic::{Clinic, assert_has};
use crate::support::End;

#[test]
fn an_alert_that_nobody_would_hear_of_is_found() {
    let clinic = Clinic::new();
    let options = ["-l", "quiet", "--sink", &clinic.host.log()];
    clinic.host.wrap(&options, "exit 0").run();
    clinic.has(
        "NOTE",
        "alerts",
        &["no sink takes charge of the alerts of 'quiet'", "is the mail of this host read?"],
    );
    fs::remove_file(clinic.path("usr/sbin/sendmail")).unwrap();
    clinic.has("WARNING", "alerts", &["there is no '/usr/sbin/sendmail'", "install a mail transport agent"]);
    clinic.host.cronward(["forget", "quiet"]).run();
    clinic.is_sound();
}

#[test]
fn a_delivery_that_is_owed_is_found_until_it_is_made() {
    let clinic = Clinic::new();
    let gate = clinic.host.path("gate");
    let sink = format!("exec:test -e '{}'", gate.display());
    clinic.host.wrap(&["-l", "job", "--max-age", "9h", "--sink", &sink], "exit 3").run();
    let ran = clinic.doctor(&[]).run();
    assert_has(
        &ran,
        "WARNING",
        "alerts",
        &["'exec:test' is owed 1 alert or recovery", "tried 1 time in vain", "cronward flush"],
    );
    fs::write(&gate, "").unwrap();
    let flushed = clinic.host.cronward(["flush"]).run();
    assert_eq!(flushed.end(), End::Code(0), "{flushed}");
    clinic.is_sound();
}

#[test]
fn a_drill_that_is_over_90_days_old_or_was_never_made_is_found() {
    let clinic = Clinic::new();
    let path = clinic.host.state_dir().join("jobs/job/drill.json");
    fs::write(&path, r#"{"v":1,"at":1700000000000,"confirmed_at":1700000000000}"#).unwrap();
    clinic.has("WARNING", "alerts", &["that is over 90 days", "cronward drill job --confirm"]);
    fs::remove_file(&path).unwrap();
    clinic.has("NOTE", "alerts", &["no alert by 'exec:cat' was ever drilled", "try it: cronward drill job"]);
    clinic.drill("job");
    clinic.is_sound();
}

#[test]
fn jobs_that_nobody_checks_are_found() {
    let clinic = Clinic::new();
    let path = clinic.host.state_dir().join("checked.json");
    let sound = fs::read(&path).unwrap();
    fs::write(&path, r#"{"v":1,"at":1700000000000}"#).unwrap();
    clinic.has("WARNING", "cron", &["everything was last checked ", ": 'job'", "cronward check >/dev/null"]);
    fs::write(&path, sound).unwrap();
    clinic.is_sound();
}

#[test]
fn a_line_of_a_crontab_that_cannot_work_is_found() {
    let clinic = Clinic::new();
    for (text, severity, said) in [
        (
            "@daily root cronward -l job -- pg_dumpp\n",
            "FAULT",
            "/etc/crontab:1: the command 'pg_dumpp' cannot be run",
        ),
        (
            "PATH=/opt\n@daily root cronward -l job -- /usr/bin/dump\n",
            "FAULT",
            ":2: 'cronward' cannot be run: it is not in PATH there (/opt)",
        ),
        (
            "@daily root /usr/local/bin/cronward -l job -- dump\n",
            "FAULT",
            "'/usr/local/bin/cronward' cannot be run",
        ),
        (
            "SHELL=/usr/local/bin/cronward\n@daily root dump\n",
            "FAULT",
            ":1: SHELL '/usr/local/bin/cronward' is no program",
        ),
        (
            "CRONWARD_LABLE=x\n@daily root cronward -l job -- dump\n",
            "WARNING",
            ":1: nobody reads 'CRONWARD_LABLE'; did you mean 'CRONWARD_LABEL'?",
        ),
        ("@daily root cronward -l job -- dump", "WARNING", "/etc/crontab:1: no newline at its end"),
    ] {
        clinic.crontab(text);
        clinic.has(severity, "cron", &[said]);
    }
    clinic.crontab("PATH=/opt\n@daily root /usr/bin/cronward -l job -- /usr/bin/dump\n");
    clinic.is_sound();
}
