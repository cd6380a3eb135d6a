//! What holds for any files.

use proptest::prelude::*;

use super::*;

/// Values that options take, and some that they do not, as TOML.
fn lines() -> impl Strategy<Value = String> {
    let lines = [
        "lock = true",
        "lock = false",
        "timeout = '1h'",
        "timeout = '1M'",
        "owner = 'me'",
        "owner = ''",
        "ok-codes = '1-3'",
        "warn-codes = 3",
        "warn-codes = 9",
        "sink = 'none'",
        "sink = '+exec:a'",
        "sink = ['+exec:b', 'statsd:h']",
        "sink = ['+exec:b', '+exec:c']",
        "sink = 'bogus:x'",
        "tag = 'a:1'",
        "tag = ['a:2', 'b', 'a:3']",
        "tag = { b = 'x' }",
        "severity = 'fatal'",
        "alert-after = 3",
        "lcok = true",
        "summary = 'never'",
        "state-dir = '/s'",
        "sensitive = true",
    ];
    proptest::sample::select(lines.to_vec()).prop_map(str::to_owned)
}

/// A file: sections, each option at most once in each.
fn files() -> impl Strategy<Value = String> {
    let section = |head: &'static str| {
        proptest::collection::vec(lines(), 0..5).prop_map(move |mut lines| {
            let key = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
            lines.sort();
            lines.dedup_by_key(|line| key(line));
            format!("{head}\n{}\n", lines.join("\n"))
        })
    };
    let sections = (section("[defaults]"), section("[job.x]"), section("[job.'*']"));
    sections.prop_map(|(one, two, three)| [one, two, three].concat())
}

/// A plan without what differs from run to run and with its origins left out.
fn essence(plan: Plan) -> String {
    let Plan { mut sinks, job, time_limit, overlap, codes, rule, state_dir, summary, .. } = plan;
    // Each sink is told of everything, in whatever order.
    sinks.iter_mut().for_each(|sink| sink.origin.clear());
    sinks.sort_by(|one, other| (&one.kind, &one.target).cmp(&(&other.kind, &other.target)));
    format!("{sinks:?} {job:?} {time_limit:?} {overlap:?} {codes:?} {rule:?} {state_dir:?} {summary:?}")
}

proptest! {
    #[test]
    fn no_file_keeps_a_job_from_running(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let text = String::from_utf8_lossy(&bytes);
        let (plan, levels) = planned(&["-l", "x", "true"], &[], &[(SYSTEM, &text)]);
        // Nothing of such a thing is in force, unless it is TOML that says nothing.
        let (defaults, _) = planned(&["-l", "x", "true"], &[], &[]);
        prop_assert_eq!(plan.problems.is_empty(), !levels.in_trouble());
        prop_assert_eq!(essence(plan), essence(defaults));
    }

    #[test]
    fn of_any_sections_there_is_a_plan_whose_sinks_can_be_opened(
        user in files(), host in files(), ok in proptest::option::of("[1-9]"),
    ) {
        let codes = ok.map(|code| format!("--ok-codes={code}"));
        let line: Vec<&str> = ["-l", "x"].into_iter().chain(codes.as_deref()).chain(["true"]).collect();
        let (plan, levels) = planned(&line, &[HOME], &[(USER, &user), (SYSTEM, &host)]);
        prop_assert!(sinks::open(&plan).is_ok());
        let (both, none) = ([&user[..], &host].concat(), ["lcok", "1M", "bogus", "fatal"]);
        prop_assert!(levels.in_trouble() || !none.iter().any(|word| both.contains(word)));
    }

    /// What the journal keeps of the files, put in their place, is the same plan.
    #[test]
    fn what_counts_of_the_files_is_the_same_as_one_level(
        user in files(), host in files(), sink in proptest::option::of("(\\+exec:f|exec:f|none)"),
    ) {
        let sink = sink.map(|sink| format!("--sink={sink}"));
        let line: Vec<&str> = ["-l", "x"].into_iter().chain(sink.as_deref()).chain(["-t", "b:f", "true"]).collect();
        let (plan, levels) = planned(&line, &[HOME], &[(USER, &user), (SYSTEM, &host)]);
        let of_files = levels.given().iter().filter(|given| given.origin.level.is_of_files());
        let kept: Vec<_> = of_files.map(|given| (given.origin.setting, given.text.clone())).collect();
        let mut again = configured(&line, &[], &[(SYSTEM, "[")]).unwrap();
        again.levels.fall_back(kept);
        sift(&mut again, &sinks::refusal);
        let problems = again.levels.problems();
        let (again, _) = resolve(again, &Anywhere).unwrap();
        prop_assert_eq!(problems.len(), 1, "{:?}", problems);
        prop_assert_eq!(essence(again), essence(plan));
    }
}
