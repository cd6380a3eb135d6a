use proptest::prelude::*;

use super::*;
use crate::job::Tag;
use crate::outcome::{Outcome, Run};
use crate::plan::JobFacts;
use crate::policy::History;
use crate::sinks::grammar::{self, Item};
use crate::sinks::sample;

fn lines(notice: &Notice) -> Vec<String> {
    let mut packed = Packed::new(1432);
    pack(notice, &mut packed);
    packed.datagrams.iter().flat_map(|datagram| datagram.split('\n')).map(str::to_owned).collect()
}

fn opened(target: &str) -> Result<String, String> {
    sample::opening(target, |opening| open(opening).map(|sink| sink.name().to_owned()))
}

#[test]
fn a_failed_run_is_written_in_plain_lines() {
    let notice = &sample::failed(sample::job("nightly.pg dump"))[0];
    assert_eq!(
        lines(notice),
        [
            "cronward.nightly_pg_dump.run.duration:12.75|ms",
            "cronward.nightly_pg_dump.run.exit_code:3|g",
            "cronward.nightly_pg_dump.run.count.failed:1|c",
            "cronward.nightly_pg_dump.run.cpu_user:8.5|ms",
            "cronward.nightly_pg_dump.run.cpu_system:0|ms",
            "cronward.nightly_pg_dump.run.max_rss:1048576|g",
            "cronward.nightly_pg_dump.job.consecutive_failures:1|g",
            "cronward.nightly_pg_dump.job.alert_open:1|g",
        ]
    );
}

/// Etsy's server adds a gauge with a sign to the one before it (statsd docs/metric_types.md).
#[test]
fn what_a_job_reports_is_a_gauge_of_its_own_and_a_negative_one_is_counted_from_zero() {
    let values = [("rows", 1000.0), ("db.drift", -2.5), ("share", 0.000_4), ("big", 1e21)];
    let notice = &sample::reported(sample::job("x"), &values, &["env:prod"])[0];
    let lines = lines(notice);
    assert_eq!(
        lines[lines.len() - 5..],
        [
            "cronward.x.run.custom.rows:1000|g",
            "cronward.x.run.custom.db.drift:0|g",
            "cronward.x.run.custom.db.drift:-2.5|g",
            "cronward.x.run.custom.share:0.0004|g",
            "cronward.x.run.custom.big:1000000000000000000000|g",
        ]
    );
    assert!(lines.iter().all(|line| !line.contains("prod")), "{lines:#?}");
}

#[test]
fn targets_and_options_are_read_strictly() {
    assert_eq!(opened("").as_deref(), Ok("statsd:127.0.0.1:8125"));
    for tags in ["none", "influx", "graphite"] {
        assert_eq!(opened(&format!("h:1?tags={tags}")).as_deref(), Ok("statsd:h:1"));
    }
    for bad in ["h:x", "h?tags=", "h?tags=librato", "h?events=all", "h?", "/a.sock"] {
        assert!(opened(bad).is_err(), "{bad}");
    }
}

fn tagged_lines(notice: &Notice, style: Style) -> Vec<String> {
    let mut packed = Packed::new(1432);
    pack_tagged(notice, style, 1432, &mut packed);
    packed.datagrams.iter().flat_map(|datagram| datagram.split('\n')).map(str::to_owned).collect()
}

fn tagged_job() -> JobFacts {
    let mut job = sample::job("nightly.pg dump");
    job.tags = ["env:prod", "canary", "url:a=b,c;d e|f", "TASK x:y", "task:forged", "exit code:0"]
        .iter()
        .filter_map(|tag| Tag::parse(tag))
        .collect();
    job
}

#[test]
fn a_failed_run_with_the_tags_of_telegraf() {
    let tags = "env=prod,canary=true,url=a_b_c_d_e_f,TASK_x=y";
    assert_eq!(
        tagged_lines(&sample::failed(tagged_job())[0], Style::Influx),
        [
            format!("cronward.run.duration,task=nightly.pg_dump,outcome=failed,{tags}:12.75|ms"),
            format!("cronward.run.exit_code,task=nightly.pg_dump,outcome=failed,{tags}:3|g"),
            format!("cronward.run.count,task=nightly.pg_dump,outcome=failed,exit_code=3,{tags}:1|c"),
            format!("cronward.run.cpu_user,task=nightly.pg_dump,outcome=failed,{tags}:8.5|ms"),
            format!("cronward.run.cpu_system,task=nightly.pg_dump,outcome=failed,{tags}:0|ms"),
            format!("cronward.run.max_rss,task=nightly.pg_dump,outcome=failed,{tags}:1048576|g"),
            format!("cronward.job.consecutive_failures,task=nightly.pg_dump,{tags}:1|g"),
            format!("cronward.job.alert_open,task=nightly.pg_dump,{tags}:1|g"),
        ]
    );
}

#[test]
fn a_failed_run_with_the_tags_of_graphite() {
    let lines = tagged_lines(&sample::failed(tagged_job())[0], Style::Graphite);
    let tags = "env=prod;canary=true;url=a_b_c_d_e_f;TASK_x=y";
    assert_eq!(
        (lines.len(), &lines[2][..], &lines[7][..]),
        (
            8,
            &format!("cronward.run.count;task=nightly.pg_dump;outcome=failed;exit_code=3;{tags}:1|c")[..],
            &format!("cronward.job.alert_open;task=nightly.pg_dump;{tags}:1|g")[..],
        )
    );
}

/// Etsy's server would drop these letters, and with them the tag.
#[test]
fn what_is_left_of_a_label_depends_on_the_server() {
    let notice = &sample::failed(sample::job("é漢~"))[0];
    assert!(tagged_lines(notice, Style::Influx)[0].contains(",task=é漢_,"));
    assert!(tagged_lines(notice, Style::Graphite)[0].contains(";task=___;"));
}

#[test]
fn tags_that_a_run_reports_win_over_the_users_and_are_its_alone() {
    let mut job = sample::job("x");
    job.tags = vec![Tag::parse("size:small").unwrap()];
    let notice = &sample::reported(job, &[("drift", -2.5)], &["SIZE:big", "db:app"])[0];
    let lines = tagged_lines(notice, Style::Influx);
    let of_run = "cronward.run.custom.drift,task=x,outcome=ok,SIZE=big,db=app";
    assert_eq!(lines[lines.len() - 2..], [format!("{of_run}:0|g"), format!("{of_run}:-2.5|g")]);
    assert!(lines.contains(&"cronward.job.alert_open,task=x,size=small:0|g".to_owned()), "{lines:#?}");
}

#[test]
fn a_check_that_is_alive_is_no_jobs_and_has_the_tags_of_the_host() {
    let notice = Notice::alive(Arc::new(tagged_job()), sample::ENDED_AT);
    assert_eq!(
        tagged_lines(&notice, Style::Graphite),
        ["cronward.check.alive;env=prod;canary=true;url=a_b_c_d_e_f;TASK_x=y:1|g"]
    );
}

#[test]
fn a_job_that_reports_more_tags_than_fit_is_counted_all_the_same() {
    let tags: Vec<_> = (0..64)
        .map(|at| if at % 2 == 0 { format!("k{at}:{}", "v".repeat(40)) } else { format!("b{at}") })
        .collect();
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    for label in ["x".to_owned(), "🦀".repeat(300)] {
        let mut job = sample::job(&label);
        job.namespace = "n".repeat(300);
        let lines = tagged_lines(&sample::reported(job, &[], &tags)[0], Style::Influx);
        let count = lines.iter().find(|line| line.contains("run.count,")).expect("the count");
        assert!(count.contains(",k0=v") && count.contains(",b1=true"), "{count}");
    }
}

/// The zero and the difference from it are one thing: in another datagram, another value may come in between.
#[test]
fn a_negative_gauge_and_its_zero_are_never_in_two_datagrams() {
    for (style, value) in [(None, "-1"), (Some(Style::Influx), "-1.5"), (Some(Style::Graphite), "-0.25")] {
        let values: Vec<_> = (0..60).map(|at| (format!("n{at}"), value.parse().unwrap())).collect();
        let values: Vec<_> = values.iter().map(|(name, value)| (&name[..], *value)).collect();
        let notice = sample::reported(sample::job("x"), &values, &[]);
        let datagrams = Statsd { tags: style }.pack(&notice, 1432).datagrams;
        assert!(datagrams.len() > 2, "{datagrams:#?}");
        // The reader of a datagram knows nothing of the one before.
        let read = |datagram: &String| match style {
            None => grammar::plain(datagram),
            Some(style) => grammar::tagged(datagram, if style == Style::Influx { ',' } else { ';' }),
        };
        let items: Vec<_> = datagrams.iter().flat_map(|datagram| read(datagram).expect(datagram)).collect();
        assert_eq!(
            items.iter().filter(|item| matches!(item, Item::Metric { value: v, .. } if v == value)).count(),
            60
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn hostile_tags_forge_neither_a_line_nor_a_tag_of_ours(
        label in sample::hostile(), keys in prop::collection::vec(sample::hostile(), 0..4), value in sample::hostile(),
        report in sample::hostile_report(), graphite in any::<bool>(),
    ) {
        let mut job = sample::job(&label);
        job.tags = keys.into_iter().map(|key| Tag { key, value: Some(value.clone()) }).collect();
        let run = Run { report, ..sample::run(Outcome::Failed, 3, None) };
        let values = run.report.values.iter().filter(|(_, value)| value.is_finite());
        let lines = 8 + values.map(|(_, value)| if *value < 0.0 { 2 } else { 1 }).sum::<usize>();
        let notice = &sample::ended(job, &History::default(), run)[0];
        let (style, divider) = if graphite { (Style::Graphite, ';') } else { (Style::Influx, ',') };
        let mut packed = Packed::new(60_000);
        pack_tagged(notice, style, 60_000, &mut packed);
        let items: Vec<Item> = packed.datagrams.iter().flat_map(|d| grammar::tagged(d, divider).unwrap()).collect();
        prop_assert_eq!((items.len(), packed.too_long), (lines, 0));
        for item in items {
            let Item::Metric { name, tags, .. } = item else { panic!("{item:?}") };
            prop_assert!(name.starts_with("cronward."), "{}", name);
            prop_assert!(tags[0].starts_with("task="), "{:?}", tags);
        }
    }

    #[test]
    fn any_style_fits_into_its_datagram(label in sample::hostile(), report in sample::hostile_report()) {
        let run = Run { report, ..sample::run(Outcome::Failed, 3, None) };
        let notice = &sample::ended(sample::job(&label), &History::default(), run)[0];
        for style in [Style::Influx, Style::Graphite] {
            let mut packed = Packed::new(1432);
            pack_tagged(notice, style, 1432, &mut packed);
            prop_assert!(packed.datagrams.iter().all(|datagram| datagram.len() <= 1432));
            let counts = packed.datagrams.iter().filter(|datagram| datagram.contains("cronward.run.count")).count();
            prop_assert!(counts == 1, "the count is always sent");
        }
    }
}

proptest! {
    #[test]
    fn hostile_labels_and_namespaces_forge_no_line(
        label in sample::hostile(), namespace in sample::hostile(), reason in sample::hostile(),
    ) {
        let mut job = sample::job(&label);
        job.namespace = namespace;
        let notice = &sample::failed_because(job, &reason)[0];
        let mut packed = Packed::new(1432);
        pack(notice, &mut packed);
        let items: Vec<Item> = packed.datagrams.iter().flat_map(|d| grammar::plain(d).unwrap()).collect();
        prop_assert_eq!(items.len(), 8);
        prop_assert_eq!(packed.too_long, 0);
    }

    #[test]
    fn hostile_reports_forge_no_line_and_no_difference(report in sample::hostile_report()) {
        let values = report.values.iter().map(|(_, value)| value);
        let lines = values.filter(|value| value.is_finite()).map(|value| if *value < 0.0 { 2 } else { 1 });
        let expected = 8 + lines.sum::<usize>();
        let run = Run { report, ..sample::run(Outcome::Failed, 3, None) };
        let notice = &sample::ended(sample::job("x"), &History::default(), run)[0];
        let mut packed = Packed::new(1432);
        pack(notice, &mut packed);
        let items: Vec<Item> = packed.datagrams.iter().flat_map(|d| grammar::plain(d).unwrap()).collect();
        prop_assert_eq!(items.len(), expected);
        for item in items {
            let Item::Metric { name, .. } = item else { panic!("{item:?}") };
            prop_assert!(name.starts_with("cronward.x."), "{}", name);
        }
    }
}
