//! A host on which nothing is wrong, with a root of its own in which system files are looked for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{End, Host, Invocation, Ran, cronward_binary};

/// Where cronward is installed there: not in the directory that it was built in, which the doctor notes.
fn installed() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
        fs::create_dir_all(&place).unwrap();
        let path = place.join("cronward");
        let _ = fs::remove_file(&path);
        // A link may only be made to what is one's own (proc(5), protected_hardlinks).
        if fs::hard_link(cronward_binary(), &path).is_err() {
            fs::copy(cronward_binary(), &path).unwrap();
        }
        path
    })
}

/// A host.
pub struct Clinic {
    /// Its state, configuration and receiver.
    pub host: Host,
}

impl Clinic {
    /// One that is sound: a job whose alert was drilled and has arrived, a crontab and a check.
    pub fn new() -> Self {
        let clinic = Self { host: Host::new() };
        for program in ["usr/bin/cronward", "usr/bin/dump", "usr/sbin/sendmail"] {
            clinic.script(program, "exit 1");
        }
        // Nobody has a crontab of his own.
        clinic.script("usr/bin/crontab", "exit 1");
        clinic.crontab("@daily root cronward -l job -- dump\n*/5 * * * * root cronward check\n");
        let sink = clinic.host.alert_sink();
        let options = ["-l", "job", "--max-age", "9h", "--sink", &sink];
        clinic.done(clinic.host.wrap(&options, "exit 0"));
        clinic.done(clinic.host.cronward(["check"]));
        clinic.drill("job");
        clinic
    }

    /// Has the alert of a job drilled, and confirmed.
    pub fn drill(&self, label: &str) {
        self.done(self.host.cronward(["drill", label]));
        self.done(self.host.cronward(["drill", label, "--confirm"]));
    }

    fn done(&self, invocation: Invocation<'_>) {
        let ran = invocation.run();
        assert_eq!(ran.end(), End::Code(0), "{ran}");
    }

    /// A path below its root.
    pub fn path(&self, path: &str) -> PathBuf {
        let path = self.host.path("root").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn script(&self, path: &str, line: &str) {
        let path = self.path(path);
        fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes the crontab of the system.
    pub fn crontab(&self, text: &str) {
        fs::write(self.path("etc/crontab"), text).unwrap();
    }

    /// The doctor, with these words.
    pub fn doctor(&self, words: &[&str]) -> Invocation<'_> {
        let argv = [&[installed().to_str().unwrap(), "doctor"], words].concat();
        self.host.bare(argv).env("_CRONWARD_ROOT", self.host.path("root")).env("TZ", "UTC0")
    }

    /// Nothing is wrong.
    pub fn is_sound(&self) {
        assert_sound(&self.doctor(&[]).run());
    }

    /// One thing is wrong, and is said so.
    pub fn has(&self, severity: &str, area: &str, said: &[&str]) {
        assert_has(&self.doctor(&[]).run(), severity, area, said);
    }
}

/// Lines that are no `[OK]`. A state directory in memory is the test's affair.
fn findings(ran: &Ran) -> Vec<String> {
    let text = ran.stdout_text();
    let lines = text.lines().filter(|line| line.starts_with('[') && !line.starts_with("[OK]"));
    lines.filter(|line| !line.contains("is in memory")).map(str::to_owned).collect()
}

/// The doctor found nothing, but looked at everything.
pub fn assert_sound(ran: &Ran) {
    assert_eq!((ran.end(), findings(ran)), (End::Code(0), Vec::new()), "{ran}");
    let text = ran.stdout_text();
    for area in [
        "configuration",
        "variables",
        "state",
        "locks",
        "clock",
        "limits",
        "sinks",
        "alerts",
        "cron",
        "binary",
    ] {
        assert!(text.lines().any(|line| line.split_whitespace().nth(1) == Some(area)), "{area}\n{ran}");
    }
    assert!(text.ends_with("nothing is wrong\n") && ran.stderr.is_empty(), "{ran}");
}

/// The doctor found one thing, and ends as that wants it.
pub fn assert_has(ran: &Ran, severity: &str, area: &str, said: &[&str]) {
    let found = findings(ran);
    assert_eq!(found.len(), 1, "{ran}");
    let words: Vec<&str> = found[0].split_whitespace().collect();
    assert_eq!(words[..2], [format!("[{severity}]").as_str(), area], "{ran}");
    for part in said {
        assert!(found[0].contains(part), "'{part}' is not said\n{ran}");
    }
    let status = match severity {
        "FAULT" => 2,
        "WARNING" => 1,
        _ => 0,
    };
    assert_eq!(ran.end(), End::Code(status), "{ran}");
}

/// The objects that `--json` prints.
pub fn objects(ran: &Ran) -> Vec<Value> {
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|why| panic!("{why}\n{ran}"))
}
