//! One scan of the environment: the options in it, what sinks and the plan want of it, and what is
//! left for the job.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::job::RunId;
use crate::settings::{COUNT, PREFIX, Setting, Variable};

/// What the environment says besides options.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The job's environment but for the facts of its run: `NAME=VALUE` words as received, in the
    /// same order, duplicates and words without `=` too.
    pub for_job: Vec<OsString>,
    /// `PATH`.
    pub search_path: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// `TMPDIR`.
    pub temporary: Option<OsString>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<OsString>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<OsString>,
    /// The run that this one was started in.
    pub outer_run: Option<RunId>,
    /// The label of that run.
    pub outer_label: Option<String>,
    /// `DD_*`, `DATADOG_*`, `OTEL_*`, `SSL_CERT_FILE` and those that name a proxy, by name, as text.
    pub variables: Vec<(String, String)>,
}

impl Surroundings {
    /// Scans the environment of a cronward that was called by the name `program`. Also returns the
    /// options in it; of a name that is there twice the first counts, as for getenv(3).
    pub fn scan(program: &OsStr, environment: Vec<OsString>) -> (Self, Vec<(Setting, OsString)>) {
        let mut found = Self { for_job: Vec::with_capacity(environment.len()), ..Self::default() };
        let mut options = Vec::new();
        let mut seen = [false; COUNT];
        for mut word in environment {
            let bytes = word.as_bytes();
            let equals = bytes.iter().position(|&byte| byte == b'=');
            let (name, value) = match equals {
                Some(at) => (&bytes[..at], &bytes[at + 1..]),
                None => (bytes, &b""[..]),
            };
            match name.first() {
                _ if equals.is_none() => {}
                Some(b'C') if name.starts_with(PREFIX) => {
                    if let Some(setting) = Setting::of_variable(name) {
                        if !std::mem::replace(&mut seen[setting as usize], true) {
                            options.push((setting, os(value)));
                        }
                        if setting.row().variable == Variable::OfTheRun {
                            continue;
                        }
                    } else if is_fact_of_outer_run(name) {
                        if name == b"CRONWARD_RUN_LABEL" && found.outer_label.is_none() {
                            found.outer_label = Some(String::from_utf8_lossy(value).into_owned());
                        }
                        if name == b"CRONWARD_RUN_ID" && found.outer_run.is_none() {
                            found.outer_run = std::str::from_utf8(value).ok().and_then(RunId::parse);
                        }
                        continue;
                    }
                }
                Some(b'D' | b'O' | b'S' | b'A' | b'H' | b'N' | b'a' | b'h' | b'n') if is_for_sinks(name) => {
                    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                    found.variables.push((text(name), text(value)));
                }
                Some(b'P') if name == b"PATH" => keep_first(&mut found.search_path, value),
                Some(b'H') if name == b"HOME" => keep_first(&mut found.home, value),
                Some(b'T') if name == b"TMPDIR" => keep_first(&mut found.temporary, value),
                Some(b'X') if name == b"XDG_STATE_HOME" => keep_first(&mut found.state_home, value),
                Some(b'X') if name == b"XDG_CONFIG_HOME" => keep_first(&mut found.config_home, value),
                // `script`, `flock -c` and others call `$SHELL -c` themselves; were that cronward,
                // each such call of the job's would be a run of its own.
                Some(b'S') if name == b"SHELL" && names_us(OsStr::from_bytes(value), program) => {
                    word = OsString::from("SHELL=/bin/sh");
                }
                Some(_) | None => {}
            }
            found.for_job.push(word);
        }
        (found, options)
    }
}

/// What the sinks read: the variables of Datadog's clients, of OpenTelemetry's, of OpenSSL and of curl.
fn is_for_sinks(name: &[u8]) -> bool {
    let exact = matches!(
        name,
        b"SSL_CERT_FILE"
            | b"ALL_PROXY"
            | b"HTTPS_PROXY"
            | b"HTTP_PROXY"
            | b"NO_PROXY"
            | b"all_proxy"
            | b"https_proxy"
            | b"http_proxy"
            | b"no_proxy"
    );
    exact || name.starts_with(b"DD_") || name.starts_with(b"DATADOG_") || name.starts_with(b"OTEL_")
}

/// The facts that a supervisor tells its job; those of the outer run end here.
fn is_fact_of_outer_run(name: &[u8]) -> bool {
    matches!(
        name,
        b"CRONWARD_RUN_ID" | b"CRONWARD_RUN_LABEL" | b"CRONWARD_RUN_ATTEMPT" | b"CRONWARD_RUN_REPORT"
    )
}

/// Whether a shell is cronward: by its file name, or because it is how we were called (cron passes
/// `SHELL` as the name of the program, whatever the file is called).
fn names_us(shell: &OsStr, program: &OsStr) -> bool {
    !shell.is_empty() && (shell == program || Path::new(shell).file_name() == Some(OsStr::new("cronward")))
}

fn keep_first(place: &mut Option<OsString>, value: &[u8]) {
    if place.is_none() {
        *place = Some(os(value));
    }
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}
