//! For fish, 3.1 or later.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{SINKS_WITH_PATHS, Value, gist, sinks, spellings, takes_next, value_of, words_of};
use crate::cli::grammar::{Known, RUN};
use crate::cli::subcommand::ROWS;
use crate::settings::Takes;

/// What does not depend on the tables.
const BODY: &str = r#"
# The command behind the options of a run, as far as it stands there; fails where it has not begun.
function __cronward_command_words
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                string escape -- $words
                return 0
            case $__cronward_valued
                set -e words[1]
            case '-*'
            case '*'
                string escape -- $words
                return 0
        end
        set -q words[1]; and set -e words[1]
    end
    return 1
end

# Where the word stands that is typed: in a subcommand, in the command that is run, or before that.
function __cronward_at
    set -l words (commandline -opc)
    set -l place run
    if set -q words[2]; and contains -- $words[2] $__cronward_subcommands
        set place $words[2]
    else if __cronward_command_words >/dev/null
        set place command
    end
    contains -- $place $argv
end

function __cronward_is_first
    test (count (commandline -opc)) -eq 1
end

# What the command itself would complete.
function __cronward_complete_command
    set -l words (__cronward_command_words)
    complete -C (string join ' ' -- $words (commandline -ct))
end

# Labels may hold blanks; fish quotes them itself.
function __cronward_labels
    set -l program (commandline -opc)[1]
    $program completions labels 2>/dev/null
end

function __cronward_sinks
    set -l typed (commandline -ct | string replace -r '^(--sink=)' '')
    if string match -qr $__cronward_sinks_with_paths -- $typed
        set -l kind (string replace -r ':.*' ':' -- $typed)
        set -l paths (__fish_complete_path (string replace -r '^[^:]*:' '' -- $typed))
        string replace -r '^' $kind -- $paths
    else
        string split ' ' -- $__cronward_kinds
    end
end

complete -c cronward -f
complete -c cronward -n '__cronward_at run command; and not string match -q -- "-*" (commandline -ct)' -a '(__cronward_complete_command)'
complete -c cronward -n '__cronward_at command; and string match -q -- "-*" (commandline -ct)' -a '(__cronward_complete_command)'
"#;

/// The script.
pub fn script() -> String {
    let mut script = String::from("# fish completion for cronward: cronward completions fish | source\n\n");
    let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    let options: BTreeSet<Known> =
        RUN.options.iter().chain(ROWS.iter().flat_map(|row| row.grammar.options)).copied().collect();
    let valued: Vec<String> =
        options.iter().filter(|&&option| takes_next(option)).flat_map(|&option| spellings(option)).collect();
    // Writing into a string cannot fail.
    let _ = writeln!(script, "set -g __cronward_subcommands {}", names.join(" "));
    let _ = writeln!(script, "set -g __cronward_valued {}", valued.join(" "));
    let _ = writeln!(script, "set -g __cronward_kinds '{}'", sinks().join(" "));
    let _ = writeln!(script, "set -g __cronward_sinks_with_paths '^({}):'", SINKS_WITH_PATHS.join("|"));
    script.push_str(BODY);
    for row in &ROWS {
        let _ = writeln!(
            script,
            "complete -c cronward -n __cronward_is_first -a {} -d {}",
            row.name,
            quoted(&gist(row))
        );
    }
    for option in options {
        let mut places: Vec<&str> =
            ROWS.iter().filter(|row| row.grammar.options.contains(&option)).map(|row| row.name).collect();
        if RUN.options.contains(&option) {
            places.insert(0, "run");
        }
        let spelling = option.spelling();
        let short = spelling.short.map(|short| format!(" -s {short}")).unwrap_or_default();
        let value = match spelling.takes {
            Takes::Nothing => String::new(),
            Takes::Perhaps(_) => arguments("", value_of(option)),
            Takes::One(_) | Takes::Many(_) => arguments(" -x", value_of(option)),
        };
        let _ = writeln!(
            script,
            "complete -c cronward -n '__cronward_at {}'{short} -l {}{value} -d {}",
            places.join(" "),
            spelling.long,
            quoted(spelling.help)
        );
    }
    for row in &ROWS {
        if let Some(value) = words_of(row) {
            let _ = writeln!(
                script,
                "complete -c cronward -n '__cronward_at {}'{}",
                row.name,
                arguments("", value)
            );
        }
    }
    script
}

/// What is offered for a value.
fn arguments(needed: &str, value: Value) -> String {
    match value {
        Value::File => format!("{} -F", needed.replace("-x", "-r")),
        Value::Directory => format!("{needed} -a '(__fish_complete_directories)'"),
        Value::Label => format!("{needed} -a '(__cronward_labels)'"),
        Value::Sink => format!("{needed} -a '(__cronward_sinks)'"),
        Value::Words(words) => format!("{needed} -a '{}'", words.join(" ")),
        Value::Free => needed.to_owned(),
    }
}

/// Within single quotes fish knows `\'` and `\\`.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
