//! For zsh, 5 or later, by its own `_arguments`.

use std::fmt::Write;

use super::{SINKS_WITH_PATHS, Value, gist, quoted, sinks, value_of, words_of};
use crate::cli::grammar::{Known, RUN};
use crate::cli::subcommand::ROWS;
use crate::settings::Takes;

/// The script.
pub fn script() -> String {
    let mut script = String::from(
        "#compdef cronward\n# zsh completion for cronward: cronward completions zsh >~/.zfunc/_cronward\n\n\
         _cronward_labels() {\n    local -a labels\n    \
         labels=(${(f)\"$(${(e)~_cronward_program} completions labels 2>/dev/null)\"})\n    \
         local expl\n    _wanted labels expl label compadd -a labels\n}\n\n",
    );
    // Writing into a string cannot fail.
    let _ = writeln!(
        script,
        "_cronward_sinks() {{\n    if compset -P '({}):'; then\n        _files\n    elif [[ $PREFIX != *:* ]]; then\n        \
         local expl\n        _wanted sinks expl sink compadd -S '' -- {}\n    fi\n}}\n",
        SINKS_WITH_PATHS.join("|"),
        sinks().join(" ")
    );
    script.push_str("_cronward_first() {\n    local -a subcommands\n    subcommands=(\n");
    for row in &ROWS {
        let _ = writeln!(
            script,
            "        {}",
            quoted(&format!("{}:{}", row.name, gist(row).replace(':', "\\:")))
        );
    }
    script.push_str(
        "    )\n    (( _cronward_at == 2 )) && _describe -t subcommands subcommand subcommands\n    \
         _command_names -e\n}\n\n_cronward() {\n    local _cronward_program=$words[1] _cronward_at=$CURRENT\n    \
         if (( CURRENT > 2 )); then\n        case $words[2] in\n",
    );
    for row in &ROWS {
        let mut specs: Vec<String> = row.grammar.options.iter().map(|&option| spec(option)).collect();
        if let Some(value) = words_of(row) {
            let every = if row.usage.ends_with("...") { '*' } else { '1' };
            specs.push(format!("'{every}:{}{}'", what(value), action(value)));
        }
        let _ = writeln!(
            script,
            "            {})\n                shift words\n                (( CURRENT-- ))\n                \
             _arguments -S : \\\n                    {}\n                return ;;",
            row.name,
            specs.join(" \\\n                    ")
        );
    }
    script.push_str("        esac\n    fi\n    _arguments -S -A '-*' : \\\n");
    for &option in RUN.options {
        let _ = writeln!(script, "        {} \\", spec(option));
    }
    script.push_str(
        "        '(-)1:command:_cronward_first' \\\n        '*:: :_normal'\n}\n\n\
         if [[ $funcstack[1] == _cronward ]]; then\n    _cronward \"$@\"\nelse\n    compdef _cronward cronward\nfi\n",
    );
    script
}

/// An option as `_arguments` reads it.
fn spec(option: Known) -> String {
    let spelling = option.spelling();
    let long = spelling.long;
    let help =
        spelling.help.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
    let value = |name: &str| format!(":{}{}", name.replace([':', '[', ']'], " "), action(value_of(option)));
    let (mark, ending, short_ending, value) = match spelling.takes {
        Takes::Nothing => ("", "", "", String::new()),
        Takes::Perhaps(name) => ("", "=-", "", format!(":{}", value(name))),
        Takes::One(name) => ("", "=", "+", value(name)),
        Takes::Many(name) => ("*", "=", "+", value(name)),
    };
    let rest = quoted(&format!("[{help}]{value}"));
    match spelling.short {
        Some(short) => {
            let excluded = match (mark, option) {
                ("*", _) => "'*'".to_owned(),
                (_, Known::Help | Known::Version) => "'(- *)'".to_owned(),
                _ => format!("'(-{short} --{long})'"),
            };
            format!("{excluded}{{-{short}{short_ending},--{long}{ending}}}{rest}")
        }
        None => format!("'{mark}--{long}{ending}'{rest}"),
    }
}

/// What a value is called.
fn what(value: Value) -> &'static str {
    match value {
        Value::File => "file",
        Value::Directory => "directory",
        Value::Label => "label",
        Value::Sink => "sink",
        Value::Words(_) | Value::Free => "word",
    }
}

/// Its value, behind what it is called.
fn action(value: Value) -> String {
    match value {
        Value::File => ":_files".to_owned(),
        Value::Directory => ":_files -/".to_owned(),
        Value::Label => ":_cronward_labels".to_owned(),
        Value::Sink => ":_cronward_sinks".to_owned(),
        Value::Words(words) => format!(":({})", words.join(" ")),
        Value::Free => ": ".to_owned(),
    }
}
