//! The one writer of `cronward: …` on stderr. A line is one write(2), so that it is not torn by the
//! job's own; a stderr that is closed or full is nobody's problem. It cannot fail and cannot panic.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// One line on stderr, control characters made visible so that a file name cannot forge a second.
pub fn say(message: impl Display) {
    let mut line = String::from("cronward: ");
    for character in message.to_string().chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    // What a simulation of days says is nobody's terminal's business.
    #[cfg(test)]
    if crate::clock::is_of_a_test() {
        return;
    }
    write_stderr(line.as_bytes());
}

/// Bytes to stderr as they are: help for a usage error, a sink of kind `jsonl:stderr`.
pub fn write_stderr(bytes: &[u8]) {
    // The one error expected is a stderr that is closed or full, and there is nobody to tell.
    let _ = std::io::stderr().write_all(bytes);
}

/// Text that was asked for (`--help`, `--version`, `status`, `--dry-run`) to stdout. False if it
/// could not be written in full.
pub fn print(text: &str) -> bool {
    print_bytes(text.as_bytes())
}

/// The same for what need not be text, as a crontab.
pub fn print_bytes(bytes: &[u8]) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).is_ok()
}

/// Whether stderr is a terminal.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}
