//! The options at the head of the line of `-c`: `CRONWARD_LABEL=dump CRONWARD_LOCK=1 pg_dump app`.
//! They are this run's, so they are taken off and the shell never sees them; whatever they would
//! need a shell for is an error rather than a value that differs from what it looks like.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::settings::{PREFIX, Setting, TABLE, UsageError, Variable, nearest};
use crate::shell::{self, NotAWord, Reading, is_blank};

/// Takes the options off a line; a line without any comes back as it was, byte for byte.
///
/// # Errors
/// An expansion or an open quote in such a word, a name that is no option, and a line that is
/// nothing but options.
pub fn take_options(line: OsString) -> Result<(Vec<(Setting, OsString)>, OsString), UsageError> {
    let bytes = line.as_bytes();
    let mut options = Vec::new();
    let mut head = 0;
    loop {
        head += bytes[head..].iter().take_while(|&&byte| is_blank(byte)).count();
        let Some(name) = assigned_name(&bytes[head..]) else { break };
        let setting = option_named(name)?;
        let start = head + name.len() + 1;
        let word = shell::read_word(bytes, start, Reading::Code).map_err(|why| unreadable(name, why))?;
        // Of two words for one option the second counts, as in a shell.
        options.retain(|(other, _)| *other != setting);
        options.push((setting, OsString::from_vec(word.text)));
        head = word.end;
    }
    if options.is_empty() {
        return Ok((options, line));
    }
    let rest = OsStr::from_bytes(&bytes[head..]).to_owned();
    if rest.is_empty() {
        return Err(UsageError::see_help("no command in the line of -c, only options"));
    }
    Ok((options, rest))
}

/// The name that the word at the start of `bytes` assigns to, if it is one of ours.
fn assigned_name(bytes: &[u8]) -> Option<&[u8]> {
    if !bytes.starts_with(PREFIX) {
        return None;
    }
    let len = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    (bytes.get(len) == Some(&b'=')).then(|| &bytes[..len])
}

/// In the environment an unknown name may be meant for another version; here it is this run's, and
/// a lock or timeout that is misspelt must not be left out silently.
fn option_named(name: &[u8]) -> Result<Setting, UsageError> {
    if let Some(setting) = Setting::of_variable(name) {
        return Ok(setting);
    }
    let name = String::from_utf8_lossy(name);
    if name.starts_with("CRONWARD_RUN_") {
        return Err(UsageError::see_help(format!(
            "'{name}' in the line of -c is a fact of a run, not an option"
        )));
    }
    let known: Vec<String> =
        TABLE.iter().filter(|row| row.variable != Variable::None).map(|row| row.variable_name()).collect();
    // All names begin alike, which would make any two of them near.
    let keys = known.iter().filter_map(|known| known.strip_prefix("CRONWARD_"));
    let hint = match nearest(name.strip_prefix("CRONWARD_").unwrap_or(&name), keys) {
        Some(key) => format!(", nearest is 'CRONWARD_{key}'"),
        None => String::new(),
    };
    Err(UsageError::see_help(format!("unknown option '{name}' in the line of -c{hint}")))
}

fn unreadable(name: &[u8], why: NotAWord) -> UsageError {
    let name = String::from_utf8_lossy(name);
    let (what, hint) = match why {
        NotAWord::Unclosed(quote) => (format!("a {} is not closed", char::from(quote)), "close it"),
        NotAWord::Special(special) => (
            format!("'{}' is left to a shell, and no shell has read it yet", char::from(special)),
            "write the value out, in single quotes",
        ),
    };
    UsageError::new(format!("bad value of '{name}' in the line of -c: {what}; {hint}"))
}
