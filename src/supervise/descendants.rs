//! Who descends from whom, by `/proc`: the process group is not enough, since a daemon leaves the
//! group and the session; with cronward as subreaper it cannot leave the tree.

// No `HashMap`: its seed is drawn from the kernel, and where there is none to be had it panics.
use std::collections::BTreeMap;
use std::fs;

/// Parents of all processes that can be seen, by pid. None where `/proc` is that of another pid namespace
/// (`unshare --pid` without `--mount-proc`): its numbers would be those of strangers here.
pub fn parents() -> BTreeMap<u32, u32> {
    let own = fs::read_link("/proc/self").ok();
    if own.and_then(|own| own.to_str()?.parse().ok()) != Some(std::process::id()) {
        return BTreeMap::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect()
}

/// Children of a process.
pub fn children(of: u32) -> Vec<u32> {
    parents().into_iter().filter(|&(_, parent)| parent == of).map(|(pid, _)| pid).collect()
}

/// Parent of a process; `None` if it has gone.
pub fn parent(pid: u32) -> Option<u32> {
    words(&stat(pid)?)?.nth(1)?.parse().ok()
}

/// Whether a process is stopped, as by SIGSTOP or a key at the terminal; `None` if that cannot be seen.
pub fn is_stopped(pid: u32) -> Option<bool> {
    Some(words(&stat(pid)?)?.next()? == "T")
}

/// Not UTF-8: the command's name stands in it as it is.
fn stat(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/stat")).ok()
}

/// The words of a line of `/proc/PID/stat` behind the *last* closing parenthesis, since the name of the
/// program may hold any byte (proc(5)): the state, the parent and so on.
fn words(stat: &[u8]) -> Option<std::str::SplitAsciiWhitespace<'_>> {
    let behind_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    Some(std::str::from_utf8(&stat[behind_name..]).ok()?.split_ascii_whitespace())
}

/// All descendants of `ancestor`, but for `strangers` and theirs: children that it had before.
pub fn descendants(ancestor: u32, strangers: &[u32], parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (&pid, &parent) in parents {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut open = vec![ancestor];
    while let Some(next) = open.pop() {
        for &child in children.get(&next).into_iter().flatten() {
            if child != ancestor && !strangers.contains(&child) {
                found.push(child);
                open.push(child);
            }
        }
    }
    found
}

/// Those who were found, and the command itself if it still runs: its pid is known without `/proc`, which may be
/// missing, or hidden, or there may be no descriptor left to read it with.
pub fn with_command(mut found: Vec<u32>, command: Option<u32>) -> Vec<u32> {
    found.extend(command.filter(|command| !found.contains(command)));
    found
}

/// Whether a process is `ancestor` or descends from it. A process that has gone meanwhile does not.
pub fn descends(mut pid: u32, ancestor: u32) -> bool {
    // Longer chains of parents do not occur; a bound costs nothing if pids are reused under us.
    for _ in 0..1000 {
        if pid == ancestor {
            return true;
        }
        match parent(pid) {
            Some(parent) if parent > 1 => pid = parent,
            Some(_) | None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_program_name() {
        let parent_in = |stat| words(stat)?.nth(1);
        assert_eq!(parent_in(b"42 (sh) S 7 42 42 0"), Some("7"));
        assert_eq!(parent_in(b"42 (a) S 1 (b)) R 9 42"), Some("9"));
        assert_eq!(parent_in(b"42 (\xff\n) Z 3 1"), Some("3"));
        assert_eq!(parent_in(b""), None);
        assert_eq!(parent_in(b"42 (x)"), None);
    }

    #[test]
    fn descendants_are_children_of_children_without_strangers() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 2), (6, 5), (7, 1), (8, 8)]);
        let mut found = descendants(2, &[5], &parents);
        found.sort_unstable();
        assert_eq!(found, [3, 4]);
        assert!(descendants(7, &[], &parents).is_empty());
        assert!(descendants(8, &[], &parents).is_empty());
    }

    #[test]
    fn a_command_that_runs_is_found_without_proc_and_once() {
        assert_eq!(with_command(Vec::new(), Some(7)), [7]);
        assert_eq!(with_command(vec![8, 7], Some(7)), [8, 7]);
        assert_eq!(with_command(vec![8], Some(7)), [8, 7]);
        assert_eq!(with_command(vec![8], None), [8]);
    }

    #[test]
    fn a_process_descends_from_its_parent() {
        let own = std::process::id();
        assert!(descends(own, own));
        assert!(descends(own, parent(own).unwrap()));
        assert!(!descends(parent(own).unwrap(), own));
    }
}
