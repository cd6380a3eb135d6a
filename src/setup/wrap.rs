//! `cronward wrap`: a crontab with each of its commands wrapped. It prints all of the crontab, whatever it
//! makes of it, since what it prints may be the next crontab.

mod diff;
mod label;
mod place;
mod rewrite;
mod shape;
mod unique;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::crontab::Problem;
use crate::crontab::lines::Form;
use crate::diagnostics;
use crate::os_error;
use crate::outcome::Exit;
use crate::settings::UsageError;
use place::Places;
use rewrite::{Host, Wrapped};

/// Prints a crontab with its commands wrapped, or what would change. `file` is the path of one, `None` or a
/// dash stdin; `system` says that it has users. The status is 0, or 1 if there is a line that it does not
/// understand, or stdout cannot be written.
///
/// # Errors
/// A file that cannot be read.
pub fn wrap(
    file: Option<&OsStr>,
    diff: bool,
    system: bool,
    environment: &[OsString],
) -> Result<Exit, UsageError> {
    let file = file.filter(|file| *file != "-").map(Path::new);
    let text = read(file).map_err(|error| {
        let name = file.map_or("stdin".into(), Path::to_string_lossy);
        let why = os_error::words_of(&error);
        UsageError::new(format!("cannot read '{name}': {why}; name a crontab, or pipe 'crontab -l' into it"))
    })?;
    let form = match file {
        _ if system => Form::System,
        Some(file) => Form::of_place(file),
        None => Form::User,
    };
    let places = Places::new(environment);
    let cronward = |search_path: &[u8]| places.word(search_path);
    let wrapped =
        rewrite::wrap(&text, form, &Host { cronward: &cronward, is_script_of_shell: &is_script_of_shell });
    let printed = if diff {
        diff::unified(&replaced_lines(&text, &wrapped), &diff::name(file))
    } else {
        wrapped.applied(&text)
    };
    let is_printed = diagnostics::print_bytes(&printed);
    let name = file.map_or(String::new(), |file| format!("'{}', ", file.display()));
    for Problem { line_number, reason } in wrapped.problems.iter().chain(&wrapped.notes) {
        diagnostics::say(format_args!("{name}line {line_number}: {reason}"));
    }
    Ok(Exit::Code(u8::from(!is_printed || !wrapped.problems.is_empty())))
}

fn read(file: Option<&Path>) -> io::Result<Vec<u8>> {
    match file {
        Some(file) => fs::read(file),
        None => {
            let mut text = Vec::new();
            io::stdin().lock().read_to_end(&mut text).map(|_| text)
        }
    }
}

/// The lines of a text, and those that take the place of some.
fn replaced_lines<'a>(text: &'a [u8], wrapped: &Wrapped) -> Vec<diff::Line<'a>> {
    let mut changes = wrapped.changes.iter().peekable();
    let mut start = 0;
    text.split_inclusive(|&byte| byte == b'\n')
        .map(|old| {
            let end = start + old.len();
            let new = changes
                .next_if(|(range, _)| range.start < end)
                .map(|(range, with)| [&text[start..range.start], with, &text[range.end..end]].concat());
            start = end;
            diff::Line { old, new }
        })
        .collect()
}

/// Whether a path is a file that can be read and is neither a program nor a script with `#!`: execve(2)
/// refuses it, and a shell then reads it itself.
fn is_script_of_shell(path: &OsStr) -> bool {
    let mut start = [0; 4];
    let path = Path::new(path);
    path.is_absolute()
        && path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && !start.starts_with(b"#!")
        && start != *b"\x7fELF"
}
