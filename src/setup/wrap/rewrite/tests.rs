use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;

/// A host on which cron finds cronward in /usr/local/bin.
fn host(test: impl FnOnce(&Host<'_>)) {
    let cronward = |path: &[u8]| {
        let is_found = path.split(|&byte| byte == b':').any(|place| place == b"/usr/local/bin");
        Some(OsString::from(if is_found { "cronward" } else { "/usr/local/bin/cronward" }))
    };
    let is_script_of_shell = |path: &OsStr| path == "/opt/bare";
    test(&Host { cronward: &cronward, is_script_of_shell: &is_script_of_shell });
}

fn wrapped(text: &[u8], form: Form) -> (Vec<u8>, Wrapped) {
    let mut result = None;
    host(|host| {
        let wrapped = wrap(text, form, host);
        result = Some((wrapped.applied(text), wrapped));
    });
    result.unwrap()
}

/// The text of a crontab afterwards, with nothing to be said about it.
fn plainly(text: &str, form: Form) -> String {
    let (new, wrapped) = wrapped(text.as_bytes(), form);
    assert_eq!((&wrapped.problems[..], &wrapped.notes[..]), (&[][..], &[][..]), "{text}");
    String::from_utf8(new).unwrap()
}

/// One command that is run at midnight, afterwards; the beginning that is always the same left out.
fn command(variables: &str, command: &str) -> String {
    let text = format!("{variables}PATH=/usr/local/bin:/bin\n@daily {command}\n");
    let new = plainly(&text, Form::User);
    let line = new.strip_prefix(&text[..text.len() - command.len() - 1]).unwrap();
    line.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn cronward_is_put_before_words_and_around_anything_else() {
    for (old, new) in [
        ("/opt/backup.sh --all", "cronward -l backup --schedule '@daily' -- /opt/backup.sh --all"),
        ("backup  $HOME/*.c ", "cronward -l backup --schedule '@daily' -- backup  $HOME/*.c "),
        ("backup >>log # it's", "cronward -l backup --schedule '@daily' -- backup >>log # it's"),
        ("backup >x 2>&1", "cronward -l backup --schedule '@daily' -c 'backup >x 2>&1'"),
        ("cd /srv && tick", "cronward -l tick --schedule '@daily' -c 'cd /srv && tick'"),
        ("a | b  # it's", "cronward -l a --schedule '@daily' -c 'a | b'  # it's"),
        ("a;# it's", "cronward -l a --schedule '@daily' -c 'a;' # it's"),
        ("sh -c 'a; b' | c", r"cronward -l a --schedule '@daily' -c 'sh -c '\''a; b'\'' | c'"),
        (
            r"tar cf /b/$(date +\%F) /etc",
            r"cronward -l tar --schedule '@daily' -- tar cf /b/$(date +\%F) /etc",
        ),
        (r"a; date +\%F # \%", r"cronward -l a --schedule '@daily' -c 'a; date +\%F' # \%"),
        (r"a; echo \\ 'x'", r"cronward -l a --schedule '@daily' -c 'a; echo \\ '\''x'\'''"),
        ("a | b%in%put's", "cronward -l a --schedule '@daily' -c 'a | b'%in%put's"),
        (
            "mail -s hi joe%Joe,%%Where?%",
            "cronward -l mail --schedule '@daily' -- mail -s hi joe%Joe,%%Where?%",
        ),
        ("flock -n /l /opt/a", "cronward -l a --schedule '@daily' -- flock -n /l /opt/a"),
        ("A=b backup", "cronward -l backup --schedule '@daily' -c 'A=b backup'"),
    ] {
        assert_eq!(command("", old), new, "{old}");
        assert_eq!(command("SHELL=/bin/sh\n", old), new, "{old}");
    }
}

#[test]
fn the_line_is_run_by_the_shell_of_the_crontab() {
    for (shell, old, new) in [
        ("/bin/bash", "/opt/a b", "cronward -l a --schedule '@daily' -- /opt/a b"),
        ("/bin/bash", "/opt/bare b", "cronward -l bare --schedule '@daily' -- /bin/bash -c '/opt/bare b'"),
        ("/bin/sh", "/opt/bare b", "cronward -l bare --schedule '@daily' -- /opt/bare b"),
        ("/bin/bash", "a && b", "cronward -l a --schedule '@daily' -- /bin/bash -c 'a && b'"),
        ("/bin/dash", "a && b", "cronward -l a --schedule '@daily' -- /bin/dash -c 'a && b'"),
        ("/usr/bin/zsh", "/opt/a b ", "cronward -l a --schedule '@daily' -- /usr/bin/zsh -c '/opt/a b' "),
        ("/o%p/bash", "a; b", r"cronward -l a --schedule '@daily' -- '/o\%p/bash' -c 'a; b'"),
    ] {
        // Quotes are only needed around what is special to a shell, which a percent sign is not.
        assert_eq!(
            command(&format!("SHELL={shell}\n"), old),
            new.replace("'/o\\%p/bash'", "/o\\%p/bash"),
            "{old}"
        );
    }
}

#[test]
fn the_schedule_is_that_of_the_line_and_all_else_stays() {
    let text = "\
# m h dom mon dow command
MAILTO = ops@example.org

*/5  *\t* * *   /opt/a
  @reboot\t/opt/b
0 3 1-7 jan,feb mon-fri /opt/c%x
PATH=/usr/local/bin:/bin
@hourly /opt/d
";
    let expected = "\
# m h dom mon dow command
MAILTO = ops@example.org

*/5  *\t* * *   /usr/local/bin/cronward -l a --schedule '*/5 * * * *' -- /opt/a
  @reboot\t/usr/local/bin/cronward -l b -- /opt/b
0 3 1-7 jan,feb mon-fri /usr/local/bin/cronward -l c --schedule '0 3 1-7 jan,feb mon-fri' -- /opt/c%x
PATH=/usr/local/bin:/bin
@hourly cronward -l d --schedule '@hourly' -- /opt/d
";
    assert_eq!(plainly(text, Form::User), expected);
}

#[test]
fn in_the_system_form_the_user_stays_in_front_and_tells_jobs_apart() {
    assert_eq!(
        plainly("@daily\troot\tsync\n@daily bob  sync\n", Form::System),
        "@daily\troot\t/usr/local/bin/cronward -l sync-root --schedule '@daily' -- sync\n\
         @daily bob  /usr/local/bin/cronward -l sync-bob --schedule '@daily' -- sync\n"
    );
}

#[test]
fn what_is_wrapped_already_is_left_alone() {
    for text in [
        "@daily cronward -l a -- x\n",
        "@daily /opt/cronward -l a --lock -- x | y\n",
        "@daily nice -n 5 cronward -l a x  \n",
        "@daily cd /srv && cronward -l a x\n",
        "@daily cronward check >/dev/null\n",
        "@daily cronward -l a -c 'x && y' # z\n",
        "SHELL=/opt/bin/cronward\n@daily CRONWARD_LABEL=a x\n@daily x\n",
    ] {
        assert_eq!(plainly(text, Form::User), text);
    }
    let text = "@daily cronward -l sync x\n@daily sync now\n@daily dump\n@daily dump\n";
    let new = plainly(text, Form::User);
    let labels: Vec<_> =
        wrapped_jobs(new.as_bytes(), Form::User).jobs.iter().map(|job| job.label.to_string()).collect();
    assert_eq!(labels, ["sync", "sync-now", "dump", "dump-2"]);
}

#[test]
fn what_is_not_understood_is_left_alone_and_said() {
    let long = format!("@daily /opt/x {}\n", "y".repeat(900));
    for (text, form, says) in [
        ("0~9 * * * * x\n", Form::User, "bad schedule '0~9 * * * *'"),
        ("@dialy x\n", Form::User, "nearest is '@daily'"),
        ("@daily x\r\n", Form::User, "carriage return"),
        ("@daily x%y\r\n", Form::User, "carriage return"),
        ("@daily echo 'x\n", Form::User, "a ' is missing"),
        ("@daily # x\n", Form::User, "it runs nothing"),
        ("@daily %x\n", Form::User, "it runs nothing"),
        ("@daily a\0b\n", Form::User, "NUL"),
        ("@daily CRONWARD_LABEL=a x\n", Form::User, "begins with an option of cronward"),
        ("17 * * * *\troot\tcd / && x\n", Form::User, "add '--system'"),
        ("SHELL=/usr/bin/fish\n@daily x\n", Form::User, "'/usr/bin/fish' may read quotes"),
        ("SHELL=bash\n@daily x\n", Form::User, "write an absolute path"),
        ("@daily sudo -u app cronward -l a -- x\n", Form::User, "'sudo' seems to call cronward"),
        ("@daily root\n", Form::System, "no command behind the user"),
        (&long, Form::User, "more than the 999 bytes"),
    ] {
        let (new, wrapped) = wrapped(text.as_bytes(), form);
        assert_eq!(String::from_utf8_lossy(&new), text);
        let [problem] = &wrapped.problems[..] else { panic!("{text:?}: {:?}", wrapped.problems) };
        assert!(problem.reason.contains(says), "{text:?}: {}", problem.reason);
    }
    let (new, wrapped) = wrapped(b"@daily /opt/x", Form::User);
    assert_eq!(new, b"@daily /usr/local/bin/cronward -l x --schedule '@daily' -- /opt/x");
    assert!(wrapped.problems[0].reason.starts_with("no newline at its end"));
}

#[test]
fn in_another_time_zone_there_is_no_schedule() {
    let (new, wrapped) = wrapped(b"CRON_TZ=UTC\n@daily /opt/x\n", Form::User);
    assert_eq!(new, b"CRON_TZ=UTC\n@daily /usr/local/bin/cronward -l x -- /opt/x\n");
    assert!(wrapped.problems.is_empty() && wrapped.notes[0].reason.contains("CRON_TZ"));
}

#[test]
fn a_crontab_is_left_alone_where_there_is_no_cronward_to_call() {
    let text = b"@daily /opt/x\n";
    let wrapped = wrap(text, Form::User, &Host { cronward: &|_| None, is_script_of_shell: &|_| false });
    assert!(wrapped.changes.is_empty() && wrapped.problems[0].reason.contains("install it"));
}

proptest! {
    /// The shell within is given the very line that the shell of cron was given.
    #[test]
    fn quoted_lines_come_out_as_they_went_in(line in proptest::collection::vec(
        prop_oneof![Just(b'\\'), Just(b'%'), Just(b'\''), Just(b'"'), Just(b' '), Just(b'a'), Just(b'#'), Just(b';')], 0..30)
    ) {
        let text = [b"@daily a; ", &line[..], b"\n"].concat();
        let old = commands(&text);
        let (new, wrapped) = wrapped(&text, Form::User);
        prop_assert_eq!(wrapped.changes.len() + wrapped.problems.len(), 1);
        if wrapped.problems.is_empty() {
            let (command, input) = &commands(&new)[0];
            let mut reasons = Vec::new();
            let calls = calls::in_line(command, &mut reasons);
            prop_assert_eq!(calls.len(), 1, "{:?}", reasons);
            let given = calls[0].args.last().unwrap().as_bytes();
            // But for a comment and the blanks before it.
            let kept = old[0].0.strip_prefix(given);
            prop_assert!(kept.is_some_and(|rest| rest.trim_ascii_start().is_empty() || rest.trim_ascii_start()[0] == b'#'), "{:?}", given);
            prop_assert_eq!(input, &old[0].1);
        }
    }

    #[test]
    fn wrapping_twice_is_wrapping_once_and_only_commands_change(
        text in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            proptest::collection::vec(prop_oneof![
                Just("@daily "), Just("* * * * * "), Just("cronward "), Just("-l x "), Just("-- "), Just("\n"), Just("\nSHELL=/bin/bash\n"),
                Just("\nSHELL=/bin/cronward\n"), Just("$x "), Just("'"), Just("\""), Just("%"), Just("&& "), Just("nice -n 1 "), Just("\r\n"),
                Just("env "), Just("CRONWARD_LABEL="), Just("-c "), Just("\\"), Just("(" ), Just("check "), Just("backup "), Just("> x "),
                Just("2>&1 "), Just("# "), Just("root "), Just("\nPATH=/usr/local/bin\n"), Just("\n0~3 * * * * x\n"), Just("echo "), Just("{ "),
            ], 0..40).prop_map(|words| words.concat().into_bytes()),
        ],
        is_system in any::<bool>(),
    ) {
        let form = if is_system { Form::System } else { Form::User };
        let (once, first) = wrapped(&text, form);
        let (twice, second) = wrapped(&once, form);
        prop_assert_eq!(&twice, &once);
        prop_assert_eq!(&second.problems, &first.problems);
        let lines = |text: &[u8]| text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (old, new) = (lines(&text), lines(&once));
        prop_assert_eq!(old.len(), new.len());
        prop_assert_eq!(first.changes.len(), std::iter::zip(&old, &new).filter(|(old, new)| old != new).count());
        // As many jobs, at the same times, with the same input, and no label twice.
        let (before, after) = (entries(&text, form), entries(&once, form));
        prop_assert_eq!(before, after);
        let found = wrapped_jobs(&once, form);
        for (range, new) in &first.changes {
            prop_assert!(new.len() + text[range.end..].iter().take_while(|&&byte| byte != b'\n').count() <= COMMAND_MAX);
        }
        let made: Vec<_> = found.jobs.iter().filter(|job| old[job.line_number - 1] != new[job.line_number - 1]).collect();
        prop_assert_eq!(made.len(), first.changes.len());
        for job in &made {
            let same = found.jobs.iter().filter(|other| other.label == job.label).count();
            prop_assert_eq!(same, 1, "{}", job.label);
            if let Some(schedule) = job.given(crate::settings::Setting::Schedule) {
                let given = crate::schedule::Schedule::parse(schedule.to_str().unwrap()).unwrap();
                let own = job.schedule.as_ref().unwrap().to_string();
                prop_assert_eq!(given.to_string(), own.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
}

/// What cron gives to the shell, and the input.
fn commands(text: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let command = |line: lines::Line| match line.content {
        Content::Entry(entry) => Some((
            for_shell(&text[entry.command]).into_owned(),
            entry.input.map(|input| text[input].to_vec()),
        )),
        Content::Blank | Content::Comment | Content::Variable { .. } | Content::Malformed(_) => None,
    };
    lines::read(text, Form::User).filter_map(command).collect()
}

/// Number, times, user and input of a line.
type Around = (usize, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// What stands around every command.
fn entries(text: &[u8], form: Form) -> Vec<Around> {
    let piece = |range: Range<usize>| text[range].to_vec();
    let entry = |line: lines::Line| match line.content {
        Content::Entry(entry) => {
            Some((line.number, piece(entry.times), entry.user.map(piece), entry.input.map(piece)))
        }
        Content::Blank | Content::Comment | Content::Variable { .. } | Content::Malformed(_) => None,
    };
    lines::read(text, form).filter_map(entry).collect()
}

#[test]
fn a_path_with_odd_bytes_is_quoted_for_the_shell_and_for_cron() {
    let cronward = |_: &[u8]| Some(OsString::from_vec(b"/o p/100%\\'/cronward".to_vec()));
    let text = b"@daily /opt/x\n";
    let new =
        wrap(text, Form::User, &Host { cronward: &cronward, is_script_of_shell: &|_| false }).applied(text);
    let (command, _) = &commands(&new)[0];
    assert!(command.starts_with(br"'/o p/100%\'\''/cronward' -l x "), "{}", String::from_utf8_lossy(command));
    assert_eq!(wrapped_jobs(&new, Form::User).jobs[0].label.as_str(), "x");
}
