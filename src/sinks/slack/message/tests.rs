use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::job::{Label, RunId, Signal, Tag};
use crate::notice::{Cause, Start};
use crate::outcome::{Ending, Excerpt, KeptOutput, Outcome, RunEnd};
use crate::plan::{JobFacts, Privacy};
use crate::policy::{History, Milestone};
use crate::program::Changed;
use crate::sinks::sample;

const BEFORE: Timestamp = Timestamp::from_millis(1_699_900_000_000);

/// The message of the alert that a run has turned.
fn of_alert(mut notices: Vec<Notice>) -> (Notice, Value) {
    let notice = notices.remove(1);
    let sent = serde_json::from_str(&message(&notice)).unwrap();
    (notice, sent)
}

fn job() -> JobFacts {
    JobFacts {
        owner: Some("db team".into()),
        runbook: Some("https://wiki.example/pg?a&b".into()),
        tags: ["env:prod", "bare"].into_iter().filter_map(Tag::parse).collect(),
        ..sample::job("pg-backup")
    }
}

fn with_output(run: Run, output: &str) -> Run {
    let excerpt = Excerpt { head: output.into(), tail: Vec::new(), total: output.len() as u64, left_out: 0 };
    Run { output: KeptOutput { excerpt: Some(excerpt), log: None }, ..run }
}

/// What is read, line by line: the text of every text object, those with marks as they are.
fn shown(sent: &Value) -> Vec<String> {
    let text = |object: &Value| object["text"].as_str().unwrap().to_owned();
    let all = |list: &Value| list.as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    let blocks = sent["blocks"].as_array().unwrap().iter();
    let lines = blocks.flat_map(|block| match block["type"].as_str().unwrap() {
        "section" if block.get("fields").is_some() => {
            all(&block["fields"]).chunks(2).map(|row| row.join(" | ")).collect()
        }
        "context" => all(&block["elements"]),
        _ => vec![text(&block["text"])],
    });
    lines.collect()
}

#[test]
fn an_alert_says_what_one_asks_in_the_order_in_which_one_asks() {
    let before =
        History { last_success: Some(Milestone { ended_at: BEFORE, wall_time: None }), ..History::default() };
    let run =
        with_output(sample::run(Outcome::Failed, 3, Some("exited with 3")), "connecting\nno space left\n");
    let mut notices = sample::ended(job(), &before, run);
    if let News::Opened(turn) = &mut notices[1].news {
        turn.changed = vec![Changed { full: "long".into(), brief: "PATH is <not> what it was".into() }];
    }
    let (notice, sent) = of_alert(notices);
    let alert = notice.news.turn().unwrap().alert.id;
    let run = notice.news.run().unwrap().id;
    assert_eq!(sent["text"], "pg-backup is failing on db1: 1 failure: exited with 3");
    assert_eq!(
        shown(&sent),
        [
            "❌ ERROR: pg-backup is failing on db1",
            "exited with 3",
            "*Since* | 2023-11-14 22:13:20 UTC\n\
             <!date^1700000000^{date_short_pretty} {time_secs} your time|2023-11-14 22:13:20 UTC>",
            "*Failures* | 1",
            "*Last success* | 2023-11-13 18:26:40 UTC\n\
             <!date^1699900000^{date_short_pretty} {time_secs} your time|2023-11-13 18:26:40 UTC>",
            "*Ended with* | failed, exit code 3",
            "*Took* | 13 ms",
            "*Owner* | db team",
            "*Runbook* | <https://wiki.example/pg?a&amp;b>",
            "Changed since the last success:\n• PATH is &lt;not&gt; what it was",
            "```\nconnecting\nno space left\n```",
            &format!("alert {alert}"),
            &format!("run {run}"),
            "job pg-backup",
            "host db1",
            "command pg_dump",
            "tags env:prod, bare",
        ]
    );
}

#[test]
fn a_recovery_is_short_and_says_how_long_it_lasted_and_how_often_it_failed() {
    let recovered = sample::ended(job(), &sample::failing_history(), sample::run(Outcome::Ok, 0, None));
    let (_, sent) = of_alert(recovered);
    let shown = shown(&sent);
    assert_eq!(shown[0], "✅ RECOVERED: pg-backup on db1");
    assert_eq!(
        shown[1],
        "It had been failing for *16m 40s*, 3 failures, since 2023-11-14 21:56:40 UTC\n\
         <!date^1699999000^{date_short_pretty} {time_secs} your time|2023-11-14 21:56:40 UTC>"
    );
    assert!(shown[2].starts_with("alert "), "{shown:?}");
    assert!(shown.len() == 8 && !sent.to_string().contains("db team"), "{shown:?}");
}

#[test]
fn a_repetition_says_that_it_is_one_and_since_when() {
    let still = sample::ended(
        job(),
        &sample::failing_history(),
        Run {
            end: RunEnd::Ended(Ending::Killed { signal: Signal::KILL, core_dumped: true }),
            attempts: 3,
            ..sample::run(Outcome::Signaled, 0, Some("killed by SIGKILL"))
        },
    );
    let (_, sent) = of_alert(still);
    let shown = shown(&sent);
    assert_eq!(shown[0], "❌ ERROR: pg-backup is still failing on db1");
    assert!(shown[2].starts_with("*Since* | 2023-11-14 21:56:40 UTC\n"), "{shown:?}");
    assert_eq!(
        shown[3..6],
        [
            "*Failures* | 4 in a row",
            "*Last success* | none on record",
            "*Ended with* | signaled, SIGKILL, core dumped, after 3 attempts"
        ]
    );
}

/// Of a history that is not known nothing is made up.
#[test]
fn what_is_told_later_does_not_say_that_there_was_no_success() {
    let mut notice = sample::failed(job()).remove(1);
    if let News::Opened(Turn { cause: Cause::Run(finished), .. }) = &mut notice.news {
        Arc::make_mut(finished).history = Some(History { failures_in_a_row: 1, ..History::default() });
    }
    let sent: Value = serde_json::from_str(&message(&notice)).unwrap();
    assert!(shown(&sent).iter().all(|line| !line.contains("Last success")), "{sent}");
    assert!(shown(&sent).contains(&"*Failures* | 1".to_owned()), "{sent}");
}

/// As when no run came, or one takes longer than is expected.
#[test]
fn an_alert_that_no_run_has_turned_says_why_and_which_run_is_under_way() {
    let start = Start { id: RunId::new(), parent: None, pid: 1, started_at: BEFORE };
    let mut notice = sample::failed(job()).remove(1);
    let Some(Turn { alert, .. }) = notice.news.turn().cloned() else { panic!("{notice:?}") };
    let cause = Cause::Noticed("still running after 2h".into(), Some(start.clone()));
    notice.news = News::Opened(Turn { alert: alert.clone(), cause, changed: Vec::new() });
    let lines = shown(&serde_json::from_str(&message(&notice)).unwrap());
    assert_eq!(lines[..2], ["❌ ERROR: pg-backup is in trouble on db1", "still running after 2h"]);
    assert_eq!(lines[3], "*Failures* | 1");
    assert!(lines[4].starts_with("*Running since* | 2023-11-13 18:26:40 UTC\n"), "{lines:?}");
    assert!(lines.contains(&format!("run {}", start.id)), "{lines:?}");

    let cause = Cause::Noticed("the job was forgotten".into(), None);
    notice.news = News::Closed(Turn { alert, cause, changed: Vec::new() });
    let lines = shown(&serde_json::from_str(&message(&notice)).unwrap());
    assert_eq!(lines[..2], ["✅ CLOSED: pg-backup on db1", "the job was forgotten"]);
}

#[test]
fn severity_is_a_sign_and_a_word() {
    for (severity, mark) in [
        (Severity::Info, "ℹ️ INFO: "),
        (Severity::Warning, "⚠️ WARNING: "),
        (Severity::Error, "❌ ERROR: "),
        (Severity::Critical, "🚨 CRITICAL: "),
    ] {
        let (_, sent) = of_alert(sample::failed(JobFacts { severity, ..job() }));
        assert!(shown(&sent)[0].starts_with(mark), "{sent}");
    }
}

#[test]
fn what_is_sensitive_or_looks_like_a_secret_is_not_sent() {
    let told = |job: JobFacts| {
        let run = sample::run(Outcome::Failed, 3, Some("cannot open 'password=hunter2'"));
        of_alert(sample::ended(job, &History::default(), with_output(run, "token=hunter2"))).1
    };
    let runbook = Some("https://me:hunter2@wiki.example/".to_owned());
    let sent = told(JobFacts { runbook, privacy: Privacy { sensitive: false, send_args: true }, ..job() });
    let lines = shown(&sent);
    assert!(!sent.to_string().contains("hunter2"), "{sent}");
    for line in ["cannot open 'password=***'", "```\ntoken=***\n```", "command pg_dump '--password=***'"] {
        assert!(lines.iter().any(|shown| shown == line), "{line}: {lines:?}");
    }
    assert!(lines.contains(&"*Runbook* | https://me:***@\u{2060}wiki.example/".to_owned()), "{lines:?}");
    let sent = told(JobFacts { privacy: Privacy { sensitive: true, send_args: true }, ..job() });
    let text = sent.to_string();
    assert!(!["hunter2", "```", "cannot open", "pg_dump"].iter().any(|told| text.contains(told)), "{text}");
}

/// docs.slack.dev, "Block Kit": what is no text object of these limits makes Slack refuse all of it.
fn faults(sent: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |text: &Value, kinds: &[&str], most: usize| {
        let (kind, words) = (text["type"].as_str().unwrap_or(""), text["text"].as_str().unwrap_or(""));
        let length = words.encode_utf16().count();
        if !kinds.contains(&kind) || words.trim().is_empty() || length > most || words.contains('\u{1b}') {
            faults.push(format!("{text}"));
        }
        let is_quiet = if kind == "mrkdwn" { text["verbatim"] == true } else { text["emoji"] == false };
        // Nothing of a user's stands where marks are read, but for blocks of code and links to runbooks.
        let is_ours = kind != "mrkdwn"
            || (words.starts_with("```\n") && words.ends_with("\n```") && words.matches("```").count() == 2)
            || words.starts_with("<https://wiki.example/")
            || !words.contains("evil");
        if !is_quiet || !is_ours {
            faults.push(format!("{text}"));
        }
    };
    let blocks = sent["blocks"].as_array().unwrap();
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => check(&block["text"], &["plain_text"], 150),
            "section" => match block["fields"].as_array() {
                Some(fields) if fields.len() <= 10 => {
                    fields.iter().for_each(|field| check(field, &["plain_text", "mrkdwn"], 2000));
                }
                Some(_) => check(&Value::Null, &[], 0),
                None => check(&block["text"], &["plain_text", "mrkdwn"], 3000),
            },
            "context" if block["elements"].as_array().unwrap().len() <= 10 => {
                block["elements"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .for_each(|text| check(text, &["plain_text"], 2000));
            }
            _ => check(block, &[], 0),
        }
    }
    if blocks.len() > 50 || sent["text"].as_str().is_none_or(str::is_empty) {
        faults.push(format!("{} blocks, text {}", blocks.len(), sent["text"]));
    }
    faults
}

fn evil() -> impl Strategy<Value = String> {
    let mark = prop_oneof![
        Just("evil <!channel> ".to_owned()),
        Just("evil <@U1|x> ".to_owned()),
        Just("<https://evil|*bold*>\n".to_owned()),
        Just("```evil```".to_owned()),
        Just("*evil* _evil_ ~evil~ `evil` :evil: @evil".to_owned()),
        Just("&lt;!evil&gt; ".repeat(300)),
        sample::hostile(),
    ];
    prop::collection::vec(mark, 0..5).prop_map(|marks| marks.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_a_message_that_is_refused_or_says_what_it_should_not(
        texts in prop::collection::vec(evil(), 9),
        closes: bool,
    ) {
        let text = |at: usize| texts[at].clone();
        let job = JobFacts {
            label: Label::new(format!("x{}", text(0)).as_ref()).unwrap(),
            host: text(1),
            owner: Some(text(2)),
            runbook: Some(format!("https://wiki.example/{}", text(3))),
            tags: [text(4), text(5)].iter().filter_map(|word| Tag::parse(word)).collect(),
            ..sample::job("x")
        };
        let outcome = if closes { Outcome::Ok } else { Outcome::Failed };
        let run = with_output(sample::run(outcome, 3, Some(&text(6))), &text(7));
        let mut notices = sample::ended(job, &sample::failing_history(), run);
        let changed = vec![Changed { full: text(8), brief: text(8) }; 9];
        if let News::Repeated(turn) = &mut notices[1].news {
            turn.changed = changed;
        }
        let (_, sent) = of_alert(notices);
        prop_assert_eq!(faults(&sent), Vec::<String>::new());
    }
}
