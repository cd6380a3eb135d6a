use super::*;
use crate::cli::grammar::RUN;
use crate::cli::subcommand::ROWS;

#[test]
fn every_option_and_subcommand_is_in_every_script() {
    for (shell, script) in &SHELLS {
        let script = script();
        let has = |word: &str| {
            let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-');
            script.match_indices(word).any(|(at, _)| {
                edge(script[..at].chars().next_back()) && edge(script[at + word.len()..].chars().next())
            })
        };
        for row in &ROWS {
            assert!(has(row.name), "{shell}: {}", row.name);
        }
        for option in RUN.options.iter().chain(ROWS.iter().flat_map(|row| row.grammar.options)) {
            let long = option.spelling().long;
            let written = if *shell == "fish" { format!("-l {long}") } else { format!("--{long}") };
            let found = if *shell == "fish" { script.contains(&written) } else { has(&written) };
            assert!(found, "{shell}: {written}");
        }
        for kind in KINDS {
            assert!(script.contains(&format!("{}:", kind.name)), "{shell}: {}", kind.name);
        }
    }
}

#[test]
fn what_a_subcommand_takes_is_read_off_its_usage() {
    let words: Vec<_> = ROWS.iter().map(|row| (row.name, words_of(row))).collect();
    let of = |name: &str| words.iter().find(|(known, _)| *known == name).unwrap().1;
    for name in ["status", "history", "check", "mute", "forget", "drill"] {
        assert_eq!(of(name), Some(Value::Label), "{name}");
    }
    assert_eq!(of("wrap"), Some(Value::File));
    let Some(Value::Words(shells)) = of("completions") else { panic!("no shells") };
    assert_eq!(shells, SHELLS.map(|(name, _)| name));
    assert_eq!((of("doctor"), of("flush")), (None, None));
}

#[test]
fn an_unknown_shell_is_refused_with_those_that_are_known() {
    for (shell, says) in [
        ("bsh", "no completions for 'bsh', nearest is 'bash'; there are some for bash, zsh, fish"),
        ("tcsh", "there are some for bash, zsh, fish"),
        ("", "no completions for ''"),
    ] {
        let why = completions(OsStr::new(shell)).unwrap_err().to_string();
        assert!(why.contains(says), "{why}");
    }
    assert!(completions(OsStr::new("/usr/bin/zsh")).unwrap().starts_with("#compdef cronward\n"));
}
