//! Options that can be given many times: tags add up over the levels by their keys, sinks as far as
//! the nearest level whose words do not begin with a plus sign; all others are those of one level.

use super::SinkWord;
use super::values::bad;
use crate::config::{Given, Levels, Origin};
use crate::job::Tag;
use crate::settings::{Setting, UsageError};

/// The tags, one for each key, in the order in which the keys are first seen from the nearest level
/// on. Of two values for a key the nearer one is taken, within a level the last.
///
/// # Errors
/// A tag without a key.
pub fn tags(levels: &Levels) -> Result<Vec<Tag>, UsageError> {
    let mut tags = Vec::<(Tag, &Given)>::new();
    for given in levels.all(Setting::Tag) {
        let Some(tag) = Tag::parse(&given.text.to_string_lossy()) else {
            return Err(bad("tag", given, "it has no key; write 'KEY:VALUE'"));
        };
        match tags.iter_mut().find(|(other, _)| other.key == tag.key) {
            None => tags.push((tag, given)),
            Some(same) if same.1.origin.level == given.origin.level => *same = (tag, given),
            Some(_) => {}
        }
    }
    Ok(tags.into_iter().map(|(tag, _)| tag).collect())
}

/// The sinks in force, each once, those of farther levels first; empty: nowhere. The default is the
/// farthest level: `+jsonl:/x` alone is `dogstatsd:` and that file.
///
/// # Errors
/// A word without a kind, `none` beside others of its level, and `+none`.
pub fn sinks(levels: &Levels) -> Result<Vec<SinkWord>, UsageError> {
    let all: Vec<&Given> = levels.all(Setting::Sink).collect();
    let mut layers = Vec::new();
    let mut replaced = false;
    for level in all.chunk_by(|one, other| one.origin.level == other.origin.level) {
        let (words, adds) = sinks_of_level(level)?;
        layers.push(words);
        if !adds {
            replaced = true;
            break;
        }
    }
    if !replaced {
        let (kind, target) = ("dogstatsd".to_owned(), String::new());
        layers.push(vec![SinkWord { kind, target, origin: "the default".to_owned() }]);
    }
    let mut sinks = Vec::<SinkWord>::new();
    for word in layers.into_iter().rev().flatten() {
        // Named twice, a sink would count every run twice.
        if !sinks.iter().any(|other| other.kind == word.kind && other.target == word.target) {
            sinks.push(word);
        }
    }
    Ok(sinks)
}

/// The sinks of one level, and whether all of them are additions.
fn sinks_of_level(level: &[&Given]) -> Result<(Vec<SinkWord>, bool), UsageError> {
    let mut words = Vec::with_capacity(level.len());
    let mut adds = true;
    for given in level {
        if given.text == "none" {
            if level.len() > 1 {
                return Err(bad(
                    "sink",
                    given,
                    "it is nowhere, so it cannot stand beside others; leave one out",
                ));
            }
            return Ok((Vec::new(), false));
        }
        adds &= is_addition(given);
        words.push(sink_word(given, given.origin.to_string())?);
    }
    Ok((words, adds))
}

/// The values of a list, each read by `parse`, of the nearest level that gives any: one that holds
/// for a whole host must not bind the job that says it otherwise.
///
/// # Errors
/// Those of `parse`, with the value and its origin before them; bytes that are not UTF-8.
pub fn of_nearest_level<T>(
    levels: &Levels,
    setting: Setting,
    what: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, UsageError> {
    let nearest = levels.origin(setting).level;
    let read = |given: &Given| match given.text.to_str() {
        Some(text) => parse(text).map_err(|why| bad(what, given, why)),
        None => Err(bad(what, given, "it is not UTF-8; write '?' for a character that is not")),
    };
    levels.all(setting).take_while(|given| given.origin.level == nearest).map(read).collect()
}

fn is_addition(sink: &Given) -> bool {
    sink.text.as_encoded_bytes().first() == Some(&b'+')
}

/// A sink as it was named, `origin` being what messages say of where.
///
/// # Errors
/// A word without a kind.
pub fn sink_word(given: &Given, origin: String) -> Result<SinkWord, UsageError> {
    let text = given.text.to_string_lossy();
    let word = text.strip_prefix('+').unwrap_or(&text);
    let (kind, target) = word
        .split_once(':')
        .filter(|(kind, _)| !kind.is_empty())
        .ok_or_else(|| bad("sink", given, "it has no kind; write 'KIND:TARGET', or 'none' for nowhere"))?;
    Ok(SinkWord { kind: kind.to_owned(), target: target.to_owned(), origin })
}

/// Of what files say, what counts when they are laid on top of each other: read as one level, it is the
/// same. What is not a file's is left as it is.
pub fn only_what_counts(given: Vec<Given>) -> Vec<Given> {
    let mut counts = Vec::<Given>::with_capacity(given.len());
    for value in given {
        let Origin { setting, level, .. } = value.origin;
        let hides = |other: &Given| {
            let is_nearer = other.origin.setting == setting && other.origin.level != level;
            is_nearer
                && other.origin.level.is_of_files()
                && (setting != Setting::Tag || key(other) == key(&value))
                && (setting != Setting::Sink || !is_addition(other))
        };
        if !level.is_of_files() || !counts.iter().any(hides) {
            counts.push(value);
        }
    }
    let is_sink = |given: &Given| given.origin.setting == Setting::Sink && given.origin.level.is_of_files();
    let is_nowhere = |given: &Given| is_sink(given) && given.text == "none";
    // Additions to nowhere are all there is: the farthest of them replace what is farther still.
    if counts.iter().any(is_nowhere) && counts.iter().filter(|given| is_sink(given)).count() > 1 {
        counts.retain(|given| !is_nowhere(given));
        let farthest = counts.iter().rfind(|given| is_sink(given)).map(|given| given.origin.level);
        let is_farthest = |given: &&mut Given| is_sink(given) && Some(given.origin.level) == farthest;
        for sink in counts.iter_mut().filter(is_farthest) {
            sink.text = sink.text.to_string_lossy().trim_start_matches('+').into();
        }
    }
    counts
}

fn key(tag: &Given) -> Option<String> {
    Tag::parse(&tag.text.to_string_lossy()).map(|tag| tag.key)
}
