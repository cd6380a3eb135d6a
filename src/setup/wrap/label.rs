//! PURE. What a job is called by its command: the file name of the program, or of what that only runs.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::crontab::calls::{PREFIXES, Prefix, file_name, is_assignment, prefix};
use crate::crontab::shell_line::{SimpleCommand, UNKNOWN, simple_commands};

/// What a job may be called.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Name {
    /// If no other job is called so.
    pub base: String,
    /// What may tell it from another one, the best first: arguments, directories, other words of the line.
    pub marks: Vec<String>,
}

/// Longest base and longest mark in a label, in bytes.
const BASE_MAX: usize = 40;
const MARK_MAX: usize = 16;

/// Longest label, with a number behind it.
pub const LABEL_MAX: usize = BASE_MAX + MARK_MAX + 8;

/// How deep a line for a shell within a line is looked into.
const DEPTH_MAX: usize = 3;

/// Programs that run the command behind their options, as somebody or somewhere else.
static ELSEWHERE: [Prefix; 10] = [
    prefix("sudo", "CDghpRrTtUu", &["user", "group", "host", "chdir", "chroot", "prompt"], 0),
    prefix("doas", "Cu", &[], 0),
    prefix("runuser", "ugGcs", &["user", "group"], 0),
    prefix("gosu", "", &[], 1),
    prefix("su-exec", "", &[], 1),
    prefix("setpriv", "", &["reuid", "regid"], 0),
    prefix("chroot", "", &[], 1),
    prefix("systemd-run", "puGtM", &["unit", "property", "slice", "uid", "gid"], 0),
    prefix("systemd-inhibit", "", &[], 0),
    prefix("xvfb-run", "efnps", &[], 0),
];

/// Programs with a word of their own before a command.
static RUNNERS: [(&str, &str); 9] = [
    ("bundle", "exec"),
    ("poetry", "run"),
    ("pipenv", "run"),
    ("uv", "run"),
    ("npm", "exec"),
    ("pnpm", "exec"),
    ("npx", ""),
    ("xargs", ""),
    ("busybox", ""),
];

/// An interpreter that has its script behind its options.
struct Interpreter {
    name: &'static str,
    /// Short options that take a value.
    short: &'static str,
    /// Options behind which there is code, and no script.
    code: &'static str,
}

static INTERPRETERS: [Interpreter; 14] = [
    Interpreter { name: "python", short: "WXQ", code: "c" },
    Interpreter { name: "pypy", short: "WX", code: "c" },
    Interpreter { name: "perl", short: "IMm", code: "eE" },
    Interpreter { name: "ruby", short: "IrC", code: "e" },
    Interpreter { name: "php", short: "dcz", code: "rBR" },
    Interpreter { name: "node", short: "r", code: "ep" },
    Interpreter { name: "lua", short: "l", code: "e" },
    Interpreter { name: "Rscript", short: "", code: "e" },
    Interpreter { name: "java", short: "", code: "" },
    Interpreter { name: "bash", short: "oO", code: "c" },
    Interpreter { name: "sh", short: "o", code: "c" },
    Interpreter { name: "dash", short: "o", code: "c" },
    Interpreter { name: "zsh", short: "o", code: "c" },
    Interpreter { name: "ksh", short: "o", code: "c" },
];

/// Commands that only make things ready, wait or look: a job is not called by them.
static AROUND: [&str; 27] = [
    ".",
    ":",
    "[",
    "[[",
    "cd",
    "command",
    "exit",
    "export",
    "false",
    "hash",
    "mkdir",
    "pushd",
    "return",
    "set",
    "sleep",
    "source",
    "test",
    "trap",
    "true",
    "type",
    "ulimit",
    "umask",
    "unset",
    "wait",
    "which",
    "pgrep",
    "mountpoint",
];

/// Commands by which a job is called only if there is no other.
static FAINT: [&str; 5] = ["cat", "echo", "printf", "yes", "logger"];

/// Endings of scripts.
static ENDINGS: [&str; 12] = ["sh", "bash", "py", "pl", "rb", "php", "phar", "js", "mjs", "jar", "R", "lua"];

/// Names of scripts that say nothing without the directory that they are in.
static GENERIC: [&str; 11] =
    ["app", "cli", "console", "cron", "index", "job", "main", "manage", "run", "script", "start"];

/// A name, and whether it is better than none only.
struct Found {
    name: String,
    is_faint: bool,
    marks: Vec<String>,
}

/// The name of what a line of shell runs.
pub fn of_line(line: &[u8]) -> Name {
    let commands = simple_commands(line).unwrap_or_default();
    let mut marks = Vec::new();
    let base = match of_commands(&commands, 0) {
        Some(found) if !found.name.is_empty() => {
            marks = found.marks;
            found.name
        }
        Some(_) | None => "job".to_owned(),
    };
    let others = commands.iter().flat_map(|command| &command.words).map(|word| stem(word.as_bytes()));
    marks.extend(others);
    let mut name = Name { base: shortened(base, BASE_MAX), marks: Vec::new() };
    for mark in marks {
        let mark = shortened(mark, MARK_MAX);
        if !mark.is_empty() && mark != name.base && !name.marks.contains(&mark) {
            name.marks.push(mark);
        }
    }
    name
}

/// The first command with a name of its own.
fn of_commands(commands: &[SimpleCommand], depth: usize) -> Option<Found> {
    let mut best: Option<Found> = None;
    for command in commands {
        let Some(found) = of_words(&command.words, depth) else { continue };
        if !found.is_faint {
            return Some(found);
        }
        best = best.or(Some(found));
    }
    best
}

fn of_words(words: &[OsString], depth: usize) -> Option<Found> {
    let start = words.iter().position(|word| !is_assignment(word))?;
    let words = &words[start..];
    let program = words[0].as_os_str();
    if AROUND.iter().any(|around| program == *around) {
        return None;
    }
    if let Some(prefix) = PREFIXES.iter().chain(&ELSEWHERE).find(|prefix| prefix.is(program)) {
        let at = prefix.command(words, 1).filter(|&at| words.get(at).is_some_and(|word| !is_option(word)));
        return at
            .and_then(|at| of_words(&words[at..], depth))
            .or_else(|| of_code(words, "c", depth))
            .or_else(|| Some(plain(words, true)));
    }
    let name = file_name(program).to_string_lossy().into_owned();
    if let Some((_, word)) = RUNNERS.iter().find(|(runner, _)| name == *runner) {
        let behind = if word.is_empty() { 1 } else { 2 };
        if word.is_empty() || words.get(1).is_some_and(|first| first == word) {
            let rest = words[behind.min(words.len())..].iter().position(|word| !is_option(word));
            return rest
                .and_then(|at| of_words(&words[behind + at..], depth))
                .or_else(|| Some(plain(words, false)));
        }
    }
    match &name[..] {
        "su" => of_code(words, "c", depth).or_else(|| Some(plain(words, false))),
        "run-parts" => words.last().filter(|_| words.len() > 1).map(|directory| Found {
            name: stem(directory.as_bytes()),
            is_faint: false,
            marks: parents(directory.as_bytes()),
        }),
        "docker" | "podman" | "docker-compose" => Some(of_container(words, depth)),
        _ => match interpreter(&name) {
            Some(interpreter) => Some(of_script(interpreter, words, depth)),
            None => Some(plain(words, FAINT.contains(&&name[..]))),
        },
    }
}

/// `python3.11` is python.
fn interpreter(name: &str) -> Option<&'static Interpreter> {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.iter().find(|interpreter| interpreter.name == name)
}

/// The line behind `-c` of a shell, or of what calls one.
fn of_code(words: &[OsString], option: &str, depth: usize) -> Option<Found> {
    let is_code = |word: &OsString| {
        let word = word.as_bytes();
        word.starts_with(b"-") && !word.starts_with(b"--") && word.ends_with(option.as_bytes())
    };
    let at = words.iter().position(is_code)?;
    let line = words.get(at + 1).filter(|_| depth < DEPTH_MAX)?;
    of_commands(&simple_commands(line.as_bytes()).ok()?, depth + 1)
}

/// By the script, the module, or the line of code if that is one of shell.
fn of_script(interpreter: &Interpreter, words: &[OsString], depth: usize) -> Found {
    let has = |options: &str, byte: Option<&u8>| byte.is_some_and(|byte| options.as_bytes().contains(byte));
    let is_shell = interpreter.name.ends_with("sh");
    if let Some(found) = is_shell.then(|| of_code(words, interpreter.code, depth)).flatten() {
        return found;
    }
    let mut at = 1;
    while let Some(word) = words.get(at) {
        match word.as_bytes() {
            b"-m" | b"-jar" | b"-f" | b"--file" | b"--" => {
                if at + 1 < words.len() {
                    return plain(&words[at + 1..], false);
                }
                at += 1;
            }
            [b'-', b'-', ..] => at += 1,
            [b'-', cluster @ ..] if !cluster.is_empty() => {
                if !is_shell && cluster.iter().any(|byte| has(interpreter.code, Some(byte))) {
                    return plain(words, true);
                }
                at += if cluster.len() == 1 && has(interpreter.short, cluster.last()) { 2 } else { 1 };
            }
            _ => return plain(&words[at..], false),
        }
    }
    plain(words, true)
}

/// Options of docker(1) that take a value as the next word.
const VALUED: [&str; 16] = [
    "-e",
    "-f",
    "-h",
    "-l",
    "-p",
    "-u",
    "-v",
    "-w",
    "--env",
    "--env-file",
    "--file",
    "--name",
    "--network",
    "--user",
    "--volume",
    "--workdir",
];

/// By what runs in a container, else by the container or its image.
fn of_container(words: &[OsString], depth: usize) -> Found {
    let mut plain_words = Vec::new();
    let mut at = 1;
    // `compose`, `exec` or `run`, and the container: behind that is the command.
    while let Some(word) = words.get(at).filter(|_| !is_container_named(&plain_words)) {
        if VALUED.iter().any(|valued| word == valued) {
            at += 1;
        } else if !is_option(word) {
            plain_words.push(word);
        }
        at += 1;
    }
    if !is_container_named(&plain_words) {
        return plain(words, false);
    }
    let container = plain_words.last().map(|word| word.as_bytes()).unwrap_or_default();
    let image = container.split(|&byte| byte == b':').next().unwrap_or_default();
    let mut found = words.get(at..).filter(|rest| !rest.is_empty()).and_then(|rest| of_words(rest, depth));
    if let Some(found) = &mut found {
        found.marks.push(stem(image));
    }
    found.unwrap_or_else(|| Found { name: stem(image), is_faint: false, marks: Vec::new() })
}

fn is_container_named(plain_words: &[&OsString]) -> bool {
    let words = match plain_words {
        [first, rest @ ..] if *first == "compose" || *first == "container" => rest,
        words => words,
    };
    matches!(words, [verb, _] if *verb == "exec" || *verb == "run")
}

fn is_option(word: &OsStr) -> bool {
    word.as_bytes().starts_with(b"-")
}

/// By the file name of the first word.
fn plain(words: &[OsString], is_faint: bool) -> Found {
    let program = words.first().map(|word| word.as_bytes()).unwrap_or_default();
    let (mut name, directories) = (stem(program), parents(program));
    if let Some(directory) = directories.first().filter(|_| GENERIC.contains(&&name[..])) {
        name = format!("{directory}-{name}");
    }
    let mut marks: Vec<String> = words.iter().skip(1).map(|word| stem(word.as_bytes())).collect();
    marks.extend(directories);
    // What only a shell can tell may not be the name of a program at all.
    let is_faint = is_faint || name.is_empty();
    Found { name: if name.is_empty() { "job".to_owned() } else { name }, is_faint, marks }
}

/// A word, as far as it can stand in a label: of a path the file name, without the ending of a script.
fn stem(word: &[u8]) -> String {
    let path = word.rsplit(|&byte| byte == b'/').find(|part| !part.is_empty()).unwrap_or_default();
    let path = if path.contains(&b'$') || path.contains(&b'`') { b"" } else { path };
    let text: Vec<u8> = path.iter().copied().filter(|&byte| byte != UNKNOWN).collect();
    let text = String::from_utf8_lossy(&text);
    let text = match text.rsplit_once('.') {
        Some((stem, ending)) if ENDINGS.contains(&ending) => stem,
        Some(_) | None => &text,
    };
    let mut label = String::with_capacity(text.len());
    for character in text.chars() {
        let is_plain = character.is_ascii_alphanumeric() || "._".contains(character);
        match is_plain {
            true => label.push(character),
            false if label.ends_with('-') => {}
            false => label.push('-'),
        }
    }
    label.trim_matches(['-', '.']).to_owned()
}

/// The directories of a path, nearest first.
fn parents(path: &[u8]) -> Vec<String> {
    let mut parts: Vec<_> = path.split(|&byte| byte == b'/').map(stem).collect();
    parts.pop();
    let common = ["", "bin", "sbin", "usr", "local", "opt", "etc", "srv", "var", "home", "lib"];
    parts.into_iter().rev().filter(|part| !common.contains(&&part[..])).collect()
}

/// Nothing in a label has more than one byte.
fn shortened(mut label: String, most: usize) -> String {
    label.truncate(most);
    label.trim_end_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests;
