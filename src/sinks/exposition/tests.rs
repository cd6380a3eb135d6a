use std::sync::Arc;

use proptest::prelude::*;

use super::reader::{Family, names, parse, value};
use super::*;
use crate::clock::Timestamp;
use crate::job::{RunId, Signal, Tag};
use crate::notice::{Health, Standing};
use crate::outcome::{Ending, Report, RunEnd, Usage};
use crate::policy::{Judgement, Verdict};
use crate::sinks::sample;
use crate::turn::{AlertTurn, TurnCause, UnderWay};

/// The text where there is none before.
fn fresh(notice: &Notice) -> String {
    page(notice, &Before::default()).unwrap()
}

/// The text in the place of this one, which has just been written.
fn over(notice: &Notice, text: &str) -> String {
    page(notice, &Before { text, is_recent: true }).unwrap()
}

fn read(text: &str) -> Vec<Family> {
    parse(text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

fn history(notice: &Notice) -> History {
    notice.news.finished().unwrap().history.clone().unwrap()
}

/// The end of a run of this outcome after this history.
fn next(before: &History, outcome: Outcome) -> Notice {
    sample::ended(sample::job("x"), before, sample::run(outcome, 0, None)).remove(0)
}

/// The same without a history that can be read.
fn blind(outcome: Outcome) -> Notice {
    let mut notice = next(&History::default(), outcome);
    if let News::Finished(finished) = &mut notice.news {
        Arc::make_mut(finished).history = None;
    }
    notice
}

fn standing(alert_is_open: bool) -> Notice {
    let (health, sentence) = (Health::Critical, "late".to_owned());
    let standing = Standing { success_age: None, alert_is_open, health, sentence };
    Notice::standing(Arc::new(sample::job("x")), sample::ENDED_AT, standing)
}

/// The value of a family of job `x` that has one alone, or one of this outcome.
fn of(text: &str, name: &str, outcome: Option<&str>) -> Option<f64> {
    let mut labels = vec![("task", "x")];
    labels.extend(outcome.map(|outcome| ("outcome", outcome)));
    value(&read(text), &format!("cronward_{name}"), &labels)
}

fn tags(words: &[&str]) -> Vec<Tag> {
    words.iter().filter_map(|word| Tag::parse(word)).collect()
}

#[test]
fn a_failed_run_is_written_in_base_units() {
    let mut job = sample::job("nightly dump");
    job.tags = tags(&["env:prod", "canary"]);
    let text = fresh(&sample::failed(job)[0]);
    let labels = r#"env="prod",canary="true""#;
    let task = format!(r#"{{task="nightly dump",{labels}}}"#);
    for (line, family) in [
        (format!("cronward_last_run_timestamp_seconds{task} 1700000000"), "gauge"),
        (format!(r#"cronward_last_run_outcome{{task="nightly dump",outcome="ok",{labels}}} 0"#), "gauge"),
        (format!(r#"cronward_last_run_outcome{{task="nightly dump",outcome="failed",{labels}}} 1"#), "gauge"),
        (format!("cronward_history_readable{task} 1"), "gauge"),
        (format!("cronward_last_run_duration_seconds{task} 0.01275"), "gauge"),
        (format!("cronward_last_run_exit_code{task} 3"), "gauge"),
        (format!("cronward_last_run_cpu_user_seconds{task} 0.0085"), "gauge"),
        (format!("cronward_last_run_cpu_system_seconds{task} 0"), "gauge"),
        (format!("cronward_last_run_max_rss_bytes{task} 1048576"), "gauge"),
        (format!(r#"cronward_runs_total{{task="nightly dump",outcome="failed",{labels}}} 1"#), "counter"),
        (format!(r#"cronward_runs_total{{task="nightly dump",outcome="skipped",{labels}}} 0"#), "counter"),
        (format!("cronward_consecutive_failures{task} 1"), "gauge"),
        (format!("cronward_alert_open{task} 1"), "gauge"),
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}\n{text}");
        let name = line.split('{').next().unwrap();
        assert_eq!(read(&text).iter().find(|found| found.name == name).unwrap().kind, family, "{name}");
    }
    let samples: usize = read(&text).iter().map(|family| family.samples.len()).sum();
    assert_eq!((names(&read(&text)).len(), samples), (11, 9 + 2 * Outcome::ALL.len()), "{text}");
}

#[test]
fn what_does_not_apply_to_a_run_is_not_there() {
    let killed = RunEnd::Ended(Ending::Killed { signal: Signal::KILL, core_dumped: false });
    let skipped = RunEnd::Skipped { exit_status: 75, reason: String::new() };
    for (end, usage, code, signal, rss) in [
        (RunEnd::Ended(Ending::Exited(0)), Some(Usage::default()), Some(0.0), None, Some(0.0)),
        (killed, Some(Usage::default()), None, Some(9.0), Some(0.0)),
        (skipped, None, None, None, None),
    ] {
        let run = Run { end, usage, wall_time: None, ..sample::run(Outcome::Ok, 0, None) };
        let text = fresh(&sample::ended(sample::job("x"), &History::default(), run)[0]);
        let found = ["last_run_exit_code", "last_run_signal", "last_run_max_rss_bytes"];
        assert_eq!(found.map(|name| of(&text, name, None)), [code, signal, rss], "{text}");
        assert_eq!(of(&text, "last_run_duration_seconds", None), None);
        // The text before it is no reason for them to stay.
        let before = fresh(&sample::failed(sample::job("x"))[0]);
        assert_eq!(of(&over(&blind(Outcome::Skipped), &before), "last_run_signal", None), None);
    }
}

#[test]
fn tags_become_labels_with_names_of_their_own() {
    for (words, labels) in [
        (&["env:prod", "canary"][..], &[("env", "prod"), ("canary", "true")][..]),
        (&["task:a", "outcome:b", "name:c"], &[("tag_task", "a"), ("tag_outcome", "b"), ("tag_name", "c")]),
        (&["job:a", "instance:b", "le:c"], &[("tag_job", "a"), ("tag_instance", "b"), ("tag_le", "c")]),
        (&["__name__:a", "-_x:b"], &[("tag___name__", "a"), ("tag___x", "b")]),
        (
            &["a-b:1", "a.b:2", "a_b_2:3", "a b:4"],
            &[("a_b", "1"), ("a_b_2", "2"), ("a_b_2_2", "3"), ("a_b_3", "4")],
        ),
        (&["tag_task:1", "task:2"], &[("tag_task", "1"), ("tag_task_2", "2")]),
        (&["1st:a", "é:b", "a:b:c"], &[("_1st", "a"), ("tag__", "b"), ("a", "b:c")]),
        (&["é", "ö", "__"], &[("tag__", "true"), ("tag___2", "true"), ("tag___", "true")]),
        // To Prometheus an empty label is none.
        (&["branch:"], &[]),
    ] {
        let expected: Vec<_> =
            labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(tag_labels(tags(words).iter()), expected, "{words:?}");
    }
}

#[test]
fn a_namespace_becomes_the_front_of_a_name() {
    for (namespace, expected) in
        [("cronward", "cronward"), ("a.db1-x.é", "a_db1_x__"), ("9a", "_9a"), ("a:b", "a:b"), ("", "_")]
    {
        assert_eq!(prefix(namespace), expected);
    }
    let mut job = sample::job("x");
    job.namespace = "ops.db1".into();
    assert!(names(&read(&fresh(&sample::failed(job)[0]))).contains("ops_db1_alert_open"));
}

#[test]
fn values_in_quotes_are_escaped() {
    for (value, expected) in
        [("plain é", "plain é"), ("a\\n\"b\"\n", r#"a\\n\"b\"\n"#), ("\0\r\t", "\u{fffd}\r\t")]
    {
        assert_eq!(escaped(value), expected);
    }
}

/// Of two files that differ in them the exporter drops series.
#[test]
fn help_and_type_are_the_same_in_every_text_and_no_name_ends_in_another() {
    let mut job = sample::job("é \"x\"");
    job.tags = tags(&["a:b"]);
    let killed = RunEnd::Ended(Ending::Killed { signal: Signal::KILL, core_dumped: false });
    let run = Run { end: killed, ..sample::run(Outcome::Signaled, 0, None) };
    let texts = [
        fresh(&sample::failed(sample::job("x"))[0]),
        fresh(&sample::ended(job, &History::default(), run)[0]),
        fresh(&sample::reported(sample::job("y"), &[("rows", 1.0)], &["db:shop"])[0]),
        fresh(&standing(true)),
        fresh(&Notice::alive(Arc::new(sample::job("x")), sample::ENDED_AT)),
    ];
    let mut all: Vec<(String, String, String)> = texts
        .iter()
        .flat_map(|text| read(text))
        .map(|family| (family.name, family.kind, family.help))
        .collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 16, "{all:#?}");
    for (name, ..) in &all {
        let short = name.strip_prefix("cronward_").unwrap();
        assert!(
            all.iter().all(|(other, ..)| other == name || !other.ends_with(&format!("_{short}"))),
            "{name}"
        );
    }
}

#[test]
fn what_a_run_reports_is_told_of_it_and_its_tags_of_one_family_alone() {
    let mut job = sample::job("x");
    job.tags = tags(&["env:prod", "db:shop"]);
    let values = [("rows", 1000.0), ("db.drift", -2.5), ("big", 1e21), ("none", f64::NAN)];
    let text = fresh(&sample::reported(job, &values, &["version:1.2", "env:canary"])[0]);
    let families = read(&text);
    let custom = |name| value(&families, "cronward_last_run_custom", &[("name", name), ("env", "prod")]);
    assert_eq!(["rows", "db.drift", "big", "none"].map(custom), [Some(1e3), Some(-2.5), Some(1e21), None]);
    for sample in families.iter().flat_map(|family| &family.samples) {
        assert_eq!(sample.labels["db"], "shop");
    }
    let with_tags = families.iter().filter(|family| family.samples[0].labels.contains_key("version"));
    assert_eq!(with_tags.map(|family| &family.name[..]).collect::<Vec<_>>(), ["cronward_last_run_info"]);
    assert_eq!(
        value(&families, "cronward_last_run_info", &[("version", "1.2"), ("env", "canary")]),
        Some(1.0)
    );
}

#[test]
fn a_history_that_cannot_be_read_leaves_the_counters_as_they_were() {
    let mut before = history(&next(&History::default(), Outcome::Ok));
    before.totals[0] = 41;
    let text = fresh(&next(&before, Outcome::Ok));
    let after = over(&blind(Outcome::Failed), &text);
    assert_eq!(of(&after, "runs_total", Some("ok")), Some(42.0));
    assert_eq!(of(&after, "consecutive_failures", None), Some(0.0));
    let unread = ["history_readable", "last_run_exit_code"].map(|name| of(&after, name, None));
    assert_eq!(unread, [Some(0.0), Some(0.0)]);
    assert_eq!(of(&after, "last_run_outcome", Some("failed")), Some(1.0));
    // With nothing before it there are none.
    assert_eq!(of(&fresh(&blind(Outcome::Failed)), "runs_total", Some("ok")), None);
    // And they go on from there.
    let next = over(&next(&history(&next(&before, Outcome::Ok)), Outcome::Failed), &after);
    assert_eq!(of(&next, "runs_total", Some("failed")), Some(1.0));
    assert_eq!(of(&next, "history_readable", None), Some(1.0));
}

#[test]
fn a_run_that_is_late_takes_nothing_from_one_that_was_counted_after_it() {
    let first = next(&History::default(), Outcome::Failed);
    let second = next(&history(&first), Outcome::Ok);
    let newest = over(&second, "");
    assert_eq!(over(&first, &newest), newest);
    assert_eq!(over(&second, &over(&first, "")), newest);
    // What is old gives way, and only the counters do not go back.
    let restored = page(&first, &Before { text: &newest, is_recent: false }).unwrap();
    assert_eq!(of(&restored, "alert_open", None), Some(1.0));
    assert_eq!(of(&restored, "last_run_outcome", Some("failed")), Some(1.0));
    assert_eq!(of(&restored, "runs_total", Some("ok")), Some(1.0));
}

/// A run that could not be put on record is in the text and not in the history of the next one.
#[test]
fn counters_go_back_only_with_a_new_record() {
    let first = next(&History::default(), Outcome::Ok);
    let uncounted = next(&history(&first), Outcome::Failed);
    let counted = next(&history(&first), Outcome::Ok);
    let text = over(&counted, &over(&uncounted, &fresh(&first)));
    assert_eq!(
        ["ok", "failed"].map(|outcome| of(&text, "runs_total", Some(outcome))),
        [Some(2.0), Some(1.0)]
    );
    assert_eq!(of(&text, "last_run_outcome", Some("ok")), Some(1.0));

    let forgotten = History { since: Some(Timestamp::from_millis(1_700_000_000_001)), ..History::default() };
    let text = over(&next(&forgotten, Outcome::Failed), &text);
    assert_eq!(
        ["ok", "failed"].map(|outcome| of(&text, "runs_total", Some(outcome))),
        [Some(0.0), Some(1.0)]
    );
    // Of another record, fewer runs are not older ones.
    assert_eq!(
        (of(&text, "alert_open", None), of(&text, "last_run_outcome", Some("ok"))),
        (Some(1.0), Some(0.0))
    );
}

#[test]
fn an_alert_that_no_run_has_turned_is_put_into_what_is_there() {
    let healthy = fresh(&next(&History::default(), Outcome::Ok));
    let job = Arc::new(sample::job("x"));
    let under_way = UnderWay { id: RunId::new(), pid: 1, started_at: sample::ENDED_AT };
    let noticed = |verdict| {
        let alert = sample::failing_history().alert;
        let judgement = Judgement { history: History::default(), verdict, alert };
        let cause = TurnCause::Noticed("late".into(), Some(under_way));
        Notice::turned(&job, &AlertTurn::of(&judgement, cause, sample::ENDED_AT).unwrap())
    };
    let failing = healthy.replace("alert_open{task=\"x\"} 0", "alert_open{task=\"x\"} 1");
    assert_ne!(failing, healthy);
    for (notice, text) in [
        (standing(true), &failing),
        (noticed(Verdict::Opened), &failing),
        (noticed(Verdict::Repeat), &failing),
        (noticed(Verdict::Closed), &healthy),
        (standing(false), &healthy),
    ] {
        assert_eq!(over(&notice, &healthy), *text);
        assert_eq!(over(&notice, &failing), *text);
    }
    // Also where there is nothing, as before the end of a first run that hangs.
    let alone = fresh(&standing(true));
    assert_eq!((of(&alone, "alert_open", None), names(&read(&alone)).len()), (Some(1.0), 1));
    assert_eq!(over(&next(&History::default(), Outcome::Ok), &alone), healthy);
}

#[test]
fn what_a_run_has_turned_is_told_by_its_end_and_a_start_is_not_told() {
    let [ended, opened] = &sample::failed(sample::job("x"))[..] else { panic!("two notices") };
    assert!(page(ended, &Before::default()).is_some());
    for silent in [opened, &sample::started(sample::job("x"))] {
        assert_eq!(page(silent, &Before::default()), None);
    }
}

#[test]
fn a_check_says_when_it_was() {
    let mut facts = sample::job("cronward");
    facts.tags = tags(&["env:prod"]);
    let text = fresh(&Notice::alive(Arc::new(facts), Timestamp::from_millis(1_700_000_000_250)));
    assert!(text.ends_with("\ncronward_check_timestamp_seconds{env=\"prod\"} 1700000000.25\n"), "{text}");
    assert!(!text.contains("task="), "{text}");
}

#[test]
fn what_stands_there_and_is_none_of_ours_goes() {
    let notice = next(&History::default(), Outcome::Ok);
    for text in ["x 1", "# cronward: counts", "\n# cronward: standing, record 1, runs", "é\n\n"] {
        let after = over(&notice, text);
        assert_eq!(after, fresh(&notice), "{text:?}");
    }
}

fn any_tags() -> impl Strategy<Value = Vec<Tag>> {
    let tag = (sample::hostile(), proptest::option::of(sample::hostile()));
    proptest::collection::vec(tag.prop_map(|(key, value)| Tag { key, value }), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn hostile_words_forge_nothing(
        label in sample::hostile(), namespace in sample::hostile(), words in any_tags(),
        report in sample::hostile_report(), reason in sample::hostile(),
    ) {
        let mut report: Report = report;
        report.values.retain(|(_, value)| value.is_finite());
        report.values.sort_by(|one, other| one.0.cmp(&other.0));
        report.values.dedup_by(|one, other| escaped(&one.0) == escaped(&other.0));
        let (values, reported) = (report.values.len(), report.tags.len());
        let mut job = sample::job(&label);
        job.namespace = namespace;
        job.tags = words;
        let run = Run { report, ..sample::run(Outcome::Failed, 3, Some(&reason)) };
        let notice = &sample::ended(job, &History::default(), run)[0];
        let text = fresh(notice);
        let families = read(&text);
        prop_assert_eq!(families.len(), 11 + usize::from(values > 0) + usize::from(reported > 0));
        let samples: usize = families.iter().map(|family| family.samples.len()).sum();
        prop_assert_eq!(samples, 9 + 2 * Outcome::ALL.len() + values + usize::from(reported > 0));
        for sample in families.iter().flat_map(|family| &family.samples) {
            prop_assert_eq!(&sample.labels["task"], &label.replace('\0', "\u{fffd}"));
        }
        prop_assert_eq!(&over(notice, &text), &text);
    }

    /// In whatever order texts of one record are written.
    #[test]
    fn counters_never_go_back(
        runs in proptest::collection::vec((0..Outcome::ALL.len(), 0..9_usize, any::<bool>()), 1..20),
    ) {
        let mut notices = vec![next(&History::default(), Outcome::Ok)];
        for (outcome, back, is_blind) in &runs {
            let before = notices[notices.len().saturating_sub(1 + back)].clone();
            let outcome = Outcome::ALL[*outcome];
            notices.push(if *is_blind { before } else { next(&history(&before), outcome) });
        }
        let mut text = String::new();
        let mut before = vec![0.0; Outcome::ALL.len()];
        for (at, notice) in notices.iter().enumerate() {
            text = over(notice, &text);
            if at % 3 == 0 {
                text = over(&blind(Outcome::Failed), &text);
            }
            let families = read(&text);
            let counts = families.iter().find(|family| family.kind == "counter");
            let now: Vec<f64> = counts.into_iter().flat_map(|f| &f.samples).map(|s| s.value).collect();
            prop_assert_eq!(now.len(), before.len());
            prop_assert!(now.iter().zip(&before).all(|(now, before)| now >= before), "{:?} {:?}", before, now);
            before = now;
        }
    }
}
