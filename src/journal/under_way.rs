//! PURE. The runs that have started and not ended, as one text: `id:at:pid:host` words, oldest first.
//! A thousand runs of one label may be under way at once, and each one's end has to read, change
//! and write this; so it is one string that is searched, and taken apart only where a run is asked
//! after.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::job::RunId;

/// A run that has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    /// Its id.
    pub(super) id: RunId,
    /// When it was started.
    pub(super) started_at: Timestamp,
    /// Process id of the command.
    pub(super) pid: u32,
    /// The host that it was started on.
    pub(super) host: String,
}

/// The runs under way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct UnderWay(String);

impl UnderWay {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes it takes to list them.
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// Every run, oldest first but for those that were put back.
    pub(super) fn iter(&self) -> impl Iterator<Item = Begun> + '_ {
        self.0.split_ascii_whitespace().filter_map(parse)
    }

    /// Adds a run, if it is not there already.
    pub(super) fn add(&mut self, run: &Begun) {
        if self.contains(run.id) {
            return;
        }
        let id = word_of(run.id);
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        let host = plain_host(&run.host);
        self.0.push_str(&format!("{id}{}:{}:{host}", run.started_at.as_millis(), run.pid));
    }

    /// Whether a run is among them.
    pub(super) fn contains(&self, run: RunId) -> bool {
        self.find(run).is_some()
    }

    /// Takes a run out.
    pub(super) fn remove(&mut self, run: RunId) {
        if let Some(start) = self.find(run) {
            let length = self.0[start..].find(' ').map_or(self.0.len() - start, |blank| blank + 1);
            self.0.replace_range(start..start + length, "");
            self.0.truncate(self.0.trim_end().len());
        }
    }

    /// Puts the first `count` runs behind the others, if there are others, so that next time
    /// those are the first.
    pub(super) fn put_back(&mut self, count: usize) {
        let Some(last) = count.checked_sub(1) else { return };
        if let Some((end, _)) = self.0.match_indices(' ').nth(last) {
            let first: String = self.0.drain(..=end).collect();
            self.0.push(' ');
            self.0.push_str(first.trim_end());
        }
    }

    fn find(&self, run: RunId) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        memchr::memmem::find(self.0.as_bytes(), word_of(run).as_bytes())
    }
}

/// The name of a host as it stands here. The words are divided by blanks; a host's name has none unless
/// somebody plays tricks.
pub(super) fn plain_host(host: &str) -> String {
    host.replace(|c: char| c.is_whitespace() || c.is_control(), "_")
}

/// The beginning of a run's word.
fn word_of(run: RunId) -> String {
    format!("{}:", run.uuid().simple())
}

fn parse(word: &str) -> Option<Begun> {
    let mut parts = word.splitn(4, ':');
    Some(Begun {
        id: RunId::parse(parts.next()?)?,
        started_at: Timestamp::from_millis(parts.next()?.parse().ok()?),
        pid: parts.next()?.parse().ok()?,
        host: parts.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn begun(at: i64) -> Begun {
        let started_at = Timestamp::from_millis(at);
        Begun { id: RunId::new(), started_at, pid: 4711, host: "db1.example:x".to_owned() }
    }

    #[test]
    fn a_run_is_listed_once_however_often_its_start_is_on_record() {
        let run = begun(1);
        let mut list = UnderWay::default();
        list.add(&run);
        list.add(&run);
        assert!(list.iter().eq([run.clone()]));
        list.remove(run.id);
        assert!(list.is_empty());
    }

    #[test]
    fn a_host_cannot_forge_a_second_run() {
        let mut list = UnderWay::default();
        list.add(&Begun { host: "a b\nc".to_owned(), ..begun(1) });
        assert_eq!(list.iter().map(|run| run.host).collect::<Vec<_>>(), ["a_b_c"]);
    }

    #[test]
    fn words_that_mean_nothing_are_passed_over() {
        let list = UnderWay("x :: 00000000000070008000000000000000:1:2:h a:b:c:d".to_owned());
        assert_eq!(list.iter().count(), 1);
    }

    proptest! {
        #[test]
        fn adding_and_removing_is_what_it_is_with_a_list(
            steps in proptest::collection::vec((any::<bool>(), 0..8_usize), 0..60), back in 0..10_usize,
        ) {
            let runs: Vec<Begun> = (0..8).map(begun).collect();
            let mut list = UnderWay::default();
            let mut model: Vec<Begun> = Vec::new();
            for (add, which) in steps {
                let run = &runs[which];
                if add {
                    list.add(run);
                    if !model.contains(run) {
                        model.push(run.clone());
                    }
                } else {
                    list.remove(run.id);
                    model.retain(|other| other != run);
                }
            }
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), model.clone());
            list.put_back(back);
            if back < model.len() {
                model.rotate_left(back);
            }
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), model);
        }
    }
}
