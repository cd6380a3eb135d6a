//! The reader and the help, held to clap's answer.

use proptest::sample::select;

use super::super::grammar::{Grammar, Known, RUN};
use super::super::subcommand::ROWS;
use super::*;
use crate::settings::Takes;

/// That of a run, and of each subcommand.
fn grammars() -> Vec<&'static Grammar> {
    std::iter::once(&RUN).chain(ROWS.iter().map(|row| &row.grammar)).collect()
}

#[test]
fn clap_finds_no_fault_with_the_grammars() {
    for grammar in grammars() {
        oracle::command(grammar).debug_assert();
    }
}

#[test]
fn the_helps_are_written_as_clap_writes_them() {
    let help = usage::of_a_run();
    let usage = help.split("Usage: ").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(usage.lines().count(), 2 + ROWS.len(), "{usage}");
    let after = usage::AFTER.trim_end();
    assert_eq!(help, oracle::help(env!("CARGO_PKG_DESCRIPTION"), usage.to_owned(), after, &RUN));
    for row in &ROWS {
        let help = oracle::help(row.about, row.usage.to_owned(), "", &row.grammar);
        assert_eq!(usage::of_a_subcommand(row), help);
    }
}

/// What stands behind an option: words that look like one, words that do not, and any bytes.
fn any_value() -> impl Strategy<Value = OsString> {
    let values = ["", "-", "--", "---", "-v", "-5", "--lock", "--help", "=", "=x", "x=y", "a b", "status"];
    prop_oneof![3 => select(values.to_vec()).prop_map(OsString::from), 1 => any_word()]
}

/// Every other time one with a short name, if there is one, so that options meet themselves again.
fn any_known(grammar: &'static Grammar) -> impl Strategy<Value = Known> {
    let ends = |known: &Known| matches!(known, Known::Help | Known::Version);
    let mut all: Vec<_> = grammar.options.iter().copied().filter(|known| !ends(known)).collect();
    if all.is_empty() {
        all = grammar.options.to_vec();
    }
    let short = all.iter().copied().filter(|known| known.spelling().short.is_some()).collect();
    let short = Some(short).filter(|short: &Vec<_>| !short.is_empty()).unwrap_or_else(|| all.clone());
    prop_oneof![select(all), select(short)]
}

/// An option of the grammar in one of its spellings, with a value or without, wanted or not.
fn any_option(grammar: &'static Grammar) -> impl Strategy<Value = Vec<OsString>> {
    (any_known(grammar), 0..6, any_value()).prop_map(|(known, spelling, value)| {
        let dashed = match known.spelling().short {
            Some(short) if spelling < 3 => format!("-{short}"),
            Some(_) | None => format!("--{}", known.spelling().long),
        };
        let attached = |between: &str| {
            let mut word = OsString::from(format!("{dashed}{between}"));
            word.push(&value);
            vec![word]
        };
        match (spelling % 3, known.spelling().takes) {
            (0, Takes::Nothing | Takes::Perhaps(_)) => vec![dashed.into()],
            (0, _) => vec![dashed.into(), value],
            // Rarely: they take none.
            (1, Takes::Nothing) if !value.is_empty() => vec![dashed.into()],
            (1, _) => attached("="),
            _ => attached(""),
        }
    })
}

/// Almost an option of the grammar: a byte too few, too many, exchanged or of another kind; one dash or
/// three; capitals; and maybe a value.
fn near_miss(grammar: &'static Grammar) -> impl Strategy<Value = Vec<OsString>> {
    let bytes = select(b"abcdefghilmnoprstuy-= L\xff\xc3".to_vec());
    let place = any::<proptest::sample::Index>();
    (any_known(grammar), 0..9, place, bytes, any::<bool>()).prop_map(|(known, miss, place, byte, valued)| {
        let mut name = known.spelling().long.as_bytes().to_vec();
        let at = place.index(name.len());
        let mut dashes = "--";
        match miss {
            0 => name.truncate(at),
            1 => drop(name.remove(at)),
            2 => name.insert(at, byte),
            3 => name[at] = byte,
            4 => name.swap(at, at.saturating_sub(1)),
            5 => name.push(byte),
            6 => dashes = "-",
            7 => dashes = "---",
            _ => name.make_ascii_uppercase(),
        }
        let value: &[u8] = if valued { b"=x" } else { b"" };
        vec![OsString::from_vec([dashes.as_bytes(), &name, value].concat())]
    })
}

/// A few short names in one word, some of them none.
fn cluster() -> impl Strategy<Value = Vec<OsString>> {
    let bytes = select(b"lltchVxh=- \xff\xc3\xa9".to_vec());
    proptest::collection::vec(bytes, 1..4)
        .prop_map(|bytes| vec![OsString::from_vec([b"-", &bytes[..]].concat())])
}

/// Command lines around a grammar: most are in it, and every way out of it is taken.
fn any_line(grammar: &'static Grammar) -> impl Strategy<Value = Vec<OsString>> {
    let flags =
        ["-h", "--help", "-V", "--version", "--version=1", "--help=", "-x", "-lh", "-hl", "--json", "--"];
    let flag = select(flags.to_vec()).prop_map(|flag| vec![flag.into()]);
    let word = any_value().prop_map(|word| vec![word]);
    let part = prop_oneof![
        24 => any_option(grammar), 6 => word, 2 => near_miss(grammar), 1 => cluster(), 2 => flag,
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| {
        let mut line = args(&[]);
        line.extend(parts.into_iter().flatten());
        line
    })
}

fn any_grammar_and_line() -> impl Strategy<Value = (&'static Grammar, Vec<OsString>)> {
    // Those of a run are more than all others.
    let grammar = prop_oneof![Just(&RUN), select(grammars())];
    grammar.prop_flat_map(|grammar| any_line(grammar).prop_map(move |line| (grammar, line)))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(2048),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_reader_answers_as_clap_does((grammar, line) in any_grammar_and_line()) {
        let expected = oracle::read(&line, 1, grammar);
        prop_assert_eq!(reader::read(line, 1, grammar), expected);
    }
}
