//! PURE. Tags in the name of a metric: `,key=value` as Telegraf and statsd_exporter read them, `;key=value`
//! as Graphite does. The servers clean nothing up, or throw away what they do not like, so that a value may
//! become another one or none.

use crate::job::Tag;
use crate::notice::{Notice, Tagged, value_tags};
use crate::sinks::wire::{BARE, merged_tags, push_all, tags_within};

/// Longest key and longest value, in characters.
const WORD_MAX: usize = 200;

/// How much of a datagram is kept for name and value, in bytes: a namespace, a metric and what a job has
/// called it.
const NAME_MAX: usize = 320;

/// Keys of ours, which nobody else can set: of two tags of one key all servers know the last one.
const OWN: [&str; 4] = ["task", "outcome", "exit_code", "signal"];

/// How tags are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `,key=value` (Telegraf, plugins/inputs/statsd).
    Influx,
    /// `;key=value` (Graphite 1.1, "Graphite Tag Support").
    Graphite,
}

impl Style {
    fn divider(self) -> &'static str {
        match self {
            Self::Influx => ",",
            Self::Graphite => ";",
        }
    }

    /// Whether a character can stand in a key or a value.
    fn takes(self, c: char) -> bool {
        match self {
            // What a server may take for the end of something: `,` `=` and blanks Telegraf, `:` and `|` all,
            // `#` `[` `]` statsd_exporter, where other styles of tags are on too, and a backslash InfluxDB.
            Self::Influx => !(c.is_control() || c.is_whitespace() || ",=:|#[];~!^\\".contains(c)),
            // What Etsy's server leaves of a name: it drops all else, and what then has no value is no tag.
            Self::Graphite => c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'),
        }
    }

    /// Appends `text` with `_` for what cannot stand there.
    fn push_word(self, line: &mut String, text: &str) {
        line.extend(text.chars().take(WORD_MAX).map(|c| if self.takes(c) { c } else { '_' }));
    }
}

/// The tags that a metric has, as they stand behind its name: `task` first, then those of the value, then
/// the user's and the run's. The latter win, and are written as far as they take up half of `limit` and there
/// is room: a job can report more than a datagram holds, and its runs are to be counted all the same.
pub fn of(notice: &Notice, tagged: Tagged, style: Style, limit: usize) -> String {
    let run = notice.news.run().filter(|_| matches!(tagged, Tagged::Outcome | Tagged::Ending));
    let mut written = String::with_capacity(64);
    let mut own = |key: &str, value: &str| {
        push_all(&mut written, &[style.divider(), key, "="]);
        style.push_word(&mut written, value);
    };
    if tagged != Tagged::Host {
        own("task", notice.job.label.as_str());
    }
    for (key, value) in run.map(|run| value_tags(run, tagged)).unwrap_or_default() {
        own(key, &value);
    }
    let room = limit.saturating_sub(written.len() + NAME_MAX).min(limit / 2);
    let reported = run.map_or(&[][..], |run| tags_within(&run.report.tags, room));
    for tag in merged_tags(&notice.job.tags, reported) {
        push_tag(&mut written, tag, style);
    }
    written
}

/// Appends a tag, unless its key would be one of ours. It has to have a value: Graphite refuses a tag that
/// has none, and Telegraf drops it.
fn push_tag(written: &mut String, tag: &Tag, style: Style) {
    let end = written.len();
    written.push_str(style.divider());
    let start = written.len();
    style.push_word(written, &tag.key);
    if OWN.contains(&&written[start..]) {
        written.truncate(end);
        return;
    }
    written.push('=');
    style.push_word(written, tag.value.as_deref().filter(|value| !value.is_empty()).unwrap_or(BARE));
}
