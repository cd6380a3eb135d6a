//! A host of one test's own: a temporary directory with a home, state and outputs, and a receiver of
//! datagrams. Nothing of the machine's environment gets in.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::fifo::Fifo;
use super::journal::Journal;
use super::process::Invocation;
use super::receiver::Receiver;

/// What every process of the tests finds in PATH.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A host.
pub struct Host {
    temp: TempDir,
    outputs: Cell<u32>,
    /// Where metrics go unless a test says otherwise.
    pub receiver: Receiver,
}

impl Host {
    /// A fresh host.
    pub fn new() -> Self {
        let temp = tempfile::tempdir().expect("a temporary directory");
        for name in ["home", "outputs"] {
            fs::create_dir(temp.path().join(name)).expect("a directory in the temporary one");
        }
        let host = Self { temp, outputs: Cell::new(0), receiver: Receiver::udp() };
        host.configure("");
        host
    }

    /// Its directory, in which every process starts.
    pub fn directory(&self) -> &Path {
        self.temp.path()
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Where state is kept unless a test says otherwise.
    pub fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// A new FIFO in its directory.
    pub fn fifo(&self, name: &str) -> Fifo {
        Fifo::new(self.path(name))
    }

    /// Writes a file that can be executed.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file in the temporary directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode for our own file");
        path
    }

    /// The configuration file. It is named in the environment, so that no file of the machine is read.
    pub fn configuration(&self) -> PathBuf {
        self.path("cronward.toml")
    }

    /// Writes the configuration file; it is empty unless a test says otherwise.
    pub fn configure(&self, text: impl AsRef<[u8]>) {
        let path = self.configuration();
        fs::write(&path, text).expect("a file in the temporary directory");
        // Root trusts no file that others can write, and a umask may let them.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode for our own file");
    }

    /// cronward with these arguments; state and sink are named in the environment.
    pub fn cronward<W: Into<OsString>>(&self, arguments: impl IntoIterator<Item = W>) -> Invocation<'_> {
        let mut argv = vec![cronward_binary().into_os_string()];
        argv.extend(arguments.into_iter().map(Into::into));
        Invocation::new(self, argv, self.environment())
    }

    /// Another program, in the same surroundings.
    pub fn bare<W: Into<OsString>>(&self, argv: impl IntoIterator<Item = W>) -> Invocation<'_> {
        let mut argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
        argv[0] = program(&argv[0].to_string_lossy()).into();
        Invocation::new(self, argv, self.environment())
    }

    /// A line for the shell, not wrapped. `$CRONWARD` names the binary.
    pub fn shell(&self, line: &str) -> Invocation<'_> {
        self.bare(["sh", "-c", line]).env("CRONWARD", cronward_binary())
    }

    /// cronward around a line for the shell.
    pub fn wrap(&self, options: &[&str], line: &str) -> Invocation<'_> {
        let mut arguments: Vec<&str> = options.to_vec();
        arguments.extend(["-c", line]);
        self.cronward(arguments)
    }

    /// The journal of a job.
    pub fn journal(&self, label: &str) -> Journal {
        Journal::of(&self.state_dir(), label)
    }

    /// Size of a job's journal in bytes; 0 if there is none.
    pub fn journal_size(&self, label: &str) -> u64 {
        Journal::path(&self.state_dir(), label)
            .and_then(|path| fs::metadata(path).ok())
            .map_or(0, |file| file.len())
    }

    /// A sink that logs every event to a file, for [`Self::events`].
    pub fn log(&self) -> String {
        format!("jsonl:{}", self.path("events.jsonl").display())
    }

    /// Every event of that log, oldest first.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let lines = fs::read_to_string(self.path("events.jsonl")).unwrap_or_default();
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        lines.lines().map(parse).collect()
    }

    /// Makes all that is remembered that much older, as if the time had passed. Each file stays the same
    /// file, since a run under way has it open.
    pub fn age(&self, by: Duration) {
        for path in super::journal::files(&self.state_dir()) {
            let text = fs::read(&path).expect("a file of our own");
            let aged = super::journal::aged(&text, by);
            if aged != text {
                fs::write(&path, aged).expect("a file of our own");
            }
        }
    }

    /// A sink that takes charge of every alert; [`Host::alerts`] has what it was told.
    pub fn alert_sink(&self) -> String {
        format!("exec:cat >>'{}'", self.path("alerts").display())
    }

    /// The alerts that [`Host::alert_sink`] was told of, in order.
    pub fn alerts(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.path("alerts")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("an event is JSON")).collect()
    }

    /// What became of them, in the order of telling.
    pub fn alert_kinds(&self) -> Vec<String> {
        let kind =
            |alert: &serde_json::Value| alert["kind"].as_str().expect("an event has a kind").to_owned();
        self.alerts().iter().map(kind).collect()
    }

    /// `status --json`, parsed.
    pub fn status(&self) -> serde_json::Value {
        let ran = self.cronward(["status", "--json"]).run();
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("status --json: {error}\n{ran}"))
    }

    fn environment(&self) -> Vec<OsString> {
        let home = self.path("home");
        vec![
            format!("PATH={PATH}").into(),
            format!("HOME={}", home.display()).into(),
            "LC_ALL=C".into(),
            format!("CRONWARD_CONFIG={}", self.configuration().display()).into(),
            format!("CRONWARD_STATE_DIR={}", self.state_dir().display()).into(),
            format!("CRONWARD_SINK=dogstatsd:{}", self.receiver.address()).into(),
        ]
    }

    pub(super) fn next_output(&self) -> (PathBuf, PathBuf) {
        let number = self.outputs.get();
        self.outputs.set(number + 1);
        (self.path(&format!("outputs/{number}.out")), self.path(&format!("outputs/{number}.err")))
    }

    /// All journals as they are, for a failure report.
    pub(super) fn raw_journals(&self) -> String {
        let mut text = String::new();
        for path in super::journal::journals(&self.state_dir()) {
            let lines = fs::read(&path).unwrap_or_default();
            let tail = &lines[lines.len().saturating_sub(3000)..];
            text.push_str(&format!("{}\n{}\n", path.display(), String::from_utf8_lossy(tail).trim()));
        }
        text
    }
}

/// The binary under test.
pub fn cronward_binary() -> PathBuf {
    assert_cmd::cargo::cargo_bin!("cronward").to_path_buf()
}

/// The path of a program of the system.
pub fn program(name: &str) -> PathBuf {
    if name.contains('/') {
        return name.into();
    }
    let candidates = PATH.split(':').map(|place| Path::new(place).join(name));
    candidates.into_iter().find(|path| path.is_file()).unwrap_or_else(|| panic!("no '{name}' in {PATH}"))
}
