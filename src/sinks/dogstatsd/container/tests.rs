use std::os::unix::fs::symlink;

use super::*;

const ID: &str = "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f869860";
const UUID: &str = "34dc0b5e-626f-2c5c-4c51-70e34b10e765";
const TASK: &str = "34dc0b5e626f2c5c4c5170e34b10e765-1234567890";

#[test]
fn the_id_is_the_end_of_a_cgroup_of_either_version() {
    for (line, id) in [
        (format!("12:memory:/docker/{ID}"), ID),
        (format!("0::/system.slice/docker-{ID}.scope"), ID),
        (format!("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope"), ID),
        (format!("1:name=systemd:/kubepods/burstable/pod2d3da189-6407-48e3-9ab6-78188d75e609/{ID}"), ID),
        (format!("11:hugetlb:/ecs/55091c13-b8cf-4801-b527-f4601742204d/{TASK}"), TASK),
        (format!("1:name=systemd:/{UUID}"), UUID),
        (format!("1:name=systemd:/uuid/{}", UUID.replace('-', "_")), &UUID.replace('-', "_")),
        (format!("13:name=systemd:/\nno line of it\n0::/machine.slice/libpod-{ID}.scope\n"), ID),
    ] {
        assert_eq!(in_cgroup(&line), Some(id), "{line}");
    }
}

#[test]
fn a_cgroup_of_a_host_has_no_id() {
    for line in [
        "",
        "0::/",
        "0::/system.slice/cron.service",
        "12:memory:/user.slice/user-0.slice/session-3.scope",
        "0::/user.slice/user@1000.service/app.slice/snap.firefox-12.scope",
        &format!("0::/docker-{}.scope", &ID[1..]),
        &format!("0::/{}/init.scope", ID),
        &format!("0::/{}-", &TASK[..32]),
        &format!("0::/{}", ID.to_uppercase()),
        "é漢🦀",
        "0::/éééééééééééééééééééééééééééééééééééééééééééééééééé",
    ] {
        assert_eq!(in_cgroup(line), None, "{line}");
    }
}

#[test]
fn where_cgroups_are_hidden_the_mounts_of_the_runtime_have_the_id() {
    let mount = |source: &str| {
        format!(
            "608 554 0:42 /s / rw - overlay overlay rw\n620 608 254:1 {source} /etc/hostname rw - ext4 /dev/vda1 rw\n"
        )
    };
    for (source, id) in [
        (format!("/var/lib/docker/containers/{ID}/hostname"), Some(ID)),
        (format!("/containers/{TASK}/hostname"), Some(TASK)),
        (format!("/pods/volumes/{UUID}/containers/{ID}/mounts/hostname"), Some(ID)),
        (format!("/run/containerd/io.containerd.grpc.v1.cri/sandboxes/{ID}/hostname"), None),
        (format!("/{ID}/hostname"), None),
        (format!("/containers/{ID}/hosts"), None),
        (format!("/containers/{ID}hostname"), None),
        ("hostname".to_owned(), None),
    ] {
        assert_eq!(in_mounts(&mount(&source)), id, "{source}");
    }
}

/// What the kernel shows of a process: its cgroups, mounts, and the namespace of its cgroups.
fn shown(cgroup: &str, mounts: &str, namespace: &[u8]) -> tempfile::TempDir {
    let proc = tempfile::tempdir().unwrap();
    fs::write(proc.path().join("cgroup"), cgroup).unwrap();
    fs::write(proc.path().join("mountinfo"), mounts).unwrap();
    fs::create_dir(proc.path().join("ns")).unwrap();
    symlink(std::ffi::OsStr::from_bytes(namespace), proc.path().join("ns/cgroup")).unwrap();
    proc
}

#[test]
fn an_id_goes_before_an_inode_and_the_inode_is_only_for_cgroups_of_its_own() {
    let cgroups = tempfile::tempdir().unwrap();
    fs::create_dir_all(cgroups.path().join("memory/inner")).unwrap();
    let inode = |name: &str| format!("in-{}", fs::metadata(cgroups.path().join(name)).unwrap().ino());
    let docker = format!("1 1 0:1 /docker/containers/{ID}/hostname /etc/hostname rw");
    let own = b"cgroup:[4026532767]";
    for (cgroup, mounts, namespace, expected) in [
        (format!("0::/docker/{ID}"), "", HOST_CGROUPS, Some(format!("ci-{ID}"))),
        ("0::/".to_owned(), &docker[..], own, Some(format!("ci-{ID}"))),
        ("0::/".to_owned(), "", own, Some(inode(""))),
        ("5:memory:/\n0::/".to_owned(), "", own, Some(inode("memory"))),
        ("5:memory:/inner\n".to_owned(), "", own, Some(inode("memory/inner"))),
        ("5:memory:/gone\n0::/memory".to_owned(), "", own, Some(inode("memory"))),
        ("0::/gone".to_owned(), "", own, None),
        ("0::/".to_owned(), "", HOST_CGROUPS, None),
    ] {
        let proc = shown(&cgroup, mounts, namespace);
        assert_eq!(found(proc.path(), cgroups.path()), expected, "{cgroup:?} {mounts:?}");
    }
    assert_eq!(found(&cgroups.path().join("no such"), cgroups.path()), None);
}
