//! What is said of files, by tables; and which file is looked at, in real directories.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::search::Modified;
use super::*;

const STARTED_AT: Timestamp = Timestamp::from_millis(1_795_244_400_500);
const MB: u64 = 1_000_000;
const GB: u64 = 1_000_000_000;

fn product(size: Band<SizeBound>) -> Product {
    Product { pattern: "/backup/app*".to_owned(), size }
}

fn band(min: Option<SizeBound>, max: Option<SizeBound>) -> Band<SizeBound> {
    Band { min, max }
}

/// A file of that size that was written so many milliseconds after the start.
fn file(bytes: u64, after: i64) -> Found {
    let millis = STARTED_AT.as_millis() + after;
    let modified = Modified { seconds: millis.div_euclid(1000), nanos: millis.rem_euclid(1000) * 1_000_000 };
    let path = PathBuf::from("/backup/app.dump");
    Found { newest: Some(File { modified, path, bytes }), ..Found::default() }
}

fn said(size: Band<SizeBound>, found: &Found, last_good: Option<u64>) -> Option<String> {
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let now = Timestamp::from_millis(STARTED_AT.as_millis() + 60_000);
    verdict(&product(size), found, &Circumstances { started_at: STARTED_AT, now, zone: &zone, last_good })
}

#[test]
fn a_size_outside_its_band_is_told_with_what_was_expected() {
    use SizeBound::{Bytes, Percent};
    for (min, max, bytes, last_good, sentence) in [
        (Some(Bytes(MB)), None, 12_300, None, Some("app.dump is 12.3 kB, expected at least 1.0 MB")),
        (None, Some(Bytes(MB)), 3 * GB, Some(GB), Some("app.dump is 3.0 GB, expected at most 1.0 MB")),
        (Some(Bytes(MB)), None, 0, Some(4_100 * MB), Some("app.dump is 0 B, last good 4.1 GB")),
        (Some(Percent(50)), None, 0, Some(4_100 * MB), Some("app.dump is 0 B, last good 4.1 GB")),
        (Some(Bytes(MB)), None, 0, None, Some("app.dump is 0 B, expected at least 1.0 MB")),
        (
            Some(Percent(50)),
            None,
            12_300,
            Some(4_100 * MB),
            Some("app.dump is 12.3 kB, expected at least 50% of the last good 4.1 GB"),
        ),
        (
            Some(Bytes(MB)),
            Some(Percent(300)),
            9_900 * MB,
            Some(2 * GB),
            Some("app.dump is 9.9 GB, expected at most 300% of the last good 2.0 GB"),
        ),
        // Rounded, the two would be the same.
        (Some(Bytes(1 << 20)), None, MB, None, Some("app.dump is 1000000 B, expected at least 1048576 B")),
        (
            Some(Percent(100)),
            None,
            2 * GB - 1,
            Some(2 * GB),
            Some("app.dump is 1999999999 B, expected at least 100% of the last good 2000000000 B"),
        ),
        // The bounds are inside.
        (Some(Bytes(MB)), Some(Bytes(MB)), MB, None, None),
        (Some(Percent(50)), Some(Percent(300)), 50, Some(100), None),
        (Some(Percent(50)), Some(Percent(300)), 300, Some(100), None),
        (
            Some(Percent(50)),
            None,
            49,
            Some(99),
            Some("app.dump is 49 B, expected at least 50% of the last good 99 B"),
        ),
        // Nothing to compare with: the absolute side alone counts.
        (Some(Percent(50)), Some(Percent(300)), 5, None, None),
        (Some(Percent(50)), Some(Percent(300)), 5, Some(0), None),
        (Some(Percent(50)), Some(Bytes(4)), 5, None, Some("app.dump is 5 B, expected at most 4 B")),
        (
            Some(Percent(u32::MAX)),
            None,
            u64::MAX,
            Some(u64::MAX),
            Some(
                "app.dump is 18446744073709551615 B, expected at least 4294967295% of the last good 18446744073709551615 B",
            ),
        ),
        // Without a band an empty file will do: a mark that something was done.
        (None, None, 0, Some(GB), None),
    ] {
        assert_eq!(said(band(min, max), &file(bytes, 1), last_good).as_deref(), sentence);
    }
}

#[test]
fn a_file_from_before_the_run_is_told_with_its_age() {
    // 23 h 4 min and 53.5 s before the start.
    let old = said(Band::ALL, &file(5, -83_093_500), None);
    assert_eq!(
        old.as_deref(),
        Some("app.dump was not written by this run (last written 2026-11-20 08:55:07, 23h 05m ago)")
    );
    // Its age is said before its size, which is that of another run.
    assert_eq!(said(band(Some(SizeBound::Bytes(MB)), None), &file(5, -83_093_500), None), old);
}

/// The kernel stamps files by a clock that goes on by ticks; some file systems count whole seconds.
#[test]
fn a_file_written_at_the_very_start_counts_as_written_by_the_run() {
    for (after, written) in [(3_600_000, true), (0, true), (-10, true), (-11, false), (-1_000, false)] {
        assert_eq!(said(Band::ALL, &file(5, after), None).is_none(), written, "{after}");
    }
    // The start is half a second after a whole one.
    for (after, written) in [(-500, true), (-1_500, true), (-2_500, false), (500, true)] {
        assert_eq!(said(Band::ALL, &file(5, after), None).is_none(), written, "{after}");
    }
}

#[test]
fn what_is_not_there_is_told_by_its_pattern() {
    let found = |not_files, trouble: Option<&str>| Found {
        not_files,
        trouble: trouble.map(str::to_owned),
        ..Found::default()
    };
    let refused = "'/backup' cannot be read (permission denied)";
    for (found, sentence) in [
        (found(false, None), "'/backup/app*' matches nothing"),
        (found(true, None), "'/backup/app*' matches no regular file"),
        (
            found(false, Some(refused)),
            "'/backup/app*' matches nothing: '/backup' cannot be read (permission denied)",
        ),
        (
            Found { cut_short: true, ..file(5, -60_000) },
            "'/backup/app*' has more than 100000 names to look through; name fewer",
        ),
    ] {
        assert_eq!(said(Band::ALL, &found, None).as_deref(), Some(sentence));
    }
    assert_eq!(said(Band::ALL, &Found { cut_short: true, ..file(5, 1) }, None), None);
}

struct Backups(tempfile::TempDir);

impl Backups {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file of that many bytes, written so many seconds ago.
    fn write(&self, name: &str, bytes: usize, seconds_ago: u64) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![b'x'; bytes]).unwrap();
        let modified = SystemTime::now() - Duration::from_secs(seconds_ago);
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }

    fn pattern(&self, pattern: &str) -> String {
        self.path(pattern).to_str().unwrap().to_owned()
    }

    /// The name of the newest file, below the directory.
    fn newest(&self, pattern: &str) -> Option<String> {
        let found = search::newest(&self.pattern(pattern), NAMES_MAX).newest?;
        Some(found.path.strip_prefix(self.0.path()).unwrap().to_str().unwrap().to_owned())
    }
}

#[test]
fn the_newest_file_that_matches_is_looked_at() {
    let backups = Backups::new();
    backups.write("app-1.dump", 1, 300);
    backups.write("app-2.dump", 2, 100);
    backups.write("app-3.dump", 3, 200);
    backups.write(".app-4.dump", 4, 0);
    backups.write("app-5.dump.part", 5, 0);
    backups.write("a/x/app.dump", 6, 50);
    backups.write("b/x/app.dump", 7, 40);
    backups.write("c/y/app.dump", 8, 30);
    fs::create_dir(backups.path("app-6.dump")).unwrap();
    symlink(backups.path("b/x/app.dump"), backups.path("latest")).unwrap();
    symlink(backups.path("nothing"), backups.path("app-7.dump")).unwrap();
    for (pattern, newest) in [
        ("app-*.dump", Some("app-2.dump")),
        ("app-[13].dump", Some("app-3.dump")),
        (".app-*", Some(".app-4.dump")),
        ("?/x/*.dump", Some("b/x/app.dump")),
        ("*/*/app.dump", Some("c/y/app.dump")),
        ("*/../app-1.dump", Some("a/../app-1.dump")),
        ("latest", Some("latest")),
        ("app-1.dump", Some("app-1.dump")),
        ("app-9.dump", None),
        ("app-1.dump/*", None),
        ("app-1.dump/x", None),
        ("a", None),
    ] {
        let found = backups.newest(pattern);
        // Any of the directories leads up again.
        let found = found
            .map(|found| if found.ends_with("../app-1.dump") { "a/../app-1.dump".into() } else { found });
        assert_eq!(found.as_deref(), newest, "{pattern}");
    }
    let linked = search::newest(&backups.pattern("latest"), NAMES_MAX);
    assert_eq!(linked.newest.unwrap().bytes, 7);
    let directory = search::newest(&backups.pattern("app-6.dump"), NAMES_MAX);
    assert!(directory.not_files && directory.trouble.is_none());
}

#[test]
fn a_directory_of_many_files_is_given_up_in_time() {
    let backups = Backups::new();
    (0..9).for_each(|at| backups.write(&format!("{at}"), 1, at));
    let found = search::newest(&backups.pattern("*"), 9);
    assert!(!found.cut_short);
    assert_eq!(found.newest.unwrap().path, backups.path("0"));
    let found = search::newest(&backups.pattern("x*"), 8);
    assert!(found.cut_short && found.newest.is_none());
}

#[test]
fn a_name_that_is_no_text_is_found() {
    use std::os::unix::ffi::OsStrExt;
    let backups = Backups::new();
    let path = backups.0.path().join(OsStr::from_bytes(b"app-\xff.dump"));
    fs::write(&path, "x").unwrap();
    let found = search::newest(&backups.pattern("app-?.dump"), NAMES_MAX);
    assert_eq!(found.newest.unwrap().path, path);
}

#[test]
fn what_was_found_is_listed_with_the_first_that_is_wrong_in_front() {
    let backups = Backups::new();
    backups.write("good", 100, 0);
    backups.write("small", 10, 0);
    backups.write("old", 100, 3_600);
    let ends = ["good", "missing", "old", "small", "good"];
    let min = band(Some(SizeBound::Percent(50)), None);
    let products: Vec<_> =
        ends.iter().map(|end| Product { pattern: backups.pattern(end), size: min }).collect();
    let started_at = Timestamp::from_millis(Timestamp::now().as_millis() - 60_000);
    let small = backups.pattern("small");
    let (produced, sentences) = look(&products, started_at, &|pattern| (pattern == small).then_some(100));
    let found: Vec<_> = produced.iter().map(|file| (file.path.file_name().unwrap(), file.bytes)).collect();
    let expected = [("old", 100), ("small", 10), ("good", 100), ("good", 100)];
    assert_eq!(found, expected.map(|(name, bytes)| (OsStr::new(name), bytes)));
    assert_eq!(produced[1].pattern, small);
    assert_eq!(sentences.len(), 3, "{sentences:?}");
    assert_eq!(sentences[0], format!("'{}' matches nothing", backups.pattern("missing")));
    assert!(sentences[1].starts_with("old was not written by this run (last written "), "{sentences:?}");
    assert_eq!(sentences[2], "small is 10 B, expected at least 50% of the last good 100 B");
}

/// Cargo runs tests in the directory of the package.
#[test]
fn a_relative_pattern_starts_at_the_working_directory() {
    let product = Product { pattern: "Cargo.t?ml".to_owned(), size: Band::ALL };
    let (produced, _) = look(&[product], Timestamp::now(), &|_| None);
    assert_eq!(produced[0].path, Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
}

fn bounds() -> impl Strategy<Value = Option<SizeBound>> {
    prop::option::of(prop_oneof![
        (0..5_000_u64).prop_map(SizeBound::Bytes),
        (0..500_u32).prop_map(SizeBound::Percent)
    ])
}

proptest! {
    #[test]
    fn a_size_is_wrong_if_it_lies_beyond_a_bound_that_is_known(
        min in bounds(), max in bounds(), bytes in 0..5_000_u64, last_good in prop::option::of(1..5_000_u64),
    ) {
        let limit = |bound: Option<SizeBound>| match bound? {
            SizeBound::Bytes(bytes) => Some(bytes as f64),
            SizeBound::Percent(percent) => Some(last_good? as f64 * f64::from(percent) / 100.0),
        };
        let below = limit(min).is_some_and(|min| (bytes as f64) < min);
        let above = limit(max).is_some_and(|max| bytes as f64 > max);
        let sentence = said(band(min, max), &file(bytes, 1), last_good);
        prop_assert_eq!(sentence.is_some(), below || above, "{:?}", sentence);
        if let Some((size, bound)) = sentence.as_ref().and_then(|sentence| sentence.split_once(", expected at ")) {
            let size = size.strip_prefix("app.dump is ").unwrap();
            prop_assert_ne!(size, bound.split_once(' ').unwrap().1, "{:?}", sentence);
        }
    }
}
