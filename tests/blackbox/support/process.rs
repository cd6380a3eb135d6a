//! Processes: how a test starts one, what it waits for, and what it learns.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::host::Host;
use super::situation::{self, Situation, Streams, wait_ended};

/// How long a test waits for what must happen. Only an upper bound: nobody waits that long unless
/// something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How a process ended, as its caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It exited.
    Code(i32),
    /// It was terminated by a signal.
    Signal(i32),
}

/// A process that a test is about to start.
pub struct Invocation<'h> {
    host: &'h Host,
    argv: Vec<OsString>,
    environment: Vec<OsString>,
    cwd: PathBuf,
    situation: Situation,
    stdin: RefCell<Option<Stdio>>,
    stdout: RefCell<Option<Stdio>>,
    stderr: RefCell<Option<Stdio>>,
}

impl<'h> Invocation<'h> {
    pub(super) fn new(host: &'h Host, argv: Vec<OsString>, environment: Vec<OsString>) -> Self {
        let cwd = host.directory().to_owned();
        let (stdin, stdout, stderr) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { host, argv, environment, cwd, situation: Situation::default(), stdin, stdout, stderr }
    }

    /// With a variable more, or with another value.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self = self.without_env(name);
        let mut word = OsString::from(format!("{name}="));
        word.push(value);
        self.env_word(word)
    }

    /// With a word of the environment as it is, well formed or not.
    pub fn env_word(mut self, word: impl Into<OsString>) -> Self {
        self.environment.push(word.into());
        self
    }

    /// Without a variable.
    pub fn without_env(mut self, name: &str) -> Self {
        let prefix = format!("{name}=");
        self.environment.retain(|word| !word.as_bytes().starts_with(prefix.as_bytes()));
        self
    }

    /// In another directory.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = directory.into();
        self
    }

    /// In this situation.
    pub fn situation(mut self, situation: &Situation) -> Self {
        self.situation = situation.clone();
        self
    }

    /// With this descriptor 0 in place of /dev/null.
    pub fn stdin(self, stdin: impl Into<Stdio>) -> Self {
        self.stdin.replace(Some(stdin.into()));
        self
    }

    /// With this descriptor 1 in place of a file that the test reads afterwards.
    pub fn stdout(self, stdout: impl Into<Stdio>) -> Self {
        self.stdout.replace(Some(stdout.into()));
        self
    }

    /// With this descriptor 2 in place of a file that the test reads afterwards.
    pub fn stderr(self, stderr: impl Into<Stdio>) -> Self {
        self.stderr.replace(Some(stderr.into()));
        self
    }

    /// Starts it.
    pub fn start(self) -> Running<'h> {
        let command = shown(&self.argv);
        self.try_start().unwrap_or_else(|error| panic!("cannot start {command}: {error}"))
    }

    /// Starts it, if the kernel lets us.
    pub fn try_start(self) -> io::Result<Running<'h>> {
        let (stdout_path, stderr_path) = self.host.next_output();
        let create = |path: &Path| Stdio::from(File::create(path).expect("a file in the temp directory"));
        let streams = Streams {
            stdin: self.stdin.take().unwrap_or_else(Stdio::null),
            stdout: self.stdout.take().unwrap_or_else(|| create(&stdout_path)),
            stderr: self.stderr.take().unwrap_or_else(|| create(&stderr_path)),
        };
        let command = shown(&self.argv);
        let child = situation::start(&self.argv, &self.environment, &self.cwd, streams, &self.situation)?;
        let began = Instant::now();
        Ok(Running { host: self.host, child, ended: false, command, stdout_path, stderr_path, began })
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Ran {
        self.start().wait()
    }
}

fn shown(argv: &[OsString]) -> String {
    let words: Vec<_> = argv.iter().map(|word| format!("{word:?}")).collect();
    let mut line = words.join(" ");
    if let Some((end, _)) = line.char_indices().nth(2000) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// A process that a test has started. It is killed if the test ends before it does.
pub struct Running<'h> {
    host: &'h Host,
    child: Child,
    ended: bool,
    command: String,
    stdout_path: PathBuf,
    stderr_path: PathBuf,
    began: Instant,
}

impl Running<'_> {
    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        situation::send(self.pid(), signal);
    }

    /// Sends a signal to the process group that it leads (see [`Situation::own_group`]).
    pub fn signal_group(&self, signal: i32) {
        situation::send_group(self.pid(), signal);
    }

    /// Whether it has ended; it stays to be waited for.
    pub fn has_ended(&self) -> bool {
        wait_ended(self.pid(), Instant::now())
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ran {
        let in_time = wait_ended(self.pid(), self.began + PATIENCE);
        if !in_time {
            self.signal(nix::libc::SIGKILL);
        }
        let status = self.child.wait().expect("a child of ours can be waited for");
        self.ended = true;
        let read = |path: &Path| fs::read(path).unwrap_or_default();
        let ran = Ran {
            command: std::mem::take(&mut self.command),
            wait_status: status.into_raw(),
            stdout: read(&self.stdout_path),
            stderr: read(&self.stderr_path),
            took: self.began.elapsed(),
            journals: self.host.raw_journals(),
        };
        assert!(in_time, "still running after {PATIENCE:?}\n{ran}");
        ran
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.signal(nix::libc::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// A process that has ended, and all that is known of it.
pub struct Ran {
    command: String,
    wait_status: i32,
    /// What it wrote to the file that was its stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to the file that was its stderr.
    pub stderr: Vec<u8>,
    /// From its start to its reaping.
    pub took: Duration,
    journals: String,
}

impl Ran {
    /// How it ended.
    pub fn end(&self) -> End {
        match self.wait_status & 0x7f {
            0 => End::Code((self.wait_status >> 8) & 0xff),
            signal => End::Signal(signal),
        }
    }

    /// Its stdout as text.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its stderr as text.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The lines on stderr that are cronward's own.
    pub fn own_words(&self) -> Vec<String> {
        self.stderr_text().lines().filter(|line| line.starts_with("cronward: ")).map(str::to_owned).collect()
    }

    /// Its stderr without cronward's own lines.
    pub fn stderr_of_job(&self) -> Vec<u8> {
        let lines = self.stderr.split_inclusive(|&byte| byte == b'\n');
        lines.filter(|line| !line.starts_with(b"cronward: ")).flatten().copied().collect()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command: {}", self.command)?;
        writeln!(f, "ended:   {:?} (wait status {:#x}) after {:?}", self.end(), self.wait_status, self.took)?;
        writeln!(f, "stdout:  {}", excerpt(&self.stdout))?;
        writeln!(f, "stderr:  {}", excerpt(&self.stderr))?;
        write!(f, "journal: {}", self.journals)
    }
}

fn excerpt(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(2000)].escape_ascii().to_string().replace("\\n", "\n         ");
    if bytes.len() > 2000 { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}

/// Waits for something that nobody announces, as that a process is stopped or gone.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::yield_now();
    }
}

/// The state letter of a process in `/proc`; `None` if it has gone.
pub fn process_state(pid: u32) -> Option<char> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.iter().rposition(|&byte| byte == b')')?;
    stat.get(behind_name + 2).map(|&byte| char::from(byte))
}

/// Waits until cronward has reaped its job, and has no other child.
pub fn until_reaped(cronward: u32) {
    let children = format!("/proc/{cronward}/task/{cronward}/children");
    eventually("the job is reaped", || fs::read_to_string(&children).is_ok_and(|pids| pids.is_empty()));
}

/// The processor time that a process has used so far, in ticks of 10 ms (proc(5), `stat`).
pub fn processor_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    ticks(11) + ticks(12)
}
