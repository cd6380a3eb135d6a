//! What is told of a secret in each kind of news.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::job::RunId;
use crate::notice::{Cause, Health, News, Notice, Overdue, Standing, Start, Turn, event_json};
use crate::outcome::{Excerpt, KeptOutput, Outcome};
use crate::policy::History;
use crate::sinks::sample;

const SENTENCE: &str = "'x --token abc123' said pass\u{1b}[1mword: abc123";
const SENT: &str = "'x --token ***' said password: ***";

fn told(news: News) -> [String; 4] {
    let notice = Notice { id: RunId::new(), time: sample::ENDED_AT, job: Arc::new(sample::job("x")), news };
    let told = |audience| [notice.headline_for(audience), event_json(&notice, audience)];
    let ([here, here_json], [away, away_json]) = (told(Audience::Local), told(Audience::Away));
    [here, here_json, away, away_json]
}

#[test]
fn no_sentence_of_any_news_leaves_the_host_with_a_secret() {
    let start = || Start { id: RunId::new(), parent: None, pid: 1, started_at: sample::ENDED_AT };
    let reason = || SENTENCE.to_owned();
    let turn = || Turn {
        alert: sample::failing_history().alert.unwrap(),
        cause: Cause::Noticed(reason(), Some(start())),
        changed: Vec::new(),
    };
    let run = sample::run(Outcome::Failed, 3, Some(SENTENCE));
    let finished = sample::ended(sample::job("x"), &History::default(), run).remove(0).news;
    let overdue = Overdue { start: start(), elapsed: Duration::ZERO, reason: reason() };
    for news in
        [News::Overdue(overdue), News::Opened(turn()), News::Repeated(turn()), News::Closed(turn()), finished]
    {
        let kind = news.kind();
        let [here, here_json, away, away_json] = told(news);
        assert!(
            here.contains(SENTENCE) && here_json.contains("--token abc123"),
            "{kind}: {here} {here_json}"
        );
        assert!(away.contains(SENT) && away_json.contains(SENT), "{kind}: {away} {away_json}");
        assert!(!away.contains("abc123") && !away_json.contains("abc123"), "{kind}: {away} {away_json}");
    }
    let standing =
        Standing { success_age: None, alert_is_open: true, health: Health::Critical, sentence: reason() };
    let [here, _, away, _] = told(News::Standing(standing));
    assert!(here.contains(SENTENCE) && away.contains(SENT), "{here} {away}");
}

#[test]
fn what_was_wrong_with_configuration_and_sinks_is_masked_away_from_here() {
    let mut notice = sample::failed(sample::job("x")).remove(0);
    let News::Finished(finished) = &mut notice.news else { panic!("a run has ended") };
    Arc::make_mut(finished).problems.push("bad value 'password=abc123'".to_owned());
    let notice = notice.with_sink_errors(&["exec: token=abc123".to_owned()]);
    let json = event_json(&notice, Audience::Away);
    assert!(json.contains("'password=***'") && json.contains("exec: token=***"), "{json}");
    assert_eq!(event_json(&notice, Audience::Local).matches("abc123").count(), 2);
}

/// The ordinary run pays nothing for it.
#[test]
fn what_has_no_secret_is_not_copied() {
    let mut job = sample::job("x");
    job.command = CommandLine::Words(vec!["pg_dump".into(), "app".into()]);
    job.privacy.send_args = true;
    let run = sample::run(Outcome::Failed, 3, Some("exited with 3"));
    assert!(matches!(reason_for(&job, &run, Audience::Away), Some(Cow::Borrowed(_))));
    let words = command_for(&job, Audience::Away).unwrap();
    assert!(words.iter().all(|word| matches!(word, Cow::Borrowed(_))));
}

fn with_output(head: &str, tail: &str, left_out: u64) -> (JobFacts, Run) {
    let mut run = sample::run(Outcome::Failed, 3, None);
    let total = (head.len() + tail.len()) as u64 + left_out;
    let excerpt = Excerpt { head: head.into(), tail: tail.into(), total, left_out };
    run.output = KeptOutput { excerpt: Some(excerpt), log: None };
    (sample::job("x"), run)
}

#[test]
fn people_away_read_the_end_of_an_output_in_whole_lines_and_how_much_stood_before() {
    let (job, run) = with_output("one\ntwo\nthree\n", "", 0);
    assert_eq!(end_of_output(&job, &run, 100).as_deref(), Some("one\ntwo\nthree"));
    // The last line is cut off of nothing, but there is no room for more than two.
    let (job, run) = with_output(&"a line of words\n".repeat(10), "", 0);
    let two = "[129 bytes left out]\na line of words\na line of words";
    assert_eq!(end_of_output(&job, &run, 60).as_deref(), Some(two));
    assert_eq!(end_of_output(&job, &run, 10), None);

    let (job, run) = with_output("begins\ncut he", "re\nends\n", 99);
    assert_eq!(end_of_output(&job, &run, 100).as_deref(), Some("begins\n[99 bytes left out]\nends"));
    let (job, run) = with_output("", "", 0);
    assert_eq!(end_of_output(&job, &run, 100), None);
}

#[test]
fn output_is_masked_and_plain_away_from_here_and_sensitive_output_stays() {
    let (mut job, run) = with_output("\u{1b}[31mpassword=abc123\u{1b}[0m\n", "", 0);
    let here = output_for(&job, &run, Audience::Local).unwrap();
    assert_eq!(here.head, "\u{1b}[31mpassword=abc123\u{1b}[0m\n");
    assert_eq!(output_for(&job, &run, Audience::Away).unwrap().head, "password=***\n");
    job.privacy.sensitive = true;
    assert!(output_for(&job, &run, Audience::Away).is_none());
    assert!(output_for(&job, &run, Audience::Local).is_some());
    assert_eq!(end_of_output(&job, &run, 100), None);
}
