//! When everything was last checked: a file beside the jobs, so that a run which did not come is counted by
//! one check and not by the next.

use std::ffi::CStr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tail::read_range;
use crate::clock::Timestamp;
use crate::directory::{Access, Directory, Unsynced};

const CHECKED: &CStr = c"checked.json";
const VERSION: u32 = 1;
/// A larger file is none of ours.
const SIZE_MAX: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Checked {
    v: u32,
    at: i64,
}

/// When everything in a state directory was last checked, if that is known.
pub fn last_check(state_dir: &Path) -> Option<Timestamp> {
    let directory = Directory::open(state_dir).ok()?;
    let file = directory.file(CHECKED, Access::Read, &mut Unsynced::new()).ok()?;
    let checked: Checked = serde_json::from_slice(&read_range(&file, 0, SIZE_MAX).ok()?).ok()?;
    (checked.v == VERSION).then_some(Timestamp::from_millis(checked.at))
}

/// Remembers that everything has been checked. Where there is no state nothing is made, and what cannot be
/// written costs no more than a run that is counted twice.
pub fn note_check(state_dir: &Path, now: Timestamp) {
    let Ok(directory) = Directory::open(state_dir) else { return };
    let checked = Checked { v: VERSION, at: now.as_millis() };
    let bytes = serde_json::to_vec(&checked).unwrap_or_default();
    // See above.
    let _ = directory.replace(CHECKED, &bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture::Home;
    use crate::outcome::Outcome;

    #[test]
    fn a_check_is_remembered_where_there_is_state() {
        let home = Home::new();
        let state = home.state_dir().unwrap();
        note_check(&state, Timestamp::from_millis(5));
        assert_eq!(last_check(&state), None, "nothing is made");
        home.play(Outcome::Ok);
        for at in [5, 6] {
            note_check(&state, Timestamp::from_millis(at));
            assert_eq!(last_check(&state), Some(Timestamp::from_millis(at)));
        }
        std::fs::write(state.join("checked.json"), "x").unwrap();
        assert_eq!(last_check(&state), None);
    }
}
