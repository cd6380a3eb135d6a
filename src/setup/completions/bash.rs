//! For bash, 4 or later, with or without the package bash-completion.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{SINKS_WITH_PATHS, Value, sinks, spellings, takes_next, value_of, words_of};
use crate::cli::grammar::{Known, RUN};
use crate::cli::subcommand::ROWS;
use crate::settings::Takes;

/// What does not depend on the tables. readline takes words apart at `=` and `:`.
const BODY: &str = r#"
# Words with the letters that are typed before them.
_cronward_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_cronward_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# Labels may hold blanks and colons.
_cronward_labels() {
    local label typed=$cur start= quote= line=${COMP_LINE:0:COMP_POINT}
    [[ $cur == [\'\"]* ]] && quote=${cur:0:1} typed=${cur:1}
    [[ -z $quote ]] && typed=${typed//\\/}
    if [[ -z $quote && $line != *\\* ]]; then
        typed=${line##*[[:space:]]}
        [[ $option == --* && $typed == "$option="* ]] && typed=${typed#*=}
        [[ $COMP_WORDBREAKS == *:* && $typed == *:* ]] && start=${typed%"${typed##*:}"}
    fi
    while IFS= read -r label; do
        [[ $label == "$typed"* ]] || continue
        label=${label#"$start"}
        [[ -z $quote ]] && printf -v label %q "$label"
        COMPREPLY+=("$label")
    done < <("${COMP_WORDS[0]/#\~/$HOME}" completions labels 2>/dev/null)
}

_cronward_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
    else
        _cronward_files -f
    fi
}

_cronward() {
    local cur=${COMP_WORDS[COMP_CWORD]} option= place=run at=1 word
    COMPREPLY=()
    if ((COMP_CWORD > 1)) && _cronward_is_subcommand "${COMP_WORDS[1]}"; then
        place=${COMP_WORDS[1]} at=2
    fi
    while ((at < COMP_CWORD)); do
        word=${COMP_WORDS[at]}
        if [[ -n $option ]]; then
            # The value, and what it was taken apart into.
            if [[ $word != = ]]; then
                while ((at + 1 < COMP_CWORD)) && [[ ${COMP_WORDS[at + 1]} == [:=] ]]; do ((at += 2)); done
                if ((at == COMP_CWORD)); then break; fi
                if [[ ${COMP_WORDS[COMP_CWORD]} == [:=] ]] && ((at + 1 == COMP_CWORD)); then break; fi
                option=
            fi
        elif [[ $word == -- ]]; then
            if [[ $place == run ]]; then _cronward_command $((at + 1)); return; fi
        elif [[ ${COMP_WORDS[at + 1]} == = || $word == "$(_cronward_valued "$word")" ]] && [[ $word == -* ]]; then
            option=$word
        elif [[ $word != -* && $place == run ]]; then
            _cronward_command "$at"
            return
        fi
        ((at += 1))
    done
    [[ $cur == [:=] ]] && cur=
    if [[ -n $option ]]; then
        _cronward_value "$option"
    elif [[ $cur == -* ]]; then
        _cronward_words "$(_cronward_options "$place")"
    elif [[ $place != run ]]; then
        _cronward_value "$place"
    else
        local subcommands=()
        if ((COMP_CWORD == 1)); then
            _cronward_words "$_cronward_subcommands"
            subcommands=("${COMPREPLY[@]}")
        fi
        _cronward_command "$COMP_CWORD"
        COMPREPLY=("${subcommands[@]}" "${COMPREPLY[@]}")
    fi
}

complete -F _cronward cronward
"#;

/// The script.
pub fn script() -> String {
    let mut script = String::from("# bash completion for cronward: source <(cronward completions bash)\n\n");
    let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    // Writing into a string cannot fail.
    let _ = writeln!(script, "_cronward_subcommands='{}'", names.join(" "));
    let _ = writeln!(
        script,
        "\n_cronward_is_subcommand() {{\n    case $1 in {}) return 0 ;; esac\n    return 1\n}}",
        names.join(" | ")
    );
    script.push_str("\n_cronward_options() {\n    case $1 in\n");
    for row in &ROWS {
        let _ = writeln!(script, "        {}) echo '{}' ;;", row.name, all(row.grammar.options));
    }
    let _ = writeln!(script, "        *) echo '{}' ;;\n    esac\n}}", all(RUN.options));
    let options: BTreeSet<Known> =
        RUN.options.iter().chain(ROWS.iter().flat_map(|row| row.grammar.options)).copied().collect();
    let valued: Vec<String> =
        options.iter().filter(|&&option| takes_next(option)).flat_map(|&option| spellings(option)).collect();
    let _ = writeln!(
        script,
        "\n# Says the option again, if the next word is its value.\n_cronward_valued() {{\n    case $1 in {}) printf '%s' \"$1\" ;; esac\n}}",
        valued.join(" | ")
    );
    script.push_str("\n_cronward_value() {\n    case $1 in\n");
    for &option in &options {
        if option.spelling().takes != Takes::Nothing {
            arm(&mut script, &spellings(option).join(" | "), value_of(option));
        }
    }
    for row in &ROWS {
        arm(&mut script, row.name, words_of(row).unwrap_or(Value::Free));
    }
    script.push_str("    esac\n}\n");
    script.push_str(BODY);
    script
}

fn all(options: &[Known]) -> String {
    options.iter().flat_map(|&option| spellings(option)).collect::<Vec<_>>().join(" ")
}

fn arm(script: &mut String, pattern: &str, value: Value) {
    let action = match value {
        Value::File => "_cronward_files -f".to_owned(),
        Value::Directory => "_cronward_files -d".to_owned(),
        Value::Label => "_cronward_labels".to_owned(),
        Value::Words(words) => format!("_cronward_words '{}'", words.join(" ")),
        // Behind the colon of a kind that has a path, the path.
        Value::Sink => format!(
            "case ${{COMP_LINE:0:COMP_POINT}} in\n            *{}:*) _cronward_files -f ;;\n            \
             *) compopt -o nospace 2>/dev/null; _cronward_words '{}' ;;\n        esac",
            SINKS_WITH_PATHS.join(":* | *"),
            sinks().join(" ")
        ),
        Value::Free => return,
    };
    let _ = writeln!(script, "        {pattern}) {action} ;;");
}
