//! What a file says, by tables.

use super::*;
use crate::config::toml;

fn said(text: &str, label: Option<&str>) -> Said {
    super::read(&toml::read(text).unwrap(), label)
}

/// The sections that fit, nearest first, each as `KEY=TEXT@LINE`.
fn sections(text: &str, label: Option<&str>) -> Vec<Vec<String>> {
    let said = said(text, label);
    assert_eq!(said.problems, [], "{text}");
    let shown = |entry: &Entry| format!("{}={}@{}", entry.setting.row().long, entry.text, entry.line);
    said.sections.iter().map(|section| section.iter().map(shown).collect()).collect()
}

/// The one problem of a file that speaks to the job `x`: its line and what.
fn problem(text: &str) -> (usize, String) {
    let mut problems = said(text, Some("x")).problems;
    assert_eq!(problems.len(), 1, "{text} {problems:?}");
    problems.swap_remove(0)
}

#[test]
fn later_patterns_lie_over_earlier_ones_and_all_over_the_defaults() {
    let text = "[job.\"pg-*\"]\nowner = 'a'\n[job.other]\nowner = 'b'\n[defaults]\nowner = 'c'\n\
                [job.\"*-backup\"]\nowner = 'd'\n[job.pg-backup]\nowner = 'e'";
    assert_eq!(
        sections(text, Some("pg-backup")),
        [["owner=e@10"], ["owner=d@8"], ["owner=a@2"], ["owner=c@6"]]
    );
    assert_eq!(sections(text, Some("x")), [["owner=c@6"]]);
    assert_eq!(sections(text, None), [["owner=c@6"]]);
    assert_eq!(sections("", Some("x")), [[""; 0]]);
    // However it is written.
    assert_eq!(
        sections("job.'x'.owner = 'a'\ndefaults = { owner = 'b' }", Some("x")),
        [["owner=a@1"], ["owner=b@2"]]
    );
}

#[test]
fn values_are_handed_on_as_the_text_of_the_option() {
    for (line, expected) in [
        ("lock = true", &["lock=1@2"][..]),
        ("lock = false", &["lock=0@2"]),
        ("timeout = '5m'", &["timeout=5m@2"]),
        ("timeout = 90", &["timeout=90@2"]),
        ("lock-exit = 75", &["lock-exit=75@2"]),
        ("lock-exit = -1", &["lock-exit=-1@2"]),
        ("lock-exit = '75'", &["lock-exit=75@2"]),
        ("alert-after = 5", &["alert-after=5@2"]),
        ("alert-after = '5/1h'", &["alert-after=5/1h@2"]),
        ("recover-after = 0x10", &["recover-after=16@2"]),
        ("ok-codes = 24", &["ok-codes=24@2"]),
        ("owner = ''", &["owner=@2"]),
        ("sink = 'none'", &["sink=none@2"]),
        ("sink = ['a:', '+b:x y']", &["sink=a:@2", "sink=+b:x y@2"]),
        ("sink = [\n'a:',\n\n'b:']", &["sink=a:@3", "sink=b:@5"]),
        ("expect = ['5m..', 'rows=1..']", &["expect=5m..@2", "expect=rows=1..@2"]),
        ("tag = 'a:b'", &["tag=a:b@2"]),
        ("tag = ['a:b', 'c']", &["tag=a:b@2", "tag=c@2"]),
        (
            "tag = { env = 'prod', shard = 3, ssd = true }",
            &["tag=env:prod@2", "tag=shard:3@2", "tag=ssd:true@2"],
        ),
        ("tag.env = 'prod'\ntag.'a b' = 'c:d'", &["tag=env:prod@2", "tag=a b:c:d@3"]),
        ("[defaults.tag]\nenv = 'prod'", &["tag=env:prod@3"]),
        ("tag = []\nexpect = []", &[]),
    ] {
        assert_eq!(sections(&format!("[defaults]\n{line}"), None), [expected], "{line}");
    }
}

#[test]
fn names_that_are_none_are_reported_wherever_they_stand() {
    const SECTIONS: &str = "sections are '[defaults]' and '[job.\"PATTERN\"]'";
    for (text, line, what) in [
        ("[default]\nx = 1", 1, &format!("unknown section 'default', nearest is 'defaults'; {SECTIONS}")[..]),
        ("\n[jobs.x]", 2, &format!("unknown section 'jobs', nearest is 'job'; {SECTIONS}")),
        ("[qqq]", 1, &format!("unknown section 'qqq'; {SECTIONS}")),
        ("[[job]]", 1, &format!("'job' is an array of tables; {SECTIONS}")),
        ("defaults = 1", 1, &format!("'defaults' is an integer; {SECTIONS}")),
        ("lock = true", 1, "'lock' stands outside of a section; write '[defaults]' above it"),
        ("[job]\nlock = true", 2, "'lock' stands in no section; write '[job.\"PATTERN\"]' above it"),
        ("[defaults]\nlcok = true", 2, "unknown key 'lcok', nearest is 'lock'"),
        ("[defaults]\nlock_wait = '1s'", 2, "unknown key 'lock_wait', nearest is 'lock-wait'"),
        ("[defaults]\n\n'' = 1", 3, "unknown key ''; keys are the long options of 'cronward --help'"),
        ("[job.other]\nlcok = true", 2, "unknown key 'lcok', nearest is 'lock'"),
        ("[job.db1.x]\nlock = true", 1, "unknown section 'x'; write a pattern with a dot in quotes"),
        (
            "[job.'[a']",
            1,
            "bad pattern '[a' of a section: a '[' is not closed; write '[[]' for the character",
        ),
        ("[job.'']", 1, "bad pattern '' of a section: it is empty; write '*' for all labels"),
        (
            "[job.'[a']\nlcok = 1\n",
            1,
            "bad pattern '[a' of a section: a '[' is not closed; write '[[]' for the character",
        ),
        (
            "[defaults]\nlabel = 'x'",
            2,
            "'label' cannot stand in a file; type '--label' or set CRONWARD_LABEL",
        ),
        ("[job.y]\ncommand = 'x'", 2, "'command' cannot stand in a file; type '--command'"),
        ("[defaults]\ndry-run = true", 2, "'dry-run' cannot stand in a file; type '--dry-run'"),
        (
            "[defaults]\nconfig = '/x'",
            2,
            "'config' cannot stand in a file; type '--config' or set CRONWARD_CONFIG",
        ),
        (
            "[defaults]\nno-config = true",
            2,
            "'no-config' cannot stand in a file; type '--no-config' or set CRONWARD_NO_CONFIG",
        ),
    ] {
        let mut problems = said(text, Some("x")).problems;
        problems.truncate(1);
        assert_eq!(problems, [(line, what.to_owned())], "{text}");
    }
}

#[test]
fn values_of_another_type_are_reported_only_where_they_concern_the_run() {
    for (line, what) in [
        ("lock = 'yes'", "'lock' is a string; write true or false"),
        ("lock = 1", "'lock' is an integer; write true or false"),
        ("timeout = true", "'timeout' is a boolean; write a string"),
        ("timeout = 1.5", "'timeout' is a float; write a string"),
        ("timeout = 07:32:00", "'timeout' is a date or time; write a string"),
        ("lock-exit = [75]", "'lock-exit' is an array; write a number"),
        ("owner = 5", "'owner' is an integer; write a string"),
        ("lock = {}", "'lock' is a table; write true or false"),
        ("sink = { kind = 'x' }", "'sink' is a table; write a string or an array of strings"),
        ("sink = []", "'sink' is empty; write '\"none\"' for nowhere"),
        ("sink = ['a:', 1]", "an integer stands in 'sink'; write strings"),
        ("tag = 3", "'tag' is an integer; write a table, a string or an array of strings"),
        ("tag = [['a']]", "an array stands in 'tag'; write strings"),
        ("tag = { a = 1.5 }", "the tag 'a' is a float; write a string"),
        ("tag = { a = { b = 'c' } }", "the tag 'a' is a table; write a string"),
        ("tag = { 'a:b' = 'c' }", "bad key 'a:b' of a tag: it ends at the first ':' or '='"),
        ("owner = \"a\\u0000\"", "'owner' holds a NUL character; leave it out"),
    ] {
        assert_eq!(problem(&format!("[defaults]\n{line}")), (2, what.to_owned()));
        assert_eq!(problem(&format!("\n[job.x]\n{line}")), (3, what.to_owned()));
        assert_eq!(said(&format!("[job.y]\n{line}"), Some("x")).problems, [], "{line}");
    }
    // The rest of a list counts.
    let said = said("[defaults]\nsink = ['a:', 1, 'b:']", None);
    assert_eq!(said.sections[0].len(), 2);
}

#[test]
fn nothing_is_said_without_end() {
    let keys: String = (0..100).map(|number| format!("lock-{number} = 1\n")).collect();
    let problems = said(&format!("[defaults]\n{keys}"), None).problems;
    assert_eq!(problems.len(), 21);
    assert_eq!(problems[20], (0, "100 problems, of which 20 are named".to_owned()));
    let tags: String = (0..1000).map(|number| format!("'t{number}', ")).collect();
    let said = said(&format!("[defaults]\ntag = [{tags}]"), None);
    assert_eq!(said.sections[0].len(), 256);
    assert_eq!(said.problems[0], (2, "'tag' has more than 256 values; the rest is left out".to_owned()));
}
