use super::super::finding::Severity;
use super::*;

fn sound() -> Facts {
    let room = Room {
        bytes: 1 << 30,
        inodes: Some(1 << 20),
        is_read_only: false,
        is_remote: false,
        is_memory: false,
    };
    Facts {
        dir: "/s".into(),
        nowhere: None,
        place: Place::Usable(0o40_700),
        room: Some(room),
        oddities: Vec::new(),
        jobs: (2, Vec::new()),
        user: 1000,
    }
}

fn refused(owner: u32, mode: u32, is_link: bool) -> Place {
    Place::Refused { why: "'/s' is refused".to_owned(), owner, mode, is_link }
}

#[test]
fn each_fault_of_a_state_directory_is_found_with_what_to_do_and_nothing_in_a_sound_one() {
    type Plant = fn(&mut Facts);
    for (plant, severity, said) in [
        ((|_| {}) as Plant, Severity::Ok, "'/s' can be used, and has 2 jobs on record"),
        (|facts| facts.room = None, Severity::Ok, "can be used"),
        (
            |facts| facts.place = Place::Missing("/".into(), true),
            Severity::Note,
            "the first run of a job makes it",
        ),
        (
            |facts| facts.place = Place::Missing("/".into(), false),
            Severity::Fault,
            "chown 1000 '/s'; or name",
        ),
        (
            |facts| {
                facts.place = Place::Missing("/".into(), true);
                facts.nowhere = Some("user 1000 has no home".to_owned());
            },
            Severity::Fault,
            "no run is remembered: user 1000 has no home; as root: mkdir -p -m 700 '/s' && chown 1000 '/s'",
        ),
        (|facts| facts.place = refused(1000, 0o777, true), Severity::Fault, "readlink -f '/s'"),
        (|facts| facts.place = refused(7, 0o700, false), Severity::Fault, "chown -R 1000 '/s'"),
        (|facts| facts.place = refused(1000, 0o775, false), Severity::Fault, "refused; chmod go-w '/s'"),
        (|facts| facts.place = refused(1000, 0o600, false), Severity::Fault, "chmod u+rwx"),
        (|facts| facts.place = Place::Unwritable(Errno::EROFS), Severity::Fault, "mount the file system"),
        (|facts| facts.place = Place::Unwritable(Errno::EACCES), Severity::Fault, "denied; chmod u+rwx '/s'"),
        (|facts| facts.place = Place::Usable(0o40_755), Severity::Warning, "chmod 700 '/s'"),
        (|facts| facts.room.as_mut().unwrap().bytes = 0, Severity::Fault, "there is no room on"),
        (|facts| facts.room.as_mut().unwrap().inodes = Some(0), Severity::Fault, "(df -i)"),
        (|facts| facts.room.as_mut().unwrap().inodes = None, Severity::Ok, "can be used"),
        (
            |facts| facts.room.as_mut().unwrap().bytes = 5_000_000,
            Severity::Warning,
            "room for 5.0 MB and 1048576 files",
        ),
        (|facts| facts.room.as_mut().unwrap().inodes = Some(9), Severity::Warning, "and 9 files"),
        (|facts| facts.room.as_mut().unwrap().is_read_only = true, Severity::Fault, "is read-only"),
        (|facts| facts.room.as_mut().unwrap().is_remote = true, Severity::Warning, "of another host"),
        (|facts| facts.room.as_mut().unwrap().is_memory = true, Severity::Note, "is in memory"),
        (
            |facts| facts.oddities = vec![Oddity::Foreign("/s/a".into(), 7)],
            Severity::Fault,
            "not trusted: '/s/a'",
        ),
        (
            |facts| facts.oddities = vec![Oddity::Open("/s/a".into(), false); 5],
            Severity::Warning,
            "and 2 more",
        ),
        (
            |facts| facts.oddities = vec![Oddity::Aside("/s/a".into())],
            Severity::Warning,
            "was kept aside: '/s/a'",
        ),
        (|facts| facts.oddities = vec![Oddity::Leftover("/s/a".into())], Severity::Note, "it can be removed"),
        (
            |facts| facts.jobs.1 = vec![("x".into(), "was written by a newer cronward (version 9)".into())],
            Severity::Fault,
            "run the newest cronward",
        ),
        (
            |facts| facts.jobs.1 = vec![("x".into(), "is corrupt".into())],
            Severity::Fault,
            "'x' cannot be read",
        ),
    ] {
        let mut facts = sound();
        plant(&mut facts);
        let findings = examine(&facts);
        assert_eq!(findings.len(), 1, "{said}: {findings:?}");
        let Finding { what, hint, .. } = &findings[0];
        assert_eq!(findings[0].severity, severity, "{findings:?}");
        assert!(format!("{what}; {hint}").contains(said), "{said}: {findings:?}");
    }
}

#[test]
fn what_lies_in_a_state_directory_is_told_by_name_age_and_rights() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let user = nix::unistd::geteuid().as_raw();
    let set = |name: &str, mode| {
        let path = directory.path().join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    set("sound", 0o600);
    let open = set("open", 0o640);
    let aside = set("runs.jsonl.corrupt-1", 0o600);
    let new = set("plan.json.new", 0o600);
    let found = |later| {
        let mut oddities = Vec::new();
        let now = Timestamp::now().later_by(std::time::Duration::from_secs(later));
        walk(directory.path(), user, now, &mut FILES_MAX.clone(), &mut oddities);
        oddities.sort_by_key(|odd| format!("{odd:?}"));
        oddities
    };
    let (aside, open) = (Oddity::Aside(aside), Oddity::Open(open, false));
    assert_eq!(found(0), [aside.clone(), open.clone()], "somebody may be at work");
    assert_eq!(found(7200), [aside, Oddity::Leftover(new), open]);
}
