//! The container that this process is in, as the Agent knows it: `ci-` and its id, or where that is not
//! to be seen `in-` and the inode of its cgroup. Found as datadog-go finds it (statsd/container_linux.go).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The namespaces that the kernel has made for itself, and for all that is in no container; they are
/// named by their inodes (include/linux/proc_ns.h).
const HOST_PIDS: &[u8] = b"pid:[4026531836]";
const HOST_CGROUPS: &[u8] = b"cgroup:[4026531835]";

/// Where cgroups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Hexadecimal digits of the id of a container.
const ID_DIGITS: usize = 64;

/// The same of a task of Amazon ECS, which a dash and a number follow.
const TASK_DIGITS: usize = 32;

/// What the Agent can tell the container by; `None` outside of one.
///
/// A container has process ids of its own. So this asks for nothing but the namespace of those where
/// there is no container: one call of the system. One that shares the ids of its host is not recognised.
pub fn id() -> Option<String> {
    let on_host = is_namespace(Path::new("/proc/self/ns/pid"), HOST_PIDS)?;
    if on_host { None } else { found(Path::new("/proc/self"), Path::new(CGROUPS)) }
}

/// Whether a link of /proc/PID/ns is to this namespace; `None` where there is no such link.
fn is_namespace(link: &Path, namespace: &[u8]) -> Option<bool> {
    Some(fs::read_link(link).ok()?.as_os_str().as_bytes() == namespace)
}

fn found(proc: &Path, cgroups: &Path) -> Option<String> {
    let text = |name| fs::read(proc.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let groups = text("cgroup").ok()?;
    let mounts;
    let id = match in_cgroup(&groups) {
        Some(id) => Some(id),
        None => {
            mounts = text("mountinfo").unwrap_or_default();
            in_mounts(&mounts)
        }
    };
    if let Some(id) = id {
        return Some(format!("ci-{id}"));
    }
    // Of the host's own cgroups the path would have had the id.
    let of_host = is_namespace(&proc.join("ns/cgroup"), HOST_CGROUPS) == Some(true);
    if of_host { None } else { in_inode(&groups, cgroups) }
}

/// From /proc/PID/cgroup, `7:memory:/docker/ID`: the first path that ends in an id.
fn in_cgroup(text: &str) -> Option<&str> {
    text.lines().find_map(|line| id_at_end(path_of_group(line)?.1))
}

/// Controllers and path of a line (cgroups(7)).
fn path_of_group(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_once(':')
}

/// The id that a name ends in, before `.scope` if there is one: of a container, of a task, or a UUID.
fn id_at_end(path: &str) -> Option<&str> {
    let path = path.strip_suffix(".scope").unwrap_or(path);
    let last = |length| path.len().checked_sub(length).and_then(|start| path.get(start..));
    let uuid = last(36).filter(|name| is_uuid(name));
    let container = || last(ID_DIGITS).filter(|name| is_hex(name));
    let task = || {
        let digits = path.len() - path.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        last(TASK_DIGITS + 1 + digits).filter(|name| is_task(name))
    };
    uuid.or_else(container).or_else(task)
}

/// From /proc/PID/mountinfo: container runtimes mount a file `…/ID/hostname` (or `…/ID/hostname-x`) of
/// their own at /etc/hostname. containerd has one of its sandboxes there, which is no container.
fn in_mounts(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let (id, holder) = line.split_ascii_whitespace().filter_map(id_of_mount).next_back()?;
        (holder != "sandboxes").then_some(id)
    })
}

/// The last id in a path with `hostname` behind it, and the directory that it is in.
fn id_of_mount(path: &str) -> Option<(&str, &str)> {
    let names: Vec<&str> = path[..path.rfind("hostname")?].split('/').collect();
    let at = names[..names.len() - 1].iter().rposition(|name| {
        let container = name.len() == ID_DIGITS && is_hex(name);
        container || is_task(name)
    })?;
    let holder = names.get(at.checked_sub(1)?)?;
    (!holder.is_empty()).then_some((names[at], *holder))
}

/// The inode of the cgroup: that of the memory controller, or of the one hierarchy of version 2. 1 and
/// 2 are those of the root of a file system, and none of a container.
fn in_inode(groups: &str, cgroups: &Path) -> Option<String> {
    let inode = |controller: &str| {
        let (_, path) = groups.lines().filter_map(path_of_group).find(|(name, _)| *name == controller)?;
        let place = cgroups.join(controller).join(path.trim_start_matches('/'));
        fs::metadata(place).ok().map(|found| found.ino()).filter(|inode| *inode > 2)
    };
    inode("memory").or_else(|| inode("")).map(|inode| format!("in-{inode}"))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => matches!(byte, b'-' | b'_'),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// `DIGITS-NUMBER`.
fn is_task(text: &str) -> bool {
    text.split_once('-').is_some_and(|(digits, number)| {
        digits.len() == TASK_DIGITS
            && is_hex(digits)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
