//! The levels by tables and properties.

use std::os::unix::ffi::{OsStrExt, OsStringExt};

use proptest::prelude::*;

use super::*;
use crate::job::RunId;

fn typed(options: &[(Setting, &str)], words: &[&str]) -> Typed {
    Typed {
        program: "/opt/bin/cw".into(),
        options: options.iter().map(|(setting, text)| (*setting, text.into())).collect(),
        words: words.iter().map(OsString::from).collect(),
    }
}

fn environment(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn with_environment(words: &[&str]) -> Configured {
    Configured::new(typed(&[], &["true"]), environment(words)).unwrap()
}

fn with_line(line: &str) -> Result<Configured, UsageError> {
    Configured::new(typed(&[(Setting::Command, line)], &[]), Vec::new())
}

/// Origin and text of every value of an option.
fn all(configured: &Configured, setting: Setting) -> Vec<(String, String)> {
    let shown = |given: &Given| (given.origin.to_string(), given.text.to_string_lossy().into_owned());
    configured.levels.all(setting).map(shown).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().copied().map(own).collect()
}

fn own((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[test]
fn flags_come_before_words_of_the_line_before_variables() {
    let configured = Configured::new(
        typed(&[(Setting::Tag, "a"), (Setting::Tag, "b c"), (Setting::Command, "CRONWARD_TAG='d e' x")], &[]),
        environment(&["CRONWARD_TAG=f 'g h'", "CRONWARD_TIMEOUT=5s"]),
    )
    .unwrap();
    let in_line = "CRONWARD_TAG in the line of -c";
    assert_eq!(
        all(&configured, Setting::Tag),
        pairs(&[
            ("--tag", "a"),
            ("--tag", "b c"),
            (in_line, "d"),
            (in_line, "e"),
            ("CRONWARD_TAG", "f"),
            ("CRONWARD_TAG", "g h"),
        ])
    );
    assert_eq!(all(&configured, Setting::Timeout), pairs(&[("CRONWARD_TIMEOUT", "5s")]));
    assert_eq!(configured.levels.origin(Setting::Label).to_string(), "default");
    assert_eq!(configured.command, CommandLine::Shell("x".into()));
}

#[test]
fn an_empty_variable_is_not_set_but_an_empty_flag_is() {
    let configured = Configured::new(
        typed(&[(Setting::Owner, "")], &["true"]),
        environment(&["CRONWARD_TIMEOUT=", "CRONWARD_TAG=", "CRONWARD_TAG=late", "CRONWARD_OWNER=me"]),
    )
    .unwrap();
    assert_eq!(all(&configured, Setting::Timeout), []);
    // getenv(3) finds the first, and it is empty.
    assert_eq!(all(&configured, Setting::Tag), []);
    assert_eq!(all(&configured, Setting::Owner), pairs(&[("--owner", ""), ("CRONWARD_OWNER", "me")]));
}

#[test]
fn the_job_sees_what_cronward_received_but_for_the_options_of_this_run() {
    let outer = "019a0000-0000-7000-8000-000000000001";
    let run_id = format!("CRONWARD_RUN_ID={outer}");
    let configured = with_environment(&[
        "B=2",
        "A=1",
        "A=again",
        "no equals sign",
        "",
        "=odd",
        "CRONWARD_LABEL=x",
        "CRONWARD_LOCK=1",
        "CRONWARD_TAG=a",
        "CRONWARD_SINK=none",
        "CRONWARD_STATE_DIR=/s",
        "CRONWARD_NAMESPACE=n",
        "CRONWARD_SENSITIVE=1",
        "CRONWARD_FLUSH_DEADLINE=1s",
        "CRONWARD_FLUSH_DEADLINE",
        "CRONWARD_OTHER=left to doctor",
        "CRONWARD_DRY_RUN=1",
        "CRONWARD_COMMAND=x",
        &run_id,
        "CRONWARD_RUN_LABEL=outer",
        "CRONWARD_RUN_ATTEMPT=1",
        "CRONWARD_RUN_REPORT=/outer/report",
        "CRONWARD_KILL_AFTER=1s",
        "SHELL=/usr/local/bin/cronward",
        "DD_ENV=prod",
        "DATADOG_X=",
        "PATH=/a",
        "PATH=/b",
    ]);
    assert_eq!(
        configured.surroundings.for_job,
        [
            "B=2",
            "A=1",
            "A=again",
            "no equals sign",
            "",
            "=odd",
            "CRONWARD_TAG=a",
            "CRONWARD_SINK=none",
            "CRONWARD_STATE_DIR=/s",
            "CRONWARD_NAMESPACE=n",
            "CRONWARD_SENSITIVE=1",
            "CRONWARD_FLUSH_DEADLINE=1s",
            "CRONWARD_FLUSH_DEADLINE",
            "CRONWARD_OTHER=left to doctor",
            "CRONWARD_DRY_RUN=1",
            "CRONWARD_COMMAND=x",
            "SHELL=/bin/sh",
            "DD_ENV=prod",
            "DATADOG_X=",
            "PATH=/a",
            "PATH=/b",
        ]
    );
    let surroundings = &configured.surroundings;
    assert_eq!(surroundings.outer_run, RunId::parse(outer));
    assert_eq!(surroundings.search_path, Some("/a".into()));
    assert_eq!(surroundings.variables, [("DD_ENV", "prod"), ("DATADOG_X", "")].map(own));
    assert!(!configured.dry_run);
}

#[test]
fn what_sinks_read_is_kept_for_them_and_seen_by_the_job() {
    let wanted = [
        "DD_ENV=prod",
        "SSL_CERT_FILE=/etc/ca.pem",
        "https_proxy=squid:3128",
        "HTTP_PROXY=squid:3128",
        "all_proxy=",
        "NO_PROXY=localhost",
        "OTEL_SERVICE_NAME=db",
        "OTEL_EXPORTER_OTLP_HEADERS=api-key=x",
    ];
    let others = [
        "SSL_CERT_DIR=/etc",
        "OTELS=x",
        "TRACEPARENT=x",
        "ftp_proxy=x",
        "HTTPS_PROXYS=x",
        "HOSTNAME=x",
        "A=1",
        "no_proxy",
    ];
    let configured = with_environment(&[&wanted[..], &others[..]].concat());
    let kept: Vec<String> =
        configured.surroundings.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(kept, wanted);
    assert_eq!(configured.surroundings.for_job, [&wanted[..], &others[..]].concat());
}

#[test]
fn a_shell_that_names_cronward_becomes_sh() {
    for (shell, seen) in [
        ("/usr/local/bin/cronward", "/bin/sh"),
        ("cronward", "/bin/sh"),
        ("/opt/bin/cw", "/bin/sh"),
        ("/bin/bash", "/bin/bash"),
        ("/opt/cronward/bash", "/opt/cronward/bash"),
        ("/bin/cronward2", "/bin/cronward2"),
        ("", ""),
    ] {
        let configured = with_environment(&[&format!("SHELL={shell}")]);
        assert_eq!(configured.surroundings.for_job, [format!("SHELL={seen}").as_str()]);
    }
    // Called without a name, cronward is not every shell without one.
    let nameless = Typed { program: OsString::new(), ..typed(&[], &["true"]) };
    let configured = Configured::new(nameless, environment(&["SHELL="])).unwrap();
    assert_eq!(configured.surroundings.for_job, ["SHELL="]);
}

#[test]
fn options_at_the_head_of_a_line_are_taken_off() {
    for (line, options, rest) in [
        ("true", &[][..], "true"),
        ("  true  ", &[], "  true  "),
        ("", &[], ""),
        ("A=1 CRONWARD_LABEL=x y", &[], "A=1 CRONWARD_LABEL=x y"),
        ("CRONWARD_LABEL", &[], "CRONWARD_LABEL"),
        ("CRONWARD_LABEL+=x y", &[], "CRONWARD_LABEL+=x y"),
        ("CRONWARD_LABEL=x y  z ", &[("label", "x")], "y  z "),
        (" \tCRONWARD_LABEL=x\n\tCRONWARD_LOCK=1 y\nz", &[("label", "x"), ("lock", "1")], "y\nz"),
        ("CRONWARD_LABEL='a b'\"c d\"\\ e y", &[("label", "a bc d e")], "y"),
        ("CRONWARD_OWNER=\"a\\\"b\\c\" y", &[("owner", "a\"b\\c")], "y"),
        ("CRONWARD_NAMESPACE={host}.x y", &[("namespace", "{host}.x")], "y"),
        ("CRONWARD_LABEL=a CRONWARD_LABEL=b y", &[("label", "b")], "y"),
        ("CRONWARD_TAG=a CRONWARD_TAG='b c' y", &[("tag", "b"), ("tag", "c")], "y"),
        ("CRONWARD_LABEL=a CRONWARD_LABEL= y", &[], "y"),
        ("CRONWARD_LABEL=x $PROG *", &[("label", "x")], "$PROG *"),
        ("CRONWARD_LABEL=x FOO=$(date) y", &[("label", "x")], "FOO=$(date) y"),
    ] {
        let configured = with_line(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert_eq!(configured.command, CommandLine::Shell(rest.into()), "{line:?}");
        let found: Vec<_> = configured
            .levels
            .given
            .iter()
            .map(|given| (given.origin.setting.row().long, given.text.to_str().unwrap()))
            .collect();
        assert_eq!(found, options, "{line:?}");
    }
}

#[test]
fn errors_at_the_head_of_a_line_name_the_word() {
    for (line, message) in [
        (
            "CRONWARD_LABEL=$HOME x",
            "bad value of 'CRONWARD_LABEL' in the line of -c: '$' is left to a shell, and no shell has read it yet; \
             write the value out, in single quotes",
        ),
        (
            "CRONWARD_LABEL=\"`x`\" x",
            "bad value of 'CRONWARD_LABEL' in the line of -c: '`' is left to a shell, and no shell has read it yet; \
             write the value out, in single quotes",
        ),
        (
            "CRONWARD_LABEL=x; y",
            "bad value of 'CRONWARD_LABEL' in the line of -c: ';' is left to a shell, and no shell has read it yet; \
             write the value out, in single quotes",
        ),
        (
            "CRONWARD_LABEL='x y",
            "bad value of 'CRONWARD_LABEL' in the line of -c: a ' is not closed; close it",
        ),
        (
            "CRONWARD_LABLE=x y",
            "unknown option 'CRONWARD_LABLE' in the line of -c, nearest is 'CRONWARD_LABEL'; see 'cronward --help'",
        ),
        ("CRONWARD_XYZ=1 y", "unknown option 'CRONWARD_XYZ' in the line of -c; see 'cronward --help'"),
        (
            "CRONWARD_DRY_RUN=1 y",
            "unknown option 'CRONWARD_DRY_RUN' in the line of -c; see 'cronward --help'",
        ),
        (
            "CRONWARD_RUN_ID=1 y",
            "'CRONWARD_RUN_ID' in the line of -c is a fact of a run, not an option; see 'cronward --help'",
        ),
        ("CRONWARD_LABEL=x ", "no command in the line of -c, only options; see 'cronward --help'"),
        (
            "CRONWARD_TAG=\"a 'b\" y",
            "bad list 'a 'b' in CRONWARD_TAG in the line of -c: a ' is not closed; separate its words by spaces, \
             quoted as in a shell",
        ),
    ] {
        assert_eq!(with_line(line).unwrap_err().to_string(), message, "{line:?}");
    }
}

#[test]
fn a_list_with_an_open_quote_in_a_variable_is_an_error() {
    let error = Configured::new(typed(&[], &["x"]), environment(&["CRONWARD_SINK=exec:'mail"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bad list 'exec:'mail' in CRONWARD_SINK: a ' is not closed; separate its words by spaces, quoted as in a \
         shell"
    );
}

#[test]
fn dry_run_is_no_value_of_any_level() {
    let configured = Configured::new(typed(&[(Setting::DryRun, "1")], &["x"]), Vec::new()).unwrap();
    assert!(configured.dry_run);
    assert_eq!(all(&configured, Setting::DryRun), []);
}

/// Pieces that lines are made of where it gets difficult.
fn line_piece() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "CRONWARD_",
        "LABEL",
        "CRONWARD_LABEL=",
        "CRONWARD_TAG=",
        "=",
        "'",
        "\"",
        "\\",
        "$",
        "`",
        " ",
        "\n",
        "x",
        "RUN_ID",
        "\u{e4}",
        ";",
    ];
    prop_oneof![
        4 => proptest::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(1..=255_u8, 0..4),
    ]
}

proptest! {
    #[test]
    fn of_any_line_a_tail_is_run_or_nothing(pieces in proptest::collection::vec(line_piece(), 0..12)) {
        let line = pieces.concat();
        let typed = Typed {
            program: "cronward".into(),
            options: vec![(Setting::Command, OsString::from_vec(line.clone()))],
            words: Vec::new(),
        };
        if let Ok(Configured { command: CommandLine::Shell(rest), .. }) = Configured::new(typed, Vec::new()) {
            prop_assert!(line.ends_with(rest.as_bytes()));
        }
    }

    #[test]
    fn a_quoted_value_at_the_head_of_a_line_is_that_value(
        value in proptest::collection::vec(1..=255_u8, 1..20), rest in "[a-z][a-z $'\"]{0,9}",
    ) {
        let value = OsString::from_vec(value);
        let mut line = OsString::from("CRONWARD_LABEL=");
        line.push(shell::quote(&value));
        line.push(" ");
        line.push(&rest);
        let typed = Typed { options: vec![(Setting::Command, line)], ..typed(&[], &[]) };
        let configured = Configured::new(typed, Vec::new()).unwrap();
        prop_assert_eq!(&configured.levels.nearest(Setting::Label).unwrap().text, &value);
        prop_assert_eq!(configured.command, CommandLine::Shell(rest.into()));
    }

    #[test]
    fn words_that_are_not_ours_reach_the_job_as_they_are(
        words in proptest::collection::vec(proptest::collection::vec(1..=255_u8, 0..20), 0..20),
    ) {
        let words: Vec<OsString> = words.into_iter().map(OsString::from_vec).collect();
        prop_assume!(!words.iter().any(|word| {
            word.as_bytes().starts_with(b"CRONWARD_") || word.as_bytes().starts_with(b"SHELL=")
        }));
        let configured = Configured::new(typed(&[], &["x"]), words.clone()).unwrap();
        prop_assert_eq!(configured.surroundings.for_job, words);
    }
}
