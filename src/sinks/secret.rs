//! A value that is not to be seen in a process list: `file:PATH` or `env:NAME` stands in its place. It
//! is read when it is needed, so that a file which is not there costs the sink and not the job.

use std::ffi::OsString;
use std::fs::{Metadata, OpenOptions, metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use nix::libc;

use super::probe::Complaint;
use crate::os_error;

/// Longest value in a file, in bytes: enough for any key, and an end for a file that has none.
const SIZE_MAX: u64 = 16 * 1024;

/// A value, or where it is.
pub enum Secret {
    /// It was written down as it is.
    Literal(String),
    /// The first bytes of this file.
    File(String),
    /// What this variable held when cronward was started; `None`: there was none of that name.
    Variable(String, Option<OsString>),
}

impl Secret {
    /// Reads the target of a sink. `environment` are `NAME=VALUE` words.
    ///
    /// # Errors
    /// In words, without the value: it refers to nothing.
    pub fn new(target: &str, environment: &[OsString]) -> Result<Self, String> {
        if let Some(path) = target.strip_prefix("file:") {
            if path.is_empty() {
                return Err("it names no file; write file:PATH".to_owned());
            }
            return Ok(Self::File(path.to_owned()));
        }
        if let Some(name) = target.strip_prefix("env:") {
            if name.is_empty() || name.contains('=') {
                return Err("it names no variable; write env:NAME".to_owned());
            }
            let mut values = environment.iter().filter_map(|word| {
                let value = word.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
                Some(std::ffi::OsStr::from_bytes(value).to_owned())
            });
            return Ok(Self::Variable(name.to_owned(), values.next()));
        }
        Ok(Self::Literal(target.to_owned()))
    }

    /// `file:PATH` or `env:NAME`, which may be shown; `None` of a literal value, which may not.
    pub fn reference(&self) -> Option<String> {
        match self {
            Self::Literal(_) => None,
            Self::File(path) => Some(format!("file:{path}")),
            Self::Variable(name, _) => Some(format!("env:{name}")),
        }
    }

    /// The value, without blanks and newlines around it.
    ///
    /// # Errors
    /// In words, without the value: the file cannot be read, the variable is not set, or there is nothing
    /// in it.
    pub fn read(&self) -> Result<String, String> {
        let (text, place) = match self {
            Self::Literal(value) => return Ok(value.trim().to_owned()),
            Self::File(path) => {
                let read = first_bytes(path)
                    .map_err(|error| format!("cannot read '{path}': {}", os_error::words_of(&error)))?;
                (String::from_utf8(read).ok(), path)
            }
            Self::Variable(name, value) => {
                let value = value.as_ref().ok_or_else(|| format!("variable '{name}' is not set"))?;
                (value.to_str().map(str::to_owned), name)
            }
        };
        let text = text.ok_or_else(|| format!("what is in '{place}' is no text"))?;
        let value = text.trim();
        if value.is_empty() { Err(format!("there is nothing in '{place}'")) } else { Ok(value.to_owned()) }
    }
}

impl Secret {
    /// That it cannot be read, for this reason, and what to do about it.
    pub fn complaint(&self, why: String) -> Complaint {
        let hint = match self {
            Self::Literal(_) => "write it as the manual says".to_owned(),
            Self::File(path) => format!("write it to '{path}', for this user alone to read"),
            Self::Variable(name, _) => {
                format!(
                    "set '{name}' where the jobs are started, as in the crontab; cron passes nothing else on"
                )
            }
        };
        Complaint::new(why, hint)
    }

    /// Who else can read it.
    pub fn concerns(&self) -> Vec<Complaint> {
        let Self::File(path) = self else { return Vec::new() };
        let everybody = |found: Metadata| found.mode() & 0o004 != 0;
        if !metadata(path).is_ok_and(everybody) {
            return Vec::new();
        }
        let what = format!("everybody can read the secret in '{path}'");
        vec![Complaint::new(what, format!("take that away: chmod o= '{path}'"))]
    }
}

/// O_NONBLOCK, so that a FIFO without a writer is empty and no wait.
fn first_bytes(path: &str) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let mut bytes = Vec::new();
    file.take(SIZE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str) -> Result<String, String> {
        let environment = ["KEY2=no", "KEY= a b ", "KEY=later", "EMPTY= ", "no equals"].map(OsString::from);
        Secret::new(target, &environment).and_then(|secret| secret.read())
    }

    #[test]
    fn a_value_is_itself_or_what_a_variable_or_a_file_holds() {
        assert_eq!(read(" https://h/x "), Ok("https://h/x".into()));
        assert_eq!(read("env:KEY"), Ok("a b".into()));
        assert_eq!(read("env:NOT"), Err("variable 'NOT' is not set".into()));
        assert_eq!(read("env:EMPTY"), Err("there is nothing in 'EMPTY'".into()));

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let target = format!("file:{}", path.display());
        let shown = path.display();
        assert_eq!(read(&target), Err(format!("cannot read '{shown}': no such file or directory")));
        for (bytes, expected) in [
            (&b"\n secret\n\n"[..], Ok("secret".to_owned())),
            (b"\n", Err(format!("there is nothing in '{shown}'"))),
            (b"\xff", Err(format!("what is in '{shown}' is no text"))),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read(&target), expected);
        }
    }

    #[test]
    fn a_file_without_an_end_or_without_a_writer_holds_nobody() {
        assert_eq!(read("file:/dev/zero").map(|value| value.len()), Ok(SIZE_MAX as usize));
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let nothing = format!("there is nothing in '{}'", fifo.display());
        assert_eq!(read(&format!("file:{}", fifo.display())), Err(nothing));
    }

    #[test]
    fn only_a_reference_may_be_shown() {
        for (target, shown) in
            [("https://h/x", None), ("file:/a b", Some("file:/a b")), ("env:KEY", Some("env:KEY"))]
        {
            assert_eq!(Secret::new(target, &[]).unwrap().reference().as_deref(), shown);
        }
        for bad in ["file:", "env:", "env:A=B"] {
            assert!(Secret::new(bad, &[]).is_err(), "{bad}");
        }
    }
}
