//! What cron takes each line for. Where the forms are odd, `crontab -n` of Debian's 3.0pl1-162 was
//! asked, and for `%` and backslashes the daemon itself.

use proptest::prelude::*;

use super::*;

/// The contents of a crontab in words, a line each.
fn shown(text: &str, form: Form) -> Vec<String> {
    let piece = |range: &Range<usize>| &text[range.clone()];
    read(text.as_bytes(), form)
        .map(|line| match &line.content {
            Content::Blank => "blank".to_owned(),
            Content::Comment => "comment".to_owned(),
            Content::Variable { name, value } => {
                format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
            }
            Content::Malformed(why) => format!("! {why}"),
            Content::Entry(entry) => {
                let mut parts = vec![piece(&entry.times)];
                parts.extend(entry.user.as_ref().map(piece));
                parts.push(piece(&entry.command));
                parts.extend(entry.input.as_ref().map(piece));
                parts.join("|")
            }
        })
        .collect()
}

fn shown_line(line: &str, form: Form) -> String {
    let [shown] = &shown(line, form)[..] else { panic!("one line") };
    shown.clone()
}

#[test]
fn lines_are_read_as_cron_reads_them() {
    for (line, content) in [
        ("\n", "blank"),
        (" \t\n", "blank"),
        ("# m h dom mon dow command\n", "comment"),
        (" \t# 0 0 * * * x\r\n", "comment"),
        ("* * * * * true\n", "* * * * *|true"),
        ("\t5  4 *\t*   sun\ttrue  now \n", "5  4 *\t*   sun|true  now "),
        ("@daily true\n", "@daily|true"),
        ("@reboot\ttrue\n", "@reboot|true"),
        ("0 0 * * * A=b true\n", "0 0 * * *|A=b true"),
        ("0 0 * * * true\r\n", "0 0 * * *|true\r"),
        ("0 0 * * * echo # no comment\n", "0 0 * * *|echo # no comment"),
        ("0 22 * * 1-5 mail -s hi joe%Joe,%%Where?%\n", "0 22 * * 1-5|mail -s hi joe|Joe,%%Where?%"),
        ("0 0 * * * date +\\%F\n", "0 0 * * *|date +\\%F"),
        ("0 0 * * * date +\\%F%x\\%y\n", "0 0 * * *|date +\\%F|x\\%y"),
        ("0 0 * * * a\\\\%b\n", "0 0 * * *|a\\\\|b"),
        ("0 0 * * * %b\n", "0 0 * * *||b"),
        ("0 0 * * * true%\n", "0 0 * * *|true|"),
        ("0 0 * * * true", "0 0 * * *|true"),
    ] {
        assert_eq!(shown_line(line, Form::User), content, "{line:?}");
    }
}

#[test]
fn a_variable_is_what_cron_takes_for_one() {
    for (line, content) in [
        ("MAILTO=root\n", "MAILTO: root"),
        (" A = b c \n", "A: b c"),
        ("A\t=\tb\n", "A: b"),
        ("MAILTO=\"\"\n", "MAILTO: "),
        ("A=\" b \" \n", "A:  b "),
        ("A='b\"c'\n", "A: b\"c"),
        ("A=b\"c\n", "A: b\"c"),
        ("A=b\r\n", "A: b"),
        ("\"A B\"=c\n", "A B: c"),
        ("PATH=$HOME/bin:/bin\n", "PATH: $HOME/bin:/bin"),
        ("A=1 2 * * * x # y\n", "A: 1 2 * * * x # y"),
        ("=b\n", ": b"),
        ("@daily = x\n", "@daily: x"),
        ("1,2=3 * * * * x\n", "1,2: 3 * * * * x"),
    ] {
        assert_eq!(shown_line(line, Form::User), content, "{line:?}");
    }
}

#[test]
fn what_cron_refuses_is_malformed_and_says_why() {
    const QUOTE: &str = "for a variable; put all of the value in quotes, also an empty one";
    for (line, why) in [
        ("A=\n", format!("cron does not take 'A=' {QUOTE}")),
        ("A=\"b\n", format!("cron does not take 'A=\"b' {QUOTE}")),
        ("A=\"b\" c\n", format!("cron does not take 'A=\"b\"' {QUOTE}")),
        ("\"A=b\"=c\n", format!("cron does not take '\"A=b\"=c' {QUOTE}")),
        (
            "export A=b\n",
            "bad schedule 'export A=b': it has 2 fields, not five; write minute, hour, day of month, month and \
             day of week"
                .to_owned(),
        ),
        ("60 * * * * true\n", "bad schedule '60 * * * *': '60' is no minute; write 0 to 59".to_owned()),
        (
            "@dialy true\n",
            "bad schedule '@dialy': '@dialy' is no word of cron's; nearest is '@daily'".to_owned(),
        ),
        ("- * * * * true\n", "bad schedule '- * * * *': '-' is no minute; write 0 to 59".to_owned()),
        (
            "0 0 * * 5#2 true\n",
            "bad schedule '0 0 * * 5#2': '5#2' is no day of week; write 0 to 7, or a name as 'mon'".to_owned(),
        ),
        ("* * * * *\n", "no command behind the schedule; write one, or take the line out".to_owned()),
        ("@daily \t\r\n", "no command behind the schedule; write one, or take the line out".to_owned()),
        ("\r\n", "a carriage return and nothing else; save the file with plain newlines".to_owned()),
        (
            "\u{fffd} * * * * true\n",
            "bad schedule '\u{fffd} * * * *': '\u{fffd}' is no minute; write 0 to 59".to_owned(),
        ),
    ] {
        assert_eq!(shown_line(line, Form::User), format!("! {why}"), "{line:?}");
    }
}

#[test]
fn in_the_system_form_a_user_stands_before_the_command() {
    for (line, content) in [
        (
            "17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n",
            "17 *\t* * *|root|cd / && run-parts --report /etc/cron.hourly",
        ),
        ("@daily www-data /usr/bin/php x.php%y\n", "@daily|www-data|/usr/bin/php x.php|y"),
        ("SHELL=/bin/sh\n", "SHELL: /bin/sh"),
        ("0 0 * * *\n", "! no command behind the schedule; write one, or take the line out"),
        (
            "0 0 * * * /usr/bin/true\n",
            "! no command behind the user; in this form of a crontab a user comes first",
        ),
    ] {
        assert_eq!(shown_line(line, Form::System), content, "{line:?}");
    }
}

#[test]
fn the_shell_gets_percent_signs_without_their_backslashes() {
    for (command, given) in [
        ("date +\\%F", "date +%F"),
        ("a\\b\\n", "a\\b\\n"),
        ("a\\\\b", "a\\b"),
        ("a\\\\\\%b", "a\\%b"),
        ("a\\", "a\\"),
    ] {
        assert_eq!(&*for_shell(command.as_bytes()), given.as_bytes(), "{command}");
    }
    assert!(matches!(for_shell(b"true"), Cow::Borrowed(b"true")));
}

/// Blanks as they stand between fields.
fn blanks() -> impl Strategy<Value = String> {
    "[ \t]{1,3}"
}

proptest! {
    #[test]
    fn lines_cover_the_text_and_their_parts_stand_in_them(
        text in proptest::collection::vec(prop_oneof![3 => any::<u8>(), 5 => "[ \t\n%=\"'@*0-9a-z#\\\\]".prop_map(|one| one.as_bytes()[0])], 0..300),
        is_system in any::<bool>(),
    ) {
        let form = if is_system { Form::System } else { Form::User };
        let mut end = 0;
        for (number, line) in std::iter::zip(1.., read(&text, form)) {
            prop_assert_eq!((line.number, line.range.start), (number, end));
            prop_assert!(!text[line.range.clone()].contains(&b'\n'));
            end = (line.range.end + 1).min(text.len());
            if let Content::Entry(entry) = line.content {
                let parts = std::iter::once(entry.times).chain(entry.user).chain([entry.command]).chain(entry.input);
                let mut at = line.range.start;
                for part in parts {
                    prop_assert!(at <= part.start && part.start <= part.end && part.end <= line.range.end);
                    at = part.end;
                }
                prop_assert!(at == line.range.end);
            }
        }
        prop_assert_eq!(end, text.len());
    }

    #[test]
    fn the_parts_of_an_entry_are_found_again(
        indent in "[ \t]{0,2}",
        times in prop_oneof![Just("@hourly"), Just("@reboot"), Just("*/5 1-3 * jan mon,fri"), Just("0\t0  1 1 *")],
        user in proptest::option::of("[a-z_][a-z0-9_-]{0,8}"),
        (one, other) in (blanks(), blanks()),
        command in "[a-zäß$./~'\"&;|-][^%\\\\\n]{0,30}",
        input in proptest::option::of("[^\n]{0,10}"),
        before in "(#[a-z]{0,5}\n){0,3}",
    ) {
        let mut text = format!("{before}{indent}{times}{one}");
        if let Some(user) = &user {
            text += &format!("{user}{other}");
        }
        let start = text.len();
        text += &command;
        let end = text.len();
        if let Some(input) = &input {
            text += &format!("%{input}");
        }
        text += "\n";
        let form = if user.is_some() { Form::System } else { Form::User };
        let line = read(text.as_bytes(), form).last().unwrap();
        let Content::Entry(entry) = line.content else { panic!("{text:?} is {:?}", line.content) };
        prop_assert_eq!(entry.command, start..end);
        prop_assert_eq!(&text[entry.times], times);
        prop_assert_eq!(entry.user.map(|range| &text[range]), user.as_deref());
        prop_assert_eq!(entry.input.map(|range| &text[range]), input.as_deref());
        prop_assert_eq!(entry.schedule.is_none(), times == "@reboot");
    }
}
