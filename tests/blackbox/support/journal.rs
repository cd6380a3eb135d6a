//! Reading journals as they are in the file, so that the tests do not depend on the code under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// A job's journal, read.
#[derive(Debug, Default)]
pub struct Journal {
    /// Ids of the runs that started, in order.
    pub starts: Vec<String>,
    /// Runs that ended, in order of recording; those found dead stand before the one that found them.
    pub ends: Vec<Value>,
    /// The newest fold.
    pub fold: Value,
    /// Lines that are no JSON.
    pub torn: Vec<String>,
}

impl Journal {
    /// The journal of a job whose label is plain; empty if there is none.
    pub fn of(state_dir: &Path, label: &str) -> Self {
        let path = Self::path(state_dir, label);
        path.map(|path| Self::read(&fs::read(path).expect("a journal of our own"))).unwrap_or_default()
    }

    /// Where it is, if it is.
    pub fn path(state_dir: &Path, label: &str) -> Option<PathBuf> {
        journals(state_dir).into_iter().find(|path| path.parent().is_some_and(|job| job.ends_with(label)))
    }

    fn read(bytes: &[u8]) -> Self {
        let mut journal = Self::default();
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(record) = serde_json::from_slice::<Value>(line) else {
                journal.torn.push(String::from_utf8_lossy(line).into_owned());
                continue;
            };
            assert_eq!(record["v"], 1, "{record}");
            if let Some(id) = record["start"]["run"].as_str() {
                journal.starts.push(id.to_owned());
            }
            journal.ends.extend(record["lost"].as_array().into_iter().flatten().cloned());
            journal.ends.extend(record.get("end").cloned());
            if let Some(fold) = record.get("fold") {
                journal.fold = fold.clone();
            }
        }
        journal
    }

    /// Outcomes of the runs that ended, in order.
    pub fn outcomes(&self) -> Vec<&str> {
        self.ends.iter().map(|end| end["outcome"].as_str().expect("an end has an outcome")).collect()
    }

    /// The run that ended last.
    pub fn last(&self) -> &Value {
        self.ends.last().expect("a run that has ended is on record")
    }
}

/// All journals below a state directory.
pub fn journals(directory: &Path) -> Vec<PathBuf> {
    let mut found = files(directory);
    found.retain(|path| path.ends_with("runs.jsonl"));
    found
}

/// All regular files below a directory.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries.flatten() {
            let is = entry.file_type().ok();
            if is.is_some_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            } else if is.is_some_and(|kind| kind.is_file()) {
                found.push(entry.path());
            }
        }
    }
    found
}

/// A text with every time in it that much earlier: numbers of thirteen digits, which in what cronward keeps
/// are milliseconds since 1970 and nothing else. It is as long as before, so that offsets stay what they
/// are.
pub fn aged(text: &[u8], by: Duration) -> Vec<u8> {
    const DIGITS: usize = 13;
    let mut aged = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let word = &text[at..at + length];
        if length == DIGITS && word.iter().all(u8::is_ascii_digit) {
            let time: u128 = String::from_utf8_lossy(word).parse().expect("digits are a number");
            let earlier = (time - by.as_millis()).to_string();
            aged[at..at + length].copy_from_slice(earlier.as_bytes());
        }
        at += length.max(1);
    }
    aged
}

#[test]
fn times_are_aged_and_nothing_else() {
    let text = br#"{"run":"01a1fe6f-c61b-7a5e-ae72-6468673a05e2","at":1795097300508,"wall_us":179509730,"x":17950973005081}"#;
    let expected = br#"{"run":"01a1fe6f-c61b-7a5e-ae72-6468673a05e2","at":1795097299508,"wall_us":179509730,"x":17950973005081}"#;
    assert_eq!(aged(text, Duration::from_secs(1)), expected);
}
