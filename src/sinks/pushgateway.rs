//! `pushgateway:URL`: the text of `textfile`, put where Prometheus finds what hosts have said that do not
//! live until it asks (prometheus/pushgateway README). It keeps one group of metrics for each job of a
//! host, for ever: what is to go from it the user deletes.

use std::sync::{Arc, OnceLock};

use super::exposition::{Before, is_whole, page};
use super::http::{Client, Method, Request, Url};
use super::probe::{Complaint, Probe};
use super::secret::Secret;
use super::{Opening, Pace, Sink, Topic};
use crate::base64::base64;
use crate::clock::Deadline;
use crate::notice::{News, Notice};

/// What every path begins with, behind that of the URL; `job` is the first label of any group.
const GROUPS: &str = "metrics/job/";

/// The sink.
struct Pushgateway {
    name: String,
    gateway: Secret,
    /// The URL, once it has been read.
    url: OnceLock<Url>,
    client: Client,
}

/// A sink of a URL, or of where one stands.
///
/// # Errors
/// In words: what was written down as it is, is no URL, or is that of a group.
pub fn open(opening: &Opening<'_>) -> Result<Arc<dyn Sink>, String> {
    let gateway = Secret::new(opening.target, opening.environment)?;
    let (shown, url) = match gateway.reference() {
        Some(reference) => (reference, OnceLock::new()),
        None => {
            let url = read(&gateway)?;
            (format!("{url:?}"), OnceLock::from(url))
        }
    };
    let client = Client::new(opening.variables);
    Ok(Arc::new(Pushgateway { name: format!("pushgateway:{shown}"), gateway, url, client }))
}

fn read(gateway: &Secret) -> Result<Url, String> {
    let text = gateway.read()?;
    if text.contains(&format!("/{GROUPS}")) {
        return Err(format!("leave out '/{GROUPS}' and what stands behind it, which is added"));
    }
    Url::parse(&text)
}

impl Sink for Pushgateway {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        Pace::Waiting
    }

    fn wants(&self, topic: Topic) -> bool {
        match topic {
            Topic::End | Topic::Alert | Topic::Standing | Topic::Alive => true,
            Topic::Start | Topic::Overdue => false,
        }
    }

    fn only_shows(&self) -> bool {
        true
    }

    fn prepare(&self) {
        if let Ok(url) = self.url() {
            self.client.prepare(url);
        }
    }

    fn preview(&self, notices: &[Notice]) -> Vec<String> {
        let gateway = self.name.strip_prefix("pushgateway:").unwrap_or_default();
        let request = |notice| {
            let text = page(notice, &Before::default())?;
            Some(format!("{} {gateway}/{}\n{text}", method(notice), group(notice)))
        };
        notices.iter().filter_map(request).collect()
    }

    /// Asks whether it is ready, as those do who start one.
    fn probe(&self, deadline: Deadline) -> Probe {
        let complaint = |why| Complaint::new(why, "start the gateway, open the way to it, or name another");
        let url = match self.url() {
            Ok(url) => url,
            Err(why) => return Probe::from(Err(self.gateway.complaint(why))).with(self.gateway.concerns()),
        };
        let way = match self.client.look(Method::GET, &url.with("-/ready"), deadline) {
            Ok(answer) if answer.is_success() => Ok("it is ready".to_owned()),
            Ok(answer) => Err(Complaint::new(
                format!("'-/ready' is answered by HTTP {}", answer.status()),
                "name the URL of a Pushgateway, without a path of its own",
            )),
            Err(why) => Err(complaint(why)),
        };
        Probe::from(way).with(self.gateway.concerns())
    }

    /// Every request has a share of the time, so that one which cannot be made leaves the others theirs.
    fn deliver(&self, notices: &[Notice], deadline: Deadline) -> Result<(), String> {
        let url = self.url()?;
        let text = |notice| page(notice, &Before::default()).map(|text| (notice, text));
        let told: Vec<(&Notice, String)> = notices.iter().filter_map(text).collect();
        let mut outcome = Ok(());
        for (done, (notice, text)) in told.iter().enumerate() {
            let share = deadline.left() / u32::try_from(told.len() - done).unwrap_or(u32::MAX);
            outcome = outcome.and(self.tell(url, notice, text, Deadline::after(share)));
        }
        outcome
    }
}

impl Pushgateway {
    /// The URL. Only success is kept: a file that was not there at the start of a run may be there at its
    /// end.
    fn url(&self) -> Result<&Url, String> {
        if let Some(url) = self.url.get() {
            return Ok(url);
        }
        let url = read(&self.gateway)?;
        Ok(self.url.get_or_init(|| url))
    }

    fn tell(&self, url: &Url, notice: &Notice, text: &str, deadline: Deadline) -> Result<(), String> {
        let answer = self.client.send(
            &Request {
                method: method(notice),
                url: &url.with(&group(notice)),
                headers: &[("content-type", "text/plain; version=0.0.4; charset=utf-8")],
                body: text.as_bytes(),
            },
            deadline,
        )?;
        if answer.is_success() {
            return Ok(());
        }
        let refusal = answer.refusal(url);
        let unknown = [404, 405].contains(&answer.status());
        Err(if unknown { format!("{refusal}; is it the URL of a Pushgateway?") } else { refusal })
    }
}

/// PUT replaces all of a group. What is not all that is known of it replaces only metrics of the same
/// names: the counters are not to go because once a history cannot be read.
fn method(notice: &Notice) -> Method {
    if is_whole(notice) { Method::PUT } else { Method::POST }
}

/// The group of a notice, as a path.
fn group(notice: &Notice) -> String {
    let mut path = format!("{GROUPS}cronward");
    push_label(&mut path, "instance", &notice.job.host);
    match &notice.news {
        News::Alive => {}
        News::Started(_)
        | News::Overdue(_)
        | News::Finished(_)
        | News::Opened(_)
        | News::Repeated(_)
        | News::Closed(_)
        | News::Standing(_) => push_label(&mut path, "task", notice.job.label.as_str()),
    }
    path
}

/// A label of the group. In base64 (RFC 4648 section 5) stands what a proxy or the server would take for
/// something else: a slash, an empty segment, `..`, an escape.
fn push_label(path: &mut String, name: &str, value: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if !value.trim_matches('.').is_empty() && value.bytes().all(plain) {
        path.push_str(&format!("/{name}/{value}"));
        return;
    }
    let coded = base64(value.as_bytes()).replace('+', "-").replace('/', "_");
    let coded = coded.trim_end_matches('=');
    path.push_str(&format!("/{name}@base64/{}", if coded.is_empty() { "=" } else { coded }));
}

#[cfg(test)]
mod tests;
