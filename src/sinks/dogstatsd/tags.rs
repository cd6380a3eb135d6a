//! PURE. Tags: the job's own, the user's, and those that the environment adds for every client of
//! Datadog's on the host.

use crate::job::Tag;
use crate::plan::{JobFacts, Variables};
use crate::sinks::wire::push_tag;

/// What the environment says of everything that runs in it.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// `DD_TAGS` and `DATADOG_TAGS`: hints, which the user's tags of the same key replace.
    hints: Vec<Tag>,
    /// `DD_ENTITY_ID`, by which the Agent finds the pod, and `DD_ENV`, `DD_SERVICE`, `DD_VERSION`:
    /// Datadog's unified tags. They replace the user's.
    unified: Vec<Tag>,
}

impl Surroundings {
    /// From the variables.
    pub fn of(variables: &Variables) -> Self {
        let unified = [
            ("DD_ENTITY_ID", "dd.internal.entity_id"),
            ("DD_ENV", "env"),
            ("DD_SERVICE", "service"),
            ("DD_VERSION", "version"),
        ];
        let unified = unified
            .into_iter()
            .filter_map(|(name, key)| Some((key, variables.get(name)?)))
            .map(|(key, value)| Tag { key: key.to_owned(), value: Some(value.to_owned()) })
            .collect();
        let hints = ["DD_TAGS", "DATADOG_TAGS"]
            .into_iter()
            .filter_map(|name| variables.get(name))
            .flat_map(words)
            .filter_map(tag)
            .collect();
        Self { hints, unified }
    }

    /// The tags of a job and those that a run has reported beside them, as they are written: `task`
    /// first, separated by commas, of which none holds one itself. The run's win over the user's.
    pub fn tags_of(&self, job: &JobFacts, reported: &[Tag]) -> String {
        let mut written = String::with_capacity(64);
        push_tag(&mut written, "task", job.label.as_str());
        let user = job.tags.iter().filter(|tag| !has_key(reported, tag));
        let hints = self.hints.iter().filter(|tag| !has_key(reported, tag) && !has_key(&job.tags, tag));
        let others = user.chain(reported).chain(hints).filter(|tag| !has_key(&self.unified, tag));
        for tag in others.chain(&self.unified) {
            written.push(',');
            push_tag(&mut written, &tag.key, tag.value.as_deref().unwrap_or(""));
        }
        written
    }
}

/// The words of a list: Datadog's clients take commas, or blanks where there is no comma.
fn words(list: &str) -> impl Iterator<Item = &str> {
    let comma = list.contains(',');
    list.split(move |c: char| if comma { c == ',' } else { c.is_whitespace() }).map(str::trim)
}

/// A word of such a list: here only a colon separates, so `a=b:c` has the key `a=b`.
fn tag(word: &str) -> Option<Tag> {
    let (key, value) = match word.split_once(':') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (word, None),
    };
    (!key.is_empty()).then(|| Tag { key: key.to_owned(), value })
}

/// Whether one of the tags has the same key; Datadog writes all of them small.
fn has_key(tags: &[Tag], tag: &Tag) -> bool {
    tags.iter().any(|other| other.key.eq_ignore_ascii_case(&tag.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::sample;

    fn tags(variables: &[(&str, &str)], user: &[&str]) -> String {
        tags_with(variables, user, &[])
    }

    fn tags_with(variables: &[(&str, &str)], user: &[&str], reported: &[&str]) -> String {
        let variables = variables.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let mut job = sample::job("backup");
        let tags = |words: &[&str]| words.iter().filter_map(|word| Tag::parse(word)).collect::<Vec<_>>();
        job.tags = tags(user);
        Surroundings::of(&Variables(variables)).tags_of(&job, &tags(reported))
    }

    #[test]
    fn unified_tags_win_over_the_users_and_those_over_the_hints() {
        let variables = [
            ("DD_TAGS", "env:hint,team:hint,rack:7,"),
            ("DATADOG_TAGS", "zone:a zone2:b"),
            ("DD_ENV", "prod"),
            ("DD_ENTITY_ID", "pod-uid"),
            ("DD_VERSION", ""),
        ];
        assert_eq!(
            tags(&variables, &["ENV:user", "team:db", "canary"]),
            "task:backup,team:db,canary,rack:7,zone:a,zone2:b,dd.internal.entity_id:pod-uid,env:prod"
        );
    }

    #[test]
    fn tags_that_a_run_reports_win_over_the_users_and_the_hints() {
        let variables = [("DD_TAGS", "zone:hint,rack:7"), ("DD_ENV", "prod")];
        assert_eq!(
            tags_with(&variables, &["team:db", "size:small"], &["Size:large", "zone:a", "env:x"]),
            "task:backup,team:db,Size:large,zone:a,rack:7,env:prod"
        );
    }

    #[test]
    fn a_tag_of_the_environment_forges_nothing() {
        assert_eq!(tags(&[("DD_SERVICE", "a|#b,c\nd:1|c")], &[]), "task:backup,service:a__b_c_d:1_c");
    }
}
