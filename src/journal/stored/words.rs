//! How single values of the domain stand in the journal.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::job::RunId;
use crate::outcome::Outcome;
use crate::policy::RECENT_MAX;

/// A text that is read as something else, where it stands: a `Cow` would copy it first.
struct Text<T> {
    parse: fn(&str) -> Option<T>,
    expected: &'static str,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de, T> DeserializeSeed<'de> for Text<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

/// The id of a run, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::journal) struct Id(pub(in crate::journal) RunId);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.uuid().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| RunId::parse(text).map(Self);
        Text { parse, expected: "the id of a run" }.deserialize(deserializer)
    }
}

/// An outcome by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::journal) struct Word(pub(in crate::journal) Outcome);

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| Outcome::parse(text).map(Self);
        Text { parse, expected: "an outcome" }.deserialize(deserializer)
    }
}

/// Outcomes in a row, a letter each, newest last: sixty-four of them in every line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::journal) struct Letters(pub(in crate::journal) Vec<Outcome>);

/// The letter of an outcome: capital for a failure.
fn letter(outcome: Outcome) -> char {
    match outcome {
        Outcome::Ok => 'o',
        Outcome::Warning => 'w',
        Outcome::Failed => 'F',
        Outcome::Signaled => 'S',
        Outcome::TimedOut => 'T',
        Outcome::Suspect => 'U',
        Outcome::NotStarted => 'N',
        Outcome::Interrupted => 'I',
        Outcome::Stopped => 's',
        Outcome::Skipped => '-',
    }
}

impl Serialize for Letters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(RECENT_MAX);
        text.extend(self.0.iter().copied().map(letter));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Letters {
    /// Letters that mean nothing here are passed over.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| {
            let outcome = |wanted| Outcome::ALL.into_iter().find(|&outcome| letter(outcome) == wanted);
            let mut recent = Vec::with_capacity(RECENT_MAX);
            recent.extend(text.chars().filter_map(outcome).take(RECENT_MAX));
            Some(Self(recent))
        };
        Text { parse, expected: "the letters of outcomes" }.deserialize(deserializer)
    }
}

/// How many runs had each outcome, by its word; those that none had are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::journal) struct Totals(pub(in crate::journal) [u64; Outcome::ALL.len()]);

impl Serialize for Totals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (outcome, &total) in Outcome::ALL.into_iter().zip(&self.0) {
            if total > 0 {
                map.serialize_entry(outcome.as_str(), &total)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Totals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TotalsVisitor)
    }
}

struct TotalsVisitor;

impl<'de> Visitor<'de> for TotalsVisitor {
    type Value = Totals;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers by outcome")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Totals, A::Error> {
        let mut totals = Totals::default();
        let parse = |word: &str| Some(Outcome::ALL.into_iter().position(|outcome| outcome.as_str() == word));
        while let Some(place) = map.next_key_seed(Text { parse, expected: "an outcome" })? {
            let total = map.next_value()?;
            if let Some(place) = place.and_then(|place| totals.0.get_mut(place)) {
                *place = total;
            }
        }
        Ok(totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_letter_of_its_own() {
        let all = Letters(Outcome::ALL.to_vec());
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(text, r#""owFSTUNIs-""#);
        assert_eq!(serde_json::from_str::<Letters>(&text).unwrap(), all);
        assert_eq!(serde_json::from_str::<Letters>(r#""o?F""#).unwrap().0, [Outcome::Ok, Outcome::Failed]);
    }

    #[test]
    fn totals_of_outcomes_that_nobody_knows_are_passed_over() {
        let totals: Totals = serde_json::from_str(r#"{"ok":3,"exploded":9,"skipped":1}"#).unwrap();
        assert_eq!(serde_json::to_string(&totals).unwrap(), r#"{"ok":3,"skipped":1}"#);
    }
}
