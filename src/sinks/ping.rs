//! `ping:URL`: check-ins with healthchecks.io and whoever else speaks its protocol
//! (healthchecks.io/docs/http_api): a server that is told of every start and end of a run, and that
//! raises the alarm when it was told nothing. It does not confirm our alerts; it has its own.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::http::{Answer, Client, Method, Request, SecretUrl, Url, tell_each};
use super::probe::Probe;
use super::{Opening, Pace, Sink, Topic};
use crate::clock::Deadline;
use crate::human;
use crate::job::RunId;
use crate::notice::{Audience, News, Notice, command_for, end_of_output, reason_for};
use crate::outcome::{Ending, Run, RunEnd, Weight};
use crate::redact::one_line;
use crate::shell;

/// How much of a body a server keeps that has not said otherwise, in bytes: what one that you run
/// yourself does by default.
const BODY_LIMIT: usize = 10_000;

/// Header of an answer that says how much of a body the server keeps, in bytes.
const BODY_LIMIT_HEADER: &str = "ping-body-limit";

/// The sink.
struct Ping {
    name: String,
    check: SecretUrl,
    client: Client,
    /// What the server last said that it keeps of a body, in bytes.
    body_limit: AtomicUsize,
}

/// A sink of a URL, or of where one stands.
///
/// # Errors
/// In words: what was written down as it is, is no URL.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let check = SecretUrl::new(opening.target, opening.environment)?;
    Ok(Arc::new(Ping {
        name: format!("ping:{}", check.shown()),
        check,
        client: Client::new(opening.variables),
        body_limit: AtomicUsize::new(BODY_LIMIT),
    }))
}

impl Sink for Ping {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        Pace::Waiting
    }

    fn wants(&self, topic: Topic) -> bool {
        match topic {
            Topic::Start | Topic::End | Topic::Alive => true,
            Topic::Overdue | Topic::Alert | Topic::Standing => false,
        }
    }

    fn prepare(&self) {
        if let Ok(url) = self.check.url() {
            self.client.prepare(url);
        }
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        let check = self.check.shown();
        let request = |notice| {
            let (segment, run) = check_in(notice);
            let query = run.map(|run| format!("?rid={run}")).unwrap_or_default();
            format!("POST {check}/{segment}{query}\n{}", body(notice, self.body_limit()))
        };
        notices.iter().map(request).collect()
    }

    fn probe(&self, deadline: Deadline) -> Probe {
        self.check.probe(&self.client, deadline)
    }

    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let url = self.check.url()?;
        tell_each(notices, deadline, &mut |notice, deadline| self.tell(url, notice, deadline))
    }
}

impl Ping {
    fn body_limit(&self) -> usize {
        self.body_limit.load(Ordering::Relaxed)
    }

    fn tell(&self, url: &Url, notice: &Notice, deadline: Deadline) -> Result<(), String> {
        let (segment, run) = check_in(notice);
        let query = run.map(|run| format!("rid={run}")).unwrap_or_default();
        let answer = self.client.send(
            &Request {
                method: Method::POST,
                url: &url.below(&segment, &query),
                headers: &[("content-type", "text/plain; charset=utf-8")],
                body: body(notice, self.body_limit()).as_bytes(),
            },
            deadline,
        )?;
        if let Some(limit) = answer.header(BODY_LIMIT_HEADER).and_then(|limit| limit.trim().parse().ok()) {
            self.body_limit.store(limit, Ordering::Relaxed);
        }
        verdict(&answer, url)
    }
}

/// Whether the check has been told.
///
/// healthchecks.io itself answers 200 also for a check that it does not know, and for one that is told
/// too often: the body is then `OK (not found)` or `OK (rate limited)`.
fn verdict(answer: &Answer, url: &Url) -> Result<(), String> {
    let doubt = answer.own_words().is_some_and(|words| words.starts_with("OK ("));
    if answer.is_success() && !doubt {
        return Ok(());
    }
    let refusal = answer.refusal(url);
    let unknown = answer.status() == 404 || refusal.contains("not found");
    Err(if unknown { format!("{refusal}; is the check's URL right?") } else { refusal })
}

/// What is said, as the last segment of the URL, and of which run. Whoever looks after a host does well as
/// long as it says so.
fn check_in(notice: &Notice) -> (Cow<'static, str>, Option<RunId>) {
    match &notice.news {
        News::Started(start) => ("start".into(), Some(start.id)),
        News::Finished(finished) => (end_of(&finished.run), Some(finished.run.id)),
        News::Alive => ("0".into(), None),
        News::Overdue(_) | News::Opened(_) | News::Repeated(_) | News::Closed(_) | News::Standing(_) => {
            ("log".into(), None)
        }
    }
}

/// How a run ended. An exit status says it where the server would read it as we do: 0 as success and
/// every other number as failure.
fn end_of(run: &Run) -> Cow<'static, str> {
    match run.outcome.weight() {
        Weight::Success => return "0".into(),
        // Neither good nor bad news: the server notes it and goes on waiting.
        Weight::Neither => return "log".into(),
        Weight::Failure => {}
    }
    let number = match &run.end {
        RunEnd::Ended(Ending::Exited(code)) => i32::from(*code),
        RunEnd::Ended(Ending::Killed { signal, .. }) => 128 + signal.0,
        RunEnd::NotStarted(_)
        | RunEnd::StoppedBefore(_)
        | RunEnd::Skipped { .. }
        | RunEnd::Interrupted { .. } => 0,
    };
    if (1..=255).contains(&number) { number.to_string().into() } else { "fail".into() }
}

/// What people are to read, in at most `limit` bytes: what matters most comes first.
fn body(notice: &Notice, limit: usize) -> String {
    let mut text = one_line(&notice.headline_for(Audience::Away)).into_owned();
    let mut line = |name: &str, value: &str| text.push_str(&format!("\n{name}: {}", one_line(value)));
    if matches!(notice.news, News::Alive) {
        return text;
    }
    if let Some(run) = notice.news.run() {
        line("outcome", run.outcome.as_str());
        if let Some(reason) = reason_for(&notice.job, run, Audience::Away) {
            line("reason", &reason);
        }
        if let Some(wall_time) = run.wall_time {
            line("duration", &human::span(wall_time));
        }
    }
    if let Some(words) = command_for(&notice.job, Audience::Away) {
        let quoted: Vec<_> =
            words.iter().map(|word| shell::quote(word).to_string_lossy().into_owned()).collect();
        line("command", &quoted.join(" "));
    }
    const TITLE: &str = "\noutput:\n";
    let room = limit.saturating_sub(text.len() + TITLE.len());
    if let Some(output) = notice.news.run().and_then(|run| end_of_output(&notice.job, run, room)) {
        text.push_str(TITLE);
        text.push_str(&output);
    }
    text.truncate(text.floor_char_boundary(limit));
    text
}

#[cfg(test)]
mod tests;
