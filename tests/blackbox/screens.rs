//! What `status` and `history` look like to people: on terminals of several widths, without colours, in a pipe.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use serde_json::Value;

use crate::support::{End, Host};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The variables by which a terminal shows all that it can.
const TERMINAL: [(&str, &str); 2] = [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8")];

/// A host with jobs in every state: failing with an alert, overdue, well, with a long name, in another script, with
/// something in its name that a terminal would obey.
fn host() -> Host {
    let host = Host::new();
    let run = |options: &[&str], code: u8| {
        host.wrap(&[options, &["--sink", "none"]].concat(), &format!("exit {code}")).run();
    };
    run(&["-l", "report", "--schedule", "30 2 * * *"], 0);
    host.age(2 * DAY);
    for code in [0, 0, 0, 1, 0, 1, 1] {
        run(&["-l", "pg-backup", "--schedule", "*/5 * * * *"], code);
    }
    run(&["-l", "a-rather-long-label-of-somebody-who-likes-long-labels-very-much"], 0);
    run(&["-l", "バックアップ・データベース"], 0);
    run(&["-l", "\u{1b}[31m\u{1b}]0;title\u{7}root\u{202e}", "--warn-codes", "3"], 3);
    host
}

/// What a terminal with so many columns shows of an answer; what was sent to it.
fn on_a_terminal(host: &Host, words: &[&str], columns: u16, more: &[(&str, &str)]) -> (Vec<String>, String) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None).unwrap();
    let stdout = terminal.slave.as_fd().try_clone_to_owned().unwrap();
    let mut invocation = host.cronward(words.iter().copied()).stdout(stdout);
    for (name, value) in TERMINAL.iter().chain(more) {
        invocation = invocation.env(name, value);
    }
    let running = invocation.start();
    drop(terminal.slave);
    let mut sent = Vec::new();
    // Once nobody has the other end any more, a terminal answers with EIO.
    let _ = File::from(terminal.master).read_to_end(&mut sent);
    let ran = running.wait();
    assert_eq!(ran.end(), End::Code(0), "{ran}");
    let (rows, width) = (NonZeroU16::new(24).unwrap(), NonZeroU16::new(columns).unwrap());
    let mut screen = vt100::Parser::new(rows, width, 0);
    screen.process(&sent);
    let wrapped = (0..24).find(|&row| screen.screen().row_wrapped(row));
    assert_eq!(wrapped, None, "a line is too long\n{}", screen.screen().contents());
    let sent = String::from_utf8(sent).unwrap();
    assert!(!sent.contains("\u{1b}]"), "a label has reached into the terminal: {sent:?}");
    let rows = screen.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
    (rows, sent)
}

/// The place of each heading, in columns; and that in every line below it something begins there or nothing stands
/// there, and that the column before it is blank.
fn assert_aligned(rows: &[String], left_aligned: &[&str]) {
    let cells = |row: &str| -> Vec<char> {
        // Of what stands here, Japanese is wide.
        row.chars().flat_map(|character| vec![character; 1 + usize::from(character > '\u{2e80}')]).collect()
    };
    let heading = cells(&rows[0]);
    for name in left_aligned {
        let word: Vec<char> = name.chars().collect();
        let at = heading.windows(word.len()).position(|window| window == word);
        let at = at.unwrap_or_else(|| panic!("no column {name}\n{}", rows.join("\n")));
        for row in rows[1..].iter().take_while(|row| !row.is_empty()) {
            let row = cells(row);
            assert!(
                at == 0 || row.get(at - 1).is_none_or(|before| *before == ' '),
                "{name}\n{}",
                rows.join("\n")
            );
            assert!(row.get(at).is_none_or(|first| *first != ' '), "{name}\n{}", rows.join("\n"));
        }
    }
}

#[test]
fn a_terminal_of_eighty_columns_shows_every_job_on_a_line_and_every_column() {
    let (rows, sent) = on_a_terminal(&host(), &["status"], 80, &[]);
    assert_aligned(&rows, &["LABEL", "OUTCOME", "AGO", "STREAK", "ALERT", "NOW", "RECENT"]);
    assert!(sent.contains('\u{1b}'), "in colour");
    let text = rows.join("\n");
    for expected in ["\npg-backup ", "failed", "2 bad", "due in ", "overdue", "a-rather-", "…", "バック"]
    {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(text.contains("5 jobs: 1 alert open, 1 failed, 1 overdue"), "{text}");
    // The size of the window counts, whatever a variable says.
    let (same, _) = on_a_terminal(&host(), &["status"], 80, &[("COLUMNS", "300")]);
    assert!(same[0].contains("AGO"), "{}", same[0]);
}

#[test]
fn a_terminal_of_two_hundred_columns_shows_whole_labels_and_more() {
    let (rows, _) = on_a_terminal(&host(), &["status"], 200, &[]);
    assert_aligned(&rows, &["LABEL", "OUTCOME", "WHEN", "STREAK", "ALERT", "NOW", "RECENT"]);
    let text = rows.join("\n");
    for expected in [
        "a-rather-long-label-of-somebody-who-likes-long-labels-very-much  ok",
        "バックアップ・データベース",
        r"\u{1b}[31m\u{1b}]0;title\u{7}root\u{202e}",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn a_narrow_terminal_shows_what_matters_most() {
    let (rows, _) = on_a_terminal(&host(), &["status"], 40, &[]);
    assert_aligned(&rows, &["LABEL", "OUTCOME", "ALERT"]);
    assert!(!rows[0].contains("RECENT"), "{}", rows.join("\n"));
}

#[test]
fn who_wants_no_colours_gets_none_and_the_same_words() {
    let host = host();
    let (with, _) = on_a_terminal(&host, &["status"], 80, &[]);
    for no in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (rows, sent) = on_a_terminal(&host, &["status"], 80, &[no]);
        assert!(!sent.contains('\u{1b}'), "{sent:?}");
        assert_eq!(
            rows[0].split_whitespace().collect::<Vec<_>>(),
            with[0].split_whitespace().collect::<Vec<_>>()
        );
        assert!(rows[1..].iter().any(|row| row.starts_with("pg-backup ") && row.ends_with('x')), "{rows:?}");
    }
}

#[test]
fn a_pipe_gets_everything_in_full_or_as_much_as_its_reader_has_columns() {
    let host = host();
    let ran = host.cronward(["status"]).run();
    let text = ran.stdout_text();
    assert!(!text.contains('\u{1b}') && text.contains("2 failures") && text.contains("open for "), "{ran}");
    assert!(text.is_ascii() || text.contains("バックアップ・データベース"), "{ran}");
    assert!(text.contains(r"\u{202e}"), "{ran}");
    let narrow = host.cronward(["status"]).env("COLUMNS", "80").run().stdout_text();
    assert!(narrow.starts_with("LABEL") && narrow.contains("AGO"), "{narrow}");
}

#[test]
fn the_history_of_a_job_fits_on_terminals_and_says_what_is_usual() {
    let host = host();
    let (rows, sent) = on_a_terminal(&host, &["history", "pg-backup"], 80, &[]);
    let text = rows.join("\n");
    assert!(rows[0] == "pg-backup: exit 1", "{text}");
    assert!(
        rows[1].starts_with("due at '*/5 * * * *', next in ") && rows[2].starts_with("alert open for "),
        "{text}"
    );
    assert_aligned(&rows[4..], &["STARTED", "OUTCOME", "EXIT"]);
    assert!(text.contains("7 runs since ") && text.contains(": 4 ok, 3 failed"), "{text}");
    assert!(text.contains("successes take ") && sent.contains('█'), "{text}");
    let (rows, _) = on_a_terminal(&host, &["history", "pg-backup", "--failed"], 200, &[]);
    let text = rows.join("\n");
    assert_aligned(&rows[4..], &["STARTED", "OUTCOME", "EXIT", "WHY"]);
    assert_eq!(
        text.matches("exited with 1").count(),
        4,
        "each of three says why, and the last one below\n{text}"
    );
    assert_eq!(text.matches("alert opened").count(), 2, "{text}");
}

#[test]
fn a_history_is_to_be_had_as_json_and_a_bad_question_is_refused() {
    let host = host();
    let ran = host.cronward(["history", "--json", "pg-backup", "--since", "1h"]).run();
    let runs: Vec<Value> = serde_json::from_slice(&ran.stdout).unwrap_or_else(|why| panic!("{why}\n{ran}"));
    let codes: Vec<&Value> = runs.iter().map(|run| &run["exit_code"]).collect();
    assert_eq!(codes, [0, 0, 0, 1, 0, 1, 1]);
    for (words, status, says) in [
        (&["history"][..], 125, "wrong number of words; write 'cronward history [OPTIONS] LABEL'"),
        (&["history", "x", "--since", "soon"], 125, "bad time 'soon' in --since: write a time ago ('7d')"),
        (&["history", "nobody"], 1, "no run of 'nobody' is on record in '"),
    ] {
        let ran = host.cronward(words.iter().copied()).run();
        assert_eq!(ran.end(), End::Code(status), "{ran}");
        assert!(ran.stderr_text().starts_with(&format!("cronward: {says}")), "{ran}");
        assert!(ran.stdout.is_empty(), "{ran}");
    }
}
