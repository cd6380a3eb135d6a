//! What is told of a secret in each kind of news.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::job::RunId;
use crate::notice::{Cause, Health, News, Notice, Overdue, Standing, Start, Turn, event_json};
use crate::outcome::Outcome;
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
