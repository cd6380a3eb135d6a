//! `cronward completions`: that there is a script for each shell, and the labels that it asks for. What the
//! shells make of the scripts is looked at with the shells themselves, in tests/interop.

use std::fs;
use std::path::Path;

use crate::support::{End, Host};

#[test]
fn there_is_a_script_for_each_shell_that_the_shell_can_read() {
    let host = Host::new();
    for shell in ["bash", "zsh", "fish"] {
        let ran = host.cronward(["completions", shell]).run();
        assert_eq!((ran.end(), ran.stderr_text()), (End::Code(0), String::new()), "{ran}");
        assert!(ran.stdout_text().contains("completion for cronward") || shell == "zsh", "{ran}");
        let program = Path::new("/usr/bin").join(shell);
        if program.exists() {
            fs::write(host.path("script"), &ran.stdout).unwrap();
            let read = host.bare([program.to_str().unwrap(), "-n", "script"]).run();
            assert_eq!((read.end(), read.stderr_text()), (End::Code(0), String::new()), "{read}");
        }
    }
    assert!(!host.state_dir().exists(), "it needs no state");
}

#[test]
fn another_shell_is_a_usage_error_with_the_nearest() {
    let host = Host::new();
    for (words, says) in [
        (&["completions", "bsh"][..], "nearest is 'bash'; there are some for bash, zsh, fish"),
        (&["completions", "powershell"], "there are some for bash, zsh, fish"),
        (&["completions"], "wrong number of words"),
        (&["completions", "bash", "zsh"], "wrong number of words"),
    ] {
        let ran = host.cronward(words.iter().copied()).run();
        assert_eq!(ran.end(), End::Code(125), "{ran}");
        assert!(ran.stdout.is_empty() && ran.stderr_text().contains(says), "{ran}");
    }
}

#[test]
fn the_labels_on_record_are_a_line_each_whatever_they_hold() {
    let host = Host::new();
    let labels = || {
        let ran = host.cronward(["completions", "labels"]).run();
        assert_eq!((ran.end(), ran.stderr_text()), (End::Code(0), String::new()), "{ran}");
        ran.stdout_text()
    };
    assert_eq!(labels(), "", "and none where there is no state");
    for label in ["two words", "db:dump", "été", "two\nlines"] {
        host.wrap(&["-l", label], "exit 0").run();
    }
    let text = labels();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["db:dump", "two words", "été"]);
}
