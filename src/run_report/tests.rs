//! What reports say, by tables; and what is read as one.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use proptest::prelude::*;

use super::*;

fn report(values: &[(&str, f64)], tags: &[&str]) -> Report {
    Report {
        values: values.iter().map(|&(name, value)| (name.to_owned(), value)).collect(),
        tags: tags.iter().filter_map(|tag| Tag::parse(tag)).collect(),
    }
}

#[test]
fn lines_are_values_and_tags() {
    for (text, values, tags) in [
        ("", &[][..], &[][..]),
        ("rows=1000\n", &[("rows", 1000.0)], &[]),
        ("rows=1000", &[("rows", 1000.0)], &[]),
        ("rows = 12\r\n\r\n  \nratio=\t-0.5e-3\r\n", &[("rows", 12.0), ("ratio", -0.0005)], &[]),
        ("a.b-c_D9=+.5\nx=5.\n", &[("a.b-c_D9", 0.5), ("x", 5.0)], &[]),
        ("tag:db=app\ntag:zone:a\ntag: full\n", &[], &["db:app", "zone:a", "full"]),
        ("tag:url=http://x:1/?a=b\n", &[], &["url=http://x:1/?a=b"]),
        // The last one counts, where the first one stood.
        ("a=1\nb=2\na=3\n", &[("a", 3.0), ("b", 2.0)], &[]),
        ("tag:a=1\ntag:b\ntag:a:3\n", &[], &["a:3", "b"]),
        ("tag=1\n", &[("tag", 1.0)], &[]),
    ] {
        assert_eq!(parse(text.as_bytes()), (report(values, tags), Vec::new()), "{text:?}");
    }
}

#[test]
fn bad_lines_are_named_one_by_one_and_the_others_count() {
    let text = b"rows\nx=1\n\nrows=\nrows=many\na b=1\nn=NaN\nn=-inf\nn=1e999\nn=1,5\ntag:\ntag:=x\n=5\nb\xff=1\ny=2\n\
                 e\x1b[2J=1\nv=\x07\nx=9 9\na..b=1\n";
    let (read, complaints) = parse(text);
    assert_eq!(read, report(&[("x", 1.0), ("y", 2.0)], &[]));
    const NAME: &str = "is no name; write letters, digits, '_', '-' and '.' between";
    const KEY: &str = "a tag needs a key; write 'tag:KEY=VALUE'";
    let expected = [
        (1, "'rows' has no number"),
        (4, "'rows' has no number"),
        (5, "'many' of 'rows' is no number"),
        (6, &format!("'a b' {NAME}")),
        (7, "'NaN' of 'n' is no number"),
        (8, "'-inf' of 'n' is no number"),
        (9, "'1e999' of 'n' is no number"),
        (10, "'1,5' of 'n' is no number"),
        (11, KEY),
        (12, KEY),
        (13, &format!("'' {NAME}")),
        (14, "it is not UTF-8"),
        (16, &format!("'e\u{fffd}[2J' {NAME}")),
        (17, "'\u{fffd}' of 'v' is no number"),
        (18, "'9 9' of 'x' is no number"),
        (19, &format!("'a..b' {NAME}")),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(line, why)| format!("line {line} of the run report: {why}")).collect();
    assert_eq!(complaints, expected);
    let (_, complaints) = parse(format!("{}=1", "é".repeat(41)).as_bytes());
    assert_eq!(complaints, [format!("line 1 of the run report: '{}…' {NAME}", "é".repeat(40))]);
}

#[test]
fn what_lies_within_the_bounds_counts() {
    let numbered = |count: usize| (0..count).map(|at| format!("n{at}=1\n\n")).collect::<String>();
    let (read, complaints) = parse(numbered(64).as_bytes());
    assert_eq!((read.values.len(), complaints), (64, Vec::new()));
    let (read, complaints) = parse(numbered(65).as_bytes());
    assert_eq!(read.values.len(), 64);
    assert_eq!(complaints, ["the run report has more than 64 lines; the rest does not count"]);

    let blank = |size: usize| format!("a=1\n{}b=2", "\n".repeat(size - 7));
    let (read, complaints) = parse(blank(BYTES_MAX).as_bytes());
    assert_eq!((read.values.len(), complaints), (2, Vec::new()));
    // A number that is cut would be another number.
    let cut = format!("{}23", blank(BYTES_MAX));
    let (read, complaints) = parse(cut.as_bytes());
    assert_eq!(read, report(&[("a", 1.0)], &[]));
    assert_eq!(complaints, ["the run report has more than 64 KiB; the rest does not count"]);
    let (read, complaints) = parse(&b"1".repeat(BYTES_MAX + 1));
    assert_eq!((read, complaints.len()), (Report::default(), 1));
}

#[test]
fn only_a_regular_file_of_ones_own_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    assert_eq!(read(&path("absent")), None);
    fs::write(path("report"), "rows=5\nbad\n").unwrap();
    let (found, complaints) = read(&path("report")).unwrap();
    assert_eq!((found, complaints.len()), (report(&[("rows", 5.0)], &[]), 1));

    symlink(path("report"), path("link")).unwrap();
    mkfifo(&path("fifo"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    for (name, why) in [
        ("link", "it is a symbolic link"),
        ("fifo", "it is not a regular file"),
        (".", "it is not a regular file"),
        ("report/x", "not a directory"),
    ] {
        let complaint = format!("the run report is not read: {why}");
        assert_eq!(read(&path(name)), Some((Report::default(), vec![complaint])), "{name}");
    }
}

#[test]
fn no_more_is_read_than_counts() {
    let file = tempfile::tempfile().unwrap();
    // A hole of a terabyte.
    file.set_len(1 << 40).unwrap();
    let (found, complaints) = read_open(&file);
    assert_eq!(found, Report::default());
    assert!(complaints.last().unwrap().contains("64 KiB"), "{complaints:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_within_the_bounds(
        text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "((tag:)?[ab.]{0,2}[=:]?[-0-9.eE]{0,4}\r?\n){0,90}".prop_map(String::into_bytes),
        ],
    ) {
        let (report, complaints) = parse(&text);
        prop_assert!(report.values.len() + report.tags.len() <= LINES_MAX);
        prop_assert!(complaints.len() <= LINES_MAX + 1);
        for (at, (name, value)) in report.values.iter().enumerate() {
            prop_assert!(Report::is_name(name) && value.is_finite());
            prop_assert!(report.values[..at].iter().all(|(other, _)| other != name));
        }
        for (at, tag) in report.tags.iter().enumerate() {
            prop_assert!(!tag.key.is_empty());
            prop_assert!(report.tags[..at].iter().all(|other| other.key != tag.key));
        }
        prop_assert!(complaints.iter().all(|complaint| !complaint.chars().any(char::is_control)));
    }

    #[test]
    fn a_value_is_read_as_the_number_that_was_printed(value in any::<f64>(), exponent in any::<bool>()) {
        prop_assume!(value.is_finite());
        let text = if exponent { format!("x={value:e}\n") } else { format!("x={value}\n") };
        prop_assert_eq!(parse(text.as_bytes()), (report(&[("x", value)], &[]), Vec::new()));
    }
}
