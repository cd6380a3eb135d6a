//! How single values of the domain stand in the journal.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::job::RunId;
use crate::outcome::Outcome;

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
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        RunId::parse(&text).map(Self).ok_or_else(|| Error::custom("no id of a run"))
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
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Outcome::parse(&text).map(Self).ok_or_else(|| Error::custom("no outcome"))
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
        serializer.collect_str(&self.0.iter().copied().map(letter).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Letters {
    /// Letters that mean nothing here are passed over.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let outcome = |wanted| Outcome::ALL.into_iter().find(|&outcome| letter(outcome) == wanted);
        Ok(Self(text.chars().filter_map(outcome).take(crate::policy::RECENT_MAX).collect()))
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
        while let Some((word, total)) = map.next_entry::<Cow<'de, str>, u64>()? {
            for (place, outcome) in totals.0.iter_mut().zip(Outcome::ALL) {
                if outcome.as_str() == word {
                    *place = total;
                }
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
