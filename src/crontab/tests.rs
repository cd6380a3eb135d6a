use proptest::prelude::*;

use super::*;

/// The jobs of a crontab, a line each: number, schedule, user, label, `?` if it is conditional.
fn jobs(text: &str, form: Form) -> Vec<String> {
    let found = wrapped_jobs(text.as_bytes(), form);
    assert_eq!(found.problems, [], "{text}");
    found.jobs.iter().map(shown).collect()
}

fn shown(job: &WrappedJob) -> String {
    let schedule = job.schedule.as_ref().map_or("@reboot".to_owned(), Schedule::to_string);
    let user = job.user.as_ref().map_or(String::new(), |user| format!("{user}: "));
    let mark = if job.is_conditional { "?" } else { "" };
    format!("{} {schedule} {user}{}{mark}", job.line_number, job.label)
}

/// The labels of the jobs of one command, and what is not understood in it.
fn of_command(command: &str) -> (Vec<String>, Vec<String>) {
    let found = wrapped_jobs(format!("0 0 * * * {command}\n").as_bytes(), Form::User);
    let label = |job: &WrappedJob| format!("{}{}", job.label, if job.is_conditional { "?" } else { "" });
    let labels = found.jobs.iter().map(label).collect();
    (labels, found.problems.into_iter().map(|problem| problem.reason).collect())
}

#[test]
fn wrapped_commands_are_found_by_the_label_they_are_given() {
    for (command, labels) in [
        ("cronward -l ntp-stats --alert-after 100 -- /usr/local/bin/ntp-stats", "ntp-stats"),
        ("/usr/local/bin/cronward -l ntp /usr/local/bin/ntp-stats", "ntp"),
        ("/usr/local/bin/cronward -lntp /usr/local/bin/ntp-stats", "ntp"),
        ("cronward -l=ntp -- x", "ntp"),
        ("cronward --label ntp x", "ntp"),
        ("cronward --label=ntp --lock --timeout 4h -- x -l other", "ntp"),
        ("cronward --label 'a b' x", "a b"),
        ("cronward -l one -l two x", "two"),
        ("$HOME/bin/cronward -l backup -- restic backup ~/Documents", "backup"),
        ("\"$HOME/bin/cronward\" -l backup -- x", "backup"),
        ("~/bin/cronward -l backup -- x", "backup"),
        ("CRONWARD_LABEL=dump cronward pg_dump app", "dump"),
        ("CRONWARD_LABEL=dump LC_ALL=C cronward -l other pg_dump app", "other"),
        ("LABEL=x CRONWARD_LABEL=a CRONWARD_LABEL=b cronward y", "b"),
        ("cronward -l x -c 'pg_dump app | gzip'", "x"),
        ("cronward -c 'CRONWARD_LABEL=dump pg_dump app | gzip > x'", "dump"),
        ("nice -n 19 cronward -l x -- make", "x"),
        ("nice -19 cronward -l x -- make", "x"),
        ("nice cronward -l x -- make", "x"),
        ("ionice -c2 -n7 nice -n19 cronward -l x -- make", "x"),
        ("/usr/bin/ionice -c 3 /usr/local/bin/cronward -l x -- make", "x"),
        ("chronic cronward -l x -- make", "x"),
        ("env A=b CRONWARD_LABEL=x cronward make", "x"),
        ("env -u A -- B=c cronward -l x make", "x"),
        ("/usr/bin/time -o /tmp/t -v cronward -l x make", "x"),
        ("timeout --kill-after 10 2h cronward -l x make", "x"),
        ("flock -n /run/lock/x cronward -l x make", "x"),
        ("systemd-cat -t x cronward -l x make", "x"),
        ("exec cronward -l x make", "x"),
        ("cronward -l db-check -- mysqlcheck --all-databases >/dev/null 2>&1", "db-check"),
        ("cronward -l x -- tar czf \"/b/$(date +\\%F).tgz\" /etc", "x"),
        ("cronward -l x -- find /tmp -name '*.tmp' -delete", "x"),
        ("cd /srv/app && cronward -l x -- ./manage.py clearsessions", "x"),
        (". /etc/profile; cd /srv && . venv/bin/activate && cronward -l x -- python m.py", "x"),
        ("sleep $((RANDOM \\% 60)); cronward -l x -- y", "x"),
        ("pg_dump app | cronward -l upload -- aws s3 cp - s3://b/x", "upload"),
        ("cronward -l a -- x; cronward -l b -- y", "a b"),
        ("cronward -l a -- x && cronward -l b -- y", "a b?"),
        ("cronward -l a -- x || cronward -l b -- y", "a b?"),
        ("[ -x /usr/local/bin/cronward ] && cronward -l x -- y", "x"),
        ("command -v cronward >/dev/null && cronward -l x -- y", "x"),
        ("test -d /run/systemd/system || cronward -l x -- y", "x?"),
        ("[ \"$(date +\\%d)\" -le 7 ] && cronward -l first-monday -- y", "first-monday?"),
        ("perl -e 'sleep rand 300' && cd / && cronward -l x -- y", "x?"),
        ("if mountpoint -q /b; then cronward -l x -- y; fi", "x?"),
        ("(cd /srv && exec cronward -l x -- y) 2>&1 | logger", "x"),
        ("cronward -l check -- cronward check", "check"),
        ("cronward -- status", "status-ba4b77ef"),
    ] {
        let (found, problems) = of_command(command);
        assert_eq!((found.join(" ").as_str(), &problems[..]), (labels, &[][..]), "{command}");
    }
}

#[test]
fn what_runs_no_job_is_none() {
    for command in [
        "/usr/local/bin/backup.sh",
        "run-parts /etc/cron.daily",
        "cronward check",
        "cronward check --json | mail -s report root",
        "/usr/local/bin/cronward status",
        "cronward flush >/dev/null 2>&1",
        "cronward --help",
        "cronward --dry-run -l x y",
        "echo cronward -l x y",
        "which cronward",
        "test -x /usr/bin/cronward",
        "tail -n 5 /var/log/cronward",
        "rm -rf /var/lib/cronward/tmp",
        "my-cronward -l x y",
        "cronward.sh -l x y",
        "cronward-wrap -l x y",
        "true # cronward -l x y",
        "echo '; cronward -l x y'",
        "cat x%cronward -l x y",
    ] {
        assert_eq!(of_command(command), (vec![], vec![]), "{command}");
    }
}

/// The labels as `cronward --dry-run` prints them for the same commands.
#[test]
fn a_label_that_is_not_given_is_the_one_that_the_run_derives() {
    for (command, label) in [
        ("cronward /usr/bin/python3 a.py", "python3-7aa68f62"),
        ("cronward -- /usr/bin/python3 'a.py'", "python3-7aa68f62"),
        ("cronward /usr/bin/python3 \"a.py\" >/dev/null 2>&1", "python3-7aa68f62"),
        ("nice cronward /usr/bin/python3 a\\.py # nightly", "python3-7aa68f62"),
        ("cronward date +\\%F", "date-706e810b"),
        ("cronward -c 'pg_dump app | gzip'", "pg_dump-cf9f02ec"),
        ("cronward -c 'CRONWARD_LOCK_WAIT=1s pg_dump app | gzip'", "pg_dump-cf9f02ec"),
        ("cronward -c 'A=b pg_dump app'", "sh-e99aaf30"),
    ] {
        assert_eq!(of_command(command), (vec![label.to_owned()], vec![]), "{command}");
    }
}

#[test]
fn what_is_not_understood_is_said() {
    const SHELL: &str = "only a shell can tell the label of this job; give it a plain one with '--label'";
    let hidden = |program: &str| {
        format!("'{program}' seems to call cronward, and is not looked into; put cronward before '{program}'")
    };
    for (command, reason) in [
        ("cronward -l \"$(hostname)-backup\" -- x", SHELL.to_owned()),
        ("cronward --label=$NAME -- x", SHELL.to_owned()),
        ("CRONWARD_LABEL=$NAME cronward x", SHELL.to_owned()),
        ("cronward $OPTIONS -- x", SHELL.to_owned()),
        ("cronward -- tar cf x *.c", SHELL.to_owned()),
        ("cronward $HOME/bin/x", SHELL.to_owned()),
        ("cronward -c \"x $y\"", SHELL.to_owned()),
        ("cronward", "no command; see 'cronward --help'".to_owned()),
        ("cronward -l x", "no command; see 'cronward --help'".to_owned()),
        (
            "cronward -l '' -- x",
            "bad label '' in --label: it is empty; write a name, or leave the option out".to_owned(),
        ),
        (
            "cronward --lable x -- y",
            "unknown option '--lable', nearest is '--label'; see 'cronward --help'".to_owned(),
        ),
        ("cronward -l 'x -- y", "a ' is missing, so no shell can run it; close what is open".to_owned()),
        (
            "cronward -l x -- y $(date",
            "a ) is missing, so no shell can run it; close what is open".to_owned(),
        ),
        ("sudo -u postgres cronward -l x -- y", hidden("sudo")),
        ("su - app -c 'cronward -l x -- y'", hidden("su")),
        ("bash -lc \"/usr/local/bin/cronward -l x -- y\"", hidden("bash")),
        ("A=b /usr/bin/sudo $HOME/bin/cronward -l x -- y", hidden("sudo")),
    ] {
        assert_eq!(of_command(command), (vec![], vec![reason]), "{command}");
    }
}

#[test]
fn a_crontab_of_a_user() {
    let text = "\
# m h  dom mon dow   command
MAILTO=ops@example.org
PATH=/usr/local/bin:/usr/bin:/bin

*/5 * * * *     cronward -l ntp -- ntp-stats
30 2 * * *      pg_dump app > /backup/app.sql
@reboot         cronward -l warm-up -- curl -fsS localhost/warm
0 3 * jan-mar mon-fri  cronward -l winter -- heat  % on%off
CRONWARD_LABEL = from-the-crontab
@daily cronward a
@weekly cronward -l nearer b
CRONWARD_LABEL=later
@monthly cronward c
  @yearly    cronward check
";
    assert_eq!(
        jobs(text, Form::User),
        [
            "5 */5 * * * * ntp",
            "7 @reboot warm-up",
            "8 0 3 * jan-mar mon-fri winter",
            "10 @daily from-the-crontab",
            "11 @weekly nearer",
            "13 @monthly later",
        ]
    );
}

#[test]
fn a_crontab_of_the_system_has_users() {
    let text = "\
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin

17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
25 6\t* * *\troot\tcronward -l daily -- run-parts --report /etc/cron.daily
5-55/10 * * * *\tpostgres\tcommand -v debian-sa1 > /dev/null && cronward -l sa1 -- debian-sa1 1 1
@daily www-data cronward -l sessions -- php /srv/clean.php
";
    assert_eq!(
        jobs(text, Form::System),
        ["5 25 6\t* * * root: daily", "6 5-55/10 * * * * postgres: sa1?", "7 @daily www-data: sessions"]
    );
}

/// The line is one word to cronward: `-c LINE`, with its own options at the head.
#[test]
fn below_a_shell_that_is_cronward_every_line_is_a_job() {
    let text = "\
0 0 * * * before
SHELL=/usr/local/bin/cronward
0 1 * * * pg_dump app | gzip
0 2 * * * CRONWARD_LABEL=dump CRONWARD_LOCK=1 pg_dump app > $HOME/dump
0 3 * * * CRONWARD_LABEL='a b' pg_dump app%input
0 4 * * * date +\\%F
0 5 * * * cronward check
SHELL=/bin/sh
0 6 * * * behind
";
    let [pg_dump, date] = ["pg_dump app | gzip", "date +%F"]
        .map(|line| Label::derived_from(&CommandLine::Shell(OsString::from(line))).to_string());
    let check = Label::derived_from(&CommandLine::Shell("cronward check".into()));
    assert_eq!(
        jobs(text, Form::User),
        [
            format!("3 0 1 * * * {pg_dump}"),
            "4 0 2 * * * dump".to_owned(),
            "5 0 3 * * * a b".to_owned(),
            format!("6 0 4 * * * {date}"),
            format!("7 0 5 * * * {check}"),
        ]
    );
    let found =
        wrapped_jobs(b"SHELL=cronward\n@daily CRONWARD_LABEL=$x y\n@daily CRONWARD_LABLE=x y\n", Form::User);
    let reasons: Vec<_> = found.problems.iter().map(|problem| problem.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "bad value of 'CRONWARD_LABEL' in the line of -c: '$' is left to a shell, and no shell has read it yet; \
             write the value out, in single quotes",
            "unknown option 'CRONWARD_LABLE' in the line of -c, nearest is 'CRONWARD_LABEL'; see 'cronward --help'",
        ]
    );
    assert!(found.jobs.is_empty());
}

#[test]
fn what_is_configured_for_a_job_can_be_asked_for() {
    let text = "\
CRONWARD_STATE_DIR=/crontab
@daily cronward -l a x
@daily CRONWARD_STATE_DIR=/line cronward -l b x
@daily cronward -l c --state-dir /flag x
@daily cronward -l d --state-dir \"$HOME/state\" x
";
    let found = wrapped_jobs(text.as_bytes(), Form::User);
    let given: Vec<_> = found.jobs.iter().map(|job| job.given(Setting::StateDir)).collect();
    let expected = [Some("/crontab"), Some("/line"), Some("/flag"), None];
    assert_eq!(given, expected.map(|directory| directory.map(OsStr::new)));
    assert_eq!(found.jobs[0].given(Setting::Timeout), None);
}

#[test]
fn malformed_lines_are_passed_over_and_reported() {
    let text = "60 * * * * cronward -l a x\n@daily cronward -l b x\r\n\r\nA=\n@daily cronward -l c x";
    let found = wrapped_jobs(text.as_bytes(), Form::User);
    let labels: Vec<_> = found.jobs.iter().map(|job| job.label.as_str()).collect();
    assert_eq!(labels, ["b", "c"]);
    let problems: Vec<_> =
        found.problems.iter().map(|problem| (problem.line_number, problem.reason.as_str())).collect();
    assert_eq!(
        problems,
        [
            (1, "bad schedule '60 * * * *': '60' is no minute; write 0 to 59"),
            (
                2,
                "it ends in a carriage return, which cron gives to the command; save the file with plain newlines"
            ),
            (3, "a carriage return and nothing else; save the file with plain newlines"),
            (4, "cron does not take 'A=' for a variable; put all of the value in quotes, also an empty one"),
            (5, "no newline at its end, so cron ignores all of the crontab; add one"),
        ]
    );
}

/// NEWS.Debian of cron 3.0pl1-134.
#[test]
fn a_crontab_that_is_too_long_for_cron_is_read_no_further() {
    let found = wrapped_jobs("@daily cronward -l x y\n".repeat(10_000).as_bytes(), Form::User);
    assert_eq!((found.jobs.len(), found.problems.len()), (10_000, 0));
    let found = wrapped_jobs("@daily cronward -l x y\n".repeat(10_002).as_bytes(), Form::User);
    assert_eq!(
        (found.jobs.len(), &found.problems[..]),
        (
            10_000,
            &[Problem {
                line_number: 10_001,
                reason: "more than 10000 lines, so cron ignores all of the crontab; make two of it"
                    .to_owned(),
            }][..]
        )
    );
}

/// A carriage return is a part of the last word to the shell, and so of a label made of the words.
#[test]
fn a_carriage_return_belongs_to_the_command() {
    let found = wrapped_jobs(b"@daily cronward x y\r\n", Form::User);
    let words = ["x", "y\r"].map(OsString::from).to_vec();
    assert_eq!(found.jobs[0].label, Label::derived_from(&CommandLine::Words(words)));
}

proptest! {
    #[test]
    fn any_bytes_are_a_crontab(
        text in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            proptest::collection::vec(prop_oneof![
                Just("@daily "), Just("* * * * * "), Just("cronward "), Just("-l x "), Just("-- "), Just("\n"), Just("SHELL="),
                Just("/bin/cronward\n"), Just("$x "), Just("'"), Just("\""), Just("%"), Just("&& "), Just("nice -n "),
                Just("env "), Just("CRONWARD_LABEL="), Just("-c "), Just("\\"), Just("(" ), Just("check "), Just("--label="),
            ], 0..30).prop_map(|words| words.concat().into_bytes()),
        ],
        is_system in any::<bool>(),
    ) {
        let found = wrapped_jobs(&text, if is_system { Form::System } else { Form::User });
        let lines = text.split(|&byte| byte == b'\n').count();
        for job in &found.jobs {
            prop_assert!((1..=lines).contains(&job.line_number));
            prop_assert!(!job.label.as_str().is_empty() && !job.label.as_str().contains('\0'));
            prop_assert_eq!(job.user.is_some(), is_system);
        }
        for problem in &found.problems {
            prop_assert!((1..=lines).contains(&problem.line_number) && !problem.reason.contains('\n'));
        }
    }
}
