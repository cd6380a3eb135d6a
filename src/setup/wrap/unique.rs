//! PURE. Labels that no two jobs have. They depend on what the jobs are and not on the order of the lines,
//! so that a crontab that is sorted anew gives every job the label it had; only of jobs that nothing but
//! their place tells apart the order decides.

use std::collections::{BTreeMap, BTreeSet};

use super::label::Name;

/// A job that wants a label.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it may be called.
    pub name: Name,
    /// All that it is: its times, its user, its command.
    pub identity: Vec<u8>,
}

/// A label for each, none of them twice or among `taken`.
pub fn labels(wanted: &[Wanted], taken: &BTreeSet<String>) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, job) in wanted.iter().enumerate() {
        groups.entry(&job.name.base).or_default().push(at);
    }
    let mut asked: Vec<(bool, String, &[u8], usize)> = Vec::new();
    for (base, group) in &groups {
        let is_alone = group.len() == 1 && !taken.contains(*base);
        for &at in group {
            let mark = if is_alone { None } else { mark(wanted, at, group, taken) };
            let label = mark.as_ref().map_or((*base).to_owned(), |mark| format!("{base}-{mark}"));
            asked.push((mark.is_some(), label, &wanted[at].identity, at));
        }
    }
    // Names that stand for themselves come before those that were made up.
    asked.sort();
    let mut given = taken.clone();
    let mut labels = vec![String::new(); wanted.len()];
    for (_, label, _, at) in asked {
        let numbered = (2..).map(|number: usize| format!("{label}-{number}"));
        let free = std::iter::once(label.clone()).chain(numbered).find(|label| !given.contains(label));
        labels[at] = free.unwrap_or(label);
        given.insert(labels[at].clone());
    }
    labels
}

/// What only this one of a group has.
fn mark<'a>(
    wanted: &'a [Wanted],
    at: usize,
    group: &[usize],
    taken: &BTreeSet<String>,
) -> Option<&'a String> {
    let Name { base, marks } = &wanted[at].name;
    let others = || group.iter().filter(|&&other| other != at).map(|&other| &wanted[other].name);
    marks.iter().find(|mark| {
        others().all(|other| !other.marks.contains(mark)) && !taken.contains(&format!("{base}-{mark}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::label::{LABEL_MAX, of_line};
    use super::*;
    use proptest::prelude::*;

    fn wanted(line: &str) -> Wanted {
        Wanted { name: of_line(line.as_bytes()), identity: line.as_bytes().to_vec() }
    }

    fn of(lines: &[&str], taken: &[&str]) -> Vec<String> {
        let wanted: Vec<_> = lines.iter().map(|line| wanted(line)).collect();
        labels(&wanted, &taken.iter().map(|label| (*label).to_owned()).collect())
    }

    #[test]
    fn jobs_of_one_program_are_told_apart_by_what_only_one_of_them_has() {
        for (lines, labels) in [
            (&["a.sh", "b.sh"][..], &["a", "b"][..]),
            (&["dump app", "dump shop"], &["dump-app", "dump-shop"]),
            (&["dump --all app", "dump --all shop"], &["dump-app", "dump-shop"]),
            (
                &["php artisan queue:work", "php artisan schedule:run"],
                &["artisan-queue-work", "artisan-schedule-run"],
            ),
            (&["/srv/blue/tick", "/srv/green/tick"], &["tick-blue", "tick-green"]),
            (&["cd /srv/blue && ./tick", "cd /srv/green && ./tick"], &["tick-blue", "tick-green"]),
            (&["dump", "dump app"], &["dump", "dump-app"]),
            (&["dump", "dump"], &["dump", "dump-2"]),
            (&["dump a", "dump b", "dump-a"], &["dump-a-2", "dump-b", "dump-a"]),
        ] {
            assert_eq!(of(lines, &[]), labels, "{lines:?}");
        }
    }

    #[test]
    fn a_label_that_is_in_use_is_not_given_again() {
        assert_eq!(of(&["dump app"], &["dump"]), ["dump-app"]);
        assert_eq!(of(&["dump app"], &["dump", "dump-app"]), ["dump-2"]);
        assert_eq!(of(&["dump"], &["dump", "dump-2"]), ["dump-3"]);
    }

    proptest! {
        #[test]
        fn labels_are_unique_and_do_not_depend_on_the_order(
            lines in proptest::collection::btree_set("[ab]( [ab-]{1,2}){0,3}", 1..12),
            taken in proptest::collection::btree_set("[ab](-[ab2]){0,2}", 0..4),
            seed in any::<u64>(),
        ) {
            let jobs: Vec<_> = lines.iter().map(|line| wanted(line)).collect();
            let given = labels(&jobs, &taken);
            let unique: BTreeSet<_> = given.iter().collect();
            prop_assert_eq!(unique.len(), given.len());
            prop_assert!(given.iter().all(|label| !taken.contains(label) && label.len() <= LABEL_MAX));
            let turned = usize::try_from(seed % 64).unwrap() % jobs.len();
            let mut sorted_anew = jobs.clone();
            sorted_anew.rotate_left(turned);
            let mut expected = given.clone();
            expected.rotate_left(turned);
            prop_assert_eq!(labels(&sorted_anew, &taken), expected);
        }
    }
}
