use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// The commands of a line: words in brackets, `\u{0}` as `~`, before each what joins it.
fn shown(line: &str) -> String {
    let commands = simple_commands(line.as_bytes()).unwrap();
    let shown = commands.iter().map(|command| {
        let words: Vec<_> =
            command.words.iter().map(|word| word.to_string_lossy().replace('\0', "~")).collect();
        let joint = match command.joint {
            Joint::Free => "",
            Joint::Pipe => "| ",
            Joint::And => "&& ",
            Joint::Or => "|| ",
        };
        let branch = if command.is_in_branch { "?" } else { "" };
        format!("{joint}{branch}[{}]", words.join("]["))
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_line_is_split_into_its_simple_commands() {
    for (line, commands) in [
        ("", ""),
        ("true", "[true]"),
        ("  a  'b c' \"d\"e\\ f ", "[a][b c][de f]"),
        ("a && b || c; d & e | f |& g", "[a] && [b] || [c] [d] [e] | [f] | [g]"),
        ("a&&b||c;d&e|f", "[a] && [b] || [c] [d] [e] | [f]"),
        ("a # b; c", "[a]"),
        ("a#b '#' c", "[a#b][#][c]"),
        ("a ';' \"&&\" \\| b", "[a][;][&&][|][b]"),
        ("cd /x && ( a; b ) | c", "[cd][/x] && ?[a] ?[b] | [c]"),
        ("(a; b)", "[a] [b]"),
        ("a || { b; c; }; d", "[a] || ?[b] ?[c] [d]"),
        ("if a; then b; elif c; then d; else e; fi; f", "[a] ?[b] [c] ?[d] ?[e] [f]"),
        ("for x in 1 2; do a; done && b", "[for][x][in][1][2] ?[a] && [b]"),
        ("case a in b) c;; d) e;; esac; f", "?[a][in][b] ?[c] ?[d] ?[e] [f]"),
        ("! a && b", "[a] && [b]"),
        ("echo if then", "[echo][if][then]"),
    ] {
        assert_eq!(shown(line), commands, "{line}");
    }
}

#[test]
fn redirections_are_no_words() {
    for (line, commands) in [
        ("a >/dev/null 2>&1", "[a]"),
        ("a > x b >> y c", "[a][b][c]"),
        ("a <x >|y 2>'z z' b", "[a][b]"),
        ("a &> x b", "[a][b]"),
        ("a &>>x", "[a]"),
        ("a 2>&- 3<&4 5<>x b", "[a][b]"),
        ("2>&1 a", "[a]"),
        ("a 2 >x", "[a][2]"),
        ("a b2>x", "[a][b2]"),
        ("a > \"$x\" b", "[a][b]"),
        ("a <<-E b", "[a][b]"),
        ("a >x;b", "[a] [b]"),
        ("a >", "[a]"),
    ] {
        assert_eq!(shown(line), commands, "{line}");
    }
}

#[test]
fn what_a_shell_would_expand_is_marked_where_it_begins() {
    for (line, commands) in [
        ("$HOME/bin/a", "[~$HOME/bin/a]"),
        ("\"$HOME/bin/a\" b", "[~$HOME/bin/a][b]"),
        ("a x$y", "[a][x~$y]"),
        ("a '$x' \\$y \"\\$z\"", "[a][$x][$y][$z]"),
        ("a $(b; c \"d)\" $(e)) f", "[a][~$(b; c d) $(e))][f]"),
        ("a `b | c` d", "[a][~`b | c`][d]"),
        ("a $((1+2)) b", "[a][~$((1+2))][b]"),
        ("a ${x:-y z} b", "[a][~${x:-y z}][b]"),
        ("a \"$(b \"c d\" )\" e", "[a][~$(b c d )][e]"),
        ("a *.c b?[c]", "[a][~*.c][b~?[c]]"),
        ("a \"*\" '?'", "[a][*][?]"),
        ("[ a ] [[ b ]]", "[[][a][]][[[][b][]]]"),
        ("a ~/x y~z", "[a][~~/x][y~~z]"),
        ("A=$b c", "[A=~$b][c]"),
        ("--label=\"$h-x\" a", "[--label=~$h-x][a]"),
    ] {
        assert_eq!(shown(line), commands, "{line}");
    }
}

#[test]
fn what_is_left_open_is_an_error() {
    for (line, open) in [
        ("a 'b", b'\''),
        ("a \"b", b'"'),
        ("a \"b\\", b'"'),
        ("a $(b", b')'),
        ("a $(b \"c)", b'"'),
        ("a ${b", b'}'),
        ("a `b", b'`'),
        ("a > 'b", b'\''),
    ] {
        assert_eq!(simple_commands(line.as_bytes()), Err(NotAWord::Unclosed(open)), "{line}");
    }
}

#[test]
fn nesting_without_an_end_costs_no_stack() {
    let deep = "$(".repeat(100_000);
    assert_eq!(simple_commands(deep.as_bytes()), Err(NotAWord::Unclosed(b')')));
    assert_eq!(shown(&"(".repeat(100_000)), "");
}

proptest! {
    #[test]
    fn any_line_is_taken_apart_or_refused(line in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        "[a-c \t\n;&|<>(){}'\"$`\\\\#*~=-]{0,40}".prop_map(String::into_bytes),
    ]) {
        for command in simple_commands(&line).unwrap_or_default() {
            prop_assert!(!command.words.is_empty());
        }
    }

    /// The same words as /bin/sh, which is asked.
    #[test]
    fn words_are_those_that_the_shell_makes_of_them(line in shell_line()) {
        let shell = Command::new("/bin/sh")
            .args(["-c", &format!("call() {{ printf '<'; printf '%s>' \"$@\"; }}\n{line}")])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let commands = simple_commands(line.as_bytes()).unwrap();
        let words = commands.iter().map(|command| {
            let words = command.words[1..].iter().map(|word| [word.as_bytes(), b">"].concat());
            let words: Vec<u8> = words.flatten().collect();
            [&b"<"[..], if words.is_empty() { b">" } else { &words }].concat()
        });
        let words: Vec<u8> = words.flatten().collect();
        prop_assert_eq!(
            String::from_utf8_lossy(&shell.stdout), String::from_utf8_lossy(&words),
            "{}", String::from_utf8_lossy(&shell.stderr)
        );
    }
}

/// Commands that all run, with nothing in them that a shell would expand.
fn shell_line() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9_./:=,@%+#-]{1,4}",
        "'[a-c $`\"\\\\*;&|<>()#!]{0,6}'",
        "\"[a-c '*?;&|<>()#]{0,6}\"",
        Just("\"\\$\\`\\\"\\\\\\a\"".to_owned()),
        "\\\\[a-c $`\"'\\\\*?;&|<>()#~]",
    ];
    let word = proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat());
    let not_a_comment = |word: &String| !word.starts_with('#');
    let word = word.prop_filter("a comment ends the line, and is in the tables", not_a_comment);
    let redirection =
        prop_oneof![Just("2>/dev/null"), Just("</dev/null"), Just("2>&1"), Just("3>'/dev/null'")];
    let part = prop_oneof![5 => word, 1 => redirection.prop_map(str::to_owned)];
    let command = proptest::collection::vec(part, 0..5).prop_map(|parts| format!("call {}", parts.join(" ")));
    let joint = prop_oneof![Just("; "), Just(" && "), Just(";"), Just(" &&")];
    proptest::collection::vec((command, joint), 1..4).prop_map(|commands| {
        let mut line: String = commands.into_iter().map(|(command, joint)| command + joint).collect();
        line.push_str("call");
        line
    })
}
