//! The words of the domain as types: what a job is called, which run this is, what is run, how it
//! is tagged. Each newtype holds the one rule that its value obeys; none of them does I/O.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use uuid::{Builder, Uuid};

use crate::clock::Timestamp;
use crate::sys::random;

/// Name of a job. Any text but the empty one; bytes that are not UTF-8 are replaced (U+FFFD), and
/// every use (file, metric, event) makes it safe for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

/// Longest file name made of a label, in bytes. NAME_MAX is 255; the rest is room for suffixes.
const LABEL_FILE_NAME_MAX: usize = 180;

impl Label {
    /// A label as the user gave it; `None` if it is empty.
    pub fn new(text: &OsStr) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_string_lossy().into_owned()))
    }

    /// The label of a command that was given none: its file name and the 32-bit FNV-1a hash of its
    /// words joined by NUL, so that two crontab lines that run different scripts of one
    /// interpreter are two jobs, and the same line is the same job every time.
    pub fn derived_from(command: &CommandLine) -> Self {
        let (program, hash) = match command {
            CommandLine::Words(words) => (
                words.first().map_or(OsStr::new(""), OsString::as_os_str),
                fnv1a(words.iter().map(|word| word.as_bytes())),
            ),
            CommandLine::Shell(line) => (first_word(line), fnv1a(std::iter::once(line.as_bytes()))),
        };
        let name = Path::new(program).file_name().unwrap_or(program);
        Self(format!("{}-{hash:08x}", name.to_string_lossy()))
    }

    /// The text of the label.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label as one file name: `[A-Za-z0-9._-]` stand for themselves, every other byte and a
    /// leading dot are percent-encoded, so `../x` stays inside its directory and `a/b` and `a%2Fb`
    /// differ. A long one is cut and ends in a hash of the whole.
    pub fn file_name(&self) -> String {
        let mut name = String::with_capacity(self.0.len());
        for (at, &byte) in self.0.as_bytes().iter().enumerate() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
                b'.' if at > 0 => name.push('.'),
                other => name.push_str(&format!("%{other:02X}")),
            }
        }
        if name.len() > LABEL_FILE_NAME_MAX {
            name.truncate(LABEL_FILE_NAME_MAX);
            name.push_str(&format!("%{:08x}", fnv1a(std::iter::once(self.0.as_bytes()))));
        }
        name
    }

    /// A part of a span in whole milliseconds, from nothing up to but without all of it, that is always the same for this label on
    /// this host, and spread evenly over hosts and labels.
    pub fn share_of(&self, host: &str, span: Duration) -> Duration {
        let mut hash = fnv1a([host.as_bytes(), self.0.as_bytes()].into_iter());
        // The last bytes of names, which are what tells them apart, do not reach all bits of an FNV hash: the
        // finalizer of MurmurHash3 sees to that.
        for factor in [0x85eb_ca6b_u32, 0xc2b2_ae35] {
            hash = (hash ^ (hash >> 16)).wrapping_mul(factor);
        }
        hash ^= hash >> 16;
        let millis = (span.as_millis() * u128::from(hash)) >> 32;
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// First word of a shell line if it is plainly the name of a program, else the shell: an assignment
/// or an expansion may hold a secret, and what it ends at only a shell can tell.
fn first_word(line: &OsStr) -> &OsStr {
    let word = line
        .as_bytes()
        .split(|byte| byte.is_ascii_whitespace())
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./+-".contains(byte);
    if !word.is_empty() && word.iter().all(plain) { OsStr::from_bytes(word) } else { OsStr::new("/bin/sh") }
}

/// 32-bit FNV-1a over words joined by NUL (draft-eastlake-fnv: offset basis 2166136261, prime
/// 16777619).
pub fn fnv1a<'a>(words: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut hash = 2_166_136_261_u32;
    let mut mix = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    for (at, word) in words.enumerate() {
        if at > 0 {
            mix(0);
        }
        word.iter().copied().for_each(&mut mix);
    }
    hash
}

/// Identity of one run: a UUID version 7, so that ids sort by start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Uuid);

impl RunId {
    /// A new id, unique among all hosts.
    pub fn new() -> Self {
        Self::made_of(Timestamp::now(), &random::bytes())
    }

    /// The id of the `number`th thing that is told of this run, at a time of its own. The same thing told
    /// again has the same id, so a receiver can drop the repetition.
    pub fn of_notice(self, time: Timestamp, number: u8) -> Self {
        let mut random = [0; 10];
        random.copy_from_slice(&self.0.as_bytes()[6..]);
        random[9] ^= number;
        Self::made_of(time, &random)
    }

    /// RFC 9562 section 5.7: 48 bits of time, 74 bits of randomness around version and variant.
    fn made_of(time: Timestamp, random: &[u8; 10]) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(0);
        Self(Builder::from_unix_timestamp_millis(millis, random).into_uuid())
    }

    /// An id as written by [`fmt::Display`]; `None` if the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The last 62 bits of the id: random in version 7 (RFC 9562 section 5.7), so that they can
    /// stand for the run where 128 bits do not fit.
    pub fn low_62_bits(self) -> u64 {
        self.0.as_u64_pair().1 & ((1 << 62) - 1)
    }

    /// The id as a UUID.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A tag of the user's: `KEY:VALUE`, `KEY=VALUE` or a bare word. Unsafe characters are the wire
/// format's affair, so the text is kept as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What stands before the first `:` or `=`; never empty.
    pub key: String,
    /// What stands behind it; `None` for a bare word.
    pub value: Option<String>,
}

impl Tag {
    /// A tag of one word; `None` if it has no key (`""`, `":x"`).
    pub fn parse(word: &str) -> Option<Self> {
        let (key, value) = match word.find([':', '=']) {
            Some(at) => (&word[..at], Some(word[at + 1..].to_owned())),
            None => (word, None),
        };
        (!key.is_empty()).then(|| Self { key: key.to_owned(), value })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}:{value}", self.key),
            None => f.write_str(&self.key),
        }
    }
}

/// What is run. Bytes, not text: an argument may hold anything but NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// A program and its arguments; at least one word.
    Words(Vec<OsString>),
    /// A line for `/bin/sh -c`.
    Shell(OsString),
}

impl CommandLine {
    /// The argument vector that is executed.
    pub fn argv(&self) -> Vec<OsString> {
        match self {
            Self::Words(words) => words.clone(),
            Self::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        }
    }

    /// The first word of the command: all of it that leaves the host without `--send-args`. Of a
    /// shell line only what is plainly the name of a program; `PGPASSWORD=… pg_dump` is `/bin/sh`.
    pub fn first_word(&self) -> &OsStr {
        match self {
            Self::Words(words) => words.first().map_or(OsStr::new(""), OsString::as_os_str),
            Self::Shell(line) => first_word(line),
        }
    }
}

/// A signal by number, 1 to 64: those with a name, and the real-time ones (signal(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub i32);

impl Signal {
    /// SIGHUP.
    pub const HUP: Self = Self(nix::libc::SIGHUP);
    /// SIGINT.
    pub const INT: Self = Self(nix::libc::SIGINT);
    /// SIGQUIT.
    pub const QUIT: Self = Self(nix::libc::SIGQUIT);
    /// SIGKILL.
    pub const KILL: Self = Self(nix::libc::SIGKILL);
    /// SIGTERM.
    pub const TERM: Self = Self(nix::libc::SIGTERM);
    /// SIGCONT.
    pub const CONT: Self = Self(nix::libc::SIGCONT);
    /// SIGTSTP.
    pub const TSTP: Self = Self(nix::libc::SIGTSTP);
    /// SIGTTIN.
    pub const TTIN: Self = Self(nix::libc::SIGTTIN);
    /// SIGTTOU.
    pub const TTOU: Self = Self(nix::libc::SIGTTOU);
    /// SIGWINCH.
    pub const WINCH: Self = Self(nix::libc::SIGWINCH);
    /// SIGCHLD.
    pub const CHLD: Self = Self(nix::libc::SIGCHLD);

    /// Whether this signal asks a program to stop: the four of outcome `stopped`.
    pub fn asks_to_stop(self) -> bool {
        [Self::HUP, Self::INT, Self::QUIT, Self::TERM].contains(&self)
    }
}

/// `SIGTERM`, or `signal 40` where there is no name.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match nix::sys::signal::Signal::try_from(self.0) {
            Ok(named) => f.write_str(named.as_str()),
            Err(_) => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &[&str]) -> CommandLine {
        CommandLine::Words(line.iter().map(OsString::from).collect())
    }

    #[test]
    fn a_share_of_a_span_is_the_same_each_time_and_spread_evenly() {
        let span = Duration::from_secs(100);
        let share = |host: &str, label: &str| Label::new(OsStr::new(label)).unwrap().share_of(host, span);
        assert_eq!(share("db1", "backup"), share("db1", "backup"));
        assert_ne!(share("db1", "backup"), share("db2", "backup"));
        // Names as they are given: a thousand hosts that differ in their last digits.
        let mut tenths = [0; 10];
        for host in 0..1000 {
            let share = share(&format!("db{host:03}.example.org"), "backup");
            assert!(share < span);
            tenths[(share.as_secs() / 10) as usize] += 1;
        }
        assert!(tenths.iter().all(|&hosts| (60..=140).contains(&hosts)), "{tenths:?}");
    }

    #[test]
    fn fnv1a_gives_the_published_test_vectors() {
        // draft-eastlake-fnv, appendix C: "", "a", "foobar".
        assert_eq!(fnv1a(std::iter::once(&b""[..])), 0x811c_9dc5);
        assert_eq!(fnv1a(std::iter::once(&b"a"[..])), 0xe40c_292c);
        assert_eq!(fnv1a(std::iter::once(&b"foobar"[..])), 0xbf9c_f968);
    }

    #[test]
    fn a_derived_label_names_the_program_and_tells_its_arguments_apart() {
        let one = Label::derived_from(&words(&["/usr/bin/python3", "a.py"]));
        let other = Label::derived_from(&words(&["/usr/bin/python3", "b.py"]));
        assert!(one.as_str().starts_with("python3-") && one.as_str().len() == 16, "{one}");
        assert_ne!(one, other);
        assert_ne!(Label::derived_from(&words(&["a", "b"])), Label::derived_from(&words(&["a b"])));
    }

    #[test]
    fn a_derived_label_of_a_shell_line_names_its_first_word() {
        let label = Label::derived_from(&CommandLine::Shell("  /opt/x/dump.sh | gzip".into()));
        assert!(label.as_str().starts_with("dump.sh-"), "{label}");
    }

    #[test]
    fn labels_cannot_leave_their_directory() {
        assert_eq!(Label("../x".into()).file_name(), "%2E.%2Fx");
        assert_eq!(Label("a/b".into()).file_name(), "a%2Fb");
        assert_eq!(Label("a%2Fb".into()).file_name(), "a%252Fb");
        assert_eq!(Label("nightly.db_1-x".into()).file_name(), "nightly.db_1-x");
    }

    #[test]
    fn tags_are_split_at_the_first_colon_or_equals_sign() {
        let tag = |word| Tag::parse(word).map(|t| (t.key, t.value));
        assert_eq!(tag("env:prod"), Some(("env".into(), Some("prod".into()))));
        assert_eq!(tag("url=http://x"), Some(("url".into(), Some("http://x".into()))));
        assert_eq!(tag("canary"), Some(("canary".into(), None)));
        assert_eq!(tag("a:"), Some(("a".into(), Some(String::new()))));
        assert_eq!(tag(":x"), None);
        assert_eq!(tag(""), None);
    }

    #[test]
    fn ids_are_uuids_of_version_7_that_hold_their_time() {
        let id = RunId::made_of(Timestamp::from_millis(0x0123_4567_89ab), &[0xff; 10]);
        assert_eq!(id.to_string(), "01234567-89ab-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn notices_of_a_run_have_ids_of_their_own_and_keep_them() {
        let (run, at) = (RunId::new(), Timestamp::now());
        let ids: std::collections::HashSet<_> =
            std::iter::once(run).chain((1..=5).map(|number| run.of_notice(at, number))).collect();
        assert_eq!(ids.len(), 6);
        assert_eq!(run.of_notice(at, 2), run.of_notice(at, 2));
    }

    #[test]
    fn signals_print_by_name_and_realtime_ones_by_number() {
        assert_eq!(Signal::TERM.to_string(), "SIGTERM");
        assert_eq!(Signal(40).to_string(), "signal 40");
    }

    proptest! {
        #[test]
        fn every_label_makes_one_plain_file_name(text in ".{1,300}") {
            let name = Label(text).file_name();
            prop_assert!(name.len() <= 255);
            prop_assert!(!name.starts_with('.'));
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%".contains(&b)));
        }

        #[test]
        fn different_labels_make_different_file_names(a in ".{1,40}", b in ".{1,40}") {
            prop_assert_eq!(a == b, Label(a).file_name() == Label(b).file_name());
        }
    }
}
