use super::super::finding::Severity;
use super::*;
use crate::crontab::lines::Form;

/// A root with a few programs in it.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, mode) in [
        ("usr/bin/cronward", 0o755),
        ("usr/bin/dump", 0o755),
        ("usr/bin/notes", 0o644),
        ("opt/bin/tool", 0o755),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    root
}

fn facts(root: &Path, text: &str) -> Facts {
    let now = Timestamp::from_millis(1_800_000_000_000);
    Facts {
        crontabs: vec![Crontab { name: "/etc/crontab".to_owned(), form: Form::User, text: text.into() }],
        root: root.to_owned(),
        watched: Vec::new(),
        last_check: Some(now),
        own_path: Some("/opt/bin/cronward".into()),
        now,
    }
}

#[test]
fn a_line_that_cannot_work_under_cron_is_named_with_its_place() {
    let root = root();
    for (text, severity, said) in [
        ("@daily cronward -- dump\n", Severity::Ok, "1 call in 1 crontab, and each finds its program"),
        ("@daily cronward -- /usr/bin/dump x\n", Severity::Ok, "each finds"),
        ("PATH=/usr/bin:/opt/bin\n@daily cronward -- tool\n", Severity::Ok, "each finds"),
        ("@daily cronward -- ./relative\n", Severity::Ok, "each finds"),
        ("@daily cronward -l x -- \"$HOME/x\"\n", Severity::Ok, "each finds"),
        ("@daily cronward -c 'cd /x && y'\n", Severity::Ok, "each finds"),
        ("@daily cronward check\n", Severity::Ok, "each finds"),
        ("@daily echo\n", Severity::Ok, "no crontab that can be read calls cronward"),
        (
            "PATH=/opt/bin\n@daily cronward -- tool\n",
            Severity::Fault,
            "/etc/crontab:2: 'cronward' cannot be run: it is not in PATH there (/opt/bin); write '/opt/bin/cronward'",
        ),
        (
            "@daily /x/cronward check\n",
            Severity::Fault,
            "'/x/cronward' cannot be run: there is no such program",
        ),
        (
            "@daily cronward -- tool\n",
            Severity::Fault,
            "/etc/crontab:1: the command 'tool' cannot be run: it is not in PATH there (/usr/bin:/bin); write its whole",
        ),
        ("@daily cronward -- notes\n", Severity::Fault, "the command 'notes' cannot be run"),
        (
            "@daily cronward -- /opt/tool\n",
            Severity::Fault,
            "'/opt/tool' cannot be run: there is no such program",
        ),
        ("SHELL=/usr/bin/cronward\n@daily dump | x\n", Severity::Ok, "each finds"),
        ("SHELL=cronward\n@daily dump | x\n", Severity::Fault, ":1: SHELL 'cronward' is no program"),
        (
            "CRONWARD_TIMEUOT=5m\n@daily echo\n",
            Severity::Warning,
            ":1: nobody reads 'CRONWARD_TIMEUOT'; did you mean",
        ),
        (
            "@daily cronward -- dump\n99 * * * * x\n",
            Severity::Warning,
            "/etc/crontab:2: bad schedule '99 * * * * x'",
        ),
        ("99 * * * * x\n", Severity::Ok, "no crontab"),
        ("@daily cronward -- dump", Severity::Warning, "no newline at its end"),
    ] {
        let findings = examine(&facts(root.path(), text));
        assert_eq!(findings.len(), 1, "{text} {findings:?}");
        assert_eq!(findings[0].severity, severity, "{text} {findings:?}");
        let Finding { what, hint, .. } = &findings[0];
        let all = format!("{what}; {hint}");
        let said = said.trim_end_matches(" x'");
        assert!(all.contains(said), "{text} {findings:?}");
    }
}

#[test]
fn jobs_that_only_a_check_misses_want_one_within_the_hour() {
    let root = root();
    let mut facts = facts(root.path(), "@daily cronward -- dump\n");
    facts.watched = vec!["job".to_owned()];
    assert_eq!(examine(&facts)[0].severity, Severity::Ok);
    facts.last_check = Some(facts.now.earlier_by(Duration::from_secs(3601)));
    let found = examine(&facts).remove(0);
    assert_eq!(found.severity, Severity::Warning, "{found:?}");
    assert!(found.what.contains("last checked 1h 00m ago") && found.what.ends_with(": 'job'"), "{found:?}");
    assert!(found.hint.ends_with("*/5 * * * * /opt/bin/cronward check >/dev/null"), "{found:?}");
    facts.last_check = None;
    assert!(examine(&facts)[0].what.contains("has never looked"));
}

#[test]
fn without_a_call_it_is_said_if_cron_would_not_find_cronward() {
    let root = tempfile::tempdir().unwrap();
    let found = examine(&facts(root.path(), "")).remove(0);
    assert_eq!(found.severity, Severity::Note, "{found:?}");
    assert!(found.hint.ends_with(": /opt/bin/cronward"), "{found:?}");
}

#[test]
fn the_crontabs_of_the_system_and_of_users_are_read_and_what_cron_passes_over_is_not() {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("etc/crontab", "a"),
        ("etc/cron.d/one", "b"),
        ("etc/cron.d/one.dpkg-old", "c"),
        ("var/spool/cron/crontabs/me", "d"),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let script = root.path().join("usr/bin/crontab");
    fs::create_dir_all(script.parent().unwrap()).unwrap();
    fs::write(&script, "#!/bin/sh\n[ \"$1\" = -l ] && echo e\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let names = |user| -> Vec<(String, String)> {
        let text = |crontab: Crontab| (crontab.name, String::from_utf8(crontab.text).unwrap());
        Facts::crontabs(root.path(), user).into_iter().map(text).collect()
    };
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let of_system = [("/etc/crontab", "a"), ("/etc/cron.d/one", "b")];
    assert_eq!(names(0), own(&[of_system[0], of_system[1], ("/var/spool/cron/crontabs/me", "d")]));
    assert_eq!(names(1000), own(&[of_system[0], of_system[1], ("crontab -l", "e\n")]));
}
